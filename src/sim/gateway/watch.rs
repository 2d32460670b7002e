//! What must never be, whatever the model says.
//!
//! - No two flows have a tuple in common, and what answers are translated into is the inverse of what was translated.
//! - Every checksum that comes out is right.
//! - Nobody outside sees a guest's address.
//! - Nothing comes into a network inside but what somebody there has asked for, or what was published.
//! - The table has no more flows than it may, and no more memory than for those.

use std::net::IpAddr;

use super::machine::Outputs;
use super::packet::{self, End, ICMP, ICMPV6};
use super::story::{HOSTS, Setting};
use super::{Entry, Tuple};
use crate::frame::PortId;
use crate::router::interface::{Interface, SourceNat};
use crate::router::policy::config::{Config, Invalid};

/// What was seen so far.
#[derive(Debug)]
pub(super) struct Watch {
    legs: Vec<Interface>,
    sessions_max: usize,
    /// Nothing leaks: no rule lets go what is of no flow, and everybody is hidden.
    hides: bool,
    accepts_invalid: bool,
    /// What was translated into what, and the tuples of the flow.
    pairs: Vec<(Tuple, Tuple, (Tuple, Tuple))>,
}

impl Watch {
    pub(super) fn new(setting: &Setting) -> Self {
        let hidden = |own: &Interface| own.inside.source_nat != SourceNat::None;
        let mut watch = Self {
            legs: setting.legs.clone(),
            sessions_max: setting.sessions_max,
            hides: setting.legs.iter().all(hidden),
            accepts_invalid: false,
            pairs: vec![],
        };
        watch.set_policy(&setting.config);
        watch
    }

    pub(super) fn set_policy(&mut self, config: &Config) {
        self.accepts_invalid |= config.invalid == Invalid::Accept;
        self.forget();
    }

    pub(super) fn forget(&mut self) {
        self.pairs.clear();
    }

    pub(super) fn check(
        &mut self,
        port: PortId,
        frame: &[u8],
        outputs: &Outputs,
        before: &[Entry],
        after: &[Entry],
        memory: usize,
    ) -> Result<(), String> {
        bijection(after)?;
        if after.len() > self.sessions_max {
            return Err(format!("{} flows are in a table of {}", after.len(), self.sessions_max));
        }
        if memory > 40_000 + 2000 * self.sessions_max {
            return Err(format!("{memory} bytes for {} flows", self.sessions_max));
        }
        for (to, frame) in outputs {
            self.sums(&frame[14..])?;
            self.leaks(*to, &frame[14..])?;
            self.intrudes(port, *to, &frame[14..], before, after)?;
        }
        if self.accepts_invalid { Ok(()) } else { self.inverts(&frame[14..], outputs, after) }
    }

    fn sums(&self, packet: &[u8]) -> Result<(), String> {
        let len = usize::from(packet[0] & 15) * 4;
        if !packet::is_v6(packet) && packet::sum(&packet[..len]) != 0xffff {
            return Err("a header's checksum is wrong".to_owned());
        }
        let piece = !packet::is_v6(packet) && u16::from_be_bytes([packet[6], packet[7]]) & 0x3fff != 0;
        let piece = piece || (packet::is_v6(packet) && packet[6] == 44);
        match piece || self.accepts_invalid || packet::is_right(packet) {
            true => Ok(()),
            false => Err("a checksum is wrong".to_owned()),
        }
    }

    /// No guest's address leaves the last leg, nor stands in what is quoted there.
    fn leaks(&self, to: PortId, packet: &[u8]) -> Result<(), String> {
        let outside = HOSTS[usize::from(to.0)].leg == 2;
        if !outside || !self.hides || self.accepts_invalid {
            return Ok(());
        }
        let inside = |address: Option<IpAddr>| address.is_some_and(|address| self.home(address).is_some());
        if inside(packet::address(packet, End::Source)) {
            return Err("a guest's address leaves".to_owned());
        }
        let Some((protocol, at)) = packet::transport(packet) else { return Ok(()) };
        let errs = match packet.get(at) {
            Some(3..=5 | 11 | 12) => protocol == ICMP,
            Some(..128) => protocol == ICMPV6,
            _ => false,
        };
        let quote = packet.get(at + 8..).filter(|quote| errs && quote.len() >= 20);
        let quoted = quote.is_some_and(|quote| inside(packet::address(quote, End::Source)));
        if quoted { Err("a guest's address is quoted".to_owned()) } else { Ok(()) }
    }

