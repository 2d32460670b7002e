//! Who makes stories up.

use std::net::IpAddr;
use std::time::Duration;

use super::place::{self, HOSTS, host, remote};
use super::{Act, Order, Say, Segment, Setting, Spoil, Talk, Taste};
use crate::frame::LegIndex;
use crate::router::interface::{Interface, ReversePath, SourceNat};
use crate::router::policy::config::{Action, Config, Invalid, Protocol, Publish, Reject, Rule, States};
use crate::sim::gateway::packet::{ICMP, ICMPV6, TCP, UDP};
use crate::sim::rng::Rng;

const FIN: u8 = 1;
const SYN: u8 = 2;
const RST: u8 = 4;
const PSH: u8 = 8;
const ACK: u8 = 16;

const TALKS: usize = 24;
/// Ports that clients have: of every class, and few.
const PORTS: [u16; 7] = [80, 300, 600, 1023, 5000, 5001, 40_000];

/// How far a conversation has come.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    step: u8,
    /// What each side has sent.
    sent: [u32; 2],
    /// The last segment of each.
    last: [Option<(u8, u32, u32, u16)>; 2],
    scale: bool,
}

pub(super) struct Teller {
    rng: Rng,
    taste: Taste,
    talks: Vec<Talk>,
    progress: Vec<Progress>,
    setting: Option<Setting>,
    /// Those that are being told, so that some come to an end.
    busy: Vec<usize>,
}

impl Teller {
    pub(super) fn new(seed: u64, taste: Taste) -> Self {
        Self { rng: Rng::new(seed), taste, talks: vec![], progress: vec![], setting: None, busy: vec![] }
    }

    pub(super) fn setting(&mut self) -> Setting {
        let legs = (0..3).map(|leg| self.leg(leg)).collect();
        let rng = &mut self.rng;
        let odd = self.taste.settings && rng.chance(30);
        let setting = Setting {
            legs,
            sessions_max: if self.taste.small { *rng.pick(&[1, 3, 8, 20]) } else { 1000 },
            loose: !odd || rng.chance(50),
            liberal: odd && rng.chance(50),
            config: self.config(),
        };
        self.setting = Some(setting.clone());
        setting
    }

    fn leg(&mut self, leg: u16) -> Interface {
        let rng = &mut self.rng;
        let mut own = place::leg(leg);
        if !self.taste.settings {
            return own;
        }
        own.mtu = *rng.pick(&[1500, 1500, 1400, 1280]);
        if rng.chance(20) {
            own.tcp_reset = !own.tcp_reset;
        }
        own.reverse_path =
            *rng.pick(&[own.reverse_path, own.reverse_path, ReversePath::Loose, ReversePath::Strict]);
        if leg < 2 {
            own.inside.icc = rng.chance(70);
            own.inside.internal = rng.chance(10);
            if rng.chance(15) {
                own.inside.source_nat = match rng.below(2) {
                    0 => SourceNat::None,
                    _ => SourceNat::To(host(2, 1, false), host(2, 2, false)),
                };
            }
        }
        own
    }

    fn config(&mut self) -> Config {
        let all = [
            publish(None, Protocol::Tcp, (8080, 8080), host(0, 2, false), 80),
            publish(Some(host(2, 1, false)), Protocol::Udp, (5353, 5353), host(0, 3, false), 53),
            publish(Some(host(2, 2, false)), Protocol::Tcp, (8000, 8003), host(0, 4, false), 9000),
            publish(None, Protocol::Tcp, (8080, 8081), host(0, 2, true), 80),
            publish(None, Protocol::Udp, (53, 53), host(1, 2, false), 5353),
            Publish {
                allow_from: vec![
                    "192.0.2.10/32".parse().expect("a prefix"),
                    "10.0.0.0/8".parse().expect("a prefix"),
                ],
                ..publish(None, Protocol::Tcp, (2222, 2222), host(1, 3, false), 22)
            },
        ];
        let rng = &mut self.rng;
        let publishes = all.into_iter().filter(|_| rng.chance(85)).collect();
        let rules = if self.taste.rules { (0..rng.below(4)).map(|_| self.rule()).collect() } else { vec![] };
        let rng = &mut self.rng;
        let invalid = if self.taste.settings && rng.chance(10) { Invalid::Accept } else { Invalid::Drop };
        let ports = (self.taste.settings && rng.chance(15))
            .then(|| *rng.pick(&[(40_000, 40_003), (50_000, 50_000), (40_000, 49_999)]));
        Config { publishes, rules, invalid, ports, ..Config::default() }
    }

