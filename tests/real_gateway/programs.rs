//! Programs that everybody uses, through the gateway: iperf3, curl, a STUN client.

use std::fs;
use std::process::{Child, Command, Stdio};

use vswitchd::sim::Rng;

use crate::leak::Watch;
use crate::real_common::lab_common::{eventually, runtime};
use crate::real_common::{self, File, alone, config, in_node, says};
use crate::{GUEST_PORT, address, far, lab, published, router, runs};

#[test]
fn iperf3_passes_both_ways() {
    if !runs("iperf3_passes_both_ways", "iperf3", "--version") {
        return;
    }
    alone("programs::iperf3_passes_both_ways", || {
        let file = File::new("gateway-iperf3", &lab());
        let running = file.start();
        let mut watch = Watch::open(&far("tap"));
        for ipv6 in [false, true] {
            let outward = (far("tap"), "tap".to_owned(), address(&far("tap"), ipv6), GUEST_PORT);
            let inward = ("tap".to_owned(), far("tap"), router(ipv6), published("tap"));
            for (server, client, to, port) in [outward, inward] {
                for kind in [&[][..], &["-u", "-b", "100M", "-l", "1200"]] {
                    let mut listening = start(&server, &format!("exec iperf3 -s -1 -p {GUEST_PORT}"));
                    eventually(|| in_node(&server, is_listening), "iperf3 listens");
                    let (to, port) = (to.to_string(), port.to_string());
                    let call = ["exec", &client, "--", "iperf3", "-J", "-t", "1", "-c", &to, "-p", &port];
                    let text = says(&[&call[..], kind].concat());
                    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
                    let end = &report["end"];
                    let received = end["sum_received"]["bytes"].as_u64().unwrap_or_default();
                    let sent = &end["sum_sent"]["bits_per_second"];
                    eprintln!("iperf3 {kind:?} from {client} to {to}: {sent} bit/s");
                    assert!(received > 0, "{text}");
                    assert!(listening.wait().expect("our child").success());
                }
            }
        }
        assert_eq!(watch.seen(), None, "no private address is seen beyond the gateway");
        running.stop();
        file.assert_nothing_left();
    });
}

#[test]
fn curl_gets_a_page_from_a_published_server() {
    let name = "curl_gets_a_page_from_a_published_server";
    if !runs(name, "curl", "--version") || !runs(name, "python3", "--version") {
        return;
    }
    alone(&format!("programs::{name}"), || {
        let directory = runtime("gateway-pages");
        fs::create_dir_all(&*directory).expect("writable");
        let mut rng = Rng::new(7);
        let page: Vec<u8> =
            std::iter::repeat_with(|| rng.next_u64().to_ne_bytes()).take(1 << 18).flatten().collect();
        fs::write(directory.join("page"), &page).expect("writable");
        let file = File::new("curl", &lab());
        let running = file.start();
        let log = directory.join("log");
        for (server, client, port) in
            [("tap".to_owned(), far("tap"), published("tap")), (far("plain"), "plain".to_owned(), GUEST_PORT)]
        {
            let serve = format!(
                "exec python3 -u -m http.server -b :: -d {} {GUEST_PORT} 2>{}",
                directory.display(),
                log.display()
            );
            let mut serving = start(&server, &serve);
            eventually(|| in_node(&server, is_listening), "the server listens");
            for ipv6 in [false, true] {
                let (to, sees) = match port {
                    GUEST_PORT => (address(&server, ipv6), router(ipv6)),
                    _ => (router(ipv6), address(&client, ipv6)),
                };
                let to = if ipv6 { format!("[{to}]") } else { to.to_string() };
                let url = format!("http://{to}:{port}/page");
                let output =
                    real_common::vswitchd(&["exec", &client, "--", "curl", "-sSgf", "--noproxy", "*", &url]);
                assert!(output.status.success(), "{url}: {}", String::from_utf8_lossy(&output.stderr));
                assert!(output.stdout == page, "{url}: {} bytes of {}", output.stdout.len(), page.len());
                let said = fs::read_to_string(&log).expect("written");
                let sees = if ipv6 { sees.to_string() } else { format!("::ffff:{sees}") };
                let last = said.lines().last().unwrap_or_default();
                assert!(
                    last.starts_with(&format!("{sees} - ")),
                    "{url}: the server should see {sees}: {said}"
                );
            }
            serving.kill().expect("our child");
            serving.wait().expect("our child");
        }
        running.stop();
        file.assert_nothing_left();
    });
}

