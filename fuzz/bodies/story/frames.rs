//! Frames that mean something to a bridge, and frames that nearly do.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vswitchd::wire::bpdu::{
    BPDU_FRAME_MAX, Bpdu, BridgeId, Configuration, RapidFlags, SenderRole, StpPortId, Ticks,
};
use vswitchd::wire::mac::Mac;
use vswitchd::wire::membership::Question;
use vswitchd::wire::{checksum, igmp, mld};

use crate::bodies::input::Input;

/// The host's own address.
pub(super) const HOST: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
/// Few, so that they meet; the last is nobody's.
pub(super) const STATIONS: [Mac; 6] = [
    Mac([2, 0, 0, 0, 0, 1]),
    Mac([2, 0, 0, 0, 0, 2]),
    Mac([2, 0, 0, 0, 0, 3]),
    Mac([2, 0, 0, 0, 0, 4]),
    HOST,
    Mac([0, 0, 0, 0, 0, 5]),
];
const OTHERS: [Mac; 10] = [
    Mac::BROADCAST,
    Mac([0x01, 0x00, 0x5e, 1, 1, 1]),
    Mac([0x01, 0x00, 0x5e, 0, 0, 1]),
    Mac([0x33, 0x33, 0, 0, 0, 1]),
    Mac([0x33, 0x33, 0, 0, 0, 7]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x00]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x01]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x08]),
    Mac([0x01, 0x80, 0xc2, 0, 0, 0x0e]),
    Mac::ZERO,
];
const V4: [Ipv4Addr; 5] = [
    Ipv4Addr::new(192, 0, 2, 1),
    Ipv4Addr::new(192, 0, 2, 2),
    Ipv4Addr::new(192, 0, 2, 3),
    Ipv4Addr::new(198, 51, 100, 1),
    Ipv4Addr::UNSPECIFIED,
];
const V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 2),
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 3),
    Ipv6Addr::UNSPECIFIED,
];
pub(super) const GROUPS_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(239, 1, 1, 1),
    Ipv4Addr::new(239, 1, 1, 2),
    Ipv4Addr::new(224, 0, 0, 1),
    Ipv4Addr::new(224, 0, 0, 106),
    Ipv4Addr::UNSPECIFIED,
    Ipv4Addr::new(192, 0, 2, 1),
];
pub(super) const GROUPS_V6: [Ipv6Addr; 6] = [
    Ipv6Addr::new(0xff0e, 0, 0, 0, 0, 0, 0, 7),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 1),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x6a),
    Ipv6Addr::UNSPECIFIED,
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
];
/// VLANs: two that legs are in, none, one that few are in, and one that nobody can be in.
const VIDS: [u16; 6] = [1, 2, 3, 0, 4094, 4095];

pub(super) fn frame(input: &mut Input<'_>) -> Vec<u8> {
    let mut frame = match input.below(10) {
        0..2 => plain(input),
        2 => arp(input),
        3 => neighbour_discovery(input),
        4 => igmp(input),
        5 => mld(input),
        6 => bpdu(input),
        7 => packet(input),
        8 => query(input),
        _ => {
            let len = usize::from(input.byte());
            return input.bytes(len).to_vec();
        }
    };
    let twist = input.byte();
    for _ in 0..twist & 3 {
        let tag = [input.pick(&[0x8100_u16, 0x88a8]), input.pick(&VIDS) | u16::from(input.byte()) << 12];
        let tag = tag.map(u16::to_be_bytes).concat();
        frame.splice(12..12, tag);
    }
    if twist & 4 != 0 {
        let at = usize::from(input.byte()) % frame.len();
        frame[at] ^= input.byte();
    }
    if twist & 8 != 0 {
        frame.truncate(usize::from(input.byte()));
    }
    frame
}

pub(super) fn station(input: &mut Input<'_>) -> Mac {
    input.pick(&STATIONS)
}

fn anybody(input: &mut Input<'_>) -> Mac {
    match usize::from(input.byte()) % (STATIONS.len() + OTHERS.len()) {
        at if at < STATIONS.len() => STATIONS[at],
        at => OTHERS[at - STATIONS.len()],
    }
}

fn ethernet(dst: Mac, src: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&dst.0[..], &src.0, &ether_type.to_be_bytes(), payload].concat()
}

fn plain(input: &mut Input<'_>) -> Vec<u8> {
    let (dst, src) = (anybody(input), anybody(input));
    let kind = input.pick(&[0x0800, 0x0806, 0x86dd, 0x88cc, 0x8808, 0x9000, 38]);
    let len = input.pick(&[46, 0, 1, 60, 1500, 1504, 1505]);
    ethernet(dst, src, kind, &vec![0x42; len])
}

