//! Bounded containers: everything that a guest can fill has a limit and says when it is reached.
//!
//! [`AgedTable`] holds what is found by a key that guests choose, and is forgotten when it has not
//! been seen for a while. The limit is its owner's to enforce, because what counts towards it is the owner's rule
//! (B19 counts learned stations, not static ones); the table makes that cheap by knowing its oldest entry.
//! [`Hints`] spare it the hash of keys that were of use lately; for others there is [`Sip`]. [`Bucket`] bounds how often something happens.

mod aged;
mod bucket;
mod hints;
mod sip;

pub use aged::{AgedTable, Hashed, Slot};
pub use bucket::Bucket;
pub use hints::{Hints, Mixed};
pub use sip::{Sip, Words};
