//! STP: IEEE 802.1D-1998 clause 8, procedure by procedure as in the kernel's br_stp.c and br_stp_timer.c.
//!
//! Each port remembers the best configuration heard on its segment, or what this bridge itself would say there if that
//! is better; then the port is *designated*. From these the root and the way to it are chosen, and the ports that are
//! neither on that way nor designated block. News travels from the root outwards: a bridge speaks when its root port has
//! heard something, and a port that hears nothing for `max_age` starts over. A port that shall forward first
//! listens, then learns, each for `forward_delay`, so that all bridges know of the change before it closes a loop.
//!
//! A change of topology travels inwards, from root port to designated port, and each hop acknowledges; then the root
//! tells everybody to age stations faster for a while (B15).
//!
//! Every timer is a moment or nothing, and fires once.

mod selection;
mod speech;

use std::time::Duration;

use super::turn::{Times, Turn, Vector, earlier};
use super::{Effect, PortRole, PortState};
use crate::time::Time;
use crate::wire::bpdu::{Bpdu, BridgeId, Configuration};

/// The variables of a bridge.
#[derive(Debug)]
pub(super) struct Classic {
    /// By leg.
    ports: Vec<Option<Port>>,
    pub(super) root: BridgeId,
    pub(super) root_cost: u32,
    pub(super) root_port: Option<usize>,
    /// As the root wants them.
    pub(super) times: Times,
    /// The root says so, or we are the root and say so.
    topology_change: bool,
    /// We have noticed one, and the root does not know yet.
    detected: bool,
    hello_timer: Option<Time>,
    notice_timer: Option<Time>,
    change_timer: Option<Time>,
}

/// The variables of a port.
#[derive(Clone, Copy, Debug)]
struct Port {
    /// The best that is known about the segment.
    vector: Vector,
    /// When that was said, and how old it was then.
    heard: (Time, Duration),
    acknowledge: bool,
    config_pending: bool,
    message_age_timer: Option<Time>,
    forward_delay_timer: Option<Time>,
    hold_timer: Option<Time>,
}

/// A port, for a listing.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClassicView {
    pub(super) role: PortRole,
    pub(super) vector: Vector,
    pub(super) message_age: Option<Time>,
    pub(super) forward_delay: Option<Time>,
    pub(super) hold: Option<Time>,
}

impl Classic {
    /// Starts on whatever legs there are. As in the kernel, one that forwards already goes on doing so until it hears
    /// better.
    pub(super) fn start<E: FnMut(Effect<'_>)>(turn: &mut Turn<'_, E>) -> Self {
        let mut classic = Self {
            ports: Vec::new(),
            root: turn.me,
            root_cost: 0,
            root_port: None,
            times: Times::own(turn.config),
            topology_change: false,
            detected: false,
            hello_timer: Some(turn.now + turn.config.hello),
            notice_timer: None,
            change_timer: None,
        };
        for at in 0..turn.legs.len() {
            if turn.enabled(at) {
                classic.begin(turn, at);
                if turn.state(at) != PortState::Forwarding {
                    turn.set_state(at, PortState::Blocking);
                }
            }
        }
        classic.select_states(turn);
        classic
    }

