//! Personal data inside free text: `text.spans/1`.
//!
//! | found | how | masked as |
//! |---|---|---|
//! | e-mail address | around `@`, `%40` in URLs, `=40` in quoted-printable | `email` |
//! | card | 12–19 digits, Luhn; the usual blocks also with a wrong check digit, or with any separators if it is right | `card` |
//! | US social security number | 3-2-4; nine digits after a word like SSN | `us.ssn` |
//! | bank account | IBAN of a known country, all check digits right, in any groups, also glued to words | `iban` |
//! | national identifier | valid, and written as hardly anything else is, after a word like BSN, NHS, PESEL, or of a kind that another column of the table holds; beside signs (`scan-44051401359.pdf`) those of which hardly one number in fifty is one | its kind |
//! | phone | international, North American, national with trunk 0, 10–13 bare digits, 6–15 digits after a word like `tel`; where `masks` gives `phone` a `region`, its national numbers in groups | `phone` |
//! | IP address | v4, v6 | `ip` |
//! | URL | passwords and tokens; user names before the host, in path and query; with a scheme or without | `pattern`; `username` |
//! | names of the row and its person | values of the name, user name, company and address columns of the same row and of the rows its subject leads to, of `template` columns and `lookup` columns that draw, because names are made with them too, and of every column that is called after names of persons and not kept; elements of arrays too, and names inside of composites, hstores and documents of the row | the mask of that column; `pattern` where that is NULL, a longer constant or no word |
//!
//! Names are found in other spellings: case, accents, apostrophes and hyphens, umlauts as two letters, and letters written
//! as entities, escapes or full-width forms or with invisible characters, tags or colors of terminals between them; as logins
//! with digits behind them, and with what Korean, Arabic and Hebrew write on to a name. Addresses are found with entities
//! inside, numbers with entities and escapes (`%2B49%20151…`, `&nbsp;`), which stay. In a text with the escapes of JSON (`\n`,
//! `\"`, `\u00fc`, doubled in documents inside of documents) everything is found as a program reads it, and a mask there breaks
//! no escape and needs none. Inflected forms are not found, but for the `s` of a genitive and Cyrillic endings: a row that says
//! `Kowalska` keeps `Kowalskiej` in its text.
//!
//! A span gets the mask the same value has in a column of that kind and label. Text outside of spans keeps its bytes, and
//! a text without spans is returned as it is. A date, a time, an amount and a number behind `#` without a trunk 0 are no
//! phone numbers, nor are 10–14 digits right behind a word for things (`order 4711234567`), if no card, account or identifier
//! stands there; what stands behind a whole number is no part of it; `Chrome/119.0.0.0` and `x-1.2.3.4.jar` are no addresses. Any other
//! long number may be taken for one. Not looked for: names of persons who have no column there, digits other than ASCII,
//! addresses spelled out (`bob at example dot com`), local phone numbers without a word like `tel` before them and without
//! a region. `null` is the choice for columns where that matters.
//!
//! A text that no longer fits `varchar(n)` loses its tail, back to the end of a word.

mod full;
mod gaps;
mod ids;
mod inside;
mod keys;
mod names;
mod net;
pub mod nobody;
mod numbers;
mod personal;
mod regions;
mod sources;
mod spans;
mod words;
mod written;

use super::column::{ColumnMask, Compile, CompileError, Leaves, MaskError, Rows};
use super::draft::{self, Draft};
use super::json::{LEAF, nested_mask};
use super::kind::{Domain, Injective, KeyedOn, Kind, Param, Takes};
use super::leaf::{TextBuilder, view_values};
use super::{Params, Shape};
use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, StringViewArray};
use inside::Inside;
pub(super) use keys::{KeyNames, OwnNames};
use names::Names;
pub(super) use personal::{SECRET, personal_in_key};
pub use personal::{personal_in_definition, personal_kinds};
use serde_json::Value;
use sources::{Source, Sources};
use spans::{Detector, Found};
use std::borrow::Cow;
use std::sync::Arc;

