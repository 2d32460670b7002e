//! Everything about a bridge that is not forwarding: its settings change (here), its legs come and go (`legs`), and with
//! them VLANs (`vlans`), stations that the user sets (`stations`), permits and memberships (`lists`); time passes, and somebody wants to know what it has
//! done.
//!
//! Nothing here is on the path of a frame, so it may allocate and may look at the whole table.

mod legs;
mod lists;
mod stations;
mod vlans;

use super::fdb::{Fdb, Sight};
use super::group::tell;
use super::guard::flap::FlapDetector;
use super::multicast::Multicast;
use super::neighbour::Neighbours;
use super::shortcut::Passes;
use super::stp::Stp;
use super::vlan::{VID_MAX, VlanTable};
use super::{Bridge, BridgeConfig, Event, Neighbourly, Outbox, Plane, StpMode};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::verdict::{DropCounters, LegSet, Reason, Verdict};

/// Bits of a bridge's `group_fwd_mask` that the kernel refuses (B37).
const GROUP_MASK_REFUSED: u16 = 0b111;

/// What a bridge has done with frames and stations since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BridgeCounters {
    /// Frames that came in: the sum of the next four.
    pub received: u64,
    /// Frames meant for the bridge itself.
    pub consumed: u64,
    /// Frames sent out of one leg.
    pub forwarded: u64,
    /// Frames sent out of several.
    pub flooded: u64,
    /// Frames that ended here.
    pub drops: DropCounters,
    /// Stations seen for the first time.
    pub learned: u64,
    /// Stations that moved to another leg.
    pub moved: u64,
    /// Times a station was not learned because the table was full (B19).
    pub refused: u64,
}

impl BridgeCounters {
    #[inline]
    pub(super) fn ended(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Consume => self.consumed += 1,
            Verdict::Drop(reason) => self.drops.count(*reason),
            Verdict::Flood => self.flooded += 1,
            Verdict::Forward(_) => self.forwarded += 1,
            // a bridge keeps nothing
            Verdict::Park => {}
        }
    }

    #[inline]
    pub(super) fn sighted(&mut self, sight: Sight) {
        match sight {
            Sight::Full => self.refused += 1,
            Sight::Move(..) => self.moved += 1,
            Sight::New(_) => self.learned += 1,
            Sight::Own | Sight::Refresh(_) | Sight::Stuck(_) => {}
        }
    }
}

/// Why a bridge refused to be changed; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The user has set an entry for that address already.
    Exists,
    /// No room for another leg or entry.
    Full,
    /// A value that is out of its range.
    Invalid,
    /// No such leg or entry.
    Unknown,
}

impl Bridge {
    /// A bridge without legs. `hash_key` keys its tables.
    pub fn new(config: BridgeConfig, hash_key: [u64; 2], now: Time) -> Result<Self, ConfigError> {
        check(&config)?;
        let plane = Plane {
            config,
            fdb: Fdb::new(hash_key, config.ageing, config.fdb_max),
            vlans: VlanTable::default(),
            tree: Stp::new(config.stp, config.address, now),
            multicast: Multicast::new(config.multicast, hash_key, config.address, now),
            neighbours: Neighbours::new(hash_key),
            flaps: FlapDetector::new(hash_key),
            legs: Vec::new(),
            mirrors: LegSet::EMPTY,
            mirrored: false,
            neighbourly: Neighbourly::default(),
            passes: Passes::default(),
        };
        let mut bridge = Self { plane, withheld: Vec::new(), counters: BridgeCounters::default() };
        bridge.plane.flaps.configure(&config.flap);
        Ok(bridge)
    }

    /// Its settings.
    pub fn config(&self) -> &BridgeConfig {
        &self.plane.config
    }

