//! Properties of decode and encode together, malformed rows, and a load through a real server.
//!
//! They live inside the crate because only here can a batch be encoded without masks.

use super::decode::{DecodeErrorKind, Fixed, HEADER, Span, TRAILER, date_from_wire, decode, is_trailer, strip_header};
use super::encode::{EncodeError, encode};
use super::text_format;
use super::types::{Field, Format, Layout};
use crate::error::{Diagnose, Exit};
use crate::mask::batch::{MaskedBatch, RawBatch};
use crate::mask::nested::{Parts, range_bounds};
use crate::mask::{Attribute, Shape, decimal};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, Date32Array, Int32Array, Int64Array};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

mod server;

const TEXT: Shape = Shape::TEXT;

fn shapes() -> Vec<Shape> {
    let array = |shape| Shape::Array(Arc::new(shape));
    let attribute = |name: &str, shape| Attribute { name: name.to_owned(), shape };
    let inside = [attribute("n", Shape::Int4), attribute("t", TEXT), attribute("o", Shape::Opaque)];
    let outside = [attribute("c", Shape::Composite(inside.into())), attribute("a", array(TEXT))];
    vec![
        Shape::Int2,
        Shape::Int4,
        Shape::Int8,
        Shape::Numeric { limit: None },
        Shape::Float4,
        Shape::Float8,
        Shape::Bool,
        TEXT,
        Shape::Bytea,
        Shape::Uuid,
        Shape::Mac,
        Shape::Mac8,
        Shape::Point,
        Shape::Date,
        Shape::Timestamp,
        Shape::Time,
        Shape::TimeTz,
        Shape::Inet,
        Shape::Cidr,
        Shape::Json,
        Shape::Jsonb,
        Shape::Hstore,
        array(Shape::Int4),
        array(Shape::Numeric { limit: None }),
        array(Shape::Range(Arc::new(Shape::Date))),
        Shape::Range(Arc::new(Shape::Timestamp)),
        Shape::Multirange(Arc::new(Shape::Int8)),
        array(Shape::Composite(outside.into())),
    ]
}

/// A value as the arrays hold it.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Int(i64),
    /// The bits, because NaN equals nothing.
    Float(u64),
    Bool(bool),
    Text(String),
    Bytes(Vec<u8>),
    Nested(Vec<u8>, Vec<Row>),
}

type Row = Vec<Option<Cell>>;

fn float(value: impl Strategy<Value = f64> + 'static) -> BoxedStrategy<Cell> {
    // A text has no room for the payload of a NaN.
    value.prop_map(|value| Cell::Float(if value.is_nan() { f64::NAN } else { value }.to_bits())).boxed()
}

