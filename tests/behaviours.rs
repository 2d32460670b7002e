//! Every numbered behaviour of the Linux bridge (B1 to B83) is named by a test, or is an exception that ARCHITECTURE.md
//! gives a reason for.
//!
//! A number counts where it stands in the tests: in files of tests, and in the test modules at the ends of others.
//! `B5 to B8`, `B5–B8` and `B5-B8` are four.

use std::collections::BTreeSet;
use std::path::Path;

const ALL: std::ops::RangeInclusive<u32> = 1..=83;

#[test]
fn every_behaviour_is_named_by_a_test_or_excepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut covered = BTreeSet::new();
    for folder in ["src", "tests"] {
        for (path, text) in read(root, folder) {
            // this file speaks of numbers, but tests none
            if path != "tests/behaviours.rs" {
                covered.extend(numbers(tests_of(&path, &text)));
            }
        }
    }
    let architecture = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("it is there");
    let excepted = exceptions(&architecture);
    assert!(!excepted.is_empty(), "the table of exceptions was found");
    let missing: Vec<_> =
        ALL.filter(|number| !covered.contains(number) && !excepted.contains(number)).collect();
    assert!(missing.is_empty(), "no test names B{missing:?}, and ARCHITECTURE.md does not except them");
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

/// The numbers in the first column of the table below "Behaviours of the Linux bridge".
fn exceptions(architecture: &str) -> BTreeSet<u32> {
    let section = architecture.split("\n## ").find(|section| section.starts_with("Behaviours of the Linux"));
    let rows = section.unwrap_or_default().lines().filter_map(|line| line.strip_prefix("| B"));
    rows.flat_map(|row| numbers(&format!("B{}", row.split('|').next().unwrap_or_default()))).collect()
}

/// The numbers behind a `B` that begins a word, and those between two of them.
fn numbers(text: &str) -> BTreeSet<u32> {
    let mut found = BTreeSet::new();
    let mut last: Option<(u32, usize)> = None;
    for (at, _) in text.match_indices('B') {
        let word = text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_');
        let digits = text[at + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let end = at + 1 + digits;
        let longer = text[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let Ok(number) = text[at + 1..end].parse::<u32>() else { continue };
        if word || longer || !ALL.contains(&number) {
            continue;
        }
        match last {
            Some((first, before)) if [" to ", "–", "-"].contains(&&text[before..at]) => {
                found.extend(first..=number);
            }
            _ => {
                found.insert(number);
            }
        }
        last = Some((number, end));
    }
    found
}

/// Every Rust file in a folder of the project, with its path from there.
fn read(root: &Path, folder: &str) -> Vec<(String, String)> {
    let mut folders = vec![root.join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("source is text");
                let path = path.strip_prefix(root).expect("it was found there").display().to_string();
                files.push((path, text));
            }
        }
    }
    files
}

#[test]
fn numbers_are_found_where_they_are_meant() {
    let table: &[(&str, &[u32], &str)] = &[
        ("B1: nobody", &[1], "one"),
        ("B5, B6 and B7", &[5, 6, 7], "several"),
        ("B50 to B53", &[50, 51, 52, 53], "from one to another"),
        ("B42–B46, B81", &[42, 43, 44, 45, 46, 81], "likewise"),
        ("0xB801, VB6, B7x, B_8, B, B0, B84", &[], "neither words nor other numbers"),
    ];
    for (text, expected, why) in table {
        assert_eq!(numbers(text), expected.iter().copied().collect(), "{why}: {text}");
    }
    let page = "\n## Behaviours of the Linux bridge\n\n| number | why |\n|---|---|\n| B1, B3 | unlike B9 |\n\n## B7\n";
    assert_eq!(exceptions(page), [1, 3].into(), "the first column of the table");
    let file = "// B1\n#[cfg(test)]\nmod tests {\n// B2\n}";
    assert!(!tests_of("src/bridge/fdb.rs", file).contains("B1"), "code is no test");
    assert!(tests_of("src/bridge/fdb.rs", file).contains("B2"), "its tests are");
    assert!(tests_of("src/bridge/tests/vlans.rs", "B3").contains("B3"), "and so are files of tests");
}
