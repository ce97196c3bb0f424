//! Members of a small set: `enum.sample/1`, `enum.rr/1`, `enum.perm/1`.
//!
//! The set is the labels of an enum type, `true` and `false` of a boolean, or the `values` written for a text.
//!
//! ```toml
//! mood = "enum.perm"
//! plan = { mask = "enum.sample", subject = "id", weights = { free = 20, gold = 1 } }
//! voted = { mask = "enum.rr", subject = "id", threshold = 3221225472 }   # keeps three in four
//! smokes = { mask = "enum.rr", subject = "id", epsilon = 1.1 }
//! ```

use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT, TextBuilder, TextKind, TextMask};
use super::token::{Perm, Purpose, below, frame, word};
use super::{Injective, KeyedOn, Kind, Params, Shape, Takes, chars};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use serde_json::Value;
use std::sync::Arc;

const VALUES: Param = Param {
    name: "values",
    summary: "The set, for a text column; an enum type brings its labels",
    domain: Domain::Texts,
    default: "the labels of the type",
};

/// Beyond it a draw of 32 bits keeps every value.
const EPSILON_MAX: f64 = 20.0;
/// Draws use 32 bits.
const WEIGHT_MAX: u64 = 1 << 32;

const CHOICE: Kind = Kind {
    accepts: &[Takes::Enum, Takes::Bool, Takes::Text],
    keyed_on: KeyedOn::Subject,
    injective: Injective::No,
    needs_subject: true,
    samples: &["gold"],
    least: longest,
    compile,
    ..TEXT
};

/// The longest member that is written in the policy.
fn longest(params: &Params) -> Vec<u32> {
    let values = params.get("values").and_then(Value::as_array);
    let values = values.into_iter().flatten().filter_map(Value::as_str).map(chars).max();
    let weights = params.get("weights").and_then(Value::as_object);
    let weights = weights.into_iter().flatten().map(|(name, _)| chars(name)).max();
    values.max(weights).into_iter().collect()
}

pub(super) static SAMPLE: Kind = Kind {
    name: "enum.sample",
    summary: "Draws a member of the set, by weights, whatever the value is",
    params: &[
        VALUES,
        Param {
            name: "weights",
            summary: "Whole number per member, { gold = 1, free = 20 }, in sum at most 2^32; others are never drawn",
            domain: Domain::Any,
            default: "all equal",
        },
        ON_INVALID,
    ],
    ..CHOICE
};

pub(super) static RANDOMIZED: Kind = Kind {
    name: "enum.rr",
    remains: |_| super::Remains::Part,
    summary: "Keeps the value in a known share of the rows and draws another member in the rest (randomized response)",
    params: &[
        Param {
            name: "threshold",
            summary: "Share of rows that keep their value, times 2^32: e^ε / (e^ε + k - 1) for k members",
            domain: Domain::Integer { min: 0, max: WEIGHT_MAX as i64, unit: "parts of 2^32" },
            default: "required, or epsilon",
        },
        Param {
            name: "epsilon",
            summary: "The ε of differential privacy of one answer, above 0 and up to 20, in place of `threshold`",
            domain: Domain::Any,
            default: "none",
        },
        VALUES,
        ON_INVALID,
    ],
    ..CHOICE
};

pub(super) static PERM: Kind = Kind {
    name: "enum.perm",
    summary: "Swaps the members of the set among each other; keeps frequencies, so rare members can be told",
    params: &[VALUES, ON_INVALID],
    keyed_on: KeyedOn::Value,
    injective: Injective::ByConstruction,
    needs_subject: false,
    ..CHOICE
};

enum Op {
    /// Sums of the weights up to each member.
    Sample(Vec<u64>),
    Randomized {
        threshold: u64,
    },
    Perm(Box<Perm>),
}

