//! INCLUDE and EXCLUDE: the cases of the kernel's selftests, for both families (B75).

use super::*;

const IS_IN: u8 = 1;
const IS_EX: u8 = 2;
const TO_IN: u8 = 3;
const TO_EX: u8 = 4;
const ALLOW: u8 = 5;
const BLOCK: u8 = 6;

/// One that asks, whose last members have long to answer: what is only being asked for is still there.
const PATIENT: MulticastConfig = MulticastConfig {
    querier: true,
    igmp_version: 3,
    mld_version: 2,
    last_member_interval: Duration::from_secs(5),
    ..ON
};

/// Sources are named by their last byte.
fn source(group: &str, last: u8) -> String {
    if group.contains(':') { format!("2001:db8:1::{last:x}") } else { format!("192.0.2.{last}") }
}

fn report(lab: &mut Lab, group: &str, (kind, sources): (u8, &[u8])) {
    let sources: Vec<_> = sources.iter().map(|last| source(group, *last)).collect();
    lab.report(1, group, kind, &sources.iter().map(String::as_str).collect::<Vec<_>>());
}

#[test]
fn b75_the_table_of_states_and_reports() {
    let (x, y) = ([1, 2, 3], [1, 2, 20, 21]);
    let include: &[(u8, &[u8])] = &[(IS_IN, &x)];
    let exclude: &[(u8, &[u8])] = &[(IS_IN, &x), (IS_EX, &y)];
    let one: &[u8] = &[1, 20, 30];
    // before, the report, seconds, whether the rest is wanted, wanted ones, unwanted ones, why
    type Row<'a> = (&'a [(u8, &'a [u8])], (u8, &'a [u8]), f64, bool, &'a [u8], &'a [u8], &'a str);
    let table: &[Row<'_>] = &[
        (&[], (IS_IN, &x), 0.0, false, &[1, 2, 3], &[], "include: only these"),
        (
            include,
            (ALLOW, &[10, 11, 12]),
            0.0,
            false,
            &[1, 2, 3, 10, 11, 12],
            &[],
            "include, allow: also these",
        ),
        (
            include,
            (IS_IN, &[10, 11, 12]),
            0.0,
            false,
            &[1, 2, 3, 10, 11, 12],
            &[],
            "include, is_include: the same",
        ),
        (
            include,
            (IS_EX, &y),
            0.0,
            true,
            &[1, 2],
            &[20, 21],
            "include, is_exclude: new ones are unwanted, 3 is gone",
        ),
        (include, (TO_EX, one), 0.0, true, &[1], &[20, 30], "include, to_exclude: 1 is asked for"),
        (include, (TO_EX, one), 10.0, true, &[], &[1, 20, 30], "and unwanted when nobody answered"),
        (
            include,
            (TO_IN, &[3, 4]),
            0.0,
            false,
            &[1, 2, 3, 4],
            &[],
            "include, to_include: 1 and 2 are asked for",
        ),
        (include, (TO_IN, &[3, 4]), 10.0, false, &[3, 4], &[], "and gone when nobody answered"),
        (include, (BLOCK, one), 0.0, false, &[1, 2, 3], &[], "include, block: 1 is asked for"),
        (include, (BLOCK, one), 10.0, false, &[2, 3], &[], "and gone"),
        (include, (TO_IN, &[]), 10.0, false, &[], &[], "include, to_include nothing: all are asked for"),
        (exclude, (ALLOW, &[20, 30]), 0.0, true, &[1, 2, 20, 30], &[21], "exclude, allow: also these"),
        (exclude, (IS_IN, &[20, 30]), 0.0, true, &[1, 2, 20, 30], &[21], "exclude, is_include: the same"),
        (exclude, (IS_EX, &[20, 30]), 0.0, true, &[30], &[20], "exclude, is_exclude: 30 is wanted for now"),
        (exclude, (TO_EX, one), 0.0, true, &[1, 30], &[20], "exclude, to_exclude: 1 and 30 are asked for"),
        (exclude, (TO_EX, one), 10.0, true, &[], &[1, 20, 30], "and unwanted when nobody answered"),
        (exclude, (BLOCK, one), 0.0, true, &[1, 2, 30], &[20, 21], "exclude, block: 1 and 30 are asked for"),
        (exclude, (BLOCK, one), 10.0, true, &[2], &[1, 20, 21, 30], "and unwanted"),
        (
            exclude,
            (TO_IN, &[20]),
            0.0,
            true,
            &[1, 2, 20],
            &[21],
            "exclude, to_include: everything is asked for",
        ),
        (exclude, (TO_IN, &[20]), 10.0, false, &[20], &[], "and only what was listed is left"),
    ];
    for group in [GROUP, GROUP6] {
        for (before, change, seconds, rest, wanted, unwanted, why) in table {
            let mut lab = Lab::new(PATIENT);
            lab.wait(10.0);
            for step in *before {
                report(&mut lab, group, *step);
            }
            report(&mut lab, group, *change);
            lab.wait(*seconds);
            for last in [1, 2, 3, 4, 10, 11, 12, 20, 21, 30, 99] {
                let expected = wanted.contains(&last) || (*rest && !unwanted.contains(&last));
                let got = lab.data(&source(group, last), group);
                assert_eq!(got, if expected { "1" } else { "nobody" }, "{why}: {group} from {last}");
            }
            let entries = lab.bridge.entries(lab.now);
            let Some(entry) = entries.first() else {
                assert!(wanted.is_empty() && !rest, "{why}: {group} is gone");
                assert_eq!(lab.bridge.usage().0, 0, "{why}: nothing is left");
                continue;
            };
            let shown = |blocked| {
                let mut shown: Vec<_> = entry.sources.iter().filter(|s| s.blocked == blocked).collect();
                shown.sort_by_key(|source| source.address);
                shown.iter().map(|source| source.address.to_string()).collect::<Vec<_>>()
            };
            let named = |list: &[u8]| list.iter().map(|last| source(group, *last)).collect::<Vec<_>>();
            assert_eq!(entry.exclude, *rest, "{why}: {group}");
            assert_eq!(
                (shown(false), shown(true)),
                (named(wanted), named(unwanted)),
                "{why}: {group} as shown"
            );
        }
    }
}

#[test]
fn b75_a_wish_for_everything_runs_out() {
    let quick = MulticastConfig { membership_interval: Duration::from_secs(3), ..PATIENT };
    let mut lab = Lab::new(quick);
    lab.wait(10.0);
    report(&mut lab, GROUP, (IS_IN, &[1, 2, 3]));
    report(&mut lab, GROUP, (IS_EX, &[1, 2, 20, 21]));
    lab.bridge.configure(MulticastConfig { membership_interval: Duration::from_secs(11), ..quick }, lab.now);
    report(&mut lab, GROUP, (ALLOW, &[20, 30]));
    lab.wait(2.999);
    assert_eq!(lab.data(&source(GROUP, 99), GROUP), "1");
    lab.now = lab.now + Duration::from_millis(1);
    for (last, expected) in [(99, "nobody"), (1, "nobody"), (21, "nobody"), (20, "1"), (30, "1")] {
        assert_eq!(
            lab.data(&source(GROUP, last), GROUP),
            expected,
            "what was asked for since is left: {last}"
        );
    }
    lab.wait(0.0);
    let entry = &lab.bridge.entries(lab.now)[0];
    assert_eq!((entry.exclude, entry.sources.len()), (false, 2));
    lab.wait(8.0);
    assert!(lab.bridge.entries(lab.now).is_empty(), "and that runs out too");
}

#[test]
fn b75_old_bridges_take_reports_for_joins() {
    let mut lab = Lab::asked(ON);
    report(&mut lab, GROUP, (BLOCK, &[1]));
    assert_eq!(lab.data(&source(GROUP, 1), GROUP), "1 3", "whoever speaks of a group is a member");
    let fast = MulticastLegConfig { fastleave: true, ..Default::default() };
    lab.with(|bridge, now, mut emit| bridge.configure_leg(LegIndex(1), fast, now, &mut emit));
    report(&mut lab, GROUP, (TO_IN, &[]));
    assert_eq!(lab.to(GROUP), "3", "and who wants nothing of it leaves");
    lab.report(0, GROUP, TO_EX, &[]);
    assert_eq!(lab.to(GROUP), "3 host");
    let mut new = Lab::asked(MulticastConfig { igmp_version: 3, ..ON });
    new.report(0, GROUP, ALLOW, &["192.0.2.1"]);
    assert_eq!(new.data("192.0.2.2", GROUP), "3 host", "the host wants all, whatever it says");
}

#[test]
fn b75_ports_differ() {
    let mut lab = Lab::asked(MulticastConfig { igmp_version: 3, ..ON });
    report(&mut lab, GROUP, (TO_IN, &[1]));
    lab.report(2, GROUP, TO_EX, &["192.0.2.1"]);
    assert_eq!(lab.data("192.0.2.1", GROUP), "1 3", "the one that is asked for");
    assert_eq!(lab.data("192.0.2.2", GROUP), "2 3", "any other");
    lab.receive(1, 0, &join(GROUP));
    assert_eq!(
        lab.data("192.0.2.2", GROUP),
        "2 3",
        "an old report does not widen what is known, as the kernel"
    );
    lab.receive(3, 0, &join(GROUP));
    lab.bridge.configure(ON, lab.now);
    assert_eq!(lab.data("192.0.2.9", GROUP), "1 2 3", "an old bridge does not mind sources");
}

#[test]
fn b74_fastleave_needs_no_question() {
    let mut lab = Lab::with_legs(PATIENT, MulticastLegConfig { fastleave: true, ..Default::default() });
    lab.wait(10.0);
    report(&mut lab, GROUP, (TO_EX, &[]));
    report(&mut lab, GROUP, (BLOCK, &[1]));
    assert_eq!(lab.data(&source(GROUP, 1), GROUP), "nobody", "unwanted at once");
    report(&mut lab, GROUP, (TO_IN, &[]));
    assert_eq!(lab.to(GROUP), "nobody", "left at once");
    report(&mut lab, GROUP, (ALLOW, &[1, 2]));
    report(&mut lab, GROUP, (BLOCK, &[1]));
    assert_eq!(lab.data(&source(GROUP, 1), GROUP), "nobody");
    assert_eq!(lab.data(&source(GROUP, 2), GROUP), "1");
    report(&mut lab, GROUP, (TO_IN, &[3]));
    assert_eq!(lab.data(&source(GROUP, 2), GROUP), "nobody");
    report(&mut lab, GROUP, (BLOCK, &[3]));
    assert_eq!((lab.bridge.entries(lab.now).len(), lab.bridge.usage().0), (0, 0), "nothing is left");
}

#[test]
fn impossible_sources_are_not_remembered() {
    let mut lab = Lab::new(PATIENT);
    for group in [GROUP, GROUP6] {
        for bad in if group == GROUP { ["0.0.0.1", "239.1.1.1"] } else { ["::", "ff02::2"] } {
            lab.report(1, group, ALLOW, &[bad]);
            assert!(lab.bridge.entries(lab.now).is_empty(), "{bad}");
        }
    }
}

#[test]
fn what_a_guest_blocked_does_not_bind_the_user() {
    let mut lab = Lab::asked(MulticastConfig { igmp_version: 3, ..ON });
    lab.report(1, GROUP, 4, &["192.0.2.9"]);
    assert_eq!(lab.data("192.0.2.9", GROUP), "3", "B75: only the router");
    let group = Group::Ip(address(GROUP));
    let set = lab.with(|bridge, now, mut emit| bridge.add_entry(LegIndex(1), 0, group, None, now, &mut emit));
    assert_eq!(
        (set, lab.data("192.0.2.9", GROUP).as_str()),
        (Ok(()), "1 3"),
        "B74: it was set for all sources"
    );
}

#[test]
fn sources_last_as_long_as_members() {
    let config = MulticastConfig { igmp_version: 3, membership_interval: Duration::from_secs(30), ..ON };
    let mut lab = Lab::asked(config);
    lab.report(1, GROUP, 3, &["192.0.2.9"]);
    for (wait, whom) in [(29.0, "1 3"), (1.0, "3")] {
        lab.wait(wait);
        assert_eq!(lab.data("192.0.2.9", GROUP), whom, "not two query intervals and the time for an answer");
    }
}

#[test]
fn a_source_that_is_wanted_again_is_not_asked_for() {
    for (again, asked) in [(false, true), (true, false)] {
        let mut lab = Lab::new(PATIENT);
        lab.wait(10.0);
        report(&mut lab, GROUP, (TO_IN, &[1]));
        report(&mut lab, GROUP, (BLOCK, &[1]));
        if again {
            report(&mut lab, GROUP, (ALLOW, &[1]));
        }
        lab.wait(9.9);
        let about = lab.asked.iter().filter(|(_, _, text)| text.contains("sources")).count();
        assert_eq!(about > 0, asked, "B75: wanted again: {again}, {:?}", lab.asked);
    }
}
