//! Names that follow the value instead of a person: `company/1`, `name.value/1`.
//!
//! Frozen: the stream of the canonical value draws a last name with word 0 and, with word 1, one of the suffixes of
//! companies; `unique = true` appends a blank and the 80-bit tag of the value. `name.value` is the persona of the canonical
//! value, drawn with the key of `name.value/1` instead of that of `persona/1`.

use super::canon::push_canonical;
use super::column::{ColumnMask, Compile, CompileError};
use super::dict::{COMPANY_SUFFIXES, LAST};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::leaf::{Asks, At, FOLD, TEXT, TextMask};
use super::locale::LOCALES;
use super::person::{NAME_FIRST, NAME_FULL, NAME_LAST, Persona};
use super::token::{Purpose, below, push_b32, word};
use super::{Injective, KeyedOn, Kind, Params, Promise};

pub(super) static COMPANY: Kind = Kind {
    name: "company",
    remains: |_| super::Remains::Names,
    summary: "Replaces names of companies; equal names stay equal",
    params: &[
        Param {
            name: "unique",
            summary: "a token of 80 bits follows the name, so that two companies do not share a mask",
            domain: Domain::Bool,
            default: "false",
        },
        FOLD,
    ],
    injective: Injective::No,
    promises: Some(|params| Promise {
        keyed_on: KeyedOn::Value,
        injective: if is_unique(params) { Injective::Bits80 } else { Injective::No },
        needs_subject: false,
        capacity: None,
    }),
    folds: true,
    samples: &["Acme Corp.", "Miller & Sons Ltd"],
    least: |params| {
        let suffix = COMPANY_SUFFIXES.iter().map(|suffix| suffix.len()).max().unwrap_or(0) as u32;
        let name = LOCALES[0].last_longest() + 1 + suffix;
        if is_unique(params) { vec![name + 1 + TOKEN, TOKEN] } else { vec![name, LOCALES[0].last_longest()] }
    },
    compile: compile_company,
    ..TEXT
};

pub(super) static NAME_VALUE: Kind = Kind {
    name: "name.value",
    remains: |_| super::Remains::Names,
    summary: "Replaces names of persons by the value: equal names stay equal, which also keeps how frequent each is",
    params: &[
        Param {
            name: "part",
            summary: "which name the column holds",
            domain: Domain::OneOf(&["first", "last", "full"]),
            default: "full",
        },
        FOLD,
    ],
    injective: Injective::No,
    folds: true,
    samples: &["Robert Miller"],
    least: |params| match params.get("part").and_then(|part| part.as_str()) {
        Some("first") => (NAME_FIRST.least)(params),
        Some("last") => (NAME_LAST.least)(params),
        _ => (NAME_FULL.least)(params),
    },
    compile: compile_name,
    ..TEXT
};

fn is_unique(params: &Params) -> bool {
    params.get("unique").and_then(|unique| unique.as_bool()) == Some(true)
}

/// Characters of an 80-bit tag.
const TOKEN: u32 = 16;

struct Company {
    key: DomainKey,
    unique: bool,
    fold: bool,
    tier: u8,
}

fn compile_company(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let company = Company {
        key: compile.realm.domain("company/1", &compile.spec.label),
        unique: compile.flag("unique", false),
        fold: compile.flag("fold", true),
        tier: compile.tier(),
    };
    TextMask::boxed(compile, company)
}

impl Asks for Company {
    type Scratch = String;
    type Note = ();

    fn ask(&self, value: &str, _at: At<'_>, canonical: &mut String, queue: &mut Queue) -> Option<()> {
        canonical.clear();
        push_canonical(value, self.fold, canonical);
        queue.hash(&self.key, &[&[Purpose::Stream as u8], canonical.as_bytes()]);
        if self.unique {
            queue.hash(&self.key, &[&[Purpose::Tag as u8], canonical.as_bytes()]);
        }
        Some(())
    }

