//! The legs of a router as IP sees them: addresses, MTU, role.
//!
//! The host model is the weak one, as Linux's (N56): an address belongs to the router, not to the leg it was given to. ARP
//! for it is answered on every leg, and a packet to it is for the router wherever it comes in. Link-local addresses of
//! IPv6 are the exception, because they mean something only on their own wire; every leg has one, derived from its MAC
//! (RFC 4291 appendix A). All local addresses are in one sorted list, so that "is this me?" is one binary search however
//! many legs there are.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::frame::{LEGS_MAX, LegIndex};
use crate::wire::datagram;
use crate::wire::mac::Mac;

/// The least MTU of a leg: what IPv4 demands of every link (RFC 791).
pub const MTU_MIN: u16 = 68;
/// The least MTU of a link that IPv6 goes over (RFC 8200 §5).
pub const MTU_MIN_IPV6: u16 = 1280;

/// What is behind a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Guests: Docker's rules are for them.
    Inside,
    /// The rest of the world.
    Outside,
    /// A network like any other.
    #[default]
    Plain,
}

/// Which packets are believed to come from where they say (`rp_filter`, N54).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReversePath {
    /// Those whose source there is any route to.
    Loose,
    /// All: the kernel's own default.
    #[default]
    Off,
    /// Those whose answer would leave through the leg they came in on.
    Strict,
}

/// How Docker's rules treat the guests behind a leg; without meaning unless its role is [`Role::Inside`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inside {
    /// Nobody comes in, nobody goes out (C20, M6).
    pub internal: bool,
    /// Guests may talk to each other through the router (C9); on the network itself that is the bridge's to say.
    pub icc: bool,
    /// What becomes of the source of what leaves through another leg (C15).
    pub source_nat: SourceNat,
}

impl Default for Inside {
    fn default() -> Self {
        Self { internal: false, icc: true, source_nat: SourceNat::Masquerade }
    }
}

/// What becomes of a source address on the way out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SourceNat {
    /// It becomes that of the leg it leaves through (P1).
    #[default]
    Masquerade,
    /// It stays.
    None,
    /// It becomes one of these, from the first to the last (`SNAT --to-source`).
    To(IpAddr, IpAddr),
}

/// A leg as it was configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its hardware address.
    pub mac: Mac,
    /// Its addresses with the prefix of the wire.
    pub addresses: Vec<IpNet>,
    /// Bytes of the largest packet, IP header included; at least [`MTU_MIN`].
    pub mtu: u16,
    /// What is behind it.
    pub role: Role,
    /// How guests are treated, if those are behind it.
    pub inside: Inside,
    /// Whom to believe.
    pub reverse_path: ReversePath,
    /// Whether a TCP segment to a port of the router is answered with a reset (N56) instead of silence (RFC 5382 REQ-4).
    pub tcp_reset: bool,
    /// Whether the MSS of connections that leave here is clamped to the path's MTU (N53).
    pub clamp_mss: bool,
    /// Whether senders are told of a better way (`send_redirects`, N58).
    pub redirects: bool,
}

impl Interface {
    /// A leg with the kernel's defaults, but for two: resets only where nobody can hide (RFC 5382 REQ-4), and guests are
    /// not believed to be somebody else, whom no rule would translate (N54).
    pub fn new(mac: Mac, addresses: Vec<IpNet>, role: Role) -> Self {
        Self {
            mac,
            addresses,
            mtu: 1500,
            role,
            inside: Inside::default(),
            reverse_path: if role == Role::Inside { ReversePath::Strict } else { ReversePath::Off },
            tcp_reset: role != Role::Outside,
            clamp_mss: false,
            redirects: true,
        }
    }