fn cell(shape: &Shape) -> BoxedStrategy<Cell> {
    let infinite = |low: i64, high: i64| prop_oneof![Just(low), Just(high)];
    let bytes = |len: usize| vec(any::<u8>(), len).prop_map(Cell::Bytes).boxed();
    match shape {
        Shape::Int2 => any::<i16>().prop_map(|value| Cell::Int(value.into())).boxed(),
        Shape::Int4 => any::<i32>().prop_map(|value| Cell::Int(value.into())).boxed(),
        Shape::Int8 => any::<i64>().prop_map(Cell::Int).boxed(),
        Shape::Float4 => float(any::<f32>().prop_map(f64::from)),
        Shape::Float8 => float(any::<f64>()),
        Shape::Bool => any::<bool>().prop_map(Cell::Bool).boxed(),
        Shape::Numeric { .. } => {
            let digits = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?";
            let special = prop_oneof![Just("NaN"), Just("Infinity"), Just("-Infinity")].prop_map(str::to_owned);
            let wire = |text: String| {
                let mut wire = Vec::new();
                decimal::push_text_wire(&text, &mut wire).expect("a number");
                Cell::Bytes(wire)
            };
            prop_oneof![9 => digits.boxed(), 1 => special.boxed()].prop_map(wire).boxed()
        }
        Shape::Text { .. } | Shape::Enum(_) | Shape::Json | Shape::Jsonb => {
            let short = "[a-z\\\\\t\n\r\u{8}\u{b}\u{c}é\"{},()NUL]{0,14}";
            prop_oneof![short.prop_map(Cell::Text), any::<String>().prop_map(Cell::Text)].boxed()
        }
        Shape::Opaque => "[a-z\\\\\t\"{},()]{0,14}".prop_map(|text| Cell::Bytes(text.into_bytes())).boxed(),
        Shape::Bytea => vec(any::<u8>(), 0..20).prop_map(Cell::Bytes).boxed(),
        Shape::Uuid => bytes(16),
        Shape::Mac => bytes(6),
        Shape::Mac8 => bytes(8),
        Shape::Point => {
            let plain = |value: f64| if value.is_nan() { f64::NAN } else { value };
            let point = move |(x, y)| Cell::Bytes([plain(x).to_be_bytes(), plain(y).to_be_bytes()].concat());
            (any::<f64>(), any::<f64>()).prop_map(point).boxed()
        }
        Shape::Date => {
            let finite = (-2_451_545_i64 + 10_957)..(2_145_031_949 + 10_957);
            prop_oneof![9 => finite, 1 => infinite(i32::MIN.into(), i32::MAX.into())].prop_map(Cell::Int).boxed()
        }
        Shape::Timestamp => {
            let finite = -211_813_488_000_000_000_i64..9_223_371_331_200_000_000;
            prop_oneof![9 => finite, 1 => infinite(i64::MIN, i64::MAX)].prop_map(Cell::Int).boxed()
        }
        Shape::Time => (0..=86_400_000_000_i64).prop_map(|time| Cell::Bytes(time.to_be_bytes().to_vec())).boxed(),
        Shape::TimeTz => {
            let zoned = |(time, zone): (i64, i32)| Cell::Bytes([&time.to_be_bytes()[..], &zone.to_be_bytes()].concat());
            (0..=86_400_000_000_i64, -57_540..=57_540_i32).prop_map(zoned).boxed()
        }
        Shape::Inet | Shape::Cidr => {
            let cidr = u8::from(*shape == Shape::Cidr);
            let four = (0..=32_u8, any::<[u8; 4]>())
                .prop_map(move |(prefix, address)| Cell::Bytes([&[2, prefix, cidr, 4][..], &address].concat()));
            let six = (0..=128_u8, any::<[u8; 16]>())
                .prop_map(move |(prefix, address)| Cell::Bytes([&[3, prefix, cidr, 16][..], &address].concat()));
            prop_oneof![four, six].boxed()
        }
        _ => nested_cell(shape),
    }
}

/// The element type is 0, because a text does not tell it.
fn array_header(sizes: &[(i32, i32)], has_null: bool) -> Vec<u8> {
    let words = [sizes.len() as i32, i32::from(has_null), 0].into_iter();
    words.chain(sizes.iter().flat_map(|(size, lower)| [*size, *lower])).flat_map(i32::to_be_bytes).collect()
}

fn nested_cell(shape: &Shape) -> BoxedStrategy<Cell> {
    let maybe = |shape: &Shape| prop::option::weighted(0.8, cell(shape));
    match shape {
        Shape::Array(inner) => {
            let inner = maybe(inner);
            let sizes = vec((1..3_i32, prop_oneof![3 => Just(1), 1 => -3..3]), 0..4);
            sizes
                .prop_flat_map(move |sizes| {
                    let product = sizes.iter().map(|(size, _)| *size as usize).product::<usize>();
                    let count = if sizes.is_empty() { 0 } else { product };
                    (Just(sizes), vec(inner.clone(), count))
                })
                .prop_map(|(sizes, row)| {
                    let header = array_header(&sizes, row.iter().any(Option::is_none));
                    Cell::Nested(header, vec![row])
                })
                .boxed()
        }
        Shape::Range(inner) => ranges(inner, 1..2),
        Shape::Multirange(inner) => ranges(inner, 0..4),
        Shape::Composite(attributes) => {
            let row: Vec<_> = attributes.iter().map(|attribute| maybe(&attribute.shape)).collect();
            row.prop_map(|row| Cell::Nested(vec![0; row.len() * 4], row.into_iter().map(|cell| vec![cell]).collect()))
                .boxed()
        }
        _ => vec((cell(&TEXT), maybe(&TEXT)), 0..4)
            .prop_map(|pairs| {
                let (keys, values) = pairs.into_iter().map(|(key, value)| (Some(key), value)).unzip();
                Cell::Nested(Vec::new(), vec![keys, values])
            })
            .boxed(),
    }
}

