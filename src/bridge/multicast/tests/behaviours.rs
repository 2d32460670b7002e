//! B64 to B79, but for sources and questions.

use super::*;

#[test]
fn b64_the_defaults_are_the_kernels() {
    let ours = MulticastConfig::default();
    let kernel = MulticastConfig { snooping: true, flood_solicited_node: false, ..ours };
    assert_eq!(
        (ours.snooping, ours.flood_solicited_node),
        (false, true),
        "the two that differ, for the hosts' sake"
    );
    assert_eq!(MulticastConfig { address: ours.address, flood_solicited_node: false, ..ON }, kernel);
    assert_eq!(MulticastLegConfig::default().router, RouterMode::Learn);
}

#[test]
fn b65_forwarding_is_restricted_once_a_querier_was_answered() {
    for group in [GROUP, GROUP6] {
        let mut lab = Lab::new(ON);
        lab.join(1, group);
        assert_eq!(lab.to(group), "flood", "nobody asks: nobody would repeat his report");
        lab.ask(3, 10);
        assert_eq!(lab.to(group), "flood", "somebody asks, but answers take their time");
        lab.wait(9.999);
        assert_eq!(lab.to(group), "flood", "up to then");
        lab.wait(0.001);
        assert_eq!(lab.to(group), "1 3", "from then on");
        lab.wait(200.0);
        lab.ask(3, 10);
        lab.join(1, group);
        assert_eq!(lab.to(group), "1 3", "a querier that was there already needs no delay");
        lab.wait(254.999);
        assert_eq!(lab.to(group), "1 3", "up to 255 s after its last query");
        lab.now = lab.now + Duration::from_millis(1);
        assert_eq!(lab.to(group), "flood", "not longer, though nothing ticked");
    }
}

#[test]
fn b65_the_own_querier_waits_too() {
    let mut lab = Lab::new(MulticastConfig { querier: true, ..ON });
    lab.join(1, GROUP);
    lab.wait(9.999);
    assert_eq!(lab.to(GROUP), "flood");
    lab.wait(0.001);
    assert_eq!(lab.to(GROUP), "1");
    lab.bridge.configure(ON, lab.now);
    assert_eq!(lab.to(GROUP), "flood", "the querier is switched off");
    lab.bridge.configure(MulticastConfig { querier: true, ..ON }, lab.now);
    assert_eq!(lab.to(GROUP), "flood", "and on: it waits again");
}

#[test]
fn b66_b67_members_and_routers_and_the_host_only_if_it_joined() {
    for group in [GROUP, GROUP6] {
        let mut lab = Lab::asked(ON);
        assert_eq!(lab.to(group), "3", "B67: unregistered: only the router");
        lab.join(1, group);
        assert_eq!(lab.to(group), "1 3", "B66: the member and the router, not the host");
        lab.join(0, group);
        assert_eq!(lab.to(group), "1 3 host", "B66: the host joined");
        lab.wait(259.999);
        lab.ask(3, 10);
        assert_eq!(lab.to(group), "flood", "the querier was gone for a moment");
        let mut lab = Lab::asked(MulticastConfig { router: RouterMode::Always, ..ON });
        assert_eq!(lab.to(group), "3 host", "B67: the host is a router");
    }
}

#[test]
fn what_the_host_wants_outlives_a_router_beside_it() {
    let mut lab = Lab::asked(ON);
    let router = MulticastLegConfig { router: RouterMode::Always, ..MulticastLegConfig::default() };
    lab.with(|bridge, now, mut emit| bridge.attach(LegIndex(4), router, true, now, &mut emit));
    lab.join(0, GROUP);
    lab.with(|bridge, now, mut emit| bridge.detach(LegIndex(4), now, &mut emit));
    assert_eq!(lab.to(GROUP), "3 host", "to the bridge a router is what the host is, and yet another");
    lab.with(|bridge, now, mut emit| bridge.detach(LegIndex(0), now, &mut emit));
    assert_eq!(lab.to(GROUP), "3", "with the host it goes");
}

#[test]
fn a_membership_lasts_for_its_interval() {
    for group in [GROUP, GROUP6] {
        let mut lab = Lab::asked(ON);
        lab.join(1, group);
        lab.join(0, group);
        lab.wait(200.0);
        lab.ask(3, 10);
        lab.wait(59.999);
        assert_eq!(lab.to(group), "1 3 host");
        lab.now = lab.now + Duration::from_millis(1);
        assert_eq!(lab.to(group), "3", "to the moment, though nothing ticked");
        assert!(lab.bridge.entries(lab.now).is_empty(), "nor is it shown");
        lab.events.clear();
        lab.wait(0.0);
        let mut events = std::mem::take(&mut lab.events);
        events.sort();
        assert_eq!(events, [format!("left 0 {group}"), format!("left 1 {group}")], "the tick tells");
        assert_eq!((lab.bridge.mdb.len(), lab.bridge.usage().0), (0, 0), "and gives the memory back");
    }
}

