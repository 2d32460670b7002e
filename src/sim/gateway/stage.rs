//! Telling a story to the model and to something else, and comparing them.

use std::net::IpAddr;

use super::machine::{Outputs, System};
use super::packet::{self, End, ICMP, ICMPV6, TCP, UDP};
use super::story::{Act, HOSTS, Order, Say, Spoil, Story, Talk, host};
use super::watch::Watch;
use super::{Gateway, Station, Tuple, Wanted, pieces, place};
use crate::frame::{LegIndex, PortId};
use crate::time::Time;

/// How many frames a reader wants to see.
const SHOWN: usize = 5;

/// A story while it is told.
pub struct Stage<'a, S> {
    story: &'a Story,
    system: S,
    model: Gateway,
    watch: Watch,
    now: Time,
    /// The last packet that each side of a talk has heard, and which host has.
    heard: Vec<[Option<(usize, Vec<u8>)>; 2]>,
    id: u16,
    /// How many packets passed the gateway.
    pub passed: usize,
}

impl<'a, S: System> Stage<'a, S> {
    /// Before the first act.
    pub fn new(story: &'a Story, system: S) -> Self {
        let setting = &story.setting;
        let legs = setting.legs.iter().cloned().enumerate();
        let legs = legs.map(|(leg, own)| (LegIndex(leg as u16), own)).collect();
        let station = |(index, host): (usize, &super::story::Host)| Station {
            port: place::port(index),
            leg: LegIndex(host.leg),
            mac: host.mac(),
            addresses: vec![host.address(false), host.address(true)],
        };
        let stations = HOSTS.iter().enumerate().map(station).collect();
        let mut model =
            Gateway::new(legs, place::routes(), stations, setting.config.clone(), setting.sessions_max);
        model.follow_tcp(setting.loose, setting.liberal);
        Self {
            story,
            system,
            model,
            watch: Watch::new(setting),
            now: Time::ZERO,
            heard: vec![[None, None]; story.talks.len()],
            id: 0,
            passed: 0,
        }
    }

    /// What the story is told to.
    pub fn system(&self) -> &S {
        &self.system
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.now
    }

    /// Does it on both sides.
    ///
    /// # Errors
    /// What they disagree about, or what should never be.
    pub fn perform(&mut self, act: &Act) -> Result<(), String> {
        match act {
            Act::Gone(port) => {
                self.system.forget(*port, self.now);
                self.model.expire(self.now);
                self.model.forget(*port);
            }
            Act::Leg(leg, interface) => {
                self.system.configure(*leg, interface, self.now);
                self.model.expire(self.now);
                self.model.configure(*leg, (**interface).clone());
                self.watch.forget();
            }
            Act::Policy(config) => {
                self.system.set_policy(config, self.now);
                self.model.expire(self.now);
                self.model.set_policy((**config).clone());
                self.watch.set_policy(config);
            }
            Act::Say(talk, reply, say, spoil) => {
                for (port, frame) in self.frames(*talk, *reply, say, spoil) {
                    self.say(*talk, *reply, port, &frame)?;
                }
            }
            Act::Wait(duration, swept) => {
                self.now = self.now + *duration;
                if *swept {
                    let outputs = self.system.advance(self.now);
                    self.model.expire(self.now);
                    compare(&self.model.owed(), &outputs)?;
                    self.model.settle(self.now);
                } else {
                    self.model.pause(*duration);
                }
                self.model.expire(self.now);
            }
        }
        self.compare_entries()
    }

    fn say(&mut self, talk: usize, reply: bool, port: PortId, frame: &[u8]) -> Result<(), String> {
        let before = self.system.entries(self.now);
        let outputs = self.system.inject(port, frame, self.now);
        let seen = self.system.entries(self.now);
        let wanted = self.model.receive(port, frame, &seen, self.now);
        let told = |error: String| format!("{}\n  given{}", error, shown(&[(port, frame.to_vec())]));
        let mut wanted = wanted.map_err(told)?;
        wanted.extend(self.model.owed());
        compare(&wanted, &outputs).map_err(told)?;
        self.watch.check(port, frame, &outputs, &before, &seen, self.system.memory()).map_err(told)?;
        self.compare_entries().map_err(told)?;
        self.passed += outputs.len();
        self.hear(talk, reply, frame, outputs);
        Ok(())
    }

    fn compare_entries(&mut self) -> Result<(), String> {
        let (ours, theirs) = (self.system.entries(self.now), self.model.entries(self.now));
        if ours == theirs {
            return Ok(());
        }
        let mut text = String::from("the flows differ:");
        for entry in theirs.iter().filter(|entry| !ours.contains(entry)) {
            text.push_str(&format!("\n  model  {entry:?}"));
        }
        for entry in ours.iter().filter(|entry| !theirs.contains(entry)) {
            text.push_str(&format!("\n  fabric {entry:?}"));
        }
        Err(text)
    }

