//! Free text that is not worth reading: `text.lorem/1`, `text.drop/1`.
//!
//! # Construction of `text.lorem/1`
//!
//! A text is cut into *words*, runs of characters that are not kept. Kept are ASCII characters that are no letter and no
//! digit, white space, and the ranges of [`KEPT`]; every other character belongs to a word, so nothing unknown is kept.
//! A run of ASCII digits inside a word is drawn digit by digit; the letters of each other run of `n` characters are
//! drawn from the list: a word of `n` letters, or of the longest length at most `n` that the list has, and so on for the
//! rest. A character is upper case if the one it replaces is (it folds to another letter). All draws are `below` on the one stream
//! `xof(K_dom, 2, text)`, in reading order; a length the list has in one word only draws too.

use super::column::{ColumnMask, Compile, CompileError};
use super::dict::LOREM;
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, TEXT, TextKind, TextMask};
use super::token::{Purpose, Stream};
use super::unicode::full_fold;
use super::{Injective, KeyedOn, Kind, Params, chars};
use std::sync::LazyLock;

pub(super) static LOREM_TEXT: Kind = Kind {
    name: "text.lorem",
    summary: "Replaces every word by placeholder words of the same length; punctuation, case and white space stay",
    injective: Injective::No,
    samples: &["Bob called twice. Ring him back on 1 July!"],
    compile: |compile| {
        TextMask::boxed(compile, Lorem { key: compile.realm.domain("text.lorem/1", &compile.spec.label) })
    },
    ..TEXT
};

pub(super) static DROP: Kind = Kind {
    name: "text.drop",
    summary: "Removes every text, or puts a placeholder in its place",
    params: &[Param {
        name: "placeholder",
        summary: "what stands in place of the text",
        domain: Domain::Text,
        default: "\"\"",
    }],
    keyed_on: KeyedOn::Nothing,
    injective: Injective::No,
    samples: &["Bob called twice."],
    least: |params| vec![chars(placeholder(params))],
    compile: compile_drop,
    ..TEXT
};

/// Punctuation beyond ASCII: Latin-1, general, CJK and fullwidth. Pinned.
const KEPT: &[(char, char)] = &[
    ('\u{a1}', '\u{a9}'),
    ('\u{ab}', '\u{b1}'),
    ('\u{b4}', '\u{b4}'),
    ('\u{b6}', '\u{b8}'),
    ('\u{bb}', '\u{bb}'),
    ('\u{bf}', '\u{bf}'),
    ('\u{d7}', '\u{d7}'),
    ('\u{f7}', '\u{f7}'),
    ('\u{2010}', '\u{2027}'),
    ('\u{2030}', '\u{205e}'),
    ('\u{20a0}', '\u{20c0}'),
    ('\u{3001}', '\u{3003}'),
    ('\u{3008}', '\u{3011}'),
    ('\u{ff01}', '\u{ff0f}'),
    ('\u{ff1a}', '\u{ff20}'),
    ('\u{ff3b}', '\u{ff40}'),
    ('\u{ff5b}', '\u{ff65}'),
];

fn is_kept(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric();
    }
    super::canon::is_white_space(c) || KEPT.iter().any(|(first, last)| (*first..=*last).contains(&c))
}

/// Upper case as the pinned case folding tells it: what folds to another single letter, but for three small ones.
fn is_upper(c: char) -> bool {
    c.is_ascii_uppercase()
        || (!matches!(c, 'ſ' | 'ς' | 'µ') && full_fold(c).is_some_and(|folded| folded.chars().nth(1).is_none()))
}

/// The words of the list by length; index 0 is empty. Repetitions stay: they are weights.
static BY_LENGTH: LazyLock<Vec<Vec<&'static str>>> = LazyLock::new(|| {
    let longest = LOREM.iter().map(|word| word.len()).max().unwrap_or(0);
    let mut lengths = vec![Vec::new(); longest + 1];
    for word in LOREM {
        lengths[word.len()].push(*word);
    }
    lengths
});

struct Lorem {
    key: DomainKey,
}

