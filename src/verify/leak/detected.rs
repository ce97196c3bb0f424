//! What detectors find in a loaded column: values, and keys of documents that are personal data by themselves.

use crate::detect::{self, Category, Class, Documents, Evidence, Facts, Few, Sample, Signal};
use crate::mask::Shape;
use crate::mask::json::personal_key;
use crate::mask::kind::Takes;
use std::collections::{BTreeMap, HashSet};
use std::hash::BuildHasher as _;

/// Different values that detectors want to be sure.
const HITS_MIN: u32 = 3;
/// Rows of the first stretch of a column; each later one is as long as all before it.
const STRETCH: u64 = 5_000;
/// Rows of a later stretch that are looked at, all over it, and fewest of the last one to say what most of them are.
const STEPS: u64 = 1_000;
const STEPS_MIN: u64 = 100;
/// Different keys of documents of one sort that are told apart.
const KEYS_MAX: usize = 1_000;

/// What detectors found in a kept column.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Detected {
    /// The category, and how many values.
    pub what: String,
    /// A decision in TOML that hides them; none: what suits the type.
    pub mask: Option<String>,
}

/// What the values of a kept column say by themselves; its name was judged by the plan.
///
/// All values are searched for what they are beyond doubt: a few are enough, whatever stands around them. What most values
/// are is asked of stretches: a column can be something else from some row on, and of all its values that may be few.
/// Bounded as two samples are.
pub(super) struct Seen<'f> {
    facts: Facts<'f>,
    all: Sample,
    stretch: Sample,
    /// Rows so far, rows the stretch ends behind, and how many of them stand for one that is looked at.
    rows: u64,
    end: u64,
    step: u64,
    most: Option<Few>,
}

impl<'f> Seen<'f> {
    pub fn new(facts: Facts<'f>) -> Self {
        let (all, stretch) = (Sample::new(&facts), Sample::new(&facts));
        Self { facts, all, stretch, rows: 0, end: STRETCH, step: 1, most: None }
    }

    /// What was seen of the stretch that is read; the first one is all there is.
    fn latest(&self) -> &Sample {
        if self.end == STRETCH { &self.all } else { &self.stretch }
    }

    /// Takes in the value of the next row.
    pub fn push(&mut self, value: Option<&str>) {
        if self.rows == self.end {
            self.most = self.most.or_else(|| most(self.latest(), &self.facts));
            self.stretch = Sample::new(&self.facts);
            self.step = self.end / STEPS;
            self.end *= 2;
        }
        self.all.push(value);
        if self.end > STRETCH && self.most.is_none() && self.rows.is_multiple_of(self.step) {
            self.stretch.push(value);
        }
        self.rows += 1;
    }

    /// What was found, if anything was.
    pub fn found(&self) -> Option<Detected> {
        let told = self.end == STRETCH || self.stretch.rows >= STEPS_MIN;
        let most = self.most.or_else(|| most(self.latest(), &self.facts).filter(|_| told));
        let found = most.or_else(|| self.all.few(&self.facts).into_iter().find(|few| personal(few.category)))?;
        let counted = match found.of {
            0 => String::new(),
            of => format!(", {} of {of} different values", found.hits),
        };
        let what = format!("{}{counted}", found.category.name);
        Some(Detected { what, mask: mask(&found, self.facts.takes, self.all.documents()) })
    }
}

fn personal(category: &Category) -> bool {
    matches!(category.class, Class::Secret | Class::Direct)
}

/// What most values of a sample are.
fn most(sample: &Sample, facts: &Facts<'_>) -> Option<Few> {
    sample.findings(facts).into_iter().find_map(|finding| {
        let said = |evidence: &&Evidence| match evidence.signal {
            Signal::Content => evidence.hits >= HITS_MIN,
            Signal::Path => true,
            _ => false,
        };
        let said = finding.evidence.iter().find(said).filter(|_| finding.found() && personal(finding.category))?;
        let hits = finding.evidence.iter().map(|evidence| evidence.hits).max().unwrap_or(0);
        let of = finding.evidence.iter().map(|evidence| evidence.of).max().unwrap_or(0);
        Some(Few {
            detector: finding.detector,
            category: finding.category,
            hits,
            of,
            inside: said.signal == Signal::Path,
        })
    })
}

