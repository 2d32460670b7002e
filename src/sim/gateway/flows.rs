//! What is known of flows, as a list (N5 to N8, U1, U2, E1, E2, T11, T12).

use std::net::IpAddr;
use std::time::Duration;

use super::packet::{self, End, ICMP, ICMPV6, TCP, Tuple, UDP};
use super::tcp::{self, Connection, Known, Outcome, Segment};
use crate::frame::LegIndex;
use crate::router::policy::config::Publish;
use crate::time::Time;

/// How long a flow that is over may take up room (L3).
const SWEEP: Duration = Duration::from_secs(60);

/// A flow: a line of /proc/net/nf_conntrack.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) original: Tuple,
    pub(super) reply: Tuple,
    pub(super) tcp: Option<Connection>,
    pub(super) replied: bool,
    pub(super) assured: bool,
    pub(super) born: Time,
    pub(super) expires: Time,
    /// Whose it is by DNAT.
    pub(super) publish: Option<Publish>,
    /// The leg whose address it was given.
    pub(super) masquerade: Option<LegIndex>,
}

/// What rules see of a packet's flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Established,
    Invalid,
    New,
    Related,
    Untracked,
}

/// What a packet is to the flows.
#[derive(Clone, Debug)]
pub(super) enum Judged {
    /// The first of one that is yet to be confirmed (N4).
    First(Box<Flow>),
    /// Of that one.
    Of { flow: usize, reply: bool, state: State },
    /// It claims to be of one, and does not fit it.
    Unfit,
    /// Of none.
    Without(State),
}

impl Judged {
    pub(super) fn state(&self) -> State {
        match self {
            Self::First(_) => State::New,
            Self::Of { state, .. } | Self::Without(state) => *state,
            Self::Unfit => State::Invalid,
        }
    }
}

/// How flows are followed, as far as stories say so.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tracking {
    pub(super) loose: bool,
    pub(super) liberal: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Flows {
    pub(super) list: Vec<Flow>,
    /// When others were over.
    over: Vec<Time>,
}

impl Flow {
    pub(super) fn has_source_nat(&self) -> bool {
        (self.reply.dst, self.returns()) != (self.original.src, self.original.sport)
    }

    pub(super) fn has_destination_nat(&self) -> bool {
        let port = if self.is_icmp() { 0 } else { self.original.dport };
        let target = if self.is_icmp() { 0 } else { self.reply.sport };
        (self.reply.src, target) != (self.original.dst, port)
    }

    fn is_icmp(&self) -> bool {
        matches!(self.original.protocol, ICMP | ICMPV6)
    }

    /// The port that answers are sent to.
    pub(super) fn returns(&self) -> u16 {
        if self.is_icmp() { self.reply.sport } else { self.reply.dport }
    }

    pub(super) fn tuple(&self, reply: bool) -> Tuple {
        if reply { self.reply } else { self.original }
    }

    /// What a packet that goes this way is once all is translated: what the other side's answers are the inverse of.
    pub(super) fn translated(&self, reply: bool) -> Tuple {
        self.tuple(!reply).inverse().expect("flows have two directions")
    }

    /// Whether that end changes on that way.
    pub(super) fn changes(&self, end: End, reply: bool) -> bool {
        match (end, reply) {
            (End::Source, false) | (End::Destination, true) => self.has_source_nat(),
            (End::Destination, false) | (End::Source, true) => self.has_destination_nat(),
        }
    }

    /// Writes one end of a packet of this flow.
    pub(super) fn translate(&self, bytes: &mut [u8], end: End, reply: bool) {
        if !self.changes(end, reply) {
            return;
        }
        let to = self.translated(reply);
        match end {
            End::Source => packet::rewrite(bytes, end, to.src, to.sport),
            // the identifier of ICMP is at neither end
            End::Destination if self.is_icmp() => packet::rewrite(bytes, end, to.dst, to.sport),
            End::Destination => packet::rewrite(bytes, end, to.dst, to.dport),
        }
    }

    /// Whether either end is translated.
    pub(super) fn is_translated(&self) -> bool {
        self.original.inverse() != Some(self.reply)
    }

    /// Writes one end of an error about this flow, and the other end of what it quotes (E3, E4).
    pub(super) fn translate_error(&self, bytes: &mut [u8], end: End, reply: bool) {
        if !self.changes(end, reply) {
            return;
        }
        let Some((_, at)) = packet::transport(bytes) else { return };
        let (inner, outer) = (self.tuple(!reply), self.translated(reply));
        let quote = &mut bytes[at + 8..];
        match end {
            End::Destination => packet::rewrite(quote, End::Source, inner.src, inner.sport),
            End::Source if self.is_icmp() => packet::rewrite(quote, End::Destination, inner.dst, inner.sport),
            End::Source => packet::rewrite(quote, End::Destination, inner.dst, inner.dport),
        }
        let address = if end == End::Source { outer.src } else { outer.dst };
        packet::rewrite(bytes, end, address, 0);
        packet::seal_icmp(bytes);
    }
}

impl Flows {
    pub(super) fn expire(&mut self, now: Time) {
        let over = self.list.iter().map(|flow| flow.expires).filter(|expires| *expires <= now);
        self.over.extend(over);
        self.list.retain(|flow| flow.expires > now);
    }

    /// What is long over takes no room any more.
    pub(super) fn sweep(&mut self, now: Time) {
        self.over.retain(|expires| now - *expires < SWEEP);
    }

    /// How many flows lie in the table at most: those that are over may not have been swept out yet (L3).
    pub(super) fn at_most(&self) -> usize {
        self.list.len() + self.over.len()
    }