#[test]
fn b68_what_is_everybodys() {
    let table = [
        ("224.0.0.5", "flood", "224.0.0.0/24 is never registered"),
        ("224.0.0.251", "flood", "mDNS is in it"),
        ("224.0.1.1", "3", "the next is not"),
        ("ff02::1", "flood", "all nodes"),
        ("ff02::2", "3", "all routers are snooped"),
        ("ff02::fb", "3", "so is mDNS"),
        ("ff02::1:ff00:1", "flood", "solicited nodes are not, here"),
        ("ff02::1:ffff:ffff", "flood", "the last of them"),
        ("ff02::1:fe00:1", "3", "and none"),
    ];
    for (group, expected, why) in table {
        let mut lab = Lab::asked(ON);
        assert_eq!(lab.to(group), expected, "{why}: {group}");
        lab.join(1, group);
        let registered = lab.bridge.entries(lab.now).len();
        let everybodys = ["224.0.0.5", "224.0.0.251", "ff02::1"].contains(&group);
        assert_eq!(registered, usize::from(!everybodys), "{why}: {group}");
    }
    let mut kernel = Lab::asked(MulticastConfig { flood_solicited_node: false, ..ON });
    assert_eq!(kernel.to("ff02::1:ff00:1"), "3", "the kernel's way");
    kernel.join(1, "ff02::1:ff00:1");
    assert_eq!(kernel.to("ff02::1:ff00:1"), "1 3");
}

#[test]
fn b69_who_hears_the_messages() {
    for group in [GROUP, GROUP6] {
        let mut lab = Lab::new(ON);
        assert_eq!(lab.join(1, group), "flood", "without a querier even a report");
        let mut lab = Lab::asked(ON);
        assert_eq!(lab.join(1, group), "3", "hosts that heard it would keep silent");
        assert_eq!(lab.join(1, group), "3", "members do not hear it either");
        assert_eq!(lab.report(1, group, 2, &[]), "flood", "the newer version needs no silence");
        assert_eq!(lab.leave(1, group), "flood");
        assert_eq!(
            lab.receive(3, 0, &igmp("10.0.0.9", "224.0.0.1", &[0x11, 100, 0, 0, 0, 0, 0, 0])),
            "flood"
        );
    }
    let mut lab = Lab::asked(ON);
    let v1 = old(GROUP, 0x12, 0, GROUP);
    assert_eq!(lab.receive(1, 0, &v1), "3", "IGMPv1");
    assert_eq!(lab.to(GROUP), "1 3", "and it joins");
}

#[test]
fn b70_malformed_messages_are_named() {
    let mut lab = Lab::new(ON);
    let mut bad = join(GROUP);
    bad[27] ^= 1;
    assert_eq!(lab.receive(1, 0, &bad), "V4 Checksum");
    let mut bad = join(GROUP6);
    let last = bad.len() - 1;
    bad[last] ^= 1;
    assert_eq!(lab.receive(1, 0, &bad), "V6 Checksum");
    let general = igmp("10.0.0.9", GROUP, &[0x11, 100, 0, 0, 0, 0, 0, 0]);
    assert_eq!(lab.receive(1, 0, &general), "V4 Destination");
    let mut data = ip(address("10.0.0.1"), address(GROUP), 17, &[0; 8]);
    data[8] += 1;
    assert_eq!(lab.receive(1, 0, &data), "V4 Header", "even of data, as the kernel");
    assert_eq!(lab.receive(1, 0, &[0x60; 8]), "V6 Header");
    assert!(lab.bridge.entries(lab.now).is_empty() && lab.events.is_empty(), "and teach nothing");
    lab.bridge.configure(MulticastConfig::default(), lab.now);
    assert_eq!(lab.receive(1, 0, &bad), "flood", "B79: who does not snoop does not look");
}