/// The mask for what was found, as far as values and type alone can tell.
fn mask(found: &Few, takes: Takes, documents: Option<Documents>) -> Option<String> {
    if takes != Takes::Text {
        return None;
    }
    if found.inside {
        let mask = match documents {
            Some(Documents::Json) => "{ mask = \"json\", rest = \"pattern\" }",
            Some(Documents::Xml) => "{ mask = \"xml\", rest = \"pattern\" }",
            _ => "\"pattern\"",
        };
        return Some(mask.to_owned());
    }
    let written = |proposal: &detect::Proposal| match (proposal.kind.as_str(), proposal.params.as_str()) {
        // Whose names these are nobody has said.
        ("name.full", _) => Some("\"name.value\"".to_owned()),
        ("name.first", _) => Some("{ mask = \"name.value\", part = \"first\" }".to_owned()),
        ("name.last", _) => Some("{ mask = \"name.value\", part = \"last\" }".to_owned()),
        (name, params) => {
            crate::mask::kind(name).filter(|kind| kind.takes(&Shape::TEXT) && !kind.needs_subject)?;
            Some(if params.is_empty() { format!("\"{name}\"") } else { format!("{{ mask = \"{name}\", {params} }}") })
        }
    };
    found.detector.propose.iter().find_map(written).or_else(|| Some("\"pattern\"".to_owned()))
}

/// Keys of documents that are personal data by themselves. Bounded: counts, and hashes under a key of this process.
#[derive(Default)]
pub(super) struct Keys {
    hasher: foldhash::quality::RandomState,
    /// By what they are.
    seen: BTreeMap<&'static str, HashSet<u64>>,
}

impl Keys {
    /// Takes in a key of a document.
    pub fn see(&mut self, key: &str) {
        if let Some(what) = personal_key(key) {
            let seen = self.seen.entry(what).or_default();
            if seen.len() < KEYS_MAX {
                seen.insert(self.hasher.hash_one(key));
            }
        }
    }