struct Choice {
    /// Sorted by bytes, so that the order of a type's labels does not matter.
    set: Vec<String>,
    op: Op,
    key: DomainKey,
    slot: Option<usize>,
    /// The name of the column without its table: draws of two columns have nothing to do with each other.
    column: String,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let (kind, params) = (&compile.spec.kind, &compile.spec.params);
    let weights = match params.get("weights") {
        None => None,
        Some(Value::Object(table)) => Some(table),
        Some(_) => return Err(compile.bad_param("weights", "a table of member = whole number")),
    };
    let written = params
        .get("values")
        .and_then(Value::as_array)
        .map(|values| values.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect::<Vec<String>>());
    let mut set: Vec<String> = match (&compile.shape, written) {
        (Shape::Text { .. }, Some(values)) => values,
        (Shape::Text { .. }, None) => match weights {
            Some(weights) => weights.keys().cloned().collect(),
            None => return Err(compile.bad_param("values", "given for a text column: the set")),
        },
        (_, Some(_)) => return Err(compile.bad_param("values", "left out: the type has its own")),
        (Shape::Enum(labels), None) => labels.to_vec(),
        (Shape::Bool, None) => vec!["false".to_owned(), "true".to_owned()],
        _ => return Err(compile.wrong_shape()),
    };
    set.sort_unstable();
    let distinct = set.windows(2).all(|pair| pair[0] != pair[1]) && !set.iter().any(String::is_empty);
    if set.is_empty() || !distinct {
        return Err(compile.bad_param("values", "different texts, at least one"));
    }
    if let Shape::Text { chars_max: Some(chars_max), .. } = compile.shape
        && set.iter().any(|member| member.chars().count() > chars_max as usize)
    {
        return Err(compile.bad_param("values", "texts that fit the column"));
    }
    let key = compile.realm.domain(kind, &compile.spec.label);
    let op = match kind.split('/').next() {
        Some("enum.sample") => Op::Sample(sums(compile, &set, weights)?),
        Some("enum.rr") => Op::Randomized { threshold: threshold(compile, set.len())? },
        _ => Op::Perm(Box::new(Perm::new(&key, set.len() as u128, b"enum"))),
    };
    let column = compile.column_name().rsplit('.').next().unwrap_or_default().to_owned();
    let choice = Choice { set, op, key, slot: compile.subject, column };
    match compile.shape {
        Shape::Text { .. } => TextMask::boxed(compile, choice),
        _ => Ok(Box::new(ChoiceColumn { choice, bool: compile.shape == Shape::Bool })),
    }
}

/// Share of rows, in parts of 2^32, that keep their value. A share made from ε is rounded down, to the side of privacy.
fn threshold(compile: &Compile<'_>, members: usize) -> Result<u64, CompileError> {
    let written = compile.number("threshold").map(i64::unsigned_abs);
    let Some(epsilon) = compile.spec.params.get("epsilon") else {
        return written.ok_or_else(|| compile.bad_param("threshold", "given, or `epsilon` in its place"));
    };
    if written.is_some() {
        return Err(compile.bad_param("epsilon", "left out beside `threshold`"));
    }
    let epsilon = epsilon.as_f64().filter(|epsilon| *epsilon > 0.0 && *epsilon <= EPSILON_MAX);
    let epsilon = epsilon.ok_or_else(|| compile.bad_param("epsilon", "a number above 0 and up to 20"))?;
    // The same code on every platform.
    let odds = libm::exp(epsilon);
    Ok((odds / (odds + (members - 1) as f64) * WEIGHT_MAX as f64) as u64)
}

fn sums(
    compile: &Compile<'_>,
    set: &[String],
    weights: Option<&serde_json::Map<String, Value>>,
) -> Result<Vec<u64>, CompileError> {
    let wrong = || compile.bad_param("weights", "whole numbers of members of the set, in sum from 1 to 2^32");
    if let Some(weights) = weights
        && weights.keys().any(|member| !set.contains(member))
    {
        return Err(wrong());
    }
    let mut sum = 0_u64;
    let mut sums = Vec::with_capacity(set.len());
    for member in set {
        let weight = match weights {
            None => 1,
            Some(weights) => weights.get(member).map_or(Some(0), Value::as_u64).ok_or_else(wrong)?,
        };
        sum = sum.checked_add(weight).filter(|sum| *sum <= WEIGHT_MAX).ok_or_else(wrong)?;
        sums.push(sum);
    }
    if sum == 0 { Err(wrong()) } else { Ok(sums) }
}

impl Choice {
    fn find(&self, value: &str) -> Option<usize> {
        self.set.binary_search_by(|member| member.as_str().cmp(value)).ok()
    }

    /// Chooses the mask of a value; none if the value has to be of the set and is not.
    fn choose(&self, value: &str, subject: Option<&str>) -> Option<&str> {
        let draws = || {
            // A row without a subject is drawn for by its value.
            let own = if subject.is_none() { value } else { "" };
            let parts = [subject.unwrap_or_default(), &self.column, own].map(str::as_bytes);
            self.key.hash(Purpose::Stream, &frame(&parts))
        };
        let chosen = match &self.op {
            Op::Sample(sums) => {
                let drawn = below(word(&draws(), 0), *sums.last()?);
                sums.partition_point(|sum| *sum <= drawn)
            }
            Op::Randomized { threshold } => {
                let (own, draws, others) = (self.find(value)?, draws(), self.set.len() as u64 - 1);
                if others == 0 || below(word(&draws, 0), WEIGHT_MAX) < *threshold {
                    own
                } else {
                    let other = below(word(&draws, 1), others) as usize;
                    other + usize::from(other >= own)
                }
            }
            Op::Perm(perm) => perm.apply(self.find(value)? as u128) as usize,
        };
        self.set.get(chosen).map(String::as_str)
    }
}

impl TextKind for Choice {
    type Scratch = ();

    fn mask(&self, value: &str, at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let chosen = self.choose(value, at.subject(self.slot));
        out.push_str(chosen.unwrap_or_default());
        chosen.is_some()
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        matches!(self.op, Op::Sample(_)) || self.find(value).is_some()
    }

    fn listed(&self) -> bool {
        true
    }
}

