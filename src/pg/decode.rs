//! Cuts COPY rows into kept bytes and Arrow arrays of the columns that a mask needs.
//!
//! One pass over the rows and no copy of them: kept fields are only stepped over, texts become views into the received
//! buffer. Lengths come from the wire and are never trusted; a malformed row is an error that names row, field and byte
//! offset, and never a value.
//!
//! Source: PostgreSQL documentation, COPY, "Binary Format", and the `*_send` functions of each type.

use super::nested::Nested;
use super::text_format;
use super::types::{Field, Format, Layout};
use crate::error::{Diagnose, Exit, Report};
use crate::mask::batch::{Gap, RawBatch};
use crate::mask::{Shape, decimal};
use arrow_array::{
    ArrayRef, BinaryViewArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float32Array, Float64Array, Int16Array,
    Int32Array, Int64Array, builder::StringViewBuilder,
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer};
use bytes::Bytes;
use std::sync::Arc;
use thiserror::Error;

/// The header of a binary COPY stream without flags and extension: what a sink sends before its first row.
pub const HEADER: [u8; 19] = *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// The end of a binary COPY stream: a field count of −1.
pub const TRAILER: [u8; 2] = [0xff, 0xff];

/// Days from 1970-01-01, where `Date32` starts, to 2000-01-01, where dates of PostgreSQL start.
pub(super) const EPOCH_DAYS: i32 = 10_957;

const SIGNATURE_BYTES: usize = 11;
const FLAG_OIDS: u32 = 1 << 16;
/// A reader must refuse a stream that sets any of these.
const FLAGS_CRITICAL: u32 = 0xffff_0000;
const JSONB_VERSION: u8 = 1;
const FAMILY_INET: u8 = 2;
const FAMILY_INET6: u8 = 3;
/// Arrow keeps values up to this length inside the view itself.
const INLINE_BYTES_MAX: usize = 12;
/// Arrays start with room for at most this many rows; the first row may be far shorter than the others.
const ROWS_RESERVED_MAX: usize = 16_384;

/// A row, or the start of the stream, that is not what the COPY protocol promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("row {row} of the batch: {kind}")]
pub struct DecodeError {
    /// Index of the row within the wire.
    pub row: usize,
    /// Index of the field within the row; none where the row as a whole is wrong.
    pub field: Option<usize>,
    /// Byte offset within the wire; none where the wire as a whole is refused.
    pub offset: Option<usize>,
    pub kind: DecodeErrorKind,
}

/// What is wrong with the bytes. Holds sizes and counts, never a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeErrorKind {
    #[error("the stream does not start with the signature of binary COPY")]
    Signature,
    #[error("the stream carries row OIDs, which no supported server sends")]
    Oids,
    #[error("the stream sets an unknown critical flag")]
    Flags,
    #[error("a batch of {bytes} bytes is 4 GiB or longer")]
    WireTooLong { bytes: usize },
    #[error("the row has {found} fields instead of {expected}")]
    FieldCount { expected: usize, found: usize },
    #[error("the bytes end inside the row")]
    Truncated,
    #[error("a field length is negative")]
    Length,
    #[error("the value is not as wide as its type")]
    Width,
    #[error("the value is outside what its type can hold")]
    Value,
    #[error("the text is not UTF-8")]
    Encoding,
    #[error("the text holds an escape that COPY never sends")]
    Escape,
}

impl DecodeErrorKind {
    fn code(self) -> &'static str {
        match self {
            Self::Signature => "decode::signature",
            Self::Oids => "decode::oids",
            Self::Flags => "decode::flags",
            Self::WireTooLong { .. } => "decode::wire-too-long",
            Self::FieldCount { .. } => "decode::field-count",
            Self::Truncated => "decode::truncated",
            Self::Length => "decode::length",
            Self::Width => "decode::width",
            Self::Value => "decode::value",
            Self::Encoding => "decode::encoding",
            Self::Escape => "decode::escape",
        }
    }
}

impl Diagnose for DecodeError {
    fn exit(&self) -> Exit {
        Exit::Source
    }

    fn reports(&self) -> Vec<Report> {
        let field = self.field.map_or_else(String::new, |field| format!(", field {field}"));
        let offset = self.offset.map_or_else(String::new, |offset| format!(", byte {offset}"));
        let detail = format!("Row {} of the batch{field}{offset}: {}.", self.row, self.kind);
        let report = Report::new(self.kind.code(), "the source sent a row that cannot be read").detail(detail);
        vec![match self.kind {
            DecodeErrorKind::Encoding => report.hint("Set `assume_encoding` if the source database is SQL_ASCII."),
            _ => report,
        }]
    }
}

