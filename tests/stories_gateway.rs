//! Chosen stories of a gateway and its naive double: what they found different once, and that the comparison sees what it
//! should see.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use vswitchd::frame::{LegIndex, PortId};
use vswitchd::router::interface::{Interface, ReversePath};
use vswitchd::router::policy::config::{Config, Protocol, Publish};
use vswitchd::sim::gateway::{
    Act, Entry, Machine, Order, Outputs, Say, Segment, Setting, Spoil, Stage, Story, System, Talk, Taste,
};
use vswitchd::time::Time;

const RUDE: Taste =
    Taste { settings: true, rules: true, changes: false, pieces: false, small: false, odd: 25 };
const TCP: u8 = 6;
const UDP: u8 = 17;
/// Hosts of stories, by number.
const A: usize = 0;
const B: usize = 1;
const D: usize = 3;
const X: usize = 5;

/// M1 is of the raw table, where who addresses a guest directly is told nothing of hops and sizes (N1, N9, N52); it was asked
/// behind those.
#[test]
fn m1_strangers_are_told_nothing() {
    let talks = vec![talk(UDP, X, "192.0.2.10", 5000, "10.1.0.2", 53)];
    let near = Spoil { ttl: 1, ..Spoil::default() };
    same(vec![Act::Say(0, false, Say::Data(10), near)], talks.clone());
    same(vec![Act::Say(0, false, Say::Data(1600), Spoil::default())], talks);
}

/// M1 is of the raw table, so that what it drops is not seen by the flow that it would have been of (N1); it was.
#[test]
fn m1_flows_know_of_nothing_that_was_direct() {
    // an outsider claims to be D, and asks for what A has published
    let talks = vec![talk(TCP, X, "10.2.0.2", 5000, "192.0.2.1", 8080)];
    let acts = vec![tell(false, 2, 0, 0, 0), tell(true, 18, 0, 1, 0)];
    same(acts, talks);
}

/// E3: only later pieces of a datagram have no flow; errors about the first one went nowhere either.
#[test]
fn e3_errors_may_quote_first_pieces() {
    let talks = vec![talk(UDP, A, "10.1.0.2", 5000, "192.0.2.10", 53)];
    let long = Spoil { whole: false, ..Spoil::default() };
    let error = Say::Error(11, 1, 548);
    let acts = vec![
        Act::Say(0, false, Say::Data(3000), long.clone()),
        Act::Say(0, true, error.clone(), Spoil::default()),
        Act::Say(0, true, Say::Data(3000), long),
        Act::Say(0, false, error, Spoil::default()),
    ];
    same(acts, talks);
}

/// C16: what is published to guests of an internal network is usable from its own wire, whatever `icc` is; it was by the
/// first packets only.
#[test]
fn c16_holds_in_internal_networks() {
    let mut setting = setting();
    setting.legs[0].inside.internal = true;
    setting.legs[0].inside.icc = false;
    let talks = vec![talk(TCP, B, "10.1.0.3", 5000, "192.0.2.1", 8080)];
    let acts = vec![tell(false, 2, 0, 0, 0), tell(true, 18, 0, 1, 0), tell(false, 16, 1, 1, 5)];
    let story = Story { seed: 0, setting, talks, acts };
    told(&story).expect("the same");
}

/// M6: `-o br ! -s NET -j DROP` and `-i br ! -d NET -j DROP` ask IPv4 for its addresses, on one wire as well; the double asked for
/// the wire only. IPv6, which has link-local ones, is not asked.
#[test]
fn m6_strangers_on_an_internal_wire_go_nowhere() {
    let mut setting = setting();
    setting.legs[0].inside.internal = true;
    setting.legs[0].reverse_path = ReversePath::Off;
    let table = [
        ("10.1.0.3", "10.1.0.2", 1, "its own address"),
        ("192.0.2.10", "10.1.0.2", 0, "a source that is not of the network"),
        ("fd00::3", "fd00::2", 1, "IPv6, its own address"),
        ("2001:db8:0:1::a", "fd00::2", 1, "IPv6, any source"),
    ];
    for (from, to, passed, why) in table {
        let talks = vec![talk(UDP, B, from, 5000, to, 53)];
        let acts = vec![Act::Say(0, false, Say::Data(10), Spoil::default())];
        let story = Story { seed: 0, setting: setting.clone(), talks, acts };
        let mut stage = Stage::new(&story, Machine::new(&story.setting));
        story.acts.iter().try_for_each(|act| stage.perform(act)).expect(why);
        assert_eq!(stage.passed, passed, "{why}");
    }
}

