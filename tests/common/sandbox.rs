//! Runs a test where it can touch nothing: in mount and network namespaces of its own.
//!
//! A thread may have these to itself, and the threads and programs that it starts inherit them. So a test simply runs
//! on a thread that has entered the sandbox, beside other tests on other threads that have not, or have their own.
//! Only a user namespace cannot be had that way; without privileges the test binary is therefore started anew, for
//! this one test, under unshare(1). Where even that is not allowed, the test is skipped, loudly.

use std::process::{Command, Stdio};
use std::thread;

use vswitchd::lab::sandbox;

/// Tells the inner test binary that it is the inner one.
const INNER: &str = "VSWITCHD_TEST_INNER";

/// Runs `work`, the body of the test called `name` (its path within its crate), in a sandbox.
pub(crate) fn sandboxed(name: &str, work: impl FnOnce() + Send) {
    if !sandbox::is_privileged() {
        return match std::env::var_os(INNER) {
            Some(_) => eprintln!("SKIPPED: {name}: not root even in a user namespace"),
            None => again_as_root(name),
        };
    }
    thread::scope(|scope| {
        let inside = scope.spawn(|| match sandbox::enter() {
            Ok(()) => work(),
            Err(e) => eprintln!("SKIPPED: {name}: {e}"),
        });
        if let Err(panic) = inside.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

fn again_as_root(name: &str) {
    let unshare = |program: &str, arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--", program]).args(arguments).env(INNER, "1");
        command
    };
    let allowed = unshare("true", &[]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        eprintln!("SKIPPED: {name}: neither root nor allowed to make a user namespace");
        return;
    }
    let this = std::env::current_exe().expect("a test binary knows where it is");
    let this = this.to_str().expect("cargo's paths are text");
    let status = unshare(this, &["--exact", name, "--nocapture"]).status().expect("unshare ran before");
    assert!(status.success(), "{name} failed in a user namespace: {status}");
}
