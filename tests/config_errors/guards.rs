//! Who may send, what passes, and the other settings of legs.

use vswitchd::control::plan::Plan;
use vswitchd::fabric::Permit;

use super::{LAN, assert_found, assert_found_on_lan, plan};

/// One port with these lines; on `lan` they begin at line 5.
fn port(lines: &str) -> String {
    format!("[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\n{lines}\n")
}

fn permits(plan: &Plan) -> Vec<String> {
    let settings = plan.settings("p").expect("a port");
    let text = |permit: &Permit| match permit {
        Permit::Ip(net) => net.to_string(),
        Permit::Mac(mac) => mac.to_string(),
    };
    settings.permits.iter().map(text).collect()
}

#[test]
fn source_guards() {
    let text = port("source_guard = { mac = \"02:00:00:00:00:01\", ip = [\"fd00::/64\", \"10.0.0.2\"] }");
    assert_eq!(permits(&plan(&format!("{LAN}{text}"))), ["10.0.0.2/32", "fd00::/64", "02:00:00:00:00:01"]);
    let cases = [
        ("nobody", "source_guard = {}", "`source_guard` permits nobody"),
        ("nobody", "source_guard = { mac = [] }", "an empty `mac` in `source_guard` permits nobody"),
        ("no address", "source_guard = { ip = \"ten\" }", "\"ten\" is neither an IP address nor a network"),
        ("which?", "source_guard = { ip = \"10.0.0.1/24\" }", "10.0.0.1/24 is an address within a network"),
        (
            "a group",
            "source_guard = { ip = \"224.0.0.1\" }",
            "nobody sends from the multicast address 224.0.0.1/32",
        ),
        (
            "twice",
            "source_guard = { ip = [\"10.0.0.1\", \"10.0.0.1/32\"] }",
            "\"10.0.0.1/32\" is permitted twice",
        ),
        (
            "a group",
            "source_guard = { mac = \"01:00:5e:00:00:01\" }",
            "01:00:5e:00:00:01 is a group address: many stations, not one",
        ),
        ("a typo", "source_guard = { macs = [] }", "`source_guard` has no key `macs`"),
    ];
    for (why, line, message) in &cases[..7] {
        assert_found_on_lan(&[(why, &port(line), &[(5, message)])]);
    }
    let (why, line, message) = cases[7];
    assert_found_on_lan(&[(why, &port(line), &[(5, "`source_guard` permits nobody"), (5, message)])]);
}

#[test]
fn limits() {
    assert_found_on_lan(&[
        (
            "ranges",
            &port("mac_limit = -1\nstorm_limit = { broadcast = -1, bcast = 5 }"),
            &[
                (5, "`mac_limit` cannot be -1"),
                (6, "`broadcast` cannot be -1"),
                (6, "`storm_limit` has no key `bcast`"),
            ],
        ),
        (
            "beyond the network's",
            &port("mac_limit = 5000"),
            &[(5, "a `mac_limit` of 5000 is above `fdb_max` of its network")],
        ),
    ]);
    assert_found(&[(
        "a flap needs a number",
        "[[network]]\nname = \"lan\"\nflap = { window = 0 }\n",
        &[(3, "`moves` is missing"), (3, "`window` cannot be 0")],
    )]);
}

#[test]
fn flags() {
    assert_found_on_lan(&[
        ("B21: whom would it let pass?", &port("mab = true"), &[(5, "`mab` needs a locked port")]),
        ("B21: an authenticator releases stations", &port("mab = true\nlocked = true\nlearning = true"), &[]),
        ("the kernel's name", &port("guard = true"), &[(5, "[[port]] has no key `guard`")]),
        ("a copy of everything", &port("promiscuous = \"monitor\""), &[]),
        (
            "no flag of a cable",
            "[[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\npeer = \"x\"\naccess = 10\nmac_limit = 5\n",
            &[
                (6, "`access` is a setting of a port, and a cable is none"),
                (7, "`mac_limit` is a setting of a port, and a cable is none"),
            ],
        ),
    ]);
}

#[test]
fn backups() {
    let other = "[[network]]\nname = \"other\"\nhost = \"10.0.0.1/24\"\n[[port]]\nname = \"q\"\nnetwork = \"other\"\nkind = \"tap\"\n";
    assert_found_on_lan(&[
        ("itself", &port("backup_port = \"p\""), &[(5, "\"p\" cannot be its own backup")]),
        ("nobody", &port("backup_port = \"pq\""), &[(5, "there is no port \"pq\"")]),
        (
            "on another network",
            &(port("backup_port = \"q\"") + other),
            &[(5, "port \"q\" is not on network \"lan\"")],
        ),
        (
            "the host",
            &(other.to_owned() + "backup_port = \"other\"\n"),
            &[(8, "the host's place on \"other\" cannot stand in for a port")],
        ),
    ]);
}

#[test]
fn what_passes() {
    let network = |line: &str| format!("[[network]]\nname = \"lan\"\n{line}\n");
    let mask = |line: &str| plan(&network(line)).networks[0].bridge.transparent_mask;
    let table = [
        ("", 0, "a bridge (B34 to B36)"),
        ("l2_control = \"802.1d\"", 0, "a bridge"),
        ("l2_control = \"transparent\"", 0xffff, "a wire"),
        ("l2_control = [\"lldp\", \"lacp\"]", 0x4004, "-0E and -02"),
        ("l2_control = [\"bpdu\", \"pause\", \"802.1x\"]", 0xb, "-00, -01 and -03"),
        ("l2_control = \"01:80:c2:00:00:05\"", 0x20, "by its address"),
    ];
    for (line, expected, why) in table {
        assert_eq!(mask(line), expected, "{line}: {why}");
    }
    assert_found(&[
        (
            "no such protocol",
            &network("l2_control = [\"lldpp\", \"01:80:c2:00:00:10\"]"),
            &[(3, "`l2_control` cannot be \"lldpp\""), (3, "`l2_control` cannot be \"01:80:c2:00:00:10\"")],
        ),
        (
            "a tree lives on BPDUs",
            &network("stp = true\nl2_control = \"transparent\""),
            &[(4, "BPDUs cannot pass a network that has a spanning tree")],
        ),
        ("all but BPDUs", &network("stp = true\nl2_control = [\"lldp\"]"), &[]),
    ]);
}

#[test]
fn the_bridges_address_is_the_hosts() {
    let written = plan("[[network]]\nname = \"lan\"\nhost = \"10.0.0.1/24\"\nmac = \"02:00:00:00:00:09\"\n");
    let host = &written.ports[0];
    assert_eq!(host.settings.leg.mac, Some(written.networks[0].bridge.address), "B42");
    assert_eq!(written.networks[0].bridge.address.to_string(), "02:00:00:00:00:09");
    let derived = plan("[[network]]\nname = \"a\"\n[[network]]\nname = \"b\"\nhost = \"10.0.0.1/24\"\n");
    let [a, b] = &derived.networks[..] else { panic!("two networks") };
    assert!(a.bridge.address.is_station() && a.bridge.address != b.bridge.address, "each its own");
    assert_eq!(derived.ports[0].interface.mac, Some(b.bridge.address));
}
