//! Values of one column, as counts: which tests they pass, how many differ, how long they are.

use super::content::{self, Somebody, VALUE_BYTES_MAX};
use super::needs::Traits;
use super::paths::{self, Having, Leaves, Shown};
use super::rules::{Content, RULES};
use super::years::Years;
use super::{
    Category, Class, Detector, Documents, Evidence, Facts, Finding, Signal, by_detector, join, name, nested, prose,
};
use crate::mask::kind::Takes;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::sync::LazyLock;

/// Different values that are tested; more say nothing new.
const DISTINCT_MAX: usize = 400;
/// Words of a value that is a name or a code of something; more are a sentence.
const WORDS_MAX: usize = 5;
/// Different values among which persons are looked for, and the longest of them in bytes.
const FEW_MAX: usize = 60;
const SHORT_MAX: usize = 500;
/// Fewest different names of settings, and one in so many that may be written otherwise.
const IDENTIFIERS_MIN: u32 = 3;
const IDENTIFIERS_SHARE: u32 = 20;
/// Texts that are looked at for what they are written as, and one in so many that is no slip.
const FORMS_MAX: u32 = 2_000;
const FORMS_SHARE: u32 = 10;
/// Different paths of documents that are told apart.
const PATHS_MAX: usize = 200;
/// Fewest values before a name is not believed.
const REFUTES_MIN: u32 = 3;
/// Share of passing values below which the name is not believed, and what is left of its score then.
const REFUTED_BELOW: f64 = 0.1;
const REFUTED: f64 = 0.3;
/// What word lists and quasi-identifiers are worth in a table or under a name of things.
const OF_THING: f64 = 0.5;
/// z of a one-sided bound: patterns hardly pass by chance, checksums do.
const Z_PATTERN: f64 = 1.0;
const Z_CHECKSUM: f64 = 1.96;
/// How far above chance a few values have to be: many columns are looked at.
const FEW_DEVIATIONS: f64 = 5.0;
/// Different names in a column of things, some of which are called like persons.
const FEW_OF_THINGS: u32 = 5;
/// Digits a number begins with, by which those that are counted are told from those that people have: as many as leave four,
/// but of short ones seven, and no more than eight, as counters of millions begin differently then. The share of the values
/// that begin differently where they are not counted.
const HEAD_DIGITS: usize = 7;
const HEAD_DIGITS_MAX: usize = 8;
const TAIL_DIGITS: usize = 4;
const SPREAD_MIN: f64 = 0.5;
/// Numbers of digits alone that begin alike are counted from so many on, if so many begin alike.
const COUNTED_MIN: u32 = 20;
const COUNTED_ALIKE: u32 = 10;
/// Fewest different places; columns of places in one table, as there are more of measurements.
const PLACES_MIN: u32 = 10;
const PLACE_COLUMNS: std::ops::RangeInclusive<usize> = 2..=4;
/// Fewest digits of a number with a check digit.
const DIGITS_MIN: usize = 6;
/// Most digits of a number that is an amount, a rank or a word of a list: who is called by a number has a longer one.
const SMALL_DIGITS_MAX: usize = 3;
/// Most zeros that a number loses: those of one in a thousand, and of people born in January of 2000.
const ZEROS_MAX: usize = 3;
/// Fewest bytes of a value that is something beyond doubt: `a@b.de`.
const LATE_BYTES_MIN: usize = 6;

/// Longest value that is read as a date or a number.
const NUMBER_BYTES_MAX: usize = 40;
/// Longest value whose words are compared with those of other columns, in bytes, and fewest letters of a word.
const WORDS_BYTES_MAX: usize = 100;
const LETTERS_MIN: usize = 3;

/// One key for all columns, so that their words can be compared.
static WORDS: LazyLock<foldhash::quality::RandomState> = LazyLock::new(foldhash::quality::RandomState::default);

