//! `[[test]]`: a row and what masks must make of it.

use super::load;
use super::read::{Context, Section, nearest, resolved, show_key};
use super::tree::{Entries, Node, Value};
use super::{ConfigErrors, Place};
use crate::error::Report;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::path::Path;

/// One policy unit test.
#[derive(Debug, Clone)]
pub struct PolicyTest {
    pub name: Option<String>,
    /// `schema.table`.
    pub table: String,
    /// The row: column and value, in file order.
    pub given: Vec<(String, Given)>,
    /// Column and what it must become, in file order.
    pub expect: Vec<(String, Expect)>,
    /// Whether the `when` of a column's mask holds for the row, which only a source could evaluate.
    pub conditions: BTreeMap<String, bool>,
    /// PostgreSQL types of columns whose value does not say enough.
    pub types: BTreeMap<String, String>,
    pub place: Place,
}

/// A value of the row, and what TOML calls it.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    Null,
    Text(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// A TOML date, with or without time, as written.
    Date(String),
    /// A table or list.
    Json(Json),
}

/// What must hold for a masked value; every property that is written must.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expect {
    pub equals: Option<Given>,
    /// A regular expression.
    pub matches: Option<String>,
    /// A kind that must be able to read the value: `email`, `card`, `us.ssn`, `date`, `json`.
    pub valid: Option<String>,
    pub differs: Option<bool>,
    pub same_as: Option<SameAs>,
    pub null: Option<bool>,
    pub length: Option<u64>,
    pub max_length: Option<u64>,
}

/// Another masked value.
#[derive(Debug, Clone, PartialEq)]
pub struct SameAs {
    /// Name of a test; none: the same.
    pub test: Option<String>,
    pub column: String,
}

/// Keys of an `expect` table.
const PROPERTIES: &[&str] = &["equals", "matches", "valid", "differs", "same_as", "null", "length", "max_length"];

