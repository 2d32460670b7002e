//! One bridge with many ports and many stations behind them.

use vswitchd::bridge::{BridgeConfig, LegConfig};
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{BATCH_MAX, NodeId, PortId};
use vswitchd::time::Time;
use vswitchd::wire::mac::Mac;

use super::{Dice, Lot, Rounds};

/// As many stations as the table of these worlds has room for, beside the one that sends to them: were that refused, it would be
/// the refusal that is measured.
pub(crate) const STATIONS_MANY: u32 = 65_536;

/// The station of that number.
pub(crate) fn mac(n: u32) -> Mac {
    let [a, b, c, d] = n.to_be_bytes();
    Mac([2, 0, a, b, c, d])
}

pub(crate) fn config() -> BridgeConfig {
    BridgeConfig { fdb_max: STATIONS_MANY + 1, ..BridgeConfig::default() }
}

/// One bridge with that many ports.
pub(crate) fn fabric(ports: u16) -> Fabric {
    let mut fabric = Fabric::new([1, 2]);
    let mut apply = |change| fabric.apply(change, Time::ZERO).expect("the fabric is sound");
    apply(Change::AddBridge(NodeId(0), config()));
    (0..ports).for_each(|port| apply(Change::AddPort(PortId(port), NodeId(0), LegConfig::default())));
    fabric
}

impl Rounds {
    /// A full batch of frames from station to station.
    pub(crate) fn fill_between(&mut self, mut each: impl FnMut(usize) -> (Mac, Mac, PortId)) {
        self.fill(|index, buffer| {
            let (dst, src, port) = each(index);
            buffer[..6].copy_from_slice(&dst.0);
            buffer[6..12].copy_from_slice(&src.0);
            buffer[12..14].copy_from_slice(&[8, 0]);
            port
        });
    }
}

/// Teaches `count` stations, evenly behind ports 1 and up.
pub(crate) fn teach(fabric: &mut Fabric, ports: u16, count: u32) {
    let mut rounds = Rounds::new();
    for base in (0..count).step_by(BATCH_MAX) {
        rounds.fill_between(|index| {
            let n = (base + index as u32) % count;
            (mac(n), mac(n), place(n, ports))
        });
        rounds.run(fabric, Time::ZERO);
    }
}

/// The port that the station of that number is behind.
fn place(n: u32, ports: u16) -> PortId {
    PortId(1 + (n % u32::from(ports - 1)) as u16)
}

/// Frames to stations drawn at random, all of them known.
pub(crate) struct Stations {
    pub(crate) fabric: Fabric,
    rounds: Rounds,
    dice: Dice,
    ports: u16,
    count: u32,
    sources: Sources,
}

/// Who sends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sources {
    /// One station behind port 0.
    One,
    /// Any station, each behind its port.
    Any,
}

impl Stations {
    /// That many behind the ports of a bridge with that many.
    pub(crate) fn new(ports: u16, count: u32, sources: Sources) -> Self {
        let mut fabric = fabric(ports);
        teach(&mut fabric, ports, count);
        Self { fabric, rounds: Rounds::new(), dice: Dice::new(), ports, count, sources }
    }
}

impl Lot for Stations {
    fn fill(&mut self) {
        let Self { rounds, dice, ports, count, sources, .. } = self;
        rounds.fill_between(|_| {
            let dst = dice.roll(*count);
            if *sources == Sources::One {
                return (mac(dst), mac(u32::MAX), PortId(0));
            }
            // not one behind the same port, to which nothing would be sent; nor with 256 stations behind 255 ports, where
            // the last shares its port with the first
            let src = (dst + 2) % *count;
            (mac(dst), mac(src), place(src, *ports))
        });
    }

    fn run(&mut self) {
        self.rounds.run(&mut self.fabric, Time::ZERO);
    }
}
