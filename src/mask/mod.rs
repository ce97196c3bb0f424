//! The masking core: turns source values into masked ones.
//!
//! Pure: no I/O, no clock, no randomness except the key; but for `command`, which asks a program of the user's. It knows
//! Arrow and BLAKE3, not PostgreSQL, SQL, tokio or config.
//! The specification is MASKING.md; a kind and version never changes its output.

mod account;
mod agent;
mod amount;
pub mod batch;
mod blob;
mod born;
mod calendar;
mod canon;
mod choice;
mod clock;
pub mod column;
mod command;
mod condition;
mod credential;
mod csv;
pub mod decimal;
mod dict;
mod draft;
mod draw;
mod fixed;
mod iban;
pub mod json;
pub mod keeps;
pub mod key;
pub mod kind;
pub mod known;
mod lanes;
mod leaf;
mod listed;
mod locale;
mod mac;
mod masker;
mod naming;
mod national;
pub mod nested;
mod network;
mod part;
mod pattern;
mod person;
mod phone;
mod place;
mod postal;
mod prose;
mod quantity;
mod regular;
mod replace;
mod row;
mod sex;
mod single;
mod template;
mod temporal;
pub mod text;
mod token;
mod unicode;
mod web;
mod xml;

#[cfg(test)]
mod apart_tests;
#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod rules_tests;
#[cfg(test)]
mod tests;

pub use calendar::AFTER_PARAM as AFTER;
pub use column::{ColumnMask, Compile, CompileError, MaskError, Refusal, Rows};
pub use condition::Condition;
pub use dict::dictionaries;
pub use keeps::{Keeps, Raw};
pub use key::{MasterKey, RealmKey};
pub use kind::{Injective, KeyedOn, Kind, LeastLength, Param, Promise, Remains, Takes};
pub use locale::{Letters, letters};
pub use masker::{Masker, ValueError, mask_value};
pub use temporal::push_date;
pub use text::holds_names;

use std::collections::BTreeMap;
use std::sync::Arc;

/// Every mask kind, in the order of the documentation.
pub static KINDS: &[&Kind] = &[
    &quantity::INT,
    &quantity::INT_RANGE,
    &account::UUID,
    &pattern::PATTERN,
    &person::EMAIL,
    &person::USERNAME,
    &person::NAME_FIRST,
    &person::NAME_LAST,
    &person::NAME_FULL,
    &naming::NAME_VALUE,
    &naming::COMPANY,
    &phone::PHONE,
    &person::ADDRESS,
    &postal::ZIP,
    &account::CARD,
    &iban::IBAN,
    &national::BE_NN,
    &national::NL_BSN,
    &national::FR_NIR,
    &national::DE_IDNR,
    &national::ES_DNI,
    &national::ES_NIE,
    &national::IT_CF,
    &national::PL_PESEL,
    &national::SE_PNR,
    &national::BR_CPF,
    &national::BR_CNPJ,
    &national::IN_AADHAAR,
    &national::US_SSN,
    &national::US_EIN,
    &national::GB_NHS,
    &national::GB_NINO,
    &national::CA_SIN,
    &national::AU_TFN,
    &national::FI_HETU,
    &national::NO_FNR,
    &national::DK_CPR,
    &national::CH_AHV,
    &national::PT_NIF,
    &national::CN_RIC,
    &national::ZA_ID,
    &network::IP,
    &mac::MAC,
    &temporal::DATE_SHIFT,
    &calendar::WITHIN_YEAR,
    &born::FROM_ID,
    &calendar::TRUNC,
    &calendar::AGE_CAP,
    &clock::SHIFT,
    &clock::TRUNC,
    &amount::NOISE,
    &amount::SCALE,
    &amount::BUCKET,
    &amount::CAP,
    &choice::SAMPLE,
    &choice::RANDOMIZED,
    &choice::PERM,
    &place::GRID,
    &place::LAPLACE,
    &blob::BLOB,
    &json::JSON,
    &nested::COMPOSITE,
    &nested::HSTORE,
    &text::SPANS,
    &prose::LOREM_TEXT,
    &prose::DROP,
    &xml::XML,
    &web::URL,
    &agent::UA,
    &credential::PASSWORD,
    &credential::TOKEN,
    &template::TEMPLATE,
    &replace::REPLACE,
    &regular::REGEX,
    &draw::CHOICE,
    &draw::LOOKUP,
    &part::HASH,
    &part::PARTIAL,
    &command::COMMAND,
    &fixed::NULL,
    &fixed::CONST,
];

/// Length in code points, as `varchar(n)` counts.
fn chars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// Finds a kind by name, with version (`email/1`) or without (the newest).
pub fn kind(name: &str) -> Option<&'static Kind> {
    let (name, version) = match name.split_once('/') {
        Some((name, version)) => (name, Some(version.parse::<u32>().ok()?)),
        None => (name, None),
    };
    let matching =
        KINDS.iter().filter(|kind| kind.name == name && version.is_none_or(|version| version == kind.version));
    matching.max_by_key(|kind| kind.version).copied()
}

/// The version of the whole core; every kind's output is a function of (key, realm, label, kind/version, value).
pub const VERSION: u32 = 1;

/// The version of Unicode whose tables masks use; never another one.
pub const UNICODE: &str = "16.0";

