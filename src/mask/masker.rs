//! The masks of one table: compiled once, applied to every batch.

use super::batch::{MaskedBatch, RawBatch};
use super::canon::{push_canonical, push_email};
use super::column::{ColumnMask, Compile, CompileError, MaskError, Refusal, Rows};
use super::condition::Condition;
use super::key::RealmKey;
use super::leaf::TextBuilder;
use super::quantity::{canonical_integer, push_number};
use super::{ColumnSpec, Kind, MaskSpec, Params, Shape, TableSpec, kind, single};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Int64Array, StringArray, StringViewArray};
use bytes::Bytes;
use std::sync::Arc;

/// Compiled masks of one table. Shared by all workers.
pub struct Masker {
    columns: Vec<Column>,
    /// Indexes of masked columns, each after the columns it needs.
    order: Vec<usize>,
    /// Columns that name subjects, one per slot, with their shapes.
    subjects: Vec<(usize, Shape)>,
    conditions: Vec<Condition>,
    unwritten: Vec<usize>,
}

struct Column {
    name: String,
    mask: Option<Box<dyn ColumnMask>>,
}

impl Masker {
    /// Builds the masks of a table.
    ///
    /// # Errors
    /// Every [`CompileError`] of the table, in column order.
    pub fn compile(realm: &RealmKey, table: &TableSpec) -> Result<Self, Vec<CompileError>> {
        let mut subjects: Vec<(usize, Shape)> = Vec::new();
        let mut columns = Vec::with_capacity(table.columns.len());
        let mut errors = Vec::new();
        // Masks of texts build those of other columns: all subjects are known first.
        for index in table.columns.iter().filter_map(|column| column.mask.as_ref()?.subject) {
            subject_slot(table, index, &mut subjects);
        }
        for (index, column) in table.columns.iter().enumerate() {
            let mask = column.mask.as_ref().map(|spec| compile_column(realm, table, index, spec, &subjects));
            let mask = mask.transpose().unwrap_or_else(|error| {
                errors.push(error);
                None
            });
            columns.push(Column { name: column.name.clone(), mask });
        }
        let order = order(&columns, &mut errors);
        let (conditions, unwritten) = (table.conditions.clone(), table.unwritten.clone());
        if errors.is_empty() { Ok(Self { columns, order, subjects, conditions, unwritten }) } else { Err(errors) }
    }

    /// Masks nothing: for rows that were masked before.
    pub fn none() -> Self {
        Self {
            columns: Vec::new(),
            order: Vec::new(),
            subjects: Vec::new(),
            conditions: Vec::new(),
            unwritten: Vec::new(),
        }
    }

    /// Puts masks made by a test before one compiled column.
    #[cfg(test)]
    pub(super) fn of(
        masks: Vec<Box<dyn ColumnMask>>,
        last: MaskSpec,
        realm: &RealmKey,
    ) -> Result<Self, Vec<CompileError>> {
        let shape = Shape::Text { chars_max: None, padded: false };
        let table = TableSpec {
            columns: vec![ColumnSpec { name: "last".to_owned(), shape, mask: Some(last) }],
            ..TableSpec::default()
        };
        let mut masker = Self::compile(realm, &table)?;
        let first = masks.into_iter().map(|mask| Column { name: "first".to_owned(), mask: Some(mask) });
        masker.columns.splice(0..0, first);
        let mut errors = Vec::new();
        masker.order = order(&masker.columns, &mut errors);
        if errors.is_empty() { Ok(masker) } else { Err(errors) }
    }

    /// Whether documents of any batch so far got other keys, so that the target does not send them back as they were sent.
    pub fn moves_keys(&self) -> bool {
        self.columns.iter().filter_map(|column| column.mask.as_ref()).any(|mask| mask.moves_keys())
    }

