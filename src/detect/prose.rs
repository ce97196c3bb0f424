//! Names of persons inside texts that people write about other things: comments, labels, checks, function bodies.

use super::content::{FIRST, LAST};
use super::rules::RULES;

/// Words before a name that are hardly ever anything else.
const TITLES: &[&str] = &[
    "Mr", "Mrs", "Dr", "Prof", "Herr", "Herrn", "Frau", "Mme", "Mlle", "Monsieur", "Madame", "Señor", "Señora", "Dhr",
    "Mevr",
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

/// Whether a person is named: a title and a word with a capital, or a first name followed by a last name.
///
/// Precise rather than complete: a last name alone, names in one case and names of no list are not found.
pub fn names_somebody(text: &str) -> bool {
    runs(text).iter().any(|run| {
        let inner = |word: &&str| !PARTICLES.contains(word) && word.chars().nth(1).is_some();
        let words: Vec<&str> = run.iter().copied().filter(inner).collect();
        words.windows(2).any(|pair| {
            let titled = TITLES.contains(&pair[0]) && named(pair[1]);
            titled || first_name(pair[0]) && last_name(pair[1])
        })
    })
}

/// Words that stand side by side, with nothing but a blank between them, or the dot of a title or of an initial.
fn runs(text: &str) -> Vec<Vec<&str>> {
    let mut runs = vec![Vec::new()];
    for part in text.split(' ') {
        let word = part.trim_start_matches(|c| !letter(c));
        let end = word.find(|c| !letter(c)).unwrap_or(word.len());
        let (word, after) = word.split_at(end);
        let joined = word.len() == part.len() - after.len();
        if !joined || word.is_empty() {
            runs.push(Vec::new());
        }
        runs.last_mut().expect("there is a run").push(word);
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
    let listed = |part: &str| FIRST.contains(part);
    named(word) && (listed(&small) || small.split('-').all(listed)) && !is_word(&small)
}

fn last_name(word: &str) -> bool {
    let small = word.to_lowercase();
    let listed = |part: &str| LAST.contains(part);
    named(word) && (listed(&small) || small.split('-').all(listed)) && !RULES.known.contains(&small)
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
        ] {
            assert!(!names_somebody(text), "{text}");
        }
    }

    #[test]
    fn the_definitions_of_the_shop_name_nobody() {
        let schema = include_str!("../../samples/shop/schema.sql");
        let told: Vec<&str> = schema.lines().filter(|line| names_somebody(line)).collect();
        assert_eq!(told, Vec::<&str>::new());
    }
}
