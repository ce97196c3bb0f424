//! Both sides of one column, made of a sample of rows.

use super::rows::{Cell, Rows};
use super::{ks, psi, spearman, total_variation};
use std::collections::HashMap;

/// Bins of a histogram.
const BINS: usize = 32;
/// Most frequent values whose shares are told.
const TOP: usize = 16;
/// Patterns that are told.
const PATTERNS: usize = 8;
/// A pattern is told if so many rows of one side have it: one of a few people could be known by theirs.
const PATTERN_ROWS_MIN: usize = 20;
/// Share of the numbers of the source below the first bin of a histogram, and above the last.
const BEYOND: f64 = 0.01;

/// One side of a column. Shares are of the values that are not NULL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Side {
    pub top: Vec<f64>,
    pub histogram: Vec<f64>,
    pub lengths: Vec<f64>,
    pub patterns: Vec<(String, f64)>,
}

/// Both sides, and how far they are apart; none where the column has no such thing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compared {
    /// Before and after.
    pub sides: [Side; 2],
    pub ks: Option<f64>,
    pub psi: Option<f64>,
    pub lengths: Option<f64>,
    pub patterns: Option<f64>,
    pub frequencies: Option<f64>,
}

impl Compared {
    /// Compares a column of a sample.
    pub fn of(rows: &Rows, column: usize) -> Self {
        let side = |side: usize| rows.column(column).map(|pair| pair[side]).filter(|cell| cell.print != 0).collect();
        let cells: [Vec<Cell>; 2] = [side(0), side(1)];
        let mut compared = Self::default();
        let top = [frequencies(&cells[0]), frequencies(&cells[1])];
        let numbers = [numbers(&cells[0]), numbers(&cells[1])];
        if cells.iter().all(|cells| !cells.is_empty()) {
            compared.frequencies = Some(total_variation(&top[0], &top[1]));
        }
        (compared.ks, compared.psi) = (ks(&numbers[0], &numbers[1]), psi(&numbers[0], &numbers[1]));
        if let Some((low, width)) = range(&numbers[0]) {
            for (side, numbers) in compared.sides.iter_mut().zip(&numbers) {
                side.histogram = histogram(numbers, low, width);
            }
        }
        if cells.iter().flatten().any(|cell| cell.text.is_some()) {
            let counts = [count(&cells[0], |shape| shape.pattern()), count(&cells[1], |shape| shape.pattern())];
            let lengths = [lengths(&cells[0]), lengths(&cells[1])];
            compared.lengths = Some(total_variation(&lengths[0], &lengths[1]));
            compared.patterns = Some(apart(&counts, [cells[0].len(), cells[1].len()]));
            let told = told(&counts);
            for (number, (side, lengths)) in compared.sides.iter_mut().zip(lengths).enumerate() {
                side.lengths = lengths;
                side.patterns = shares(&told, &counts[number], cells[number].len());
            }
        }
        for (side, top) in compared.sides.iter_mut().zip(top) {
            side.top = top.into_iter().take(TOP).collect();
        }
        compared
    }
}

/// Rank correlation of two columns before and after, and the rows in which both have a number.
pub fn correlation(rows: &Rows, left: usize, right: usize) -> Option<(usize, f64, f64)> {
    let pairs = |side: usize| -> Vec<(f64, f64)> {
        let both = rows.column(left).zip(rows.column(right));
        both.filter_map(|(left, right)| left[side].number.zip(right[side].number)).collect()
    };
    let before = pairs(0);
    Some((before.len(), spearman(&before)?, spearman(&pairs(1))?))
}

fn numbers(cells: &[Cell]) -> Vec<f64> {
    let mut numbers: Vec<f64> = cells.iter().filter_map(|cell| cell.number).collect();
    numbers.sort_by(f64::total_cmp);
    numbers
}

/// Shares of values, largest first.
fn frequencies(cells: &[Cell]) -> Vec<f64> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    for cell in cells {
        *counts.entry(cell.print).or_default() += 1;
    }
    let mut counts: Vec<usize> = counts.into_values().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    counts.into_iter().map(|count| count as f64 / cells.len() as f64).collect()
}

/// Where bins begin, and how wide they are: most of the source is within.
fn range(source: &[f64]) -> Option<(f64, f64)> {
    let beyond = (source.len() as f64 * BEYOND) as usize;
    let (low, high) = (*source.get(beyond)?, *source.get(source.len() - 1 - beyond)?);
    (high > low).then(|| (low, (high - low) / BINS as f64))
}

fn histogram(numbers: &[f64], low: f64, width: f64) -> Vec<f64> {
    let mut bins = vec![0.0; BINS];
    for number in numbers {
        // A cast from below 0 gives 0.
        bins[(((number - low) / width) as usize).min(BINS - 1)] += 1.0 / numbers.len() as f64;
    }
    bins
}

fn lengths(cells: &[Cell]) -> Vec<f64> {
    let mut bins = vec![0.0; BINS];
    for shape in cells.iter().filter_map(|cell| cell.text) {
        bins[(shape.length as usize).min(BINS - 1)] += 1.0 / cells.len() as f64;
    }
    bins
}

fn count(cells: &[Cell], of: impl Fn(super::rows::Shape) -> String) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for shape in cells.iter().filter_map(|cell| cell.text) {
        *counts.entry(of(shape)).or_default() += 1;
    }
    counts
}

/// Total variation between the patterns of both sides, those that are not told included.
fn apart(counts: &[HashMap<String, usize>; 2], rows: [usize; 2]) -> f64 {
    let mut patterns: Vec<&String> = counts[0].keys().chain(counts[1].keys()).collect();
    patterns.sort_unstable();
    patterns.dedup();
    let share = |side: usize| -> Vec<f64> {
        let of = |pattern: &&String| counts[side].get(*pattern).copied().unwrap_or(0) as f64;
        patterns.iter().map(|pattern| of(pattern) / rows[side].max(1) as f64).collect()
    };
    total_variation(&share(0), &share(1))
}

/// The patterns to tell: the most frequent ones of either side that enough rows have.
fn told(counts: &[HashMap<String, usize>; 2]) -> Vec<String> {
    let most = |pattern: &String| counts.iter().filter_map(|counts| counts.get(pattern)).copied().max().unwrap_or(0);
    let mut patterns: Vec<String> = counts.iter().flat_map(HashMap::keys).cloned().collect();
    patterns.sort_unstable();
    patterns.dedup();
    patterns.retain(|pattern| most(pattern) >= PATTERN_ROWS_MIN);
    patterns.sort_by_key(|pattern| std::cmp::Reverse(most(pattern)));
    patterns.truncate(PATTERNS);
    patterns
}

fn shares(told: &[String], counts: &HashMap<String, usize>, rows: usize) -> Vec<(String, f64)> {
    let share = |pattern: &String| counts.get(pattern).copied().unwrap_or(0) as f64 / rows.max(1) as f64;
    let mut shares: Vec<(String, f64)> = told.iter().map(|pattern| (pattern.clone(), share(pattern))).collect();
    let rest = if rows == 0 { 0.0 } else { (1.0 - shares.iter().map(|(_, share)| share).sum::<f64>()).max(0.0) };
    shares.push(("other".to_owned(), rest));
    shares
}