    fn answer(
        &self,
        _value: &str,
        _note: (),
        _at: At<'_>,
        _canonical: &mut String,
        queue: &mut Queue,
        out: &mut String,
    ) {
        let stream = *queue.next_hash();
        if !self.unique || self.tier == 0 {
            out.push_str(LAST.draw(word(&stream, 0)));
        }
        if self.tier == 0 {
            out.push(' ');
            out.push_str(COMPANY_SUFFIXES[below(word(&stream, 1), COMPANY_SUFFIXES.len() as u64) as usize]);
        }
        if self.unique {
            if self.tier == 0 {
                out.push(' ');
            }
            push_b32(&queue.next_hash()[..10], out);
        }
    }

    fn reads(&self, _value: &str, _canonical: &mut String) -> bool {
        true
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    First,
    Last,
    Full,
}

struct NameValue {
    persona: Persona,
    part: Part,
    fold: bool,
}

fn compile_name(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let part = match compile.word("part") {
        Some("first") => Part::First,
        Some("last") => Part::Last,
        _ => Part::Full,
    };
    let persona = Persona::keyed(compile.realm.domain("name.value/1", &compile.spec.label));
    TextMask::boxed(compile, NameValue { persona, part, fold: compile.flag("fold", true) })
}

impl Asks for NameValue {
    type Scratch = String;
    type Note = ();

    fn ask(&self, value: &str, _at: At<'_>, canonical: &mut String, queue: &mut Queue) -> Option<()> {
        canonical.clear();
        push_canonical(value, self.fold, canonical);
        if self.part != Part::Last {
            self.persona.ask_first(&LOCALES[0], canonical, None, queue);
        }
        if self.part != Part::First {
            self.persona.ask_last(&LOCALES[0], canonical, None, queue);
        }
        Some(())
    }

    fn answer(
        &self,
        _value: &str,
        _note: (),
        _at: At<'_>,
        _canonical: &mut String,
        queue: &mut Queue,
        out: &mut String,
    ) {
        out.push_str(queue.next_drawn());
        if self.part == Part::Full {
            out.push(' ');
            out.push_str(queue.next_drawn());
        }
    }

    fn reads(&self, _value: &str, _canonical: &mut String) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::tests::{one, value};
    use std::collections::HashSet;

    #[test]
    fn equal_companies_stay_equal_in_any_case() {
        let mask = one("company", "Acme Corp.");
        assert_eq!(one("company", " ACME  corp."), mask);
        assert_ne!(value("company", r#"{"fold":false}"#, None, "ACME corp."), Some(mask.clone()));
        let (name, suffix) = mask.split_once(' ').expect("a name and what kind of company it is");
        assert!(LAST.values().any(|last| last == name) && COMPANY_SUFFIXES.contains(&suffix), "{mask}");
    }

    #[test]
    fn unique_companies_begin_with_the_name_and_do_not_meet() {
        let unique = |text: &str| value("company", r#"{"unique":true}"#, None, text).expect("a mask");
        let mask = unique("Acme Corp.");
        assert_eq!(mask[..mask.len() - 17], one("company", "Acme Corp."));
        let masks: HashSet<String> = (0..5_000).map(|i| unique(&format!("Company {i}"))).collect();
        assert_eq!(masks.len(), 5_000);
        let params = |json: &str| serde_json::from_str(json).expect("JSON");
        assert_eq!(COMPANY.promise(&params(r#"{"unique":true}"#)).injective, Injective::Bits80);
        assert_eq!(COMPANY.promise(&params("{}")).injective, Injective::No);
    }

    #[test]
    fn parts_of_a_name_are_those_of_the_whole() {
        let part = |part: &str| {
            value("name.value", &format!(r#"{{"part":"{part}"}}"#), None, "Robert Miller").expect("a mask")
        };
        assert_eq!(one("name.value", "robert  MILLER"), format!("{} {}", part("first"), part("last")));
        assert_eq!(part("full"), one("name.value", "Robert Miller"));
        assert_ne!(one("name.value", "Roberta Miller"), part("full"));
    }
}
