//! The rules as they stand in `rules/detect/*.toml`, read once and checked by the tests.

use super::name::DEEDS;
use super::needs::Needs;
use super::token::{self, Words};
use crate::mask::kind::Takes;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

/// The files, in the order of the categories in listings.
const FILES: &[(&str, &str)] = &[
    ("person.toml", include_str!("../../rules/detect/person.toml")),
    ("contact.toml", include_str!("../../rules/detect/contact.toml")),
    ("place.toml", include_str!("../../rules/detect/place.toml")),
    ("identity.toml", include_str!("../../rules/detect/identity.toml")),
    ("finance.toml", include_str!("../../rules/detect/finance.toml")),
    ("network.toml", include_str!("../../rules/detect/network.toml")),
    ("secret.toml", include_str!("../../rules/detect/secret.toml")),
    ("sensitive.toml", include_str!("../../rules/detect/sensitive.toml")),
    ("text.toml", include_str!("../../rules/detect/text.toml")),
    ("asked.toml", include_str!("../../rules/detect/asked.toml")),
    ("context.toml", include_str!("../../rules/detect/context.toml")),
];

/// What personal data is, by what it does to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// Opens something.
    Secret,
    /// Names a person by itself.
    Direct,
    /// Must not be known about a person.
    Sensitive,
    /// May hold anything.
    Text,
    /// Narrows down with others.
    Quasi,
}

/// What is found.
#[derive(Debug)]
pub struct Category {
    /// `email`, `first_name`.
    pub name: String,
    pub summary: String,
    pub class: Class,
    /// Types it can have; all others veto it.
    pub types: Vec<Takes>,
    /// Values without a letter speak against it.
    pub(super) letters: bool,
}

/// A mask that suits what was found: a kind and its parameters in TOML (`part = "zip"`, or empty).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    pub kind: String,
    pub params: String,
}

/// A test of values.
#[derive(Debug)]
pub struct Content {
    pub id: String,
    pub(super) pattern: Option<regex::Regex>,
    pub(super) valid: Option<String>,
    pub(super) words: Option<String>,
    /// Share of random values of this form that pass.
    pub(super) chance: f64,
    /// Score when all values pass.
    pub(super) weight: f64,
    /// A checksum: judged against chance.
    pub(super) sure: bool,
    /// Values that pass begin differently, as those of people do and those that are counted do not.
    pub(super) spread: bool,
    /// Values that are counted do not count.
    pub(super) uncounted: bool,
    /// Values that never pass speak against the name.
    pub(super) refutes: bool,
    /// For columns of numbers alone, which lose the zeros a number begins with: filled up to so many digits.
    pub(super) zeros: Option<usize>,
    /// One value is enough.
    pub(super) rare: bool,
    /// What passes is what it seems, so a few among others are found where nothing may be; the share of other numbers that
    /// pass at most.
    pub(super) few: Option<f64>,
    /// How many different values that makes.
    pub(super) least: u32,
    /// They have to be most of the values.
    pub(super) most: bool,
    /// Only in a table that is called after persons.
    pub(super) persons: bool,
    pub(super) needs: Needs,
}

/// One way to find a category.
#[derive(Debug)]
pub struct Detector {
    pub id: String,
    /// Place in [`Rules::categories`].
    pub(super) category: usize,
    /// Types it can have: those of the category, where it says no others.
    pub(super) types: Vec<Takes>,
    pub propose: Vec<Proposal>,
    pub content: Vec<Content>,
    /// Words one of which has to be in the name of the table.
    pub(super) tables: HashSet<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of a detector stands beside it"))]
    pub(super) test: Test,
}

/// Examples of a detector.
#[derive(Debug, Default)]
#[cfg_attr(not(test), expect(dead_code, reason = "the test of a detector stands beside it"))]
pub(super) struct Test {
    pub examples: Vec<String>,
    pub counters: Vec<String>,
    pub values: Vec<String>,
    pub no_values: Vec<String>,
}

/// How much a phrase says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    Sure,
    Likely,
    /// Of a person, if it is one's.
    Owned,
}

/// A phrase of a detector; none takes words away from shorter phrases.
#[derive(Debug)]
pub(super) struct Phrase {
    pub words: Words,
    pub detector: Option<usize>,
    pub mark: Mark,
    /// Only as the whole name.
    pub whole: bool,
}

#[derive(Debug, Default)]
pub(super) struct Context {
    pub neutral: HashSet<String>,
    pub veto: HashSet<String>,
    pub ask: HashSet<String>,
    pub person: HashSet<String>,
    /// Whom a column may be called after, who has a name and an address as well: `notar_name`.
    pub owner: HashSet<String>,
    pub thing: HashSet<String>,
    pub catalog: HashSet<String>,
    pub shell: HashSet<String>,
    pub generic: HashSet<String>,
    /// Short words that tables are called by.
    pub prefix: HashSet<String>,
    /// Last words of names of times and of numbers that a program notes by itself.
    pub time: HashSet<String>,
    pub count: HashSet<String>,
    /// Things that are numbered.
    pub numbered: HashSet<String>,
    /// Beginnings of words.
    pub special: Vec<String>,
}

