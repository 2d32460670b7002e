//! The kernel as a gateway: a network namespace with a TAP in the place of each network, and Docker's rules.
//!
//! Writing a frame into a TAP runs the whole way through the stack before the call returns (V27), so what comes out can be
//! read at once, and "nothing came out" is certain without waiting. Neighbours are permanent: nobody has to answer ARP.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::process::{Command, Stdio};

use tun_tap::{Iface, Mode};

use super::conntrack::{self, Flow, Key};
use super::ctnetlink;
use super::describe::{Output, is_chatter};
use super::place::{Who, Wire};
use super::rules::rules;

const PROGRAMS: [&str; 3] = ["iptables-restore", "ip6tables-restore", "ip"];

/// A gateway that is the kernel.
pub(crate) struct Kernel {
    taps: [Iface; 3],
    buffer: Box<[u8]>,
    runs: u16,
}

/// What is not there, of what is needed.
pub(crate) fn missing() -> Option<String> {
    let lacks = |program: &str| Command::new(program).arg("--version").output().is_err();
    if let Some(program) = PROGRAMS.into_iter().find(|program| lacks(program)) {
        return Some(format!("`{program}` (Debian: iptables, iproute2)"));
    }
    let file = "/proc/sys/net/netfilter/nf_conntrack_acct";
    std::fs::metadata(file).is_err().then(|| "a kernel with CONFIG_NF_CONNTRACK".into())
}

impl Kernel {
    /// In the namespace of this thread, which is new. `Ok(Err)` says what this kernel lacks.
    pub(crate) fn new() -> io::Result<Result<Self, String>> {
        settle("all");
        settle("default");
        for (name, value) in SETTINGS {
            set(name, value);
        }
        let mut taps = Vec::new();
        for wire in Wire::ALL {
            let tap = Iface::without_packet_info(wire.name(), Mode::Tap)?;
            tap.set_non_blocking()?;
            taps.push(tap);
            settle(wire.name());
            let strict = if wire == Wire::Out { "0" } else { "1" };
            set(&format!("ipv4/conf/{}/rp_filter", wire.name()), strict);
        }
        run("ip", &["-batch", "-"], &addresses())?.map_err(io::Error::other)?;
        for (program, v6) in [("iptables-restore", false), ("ip6tables-restore", true)] {
            if let Err(error) = run(program, &[], &rules(v6))? {
                return Ok(Err(format!("a kernel that takes Docker's rules, but {program}: {error}")));
            }
        }
        if std::fs::metadata(TABLE).is_err() {
            return Ok(Err("a kernel with CONFIG_NF_CONNTRACK_PROCFS".into()));
        }
        let Ok(taps) = taps.try_into() else { unreachable!("as many TAPs as wires") };
        let mut kernel = Self { taps, buffer: vec![0; 70_000].into_boxed_slice(), runs: 0 };
        kernel.drain()?;
        Ok(Ok(kernel))
    }

    /// A frame comes in on a wire: what comes out, wire by wire in the order in which it did.
    pub(crate) fn tell(&mut self, wire: Wire, frame: &[u8]) -> io::Result<Vec<Output>> {
        self.taps[wire as usize].send(frame)?;
        self.drain()
    }

    /// What has come out since.
    pub(crate) fn drain(&mut self) -> io::Result<Vec<Output>> {
        let mut outputs = Vec::new();
        for wire in Wire::ALL {
            loop {
                match self.taps[wire as usize].recv(&mut self.buffer) {
                    Ok(len) => outputs.push((wire, self.buffer[..len].to_vec())),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error),
                }
            }
        }
        outputs.retain(|(_, frame)| !is_chatter(frame));
        Ok(outputs)
    }

    /// The flows it follows, but for those to itself. Those are forgotten: ours does not follow them, and they take the ports
    /// of others (P11).
    pub(crate) fn flows_of_others(&mut self) -> io::Result<BTreeMap<Key, Flow>> {
        let mut flows = conntrack::table(&std::fs::read_to_string(TABLE)?);
        for (_, flow) in flows.extract_if(.., |_, flow| is_own(flow)) {
            ctnetlink::delete(&flow)?;
        }
        Ok(flows)
    }

    /// A number that no other story has.
    pub(crate) const fn next_run(&mut self) -> u16 {
        self.runs = self.runs.wrapping_add(1);
        self.runs
    }

    /// Forgets all flows.
    pub(crate) fn forget(&mut self) -> io::Result<()> {
        ctnetlink::flush()?;
        self.drain().map(drop)
    }
}

