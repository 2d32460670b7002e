//! Whether two gateways did the same, random ports aside.
//!
//! A port that a gateway chose at random differs from the other's. [`Names`] remembers which port of the kernel's is which of
//! ours, for one address and one remote end, and the kernel's packets and flows are read with ours in their place.

use std::collections::BTreeMap;
use std::net::IpAddr;

use vswitchd::wire::checksum;
use vswitchd::wire::packet::Packet;

use super::conntrack::{Flow, Key, Ports, Tuple};
use super::craft::{ICMP, ICMPV6, TCP, UDP};
use super::describe::{Output, describe};

/// How far a remaining time may differ, in seconds: each is cut to whole ones, and one side is asked after the other.
const PATIENCE: u64 = 1;

/// Protocol, the gateway's address, the kernel's port; and the remote end.
type Name = (u8, IpAddr, u16, IpAddr, u16);

/// Which port of the kernel's is which of ours.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<Name, u16>);

/// Where in a frame a port is that a gateway may have chosen, and what it is called.
struct Place {
    /// Bytes from the start of the packet.
    at: usize,
    /// Where the checksum is that covers it, if it is there.
    sums: Vec<usize>,
    name: Name,
}

impl Names {
    /// Whether the two gave out the same, when told these; why not, if not.
    pub(crate) fn outputs(
        &mut self,
        sent: (&Output, &Output),
        kernel: &[Output],
        ours: &[Output],
    ) -> Result<(), String> {
        let mut pairs = kernel.iter().zip(ours);
        let same = kernel.len() == ours.len() && pairs.all(|(kernel, ours)| self.alike(sent, kernel, ours));
        if same {
            return Ok(());
        }
        Err(format!("{}{}", list("kernel", kernel, ours), list("vswitchd", ours, kernel)))
    }

    /// Whether two tables say the same.
    pub(crate) fn tables(
        &mut self,
        kernel: &BTreeMap<Key, Flow>,
        ours: &BTreeMap<Key, Flow>,
    ) -> Result<(), String> {
        let mut renamed = BTreeMap::new();
        for flow in kernel.values() {
            let mut flow = flow.clone();
            flow.original = self.tuple(flow.protocol, &flow.original);
            if let Some(own) = ours.get(&flow.key()) {
                self.learn_from(&flow, own);
            }
            flow.reply = self.tuple(flow.protocol, &flow.reply);
            renamed.insert(flow.key(), flow);
        }
        let mut text = String::new();
        for (key, flow) in &renamed {
            match ours.get(key) {
                None => text += &format!("    the kernel alone follows {flow} {:?}\n", flow.counts),
                Some(own) if !equal(flow, own) => {
                    text += &format!(
                        "    kernel   {flow} {:?}\n    vswitchd {own} {:?}\n",
                        flow.counts, own.counts
                    );
                }
                Some(_) => {}
            }
        }
        for (_, own) in ours.iter().filter(|(key, _)| !renamed.contains_key(key)) {
            text += &format!("    vswitchd alone follows {own} {:?}\n", own.counts);
        }
        if text.is_empty() { Ok(()) } else { Err(text) }
    }

    fn alike(&mut self, sent: (&Output, &Output), kernel: &Output, ours: &Output) -> bool {
        if kernel == ours {
            return true;
        }
        if kernel.0 != ours.0 || kernel.1.len() != ours.1.len() || kernel.1.len() < 34 {
            return false;
        }
        let mut bytes = kernel.1[14..].to_vec();
        self.learn(&sent.0.1[14..], &bytes, &ours.1[14..]);
        self.rename(&mut bytes);
        forget_id(&sent.0.1[14..], &mut bytes, &ours.1[14..]);
        forget_speaker(&mut bytes, &ours.1[14..]);
        kernel.1[..14] == ours.1[..14] && bytes == ours.1[14..]
    }

