//! Rows by their place in the heap: what a subset is made of.
//!
//! Under a snapshot and a lock a row keeps its `ctid`, so `(leaf, ctid)` names it without any value of it. Sets of them are
//! compressed bitmaps: a few bytes per row, whatever the rows hold.

use roaring::RoaringTreemap;

/// The `ctid` of a row as one number: `block << 16 | offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(u64);

impl RowId {
    pub fn new(block: u32, offset: u16) -> Self {
        Self(u64::from(block) << 16 | u64::from(offset))
    }

    pub fn block(self) -> u32 {
        (self.0 >> 16) as u32
    }

    pub fn offset(self) -> u16 {
        self.0 as u16
    }

    /// Reads the six bytes that `tidsend` writes; none for anything else.
    pub fn from_wire(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 6] = bytes.try_into().ok()?;
        let [a, b, c, d, e, f] = bytes;
        Some(Self::new(u32::from_be_bytes([a, b, c, d]), u16::from_be_bytes([e, f])))
    }

    /// Reads `(block,offset)`.
    pub fn from_text(text: &str) -> Option<Self> {
        let (block, offset) = text.strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
        Some(Self::new(block.parse().ok()?, offset.parse().ok()?))
    }
}

/// As PostgreSQL writes it: `(7,12)`.
impl std::fmt::Display for RowId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "({},{})", self.block(), self.offset())
    }
}

/// Rows of one leaf.
///
/// Memory: two bytes per row and about forty per heap block that has one.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowSet(RoaringTreemap);

impl RowSet {
    /// Adds a row; tells whether it is new.
    pub fn insert(&mut self, row: RowId) -> bool {
        self.0.insert(row.0)
    }

    pub fn contains(&self, row: RowId) -> bool {
        self.0.contains(row.0)
    }

    pub fn len(&self) -> u64 {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rows in order of their place.
    pub fn iter(&self) -> impl Iterator<Item = RowId> + '_ {
        self.0.iter().map(RowId)
    }

    /// The row at a position, counted from 0 in order of place.
    pub fn nth(&self, position: u64) -> Option<RowId> {
        self.0.select(position).map(RowId)
    }

    /// Adds all rows of `other`.
    pub fn extend(&mut self, other: &RowSet) {
        self.0 |= &other.0;
    }

    /// The rows that are not in `other`.
    #[must_use]
    pub fn without(&self, other: &RowSet) -> RowSet {
        RowSet(&self.0 - &other.0)
    }

    /// The rows that are in both.
    #[must_use]
    pub fn both(&self, other: &RowSet) -> RowSet {
        RowSet(&self.0 & &other.0)
    }

    /// The rows of heap blocks `start..end`; no end: to the last.
    #[must_use]
    pub fn blocks(&self, start: u32, end: Option<u32>) -> RowSet {
        let mut part = self.0.clone();
        if start > 0 {
            part.remove_range(..u64::from(start) << 16);
        }
        if let Some(end) = end {
            part.remove_range(u64::from(end) << 16..);
        }
        RowSet(part)
    }

    /// Lists of at most `size` rows each, in order.
    pub fn batches(&self, size: usize) -> impl Iterator<Item = Vec<RowId>> + '_ {
        let mut rows = self.iter();
        std::iter::from_fn(move || {
            let batch: Vec<RowId> = rows.by_ref().take(size.max(1)).collect();
            (!batch.is_empty()).then_some(batch)
        })
    }

    /// Bytes that the set takes in memory, roughly: what it would take on disk.
    pub fn bytes(&self) -> u64 {
        self.0.serialized_size() as u64
    }
}

impl FromIterator<RowId> for RowSet {
    fn from_iter<T: IntoIterator<Item = RowId>>(rows: T) -> Self {
        Self(rows.into_iter().map(|row| row.0).collect())
    }
}

/// The condition that a query on `alias` returns exactly these rows.
pub fn among_sql(alias: &str, rows: &[RowId]) -> String {
    use std::fmt::Write as _;
    let mut sql = format!("{alias}.ctid = ANY ('{{");
    for (number, row) in rows.iter().enumerate() {
        let comma = if number == 0 { "" } else { "," };
        let _ = write!(sql, "{comma}\"{row}\"");
    }
    sql.push_str("}'::pg_catalog.tid[])");
    sql
}

/// The rows of one leaf that are copied, and those whose references to rows that stay behind become NULL.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Picked {
    /// Disjoint. In each, the columns (by name) that are NULL in the copy.
    pub parts: Vec<(RowSet, Vec<String>)>,
    /// Rows of the leaf, an estimate.
    pub of_rows: u64,
}

impl Picked {
    pub fn len(&self) -> u64 {
        self.parts.iter().map(|(rows, _)| rows.len()).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(rows: &[(u32, u16)]) -> RowSet {
        rows.iter().map(|(block, offset)| RowId::new(*block, *offset)).collect()
    }

    #[test]
    fn places_come_back_from_wire_and_text() {
        let row = RowId::new(u32::MAX - 1, 291);
        assert_eq!(RowId::from_text(&row.to_string()), Some(row));
        assert_eq!(RowId::from_wire(&[0xff, 0xff, 0xff, 0xfe, 0x01, 0x23]), Some(row));
        assert_eq!((RowId::from_wire(&[1, 2, 3]), RowId::from_text("(1;2)")), (None, None));
    }

    #[test]
    fn blocks_cut_a_set_without_loss() {
        let all = set(&[(0, 1), (0, 2), (7, 1), (70_000, 3), (u32::MAX - 1, 9)]);
        let mut joined = all.blocks(0, Some(7));
        assert_eq!(joined, set(&[(0, 1), (0, 2)]));
        joined.extend(&all.blocks(7, Some(70_000)));
        joined.extend(&all.blocks(70_000, None));
        assert_eq!(joined, all);
    }

    #[test]
    fn batches_hold_every_row_once_and_in_order() {
        let all: RowSet = (0..25).map(|number| RowId::new(number / 4, (number % 4) as u16 + 1)).collect();
        let batches: Vec<Vec<RowId>> = all.batches(10).collect();
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
        assert!(batches.concat().is_sorted());
        assert_eq!(batches.concat().into_iter().collect::<RowSet>(), all);
        assert_eq!(all.nth(10), batches[1].first().copied());
    }

    #[test]
    fn condition_names_the_rows_as_the_server_writes_them() {
        let rows = [RowId::new(0, 1), RowId::new(12, 3)];
        assert_eq!(among_sql("t", &rows), "t.ctid = ANY ('{\"(0,1)\",\"(12,3)\"}'::pg_catalog.tid[])");
    }
}