/// Whether it is with the gateway itself.
fn is_own(flow: &Flow) -> bool {
    let own = |address| Who::of(address).is_some_and(Who::is_gateway);
    // all prefixes here end with the third byte
    let all = matches!(flow.original.destination, IpAddr::V4(address) if address.octets()[3] == 255);
    all || flow.original.destination.is_multicast()
        || own(flow.reply.source) && flow.reply.source == flow.original.destination
        || own(flow.original.source) && flow.reply.destination == flow.original.source
}

const TABLE: &str = "/proc/thread-self/net/nf_conntrack";

/// Below /proc/sys/net; what a kernel has not is left out.
const SETTINGS: [(&str, &str); 16] = [
    ("ipv4/ip_forward", "1"),
    ("ipv6/conf/all/forwarding", "1"),
    ("netfilter/nf_conntrack_acct", "1"),
    // all errors are compared, and none is one too many
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv4/icmp_msgs_per_sec", "1000000"),
    ("ipv4/icmp_msgs_burst", "1000000"),
    ("ipv6/icmp/ratelimit", "0"),
    // pieces of one story may not be told of in the next
    ("ipv4/ipfrag_time", "3600"),
    ("ipv6/ip6frag_time", "3600"),
    ("netfilter/nf_conntrack_frag6_timeout", "3600"),
    // packets of its own are of no flow that a label could name
    ("ipv6/auto_flowlabels", "0"),
    ("ipv4/igmp_link_local_mcast_reports", "0"),
    // what path-MTU discovery learns would outlive a story
    ("ipv4/ip_no_pmtu_disc", "1"),
    ("ipv4/ip_forward_use_pmtu", "0"),
    ("ipv4/tcp_challenge_ack_limit", "1000000"),
    ("ipv4/tcp_invalid_ratelimit", "0"),
];

/// An interface does not speak of its own accord.
fn settle(name: &str) {
    for (setting, value) in
        [("accept_dad", "0"), ("router_solicitations", "0"), ("accept_ra", "0"), ("accept_redirects", "0")]
    {
        set(&format!("ipv6/conf/{name}/{setting}"), value);
    }
    for (setting, value) in [("send_redirects", "0"), ("accept_redirects", "0")] {
        set(&format!("ipv4/conf/{name}/{setting}"), value);
    }
}

/// Sets something of this thread's namespace, if it is there.
pub(crate) fn set(name: &str, value: &str) {
    std::fs::write(format!("/proc/sys/net/{name}"), value).ok();
}

/// What `ip -batch` makes of the place.
fn addresses() -> String {
    let mut text = String::from("link set lo up\n");
    for wire in Wire::ALL {
        let name = wire.name();
        let (mac, mtu) = (wire.mac(), wire.mtu());
        writeln!(text, "link set {name} address {mac} mtu {mtu} up").expect("a string takes everything");
        for v6 in [false, true] {
            let address = wire.gateway().address(v6);
            let flags = if v6 { "/64 nodad" } else { "/24 brd +" };
            writeln!(text, "address add {address}{flags} dev {name}").expect("a string takes everything");
        }
    }
    for host in Who::HOSTS {
        for v6 in [false, true] {
            let (address, mac, name) = (host.address(v6), host.mac(), host.wire().name());
            if host != Who::Z {
                writeln!(text, "neigh replace {address} lladdr {mac} dev {name} nud permanent")
                    .expect("a string takes everything");
            }
        }
    }
    for v6 in [false, true] {
        writeln!(text, "route add default via {}", Who::R.address(v6)).expect("a string takes everything");
    }
    text
}

/// Runs a program with that as its input; what it complains about.
fn run(program: &str, arguments: &[&str], input: &str) -> io::Result<Result<(), String>> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    child.stdin.take().expect("piped").write_all(input.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(if output.status.success() { Ok(()) } else { Err(text) })
}
