//! Everything about a bridge that is not forwarding: its legs come and go, settings change, the user sets stations,
//! time passes, and somebody wants to know what it has done.
//!
//! Nothing here is on the path of a frame, so it may allocate and may look at the whole table.

use super::deliver::LegState;
use super::fdb::{Fdb, Place, Sight};
use super::{Bridge, BridgeConfig, LegConfig, Plane, Role, StationEntry, StationKind, VID_NONE};
use crate::frame::{LEGS_MAX, LegIndex};
use crate::time::Time;
use crate::verdict::{DropCounters, Reason, Verdict};
use crate::wire::mac::Mac;

/// Bits of a bridge's `group_fwd_mask` that the kernel refuses (B37).
const GROUP_MASK_REFUSED: u16 = 0b111;
/// The bit of a port's `group_fwd_mask` that the kernel refuses (B37).
const LEG_GROUP_MASK_REFUSED: u16 = 0b010;

/// What a bridge has done with frames and stations since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BridgeCounters {
    /// Frames that came in: the sum of the next three.
    pub received: u64,
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
            Verdict::Drop(reason) => self.drops.count(*reason),
            Verdict::Flood(_) => self.flooded += 1,
            Verdict::Forward(_) => self.forwarded += 1,
            // a bridge is nobody's destination, and keeps nothing
            Verdict::Consume | Verdict::Park => {}
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
    /// A bridge without legs. `hash_key` keys its table.
    pub fn new(config: BridgeConfig, hash_key: [u64; 2]) -> Result<Self, ConfigError> {
        check(&config)?;
        let fdb = Fdb::new(hash_key, config.ageing, config.fdb_max);
        let plane = Plane { config, fdb, legs: Vec::new() };
        Ok(Self { plane, withheld: Vec::new(), counters: BridgeCounters::default() })
    }

    /// New settings; what was learned stays, as long as it is not older than they allow.
    pub fn configure(&mut self, config: BridgeConfig, now: Time) -> Result<(), ConfigError> {
        check(&config)?;
        // a longer ageing time must not bring back what has expired already and was only not swept yet
        self.plane.fdb.sweep(now, usize::MAX);
        self.plane.config = config;
        self.plane.fdb.configure(config.ageing, config.fdb_max);
        Ok(())
    }

    /// A new leg, up, on the first free place. A host's address becomes a local entry, whatever was known of it (B11).
    pub fn attach(&mut self, config: LegConfig, now: Time) -> Result<LegIndex, ConfigError> {
        check_leg(&config)?;
        let free = self.plane.legs.iter().position(Option::is_none);
        let index = free.unwrap_or(self.plane.legs.len());
        if index >= LEGS_MAX {
            return Err(ConfigError::Full);
        }
        if free.is_none() {
            self.plane.legs.push(None);
            self.withheld.push(DropCounters::default());
        }
        let leg = LegIndex(index as u16);
        self.plane.legs[index] = Some(LegState { config, up: true });
        self.withheld[index] = DropCounters::default();
        self.plane.settle_host(now);
        Ok(leg)
    }

    /// The leg goes, and every station behind it, those that the user set too (B18).
    pub fn detach(&mut self, leg: LegIndex, now: Time) -> Result<(), ConfigError> {
        let config = self.plane.state(leg)?.config;
        self.plane.legs[usize::from(leg.0)] = None;
        self.plane.fdb.retain(|place| place.leg != leg);
        self.plane.unsettle_host(&config);
        self.plane.settle_host(now);
        Ok(())
    }

    /// New settings for a leg. What it taught stays, unless it is the host now, who is never learned (B41).
    pub fn configure_leg(&mut self, leg: LegIndex, config: LegConfig, now: Time) -> Result<(), ConfigError> {
        check_leg(&config)?;
        let state = self.plane.state(leg)?;
        let before = std::mem::replace(&mut state.config, config);
        if (before.role, before.mac) != (config.role, config.mac) {
            self.plane.unsettle_host(&before);
            self.plane.settle_host(now);
        }
        if before.role != config.role {
            self.plane.forget_learned(Some(leg));
        }
        Ok(())
    }

    /// The leg can carry frames, or no longer: then what was learned there is forgotten at once (B17).
    pub fn set_up(&mut self, leg: LegIndex, up: bool) -> Result<(), ConfigError> {
        self.plane.state(leg)?.up = up;
        if !up {
            self.plane.forget_learned(Some(leg));
        }
        Ok(())
    }

    /// Sets a station by hand (B10): over a learned entry, not over another set one.
    pub fn add_station(
        &mut self,
        mac: Mac,
        leg: LegIndex,
        kind: StationKind,
        now: Time,
    ) -> Result<(), ConfigError> {
        self.plane.state(leg)?;
        if !mac.is_station() || kind == StationKind::Learned {
            return Err(ConfigError::Invalid);
        }
        let known = self.plane.fdb.lookup(VID_NONE, mac, now);
        if known.is_some_and(|place| place.kind != StationKind::Learned) {
            return Err(ConfigError::Exists);
        }
        let room = self.plane.fdb.set(VID_NONE, mac, Place { leg, kind }, now);
        if room { Ok(()) } else { Err(ConfigError::Full) }
    }

    /// Removes a station set by hand, wherever it has moved to since (B6). The host's own address is not one.
    pub fn remove_station(&mut self, mac: Mac, kind: StationKind) -> Result<(), ConfigError> {
        if kind == StationKind::Learned || self.plane.hosts().any(|(_, host)| host == mac) {
            return Err(ConfigError::Unknown);
        }
        let found = self.plane.fdb.unset(VID_NONE, mac, kind);
        if found { Ok(()) } else { Err(ConfigError::Unknown) }
    }

    /// Forgets what was learned: behind one leg, or everywhere (B20).
    pub fn flush(&mut self, leg: Option<LegIndex>) {
        self.plane.forget_learned(leg);
    }

    /// Gives back the memory of up to `budget` expired stations; says how many there were.
    pub fn sweep(&mut self, now: Time, budget: usize) -> usize {
        self.plane.fdb.sweep(now, budget)
    }

    /// When the next station expires.
    pub fn deadline(&self) -> Option<Time> {
        self.plane.fdb.deadline()
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

    /// The FDB's entries that are valid now, in the order of their addresses.
    pub fn stations(&self, now: Time) -> Vec<StationEntry> {
        self.plane.fdb.stations(now)
    }
}

