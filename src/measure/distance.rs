//! Distances between two samples or two lists of shares.

/// Bins of [`psi`], as it is usually computed.
const PSI_BINS: usize = 10;
/// What an empty bin counts as, so that its logarithm exists.
const PSI_LEAST: f64 = 1e-4;

/// Half the sum of the differences of shares, 0 to 1; what is missing at the end of one list is 0.
pub fn total_variation(left: &[f64], right: &[f64]) -> f64 {
    let at = |list: &[f64], index: usize| list.get(index).copied().unwrap_or(0.0);
    let bins = left.len().max(right.len());
    (0..bins).map(|index| (at(left, index) - at(right, index)).abs()).sum::<f64>() / 2.0
}

/// The largest difference of two distribution functions (Kolmogorov and Smirnov), 0 to 1; none without values.
///
/// Both samples are sorted.
pub fn ks(left: &[f64], right: &[f64]) -> Option<f64> {
    if left.is_empty() || right.is_empty() {
        return None;
    }
    let (mut i, mut j, mut largest) = (0, 0, 0.0_f64);
    while i < left.len() && j < right.len() {
        let value = left[i].min(right[j]);
        while i < left.len() && left[i] <= value {
            i += 1;
        }
        while j < right.len() && right[j] <= value {
            j += 1;
        }
        largest = largest.max((i as f64 / left.len() as f64 - j as f64 / right.len() as f64).abs());
    }
    Some(largest)
}

/// Population stability index of `staging` over ten bins that hold equal shares of `source`; none without values.
///
/// Both samples are sorted. Bins end with a value of the source, the value included; equal values are in one bin, so
/// there are fewer bins where few values are frequent. A share of 0 counts as 0.0001.
#[expect(clippy::disallowed_methods, reason = "a measure may differ in its last bit; no mask depends on it")]
pub fn psi(source: &[f64], staging: &[f64]) -> Option<f64> {
    if source.is_empty() || staging.is_empty() {
        return None;
    }
    let mut ends: Vec<f64> = (1..PSI_BINS).map(|bin| source[(bin * source.len()).div_ceil(PSI_BINS) - 1]).collect();
    ends.dedup();
    let share = |sample: &[f64]| -> Vec<f64> {
        let upto: Vec<usize> = ends.iter().map(|end| sample.partition_point(|value| value <= end)).collect();
        let starts = std::iter::once(0).chain(upto.iter().copied());
        let stops = upto.iter().copied().chain([sample.len()]);
        starts.zip(stops).map(|(start, stop)| (stop - start) as f64 / sample.len() as f64).collect()
    };
    let term = |(was, is): (f64, f64)| {
        let (was, is) = (was.max(PSI_LEAST), is.max(PSI_LEAST));
        (is - was) * (is / was).ln()
    };
    Some(share(source).into_iter().zip(share(staging)).map(term).sum())
}

/// Rank correlation of pairs (Spearman), -1 to 1, equal values sharing their mean rank; none if one side never changes.
pub fn spearman(pairs: &[(f64, f64)]) -> Option<f64> {
    let left = ranks(pairs.iter().map(|pair| pair.0).collect());
    let right = ranks(pairs.iter().map(|pair| pair.1).collect());
    let mean = (pairs.len() as f64 + 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let spread = (product(&left, &left) * product(&right, &right)).sqrt();
    (spread > 0.0).then(|| product(&left, &right) / spread)
}

/// Ranks from 1 on; equal values have the mean of theirs.
fn ranks(values: Vec<f64>) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let same = order[start..].iter().take_while(|index| values[**index] == values[order[start]]).count().max(1);
        for index in &order[start..start + same] {
            ranks[*index] = start as f64 + (same as f64 + 1.0) / 2.0;
        }
        start += same;
    }
    ranks
}
