//! The gateway once more, naive: the answer the real one is compared with, and stories to compare them by.
//!
//! [`Gateway`] is written from the numbered behaviours alone, not from the router. It knows no table but lists, no index but
//! a linear search, no timer but "throw away what has expired, before doing anything"; it edits copies of packets, and makes
//! sums over all bytes. Where the real one may choose (a port after a clash, who has to go from a full table), the model is
//! shown what was chosen, says whether that is legal (P2 to P6, L2), and goes on with it.
//!
//! Left to the real one alone is what a packet waits for: hosts here are always known by their hardware addresses, and
//! whoever tells a story answers what is asked about them.

mod answer;
mod flows;
mod machine;
mod nat;
mod packet;
mod pieces;
mod policy;
mod stage;
mod story;
mod tcp;
mod watch;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

use self::flows::{Flow, Flows, Judged, State, Tracking};
pub use self::machine::{Machine, Outputs, System};
use self::packet::End;
pub use self::packet::Tuple;
use self::pieces::Pieces;
use self::policy::{Passing, Verdict};
pub use self::stage::Stage;
use self::story::place;
pub use self::story::{Act, HOSTS, Host, Order, Say, Segment, Setting, Spoil, Story, Talk, Taste};
use crate::frame::{LegIndex, PortId};
use crate::router::interface::{Interface, ReversePath, Role, is_link_local};
use crate::router::policy::config::{Config, Invalid};
use crate::time::Time;
use crate::wire::mac::Mac;

/// How long the gateway takes at most to find out that nobody is there.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody on one of the gateway's wires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Station {
    /// The port of the switch.
    pub port: PortId,
    /// The leg of the gateway on the same wire.
    pub leg: LegIndex,
    /// The hardware address.
    pub mac: Mac,
    /// Whom it answers for.
    pub addresses: Vec<IpAddr>,
}

/// A line of the table of flows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The first packet's.
    pub original: Tuple,
    /// That of its answers.
    pub reply: Tuple,
    /// Where a TCP connection is.
    pub state: Option<String>,
    /// An answer was seen.
    pub replied: bool,
    /// It stays when others have to go.
    pub assured: bool,
    /// How long it lives if nothing comes, in nanoseconds.
    pub remaining: u128,
}

/// A frame that is to come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where.
    pub port: PortId,
    /// The whole frame.
    pub frame: Vec<u8>,
    /// It is the gateway's own, which gives it any identification.
    pub own: bool,
    /// It may be one too many to be told (L4).
    pub may: bool,
}

/// The gateway, and who is around it.
#[derive(Clone, Debug, Default)]
pub struct Gateway {
    interfaces: Vec<(LegIndex, Interface)>,
    routes: Vec<(IpNet, Option<IpAddr>, LegIndex)>,
    stations: Vec<Station>,
    config: Config,
    sessions_max: usize,
    tracking: Tracking,
    flows: Flows,
    pieces: Pieces,
    /// Who was told of an error, and when.
    told: Vec<(IpAddr, Time)>,
    /// What may be said of what never came.
    owed: Vec<Owed>,
    /// What was wrong with what the real one chose.
    illegal: Option<String>,
}

/// An error that may be told later.
#[derive(Clone, Debug)]
struct Owed {
    sent: Vec<u8>,
    kind: u8,
    code: u8,
    since: Time,
}

/// A packet on its way.
struct Travel<'a> {
    leg: LegIndex,
    /// As it was sent.
    sent: &'a [u8],
    /// Bytes of its largest piece, if it came in pieces.
    piece: Option<usize>,
    seen: &'a [Entry],
    now: Time,
}

impl Gateway {
    /// A gateway with these legs, hosts and rules.
    pub fn new(
        interfaces: Vec<(LegIndex, Interface)>,
        routes: Vec<(IpNet, Option<IpAddr>, LegIndex)>,
        stations: Vec<Station>,
        config: Config,
        sessions_max: usize,
    ) -> Self {
        Self { interfaces, routes, stations, config, sessions_max, ..Self::default() }
    }

    /// How TCP is followed: whether the middle of a connection starts one (T6), and whether windows count (T9).
    pub fn follow_tcp(&mut self, loose: bool, liberal: bool) {
        self.tracking = Tracking { loose, liberal };
    }