    /// Masks a batch. Shape: the masked columns in table order, each as long as the batch.
    ///
    /// Deterministic in the key, the table and the rows; independent of where batches are cut and of threads.
    ///
    /// # Errors
    /// [`MaskError`] naming column and row, never the value; the batch is lost.
    pub fn apply(&self, raw: RawBatch) -> Result<MaskedBatch, MaskError> {
        let whole =
            raw.columns.len() == self.columns.len() && raw.columns.iter().all(|column| column.len() == raw.rows);
        if !whole {
            return Err(MaskError::at(0, "the batch does not have the columns of its table"));
        }
        let subjects = self.subjects.iter().map(|(column, shape)| {
            let names = subject_names(&raw.columns[*column], shape);
            names.map_err(|error| error.in_column(&self.columns[*column].name))
        });
        let subjects = subjects.collect::<Result<Vec<StringArray>, MaskError>>()?;
        let mut masked: Vec<Option<ArrayRef>> = vec![None; self.columns.len()];
        for index in &self.order {
            let Column { name, mask: Some(mask) } = &self.columns[*index] else { continue };
            let rows = Rows { len: raw.rows, subjects: &subjects, raw: &raw.columns, masked: &masked, origin: None };
            let column = self.masked(*index, &**mask, &rows).map_err(|error| error.in_column(name))?;
            if column.len() != raw.rows {
                return Err(MaskError::at(0, "a mask lost rows").in_column(name));
            }
            masked[*index] = Some(column);
        }
        for index in &self.unwritten {
            masked[*index] = None;
        }
        Ok(MaskedBatch::new(raw, masked.into_iter().flatten().collect()))
    }

    /// One masked column; where it has a condition, the rows it is not for come from there.
    fn masked(&self, index: usize, mask: &dyn ColumnMask, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let column = &rows.raw[index];
        let Some(condition) = self.conditions.iter().find(|condition| condition.column == index) else {
            return mask.apply(column, rows);
        };
        let Some(left_out) = condition.left_out(rows.raw)? else { return mask.apply(column, rows) };
        let masked = mask.apply(&Condition::hide(column, &left_out)?, rows)?;
        condition.join(column, masked, &left_out)
    }
}

fn compile_column(
    realm: &RealmKey,
    table: &TableSpec,
    column: usize,
    spec: &MaskSpec,
    subjects: &[(usize, Shape)],
) -> Result<Box<dyn ColumnMask>, CompileError> {
    let ColumnSpec { name, shape, .. } = &table.columns[column];
    let error = |refusal| CompileError { column: name.clone(), refusal };
    let found = kind(&spec.kind).ok_or_else(|| error(Refusal::UnknownKind { kind: spec.kind.clone() }))?;
    let slot = |index| subjects.iter().position(|(named, _)| *named == index);
    let subject = match spec.subject {
        None => None,
        Some(index) => Some(slot(index).ok_or_else(|| error(Refusal::BadSubject))?),
    };
    found.compile(&Compile { realm, table, column, shape: shape.clone(), spec, subject, subjects })
}

/// Gives a subject column a slot, unless it has one, or cannot name anybody.
fn subject_slot(table: &TableSpec, index: usize, subjects: &mut Vec<(usize, Shape)>) {
    let shape = table.columns.get(index).map(|column| &column.shape);
    if let Some(shape) = shape.filter(|shape| shape.names_subjects())
        && subjects.iter().all(|(known, _)| *known != index)
    {
        subjects.push((index, shape.clone()));
    }
}

/// Orders masks so that each runs after the columns it reads masked.
fn order(columns: &[Column], errors: &mut Vec<CompileError>) -> Vec<usize> {
    let mut waiting: Vec<usize> = (0..columns.len()).filter(|index| columns[*index].mask.is_some()).collect();
    let mut order = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready = |index: &usize| {
            let after = columns[*index].mask.as_ref().map_or(Vec::new(), |mask| mask.after());
            after.iter().all(|needed| *needed == *index || !waiting.contains(needed))
        };
        let (now, later): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|index| ready(index));
        if now.is_empty() {
            let stuck = later.iter().map(|index| columns[*index].name.clone());
            errors.extend(stuck.map(|column| CompileError { column, refusal: Refusal::Cycle }));
            break;
        }
        order.extend(now);
        waiting = later;
    }
    order
}

