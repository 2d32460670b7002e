//! What users are told about their file.

use vswitchd::control::config;

#[test]
fn every_lab_file_has_a_meaning() {
    let mut count = 0;
    for entry in std::fs::read_dir("config").expect("the labs are in config/") {
        let path = entry.expect("a directory entry").path();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        match config::parse(&text, "lab") {
            Ok((plan, warnings)) => {
                assert!(warnings.is_empty(), "{}: {warnings:?}", path.display());
                assert!(!plan.expects.is_empty(), "{} checks nothing", path.display());
            }
            Err(found) => panic!("{}", found.render(&path.display().to_string(), &text, false)),
        }
        count += 1;
    }
    assert!(count >= 6, "only {count} labs");
}