#[test]
fn b71_routers_are_heard() {
    let hello = ip(address("10.0.0.7"), address("224.0.0.13"), 103, &[0x20, 0, 0, 0]);
    let advert = igmp("10.0.0.7", "224.0.0.106", &[0x30, 20, 0, 0, 0, 125, 0, 2]);
    let advert6 = mld("fe80::7", "ff02::6a", &[151, 20, 0, 0, 0, 125, 0, 2]);
    for (packet, group, scope, why) in [
        (&hello, GROUP, "flood", "a PIM hello"),
        (&advert, GROUP, "flood", "router discovery"),
        (&advert6, GROUP6, "3", "MLD's goes to routers: its group is an ordinary one"),
    ] {
        let mut lab = Lab::asked(ON);
        assert_eq!(lab.receive(1, 0, packet), scope, "{why}");
        assert_eq!(lab.to(group), "1 3", "{why}");
        lab.wait(200.0);
        lab.ask(3, 10);
        lab.wait(54.999);
        assert_eq!(lab.to(group), "1 3", "{why}: for 255 s");
        lab.now = lab.now + Duration::from_millis(1);
        assert_eq!(lab.to(group), "3", "{why}: no longer");
        lab.wait(0.0);
        assert_eq!(lab.events, ["router 3 true", "router 1 true", "router 1 false"], "{why}");
        let other = if group == GROUP { GROUP6 } else { GROUP };
        lab.receive(1, 0, packet);
        assert_eq!(lab.to(other), "3", "{why}: the families are apart");
        lab.receive(0, 0, packet);
        assert_eq!(lab.to(group), "1 3 host", "{why}: heard from the host, it is one");
    }
}

#[test]
fn b71_modes_of_a_router_port() {
    let hello = ip(address("10.0.0.7"), address("224.0.0.13"), 103, &[0x20, 0, 0, 0]);
    let table = [
        (RouterMode::Always, ["1 3", "1 3", "1 3"]),
        (RouterMode::Learn, ["3", "1 3", "3"]),
        (RouterMode::Never, ["3", "3", "3"]),
        (RouterMode::Temp, ["1 3", "1 3", "3"]),
    ];
    for (router, expected) in table {
        let mut lab = Lab::asked(ON);
        let config = MulticastLegConfig { router, ..Default::default() };
        lab.with(|bridge, now, mut emit| bridge.configure_leg(LegIndex(1), config, now, &mut emit));
        let at_once = lab.to(GROUP);
        lab.receive(1, 0, &hello);
        let heard = lab.to(GROUP);
        lab.wait(200.0);
        lab.ask(3, 10);
        lab.wait(55.0);
        assert_eq!(
            [at_once, heard, lab.to(GROUP)],
            expected,
            "{router:?}: at once, after a hello, 255 s later"
        );
        lab.receive(1, 0, &hello);
        let again = if router == RouterMode::Never { "3" } else { "1 3" };
        assert_eq!(lab.to(GROUP), again, "{router:?}: a temporary one that has run out learns");
        lab.with(|bridge, now, mut emit| {
            bridge.configure_leg(LegIndex(1), MulticastLegConfig::default(), now, &mut emit);
        });
        let learns = matches!(router, RouterMode::Learn | RouterMode::Temp);
        let back = if learns { "1 3" } else { "3" };
        assert_eq!(lab.to(GROUP), back, "{router:?}: what learns already goes on");
    }
}

#[test]
fn b73_a_leave_waits_for_the_querier_to_ask() {
    for group in [GROUP, GROUP6] {
        let mut lab = Lab::asked(ON);
        lab.join(1, group);
        lab.leave(1, group);
        lab.wait(100.0);
        assert_eq!(lab.to(group), "1 3", "nobody asked");
        lab.ask(3, 10);
        let specific = if group == GROUP {
            igmp("10.0.0.9", GROUP, &[&[0x11, 30, 0, 0][..], &octets(group)].concat())
        } else {
            mld("fe80::9", group, &[&[130, 0, 0, 0, 0x0b, 0xb8, 0, 0][..], &octets(group)].concat())
        };
        lab.receive(3, 0, &specific);
        lab.wait(5.999);
        assert_eq!(lab.to(group), "1 3", "3 s for the answer, twice");
        lab.wait(0.001);
        assert_eq!(lab.to(group), "3");
        lab.join(1, group);
        lab.join(0, group);
        lab.receive(3, 0, &specific);
        lab.join(1, group);
        lab.wait(6.0);
        assert_eq!(lab.to(group), "1 3", "who answers stays; the host did not");
    }
}

#[test]
fn b73_without_a_querier_it_lasts_two_seconds() {
    let mut lab = Lab::new(ON);
    lab.join(1, GROUP);
    lab.join(0, GROUP);
    lab.leave(1, GROUP);
    lab.leave(0, GROUP);
    lab.wait(1.999);
    assert_eq!(lab.bridge.entries(lab.now).len(), 2);
    lab.wait(0.001);
    assert_eq!(lab.bridge.entries(lab.now), [], "nobody can ask");
    assert!(lab.asked.is_empty());
}

