//! What every kind on text has in common: rules 1 to 3 of MASKING.md section 4, done once.
//!
//! A kind says how one value is masked and which values it can read. This module walks the column, keeps NULL, empty
//! and blank values, sends unreadable values to `on_invalid`, and writes all masks into one buffer.

use super::canon::is_blank;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::kind::{Domain, Param};
use super::pattern::Pattern;
use super::{Kind, Shape};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::{Buffer, NullBufferBuilder, OffsetBuffer, ScalarBuffer};
use std::sync::{Arc, Mutex, PoisonError};

/// The parameter of every kind that reads a format.
pub(super) const ON_INVALID: Param = Param {
    name: "on_invalid",
    summary: "what becomes of a value that does not have the format of the kind",
    domain: Domain::OneOf(&["pattern", "null", "fail"]),
    default: "pattern",
};

/// The parameter of every kind that merges case variants.
pub(super) const FOLD: Param =
    Param { name: "fold", summary: "case variants of a value share a mask", domain: Domain::Bool, default: "true" };

/// Walks after which a value that keeps turning into something readable becomes NULL. Never reached by the kinds here.
const WALKS_MAX: u32 = 10_000;

/// How one kind masks one text.
pub(super) trait TextKind: Send + Sync + 'static {
    /// Buffers and memos of one worker; never part of the output.
    type Scratch: Default + Send;

    /// Appends the mask of `value`, which is not blank; false, with `out` unchanged, if the kind cannot read it.
    fn mask(&self, value: &str, at: At<'_>, scratch: &mut Self::Scratch, out: &mut String) -> bool;

    /// Tells whether the kind can read `value`.
    fn reads(&self, value: &str, scratch: &mut Self::Scratch) -> bool;

    /// Masks a number leaf; none if the kind does not take numbers.
    fn integer(&self, _value: i64) -> Option<i64> {
        None
    }
}

/// The row a value stands in.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub row: usize,
    pub rows: &'a Rows<'a>,
}

impl<'a> At<'a> {
    /// The canonical subject of the row; none if there is no slot or the row has no subject.
    pub fn subject(self, slot: Option<usize>) -> Option<&'a str> {
        self.rows.subject(slot?, self.row)
    }
}

enum OnInvalid {
    Pattern(Box<Pattern>),
    Null,
    Fail,
}

/// A [`TextKind`] as the mask of a column.
pub(super) struct TextMask<K: TextKind> {
    kind: K,
    /// `char(n)`: blanks at the end are padding, not value.
    padded: bool,
    on_invalid: OnInvalid,
    scratch: Mutex<Vec<K::Scratch>>,
}

impl<K: TextKind> TextMask<K> {
    /// Wraps a kind for the column being compiled.
    pub fn boxed(compile: &Compile<'_>, kind: K) -> Result<Box<dyn ColumnMask>, CompileError> {
        let on_invalid = match compile.word("on_invalid") {
            Some("null") => OnInvalid::Null,
            Some("fail") => OnInvalid::Fail,
            _ => OnInvalid::Pattern(Box::new(Pattern::new(compile.realm, &compile.spec.label))),
        };
        let padded = matches!(compile.shape, Shape::Text { padded: true, .. });
        Ok(Box::new(Self { kind, padded, on_invalid, scratch: Mutex::default() }))
    }

    fn with_scratch<R>(&self, work: impl FnOnce(&mut K::Scratch) -> R) -> R {
        let pool = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = pool().pop().unwrap_or_default();
        let result = work(&mut scratch);
        pool().push(scratch);
        result
    }

    /// Appends the mask of one value; false for NULL.
    fn one(&self, value: &str, at: At<'_>, scratch: &mut K::Scratch, out: &mut String) -> Result<bool, MaskError> {
        let value = if self.padded { value.trim_end_matches(' ') } else { value };
        if is_blank(value) {
            out.push_str(value);
            return Ok(true);
        }
        if self.kind.mask(value, at, scratch, out) {
            return Ok(true);
        }
        match &self.on_invalid {
            OnInvalid::Null => Ok(false),
            OnInvalid::Fail => Err(MaskError::at(at.row, "the value does not have the format of its mask")),
            OnInvalid::Pattern(pattern) => Ok(self.walk(pattern, value, scratch, out)),
        }
    }

