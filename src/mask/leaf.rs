//! What every kind on text has in common: rules 1 to 3 of MASKING.md section 4, done once.
//!
//! A kind says how one value is masked and which values it can read. This module walks the column, keeps NULL, empty
//! and blank values, sends unreadable values to `on_invalid`, and writes all masks into one buffer.

use super::canon::is_blank;
use super::column::{ColumnMask, Compile, CompileError, Leaves, MaskError, Rows};
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::pattern::Pattern;
use super::unicode::full_fold;
use super::{Kind, Shape};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, StringArray, StringViewArray};
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

/// Values whose hashes are computed side by side: enough to fill the lanes, few enough to stay in the first cache.
pub(super) const CHUNK: usize = 64;

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

    /// Told before [`TextKind::mask`] is called once for each of these values, in order, so that hashes can be computed
    /// side by side. Changes the speed and nothing else.
    fn prepare(&self, _values: &[(&str, usize)], _rows: &Rows<'_>, _scratch: &mut Self::Scratch) {}

    /// Masks a number leaf; none if the kind does not take numbers.
    fn integer(&self, _value: i64) -> Option<i64> {
        None
    }

    /// Masks come from a list of the user's, so that `true` and `false` can be meant by it.
    fn listed(&self) -> bool {
        false
    }

    /// As [`ColumnMask::after`].
    fn after(&self) -> Vec<usize> {
        Vec::new()
    }
}

/// A [`TextKind`] that says which hashes and permutations a value needs before it writes the mask.
pub(super) trait Asks: Send + Sync + 'static {
    /// Buffers and memos of one worker.
    type Scratch: Default + Send;
    /// What was read of a value when it asked.
    type Note: Send;

    /// Reads a value and asks for what its mask needs; none, having asked for nothing, if the kind cannot read it.
    fn ask(&self, value: &str, at: At<'_>, scratch: &mut Self::Scratch, queue: &mut Queue) -> Option<Self::Note>;

    /// Appends the mask, taking exactly the answers asked for.
    fn answer(
        &self,
        value: &str,
        note: Self::Note,
        at: At<'_>,
        scratch: &mut Self::Scratch,
        queue: &mut Queue,
        out: &mut String,
    );

    /// Forgets what notes refer to: all values asked for have been answered.
    fn forget(_scratch: &mut Self::Scratch) {}

    /// As [`TextKind::reads`].
    fn reads(&self, value: &str, scratch: &mut Self::Scratch) -> bool;

    /// As [`ColumnMask::after`].
    fn after(&self) -> Vec<usize> {
        Vec::new()
    }
}

/// The scratch of an [`Asks`]: the queue, and the notes of values that have asked and wait for their answer.
pub(super) struct Asked<K: Asks> {
    queue: Queue,
    notes: std::vec::IntoIter<Option<K::Note>>,
    own: K::Scratch,
}

impl<K: Asks> Default for Asked<K> {
    fn default() -> Self {
        Self { queue: Queue::default(), notes: Vec::new().into_iter(), own: K::Scratch::default() }
    }
}

impl<K: Asks> TextKind for K {
    type Scratch = Asked<K>;

    fn prepare(&self, values: &[(&str, usize)], rows: &Rows<'_>, scratch: &mut Asked<K>) {
        let Asked { queue, own, .. } = scratch;
        queue.clear();
        K::forget(own);
        let ask = |(value, row): &(&str, usize)| self.ask(value, At { row: *row, rows }, own, queue);
        let notes: Vec<Option<K::Note>> = values.iter().map(ask).collect();
        queue.run();
        scratch.notes = notes.into_iter();
    }

    fn mask(&self, value: &str, at: At<'_>, scratch: &mut Asked<K>, out: &mut String) -> bool {
        if scratch.notes.len() == 0 {
            self.prepare(&[(value, at.row)], at.rows, scratch);
        }
        let Some(note) = scratch.notes.next().flatten() else { return false };
        self.answer(value, note, at, &mut scratch.own, &mut scratch.queue, out);
        true
    }

    fn reads(&self, value: &str, scratch: &mut Asked<K>) -> bool {
        Asks::reads(self, value, &mut scratch.own)
    }

    fn after(&self) -> Vec<usize> {
        Asks::after(self)
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
    /// Case variants share a mask, also of what the kind cannot read.
    folds: bool,
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
        let folds = super::kind(&compile.spec.kind).is_some_and(|kind| kind.folds) && compile.flag("fold", true);
        Ok(Box::new(Self { kind, padded, folds, on_invalid, scratch: Mutex::default() }))
    }

    /// Lends a scratch; one that saw an error may hold notes of values that were not answered and is dropped.
    fn with_scratch<R>(&self, work: impl FnOnce(&mut K::Scratch) -> Result<R, MaskError>) -> Result<R, MaskError> {
        let pool = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = pool().pop().unwrap_or_default();
        let result = work(&mut scratch)?;
        pool().push(scratch);
        Ok(result)
    }