/// N9: who is told that nobody is there is told by his own side of the gateway, and recognises what he sent.
#[test]
fn n9_who_is_not_there_is_told_of() {
    let wait = Act::Wait(Duration::from_secs(8), true);
    let heard = whispers(vec![Act::Say(0, false, Say::Data(10), Spoil::default()), wait]);
    let [(port, frame)] = &heard[..] else { panic!("{} frames", heard.len()) };
    assert_eq!(usize::from(port.0), A);
    assert_eq!(frame[26..30], [10, 1, 0, 1], "from the leg towards him");
    assert_eq!(frame[34..36], [3, 1], "host unreachable");
    assert_eq!(frame[54..58], [10, 1, 0, 2], "what he sent was from him");
}

/// N9: the same holds if what waited was in pieces; nobody was told.
#[test]
fn n9_pieces_that_wait_in_vain_are_told_of() {
    let long = Spoil { whole: false, ..Spoil::default() };
    let wait = Act::Wait(Duration::from_secs(8), true);
    let heard = whispers(vec![Act::Say(0, false, Say::Data(3000), long), wait]);
    let [(port, frame)] = &heard[..] else { panic!("{} frames", heard.len()) };
    assert_eq!((usize::from(port.0), &frame[34..36]), (A, &[3, 1][..]), "host unreachable");
    assert_eq!(frame[54..58], [10, 1, 0, 2], "what he sent was from him");
}

/// What the gateway says on its own when A speaks to nobody.
fn whispers(acts: Vec<Act>) -> Outputs {
    let talks = vec![talk(UDP, A, "10.1.0.2", 5000, "192.0.2.77", 53)];
    let story = Story { seed: 0, setting: setting(), talks, acts };
    let mut stage = Stage::new(&story, Eavesdropper::new(&story));
    story.acts.iter().try_for_each(|act| stage.perform(act)).expect("the same");
    stage.system().heard.clone()
}

/// N50: sixty-five pieces, more than a batch has room for, all leave.
#[test]
fn n50_many_pieces_leave() {
    let talks = vec![talk(UDP, A, "10.1.0.2", 5000, "192.0.2.10", 53)];
    let spoil = Spoil { whole: false, pieces: Some((16, Order::Backward)), ..Spoil::default() };
    same(vec![Act::Say(0, false, Say::Data(1040), spoil)], talks);
}

/// P4, N3: two flows of one source that become one are told apart by another port.
#[test]
fn n3_a_clash_of_published_addresses_is_resolved() {
    let talks = vec![
        talk(TCP, X, "192.0.2.10", 5000, "192.0.2.1", 8080),
        talk(TCP, X, "192.0.2.10", 5000, "192.0.2.2", 8080),
    ];
    let syn = |at| Act::Say(at, false, Say::Tcp(segment(2, 0, 0, 0)), Spoil::default());
    let answer = |at| Act::Say(at, true, Say::Tcp(segment(18, 0, 1, 0)), Spoil::default());
    same(vec![syn(0), syn(1), answer(0), answer(1)], talks);
}

/// What is compared is worth comparing: connections get everywhere, and packets pass.
#[test]
fn stories_go_everywhere() {
    let mut met = BTreeSet::new();
    let mut passed = 0;
    for seed in 0..12 {
        let story = Story::new(seed, RUDE, 400);
        let mut stage = Stage::new(&story, Eavesdropper::new(&story));
        for act in &story.acts {
            stage.perform(act).expect("the same");
            let now = stage.now();
            for entry in stage.system().machine.entries(now) {
                met.extend(entry.state);
                met.insert(format!("protocol {}", entry.original.protocol));
                met.insert(format!("assured {}, replied {}", entry.assured, entry.replied));
                let (original, reply) = (&entry.original, &entry.reply);
                match (original.src == reply.dst, original.dst == reply.src) {
                    (false, true) => met.insert(format!("SNAT, same port {}", original.sport == reply.dport)),
                    (true, false) => met.insert("DNAT".to_owned()),
                    (false, false) => met.insert("both".to_owned()),
                    (true, true) => met.insert("neither".to_owned()),
                };
            }
        }
        passed += stage.passed;
    }
    let wanted = [
        "CLOSE",
        "CLOSE_WAIT",
        "DNAT",
        "ESTABLISHED",
        "FIN_WAIT",
        "LAST_ACK",
        "SNAT, same port false",
        "SNAT, same port true",
        "SYN_RECV",
        "SYN_SENT",
        "TIME_WAIT",
        "assured false, replied false",
        "assured false, replied true",
        "assured true, replied true",
        "both",
        "neither",
        "protocol 1",
        "protocol 17",
        "protocol 58",
        "protocol 6",
        "protocol 99",
    ];
    let missed: Vec<_> = wanted.into_iter().filter(|wanted| !met.contains(*wanted)).collect();
    assert_eq!(missed, [""; 0], "of {met:?}");
    assert!(passed > 1000, "{passed} packets passed");
}

