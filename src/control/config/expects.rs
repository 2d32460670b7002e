//! `[[expect]]`: what `vswitchd verify` is to try.

mod reach;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use toml::Spanned;

use super::address;
use super::legs;
use super::mdb;
use super::names;
use super::scope::Scope;
use super::suggest;
use super::tables::RawExpect;
use super::value::Rows;
use crate::bridge::StpMode;
use crate::control::plan::{Expect, Netns, Node, PROBE_TIMEOUT, Place, Plan, Port, Probe, StpState};
use crate::router::policy::config::Protocol;
use crate::verdict::Reason;

/// An hour: longer, and a failing lab would seem to hang.
const TIMEOUT_MAX: f64 = 3600.0;

/// The kinds there are, in the order of the alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Arp,
    Drops,
    Fdb,
    Interface,
    Mdb,
    Multicast,
    Nat,
    Ping,
    Route,
    Stp,
    Tcp,
    Udp,
}

const KINDS: [(&str, Kind); 12] = [
    ("arp", Kind::Arp),
    ("drops", Kind::Drops),
    ("fdb", Kind::Fdb),
    ("interface", Kind::Interface),
    ("mdb", Kind::Mdb),
    ("multicast", Kind::Multicast),
    ("nat", Kind::Nat),
    ("ping", Kind::Ping),
    ("route", Kind::Route),
    ("stp", Kind::Stp),
    ("tcp", Kind::Tcp),
    ("udp", Kind::Udp),
];

/// All expectations.
pub(super) fn resolve(scope: &mut Scope, rows: Option<&Rows<RawExpect>>, plan: &Plan) -> Vec<Expect> {
    let mut expects = Vec::new();
    for raw in rows.map_or(&[][..], |rows| &rows.0) {
        let kinds = KINDS.map(|(word, _)| word).join(", ");
        let kind = scope.required(&raw.kind, &raw.span, "kind", &format!("it is one of {kinds}"));
        let from = scope.required(&raw.from, &raw.span, "from", "who looks: a node, or \"host\"");
        let to = scope.required(&raw.to, &raw.span, "to", "what is looked for, such as an address");
        let words = [("ok", true), ("fail", false)];
        let succeed = raw.result.given().and_then(|text| scope.word(text, "result", &words)).unwrap_or(true);
        let timeout = scope.seconds(&raw.timeout, "timeout", (0.1, TIMEOUT_MAX), PROBE_TIMEOUT);
        let kind = kind.and_then(|text| scope.word(text, "kind", &KINDS));
        let (Some(kind), Some(from), Some(to)) = (kind, from, to) else { continue };
        check_keys(scope, raw, kind);
        let lab = Lab { plan, nodes: &plan.nodes, ports: &plan.ports, raw, succeed };
        let Some(probe) = lab.probe(scope, kind, from, to) else { continue };
        expects.push(Expect { probe, timeout, succeed, line: scope.line(&raw.span) });
    }
    expects
}

/// What only some kinds have.
fn check_keys(scope: &mut Scope, raw: &RawExpect, kind: Kind) {
    use Kind::{Mdb, Multicast, Nat, Ping, Tcp, Udp};
    let keys = [
        (raw.port.span(), &[Mdb][..], "only for \"mdb\"", "`port` is where a member of a group is to be"),
        (
            raw.at.span(),
            &[Multicast, Nat],
            "only for \"multicast\" and \"nat\"",
            "`at` is where a datagram is to arrive",
        ),
        (raw.join.span(), &[Multicast], "only for \"multicast\"", "`join` is about a multicast group"),
        (
            raw.sees.span(),
            &[Ping, Tcp, Udp],
            "only for \"ping\", \"tcp\" and \"udp\"",
            "`sees` is the address that who answers must see it come from",
        ),
        (
            raw.keeps_port.span(),
            &[Tcp, Udp],
            "only for \"tcp\" and \"udp\"",
            "`keeps_port` is about the port that who answers sees",
        ),
    ];
    for (span, only, label, message) in keys {
        let Some(span) = span.filter(|_| !only.contains(&kind)) else { continue };
        scope.error(span, label, message).help("remove it");
    }
}

/// What an expectation can refer to.
struct Lab<'a> {
    plan: &'a Plan,
    raw: &'a RawExpect,
    ports: &'a [Port],
    nodes: &'a [Node],
    succeed: bool,
}

