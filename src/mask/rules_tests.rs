//! MASKING.md section 4 as one table: every kind × NULL, empty, blank, one character, longest, non-ASCII and invalid.

use super::batch::RawBatch;
use super::nested::Parts;
use super::tests::needed;
use super::*;
use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, StringViewArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use bytes::Bytes;
use std::sync::Arc;

/// What becomes of NULL, of nothing and of blanks, where that is not what rule 1 says.
enum Odd {
    /// Every value becomes NULL.
    Null,
    /// Every value that is not NULL or empty becomes one text.
    Const,
}

fn odd(kind: &Kind) -> Option<Odd> {
    match kind.name {
        "null" => Some(Odd::Null),
        "const" => Some(Odd::Const),
        _ => None,
    }
}

const EMPTY: [&str; 4] = ["", " ", "   ", "\u{2003}\t \u{a0}"];
const SHORT: [&str; 5] = ["a", "7", "Z", "é", "漢"];
const WORDS: [&str; 4] = ["Zoë Müller-Łódź", "日本語のテキスト", "Привет, мир 42", "שלום עולם"];
/// No kind that reads a format reads all of them.
const INVALID: [&str; 4] = ["¿qué? no such value: x7", "0x7g-!!-qzkanari", "[qzkanari", "12qzkanari,,34"];

/// Masks each text in a column of `chars_max` characters; the error of the first that is refused.
fn masked(kind: &Kind, extra: &[(&str, &str)], chars_max: u32, texts: &[Option<&str>]) -> Result<Texts, MaskError> {
    let mut params = needed(kind);
    params.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
    let spec = MaskSpec { kind: kind.full_name(), label: String::new(), params, subject: Some(1) };
    let shape = Shape::Text { chars_max: Some(chars_max), padded: false };
    let column = |name: &str, shape, mask| ColumnSpec { name: name.to_owned(), shape, mask };
    let columns = vec![column("public.t.c", shape, Some(spec)), column("public.t.id", Shape::Int8, None)];
    let realm = MasterKey::test().realm("default");
    let masker = Masker::compile(&realm, &TableSpec { columns, ..TableSpec::default() }).expect("the kind takes text");
    let ids = Int64Array::from_iter_values(1..=texts.len() as i64);
    let columns: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from(texts.to_vec())), Arc::new(ids)];
    let masked = masker.apply(RawBatch { rows: texts.len(), wire: Bytes::new(), gaps: Vec::new(), columns })?;
    Ok(masked.columns()[0].as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
}

type Texts = Vec<Option<String>>;

/// Kinds that text columns take. Those of numbers read texts too.
fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(|kind| kind.takes(&Shape::TEXT))
}

/// The narrowest column that the widest form of the kind fits, and room for the inputs.
fn width(kind: &Kind) -> u32 {
    (kind.least)(&needed(kind)).first().copied().unwrap_or(0).max(60)
}

#[test]
fn null_empty_and_blank_values_stay() {
    for kind in kinds() {
        let texts: Vec<Option<&str>> = EMPTY.iter().map(|text| Some(*text)).chain([None]).collect();
        let masks = masked(kind, &[], width(kind), &texts).expect("blank values are never refused");
        match odd(kind) {
            Some(Odd::Null) => assert!(masks.iter().all(Option::is_none), "{}", kind.name),
            Some(Odd::Const) => {
                // Empty stays empty.
                assert_eq!(masks[0].as_deref(), Some(""), "{}", kind.name);
                assert!(masks[1..EMPTY.len()].iter().all(|mask| *mask == masks[1]), "{}", kind.name);
                assert_eq!(masks[EMPTY.len()], None, "{}", kind.name);
            }
            None => {
                let expected: Texts = texts.iter().map(|text| text.map(str::to_owned)).collect();
                assert_eq!(masks, expected, "{}", kind.name);
            }
        }
    }
}