/// Returns the length of the header that starts a binary COPY stream.
///
/// The server puts it in front of the first row, in the same message. An extension area is stepped over.
///
/// # Errors
/// A wrong signature, a critical flag (row OIDs among them), or fewer bytes than the header needs.
pub fn strip_header(stream: &[u8]) -> Result<usize, DecodeError> {
    let fail = |offset, kind| DecodeError { row: 0, field: None, offset: Some(offset), kind };
    let shared = stream.len().min(SIGNATURE_BYTES);
    if stream[..shared] != HEADER[..shared] {
        return Err(fail(0, DecodeErrorKind::Signature));
    }
    let word = |at: usize| match stream.get(at..).and_then(<[u8]>::first_chunk) {
        Some(word) => Ok(u32::from_be_bytes(*word)),
        None => Err(fail(stream.len(), DecodeErrorKind::Truncated)),
    };
    let flags = word(SIGNATURE_BYTES)?;
    if flags & FLAG_OIDS != 0 {
        return Err(fail(SIGNATURE_BYTES, DecodeErrorKind::Oids));
    }
    if flags & FLAGS_CRITICAL != 0 {
        return Err(fail(SIGNATURE_BYTES, DecodeErrorKind::Flags));
    }
    let extension_bytes = word(SIGNATURE_BYTES + 4)?;
    match usize::try_from(extension_bytes).ok().and_then(|bytes| bytes.checked_add(HEADER.len())) {
        Some(header) if header <= stream.len() => Ok(header),
        _ => Err(fail(stream.len(), DecodeErrorKind::Truncated)),
    }
}

/// Tells whether a message is the end of a binary COPY stream; the server sends it as a message of its own.
pub fn is_trailer(message: &[u8]) -> bool {
    message == TRAILER
}

/// Decodes whole rows, without header and trailer.
///
/// Shape: one array per `Read` and `Mask` field, in layout order, each as long as there are rows; an array without nulls
/// has no null buffer. `gaps` as in [`RawBatch::gaps`]. Anchors (fields from `layout.written` on) lie in no gap.
/// Memory: views into `wire`, 16 bytes a value; the arrays share the buffer with `RawBatch::wire`.
///
/// # Errors
/// [`DecodeError`] for bytes that are not rows of this layout. Kept fields are checked for their lengths only.
///
/// # Panics
/// If `layout` masks an anchor or writes more fields than it has.
pub fn decode(format: Format, layout: &Layout, wire: Bytes) -> Result<RawBatch, DecodeError> {
    if u32::try_from(wire.len()).map_or(true, |bytes| bytes == u32::MAX) {
        let kind = DecodeErrorKind::WireTooLong { bytes: wire.len() };
        return Err(DecodeError { row: 0, field: None, offset: None, kind });
    }
    match format {
        Format::Binary => binary(layout, wire),
        Format::Text => text_format::decode(layout, wire),
    }
}

/// What to do next in a row. A layout becomes a few steps, because most neighboring fields are kept.
#[derive(Clone, Copy)]
pub(super) enum Step {
    /// Step over this many fields.
    Keep(usize),
    /// Decode a field that stays in its gap, or an anchor, into the array with this index.
    Read(usize),
    /// End the gap, decode a field into the array with this index, start the next gap after it.
    Mask(usize),
    /// All written fields are behind: end the last gap.
    Close,
}

/// Compiles a layout into its steps and the empty arrays.
pub(super) fn compile(layout: &Layout, wire: &Bytes, rows: usize) -> (Vec<Step>, Vec<Column>) {
    assert!(layout.written <= layout.fields.len(), "a layout writes no more fields than it has");
    let mut steps = Vec::with_capacity(layout.fields.len() + 1);
    let mut columns = Vec::new();
    let wire = Buffer::from(wire.clone());
    for (index, field) in layout.fields.iter().enumerate() {
        if index == layout.written {
            steps.push(Step::Close);
        }
        match field {
            Field::Keep => match steps.last_mut() {
                Some(Step::Keep(count)) => *count += 1,
                _ => steps.push(Step::Keep(1)),
            },
            Field::Read(shape) => {
                steps.push(Step::Read(columns.len()));
                columns.push(Column::new(index, shape, &wire, rows));
            }
            Field::Mask(shape) => {
                assert!(index < layout.written, "anchors are never masked");
                steps.push(Step::Mask(columns.len()));
                columns.push(Column::new(index, shape, &wire, rows));
            }
        }
    }
    if layout.fields.len() == layout.written {
        steps.push(Step::Close);
    }
    (steps, columns)
}

