//! Connection tracking and NAT: which flow a packet is of, and what it looks like on the other side.
//!
//! # How a packet passes
//!
//! [`Nat::judge`] finds its flow and holds it against what is known of it. Of a flow that is known, the
//! [`Judgement`] says at once what the packet becomes: the stored tuples decide, and no rule is asked again (N2). Of a
//! *new* one the caller asks its rules, before routing for the destination ([`Nat::bind_destination`]) and after it for
//! the source ([`Nat::bind_source`]); without a rule the flow keeps its addresses, yet may have to change its port
//! (N3). [`Nat::confirm`] says whether there is room. All of these take `&self`: whoever explains a packet stops
//! here. [`Nat::commit`] then makes it so; a new flow that was not confirmed, because the packet was dropped on its
//! way, leaves nothing behind (N4), while what was learned about a known one counts whatever became of the packet.
//!
//! [`Judgement::translation`] is a value, for [`rewrite::apply`] to put into the bytes.
//!
//! Most packets only follow others of their flow: for those [`Nat::pursue`] and [`Nat::proceed`] are both in one.
//!
//! # What it never does
//!
//! Decide whether a packet may pass: it says what [`State`] it is in, and the policy does as it likes. Know rules,
//! interfaces or routes. Put fragments together. Look at a clock.

mod index;
pub mod judgement;
pub mod plain;
pub mod ports;
mod proceed;
pub mod recipe;
pub mod rewrite;
pub mod sessions;
pub mod show;
pub mod tcp;
pub mod track;
pub mod tuple;
mod wheel;

use std::time::Duration;

use judgement::{Draft, Effect, Judgement, Refusal, State};
use ports::{End, Filtering, Mapping, Random, Range, Search};
use rewrite::{Ends, Translation};
use sessions::{Count, Session, Sessions, Slot};
use tcp::{Context, Outcome};
use track::{Invalid, Segment, Settings, Track};
use tuple::{Direction, Tuple};

use super::lanes::LaneId;
use crate::time::Time;
use crate::wire::icmp::{Icmp, v4, v6};
use crate::wire::packet::{Packet, protocol};

/// The engine.
#[derive(Debug)]
pub struct Nat {
    settings: Settings,
    sessions: Sessions,
    /// How many flows there were: random numbers differ by it.
    opened: u64,
}

impl Nat {
    /// An engine that follows at most `max` flows. `hash_key` is secret: it decides hashes and random ports.
    pub fn new(settings: Settings, max: usize, hash_key: [u64; 2]) -> Self {
        Self { settings, sessions: Sessions::new(max, hash_key), opened: 0 }
    }

    /// The table, to be looked at.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Follows flows differently from now on, and at most `max` of them.
    pub fn configure(&mut self, settings: Settings, max: usize) {
        self.settings = settings;
        self.sessions.set_max(max);
    }

    /// Finds out what a packet is. `partial` says that its transport checksum is still to be made (V9).
    pub fn judge(&self, packet: &Packet<'_>, partial: bool, now: Time) -> Judgement {
        let tuple = Tuple::of(packet);
        let segment = match Segment::read(packet, partial, &self.settings) {
            Ok(segment) => segment,
            Err(invalid) => return Judgement::plain(State::Invalid(invalid), tuple),
        };
        let Some(tuple) = tuple else {
            return Judgement::plain(State::Invalid(Invalid::Malformed), None);
        };
        let judgement = match segment {
            Segment::Untracked => Judgement::plain(State::Untracked, Some(tuple)),
            Segment::Icmp(icmp) if crate::wire::icmp::is_error(tuple.protocol, icmp.kind) => {
                self.judge_error(&tuple, &icmp, now)
            }
            _ => match self.sessions.find(&tuple, now) {
                Some(found) => self.judge_known(&tuple, &segment, found, now),
                None => self.judge_new(&tuple, &segment, None),
            },
        };
        Judgement { bytes: packet.len as u64, ..judgement }
    }

    /// Translates the destination of a new flow as a rule says, or not (N3). For others, does nothing.
    pub fn bind_destination(&self, judgement: &mut Judgement, range: Option<&Range>, now: Time) {
        self.bind(judgement, End::Destination, range, now);
    }

