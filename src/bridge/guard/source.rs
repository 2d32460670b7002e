//! Source guard: a leg sends only as whom it was permitted to.
//!
//! A [`SourceGuard`] is the list of a leg's [`Permit`]s; an empty one lets everything pass. Frames are held
//! against it by all that they claim about their sender (`wire::source`), so that the address of a neighbour
//! cannot be taken in an ARP packet either. The rules, in the order in which they are asked:
//!
//! 1. With MACs permitted, the Ethernet source must be one of them. With none, any may be used.
//! 2. ARP and neighbour discovery must not speak for another MAC than the one that the frame comes from: the
//!    sender's hardware address, and each link-layer address option that is about the sender. So a permitted
//!    MAC is all that neighbours can learn from this leg.
//! 3. With addresses permitted, of whatever family, every claimed address must be within one of them. Who has
//!    only IPv4 permitted sends no IPv6 at all, and the other way round. Frames without a network address
//!    pass.
//!
//! What a machine must be able to send before it uses an address passes too, if its family has a permit:
//!
//! - ARP requests from 0.0.0.0 that ask for a permitted address (probes, RFC 5227), and RARP requests from
//!   0.0.0.0
//! - DHCP from 0.0.0.0: a broadcast, UDP from port 68 to 67, in one piece
//! - IPv6 from `::` that asks whether a permitted address is free (RFC 4862), looks for a router, or reports
//!   the listeners of groups (RFC 3810); all to groups
//! - IPv6 from the link-local address that a permitted MAC makes (RFC 4291, appendix A), or with no MAC
//!   permitted the frame's own: DHCPv6 and nearly all of neighbour discovery need it. Machines that choose it
//!   otherwise (RFC 7217) need it among their permits, or all of `fe80::/10`.
//!
//! To be a router is not among them: advertisements and redirects pass only from an address that is permitted
//! by itself (`/128`), not as one of a network. A leg with nothing but MACs permitted is not asked about IP.
//!
//! Frames whose claims cannot be followed are refused for their addresses. What it never does: look into
//! tunnels, into what follows the first fragment, or at destinations.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

use crate::bridge::Permit;
use crate::frame::Passage;
use crate::wire::arp::{self, Arp};
use crate::wire::mac::Mac;
use crate::wire::ndp::{Message, Ndp};
use crate::wire::source::{Claim, Unreadable};

/// How many permits a leg may have: each frame is held against them one after the other.
pub const PERMITS_MAX: usize = 256;

/// Why a frame may not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Spoof {
    /// An IP address that the leg may not use, or none that can be made out.
    Ip,
    /// A MAC address that the leg may not use, or another one than the frame comes from.
    Mac,
}

/// Why a permit was not added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermitError {
    /// It is there already.
    Exists,
    /// There are [`PERMITS_MAX`].
    Full,
    /// Not an address of one station.
    Invalid,
}

/// The permits of a leg.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceGuard {
    /// Sorted.
    permits: Vec<Permit>,
}

impl SourceGuard {
    /// Permits a source.
    ///
    /// # Errors
    /// See [`PermitError`]; nothing has changed then.
    pub fn add(&mut self, permit: Permit) -> Result<(), PermitError> {
        if matches!(permit, Permit::Mac(mac) if !mac.is_station()) {
            return Err(PermitError::Invalid);
        }
        let permit = canonical(permit);
        match self.permits.binary_search(&permit) {
            Ok(_) => Err(PermitError::Exists),
            Err(_) if self.permits.len() >= PERMITS_MAX => Err(PermitError::Full),
            Err(at) => {
                self.permits.insert(at, permit);
                Ok(())
            }
        }
    }

    /// Permits it no more; says whether it was permitted.
    pub fn remove(&mut self, permit: Permit) -> bool {
        let found = self.permits.binary_search(&canonical(permit));
        found.map(|at| self.permits.remove(at)).is_ok()
    }

