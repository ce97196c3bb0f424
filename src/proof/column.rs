//! One column of one batch, before and after its mask.

use super::fingerprint::Salt;
use super::form::{self, Form};
use super::{Tally, Watched, codes, names};
use crate::mask::nested::Parts;
use crate::mask::{Raw, Remains};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BooleanArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::DataType;

/// The value of one row before and after its mask, as far as it is below the limit, and the form of the first.
pub(super) type Pair = (Option<u64>, Option<u64>, Form);

/// What was seen of a column in one batch.
#[derive(Default)]
pub(super) struct Found {
    pub tally: Tally,
    /// Fingerprints below the limit, row by row.
    pub pairs: Vec<Pair>,
}

/// Looks at one column of a batch. Columns that do not fit each other are not looked at: encoding refuses them.
pub(super) fn observe(column: &Watched, salt: Salt, limit: u64, raw: &[ArrayRef], masked: &[ArrayRef]) -> Found {
    let mut found = Found::default();
    let (Some(before), Some(after)) = (raw.get(column.raw), masked.get(column.masked)) else { return found };
    // Rows the mask is not for: their flag is false.
    let flags = column.condition.and_then(|condition| raw.get(condition.flag)?.as_boolean_opt().cloned());
    let mut look = Look { column, salt, limit, sought: column.is_sought(), flags, found: &mut found };
    look.arrays(before, after);
    found
}

struct Look<'a> {
    column: &'a Watched,
    salt: Salt,
    limit: u64,
    /// Values may stand in texts: what they look like is noted, and numbers are seen as they are written.
    sought: bool,
    flags: Option<BooleanArray>,
    found: &'a mut Found,
}

