//! Frames as text.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are written in hexadecimal. Reading allows blanks, `:`, `-` and `.` between bytes, and upper case.
#[derive(Clone, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a text is not hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// Something else stands there.
    #[error("`{found}` at position {position} is not a hexadecimal digit")]
    Digit {
        /// What stands there.
        found: char,
        /// Counted in characters from 1.
        position: usize,
    },
    /// A byte has two digits.
    #[error("a digit is missing: {0} digits do not make whole bytes")]
    Odd(usize),
}

impl std::str::FromStr for Hex {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Self, HexError> {
        let mut digits = Vec::with_capacity(text.len());
        for (index, found) in text.chars().enumerate() {
            match found.to_digit(16) {
                Some(digit) => digits.push(digit as u8),
                None if matches!(found, ':' | '-' | '.') || found.is_whitespace() => {}
                None => return Err(HexError::Digit { found, position: index + 1 }),
            }
        }
        let (pairs, rest) = digits.as_chunks::<2>();
        if rest.is_empty() {
            Ok(Self(pairs.iter().map(|[high, low]| high << 4 | low).collect()))
        } else {
            Err(HexError::Odd(digits.len()))
        }
    }
}

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_says_what_is_wrong() {
        assert_eq!("0x".parse::<Hex>(), Err(HexError::Digit { found: 'x', position: 2 }));
        assert_eq!("abc".parse::<Hex>(), Err(HexError::Odd(3)));
        assert_eq!(
            "".parse::<Hex>(),
            Ok(Hex(Vec::new())),
            "empty is short, which is for the switch to judge"
        );
        assert_eq!(Hex(vec![1, 0xfe]).to_string(), "01fe");
    }
}
