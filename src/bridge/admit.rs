//! What happens to a frame before anybody asks where it goes: is it let in, and does its source teach.
//!
//! The order is the kernel's (B2): an impossible source, the link-local groups, the state of the leg, the lock, and
//! only then learning, so that a frame that is turned away cannot spoil the table. What the host sends passes none of
//! it (B41): the kernel's bridge device hands its frames straight to the lookup.

use super::BridgeConfig;
use super::deliver::End;
use super::fdb::{Fdb, Sight};
use crate::frame::Headers;
use crate::time::Time;
use crate::trace::{Step, Trace, Unlearned};
use crate::verdict::Reason;

/// The answer at the door.
#[derive(Clone, Copy, Debug)]
pub(super) struct Admission {
    /// What the source's sight means to the table; nothing if it does not teach.
    pub(super) sight: Option<Sight>,
    /// Why the frame goes no further.
    pub(super) refusal: Option<Reason>,
}

impl Admission {
    const fn refuse(reason: Reason) -> Self {
        Self { sight: None, refusal: Some(reason) }
    }
}

/// Judges the frame; changes nothing.
#[inline(always)]
pub(super) fn admit(
    config: &BridgeConfig,
    fdb: &Fdb,
    from: End<'_>,
    h: &Headers,
    now: Time,
    trace: &mut Trace,
) -> Admission {
    if !from.state.up {
        return Admission::refuse(Reason::IngressDown); // B16
    }
    if from.state.is_host() {
        trace.note(Step::NotLearned(h.src, Unlearned::Host));
        return Admission { sight: None, refusal: None };
    }
    if !h.src.is_station() {
        return Admission::refuse(Reason::SourceInvalid); // B1
    }
    if let Some(group) = h.dst.link_local()
        && !forwards_group(config, from, group)
    {
        return link_local(config, fdb, from, h, now, trace, group);
    }
    // the sight is needed if the leg is locked, even where it may not teach
    let sight = fdb.sight(super::VID_NONE, h.src, from.leg, now);
    if from.state.config.locked && !matches!(sight, Sight::Refresh(_)) {
        return Admission::refuse(Reason::Locked); // B21
    }
    Admission { sight: teach(fdb, from, h, sight, trace), refusal: None }
}

/// Whether 01-80-C2-00-00-0n is forwarded like any group: BPDUs because there is no spanning tree to take them (B34),
/// others by the masks (B37), PAUSE never (B35).
fn forwards_group(config: &BridgeConfig, from: End<'_>, group: u8) -> bool {
    match group {
        0 => true,
        1 => false,
        _ => (config.group_fwd_mask | from.state.config.group_fwd_mask) >> group & 1 == 1,
    }
}

/// The frame ends here, but teaches unless that is switched off (B22) or it is a PAUSE (B35). The lock is not asked:
/// this is how an 802.1X supplicant behind it is heard.
#[cold]
fn link_local(
    config: &BridgeConfig,
    fdb: &Fdb,
    from: End<'_>,
    h: &Headers,
    now: Time,
    trace: &mut Trace,
    group: u8,
) -> Admission {
    let sight = if group == 1 || config.no_linklocal_learn {
        trace.note(Step::NotLearned(h.src, Unlearned::LinkLocal));
        None
    } else {
        let sight = fdb.sight(super::VID_NONE, h.src, from.leg, now);
        teach(fdb, from, h, sight, trace)
    };
    Admission { sight, refusal: Some(Reason::LinkLocal) }
}

/// The sight if it is to be committed, with a note of what it means.
#[inline(always)]
fn teach(fdb: &Fdb, from: End<'_>, h: &Headers, sight: Sight, trace: &mut Trace) -> Option<Sight> {
    let unlearned = match sight {
        _ if !from.state.config.learning => Unlearned::LearningOff, // B4
        _ if fdb.forgets_at_once() => Unlearned::AgeingZero,        // B14
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