impl Look<'_> {
    fn arrays(&mut self, before: &ArrayRef, after: &ArrayRef) {
        if before.len() != after.len() {
            return;
        }
        let (salt, sought) = (self.salt, self.sought);
        macro_rules! primitives {
            ($type:ty, $bits:expr, $raw:expr) => {
                if let (Some(old), Some(new)) = (before.as_primitive_opt::<$type>(), after.as_primitive_opt::<$type>())
                {
                    let bits = $bits;
                    let raw = $raw;
                    self.rows(
                        before,
                        after,
                        |row| raw(old.value(row)),
                        |_| Form::Plain,
                        |row| (Some(salt.number(bits(old.value(row)))), Some(salt.number(bits(new.value(row))))),
                    );
                }
            };
        }
        macro_rules! integers {
            ($type:ty) => {
                match (before.as_primitive_opt::<$type>(), after.as_primitive_opt::<$type>()) {
                    (Some(old), Some(new)) if sought => {
                        let written = |number: i64| salt.text(number.to_string().trim_start_matches('-').as_bytes());
                        self.rows(
                            before,
                            after,
                            |row| Raw::Number(old.value(row).into()),
                            |row| form::of(&i64::from(old.value(row)).unsigned_abs().to_string()),
                            |row| (Some(written(old.value(row).into())), Some(written(new.value(row).into()))),
                        );
                    }
                    _ => primitives!($type, |value| value as u64, |value: <$type as ArrowPrimitiveType>::Native| {
                        Raw::Number(value.into())
                    }),
                }
            };
        }
        match before.data_type() {
            // Nothing is judged of these by their values, and they are long.
            DataType::Utf8View if self.column.remains == Remains::Open => {
                let (old, Some(new)) = (before.as_string_view(), after.as_string_opt::<i32>()) else { return };
                let print = |value: &str| (!value.is_empty()).then(|| salt.raw(value.as_bytes()));
                self.rows(
                    before,
                    after,
                    |row| Raw::Text(old.value(row)),
                    |_| Form::Plain,
                    |row| (print(old.value(row)), print(new.value(row))),
                );
            }
            DataType::Utf8View => {
                let (old, Some(new)) = (before.as_string_view(), after.as_string_opt::<i32>()) else { return };
                // A program may answer with names; what other masks give is no name of anybody.
                let print = match self.column.remains {
                    Remains::Names | Remains::Foreign => name,
                    _ if sought => code,
                    _ => text,
                };
                self.rows(
                    before,
                    after,
                    |row| Raw::Text(old.value(row)),
                    |row| form::of(form::core(old.value(row))),
                    |row| (print(salt, old.value(row)), print(salt, new.value(row))),
                );
            }
            DataType::BinaryView => {
                let (old, Some(new)) = (before.as_binary_view(), after.as_binary_opt::<i32>()) else { return };
                self.rows(
                    before,
                    after,
                    |row| Raw::Bytes(old.value(row)),
                    |_| Form::Plain,
                    |row| {
                        let (old, new) = (old.value(row), new.value(row));
                        ((!old.is_empty()).then(|| salt.raw(old)), Some(salt.raw(new)))
                    },
                );
            }
            DataType::FixedSizeBinary(_) => {
                let old = before.as_fixed_size_binary();
                let Some(new) = after.as_fixed_size_binary_opt() else { return };
                let raw = |row| Raw::Bytes(old.value(row));
                if sought {
                    let written = |bytes: &[u8]| {
                        let (text, length) = form::hexadecimal(bytes);
                        salt.text(&text[..length])
                    };
                    let pair = |row| (Some(written(old.value(row))), Some(written(new.value(row))));
                    self.rows(before, after, raw, |_| Form::Mixed, pair);
                } else {
                    let pair = |row| (Some(salt.raw(old.value(row))), Some(salt.raw(new.value(row))));
                    self.rows(before, after, raw, |_| Form::Plain, pair);
                }
            }
            DataType::Boolean => {
                let (old, Some(new)) = (before.as_boolean(), after.as_boolean_opt()) else { return };
                self.rows(
                    before,
                    after,
                    |row| Raw::Number(old.value(row).into()),
                    |_| Form::Plain,
                    |row| (Some(salt.number(old.value(row).into())), Some(salt.number(new.value(row).into()))),
                );
            }
            DataType::Int16 => integers!(Int16Type),
            DataType::Int32 => integers!(Int32Type),
            DataType::Int64 => integers!(Int64Type),
            DataType::Float32 => {
                primitives!(Float32Type, |value: f32| u64::from(value.to_bits()), |value: f32| Raw::Real(value.into()))
            }
            DataType::Float64 => primitives!(Float64Type, |value: f64| value.to_bits(), Raw::Real),
            DataType::Date32 => primitives!(Date32Type, |value: i32| value as u64, Raw::Day),
            DataType::Struct(_) => self.containers(before, after),
            _ => {}
        }
    }

    /// Containers are compared leaf by leaf; a row has as many of them after the mask as before.
    fn containers(&mut self, before: &ArrayRef, after: &ArrayRef) {
        let (Some(old), Some(new)) = (Parts::of(before), Parts::of(after)) else { return };
        let flags = self.flags.take();
        for ((old_ends, old), (new_ends, new)) in old.lists.iter().zip(&new.lists) {
            if old_ends == new_ends {
                self.flags = flags.as_ref().map(|flags| of_leaves(flags, old_ends));
                self.arrays(old, new);
            }
        }
        self.flags = flags;
    }

    /// Walks the rows. `pair` gives the fingerprints of a row that is NULL on neither side; none for a blank value. `raw` and
    /// `form` are asked for few of them.
    #[inline]
    fn rows<'v>(
        &mut self,
        before: &ArrayRef,
        after: &ArrayRef,
        raw: impl Fn(usize) -> Raw<'v>,
        form: impl Fn(usize) -> Form,
        pair: impl Fn(usize) -> (Option<u64>, Option<u64>),
    ) {
        let rows = before.len();
        let plain = before.null_count() == 0 && after.null_count() == 0 && self.flags.is_none();
        let (column, limit, sought) = (self.column, self.limit, self.sought);
        let (tally, pairs) = (&mut self.found.tally, &mut self.found.pairs);
        tally.values += rows as u64;
        let below = move |value: Option<u64>| value.filter(|value| *value < limit);
        let looks = |row: usize| if sought { column.tells(form(row)) } else { Form::Plain };
        for row in 0..rows {
            if !plain {
                if self.flags.as_ref().is_some_and(|flags| flags.is_valid(row) && !flags.value(row)) {
                    tally.values -= 1;
                    continue;
                }
                let (old, new) = (before.is_null(row), after.is_null(row));
                tally.nulls_in += u64::from(old);
                tally.nulls_out += u64::from(new);
                tally.filled += u64::from(old && !new);
                if old {
                    continue;
                }
                if new {
                    let value = below(pair(row).0);
                    if value.is_some() {
                        pairs.push((value, None, looks(row)));
                    }
                    continue;
                }
            }
            let (old, new) = pair(row);
            let Some(value) = old else {
                tally.blank += 1;
                continue;
            };
            if new == Some(value) {
                if column.keeps(raw(row)) {
                    tally.kept += 1;
                    continue;
                }
                tally.unchanged += 1;
                tally.telling += u64::from(looks(row) != Form::Plain);
            }
            let (old, new) = (below(old), below(new));
            if old.is_some() || new.is_some() {
                pairs.push((old, new, if old.is_some() { looks(row) } else { Form::Plain }));
            }
        }
    }
}

