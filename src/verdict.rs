//! Every way a frame can end.
//!
//! A device answers a frame with a [`Verdict`]. Whatever is not handed on has a [`Reason`], one value of one
//! closed enum: a drop without a reason cannot be written. Each reason knows its name (what `show drops`,
//! captures and metrics print), and a sentence that tells the user what it means and what to do.

use crate::frame::{LEGS_MAX, LegIndex};

/// A device's answer to a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The device itself was the destination.
    Consume,
    /// The frame ends here.
    Drop(Reason),
    /// A copy out of several legs, which are told beside the verdict (`bridge::Extras`): a set of them is twenty times as
    /// large as all other answers. Never empty: a flood that reaches nobody is a drop.
    Flood,
    /// Out of this leg.
    Forward(LegIndex),
    /// The device keeps the frame until something is known.
    Park,
}

macro_rules! reasons {
    ($($(#[doc = $explanation:literal])+ $variant:ident = $name:literal,)+) => {
        /// Why a frame ended. Alphabetical.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason { $($(#[doc = $explanation])+ $variant,)+ }

        impl Reason {
            /// Every reason, in the order of the enum: `ALL[r as usize] == r`.
            pub const ALL: [Self; [$(Self::$variant),+].len()] = [$(Self::$variant),+];

            /// The name users see, in kebab case.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// What it means, and what to do about it, in a sentence or two.
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => concat!($($explanation, "\n"),+).trim_ascii(),)+ }
            }
        }
    };
}

