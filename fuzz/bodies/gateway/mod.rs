//! Whole stories through a gateway: guests, strangers and whoever configures it do as the bytes say.
//!
//! What must hold, whatever the bytes are:
//!
//! - nothing panics, the books balance after each step, and after a bounded number of ticks nothing is due any more
//! - a frame does what [`Fabric::explain`] said a moment before, but for what is put together from pieces
//! - the table of sessions is within its limit, consistent, and of bounded memory, whatever is changed meanwhile
//! - who knows whom is bounded
//! - while guests are masqueraded, and what is of no flow is dropped: every packet that was routed or made has right
//!   checksums, and none leaves for the world with a guest's address

mod changes;
mod frames;

use std::collections::BTreeSet;
use std::time::Duration;

use vswitchd::fabric::{Change, Fabric};
use vswitchd::frame::{Batch, Edit, End, Frame, LinkId, NodeId, Offload, PortId};
use vswitchd::router::neighbour::NEIGHBOURS_MAX;
use vswitchd::time::Time;
use vswitchd::trace::{Step, Trace};
use vswitchd::wire::datagram::Datagram;

use self::changes::Taste;
use self::frames::Memory;
use super::gate::{consistent, is_guests, sound};
use super::input::Input;

/// The networks of guests, of the world, and of other guests; then the router, whose leg, link and bridge have one number.
pub(super) const NETWORKS: u16 = 3;
pub(super) const ROUTER: NodeId = NodeId(3);
/// Which network each port is on; the last two watch theirs.
pub(super) const PORTS: [u16; 7] = [0, 0, 1, 1, 2, 0, 1];
const WORLD: u16 = 1;
/// How many ticks one moment may take.
const TICKS_MAX: usize = 300;

/// See the module's documentation.
pub(crate) fn gateway(data: &[u8]) {
    const SECOND: u64 = 1_000_000_000;
    let mut input = Input(data);
    let taste = Taste::of(&mut input);
    let mut stage = Stage::new(taste);
    while !input.is_empty() {
        match input.below(20) {
            0..14 => {
                let (port, frames, offload) = frames::frames(&mut input, &stage.memory);
                for frame in frames {
                    stage.receive(port, &frame, &offload);
                }
            }
            14..16 => taste.changes(&mut input).into_iter().for_each(|change| stage.change(change)),
            16 => stage.pass(input.pick(&[1, SECOND, 2 * SECOND, 7 * SECOND, 31 * SECOND, 121 * SECOND])),
            17 => {
                stage.now =
                    stage.now + Duration::from_nanos(input.pick(&[1, SECOND, 40 * SECOND, 4000 * SECOND]))
            }
            18 => stage.fabric.forget_guests(PortId(input.below(8).into()), stage.now),
            _ => stage.settle(),
        }
        stage.check();
    }
    stage.pass(5 * SECOND);
    stage.check();
}

struct Stage {
    taste: Taste,
    fabric: Fabric,
    batch: Batch,
    now: Time,
    memory: Memory,
    /// Somebody in the world has claimed to be a guest.
    spoofed: bool,
}

impl Stage {
    fn new(taste: Taste) -> Self {
        let (fabric, batch) = (Fabric::new([1, 2]), Batch::new());
        let mut stage =
            Self { taste, fabric, batch, now: Time::from_secs(1), memory: Memory::default(), spoofed: false };
        for change in taste.setup() {
            stage.fabric.apply(change, stage.now).expect("a sound graph");
        }
        for (port, frame) in frames::greetings() {
            stage.receive(port, &frame, &Offload::NONE);
        }
        stage
    }

    fn change(&mut self, change: Change) {
        let _ = self.fabric.apply(change, self.now);
    }

    fn receive(&mut self, port: PortId, bytes: &[u8], offload: &Offload) {
        let told = self.fabric.explain(port, bytes, self.now);
        let mut frame = Frame::copy_of(bytes, port);
        frame.offload = *offload;
        let network = PORTS.get(usize::from(port.0)).copied();
        let claims =
            Datagram::parse(bytes.get(14..).unwrap_or_default()).is_ok_and(|read| is_guests(read.source));
        self.spoofed |= network == Some(WORLD) && claims;
        self.batch.push(frame);
        self.fabric.receive(&mut self.batch, self.now);
        if *offload == Offload::NONE {
            foreseen(&told, &self.batch, port);
        }
        self.sent(network, *offload == Offload::NONE);
    }

