//! Two networks of guests, and the rest of the world.

mod lines;
mod order;
mod outcomes;
mod properties;
mod published;
mod text;

use std::net::IpAddr;

use ipnet::IpNet;

use super::config::Protocol;
use super::*;
use crate::router::nat::track;
use crate::wire::mac::Mac;

/// The rest of the world.
const EXT: LegIndex = LegIndex(0);
/// The network of A and B.
const BR1: LegIndex = LegIndex(1);
/// The network of D.
const BR2: LegIndex = LegIndex(2);
/// The router's addresses, by leg.
const ROUTER: [(&str, &str); 3] =
    [("203.0.113.1/24", "2001:db8::1/64"), ("10.1.0.1/24", "fd01::1/64"), ("10.2.0.1/24", "fd02::1/64")];

/// A router without tracking: what happens to a packet that starts a flow.
struct World {
    legs: [Interface; 3],
    policy: Policy,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A rule ends it.
    Dropped(RuleId),
    /// It is for the router itself.
    Local,
    /// It leaves through that leg, to that place, from that address.
    Out(LegIndex, (IpAddr, u16), IpAddr),
    /// A rule ends it, and says so.
    Rejected(Reject, RuleId),
}

impl World {
    fn new(config: Config) -> Self {
        let mut legs = [0, 1, 2].map(|leg| {
            let role = if leg == 0 { Role::Outside } else { Role::Inside };
            let nets = [ROUTER[leg].0, ROUTER[leg].1].map(net);
            Interface::new(Mac([2, 0, 0, 0, 0, leg as u8]), nets.to_vec(), role)
        });
        legs[2].inside.icc = false;
        Self { legs, policy: Policy::new(config) }
    }

    fn leg(&self, leg: LegIndex) -> (LegIndex, &Interface) {
        (leg, &self.legs[usize::from(leg.0)])
    }

    /// The rules that a packet meets, and what they say.
    fn filter(
        &self,
        from: LegIndex,
        to: LegIndex,
        tuple: &Tuple,
        state: State,
        nat: bool,
    ) -> (Ruling, Vec<RuleId>) {
        let passing = Passing { from: self.leg(from), to: self.leg(to), tuple, state, destination_nat: nat };
        let mut visited = Vec::new();
        let ruling = self.policy.filter(&passing, &mut |rule| visited.push(rule));
        (ruling, visited)
    }

    /// Sends a packet that starts a flow.
    fn send(&self, from: LegIndex, mut tuple: Tuple) -> End {
        let ours = |address: Address| {
            self.legs.iter().any(|leg| leg.addresses.iter().any(|net| Address::from(net.addr()) == address))
        };
        let mut destination_nat = false;
        if ours(tuple.destination) {
            let Some((range, _)) = self.policy.destination(&tuple) else { return End::Local };
            assert_eq!(range.first, range.last);
            tuple.destination = range.first;
            (tuple.destination_port, destination_nat) = (range.ports.expect("a port").0, true);
        }
        let (to, _) = self.route(tuple.destination.ip(tuple.ipv6));
        let passing = Passing {
            from: self.leg(from),
            to: self.leg(to),
            tuple: &tuple,
            state: State::New,
            destination_nat,
        };
        match self.policy.filter(&passing, &mut |_| {}) {
            Ruling::Accept => {}
            Ruling::Drop(rule) => return End::Dropped(rule),
            Ruling::Reject(with, rule) => return End::Rejected(with, rule),
        }
        let place = (tuple.destination.ip(tuple.ipv6), tuple.destination_port);
        let source = match self.policy.source(&passing) {
            None => tuple.source.ip(tuple.ipv6),
            Some((SourceNat::Masquerade, _)) => {
                self.leg(to).1.source_for(place.0).expect("an address of that family")
            }
            Some((SourceNat::To(first, _), _)) => first,
            Some((SourceNat::None, _)) => unreachable!("then nothing is said"),
        };
        End::Out(to, place, source)
    }

    fn route(&self, to: IpAddr) -> (LegIndex, &Interface) {
        let on_link = [BR1, BR2].into_iter().find(|leg| self.leg(*leg).1.on_link(to));
        self.leg(on_link.unwrap_or(EXT))
    }
}

/// A packet of TCP, or of ICMP if it is to port 0: an echo.
fn packet(from: &str, to: &str, port: u16) -> Tuple {
    let (source, destination) = (ip(from), ip(to));
    let ipv6 = source.is_ipv6();
    let (protocol, port) = match port {
        0 if ipv6 => (58, 0x8000),
        0 => (1, 0x0800),
        port => (6, port),
    };
    Tuple {
        source: source.into(),
        destination: destination.into(),
        source_port: 40000,
        destination_port: port,
        protocol,
        ipv6,
    }
}

fn publish(listen: Option<&str>, ports: (u16, u16), to: &str, to_port: u16) -> Publish {
    Publish {
        listen: listen.map(ip),
        protocol: Protocol::Tcp,
        ports,
        to: ip(to),
        to_port,
        allow_from: vec![],
    }
}

fn rule(action: Action) -> Rule {
    Rule { action, ..Rule::default() }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn net(text: &str) -> IpNet {
    text.parse().expect("a prefix")
}
