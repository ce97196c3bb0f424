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
        Facts { table: &self.table, column: &self.column, takes: *takes, domain: None, affix: None }
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

/// Numbers that follow from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn digits(&mut self, count: usize) -> Vec<u32> {
        (0..count).map(|place| if place == 0 { 1 + self.below(9) as u32 } else { self.below(10) as u32 }).collect()
    }
}

fn luhn(digits: &[u32]) -> u32 {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 0 { doubled(*digit) } else { *digit }).sum();
    (10 - sum % 10) % 10
}

/// Weights 1 and 3, as on goods and books.
fn goods(digits: &[u32]) -> u32 {
    let sum: u32 =
        digits.iter().rev().enumerate().map(|(at, digit)| if at % 2 == 0 { 3 * digit } else { *digit }).sum();
    (10 - sum % 10) % 10
}

/// Columns of numbers that are no person's, each of 60 values under a name that says nothing, several draws of each kind.
#[test]
fn numbers_of_things_are_not_taken_for_those_of_persons() {
    const DRAWS: u64 = 20;
    let checked = |mut digits: Vec<u32>, check: fn(&[u32]) -> u32| {
        let last = check(&digits);
        digits.push(last);
        digits
    };
    let counted = |start: u64, row: u64| -> Vec<u32> {
        (start + row).to_string().bytes().map(|byte| u32::from(byte - b'0')).collect()
    };
    let (mut wrong, mut all) = (Vec::new(), 0);
    for seed in 0..DRAWS {
        let mut draw = Draw(seed * 7919 + 17);
        let mut columns: Vec<(&str, Vec<Vec<u32>>)> = Vec::new();
        for length in [8, 9, 10, 11, 12, 13, 15, 16, 18] {
            columns.push(("random", (0..60).map(|_| draw.digits(length)).collect()));
        }
        for (name, length) in [("EAN-8", 7), ("UPC", 11), ("EAN-13", 12), ("GTIN-14", 13)] {
            columns.push((name, (0..60).map(|_| checked(draw.digits(length), goods)).collect()));
        }
        for (name, start) in [("count 9", 300_000_000), ("count 11", 40_000_000_000), ("seconds", 1_700_000_000)] {
            columns.push((name, (0..60).map(|row| counted(start + seed * 1_000_003, row * 7)).collect()));
        }
        // IMEI: with Luhn, beginning as devices do.
        let imei = |draw: &mut Draw| checked([vec![3, 5], draw.digits(12)].concat(), luhn);
        columns.push(("IMEI", (0..60).map(|_| imei(&mut draw)).collect()));
        for (name, values) in columns {
            let facts = Facts { table: "t", column: "f", takes: Takes::Text, domain: None, affix: None };
            let mut sample = Sample::new(&facts);
            for digits in values {
                let text: String = digits.iter().filter_map(|digit| char::from_digit(*digit, 10)).collect();
                sample.push(Some(&text));
            }
            all += 1;
            let found = sample.findings(&facts).into_iter().find(detect::Finding::found);
            let found = found.map(|found| found.category.name.clone());
            let person =
                |name: &String| ["national_id", "iban", "credit_card", "bank_account"].contains(&name.as_str());
            wrong.extend(found.filter(person).map(|found| format!("{name} is taken for {found}")));
        }
    }
    println!("numbers of things: {} of {all} columns are taken for a person's", wrong.len());
    assert!(wrong.len() * 100 <= all, "{wrong:?}");
}
