//! What `--help` adds to the list of options: examples, files and exit codes. The man page prints it as well.

pub(super) mod live;

/// Below `vswitchd -h`.
pub(super) const MAIN: &str = "\
Examples:
  vswitchd -c config/host-only.toml         run a lab until Ctrl-C
  vswitchd exec boxA -- ping 192.168.50.5   in another terminal: try it out
  vswitchd show ports                       what went where
  vswitchd capture vboxnet0 | wireshark -k -i -

`vswitchd --help` says more, `vswitchd COMMAND --help` explains a command.";

/// Below `vswitchd --help`, and sections of their own in the man page.
pub(super) const SECTIONS: &[(&str, &str)] = &[
    (
        "Examples",
        "\
vswitchd -c config/host-only.toml         run a lab until Ctrl-C
vswitchd check -c my.toml                 find mistakes before they matter
vswitchd verify -c config/bridge.toml     does the lab do what its file says?
vswitchd exec boxA -- ping 192.168.50.5   in another terminal: try it out
vswitchd show fdb                         who is behind which port
vswitchd show drops                       what did not arrive, and why
vswitchd vlan add vm1 10 pvid untagged    change it while it runs
vswitchd monitor                          watch it learn and change
vswitchd capture vboxnet0 | wireshark -k -i -",
    ),
    (
        "Files",
        "\
/run/vswitchd/LAB.sock               control socket of a running lab (root)
$XDG_RUNTIME_DIR/vswitchd/LAB.sock   the same, for other users
/tmp/vswitchd-UID/LAB.sock           the same, without XDG_RUNTIME_DIR
/run/netns/NODE                      namespaces of the lab's machines",
    ),
    (
        "Signals",
        "\
SIGINT, SIGTERM   take the lab down and leave nothing behind
SIGHUP            apply the changed file, as `vswitchd reload`",
    ),
    (
        "Environment",
        "\
NO_COLOR          when set, no colours on a terminal either
NOTIFY_SOCKET     set by systemd, which is told when the lab is ready",
    ),
    (
        "Exit status",
        "\
0     done; `check` found no error, `verify` no surprise
1     the answer is no: `check` found errors, or `verify` an expectation
      that does not hold
2     the command line is wrong
3     it cannot be done: no permission, no running instance, a file that
      cannot be read
141   whoever read the output went away, as with other programs in a pipe
`exec` ends as its program does: with its exit status, or 126 or 127 if it
cannot be run.",
    ),
];

/// [`SECTIONS`] as `--help` prints them.
pub(super) fn main_long() -> String {
    let section = |(title, text): &(&str, &str)| format!("{title}:\n  {}", text.replace('\n', "\n  "));
    SECTIONS.iter().map(section).collect::<Vec<_>>().join("\n\n")
}

/// Below `vswitchd capture --help`.
pub(super) const CAPTURE: &str = "\
Examples:
  vswitchd capture                               what can be captured?
  vswitchd capture docker0 | wireshark -k -i -   watch a network live
  vswitchd capture boxA:eth0 | tcpdump -n -r -   watch one port
  vswitchd capture drops -w drops.pcapng         what ended, and why, as comment
  vswitchd capture docker0 --count 100 -s 96 -w head.pcapng

The output is pcapng with one interface per port, nanosecond time stamps and the
direction of each frame as the switch sees it: inbound came in through the port,
outbound left through it. Ctrl-C ends the file properly.";

/// Below `vswitchd check --help`.
pub(super) const CHECK: &str = "\
Examples:
  vswitchd check -c my.toml           print every error with its line and a hint
  vswitchd check -c my.toml --json    for editors and CI

Nothing is created and no permission is needed. Exit status: 0 without errors,
1 with, 3 if the file cannot be read.";

/// Below `vswitchd clean --help`.
pub(super) const CLEAN: &str = "\
Examples:
  vswitchd clean --dry-run            what did a killed instance leave?
  vswitchd clean                      remove it

Labs that are running are not touched. A lab that is started again removes what
its killed predecessor left, in the same way.";

/// Below `vswitchd completions --help`.
pub(super) const COMPLETIONS: &str = "\
Examples:
  vswitchd completions bash > /etc/bash_completion.d/vswitchd
  vswitchd completions zsh > \"${fpath[1]}/_vswitchd\"
  vswitchd completions fish > ~/.config/fish/completions/vswitchd.fish";

/// Below `vswitchd exec --help`.
pub(super) const EXEC: &str = "\
Examples:
  vswitchd exec boxA                          a shell in boxA
  vswitchd exec boxA -- ip addr               one command
  vswitchd exec boxA -- tcpdump -n -i eth0    until Ctrl-C

The program keeps your terminal and directory; only the network around it is the
lab's. vswitchd becomes the program, so signals and the exit status are its own.";

/// Below `vswitchd explain --help`.
pub(super) const EXPLAIN: &str = "\
Examples:
  vswitchd explain vm1 ffffffffffff0242ac1100020806...
  vswitchd explain boxA:eth0 ff:ff:ff:ff:ff:ff 02:42:ac:11:00:02 08 00 45 00 ...
  xxd -p frame.bin | vswitchd explain vm1 -

Nothing is sent and nothing learned: this is what the switch would do now, step
by step, each with the line of the file that decided it.";

/// Below `vswitchd man --help`.
pub(super) const MAN: &str = "\
Examples:
  vswitchd man | man -l -                              read it
  vswitchd man > /usr/local/share/man/man8/vswitchd.8  install it";

/// Below `vswitchd reload --help`.
pub(super) const RELOAD: &str = "\
Examples:
  vswitchd reload                     apply what changed in the file
  kill -HUP PID                       the same

What did not change in the file is not touched: its flows, its learned addresses
and its interfaces stay. A file with errors changes nothing. A port whose
interface or namespace somebody made anew is opened there.";

/// Below `vswitchd show --help`.
pub(super) const SHOW: &str = "\
Examples:
  vswitchd show ports                       what came in, went out, was dropped
  vswitchd show fdb                         like `bridge fdb show`
  vswitchd show drops                       each reason, with what to do about it
  vswitchd show vlan                        like `bridge vlan show`
  vswitchd show mdb                         like `bridge -d mdb show`
  vswitchd show stp                         like `brctl showstp`
  vswitchd show fdb --json | jq '.[].mac'   the fields of `bridge -j fdb show`

Examples with a [[router]]:
  vswitchd show routers                     who fills the table of sessions?
  vswitchd show routes                      like `ip route` and `ip -6 route`
  vswitchd show neighbors                   like `ip neighbour`
  vswitchd show rules                       like `iptables -S -v`, of all tables
  vswitchd show publish                     like the ports of `docker ps`
  vswitchd show conntrack                   like /proc/net/nf_conntrack
  vswitchd show conntrack --proto tcp --dst 172.17.0.2 --port 80
  vswitchd show conntrack --limit 0 --json | jq '.sessions[].opened_by'

--src, --dst and --port are about both sides of the router: a guest's session is
found by the guest's address, and by the one that others see.";

/// Below `vswitchd verify --help`.
pub(super) const VERIFY: &str = "\
Examples:
  vswitchd verify -c config/bridge.toml
  for lab in config/*.toml; do vswitchd verify -c $lab || exit; done

The lab runs in fresh namespaces: the real host sees nothing of it, and root is
not needed where the kernel lets users have namespaces. One line per [[expect]];
exit status 1 when one does not hold. `after 2.1 s` is how long after the lab was
ready something was seen; expectations are tried one after the other.";