    pub(super) fn enable<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        self.begin(turn, at);
        turn.set_state(at, PortState::Blocking);
        self.select_states(turn);
    }

    pub(super) fn disable<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        let was_root = self.is_root(turn);
        turn.set_state(at, PortState::Disabled);
        if let Some(port) = self.ports.get_mut(at) {
            *port = None;
        }
        self.update(turn, was_root);
    }

    /// Something about this bridge has changed that is in what it says: its name was `before`.
    pub(super) fn reconfigure<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, before: BridgeId) {
        let was_root = self.root == before;
        for (at, port) in self.ports.iter_mut().enumerate() {
            let Some(port) = port else { continue };
            if port.vector.bridge == before {
                port.vector.bridge = turn.me;
                if port.vector.root == before {
                    port.vector.root = turn.me;
                }
                // the kernel keeps a designated port designated when its priority changes
                if port.message_age_timer.is_none() {
                    port.vector.port = turn.port_id(at);
                }
            }
        }
        self.update(turn, was_root);
        if self.is_root(turn) {
            self.times = Times::own(turn.config);
        }
    }

    pub(super) fn receive<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize, bpdu: &Bpdu) {
        match bpdu {
            Bpdu::Config(configuration) => self.receive_config(turn, at, configuration),
            // unknown to 1998, and to the kernel
            Bpdu::Rapid(..) => {}
            Bpdu::TopologyChange => self.receive_notice(turn, at),
        }
    }

    pub(super) fn tick<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>) {
        for at in 0..self.ports.len() {
            if self.fire(turn, at, |port| &mut port.message_age_timer) {
                let was_root = self.is_root(turn);
                self.designate(turn, at);
                self.update(turn, was_root);
            }
            if self.fire(turn, at, |port| &mut port.forward_delay_timer) {
                self.delay_is_over(turn, at);
            }
            if self.fire(turn, at, |port| &mut port.hold_timer)
                && self.port(at).is_some_and(|p| p.config_pending)
            {
                self.send_config(turn, at);
            }
        }
        if due(&mut self.change_timer, turn.now) {
            self.detected = false;
            self.set_topology_change(turn, false);
        }
        if due(&mut self.notice_timer, turn.now) && !self.is_root(turn) {
            self.send_notice(turn);
            self.notice_timer = Some(turn.now + turn.config.hello);
        }
        if due(&mut self.hello_timer, turn.now) {
            self.send_configs(turn);
            self.hello_timer = Some(turn.now + self.times.hello);
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let of_port = |port: &Port| {
            // nothing happens when the hold timer ends and nothing waits for it
            let hold = port.hold_timer.filter(|_| port.config_pending);
            earlier(earlier(port.message_age_timer, port.forward_delay_timer), hold)
        };
        let of_bridge = earlier(self.hello_timer, earlier(self.notice_timer, self.change_timer));
        self.ports.iter().flatten().map(of_port).fold(of_bridge, earlier)
    }

    /// Whether stations age faster.
    pub(super) fn topology_change(&self) -> bool {
        self.topology_change
    }

    pub(super) fn view(&self, at: usize, me: BridgeId) -> Option<ClassicView> {
        let port = self.port(at)?;
        let role = match () {
            () if self.root_port == Some(at) => PortRole::Root,
            () if port.message_age_timer.is_none() => PortRole::Designated,
            () if port.vector.bridge == me => PortRole::Backup,
            () => PortRole::Alternate,
        };
        Some(ClassicView {
            role,
            vector: port.vector,
            message_age: port.message_age_timer,
            forward_delay: port.forward_delay_timer,
            hold: port.hold_timer,
        })
    }

    fn receive_config<E: FnMut(Effect<'_>)>(
        &mut self,
        turn: &mut Turn<'_, E>,
        at: usize,
        configuration: &Configuration,
    ) {
        let Some(port) = self.port(at) else { return };
        if !supersedes(configuration, &port.vector, turn.me) {
            if self.is_designated(turn, at) {
                self.send_config(turn, at);
            }
            return;
        }
        let was_root = self.is_root(turn);
        self.record(turn, at, configuration);
        self.select(turn);
        self.select_states(turn);
        if was_root && !self.is_root(turn) {
            self.hello_timer = None;
            if self.detected {
                self.change_timer = None;
                self.send_notice(turn);
                self.notice_timer = Some(turn.now + turn.config.hello);
            }
        }
        if self.root_port == Some(at) {
            self.times = Times::of(configuration);
            self.set_topology_change(turn, configuration.topology_change);
            self.send_configs(turn);
            if configuration.acknowledge {
                self.detected = false;
                self.notice_timer = None;
            }
        }
    }

    fn receive_notice<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        if !self.is_designated(turn, at) {
            return;
        }
        self.detect_change(turn);
        if let Some(Some(port)) = self.ports.get_mut(at) {
            port.acknowledge = true;
        }
        self.send_config(turn, at);
    }

    /// Chooses again, and takes over from the root if none is left.
    fn update<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, was_root: bool) {
        self.select(turn);
        self.select_states(turn);
        if self.is_root(turn) && !was_root {
            self.times = Times::own(turn.config);
            self.detect_change(turn);
            self.notice_timer = None;
            self.send_configs(turn);
            self.hello_timer = Some(turn.now + self.times.hello);
        }
    }

    fn delay_is_over<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        match turn.state(at) {
            PortState::Listening => {
                turn.set_state(at, PortState::Learning);
                self.set_delay(at, Some(turn.now + self.times.forward_delay));
            }
            PortState::Learning => {
                turn.set_state(at, PortState::Forwarding);
                if self.ports.iter().flatten().any(|port| port.vector.bridge == turn.me) {
                    self.detect_change(turn);
                }
            }
            PortState::Blocking | PortState::Disabled | PortState::Forwarding => {}
        }
    }

    fn record<E: FnMut(Effect<'_>)>(
        &mut self,
        turn: &mut Turn<'_, E>,
        at: usize,
        configuration: &Configuration,
    ) {
        let Some(Some(port)) = self.ports.get_mut(at) else { return };
        let times = Times::of(configuration);
        port.vector = Vector::of(configuration);
        port.heard = (turn.now, times.message_age);
        port.message_age_timer = Some(turn.now + times.max_age.saturating_sub(times.message_age));
    }

    fn designate<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        let own = self.own_vector(turn, at);
        if let Some(Some(port)) = self.ports.get_mut(at) {
            port.vector = own;
        }
    }

    fn begin<E: FnMut(Effect<'_>)>(&mut self, turn: &mut Turn<'_, E>, at: usize) {
        if self.ports.len() <= at {
            self.ports.resize(at + 1, None);
        }
        self.ports[at] = Some(Port {
            vector: self.own_vector(turn, at),
            heard: (turn.now, Duration::ZERO),
            acknowledge: false,
            config_pending: false,
            message_age_timer: None,
            forward_delay_timer: None,
            hold_timer: None,
        });
    }

    fn own_vector<E: FnMut(Effect<'_>)>(&self, turn: &Turn<'_, E>, at: usize) -> Vector {
        Vector { root: self.root, cost: self.root_cost, bridge: turn.me, port: turn.port_id(at) }
    }

    fn is_root<E: FnMut(Effect<'_>)>(&self, turn: &Turn<'_, E>) -> bool {
        self.root == turn.me
    }

    fn is_designated<E: FnMut(Effect<'_>)>(&self, turn: &Turn<'_, E>, at: usize) -> bool {
        let own = |port: &Port| (port.vector.bridge, port.vector.port) == (turn.me, turn.port_id(at));
        self.port(at).is_some_and(own)
    }

    fn port(&self, at: usize) -> Option<&Port> {
        self.ports.get(at)?.as_ref()
    }

    fn set_delay(&mut self, at: usize, end: Option<Time>) {
        if let Some(Some(port)) = self.ports.get_mut(at) {
            port.forward_delay_timer = end;
        }
    }

    /// Whether that timer of the port has ended; then it is off.
    fn fire<E: FnMut(Effect<'_>)>(
        &mut self,
        turn: &Turn<'_, E>,
        at: usize,
        timer: impl Fn(&mut Port) -> &mut Option<Time>,
    ) -> bool {
        let port = self.ports.get_mut(at).and_then(Option::as_mut);
        port.is_some_and(|port| due(timer(port), turn.now))
    }
}

/// Whether a configuration is as good as what is known about a segment, or comes from who said that.
fn supersedes(configuration: &Configuration, known: &Vector, me: BridgeId) -> bool {
    let told = Vector::of(configuration);
    let (of_told, of_known) = ((told.root, told.cost, told.bridge), (known.root, known.cost, known.bridge));
    of_told < of_known || of_told == of_known && (told.bridge != me || told.port <= known.port)
}

fn due(timer: &mut Option<Time>, now: Time) -> bool {
    timer.take_if(|end| *end <= now).is_some()
}
