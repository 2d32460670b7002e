//! What happens to a frame before anybody asks where it goes: is it let in, which VLAN is it in, does its source teach.
//!
//! The order is the kernel's (B2): an impossible source, the link-local groups, the state of the leg, the VLAN, the
//! lock, and only then learning, so that a frame that is turned away cannot spoil the table. What the host sends passes
//! none of it but the VLAN (B41): the kernel's bridge device hands its frames straight to the lookup.

use super::Plane;
use super::commit::Marks;
use super::deliver::End;
use super::fdb::Sight;
use super::flags::VlanProtocol;
use super::guard::flap::Flap;
use super::guard::source::Spoof;
use super::stp::{PortState, StpMode};
use super::tree::read_bpdu;
use super::vlan::Inside;
use super::{StationKind, VID_NONE, VlanConfig};
use crate::frame::{Headers, Passage};
use crate::time::Time;
use crate::trace::{Step, Trace, Unlearned};
use crate::verdict::Reason;

/// The answer at the door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    /// Whether it comes in.
    pub(super) gate: Gate,
    /// Its VLAN, if the bridge filters.
    pub(super) inside: Option<Inside>,
}

/// Whether a frame comes in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Gate {
    /// It was meant for the bridge.
    Consume,
    /// Somebody is to get it.
    Pass,
    /// It goes no further.
    Refuse(Reason),
    /// It goes no further, but is heard: the leg is learning (B16).
    Teach,
}

impl Admission {
    #[inline]
    fn refuse(reason: Reason) -> Self {
        Self { gate: Gate::Refuse(reason), inside: None }
    }
}

/// The VLAN id in the key of the FDB.
#[inline]
pub(super) fn vid(inside: Option<&Inside>) -> u16 {
    inside.map_or(VID_NONE, |inside| inside.tag.vid())
}

