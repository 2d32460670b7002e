//! Made-up stories, decided by a seed: talks of all kinds at once, with few addresses and few ports, so that they collide.

use std::fmt;

use vswitchd::sim::Rng;

use super::craft::{Damage, ICMP, ICMPV6, Segment, Shape, TCP, UDP, What, frame};
use super::place::Who::{self, A, B, D, Ext, G1, G2, R, X, Y, Z};
use super::place::Wire;
use super::talk::{Action, Complaint, Talk};

/// A story.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    pub(crate) seed: u64,
    pub(crate) talks: Vec<Talk>,
    pub(crate) actions: Vec<Action>,
}

/// What may happen in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taste {
    /// Everything.
    All,
    /// Nothing but TCP with guests, of few connections.
    Tcp,
}

const TALKS: u64 = 10;
/// A port of each class (P4), and some that are close together.
const PORTS: [u16; 6] = [300, 600, 1000, 2000, 2001, 40_000];

impl Story {
    pub(crate) fn new(seed: u64, taste: Taste, length: usize) -> Self {
        let mut teller = Teller::new(seed, taste);
        let mut actions = Vec::new();
        while actions.len() < length {
            teller.go_on(&mut actions);
        }
        Self { seed, talks: teller.talks, actions }
    }

    /// The same with as little in it as still differs.
    pub(crate) fn shrink(&self, mut differs: impl FnMut(&Self) -> bool) -> Self {
        let mut best = self.clone();
        let mut size = best.actions.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < best.actions.len() {
                let mut shorter = best.clone();
                shorter.actions.drain(at..(at + size).min(best.actions.len()));
                if differs(&shorter) {
                    best = shorter;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        best
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the story of VSWITCHD_SEED={}:", self.seed)?;
        let used = |nth: usize| {
            self.actions.iter().any(|action| match action {
                Action::Complain(complaint) => complaint.talk == nth,
                Action::Say(talk, ..) => *talk == nth,
                Action::Frame(..) | Action::Wait(_) => false,
            })
        };
        for (nth, talk) in self.talks.iter().enumerate().filter(|(nth, _)| used(*nth)) {
            writeln!(f, "  talk {nth}: {talk:?}")?;
        }
        for (nth, action) in self.actions.iter().enumerate() {
            writeln!(f, "  {nth:3} {action}")?;
        }
        Ok(())
    }
}

/// How far a connection is, as its ends see it.
#[derive(Clone, Copy, Debug, Default)]
struct Connection {
    /// What each side sends next: that of who began, then the other's.
    next: [u32; 2],
    windows: [u16; 2],
    stage: u8,
}

struct Teller {
    rng: Rng,
    taste: Taste,
    talks: Vec<Talk>,
    connections: Vec<Connection>,
}

impl Teller {
    fn new(seed: u64, taste: Taste) -> Self {
        let mut rng = Rng::new(seed);
        let count = match taste {
            Taste::All => TALKS,
            Taste::Tcp => 3,
        };
        let talks: Vec<_> = (0..count).map(|_| talk(&mut rng, taste)).collect();
        let connections = vec![Connection::default(); talks.len()];
        Self { rng, taste, talks, connections }
    }

    /// What happens next: mostly one thing.
    fn go_on(&mut self, actions: &mut Vec<Action>) {
        let talk = self.rng.below(self.talks.len() as u64) as usize;
        let strange = self.taste == Taste::All;
        match self.rng.below(100) {
            0..8 => actions.extend(self.complaint(talk)),
            8..11 if strange => actions.push(self.forged()),
            11..14 if strange => self.pieces(talk, actions),
            14..17 if strange => actions.push(self.mangled(talk)),
            _ => {
                let (back, mut shape) = self.say(talk);
                if strange {
                    self.dress(&mut shape);
                }
                actions.push(Action::Say(talk, back, shape));
            }
        }
    }

    fn say(&mut self, talk: usize) -> (bool, Shape) {
        let Talk { protocol, v6, .. } = self.talks[talk];
        match protocol {
            TCP => self.segment(talk),
            UDP => (self.rng.chance(40), Shape::new(What::Udp(self.rng.below(40) as u16))),
            ICMP | ICMPV6 => {
                let back = self.rng.chance(40);
                let kinds: [u8; 2] = if v6 { [128, 129] } else { [8, 0] };
                let usual = kinds[usize::from(back)];
                let kind = if self.rng.chance(90) { usual } else { self.rng.below(256) as u8 };
                let code = if self.rng.chance(95) { 0 } else { 1 };
                let kind = if is_for_neighbours(v6, kind) { usual } else { kind };
                (back, Shape::new(What::Icmp(kind, code, self.rng.below(3) as u16, 8)))
            }
            other => (self.rng.chance(40), Shape::new(What::Other(other, 12))),
        }
    }

    /// A segment: mostly the one that comes next, or something near it.
    fn segment(&mut self, talk: usize) -> (bool, Shape) {
        let rng = &mut self.rng;
        let connection = &mut self.connections[talk];
        if connection.stage == 0 || rng.chance(2) {
            let start = |rng: &mut Rng| {
                // near the wrap as often as not
                if rng.chance(50) { rng.next_u64() as u32 } else { u32::MAX - rng.below(3000) as u32 }
            };
            *connection = Connection {
                next: [start(rng), start(rng)],
                windows: [*rng.pick(&[60_000, 1000, 0, 1]), *rng.pick(&[60_000, 5000, 512])],
                stage: 1,
            };
        }
        let (mut back, mut flags, mut len, advance) = match connection.stage {
            1 => (false, "S", 0, 1),
            2 => (true, "SA", 0, 1),
            3 => (false, "A", 0, 0),
            4..=12 => (rng.chance(50), "PA", *rng.pick(&[0, 0, 1, 10, 100]), 0),
            13 => (rng.chance(50), "FA", 0, 1),
            14 => (rng.chance(50), "A", 0, 0),
            15 => (rng.chance(50), "FA", 0, 1),
            16 => (rng.chance(50), "A", 0, 0),
            17 => (rng.chance(50), *rng.pick(&["R", "RA", "A", "FA"]), 0, 0),
            _ => (false, "A", 0, 0),
        };
        let mut side = usize::from(back);
        let mut window = connection.windows[side];
        let (mut seq, mut ack) = (connection.next[side], connection.next[1 - side]);
        if rng.chance(65) {
            connection.next[side] = seq.wrapping_add(advance + u32::from(len));
            connection.stage = if connection.stage > 16 { 0 } else { connection.stage + 1 };
            if connection.stage == 5 && rng.chance(80) {
                connection.stage = 4 + rng.below(9) as u8;
            }
        } else {
            back = rng.chance(50);
            side = usize::from(back);
            flags = *rng.pick(&[
                "S", "SA", "A", "A", "A", "PA", "FA", "FA", "R", "R", "RA", "F", "SF", "", "SUEC", "FPU",
            ]);
            len = *rng.pick(&[0, 0, 0, 1, 100, 1000]);
            let other = connection.windows[1 - side];
            seq = connection.next[side].wrapping_add(near(rng, other));
            ack = connection.next[1 - side].wrapping_add(near(rng, connection.windows[side]));
            window = *rng.pick(&[window, window, 0, 1, 65_535]);
            if rng.chance(20) {
                (seq, ack) = *rng.pick(&[(0, ack), (seq, 0), (ack, seq)]);
            }
        }
        if flags == "S" || !flags.contains('A') {
            ack = if rng.chance(90) { 0 } else { ack };
        }
        let options = options(rng, flags, ack);
        let segment = Segment { flags: flags.into(), seq, ack, window, options, len };
        (back, Shape::new(What::Tcp(segment)))
    }

    /// What else may be with a packet.
    fn dress(&mut self, shape: &mut Shape) {
        let rng = &mut self.rng;
        shape.id = rng.next_u64() as u16;
        shape.dont_fragment = rng.chance(50);
        shape.tos = if rng.chance(80) { 0 } else { rng.next_u64() as u8 };
        if rng.chance(3) {
            shape.ttl = rng.below(3) as u8;
        }
        if rng.chance(5) {
            shape.damage = *rng.pick(&[
                Damage::Checksum,
                Damage::Checksum,
                Damage::NoChecksum,
                Damage::Header,
                Damage::Cut(1),
                Damage::Cut(9),
                Damage::Length(1),
                Damage::Length(200),
            ]);
        }
        if rng.chance(3) {
            shape.options = *rng.pick(&[&[1u8, 1, 1, 1][..], &[148, 4, 0, 0], &[99, 4, 1, 2], &[0, 0, 0, 0]]);
        }
        if rng.chance(3) {
            // around the MTU of the second network, and of the others
            let len = 1300 + rng.below(200) as u16;
            match &mut shape.what {
                What::Tcp(segment) => segment.len = len.min(1440),
                What::Udp(long) => *long = len.min(1450),
                What::Icmp(_, _, _, long) => *long = len.min(1450),
                What::Other(_, long) => *long = len.min(1450),
            }
        }
    }

    fn complaint(&mut self, talk: usize) -> Option<Action> {
        let Talk { v6, .. } = self.talks[talk];
        let rng = &mut self.rng;
        let kinds: &[(u8, u8)] = match v6 {
            true => &[(1, 0), (1, 4), (2, 0), (3, 0), (3, 1), (4, 1), (100, 0)],
            false => &[(3, 0), (3, 1), (3, 3), (3, 4), (4, 0), (5, 1), (11, 0), (11, 1), (12, 0), (3, 16)],
        };
        let damage = if rng.chance(5) { Damage::Checksum } else { Damage::None };
        Some(Action::Complain(Complaint {
            talk,
            back: rng.chance(40),
            from: *rng.pick(&[A, B, D, X, Y, Z, R]),
            kind: *rng.pick(kinds),
            rest: *rng.pick(&[0, 1400, 0x1400_0000]),
            quote: *rng.pick(&[548, 548, 28, 48, 40, 60, 27, 8]),
            damage,
        }))
    }

    /// Somebody claims to be somebody.
    fn forged(&mut self) -> Action {
        let rng = &mut self.rng;
        let v6 = rng.chance(30);
        let by = *rng.pick(&Who::HOSTS);
        let (mut source, destination) = (*rng.pick(&Who::ALL), *rng.pick(&Who::ALL));
        if by.wire() == Wire::Out && Who::GUESTS.contains(&source) {
            // ours knows guests by their wire, and the kernel by what they say
            source = by;
        }
        if v6 && source.is_gateway() {
            // the kernel lets its own addresses in from outside, if they are of IPv6
            source = by;
        }
        let talk = Talk {
            v6,
            protocol: 0,
            from: (source, *rng.pick(&PORTS)),
            to: (destination, *rng.pick(&[80, 53, 8080, 5353, 2000, 9])),
        };
        let what = match rng.below(4) {
            0 => What::Udp(4),
            1 => What::Icmp(if v6 { 128 } else { 8 }, 0, 1, 4),
            kind => What::Tcp(Segment {
                flags: if kind == 2 { "S" } else { "A" }.into(),
                seq: 1,
                ack: 0,
                window: 100,
                options: vec![],
                len: 0,
            }),
        };
        let mut shape = Shape::new(what);
        shape.id = rng.next_u64() as u16;
        Action::Frame(by.wire(), frame(by.wire().mac(), by.mac(), &shape.packet(talk.ends())))
    }

    /// A packet of the talk with a byte of its headers changed.
    fn mangled(&mut self, talk: usize) -> Action {
        let (_, mut shape) = self.say(talk);
        shape.id = self.rng.next_u64() as u16;
        let this = self.talks[talk];
        let mut packet = shape.packet(this.ends());
        let at = self.rng.below(packet.len().min(60) as u64) as usize;
        packet[at] = self.rng.next_u64() as u8;
        let v6 = this.v6;
        if !v6 && at < 20 && self.rng.chance(90) {
            vswitchd::wire::datagram::seal(&mut packet);
        }
        let by = this.from.0;
        let mut bytes = frame(by.wire().mac(), by.mac(), &packet);
        // whatever it says it is
        bytes[12..14].copy_from_slice(if v6 { &[0x86, 0xdd] } else { &[8, 0] });
        Action::Frame(by.wire(), bytes)
    }

    /// A packet in pieces, which may be too few, too many, or in disorder.
    fn pieces(&mut self, talk: usize, actions: &mut Vec<Action>) {
        let (back, mut shape) = self.say(talk);
        let rng = &mut self.rng;
        shape.id = rng.next_u64() as u16;
        match &mut shape.what {
            What::Udp(len) | What::Icmp(_, _, _, len) | What::Other(_, len) => {
                *len = 200 + rng.below(100) as u16
            }
            What::Tcp(segment) => segment.len += 200,
        }
        let size = *rng.pick(&[56u16, 104, 152]);
        let mut pieces: Vec<_> =
            (0..8).map(|nth| (nth * size, size)).take_while(|(at, _)| *at < 160).collect();
        // the last holds what is left
        if let Some(last) = pieces.last_mut() {
            last.1 = 1400;
        }
        if rng.chance(50) {
            pieces.reverse();
        }
        match rng.below(8) {
            0 => drop(pieces.pop()),
            1 => pieces.insert(1.min(pieces.len()), (8, size)),
            2 => pieces.insert(0, pieces[0]),
            _ => {}
        }
        for piece in pieces {
            actions.push(Action::Say(talk, back, Shape { piece: Some(piece), ..shape.clone() }));
        }
    }
}

/// Numbers around the edges of a window.
fn near(rng: &mut Rng, window: u16) -> u32 {
    let window = u32::from(window);
    let edge =
        *rng.pick(&[0, 0, 0, 0, window, window.wrapping_neg(), 66_000, 66_000u32.wrapping_neg(), 1 << 20]);
    edge.wrapping_add(*rng.pick(&[0, 0, 1, 2, u32::MAX, u32::MAX - 1, 10, 10u32.wrapping_neg()]))
}

fn options(rng: &mut Rng, flags: &str, ack: u32) -> Vec<u8> {
    if flags.contains('S') {
        let scale = *rng.pick(&[0, 1, 7, 14, 15]);
        return rng
            .pick(&[
                vec![],
                vec![3, 3, scale, 1],
                vec![2, 4, 5, 180, 4, 2, 3, 3, scale, 1, 1, 1],
                vec![4, 2, 1, 1],
            ])
            .clone();
    }
    if rng.chance(90) {
        return vec![];
    }
    let left = ack.wrapping_add(rng.below(200) as u32);
    let right = left.wrapping_add(rng.below(300) as u32);
    let mut options = vec![1, 1, 5, 10];
    options.extend([left.to_be_bytes(), right.to_be_bytes()].concat());
    options
}

fn talk(rng: &mut Rng, taste: Taste) -> Talk {
    let v6 = rng.chance(30);
    let port = *rng.pick(&PORTS);
    let guest = *rng.pick(&[A, A, B, B, D]);
    let stranger = *rng.pick(&[X, X, Y, Z]);
    let anybody = *rng.pick(&[X, Y, Z, A, B, D]);
    let gateway = *rng.pick(&[Ext, Ext, G1, G2]);
    let ping = if v6 { ICMPV6 } else { ICMP };
    let kinds = match taste {
        Taste::All => 20,
        Taste::Tcp => 7,
    };
    let (protocol, from, to) = match rng.below(kinds) {
        0..5 => (TCP, (guest, port), (stranger, 80)),
        5..7 => (TCP, (anybody, port), (gateway, *rng.pick(&[8080, 8081, 9000, 9003, 443]))),
        7..10 => (UDP, (guest, port), (stranger, 53)),
        10..12 => (UDP, (anybody, port), (gateway, *rng.pick(&[5353, 5354]))),
        12..14 => (ping, (guest, port), (stranger, 0)),
        14 => (ping, (anybody, port), (gateway, 0)),
        15 => (*rng.pick(&[TCP, UDP]), (anybody, port), (gateway, 9)),
        16 => (*rng.pick(&[TCP, UDP]), (anybody, port), (guest, *rng.pick(&[80, 53, 9]))),
        17 => (99, (guest, 0), (stranger, 0)),
        18 => (UDP, (stranger, 53), (Ext, port)),
        _ => (TCP, (stranger, 80), (Ext, port)),
    };
    Talk { v6, protocol, from, to }
}

/// What is not followed: neighbour discovery and groups.
const fn is_for_neighbours(v6: bool, kind: u8) -> bool {
    v6 && matches!(kind, 130..=137 | 143 | 151..=153)
}
