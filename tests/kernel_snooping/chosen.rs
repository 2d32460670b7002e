//! Stories of groups about what random ones leave out: time that passes, limits, and who asks.
//!
//! What happens after some time is looked at long after, for the machine may be slow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vswitchd::bridge::{
    BridgeConfig, LegConfig, MulticastConfig, MulticastLegConfig, RouterMode, VlanConfig,
};
use vswitchd::fabric::Change;
use vswitchd::frame::PortId;
use vswitchd::sim::{Action, Story};

use crate::kernel_common::{BRIDGE, HOST, PORTS, host, station};
use crate::messages::{self, Packet};
use crate::teller::{PATIENCE, all, nobody};

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 1, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 1, 2));
const THIRD: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 1, 3));
const GROUP_V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 1, 2));
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 9));
/// Longer than the times below, and as long again.
const LONG: Duration = Duration::from_millis(1000);

const TO_INCLUDE: u8 = 3;
const TO_EXCLUDE: u8 = 4;
const BLOCK: u8 = 6;

/// Their names, and what happens.
pub(crate) fn stories() -> Vec<(&'static str, Story)> {
    let plain = config();
    let asks = MulticastConfig { querier: true, ..plain };
    let minds = MulticastConfig { igmp_version: 3, mld_version: 2, ..plain };
    let leg = MulticastLegConfig::default();
    let told = |name, multicast, legs: &[(u16, MulticastLegConfig)], actions: Vec<Vec<Action>>| {
        (name, story(multicast, legs, actions.concat()))
    };
    vec![
        told("B65: nobody asks", plain, &[], vec![join(2, GROUP), data(GROUP), data(OTHER)]),
        told(
            "B65: somebody asks, and waits for answers",
            plain,
            &[],
            vec![query(1, GROUP, 10), join(2, GROUP), data(GROUP), data(OTHER)],
        ),
        told(
            "B66, B67: somebody asks, and has waited",
            plain,
            &[],
            vec![asked(1), join(2, GROUP), data(GROUP), data(OTHER), join(0, OTHER), data(OTHER)],
        ),
        told(
            "B71: a querier that falls silent",
            MulticastConfig { querier_interval: Duration::from_millis(300), ..plain },
            &[],
            vec![asked(1), data(OTHER), data(GROUP_V6), wait(LONG), data(OTHER), data(GROUP_V6)],
        ),
        told(
            "B71: a router for a while",
            MulticastConfig { querier_interval: Duration::from_millis(300), ..plain },
            &[(2, MulticastLegConfig { router: RouterMode::Temp, ..leg })],
            vec![asked(1), wait(LONG)],
        ),
        told(
            "a membership that nobody repeats",
            MulticastConfig { membership_interval: Duration::from_millis(400), ..plain },
            &[],
            vec![
                asked(1),
                join(2, GROUP),
                join(0, GROUP),
                join(3, GROUP_V6),
                wait(LONG),
                data(GROUP),
                data(GROUP_V6),
            ],
        ),
        told(
            "B73: a leave, where another asks",
            plain,
            &[],
            vec![
                asked(1),
                join(2, GROUP),
                leave(2, GROUP),
                wait(LONG),
                data(GROUP),
                query(1, GROUP, 1),
                wait(LONG),
                data(GROUP),
            ],
        ),
        told(
            "B73: a leave, where nobody asks",
            plain,
            &[],
            vec![join(2, GROUP), leave(2, GROUP), wait(LONG)],
        ),
        told(
            "B73: a leave, where the bridge asks",
            asks,
            &[],
            vec![wait(PATIENCE), join(2, GROUP), join(3, GROUP), leave(2, GROUP), wait(LONG), data(GROUP)],
        ),
        told(
            "B73: the host leaves",
            asks,
            &[],
            vec![wait(PATIENCE), join(0, GROUP), data(GROUP), leave(0, GROUP), wait(LONG), data(GROUP)],
        ),
        told(
            "B73: who left comes back",
            asks,
            &[],
            vec![wait(PATIENCE), join(2, GROUP), leave(2, GROUP), join(2, GROUP), wait(LONG), data(GROUP)],
        ),
        told(
            "B74: fastleave",
            asks,
            &[(2, MulticastLegConfig { fastleave: true, ..leg })],
            vec![wait(PATIENCE), join(2, GROUP), data(GROUP), leave(2, GROUP), data(GROUP)],
        ),
        told(
            "B75: who no longer wants anything, where another asks",
            minds,
            &[],
            vec![
                asked(1),
                report(2, TO_EXCLUDE, &[]),
                data(GROUP),
                report(2, TO_INCLUDE, &[]),
                wait(LONG),
                data(GROUP),
            ],
        ),
        told(
            "B75: who no longer wants anything, where the bridge asks",
            MulticastConfig { querier: true, ..minds },
            &[],
            vec![
                wait(PATIENCE),
                report(2, TO_EXCLUDE, &[]),
                report(2, TO_INCLUDE, &[]),
                wait(LONG),
                data(GROUP),
            ],
        ),
        told(
            "B75: a source that is no longer wanted, where the bridge asks",
            MulticastConfig { querier: true, ..minds },
            &[],
            vec![
                wait(PATIENCE),
                report(2, TO_INCLUDE, &[SOURCE]),
                data(GROUP),
                report(2, BLOCK, &[SOURCE]),
                wait(LONG),
                data(GROUP),
            ],
        ),
        told(
            "B75: a source that ends, and a wish for everything that does",
            MulticastConfig { membership_interval: Duration::from_millis(400), ..minds },
            &[],
            vec![
                asked(1),
                report(2, TO_INCLUDE, &[SOURCE]),
                report(3, TO_EXCLUDE, &[]),
                report(4, TO_EXCLUDE, &[SOURCE]),
                wait(LONG),
                data(GROUP),
            ],
        ),
        // the reports come from where the router is, so that nobody else gets them: the kernel drops those it has no room for
        told(
            "B76: too many groups",
            MulticastConfig { hash_max: 2, ..plain },
            &[],
            vec![
                asked(1),
                join(1, GROUP),
                join(1, OTHER),
                data(THIRD),
                join(1, THIRD),
                data(THIRD),
                data(GROUP),
            ],
        ),
        told(
            "B78: a port's own limit, and a port that goes down",
            plain,
            &[(1, MulticastLegConfig { max_groups: 1, ..leg })],
            vec![
                asked(1),
                join(1, GROUP),
                join(1, OTHER),
                join(1, GROUP),
                join(2, GROUP),
                vec![Action::Change(Change::SetPortUp(PortId(2), false))],
                data(GROUP),
                vec![Action::Change(Change::SetPortUp(PortId(2), true))],
                data(GROUP),
            ],
        ),
        // the kernel forgets who was there when it is switched off, and ours does not
        told(
            "B70, B79: malformed, and off, and on again",
            plain,
            &[],
            vec![
                malformed(2),
                configure(MulticastConfig { snooping: false, ..plain }),
                malformed(2),
                join(2, GROUP),
                data(GROUP),
                configure(plain),
                malformed(2),
                asked(1),
                data(GROUP),
                join(2, GROUP),
                data(GROUP),
            ],
        ),
        told(
            "B72: the bridge begins to ask, and stops",
            plain,
            &[],
            vec![join(2, GROUP), configure(asks), data(OTHER), configure(plain), data(OTHER)],
        ),
        told(
            "B72: the bridge asks until another does",
            asks,
            &[],
            vec![wait(PATIENCE), join(2, GROUP), asked(1), leave(2, GROUP), wait(LONG), data(GROUP)],
        ),
    ]
}

