//! Datagrams in pieces (N50, N51).

use std::net::IpAddr;
use std::time::Duration;

use super::packet::{self, End};
use crate::time::Time;

const PATIENCE: Duration = Duration::from_secs(30);

/// What identifies a datagram.
type Name = (IpAddr, IpAddr, u8, u16);

#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    waiting: Vec<Datagram>,
}

#[derive(Clone, Debug)]
struct Datagram {
    name: Name,
    since: Time,
    /// Where each is, and what: the first with its header.
    pieces: Vec<(usize, Vec<u8>)>,
    head: Option<Vec<u8>>,
    end: Option<usize>,
    largest: usize,
    /// The largest that must not be cut.
    largest_whole: usize,
}

impl Pieces {
    /// Gives up what has waited too long, and says what the first pieces of that were.
    pub(super) fn expire(&mut self, now: Time) -> Vec<Vec<u8>> {
        let over = |datagram: &Datagram| now - datagram.since >= PATIENCE;
        let first = |datagram: &Datagram| {
            let (_, data) = datagram.pieces.first().filter(|(at, _)| *at == 0)?;
            Some([&datagram.head.clone()?[..], data].concat())
        };
        let lost = self.waiting.iter().filter(|datagram| over(datagram)).filter_map(first).collect();
        self.waiting.retain(|datagram| !over(datagram));
        lost
    }

    /// The packet, or the datagram that it completes and the size of the largest piece of that.
    pub(super) fn gather(&mut self, packet: Vec<u8>, now: Time) -> Option<(Vec<u8>, Option<usize>)> {
        if packet::is_v6(&packet) {
            return Some((packet, None));
        }
        let flags = u16::from_be_bytes([packet[6], packet[7]]);
        let (at, more) = (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0);
        if at == 0 && !more {
            return Some((packet, None));
        }
        let head = usize::from(packet[0] & 15) * 4;
        let (src, dst) =
            (packet::address(&packet, End::Source)?, packet::address(&packet, End::Destination)?);
        let name = (src, dst, packet[9], u16::from_be_bytes([packet[4], packet[5]]));
        let data = packet[head..].to_vec();
        if more && (data.is_empty() || !data.len().is_multiple_of(8)) {
            return None;
        }
        let place = self.waiting.iter().position(|datagram| datagram.name == name);
        let place = place.unwrap_or_else(|| {
            self.waiting.push(Datagram::new(name, now));
            self.waiting.len() - 1
        });
        let datagram = &mut self.waiting[place];
        if !datagram.add(&packet[..head], at, data, more) {
            self.waiting.remove(place);
            return None;
        }
        datagram.largest = datagram.largest.max(packet.len());
        if flags & 0x4000 != 0 {
            datagram.largest_whole = datagram.largest_whole.max(packet.len());
        }
        let (largest, keeps) = (datagram.largest, datagram.largest_whole == datagram.largest);
        let mut whole = datagram.whole()?;
        self.waiting.remove(place);
        whole[6] = if keeps { 0x40 } else { 0 };
        packet::seal_header(&mut whole);
        Some((whole, Some(largest)))
    }
}

impl Datagram {
    fn new(name: Name, since: Time) -> Self {
        Self { name, since, pieces: vec![], head: None, end: None, largest: 0, largest_whole: 0 }
    }

    /// False if the piece contradicts the others: all are lost.
    fn add(&mut self, head: &[u8], at: usize, data: Vec<u8>, more: bool) -> bool {
        let end = at + data.len();
        if self.runs().iter().any(|(start, stop)| *start <= at && end <= *stop) {
            return true;
        }
        let overlaps = self.pieces.iter().any(|(start, piece)| *start < end && at < start + piece.len());
        let beyond = self.end.is_some_and(|known| end > known || (!more && end != known));
        let short = !more && self.pieces.iter().any(|(start, piece)| start + piece.len() > end);
        if overlaps || beyond || short || end > 65_515 {
            return false;
        }
        if !more {
            self.end = Some(end);
        }
        if at == 0 {
            self.head = Some(head.to_vec());
        }
        self.pieces.push((at, data));
        self.pieces.sort();
        true
    }

    /// What is here in one piece each, from where to where: what lies within is there already.
    fn runs(&self) -> Vec<(usize, usize)> {
        let mut runs: Vec<(usize, usize)> = vec![];
        for (at, piece) in &self.pieces {
            match runs.last_mut() {
                Some((_, end)) if *end == *at => *end += piece.len(),
                _ => runs.push((*at, at + piece.len())),
            }
        }
        runs
    }

    fn whole(&self) -> Option<Vec<u8>> {
        let mut whole = self.head.clone()?;
        let head = whole.len();
        for (at, piece) in &self.pieces {
            if whole.len() - head != *at {
                return None;
            }
            whole.extend(piece);
        }
        if whole.len() - head != self.end? {
            return None;
        }
        let len = whole.len() as u16;
        whole[2..4].copy_from_slice(&len.to_be_bytes());
        whole[6..8].fill(0);
        Some(whole)
    }
}

/// A packet as it leaves: in pieces if it came so, or is too long.
pub(super) fn cut(packet: Vec<u8>, mtu: usize, piece: Option<usize>) -> Vec<Vec<u8>> {
    let most = piece.map_or(mtu, |piece| piece.min(mtu));
    if packet.len() <= most || packet::is_v6(&packet) {
        return vec![packet];
    }
    let head = usize::from(packet[0] & 15) * 4;
    let room = (most - head) / 8 * 8;
    let keeps = packet[6] & 0x40;
    let data = &packet[head..];
    let count = data.len().div_ceil(room);
    let one = |(at, data): (usize, &[u8])| {
        let mut piece = [&packet[..head], data].concat();
        let len = piece.len() as u16;
        piece[2..4].copy_from_slice(&len.to_be_bytes());
        let more = if at + 1 < count { 0x2000 } else { 0 };
        piece[6..8].copy_from_slice(&((at * room / 8) as u16 | more).to_be_bytes());
        piece[6] |= keeps;
        packet::seal_header(&mut piece);
        piece
    };
    data.chunks(room).enumerate().map(one).collect()
}

/// A packet of IPv6 of the gateway's own; its pieces get their name later. Others are never too long here.
pub(super) fn cut_own(packet: Vec<u8>, mtu: usize) -> Vec<Vec<u8>> {
    if packet.len() <= mtu {
        return vec![packet];
    }
    let room = (mtu - 48) / 8 * 8;
    let data = &packet[40..];
    let count = data.len().div_ceil(room);
    let one = |(at, data): (usize, &[u8])| {
        let place = (at * room) as u16 | u16::from(at + 1 < count);
        let extension = [&[packet[6], 0][..], &place.to_be_bytes(), &[0; 4]].concat();
        let mut piece = [&packet[..40], &extension, data].concat();
        let len = (piece.len() - 40) as u16;
        piece[4..6].copy_from_slice(&len.to_be_bytes());
        piece[6] = 44;
        piece
    };
    data.chunks(room).enumerate().map(one).collect()
}