/// Everything, ready to be asked.
#[derive(Debug)]
pub(super) struct Rules {
    pub categories: Vec<Category>,
    pub detectors: Vec<Detector>,
    pub phrases: Vec<Phrase>,
    /// Phrases by their first word.
    pub starts: HashMap<String, Vec<usize>>,
    pub context: Context,
    pub asked: Vec<Asked>,
    /// Every word of a phrase or a context.
    pub known: HashSet<String>,
    /// Every word that names may be run together of: those, and some that say nothing by themselves.
    pub apart: HashSet<String>,
}

/// Names that say too little to be found by, and too much for a column to be kept without a question.
#[derive(Debug)]
pub(super) struct Asked {
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of a list stands beside it"))]
    pub id: String,
    pub types: Vec<Takes>,
    pub phrases: Vec<AskedPhrase>,
    /// Also behind a question: `enable_pw`.
    pub always: bool,
    /// Its words are persons, wherever they stand.
    pub persons: bool,
    /// Words that make something else of what follows them.
    pub unless: HashSet<String>,
    /// And those that do where values are numbers: `points_member`.
    pub unless_number: HashSet<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of a list stands beside it"))]
    pub examples: Vec<String>,
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of a list stands beside it"))]
    pub counters: Vec<String>,
}

#[derive(Debug)]
pub(super) struct AskedPhrase {
    pub words: Words,
    /// Nothing stands before it.
    pub whole: bool,
}

