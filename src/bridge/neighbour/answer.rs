//! The answers: what is sent in the name of a station that was asked for.
//!
//! An answer is a small value, and becomes a frame only when it is sent: into a buffer of its caller's, since
//! nothing is allocated for a frame.

use std::net::Ipv6Addr;

use super::Talk;
use crate::frame::{Headers, Tag};
use crate::wire::arp::{self, Arp};
use crate::wire::mac::Mac;
use crate::wire::ndp::{self, Message};

/// Bytes of the longest answer: an advertisement behind a tag.
pub const ANSWER_MAX: usize = 18 + ndp::ADVERTISEMENT_LEN;

/// An answer, whole but for its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who asked.
    pub dst: Mac,
    /// Who was asked for, in whose name this is sent.
    pub src: Mac,
    body: Body,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    Advertisement { target: Ipv6Addr, asker: Ipv6Addr, router: bool },
    Reply(Arp),
}

impl Answer {
    /// What `mac` would answer, if the frame is a question and asked by a station.
    pub(super) fn to(talk: &Talk, h: &Headers, mac: Mac, router: bool) -> Option<Self> {
        let (dst, body) = match *talk {
            Talk::Arp(arp) => (arp.sender_mac, Body::Reply(arp.reply(mac))),
            Talk::Ndp { ndp, .. } => {
                let Message::Solicitation { target } = ndp.message else { return None };
                let body = Body::Advertisement { target, asker: ndp.source, router };
                (ndp.source_link.unwrap_or(h.src), body)
            }
        };
        dst.is_station().then_some(Self { dst, src: mac, body })
    }

    /// Writes the frame to the front of `buffer`, and says how long it is. The kernel's bridge tags an answer
    /// as the question was, but for the VLAN that frames without a tag belong to at that leg.
    pub fn write(&self, tag: Option<Tag>, buffer: &mut [u8; ANSWER_MAX]) -> usize {
        let mut frame = Writer { buffer, len: 0 };
        frame.put(&self.dst.0);
        frame.put(&self.src.0);
        if let Some(tag) = tag {
            frame.put(&tag.tpid.to_be_bytes());
            frame.put(&tag.tci.to_be_bytes());
        }
        match self.body {
            Body::Advertisement { target, asker, router } => {
                frame.put(&super::ETHER_TYPE_IPV6.to_be_bytes());
                frame.put(&ndp::advertisement(target, self.src, router, asker));
            }
            Body::Reply(arp) => {
                frame.put(&arp::ETHER_TYPE.to_be_bytes());
                frame.put(&arp.to_bytes());
            }
        }
        frame.len
    }
}

struct Writer<'a> {
    buffer: &'a mut [u8; ANSWER_MAX],
    len: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        self.buffer[self.len..end].copy_from_slice(bytes);
        self.len = end;
    }
}
