//! Legs come, go, change their settings, and lose their carrier.

use crate::bridge::deliver::LegState;
use crate::bridge::group::tell;
use crate::bridge::{
    Bridge, ConfigError, Event, LegConfig, Neighbourly, Outbox, Plane, PortState, Promiscuous, Role,
    Sighting, StationKind, StpMode,
};
use crate::frame::{LEGS_MAX, LegIndex};
use crate::time::Time;
use crate::verdict::{DropCounters, LegSet};
use crate::wire::mac::Mac;

/// The bit of a port's `group_fwd_mask` that the kernel refuses (B37).
const GROUP_MASK_REFUSED: u16 = 0b010;

impl Bridge {
    /// A new leg, up, on the first free place, in the default VLAN (B51). A host's address becomes a local entry,
    /// whatever was known of it (B11).
    pub fn attach(
        &mut self,
        config: LegConfig,
        now: Time,
        out: &mut Outbox,
    ) -> Result<LegIndex, ConfigError> {
        check(&config, self.plane.config.stp.mode)?;
        let free = self.plane.legs.iter().position(Option::is_none);
        let index = free.unwrap_or(self.plane.legs.len());
        if index >= LEGS_MAX {
            return Err(ConfigError::Full);
        }
        if free.is_none() {
            self.plane.legs.push(None);
            self.withheld.push(DropCounters::default());
            self.plane.passes.make_room(index + 1);
        }
        let leg = LegIndex(index as u16);
        self.plane.legs[index] = Some(LegState::new(config));
        self.withheld[index] = DropCounters::default();
        self.plane.fdb.attach(leg);
        self.plane.join_tree(leg, now, out);
        self.plane.join_groups(leg, now, out);
        self.plane.join_default(leg);
        self.plane.take_stock();
        self.plane.settle_host(now, out);
        Ok(leg)
    }

    /// The leg goes, and every station behind it, those that the user set too (B18).
    pub fn detach(&mut self, leg: LegIndex, now: Time, out: &mut Outbox) -> Result<(), ConfigError> {
        let config = self.plane.state(leg)?.config;
        self.plane.unsettle_host(&config);
        self.plane.leave_tree(leg, now, out);
        self.plane.multicast.detach(leg, now, &mut |effect| tell(out, effect));
        self.plane.neighbours.retain(|_, at| at != leg);
        self.plane.legs[usize::from(leg.0)] = None;
        for state in self.plane.legs.iter_mut().flatten() {
            state.backup = state.backup.filter(|backup| *backup != leg);
        }
        self.plane.forget(out, |sighting| sighting.leg == leg);
        let vids: Vec<u16> = self.plane.vlans.of(leg).map(|entry| entry.vid).collect();
        for vid in vids {
            self.plane.vlans.remove(leg, vid);
        }
        self.plane.take_stock();
        self.plane.settle_host(now, out);
        Ok(())
    }

    /// New settings for a leg. What it taught stays, unless it is the host now, who is never learned (B41), or was only
    /// waiting to be let in (B21).
    pub fn configure_leg(
        &mut self,
        leg: LegIndex,
        config: LegConfig,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        check(&config, self.plane.config.stp.mode)?;
        let state = self.plane.state(leg)?;
        let before = std::mem::replace(&mut state.config, config);
        if (before.role, before.mac) != (config.role, config.mac) {
            self.plane.unsettle_host(&before);
            self.plane.settle_host(now, out);
        }
        if before.role != config.role {
            self.plane.forget_learned(Some(leg), None, out);
            self.plane.leave_tree(leg, now, out);
            self.plane.join_tree(leg, now, out);
            self.plane.join_groups(leg, now, out);
        } else if before.multicast != config.multicast {
            self.plane.multicast.configure_leg(leg, config.multicast, now, &mut |effect| tell(out, effect));
        }
        if before.stp != config.stp {
            self.plane.grow(now, out, |tree, effects| {
                tree.configure_leg(leg, config.stp, now, &mut |effect| effects.take(effect));
            });
        }
        if before.mab && !config.mab {
            self.plane.forget(out, |s| s.leg == leg && s.kind == StationKind::Locked);
        }
        self.plane.take_stock();
        Ok(())
    }

    /// The leg can carry frames, or no longer: then what was learned there is forgotten at once (B17), unless another
    /// leg stands in for it (B30).
    pub fn set_up(
        &mut self,
        leg: LegIndex,
        up: bool,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        let state = self.plane.state(leg)?;
        state.up = up;
        if !up && state.backup.is_none() {
            self.plane.forget_learned(Some(leg), None, out);
        }
        self.plane.grow(now, out, |tree, effects| {
            tree.set_up(leg, up, now, &mut |effect| effects.take(effect));
        });
        self.plane.multicast.set_up(leg, up, now, &mut |effect| tell(out, effect));
        self.plane.neighbours.retain(|_, at| up || at != leg);
        Ok(())
    }