#[test]
fn b74_fastleave_and_permanent_entries() {
    let group = Group::Ip(address(GROUP));
    let mut lab = Lab::asked(ON);
    let fast = MulticastLegConfig { fastleave: true, ..Default::default() };
    lab.with(|bridge, now, mut emit| bridge.configure_leg(LegIndex(1), fast, now, &mut emit));
    lab.join(1, GROUP);
    lab.leave(1, GROUP);
    assert_eq!(lab.to(GROUP), "3", "at once");
    for leg in [1, 2] {
        let set =
            lab.with(|bridge, now, mut emit| bridge.add_entry(LegIndex(leg), 0, group, None, now, &mut emit));
        assert_eq!(set, Ok(()));
        lab.leave(leg, GROUP);
    }
    let specific = igmp("10.0.0.9", GROUP, &[&[0x11, 30, 0, 0][..], &octets(GROUP)].concat());
    lab.receive(3, 0, &specific);
    lab.join(1, GROUP);
    let set = lab.bridge.entries(lab.now);
    assert!(set.len() == 2 && set.iter().all(|entry| entry.permanent && entry.expires.is_none()), "{set:?}");
    lab.wait(240.0);
    lab.ask(3, 10);
    lab.wait(100.0);
    assert_eq!(lab.to(GROUP), "1 2 3", "neither leaves, nor queries, nor time, nor a report takes them away");
    let removed =
        lab.with(|bridge, now, mut emit| bridge.remove_entry(LegIndex(1), 0, group, None, now, &mut emit));
    assert!(removed);
    assert_eq!(lab.to(GROUP), "2 3", "but the user");
    let again =
        lab.with(|bridge, now, mut emit| bridge.remove_entry(LegIndex(1), 0, group, None, now, &mut emit));
    assert!(!again, "once");
    let mut lab = Lab::new(ON);
    let set = lab.with(|bridge, now, mut emit| bridge.add_entry(LegIndex(1), 0, group, None, now, &mut emit));
    assert_eq!(set, Ok(()));
    lab.leave(1, GROUP);
    assert_eq!(lab.bridge.entries(lab.now)[0].expires, None, "nor where nobody would ask");
}

#[test]
fn entries_of_the_user() {
    let mut lab = Lab::asked(MulticastConfig { igmp_version: 3, ..ON });
    let mut add = |leg, group: Group, source: Option<&str>| {
        let source = source.map(address);
        lab.with(|bridge, now, mut emit| bridge.add_entry(LegIndex(leg), 0, group, source, now, &mut emit))
    };
    let group = Group::Ip(address(GROUP));
    let mac = Mac([1, 2, 3, 4, 5, 6]);
    assert_eq!(add(9, group, None), Err(manage::EntryError::Leg));
    assert_eq!(add(1, Group::Ip(address("224.0.0.9")), None), Err(manage::EntryError::Group));
    assert_eq!(add(1, Group::Ip(address("10.0.0.9")), None), Err(manage::EntryError::Group), "no group");
    assert_eq!(add(1, group, Some("2001:db8::1")), Err(manage::EntryError::Source), "of another family");
    assert_eq!(add(0, group, Some("10.0.0.1")), Err(manage::EntryError::Source), "the host wants all");
    assert_eq!(add(1, group, Some("10.0.0.1")), Ok(()));
    assert_eq!(add(0, group, None), Ok(()));
    assert_eq!(add(2, Group::Mac(mac), None), Ok(()));
    lab.join(0, GROUP);
    lab.wait(240.0);
    lab.ask(3, 10);
    lab.wait(100.0);
    assert_eq!(lab.data("10.0.0.1", GROUP), "1 3 host", "from the source that was set");
    assert_eq!(lab.data("10.0.0.2", GROUP), "3 host", "from another");
    lab.join(1, GROUP);
    assert_eq!(lab.data("10.0.0.2", GROUP), "1 3 host", "a report joins beside it");
    let scope = |lab: &Lab, dst| {
        let judgement = lab.bridge.judge(0x88b5, dst, &[], false).expect("not IP");
        let scope = lab.bridge.scope(judgement.audience, 0, lab.now);
        lab.say(&scope)
    };
    assert_eq!(scope(&lab, mac), "2 3", "a group of no IP, which needs no querier");
    assert_eq!(scope(&lab, Mac([1, 2, 3, 4, 5, 7])), "flood", "others are not snooped");
}