/// The canonical subject of every row; NULL and blank anchors name nobody.
fn subject_names(column: &ArrayRef, shape: &Shape) -> Result<StringArray, MaskError> {
    let wrong = || MaskError::at(0, "the anchor column was decoded in another shape than the plan said");
    let mut names = TextBuilder::new(column.len(), column.len() * 8);
    let mut each = |push: &mut dyn FnMut(usize, &mut String)| -> Result<(), MaskError> {
        for row in 0..column.len() {
            let start = names.values.len();
            if column.is_valid(row) {
                push(row, &mut names.values);
            }
            names.close(names.values.len() > start)?;
        }
        Ok(())
    };
    macro_rules! integers {
        ($type:ty) => {{
            let values = column.as_primitive_opt::<$type>().ok_or_else(wrong)?;
            each(&mut |row, out| {
                let value: i64 = values.value(row).into();
                if value < 0 {
                    out.push('-');
                }
                push_number(value.unsigned_abs(), 1, out);
            })?
        }};
    }
    match shape {
        Shape::Int2 => integers!(Int16Type),
        Shape::Int4 => integers!(Int32Type),
        Shape::Int8 => integers!(Int64Type),
        Shape::Text { .. } => {
            let values = column.as_string_view_opt().ok_or_else(wrong)?;
            each(&mut |row, out| push_subject(values.value(row), out))?
        }
        Shape::Uuid => {
            let values = column.as_fixed_size_binary_opt().ok_or_else(wrong)?;
            each(&mut |row, out| {
                if let Ok(bytes) = values.value(row).try_into() {
                    super::account::push_uuid(u128::from_be_bytes(bytes), true, out);
                }
            })?
        }
        Shape::Date => {
            let values = column.as_primitive_opt::<Date32Type>().ok_or_else(wrong)?;
            each(&mut |row, out| match values.value(row) {
                i32::MAX => out.push_str("infinity"),
                i32::MIN => out.push_str("-infinity"),
                days => super::temporal::push_date(days.into(), out),
            })?
        }
        _ => return Err(wrong()),
    }
    let names = names.finish()?;
    Ok(names.as_string::<i32>().clone())
}

/// Appends the canonical form of a text that names a person: an e-mail address as such, else as text.
fn push_subject(text: &str, out: &mut String) {
    if push_email(text, true, out).is_none() {
        push_canonical(text, true, out);
    }
}

/// Why a single value was not masked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Mask(#[from] MaskError),
    #[error("mask `{kind}` takes whole numbers")]
    NotANumber { kind: String },
}

/// Masks one value written as text, as `restage mask` does; none if it becomes NULL.
///
/// Gives what a column of the kind's usual type gives: `int8` for whole numbers, text for most else. A `subject` that is a
/// whole number stands for an integer anchor.
///
/// # Errors
/// [`ValueError`] if the kind does not exist, refuses its parameters, or refuses the value.
pub fn mask_value(
    realm: &RealmKey,
    kind_name: &str,
    label: &str,
    params: Params,
    subject: Option<&str>,
    value: &str,
) -> Result<Option<String>, ValueError> {
    let unknown =
        || CompileError { column: "value".to_owned(), refusal: Refusal::UnknownKind { kind: kind_name.to_owned() } };
    let found: &Kind = kind(kind_name).ok_or_else(unknown)?;
    let (shape, column) = single::column(found, value)?;
    let spec = MaskSpec { kind: found.full_name(), label: label.to_owned(), params, subject: subject.map(|_| 1) };
    let mut table = TableSpec::default();
    let mut columns = vec![column];
    table.columns.push(ColumnSpec { name: "value".to_owned(), shape: shape.clone(), mask: Some(spec) });
    if let Some(subject) = subject {
        let (shape, column): (Shape, ArrayRef) = match canonical_integer(subject) {
            Some(number) => (Shape::Int8, Arc::new(Int64Array::from(vec![number]))),
            None => (Shape::TEXT, Arc::new(StringViewArray::from(vec![subject]))),
        };
        table.columns.push(ColumnSpec { name: "subject".to_owned(), shape, mask: None });
        columns.push(column);
    }
    let masker = Masker::compile(realm, &table).map_err(|mut errors| errors.swap_remove(0))?;
    let masked = masker.apply(RawBatch { rows: 1, wire: Bytes::new(), gaps: Vec::new(), columns })?;
    let column = &masked.columns()[0];
    Ok(column.is_valid(0).then(|| single::shown(&shape, column)))
}
