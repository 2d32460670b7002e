//! Bridge protocol data units: what bridges tell each other to agree on a spanning tree.
//!
//! Three kinds (IEEE 802.1D-2004 clause 9): a configuration (STP), the same with more flags (RSTP), and the bare notice
//! that the topology has changed (STP). All travel to 01-80-C2-00-00-00 behind an 802.3 length and the LLC header
//! 42-42-03 (B81). [`Bpdu::parse`] takes a whole frame and either understands it or says what is wrong with it; it
//! judges form only. Whether a message is too old to be believed is for who receives it.
//!
//! As the kernel, a configuration or notice of a version other than 0 is not understood; as the standard wants it,
//! the rapid kind is understood from version 2 on, whatever else newer versions put behind it.
//!
//! Frames are written without padding, as the kernel hands them to a driver.

use std::fmt;
use std::time::Duration;

use crate::wire::mac::Mac;

/// Where BPDUs are sent: all bridges of the segment, and no further.
pub const BRIDGE_GROUP: Mac = Mac([0x01, 0x80, 0xc2, 0, 0, 0]);
/// The longest frame that [`Bpdu::encode`] writes, in bytes.
pub const BPDU_FRAME_MAX: usize = HEADER_LEN + RAPID_LEN;

const ETHERNET_LEN: usize = 14;
const LLC: [u8; 3] = [0x42, 0x42, 0x03];
const HEADER_LEN: usize = ETHERNET_LEN + LLC.len();
/// A length field above this is an EtherType.
const LENGTH_MAX: usize = 1500;
const TCN_LEN: usize = 4;
const CONFIG_LEN: usize = 35;
/// One byte more: the length of what version 1 would have appended, which is nothing.
const RAPID_LEN: usize = 36;

const TYPE_CONFIG: u8 = 0x00;
const TYPE_RAPID: u8 = 0x02;
const TYPE_TCN: u8 = 0x80;
const VERSION_RAPID: u8 = 2;

const FLAG_CHANGE: u8 = 1;
const FLAG_PROPOSAL: u8 = 1 << 1;
const ROLE_SHIFT: u8 = 2;
const FLAG_LEARNING: u8 = 1 << 4;
const FLAG_FORWARDING: u8 = 1 << 5;
const FLAG_AGREEMENT: u8 = 1 << 6;
const FLAG_ACKNOWLEDGE: u8 = 1 << 7;

const PORT_NUMBER_BITS: u32 = 10;
const TICK: Duration = Duration::from_nanos(1_000_000_000 / 256);

/// A bridge: its priority, then its address. The lowest becomes the root.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BridgeId {
    /// 0 is the most eager to be root.
    pub priority: u16,
    /// Decides between equals.
    pub mac: Mac,
}

impl BridgeId {
    const LEN: usize = 8;

    fn read(bytes: [u8; Self::LEN]) -> Self {
        let [high, low, mac @ ..] = bytes;
        Self { priority: u16::from_be_bytes([high, low]), mac: Mac(mac) }
    }

    fn bytes(self) -> [u8; Self::LEN] {
        let ([high, low], [a, b, c, d, e, f]) = (self.priority.to_be_bytes(), self.mac.0);
        [high, low, a, b, c, d, e, f]
    }
}

/// As `brctl showstp` writes it: `8000.0242ac110002`.
impl fmt::Display for BridgeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}.{:012x}", self.priority, self.mac.to_u64())
    }
}

/// A port of a bridge: its priority (6 bits), then its number (10 bits), as the kernel divides the 16 bits. The lowest
/// of those that lead to the same bridge is preferred.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StpPortId(pub u16);

impl StpPortId {
    /// `priority` is 0 to 63; of `number` the low ten bits count.
    pub const fn new(priority: u8, number: u16) -> Self {
        Self((priority as u16) << PORT_NUMBER_BITS | number & ((1 << PORT_NUMBER_BITS) - 1))
    }

    /// Which port of the bridge it is, whatever its priority.
    pub const fn number(self) -> u16 {
        self.0 & ((1 << PORT_NUMBER_BITS) - 1)
    }
}

/// As `brctl showstp` writes it: `8001`.
impl fmt::Display for StpPortId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

/// A time as BPDUs carry it: in 1/256 s, below 256 s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticks(pub u16);