fn ranges(inner: &Shape, count: std::ops::Range<usize>) -> BoxedStrategy<Cell> {
    // As `range_send` writes them: an empty range is nothing else, a missing bound is exclusive.
    let flags = prop_oneof![
        Just(1_u8),
        Just(0),
        Just(2),
        Just(4),
        Just(6),
        Just(0x08),
        Just(0x0c),
        Just(0x10),
        Just(0x12),
        Just(0x18)
    ];
    let inner = cell(inner);
    vec(flags, count)
        .prop_flat_map(move |flags| {
            let bounds = |flags: &u8| range_bounds(*flags);
            let leaves = flags.iter().map(bounds).map(|(lower, upper)| usize::from(lower) + usize::from(upper)).sum();
            (Just(flags), vec(inner.clone().prop_map(Some), leaves..=leaves))
        })
        .prop_map(|(flags, row)| Cell::Nested(flags, vec![row]))
        .boxed()
}

fn put_binary(shape: &Shape, cell: Option<&Cell>, out: &mut Vec<u8>) {
    let value = match (shape, cell) {
        (_, None) => return out.extend((-1_i32).to_be_bytes()),
        (Shape::Int2, Some(Cell::Int(value))) => (*value as i16).to_be_bytes().to_vec(),
        (Shape::Int4, Some(Cell::Int(value))) => (*value as i32).to_be_bytes().to_vec(),
        (Shape::Date, Some(Cell::Int(value))) => match *value as i32 {
            days @ (i32::MIN | i32::MAX) => days.to_be_bytes().to_vec(),
            days => (days - 10_957).to_be_bytes().to_vec(),
        },
        (_, Some(Cell::Int(value))) => value.to_be_bytes().to_vec(),
        (Shape::Float4, Some(Cell::Float(bits))) => (f64::from_bits(*bits) as f32).to_be_bytes().to_vec(),
        (_, Some(Cell::Float(bits))) => bits.to_be_bytes().to_vec(),
        (_, Some(Cell::Bool(value))) => vec![u8::from(*value)],
        (Shape::Jsonb, Some(Cell::Text(value))) => [b"\x01", value.as_bytes()].concat(),
        (_, Some(Cell::Text(value))) => value.as_bytes().to_vec(),
        (_, Some(Cell::Bytes(value))) => value.clone(),
        (_, Some(Cell::Nested(skeleton, lists))) => nested_binary(shape, skeleton, lists),
    };
    out.extend((value.len() as u32).to_be_bytes());
    out.extend(value);
}

fn nested_binary(shape: &Shape, skeleton: &[u8], lists: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    match shape {
        Shape::Array(inner) | Shape::Range(inner) => {
            out.extend(skeleton);
            lists[0].iter().for_each(|cell| put_binary(inner, cell.as_ref(), &mut out));
        }
        Shape::Multirange(inner) => {
            out.extend((skeleton.len() as u32).to_be_bytes());
            let mut bounds = lists[0].iter();
            for flags in skeleton {
                let (lower, upper) = range_bounds(*flags);
                let row = bounds.by_ref().take(usize::from(lower) + usize::from(upper)).cloned().collect();
                let range = nested_binary(&Shape::Range(inner.clone()), &[*flags], &[row]);
                out.extend((range.len() as u32).to_be_bytes());
                out.extend(range);
            }
        }
        Shape::Composite(attributes) => {
            out.extend((attributes.len() as u32).to_be_bytes());
            for (attribute, row) in attributes.iter().zip(lists) {
                out.extend([0; 4]);
                put_binary(&attribute.shape, row[0].as_ref(), &mut out);
            }
        }
        _ => {
            out.extend((lists[0].len() as u32).to_be_bytes());
            for (key, value) in lists[0].iter().zip(&lists[1]) {
                put_binary(&TEXT, key.as_ref(), &mut out);
                put_binary(&TEXT, value.as_ref(), &mut out);
            }
        }
    }
    out
}