    /// Whoever got it has heard it.
    fn hear(&mut self, talk: usize, reply: bool, sent: &[u8], outputs: Outputs) {
        let protocol = self.story.talks[talk].protocol;
        let sent = Tuple::of(&sent[14..]);
        for (port, frame) in outputs {
            let packet = frame[14..].to_vec();
            let answers = match (sent, Tuple::of(&packet)) {
                (Some(sent), Some(got)) => (sent.src, sent.dst) == (got.dst, got.src),
                _ => true,
            };
            let own = packet::transport(&packet).is_some_and(|(own, _)| own == protocol);
            if own && !answers {
                self.heard[talk][usize::from(!reply)] = Some((usize::from(port.0), packet));
            }
        }
    }

    /// What is said, in frames, and where they go in.
    fn frames(&mut self, index: usize, reply: bool, say: &Say, spoil: &Spoil) -> Outputs {
        let talk = &self.story.talks[index];
        self.id = self.id.wrapping_add(1);
        let heard = self.heard[index][usize::from(reply)].clone();
        let answer = heard.as_ref().and_then(|(_, packet)| Tuple::of(packet)?.inverse());
        let (who, mut tuple) = match (reply, &heard, answer) {
            (true, Some((who, _)), Some(answer)) => (*who, answer),
            (false, ..) => (talk.client, first(talk)),
            (true, ..) => (talk.server, unasked(talk)),
        };
        let mut protocol = talk.protocol;
        let message = match say {
            Say::Error(kind, code, quote) => {
                let Some((_, about)) = &heard else { return vec![] };
                let v6 = packet::is_v6(about);
                protocol = if v6 { ICMPV6 } else { ICMP };
                let Some(src) = packet::address(about, End::Source) else { return vec![] };
                (tuple.src, tuple.dst) = (HOSTS[who].address(v6), src);
                let quote = &about[..about.len().min(usize::from(*quote) + if v6 { 20 } else { 0 })];
                [&[*kind, *code, 0, 0, 0, 0, 5, 0][..], quote].concat()
            }
            Say::Data(len) => data(talk.protocol, &tuple, usize::from(*len)),
            Say::Tcp(segment) => {
                let [mine, theirs] = if reply { [talk.first[1], talk.first[0]] } else { talk.first };
                let ack = if segment.flags & 16 == 0 { 0 } else { theirs.wrapping_add(segment.ack) };
                let mut options = segment.options.clone();
                options.resize(options.len().next_multiple_of(4).min(40), 0);
                let mut bytes = [tuple.sport.to_be_bytes(), tuple.dport.to_be_bytes()].concat();
                bytes.extend(mine.wrapping_add(segment.seq).to_be_bytes());
                bytes.extend(ack.to_be_bytes());
                bytes.extend([((20 + options.len()) / 4 * 16) as u8, segment.flags]);
                bytes.extend(segment.window.to_be_bytes());
                bytes.extend([0; 4]);
                bytes.extend(options);
                bytes.extend((0..segment.len).map(|at| at as u8));
                bytes
            }
        };
        let src = spoil.from.filter(|from| from.is_ipv4() == tuple.src.is_ipv4()).unwrap_or(tuple.src);
        let mut bytes = packet::build(src, tuple.dst, protocol, 0, spoil.ttl, &message);
        packet::seal_transport(&mut bytes);
        let v6 = packet::is_v6(&bytes);
        if !v6 {
            bytes[4..6].copy_from_slice(&self.id.to_be_bytes());
            bytes[6] = if spoil.whole { 0x40 } else { 0 };
            packet::seal_header(&mut bytes);
        }
        if let Some((_, at)) = packet::transport(&bytes).filter(|_| spoil.sum)
            && let Some(byte) = bytes.get_mut(at + 2)
        {
            *byte ^= 0x10;
        }
        if let Some((at, value)) = spoil.byte {
            // nothing guards the header of IPv6, and what it says is not what this is about
            let at = usize::from(at) + if v6 { 40 } else { 0 };
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
        }
        let head = [&place::gateway_mac(HOSTS[who].leg).0[..], &HOSTS[who].mac().0].concat();
        let kind: [u8; 2] = if v6 { [0x86, 0xdd] } else { [8, 0] };
        let framed = |packet: Vec<u8>| (place::port(who), [&head[..], &kind, &packet].concat());
        match spoil.pieces.filter(|_| !v6) {
            Some((size, order)) => in_pieces(bytes, size, order).into_iter().map(framed).collect(),
            None => vec![framed(bytes)],
        }
    }
}

/// What whoever begins sends.
fn first(talk: &Talk) -> Tuple {
    let query = if talk.protocol == ICMPV6 { 128 } else { 8 };
    let icmp = matches!(talk.protocol, ICMP | ICMPV6);
    let dport = if icmp { query << 8 } else { talk.to_port };
    Tuple { protocol: talk.protocol, src: talk.from, sport: talk.port, dst: talk.to, dport }
}