    /// The ports of a new flow, if both have chosen one for it.
    fn learn(&mut self, sent: &[u8], kernel: &[u8], ours: &[u8]) {
        let (places, others) = (places(kernel), places(ours));
        let before = port_of(sent);
        for (place, other) in places.iter().zip(&others) {
            let (chosen, own) = (place.name.2, other.name.2);
            let new =
                chosen != own && class(chosen) == class(own) && before != Some(chosen) && before != Some(own);
            if new {
                self.0.entry(place.name).or_insert(own);
            }
        }
    }

    /// The same from a table.
    fn learn_from(&mut self, kernel: &Flow, ours: &Flow) {
        let (Some(name), Some(own)) =
            (name(kernel.protocol, &kernel.reply), name(ours.protocol, &ours.reply))
        else {
            return;
        };
        let before = match kernel.original.ports {
            Ports::Two(port, _) | Ports::Icmp(_, _, port) => port,
            Ports::None => return,
        };
        let new = name.2 != own.2 && class(name.2) == class(own.2) && ![name.2, own.2].contains(&before);
        if new {
            self.0.entry(name).or_insert(own.2);
        }
    }

    fn rename(&self, packet: &mut [u8]) {
        for place in places(packet) {
            let Some(own) = self.0.get(&place.name) else { continue };
            let old = place.name.2;
            packet[place.at..place.at + 2].copy_from_slice(&own.to_be_bytes());
            for (nth, at) in place.sums.iter().enumerate() {
                let before = u16::from_be_bytes([packet[*at], packet[at + 1]]);
                // of UDP, no checksum stays none
                if before == 0 && nth == 0 && place.name.0 == UDP {
                    continue;
                }
                let after = checksum::update(before, old, *own);
                packet[*at..at + 2].copy_from_slice(&after.to_be_bytes());
            }
        }
    }

    fn tuple(&self, protocol: u8, tuple: &Tuple) -> Tuple {
        let mut tuple = tuple.clone();
        let Some(own) = name(protocol, &tuple).and_then(|name| self.0.get(&name)) else { return tuple };
        match &mut tuple.ports {
            Ports::Icmp(_, _, port) | Ports::Two(_, port) => *port = *own,
            Ports::None => {}
        }
        tuple
    }
}

/// What the place is called that packets with that tuple go to.
fn name(protocol: u8, tuple: &Tuple) -> Option<Name> {
    let (remote, port) = match tuple.ports {
        Ports::Icmp(_, _, id) => (0, id),
        Ports::None => return None,
        Ports::Two(from, to) => (from, to),
    };
    Some((protocol, tuple.destination, port, tuple.source, remote))
}

/// The ports of a packet, and of the one that it quotes.
fn places(packet: &[u8]) -> Vec<Place> {
    let Some(parsed) = Packet::quoted(packet) else { return vec![] };
    let mut found = ends(&parsed, 0, &[]);
    let is_error = match parsed.protocol {
        ICMP => matches!(parsed.payload.first(), Some(3 | 4 | 5 | 11 | 12)),
        ICMPV6 => parsed.payload.first().is_some_and(|kind| *kind < 128),
        _ => false,
    };
    if is_error && parsed.fragment.is_none() {
        let at = parsed.transport + 8;
        if let Some(inner) = packet.get(at..).and_then(Packet::quoted) {
            found = ends(&inner, at, &[parsed.transport + 2]);
        }
    }
    found
}

