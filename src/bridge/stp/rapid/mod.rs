//! RSTP: IEEE 802.1D-2004 clause 17.
//!
//! Every port remembers the best that was said on its segment, as in STP, and from that follow the roles. What is rapid
//! is how a port comes to forward. A new root port may, as soon as the old one has stopped. A designated port asks
//! the bridge behind it (*proposal*), which stops all its own designated ports that have not been agreed to
//! (*sync*) and then agrees; so a cut travels outwards, and behind it the tree is in order. Nobody waits for a timer
//! except towards those who do not answer.
//!
//! The standard describes this as state machines that run whenever they can. Here is one file for each, and
//! [`Rapid::run`] lets them take their turns until none can move:
//!
//! | file | machines of the standard |
//! |---|---|
//! | `information` | port receive, port information, port protocol migration, bridge detection |
//! | `roles` | port role selection |
//! | `transitions` | port role transitions, port state transition |
//! | `topology` | topology change |
//! | `transmit` | port transmit |
//!
//! Three simplifications, none of which can be seen from outside. A port's state follows at once (`learn` is `learning`).
//! Roles are chosen right after the information they depend on has changed, so `selected`, `reselect` and `updtInfo` need
//! not be remembered. And timers are not counted down but are the moments at which they end, so that there is
//! nothing to do in between: a timer that the standard holds at its start while a port has some role is set when the
//! port leaves that role.

mod information;
mod port;
mod roles;
mod topology;
mod transitions;
mod transmit;

use super::turn::{Times, Turn, Vector, earlier};
use super::{EdgePort, Effect, PortRole, PortState};
use crate::time::Time;
use crate::wire::bpdu::Bpdu;
use port::{Information, Port};

/// How often the machines may take their turns. A change needs a handful: news goes from one machine to the next, and
/// from a port to all others and back.
const ROUNDS_MAX: usize = 64;

/// The variables of a bridge.
#[derive(Debug)]
pub(super) struct Rapid {
    /// By leg.
    ports: Vec<Option<Port>>,
    /// The best there is: `root` and `cost` are what we tell others.
    pub(super) root: Vector,
    pub(super) root_port: Option<usize>,
    /// What we tell others of times.
    pub(super) times: Times,
    /// What is known has changed: choose again.
    reselect: bool,
    /// The topology is changing until then.
    changing_until: Time,
    /// When the machines last ran: whatever was due then has had its effect.
    ran: Time,
}

/// A port, for a listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct RapidView {
    pub(super) role: PortRole,
    pub(super) vector: Vector,
    pub(super) edge: bool,
    pub(super) rapid: bool,
    pub(super) message_age: Option<Time>,
    pub(super) forward_delay: Option<Time>,
}

impl Rapid {
    /// Starts on whatever legs there are, with none of them forwarding.
    pub(super) fn start<E: FnMut(Effect<'_>)>(turn: &mut Turn<'_, E>) -> Self {
        let mut rapid = Self {
            ports: Vec::new(),
            root: Vector { root: turn.me, bridge: turn.me, ..Vector::default() },
            root_port: None,
            times: Times::own(turn.config),
            reselect: true,
            changing_until: turn.now,
            ran: turn.now,
        };
        for at in 0..turn.legs.len() {
            if turn.enabled(at) {
                rapid.begin(turn, at);
            }
        }
        rapid.run(turn);
        rapid
    }

    pub(super) fn enable<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        self.begin(turn, at);
        self.run(turn);
    }

    pub(super) fn disable<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        if let Some(Some(port)) = self.ports.get_mut(at) {
            port.disable();
            self.reselect = true;
        }
        self.run(turn);
        if let Some(port) = self.ports.get_mut(at) {
            *port = None;
        }
        turn.set_state(at, PortState::Disabled);
    }

    /// Something about this bridge or its legs has changed.
    pub(super) fn reconfigure<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        for (at, port) in self.ports.iter_mut().enumerate() {
            let Some(port) = port else { continue };
            let settings = turn.settings(at);
            port.point_to_point = settings.point_to_point;
            match settings.edge {
                EdgePort::No => port.edge = false,
                EdgePort::Yes if port.information != Information::Received => port.edge = true,
                EdgePort::Auto | EdgePort::Yes => {}
            }
        }
        self.reselect = true;
        self.run(turn);
    }

    pub(super) fn receive<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize, bpdu: &Bpdu) {
        let (me, id) = (turn.me, turn.port_id(at));
        if let Some(Some(port)) = self.ports.get_mut(at) {
            self.reselect |= port.receive(bpdu, me, id, turn.now);
        }
        self.run(turn);
    }

    pub(super) fn tick<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        self.run(turn);
    }

    /// What was due when the machines last ran is done, or waits for something else.
    pub(super) fn deadline(&self) -> Option<Time> {
        let of_port = |port: &Port| port.deadline(self.ran);
        self.ports.iter().flatten().map(of_port).fold(None, earlier)
    }

    pub(super) fn topology_change(&self, now: Time) -> bool {
        now < self.changing_until
    }

    pub(super) fn view(&self, at: usize) -> Option<RapidView> {
        let port = self.ports.get(at)?.as_ref()?;
        let waits = matches!(port.role, PortRole::Designated | PortRole::Root) && !port.forward;
        Some(RapidView {
            role: port.role,
            vector: port.vector,
            edge: port.edge,
            rapid: port.rapid,
            message_age: (port.information == Information::Received).then_some(port.information_end),
            forward_delay: waits.then_some(port.delay_end),
        })
    }

    fn begin<E: FnMut(Effect<'_>)>(&mut self, turn: &Turn<'_, E>, at: usize) {
        if self.ports.len() <= at {
            self.ports.resize(at + 1, None);
        }
        self.ports[at] = Some(Port::new(&turn.settings(at), &self.times, turn.now));
        self.reselect = true;
    }

    /// Lets every machine move until none can, then says what came of it.
    fn run<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        let mut settled = false;
        for _ in 0..ROUNDS_MAX {
            let mut moved = self.time_out(turn);
            if std::mem::take(&mut self.reselect) {
                self.select(turn);
                moved = true;
            }
            moved |= self.transit(turn.now);
            moved |= self.notice_changes(turn);
            if !moved {
                settled = true;
                break;
            }
        }
        debug_assert!(settled, "the machines of RSTP run in circles: {self:?}");
        self.publish(turn);
        self.transmit(turn);
        self.ran = turn.now;
    }

    /// First who stops, then who starts, so that whoever watches never sees a loop that was none.
    fn publish<E: FnMut(Effect<'_>)>(&self, turn: &mut Turn<'_, E>) {
        for starts in [false, true] {
            for (at, port) in self.ports.iter().enumerate() {
                let Some(port) = port else { continue };
                if port.forward == starts {
                    turn.set_state(at, port.state());
                }
            }
        }
    }
}