/// What was seen of a column. Bounded: counts, and hashes of at most 400 values a path and of their words, under keys of
/// this process.
pub struct Sample {
    takes: Takes,
    tests: Tests,
    values: Counts,
    /// Leaves of documents, by path; the keys in it are not to be shown.
    paths: BTreeMap<String, Leaf>,
    /// Values that were read as documents.
    documents: u64,
    /// Leaves at paths that are no longer told apart.
    others: Counts,
    hasher: foldhash::quality::RandomState,
    /// Texts, and those of them that are documents, by their form.
    texts: u32,
    forms: Vec<(Documents, u32)>,
    /// Values that were NULL, and all.
    pub nulls: u64,
    pub rows: u64,
}

/// The tests that a column of a type can pass.
struct Tests {
    /// Detector, and place in its content.
    all: Vec<(usize, usize)>,
    /// Places in `all` of those that values behind [`DISTINCT_MAX`] are tried with.
    late: Vec<usize>,
}

/// Hashes are keys as they are.
type Hashes = HashSet<u64, foldhash::fast::RandomState>;

/// Values at one path of documents.
struct Leaf {
    /// Of the last step.
    name: String,
    /// The documents that have it.
    documents: Having,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    seen: Hashes,
    /// Values behind those, that pass a test of which a few values are enough.
    late: Hashes,
    /// Hits by place in the list of tests; those of late values apart, because they are of no known number.
    hits: Vec<u32>,
    late_hits: Vec<u32>,
    letters: u32,
    /// Values of many words.
    sentences: u32,
    /// Values that name somebody, and those that may be a login.
    named: u32,
    logins: u32,
    /// Values with digits enough to have a right check digit by chance.
    numbers: u32,
    /// How values of digits alone begin, and how many there are.
    heads: HashSet<u32>,
    plain: u32,
    /// Dates, by year.
    years: Years,
    /// Halves of places, those that may be a latitude, and those that may be a share of 1.
    places: u32,
    latitudes: u32,
    shares: u32,
    /// Values written as names in a program are, and those of them that are of several words.
    identifiers: u32,
    joined: u32,
    /// Values of one sign, and numbers of few digits: they name nobody and open nothing.
    small: u32,
    /// Values that are yes or no, links, and codes of things.
    switches: u32,
    links: u32,
    codes: u32,
    /// The words of each short value.
    words: Vec<Box<[u64]>>,
}

/// Values of one category among others: as many as cannot be chance.
#[derive(Debug, Clone, Copy)]
pub struct Few {
    pub category: &'static Category,
    pub detector: &'static Detector,
    /// Different values that are such, of so many.
    pub hits: u32,
    pub of: u32,
    /// They are leaves of documents.
    pub inside: bool,
}

impl Counts {
    fn distinct(&self) -> u32 {
        self.seen.len() as u32
    }

    /// What is judged of several together. Which values passed a test is not known: of those that some of them share, as many
    /// as of all.
    fn joined(leaves: &[&Leaf]) -> Self {
        let all = || leaves.iter().map(|leaf| &leaf.counts);
        let seen: Hashes = all().flat_map(|counts| counts.seen.iter().copied()).collect();
        let (distinct, of) = (seen.len() as u64, all().map(|counts| u64::from(counts.distinct())).sum::<u64>().max(1));
        let share = |count: fn(&Self) -> u32| {
            (all().map(|counts| u64::from(count(counts))).sum::<u64>() * distinct).div_ceil(of) as u32
        };
        let mut hits = vec![0_u64; Tests::text().all.len()];
        for counts in all() {
            hits.iter_mut().zip(&counts.hits).for_each(|(sum, hits)| *sum += u64::from(*hits));
        }
        Self {
            hits: hits.into_iter().map(|sum| (sum * distinct).div_ceil(of) as u32).collect(),
            heads: all().flat_map(|counts| counts.heads.iter().copied()).collect(),
            letters: share(|counts| counts.letters),
            plain: share(|counts| counts.plain),
            links: share(|counts| counts.links),
            seen,
            ..Self::default()
        }
    }

    /// Whether the values are numbers that somebody counts: hardly any begins differently.
    fn are_counted(&self) -> bool {
        self.plain >= COUNTED_MIN
            && self.plain * 10 >= self.distinct() * 9
            && self.heads.len() as u32 * COUNTED_ALIKE <= self.plain
    }

