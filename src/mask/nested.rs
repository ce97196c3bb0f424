//! Masks inside arrays, ranges, composites and hstores.
//!
//! A container column is a `StructArray`: what its values are without their leaves, and the leaves as columns of their
//! own, so that a mask works on all leaves of a batch at once.
//!
//! ```text
//!  rows:      {a,b}  NULL  {}  {{c,NULL}}
//!  skeleton:  dims   -     dims  dims                 binary; each container has its own form
//!  list 0:    [a b]  []    []   [c NULL]              offsets, and the leaves a b c NULL as an array of their shape
//! ```
//!
//! A kind on an array, range or multirange column masks every value in it; composites and hstores say what happens to
//! each part:
//!
//! ```toml
//! emails = "email"                                                       # text[]
//! stay   = { mask = "date.shift", subject = "guest_id" }                 # daterange
//! home   = { mask = "composite", fields = { street = "pattern", zip = "null" }, rest = "keep" }
//! attrs  = { mask = "hstore", fields = { email = "email", phone = "phone" }, rest = "null" }
//! ```
//!
//! | container | skeleton | lists |
//! |---|---|---|
//! | array | the header of the wire: dimensions, has-null flag, element type, sizes and lower bounds | elements |
//! | range | the flags byte | the bounds it has, lower first |
//! | multirange | a flags byte for each range | the bounds, range by range |
//! | composite | the type of each attribute, four bytes | one for each attribute, with one leaf a row |
//! | hstore | nothing | keys; values |

use super::column::{ColumnMask, Compile, CompileError, MaskError, Refusal, Rows};
use super::json::{nested_mask, personal, personal_by_name, seal, sealed};
use super::key::DomainKey;
use super::kind::{Domain, Kind, Param};
use super::leaf::{TEXT, TextBuilder};
use super::text::{KeyNames, OwnNames};
use super::{Injective, KeyedOn, Shape, Takes, decimal};
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, ListArray, PrimitiveArray, StringArray, StringViewArray, StructArray};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields};
use serde_json::Value;
use std::cmp::Ordering;
use std::sync::Arc;

/// A container column taken apart.
pub struct Parts {
    /// What is left of each value without its leaves.
    pub skeleton: BinaryArray,
    /// For each class of leaves: where those of each row end, and the leaves.
    pub lists: Vec<(OffsetBuffer<i32>, ArrayRef)>,
    pub nulls: Option<NullBuffer>,
}

impl Parts {
    /// Takes a container column apart; none if the array is none.
    pub fn of(column: &ArrayRef) -> Option<Self> {
        let column = column.as_any().downcast_ref::<StructArray>()?;
        let (skeleton, lists) = column.columns().split_first()?;
        let list = |array: &ArrayRef| {
            let list = array.as_any().downcast_ref::<ListArray>()?;
            Some((list.offsets().clone(), Arc::clone(list.values())))
        };
        Some(Self {
            skeleton: skeleton.as_any().downcast_ref::<BinaryArray>()?.clone(),
            lists: lists.iter().map(list).collect::<Option<_>>()?,
            nulls: column.nulls().cloned(),
        })
    }

    /// Puts the parts together; none if they do not have the same number of rows.
    pub fn join(self) -> Option<ArrayRef> {
        let mut fields = vec![Arc::new(Field::new("skeleton", DataType::Binary, false))];
        let mut columns: Vec<ArrayRef> = vec![Arc::new(self.skeleton)];
        for (number, (offsets, leaves)) in self.lists.into_iter().enumerate() {
            let item = Arc::new(Field::new("leaf", leaves.data_type().clone(), true));
            let list = ListArray::try_new(item, offsets, leaves, None).ok()?;
            fields.push(Arc::new(Field::new(format!("list {number}"), list.data_type().clone(), false)));
            columns.push(Arc::new(list));
        }
        let column = StructArray::try_new(Fields::from(fields), columns, self.nulls).ok()?;
        Some(Arc::new(column))
    }
}