/// The ports of a packet that begins `start` bytes behind another's start, whose checksum covers it.
fn ends(packet: &Packet<'_>, start: usize, outer: &[usize]) -> Vec<Place> {
    if packet.fragment.is_some_and(|fragment| fragment.offset > 0) {
        return vec![];
    }
    let body = packet.payload;
    let short = |at: usize| body.get(at..at + 2).map_or(0, |two| u16::from_be_bytes([two[0], two[1]]));
    let at = start + packet.transport;
    let place = |offset: usize, sum: usize, name: Name| {
        let sum = (body.len() >= sum + 2).then_some(at + sum);
        // where the inner checksum is there, it makes up for the port, and the outer one stays
        let sums = if sum.is_some() { sum.into_iter().collect() } else { outer.to_vec() };
        Place { at: at + offset, sums, name }
    };
    let (source, destination) = (packet.source, packet.destination);
    match packet.protocol {
        TCP | UDP if body.len() >= 4 => {
            let (from, to, sum) = (short(0), short(2), if packet.protocol == TCP { 16 } else { 6 });
            vec![
                place(0, sum, (packet.protocol, source, from, destination, to)),
                place(2, sum, (packet.protocol, destination, to, source, from)),
            ]
        }
        ICMP | ICMPV6 if body.len() >= 6 => {
            vec![place(4, 2, (packet.protocol, source, short(4), destination, 0))]
        }
        _ => vec![],
    }
}

fn port_of(packet: &[u8]) -> Option<u16> {
    places(packet).first().map(|place| place.name.2)
}

/// P4: what a port may become.
const fn class(port: u16) -> u8 {
    match port {
        0..512 => 0,
        512..1024 => 1,
        _ => 2,
    }
}

/// Packets that the gateway itself makes are numbered as it likes: then the kernel's gets our number.
fn forget_id(sent: &[u8], kernel: &mut [u8], ours: &[u8]) {
    if kernel[0] >> 4 == 6 || ours[0] >> 4 == 6 {
        // of a piece, the number is in the second half of its header
        if kernel[6] == 44 && ours[6] == 44 && kernel.len() >= 48 && ours.len() >= 48 {
            kernel[44..48].copy_from_slice(&ours[44..48]);
        }
        return;
    }
    let theirs = [&kernel[4..6], &ours[4..6]];
    if theirs.contains(&&sent[4..6]) {
        return;
    }
    let id = |packet: &[u8]| u16::from_be_bytes([packet[4], packet[5]]);
    let before = u16::from_be_bytes([kernel[10], kernel[11]]);
    let after = checksum::update(before, id(kernel), id(ours));
    kernel[4..6].copy_from_slice(&ours[4..6]);
    kernel[10..12].copy_from_slice(&after.to_be_bytes());
}

/// An error that the gateway makes about a flow of which only a port is translated (N3) is, in the kernel, from whom the packet was
/// for; ours is from the gateway.
fn forget_speaker(kernel: &mut [u8], ours: &[u8]) {
    let Some((theirs, own)) = Packet::quoted(kernel).zip(Packet::quoted(ours)) else { return };
    let at = theirs.transport;
    let quoted = kernel.get(at + 8..).and_then(Packet::quoted);
    let made = theirs.ttl == 64 && own.ttl == 64 && matches!(theirs.protocol, ICMP | ICMPV6);
    if !made || theirs.source == own.source || quoted.is_none_or(|quoted| quoted.destination != theirs.source)
    {
        return;
    }
    let (place, sum) = if kernel[0] >> 4 == 6 { (8..24, at + 2) } else { (12..16, 10) };
    for word in place.step_by(2) {
        let short = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let after = checksum::update(short(kernel, sum), short(kernel, word), short(ours, word));
        kernel[sum..sum + 2].copy_from_slice(&after.to_be_bytes());
        kernel[word..word + 2].copy_from_slice(&ours[word..word + 2]);
    }
}

fn equal(kernel: &Flow, ours: &Flow) -> bool {
    let time = kernel.timeout.abs_diff(ours.timeout) <= PATIENCE;
    time && Flow { timeout: ours.timeout, ..kernel.clone() } == *ours
}

fn list(who: &str, outputs: &[Output], others: &[Output]) -> String {
    let mut text = format!("    {who}: {} out\n", outputs.len());
    for output in outputs {
        text += &format!("      {}\n", describe(output));
        if !others.contains(output) {
            text += &format!("        {}\n", hex(&output.1));
        }
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    let shown = &bytes[..bytes.len().min(160)];
    shown.iter().map(|byte| format!("{byte:02x}")).collect()
}