#[test]
fn b77_reporters_get_copies() {
    let mut lab = Lab::with_legs(ON, MulticastLegConfig { to_unicast: true, ..Default::default() });
    lab.ask(3, 10);
    lab.wait(10.0);
    let [a, b] = [Mac([2, 0, 0, 0, 1, 1]), Mac([2, 0, 0, 0, 1, 2])];
    for mac in [a, b] {
        lab.receive_from(1, 0, mac, &join(GROUP));
    }
    assert_eq!(lab.to(GROUP), format!("3 1:{a}+{b}"), "one each; the router gets it as it is");
    lab.receive_from(1, 0, a, &leave(GROUP));
    lab.wait(240.0);
    lab.ask(3, 10);
    lab.receive_from(1, 0, b, &join(GROUP));
    lab.wait(100.0);
    assert_eq!(lab.to(GROUP), format!("3 1:{b}"), "each lasts as long as its own reports");
    lab.receive_from(3, 0, a, &join(GROUP));
    assert_eq!(lab.to(GROUP), format!("3 1:{b}"), "behind a router no copies");
    let plain = MulticastLegConfig::default();
    lab.with(|bridge, now, mut emit| bridge.configure_leg(LegIndex(1), plain, now, &mut emit));
    assert_eq!(lab.to(GROUP), "1 3", "switched off");
}

#[test]
fn b78_a_leg_that_goes_down_forgets() {
    let [set, learned] = [GROUP, "239.1.1.1"].map(|group| Group::Ip(address(group)));
    let mut lab = Lab::asked(ON);
    lab.with(|bridge, now, mut emit| bridge.add_entry(LegIndex(1), 0, set, None, now, &mut emit))
        .expect("room");
    lab.join(1, "239.1.1.1");
    lab.join(2, "239.1.1.1");
    lab.ask(1, 10);
    let up =
        |lab: &mut Lab, up| lab.with(|bridge, now, mut emit| bridge.set_up(LegIndex(1), up, now, &mut emit));
    up(&mut lab, false);
    let held = |lab: &Lab| -> Vec<_> {
        lab.bridge
            .entries(lab.now)
            .into_iter()
            .map(|entry| (entry.group, entry.leg.map(|leg| leg.0)))
            .collect()
    };
    assert_eq!(held(&lab), [(learned, Some(2)), (set, Some(1))], "but for what the user set");
    assert_eq!(lab.to("239.1.1.1"), "2 3", "nor is it a router any more");
    lab.join(1, "239.1.1.1");
    assert_eq!(held(&lab).len(), 2, "down is down");
    up(&mut lab, true);
    assert_eq!(lab.join(1, "239.1.1.1"), "3");
    assert_eq!(held(&lab).len(), 3);
    lab.with(|bridge, now, mut emit| bridge.detach(LegIndex(1), now, &mut emit));
    assert_eq!(held(&lab), [(learned, Some(2))], "gone for good");
    assert_eq!(lab.bridge.usage().0, 1, "and given back");
}

#[test]
fn b79_off_is_flood() {
    let mut lab = Lab::asked(MulticastConfig { snooping: false, querier: true, ..ON });
    lab.join(1, GROUP);
    assert_eq!((lab.to(GROUP), lab.join(1, GROUP)), ("flood".into(), "flood".into()));
    assert!(lab.bridge.entries(lab.now).is_empty() && lab.asked.is_empty(), "nothing is learned nor asked");
    lab.bridge.configure(MulticastConfig { querier: true, ..ON }, lab.now);
    lab.join(1, GROUP);
    lab.wait(10.0);
    assert_eq!(lab.to(GROUP), "1", "switched on while it runs");
    assert_eq!(lab.asked.iter().filter(|(leg, ..)| *leg == 1).count(), 2, "and asks both families at once");
}

#[test]
fn vlans_have_groups_of_their_own() {
    let mut lab = Lab::asked(ON);
    lab.receive(1, 10, &join(GROUP));
    assert_eq!(
        (lab.data_in(10, "10.0.0.1", GROUP), lab.data_in(20, "10.0.0.1", GROUP)),
        ("1 3".into(), "3".into())
    );
    lab.receive(1, 20, &join(GROUP));
    lab.with(|bridge, _, mut emit| bridge.remove_vlan(LegIndex(1), 10, &mut emit));
    assert_eq!(
        (lab.data_in(10, "10.0.0.1", GROUP), lab.data_in(20, "10.0.0.1", GROUP)),
        ("3".into(), "1 3".into())
    );
}