/// Turns views into arrays that own their bytes, as masked columns are.
pub(super) fn owned(column: &ArrayRef) -> ArrayRef {
    match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().iter().collect::<StringArray>()),
        DataType::BinaryView => Arc::new(column.as_binary_view().iter().collect::<BinaryArray>()),
        DataType::Struct(_) => {
            let parts = Parts::of(column).map(|parts| Parts {
                lists: parts.lists.into_iter().map(|(offsets, leaves)| (offsets, owned(&leaves))).collect(),
                ..parts
            });
            parts.and_then(Parts::join).unwrap_or_else(|| Arc::clone(column))
        }
        _ => Arc::clone(column),
    }
}

/// A masked column of NULLs.
pub(super) fn nulls(shape: &Shape, rows: usize) -> Option<ArrayRef> {
    let lists: Vec<&Shape> = match shape {
        Shape::Array(inner) | Shape::Range(inner) | Shape::Multirange(inner) => vec![inner],
        Shape::Hstore => vec![&Shape::TEXT, &Shape::TEXT],
        Shape::Composite(attributes) => attributes.iter().map(|attribute| &attribute.shape).collect(),
        other => return Some(arrow_array::new_null_array(&super::fixed::output_type(other), rows)),
    };
    let lists = lists.into_iter().map(|shape| Some((OffsetBuffer::new_zeroed(rows), nulls(shape, 0)?)));
    Parts {
        skeleton: BinaryArray::from_iter_values(std::iter::repeat_n(b"", rows)),
        lists: lists.collect::<Option<_>>()?,
        nulls: Some(NullBuffer::new_null(rows)),
    }
    .join()
}

const WRONG: &str = "the column was decoded in another shape than its mask was compiled for";

/// Finds the batch row of every leaf of a list.
fn origins(offsets: &OffsetBuffer<i32>, rows: &Rows<'_>) -> Vec<u32> {
    let leaves = offsets.last().copied().unwrap_or(0);
    let mut origins = Vec::with_capacity(leaves as usize);
    for (row, end) in offsets.iter().skip(1).enumerate() {
        origins.resize(*end as usize, rows.row(row) as u32);
    }
    origins
}

/// Masks all leaves of a list.
fn mask_list(
    mask: &dyn ColumnMask,
    (offsets, leaves): &(OffsetBuffer<i32>, ArrayRef),
    rows: &Rows<'_>,
) -> Result<ArrayRef, MaskError> {
    let origins = origins(offsets, rows);
    let inner = Rows { len: leaves.len(), origin: Some(&origins), ..*rows };
    // An error names the row of the batch, not the leaf.
    let named = |error: MaskError| MaskError { row: origins.get(error.row).map_or(0, |row| *row as usize), ..error };
    let masked = mask.apply(leaves, &inner).map_err(named)?;
    if masked.len() == leaves.len() { Ok(masked) } else { Err(MaskError::at(0, "a mask lost leaves")) }
}

type CompileKind = fn(&Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError>;

/// Puts a kind on every leaf of an array, range or multirange.
pub(super) fn compile(kind: CompileKind, compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let (Shape::Array(inner) | Shape::Range(inner) | Shape::Multirange(inner)) = &compile.shape else {
        return kind(compile);
    };
    let leaf = Compile { shape: Shape::clone(inner), ..*compile };
    let mask = self::compile(kind, &leaf)?;
    Ok(Box::new(Each { mask, bounds: !matches!(compile.shape, Shape::Array(_)) }))
}

/// One mask for all leaves of a container.
struct Each {
    mask: Box<dyn ColumnMask>,
    /// The leaves are bounds of ranges.
    bounds: bool,
}

impl ColumnMask for Each {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, WRONG);
        let mut parts = Parts::of(column).ok_or_else(wrong)?;
        let list = parts.lists.first_mut().ok_or_else(wrong)?;
        list.1 = mask_list(&*self.mask, list, rows)?;
        if self.bounds {
            list.1 = in_order(&parts.skeleton, &list.0, &list.1)?;
        }
        parts.join().ok_or_else(wrong)
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        self.mask.text(value, row, rows, out)
    }

    fn after(&self) -> Vec<usize> {
        self.mask.after()
    }
}

