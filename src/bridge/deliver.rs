//! Whether a frame may leave through a leg: one predicate, for every frame and every leg.

use super::guard::source::SourceGuard;
use super::guard::storm::StormMeter;
use super::stp::PortState;
use super::vlan::{Inside, VlanTable, payload_len};
use super::{BridgeConfig, LegConfig, Promiscuous, Role};
use crate::frame::{Headers, LegIndex, Passage};
use crate::time::Time;
use crate::trace::Cast;
use crate::verdict::Reason;

/// What the kernel lets pass above the MTU: room for a VLAN tag, wanted or not (B47).
pub(super) const MTU_SLACK: u32 = 4;

/// A leg as the bridge sees it.
#[derive(Clone, Debug)]
pub(super) struct LegState {
    pub(super) config: LegConfig,
    pub(super) up: bool,
    /// What the spanning tree says.
    pub(super) tree: PortState,
    /// Who stands in while it is down (B30).
    pub(super) backup: Option<LegIndex>,
    /// Whom it may send as.
    pub(super) guard: SourceGuard,
    /// What it owes of floods.
    pub(super) storm: StormMeter,
    /// Until when it is not heard, after a flap.
    pub(super) silenced_until: Time,
}

impl LegState {
    /// A new leg, up, and as yet no part of the spanning tree.
    pub(super) fn new(config: LegConfig) -> Self {
        Self {
            config,
            up: true,
            tree: PortState::Disabled,
            backup: None,
            guard: SourceGuard::default(),
            storm: StormMeter::default(),
            silenced_until: Time::ZERO,
        }
    }

    /// Whether the spanning tree lets frames pass.
    #[inline]
    pub(super) fn is_forwarding(&self) -> bool {
        self.tree == PortState::Forwarding
    }

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

/// A frame on its way from a leg to any other.
#[derive(Debug)]
pub(super) struct Crossing<'a> {
    pub(super) from: End<'a>,
    pub(super) h: &'a Headers,
    inside: Option<&'a Inside>,
    /// It is IP, and guests may not talk that to each other.
    private: bool,
    /// It asks for something that was answered, or that some need not hear (B83).
    pub(super) suppressed: bool,
}

impl<'a> Crossing<'a> {
    #[inline]
    pub(super) fn new(
        config: &BridgeConfig,
        from: End<'a>,
        passage: &'a Passage<'_>,
        inside: Option<&'a Inside>,
    ) -> Self {
        let private = !config.icc && is_conversation(passage);
        Self { from, h: passage.headers, inside, private, suppressed: false }
    }
}

/// Whether a frame that is `crossing` may leave through `to`: flooded there as a `flood`, or because its destination is
/// there.
///
/// [`Reason::SamePort`] and [`Reason::NoPort`] mean that `to` was never meant; every other reason is somebody's
/// decision or somebody's limit. The host is the bridge itself to the kernel, hence not subject to what ports are:
/// isolation (B29, B41), an MTU on the way out (B47), flags (B24, B25), and it gets no unknown unicast (B23).
#[inline]
pub(super) fn may_deliver(
    crossing: &Crossing<'_>,
    vlans: &VlanTable,
    to: End<'_>,
    flood: Option<Cast>,
) -> Result<(), Reason> {
    let Crossing { from, h, inside, private, suppressed } = *crossing;
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
    if let Some(inside) = inside
        && !vlans.contains(inside.tag.vid(), to.leg)
    {
        return Err(Reason::VlanEgress); // B55, B59, B60
    }
    if host {
        return Ok(());
    }
    if !to.state.is_forwarding() {
        return Err(Reason::PortBlocking); // B30
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
    if flood.is_some() && (receiver.proxy_arp || (suppressed && receiver.neigh_suppress)) {
        // the kernel floods nothing to a port with proxy ARP (`br_flood`)
        return Err(Reason::NeighbourSuppressed);
    }
    if sender.isolated && receiver.isolated && !from_host {
        return Err(Reason::Isolated); // B29
    }
    if private && !from_host {
        return Err(Reason::Icc);
    }
    if receiver.promiscuous == Promiscuous::Deny && !h.dst.is_group() && receiver.mac != Some(h.dst) {
        return Err(Reason::Promiscuous);
    }
    if !h.gso && payload_len(inside, h) > receiver.mtu.saturating_add(MTU_SLACK) as usize {
        return Err(Reason::MtuExceeded); // B47
    }
    Ok(())
}

/// Whether the frame is IP that guests of a network without `icc` may not exchange: all but neighbour discovery, without
/// which not even the gateway could be reached (0.4). Tags around it hide nothing: whoever receives it may take them off. A
/// frame with so many that nobody can tell what is in it is taken for IP.
#[cold]
fn is_conversation(passage: &Passage<'_>) -> bool {
    const ICMPV6: u8 = 58;
    match passage.innermost() {
        None | Some((0x0800, _)) => true,
        Some((0x86dd, packet)) => {
            !matches!(packet, [_, _, _, _, _, _, ICMPV6, _, rest @ ..] if matches!(rest.get(32), Some(133..=137)))
        }
        Some(_) => false,
    }
}
