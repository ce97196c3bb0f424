//! Rows of COPY text as Arrow columns, and back.
//!
//! Text is the form in which PostgreSQL itself promises that every value of every type can be read again, so it is what
//! rows are before and after. A column whose type Arrow holds exactly is typed; everything else is the text of the type's
//! output function. Some types have a few values that their Arrow type cannot hold: `NaN` and infinity of `numeric`,
//! infinite dates and timestamps, `24:00`, arrays of several dimensions. Those are [`Exception`]s: NULL in the column, kept as text beside it.

use super::list;
use crate::catalog::{Catalog, Oid};
use crate::pg::text;
use arrow_array::builder::{
    BinaryBuilder, BooleanBuilder, Date32Builder, Decimal128Builder, FixedSizeBinaryBuilder, Float32Builder,
    Float64Builder, Int16Builder, Int32Builder, Int64Builder, StringBuilder, Time64MicrosecondBuilder,
    TimestampMicrosecondBuilder, UInt32Builder,
};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, Time64MicrosecondType,
    TimestampMicrosecondType, UInt32Type,
};
use arrow_array::{Array as _, ArrayRef, ListArray, RecordBatch, RecordBatchOptions};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::extension::{Json, Uuid};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::sync::Arc;

/// Key of the PostgreSQL type in the metadata of a field.
pub const TYPE_KEY: &str = "restage.type";

/// Microseconds from 1970-01-01, where Arrow counts from, to 2000-01-01, where PostgreSQL does.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Digits of a `Decimal128`.
const DECIMAL_DIGITS_MAX: u16 = 38;
const UUID_BYTES: i32 = 16;

/// How a column is held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stored {
    Bool,
    Int16,
    Int32,
    Int64,
    /// `oid`.
    Uint32,
    Float32,
    Float64,
    Decimal {
        precision: u8,
        scale: i8,
    },
    Date,
    /// Microseconds without a zone.
    Timestamp,
    /// Microseconds in UTC.
    TimestampUtc,
    Time,
    Uuid,
    Bytes,
    Json,
    /// An array of one dimension that counts from 1.
    List {
        of: Box<Stored>,
    },
    /// What the output function of the type writes.
    Text,
}

impl Stored {
    /// Returns how a column of this type is held, looking through domains.
    pub fn of(catalog: &Catalog, mut type_oid: Oid, mut typmod: i32) -> Self {
        while let Some(domain) = catalog.type_of(type_oid).filter(|r#type| r#type.kind == 'd') {
            typmod = domain.base_typmod;
            type_oid = domain.base;
        }
        match type_oid {
            16 => Self::Bool,
            21 => Self::Int16,
            23 => Self::Int32,
            20 => Self::Int64,
            26 => Self::Uint32,
            700 => Self::Float32,
            701 => Self::Float64,
            1700 => decimal(typmod),
            1082 => Self::Date,
            1114 => Self::Timestamp,
            1184 => Self::TimestampUtc,
            1083 => Self::Time,
            2950 => Self::Uuid,
            17 => Self::Bytes,
            114 | 3802 => Self::Json,
            _ => Self::list(catalog, type_oid, typmod).unwrap_or(Self::Text),
        }
    }