/// The flags of a range on the wire: it is empty, it has no lower bound, no upper bound.
const EMPTY: u8 = 0x01;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// Tells which bounds a range has.
pub fn range_bounds(flags: u8) -> (bool, bool) {
    let empty = flags & EMPTY != 0;
    (!empty && flags & LOWER_INFINITE == 0, !empty && flags & UPPER_INFINITE == 0)
}

/// Swaps the bounds of ranges whose lower one is the larger one now: shifts at the end of time turn around, and two
/// numbers of different scales are cut differently. PostgreSQL refuses such ranges.
fn in_order(skeleton: &BinaryArray, offsets: &OffsetBuffer<i32>, bounds: &ArrayRef) -> Result<ArrayRef, MaskError> {
    if bounds.null_count() > 0 {
        return Err(MaskError::at(0, "a bound of a range cannot become NULL"));
    }
    let mut swaps = Vec::new();
    for (row, start) in offsets.iter().take(skeleton.len()).enumerate() {
        let mut at = *start as usize;
        for flags in skeleton.value(row) {
            let (lower, upper) = range_bounds(*flags);
            if lower && upper && compare(bounds, at, at + 1) == Some(Ordering::Greater) {
                swaps.push(at);
            }
            at += usize::from(lower) + usize::from(upper);
        }
    }
    if swaps.is_empty() {
        return Ok(Arc::clone(bounds));
    }
    let swapped = match bounds.data_type() {
        DataType::Int16 => swap::<Int16Type>(bounds, &swaps),
        DataType::Int32 => swap::<Int32Type>(bounds, &swaps),
        DataType::Int64 => swap::<Int64Type>(bounds, &swaps),
        DataType::Date32 => swap::<Date32Type>(bounds, &swaps),
        DataType::Float32 => swap::<Float32Type>(bounds, &swaps),
        DataType::Float64 => swap::<Float64Type>(bounds, &swaps),
        _ => bounds.as_binary_opt::<i32>().map(|values| {
            let mut values: Vec<&[u8]> = values.iter().flatten().collect();
            swaps.iter().for_each(|at| values.swap(*at, at + 1));
            Arc::new(BinaryArray::from_iter_values(values)) as ArrayRef
        }),
    };
    swapped.ok_or_else(|| MaskError::at(0, WRONG))
}

fn swap<T: ArrowPrimitiveType>(bounds: &ArrayRef, swaps: &[usize]) -> Option<ArrayRef> {
    let mut values = bounds.as_primitive_opt::<T>()?.values().to_vec();
    swaps.iter().for_each(|at| values.swap(*at, at + 1));
    Some(Arc::new(PrimitiveArray::<T>::new(values.into(), None)))
}

/// Compares two bounds of a masked column; none if they cannot be.
fn compare(bounds: &ArrayRef, left: usize, right: usize) -> Option<Ordering> {
    fn primitive<T: ArrowPrimitiveType>(bounds: &ArrayRef, left: usize, right: usize) -> Option<Ordering>
    where
        T::Native: PartialOrd,
    {
        let values = bounds.as_primitive_opt::<T>()?;
        values.value(left).partial_cmp(&values.value(right))
    }
    match bounds.data_type() {
        DataType::Int16 => primitive::<Int16Type>(bounds, left, right),
        DataType::Int32 => primitive::<Int32Type>(bounds, left, right),
        DataType::Int64 => primitive::<Int64Type>(bounds, left, right),
        DataType::Date32 => primitive::<Date32Type>(bounds, left, right),
        DataType::Float32 => primitive::<Float32Type>(bounds, left, right),
        DataType::Float64 => primitive::<Float64Type>(bounds, left, right),
        _ => {
            let values = bounds.as_binary_opt::<i32>()?;
            let (mut a, mut b) = (decimal::Decimal::default(), decimal::Decimal::default());
            (a.read_wire(values.value(left)) && b.read_wire(values.value(right))).then(|| a.compare(&b))
        }
    }
}

