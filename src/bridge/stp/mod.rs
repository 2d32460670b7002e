//! Spanning tree: of all ways between the bridges of a network, which to use so that none is a loop.
//!
//! A [`Stp`] belongs to a bridge. It is told of legs, BPDUs and the time, and answers with [`Effect`]s: frames to send,
//! states of legs, stations to forget. It never sees another frame, and it decides nothing about one; the bridge asks
//! for [`Stp::state`]. There are two protocols, [`classic`] (STP, the kernel's) and
//! [`rapid`] (RSTP); both have their variables to themselves and share what is in `turn`.
//!
//! Work is bounded: whatever happens costs a number of steps proportional to the number of legs, and nothing is
//! allocated but the place of a leg. What a neighbour says is believed within the bounds of B80 only.
//!
//! Timers are moments. [`Stp::deadline`] is the earliest of them, and a late [`Stp::tick`] does what is due, once.
//!
//! **`bpdu_guard`** (B82): the kernel looks at it in `br_stp_rcv` *after* it has made sure that its STP is on, so
//! without STP it guards nothing there. Here [`Stp::receive`] heeds it in every mode; who wants the kernel's behaviour
//! does not call it while the mode is off, where BPDUs are ordinary frames anyway (B34). A guarded leg stays disabled
//! until it is set down and up, or its settings change.
//!
//! Beyond the kernel: RSTP; times of a neighbour are brought into bounds; BPDUs leave with the address of the bridge, not
//! of the port (B81), since a TAP's address is the machine's; a configuration that is just as old as it may get is not
//! taken (802.1D-1998 9.3.4), where the kernel takes it, forgets it at once and tells of a change.

mod classic;
mod rapid;
mod settings;
mod summary;
#[cfg(test)]
mod tests;
mod turn;

pub use self::settings::{EdgePort, StpConfig, StpError, StpLegConfig, StpMode};
pub use self::summary::{BpduCounts, StpLegSummary, StpSummary};

use std::time::Duration;

use self::classic::Classic;
use self::rapid::Rapid;
use self::turn::{Leg, News, Times, Turn};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::bpdu::{Bpdu, BridgeId};
use crate::wire::mac::Mac;

/// What a leg does with frames (B16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortState {
    /// Nothing; RSTP calls it discarding.
    Blocking,
    /// Nothing, and takes no part.
    Disabled,
    /// Everything.
    Forwarding,
    /// Learns who is there.
    Learning,
    /// Nothing yet.
    Listening,
}

/// What a leg is to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PortRole {
    /// Another way to the root.
    Alternate,
    /// Another way to a segment that this bridge serves already.
    Backup,
    /// The segment's way to the root.
    Designated,
    /// None.
    Disabled,
    /// The bridge's way to the root.
    Root,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect<'a> {
    /// Stations age within that time, or as configured again (B15). STP only.
    Ageing(Option<Duration>),
    /// What was learned there is forgotten: the leg went down (B17), or RSTP noticed a change.
    Flush(LegIndex),
    /// A BPDU has disabled that leg (B82).
    Guarded(LegIndex),
    /// Another bridge is root now.
    NewRoot(BridgeId),
    /// A frame is sent, whole.
    Send(LegIndex, &'a [u8]),
    /// A leg has that state now.
    State(LegIndex, PortState),
    /// The topology has begun to change.
    TopologyChange,
}

/// The spanning tree of a bridge.
#[derive(Debug)]
pub(super) struct Stp {
    config: StpConfig,
    address: Mac,
    /// By [`LegIndex`].
    legs: Vec<Option<Leg>>,
    news: News,
    machine: Machine,
    /// Who was last said to be root.
    root: BridgeId,
}

/// The protocol's own variables.
#[derive(Debug)]
enum Machine {
    Off,
    Rstp(Rapid),
    Stp(Classic),
}

