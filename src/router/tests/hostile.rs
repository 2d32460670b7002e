//! Guests send what they like: nothing panics, grows without bound, or gets a checksum wrong.

use proptest::prelude::*;

use super::*;
use crate::frame::{Gso, ORIGINATED_LEN_MAX};
use crate::router::fragment::cut::cut;
use crate::wire::ndp;

fn seed() -> impl Strategy<Value = Vec<u8>> {
    let v6 = |n: u16| format!("2001:db8:{n}::2");
    let mut seeds = vec![
        udp("10.0.0.2", "10.0.1.2", 30),
        udp("10.0.0.2", "10.0.1.9", 1400),
        udp("10.0.0.2", "8.8.8.8", 30),
        udp(&v6(0), &v6(1), 1400),
        tcp("10.0.0.2", "10.0.1.2", 2),
        tcp("10.0.0.2", "10.0.0.1", 2),
        echo("10.0.0.2", "10.0.0.1", 1000),
        echo(&v6(0), "2001:db8:1::1", 20),
        echo(&v6(0), "ff02::1", 20),
    ];
    let target = "2001:db8:0::1".parse().expect("an address");
    let asker = v6(0).parse().expect("an address");
    seeds.push(ndp::solicitation(target, asker, host_mac(0), None).to_vec());
    seeds.push(ndp::advertisement(asker, host_mac(0), false, target).to_vec());
    for whole in
        [edited(udp("10.0.0.2", "10.0.1.2", 3000), |p| p[6] = 0), echo(&v6(0), "2001:db8:0::1", 3000)]
    {
        cut(&whole, 1300, 5, &mut vec![], |piece| seeds.push(piece.to_vec()));
    }
    prop::sample::select(seeds)
}

/// Something that one could send: a frame, damaged in places but with its header checksum made good.
fn hostile() -> impl Strategy<Value = (u16, Vec<u8>)> {
    let damage = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    let head = prop::sample::select(vec![0x0800_u16, 0x0800, 0x86dd, 0x86dd, 0x0806]);
    (0..3_u16, seed(), damage, any::<prop::sample::Index>(), any::<bool>(), head).prop_map(
        |(leg, mut packet, damage, end, shorten, kind)| {
            for (at, value) in damage {
                let at = at.index(packet.len());
                packet[at] = value;
            }
            if shorten {
                packet.truncate(end.index(packet.len()));
            }
            crate::wire::datagram::seal(&mut packet);
            let kind = match packet.first().map(|first| first >> 4) {
                Some(4) if kind != 0x0806 => 0x0800,
                Some(6) if kind != 0x0806 => 0x86dd,
                _ => kind,
            };
            (leg, frame(leg_mac(leg), host_mac(leg), kind, &packet))
        },
    )
}

fn offload() -> impl Strategy<Value = Offload> {
    let gso = prop::sample::select(vec![Gso::None, Gso::None, Gso::TcpV4, Gso::TcpV6, Gso::Udp]);
    (any::<bool>(), gso, 1..2000_u16, 0..200_u16, 0..20_u16).prop_map(
        |(needs_csum, gso, gso_size, csum_start, csum_offset)| Offload {
            needs_csum,
            gso,
            gso_size,
            csum_start,
            csum_offset,
            ..Offload::NONE
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_sent(
        follows in any::<bool>(),
        clamp in any::<bool>(),
        mtu in prop::sample::select(vec![68_u16, 600, 1280, 1500, 9000]),
        frames in prop::collection::vec((hostile(), offload(), 0..3000_u64), 1..60),
    ) {
        let mut rig = Rig::acquainted();
        if follows {
            rig.follow();
        }
        rig.configure(1, |leg| (leg.mtu, leg.clamp_mss) = (mtu, clamp));
        for ((leg, frame), offload, ms) in frames {
            rig.wait(Duration::from_millis(ms));
            rig.offload = offload;
            let decision = rig.meet(leg, &frame);
            let forwarded = matches!(decision.fate, Fate::Forward(_));
            if forwarded {
                rig.sent.pop();
            }
            for (to, made) in rig.sent.drain(..) {
                prop_assert!(made.len() <= ORIGINATED_LEN_MAX, "it fits into a frame that a device makes");
                prop_assert_eq!(&made[6..12], &leg_mac(to).0);
                if made[12..14] != [8, 6] {
                    prop_assert!(Datagram::parse(&made[14..]).is_ok(), "what is sent is sound");
                }
            }
        }
        // at a full second the wheel of sessions may want to be looked at once more
        rig.tick();
        prop_assert!(rig.router.deadline().is_none_or(|due| due > rig.now), "nothing is overdue");
    }

    #[test]
    fn any_bytes_at_all(kind in any::<u16>(), bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut rig = Rig::acquainted();
        for kind in [kind, 0x0800, 0x86dd, 0x0806] {
            rig.meet(0, &frame(leg_mac(0), host_mac(0), kind, &bytes));
        }
    }
}
