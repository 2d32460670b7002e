//! What a gateway does with what is too large, too long, or made to deceive it.

use std::net::IpAddr;

use vswitchd::bridge::{BridgeConfig, LegConfig, Promiscuous};
use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{Batch, Edit, End, Frame, Gso, Leg, LegIndex, LinkId, NodeId, Offload, PortId};
use vswitchd::port::segment::{self, Segments};
use vswitchd::router::Settings;
use vswitchd::router::interface::{Interface, Role};
use vswitchd::time::Time;
use vswitchd::verdict::Reason;
use vswitchd::wire::arp::{self, Arp};
use vswitchd::wire::checksum;
use vswitchd::wire::datagram::{self, Builder, Datagram, UDP};
use vswitchd::wire::mac::Mac;
use vswitchd::wire::ndp;

const GUEST: PortId = PortId(0);
const STRANGER: PortId = PortId(1);
/// Watches the guest's network.
const WATCHER: PortId = PortId(2);
const ROUTER: NodeId = NodeId(2);
const NOW: Time = Time::from_secs(1);

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

const fn station(port: PortId) -> Mac {
    Mac([2, 0, 0, 0, 0, port.0 as u8 + 1])
}

const fn gate(port: PortId) -> Mac {
    Mac([2, 0, 0, 0, 0, 0xf0 + port.0 as u8])
}

/// A guest on one bridge and a stranger on the other, who know the router between them.
fn gateway() -> Fabric {
    let mut fabric = Fabric::new([1, 2]);
    let watching = LegConfig { promiscuous: Promiscuous::Monitor, ..LegConfig::default() };
    let mut changes = vec![
        Change::AddBridge(NodeId(0), BridgeConfig::default()),
        Change::AddBridge(NodeId(1), BridgeConfig::default()),
        Change::AddPort(GUEST, NodeId(0), LegConfig::default()),
        Change::AddPort(STRANGER, NodeId(1), LegConfig::default()),
        Change::AddPort(WATCHER, NodeId(0), watching),
        Change::AddRouter(ROUTER, Settings::default()),
    ];
    let legs = [
        (GUEST, ["10.0.0.1/24", "fd00::1/64"], Role::Inside),
        (STRANGER, ["192.0.2.1/24", "2001:db8::1/64"], Role::Outside),
    ];
    for (port, nets, role) in legs {
        let nets = nets.map(|net| net.parse().expect("a prefix")).to_vec();
        let at = Leg { node: ROUTER, leg: LegIndex(port.0) };
        let interface = Box::new(Interface::new(gate(port), nets, role));
        changes.push(Change::AddInterface(LinkId(port.0), at, NodeId(port.0), interface));
    }
    for change in changes {
        fabric.apply(change, NOW).expect("a sound graph");
    }
    let hosts = [
        (GUEST, "10.0.0.2", "10.0.0.1"),
        (STRANGER, "192.0.2.9", "192.0.2.1"),
        (GUEST, "fd00::2", "fd00::1"),
        (STRANGER, "2001:db8::9", "2001:db8::1"),
    ];
    for (port, host, target) in hosts {
        let mac = station(port);
        let frame = match (ip(host), ip(target)) {
            (IpAddr::V4(sender_ip), IpAddr::V4(target_ip)) => {
                let (sender_mac, target_mac) = (mac, Mac::ZERO);
                let question = Arp { operation: arp::REQUEST, sender_mac, sender_ip, target_mac, target_ip };
                ethernet(Mac::BROADCAST, mac, arp::ETHER_TYPE, &question.to_bytes())
            }
            (IpAddr::V6(asker), IpAddr::V6(target)) => {
                let question = ndp::solicitation(target, asker, mac, None);
                ethernet(ndp::group_mac(ndp::solicited_node(target)), mac, 0x86dd, &question)
            }
            _ => unreachable!("of one family"),
        };
        receive(&mut fabric, &[(port, &frame, Offload::NONE)]);
    }
    fabric
}

fn ethernet(dst: Mac, src: Mac, ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&dst.0[..], &src.0, &ether_type.to_be_bytes(), payload].concat()
}

/// What became of frames that came in one batch, and what was written: where to, and with what left to hardware.
fn receive(
    fabric: &mut Fabric,
    frames: &[(PortId, &Vec<u8>, Offload)],
) -> (Vec<End>, Vec<(PortId, Vec<u8>, Offload)>) {
    let mut batch = Batch::new();
    for (port, bytes, offload) in frames {
        let mut frame = Frame::copy_of(bytes, *port);
        frame.offload = *offload;
        batch.push(frame);
    }
    fabric.receive(&mut batch, NOW);
    assert!(fabric.books().balance(), "{:?}", fabric.books());
    let written = batch.deliveries().iter().map(|delivery| {
        let frame = &batch.frames()[usize::from(delivery.frame)];
        assert!(delivery.edit.is_none());
        (delivery.port, frame.bytes().to_vec(), frame.offload)
    });
    (batch.ends().to_vec(), written.collect())
}

