//! What a port is protected from, and the bridge from its ports; the kernel's bridge has none of it.
//!
//! - `source`: a frame that claims an address which the port was not given
//! - `storm`: more frames of a flooded kind than a port may send
//! - `flap`: a station that is seen here and there in turn, which is a loop or an address in use twice
//!
//! Each is asked without being changed, then told what came of it: whoever explains a frame only asks.

pub mod flap;
pub mod source;
pub mod storm;
