use super::{Class, Ranks, ks, psi, spearman, total_variation};

fn near(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-9
}

fn class(values: &[(u64, u64, u64)]) -> Class {
    let mut class = Class::default();
    for (rank, rows, total) in values {
        class.add(*rank, *rows, *total);
    }
    class
}

#[test]
fn distances_of_salaries_are_those_of_the_paper() {
    // Li, Li, Venkatasubramanian 2007, section 4.2: nine salaries of 3k to 11k, one row each.
    let ranks = Ranks::new(9, std::iter::repeat_n(1, 9));
    let low = class(&[(0, 1, 1), (1, 1, 1), (2, 1, 1)]);
    let mixed = class(&[(3, 1, 1), (5, 1, 1), (8, 1, 1)]);
    assert!(near(low.distance(Some(&ranks), 9), 0.375), "{}", low.distance(Some(&ranks), 9));
    assert!((mixed.distance(Some(&ranks), 9) - 0.167).abs() < 5e-4, "{}", mixed.distance(Some(&ranks), 9));
    assert!(near(class(&[(0, 1, 1), (4, 1, 1), (8, 1, 1)]).distance(None, 9), 2.0 / 3.0));
}

#[test]
fn ordered_distances_are_those_of_the_definition() {
    let counts = [3_u64, 1, 4, 1, 5, 9, 2, 6];
    let (all, places) = (31.0, counts.len());
    let ranks = Ranks::new(8, counts.into_iter());
    for values in [vec![(0, 2), (7, 1)], vec![(2, 4)], vec![(1, 1), (4, 2), (5, 3)]] {
        let values: Vec<(u64, u64, u64)> =
            values.into_iter().map(|(rank, rows)| (rank, rows, counts[rank as usize])).collect();
        let class = class(&values);
        let (mut sum, mut carried) = (0.0, 0.0);
        for (place, count) in counts.iter().enumerate().take(places - 1) {
            let here = values.iter().find(|value| value.0 == place as u64).map_or(0.0, |value| value.1 as f64);
            carried += here / class.rows() as f64 - *count as f64 / all;
            sum += f64::abs(carried);
        }
        assert!(near(class.distance(Some(&ranks), 31), sum / (places - 1) as f64));
    }
}

#[test]
fn a_class_like_the_table_is_at_no_distance_and_one_value_has_one_effective_value() {
    let ranks = Ranks::new(2, [10, 30].into_iter());
    let same = class(&[(0, 1, 10), (1, 3, 30)]);
    assert!(near(same.distance(Some(&ranks), 40), 0.0) && near(same.distance(None, 40), 0.0));
    assert!(near(class(&[(1, 5, 30)]).effective(), 1.0));
    assert!(near(class(&[(0, 2, 9), (1, 2, 9), (2, 2, 9), (3, 2, 9)]).effective(), 4.0));
    assert_eq!(class(&[(0, 2, 9), (3, 2, 9)]).distinct(), 2);
}

#[test]
fn more_values_than_places_are_nearly_as_far() {
    let values = 3_000_000_u64;
    let ranks = Ranks::new(values, std::iter::repeat_n(1, values as usize));
    // Half of the mass moves by half of the way: everything in the lower half is a quarter away.
    let low = class(&[(0, 1, 1)]);
    assert!((low.distance(Some(&ranks), values) - 0.5).abs() < 1e-5, "{}", low.distance(Some(&ranks), values));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "computed again as it is in the tested code")]
fn samples_are_as_far_apart_as_counted_by_hand() {
    assert_eq!(ks(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 4.0]), Some(0.0));
    assert_eq!(ks(&[1.0, 2.0], &[3.0, 4.0]), Some(1.0));
    assert_eq!(ks(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]), Some(0.5));
    assert_eq!(ks(&[], &[1.0]), None);
    assert!(near(total_variation(&[0.5, 0.5], &[0.5, 0.25, 0.25]), 0.25));
    let source: Vec<f64> = (1..=10).map(f64::from).collect();
    assert!(near(psi(&source, &source).expect("values"), 0.0));
    // Half of the lowest bin's twin: one of ten bins has 0.2, another none.
    let moved: Vec<f64> = [1.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0].to_vec();
    let expected = (0.2 - 0.1) * (0.2_f64 / 0.1).ln() + (1e-4 - 0.1) * (1e-4_f64 / 0.1).ln();
    assert!(near(psi(&source, &moved).expect("values"), expected));
}

#[test]
fn rank_correlation_takes_ties_by_their_mean() {
    assert_eq!(spearman(&[(1.0, 1.0), (2.0, 4.0), (3.0, 9.0)]), Some(1.0));
    assert_eq!(spearman(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]), Some(-1.0));
    assert_eq!(spearman(&[(1.0, 5.0), (2.0, 5.0)]), None);
    // By hand: ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4.
    let tied = spearman(&[(10.0, 1.0), (20.0, 2.0), (20.0, 3.0), (30.0, 4.0)]).expect("both change");
    assert!(near(tied, 4.5 / (4.5_f64 * 5.0).sqrt()), "{tied}");
}
