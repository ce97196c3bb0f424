//! Detectors against labelled columns: precision, recall and F1 per category, beside a plain regex on names.
//!
//! `tests/corpus/dev.jsonl` was at hand when the rules were written, `held.jsonl` was only measured. `README.md` there says
//! how both were made.

use restage::detect::{self, Facts, Sample};
use restage::mask::kind::Takes;
use std::collections::BTreeMap;
use std::path::Path;

#[derive(serde::Deserialize)]
struct Labelled {
    table: String,
    column: String,
    r#type: String,
    label: String,
    values: Vec<String>,
}

impl Labelled {
    fn facts(&self) -> Facts<'_> {
        let takes = Takes::ALL.iter().find(|takes| takes.name() == self.r#type).expect("a type of the corpus");
        Facts { table: &self.table, column: &self.column, takes: *takes, domain: None }
    }
}

fn corpus(name: &str) -> Vec<Labelled> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/corpus/{name}.jsonl"));
    let text = std::fs::read_to_string(path).expect("the corpus is there");
    text.lines().map(|line| serde_json::from_str(line).expect("a column")).collect()
}

/// Counts of one category, or of all.
#[derive(Default, Clone, Copy)]
struct Counts {
    right: u32,
    wrong: u32,
    missed: u32,
}

impl Counts {
    fn precision(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.wrong).max(1))
    }

    fn recall(self) -> f64 {
        f64::from(self.right) / f64::from((self.right + self.missed).max(1))
    }

    fn f1(self) -> f64 {
        let (precision, recall) = (self.precision(), self.recall());
        if precision + recall == 0.0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) }
    }
}