impl Plane {
    /// Judges the frame; changes nothing.
    #[inline(always)]
    pub(super) fn admit<'a>(
        &self,
        from: End<'_>,
        passage: &Passage<'a>,
        now: Time,
        marks: &mut Marks<'a>,
        trace: &mut Trace,
    ) -> Admission {
        let h = passage.headers;
        if !from.state.up {
            return Admission::refuse(Reason::IngressDown); // B16
        }
        if !from.state.is_host() {
            if !h.src.is_station() {
                return Admission::refuse(Reason::SourceInvalid); // B1
            }
            if now < from.state.silenced_until {
                return Admission::refuse(Reason::Quarantined);
            }
            if let Some(group) = h.dst.link_local()
                && !self.forwards_group(from, group)
            {
                return self.link_local(from, passage, now, marks, trace, group);
            }
            if !learns(from.state.tree) {
                return Admission::refuse(Reason::PortBlocking); // B16
            }
        }
        let inside = match self.inside(from, h) {
            Ok(inside) => inside,
            Err(reason) => return Admission::refuse(reason), // B52
        };
        if let Some(inside) = &inside {
            trace.note(Step::Vlan(inside.tag.vid()));
        }
        if from.state.is_host() {
            trace.note(Step::NotLearned(h.src, Unlearned::Host));
            return Admission { gate: Gate::Pass, inside };
        }
        // the sight is needed if the leg is locked, even where it may not teach
        let vid = vid(inside.as_ref());
        let sight = self.fdb.sight(vid, h.src, from.leg, now);
        if from.state.config.locked
            && let Some(reason) = self.lock(from, sight, now, marks)
        {
            return Admission { gate: Gate::Refuse(reason), inside };
        }
        if let Some(reason) = spoofs(from, passage) {
            return Admission { gate: Gate::Refuse(reason), inside };
        }
        if from.state.config.mac_limit > 0 && self.is_one_too_many(from, sight, now) {
            trace.note(Step::NotLearned(h.src, Unlearned::Limit));
            return Admission { gate: Gate::Refuse(Reason::MacLimit), inside };
        }
        marks.sight = self.teach(from, h, sight, trace);
        if self.is_flap(from, h, vid, now, marks) {
            return Admission { gate: Gate::Refuse(Reason::Quarantined), inside };
        }
        let gate = if from.state.tree == PortState::Learning { Gate::Teach } else { Gate::Pass }; // B16
        Admission { gate, inside }
    }

    /// Whether the source has moved once too often, so that the leg is not to be heard.
    #[inline]
    fn is_flap(&self, from: End<'_>, h: &Headers, vid: u16, now: Time, marks: &mut Marks<'_>) -> bool {
        matches!(marks.sight, Some(Sight::Move(..))) && self.flap(from, h, vid, now, marks)
    }

    #[cold]
    fn flap(&self, from: End<'_>, h: &Headers, vid: u16, now: Time, marks: &mut Marks<'_>) -> bool {
        marks.flap = self.flaps.judge(&self.config.flap, vid, h.src, from.leg, now);
        let silenced = matches!(marks.flap, Flap::Alarm { until, .. } if until > now);
        if silenced {
            // the station stays where it can be heard
            marks.sight = None;
        }
        silenced
    }

    /// The VLAN the frame is in; none where nobody filters (B50).
    #[inline(always)]
    fn inside(&self, from: End<'_>, h: &Headers) -> Result<Option<Inside>, Reason> {
        let VlanConfig { filtering, .. } = self.config.vlan;
        if filtering { self.vlans.classify(&self.config.vlan, from.leg, h.tag).map(Some) } else { Ok(None) }
    }

    /// Whether 01-80-C2-00-00-0n is forwarded like any group: BPDUs if there is no spanning tree to take them (B34),
    /// others by the masks (B37), PAUSE never (B35), and whatever the wire is transparent to.
    fn forwards_group(&self, from: End<'_>, group: u8) -> bool {
        let config = &self.config;
        let asked = from.state.config.group_fwd_mask | self.required_mask() | config.transparent_mask;
        let forwarded = match group {
            0 => asked,
            1 => config.transparent_mask,
            _ => asked | config.group_fwd_mask,
        };
        forwarded >> group & 1 == 1 || (group == 0 && config.stp.mode == StpMode::Off)
    }

    /// What a provider bridge forwards because it belongs to its customers (B39).
    fn required_mask(&self) -> u16 {
        match self.config.vlan {
            VlanConfig { filtering: true, protocol: VlanProtocol::Dot1ad, .. } => 0xb801,
            _ => 0,
        }
    }

    /// The last digit of the group that the bridge's own BPDUs are for (B39).
    pub(super) fn own_group(&self) -> u8 {
        if self.required_mask() == 0 { 0 } else { 8 }
    }

    /// The frame ends here, but teaches unless that is switched off, the leg does not learn, or its VLAN is not the
    /// leg's (B22), or it is a PAUSE (B35). The lock is not asked: this is how an 802.1X supplicant behind it is heard.
    #[cold]
    fn link_local(
        &self,
        from: End<'_>,
        passage: &Passage<'_>,
        now: Time,
        marks: &mut Marks<'_>,
        trace: &mut Trace,
        group: u8,
    ) -> Admission {
        let h = passage.headers;
        if let Some(reason) = spoofs(from, passage) {
            trace.note(Step::NotLearned(h.src, Unlearned::LinkLocal));
            return Admission::refuse(reason);
        }
        let mut admission = Admission::refuse(Reason::LinkLocal);
        let inside = self.inside(from, h);
        match inside {
            Ok(inside) if group != 1 && !self.config.no_linklocal_learn && learns(from.state.tree) => {
                admission.inside = inside;
                let vid = vid(inside.as_ref());
                let sight = self.fdb.sight(vid, h.src, from.leg, now);
                match self.is_one_too_many(from, sight, now) {
                    true => trace.note(Step::NotLearned(h.src, Unlearned::Limit)),
                    false => marks.sight = self.teach(from, h, sight, trace),
                }
                if self.is_flap(from, h, vid, now, marks) {
                    return Admission { gate: Gate::Refuse(Reason::Quarantined), ..admission };
                }
            }
            _ => trace.note(Step::NotLearned(h.src, Unlearned::LinkLocal)),
        }
        if group == self.own_group() && self.config.stp.mode != StpMode::Off && is_llc(h) {
            marks.bpdu = read_bpdu(passage).is_some();
            admission.gate = match marks.bpdu {
                true => Gate::Consume,
                false => Gate::Refuse(Reason::BpduMalformed),
            };
        }
        admission
    }

    /// Whether the leg has as many stations as it may have, and this would be another one.
    #[cold]
    fn is_one_too_many(&self, from: End<'_>, sight: Sight, now: Time) -> bool {
        let limit = from.state.config.mac_limit;
        limit > 0
            && matches!(sight, Sight::Move(..) | Sight::New(_))
            && !self.fdb.has_room_at(from.leg, limit, now)
    }

    /// Why a locked leg turns the frame away, if it does, and what is noted for whoever may let it in (B21).
    #[cold]
    fn lock(&self, from: End<'_>, sight: Sight, now: Time, marks: &mut Marks<'_>) -> Option<Reason> {
        let mab = from.state.config.mab && !self.fdb.forgets_at_once();
        match sight {
            Sight::Refresh(slot) if self.fdb.kind(slot) != StationKind::Locked => return None,
            Sight::New(_) | Sight::Refresh(_) if mab && !self.is_one_too_many(from, sight, now) => {
                (marks.sight, marks.kind) = (Some(sight), StationKind::Locked);
            }
            _ => {}
        }
        Some(Reason::Locked)
    }

    /// The sight if it is to be committed, with a note of what it means.
    #[inline(always)]
    fn teach(&self, from: End<'_>, h: &Headers, sight: Sight, trace: &mut Trace) -> Option<Sight> {
        let unlearned = match sight {
            _ if !from.state.config.learning => Unlearned::LearningOff, // B4
            _ if self.fdb.forgets_at_once() => Unlearned::AgeingZero,   // B14
            Sight::Own => Unlearned::OwnAddress,                        // B8
            Sight::Full => {
                trace.note(Step::NotLearned(h.src, Unlearned::Full));
                return Some(sight); // B19: counted
            }
            Sight::Move(_, before) => {
                trace.note(Step::Move(h.src, before));
                return Some(sight);
            }
            Sight::New(_) => {
                trace.note(Step::Learn(h.src));
                return Some(sight);
            }
            Sight::Refresh(_) => {
                trace.note(Step::Refresh(h.src));
                return Some(sight);
            }
            Sight::Stuck(_) => {
                trace.note(Step::NotLearned(h.src, Unlearned::Sticky));
                return Some(sight); // B7: seen, though it does not move
            }
        };
        trace.note(Step::NotLearned(h.src, unlearned));
        None
    }
}

/// Why the frame claims an address that may not be used at the leg, if it does.
#[inline]
fn spoofs(from: End<'_>, passage: &Passage<'_>) -> Option<Reason> {
    if from.state.guard.is_empty() {
        return None;
    }
    from.state.guard.check(passage).err().map(|spoof| match spoof {
        Spoof::Ip => Reason::SourceIpGuard,
        Spoof::Mac => Reason::SourceMacGuard,
    })
}

/// Whether the frame is of the kind that BPDUs are: 802.3 with a length, and in no VLAN (`llc_rcv`).
fn is_llc(h: &Headers) -> bool {
    h.ether_type < 1536 && h.tag.is_none()
}

/// Whether frames may teach in that state (B16).
#[inline]
fn learns(state: PortState) -> bool {
    matches!(state, PortState::Forwarding | PortState::Learning)
}