const REST: Param = Param {
    name: "rest",
    summary: "What happens to all others: \"keep\", \"null\" or a mask",
    domain: Domain::Any,
    default: "must be given, unless `fields` names all",
};

pub(super) static COMPOSITE: Kind = Kind {
    name: "composite",
    remains: |_| super::Remains::Open,
    summary: "Masks the attributes of a composite type one by one",
    params: &[
        Param {
            name: "fields",
            summary: "Mask, \"keep\" or \"null\" per attribute: { street = \"pattern\", zip = \"keep\" }",
            domain: Domain::Any,
            default: "none",
        },
        REST,
    ],
    accepts: &[Takes::Composite],
    keyed_on: KeyedOn::Either,
    injective: Injective::No,
    samples: &[r#"{"email": "bob@example.com", "zip": "12345"}"#],
    compile: compile_composite,
    ..TEXT
};

pub(super) static HSTORE: Kind = Kind {
    name: "hstore",
    remains: |_| super::Remains::Open,
    summary: "Masks the values of an hstore by key; keys stay, unless they are personal data",
    params: &[
        Param {
            name: "fields",
            summary: "Mask, \"keep\" or \"null\" per key: { email = \"email\", plan = \"keep\" }",
            domain: Domain::Any,
            default: "none",
        },
        Param { default: "must be given", ..REST },
        Param {
            name: "keys",
            summary: "Whether keys that are personal data become hashes, or stay",
            domain: Domain::OneOf(&["hide", "keep"]),
            default: "hide",
        },
    ],
    accepts: &[Takes::Hstore],
    keyed_on: KeyedOn::Either,
    injective: Injective::No,
    samples: &[r#"{"email": "bob@example.com", "plan": "free"}"#],
    compile: compile_hstore,
    ..TEXT
};

enum Action {
    Keep,
    Null,
    Mask(Box<dyn ColumnMask>),
}

/// Reads `"keep"`, `"null"`, `"email"` or `{ mask = "email", … }` for a leaf of this shape.
fn action(compile: &Compile<'_>, param: &str, value: &Value, shape: &Shape) -> Result<Action, CompileError> {
    match value.as_str() {
        Some("keep") => Ok(Action::Keep),
        Some("null") => Ok(Action::Null),
        _ => nested_mask(compile, param, value, shape.clone()).map(Action::Mask),
    }
}

fn fields<'a>(compile: &'a Compile<'_>) -> Result<Vec<(&'a String, &'a Value)>, CompileError> {
    match compile.spec.params.get("fields") {
        None => Ok(Vec::new()),
        Some(Value::Object(table)) => Ok(table.iter().collect()),
        Some(_) => Err(compile.bad_param("fields", "a table of name = mask")),
    }
}

fn compile_composite(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let Shape::Composite(attributes) = &compile.shape else { return Err(compile.wrong_shape()) };
    let fields = fields(compile)?;
    if let Some((unknown, _)) = fields.iter().find(|(name, _)| attributes.iter().all(|known| known.name != **name)) {
        let known: Vec<&str> = attributes.iter().map(|attribute| attribute.name.as_str()).collect();
        let expected = format!("a table of attributes ({}); `{unknown}` is none", known.join(", "));
        return Err(compile.bad_param("fields", &expected));
    }
    let mut actions = Vec::with_capacity(attributes.len());
    for attribute in attributes.iter() {
        let own = fields.iter().find(|(name, _)| **name == attribute.name).map(|(_, value)| ("fields", *value));
        let rest = || Some(("rest", compile.spec.params.get("rest")?));
        let Some((param, value)) = own.or_else(rest) else {
            let expected = format!("given, because `fields` says nothing about `{}`", attribute.name);
            return Err(compile.bad_param("rest", &expected));
        };
        let action = action(compile, param, value, &attribute.shape).map_err(|error| match error.refusal {
            Refusal::WrongShape { kind } => {
                let expected = format!("masks that fit: `{kind}` does not take the type of `{}`", attribute.name);
                compile.bad_param(param, &expected)
            }
            _ => error,
        })?;
        actions.push((action, attribute.shape.clone()));
    }
    Ok(Box::new(Composite(actions)))
}

/// `composite/1`: what happens to each attribute.
struct Composite(Vec<(Action, Shape)>);

impl ColumnMask for Composite {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, WRONG);
        let mut parts = Parts::of(column).filter(|parts| parts.lists.len() == self.0.len()).ok_or_else(wrong)?;
        for ((action, shape), list) in self.0.iter().zip(&mut parts.lists) {
            list.1 = match action {
                Action::Keep => owned(&list.1),
                Action::Null => nulls(shape, list.1.len()).ok_or_else(wrong)?,
                Action::Mask(mask) => mask_list(&**mask, list, rows)?,
            };
        }
        parts.join().ok_or_else(wrong)
    }

    fn text(&self, _value: &str, row: usize, _rows: &Rows<'_>, _out: &mut String) -> Result<(), MaskError> {
        Err(MaskError::at(row, "a composite is no text"))
    }

    fn after(&self) -> Vec<usize> {
        after(self.0.iter().map(|(action, _)| action))
    }
}

