//! Properties of decode and encode together, malformed rows, and a load through a real server.
//!
//! They live inside the crate because only here can a batch be encoded without masks.

use super::decode::{DecodeErrorKind, HEADER, TRAILER, date_from_wire, decode, is_trailer, strip_header};
use super::encode::{EncodeError, encode};
use super::text_format;
use super::types::{Field, Format, Layout};
use crate::error::{Diagnose, Exit};
use crate::mask::Shape;
use crate::mask::batch::{MaskedBatch, RawBatch};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Date32Array, Int32Array, Int64Array};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

const TEXT: Shape = Shape::Text { chars_max: None, padded: false };
const SHAPES: [Shape; 11] = [
    Shape::Int2,
    Shape::Int4,
    Shape::Int8,
    TEXT,
    Shape::Uuid,
    Shape::Date,
    Shape::Timestamp,
    Shape::Inet,
    Shape::Cidr,
    Shape::Json,
    Shape::Jsonb,
];

/// A value as the arrays hold it.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
}

type Row = Vec<Option<Cell>>;

fn cell(shape: Shape) -> BoxedStrategy<Cell> {
    let infinite = |low: i64, high: i64| prop_oneof![Just(low), Just(high)];
    match shape {
        Shape::Int2 => any::<i16>().prop_map(|value| Cell::Int(value.into())).boxed(),
        Shape::Int4 => any::<i32>().prop_map(|value| Cell::Int(value.into())).boxed(),
        Shape::Int8 => any::<i64>().prop_map(Cell::Int).boxed(),
        Shape::Text { .. } | Shape::Json | Shape::Jsonb => {
            let short = "[a-z\\\\\t\n\r\u{8}\u{b}\u{c}é]{0,14}";
            prop_oneof![short.prop_map(Cell::Text), any::<String>().prop_map(Cell::Text)].boxed()
        }
        Shape::Uuid => any::<[u8; 16]>().prop_map(|value| Cell::Bytes(value.to_vec())).boxed(),
        Shape::Date => {
            let finite = (-2_451_545_i64 + 10_957)..(2_145_031_949 + 10_957);
            prop_oneof![9 => finite, 1 => infinite(i32::MIN.into(), i32::MAX.into())].prop_map(Cell::Int).boxed()
        }
        Shape::Timestamp => {
            let finite = -211_813_488_000_000_000_i64..9_223_371_331_200_000_000;
            prop_oneof![9 => finite, 1 => infinite(i64::MIN, i64::MAX)].prop_map(Cell::Int).boxed()
        }
        Shape::Inet | Shape::Cidr => {
            let cidr = u8::from(shape == Shape::Cidr);
            let four = (0..=32_u8, any::<[u8; 4]>())
                .prop_map(move |(prefix, address)| Cell::Bytes([&[2, prefix, cidr, 4][..], &address].concat()));
            let six = (0..=128_u8, any::<[u8; 16]>())
                .prop_map(move |(prefix, address)| Cell::Bytes([&[3, prefix, cidr, 16][..], &address].concat()));
            prop_oneof![four, six].boxed()
        }
    }
}

fn put_binary(shape: Shape, cell: Option<&Cell>, out: &mut Vec<u8>) {
    let value = match (shape, cell) {
        (_, None) => return out.extend((-1_i32).to_be_bytes()),
        (Shape::Int2, Some(Cell::Int(value))) => (*value as i16).to_be_bytes().to_vec(),
        (Shape::Int4, Some(Cell::Int(value))) => (*value as i32).to_be_bytes().to_vec(),
        (Shape::Date, Some(Cell::Int(value))) => match *value as i32 {
            days @ (i32::MIN | i32::MAX) => days.to_be_bytes().to_vec(),
            days => (days - 10_957).to_be_bytes().to_vec(),
        },
        (_, Some(Cell::Int(value))) => value.to_be_bytes().to_vec(),
        (Shape::Jsonb, Some(Cell::Text(value))) => [b"\x01", value.as_bytes()].concat(),
        (_, Some(Cell::Text(value))) => value.as_bytes().to_vec(),
        (_, Some(Cell::Bytes(value))) => value.clone(),
    };
    out.extend((value.len() as u32).to_be_bytes());
    out.extend(value);
}

