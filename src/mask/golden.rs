//! The golden file: what every kind and version gave once, and gives forever (MASKING.md section 9).
//!
//! `tests/golden/v1.jsonl` is append-only. After a new kind or parameter: `RESTAGE_GOLDEN=append cargo test --lib golden`,
//! then the hash below.

use super::batch::RawBatch;
use super::tests::needed;
use super::*;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringViewArray};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/v1.jsonl");
/// BLAKE3 of the file.
const HASH: &str = "10bea9a76b6b9b7fe752cfdaf44108726030e142cef0904bb767617805764422";
/// Values masked one after the other from each sample.
const CHAIN: usize = 24;
/// Lines of each set of parameters.
const LINES_MIN: usize = 10;

/// Sets of parameters, each beside those the kind cannot do without, and values to begin with in place of the samples.
/// `null` takes one of the needed away. `on_invalid = "null"` is tried of every kind and not listed.
const VARIANTS: &[(&str, &str, &[&str])] = &[
    ("pattern", r#"{"algo":"ff1"}"#, &["AB-1234567", "1234567"]),
    ("email", r#"{"by":"subject"}"#, &[]),
    ("email", r#"{"fold":false}"#, &["Bob@Example.com", "bob@example.com"]),
    ("email", r#"{"locale":"de_DE"}"#, &[]),
    ("username", r#"{"by":"subject"}"#, &[]),
    ("username", r#"{"fold":false}"#, &["Bob", "bob"]),
    ("username", r#"{"locale":"pl_PL"}"#, &[]),
    ("name.first", r#"{"locale":"de_DE"}"#, &[]),
    ("name.last", r#"{"locale":"pl_PL"}"#, &[]),
    ("name.full", r#"{"locale":"ja_JP"}"#, &[]),
    ("name.value", r#"{"part":"first"}"#, &["Robert"]),
    ("name.value", r#"{"part":"last"}"#, &["Miller"]),
    ("name.value", r#"{"fold":false}"#, &["Robert Miller", "robert miller"]),
    ("company", r#"{"unique":true}"#, &[]),
    ("company", r#"{"fold":false}"#, &["Acme Ltd", "ACME LTD"]),
    ("phone", r#"{"region":"DE"}"#, &["030 1234567", "0171 2345678"]),
    ("phone", r#"{"keep":5}"#, &[]),
    ("address", r#"{"part":"street"}"#, &[]),
    ("address", r#"{"part":"city"}"#, &[]),
    ("address", r#"{"part":"region"}"#, &[]),
    ("address", r#"{"part":"zip"}"#, &[]),
    ("address", r#"{"part":"country","country":"set","locale":"fr_FR"}"#, &["Norway"]),
    ("address", r#"{"locale":"de_DE"}"#, &[]),
    ("zip", r#"{"keep":3}"#, &[]),
    ("zip", r#"{"mode":"hipaa3"}"#, &[]),
    ("card", r#"{"void":true}"#, &[]),
    ("card", r#"{"keep":8}"#, &[]),
    ("card", r#"{"keep_last4":true}"#, &[]),
    ("ip", r#"{"mode":"cryptopan"}"#, &[]),
    ("mac", r#"{"keep_oui":true}"#, &[]),
    ("date.shift", r#"{"days_max":30}"#, &[]),
    ("date.shift", r#"{"weekday":true}"#, &[]),
    ("date.shift", r#"{"sentinels":["9999-12-31"]}"#, &["9999-12-31", "1984-02-29"]),
    ("date.trunc", r#"{"unit":"decade"}"#, &[]),
    ("date.trunc", r#"{"unit":"year"}"#, &[]),
    ("date.trunc", r#"{"unit":"quarter"}"#, &[]),
    ("date.trunc", r#"{"unit":"week"}"#, &[]),
    ("age.cap", r#"{"age_max":60}"#, &["1921-07-15", "95", "12"]),
    ("age.cap", r#"{"of":"year"}"#, &["1900", "1936", "1990"]),
    ("time.shift", r#"{"step":15}"#, &[]),
    ("time.trunc", r#"{"step":15}"#, &[]),
    ("num.noise", r#"{"ratio_ppm":500000}"#, &[]),
    ("num.scale", r#"{"ratio_ppm":500000}"#, &[]),
    ("num.bucket", r#"{"width":"0.5"}"#, &["1250.25", "-0.75"]),
    ("num.cap", r#"{"min":"5"}"#, &[]),
    ("enum.sample", r#"{"weights":{"gold":3,"red":1}}"#, &[]),
    ("enum.rr", r#"{"threshold":null,"epsilon":1.5}"#, &[]),
    ("geo.grid", r#"{"cell":"0.1"}"#, &[]),
    ("geo.laplace", r#"{"distance_m":50}"#, &[]),
    ("json", r#"{"rest":"keep","paths":{"$.contact.email":"email"}}"#, &[]),
    ("json", r#"{"keys":{"$.contact":"pattern"}}"#, &[]),
    ("json", r#"{"rest":"keep","known":["$.plan"],"unknown_keys":"null"}"#, &[]),
    ("composite", r#"{"rest":"null"}"#, &[]),
    ("hstore", r#"{"rest":"pattern"}"#, &[]),
    ("hstore", r#"{"rest":"pattern","keys":"keep"}"#, &[r#"{"bob@example.com": "free"}"#]),
    ("text.spans", r#"{"labels":{"email":"people"}}"#, &[]),
    ("text.spans", r#"{"masks":{"phone":{"mask":"phone","region":"DE"}}}"#, &[]),
    ("xml", r#"{"rest":"keep","paths":{"$.order.email":"email"}}"#, &[]),
    ("url", r#"{"keep":["path"]}"#, &[]),
    ("url", r#"{"keep_hosts":["acme.com"]}"#, &[]),
    ("replace", r#"{"inside":true,"else":"pattern"}"#, &[]),
    ("regex", r#"{"generate":null,"match":"([A-Za-z]+)-(\\d+)"}"#, &["AB-1234"]),
    ("regex", r#"{"generate":null,"match":"([A-Za-z]+)-(\\d+)","replace":"$2-$1"}"#, &["AB-1234"]),
    ("regex", r#"{"generate":null,"match":"([A-Za-z]+)-(\\d+)","on_invalid":"null"}"#, &["AB-1234", "AB", "?"]),
    ("choice", r#"{"values":{"a":1,"b":3}}"#, &[]),
    ("choice", r#"{"by":"subject"}"#, &[]),
    ("lookup", r#"{"file":"team,code\nSales,x\nLegal,y\n","find":"team","else":"pattern"}"#, &[]),
    ("lookup", r#"{"file":"team,code\nSales,x\nLegal,y\n","take":"team"}"#, &[]),
    ("lookup", r#"{"by":"subject"}"#, &[]),
    ("hash", r#"{"length":20}"#, &[]),
    ("partial", r#"{"keep_first":4}"#, &[]),
    ("partial", r#"{"keep_last":2}"#, &[]),
    ("partial", r#"{"keep_first":2,"fill":"*"}"#, &[]),
];

/// Parameters no golden value can have: they name another column of the row, or what a program is started with.
const OF_ROWS: &[&str] =
    &["after", "axis", "command", "format", "from", "locale_from", "restarts", "sex_from", "stderr", "timeout", "with"];

/// The sets of parameters beside the needed ones: of each the parameters, and values to begin with.
fn variants(kind: &Kind) -> Vec<(Params, Vec<String>)> {
    let listed = VARIANTS.iter().filter(|variant| variant.0 == kind.name).map(|(_, json, starts)| {
        let mut params = needed(kind);
        for (name, value) in serde_json::from_str::<Params>(json).expect("parameters") {
            match value.is_null() {
                true => drop(params.remove(&name)),
                false => drop(params.insert(name, value)),
            }
        }
        (params, starts.iter().map(|start| (*start).to_owned()).collect())
    });
    // What `regex` generates has no form that a value could miss.
    let invalid = |name: &str| name == "on_invalid" && kind.name != "regex";
    let nulled = kind.params.iter().filter(|param| invalid(param.name)).map(|param| {
        let mut params = needed(kind);
        params.insert(param.name.to_owned(), "null".into());
        (params, Vec::new())
    });
    listed.chain(nulled).collect()
}

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
///
/// With values to begin with, these in place of the samples, and no others.
fn inputs(kind: &Kind, params: &Params, begin: &[String]) -> Vec<Line> {
    let by_subject = kind.needs_subject
        || matches!(kind.keyed_on, KeyedOn::Subject)
        || params.get("by").is_some_and(|by| by == "subject");
    let odd = ["a", "Zoë Müller", "日本語", "x7-Q", " ", ""].map(str::to_owned);
    let odd = odd.iter().filter(|_| begin.is_empty() && of_texts(kind));
    let samples = kind.samples.iter().map(|sample| (*sample).to_owned());
    let starts: Vec<String> = if begin.is_empty() { samples.collect() } else { begin.to_vec() };
    let mut lines: Vec<Line> = Vec::new();
    for (number, start) in starts.iter().chain(odd).cloned().enumerate() {
        let mut value = start;
        let steps = if number < starts.len() { CHAIN } else { 2 };
        for step in 0..steps {
            let subject = match step % 3 {
                _ if !by_subject => None,
                0 => Some("bob@example.com".to_owned()),
                1 => Some((step * 7 + 1).to_string()),
                _ => Some(format!("person-{number}-{step}")),
            };
            let label = if step % 4 == 3 { "public.users.id" } else { "" }.to_owned();
            let (kind, params) = (kind.full_name(), params.clone());
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
        let there = |kind: &Kind, params: &Params| {
            known.iter().any(|line| line.kind == kind.full_name() && line.params == *params)
        };
        let mut more = Vec::new();
        for kind in KINDS {
            let needed = (!known.iter().any(|line| line.kind == kind.full_name())).then(|| (needed(kind), Vec::new()));
            let sets = needed.into_iter().chain(variants(kind)).filter(|(params, _)| !there(kind, params));
            more.extend(sets.flat_map(|(params, begin)| inputs(kind, &params, &begin)));
        }
        for line in more {
            let _ = writeln!(text, "{}", serde_json::to_string(&line).expect("a line is JSON"));
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

#[test]
fn every_parameter_that_changes_masks_has_golden_values() {
    let (_, known) = lines();
    for kind in KINDS {
        for param in kind.params.iter().filter(|param| !OF_ROWS.contains(&param.name)) {
            let has = |line: &&Line| line.kind == kind.full_name() && line.params.contains_key(param.name);
            let count = known.iter().filter(has).count();
            assert!(count >= LINES_MIN || kind.name == "const", "{} with `{}`: {count} lines", kind.name, param.name);
        }
        for (params, _) in variants(kind) {
            let count = known.iter().filter(|line| line.kind == kind.full_name() && line.params == params).count();
            assert!(count >= LINES_MIN, "{} with {params:?}: {count} lines", kind.name);
        }
    }
}

/// A kind on texts, as far as one value shows it; lists of the user's are of texts, whatever types they can be put on.
fn of_texts(kind: &Kind) -> bool {
    let listed = matches!(kind.name, "choice" | "lookup" | "replace");
    kind.takes(&Shape::TEXT) && (listed || !kind.takes(&Shape::Int8))
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
        let text = of_texts(found);
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
