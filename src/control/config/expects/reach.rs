//! Whom a probe reaches: somebody's address, a port that a router publishes, what is beyond a router, and whom the
//! other side then sees.

use std::net::{IpAddr, SocketAddr};

use toml::Spanned;

use super::{Lab, endpoint};
use crate::control::config::scope::Scope;
use crate::control::plan::{NatKind, Netns, Place, Probe, Seen};
use crate::router::policy::config::Protocol;

impl Lab<'_> {
    /// Where to, and the address that must be seen there.
    pub(super) fn endpoint(
        &self,
        scope: &mut Scope,
        text: &Spanned<String>,
        protocol: Protocol,
    ) -> Option<(SocketAddr, Option<Seen>)> {
        let to = endpoint(scope, text, "192.168.50.5")?;
        self.check_owner(scope, text, to.ip(), false);
        let reached = self.plan.reached(protocol, to);
        if self.succeed && reached.is_none() && self.plan.router_place(to.ip()).is_some() {
            let message = format!("no guest of this file answers at {} {to}", protocol.name());
            scope.warn(text.span(), "a router's address", message).help(
                "publish the port for a guest ([[router.publish]]), or write result = \"fail\" if nobody is to answer",
            );
        }
        let sees = self.sees(scope, text, to.ip(), reached.is_some());
        Some((to, sees))
    }

    /// Whom whoever answers is to see.
    pub(super) fn sees(
        &self,
        scope: &mut Scope,
        to: &Spanned<String>,
        address: IpAddr,
        is_ours: bool,
    ) -> Option<Seen> {
        if let (Some(span), true) = (self.raw.keeps_port.span(), self.raw.sees.is_absent()) {
            scope
                .error(span, "by whom?", "`keeps_port` without `sees`")
                .help("add the address that it must be seen to come from, like sees = \"192.168.178.27\"");
        }
        let text = self.raw.sees.given()?;
        let sees = scope.ip(text, "192.168.178.27")?;
        if sees.is_ipv4() != address.is_ipv4() {
            let message = format!("who answers at {address} cannot see {sees}");
            scope.error(text.span(), "the other family", message).also(to.span(), "where to");
            return None;
        }
        if !self.succeed {
            scope
                .error(text.span(), "by whom?", "`sees` is about an attempt that succeeds")
                .help("remove it, or result = \"fail\"");
            return None;
        }
        if !is_ours {
            let message = format!("no machine of this file answers at {}", to.get_ref());
            scope
                .error(text.span(), "by whom?", message)
                .also(to.span(), "where to")
                .help("only a node or the host can tell whom it sees");
            return None;
        }
        Some(Seen { address: sees, keeps_port: self.raw.keeps_port.value().copied() })
    }

    /// Who is behind which kind of NAT, as seen from where.
    pub(super) fn nat(&self, scope: &mut Scope, from: Option<Place>, to: &Spanned<String>) -> Option<Probe> {
        let kind = scope.word(to, "to", &NatKind::ALL.map(|kind| (kind.name(), kind)));
        let hint = "the node beyond the NAT that is talked to, which has two addresses";
        let text = scope.required(&self.raw.at, &self.raw.span, "at", hint)?;
        let at = self.node(scope, text, false)?;
        if from == Some(Place::Node(at.clone())) {
            let message = format!("there is no NAT between {at:?} and itself");
            scope.error(text.span(), "the one who asks", message).help("name a node beyond the router");
            return None;
        }
        let addresses = self.addresses_of(&at);
        let of = |is_ipv4: bool| -> Option<[IpAddr; 2]> {
            let mut family = addresses.iter().filter(|ip| ip.is_ipv4() == is_ipv4);
            Some([*family.next()?, *family.next()?])
        };
        let Some(servers) = of(true).or_else(|| of(false)) else {
            let message = format!("node {at:?} does not have two addresses of a family");
            scope.error(text.span(), "one is not enough", message).help(
                "which strangers a NAT lets in only shows with a second address, as for any STUN server",
            );
            return None;
        };
        Some(Probe::Nat { from: from?, at, servers, kind: kind? })
    }

    /// In the order of the file.
    fn addresses_of(&self, node: &str) -> Vec<IpAddr> {
        let netns = Netns::Node(node.to_owned());
        let ports = self.ports.iter().filter(|port| port.netns == netns).map(|port| &port.interface);
        let node = self.nodes.iter().find(|other| other.name == node);
        let cables = node.iter().flat_map(|node| &node.cables).map(|cable| &cable.interface);
        let bridges = node.iter().flat_map(|node| &node.bridges).flat_map(|bridge| &bridge.address);
        ports.chain(cables).flat_map(|it| &it.address).chain(bridges).map(|net| net.addr()).collect()
    }

    /// Warns of an address that nobody has, where somebody should. Beyond a router may be anybody.
    pub(super) fn check_owner(&self, scope: &mut Scope, text: &Spanned<String>, ip: IpAddr, always: bool) {
        if ip.is_loopback() || self.plan.owner(ip).is_some() || self.plan.router_place(ip).is_some() {
            return;
        }
        let message = format!("nobody in this file has the address {ip}");
        if always {
            scope.error(text.span(), "whose?", message).help(
                "the probe compares with the hardware address of its owner, so it must be an interface's",
            );
        } else if self.succeed && !self.is_routed(ip) {
            scope
                .warn(text.span(), "whose?", message)
                .help("if it is meant to be unreachable, write result = \"fail\"");
        }
    }

    /// Whether a router sends it on to a router that is not of this file, or onto a wire.
    fn is_routed(&self, ip: IpAddr) -> bool {
        let mut routes = self.plan.routers.iter().flat_map(|router| &router.routes);
        routes.any(|route| {
            let is_ours =
                |via: IpAddr| self.plan.owner(via).is_some() || self.plan.router_place(via).is_some();
            route.to.contains(&ip) && !route.via.is_some_and(is_ours)
        })
    }
}
