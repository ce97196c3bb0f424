//! Every mask kind against one keyed BLAKE3 hash, measured beside it in the same moment: the ratio stays where machines
//! and their load differ.
//!
//! ```text
//! cargo bench --bench kinds                          # prints the table of benches/kinds.md
//! cargo bench --bench kinds -- --check benches/kinds.md   # fails where a ratio grew by more than 30 % (T12)
//! ```
//!
//! Values are a kind's own masks of its samples, masked again and again: valid values of the kind, all different where the
//! kind makes them so. One core, batches of 8 192 rows, the best of several rounds.

#![expect(clippy::print_stdout, reason = "its table is what it is for")]

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float64Array, Int64Array,
    StringViewArray,
};
use restage::mask::batch::RawBatch;
use restage::mask::{ColumnSpec, KINDS, Kind, MaskSpec, Masker, MasterKey, Params, Shape, TableSpec};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROWS: usize = 8192;
const TEXT: Shape = Shape::Text { chars_max: None, padded: false };
/// How much of its ratio a kind may lose before `--check` fails.
const SLACK: f64 = 1.3;
const ROUNDS: u32 = 12;

/// Parameters without which a kind cannot be compiled; none: it cannot be measured in one process.
fn params(kind: &Kind) -> Option<Params> {
    let json = match kind.name {
        "command" => return None,
        "const" => r#"{"value":"x"}"#,
        "composite" | "hstore" => return None,
        "int.range" => r#"{"lo":1,"hi":2000000000}"#,
        "date.trunc" => r#"{"unit":"month"}"#,
        "time.trunc" => r#"{"unit":"hour"}"#,
        "age.cap" => r#"{"as_of":"2026-01-01"}"#,
        "num.bucket" => r#"{"width":10}"#,
        "num.cap" => r#"{"max":"99"}"#,
        "enum.rr" => r#"{"values":["gold","red"],"threshold":2147483648}"#,
        "enum.sample" | "enum.perm" => r#"{"values":["gold","red"]}"#,
        "json" | "xml" => r#"{"rest":"pattern"}"#,
        "text.drop" => r#"{"placeholder":"x"}"#,
        "replace" => r#"{"map":{"a":"b"}}"#,
        "regex" => r#"{"generate":"[a-z]{3}"}"#,
        "choice" => r#"{"values":["a","b"]}"#,
        "lookup" => r#"{"file":"a\nx\ny\n"}"#,
        "template" => r#"{"text":"u-{b32:16}"}"#,
        _ => "{}",
    };
    Some(serde_json::from_str(json).expect("parameters are JSON"))
}

/// A spread-out number per row, the same in every run.
fn mix(row: usize) -> u64 {
    (row as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn masker(kind: &Kind, params: &Params, shape: &Shape) -> Option<Masker> {
    let spec = MaskSpec { kind: kind.full_name(), label: String::new(), params: params.clone(), subject: Some(1) };
    let columns = vec![
        ColumnSpec { name: "t.c".to_owned(), shape: shape.clone(), mask: Some(spec) },
        ColumnSpec { name: "t.id".to_owned(), shape: Shape::Int8, mask: None },
    ];
    Masker::compile(&MasterKey::test().realm("bench"), &TableSpec { columns, ..TableSpec::default() }).ok()
}

fn batch(values: &ArrayRef, first: i64) -> RawBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + values.len() as i64));
    RawBatch { rows: values.len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns: vec![Arc::clone(values), ids] }
}

/// Masks of the samples, and masks of these, until there are enough.
fn texts(kind: &Kind, masker: &Masker) -> Option<ArrayRef> {
    let mut all: Vec<String> = kind.samples.iter().map(|text| (*text).to_owned()).collect();
    let mut last = all.clone();
    if last.is_empty() {
        return None;
    }
    while all.len() < ROWS {
        let values: ArrayRef = Arc::new(StringViewArray::from_iter_values(&last));
        let masked = masker.apply(batch(&values, all.len() as i64)).ok()?;
        let next = masked.columns()[0].as_string_opt::<i32>()?.clone();
        // A mask that is NULL or does not change any more gives the sample again.
        let next = next.iter().zip(&last).map(|(mask, text)| mask.unwrap_or(text).to_owned());
        last = next.collect();
        all.extend(last.iter().cloned());
    }
    all.truncate(ROWS);
    Some(Arc::new(StringViewArray::from_iter_values(all)))
}

