//! A short story about VLANs whose end is known, to be held against a kernel.

use super::kernel_common::compare::list;
use super::kernel_common::rig::{Known, Output, Rig};
use super::kernel_common::station;
use super::kernel_common::vlans::{Filtering, Vlan};
use vswitchd::frame::PortId;
use vswitchd::wire::mac::Mac;

const IO: &str = "the kernel's side works";

/// A bridge, who is in which VLAN on it, and what happens then.
pub(crate) struct Case {
    pub(crate) why: &'static str,
    pub(crate) tpid: u16,
    pub(crate) default_pvid: u16,
    pub(crate) vlans: Vec<(u16, Vlan)>,
    pub(crate) steps: Vec<Step>,
}

/// Tags, the outer one first: TPID and TCI.
pub(crate) type Tags = &'static [(u16, u16)];

pub(crate) enum Step {
    /// Another default VLAN.
    DefaultPvid(u16),
    /// A frame with so many bytes behind its tags and EtherType enters a port, and leaves so.
    Frame { port: u16, dst: Mac, src: Mac, tags: Tags, payload: usize, out: &'static [(u16, Tags)] },
    /// A port is put into a VLAN.
    Join(u16, Vlan),
    /// These stations are known.
    Known(Vec<Known>),
    /// A port is taken out of a VLAN.
    Leave(u16, u16),
    /// A port is put into a VLAN, which the kernel refuses.
    Refused(u16, Vlan),
    /// A station is set at a port in a VLAN, or in every one.
    Set(u16, u8, Option<u16>),
    /// A station is set no longer.
    Unset(u16, u8, Option<u16>),
    /// A port is in these VLANs.
    Vlans(u16, Vec<Vlan>),
}

impl Case {
    /// # Panics
    /// If the kernel does anything else.
    pub(crate) fn hold(self, rig: &mut Rig) {
        let Self { why, tpid, default_pvid, vlans, steps } = self;
        rig.reset(&[]).expect(IO);
        rig.set_filtering(Some(Filtering { tpid, default_pvid })).expect(IO);
        for (port, vlan) in vlans {
            assert!(rig.add_vlan(PortId(port), vlan), "{why}: port {port} into {vlan:?}");
        }
        for (at, step) in steps.into_iter().enumerate() {
            step.take(rig, &format!("{why}, step {at}"));
        }
    }
}

impl Step {
    fn take(self, rig: &mut Rig, why: &str) {
        match self {
            Self::DefaultPvid(vid) => rig.set_default_pvid(vid).expect(IO),
            Self::Frame { port, dst, src, tags, payload, out } => {
                let frame = |tags| frame(dst, src, tags, payload);
                let got = rig.receive(PortId(port), &frame(tags)).expect(IO);
                let wanted: Vec<Output> =
                    out.iter().map(|(port, tags)| (PortId(*port), frame(tags))).collect();
                assert!(got == wanted, "{why}: {}, and should {}", list(&got), list(&wanted));
            }
            Self::Join(port, vlan) => assert!(rig.add_vlan(PortId(port), vlan), "{why}"),
            Self::Known(stations) => assert_eq!(rig.stations().expect(IO), stations, "{why}"),
            Self::Leave(port, vid) => assert!(rig.remove_vlan(PortId(port), vid), "{why}"),
            Self::Refused(port, vlan) => assert!(!rig.add_vlan(PortId(port), vlan), "{why}"),
            Self::Set(port, n, vid) => assert!(rig.add_station(PortId(port), station(n), vid), "{why}"),
            Self::Unset(port, n, vid) => assert!(rig.remove_station(PortId(port), station(n), vid), "{why}"),
            Self::Vlans(port, vlans) => assert_eq!(rig.vlans(PortId(port)).expect(IO), vlans, "{why}"),
        }
    }
}

fn frame(dst: Mac, src: Mac, tags: &[(u16, u16)], payload: usize) -> Vec<u8> {
    let mut bytes = [dst.0, src.0].concat();
    for (tpid, tci) in tags {
        bytes.extend(tpid.to_be_bytes());
        bytes.extend(tci.to_be_bytes());
    }
    bytes.extend([0x90, 0]);
    bytes.resize(bytes.len() + payload, 0x42);
    bytes
}
