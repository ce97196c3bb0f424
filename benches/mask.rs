//! Values per second of every mask kind, one core, batches of 8 192 realistic values.
//!
//! `hash` is one keyed BLAKE3 hash of a short input: the unit the other rows are measured in.

use arrow_array::{
    ArrayRef, BinaryViewArray, Date32Array, FixedSizeBinaryArray, Int32Array, Int64Array, StringViewArray,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use restage::mask::batch::RawBatch;
use restage::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, Params, Shape, TableSpec, kind};
use std::hint::black_box;
use std::sync::Arc;

const ROWS: usize = 8192;
const TEXT: Shape = Shape::Text { chars_max: None, padded: false };

/// A spread-out number per row, the same in every run.
fn mix(row: usize) -> u64 {
    (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn texts(make: impl Fn(usize, u64) -> String) -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values((0..ROWS).map(|row| make(row, mix(row)))))
}

fn bench(c: &mut Criterion, name: &str, kind_name: &str, json: &str, shape: Shape, values: ArrayRef) {
    let found = kind(kind_name).expect("the kind exists");
    let params: Params = serde_json::from_str(json).expect("parameters are JSON");
    let by_subject = found.needs_subject || params.contains_key("by");
    let spec = MaskSpec { kind: found.full_name(), label: String::new(), params, subject: by_subject.then_some(1) };
    let table = TableSpec {
        columns: vec![
            ColumnSpec { name: "t.c".to_owned(), shape, mask: Some(spec) },
            ColumnSpec { name: "t.id".to_owned(), shape: Shape::Int8, mask: None },
        ],
        ..TableSpec::default()
    };
    let realm = MasterKey::test().realm("bench");
    let masker = Masker::compile(&realm, &table).expect("the table compiles");
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(1..=ROWS as i64));
    let raw = || RawBatch {
        rows: ROWS,
        wire: bytes::Bytes::new(),
        gaps: Vec::new(),
        columns: vec![Arc::clone(&values), Arc::clone(&ids)],
    };
    // Precomputed tables appear after enough values; a refresh of millions of rows runs with them.
    for _ in 0..40 {
        masker.apply(raw()).expect("the batch is masked");
    }
    let mut group = c.benchmark_group("mask");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function(name, |bencher| bencher.iter(|| masker.apply(raw()).map(|masked| masked.rows())));
    group.finish();
}

fn kinds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("hash");
    group.throughput(Throughput::Elements(ROWS as u64));
    group.bench_function("keyed", |bencher| {
        bencher.iter(|| {
            for row in 0..ROWS {
                let input = [mix(row).to_le_bytes(), mix(row + 1).to_le_bytes()].concat();
                black_box(blake3::keyed_hash(&[7; 32], &input));
            }
        });
    });
    group.finish();
    let c = criterion;
    let ints: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| (mix(row) >> 34) as i64)));
    bench(c, "int int8 to 2^30", "int", "{}", Shape::Int8, ints);
    let ints: ArrayRef = Arc::new(Int32Array::from_iter_values(1..=ROWS as i32));
    bench(c, "int int4 serial", "int", "{}", Shape::Int4, ints);
    let uuids = (0..ROWS).map(|row| {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&mix(row).to_be_bytes());
        bytes[8..].copy_from_slice(&mix(row + 9).to_be_bytes());
        (bytes[6], bytes[8]) = (bytes[6] & 15 | 0x40, bytes[8] & 63 | 0x80);
        bytes
    });
    let uuids: ArrayRef = Arc::new(FixedSizeBinaryArray::try_from_iter(uuids).expect("16 bytes each"));
    bench(c, "uuid", "uuid", "{}", Shape::Uuid, uuids);
    let email = || texts(|row, x| format!("user.{}@{}.com", x >> 40, ["gmail", "acme", "initech", "hooli"][row % 4]));
    bench(c, "email by value", "email", "{}", TEXT, email());
    bench(c, "email by subject", "email", r#"{"by":"subject"}"#, TEXT, email());
    bench(c, "username", "username", "{}", TEXT, texts(|_, x| format!("user_{}", x >> 44)));
    for name in ["name.first", "name.last", "name.full", "address"] {
        bench(c, name, name, "{}", TEXT, texts(|_, x| format!("Robert {}", x >> 50)));
    }
    let phone = |prefix: &'static str| texts(move |_, x| format!("{prefix}{:07}", 2_000_000 + x % 7_999_999));
    bench(c, "phone one area", "phone", "{}", TEXT, phone("+1 415 "));
    let phones = texts(|_, x| format!("+1 {} {:07}", 200 + x % 799, 2_000_000 + (x >> 32) % 7_999_999));
    bench(c, "phone all areas", "phone", "{}", TEXT, phones);
    bench(c, "card one prefix", "card", "{}", TEXT, texts(|_, x| format!("4111{:012}", x % 1_000_000_000_000)));
    let cards = || texts(|_, x| format!("4{:015}", x % 1_000_000_000_000_000));
    bench(c, "card random, keep 6", "card", r#"{"keep":6}"#, TEXT, cards());
    bench(c, "card random, keep 8", "card", r#"{"keep":8}"#, TEXT, cards());
    let ssn = texts(|row, x| format!("{:03}-{:02}-{:04}", row % 600 + 1, x % 99 + 1, (x >> 32) % 9_999 + 1));
    bench(c, "us.ssn", "us.ssn", "{}", TEXT, ssn);
    let citizens = texts(|_, x| {
        let digits = format!("{:08}", x % 100_000_000);
        let sum: u32 = digits.bytes().zip((2..=9).rev()).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
        // A tenth has no check digit and is masked as an invalid number, as in columns of real life.
        format!("{digits}{}", sum % 11 % 10)
    });
    bench(c, "nl.bsn", "nl.bsn", "{}", TEXT, citizens);
    let national = texts(|row, x| {
        let number =
            format!("{:02}{:02}{:02}{:03}", row % 60 + 30, x % 12 + 1, (x >> 16) % 28 + 1, (x >> 32) % 998 + 1);
        let check = 97 - number.parse::<u64>().expect("digits") % 97;
        format!("{number}{check:02}")
    });
    bench(c, "be.nn", "be.nn", "{}", TEXT, national);
    let accounts = texts(|_, x| {
        let account = format!("37040044{:010}", x % 10_000_000_000);
        let rest = format!("{account}131400").parse::<u128>().expect("digits") % 97;
        format!("DE{:02}{account}", 98 - rest)
    });
    bench(c, "iban", "iban", "{}", TEXT, accounts);
    bench(c, "pattern 7 characters", "pattern", "{}", TEXT, texts(|_, x| format!("AB-{:05}", x % 100_000)));
    bench(c, "pattern 16 characters", "pattern", "{}", TEXT, texts(|_, x| format!("ACME-{:011}", x % 100_000_000_000)));
    let ip = (0..ROWS).map(|row| [&[2, 32, 0, 4][..], &mix(row).to_be_bytes()[..4]].concat());
    let inet: ArrayRef = Arc::new(BinaryViewArray::from_iter_values(ip));
    bench(c, "ip v4", "ip", "{}", Shape::Inet, inet);
    let dates: ArrayRef = Arc::new(Date32Array::from_iter_values((0..ROWS).map(|row| row as i32)));
    bench(c, "date.shift", "date.shift", "{}", Shape::Date, dates);
}

criterion_group!(benches, kinds);
criterion_main!(benches);
