//! Compares masked rows with what their tests expect.

use super::cell::{self, SqlType};
use super::{Row, shape};
use crate::config::{Expect, Given, PolicyTest, SameAs};
use crate::mask::decimal::Decimal;
use crate::mask::{self, Params, RealmKey};
use crate::outcome::Difference;
use crate::plan::{Plan, TablePlan};
use std::collections::BTreeMap;

/// What one value is compared with.
struct Value<'a> {
    got: Option<&'a str>,
    given: Option<String>,
    kind: &'a SqlType,
    /// Parameters of the column's own mask, by kind.
    own: Option<(String, Params)>,
    json: bool,
}

/// Every expectation of a test that does not hold.
pub(super) fn judge(
    test: &PolicyTest,
    index: usize,
    rows: &[Result<Row, Difference>],
    names: &BTreeMap<&str, usize>,
    plan: &Plan,
    types: &BTreeMap<String, SqlType>,
    realm: &RealmKey,
) -> Vec<Difference> {
    let mut differences = Vec::new();
    let (Ok(row), Some(table)) = (&rows[index], plan.tables.iter().find(|table| table.full_name() == test.table))
    else {
        return differences;
    };
    for (column, expect) in &test.expect {
        let Some(kind) = types.get(column) else { continue };
        let given = test.given.iter().find(|(name, _)| name == column).map(|(_, given)| given);
        let value = Value {
            got: row.get(column).and_then(Option::as_deref),
            given: given.and_then(|given| cell::cell(kind, given).ok()).and_then(|cell| cell.text),
            kind,
            own: own_mask(table, column),
            json: matches!(shape(table, column), Some(mask::Shape::Json | mask::Shape::Jsonb))
                || kind.base.starts_with("json"),
        };
        let mut failed = |expected: String| {
            let got = value.got.map(ToOwned::to_owned);
            differences.push(Difference { column: column.clone(), expected, got });
        };
        properties(expect, &value, realm, &mut failed);
        if let Some(same) = &expect.same_as {
            match other(same, index, rows, names) {
                Ok(other) if other.as_deref() == value.got => {}
                Ok(other) => failed(format!("the same as {}: {}", words(same), show(other.as_deref()))),
                Err(reason) => failed(format!("the same as {}, {reason}", words(same))),
            }
        }
    }
    differences
}

fn own_mask(table: &TablePlan, column: &str) -> Option<(String, Params)> {
    let full = format!("{}.{column}", table.full_name());
    let spec = table.mask.columns.iter().find(|known| known.name == full)?.mask.as_ref()?;
    Some((spec.kind.clone(), spec.params.clone()))
}

fn properties(expect: &Expect, value: &Value<'_>, realm: &RealmKey, failed: &mut dyn FnMut(String)) {
    let got = value.got;
    let length = got.map(|text| text.chars().count() as u64);
    if let Some(given) = &expect.equals {
        match cell::cell(value.kind, given) {
            Ok(cell) if value.is(cell.text.as_deref()) => {}
            Ok(cell) => failed(show(cell.text.as_deref())),
            Err(wanted) => failed(format!("a literal that is {wanted}")),
        }
    }
    if let Some(pattern) = &expect.matches {
        match regex::Regex::new(pattern) {
            Ok(regex) if got.is_some_and(|text| regex.is_match(text)) => {}
            Ok(_) => failed(format!("matches {pattern}")),
            Err(_) => failed(format!("a regular expression that can be read: {pattern}")),
        }
    }
    if let Some(word) = &expect.valid {
        match got.map(|text| valid(word, text, value.own.as_ref(), realm)) {
            Some(Some(true)) => {}
            Some(None) => failed(format!("valid = a kind that reads a format; \"{word}\" is none")),
            Some(Some(false)) | None => failed(format!("valid {word}")),
        }
    }
    if let Some(differs) = expect.differs
        && differs == value.is(value.given.as_deref())
    {
        failed(if differs { "differs from what is given" } else { "what is given" }.to_owned());
    }
    if let Some(null) = expect.null
        && null != got.is_none()
    {
        failed(if null { "NULL" } else { "not NULL" }.to_owned());
    }
    if let Some(wanted) = expect.length
        && length != Some(wanted)
    {
        failed(format!("{wanted} characters"));
    }
    if let Some(most) = expect.max_length
        && length.is_some_and(|length| length > most)
    {
        failed(format!("{most} characters at most"));
    }
}

impl Value<'_> {
    /// Whether this came out. JSON is compared as JSON: spaces and the order of keys say nothing. So are numbers, as zeros
    /// behind the decimal point do not: TOML reads `10.00` as `10`.
    fn is(&self, other: Option<&str>) -> bool {
        let Some((a, b)) = self.got.zip(other) else { return self.got == other };
        let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
        let number = |text: &str| {
            let mut number = Decimal::default();
            number.read_text(text).then_some(number)
        };
        a == b
            || self.json && json(a).is_some_and(|a| Some(a) == json(b))
            || self.kind.base == "numeric" && number(a).zip(number(b)).is_some_and(|(a, b)| a.compare(&b).is_eq())
    }
}

/// Tells whether a kind can read a value; none if the kind reads no format.
fn valid(word: &str, text: &str, own: Option<&(String, Params)>, realm: &RealmKey) -> Option<bool> {
    let of_type = |name: &str| {
        let kind = SqlType::parse(name)?;
        Some(cell::cell(&kind, &Given::Text(text.to_owned())).is_ok())
    };
    match word {
        "date" | "timestamp" | "json" | "uuid" => return of_type(word),
        "int" => return Some(text.parse::<i64>().is_ok()),
        _ => {}
    }
    let kind = mask::kind(word)?;
    if !kind.params.iter().any(|param| param.name == "on_invalid") {
        return None;
    }
    // With the parameters of the column's own mask, such as the region of a phone number.
    let own = own.filter(|(name, _)| *name == kind.full_name()).map(|(_, params)| params.clone());
    let mut params = own.unwrap_or_default();
    params.retain(|name, _| name != "by" && name != "locale_from");
    params.insert("on_invalid".to_owned(), "fail".into());
    Some(mask::mask_value(realm, &kind.full_name(), "", params, Some("1"), text).is_ok())
}

/// The value that `same_as` names.
fn other(
    same: &SameAs,
    index: usize,
    rows: &[Result<Row, Difference>],
    names: &BTreeMap<&str, usize>,
) -> Result<Option<String>, &'static str> {
    let index = match &same.test {
        None => index,
        Some(name) => *names.get(name.as_str()).ok_or("and no test has that name")?,
    };
    let row = rows[index].as_ref().map_err(|_| "which could not be masked")?;
    row.get(&same.column).cloned().ok_or("which that test does not give")
}

fn words(same: &SameAs) -> String {
    match &same.test {
        None => format!("\"{}\"", same.column),
        Some(test) => format!("\"{}\" of \"{test}\"", same.column),
    }
}

fn show(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |text| format!("{text:?}"))
}
