//! The flags of a port, by the names that bridge(8) has for them.
//!
//! One table for everybody who names flags: `port set` and its socket request read them, `show ports` lists those
//! that are not as usual. A [`Setting`] is made by its parser only, so one that exists is within its range.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bridge::{EdgePort, LegConfig, Promiscuous, RouterMode};

/// The highest path cost, that of 802.1D-2004.
const COST_MAX: u32 = 200_000_000;
/// The highest port priority: six bits, as the kernel counts them.
const PRIORITY_MAX: u8 = 63;
/// The bit of a port's `group_fwd_mask` that may not be set: pause frames (B37).
const MASK_REFUSED: u16 = 0b010;

/// A flag that is on or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switch(usize);

/// Name and place of every flag that is on or off.
const SWITCHES: [(&str, fn(&mut LegConfig) -> &mut bool); 14] = [
    ("learning", |leg| &mut leg.learning),
    ("flood", |leg| &mut leg.flood),
    ("mcast_flood", |leg| &mut leg.mcast_flood),
    ("bcast_flood", |leg| &mut leg.bcast_flood),
    ("hairpin", |leg| &mut leg.hairpin),
    ("isolated", |leg| &mut leg.isolated),
    ("locked", |leg| &mut leg.locked),
    ("mab", |leg| &mut leg.mab),
    ("neigh_suppress", |leg| &mut leg.neigh_suppress),
    ("proxy_arp", |leg| &mut leg.proxy_arp),
    ("bpdu_guard", |leg| &mut leg.stp.bpdu_guard),
    ("root_block", |leg| &mut leg.stp.root_block),
    ("fastleave", |leg| &mut leg.multicast.fastleave),
    ("mcast_to_unicast", |leg| &mut leg.multicast.to_unicast),
];
/// The names of the others, for who mistypes one.
const VALUED: [&str; 9] = [
    "mcast_router",
    "mcast_max_groups",
    "backup_port",
    "group_fwd_mask",
    "cost",
    "priority",
    "edge",
    "mac_limit",
    "promiscuous",
];
/// The word for "none" of `backup_port`.
const NO_PORT: &str = "none";
const EDGE: [(&str, EdgePort); 3] = [("auto", EdgePort::Auto), ("off", EdgePort::No), ("on", EdgePort::Yes)];
const PROMISCUOUS: [(&str, Promiscuous); 3] =
    [("allow", Promiscuous::Allow), ("deny", Promiscuous::Deny), ("monitor", Promiscuous::Monitor)];
/// bridge(8) counts them 0 to 3; the words are those of the file.
const ROUTER: [(&str, RouterMode); 4] = [
    ("never", RouterMode::Never),
    ("learn", RouterMode::Learn),
    ("always", RouterMode::Always),
    ("temp", RouterMode::Temp),
];

/// A flag and its value; on the wire a pair of texts, as they are typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "(String, String)", into = "(String, String)")]
pub enum Setting {
    /// `backup_port`: another port of the network, or none (B30).
    BackupPort(Option<String>),
    /// `cost`: 1 to 200000000.
    Cost(u32),
    /// `edge`: whether a port leads to no other bridge.
    Edge(EdgePort),
    /// `group_fwd_mask`: decimal, or hexadecimal after 0x (B37).
    GroupFwdMask(u16),
    /// `mac_limit`: zero is no limit.
    MacLimit(u32),
    /// `mcast_max_groups`: zero is no limit.
    MaxGroups(u32),
    /// `priority`: 0 to 63.
    Priority(u8),
    /// `promiscuous`.
    Promiscuous(Promiscuous),
    /// `mcast_router`: 0 to 3, or a word (B71).
    Router(RouterMode),
    /// `state`: whether the port takes part at all.
    State(bool),
    /// Any other.
    Switch(Switch, bool),
}

/// No flag, or not one of its values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// There is no such flag.
    #[error("there is no flag `{0}`; there are: {names}", names = names())]
    Flag(String),
    /// There is no such value.
    #[error("`{flag}` cannot be `{value}`: it is {range}")]
    Value {
        /// Which flag.
        flag: String,
        /// What stands there.
        value: String,
        /// What could.
        range: String,
    },
}

