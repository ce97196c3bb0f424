//! The golden file: what every kind and version gave once, and gives forever (MASKING.md section 9).
//!
//! `tests/golden/v1.jsonl` is append-only. After a new kind: `RESTAGE_GOLDEN=append cargo test --lib golden`, then the
//! hash below.

use super::batch::RawBatch;
use super::tests::needed;
use super::*;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringViewArray};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1.jsonl");
/// BLAKE3 of the file.
const HASH: &str = "2b3115d592faf7215683462fe51e7ca653eaa852be6b41ff2a83702cbd5e585b";
/// Values masked one after the other from each sample.
const CHAIN: usize = 24;

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Line {
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    label: String,
    #[serde(default, skip_serializing_if = "Params::is_empty")]
    params: Params,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    value: String,
    mask: Option<String>,
}

impl Line {
    fn again(&self) -> Option<String> {
        let realm = MasterKey::test().realm("default");
        let subject = self.subject.as_deref();
        mask_value(&realm, &self.kind, &self.label, self.params.clone(), subject, &self.value).expect("a golden value")
    }
}

fn lines() -> (String, Vec<Line>) {
    let text = std::fs::read_to_string(FILE).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of the golden file")).collect();
    (text, lines)
}

/// Inputs of a kind: its samples, what becomes of them when they are masked again and again (valid values of the kind, for
/// all kinds that keep the form), and values it does not expect. Subjects are numbers and addresses.
fn inputs(kind: &Kind) -> Vec<Line> {
    let by_subject = kind.needs_subject || matches!(kind.keyed_on, KeyedOn::Subject);
    let odd = ["a", "Zoë Müller", "日本語", "x7-Q", " ", ""].map(str::to_owned);
    let odd = odd.iter().filter(|_| kind.takes(&Shape::TEXT) && !kind.takes(&Shape::Int8));
    let mut lines: Vec<Line> = Vec::new();
    for (number, start) in kind.samples.iter().map(|sample| (*sample).to_owned()).chain(odd.cloned()).enumerate() {
        let mut value = start;
        let steps = if number < kind.samples.len() { CHAIN } else { 2 };
        for step in 0..steps {
            let subject = match step % 3 {
                _ if !by_subject => None,
                0 => Some("bob@example.com".to_owned()),
                1 => Some((step * 7 + 1).to_string()),
                _ => Some(format!("person-{number}-{step}")),
            };
            let label = if step % 4 == 3 { "public.users.id" } else { "" }.to_owned();
            let (kind, params) = (kind.full_name(), needed(kind));
            let mut line = Line { kind, label, params, subject, value: value.clone(), mask: None };
            line.mask = line.again();
            let next = line.mask.clone();
            if !lines.contains(&line) {
                lines.push(line);
            }
            match next {
                Some(next) if next != value => value = next,
                _ => value.push('7'),
            }
            // What grows from mask to mask has shown what it does.
            if value.len() > 120 {
                break;
            }
        }
    }
    lines
}

#[test]
fn golden_values_never_change() {
    let (mut text, known) = lines();
    if std::env::var_os("RESTAGE_GOLDEN").is_some_and(|word| word == "append") {
        let kinds: HashSet<&str> = known.iter().map(|line| line.kind.as_str()).collect();
        for kind in KINDS.iter().filter(|kind| !kinds.contains(kind.full_name().as_str())) {
            for line in inputs(kind) {
                let _ = writeln!(text, "{}", serde_json::to_string(&line).expect("a line is JSON"));
            }
        }
        std::fs::write(FILE, &text).expect("the golden file can be written");
    }
    let (text, known) = lines();
    assert!(known.len() >= 2_000, "{} lines", known.len());
    for line in &known {
        assert_eq!(line.again(), line.mask, "{} label {:?}: {:?}", line.kind, line.label, line.value);
    }
    for kind in KINDS {
        assert!(known.iter().any(|line| line.kind == kind.full_name()), "{} has no golden value", kind.full_name());
    }
    assert_eq!(blake3::hash(text.as_bytes()).to_hex().as_str(), HASH, "the file is append-only; then set HASH");
}

/// A column of golden values, with the masks they must get.
struct Column {
    masker: Masker,
    values: Vec<String>,
    subjects: Vec<Option<String>>,
    masks: Vec<Option<String>>,
}

impl Column {
    /// Checks the rows in batches of `size`, from the last to the first.
    fn check(&self, size: usize) {
        let starts: Vec<usize> = (0..self.values.len()).step_by(size).collect();
        for from in starts.into_iter().rev() {
            let rows = from..(from + size).min(self.values.len());
            let subjects: Vec<Option<&str>> = self.subjects[rows.clone()].iter().map(Option::as_deref).collect();
            let values: Vec<&str> = self.values[rows.clone()].iter().map(String::as_str).collect();
            let columns: Vec<ArrayRef> =
                vec![Arc::new(StringViewArray::from(values)), Arc::new(StringViewArray::from(subjects))];
            let raw = RawBatch { rows: rows.len(), wire: Bytes::new(), gaps: Vec::new(), columns };
            let masked = self.masker.apply(raw).expect("golden values are masked");
            let masked = masked.columns()[0].as_string::<i32>();
            for (row, mask) in rows.zip(masked.iter()) {
                assert_eq!(mask, self.masks[row].as_deref(), "{:?} in batches of {size}", self.values[row]);
            }
        }
    }
}

#[test]
fn golden_values_depend_on_no_batch_no_order_and_no_thread() {
    let mut groups: BTreeMap<String, Vec<Line>> = BTreeMap::new();
    for line in lines().1 {
        let found = kind(&line.kind).expect("a golden kind");
        // Lists of the user's are of texts, whatever types they can be put on.
        let listed = matches!(found.name, "choice" | "lookup" | "replace");
        let text = found.takes(&Shape::TEXT) && (listed || !found.takes(&Shape::Int8));
        let number = line.subject.as_deref().is_some_and(|subject| subject.bytes().all(|byte| byte.is_ascii_digit()));
        if text && !number {
            let key = format!("{}|{}|{}", line.kind, line.label, serde_json::to_string(&line.params).expect("JSON"));
            groups.entry(key).or_default().push(line);
        }
    }
    let realm = MasterKey::test().realm("default");
    let columns: Vec<Column> = groups
        .into_values()
        .map(|lines| {
            let subject = lines[0].subject.is_some().then_some(1);
            let Line { kind, label, params, .. } = lines[0].clone();
            let mask = Some(MaskSpec { kind, label, params, subject });
            let spec = |name: &str, mask| ColumnSpec { name: name.to_owned(), shape: Shape::TEXT, mask };
            let columns = vec![spec("t.value", mask), spec("t.subject", None)];
            let table = TableSpec { columns, ..TableSpec::default() };
            Column {
                masker: Masker::compile(&realm, &table).expect("golden kinds compile"),
                values: lines.iter().map(|line| line.value.clone()).collect(),
                subjects: lines.iter().map(|line| line.subject.clone()).collect(),
                masks: lines.into_iter().map(|line| line.mask).collect(),
            }
        })
        .collect();
    assert!(columns.len() > 30, "{} columns", columns.len());
    for size in [1, 7, 64, usize::MAX / 2] {
        columns.iter().for_each(|column| column.check(size));
    }
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let columns = &columns;
            scope.spawn(move || columns.iter().for_each(|column| column.check(thread + 1)));
        }
    });
}