    /// An array whose elements are typed, texts or labels. Other types may have another delimiter than a comma.
    fn list(catalog: &Catalog, type_oid: Oid, typmod: i32) -> Option<Self> {
        /// `int2vector` and `oidvector`: arrays with a form of their own.
        const VECTORS: [Oid; 2] = [22, 30];
        let array = catalog.type_of(type_oid)?;
        if array.kind != 'b' || array.element == 0 || VECTORS.contains(&type_oid) {
            return None;
        }
        let of = Self::of(catalog, array.element, typmod);
        let plain = |mut oid: Oid| {
            while let Some(domain) = catalog.type_of(oid).filter(|r#type| r#type.kind == 'd') {
                oid = domain.base;
            }
            // char, name, text, bpchar, varchar; numeric without a scale.
            matches!(oid, 18 | 19 | 25 | 1042 | 1043 | 1700)
                || catalog.type_of(oid).is_some_and(|known| known.kind == 'e')
        };
        match of {
            Self::List { .. } => None,
            Self::Text if !plain(array.element) => None,
            of => Some(Self::List { of: Box::new(of) }),
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Bool => DataType::Boolean,
            Self::Int16 => DataType::Int16,
            Self::Int32 => DataType::Int32,
            Self::Int64 => DataType::Int64,
            Self::Uint32 => DataType::UInt32,
            Self::Float32 => DataType::Float32,
            Self::Float64 => DataType::Float64,
            Self::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale),
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampUtc => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Time => DataType::Time64(TimeUnit::Microsecond),
            Self::Uuid => DataType::FixedSizeBinary(UUID_BYTES),
            Self::Bytes => DataType::Binary,
            Self::Json | Self::Text => DataType::Utf8,
            Self::List { of } => DataType::List(Arc::new(of.extended(Field::new("element", of.data_type(), true)))),
        }
    }

    /// Whether an array holds this; names and metadata of elements do not count.
    fn is_held(&self, found: &DataType) -> bool {
        match (self, found) {
            (Self::List { of }, DataType::List(element)) => of.is_held(element.data_type()),
            _ => *found == self.data_type(),
        }
    }

    fn extended(&self, field: Field) -> Field {
        match self {
            Self::Uuid => field.with_extension_type(Uuid),
            Self::Json => field.with_extension_type(Json::default()),
            _ => field,
        }
    }

    /// The Arrow field of a column: its PostgreSQL type is in the metadata. Every field may be NULL, because an exception is.
    pub fn field(&self, name: &str, type_name: &str) -> Field {
        let metadata = [(TYPE_KEY.to_owned(), type_name.to_owned())].into();
        self.extended(Field::new(name, self.data_type(), true).with_metadata(metadata))
    }
}

/// Precision and scale share a word; the scale is signed and has the low 11 bits.
fn decimal(typmod: i32) -> Stored {
    let Ok(bits) = u32::try_from(typmod - 4) else { return Stored::Text };
    let (precision, scale) = ((bits >> 16) as u16, (bits & 0x7ff) as u16);
    if precision > DECIMAL_DIGITS_MAX || scale > precision {
        return Stored::Text;
    }
    Stored::Decimal { precision: precision as u8, scale: scale as i8 }
}

/// A value that the type of its column cannot hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exception {
    /// Row of the file, from 0.
    pub row: u64,
    pub column: u32,
    pub text: String,
}

/// Why a row cannot be held. Says where, never what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("a row does not have the fields of its table")]
    Fields,
    #[error("column {column} holds an escape that COPY never sends")]
    Escape { column: usize },
    #[error("column {column} holds bytes that are not UTF-8")]
    Encoding { column: usize },
}

enum Builder {
    Bool(BooleanBuilder),
    Int16(Int16Builder),
    Int32(Int32Builder),
    Int64(Int64Builder),
    Uint32(UInt32Builder),
    Float32(Float32Builder),
    Float64(Float64Builder),
    Decimal(Decimal128Builder, u8, i8),
    Date(Date32Builder),
    /// With or without zone.
    Timestamp(TimestampMicrosecondBuilder),
    Time(Time64MicrosecondBuilder),
    Uuid(FixedSizeBinaryBuilder),
    Bytes(BinaryBuilder),
    Text(StringBuilder),
    List(ListBuilder),
}

/// Arrow's own builder cannot take back the first elements of an array whose last one turns out to be an exception.
struct ListBuilder {
    element: FieldRef,
    items: Box<Builder>,
    /// Takes every element first: what it cannot take makes the array an exception.
    trial: Box<Builder>,
    lengths: Vec<usize>,
    valid: Vec<bool>,
}

impl ListBuilder {
    fn new(of: &Stored, element: FieldRef) -> Self {
        let builder = || Box::new(Builder::new(of));
        Self { element, items: builder(), trial: builder(), lengths: Vec::new(), valid: Vec::new() }
    }