    /// New settings; what was learned stays, as long as it is not older than they allow.
    pub fn configure(
        &mut self,
        config: BridgeConfig,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        check(&config)?;
        // a longer ageing time must not bring back what has expired already and was only not swept yet
        self.sweep(now, usize::MAX, out);
        let before = std::mem::replace(&mut self.plane.config, config);
        self.plane.passes.forget();
        if (before.ageing, before.fdb_max) != (config.ageing, config.fdb_max) {
            let hurried = self.plane.tree.summary(now);
            let ageing = if hurried.topology_change && config.stp.mode == StpMode::Stp {
                hurried.forward_delay // B15
            } else {
                config.ageing
            };
            self.plane.fdb.configure(ageing, config.fdb_max);
        }
        if before.vlan.default_pvid != config.vlan.default_pvid {
            self.move_default_pvid(before.vlan.default_pvid, now, out);
        }
        if before.flap != config.flap {
            self.plane.flaps.configure(&config.flap);
        }
        if before.address != config.address {
            self.plane.multicast.set_mac(config.address);
        }
        if before.multicast != config.multicast {
            self.plane.multicast.configure(config.multicast, now);
        }
        if (before.stp, before.address) != (config.stp, config.address) {
            self.plane.grow(now, out, |tree, effects| {
                tree.configure(config.stp, config.address, now, &mut |effect| effects.take(effect));
            });
        }
        Ok(())
    }

    /// Does what is due: up to `budget` expired stations are removed; says how many.
    pub fn tick(&mut self, now: Time, budget: usize, out: &mut Outbox) -> usize {
        if self.plane.tree.deadline().is_some_and(|deadline| deadline <= now) {
            self.plane.grow(now, out, |tree, effects| tree.tick(now, &mut |effect| effects.take(effect)));
        }
        let plane = &mut self.plane;
        plane.release(now, out);
        if plane.multicast.deadline().is_some_and(|deadline| deadline <= now) {
            plane.multicast.tick(now, &mut |effect| tell(out, effect));
        }
        let swept = plane.neighbours.sweep(now, budget);
        swept + self.sweep(now, budget - swept, out)
    }

    /// When something is due next.
    pub fn deadline(&self) -> Option<Time> {
        let Plane { fdb, tree, multicast, neighbours, .. } = &self.plane;
        let released = || {
            let ends = self.plane.ends().map(|end| end.state.silenced_until);
            ends.filter(|until| *until > Time::ZERO).min()
        };
        let released = (self.plane.config.flap.moves > 0).then(released).flatten();
        let due = [fdb.deadline(), tree.deadline(), multicast.deadline(), neighbours.deadline(), released];
        due.into_iter().flatten().min()
    }

    /// What it has done so far.
    pub fn counters(&self) -> &BridgeCounters {
        &self.counters
    }

    /// Copies that would have left through this leg but were withheld.
    pub fn withheld(&self, leg: LegIndex) -> DropCounters {
        self.withheld.get(usize::from(leg.0)).copied().unwrap_or_default()
    }

    /// A copy that left through this leg ended further on for this reason: counted as if withheld.
    pub fn withhold(&mut self, leg: LegIndex, reason: Reason) {
        if let Some(withheld) = self.withheld.get_mut(usize::from(leg.0)) {
            withheld.count(reason);
        }
    }

    fn sweep(&mut self, now: Time, budget: usize, out: &mut Outbox) -> usize {
        self.plane.fdb.sweep(now, budget, |sighting| out.tell(Event::Forgotten(sighting)))
    }
}

impl Plane {
    /// Legs whose quarantine is over are heard again.
    fn release(&mut self, now: Time, out: &mut Outbox) {
        if self.config.flap.moves == 0 {
            return;
        }
        for (leg, state) in (0..).map(LegIndex).zip(&mut self.legs) {
            if let Some(state) = state
                && (Time::from_nanos(1)..=now).contains(&state.silenced_until)
            {
                state.silenced_until = Time::ZERO;
                self.passes.forget();
                out.tell(Event::Released(leg));
            }
        }
    }
}

fn check(config: &BridgeConfig) -> Result<(), ConfigError> {
    let sound = config.fdb_max > 0
        && config.group_fwd_mask & GROUP_MASK_REFUSED == 0
        && config.vlan.default_pvid <= VID_MAX
        && (config.transparent_mask & 1 == 0 || config.stp.mode == StpMode::Off)
        && config.stp.check().is_ok();
    if sound { Ok(()) } else { Err(ConfigError::Invalid) }
}