    /// Masks an unreadable value by pattern until the result is unreadable too, so valid and invalid never meet.
    #[cold]
    fn walk(&self, pattern: &Pattern, value: &str, scratch: &mut K::Scratch, out: &mut String) -> bool {
        let start = out.len();
        let mut current = value.to_owned();
        let mut memo = Default::default();
        // A tag is followed by tags: as a pattern, it could be of a shape that the kind reads throughout.
        let mut permuted = true;
        for _ in 0..WALKS_MAX {
            permuted = permuted && pattern.push_permuted(&current, &mut memo, out);
            if !permuted {
                pattern.push_tag(&current, out);
            }
            if !self.kind.reads(&out[start..], scratch) {
                return true;
            }
            current.clear();
            current.push_str(&out[start..]);
            out.truncate(start);
        }
        false
    }
}

impl<K: TextKind> ColumnMask for TextMask<K> {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let Some(texts) = column.as_string_view_opt() else {
            return Err(MaskError::at(0, "the column was decoded in another shape than its mask was compiled for"));
        };
        self.with_scratch(|scratch| {
            let mut texts_out = TextBuilder::new(texts.len(), texts.total_bytes_len());
            for row in 0..texts.len() {
                let present = texts.is_valid(row)
                    && self.one(texts.value(row), At { row, rows }, scratch, &mut texts_out.values)?;
                texts_out.close(present)?;
            }
            texts_out.finish()
        })
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        self.with_scratch(|scratch| self.one(value, At { row, rows }, scratch, out)).map(|_| ())
    }

    fn integer(&self, value: i64, _row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        Ok(self.kind.integer(value))
    }
}

/// Builds a `StringArray` whose values are appended piece by piece to one buffer.
pub(super) struct TextBuilder {
    /// The bytes of all values so far; append the current value here, then [`TextBuilder::close`] it.
    pub values: String,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl TextBuilder {
    /// `bytes` is an estimate for the buffer.
    pub fn new(rows: usize, bytes: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        let nulls = NullBufferBuilder::new(rows);
        Self { values: String::with_capacity(bytes + bytes / 4 + rows * 8), offsets, nulls }
    }

    /// Ends the current value; if it is not present, the row is NULL.
    pub fn close(&mut self, present: bool) -> Result<(), MaskError> {
        let row = self.offsets.len() - 1;
        let end = i32::try_from(self.values.len())
            .map_err(|_| MaskError::at(row, "the masked column exceeds 2 GiB in one batch"))?;
        self.offsets.push(end);
        self.nulls.append(present);
        Ok(())
    }

    pub fn finish(mut self) -> Result<ArrayRef, MaskError> {
        let nulls = self.nulls.finish();
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        let values = Buffer::from_vec(self.values.into_bytes());
        StringArray::try_new(offsets, values, nulls)
            .map(|array| Arc::new(array) as ArrayRef)
            .map_err(|_| MaskError::at(0, "masked values are not whole characters"))
    }
}

/// The `least` of kinds that keep the length or have no form of their own.
pub(super) fn any_length(_: &super::Params) -> Vec<u32> {
    Vec::new()
}

/// Fields most kinds share, to be completed with `..TEXT`.
pub(super) const TEXT: Kind = Kind {
    name: "",
    version: 1,
    summary: "",
    params: &[],
    accepts: &[super::Takes::Text],
    keyed_on: super::KeyedOn::Value,
    injective: super::Injective::ByConstruction,
    folds: false,
    lowercase: false,
    ranges: false,
    needs_subject: false,
    samples: &[],
    least: any_length,
    compile: |compile| Err(compile.wrong_shape()),
};
