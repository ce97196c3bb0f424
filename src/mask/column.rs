//! The contract between a mask and the batch it works in: one column in, one column out.

use super::key::RealmKey;
use super::leaf::TextBuilder;
use super::{MaskSpec, Params, Shape, TableSpec};
use crate::error::{Diagnose, Exit, Report};
use arrow_array::{ArrayRef, StringArray};
use std::borrow::Cow;

/// What a mask sees of the rows around its column.
pub struct Rows<'a> {
    /// Number of rows in the batch.
    pub len: usize,
    /// The canonical subject of each row, per subject slot; null where the row has none.
    pub subjects: &'a [StringArray],
    /// The decoded source columns, in the order of [`TableSpec::columns`].
    pub raw: &'a [ArrayRef],
    /// The masked columns computed so far, by [`TableSpec::columns`] index.
    pub masked: &'a [Option<ArrayRef>],
    /// The batch row of each row a mask sees, where these are the leaves of a container; none for a whole column.
    pub origin: Option<&'a [u32]>,
}

impl Rows<'_> {
    /// Returns the index into `raw`, `masked` and `subjects` for a row of the column being masked.
    #[inline]
    pub fn row(&self, row: usize) -> usize {
        self.origin.map_or(row, |origin| origin[row] as usize)
    }

    /// Returns the canonical subject of a row in a slot; none if the row has no subject.
    pub fn subject(&self, slot: usize, row: usize) -> Option<&str> {
        use arrow_array::Array;
        let row = self.row(row);
        let subjects = self.subjects.get(slot)?;
        subjects.is_valid(row).then(|| subjects.value(row))
    }
}

/// Text values from inside the values of a column (JSON strings, spans of free text), each with its row.
#[derive(Default)]
pub struct Leaves {
    text: String,
    /// End in `text`, row.
    ends: Vec<(usize, usize)>,
}

impl Leaves {
    pub fn push(&mut self, value: &str, row: usize) {
        self.text.push_str(value);
        self.ends.push((self.text.len(), row));
    }

    /// Takes the last value back.
    pub fn pop(&mut self) {
        self.ends.pop();
        self.text.truncate(self.ends.last().map_or(0, |last| last.0));
    }

    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Value number `index`.
    pub fn value(&self, index: usize) -> &str {
        let start = if index == 0 { 0 } else { self.ends[index - 1].0 };
        &self.text[start..self.ends[index].0]
    }

    /// The row of value number `index`.
    pub fn row(&self, index: usize) -> usize {
        self.ends[index].1
    }

    /// Every value with its row.
    pub fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.ends.iter().enumerate().map(|(index, (_, row))| (self.value(index), *row))
    }
}

/// One compiled mask of one column.
///
/// Called once per batch, from any worker and from several at once, so an implementation keeps no state that could make
/// the output depend on the order of calls. After an error the batch is thrown away.
pub trait ColumnMask: Send + Sync {
    /// Masks a whole column. The result has the length of `column` and the output array of its [`Shape`].
    ///
    /// # Errors
    /// [`MaskError`] if a value cannot be masked and the policy says `on_invalid = "fail"`.
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError>;

    /// Masks one text value (a JSON string leaf, a span of free text) of row `row`; appends the mask to `out`.
    ///
    /// A mask that gives NULL in a column appends nothing here: the place of a leaf is kept, its content is not.
    ///
    /// # Errors
    /// As [`ColumnMask::apply`].
    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError>;

    /// Masks several leaves; appends one value to `out` for each. As [`ColumnMask::text`] for each of them, and faster
    /// for kinds that compute hashes side by side.
    ///
    /// # Errors
    /// As [`ColumnMask::apply`].
    fn leaves(&self, leaves: &Leaves, rows: &Rows<'_>, out: &mut TextBuilder) -> Result<(), MaskError> {
        for (value, row) in leaves.iter() {
            self.text(value, row, rows, &mut out.values)?;
            out.close(true)?;
        }
        Ok(())
    }

    /// Masks one integer (a JSON number leaf); none if the kind does not take numbers.
    ///
    /// # Errors
    /// As [`ColumnMask::apply`].
    fn integer(&self, _value: i64, _row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        Ok(None)
    }

    /// Masks one boolean (a JSON leaf); none if the kind does not take booleans, so that it must not stay.
    ///
    /// # Errors
    /// As [`ColumnMask::apply`].
    fn boolean(&self, _value: bool, _row: usize, _rows: &Rows<'_>) -> Result<Option<bool>, MaskError> {
        Ok(None)
    }

    /// Whether it has replaced keys of documents, which a `jsonb` is sorted by: the server stores these in another order
    /// than they were sent in.
    fn moves_keys(&self) -> bool {
        false
    }

    /// Returns the [`TableSpec::columns`] indexes whose masked form must exist before this mask runs.
    fn after(&self) -> Vec<usize> {
        Vec::new()
    }
}

/// Passed to a kind's compile function: the mask to build and where it stands.
pub struct Compile<'a> {
    pub realm: &'a RealmKey,
    pub table: &'a TableSpec,
    /// Index of the column in [`TableSpec::columns`].
    pub column: usize,
    pub shape: Shape,
    pub spec: &'a MaskSpec,
    /// Slot in [`Rows::subjects`].
    pub subject: Option<usize>,
    /// The columns that name subjects, by slot.
    pub subjects: &'a [(usize, Shape)],
}

