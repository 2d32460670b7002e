//! The life of a neighbour, and what it takes to change it.

use std::net::Ipv4Addr;

use super::*;

const LEG: LegIndex = LegIndex(1);
const B: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 2));
const MAC: Mac = Mac([2, 0, 0, 0, 0, 2]);
const OTHER: Mac = Mac([2, 0, 0, 0, 0, 3]);

struct Rig {
    table: Neighbours,
    now: Time,
}

impl Rig {
    fn new() -> Self {
        Self { table: Neighbours::new([1, 2]), now: Time::from_secs(100) }
    }

    fn hear(&mut self, mac: Option<Mac>, how: How) -> bool {
        self.table.hear(&Heard { leg: LEG, address: B, mac, how }, self.now).is_some()
    }

    fn park(&mut self) -> Option<bool> {
        self.table.park((LEG, B), &[0x45; 60], Rewrite::NONE, None, self.now)
    }

    /// What is due, with how many milliseconds have gone by since the start.
    fn wait(&mut self, ms: u64) -> Vec<(u64, Due)> {
        let end = self.now + Duration::from_millis(ms);
        let mut all = Vec::new();
        while self.table.deadline() <= end {
            self.now = self.now.max(self.table.deadline());
            for slot in self.table.slots() {
                let at = (self.now - Time::from_secs(100)).as_millis() as u64;
                all.extend(self.table.expire(slot, self.now).map(|due| (at, due)));
            }
            self.table.rest();
        }
        self.now = end;
        all
    }

    fn state(&self) -> Option<(State, Option<Mac>)> {
        self.table.list(self.now).first().map(|n| (n.state, n.mac))
    }

    fn use_it(&mut self) {
        let (_, slot) = self.table.resolve(LEG, B, self.now).expect("it is known");
        self.table.used(slot, self.now);
    }
}

const ANSWER: How = How::Answered(Claim::Late);

#[test]
fn a_life_in_use() {
    let mut rig = Rig::new();
    assert_eq!(rig.park(), Some(true), "nobody is known: ask");
    assert_eq!(rig.park(), Some(false), "it has been asked");
    assert!(rig.hear(Some(MAC), ANSWER), "what waits can go");
    assert_eq!(rig.state(), Some((State::Reachable, Some(MAC))));
    rig.wait(29_999);
    assert_eq!(rig.state().map(|s| s.0), Some(State::Reachable));
    rig.wait(1);
    assert_eq!(rig.state().map(|s| s.0), Some(State::Stale), "30 s later nobody is sure");
    rig.use_it();
    assert_eq!(rig.state().map(|s| s.0), Some(State::Delay), "used: it is to be asked soon");
    let asked = Due::Ask(LEG, B, Some(MAC));
    assert_eq!(rig.wait(7_500), [(35_000, asked), (36_000, asked), (37_000, asked)], "itself, three times");
    assert_eq!(rig.state().map(|s| s.0), Some(State::Probe));
    assert!(rig.table.resolve(LEG, B, rig.now).is_some(), "meanwhile it is believed to be there");
    rig.hear(Some(MAC), ANSWER);
    assert_eq!(rig.state().map(|s| s.0), Some(State::Reachable));
    rig.wait(27_500);
    rig.use_it();
    rig.wait(2_500);
    assert_eq!(
        rig.state().map(|s| s.0),
        Some(State::Delay),
        "used a short while before: it is asked at once"
    );
    rig.now = rig.now + Duration::from_secs(60);
    rig.wait(0);
    rig.now = rig.now + Duration::from_secs(1);
    rig.wait(0);
    rig.now = rig.now + Duration::from_secs(1);
    rig.wait(0);
    rig.now = rig.now + Duration::from_secs(1);
    assert!(rig.table.resolve(LEG, B, rig.now).is_none(), "it is over before anybody sweeps");
    rig.wait(0);
    assert_eq!(rig.state(), Some((State::Failed, None)));
}

#[test]
fn one_that_never_answers() {
    let mut rig = Rig::new();
    rig.park();
    let ask = Due::Ask(LEG, B, None);
    assert_eq!(rig.wait(10_000), [(1000, ask), (2000, ask), (3000, Due::Failed)]);
    assert_eq!(rig.state(), Some((State::Failed, None)));
    assert_eq!(rig.table.deadline(), Time::NEVER, "nothing is due any more");
    assert_eq!(rig.park(), Some(true), "a new packet asks anew");
}

