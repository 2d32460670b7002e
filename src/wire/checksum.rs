//! The Internet checksum (RFC 1071).
//!
//! A [`sum`] is a 16-bit one's complement sum in network byte order, folded but not complemented: what the
//! checksum field of a frame with a *partial* checksum holds for its pseudo-header (V9). Sums of pieces are
//! joined with [`add`], each piece starting at an even offset; [`finish`] makes a checksum of one. One's
//! complement sums do not care about byte order, so the bytes are added in the machine's own order, four at a
//! time, and swapped once at the end. Long ones are added in eight independent lanes, which compilers turn into vector
//! instructions; headers and their fields are shorter than that pays for.

/// The one's complement sum of `bytes`; an odd byte at the end counts as if a zero followed.
#[inline]
pub fn sum(bytes: &[u8]) -> u16 {
    let (chunks, rest) = bytes.as_chunks::<32>();
    let long = if chunks.is_empty() { 0 } else { sum_long(chunks) };
    let (words, rest) = rest.as_chunks::<4>();
    let total = words.iter().fold(long, |total, word| total + u64::from(u32::from_ne_bytes(*word)));
    let last = match *rest {
        [a] => u16::from_ne_bytes([a, 0]).into(),
        [a, b] => u16::from_ne_bytes([a, b]).into(),
        [a, b, c] => u32::from_ne_bytes([a, b, c, 0]),
        _ => 0,
    };
    fold(total + u64::from(last))
}

/// Of many bytes, not folded.
#[inline(never)]
fn sum_long(chunks: &[[u8; 32]]) -> u64 {
    let mut lanes = [0u64; 8];
    for chunk in chunks {
        let (words, _) = chunk.as_chunks::<4>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane += u64::from(u32::from_ne_bytes(*word));
        }
    }
    lanes.into_iter().map(fold_once).sum()
}

/// The sum of two sums.
#[inline]
pub const fn add(a: u16, b: u16) -> u16 {
    let (sum, carry) = a.overflowing_add(b);
    sum + carry as u16
}

/// The sum of a pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1): `addresses` are source and destination, 8 bytes
/// of IPv4 or 32 of IPv6; `len` is that of the transport header and its payload.
#[inline]
pub fn pseudo_header(addresses: &[u8], protocol: u8, len: u32) -> u16 {
    let len = add((len >> 16) as u16, len as u16);
    add(add(sum(addresses), u16::from(protocol)), len)
}

/// The checksum of data with that sum. Never zero, which UDP reads as "none": 0xffff means the same elsewhere.
#[inline]
pub const fn finish(sum: u16) -> u16 {
    match !sum {
        0 => 0xffff,
        checksum => checksum,
    }
}

/// The checksum after one 16-bit word of what it covers has changed (RFC 1624, equation 3).
#[inline]
pub const fn update(checksum: u16, before: u16, after: u16) -> u16 {
    !add(add(!checksum, !before), after)
}

/// Four words become one, in the order of the network.
#[inline]
const fn fold(total: u64) -> u16 {
    let pair = fold_once(fold_once(total)) as u32;
    let pair = (pair & 0xffff) + (pair >> 16);
    u16::from_be(((pair & 0xffff) + (pair >> 16)) as u16)
}

#[inline]
const fn fold_once(lane: u64) -> u64 {
    (lane & 0xffff_ffff) + (lane >> 32)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_sums() {
        let rfc_1071 = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        let table: &[(&[u8], u16, &str)] = &[
            (&[], 0, "nothing"),
            (&rfc_1071, 0xddf2, "the example of RFC 1071 §3"),
            (&[0x12], 0x1200, "an odd byte is the high one"),
            (&[0xff; 64], 0xffff, "minus zero stays minus zero"),
        ];
        for (bytes, expected, why) in table {
            assert_eq!(sum(bytes), *expected, "{why}");
        }
        assert_eq!(finish(0xffff), 0xffff, "UDP must not send zero");
        assert_eq!(add(0xffff, 1), 1, "the carry comes round");
        assert_eq!(pseudo_header(&[0; 8], 17, 0x0002_0003), 17 + 2 + 3, "a length of more than 16 bits");
    }

    proptest! {
        #[test]
        fn the_fast_sum_is_the_plain_sum(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let plain = bytes.chunks(2).fold(0, |total, pair| {
                add(total, u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]))
            });
            // the two zeros of one's complement are the same number
            prop_assert_eq!(sum(&bytes) % 0xffff, plain % 0xffff);
            prop_assert_eq!(sum(&bytes) == 0, bytes.iter().all(|byte| *byte == 0));
        }
    }
}