/// Reads a file that holds only `[[test]]`.
///
/// # Errors
/// Every problem of the file.
pub(super) fn read_file(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Vec<PolicyTest>, ConfigErrors> {
    let loaded = load::load(path, env).map_err(ConfigErrors)?;
    let context = Context::new(&loaded.files, loaded.problems);
    let mut root = Section::root(&context, loaded.root);
    let tests = root.tables("test", test);
    root.finish();
    let (problems, _) = context.into_parts();
    let tests: Option<Vec<PolicyTest>> = tests.into_iter().collect();
    match tests {
        Some(tests) if problems.is_empty() => Ok(tests),
        _ => Err(ConfigErrors(load::finish(&loaded.files, problems))),
    }
}

/// Reads one `[[test]]`. Nothing is recorded for the hash: a test changes no mask.
pub(super) fn test(section: &mut Section<'_, '_>) -> Option<PolicyTest> {
    let place = section.context.files.place(section.at);
    let name = plain(section, "name");
    let table = plain(section, "table");
    let given = columns(section, "given");
    let expect = columns(section, "expect");
    let types = columns(section, "type");
    let whens = columns(section, "when");
    let mut wrong = false;
    let mut row = Vec::with_capacity(given.len());
    for (column, node) in given {
        match value(&node) {
            Some(value) => row.push((column, value)),
            None => wrong |= refuse(section, &node, &format!("`{}` of `given`", show_key(&column)), "a TOML value"),
        }
    }
    let mut expected = Vec::with_capacity(expect.len());
    for (column, node) in expect {
        match expectation(section, &column, &node) {
            Some(expect) => expected.push((column, expect)),
            None => wrong = true,
        }
    }
    let mut written = BTreeMap::new();
    for (column, node) in types {
        match resolved(&node) {
            Ok(text) => drop(written.insert(column, text.to_owned())),
            Err(_) => wrong |= refuse(section, &node, &format!("`{}` of `type`", show_key(&column)), "a string"),
        }
    }
    let mut conditions = BTreeMap::new();
    for (column, node) in whens {
        match node.value {
            Value::Boolean(holds) => drop(conditions.insert(column, holds)),
            _ => wrong |= refuse(section, &node, &format!("`{}` of `when`", show_key(&column)), "true or false"),
        }
    }
    let test = PolicyTest { name, table: table?, given: row, expect: expected, conditions, types: written, place };
    (!wrong).then_some(test)
}

/// A text that is not recorded.
fn plain(section: &mut Section<'_, '_>, key: &str) -> Option<String> {
    let (_, entry) = section.take(key);
    let (_, node) = entry?;
    match resolved(&node) {
        Ok(text) if !text.is_empty() => Some(text.to_owned()),
        _ => {
            refuse(section, &node, &section.called(key), "a string that is not empty");
            None
        }
    }
}

fn columns(section: &mut Section<'_, '_>, key: &str) -> Vec<(String, Node)> {
    let (_, entry) = section.take(key);
    match entry {
        None => Vec::new(),
        Some((_, Node { value: Value::Table(entries), .. })) => {
            entries.into_iter().map(|(key, node)| (key.name, node)).collect()
        }
        Some((_, node)) => {
            refuse(section, &node, &section.called(key), "a table of columns");
            Vec::new()
        }
    }
}

/// Reports a value of the wrong type; true, for the caller to remember.
fn refuse(section: &Section<'_, '_>, node: &Node, called: &str, expected: &str) -> bool {
    let message = format!("{called} must be {expected}, not {}", node.describe());
    let hint = "[[test]]\ntable = \"public.users\"\ngiven = { id = 7, email = \"Bob@X.com\" }\nexpect = { email = { valid = \"email\", differs = true } }";
    section.context.report(node.at, Report::new("config::wrong-type", message).hint(hint));
    true
}

/// `{ null = true }` is NULL, as TOML has no word for it; other tables are JSON.
fn value(node: &Node) -> Option<Given> {
    Some(match &node.value {
        Value::Text(text) => Given::Text(text.resolved.clone()?),
        Value::Integer(number) => Given::Integer(*number),
        Value::Float(number) => Given::Float(*number),
        Value::Boolean(value) => Given::Boolean(*value),
        Value::Datetime(text) => Given::Date(text.clone()),
        Value::Table(entries) if is_null(entries) => Given::Null,
        Value::Table(_) | Value::Array(_) => Given::Json(node.json()?),
    })
}

fn is_null(entries: &Entries) -> bool {
    matches!(&entries[..], [(key, Node { value: Value::Boolean(true), .. })] if key.name == "null")
}

fn expectation(section: &Section<'_, '_>, column: &str, node: &Node) -> Option<Expect> {
    let Value::Table(entries) = &node.value else {
        return Some(Expect { equals: Some(value(node)?), ..Expect::default() });
    };
    let mut expect = Expect::default();
    let mut fine = true;
    for (key, node) in entries {
        fine &= property(&mut expect, section, column, &key.name, node);
    }
    fine.then_some(expect)
}

fn property(expect: &mut Expect, section: &Section<'_, '_>, column: &str, key: &str, node: &Node) -> bool {
    let called = format!("`{key}` of `{}`", show_key(column));
    let text = || resolved(node).ok().map(ToOwned::to_owned);
    let count = || match node.value {
        Value::Integer(number) => u64::try_from(number).ok(),
        _ => None,
    };
    let flag = || match node.value {
        Value::Boolean(value) => Some(value),
        _ => None,
    };
    let (read, expected) = match key {
        "equals" => {
            expect.equals = value(node);
            (expect.equals.is_some(), "a value")
        }
        "matches" => {
            expect.matches = text();
            (expect.matches.is_some(), "a regular expression in quotes")
        }
        "valid" => {
            expect.valid = text();
            (expect.valid.is_some(), "the name of a kind")
        }
        "differs" => {
            expect.differs = flag();
            (expect.differs.is_some(), "true or false")
        }
        "same_as" => {
            expect.same_as = same_as(node);
            (expect.same_as.is_some(), "a column, or { test = \"name\", column = \"email\" }")
        }
        "null" => {
            expect.null = flag();
            (expect.null.is_some(), "true or false")
        }
        "length" => {
            expect.length = count();
            (expect.length.is_some(), "a number of characters")
        }
        "max_length" => {
            expect.max_length = count();
            (expect.max_length.is_some(), "a number of characters")
        }
        _ => {
            let report = Report::new("config::unknown-key", format!("{called} is not known"));
            let hint = match nearest(key, PROPERTIES.iter().copied()) {
                Some((near, _)) => format!("Did you mean `{near}`?"),
                None => format!("Known: {}.", PROPERTIES.join(", ")),
            };
            section.context.report(node.at, report.hint(hint));
            return false;
        }
    };
    read || !refuse(section, node, &called, expected)
}

fn same_as(node: &Node) -> Option<SameAs> {
    if let Ok(column) = resolved(node) {
        return Some(SameAs { test: None, column: column.to_owned() });
    }
    let Value::Table(entries) = &node.value else { return None };
    let mut same = SameAs { test: None, column: String::new() };
    for (key, node) in entries {
        match key.name.as_str() {
            "test" => same.test = Some(resolved(node).ok()?.to_owned()),
            "column" => resolved(node).ok()?.clone_into(&mut same.column),
            _ => return None,
        }
    }
    (!same.column.is_empty()).then_some(same)
}