    /// Whether everybody may send.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.permits.is_empty()
    }

    /// The permits, in order.
    pub fn permits(&self) -> &[Permit] {
        &self.permits
    }

    /// Whether the frame may pass.
    ///
    /// # Errors
    /// What the frame claims and may not.
    #[inline]
    pub fn check(&self, frame: &Passage<'_>) -> Result<(), Spoof> {
        if self.is_empty() { Ok(()) } else { self.compare(frame) }
    }

    fn compare(&self, frame: &Passage<'_>) -> Result<(), Spoof> {
        let from = frame.headers.src;
        if self.macs().next().is_some() && !self.macs().any(|mac| mac == from) {
            return Err(Spoof::Mac);
        }
        let claim = claim(frame);
        let guards_ip = self.nets().next().is_some();
        match claim {
            Ok(Claim::Arp(arp)) if arp.sender_mac != from => Err(Spoof::Mac),
            Ok(Claim::Ndp(ndp)) if speaks_for_another(&ndp, from) => Err(Spoof::Mac),
            _ if !guards_ip => Ok(()),
            Ok(Claim::Arp(arp)) => self.arp(&arp),
            Ok(Claim::Ipv4 { source, dhcp }) => {
                let starting = dhcp && source.is_unspecified() && self.has(|net| matches!(net, IpNet::V4(_)));
                permit(starting || self.contains(source.into()))
            }
            Ok(Claim::Ipv6 { source, listener }) => {
                let starting = listener && source.is_unspecified() && frame.headers.dst.is_group();
                permit(if starting { self.guards_v6() } else { self.contains_v6(source, from) })
            }
            Ok(Claim::Ndp(ndp)) => self.ndp(&ndp, from, frame.headers.dst),
            Ok(Claim::Nothing) => Ok(()),
            Err(Unreadable) => Err(Spoof::Ip),
        }
    }

    fn arp(&self, arp: &Arp) -> Result<(), Spoof> {
        let asks = match arp.operation {
            arp::REQUEST => self.contains(arp.target_ip.into()),
            arp::REVERSE_REQUEST => self.has(|net| matches!(net, IpNet::V4(_))),
            _ => false,
        };
        permit(self.contains(arp.sender_ip.into()) || arp.sender_ip.is_unspecified() && asks)
    }

    fn ndp(&self, ndp: &Ndp, from: Mac, to: Mac) -> Result<(), Spoof> {
        let homeless = ndp.source.is_unspecified() && to.is_group();
        permit(match ndp.message {
            Message::Advertisement { target, .. } => {
                self.contains_v6(ndp.source, from) && self.contains_v6(target, from)
            }
            Message::Redirect | Message::RouterAdvertisement => self.names(ndp.source),
            Message::RouterSolicitation if homeless => self.guards_v6(),
            Message::Solicitation { target } if homeless => self.contains_v6(target, from),
            Message::RouterSolicitation | Message::Solicitation { .. } => self.contains_v6(ndp.source, from),
        })
    }

    fn macs(&self) -> impl Iterator<Item = Mac> + '_ {
        self.permits.iter().filter_map(|permit| match permit {
            Permit::Ip(_) => None,
            Permit::Mac(mac) => Some(*mac),
        })
    }

    fn nets(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.permits.iter().filter_map(|permit| match permit {
            Permit::Ip(net) => Some(*net),
            Permit::Mac(_) => None,
        })
    }

    fn has(&self, wanted: impl Fn(IpNet) -> bool) -> bool {
        self.nets().any(wanted)
    }

    fn guards_v6(&self) -> bool {
        self.has(|net| matches!(net, IpNet::V6(_)))
    }

    /// Nobody's address is in no network, were it all of them.
    fn contains(&self, address: IpAddr) -> bool {
        !address.is_unspecified() && self.has(|net| net.contains(&address))
    }

    /// As [`SourceGuard::contains`], or the link-local address that the MAC makes: `from`, which is
    /// permitted, or else the frame would not have come so far.
    fn contains_v6(&self, address: Ipv6Addr, from: Mac) -> bool {
        self.contains(address.into()) || address == link_local(from) && self.guards_v6()
    }

    /// Whether the address is permitted by itself.
    fn names(&self, address: Ipv6Addr) -> bool {
        self.has(|net| net.prefix_len() == 128 && net.addr() == IpAddr::V6(address))
    }
}

/// Whether a link-layer address that is given for the sender is not the one it sent from. The target of a
/// redirect is somebody else, and has one of its own.
fn speaks_for_another(ndp: &Ndp, from: Mac) -> bool {
    let target_link = ndp.target_link.filter(|_| ndp.message != Message::Redirect);
    [ndp.source_link, target_link].into_iter().flatten().any(|link| link != from)
}

fn permit(permitted: bool) -> Result<(), Spoof> {
    if permitted { Ok(()) } else { Err(Spoof::Ip) }
}

/// A network may be written with any of its addresses.
fn canonical(permit: Permit) -> Permit {
    match permit {
        Permit::Ip(net) => Permit::Ip(net.trunc()),
        Permit::Mac(_) => permit,
    }
}

/// What the frame claims. With two tags put in front of it on its way, its headers end at the second.
fn claim(frame: &Passage<'_>) -> Result<Claim, Unreadable> {
    let ether_type = match frame.edit.pushed() {
        [_, _, ..] => {
            let at = frame.edit.tail();
            let field = frame.bytes.get(at..at + 2).and_then(|field| field.first_chunk());
            u16::from_be_bytes(*field.ok_or(Unreadable)?)
        }
        _ => frame.headers.ether_type,
    };
    Claim::read(ether_type, frame.payload())
}

/// The link-local address that an interface with that MAC has (RFC 4291, appendix A).
fn link_local(mac: Mac) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    Ipv6Addr::from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

#[cfg(test)]
mod tests;
