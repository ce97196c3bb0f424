//! Finds values of masked columns in texts: words and runs of words, by their fingerprints.
//!
//! What is looked for are values of the source that tell who is meant ([`Form`]) and that no mask of staging happens to be.
//! A text is cut into words; every run of a few of them is a candidate, from its first letter or digit to its last. Names are
//! met in every order of their words, so "Miller, Ann" is Ann Miller ([`names`]).
//!
//! Numbers may be met by chance: a tenth of all numbers of seven digits is somebody's, if a million people have one. So runs
//! of digits are counted by their length, and hits on them are held against what chance would give.

use super::expect::{tail, unlikely};
use super::fingerprint::{Prefixes, Salt};
use super::form::{self, Counted, DIGITS_MAX, Form};
use super::names::{self, Bag, Gap};
use super::sample::Spread;
use super::{Seen, Watch, codes};
use crate::mask::known;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

/// Words of anything but a name that is looked for inside of a text.
const WORDS: usize = 8;
/// Bytes of a run, and of a text that is looked for as a whole.
const RUN_MAX: usize = names::BYTES_MAX;
const WHOLE_MAX: usize = 4096;
/// How unlikely it has to be that chance wrote a number.
const UNLIKELY: f64 = 1e-6;
/// Digits of a UUID.
const UUID_DIGITS: usize = 32;
/// Bits of the Bloom filter per value: of what is not there, one in sixteen goes on to the table.
const BITS_OF_A_VALUE: usize = 16;
/// Names that many people have stand in texts about nobody: above so many known names, single hits on those say nothing.
const NAMES_MAX: f64 = 10_000.0;
/// A name that fewer than so many of them have by chance is one of these people.
const NAMESAKES_MAX: f64 = 0.1;
/// Of the others, this share of the texts has to hold one.
const NAMES_SHARE: f64 = 1e-3;

/// Values to look for, and the columns they are from.
pub struct Sought {
    salt: Salt,
    /// No fingerprint from here on is known.
    limit: u64,
    values: HashMap<u64, Value, BuildHasherDefault<Spread>>,
    /// Bloom filter of the values, with the low bits of their fingerprints as its one hash. Nearly all that is asked for is
    /// not there, and this says so from the near caches.
    bloom: Vec<u64>,
    columns: Vec<From>,
    /// Some of the values are names.
    named: bool,
    /// First and last names that masks are made of.
    parts: HashSet<u64, BuildHasherDefault<Spread>>,
}

#[derive(Clone, Copy)]
struct Value {
    column: u32,
    form: Form,
    /// A mask of staging is the same: it may stand there.
    masked: bool,
}

/// A word of a text.
#[derive(Clone, Copy)]
struct Word {
    /// Where it begins and ends.
    start: usize,
    end: usize,
    counted: Counted,
    /// What stands before it, and its fingerprint: if names are looked for.
    gap: Gap,
    print: u64,
}

/// A column whose values are looked for.
struct From {
    name: String,
    /// Different values of it that are numbers, by how many digits they have.
    digits: [f64; DIGITS_MAX + 1],
    /// Different values of it that are names.
    names: f64,
    /// The share of masks that are values of the source.
    common: f64,
    /// The share of its values that is known.
    share: f64,
}

impl Sought {
    pub(super) fn new(salt: Salt, tables: &[Arc<Watch>]) -> Self {
        let mut sought = Self::of_nothing(salt);
        for watch in tables {
            watch.seen(|seen| {
                let (columns, people) = seen.split_at(watch.columns.len());
                for (column, seen) in watch.columns.iter().zip(columns).filter(|(column, _)| column.is_sought()) {
                    sought.add(&column.name, seen);
                }
                for (people, seen) in watch.people.iter().zip(people) {
                    sought.add(&people.name, seen);
                }
            });
        }
        sought.closed()
    }

    fn of_nothing(salt: Salt) -> Self {
        Self {
            salt,
            limit: 0,
            values: HashMap::default(),
            bloom: Vec::new(),
            columns: Vec::new(),
            named: false,
            parts: HashSet::default(),
        }
    }