/// Guesses how many rows lie in the wire from the length of the first one.
pub(super) fn rows_guess(wire_bytes: usize, first_row_bytes: usize) -> usize {
    (wire_bytes / first_row_bytes.max(1) + 1).min(ROWS_RESERVED_MAX)
}

fn binary(layout: &Layout, wire: Bytes) -> Result<RawBatch, DecodeError> {
    let mut walk = Walk { wire: &wire, at: 0, row: 0, field: 0 };
    let rows = rows_guess(wire.len(), walk.first_row_bytes());
    let (steps, mut columns) = compile(layout, &wire, rows);
    let mut gaps = Vec::with_capacity(rows * (layout.masked() + 1));
    while walk.at < walk.wire.len() {
        walk.count(layout.fields.len())?;
        let mut gap_start = walk.at;
        for step in &steps {
            match *step {
                Step::Keep(count) => {
                    for _ in 0..count {
                        walk.next()?;
                    }
                }
                Step::Read(column) => walk.decode(&mut columns[column])?,
                Step::Mask(column) => {
                    gaps.push(gap(gap_start, walk.at));
                    walk.decode(&mut columns[column])?;
                    gap_start = walk.at;
                }
                Step::Close => gaps.push(gap(gap_start, walk.at)),
            }
        }
        walk.row += 1;
    }
    let rows = walk.row;
    Ok(finish(columns, rows, wire, gaps))
}

/// The gap between two offsets; the wire is at most 4 GiB long.
#[inline]
pub(super) fn gap(start: usize, end: usize) -> Gap {
    Gap { start: start as u32, len: (end - start) as u32 }
}

/// Turns the collected values into arrays that share the wire.
pub(super) fn finish(columns: Vec<Column>, rows: usize, wire: Bytes, gaps: Vec<Gap>) -> RawBatch {
    let buffer = Buffer::from(wire.clone());
    let columns = columns.into_iter().map(|column| column.finish(&buffer, rows)).collect();
    RawBatch { rows, wire, gaps, columns }
}

/// A position in binary rows.
struct Walk<'a> {
    wire: &'a [u8],
    at: usize,
    row: usize,
    field: usize,
}

impl Walk<'_> {
    /// Length of the first row, as far as it can be read; only a hint for capacities.
    fn first_row_bytes(&self) -> usize {
        let mut probe = Walk { wire: self.wire, ..*self };
        if let Some(count) = probe.wire.first_chunk() {
            probe.at = count.len();
            for _ in 0..u16::from_be_bytes(*count) {
                if probe.next().is_err() {
                    break;
                }
            }
        }
        probe.at
    }

    #[cold]
    fn fail(&self, kind: DecodeErrorKind) -> DecodeError {
        let field = match kind {
            DecodeErrorKind::FieldCount { .. } => None,
            _ => Some(self.field),
        };
        DecodeError { row: self.row, field, offset: Some(self.at), kind }
    }

    /// Reads the field count of a row.
    #[inline]
    fn count(&mut self, expected: usize) -> Result<(), DecodeError> {
        self.field = 0;
        let Some(word) = self.wire[self.at..].first_chunk() else {
            return Err(self.fail(DecodeErrorKind::Truncated));
        };
        let found = usize::from(u16::from_be_bytes(*word));
        if found != expected {
            return Err(self.fail(DecodeErrorKind::FieldCount { expected, found }));
        }
        self.at += word.len();
        Ok(())
    }

    /// Steps over a field and returns where its value starts and how long it is; none is NULL.
    #[inline]
    fn next(&mut self) -> Result<Option<(usize, usize)>, DecodeError> {
        let Some(word) = self.wire[self.at..].first_chunk::<4>() else {
            return Err(self.fail(DecodeErrorKind::Truncated));
        };
        let len = i32::from_be_bytes(*word);
        let start = self.at + word.len();
        let Ok(len) = usize::try_from(len) else {
            return self.null(len, start);
        };
        if len > self.wire.len() - start {
            return Err(self.fail(DecodeErrorKind::Truncated));
        }
        self.at = start + len;
        self.field += 1;
        Ok(Some((start, len)))
    }

    #[inline]
    fn null(&mut self, len: i32, start: usize) -> Result<Option<(usize, usize)>, DecodeError> {
        if len != -1 {
            return Err(self.fail(DecodeErrorKind::Length));
        }
        self.at = start;
        self.field += 1;
        Ok(None)
    }

    #[inline]
    fn decode(&mut self, column: &mut Column) -> Result<(), DecodeError> {
        match self.next()? {
            None => column.push_null(self.row),
            Some((start, len)) => {
                if let Err(kind) = column.push_binary(self.wire, start, len) {
                    // The walk already stands behind the field.
                    return Err(DecodeError { row: self.row, field: Some(column.field), offset: Some(start), kind });
                }
            }
        }
        Ok(())
    }
}

