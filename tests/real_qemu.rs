//! Guests with a kernel of their own, under QEMU, on the lab of config/qemu.toml.
//!
//! `scripts/qemu-lab` boots them and says what each does, which takes a minute; its words are not captured, so that they
//! are seen as they come. Without QEMU, a static busybox, or a kernel to be had from Debian it is skipped, which the
//! script says: nothing is installed here.

use std::process::{Command, Stdio};

#[test]
fn guests_talk_through_raw_ports_and_taps_with_offloads_and_without() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/qemu-lab");
    let mut command = Command::new(script);
    command.env("VSWITCHD", env!("CARGO_BIN_EXE_vswitchd")).stdin(Stdio::null());
    let status = command.status().expect("it comes with the program, and bash is there");
    assert!(status.success(), "{status}, see above");
}