    /// All values are added: ready to look for them.
    fn closed(mut self) -> Self {
        self.named = self.columns.iter().any(|column| column.names > 0.0);
        if self.named {
            let salt = self.salt;
            let names = known::first_names().chain(known::last_names());
            self.parts = names.map(|name| salt.text(form::folded(name).as_bytes())).collect();
        }
        self.bloom = vec![0; (self.values.len() * BITS_OF_A_VALUE).next_power_of_two().div_ceil(64)];
        let places = self.bloom.len() as u64 * 64 - 1;
        for value in self.values.keys() {
            let place = value & places;
            self.bloom[(place / 64) as usize] |= 1 << (place % 64);
        }
        self
    }

    #[inline]
    fn may_contain(&self, print: u64) -> bool {
        let place = print & (self.bloom.len() as u64 * 64 - 1);
        self.bloom[(place / 64) as usize] >> (place % 64) & 1 == 1
    }

    fn add(&mut self, name: &str, seen: &Seen) {
        let number = self.columns.len() as u32;
        let share = seen.sample.share();
        let mut from = From { name: name.to_owned(), digits: [0.0; DIGITS_MAX + 1], names: 0.0, common: 0.0, share };
        let (mut masks, mut common) = (0_u64, 0_u64);
        for (value, counts) in seen.sample.iter() {
            masks += u64::from(counts.after > 0);
            common += u64::from(counts.after > 0 && counts.before > 0);
            if counts.before > 0 {
                match counts.form {
                    Form::Digits(digits) => from.digits[usize::from(digits).min(DIGITS_MAX)] += 1.0 / share,
                    Form::Words => from.names += 1.0 / share,
                    _ => {}
                }
            }
            let masked = counts.after > 0;
            if masked || (counts.before > 0 && counts.form != Form::Plain) {
                let fresh = Value { column: number, form: counts.form, masked };
                let known = self.values.entry(value).or_insert(fresh);
                // What is a mask anywhere may stand anywhere.
                known.masked |= masked;
                if known.form == Form::Plain {
                    (known.form, known.column) = (fresh.form, number);
                }
            }
        }
        // That none of few is one does not make it impossible.
        from.common = (common + 1) as f64 / (masks + 1) as f64;
        self.limit = self.limit.max(seen.sample.limit());
        self.columns.push(from);
    }

    /// Columns whose values are looked for.
    pub fn columns(&self) -> usize {
        self.columns.len()
    }

    /// Whether there is anything to find.
    pub fn is_empty(&self) -> bool {
        self.values.values().all(|value| value.masked)
    }

    /// Nothing was looked at yet. `masked`: what is to be looked at is masked in part, so masks stand in it.
    pub fn traces(&self, masked: bool) -> Traces {
        Traces { masked, ..Traces::default() }
    }

    /// Looks at one text, at every run of its words; once more without the marks of HTML, addresses and SQL, if it has any.
    pub fn read(&self, text: &str, traces: &mut Traces) {
        traces.texts += 1;
        let Some(bare) = form::bare(text) else { return self.scan(&form::folded(text), traces) };
        traces.reading = Reading::First;
        self.scan(&form::folded(text), traces);
        traces.reading = Reading::Again;
        self.scan(&form::folded(&bare), traces);
        traces.reading = Reading::Once;
        traces.numbers.clear();
    }

    fn scan(&self, text: &str, traces: &mut Traces) {
        let words = self.words(text);
        for (place, word) in words.iter().enumerate() {
            let Word { start, mut end, mut counted, print, .. } = *word;
            let mut prefixes = self.salt.prefixes(&text.as_bytes()[start..]);
            let mut bag = Bag::word(print);
            self.run(&mut prefixes, (text, start, end), counted, traces);
            if end - start == UUID_DIGITS {
                self.uuid(&text[start..end], start, traces);
            }
            for (more, next) in words[place + 1..].iter().take(WORDS - 1).enumerate() {
                counted = counted.join(&text[end..next.start], next.counted);
                bag = bag.join(next.gap, next.print);
                end = next.end;
                if more == 0
                    && traces.masked
                    && next.gap == Gap::Apart
                    && !counted.has_digits()
                    && [word.print, next.print].iter().all(|print| self.parts.contains(print))
                {
                    traces.pairs.push((start, end));
                }
                if end - start > RUN_MAX {
                    break;
                }
                if counted.has_digits() {
                    self.run(&mut prefixes, (text, start, end), counted, traces);
                } else if self.named && more + 2 <= names::WORDS_MAX {
                    match bag.print(self.salt) {
                        Some(name) if counted.form() == Form::Words => self.known(name, (start, end), traces),
                        Some(_) => {}
                        None => self.run(&mut prefixes, (text, start, end), counted, traces),
                    }
                }
            }
        }
        // What is longer than any run is looked for as a whole.
        if let (Some(Word { start, .. }), Some(Word { end, .. })) = (words.first(), words.last())
            && (words.len() > names::WORDS_MAX || end - start > RUN_MAX)
            && end - start <= WHOLE_MAX
        {
            let whole = &text[*start..*end];
            let print = codes::of(self.salt, whole).unwrap_or_else(|| self.salt.text(whole.as_bytes()));
            self.known(print, (*start, *end), traces);
        }
        if text.len() > RUN_MAX {
            self.tokens(text, traces);
        }
        traces.settle(|span, value| self.is_common(&text[span.0..span.1], value));
    }

