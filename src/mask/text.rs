//! Personal data inside free text: `text.spans/1`.
//!
//! | found | how | masked as |
//! |---|---|---|
//! | e-mail address | around `@`, `%40` in URLs | `email` |
//! | card | 12–19 digits, Luhn; the usual blocks also with a wrong check digit | `card` |
//! | US social security number | 3-2-4; nine digits after a word like SSN | `us.ssn` |
//! | phone | international, North American, national with trunk 0, 10–13 bare digits, 6–15 digits after a word like `tel` | `phone` |
//! | IP address | v4, v6 | `ip` |
//! | URL | credentials and tokens; user names in path and query | `pattern`; `username` |
//! | the row's own names | values of the name, user name, company and address columns of the same row | the mask of that column |
//!
//! A span gets the mask the same value has in a column of that kind and label. Text outside of spans keeps its bytes, and
//! a text without spans is returned as it is. A date, a time, an amount and a number behind `#` are no phone numbers; any
//! other long number may be taken for one. Not looked for: names of persons who have no column in the row, digits other
//! than ASCII, addresses spelled out (`bob at example dot com`). `null` is the choice for columns where that
//! matters.
//!
//! A text that no longer fits `varchar(n)` loses its tail.

mod names;
mod net;
mod numbers;
mod spans;

use super::Shape;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::json::{LEAF, nested_mask};
use super::kind::{Domain, Injective, KeyedOn, Kind, Param, Takes};
use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, StringArray, StringViewArray};
use names::{Names, Role};
use serde_json::Value;
use spans::{Detector, Found, Span};
use std::sync::Arc;

/// The record of `text.spans/1`.
pub static SPANS: Kind = Kind {
    name: "text.spans",
    version: 1,
    summary: "Masks addresses, numbers and the row's own names inside free text",
    params: &[
        Param {
            name: "labels",
            summary: "Label per detector (email, card, us.ssn, phone, ip, username, secret), to join with columns",
            domain: Domain::Any,
            default: "the empty label",
        },
        Param {
            name: "masks",
            summary: "Mask per detector, e.g. { phone = { mask = \"phone\", region = \"US\" }, ip = \"keep\" }",
            domain: Domain::Any,
            default: "the kind of the same name",
        },
    ],
    accepts: &[Takes::Text],
    keyed_on: KeyedOn::Either,
    injective: Injective::No,
    folds: false,
    lowercase: false,
    ranges: false,
    needs_subject: false,
    samples: &["Call me at +1-212-555-0100 or write to bob@example.com."],
    least: |_| Vec::new(),
    compile,
};

/// Names in `labels` and `masks`, and the kind that masks each.
const DETECTORS: [(&str, &str); 7] = [
    ("email", "email"),
    ("card", "card"),
    ("us.ssn", "us.ssn"),
    ("phone", "phone"),
    ("ip", "ip"),
    ("username", "username"),
    ("secret", "pattern"),
];

/// Names the kinds of personal data that stand in a text which is no column: a definition, a comment, a default.
///
/// Stricter than the mask: only what is hardly ever anything else, because the text is full of numbers of its own.
/// Names of persons are not found.
pub fn personal_kinds(text: &str) -> Vec<&'static str> {
    let mut found = Found::default();
    found.find(text, &Names::default());
    let mut kinds: Vec<&'static str> = found
        .spans
        .iter()
        .filter_map(|span| match span.detector {
            Detector::Email | Detector::EncodedEmail => Some("e-mail address"),
            Detector::Card if span.sure => Some("card number"),
            Detector::Ssn => Some("social security number"),
            Detector::Phone if text[span.start..span.end].starts_with('+') => Some("phone number"),
            Detector::Secret => Some("credentials in a URL"),
            _ => None,
        })
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// A shorter original may stand in a mask by chance.
const SURVIVOR_MIN: usize = 6;

