//! How the gateway is set up, and what whoever configures it does while packets pass.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use vswitchd::bridge::{BridgeConfig, LegConfig, Promiscuous};
use vswitchd::fabric::Change;
use vswitchd::frame::{Leg, LegIndex, NodeId, Plug, PortId};
use vswitchd::router::Settings;
use vswitchd::router::interface::{Inside, Interface, ReversePath, Role, SourceNat};
use vswitchd::router::nat::ports::{Filtering, Mapping};
use vswitchd::router::policy::config::{
    Action, Config, Invalid, Log, Protocol, Publish, Reject, Rule, States,
};

use super::{NETWORKS, PORTS, ROUTER, WORLD, link};
use crate::bodies::gate::{GATES, address, gate_mac};
use crate::bodies::input::Input;

/// What may occur.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taste {
    /// Guests are always masqueraded, and nothing passes that is of no flow.
    pub(super) strict: bool,
    /// The router follows hardly any session.
    crowded: bool,
}

impl Taste {
    pub(super) fn of(input: &mut Input<'_>) -> Self {
        let [loose, crowded, ..] = input.flags();
        Self { strict: !loose, crowded }
    }

    pub(super) fn setup(self) -> Vec<Change> {
        let mut plain = Input(&[]);
        let mut setup: Vec<_> = (0..NETWORKS)
            .map(|network| Change::AddBridge(NodeId(network), BridgeConfig::default()))
            .collect();
        setup.extend((0..PORTS.len() as u16).map(add_port));
        setup.extend(self.router(&mut plain));
        setup
    }

    /// A router with all that belongs to it.
    fn router(self, input: &mut Input<'_>) -> Vec<Change> {
        let mut changes = vec![Change::AddRouter(ROUTER, self.settings(input))];
        changes.extend((0..NETWORKS).map(|network| self.add_interface(network, input)));
        changes.extend(ways_on().map(|(to, via)| Change::AddRoute(ROUTER, to, Some(via), None)));
        changes.push(Change::SetPolicy(ROUTER, Box::new(self.policy(input))));
        changes
    }

    pub(super) fn changes(self, input: &mut Input<'_>) -> Vec<Change> {
        let network = u16::from(input.below(NETWORKS as u8));
        let port = u16::from(input.below(PORTS.len() as u8));
        let change = match input.below(14) {
            0..3 => Change::SetPolicy(ROUTER, Box::new(self.policy(input))),
            3..5 => Change::ConfigureInterface(link(network), Box::new(self.interface(network, input))),
            5 => Change::RemoveLink(link(network)),
            6 => self.add_interface(network, input),
            7 => {
                let (to, via) = ways_on()[usize::from(input.below(2))];
                match input.byte() & 1 == 0 {
                    true => Change::RemoveRoute(ROUTER, to, Some(via)),
                    false => Change::AddRoute(ROUTER, to, Some(via), None),
                }
            }
            8 => Change::ConfigureRouter(ROUTER, self.settings(input)),
            9 => Change::RemovePort(PortId(port)),
            10 => add_port(port),
            11 => Change::SetPortUp(PortId(port), input.byte() & 1 == 0),
            12 => {
                // all at once: nobody is to see a router without its rules
                let mut changes: Vec<_> =
                    (0..NETWORKS).map(|network| Change::RemoveLink(link(network))).collect();
                changes.push(Change::RemoveRouter(ROUTER));
                changes.extend(self.router(input));
                return changes;
            }
            _ => {
                let [isolated, watching, hairpin, private, ..] = input.flags();
                let promiscuous = if watching { Promiscuous::Monitor } else { Promiscuous::Deny };
                match private {
                    true => {
                        let config = BridgeConfig { icc: !isolated, ..BridgeConfig::default() };
                        Change::ConfigureBridge(NodeId(network), config)
                    }
                    false => {
                        let config = LegConfig { isolated, hairpin, promiscuous, ..LegConfig::default() };
                        Change::ConfigureLeg(Plug::Port(PortId(port)), config)
                    }
                }
            }
        };
        vec![change]
    }

    fn settings(self, input: &mut Input<'_>) -> Settings {
        let [fewer, short, loose_tcp, ..] = input.flags();
        let sessions_max = if self.crowded || fewer { 3 } else { 300 };
        let mut settings = Settings { sessions_max, ..Settings::default() };
        if short {
            (settings.conntrack.udp, settings.conntrack.udp_stream) =
                (Duration::ZERO, Duration::from_secs(1));
        }
        settings.conntrack.tcp.loose = !loose_tcp;
        settings
    }

    fn add_interface(self, network: u16, input: &mut Input<'_>) -> Change {
        let at = Leg { node: ROUTER, leg: LegIndex(network) };
        Change::AddInterface(link(network), at, NodeId(network), Box::new(self.interface(network, input)))
    }

