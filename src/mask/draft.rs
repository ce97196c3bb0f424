//! Values whose masked parts are filled in later.
//!
//! A JSON document or a free text is cut into what stays and leaves that are masked. What stays is written to a draft at
//! once; the leaves of many values are gathered per mask and masked together, so that their hashes are computed side by
//! side; then draft and masked leaves are joined.

use super::column::{ColumnMask, Leaves, MaskError, Rows};
use super::leaf::TextBuilder;

/// Values drafted together: enough leaves to fill the lanes, few enough that everything stays in the second cache.
pub(super) const CHUNK: usize = 256;

/// Values with holes where masked leaves belong.
#[derive(Default)]
pub(super) struct Draft {
    /// All values of the chunk one after the other, without their leaves.
    pub text: String,
    pub holes: Holes,
    values: Vec<Value>,
    masked: Vec<TextBuilder>,
    taken: Vec<usize>,
}

/// The holes of a draft, and the leaves that belong there.
#[derive(Default)]
pub(super) struct Holes {
    /// Offset in the text, number of the mask.
    places: Vec<(usize, usize)>,
    /// By mask.
    leaves: Vec<Leaves>,
}

struct Value {
    end: usize,
    holes: usize,
    present: bool,
}

impl Holes {
    /// Leaves a hole at the end of the text, which is `at` bytes long, for the mask of `value`.
    pub fn push(&mut self, at: usize, mask: usize, value: &str, row: usize) {
        self.places.push((at, mask));
        self.leaves[mask].push(value, row);
    }

    /// Number of holes, to come back to.
    pub fn mark(&self) -> usize {
        self.places.len()
    }

    /// Takes back every hole since `mark`.
    pub fn undo(&mut self, mark: usize) {
        while self.places.len() > mark {
            if let Some((_, mask)) = self.places.pop() {
                self.leaves[mask].pop();
            }
        }
    }
}

impl Draft {
    /// A draft whose holes are filled by this many masks.
    pub fn new(masks: usize) -> Self {
        let mut draft = Self::default();
        draft.holes.leaves.resize_with(masks, Leaves::default);
        draft.masked.resize_with(masks, || TextBuilder::new(0, 0));
        draft.taken.resize(masks, 0);
        draft
    }

    /// Ends the current value; if it is not present, the row is NULL.
    pub fn end(&mut self, present: bool) {
        self.values.push(Value { end: self.text.len(), holes: self.holes.places.len(), present });
    }

    /// Masks the leaves, appends all values to `out`, and starts anew.
    ///
    /// `join` appends one masked leaf: the original, its mask, where to. `end` sees each finished value: where it stands
    /// and where it starts.
    pub fn fill<'m>(
        &mut self,
        mask: impl Fn(usize) -> Option<&'m dyn ColumnMask>,
        rows: &Rows<'_>,
        out: &mut TextBuilder,
        mut join: impl FnMut(&str, &str, &mut String) -> Result<(), &'static str>,
        mut end: impl FnMut(&mut String, usize),
    ) -> Result<(), MaskError> {
        for (number, leaves) in self.holes.leaves.iter().enumerate().filter(|(_, leaves)| !leaves.is_empty()) {
            if let Some(mask) = mask(number) {
                mask.leaves(leaves, rows, &mut self.masked[number])?;
            }
        }
        let (mut copied, mut hole) = (0, 0);
        for value in &self.values {
            let start = out.values.len();
            for (at, mask) in &self.holes.places[hole..value.holes] {
                out.values.push_str(&self.text[copied..*at]);
                copied = *at;
                let index = self.taken[*mask];
                self.taken[*mask] += 1;
                let original = self.holes.leaves[*mask].value(index);
                join(original, self.masked[*mask].value(index), &mut out.values)
                    .map_err(|reason| MaskError::at(self.holes.leaves[*mask].row(index), reason))?;
            }
            out.values.push_str(&self.text[copied..value.end]);
            (copied, hole) = (value.end, value.holes);
            end(&mut out.values, start);
            out.close(value.present)?;
        }
        self.text.clear();
        self.values.clear();
        self.holes.places.clear();
        self.holes.leaves.iter_mut().for_each(Leaves::clear);
        self.masked.iter_mut().for_each(TextBuilder::clear);
        self.taken.fill(0);
        Ok(())
    }
}