    /// Other rules: what was published and is not any more ends (N2 holds for the rest).
    pub fn set_policy(&mut self, config: Config) {
        let stays = |flow: &Flow| flow.publish.as_ref().is_none_or(|old| self.keeps(old, &config, flow));
        self.flows.list = self.flows.list.iter().filter(|flow| stays(flow)).cloned().collect();
        self.config = config;
    }

    /// A leg is like that now: who was given an address that is gone ends (P10), and who came by it.
    pub fn configure(&mut self, leg: LegIndex, interface: Interface) {
        let before = self.clone();
        if let Some((_, own)) = self.interfaces.iter_mut().find(|(index, _)| *index == leg) {
            *own = interface;
        }
        let gone = |address: IpAddr| before.is_local(address) && !self.is_local(address);
        // what passed untranslated while the address was not the gateway's was not made with it
        let ends = |flow: &Flow| {
            flow.changes(End::Source, false) && gone(flow.reply.dst)
                || flow.changes(End::Destination, false) && gone(flow.original.dst)
        };
        let list = before.flows.list.iter().filter(|flow| !ends(flow)).cloned().collect();
        self.flows.list = list;
    }

    /// The guests behind a port are gone, and what they had with others.
    pub fn forget(&mut self, port: PortId) {
        let Some(gone) = self.stations.iter().find(|station| station.port == port) else { return };
        let has = |address: IpAddr| gone.addresses.contains(&address);
        self.flows.list.retain(|flow| !has(flow.original.src) && !has(flow.reply.src));
    }

    /// What becomes of a frame, given which flows the real one has afterwards.
    ///
    /// # Errors
    /// What the real one chose that it may not choose.
    pub fn receive(
        &mut self,
        from: PortId,
        frame: &[u8],
        seen: &[Entry],
        now: Time,
    ) -> Result<Vec<Wanted>, String> {
        self.expire(now);
        let Some(leg) = self.stations.iter().find(|station| station.port == from) else { return Ok(vec![]) };
        let leg = leg.leg;
        let wanted = self.enter(leg, frame, seen, now);
        self.expire(now);
        self.illegal.take().map_or(Ok(wanted), Err)
    }

    /// Forgets what is over.
    pub fn expire(&mut self, now: Time) {
        self.flows.expire(now);
        for first in self.pieces.expire(now) {
            let (Some(src), Some(dst)) =
                (packet::address(&first, End::Source), packet::address(&first, End::Destination))
            else {
                continue;
            };
            // N50: only whom the gateway itself should have heard is told, and where from is no matter then
            if self.is_local(dst) {
                let (kind, code) = if src.is_ipv4() { (11, 1) } else { (3, 1) };
                self.owed.push(Owed { sent: first, kind, code, since: now });
            }
        }
    }

    /// What the gateway may say on its own until somebody has given it time.
    pub fn owed(&mut self) -> Vec<Wanted> {
        let mut all = vec![];
        for Owed { sent, kind, code, since } in self.owed.clone() {
            let travel = Travel { leg: LegIndex(0), sent: &sent, piece: None, seen: &[], now: since };
            all.extend(self.error(&travel, kind, code, 0));
        }
        all.into_iter().map(|wanted| Wanted { may: true, ..wanted }).collect()
    }

    /// So much time passed in which nobody asked it for anything: what it owes it has had no time to say.
    pub fn pause(&mut self, duration: Duration) {
        self.owed.iter_mut().for_each(|owed| owed.since = owed.since + duration);
    }

    /// It was given time: what it has not said by now it will not say.
    pub fn settle(&mut self, now: Time) {
        self.owed.retain(|owed| now - owed.since < PATIENCE);
        self.flows.sweep(now);
    }

    /// All flows.
    pub fn entries(&self, now: Time) -> Vec<Entry> {
        let entry = |flow: &Flow| Entry {
            original: flow.original,
            reply: flow.reply,
            state: flow.tcp.map(|connection| connection.state.name().to_owned()),
            replied: flow.replied,
            assured: flow.assured,
            remaining: (flow.expires - now).as_nanos(),
        };
        let mut entries: Vec<_> = self.flows.list.iter().map(entry).collect();
        entries.sort();
        entries
    }

