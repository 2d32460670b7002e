//! Stations that the user sets, removes, or wants to see.

use crate::bridge::fdb::Place;
use crate::bridge::{Bridge, ConfigError, Event, Outbox, Sighting, StationEntry, StationKind};
use crate::frame::LegIndex;
use crate::time::Time;
use crate::wire::mac::Mac;

impl Bridge {
    /// Sets a station by hand (B10): over a learned entry, not over another set one. Without a VLAN it is set for all
    /// that the leg is in now, and for none (B58).
    pub fn add_station(
        &mut self,
        mac: Mac,
        vlan: Option<u16>,
        leg: LegIndex,
        kind: StationKind,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        self.plane.state(leg)?;
        if !mac.is_station() || kind.ages() {
            return Err(ConfigError::Invalid);
        }
        let vids: Vec<u16> = match vlan {
            Some(vid) if self.plane.vlans.contains(vid, leg) => vec![vid],
            Some(_) => return Err(ConfigError::Invalid),
            None => std::iter::once(0).chain(self.plane.vlans.of(leg).map(|entry| entry.vid)).collect(),
        };
        let set = |vid: &u16| self.plane.fdb.lookup(*vid, mac, now).is_some_and(|place| !place.kind.ages());
        if vids.iter().any(set) {
            return Err(ConfigError::Exists);
        }
        for vid in &vids {
            let gone = |sighting| out.tell(Event::Forgotten(sighting));
            if !self.plane.fdb.set(*vid, mac, Place { leg, kind }, now, gone) {
                vids.iter().take_while(|done| *done != vid).for_each(|done| {
                    self.plane.fdb.unset(*done, mac, kind);
                });
                return Err(ConfigError::Full);
            }
        }
        vids.into_iter().for_each(|vid| out.tell(Event::Learned(Sighting { mac, vid, leg, kind })));
        Ok(())
    }

    /// Removes a station, learned or set by hand, wherever it has moved to since (B6); without a VLAN from all of them. The
    /// host's own address stays.
    pub fn remove_station(
        &mut self,
        mac: Mac,
        vlan: Option<u16>,
        kind: StationKind,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        if kind == StationKind::Local && self.plane.hosts().any(|(_, host)| host == mac) {
            return Err(ConfigError::Unknown);
        }
        let mut found = false;
        self.plane.forget(out, |s| {
            let meant = (s.mac, s.kind) == (mac, kind) && vlan.is_none_or(|vid| s.vid == vid);
            found |= meant;
            meant
        });
        if found { Ok(()) } else { Err(ConfigError::Unknown) }
    }

    /// Forgets what was learned: behind one leg, in one VLAN, or everywhere (B20).
    pub fn flush(&mut self, leg: Option<LegIndex>, vid: Option<u16>, out: &mut Outbox) {
        self.plane.forget_learned(leg, vid, out);
    }

    /// The FDB's entries that are valid now, in the order of VLAN and address.
    pub fn stations(&self, now: Time) -> Vec<StationEntry> {
        self.plane.fdb.stations(now)
    }
}
