//! What the name of a column suggests, with its type and its table.

use super::rules::{Mark, RULES, Rules};
use super::token::{self, Words};
use super::{Class, Evidence, Facts, Signal};
use crate::mask::kind::Takes;
use std::collections::{HashMap, HashSet};

const SURE: f64 = 0.95;
const LIKELY: f64 = 0.70;
/// A phrase that is one's own, where a person owns it, and where nobody knows.
const OWNED: f64 = 0.80;
const OWNER_UNKNOWN: f64 = 0.30;
/// Each unknown word behind a phrase makes it less certain.
const UNKNOWN_BEHIND: f64 = 0.75;
/// Another finding behind it: `phone_city` is a city.
const OTHER_BEHIND: f64 = 0.45;
/// A name read together with that of the table, or from the name of the type.
const FROM_TABLE: f64 = 0.80;
const FROM_TYPE: f64 = 0.90;
/// Shortest word that two of a name may make together: `post_code` is a `postcode`.
const JOINED_MIN: usize = 4;

/// A phrase in a name.
#[derive(Clone, Copy)]
struct Match {
    start: usize,
    end: usize,
    phrase: usize,
}

/// Evidence by detector; one entry per detector, the best.
pub(super) fn evidence(facts: &Facts<'_>) -> HashMap<usize, Evidence> {
    let mut found: HashMap<usize, Evidence> = HashMap::new();
    let umlauts = |text: &str| text.contains(['ä', 'ö', 'ü', 'Ä', 'Ö', 'Ü']);
    let both = umlauts(facts.column) || umlauts(facts.table);
    for german in [true, false].into_iter().take(if both { 2 } else { 1 }) {
        let table = Table::read(facts.table, german);
        Reading { facts, table: &table, rules: &RULES }.read(german, &mut found);
    }
    found
}

/// The name of a table, and whose rows it holds.
struct Table {
    words: Words,
    owner: Owner,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Person,
    Thing,
    Unknown,
}

impl Table {
    fn read(name: &str, german: bool) -> Self {
        let mut words = token::unglue(token::split(name, german), &RULES.apart);
        let shell = |word: &String| RULES.context.shell.contains(word) || is_number(word);
        while words.len() > 1 && words.last().is_some_and(shell) {
            words.pop();
        }
        while words.len() > 1 && words.first().is_some_and(shell) {
            words.remove(0);
        }
        let owner = words.last().map_or(Owner::Unknown, |head| owner(head));
        // `client_address_book`: persons somewhere, and nothing known at the end.
        let somewhere = owner == Owner::Unknown && words.iter().any(|word| RULES.context.person.contains(word));
        Self { words, owner: if somewhere { Owner::Person } else { owner } }
    }
}

