//! What users are told about their file: everything that is wrong with it, at once, each with its line.
//!
//! - `damage`: no text whatever makes the reader panic
//! - `drawings`: a few, compared whole
//! - `guards`: who may send, what passes, and the flags of bridge(8)
//! - `links`: wires between networks, and their ends
//! - `machines`: nodes, and who hears whom
//! - `multicast`: snooping, and permanent members of groups
//! - `publishes`: published ports of routers
//! - `routers`: gateways, and their interfaces
//! - `rules`: the user's rules of routers
//! - `stp`: spanning tree
//! - `switch`: networks, ports and static entries
//! - `vlans`: VLANs of networks and of their legs
//! - `ways`: routes of routers, and how they follow and translate flows
//!
//! Here is what concerns any file, and what the tests have in common.

mod damage;
mod drawings;
mod guards;
mod links;
mod machines;
mod multicast;
mod publishes;
mod reach;
mod routers;
mod rules;
mod stp;
mod switch;
mod vlans;
mod ways;

use vswitchd::control::config::{self, Diagnostic, position};
use vswitchd::control::plan::{Netns, Plan};

#[test]
fn every_lab_file_has_a_meaning() {
    let files = lab_files();
    assert!(files.len() >= 6, "only {} labs", files.len());
    for (name, text) in files {
        match config::parse(&text, "lab") {
            Ok((plan, warnings)) => {
                assert!(warnings.is_empty(), "{name}: {warnings:?}");
                assert!(!plan.expects.is_empty(), "{name} checks nothing");
                assert!(text.starts_with("# "), "{name} teaches nothing");
            }
            Err(found) => panic!("{}", found.render(&name, &text, false)),
        }
    }
}

#[test]
fn syntax() {
    assert_found(&[
        (
            "every line of it, not only the first",
            "a = \nb = c\nx = \"",
            &[(1, "this is not TOML"), (2, "this is not TOML"), (3, "this is not TOML")],
        ),
        (
            "unknown keys in what can still be read",
            "[[network]]\nname = lan\nbogus = 1\n",
            &[(2, "this is not TOML"), (3, "[[network]] has no key `bogus`")],
        ),
        (
            "a key twice",
            "[[network]]\nname = \"lan\"\nmtu = 1500\nmtu = 1400\n",
            &[(4, "`mtu` is given twice")],
        ),
        ("a table twice", "[lab]\n[lab]\n", &[(2, "`lab` is given twice")]),
        (
            "a list's header with single brackets",
            "[network]\nname = \"lan\"\n",
            &[(1, "there may be several [[network]], so it is a list")],
        ),
        ("a table's header with double brackets", "[[lab]]\n", &[(1, "there is one [lab] in a file")]),
        (
            "a table that is none",
            "lab = 1\nnetwork = 2\n",
            &[(1, "`lab` must be a table, not a number"), (2, "`network` must be a table, not a number")],
        ),
        ("an unknown table", "[[switch]]\n", &[(1, "the file has no key `switch`")]),
    ]);
}

#[test]
fn types() {
    assert_found(&[
        (
            "each wrong value of a table",
            "[[network]]\nname = 5\nmtu = \"1500\"\nageing = true\nhost = 7\n",
            &[
                (2, "`name` must be a string, not a number"),
                (3, "`mtu` must be a whole number, not a string"),
                (4, "`ageing` must be a number of seconds, not true or false"),
                (5, "`host` must be a string or a list of strings, not a number"),
            ],
        ),
        (
            "a number with a fraction, and one too large for 64 bits",
            "[[network]]\nname = \"lan\"\nmtu = 1.5\nfdb_max = 99999999999999999999\n",
            &[
                (3, "`mtu` must be a whole number, not a number with a fraction"),
                (4, "`fdb_max` cannot be 99999999999999999999"),
            ],
        ),
        (
            "each wrong element of a list",
            "[[network]]\nname = \"lan\"\nhost = [\n  1,\n  \"10.0.0.1/24\",\n  2,\n]\n",
            &[(4, "`host` must be a string, not a number"), (6, "`host` must be a string, not a number")],
        ),
        (
            "no number",
            "[[network]]\nname = \"lan\"\nageing = nan\n",
            &[(3, "`ageing` must be a number of seconds, not a number with a fraction")],
        ),
    ]);
    assert_found_on_lan(&[(
        "on and off are not TOML's words",
        "[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\nflood = \"off\"\n",
        &[(5, "`flood` must be true or false, not a string")],
    )]);
}

#[test]
fn what_is_not_written_is_filled_in() {
    let plan = plan(
        "[[network]]\nname = \"lan\"\nhost = \"10.0.0.1/24\"\nmtu = 9000\n\
         [[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"raw\"\n\
         [[node]]\nname = \"a\"\n[[node.interface]]\nname = \"e\"\nnetwork = \"lan\"\n\
         [[node.interface]]\nname = \"f\"\npeer = \"cable\"\n",
    );
    assert_eq!(plan.name, "lab", "the file's stem");
    let names: Vec<_> = plan.ports.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["lan", "p", "a:e"], "the host, [[port]], nodes");
    assert!(
        plan.ports.iter().all(|port| port.settings.leg.mtu == 9000 && port.interface.mtu == 9000),
        "the network's MTU"
    );
    let [host, raw, node] = &plan.ports[..] else { panic!("three ports") };
    assert_eq!((host.line.0, raw.line.0, node.line.0), (3, 5, 11), "where each stands");
    assert_eq!((&host.netns, &node.netns), (&Netns::Own, &Netns::Node("a".into())));
    assert_eq!(raw.interface.mac, None, "whoever made the interface gave it its address");
    assert!(
        node.interface.mac.is_some() && node.settings.leg.mac == node.interface.mac,
        "what we make has one"
    );
    assert_ne!(node.interface.mac, host.interface.mac);
    assert_eq!(plan.nodes[0].cables[0].peer, "cable");
    assert_eq!(plan.needs_real_host(), ["port lan", "port p"]);
}

/// A network to be on.
const LAN: &str = "[[network]]\nname = \"lan\"\n";

fn found(text: &str) -> Vec<Diagnostic> {
    match config::parse(text, "lab") {
        Ok((_, warnings)) => warnings,
        Err(found) => found.into(),
    }
}

fn plan(text: &str) -> Plan {
    match config::parse(text, "lab") {
        Ok((plan, _)) => plan,
        Err(found) => panic!("{}", found.render("lab.toml", text, false)),
    }
}

/// Compares what is found in each text with the lines and messages expected.
fn assert_found(cases: &[(&str, &str, &[(usize, &str)])]) {
    for (why, text, expected) in cases {
        let found: Vec<_> = found(text)
            .into_iter()
            .map(|diagnostic| (position(text, diagnostic.start()).0, diagnostic.message))
            .collect();
        let found: Vec<_> = found.iter().map(|(line, message)| (*line, message.as_str())).collect();
        assert_eq!(found, *expected, "{why}:\n{text}");
    }
}

/// As [`assert_found`], with [`LAN`] in front of every text; lines still count from the text.
fn assert_found_on_lan(cases: &[(&str, &str, &[(usize, &str)])]) {
    for (why, text, expected) in cases {
        let moved: Vec<_> = expected.iter().map(|(line, message)| (line + 2, *message)).collect();
        assert_found(&[(why, &format!("{LAN}{text}"), &moved)]);
    }
}

fn lab_files() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the labs are in config/")
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (path.display().to_string(), std::fs::read_to_string(&path).expect("a readable file")))
        .collect();
    files.sort();
    files
}
