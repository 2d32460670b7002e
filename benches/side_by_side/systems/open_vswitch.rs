//! Open vSwitch with its userspace datapath: as it is, and with TCP segmentation offload, which needs its DPDK build.
//!
//! Each has its own database and directory, so it neither meets an Open vSwitch that is in use nor leaves a trace. DPDK
//! works without huge pages here: no network card is involved, only TAPs.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use super::System;
use super::running::{Programs, Running, program, run, wait_for};
use super::switches::{AGEING, hand_over};

/// Debian's, of the package openvswitch-switch-dpdk.
pub(super) const WITH_DPDK: &str = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk";

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

impl Running {
    pub(super) fn open_vswitch(&mut self, programs: &Programs) -> io::Result<()> {
        let dir = programs.scratch.join(self.system.key());
        fs::create_dir_all(&dir)?;
        let at = |name: &str| dir.join(name).display().to_string();
        let database = format!("unix:{}", at("db.sock"));
        run("ovsdb-tool", &["create", &at("conf.db"), SCHEMA])?;
        let mut server = self.daemon("ovsdb-server", "ovsdb-server", &dir);
        server.arg(at("conf.db")).arg(format!("--remote=p{database}"));
        self.start_silent(server)?;
        wait_for(|| Path::new(&at("db.sock")).exists())?;

        let vsctl = |args: &[&str]| {
            let db = format!("--db={database}");
            run("ovs-vsctl", &[&[db.as_str(), "--timeout=10"], args].concat())
        };
        let with_tso = self.system == System::OpenVswitchTso;
        if with_tso {
            vsctl(&[
                "--no-wait",
                "set",
                "Open_vSwitch",
                ".",
                "other_config:dpdk-init=true",
                "other_config:userspace-tso-enable=true",
                // legacy: without huge pages there is no other kind of memory
                "other_config:dpdk-extra=--no-huge --legacy-mem --no-shconf --no-telemetry --no-pci -m 256",
            ])?;
        }
        let build = if with_tso { WITH_DPDK } else { "ovs-vswitchd" };
        let mut switch = self.daemon(build, "ovs-vswitchd", &dir);
        switch.arg(&database);
        self.start_silent(switch)?;

        vsctl(&["add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev"])?;
        let ageing = format!("other_config:mac-aging-time={AGEING}");
        vsctl(&["set", "bridge", "br0", &ageing, "other_config:mac-table-size=131072"])?;
        // with offloads, only TAPs have the header that carries them
        let kind = if with_tso { "type=tap" } else { "type=internal" };
        for name in ["port-a", "port-b"] {
            vsctl(&["add-port", "br0", name, "--", "set", "interface", name, kind])?;
        }
        hand_over(&self.machines)
    }

    /// One of its two programs, with all its files in the directory.
    fn daemon(&self, build: &str, name: &str, dir: &Path) -> Command {
        let mut daemon = program(Some(&self.machines.s), build);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "RUNTIME_DIRECTORY"] {
            daemon.env(variable, dir);
        }
        let at = |end: &str| dir.join(format!("{name}.{end}")).display().to_string();
        daemon.args([
            "--no-chdir".to_owned(),
            format!("--pidfile={}", at("pid")),
            format!("--unixctl={}", at("ctl")),
            format!("--log-file={}", at("log")),
            "-vconsole:off".to_owned(),
        ]);
        daemon
    }
}
