//! What the user can set on the spanning tree, and within which bounds.
//!
//! Names, defaults and bounds are those of ip-link(8) (B80). The bounds are checks that the user's configuration has
//! to pass, not something the machines enforce: they take what they are given.

use std::time::Duration;

/// Which protocol a bridge speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum StpMode {
    /// None: every leg forwards, and BPDUs are frames like others (B34, B80).
    #[default]
    Off,
    /// IEEE 802.1D-2004 clause 17, with STP towards those who know nothing else. Unknown to the kernel.
    Rstp,
    /// IEEE 802.1D-1998 clause 8, as the kernel does it.
    Stp,
}

/// Settings of a whole bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StpConfig {
    /// Which protocol.
    pub mode: StpMode,
    /// 0 is the most eager to be root.
    pub priority: u16,
    /// How often to speak: 1 to 10 s. Who is root decides for all in STP.
    pub hello: Duration,
    /// How old the root's word may get: 6 to 40 s. Who is root decides for all.
    pub max_age: Duration,
    /// How long a port listens, and then learns: 2 to 30 s. Who is root decides for all.
    pub forward_delay: Duration,
}

impl Default for StpConfig {
    fn default() -> Self {
        Self {
            mode: StpMode::Off,
            priority: 0x8000,
            hello: Duration::from_secs(2),
            max_age: Duration::from_secs(20),
            forward_delay: Duration::from_secs(15),
        }
    }
}

impl StpConfig {
    /// Whether the kernel would take each of the times.
    pub fn check(&self) -> Result<(), StpError> {
        let within = |time: Duration, bounds: Bounds| bounds.0 <= time && time <= bounds.1;
        match () {
            () if !within(self.hello, HELLO) => Err(StpError::Hello),
            () if !within(self.max_age, MAX_AGE) => Err(StpError::MaxAge),
            () if !within(self.forward_delay, FORWARD_DELAY) => Err(StpError::ForwardDelay),
            () => Ok(()),
        }
    }

    /// Whether the times go together (802.1D-2004 17.14). The kernel does not ask; without it, a port may forward while
    /// stale news is still about.
    pub fn check_relation(&self) -> Result<(), StpError> {
        let second = Duration::from_secs(1);
        if self.forward_delay.saturating_sub(second) * 2 < self.max_age {
            return Err(StpError::ForwardDelayRelation);
        }
        if self.max_age < (self.hello + second) * 2 {
            return Err(StpError::MaxAgeRelation);
        }
        Ok(())
    }
}

/// Whether nothing but hosts is behind a leg, which may then forward at once. Only RSTP asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EdgePort {
    /// Until a BPDU arrives, if none arrives within three seconds.
    #[default]
    Auto,
    /// Never.
    No,
    /// Until a BPDU arrives, and from the start.
    Yes,
}

/// Settings of one leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StpLegConfig {
    /// 0 to 63; the lowest is preferred.
    pub priority: u8,
    /// What the way through this leg costs. Both protocols use the kernel's scale, on which a TAP costs 2.
    pub cost: u32,
    /// A BPDU disables the leg (B82).
    pub bpdu_guard: bool,
    /// The root is never behind this leg (B82).
    pub root_block: bool,
    /// Only hosts are behind it.
    pub edge: EdgePort,
    /// At most one other bridge is behind it. If not, RSTP has nobody whose agreement would count, and waits as STP
    /// does.
    pub point_to_point: bool,
}

impl Default for StpLegConfig {
    fn default() -> Self {
        Self {
            priority: 32,
            cost: 2,
            bpdu_guard: false,
            root_block: false,
            edge: EdgePort::Auto,
            point_to_point: true,
        }
    }
}

impl StpLegConfig {
    /// Whether the kernel would take them, or for RSTP, which it has not, the standard.
    pub fn check(&self, mode: StpMode) -> Result<(), StpError> {
        let cost_max = if mode == StpMode::Rstp { COST_MAX_RAPID } else { COST_MAX };
        if self.priority > LEG_PRIORITY_MAX {
            return Err(StpError::LegPriority);
        }
        if !(1..=cost_max).contains(&self.cost) {
            return Err(StpError::Cost);
        }
        Ok(())
    }
}

/// A setting that the kernel would refuse, or two that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StpError {
    /// The cost of a leg.
    #[error("a path cost is between 1 and 65535, with RSTP up to 200000000")]
    Cost,
    /// `forward_delay`.
    #[error("forward_delay is between 2 and 30 seconds")]
    ForwardDelay,
    /// `forward_delay` beside `max_age`.
    #[error("2 × (forward_delay − 1 s) must not be less than max_age")]
    ForwardDelayRelation,
    /// `hello`.
    #[error("hello is between 1 and 10 seconds")]
    Hello,
    /// The priority of a leg.
    #[error("the priority of a port is between 0 and 63")]
    LegPriority,
    /// `max_age`.
    #[error("max_age is between 6 and 40 seconds")]
    MaxAge,
    /// `max_age` beside `hello`.
    #[error("max_age must not be less than 2 × (hello + 1 s)")]
    MaxAgeRelation,
}

/// The least and the most.
pub(super) type Bounds = (Duration, Duration);

pub(super) const HELLO: Bounds = (Duration::from_secs(1), Duration::from_secs(10));
pub(super) const MAX_AGE: Bounds = (Duration::from_secs(6), Duration::from_secs(40));
pub(super) const FORWARD_DELAY: Bounds = (Duration::from_secs(2), Duration::from_secs(30));

const LEG_PRIORITY_MAX: u8 = 63;
const COST_MAX: u32 = 65_535;
/// 802.1D-2004 table 17-3.
const COST_MAX_RAPID: u32 = 200_000_000;