    /// What so many passing values are worth, if the values are none that somebody counts.
    fn score(&self, content: &Content, hits: u32) -> f64 {
        let of = self.distinct();
        let spread = self.heads.len() as f64 >= SPREAD_MIN * f64::from(of);
        let alike = content.spread && !spread || content.uncounted && self.are_counted();
        if alike { 0.0 } else { score(content, hits, of) }
    }

    /// Whether nearly all values have the check digits or the form of numbers that stand for a person, whether or not that
    /// says that they are such: other numbers have them too.
    fn may_be_numbers_of_persons(&self, tests: &Tests) -> bool {
        tests.all.iter().zip(&self.hits).any(|((detector, place), hits)| {
            let detector = &RULES.detectors[*detector];
            let content = &detector.content[*place];
            let direct = RULES.categories[detector.category].class == Class::Direct;
            content.sure && direct && self.score(content, *hits) > 0.0
        })
    }

    /// Looks at a value behind those that are tested: only for what a few are enough of, whatever the others are.
    ///
    /// Memory is bounded by the values that pass, not by those that are looked at; so is what they cost, as most values lack
    /// what the tests need: a nanosecond per byte, and 50 ns for all tests together, by estimate.
    fn see_late(&mut self, tests: &Tests, hash: u64, value: &str) {
        if self.late.len() >= DISTINCT_MAX {
            return;
        }
        let traits = Traits::of(value);
        let number = traits.digits >= DIGITS_MIN;
        let known = |counts: &Self| counts.seen.contains(&hash) || counts.late.contains(&hash);
        // Too many rather than too few: what repeats counts again, and chance makes less of it.
        if number && !known(self) {
            self.numbers += 1;
        }
        // Words of a status are shorter than anything that is tested for.
        if value.len() < LATE_BYTES_MIN {
            return;
        }
        let mut passed = false;
        for place in &tests.late {
            let content = tests.content(*place);
            // What chance can make is made of digits.
            let may = number || content.few.is_some_and(|share| share == 0.0);
            if may && content.needs.has(&traits, value) && passes(content, value) && (passed || !known(self)) {
                self.late_hits.resize(tests.all.len(), 0);
                self.late_hits[*place] += 1;
                passed = true;
            }
        }
        if passed {
            self.late.insert(hash);
        }
    }
}

impl Tests {
    fn of(takes: Takes) -> Self {
        let detectors = RULES.detectors.iter().enumerate().filter(|(number, _)| super::allowed(*number, takes));
        let all =
            detectors.flat_map(|(number, detector)| (0..detector.content.len()).map(move |place| (number, place)));
        let numbers = matches!(takes, Takes::Integer | Takes::Numeric);
        let all = all.filter(|(number, place)| numbers || RULES.detectors[*number].content[*place].zeros.is_none());
        let mut tests = Self { all: all.collect(), late: Vec::new() };
        let late = |place: &usize| tests.content(*place).few.is_some() && !tests.content(*place).most;
        tests.late = (0..tests.all.len()).filter(late).collect();
        tests
    }

    /// Those of text.
    fn text() -> &'static Self {
        static TESTS: LazyLock<Tests> = LazyLock::new(|| Tests::of(Takes::Text));
        &TESTS
    }

    fn content(&self, place: usize) -> &'static Content {
        let (detector, place) = self.all[place];
        &RULES.detectors[detector].content[place]
    }
}

/// Whether a value has digits enough to have a right check digit by chance.
fn is_number(value: &str) -> bool {
    value.bytes().filter(u8::is_ascii_digit).nth(DIGITS_MIN - 1).is_some()
}

impl Sample {
    /// An empty sample of a column of this type.
    pub fn new(facts: &Facts<'_>) -> Self {
        let tests = Tests::of(facts.takes);
        Self {
            takes: facts.takes,
            values: Counts { hits: vec![0; tests.all.len()], ..Counts::default() },
            tests,
            paths: BTreeMap::new(),
            documents: 0,
            others: Counts { hits: vec![0; Tests::text().all.len()], ..Counts::default() },
            hasher: foldhash::quality::RandomState::default(),
            texts: 0,
            forms: Vec::new(),
            nulls: 0,
            rows: 0,
        }
    }

