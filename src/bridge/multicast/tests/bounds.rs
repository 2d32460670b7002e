//! Whatever guests send, memory is bounded, timers are kept, and nothing panics.

use proptest::prelude::*;

use super::*;
use crate::bridge::multicast::mdb::LEG_RECORDS_MAX;

#[test]
fn b76_too_many_groups_switch_snooping_off() {
    let config = MulticastConfig { hash_max: 8, ..ON };
    let mut lab = Lab::asked(config);
    for group in 0..8 {
        assert_eq!(lab.join(1, &format!("239.1.1.{group}")), "3");
    }
    assert_eq!(lab.join(2, "239.1.1.0"), "3", "a known group needs no room");
    assert_eq!(lab.join(1, "239.1.1.8"), "full", "the kernel drops the report");
    assert_eq!(lab.events.last().map(String::as_str), Some("disabled"));
    assert_eq!(
        (lab.to("239.1.1.0"), lab.to("239.9.9.9")),
        ("flood".into(), "flood".into()),
        "for all groups"
    );
    lab.bridge.configure(MulticastConfig { querier_interval: Duration::from_secs(254), ..config }, lab.now);
    assert_eq!(lab.to("239.1.1.0"), "flood", "for good");
    lab.bridge.configure(MulticastConfig { hash_max: 9, ..config }, lab.now);
    assert_eq!(lab.to("239.1.1.0"), "1 2 3", "until there may be more");
    lab.join(1, "239.1.1.8");
    lab.join(1, "239.1.1.9");
    assert!(!lab.bridge.is_on());
    lab.bridge.configure(MulticastConfig { snooping: false, ..config }, lab.now);
    lab.bridge.configure(config, lab.now);
    assert!(lab.bridge.is_on(), "or it is switched on anew");
}

#[test]
fn b78_a_leg_has_a_limit_of_its_own() {
    let leg = MulticastLegConfig { max_groups: 3, ..Default::default() };
    let mut lab = Lab::with_legs(MulticastConfig { igmp_version: 3, ..ON }, leg);
    lab.join(1, "239.1.1.1");
    lab.report(1, "239.1.1.2", 1, &["192.0.2.1", "192.0.2.2"]);
    let entries = lab.bridge.entries(lab.now);
    assert_eq!(entries.iter().map(|entry| entry.sources.len()).collect::<Vec<_>>(), [0, 1], "sources count");
    assert_eq!(lab.join(1, "239.1.1.3"), "full");
    assert_eq!(lab.bridge.mdb.len(), 2, "an entry without members is none");
    assert_eq!(lab.join(2, "239.1.1.3"), "flood", "others have room");
    assert_eq!(lab.bridge.usage(), (4, 2), "what was refused is counted");
    lab.wait(260.0);
    assert_eq!(lab.join(1, "239.1.1.3"), "flood", "room again");
}

#[test]
fn a_message_longer_than_any_link_carries_is_refused() {
    let mut lab = Lab::asked(MulticastConfig { igmp_version: 3, ..ON });
    let records: Vec<_> = (0..1200_u32).map(|n| format!("239.2.{}.{}", n / 256, n % 256)).collect();
    let records: Vec<(u8, &str, &[&str])> =
        records.iter().map(|group| (4, group.as_str(), &[][..])).collect();
    let long = lab.receive(1, 0, &report("v4", &records));
    assert_eq!((long.as_str(), lab.bridge.mdb.len()), ("V4 Length", 0), "9.6 KB of records");
    let short = lab.receive(1, 0, &report("v4", &records[..1000]));
    assert_eq!((short.as_str(), lab.bridge.mdb.len()), ("flood", 1000), "8 KB pass");
}

/// One frame would otherwise become as many copies as a guest cares to invent reporters.
#[test]
fn b77_reporters_beyond_the_64th_share_the_frame_itself() {
    let mut lab = Lab::with_legs(ON, MulticastLegConfig { to_unicast: true, ..Default::default() });
    lab.ask(3, 10);
    lab.wait(10.0);
    for n in 0..64 {
        lab.receive_from(1, 0, Mac([2, 0, 0, 0, 1, n]), &join("239.1.1.1"));
    }
    assert_eq!(lab.to("239.1.1.1").split('+').count(), 64, "a copy each");
    for n in 64..200 {
        lab.receive_from(1, 0, Mac([2, 0, 0, 0, 1, n]), &join("239.1.1.1"));
    }
    assert_eq!(lab.to("239.1.1.1"), "1 3", "the frame as it is serves them all");
    assert_eq!(lab.bridge.usage().0, 65, "and they are one member");
    lab.receive_from(1, 0, Mac([2, 0, 0, 0, 1, 199]), &leave("239.1.1.1"));
    lab.wait(261.0);
    lab.ask(3, 10);
    lab.wait(10.0);
    assert_eq!(lab.to("239.1.1.1"), "3", "all of them run out");
}