impl Stp {
    /// One without legs. `address` distinguishes the bridge from all others.
    pub(super) fn new(config: StpConfig, address: Mac, now: Time) -> Self {
        let root = BridgeId { priority: config.priority, mac: address };
        let mut stp =
            Self { config, address, legs: Vec::new(), news: News::default(), machine: Machine::Off, root };
        stp.start(now, &mut |_| {});
        stp
    }

    /// New settings. Another mode starts afresh: without spanning tree all legs forward at once; with RSTP none does
    /// until it may; with STP, as in the kernel, those that forward go on until they hear better.
    pub(super) fn configure(
        &mut self,
        config: StpConfig,
        address: Mac,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let before = self.me();
        let mode = std::mem::replace(&mut self.config, config).mode;
        self.address = address;
        if mode != config.mode {
            if self.machine.topology_change(now) && mode == StpMode::Stp {
                emit(Effect::Ageing(None));
            }
            self.start(now, emit);
        } else {
            self.reconfigure(before, now, emit);
        }
    }

    /// A leg comes, down or up. The place must be free.
    pub(super) fn attach(
        &mut self,
        leg: LegIndex,
        config: StpLegConfig,
        up: bool,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let at = usize::from(leg.0);
        if self.legs.len() <= at {
            self.legs.resize(at + 1, None);
        }
        self.legs[at] = Some(Leg {
            config,
            up: false,
            guarded: false,
            state: PortState::Disabled,
            received: BpduCounts::default(),
            sent: BpduCounts::default(),
        });
        self.set_up(leg, up, now, emit);
    }

    /// A leg goes.
    pub(super) fn detach(&mut self, leg: LegIndex, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        self.set_up(leg, false, now, emit);
        if let Some(place) = self.legs.get_mut(usize::from(leg.0)) {
            *place = None;
        }
    }

    /// New settings of a leg. If they differ, a leg that `bpdu_guard` has disabled gets another chance.
    pub(super) fn configure_leg(
        &mut self,
        leg: LegIndex,
        config: StpLegConfig,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let Some(Some(place)) = self.legs.get_mut(usize::from(leg.0)) else { return };
        if place.config == config {
            return;
        }
        place.config = config;
        if std::mem::take(&mut place.guarded) && place.up {
            self.enable(leg, now, emit);
        } else {
            self.reconfigure(self.me(), now, emit);
        }
    }

    /// A leg can carry frames, or no longer.
    pub(super) fn set_up(&mut self, leg: LegIndex, up: bool, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let Some(Some(place)) = self.legs.get_mut(usize::from(leg.0)) else { return };
        if place.up == up {
            return;
        }
        let was_enabled = place.enabled();
        place.up = up;
        place.guarded = false;
        if up {
            self.enable(leg, now, emit);
        } else if was_enabled {
            self.disable(leg, now, emit);
        }
    }

