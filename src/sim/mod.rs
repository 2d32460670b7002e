//! A world without machines: for tests, benches and fuzzing.
//!
//! Because the core takes frames and the time as values, everything around it can be invented. [`World`] puts
//! hosts that answer ARP and ping, and wires that delay and lose, around a fabric, and runs them in virtual time.
//! [`Story`] makes up frames and changes from a seed, so that a comparison can try what nobody thought of, and
//! shrinks what it finds. [`Model`] is the bridge once more, written to be obviously right, for them to be
//! compared with.
//!
//! Everything is decided by one seed (`VSWITCHD_SEED`), so a failure can be had again. The clock, the network and
//! the order of hash tables have no part in it.

pub mod gateway;
mod host;
mod model;
mod record;
mod rng;
mod stage;
mod story;
mod world;

pub use host::Host;
pub use model::{Fate, Model};
pub use record::Recording;
pub use rng::{Rng, seed_from_environment};
pub use stage::{Outcome, Stage};
pub use story::{Action, Kernel, Story, Taste};
pub use world::{Wire, World};