impl Ticks {
    /// Rounded up, so that no age gets younger by being told; the longest if it is too long.
    pub fn from_duration(duration: Duration) -> Self {
        let ticks = duration.as_nanos().div_ceil(TICK.as_nanos());
        Self(u16::try_from(ticks).unwrap_or(u16::MAX))
    }

    /// Exact: a tick is a whole number of nanoseconds.
    pub fn to_duration(self) -> Duration {
        TICK * u32::from(self.0)
    }
}

/// What a configuration says, of either kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Whom the sender takes for the root.
    pub root: BridgeId,
    /// The sender's distance from it.
    pub cost: u32,
    /// The sender.
    pub bridge: BridgeId,
    /// The sender's port.
    pub port: StpPortId,
    /// How old the root's word is.
    pub message_age: Ticks,
    /// How old it may get.
    pub max_age: Ticks,
    /// How often the root speaks.
    pub hello: Ticks,
    /// How long a port listens, and then learns.
    pub forward_delay: Ticks,
    /// Stations may have moved.
    pub topology_change: bool,
    /// The notice of a change has arrived; never set in the rapid kind.
    pub acknowledge: bool,
}

/// What the rapid kind says about the sender's port beside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RapidFlags {
    /// What the port is to the sender.
    pub role: SenderRole,
    /// It would forward at once, were the neighbour to agree.
    pub proposal: bool,
    /// It agrees: nothing behind it can close a loop.
    pub agreement: bool,
    /// It learns.
    pub learning: bool,
    /// It forwards.
    pub forwarding: bool,
}

/// The two bits in which a port's role is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SenderRole {
    /// Alternate or backup.
    Alternate,
    /// Designated.
    Designated,
    /// Root port.
    Root,
    /// Zero, which nobody sends.
    #[default]
    Unknown,
}

/// A BPDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bpdu {
    /// STP: a configuration.
    Config(Configuration),
    /// RSTP: a configuration and the port's flags.
    Rapid(Configuration, RapidFlags),
    /// STP: the topology has changed.
    TopologyChange,
}

/// Why a frame is no BPDU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BpduError {
    /// The 802.3 length promises more than there is.
    #[error("its length field exceeds the frame")]
    Length,
    /// An EtherType, or another LLC header than 42-42-03.
    #[error("it has no LLC header 42-42-03")]
    Llc,
    /// The protocol identifier is not 0.
    #[error("its protocol identifier is not 0")]
    Protocol,
    /// It ends before its fields do.
    #[error("it is too short")]
    Short,
    /// Neither configuration, rapid configuration nor notice.
    #[error("its type is unknown")]
    Type,
    /// Its type has no such version.
    #[error("its version does not go with its type")]
    Version,
}

impl Bpdu {
    /// Reads a whole Ethernet frame. Whom it is addressed to is not looked at.
    pub fn parse(frame: &[u8]) -> Result<Self, BpduError> {
        let (header, rest) = frame.split_first_chunk::<ETHERNET_LEN>().ok_or(BpduError::Short)?;
        let length = usize::from(u16::from_be_bytes([header[12], header[13]]));
        if length > LENGTH_MAX {
            return Err(BpduError::Llc);
        }
        let rest = rest.get(..length).ok_or(BpduError::Length)?;
        let (llc, bpdu) = rest.split_first_chunk().ok_or(BpduError::Short)?;
        if *llc != LLC {
            return Err(BpduError::Llc);
        }
        let [protocol_high, protocol_low, version, kind, ..] = *bpdu else { return Err(BpduError::Short) };
        if (protocol_high, protocol_low) != (0, 0) {
            return Err(BpduError::Protocol);
        }
        match (kind, version) {
            (TYPE_CONFIG, 0) => {
                let bytes = bpdu.first_chunk().ok_or(BpduError::Short)?;
                Ok(Self::Config(Configuration::read(bytes)))
            }
            (TYPE_RAPID, VERSION_RAPID..) => {
                let bytes = bpdu.first_chunk::<RAPID_LEN>().ok_or(BpduError::Short)?;
                let bytes = bytes.first_chunk().ok_or(BpduError::Short)?;
                let configuration = Configuration { acknowledge: false, ..Configuration::read(bytes) };
                Ok(Self::Rapid(configuration, RapidFlags::read(bytes[4])))
            }
            (TYPE_TCN, 0) => Ok(Self::TopologyChange),
            (TYPE_CONFIG | TYPE_RAPID | TYPE_TCN, _) => Err(BpduError::Version),
            _ => Err(BpduError::Type),
        }
    }