    /// The rule for a new flow from a stranger to a port that a guest has opened, if `filtering` lets it in.
    pub fn behind(&self, judgement: &Judgement, filtering: Filtering, now: Time) -> Option<Range> {
        let Effect::Open(_) = judgement.effect else { return None };
        ports::behind(&self.sessions, judgement.tuple.as_ref()?, filtering, now)
    }

    /// The same for the source. `leg` is the one whose address that is, if the flow is not to survive the address or a
    /// change of route (N11, P10).
    pub fn bind_source(&self, judgement: &mut Judgement, range: Option<&Range>, leg: Option<u16>, now: Time) {
        self.bind(judgement, End::Source, range, now);
        if let Effect::Open(draft) = &mut judgement.effect {
            draft.leg = leg;
        }
    }

    /// Whether a new flow can be: nobody has its tuples, and there is room. For others, of course.
    pub fn confirm(&self, judgement: &mut Judgement, now: Time) -> Result<(), Refusal> {
        let Some(tuple) = judgement.tuple else { return Ok(()) };
        let Effect::Open(draft) = &mut judgement.effect else { return Ok(()) };
        if draft.free.is_none()
            && let Some((holder, _)) = self.sessions.find(&draft.reply, now)
            && ![draft.replaces, draft.evicts].contains(&Some(holder))
        {
            return Err(Refusal::Clash);
        }
        let going = [draft.replaces, draft.evicts].iter().flatten().count();
        match (self.sessions.len() - going + 1).checked_sub(self.sessions.max()) {
            None | Some(0) => {}
            Some(1) => draft.victim = Some(self.sessions.victim(&tuple, now).ok_or(Refusal::Full)?),
            // there may be fewer than there are: one more would have to push several out
            Some(_) => return Err(Refusal::Full),
        }
        draft.confirmed = true;
        Ok(())
    }

    /// Makes it so. `origin` is who a new session is counted for. Nothing may have been committed since the packet was
    /// judged. The session that the packet is of afterwards.
    pub fn commit(&mut self, judgement: &Judgement, origin: u16, now: Time) -> Option<Slot> {
        match judgement.effect {
            Effect::None => None,
            Effect::End(slot) => {
                self.sessions.remove(slot);
                None
            }
            Effect::Follow { slot, track, timeout, assured } => {
                let at = (slot, judgement.direction);
                self.go_on(at, Some(&track), timeout, assured, judgement.bytes, now);
                if let Some(tuple) = &judgement.tuple {
                    self.sessions.expect(tuple, slot, judgement.direction);
                }
                Some(slot)
            }
            Effect::Open(draft) => self.open(judgement, &draft, origin, now),
            Effect::Related(slot) => Some(slot),
            Effect::Shorten { slot, track, timeout } => {
                self.sessions.session_mut(slot).track = track;
                if let Some(timeout) = timeout {
                    self.sessions.expire_at(slot, now + timeout);
                }
                None
            }
        }
    }

    /// Whether the packet is of a masqueraded flow that is about to leave through another leg than before: the session
    /// is to be ended, and the packet dropped (N11).
    pub fn has_moved(&self, judgement: &Judgement, leg: u16) -> bool {
        let Some(slot) = judgement.session() else { return false };
        let bound = self.sessions.session(slot).leg();
        judgement.direction == Direction::Original && bound.is_some_and(|bound| bound != leg)
    }