/// The packet of a guest to a stranger, with everything complete.
fn udp(source: &str, destination: &str, len: usize) -> Vec<u8> {
    let (source, destination) = (ip(source), ip(destination));
    let builder = Builder { source, destination, protocol: UDP, tos: 0, ttl: 64, id: 7, dont_fragment: true };
    let total = (8 + len) as u16;
    let mut packet = vec![0; builder.header_len()];
    packet.extend([4000, 53, total, 0].map(u16::to_be_bytes).concat());
    packet.extend((0..len).map(|at| at as u8));
    builder.write(&mut packet);
    let start = builder.header_len();
    let pseudo = datagram::pseudo_header(source, destination, UDP, usize::from(total));
    let sum = checksum::finish(checksum::add(pseudo, checksum::sum(&packet[start..])));
    packet[start + 6..start + 8].copy_from_slice(&sum.to_be_bytes());
    packet
}

fn is_right(packet: &[u8]) -> bool {
    let read = Datagram::parse(packet).expect("a packet");
    let payload = read.payload(packet);
    checksum::add(read.pseudo_header(payload.len()), checksum::sum(payload)) == 0xffff
}

/// 64 KiB that hardware is to cut into datagrams of 1400 bytes.
fn large() -> (Vec<u8>, Offload) {
    let mut packet = udp("10.0.0.2", "192.0.2.9", 65_000);
    let read = Datagram::parse(&packet).expect("a packet");
    let partial = read.pseudo_header(read.len - read.transport).to_be_bytes();
    packet[26..28].copy_from_slice(&partial);
    let offload = Offload {
        needs_csum: true,
        gso: Gso::Udp,
        gso_size: 1400,
        csum_start: 34,
        csum_offset: 6,
        ..Offload::NONE
    };
    (ethernet(gate(GUEST), station(GUEST), 0x0800, &packet), offload)
}

#[test]
fn who_watches_gets_large_frames_as_they_were_and_the_stranger_gets_them_translated() {
    let mut fabric = gateway();
    let (frame, offload) = large();
    // twice: the buffers of the first copies are lent again
    for round in 1..=2 {
        let (ends, written) = receive(&mut fabric, &[(GUEST, &frame, offload); 6]);
        let full = End::Dropped(Reason::CopiesFull);
        assert_eq!(
            ends,
            [End::Sent, End::Sent, End::Sent, End::Sent, full, full],
            "four large copies in a batch"
        );
        let to = |port| written.iter().filter(move |(to, ..)| *to == port);
        assert_eq!((to(WATCHER).count(), to(STRANGER).count()), (6, 4));
        for (_, seen, left) in to(WATCHER) {
            assert!(*seen == frame && *left == offload, "who watches gets what was sent");
        }
        for (_, seen, left) in to(STRANGER) {
            assert_eq!(*left, offload, "still to be cut by hardware");
            assert_eq!(seen[..12], [station(STRANGER).0, gate(STRANGER).0].concat());
            let read = Datagram::parse(&seen[14..]).expect("a packet");
            assert_eq!((read.source, read.destination), (ip("192.0.2.1"), ip("192.0.2.9")), "C15");
            assert_eq!(seen[42..], frame[42..], "and all that was sent");
            let partial = read.pseudo_header(read.len - read.transport) % 0xffff;
            assert_eq!(u16::from_be_bytes([seen[40], seen[41]]) % 0xffff, partial, "V10");
            let mut segments = Segments::of(seen, left, &Edit::NONE).expect("it can be cut");
            let mut count = 0;
            while let Some((headers, payload)) = segments.next() {
                assert!(is_right(&[&headers[14..], payload].concat()));
                count += 1;
            }
            assert_eq!(count, 65_000_usize.div_ceil(1400));
        }
        assert_eq!(fabric.books().drops.of(Reason::CopiesFull), 2 * round, "and it is counted");
    }
}

#[test]
fn where_nobody_watches_large_frames_are_not_copied() {
    let mut fabric = gateway();
    fabric.apply(Change::RemovePort(WATCHER), NOW).expect("a port");
    let (frame, offload) = large();
    let (ends, written) = receive(&mut fabric, &[(GUEST, &frame, offload); 64]);
    assert_eq!((ends, written.len()), (vec![End::Sent; 64], 64));
}

