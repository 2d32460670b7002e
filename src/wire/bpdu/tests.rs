//! Frames as they are on the wire, and what is none.

use super::*;

#[test]
fn a_kernels_configuration() {
    let frame = [
        "0180c2000000",
        "0242ac110002",
        "0026",
        "424203", // Ethernet, length 38, LLC
        "0000",
        "00",
        "00",
        "81", // a change, and an acknowledgement
        "8000000000000001",
        "00000002",
        "8000000000000002",
        "8003", // root, cost, bridge, port
        "0100",
        "1400",
        "0200",
        "0f00",
    ];
    let configuration = Configuration {
        root: BridgeId { priority: 0x8000, mac: Mac([0, 0, 0, 0, 0, 1]) },
        cost: 2,
        bridge: BridgeId { priority: 0x8000, mac: Mac([0, 0, 0, 0, 0, 2]) },
        port: StpPortId::new(32, 3),
        message_age: Ticks(256),
        max_age: Ticks::from_duration(Duration::from_secs(20)),
        hello: Ticks::from_duration(Duration::from_secs(2)),
        forward_delay: Ticks::from_duration(Duration::from_secs(15)),
        topology_change: true,
        acknowledge: true,
    };
    let bytes = hex(&frame.concat());
    assert_eq!(Bpdu::parse(&bytes), Ok(Bpdu::Config(configuration)), "B81");
    assert_eq!(
        Bpdu::Config(configuration).encode(SRC, &mut [0xff; BPDU_FRAME_MAX]),
        bytes,
        "B81: 52 bytes, nothing behind them"
    );
}

#[test]
fn flags_of_the_rapid_kind() {
    let flags = |role| RapidFlags { role, ..RapidFlags::default() };
    let table = [
        (0x00, flags(SenderRole::Unknown), "nothing"),
        (0x04, flags(SenderRole::Alternate), "role 1"),
        (0x08, flags(SenderRole::Root), "role 2"),
        (0x0e, RapidFlags { proposal: true, ..flags(SenderRole::Designated) }, "a proposal"),
        (0x48, RapidFlags { agreement: true, ..flags(SenderRole::Root) }, "an agreement"),
        (0x1c, RapidFlags { learning: true, ..flags(SenderRole::Designated) }, "learning"),
        (0x2c, RapidFlags { forwarding: true, ..flags(SenderRole::Designated) }, "forwarding"),
    ];
    for (bits, flags, why) in table {
        let mut buffer = [0; BPDU_FRAME_MAX];
        let bpdu = Bpdu::Rapid(Configuration::default(), flags);
        assert_eq!(bpdu.encode(SRC, &mut buffer)[HEADER_LEN + 4], bits, "{why}");
        assert_eq!(Bpdu::parse(&buffer), Ok(bpdu), "{why}");
    }
    let claims = Configuration { acknowledge: true, topology_change: true, ..Configuration::default() };
    let mut buffer = [0; BPDU_FRAME_MAX];
    Bpdu::Rapid(claims, flags(SenderRole::Root)).encode(SRC, &mut buffer);
    assert_eq!(buffer[HEADER_LEN + 4], 0x09, "17.21.20: the rapid kind acknowledges nothing");
    buffer[HEADER_LEN + 4] |= FLAG_ACKNOWLEDGE;
    let Ok(Bpdu::Rapid(read, _)) = Bpdu::parse(&buffer) else { unreachable!("as just written") };
    assert!(read.topology_change && !read.acknowledge, "and is not believed to");
}

#[test]
fn what_is_no_bpdu() {
    let config = frame(&[0, 0, 0, 0], CONFIG_LEN);
    let rapid = frame(&[0, 0, 2, 2], RAPID_LEN);
    let edit = |frame: &[u8], at: usize, value: u8| {
        let mut edited = frame.to_vec();
        edited[at] = value;
        edited
    };
    let table = [
        (config.clone(), None, "a configuration"),
        (rapid.clone(), None, "a rapid one"),
        (edit(&rapid, 19, 3), None, "802.1Q: version 3 begins with what version 2 says"),
        (frame(&[0, 0, 0, 0x80], TCN_LEN), None, "a notice"),
        ([&frame(&[0, 0, 0, 0x80], TCN_LEN)[..], &[0; 39]].concat(), None, "padding is not looked at"),
        (config[..13].to_vec(), Some(BpduError::Short), "no Ethernet header"),
        (edit(&config, 13, 39), Some(BpduError::Length), "longer than the frame by one"),
        (edit(&config, 12, 8), Some(BpduError::Llc), "an EtherType"),
        (edit(&config, 13, 2), Some(BpduError::Short), "no room for LLC"),
        (edit(&config, 14, 0xaa), Some(BpduError::Llc), "another DSAP"),
        (edit(&config, 15, 0xaa), Some(BpduError::Llc), "another SSAP"),
        (edit(&config, 16, 0x13), Some(BpduError::Llc), "another kind of LLC frame"),
        (edit(&config, 17, 1), Some(BpduError::Protocol), "another protocol"),
        (edit(&config, 18, 1), Some(BpduError::Protocol), "its low byte, too"),
        (frame(&[0, 0, 0], 3), Some(BpduError::Short), "no type"),
        (edit(&config, 13, 37), Some(BpduError::Short), "34 bytes, whatever follows in the frame"),
        (edit(&rapid, 13, 38), Some(BpduError::Short), "35 bytes are no rapid one"),
        (edit(&config, 19, 2), Some(BpduError::Version), "B81: as the kernel, only version 0"),
        (edit(&rapid, 19, 1), Some(BpduError::Version), "no rapid one in version 1"),
        (edit(&config, 20, 1), Some(BpduError::Type), "no such type"),
    ];
    for (bytes, error, why) in table {
        assert_eq!(Bpdu::parse(&bytes).err(), error, "{why}");
    }
}

#[test]
fn ticks_never_make_younger() {
    let table = [
        (Duration::ZERO, 0, "nothing"),
        (Duration::from_nanos(1), 1, "rounded up"),
        (TICK, 1, "exactly one"),
        (Duration::from_secs(20), 20 * 256, "B80's max_age"),
        (Duration::from_secs(256), u16::MAX, "too long to be told"),
    ];
    for (duration, ticks, why) in table {
        assert_eq!(Ticks::from_duration(duration), Ticks(ticks), "{why}");
        assert!(ticks == u16::MAX || Ticks(ticks).to_duration() >= duration, "{why}");
    }
}

#[test]
fn identifiers() {
    let id = |priority, last| BridgeId { priority, mac: Mac([2, 0, 0, 0, 0, last]) };
    assert!(id(1, 9) < id(2, 1) && id(2, 1) < id(2, 2), "priority first, then the address");
    assert_eq!(id(0x8000, 7).to_string(), "8000.020000000007");
    let port = StpPortId::new(32, 1);
    assert_eq!((port.to_string(), port.number()), ("8001".into(), 1), "B80: as brctl has always shown it");
    assert_eq!(StpPortId::new(63, 1024), StpPortId(0xfc00), "a number has ten bits");
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
        let _ = Bpdu::parse(&bytes);
    }
}

const SRC: Mac = Mac([2, 0x42, 0xac, 0x11, 0, 2]);

/// A frame whose BPDU begins so and is that long.
fn frame(start: &[u8], len: usize) -> Vec<u8> {
    let mut frame = [&BRIDGE_GROUP.0[..], &SRC.0, &((3 + len) as u16).to_be_bytes(), &LLC, start].concat();
    frame.resize(HEADER_LEN + len, 0);
    frame
}

fn hex(text: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("digits");
    (0..text.len()).step_by(2).map(byte).collect()
}