    /// Takes a value as text: containers (arrays, composites, hstore) as JSON.
    pub fn push(&mut self, value: Option<&str>) {
        self.rows += 1;
        let Some(value) = value else {
            self.nulls += 1;
            return;
        };
        if self.takes == Takes::Text && self.texts < FORMS_MAX && !value.is_empty() {
            self.push_form(value);
        }
        if may_nest(self.takes) && self.push_document(value) {
            return;
        }
        test(&self.tests, &self.hasher, value, &mut self.values);
    }

    fn push_form(&mut self, value: &str) {
        self.texts += 1;
        let Some(form) = nested::form(&value[..value.floor_char_boundary(VALUE_BYTES_MAX)]) else { return };
        match self.forms.iter_mut().find(|(known, _)| *known == form) {
            Some((_, count)) => *count += 1,
            None => self.forms.push((form, 1)),
        }
    }

    /// What the texts are written as, if it is more than words. A few documents of names and values are enough, as a mask for
    /// prose leaves what stands in them; prose in tags is prose.
    pub fn documents(&self) -> Option<Documents> {
        let count =
            |form: Documents| self.forms.iter().find(|(known, _)| *known == form).map_or(0, |(_, count)| *count);
        let some = |form: &Documents| count(*form) > 0 && count(*form) * FORMS_SHARE >= self.texts;
        let html = || Some(Documents::Html).filter(|form| count(*form) * 2 >= self.texts && count(*form) > 0);
        [Documents::Fields, Documents::Json, Documents::Xml].into_iter().find(some).or_else(html)
    }

    /// Counts the leaves of a document by path.
    fn push_document(&mut self, text: &str) -> bool {
        let (paths, others, hasher) = (&mut self.paths, &mut self.others, &self.hasher);
        let (tests, document) = (Tests::text(), self.documents);
        let read = nested::leaves(text, &mut |path, name, value| {
            if let Some(leaf) = paths.get_mut(path) {
                leaf.documents.add(document);
                test(tests, hasher, value, &mut leaf.counts);
            } else if paths.len() >= if path.contains(".*") { PATHS_MAX / 2 } else { PATHS_MAX } {
                // Keys of a map leave room for names of fields.
                test(tests, hasher, value, others);
            } else {
                let mut documents = Having::default();
                documents.add(document);
                let mut counts = Counts { hits: vec![0; tests.all.len()], ..Counts::default() };
                test(tests, hasher, value, &mut counts);
                paths.insert(path.to_owned(), Leaf { name: name.to_owned(), documents, counts });
            }
        });
        self.documents += u64::from(read);
        read
    }

    /// Different values that were tested, leaves of documents and arrays among them.
    pub fn distinct(&self) -> u32 {
        self.counts().map(Counts::distinct).sum()
    }

    /// Those of many words.
    pub fn sentences(&self) -> u32 {
        self.counts().map(|counts| counts.sentences).sum()
    }

    /// Whether values speak of persons, too few of them to say what the column holds.
    pub fn names_somebody(&self) -> bool {
        let (named, logins) = self.counts().fold((0, 0), |sum, one| (sum.0 + one.named, sum.1 + one.logins));
        // Words that look like a login turn up by chance; half of a column does not.
        named > 0 || logins >= 2 && logins * 2 >= self.distinct()
    }

    /// Whether no value can be what a column is called after that says little ([`super::is_asked`]): switches and small numbers.
    pub fn are_harmless(&self) -> bool {
        self.counts().all(|counts| counts.small + counts.switches == counts.distinct())
    }

    /// Whether values may be a person's, without saying so for sure: dates that lie as those of birth, numbers that are
    /// dialed or have the check digit of those of persons, and words for what must not be known about somebody. Whoever knows
    /// the column is asked.
    pub fn may_be_of_person(&self, facts: &Facts<'_>) -> bool {
        // Films and laws are as old as people.
        let births = !name::of_thing(facts) && {
            let counts = &self.values;
            counts.years.are_births(counts.distinct(), name::of_persons(facts.table))
        };
        // Those of books have the check digit of those of patients.
        let numbers = !name::of_book(facts) && self.values.may_be_numbers_of_persons(&self.tests);
        births || numbers || self.few(facts).iter().any(|few| few.category.class == Class::Sensitive)
    }