fn arp(input: &mut Input<'_>) -> Vec<u8> {
    let src = station(input);
    let reply = input.pick(&[1_u16, 2, 3]);
    let (sender, target) = (input.pick(&V4), input.pick(&V4));
    let dst = if input.byte() & 1 == 0 { Mac::BROADCAST } else { station(input) };
    let claims = if input.byte() & 7 == 7 { station(input) } else { src };
    let head = [&[0, 1, 8, 0, 6, 4][..], &reply.to_be_bytes()].concat();
    let body = [&claims.0[..], &sender.octets(), &[0; 6], &target.octets()].concat();
    ethernet(dst, src, 0x0806, &[head, body].concat())
}

fn neighbour_discovery(input: &mut Input<'_>) -> Vec<u8> {
    let src = station(input);
    let [advertises, option, to_all, ..] = input.flags();
    let (source, target) = (input.pick(&V6), input.pick(&V6));
    let solicited = {
        let [.., a, b, c] = target.octets();
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
    };
    let destination = if to_all { GROUPS_V6[2] } else { solicited };
    let kind = if advertises { 136 } else { 135 };
    let flags = if advertises { input.byte() } else { 0 };
    let mut message = [&[kind, 0, 0, 0, flags, 0, 0, 0][..], &target.octets()].concat();
    if option {
        message.extend([&[if advertises { 2 } else { 1 }, 1][..], &src.0].concat());
    }
    let packet = ipv6(source, destination, 58, 255, &[], message, 2);
    ethernet(group_mac(destination.into()), src, 0x86dd, &packet)
}

fn igmp(input: &mut Input<'_>) -> Vec<u8> {
    let (src, source, group) = (station(input), input.pick(&V4), input.pick(&GROUPS_V4));
    let kind = input.pick(&[0x16_u8, 0x22, 0x17, 0x12, 0x30, 0x11]);
    let mut message = vec![kind, input.byte(), 0, 0];
    let mut destination = group;
    match kind {
        0x22 => {
            let records = input.below(4);
            message.extend([0, 0, 0, records]);
            for _ in 0..records {
                let sources = input.below(4);
                message.extend([1 + input.below(7), 0, 0, sources]);
                message.extend(input.pick(&GROUPS_V4).octets());
                (0..sources).for_each(|_| message.extend(input.pick(&V4).octets()));
            }
            destination = Ipv4Addr::new(224, 0, 0, 22);
        }
        0x11 => {
            message.extend(group.octets());
            destination = GROUPS_V4[2];
        }
        0x30 => destination = GROUPS_V4[3],
        _ => message.extend(group.octets()),
    }
    message.resize(message.len().max(8), 0);
    let sum = !checksum::sum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    ethernet(
        group_mac(destination.into()),
        src,
        0x0800,
        &ipv4(source, destination, 2, &[0x94, 4, 0, 0], &message),
    )
}

fn mld(input: &mut Input<'_>) -> Vec<u8> {
    let (src, source, group) = (station(input), input.pick(&V6), input.pick(&GROUPS_V6));
    let kind = input.pick(&[131_u8, 143, 132, 151, 130]);
    let mut message = vec![kind, 0, 0, 0, input.byte(), 0, 0, 0];
    let mut destination = group;
    match kind {
        143 => {
            let records = input.below(4);
            message[7] = records;
            for _ in 0..records {
                let sources = input.below(4);
                message.extend([1 + input.below(7), 0, 0, sources]);
                message.extend(input.pick(&GROUPS_V6).octets());
                (0..sources).for_each(|_| message.extend(input.pick(&V6).octets()));
            }
            destination = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
        }
        151 => destination = GROUPS_V6[3],
        130 => {
            message.extend(group.octets());
            destination = GROUPS_V6[2];
        }
        _ => message.extend(group.octets()),
    }
    let options = [58, 0, 5, 2, 0, 0, 1, 0];
    let packet = ipv6(source, destination, 0, 1, &options, message, 2);
    ethernet(group_mac(destination.into()), src, 0x86dd, &packet)
}