    fn rule(&mut self) -> Rule {
        let rng = &mut self.rng;
        let leg = |rng: &mut Rng| rng.chance(40).then(|| LegIndex(rng.below(3) as u16));
        let states = [
            States::default(),
            States::default(),
            States::NEW,
            States::ESTABLISHED.and(States::RELATED),
            States::ESTABLISHED,
            States::INVALID,
        ];
        let nets =
            ["10.1.0.0/24", "10.1.0.2/32", "10.2.0.0/24", "192.0.2.0/24", "198.51.100.1/32", "fd00::/64"];
        let net = |rng: &mut Rng| match rng.chance(30) {
            true => vec![rng.pick(&nets).parse().expect("a prefix")],
            false => vec![],
        };
        let ports = [(80, 80), (53, 53), (1, 1023), (9000, 9003), (5000, 5000)];
        let port = |rng: &mut Rng| if rng.chance(20) { vec![*rng.pick(&ports)] } else { vec![] };
        Rule {
            from: leg(rng),
            to: leg(rng),
            source: net(rng),
            destination: net(rng),
            protocol: if rng.chance(40) { Some(*rng.pick(&[TCP, UDP, ICMP, ICMPV6])) } else { None },
            ports: port(rng),
            source_ports: port(rng),
            states: *rng.pick(&states),
            action: match rng.below(6) {
                0 | 1 => Action::Accept,
                2 => Action::Drop,
                3 => Action::Return,
                _ => Action::Reject(*rng.pick(&[
                    Reject::AdminProhibited,
                    Reject::HostUnreachable,
                    Reject::PortUnreachable,
                    Reject::TcpReset,
                ])),
            },
        }
    }

    pub(super) fn talks(&mut self) -> Vec<Talk> {
        self.talks = (0..TALKS).map(|_| self.talk()).collect();
        self.progress = vec![Progress::default(); TALKS];
        self.busy = (0..5).collect();
        self.talks.clone()
    }

    fn talk(&mut self) -> Talk {
        loop {
            let talk = self.any_talk();
            // nobody asks a gateway about himself
            if talk.from != talk.to {
                return talk;
            }
        }
    }

    fn any_talk(&mut self) -> Talk {
        let rng = &mut self.rng;
        let v6 = rng.chance(25);
        let protocol = *rng.pick(&[TCP, TCP, TCP, TCP, UDP, UDP, UDP, if v6 { ICMPV6 } else { ICMP }, 99]);
        let client = rng.below(HOSTS.len() as u64) as usize;
        let mut from = HOSTS[client].address(v6);
        if client == place::FAR && rng.chance(70) {
            from = remote(1 + rng.below(2) as u8, v6);
        }
        let near = [host(2, 10, v6), host(2, 11, v6), remote(1, v6), remote(2, v6)];
        let own = [host(0, 1, v6), host(1, 1, v6), host(2, 1, v6), host(2, if v6 { 1 } else { 2 }, v6)];
        let inside = [host(0, 2, v6), host(0, 3, v6), host(0, 4, v6), host(1, 2, v6), host(1, 3, v6)];
        let outer = HOSTS[client].leg == 2;
        let (to, to_port) = match rng.below(100) {
            ..50 if !outer => (*rng.pick(&near), *rng.pick(&[53, 80, 443])),
            ..75 => (*rng.pick(&own), *rng.pick(&[8080, 8080, 8081, 5353, 8001, 8003, 53, 2222, 80, 5000])),
            _ => (*rng.pick(&inside), *rng.pick(&[80, 53, 22, 9001, 5353])),
        };
        let server = HOSTS.iter().position(|host| host.address(v6) == to).unwrap_or(match outer {
            true => rng.below(5) as usize,
            false => place::FAR,
        });
        Talk {
            protocol,
            client,
            from,
            port: *rng.pick(&PORTS),
            to,
            to_port,
            server,
            first: [rng.next_u64() as u32, rng.next_u64() as u32],
        }
    }

    pub(super) fn act(&mut self) -> Act {
        match self.rng.below(1000) {
            ..70 => self.wait(),
            70..80 if self.taste.changes => self.change(),
            _ => {
                let at = self.rng.below(self.busy.len() as u64) as usize;
                if self.rng.chance(4) {
                    self.busy[at] = self.rng.below(self.talks.len() as u64) as usize;
                }
                self.say(self.busy[at])
            }
        }
    }

