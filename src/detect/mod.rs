//! Finds personal data by name, type, table and content. Pure: no server is asked here.
//!
//! What is known is data (`rules/detect/*.toml`, with its own tests); this module asks it. Two questions:
//!
//! - [`by_name`] judges what the catalog tells: the words of the column's name, in ten languages and the common ones in more, whose table it is, and
//!   the type, which can veto a category (a `boolean` is no e-mail address, whatever it is called).
//! - [`Sample::findings`] judges values too. A [`Sample`] is fed value by value and keeps counts only; it looks into JSON,
//!   XML and free text by itself, and keeps counts per path.
//!
//! Both answer with [`Finding`]s, best first: a [`Category`] (`email`, `first_name`, …; [`categories`] lists them), a score
//! from 0 to 1, the masks that suit ([`Finding::proposals`]; none: NULL), and the evidence. What reaches [`FOUND`] counts as
//! found. Evidence of several tests joins by noisy-or: `1 - ∏(1 - score)`. Tests of one detector share their values and do
//! not join: the best counts.
//!
//! No value leaves this module: evidence is names of tests, counts and scores.

mod affix;
mod content;
mod definition;
mod name;
mod needs;
mod nested;
mod paths;
mod prose;
mod rules;
mod sample;
mod token;
mod years;

#[cfg(test)]
mod tests;

use crate::mask::kind::Takes;
pub use affix::Affix;
pub use definition::{may_be_personal, personal_in_definition, personal_in_text, said};
pub use nested::Documents;
use rules::RULES;
pub use rules::{Category, Class, Detector, Proposal};
pub use sample::{Few, Sample, hold_places};
use serde::Serialize;
use std::collections::HashMap;

/// The least score that counts as found.
pub const FOUND: f64 = 0.5;

/// What the catalog tells about a column.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Name of the table, without its schema.
    pub table: &'a str,
    pub column: &'a str,
    /// What the column holds; [`Takes::Opaque`] for what no mask knows.
    pub takes: Takes,
    /// Name of the column's domain or composite type, without its schema: `email_address` says what it holds.
    pub domain: Option<&'a str>,
    /// What nearly all columns of the table are called by.
    pub affix: Option<&'a Affix>,
}

/// What a piece of evidence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    Name,
    Table,
    Type,
    Content,
    Words,
    Distribution,
    Path,
}

/// One reason to think so.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    pub signal: Signal,
    /// Which detector or test; for a path inside a document, the path's category.
    pub test: String,
    /// From 0 to 1.
    pub score: f64,
    /// Values that passed, of so many different ones; 0 of 0 where no value was looked at.
    pub hits: u32,
    pub of: u32,
}

/// A category that a column seems to hold.
#[derive(Debug, Clone)]
pub struct Finding {
    pub category: &'static Category,
    /// The detector with the best evidence: it proposes the masks.
    pub detector: &'static Detector,
    /// From 0 to 1; [`FOUND`] and more counts as found.
    pub score: f64,
    pub evidence: Vec<Evidence>,
}

impl Finding {
    /// Masks that suit, best first; without any, NULL suits.
    pub fn proposals(&self) -> &'static [Proposal] {
        &self.detector.propose
    }

    pub fn found(&self) -> bool {
        self.score >= FOUND
    }
}

/// Whether a table is a catalog of things (`products`), whose names nobody gives to persons, and no column of it leads to a person (`customer_id`).
pub fn of_things<'a>(table: &str, columns: impl Iterator<Item = &'a str>) -> bool {
    name::of_things(table, columns)
}

/// Whether a table is called after persons (`customers`).
pub fn of_persons(table: &str) -> bool {
    name::of_persons(table)
}

/// A name as words, in the singular and without accents: `shipName` is `ship` and `name`.
pub fn name_words(name: &str) -> Vec<String> {
    token::split(name, true)
}

/// Whether a column is called after somebody who did or owns something: `created_by`, `assigned_to`, `owner`.
pub fn of_actor(column: &str) -> bool {
    name::of_actor(column)
}

/// Whether a name alone says that values identify a person, open something, or must not be known; values may not refute
/// it without somebody being asked.
pub fn is_told_by_name(facts: &Facts<'_>) -> bool {
    by_name(facts).iter().filter(|finding| finding.found()).any(|finding| match finding.category.class {
        Class::Secret | Class::Direct | Class::Sensitive => true,
        Class::Quasi => matches!(finding.category.name.as_str(), "coordinates" | "birth_date"),
        Class::Text => false,
    })
}

/// Categories of Article 9 GDPR, and what is as telling.
const SPECIAL: &[&str] = &["health", "religion", "ethnicity", "orientation", "gender"];