    /// These packets are about to come, which changes nothing but how long it takes to find their sessions.
    pub fn foresee<'a>(&mut self, packets: impl Iterator<Item = &'a [u8]>) {
        self.sessions.foresee(packets.filter_map(Tuple::guess));
    }

    /// Packets of the session that go that way take that lane from now on.
    pub fn set_lane(&mut self, slot: Slot, direction: Direction, lane: LaneId) {
        self.sessions.session_mut(slot).lanes[direction as usize] = lane;
    }

    /// Ends a session.
    pub fn end(&mut self, slot: Slot) {
        self.sessions.remove(slot);
    }

    /// Ends every session for which `gone` says yes, as when an address or a rule goes (P10). How many they were.
    pub fn end_all(&mut self, mut gone: impl FnMut(&Session) -> bool) -> usize {
        self.sessions.retain(|session| !gone(session))
    }

    /// Gives back the memory of what has expired, looking at no more than `limit` sessions.
    pub fn sweep(&mut self, now: Time, limit: usize) -> usize {
        self.sessions.sweep(now, limit)
    }

    /// When sweeping may next find something.
    pub fn deadline(&self) -> Option<Time> {
        self.sessions.deadline()
    }

    fn judge_known(
        &self,
        tuple: &Tuple,
        segment: &Segment<'_>,
        (slot, direction): (Slot, Direction),
        now: Time,
    ) -> Judgement {
        let session = self.sessions.session(slot);
        let (track, outcome) = self.follow(tuple.protocol, segment, (slot, direction), now);
        let effect = match outcome {
            Outcome::Accept { timeout, assured } => Effect::Follow { slot, track, timeout, assured },
            Outcome::End => Effect::End(slot),
            Outcome::Reopen => return self.judge_new(tuple, segment, Some(slot)),
            Outcome::Invalid { timeout } => {
                let effect = Effect::Shorten { slot, track, timeout };
                return Judgement {
                    effect,
                    ..Judgement::plain(State::Invalid(Invalid::Unfit), Some(*tuple))
                };
            }
        };
        let state = session.state(direction);
        let translation = Translation { packet: towards(session, direction), quote: Ends::default() };
        Judgement { direction, translation, effect, ..Judgement::plain(state, Some(*tuple)) }
    }

    /// What is remembered of a session after one more packet, and what comes of it.
    #[inline]
    fn follow(
        &self,
        protocol: u8,
        segment: &Segment<'_>,
        (slot, direction): (Slot, Direction),
        now: Time,
    ) -> (Track, Outcome) {
        let session = self.sessions.session(slot);
        let Session { mut track, replied, assured, .. } = *session;
        let context = Context { direction, replied, assured, remaining: session.expires - now };
        let age = now - session.since;
        let outcome = track.follow(segment, protocol, &context, age, &self.settings);
        (track, outcome)
    }

    /// A session is one packet further. What is remembered of it stays if it is not said.
    #[inline]
    fn go_on(
        &mut self,
        (slot, direction): (Slot, Direction),
        track: Option<&Track>,
        timeout: Option<Duration>,
        assured: bool,
        bytes: u64,
        now: Time,
    ) {
        let session = self.sessions.session_mut(slot);
        if let Some(track) = track {
            session.track = *track;
        }
        session.assured |= assured;
        session.replied |= direction == Direction::Reply;
        // what is let pass without a look is not counted either, as the kernel has it (T4, T8)
        if let Some(timeout) = timeout {
            let total = &mut session.counts[direction as usize];
            total.packets += 1;
            total.bytes += bytes;
            self.sessions.expire_at(slot, now + timeout);
        }
    }

    fn judge_new(&self, tuple: &Tuple, segment: &Segment<'_>, replaces: Option<Slot>) -> Judgement {
        let stray = Judgement::plain(State::Invalid(Invalid::Stray), Some(*tuple));
        let started = Track::start(tuple, segment, &self.settings).zip(tuple.inverted());
        let Some((mut track, reply)) = started else { return stray };
        let context = Context {
            direction: Direction::Original,
            replied: false,
            assured: false,
            remaining: Duration::ZERO,
        };
        let outcome = track.follow(segment, tuple.protocol, &context, Duration::ZERO, &self.settings);
        let Outcome::Accept { timeout: Some(timeout), .. } = outcome else { return stray };
        let draft = Draft {
            reply,
            free: None,
            track,
            timeout,
            leg: None,
            replaces,
            evicts: None,
            victim: None,
            confirmed: false,
        };
        Judgement { effect: Effect::Open(draft), ..Judgement::plain(State::New, Some(*tuple)) }
    }

    /// An error is of the flow of the packet that it quotes, and goes the other way. Who sends it does not matter (E1).
    fn judge_error(&self, tuple: &Tuple, icmp: &Icmp<'_>, now: Time) -> Judgement {
        let stray = Judgement::plain(State::Invalid(Invalid::Stray), Some(*tuple));
        let quote = icmp.quote(tuple.protocol).and_then(|(quote, _)| Packet::quoted(quote));
        let quoted = quote.and_then(|quote| Some((quote, Tuple::quoted(&quote)?)));
        let Some((inner, quoted)) = quoted.filter(|(_, quoted)| quoted.ipv6 == tuple.ipv6) else {
            return stray;
        };
        // what is to be written into must be there: eight bytes, as the sender of every error quotes them (RFC 792)
        let short = inner.payload.len() < 8 && (quoted.has_ports() || quoted.is_icmp());
        let found = quoted.inverted().and_then(|reply| self.sessions.find(&reply, now));
        let Some((slot, direction)) = found else { return stray };
        let session = self.sessions.session(slot);
        if session.tuples[direction as usize].destination != tuple.destination {
            return stray;
        }
        let Some(there) = session.tuples[direction.other() as usize].inverted() else { return stray };
        let (sources, destinations) = match direction {
            Direction::Original => (session.has_source_nat(), session.has_destination_nat()),
            Direction::Reply => (session.has_destination_nat(), session.has_source_nat()),
        };
        // an error about a translated flow comes from where the flow seems to, whichever router sends it (E4)
        let packet = Ends {
            source: sources.then_some(there.source),
            destination: destinations.then_some(there.destination),
            ..Ends::default()
        };
        let quote = Ends::between(&quoted, &session.tuples[direction.other() as usize]);
        let redirect = matches!(
            (tuple.protocol, icmp.kind),
            (protocol::ICMP, v4::REDIRECT) | (protocol::ICMPV6, v6::REDIRECT)
        );
        Judgement {
            direction,
            translation: Translation { packet, quote },
            withheld: (redirect || short) && (sources || destinations),
            effect: Effect::Related(slot),
            ..Judgement::plain(State::Related, Some(*tuple))
        }
    }

    fn bind(&self, judgement: &mut Judgement, end: End, range: Option<&Range>, now: Time) {
        let Some(original) = judgement.tuple else { return };
        let Effect::Open(draft) = &mut judgement.effect else { return };
        let Some(current) = draft.reply.inverted() else { return };
        let keep = match end {
            End::Source => current.source,
            End::Destination => current.destination,
        };
        let seed = self.sessions.hash(&original).wrapping_add(self.opened);
        let range = range.copied().unwrap_or(Range::address(keep));
        let exclusive = end == End::Source && range.mapping == Mapping::EndpointIndependent;
        let mut search = Search {
            sessions: &self.sessions,
            track: &draft.track,
            ignore: draft.replaces,
            random: Random(seed),
            now,
            exclusive: exclusive.then_some(original),
        };
        let choice = search.find(&original, &current, end, &range);
        if let Some(reply) = choice.tuple.inverted() {
            draft.reply = reply;
            (draft.evicts, draft.free) = (choice.evict, choice.free);
            judgement.translation.packet = Ends::between(&original, &choice.tuple);
        }
    }

    fn open(&mut self, judgement: &Judgement, draft: &Draft, origin: u16, now: Time) -> Option<Slot> {
        if let Some(slot) = draft.replaces {
            self.sessions.remove(slot);
        }
        let original = judgement.tuple.filter(|_| draft.confirmed)?;
        for slot in [draft.evicts, draft.victim].into_iter().flatten() {
            self.sessions.remove(slot);
        }
        if self.sessions.is_full() {
            return None;
        }
        self.opened = self.opened.wrapping_add(1);
        let first = Count { packets: 1, bytes: judgement.bytes };
        let session = Session {
            tuples: [original, draft.reply],
            track: draft.track,
            since: now,
            expires: now + draft.timeout,
            counts: [first, Count::default()],
            origin,
            bound: Session::bound(draft.leg),
            lanes: [LaneId::NONE; 2],
            replied: false,
            assured: false,
            used: true,
        };
        Some(self.sessions.insert(session, draft.free))
    }
}

/// What makes a packet of that direction what it is on the other side.
fn towards(session: &Session, direction: Direction) -> Ends {
    let from = &session.tuples[direction as usize];
    match session.tuples[direction.other() as usize].inverted() {
        Some(to) => Ends::between(from, &to),
        None => Ends::default(),
    }
}

#[cfg(test)]
mod tests;
