//! What a handful of numbers says: a median, how far they lie apart, and how far the median can be trusted.
//!
//! Nothing is assumed of how they are distributed. The interval that holds the true median is made of two of the
//! numbers themselves: each of n independent samples is below the true median with probability ½, so how many of them
//! are is binomial.

/// At most this is the chance of being wrong on either side of an interval: together 5 %.
const TAIL: f64 = 0.025;

/// Samples in order. Never empty.
#[derive(Clone, Debug)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Of finite values; `None` if there are none.
    pub(crate) fn new(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Self(values))
    }

    pub(crate) fn values(&self) -> &[f64] {
        &self.0
    }

    pub(crate) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// Between these lies half of the samples.
    pub(crate) fn quartiles(&self) -> [f64; 2] {
        [0.25, 0.75].map(|q| self.quantile(q))
    }

    /// Holds the true median with 95 % or more; `None` if there are too few samples for that.
    pub(crate) fn interval(&self) -> Option<[f64; 2]> {
        let count = self.0.len();
        let mut tail = 0.0;
        let mut term = 0.5_f64.powi(i32::try_from(count).ok()?);
        let mut outside = 0;
        // the chance that no more than `outside` samples are below the true median
        while outside < count / 2 && tail + term <= TAIL {
            tail += term;
            term *= (count - outside) as f64 / (outside + 1) as f64;
            outside += 1;
        }
        let lowest = outside.checked_sub(1)?;
        Some([self.0[lowest], self.0[count - 1 - lowest]])
    }

    /// Between the two nearest.
    fn quantile(&self, q: f64) -> f64 {
        let last = self.0.len() - 1;
        let place = q * last as f64;
        let (low, high) = (self.0[place as usize], self.0[(place as usize + 1).min(last)]);
        low + (high - low) * place.fract()
    }
}