/// Renders with the encoder's own functions where tests against `jiff` and the server check these.
fn plain(shape: &Shape, cell: &Cell) -> Vec<u8> {
    let mut out = Vec::new();
    match (shape, cell) {
        (Shape::Date, Cell::Int(value)) => text_format::put_date(*value as i32, &mut out),
        (Shape::Timestamp, Cell::Int(value)) => text_format::put_timestamp(*value, &mut out),
        (_, Cell::Int(value)) => out.extend(value.to_string().bytes()),
        (Shape::Float4, Cell::Float(bits)) => text_format::put_float(f64::from_bits(*bits) as f32, &mut out),
        (_, Cell::Float(bits)) => text_format::put_float(f64::from_bits(*bits), &mut out),
        (_, Cell::Bool(value)) => out.push(if *value { b't' } else { b'f' }),
        (_, Cell::Text(value)) => out.extend(value.bytes()),
        (_, Cell::Bytes(value)) => {
            let fixed = |form| {
                let mut out = Vec::new();
                text_format::put_fixed(value, form, &mut out);
                out
            };
            let span = |form| {
                let mut out = Vec::new();
                text_format::put_span(value, form, &mut out).expect("the strategy makes legal values");
                out
            };
            out = match shape {
                Shape::Uuid => fixed(Fixed::Uuid),
                Shape::Mac => fixed(Fixed::Mac),
                Shape::Mac8 => fixed(Fixed::Mac8),
                Shape::Point => fixed(Fixed::Point),
                Shape::Time => fixed(Fixed::Time),
                Shape::TimeTz => fixed(Fixed::TimeTz),
                Shape::Numeric { .. } => span(Span::Numeric),
                Shape::Bytea => span(Span::Bytea),
                Shape::Cidr => span(Span::Cidr),
                Shape::Inet => span(Span::Inet),
                _ => value.clone(),
            };
        }
        (_, Cell::Nested(skeleton, lists)) => out = nested_text(shape, skeleton, lists),
    }
    out
}

/// `"…"` with a byte before each quote and backslash: a backslash, or the byte itself.
fn quoted(value: &[u8], doubled: bool) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'"' | b'\\' => vec![if doubled { *byte } else { b'\\' }, *byte],
        _ => vec![*byte],
    };
    [b"\"".to_vec(), value.iter().flat_map(escape).collect(), b"\"".to_vec()].concat()
}

fn nested_text(shape: &Shape, skeleton: &[u8], lists: &[Row]) -> Vec<u8> {
    match shape {
        Shape::Array(inner) => {
            let element = |cell: &Option<Cell>| match cell {
                Some(cell) => quoted(&plain(inner, cell), false),
                None => b"NULL".to_vec(),
            };
            let words: Vec<i32> = skeleton.as_chunks().0.iter().map(|word| i32::from_be_bytes(*word)).collect();
            let sizes = words[3..].as_chunks::<2>().0;
            let mut parts: Vec<Vec<u8>> = lists[0].iter().map(element).collect();
            for [size, _] in sizes.iter().rev() {
                let group = |group: &[Vec<u8>]| [b"{", &group.join(&b","[..])[..], b"}"].concat();
                parts = parts.chunks(*size as usize).map(group).collect();
            }
            let mut bounds = String::new();
            if sizes.iter().any(|[_, lower]| *lower != 1) {
                sizes.iter().for_each(|[size, lower]| bounds += &format!("[{lower}:{}]", lower + size - 1));
                bounds.push('=');
            }
            [bounds.into_bytes(), parts.pop().unwrap_or(b"{}".to_vec())].concat()
        }
        Shape::Range(inner) | Shape::Multirange(inner) => {
            let mut bounds = lists[0].iter().flatten().map(|cell| quoted(&plain(inner, cell), true));
            let texts = skeleton.iter().map(|flags| {
                if *flags == 1 {
                    return b"empty".to_vec();
                }
                let (lower, upper) = range_bounds(*flags);
                let lower = if lower { bounds.next().unwrap() } else { Vec::new() };
                let upper = if upper { bounds.next().unwrap() } else { Vec::new() };
                let open: &[u8] = if flags & 2 != 0 { b"[" } else { b"(" };
                let close: &[u8] = if flags & 4 != 0 { b"]" } else { b")" };
                [open, &lower, b",", &upper, close].concat()
            });
            let texts = texts.collect::<Vec<_>>().join(&b","[..]);
            if matches!(shape, Shape::Range(_)) { texts } else { [&b"{"[..], &texts, b"}"].concat() }
        }
        Shape::Composite(attributes) => {
            let attribute = |(attribute, row): (&Attribute, &Row)| {
                row[0].as_ref().map(|cell| quoted(&plain(&attribute.shape, cell), true)).unwrap_or_default()
            };
            let texts: Vec<_> = attributes.iter().zip(lists).map(attribute).collect();
            [b"(", &texts.join(&b","[..])[..], b")"].concat()
        }
        _ => {
            let text = |cell: &Option<Cell>| match cell {
                Some(cell) => quoted(&plain(&TEXT, cell), false),
                None => b"NULL".to_vec(),
            };
            let pairs =
                lists[0].iter().zip(&lists[1]).map(|(key, value)| [&text(key)[..], b"=>", &text(value)].concat());
            pairs.collect::<Vec<_>>().join(&b", "[..])
        }
    }
}