impl Lab<'_> {
    fn probe(
        &self,
        scope: &mut Scope,
        kind: Kind,
        from: &Spanned<String>,
        to: &Spanned<String>,
    ) -> Option<Probe> {
        match kind {
            Kind::Drops => {
                let port = self.leg(scope, from, true);
                let reason = reason(scope, to);
                Some(Probe::Drops { port: port?, reason: reason? })
            }
            Kind::Fdb => {
                let network = scope.network(from);
                let node = self.node(scope, to, false);
                let (network, node) = (network?, node?);
                self.check_station(scope, to, &network, &node);
                Some(Probe::Fdb { network, node })
            }
            Kind::Mdb => {
                let network = scope.network(from);
                let group = mdb::multicast_group(scope, to);
                let at = self.raw.port.given().map(|text| self.leg_on(scope, text, network.as_deref()));
                let at = match at {
                    Some(at) => Some(at?),
                    None => None,
                };
                Some(Probe::Mdb { network: network?, group: group?, at })
            }
            Kind::Multicast => self.multicast(scope, from, to),
            Kind::Stp => {
                let at = self.leg(scope, from, false);
                let words = StpState::ALL.map(|state| (state.name(), state));
                let state = scope.word(to, "to", &words);
                let at = at?;
                self.check_tree(scope, from, &at);
                Some(Probe::Stp { at, state: state? })
            }
            _ => {
                let from = self.place(scope, from);
                self.probe_from(scope, kind, from, to)
            }
        }
    }

    /// The kinds whose `from` is a place.
    fn probe_from(
        &self,
        scope: &mut Scope,
        kind: Kind,
        from: Option<Place>,
        to: &Spanned<String>,
    ) -> Option<Probe> {
        Some(match kind {
            Kind::Arp => {
                let to = scope.ip(to, "192.168.50.5").inspect(|ip| self.check_owner(scope, to, *ip, true));
                Probe::Arp { from: from?, to: to? }
            }
            Kind::Interface => {
                // what must not be there may be anything that is a name
                let valid = to.get_ref() == "lo" || names::check_interface(scope, to, "the interface");
                if !valid {
                    return None;
                }
                Probe::Interface { from: from?, name: to.get_ref().clone() }
            }
            Kind::Nat => return self.nat(scope, from, to),
            Kind::Ping => {
                let text = to;
                let to = scope.ip(to, "192.168.50.5").inspect(|ip| self.check_owner(scope, to, *ip, false));
                let reached = to.and_then(|ip| self.plan.owner(ip));
                let sees = to.and_then(|ip| self.sees(scope, text, ip, reached.is_some()));
                Probe::Ping { from: from?, to: to?, sees }
            }
            Kind::Route => {
                let to = route(scope, to);
                Probe::Route { from: from?, to: to? }
            }
            Kind::Tcp => {
                let (to, sees) = self.endpoint(scope, to, Protocol::Tcp)?;
                Probe::Tcp { from: from?, to, sees }
            }
            Kind::Udp => {
                let (to, sees) = self.endpoint(scope, to, Protocol::Udp)?;
                Probe::Udp { from: from?, to, sees }
            }
            Kind::Drops | Kind::Fdb | Kind::Mdb | Kind::Multicast | Kind::Stp => return None,
        })
    }

    fn multicast(&self, scope: &mut Scope, from: &Spanned<String>, to: &Spanned<String>) -> Option<Probe> {
        let sender = self.place(scope, from);
        let group = endpoint(scope, to, "239.1.1.1").filter(|group| {
            if !group.ip().is_multicast() {
                let message = format!("{} is not a multicast address", group.ip());
                let hint = "224.0.0.0 to 239.255.255.255, or ff00::/8";
                scope.error(to.span(), "not a group", message).help(hint);
            }
            group.ip().is_multicast()
        });
        let hint = "where the datagram is to arrive: a node, or \"host\"";
        let text = scope.required(&self.raw.at, &self.raw.span, "at", hint)?;
        let at = self.place(scope, text)?;
        if sender.as_ref() == Some(&at) {
            let message = format!("{:?} would only hear itself", text.get_ref());
            scope.error(text.span(), "the sender", message).help("name another machine");
            return None;
        }
        let join = self.raw.join.value().copied().unwrap_or(true);
        Some(Probe::Multicast { from: sender?, to: group?, at, join })
    }

    fn place(&self, scope: &mut Scope, text: &Spanned<String>) -> Option<Place> {
        if text.get_ref() == "host" {
            return Some(Place::Host);
        }
        self.node(scope, text, true).map(Place::Node)
    }

    fn node(&self, scope: &mut Scope, text: &Spanned<String>, or_host: bool) -> Option<String> {
        if scope.nodes.has(text.get_ref()) {
            return Some(text.get_ref().clone());
        }
        let mut names: Vec<_> = scope.nodes.keys().cloned().collect();
        if or_host {
            names.push("host".to_owned());
        }
        scope.unknown(text, "node", &names.iter().map(String::as_str).collect::<Vec<_>>());
        None
    }

    /// A port, an end of a link, or perhaps a network.
    fn leg(&self, scope: &mut Scope, text: &Spanned<String>, or_network: bool) -> Option<String> {
        let given = text.get_ref();
        if scope.ports.has(given) || (or_network && scope.networks.has(given)) {
            return Some(given.clone());
        }
        let mut names: Vec<_> = self.plan.legs().map(|leg| leg.name).collect();
        if or_network {
            names.extend(self.plan.networks.iter().map(|network| network.name.as_str()));
        }
        scope.unknown(text, if or_network { "port or network" } else { "port" }, &names);
        None
    }

    /// A leg of that network.
    fn leg_on(&self, scope: &mut Scope, text: &Spanned<String>, network: Option<&str>) -> Option<String> {
        let hint = "the member is to be on a port of the network `from`";
        legs::find(scope, text, network?, self.plan, hint).map(|leg| leg.name.to_owned())
    }

    /// Without a spanning tree every port forwards as soon as it is up.
    fn check_tree(&self, scope: &mut Scope, text: &Spanned<String>, leg: &str) {
        let network = self.plan.leg(leg).and_then(|leg| self.plan.network(leg.network));
        if network.is_some_and(|network| network.bridge.stp.mode == StpMode::Off) {
            scope
                .warn(
                    text.span(),
                    "no spanning tree",
                    format!("{leg:?} is on a network without a spanning tree"),
                )
                .help("write stp = true in its [[network]]");
        }
    }

    fn check_station(&self, scope: &mut Scope, text: &Spanned<String>, network: &str, node: &str) {
        let of_node = |port: &&Port| port.netns == Netns::Node(node.to_owned());
        if self.ports.iter().filter(of_node).any(|port| port.network == network) {
            return;
        }
        let message = format!("node {node:?} has no interface on network {network:?}");
        scope
            .error(text.span(), "nothing to learn", message)
            .help("name a node that is plugged into the network");
    }
}

