//! Whether a frame may leave through a leg: one predicate, for every frame and every leg.

use super::{LegConfig, Promiscuous, Role};
use crate::frame::{Headers, LegIndex};
use crate::trace::Cast;
use crate::verdict::Reason;

/// What the kernel lets pass above the MTU: room for a VLAN tag, wanted or not (B47).
const MTU_SLACK: u32 = 4;

/// A leg as the bridge sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LegState {
    pub(super) config: LegConfig,
    pub(super) up: bool,
}

impl LegState {
    #[inline]
    pub(super) fn is_host(&self) -> bool {
        self.config.role == Role::Host
    }
}

/// One end of a passage through the bridge.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub(super) leg: LegIndex,
    pub(super) state: &'a LegState,
}

/// Whether a frame that entered at `from` may leave through `to`: flooded there as a `flood`, or because its
/// destination is there.
///
/// [`Reason::SamePort`] and [`Reason::NoPort`] mean that `to` was never meant; every other reason is somebody's
/// decision or somebody's limit. The host is the bridge itself to the kernel, hence not subject to what ports are:
/// isolation (B29, B41), an MTU on the way out (B47), flags (B24, B25), and it gets no unknown unicast (B23).
#[inline]
pub(super) fn may_deliver(
    from: End<'_>,
    to: End<'_>,
    h: &Headers,
    flood: Option<Cast>,
) -> Result<(), Reason> {
    let (sender, receiver) = (&from.state.config, &to.state.config);
    let host = to.state.is_host();
    if from.leg == to.leg && (!receiver.hairpin || host) {
        return Err(Reason::SamePort); // B27, B28
    }
    if host && flood == Some(Cast::UnknownUnicast) {
        return Err(Reason::NoPort); // B23
    }
    if !to.state.up {
        return Err(Reason::EgressDown); // B30
    }
    if host {
        return Ok(());
    }
    // B26: what the host sends to groups is flooded whatever the flags; unknown unicast is not
    let from_host = from.state.is_host();
    match flood {
        Some(Cast::Broadcast) if !receiver.bcast_flood && !from_host => {
            return Err(Reason::BroadcastFloodOff);
        }
        Some(Cast::Multicast) if !receiver.mcast_flood && !from_host => {
            return Err(Reason::MulticastFloodOff);
        }
        Some(Cast::UnknownUnicast) if !receiver.flood => return Err(Reason::UnicastFloodOff),
        _ => {}
    }
    if sender.isolated && receiver.isolated && !from_host {
        return Err(Reason::Isolated); // B29
    }
    if receiver.promiscuous == Promiscuous::Deny && !h.dst.is_group() && receiver.mac != Some(h.dst) {
        return Err(Reason::Promiscuous);
    }
    if !h.gso && h.payload_len() > receiver.mtu.saturating_add(MTU_SLACK) as usize {
        return Err(Reason::MtuExceeded); // B47
    }
    Ok(())
}