/// The flag of the row of each leaf.
fn of_leaves(flags: &BooleanArray, ends: &OffsetBuffer<i32>) -> BooleanArray {
    let lengths = ends.lengths().zip(flags.iter());
    lengths.flat_map(|(leaves, flag)| std::iter::repeat_n(flag, leaves)).collect()
}

/// The fingerprint of a text from its first letter or digit to its last; none if it has neither.
#[inline]
pub(super) fn text(salt: Salt, value: &str) -> Option<u64> {
    let core = form::core(value);
    (!core.is_empty()).then(|| salt.text(form::folded(core).as_bytes()))
}

/// The same for what is looked for in texts: codes are the same whatever separates their groups.
pub(super) fn code(salt: Salt, value: &str) -> Option<u64> {
    let core = form::folded(form::core(value));
    (!core.is_empty()).then(|| codes::of(salt, &core).unwrap_or_else(|| salt.text(core.as_bytes())))
}

/// The same for names, whatever the order of their words and what stands between them.
pub(super) fn name(salt: Salt, value: &str) -> Option<u64> {
    let core = form::folded(form::core(value));
    (!core.is_empty()).then(|| {
        let print = names::of(salt, &core).or_else(|| codes::of(salt, &core));
        print.unwrap_or_else(|| salt.text(core.as_bytes()))
    })
}

/// The names of one row before and after their masks, first and last together.
pub(super) fn people(people: &super::People, salt: Salt, limit: u64, raw: &[ArrayRef], masked: &[ArrayRef]) -> Found {
    let mut found = Found::default();
    let column = |columns: &[ArrayRef], place: usize| columns.get(place).cloned();
    let (Some(first), Some(last)) = (column(raw, people.first.0), column(raw, people.last.0)) else { return found };
    let (Some(first_out), Some(last_out)) = (column(masked, people.first.1), column(masked, people.last.1)) else {
        return found;
    };
    let (Some(first), Some(last)) = (first.as_string_view_opt(), last.as_string_view_opt()) else { return found };
    let (Some(first_out), Some(last_out)) = (first_out.as_string_opt::<i32>(), last_out.as_string_opt::<i32>()) else {
        return found;
    };
    let whole = |first: &str, last: &str| {
        let (first, last) = (form::folded(form::core(first)), form::folded(form::core(last)));
        (!first.is_empty() && !last.is_empty()).then(|| names::both(salt, &first, &last))
    };
    let below = |value: Option<u64>| value.filter(|value| *value < limit);
    let rows = first.len().min(last.len()).min(first_out.len()).min(last_out.len());
    found.tally.values = rows as u64;
    for row in 0..rows {
        let valid = |one: &dyn Array, other: &dyn Array| one.is_valid(row) && other.is_valid(row);
        let old = if valid(first, last) { whole(first.value(row), last.value(row)) } else { None };
        let new = if valid(first_out, last_out) { whole(first_out.value(row), last_out.value(row)) } else { None };
        found.tally.unchanged += u64::from(old.is_some() && old == new);
        let (old, new) = (below(old), below(new));
        if old.is_some() || new.is_some() {
            // What two names together look like is known, unless they are very short.
            let form = match old.is_some() && first.value(row).len() + last.value(row).len() >= 7 {
                true => Form::Words,
                false => Form::Plain,
            };
            found.pairs.push((old, new, form));
        }
    }
    found
}
