//! VLANs: of networks, of ports in full and in short, and of the host.

use vswitchd::control::plan::Plan;

use super::{assert_found, plan};

const FILTERING: &str = "[[network]]\nname = \"lan\"\nvlan_filtering = true\n";
const PORT: &str = "[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\n";

/// One port on a network that filters, with these lines; they begin at line 8.
fn port(lines: &str) -> String {
    format!("{FILTERING}{PORT}{lines}\n")
}

fn vlans(plan: &Plan, name: &str) -> Vec<(u16, bool, bool)> {
    let settings = plan.settings(name).expect("a leg");
    settings.vlans.iter().map(|entry| (entry.vid, entry.pvid, entry.untagged)).collect()
}

#[test]
fn what_is_written_and_what_it_means() {
    let table: [(&str, &[(u16, bool, bool)], &str); 10] = [
        ("", &[(1, true, true)], "B51: the network's default"),
        ("access = 10", &[(10, true, true)], "in this one, nothing else"),
        (
            "trunk = [20, \"30-32\"]",
            &[(20, false, false), (30, false, false), (31, false, false), (32, false, false)],
            "no native",
        ),
        ("trunk = 20", &[(20, false, false)], "a list of one"),
        ("trunk = [20]\nnative = 1", &[(1, true, true), (20, false, false)], "the native is untagged"),
        (
            "vlan = { pvid = 10, untagged = [10], tagged = [20] }",
            &[(10, true, true), (20, false, false)],
            "in full",
        ),
        ("vlan = { pvid = 10 }", &[(10, true, false)], "bridge vlan add vid 10 pvid: leaves with its tag"),
        (
            "vlan = { pvid = 20, tagged = \"19-21\" }",
            &[(19, false, false), (20, true, false), (21, false, false)],
            "one of the tagged",
        ),
        (
            "vlan = { untagged = [10, 11] }",
            &[(10, false, true), (11, false, true)],
            "no PVID: untagged frames may only leave",
        ),
        ("vlan = { tagged = \"4094\" }", &[(4094, false, false)], "the last"),
    ];
    for (lines, expected, why) in table {
        assert_eq!(vlans(&plan(&port(lines)), "p"), expected, "{lines}: {why}");
    }
    let none = plan(&format!("{FILTERING}vlan_default_pvid = 0\n{PORT}"));
    assert_eq!(vlans(&none, "p"), [], "B51: a default of 0 is none");
    let host = format!("{FILTERING}host = \"10.0.0.1/24\"\nhost_vlan = {{ tagged = [10] }}\n");
    assert_eq!(vlans(&plan(&host), "lan"), [(10, false, false)], "B60: bridge vlan add dev lan vid 10 self");
}

#[test]
fn numbers_and_ranges() {
    let cases = [
        ("B56: reserved", "access = 0", "`access` cannot be 0"),
        ("B56: reserved", "access = 4095", "`access` cannot be 4095"),
        ("a word", "trunk = [\"ten\"]", "`trunk` cannot be \"ten\""),
        ("half a range", "trunk = [\"10-\"]", "`trunk` cannot be \"10-\""),
        ("the wrong way round", "trunk = [\"40-30\"]", "the range \"40-30\" ends before it begins"),
        ("a range to nowhere", "trunk = [\"4000-5000\"]", "`trunk` cannot be 5000"),
        ("negative", "vlan = { tagged = [-1] }", "`tagged` cannot be -1"),
        ("two PVIDs", "vlan = { pvid = [10, 20] }", "`pvid` must be a whole number, not a list"),
        ("two PVIDs", "vlan = { pvid = 10, pvid = 20 }", "`pvid` is given twice"),
        ("twice", "vlan = { tagged = [20, \"10-30\"] }", "VLAN 20 is given twice in `tagged`"),
        (
            "with or without a tag?",
            "vlan = { untagged = [10], tagged = [10] }",
            "VLAN 10 cannot be both in `untagged` and in `tagged`",
        ),
        (
            "a number with a fraction",
            "trunk = [1.5]",
            "`trunk` must be a VLAN, a range of them, or a list, not a number with a fraction",
        ),
        ("an unknown key", "vlan = { tagged = [1], tagd = [1] }", "`vlan` has no key `tagd`"),
        ("no table", "vlan = 10", "`vlan` must be a table, not a number"),
    ];
    for (why, lines, message) in cases {
        assert_found(&[(why, &port(lines), &[(8, message)])]);
    }
    assert_found(&[
        (
            "native frames have no tag",
            &port("native = 20\ntrunk = [1, 20]"),
            &[(9, "VLAN 20 cannot be both in `native` and in `trunk`")],
        ),
        (
            "all of them at once",
            &port("vlan = { untagged = [0, 4095], tagged = [\"x\"] }"),
            &[
                (8, "`untagged` cannot be 0"),
                (8, "`untagged` cannot be 4095"),
                (8, "`tagged` cannot be \"x\""),
            ],
        ),
    ]);
}

#[test]
fn forms() {
    assert_found(&[
        (
            "long and short",
            &port("vlan = { pvid = 10 }\naccess = 10"),
            &[(9, "a port cannot have both `vlan` and `access`")],
        ),
        (
            "a port is one or the other",
            &port("access = 10\ntrunk = [20]"),
            &[(9, "a port cannot have both `access` and `trunk`")],
        ),
        ("of which trunk?", &port("native = 1"), &[(8, "`native` is the untagged VLAN of a `trunk`")]),
        ("nowhere", &port("vlan = {}"), &[(8, "`vlan` leaves it in no VLAN: every frame will be dropped")]),
    ]);
}

#[test]
fn networks() {
    assert_found(&[
        (
            "the kernel keeps them and ignores them",
            &format!("[[network]]\nname = \"lan\"\nvlan_default_pvid = 5\n{PORT}access = 10\n"),
            &[
                (3, "`vlan_default_pvid` has no effect on a network that does not filter VLANs"),
                (8, "`access` has no effect on a network that does not filter VLANs"),
            ],
        ),
        (
            "ranges and words",
            &format!("{FILTERING}vlan_default_pvid = 4095\nvlan_protocol = \"802.1q\"\n"),
            &[(4, "`vlan_default_pvid` cannot be 4095"), (5, "`vlan_protocol` cannot be \"802.1q\"")],
        ),
        (
            "whose VLAN?",
            &format!("{FILTERING}host_vlan = {{ tagged = [10] }}\n"),
            &[(4, "`host_vlan` on a network that the host is not on")],
        ),
    ]);
}

#[test]
fn entries() {
    let entry = |vlan: &str| {
        let text = port("access = 10");
        format!("{text}[[fdb]]\nnetwork = \"lan\"\nmac = \"02:00:00:00:00:01\"\nport = \"p\"\n{vlan}")
    };
    assert_found(&[
        ("its VLAN", &entry("vlan = 10\n"), &[]),
        ("B58: all of its VLANs", &entry(""), &[]),
        ("another", &entry("vlan = 20\n"), &[(13, "\"p\" is not in VLAN 20")]),
        ("none", &entry("vlan = 4095\n"), &[(13, "`vlan` cannot be 4095")]),
        (
            "B58: one for all and one for some",
            &format!(
                "{}[[fdb]]\nnetwork = \"lan\"\nmac = \"02:00:00:00:00:01\"\nport = \"p\"\n",
                entry("vlan = 10\n")
            ),
            &[(16, "02:00:00:00:00:01 has an entry on \"lan\" already")],
        ),
    ]);
}