/// An array under construction.
pub(super) struct Column {
    /// Index in the row, for errors.
    pub(super) field: usize,
    pub(super) values: Values,
    /// Rows that are NULL, ascending. Kept as a list because most columns have none. Texts count their own.
    nulls: Vec<u32>,
    /// Values of the text format that the wire does not hold as they read: all spans; for texts only the last one.
    pub(super) unescaped: Vec<u8>,
}

/// Values of a column; a null has a zero in its place.
pub(super) enum Values {
    Int2(Vec<i16>),
    Int4(Vec<i32>),
    Int8(Vec<i64>),
    Float4(Vec<f32>),
    Float8(Vec<f64>),
    Bool(Vec<bool>),
    /// `Text`, `Enum` and `Json`.
    Text(StringViewBuilder),
    Jsonb(StringViewBuilder),
    Fixed(Vec<u8>, Fixed),
    Date(Vec<i32>),
    Timestamp(Vec<i64>),
    Bytes {
        views: Vec<u128>,
        form: Span,
    },
    Nested(Box<Nested>),
}

/// Values that are all equally wide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fixed {
    Uuid,
    Mac,
    Mac8,
    Point,
    Time,
    TimeTz,
}

/// Midnight to midnight, both included: masks count with it.
fn time_legal(value: &[u8]) -> bool {
    let micros = value.first_chunk().map(|micros| i64::from_be_bytes(*micros));
    micros.is_some_and(|micros| (0..=text_format::MICROS_PER_DAY).contains(&micros))
}

impl Fixed {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Uuid | Self::Point => 16,
            Self::Mac => 6,
            Self::Mac8 | Self::Time => 8,
            Self::TimeTz => 12,
        }
    }
}

/// Values of any width that pass as they stand on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Inet,
    /// The server marks it with a byte of 1.
    Cidr,
    Numeric,
    Bytea,
    Opaque,
}

impl Span {
    #[inline]
    pub(super) fn legal(self, value: &[u8]) -> bool {
        match self {
            Self::Inet | Self::Cidr => network_legal(value),
            Self::Numeric => decimal::wire_legal(value),
            Self::Bytea | Self::Opaque => true,
        }
    }
}

impl Column {
    pub(super) fn new(field: usize, shape: &Shape, wire: &Buffer, rows: usize) -> Self {
        let texts = || {
            let mut texts = StringViewBuilder::with_capacity(rows);
            // The first block of a builder is block 0: WIRE.
            texts.append_block(wire.clone());
            texts
        };
        let fixed = |form: Fixed| Values::Fixed(Vec::with_capacity(rows * form.bytes()), form);
        let bytes = |form| Values::Bytes { views: Vec::with_capacity(rows), form };
        let values = match shape {
            Shape::Int2 => Values::Int2(Vec::with_capacity(rows)),
            Shape::Int4 => Values::Int4(Vec::with_capacity(rows)),
            Shape::Int8 => Values::Int8(Vec::with_capacity(rows)),
            Shape::Float4 => Values::Float4(Vec::with_capacity(rows)),
            Shape::Float8 => Values::Float8(Vec::with_capacity(rows)),
            Shape::Bool => Values::Bool(Vec::with_capacity(rows)),
            Shape::Text { .. } | Shape::Enum(_) | Shape::Json | Shape::Xml => Values::Text(texts()),
            Shape::Jsonb => Values::Jsonb(texts()),
            Shape::Uuid => fixed(Fixed::Uuid),
            Shape::Mac => fixed(Fixed::Mac),
            Shape::Mac8 => fixed(Fixed::Mac8),
            Shape::Time => fixed(Fixed::Time),
            Shape::TimeTz => fixed(Fixed::TimeTz),
            Shape::Point => fixed(Fixed::Point),
            Shape::Date => Values::Date(Vec::with_capacity(rows)),
            Shape::Timestamp => Values::Timestamp(Vec::with_capacity(rows)),
            Shape::Inet => bytes(Span::Inet),
            Shape::Cidr => bytes(Span::Cidr),
            Shape::Numeric { .. } => bytes(Span::Numeric),
            Shape::Bytea => bytes(Span::Bytea),
            Shape::Opaque => bytes(Span::Opaque),
            Shape::Array(_) | Shape::Range(_) | Shape::Multirange(_) | Shape::Composite(_) | Shape::Hstore => {
                Values::Nested(Box::new(Nested::new(field, shape, wire).expect("these shapes are the containers")))
            }
        };
        Self { field, values, nulls: Vec::new(), unescaped: Vec::new() }
    }