    fn wait(&mut self) -> Act {
        let rng = &mut self.rng;
        // around every timeout that there is
        let secs = *rng.pick(&[1, 1, 1, 2, 2, 8, 10, 30, 30, 60, 120, 120, 300, 600, 432_000]);
        let duration = match rng.below(4) {
            0 => Duration::from_secs(secs),
            1 => Duration::from_nanos(secs * 1_000_000_000 - 1),
            2 => Duration::from_nanos(secs * 1_000_000_000 + 1),
            _ => Duration::from_millis(1 + rng.below(2500)),
        };
        Act::Wait(duration, rng.chance(70))
    }

    fn change(&mut self) -> Act {
        let setting = self.setting.clone().expect("it was made up first");
        match self.rng.below(4) {
            0 | 1 => Act::Policy(Box::new(self.config())),
            2 => {
                // an address goes, or comes back
                let mut leg = setting.legs[2].clone();
                if self.rng.chance(50) {
                    leg.addresses.remove(self.rng.below(2) as usize);
                }
                Act::Leg(LegIndex(2), Box::new(leg))
            }
            _ => Act::Gone(place::port(self.rng.below(5) as usize)),
        }
    }

    fn say(&mut self, at: usize) -> Act {
        let odd = self.rng.chance(self.taste.odd);
        let mut spoil = self.spoil(at, odd);
        let talk = &self.talks[at];
        if odd && self.rng.chance(30) {
            let rng = &mut self.rng;
            let kinds = match talk.from {
                IpAddr::V4(_) => &[(3, 0), (3, 1), (3, 3), (3, 4), (11, 0), (12, 0), (4, 0)],
                IpAddr::V6(_) => &[(1, 0), (1, 4), (2, 0), (3, 0), (4, 0), (1, 1), (3, 1)],
            };
            let (kind, code) = *rng.pick(kinds);
            let quote = *rng.pick(&[24, 28, 28, 40, 48, 548]);
            return Act::Say(at, rng.chance(60), Say::Error(kind, code, quote), spoil);
        }
        let (protocol, reply) = (talk.protocol, self.rng.chance(45));
        let long = self.taste.pieces && self.rng.chance(25);
        let len =
            if long { *self.rng.pick(&[1300, 1450, 1472, 1473, 3000]) } else { self.rng.below(20) as u16 };
        if long {
            spoil.whole = self.rng.chance(40);
        }
        if protocol != TCP {
            return Act::Say(at, reply, Say::Data(len), spoil);
        }
        let (reply, mut segment) = if odd && self.rng.chance(60) { self.odd(at) } else { self.next(at) };
        if long && segment.flags & (SYN | RST) == 0 {
            segment.len = len;
        }
        Act::Say(at, reply, Say::Tcp(segment), spoil)
    }

    fn spoil(&mut self, at: usize, odd: bool) -> Spoil {
        let v6 = self.talks[at].from.is_ipv6();
        let rng = &mut self.rng;
        let mut spoil = Spoil::default();
        if odd {
            match rng.below(12) {
                0 => spoil.ttl = *rng.pick(&[1, 2]),
                1 => spoil.sum = true,
                2 => spoil.byte = Some((rng.below(60) as u16, rng.next_u64() as u8)),
                3 => {
                    let wrong =
                        [host(0, 4, v6), host(1, 2, v6), host(2, 10, v6), host(2, 1, v6), remote(1, v6)];
                    spoil.from = Some(*rng.pick(&wrong));
                }
                _ => {}
            }
        }
        if self.taste.pieces && rng.chance(15) {
            let order = [
                Order::Forward,
                Order::Forward,
                Order::Backward,
                Order::Backward,
                Order::Lost,
                Order::Twice,
                Order::Overlap,
            ];
            spoil.pieces = Some((*rng.pick(&[8, 16, 400, 1000]), *rng.pick(&order)));
            spoil.whole = rng.chance(20);
        }
        spoil
    }