    fn enter(&mut self, leg: LegIndex, frame: &[u8], seen: &[Entry], now: Time) -> Vec<Wanted> {
        let Some(head) = frame.first_chunk::<14>() else { return vec![] };
        if head[..6] != self.interface(leg).mac.0 {
            return vec![];
        }
        let family = match head[12..] {
            [0x08, 0x00] => 4,
            [0x86, 0xdd] => 6,
            _ => return vec![],
        };
        let Some(packet) = packet::read(&frame[14..]).filter(|packet| packet[0] >> 4 == family) else {
            return vec![];
        };
        match self.pieces.gather(packet, now) {
            // it waits for the others, or is lost with them
            None => vec![],
            Some((whole, piece)) => self.travel(&whole, &Travel { leg, sent: &whole, piece, seen, now }),
        }
    }

    /// The way of a whole packet (N1).
    fn travel(&mut self, packet: &[u8], travel: &Travel<'_>) -> Vec<Wanted> {
        let mut packet = packet.to_vec();
        let (Some(src), Some(sent_to)) =
            (packet::address(&packet, End::Source), packet::address(&packet, End::Destination))
        else {
            return vec![];
        };
        if self.is_direct(travel.leg, sent_to) {
            return vec![];
        }
        let mut judged = self.flows.judge(&packet, self.tracking, travel.now);
        let tuple = Tuple::of(&packet).unwrap_or(Tuple {
            protocol: packet::transport(&packet).map_or(0, |(protocol, _)| protocol),
            src,
            sport: 0,
            dst: sent_to,
            dport: 0,
        });
        self.translate_destination(&mut packet, &mut judged, sent_to);
        let Some(dst) = packet::address(&packet, End::Destination) else { return vec![] };
        if !self.is_believed(travel.leg, src, dst) {
            return vec![];
        }
        if self.is_local(dst) {
            // 0.2: else a segment of a translated connection that does not fit would be answered with a reset
            let drops = matches!(judged, Judged::Unfit) && self.config.invalid == Invalid::Drop;
            return if drops { vec![] } else { self.answer(&packet, travel) };
        }
        if self.is_for_everybody(dst) || is_link_local(src) || is_link_local(dst) {
            return vec![];
        }
        let Some((out, next_hop)) = self.route(dst) else {
            let (kind, code) = if src.is_ipv4() { (3, 0) } else { (1, 0) };
            return self.error(travel, kind, code, 0);
        };
        // N9
        if packet::ttl(&packet) <= 1 {
            let (kind, code) = if src.is_ipv4() { (11, 0) } else { (3, 0) };
            return self.error(travel, kind, code, 0);
        }
        // N52
        let mtu = usize::from(self.interface(out).mtu);
        if packet::dont_fragment(&packet) && travel.piece.unwrap_or(packet.len()) > mtu {
            let (kind, code) = if src.is_ipv4() { (3, 4) } else { (2, 0) };
            return self.error(travel, kind, code, mtu as u32);
        }
        packet::take_hop(&mut packet);
        let passing = Passing {
            from: travel.leg,
            to: out,
            tuple: Tuple { dst, dport: Tuple::of(&packet).map_or(0, |tuple| tuple.dport), ..tuple },
            state: judged.state(),
            rewritten: dst != sent_to || Tuple::of(&packet).is_some_and(|now| now.dport != tuple.dport),
        };
        match self.filter(&passing) {
            Verdict::Accept => {}
            Verdict::Drop => return vec![],
            Verdict::Reject(how) => return self.reject(travel, how),
        }
        if !self.translate_source(&mut packet, judged, &passing, next_hop, travel) {
            return vec![];
        }
        if !self.stations.iter().any(|station| station.leg == out && station.addresses.contains(&next_hop)) {
            let (kind, code) = if src.is_ipv4() { (3, 1) } else { (1, 3) };
            self.owed.push(Owed { sent: travel.sent.to_vec(), kind, code, since: travel.now });
        }
        self.leave(packet, out, next_hop, travel.piece, false, false)
    }

    /// Destination NAT, before the way is chosen.
    fn translate_destination(&self, packet: &mut [u8], judged: &mut Judged, to: IpAddr) {
        match judged {
            Judged::First(flow) => {
                if let Some(publish) = self.published(&flow.original).filter(|_| self.is_local(to)) {
                    flow.reply.src = publish.to;
                    flow.reply.sport = publish.target(flow.original.dport);
                    flow.publish = Some(publish);
                    flow.translate(packet, End::Destination, false);
                }
            }
            Judged::Of { flow, reply, state: State::Related } => {
                self.flows.list[*flow].translate_error(packet, End::Destination, *reply);
            }
            Judged::Of { flow, reply, .. } => {
                self.flows.list[*flow].translate(packet, End::Destination, *reply);
            }
            Judged::Unfit | Judged::Without(_) => {}
        }
    }

