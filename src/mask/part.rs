//! Masks of whole values and of their middles: `hash/1`, `partial/1`.
//!
//! # Construction
//!
//! - `hash/1`: the first `length` hexadecimal digits of `xof(K_dom, 1, value)`, lower case. Twenty digits are 80 bits.
//! - `partial/1` keeps the first `keep_first` and the last `keep_last` characters, `a` and `z`. The middle goes through
//!   pattern/1 under `K_dom("partial/1", label)`, with `"partial" || frame(a, z)` after `pat` in the tweak, so each pair
//!   of ends has its own permutation and two values never share a mask. With `fill` there is no permutation: one character stands for each character of the middle, a
//!   longer text for the whole middle.
//! - A value of at most `keep_first + keep_last` characters, or whose middle has no letter and no digit, would be kept as
//!   it is. It is masked as a whole, as if both were 0. Such values never meet others: length and punctuation stay.

use super::column::{ColumnMask, Compile, CompileError};
use super::key::DomainKey;
use super::kind::{Domain, Param, Promise};
use super::leaf::{At, TEXT, TextKind, TextMask};
use super::pattern::{Pattern, PatternMemo};
use super::token::{Purpose, frame};
use super::{Injective, KeyedOn, Kind, Params, chars};

pub(super) static HASH: Kind = Kind {
    name: "hash",
    remains: |_| super::Remains::Rare { bits: 32 },
    summary: "Replaces values by a keyed hash in hexadecimal digits",
    params: &[Param {
        name: "length",
        summary: "hexadecimal digits; 20 or more keep unique columns unique",
        domain: Domain::Integer { min: 8, max: 64, unit: "digits" },
        default: "32",
    }],
    injective: Injective::Bits80,
    lowercase: true,
    samples: &["cus_8842", "Bob"],
    promises: Some(|params| promise(if hash_length(params) >= 20 { Injective::Bits80 } else { Injective::No })),
    least: |params| vec![hash_length(params)],
    compile: |compile| {
        let key = compile.realm.domain("hash/1", &compile.spec.label);
        TextMask::boxed(compile, Hash { key, length: hash_length(&compile.spec.params) as usize })
    },
    ..TEXT
};

pub(super) static PARTIAL: Kind = Kind {
    name: "partial",
    remains: |_| super::Remains::Part,
    summary: "Keeps the first and last characters and masks what is between them",
    params: &[
        Param {
            name: "keep_first",
            summary: "characters kept at the beginning",
            domain: Domain::Integer { min: 0, max: 1_000, unit: "characters" },
            default: "0",
        },
        Param {
            name: "keep_last",
            summary: "characters kept at the end",
            domain: Domain::Integer { min: 0, max: 1_000, unit: "characters" },
            default: "0",
        },
        Param {
            name: "fill",
            summary: "one character for each of the middle, or a longer text for the whole middle; not for unique columns",
            domain: Domain::Text,
            default: "the middle is masked like `pattern`",
        },
    ],
    samples: &["ACME-2024-000123", "Krasnoselskaya"],
    promises: Some(|params| promise(if fill(params).is_some() { Injective::No } else { Injective::ByConstruction })),
    least: partial_least,
    compile: compile_partial,
    ..TEXT
};

fn promise(injective: Injective) -> Promise {
    Promise { keyed_on: KeyedOn::Value, injective, needs_subject: false, capacity: None }
}

fn hash_length(params: &Params) -> u32 {
    params.get("length").and_then(|value| value.as_u64()).unwrap_or(32) as u32
}

struct Hash {
    key: DomainKey,
    length: usize,
}

impl TextKind for Hash {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let hash = blake3::Hash::from_bytes(self.key.hash(Purpose::Tag, value.as_bytes()));
        out.push_str(&hash.to_hex()[..self.length]);
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }
}

fn fill(params: &Params) -> Option<&str> {
    params.get("fill").and_then(|value| value.as_str())
}

fn kept(params: &Params, name: &str) -> usize {
    params.get(name).and_then(|value| value.as_u64()).unwrap_or(0) as usize
}

fn partial_least(params: &Params) -> Vec<u32> {
    match fill(params).map(chars) {
        Some(fill) if fill != 1 => vec![(kept(params, "keep_first") + kept(params, "keep_last")) as u32 + fill],
        _ => Vec::new(),
    }
}

fn compile_partial(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let params = &compile.spec.params;
    if fill(params) == Some("") {
        return Err(compile.bad_param("fill", "a character or a text; `\"\"` would be neither"));
    }
    let partial = Partial {
        pattern: Pattern::of_kind(compile.realm, "partial/1", &compile.spec.label),
        first: kept(params, "keep_first"),
        last: kept(params, "keep_last"),
        fill: fill(params).map(str::to_owned),
    };
    TextMask::boxed(compile, partial)
}

struct Partial {
    pattern: Pattern,
    first: usize,
    last: usize,
    fill: Option<String>,
}