fn owner(word: &str) -> Owner {
    if RULES.context.person.contains(word) || RULES.context.owner.contains(word) {
        Owner::Person
    } else if RULES.context.thing.contains(word) {
        Owner::Thing
    } else {
        Owner::Unknown
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Short for a version, whose four numbers are no address; no word of the rules, as many words begin so.
const VERSIONS: &[&str] = &["ver", "vers"];

/// Whether a column belongs to a thing: its table is one of things, or a word of its name is.
pub(super) fn of_thing(facts: &Facts<'_>) -> bool {
    let words = token::unglue(token::split(facts.column, true), &RULES.apart);
    let named = words.iter().any(|word| owner(word) == Owner::Thing || VERSIONS.contains(&word.as_str()));
    named || Table::read(facts.table, true).owner == Owner::Thing
}

/// Books, in the name of a column or a table.
const BOOKS: &[&str] = &[
    "isbn", "issn", "ean", "gtin", "book", "buch", "buecher", "livre", "libro", "libri", "livro", "boek", "ksiazka",
    "bok",
];

/// Whether a column, or its table, is called after books and what is numbered like them.
pub(super) fn of_book(facts: &Facts<'_>) -> bool {
    let listed = |word: &String| BOOKS.contains(&word.as_str());
    [facts.column, facts.table].iter().any(|name| token::split(name, true).iter().any(listed))
}

/// Whether a table is called after persons.
pub(super) fn of_persons(table: &str) -> bool {
    Table::read(table, true).owner == Owner::Person
}

/// Whether a column, or its table, is called by a word for what must not be known about a person.
pub(super) fn is_special(facts: &Facts<'_>) -> bool {
    is_called_special(facts) || has_special(facts.table)
}

/// Whether a column is called by such a word.
pub(super) fn is_called_special(facts: &Facts<'_>) -> bool {
    has_special(facts.column)
}

fn has_special(name: &str) -> bool {
    let begins = |word: &String| RULES.context.special.iter().any(|special| word.starts_with(special.as_str()));
    token::split(name, true).iter().any(begins)
}

/// Whether a column is called by what may open something, or by somebody, with nothing behind that makes it something else.
pub(super) fn is_asked(facts: &Facts<'_>) -> bool {
    let split = token::split(facts.column, true);
    let rest = facts.affix.and_then(|affix| affix.cut(&split)).map(<[String]>::to_vec);
    [Some(split), rest]
        .into_iter()
        .flatten()
        .any(|words| ends_in_asked(&token::unglue(words, &RULES.apart), facts.takes))
}

/// Whether words end in what somebody is asked about, and none before it makes it something else.
fn ends_in_asked(words: &Words, takes: Takes) -> bool {
    let context = &RULES.context;
    let nothing = |word: &String| context.neutral.contains(word) || is_number(word);
    let ends = |start: usize, phrase: &Words| {
        let behind = fits(&words[start..], phrase).map(|taken| &words[start + taken..]);
        behind.is_some_and(|behind| behind.iter().all(nothing))
    };
    let number = matches!(takes, Takes::Integer | Takes::Numeric);
    RULES.asked.iter().filter(|asked| asked.types.contains(&takes)).any(|asked| {
        let other = |word: &String| {
            let question = !asked.always && context.ask.contains(word);
            question || asked.unless.contains(word) || number && asked.unless_number.contains(word)
        };
        let mut starts = (0..words.len()).take_while(|start| !words[..*start].iter().any(other));
        let phrases = |start| asked.phrases.iter().filter(move |phrase| start == 0 || !phrase.whole);
        starts.any(|start| phrases(start).any(|phrase| ends(start, &phrase.words)))
    })
}

/// Values, and the types that columns are called after where the row says what its value is: `num_val`, `value_numeric`.
const VALUES: &[&str] = &["value", "val", "wert", "valeur", "valor", "valore", "waarde"];
const TYPES: &[&str] = &[
    "num", "number", "numeric", "int", "integer", "float", "double", "dec", "decimal", "dt", "date", "datetime",
    "bool", "boolean", "str", "string", "txt", "text", "char", "varchar", "old", "new", "zahl", "datum",
];

/// Whether a column is called after a value and its type alone.
pub(super) fn is_any_value(facts: &Facts<'_>) -> bool {
    let words = token::split(facts.column, true);
    let listed = |list: &[&str], word: &String| list.contains(&word.as_str());
    words.len() > 1
        && words.iter().any(|word| listed(VALUES, word))
        && words.iter().all(|word| listed(VALUES, word) || listed(TYPES, word))
}

/// Whether name and type say by themselves that a program notes or counts something: values say no more.
pub(super) fn is_of_program(facts: &Facts<'_>) -> bool {
    let words = token::unglue(token::split(facts.column, true), &RULES.apart);
    let last = |list: &HashSet<String>| words.last().is_some_and(|word| list.contains(word));
    match facts.takes {
        Takes::Bool => true,
        Takes::Timestamp | Takes::Date => {
            last(&RULES.context.time) || words.iter().any(|word| DEEDS.contains(&word.as_str()))
        }
        Takes::Integer => last(&RULES.context.count),
        _ => false,
    }
}

/// Whether a column is called after the number of a thing: `invoice_no`, `ordnumber`.
pub(super) fn numbers_things(facts: &Facts<'_>) -> bool {
    const NUMBERS: &[&str] = &["number", "num", "no", "nr", "nummer", "numero", "numer"];
    let words = token::split(facts.column, true);
    let Some((last, before)) = words.split_last() else { return false };
    let thing = |word: &str| RULES.context.numbered.contains(word);
    match before.last() {
        Some(word) if NUMBERS.contains(&last.as_str()) => thing(word),
        // `rechnungsnummer`
        _ => {
            NUMBERS.iter().filter_map(|number| last.strip_suffix(number)).any(|word| thing(word.trim_end_matches('s')))
        }
    }
}

/// Names of what somebody may have been paid, which products and cards have as well.
const PAID: &[&str] = &["bonus"];

/// Whether a column is called by a word that means pay in some tables, and by no other.
pub(super) fn may_be_pay(facts: &Facts<'_>) -> bool {
    matches!(&token::split(facts.column, true)[..], [only] if PAID.contains(&only.as_str()))
}

/// Words for what somebody does, before `by`, and for somebody.
pub(super) const DEEDS: &[&str] = &[
    "created",
    "updated",
    "modified",
    "changed",
    "edited",
    "added",
    "approved",
    "assigned",
    "requested",
    "reviewed",
    "verified",
    "signed",
    "closed",
    "opened",
    "deleted",
    "removed",
    "submitted",
    "entered",
    "recorded",
    "uploaded",
    "reported",
    "resolved",
    "confirmed",
    "cancelled",
    "canceled",
    "invited",
    "published",
    "written",
    "handled",
    "processed",
    "checked",
    "completed",
    "owned",
    "issued",
    "prepared",
    "inserted",
    "authored",
    "performed",
    "managed",
    "rejected",
    "sold",
    "booked",
    "ordered",
    "erstellt",
    "geaendert",
    "angelegt",
    "bearbeitet",
    "freigegeben",
    "geprueft",
    "cree",
    "modifie",
    "creado",
    "modificado",
];
const ACTORS: &[&str] = &[
    "owner",
    "assignee",
    "author",
    "creator",
    "reviewer",
    "approver",
    "requester",
    "requestor",
    "reporter",
    "editor",
    "operator",
    "handler",
    "modifier",
    "signer",
    "submitter",
    "salesperson",
    "supervisor",
    "besitzer",
    "bearbeiter",
    "ersteller",
    "verantwortlicher",
    "responsable",
    "auteur",
    "autor",
    "beneficiary",
    "kin",
    "lawyer",
    "attorney",
    "zustaendig",
    "zustaendiger",
    "gutachter",
    "sachbearbeiter",
    "anwalt",
    "betreuer",
];

/// Whether a column is called after somebody who did or owns something.
pub(super) fn of_actor(column: &str) -> bool {
    let words = token::unglue(token::split(column, true), &RULES.apart);
    let listed = |list: &[&str], word: &String| list.contains(&word.as_str());
    match &words[..] {
        [.., deed, by] if matches!(by.as_str(), "by" | "von" | "par" | "por") => listed(DEEDS, deed),
        [.., deed, to] if deed == "assigned" && to == "to" => true,
        [.., deed, with] if matches!(deed.as_str(), "swap" | "swapped") && with == "with" => true,
        [.., actor, name] if name == "name" => listed(ACTORS, actor),
        [.., actor] => listed(ACTORS, actor),
        [] => false,
    }
}

/// Whether a table is a catalog of things, and no word of its columns is a person's.
pub(super) fn of_things<'a>(table: &str, mut columns: impl Iterator<Item = &'a str>) -> bool {
    let person = |column: &str| {
        let words = token::unglue(token::split(column, true), &RULES.apart);
        words.iter().any(|word| owner(word) == Owner::Person)
    };
    let table = Table::read(table, true);
    table.words.last().is_some_and(|head| RULES.context.catalog.contains(head)) && !columns.any(person)
}

struct Reading<'a> {
    facts: &'a Facts<'a>,
    table: &'a Table,
    rules: &'a Rules,
}