/// Compares the one category that is named for each column with its label.
fn judge(columns: &[Labelled], name: impl Fn(&Labelled) -> Option<String>) -> BTreeMap<String, Counts> {
    let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
    for column in columns {
        let found = name(column).unwrap_or_else(|| "none".to_owned());
        if found == column.label {
            counts.entry(found).or_default().right += 1;
            continue;
        }
        if std::env::var_os("RESTAGE_CORPUS").is_some() {
            println!("  {}.{}:{} is {}, found {found}", column.table, column.column, column.r#type, column.label);
        }
        counts.entry(column.label.clone()).or_default().missed += 1;
        counts.entry(found).or_default().wrong += 1;
    }
    counts.remove("none");
    counts
}

fn total(counts: &BTreeMap<String, Counts>) -> Counts {
    counts.values().fold(Counts::default(), |sum, one| Counts {
        right: sum.right + one.right,
        wrong: sum.wrong + one.wrong,
        missed: sum.missed + one.missed,
    })
}

/// Mean of F1 over the categories: rare ones count as much as frequent ones.
fn macro_f1(counts: &BTreeMap<String, Counts>) -> f64 {
    counts.values().map(|one| one.f1()).sum::<f64>() / counts.len() as f64
}

fn best(findings: Vec<detect::Finding>) -> Option<String> {
    findings.into_iter().find(detect::Finding::found).map(|finding| finding.category.name.clone())
}

fn by_name(column: &Labelled) -> Option<String> {
    best(detect::by_name(&column.facts()))
}

fn by_sample(column: &Labelled) -> Option<String> {
    let facts = column.facts();
    let mut sample = Sample::new(&facts);
    column.values.iter().for_each(|value| sample.push(Some(value)));
    best(sample.findings(&facts))
}

/// What people write in an afternoon: a list of expressions on the column's name.
fn baseline(column: &Labelled) -> Option<String> {
    const LIST: &[(&str, &str)] = &[
        ("email", "mail"),
        ("phone", "phone|mobile|tel|fax"),
        ("first_name", "first_?name|fname|given_?name"),
        ("last_name", "last_?name|lname|surname"),
        ("username", "user_?name|login"),
        ("full_name", "name"),
        ("password", "pass|pwd"),
        ("token", "token|secret|api_?key"),
        ("national_id", "ssn|social|national|tax_?id"),
        ("street", "street|addr.*[12]"),
        ("address", "addr"),
        ("city", "city|town"),
        ("zip", "zip|post"),
        ("region", "state|province"),
        ("country", "country"),
        ("iban", "iban"),
        ("bank_account", "account"),
        ("credit_card", "card|cc_?num"),
        ("ip", "(^|_)ip(_|$)"),
        ("mac", "(^|_)mac(_|$)"),
        ("birth_date", "birth|dob"),
        ("gender", "gender|sex"),
        ("income", "salary|income"),
        ("company", "company|employer"),
        ("url", "url|website"),
        ("coordinates", "lat|lon"),
        ("passport", "passport"),
        ("free_text", "notes|comment"),
    ];
    let name = column.column.to_lowercase();
    let hit = |pattern: &str| regex::Regex::new(pattern).expect("a pattern").is_match(&name);
    LIST.iter().find(|(_, pattern)| hit(pattern)).map(|(category, _)| (*category).to_owned())
}

/// The table of one half: category by category, then all together.
fn table(name: &str, columns: &[Labelled]) -> [BTreeMap<String, Counts>; 3] {
    let judged = [judge(columns, by_sample), judge(columns, by_name), judge(columns, baseline)];
    println!("\n{name}: {} columns, precision / recall / F1", columns.len());
    println!("| category | n | with samples | names alone | regex on names |");
    println!("|---|---|---|---|---|");
    let cell = |one: Counts| format!("{:.2} / {:.2} / {:.2}", one.precision(), one.recall(), one.f1());
    let labels: std::collections::BTreeSet<&str> =
        columns.iter().map(|column| column.label.as_str()).filter(|label| *label != "none").collect();
    for label in labels {
        let count = columns.iter().filter(|column| column.label == label).count();
        let cells = judged.each_ref().map(|counts| cell(counts.get(label).copied().unwrap_or_default()));
        println!("| {label} | {count} | {} |", cells.join(" | "));
    }
    let cells = judged.each_ref().map(|counts| format!("{}; macro F1 {:.2}", cell(total(counts)), macro_f1(counts)));
    println!("| **all** | | {} |", cells.join(" | "));
    judged
}

/// Share of the columns that a checksum test found, that hold what it found.
fn checksum_precision(columns: &[Labelled]) -> (u32, u32) {
    const TESTED: &[&str] = &["national_id", "iban", "credit_card"];
    let (mut right, mut all) = (0, 0);
    for column in columns {
        // Under a name that says nothing: what is found is found by its check digits.
        let facts = Facts { table: "t", column: "f", ..column.facts() };
        let mut sample = Sample::new(&facts);
        column.values.iter().for_each(|value| sample.push(Some(value)));
        let found = sample.findings(&facts).into_iter().find(detect::Finding::found);
        if let Some(found) = found.filter(|found| TESTED.contains(&found.category.name.as_str())) {
            all += 1;
            right += u32::from(found.category.name == column.label);
            assert!(
                right == all,
                "{}.{} is {}, its numbers say {}",
                column.table,
                column.column,
                column.label,
                found.category.name
            );
        }
    }
    (right, all)
}

#[test]
fn categories_are_found_better_than_by_a_regex_on_names() {
    let (dev, held) = (corpus("dev"), corpus("held"));
    assert!(dev.len() + held.len() >= 800, "{} columns", dev.len() + held.len());
    for (name, columns) in [("dev", &dev), ("held", &held)] {
        let [samples, names, plain] = table(name, columns).map(|counts| total(&counts).f1());
        assert!(samples >= 0.80 && names >= 0.75, "{name}: F1 {samples:.3} with samples, {names:.3} on names");
        assert!(plain + 0.1 < names, "{name}: a plain regex has {plain:.3}, the detectors {names:.3}");
    }
}

#[test]
fn numbers_with_check_digits_are_what_they_are_found_to_be() {
    let all: Vec<Labelled> = corpus("dev").into_iter().chain(corpus("held")).collect();
    let (right, found) = checksum_precision(&all);
    println!("checksums: {right} of {found}");
    assert!(found >= 20 && f64::from(right) >= 0.99 * f64::from(found));
}
