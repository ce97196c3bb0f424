//! PostgreSQL types: which are binary-safe, which shape a mask sees, and how a row is cut.

use crate::mask::Shape;

/// How rows travel in COPY.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Binary,
    Text,
}

/// What happens to one field of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// Passes as opaque bytes.
    Keep,
    /// Passes as opaque bytes and is decoded too, because it names the subject of the row.
    Read(Shape),
    /// Is decoded and replaced.
    Mask(Shape),
}

/// The fields of a row in wire order. The decoded arrays are in the order of the `Read` and `Mask` fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    pub fields: Vec<Field>,
    /// The first `written` fields go to the target; the rest are anchors that the query appended (always `Read`).
    pub written: usize,
}

impl Layout {
    /// Every field passes: the wire bytes can be forwarded without looking at them.
    pub fn opaque(&self) -> bool {
        self.fields.len() == self.written && self.fields.iter().all(|field| *field == Field::Keep)
    }

    /// Number of fields that are replaced.
    pub fn masked(&self) -> usize {
        self.fields.iter().filter(|field| matches!(field, Field::Mask(_))).count()
    }
}
