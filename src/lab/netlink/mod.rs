//! Talking rtnetlink to the kernel: one request, one answer, no event loop.
//!
//! A [`Netlink`] is a socket in one network namespace; it keeps talking to that namespace from whatever thread it is
//! used, so each namespace is entered once (see [`super::netns`]) and never again. Requests are in `link` and
//! `address`; here is only the exchange: number it, send it, read until the acknowledgement or the end of the dump.
//!
//! The kernel explains its refusals in words (extended acknowledgements). They are kept in [`Error`], because
//! "Nexthop has invalid gateway" helps and "Invalid argument" does not.

mod address;
mod link;

pub use address::{Address, Neighbour, RouteEntry};
pub use link::{Link, LinkChange};

use std::io;
use std::num::NonZeroI32;

use netlink_packet_core::{
    ErrorMessage, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::io::Errno;

/// What the kernel said, in words.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub struct Error {
    errno: Option<Errno>,
    text: String,
}

impl Error {
    /// There is one already.
    pub fn is_duplicate(&self) -> bool {
        self.errno == Some(Errno::EXIST)
    }

    /// There is none (any more).
    pub fn is_missing(&self) -> bool {
        matches!(self.errno, Some(Errno::NODEV | Errno::ADDRNOTAVAIL | Errno::SRCH | Errno::NOENT))
    }

    fn missing(text: String) -> Self {
        Self { errno: Some(Errno::NODEV), text }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self { errno: Errno::from_io_error(&error), text: error.to_string() }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = error.errno.map_or(io::ErrorKind::Other, |e| io::Error::from(e).kind());
        Self::new(kind, error.text)
    }
}

/// A conversation with the network namespace in which it was opened.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket in the calling thread's network namespace.
    pub fn open() -> Result<Self, Error> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        // both are comforts: without them errors are terser
        let _ = socket.set_ext_ack(true);
        let _ = socket.set_cap_ack(true);
        Ok(Self { socket, sequence: 0 })
    }

    /// Asks for something to be made that must not exist yet.
    fn create(&mut self, message: RouteNetlinkMessage) -> Result<(), Error> {
        self.exchange(message, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, |_| ())
    }

    /// Asks for something to be done.
    fn request(&mut self, message: RouteNetlinkMessage) -> Result<(), Error> {
        self.exchange(message, NLM_F_ACK, |_| ())
    }

    /// Asks for a list.
    fn dump<T>(
        &mut self,
        message: RouteNetlinkMessage,
        mut read: impl FnMut(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>, Error> {
        let mut list = Vec::new();
        self.exchange(message, NLM_F_DUMP, |answer| list.extend(read(answer)))?;
        Ok(list)
    }

    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        mut take: impl FnMut(RouteNetlinkMessage),
    ) -> Result<(), Error> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = NetlinkMessage::from(message);
        request.header.flags = NLM_F_REQUEST | flags;
        request.header.sequence_number = self.sequence;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        loop {
            let (datagram, _) = self.socket.recv_from_full()?;
            let mut rest = datagram.as_slice();
            while rest.len() >= 16 {
                let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(|e| Error {
                    errno: None,
                    text: format!("the kernel's answer makes no sense: {e}"),
                })?;
                let length = usize::try_from(answer.header.length).unwrap_or(usize::MAX).next_multiple_of(4);
                rest = rest.get(length..).unwrap_or_default();
                if answer.header.sequence_number != self.sequence {
                    continue; // left over from an exchange that failed half-way
                }
                match answer.payload {
                    NetlinkPayload::Done(_) => return Ok(()),
                    NetlinkPayload::Error(ErrorMessage { code: None, .. }) => return Ok(()),
                    NetlinkPayload::Error(ErrorMessage { code: Some(code), header, .. }) => {
                        return Err(refusal(code, &header));
                    }
                    NetlinkPayload::InnerMessage(inner) => take(inner),
                    _ => {}
                }
            }
        }
    }
}

/// The kernel's words, which follow the header of the refused request as attributes; type 1 is the text.
fn refusal(code: NonZeroI32, header: &[u8]) -> Error {
    const TEXT: u16 = 1;
    let errno = Errno::from_raw_os_error(code.get().abs());
    let mut rest = header.get(16..).unwrap_or_default();
    while let [l0, l1, k0, k1, tail @ ..] = rest {
        let length = usize::from(u16::from_ne_bytes([*l0, *l1]));
        let Some(value) = tail.get(..length.saturating_sub(4)) else { break };
        if u16::from_ne_bytes([*k0, *k1]) == TEXT {
            let words = String::from_utf8_lossy(value);
            let text = format!("{} ({errno})", words.trim_end_matches('\0').trim_end_matches('.'));
            return Error { errno: Some(errno), text };
        }
        rest = rest.get(length.next_multiple_of(4).max(4)..).unwrap_or_default();
    }
    Error { errno: Some(errno), text: io::Error::from(errno).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_the_kernels_words() {
        let code = NonZeroI32::new(-22).expect("not zero");
        let mut header = vec![0; 16];
        assert_eq!(
            refusal(code, &header).to_string(),
            "Invalid argument (os error 22)",
            "no words, no attributes"
        );
        header.extend([8, 0, 3, 0, 1, 2, 3, 4]); // an attribute we do not know comes first
        header.extend([9, 0, 1, 0]);
        header.extend(b"Bad.\0\0\0\0");
        assert!(refusal(code, &header).to_string().starts_with("Bad ("), "{}", refusal(code, &header));
        header.truncate(20); // torn in the middle of an attribute: fall back to the errno
        assert_eq!(refusal(code, &header).to_string(), "Invalid argument (os error 22)");
    }

    #[test]
    fn the_loopback_interface_is_there() {
        let mut netlink = Netlink::open().expect("rtnetlink needs no privileges to look");
        let links = netlink.links().expect("a list");
        assert!(links.iter().any(|l| l.name == "lo" && l.index == 1), "{links:?}");
        assert!(netlink.link("no-such-link-1").expect("an answer").is_none());
    }
}
