//! Columns that look like nobody's, and hold what people are called in others.
//!
//! A few first names look like the words of a status. Names that nobody masks are no reason to ask; those of columns that
//! hold names are compared, word by word and as hashes, with the values of columns that would be kept.

use super::TableFound;
use crate::detect::Sample;
use crate::plan::draft::NAMES;
use crate::plan::is_own_reason;
use std::collections::HashSet;

/// Words of names that are remembered, and columns that are compared with them.
const NAMES_MAX: usize = 200_000;
const COLUMNS_MAX: usize = 20_000;
/// Values of a column that are compared.
const VALUES_MAX: usize = 64;
/// Fewer different values with a name are chance: somebody is called like a status. The share of all, in tenths.
const HITS_MIN: usize = 3;
const HITS_OF_TEN: usize = 8;

/// What is remembered of all tables. Bounded: hashes.
#[derive(Default)]
pub(super) struct Named {
    names: HashSet<u64>,
    kept: Vec<Kept>,
}

/// A column that would be kept: the words of its values.
struct Kept {
    table: usize,
    column: usize,
    values: Vec<Box<[u64]>>,
}

impl Named {
    /// Takes in a table that was judged, `number` among those found.
    pub fn read(&mut self, number: usize, table: &TableFound, samples: &[Sample]) {
        for (place, (column, sample)) in table.columns.iter().zip(samples).enumerate() {
            // Words that few names are made of: a text that was found to hold one is not a list of names.
            if column.findings.first().is_some_and(|said| NAMES.contains(&said.category.as_str())) {
                let room = NAMES_MAX.saturating_sub(self.names.len());
                self.names.extend(sample.words().flatten().take(room));
            }
            let kept = column.proposal.as_deref().and_then(reason).is_some_and(is_own_reason);
            if kept && !column.open && self.kept.len() < COLUMNS_MAX {
                let values: Vec<Box<[u64]>> = sample.words().take(VALUES_MAX).map(Into::into).collect();
                if values.len() >= HITS_MIN {
                    self.kept.push(Kept { table: number, column: place, values });
                }
            }
        }
    }

    /// Leaves those to a person whose values nearly all have a name in them.
    pub fn ask(self, tables: &mut [TableFound]) {
        for kept in &self.kept {
            let hits = kept.values.iter().filter(|words| words.iter().any(|word| self.names.contains(word))).count();
            if hits >= HITS_MIN && hits * 10 >= kept.values.len() * HITS_OF_TEN {
                let column = &mut tables[kept.table].columns[kept.column];
                let text = !column.type_name.ends_with("[]");
                let safe = if text { "\"pattern\"" } else { "\"null\"" };
                (column.proposal, column.open) = (Some(safe.to_owned()), true);
            }
        }
    }
}

/// The reason of `{ keep = "…" }`.
fn reason(toml: &str) -> Option<&str> {
    toml.strip_prefix("{ keep = \"")?.strip_suffix("\" }")
}
