//! The record of a mask kind: its name, parameters, promises and limits. Listing, docs and refusals come from here.

use super::column::{ColumnMask, Compile, CompileError, Refusal};
use super::keeps::Keeps;
use super::text::SPANS;
use super::{Params, Shape, nested};
use serde_json::Value;

/// A column type a kind takes, without its details. What takes a type takes arrays of it too, value by value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    Integer,
    Numeric,
    Float,
    Bool,
    Text,
    Enum,
    Bytes,
    Uuid,
    Date,
    Timestamp,
    Time,
    Inet,
    Mac,
    Point,
    Json,
    Xml,
    Composite,
    Hstore,
    /// What no mask can change.
    Opaque,
}

impl Takes {
    /// Every type a mask can be put on.
    pub const ALL: &[Takes] = &[
        Takes::Integer,
        Takes::Numeric,
        Takes::Float,
        Takes::Bool,
        Takes::Text,
        Takes::Enum,
        Takes::Bytes,
        Takes::Uuid,
        Takes::Date,
        Takes::Timestamp,
        Takes::Time,
        Takes::Inet,
        Takes::Mac,
        Takes::Point,
        Takes::Json,
        Takes::Xml,
        Takes::Composite,
        Takes::Hstore,
    ];

    /// Returns the word users read in listings.
    pub fn name(self) -> &'static str {
        match self {
            Takes::Integer => "integer",
            Takes::Numeric => "numeric",
            Takes::Float => "float",
            Takes::Bool => "boolean",
            Takes::Text => "text",
            Takes::Enum => "enum",
            Takes::Bytes => "bytea",
            Takes::Uuid => "uuid",
            Takes::Date => "date",
            Takes::Timestamp => "timestamp",
            Takes::Time => "time",
            Takes::Inet => "inet",
            Takes::Mac => "macaddr",
            Takes::Point => "point",
            Takes::Json => "json",
            Takes::Xml => "xml",
            Takes::Composite => "composite",
            Takes::Hstore => "hstore",
            Takes::Opaque => "other",
        }
    }
}

impl From<&Shape> for Takes {
    fn from(shape: &Shape) -> Self {
        match shape.leaf() {
            Shape::Int2 | Shape::Int4 | Shape::Int8 => Takes::Integer,
            Shape::Numeric { .. } => Takes::Numeric,
            Shape::Float4 | Shape::Float8 => Takes::Float,
            Shape::Bool => Takes::Bool,
            Shape::Text { .. } => Takes::Text,
            Shape::Enum(_) => Takes::Enum,
            Shape::Bytea => Takes::Bytes,
            Shape::Uuid => Takes::Uuid,
            Shape::Date => Takes::Date,
            Shape::Timestamp => Takes::Timestamp,
            Shape::Time | Shape::TimeTz => Takes::Time,
            Shape::Inet | Shape::Cidr => Takes::Inet,
            Shape::Mac | Shape::Mac8 => Takes::Mac,
            Shape::Point => Takes::Point,
            Shape::Json | Shape::Jsonb => Takes::Json,
            Shape::Xml => Takes::Xml,
            Shape::Composite(_) => Takes::Composite,
            Shape::Hstore => Takes::Hstore,
            // `leaf` has looked through these three.
            Shape::Opaque | Shape::Array(_) | Shape::Range(_) | Shape::Multirange(_) => Takes::Opaque,
        }
    }
}

/// What a mask is a function of, beside the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyedOn {
    /// The value: equal values get equal masks everywhere in the label.
    Value,
    /// The person of the row: values join only through the subject.
    Subject,
    /// The value, or the subject with `by = "subject"`.
    Either,
    /// Nothing: every value gets the same mask.
    Nothing,
    /// The row: its value together with other columns or the person. Equal values of two rows may differ.
    Row,
}

/// Whether two values can share a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injective {
    /// Never: the mask is a bijection or contains one.
    ByConstruction,
    /// With probability n²/2^81.
    Bits80,
    /// Yes: unusable for unique columns.
    No,
}

/// How a mask can be told from its value in staging: what the leak gate holds a kind to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// A value that names somebody becomes another of its form by a chance of at most 2^-bits: nothing of the source may be
    /// in staging, in this column or anywhere else.
    Rare { bits: u32 },
    /// As rare as one in 2^20, but of short telephone numbers only the last digits change: of ten digits five, of fewer four.
    Subscriber,
    /// People's names: masks are names that others have, so one row may keep its value by chance; but the names of a person
    /// may not stand elsewhere.
    Names,
    /// A program of the user's decides. Addresses and numbers of the source may not be among its answers.
    Foreign,
    /// Masks come from a short list or a small range: a row keeps its value as often as two draws agree.
    Chance,
    /// Values move a little, and a few not at all.
    Near,
    /// Something of each value stays on purpose, and of some of them all; never all of every value.
    Part,
    /// Values stay whole where they hold nothing of what the mask looks for.
    Open,
}