    fn interface(self, network: u16, input: &mut Input<'_>) -> Interface {
        let [internal, apart, narrow, clamps, quiet, readdressed, single, odd] = input.flags();
        let mut nets: Vec<IpNet> =
            GATES[usize::from(network)].map(|net| net.parse().expect("a prefix")).to_vec();
        if readdressed && network == WORLD {
            nets = ["192.0.2.5/24", "2001:db8::5/64"].map(|net| net.parse().expect("a prefix")).to_vec();
        }
        if single {
            nets.truncate(1);
        }
        let role = if network == WORLD { Role::Outside } else { Role::Inside };
        let mut interface = Interface::new(gate_mac(network), nets, role);
        interface.inside =
            Inside { internal: internal && network != WORLD, icc: !apart, ..Inside::default() };
        (interface.mtu, interface.clamp_mss) = (if narrow { 1280 } else { 1500 }, clamps);
        interface.redirects = !quiet;
        if odd {
            interface.mtu = input.pick(&[68, 576, 9000, 65535]);
            interface.tcp_reset = input.byte() & 1 == 0;
        }
        if !self.strict {
            interface.role = input.pick(&[role, Role::Plain, Role::Inside, Role::Outside]);
            interface.reverse_path = input.pick(&[ReversePath::Off, ReversePath::Loose, ReversePath::Strict]);
            let range = SourceNat::To(address("192.0.2.100"), address("192.0.2.101"));
            interface.inside.source_nat = input.pick(&[SourceNat::Masquerade, SourceNat::None, range]);
        }
        interface
    }

    fn policy(self, input: &mut Input<'_>) -> Config {
        let [unpublished, cone, symmetric, ruled, elsewhere, scarce, restricted, allowed] = input.flags();
        let allow_from = if allowed { vec!["192.0.2.0/24".parse().expect("a prefix")] } else { vec![] };
        let publish = |protocol, port, last, to: &str, to_port| Publish {
            listen: None,
            protocol,
            ports: (port, last),
            to: address(to),
            to_port,
            allow_from: allow_from.clone(),
        };
        let guest = if elsewhere { "10.0.0.3" } else { "10.0.0.2" };
        let publishes = vec![
            publish(Protocol::Tcp, 80, 80, guest, 8080),
            publish(Protocol::Udp, 53, 53, guest, 53),
            publish(Protocol::Udp, 4000, 4001, "10.1.0.2", 4000),
            publish(Protocol::Sctp, 53, 80, guest, 1),
            publish(Protocol::Tcp, 80, 80, "fd00::2", 80),
            publish(Protocol::Udp, 53, 53, "fd01::2", 53),
        ];
        let rules = if ruled { (0..input.below(4)).map(|_| self.rule(input)).collect() } else { vec![] };
        Config {
            publishes: if unpublished { vec![] } else { publishes },
            rules,
            invalid: if self.strict { Invalid::Drop } else { input.pick(&[Invalid::Drop, Invalid::Accept]) },
            mapping: match (cone, symmetric) {
                (true, _) => Mapping::EndpointIndependent,
                (false, true) => Mapping::Symmetric,
                (false, false) => Mapping::Kernel,
            },
            filtering: match (cone, restricted) {
                (true, true) => Filtering::Address,
                (true, false) => Filtering::None,
                (false, _) => Filtering::AddressAndPort,
            },
            ports: scarce.then_some((40_000, 40_001)),
        }
    }

    fn rule(self, input: &mut Input<'_>) -> Rule {
        let log = || Action::Log(Log { prefix: "fuzz ".to_owned(), limit: 2 });
        let rejects =
            [Reject::PortUnreachable, Reject::TcpReset, Reject::AdminProhibited, Reject::HostUnreachable];
        let action = match input.below(if self.strict { 4 } else { 5 }) {
            0 => log(),
            1 => Action::Drop,
            2 => Action::Reject(input.pick(&rejects)),
            3 => Action::Return,
            _ => Action::Accept,
        };
        let [from, to, with_source, with_port, new, established, udp, tcp] = input.flags();
        let mut states = States::default();
        if new {
            states = states.and(States::NEW);
        }
        if established {
            states = states.and(States::ESTABLISHED);
        }
        Rule {
            from: from.then(|| LegIndex(input.below(4).into())),
            to: to.then(|| LegIndex(input.below(4).into())),
            source: if with_source { vec!["10.0.0.2/31".parse().expect("a prefix")] } else { vec![] },
            destination: vec![],
            protocol: if udp { Some(17) } else { tcp.then_some(6) },
            ports: if with_port { vec![(input.byte().into(), 4000)] } else { vec![] },
            source_ports: vec![],
            states,
            action,
        }
    }
}

fn add_port(port: u16) -> Change {
    let promiscuous = if port >= 5 { Promiscuous::Monitor } else { Promiscuous::Deny };
    let config = LegConfig { promiscuous, ..LegConfig::default() };
    Change::AddPort(PortId(port), NodeId(PORTS[usize::from(port)]), config)
}

fn ways_on() -> [(IpNet, IpAddr); 2] {
    [("0.0.0.0/0", "192.0.2.254"), ("::/0", "2001:db8::fe")]
        .map(|(to, via)| (to.parse().expect("a prefix"), address(via)))
}