/// Whether a name may say what must not be known about a person, although it is not found: few different values are no
/// reason to keep it then.
pub fn may_be_special(facts: &Facts<'_>) -> bool {
    let words = matches!(facts.takes, Takes::Text | Takes::Enum | Takes::Bool | Takes::Opaque);
    // The day of a vaccination, but not every day in a table of patients.
    let days = matches!(facts.takes, Takes::Date | Takes::Timestamp) && name::is_called_special(facts);
    words && name::is_special(facts)
        || days
        // Of what somebody calls `num_val` the row says what it is.
        || (name::is_any_value(facts) || name::may_be_pay(facts)) && !name::of_thing(facts)
        || by_name(facts).iter().any(|finding| SPECIAL.contains(&finding.category.name.as_str()))
}

/// Whether a name may mean a secret, somebody, or a number of somebody, and says too little to be found by: neither few
/// values nor a type of numbers are a reason to keep it then.
pub fn is_asked(facts: &Facts<'_>) -> bool {
    name::is_asked(facts)
}

/// Whether name and type alone say that a program notes or counts something (`created_at`, `sign_in_count`, a switch), and
/// nobody is told by it: such a column can be kept although no value was seen.
pub fn is_of_program(facts: &Facts<'_>) -> bool {
    let other = || name::is_called_special(facts) || may_be_special(facts) || is_asked(facts);
    name::is_of_program(facts) && !other() && !by_name(facts).iter().any(Finding::found)
}

/// All text in a JSON document, without its marks: values, neighbours side by side, and then keys. None for what is no document.
/// Calls `each` with every key of a document.
pub fn words(text: &str, each: &mut dyn FnMut(&str)) -> Option<String> {
    nested::words(text, each)
}

/// Every category, in the order of listings.
pub fn categories() -> &'static [Category] {
    &RULES.categories
}

/// Judges a column by what the catalog tells; best first.
///
/// Findings below [`FOUND`] are in the list too: a `name` in a table that nobody knows scores 0.3, and values can add to it.
pub fn by_name(facts: &Facts<'_>) -> Vec<Finding> {
    let evidence = by_detector(facts);
    join(facts, evidence.into_iter().map(|(detector, evidence)| (detector, vec![evidence])).collect())
}

/// What a type says by itself.
const TYPES: &[(Takes, &str, f64)] =
    &[(Takes::Inet, "ip", 0.85), (Takes::Mac, "mac", 0.90), (Takes::Point, "coordinates", 0.60)];

/// Evidence of the name, the table and the type, by detector.
fn by_detector(facts: &Facts<'_>) -> HashMap<usize, Evidence> {
    let mut evidence = name::evidence(facts);
    for (takes, id, score) in TYPES.iter().filter(|(takes, ..)| *takes == facts.takes) {
        let number = RULES.detectors.iter().position(|detector| detector.id == *id);
        let number = number.expect("detectors of types stand in the rules");
        let said = Evidence { signal: Signal::Type, test: takes.name().to_owned(), score: *score, hits: 0, of: 0 };
        if evidence.get(&number).is_none_or(|known| known.score < *score) {
            evidence.insert(number, said);
        }
    }
    evidence.retain(|number, _| allowed(*number, facts.takes));
    evidence
}

/// Whether a column of this type can hold what a detector finds.
fn allowed(detector: usize, takes: Takes) -> bool {
    RULES.detectors[detector].types.contains(&takes)
}

/// Joins evidence to findings: detectors of one category to one finding, best first.
fn join(facts: &Facts<'_>, evidence: HashMap<usize, Vec<Evidence>>) -> Vec<Finding> {
    let mut findings: HashMap<usize, Finding> = HashMap::new();
    let mut numbers: Vec<usize> = evidence.keys().copied().collect();
    numbers.sort_unstable();
    for number in numbers.into_iter().filter(|number| allowed(*number, facts.takes)) {
        let detector = &RULES.detectors[number];
        let list = &evidence[&number];
        let score = 1.0 - list.iter().map(|evidence| 1.0 - evidence.score).product::<f64>();
        let finding =
            Finding { category: &RULES.categories[detector.category], detector, score, evidence: list.clone() };
        match findings.get(&detector.category) {
            Some(known) if known.score >= score => {}
            _ => {
                findings.insert(detector.category, finding);
            }
        }
    }
    let mut findings: Vec<Finding> = findings.into_values().filter(|finding| finding.score > 0.0).collect();
    findings.sort_by(|a, b| {
        b.score
            .total_cmp(&a.score)
            .then(a.category.class.cmp(&b.category.class))
            .then(a.category.name.cmp(&b.category.name))
    });
    findings
}
