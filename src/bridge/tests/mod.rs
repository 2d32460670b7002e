//! The behaviours B1–B61 one by one, on a bridge of four legs: three ports and the host.

mod frames;
mod guests;
mod shortcuts;
mod stations;
mod vlans;

use super::*;
use crate::frame::{Headers, Offload};

const A: LegIndex = LegIndex(0);
const B: LegIndex = LegIndex(1);
const C: LegIndex = LegIndex(2);
const HOST: LegIndex = LegIndex(3);

const KEY: [u64; 2] = [7, 8];
/// An ordinary port.
fn port() -> LegConfig {
    LegConfig::default()
}

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

fn bytes(dst: Mac, src: Mac) -> Vec<u8> {
    tagged(dst, src, &[])
}

/// A frame with these tags, the outer one first.
fn tagged(dst: Mac, src: Mac, tags: &[(u16, u16)]) -> Vec<u8> {
    let tags = tags.iter().flat_map(|(tpid, tci)| [tpid.to_be_bytes(), tci.to_be_bytes()].concat());
    [&dst.0[..], &src.0, &tags.collect::<Vec<_>>(), &[8, 0], &[0; 46]].concat()
}

/// Where a bridge may say something that the test is not about.
fn out() -> Outbox {
    Outbox::default()
}

/// A bridge whose ports A, B, C and host are as `adjust` makes them.
fn bridge_with(config: BridgeConfig, adjust: impl Fn(&mut [LegConfig; 4])) -> Bridge {
    let mut bridge = Bridge::new(config, KEY, at(0)).expect("the settings are sound");
    let host = LegConfig { role: Role::Host, mac: Some(HOST_MAC), ..port() };
    let mut legs = [port(), port(), port(), host];
    adjust(&mut legs);
    for config in legs {
        bridge.attach(config, at(0), &mut out()).expect("there is room");
    }
    bridge
}

fn bridge() -> Bridge {
    bridge_with(BridgeConfig::default(), |_| {})
}

/// A verdict, with the legs of a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Consume,
    Drop(Reason),
    Flood(LegSet),
    Forward(LegIndex),
}

/// A decision, told in one piece.
struct Said {
    verdict: Verdict,
    inside: Option<Inside>,
}

impl Said {
    fn of(decision: Decision, extras: &Extras) -> Self {
        use crate::verdict::Verdict as Plain;
        let verdict = match decision.verdict {
            Plain::Consume => Verdict::Consume,
            Plain::Drop(reason) => Verdict::Drop(reason),
            Plain::Flood => Verdict::Flood(extras.flood),
            Plain::Forward(leg) => Verdict::Forward(leg),
            Plain::Park => panic!("a bridge keeps nothing"),
        };
        Self { verdict, inside: decision.inside }
    }
}

/// Decides, having made sure that the explanation says the same and changes nothing.
fn decide(
    bridge: &mut Bridge,
    leg: LegIndex,
    bytes: &[u8],
    offload: &Offload,
    now: Time,
) -> (Said, Trace, Extras) {
    let headers = Headers::parse(bytes, offload).expect("it is long enough");
    let passage = Passage { bytes, edit: &Edit::NONE, headers: &headers };
    let before = format!("{bridge:?}");
    let (mut told, mut promised) = (Trace::on(), Extras::default());
    let explained = bridge.explain(leg, &passage, now, &mut told, &mut promised);
    assert_eq!(format!("{bridge:?}"), before, "explaining changes nothing");
    if let Some((to, _)) = bridge.plane.pass(leg, &headers, now) {
        assert_eq!(
            explained,
            Decision::from(crate::verdict::Verdict::Forward(to)),
            "the short way is the long one"
        );
    }
    let (mut trace, mut extras) = (Trace::on(), Extras::default());
    let decision = bridge.forward(leg, &passage, now, &mut trace, &mut extras, &mut out());
    assert_eq!((&explained, told.steps()), (&decision, trace.steps()));
    assert_eq!(format!("{promised:?}"), format!("{extras:?}"));
    (Said::of(decision, &extras), trace, extras)
}

fn forward(bridge: &mut Bridge, leg: LegIndex, bytes: &[u8], now: Time) -> Verdict {
    decide(bridge, leg, bytes, &Offload::NONE, now).0.verdict
}

fn send(bridge: &mut Bridge, leg: LegIndex, dst: Mac, src: Mac, secs: u64) -> Verdict {
    forward(bridge, leg, &bytes(dst, src), at(secs))
}

fn flood<const N: usize>(legs: [LegIndex; N]) -> Verdict {
    Verdict::Flood(legs.into_iter().collect())
}

/// Without filtering, the VLAN of every station.
fn places(bridge: &Bridge, secs: u64) -> Vec<(Mac, LegIndex, StationKind)> {
    bridge.stations(at(secs)).into_iter().filter(|e| e.vid == 0).map(|e| (e.mac, e.leg, e.kind)).collect()
}

fn learned(bridge: &Bridge, secs: u64) -> Vec<(Mac, LegIndex)> {
    let all = places(bridge, secs).into_iter();
    all.filter(|(_, _, kind)| *kind == StationKind::Learned).map(|(mac, leg, _)| (mac, leg)).collect()
}