    /// Whether most values may be one half of a place: see [`hold_places`].
    pub fn may_be_place(&self) -> bool {
        let counts = &self.values;
        let number = matches!(self.takes, Takes::Float | Takes::Numeric | Takes::Text);
        // A float leaves off zeros at its end, so some have fewer decimal places.
        number && counts.distinct() >= PLACES_MIN && counts.places * 10 >= counts.distinct() * 8
    }

    /// Whether values are written as names in a program are, most of them of several words: `web.base.url`.
    pub fn are_identifiers(&self) -> bool {
        let counts = &self.values;
        let most = counts.identifiers * IDENTIFIERS_SHARE >= counts.distinct() * (IDENTIFIERS_SHARE - 1);
        most && counts.distinct() >= IDENTIFIERS_MIN && counts.joined * 2 >= counts.distinct()
    }

    /// Whether the column is called after the number of a thing, and all values are such: `RE-2024/0815`.
    pub fn number_things(&self, facts: &Facts<'_>) -> bool {
        let counts = &self.values;
        name::numbers_things(facts) && counts.distinct() > 0 && counts.codes == counts.distinct()
    }

    /// What some values are beyond doubt, whatever the others are: addresses, numbers with check digits, keys, and full names
    /// where most values are such. Of what hardly anything else is written as, one is enough. Things are called like persons: of names
    /// in a column of theirs it takes more.
    pub fn few(&self, facts: &Facts<'_>) -> Vec<Few> {
        let (thing, persons) = (name::of_thing(facts), name::of_persons(facts.table));
        let columns = [(false, &self.tests, &self.values)].into_iter();
        let leaves = self.paths.values().map(|leaf| &leaf.counts).chain([&self.others]);
        let all = columns.chain(leaves.map(|counts| (true, Tests::text(), counts)));
        let mut found = Vec::new();
        for (inside, tests, counts) in all {
            let late = counts.late_hits.iter().copied().chain(std::iter::repeat(0));
            for (((number, place), hits), late) in tests.all.iter().zip(&counts.hits).zip(late) {
                let hits = hits + late;
                let detector = &RULES.detectors[*number];
                let content = &detector.content[*place];
                if (persons || !content.persons) && is_some(content, hits, counts, thing) {
                    let category = &RULES.categories[detector.category];
                    let of = counts.distinct() + counts.late.len() as u32;
                    found.push(Few { category, detector, hits, of, inside });
                }
            }
        }
        found
    }

    /// Hashes of the words of each different short value, whatever their case; words of schemas (`open`) are none. Equal
    /// words of two samples have equal hashes.
    pub fn words(&self) -> impl Iterator<Item = &[u64]> {
        self.counts().flat_map(|counts| counts.words.iter().map(|words| &**words))
    }

    fn counts(&self) -> impl Iterator<Item = &Counts> {
        [&self.values].into_iter().chain(self.paths.values().map(|leaf| &leaf.counts))
    }

    /// Judges name, type and values together; best first.
    pub fn findings(&self, facts: &Facts<'_>) -> Vec<Finding> {
        let mut findings = judge(facts, &self.tests, &self.values);
        // The values of an array are its elements: what these refute, the name of the column does not hold.
        if let (0, 1, Some(leaf)) = (self.values.distinct(), self.paths.len(), self.paths.get("$[*]")) {
            let elements = &leaf.counts;
            let said = judge(facts, Tests::text(), elements);
            let refuted = |known: &Finding| {
                !said.iter().any(|finding| finding.found() && finding.category.name == known.category.name)
            };
            findings.retain(|known| !known.found() || elements.distinct() < REFUTES_MIN || !refuted(known));
        }
        for (_, finding) in self.leaf_findings(facts).0 {
            let evidence = Evidence {
                signal: Signal::Path,
                test: finding.category.name.clone(),
                score: finding.score,
                hits: 0,
                of: 0,
            };
            match findings.iter_mut().find(|known| known.category.name == finding.category.name) {
                Some(known) if known.score >= finding.score => known.evidence.push(evidence),
                Some(known) => *known = Finding { evidence: vec![evidence], ..finding },
                None => findings.push(Finding { evidence: vec![evidence], ..finding }),
            }
        }
        findings.sort_by(|a, b| b.score.total_cmp(&a.score));
        findings
    }