fn after<'a>(actions: impl Iterator<Item = &'a Action>) -> Vec<usize> {
    let masks = actions.filter_map(|action| if let Action::Mask(mask) = action { Some(mask) } else { None });
    let mut after: Vec<usize> = masks.flat_map(|mask| mask.after()).collect();
    after.sort_unstable();
    after.dedup();
    after
}

fn compile_hstore(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let rest = compile.spec.params.get("rest");
    let rest = rest.ok_or_else(|| compile.bad_param("rest", "given: \"keep\", \"null\" or a mask"))?;
    let rest = action(compile, "rest", rest, &Shape::TEXT)?;
    let fields = fields(compile)?.into_iter();
    let fields = fields.map(|(key, value)| Ok((key.clone(), action(compile, "fields", value, &Shape::TEXT)?)));
    let seal = (compile.word("keys") != Some("keep")).then(|| seal(compile.realm));
    let names = OwnNames::of(compile);
    Ok(Box::new(Hstore { fields: fields.collect::<Result<_, CompileError>>()?, rest, seal, names }))
}

/// `hstore/1`.
struct Hstore {
    fields: Vec<(String, Action)>,
    rest: Action,
    /// Hashes keys that are personal data; none where they stay.
    seal: Option<DomainKey>,
    /// Those of the person of the row, whom a key may name.
    names: OwnNames,
}

impl Hstore {
    /// The keys of all rows, as they may be seen.
    fn keys(&self, keys: &ArrayRef, texts: &StringViewArray, offsets: &OffsetBuffer<i32>, rows: &Rows<'_>) -> ArrayRef {
        let Some(seal) = &self.seal else { return owned(keys) };
        let mut shown = StringBuilder::with_capacity(texts.len(), texts.total_bytes_len());
        let mut names = KeyNames::of(&self.names);
        for (row, bounds) in offsets.windows(2).enumerate() {
            for leaf in bounds[0] as usize..bounds[1] as usize {
                let key = texts.value(leaf);
                // Whoever wrote a key down says that it is no token.
                let said = || self.fields.iter().any(|(name, _)| name == key);
                let hides = personal(key).is_some() && (!said() || personal_by_name(key).is_some());
                if hides || names.are_in(key, row, rows) {
                    shown.append_value(sealed(seal, key));
                } else {
                    shown.append_value(key);
                }
            }
        }
        Arc::new(shown.finish())
    }
}