reasons! {
    /// It wants to leave the wire that its source is of: link-local addresses of IPv6 are not routed,
    /// nor are neighbour discovery and MLD of somebody who is masqueraded: they are of no flow that could hide him.
    BeyondScope = "beyond-scope",
    /// A spanning tree's message that is no such thing: cut off, of an unknown kind, or longer under way than it may be
    /// (B81).
    BpduMalformed = "bpdu-malformed",
    /// Flooding of broadcasts is off on every port it could have left through (`bcast_flood = false`).
    BroadcastFloodOff = "broadcast-flood-off",
    /// It is for everybody on a wire, or came in a frame for more than one station: a router does not send that on
    /// (N55).
    BroadcastNotRouted = "broadcast-not-routed",
    /// The checksum of what is behind its IP header is wrong: it was damaged on its way, or never complete (N7).
    ChecksumWrong = "checksum-wrong",
    /// The table of sessions is full of flows that must not go (L2). `show routers` says who fills it; `max` in
    /// `[router.conntrack]` is how many fit.
    ConntrackFull = "conntrack-full",
    /// It is of no flow known here, and starts none: a reply to nothing, an error about nothing (N5). `invalid =
    /// "accept"` in `[router.conntrack]` lets it pass untranslated, as the kernel does.
    ConntrackInvalid = "conntrack-invalid",
    /// It claims to be of a known connection, but its sequence numbers or flags do not fit (T7, T10).
    ConntrackWindow = "conntrack-window",
    /// Others get the frame as it is, and there was no buffer left for the copy that was to be translated.
    CopiesFull = "copies-full",
    /// Nobody outside of a container network may address its guests directly, only by published ports (M1).
    DirectToInside = "direct-to-inside",
    /// The port it was to leave through is down.
    EgressDown = "egress-down",
    /// The receiver does not take frames off its queue fast enough; the frame was not waited with.
    EgressFull = "egress-full",
    /// The interface of the port it was to leave through no longer exists.
    EgressGone = "egress-gone",
    /// The kernel refused the frame at the port it was to leave through.
    EgressRefused = "egress-refused",
    /// An ICMP error about a translated flow that cannot be told its reader: a redirect, which speaks of addresses that he does
    /// not know (E6), or a quote too short to be translated (E3).
    ErrorUntranslatable = "error-untranslatable",
    /// A piece of a datagram that contradicts the others, or is cut off (N50).
    FragmentMalformed = "fragment-malformed",
    /// Two pieces of a datagram overlap: all of them are lost (N50).
    FragmentOverlap = "fragment-overlap",
    /// There is no more room for datagrams in pieces (N50).
    FragmentsFull = "fragments-full",
    /// The frame is longer than 64 KiB of payload, and could not be read whole.
    FrameLong = "frame-long",
    /// Shorter than an Ethernet header, or cut off within its VLAN tag.
    FrameShort = "frame-short",
    /// It passed eight devices: more than any sound lab has in a row.
    HopLimit = "hop-limit",
    /// The network does not let its guests talk IP to each other (`icc = false`).
    Icc = "icc",
    /// An IGMP message with a wrong checksum, length or address (B70).
    IgmpMalformed = "igmp-malformed",
    /// The port it came in on has not been opened for traffic, or was closed.
    IngressDown = "ingress-down",
    /// The kernel's queue for the port was full: frames came faster than they were taken, and the kernel dropped them.
    IngressOverrun = "ingress-overrun",
    /// No IP packet: cut off, of another version, or with a wrong header checksum.
    IpMalformed = "ip-malformed",
    /// Its IP options are garbage.
    IpOptions = "ip-options",
    /// Both ports are isolated, and isolated ports never talk to each other (B29).
    Isolated = "isolated",
    /// A link-local group address, 01-80-C2-00-00-0X: it ends at the bridge (B35, B36; see `group_fwd_mask`).
    LinkLocal = "link-local",
    /// The port is locked and the source address was not allowed on it by a static FDB entry (B21).
    Locked = "locked",
    /// The port has as many stations as it may have (`mac_limit`), and this is another one.
    MacLimit = "mac-limit",
    /// It is for an address that nobody has on a wire: 0.0.0.0, or loopback (N54).
    MartianDestination = "martian-destination",
    /// It is from an address that nobody sends from: a group's, loopback, or the router's own (N54).
    MartianSource = "martian-source",
    /// An MLD message with a wrong checksum, length or address (B70).
    MldMalformed = "mld-malformed",
    /// More bytes than the MTU of the port it was to leave through, as the Linux bridge without a word (B47).
    MtuExceeded = "mtu-exceeded",
    /// Flooding of multicasts is off on every port it could have left through (`mcast_flood = false`).
    MulticastFloodOff = "multicast-flood-off",
    /// It is for a group: this router routes no multicast (N55).
    MulticastNotRouted = "multicast-not-routed",
    /// The leg it was to leave through has no address of its family to masquerade it with (P1).
    NatNoAddress = "nat-no-address",
    /// No port was free to translate it to: every one that was tried is in use towards the same destination (P5).
    NatPortsFull = "nat-ports-full",
    /// Its flow was masqueraded with the address of a leg it no longer leaves through; the session has ended (N11).
    NatRouteMoved = "nat-route-moved",
    /// It is too large to wait for its neighbour, whose hardware address is not known yet.
    NeighbourLong = "neighbour-long",
    /// An ARP or neighbour-discovery message that is none.
    NeighbourMalformed = "neighbour-malformed",
    /// Too many packets wait for neighbours that have not answered yet.
    NeighbourQueueFull = "neighbour-queue-full",
    /// A question after an address that was answered already, or that nobody needs to hear (`neigh_suppress`,
    /// `proxy_arp`, B83).
    NeighbourSuppressed = "neighbour-suppressed",
    /// The router knows as many neighbours as it may, and all are in use.
    NeighbourTableFull = "neighbour-table-full",
    /// Nobody enters or leaves an internal network (`internal = true`; C20, M6).
    NetworkInternal = "network-internal",
    /// Nobody here has joined the group, as far as multicast snooping knows (B66, B67).
    NoMember = "no-member",
    /// There is no other port on the network that it could have left through.
    NoPort = "no-port",
    /// The router knows no way to its destination.
    NoRoute = "no-route",
    /// A frame for another station, with a tag, or of a protocol that a router does not speak.
    NotForRouter = "not-for-router",
    /// Only published ports come into a container network (M9).
    NotPublished = "not-published",
    /// The virtio-net header asks for a checksum beyond the end of the frame, or, of a packet to be routed, where it would be
    /// written over addresses or ports.
    OffloadChecksum = "offload-checksum",
    /// The virtio-net header promises headers (IP, TCP, UDP) that the frame does not have.
    OffloadHeaders = "offload-headers",
    /// The virtio-net header says the headers are longer than the frame.
    OffloadLength = "offload-length",
    /// The virtio-net header asks for segmentation of an unknown kind, or into segments of no size.
    OffloadSegment = "offload-segment",
    /// The spanning tree keeps the port from forwarding, to break a loop or until it knows that there is none (B16).
    PortBlocking = "port-blocking",
    /// Nobody listens at that port of the router, which does not say so to strangers (N56).
    PortClosed = "port-closed",
    /// The port gets only frames for its own address and groups (`promiscuous = "deny"`).
    Promiscuous = "promiscuous",
    /// A station was seen to and fro between ports, and the port it moved to last is not heard for a while (`flap`).
    Quarantined = "quarantined",
    /// Its source is not where it came from (`rp_filter`, N54).
    ReversePath = "reverse-path",
    /// The router's interface has not been configured.
    RouterLegDown = "router-leg-down",
    /// A rule of yours drops it (`action = "drop"` in `[[router.rule]]`).
    RuleDrop = "rule-drop",
    /// A rule of yours rejects it, and its sender was told (`action = "reject"` in `[[router.rule]]`).
    RuleReject = "rule-reject",
    /// The destination is behind the port the frame came from: it has arrived already (B28).
    SamePort = "same-port",
    /// The source address is a group address or zero: nobody's (B1).
    SourceInvalid = "source-invalid",
    /// The packet claims an address that may not be used on this port (`source_guard`).
    SourceIpGuard = "source-ip-guard",
    /// The frame's source address may not be used on this port (`source_guard`).
    SourceMacGuard = "source-mac-guard",
    /// It wants to choose its way by IP options, which this router does not let it.
    SourceRouted = "source-routed",
    /// More frames of this kind per second than the port may send (`storm_limit`).
    StormLimit = "storm-limit",
    /// It would have more VLAN tags added on its way than there is room for.
    TagsFull = "tags-full",
    /// Its TCP, UDP, SCTP or ICMP header is cut off, or has flags or a length that cannot be (T1, T19, U1).
    TransportMalformed = "transport-malformed",
    /// It has passed as many routers as its TTL or hop limit let it (N9).
    TtlExceeded = "ttl-exceeded",
    /// Flooding of unknown unicast is off on every port it could have left through (`flood = false`).
    UnicastFloodOff = "unicast-flood-off",
    /// The port it was to leave through is not in the frame's VLAN (B55, B59).
    VlanEgress = "vlan-egress",
    /// The port it came in on is not in the frame's VLAN, or has none for frames without a tag (B52).
    VlanIngress = "vlan-ingress",
}

