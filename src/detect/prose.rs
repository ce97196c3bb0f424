//! Names of persons inside texts that people write about other things: comments, labels, checks, function bodies.

use super::content::{CITIES, FIRST, LAST, is_country, pattern, plain};
use super::rules::RULES;
use crate::mask::known;
use crate::mask::text::nobody;
use regex::Regex;
use std::collections::HashSet;
use std::sync::LazyLock;

/// Words before a name that are hardly ever anything else.
const TITLES: &[&str] = &[
    "Mr", "Mrs", "Dr", "Prof", "Herr", "Herrn", "Frau", "Mme", "Mlle", "Monsieur", "Madame", "Señor", "Señora", "Sra",
    "Srta", "Dhr", "dhr", "Mevr", "mevr", "Dott", "Dra",
];
/// Words inside of names.
const PARTICLES: &[&str] = &["von", "van", "de", "der", "den", "del", "della", "di", "da", "dos", "la", "le"];
/// First names that begin sentences, and names of things, as other words.
const OTHERS: &[&str] = &[
    "ada",
    "alter",
    "april",
    "art",
    "august",
    "bill",
    "brand",
    "can",
    "case",
    "chance",
    "chase",
    "china",
    "christian",
    "clay",
    "cash",
    "dale",
    "dawn",
    "dean",
    "del",
    "delta",
    "dick",
    "don",
    "drew",
    "duke",
    "earl",
    "faith",
    "forest",
    "frank",
    "gay",
    "gene",
    "general",
    "glen",
    "grace",
    "grant",
    "guy",
    "hall",
    "harmony",
    "holly",
    "hope",
    "ivory",
    "ivy",
    "jack",
    "jade",
    "job",
    "joy",
    "june",
    "justice",
    "king",
    "lane",
    "long",
    "love",
    "major",
    "man",
    "many",
    "mark",
    "max",
    "may",
    "mercy",
    "merit",
    "miles",
    "min",
    "miss",
    "norm",
    "olive",
    "page",
    "paris",
    "pat",
    "patience",
    "penny",
    "pierce",
    "precious",
    "price",
    "prince",
    "ray",
    "reed",
    "rich",
    "rob",
    "rose",
    "ruby",
    "rush",
    "sage",
    "sandy",
    "see",
    "set",
    "son",
    "soon",
    "summer",
    "sun",
    "victor",
    "virginia",
    "wade",
    "will",
    "young",
];
/// Shorter words are codes.
const LETTERS_MIN: usize = 3;
/// Last names that are colors, behind first names that are colors or what has one.
const COLORS: &[&str] =
    &["gold", "silver", "green", "brown", "white", "black", "gray", "grey", "blue", "red", "pink", "rose"];
const COLORED: &[&str] = &[
    "amber", "aqua", "autumn", "carmine", "cherry", "coral", "crystal", "ebony", "ginger", "hazel", "heather", "iris",
    "ivory", "jade", "jasmine", "kelly", "lily", "misty", "olive", "pearl", "poppy", "rose", "ruby", "scarlet",
    "sienna", "sky", "violet",
];
/// What is called after those who found it.
const FINDINGS: &[&str] = &[
    "algorithm",
    "criterion",
    "equation",
    "formula",
    "heuristic",
    "index",
    "law",
    "lemma",
    "method",
    "notation",
    "paradox",
    "pattern",
    "patterns",
    "principle",
    "razor",
    "rule",
    "rules",
    "scale",
    "test",
    "theorem",
    "transform",
];
/// How rare a name in small letters may be: rarer ones are words that happen to stand in two lists.
const SHARE_MIN: f64 = 2e-7;
/// The same for a last name alone, behind an initial; a first name that stands in no list counts a millionth.
const LAST_SHARE_MIN: f64 = 4e-11;
/// Longer literals are no names.
const NAME_BYTES_MAX: usize = 64;

/// Whether a person is named: a title and a word with a capital, or a first name followed by a last name.
///
/// Precise rather than complete: a last name alone, names in one case and names of no list are not found.
pub fn names_somebody(text: &str) -> bool {
    runs(text).iter().any(|run| {
        let inner = |word: &&Word<'_>| !PARTICLES.contains(&word.text) && word.text.chars().nth(1).is_some();
        let words: Vec<&Word<'_>> = run.iter().filter(inner).collect();
        words.windows(2).any(|pair| {
            let titled = TITLES.contains(&pair[0].text) && named(pair[1].text);
            titled && !is_made_up(&text[pair[0].end..]) && !is_titled_thing(pair[0].text, pair[1].text)
                || first_name(pair[0].text)
                    && last_name(pair[1].text)
                    && !is_made_up(&text[pair[0].end - pair[0].text.len()..])
                    && !is_finding(&text[pair[1].end..])
                    && !is_color(pair[0].text, pair[1].text, text)
        })
    })
}