struct Spans {
    /// By [`slot`]; none: spans of the detector stay.
    masks: [Option<Box<dyn ColumnMask>>; DETECTORS.len()],
    /// Columns with names of the row, by index in the table.
    sources: Vec<(usize, Role)>,
    chars_max: Option<u32>,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let Shape::Text { chars_max, .. } = compile.shape else { return Err(compile.wrong_shape()) };
    let labels = table(compile, "labels")?;
    let overrides = table(compile, "masks")?;
    let mut masks = [const { None }; DETECTORS.len()];
    for (mask, (name, kind)) in masks.iter_mut().zip(DETECTORS) {
        let label = match labels.and_then(|labels| labels.get(name)) {
            None => "",
            Some(label) => {
                label.as_str().ok_or_else(|| compile.bad_param("labels", "a table of detector = \"label\""))?
            }
        };
        *mask = match overrides.and_then(|masks| masks.get(name)) {
            Some(Value::String(word)) if word == "keep" => None,
            Some(Value::String(kind)) => Some(compile.nested(kind, label, Default::default(), LEAF)?),
            Some(value) => Some(nested_mask(compile, "masks", value)?),
            None => Some(compile.nested(kind, label, Default::default(), LEAF)?),
        };
    }
    Ok(Box::new(Spans { masks, sources: sources(compile), chars_max }))
}

fn table<'a>(
    compile: &'a Compile<'_>,
    param: &str,
) -> Result<Option<&'a serde_json::Map<String, Value>>, CompileError> {
    let names = DETECTORS.map(|(name, _)| name);
    match compile.spec.params.get(param) {
        None => Ok(None),
        Some(Value::Object(table)) if table.keys().all(|key| names.contains(&key.as_str())) => Ok(Some(table)),
        Some(_) => Err(compile.bad_param(param, &format!("a table with keys among {}", names.join(", ")))),
    }
}

/// Returns the columns of the row that hold names. Columns with another subject count too: a note about an order names
/// the seller as well as the buyer.
fn sources(compile: &Compile<'_>) -> Vec<(usize, Role)> {
    let role = |kind: &str, part: Option<&str>| match (kind.split('/').next().unwrap_or(kind), part) {
        ("name.first", _) => Some(Role::First),
        ("name.last", _) => Some(Role::Last),
        ("name.full" | "name.value", _) => Some(Role::Full),
        ("username", _) => Some(Role::Username),
        ("company", _) | ("address", None | Some("street")) => Some(Role::Whole),
        _ => None,
    };
    let columns = compile.table.columns.iter().enumerate().filter(|(index, _)| *index != compile.column);
    columns
        .filter(|(_, column)| matches!(column.shape, Shape::Text { .. }))
        .filter_map(|(index, column)| {
            let mask = column.mask.as_ref()?;
            Some((index, role(&mask.kind, mask.params.get("part").and_then(Value::as_str))?))
        })
        .collect()
}

/// The name columns of a batch.
struct Sources<'a>(Vec<(Role, &'a StringViewArray, &'a StringArray)>);

impl<'a> Sources<'a> {
    fn of(columns: &[(usize, Role)], rows: &Rows<'a>) -> Result<Self, MaskError> {
        let found = columns.iter().map(|&(index, role)| {
            let raw = rows.raw.get(index)?.as_any().downcast_ref::<StringViewArray>()?;
            let masked = rows.masked.get(index)?.as_ref()?.as_any().downcast_ref::<StringArray>()?;
            Some((role, raw, masked))
        });
        found
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or_else(|| MaskError::at(0, "the names of its row are not masked yet"))
    }

    fn fill(&self, row: usize, names: &mut Names) {
        names.clear();
        for (role, raw, masked) in &self.0 {
            if raw.is_valid(row) {
                names.add(*role, raw.value(row), if masked.is_valid(row) { masked.value(row) } else { "" });
            }
        }
    }
}

/// Buffers that live as long as a batch.
#[derive(Default)]
struct Scratch {
    names: Names,
    found: Found,
}

fn slot(detector: Detector) -> Option<usize> {
    match detector {
        Detector::Email | Detector::EncodedEmail => Some(0),
        Detector::Card => Some(1),
        Detector::Ssn => Some(2),
        Detector::Phone => Some(3),
        Detector::Ip => Some(4),
        Detector::Username => Some(5),
        Detector::Secret => Some(6),
        Detector::Name(_) => None,
    }
}

