//! What a class of rows tells of a sensitive column, by ranks and counts of its values alone.
//!
//! Source: Machanavajjhala et al., "l-Diversity" (2007), for both forms of diversity; Li, Li and Venkatasubramanian,
//! "t-Closeness" (2007), for the distances: equal ground distances for categories, ordered ones for numbers.

/// Values of larger columns share places. An ordered distance is then off by less than one part in a million.
const PLACES_MAX: u64 = 1 << 20;

/// The values of a column in the whole table, by rank.
#[derive(Debug)]
pub struct Ranks {
    /// Rows of all values.
    rows: u64,
    /// Different values.
    values: u64,
    places: u64,
    /// Rows up to and with each place, as a share.
    up_to: Vec<f64>,
    /// Sums of `up_to` before each place; one more entry.
    sums: Vec<f64>,
}

impl Ranks {
    /// Takes the rows of every value, in the order of the values; `values` is how many there are.
    ///
    /// Memory: 16 bytes per value, of a million values at most.
    pub fn new(values: u64, counts: impl Iterator<Item = u64>) -> Self {
        let mut ranks = Self { rows: 0, values, places: values.min(PLACES_MAX), up_to: Vec::new(), sums: Vec::new() };
        let mut places = vec![0_u64; usize::try_from(ranks.places).unwrap_or(usize::MAX)];
        for (rank, count) in counts.enumerate() {
            let place = ranks.place(rank as u64);
            places[place] += count;
            ranks.rows += count;
        }
        let (mut rows, mut sum) = (0_u64, 0.0);
        for count in places {
            rows += count;
            ranks.up_to.push(rows as f64 / ranks.rows as f64);
            ranks.sums.push(sum);
            sum += rows as f64 / ranks.rows as f64;
        }
        ranks.sums.push(sum);
        ranks
    }

    /// The place of a rank, from 0.
    fn place(&self, rank: u64) -> usize {
        let place = match self.places {
            places if places == self.values => rank,
            places => (u128::from(rank) * u128::from(places) / u128::from(self.values)) as u64,
        };
        place.min(self.places.saturating_sub(1)) as usize
    }

    /// Earth mover's distance of a class, 0 to 1: neighbouring values are `1 / (values - 1)` apart. `class` lists rank and
    /// rows by rank.
    ///
    /// Time: a binary search per value of the class, whatever the table holds.
    fn distance(&self, class: &[(u64, u64)]) -> f64 {
        let rows: u64 = class.iter().map(|(_, count)| count).sum();
        let last = self.up_to.len().saturating_sub(1);
        if last == 0 || rows == 0 {
            return 0.0;
        }
        let (mut sum, mut from, mut below) = (0.0, 0, 0_u64);
        for (rank, count) in class {
            let place = self.place(*rank).min(last);
            sum += self.between(from, place, below as f64 / rows as f64);
            (from, below) = (place, below + count);
        }
        sum += self.between(from, last, 1.0);
        // What adding up left beyond the bounds is no distance.
        (sum / last as f64).clamp(0.0, 1.0)
    }

    /// The sum of `|share - up_to|` over places from `from` to before `to`.
    fn between(&self, from: usize, to: usize, share: f64) -> f64 {
        let middle = from + self.up_to[from..to].partition_point(|up_to| *up_to <= share);
        let (low, high) = (self.sums[middle] - self.sums[from], self.sums[to] - self.sums[middle]);
        (share * (middle - from) as f64 - low) + (high - share * (to - middle) as f64)
    }
}

/// The values of a sensitive column in one class.
#[derive(Debug, Default)]
pub struct Class {
    /// Rank and rows of each value, by rank.
    values: Vec<(u64, u64)>,
    /// Rows of the value in the whole table.
    totals: Vec<u64>,
}

impl Class {
    /// Adds a value: its rank, its rows in the class, and its rows in the whole table. By rank, each once.
    pub fn add(&mut self, rank: u64, rows: u64, total: u64) {
        self.values.push((rank, rows));
        self.totals.push(total);
    }

    pub fn clear(&mut self) {
        self.values.clear();
        self.totals.clear();
    }

    pub fn rows(&self) -> u64 {
        self.values.iter().map(|(_, rows)| rows).sum()
    }

    /// Different values.
    pub fn distinct(&self) -> u64 {
        self.values.len() as u64
    }

    /// Effective number of values: e to the power of the entropy, 1 if there is one value.
    #[expect(clippy::disallowed_methods, reason = "a measure may differ in its last bit; no mask depends on it")]
    pub fn effective(&self) -> f64 {
        let rows = self.rows() as f64;
        let entropy: f64 = self.values.iter().map(|(_, count)| *count as f64 / rows).map(|p| -p * p.ln()).sum();
        entropy.exp()
    }

    /// Distance from the whole table, 0 to 1: over ranks if there are any, else total variation.
    pub fn distance(&self, ranks: Option<&Ranks>, all: u64) -> f64 {
        if let Some(ranks) = ranks {
            return ranks.distance(&self.values);
        }
        let rows = self.rows() as f64;
        let more = |((_, count), total): (&(u64, u64), &u64)| *count as f64 / rows - *total as f64 / all as f64;
        self.values.iter().zip(&self.totals).map(more).filter(|more| *more > 0.0).sum()
    }
}
