//! Every numbered behaviour of the kernel (B1 to B83 of its bridge; N, T, U, E, P and L of its connection tracking, C and M of
//! Docker's rules) and every outcome of table 3c is named by a test, or is an exception that ARCHITECTURE.md gives a reason for.
//!
//! A number counts where it stands in the tests: in files of tests, and in the test modules at the ends of others.
//! `B5 to B8`, `B5–B8` and `B5-B8` are four; `fn n50_pieces_wait` is about N50.

#[path = "common/sources.rs"]
mod sources;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::Path;

use sources::read;

/// The numbers there are: letter, and from where to where.
const ALL: [(char, RangeInclusive<u32>); 10] = [
    ('B', 1..=83),
    ('C', 0..=21),
    ('E', 1..=7),
    ('L', 1..=4),
    ('M', 1..=13),
    ('N', 1..=11),
    ('N', 50..=62),
    ('P', 1..=11),
    ('T', 1..=20),
    ('U', 1..=4),
];

/// The rows of table 3c, as tests name them.
const OUTCOMES: [&str; 14] = [
    "3c: A→X",
    "3c: X→EXT:HP",
    "3c: X→B:CP",
    "3c: X→B unpublished",
    "3c: A→EXT:HP",
    "3c: B→EXT:HP",
    "3c: D→EXT:HP",
    "3c: D→B",
    "3c: A→B with icc",
    "3c: A→B without icc",
    "3c: A→EXT:HP without icc",
    "3c: internal",
    "3c: H→127.0.0.1:HP",
    "3c: X→127.0.0.1:HP",
];

type Numbers = BTreeSet<(char, u32)>;

#[test]
fn every_behaviour_is_named_by_a_test_or_excepted() {
    let (root, tests) = tests();
    let covered: Numbers = tests.iter().flat_map(|text| numbers(text)).collect();
    let architecture = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("it is there");
    let excepted = exceptions(&architecture);
    for letter in ['B', 'N'] {
        assert!(excepted.iter().any(|(other, _)| *other == letter), "the table of exceptions was found");
    }
    let all = ALL.iter().flat_map(|(letter, range)| range.clone().map(|number| (*letter, number)));
    let missing: Vec<_> =
        all.filter(|number| !covered.contains(number) && !excepted.contains(number)).collect();
    assert!(missing.is_empty(), "no test names {missing:?}, and ARCHITECTURE.md does not except them");
}

#[test]
fn every_outcome_under_dockers_rules_is_named_by_a_test() {
    let (_, tests) = tests();
    let missing: Vec<_> =
        OUTCOMES.iter().filter(|outcome| !tests.iter().any(|text| text.contains(**outcome))).collect();
    assert!(missing.is_empty(), "no test names {missing:?}");
}

/// The project's folder, and all that is tests in it, but for this file: it speaks of numbers, and tests none.
fn tests() -> (&'static Path, Vec<String>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "tests"].into_iter().flat_map(read);
    let others = files.filter(|source| source.path != "tests/behaviours.rs");
    (root, others.map(|source| tests_of(&source.path, &source.text).to_owned()).collect())
}

/// The part of a file that is tests.
fn tests_of<'a>(path: &str, text: &'a str) -> &'a str {
    let all = path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/");
    match text.find("#[cfg(test)]\nmod tests {") {
        _ if all => text,
        Some(at) => &text[at..],
        None => "",
    }
}

/// The numbers in the first columns of the tables below "Behaviours of …".
fn exceptions(architecture: &str) -> Numbers {
    let sections = architecture.split("\n## ").filter(|section| section.starts_with("Behaviours of "));
    let rows = sections.flat_map(str::lines).filter_map(|line| line.strip_prefix("| "));
    rows.flat_map(|row| numbers(row.split('|').next().unwrap_or_default())).collect()
}

/// The numbers behind a letter that begins a word, and those between two of them.
fn numbers(text: &str) -> Numbers {
    let mut found = BTreeSet::new();
    let mut last: Option<(char, u32, usize)> = None;
    for (at, letter) in text.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()) {
        let before = text[..at].chars().next_back();
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + 1 + digits;
        let Ok(number) = text[at + 1..end].parse::<u32>() else { continue };
        // a test's name begins with it
        let names = text[..at].ends_with("fn ") && text[end..].starts_with('_');
        let word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
        let longer = text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let letter = if names { letter.to_ascii_uppercase() } else { letter };
        let known = ALL.iter().any(|(known, range)| *known == letter && range.contains(&number));
        if !known || word || (longer && !names) {
            continue;
        }
        match last {
            Some((same, first, before))
                if same == letter && [" to ", "–", "-"].contains(&&text[before..at]) =>
            {
                found.extend((first..=number).map(|number| (letter, number)));
            }
            _ => {
                found.insert((letter, number));
            }
        }
        last = Some((letter, number, end));
    }
    found
}

#[test]
fn numbers_are_found_where_they_are_meant() {
    let table: &[(&str, &[(char, u32)], &str)] = &[
        ("B1: nobody", &[('B', 1)], "one"),
        ("B5, N6 and T7", &[('B', 5), ('N', 6), ('T', 7)], "several"),
        ("T3 to T5", &[('T', 3), ('T', 4), ('T', 5)], "from one to another"),
        ("B42–B44, B81", &[('B', 42), ('B', 43), ('B', 44), ('B', 81)], "likewise"),
        ("E1–P3", &[('E', 1), ('P', 3)], "of two kinds, so nothing lies between them"),
        ("fn n50_pieces_wait()", &[('N', 50)], "a test's name"),
        ("let n50_ = fn50", &[], "another name"),
        ("0xB801, VB6, B7x, B_8, B, B0, B84, N12, N49", &[], "neither words nor other numbers"),
    ];
    for (text, expected, why) in table {
        assert_eq!(numbers(text), expected.iter().copied().collect(), "{why}: {text}");
    }
    let page = "\n## Behaviours of the Linux bridge\n\n| number | why |\n|---|---|\n| B1, B3 | unlike B9 |\n\n## B7\n";
    assert_eq!(exceptions(page), [('B', 1), ('B', 3)].into(), "the first column of the table");
    let file = "// B1\n#[cfg(test)]\nmod tests {\n// B2\n}";
    assert!(!tests_of("src/bridge/fdb.rs", file).contains("B1"), "code is no test");
    assert!(tests_of("src/bridge/fdb.rs", file).contains("B2"), "its tests are");
    assert!(tests_of("src/bridge/tests/vlans.rs", "B3").contains("B3"), "and so are files of tests");
}
