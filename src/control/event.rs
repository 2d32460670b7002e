//! What `monitor` tells: one JSON object per line, for as long as somebody reads.
//!
//! ```text
//! {"time":1700000000.25,"event":"fdb","mac":"02:42:ac:11:00:02","ifname":"vm1","flags":[],"master":"lan","state":""}
//! {"time":1700000001.5,"event":"fdb","deleted":true,"mac":"02:42:ac:11:00:02",…}
//! {"time":1700000002.0,"event":"link","ifname":"vm1","master":"lan","state":"forwarding"}
//! {"time":1700000002.0,"event":"mdb","dev":"lan","port":"vm1","grp":"239.1.1.1","state":"temp","vid":10}
//! {"time":1700000002.0,"event":"vlan","ifname":"vm1","vlan":10,"flags":["PVID"]}
//! {"time":1700000002.0,"event":"stp","ifname":"lan","text":"root 8000.020000000001, cost 4 through uplink"}
//! {"time":1700000002.0,"event":"guard","ifname":"vm1","master":"lan","text":"quarantine begins: …"}
//! {"time":1700000002.0,"event":"lab","text":"port vm1 gone"}
//! {"time":1700000002.0,"event":"log","router":"gw","text":"IN: IN=gw/lan OUT=gw/docker0 MAC=… SRC=192.168.178.20 …"}
//! {"time":1700000002.0,"event":"missing","count":12}
//! ```
//!
//! These names are a public interface; a client must not fail on events that it does not know.

use serde::{Deserialize, Serialize};

use super::view::{GroupView, StationView, VlanEntryView};

/// What can be watched.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Stations come, move and go
    Fdb,
    /// What guards do: quarantines, closed ports
    Guard,
    /// The lab itself: reloads, ports whose interface is gone
    Lab,
    /// Ports change their state or their settings
    Link,
    /// Rules of routers log packets
    Log,
    /// Multicast groups are joined and left
    Mdb,
    /// Spanning tree: roots and topology changes
    Stp,
    /// Ports enter and leave VLANs
    Vlan,
}

impl Topic {
    /// What precedes its lines where several topics are watched.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Fdb => "[FDB]",
            Self::Guard => "[GUARD]",
            Self::Lab => "[LAB]",
            Self::Link => "[LINK]",
            Self::Log => "[LOG]",
            Self::Mdb => "[MDB]",
            Self::Stp => "[STP]",
            Self::Vlan => "[VLAN]",
        }
    }
}

/// A line of `monitor`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EventView {
    /// Seconds since 1970, to the microsecond.
    pub time: f64,
    /// What it is about is no more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deleted: bool,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happening,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Happening {
    /// A station came, moved here, or went.
    Fdb(StationView),
    /// A guard did something to a port.
    Guard {
        /// The port or end of a link.
        ifname: String,
        /// The network.
        master: String,
        /// What.
        text: String,
    },
    /// Something that concerns the lab.
    Lab {
        /// What.
        text: String,
    },
    /// A port changed.
    Link {
        /// The port or end of a link.
        ifname: String,
        /// The network.
        master: String,
        /// Its state: one of spanning tree's, `down`, or empty if that is not what changed.
        #[serde(default)]
        state: String,
        /// Settings that changed, as `isolated on`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        flags: Vec<String>,
    },
    /// A rule of a router's logged a packet.
    Log {
        /// The router.
        router: String,
        /// The line, as the kernel's log has it.
        text: String,
        /// How many packets the rule has been silent about since its last line.
        #[serde(default, skip_serializing_if = "is_zero")]
        suppressed: u64,
    },
    /// A group was joined or left.
    Mdb(GroupView),
    /// The reader was too slow.
    Missing {
        /// For how many events.
        count: u64,
    },
    /// A network's spanning tree changed.
    Stp {
        /// The network.
        ifname: String,
        /// How.
        text: String,
    },
    /// A port entered or left a VLAN, or its place in it changed.
    Vlan {
        /// The port or end of a link.
        ifname: String,
        /// Where.
        #[serde(flatten)]
        entry: VlanEntryView,
    },
}

impl Happening {
    /// What one has to watch to be told; nothing for what everybody is told.
    pub const fn topic(&self) -> Option<Topic> {
        Some(match self {
            Self::Fdb(_) => Topic::Fdb,
            Self::Guard { .. } => Topic::Guard,
            Self::Lab { .. } => Topic::Lab,
            Self::Log { .. } => Topic::Log,
            Self::Link { .. } => Topic::Link,
            Self::Mdb(_) => Topic::Mdb,
            Self::Missing { .. } => return None,
            Self::Stp { .. } => Topic::Stp,
            Self::Vlan { .. } => Topic::Vlan,
        })
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_false(value: &bool) -> bool {
    !value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mac::Mac;

    #[test]
    fn events_read_as_documented() {
        let station = StationView {
            mac: Mac([2, 0, 0, 0, 0, 1]),
            ifname: "vm1".into(),
            flags: Vec::new(),
            master: "lan".into(),
            vlan: Some(10),
            state: String::new(),
            updated: None,
        };
        let event = |happened, deleted| EventView { time: 1_700_000_000.25, deleted, happened };
        let table = [
            (
                event(Happening::Fdb(station), true),
                r#"{"time":1700000000.25,"deleted":true,"event":"fdb","mac":"02:00:00:00:00:01","ifname":"vm1","flags":[],"master":"lan","vlan":10,"state":""}"#,
            ),
            (
                event(
                    Happening::Vlan {
                        ifname: "vm1".into(),
                        entry: VlanEntryView { vlan: 10, flags: vec!["PVID".into()] },
                    },
                    false,
                ),
                r#"{"time":1700000000.25,"event":"vlan","ifname":"vm1","vlan":10,"flags":["PVID"]}"#,
            ),
            (
                event(Happening::Missing { count: 12 }, false),
                r#"{"time":1700000000.25,"event":"missing","count":12}"#,
            ),
        ];
        for (event, text) in table {
            assert_eq!(serde_json::to_string(&event).expect("plain data"), text);
            assert_eq!(serde_json::from_str::<EventView>(text).expect(text), event);
        }
    }
}