    /// What the leaves of documents hold: path and finding, by path; only what is found. Keys are shown as `paths::shown` says;
    /// what stands at keys that are not, among others that are, is left out. Beside them the paths of the objects whose keys
    /// may be persons.
    pub fn path_findings(&self, facts: &Facts<'_>) -> (Vec<(String, Finding)>, BTreeSet<String>) {
        let (found, persons) = self.leaf_findings(facts);
        let shown = found.into_iter().filter(|(shown, _)| !shown.rare);
        (shown.map(|(shown, finding)| (shown.path, finding)).collect(), persons)
    }

    /// Whether all keys of documents look like names of fields, and none like somebody's.
    pub fn has_fields_only(&self) -> bool {
        self.others.distinct() == 0 && self.paths.keys().all(|path| paths::are_fields(path))
    }

    fn shown(&self) -> (Vec<Shown>, BTreeSet<String>) {
        let all = self.paths.iter();
        paths::shown(all.map(|(path, leaf)| {
            let (documents, text) = (leaf.documents, leaf.counts.letters > 0);
            Leaves { path, documents, text }
        }))
    }

    /// Leaves at keys of a map are judged together, and else each by its own name. Beside what is found the paths of maps of
    /// persons.
    fn leaf_findings(&self, facts: &Facts<'_>) -> (Vec<(Shown, Finding)>, BTreeSet<String>) {
        let (shown, persons) = self.shown();
        let mut groups: BTreeMap<Shown, Vec<&Leaf>> = BTreeMap::new();
        for (shown, leaf) in shown.into_iter().zip(self.paths.values()) {
            // `notification_emails.follow = true` says whether, and holds no address.
            if leaf.counts.distinct() == 0 || leaf.counts.switches < leaf.counts.distinct() {
                groups.entry(shown).or_default().push(leaf);
            }
        }
        let mut found = Vec::new();
        for (shown, leaves) in groups {
            let single = || leaves.iter().filter_map(|leaf| found_in(facts, &leaf.name, &leaf.counts));
            if shown.rare || leaves.len() == 1 {
                found.extend(single().map(|finding| (shown.clone(), finding)));
                continue;
            }
            let name = leaves[0].name.as_str();
            let name = if leaves.iter().all(|leaf| leaf.name == name) { name } else { "" };
            let together = found_in(facts, name, &Counts::joined(&leaves));
            found.extend(together.or_else(|| single().next()).map(|finding| (shown, finding)));
        }
        (found, persons)
    }
}

/// What leaves of this name hold. An element of an array column has no name of its own, and leaves at keys of a map have
/// several.
fn found_in(facts: &Facts<'_>, name: &str, counts: &Counts) -> Option<Finding> {
    let (column, affix) = if name.is_empty() { (facts.column, facts.affix) } else { (name, None) };
    let inner = Facts { column, takes: Takes::Text, domain: None, affix, ..*facts };
    judge(&inner, Tests::text(), counts).into_iter().find(Finding::found)
}

/// Whether columns of one table may be latitudes and longitudes, whatever they are called: two to four of numbers with four
/// decimal places, of which half may be latitudes, and not all are shares of 1.
pub fn hold_places(columns: &[Sample]) -> bool {
    let places: Vec<&Counts> = columns.iter().filter(|one| one.may_be_place()).map(|one| &one.values).collect();
    let latitudes = places.iter().filter(|counts| counts.latitudes == counts.places).count();
    PLACE_COLUMNS.contains(&places.len())
        && latitudes * 2 >= places.len()
        && places.iter().any(|counts| counts.shares * 2 < counts.places)
}

/// Whether values can be documents.
fn may_nest(takes: Takes) -> bool {
    matches!(takes, Takes::Json | Takes::Xml | Takes::Composite | Takes::Hstore | Takes::Text | Takes::Opaque)
}

