//! Writes masked rows as COPY input: kept bytes from the wire, masked values from their arrays, into one buffer.
//!
//! Source: PostgreSQL documentation, COPY, "Binary Format", and the `*_recv` functions of each type.

use super::decode::{Fixed, Span, date_to_wire, timestamp_legal};
use super::nested::{NestedCursor, Opened};
use super::text_format::{self, GapFields};
use super::types::{Field, Format, Layout};
use crate::error::{Diagnose, Exit, Report};
use crate::mask::Shape;
use crate::mask::batch::{Gap, MaskedBatch};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, StringArray,
};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use std::io::Write;
use thiserror::Error;

pub use super::decode::{HEADER, TRAILER};

const NULL: [u8; 4] = (-1_i32).to_be_bytes();
const JSONB_VERSION: u8 = 1;
/// Bytes reserved for a masked value beyond its own: length word and `jsonb` version in binary, the longest rendering of
/// a timestamp or an IPv6 network in text.
const BINARY_EXTRA: usize = 5;
const TEXT_EXTRA: usize = 48;

/// A masked batch that is not what its layout promises: a defect of ours, found before it reaches the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    #[error("the batch has {found} masked columns and {gaps} gaps instead of {expected} columns")]
    Columns { expected: usize, found: usize, gaps: usize },
    #[error("masked column {column} is not the array of its shape, or not as long as the batch")]
    Array { column: usize },
    #[error("masked column {column}, row {row} of the batch: the value is outside what PostgreSQL can store")]
    Range { column: usize, row: usize },
}

impl Diagnose for EncodeError {
    fn exit(&self) -> Exit {
        Exit::Internal
    }

    fn reports(&self) -> Vec<Report> {
        let code = match self {
            Self::Columns { .. } => "encode::columns",
            Self::Array { .. } => "encode::array",
            Self::Range { .. } => "encode::range",
        };
        let message = "masked rows cannot be written as PostgreSQL rows";
        vec![
            Report::new(code, message)
                .detail(format!("{self}."))
                .hint("This is a defect of restage: please report it."),
        ]
    }
}

/// Appends the rows of a batch to `out`, without header and trailer.
///
/// Shape: `layout.written` fields a row; the masked columns of `batch` are the `Mask` fields in their order.
/// Nulls: a null is the length −1, or `\N` in text. Memory: reserves the size of the rows at once; text that needs
/// escapes may grow it.
///
/// # Errors
/// [`EncodeError`] if the arrays do not fit the layout or hold a date or timestamp that PostgreSQL cannot store. `out`
/// then ends in part of a row.
pub fn encode(format: Format, layout: &Layout, batch: &MaskedBatch, out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let opened = open(layout, batch);
    let columns = cursors(layout, batch, &opened)?;
    let kept_bytes: usize = batch.gaps().iter().map(|gap| gap.len as usize).sum();
    let masked_bytes: usize = columns.iter().map(Cursor::bytes).sum();
    let rows = batch.rows();
    match format {
        Format::Binary => {
            out.reserve(kept_bytes + masked_bytes + rows * (2 + columns.len() * BINARY_EXTRA));
            binary(layout, batch, &columns, out)
        }
        Format::Text => {
            out.reserve(kept_bytes + masked_bytes + rows * (1 + layout.written + columns.len() * TEXT_EXTRA));
            text(layout, batch, &columns, out)
        }
    }
}

fn binary(layout: &Layout, batch: &MaskedBatch, columns: &[Cursor], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let count = u16::try_from(layout.written).expect("a PostgreSQL row has at most 1664 columns").to_be_bytes();
    let mut gaps = batch.gaps();
    for row in 0..batch.rows() {
        out.extend_from_slice(&count);
        let (row_gaps, rest) = gaps.split_at(columns.len() + 1);
        gaps = rest;
        for (index, (column, gap)) in columns.iter().zip(row_gaps).enumerate() {
            out.extend_from_slice(kept(batch, *gap));
            if column.put_binary(row, out).is_none() {
                return Err(EncodeError::Range { column: index, row });
            }
        }
        out.extend_from_slice(kept(batch, row_gaps[columns.len()]));
    }
    Ok(())
}

