//! ICMP echo, v4 and v6, over a raw socket.

use std::io::{self, Read};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use etherparse::{IcmpEchoHeader, Icmpv4Header, Icmpv4Type};
use socket2::{Domain, Protocol, Socket, Type};

use super::attempt::{Deadline, milliseconds, now};
use crate::lab::netns;

/// How long to wait for an answer before asking again.
const INTERVAL: Duration = Duration::from_millis(200);

/// Asks until there is an answer.
pub(super) fn probe(at: &OwnedFd, to: IpAddr, timeout: Duration) -> Result<String, String> {
    let deadline = Deadline::after(timeout);
    let mut echo = Echo::open(at, to).map_err(|e| format!("cannot open a raw socket: {e}"))?;
    deadline.retry(|| match echo.ask(deadline.left(INTERVAL)) {
        Ok(Some(rtt)) => Ok(milliseconds(rtt)),
        Ok(None) => Err(format!("no answer in {}", deadline.total())),
        Err(e) => Err(e.to_string()),
    })
}

/// A series of echo requests to one address.
#[derive(Debug)]
pub(super) struct Echo {
    socket: Socket,
    to: IpAddr,
    id: u16,
    /// When each was sent; its sequence number is its place.
    sent: Vec<Instant>,
}

impl Echo {
    /// Prepares to ask from a namespace.
    pub(super) fn open(at: &OwnedFd, to: IpAddr) -> io::Result<Self> {
        // the number that tells our answers from those to other probes of this process
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let (domain, protocol) = match to {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = netns::within(at.as_fd(), || Socket::new(domain, Type::RAW, Some(protocol)))??;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let id = (std::process::id() as u16).wrapping_mul(31).wrapping_add(number);
        Ok(Self { socket, to, id, sent: Vec::new() })
    }

    /// Asks once, and waits for the answer to this or an earlier question; gives the time it took.
    pub(super) fn ask(&mut self, patience: Duration) -> io::Result<Option<Duration>> {
        let sequence = u16::try_from(self.sent.len()).unwrap_or(u16::MAX);
        self.sent.push(now());
        self.socket.send_to(&request(self.to, self.id, sequence), &SocketAddr::new(self.to, 0).into())?;
        let deadline = Deadline::after(patience);
        let mut packet = [0; 2048];
        while !deadline.is_over() {
            self.socket.set_read_timeout(Some(deadline.left(patience)))?;
            let length = match (&self.socket).read(&mut packet) {
                Ok(length) => length,
                Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    continue;
                }
                Err(e) => return Err(e),
            };
            let answered = answer(self.to, &packet[..length]).filter(|(id, _)| *id == self.id);
            if let Some(sent) = answered.and_then(|(_, sequence)| self.sent.get(usize::from(sequence))) {
                return Ok(Some(now() - *sent));
            }
        }
        Ok(None)
    }
}

fn request(to: IpAddr, id: u16, seq: u16) -> Vec<u8> {
    let payload = *b"vswitchd verify.";
    let header = match to {
        IpAddr::V4(_) => {
            let kind = Icmpv4Type::EchoRequest(IcmpEchoHeader { id, seq });
            Icmpv4Header::with_checksum(kind, &payload).to_bytes().to_vec()
        }
        // its checksum covers addresses that only the kernel knows, which fills it in (RFC 3542 §3.1)
        IpAddr::V6(_) => [[128, 0], [0, 0], id.to_be_bytes(), seq.to_be_bytes()].concat(),
    };
    [&header[..], &payload].concat()
}

/// Identifier and sequence number, if this is an echo reply from that address. An IPv4 raw socket shows the IP
/// header as well, an IPv6 one does not, nor who it is from; the identifier must do.
fn answer(from: IpAddr, packet: &[u8]) -> Option<(u16, u16)> {
    let (message, reply) = match from {
        IpAddr::V4(v4) => {
            let header = usize::from(packet.first()? & 0x0f) * 4;
            (packet.get(12..16)? == v4.octets()).then_some(())?;
            (packet.get(header..)?, 0)
        }
        IpAddr::V6(_) => (packet, 129),
    };
    match message {
        [kind, 0, _, _, i0, i1, s0, s1, ..] if *kind == reply => {
            Some((u16::from_be_bytes([*i0, *i1]), u16::from_be_bytes([*s0, *s1])))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_replies_are_answers() {
        let from: IpAddr = [10, 0, 0, 1].into();
        let packet = |source: u8, kind: u8| {
            let mut packet = vec![0x45; 20];
            packet[12..16].copy_from_slice(&[10, 0, 0, source]);
            packet.extend([kind, 0, 0, 0, 1, 2, 3, 4]);
            packet
        };
        assert_eq!(answer(from, &packet(1, 0)), Some((0x102, 0x304)));
        assert_eq!(answer(from, &packet(1, 8)), None, "a request: to ourselves, the socket sees both");
        assert_eq!(answer(from, &packet(2, 0)), None, "from somebody else");
        for cut in 0..28 {
            assert_eq!(answer(from, &packet(1, 0)[..cut]), None, "cut at {cut}");
        }
        let v6 = IpAddr::from([0; 16]);
        assert_eq!(answer(v6, &[129, 0, 0, 0, 1, 2, 3, 4]), Some((0x102, 0x304)));
        assert_eq!(answer(v6, &[128, 0, 0, 0, 1, 2, 3, 4]), None, "a request");
    }
}
