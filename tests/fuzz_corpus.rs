//! Replays what the fuzzers found worth keeping: every file of `fuzz/corpus`, on an ordinary toolchain.
//!
//! `scripts/fuzz` is where new ones come from. A crash becomes a file here with a name that says what went wrong.

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

use std::fs;
use std::path::Path;

fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("the corpus is committed") {
        let path = entry.expect("a readable folder").path();
        let bytes = fs::read(&path).expect("a readable file");
        // the name of the file that fails is the last line printed
        println!("{}", path.display());
        body(&bytes);
        count += 1;
    }
    assert!(count > 0, "{} is empty: replaying nothing proves nothing", folder.display());
}

#[test]
fn bpdu() {
    replay("bpdu", bodies::bpdu);
}

#[test]
fn fragments() {
    replay("fragments", bodies::fragments);
}

#[test]
fn frame() {
    replay("frame", bodies::frame);
}

#[test]
fn gateway() {
    replay("gateway", bodies::gateway);
}

#[test]
fn icmp_error() {
    replay("icmp_error", bodies::icmp_error);
}

#[test]
fn igmp() {
    replay("igmp", bodies::igmp);
}

#[test]
fn mld() {
    replay("mld", bodies::mld);
}

#[test]
fn neighbour() {
    replay("neighbour", bodies::neighbour);
}

#[test]
fn options() {
    replay("options", bodies::options);
}

#[test]
fn packet() {
    replay("packet", bodies::packet);
}

#[test]
fn request() {
    replay("request", bodies::request);
}

#[test]
fn story() {
    replay("story", bodies::story);
}

#[test]
fn toml() {
    replay("toml", bodies::toml);
}

#[test]
fn vnet() {
    replay("vnet", bodies::vnet);
}
