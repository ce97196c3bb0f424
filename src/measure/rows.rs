//! A uniform sample of the rows of a table, before and after the masks, in bounded memory.
//!
//! A row gets a random tag and is in the sample if the tag is below a limit, which is halved whenever there are too many:
//! every row is as likely to be in it, and samples of parts join to one of the whole. Of a value there is a fingerprint,
//! its number, its length and its pattern; nothing of it leaves this module but shares and distances.

/// Rows of one table at most. The distribution of so many is off by 0.021 at its worst place in one case of twenty
/// (Dvoretzky, Kiefer and Wolfowitz: 1.36 / √n on both sides), which is far below what gates are about.
pub const ROWS_MAX: usize = 4096;
/// Fewest rows of a large table, however many tables share the budget.
pub const ROWS_MIN: usize = 64;
/// Memory of a value, before and after.
pub const PAIR_BYTES: usize = 2 * std::mem::size_of::<Cell>();
/// Pattern characters of a value; the rest of a long one is left out.
const PATTERN_MAX: u32 = 32;

/// What is kept of one value.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cell {
    /// Fingerprint; 0: NULL.
    pub print: u64,
    /// Number or time, if the value has one that is finite.
    pub number: Option<f64>,
    pub text: Option<Shape>,
}

/// Length and pattern of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Characters.
    pub length: u32,
    /// Four bits for each run of characters of one class, the first run lowest; two words, because one u128 would have
    /// cells aligned to 16 bytes.
    pattern: [u64; 2],
}

/// Classes of characters, as they are told; the first is the end of a pattern.
const CLASSES: [char; 12] = ['\0', 'A', 'a', '9', '@', '.', '-', '/', ':', '+', ' ', '_'];

impl Shape {
    pub fn of(text: &str) -> Self {
        let (mut pattern, mut used, mut last, mut length) = (0_u128, 0, 0, 0);
        for c in text.chars() {
            length += 1;
            let class = match c {
                '0'..='9' => 3,
                '@' | '.' | '-' | '/' | ':' | '+' | ' ' => CLASSES.iter().position(|known| *known == c).unwrap_or(11),
                c if c.is_uppercase() => 1,
                c if c.is_alphabetic() => 2,
                _ => 11,
            };
            if class != last && used < PATTERN_MAX {
                pattern |= (class as u128) << (4 * used);
                used += 1;
            }
            last = class;
        }
        Self { length, pattern: [pattern as u64, (pattern >> 64) as u64] }
    }

    /// The pattern as it is told.
    pub fn pattern(&self) -> String {
        let bits = u128::from(self.pattern[0]) | u128::from(self.pattern[1]) << 64;
        let class = |place: u32| CLASSES.get((bits >> (4 * place) & 15) as usize).copied().unwrap_or('_');
        (0..PATTERN_MAX).map(class).take_while(|class| *class != '\0').collect()
    }
}

/// Sampled rows of a table.
#[derive(Debug)]
pub struct Rows {
    columns: usize,
    rows_max: usize,
    limit: u64,
    tags: Vec<u64>,
    /// Row by row, one pair per column.
    pairs: Vec<[Cell; 2]>,
}

impl Rows {
    /// An empty sample of rows whose tag is below `limit`, which never holds more than `rows_max`.
    pub fn below(columns: usize, rows_max: usize, limit: u64) -> Self {
        Self { columns, rows_max, limit, tags: Vec::new(), pairs: Vec::new() }
    }

    /// Rows with this tag or a higher one are not in the sample.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    pub fn len(&self) -> usize {
        self.tags.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Every row of the table is in it.
    pub fn whole(&self) -> bool {
        self.limit == u64::MAX
    }

    /// Adds a row; `pairs` has the values of each column before and after.
    pub fn add(&mut self, tag: u64, pairs: impl Iterator<Item = [Cell; 2]>) {
        if tag >= self.limit {
            return;
        }
        self.tags.push(tag);
        self.pairs.extend(pairs);
        debug_assert_eq!(self.pairs.len(), self.tags.len() * self.columns, "a pair for each column");
        while self.tags.len() > self.rows_max && self.limit > 1 {
            self.lower(self.limit / 2);
        }
    }

    /// Joins the sample of another part of the table.
    pub fn join(&mut self, other: &Rows) {
        self.lower(other.limit);
        for (row, tag) in other.tags.iter().enumerate() {
            let pairs = &other.pairs[row * self.columns..(row + 1) * self.columns];
            self.add(*tag, pairs.iter().copied());
        }
    }

    fn lower(&mut self, limit: u64) {
        if limit >= self.limit {
            return;
        }
        self.limit = limit;
        let mut kept = 0;
        for row in 0..self.tags.len() {
            if self.tags[row] < limit {
                self.tags[kept] = self.tags[row];
                self.pairs.copy_within(row * self.columns..(row + 1) * self.columns, kept * self.columns);
                kept += 1;
            }
        }
        self.tags.truncate(kept);
        self.pairs.truncate(kept * self.columns);
    }

    /// The values of one column, before and after, row by row.
    pub fn column(&self, column: usize) -> impl Iterator<Item = &[Cell; 2]> + '_ {
        self.pairs.iter().skip(column).step_by(self.columns.max(1))
    }
}
