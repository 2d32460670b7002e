//! Lab files, spoiled at random: whatever comes out is read or refused, and the refusal can be shown.

use proptest::prelude::*;
use vswitchd::control::config::{self, Severity};

use super::lab_files;
use super::routers::GATEWAY;

proptest! {
    #[test]
    fn no_damage_makes_it_panic(file in any::<proptest::sample::Index>(), damages in damages()) {
        let mut files = lab_files();
        files.push(("gateway".to_owned(), GATEWAY.to_owned() + RULES));
        let text = spoil(&files[file.index(files.len())].1, &damages);
        match config::parse(&text, "lab") {
            Ok((_, warnings)) => prop_assert!(warnings.iter().all(|w| w.severity == Severity::Warning)),
            Err(found) => {
                prop_assert!(found.has_errors(), "a refusal says why");
                for diagnostic in found.iter() {
                    let message = &diagnostic.message;
                    prop_assert!(diagnostic.start() <= text.len(), "{message}");
                    prop_assert!(!message.is_empty());
                }
                prop_assert!(found.render("lab.toml", &text, true).contains("error"));
                prop_assert!(found.to_json("lab.toml", &text).is_array());
            }
        }
    }
}

/// What a gateway may have.
const RULES: &str = r#"[[router.route]]
to = "default"
via = "192.168.178.1"
[[router.publish]]
listen = "192.168.178.27:8000-8010"
protocol = ["tcp", "udp"]
to = "172.17.0.2:80-90"
allow_from = "10.0.0.0/8"
[[router.rule]]
from = "docker0"
protocol = "tcp"
port = [25, "8000-8010"]
action = "log"
prefix = "IN: "
[router.conntrack]
timeouts = { udp = 30 }
[router.nat]
ports = "40000-50000"
"#;

/// Ways to spoil a text.
#[derive(Clone, Debug)]
enum Damage {
    Delete(usize),
    Insert(usize, &'static str),
    Repeat(usize, usize),
}

const TOKENS: [&str; 22] = [
    "[[network]]\n",
    "[network]\n",
    "[[node.interface]]\n",
    "[[node]]\n",
    "[[link]]\n",
    "name = \"lan\"\n",
    "\"",
    "'''",
    "[",
    "]",
    "{",
    "}",
    "=",
    "\n",
    "\r",
    "\0",
    "ü",
    "-1",
    "99999999999999999999",
    "nan",
    "\"fe80::1/64\"",
    "#",
];

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let one = prop_oneof![
        any::<usize>().prop_map(Damage::Delete),
        (any::<usize>(), proptest::sample::select(&TOKENS[..]))
            .prop_map(|(at, token)| Damage::Insert(at, token)),
        (any::<usize>(), any::<usize>()).prop_map(|(from, to)| Damage::Repeat(from, to)),
    ];
    proptest::collection::vec(one, 1..12)
}

fn spoil(text: &str, damages: &[Damage]) -> String {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    for damage in damages {
        let count = lines.len().max(1);
        match damage {
            Damage::Delete(at) if lines.len() > 1 => drop(lines.remove(at % count)),
            Damage::Delete(_) => {}
            Damage::Insert(at, token) => {
                let line = &mut lines[at % count];
                let inside = (at / count) % (line.len() + 1);
                let inside = (0..=inside).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
                line.insert_str(inside, token);
            }
            Damage::Repeat(from, to) => {
                let line = lines[from % count].clone();
                lines.insert(to % count, line);
            }
        }
    }
    lines.concat()
}