#[test]
fn who_is_believed() {
    use Claim::{Override, Weak};
    let told = How::Told;
    let table: &[(&str, Option<Mac>, How, u64, Option<(State, Mac)>, &str)] = &[
        ("nothing", Some(MAC), ANSWER, 0, None, "an answer that nobody asked for"),
        ("nothing", Some(MAC), told(Override), 0, None, "nor is what is told to everybody"),
        ("nothing", Some(MAC), How::Asked, 0, Some((State::Stale, MAC)), "who asks is about to send"),
        ("asked", Some(MAC), told(Weak), 0, Some((State::Stale, MAC)), "better than nothing"),
        ("known", Some(OTHER), ANSWER, 500, Some((State::Reachable, MAC)), "within the lock time: the first"),
        ("known", Some(OTHER), ANSWER, 1001, Some((State::Reachable, OTHER)), "later: the other"),
        ("known", Some(OTHER), told(Override), 0, Some((State::Stale, OTHER)), "gratuitous ARP"),
        ("known", Some(OTHER), How::Asked, 0, Some((State::Stale, OTHER)), "it asked us from there"),
        ("known", Some(OTHER), told(Weak), 0, Some((State::Stale, MAC)), "RFC 4861 §7.2.5: doubt"),
        ("known", Some(MAC), told(Weak), 0, Some((State::Reachable, MAC)), "nothing new"),
        ("known", None, How::Answered(Weak), 0, Some((State::Reachable, MAC)), "it is where it was"),
        ("asked", None, How::Answered(Weak), 0, None, "an answer that does not say where"),
    ];
    for (before, mac, how, ms, expected, why) in table {
        let mut rig = Rig::new();
        if *before != "nothing" {
            rig.park();
        }
        if *before == "known" {
            rig.hear(Some(MAC), ANSWER);
        }
        rig.wait(*ms);
        rig.hear(*mac, *how);
        let found = rig.state().and_then(|(state, mac)| Some((state, mac?)));
        assert_eq!(found, *expected, "{why}");
    }
}

#[test]
fn a_scan_pushes_out_only_itself() {
    let mut rig = Rig::new();
    rig.hear(Some(MAC), How::Asked);
    rig.use_it();
    let scanned = |n: u32| IpAddr::from(Ipv4Addr::from(0x0a02_0000 + n));
    for n in 0..5000 {
        assert!(rig.table.has_place(LEG, scanned(n), rig.now));
        rig.table.park((LEG, scanned(n)), &[0x45; 60], Rewrite::NONE, None, rig.now);
    }
    assert_eq!(rig.table.list(rig.now).len(), NEIGHBOURS_MAX);
    assert!(rig.table.resolve(LEG, B, rig.now).is_some(), "who is in use stays");
    rig.table.forget(LEG);
    assert!(rig.table.list(rig.now).is_empty());
    for n in 0..NEIGHBOURS_MAX as u32 {
        let heard = Heard { leg: LEG, address: scanned(n), mac: Some(MAC), how: How::Asked };
        rig.table.hear(&heard, rig.now);
        let (_, slot) = rig.table.resolve(LEG, scanned(n), rig.now).expect("there is a place");
        rig.table.used(slot, rig.now);
    }
    assert!(!rig.table.has_place(LEG, B, rig.now), "all are in use");
    assert_eq!(rig.park(), None);
    rig.now = rig.now + SETTLED + Duration::from_nanos(1);
    assert!(rig.table.has_place(LEG, B, rig.now), "none has been used for five seconds");
    assert_eq!(rig.park(), Some(true));
}

#[test]
fn a_place_is_kept_until_somebody_goes() {
    let mut rig = Rig::new();
    rig.park();
    rig.hear(Some(MAC), ANSWER);
    let (_, slot) = rig.table.resolve(LEG, B, rig.now).expect("it has answered");
    let held = rig.table.hold(slot);
    let other = IpAddr::V4(Ipv4Addr::new(10, 0, 1, 3));
    rig.table.park((LEG, other), &[0x45; 60], Rewrite::NONE, None, rig.now);
    assert_eq!(rig.table.held(held, rig.now), Some((MAC, slot)), "somebody else has come");
    rig.hear(Some(OTHER), How::Asked);
    assert_eq!(rig.table.held(held, rig.now), Some((OTHER, slot)), "it is somewhere else now");
    assert_eq!(rig.table.forget_one(LEG, |mac| mac == OTHER), Some(B));
    assert_eq!(rig.table.held(held, rig.now), None, "it has gone");
    let heard = Heard { leg: LEG, address: other, mac: Some(MAC), how: How::Asked };
    rig.table.forget(LEG);
    rig.table.hear(&heard, rig.now);
    assert!(rig.table.resolve(LEG, other, rig.now).is_some(), "somebody else has a place,");
    assert_eq!(rig.table.held(held, rig.now), None, "and it is not taken for the one that was there");
}

#[test]
fn lines_read_like_those_of_ip_neighbour() {
    let mut rig = Rig::new();
    rig.park();
    let line = |rig: &Rig| rig.table.list(rig.now)[0].line("eth1").to_string();
    assert_eq!(line(&rig), "10.0.1.2 dev eth1 INCOMPLETE");
    rig.hear(Some(MAC), ANSWER);
    assert_eq!(line(&rig), "10.0.1.2 dev eth1 lladdr 02:00:00:00:00:02 REACHABLE");
}
