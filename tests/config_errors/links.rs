//! Links: loops and the spanning trees that open them, ends and their settings.

use super::{assert_found, found, plan};

/// Two networks with this in either of them; what follows begins at line 7.
fn two(line: &str) -> String {
    ["a", "b"].map(|name| format!("[[network]]\nname = {name:?}\n{line}\n")).concat()
}

const LINK: &str = "[[link]]\nnetworks = [\"a\", \"b\"]\n";

#[test]
fn links() {
    let networks =
        |count: usize| (0..count).map(|n| format!("[[network]]\nname = \"n{n}\"\n")).collect::<String>();
    let link = |a: usize, b: usize| format!("[[link]]\nnetworks = [\"n{a}\", \"n{b}\"]\n");
    let three = networks(3);
    assert_found(&[
        (
            "two ends",
            &format!("{three}[[link]]\nnetworks = [\"n0\"]\n[[link]]\n"),
            &[(8, "a link cannot join 1 networks"), (9, "`networks` is missing")],
        ),
        (
            "itself, nobody, again",
            &format!(
                "{three}{}[[link]]\nnetworks = [\"n0\", \"n9\"]\n{}{}",
                link(0, 0),
                link(0, 1),
                link(1, 0)
            ),
            &[
                (8, "the network \"n0\" cannot be linked to itself"),
                (10, "there is no network \"n9\""),
                (14, "\"n1\" and \"n0\" are linked already"),
            ],
        ),
        (
            "a loop",
            &format!("{three}{}{}{}", link(0, 1), link(1, 2), link(2, 0)),
            &[(12, "a link between \"n2\" and \"n0\" would close a loop")],
        ),
        (
            "different MTUs",
            &format!("{three}mtu = 9000\n{}", link(1, 2)),
            &[(9, "the MTU of \"n1\" is 1500, that of \"n2\" is 9000")],
        ),
    ]);
    let row = |count: usize| networks(count) + &(1..count).map(|n| link(n - 1, n)).collect::<String>();
    assert!(found(&row(8)).is_empty(), "a frame passes eight devices");
    assert_found(&[("nine are too many", &row(9), &[(9 * 2 + 2, "9 networks are linked in a row")])]);
    let star = networks(12) + &(1..12).map(|n| link(0, n)).collect::<String>();
    assert!(found(&star).is_empty(), "many networks, but never more than three in a row");
}

#[test]
fn loops_with_spanning_trees() {
    let network = |n: usize, stp: bool| format!("[[network]]\nname = \"n{n}\"\nstp = {stp}\n");
    let link = |a: usize, b: usize| format!("[[link]]\nnetworks = [\"n{a}\", \"n{b}\"]\n");
    let ring = |trees: [bool; 3]| {
        let networks: String = trees.into_iter().enumerate().map(|(n, stp)| network(n, stp)).collect();
        networks + &link(0, 1) + &link(1, 2) + &link(2, 0)
    };
    assert_found(&[
        ("a tree on each", &ring([true; 3]), &[]),
        (
            "one has none",
            &ring([true, true, false]),
            &[(15, "a link between \"n2\" and \"n0\" would close a loop")],
        ),
        ("parallel links", &(two("stp = true") + LINK + LINK), &[]),
        ("parallel links without", &(two("") + LINK + LINK), &[(10, "\"a\" and \"b\" are linked already")]),
    ]);
    let triangle = network(0, true) + &network(1, true) + &network(2, true);
    let tail = network(3, false) + &link(0, 1) + &link(1, 2) + &link(2, 0) + &link(2, 3);
    assert!(found(&(triangle + &tail)).is_empty(), "who is on no loop needs no tree");
}

#[test]
fn ends() {
    let text = two("stp = true")
        + LINK
        + "cost = 5\nhairpin = true\n[[link.end]]\nnetwork = \"b\"\ncost = 7\n"
        + LINK;
    let plan = plan(&text);
    let cost = |name: &str| plan.settings(name).expect("an end").leg.stp.cost;
    assert_eq!((cost("a/b"), cost("b/a")), (5, 7), "the end's own setting wins");
    assert_eq!((cost("a/b#2"), cost("b/a#2")), (2, 2), "the second link is another");
    assert!(plan.settings("b/a").expect("an end").leg.hairpin, "what the end does not say, the link does");
    let lines = plan.links[0].ends.each_ref().map(|end| end.line.0);
    assert_eq!(lines, [7, 11], "where it is said");
    assert_found(&[
        (
            "whose end?",
            &(two("")
                + LINK
                + "[[link.end]]\n[[link.end]]\nnetwork = \"c\"\n[[link.end]]\nnetwork = \"a\"\n[[link.end]]\nnetwork = \"a\"\n"),
            &[
                (9, "`network` is missing"),
                (11, "the link does not lead to \"c\""),
                (15, "the end on \"a\" is described twice"),
            ],
        ),
        (
            "a link is no port",
            &(two("")
                + LINK
                + "promiscuous = \"monitor\"\n[[link.end]]\nnetwork = \"a\"\npromiscuous = \"deny\"\n"),
            &[
                (9, "`promiscuous = \"monitor\"` on an end of a link"),
                (12, "`promiscuous = \"deny\"` on an end of a link"),
            ],
        ),
        (
            "what is wrong at both ends is said once",
            &(two("") + LINK + "mac_limit = -1\nedge = true\n"),
            &[
                (9, "`mac_limit` cannot be -1"),
                (10, "`edge` has no effect on a network without rapid spanning tree"),
            ],
        ),
        (
            "a station behind a link, by the end's name",
            &(two("")
                + LINK
                + "[[fdb]]\nnetwork = \"a\"\nmac = \"02:00:00:00:00:01\"\nport = \"a/b\"\n[[fdb]]\nnetwork = \"a\"\nmac = \"02:00:00:00:00:02\"\nport = \"a/c\"\n"),
            &[(16, "there is no port \"a/c\"")],
        ),
        (
            "VLANs are an end's or the link's, not both",
            &(two("vlan_filtering = true")
                + LINK
                + "access = 10\n[[link.end]]\nnetwork = \"a\"\ntrunk = [20]\n"),
            &[],
        ),
    ]);
}

#[test]
fn a_tree_opens_a_loop_through_a_machine_too() {
    let text = |line: &str| {
        let interface = |name: &str, network: &str| {
            format!("[[node.interface]]\nname = {name:?}\nnetwork = {network:?}\n")
        };
        two(line)
            + LINK
            + "[[node]]\nname = \"m\"\n"
            + &interface("e", "a")
            + &interface("f", "b")
            + "[[node.bridge]]\nname = \"br0\"\ninterfaces = [\"e\", \"f\"]\n"
    };
    assert_found(&[
        ("a tree", &text("stp = true"), &[]),
        ("none", &text(""), &[(19, "a loop through the node's bridge: broadcasts will circle for ever")]),
    ]);
}