/// The record of `text.spans/1`.
pub static SPANS: Kind = Kind {
    name: "text.spans",
    remains: |_| super::Remains::Open,
    keeps: super::Keeps::NOTHING,
    version: 1,
    summary: "Masks addresses, numbers and the row's own names inside free text",
    params: &[
        Param {
            name: "labels",
            summary: "Label per detector (email, card, us.ssn, phone, ip, username, secret, iban, nl.bsn, …), to join with columns",
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
    promises: None,
    columns: |_| Vec::new(),
    least: |_| Vec::new(),
    compile,
};

/// Names in `labels` and `masks`, and the kind that masks each.
const DETECTORS: [(&str, &str); 7 + ids::KINDS.len()] = {
    let mut detectors = [("", ""); 7 + ids::KINDS.len()];
    let first = [
        ("email", "email"),
        ("card", "card"),
        ("us.ssn", "us.ssn"),
        ("phone", "phone"),
        ("ip", "ip"),
        ("username", "username"),
        ("secret", "pattern"),
    ];
    let mut at = 0;
    while at < detectors.len() {
        detectors[at] =
            if at < first.len() { first[at] } else { (ids::KINDS[at - first.len()], ids::KINDS[at - first.len()]) };
        at += 1;
    }
    detectors
};

/// The bytes of `\\x…` literals, which is how a definition writes `bytea`.
pub fn hex_literals(text: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    text.split("\\x").skip(1).map(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit);
        let digits: Vec<u8> =
            digits.filter_map(|digit| char::from(digit).to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    })
}

/// A shorter original may stand in a mask by chance.
const SURVIVOR_MIN: usize = 6;

struct Spans {
    /// By [`slot`]; none: spans of the detector stay.
    masks: [Option<Box<dyn ColumnMask>>; DETECTORS.len()],
    /// Columns with names of the row.
    sources: Vec<Source>,
    /// Names inside of other values of it.
    inside: Vec<Inside>,
    /// Masks names that have no mask which could stand in a text.
    spare: Box<dyn ColumnMask>,
    /// The region of `masks.phone`.
    plan: Option<&'static regions::Plan>,
    /// The identifiers of other columns of the table: what a number is that no word names.
    columns: ids::Kinds,
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
            Some(value) => Some(nested_mask(compile, "masks", value, LEAF)?),
            None => Some(compile.nested(kind, label, Default::default(), LEAF)?),
        };
    }
    let region = overrides.and_then(|masks| masks.get("phone")?.get("region")?.as_str());
    let plan = region.and_then(regions::of);
    let spare = compile.nested("pattern", "", Params::new(), LEAF)?;
    let mut columns = ids::Kinds::default();
    compile.table.columns.iter().filter_map(|column| column.mask.as_ref()).for_each(|mask| columns.add(&mask.kind));
    Ok(Box::new(Spans {
        masks,
        sources: sources::of(compile),
        inside: inside::of(compile),
        spare,
        plan,
        columns,
        chars_max,
    }))
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

/// Tells whether a column with this mask holds names, which texts may mention.
pub fn holds_names(kind: &str, params: &Params) -> bool {
    sources::role(kind, params).is_some()
}

/// Buffers that live as long as a batch.
#[derive(Default)]
struct Scratch {
    names: Names,
    /// Whose names these are.
    row: Option<usize>,
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
        Detector::Id(id) => Some(7 + usize::from(id)),
        Detector::Name(_) => None,
    }
}

impl Spans {
    /// Masks values a chunk at a time.
    fn many<'v>(
        &self,
        mut values: impl Iterator<Item = (Option<&'v str>, usize)>,
        rows: &Rows<'_>,
        out: &mut TextBuilder,
    ) -> Result<(), MaskError> {
        let sources = Sources::of(&self.sources, &self.inside, &*self.spare, rows)?;
        let (mut draft, mut scratch) = (Draft::new(self.masks.len()), Scratch::default());
        (scratch.found.plan, scratch.found.columns) = (self.plan, self.columns);
        loop {
            let mut met = 0;
            for (value, row) in values.by_ref().take(draft::CHUNK) {
                met += 1;
                if let Some(value) = value {
                    self.one(value, row, rows, &sources, &mut scratch, &mut draft)?;
                }
                draft.end(value.is_some());
            }
            if met == 0 {
                return Ok(());
            }
            let mask = |mask: usize| self.masks[mask].as_deref();
            draft.fill(mask, rows, out, join, |out, start| self.cut(out, start))?;
        }
    }

    /// Drafts one value.
    fn one(
        &self,
        value: &str,
        row: usize,
        rows: &Rows<'_>,
        sources: &Sources<'_>,
        scratch: &mut Scratch,
        draft: &mut Draft,
    ) -> Result<(), MaskError> {
        let own = rows.row(row);
        if scratch.row != Some(own) {
            sources.fill(own, rows, &mut scratch.names)?;
            scratch.row = Some(own);
        }
        scratch.found.find(value, &scratch.names);
        let mut copied = 0;
        for span in &scratch.found.spans {
            draft.text.push_str(&value[copied..span.start]);
            copied = span.end;
            self.span(&value[span.start..span.end], span.detector, row, rows, scratch, draft)?;
        }
        draft.text.push_str(&value[copied..]);
        Ok(())
    }