/// As [`names_somebody`], for the text of a definition, where one name is a leak and nobody looks at the others: also last
/// names first, initials and the titles of more languages. Lines of a copyright name who asks to be named.
pub(super) fn names_in_definition(text: &str) -> bool {
    text.lines().filter(|line| !COPYRIGHT.is_match(line)).any(|line| {
        names_somebody(line)
            || TITLED.captures_iter(line).any(|found| {
                // `Sr. Developer`, `pan European`: what may be another word needs a last name behind it.
                let sure = found.name("sure").is_some();
                found.name("name").is_some_and(|name| sure || common(name.as_str()) || slavic(name.as_str()))
            })
            || ENTRY.captures_iter(line).any(|found| is_entry(&found[1], &found[2]))
            || INITIAL.captures_iter(line).any(|found| common(&found[1]) && !is_word(&found[1].to_lowercase()))
    })
}

/// Whether a literal is a name and nothing else, in letters of one case or as a login: `robert miller`, `MILLER, ROBERT`,
/// `robert.miller`.
pub(super) fn is_name(literal: &str) -> bool {
    let literal = literal.trim();
    if literal.len() > NAME_BYTES_MAX {
        return false;
    }
    let cut: &[char] = if literal.contains([' ', ',']) { &[' ', ','] } else { &['.', '_'] };
    let words: Vec<String> = literal.split(cut).filter(|word| !word.is_empty()).map(str::to_lowercase).collect();
    // An initial in between, or a particle, says nothing.
    let inner = |word: &&str| word.chars().count() >= LETTERS_MIN && !PARTICLES.contains(word);
    let words: Vec<&str> = words.iter().map(String::as_str).filter(inner).collect();
    let [one, other] = words[..] else { return false };
    let letters = literal.chars().all(|c| letter(c) || matches!(c, ' ' | ',' | '.' | '_' | '\''));
    let last_first = literal.contains(',');
    let (first, last) = if last_first { (other, one) } else { (one, other) };
    letters
        && listed(&FIRST, first)
        && listed(&LAST, last)
        && !is_word(first)
        && !is_word(last)
        && !is_country(&literal.to_lowercase())
        && !is_color(first, last, "")
        && !nobody::is_made_up(first, last)
        && (last_first || known::share_of_name(&format!("{first} {last}")) >= SHARE_MIN)
}

/// A line of a licence.
static COPYRIGHT: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)copyright.{0,12}\b(?:19|20)\d\d\b|(?:©|\(c\)) ?(?:19|20)\d\d\b"));
/// Titles that need their dot, or are words of one language in small letters.
static TITLED: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?:^|[^\p{L}\d])(?:(?P<sure>(?:[Dd]hr|[Mm]evr|[Mm]w|[Dd]ott|[Dd]ott\.ssa|[Ss]ig\.ra|[Ss]ra|[Ss]rta)\. ?|[Pp]an[iau] )|[Ss](?:r|ig)\. ?|[Pp]an )(?P<name>\p{Lu}\p{Ll}[\p{L}’-]+)",
    )
});
/// `Miller, Robert`.
static ENTRY: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|[^\p{L}\p{N}_])(\p{Lu}\p{Ll}[\p{L}’-]+), (\p{Lu}\p{Ll}[\p{L}’-]+)"));
/// `R. Miller`, `J. R. Miller`.
static INITIAL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?:^|[^\p{L}\p{N}_.])\p{Lu}\. ?(?:\p{Lu}\. ?)?(\p{Lu}\p{Ll}[\p{L}’-]+)"));

/// Cities and first names stand in lists of their own.
fn is_entry(last: &str, first: &str) -> bool {
    let small = last.to_lowercase();
    first_name(first)
        && common(last)
        && !is_word(&small)
        && !FIRST.contains(&small)
        && !CITIES.contains(&small)
        && !is_country(&small)
}