#[test]
fn every_mask_fits_its_column_whatever_the_value() {
    for kind in kinds() {
        let width = width(kind);
        let long = |pattern: &str| pattern.chars().cycle().take(width as usize).collect::<String>();
        let longest: Vec<String> =
            kind.samples.iter().copied().chain(WORDS).chain(["9", "aB3", "漢字"]).map(long).collect();
        let values = SHORT.iter().chain(&WORDS).chain(&INVALID).copied().chain(longest.iter().map(String::as_str));
        for text in values {
            // A program answers what it likes, and is told what does not fit.
            match masked(kind, &[], width, &[Some(text)]) {
                Ok(masks) => {
                    let chars = masks[0].as_ref().map_or(0, |mask| mask.chars().count());
                    assert!(chars <= width as usize, "{} made {chars} characters of {text:?}", kind.name);
                }
                Err(error) => assert!(!error.to_string().contains(text) || text.len() < 3, "{}: {error}", kind.name),
            }
        }
    }
}

#[test]
fn letters_of_no_kind_leave_no_text_as_it_was() {
    // Kinds that change parts of a text, or only what stands in a list, say so.
    let partly = ["text.spans", "json", "xml", "url", "ua", "replace", "command"];
    for kind in kinds().filter(|kind| !partly.contains(&kind.name)) {
        let texts: Vec<Option<&str>> = WORDS.iter().chain(&INVALID).map(|text| Some(*text)).collect();
        if let Ok(masks) = masked(kind, &[], width(kind), &texts) {
            for (mask, text) in masks.iter().zip(&texts) {
                assert_ne!(mask.as_deref(), *text, "{}", kind.name);
            }
        }
    }
}

/// Types other than text, each with an ordinary value, NULL, and two at the ends of what there is.
fn typed() -> Vec<(Shape, ArrayRef)> {
    fn fixed<const N: usize>(values: [Option<[u8; N]>; 4]) -> ArrayRef {
        let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.into_iter(), N as i32);
        Arc::new(array.expect("values of one width"))
    }
    fn binary(values: [Option<&[u8]>; 4]) -> ArrayRef {
        Arc::new(values.into_iter().collect::<BinaryViewArray>())
    }
    fn texts(values: [Option<&str>; 4]) -> ArrayRef {
        Arc::new(StringViewArray::from(values.to_vec()))
    }
    let point = |x: f64, y: f64| -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&x.to_be_bytes());
        bytes[8..].copy_from_slice(&y.to_be_bytes());
        bytes
    };
    let wire = |text: &str| {
        let mut wire = Vec::new();
        decimal::push_text_wire(text, &mut wire).expect("a number");
        wire
    };
    let (amount, least) = (wire("1250.00"), wire("-99999999999999999999.99"));
    let nan: &[u8] = &[0, 0, 0, 0, 0xc0, 0, 0, 0];
    let labels: Arc<[String]> = ["gold", "red"].map(str::to_owned).into();
    let long = [&[3, 128, 0, 16][..], &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]].concat();
    let net = [&[3, 32, 1, 16][..], &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]].concat();
    let documents = || texts([Some(r#"{"a":"x","n":7}"#), None, Some("null"), Some("[]")]);
    let shift = |micros: i64| {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&micros.to_be_bytes());
        bytes
    };
    let day_end = 86_400_000_000_i64;
    vec![
        (Shape::Int2, Arc::new(Int16Array::from(vec![Some(42), None, Some(i16::MIN), Some(i16::MAX)]))),
        (Shape::Int4, Arc::new(Int32Array::from(vec![Some(42), None, Some(i32::MIN), Some(i32::MAX)]))),
        (Shape::Int8, Arc::new(Int64Array::from(vec![Some(42), None, Some(i64::MIN), Some(i64::MAX)]))),
        (Shape::Numeric { limit: None }, binary([Some(&amount), None, Some(&least), Some(nan)])),
        (Shape::Float4, Arc::new(Float32Array::from(vec![Some(1.5), None, Some(-0.0), Some(f32::NAN)]))),
        (Shape::Float8, Arc::new(Float64Array::from(vec![Some(1.5), None, Some(1e300), Some(f64::INFINITY)]))),
        (Shape::Bool, Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]))),
        (Shape::Enum(labels), texts([Some("gold"), None, Some("red"), Some("gold")])),
        (Shape::Bytea, binary([Some(b"abc"), None, Some(b""), Some(b"%PDF-1.7")])),
        (Shape::Uuid, fixed([Some([7; 16]), None, Some([0; 16]), Some([0xff; 16])])),
        (Shape::Mac, fixed([Some([8; 6]), None, Some([0; 6]), Some([0xff; 6])])),
        (Shape::Mac8, fixed([Some([8; 8]), None, Some([0; 8]), Some([0xff; 8])])),
        (Shape::Point, fixed([Some(point(13.4, 52.5)), None, Some(point(180.0, -90.0)), Some(point(f64::NAN, 1e9))])),
        (Shape::Date, Arc::new(Date32Array::from(vec![Some(20_000), None, Some(i32::MIN), Some(i32::MAX)]))),
        (Shape::Timestamp, Arc::new(Int64Array::from(vec![Some(5), None, Some(i64::MIN), Some(i64::MAX)]))),
        (Shape::Time, fixed([Some(5_i64.to_be_bytes()), None, Some([0; 8]), Some(day_end.to_be_bytes())])),
        (Shape::TimeTz, fixed([Some(shift(5)), None, Some(shift(0)), Some(shift(day_end))])),
        (Shape::Inet, binary([Some(&[2, 32, 0, 4, 8, 8, 8, 8]), None, Some(&[2, 8, 0, 4, 127, 0, 0, 1]), Some(&long)])),
        (Shape::Cidr, binary([Some(&[2, 16, 1, 4, 81, 2, 0, 0]), None, Some(&[2, 0, 1, 4, 0, 0, 0, 0]), Some(&net)])),
        (Shape::Json, documents()),
        (Shape::Jsonb, documents()),
        // The last two are no XML that the kind reads: content without an element, and declarations.
        (
            Shape::Xml,
            texts([Some("<a b='x'>y</a>"), None, Some("x"), Some("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>")]),
        ),
    ]
}

