//! What kinds on text have in common whose masks hold other masks or read other columns of the row.
//!
//! As [`super::leaf`] does for kinds that look at one value only: the column is walked here, NULL, empty and blank values
//! stay, and what a kind cannot read goes where the policy says.

use super::canon::is_blank;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::json::nested_mask;
use super::leaf::{At, TextBuilder};
use super::{Params, Shape};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use serde_json::Value;

/// How one kind masks one text of a row.
pub(super) trait RowKind: Send + Sync + 'static {
    /// Appends the mask of `value`, which is not blank; false, with `out` unchanged, for NULL.
    ///
    /// # Errors
    /// [`MaskError`] of a mask inside, or for a value that must not be there.
    fn mask(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError>;

    /// As [`ColumnMask::after`].
    fn after(&self) -> Vec<usize>;
}

/// A [`RowKind`] as the mask of a column.
pub(super) struct RowMask<K> {
    kind: K,
    /// `char(n)`: blanks at the end are padding, not value.
    padded: bool,
}

impl<K: RowKind> RowMask<K> {
    /// Wraps a kind for the column being compiled.
    pub fn boxed(compile: &Compile<'_>, kind: K) -> Box<dyn ColumnMask> {
        Box::new(Self { kind, padded: matches!(compile.shape, Shape::Text { padded: true, .. }) })
    }

    fn one(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        let value = if self.padded { value.trim_end_matches(' ') } else { value };
        if is_blank(value) {
            out.push_str(value);
            return Ok(true);
        }
        self.kind.mask(value, at, out)
    }
}

impl<K: RowKind> ColumnMask for RowMask<K> {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let Some(texts) = column.as_string_view_opt() else {
            return Err(MaskError::at(0, "the column was decoded in another shape than its mask was compiled for"));
        };
        let mut out = TextBuilder::new(texts.len(), texts.total_bytes_len());
        for row in 0..texts.len() {
            let present = texts.is_valid(row) && self.one(texts.value(row), At { row, rows }, &mut out.values)?;
            out.close(present)?;
        }
        out.finish()
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        self.one(value, At { row, rows }, out).map(|_| ())
    }

    fn after(&self) -> Vec<usize> {
        let mut after = self.kind.after();
        after.sort_unstable();
        after.dedup();
        after
    }
}

/// What becomes of a value, or of a part of one, that a kind does not know.
pub(super) enum Otherwise {
    Mask(Box<dyn ColumnMask>),
    Null,
    Fail,
}

impl Otherwise {
    /// Reads `on_invalid`: `"pattern"` (the default), `"null"` or `"fail"`.
    pub fn on_invalid(compile: &Compile<'_>) -> Result<Self, CompileError> {
        match compile.word("on_invalid") {
            Some("null") => Ok(Self::Null),
            Some("fail") => Ok(Self::Fail),
            _ => Self::pattern(compile),
        }
    }

    /// Reads `else`: as [`Otherwise::on_invalid`], or any mask. `"keep"` is refused: what a list does not name has not
    /// been looked at by anybody.
    pub fn from_else(compile: &Compile<'_>) -> Result<Self, CompileError> {
        match compile.spec.params.get("else") {
            None => Self::pattern(compile),
            Some(Value::String(word)) => match word.as_str() {
                "null" => Ok(Self::Null),
                "fail" => Ok(Self::Fail),
                "pattern" => Self::pattern(compile),
                "keep" => Err(compile.bad_param(
                    "else",
                    "\"pattern\", \"null\", \"fail\" or a mask; \"keep\" would let through what the list forgets",
                )),
                _ => Ok(Self::Mask(nested_mask(compile, "else", &Value::String(word.clone()), compile.shape.clone())?)),
            },
            Some(value) => Ok(Self::Mask(nested_mask(compile, "else", value, compile.shape.clone())?)),
        }
    }

    fn pattern(compile: &Compile<'_>) -> Result<Self, CompileError> {
        compile.nested("pattern", &compile.spec.label, Params::new(), compile.shape.clone()).map(Self::Mask)
    }

    /// Appends the mask of `value`; false for NULL.
    ///
    /// # Errors
    /// [`MaskError`] for `"fail"`, or of the mask inside.
    pub fn mask(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        match self {
            Self::Mask(mask) => mask.text(value, at.row, at.rows, out).map(|()| true),
            Self::Null => Ok(false),
            Self::Fail => Err(MaskError::at(at.row, "the value does not have the format of its mask")),
        }
    }

    pub fn after(&self) -> Vec<usize> {
        if let Self::Mask(mask) = self { mask.after() } else { Vec::new() }
    }
}

/// Cuts what was appended after `start` to `chars_max` characters.
pub(super) fn cut(out: &mut String, start: usize, chars_max: Option<u32>) {
    if let Some(max) = chars_max
        && out.len() - start > max as usize
        && let Some((end, _)) = out[start..].char_indices().nth(max as usize)
    {
        out.truncate(start + end);
    }
}
