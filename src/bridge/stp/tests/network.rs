//! Bridges joined by wires that delay, in virtual time.
//!
//! After every single thing that happens it is made sure that no loop of forwarding legs exists. In zero time a bridge
//! does all that one message or timer makes it do; other bridges only learn of it by messages. A wire that breaks
//! loses what is on it, and both ends know at once.
//!
//! One excuse is accepted, and only where RSTP is spoken: that somebody still believes in a root that is gone (see
//! `rapid::information` on counting to infinity), and then for less than a second.

use std::collections::BTreeMap;

use super::*;

/// An effect, to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Ageing(Option<Duration>),
    Flush(LegIndex),
    Guarded(LegIndex),
    NewRoot(BridgeId),
    Send(LegIndex, Bpdu),
    State(LegIndex, PortState),
    TopologyChange,
}

impl Event {
    pub(super) fn of(effect: Effect<'_>) -> Self {
        match effect {
            Effect::Ageing(time) => Self::Ageing(time),
            Effect::Flush(leg) => Self::Flush(leg),
            Effect::Guarded(leg) => Self::Guarded(leg),
            Effect::NewRoot(root) => Self::NewRoot(root),
            Effect::Send(leg, frame) => {
                Self::Send(leg, Bpdu::parse(frame).expect("what we write we can read"))
            }
            Effect::State(leg, state) => Self::State(leg, state),
            Effect::TopologyChange => Self::TopologyChange,
        }
    }
}

impl Event {
    fn brief(&self) -> String {
        match self {
            Self::Send(leg, Bpdu::Config(said)) => {
                format!("sends {}: config {} {} age {:?}", leg.0, said.root, said.cost, said.message_age)
            }
            Self::Send(leg, Bpdu::Rapid(said, flags)) => {
                let (root, cost, age) = (said.root, said.cost, said.message_age.0 / 256);
                let letter = |set, letter| if set { letter } else { '-' };
                let role = flags.role;
                let flags = [
                    letter(flags.proposal, 'P'),
                    letter(flags.agreement, 'A'),
                    letter(flags.learning, 'L'),
                    letter(flags.forwarding, 'F'),
                    letter(said.topology_change, 'T'),
                ];
                let flags: String = flags.into_iter().collect();
                format!("sends {}: {flags} {role:?} {root} {cost} age {age}", leg.0)
            }
            other => format!("{other:?}"),
        }
    }
}

pub(super) struct Wire {
    pub(super) ends: [(usize, LegIndex); 2],
    pub(super) delay: Duration,
    pub(super) up: bool,
}

#[derive(Default)]
pub(super) struct Network {
    pub(super) now: Time,
    pub(super) bridges: Vec<Stp>,
    pub(super) wires: Vec<Wire>,
    /// By when they arrive and in which order they were sent: wire, bridge, leg, message.
    flying: BTreeMap<(Time, u64), (usize, usize, LegIndex, Bpdu)>,
    sent: u64,
    pub(super) log: Vec<(Time, usize, Event)>,
    /// Since when there has been a loop that only [`Network::is_haunted`] excuses.
    looped: Option<Time>,
    /// How often that happened.
    pub(super) excused: usize,
}

impl Network {
    pub(super) fn add(&mut self, config: StpConfig, n: u8) -> usize {
        self.bridges.push(Stp::new(config, mac(n), self.now));
        self.bridges.len() - 1
    }

    /// A leg with a host behind it.
    pub(super) fn host(&mut self, bridge: usize, settings: StpLegConfig) -> LegIndex {
        let leg = LegIndex(self.bridges[bridge].legs.len() as u16);
        self.act(bridge, |stp, now, mut emit| stp.attach(leg, settings, true, now, &mut emit));
        leg
    }

    /// A wire between two bridges; `plug` makes it work.
    pub(super) fn wire(&mut self, ends: [usize; 2], costs: [u32; 2], delay: Duration) -> usize {
        let [a, b] = [0, 1].map(|end| {
            let leg = LegIndex(self.bridges[ends[end]].legs.len() as u16);
            let settings = StpLegConfig { cost: costs[end], ..StpLegConfig::default() };
            self.act(ends[end], |stp, now, mut emit| stp.attach(leg, settings, false, now, &mut emit));
            (ends[end], leg)
        });
        self.wires.push(Wire { ends: [a, b], delay, up: false });
        self.wires.len() - 1
    }

