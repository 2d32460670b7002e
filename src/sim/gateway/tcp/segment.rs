//! A segment as the tracker reads it (T1, T19).

use etherparse::TcpHeaderSlice;

use super::window::after;

/// What a segment is, by its flags: RST before SYN before FIN before ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim::gateway) enum Kind {
    Ack,
    Fin,
    Rst,
    Syn,
    SynAck,
}

/// A sound segment.
#[derive(Clone, Debug)]
pub(in crate::sim::gateway) struct Segment {
    pub(super) kind: Kind,
    pub(super) seq: u32,
    pub(super) ack: Option<u32>,
    pub(super) ack_field: u32,
    pub(super) window: u16,
    /// Behind its last byte.
    pub(super) end: u32,
    pub(super) options: Vec<u8>,
}

impl Segment {
    /// T1, T19. None if it is invalid.
    pub(in crate::sim::gateway) fn read(bytes: &[u8]) -> Option<Self> {
        let header = TcpHeaderSlice::from_slice(bytes).ok()?;
        let (syn, ack, rst, fin, urg) =
            (header.syn(), header.ack(), header.rst(), header.fin(), header.urg());
        let kind = match (syn, ack, rst, fin, urg) {
            (true, false, false, false, _) => Kind::Syn,
            (true, true, false, false, false) => Kind::SynAck,
            (false, _, true, false, false) => Kind::Rst,
            (false, true, false, true, _) => Kind::Fin,
            (false, true, false, false, _) => Kind::Ack,
            _ => return None,
        };
        let seq = header.sequence_number();
        let data = (bytes.len() - header.slice().len()) as u32;
        Some(Self {
            kind,
            seq,
            ack: ack.then(|| header.acknowledgment_number()),
            ack_field: header.acknowledgment_number(),
            window: header.window_size(),
            end: seq.wrapping_add(data).wrapping_add(u32::from(syn)).wrapping_add(u32::from(fin)),
            options: header.options().to_vec(),
        })
    }

    pub(super) fn has_syn(&self) -> bool {
        matches!(self.kind, Kind::Syn | Kind::SynAck)
    }

    /// Options one after the other, up to the first that cannot be.
    fn each_option(&self) -> Vec<(u8, &[u8])> {
        let mut found = vec![];
        let mut rest = &self.options[..];
        while let [kind, tail @ ..] = rest {
            match kind {
                0 => break,
                1 => rest = tail,
                _ => {
                    let Some(len) = tail.first().map(|len| usize::from(*len)) else { break };
                    if len < 2 || len > rest.len() {
                        break;
                    }
                    found.push((*kind, &rest[2..len]));
                    rest = &rest[len..];
                }
            }
        }
        found
    }

    /// The window scale, at most 14, and whether selective acknowledgements are welcome.
    pub(super) fn handshake(&self) -> (Option<u8>, bool) {
        let (mut scale, mut sack) = (None, false);
        for (kind, value) in self.each_option() {
            match (kind, value) {
                (3, [shift]) => scale = Some((*shift).min(14)),
                (4, []) => sack = true,
                _ => {}
            }
        }
        (scale, sack)
    }

    /// The highest right edge of the blocks of the first selective acknowledgement, if beyond `ack`.
    pub(super) fn sack(&self, ack: u32) -> u32 {
        let block = |value: &[u8]| !value.is_empty() && value.len().is_multiple_of(8);
        let blocks = self.each_option().into_iter().find(|(kind, value)| *kind == 5 && block(value));
        let edges = blocks.map(|(_, value)| value.to_vec()).unwrap_or_default();
        edges.chunks(8).fold(ack, |furthest, block| {
            let edge = u32::from_be_bytes([block[4], block[5], block[6], block[7]]);
            if after(edge, furthest) { edge } else { furthest }
        })
    }
}