    fn words(&self, text: &str) -> Vec<Word> {
        let mut before = 0;
        let of = |(start, end): (usize, usize)| {
            let (gap, print) = match self.named {
                true => (names::gap(&text[before..start]), self.salt.text(&text.as_bytes()[start..end])),
                false => (Gap::Barred, 0),
            };
            before = end;
            Word { start, end, counted: Counted::word(&text[start..end]), gap, print }
        };
        form::words(text).map(of).collect()
    }

    /// Looks at what is one word to programs and longer than any run: tokens and keys.
    fn tokens(&self, text: &str, traces: &mut Traces) {
        let parts = |symbol: char| {
            symbol.is_whitespace() || matches!(symbol, '"' | '\'' | '=' | ',' | ';' | '&' | '?' | '<' | '>')
        };
        for token in text.split(parts).map(form::core).filter(|token| (RUN_MAX + 1..=WHOLE_MAX).contains(&token.len()))
        {
            let start = token.as_ptr() as usize - text.as_ptr() as usize;
            self.known(self.salt.text(token.as_bytes()), (start, start + token.len()), traces);
        }
    }

    /// A UUID that somebody wrote without its hyphens.
    fn uuid(&self, digits: &str, start: usize, traces: &mut Traces) {
        let Ok(number) = u128::from_str_radix(digits, 16) else { return };
        let (text, length) = form::hexadecimal(&number.to_be_bytes());
        self.known(self.salt.text(&text[..length]), (start, start + digits.len()), traces);
    }

    /// Looks at one text as a whole: columns whose values are masked hold words by chance.
    pub fn read_whole(&self, text: &str, traces: &mut Traces) {
        traces.texts += 1;
        let text = form::folded(form::core(text));
        match form::of(&text) {
            Form::Digits(digits) => traces.digits[usize::from(digits).min(DIGITS_MAX)] += 1,
            // It is a mask made of two names, and so somebody's by chance.
            Form::Words if self.may_be_both(&text) => traces.pairs.push((0, text.len())),
            Form::Words | Form::Mixed | Form::Plain => {}
        }
        let print = names::of(self.salt, &text).or_else(|| codes::of(self.salt, &text));
        let print = print.unwrap_or_else(|| self.salt.text(text.as_bytes()));
        self.known(print, (0, text.len()), traces);
        traces.settle(|span, value| self.is_common(&text[span.0..span.1], value));
    }

    /// Whether a mask may be this first name and last name.
    fn may_be_both(&self, text: &str) -> bool {
        let mut halves = text.match_indices(' ').map(|(at, _)| (&text[..at], &text[at + 1..]));
        halves.any(|(first, last)| self.may_be_mask(first.as_bytes()) && self.may_be_mask(last.as_bytes()))
    }

    /// Whether a mask may have this word as first or as last name.
    fn may_be_mask(&self, word: &[u8]) -> bool {
        self.parts.contains(&self.salt.text(word))
    }