/// Appends words of `count` letters in all, in the case of `case`.
fn push_letters(count: usize, stream: &mut Stream, case: &mut impl Iterator<Item = bool>, out: &mut String) {
    let mut left = count;
    while left > 0 {
        let words = BY_LENGTH[..BY_LENGTH.len().min(left + 1)].iter().rev().find(|words| !words.is_empty());
        let words = words.expect("the list has a word of one letter");
        let word = words[stream.below(words.len() as u64) as usize];
        for letter in word.chars() {
            let upper = case.next().unwrap_or(false);
            out.push(if upper { letter.to_ascii_uppercase() } else { letter });
        }
        left -= word.len();
    }
}

impl TextKind for Lorem {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let mut stream = Stream::new(self.key.xof(Purpose::Stream, value.as_bytes()));
        let mut rest = value;
        while let Some(first) = rest.chars().next() {
            let class = |c: char| (is_kept(c), c.is_ascii_digit());
            let end = rest.find(|c| class(c) != class(first)).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            match class(first) {
                (true, _) => out.push_str(run),
                (_, true) => {
                    for _ in run.chars() {
                        out.push(char::from(b'0' + stream.below(10) as u8));
                    }
                }
                _ => {
                    let mut case = run.chars().map(is_upper);
                    push_letters(run.chars().count(), &mut stream, &mut case, out);
                }
            }
            rest = after;
        }
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }
}

fn placeholder(params: &Params) -> &str {
    params.get("placeholder").and_then(|value| value.as_str()).unwrap_or("")
}

fn compile_drop(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    TextMask::boxed(compile, Placeholder(placeholder(&compile.spec.params).to_owned()))
}

struct Placeholder(String);

impl TextKind for Placeholder {
    type Scratch = ();

    fn mask(&self, _value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        out.push_str(&self.0);
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MasterKey, mask_value};

    fn one(kind: &str, json: &str, value: &str) -> String {
        let params = serde_json::from_str(json).unwrap();
        mask_value(&MasterKey::test().realm("default"), kind, "", params, None, value).unwrap().unwrap()
    }

    #[test]
    fn lorem_keeps_length_case_and_punctuation() {
        for text in [
            "Bob called twice. Ring him back on 1 July!",
            "«Łódź» — 東京 100 %, ok?\nBYE",
            "a b-c d_e",
            "Donaudampfschifffahrtsgesellschaftskapitän",
            "😀 ա e\u{301}",
        ] {
            let mask = one("text.lorem", "{}", text);
            assert_eq!(mask.chars().count(), text.chars().count(), "{mask}");
            for (before, after) in text.chars().zip(mask.chars()) {
                if is_kept(before) {
                    assert_eq!(before, after, "{mask}");
                } else {
                    assert_eq!(before.is_ascii_digit(), after.is_ascii_digit(), "{mask}");
                    assert!(after.is_ascii_alphanumeric() && before.is_uppercase() == after.is_uppercase(), "{mask}");
                }
            }
        }
        assert_eq!(one("text.lorem", "{}", "Bob called"), one("text.lorem", "{}", "Bob called"));
        assert_ne!(one("text.lorem", "{}", "Bob called"), one("text.lorem", "{}", "Tom called"));
    }

    #[test]
    fn lorem_matches_its_golden_vector() {
        assert_eq!(
            one("text.lorem", "{}", "Bob called twice. Ring him back on 1 July!"),
            "Eum maxime nobis. Quam vel odio in 2 Quos!"
        );
    }

    #[test]
    fn the_list_has_a_word_of_one_letter_and_only_small_ascii_letters() {
        assert!(!BY_LENGTH[1].is_empty() && LOREM.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
    }

    #[test]
    fn dropped_texts_leave_the_placeholder() {
        assert_eq!(one("text.drop", "{}", "secret"), "");
        assert_eq!(one("text.drop", r#"{"placeholder":"[removed]"}"#, "secret"), "[removed]");
        assert_eq!(one("text.drop", "{}", " "), " ");
    }
}
