//! `zip/1`: postal codes of any country.
//!
//! Frozen: the first `keep` letters and digits stay, but never all but one; what follows them goes through the pattern
//! permutation with the tweak `pat`, `zip`, the kept text, then the class of each character. With `mode = "hipaa3"` a code of
//! five or nine digits keeps three and shows zeros for the rest, as the Safe Harbor method has it (45 CFR
//! 164.514(b)(2)(i)(B)); areas with at most 20 000 people show zeros only.

use super::canon::is_telling;
use super::column::{ColumnMask, Compile, CompileError};
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::pattern::{Pattern, PatternMemo};
use super::{Injective, KeyedOn, Kind, Params, Promise};

pub(super) static ZIP: Kind = Kind {
    name: "zip",
    remains: zip_remains,
    summary: "Permutes postal codes of one form; with `keep` the first characters stay, and so does the region",
    params: &[
        Param {
            name: "keep",
            summary: "leading letters and digits that stay; at least two do not",
            domain: Domain::Integer { min: 0, max: 8, unit: "characters" },
            default: "0",
        },
        Param {
            name: "mode",
            summary: "\"permute\"; \"hipaa3\": US codes keep three digits or none, and are no longer unique",
            domain: Domain::OneOf(&["permute", "hipaa3"]),
            default: "permute",
        },
        ON_INVALID,
    ],
    promises: Some(|params| Promise {
        keyed_on: KeyedOn::Value,
        injective: if is_hipaa(params) { Injective::No } else { Injective::ByConstruction },
        needs_subject: false,
        capacity: None,
    }),
    samples: &["90210", "10115", "SW1A 1AA", "1012 LG"],
    compile,
    ..TEXT
};

fn zip_remains(params: &Params) -> super::Remains {
    match params.contains_key("keep") {
        // Codes that were cut before stay as they are.
        _ if is_hipaa(params) => super::Remains::Open,
        true => super::Remains::Part,
        false => super::Remains::Chance,
    }
}

fn is_hipaa(params: &Params) -> bool {
    params.get("mode").and_then(|mode| mode.as_str()) == Some("hipaa3")
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    if is_hipaa(&compile.spec.params) {
        return TextMask::boxed(compile, Hipaa);
    }
    let pattern = Pattern::of_kind(compile.realm, "zip/1", &compile.spec.label);
    TextMask::boxed(compile, Zip { pattern, keep: compile.number("keep").unwrap_or(0) as usize })
}

/// Letters and digits that are permuted at least.
const PERMUTED_MIN: usize = 2;

struct Zip {
    pattern: Pattern,
    keep: usize,
}

impl TextKind for Zip {
    type Scratch = PatternMemo;

    fn mask(&self, value: &str, _at: At<'_>, memo: &mut PatternMemo, out: &mut String) -> bool {
        let telling = value.chars().filter(|c| is_telling(*c)).count();
        let keep = self.keep.min(telling.saturating_sub(PERMUTED_MIN));
        let end = match keep.checked_sub(1).and_then(|last| value.char_indices().filter(|c| is_telling(c.1)).nth(last))
        {
            Some((at, c)) => at + c.len_utf8(),
            None => 0,
        };
        let (kept, rest) = value.split_at(end);
        let start = out.len();
        out.push_str(kept);
        if !self.pattern.push_permuted_after(&[b"zip", kept.as_bytes()].concat(), rest, memo, out) {
            out.truncate(start);
            self.pattern.push_tag(value, out);
        }
        true
    }

    fn reads(&self, _value: &str, _memo: &mut PatternMemo) -> bool {
        true
    }
}

/// Areas of at most 20 000 people in the census of 2000 or 2010.
const SMALL_AREAS: &[&str] = &[
    "036", "059", "063", "102", "203", "205", "369", "556", "692", "790", "821", "823", "830", "831", "878", "879",
    "884", "890", "893",
];

struct Hipaa;

impl TextKind for Hipaa {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        if !self.reads(value, &mut ()) {
            return false;
        }
        let area: String = value.chars().filter(char::is_ascii_digit).take(3).collect();
        let kept = if SMALL_AREAS.contains(&area.as_str()) { 0 } else { 3 };
        let mut digits = 0;
        for c in value.chars() {
            digits += usize::from(c.is_ascii_digit());
            out.push(if c.is_ascii_digit() && digits > kept { '0' } else { c });
        }
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        let digits = value.chars().filter(char::is_ascii_digit).count();
        matches!(digits, 5 | 9) && value.chars().all(|c| c.is_ascii_digit() || !is_telling(c))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::tests::{one, value};
    use std::collections::HashSet;

    fn zip(json: &str, text: &str) -> String {
        value("zip", json, None, text).expect("a mask")
    }

    #[test]
    fn codes_of_one_form_are_permuted() {
        let masks: HashSet<String> = (0..10_000).map(|code| zip(r#"{"keep":1}"#, &format!("1{code:04}"))).collect();
        assert_eq!(masks.len(), 10_000);
        assert!(masks.iter().all(|mask| mask.len() == 5 && mask.starts_with('1')));
        let british = one("zip", "SW1A 1AA");
        assert!(british.len() == 8 && &british[4..5] == " " && british != "SW1A 1AA");
    }

    #[test]
    fn kept_characters_stay_but_never_all() {
        assert!(zip(r#"{"keep":2}"#, "90210").starts_with("90"));
        assert!(zip(r#"{"keep":3}"#, "SW1A 1AA").starts_with("SW1"));
        assert!(zip(r#"{"keep":2}"#, "L-1009").starts_with("L-1"));
        let masks: HashSet<String> = (0..100).map(|code| zip(r#"{"keep":8}"#, &format!("902{code:02}"))).collect();
        assert!(masks.len() == 100 && zip(r#"{"keep":8}"#, "90210").starts_with("902"));
        assert!((0..100).any(|code| zip(r#"{"keep":8}"#, &format!("902{code:02}")) != format!("902{code:02}")));
    }

    #[test]
    fn safe_harbor_keeps_three_digits_of_large_areas_only() {
        let hipaa = |text: &str| zip(r#"{"mode":"hipaa3"}"#, text);
        assert_eq!(hipaa("90210"), "90200");
        assert_eq!(hipaa("90210-1234"), "90200-0000");
        assert_eq!(hipaa("03601"), "00000");
        assert_eq!(hipaa("059991234"), "000000000");
        for text in ["SW1A 1AA", "9021", "902101"] {
            assert!(!Hipaa.reads(&hipaa(text), &mut ()), "{text}");
        }
        let kind = crate::mask::kind("zip").expect("the kind");
        let params = serde_json::from_str(r#"{"mode":"hipaa3"}"#).expect("JSON");
        assert_eq!(kind.promise(&params).injective, Injective::No);
        assert_eq!(kind.promise(&Params::new()).injective, Injective::ByConstruction);
        assert!(SMALL_AREAS.is_sorted());
    }
}