/// Runs the tests on a value that was not seen before; on one behind [`DISTINCT_MAX`] those of which a few values are enough.
fn test(tests: &Tests, hasher: &foldhash::quality::RandomState, value: &str, counts: &mut Counts) {
    let value = value.trim();
    let (hash, shown) = (hasher.hash_one(value), &value[..value.floor_char_boundary(VALUE_BYTES_MAX)]);
    if counts.seen.len() >= DISTINCT_MAX {
        counts.see_late(tests, hash, shown);
        return;
    }
    if value.is_empty() || !counts.seen.insert(hash) {
        return;
    }
    let value = shown;
    let few_digits = value.len() <= SMALL_DIGITS_MAX && value.bytes().all(|byte| byte.is_ascii_digit());
    counts.small += u32::from(few_digits || value.chars().nth(1).is_none());
    counts.switches += u32::from(matches!(value, "true" | "false"));
    counts.links += u32::from(value.contains("://"));
    counts.codes += u32::from(content::is_code(value));
    if content::is_identifier(value) {
        counts.identifiers += 1;
        counts.joined += u32::from(value.contains(['_', '.', '-']));
    }
    if value.len() <= WORDS_BYTES_MAX {
        counts.words.push(hashes(value));
    }
    counts.letters += u32::from(value.chars().any(char::is_alphabetic));
    counts.numbers += u32::from(is_number(value));
    if value.len() > HEAD_DIGITS && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let digits = (value.len() - TAIL_DIGITS).clamp(HEAD_DIGITS, HEAD_DIGITS_MAX);
        counts.heads.extend(value[..digits].parse::<u32>().ok());
        counts.plain += 1;
    }
    if value.len() <= NUMBER_BYTES_MAX && value.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        counts.years.push(value);
        if let Some(place) = content::place(value) {
            counts.places += 1;
            counts.latitudes += u32::from(place.latitude);
            counts.shares += u32::from(place.share);
        }
    }
    counts.sentences += u32::from(value.split_whitespace().nth(WORDS_MAX).is_some());
    // Only lists of words are asked for persons, and these are short.
    if counts.seen.len() <= FEW_MAX && value.len() <= SHORT_MAX && counts.letters > 0 {
        match content::somebody(value) {
            Somebody::Named => counts.named += 1,
            Somebody::Login => counts.logins += 1,
            Somebody::No => {}
        }
    }
    for ((detector, place), hits) in tests.all.iter().zip(&mut counts.hits) {
        *hits += u32::from(passes(&RULES.detectors[*detector].content[*place], value));
    }
}

/// The words of a value, as hashes.
fn hashes(value: &str) -> Box<[u64]> {
    let words = value.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().nth(LETTERS_MIN - 1).is_some());
    words.map(str::to_lowercase).filter(|word| !prose::is_word(word)).map(|word| WORDS.hash_one(word)).collect()
}

pub(super) fn passes(content: &Content, value: &str) -> bool {
    let short = |digits: &usize| {
        (digits.saturating_sub(ZEROS_MAX)..*digits).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_digit())
    };
    let filled = content.zeros.filter(short).map(|digits| format!("{value:0>digits$}"));
    let value = filled.as_deref().unwrap_or(value);
    content.pattern.as_ref().is_none_or(|pattern| pattern.is_match(value))
        && content.words.as_ref().is_none_or(|list| content::is_listed(list, value))
        && content.valid.as_ref().is_none_or(|test| content::is_valid(test, value))
}