    /// The flow with that tuple, and whether it is that of its answers.
    pub(super) fn find(&self, tuple: &Tuple) -> Option<(usize, bool)> {
        self.list.iter().enumerate().find_map(|(at, flow)| match tuple {
            tuple if *tuple == flow.original => Some((at, false)),
            tuple if *tuple == flow.reply => Some((at, true)),
            _ => None,
        })
    }

    /// Whether answers to such a packet would be somebody else's (P3).
    pub(super) fn is_taken(&self, tuple: &Tuple) -> bool {
        tuple.inverse().is_none_or(|reply| self.find(&reply).is_some())
    }

    /// What a whole packet is; flows that are known move on.
    pub(super) fn judge(&mut self, bytes: &[u8], tracking: Tracking, now: Time) -> Judged {
        let invalid = Judged::Without(State::Invalid);
        let Some((protocol, at)) = packet::transport(bytes) else { return invalid };
        let payload = bytes.get(at..).unwrap_or_default();
        let mut segment = None;
        match protocol {
            TCP => match Segment::read(payload) {
                None => return invalid,
                sound => segment = sound,
            },
            UDP => {
                let Some(len) = payload.get(4..6).filter(|_| payload.len() >= 8) else { return invalid };
                let len = usize::from(u16::from_be_bytes([len[0], len[1]]));
                if len < 8 || len > payload.len() {
                    return invalid;
                }
            }
            ICMP | ICMPV6 if payload.len() < 8 => return invalid,
            _ => {}
        }
        // N7
        if !packet::is_right(bytes) {
            return invalid;
        }
        match (protocol, payload.first()) {
            (ICMP, Some(19..)) => return invalid,
            (ICMP, Some(3..=5 | 11 | 12)) | (ICMPV6, Some(..128)) => return self.judge_error(bytes, payload),
            (ICMPV6, Some(130..=136 | 143)) => return Judged::Without(State::Untracked),
            _ => {}
        }
        let Some(tuple) = Tuple::of(bytes) else { return invalid };
        let Some((index, reply)) = self.find(&tuple) else {
            return self
                .begin(tuple, segment.as_ref(), payload, tracking, now)
                .map_or(invalid, Judged::First);
        };
        let flow = &mut self.list[index];
        let known = Known {
            reply,
            replied: flow.replied,
            assured: flow.assured,
            remaining: flow.expires - now,
            liberal: tracking.liberal,
        };
        match (&mut flow.tcp, segment) {
            (Some(connection), Some(segment)) => match connection.follow(&segment, &known) {
                Outcome::Accept { timeout, assure } => {
                    if let Some(timeout) = timeout {
                        flow.expires = now + timeout;
                    }
                    flow.assured |= assure;
                }
                Outcome::Ignore => {}
                Outcome::Invalid { at_most } => {
                    if let Some(timeout) = at_most {
                        flow.expires = now + timeout;
                    }
                    return Judged::Unfit;
                }
                // seen once more on its way out, by its translation alone
                Outcome::Kill => flow.expires = now,
                Outcome::Repeat => {
                    self.list.remove(index);
                    return self.judge(bytes, tracking, now);
                }
            },
            _ => {
                let streams = protocol == UDP && flow.replied && now - flow.born > Duration::from_secs(2);
                flow.assured |= streams;
                flow.expires = now + if streams { Duration::from_secs(120) } else { patience(protocol) };
            }
        }
        flow.replied |= reply;
        let state = if flow.replied { State::Established } else { State::New };
        Judged::Of { flow: index, reply, state }
    }

    fn begin(
        &self,
        original: Tuple,
        segment: Option<&Segment>,
        payload: &[u8],
        tracking: Tracking,
        now: Time,
    ) -> Option<Box<Flow>> {
        let reply = original.inverse()?;
        let mut timeout = patience(original.protocol);
        let mut tcp = None;
        match (original.protocol, payload.first()) {
            (TCP, _) => {
                let segment = segment?;
                let mut connection = Connection::start(segment, tracking.loose)?;
                let known = Known {
                    reply: false,
                    replied: false,
                    assured: false,
                    remaining: Duration::ZERO,
                    liberal: tracking.liberal,
                };
                let Outcome::Accept { timeout: Some(patience), .. } = connection.follow(segment, &known)
                else {
                    return None;
                };
                timeout = patience;
                tcp = Some(connection);
            }
            // U2
            (ICMP, Some(8 | 13 | 15 | 17)) | (ICMPV6, Some(128 | 139)) => {}
            (ICMP | ICMPV6, _) => return None,
            _ => {}
        }
        let expires = now + timeout;
        Some(Box::new(Flow {
            original,
            reply,
            tcp,
            replied: false,
            assured: false,
            born: now,
            expires,
            publish: None,
            masquerade: None,
        }))
    }

    /// E1.
    fn judge_error(&self, bytes: &[u8], payload: &[u8]) -> Judged {
        let invalid = Judged::Without(State::Invalid);
        let quote = &payload[8..];
        if quote.len() < if packet::is_v6(bytes) { 40 } else { 20 } || quote[0] >> 4 != bytes[0] >> 4 {
            return invalid;
        }
        let Some(tuple) = Tuple::of(quote).and_then(|tuple| tuple.inverse()) else { return invalid };
        let Some((flow, reply)) = self.find(&tuple) else { return invalid };
        let to: Option<IpAddr> = packet::address(bytes, End::Destination);
        match to == Some(self.list[flow].tuple(reply).dst) {
            true => Judged::Of { flow, reply, state: State::Related },
            false => invalid,
        }
    }
}

/// How long a flow lasts that was not answered, of protocols other than TCP.
fn patience(protocol: u8) -> Duration {
    match protocol {
        UDP | ICMP | ICMPV6 => Duration::from_secs(30),
        TCP => tcp::timeout(tcp::State::SynSent),
        _ => Duration::from_secs(600),
    }
}
