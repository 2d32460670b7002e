//! Any packet, with any promise of what is left for hardware, to a gateway.

use vswitchd::frame::{Gso, Offload};
use vswitchd::router::decision::Fate;
use vswitchd::router::nat::rewrite::{self, Ends, Translation};
use vswitchd::wire::datagram::Datagram;
use vswitchd::wire::icmp::Icmp;
use vswitchd::wire::packet::Packet;
use vswitchd::wire::tcp::Tcp;
use vswitchd::wire::udp::Udp;
use vswitchd::wire::vnet;

use super::gate::{HOSTS, Rig, Taste, WORLD, address, gate_mac, host_mac, packets, sound};
use super::input::Input;

/// First the taste, then how the frame comes, then the packet itself. Beside what holds of every gateway: what is quoted is
/// read as what is whole; a translation has an inverse; and the answer to what was forwarded finds its way back to whoever sent it.
pub(crate) fn packet(data: &[u8]) {
    let mut input = Input(data);
    let taste = Taste::of(&mut input);
    let mut rig = Rig::new(taste);
    let leg = u16::from(input.below(3));
    let [repair, partial, large, odd, padded, ..] = input.flags();
    let offload = offload(&mut input, partial, large, odd);
    let mut packet = input.bytes(usize::MAX).to_vec();
    if repair {
        packets::sum(&mut packet);
    }
    readers_agree(&packet);
    let ether_type = if packet.first().is_some_and(|first| first >> 4 == 6) { 0x86dd } else { 0x0800 };
    let padding = if padded { &[0x55; 7][..] } else { &[] };
    let frame = packets::frame(gate_mac(leg), host_mac(leg), ether_type, &[&packet, padding].concat());
    // as a port would take it
    let offload = vnet::decode(&vnet::encode(&offload), &frame).unwrap_or(Offload::NONE);
    let Some(decision) = rig.meet(leg, &frame, &offload) else { return };
    let Fate::Forward(onward) = decision.fate else { return };
    reversible(&frame[14..], &onward.rewrite.translation);
    let sent = rig.sent.last().expect("it was forwarded").clone();
    let Some(answer) = packets::reply(sent.packet()).filter(|_| taste.strict()) else { return };
    // of an answer to what was never opened, nothing is known
    let opens = decision.flow.is_some_and(|flow| flow.judgement.opens());
    if offload != Offload::NONE || !opens || !sound::holds(&answer) {
        return;
    }
    let Some(back) = rig.packet(sent.leg, &answer) else { return };
    let came = Datagram::parse(&frame[14..]).expect("it passed");
    let known = leg != WORLD && HOSTS.iter().any(|(at, host)| *at == leg && address(host) == came.source);
    match back.fate {
        Fate::Forward(_) => {
            let back = rig.sent.last().expect("it was forwarded");
            assert_eq!(back.leg, leg, "the answer {answer:02x?} comes back");
            let went = Datagram::parse(back.packet()).expect("it passed");
            let ends = (went.source, went.destination);
            assert_eq!(ends, (came.destination, came.source), "as if from whom was asked");
        }
        fate => assert!(!known, "the answer {answer:02x?} comes back, not {fate:?}"),
    }
}

fn offload(input: &mut Input<'_>, partial: bool, large: bool, odd: bool) -> Offload {
    let mut offload = Offload { needs_csum: partial, ..Offload::NONE };
    if partial {
        (offload.csum_start, offload.csum_offset) = match odd {
            false => input.pick(&[(34, 16), (34, 6), (54, 16), (54, 6), (34, 2), (54, 2)]),
            true => (input.byte().into(), input.byte().into()),
        };
    }
    if large {
        offload.gso = input.pick(&[Gso::TcpV4, Gso::TcpV6, Gso::Udp]);
        offload.gso_size = 1 + u16::from(input.byte());
    }
    offload
}

/// What is whole is read as the same where it is quoted, and what its payload says lies within it.
fn readers_agree(packet: &[u8]) {
    let view = Packet::parse(packet);
    let Some(view) = view else { return };
    let quoted = Packet::quoted(packet).expect("what is whole can be quoted");
    assert_eq!(quoted, view);
    if let Some(tcp) = Tcp::parse(view.payload) {
        assert!(tcp.options().count() <= 20 && tcp.options.len() <= 40);
    }
    if let Some(udp) = Udp::parse(view.payload) {
        assert!(usize::from(udp.len) <= view.payload.len());
    }
    if let Some((quote, at)) = Icmp::parse(view.payload).and_then(|icmp| icmp.quote(view.protocol)) {
        assert_eq!(quote, &view.payload[at..]);
        let _ = Packet::quoted(quote);
    }
}

/// Translating there and back again is nothing, but for the two zeros of one's complement.
fn reversible(packet: &[u8], translation: &Translation) {
    let mut there = packet.to_vec();
    if translation.is_none() || !sound::holds(packet) || !rewrite::apply(&mut there, translation, false) {
        return;
    }
    assert!(sound::holds(&there), "{packet:02x?} became {there:02x?}");
    let view = Packet::parse(packet).expect("it was applied");
    let quote = Icmp::parse(view.payload).and_then(|icmp| icmp.quote(view.protocol));
    let quoted = quote.and_then(|(quote, _)| Packet::quoted(quote));
    let back = Translation {
        packet: undone(&view, &translation.packet),
        quote: quoted.map(|quoted| undone(&quoted, &translation.quote)).unwrap_or_default(),
    };
    let mut again = there.clone();
    assert!(rewrite::apply(&mut again, &back, false));
    assert!(sound::holds(&again));
    let differing =
        packet.iter().zip(&again).filter(|(a, b)| a != b && !matches!((a, b), (0, 0xff) | (0xff, 0)));
    assert_eq!(differing.count(), 0, "{packet:02x?} came back as {again:02x?}");
}

/// What makes a translated packet what it was.
fn undone(before: &Packet<'_>, ends: &Ends) -> Ends {
    let short =
        |at: usize| Some(u16::from_be_bytes([*before.payload.get(at)?, *before.payload.get(at + 1)?]));
    let id = matches!(before.protocol, 1 | 58);
    Ends {
        source: ends.source.map(|_| before.source.into()),
        destination: ends.destination.map(|_| before.destination.into()),
        source_port: ends.source_port.and_then(|_| short(if id { 4 } else { 0 })),
        destination_port: ends.destination_port.and_then(|_| short(2)),
    }
}
