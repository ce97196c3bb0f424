//! The text of the files as a tree in which every key and value knows its place.

use super::Place;
use super::variables::{self, Problem};
use crate::error::Report;
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// A byte in one of the files that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) file: usize,
    pub(super) offset: usize,
}

/// The text of a file and where its lines start.
pub(super) struct SourceFile {
    /// As it is shown: the way the user named it.
    pub(super) path: PathBuf,
    text: String,
    lines: Vec<usize>,
}

/// The files in the order they were read.
#[derive(Default)]
pub(super) struct Files(Vec<SourceFile>);

impl Files {
    pub(super) fn add(&mut self, path: &Path, text: String) -> usize {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        self.0.push(SourceFile { path: path.to_owned(), text, lines });
        self.0.len() - 1
    }

    pub(super) fn text(&self, file: usize) -> &str {
        &self.0[file].text
    }

    /// The folder that relative paths written in a file start from.
    pub(super) fn folder(&self, file: usize) -> &Path {
        self.0[file].path.parent().unwrap_or(Path::new(""))
    }

    pub(super) fn place(&self, at: Position) -> Place {
        let file = &self.0[at.file];
        let line = file.lines.partition_point(|start| *start <= at.offset).saturating_sub(1);
        let start = file.lines[line];
        // A span may end past the text, never inside a character; if it did, the line's start is close enough.
        let before = file.text.get(start..at.offset.min(file.text.len())).unwrap_or("");
        let column = before.chars().count() + 1;
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Place { file: file.path.clone(), line: count(line + 1), column: count(column) }
    }
}

#[derive(Clone)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) at: Position,
}

/// Has no `Debug`: texts hold the values of variables.
#[derive(Clone)]
pub(super) struct Node {
    pub(super) at: Position,
    pub(super) value: Value,
}

#[derive(Clone)]
pub(super) enum Value {
    Text(Text),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Entries),
}

/// The keys of a table in file order.
pub(super) type Entries = Vec<(Key, Node)>;

/// A string.
#[derive(Clone)]
pub(super) struct Text {
    /// As written, variables unresolved: the only form that may be shown.
    pub(super) raw: String,
    /// None: a variable is missing, and that was already reported.
    pub(super) resolved: Option<String>,
    /// `resolved` holds the value of a variable.
    pub(super) variable: bool,
}

impl Node {
    /// What a value is, to follow "not".
    pub(super) fn describe(&self) -> &'static str {
        match self.value {
            Value::Text(_) => "a string",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Boolean(_) => "a boolean",
            Value::Datetime(_) => "a date or time",
            Value::Array(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    /// Says whether a number in the value is infinite or NaN, which JSON cannot hold.
    pub(super) fn has_infinite(&self) -> bool {
        match &self.value {
            Value::Float(number) => !number.is_finite(),
            Value::Array(items) => items.iter().any(Node::has_infinite),
            Value::Table(entries) => entries.iter().any(|(_, node)| node.has_infinite()),
            _ => false,
        }
    }

    /// The value as JSON, dates as text; none if it holds an infinite number or an unresolved variable.
    pub(super) fn json(&self) -> Option<Json> {
        Some(match &self.value {
            Value::Text(text) => Json::String(text.resolved.clone()?),
            Value::Integer(number) => Json::from(*number),
            Value::Float(number) => Json::Number(serde_json::Number::from_f64(*number)?),
            Value::Boolean(value) => Json::Bool(*value),
            Value::Datetime(text) => Json::String(text.clone()),
            Value::Array(items) => Json::Array(items.iter().map(Node::json).collect::<Option<_>>()?),
            Value::Table(entries) => {
                Json::Object(entries.iter().map(|(k, v)| Some((k.name.clone(), v.json()?))).collect::<Option<_>>()?)
            }
        })
    }
}

/// Turns a parsed document into a tree, resolving variables on the way.
pub(super) struct Builder<'a> {
    pub(super) file: usize,
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) problems: Vec<(Position, Report)>,
}

impl Builder<'_> {
    /// Nesting is bounded by the parser (80 values) and by the limit on the parts of a key.
    pub(super) fn table(&mut self, table: DeTable<'_>) -> Entries {
        table.into_iter().map(|(key, value)| (self.key(&key), self.node(value))).collect()
    }

    fn key(&self, key: &Spanned<toml::de::DeString<'_>>) -> Key {
        Key { name: key.get_ref().to_string(), at: self.at(key.span().start) }
    }

    fn at(&self, offset: usize) -> Position {
        Position { file: self.file, offset }
    }

    fn node(&mut self, value: Spanned<DeValue<'_>>) -> Node {
        let at = self.at(value.span().start);
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(self.text(&text, at)),
            DeValue::Integer(number) => match integer(&number) {
                Some(number) => Value::Integer(number),
                None => {
                    let report = Report::new("config::bad-value", "a number is too large");
                    let hint = format!("Integers go from {} to {}.", i64::MIN, i64::MAX);
                    self.problems.push((at, report.hint(hint)));
                    // As a string whose variable is missing: nobody reports it again.
                    Value::Text(Text { raw: String::new(), resolved: None, variable: true })
                }
            },
            DeValue::Float(number) => {
                let number = number.as_str().replace('_', "").parse().unwrap_or(f64::NAN);
                Value::Float(number)
            }
            DeValue::Boolean(value) => Value::Boolean(value),
            DeValue::Datetime(value) => Value::Datetime(value.to_string()),
            DeValue::Array(items) => Value::Array(items.into_iter().map(|item| self.node(item)).collect()),
            DeValue::Table(table) => Value::Table(self.table(table)),
        };
        Node { at, value }
    }

    fn text(&mut self, raw: &str, at: Position) -> Text {
        let variable = raw.contains("${");
        let resolved = match variables::expand(raw, self.env) {
            Ok(text) if text.contains('\0') => {
                let report = Report::new("config::bad-value", "a string holds the character U+0000")
                    .detail("PostgreSQL and the operating system cannot take it.")
                    .hint("Remove it.");
                self.problems.push((at, report));
                None
            }
            Ok(text) => Some(text),
            Err(problems) => {
                self.problems.extend(problems.into_iter().map(|problem| (at, variable_report(problem))));
                None
            }
        };
        Text { raw: raw.to_owned(), resolved, variable }
    }
}

fn variable_report(problem: Problem) -> Report {
    match problem {
        Problem::Unset { name, message } => {
            let report = Report::new("config::missing-variable", format!("the environment variable {name} is not set"));
            let report = match message {
                Some(message) => report.detail(message),
                None => report,
            };
            report.hint(format!("Run `export {name}=…` before, or give it a default: `${{{name}:-default}}`."))
        }
        Problem::Syntax { detail } => Report::new("config::bad-variable", "a variable is not written correctly")
            .detail(format!("{detail}."))
            .hint("Write `${VAR}`, `${VAR:-default}` or `${VAR:?message}`; `$${` for a literal `${`."),
    }
}

fn integer(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok()
}
