//! Ethernet hardware addresses.
//!
//! A [`Mac`] is six bytes and a handful of questions the standard answers from their bits. Which of those
//! questions matter to a bridge (IEEE 802.1D §7.12, behaviours B1 and B34–B38) is the bridge's business, not
//! this file's.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A 48-bit Ethernet address.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// ff:ff:ff:ff:ff:ff.
    pub const BROADCAST: Self = Self([0xff; 6]);
    /// 00:00:00:00:00:00, never a legal source (B1).
    pub const ZERO: Self = Self([0; 6]);

    /// All stations.
    pub fn is_broadcast(self) -> bool {
        self == Self::BROADCAST
    }

    /// More than one station: the group bit, so also true of broadcast.
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// Neither group nor zero: an address that one station may own.
    pub fn is_station(self) -> bool {
        !self.is_group() && self != Self::ZERO
    }

    /// `Some(n)` for 01-80-C2-00-00-0n, the addresses IEEE 802.1D reserves for the link itself.
    pub const fn link_local(self) -> Option<u8> {
        match self.0 {
            [0x01, 0x80, 0xc2, 0x00, 0x00, n] if n < 16 => Some(n),
            _ => None,
        }
    }

    /// The address as the low 48 bits of an integer, so that a table key is one word.
    pub const fn to_u64(self) -> u64 {
        let [a, b, c, d, e, f] = self.0;
        u64::from_be_bytes([0, 0, a, b, c, d, e, f])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not six two-digit hexadecimal numbers joined by `:` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a MAC address: write six pairs of hexadecimal digits, like 02:42:ac:11:00:02")]
pub struct ParseMacError(String);

impl FromStr for Mac {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = || ParseMacError(text.to_owned());
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut bytes = [0; 6];
        let mut parts = text.split(separator);
        for byte in &mut bytes {
            let part = parts.next().filter(|p| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit()));
            *byte = u8::from_str_radix(part.ok_or_else(bad)?, 16).map_err(|_| bad())?;
        }
        if parts.next().is_some() { Err(bad()) } else { Ok(Self(bytes)) }
    }
}

impl Serialize for Mac {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mac {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms() {
        let table: &[(&str, Option<[u8; 6]>, &str)] = &[
            ("02:42:ac:11:00:02", Some([2, 0x42, 0xac, 0x11, 0, 2]), "the usual form"),
            ("02-42-AC-11-00-02", Some([2, 0x42, 0xac, 0x11, 0, 2]), "the IEEE form, upper case"),
            ("02:42:ac:11:00", None, "five bytes"),
            ("02:42:ac:11:00:02:03", None, "seven bytes"),
            ("2:42:ac:11:0:2", None, "single digits are ambiguous to a reader"),
            ("02:42-ac:11:00:02", None, "mixed separators"),
            ("+2:42:ac:11:00:02", None, "from_str_radix alone would take the sign"),
            ("", None, "empty"),
        ];
        for (text, expected, why) in table {
            assert_eq!(text.parse::<Mac>().ok().map(|m| m.0), *expected, "{why}");
        }
    }

    #[test]
    fn bits() {
        let mac = |text: &str| text.parse::<Mac>().expect("a table entry");
        assert!(mac("01:00:5e:00:00:01").is_group());
        assert!(!Mac::ZERO.is_station(), "B1: zero is nobody");
        assert_eq!(mac("01:80:c2:00:00:0e").link_local(), Some(14));
        assert_eq!(mac("01:80:c2:00:00:10").link_local(), None, "B38: -10 is ordinary multicast");
        assert_eq!(mac("00:00:00:00:01:02").to_u64(), 0x0102);
    }
}