impl Compile<'_> {
    /// Compiles the mask of a leaf (a JSON path, a span of text) of this column, with the same table and subject.
    ///
    /// # Errors
    /// [`CompileError`] as for a column of its own.
    pub fn nested(
        &self,
        kind: &str,
        label: &str,
        params: Params,
        shape: Shape,
    ) -> Result<Box<dyn ColumnMask>, CompileError> {
        let found = super::kind(kind).ok_or_else(|| self.error(Refusal::UnknownKind { kind: kind.to_owned() }))?;
        let spec = MaskSpec { kind: found.full_name(), label: label.to_owned(), params, subject: self.spec.subject };
        let inner = Compile { spec: &spec, shape, ..*self };
        found.compile(&inner)
    }

    /// The place of the mask of another column of the table; none if it has no mask, or one that cannot be built.
    pub fn at_column(&self, column: usize) -> Option<Compile<'_>> {
        let found = self.table.columns.get(column)?;
        let spec = found.mask.as_ref()?;
        let subject = match spec.subject {
            None => None,
            Some(index) => Some(self.subjects.iter().position(|(named, _)| *named == index)?),
        };
        Some(Compile { column, shape: found.shape.clone(), spec, subject, ..*self })
    }

    /// Returns an error about this column.
    pub fn error(&self, refusal: Refusal) -> CompileError {
        CompileError { column: self.column_name().to_owned(), refusal }
    }

    /// Finds another column of the mask's own table; none if it is neither masked nor read.
    pub fn column_beside(&self, name: &str) -> Option<usize> {
        let own = self.column_name();
        // Names are written `schema.table.column`, and each may hold dots: the shortest that ends in `.name` and begins
        // like the mask's own column is in the same table.
        let table = |column: &str| {
            let table = column.strip_suffix(name)?;
            (table.ends_with('.') && own.starts_with(table)).then_some(table.len())
        };
        let candidates = self.table.columns.iter().enumerate();
        candidates.filter_map(|(index, column)| Some((table(&column.name)?, index))).min().map(|(_, index)| index)
    }

    /// Returns `schema.table.column`.
    pub fn column_name(&self) -> &str {
        self.table.columns.get(self.column).map_or("", |column| column.name.as_str())
    }
}

/// Why a mask cannot be built. Carries names of the policy and limits, never a value of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no mask kind `{kind}`")]
    UnknownKind { kind: String },
    #[error("mask `{kind}` has no parameter `{param}`")]
    UnknownParam { kind: String, param: String },
    #[error("parameter `{param}` of mask `{kind}` must be {expected}")]
    BadParam { kind: String, param: String, expected: String },
    #[error("mask `{kind}` does not take a column of this type")]
    WrongShape { kind: String },
    #[error("mask `{kind}` needs a `subject`")]
    NeedsSubject { kind: String },
    #[error("mask `{kind}` needs room for {least} characters")]
    TooNarrow { kind: String, least: u32 },
    #[error("its subject is not a column of the table, or a column no mask can use as subject")]
    BadSubject,
    #[error("masks wait for each other's columns")]
    Cycle,
}

/// A mask of a column that cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column \"{column}\" cannot be masked: {refusal}")]
pub struct CompileError {
    /// `schema.table.column`.
    pub column: String,
    pub refusal: Refusal,
}

impl Diagnose for CompileError {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn reports(&self) -> Vec<Report> {
        let code = match self.refusal {
            Refusal::UnknownKind { .. } => "mask::unknown-kind",
            Refusal::UnknownParam { .. } => "mask::unknown-parameter",
            Refusal::BadParam { .. } => "mask::bad-parameter",
            Refusal::WrongShape { .. } => "mask::wrong-type",
            Refusal::NeedsSubject { .. } => "mask::needs-subject",
            Refusal::TooNarrow { .. } => "mask::too-narrow",
            Refusal::BadSubject => "mask::bad-subject",
            Refusal::Cycle => "mask::cycle",
        };
        vec![Report::new(code, self.to_string())]
    }
}

/// A value that could not be masked: where, and why in words of ours. Never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("column \"{column}\", row {row} of the batch: {reason}")]
pub struct MaskError {
    /// `schema.table.column`; [`super::Masker::apply`] fills it in.
    pub column: String,
    /// 0-based row inside the batch.
    pub row: usize,
    pub reason: Cow<'static, str>,
    /// A program of the user's is to blame, not the value.
    pub program: bool,
}

impl MaskError {
    /// Makes an error about a row; the caller that knows the column adds its name.
    pub fn at(row: usize, reason: &'static str) -> Self {
        Self { column: String::new(), row, reason: Cow::Borrowed(reason), program: false }
    }

    /// Makes an error about what a program of the user's did.
    pub(super) fn of_program(row: usize, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { column: String::new(), row, reason: reason.into(), program: true }
    }

    /// Names the column.
    #[must_use]
    pub fn in_column(mut self, name: &str) -> Self {
        name.clone_into(&mut self.column);
        self
    }
}

impl Diagnose for MaskError {
    fn exit(&self) -> Exit {
        Exit::Source
    }

    fn reports(&self) -> Vec<Report> {
        if self.program {
            return vec![
                Report::new("mask::program", format!("the program of column \"{}\" gave no masks", self.column))
                    .detail(format!("Row {} of its batch: {}.", self.row, self.reason))
                    .hint("Run it by hand; `stderr = \"show\"` shows what it prints. restage kinds command     # tells what it is asked"),
            ];
        }
        vec![
            Report::new("mask::refused-value", format!("a value of column \"{}\" cannot be masked", self.column))
                .detail(format!("Row {} of its batch: {}.", self.row, self.reason))
                .hint("Set `on_invalid = \"pattern\"` or `\"null\"` on the column, or correct the row in the source."),
        ]
    }
}