fn text(layout: &Layout, batch: &MaskedBatch, columns: &[Cursor], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let GapFields(fields) = GapFields::of(layout);
    let mut gaps = batch.gaps();
    for row in 0..batch.rows() {
        let (row_gaps, rest) = gaps.split_at(columns.len() + 1);
        gaps = rest;
        for (index, gap) in row_gaps.iter().enumerate() {
            if index > 0 && fields[index] > 0 {
                out.push(b'\t');
            }
            out.extend_from_slice(kept(batch, *gap));
            let Some(column) = columns.get(index) else {
                break;
            };
            if index > 0 || fields[index] > 0 {
                out.push(b'\t');
            }
            if column.put_text(row, out).is_none() {
                return Err(EncodeError::Range { column: index, row });
            }
        }
        out.push(b'\n');
    }
    Ok(())
}

#[inline]
fn kept(batch: &MaskedBatch, gap: Gap) -> &[u8] {
    &batch.wire()[gap.start as usize..][..gap.len as usize]
}

/// A masked column, resolved once per batch so that a cell costs one predictable jump.
pub(super) struct Cursor<'a> {
    values: Values<'a>,
    nulls: Option<&'a NullBuffer>,
}

enum Values<'a> {
    Int2(&'a [i16]),
    Int4(&'a [i32]),
    Int8(&'a [i64]),
    Float4(&'a [f32]),
    Float8(&'a [f64]),
    Bool(&'a BooleanBuffer),
    /// `Text`, `Enum`, `Json`: offsets and bytes.
    Text(&'a [i32], &'a [u8]),
    Jsonb(&'a [i32], &'a [u8]),
    Fixed(&'a [u8], Fixed),
    Date(&'a [i32]),
    Timestamp(&'a [i64]),
    Span(&'a [i32], &'a [u8], Span),
    Nested(Box<NestedCursor<'a>>),
}

fn masked(layout: &Layout) -> impl Iterator<Item = &Shape> {
    layout.fields.iter().filter_map(|field| match field {
        Field::Mask(shape) => Some(shape),
        Field::Keep | Field::Read(_) => None,
    })
}

/// Takes the containers among the masked columns apart; cursors borrow from the parts.
fn open(layout: &Layout, batch: &MaskedBatch) -> Vec<Option<Opened>> {
    masked(layout).zip(batch.columns()).map(|(shape, array)| Opened::of(shape, array)).collect()
}

fn cursors<'a>(
    layout: &Layout,
    batch: &'a MaskedBatch,
    opened: &'a [Option<Opened>],
) -> Result<Vec<Cursor<'a>>, EncodeError> {
    let (expected, found, gaps) = (layout.masked(), batch.columns().len(), batch.gaps().len());
    if found != expected || gaps != batch.rows() * (expected + 1) {
        return Err(EncodeError::Columns { expected, found, gaps });
    }
    let cursor = |(column, ((shape, array), opened)): (usize, ((&Shape, &'a ArrayRef), &'a Option<Opened>))| {
        let cursor = Cursor::of(shape, array, opened.as_ref()).filter(|_| array.len() == batch.rows());
        cursor.ok_or(EncodeError::Array { column })
    };
    masked(layout).zip(batch.columns()).zip(opened).enumerate().map(cursor).collect()
}

impl<'a> Cursor<'a> {
    /// None if the array is not the one that carries the shape. `opened`: the parts of a container.
    pub(super) fn of(shape: &Shape, array: &'a ArrayRef, opened: Option<&'a Opened>) -> Option<Self> {
        // A null buffer without nulls would cost a test for each value.
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0);
        Some(Self { values: Values::of(shape, array, opened)?, nulls })
    }
}

impl<'a> Values<'a> {
    fn of(shape: &Shape, array: &'a ArrayRef, opened: Option<&'a Opened>) -> Option<Self> {
        let any = array.as_any();
        let int8 = || any.downcast_ref::<Int64Array>().map(|array| &**array.values());
        let text = || any.downcast_ref::<StringArray>().map(|array| (array.value_offsets(), array.value_data()));
        let span = |span| {
            let array = any.downcast_ref::<BinaryArray>()?;
            Some(Self::Span(array.value_offsets(), array.value_data(), span))
        };
        let fixed = |form: Fixed| {
            let array = any.downcast_ref::<FixedSizeBinaryArray>();
            let array = array.filter(|array| array.value_length() as usize == form.bytes())?;
            Some(Self::Fixed(array.value_data(), form))
        };
        match shape {
            Shape::Int2 => any.downcast_ref::<Int16Array>().map(|array| Self::Int2(array.values())),
            Shape::Int4 => any.downcast_ref::<Int32Array>().map(|array| Self::Int4(array.values())),
            Shape::Int8 => int8().map(Self::Int8),
            Shape::Float4 => any.downcast_ref::<Float32Array>().map(|array| Self::Float4(array.values())),
            Shape::Float8 => any.downcast_ref::<Float64Array>().map(|array| Self::Float8(array.values())),
            Shape::Bool => any.downcast_ref::<BooleanArray>().map(|array| Self::Bool(array.values())),
            Shape::Timestamp => int8().map(Self::Timestamp),
            Shape::Date => any.downcast_ref::<Date32Array>().map(|array| Self::Date(array.values())),
            Shape::Uuid => fixed(Fixed::Uuid),
            Shape::Mac => fixed(Fixed::Mac),
            Shape::Mac8 => fixed(Fixed::Mac8),
            Shape::Time => fixed(Fixed::Time),
            Shape::TimeTz => fixed(Fixed::TimeTz),
            Shape::Point => fixed(Fixed::Point),
            Shape::Text { .. } | Shape::Enum(_) | Shape::Json | Shape::Xml => {
                text().map(|(offsets, data)| Self::Text(offsets, data))
            }
            Shape::Jsonb => text().map(|(offsets, data)| Self::Jsonb(offsets, data)),
            Shape::Inet => span(Span::Inet),
            Shape::Cidr => span(Span::Cidr),
            Shape::Numeric { .. } => span(Span::Numeric),
            Shape::Bytea => span(Span::Bytea),
            Shape::Opaque => span(Span::Opaque),
            Shape::Array(_) | Shape::Range(_) | Shape::Multirange(_) | Shape::Composite(_) | Shape::Hstore => {
                NestedCursor::of(shape, opened?).map(|cursor| Self::Nested(Box::new(cursor)))
            }
        }
    }
}

impl Cursor<'_> {
    /// Bytes of all values, without length words.
    pub(super) fn bytes(&self) -> usize {
        match &self.values {
            Values::Int2(values) => size_of_val(*values),
            Values::Int4(values) | Values::Date(values) => size_of_val(*values),
            Values::Int8(values) | Values::Timestamp(values) => size_of_val(*values),
            Values::Float4(values) => size_of_val(*values),
            Values::Float8(values) => size_of_val(*values),
            Values::Bool(values) => values.len(),
            Values::Fixed(bytes, _) => bytes.len(),
            Values::Text(offsets, _) | Values::Jsonb(offsets, _) | Values::Span(offsets, ..) => {
                let end = |offset: Option<&i32>| offset.map_or(0, |offset| *offset as usize);
                end(offsets.last()) - end(offsets.first())
            }
            Values::Nested(nested) => nested.bytes(),
        }
    }

    #[inline]
    pub(super) fn null(&self, row: usize) -> bool {
        self.nulls.is_some_and(|nulls| nulls.is_null(row))
    }

    /// Appends length and value; none if PostgreSQL cannot store the value.
    #[inline]
    pub(super) fn put_binary(&self, row: usize, out: &mut Vec<u8>) -> Option<()> {
        if self.null(row) {
            out.extend_from_slice(&NULL);
            return Some(());
        }
        match &self.values {
            Values::Int2(values) => {
                let [a, b] = values[row].to_be_bytes();
                out.extend_from_slice(&[0, 0, 0, 2, a, b]);
            }
            Values::Int4(values) => put_four(values[row], out),
            Values::Date(values) => put_four(date_to_wire(values[row])?, out),
            Values::Int8(values) => put_eight(values[row], out),
            Values::Timestamp(values) => put_eight(Some(values[row]).filter(|micros| timestamp_legal(*micros))?, out),
            Values::Float4(values) => put_four(i32::from_be_bytes(values[row].to_be_bytes()), out),
            Values::Float8(values) => put_eight(i64::from_be_bytes(values[row].to_be_bytes()), out),
            Values::Bool(values) => out.extend_from_slice(&[0, 0, 0, 1, u8::from(values.value(row))]),
            Values::Fixed(bytes, form) => {
                out.extend_from_slice(&(form.bytes() as u32).to_be_bytes());
                out.extend_from_slice(nth(bytes, *form, row));
            }
            Values::Text(offsets, data) | Values::Span(offsets, data, _) => {
                let value = slice(offsets, data, row);
                out.extend_from_slice(&(value.len() as u32).to_be_bytes());
                out.extend_from_slice(value);
            }
            Values::Jsonb(offsets, data) => {
                let value = slice(offsets, data, row);
                let [a, b, c, d] = (value.len() as u32 + 1).to_be_bytes();
                out.extend_from_slice(&[a, b, c, d, JSONB_VERSION]);
                out.extend_from_slice(value);
            }
            Values::Nested(nested) => nested.put_binary(row, out)?,
        }
        Some(())
    }

    /// Appends an escaped value; none if PostgreSQL cannot store the value.
    fn put_text(&self, row: usize, out: &mut Vec<u8>) -> Option<()> {
        if self.null(row) {
            text_format::put_null(out);
            return Some(());
        }
        match &self.values {
            Values::Text(offsets, data) | Values::Jsonb(offsets, data) => {
                text_format::escape(slice(offsets, data, row), out);
            }
            Values::Nested(_) | Values::Span(_, _, Span::Bytea | Span::Opaque) => {
                let mut plain = Vec::new();
                self.put_plain(row, &mut plain)?;
                text_format::escape(&plain, out);
            }
            _ => self.put_plain(row, out)?,
        }
        Some(())
    }

    /// Appends the text of a value that is not NULL, without escapes; none if PostgreSQL cannot store the value.
    pub(super) fn put_plain(&self, row: usize, out: &mut Vec<u8>) -> Option<()> {
        match &self.values {
            Values::Int2(values) => put_number(i64::from(values[row]), out),
            Values::Int4(values) => put_number(i64::from(values[row]), out),
            Values::Int8(values) => put_number(values[row], out),
            Values::Float4(values) => text_format::put_float(values[row], out),
            Values::Float8(values) => text_format::put_float(values[row], out),
            Values::Bool(values) => out.push(if values.value(row) { b't' } else { b'f' }),
            Values::Date(values) => {
                date_to_wire(values[row])?;
                text_format::put_date(values[row], out);
            }
            Values::Timestamp(values) => {
                let micros = Some(values[row]).filter(|micros| timestamp_legal(*micros))?;
                text_format::put_timestamp(micros, out);
            }
            Values::Fixed(bytes, form) => text_format::put_fixed(nth(bytes, *form, row), *form, out),
            Values::Text(offsets, data) | Values::Jsonb(offsets, data) => {
                out.extend_from_slice(slice(offsets, data, row));
            }
            Values::Span(offsets, data, form) => text_format::put_span(slice(offsets, data, row), *form, out)?,
            Values::Nested(nested) => nested.put_text(row, out)?,
        }
        Some(())
    }
}

#[inline]
fn slice<'a>(offsets: &[i32], data: &'a [u8], row: usize) -> &'a [u8] {
    &data[offsets[row] as usize..offsets[row + 1] as usize]
}

#[inline]
fn nth(bytes: &[u8], form: Fixed, row: usize) -> &[u8] {
    &bytes[row * form.bytes()..][..form.bytes()]
}

#[inline]
fn put_four(value: i32, out: &mut Vec<u8>) {
    let [a, b, c, d] = value.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 4, a, b, c, d]);
}

#[inline]
fn put_eight(value: i64, out: &mut Vec<u8>) {
    let [a, b, c, d, e, f, g, h] = value.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 8, a, b, c, d, e, f, g, h]);
}

fn put_number(value: i64, out: &mut Vec<u8>) {
    write!(out, "{value}").expect("a vector takes every write");
}
