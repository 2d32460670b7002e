//! Stories: made-up frames and changes, decided by a seed, and shrunk to what matters.
//!
//! A [`Story`] is plain data, so the same one can be told to the fabric, to the model and to the kernel. Its few
//! addresses, few ports and edgy lengths are chosen so that interesting things collide: a station that moves onto
//! a locked port, a frame of the host's own address from outside, a group address as source.

mod show;
mod shrink;
mod teller;

use std::time::Duration;

use self::teller::Teller;
use crate::fabric::Change;
use crate::frame::PortId;

/// One thing that happens.
#[allow(clippy::large_enum_variant, reason = "stories are short, and boxes are in a reader's way")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Something is changed.
    Change(Change),
    /// A frame enters.
    Frame(PortId, Vec<u8>),
    /// Time passes.
    Wait(Duration),
}

/// A setting, and what happens in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// What decided it.
    pub seed: u64,
    /// How the fabric is before anything happens.
    pub setup: Vec<Change>,
    /// What happens.
    pub actions: Vec<Action>,
}

/// What may occur in a story.
#[derive(Clone, Copy, Debug)]
pub struct Taste {
    /// Bridges; more than one are linked to a tree.
    pub bridges: u16,
    /// Ports on each bridge, beside the host's.
    pub ports: u16,
    /// VLANs: filtered or not, and who is in which.
    pub vlan: bool,
    /// Only what this kernel's bridge has as well, and can be told while it runs.
    pub kernel: Option<Kernel>,
}

/// What a kernel's bridge has that older ones have not.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Locked entries (B21; Linux 6.2).
    pub mab: bool,
    /// A limit for learned stations (B19; Linux 6.7).
    pub fdb_max: bool,
}

impl Story {
    /// The story of that seed, `length` actions long.
    pub fn new(seed: u64, taste: Taste, length: usize) -> Self {
        let mut teller = Teller::new(seed, taste);
        let setup = teller.setup();
        let actions = (0..length).map(|_| teller.action()).collect();
        Self { seed, setup, actions }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::LegConfig;
    use crate::frame::NodeId;
    use crate::wire::mac::Mac;

    const TASTE: Taste = Taste { bridges: 2, ports: 3, vlan: true, kernel: None };

    #[test]
    fn a_seed_is_a_story() {
        assert_eq!(Story::new(1, TASTE, 50), Story::new(1, TASTE, 50));
        assert_ne!(Story::new(1, TASTE, 50), Story::new(2, TASTE, 50));
    }

    #[test]
    fn only_what_is_special_is_printed() {
        let leg = LegConfig { locked: true, mtu: 9000, ..LegConfig::default() };
        let text = Action::Change(Change::AddPort(PortId(1), NodeId(0), leg)).to_string();
        assert_eq!(text, "AddPort(PortId(1), NodeId(0), LegConfig { mtu: 9000, locked: true })");
    }

    #[test]
    fn shrinking_leaves_what_matters() {
        let is_broadcast =
            |a: &Action| matches!(a, Action::Frame(_, bytes) if bytes.starts_with(&Mac::BROADCAST.0));
        let story = Story::new(3, TASTE, 300);
        assert!(story.actions.iter().filter(|a| is_broadcast(a)).count() > 2, "a long story has several");
        let short = story.shrink(|s| s.actions.iter().filter(|a| is_broadcast(a)).count() >= 2);
        assert_eq!(short.actions.len(), 2, "{short}");
        assert!(
            short.setup.iter().all(|c| !matches!(c, Change::AddPort(_, _, leg) if leg.locked || !leg.flood)),
            "settings that do not matter are back at their defaults"
        );
    }
}