    fn push(&mut self, value: &str) -> Option<()> {
        let elements = list::elements(value)?;
        if elements.iter().flatten().any(|element| self.trial.push(element).is_none()) {
            return None;
        }
        for element in &elements {
            match element {
                Some(element) => self.items.push(element)?,
                None => self.items.push_null(),
            }
        }
        self.lengths.push(elements.len());
        self.valid.push(true);
        Some(())
    }

    fn push_null(&mut self) {
        self.lengths.push(0);
        self.valid.push(false);
    }

    fn finish(&mut self) -> ArrayRef {
        drop(self.trial.finish());
        let items = with_type(self.items.finish(), &self.element);
        let offsets = OffsetBuffer::from_lengths(self.lengths.drain(..));
        let nulls = NullBuffer::from(std::mem::take(&mut self.valid));
        Arc::new(ListArray::new(Arc::clone(&self.element), offsets, items, Some(nulls)))
    }
}

/// Gathers rows of COPY text as columns.
pub struct Columns {
    schema: SchemaRef,
    builders: Vec<Builder>,
    rows: usize,
    plain: Vec<u8>,
}

impl Columns {
    /// `columns`: name, PostgreSQL type, how it is held.
    pub fn new<'a>(columns: impl Iterator<Item = (&'a str, &'a str, &'a Stored)>) -> Self {
        let (fields, builders): (Vec<Field>, Vec<Builder>) =
            columns.map(|(name, type_name, stored)| (stored.field(name, type_name), Builder::new(stored))).unzip();
        Self { schema: Arc::new(Schema::new(fields)), builders, rows: 0, plain: Vec::new() }
    }

    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Rows since the last [`Columns::finish`].
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Adds whole rows, each ending in a newline; `first` is the number of the first of them.
    ///
    /// # Errors
    /// [`Fault`]; nothing that was added may be used then.
    pub fn add(&mut self, rows: &[u8], first: u64, exceptions: &mut Vec<Exception>) -> Result<(), Fault> {
        for (number, line) in rows.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let line = line.strip_suffix(b"\n").ok_or(Fault::Fields)?;
            let mut fields = line.split(|byte| *byte == b'\t');
            let expected = self.builders.len();
            for column in 0..expected {
                let raw = fields.next().ok_or(Fault::Fields)?;
                let builder = &mut self.builders[column];
                if raw == b"\\N" {
                    builder.push_null();
                    continue;
                }
                let value = if raw.contains(&b'\\') {
                    self.plain.clear();
                    text::unescape(raw, &mut self.plain).map_err(|_| Fault::Escape { column })?;
                    self.plain.as_slice()
                } else {
                    raw
                };
                let value = std::str::from_utf8(value).map_err(|_| Fault::Encoding { column })?;
                if builder.push(value).is_none() {
                    builder.push_null();
                    exceptions.push(Exception {
                        row: first + number as u64,
                        column: column as u32,
                        text: value.to_owned(),
                    });
                }
            }
            // A table without columns has empty lines, which split into one empty field.
            let more = fields.next();
            if more.is_some_and(|field| expected > 0 || !field.is_empty()) {
                return Err(Fault::Fields);
            }
            self.rows += 1;
        }
        Ok(())
    }

    /// Takes what was added as one batch.
    ///
    /// # Panics
    /// If a builder does not make the array of its field: they are made together.
    pub fn finish(&mut self) -> RecordBatch {
        let arrays: Vec<ArrayRef> = self.builders.iter_mut().map(Builder::finish).collect();
        let arrays =
            arrays.into_iter().zip(self.schema.fields()).map(|(array, field)| with_type(array, field)).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(std::mem::take(&mut self.rows)));
        RecordBatch::try_new_with_options(self.schema(), arrays, &options)
            .expect("builders make the arrays of their fields")
    }
}

/// Timestamps with a zone and decimals have parameters that their builders do not know.
fn with_type(array: ArrayRef, field: &Field) -> ArrayRef {
    match field.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            let array = array.as_primitive::<TimestampMicrosecondType>().clone();
            Arc::new(array.with_timezone(Arc::clone(zone)))
        }
        DataType::Decimal128(precision, scale) => {
            let array = array.as_primitive::<Decimal128Type>().clone();
            let array = array.with_precision_and_scale(*precision, *scale);
            Arc::new(array.expect("precision and scale were checked when the column was planned"))
        }
        _ => array,
    }
}