    /// A BPDU has come in there.
    pub(super) fn receive(
        &mut self,
        leg: LegIndex,
        bpdu: &Bpdu,
        now: Time,
        emit: &mut impl FnMut(Effect<'_>),
    ) {
        let at = usize::from(leg.0);
        let Some(Some(place)) = self.legs.get_mut(at) else { return };
        if !place.enabled() {
            return;
        }
        place.received.count(bpdu);
        if place.config.bpdu_guard {
            place.guarded = true;
            emit(Effect::Guarded(leg));
            self.disable(leg, now, emit);
            return;
        }
        if is_stale(bpdu) {
            return;
        }
        self.work(now, emit, |machine, turn| match machine {
            Machine::Off => {}
            Machine::Rstp(rapid) => rapid.receive(turn, at, bpdu),
            Machine::Stp(classic) => classic.receive(turn, at, bpdu),
        });
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        self.work(now, emit, |machine, turn| match machine {
            Machine::Off => {}
            Machine::Rstp(rapid) => rapid.tick(turn),
            Machine::Stp(classic) => classic.tick(turn),
        });
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Time> {
        match &self.machine {
            Machine::Off => None,
            Machine::Rstp(rapid) => rapid.deadline(),
            Machine::Stp(classic) => classic.deadline(),
        }
    }

    /// What a leg does with frames; one that is not there is disabled.
    #[cfg(test)]
    pub(super) fn state(&self, leg: LegIndex) -> PortState {
        let place = self.legs.get(usize::from(leg.0)).and_then(Option::as_ref);
        place.map_or(PortState::Disabled, |leg| leg.state)
    }

    fn me(&self) -> BridgeId {
        BridgeId { priority: self.config.priority, mac: self.address }
    }

    fn start(&mut self, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let mode = self.config.mode;
        self.work(now, emit, |machine, turn| {
            *machine = match mode {
                StpMode::Off => {
                    for at in 0..turn.legs.len() {
                        if turn.enabled(at) {
                            turn.set_state(at, PortState::Forwarding);
                        }
                    }
                    Machine::Off
                }
                StpMode::Rstp => Machine::Rstp(Rapid::start(turn)),
                StpMode::Stp => Machine::Stp(Classic::start(turn)),
            };
        });
    }

    fn enable(&mut self, leg: LegIndex, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let at = usize::from(leg.0);
        self.work(now, emit, |machine, turn| match machine {
            Machine::Off => turn.set_state(at, PortState::Forwarding),
            Machine::Rstp(rapid) => rapid.enable(turn, at),
            Machine::Stp(classic) => classic.enable(turn, at),
        });
    }

    fn disable(&mut self, leg: LegIndex, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        let at = usize::from(leg.0);
        self.work(now, emit, |machine, turn| {
            match machine {
                Machine::Off => turn.set_state(at, PortState::Disabled),
                Machine::Rstp(rapid) => rapid.disable(turn, at),
                Machine::Stp(classic) => classic.disable(turn, at),
            }
            turn.flush(at);
        });
    }

    fn reconfigure(&mut self, before: BridgeId, now: Time, emit: &mut impl FnMut(Effect<'_>)) {
        self.work(now, emit, |machine, turn| match machine {
            Machine::Off => {}
            Machine::Rstp(rapid) => rapid.reconfigure(turn),
            Machine::Stp(classic) => classic.reconfigure(turn, before),
        });
    }

    /// Lets the machine work, and says so if that made another bridge the root.
    fn work<E: FnMut(Effect<'_>)>(
        &mut self,
        now: Time,
        emit: &mut E,
        job: impl FnOnce(&mut Machine, &mut Turn<'_, E>),
    ) {
        let me = self.me();
        let Self { config, legs, news, machine, .. } = self;
        job(machine, &mut Turn { config, me, legs, news, now, emit });
        let root = machine.root().unwrap_or(me);
        if std::mem::replace(&mut self.root, root) != root && self.config.mode != StpMode::Off {
            emit(Effect::NewRoot(root));
        }
    }
}

impl Machine {
    fn root(&self) -> Option<BridgeId> {
        match self {
            Self::Off => None,
            Self::Rstp(rapid) => Some(rapid.root.root),
            Self::Stp(classic) => Some(classic.root),
        }
    }

    fn topology_change(&self, now: Time) -> bool {
        match self {
            Self::Off => false,
            Self::Rstp(rapid) => rapid.topology_change(now),
            Self::Stp(classic) => classic.topology_change(),
        }
    }
}

/// Whether a configuration is older than its root allows (B81). A rapid one that is too old is taken, and forgotten at
/// once: it says that what was known is over.
fn is_stale(bpdu: &Bpdu) -> bool {
    match bpdu {
        Bpdu::Config(configuration) => {
            let age = configuration.message_age;
            age >= configuration.max_age || age.to_duration() >= Times::of(configuration).max_age
        }
        Bpdu::Rapid(..) | Bpdu::TopologyChange => false,
    }
}