    fn home(&self, address: IpAddr) -> Option<usize> {
        let own = |leg: &Interface| leg.addresses.iter().any(|net| net.contains(&address));
        self.legs[..2].iter().position(own).filter(|_| !self.is_local(address))
    }

    fn is_local(&self, address: IpAddr) -> bool {
        self.legs.iter().any(|leg| leg.addresses.iter().any(|net| net.addr() == address))
    }

    /// What enters a network inside from another was asked for there, or is published.
    fn intrudes(
        &self,
        from: PortId,
        to: PortId,
        packet: &[u8],
        before: &[Entry],
        after: &[Entry],
    ) -> Result<(), String> {
        let [from, to] = [from, to].map(|port| HOSTS[usize::from(port.0)]);
        let src = packet::address(packet, End::Source);
        if to.leg == 2
            || from.leg == to.leg
            || src.is_some_and(|src| self.is_local(src))
            || !self.hides
            || self.accepts_invalid
        {
            return Ok(());
        }
        let Some(dst) = packet::address(packet, End::Destination) else { return Ok(()) };
        let concerns = |entry: &Entry| {
            entry.original.src == dst || (entry.reply.src == dst && entry.original.dst != dst)
        };
        match before.iter().chain(after).any(concerns) {
            true => Ok(()),
            false => Err(format!("{dst} did not ask for what it gets")),
        }
    }

    /// What is translated one way is translated back the other way.
    fn inverts(&mut self, packet: &[u8], outputs: &Outputs, after: &[Entry]) -> Result<(), String> {
        let of = |tuple: &Tuple| {
            let entry = after.iter().find(|entry| entry.original == *tuple || entry.reply == *tuple);
            entry.map(|entry| (entry.original, entry.reply))
        };
        // a flow that is over may be followed by another of the same tuple
        self.pairs.retain(|(into, _, flow)| of(into) == Some(*flow));
        let Some((into, flow)) = Tuple::of(packet).and_then(|into| Some((into, of(&into)?))) else {
            return Ok(());
        };
        for (_, frame) in outputs {
            let Some(out) = Tuple::of(&frame[14..]).filter(|out| out.protocol == into.protocol) else {
                continue;
            };
            // an answer of the gateway's own, or an error
            if (out.src, out.dst) == (into.dst, into.src) || out.inverse().is_none() {
                continue;
            }
            for (first, second, _) in self.pairs.iter().filter(|(.., other)| *other == flow) {
                let back = Some(into) == second.inverse() && Some(out) != first.inverse();
                let again = into == *first && out != *second;
                if back || again {
                    return Err(format!("{first:?} became {second:?}, but {into:?} becomes {out:?}"));
                }
            }
            if !self.pairs.contains(&(into, out, flow)) {
                self.pairs.push((into, out, flow));
            }
        }
        Ok(())
    }
}

/// No tuple is of two flows.
fn bijection(entries: &[Entry]) -> Result<(), String> {
    // who talks to itself is its own answer
    let both = |entry: &Entry| match entry.original == entry.reply {
        true => vec![entry.original],
        false => vec![entry.original, entry.reply],
    };
    let mut tuples: Vec<_> = entries.iter().flat_map(both).collect();
    tuples.sort();
    match tuples.windows(2).find(|pair| pair[0] == pair[1]) {
        None => Ok(()),
        Some(pair) => Err(format!("two flows have {:?}", pair[0])),
    }
}
