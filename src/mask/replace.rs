//! Values the user replaces by hand: `replace/1`.
//!
//! Construction: without `inside` a value equal to a key of `map`, byte by byte, becomes its text; all others go to
//! `else`. With `inside = true` the value is read from left to right, at each place the longest key that stands there is
//! replaced, and replaced text is not read again; the pieces between go to `else`, each for itself, or stay with
//! `else = "keep"`, which has to be written. A text that no longer fits `varchar(n)` loses its tail. In a column that is not
//! text the map is of values: `1.5` is `1.50`, and `else` has to be written, because a pattern is of texts.

use super::column::{ColumnMask, Compile, CompileError, MaskError};
use super::kind::{Domain, Param};
use super::leaf::{At, TEXT};
use super::listed::{self, ELSE_NEEDED, Known, Listed};
use super::row::{Otherwise, RowKind, RowMask, cut};
use super::{Injective, KeyedOn, Kind, Shape, chars};
use serde_json::Value;

pub(super) static REPLACE: Kind = Kind {
    name: "replace",
    remains: |_| super::Remains::Open,
    summary: "Replaces texts of a map by others, as whole values or anywhere inside",
    params: &[
        Param { name: "map", summary: "a table of text = replacement", domain: Domain::Any, default: "required" },
        Param {
            name: "inside",
            summary: "replace wherever a text of the map stands, not only whole values",
            domain: Domain::Bool,
            default: "false",
        },
        Param {
            name: "else",
            summary: "what becomes of all else: \"pattern\", \"null\", \"fail\" or a mask; with `inside` also \"keep\"",
            domain: Domain::Any,
            default: "pattern; with `inside`, and in a column that is no text, it must be given",
        },
    ],
    accepts: listed::TYPES,
    keyed_on: KeyedOn::Either,
    injective: Injective::No,
    samples: &["internal"],
    least: |params| {
        let inside = params.get("inside").and_then(Value::as_bool).unwrap_or(false);
        let texts = params.get("map").and_then(Value::as_object).filter(|_| !inside);
        let longest = texts.into_iter().flatten().filter_map(|(_, text)| text.as_str()).map(chars).max();
        longest.map_or(Vec::new(), |longest| vec![longest])
    },
    compile,
    ..TEXT
};

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let wrong = || compile.bad_param("map", "a table of text = replacement, none of the texts empty");
    let table = compile.spec.params.get("map").and_then(Value::as_object).filter(|table| !table.is_empty());
    let pairs = table.ok_or_else(wrong)?.iter().map(|(text, replacement)| {
        let replacement = replacement.as_str().filter(|_| !text.is_empty());
        replacement.map(|replacement| (text.clone(), replacement.to_owned()))
    });
    let mut map: Vec<(String, String)> = pairs.collect::<Option<_>>().ok_or_else(wrong)?;
    map.sort_unstable();
    let inside = compile.flag("inside", false);
    let Shape::Text { chars_max, .. } = compile.shape else { return typed(compile, &map, inside) };
    if !inside {
        return Ok(RowMask::boxed(compile, Whole { map, otherwise: Otherwise::from_else(compile)? }));
    }
    let between = match compile.spec.params.get("else").map(Value::as_str) {
        None => {
            let expected = "given with `inside`: \"keep\" leaves the text between as it is, a mask replaces it too";
            return Err(compile.bad_param("else", expected));
        }
        Some(Some("keep")) => None,
        Some(_) => Some(Otherwise::from_else(compile)?),
    };
    // Longest first: the first key that fits a place is the one to take.
    map.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    let mut by_byte = vec![Vec::new(); 256];
    for (index, (text, _)) in map.iter().enumerate() {
        by_byte[usize::from(text.as_bytes()[0])].push(index);
    }
    Ok(RowMask::boxed(compile, Inside { map, by_byte, between, chars_max }))
}

/// A map in a column that is not text. What is replaced may be somebody's: an entry is told by its replacement.
fn typed(compile: &Compile<'_>, map: &[(String, String)], inside: bool) -> Result<Box<dyn ColumnMask>, CompileError> {
    if inside {
        return Err(compile.bad_param("inside", "left out: the values of the column are no texts"));
    }
    if !compile.spec.params.contains_key("else") {
        return Err(compile.bad_param("else", ELSE_NEEDED));
    }
    let wrong = |what: &str| {
        let expected = format!("a table of values of the column's type, written as texts; {what}");
        compile.bad_param("map", &expected)
    };
    let texts: Vec<String> = map.iter().map(|(_, replacement)| replacement.clone()).collect();
    let masks =
        listed::read(&compile.shape, &texts).map_err(|index| wrong(&format!("\"{}\" is none", texts[index])))?;
    let picks = Known::read(&compile.shape, map.iter().map(|(text, _)| text.as_str()))
        .map_err(|index| wrong(&format!("the text that becomes \"{}\" is none", texts[index])))?;
    if picks.len() < map.len() {
        return Err(wrong("it has one value twice"));
    }
    let (shape, otherwise) = (compile.shape.clone(), Otherwise::from_else(compile)?);
    Ok(Box::new(Listed { picks, shape, texts, masks, otherwise }))
}

