//! Decoding against the server: both COPY formats give equal arrays, and their values are those the server shows.

mod cluster;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use cluster::{Cluster, SHAPES_SQL};
use restage::mask::Shape;
use restage::mask::batch::RawBatch;
use restage::pg::decode::{decode, is_trailer, strip_header};
use restage::pg::types::{Field, Format, Layout};

const TEXT: Shape = Shape::Text { chars_max: None, padded: false };
const PADDED: Shape = Shape::Text { chars_max: Some(10), padded: true };

/// Column, its shape, and SQL that shows its value without the text format of COPY being involved.
const COLUMNS: [(&str, Shape, &str); 15] = [
    ("id", Shape::Int8, "id::text"),
    ("i2", Shape::Int2, "i2::text"),
    ("i4", Shape::Int4, "i4::text"),
    ("i8", Shape::Int8, "i8::text"),
    ("t", TEXT, "encode(textsend(t), 'hex')"),
    ("vc", TEXT, "encode(varcharsend(vc), 'hex')"),
    ("ch", PADDED, "encode(bpcharsend(ch), 'hex')"),
    ("u", Shape::Uuid, "replace(u::text, '-', '')"),
    ("d", Shape::Date, "CASE WHEN isfinite(d) THEN (d - date '1970-01-01')::text ELSE d::text END"),
    (
        "ts",
        Shape::Timestamp,
        "CASE WHEN isfinite(ts) THEN ((ts::date - date '2000-01-01') * 86400000000 \
         + extract(microseconds FROM ts::time) + 60000000::int8 * extract(minute FROM ts) \
         + 3600000000 * extract(hour FROM ts))::int8::text ELSE ts::text END",
    ),
    (
        "tz",
        Shape::Timestamp,
        "CASE WHEN isfinite(tz) THEN ((tz::date - date '2000-01-01') * 86400000000 \
         + extract(microseconds FROM tz::time) + 60000000::int8 * extract(minute FROM tz) \
         + 3600000000 * extract(hour FROM tz))::int8::text ELSE tz::text END",
    ),
    ("ip", Shape::Inet, "encode(inet_send(ip), 'hex')"),
    ("net", Shape::Cidr, "encode(cidr_send(net), 'hex')"),
    ("j", Shape::Json, "encode(convert_to(j::text, 'UTF8'), 'hex')"),
    ("jb", Shape::Jsonb, "encode(convert_to(jb::text, 'UTF8'), 'hex')"),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn number(value: i64, infinities: (i64, i64)) -> String {
    match value {
        value if value == infinities.0 => "-infinity".to_owned(),
        value if value == infinities.1 => "infinity".to_owned(),
        value => value.to_string(),
    }
}

/// Shows a decoded value as the SQL in [`COLUMNS`] does.
fn shown(shape: &Shape, array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "\\N".to_owned();
    }
    match shape {
        Shape::Int2 => array.as_primitive::<Int16Type>().value(row).to_string(),
        Shape::Int4 => array.as_primitive::<Int32Type>().value(row).to_string(),
        Shape::Int8 => array.as_primitive::<Int64Type>().value(row).to_string(),
        Shape::Text { .. } | Shape::Json | Shape::Jsonb => hex(array.as_string_view().value(row).as_bytes()),
        Shape::Uuid => hex(array.as_fixed_size_binary().value(row)),
        Shape::Date => number(array.as_primitive::<Date32Type>().value(row).into(), (i32::MIN.into(), i32::MAX.into())),
        Shape::Timestamp => number(array.as_primitive::<Int64Type>().value(row), (i64::MIN, i64::MAX)),
        Shape::Inet | Shape::Cidr => hex(array.as_binary_view().value(row)),
        _ => unreachable!("no other shape is among the columns"),
    }
}

fn read_all(cluster: &Cluster, format: Format) -> RawBatch {
    let names = COLUMNS.map(|(name, ..)| name).join(", ");
    let option = if format == Format::Binary { "(FORMAT binary)" } else { "" };
    let stream = cluster.psql(&format!("COPY (SELECT {names} FROM shapes ORDER BY id) TO STDOUT {option}"), b"");
    let rows = match format {
        Format::Binary => {
            let (rows, end) = stream.split_at(stream.len() - 2);
            assert!(is_trailer(end));
            rows[strip_header(rows).expect("psql passes the header on")..].to_vec()
        }
        Format::Text => stream,
    };
    let layout = Layout { fields: COLUMNS.map(|(_, shape, _)| Field::Read(shape)).to_vec(), written: COLUMNS.len() };
    decode(format, &layout, rows.into()).expect("the server sends legal rows")
}

#[test]
fn every_shape_decodes_to_what_the_server_shows() {
    let cluster = Cluster::start();
    cluster.psql(SHAPES_SQL, b"");
    let binary = read_all(&cluster, Format::Binary);
    let text = read_all(&cluster, Format::Text);
    assert_eq!(binary.rows, 1006);
    for ((name, ..), (binary, text)) in COLUMNS.iter().zip(binary.columns.iter().zip(&text.columns)) {
        assert!(binary == text, "column {name} differs between the formats");
    }
    let expressions = COLUMNS.map(|(_, _, sql)| sql).join(", ");
    let oracle = cluster.psql(&format!("COPY (SELECT {expressions} FROM shapes ORDER BY shapes.id) TO STDOUT"), b"");
    let oracle = String::from_utf8(oracle).expect("digits and letters");
    assert_eq!(oracle.lines().count(), binary.rows);
    for (row, line) in oracle.lines().enumerate() {
        for (index, expected) in line.split('\t').enumerate() {
            let (name, shape, _) = &COLUMNS[index];
            assert_eq!(shown(shape, &binary.columns[index], row), expected, "row {row}, column {name}");
        }
    }
}
