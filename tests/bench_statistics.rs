//! The intervals that `scripts/bench` judges by: too narrow ones would call a coin's toss a success.

#[path = "../benches/side_by_side/report/statistics.rs"]
#[allow(dead_code, reason = "the bench shows more of them")]
mod statistics;

use statistics::Samples;

#[test]
fn an_interval_is_made_of_the_samples_that_the_binomial_distribution_says() {
    // the ranks, from 1, that a table of the sign test's critical values has for 95 %
    for (count, ranks, why) in [
        (1, None, "one sample says nothing of where others would lie"),
        (5, None, "all five lie on one side of the median in 6.25 % of all cases"),
        (6, Some((1, 6)), "but all six only in 3.1 %"),
        (8, Some((1, 8)), "seven of eight on one side are 7 %"),
        (9, Some((2, 8)), "eight of nine are 3.9 %"),
        (15, Some((4, 12)), "what a run has by default: 3.5 %"),
        (20, Some((6, 15)), "4.1 %"),
        (100, Some((40, 61)), "3.5 %"),
    ] {
        let samples = Samples::new((1..=count).rev().map(f64::from)).expect("there are some");
        let expected = ranks.map(|(low, high)| [f64::from(low), f64::from(high)]);
        assert_eq!(samples.interval(), expected, "{count} samples: {why}");
    }
}

#[test]
fn a_median_and_quartiles_lie_between_samples() {
    for (values, median, quartiles, why) in [
        (vec![3.0], 3.0, [3.0, 3.0], "of one, all are that one"),
        (vec![4.0, 1.0], 2.5, [1.75, 3.25], "between two, in any order"),
        (vec![5.0, 1.0, 3.0, 2.0, 4.0], 3.0, [2.0, 4.0], "five have them among themselves"),
        (vec![1.0, f64::NAN, 3.0, f64::INFINITY], 2.0, [1.5, 2.5], "a ratio to nothing is no sample"),
    ] {
        let samples = Samples::new(values.into_iter()).expect("there are some");
        assert_eq!((samples.median(), samples.quartiles()), (median, quartiles), "{why}");
    }
    assert!(Samples::new([f64::NAN].into_iter()).is_none(), "there is nothing to say of no sample");
}
