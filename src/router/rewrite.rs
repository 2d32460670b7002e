//! What a packet has to become on its way through the router, said instead of done.
//!
//! A decision edits nothing. It says what is to be written, and [`Rewrite::apply`] writes it, once, into the frame or
//! into a copy of it. So `explain` can decide without a copy, a packet that waits for its neighbour still lies there as
//! its sender sent it (which is what an ICMP error about it must quote, N9), and everything else about it stays
//! untouched by construction: identification, DF, TOS, options (N10) and, but for ports, checksums and the one 16-bit word
//! of an MSS, all that is behind the IP header (V11).

use super::mss::Mss;
use super::nat::rewrite::{self, Place, Translation};
use crate::wire::datagram::{self, Datagram};
use crate::wire::packet::protocol;

/// Bytes of a transport header up to its checksum, of whatever protocol, and of a fragment header before it.
const HEADER_MAX: usize = 24 + 8;

/// What is to be written into a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// Other addresses and ports.
    pub translation: Translation,
    /// TTL, or hop limit.
    pub ttl: Option<u8>,
    /// The MSS option of a TCP segment.
    pub mss: Option<Mss>,
}

impl Rewrite {
    /// As it came.
    pub const NONE: Self = Self { translation: Translation::NONE, ttl: None, mss: None };

    /// Writes it into the packet, whose first byte is that of the IP header. If its transport checksum is `partial`, that
    /// is yet to be computed, and is not mended. What makes a packet longer is not for here, see
    /// [`Rewrite::grows`].
    pub fn apply(&self, packet: &mut [u8], partial: bool) {
        if !self.translation.is_none() {
            rewrite::apply(packet, &self.translation, partial);
        }
        self.finish(packet, partial);
    }

    /// The same for a packet that was read before.
    #[inline]
    pub fn apply_at(&self, place: Place, packet: &mut [u8], partial: bool) {
        rewrite::translate(packet, place, &self.translation, partial);
        self.finish(packet, partial);
    }

    #[inline]
    fn finish(&self, packet: &mut [u8], partial: bool) {
        if let Some(ttl) = self.ttl {
            datagram::set_ttl(packet, ttl);
        }
        if let Some(mss) = self.mss {
            mss.lower(packet, partial);
        }
    }

    /// Whether it can be written into the pieces of a packet as well: nothing but addresses, ports and what is mended by the
    /// difference, all of which is in the first piece of `max` bytes; no checksum that is made over all of it.
    pub fn is_piecewise(&self, whole: &Datagram, max: u16) -> bool {
        let holds = usize::from(max) >= whole.transport + HEADER_MAX;
        self.mss.is_none() && self.translation.quote.is_none() && whole.protocol != protocol::SCTP && holds
    }

    /// Whether the packet gets longer, so that it has to be copied.
    pub fn grows(&self) -> bool {
        matches!(self.mss, Some(Mss::Add { .. }))
    }
}
