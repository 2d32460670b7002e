//! A bridge of the kernel's and one of ours side by side, each on its own time, which is the same.

use std::time::{Duration, Instant};

use vswitchd::bridge::{BridgeConfig, LegConfig, PortState, StpConfig};
use vswitchd::fabric::Change;
use vswitchd::frame::{Plug, PortId};
use vswitchd::sim::Stage;
use vswitchd::time::Time;
use vswitchd::wire::mac::Mac;

use crate::kernel_common::rig::Rig;
use crate::kernel_common::tree::Tree;
use crate::kernel_common::{BRIDGE, PORTS};

/// No machine is so busy that what takes seconds takes longer.
const LIMIT: Duration = Duration::from_secs(90);
const STEP: Duration = Duration::from_millis(10);
/// More frames at one moment are a storm.
const STORM: usize = 2000;

/// Whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Kernel,
    Ours,
}

pub(crate) struct Lab<'a> {
    pub(crate) rig: &'a mut Rig,
    pub(crate) stage: Stage,
    begun: Instant,
    /// The ports that are joined to the other side's of the same number.
    cables: Vec<PortId>,
    /// What came out of ports without a cable.
    pub(crate) heard: Vec<(Side, PortId, Vec<u8>)>,
}

impl<'a> Lab<'a> {
    /// Both have just begun; the kernel's address is the rig's.
    #[allow(clippy::disallowed_methods, reason = "the kernel goes by the real time, and so must ours")]
    pub(crate) fn new(
        rig: &'a mut Rig,
        kernel: StpConfig,
        (address, stp): (Mac, StpConfig),
        cables: &[u16],
    ) -> Self {
        let mut stage = Stage::default();
        let bridge = BridgeConfig { address, stp, ..BridgeConfig::default() };
        let ports = (1..=PORTS).map(|port| Change::AddPort(PortId(port), BRIDGE, LegConfig::default()));
        for change in std::iter::once(Change::AddBridge(BRIDGE, bridge)).chain(ports) {
            stage.change(change).expect("a simple set-up");
        }
        rig.span(&kernel).expect("the kernel takes a spanning tree");
        let cables = cables.iter().map(|port| PortId(*port)).collect();
        Self { rig, stage, begun: Instant::now(), cables, heard: Vec::new() }
    }

    /// Lets both do what is due, and what they say reach the other.
    pub(crate) fn step(&mut self) {
        self.stage.now = Time::ZERO + self.begun.elapsed();
        let ours = self.stage.tick();
        let kernel = self.rig.outputs().expect("TAPs can be read");
        self.carry(kernel, ours);
    }

    /// A frame enters a port of one side.
    pub(crate) fn tell(&mut self, side: Side, port: PortId, bytes: &[u8]) {
        self.step();
        let (kernel, ours) = match side {
            Side::Kernel => (self.rig.receive(port, bytes).expect("a TAP takes a frame"), Vec::new()),
            Side::Ours => (Vec::new(), self.stage.exchange(port, bytes).0),
        };
        self.carry(kernel, ours);
    }

    fn carry(&mut self, mut kernel: Vec<(PortId, Vec<u8>)>, mut ours: Vec<(PortId, Vec<u8>)>) {
        let mut carried = 0;
        while !kernel.is_empty() || !ours.is_empty() {
            for (port, bytes) in std::mem::take(&mut kernel) {
                carried += 1;
                if self.cables.contains(&port) {
                    ours.extend(self.stage.exchange(port, &bytes).0);
                } else {
                    self.heard.push((Side::Kernel, port, bytes));
                }
            }
            for (port, bytes) in std::mem::take(&mut ours) {
                carried += 1;
                if self.cables.contains(&port) {
                    kernel.extend(self.rig.receive(port, &bytes).expect("a TAP takes a frame"));
                } else {
                    self.heard.push((Side::Ours, port, bytes));
                }
            }
            assert!(carried < STORM, "a loop: {:?}", self.trees());
        }
    }

    /// Lets time pass until it is so.
    pub(crate) fn until(&mut self, what: &str, mut is: impl FnMut(&mut Self) -> bool) {
        let end = self.begun.elapsed() + LIMIT;
        while !is(self) {
            assert!(self.begun.elapsed() < end, "not {what}: {:#?}", self.trees());
            std::thread::sleep(STEP);
            self.step();
        }
    }

    /// Lets so much time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.begun.elapsed() + time;
        self.until("over", |lab| lab.begun.elapsed() >= end);
    }

    /// A port, and with it its cable, goes down or up on both sides.
    pub(crate) fn set_up(&mut self, port: PortId, up: bool) {
        let change = Change::SetPortUp(port, up);
        self.rig.apply(change.clone()).expect("the kernel obeys");
        self.step();
        self.stage.change(change).expect("the port is there");
    }

    /// The kernel's view of the tree, and ours.
    pub(crate) fn trees(&mut self) -> [Tree; 2] {
        let kernel = self.rig.tree().expect("the kernel tells");
        let (summary, legs) = self.stage.fabric.tree(BRIDGE, self.stage.now).expect("a bridge");
        // its ports came in their order, and the kernel counts from 1
        let root_port = summary.root_port.map(|leg| PortId(leg.0 + 1));
        let states = legs.iter().map(|(plug, leg)| {
            assert!(matches!(plug, Plug::Port(_)), "no links here");
            leg.state
        });
        [kernel, Tree { root: summary.root, cost: summary.root_cost, root_port, states: states.collect() }]
    }

    /// Of all ends of cables that are up, how many are in that state.
    pub(crate) fn ends(&mut self, state: PortState) -> usize {
        let cables = self.cables.clone();
        let of =
            |tree: &Tree| cables.iter().filter(|port| tree.states[usize::from(port.0) - 1] == state).count();
        self.trees().iter().map(of).sum()
    }
}