impl Builder {
    fn new(stored: &Stored) -> Self {
        match stored {
            Stored::Bool => Self::Bool(BooleanBuilder::new()),
            Stored::Int16 => Self::Int16(Int16Builder::new()),
            Stored::Int32 => Self::Int32(Int32Builder::new()),
            Stored::Int64 => Self::Int64(Int64Builder::new()),
            Stored::Uint32 => Self::Uint32(UInt32Builder::new()),
            Stored::Float32 => Self::Float32(Float32Builder::new()),
            Stored::Float64 => Self::Float64(Float64Builder::new()),
            Stored::Decimal { precision, scale } => Self::Decimal(Decimal128Builder::new(), *precision, *scale),
            Stored::Date => Self::Date(Date32Builder::new()),
            Stored::Timestamp | Stored::TimestampUtc => Self::Timestamp(TimestampMicrosecondBuilder::new()),
            Stored::Time => Self::Time(Time64MicrosecondBuilder::new()),
            Stored::Uuid => Self::Uuid(FixedSizeBinaryBuilder::new(UUID_BYTES)),
            Stored::Bytes => Self::Bytes(BinaryBuilder::new()),
            Stored::Json | Stored::Text => Self::Text(StringBuilder::new()),
            Stored::List { of } => {
                let DataType::List(element) = stored.data_type() else { unreachable!("a list is held as a list") };
                Self::List(ListBuilder::new(of, element))
            }
        }
    }

    fn push_null(&mut self) {
        match self {
            Self::Bool(builder) => builder.append_null(),
            Self::Int16(builder) => builder.append_null(),
            Self::Int32(builder) => builder.append_null(),
            Self::Int64(builder) => builder.append_null(),
            Self::Uint32(builder) => builder.append_null(),
            Self::Float32(builder) => builder.append_null(),
            Self::Float64(builder) => builder.append_null(),
            Self::Decimal(builder, ..) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
            Self::Time(builder) => builder.append_null(),
            Self::Uuid(builder) => builder.append_null(),
            Self::Bytes(builder) => builder.append_null(),
            Self::Text(builder) => builder.append_null(),
            Self::List(builder) => builder.push_null(),
        }
    }

    /// Adds a value; none if the type cannot hold it exactly.
    fn push(&mut self, value: &str) -> Option<()> {
        match self {
            Self::Bool(builder) => builder.append_value(match value {
                "t" => true,
                "f" => false,
                _ => return None,
            }),
            Self::Int16(builder) => builder.append_value(value.parse().ok()?),
            Self::Int32(builder) => builder.append_value(value.parse().ok()?),
            Self::Int64(builder) => builder.append_value(value.parse().ok()?),
            Self::Uint32(builder) => builder.append_value(value.parse().ok()?),
            Self::Float32(builder) => builder.append_value(value.parse().ok()?),
            Self::Float64(builder) => builder.append_value(value.parse().ok()?),
            Self::Decimal(builder, precision, scale) => {
                builder.append_value(unscaled(value, *precision, *scale as usize)?);
            }
            Self::Date(builder) => {
                let days = text::date(value.as_bytes()).filter(|days| !matches!(*days, i32::MIN | i32::MAX))?;
                builder.append_value(days);
            }
            Self::Timestamp(builder) => {
                let micros = text::timestamp(value.as_bytes()).filter(|micros| !matches!(*micros, i64::MIN | i64::MAX));
                builder.append_value(micros?.checked_add(EPOCH_MICROS)?);
            }
            Self::Time(builder) => builder.append_value(text::time(value.as_bytes())?),
            Self::Uuid(builder) => {
                builder.append_value(text::uuid(value.as_bytes())?).expect("a uuid has 16 bytes");
            }
            Self::Bytes(builder) => builder.append_value(unhex(value)?),
            Self::Text(builder) => builder.append_value(value),
            Self::List(builder) => builder.push(value)?,
        }
        Some(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Int16(builder) => Arc::new(builder.finish()),
            Self::Int32(builder) => Arc::new(builder.finish()),
            Self::Int64(builder) => Arc::new(builder.finish()),
            Self::Uint32(builder) => Arc::new(builder.finish()),
            Self::Float32(builder) => Arc::new(builder.finish()),
            Self::Float64(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder, ..) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Uuid(builder) => Arc::new(builder.finish()),
            Self::Bytes(builder) => Arc::new(builder.finish()),
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::List(builder) => builder.finish(),
        }
    }
}