    #[inline]
    fn run(
        &self,
        prefixes: &mut Prefixes<'_>,
        (text, start, end): (&str, usize, usize),
        counted: Counted,
        traces: &mut Traces,
    ) {
        let run = &text[start..end];
        let form = counted.form_of(run);
        if form == Form::Plain {
            return;
        }
        let code = if form == Form::Words { None } else { codes::of(self.salt, run) };
        let print = code.unwrap_or_else(|| prefixes.to(end - start));
        if let Form::Digits(digits) = form {
            // Where a number stands in both readings, chance had its try.
            let fresh = match traces.reading {
                Reading::Once => true,
                Reading::First => {
                    traces.numbers.insert(print);
                    true
                }
                Reading::Again => !traces.numbers.contains(&print),
            };
            if !fresh {
                return;
            }
            traces.digits[usize::from(digits).min(DIGITS_MAX)] += 1;
        }
        self.known(print, (start, end), traces);
    }

    #[inline]
    fn known(&self, print: u64, span: (usize, usize), traces: &mut Traces) {
        if print >= self.limit || !self.may_contain(print) {
            return;
        }
        if let Some(value) = self.values.get(&print) {
            traces.met.push((span, *value));
        }
    }

    /// Whether a name is one that people without a row here have as well.
    fn is_common(&self, name: &str, value: Value) -> bool {
        let people = self.columns[value.column as usize].names;
        people > NAMES_MAX && people * known::share_of_name(name) > NAMESAKES_MAX
    }

    /// What was found beyond chance.
    pub fn judge(&self, traces: &Traces) -> Vec<Hits> {
        let mut hits: Vec<Hits> = Vec::new();
        for trace in &traces.found {
            let from = &self.columns[trace.column as usize];
            let numbers = trace.digits.iter().enumerate().any(|(digits, found)| {
                // Every number of so many digits is somebody's with this probability; of those in the sample, fewer.
                let chance = from.digits[digits] * from.share / 10_f64.powi(digits as i32);
                *found > 0 && tail(*found, traces.digits[digits] as f64 * chance) < UNLIKELY
            });
            let many = (trace.words + trace.common) as f64 > NAMES_SHARE * traces.texts as f64;
            let names = trace.words > 0 || (trace.common > 0 && many);
            let drawn = unlikely(trace.drawn, traces.drawn as f64 * from.common);
            if trace.mixed > 0 || numbers || names || drawn {
                hits.push(Hits { column: from.name.clone(), texts: trace.texts });
            }
        }
        hits.sort_by(|one, other| other.texts.cmp(&one.texts).then_with(|| one.column.cmp(&other.column)));
        hits
    }

    /// How many columns only a share of the values is known of, and the smallest share; none if all are.
    pub fn partly(&self) -> Option<(usize, f64)> {
        let partly = || self.columns.iter().map(|column| column.share).filter(|share| *share < 1.0);
        let least = partly().reduce(f64::min)?;
        Some((partly().count(), least))
    }
}

/// How often a text is read: as it is written, and once more without its marks, if it has any.
#[derive(Clone, Copy, Default)]
enum Reading {
    #[default]
    Once,
    First,
    Again,
}

/// What was found in the texts of one place.
#[derive(Default)]
pub struct Traces {
    /// Masks stand in the texts.
    masked: bool,
    reading: Reading,
    /// Fingerprints of the numbers of a text that is read twice, as it is written.
    numbers: HashSet<u64, BuildHasherDefault<Spread>>,
    texts: u64,
    /// Runs of nothing but digits, by their number.
    digits: [u64; DIGITS_MAX + 1],
    found: Vec<Trace>,
    /// Neighbours that may both be masks of one name each, though not of one person: each pair is somebody's by chance.
    drawn: u64,
    /// Known values in the text that is being looked at, and where they stand.
    met: Vec<((usize, usize), Value)>,
    /// Where neighbours in it stand that may both be masks of one name each, or a whole mask.
    pairs: Vec<(usize, usize)>,
}

impl Traces {
    /// Texts that were read.
    pub fn texts(&self) -> u64 {
        self.texts
    }