/// Whether many people have this last name.
fn common(word: &str) -> bool {
    let small = word.to_lowercase();
    listed(&LAST, &small) && known::share_of_name(&format!("x {}", plain(&small))) >= LAST_SHARE_MIN
        || small.contains('-') && listed(&LAST, &small)
        || !small.is_ascii() && LAST.contains(&small)
}

/// Endings of last names in the cases of Polish.
fn slavic(word: &str) -> bool {
    ["ski", "cki", "dzki", "wicz", "czyk", "skiego", "ckiego", "wicza", "skiemu", "ckiemu"]
        .iter()
        .any(|end| word.ends_with(end))
}

/// Whether a text begins with a person who was made up, or with a thing or a place that is called like one, and no other
/// name follows: `John Doe` and `Sierra Leone`, but not `John Doe Miller`.
pub(super) fn is_made_up(text: &str) -> bool {
    let mut words = text.split(|c: char| c.is_whitespace() || c == '.').filter(|word| !word.is_empty());
    let mut next = || words.next().unwrap_or_default();
    let (first, last, after) = (next(), next(), next());
    let end = last.find(|c| !letter(c)).unwrap_or(last.len());
    let alone = end < last.len() || !last_name(after.trim_end_matches(|c| !letter(c)));
    let (first, last) = (first.to_lowercase(), last[..end].to_lowercase());
    let place = || {
        let both = format!("{first} {last}");
        is_country(&both) || CITIES.contains(&both)
    };
    alone && (nobody::is_made_up(&first, &last) || place())
}

/// `Dr. Oetker`.
fn is_titled_thing(title: &str, name: &str) -> bool {
    nobody::is_titled_thing(&title.to_lowercase(), &name.to_lowercase())
}

/// What follows a name makes it that of a pattern or a law: `Martin Fowler's Money pattern`.
fn is_finding(rest: &str) -> bool {
    let genitive = ["''s ", "'s ", "’s "].iter().find_map(|mark| rest.strip_prefix(mark));
    let words = genitive.map(|rest| rest.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(3));
    words.is_some_and(|mut words| words.any(|word| FINDINGS.contains(&word.to_lowercase().as_str())))
}

/// `Amber Brown` is a color among other colors, or in small letters.
fn is_color(first: &str, last: &str, text: &str) -> bool {
    let is = |list: &[&str], word: &str| list.contains(&word.to_lowercase().as_str());
    let words = || text.split(|c: char| !c.is_alphabetic());
    is(COLORED, first)
        && is(COLORS, last)
        && (text.is_empty() || words().filter(|word| is(COLORS, word) && *word != first).count() > 1)
}

/// A word, and where it ends in its text.
struct Word<'a> {
    text: &'a str,
    end: usize,
}

/// Words that stand side by side, with nothing but a blank between them, or the dot of a title or of an initial.
fn runs(text: &str) -> Vec<Vec<Word<'_>>> {
    let mut runs = vec![Vec::new()];
    let mut at = 0;
    for part in text.split(' ') {
        let word = part.trim_start_matches(|c| !letter(c));
        let start = at + part.len() - word.len();
        at += part.len() + 1;
        let end = word.find(|c| !letter(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let joined = word.len() == part.len() - after.len();
        if !joined || word.is_empty() {
            runs.push(Vec::new());
        }
        runs.last_mut().expect("there is a run").push(Word { text: word, end: start + word.len() });
        let dotted = after == "." && (TITLES.contains(&word) || word.chars().nth(1).is_none());
        if !after.is_empty() && !dotted {
            runs.push(Vec::new());
        }
    }
    runs
}

fn letter(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '-' | '’')
}

/// `Schneider`, `Müller-Lüdenscheidt`: a capital, then small letters.
fn named(word: &str) -> bool {
    let parts = word.split('-').all(|part| {
        let mut letters = part.chars();
        letters.next().is_some_and(char::is_uppercase) && letters.all(|c| !c.is_uppercase())
    });
    parts && word.chars().count() >= LETTERS_MIN
}

fn first_name(word: &str) -> bool {
    let small = word.to_lowercase();
    named(word) && listed(&FIRST, &small) && !is_word(&small)
}

fn last_name(word: &str) -> bool {
    let small = word.to_lowercase();
    named(word) && listed(&LAST, &small) && !RULES.known.contains(&small)
}