    /// What leaves is as it should be, and is remembered.
    fn sent(&mut self, from: Option<u16>, complete: bool) {
        for delivery in self.batch.deliveries() {
            let frame = &self.batch.frames()[usize::from(delivery.frame)];
            let (head, len) = delivery.edit.head(frame.bytes());
            let written = [&head[..len], &frame.bytes()[delivery.edit.tail()..]].concat();
            let to = PORTS[usize::from(delivery.port.0)];
            let made = frame.ingress == PortId::SWITCH;
            let routed = made || from.is_some_and(|from| from != to);
            if routed && self.taste.strict && matches!(written[12..14], [8, 0] | [0x86, 0xdd]) {
                for finished in sound::finished(&written, &frame.offload) {
                    let packet = &finished[14..];
                    assert!(!(made || complete) || sound::holds(packet), "out of {to}: {finished:02x?}");
                    let source = Datagram::parse(packet).map(|read| read.source);
                    let leaks = to == WORLD && !self.spoofed && source.is_ok_and(frames::is_private);
                    assert!(!leaks, "a guest's address gets out: {finished:02x?}");
                }
            }
            self.memory.remember(delivery.port, written);
        }
        self.batch.clear(drop);
    }

    fn pass(&mut self, nanos: u64) {
        let until = self.now + Duration::from_nanos(nanos);
        loop {
            self.settle();
            let Some(deadline) = self.fabric.deadline().filter(|deadline| *deadline <= until) else { break };
            self.now = self.now.max(deadline);
        }
        self.now = until;
    }

    fn settle(&mut self) {
        let mut ticks = 0;
        while self.fabric.deadline().is_some_and(|deadline| deadline <= self.now) {
            self.fabric.tick(self.now, &mut self.batch);
            self.sent(None, true);
            ticks += 1;
            assert!(ticks < TICKS_MAX, "at {} there is always something left to do", self.now);
        }
    }

    fn check(&mut self) {
        let books = self.fabric.books();
        assert!(books.balance(), "{books:?}");
        while let Some((router, _)) = self.fabric.take_record() {
            assert_eq!(router, ROUTER);
        }
        let Some(router) = self.fabric.router(ROUTER) else { return };
        assert!(router.neighbours(self.now).len() <= NEIGHBOURS_MAX);
        if let Some(sessions) = router.sessions() {
            consistent(sessions, self.now);
        }
    }
}

/// The frame went where it was said to go. One that meets a bridge twice meets there what it has just taught; and what pieces
/// become is decided when they are complete.
fn foreseen(told: &Trace, batch: &Batch, port: PortId) {
    let steps = told.steps();
    let says = |wanted: &dyn Fn(&Step) -> bool| steps.iter().any(wanted);
    let met: Vec<NodeId> = steps
        .iter()
        .filter_map(|step| if let Step::Arrive(leg) = step { Some(leg.node) } else { None })
        .collect();
    if met.iter().collect::<BTreeSet<_>>().len() < met.len() || says(&|step| matches!(step, Step::Gather)) {
        return;
    }
    let promised: Vec<(PortId, Edit)> = steps
        .iter()
        .filter_map(|step| if let Step::Deliver(port, edit) = step { Some((*port, *edit)) } else { None })
        .collect();
    let theirs = batch.deliveries().iter().filter(|d| batch.frames()[usize::from(d.frame)].ingress == port);
    let delivered: Vec<_> = theirs.map(|delivery| (delivery.port, delivery.edit)).collect();
    assert_eq!(delivered, promised, "as explained: {told:?}");
    match batch.ends()[0] {
        End::Consumed => assert!(says(&|step| matches!(step, Step::Consume | Step::Remake)), "{told:?}"),
        End::Dropped(reason) => {
            let said = says(&|step| matches!(step, Step::Drop(r) | Step::Withhold(_, r) if *r == reason));
            assert!(said || reason == vswitchd::verdict::Reason::NoPort, "nobody said {reason}: {told:?}");
        }
        End::Flooded => assert!(!delivered.is_empty() || says(&|step| *step == Step::Consume), "{told:?}"),
        End::Parked => assert!(says(&|step| matches!(step, Step::Wait(_))), "{told:?}"),
        End::Sent => assert!(!delivered.is_empty(), "{told:?}"),
    }
}

pub(super) fn link(network: u16) -> LinkId {
    LinkId(network)
}
