//! Tells two gateways the same, the kernel first, and holds them against each other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vswitchd::wire::datagram;
use vswitchd::wire::packet::Packet;

use super::alike::Names;
use super::conntrack::{Flow, Key};
use super::craft::TCP;
use super::describe::{Output, describe};
use super::kernel::Kernel;
use super::place::{Who, Wire};
use super::talk::{Action, Hosts, Talk};

const IO: &str = "the kernel's side works";
/// How many errors a receiver gets at once from ours (L4). The kernel has been told to have no limits.
const ERRORS_EACH: usize = 6;

/// Who is compared with the kernel. Time is what has really passed since it began.
pub(crate) trait Gateway {
    /// A frame comes in on a wire: what comes out, wire by wire in the order in which it did.
    fn tell(&mut self, wire: Wire, frame: &[u8], now: Duration) -> Vec<Output>;
    /// The flows it follows.
    fn flows(&mut self, now: Duration) -> BTreeMap<Key, Flow>;
    /// Time has passed; what came out meanwhile.
    fn wait(&mut self, now: Duration) -> Vec<Output>;
    /// How the last frame ended.
    fn why(&self) -> &str;
}

/// What the kernel did, which was what the other one did.
#[derive(Debug, Default)]
pub(crate) struct Deed {
    pub(crate) outputs: Vec<Output>,
    pub(crate) flows: BTreeMap<Key, Flow>,
}

/// A story that is being told.
pub(crate) struct Run<'a> {
    kernel: &'a mut Kernel,
    ours: Option<Box<dyn Gateway>>,
    talks: Vec<Talk>,
    /// Those of the kernel, and ours.
    hosts: [Hosts; 2],
    names: Names,
    began: Instant,
    /// Errors of the kernel's own, by receiver.
    errors: BTreeMap<Vec<u8>, usize>,
    /// The last packet was for the gateway itself, or for a port that it publishes.
    local: bool,
}

impl<'a> Run<'a> {
    /// Nothing has happened yet.
    #[allow(clippy::disallowed_methods, reason = "the kernel's timers go by it")]
    pub(crate) fn new(kernel: &'a mut Kernel, ours: Option<Box<dyn Gateway>>, talks: Vec<Talk>) -> Self {
        kernel.forget().expect(IO);
        let run = kernel.next_run();
        let hosts = [Hosts::new(talks.len(), run), Hosts::new(talks.len(), run)];
        let (names, errors) = (Names::default(), BTreeMap::new());
        Self { kernel, ours, talks, hosts, names, began: Instant::now(), errors, local: false }
    }

    /// Does it on both sides; how they differ. Tables are looked at if `tables` says so.
    pub(crate) fn act(&mut self, action: &Action, tables: bool) -> Result<Deed, String> {
        let outputs = match action {
            Action::Wait(time) => self.wait(*time)?,
            _ => self.tell(action)?,
        };
        // what is for the gateway may be followed by the kernel alone, see there
        let flows = if tables || self.local { self.compare_tables()? } else { BTreeMap::new() };
        Ok(Deed { outputs, flows })
    }

    fn tell(&mut self, action: &Action) -> Result<Vec<Output>, String> {
        let Some(sent) = self.hosts[0].frame(&self.talks, action) else { return Ok(vec![]) };
        let outputs = in_order(self.kernel.tell(sent.0, &sent.1).expect(IO));
        self.local = is_for_the_gateway(&sent.1);
        self.hosts[0].hear(action, &sent, &outputs);
        let now = self.began.elapsed();
        let Some(ours) = &mut self.ours else { return Ok(outputs) };
        let Some(same) = self.hosts[1].frame(&self.talks, action) else {
            return Err("  vswitchd's hosts heard nothing that this could be about\n".into());
        };
        let own = in_order(ours.tell(same.0, &same.1, now));
        self.hosts[1].hear(action, &same, &own);
        let why = ours.why();
        // what seems to be of a connection and is not is answered by the kernel, to that connection's harm (0.2)
        let spared =
            why.contains("ConntrackWindow") && own.is_empty() && outputs.iter().all(is_reset_of_the_gateway);
        let owed = if spared { vec![] } else { limited(&mut self.errors, &outputs, &own) };
        // the kernel sends pieces on as they came, ours as large as the largest of them
        let in_pieces = is_piece(&sent.1).then(|| (whole(&owed), whole(&own)));
        let told = match &in_pieces {
            Some((owed, own)) => self.names.outputs((&sent, &same), owed, own),
            None => self.names.outputs((&sent, &same), &owed, &own),
        };
        told.map_err(|text| format!("  told {}\n{text}    vswitchd says {why}\n", describe(&sent)))?;
        Ok(outputs)
    }

