//! What a user changes in a running lab with `fdb`, `vlan`, `mdb` and `port`.
//!
//! An [`Edit`] is part of the control protocol, so its names are a public interface. It says what is wanted in the
//! names of the file; whether it can be had is for the switch to say. An edit changes what runs, never the file: the
//! next reload goes back to what the file says.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::setting::Setting;
use crate::wire::mac::Mac;

/// The highest VLAN id that can be configured (B56).
pub const VID_MAX: u16 = 4094;

/// One change of a running lab.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Edit {
    /// A static FDB entry, as `bridge fdb add … static`.
    FdbAdd {
        /// The station.
        mac: Mac,
        /// The port or end of a link it is behind.
        port: String,
        /// Only in this VLAN; absent: in every VLAN of the port (B58).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vlan: Option<Vid>,
        /// It never moves (B7).
        #[serde(default)]
        sticky: bool,
    },
    /// The entries of a station go, static ones and learned ones.
    FdbDel {
        /// The station.
        mac: Mac,
        /// Only behind this port or end of a link; absent: wherever it is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<String>,
        /// Only in this VLAN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vlan: Option<Vid>,
    },
    /// Everything learned is forgotten; static entries stay (B20).
    FdbFlush {
        /// A network, a port or an end of a link; absent: everywhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// Only in this VLAN.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        vlan: Option<Vid>,
    },
    /// A membership that nobody has to report, as `bridge mdb add … permanent` (B74).
    MdbAdd(Member),
    /// That membership goes.
    MdbDel(Member),
    /// Settings of a port or an end of a link, as `bridge link set`; all of them or none.
    PortSet {
        /// The port or end of a link.
        name: String,
        /// In the order in which they are applied.
        set: Vec<Setting>,
    },
    /// The port is put into VLANs, or its place in them changes, as `bridge vlan add` (B51 to B56).
    VlanAdd {
        /// The port or end of a link.
        port: String,
        /// The VLAN, or the first of several.
        vlan: Vid,
        /// The last of several.
        #[serde(default, rename = "vlanEnd", skip_serializing_if = "Option::is_none")]
        vlan_end: Option<Vid>,
        /// Frames without a tag that enter here are in this VLAN; not for several.
        #[serde(default)]
        pvid: bool,
        /// Frames leave here without their tag.
        #[serde(default)]
        untagged: bool,
    },
    /// The port leaves VLANs.
    VlanDel {
        /// The port or end of a link.
        port: String,
        /// The VLAN, or the first of several.
        vlan: Vid,
        /// The last of several.
        #[serde(default, rename = "vlanEnd", skip_serializing_if = "Option::is_none")]
        vlan_end: Option<Vid>,
    },
}

/// A port in a multicast group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The port or end of a link.
    pub port: String,
    /// A multicast address.
    pub group: IpAddr,
    /// Only in this VLAN; absent: in every VLAN of the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vlan: Option<Vid>,
    /// The network; absent: whichever the port is on. For those who type what `bridge mdb` wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
}

/// A VLAN id that can be configured: 1 to [`VID_MAX`] (B56).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Vid(u16);

/// No VLAN id, or no range of them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VidError {
    /// The last is below the first.
    #[error("`{0}` ends before it begins")]
    Backwards(String),
    /// Something else than numbers.
    #[error("`{0}` is not a VLAN: write a number from 1 to {VID_MAX}, or two joined by `-`")]
    NotANumber(String),
    /// A number that is none.
    #[error("VLAN {0} is not within 1 to {VID_MAX}")]
    OutOfRange(u64),
}

impl Vid {
    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u16> for Vid {
    type Error = VidError;

    fn try_from(number: u16) -> Result<Self, VidError> {
        if (1..=VID_MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(VidError::OutOfRange(number.into()))
        }
    }
}

impl From<Vid> for u16 {
    fn from(vid: Vid) -> Self {
        vid.0
    }
}

impl FromStr for Vid {
    type Err = VidError;

    fn from_str(text: &str) -> Result<Self, VidError> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 =
            text.parse().ok().filter(|_| digits).ok_or_else(|| VidError::NotANumber(text.into()))?;
        u16::try_from(number).map_err(|_| VidError::OutOfRange(number))?.try_into()
    }
}