    /// Writes the frame in which `src` says this, and returns it.
    pub fn encode<'a>(&self, src: Mac, buffer: &'a mut [u8; BPDU_FRAME_MAX]) -> &'a [u8] {
        let len = match self {
            Self::Config(_) => CONFIG_LEN,
            Self::Rapid(..) => RAPID_LEN,
            Self::TopologyChange => TCN_LEN,
        };
        *buffer = [0; BPDU_FRAME_MAX];
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            buffer[at..at + bytes.len()].copy_from_slice(bytes);
            at += bytes.len();
        };
        put(&BRIDGE_GROUP.0);
        put(&src.0);
        put(&((LLC.len() + len) as u16).to_be_bytes());
        put(&LLC);
        match self {
            Self::Config(configuration) => {
                put(&[0, 0, 0, TYPE_CONFIG]);
                put(&configuration.bytes(0));
            }
            Self::Rapid(configuration, flags) => {
                put(&[0, 0, VERSION_RAPID, TYPE_RAPID]);
                put(&Configuration { acknowledge: false, ..*configuration }.bytes(flags.bits()));
            }
            Self::TopologyChange => put(&[0, 0, 0, TYPE_TCN]),
        }
        &buffer[..HEADER_LEN + len]
    }
}

impl Configuration {
    /// What follows protocol, version and type.
    const BODY_LEN: usize = CONFIG_LEN - 4;

    fn read(bytes: &[u8; CONFIG_LEN]) -> Self {
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let bridge = |at: usize| {
            let mut id = [0; BridgeId::LEN];
            id.copy_from_slice(&bytes[at..at + BridgeId::LEN]);
            BridgeId::read(id)
        };
        Self {
            root: bridge(5),
            cost: u32::from(short(13)) << 16 | u32::from(short(15)),
            bridge: bridge(17),
            port: StpPortId(short(25)),
            message_age: Ticks(short(27)),
            max_age: Ticks(short(29)),
            hello: Ticks(short(31)),
            forward_delay: Ticks(short(33)),
            topology_change: bytes[4] & FLAG_CHANGE != 0,
            acknowledge: bytes[4] & FLAG_ACKNOWLEDGE != 0,
        }
    }

    fn bytes(&self, flags: u8) -> [u8; Self::BODY_LEN] {
        let change = if self.topology_change { FLAG_CHANGE } else { 0 };
        let acknowledge = if self.acknowledge { FLAG_ACKNOWLEDGE } else { 0 };
        let mut body = [0; Self::BODY_LEN];
        body[0] = flags | change | acknowledge;
        body[1..9].copy_from_slice(&self.root.bytes());
        body[9..13].copy_from_slice(&self.cost.to_be_bytes());
        body[13..21].copy_from_slice(&self.bridge.bytes());
        body[21..23].copy_from_slice(&self.port.0.to_be_bytes());
        let times = [self.message_age, self.max_age, self.hello, self.forward_delay];
        for (place, time) in body[23..].chunks_exact_mut(2).zip(times) {
            place.copy_from_slice(&time.0.to_be_bytes());
        }
        body
    }
}

impl RapidFlags {
    fn read(flags: u8) -> Self {
        let role = match flags >> ROLE_SHIFT & 3 {
            1 => SenderRole::Alternate,
            2 => SenderRole::Root,
            3 => SenderRole::Designated,
            _ => SenderRole::Unknown,
        };
        Self {
            role,
            proposal: flags & FLAG_PROPOSAL != 0,
            agreement: flags & FLAG_AGREEMENT != 0,
            learning: flags & FLAG_LEARNING != 0,
            forwarding: flags & FLAG_FORWARDING != 0,
        }
    }

    fn bits(self) -> u8 {
        let role = match self.role {
            SenderRole::Alternate => 1,
            SenderRole::Designated => 3,
            SenderRole::Root => 2,
            SenderRole::Unknown => 0,
        };
        let flags = [
            (self.proposal, FLAG_PROPOSAL),
            (self.agreement, FLAG_AGREEMENT),
            (self.learning, FLAG_LEARNING),
            (self.forwarding, FLAG_FORWARDING),
        ];
        flags.iter().filter(|(set, _)| *set).fold(role << ROLE_SHIFT, |bits, (_, flag)| bits | flag)
    }
}

#[cfg(test)]
mod tests;