/// The comparison itself: it sees it when a frame, a flow or a second of its life is lost.
#[test]
fn losses_are_noticed() {
    let notices = |loses: Loss| {
        (0..10).any(|seed| {
            let story = Story::new(seed, RUDE, 200);
            let system = Thief { machine: Machine::new(&story.setting), loses };
            let mut stage = Stage::new(&story, system);
            story.acts.iter().any(|act| stage.perform(act).is_err())
        })
    };
    for loss in [Loss::Byte, Loss::Flow, Loss::Frame, Loss::Nanosecond] {
        assert!(notices(loss), "{loss:?}");
    }
}

fn same(acts: Vec<Act>, talks: Vec<Talk>) {
    told(&Story { seed: 0, setting: setting(), talks, acts }).expect("the same");
}

fn told(story: &Story) -> Result<(), String> {
    let mut stage = Stage::new(story, Machine::new(&story.setting));
    story.acts.iter().try_for_each(|act| stage.perform(act))
}

fn setting() -> Setting {
    let mut plain = Story::new(0, Taste { settings: false, rules: false, odd: 0, ..RUDE }, 0).setting;
    let publish = Publish {
        listen: None,
        protocol: Protocol::Tcp,
        ports: (8080, 8080),
        to: address("10.1.0.2"),
        to_port: 80,
        allow_from: vec![],
    };
    plain.config = Config { publishes: vec![publish], ..Config::default() };
    plain
}

fn talk(protocol: u8, client: usize, from: &str, port: u16, to: &str, to_port: u16) -> Talk {
    Talk {
        protocol,
        client,
        from: address(from),
        port,
        to: address(to),
        to_port,
        server: D,
        first: [1000, 5000],
    }
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn tell(reply: bool, flags: u8, seq: u32, ack: u32, len: u16) -> Act {
    Act::Say(0, reply, Say::Tcp(segment(flags, seq, ack, len)), Spoil::default())
}

fn segment(flags: u8, seq: u32, ack: u32, len: u16) -> Segment {
    Segment { flags, seq, ack, window: 5000, len, options: vec![] }
}

/// What comes out when nothing goes in is kept.
struct Eavesdropper {
    machine: Machine,
    heard: Outputs,
}

impl Eavesdropper {
    fn new(story: &Story) -> Self {
        Self { machine: Machine::new(&story.setting), heard: vec![] }
    }
}

impl System for Eavesdropper {
    fn inject(&mut self, port: PortId, frame: &[u8], now: Time) -> Outputs {
        self.machine.inject(port, frame, now)
    }

    fn advance(&mut self, now: Time) -> Outputs {
        let outputs = self.machine.advance(now);
        self.heard.extend(outputs.iter().cloned());
        outputs
    }

    fn set_policy(&mut self, config: &Config, now: Time) {
        self.machine.set_policy(config, now);
    }

    fn configure(&mut self, leg: LegIndex, interface: &Interface, now: Time) {
        self.machine.configure(leg, interface, now);
    }

    fn forget(&mut self, port: PortId, now: Time) {
        self.machine.forget(port, now);
    }

    fn entries(&self, now: Time) -> Vec<Entry> {
        self.machine.entries(now)
    }

    fn memory(&self) -> usize {
        self.machine.memory()
    }
}

#[derive(Clone, Copy, Debug)]
enum Loss {
    Byte,
    Flow,
    Frame,
    Nanosecond,
}

/// A gateway that is not quite right.
struct Thief {
    machine: Machine,
    loses: Loss,
}

impl System for Thief {
    fn inject(&mut self, port: PortId, frame: &[u8], now: Time) -> Outputs {
        let mut outputs = self.machine.inject(port, frame, now);
        match self.loses {
            Loss::Frame => {
                outputs.pop();
            }
            Loss::Byte => {
                if let Some(byte) = outputs.first_mut().and_then(|(_, frame)| frame.last_mut()) {
                    *byte ^= 1;
                }
            }
            Loss::Flow | Loss::Nanosecond => {}
        }
        outputs
    }

    fn advance(&mut self, now: Time) -> Outputs {
        self.machine.advance(now)
    }

    fn set_policy(&mut self, config: &Config, now: Time) {
        self.machine.set_policy(config, now);
    }

    fn configure(&mut self, leg: LegIndex, interface: &Interface, now: Time) {
        self.machine.configure(leg, interface, now);
    }

    fn forget(&mut self, port: PortId, now: Time) {
        self.machine.forget(port, now);
    }

    fn entries(&self, now: Time) -> Vec<Entry> {
        let mut entries = self.machine.entries(now);
        match self.loses {
            Loss::Flow => {
                entries.pop();
            }
            Loss::Nanosecond => entries.iter_mut().for_each(|entry| entry.remaining -= 1),
            Loss::Byte | Loss::Frame => {}
        }
        entries
    }

    fn memory(&self) -> usize {
        self.machine.memory()
    }
}
