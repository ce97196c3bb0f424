//! The rows of a table between decode and encode.
//!
//! A batch keeps the bytes it came with. Columns that pass unmasked are never decoded: they stay in `wire` and are found
//! again through `gaps`. Columns that are masked, or that name the subject of a row, are Arrow arrays in `columns`.
//!
//! ```text
//!  wire row:   | count | len id | id | len email | email | len plan | plan | len notes | notes |
//!                      '-- gap 0 ---'                    '---- gap 1 -----'                     gap 2 (empty)
//!  columns:                          email                                notes
//! ```
//!
//! [`MaskedBatch`] can only be made by [`super::Masker::apply`]: its fields are private and this module has no other
//! constructor. Sinks accept nothing else, so an unmasked row cannot reach one (invariant 1).

use arrow_array::ArrayRef;
use bytes::Bytes;

/// The bytes of a row that lie between two masked columns: offset and length in `wire`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gap {
    pub start: u32,
    pub len: u32,
}

/// Decoded rows that still hold source values. No `Debug`: it must not be printable.
pub struct RawBatch {
    /// Number of rows; every array in `columns` has this length.
    pub rows: usize,
    /// Whole rows as the source sent them, at most 4 GiB.
    pub wire: Bytes,
    /// `rows × (masked columns + 1)` gaps, row by row. Gap `i` of a row lies before masked column `i`; the last one
    /// after the last masked column. The field count of the row and anchors lie in no gap. In the binary format a gap
    /// includes the length words of its fields; in the text format the tabs between its fields, not those at its ends.
    pub gaps: Vec<Gap>,
    /// The decoded columns in the order of [`super::TableSpec::columns`].
    pub columns: Vec<ArrayRef>,
}

/// Rows in which every column that has a mask is masked. Only `mask` can make one.
pub struct MaskedBatch {
    rows: usize,
    wire: Bytes,
    gaps: Vec<Gap>,
    columns: Vec<ArrayRef>,
}

impl MaskedBatch {
    /// Joins the kept bytes of a raw batch with its masked columns; the raw columns are dropped here.
    ///
    /// `columns` holds one array per masked column, in table order, each as long as the batch.
    pub(super) fn new(raw: RawBatch, columns: Vec<ArrayRef>) -> Self {
        debug_assert!(columns.iter().all(|column| column.len() == raw.rows));
        Self { rows: raw.rows, wire: raw.wire, gaps: raw.gaps, columns }
    }

    /// Makes the batch that masks would make if each returned its input, so that encoding can be tested alone.
    ///
    /// `masked` holds the indices into `raw.columns` of the columns that count as masked.
    #[cfg(test)]
    pub(crate) fn unmasked_for_test(raw: RawBatch, masked: &[usize]) -> Self {
        let columns = masked.iter().map(|index| super::nested::owned(&raw.columns[*index])).collect();
        Self::new(raw, columns)
    }

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// `rows × (columns + 1)` gaps, as in [`RawBatch::gaps`].
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }

    /// The masked columns, in table order, in the representation of their [`super::Shape`].
    pub fn columns(&self) -> &[ArrayRef] {
        &self.columns
    }
}
