//! What a router says to a frame, step by step: for whoever explains.

use std::net::IpAddr;

use crate::router::decision::{Answer, Decision, Fate, Onward};
use crate::router::gateway::Flow;
use crate::router::policy::RuleId;
use crate::trace::{Rule, Step, Trace};

/// Takes note of a decision, in the order in which it came about.
pub(super) fn note(decision: &Decision, trace: &mut Trace) {
    let flow = decision.flow.as_ref();
    if let Some(flow) = flow {
        note_arrival(flow, trace);
    }
    if let Fate::Forward(onward) | Fate::Park(onward) | Fate::Remake(onward) = &decision.fate {
        trace.note(Step::Route(onward.leg, onward.next_hop));
    }
    if let Some(rule) = flow.and_then(|flow| flow.ruling) {
        trace.note(Step::Rule(named(rule)));
    }
    if let (Some(flow), Fate::Forward(_) | Fate::Park(_) | Fate::Remake(_)) = (flow, &decision.fate) {
        note_source(flow, trace);
    }
    if let Some(answer) = &decision.answer {
        trace.note(Step::Answer(said(answer)));
    }
    trace.note(match &decision.fate {
        Fate::Consume => Step::Consume,
        Fate::Drop(reason) => Step::Drop(*reason),
        Fate::Forward(_) => return,
        Fate::Gather => Step::Gather,
        Fate::Park(Onward { next_hop, .. }) => Step::Wait(*next_hop),
        Fate::Remake(_) => Step::Remake,
    });
}

fn note_arrival(flow: &Flow, trace: &mut Trace) {
    trace.note(Step::Flow(flow.judgement.state.name()));
    let (Some(came), Some(goes)) = (flow.judgement.tuple(), flow.judgement.translated()) else { return };
    if let Some(index) = flow.publish {
        trace.note(Step::Rule(Rule::Publish(index)));
    }
    if (came.destination, came.destination_port) != (goes.destination, goes.destination_port) {
        trace.note(Step::Destination(goes.destination.ip(goes.ipv6), goes.destination_port));
    }
}

fn note_source(flow: &Flow, trace: &mut Trace) {
    let (Some(came), Some(goes)) = (flow.judgement.tuple(), flow.judgement.translated()) else { return };
    if let Some(rule) = flow.source {
        trace.note(Step::Rule(named(rule)));
    }
    if (came.source, came.source_port) != (goes.source, goes.source_port) {
        let source: IpAddr = goes.source.ip(goes.ipv6);
        trace.note(Step::Source(source, goes.source_port));
    }
}

fn named(rule: RuleId) -> Rule {
    match rule {
        RuleId::Closed(_) => Rule::Docker("only published ports come in (M9)"),
        RuleId::Direct(_) => Rule::Docker("nobody addresses a guest directly (M1)"),
        RuleId::Dnat(index) | RuleId::Published(index) => Rule::Publish(index),
        RuleId::Egress(_) => Rule::Docker("guests may talk to everybody (M10)"),
        RuleId::Established(_) => Rule::Docker("what answers a guest may come in (M5)"),
        RuleId::Hairpin(_) => Rule::Docker("what returns to its own network is from the router (C16)"),
        RuleId::Icc(_) => Rule::Docker("whether guests may talk to each other (M10)"),
        RuleId::InternalIn(_) => Rule::Docker("nobody enters an internal network (M6)"),
        RuleId::InternalOut(_) => Rule::Docker("nobody leaves an internal network (M6)"),
        RuleId::Invalid => Rule::Docker("what is of no flow goes nowhere (`invalid = \"drop\"`)"),
        RuleId::Masquerade(_) => Rule::Docker("what leaves the guests' network is masqueraded (C15)"),
        RuleId::Opened(_) => Rule::Docker("strangers may use ports that guests have opened (`behaviour`)"),
        RuleId::Ping(_) => Rule::Docker("guests that are not hidden may be pinged (M9)"),
        RuleId::User(index) => Rule::User(index),
    }
}

fn said(answer: &Answer) -> &'static str {
    match answer {
        Answer::Echo(_) => "an echo reply",
        Answer::Error(error) => error.name(),
        Answer::Neighbour(_) => "who has the address it asked for",
        Answer::Reset => "a TCP reset",
    }
}