/// An address with a port, such as `example` with one.
fn endpoint(scope: &mut Scope, text: &Spanned<String>, example: &str) -> Option<SocketAddr> {
    let given = text.get_ref();
    let endpoint = given.parse::<SocketAddr>().ok().filter(|endpoint| endpoint.port() != 0);
    if endpoint.is_none() {
        let help = match given.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => format!("add a port: \"{ip}:80\""),
            Ok(IpAddr::V6(ip)) => format!("add a port: \"[{ip}]:80\""),
            Err(_) => format!("write an address and a port, like \"{example}:80\""),
        };
        let message = format!("{given:?} is not an address with a port");
        scope.error(text.span(), "not an endpoint", message).help(help);
    }
    endpoint
}

fn reason(scope: &mut Scope, text: &Spanned<String>) -> Option<Reason> {
    let reason = Reason::from_name(text.get_ref());
    if reason.is_none() {
        let names = Reason::ALL.map(Reason::name);
        scope
            .error(text.span(), "not a reason", format!("no frame is dropped for {:?}", text.get_ref()))
            .help(suggest::hint(text.get_ref(), "the reasons are", &names));
    }
    reason
}

fn route(scope: &mut Scope, text: &Spanned<String>) -> Option<IpNet> {
    let given = text.get_ref();
    let Ok(net) = given.parse::<IpNet>() else {
        scope
            .error(text.span(), "not a route", format!("{given:?} is not a destination"))
            .help("write a network and the length of its prefix, like \"192.168.50.0/24\"");
        return None;
    };
    address::destination(scope, text.span(), net)
}