fn put_text(shape: &Shape, cell: Option<&Cell>, out: &mut Vec<u8>) {
    match cell {
        None => out.extend(b"\\N"),
        Some(cell) => text_format::escape(&plain(shape, cell), out),
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
                    Format::Binary => put_binary(shape, cell.as_ref(), &mut out),
                    Format::Text => {
                        out.extend((index > 0).then_some(b'\t'));
                        put_text(shape, cell.as_ref(), &mut out);
                    }
                }
            }
            out.extend((format == Format::Text).then_some(b'\n'));
        }
        out
    }
}

fn tables() -> impl Strategy<Value = Table> {
    let known = shapes();
    let written = vec((0..known.len(), 0..3_u8), 0..8);
    let anchors = vec(0..known.len(), 0..3);
    (written, anchors).prop_flat_map(move |(written, anchors)| {
        let role = |(shape, role): &(usize, u8)| match role {
            0 => Field::Keep,
            1 => Field::Read(known[*shape].clone()),
            _ => Field::Mask(known[*shape].clone()),
        };
        let fields = written.iter().map(role).chain(anchors.iter().map(|shape| Field::Read(known[*shape].clone())));
        let layout = Layout { fields: fields.collect(), written: written.len() };
        let shapes: Vec<_> =
            written.iter().map(|(shape, _)| shape).chain(&anchors).map(|shape| known[*shape].clone()).collect();
        let row: Vec<_> = shapes.iter().map(|shape| prop::option::weighted(0.8, cell(shape))).collect();
        (Just(shapes), Just(layout), vec(row, 0..12)).prop_map(|(shapes, layout, rows)| Table { shapes, layout, rows })
    })
}

