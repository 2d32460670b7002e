//! How much a router tells: the kernel's rate limits (L4, net/ipv4/icmp.c).
//!
//! All errors together are 1000 per second with a burst of 50, and each receiver gets one per second with a burst of six
//! (`XRLIM_BURST_FACTOR`, which is why the three probes of a traceroute are all answered). What says that a packet was
//! too big is exempt from both, because path-MTU discovery hangs without it; so are redirects over IPv4 from the limit per
//! receiver in the kernel, which has another one for them, where here they count like the rest. Answers to echo requests
//! are not errors, and not limited.
//!
//! Receivers are remembered in a bounded table by a keyed hash of their address. One that is owed nothing any more needs no
//! entry, so the oldest of a full table is forgotten; the common limit keeps what that lets through in check.

use std::net::IpAddr;

use siphasher::sip::SipHasher13;

use super::Error;
use crate::table::{AgedTable, Bucket};
use crate::time::Time;
use crate::wire::datagram;

/// Errors per second, in all (`icmp_msgs_per_sec`).
const RATE: u32 = 1000;
/// And at once (`icmp_msgs_burst`).
const BURST: u32 = 50;
/// Errors per second and receiver (`icmp_ratelimit`).
const RATE_EACH: u32 = 1;
/// And at once.
const BURST_EACH: u32 = 6;
/// How many receivers are remembered.
const RECEIVERS_MAX: usize = 1024;

/// What has been told.
#[derive(Debug)]
pub struct Limit {
    all: Bucket,
    hasher: SipHasher13,
    each: AgedTable<Bucket>,
}

impl Limit {
    /// Nothing yet; receivers are hashed with that key.
    pub fn new(hash_key: [u64; 2]) -> Self {
        let hasher = SipHasher13::new_with_keys(hash_key[1], hash_key[0]);
        Self { all: Bucket::default(), hasher, each: AgedTable::new(hash_key) }
    }

    /// Whether that may be told to that receiver now; if so, it counts.
    pub fn allow(&mut self, error: Error, to: IpAddr, now: Time) -> bool {
        if matches!(error, Error::TooBig(_)) {
            return true;
        }
        let hashed = self.each.hash(self.hasher.hash(&datagram::octets(to)));
        let slot = self.each.find(hashed);
        let owed = slot.map(|slot| self.each.value(slot)).unwrap_or_default();
        let (Some(all), Some(each)) =
            (self.all.charge(RATE, BURST, now), owed.charge(RATE_EACH, BURST_EACH, now))
        else {
            return false;
        };
        self.all = all;
        match slot {
            Some(slot) => {
                *self.each.value_mut(slot) = each;
                self.each.refresh(slot, now);
            }
            None => {
                if let Some(oldest) = self.each.oldest().filter(|_| self.each.len() >= RECEIVERS_MAX) {
                    self.each.remove(oldest);
                }
                self.each.insert(hashed, each, false, now);
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn told(limit: &mut Limit, error: Error, to: u32, times: u32, ms: u64) -> u32 {
        let to = IpAddr::from(Ipv4Addr::from(to));
        (0..times).filter(|_| limit.allow(error, to, Time::from_nanos(ms * 1_000_000))).count() as u32
    }

    #[test]
    fn l4_one_receiver() {
        let mut limit = Limit::new([1, 2]);
        assert_eq!(told(&mut limit, Error::TimeExceeded, 1, 20, 0), 6, "the burst");
        assert_eq!(told(&mut limit, Error::TimeExceeded, 1, 20, 999), 0, "not yet");
        assert_eq!(told(&mut limit, Error::TimeExceeded, 1, 20, 1000), 1, "one per second");
        assert_eq!(told(&mut limit, Error::PortUnreachable, 1, 1, 1000), 0, "whatever the error is");
        assert_eq!(told(&mut limit, Error::TooBig(1400), 1, 500, 1000), 500, "exempt");
    }

    #[test]
    fn l4_all_receivers() {
        let mut limit = Limit::new([1, 2]);
        let sum = (0..5000).map(|to| told(&mut limit, Error::TimeExceeded, to, 1, 0)).sum::<u32>();
        assert_eq!(sum, BURST);
        let sum = (5000..9000).map(|to| told(&mut limit, Error::TimeExceeded, to, 1, 10)).sum::<u32>();
        assert_eq!(sum, 10, "a thousand per second");
        for second in 1..100 {
            for n in 0..100 {
                told(&mut limit, Error::TimeExceeded, second * 100 + n, 1, u64::from(second) * 1000);
            }
        }
        assert!(limit.each.len() <= RECEIVERS_MAX);
    }
}
