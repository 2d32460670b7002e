//! Short stories whose end is known, to be held against the kernel, and ours beside it.

use std::time::Duration;

use super::craft::{Damage, Ends, Segment, Shape, TCP, UDP, What};
use super::describe::{describe, fits};
use super::kernel::Kernel;
use super::place::Who;
use super::run::{Gateway, Run};
use super::talk::{Action, Complaint, Talk, forged};

/// What happens between whom, and what comes of it.
pub(crate) struct Case {
    pub(crate) why: &'static str,
    pub(crate) talks: Vec<Talk>,
    pub(crate) steps: Vec<Step>,
}

pub(crate) struct Step {
    pub(crate) action: Action,
    /// What comes out, see [`fits`].
    outputs: Option<Vec<&'static str>>,
    /// What the table holds, likewise; a time may be less by one.
    flows: Option<Vec<&'static str>>,
}

impl Case {
    /// # Panics
    /// If the kernel does anything else, or ours.
    pub(crate) fn hold(&self, kernel: &mut Kernel, ours: Option<Box<dyn Gateway>>) -> Result<(), String> {
        let why = self.why;
        let mut run = Run::new(kernel, ours, self.talks.clone());
        for (at, step) in self.steps.iter().enumerate() {
            let deed = run.act(&step.action, true).map_err(|text| format!("{why}, step {at}:\n{text}"))?;
            if let Some(expected) = &step.outputs {
                let words: Vec<_> = deed.outputs.iter().map(describe).collect();
                let same = expected.len() == words.len()
                    && deed.outputs.iter().zip(expected).all(|(output, expected)| fits(output, expected));
                if !same {
                    return Err(format!("{why}, step {at}: {words:#?}, and should {expected:#?}\n"));
                }
            }
            if let Some(expected) = &step.flows {
                let words: Vec<_> = deed.flows.values().map(ToString::to_string).collect();
                let found = |expected: &&str| words.iter().any(|flow| holds(flow, expected));
                if expected.len() != words.len() || !expected.iter().all(found) {
                    return Err(format!("{why}, step {at}: flows {words:#?}, and should {expected:#?}\n"));
                }
            }
        }
        Ok(())
    }

    /// The same between the same with IPv6.
    pub(crate) fn of_ipv6(mut self) -> Self {
        self.talks.iter_mut().for_each(|talk| talk.v6 = true);
        self
    }
}

/// Whether a flow's words are those expected and more; a number may be one less, for time passes.
fn holds(flow: &str, expected: &str) -> bool {
    expected.split(' ').all(|word| {
        let number = word.parse::<u64>().ok().map(|number| number.saturating_sub(1).to_string());
        flow.split(' ').any(|own| own == word || Some(own) == number.as_deref())
    })
}

impl Step {
    pub(crate) const fn new(action: Action) -> Self {
        Self { action, outputs: None, flows: None }
    }

    /// Exactly that comes out.
    pub(crate) fn out(mut self, outputs: &[&'static str]) -> Self {
        self.outputs = Some(outputs.to_vec());
        self
    }

    /// Exactly those flows are followed.
    pub(crate) fn flows(mut self, flows: &[&'static str]) -> Self {
        self.flows = Some(flows.to_vec());
        self
    }
}

/// The first talk goes on.
pub(crate) fn say(shape: Shape) -> Step {
    says(0, shape)
}

/// And is answered.
pub(crate) fn back(shape: Shape) -> Step {
    answers(0, shape)
}

pub(crate) fn says(talk: usize, shape: Shape) -> Step {
    Step::new(Action::Say(talk, false, shape))
}

pub(crate) fn answers(talk: usize, shape: Shape) -> Step {
    Step::new(Action::Say(talk, true, shape))
}

pub(crate) fn wait(ms: u64) -> Step {
    Step::new(Action::Wait(Duration::from_millis(ms)))
}

/// Somebody complains about the last packet of the first talk, or of what came back.
pub(crate) fn complain(from: Who, back: bool, kind: (u8, u8), rest: u32) -> Step {
    let (quote, damage) = (548, Damage::None);
    Step::new(Action::Complain(Complaint { talk: 0, back, from, kind, rest, quote, damage }))
}

/// The same with less of the packet, or damaged.
pub(crate) fn complain_so(from: Who, kind: (u8, u8), quote: usize, damage: Damage) -> Step {
    Step::new(Action::Complain(Complaint { talk: 0, back: false, from, kind, rest: 0, quote, damage }))
}

/// Somebody sends a packet that claims to be between those two.
pub(crate) fn forge(by: Who, ends: Ends, shape: &Shape) -> Step {
    Step::new(forged(by, ends, shape))
}

pub(crate) const fn tcp_talk(from: Who, port: u16, to: Who, to_port: u16) -> Talk {
    Talk { v6: false, protocol: TCP, from: (from, port), to: (to, to_port) }
}

pub(crate) const fn udp_talk(from: Who, port: u16, to: Who, to_port: u16) -> Talk {
    Talk { v6: false, protocol: UDP, from: (from, port), to: (to, to_port) }
}

/// Of a protocol with identifiers, or neither.
pub(crate) const fn other_talk(protocol: u8, from: Who, id: u16, to: Who) -> Talk {
    Talk { v6: false, protocol, from: (from, id), to: (to, 0) }
}

pub(crate) fn tcp(flags: &str, seq: u32, ack: u32) -> Shape {
    let segment = Segment { flags: flags.into(), seq, ack, window: 60_000, options: vec![], len: 0 };
    Shape::new(What::Tcp(segment))
}

pub(crate) const fn udp(len: u16) -> Shape {
    Shape::new(What::Udp(len))
}

pub(crate) const fn echo(kind: u8, sequence: u16) -> Shape {
    Shape::new(What::Icmp(kind, 0, sequence, 16))
}

impl Shape {
    fn segment(mut self, edit: impl FnOnce(&mut Segment)) -> Self {
        if let What::Tcp(segment) = &mut self.what {
            edit(segment);
        }
        self
    }

    pub(crate) fn window(self, window: u16) -> Self {
        self.segment(|segment| segment.window = window)
    }

    pub(crate) fn with(self, options: &[u8]) -> Self {
        self.segment(|segment| segment.options = options.to_vec())
    }

    pub(crate) fn data(self, len: u16) -> Self {
        self.segment(|segment| segment.len = len)
    }

    pub(crate) const fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    pub(crate) const fn tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    pub(crate) const fn id(mut self, id: u16) -> Self {
        self.id = id;
        self
    }

    pub(crate) const fn df(mut self) -> Self {
        self.dont_fragment = true;
        self
    }

    pub(crate) const fn options(mut self, options: &'static [u8]) -> Self {
        self.options = options;
        self
    }

    pub(crate) const fn damaged(mut self, damage: Damage) -> Self {
        self.damage = damage;
        self
    }

    pub(crate) const fn piece(mut self, offset: u16, len: u16) -> Self {
        self.piece = Some((offset, len));
        self
    }
}