/// Times that are over while somebody waits.
fn config() -> MulticastConfig {
    MulticastConfig {
        snooping: true,
        last_member_interval: Duration::from_millis(200),
        query_response_interval: Duration::from_millis(10),
        flood_solicited_node: false,
        ..MulticastConfig::default()
    }
}

fn bridge(multicast: MulticastConfig) -> BridgeConfig {
    let vlan = VlanConfig { default_pvid: 0, ..VlanConfig::default() };
    BridgeConfig { address: HOST, vlan, multicast, ..BridgeConfig::default() }
}

fn story(multicast: MulticastConfig, legs: &[(u16, MulticastLegConfig)], actions: Vec<Action>) -> Story {
    let mut setup = vec![Change::AddBridge(BRIDGE, bridge(multicast))];
    setup.push(Change::AddPort(PortId(0), BRIDGE, host()));
    setup.extend((1..=PORTS).map(|port| {
        let special = legs.iter().find(|(at, _)| *at == port).map(|(_, multicast)| *multicast);
        let leg = LegConfig { multicast: special.unwrap_or_default(), ..LegConfig::default() };
        Change::AddPort(PortId(port), BRIDGE, leg)
    }));
    Story { seed: 0, setup, actions }
}

fn configure(multicast: MulticastConfig) -> Vec<Action> {
    vec![Action::Change(Change::ConfigureBridge(BRIDGE, bridge(multicast))), Action::Wait(PATIENCE)]
}

fn wait(time: Duration) -> Vec<Action> {
    vec![Action::Wait(time)]
}

fn say(port: u16, to: IpAddr, message: Vec<u8>) -> Vec<Action> {
    let packet = Packet::message(station(port as u8 + 10), sender(port, to), to, message);
    vec![Action::Frame(PortId(port), packet.bytes())]
}

fn join(port: u16, group: IpAddr) -> Vec<Action> {
    say(port, group, messages::join(group, false))
}

fn malformed(port: u16) -> Vec<Action> {
    let mut actions = join(port, GROUP);
    let Some(Action::Frame(_, bytes)) = actions.first_mut() else { unreachable!("one frame") };
    bytes[40] ^= 1;
    actions
}

fn leave(port: u16, group: IpAddr) -> Vec<Action> {
    say(port, group, messages::leave(group))
}

fn report(port: u16, kind: u8, sources: &[IpAddr]) -> Vec<Action> {
    let to = Ipv4Addr::new(224, 0, 0, 22).into();
    say(port, to, messages::report(true, &[(kind, GROUP, sources.to_vec())]))
}

/// A question about a group, or all if the delay is that of one; in tenths of a second.
fn query(port: u16, group: IpAddr, delay: u16) -> Vec<Action> {
    let (group, to) = if delay == 1 { (group, group) } else { (nobody(group), all(group)) };
    say(port, to, messages::query(group, delay))
}

/// A router asks for both families, and what it gave for answers is over.
fn asked(port: u16) -> Vec<Action> {
    let ask = |family| say(port, all(family), messages::long_query(nobody(family), 0, false, &[]));
    [ask(GROUP), ask(GROUP_V6), wait(PATIENCE)].concat()
}

/// Somebody at the last port sends to the group, and [`SOURCE`] does.
fn data(group: IpAddr) -> Vec<Action> {
    let sources =
        if group.is_ipv4() { vec![sender(PORTS, group), SOURCE] } else { vec![sender(PORTS, group)] };
    let frame = |source| Packet::data(station(9), source, group).bytes();
    sources.into_iter().map(|source| Action::Frame(PortId(PORTS), frame(source))).collect()
}

fn sender(port: u16, to: IpAddr) -> IpAddr {
    match to.is_ipv4() {
        true => Ipv4Addr::new(10, 0, 1, port as u8).into(),
        false => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, port).into(),
    }
}