pub(super) static RULES: LazyLock<Rules> = LazyLock::new(Rules::read);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    category: BTreeMap<String, CategoryText>,
    #[serde(default)]
    detector: Vec<DetectorText>,
    #[serde(default)]
    asked: Vec<AskedText>,
    context: Option<ContextText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CategoryText {
    summary: String,
    class: Class,
    types: Vec<String>,
    #[serde(default)]
    letters: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DetectorText {
    id: String,
    category: String,
    types: Option<Vec<String>>,
    propose: Vec<toml::Value>,
    #[serde(default)]
    tables: String,
    #[serde(default)]
    names: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    not: Vec<String>,
    #[serde(default)]
    content: Vec<ContentText>,
    examples: Vec<String>,
    counters: Vec<String>,
    #[serde(default)]
    values: Vec<String>,
    #[serde(default)]
    no_values: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskedText {
    id: String,
    types: Vec<String>,
    names: Vec<String>,
    #[serde(default)]
    always: bool,
    #[serde(default)]
    persons: bool,
    #[serde(default)]
    unless: String,
    #[serde(default)]
    unless_number: String,
    examples: Vec<String>,
    counters: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContentText {
    id: String,
    pattern: Option<String>,
    valid: Option<String>,
    words: Option<String>,
    #[serde(default)]
    chance: f64,
    weight: f64,
    #[serde(default)]
    sure: bool,
    #[serde(default)]
    spread: bool,
    #[serde(default)]
    uncounted: bool,
    #[serde(default)]
    refutes: bool,
    zeros: Option<usize>,
    #[serde(default)]
    rare: bool,
    few: Option<f64>,
    #[serde(default = "few_least")]
    least: u32,
    #[serde(default)]
    most: bool,
    #[serde(default)]
    persons: bool,
}

/// So many different values of one sort are no slip.
fn few_least() -> u32 {
    5
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ContextText {
    neutral: String,
    veto: String,
    ask: String,
    person: String,
    thing: String,
    catalog: String,
    shell: String,
    apart: String,
    generic: String,
    prefix: String,
    time: String,
    count: String,
    numbered: String,
    special: String,
}

impl Rules {
    /// Reads the embedded files.
    ///
    /// # Panics
    /// If a file is wrong: they are part of the program and tested.
    fn read() -> Self {
        let mut rules = Self {
            categories: Vec::new(),
            detectors: Vec::new(),
            phrases: Vec::new(),
            starts: HashMap::new(),
            context: Context::default(),
            asked: Vec::new(),
            known: HashSet::new(),
            apart: HashSet::new(),
        };
        let mut places: HashMap<String, usize> = HashMap::new();
        for (name, text) in FILES {
            let file: File = toml::from_str(text).unwrap_or_else(|error| panic!("rules/detect/{name}: {error}"));
            for (name, text) in file.category {
                places.insert(name.clone(), rules.categories.len());
                let types = text.types.iter().map(|word| takes(word)).collect();
                rules.categories.push(Category {
                    name,
                    summary: text.summary,
                    class: text.class,
                    types,
                    letters: text.letters,
                });
            }
            for text in file.detector {
                let category = *places.get(&text.category).expect("a detector stands behind its category");
                rules.add(category, text);
            }
            rules.asked.extend(file.asked.into_iter().map(Asked::read));
            if let Some(text) = file.context {
                rules.context = Context::read(&text);
                rules.apart = set(&text.apart);
            }
        }
        let alone = |phrase: &&AskedPhrase| !phrase.whole && phrase.words.len() == 1;
        let persons = rules.asked.iter().filter(|asked| asked.persons).flat_map(|asked| &asked.phrases).filter(alone);
        rules.context.owner = persons.map(|phrase| phrase.words[0].clone()).collect();
        let context = &rules.context;
        for set in [&context.neutral, &context.veto, &context.ask, &context.person, &context.thing, &context.generic] {
            rules.known.extend(set.iter().cloned());
        }
        let asked = rules.asked.iter().flat_map(|asked| asked.phrases.iter().flat_map(|phrase| &phrase.words));
        rules.apart.extend(rules.known.iter().chain(asked).cloned());
        rules.apart.extend(DEEDS.iter().map(|deed| (*deed).to_owned()));
        rules
    }

    fn add(&mut self, category: usize, text: DetectorText) {
        let number = self.detectors.len();
        let not = text.not.iter().map(|phrase| (phrase.as_str(), None));
        let names = text.names.values().flatten().map(|phrase| (phrase.as_str(), Some(number)));
        for (phrase, detector) in names.chain(not) {
            self.phrase(phrase, detector);
        }
        let content = text.content.into_iter().map(|content| Content {
            needs: Needs::of(content.pattern.as_deref(), content.valid.as_deref(), content.zeros.is_some()),
            pattern: content.pattern.map(|pattern| regex::Regex::new(&pattern).expect("patterns of rules compile")),
            id: content.id,
            valid: content.valid,
            words: content.words,
            chance: content.chance,
            weight: content.weight,
            sure: content.sure,
            spread: content.spread,
            uncounted: content.uncounted,
            refutes: content.refutes,
            zeros: content.zeros,
            rare: content.rare,
            few: content.few,
            least: content.least,
            most: content.most,
            persons: content.persons,
        });
        let types = text.types.map(|types| types.iter().map(|word| takes(word)).collect());
        self.detectors.push(Detector {
            id: text.id,
            category,
            types: types.unwrap_or_else(|| self.categories[category].types.clone()),
            propose: text.propose.iter().map(proposal).collect(),
            content: content.collect(),
            tables: set(&text.tables),
            test: Test {
                examples: text.examples,
                counters: text.counters,
                values: text.values,
                no_values: text.no_values,
            },
        });
    }

    fn phrase(&mut self, text: &str, detector: Option<usize>) {
        let (text, whole) = text.strip_prefix('=').map_or((text, false), |text| (text, true));
        let (text, mark) = match (text.strip_suffix("??"), text.strip_suffix('?')) {
            (Some(text), _) => (text, Mark::Owned),
            (None, Some(text)) => (text, Mark::Likely),
            (None, None) => (text, Mark::Sure),
        };
        let words = token::split(text, true);
        let first = words.first().expect("a phrase has a word").clone();
        self.known.extend(words.iter().cloned());
        self.starts.entry(first).or_default().push(self.phrases.len());
        self.phrases.push(Phrase { words, detector, mark, whole });
    }
}

impl Asked {
    fn read(text: AskedText) -> Self {
        Self {
            id: text.id,
            types: text.types.iter().map(|word| takes(word)).collect(),
            phrases: text.names.iter().map(|phrase| AskedPhrase::read(phrase)).collect(),
            always: text.always,
            persons: text.persons,
            unless: set(&text.unless),
            unless_number: set(&text.unless_number),
            examples: text.examples,
            counters: text.counters,
        }
    }
}

impl AskedPhrase {
    fn read(text: &str) -> Self {
        let (text, whole) = text.strip_prefix('=').map_or((text, false), |text| (text, true));
        Self { words: token::split(text, true), whole }
    }
}

impl Context {
    fn read(text: &ContextText) -> Self {
        Self {
            neutral: set(&text.neutral),
            veto: set(&text.veto),
            ask: set(&text.ask),
            person: set(&text.person),
            owner: HashSet::new(),
            thing: set(&text.thing),
            catalog: set(&text.catalog),
            shell: set(&text.shell),
            generic: set(&text.generic),
            prefix: set(&text.prefix),
            time: set(&text.time),
            count: set(&text.count),
            numbered: set(&text.numbered),
            special: text.special.split_whitespace().map(str::to_owned).collect(),
        }
    }
}

/// The words of a list, as names are compared.
fn set(words: &str) -> HashSet<String> {
    token::split(words, true).into_iter().collect()
}

fn takes(word: &str) -> Takes {
    let all = Takes::ALL.iter().chain([&Takes::Opaque]);
    *all.clone().find(|takes| takes.name() == word).unwrap_or_else(|| panic!("rules name the type {word}"))
}

fn proposal(value: &toml::Value) -> Proposal {
    match value {
        toml::Value::Table(table) => {
            let params = table.iter().filter(|(key, _)| *key != "mask").map(|(key, value)| format!("{key} = {value}"));
            let kind = table.get("mask").and_then(toml::Value::as_str).expect("a proposal names a mask");
            Proposal { kind: kind.to_owned(), params: params.collect::<Vec<_>>().join(", ") }
        }
        other => Proposal {
            kind: other.as_str().expect("a proposal is a kind or a table").to_owned(),
            params: String::new(),
        },
    }
}