    /// Where frames go that are for stations behind a leg which is down (B30). The two must be different.
    pub fn set_backup(&mut self, leg: LegIndex, backup: Option<LegIndex>) -> Result<(), ConfigError> {
        if backup == Some(leg) {
            return Err(ConfigError::Invalid);
        }
        if let Some(backup) = backup {
            self.plane.state(backup)?;
        }
        self.plane.state(leg)?.backup = backup;
        Ok(())
    }
}

impl Plane {
    /// A leg, to be changed.
    pub(super) fn state(&mut self, leg: LegIndex) -> Result<&mut LegState, ConfigError> {
        self.passes.forget();
        self.legs.get_mut(usize::from(leg.0)).and_then(Option::as_mut).ok_or(ConfigError::Unknown)
    }

    /// A leg takes part in the spanning tree, unless it is the host's: no loop leads through the host.
    fn join_tree(&mut self, leg: LegIndex, now: Time, out: &mut Outbox) {
        let Ok(state) = self.state(leg) else { return };
        if state.is_host() {
            state.tree = PortState::Forwarding;
            return;
        }
        let (config, up) = (state.config.stp, state.up);
        self.grow(now, out, |tree, effects| {
            tree.attach(leg, config, up, now, &mut |effect| effects.take(effect));
        });
    }

    /// A leg is snooped at; it is up.
    fn join_groups(&mut self, leg: LegIndex, now: Time, out: &mut Outbox) {
        let Ok(state) = self.state(leg) else { return };
        let (config, host, up) = (state.config.multicast, state.is_host(), state.up);
        self.multicast.attach(leg, config, host, now, &mut |effect| tell(out, effect));
        if !up {
            self.multicast.set_up(leg, false, now, &mut |effect| tell(out, effect));
        }
    }

    fn leave_tree(&mut self, leg: LegIndex, now: Time, out: &mut Outbox) {
        self.grow(now, out, |tree, effects| tree.detach(leg, now, &mut |effect| effects.take(effect)));
    }

    /// Forgets the stations that are meant, and tells whoever watches.
    pub(super) fn forget(&mut self, out: &mut Outbox, mut meant: impl FnMut(&Sighting) -> bool) {
        self.fdb.retain(|sighting| {
            let stays = !meant(&sighting);
            if !stays {
                out.tell(Event::Forgotten(sighting));
            }
            stays
        });
    }

    /// Forgets what was learned: behind one leg, in one VLAN, or everywhere.
    pub(super) fn forget_learned(&mut self, leg: Option<LegIndex>, vid: Option<u16>, out: &mut Outbox) {
        self.forget(out, |s| {
            s.kind.ages() && leg.is_none_or(|leg| s.leg == leg) && vid.is_none_or(|vid| s.vid == vid)
        });
    }

    /// The legs that are the host, with their addresses.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (LegIndex, Mac)> {
        self.ends().filter(|end| end.state.is_host()).filter_map(|end| Some((end.leg, end.state.config.mac?)))
    }

    /// Removes the local entries of what was the host.
    fn unsettle_host(&mut self, before: &LegConfig) {
        if let (Role::Host, Some(mac)) = (before.role, before.mac) {
            self.fdb.retain(|s| s.kind != StationKind::Local || s.mac != mac);
        }
    }

    /// Gives every host its local entries, one for each VLAN it is in and one for no VLAN: of two hosts with one address
    /// the first has it (B18).
    pub(super) fn settle_host(&mut self, now: Time, out: &mut Outbox) {
        let hosts: Vec<_> = self.hosts().collect();
        for (leg, mac) in hosts {
            let vids: Vec<u16> =
                std::iter::once(0).chain(self.vlans.of(leg).map(|entry| entry.vid)).collect();
            for vid in vids {
                self.settle(leg, vid, mac, now, out);
            }
        }
    }

    /// Notes what no leg asks for, so that no frame need ask.
    fn take_stock(&mut self) {
        let any = |wanted: fn(&LegConfig) -> bool| self.ends().any(|end| wanted(&end.state.config));
        let neighbourly =
            Neighbourly { proxy: any(|leg| leg.proxy_arp), suppression: any(|leg| leg.neigh_suppress) };
        let watching = |config: &LegConfig| config.promiscuous == Promiscuous::Monitor;
        let mirrors: LegSet =
            self.ends().filter(|end| watching(&end.state.config)).map(|end| end.leg).collect();
        if neighbourly == Neighbourly::default() {
            self.neighbours.retain(|_, _| false);
        }
        (self.neighbourly, self.mirrored, self.mirrors) = (neighbourly, !mirrors.is_empty(), mirrors);
        self.passes.forget();
    }
}

fn check(config: &LegConfig, mode: StpMode) -> Result<(), ConfigError> {
    let sound = config.group_fwd_mask & GROUP_MASK_REFUSED == 0
        && config.mac.is_none_or(Mac::is_station)
        // the kernel wants the same (br_netlink.c): an entry that nobody may learn cannot be locked
        && (!config.mab || (config.locked && config.learning))
        && config.stp.check(mode).is_ok();
    if sound { Ok(()) } else { Err(ConfigError::Invalid) }
}
