//! Names of the person of a row where nothing can stand for them: in the keys of a document.
//!
//! A key of one word may be the name of a field, which is called the same for everybody: `rose`, `Page`, `price`. It says who
//! the person is if it has two of the names, or one of several words, or one with what stands beside names of people and of
//! nothing else: a title, an initial of theirs, the digits of a login.

use super::inside::{self, Inside};
use super::names::Names;
use super::sources::{self, Source, Texts};
use super::spans::{Detector, Found};
use super::words::{is_addressed, is_title, is_titled};
use crate::mask::column::{Compile, Rows};
use crate::mask::kind;
use arrow_array::{Array, StringViewArray};

/// The names that the keys of a column may say.
pub(in crate::mask) struct OwnNames {
    sources: Vec<Source>,
    inside: Vec<Inside>,
}

impl OwnNames {
    /// Those that a text in this column may mention, if its mask looks for any.
    pub fn of(compile: &Compile<'_>) -> Self {
        if !kind(&compile.spec.kind).is_some_and(|kind| kind.finds_names(&compile.spec.params)) {
            return Self { sources: Vec::new(), inside: Vec::new() };
        }
        let mut sources = sources::of(compile);
        sources.retain(|source| source.role.is_persons());
        Self { sources, inside: inside::of(compile) }
    }
}

/// Looks for the names of a row in its keys; lives as long as a batch.
pub(in crate::mask) struct KeyNames<'a> {
    own: &'a OwnNames,
    row: Option<usize>,
    names: Names,
    found: Found,
}

impl<'a> KeyNames<'a> {
    pub fn of(own: &'a OwnNames) -> Self {
        Self { own, row: None, names: Names::default(), found: Found::default() }
    }

    /// No key can say a name.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.own.sources.is_empty() && self.own.inside.is_empty()
    }

    /// Whether a key of a row says who its person is.
    pub fn are_in(&mut self, key: &str, row: usize, rows: &Rows<'_>) -> bool {
        if self.is_empty() {
            return false;
        }
        let row = rows.row(row);
        if self.row != Some(row) {
            self.fill(row, rows);
            self.row = Some(row);
        }
        self.found.find(key, &self.names);
        self.tells(key)
    }

    fn fill(&mut self, row: usize, rows: &Rows<'_>) {
        self.names.clear();
        for source in &self.own.sources {
            let Some(raw) = rows.raw.get(source.index).and_then(Texts::<StringViewArray>::of) else { continue };
            for place in raw.row(row).filter(|place| raw.values.is_valid(*place)) {
                let name = raw.values.value(place);
                self.names.add(source.role, name, name);
            }
        }
        self.own.inside.iter().for_each(|inside| inside.add_own(row, rows, &mut self.names));
        self.names.join();
    }

    fn tells(&self, key: &str) -> bool {
        let mut seen = self.found.spans.iter().filter_map(|span| match span.detector {
            Detector::Name(needle) => Some((needle, span.start, span.end)),
            _ => None,
        });
        let Some((first, start, end)) = seen.next() else { return false };
        if is_field(key) {
            return false;
        }
        let (before, behind) = (&key[..start], &key[end..]);
        self.names.is_whole(first)
            || seen.any(|(other, ..)| other != first)
            || is_titled(before)
            || is_addressed(behind)
            || is_login(behind)
            || self.names.is_beside_initial(first, before, behind)
    }
}

/// Words that names of fields are made of, and that are names as well: alone and with each other they name nobody. Sorted.
const FIELD_WORDS: &[&str] = &[
    "address", "amount", "average", "bank", "banks", "base", "batch", "block", "board", "body", "bond", "book",
    "books", "bounds", "box", "branch", "buyer", "call", "cap", "card", "case", "cash", "chain", "chance", "change",
    "channel", "charge", "check", "class", "clerk", "close", "code", "column", "cost", "costs", "count", "country",
    "counts", "cover", "credit", "cross", "data", "date", "day", "days", "deal", "delay", "discount", "draft", "drive",
    "driver", "end", "event", "fee", "field", "fields", "file", "first", "flag", "flow", "frame", "gate", "gross",
    "group", "hash", "head", "height", "home", "house", "id", "image", "index", "input", "item", "job", "key", "keys",
    "label", "land", "last", "layer", "leader", "level", "light", "limit", "line", "lines", "link", "list", "load",
    "lock", "log", "mail", "major", "marks", "mass", "master", "match", "max", "mean", "media", "message", "mile",
    "miles", "min", "minor", "mode", "model", "money", "month", "name", "net", "note", "number", "offer", "order",
    "orders", "owner", "pack", "page", "pages", "paper", "part", "parts", "pass", "path", "pay", "per", "phase",
    "piece", "place", "plan", "plant", "point", "points", "port", "post", "power", "price", "prices", "prior",
    "profit", "query", "quote", "race", "range", "rank", "rate", "rates", "ratio", "reader", "real", "record",
    "region", "rest", "result", "role", "room", "root", "route", "row", "rule", "sale", "sales", "sample", "save",
    "scale", "school", "score", "seal", "seller", "sender", "service", "set", "share", "shift", "shop", "sign", "site",
    "size", "skill", "source", "space", "span", "speed", "stage", "stamp", "start", "state", "status", "step", "stock",
    "stop", "store", "story", "street", "style", "sum", "table", "tag", "target", "task", "tax", "team", "term",
    "terms", "test", "text", "time", "times", "title", "token", "total", "town", "track", "trade", "train", "tree",
    "turn", "type", "unit", "units", "usage", "use", "user", "value", "values", "version", "view", "volume", "vote",
    "wage", "wages", "wait", "watch", "water", "way", "week", "weight", "word", "work", "year", "zone",
];

/// All words of a key are such words, titles and single letters, as in `ms_page`, `price_m` and `maxValue`; blanks stand in
/// no name of a field.
fn is_field(key: &str) -> bool {
    if key.contains(char::is_whitespace) {
        return false;
    }
    let known = |word: &str| FIELD_WORDS.binary_search(&word).is_ok();
    let two =
        |word: &str| (1..word.len()).any(|at| word.is_char_boundary(at) && known(&word[..at]) && known(&word[at..]));
    let words = key.split(|c: char| !c.is_alphabetic()).filter(|word| word.chars().nth(1).is_some());
    let mut words = words.map(str::to_lowercase);
    let mut any = false;
    let all = words.all(|word| {
        let field = known(&word) || two(&word);
        any |= field;
        field || is_title(&word)
    });
    any && all
}

/// The digits of a login stand behind a name; one digit numbers fields: `price2`.
fn is_login(behind: &str) -> bool {
    behind.bytes().take_while(u8::is_ascii_digit).count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_fields_name_nobody_alone() {
        assert!(FIELD_WORDS.is_sorted_by(|a, b| a < b));
        for key in
            ["price12", "price2024", "ms_page", "ms_count", "dr_code", "price_m", "max_value", "maxValue", "miles_per"]
        {
            assert!(is_field(key), "{key}");
        }
        // The twins: with another name, and how one writes to somebody.
        for key in [
            "price_oppenheimer",
            "oppenheimer84",
            "miles_davis",
            "Ms Page",
            "mr_lindqvist",
            "m_oppenheimer",
            "ms",
            "84",
        ] {
            assert!(!is_field(key), "{key}");
        }
    }
}