impl Setting {
    /// The flag of this name with this value.
    ///
    /// # Errors
    /// [`SettingError`] with what would have been right.
    pub fn parse(flag: &str, value: &str) -> Result<Self, SettingError> {
        let wrong = |range: String| SettingError::Value { flag: flag.into(), value: value.into(), range };
        let number = |min: u32, max: u32| {
            let number = value.parse().ok().filter(|number| (min..=max).contains(number));
            number.ok_or_else(|| wrong(format!("a number from {min} to {max}")))
        };
        // bridge(8) calls it `guard`
        let name = if flag == "guard" { "bpdu_guard" } else { flag };
        if let Some(index) = SWITCHES.iter().position(|(known, _)| *known == name) {
            let on = match value {
                "on" | "true" => true,
                "off" | "false" => false,
                _ => return Err(wrong("on or off".into())),
            };
            return Ok(Self::Switch(Switch(index), on));
        }
        Ok(match flag {
            "backup_port" if value.is_empty() => return Err(wrong(format!("a port, or {NO_PORT}"))),
            "backup_port" => Self::BackupPort((value != NO_PORT).then(|| value.to_owned())),
            "cost" => Self::Cost(number(1, COST_MAX)?),
            "edge" => Self::Edge(word(&EDGE, value).map_err(wrong)?),
            "group_fwd_mask" => Self::GroupFwdMask(mask(value).map_err(wrong)?),
            "mac_limit" => Self::MacLimit(number(0, u32::MAX)?),
            "mcast_max_groups" => Self::MaxGroups(number(0, u32::MAX)?),
            "mcast_router" => match value.parse::<usize>().ok().and_then(|index| ROUTER.get(index)) {
                Some((_, mode)) => Self::Router(*mode),
                None => {
                    Self::Router(word(&ROUTER, value).map_err(|words| wrong(format!("0 to 3, or {words}")))?)
                }
            },
            "priority" => Self::Priority(number(0, PRIORITY_MAX.into())? as u8),
            "promiscuous" => Self::Promiscuous(word(&PROMISCUOUS, value).map_err(wrong)?),
            "state" => Self::State(word(&[("down", false), ("up", true)], value).map_err(wrong)?),
            _ => return Err(SettingError::Flag(flag.into())),
        })
    }

    /// Puts it among a leg's settings. What is not one of them ([`Setting::BackupPort`], [`Setting::State`]) is left to
    /// the caller.
    pub fn apply(&self, leg: &mut LegConfig) {
        match self {
            Self::BackupPort(_) | Self::State(_) => {}
            Self::Cost(cost) => leg.stp.cost = *cost,
            Self::Edge(edge) => leg.stp.edge = *edge,
            Self::GroupFwdMask(mask) => leg.group_fwd_mask = *mask,
            Self::MacLimit(limit) => leg.mac_limit = *limit,
            Self::MaxGroups(limit) => leg.multicast.max_groups = *limit,
            Self::Priority(priority) => leg.stp.priority = *priority,
            Self::Promiscuous(promiscuous) => leg.promiscuous = *promiscuous,
            Self::Router(mode) => leg.multicast.router = *mode,
            Self::Switch(Switch(index), on) => *SWITCHES[*index].1(leg) = *on,
        }
    }

    /// Name and value, as [`Setting::parse`] reads them.
    fn pair(&self) -> (&'static str, String) {
        match self {
            Self::BackupPort(port) => ("backup_port", port.as_deref().unwrap_or(NO_PORT).into()),
            Self::Cost(cost) => ("cost", cost.to_string()),
            Self::Edge(edge) => ("edge", name_of(&EDGE, edge).into()),
            Self::GroupFwdMask(mask) => ("group_fwd_mask", format!("{mask:#x}")),
            Self::MacLimit(limit) => ("mac_limit", limit.to_string()),
            Self::MaxGroups(limit) => ("mcast_max_groups", limit.to_string()),
            Self::Priority(priority) => ("priority", priority.to_string()),
            Self::Promiscuous(promiscuous) => ("promiscuous", name_of(&PROMISCUOUS, promiscuous).into()),
            Self::Router(mode) => ("mcast_router", name_of(&ROUTER, mode).into()),
            Self::State(up) => ("state", if *up { "up" } else { "down" }.into()),
            Self::Switch(Switch(index), on) => (SWITCHES[*index].0, if *on { "on" } else { "off" }.into()),
        }
    }
}

/// What differs from the defaults, as settings.
pub fn unusual(leg: &LegConfig) -> Vec<Setting> {
    differences(&LegConfig::default(), leg)
}