/// Whether a name stands in a list, or both of its halves do. Umlauts are spelled out in some lists.
fn listed(list: &HashSet<String>, small: &str) -> bool {
    let known = |part: &str| list.contains(part) || !part.is_ascii() && list.contains(&plain(part));
    known(small) || small.contains('-') && small.split('-').all(known)
}

/// Whether a word is one of a schema, or of a sentence, as well as a name.
pub(super) fn is_word(small: &str) -> bool {
    RULES.known.contains(small) || OTHERS.contains(&small)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persons_are_named_in_what_people_write_about_other_things() {
        for text in [
            "COMMENT ON TABLE t IS 'Ask Maria Schneider before you change it';",
            "CHECK (who <> 'Robert Miller')",
            "DEFAULT 'Maria J. Schneider'::text",
            "Owner: Dr. Vlokkb",
            "von Frau Schmidt gepflegt",
            "-- Jean-Pierre Dupont wrote this\nSELECT 1",
            "('Ludwig van Santos')",
            "by Anne-Marie Schmidt-Krüger",
            "Sra. Vlokkb",
            "mevr. Vlokkb",
            "Martin Fowler's phone",
            "John Doe Miller",
            "Dr. John Miller",
            "John Smith",
            "Jean Dupont",
            "Morgan Miller",
        ] {
            assert!(names_somebody(text), "{text}");
        }
    }

    #[test]
    fn other_sentences_name_nobody() {
        for text in [
            "Grant Select to the readers",
            "May Day is no holiday",
            "Will Call when the order is ready",
            "People who buy. Closed accounts stay, with deleted_at set.",
            "CREATE TABLE public.users (id integer NOT NULL)",
            "SELECT first_name || ' ' || last_name",
            "Order Status, Customer Number",
            "Ask Maria. Schneider is a company",
            "MARIA SCHNEIDER GMBH",
            "Dr. is a title",
            "see Martin Fowler's Money pattern",
            "see Martin Fowler''s Money pattern",
            "Rose Gold, Olive Green, Amber Brown",
            "John Doe",
            "Dr. Jane Roe, or Max Mustermann.",
            "Erika Mustermann (sample)",
            "an Aston Martin",
            "to Sierra Leone",
            "Dr. Oetker",
            "Mr. Clean, Giorgio Armani",
            "in Alice Springs",
        ] {
            assert!(!names_somebody(text), "{text}");
        }
    }

    #[test]
    fn definitions_name_people_in_more_ways() {
        for text in [
            "ask Miller, Robert",
            "ask R. Miller",
            "ask J. R. Miller first",
            "Amber Brown",
            "ask Sr. Miller",
            "dhr. Vlokkb",
            "pan Kowalski",
            "od pana Kowalskiego",
            "pani Kowalska",
            "M. Dupont",
            "Dott. Rossi",
        ] {
            assert!(names_in_definition(text), "{text}");
        }
        for text in [
            "Sr. Developer",
            "pan European",
            "Berlin, Martin and others",
            "Robert, Martin",
            "Vitamin C. Please order",
            "section A. Status is kept",
            "Copyright (c) 2014 Robert Miller",
            "© 2014 Robert Miller",
        ] {
            assert!(!names_in_definition(text), "{text}");
        }
        // The twin of the licence.
        assert!(names_in_definition("Copyright (c) 2014 Acme\nask Robert Miller"));
    }

    #[test]
    fn a_literal_may_be_a_name_in_one_case() {
        for literal in [
            "robert miller",
            "ROBERT MILLER",
            "ROBERT J. MILLER",
            "MILLER, ROBERT",
            "miller, robert",
            "robert.miller",
            "robert_miller",
        ] {
            assert!(is_name(literal), "{literal}");
        }
        for literal in [
            "order.status",
            "first_name",
            "kelly green",
            "free text",
            "rusty nail",
            "CARD PAYMENT",
            "long.term",
            "robert",
            "robert miller called",
            "john.doe",
            "DOE, JANE",
            "max mustermann",
            "calvin klein",
            "nobody at all",
        ] {
            assert!(!is_name(literal), "{literal}");
        }
    }

    #[test]
    fn the_definitions_of_the_shop_name_nobody() {
        let schema = include_str!("../../samples/shop/schema.sql");
        let told: Vec<&str> = schema.lines().filter(|line| names_in_definition(line)).collect();
        assert_eq!(told, Vec::<&str>::new());
    }
}