/// What a mask promises once its parameters are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    pub keyed_on: KeyedOn,
    pub injective: Injective,
    /// A subject must be named.
    pub needs_subject: bool,
    /// How many different masks there are at most, if that is a number users would count with.
    pub capacity: Option<u128>,
}

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
pub enum Domain {
    Bool,
    /// A whole number in a range, with its unit.
    Integer {
        min: i64,
        max: i64,
        unit: &'static str,
    },
    OneOf(&'static [&'static str]),
    Text,
    /// An array of strings.
    Texts,
    /// Checked by the kind itself.
    Any,
}

/// One parameter of a kind.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    pub name: &'static str,
    pub summary: &'static str,
    pub domain: Domain,
    /// The default as written in TOML, or what holds without the parameter.
    pub default: &'static str,
}

/// A mask kind. A kind and version never changes its output.
pub struct Kind {
    /// `email`, without version.
    pub name: &'static str,
    pub version: u32,
    /// One line, starting with a verb.
    pub summary: &'static str,
    pub params: &'static [Param],
    pub accepts: &'static [Takes],
    pub keyed_on: KeyedOn,
    pub injective: Injective,
    /// Case variants of an input share a mask unless `fold = false`.
    pub folds: bool,
    /// Masks contain no upper-case letters, so they stay distinct under `lower()`.
    pub lowercase: bool,
    /// Keeps the order of two values of one subject, so that the bounds of a range can carry it.
    pub ranges: bool,
    /// A subject must be named.
    pub needs_subject: bool,
    /// Inputs that show what the kind does.
    pub samples: &'static [&'static str],
    /// How masks differ from their values with these parameters.
    pub remains: fn(&Params) -> Remains,
    /// Values that stay as they are by design.
    pub keeps: Keeps,
    /// What holds with these parameters, for kinds whose parameters decide; none: what the other fields say.
    pub promises: Option<fn(&Params) -> Promise>,
    /// Columns of the row that the mask reads, by name.
    pub columns: fn(&Params) -> Vec<String>,
    /// Least `varchar(n)` per tier, widest first; empty: the length is kept or does not matter.
    pub least: fn(&Params) -> Vec<u32>,
    pub(super) compile: fn(&Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError>,
}

/// No form of a kind fits a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("needs room for {0} characters")]
pub struct LeastLength(pub u32);

impl Kind {
    /// Returns `email/1`.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }

    /// Returns what a mask of the kind promises with these parameters.
    pub fn promise(&self, params: &Params) -> Promise {
        let Self { keyed_on, injective, needs_subject, .. } = *self;
        match self.promises {
            Some(promises) => promises(params),
            None => Promise { keyed_on, injective, needs_subject, capacity: None },
        }
    }