    /// Counts what was met in a text, now that its masks are known: the end of one and the beginning of the next may be the
    /// name of a third.
    fn settle(&mut self, is_common: impl Fn((usize, usize), Value) -> bool) {
        if self.met.is_empty() && self.pairs.is_empty() {
            return;
        }
        let (met, pairs) = (std::mem::take(&mut self.met), std::mem::take(&mut self.pairs));
        let part_of_mask = |(start, end): (usize, usize)| {
            let mut masks = met.iter().filter(|(_, value)| value.masked).map(|(span, _)| *span);
            masks.any(|mask| {
                start < mask.1
                    && mask.0 < end
                    && !((start < mask.0 || mask.1 < end) && start <= mask.0 && mask.1 <= end)
            })
        };
        self.drawn += pairs.iter().filter(|span| !part_of_mask(**span)).count() as u64;
        for (span, value) in met.iter().filter(|(_, value)| !value.masked) {
            if value.form == Form::Words && part_of_mask(*span) {
                continue;
            }
            let name = match value.form {
                Form::Words if pairs.contains(span) => Name::Drawn,
                Form::Words if is_common(*span, *value) => Name::Common,
                _ => Name::Own,
            };
            self.note(*value, name);
        }
        // Their memory serves the next text.
        (self.met, self.pairs) = (met, pairs);
        self.met.clear();
        self.pairs.clear();
    }

    fn note(&mut self, value: Value, name: Name) {
        let place = self.found.iter().position(|found| found.column == value.column);
        let place = place.unwrap_or_else(|| {
            self.found.push(Trace { column: value.column, ..Trace::default() });
            self.found.len() - 1
        });
        let trace = &mut self.found[place];
        match value.form {
            Form::Digits(digits) => trace.digits[usize::from(digits).min(DIGITS_MAX)] += 1,
            Form::Words => match name {
                Name::Own => trace.words += 1,
                Name::Common => trace.common += 1,
                Name::Drawn => trace.drawn += 1,
            },
            Form::Mixed | Form::Plain => trace.mixed += 1,
        }
        if trace.last != self.texts {
            (trace.last, trace.texts) = (self.texts, trace.texts + 1);
        }
    }
}

#[derive(Default)]
struct Trace {
    column: u32,
    /// The last text with one of its values.
    last: u64,
    texts: u64,
    mixed: u64,
    words: u64,
    /// Names that others have as well.
    common: u64,
    /// Names of two words that may both be masks.
    drawn: u64,
    digits: [u64; DIGITS_MAX + 1],
}

/// What a name in a text may be beside the name of somebody in the database.
#[derive(Clone, Copy)]
enum Name {
    Own,
    /// Of somebody else, as so many have it.
    Common,
    /// The end of one mask and the beginning of another.
    Drawn,
}

