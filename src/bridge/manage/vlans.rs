//! Legs join and leave VLANs.

use crate::bridge::deliver::End;
use crate::bridge::fdb::Place;
use crate::bridge::group::tell;
use crate::bridge::vlan::VID_MAX;
use crate::bridge::{Bridge, ConfigError, Event, Outbox, Plane, StationKind, VlanEntry};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::mac::Mac;

impl Bridge {
    /// Puts the leg into a VLAN, or changes how it is in it (B51 to B56). A host is then known in that VLAN, too (B60).
    pub fn add_vlan(
        &mut self,
        leg: LegIndex,
        entry: VlanEntry,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        self.plane.state(leg)?;
        if !(1..=VID_MAX).contains(&entry.vid) {
            return Err(ConfigError::Invalid); // B56
        }
        self.plane.vlans.add(leg, entry);
        self.plane.settle_host(now, out);
        Ok(())
    }

    /// Takes the leg out of a VLAN. What was learned there in it, and the host's own entry, is forgotten (B61).
    pub fn remove_vlan(&mut self, leg: LegIndex, vid: u16, out: &mut Outbox) -> Result<(), ConfigError> {
        self.plane.state(leg)?;
        if !self.plane.vlans.remove(leg, vid) {
            return Err(ConfigError::Unknown);
        }
        self.plane.multicast.remove_vlan(leg, vid, &mut |effect| tell(out, effect));
        self.plane.neighbours.retain(|of, at| (of, at) != (vid, leg));
        self.plane
            .forget(out, |s| (s.leg, s.vid) == (leg, vid) && (s.kind.ages() || s.kind == StationKind::Local));
        Ok(())
    }

    /// The leg's VLANs, in ascending order.
    pub fn vlans(&self, leg: LegIndex) -> Vec<VlanEntry> {
        self.plane.vlans.of(leg).collect()
    }

    /// Legs that are in the default VLAN because they were put there move to the new one (`br_vlan_set_default_pvid`).
    pub(super) fn move_default_pvid(&mut self, before: u16, now: Time, out: &mut Outbox) {
        let legs: Vec<LegIndex> = self.plane.ends().map(|End { leg, .. }| leg).collect();
        for leg in legs {
            let untouched = VlanEntry { vid: before, pvid: true, untagged: true };
            let new = self.plane.config.vlan.default_pvid;
            let stays = before != 0 && self.plane.vlans.entry(leg, before) != Some(untouched);
            if stays || self.plane.vlans.entry(leg, new).is_some() {
                continue;
            }
            self.plane.join_default(leg);
            if before != 0 {
                // it was looked up just now
                let _ = self.remove_vlan(leg, before, out);
            }
        }
        self.plane.settle_host(now, out);
    }
}

impl Plane {
    /// Puts a leg where new ones go (B51), unless it has that VLAN already.
    pub(super) fn join_default(&mut self, leg: LegIndex) {
        let vid = self.config.vlan.default_pvid;
        if vid != 0 && self.vlans.entry(leg, vid).is_none() {
            self.vlans.add(leg, VlanEntry { vid, pvid: true, untagged: true });
        }
    }

    /// Gives the host its local entry in one VLAN, whatever was known of the address (B11).
    pub(super) fn settle(&mut self, leg: LegIndex, vid: u16, mac: Mac, now: Time, out: &mut Outbox) {
        let known = self.fdb.lookup(vid, mac, now);
        if known.is_none_or(|place| place.kind != StationKind::Local) {
            let gone = |sighting| out.tell(Event::Forgotten(sighting));
            self.fdb.set(vid, mac, Place { leg, kind: StationKind::Local }, now, gone);
        }
    }
}
