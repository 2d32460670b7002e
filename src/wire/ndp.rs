//! Neighbour discovery (RFC 4861): what ICMPv6 says about who has which address.
//!
//! [`Ndp::parse`] takes an IPv6 header apart from its payload, so that whoever finds the ICMPv6 message
//! (behind extension headers or not, see `wire::source`) decides what to make of how it was wrapped. It is as
//! strict as RFC 4861 §6.1 and §7.1 about the form, because a receiver throws away what is not; hop limit and
//! checksum are facts of the message (`hop_limit`, [`checksum_holds`]), for its reader to judge: a frame from
//! a guest may have a checksum that is yet to be completed.
//!
//! Link-layer addresses are Ethernet's. An option that is given twice with two values is an error, not a
//! choice: the receivers disagree about which counts. No more than [`OPTIONS_MAX`] options are looked at.

use std::net::Ipv6Addr;

use super::checksum;
use super::mac::Mac;

/// The protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;
/// How many options a message may have to be read.
pub const OPTIONS_MAX: usize = 32;
/// Bytes of an advertisement or a solicitation as they are made here, IPv6 header included.
pub const ADVERTISEMENT_LEN: usize = 72;
/// What every message of neighbour discovery is sent with, so that none comes from farther than the wire.
pub const HOP_LIMIT: u8 = 255;

/// Everybody on the wire.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const ROUTER_SOLICITATION: u8 = 133;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;

const OPTION_SOURCE_LINK: u8 = 1;
const OPTION_TARGET_LINK: u8 = 2;

const FLAG_ROUTER: u8 = 0x80;
const FLAG_SOLICITED: u8 = 0x40;
const FLAG_OVERRIDE: u8 = 0x20;

/// A message with the addresses it was sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ndp {
    /// The IPv6 source; `::` while the sender has no address yet.
    pub source: Ipv6Addr,
    /// The IPv6 destination.
    pub destination: Ipv6Addr,
    /// [`HOP_LIMIT`], or it was not sent on this wire.
    pub hop_limit: u8,
    /// What it says.
    pub message: Message,
    /// The link-layer address that the source says it has.
    pub source_link: Option<Mac>,
    /// The link-layer address that the target is said to have.
    pub target_link: Option<Mac>,
}

/// The five messages. Alphabetical.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// I have that address.
    Advertisement {
        /// Whose.
        target: Ipv6Addr,
        /// The sender is a router.
        router: bool,
        /// Somebody had asked.
        solicited: bool,
        /// What is remembered of the target may be replaced.
        replace: bool,
    },
    /// There is a better way.
    Redirect,
    /// I am a router.
    RouterAdvertisement,
    /// Is there a router?
    RouterSolicitation,
    /// Who has that address?
    Solicitation {
        /// Which.
        target: Ipv6Addr,
    },
}

/// It is neighbour discovery, but nothing that a receiver would accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Ndp {
    /// Reads an ICMPv6 message sent from `source` to `destination`; `icmp` ends where the IPv6 payload does.
    /// `None` if it is about something else.
    pub fn parse(
        source: Ipv6Addr,
        destination: Ipv6Addr,
        hop_limit: u8,
        icmp: &[u8],
    ) -> Result<Option<Self>, Malformed> {
        let [kind @ ROUTER_SOLICITATION..=REDIRECT, code, ..] = *icmp else { return Ok(None) };
        let fixed = match kind {
            ROUTER_SOLICITATION => 8,
            ROUTER_ADVERTISEMENT => 16,
            REDIRECT => 40,
            _ => 24,
        };
        let (head, options) = icmp.split_at_checked(fixed).ok_or(Malformed)?;
        if code != 0 {
            return Err(Malformed);
        }
        let message = match kind {
            ROUTER_SOLICITATION => Message::RouterSolicitation,
            ROUTER_ADVERTISEMENT => Message::RouterAdvertisement,
            REDIRECT => Message::Redirect,
            NEIGHBOUR_SOLICITATION => Message::Solicitation { target: target(head)? },
            _ => Message::Advertisement {
                target: target(head)?,
                router: head[4] & FLAG_ROUTER != 0,
                solicited: head[4] & FLAG_SOLICITED != 0,
                replace: head[4] & FLAG_OVERRIDE != 0,
            },
        };
        let (source_link, target_link) = link_addresses(options)?;
        // §7.1.1, §6.1.1: who has no address cannot say where it is
        if source.is_unspecified() && source_link.is_some() {
            return Err(Malformed);
        }
        Ok(Some(Self { source, destination, hop_limit, message, source_link, target_link }))
    }
}

/// Whether the checksum of an ICMPv6 message is right.
pub fn checksum_holds(source: Ipv6Addr, destination: Ipv6Addr, icmp: &[u8]) -> bool {
    sum(source, destination, icmp) == 0xffff
}

/// The IPv6 packet that tells `asker` that `target` is at `mac`: solicited, and to replace what was known
/// before.
pub fn advertisement(target: Ipv6Addr, mac: Mac, router: bool, asker: Ipv6Addr) -> [u8; ADVERTISEMENT_LEN] {
    let flags = FLAG_SOLICITED | FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    message(NEIGHBOUR_ADVERTISEMENT, flags, (target, OPTION_TARGET_LINK, mac), target, asker)
}