/// Values of one column that stand where they should not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hits {
    /// `schema.table.column` of the masked column.
    pub column: String,
    /// Texts with at least one.
    pub texts: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sought(values: &[(&str, Form)]) -> Sought {
        let salt = Salt::new([5; 16]);
        let mut seen = Seen::new(1 << 15);
        for (value, form) in values {
            seen.sample.see((super::super::column::name(salt, value), None, *form));
        }
        let mut sought = Sought::of_nothing(salt);
        sought.add("public.people.secret", &seen);
        sought.closed()
    }

    fn texts(sought: &Sought, texts: &[&str]) -> u64 {
        let mut traces = sought.traces(false);
        texts.iter().for_each(|text| sought.read(text, &mut traces));
        sought.judge(&traces).first().map_or(0, |hits| hits.texts)
    }

    #[test]
    fn values_are_found_in_every_way_they_are_written_down() {
        let form = |text: &str| form::of(form::core(text));
        let all = [
            "ann.miller@acme.test",
            "Ann Miller",
            "+49 30 1234567",
            "12 Main Street",
            "Jean Luc de la Cruz",
            "Jürgen O'Brien",
            "Anna-Lena Müller-Schmidt",
            "МАРИЯ ЯКОВЛЕВА",
            "ΝΙΚΟΣ ΠΑΠΑΣ",
            "7 Very Long Boulevard of Dreams Apt 7 Building B Floor 3",
            "550e8400-e29b-41d4-a716-446655440000",
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5cSflKxwRJSMeKKF2QT4fwpMeJf36",
        ];
        let sought = sought(&all.map(|value| (value, form(value))));
        for text in [
            "write to <ann.miller@acme.test>.",
            "ANN.MILLER@ACME.TEST",
            "Ann Miller called",
            "Miller, Ann: called",
            "ask (ann  miller)",
            "call +49 30 1234567!",
            "lives at 12 main street, alone",
            "“Ann Miller” — gesprochen",
            "Łódź: Ann\u{a0}Miller",
            "{\"Ann\",\"Miller\"}",
            "“ann.miller@acme.test”",
            "联系：ann.miller@acme.test，谢谢",
            "ask Jean Luc de la Cruz about it",
            "de la Cruz, Jean Luc",
            "for O'Brien, Jürgen (late)",
            "MÜLLER-SCHMIDT, ANNA-LENA",
            "Мария Яковлева",
            "ο Νίκος; Νικος Παπας ήταν",
            "7 Very Long Boulevard of Dreams Apt 7 Building B Floor 3",
            "<p>by <b>Ann</b> <i class=\"x\">Miller</i></p>",
            "GET /?mail=ann.miller%40acme.test&x=1",
            "DEFAULT 'Jürgen O''Brien'::text",
            "J&#252;rgen O&#39;Brien",
            "J&ouml;rg, J&uuml;rgen O&apos;Brien",
            "write to ann.miller&#64;acme&#x2e;test",
            "GET /?n=J%F6rg&m=ann.miller%40acme.test",
            "q=J%C3%BCrgen+O%27Brien",
            "id=550e8400e29b41d4a716446655440000;",
            "Bearer: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5cSflKxwRJSMeKKF2QT4fwpMeJf36 ok",
        ] {
            assert_eq!(texts(&sought, &[text]), 1, "{text}");
        }
        // The last three: names in other people's addresses and in programs.
        for text in [
            "Ann met Mr Miller",
            "12 Main St",
            "30 1234567",
            "ann@acme.test",
            "",
            "…",
            "ann.miller.c0kf70k6agjr7xwd@x.example",
            "ann_miller",
            "miller.ann",
        ] {
            assert_eq!(texts(&sought, &[text]), 0, "{text}");
        }
    }

    #[test]
    fn names_of_several_words_are_found_in_both_orders_and_in_every_layout() {
        let none = [("Xqaver".to_owned(), "Qzuandt".to_owned())];
        for (first, last) in [
            ("Anna", "García Márquez"),
            ("Anna", "Schmidthuber-Bauer"),
            ("Anna", "von Berg"),
            ("Anna", "O'Brien"),
            ("Anna-Maria", "Quandt"),
            ("Anna Maria", "de la Cruz"),
        ] {
            let sought = people(&[(first.to_owned(), last.to_owned())], &none);
            for text in [
                format!("{first} {last}"),
                format!("{last} {first}"),
                format!("{last}, {first}"),
                format!("ask {first}  {last} about it"),
                format!("{first}\n{last}"),
                format!("{last}\t{first}"),
                format!("{first}\u{a0}{last}"),
                format!("<b>{first}</b> <i>{last}</i>"),
                format!("<td>{first}</td><td>{last}</td>"),
                format!("<f>{first}</f><l>{last}</l>"),
                format!("7,\"{first}\",\"{last}\""),
                format!("7;{first};{last};DE"),
                format!("{{{first},{last}}}"),
                format!("VALUES ('{}', '{}')", first.replace('\'', "''"), last.replace('\'', "''")),
                format!("**{first}** _{last}_"),
                format!("{{\"n\": \"{last} {first}\"}}"),
            ] {
                assert_eq!(texts(&sought, &[&text]), 1, "{text}");
            }
            // The twins: a part of the name, others between, and names in programs and addresses.
            let joined = |mark: &str| {
                let words = format!("{first} {last}").replace([' ', '-', '\''], mark);
                format!("see {words} there")
            };
            for text in
                [last.to_owned(), format!("{first} met {last}"), joined("_"), joined("."), joined("/"), joined("-")]
            {
                assert_eq!(texts(&sought, &[&text]), 0, "{text}");
            }
        }
    }

    #[test]
    fn numbers_that_chance_writes_are_no_leak_and_a_column_of_them_is() {
        let numbers: Vec<String> = (0..20_000).map(|n| (1_000_000 + n * 317).to_string()).collect();
        let values: Vec<(&str, Form)> = numbers.iter().map(|number| (number.as_str(), Form::Digits(7))).collect();
        let sought = sought(&values);
        // As many other numbers: one in 500 is somebody's.
        let others: Vec<String> = (0..20_000).map(|n| format!("order {}", 1_000_000 + n * 331 + 5)).collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        assert_eq!(texts(&sought, &others), 0);
        let copied: Vec<String> = numbers.iter().take(2_000).map(|number| format!("call {number}")).collect();
        let copied: Vec<&str> = copied.iter().map(String::as_str).collect();
        // Two of them have two different digits only, as placeholders do.
        assert_eq!(texts(&sought, &copied), 1_998);
    }

    #[test]
    fn codes_are_found_in_every_layout_and_others_are_not() {
        let form = |text: &str| form::of(form::core(text));
        let all = ["DE12370400440532013000", "08:00:2b:01:02:ff", "4539578763621486", "+49 30 5550013"];
        let sought = sought(&all.map(|value| (value, form(value))));
        for text in [
            "to DE12 3704 0044 0532 0130 00 today",
            "card AA:08-00-2B-01-02-FF",
            "port 0800.2b01.02ff is up",
            "paid with 4539-5787-6362-1486.",
            "call 0049-30-5550013 or write",
            "tel:+49305550013",
            "4 9 3 0 5 5 5 0 0 1 3",
        ] {
            assert_eq!(texts(&sought, &[text]), 1, "{text}");
        }
        for text in [
            "to=%2B49305550013&x=1",
            "to=%252B49%2520305550013",
            "card=4539%205787%206362%201486",
            "Tel&#58;&nbsp;&#43;49&thinsp;30&nbsp;5550013",
            "DE12&nbsp;3704&nbsp;0044&nbsp;0532&nbsp;0130&nbsp;00",
        ] {
            assert_eq!(texts(&sought, &[text]), 1, "{text}");
        }
        // The twins: one digit is another, or something else stands between.
        for text in [
            "to=%2B49305550014&x=1",
            "to DE12 3704 0044 0532 0130 01 today",
            "08-00-2B-01-02-FE",
            "4539-5787-6362-1487",
            "0049-30-5550014",
            "4539 of 5787, 6362 and 1486",
        ] {
            assert_eq!(texts(&sought, &[text]), 0, "{text}");
        }
    }

    #[test]
    fn numbers_of_a_text_that_is_read_twice_count_once() {
        let sought = sought(&[("1234567", Form::Digits(7))]);
        let mut traces = sought.traces(false);
        sought.read("it''s 1234567 &amp; 7654321", &mut traces);
        assert_eq!((traces.digits[7], traces.found[0].digits[7]), (2, 1));
    }

    #[test]
    fn what_is_also_a_mask_is_not_looked_for() {
        let salt = Salt::new([5; 16]);
        let mut seen = Seen::new(100);
        let name = super::super::column::name(salt, "Ann Miller");
        seen.sample.see((name, None, Form::Words));
        seen.sample.see((None, name, Form::Plain));
        let mut sought = Sought::of_nothing(salt);
        sought.add("public.people.name", &seen);
        let sought = sought.closed();
        assert!(sought.is_empty());
        assert_eq!(texts(&sought, &["Ann Miller called"]), 0);
    }

    /// People with these names before and after their masks.
    fn people(before: &[(String, String)], after: &[(String, String)]) -> Sought {
        let salt = Salt::new([5; 16]);
        let mut both = Seen::new(1 << 15);
        let name =
            |(first, last): &(String, String)| Some(names::both(salt, &form::folded(first), &form::folded(last)));
        for (old, new) in before.iter().zip(after) {
            both.sample.see((name(old), name(new), Form::Words));
        }
        let mut sought = Sought::of_nothing(salt);
        sought.add("public.people.first last", &both);
        sought.closed()
    }

    #[test]
    fn masks_that_meet_are_no_name_of_a_third_and_a_few_that_stayed_are_told() {
        let plain =
            |name: &&str| name.is_ascii() && name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        let first: Vec<&str> = known::first_names().filter(plain).take(100).collect();
        let last: Vec<&str> = known::last_names().filter(plain).take(100).collect();
        // A thousand of a hundred times a hundred names: a pair of masks is somebody's with one in ten.
        let name = |n: usize| (first[n % 100].to_owned(), last[n / 100].to_owned());
        let before: Vec<_> = (0..1000).map(|n| name(n * 7 % 10_000)).collect();
        let after: Vec<_> = (0..1000).map(|n| name((n * 7 + 3) % 10_000)).collect();
        let sought = people(&before, &after);
        let told = |texts: &[String]| {
            let mut traces = sought.traces(true);
            texts.iter().for_each(|text| sought.read(text, &mut traces));
            !sought.judge(&traces).is_empty()
        };
        // Each text names two people by their masks, side by side.
        let pair = |one: &(String, String), two: &(String, String)| format!("{} {}, {} {}", one.0, one.1, two.0, two.1);
        let mut masked: Vec<String> = after.windows(2).map(|two| pair(&two[0], &two[1])).collect();
        assert!(!told(&masked));
        let stayed = before.iter().filter(|name| !after.contains(name)).take(12);
        masked.extend(stayed.map(|(first, last)| format!("asked by {first} {last} at noon")));
        assert!(told(&masked));
        // One whose names no mask is made of.
        let rare = people(&[("Xqaver".to_owned(), "Qzuandt".to_owned())], &after[..1]);
        let mut traces = rare.traces(true);
        rare.read("for Xqaver Qzuandt", &mut traces);
        assert_eq!(rare.judge(&traces).len(), 1);
    }

    #[test]
    fn columns_made_of_masks_hold_somebodys_name_by_chance_and_many_names_by_none() {
        let plain =
            |name: &&str| name.is_ascii() && name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        let first: Vec<&str> = known::first_names().filter(plain).take(100).collect();
        let last: Vec<&str> = known::last_names().filter(plain).take(100).collect();
        let name = |n: usize| (first[n % 100].to_owned(), last[n / 100 % 100].to_owned());
        // Fifty people, whose masks are not theirs. Another table has masks that nobody noted.
        let sought = people(
            &(0..50).map(|n| name(n * 101)).collect::<Vec<_>>(),
            &(0..50).map(|n| name(n * 101 + 50)).collect::<Vec<_>>(),
        );
        let texts: Vec<String> =
            (0..5_000).map(|n| name(n * 2)).map(|(first, last)| format!("{first} {last}")).collect();
        let told = |masked: bool, texts: &[String], whole: bool| {
            let mut traces = sought.traces(masked);
            for text in texts {
                if whole { sought.read_whole(text, &mut traces) } else { sought.read(text, &mut traces) }
            }
            !sought.judge(&traces).is_empty()
        };
        assert!(told(false, &texts, false), "the twin: in a kept column they are no masks");
        assert!(!told(true, &texts, false) && !told(true, &texts, true));
        let theirs: Vec<String> =
            (0..50).map(|n| name(n * 101)).map(|(first, last)| format!("{first} {last}")).collect();
        assert!(told(true, &theirs, false) && told(true, &theirs, true));
    }

    /// A word for a number.
    fn word(number: usize) -> String {
        number.to_string().bytes().map(|digit| char::from(b'k' + digit - b'0')).collect()
    }

    #[test]
    fn one_common_name_of_very_many_says_nothing_and_a_rare_one_or_one_in_a_thousand_texts_does() {
        let mut names: Vec<String> = (0..11_000).map(|n| format!("Somebody {}", word(n))).collect();
        let common = ["James", "Mary", "John", "Linda", "Robert"];
        names.extend(common.iter().flat_map(|first| ["Smith", "Johnson"].map(|last| format!("{first} {last}"))));
        let values: Vec<(&str, Form)> = names.iter().map(|name| (name.as_str(), Form::Words)).collect();
        let sought = sought(&values);
        assert_eq!(sought.partly(), None);
        let others: Vec<String> = (0..5_000).map(|n| format!("order {n} was sent")).collect();
        let mut all: Vec<&str> = others.iter().map(String::as_str).collect();
        all.push("a book by Mary Smith");
        assert_eq!(texts(&sought, &all), 0);
        let rare = format!("for {}", names[5]);
        let with_rare: Vec<&str> = all.iter().copied().chain([rare.as_str()]).collect();
        assert_eq!(texts(&sought, &with_rare), 2);
        all.extend(names[11_000..].iter().map(String::as_str));
        assert_eq!(texts(&sought, &all), 11);
    }

    #[test]
    fn the_share_of_values_that_is_known_is_told() {
        let addresses: Vec<String> = (0..100_000).map(|n| format!("person{n}@acme.test")).collect();
        let values: Vec<(&str, Form)> = addresses.iter().map(|address| (address.as_str(), Form::Mixed)).collect();
        let (columns, least) = sought(&values).partly().expect("a share");
        assert!(columns == 1 && (0.1..=0.33).contains(&least), "{least}");
    }
}