impl Plane {
    fn state(&mut self, leg: LegIndex) -> Result<&mut LegState, ConfigError> {
        self.legs.get_mut(usize::from(leg.0)).and_then(Option::as_mut).ok_or(ConfigError::Unknown)
    }

    fn forget_learned(&mut self, leg: Option<LegIndex>) {
        let concerned = |place: &Place| leg.is_none_or(|leg| place.leg == leg);
        self.fdb.retain(|place| place.kind != StationKind::Learned || !concerned(&place));
    }

    /// The legs that are the host, with their addresses.
    fn hosts(&self) -> impl Iterator<Item = (LegIndex, Mac)> {
        self.ends().filter(|end| end.state.is_host()).filter_map(|end| Some((end.leg, end.state.config.mac?)))
    }

    /// Removes the local entry of what was the host.
    fn unsettle_host(&mut self, before: &LegConfig) {
        if let (Role::Host, Some(mac)) = (before.role, before.mac) {
            self.fdb.unset(VID_NONE, mac, StationKind::Local);
        }
    }

    /// Gives every host its local entry: of two hosts with one address the first (B18).
    fn settle_host(&mut self, now: Time) {
        let hosts: Vec<_> = self.hosts().collect();
        for (leg, mac) in hosts {
            let known = self.fdb.lookup(VID_NONE, mac, now);
            if known.is_none_or(|place| place.kind != StationKind::Local) {
                self.fdb.set(VID_NONE, mac, Place { leg, kind: StationKind::Local }, now);
            }
        }
    }
}

fn check(config: &BridgeConfig) -> Result<(), ConfigError> {
    let sound = config.fdb_max > 0 && config.group_fwd_mask & GROUP_MASK_REFUSED == 0;
    if sound { Ok(()) } else { Err(ConfigError::Invalid) }
}

fn check_leg(config: &LegConfig) -> Result<(), ConfigError> {
    let sound = config.group_fwd_mask & LEG_GROUP_MASK_REFUSED == 0 && config.mac.is_none_or(Mac::is_station);
    if sound { Ok(()) } else { Err(ConfigError::Invalid) }
}