/// Renders with the encoder's own functions, which the tests against `jiff` and the server check.
fn put_text(shape: Shape, cell: Option<&Cell>, out: &mut Vec<u8>) {
    match (shape, cell) {
        (_, None) => out.extend(b"\\N"),
        (Shape::Date, Some(Cell::Int(value))) => text_format::put_date(*value as i32, out),
        (Shape::Timestamp, Some(Cell::Int(value))) => text_format::put_timestamp(*value, out),
        (_, Some(Cell::Int(value))) => out.extend(value.to_string().bytes()),
        (_, Some(Cell::Text(value))) => text_format::escape(value.as_bytes(), out),
        (Shape::Uuid, Some(Cell::Bytes(value))) => text_format::put_uuid(value, out),
        (_, Some(Cell::Bytes(value))) => {
            text_format::put_network(value, shape == Shape::Cidr, out).expect("the strategy makes networks");
        }
    }
}

/// Columns with their shapes, of which a kept one has its own only for the generator.
#[derive(Debug, Clone)]
struct Table {
    shapes: Vec<Shape>,
    layout: Layout,
    rows: Vec<Row>,
}

impl Table {
    /// The first `fields` fields of all rows.
    fn wire(&self, format: Format, fields: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for row in &self.rows {
            if format == Format::Binary {
                out.extend((fields as u16).to_be_bytes());
            }
            for (index, (shape, cell)) in self.shapes.iter().zip(row).take(fields).enumerate() {
                match format {
                    Format::Binary => put_binary(*shape, cell.as_ref(), &mut out),
                    Format::Text => {
                        out.extend((index > 0).then_some(b'\t'));
                        put_text(*shape, cell.as_ref(), &mut out);
                    }
                }
            }
            out.extend((format == Format::Text).then_some(b'\n'));
        }
        out
    }
}

fn tables() -> impl Strategy<Value = Table> {
    let written = vec((0..SHAPES.len(), 0..3_u8), 0..8);
    let anchors = vec(0..SHAPES.len(), 0..3);
    (written, anchors).prop_flat_map(|(written, anchors)| {
        let role = |(shape, role): &(usize, u8)| match role {
            0 => Field::Keep,
            1 => Field::Read(SHAPES[*shape]),
            _ => Field::Mask(SHAPES[*shape]),
        };
        let fields = written.iter().map(role).chain(anchors.iter().map(|shape| Field::Read(SHAPES[*shape])));
        let layout = Layout { fields: fields.collect(), written: written.len() };
        let shapes: Vec<_> =
            written.iter().map(|(shape, _)| shape).chain(&anchors).map(|shape| SHAPES[*shape]).collect();
        let row: Vec<_> = shapes.iter().map(|shape| prop::option::weighted(0.8, cell(*shape))).collect();
        (Just(shapes), Just(layout), vec(row, 0..12)).prop_map(|(shapes, layout, rows)| Table { shapes, layout, rows })
    })
}

/// Reads an array back through Arrow's own accessors.
fn read(shape: Shape, array: &ArrayRef, row: usize) -> Option<Cell> {
    (!array.is_null(row)).then(|| match shape {
        Shape::Int2 => Cell::Int(array.as_primitive::<Int16Type>().value(row).into()),
        Shape::Int4 => Cell::Int(array.as_primitive::<Int32Type>().value(row).into()),
        Shape::Date => Cell::Int(array.as_primitive::<Date32Type>().value(row).into()),
        Shape::Int8 | Shape::Timestamp => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        Shape::Text { .. } | Shape::Json | Shape::Jsonb => Cell::Text(array.as_string_view().value(row).to_owned()),
        Shape::Uuid => Cell::Bytes(array.as_fixed_size_binary().value(row).to_vec()),
        Shape::Inet | Shape::Cidr => Cell::Bytes(array.as_binary_view().value(row).to_vec()),
    })
}