impl Partial {
    /// Splits into first characters, middle and last characters; none if nothing would be masked that way.
    fn split<'a>(&self, value: &'a str) -> Option<(&'a str, &'a str, &'a str)> {
        let count = value.chars().count();
        if count <= self.first + self.last {
            return None;
        }
        let at = |n: usize| value.char_indices().nth(n).map_or(value.len(), |(at, _)| at);
        let (from, to) = (at(self.first), at(count - self.last));
        let parts = (&value[..from], &value[from..to], &value[to..]);
        Pattern::changes(parts.1).then_some(parts)
    }
}

impl TextKind for Partial {
    type Scratch = PatternMemo;

    fn mask(&self, value: &str, _at: At<'_>, memo: &mut PatternMemo, out: &mut String) -> bool {
        let (first, middle, last) = self.split(value).unwrap_or(("", value, ""));
        out.push_str(first);
        match &self.fill {
            Some(fill) if fill.chars().nth(1).is_some() => out.push_str(fill),
            Some(fill) => middle.chars().for_each(|_| out.push_str(fill)),
            None => {
                let mut tweak = b"partial".to_vec();
                tweak.extend_from_slice(&frame(&[first.as_bytes(), last.as_bytes()]));
                if !self.pattern.push_permuted_after(&tweak, middle, memo, out) {
                    self.pattern.push_tag(middle, out);
                }
            }
        }
        out.push_str(last);
        true
    }

    fn reads(&self, _value: &str, _memo: &mut PatternMemo) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MasterKey, RealmKey, kind, mask_value};
    use std::collections::HashSet;

    fn realm() -> RealmKey {
        MasterKey::test().realm("default")
    }

    fn params(json: &str) -> Params {
        serde_json::from_str(json).unwrap()
    }

    fn one(realm: &RealmKey, kind: &str, json: &str, value: &str) -> String {
        mask_value(realm, kind, "", params(json), None, value).unwrap().unwrap()
    }

    #[test]
    fn masks_match_their_golden_vectors() {
        for (kind, json, value, mask) in [
            ("hash", "{}", "Bob", "676010af50e5482a0c7e5add377c8e96"),
            ("hash", r#"{"length":8}"#, "Bob", "676010af"),
            ("partial", r#"{"keep_first":4,"keep_last":2}"#, "ACME-2024-000123", "ACME-8872-728823"),
            ("partial", r#"{"keep_last":4}"#, "4111 1111 1111 1111", "3023 6468 8955 1111"),
        ] {
            assert_eq!(one(&realm(), kind, json, value), mask, "{kind} {json}");
        }
    }

    #[test]
    fn a_fill_stands_for_each_character_or_for_the_middle() {
        let both = |fill: &str, value: &str| {
            one(&realm(), "partial", &format!(r#"{{"keep_first":1,"keep_last":2,"fill":"{fill}"}}"#), value)
        };
        assert_eq!(both("*", "Müller"), "M***er");
        assert_eq!(both("xxxx", "Müller"), "Mxxxxer");
        assert_eq!((both("*", "Bob").as_str(), both("xxxx", "Bob").as_str()), ("***", "xxxx"));
        assert_eq!(both("*", "A--zz"), "*****", "a middle without a letter would leave the value as it is");
    }

    #[test]
    fn partial_masks_are_injective_also_where_nothing_may_be_kept() {
        let realm = realm();
        let json = r#"{"keep_first":1,"keep_last":1}"#;
        let mut values: Vec<String> = (0..100).map(|n| format!("{n:02}")).collect();
        values.extend((0..1_000).map(|n| format!("{n:03}")));
        values.extend((0..1_000).map(|n| format!("{}-{}", n / 10 % 10, n % 10)));
        let values: HashSet<String> = values.into_iter().collect();
        let masks: HashSet<String> = values.iter().map(|value| one(&realm, "partial", json, value)).collect();
        assert_eq!(masks.len(), values.len());
        let mask = one(&realm, "partial", json, "Åbcdé");
        assert!(mask.starts_with('Å') && mask.ends_with('é') && !mask.contains("bcd"));
    }

    #[test]
    fn promises_follow_the_parameters() {
        let promise = |name: &str, json: &str| kind(name).unwrap().promise(&params(json)).injective;
        assert_eq!(promise("hash", "{}"), Injective::Bits80);
        assert_eq!(promise("hash", r#"{"length":20}"#), Injective::Bits80);
        assert_eq!(promise("hash", r#"{"length":19}"#), Injective::No);
        assert_eq!(promise("partial", r#"{"keep_first":2}"#), Injective::ByConstruction);
        assert_eq!(promise("partial", r#"{"keep_first":2,"fill":"*"}"#), Injective::No);
        assert_eq!((kind("hash").unwrap().least)(&params(r#"{"length":19}"#)), [19]);
        assert_eq!((kind("partial").unwrap().least)(&params(r#"{"keep_last":2,"fill":"xxx"}"#)), [5]);
    }
}