/// The digits of a decimal without its point; none if it has more of them than the type.
fn unscaled(value: &str, precision: u8, scale: usize) -> Option<i128> {
    let (negative, digits) = match value.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > scale {
        return None;
    }
    let mut number: i128 = 0;
    for byte in whole.bytes().chain(fraction.bytes()).chain(std::iter::repeat_n(b'0', scale - fraction.len())) {
        let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
        number = number.checked_mul(10)?.checked_add(digit)?;
    }
    (number < 10_i128.pow(u32::from(precision))).then_some(if negative { -number } else { number })
}

fn unhex(value: &str) -> Option<Vec<u8>> {
    let digits = value.strip_prefix("\\x").filter(|digits| digits.len().is_multiple_of(2))?.as_bytes();
    let nibble = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    digits.as_chunks::<2>().0.iter().map(|pair| Some(nibble(pair[0])? << 4 | nibble(pair[1])?)).collect()
}

/// Appends the rows of a batch as COPY text. `exceptions` gives the text of the exception at a row and column, if there is
/// one; `first` is the number of the first row.
///
/// # Errors
/// The index of a column that is not held as `stored` says.
pub fn put_rows(
    batch: &RecordBatch,
    stored: &[Stored],
    first: u64,
    mut exception: impl FnMut(u64, u32) -> Option<String>,
    out: &mut Vec<u8>,
) -> Result<(), usize> {
    if batch.num_columns() != stored.len() {
        return Err(stored.len());
    }
    for (column, (array, stored)) in batch.columns().iter().zip(stored).enumerate() {
        if !stored.is_held(array.data_type()) {
            return Err(column);
        }
    }
    for row in 0..batch.num_rows() {
        for (column, (array, stored)) in batch.columns().iter().zip(stored).enumerate() {
            if column > 0 {
                out.push(b'\t');
            }
            if array.is_valid(row) {
                put_value(array, stored, row, out);
            } else if let Some(text) = exception(first + row as u64, column as u32) {
                text::escape(text.as_bytes(), out);
            } else {
                out.extend_from_slice(b"\\N");
            }
        }
        out.push(b'\n');
    }
    Ok(())
}

fn put_value(array: &ArrayRef, stored: &Stored, row: usize, out: &mut Vec<u8>) {
    let number = |value: i128, out: &mut Vec<u8>| write!(out, "{value}").expect("a vector takes every write");
    match stored {
        Stored::Bool => out.push(if array.as_boolean().value(row) { b't' } else { b'f' }),
        Stored::Int16 => number(array.as_primitive::<Int16Type>().value(row).into(), out),
        Stored::Int32 => number(array.as_primitive::<Int32Type>().value(row).into(), out),
        Stored::Int64 => number(array.as_primitive::<Int64Type>().value(row).into(), out),
        Stored::Uint32 => number(array.as_primitive::<UInt32Type>().value(row).into(), out),
        Stored::Float32 => text::put_float(array.as_primitive::<Float32Type>().value(row), out),
        Stored::Float64 => text::put_float(array.as_primitive::<Float64Type>().value(row), out),
        Stored::Decimal { scale, .. } => {
            put_decimal(array.as_primitive::<Decimal128Type>().value(row), *scale as usize, out);
        }
        Stored::Date => text::put_date(array.as_primitive::<Date32Type>().value(row), out),
        Stored::Timestamp | Stored::TimestampUtc => {
            let micros = array.as_primitive::<TimestampMicrosecondType>().value(row);
            text::put_timestamp(micros.saturating_sub(EPOCH_MICROS), out);
        }
        Stored::Time => text::put_time(array.as_primitive::<Time64MicrosecondType>().value(row), out),
        Stored::Uuid => text::put_uuid(array.as_fixed_size_binary().value(row), out),
        Stored::Bytes => {
            out.extend_from_slice(b"\\\\x");
            for byte in array.as_binary::<i32>().value(row) {
                write!(out, "{byte:02x}").expect("a vector takes every write");
            }
        }
        Stored::Json | Stored::Text => text::escape(array.as_string::<i32>().value(row).as_bytes(), out),
        Stored::List { of } => {
            let items = array.as_list::<i32>().value(row);
            let (mut plain, mut element) = (vec![b'{'], Vec::new());
            for item in 0..items.len() {
                if item > 0 {
                    plain.push(b',');
                }
                if items.is_null(item) {
                    plain.extend_from_slice(b"NULL");
                    continue;
                }
                // The value as COPY sends it, and then without its escapes: inside of an array others hold.
                element.clear();
                put_value(&items, of, item, &mut element);
                let mut text = Vec::with_capacity(element.len());
                text::unescape(&element, &mut text).expect("what was escaped here can be read");
                list::put_element(&text, &mut plain);
            }
            plain.push(b'}');
            text::escape(&plain, out);
        }
    }
}

