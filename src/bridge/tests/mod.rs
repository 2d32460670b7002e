//! The behaviours B1–B49 one by one, on a bridge of four legs: three ports and the host.

mod frames;
mod stations;

use super::*;
use crate::frame::Offload;

const A: LegIndex = LegIndex(0);
const B: LegIndex = LegIndex(1);
const C: LegIndex = LegIndex(2);
const HOST: LegIndex = LegIndex(3);

const KEY: [u64; 2] = [7, 8];
const PORT: LegConfig = LegConfig {
    role: Role::Port,
    mac: None,
    mtu: 1500,
    learning: true,
    flood: true,
    mcast_flood: true,
    bcast_flood: true,
    hairpin: false,
    isolated: false,
    locked: false,
    group_fwd_mask: 0,
    promiscuous: Promiscuous::Allow,
};

/// Station n; by custom 0x1n lives behind A, 0x2n behind B, 0x3n behind C.
const fn mac(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

const HOST_MAC: Mac = mac(0xff);
const GROUP: Mac = Mac([1, 0, 0x5e, 1, 2, 3]);

const fn link_local(n: u8) -> Mac {
    Mac([1, 0x80, 0xc2, 0, 0, n])
}

fn at(secs: u64) -> Time {
    Time::from_secs(secs)
}

fn headers(dst: Mac, src: Mac) -> Headers {
    let bytes = [&dst.0[..], &src.0, &[8, 0], &[0; 46]].concat();
    Headers::parse(&bytes, &Offload::NONE).expect("it is long enough")
}

/// A bridge whose ports A, B, C and host are as `adjust` makes them.
fn bridge_with(config: BridgeConfig, adjust: impl Fn(&mut [LegConfig; 4])) -> Bridge {
    let mut bridge = Bridge::new(config, KEY).expect("the settings are sound");
    let host = LegConfig { role: Role::Host, mac: Some(HOST_MAC), ..PORT };
    let mut legs = [PORT, PORT, PORT, host];
    adjust(&mut legs);
    for config in legs {
        bridge.attach(config, at(0)).expect("there is room");
    }
    bridge
}

fn bridge() -> Bridge {
    bridge_with(BridgeConfig::default(), |_| {})
}

/// Sends, having made sure that the explanation says the same and changes nothing.
fn forward(bridge: &mut Bridge, leg: LegIndex, h: &Headers, now: Time) -> Verdict {
    let before = format!("{bridge:?}");
    let mut told = Trace::on();
    let explained = bridge.explain(leg, h, now, &mut told);
    assert_eq!(format!("{bridge:?}"), before, "explaining changes nothing");
    let mut trace = Trace::on();
    let verdict = bridge.forward(leg, h, now, &mut trace);
    assert_eq!((&explained, told.steps()), (&verdict, trace.steps()));
    verdict
}

fn send(bridge: &mut Bridge, leg: LegIndex, dst: Mac, src: Mac, secs: u64) -> Verdict {
    forward(bridge, leg, &headers(dst, src), at(secs))
}

fn flood<const N: usize>(legs: [LegIndex; N]) -> Verdict {
    Verdict::Flood(legs.into_iter().collect())
}

fn places(bridge: &Bridge, secs: u64) -> Vec<(Mac, LegIndex, StationKind)> {
    bridge.stations(at(secs)).into_iter().map(|e| (e.mac, e.leg, e.kind)).collect()
}

fn learned(bridge: &Bridge, secs: u64) -> Vec<(Mac, LegIndex)> {
    let all = places(bridge, secs).into_iter();
    all.filter(|(_, _, kind)| *kind == StationKind::Learned).map(|(mac, leg, _)| (mac, leg)).collect()
}
