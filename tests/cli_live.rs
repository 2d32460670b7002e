//! The commands that change a running lab, and the one that watches it: what they ask for and what they print.

mod dummy;
#[path = "common/program.rs"]
mod program;

use std::io::Write;
use std::os::unix::net::UnixStream;

use dummy::Dummy;
use program::{text, vswitchd};
use vswitchd::control::event::Topic;
use vswitchd::control::protocol::{Body, Request, Response, What};
use vswitchd::control::server::Answer;
use vswitchd::control::view::{MdbView, View};

const EVENTS: &str = "\
{\"time\":1700000000.25,\"event\":\"fdb\",\"mac\":\"02:00:00:00:00:01\",\"ifname\":\"vm1\",\"flags\":[],\"master\":\"lan\",\"state\":\"\"}
{\"time\":1700000001.0,\"event\":\"missing\",\"count\":3}
{\"time\":1700000002.0,\"deleted\":true,\"event\":\"fdb\",\"mac\":\"02:00:00:00:00:01\",\"ifname\":\"vm1\",\"flags\":[],\"master\":\"lan\",\"state\":\"\"}
";

/// Repeats edits as it was asked for them, and tells a few events.
fn answer(request: Request) -> Answer {
    Answer::Reply(match request {
        Request::Edit { edit } => {
            let json = serde_json::to_string(&edit).expect("plain data");
            if json.contains("vm9") {
                Response::error_with_hint("there is no port named `vm9`", "there are: vm1, vm2")
            } else {
                Response::ok(Body::Lines(vec![json]))
            }
        }
        Request::Monitor { what }
            if what.is_empty() || what == [Topic::Fdb, Topic::Stp] || what == [Topic::Fdb] =>
        {
            return Answer::Stream(Box::new(|mut stream: UnixStream| {
                // with --count the client may go before the last
                let _ = stream.write_all(EVENTS.as_bytes());
            }));
        }
        Request::Show { what: What::Mdb, .. } => Response::ok(Body::Show(View::Mdb(MdbView::default()))),
        Request::Show { what: What::Vlan, .. } => Response::ok(Body::Show(View::Vlan(Vec::new()))),
        Request::Show { what: What::Stp, .. } => Response::ok(Body::Show(View::Stp(Vec::new()))),
        _ => Response::error("nobody asks that"),
    })
}

#[test]
fn edits_are_asked_for_as_they_were_typed() {
    let server = Dummy::start("lab", answer);
    let control = server.path().to_str().expect("ASCII");
    let mac = "02:42:ac:11:00:02";
    let table: &[(&[&str], &str, &str)] = &[
        (
            &["fdb", "add", mac, "vm1", "--vlan", "10", "--sticky"],
            r#"{"fdb_add":{"mac":"02:42:ac:11:00:02","port":"vm1","vlan":10,"sticky":true}}"#,
            "options",
        ),
        (
            &["fdb", "add", mac, "dev", "vm1", "master", "static", "vlan", "10", "sticky"],
            r#"{"fdb_add":{"mac":"02:42:ac:11:00:02","port":"vm1","vlan":10,"sticky":true}}"#,
            "the words of bridge(8)",
        ),
        (&["fdb", "del", mac], r#"{"fdb_del":{"mac":"02:42:ac:11:00:02"}}"#, "wherever it is"),
        (&["fdb", "flush"], r#"{"fdb_flush":{}}"#, "everywhere"),
        (&["fdb", "flush", "lan", "--vlan", "7"], r#"{"fdb_flush":{"name":"lan","vlan":7}}"#, "a network"),
        (
            &["vlan", "add", "vm1", "10-20", "untagged"],
            r#"{"vlan_add":{"port":"vm1","vlan":10,"vlanEnd":20,"pvid":false,"untagged":true}}"#,
            "a range",
        ),
        (&["vlan", "del", "vid", "10", "dev", "vm1"], r#"{"vlan_del":{"port":"vm1","vlan":10}}"#, "words"),
        (
            &["mdb", "add", "vm1", "239.1.1.1", "--vlan", "10"],
            r#"{"mdb_add":{"port":"vm1","group":"239.1.1.1","vlan":10}}"#,
            "a group",
        ),
        (
            &["mdb", "del", "dev", "lan", "port", "vm1", "grp", "ff05::1:3"],
            r#"{"mdb_del":{"port":"vm1","group":"ff05::1:3","network":"lan"}}"#,
            "the words of bridge(8)",
        ),
        (
            &["port", "set", "vm1", "guard", "on", "group_fwd_mask", "8", "state", "down"],
            r#"{"port_set":{"name":"vm1","set":[["bpdu_guard","on"],["group_fwd_mask","0x8"],["state","down"]]}}"#,
            "several flags",
        ),
    ];
    for (arguments, expected, why) in table {
        let output = vswitchd(&[&["--control", control], *arguments].concat());
        assert_eq!(text(&output.stdout), format!("{expected}\n"), "{why}: {}", text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{why}");
    }
    let refused = vswitchd(&["--control", control, "port", "set", "vm9", "learning", "off"]);
    assert_eq!(refused.status.code(), Some(3), "it cannot be done");
    let said = text(&refused.stderr);
    assert_eq!(said, "vswitchd: there is no port named `vm9`\nhint: there are: vm1, vm2\n");
}

#[test]
fn mistakes_in_the_words_are_usage_errors() {
    let mac = "02:42:ac:11:00:02";
    let table: &[(&[&str], &str, &str)] = &[
        (&["fdb"], "vswitchd fdb [OPTIONS] <COMMAND>", "what about it?"),
        (&["fdb", "add", mac], "<PORT>", "where?"),
        (&["fdb", "add", "02:42:ac:11:00", "vm1"], "is not a MAC address", "no station"),
        (&["fdb", "add", mac, "vm1", "vlan", "4095"], "VLAN 4095 is not within 1 to 4094", "B56"),
        (&["fdb", "add", mac, "vm1", "--vlan", "0"], "VLAN 0 is not within 1 to 4094", "B56"),
        (&["fdb", "add", mac, "vm1", "color"], "do not know what `color` is", "no such word"),
        (&["vlan", "add", "vm1"], "VID is missing", "which?"),
        (&["vlan", "add", "vm1", "ten"], "`ten` is not a VLAN", "a word"),
        (&["mdb", "add", "vm1", "239.1.1"], "`239.1.1` is not an address", "a slip"),
        (&["port", "set", "vm1"], "a FLAG and its VALUE are missing", "what?"),
        (&["port", "set", "vm1", "cost", "0"], "a number from 1 to 200000000", "the range"),
        (&["port", "set", "vm1", "colour", "red"], "there are: learning, flood", "no such flag"),
        (&["monitor", "weather"], "possible values: fdb, guard", "nothing to watch"),
    ];
    for (arguments, said, why) in table {
        let output = vswitchd(arguments);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{why}: {stderr}");
        assert!(stderr.contains(said), "{why}: {stderr}");
    }
    let usage = text(&vswitchd(&["vlan", "add", "vm1"]).stderr);
    assert!(
        usage.contains("Usage: vswitchd vlan add [dev] PORT [vid] VID[-VID] [pvid] [untagged]"),
        "{usage}"
    );
}

#[test]
fn every_part_of_a_command_has_help_with_an_example() {
    let page = text(&vswitchd(&["man"]).stdout);
    for (command, part) in [
        ("fdb", "add"),
        ("fdb", "del"),
        ("fdb", "flush"),
        ("mdb", "add"),
        ("mdb", "del"),
        ("port", "set"),
        ("vlan", "add"),
        ("vlan", "del"),
    ] {
        let help = text(&vswitchd(&[command, part, "--help"]).stdout);
        assert!(help.contains(&format!("Usage: vswitchd {command} {part} ")), "{help}");
        assert!(help.contains(&format!("  vswitchd {command} {part} ")), "an example: {help}");
        let heading = format!(".SS \"{command} {part}\"");
        assert!(page.lines().any(|line| line == heading), "{heading} in the manual");
    }
}

#[test]
fn events_are_printed_as_they_come() {
    let server = Dummy::start("lab", answer);
    let control = server.path().to_str().expect("ASCII");
    let monitor = |arguments: &[&str]| {
        let output = vswitchd(&[&["--control", control, "monitor"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stdout)
    };
    let (came, went) =
        ("02:00:00:00:00:01 dev vm1 master lan", "Deleted 02:00:00:00:00:01 dev vm1 master lan");
    let missing = "(3 events are missing here)";
    assert_eq!(monitor(&[]), format!("[FDB]{came}\n{missing}\n[FDB]{went}\n"));
    assert_eq!(monitor(&["fdb"]), format!("{came}\n{missing}\n{went}\n"), "one topic needs no label");
    assert_eq!(
        monitor(&["fdb", "stp", "-t", "--count", "1"]),
        format!("[2023-11-14T22:13:20.250000] [FDB]{came}\n")
    );
    assert_eq!(monitor(&["--json"]), EVENTS, "as they came");
}

#[test]
fn empty_tables_have_their_shape() {
    let server = Dummy::start("lab", answer);
    let control = server.path().to_str().expect("ASCII");
    let table: [(&[&str], &str); 6] = [
        (&["mdb"], ""),
        (&["mdb", "--json"], "[{\"mdb\":[],\"router\":{}}]\n"),
        (&["vlan"], "port              vlan-id\n"),
        (&["vlan", "--json"], "[]\n"),
        (&["stp"], "no network has a spanning tree\n"),
        (&["stp", "--json"], "[]\n"),
    ];
    for (what, expected) in table {
        let output = vswitchd(&[&["--control", control, "show"], what].concat());
        assert_eq!(text(&output.stdout), expected, "{what:?}: {}", text(&output.stderr));
    }
}