/// The lab with the published web server, as its user meets it.
#[test]
fn the_lab_of_docker_serves_its_page() {
    let name = "the_lab_of_docker_serves_its_page";
    if !runs(name, "curl", "--version") || !runs(name, "python3", "--version") {
        return;
    }
    alone(&format!("programs::{name}"), || {
        let file = File::new("docker-page", &config("docker-publish.toml"));
        let running = file.start();
        let get = |command: &[&str], to: &str| {
            let url = format!("http://{to}/");
            let curl = ["curl", "-sSf", "--noproxy", "*", "--retry-connrefused", "--retry", "5", &url];
            let output = Command::new("env").args(command).args(curl).output().expect("coreutils");
            assert!(
                output.status.success(),
                "{command:?} {url}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            assert!(
                String::from_utf8_lossy(&output.stdout).contains("Directory listing"),
                "{command:?} {url}"
            );
        };
        let exec = |node| [real_common::lab_common::program::VSWITCHD, "exec", node, "--"];
        get(&exec("remote"), "192.168.178.27");
        get(&exec("db"), "192.168.178.27");
        get(&exec("web"), "192.168.178.27");
        get(&exec("app"), "192.168.178.27");
        // this thread is where the lab's host is
        get(&[], "172.17.0.1");
        let log = running.log();
        for line in ["web| 192.168.178.20 - ", "web| 172.17.0.1 - ", "gw: WEB: IN=gw/lan OUT=gw/docker0 "] {
            assert!(log.contains(line), "{line:?} is not in\n{log}");
        }
        running.stop();
        file.assert_nothing_left();
    });
}

#[test]
fn a_stun_client_finds_each_kind_of_nat() {
    let name = "a_stun_client_finds_each_kind_of_nat";
    if !runs(name, "turnserver", "--version") || !runs(name, "turnutils_natdiscovery", "-h") {
        return;
    }
    alone(&format!("programs::{name}"), || {
        let file = File::new("natdiscovery", &config("nat-types.toml"));
        let running = file.start();
        let directory = runtime("natdiscovery-log");
        fs::create_dir_all(&*directory).expect("writable");
        let place = directory.display();
        let mut server = start(
            "stun",
            &format!(
                "exec turnserver -n --stun-only --no-auth --no-cli --no-tls --no-dtls -L 198.51.100.1 -L 198.51.100.2 \
                 --pidfile {place}/pid --log-file {place}/log --simple-log"
            ),
        );
        let udp = || fs::read_to_string("/proc/thread-self/net/udp").unwrap_or_default().contains(":0D97 ");
        eventually(|| in_node("stun", udp), "the server has its other port, 3479");
        let (anybody, address, port) =
            ("Endpoint Independent", "Address Dependent", "Address and Port Dependent");
        let table = [
            ("peer1", anybody, anybody, "full-cone"),
            ("peer2", anybody, address, "restricted"),
            ("peer3", anybody, port, "port-restricted"),
            ("peer4", port, port, "symmetric"),
            ("peer5", anybody, port, "linux"),
        ];
        std::thread::scope(|scope| {
            for (node, mapping, filtering, kind) in table {
                scope.spawn(move || {
                    let call = ["exec", node, "--", "turnutils_natdiscovery", "-m", "-f", "198.51.100.1"];
                    let said = says(&call);
                    for found in [format!("{mapping} Mapping!"), format!("{filtering} Filtering!")] {
                        let expected = format!("NAT with {found}");
                        assert!(said.contains(&expected), "{kind}: {expected:?} is not in\n{said}");
                    }
                });
            }
        });
        server.kill().expect("our child");
        server.wait().expect("our child");
        running.stop();
        file.assert_nothing_left();
    });
}

/// Starts a program in a node; the shell that becomes it is all that is between.
fn start(node: &str, script: &str) -> Child {
    let mut command = real_common::command(&["exec", node, "--", "sh", "-c", script]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program was built")
}

/// Whether somebody listens on [`GUEST_PORT`] with TCP, in the calling thread's namespace.
fn is_listening() -> bool {
    let table = |name: &str| fs::read_to_string(format!("/proc/thread-self/net/{name}")).unwrap_or_default();
    // local address and port in hexadecimal, then the other's, then the state: 0A is listening
    let port = format!(":{GUEST_PORT:04X}");
    (table("tcp") + &table("tcp6")).lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.get(1).is_some_and(|local| local.ends_with(&port)) && words.get(3) == Some(&"0A")
    })
}
