//! `[[router.rule]]`: the user's rules, which are asked before Docker's (C1).

use std::ops::Range;

use ipnet::IpNet;
use toml::Spanned;

use super::interfaces::Places;
use super::{RULES_MAX, ports};
use crate::control::config::address;
use crate::control::config::raw::Field;
use crate::control::config::scope::Scope;
use crate::control::config::suggest;
use crate::control::config::tables::RawRule;
use crate::control::config::value::{OneOrMore, Rows};
use crate::control::plan::Rule;
use crate::router::policy::config::{self, Action, Log, Reject, States};
use crate::wire::packet::protocol;

/// The longest prefix of a log line, in bytes, as iptables has it.
const PREFIX_MAX: usize = 29;
/// Lines per second, unless it says otherwise.
const LIMIT: u32 = 10;

/// The states, as `--ctstate` has them.
const STATES: [(&str, States); 5] = [
    ("established", States::ESTABLISHED),
    ("invalid", States::INVALID),
    ("new", States::NEW),
    ("related", States::RELATED),
    ("untracked", States::UNTRACKED),
];

/// What senders may be told, as `--reject-with` of iptables and of ip6tables has it.
const REJECTS: [(&str, Reject); 7] = [
    ("icmp-admin-prohibited", Reject::AdminProhibited),
    ("icmp-host-unreachable", Reject::HostUnreachable),
    ("icmp-port-unreachable", Reject::PortUnreachable),
    ("icmp6-addr-unreachable", Reject::HostUnreachable),
    ("icmp6-adm-prohibited", Reject::AdminProhibited),
    ("icmp6-port-unreachable", Reject::PortUnreachable),
    ("tcp-reset", Reject::TcpReset),
];

/// All rules of a router. One that is about several interfaces or protocols is one for each.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawRule>>, places: &Places) -> Vec<Rule> {
    let mut rules = Vec::new();
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        let from = interfaces(scope, &raw.from, places);
        let to = interfaces(scope, &raw.to, places);
        let source = nets(scope, &raw.source, "source");
        let destination = nets(scope, &raw.destination, "destination");
        check_families(scope, raw, &source, &destination);
        let protocols = protocols(scope, &raw.protocol);
        let numbers = |scope: &mut Scope, field: &Field<_>, key| {
            field.value().map_or_else(Vec::new, |list| ports::list(scope, list, key))
        };
        let destination_ports = numbers(scope, &raw.port, "port");
        let source_ports = numbers(scope, &raw.source_port, "source_port");
        check_ports(scope, raw, protocols.as_deref());
        let states = states(scope, &raw.state);
        let action = action(scope, raw);
        let (Some(from), Some(to), Some(protocols), Some(action)) = (from, to, protocols, action) else {
            continue;
        };
        let rule = config::Rule {
            source,
            destination,
            ports: destination_ports,
            source_ports,
            states,
            action,
            ..config::Rule::default()
        };
        let line = scope.line(&raw.span);
        for from in &from {
            for to in &to {
                let one = |protocol: &Option<u8>| Rule {
                    from: from.clone(),
                    to: to.clone(),
                    rule: config::Rule { protocol: *protocol, ..rule.clone() },
                    line,
                };
                rules.extend(protocols.iter().map(one));
            }
        }
        if rules.len() > RULES_MAX {
            let message = format!("there are more than {RULES_MAX} rules");
            scope.error(raw.span.clone(), "one too many", message).help("make one rule of several");
            break;
        }
    }
    rules
}

/// The router's interfaces on a network; one `None` if it is not said.
fn interfaces(scope: &mut Scope, field: &Field<String>, places: &Places) -> Option<Vec<Option<String>>> {
    let Some(text) = field.given() else { return field.is_absent().then(|| vec![None]) };
    let network = scope.network(text)?;
    let names: Vec<_> = places.on(&network).map(|place| Some(place.interface.name.clone())).collect();
    if !names.is_empty() {
        return Some(names);
    }
    if !places.is_partial {
        let message = format!("the router is not on network {network:?}");
        scope.error(text.span(), "not on it", message).help(places.networks());
    }
    None
}

fn nets(scope: &mut Scope, field: &Field<OneOrMore>, key: &str) -> Vec<IpNet> {
    let Some(list) = field.given() else { return Vec::new() };
    not_empty(scope, list, key);
    list.get_ref().0.iter().filter_map(|text| address::prefix(scope, text)).collect()
}

/// An empty list would be no condition at all, which is the opposite of what it looks like.
fn not_empty(scope: &mut Scope, list: &Spanned<OneOrMore>, key: &str) {
    if list.get_ref().0.is_empty() {
        scope
            .error(list.span(), "empty", format!("an empty `{key}` would hold for everything"))
            .help(format!("say what the rule is for, or remove `{key}`"));
    }
}

/// A packet is of one family.
fn check_families(scope: &mut Scope, raw: &RawRule, source: &[IpNet], destination: &[IpNet]) {
    let has = |nets: &[IpNet], is_ipv4: bool| nets.iter().any(|net| net.addr().is_ipv4() == is_ipv4);
    let share = |is_ipv4| has(source, is_ipv4) && has(destination, is_ipv4);
    let (Some(first), Some(second)) = (raw.source.span(), raw.destination.span()) else { return };
    if source.is_empty() || destination.is_empty() || share(true) || share(false) {
        return;
    }
    let family = |nets: &[IpNet]| if has(nets, true) { "IPv4" } else { "IPv6" };
    scope
        .error(second, family(destination), "no packet is of both families, so the rule is for none")
        .also(first, family(source))
        .help("name a source and a destination of one family");
}

