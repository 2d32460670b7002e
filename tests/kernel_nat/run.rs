//! Tells two gateways the same, the kernel first, and holds them against each other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::alike::Names;
use super::conntrack::{Flow, Key};
use super::describe::{Output, describe};
use super::kernel::Kernel;
use super::place::Wire;
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
}

impl<'a> Run<'a> {
    /// Nothing has happened yet.
    #[allow(clippy::disallowed_methods, reason = "the kernel's timers go by it")]
    pub(crate) fn new(kernel: &'a mut Kernel, ours: Option<Box<dyn Gateway>>, talks: Vec<Talk>) -> Self {
        kernel.forget().expect(IO);
        let run = kernel.next_run();
        let hosts = [Hosts::new(talks.len(), run), Hosts::new(talks.len(), run)];
        let (names, errors) = (Names::default(), BTreeMap::new());
        Self { kernel, ours, talks, hosts, names, began: Instant::now(), errors }
    }

    /// Does it on both sides; how they differ. Tables are looked at if `tables` says so.
    pub(crate) fn act(&mut self, action: &Action, tables: bool) -> Result<Deed, String> {
        let outputs = match action {
            Action::Wait(time) => self.wait(*time)?,
            _ => self.tell(action)?,
        };
        let flows = if tables { self.compare_tables()? } else { BTreeMap::new() };
        Ok(Deed { outputs, flows })
    }

    fn tell(&mut self, action: &Action) -> Result<Vec<Output>, String> {
        let Some(sent) = self.hosts[0].frame(&self.talks, action) else { return Ok(vec![]) };
        let outputs = self.kernel.tell(sent.0, &sent.1).expect(IO);
        self.hosts[0].hear(action, &sent, &outputs);
        let now = self.began.elapsed();
        let Some(ours) = &mut self.ours else { return Ok(outputs) };
        let Some(same) = self.hosts[1].frame(&self.talks, action) else {
            return Err("  vswitchd's hosts heard nothing that this could be about\n".into());
        };
        let own = ours.tell(same.0, &same.1, now);
        self.hosts[1].hear(action, &same, &own);
        let owed = limited(&mut self.errors, &outputs, &own);
        let told = self.names.outputs((&sent, &same), &owed, &own);
        told.map_err(|text| format!("  told {}\n{text}", describe(&sent)))?;
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
        let flows = self.kernel.flows().expect(IO);
        if let Some(ours) = &mut self.ours {
            let own = ours.flows(self.began.elapsed());
            self.names.tables(&flows, &own)?;
        }
        Ok(flows)
    }
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
