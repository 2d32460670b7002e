//! The congestion marks of a datagram in pieces (RFC 3168 §5.3).
//!
//! If any piece was marked "congestion experienced", the whole is. Pieces of which some can carry a mark and some cannot
//! are not of one datagram.

const ECN: u8 = 3;
const CONGESTED: u8 = 3;

/// Which marks there were.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks(u8);

impl Marks {
    /// Adds those of a piece with that TOS.
    pub(super) fn add(&mut self, tos: u8) {
        self.0 |= 1 << (tos & ECN);
    }

    /// The TOS of the whole, whose first piece had that one; `None` if its pieces contradict each other.
    pub(super) fn tos(self, first: u8) -> Option<u8> {
        let (incapable, congested) = (self.0 & 1 != 0, self.0 & 1 << CONGESTED != 0);
        if incapable && self.0 != 1 {
            return None;
        }
        Some(if congested { first | CONGESTED } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3168_marks_of_the_whole() {
        let table: &[(&[u8], Option<u8>, &str)] = &[
            (&[0xb8, 0xb8], Some(0xb8), "none is capable"),
            (&[0xba, 0xba], Some(0xba), "all are"),
            (&[0xba, 0xbb], Some(0xbb), "one met congestion"),
            (&[0xba, 0xb9], Some(0xba), "both codes mean capable"),
            (&[0xb8, 0xba], None, "capable or not?"),
            (&[0xb8, 0xbb], None, "a mark on what can carry none"),
        ];
        for (pieces, expected, why) in table {
            let mut marks = Marks::default();
            pieces.iter().for_each(|tos| marks.add(*tos));
            assert_eq!(marks.tos(pieces[0]), *expected, "{why}");
        }
    }
}