    /// The address that IPv6 derives from the MAC.
    pub const fn link_local(&self) -> Ipv6Addr {
        let [a, b, c, d, e, f] = self.mac.0;
        Ipv6Addr::from_octets([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
    }

    /// Whether an address is on this wire.
    pub fn on_link(&self, address: IpAddr) -> bool {
        is_link_local(address) || self.addresses.iter().any(|net| net.contains(&address))
    }

    /// Which of its addresses speaks to `target`: the first on the target's prefix, else the first of its family; of IPv6
    /// the link-local one if there is no other, or if the target has no other either.
    pub fn source_for(&self, target: IpAddr) -> Option<IpAddr> {
        if is_link_local(target) {
            return Some(self.link_local().into());
        }
        let family = || self.addresses.iter().filter(|net| net.addr().is_ipv4() == target.is_ipv4());
        let nearest = family().find(|net| net.contains(&target)).or_else(|| family().next());
        let fallback = || target.is_ipv6().then(|| self.link_local().into());
        nearest.map(|net| net.addr()).or_else(fallback)
    }

    /// The addresses that mean everybody on this wire; prefixes of one or two addresses have none (RFC 3021).
    fn broadcasts(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.addresses.iter().filter_map(|net| match net {
            IpNet::V4(net) => (net.prefix_len() < 31).then(|| net.broadcast()),
            IpNet::V6(_) => None,
        })
    }
}

/// Whether an address means something only on its own wire. Those of IPv4 are routed like any (N55).
pub const fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// All legs, and who the router is.
#[derive(Debug, Default)]
pub struct Interfaces {
    /// By [`LegIndex`].
    legs: Vec<Option<Interface>>,
    /// Every local address with the leg it was given to, sorted.
    locals: Vec<(u128, LegIndex)>,
    /// Every address that means everybody on the wire of a leg, sorted.
    broadcasts: Vec<(Ipv4Addr, LegIndex)>,
}

impl Interfaces {
    /// Sets a leg, or takes it away.
    pub fn set(&mut self, leg: LegIndex, interface: Option<Interface>) {
        let index = usize::from(leg.0);
        debug_assert!(index < LEGS_MAX);
        if self.legs.len() <= index {
            self.legs.resize(index + 1, None);
        }
        self.legs[index] = interface;
        self.locals.clear();
        self.broadcasts.clear();
        for (leg, interface) in self.legs.iter().enumerate() {
            let leg = LegIndex(leg as u16);
            let Some(interface) = interface else { continue };
            let given = interface.addresses.iter().map(|net| (key(net.addr()), leg));
            self.locals.extend(given);
            self.locals.push((key(interface.link_local().into()), leg));
            self.broadcasts.extend(interface.broadcasts().map(|address| (address, leg)));
        }
        self.locals.sort_unstable();
        self.broadcasts.sort_unstable();
    }

    /// The leg.
    #[inline]
    pub fn get(&self, leg: LegIndex) -> Option<&Interface> {
        self.legs.get(usize::from(leg.0))?.as_ref()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (LegIndex, &Interface)> {
        let numbered = self.legs.iter().enumerate();
        numbered.filter_map(|(leg, interface)| Some((LegIndex(leg as u16), interface.as_ref()?)))
    }

    /// Whether an address is the router's, seen from that leg (N56).
    #[inline]
    pub fn is_local(&self, leg: LegIndex, address: IpAddr) -> bool {
        let wanted = key(address);
        let at = self.locals.partition_point(|(local, _)| *local < wanted);
        let mut same = self.locals[at..].iter().take_while(|(local, _)| *local == wanted);
        same.any(|(_, owner)| !is_link_local(address) || *owner == leg)
    }

    /// Whether an address means everybody on the wire of some leg, and which.
    pub fn broadcast(&self, address: IpAddr) -> Option<LegIndex> {
        let IpAddr::V4(address) = address else { return None };
        let at = self.broadcasts.partition_point(|(other, _)| *other < address);
        self.broadcasts.get(at).filter(|(other, _)| *other == address).map(|(_, leg)| *leg)
    }
}

fn key(address: IpAddr) -> u128 {
    u128::from_be_bytes(datagram::octets(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn interface(last: u8, nets: &[&str]) -> Interface {
        let nets = nets.iter().map(|net| net.parse().expect("a prefix")).collect();
        Interface::new(Mac([2, 0, 0, 0, 0, last]), nets, Role::Plain)
    }

    #[test]
    fn who_the_router_is() {
        let mut all = Interfaces::default();
        all.set(LegIndex(1), Some(interface(1, &["10.0.0.1/24", "2001:db8::1/64"])));
        all.set(LegIndex(3), Some(interface(3, &["10.9.0.1/31"])));
        let table = [
            (1, "10.0.0.1", true, "its own"),
            (3, "10.0.0.1", true, "N56: the weak host answers on every leg"),
            (3, "2001:db8::1", true, "of IPv6 just as well"),
            (1, "fe80::ff:fe00:1", true, "derived from the MAC"),
            (3, "fe80::ff:fe00:1", false, "a link-local address is of one wire"),
            (1, "10.0.0.2", false, "somebody else's"),
        ];
        for (leg, address, local, why) in table {
            assert_eq!(all.is_local(LegIndex(leg), ip(address)), local, "{why}");
        }
        assert_eq!(all.broadcast(ip("10.0.0.255")), Some(LegIndex(1)));
        assert_eq!(all.broadcast(ip("10.9.0.1")), None, "RFC 3021: two addresses, no broadcast");
        assert_eq!(all.broadcast(ip("10.0.0.0")), None, "the network's number is no broadcast since 5.14");
        all.set(LegIndex(1), None);
        assert!(!all.is_local(LegIndex(3), ip("10.0.0.1")), "gone with its leg");
        assert_eq!(all.iter().count(), 1);
    }

    #[test]
    fn who_speaks() {
        let leg = interface(1, &["10.0.0.1/24", "10.1.0.1/24", "2001:db8::1/64"]);
        let table = [
            ("10.1.0.9", Some("10.1.0.1"), "on the prefix of the one that is asked"),
            ("8.8.8.8", Some("10.0.0.1"), "the first"),
            ("2001:db8::9", Some("2001:db8::1"), "of its own family"),
            ("fe80::9", Some("fe80::ff:fe00:1"), "to link-local from link-local"),
        ];
        for (target, source, why) in table {
            assert_eq!(leg.source_for(ip(target)), source.map(ip), "{why}");
        }
        assert_eq!(interface(1, &[]).source_for(ip("8.8.8.8")), None, "no IPv4 here");
        let bare = interface(1, &[]).source_for(ip("2001:db8::9"));
        assert_eq!(bare, Some(ip("fe80::ff:fe00:1")), "better than nobody");
    }
}
