//! What of a leg is a list: who may send there, and which groups the user put it into.

use std::net::IpAddr;

use crate::bridge::group::tell_whose;
use crate::bridge::guard::source::PermitError;
use crate::bridge::multicast::{Effect, EntryError};
use crate::bridge::{Bridge, ConfigError, Group, Outbox, Permit};
use crate::frame::LegIndex;
use crate::time::Time;

impl Bridge {
    /// Permits a source; with the first of them, no other may send there any more.
    pub fn add_permit(&mut self, leg: LegIndex, permit: Permit) -> Result<(), ConfigError> {
        self.plane.state(leg)?.guard.add(permit).map_err(|error| match error {
            PermitError::Exists => ConfigError::Exists,
            PermitError::Full => ConfigError::Full,
            PermitError::Invalid => ConfigError::Invalid,
        })
    }

    /// Permits it no more; without any permit everybody may send.
    pub fn remove_permit(&mut self, leg: LegIndex, permit: Permit) -> Result<(), ConfigError> {
        let found = self.plane.state(leg)?.guard.remove(permit);
        if found { Ok(()) } else { Err(ConfigError::Unknown) }
    }

    /// Puts a leg into a group for good, as `bridge mdb add … permanent` (B74).
    pub fn add_group(
        &mut self,
        leg: LegIndex,
        vid: u16,
        group: IpAddr,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        self.plane.state(leg)?;
        if vid != 0 && !self.plane.vlans.contains(vid, leg) {
            return Err(ConfigError::Invalid);
        }
        let group = Group::Ip(group);
        let tell = &mut |effect: Effect<'_>| tell_whose(out, effect, true);
        let added = self.plane.multicast.add_entry(leg, vid, group, None, now, tell);
        added.map_err(|error| match error {
            EntryError::Full => ConfigError::Full,
            EntryError::Group | EntryError::Source => ConfigError::Invalid,
            EntryError::Leg => ConfigError::Unknown,
        })
    }

    /// Takes the leg out of the group again, for whatever reason it was in it.
    pub fn remove_group(
        &mut self,
        leg: LegIndex,
        vid: u16,
        group: IpAddr,
        now: Time,
        out: &mut Outbox,
    ) -> Result<(), ConfigError> {
        self.plane.state(leg)?;
        let group = Group::Ip(group);
        let tell = &mut |effect: Effect<'_>| tell_whose(out, effect, true);
        let found = self.plane.multicast.remove_entry(leg, vid, group, None, now, tell);
        if found { Ok(()) } else { Err(ConfigError::Unknown) }
    }
}