/// Reads an array back through Arrow's own accessors.
fn read(shape: &Shape, array: &ArrayRef, row: usize) -> Option<Cell> {
    (!array.is_null(row)).then(|| match shape {
        Shape::Int2 => Cell::Int(array.as_primitive::<Int16Type>().value(row).into()),
        Shape::Int4 => Cell::Int(array.as_primitive::<Int32Type>().value(row).into()),
        Shape::Date => Cell::Int(array.as_primitive::<Date32Type>().value(row).into()),
        Shape::Int8 | Shape::Timestamp => Cell::Int(array.as_primitive::<Int64Type>().value(row)),
        Shape::Float4 => Cell::Float(f64::from(array.as_primitive::<Float32Type>().value(row)).to_bits()),
        Shape::Float8 => Cell::Float(array.as_primitive::<Float64Type>().value(row).to_bits()),
        Shape::Bool => Cell::Bool(array.as_boolean().value(row)),
        Shape::Text { .. } | Shape::Enum(_) | Shape::Json | Shape::Jsonb => {
            Cell::Text(array.as_string_view().value(row).to_owned())
        }
        Shape::Uuid | Shape::Mac | Shape::Mac8 | Shape::Point | Shape::Time | Shape::TimeTz => {
            Cell::Bytes(array.as_fixed_size_binary().value(row).to_vec())
        }
        Shape::Numeric { .. } | Shape::Bytea | Shape::Inet | Shape::Cidr | Shape::Opaque => {
            Cell::Bytes(array.as_binary_view().value(row).to_vec())
        }
        _ => {
            let parts = Parts::of(array).expect("a container");
            let shapes: Vec<Shape> = match shape {
                Shape::Array(inner) | Shape::Range(inner) | Shape::Multirange(inner) => vec![Shape::clone(inner)],
                Shape::Composite(attributes) => attributes.iter().map(|attribute| attribute.shape.clone()).collect(),
                _ => vec![TEXT, TEXT],
            };
            let list = |(shape, (offsets, leaves)): (Shape, &(arrow_buffer::OffsetBuffer<i32>, ArrayRef))| {
                (offsets[row] as usize..offsets[row + 1] as usize).map(|leaf| read(&shape, leaves, leaf)).collect()
            };
            Cell::Nested(parts.skeleton.value(row).to_vec(), shapes.into_iter().zip(&parts.lists).map(list).collect())
        }
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
                prop_assert_eq!(&read(&table.shapes[index], array, row), &cells[index]);
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

fn failure(format: Format, field: &Field, wire: impl Into<Bytes>) -> DecodeErrorKind {
    decode(format, &layout(std::slice::from_ref(field), 1), wire.into()).err().expect("the row is malformed").kind
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
        (Field::Mask(Shape::Bool), &[0, 1, 0, 0, 0, 1, 2], Value),
        (Field::Mask(Shape::Bool), &[0, 1, 0, 0, 0, 0], Width),
        (Field::Mask(Shape::Float8), &[0, 1, 0, 0, 0, 4, 0, 0, 0, 0], Width),
        (Field::Mask(Shape::Mac), &[0, 1, 0, 0, 0, 1, 0], Width),
        (Field::Mask(Shape::Time), b"\0\x01\0\0\0\x08\0\0\0\x14\x1d\xd7\x60\x01", Value),
        (Field::Mask(Shape::TimeTz), b"\0\x01\0\0\0\x0c\xff\0\0\0\0\0\0\0\0\0\0\0", Value),
        (Field::Mask(Shape::Numeric { limit: None }), &[0, 1, 0, 0, 0, 2, 0, 0], Value),
        (Field::Mask(Shape::Numeric { limit: None }), &[0, 1, 0, 0, 0, 8, 0, 1, 0, 0, 0, 0, 0, 0], Value),
        (Field::Mask(TEXT), &[0, 1, 0, 0, 0, 1, 0xff], Encoding),
        (Field::Mask(TEXT), b"\0\x01\0\0\0\x0ethirteen bytes\x01", Truncated),
        (Field::Mask(TEXT), b"\0\x01\0\0\0\x0eabcdefghijklm\xc3", Encoding),
    ];
    for (field, wire, expected) in cases {
        assert_eq!(failure(Format::Binary, field, *wire), *expected, "{field:?} {wire:?}");
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
        (Field::Mask(Shape::Time), "24:00:01\n", Value),
        (Field::Mask(Shape::TimeTz), "12:00:00\n", Value),
        (Field::Mask(Shape::TimeTz), "12:00:00+2\n", Value),
        (Field::Mask(Shape::Bool), "true\n", Value),
        (Field::Mask(Shape::Numeric { limit: None }), "1e3\n", Value),
        (Field::Mask(Shape::Float8), "1,5\n", Value),
        (Field::Mask(Shape::Mac), "08:00:2b:01:02\n", Value),
        (Field::Mask(Shape::Mac), "08:00:2b:01:02-03\n", Value),
        (Field::Mask(Shape::Point), "(1;2)\n", Value),
        (Field::Mask(Shape::Bytea), "\\\\x0\n", Value),
        (Field::Mask(Shape::Bytea), "abc\n", Value),
        (Field::Mask(Shape::Inet), "1.2.3\n", Value),
        (Field::Mask(Shape::Inet), "1.2.3.4/33\n", Value),
        (Field::Mask(Shape::Inet), "::1/129\n", Value),
        (Field::Mask(Shape::Inet), "::1/\n", Value),
    ];
    for (field, wire, expected) in cases {
        assert_eq!(failure(Format::Text, field, *wire), *expected, "{field:?} {wire:?}");
    }
    let error =
        decode(Format::Text, &layout(&[Field::Keep, Field::Keep, Field::Keep], 3), "a\tb\n".into()).err().unwrap();
    assert_eq!(error.kind, FieldCount { expected: 3, found: 2 });
    let error = decode(Format::Text, &layout(&[], 0), "a\n".into()).err().unwrap();
    assert_eq!(error.kind, FieldCount { expected: 0, found: 1 });
}

#[test]
fn malformed_containers_are_refused() {
    let ints = Shape::Array(Arc::new(Shape::Int4));
    let range = Shape::Range(Arc::new(Shape::Date));
    let ranges = Shape::Multirange(Arc::new(Shape::Int4));
    let pair = Shape::Composite(
        ["a", "b"].map(|name| Attribute { name: name.to_owned(), shape: Shape::Int4 }).to_vec().into(),
    );
    let words = |words: &[i32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
    let binary: Vec<(&Shape, Vec<u8>)> = vec![
        (&ints, vec![]),
        (&ints, words(&[0, 0])),
        (&ints, words(&[7, 0, 23])),
        (&ints, words(&[-1, 0, 23])),
        (&ints, words(&[1, 2, 23, 0, 1])),
        (&ints, words(&[1, 0, 23, 1])),
        (&ints, words(&[1, 0, 23, -1, 1])),
        (&ints, words(&[1, 0, 23, 1, 1])),
        (&ints, words(&[1, 0, 23, 1, 1, -1])),
        (&ints, words(&[1, 1, 23, 1, 1, -2])),
        (&ints, words(&[1, 0, 23, 1, 1, 4])),
        (&ints, words(&[1, 0, 23, 1, 1, 3, 0])),
        (&ints, words(&[1, 0, 23, 1, 1, 4, 7, 8])),
        (&ints, words(&[3, 0, 23, i32::MAX, 1, i32::MAX, 1, i32::MAX, 1])),
        (&range, vec![]),
        (&range, vec![0x20]),
        (&range, vec![1, 0]),
        (&range, [&[0_u8][..], &words(&[4, 0])].concat()),
        (&range, [&[8_u8][..], &words(&[-1])].concat()),
        (&ranges, words(&[-1])),
        (&ranges, words(&[1])),
        (&ranges, words(&[1, -1])),
        (&ranges, [words(&[1, 2]), vec![1, 1]].concat()),
        (&pair, words(&[1, 23, 4, 0])),
        (&pair, words(&[2, 23, 4, 0])),
        (&pair, words(&[2, 23, 4, 0, 23, 4, 0, 0])),
        (&Shape::Hstore, words(&[1, -1, -1])),
        (&Shape::Hstore, words(&[1, 0])),
    ];
    for (shape, value) in binary {
        let wire = [&[0, 1][..], &(value.len() as u32).to_be_bytes(), &value].concat();
        let result = decode(Format::Binary, &layout(&[Field::Mask(shape.clone())], 1), wire.into());
        assert!(result.is_err(), "{shape:?} {value:?}");
    }
    let text = [
        (
            &ints,
            vec!["", "{", "}", "{1", "{1,}", "{,1}", "{{1},2}", "{1,{2}}", "{{1},{2,3}}", "{{}}", "{1}2", "[2:2]{1}"],
        ),
        (&ints, vec!["[2:2]={1,{2}}", "[1:1][1:1]={1}", "[a:1]={1}", "{{{{{{{1}}}}}}}", "{\"1}", "{x}", "{1 }"]),
        (&range, vec!["", "[", "[2000-01-01,", "[2000-01-01", "2000-01-01,2001-01-01", "[x,)", "emptyx", "(,)x"]),
        (&ranges, vec!["", "{", "{[1,2)", "[1,2)", "{[1,2)}}", "{[1,2),x}"]),
        (&pair, vec!["", "(", "(1)", "(1,2", "(1,2,3)", "(1,2)3", "(\"1,2)", "1,2"]),
        (&Shape::Hstore, vec!["a", "\"a\"", "\"a\"=>", "\"a\"=>b", "\"a\"=>\"b\",", "\"a\"=>\"b\"\"c\"=>\"d\""]),
    ];
    for (shape, values) in text {
        for value in values {
            let result = decode(Format::Text, &layout(&[Field::Mask(shape.clone())], 1), format!("{value}\n").into());
            assert!(result.is_err(), "{shape:?} {value}");
        }
    }
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
