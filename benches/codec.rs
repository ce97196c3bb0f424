//! Decoding of a row like those of `customers` in the bench workload: 16 columns, 11 of them decoded.
//!
//! `walk` keeps every column and shows what cutting rows costs; `decode` minus `walk`, divided by 11, is a value.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use restage::mask::Shape;
use restage::pg::decode::decode;
use restage::pg::types::{Field, Format, Layout};
use std::hint::black_box;

/// The allocator of the binary: the default one gives large arrays back to the system after each batch.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS: usize = 8192;
const NOTES: &str = "Called about the invoice of last month and asked to be reached by mail only; prefers mornings. \
    Second contact on file is the spouse. Wants the shipment held at the depot until Friday, then sent on as agreed.";

/// A field of the row: its layout and its value by row number, in both formats.
struct Sample {
    field: Field,
    binary: fn(u32) -> Vec<u8>,
    text: fn(u32) -> String,
}

fn kept_number() -> Sample {
    Sample { field: Field::Keep, binary: |row| row.to_be_bytes().to_vec(), text: |row| row.to_string() }
}

fn kept_time() -> Sample {
    let binary = |row| (i64::from(row) * 1_000_003).to_be_bytes().to_vec();
    Sample { field: Field::Keep, binary, text: |row| format!("2024-01-01 10:{:02}:{:02}+00", row / 60 % 60, row % 60) }
}

macro_rules! text {
    ($row:ident, $($format:tt)*) => {
        Sample {
            field: Field::Mask(Shape::Text { chars_max: None, padded: false }),
            binary: |$row| format!($($format)*).into_bytes(),
            text: |$row| format!($($format)*),
        }
    };
}

fn preferences(row: u32) -> String {
    format!(
        r#"{{"contact": {{"phone": "+49 30 {row:07}", "email": "u{row}@example.org"}}, "lang": "de", "ads": false}}"#
    )
}

fn samples() -> Vec<Sample> {
    let date = |row: u32| ((row % 20_000) as i32 - 12_000).to_be_bytes().to_vec();
    let ip = |row: u32| [&[2, 32, 0, 4][..], &row.to_be_bytes()].concat();
    vec![
        kept_number(),
        text!(row, "{}", ["Anna", "Maximilian", "Jo", "Katharina-Sophie"][row as usize % 4]),
        text!(row, "{}", ["Li", "Schwarzenberger", "Meyer"][row as usize % 3]),
        text!(row, "someone.{row}@example{}.org", row % 97),
        text!(row, "+49 30 {row:08}"),
        text!(row, "{} Lindenstrasse, Hinterhaus {}", row % 300, row % 7),
        kept_number(),
        text!(row, "{:05}", row % 100_000),
        Sample { field: Field::Mask(Shape::Date), binary: date, text: |row| format!("19{:02}-03-04", row % 100) },
        text!(row, "{:03}-{:02}-{:04}", row % 900, row % 99, row % 9999),
        text!(row, "4111{row:012}"),
        Sample {
            field: Field::Mask(Shape::Inet),
            binary: ip,
            text: |row| format!("10.1.{}.{}", row / 256 % 256, row % 256),
        },
        kept_number(),
        text!(row, "{NOTES} {row}"),
        Sample {
            field: Field::Mask(Shape::Jsonb),
            binary: |row| [b"\x01", preferences(row).as_bytes()].concat(),
            text: preferences,
        },
        kept_time(),
    ]
}

fn wire(format: Format, samples: &[Sample]) -> Vec<u8> {
    let mut wire = Vec::new();
    for row in 0..ROWS as u32 {
        match format {
            Format::Binary => {
                wire.extend((samples.len() as u16).to_be_bytes());
                for sample in samples {
                    let value = (sample.binary)(row.wrapping_mul(2_654_435_761));
                    wire.extend((value.len() as u32).to_be_bytes());
                    wire.extend(value);
                }
            }
            Format::Text => {
                let fields: Vec<_> =
                    samples.iter().map(|sample| (sample.text)(row.wrapping_mul(2_654_435_761))).collect();
                wire.extend(fields.join("\t").bytes());
                wire.push(b'\n');
            }
        }
    }
    wire
}

fn codec(criterion: &mut Criterion) {
    let samples = samples();
    let fields: Vec<_> = samples.iter().map(|sample| sample.field.clone()).collect();
    let masked = Layout { written: fields.len(), fields };
    let opaque = Layout { fields: vec![Field::Keep; samples.len()], written: samples.len() };
    for (name, format) in [("binary", Format::Binary), ("text", Format::Text)] {
        let wire = bytes::Bytes::from(wire(format, &samples));
        for (task, layout) in [("walk", &opaque), ("decode", &masked)] {
            let mut group = criterion.benchmark_group(task);
            let throughput = Throughput::ElementsAndBytes { elements: ROWS as u64, bytes: wire.len() as u64 };
            group.throughput(throughput);
            group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
                bencher.iter(|| decode(format, black_box(layout), wire.clone()).map(|batch| batch.rows));
            });
            group.finish();
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(50).measurement_time(std::time::Duration::from_secs(3));
    targets = codec
}
criterion_main!(benches);
