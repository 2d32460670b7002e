//! The labs in config/ hold what they promise, on a machine of their own.

mod real_common;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use real_common::{File, alone, vswitchd};

#[test]
fn every_lab_is_free_of_errors() {
    alone("every_lab_is_free_of_errors", || {
        for lab in labs() {
            let name = lab.to_str().expect("text");
            // nothing of this machine is in a sandbox, so nothing of it can be in the way
            let output = vswitchd(&["check", "-c", name]);
            let said = String::from_utf8_lossy(&output.stdout);
            assert_eq!(output.status.code(), Some(0), "{name}: {output:?}");
            assert_eq!(said, format!("{name}: no errors\n"), "not even a warning: {output:?}");
        }
    });
}

#[test]
fn every_lab_is_as_it_says() {
    alone("every_lab_is_as_it_says", || {
        thread::scope(|scope| {
            for lab in labs() {
                scope.spawn(move || verify(&lab));
            }
        });
    });
}

#[test]
fn an_expectation_that_misses_is_a_cross_and_a_one() {
    alone("an_expectation_that_misses_is_a_cross_and_a_one", || {
        let node = |name: &str, network: &str, n: u8| {
            format!(
                "[[network]]\nname = \"{network}\"\n[[node]]\nname = \"{name}\"\n[[node.interface]]\n\
                 name = \"eth0\"\nnetwork = \"{network}\"\naddress = \"10.9.0.{n}/24\"\n"
            )
        };
        let expect = |to: u8| {
            format!("[[expect]]\nfrom = \"a\"\nkind = \"ping\"\nto = \"10.9.0.{to}\"\ntimeout = 1\n")
        };
        // no wire joins the two networks
        let text = node("a", "one", 1) + &node("b", "two", 2) + &expect(2) + &expect(1);
        let file = File::new("misses", &text);
        let output = vswitchd(&["verify", "-c", file.path.to_str().expect("text")]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stdout).expect("text");
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 3, "{said}");
        assert!(lines[0].starts_with("✗ ") && lines[0].ends_with("line 17)"), "{said}");
        assert!(lines[1].starts_with("✓ "), "{said}");
        assert_eq!(lines[2], "1 of 2 expectations missed");
        file.assert_nothing_left();
    });
}

fn verify(lab: &Path) {
    let output = vswitchd(&["verify", "-c", lab.to_str().expect("text")]);
    let said = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{}:\n{said}{errors}", lab.display());
    let expects = fs::read_to_string(lab).expect("readable").matches("\n[[expect]]").count();
    assert!(expects > 0, "{} promises nothing", lab.display());
    assert_eq!(said.lines().filter(|line| line.starts_with("✓ ")).count(), expects, "{said}");
}

fn labs() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let entries = fs::read_dir(directory).expect("readable");
    let mut labs: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    labs.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    labs.sort();
    assert!(labs.len() >= 14, "{labs:?}");
    labs
}
