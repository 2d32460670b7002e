//! Runs a test beside the kernel's own bridge, in a network namespace that dies with it.

#![allow(dead_code, reason = "every test crate uses some of it")]

pub(crate) mod compare;
mod groups;
pub(crate) mod mdb;
mod netlink;
pub(crate) mod rig;
mod settings;
pub(crate) mod tree;
pub(crate) mod vlans;

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use rig::{Rig, in_new_namespace};
use vswitchd::bridge::{LegConfig, Role};
use vswitchd::frame::NodeId;
use vswitchd::wire::mac::Mac;

/// The address of the host, which is on port 0.
pub(crate) const HOST: Mac = Mac([2, 0, 0, 0, 0, 0xfe]);
/// How many ports there are beside the host's.
pub(crate) const PORTS: u16 = 5;
pub(crate) const BRIDGE: NodeId = NodeId(0);

/// Runs a test beside a kernel bridge, if need be as root of a user namespace, or says why it cannot.
pub(crate) fn beside_the_kernel(test: impl FnOnce(&mut Rig) + Send) {
    in_a_namespace(|| {
        let mut rig = Rig::new(PORTS, HOST).expect("a bridge and TAPs in a namespace of our own");
        test(&mut rig);
    });
}

/// Runs a test that needs TAPs in a network namespace of its own, likewise.
pub(crate) fn in_a_namespace(test: impl FnOnce() + Send) {
    if let Err(error) = File::options().read(true).write(true).open("/dev/net/tun") {
        return skipped(&format!("TAPs, but /dev/net/tun: {error}"));
    }
    if !in_new_namespace(test) && !again_as_root() {
        skipped("root, or user namespaces and `unshare`");
    }
}

/// Says so past the test harness, which would keep it to itself.
///
/// # Panics
/// With `VSWITCHD_KERNEL_REQUIRED` set, as it is where everything was prepared for the test.
pub(crate) fn skipped(needs: &str) {
    let text = format!("SKIPPED: comparing with the kernel needs {needs}");
    assert!(std::env::var_os("VSWITCHD_KERNEL_REQUIRED").is_none(), "{text}");
    writeln!(std::io::stderr(), "{text}").ok();
}

/// Runs the test of this thread once more, in a process that may make network namespaces; false if there is no way.
fn again_as_root() -> bool {
    const MARK: &str = "VSWITCHD_TEST_AGAIN";
    let unshare = |arguments: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user"]).args(arguments).env(MARK, "1");
        command.status().is_ok_and(|status| status.success())
    };
    let (executable, thread) = (std::env::current_exe().expect("Linux knows"), std::thread::current());
    let (Some(executable), Some(test)) = (executable.to_str(), thread.name()) else { return false };
    if std::env::var_os(MARK).is_some() || !unshare(&["unshare", "--net", "true"]) {
        return false;
    }
    assert!(
        unshare(&[executable, test, "--exact", "--nocapture"]),
        "it failed as root of a user namespace, see above"
    );
    true
}

pub(crate) fn host() -> LegConfig {
    LegConfig { role: Role::Host, mac: Some(HOST), ..LegConfig::default() }
}

pub(crate) const fn station(n: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, n])
}

pub(crate) fn frame(dst: Mac, src: Mac) -> Vec<u8> {
    [&dst.0[..], &src.0, &[0x90, 0], &[0x42; 46]].concat()
}
