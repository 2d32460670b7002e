//! Whether segments of a stream that come in at a port are joined before they are walked ([`crate::port::coalesce`]).
//!
//! To join them is of use if they leave through ports that take large frames: one walk and one write instead of many. If a large
//! frame has to be cut again on its way out, it was joined for nothing. Where a batch will leave is not known before it is
//! walked, but the next ones of a stream leave where this one did. So after a cut nothing is joined for a while, and then it is
//! tried again.
//!
//! It changes no frame: whatever is joined is what would be cut.

/// For how many batches nothing is joined after a large frame had to be cut.
const APART: u16 = 256;

/// What a port knows about that.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// For how many batches nothing is to be joined.
    apart: u16,
}

impl Joining {
    /// There is a batch: whether to join what can be.
    pub(super) fn joins(&mut self) -> bool {
        let joins = self.apart == 0;
        self.apart = self.apart.saturating_sub(1);
        joins
    }

    /// A large frame of the batch has been cut.
    pub(super) fn was_cut(&mut self) {
        self.apart = APART;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_cut_is_not_joined_but_tried_now_and_then() {
        let mut joining = Joining::default();
        let mut tried = 0;
        for _ in 0..10 * usize::from(APART) {
            if joining.joins() {
                tried += 1;
                joining.was_cut();
            }
        }
        assert_eq!(tried, 10, "one batch in so many");
    }

    #[test]
    fn what_leaves_whole_is_joined() {
        let mut joining = Joining::default();
        assert!((0..1000).all(|_| joining.joins()));
        joining.was_cut();
        assert_eq!((0..1000).filter(|_| joining.joins()).count(), 1000 - usize::from(APART), "and again");
    }

    /// Large frames that came as such are cut as well, of batches in which nothing was joined.
    #[test]
    fn each_cut_begins_anew() {
        let mut joining = Joining::default();
        joining.was_cut();
        for _ in 1..APART {
            assert!(!joining.joins());
        }
        joining.was_cut();
        assert_eq!((0..APART).filter(|_| joining.joins()).count(), 0);
        assert!(joining.joins());
    }
}