/// The same to all nodes: how one who asks without an address learns that it is taken (RFC 4861 §7.2.4).
pub fn announcement(target: Ipv6Addr, mac: Mac, router: bool) -> [u8; ADVERTISEMENT_LEN] {
    let flags = FLAG_OVERRIDE | if router { FLAG_ROUTER } else { 0 };
    message(NEIGHBOUR_ADVERTISEMENT, flags, (target, OPTION_TARGET_LINK, mac), target, ALL_NODES)
}

/// The IPv6 packet in which `asker`, at `mac`, asks who has `target`: all who may have it, or only `destination`.
pub fn solicitation(
    target: Ipv6Addr,
    asker: Ipv6Addr,
    mac: Mac,
    destination: Option<Ipv6Addr>,
) -> [u8; ADVERTISEMENT_LEN] {
    let destination = destination.unwrap_or(solicited_node(target));
    message(NEIGHBOUR_SOLICITATION, 0, (target, OPTION_SOURCE_LINK, mac), asker, destination)
}

/// The group of those who may have an address (RFC 4291 §2.7.1).
pub const fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = target.octets();
    Ipv6Addr::from_octets([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The hardware address of an IPv6 group (RFC 2464 §7).
pub const fn group_mac(group: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = group.octets();
    Mac([0x33, 0x33, a, b, c, d])
}

fn message(
    kind: u8,
    flags: u8,
    (target, option, mac): (Ipv6Addr, u8, Mac),
    source: Ipv6Addr,
    destination: Ipv6Addr,
) -> [u8; ADVERTISEMENT_LEN] {
    let mut packet = [0; ADVERTISEMENT_LEN];
    let (ip, icmp) = packet.split_at_mut(40);
    ip[0] = 6 << 4;
    ip[5] = icmp.len() as u8;
    (ip[6], ip[7]) = (ICMPV6, HOP_LIMIT);
    ip[8..24].copy_from_slice(&source.octets());
    ip[24..40].copy_from_slice(&destination.octets());
    (icmp[0], icmp[4]) = (kind, flags);
    icmp[8..24].copy_from_slice(&target.octets());
    (icmp[24], icmp[25]) = (option, 1);
    icmp[26..32].copy_from_slice(&mac.0);
    let sum = checksum::finish(sum(source, destination, icmp));
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// The target of a solicitation or advertisement: one station's, never a group's (§7.1).
fn target(head: &[u8]) -> Result<Ipv6Addr, Malformed> {
    let bytes: [u8; 16] = head.get(8..24).and_then(|bytes| bytes.try_into().ok()).ok_or(Malformed)?;
    let target = Ipv6Addr::from(bytes);
    if target.is_multicast() { Err(Malformed) } else { Ok(target) }
}

/// The source's and the target's link-layer address, out of the options.
fn link_addresses(mut options: &[u8]) -> Result<(Option<Mac>, Option<Mac>), Malformed> {
    let (mut source, mut target) = (None, None);
    for _ in 0..OPTIONS_MAX {
        let [kind, units, ..] = *options else {
            return if options.is_empty() { Ok((source, target)) } else { Err(Malformed) };
        };
        let len = usize::from(units) * 8;
        let (option, rest) = options.split_at_checked(len).filter(|_| len > 0).ok_or(Malformed)?;
        options = rest;
        let known = match kind {
            OPTION_SOURCE_LINK => &mut source,
            OPTION_TARGET_LINK => &mut target,
            _ => continue,
        };
        let &[_, _, ref mac @ ..] = option else { return Err(Malformed) };
        let mac = Mac(mac.try_into().map_err(|_| Malformed)?);
        if known.is_some_and(|known| known != mac) {
            return Err(Malformed);
        }
        *known = Some(mac);
    }
    if options.is_empty() { Ok((source, target)) } else { Err(Malformed) }
}

fn sum(source: Ipv6Addr, destination: Ipv6Addr, icmp: &[u8]) -> u16 {
    let mut addresses = [0; 32];
    addresses[..16].copy_from_slice(&source.octets());
    addresses[16..].copy_from_slice(&destination.octets());
    checksum::add(checksum::pseudo_header(&addresses, ICMPV6, icmp.len() as u32), checksum::sum(icmp))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 2);
    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn parse(icmp: &[u8]) -> Result<Option<Ndp>, Malformed> {
        Ndp::parse(A, B, HOP_LIMIT, icmp)
    }

    /// A message of that type about B, with these options.
    fn message(kind: u8, options: &[u8]) -> Vec<u8> {
        let head: &[u8] = &[&[kind, 0, 0, 0, 0, 0, 0, 0][..], &B.octets()].concat();
        let fixed = match kind {
            ROUTER_SOLICITATION => 8,
            ROUTER_ADVERTISEMENT => 16,
            REDIRECT => return [head, &A.octets(), options].concat(),
            _ => 24,
        };
        [&head[..fixed], options].concat()
    }

    #[test]
    fn the_five_messages() {
        let option = |kind| [&[kind, 1], &MAC.0[..]].concat();
        let solicitation = parse(&message(135, &option(1))).expect("sound").expect("one of the five");
        assert_eq!(solicitation.message, Message::Solicitation { target: B });
        assert_eq!((solicitation.source_link, solicitation.target_link), (Some(MAC), None));
        let mut bytes = message(136, &option(2));
        bytes[4] = FLAG_SOLICITED;
        let advertisement = parse(&bytes).expect("sound").expect("one of the five");
        let said = Message::Advertisement { target: B, router: false, solicited: true, replace: false };
        assert_eq!((advertisement.message, advertisement.target_link), (said, Some(MAC)));
        for (kind, message_is) in [
            (133, Message::RouterSolicitation),
            (134, Message::RouterAdvertisement),
            (137, Message::Redirect),
        ] {
            assert_eq!(parse(&message(kind, &[])).expect("sound").map(|ndp| ndp.message), Some(message_is));
        }
    }

    #[test]
    fn what_is_not_accepted() {
        let link = [&[1, 1], &MAC.0[..]].concat();
        let other = [1, 1, 2, 0, 0, 0, 0, 9];
        let mut code = message(135, &[]);
        code[1] = 1;
        let mut group = message(135, &[]);
        group[8] = 0xff;
        let many = [14, 1, 0, 0, 0, 0, 0, 0].repeat(OPTIONS_MAX + 1);
        let table: &[(Vec<u8>, Result<bool, Malformed>, &str)] = &[
            (message(128, &[]), Ok(false), "an echo request is something else"),
            (vec![], Ok(false), "and so is nothing"),
            (message(135, &[]), Ok(true), "without options"),
            (message(135, &link), Ok(true), "with one"),
            (message(135, &link.repeat(2)), Ok(true), "the same twice says nothing else"),
            (message(135, &many[8..]), Ok(true), "as many as are read"),
            (message(135, &many), Err(Malformed), "one more"),
            (message(135, &[&link[..], &other].concat()), Err(Malformed), "two addresses: which?"),
            (message(135, &[1, 0, 2, 0, 0, 0, 0, 1]), Err(Malformed), "an option of no length never ends"),
            (message(135, &[1, 2, 2, 0, 0, 0, 0, 1]), Err(Malformed), "an option beyond the end"),
            (message(135, &[1, 2].repeat(8)), Err(Malformed), "no Ethernet address is that long"),
            (message(135, &[1]), Err(Malformed), "half an option"),
            (message(135, &[])[..23].to_vec(), Err(Malformed), "cut off"),
            (code, Err(Malformed), "a code that is not there"),
            (group, Err(Malformed), "nobody is a group"),
        ];
        for (bytes, expected, why) in table {
            assert_eq!(parse(bytes).map(|ndp| ndp.is_some()), *expected, "{why}");
        }
        let homeless = Ndp::parse(Ipv6Addr::UNSPECIFIED, B, HOP_LIMIT, &message(135, &link));
        assert_eq!(homeless, Err(Malformed), "RFC 4861 §7.1.1: from :: without a link-layer address");
    }

    #[test]
    fn an_advertisement_is_read_as_it_was_meant() {
        for router in [false, true] {
            let packet = advertisement(B, MAC, router, A);
            let icmp = &packet[40..];
            assert!(checksum_holds(B, A, icmp), "complete");
            let read = Ndp::parse(B, A, packet[7], icmp).expect("sound").expect("one of the five");
            let said = Message::Advertisement { target: B, router, solicited: true, replace: true };
            assert_eq!((read.message, read.target_link, read.hop_limit), (said, Some(MAC), HOP_LIMIT));
            let ip = etherparse::Ipv6Slice::from_slice(&packet).expect("a sound IPv6 packet");
            assert_eq!((ip.header().source_addr(), ip.header().destination_addr()), (B, A));
            let mut bent = packet;
            bent[71] ^= 1;
            assert!(!checksum_holds(B, A, &bent[40..]), "a bit changed");
        }
    }

    #[test]
    fn a_question_reads_as_one() {
        let packet = solicitation(B, A, MAC, None);
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 2);
        let read = Ndp::parse(A, group, packet[7], &packet[40..]).expect("well-formed").expect("it is one");
        assert_eq!(read.message, Message::Solicitation { target: B });
        assert_eq!((read.source_link, group_mac(group)), (Some(MAC), Mac([0x33, 0x33, 0xff, 0, 0, 2])));
        assert!(checksum_holds(A, group, &packet[40..]) && packet[24..40] == group.octets());
        let taken = announcement(B, MAC, true);
        assert!(checksum_holds(B, ALL_NODES, &taken[40..]) && taken[24..40] == ALL_NODES.octets());
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(kind in 130..140_u8, bytes in prop::collection::vec(any::<u8>(), 0..99)) {
            let mut bytes = bytes;
            bytes.splice(0..0, [kind, 0]);
            let _ = parse(&bytes);
            let _ = checksum_holds(A, B, &bytes);
        }
    }
}
