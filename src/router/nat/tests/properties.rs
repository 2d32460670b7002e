//! What holds whatever comes.

use std::collections::HashSet;

use proptest::prelude::*;

use super::packets::{flow, icmp, ip, tcp, udp};
use super::*;

proptest! {
    /// Guests and strangers send anything, to each other and to the gate, and time goes by. `Gate::pass` verifies the
    /// checksums of everything that leaves.
    #[test]
    fn sessions_are_a_bijection(steps in proptest::collection::vec(
        (0..8_u8, 0..4_u8, 0..4_u8, 0..3_u16, 0..3_u16, 0..32_u8, any::<(u32, u32)>(), 0..20_000_u64), 1..150,
    )) {
        let mut gate = gate_of(12);
        gate.published.push((1, Range::endpoint(address("10.0.0.1"), 2)));
        let hosts = ["10.0.0.1", "10.0.0.2", "203.0.113.9", EXT];
        let mut sent: Vec<Vec<u8>> = vec![udp("192.0.2.1:1", "203.0.113.9:1")];
        for (what, from, to, from_port, to_port, flags, (seq, ack), millis) in steps {
            let (from, to) = (hosts[usize::from(from)], hosts[usize::from(to)]);
            let ends = [format!("{from}:{from_port}"), format!("{to}:{to_port}")];
            let quote = &sent[seq as usize % sent.len()];
            let bytes = match what {
                0 | 1 => udp(&ends[0], &ends[1]),
                2..=4 => tcp(&ends[0], &ends[1], flags, seq % 4000, ack % 4000),
                5 => icmp(from, to, if flags & 1 == 0 { 8 } else { 0 }, 0, to_port, b"ping"),
                6 => icmp(from, to, 3, flags % 5, 0, &quote[..quote.len().min(20 + usize::from(flags))]),
                _ => ip(address(from), address(to), 99, b"whatever"),
            };
            if let (_, Ok(out)) = gate.pass(&bytes) {
                sent.push(out);
            }
            gate.wait(millis);
            if seq & 1 == 0 {
                gate.nat.sweep(gate.now, 5);
            }
            let mut tuples = HashSet::new();
            for (slot, session) in gate.nat.sessions().iter(gate.now) {
                let [original, reply] = session.tuples;
                for (tuple, direction) in [(original, Direction::Original), (reply, Direction::Reply)] {
                    // who talks to himself is his own reply
                    prop_assert!(original == reply || tuples.insert(tuple), "two sessions have {tuple:?}");
                    let found = gate.nat.sessions().find(&tuple, gate.now);
                    prop_assert!(found == Some((slot, direction)) || original == reply);
                }
            }
            prop_assert!(gate.nat.sessions().len() <= 12);
            prop_assert_eq!(gate.nat.sessions().held_by(3) as usize, gate.nat.sessions().len());
        }
    }

    /// Translating there and back again is nothing, and what is adjusted is as if it had been summed anew.
    #[test]
    fn checksums_are_adjusted_exactly(
        from: [u8; 4], to: [u8; 4], ports: (u16, u16), new: ([u8; 4], u16), data in proptest::collection::vec(any::<u8>(), 0..60),
        what in 0..3_u8, partial: bool,
    ) {
        let header = [ports.0.to_be_bytes(), ports.1.to_be_bytes()].concat();
        let len = (8 + data.len()) as u16;
        let (number, transport) = match what {
            0 => (protocol::UDP, [&header[..], &len.to_be_bytes(), &[0, 0], &data].concat()),
            1 => (protocol::TCP, [&header[..], &[0, 0, 0, 1, 0, 0, 0, 2, 0x50, 16, 9, 9, 0, 0, 0, 0], &data].concat()),
            _ => (protocol::ICMP, [&[8, 0, 0, 0][..], &header, &data].concat()),
        };
        let before = ip(from.into(), to.into(), number, &transport);
        let ends = Ends { source: Some(IpAddr::from(new.0).into()), source_port: Some(new.1), ..Ends::default() };
        let translation = Translation { packet: ends, quote: Ends::default() };
        let mut after = before.clone();
        if partial && what != 2 {
            let at = 20 + if what == 0 { 6 } else { 16 };
            let sum = Packet::parse(&after).expect("a packet").pseudo_header();
            after[at..at + 2].copy_from_slice(&sum.to_be_bytes());
            prop_assert!(rewrite::apply(&mut after, &translation, true));
            let pseudo = Packet::parse(&after).expect("a packet").pseudo_header();
            let field = u16::from_be_bytes([after[at], after[at + 1]]);
            prop_assert!(field % 0xffff == pseudo % 0xffff, "V10: the pseudo-header's, and no port");
        } else {
            prop_assert!(rewrite::apply(&mut after, &translation, false));
            prop_assert!(sound(&after), "{}", flow(&after));
            let ends = Ends {
                source: Some(IpAddr::from(from).into()),
                source_port: Some(ports.0),
                ..Ends::default()
            };
            let back = Translation { packet: ends, quote: Ends::default() };
            prop_assert!(rewrite::apply(&mut after, &back, false));
            prop_assert!(sound(&after));
            prop_assert_eq!(&after[..10], &before[..10]);
        }
    }

    /// Any bytes are judged, bound, confirmed, committed and translated without a panic.
    #[test]
    fn any_bytes_pass(version in 0..2_u8, bytes in proptest::collection::vec(any::<u8>(), 20..120), number in 0..256_u16) {
        let mut gate = gate();
        let (from, to) = match version {
            0 => (address("10.0.0.2"), address("203.0.113.9")),
            _ => (address("fd00::2"), address("2001:db8:9::9")),
        };
        let packet = ip(from, to, number as u8, &bytes);
        if let Some(view) = Packet::parse(&packet) {
            for partial in [true, false] {
                let mut judgement = gate.nat.judge(&view, partial, gate.now);
                if judgement.tuple().is_some() {
                    gate.bind(&mut judgement);
                }
                let _ = gate.nat.confirm(&mut judgement, gate.now);
                gate.nat.commit(&judgement, u16::MAX, gate.now);
                rewrite::apply(&mut packet.clone(), &judgement.translation, partial);
            }
        }
    }

    /// Any translation is applied to any bytes, or refused, without a panic.
    #[test]
    fn any_bytes_are_rewritten(
        bytes in proptest::collection::vec(any::<u8>(), 8..120), number in 0..256_u16, kind in 0..13_u8,
        quoted: bool, ipv6: bool, new: ([u8; 16], Option<u16>, Option<u16>), partial: bool,
    ) {
        let source = Some(IpAddr::from(new.0).into());
        let ends = Ends { source, destination: source, source_port: new.1, destination_port: new.2 };
        let quote = if quoted { ends } else { Ends::default() };
        let (from, to) = if ipv6 { ("fd00::2", "2001:db8::9") } else { ("10.0.0.2", "203.0.113.9") };
        let mut body = bytes;
        if quoted {
            body.splice(0..0, [kind, 0, 0, 0, 0, 0, 0, 0]);
            body.splice(8..9, [if ipv6 { 0x60 } else { 0x45 }]);
        }
        let number = match (quoted, ipv6) {
            (true, true) => 58,
            (true, false) => 1,
            _ => number as u8,
        };
        let mut packet = ip(address(from), address(to), number, &body);
        rewrite::apply(&mut packet, &Translation { packet: ends, quote }, partial);
    }
}