/// The protocols; one `None` if it is not said, `None` if something is wrong with them.
fn protocols(scope: &mut Scope, field: &Field<OneOrMore>) -> Option<Vec<Option<u8>>> {
    let Some(list) = field.given() else { return field.is_absent().then(|| vec![None]) };
    not_empty(scope, list, "protocol");
    let mut found: Vec<(u8, Range<usize>)> = Vec::new();
    let mut is_sound = !list.get_ref().0.is_empty();
    for text in &list.get_ref().0 {
        let given = text.get_ref();
        let Some(number) = protocol::number(given) else {
            let names = protocol::NAMES.map(|(name, _)| name);
            scope
                .error(text.span(), "unknown", format!("`protocol` cannot be {given:?}"))
                .help(suggest::hint(given, "a number like \"47\", or one of", &names));
            is_sound = false;
            continue;
        };
        match found.iter().find(|(other, _)| *other == number) {
            Some((_, first)) => {
                let first = first.clone();
                scope.repeated(text.span(), first, format!("{given:?} is given twice"));
            }
            None => found.push((number, text.span())),
        }
    }
    is_sound.then(|| found.into_iter().map(|(number, _)| Some(number)).collect())
}

/// Only some protocols have ports.
fn check_ports(scope: &mut Scope, raw: &RawRule, protocols: Option<&[Option<u8>]>) {
    let has_ports = |protocol: &Option<u8>| {
        matches!(protocol, Some(protocol::TCP | protocol::UDP | protocol::UDP_LITE | protocol::SCTP))
    };
    // what is wrong with the protocols was reported
    let Some(protocols) = protocols.filter(|protocols| !protocols.iter().all(has_ports)) else { return };
    for (key, span) in [("port", raw.port.span()), ("source_port", raw.source_port.span())] {
        let Some(span) = span else { continue };
        let diagnostic = match protocols {
            [None] => {
                scope.error(span, "of which protocol?", format!("`{key}` needs a protocol that has ports"))
            }
            _ => scope.error(span, "has no ports", format!("`{key}` for a protocol without ports")),
        };
        if let Some(first) = raw.protocol.span() {
            diagnostic.also(first, "the protocol");
        }
        diagnostic.help("write protocol = \"tcp\", \"udp\", \"sctp\" or \"udplite\"");
    }
}

fn states(scope: &mut Scope, field: &Field<OneOrMore>) -> States {
    let Some(list) = field.given() else { return States::default() };
    not_empty(scope, list, "state");
    let found = list.get_ref().0.iter().filter_map(|text| scope.word(text, "state", &STATES));
    found.fold(States::default(), States::and)
}

/// What the rule does, with what belongs to that alone.
fn action(scope: &mut Scope, raw: &RawRule) -> Option<Action> {
    let hint = "what happens: accept, drop, reject, log or return";
    let text = scope.required(&raw.action, &raw.span, "action", hint);
    let words = [
        ("accept", Action::Accept),
        ("drop", Action::Drop),
        ("reject", Action::Reject(Reject::default())),
        ("log", Action::Log(Log { prefix: String::new(), limit: LIMIT })),
        ("return", Action::Return),
    ];
    let names: Vec<_> = words.iter().enumerate().map(|(at, (word, _))| (*word, at)).collect();
    let prefix = prefix(scope, &raw.prefix);
    let hint = "lines per second; more are only counted";
    let limit = scope.whole(&raw.limit, "limit", 1..=100_000, LIMIT, hint);
    let with = raw.with.given().and_then(|text| scope.word(text, "with", &REJECTS));
    let text = text?;
    let at = scope.word(text, "action", &names)?;
    let [.., (_, action)] = &words[..=at] else { return None };
    let keys = [
        ("prefix", raw.prefix.span(), "log"),
        ("limit", raw.limit.span(), "log"),
        ("with", raw.with.span(), "reject"),
    ];
    for (key, span, only) in keys {
        let (Some(span), true) = (span, text.get_ref() != only) else { continue };
        scope
            .error(
                span,
                format!("only for {only:?}"),
                format!("`{key}` says nothing about {:?}", text.get_ref()),
            )
            .also(text.span(), "the action")
            .help("remove it");
    }
    Some(match action {
        Action::Log(_) => Action::Log(Log { prefix: prefix.unwrap_or_default(), limit }),
        Action::Reject(default) => Action::Reject(with.unwrap_or(*default)),
        other => other.clone(),
    })
}

/// What lines begin with.
fn prefix(scope: &mut Scope, field: &Field<String>) -> Option<String> {
    let text = field.given()?;
    let given = text.get_ref();
    if given.len() > PREFIX_MAX {
        let len = given.len();
        scope
            .error(text.span(), format!("{len} bytes"), format!("a prefix of {len} bytes is too long"))
            .help(format!("at most {PREFIX_MAX} bytes, as in iptables"));
        return None;
    }
    if given.contains(char::is_control) {
        scope
            .error(text.span(), "not allowed", "a prefix with a control character")
            .help("it becomes part of a line");
        return None;
    }
    Some(given.clone())
}