#[test]
fn a_flood_of_reports_is_bounded() {
    let config = MulticastConfig { hash_max: 100_000, igmp_version: 3, ..ON };
    let mut lab = Lab::asked(config);
    let sources: Vec<_> = (1..=40).map(|last| format!("192.0.2.{last}")).collect();
    let sources: Vec<_> = sources.iter().map(String::as_str).collect();
    for n in 0..2100_u32 {
        let group = format!("239.1.{}.{}", n / 256, n % 256);
        lab.report(1, &group, 1, &sources);
    }
    let (used, refused) = lab.bridge.usage();
    assert_eq!(used, LEG_RECORDS_MAX, "one guest gets its share");
    assert!(refused > 8 * 1900, "and no more than 32 sources of a group: {refused}");
    assert_eq!(lab.join(2, "239.200.0.1"), "3", "of which others notice nothing");
    lab.wait(300.0);
    assert_eq!((lab.bridge.usage().0, lab.bridge.mdb.len(), lab.bridge.deadline().is_some()), (0, 0, false));
}

/// A frame that is nearly right: sound messages with some bytes changed and their checksums repaired or not.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let group =
        prop::sample::select(vec!["239.1.1.1", "239.1.1.2", "ff02::cc", "224.0.0.5", "ff02::1:ff00:1"]);
    let sources = prop::collection::vec(1..60_u8, 0..40);
    let message = (group, 1..9_u8, sources, 0..8_u8).prop_map(|(group, kind, sources, shape)| {
        let text: Vec<_> = sources
            .iter()
            .map(|n| if group.contains(':') { format!("2001:db8::{n}") } else { format!("192.0.2.{n}") })
            .collect();
        let sources: Vec<_> = text.iter().map(String::as_str).collect();
        match shape {
            0 => join(group),
            1 => leave(group),
            2 if group.contains(':') => {
                mld("fe80::9", "ff02::1", &[&[130, 0, 0, 0, 9, 0, 0, 0][..], &[0; 16]].concat())
            }
            2 => igmp("10.0.0.9", "224.0.0.1", &[0x11, 10, 0, 0, 0, 0, 0, 0]),
            3 if group.contains(':') => {
                mld("fe80::9", group, &[&[130, 0, 0, 0, 9, 0, 0, 0][..], &octets(group)].concat())
            }
            3 => igmp("10.0.0.9", group, &[&[0x11, 5, 0, 0][..], &octets(group)].concat()),
            _ => super::report(
                group,
                &[(kind, group, &sources), (kind % 6 + 1, group, &sources[..sources.len() / 2])],
            ),
        }
    });
    let mutation = prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<u8>()));
    (message, mutation).prop_map(|(mut packet, mutation)| {
        if let Some((at, value)) = mutation {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        packet
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any history leaves nothing that outlives its timers, and the books of members and sources balance.
    #[test]
    fn nothing_outlives_its_timers(
        history in prop::collection::vec((0..4_u16, frames(), 0..40_u8, any::<bool>()), 1..120),
        newer: bool,
        querier: bool,
        fastleave: bool,
        to_unicast: bool,
    ) {
        let (igmp_version, mld_version) = if newer { (3, 2) } else { (2, 1) };
        let config = MulticastConfig { igmp_version, mld_version, querier, hash_max: 3, ..ON };
        let leg = MulticastLegConfig { fastleave, to_unicast, max_groups: 50, ..Default::default() };
        let mut lab = Lab::with_legs(config, leg);
        for (leg, packet, pause, late) in history {
            let src = Mac([2, 0, 0, 0, 1, pause % 3]);
            if packet[0] >> 4 == 4 || packet[0] >> 4 == 6 {
                lab.receive_from(leg, 0, src, &packet);
            }
            if late {
                lab.now = lab.now + Duration::from_secs(pause.into());
            } else {
                lab.wait(f64::from(pause));
            }
            prop_assert!(lab.bridge.mdb.len() <= 3, "as many groups as there may be");
            let rows = lab.bridge.entries(lab.now);
            let records: usize = rows.iter().filter(|row| row.leg.is_some()).map(|row| 1 + row.sources.len()).sum();
            prop_assert!(records <= lab.bridge.usage().0 as usize, "what holds is paid for");
            prop_assert!(rows.iter().all(|row| row.sources.len() <= 32));
            for row in rows.iter().filter(|row| row.leg.is_some()) {
                let wants = row.expires.is_some() || row.sources.iter().any(|source| source.expires.is_some());
                prop_assert!(wants, "whatever is there has a timer: {:?}", row);
            }
        }
        lab.bridge.configure(MulticastConfig { querier: false, ..config }, lab.now);
        lab.wait(600.0);
        prop_assert!(lab.bridge.entries(lab.now).is_empty());
        prop_assert_eq!((lab.bridge.usage().0, lab.bridge.mdb.len()), (0, 0), "all is given back");
        prop_assert_eq!(lab.bridge.deadline(), None, "nothing is left to wait for");
    }
}