    /// Drafts one span.
    fn span(
        &self,
        original: &str,
        detector: Detector,
        row: usize,
        rows: &Rows<'_>,
        scratch: &Scratch,
        draft: &mut Draft,
    ) -> Result<(), MaskError> {
        let escaped = scratch.found.escaped;
        if let Detector::Name(needle) = detector {
            let start = draft.text.len();
            let (seen, marks) = written::name(original, escaped);
            scratch.names.push_mask(needle, &seen, &mut draft.text);
            if escaped {
                let masked = draft.text.split_off(start);
                draft.text.push_str(&written::unquoted(&masked));
            }
            draft.text.push_str(&marks);
            return Ok(());
        }
        // As the value stands in a column.
        let seen = written::seen(original, escaped, detector == Detector::Email);
        let slot = slot(detector);
        let Some((slot, mask)) = slot.and_then(|slot| Some((slot, self.masks[slot].as_ref()?))) else {
            draft.text.push_str(original);
            return Ok(());
        };
        let masked = |value: &str| {
            let mut masked = String::new();
            mask.text(value, row, rows, &mut masked).map(|()| masked)
        };
        let number =
            matches!(detector, Detector::Card | Detector::Ssn | Detector::Id(_) | Detector::Phone | Detector::Ip);
        let written = if number && scratch.found.marked { written::masked(&seen, masked)? } else { None };
        let masked = if let Some(written) = written {
            written
        } else if detector == Detector::EncodedEmail {
            let mut signs = net::ENCODED_ATS.iter().chain([&net::ESCAPED_AT]);
            let sign = signs.find(|sign| seen.contains(**sign)).map_or("@", |sign| *sign);
            masked(&seen.replacen(sign, "@", 1))?.replace('@', sign)
        } else if matches!(detector, Detector::Username | Detector::Secret) && net::is_encoded(&seen) {
            // The percent signs are no part of the value.
            net::encoded(&masked(&net::decoded(&seen))?)
        } else if let Cow::Owned(seen) = &seen {
            masked(seen)?
        } else {
            draft.holes.push(draft.text.len(), slot, original, row);
            return Ok(());
        };
        let masked = if escaped { written::unquoted(&masked) } else { masked.as_str().into() };
        join(&seen, &masked, &mut draft.text).map_err(|reason| MaskError::at(row, reason))
    }

    /// Cuts the value that starts at `start` to the length of its column.
    fn cut(&self, out: &mut String, start: usize) {
        if let Some(max) = self.chars_max
            && out.len() - start > max as usize
            && let Some((end, _)) = out[start..].char_indices().nth(max as usize)
        {
            let whole = out[start + end..].starts_with(char::is_whitespace);
            out.truncate(start + end);
            // Half an address or number is worth nothing, and a word that long is none.
            if !whole && let Some(word) = out[start..].rfind(char::is_whitespace) {
                let blank = out[start + word..].chars().next().map_or(0, char::len_utf8);
                out.truncate(start + word + blank);
            }
        }
    }
}

/// Appends the mask of a span. It may equal its input (a fixed point of a permutation), but never carry it inside
/// something else.
fn join(original: &str, masked: &str, out: &mut String) -> Result<(), &'static str> {
    if original.len() >= SURVIVOR_MIN && masked.len() > original.len() && masked.contains(original) {
        return Err("a masked span still holds its original");
    }
    out.push_str(masked);
    Ok(())
}

impl ColumnMask for Spans {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let texts = texts(column)?;
        let mut masked = TextBuilder::new(texts.len(), texts.total_bytes_len());
        self.many(view_values(texts), rows, &mut masked)?;
        masked.finish()
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let mut masked = TextBuilder::new(1, value.len());
        self.many(std::iter::once((Some(value), row)), rows, &mut masked)?;
        out.push_str(masked.value(0));
        Ok(())
    }

    fn leaves(&self, leaves: &Leaves, rows: &Rows<'_>, out: &mut TextBuilder) -> Result<(), MaskError> {
        self.many(leaves.iter().map(|(value, row)| (Some(value), row)), rows, out)
    }

    fn after(&self) -> Vec<usize> {
        let nested = self.masks.iter().flatten().flat_map(|mask| mask.after());
        let mut after: Vec<usize> =
            self.sources.iter().filter(|source| source.masked).map(|source| source.index).chain(nested).collect();
        after.extend(self.inside.iter().flat_map(Inside::after));
        after.sort_unstable();
        after.dedup();
        after
    }
}

/// The values of a text column.
pub(super) fn texts(column: &ArrayRef) -> Result<&StringViewArray, MaskError> {
    let texts = column.as_any().downcast_ref::<StringViewArray>();
    texts.ok_or_else(|| MaskError::at(0, "its column does not hold text"))
}

/// Masks a text column value by value. Nulls stay null.
///
/// # Errors
/// [`MaskError`] of `mask`, or if the masked texts of a batch reach 2 GiB.
pub(super) fn map_texts(
    column: &ArrayRef,
    mut mask: impl FnMut(&str, usize, &mut String) -> Result<(), MaskError>,
) -> Result<ArrayRef, MaskError> {
    let texts = texts(column)?;
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
mod names_tests;
#[cfg(test)]
mod numbers_tests;
#[cfg(test)]
mod tests;