impl Spans {
    fn one(
        &self,
        value: &str,
        row: usize,
        rows: &Rows<'_>,
        sources: &Sources<'_>,
        scratch: &mut Scratch,
        out: &mut String,
    ) -> Result<(), MaskError> {
        sources.fill(rows.row(row), &mut scratch.names);
        scratch.found.find(value, &scratch.names);
        let before = out.len();
        let mut copied = 0;
        for span in &scratch.found.spans {
            out.push_str(&value[copied..span.start]);
            copied = span.end;
            self.span(value, *span, row, rows, &scratch.names, out)?;
        }
        out.push_str(&value[copied..]);
        if let Some(max) = self.chars_max
            && out.len() - before > max as usize
            && let Some((end, _)) = out[before..].char_indices().nth(max as usize)
        {
            out.truncate(before + end);
        }
        Ok(())
    }

    /// Appends the mask of one span.
    fn span(
        &self,
        value: &str,
        span: Span,
        row: usize,
        rows: &Rows<'_>,
        names: &Names,
        out: &mut String,
    ) -> Result<(), MaskError> {
        let original = &value[span.start..span.end];
        if let Detector::Name(needle) = span.detector {
            names.push_mask(needle, original, out);
            return Ok(());
        }
        let Some(mask) = slot(span.detector).and_then(|slot| self.masks[slot].as_ref()) else {
            out.push_str(original);
            return Ok(());
        };
        let from = out.len();
        if span.detector == Detector::EncodedEmail {
            mask.text(&original.replacen("%40", "@", 1), row, rows, out)?;
            let masked = out.split_off(from).replace('@', "%40");
            out.push_str(&masked);
        } else {
            mask.text(original, row, rows, out)?;
        }
        // A mask may equal its input (a fixed point of a permutation), but never carry it inside something else.
        let masked = &out[from..];
        if original.len() >= SURVIVOR_MIN && masked.len() > original.len() && masked.contains(original) {
            return Err(MaskError::at(row, "a masked span still holds its original"));
        }
        Ok(())
    }
}

impl ColumnMask for Spans {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let sources = Sources::of(&self.sources, rows)?;
        let mut scratch = Scratch::default();
        map_texts(column, |value, row, out| self.one(value, row, rows, &sources, &mut scratch, out))
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let sources = Sources::of(&self.sources, rows)?;
        self.one(value, row, rows, &sources, &mut Scratch::default(), out)
    }

    fn after(&self) -> Vec<usize> {
        let nested = self.masks.iter().flatten().flat_map(|mask| mask.after());
        let mut after: Vec<usize> = self.sources.iter().map(|(index, _)| *index).chain(nested).collect();
        after.sort_unstable();
        after.dedup();
        after
    }
}

/// Masks a text column value by value. Nulls stay null.
///
/// # Errors
/// [`MaskError`] of `mask`, or if the masked texts of a batch reach 2 GiB.
pub(super) fn map_texts(
    column: &ArrayRef,
    mut mask: impl FnMut(&str, usize, &mut String) -> Result<(), MaskError>,
) -> Result<ArrayRef, MaskError> {
    let Some(texts) = column.as_any().downcast_ref::<StringViewArray>() else {
        return Err(MaskError::at(0, "its column does not hold text"));
    };
    let bytes = texts.iter().flatten().map(str::len).sum::<usize>();
    let mut masked = StringBuilder::with_capacity(texts.len(), bytes + bytes / 8);
    let mut out = String::new();
    let mut total = 0;
    for (row, value) in texts.iter().enumerate() {
        let Some(value) = value else {
            masked.append_null();
            continue;
        };
        out.clear();
        mask(value, row, &mut out)?;
        total += out.len();
        if total > i32::MAX as usize {
            return Err(MaskError::at(row, "the masked texts of its batch exceed 2 GiB"));
        }
        masked.append_value(&out);
    }
    Ok(Arc::new(masked.finish()))
}

#[cfg(test)]
mod kinds;
#[cfg(test)]
mod tests;