/// The value as a whole; keys are sorted.
struct Whole {
    map: Vec<(String, String)>,
    otherwise: Otherwise,
}

impl RowKind for Whole {
    fn mask(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        match self.map.binary_search_by(|(text, _)| text.as_str().cmp(value)) {
            Ok(index) => {
                out.push_str(&self.map[index].1);
                Ok(true)
            }
            Err(_) => self.otherwise.mask(value, at, out),
        }
    }

    fn after(&self) -> Vec<usize> {
        self.otherwise.after()
    }
}

struct Inside {
    map: Vec<(String, String)>,
    /// Keys by their first byte, longest first.
    by_byte: Vec<Vec<usize>>,
    /// None: what stands between stays.
    between: Option<Otherwise>,
    chars_max: Option<u32>,
}

impl Inside {
    /// Finds the next key at or after `from`: where it begins, and which.
    fn next(&self, value: &str, from: usize) -> Option<(usize, usize)> {
        let bytes = value.as_bytes();
        (from..bytes.len()).find_map(|at| {
            let fits = |index: &&usize| bytes[at..].starts_with(self.map[**index].0.as_bytes());
            self.by_byte[usize::from(bytes[at])].iter().find(fits).map(|index| (at, *index))
        })
    }

    fn between(&self, piece: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        match &self.between {
            Some(otherwise) if !super::canon::is_blank(piece) => otherwise.mask(piece, at, out),
            _ => {
                out.push_str(piece);
                Ok(true)
            }
        }
    }
}

impl RowKind for Inside {
    fn mask(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        let start = out.len();
        let mut from = 0;
        let mut whole = true;
        while let Some((found, index)) = self.next(value, from) {
            whole &= self.between(&value[from..found], at, out)?;
            let (text, replacement) = &self.map[index];
            out.push_str(replacement);
            from = found + text.len();
        }
        whole &= self.between(&value[from..], at, out)?;
        if !whole {
            out.truncate(start);
        }
        cut(out, start, self.chars_max);
        Ok(whole)
    }

    fn after(&self) -> Vec<usize> {
        self.between.as_ref().map_or(Vec::new(), Otherwise::after)
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::{MasterKey, ValueError, kind, mask_value};

    fn tried(json: &str, value: &str) -> Result<Option<String>, ValueError> {
        mask_value(&MasterKey::test().realm("default"), "replace", "", serde_json::from_str(json).unwrap(), None, value)
    }

    fn one(json: &str, value: &str) -> String {
        tried(json, value).unwrap().unwrap()
    }

    #[test]
    fn whole_values_are_replaced_and_others_are_not_kept() {
        let map = r#"{"map":{"Acme":"Example Corp","Bob":""}}"#;
        assert_eq!((one(map, "Acme").as_str(), one(map, "Bob").as_str()), ("Example Corp", ""));
        let pattern = mask_value(
            &MasterKey::test().realm("default"),
            "pattern",
            "",
            crate::mask::Params::new(),
            None,
            "Acme Ltd",
        );
        assert_eq!(tried(map, "Acme Ltd"), pattern);
        let with = |otherwise: &str| tried(&format!(r#"{{"map":{{"a":"b"}},"else":{otherwise}}}"#), "Zoe");
        assert_eq!(with(r#""null""#), Ok(None));
        assert_eq!(with(r#"{"mask":"const","value":"other"}"#), Ok(Some("other".into())));
        assert!(matches!(with(r#""fail""#), Err(ValueError::Mask(_))));
        assert!(matches!(with(r#""keep""#), Err(ValueError::Compile(_))));
    }

    #[test]
    fn texts_inside_are_replaced_longest_first_and_once() {
        let map = r#"{"map":{"Acme":"X","Acme Corp":"Acme Y","é":"e"},"inside":true,"else":"keep"}"#;
        assert_eq!(one(map, "At Acme Corp and Acme: café"), "At Acme Y and X: cafe");
        assert_eq!(one(map, "nothing here"), "nothing here");
        let masked = r#"{"map":{"Acme":"X"},"inside":true,"else":"pattern"}"#;
        let mask = one(masked, "Bob at Acme");
        assert!(mask.ends_with('X') && !mask.contains("Bob") && mask.len() == "Bob at X".len());
        assert_eq!(tried(r#"{"map":{"Acme":"X"},"inside":true,"else":"null"}"#, "Bob at Acme"), Ok(None));
    }

    #[test]
    fn maps_without_sense_are_refused() {
        for json in [
            "{}",
            r#"{"map":{}}"#,
            r#"{"map":{"":"x"}}"#,
            r#"{"map":{"a":1}}"#,
            r#"{"map":["a"]}"#,
            r#"{"map":{"a":"b"},"inside":true}"#,
        ] {
            assert!(matches!(tried(json, "x"), Err(ValueError::Compile(_))), "{json}");
        }
        let least = kind("replace").unwrap().least;
        assert_eq!(least(&serde_json::from_str(r#"{"map":{"a":"bcd"}}"#).unwrap()), [3]);
    }
}
