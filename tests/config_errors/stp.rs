//! Spanning tree.

use std::time::Duration;

use vswitchd::bridge::{EdgePort, StpMode};

use super::{assert_found, plan};

fn network(lines: &str) -> String {
    format!("[[network]]\nname = \"lan\"\n{lines}\n")
}

const PORT: &str = "[[port]]\nname = \"p\"\nnetwork = \"lan\"\nkind = \"tap\"\n";

#[test]
fn modes() {
    let table = [
        ("", StpMode::Off, "the kernel's default (B80)"),
        ("stp = false", StpMode::Off, ""),
        ("stp = true", StpMode::Stp, "what the kernel has"),
        ("stp = \"stp\"", StpMode::Stp, ""),
        ("stp = \"rstp\"", StpMode::Rstp, "802.1D-2004"),
    ];
    for (line, mode, why) in table {
        assert_eq!(plan(&network(line)).networks[0].bridge.stp.mode, mode, "{line}: {why}");
    }
    let text = network("stp = true\npriority = 4096\nhello_time = 1\nmax_age = 6\nforward_delay = 4");
    let stp = plan(&text).networks[0].bridge.stp;
    assert_eq!((stp.priority, stp.hello), (4096, Duration::from_secs(1)));
    assert_eq!((stp.max_age, stp.forward_delay), (Duration::from_secs(6), Duration::from_secs(4)));
    let text =
        network("stp = \"rstp\"") + PORT + "edge = true\ncost = 100\npriority = 63\nbpdu_guard = true\n";
    let stp = plan(&text).settings("p").expect("a port").leg.stp;
    assert_eq!((stp.edge, stp.cost, stp.priority, stp.bpdu_guard), (EdgePort::Yes, 100, 63, true));
}

#[test]
fn values() {
    assert_found(&[
        ("words", &network("stp = \"mstp\""), &[(3, "`stp` cannot be \"mstp\"")]),
        (
            "B80: the kernel's bounds",
            &network("stp = true\npriority = 65536\nhello_time = 0.5\nmax_age = 41\nforward_delay = 1"),
            &[
                (4, "`priority` cannot be 65536"),
                (5, "`hello_time` cannot be 0.5"),
                (6, "`max_age` cannot be 41"),
                (7, "`forward_delay` cannot be 1"),
            ],
        ),
        (
            "802.1D: 2 × (forward_delay − 1) ≥ max_age",
            &network("stp = true\nforward_delay = 4"),
            &[(4, "a `max_age` of 20 s is too long for a `forward_delay` of 4 s")],
        ),
        (
            "802.1D: max_age ≥ 2 × (hello_time + 1)",
            &network("stp = true\nhello_time = 10"),
            &[(4, "a `max_age` of 20 s is too short for a `hello_time` of 10 s")],
        ),
        (
            "a tree's settings without a tree",
            &network("priority = 1"),
            &[(3, "`priority` has no effect on a network without a spanning tree")],
        ),
        (
            "of a port",
            &(network("stp = \"rstp\"") + PORT + "cost = 200000001\npriority = 64\nedge = \"never\"\n"),
            &[
                (8, "`cost` cannot be 200000001"),
                (9, "`priority` cannot be 64"),
                (10, "`edge` cannot be \"never\""),
            ],
        ),
        (
            "802.1D-1998 has 16 bits for it",
            &(network("stp = true") + PORT + "cost = 65536\n"),
            &[(8, "`cost` cannot be 65536")],
        ),
        (
            "what does nothing without a tree",
            &(network("") + PORT + "cost = 5\nroot_block = true\nedge = true\npoint_to_point = false\n"),
            &[
                (8, "`cost` has no effect on a network without a spanning tree"),
                (9, "`root_block` has no effect on a network without a spanning tree"),
                (10, "`edge` has no effect on a network without rapid spanning tree"),
                (11, "`point_to_point` has no effect on a network without rapid spanning tree"),
            ],
        ),
        (
            "B82: the kernel's tree has no edge ports",
            &(network("stp = true") + PORT + "edge = false\n"),
            &[(8, "`edge` has no effect on a network without rapid spanning tree")],
        ),
    ]);
}

#[test]
fn expectations() {
    let text = |stp: &str, from: &str, to: &str| {
        network(stp) + PORT + &format!("[[expect]]\nkind = \"stp\"\nfrom = {from:?}\nto = {to:?}\n")
    };
    assert_found(&[
        ("a port's state", &text("stp = true", "p", "forwarding"), &[]),
        (
            "no port, no state",
            &text("stp = true", "q", "forwrding"),
            &[(10, "there is no port \"q\""), (11, "`to` cannot be \"forwrding\"")],
        ),
        (
            "always forwarding",
            &text("stp = false", "p", "blocking"),
            &[(10, "\"p\" is on a network without a spanning tree")],
        ),
    ]);
}