    pub(super) fn plug(&mut self, wire: usize, up: bool) {
        self.wires[wire].up = up;
        self.flying.retain(|_, (on, ..)| *on != wire);
        for (bridge, leg) in self.wires[wire].ends {
            self.act(bridge, |stp, now, mut emit| stp.set_up(leg, up, now, &mut emit));
        }
    }

    pub(super) fn act(
        &mut self,
        bridge: usize,
        act: impl FnOnce(&mut Stp, Time, &mut dyn FnMut(Effect<'_>)),
    ) {
        let Self { now, bridges, wires, flying, sent, log, .. } = self;
        act(&mut bridges[bridge], *now, &mut |effect| {
            let event = Event::of(effect);
            log.push((*now, bridge, event));
            let Event::Send(leg, bpdu) = event else { return };
            let at = (bridge, leg);
            let found = wires.iter().enumerate().find(|(_, wire)| wire.up && wire.ends.contains(&at));
            let Some((number, wire)) = found else { return };
            let far = wire.ends[usize::from(wire.ends[0] == at)];
            *sent += 1;
            flying.insert((*now + wire.delay, *sent), (number, far.0, far.1, bpdu));
        });
        self.check_loops();
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.flying.keys().next().copied();
            let deadlines = self.bridges.iter().enumerate();
            let timer = deadlines.filter_map(|(at, stp)| Some((stp.deadline()?, at))).min();
            let next = arrival.map_or(Time::NEVER, |(time, _)| time);
            if next <= end && timer.is_none_or(|(due, _)| next <= due) {
                let Some((_, (_, bridge, leg, bpdu))) = self.flying.pop_first() else { break };
                self.now = next;
                self.act(bridge, |stp, now, mut emit| stp.receive(leg, &bpdu, now, &mut emit));
            } else if let Some((due, bridge)) = timer.filter(|(due, _)| *due <= end) {
                assert!(due >= self.now, "a deadline in the past");
                self.now = due;
                self.act(bridge, |stp, now, mut emit| stp.tick(now, &mut emit));
                assert!(self.bridges[bridge].deadline().is_none_or(|next| next > due), "what is due is done");
            } else {
                break;
            }
        }
        self.now = end;
    }

    fn forwards(&self, (bridge, leg): (usize, LegIndex)) -> bool {
        self.bridges[bridge].state(leg) == PortState::Forwarding
    }

    fn check_loops(&mut self) {
        if !self.has_loop() {
            self.looped = None;
            return;
        }
        assert!(self.is_haunted(), "a loop at {}:\n{}", self.now, self.story());
        self.excused += usize::from(self.looped.is_none());
        let since = *self.looped.get_or_insert(self.now);
        assert!(self.now - since < SECOND, "a loop for a second at {}:\n{}", self.now, self.story());
    }

    /// Whether RSTP is spoken and somebody believes in a root that is gone.
    fn is_haunted(&self) -> bool {
        let mut wired = Islands::new(self.bridges.len());
        for wire in self.wires.iter().filter(|wire| wire.up) {
            wired.join(wire.ends[0].0, wire.ends[1].0);
        }
        let ids: Vec<_> = self.bridges.iter().map(Stp::me).collect();
        let mut rapid = false;
        let mut haunted = false;
        for (bridge, stp) in self.bridges.iter().enumerate() {
            let root = ids.iter().position(|id| *id == stp.root);
            rapid |= stp.config.mode == StpMode::Rstp;
            haunted |= root.is_none_or(|root| wired.of(root) != wired.of(bridge));
        }
        rapid && haunted
    }

    fn has_loop(&self) -> bool {
        let mut islands = Islands::new(self.bridges.len());
        let open = |wire: &&Wire| wire.up && wire.ends.iter().all(|end| self.forwards(*end));
        let mut wires = self.wires.iter().filter(open);
        !wires.all(|wire| islands.join(wire.ends[0].0, wire.ends[1].0))
    }

    /// That every bridge reaches every other that it has any way to, over forwarding legs, that each is as near to the
    /// best root as it can be, and that all hosts are served.
    pub(super) fn assert_tree(&self) {
        let (mut wired, mut tree) = (Islands::new(self.bridges.len()), Islands::new(self.bridges.len()));
        for wire in self.wires.iter().filter(|wire| wire.up) {
            let [a, b] = wire.ends;
            wired.join(a.0, b.0);
            if self.forwards(a) && self.forwards(b) {
                assert!(tree.join(a.0, b.0), "a loop:\n{}", self.story());
            }
        }
        let bridges = 0..self.bridges.len();
        let ids: Vec<_> = self.bridges.iter().map(Stp::me).collect();
        let root_of = |wired: &mut Islands, bridge| {
            let island = wired.of(bridge);
            bridges.clone().filter(|other| wired.of(*other) == island).min_by_key(|other| ids[*other])
        };
        let mut costs: Vec<_> = bridges.clone().map(|_| u32::MAX).collect();
        for bridge in bridges.clone() {
            if root_of(&mut wired, bridge) == Some(bridge) {
                costs[bridge] = 0;
            }
        }
        for _ in bridges.clone() {
            for wire in self.wires.iter().filter(|wire| wire.up) {
                for (near, far) in [(0, 1), (1, 0)] {
                    let ((bridge, leg), (from, _)) = (wire.ends[near], wire.ends[far]);
                    let cost = self.bridges[bridge].leg_summary(leg).map_or(0, |leg| leg.cost);
                    costs[bridge] = costs[bridge].min(costs[from].saturating_add(cost));
                }
            }
        }
        for bridge in bridges.clone() {
            let summary = self.bridges[bridge].summary(self.now);
            let root = root_of(&mut wired, bridge).map(|root| ids[root]);
            assert_eq!(Some(summary.root), root, "bridge {bridge}\n{}", self.story());
            assert_eq!(summary.root_cost, costs[bridge], "bridge {bridge}\n{}", self.story());
            for other in bridges.clone() {
                let (way, used) = (wired.of(bridge) == wired.of(other), tree.of(bridge) == tree.of(other));
                assert_eq!(way, used, "bridges {bridge} and {other} are cut off\n{}", self.story());
            }
            let legs = (0..self.bridges[bridge].legs.len() as u16).map(|leg| (bridge, LegIndex(leg)));
            for end in legs.filter(|end| !self.wires.iter().any(|wire| wire.ends.contains(end))) {
                assert!(self.forwards(end), "host {end:?} is not served\n{}", self.story());
            }
        }
    }

    /// The end of the log, and who is what.
    pub(super) fn story(&self) -> String {
        let mut lines = Vec::new();
        for wire in &self.wires {
            let end = |(bridge, leg): (usize, LegIndex)| {
                let leg = self.bridges[bridge].leg_summary(leg).expect("attached");
                format!("{bridge}.{} {:?} {:?} cost {}", leg.port, leg.role, leg.state, leg.cost)
            };
            lines.push(format!("wire up={} {} -- {}", wire.up, end(wire.ends[0]), end(wire.ends[1])));
        }
        let tail = self.log.len().saturating_sub(60);
        lines.extend(
            self.log[tail..].iter().map(|(time, bridge, event)| format!("{time} {bridge} {}", event.brief())),
        );
        lines.join("\n")
    }

    /// When those legs first had that state after `since`, each.
    pub(super) fn reached(
        &self,
        bridge: usize,
        leg: LegIndex,
        state: PortState,
        since: Time,
    ) -> Option<Duration> {
        let hit = |(time, at, event): &&(Time, usize, Event)| {
            *time >= since && *at == bridge && *event == Event::State(leg, state)
        };
        self.log.iter().find(hit).map(|(time, ..)| *time - since)
    }
}

/// Which bridges are joined.
struct Islands(Vec<usize>);

impl Islands {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn of(&mut self, bridge: usize) -> usize {
        let mut at = bridge;
        while self.0[at] != at {
            at = self.0[at];
        }
        at
    }

    /// False if they were joined already.
    fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a] = b;
        a != b
    }
}
