//! `show drops`: how often, where and why; each reason is explained once, below.

use std::collections::BTreeMap;

use crate::cli::output;
use crate::cli::table::{Align, Table};
use crate::control::view::DropView;

pub(super) fn render(drops: &[DropView], colour: bool) -> String {
    if drops.is_empty() {
        return "nothing has been dropped\n".into();
    }
    let mut table = Table::new([
        ("port", Align::Left),
        ("direction", Align::Left),
        ("count", Align::Right),
        ("reason", Align::Left),
    ]);
    for drop in drops {
        table.row([drop.port.clone(), drop.direction.clone(), drop.count.to_string(), drop.reason.clone()]);
    }
    let mut text = table.render(colour);
    let reasons: BTreeMap<&str, &str> =
        drops.iter().map(|drop| (drop.reason.as_str(), drop.explanation.as_str())).collect();
    for (reason, explanation) in reasons {
        let words: Vec<&str> = explanation.split_whitespace().collect();
        text.push_str(&format!("\n{}\n    {}\n", output::bold(reason, colour), words.join(" ")));
    }
    text
}
