//! A frame's walk in words, each step with the line of the file that decided it.
//!
//! The fabric's trace names legs and reasons. [`Walk::take`] looks up, on the engine thread, what is plugged into the
//! legs it mentions; [`render`] then finds the words, from the plan.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::control::plan::{Line, Plan, Router};
use crate::control::protocol::ExplainStep;
use crate::control::registry::Registry;
use crate::fabric::Fabric;
use crate::frame::{Edit, Leg, LegIndex, NodeId, Plug, PortId};
use crate::time::Time;
use crate::trace::{Cast, Rule, Step, Trace, Unlearned};
use crate::verdict::Reason;
use crate::wire::mac::Mac;

/// A trace, and what is plugged into the legs it mentions.
#[derive(Debug)]
pub struct Walk {
    trace: Trace,
    plugs: BTreeMap<(u16, u16), Plug>,
}

impl Walk {
    /// What would happen to the frame now.
    pub fn take(fabric: &Fabric, port: PortId, frame: &[u8], now: Time) -> Self {
        let trace = fabric.explain(port, frame, now);
        let mut plugs = BTreeMap::new();
        let mut here = None;
        for step in trace.steps() {
            if let Step::Arrive(leg) = step {
                here = Some(leg.node);
            }
            for leg in legs_of(step).into_iter().flatten() {
                if let Some(node) = here
                    && let Some(found) = fabric.plug(Leg { node, leg })
                {
                    plugs.insert((node.0, leg.0), found);
                }
            }
        }
        Self { trace, plugs }
    }
}

/// The legs a step mentions, of the device last arrived at.
fn legs_of(step: &Step) -> [Option<LegIndex>; 2] {
    match step {
        Step::Arrive(leg) => [Some(leg.leg), None],
        Step::Backup(down, backup) => [Some(*down), Some(*backup)],
        Step::Lookup(_, leg) => [*leg, None],
        Step::Route(leg, _) => [Some(*leg), None],
        Step::Copy(leg, _) | Step::Mirror(leg) | Step::Move(_, leg) | Step::Withhold(leg, _) => {
            [Some(*leg), None]
        }
        _ => [None, None],
    }
}

/// The steps in words.
pub fn render(walk: &Walk, plan: &Plan, registry: &Registry) -> Vec<ExplainStep> {
    let mut words = Words { walk, plan, registry, here: NodeId(0), from: LegIndex(0) };
    walk.trace.steps().iter().map(|step| words.step(step)).collect()
}

struct Words<'a> {
    walk: &'a Walk,
    plan: &'a Plan,
    registry: &'a Registry,
    /// The device last arrived at.
    here: NodeId,
    /// And through which of its legs.
    from: LegIndex,
}