    /// What there is most of, if there are more different keys of it than may be.
    pub fn found(&self, most: usize) -> Option<Detected> {
        let (what, seen) = self.seen.iter().max_by_key(|(_, seen)| seen.len())?;
        let what = format!("{what} as key of documents, {} different ones", seen.len());
        (seen.len() > most).then_some(Detected { what, mask: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a kept column of texts.
    fn told(values: impl Iterator<Item = String>) -> Option<(String, String)> {
        told_of("jobs", "stage", values)
    }

    fn told_of(table: &str, column: &str, values: impl Iterator<Item = String>) -> Option<(String, String)> {
        let facts = Facts { table, column, takes: Takes::Text, domain: None, affix: None };
        let mut seen = Seen::new(facts);
        values.for_each(|value| seen.push(Some(&value)));
        seen.found().map(|found| (found.what, found.mask.expect("texts have a mask")))
    }

    /// 200 rows, of which `some` are made by `odd`.
    fn among(some: usize, odd: impl Fn(usize) -> String) -> Option<(String, String)> {
        told((0..200).map(|n| if n < some { odd(n) } else { format!("step {n} of the build") }))
    }

    #[test]
    fn a_few_values_that_are_beyond_doubt_are_enough_in_a_kept_column() {
        let email = |n: usize| format!("u{n}@planted.de");
        let found = Some(("email, 20 of 200 different values".to_owned(), "\"email\"".to_owned()));
        assert_eq!(among(20, email), found);
        assert_eq!(among(1, email).map(|(what, _)| what), Some("email, 1 of 200 different values".to_owned()));
        // The twins: addresses of services and of nobody.
        for address in ["support@planted.de", "no-reply@planted.de", "ann@example.org", "ann@planted.test"] {
            assert_eq!(among(1, |_| address.to_owned()), None, "{address}");
        }
        let key = |n: usize| format!("sk_test_abcdefghij{n:03}");
        assert_eq!(among(6, key).map(|(what, _)| what), Some("token, 6 of 200 different values".to_owned()));
        // Versions of packages and addresses of repositories have the sign, and are nobody's.
        assert_eq!(among(20, |n| format!("lodash@4.17.{n:02}")), None);
        assert_eq!(among(20, |n| format!("git@planted.test:team/repo{n}.git")), None);
    }

    #[test]
    fn check_digits_that_are_right_by_chance_are_not_told() {
        // One of ten has a right check digit, and it looks like a card in fewer.
        let number = |n: usize| (4_000_000_000_000_000 + n as u64 * 7_919_131).to_string();
        assert_eq!(told((0..200).map(number)), None);
        let cards = |n: usize| {
            let body = format!("40000000{n:07}");
            let sum: u32 = body.bytes().rev().enumerate().fold(0, |sum, (place, digit)| {
                let digit = u32::from(digit - b'0') * if place % 2 == 0 { 2 } else { 1 };
                sum + digit / 10 + digit % 10
            });
            format!("{body}{}", (10 - sum % 10) % 10)
        };
        // One alone is enough where there are no other numbers.
        let alone = |number: &str| told(["open", "closed", number].map(str::to_owned).into_iter());
        assert_eq!(
            alone("4539 5787 6362 1486").map(|(what, _)| what),
            Some("credit_card, 1 of 3 different values".to_owned())
        );
        assert_eq!(alone("4539 5787 6362 1487"), None, "a wrong check digit");
        assert_eq!(alone("4242 4242 4242 4242"), None, "of a manual");
        assert_eq!(told((0..9).map(number).chain(["4539578763621486".to_owned()])), None, "one of ten, by chance");
        assert_eq!(among(8, cards).map(|(what, _)| what), Some("credit_card, 8 of 200 different values".to_owned()));
    }

    #[test]
    fn one_number_or_key_that_cannot_be_chance_is_told() {
        let one = |value: &str| among(1, |_| value.to_owned()).map(|(what, _)| what);
        let told = |category: &str| Some(format!("{category}, 1 of 200 different values"));
        assert_eq!(one("DE44500105175407324931"), told("iban"));
        assert_eq!(one("DE44 5001 0517 5407 3249 31"), told("iban"));
        assert_eq!(one("AKIAQZ3VX7W2LKPD5N4T"), told("token"));
        assert_eq!(one("amqp://shop:t0psecret@queue.nordwind.de/"), told("token"));
        // Wherever it stands among the values that are read, and however often.
        let late = |last: &str| {
            let others = (0..3_000).map(|n| format!("order {}", 100_000 + n));
            super::tests::told(others.chain([last.to_owned(), last.to_owned()])).map(|(what, _)| what)
        };
        assert_eq!(late("DE44500105175407324931"), Some("iban, 1 of 401 different values".to_owned()));
        assert_eq!(late("bob@nordwind-mail.com"), Some("email, 1 of 401 different values".to_owned()));
        assert_eq!(late("4539578763621486"), None, "a card among so many numbers is one by chance");
        for nobodys in [
            "DE89370400440532013000",
            "DE44500105175407324932",
            "AKIAIOSFODNN7EXAMPLE",
            "postgres://user:password@localhost/db",
            "https://shop:{password}@nordwind.de",
        ] {
            assert_eq!(one(nobodys), None, "{nobodys}");
        }
    }

    #[test]
    fn what_begins_late_is_told_and_the_same_without_it_is_not() {
        let later = |rows: usize, odd: &dyn Fn(usize) -> Option<String>| {
            let values = (0..rows).map(|n| odd(n).unwrap_or_else(|| format!("step {n} of the build")));
            told(values).map(|(what, _)| what.split(',').next().unwrap_or_default().to_owned())
        };
        // Beyond doubt: five addresses of nobody in particular, hashes, and numbers with check digits, far behind the start.
        let few = |make: &dyn Fn(usize) -> String| later(20_000, &|n| (n >= 19_000 && n % 150 == 0).then(|| make(n)));
        assert_eq!(few(&|n| format!("u{n}@example.org")), Some("email".to_owned()));
        assert_eq!(few(&|n| format!("{{SSHA}}{n}abcdefghij")), Some("password".to_owned()));
        assert_eq!(few(&|n| format!("sk_test_abcdefghij{n}")), Some("token".to_owned()));
        assert_eq!(few(&|n| format!("lodash@4.17.{n}")), None, "versions");
        // What most values are from some row on, and a few of which are nothing.
        let phones = |n: usize| (n >= 11_000).then(|| format!("+49 30 55{:06}", n * 7_919 % 100_003));
        assert_eq!(later(30_000, &phones), Some("phone".to_owned()));
        assert_eq!(later(30_000, &|n| phones(n).filter(|_| n % 150 == 0)), None, "a few");
        assert_eq!(later(30_000, &|_| None), None, "the twin");
    }

    #[test]
    fn leaves_at_paths_beyond_those_told_apart_are_searched_too() {
        let facts = Facts { table: "jobs", column: "stage", takes: Takes::Json, domain: None, affix: None };
        let found = |last: &str| {
            let mut seen = Seen::new(facts);
            (0..400).for_each(|n| seen.push(Some(&format!(r#"{{"step_{}": "open"}}"#, letters(n)))));
            seen.push(Some(&format!(r#"{{"later": "{last}"}}"#)));
            seen.found().map(|found| found.what)
        };
        assert!(found("bob@nordwind-mail.com").is_some_and(|what| what.starts_with("email")));
        assert_eq!(found("support@nordwind-mail.com"), None, "the twin");
    }

    /// A number in letters that are no word: digits could make a key one of a map.
    fn letters(number: usize) -> String {
        number.to_string().bytes().flat_map(|digit| ['q', char::from(digit - b'0' + b'a')]).collect()
    }

    #[test]
    fn full_names_are_told_where_most_values_are_such() {
        let names =
            ["Robert Miller", "Patricia Kowalska", "James Smith", "Maria Schneider", "Thomas Fischer", "Anna Weber"];
        let found = told(names.iter().map(ToString::to_string));
        assert_eq!(found, Some(("full_name, 6 of 6 different values".to_owned(), "\"name.value\"".to_owned())));
        // Two are more than chance makes of so few, but for things, which are called like persons.
        let some = |count: usize, other: &str| {
            let values = names.iter().take(count).map(ToString::to_string).chain([other.to_owned()]);
            told_of("t", other, values).map(|(what, _)| what)
        };
        assert_eq!(some(2, "col"), Some("full_name, 2 of 3 different values".to_owned()));
        assert_eq!(some(3, "col"), Some("full_name, 3 of 4 different values".to_owned()));
        assert_eq!(some(1, "col"), None, "one among others");
        assert_eq!(some(3, "model"), None, "three products");
        // The twins: a few among words, and what is called like nobody.
        assert_eq!(told(names.iter().map(ToString::to_string).chain((0..20).map(|n| format!("step {n}")))), None);
        assert_eq!(
            told(
                ["Quality Gate", "Unit Tests", "Blue Jeans", "Build Image", "Code Freeze"]
                    .map(str::to_owned)
                    .into_iter()
            ),
            None
        );
    }

    #[test]
    fn keys_that_are_personal_data_are_counted_and_names_of_fields_are_not() {
        let found = |documents: &[&str], most: usize| {
            let mut keys = Keys::default();
            documents.iter().for_each(|document| {
                detect::words(document, &mut |key| keys.see(key));
            });
            keys.found(most).map(|found| found.what)
        };
        let document = r##"{"by": [{"u1@planted.test": 1}, {"u2@planted.test": {"4111111111111111": 2}}], "#0123456789abcdef": 1}"##;
        let told = Some("e-mail address as key of documents, 2 different ones".to_owned());
        assert_eq!(found(&[document, document], 0), told);
        assert_eq!(found(&[document, document], 2), None);
        // The twins: other keys, values, and what is no document.
        let plain =
            r##"{"email": "u1@planted.test", "#0123456789abcdef": "u2@planted.test", "1": ["u3@planted.test"]}"##;
        assert_eq!(found(&[plain, "u1@planted.test", "{\"u1@planted.test\""], 0), None);
    }
}