/// What a column holds, as far as a mask needs to know, and the Arrow array that carries it.
///
/// | shape | array in | array out |
/// |---|---|---|
/// | `Int2`, `Int4`, `Int8` | `Int16Array`, `Int32Array`, `Int64Array` | same |
/// | `Numeric` | `BinaryViewArray`: the wire form, below | `BinaryArray` |
/// | `Float4`, `Float8` | `Float32Array`, `Float64Array` | same |
/// | `Bool` | `BooleanArray` | same |
/// | `Text`, `Enum`, `Json`, `Jsonb`, `Xml` | `StringViewArray` over the wire buffer | `StringArray` |
/// | `Bytea` | `BinaryViewArray` | `BinaryArray` |
/// | `Uuid`, `Mac`, `Mac8`, `Point` | `FixedSizeBinaryArray` of 16, 6, 8, 16 | same |
/// | `Date` | `Date32Array`, days since 1970-01-01, ±infinity = `i32::MAX`/`MIN` | same |
/// | `Timestamp` | `Int64Array`, microseconds since **2000-01-01** UTC, ±infinity = `i64::MAX`/`MIN` | same |
/// | `Time`, `TimeTz` | `FixedSizeBinaryArray` of 8, 12: big-endian microseconds since midnight, then seconds west of UTC | same |
/// | `Inet`, `Cidr` | `BinaryViewArray`: family (2 or 3), prefix length, is-cidr, address length, address | `BinaryArray` |
/// | `Array`, `Range`, `Multirange`, `Composite`, `Hstore` | `StructArray`, see [`nested`] | same |
/// | `Opaque` | `BinaryViewArray`: whatever the source sent | same |
///
/// Timestamps keep the epoch of PostgreSQL because moving it overflows `i64` for legal values. A numeric is, big-endian:
/// number of digits, weight of the first digit, sign (0, 0x4000, NaN 0xC000, ∞ 0xD000, −∞ 0xF000), digits after the
/// decimal point, and the digits to base 10 000. A point is two big-endian `f64`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Shape {
    Int2,
    Int4,
    Int8,
    /// `limit`: precision and scale of `numeric(p, s)`.
    Numeric {
        limit: Option<(u16, i16)>,
    },
    Float4,
    Float8,
    Bool,
    /// `chars_max`: the `n` of `varchar(n)` or `char(n)` in code points; `padded`: `char(n)`, blank-padded on the wire.
    Text {
        chars_max: Option<u32>,
        padded: bool,
    },
    /// The labels in the order of the type.
    Enum(Arc<[String]>),
    Bytea,
    Uuid,
    Mac,
    Mac8,
    /// Two coordinates: longitude, latitude.
    Point,
    Date,
    /// `timestamp` and `timestamptz` alike.
    Timestamp,
    Time,
    TimeTz,
    Inet,
    Cidr,
    Json,
    Jsonb,
    Xml,
    /// Up to six dimensions of one element type.
    Array(Arc<Shape>),
    Range(Arc<Shape>),
    Multirange(Arc<Shape>),
    /// The attributes in order.
    Composite(Arc<[Attribute]>),
    Hstore,
    /// A part of a container that no mask can change; never a whole column.
    Opaque,
}

/// One attribute of a composite type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attribute {
    pub name: String,
    pub shape: Shape,
}

impl Shape {
    /// Text without a limit.
    pub const TEXT: Shape = Shape::Text { chars_max: None, padded: false };

    /// The shape a plain kind is put on: that of the elements of an array, of the bounds of a range.
    pub fn leaf(&self) -> &Shape {
        match self {
            Shape::Array(inner) | Shape::Range(inner) | Shape::Multirange(inner) => inner.leaf(),
            other => other,
        }
    }

    /// Values are ranges, or hold some.
    pub fn ranges(&self) -> bool {
        match self {
            Shape::Range(_) | Shape::Multirange(_) => true,
            Shape::Array(inner) => inner.ranges(),
            _ => false,
        }
    }

    /// A value of this shape can name the subject of a row.
    pub fn names_subjects(&self) -> bool {
        matches!(self, Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Text { .. } | Shape::Uuid | Shape::Date)
    }

    /// Whether the array of the shape is a `StructArray` of leaves.
    pub fn nested(&self) -> bool {
        matches!(self, Shape::Array(_) | Shape::Range(_) | Shape::Multirange(_) | Shape::Composite(_) | Shape::Hstore)
    }
}

/// Parameters of a mask as written in the policy, without `mask` and `subject`.
pub type Params = serde_json::Map<String, serde_json::Value>;

/// The mask of one column as the plan resolved it.
#[derive(Debug, Clone)]
pub struct MaskSpec {
    /// `email/1`: always with version.
    pub kind: String,
    /// The joining set; empty joins all columns of the kind.
    pub label: String,
    pub params: Params,
    /// Index into [`TableSpec::columns`] of the column that names the subject of the row.
    pub subject: Option<usize>,
}

/// One decoded column: masked, or read only because it names the subject (`mask` is none).
#[derive(Debug, Clone)]
pub struct ColumnSpec {
    /// `schema.table.column`, for errors.
    pub name: String,
    pub shape: Shape,
    pub mask: Option<MaskSpec>,
}

/// Everything [`Masker::compile`] needs for one table.
#[derive(Debug, Clone, Default)]
pub struct TableSpec {
    /// The decoded columns in wire order, then anchor columns that the query appends and that are not written.
    pub columns: Vec<ColumnSpec>,
    /// Form decided at plan time for a whole (kind, label), because its narrowest column decides. Missing: tier 0.
    pub tiers: BTreeMap<(String, String), u8>,
    /// The columns that are masked in some rows only.
    pub conditions: Vec<Condition>,
    /// Masked columns of other tables that only masks of this one read: names that its texts may mention.
    pub unwritten: Vec<usize>,
    /// Columns that are called after names of persons, and the kind that makes such names: texts may mention their values,
    /// whatever masks them.
    pub named: BTreeMap<usize, &'static str>,
}