impl Reading<'_> {
    fn read(&self, german: bool, found: &mut HashMap<usize, Evidence>) {
        for words in self.readings(german) {
            let alone = self.matches(&words);
            for hit in &alone {
                self.judge(&words, hit, &alone, 0, 1.0, Signal::Name, found);
            }
            self.with_table(&words, found);
        }
        if let Some(domain) = self.facts.domain {
            let words = token::unglue(token::split(domain, german), &self.rules.apart);
            let named = self.matches(&words);
            for hit in &named {
                self.judge(&words, hit, &named, 0, FROM_TYPE, Signal::Type, found);
            }
        }
    }

    /// The words of the column, and those without what all columns of its table have: what either says counts. Where that is
    /// short and may mean anything, it counts only if a phrase goes on behind it.
    fn readings(&self, german: bool) -> Vec<Words> {
        let split = token::split(self.facts.column, german);
        let rest = self.facts.affix.and_then(|affix| Some((affix, affix.cut(&split)?.to_vec())));
        let whole = token::unglue(split, &self.rules.apart);
        let Some((affix, rest)) = rest else { return vec![whole] };
        let rest = token::unglue(rest, &self.rules.apart);
        let border = if affix.is_first() { whole.len() - rest.len() } else { rest.len() };
        let spans = |hit: &Match| hit.start < border && border < hit.end;
        if affix.may_mean_anything() && !self.matches(&whole).iter().any(spans) {
            return vec![rest];
        }
        vec![whole, rest]
    }

    /// `cards.number` is a card number, `phone_numbers.value` a phone number.
    fn with_table(&self, words: &Words, found: &mut HashMap<usize, Evidence>) {
        let border = self.table.words.len();
        let both: Words = self.table.words.iter().chain(words).cloned().collect();
        let matches = self.matches(&both);
        // `sessions.id` is the key of a session, not what opens it.
        if words.iter().all(|word| word == "id") {
            return;
        }
        let across = matches.iter().filter(|hit| hit.start < border && hit.end > border);
        for hit in across {
            // `countries.name`: what is told is the thing, not where somebody lives.
            let phrase = &self.rules.phrases[hit.phrase];
            if self.table.owner != Owner::Thing || phrase.words.len() > 2 {
                self.judge(&both, hit, &matches, hit.start, FROM_TABLE, Signal::Table, found);
            }
        }
        let generic = |word: &String| self.rules.context.generic.contains(word) || is_number(word);
        if !words.is_empty() && words.iter().all(generic) {
            let table = self.matches(&self.table.words);
            for hit in table.iter().filter(|hit| hit.end == border) {
                if self.rules.phrases[hit.phrase].mark == Mark::Sure {
                    self.judge(&self.table.words, hit, &table, 0, FROM_TABLE, Signal::Table, found);
                }
            }
        }
    }

    /// Every phrase in the words, but those inside of longer ones.
    fn matches(&self, words: &Words) -> Vec<Match> {
        let mut all = Vec::new();
        for start in 0..words.len() {
            let joined = words.get(start + 1).and_then(|next| join(&words[start], next));
            let firsts = [Some(&words[start]), joined.as_ref()];
            for first in firsts.into_iter().flatten() {
                for &phrase in self.rules.starts.get(first).into_iter().flatten() {
                    if let Some(end) = fits(&words[start..], &self.rules.phrases[phrase].words) {
                        all.push(Match { start, end: start + end, phrase });
                    }
                }
            }
        }
        let inside = |inner: &Match, outer: &Match| {
            outer.start <= inner.start && inner.end <= outer.end && outer.end - outer.start > inner.end - inner.start
        };
        // A whole-name phrase does not count inside of a longer name, so it takes no words away there.
        let counts = |hit: &Match| {
            let phrase = &self.rules.phrases[hit.phrase];
            !phrase.whole || is_whole(words, hit)
        };
        all.retain(counts);
        let kept = all.iter().filter(|hit| !all.iter().any(|outer| inside(hit, outer)));
        kept.copied().collect()
    }

    /// Scores a match by what stands around it.
    #[expect(clippy::too_many_arguments, reason = "the words, the match among its neighbours, and where it was read")]
    fn judge(
        &self,
        words: &Words,
        hit: &Match,
        all: &[Match],
        from: usize,
        factor: f64,
        signal: Signal,
        found: &mut HashMap<usize, Evidence>,
    ) {
        let phrase = &self.rules.phrases[hit.phrase];
        let Some(number) = phrase.detector else { return };
        let detector = &self.rules.detectors[number];
        let tables = &detector.tables;
        if !tables.is_empty() && !self.table.words.iter().any(|word| tables.contains(word)) {
            return;
        }
        let context = &self.rules.context;
        // What a list of countries calls a country is nobody's.
        let quasi = self.rules.categories[detector.category].class == Class::Quasi;
        if quasi && self.table.words.last().is_some_and(|head| context.catalog.contains(head)) {
            return;
        }
        let before = &words[from..hit.start];
        let behind = &words[hit.end..];
        if before.iter().any(|word| context.ask.contains(word)) {
            return;
        }
        let mut score = factor
            * match phrase.mark {
                Mark::Sure => SURE,
                Mark::Likely => LIKELY,
                Mark::Owned => self.owned(before, behind, from > 0),
            };
        let mut at = hit.end;
        while at < words.len() {
            let detector_of = |other: &Match| self.rules.phrases[other.phrase].detector;
            let other =
                all.iter().filter(|other| other.start == at).find_map(|other| Some((other, detector_of(other)?)));
            if let Some((other, its)) = other {
                score *= match its {
                    same if same == number => 1.0,
                    // No number is a company, whatever is called `phone_company`.
                    its if !super::allowed(its, self.facts.takes) => UNKNOWN_BEHIND,
                    _ => OTHER_BEHIND,
                };
                at = other.end;
                continue;
            }
            let word = &words[at];
            let says_nothing = context.neutral.contains(word) || context.person.contains(word) || is_number(word);
            if context.veto.contains(word) && !says_nothing {
                return;
            }
            if !says_nothing {
                score *= UNKNOWN_BEHIND;
            }
            at += 1;
        }
        let evidence = Evidence { signal, test: detector.id.clone(), score, hits: 0, of: 0 };
        if score > 0.0 && found.get(&number).is_none_or(|known| known.score < score) {
            found.insert(number, evidence);
        }
    }

    /// Whose it is, by the words around it or by the table.
    fn owned(&self, before: &[String], behind: &[String], table_read: bool) -> f64 {
        let says = |word: &&String| !is_number(word) && !self.rules.context.neutral.contains(word.as_str());
        let person = |word: &String| self.rules.context.person.contains(word);
        if behind.iter().any(person) {
            return OWNED;
        }
        match before.iter().rev().find(says).map(|word| owner(word)) {
            Some(Owner::Person) => OWNED,
            Some(Owner::Thing) => 0.0,
            Some(Owner::Unknown) => OWNER_UNKNOWN * 0.8,
            None if table_read => OWNER_UNKNOWN,
            None => match self.table.owner {
                Owner::Person => OWNED,
                Owner::Thing => 0.0,
                Owner::Unknown => OWNER_UNKNOWN,
            },
        }
    }
}

/// Nothing but numbers stands around the match.
fn is_whole(words: &Words, hit: &Match) -> bool {
    words[..hit.start].iter().chain(&words[hit.end..]).all(|word| is_number(word))
}

/// Two words as one; a link to a user (`user_id`) is not what they are called (`userid`).
fn join(first: &str, second: &str) -> Option<String> {
    let joined = format!("{first}{second}");
    (joined.len() >= JOINED_MIN && second != "id" && !is_number(second)).then_some(joined)
}

/// How many words a phrase takes at the start of `words`; none if it is not there.
fn fits(words: &[String], phrase: &[String]) -> Option<usize> {
    let Some((first, rest)) = phrase.split_first() else { return Some(0) };
    let one = words.first().filter(|word| *word == first).and_then(|_| fits(&words[1..], rest)).map(|taken| taken + 1);
    one.or_else(|| {
        let joined = join(words.first()?, words.get(1)?)?;
        (joined == *first).then(|| fits(&words[2..], rest)).flatten().map(|taken| taken + 2)
    })
}