fn put_decimal(value: i128, scale: usize, out: &mut Vec<u8>) {
    if value < 0 {
        out.push(b'-');
    }
    let digits = format!("{:0width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    out.extend_from_slice(whole.as_bytes());
    if scale > 0 {
        out.push(b'.');
        out.extend_from_slice(fraction.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What comes back of rows, and how many values were exceptions.
    fn around(stored: &[Stored], rows: &str) -> (String, usize) {
        let mut columns = Columns::new(stored.iter().map(|stored| ("c", "t", stored)));
        let mut exceptions = Vec::new();
        columns.add(rows.as_bytes(), 0, &mut exceptions).expect("rows of the table");
        let batch = columns.finish();
        let mut out = Vec::new();
        let find = |row, column| {
            let found = exceptions.iter().find(|exception| (exception.row, exception.column) == (row, column));
            found.map(|exception| exception.text.clone())
        };
        put_rows(&batch, stored, 0, find, &mut out).expect("the columns are as stored");
        (String::from_utf8(out).expect("text"), exceptions.len())
    }

    #[track_caller]
    fn same(stored: Stored, values: &[&str], exceptions: usize) {
        let rows: String = values.iter().map(|value| format!("{value}\n")).collect();
        assert_eq!(around(&[stored], &rows), (rows, exceptions));
    }

    #[test]
    fn values_come_back_as_they_were() {
        same(Stored::Bool, &["t", "f", "\\N"], 0);
        same(Stored::Int16, &["-32768", "32767", "0"], 0);
        same(Stored::Int64, &["-9223372036854775808", "9223372036854775807"], 0);
        same(Stored::Uint32, &["4294967295", "0"], 0);
        same(Stored::Float64, &["0.1", "NaN", "-0", "1e300", "5e-324", "-inf"], 0);
        same(
            Stored::Date,
            &["1970-01-01", "0044-03-15 BC", "5874897-12-31", "4714-11-24 BC", "infinity", "-infinity"],
            2,
        );
        same(Stored::TimestampUtc, &["2026-01-01 00:00:00.5+00", "0001-01-01 23:59:59.999999+00 BC"], 0);
        same(Stored::Time, &["00:00:00", "23:59:59.999999", "24:00:00"], 1);
        same(Stored::Uuid, &["00000000-0000-0000-0000-0000000000ff"], 0);
        same(Stored::Bytes, &["\\\\x", "\\\\x00ff5c"], 0);
        same(Stored::Text, &["", "\\\\N", "a\\tb\\nc\\\\", "é"], 0);
    }

    #[test]
    fn arrays_come_back_as_they_were_and_what_is_no_list_is_an_exception() {
        let list = |of: Stored| Stored::List { of: Box::new(of) };
        same(list(Stored::Int32), &["{}", "{1,NULL,-3}", "\\N", "{{1},{2}}", "[0:1]={1,2}", "{7}"], 2);
        same(list(Stored::Text), &["{\"\",NULL,\"NULL\",\"a b\",\"q\\\\\"q\",\"\\\\\\\\\",é}", "{\"l\\nl\"}"], 0);
        same(list(Stored::Date), &["{2026-01-01,infinity}", "{2026-01-01,2026-01-02}", "{-infinity}"], 2);
        same(list(Stored::TimestampUtc), &["{\"2026-01-01 00:00:00.5+00\",NULL}"], 0);
        same(list(Stored::Decimal { precision: 5, scale: 2 }), &["{1.50,-0.05}", "{1.00,NaN}", "{2.00}"], 1);
        same(list(Stored::Bytes), &["{\"\\\\\\\\x00ff\"}"], 0);
        same(list(Stored::Bool), &["{t,f}"], 0);
        same(list(Stored::Uuid), &["{00000000-0000-0000-0000-0000000000ff}"], 0);
    }

    #[test]
    fn timestamps_beyond_the_range_of_arrow_are_exceptions() {
        same(Stored::TimestampUtc, &["294246-01-01 00:00:00+00", "294276-12-31 23:59:59.999999+00", "infinity"], 2);
    }

    #[test]
    fn decimals_that_are_no_numbers_are_exceptions() {
        let stored = Stored::Decimal { precision: 5, scale: 2 };
        same(stored.clone(), &["-0.05", "999.99", "0.00", "NaN", "Infinity", "-Infinity"], 3);
        // Where the type says the scale, PostgreSQL adds the zeros itself.
        assert_eq!(around(&[stored], "3\n").0, "3.00\n");
        let widest = Stored::Decimal { precision: 38, scale: 0 };
        same(widest, &["99999999999999999999999999999999999999", "-99999999999999999999999999999999999999"], 0);
    }

    #[test]
    fn a_table_without_columns_has_rows() {
        assert_eq!(around(&[], "\n\n"), ("\n\n".to_owned(), 0));
    }

    #[test]
    fn rows_of_another_table_are_refused() {
        let mut columns = Columns::new([("c", "t", &Stored::Text)].into_iter());
        assert_eq!(columns.add(b"a\tb\n", 0, &mut Vec::new()), Err(Fault::Fields));
        assert_eq!(columns.add(b"a", 0, &mut Vec::new()), Err(Fault::Fields));
        assert_eq!(columns.add(b"\\q\n", 0, &mut Vec::new()), Err(Fault::Escape { column: 0 }));
        assert_eq!(columns.add(b"\xff\n", 0, &mut Vec::new()), Err(Fault::Encoding { column: 0 }));
    }

    #[test]
    fn numerics_without_a_scale_are_text() {
        assert_eq!(decimal(-1), Stored::Text);
        let typmod = |precision: i32, scale: i32| (precision << 16 | scale & 0x7ff) + 4;
        assert_eq!(decimal(typmod(12, 2)), Stored::Decimal { precision: 12, scale: 2 });
        assert_eq!(decimal(typmod(39, 2)), Stored::Text);
        assert_eq!(decimal(typmod(5, -3)), Stored::Text);
        assert_eq!(decimal(typmod(2, 5)), Stored::Text);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(values in proptest::collection::vec(proptest::option::of("[^\0]{0,12}"), 1..20)) {
            let mut rows = Vec::new();
            for value in &values {
                match value {
                    Some(value) => text::escape(value.as_bytes(), &mut rows),
                    None => rows.extend_from_slice(b"\\N"),
                }
                rows.push(b'\n');
            }
            let rows = String::from_utf8(rows).expect("text");
            prop_assert_eq!(around(&[Stored::Text], &rows), (rows.clone(), 0));
        }

        #[test]
        fn any_float_comes_back(value: f64) {
            let mut rows = Vec::new();
            text::put_float(value, &mut rows);
            rows.push(b'\n');
            let rows = String::from_utf8(rows).expect("text");
            prop_assert_eq!(around(&[Stored::Float64], &rows).0, rows);
        }
    }
}
