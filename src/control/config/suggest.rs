//! "Did you mean …?"

/// The candidate that `word` is most likely a misspelling of, if any is close enough.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = word.chars().count().max(3) / 3;
    candidates
        .into_iter()
        .map(|candidate| (distance(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// What the kernel's tools call it, and what this file does.
const ALIASES: [(&str, &str); 11] = [
    ("ageing_time", "ageing"),
    ("fast_leave", "fastleave"),
    ("fdb_max_learned", "fdb_max"),
    ("guard", "bpdu_guard"),
    ("mcast_querier", "multicast"),
    ("mcast_query_use_ifaddr", "query_address"),
    ("mcast_snooping", "multicast_snooping"),
    ("multicast_router", "mcast_router"),
    ("path_cost", "cost"),
    ("query_use_ifaddr", "query_address"),
    ("stp_state", "stp"),
];

/// A hint for a word that is none of the candidates: the closest, or all of them.
pub(super) fn hint(word: &str, what: &str, candidates: &[&str]) -> String {
    /// More would bury the message.
    const LISTED_MAX: usize = 30;
    let meant = ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, name)| *name);
    if let Some(name) = meant.filter(|name| candidates.contains(name)) {
        return format!("here it is called `{name}`");
    }
    if let Some(candidate) = closest(word, candidates.iter().copied()) {
        return format!("did you mean `{candidate}`?");
    }
    let listed: Vec<_> = candidates.iter().take(LISTED_MAX).map(|c| format!("`{c}`")).collect();
    let rest = match candidates.len().saturating_sub(LISTED_MAX) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!("{what}: {}{rest}", listed.join(", "))
}

/// How many insertions, deletions, replacements and swaps of neighbours turn `a` into `b` (optimal string
/// alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut row = vec![i + 1; b.len() + 1];
        for j in 0..b.len() {
            let replaced = above[j] + usize::from(a[i] != b[j]);
            row[j + 1] = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspellings() {
        let keys = ["mtu", "mac", "network", "netns", "hairpin"];
        let table = [
            ("mut", Some("mtu"), "neighbours swapped"),
            ("Network", Some("network"), "the wrong case"),
            ("netwrk", Some("network"), "one missing"),
            ("harpinn", Some("hairpin"), "one missing, one too many"),
            ("stp", None, "nothing like it"),
            ("", None, "nothing"),
            ("x", None, "too short to guess"),
        ];
        for (word, expected, why) in table {
            assert_eq!(closest(word, keys), expected, "{why}");
        }
        let aliases = ["bpdu_guard", "source_guard"];
        assert_eq!(hint("guard", "keys", &aliases), "here it is called `bpdu_guard`");
        assert_eq!(hint("guard", "keys", &aliases[1..]), "keys: `source_guard`", "not here");
        assert_eq!(hint("zzzz", "keys", &keys[..2]), "keys: `mtu`, `mac`");
    }
}