/// A choice in a column of an enum type or of booleans.
struct ChoiceColumn {
    choice: Choice,
    bool: bool,
}

impl ChoiceColumn {
    fn choose(&self, value: &str, row: usize, rows: &Rows<'_>) -> Result<&str, MaskError> {
        let subject = self.choice.slot.and_then(|slot| rows.subject(slot, row));
        let unknown = || MaskError::at(row, "the label is not one the type had when the plan was made");
        self.choice.choose(value, subject).ok_or_else(unknown)
    }
}

impl ColumnMask for ChoiceColumn {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        if self.bool {
            let values = column.as_boolean_opt().ok_or_else(wrong)?;
            let mut masked = Vec::with_capacity(values.len());
            for row in 0..values.len() {
                let value = if values.value(row) { "true" } else { "false" };
                masked.push(values.is_valid(row) && self.choose(value, row, rows)? == "true");
            }
            return Ok(Arc::new(BooleanArray::new(masked.into(), values.nulls().cloned())));
        }
        let labels = column.as_string_view_opt().ok_or_else(wrong)?;
        let mut masked = TextBuilder::new(labels.len(), labels.total_bytes_len());
        for row in 0..labels.len() {
            let present = labels.is_valid(row);
            if present {
                masked.values.push_str(self.choose(labels.value(row), row, rows)?);
            }
            masked.close(present)?;
        }
        masked.finish()
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        out.push_str(self.choose(value, row, rows)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;
    use std::collections::BTreeMap;

    fn choice(op: impl FnOnce(&DomainKey) -> Op) -> Choice {
        let key = MasterKey::test().realm("default").domain("enum.perm/1", "");
        let op = op(&key);
        let set = ["blue", "gold", "green", "red"].map(str::to_owned).to_vec();
        Choice { set, op, key, slot: None, column: "plan".to_owned() }
    }

    fn counts(choice: &Choice, value: &str) -> BTreeMap<String, u32> {
        let mut counts = BTreeMap::new();
        for subject in 0..40_000 {
            let chosen = choice.choose(value, Some(&subject.to_string())).unwrap();
            *counts.entry(chosen.to_owned()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn permutation_is_one() {
        let perm = choice(|key| Op::Perm(Box::new(Perm::new(key, 4, b"enum"))));
        let masks = ["blue", "gold", "green", "red"].map(|value| perm.choose(value, None).unwrap());
        assert_eq!(masks, ["gold", "green", "blue", "red"], "golden");
        assert_eq!(perm.choose("black", None), None);
    }

    #[test]
    fn samples_follow_the_weights_and_not_the_value() {
        let sample = choice(|_| Op::Sample(vec![1, 1, 4, 8]));
        let found = counts(&sample, "gold");
        assert!(!found.contains_key("gold"));
        for (member, share) in [("blue", 5_000_u32), ("green", 15_000), ("red", 20_000)] {
            assert!(found[member].abs_diff(share) < 450, "{found:?}");
        }
        assert_eq!(found, counts(&sample, "black"));
    }

    #[test]
    fn randomized_response_keeps_the_share_it_says() {
        let randomized = choice(|_| Op::Randomized { threshold: 3 << 30 });
        let found = counts(&randomized, "gold");
        assert!(found["gold"].abs_diff(30_000) < 450, "{found:?}");
        assert!(["blue", "green", "red"].iter().all(|member| found[*member].abs_diff(3_333) < 300), "{found:?}");
        let all = choice(|_| Op::Randomized { threshold: WEIGHT_MAX });
        assert_eq!(counts(&all, "red").len(), 1);
        let none = choice(|_| Op::Randomized { threshold: 0 });
        assert!(!counts(&none, "red").contains_key("red"));
    }

    #[test]
    fn epsilon_and_its_threshold_give_the_same_masks() {
        // e^ε / (e^ε + k - 1) for ε = 1.5 and three members: 0.69143845, cut to 32 bits.
        let values = r#""values":["a","b","c"]"#;
        let masked = |share: &str, row: u32| {
            let json = format!("{{{values},{share}}}");
            crate::mask::tests::value("enum.rr", &json, Some(&row.to_string()), "a").expect("a mask")
        };
        let mut kept = 0;
        for row in 0..2_000 {
            assert_eq!(masked("\"epsilon\":1.5", row), masked("\"threshold\":2969705547", row), "{row}");
            kept += u32::from(masked("\"epsilon\":1.5", row) == "a");
        }
        assert!((1_300..1_465).contains(&kept), "{kept} of 2000 for a share of 0.691");
        for bad in
            ["\"epsilon\":0", "\"epsilon\":-1", "\"epsilon\":\"1\"", "\"epsilon\":1,\"threshold\":7", "\"epsilon\":21"]
        {
            let params = serde_json::from_str(&format!("{{{values},{bad}}}")).expect("JSON");
            let realm = crate::mask::MasterKey::test().realm("default");
            assert!(crate::mask::mask_value(&realm, "enum.rr", "", params, Some("1"), "a").is_err(), "{bad}");
        }
    }
}
