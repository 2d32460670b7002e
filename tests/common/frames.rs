//! What most stories need: addresses, frames, and a table of who gets what.

#![allow(dead_code, reason = "every story uses some of it")]

use vswitchd::bridge::{BridgeConfig, LegConfig, Role};
use vswitchd::frame::{End, NodeId, PortId};
use vswitchd::sim::World;
use vswitchd::verdict::Reason;
use vswitchd::wire::mac::Mac;

/// The address of the host leg in stories.
pub(crate) const HOST: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
/// Everybody.
pub(crate) const ALL: Mac = Mac::BROADCAST;
/// A group that is not everybody.
pub(crate) const GROUP: Mac = Mac([0x01, 0x00, 0x5e, 0, 0, 1]);

/// A frame enters at a port, from a station, to a station; the ports that must get it; why.
pub(crate) type Line<'a> = (PortId, Mac, Mac, &'a [PortId], &'a str);

/// The address of station `n`.
pub(crate) fn station(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

/// 01-80-C2-00-00-NN.
pub(crate) fn link_local(n: u8) -> Mac {
    Mac([0x01, 0x80, 0xc2, 0, 0, n])
}

/// A frame of the shortest length Ethernet allows.
pub(crate) fn frame(dst: Mac, src: Mac) -> Vec<u8> {
    frame_of(dst, src, 46)
}

/// A frame with so many bytes behind its header.
pub(crate) fn frame_of(dst: Mac, src: Mac, payload: usize) -> Vec<u8> {
    [&dst.0[..], &src.0, &[0x90, 0], &vec![0x42; payload]].concat()
}

/// A bridge with these ports.
pub(crate) fn bridge_with<const N: usize>(legs: [LegConfig; N]) -> (World, NodeId, [PortId; N]) {
    let mut world = World::new();
    let bridge = world.bridge(BridgeConfig::default());
    let ports = legs.map(|leg| world.port(bridge, leg));
    (world, bridge, ports)
}

/// The host's leg.
pub(crate) fn host() -> LegConfig {
    LegConfig { role: Role::Host, mac: Some(HOST), ..LegConfig::default() }
}

/// An ordinary port.
pub(crate) fn plain() -> LegConfig {
    LegConfig::default()
}

/// Sends what the table says, line by line, and looks where it arrives.
#[track_caller]
pub(crate) fn expect(world: &mut World, table: &[Line<'_>]) {
    for (line, (port, dst, src, to, why)) in table.iter().enumerate() {
        let end = world.send(*port, &frame(*dst, *src));
        let reached = world.reached();
        assert_eq!(reached, *to, "line {line}, {src} at port {} to {dst}: {why} ({end:?})", port.0);
    }
}

/// Sends one frame that must end with that reason.
#[track_caller]
pub(crate) fn expect_drop(world: &mut World, port: PortId, bytes: &[u8], reason: Reason, why: &str) {
    let before = world.fabric.dropped_in(port).of(reason);
    assert_eq!(world.send(port, bytes), End::Dropped(reason), "{why}");
    assert_eq!(world.fabric.dropped_in(port).of(reason), before + 1, "{why}: counted where it came in");
    assert_eq!(world.reached(), [], "{why}");
}