impl ColumnMask for Hstore {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, WRONG);
        let mut parts = Parts::of(column).ok_or_else(wrong)?;
        let [(offsets, keys), (_, values)] = &mut parts.lists[..] else { return Err(wrong()) };
        let (texts_keys, texts) = (keys.as_string_view_opt(), values.as_string_view_opt());
        let (texts_keys, texts) = (texts_keys.ok_or_else(wrong)?, texts.ok_or_else(wrong)?);
        let mut masked = TextBuilder::new(texts.len(), texts.total_bytes_len());
        for (row, bounds) in offsets.windows(2).enumerate() {
            for leaf in bounds[0] as usize..bounds[1] as usize {
                let key = texts_keys.value(leaf);
                let action = self.fields.iter().find(|(name, _)| name == key).map_or(&self.rest, |(_, action)| action);
                let present = texts.is_valid(leaf) && !matches!(action, Action::Null);
                match action {
                    Action::Mask(mask) if present => mask.text(texts.value(leaf), row, rows, &mut masked.values)?,
                    Action::Keep if present => masked.values.push_str(texts.value(leaf)),
                    _ => {}
                }
                masked.close(present)?;
            }
        }
        let masked = masked.finish()?;
        *keys = self.keys(keys, texts_keys, offsets, rows);
        *values = masked;
        parts.join().ok_or_else(wrong)
    }

    fn text(&self, _value: &str, row: usize, _rows: &Rows<'_>, _out: &mut String) -> Result<(), MaskError> {
        Err(MaskError::at(row, "an hstore is no text"))
    }

    fn after(&self) -> Vec<usize> {
        after(self.fields.iter().map(|(_, action)| action).chain([&self.rest]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::batch::RawBatch;
    use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, Params, TableSpec};
    use arrow_array::{Date32Array, Int64Array, StringViewArray};
    use arrow_buffer::ScalarBuffer;

    fn offsets(ends: &[i32]) -> OffsetBuffer<i32> {
        OffsetBuffer::new(ScalarBuffer::from(ends.to_vec()))
    }

    fn container(skeleton: Vec<&[u8]>, lists: Vec<(OffsetBuffer<i32>, ArrayRef)>) -> ArrayRef {
        Parts { skeleton: BinaryArray::from_vec(skeleton), lists, nulls: None }.join().unwrap()
    }

    /// Masks a column whose rows have the subjects 1, 2, 3, …
    fn mask(kind: &str, params: &str, shape: Shape, column: ArrayRef) -> Result<ArrayRef, MaskError> {
        let params: Params = serde_json::from_str(params).unwrap();
        let spec = MaskSpec { kind: kind.to_owned(), label: String::new(), params, subject: Some(1) };
        let column_of = |name: &str, shape, mask| ColumnSpec { name: name.to_owned(), shape, mask };
        let columns = vec![column_of("t.c", shape, Some(spec)), column_of("t.id", Shape::Int8, None)];
        let table = TableSpec { columns, ..TableSpec::default() };
        let masker = Masker::compile(&MasterKey::test().realm("default"), &table).unwrap();
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(1..=column.len() as i64));
        let raw =
            RawBatch { rows: column.len(), wire: Default::default(), gaps: Vec::new(), columns: vec![column, ids] };
        masker.apply(raw).map(|batch| Arc::clone(&batch.columns()[0]))
    }

    #[test]
    fn elements_get_the_masks_of_columns_and_the_subject_of_their_row() {
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(0), Some(10), None, Some(0)]));
        let column = container(vec![b"a", b"b", b"c"], vec![(offsets(&[0, 2, 2, 4]), days)]);
        let masked = mask("date.shift", "{}", Shape::Array(Arc::new(Shape::Date)), column).unwrap();
        let parts = Parts::of(&masked).unwrap();
        assert_eq!(parts.skeleton, BinaryArray::from_vec(vec![b"a", b"b", b"c"]));
        let days = parts.lists[0].1.as_primitive::<Date32Type>();
        let plain: ArrayRef = Arc::new(Date32Array::from(vec![0, 0, 0]));
        let plain = mask("date.shift", "{}", Shape::Date, plain).unwrap();
        let plain = plain.as_primitive::<Date32Type>();
        assert_eq!(
            days.iter().collect::<Vec<_>>(),
            [Some(plain.value(0)), Some(plain.value(0) + 10), None, Some(plain.value(2))]
        );
    }

    #[test]
    fn bounds_stay_in_order() {
        // The last day of PostgreSQL is shifted the other way than the day before its neighborhood.
        let last = 2_145_042_905;
        let bounds: Vec<i32> = (0..40).flat_map(|_| [last - 100, last]).collect();
        let days: ArrayRef = Arc::new(Date32Array::from(bounds));
        let ends: Vec<i32> = (0..=40).map(|row| row * 2).collect();
        let column = container(vec![&[2_u8]; 40], vec![(offsets(&ends), days)]);
        let masked = mask("date.shift", "{}", Shape::Range(Arc::new(Shape::Date)), column).unwrap();
        let parts = Parts::of(&masked).unwrap();
        let days = parts.lists[0].1.as_primitive::<Date32Type>().values().to_vec();
        assert!(days.chunks(2).all(|bounds| bounds[0] <= bounds[1]));
        assert!(days.chunks(2).any(|bounds| bounds[1] - bounds[0] != 100), "some were swapped");
    }

    #[test]
    fn hstore_values_are_masked_by_key() {
        let keys: ArrayRef = Arc::new(StringViewArray::from(vec!["email", "plan", "x", "email"]));
        let values: ArrayRef =
            Arc::new(StringViewArray::from(vec![Some("bob@example.com"), Some("gold"), Some("y"), None]));
        let ends = offsets(&[0, 3, 4]);
        let column = container(vec![b"", b""], vec![(ends.clone(), keys), (ends, values)]);
        let params = r#"{"fields":{"email":"email","plan":"keep"},"rest":"null"}"#;
        let masked = mask("hstore", params, Shape::Hstore, column).unwrap();
        let parts = Parts::of(&masked).unwrap();
        let values = parts.lists[1].1.as_string::<i32>();
        let bob: ArrayRef = Arc::new(StringViewArray::from(vec!["bob@example.com"]));
        let bob = mask("email", "{}", Shape::TEXT, bob).unwrap();
        let bob = bob.as_string::<i32>().value(0);
        assert_eq!(values.iter().collect::<Vec<_>>(), [Some(bob), Some("gold"), None, None]);
    }

    #[test]
    fn keys_of_an_hstore_that_are_personal_data_become_hashes_and_do_not_meet() {
        let names = ["bob@example.com", "Bob@example.com", "plan"];
        let masked = |params: &str| {
            let keys: ArrayRef = Arc::new(StringViewArray::from(names.to_vec()));
            let values: ArrayRef = Arc::new(StringViewArray::from(vec!["1", "2", "3"]));
            let ends = offsets(&[0, 3]);
            let column = container(vec![b""], vec![(ends.clone(), keys), (ends, values)]);
            let parts = Parts::of(&mask("hstore", params, Shape::Hstore, column).unwrap()).unwrap();
            let text =
                |list: usize| parts.lists[list].1.as_string::<i32>().iter().flatten().map(str::to_owned).collect();
            let (keys, values): (Vec<String>, Vec<String>) = (text(0), text(1));
            (keys, values)
        };
        let (keys, values) = masked(r#"{"rest":"keep"}"#);
        assert!(keys[..2].iter().all(|key| key.len() == 17 && key.starts_with('#')) && keys[0] != keys[1], "{keys:?}");
        assert!(keys[2] == "plan" && values == ["1", "2", "3"], "{keys:?} {values:?}");
        // A field finds its value whatever its key becomes.
        let (keys, values) = masked(r#"{"rest":"keep","fields":{"bob@example.com":{"mask":"const","value":"x"}}}"#);
        assert!(!keys.contains(&names[0].to_owned()) && values[0] == "x", "{keys:?} {values:?}");
        // The twin: keys that are said to stay.
        assert_eq!(masked(r#"{"rest":"keep","keys":"keep"}"#).0, names);
    }

    #[test]
    fn a_key_that_is_the_name_of_the_person_becomes_a_hash() {
        let masked = |params: &str| {
            let keys = ["Katharina Lindqvist", "lindqvist_katharina", "k.lindqvist", "Lindqvist", "Nora Lund"];
            let keys: ArrayRef = Arc::new(StringViewArray::from(keys.to_vec()));
            let values: ArrayRef = Arc::new(StringViewArray::from(vec!["1"; 5]));
            let spec = |kind: &str, params: &str| {
                let params = serde_json::from_str(params).unwrap();
                Some(MaskSpec { kind: kind.to_owned(), label: String::new(), params, subject: Some(1) })
            };
            let column_of = |name: &str, shape, mask| ColumnSpec { name: name.to_owned(), shape, mask };
            let columns = vec![
                column_of("t.h", Shape::Hstore, spec("hstore", params)),
                column_of("t.id", Shape::Int8, None),
                column_of("t.first_name", Shape::TEXT, spec("name.first", "{}")),
                column_of("t.last_name", Shape::TEXT, spec("name.last", "{}")),
            ];
            let table = TableSpec { columns, ..TableSpec::default() };
            let masker = Masker::compile(&MasterKey::test().realm("default"), &table).unwrap();
            let text = |value: &str| Arc::new(StringViewArray::from(vec![value])) as ArrayRef;
            let columns = vec![
                container(vec![b""], vec![(offsets(&[0, 5]), keys), (offsets(&[0, 5]), values)]),
                Arc::new(Int64Array::from(vec![1])),
                text("Katharina"),
                text("Lindqvist"),
            ];
            let raw = RawBatch { rows: 1, wire: Default::default(), gaps: Vec::new(), columns };
            let batch = masker.apply(raw).unwrap();
            let parts = Parts::of(&batch.columns()[0]).unwrap();
            parts.lists[0].1.as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        let keys = masked(r#"{"rest":"text.spans"}"#);
        assert!(keys[..3].iter().all(|key| key.len() == 17 && key.starts_with('#')) && keys[0] != keys[1], "{keys:?}");
        // The twins: one word may be the name of a field, others are no name of this person, and nothing looks for names.
        assert_eq!(keys[3..], ["Lindqvist", "Nora Lund"]);
        assert_eq!(masked(r#"{"rest":"keep"}"#)[0], "Katharina Lindqvist");
    }

    #[test]
    fn an_error_inside_a_container_names_the_row() {
        let ssns: ArrayRef = Arc::new(StringViewArray::from(vec!["078-05-1120", "219-09-9999", "000"]));
        let column = container(vec![b"", b"", b""], vec![(offsets(&[0, 1, 1, 3]), ssns)]);
        let error = mask("us.ssn", r#"{"on_invalid":"fail"}"#, Shape::Array(Arc::new(Shape::TEXT)), column);
        assert_eq!(error.unwrap_err().row, 2);
    }

    #[test]
    fn columns_of_null_have_the_form_of_their_shape() {
        let inner = Shape::Composite([super::super::Attribute { name: "a".to_owned(), shape: Shape::Hstore }].into());
        for shape in [Shape::Array(Arc::new(inner.clone())), inner, Shape::Date, Shape::Opaque] {
            let column = nulls(&shape, 3).unwrap();
            assert!(column.len() == 3 && column.null_count() == 3 && (!shape.nested() || Parts::of(&column).is_some()));
        }
    }
}
