//! Whatever is answered: what is written is a sound packet within its bounds.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

fn holds(packet: &[u8]) -> Result<Datagram, TestCaseError> {
    let read = Datagram::parse(packet).map_err(|_| TestCaseError::fail("not sound"))?;
    prop_assert_eq!(read.len, packet.len());
    prop_assert!(local::is_sound(&read, packet, false));
    Ok(read)
}

fn error() -> impl Strategy<Value = Error> {
    prop_oneof![
        Just(Error::BeyondScope),
        Just(Error::HostUnreachable),
        Just(Error::NetworkUnreachable),
        any::<u16>().prop_map(Error::Parameter),
        Just(Error::PortUnreachable),
        any::<u16>().prop_map(Error::ProtocolUnreachable),
        Just(Error::ReassemblyTime),
        Just(Error::TimeExceeded),
        any::<u16>().prop_map(Error::TooBig),
    ]
}

proptest! {
    #[test]
    fn n57_errors_are_sound_and_short(
        v6 in any::<bool>(),
        len in 0..3000_usize,
        fill in any::<u8>(),
        protocol in any::<u8>(),
        error in error(),
        redirect in any::<bool>(),
    ) {
        let [source, destination, gateway]: [IpAddr; 3] = match v6 {
            true => [1, 2, 3].map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n).into()),
            false => [1, 2, 3].map(|n| Ipv4Addr::new(10, 0, 0, n).into()),
        };
        let builder = Builder { source, destination, protocol, tos: fill, ttl: 3, id: 9, dont_fragment: false };
        let mut packet = vec![fill; builder.header_len() + len];
        builder.write(&mut packet);
        let Ok(about) = Datagram::parse(&packet) else { return Ok(()) };
        let mut out = Vec::new();
        let error = if redirect { Error::Redirect(gateway) } else { error };
        write(&mut out, error, &about, &packet, destination, 7);
        let read = holds(&out)?;
        let max = if v6 { LEN_MAX_IPV6 } else { LEN_MAX_IPV4 };
        prop_assert!(out.len() <= max);
        prop_assert_eq!((read.source, read.destination), (destination, source));
        let (kind, code, _) = error.wire(v6);
        prop_assert_eq!(&read.payload(&out)[..2], &[kind, code]);
        prop_assert!(!may_tell(&read, &out, Mac::ZERO), "N57: never about an error");
    }

    #[test]
    fn answers_to_any_bytes(v6 in any::<bool>(), protocol in prop::sample::select(vec![1_u8, 6, 17, 58]), payload in prop::collection::vec(any::<u8>(), 0..100)) {
        let [source, destination]: [IpAddr; 2] = match v6 {
            true => [1, 2].map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n).into()),
            false => [1, 2].map(|n| Ipv4Addr::new(10, 0, 0, n).into()),
        };
        let builder = Builder { source, destination, protocol, tos: 0, ttl: 3, id: 9, dont_fragment: false };
        let mut packet = vec![0; builder.header_len()];
        packet.extend_from_slice(&payload);
        builder.write(&mut packet);
        let about = Datagram::parse(&packet).expect("sound");
        may_tell(&about, &packet, Mac::ZERO);
        if local::is_echo_request(&about, &packet) {
            let mut out = Vec::new();
            local::echo(&mut out, &about, &packet, destination, 1);
            holds(&out)?;
        }
        if protocol == 6 && local::wants_reset(&about, &packet) {
            let mut out = Vec::new();
            local::reset(&mut out, &about, &packet);
            let read = holds(&out)?;
            prop_assert!(!local::wants_reset(&read, &out), "a reset is not answered with one");
        }
    }
}
