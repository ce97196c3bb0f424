//! JSON by path and free text by spans: the cost of finding and splicing, without the cost of the masks themselves.
//!
//! Budget (PERFORMANCE.md): 0.3–0.4 µs for a JSON document of 300 bytes with three paths, about 0.5 µs for a text of 218
//! characters. The JSON leaves become `null` and the spans are kept, so that only this module is measured.

use arrow_array::{ArrayRef, StringViewArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use restage::mask::{ColumnMask, ColumnSpec, Compile, MaskSpec, MasterKey, Params, Rows, Shape, TableSpec, kind};
use serde_json::json;
use std::hint::black_box;
use std::sync::Arc;

/// Rows of one batch, as many as fit the second-level cache with their output.
const ROWS: usize = 1024;

const JSON: &str = r#"{"lang": "de", "theme": "dark", "contact": {"name": "Zoë van den Berg", "email": "user123456.789@mail.example.org", "phone": "+1-415-555-0123"}, "newsletter": true, "limits": [42, 731], "score": 67.3, "tags": ["renewal", "priority", "annual plan"], "note": "wants the tax certificate re-issued", "v": 3}"#;
const TEXT: &str = "Patricia Rodriguez asked for a refund on the last invoice; contact user123456.789@mail.example.org or +1-415-555-0123. Ticket #482134: customer prefers to be reached in the morning and complained of a late delivery.";

fn compile(name: &str, shape: Shape, params: serde_json::Value) -> Box<dyn ColumnMask> {
    let params: Params = serde_json::from_value(params).expect("the parameters are a table");
    let spec = MaskSpec { kind: format!("{name}/1"), label: String::new(), params, subject: None };
    let column = ColumnSpec { name: "public.t.c".to_owned(), shape: shape.clone(), mask: Some(spec.clone()) };
    let table = TableSpec { columns: vec![column], ..TableSpec::default() };
    let realm = MasterKey::test().realm("default");
    let compile = Compile { realm: &realm, table: &table, column: 0, shape, spec: &spec, subject: None, subjects: &[] };
    kind(name).expect("the kind exists").compile(&compile).expect("the mask compiles")
}

fn run(criterion: &mut Criterion, name: &str, value: &str, mask: &dyn ColumnMask) {
    let column: ArrayRef = Arc::new(StringViewArray::from(vec![value; ROWS]));
    let rows = Rows { len: ROWS, subjects: &[], raw: &[], masked: &[], origin: None };
    let mut group = criterion.benchmark_group("text");
    group.throughput(Throughput::Bytes((value.len() * ROWS) as u64));
    group.bench_function(name, |bencher| bencher.iter(|| mask.apply(black_box(&column), &rows)));
    group.finish();
}

fn benches(criterion: &mut Criterion) {
    let paths = json!({ "$.contact.email": "null", "$.contact.phone": "null", "$.contact.name": "null" });
    let mask = compile("json", Shape::Jsonb, json!({ "paths": paths, "rest": "keep" }));
    run(criterion, "1024 documents of 304 bytes, 3 paths", JSON, &*mask);

    let keep = json!({
        "email": "keep", "card": "keep", "us.ssn": "keep", "phone": "keep", "ip": "keep", "username": "keep", "secret": "keep",
    });
    let mask = compile("text.spans", Shape::Text { chars_max: None, padded: false }, json!({ "masks": keep }));
    run(criterion, "1024 texts of 215 characters, 2 spans", TEXT, &*mask);
}

criterion_group!(all, benches);
criterion_main!(all);
