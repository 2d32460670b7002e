//! Options of IPv4 and of TCP, and chains of extension headers.

use std::time::Duration;

use vswitchd::wire::datagram::{Datagram, Options, TCP, UDP};
use vswitchd::wire::tcp::{Tcp, TcpOption};

use super::gate::packets::{self, tcp};
use super::gate::{GUESTS, Rig, Taste, WORLD, address};
use super::input::Input;

/// Beside what holds of every gateway: options and extension headers leave as they came, but for an MSS, which is never raised
/// and always fits the way; and nobody chooses the way himself.
pub(crate) fn options(data: &[u8]) {
    let mut input = Input(data);
    let taste = Taste::of(&mut input);
    let mut rig = Rig::new(taste);
    while !input.is_empty() {
        match input.below(5) {
            0 => of_ipv4(&mut rig, &mut input),
            1 => of_ipv6(&mut rig, &mut input),
            2 | 3 => of_tcp(&mut rig, &mut input),
            _ => rig.wait(Duration::from_millis(u64::from(input.byte()) << input.below(10))),
        }
        rig.sent.clear();
    }
}

fn of_ipv4(rig: &mut Rig, input: &mut Input<'_>) {
    let words = usize::from(input.below(11));
    let mut options = input.bytes(4 * words).to_vec();
    options.resize(options.len().next_multiple_of(4), 0);
    let (source, destination) = (address("10.0.0.2"), address("192.0.2.9"));
    let udp = packets::udp((source, 4000), (destination, 53), b"a question");
    let mut packet = [&udp[..20], &options, &udp[20..]].concat();
    packet[0] += options.len() as u8 / 4;
    let len = packet.len() as u16;
    packet[2..4].copy_from_slice(&len.to_be_bytes());
    packets::sum(&mut packet);
    let read = Datagram::parse(&packet).expect("sound");
    rig.packet(GUESTS, &packet);
    let Some(sent) = rig.sent.iter().find(|sent| sent.leg == WORLD) else { return };
    assert_eq!(read.options, Options::None, "nobody chooses the way himself");
    let end = read.transport;
    assert_eq!(sent.packet()[20..end], packet[20..end], "options leave as they came");
    assert_eq!(sent.packet()[end + 8..], packet[end + 8..], "and so does what is sent");
}

fn of_ipv6(rig: &mut Rig, input: &mut Input<'_>) {
    let (source, destination) = (address("fd00::2"), address("2001:db8::9"));
    let [with_tcp, ..] = input.flags();
    let (upper, inner) = match with_tcp {
        true => (TCP, tcp((source, 4000), (destination, 80), (9, 0, 2), &[2, 4, 5, 180], &[])),
        false => (UDP, packets::udp((source, 4000), (destination, 53), b"a question")),
    };
    let kinds: Vec<u8> = (0..input.below(10)).map(|_| input.pick(&[0, 60, 43, 44, 51, 135, 60])).collect();
    let mut chain = Vec::new();
    for (at, kind) in kinds.iter().enumerate() {
        let units = if *kind == 44 { 0 } else { input.below(4) };
        let len = if *kind == 51 { (usize::from(units) + 2) * 4 } else { (usize::from(units) + 1) * 8 };
        let body = if *kind == 44 { &[] } else { input.bytes(len - 2) };
        let mut header = vec![kinds.get(at + 1).copied().unwrap_or(upper), units];
        header.extend(body);
        header.resize(len, 0);
        chain.extend(header);
    }
    let mut packet = [&inner[..40], &chain, &inner[40..]].concat();
    packet[6] = kinds.first().copied().unwrap_or(upper);
    let len = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    packets::sum(&mut packet);
    rig.packet(GUESTS, &packet);
    let Some(sent) = rig.sent.iter().find(|sent| sent.leg == WORLD) else { return };
    let went = sent.packet();
    assert_eq!(went[40..40 + chain.len()], chain, "extension headers leave as they came");
    assert_eq!((went[6], went[7]), (packet[6], packet[7] - 1));
}

fn of_tcp(rig: &mut Rig, input: &mut Input<'_>) {
    let [v6, back, plain_seq, with_data, ..] = input.flags();
    let (guest, world) = match v6 {
        true => (address("fd00::2"), address("2001:db8::9")),
        false => (address("10.0.0.2"), address("192.0.2.9")),
    };
    let gate = address(if v6 { "2001:db8::1" } else { "192.0.2.1" });
    let words = usize::from(input.below(11));
    let mut options = input.bytes(4 * words).to_vec();
    options.resize(options.len().next_multiple_of(4), 1);
    let flags = input.pick(&[2, 0x12, 0x10, 0x18, 0x11, 4, 0x14, 0xc2, 0x3f]);
    let mut number = || if plain_seq { u32::from(input.byte()) } else { u32::from(input.word()) << 16 };
    let numbers = (number(), number(), flags);
    let data = if with_data { &[7; 600][..] } else { &[] };
    let (leg, packet) = match back {
        true => (WORLD, tcp((world, 80), (gate, 4000), numbers, &options, data)),
        false => (GUESTS, tcp((guest, 4000), (world, 80), numbers, &options, data)),
    };
    let read = Datagram::parse(&packet).expect("sound");
    rig.packet(leg, &packet);
    let Some(sent) = rig.sent.iter().find(|sent| sent.leg != leg && sent.leg != 2) else { return };
    let Ok(went) = Datagram::parse(sent.packet()) else { return };
    // it may have been cut, or be an answer to the other side
    let (Some(before), Some(after)) =
        (Tcp::parse(read.payload(&packet)), Tcp::parse(went.payload(sent.packet())))
    else {
        return;
    };
    if went.fragment.is_some() || went.protocol != TCP {
        return;
    }
    assert_eq!(
        (before.seq, before.ack, before.flags, before.window),
        (after.seq, after.ack, after.flags, after.window)
    );
    assert_eq!(before.data_len, after.data_len);
    let rest = |tcp: &Tcp<'_>| {
        tcp.options()
            .filter(|o| !matches!(o, TcpOption::MaxSegment(_)))
            .map(|o| format!("{o:?}"))
            .collect::<Vec<_>>()
    };
    assert_eq!(rest(&before), rest(&after), "all but the MSS stays");
    let mss = |tcp: &Tcp<'_>| {
        tcp.options().find_map(|o| if let TcpOption::MaxSegment(mss) = o { Some(mss) } else { None })
    };
    let room = if rig.taste.narrow { 600 } else { 1500 } - if v6 { 60 } else { 40 };
    match (mss(&before), mss(&after)) {
        (Some(before), Some(after)) if rig.taste.clamps && flags & 2 != 0 && leg == GUESTS => {
            assert!(after <= before && after <= room, "never raised, and it fits");
        }
        (Some(before), after) => assert!(after.is_some_and(|after| after <= before)),
        (None, Some(after)) => assert!(rig.taste.clamps && flags & 2 != 0 && after <= room),
        (None, None) => {}
    }
}
