//! One column of one batch, before and after its mask.

use super::Watched;
use super::fingerprint::Salt;
use crate::mask::nested::Parts;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_schema::DataType;

/// What was seen of a column in one batch.
#[derive(Default)]
pub(super) struct Found {
    pub values: u64,
    pub nulls_in: u64,
    pub nulls_out: u64,
    pub filled: u64,
    pub blank: u64,
    pub unchanged: u64,
    /// Fingerprints below the limit, row by row.
    pub pairs: Vec<(Option<u64>, Option<u64>)>,
}

/// Looks at one column of a batch. Columns that do not fit each other are not looked at: encoding refuses them.
pub(super) fn observe(column: &Watched, salt: Salt, limit: u64, raw: &[ArrayRef], masked: &[ArrayRef]) -> Found {
    let mut found = Found::default();
    let (Some(before), Some(after)) = (raw.get(column.raw), masked.get(column.masked)) else { return found };
    // Rows the mask is not for: their flag is false.
    let flags = column.condition.and_then(|condition| raw.get(condition.flag)?.as_boolean_opt().cloned());
    let mut look = Look { salt, limit, flags, found: &mut found };
    look.arrays(before, after);
    found
}

struct Look<'a> {
    salt: Salt,
    limit: u64,
    flags: Option<BooleanArray>,
    found: &'a mut Found,
}

impl Look<'_> {
    fn arrays(&mut self, before: &ArrayRef, after: &ArrayRef) {
        if before.len() != after.len() {
            return;
        }
        let salt = self.salt;
        macro_rules! primitives {
            ($type:ty, $bits:expr) => {
                if let (Some(old), Some(new)) = (before.as_primitive_opt::<$type>(), after.as_primitive_opt::<$type>())
                {
                    let bits = $bits;
                    self.rows(before, after, |row| {
                        (Some(salt.number(bits(old.value(row)))), Some(salt.number(bits(new.value(row)))))
                    });
                }
            };
        }
        match before.data_type() {
            DataType::Utf8View => {
                let (old, Some(new)) = (before.as_string_view(), after.as_string_opt::<i32>()) else { return };
                self.rows(before, after, |row| {
                    let (old, new) = (old.value(row).as_bytes(), new.value(row).as_bytes());
                    (text(salt, old), text(salt, new))
                });
            }
            DataType::BinaryView => {
                let (old, Some(new)) = (before.as_binary_view(), after.as_binary_opt::<i32>()) else { return };
                self.rows(before, after, |row| {
                    let (old, new) = (old.value(row), new.value(row));
                    ((!old.is_empty()).then(|| salt.raw(old)), Some(salt.raw(new)))
                });
            }
            DataType::FixedSizeBinary(_) => {
                let old = before.as_fixed_size_binary();
                let Some(new) = after.as_fixed_size_binary_opt() else { return };
                self.rows(before, after, |row| (Some(salt.raw(old.value(row))), Some(salt.raw(new.value(row)))));
            }
            DataType::Boolean => {
                let (old, Some(new)) = (before.as_boolean(), after.as_boolean_opt()) else { return };
                self.rows(before, after, |row| {
                    (Some(salt.number(old.value(row).into())), Some(salt.number(new.value(row).into())))
                });
            }
            DataType::Int16 => primitives!(Int16Type, |value: i16| value as u64),
            DataType::Int32 => primitives!(Int32Type, |value: i32| value as u64),
            DataType::Int64 => primitives!(Int64Type, |value: i64| value as u64),
            DataType::Float32 => primitives!(Float32Type, |value: f32| u64::from(value.to_bits())),
            DataType::Float64 => primitives!(Float64Type, |value: f64| value.to_bits()),
            DataType::Date32 => primitives!(Date32Type, |value: i32| value as u64),
            DataType::Struct(_) => self.containers(before, after),
            _ => {}
        }
    }

    /// Containers are compared leaf by leaf; a row has as many of them after the mask as before.
    fn containers(&mut self, before: &ArrayRef, after: &ArrayRef) {
        let (Some(old), Some(new)) = (Parts::of(before), Parts::of(after)) else { return };
        // Which leaves a condition leaves out is not worth finding out.
        if self.flags.is_some() {
            return;
        }
        for ((old_ends, old), (new_ends, new)) in old.lists.iter().zip(&new.lists) {
            if old_ends == new_ends {
                self.arrays(old, new);
            }
        }
    }

    /// Walks the rows. `pair` gives the fingerprints of a row that is NULL on neither side; none for a blank value.
    #[inline]
    fn rows(&mut self, before: &ArrayRef, after: &ArrayRef, pair: impl Fn(usize) -> (Option<u64>, Option<u64>)) {
        let rows = before.len();
        let plain = before.null_count() == 0 && after.null_count() == 0 && self.flags.is_none();
        self.found.values += rows as u64;
        let limit = self.limit;
        let below = move |value: Option<u64>| value.filter(|value| *value < limit);
        for row in 0..rows {
            if !plain {
                if self.flags.as_ref().is_some_and(|flags| flags.is_valid(row) && !flags.value(row)) {
                    self.found.values -= 1;
                    continue;
                }
                let (old, new) = (before.is_null(row), after.is_null(row));
                self.found.nulls_in += u64::from(old);
                self.found.nulls_out += u64::from(new);
                self.found.filled += u64::from(old && !new);
                if old {
                    continue;
                }
                if new {
                    let value = below(pair(row).0);
                    if value.is_some() {
                        self.found.pairs.push((value, None));
                    }
                    continue;
                }
            }
            let (old, new) = pair(row);
            let Some(value) = old else {
                self.found.blank += 1;
                continue;
            };
            self.found.unchanged += u64::from(new == Some(value));
            let pair = (below(old), below(new));
            if pair != (None, None) {
                self.found.pairs.push(pair);
            }
        }
    }
}

/// The fingerprint of a text; none if it is blank. Blanks at the end are the padding of `char(n)`, or nothing to tell by.
#[inline]
fn text(salt: Salt, value: &[u8]) -> Option<u64> {
    let value = value.trim_ascii_end();
    (!value.is_empty()).then(|| salt.text(value))
}