    /// What a connection has next: a handshake, some data, an end.
    fn next(&mut self, at: usize) -> (bool, Segment) {
        let progress = &mut self.progress[at];
        let rng = &mut self.rng;
        let step = progress.step;
        let other = |reply: bool| usize::from(!reply);
        let mut side = false;
        let mut flags = ACK;
        let mut len = 0;
        let mut options = vec![];
        match step {
            0 => {
                // another life begins behind the first
                if progress.sent != [0, 0] {
                    progress.sent = progress.sent.map(|sent| sent.wrapping_add(100_000));
                }
                flags = SYN;
                progress.scale = rng.chance(60);
            }
            1 => (side, flags) = (true, SYN | ACK),
            2 => {}
            3..8 => {
                side = rng.chance(50);
                if rng.chance(60) {
                    len = 1 + rng.below(1000) as u16;
                    flags = ACK | if rng.chance(50) { PSH } else { 0 };
                }
            }
            8 => (side, flags) = (rng.chance(50), FIN | ACK),
            9 => side = !ended(progress),
            10 => (side, flags) = (!ended(progress), FIN | ACK),
            _ => side = ended(progress),
        }
        if flags & SYN != 0 {
            options = vec![2, 4, 5, 180];
            if progress.scale {
                options.extend([1, 3, 3, 7]);
            }
            if rng.chance(50) {
                options.extend([4, 2, 1, 1]);
            }
        }
        let index = usize::from(side);
        let seq = progress.sent[index];
        let ack = if flags & ACK != 0 { progress.sent[other(side)] } else { 0 };
        let used = u32::from(len) + u32::from(flags & (SYN | FIN) != 0);
        progress.sent[index] = seq.wrapping_add(used);
        progress.last[index] = Some((flags, seq, ack, len));
        progress.step = if step >= 11 {
            if rng.chance(30) { 0 } else { 11 }
        } else if (3..8).contains(&step) && rng.chance(50) {
            step
        } else {
            step + 1
        };
        let window = if rng.chance(95) { 512 + rng.below(60_000) as u16 } else { 0 };
        (side, Segment { flags, seq, ack, window, len, options })
    }

    /// What should not come, but does.
    fn odd(&mut self, at: usize) -> (bool, Segment) {
        let progress = &self.progress[at];
        let rng = &mut self.rng;
        let side = rng.chance(50);
        let [own, other] = [progress.sent[usize::from(side)], progress.sent[usize::from(!side)]];
        let far = 1 << (10 + rng.below(21));
        let plain = Segment { flags: ACK, seq: own, ack: other, window: 5000, len: 0, options: vec![] };
        let segment = match rng.below(18) {
            0 => Segment { flags: RST, ack: 0, ..plain },
            1 => Segment { flags: RST | ACK, ..plain },
            2 => Segment { flags: RST, seq: own.wrapping_add(100), ack: 0, ..plain },
            3 => Segment { flags: RST, seq: own.wrapping_sub(100), ack: 0, ..plain },
            4 => Segment { flags: RST | ACK, seq: 0, ack: other, ..plain },
            5 => Segment { flags: SYN, ack: 0, seq: own.wrapping_add(*rng.pick(&[0, 1000, far])), ..plain },
            6 => Segment { flags: SYN | ACK, ..plain },
            7 => Segment { flags: FIN | ACK, seq: own.wrapping_add(far), ..plain },
            8 => Segment { seq: own.wrapping_add(far), len: 10, ..plain },
            9 => Segment { ack: other.wrapping_add(far), ..plain },
            10 => Segment { seq: own.wrapping_sub(far), len: 10, ..plain },
            11 => Segment { ack: other.wrapping_sub(far), ..plain },
            12 => Segment { seq: own.wrapping_sub(1), ..plain },
            13 => Segment { flags: rng.next_u64() as u8, len: rng.below(30) as u16, ..plain },
            14 => {
                let edge = other.wrapping_add(*rng.pick(&[0, 100, 100_000]));
                let first = self.talks[at].first[usize::from(!side)];
                let block = [first.wrapping_add(other).to_be_bytes(), first.wrapping_add(edge).to_be_bytes()];
                let options = [&[1, 1, 5, 10][..], &block.concat()].concat();
                Segment { options, ack: other.wrapping_sub(50), ..plain }
            }
            15 => Segment { flags: RST, seq: own.wrapping_add(rng.below(3) as u32), ack: 0, ..plain },
            16 => Segment { window: 0, ..plain },
            // once more
            _ => match progress.last[usize::from(side)] {
                Some((flags, seq, ack, len)) => Segment { flags, seq, ack, len, ..plain },
                None => plain,
            },
        };
        (side, segment)
    }
}

/// Which side has ended first.
fn ended(progress: &Progress) -> bool {
    progress.last[1].is_some_and(|(flags, ..)| flags & FIN != 0)
}

fn publish(
    listen: Option<IpAddr>,
    protocol: Protocol,
    ports: (u16, u16),
    to: IpAddr,
    to_port: u16,
) -> Publish {
    Publish { listen, protocol, ports, to, to_port, allow_from: vec![] }
}
