//! `exec`: the program is in the node, and its exit code is the caller's.

mod lab_common;

use std::ffi::OsString;
use std::process::{Command, Output};

use lab_common::sandbox::sandboxed;
use lab_common::{add_node, ids, lab, plan, runtime};
use vswitchd::lab::{exec, netns};

/// Tells the test named `becomes` what to become.
const BECOME: &str = "VSWITCHD_TEST_BECOME";

#[test]
fn exit_codes_and_surroundings_are_those_of_the_program() {
    sandboxed("exit_codes_and_surroundings_are_those_of_the_program", || {
        let runtime = runtime("exec");
        let mut plan = plan("exec");
        add_node(&mut plan, "a", "eth0", &[]);
        let mut lab = lab("exec", &runtime).expect("a fresh name");
        let _opened = lab.apply(&plan, &ids(&plan)).expect("a sound plan");
        let table = [
            ("true", 0, "", "it ends well"),
            ("exit 7", 7, "", "its own code"),
            ("ls /sys/class/net | tr '\\n' ' '", 0, "eth0 lo ", "/sys is the node's"),
            ("cut -d: -f1 /proc/net/dev | tr -dc 'a-z0-9 '", 0, "", "and so is /proc/net"),
        ];
        for (script, code, says, why) in table {
            let output = become_program(&["sh", "-c", script]);
            assert_eq!(output.status.code(), Some(code), "{script} ({why}): {output:?}");
            let text = String::from_utf8_lossy(&output.stdout);
            assert!(text.ends_with(says), "{script} ({why}): {text}");
        }
        let output = become_program(&["no-such-program"]);
        assert_eq!(output.status.code(), Some(127), "as a shell: {output:?}");
        let output = become_program(&["/etc/passwd"]);
        assert_eq!(output.status.code(), Some(126), "as a shell: {output:?}");
        let killed = become_program(&["sh", "-c", "kill -9 $$"]);
        assert_eq!(std::os::unix::process::ExitStatusExt::signal(&killed.status), Some(9));
    });
}

/// Not a test by itself: the process that becomes a program in the node `a`.
#[test]
fn becomes() {
    let Some(command) = std::env::var_os(BECOME) else { return };
    let command = command.into_string().expect("text");
    let command: Vec<OsString> = command.split('\n').map(OsString::from).collect();
    let error = exec::exec("a", &netns::path("a"), None, &command);
    eprintln!("{error}");
    let not_found = matches!(error, exec::ExecError::NotFound { .. });
    assert_eq!(error.exit_code(), std::process::ExitCode::from(if not_found { 127 } else { 126 }));
    std::process::exit(if not_found { 127 } else { 126 });
}

fn become_program(command: &[&str]) -> Output {
    Command::new(std::env::current_exe().expect("known"))
        .args(["--exact", "becomes", "--nocapture"])
        .env(BECOME, command.join("\n"))
        .output()
        .expect("it started before")
}
