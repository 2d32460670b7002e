//! Links: loops and the spanning trees that open them, ends and their settings.

use super::{assert_found, found, plan};

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