    fn wait(&mut self, time: Duration) -> Result<Vec<Output>, String> {
        std::thread::sleep(time);
        let outputs = self.kernel.drain().expect(IO);
        let Some(ours) = &mut self.ours else { return Ok(outputs) };
        let own = ours.wait(self.began.elapsed());
        let nothing = (Wire::Out, vec![0; 64]);
        self.names.outputs((&nothing, &nothing), &outputs, &own)?;
        Ok(outputs)
    }

    fn compare_tables(&mut self) -> Result<BTreeMap<Key, Flow>, String> {
        let flows = self.kernel.flows_of_others().expect(IO);
        if let Some(ours) = &mut self.ours {
            let own = ours.flows(self.began.elapsed());
            self.names.tables(&flows, &own)?;
        }
        Ok(flows)
    }
}

fn is_for_the_gateway(frame: &[u8]) -> bool {
    let packet = Packet::quoted(frame.get(14..).unwrap_or_default());
    packet.is_some_and(|packet| Who::of(packet.destination).is_none_or(Who::is_gateway))
}

fn is_piece(frame: &[u8]) -> bool {
    Packet::quoted(frame.get(14..).unwrap_or_default()).is_some_and(|packet| packet.fragment.is_some())
}

/// Pieces, in order, put together again, without what says how they were cut.
fn whole(outputs: &[Output]) -> Vec<Output> {
    let mut joined: Vec<Output> = Vec::new();
    for (wire, frame) in outputs {
        let Some(read) = Packet::quoted(&frame[14..]) else {
            joined.push((*wire, frame.clone()));
            continue;
        };
        if read.fragment.is_some_and(|piece| piece.offset > 0)
            && let Some((_, bytes)) = joined.last_mut()
        {
            bytes.extend(read.payload);
            continue;
        }
        let header = if read.is_ipv6() { 40 } else { read.transport };
        let mut bytes = frame[..14 + header].to_vec();
        if read.is_ipv6() {
            bytes[20] = read.protocol;
        } else {
            // the identification stays; DF and the place of the piece do not
            bytes[20..22].fill(0);
        }
        bytes.extend(read.payload);
        joined.push((*wire, bytes));
    }
    for (_, bytes) in &mut joined {
        let packet = &mut bytes[14..];
        let len = packet.len();
        if packet[0] >> 4 == 6 {
            packet[4..6].copy_from_slice(&(len as u16 - 40).to_be_bytes());
        } else {
            packet[2..4].copy_from_slice(&(len as u16).to_be_bytes());
            datagram::seal(packet);
        }
    }
    joined
}

/// Wire by wire; on each, what is in pieces from the first to the last.
fn in_order(mut outputs: Vec<Output>) -> Vec<Output> {
    outputs.sort_by_key(|(wire, frame)| {
        let read = Packet::quoted(frame.get(14..).unwrap_or_default());
        let offset = read.and_then(|packet| packet.fragment).map(|fragment| fragment.offset);
        (*wire, read.map(|packet| packet.protocol), offset)
    });
    outputs
}

fn is_reset_of_the_gateway((_, frame): &Output) -> bool {
    let packet = Packet::quoted(frame.get(14..).unwrap_or_default());
    packet.is_some_and(|packet| {
        let reset = packet.payload.get(13).is_some_and(|flags| flags & 4 != 0);
        packet.protocol == TCP && packet.ttl == 64 && reset && packet.payload.len() == 20
    })
}

/// What the kernel gave out, without the errors that ours may not tell any more.
fn limited(errors: &mut BTreeMap<Vec<u8>, usize>, kernel: &[Output], ours: &[Output]) -> Vec<Output> {
    let mut owed = kernel.to_vec();
    for (wire, frame) in kernel.iter().filter(|(wire, frame)| is_error_of_the_gateway(*wire, frame)) {
        let receiver = receiver(frame).to_vec();
        let told = errors.entry(receiver.clone()).or_default();
        *told += 1;
        let same = |(on, other): &Output| {
            on == wire && is_error_of_the_gateway(*on, other) && self::receiver(other) == receiver
        };
        if *told > ERRORS_EACH && !ours.iter().any(same) {
            owed.retain(|(_, other)| other != frame);
        }
    }
    owed
}

fn receiver(frame: &[u8]) -> &[u8] {
    if frame[12..14] == [8, 0] { &frame[30..34] } else { &frame[38..54] }
}

/// Whether it may be an ICMP error that the gateway made: it is one, and has a TTL that nobody has taken from.
fn is_error_of_the_gateway(_: Wire, frame: &[u8]) -> bool {
    match frame.get(12..14) {
        Some([8, 0]) => {
            frame.len() > 34 && frame[14] == 0x45 && frame[23] == 1 && frame[22] == 64 && frame[34] != 0
        }
        Some([0x86, 0xdd]) => frame.len() > 54 && frame[20] == 58 && frame[21] == 64 && frame[54] < 128,
        _ => false,
    }
}