impl fmt::Display for Vid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One VLAN or several in a row, as `10` or `10-20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VidRange {
    /// The first.
    pub first: Vid,
    /// The last, if there are several.
    pub last: Option<Vid>,
}

impl FromStr for VidRange {
    type Err = VidError;

    fn from_str(text: &str) -> Result<Self, VidError> {
        match text.split_once('-') {
            None => Ok(Self { first: text.parse()?, last: None }),
            Some((first, last)) => {
                let (first, last): (Vid, Vid) = (first.parse()?, last.parse()?);
                match first.cmp(&last) {
                    std::cmp::Ordering::Less => Ok(Self { first, last: Some(last) }),
                    std::cmp::Ordering::Equal => Ok(Self { first, last: None }),
                    std::cmp::Ordering::Greater => Err(VidError::Backwards(text.into())),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vlans_are_numbers_or_ranges() {
        let vid = |number| Vid::try_from(number).expect("within the range");
        let one = |number| Ok(VidRange { first: vid(number), last: None });
        let table: [(&str, Result<VidRange, VidError>, &str); 10] = [
            ("1", one(1), "the lowest"),
            ("4094", one(4094), "the highest"),
            ("10-20", Ok(VidRange { first: vid(10), last: Some(vid(20)) }), "several"),
            ("10-10", one(10), "several that are one"),
            ("0", Err(VidError::OutOfRange(0)), "B56: not configurable"),
            ("4095", Err(VidError::OutOfRange(4095)), "B56: never configurable"),
            ("65537", Err(VidError::OutOfRange(65537)), "must not become 1"),
            ("20-10", Err(VidError::Backwards("20-10".into())), "the wrong way round"),
            ("+5", Err(VidError::NotANumber("+5".into())), "a sign"),
            ("10-", Err(VidError::NotANumber(String::new())), "half a range"),
        ];
        for (text, expected, why) in table {
            assert_eq!(text.parse(), expected, "{why}");
        }
    }

    #[test]
    fn edits_read_as_documented() {
        let read = |text: &str| serde_json::from_str::<Edit>(text).map_err(|error| error.to_string());
        let vid = |number| Vid::try_from(number).ok();
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let (port, some) = (|| String::from("vm1"), Some(String::from("vm1")));
        let table = [
            (
                r#"{"fdb_add":{"mac":"02:00:00:00:00:01","port":"vm1"}}"#,
                Edit::FdbAdd { mac, port: port(), vlan: None, sticky: false },
            ),
            (
                r#"{"fdb_del":{"mac":"02:00:00:00:00:01","port":"vm1","vlan":10}}"#,
                Edit::FdbDel { mac, port: some, vlan: vid(10) },
            ),
            (r#"{"fdb_flush":{}}"#, Edit::FdbFlush { name: None, vlan: None }),
            (
                r#"{"vlan_add":{"port":"vm1","vlan":10,"vlanEnd":20,"untagged":true}}"#,
                Edit::VlanAdd {
                    port: port(),
                    vlan: vid(10).expect("in range"),
                    vlan_end: vid(20),
                    pvid: false,
                    untagged: true,
                },
            ),
            (
                r#"{"mdb_add":{"port":"vm1","group":"ff0e::1"}}"#,
                Edit::MdbAdd(Member {
                    port: port(),
                    group: "ff0e::1".parse().expect("an address"),
                    vlan: None,
                    network: None,
                }),
            ),
        ];
        for (text, expected) in table {
            assert_eq!(read(text).as_ref(), Ok(&expected), "{text}");
            let written = serde_json::to_string(&expected).expect("plain data");
            assert_eq!(read(&written), Ok(expected), "{written}");
        }
        for (text, said) in [
            (r#"{"vlan_del":{"port":"vm1","vlan":4095}}"#, "VLAN 4095 is not within 1 to 4094"),
            (r#"{"fdb_flush":{"color":1}}"#, "unknown field `color`"),
            (r#"{"fdb_add":{"mac":"02:00:00:00:00","port":"vm1"}}"#, "is not a MAC address"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
