//! Between machines with every kind of port, in both directions, with both families: what arrives is what was sent, from
//! whom it should be.

use std::net::SocketAddr;

use vswitchd::control::view::DropView;

use crate::leak::Watch;
use crate::real_common::{File, alone, show};
use crate::sockets::{Connection, datagrams, echo, large_datagrams};
use crate::{GUEST_PORT, KINDS, address, far, lab, published, router};

/// Payloads of pings: an ordinary one, one that just fits, and some that must be fragmented and put together again.
const PINGS: [usize; 4] = [56, 1400, 4000, 20_000];

#[test]
fn what_is_translated_arrives_unchanged() {
    alone("transfers::what_is_translated_arrives_unchanged", || {
        let file = File::new("transfers", &lab());
        let running = file.start();
        let mut beyond: Vec<_> = KINDS.iter().map(|kind| Watch::open(&far(kind))).collect();
        let mut inside: Vec<_> = KINDS.iter().map(|kind| Watch::open(kind)).collect();
        for guest in KINDS {
            for remote in KINDS.map(far) {
                for ipv6 in [false, true] {
                    out_of(guest, &remote, ipv6);
                    into(guest, &remote, ipv6);
                }
            }
        }
        for (watch, kind) in beyond.iter_mut().zip(KINDS) {
            assert_eq!(watch.seen(), None, "no private address is seen beyond the gateway, by {kind}");
        }
        assert!(inside.iter_mut().all(|watch| watch.seen().is_some()), "such are found, where they are");
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

/// The gateway takes less at a time than the machines on both sides: whoever sends too much must be told, in terms of its
/// own flow.
#[test]
fn a_narrower_way_is_found_out() {
    alone("transfers::a_narrower_way_is_found_out", || {
        let text = lab().replace("role = ", "mtu = 1300\nrole = ");
        let file = File::new("narrow", &text);
        let running = file.start();
        let mut watch = Watch::open(&far("tap"));
        for guest in KINDS {
            for ipv6 in [false, true] {
                out_of(guest, &far("tap"), ipv6);
                into(guest, &far("tap"), ipv6);
            }
        }
        assert_eq!(watch.seen(), None, "no private address is seen beyond the gateway");
        let drops: Vec<DropView> = show("drops");
        for port in ["tap:eth0", "far-tap:eth0"] {
            let told = drops.iter().any(|drop| drop.port == port && drop.reason == "mtu-exceeded");
            assert!(told, "{port} has sent too much at first: {drops:?}");
        }
        assert_eq!(running.stop(), "");
        file.assert_nothing_left();
    });
}

/// A guest asks; the machine beyond sees the router.
fn out_of(guest: &str, remote: &str, ipv6: bool) {
    let to = SocketAddr::new(address(remote, ipv6), GUEST_PORT);
    let what = format!("{guest} to {to} at {remote}");
    let connection = Connection::open(guest, to, (remote, to));
    assert_eq!(connection.client().ip(), router(ipv6), "{what}: whom it sees");
    assert_eq!(
        connection.client().port(),
        connection.near.local_addr().expect("connected").port(),
        "{what}: P3, a port that is free stays as it is"
    );
    connection.exchange(&what);
    let seen = datagrams(guest, to, (remote, to), &what);
    assert_eq!(seen.ip(), router(ipv6), "{what}: whom it sees");
    let seen = large_datagrams(guest, to, (remote, to), &what);
    assert_eq!(seen.ip(), router(ipv6), "{what}: whom it sees");
    for size in PINGS {
        echo(guest, to.ip(), size, &what);
    }
}

/// A machine beyond asks at the router; the guest sees it as it is.
fn into(guest: &str, remote: &str, ipv6: bool) {
    let to = SocketAddr::new(router(ipv6), published(guest));
    let at = SocketAddr::new(address(guest, ipv6), GUEST_PORT);
    let what = format!("{remote} to {to} for {guest}");
    let connection = Connection::open(remote, to, (guest, at));
    assert_eq!(connection.client().ip(), address(remote, ipv6), "{what}: whom it sees");
    connection.exchange(&what);
    let seen = datagrams(remote, to, (guest, at), &what);
    assert_eq!(seen.ip(), address(remote, ipv6), "{what}: whom it sees");
    let seen = large_datagrams(remote, to, (guest, at), &what);
    assert_eq!(seen.ip(), address(remote, ipv6), "{what}: whom it sees");
    for size in PINGS {
        echo(remote, to.ip(), size, &what);
    }
}
