//! One echo request and its answer (RFC 792, RFC 4443), on a raw socket.
//!
//! A raw socket hears every ICMP packet of its namespace; an answer is ours if it comes from whom we asked, with our
//! identifier and the sequence number just used.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use etherparse::{
    IcmpEchoHeader, Icmpv4Slice, Icmpv4Type, Icmpv6Header, Icmpv6Slice, Icmpv6Type, Ipv4HeaderSlice,
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::{Outcome, now};

/// What an echo request carries.
const PAYLOAD: [u8; 48] = [0x5a; 48];
/// The longest IPv4 header, which a raw socket delivers too, and an ICMP header with our payload.
const ANSWER_MAX: usize = 60 + 8 + PAYLOAD.len();

/// Distinguishes requests of probes that run at the same time.
static NEXT: AtomicU16 = AtomicU16::new(1);

/// Asks once, and waits for the answer for at most `timeout`.
pub(super) fn once(to: IpAddr, timeout: Duration) -> Outcome {
    match attempt(to, timeout) {
        Ok(Some(elapsed)) => Outcome::yes(format!("{:.2} ms", elapsed.as_secs_f64() * 1000.0)),
        Ok(None) => Outcome::no("no answer"),
        Err(error) => Outcome::no(error.to_string()),
    }
}

fn attempt(to: IpAddr, timeout: Duration) -> io::Result<Option<Duration>> {
    let echo = IcmpEchoHeader { id: std::process::id() as u16, seq: NEXT.fetch_add(1, Ordering::Relaxed) };
    let (domain, protocol) = match to {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let mut socket = Socket::new(domain, Type::RAW, Some(protocol))?;
    // only what comes from whom we ask is delivered
    socket.connect(&SockAddr::from(SocketAddr::new(to, 0)))?;
    let start = now();
    socket.send(&request(to, echo))?;
    let mut answer = [0; ANSWER_MAX];
    while let Some(left) = left(start, timeout) {
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut answer) {
            Ok(length) if is_answer(to, &answer[..length], echo) => return Ok(Some(start.elapsed())),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// The kernel fills in the checksum of ICMPv6, which includes the addresses; that of ICMP is ours.
fn request(to: IpAddr, echo: IcmpEchoHeader) -> Vec<u8> {
    let mut bytes = match to {
        IpAddr::V4(_) => {
            let header = etherparse::Icmpv4Header::with_checksum(Icmpv4Type::EchoRequest(echo), &PAYLOAD);
            header.to_bytes().to_vec()
        }
        IpAddr::V6(_) => Icmpv6Header::new(Icmpv6Type::EchoRequest(echo)).to_bytes().to_vec(),
    };
    bytes.extend(PAYLOAD);
    bytes
}

fn is_answer(to: IpAddr, bytes: &[u8], echo: IcmpEchoHeader) -> bool {
    match to {
        IpAddr::V4(_) => {
            let Ok(ip) = Ipv4HeaderSlice::from_slice(bytes) else { return false };
            Icmpv4Slice::from_slice(&bytes[ip.slice().len()..])
                .is_ok_and(|icmp| icmp.icmp_type() == Icmpv4Type::EchoReply(echo))
        }
        IpAddr::V6(_) => {
            Icmpv6Slice::from_slice(bytes).is_ok_and(|icmp| icmp.icmp_type() == Icmpv6Type::EchoReply(echo))
        }
    }
}

/// What is left of the time; `None` when it is up. A socket's timeout must not be zero.
fn left(start: Instant, timeout: Duration) -> Option<Duration> {
    timeout.checked_sub(start.elapsed()).filter(|left| !left.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_this_request_counts() {
        let to: IpAddr = "::1".parse().expect("an address");
        let echo = IcmpEchoHeader { id: 7, seq: 9 };
        let reply = |id, seq| Icmpv6Header::new(Icmpv6Type::EchoReply(IcmpEchoHeader { id, seq })).to_bytes();
        let table = [
            (reply(7, 9).to_vec(), true, "ours"),
            (reply(7, 8).to_vec(), false, "the answer to an earlier one"),
            (reply(6, 9).to_vec(), false, "somebody else's"),
            (request(to, echo), false, "a request, as one sees it when asking oneself"),
            (Vec::new(), false, "nothing"),
        ];
        for (bytes, expected, why) in table {
            assert_eq!(is_answer(to, &bytes, echo), expected, "{why}");
        }
    }
}