/// What the other side sends when nobody has asked.
fn unasked(talk: &Talk) -> Tuple {
    let v6 = talk.from.is_ipv6();
    let src = HOSTS[talk.server].address(v6);
    let inside = HOSTS[talk.client].leg != 2;
    let dst = if inside && HOSTS[talk.server].leg == 2 { host(2, 1, v6) } else { talk.from };
    let reply = if talk.protocol == ICMPV6 { 129 } else { 0 };
    let (sport, dport) = match talk.protocol {
        ICMP | ICMPV6 => (talk.port, reply << 8),
        _ => (talk.to_port, talk.port),
    };
    Tuple { protocol: talk.protocol, src, sport, dst, dport }
}

fn data(protocol: u8, tuple: &Tuple, len: usize) -> Vec<u8> {
    let [kind, code] = tuple.dport.to_be_bytes();
    let head = match protocol {
        UDP => {
            let size = (8 + len) as u16;
            [tuple.sport, tuple.dport, size, 0].map(u16::to_be_bytes).concat()
        }
        ICMP | ICMPV6 => [&[kind, code, 0, 0][..], &tuple.sport.to_be_bytes(), &[0, 1]].concat(),
        _ => vec![],
    };
    head.into_iter().chain((0..len).map(|at| at as u8)).collect()
}

fn in_pieces(packet: Vec<u8>, size: u16, order: Order) -> Vec<Vec<u8>> {
    let head = usize::from(packet[0] & 15) * 4;
    let mut parts = pieces::cut(packet, 65_535, Some(head + usize::from(size)));
    match order {
        Order::Forward => {}
        Order::Backward => parts.reverse(),
        Order::Lost => {
            parts.pop();
        }
        Order::Twice => parts.insert(0, parts[0].clone()),
        Order::Overlap => {
            if let Some(second) = parts.get_mut(1).filter(|second| second[7] != 0) {
                second[7] -= 1;
                packet::seal_header(second);
            }
        }
    }
    parts
}

/// Whether what came is what was wanted.
fn compare(wanted: &[Wanted], outputs: &Outputs) -> Result<(), String> {
    let mut rest = outputs.clone();
    for one in wanted {
        let is_it = |(port, frame): &(PortId, Vec<u8>)| {
            *port == one.port
                && if one.may && unreachable(frame).is_some() {
                    unreachable(frame) == unreachable(&one.frame)
                } else if one.own {
                    anonymous(frame) == anonymous(&one.frame)
                } else {
                    *frame == one.frame
                }
        };
        match rest.iter().position(is_it) {
            Some(at) => {
                rest.remove(at);
            }
            None if one.may => {}
            None => {
                let frame = (one.port, one.frame.clone());
                return Err(format!("wanted{}\n  but there is{}", shown(&[frame]), shown(outputs)));
            }
        }
    }
    match rest.is_empty() {
        true => Ok(()),
        false => Err(format!("nobody wanted{}", shown(&rest))),
    }
}

/// Whom a frame tells that a host is not there. Which piece of what was sent it quotes nobody has decided.
fn unreachable(frame: &[u8]) -> Option<IpAddr> {
    let packet = frame.get(14..)?;
    let (protocol, at) = packet::transport(packet)?;
    let told = [(ICMP, [3, 1]), (ICMPV6, [1, 3])]
        .iter()
        .any(|(number, message)| protocol == *number && packet.get(at..at + 2) == Some(message));
    if told { packet::address(packet, End::Destination) } else { None }
}

/// Without what the gateway may choose for its own packets.
fn anonymous(frame: &[u8]) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if frame[12..14] == [8, 0] && frame.len() >= 34 {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
    }
    if frame[12..14] == [0x86, 0xdd] && frame.len() >= 62 && frame[20] == 44 {
        frame[58..62].fill(0);
    }
    frame
}

fn shown(frames: &[(PortId, Vec<u8>)]) -> String {
    if frames.is_empty() {
        return String::from(" nothing");
    }
    let one = |(port, frame): &(PortId, Vec<u8>)| {
        let who = HOSTS.get(usize::from(port.0)).map_or('?', |host| host.name);
        let packet = &frame[14.min(frame.len())..];
        let what = packet::address(packet, End::Source).zip(packet::address(packet, End::Destination));
        let tuple = Tuple::of(packet).map(|tuple| (tuple.protocol, tuple.sport, tuple.dport));
        let (src, dst) = what.unwrap_or((IpAddr::from([0; 4]), IpAddr::from([0; 4])));
        let flags = packet::transport(packet).filter(|(protocol, _)| *protocol == TCP);
        let flags = flags.and_then(|(_, at)| packet.get(at + 13).copied());
        let hex: String = frame.iter().take(110).map(|byte| format!("{byte:02x}")).collect();
        format!("\n    at {who}: {src} to {dst} {tuple:?} flags {flags:?}, {} bytes: {hex}", frame.len())
    };
    let more =
        if frames.len() > SHOWN { format!("\n    and {} more", frames.len() - SHOWN) } else { String::new() };
    frames.iter().take(SHOWN).map(one).chain([more]).collect()
}