    /// The value without the padding of `char(n)`.
    fn unpadded<'v>(&self, value: &'v str) -> &'v str {
        if self.padded { value.trim_end_matches(' ') } else { value }
    }

    /// Masks values one after the other, a chunk at a time so that hashes can be computed side by side.
    fn many<'v>(
        &self,
        values: impl Iterator<Item = (Option<&'v str>, usize)>,
        rows: &Rows<'_>,
        out: &mut TextBuilder,
    ) -> Result<(), MaskError> {
        self.with_scratch(|scratch| {
            let mut values = values;
            let mut chunk = Vec::with_capacity(CHUNK);
            let mut waiting = Vec::with_capacity(CHUNK);
            loop {
                chunk.clear();
                chunk.extend(values.by_ref().take(CHUNK).map(|(value, row)| (value.map(|v| self.unpadded(v)), row)));
                if chunk.is_empty() {
                    return Ok(());
                }
                waiting.clear();
                waiting.extend(chunk.iter().filter_map(|(value, row)| Some(((*value)?, *row))));
                waiting.retain(|(value, _)| !is_blank(value));
                self.kind.prepare(&waiting, rows, scratch);
                for (value, row) in &chunk {
                    let present = match value {
                        Some(value) => self.one(value, At { row: *row, rows }, scratch, &mut out.values)?,
                        None => false,
                    };
                    out.close(present)?;
                }
            }
        })
    }

    /// Appends the mask of one value; false for NULL.
    fn one(&self, value: &str, at: At<'_>, scratch: &mut K::Scratch, out: &mut String) -> Result<bool, MaskError> {
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

    /// Masks an unreadable value by pattern until the result is unreadable too, so valid and invalid never meet. A kind that
    /// folds case folds it here too: its masks stay distinct under `lower()`.
    #[cold]
    fn walk(&self, pattern: &Pattern, value: &str, scratch: &mut K::Scratch, out: &mut String) -> bool {
        let start = out.len();
        let mut current = if self.folds { folded(value) } else { value.to_owned() };
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

/// Folds the case of each character that stays one by it, so that the length in characters, which has to fit the column,
/// stays.
fn folded(value: &str) -> String {
    let one = |c: char| match full_fold(c).map(str::chars) {
        None => c.to_ascii_lowercase(),
        Some(mut folded) => folded.next().filter(|_| folded.next().is_none()).unwrap_or(c),
    };
    value.chars().map(one).collect()
}

impl<K: TextKind> ColumnMask for TextMask<K> {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let Some(texts) = column.as_string_view_opt() else {
            return Err(MaskError::at(0, "the column was decoded in another shape than its mask was compiled for"));
        };
        let mut masked = TextBuilder::new(texts.len(), texts.total_bytes_len());
        self.many(view_values(texts), rows, &mut masked)?;
        masked.finish()
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let value = self.unpadded(value);
        self.with_scratch(|scratch| self.one(value, At { row, rows }, scratch, out)).map(|_| ())
    }

    fn leaves(&self, leaves: &Leaves, rows: &Rows<'_>, out: &mut TextBuilder) -> Result<(), MaskError> {
        self.many(leaves.iter().map(|(value, row)| (Some(value), row)), rows, out)
    }

    fn integer(&self, value: i64, _row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        Ok(self.kind.integer(value))
    }

    fn boolean(&self, value: bool, row: usize, rows: &Rows<'_>) -> Result<Option<bool>, MaskError> {
        if !self.kind.listed() {
            return Ok(None);
        }
        let mut masked = String::new();
        self.text(if value { "true" } else { "false" }, row, rows, &mut masked)?;
        Ok(masked.parse().ok())
    }

    fn after(&self) -> Vec<usize> {
        self.kind.after()
    }
}

/// The values of a column with their rows.
pub(super) fn view_values(texts: &StringViewArray) -> impl Iterator<Item = (Option<&str>, usize)> {
    texts.iter().enumerate().map(|(row, value)| (value, row))
}

/// Builds a `StringArray` whose values are appended piece by piece to one buffer.
pub struct TextBuilder {
    /// The bytes of all values so far; append the current value here, then [`TextBuilder::close`] it.
    pub(super) values: String,
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

    /// Value number `index`; empty if it is not present.
    pub(super) fn value(&self, index: usize) -> &str {
        &self.values[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// Forgets all values and keeps the buffers.
    pub(super) fn clear(&mut self) {
        self.values.clear();
        self.offsets.truncate(1);
        self.nulls = NullBufferBuilder::new(0);
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
    // A kind that says nothing is held to change what it masks.
    remains: |_| super::Remains::Chance,
    keeps: super::Keeps::NOTHING,
    promises: None,
    columns: |_| Vec::new(),
    least: any_length,
    compile: |compile| Err(compile.wrong_shape()),
};