/// Joins what the name says with what the values say.
fn judge(facts: &Facts<'_>, tests: &Tests, counts: &Counts) -> Vec<Finding> {
    let mut said = by_detector(facts);
    let of = counts.distinct();
    let thing = name::of_thing(facts);
    let mut all: HashMap<usize, Vec<Evidence>> = HashMap::new();
    // By detector: hits of its tests together, and whether they can speak against it.
    let mut passing: HashMap<usize, (u32, bool)> = HashMap::new();
    for ((detector, place), hits) in tests.all.iter().zip(&counts.hits) {
        let content = &RULES.detectors[*detector].content[*place];
        if content.weight == 0.0 {
            continue;
        }
        let entry = passing.entry(*detector).or_default();
        *entry = (entry.0 + hits, entry.1 || content.refutes);
        let mut score = counts.score(content, *hits);
        let class = RULES.categories[RULES.detectors[*detector].category].class;
        // Colors are called like people, and every table of countries holds countries.
        if thing && !said.contains_key(detector) && (content.words.is_some() || class == Class::Quasi) {
            score *= OF_THING;
        }
        if score > 0.0 {
            let signal = if content.words.is_some() { Signal::Words } else { Signal::Content };
            let evidence = Evidence { signal, test: content.id.clone(), score, hits: *hits, of };
            let list = all.entry(*detector).or_default();
            // Tests of one detector see the same values: only the best counts.
            match list.first_mut() {
                Some(best) if best.score >= score => {}
                Some(best) => *best = evidence,
                None => list.push(evidence),
            }
        }
    }
    for (detector, evidence) in &mut said {
        let refuted = passing.get(detector).is_some_and(|(hits, refutes)| {
            *refutes && of >= REFUTES_MIN && f64::from(*hits) < REFUTED_BELOW * f64::from(of)
        });
        let letters = RULES.categories[RULES.detectors[*detector].category].letters;
        let mute = letters && of >= REFUTES_MIN && f64::from(counts.letters) < REFUTED_BELOW * f64::from(of);
        // Nobody is called like an address of the web.
        let name = RULES.categories[RULES.detectors[*detector].category].name.ends_with("_name");
        let linked = name && of >= REFUTES_MIN && counts.links * 10 >= of * 9;
        if refuted || mute || linked {
            evidence.score *= REFUTED;
        }
    }
    for (detector, evidence) in said {
        all.entry(detector).or_default().insert(0, evidence);
    }
    join(facts, all)
}

/// What so many passing values are worth.
fn score(content: &Content, hits: u32, of: u32) -> f64 {
    if hits == 0 || of == 0 {
        return 0.0;
    }
    if content.rare {
        let share = f64::from(hits) / f64::from(of);
        return content.weight * (0.65 + 0.35 * (share * 5.0).min(1.0));
    }
    let ramp = |low: f64, from: f64, to: f64| ((low - from) / (to - from)).clamp(0.0, 1.0);
    let strength = if content.sure {
        let low = wilson(hits, of, Z_CHECKSUM);
        // Of ten random numbers one has a right check digit: the bound has to be far above that.
        let least = if content.chance > 0.02 { 0.5 } else { 0.15 };
        if low < f64::max(least, content.chance * 5.0) { 0.0 } else { ramp(low, content.chance, 0.5) }
    } else if content.words.is_some() {
        ramp(wilson(hits, of, Z_PATTERN), 0.2, 0.6)
    } else {
        ramp(wilson(hits, of, Z_PATTERN), 0.05, 0.6)
    };
    content.weight * strength
}

/// Whether so many hits of a test are enough among values that are something else. `thing`: those of things.
fn is_some(content: &Content, hits: u32, counts: &Counts, thing: bool) -> bool {
    let Some(share) = content.few else { return false };
    let least = if thing && content.most { FEW_OF_THINGS } else { content.least };
    if hits < least || content.most && hits * 2 <= counts.distinct() {
        return false;
    }
    // As many random values of its form would pass, and some more.
    let others = if content.most { counts.distinct() } else { counts.numbers };
    let chance = share * f64::from(others);
    let no_other = content.least == 1 && hits == counts.numbers;
    no_other || f64::from(hits) > chance + FEW_DEVIATIONS * chance.sqrt()
}

/// Lower bound of the share that `hits` of `of` stand for (Wilson, 1927).
pub(super) fn wilson(hits: u32, of: u32, z: f64) -> f64 {
    let (k, n) = (f64::from(hits), f64::from(of));
    let share = k / n;
    let z2 = z * z;
    let middle = share + z2 / (2.0 * n);
    let spread = z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    (middle - spread) / (1.0 + z2 / n)
}