    /// Source NAT, the last thing to happen; false if the packet ends here.
    fn translate_source(
        &mut self,
        packet: &mut [u8],
        judged: Judged,
        passing: &Passing,
        next_hop: IpAddr,
        travel: &Travel<'_>,
    ) -> bool {
        match judged {
            Judged::First(mut flow) => {
                let range = self.source_nat(passing, next_hop);
                if !self.allocate(&mut flow, range, travel.seen) {
                    return false;
                }
                flow.masquerade = range.is_some().then_some(passing.to);
                flow.translate(packet, End::Source, false);
                return self.confirm(*flow, travel.seen);
            }
            Judged::Of { flow, reply, state: State::Related } => {
                if self.flows.list[flow].is_translated() && packet::quotes_little(packet) {
                    return false;
                }
                self.flows.list[flow].translate_error(packet, End::Source, reply);
            }
            Judged::Of { flow, reply, .. } => self.flows.list[flow].translate(packet, End::Source, reply),
            Judged::Unfit | Judged::Without(_) => {}
        }
        true
    }

    fn interface(&self, leg: LegIndex) -> &Interface {
        &self.interfaces.iter().find(|(index, _)| *index == leg).expect("stations are behind legs").1
    }

    fn is_local(&self, address: IpAddr) -> bool {
        let is = |own: &Interface| {
            own.addresses.iter().any(|net| net.addr() == address) || IpAddr::V6(own.link_local()) == address
        };
        self.interfaces.iter().any(|(_, own)| is(own))
    }

    /// N55.
    fn is_for_everybody(&self, address: IpAddr) -> bool {
        let broadcast = |net: &IpNet| matches!(net, IpNet::V4(net) if IpAddr::V4(net.broadcast()) == address);
        let near = self.interfaces.iter().any(|(_, own)| own.addresses.iter().any(broadcast));
        near || address.is_multicast() || address == IpAddr::from([255; 4])
    }

    /// N54.
    fn is_believed(&self, leg: LegIndex, src: IpAddr, dst: IpAddr) -> bool {
        let nobody = |address: IpAddr| address.is_unspecified() || address.is_loopback();
        if nobody(src) || nobody(dst) || self.is_for_everybody(src) || self.is_local(src) {
            return false;
        }
        let back = self.route(src).map(|(back, _)| back);
        // nobody but guests is a guest
        let poses = back.is_some_and(|back| back != leg && self.interface(back).role == Role::Inside);
        match self.interface(leg).reverse_path {
            ReversePath::Off => !poses,
            ReversePath::Loose => back.is_some() && !poses,
            ReversePath::Strict => back == Some(leg),
        }
    }

    /// The leg, and whom to hand it to there: of all routes, the one that says most.
    fn route(&self, to: IpAddr) -> Option<(LegIndex, IpAddr)> {
        let near = self
            .interfaces
            .iter()
            .flat_map(|(leg, own)| own.addresses.iter().map(|net| (net.trunc(), None, *leg)));
        let all = near.chain(self.routes.iter().copied()).filter(|(net, ..)| net.contains(&to));
        let (_, via, leg) = all.max_by_key(|(net, ..)| net.prefix_len())?;
        Some((leg, via.unwrap_or(to)))
    }

    /// The frames in which a packet leaves.
    fn leave(
        &self,
        packet: Vec<u8>,
        out: LegIndex,
        next_hop: IpAddr,
        piece: Option<usize>,
        own: bool,
        may: bool,
    ) -> Vec<Wanted> {
        let is_it = |station: &&Station| station.leg == out && station.addresses.contains(&next_hop);
        let Some(to) = self.stations.iter().find(is_it) else { return vec![] };
        let interface = self.interface(out);
        let kind: [u8; 2] = if packet::is_v6(&packet) { [0x86, 0xdd] } else { [8, 0] };
        let head = [&to.mac.0[..], &interface.mac.0, &kind].concat();
        let packets = match packet::is_v6(&packet) {
            true => pieces::cut_own(packet, usize::from(interface.mtu)),
            false => pieces::cut(packet, usize::from(interface.mtu), piece),
        };
        let wanted =
            |packet: Vec<u8>| Wanted { port: to.port, frame: [&head[..], &packet].concat(), own, may };
        packets.into_iter().map(wanted).collect()
    }
}

impl Default for Tracking {
    fn default() -> Self {
        Self { loose: true, liberal: false }
    }
}