#[test]
fn a_packet_with_nine_extension_headers_went_out_with_the_guests_address() {
    for (count, passes) in [(8, true), (9, false)] {
        let whole = udp("fd00::2", "2001:db8::9", 4);
        let mut chain = [60, 0, 1, 4, 0, 0, 0, 0].repeat(count);
        chain[8 * (count - 1)] = UDP;
        let mut packet = [&whole[..40], &chain, &whole[40..]].concat();
        packet[6] = 60;
        packet[5] += 8 * count as u8;
        let frame = ethernet(gate(GUEST), station(GUEST), 0x86dd, &packet);
        let (ends, written) = receive(&mut gateway(), &[(GUEST, &frame, Offload::NONE)]);
        let out: Vec<_> = written.iter().filter(|(port, ..)| *port == STRANGER).collect();
        assert_eq!(out.len(), usize::from(passes), "{count} headers: {ends:?}");
        for (_, frame, _) in out {
            let source = Datagram::parse(&frame[14..]).expect("a packet").source;
            assert_eq!(source, ip("2001:db8::1"), "whoever is masqueraded stays so");
        }
    }
}

#[test]
fn neighbour_discovery_that_is_not_followed_went_out_with_the_guests_address() {
    let IpAddr::V6(source) = ip("fd00::2") else { unreachable!("IPv6") };
    let IpAddr::V6(target) = ip("2001:db8::9") else { unreachable!("IPv6") };
    let mut packet = ndp::advertisement(source, station(GUEST), false, target).to_vec();
    packet[8..24].copy_from_slice(&source.octets());
    packet[24..40].copy_from_slice(&target.octets());
    let read = Datagram::parse(&packet).expect("a packet");
    packet[42..44].fill(0);
    let sum = !checksum::add(read.pseudo_header(32), checksum::sum(&packet[40..]));
    packet[42..44].copy_from_slice(&sum.to_be_bytes());
    let frame = ethernet(gate(GUEST), station(GUEST), 0x86dd, &packet);
    let (ends, written) = receive(&mut gateway(), &[(GUEST, &frame, Offload::NONE)]);
    assert_eq!(ends, [End::Dropped(Reason::BeyondScope)], "U2: it is of no flow that could hide the guest");
    assert!(written.iter().all(|(port, ..)| *port == WATCHER));
}

/// What a guest leaves to hardware must not be a way to write over what the router has written.
#[test]
fn checksums_left_to_hardware_were_written_over_translated_addresses_and_ports() {
    let packet = udp("10.0.0.2", "192.0.2.9", 40);
    let frame = ethernet(gate(GUEST), station(GUEST), 0x0800, &packet);
    let table = [
        (34, 6, true, "its own checksum"),
        (20, 6, false, "the source address, summed from within the IP header"),
        (34, 0, false, "the source port"),
        (34, 2, false, "the destination port"),
        (38, 2, false, "its own checksum, but not all of it summed"),
        (20, 20, false, "its own checksum, but more than that summed"),
        (42, 6, true, "of a packet that is carried in it"),
    ];
    for (csum_start, csum_offset, passes, why) in table {
        let offload = Offload { needs_csum: true, csum_start, csum_offset, ..Offload::NONE };
        let (ends, written) = receive(&mut gateway(), &[(GUEST, &frame, offload)]);
        let expected = if passes { End::Sent } else { End::Dropped(Reason::OffloadChecksum) };
        assert_eq!(ends, [expected], "{why}");
        assert_eq!(written.iter().any(|(port, ..)| *port == STRANGER), passes, "{why}");
    }
}

/// A tunnel leaves the checksum of what it carries to hardware, and has made its own, or none.
#[test]
fn the_checksum_of_a_tunnel_was_taken_for_the_one_that_is_yet_to_be_made() {
    for summed in [true, false] {
        let mut packet = udp("10.0.0.2", "192.0.2.9", 40);
        // the inner checksum adds what makes the inner sum zero, so the outer one is right before and after
        packet[34..36].fill(0);
        let inner = checksum::finish(checksum::sum(&packet[28..]));
        packet[26..28].fill(0);
        let (source, destination) = (ip("10.0.0.2"), ip("192.0.2.9"));
        let mut finished = packet.clone();
        finished[34..36].copy_from_slice(&inner.to_be_bytes());
        if summed {
            let pseudo = datagram::pseudo_header(source, destination, UDP, 48);
            let sum = checksum::finish(checksum::add(pseudo, checksum::sum(&finished[20..])));
            packet[26..28].copy_from_slice(&sum.to_be_bytes());
        }
        let frame = ethernet(gate(GUEST), station(GUEST), 0x0800, &packet);
        let offload = Offload { needs_csum: true, csum_start: 42, csum_offset: 6, ..Offload::NONE };
        let (ends, written) = receive(&mut gateway(), &[(GUEST, &frame, offload)]);
        assert_eq!(ends, [End::Sent]);
        let (_, mut out, left) =
            written.into_iter().find(|(port, ..)| *port == STRANGER).expect("it is sent");
        let (at, sum) = segment::checksum(&out, &left);
        out[at..at + 2].copy_from_slice(&sum);
        assert_eq!(out[40..42] == [0, 0], !summed, "who has made none has none");
        assert!(!summed || is_right(&out[14..]), "and who has made one has the right one");
        assert_eq!(Datagram::parse(&out[14..]).map(|read| read.source), Ok(ip("192.0.2.1")));
    }
}