impl Words<'_> {
    fn step(&mut self, step: &Step) -> ExplainStep {
        let (text, line) = match step {
            Step::Arrive(leg) => {
                (self.here, self.from) = (leg.node, leg.leg);
                let (from, line) = self.leg(leg.leg);
                (format!("arrives on {} through {from}", self.network().0), line)
            }
            Step::Answer(what) => (format!("its sender is told: {what}"), None),
            Step::Backup(down, backup) => {
                let (name, line) = self.leg(*backup);
                (format!("{} is down, and {name} stands in for it", self.leg(*down).0), line)
            }
            Step::Consume => (format!("{} itself was meant", self.network().0), None),
            Step::Copy(leg, mac) => {
                let (name, line) = self.leg(*leg);
                (format!("a copy of its own for {mac} behind {name}, which has joined the group"), line)
            }
            Step::Deliver(port, edit) => {
                let (name, line) = self.port(*port);
                (format!("leaves through port {name}{}", edited(edit)), line)
            }
            Step::Destination(address, port) => {
                (format!("its destination becomes {}", endpoint(*address, *port)), None)
            }
            Step::Drop(reason) => (format!("dropped: {reason}. {}", reason.explanation()), None),
            Step::Flood(cast) => {
                let what = match cast {
                    Cast::Broadcast => "a broadcast",
                    Cast::Multicast => "to a group",
                    Cast::UnknownUnicast => "nobody knows where its destination is",
                };
                (format!("{what}: flooded to every port of {} that may have it", self.network().0), None)
            }
            Step::Flow(state) => (format!("is {state} to connection tracking"), None),
            Step::Gather => ("waits for the other pieces of its datagram".to_owned(), None),
            Step::Lookup(mac, Some(leg)) => {
                let (name, line) = self.leg(*leg);
                (format!("destination {mac} is known to be behind {name}"), self.station_line(*mac).or(line))
            }
            Step::Lookup(mac, None) => (format!("destination {mac} is unknown"), None),
            Step::Learn(mac) => (format!("source {mac} would be learned"), None),
            Step::Members => {
                ("goes to the members of its group, and to multicast routers".to_owned(), self.network().1)
            }
            Step::Mirror(leg) => {
                let (name, line) = self.leg(*leg);
                (format!("{name} watches, and gets a copy as the frame came"), line)
            }
            Step::Move(mac, leg) => {
                (format!("source {mac} would move here, from behind {}", self.leg(*leg).0), None)
            }
            Step::NotLearned(mac, why) => self.unlearned(*mac, *why),
            Step::Refresh(mac) => (format!("source {mac} is known to be here, and would be refreshed"), None),
            Step::Remake => ("goes on as frames that the router makes of it".to_owned(), None),
            Step::Route(leg, next_hop) => {
                let (name, line) = self.leg(*leg);
                (format!("is routed to {next_hop} through {name}"), line)
            }
            Step::Rule(rule) => self.rule(*rule),
            Step::Source(address, port) => {
                (format!("its source becomes {}", endpoint(*address, *port)), None)
            }
            Step::Vlan(vid) => (format!("is in VLAN {vid}"), self.leg(self.from).1),
            Step::Wait(address) => (format!("waits until {address} says where it is"), None),
            Step::Withhold(leg, reason) => self.withheld(*leg, *reason),
        };
        // what was changed by hand stands on no line
        ExplainStep { text, line: line.map(|line| line.0).filter(|line| *line > 0) }
    }

    fn rule(&self, rule: Rule) -> (String, Option<Line>) {
        match rule {
            Rule::Docker(words) => (format!("the rule is: {words}"), None),
            Rule::Publish(at) => {
                let found = self.router().and_then(|router| router.policy.publishes.get(usize::from(at)));
                ("is for a published port".to_owned(), found.map(|publish| publish.line))
            }
            Rule::User(at) => {
                let found = self.router().and_then(|router| router.policy.rules.get(usize::from(at)));
                ("a rule of yours decides".to_owned(), found.map(|rule| rule.line))
            }
        }
    }

    fn unlearned(&self, mac: Mac, why: Unlearned) -> (String, Option<Line>) {
        let network = || self.network().1;
        let (why, line) = match why {
            Unlearned::AgeingZero => ("its network has `ageing = 0`", network()),
            Unlearned::Full => ("its network has learned `fdb_max` stations", network()),
            Unlearned::Host => ("it is the host, which is known without", None),
            Unlearned::LearningOff => ("its port has `learning = false`", self.leg(self.from).1),
            Unlearned::Limit => ("its port has learned `mac_limit` stations", self.leg(self.from).1),
            Unlearned::LinkLocal => ("its network has `no_linklocal_learn = true`", network()),
            Unlearned::OwnAddress => ("it is the host's own address", None),
            Unlearned::Sticky => ("a sticky entry says that it is elsewhere", self.station_line(mac)),
        };
        (format!("source {mac} is not learned: {why}"), line)
    }

    fn withheld(&self, leg: LegIndex, reason: Reason) -> (String, Option<Line>) {
        let (name, line) = self.leg(leg);
        (format!("no copy for {name}: {reason}. {}", reason.explanation()), line)
    }

    /// What is plugged into a leg of the device we are at.
    fn leg(&self, leg: LegIndex) -> (String, Option<Line>) {
        match self.walk.plugs.get(&(self.here.0, leg.0)) {
            Some(end @ Plug::Link(..)) => self.link(*end),
            Some(Plug::Port(port)) => {
                let (name, line) = self.port(*port);
                (format!("port {name}"), line)
            }
            None => ("a leg that is gone".to_owned(), None),
        }
    }

    fn link(&self, end: Plug) -> (String, Option<Line>) {
        let name = self.registry.plug_name(end).unwrap_or("?");
        if let Some(place) = self.router().and_then(|router| router.interface(name)) {
            return (format!("interface {name}"), Some(place.line));
        }
        let leg = self.plan.leg(name);
        let other = leg.and_then(|leg| leg.leads_to).unwrap_or("?");
        (format!("the link to {other}"), leg.map(|leg| leg.line))
    }

    /// The router that we are at, if it is one.
    fn router(&self) -> Option<&Router> {
        self.plan.router(self.registry.node_name(self.here)?)
    }

    fn port(&self, port: PortId) -> (String, Option<Line>) {
        let name = self.registry.port_name(port).unwrap_or("?");
        let line = self.plan.ports.iter().find(|port| port.name == name).map(|port| port.line);
        (name.to_owned(), line)
    }

    fn network(&self) -> (String, Option<Line>) {
        let name = self.registry.node_name(self.here).unwrap_or("?");
        let line = self.plan.network(name).map(|network| network.line);
        (name.to_owned(), line.or(self.router().map(|router| router.line)))
    }

    /// The line of the static entry, if the file has one for the station here.
    fn station_line(&self, mac: Mac) -> Option<Line> {
        let here = self.network().0;
        self.plan.fdb.iter().find(|s| s.mac == mac && s.network == here).map(|s| s.line)
    }
}