impl Reason {
    /// Whether the frame was turned away at the port it came in on, by a rule for that port: whoever sends many of those
    /// keeps others waiting for nothing.
    pub const fn is_guard(self) -> bool {
        matches!(
            self,
            Self::Locked
                | Self::MacLimit
                | Self::Quarantined
                | Self::SourceInvalid
                | Self::SourceIpGuard
                | Self::SourceMacGuard
                | Self::StormLimit
                | Self::VlanIngress
        )
    }

    /// The reason with that [`Reason::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

/// A counter for every reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DropCounters([u64; Reason::ALL.len()]);

impl Default for DropCounters {
    fn default() -> Self {
        Self([0; Reason::ALL.len()])
    }
}

impl DropCounters {
    /// One more.
    pub fn count(&mut self, reason: Reason) {
        self.0[reason as usize] += 1;
    }

    /// So many more at once.
    pub fn add(&mut self, reason: Reason, count: u64) {
        self.0[reason as usize] += count;
    }

    /// All that others have counted, too.
    pub fn add_all(&mut self, others: &Self) {
        self.0.iter_mut().zip(&others.0).for_each(|(count, more)| *count += more);
    }

    /// How many so far.
    pub fn of(&self, reason: Reason) -> u64 {
        self.0[reason as usize]
    }

    /// The sum over all reasons.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// The reasons that occurred, with their counts, in the order of the enum.
    pub fn nonzero(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        Reason::ALL.into_iter().map(|r| (r, self.of(r))).filter(|(_, count)| *count > 0)
    }
}

const WORDS: usize = LEGS_MAX / 64;

/// A set of legs of one device, iterated in ascending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LegSet([u64; WORDS]);

impl LegSet {
    /// Nobody.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Adds a leg.
    pub fn insert(&mut self, leg: LegIndex) {
        self.0[usize::from(leg.0) / 64] |= 1 << (leg.0 % 64);
    }

    /// Removes a leg, if it is there.
    pub fn remove(&mut self, leg: LegIndex) {
        self.0[usize::from(leg.0) / 64] &= !(1 << (leg.0 % 64));
    }

    /// Whether the leg is in it.
    pub fn contains(&self, leg: LegIndex) -> bool {
        self.0[usize::from(leg.0) / 64] >> (leg.0 % 64) & 1 == 1
    }

    /// Whether nobody is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many are in it.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The legs, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = LegIndex> + '_ {
        self.0.iter().enumerate().flat_map(|(index, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                let bit = (rest != 0).then(|| rest.trailing_zeros())?;
                rest &= rest - 1;
                Some(LegIndex((index as u32 * 64 + bit) as u16))
            })
        })
    }
}

impl FromIterator<LegIndex> for LegSet {
    fn from_iter<I: IntoIterator<Item = LegIndex>>(legs: I) -> Self {
        let mut set = Self::EMPTY;
        legs.into_iter().for_each(|leg| set.insert(leg));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_alphabetical_and_explain_themselves() {
        for (index, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            assert_eq!(Reason::from_name(reason.name()), Some(reason));
            assert!(reason.explanation().ends_with('.') || reason.explanation().ends_with(')'), "{reason}");
        }
        assert!(Reason::ALL.is_sorted_by_key(|reason| reason.name()), "a reader looks them up by name");
    }

    #[test]
    fn a_leg_set_is_a_set() {
        let legs = [0, 63, 64, 1023].map(LegIndex);
        let mut set: LegSet = legs.into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), legs, "in ascending order, across words");
        assert_eq!(set.len(), 4);
        set.remove(LegIndex(63));
        assert!(!set.contains(LegIndex(63)) && set.contains(LegIndex(64)));
        assert!(LegSet::EMPTY.is_empty() && !set.is_empty());
    }
}