    #[inline]
    pub(super) fn push_null(&mut self, row: usize) {
        match &mut self.values {
            Values::Int2(values) => values.push(0),
            Values::Int4(values) | Values::Date(values) => values.push(0),
            Values::Int8(values) | Values::Timestamp(values) => values.push(0),
            Values::Float4(values) => values.push(0.0),
            Values::Float8(values) => values.push(0.0),
            Values::Bool(values) => values.push(false),
            Values::Text(texts) | Values::Jsonb(texts) => return texts.append_null(),
            Values::Bytes { views, .. } => views.push(0),
            Values::Fixed(bytes, form) => bytes.resize(bytes.len() + form.bytes(), 0),
            Values::Nested(nested) => nested.push_null(),
        }
        self.nulls.push(row as u32);
    }

    /// Adds the value at `wire[start..start + len]`.
    #[inline]
    pub(super) fn push_binary(&mut self, wire: &[u8], start: usize, len: usize) -> Result<(), DecodeErrorKind> {
        let value = &wire[start..start + len];
        match &mut self.values {
            Values::Int2(values) => values.push(i16::from_be_bytes(fixed(value)?)),
            Values::Int4(values) => values.push(i32::from_be_bytes(fixed(value)?)),
            Values::Int8(values) => values.push(i64::from_be_bytes(fixed(value)?)),
            Values::Float4(values) => values.push(f32::from_be_bytes(fixed(value)?)),
            Values::Float8(values) => values.push(f64::from_be_bytes(fixed(value)?)),
            Values::Bool(values) => match fixed(value)? {
                [0] => values.push(false),
                [1] => values.push(true),
                _ => return Err(DecodeErrorKind::Value),
            },
            Values::Text(texts) => push_view(texts, start, len)?,
            Values::Jsonb(texts) => {
                if value.first() != Some(&JSONB_VERSION) {
                    return Err(DecodeErrorKind::Value);
                }
                push_view(texts, start + 1, len - 1)?;
            }
            Values::Fixed(bytes, form) => {
                if len != form.bytes() {
                    return Err(DecodeErrorKind::Width);
                }
                if matches!(form, Fixed::Time | Fixed::TimeTz) && !time_legal(value) {
                    return Err(DecodeErrorKind::Value);
                }
                bytes.extend_from_slice(value);
            }
            Values::Date(values) => {
                let days = date_from_wire(i32::from_be_bytes(fixed(value)?)).ok_or(DecodeErrorKind::Value)?;
                values.push(days);
            }
            Values::Timestamp(values) => {
                let micros = i64::from_be_bytes(fixed(value)?);
                if !timestamp_legal(micros) {
                    return Err(DecodeErrorKind::Value);
                }
                values.push(micros);
            }
            Values::Bytes { views, form } => {
                if !form.legal(value) {
                    return Err(DecodeErrorKind::Value);
                }
                views.push(view(wire, start, len, WIRE));
            }
            Values::Nested(nested) => nested.push_binary(wire, start, len)?,
        }
        Ok(())
    }

    pub(super) fn finish(self, wire: &Buffer, rows: usize) -> ArrayRef {
        let Self { values, nulls, unescaped, .. } = self;
        let nulls = null_buffer(&nulls, rows);
        match values {
            Values::Int2(values) => Arc::new(Int16Array::new(values.into(), nulls)),
            Values::Int4(values) => Arc::new(Int32Array::new(values.into(), nulls)),
            Values::Int8(values) | Values::Timestamp(values) => Arc::new(Int64Array::new(values.into(), nulls)),
            Values::Float4(values) => Arc::new(Float32Array::new(values.into(), nulls)),
            Values::Float8(values) => Arc::new(Float64Array::new(values.into(), nulls)),
            Values::Bool(values) => Arc::new(BooleanArray::new(BooleanBuffer::from(values), nulls)),
            Values::Date(values) => Arc::new(Date32Array::new(values.into(), nulls)),
            Values::Fixed(bytes, form) => Arc::new(
                FixedSizeBinaryArray::try_new(form.bytes() as i32, bytes.into(), nulls)
                    .expect("every row added exactly its width"),
            ),
            Values::Text(mut texts) | Values::Jsonb(mut texts) => Arc::new(texts.finish()),
            Values::Bytes { views, .. } => Arc::new(
                BinaryViewArray::try_new(views.into(), vec![wire.clone(), Buffer::from(unescaped)], nulls)
                    .expect("every view was cut from one of the two buffers"),
            ),
            Values::Nested(nested) => nested.finish(wire, nulls),
        }
    }
}