/// A question as other bridges ask it.
fn query(input: &mut Input<'_>) -> Vec<u8> {
    let [v6, long, to_group, suppress, ..] = input.flags();
    let (group_v4, group_v6) = (input.pick(&GROUPS_V4), input.pick(&GROUPS_V6));
    let group: IpAddr = if v6 { group_v6.into() } else { group_v4.into() };
    let question = Question {
        mac: station(input),
        source: if v6 { input.pick(&V6).into() } else { input.pick(&V4).into() },
        group: (!group.is_unspecified()).then_some(group),
        to_group: to_group && !group.is_unspecified(),
        long,
        suppress,
        max_delay: Duration::from_millis(input.word().into()),
        interval: Duration::from_secs(125),
    };
    let sources: Vec<IpAddr> = (0..input.below(4))
        .map(|_| if v6 { input.pick(&V6).into() } else { input.pick(&V4).into() })
        .collect();
    let sources = sources.into_iter();
    let made = if v6 { mld::question(&question, sources) } else { igmp::question(&question, sources) };
    made.expect("all of one family").bytes().to_vec()
}

fn bpdu(input: &mut Input<'_>) -> Vec<u8> {
    let src = station(input);
    let [rapid, notice, topology_change, acknowledge, proposal, agreement, learning, forwarding] =
        input.flags();
    let id =
        |input: &mut Input<'_>| BridgeId { priority: u16::from(input.byte()) << 12, mac: station(input) };
    let ticks = |input: &mut Input<'_>| Ticks(u16::from(input.byte()) << 7);
    let configuration = Configuration {
        root: id(input),
        cost: u32::from(input.byte()),
        bridge: id(input),
        port: StpPortId(0x8000 | u16::from(input.byte())),
        message_age: ticks(input),
        max_age: ticks(input),
        hello: ticks(input),
        forward_delay: ticks(input),
        topology_change,
        acknowledge,
    };
    let role =
        input.pick(&[SenderRole::Designated, SenderRole::Root, SenderRole::Alternate, SenderRole::Unknown]);
    let flags = RapidFlags { role, proposal, agreement, learning, forwarding };
    let bpdu = match (notice, rapid) {
        (true, _) => Bpdu::TopologyChange,
        (false, true) => Bpdu::Rapid(configuration, flags),
        (false, false) => Bpdu::Config(configuration),
    };
    bpdu.encode(src, &mut [0; BPDU_FRAME_MAX]).to_vec()
}

/// A datagram to a station or a group.
fn packet(input: &mut Input<'_>) -> Vec<u8> {
    let [v6, to_group, ..] = input.flags();
    let (src, station) = (station(input), station(input));
    if v6 {
        let (source, group, one) = (input.pick(&V6), input.pick(&GROUPS_V6), input.pick(&V6));
        let destination = if to_group { group } else { one };
        let dst = if destination.is_multicast() { group_mac(destination.into()) } else { station };
        return ethernet(dst, src, 0x86dd, &ipv6(source, destination, 17, 9, &[], vec![0; 8], 6));
    }
    let (source, group, one) = (input.pick(&V4), input.pick(&GROUPS_V4), input.pick(&V4));
    let destination = if to_group { group } else { one };
    let dst = if destination.is_multicast() { group_mac(destination.into()) } else { station };
    ethernet(dst, src, 0x0800, &ipv4(source, destination, 17, &[], &[0; 8]))
}

fn group_mac(group: IpAddr) -> Mac {
    match group {
        IpAddr::V4(group) => {
            let [_, high, middle, low] = group.octets();
            Mac([0x01, 0x00, 0x5e, high & 0x7f, middle, low])
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            Mac([0x33, 0x33, a, b, c, d])
        }
    }
}

fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header = 20 + options.len();
    let len = (header + payload.len()) as u16;
    let mut packet = vec![0x40 | (header / 4) as u8, 0];
    packet.extend(len.to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 1, protocol, 0, 0]);
    packet.extend([source.octets(), destination.octets()].concat());
    packet.extend(options);
    let sum = !checksum::sum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend(payload);
    packet
}

/// With the checksum of the message written `sum_at` bytes into it, as an upper protocol of ICMPv6 or UDP.
fn ipv6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    next_header: u8,
    hop_limit: u8,
    options: &[u8],
    mut message: Vec<u8>,
    sum_at: usize,
) -> Vec<u8> {
    let addresses = [source.octets(), destination.octets()].concat();
    let protocol = options.first().copied().unwrap_or(next_header);
    let header = checksum::pseudo_header(&addresses, protocol, message.len() as u32);
    let sum = !checksum::add(header, checksum::sum(&message));
    message[sum_at..sum_at + 2].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(((options.len() + message.len()) as u16).to_be_bytes());
    packet.extend([next_header, hop_limit]);
    packet.extend(addresses);
    packet.extend(options);
    packet.extend(message);
    packet
}