fn identity(layout: &Layout, raw: RawBatch) -> MaskedBatch {
    let decoded = layout.fields.iter().filter(|field| **field != Field::Keep);
    let masked: Vec<_> = decoded.enumerate().filter(|(_, field)| matches!(field, Field::Mask(_))).collect();
    let masked: Vec<_> = masked.into_iter().map(|(index, _)| index).collect();
    MaskedBatch::unmasked_for_test(raw, &masked)
}

fn roundtrip(format: Format, layout: &Layout, wire: Vec<u8>) -> Vec<u8> {
    let raw = decode(format, layout, wire.into()).expect("the rows are legal");
    let mut out = Vec::new();
    encode(format, layout, &identity(layout, raw), &mut out).expect("the values are legal");
    out
}

proptest! {
    #[test]
    fn arrays_hold_the_values_of_the_rows(table in tables(), text in any::<bool>()) {
        let format = if text { Format::Text } else { Format::Binary };
        let wire = table.wire(format, table.shapes.len());
        let raw = decode(format, &table.layout, wire.into()).unwrap();
        prop_assert_eq!(raw.rows, table.rows.len());
        prop_assert_eq!(raw.gaps.len(), raw.rows * (table.layout.masked() + 1));
        let decoded = table.layout.fields.iter().enumerate().filter(|(_, field)| **field != Field::Keep);
        for ((index, _), array) in decoded.zip(&raw.columns) {
            prop_assert_eq!(array.len(), raw.rows);
            for (row, cells) in table.rows.iter().enumerate() {
                prop_assert_eq!(&read(table.shapes[index], array, row), &cells[index]);
            }
            let any_null = table.rows.iter().any(|cells| cells[index].is_none());
            prop_assert_eq!(array.nulls().is_some(), any_null);
        }
    }

    #[test]
    fn masks_that_return_their_input_give_the_written_fields_back(table in tables(), text in any::<bool>()) {
        let format = if text { Format::Text } else { Format::Binary };
        let written = table.wire(format, table.layout.written);
        let wire = table.wire(format, table.shapes.len());
        prop_assert_eq!(roundtrip(format, &table.layout, wire), written);
    }

    #[test]
    fn both_formats_give_equal_arrays(table in tables()) {
        let all = table.shapes.len();
        let binary = decode(Format::Binary, &table.layout, table.wire(Format::Binary, all).into()).unwrap();
        let text = decode(Format::Text, &table.layout, table.wire(Format::Text, all).into()).unwrap();
        prop_assert_eq!(binary.columns, text.columns);
    }

    #[test]
    fn arbitrary_bytes_never_panic(table in tables(), wire in vec(any::<u8>(), 0..200), text in any::<bool>()) {
        let format = if text { Format::Text } else { Format::Binary };
        let _ = decode(format, &table.layout, wire.clone().into());
        let _ = strip_header(&wire);
    }

    #[test]
    fn damaged_rows_are_refused_or_pass_whole(
        table in tables(),
        text in any::<bool>(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let format = if text { Format::Text } else { Format::Binary };
        let mut wire = table.wire(format, table.shapes.len());
        prop_assume!(!wire.is_empty());
        for (index, byte) in damage {
            let at = index.index(wire.len());
            wire[at] = byte;
        }
        wire.truncate(cut.index(wire.len() + 1));
        if let Ok(raw) = decode(format, &table.layout, wire.clone().into()) {
            let mut out = Vec::new();
            encode(format, &table.layout, &identity(&table.layout, raw), &mut out).unwrap();
            let all_written = table.layout.written == table.shapes.len();
            prop_assert!(out == wire || format == Format::Text || !all_written);
        }
    }

    #[test]
    fn date_text_agrees_with_jiff(days in -719_162..2_932_896_i32) {
        let epoch = jiff::civil::date(1970, 1, 1);
        let expected = epoch.checked_add(jiff::Span::new().days(days)).unwrap().to_string();
        let mut out = Vec::new();
        text_format::put_date(days, &mut out);
        prop_assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

fn layout(fields: &[Field], written: usize) -> Layout {
    Layout { fields: fields.to_vec(), written }
}

fn failure(format: Format, field: Field, wire: impl Into<Bytes>) -> DecodeErrorKind {
    decode(format, &layout(&[field], 1), wire.into()).err().expect("the row is malformed").kind
}

#[test]
fn malformed_binary_rows_are_refused() {
    use DecodeErrorKind::*;
    let cases: &[(Field, &[u8], DecodeErrorKind)] = &[
        (Field::Keep, &[0], Truncated),
        (Field::Keep, &[0, 1], Truncated),
        (Field::Keep, &[0, 1, 0, 0, 0], Truncated),
        (Field::Keep, &[0, 1, 0, 0, 0, 2, 7], Truncated),
        (Field::Keep, &[0, 1, 0x7f, 0xff, 0xff, 0xff, 7], Truncated),
        (Field::Keep, &[0, 1, 0xff, 0xff, 0xff, 0xfe], Length),
        (Field::Keep, &[0, 1, 0x80, 0, 0, 0], Length),
        (Field::Keep, &[0, 2, 0, 0, 0, 0, 0, 0, 0, 0], FieldCount { expected: 1, found: 2 }),
        (Field::Keep, &TRAILER, FieldCount { expected: 1, found: 65_535 }),
        (Field::Keep, &[0, 1, 0, 0, 0, 0, 9], Truncated),
        (Field::Mask(Shape::Int2), &[0, 1, 0, 0, 0, 4, 0, 0, 0, 0], Width),
        (Field::Mask(Shape::Int4), &[0, 1, 0, 0, 0, 0], Width),
        (Field::Mask(Shape::Int8), &[0, 1, 0, 0, 0, 4, 0, 0, 0, 0], Width),
        (Field::Mask(Shape::Uuid), &[0, 1, 0, 0, 0, 1, 0], Width),
        (Field::Mask(Shape::Date), &[0, 1, 0, 0, 0, 4, 0x7f, 0xff, 0xff, 0xfe], Value),
        (Field::Mask(Shape::Date), &[0, 1, 0, 0, 0, 4, 0x80, 0, 0, 1], Value),
        (Field::Mask(Shape::Timestamp), &[0, 1, 0, 0, 0, 8, 0x80, 0, 0, 0, 0, 0, 0, 1], Value),
        (Field::Mask(Shape::Jsonb), &[0, 1, 0, 0, 0, 0], Value),
        (Field::Mask(Shape::Jsonb), &[0, 1, 0, 0, 0, 3, 2, b'{', b'}'], Value),
        (Field::Mask(Shape::Inet), &[0, 1, 0, 0, 0, 0], Value),
        (Field::Mask(Shape::Inet), &[0, 1, 0, 0, 0, 8, 4, 32, 0, 4, 1, 2, 3, 4], Value),
        (Field::Mask(Shape::Inet), &[0, 1, 0, 0, 0, 8, 2, 33, 0, 4, 1, 2, 3, 4], Value),
        (Field::Mask(Shape::Inet), &[0, 1, 0, 0, 0, 8, 3, 32, 0, 4, 1, 2, 3, 4], Value),
        (Field::Mask(Shape::Inet), &[0, 1, 0, 0, 0, 7, 2, 32, 0, 4, 1, 2, 3], Value),
        (Field::Mask(TEXT), &[0, 1, 0, 0, 0, 1, 0xff], Encoding),
        (Field::Mask(TEXT), b"\0\x01\0\0\0\x0ethirteen bytes\x01", Truncated),
        (Field::Mask(TEXT), b"\0\x01\0\0\0\x0eabcdefghijklm\xc3", Encoding),
    ];
    for (field, wire, expected) in cases {
        assert_eq!(failure(Format::Binary, *field, *wire), *expected, "{field:?} {wire:?}");
    }
}

#[test]
fn malformed_text_rows_are_refused() {
    use DecodeErrorKind::*;
    let cases: &[(Field, &str, DecodeErrorKind)] = &[
        (Field::Keep, "no newline", Truncated),
        (Field::Keep, "a\tb\tc\n", FieldCount { expected: 1, found: 3 }),
        (Field::Mask(TEXT), "a\\\n", Escape),
        (Field::Mask(TEXT), "\\.\n", Escape),
        (Field::Mask(TEXT), "\\x41\n", Escape),
        (Field::Mask(TEXT), "\\101\n", Escape),
        (Field::Mask(Shape::Int2), "32768\n", Value),
        (Field::Mask(Shape::Int4), "\n", Value),
        (Field::Mask(Shape::Uuid), "6ecd8c99-4036-403d-bf84-cf8400f6783\n", Value),
        (Field::Mask(Shape::Uuid), "6ecd8c99-4036-403d-bf84_cf8400f67836\n", Value),
        (Field::Mask(Shape::Date), "2001-02-29\n", Value),
        (Field::Mask(Shape::Date), "2001-13-01\n", Value),
        (Field::Mask(Shape::Date), "0000-01-01\n", Value),
        (Field::Mask(Shape::Date), "01/02/2003\n", Value),
        (Field::Mask(Shape::Date), "5874898-01-01\n", Value),
        (Field::Mask(Shape::Date), "4714-11-23 BC\n", Value),
        (Field::Mask(Shape::Date), "é\n", Value),
        (Field::Mask(Shape::Timestamp), "2001-02-03 04:05:06+02\n", Value),
        (Field::Mask(Shape::Timestamp), "2001-02-03T04:05:06\n", Value),
        (Field::Mask(Shape::Timestamp), "2001-02-03 24:00:00\n", Value),
        (Field::Mask(Shape::Timestamp), "2001-02-03 04:05:06.\n", Value),
        (Field::Mask(Shape::Timestamp), "2001-02-03 04:05:06.1234567\n", Value),
        (Field::Mask(Shape::Timestamp), "294277-01-01 00:00:00\n", Value),
        (Field::Mask(Shape::Inet), "1.2.3\n", Value),
        (Field::Mask(Shape::Inet), "1.2.3.4/33\n", Value),
        (Field::Mask(Shape::Inet), "::1/129\n", Value),
        (Field::Mask(Shape::Inet), "::1/\n", Value),
    ];
    for (field, wire, expected) in cases {
        assert_eq!(failure(Format::Text, *field, *wire), *expected, "{field:?} {wire:?}");
    }
    let error = decode(Format::Text, &layout(&[Field::Keep; 3], 3), "a\tb\n".into()).err().unwrap();
    assert_eq!(error.kind, FieldCount { expected: 3, found: 2 });
    let error = decode(Format::Text, &layout(&[], 0), "a\n".into()).err().unwrap();
    assert_eq!(error.kind, FieldCount { expected: 0, found: 1 });
}

#[test]
fn an_error_names_row_field_and_offset_and_no_value() {
    let layout = layout(&[Field::Keep, Field::Mask(Shape::Jsonb)], 2);
    let legal = b"\0\x02\0\0\0\x02ab\0\0\0\x03\x01{}";
    let wire = [&legal[..], b"\0\x02\0\0\0\x02ab\0\0\0\x06\x09secret"].concat();
    // The length word says six, so the last byte of the value is left over and never reached.
    let error = decode(Format::Binary, &layout, wire.into()).err().unwrap();
    assert_eq!((error.row, error.field, error.offset), (1, Some(1), Some(legal.len() + 12)));
    assert_eq!(error.exit(), Exit::Source);
    let shown = format!("{error} {error:?} {}", error.reports()[0]);
    assert!(!shown.contains("secret") && !shown.contains("ecre"), "{shown}");
}

#[test]
fn a_text_that_is_not_utf8_is_found_by_row() {
    let layout = layout(&[Field::Mask(TEXT)], 1);
    for bad in [&b"\0\x01\0\0\0\x02a\xff"[..], b"\0\x01\0\0\0\x0fthirteen bytes\xff"] {
        let wire = [b"\0\x01\0\0\0\x02ab", &b"\0\x01\xff\xff\xff\xff"[..], bad].concat();
        let error = decode(Format::Binary, &layout, wire.into()).err().unwrap();
        assert_eq!((error.row, error.field, error.kind), (2, Some(0), DecodeErrorKind::Encoding));
    }
}

#[test]
fn the_header_is_stripped_with_its_extension() {
    assert_eq!(strip_header(&HEADER), Ok(19));
    assert_eq!(strip_header(b"PGCOPY\n\xff\r\n\0\0\0\0\x01\0\0\0\x02xy\0\x01"), Ok(21));
    let kind = |stream: &[u8]| strip_header(stream).unwrap_err().kind;
    assert_eq!(kind(b""), DecodeErrorKind::Truncated);
    assert_eq!(kind(&HEADER[..18]), DecodeErrorKind::Truncated);
    assert_eq!(kind(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\x02x"), DecodeErrorKind::Truncated);
    assert_eq!(kind(b"PGCOPY\n\xff\r\n\0\0\0\0\0\xff\xff\xff\xff"), DecodeErrorKind::Truncated);
    assert_eq!(kind(b"PGCOPY\n\xff\n\0\0\0\0\0\0\0\0\0"), DecodeErrorKind::Signature);
    assert_eq!(kind(b"id,name\n"), DecodeErrorKind::Signature);
    assert_eq!(kind(b"PGCOPY\n\xff\r\n\0\0\x01\0\0\0\0\0\0"), DecodeErrorKind::Oids);
    assert_eq!(kind(b"PGCOPY\n\xff\r\n\0\0\x02\0\0\0\0\0\0"), DecodeErrorKind::Flags);
    assert!(is_trailer(&TRAILER) && !is_trailer(b"") && !is_trailer(&[0xff; 3]));
}

#[test]
fn a_table_without_columns_keeps_its_rows() {
    assert_eq!(roundtrip(Format::Binary, &layout(&[], 0), vec![0; 6]), [0; 6]);
    assert_eq!(roundtrip(Format::Text, &layout(&[], 0), b"\n\n\n".to_vec()), b"\n\n\n");
    let anchored = layout(&[Field::Read(Shape::Int4)], 0);
    assert_eq!(roundtrip(Format::Text, &anchored, b"7\n8\n".to_vec()), b"\n\n");
}

#[test]
fn an_empty_gap_is_not_a_gap_of_one_empty_field() {
    let keep_first = layout(&[Field::Keep, Field::Mask(TEXT)], 2);
    assert_eq!(roundtrip(Format::Text, &keep_first, b"\tx\n".to_vec()), b"\tx\n");
    let mask_first = layout(&[Field::Mask(TEXT), Field::Keep], 2);
    assert_eq!(roundtrip(Format::Text, &mask_first, b"x\t\n\t\n".to_vec()), b"x\t\n\t\n");
    let between = layout(&[Field::Mask(TEXT), Field::Keep, Field::Keep, Field::Mask(TEXT)], 4);
    assert_eq!(roundtrip(Format::Text, &between, b"x\t\t\ty\n".to_vec()), b"x\t\t\ty\n");
    let none = layout(&[Field::Mask(TEXT), Field::Mask(TEXT)], 2);
    assert_eq!(roundtrip(Format::Text, &none, b"\t\n".to_vec()), b"\t\n");
}

#[test]
fn long_texts_are_views_into_the_wire() {
    let wire = Bytes::from_static(b"\0\x01\0\0\0\x10sixteen bytes ok");
    let raw = decode(Format::Binary, &layout(&[Field::Mask(TEXT)], 1), wire.clone()).unwrap();
    let value = raw.columns[0].as_string_view().value(0);
    assert_eq!(value.as_ptr(), wire[6..].as_ptr());
}

#[test]
fn a_value_that_postgresql_cannot_store_is_refused() {
    let batch = |column: ArrayRef| {
        MaskedBatch::unmasked_for_test(
            RawBatch { rows: 1, wire: Bytes::new(), gaps: vec![Default::default(); 2], columns: vec![column] },
            &[0],
        )
    };
    let far: ArrayRef = Arc::new(Date32Array::from(vec![i32::MIN + 1]));
    let late: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX - 1]));
    for format in [Format::Binary, Format::Text] {
        for (shape, column) in [(Shape::Date, &far), (Shape::Timestamp, &late)] {
            let layout = layout(&[Field::Mask(shape)], 1);
            let result = encode(format, &layout, &batch(column.clone()), &mut Vec::new());
            assert_eq!(result, Err(EncodeError::Range { column: 0, row: 0 }));
        }
    }
    let wrong: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let result = encode(Format::Binary, &layout(&[Field::Mask(TEXT)], 1), &batch(wrong.clone()), &mut Vec::new());
    assert_eq!(result, Err(EncodeError::Array { column: 0 }));
    let result = encode(Format::Binary, &layout(&[Field::Keep], 1), &batch(wrong), &mut Vec::new());
    assert_eq!(result, Err(EncodeError::Columns { expected: 0, found: 1, gaps: 2 }));
}

#[test]
fn infinite_dates_stay_infinite() {
    assert_eq!(date_from_wire(i32::MAX), Some(i32::MAX));
    assert_eq!(date_from_wire(i32::MIN), Some(i32::MIN));
    assert_eq!(date_from_wire(0), Some(10_957));
}

#[path = "../../tests/roundtrip/cluster.rs"]
mod cluster;

/// The columns of `shapes` in table order; names that start with `kept` are kept.
fn shapes_layout() -> Layout {
    let padded = Shape::Text { chars_max: Some(10), padded: true };
    let masked = |shapes: &[Shape]| shapes.iter().map(|shape| Field::Mask(*shape)).collect::<Vec<_>>();
    let mut fields = vec![Field::Read(Shape::Int8), Field::Mask(Shape::Int2), Field::Keep];
    fields.extend(masked(&[Shape::Int4, Shape::Int8, TEXT, TEXT, padded]));
    fields.push(Field::Keep);
    fields.extend(masked(&[Shape::Uuid, Shape::Date, Shape::Timestamp, Shape::Timestamp, Shape::Inet, Shape::Cidr]));
    fields.extend(masked(&[Shape::Json, Shape::Jsonb]));
    fields.push(Field::Keep);
    Layout { written: fields.len(), fields }
}

/// What the server sends for the table, without header and trailer.
fn copy_out(cluster: &cluster::Cluster, table: &str, format: Format) -> Vec<u8> {
    let option = if format == Format::Binary { "(FORMAT binary)" } else { "" };
    let stream = cluster.psql(&format!("COPY (SELECT * FROM {table} ORDER BY id) TO STDOUT {option}"), b"");
    match format {
        Format::Text => stream,
        Format::Binary => stream[strip_header(&stream).unwrap()..stream.len() - TRAILER.len()].to_vec(),
    }
}

#[test]
fn encoded_rows_load_as_the_values_they_came_from() {
    let cluster = cluster::Cluster::start();
    cluster.psql(cluster::SHAPES_SQL, b"");
    let layout = shapes_layout();
    let source = copy_out(&cluster, "shapes", Format::Binary);

    let binary = roundtrip(Format::Binary, &layout, source.clone());
    assert!(binary == source, "binary rows differ from what the server sent");
    cluster.psql("CREATE TABLE from_binary (LIKE shapes)", b"");
    cluster.psql("COPY from_binary FROM STDIN (FORMAT binary)", &[&HEADER[..], &binary, &TRAILER].concat());
    assert!(copy_out(&cluster, "from_binary", Format::Binary) == source);

    let text = roundtrip(Format::Text, &layout, copy_out(&cluster, "shapes", Format::Text));
    cluster.psql("CREATE TABLE from_text (LIKE shapes)", b"");
    // A session of another time zone must not shift what was written.
    cluster.psql("SET TimeZone = 'Asia/Kathmandu'; COPY from_text FROM STDIN", &text);
    assert!(copy_out(&cluster, "from_text", Format::Binary) == source);
}

#[test]
fn dates_and_times_are_written_as_the_server_writes_them() {
    let cluster = cluster::Cluster::start();
    cluster.psql(cluster::SHAPES_SQL, b"");
    let rows =
        cluster.psql("COPY (SELECT id, d, tz, net, u FROM shapes WHERE family(net) = 4 OR id > 6) TO STDOUT", b"");
    let masked = [Shape::Int8, Shape::Date, Shape::Timestamp, Shape::Cidr, Shape::Uuid].map(Field::Mask);
    assert_eq!(
        String::from_utf8(roundtrip(Format::Text, &layout(&masked, 5), rows.clone())).unwrap(),
        String::from_utf8(rows).unwrap(),
    );
}