    /// Returns the names of the columns that the mask, or a mask inside its parameters, reads.
    pub fn columns_read(&self, params: &Params) -> Vec<String> {
        fn inside(value: &Value, names: &mut Vec<String>) {
            match value {
                Value::Object(table) => match table.get("mask").and_then(Value::as_str).and_then(super::kind) {
                    Some(kind) => names.append(&mut kind.columns_read(table)),
                    None => table.values().for_each(|value| inside(value, names)),
                },
                Value::Array(items) => items.iter().for_each(|value| inside(value, names)),
                _ => {}
            }
        }
        let mut names = (self.columns)(params);
        params.values().for_each(|value| inside(value, &mut names));
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Tells whether the mask, or a mask inside its parameters, looks for names in texts.
    pub fn finds_names(&self, params: &Params) -> bool {
        fn inside(value: &Value) -> bool {
            match value {
                Value::String(word) => super::kind(word).is_some_and(|kind| kind.name == SPANS.name),
                Value::Object(table) => table.values().any(inside),
                Value::Array(items) => items.iter().any(inside),
                _ => false,
            }
        }
        self.name == SPANS.name || params.values().any(inside)
    }

    /// Tells whether a column of this shape can carry the kind.
    ///
    /// A container of a shape carries what the shape carries; a range only what keeps its bounds in order.
    pub fn takes(&self, shape: &Shape) -> bool {
        self.accepts.contains(&shape.into()) && (self.ranges || !shape.ranges())
    }

    /// Chooses the widest form that fits `varchar(chars_max)`. The plan asks once per (kind, label), with the
    /// narrowest column.
    ///
    /// # Errors
    /// [`LeastLength`] if not even the shortest form fits.
    pub fn tier(&self, chars_max: Option<u32>, params: &Params) -> Result<u8, LeastLength> {
        let least = (self.least)(params);
        let (Some(chars_max), Some(shortest)) = (chars_max, least.last()) else { return Ok(0) };
        let fits = least.iter().position(|chars| *chars <= chars_max);
        fits.map(|tier| tier as u8).ok_or(LeastLength(*shortest))
    }

    /// Checks parameters, type, subject and width, then builds the mask.
    ///
    /// # Errors
    /// [`CompileError`] naming the column and the first thing that is wrong.
    pub fn compile(&self, compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
        let kind = || self.full_name();
        for (name, value) in &compile.spec.params {
            let Some(param) = self.params.iter().find(|param| param.name == name) else {
                return Err(compile.error(Refusal::UnknownParam { kind: kind(), param: name.clone() }));
            };
            if let Some(expected) = param.domain.refuses(value) {
                return Err(compile.error(Refusal::BadParam { kind: kind(), param: name.clone(), expected }));
            }
        }
        if !self.takes(&compile.shape) {
            return Err(compile.error(Refusal::WrongShape { kind: kind() }));
        }
        let by_subject = compile.spec.params.get("by").and_then(Value::as_str) == Some("subject");
        if (self.promise(&compile.spec.params).needs_subject || by_subject) && compile.subject.is_none() {
            return Err(compile.error(Refusal::NeedsSubject { kind: kind() }));
        }
        if let Shape::Text { chars_max: Some(chars_max), .. } = *compile.shape.leaf() {
            let least = (self.least)(&compile.spec.params);
            let tier = usize::from(compile.tier());
            if let Some(least) = least.get(tier).or(least.last()).filter(|least| **least > chars_max) {
                return Err(compile.error(Refusal::TooNarrow { kind: kind(), least: *least }));
            }
        }
        if matches!(compile.shape, Shape::Array(_) | Shape::Range(_) | Shape::Multirange(_)) {
            return nested::compile(self.compile, compile);
        }
        (self.compile)(compile)
    }
}

impl Domain {
    /// Returns what was expected if the value is outside the domain.
    pub fn refuses(self, value: &Value) -> Option<String> {
        let fits = match self {
            Domain::Bool => value.is_boolean(),
            Domain::Integer { min, max, .. } => value.as_i64().is_some_and(|number| (min..=max).contains(&number)),
            Domain::OneOf(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Domain::Text => value.is_string(),
            Domain::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
            Domain::Any => true,
        };
        (!fits).then(|| self.expected())
    }

    /// Returns what a value may be, with unit and range; nothing if the kind itself checks it.
    pub fn expected(self) -> String {
        match self {
            Domain::Bool => "true or false".to_owned(),
            Domain::Integer { min, max, unit } => format!("a whole number of {unit} from {min} to {max}"),
            Domain::OneOf(words) => {
                format!("one of {}", words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", "))
            }
            Domain::Text => "a string".to_owned(),
            Domain::Texts => "an array of strings".to_owned(),
            Domain::Any => String::new(),
        }
    }
}

/// Reading checked parameters.
impl Compile<'_> {
    /// The form the plan decided for this kind and label.
    pub fn tier(&self) -> u8 {
        let key = (self.spec.kind.clone(), self.spec.label.clone());
        self.table.tiers.get(&key).copied().unwrap_or(0)
    }

    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.spec.params.get(name).and_then(Value::as_bool).unwrap_or(default)
    }

    pub(super) fn number(&self, name: &str) -> Option<i64> {
        self.spec.params.get(name).and_then(Value::as_i64)
    }

    pub(super) fn word(&self, name: &str) -> Option<&str> {
        self.spec.params.get(name).and_then(Value::as_str)
    }

    /// An error about one of this mask's parameters.
    pub(super) fn bad_param(&self, param: &str, expected: &str) -> CompileError {
        let (kind, param, expected) = (self.spec.kind.clone(), param.to_owned(), expected.to_owned());
        self.error(Refusal::BadParam { kind, param, expected })
    }

    /// An error about the column's type.
    pub(super) fn wrong_shape(&self) -> CompileError {
        self.error(Refusal::WrongShape { kind: self.spec.kind.clone() })
    }
}
