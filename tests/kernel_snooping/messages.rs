//! What hosts and routers say of groups, and the frames it travels in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vswitchd::wire::mac::Mac;

const IGMP: u8 = 2;
const UDP: u8 = 17;
const ICMPV6: u8 = 58;

/// A frame on its way: what is in it, and what it is to.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) src: Mac,
    /// As the destination wants it, if none.
    pub(crate) dst: Option<Mac>,
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    /// Of IPv4; in IPv6 a membership message lies behind options.
    pub(crate) protocol: u8,
    pub(crate) message: Vec<u8>,
    pub(crate) tags: Vec<[u8; 4]>,
}

impl Packet {
    /// Something that is not about membership.
    pub(crate) fn data(src: Mac, from: IpAddr, to: IpAddr) -> Self {
        Self { src, dst: None, from, to, protocol: UDP, message: vec![0x42; 20], tags: Vec::new() }
    }

    /// A message of IGMP, or its counterpart of MLD, without checksum.
    pub(crate) fn message(src: Mac, from: IpAddr, to: IpAddr, message: Vec<u8>) -> Self {
        let protocol = if from.is_ipv4() { IGMP } else { ICMPV6 };
        Self { src, dst: None, from, to, protocol, message, tags: Vec::new() }
    }

    /// The frame, its checksums right.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut frame = self.dst.unwrap_or_else(|| group_mac(self.to)).0.to_vec();
        frame.extend(self.src.0);
        frame.extend(self.tags.iter().flatten());
        let mut message = self.message.clone();
        match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                if self.protocol == IGMP {
                    sum(&mut message, 2, &[]);
                }
                let length = (20 + message.len() as u16).to_be_bytes();
                let mut header = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 1, self.protocol, 0, 0];
                header.extend(from.octets());
                header.extend(to.octets());
                sum(&mut header, 10, &[]);
                frame.extend([0x08, 0x00]);
                frame.extend(header);
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let addresses = [from.octets(), to.octets()].concat();
                let options: &[u8] =
                    if self.protocol == ICMPV6 { &[ICMPV6, 0, 5, 2, 0, 0, 0, 0] } else { &[] };
                let next = if options.is_empty() { self.protocol } else { 0 };
                if self.protocol == ICMPV6 {
                    let length = (message.len() as u32).to_be_bytes();
                    sum(&mut message, 2, &[&addresses[..], &length, &[0, 0, 0, ICMPV6]].concat());
                }
                let length = (options.len() + message.len()) as u16;
                frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
                frame.extend(length.to_be_bytes());
                frame.extend([next, 1]);
                frame.extend(addresses);
                frame.extend(options);
            }
            _ => unreachable!("a packet of one family"),
        }
        frame.extend(message);
        frame
    }
}

/// A query of IGMPv1, IGMPv2 or MLDv1; of everything, if the group is nobody.
pub(crate) fn query(group: IpAddr, delay: u16) -> Vec<u8> {
    match group {
        IpAddr::V4(group) => [&[0x11, delay as u8, 0, 0][..], &group.octets()].concat(),
        IpAddr::V6(group) => {
            let [high, low] = delay.to_be_bytes();
            [&[130, 0, 0, 0, high, low, 0, 0][..], &group.octets()].concat()
        }
    }
}

/// A query of IGMPv3 or MLDv2.
pub(crate) fn long_query(group: IpAddr, delay: u16, suppress: bool, sources: &[IpAddr]) -> Vec<u8> {
    let mut message = query(group, delay);
    message.extend([if suppress { 10 } else { 2 }, 125]);
    message.extend((sources.len() as u16).to_be_bytes());
    sources.iter().for_each(|source| message.extend(octets(*source)));
    message
}

/// A report of IGMPv1 or IGMPv2 (`old`), or MLDv1.
pub(crate) fn join(group: IpAddr, old: bool) -> Vec<u8> {
    match group {
        IpAddr::V4(_) => [&[if old { 0x12 } else { 0x16 }, 0, 0, 0][..], &octets(group)].concat(),
        IpAddr::V6(_) => [&[131, 0, 0, 0, 0, 0, 0, 0][..], &octets(group)].concat(),
    }
}

/// A leave, or done.
pub(crate) fn leave(group: IpAddr) -> Vec<u8> {
    let mut message = join(group, false);
    message[0] = if group.is_ipv4() { 0x17 } else { 132 };
    message
}

/// A report of IGMPv3 or MLDv2: kinds, groups and their sources.
pub(crate) fn report(v4: bool, records: &[(u8, IpAddr, Vec<IpAddr>)]) -> Vec<u8> {
    let mut message = vec![if v4 { 0x22 } else { 143 }, 0, 0, 0, 0, 0];
    message.extend((records.len() as u16).to_be_bytes());
    for (kind, group, sources) in records {
        message.extend([*kind, 0]);
        message.extend((sources.len() as u16).to_be_bytes());
        message.extend(octets(*group));
        sources.iter().for_each(|source| message.extend(octets(*source)));
    }
    message
}

/// A multicast router that advertises itself (RFC 4286), and whom it tells.
pub(crate) fn advertisement(v4: bool) -> (Vec<u8>, IpAddr) {
    match v4 {
        true => (vec![0x30, 20, 0, 0, 0, 125, 0, 2], Ipv4Addr::new(224, 0, 0, 106).into()),
        false => (vec![151, 20, 0, 0, 0, 125, 0, 2], Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x6a).into()),
    }
}

/// The hello of a PIM router (RFC 7761), as the kernel looks for it.
pub(crate) fn pim_hello(src: Mac, from: IpAddr) -> Packet {
    let to = Ipv4Addr::new(224, 0, 0, 13).into();
    Packet { protocol: 103, message: vec![0x20, 0, 0, 0, 0, 0, 0, 0], ..Packet::data(src, from, to) }
}

pub(crate) fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn group_mac(group: IpAddr) -> Mac {
    match group {
        IpAddr::V4(group) => {
            let [_, a, b, c] = group.octets();
            Mac([0x01, 0x00, 0x5e, a & 0x7f, b, c])
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            Mac([0x33, 0x33, a, b, c, d])
        }
    }
}

/// Writes the Internet checksum of both into the first, where it was zero.
fn sum(bytes: &mut [u8], at: usize, more: &[u8]) {
    let words = |bytes: &[u8]| -> u32 {
        bytes.chunks(2).map(|two| u32::from(two[0]) << 8 | two.get(1).map_or(0, |low| u32::from(*low))).sum()
    };
    let mut total = words(bytes) + words(more);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&(!(total as u16)).to_be_bytes());
    }
}