/// An address with a port, if there is one.
fn endpoint(address: IpAddr, port: u16) -> String {
    if port == 0 { address.to_string() } else { SocketAddr::new(address, port).to_string() }
}

/// What happened to a frame's tags and destination, as the end of a sentence.
fn edited(edit: &Edit) -> String {
    let mut text = match edit.pushed() {
        [] if edit.tail() == 12 => String::new(),
        [] => ", without the tag it came with".to_owned(),
        tags => {
            let vids: Vec<String> = tags.iter().rev().map(|tag| tag.vid().to_string()).collect();
            format!(", tagged with VLAN {}", vids.join(" and "))
        }
    };
    if let Some(mac) = edit.dst() {
        text += &format!(", addressed to {mac}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::config;
    use crate::control::diff::diff;

    const LAB: &str = r#"[[network]]
name = "a"
[[network]]
name = "b"
[[link]]
networks = ["a", "b"]
[[port]]
name = "p"
network = "a"
kind = "tap"
isolated = true
learning = false
[[port]]
name = "q"
network = "a"
kind = "tap"
isolated = true
[[port]]
name = "r"
network = "b"
kind = "tap"
[[fdb]]
network = "a"
mac = "02:00:00:00:00:07"
port = "q"
"#;

    /// The beginnings of the steps' texts, and their lines, for a frame that enters through `port`.
    fn assert_steps(port: &str, dst: u8, expected: &[(&str, Option<u32>)]) {
        let to = if dst == 0xff { [0xff; 6] } else { [2, 0, 0, 0, 0, dst] };
        let frame = [&to[..], &[2, 0, 0, 0, 0, 1], &[8, 0], &[0; 46]].concat();
        assert_steps_of(LAB, port, &frame, expected);
    }

    fn assert_steps_of(lab: &str, port: &str, frame: &[u8], expected: &[(&str, Option<u32>)]) {
        let (plan, _) = config::parse(lab, "lab").expect("a sound file");
        let (mut fabric, mut registry) = (Fabric::new([1, 2]), Registry::default());
        for change in registry.translate(&diff(&Plan::empty("lab"), &plan)).expect("there is room") {
            fabric.apply(change, Time::ZERO).expect("a sound plan");
        }
        let port = registry.port(port).expect("in the plan");
        let steps = render(&Walk::take(&fabric, port, frame, Time::ZERO), &plan, &registry);
        let fits = |step: &ExplainStep, (text, line): &(&str, Option<u32>)| {
            step.text.starts_with(text) && step.line == *line
        };
        let all = steps.len() == expected.len()
            && steps.iter().zip(expected).all(|(step, expected)| fits(step, expected));
        assert!(all, "{steps:#?}");
    }

    #[test]
    fn each_step_names_the_line_that_decided_it() {
        assert_steps(
            "p",
            7,
            &[
                ("arrives on a through port p", Some(7)),
                ("source 02:00:00:00:00:01 is not learned: its port has `learning = false`", Some(7)),
                ("destination 02:00:00:00:00:07 is known to be behind port q", Some(22)),
                ("no copy for port q: isolated", Some(13)),
                ("dropped: isolated", None),
            ],
        );
        assert_steps(
            "q",
            0xff,
            &[
                ("arrives on a through port q", Some(13)),
                ("source 02:00:00:00:00:01 would be learned", None),
                ("a broadcast: flooded to every port of a", None),
                ("no copy for port p: isolated", Some(7)),
                ("arrives on b through the link to a", Some(5)),
                ("source 02:00:00:00:00:01 would be learned", None),
                ("a broadcast: flooded to every port of b", None),
                ("leaves through port r", Some(18)),
            ],
        );
    }

    const GATEWAY: &str = r#"[[network]]
name = "docker0"
[[network]]
name = "lan"
[[port]]
name = "c"
network = "docker0"
kind = "tap"
[[router]]
name = "gw"
[[router.interface]]
network = "docker0"
address = "172.17.0.1/16"
role = "inside"
mac = "02:00:00:00:00:f0"
[[router.interface]]
network = "lan"
address = "192.168.178.27/24"
role = "outside"
[[router.publish]]
listen = 80
to = "172.17.0.2"
[[router.rule]]
from = "docker0"
to = "lan"
protocol = "udp"
port = 25
action = "drop"
"#;

    fn udp(to: [u8; 4], port: u16) -> Vec<u8> {
        let mut bytes = Vec::new();
        etherparse::PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 0xf0])
            .ipv4([172, 17, 0, 2], to, 64)
            .udp(1024, port)
            .write(&mut bytes, b"hello")
            .expect("a vector takes all");
        bytes
    }

    #[test]
    fn what_a_router_decides_has_its_line_as_well() {
        let arrival = [
            ("arrives on docker0 through port c", Some(5)),
            ("source 02:00:00:00:00:01 would be learned", None),
            ("destination 02:00:00:00:00:f0 is known to be behind the link to gw", Some(11)),
            ("arrives on gw through interface gw/docker0", Some(11)),
            ("is NEW to connection tracking", None),
        ];
        let dropped = [("a rule of yours decides", Some(23)), ("dropped:", None)];
        let passed = [
            ("is routed to 192.168.178.5 through interface gw/lan", Some(16)),
            ("the rule is: guests may talk to everybody", None),
            ("the rule is: what leaves the guests' network is masqueraded", None),
            ("its source becomes 192.168.178.27:1024", None),
            ("waits until 192.168.178.5 says where it is", None),
        ];
        for (port, expected) in [(25, &dropped[..]), (26, &passed[..])] {
            let expected = [&arrival[..], expected].concat();
            assert_steps_of(GATEWAY, "c", &udp([192, 168, 178, 5], port), &expected);
        }
    }
}