/// What was set to make `leg` of what it was.
pub fn differences(usual: &LegConfig, leg: &LegConfig) -> Vec<Setting> {
    let (mut leg, mut usual) = (*leg, *usual);
    let mut found = Vec::new();
    for (index, (_, field)) in SWITCHES.iter().enumerate() {
        let on = *field(&mut leg);
        if on != *field(&mut usual) {
            found.push(Setting::Switch(Switch(index), on));
        }
    }
    let others = [
        (leg.multicast.router != usual.multicast.router, Setting::Router(leg.multicast.router)),
        (
            leg.multicast.max_groups != usual.multicast.max_groups,
            Setting::MaxGroups(leg.multicast.max_groups),
        ),
        (leg.group_fwd_mask != usual.group_fwd_mask, Setting::GroupFwdMask(leg.group_fwd_mask)),
        (leg.stp.cost != usual.stp.cost, Setting::Cost(leg.stp.cost)),
        (leg.stp.priority != usual.stp.priority, Setting::Priority(leg.stp.priority)),
        (leg.stp.edge != usual.stp.edge, Setting::Edge(leg.stp.edge)),
        (leg.mac_limit != usual.mac_limit, Setting::MacLimit(leg.mac_limit)),
        (leg.promiscuous != usual.promiscuous, Setting::Promiscuous(leg.promiscuous)),
    ];
    found.extend(others.into_iter().filter(|(differs, _)| *differs).map(|(_, setting)| setting));
    found
}

/// Every flag, in the order of bridge(8).
fn names() -> String {
    SWITCHES.map(|(name, _)| name).into_iter().chain(VALUED).chain(["state"]).collect::<Vec<_>>().join(", ")
}

fn mask(text: &str) -> Result<u16, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16),
        None => text.parse(),
    };
    let mask = number.map_err(|_| "a number from 0 to 0xffff".to_owned())?;
    if mask & MASK_REFUSED == 0 { Ok(mask) } else { Err("without bit 1, the pause frames".into()) }
}

fn word<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, String> {
    let found = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
    found.ok_or_else(|| words.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" or "))
}

fn name_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, value) = self.pair();
        write!(f, "{name} {value}")
    }
}

impl TryFrom<(String, String)> for Setting {
    type Error = SettingError;

    fn try_from((flag, value): (String, String)) -> Result<Self, SettingError> {
        Self::parse(&flag, &value)
    }
}

impl From<Setting> for (String, String) {
    fn from(setting: Setting) -> Self {
        let (name, value) = setting.pair();
        (name.to_owned(), value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flag_is_read_written_and_applied() {
        let values = [
            ("mcast_router", "always"),
            ("mcast_max_groups", "16"),
            ("backup_port", "vm2"),
            ("group_fwd_mask", "0x8"),
            ("cost", "100"),
            ("priority", "0"),
            ("edge", "on"),
            ("mac_limit", "8"),
            ("promiscuous", "deny"),
        ];
        let mut usual = LegConfig::default();
        let switches = SWITCHES.map(|(name, field)| (name, if *field(&mut usual) { "off" } else { "on" }));
        let mut leg = LegConfig::default();
        let mut said = Vec::new();
        for (flag, value) in switches.into_iter().chain(values) {
            let setting = Setting::parse(flag, value).expect(flag);
            assert_eq!(setting.to_string(), format!("{flag} {value}"));
            let before = leg;
            setting.apply(&mut leg);
            assert_eq!(before == leg, flag == "backup_port", "{flag} changes what it names");
            said.push(setting.to_string());
        }
        assert_eq!(VALUED.map(|name| values.iter().any(|(flag, _)| *flag == name)), [true; 9]);
        let mut listed: Vec<String> = unusual(&leg).iter().map(ToString::to_string).collect();
        listed.push("backup_port vm2".into());
        said.sort();
        listed.sort();
        assert_eq!(said, listed, "and all of them are unusual now");
        assert_eq!(unusual(&LegConfig::default()), [], "nothing is unusual by default");
    }

    #[test]
    fn a_wrong_value_says_what_is_right() {
        let table = [
            ("isolated", "maybe", "`isolated` cannot be `maybe`: it is on or off"),
            ("cost", "0", "`cost` cannot be `0`: it is a number from 1 to 200000000"),
            ("priority", "64", "`priority` cannot be `64`: it is a number from 0 to 63"),
            ("group_fwd_mask", "0x10000", "it is a number from 0 to 0xffff"),
            ("group_fwd_mask", "2", "without bit 1"),
            ("promiscuous", "on", "it is allow or deny or monitor"),
            ("mcast_router", "4", "it is 0 to 3, or never or learn or always or temp"),
            ("state", "sideways", "it is down or up"),
            ("backup_port", "", "it is a port, or none"),
            ("colour", "red", "there is no flag `colour`; there are: learning, flood,"),
        ];
        for (flag, value, expected) in table {
            let error = Setting::parse(flag, value).expect_err(flag).to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(Setting::parse("guard", "on"), Setting::parse("bpdu_guard", "on"), "as bridge(8) has it");
        assert_eq!(Setting::parse("mcast_router", "2"), Setting::parse("mcast_router", "always"));
        let wire = serde_json::from_str::<Setting>(r#"["cost","0"]"#);
        assert!(wire.is_err_and(|error| error.to_string().contains("1 to 200000000")), "the socket's too");
    }
}