/// Two values of the type as texts.
fn two(shape: &Shape) -> [&'static str; 2] {
    match shape {
        Shape::Int2 | Shape::Int4 | Shape::Int8 => ["7", "8"],
        Shape::Numeric { .. } => ["1.5", "-2"],
        Shape::Bool => ["true", "false"],
        Shape::Enum(_) => ["gold", "red"],
        Shape::Date => ["2020-01-01", "2021-02-28"],
        Shape::Uuid => ["550e8400-e29b-41d4-a716-446655440000", "ce201ede-9dad-4c0d-92a6-057066a91ed2"],
        _ => ["a", "b"],
    }
}

/// The parameters that a kind cannot do without on a column of this type.
fn needed_on(kind: &Kind, shape: &Shape) -> Params {
    let mut params = needed(kind);
    match (kind.name, shape) {
        ("enum.sample" | "enum.rr" | "enum.perm", Shape::Enum(_) | Shape::Bool) => drop(params.remove("values")),
        ("geo.grid", Shape::Float4 | Shape::Float8 | Shape::Numeric { .. }) => {
            params.insert("axis".to_owned(), "latitude".into());
        }
        ("choice", shape) => drop(params.insert("values".to_owned(), two(shape).as_slice().into())),
        ("lookup", shape) => drop(params.insert("file".to_owned(), format!("a\n{}\n", two(shape).join("\n")).into())),
        ("replace", shape) if *shape != Shape::TEXT => {
            let [one, other] = two(shape);
            params.insert("map".to_owned(), serde_json::json!({ one: other }));
            params.insert("else".to_owned(), serde_json::json!({"mask": "choice", "values": [one]}));
            if *shape == Shape::Uuid {
                params.insert("else".to_owned(), "uuid".into());
            }
        }
        ("const", _) => {
            let value: serde_json::Value = match shape {
                Shape::Int2 | Shape::Int4 | Shape::Int8 => 7.into(),
                Shape::Numeric { .. } | Shape::Float4 | Shape::Float8 => 1.5.into(),
                Shape::Bool => true.into(),
                Shape::Enum(_) => "red".into(),
                Shape::Uuid => "550e8400-e29b-41d4-a716-446655440000".into(),
                Shape::Date => "2020-01-01".into(),
                _ => "x".into(),
            };
            params.insert("value".to_owned(), value);
        }
        _ => {}
    }
    params
}

