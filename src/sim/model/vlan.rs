//! VLANs as the behaviours tell them (B50 to B61).

use super::bridge::{Bridge, Leg};
use super::frame::Packet;
use crate::bridge::VlanEntry;
use crate::frame::Tag;
use crate::verdict::Reason;

impl Leg {
    pub(super) fn vlan(&self, vid: u16) -> Option<&VlanEntry> {
        self.vlans.iter().find(|entry| entry.vid == vid)
    }

    /// Joins, or changes how it is in the VLAN. One PVID at a time; the last word counts, also if it is "none" (B54).
    pub(super) fn join(&mut self, entry: VlanEntry) {
        self.vlans.retain(|old| old.vid != entry.vid);
        if entry.pvid {
            self.vlans.iter_mut().for_each(|old| old.pvid = false);
        }
        self.vlans.push(entry);
    }

    /// New legs are put there (B51).
    pub(super) fn join_default(&mut self, vid: u16) {
        if vid != 0 {
            self.join(VlanEntry { vid, pvid: true, untagged: true });
        }
    }
}

impl Bridge {
    /// The VLAN of a frame that enters at that leg, 0 if nobody filters.
    pub(super) fn classify(&self, ingress: &Leg, packet: &Packet) -> Result<u16, Reason> {
        if !self.config.vlan.filtering {
            return Ok(0); // B50
        }
        let tpid = self.config.vlan.protocol.tpid();
        let own = packet.tag().filter(|tag| tag.tpid == tpid); // B57: others are payload
        let pvid = ingress.vlans.iter().find(|entry| entry.pvid).map(|entry| entry.vid);
        let vid = match own {
            Some(tag) if tag.vid() != 0 => tag.vid(),
            _ => pvid.ok_or(Reason::VlanIngress)?, // B52, B53
        };
        ingress.vlan(vid).map(|_| vid).ok_or(Reason::VlanIngress)
    }

    /// The frame as it leaves through that leg (B53, B55).
    pub(super) fn egress(&self, egress: &Leg, vid: u16, mut packet: Packet) -> Result<Packet, Reason> {
        if !self.config.vlan.filtering {
            return Ok(packet);
        }
        let tpid = self.config.vlan.protocol.tpid();
        let own = packet.tag().filter(|tag| tag.tpid == tpid);
        let untagged = egress.vlan(vid).is_some_and(|entry| entry.untagged);
        match own {
            // as it came
            Some(tag) if !untagged && tag.vid() == vid => return Ok(packet),
            Some(_) => packet.pop(),
            None => {}
        }
        if !untagged {
            let priority = own.map_or(0, |tag| tag.tci & 0xf000);
            packet.push(Tag { tpid, tci: priority | vid })?;
        }
        Ok(packet)
    }

    /// Bytes that an MTU limits (B47): a tag that the kernel takes for one is not among them. With filtering that is one
    /// of the bridge's protocol.
    pub(super) fn limited_len(&self, packet: &Packet) -> usize {
        let vlan = &self.config.vlan;
        let counts = |tag: Tag| vlan.filtering && tag.tpid != vlan.protocol.tpid();
        packet.len() - packet.tag().filter(|tag| !counts(*tag)).map_or(0, |_| 4)
    }

    /// Every leg that is in the default VLAN as it was put there moves on; those in none are put there, if there was none
    /// (B51).
    pub(super) fn move_default(&mut self, before: u16) {
        let new = self.config.vlan.default_pvid;
        for at in 0..self.legs.len() {
            let leg = &mut self.legs[at];
            let untouched = leg.vlan(before).is_some_and(|entry| entry.pvid && entry.untagged);
            if (before != 0 && !untouched) || leg.vlan(new).is_some() {
                continue;
            }
            leg.join_default(new);
            let behind = leg.behind;
            if before != 0 {
                self.leave(behind, before);
            }
        }
    }
}