/// The first of these shapes that the kind takes, with values.
fn values(kind: &Kind, params: &Params) -> Option<(Shape, Masker, ArrayRef)> {
    let numbers =
        || -> ArrayRef { Arc::new(Int64Array::from_iter_values((0..ROWS).map(|row| (mix(row) >> 34) as i64))) };
    let bytes = |width: usize| -> ArrayRef {
        let values = (0..ROWS).map(|row| mix(row).to_be_bytes().repeat(2)[..width].to_vec());
        Arc::new(FixedSizeBinaryArray::try_from_iter(values).expect("of one width"))
    };
    let made: [(Shape, &dyn Fn() -> ArrayRef); 8] = [
        (Shape::Int8, &numbers),
        (Shape::Date, &|| Arc::new(Date32Array::from_iter_values((0..ROWS).map(|row| row as i32)))),
        (Shape::Uuid, &|| bytes(16)),
        (Shape::Point, &|| {
            let values = (0..ROWS).map(|row| {
                let part = |shift: u32| ((mix(row) >> shift) % 90) as f64;
                [part(10).to_be_bytes(), part(20).to_be_bytes()].concat()
            });
            Arc::new(FixedSizeBinaryArray::try_from_iter(values).expect("of one width"))
        }),
        (Shape::Inet, &|| {
            let values = (0..ROWS).map(|row| [&[2, 32, 0, 4][..], &mix(row).to_be_bytes()[..4]].concat());
            Arc::new(BinaryViewArray::from_iter_values(values))
        }),
        (Shape::Float8, &|| Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| (mix(row) >> 44) as f64)))),
        (Shape::Bytea, &|| Arc::new(BinaryViewArray::from_iter_values((0..ROWS).map(|row| mix(row).to_be_bytes())))),
        (Shape::Bool, &|| Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| Some(mix(row) >> 63 == 0))))),
    ];
    // What is a number is measured as one.
    let text = || {
        let masker = masker(kind, params, &TEXT)?;
        let values = texts(kind, &masker)?;
        Some((TEXT, masker, values))
    };
    let first = kind.accepts.first().map(|takes| takes.name());
    if kind.takes(&TEXT)
        && !matches!(first, Some("integer" | "date" | "uuid" | "inet"))
        && let Some(found) = text()
    {
        return Some(found);
    }
    made.iter()
        .filter(|(shape, _)| kind.takes(shape))
        .find_map(|(shape, values)| {
            let masker = masker(kind, params, shape)?;
            let values = values();
            masker.apply(batch(&values, 1)).ok()?;
            Some((shape.clone(), masker, values))
        })
        .or_else(text)
}

fn timed(work: impl Fn()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

struct Measured {
    kind: &'static Kind,
    shape: &'static str,
    /// Nanoseconds per value.
    ns: f64,
    /// Nanoseconds of one hash, in the same rounds.
    hash: f64,
}

impl Measured {
    fn ratio(&self) -> f64 {
        self.ns / self.hash
    }

    fn millions(&self) -> f64 {
        1e3 / self.ns
    }
}

fn measure(kind: &'static Kind) -> Option<Measured> {
    let params = params(kind)?;
    let (shape, masker, values) = values(kind, &params)?;
    let once = || drop(black_box(masker.apply(batch(&values, 1)).map(|masked| masked.rows())));
    let hash = || {
        for row in 0..ROWS {
            let input = [mix(row).to_le_bytes(), mix(row + 1).to_le_bytes()].concat();
            black_box(blake3::keyed_hash(&[7; 32], &input));
        }
    };
    // Precomputed tables appear after enough values; a refresh of millions of rows runs with them.
    let warm = Instant::now();
    while warm.elapsed() < Duration::from_millis(60) {
        once();
    }
    let (mut best, mut unit) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        unit = unit.min(timed(hash));
        best = best.min(timed(once));
    }
    let per_row = |time: Duration| time.as_nanos() as f64 / ROWS as f64;
    Some(Measured { kind, shape: restage::mask::Takes::from(&shape).name(), ns: per_row(best), hash: per_row(unit) })
}

fn table(measured: &[Measured]) -> String {
    let mut text = "| kind | values | million values/s | hashes |\n|---|---|--:|--:|\n".to_owned();
    for one in measured {
        let Measured { kind, shape, .. } = one;
        text += &format!("| `{}` | {shape} | {:.1} | {:.2} |\n", kind.full_name(), one.millions(), one.ratio());
    }
    text
}

/// The ratios of a table as [`table`] writes it.
fn known(text: &str) -> Vec<(String, f64)> {
    let row = |line: &str| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        Some((cells.get(1)?.trim_matches('`').to_owned(), cells.get(4)?.parse().ok()?))
    };
    text.lines().filter_map(row).collect()
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let (check, only) = match args.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => (None, None),
        ["--check", file] => (Some(std::fs::read_to_string(file).expect("the table can be read")), None),
        [name] => (None, Some((*name).to_owned())),
        _ => panic!("cargo bench --bench kinds -- [KIND | --check FILE]"),
    };
    let wanted = |kind: &&&Kind| only.as_ref().is_none_or(|name| *name == kind.name);
    let measured: Vec<Measured> = KINDS.iter().filter(wanted).filter_map(|kind| measure(kind)).collect();
    let left_out: Vec<&str> = KINDS
        .iter()
        .filter(wanted)
        .filter(|kind| !measured.iter().any(|one| one.kind.name == kind.name))
        .map(|kind| kind.name)
        .collect();
    print!("{}", table(&measured));
    println!("\nNot measured: {}.", left_out.join(", "));
    let Some(check) = check else { return };
    let known = known(&check);
    let mut failed = Vec::new();
    for one in &measured {
        let name = one.kind.full_name();
        match known.iter().find(|(kind, _)| *kind == name) {
            Some((_, before)) if one.ratio() > before * SLACK => {
                // Once more: a busy machine is slow in one moment, a slow mask in every one.
                let again = measure(one.kind).map_or(f64::MAX, |again| again.ratio());
                if again > before * SLACK {
                    failed.push(format!("{name}: {again:.2} hashes, {before:.2} before"));
                }
            }
            Some(_) => {}
            None => failed.push(format!("{name}: not in the table")),
        }
    }
    if !failed.is_empty() {
        println!("\nSlower than they were:\n{}", failed.join("\n"));
        std::process::exit(1);
    }
}