/// Masks a column whose rows have the subjects 1, 2, 3, …; none if the kind cannot be put on it so.
fn masked_column(kind: &Kind, params: Params, shape: &Shape, column: &ArrayRef) -> Option<Result<ArrayRef, MaskError>> {
    let spec = MaskSpec { kind: kind.full_name(), label: String::new(), params, subject: Some(1) };
    let column_of = |name: &str, shape, mask| ColumnSpec { name: name.to_owned(), shape, mask };
    let columns = vec![column_of("public.t.c", shape.clone(), Some(spec)), column_of("public.t.id", Shape::Int8, None)];
    let realm = MasterKey::test().realm("default");
    let masker = Masker::compile(&realm, &TableSpec { columns, ..TableSpec::default() }).ok()?;
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(1..=column.len() as i64));
    let columns = vec![Arc::clone(column), ids];
    let raw = RawBatch { rows: column.len(), wire: Bytes::new(), gaps: Vec::new(), columns };
    Some(masker.apply(raw).map(|masked| Arc::clone(&masked.columns()[0])))
}

#[test]
fn null_stays_null_and_all_else_stays_a_value_in_columns_of_every_type() {
    let mut looked_at: Vec<&str> = Vec::new();
    // A program answers what it likes.
    for kind in KINDS.iter().filter(|kind| kind.name != "command") {
        for (shape, column) in typed().iter().filter(|(shape, _)| kind.takes(shape)) {
            let Some(masked) = masked_column(kind, needed_on(kind, shape), shape, column) else { continue };
            let masked = masked.unwrap_or_else(|error| panic!("{} on {shape:?}: {error}", kind.name));
            assert_eq!(masked.len(), column.len(), "{} on {shape:?}", kind.name);
            assert_eq!(*masked.data_type(), fixed::output_type(shape), "{} on {shape:?}", kind.name);
            for row in 0..column.len() {
                let null = kind.name == "null" || column.is_null(row);
                assert_eq!(masked.is_null(row), null, "{} on {shape:?}, row {row}", kind.name);
            }
            looked_at.push(kind.name);
        }
        let typed = kind.accepts.iter().any(|takes| !matches!(takes, Takes::Text | Takes::Composite | Takes::Hstore));
        assert!(!typed || looked_at.contains(&kind.name), "{} was put on no column", kind.name);
    }
}

#[test]
fn null_elements_stay_null_and_all_others_stay_values_in_arrays_of_every_type() {
    // Two elements, NULL, two elements, none.
    let ends = OffsetBuffer::new(ScalarBuffer::from(vec![0, 2, 2, 4, 4]));
    for kind in KINDS.iter().filter(|kind| !matches!(kind.name, "command" | "null")) {
        for (shape, leaves) in typed() {
            let array = Shape::Array(Arc::new(shape.clone()));
            let parts = Parts {
                skeleton: BinaryArray::from_vec(vec![b"a", b"b", b"c", b"d"]),
                lists: vec![(ends.clone(), Arc::clone(&leaves))],
                nulls: Some(NullBuffer::from(vec![true, false, true, true])),
            };
            let column = parts.join().expect("an array");
            if !kind.takes(&array) {
                continue;
            }
            let Some(masked) = masked_column(kind, needed_on(kind, &shape), &array, &column) else { continue };
            let masked = masked.unwrap_or_else(|error| panic!("{} on arrays of {shape:?}: {error}", kind.name));
            let nulls = |column: &ArrayRef| (0..column.len()).map(|row| column.is_null(row)).collect::<Vec<_>>();
            assert_eq!(nulls(&masked), nulls(&column), "{} on arrays of {shape:?}", kind.name);
            let parts = Parts::of(&masked).expect("an array stays one");
            assert_eq!(parts.lists[0].0, ends, "{} on arrays of {shape:?}", kind.name);
            assert_eq!(nulls(&parts.lists[0].1), nulls(&leaves), "{} on arrays of {shape:?}", kind.name);
        }
    }
}