fn null_buffer(nulls: &[u32], rows: usize) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    valid.append_n(rows, true);
    for row in nulls {
        valid.set_bit(*row as usize, false);
    }
    Some(NullBuffer::new(valid.finish()))
}

/// Adds the text at `start` of the wire, checked while its bytes are in the cache.
#[inline]
pub(super) fn push_view(texts: &mut StringViewBuilder, start: usize, len: usize) -> Result<(), DecodeErrorKind> {
    texts.try_append_view(WIRE, start as u32, len as u32).map_err(|_| DecodeErrorKind::Encoding)
}

/// Buffer indices inside views.
const WIRE: u32 = 0;
pub(super) const UNESCAPED: u32 = 1;

/// Makes the Arrow view of `buffer[start..start + len]`; `index` is the buffer's place in the array.
///
/// Short values are cut out of one 16-byte load: copying them by length costs a mispredicted jump each.
#[inline]
pub(super) fn view(buffer: &[u8], start: usize, len: usize, index: u32) -> u128 {
    let word = match buffer[start..].first_chunk::<16>() {
        Some(chunk) => u128::from_le_bytes(*chunk),
        None => {
            let mut chunk = [0; 16];
            let rest = &buffer[start..];
            chunk[..rest.len()].copy_from_slice(rest);
            u128::from_le_bytes(chunk)
        }
    };
    if len <= INLINE_BYTES_MAX {
        (word & ((1 << (8 * len)) - 1)) << 32 | len as u128
    } else {
        u128::from(start as u32) << 96 | u128::from(index) << 64 | u128::from(word as u32) << 32 | len as u128
    }
}

#[inline]
fn fixed<const N: usize>(value: &[u8]) -> Result<[u8; N], DecodeErrorKind> {
    value.try_into().map_err(|_| DecodeErrorKind::Width)
}

/// Days since 2000-01-01 that a PostgreSQL date may hold: 4714-11-24 BC up to 5874897-12-31 (`IS_VALID_DATE`).
const WIRE_DAYS: std::ops::Range<i32> = -2_451_545..2_145_031_949;
/// Microseconds since 2000-01-01 that a PostgreSQL timestamp may hold (`IS_VALID_TIMESTAMP`).
const WIRE_MICROS: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

/// Days since 1970-01-01 for days since 2000-01-01; infinities stay. None if no PostgreSQL date has this number.
#[inline]
pub(super) fn date_from_wire(days: i32) -> Option<i32> {
    match days {
        i32::MIN | i32::MAX => Some(days),
        // The range ends far enough below `i32::MAX` for the addition.
        _ if WIRE_DAYS.contains(&days) => Some(days + EPOCH_DAYS),
        _ => None,
    }
}

/// The inverse of [`date_from_wire`].
#[inline]
pub(super) fn date_to_wire(days: i32) -> Option<i32> {
    match days {
        i32::MIN | i32::MAX => Some(days),
        _ => days.checked_sub(EPOCH_DAYS).filter(|days| WIRE_DAYS.contains(days)),
    }
}

/// Tells whether a PostgreSQL timestamp may hold this; infinities may.
#[inline]
pub(super) fn timestamp_legal(micros: i64) -> bool {
    matches!(micros, i64::MIN | i64::MAX) || WIRE_MICROS.contains(&micros)
}

/// Tells whether bytes are an `inet` or `cidr` on the wire: family, prefix length, is-cidr, address length, address.
#[inline]
pub(super) fn network_legal(value: &[u8]) -> bool {
    let [family, prefix, _, address_bytes, address @ ..] = value else {
        return false;
    };
    let (bytes, prefix_max) = match *family {
        FAMILY_INET => (4, 32),
        FAMILY_INET6 => (16, 128),
        _ => return false,
    };
    address.len() == bytes && usize::from(*address_bytes) == bytes && *prefix <= prefix_max
}
