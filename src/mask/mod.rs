//! The masking core: turns source values into masked ones.
//!
//! Pure: no I/O, no clock, no randomness except the key. It knows Arrow and BLAKE3, not PostgreSQL, SQL, tokio or config.
//! The specification is MASKING.md; a kind and version never changes its output.

mod account;
pub mod batch;
mod canon;
pub mod column;
mod dict;
mod draft;
mod fixed;
pub mod json;
pub mod key;
pub mod kind;
mod lanes;
mod leaf;
mod locale;
mod masker;
mod network;
mod pattern;
mod person;
mod phone;
mod quantity;
mod temporal;
pub mod text;
mod token;
mod unicode;

#[cfg(test)]
mod tests;

pub use column::{ColumnMask, Compile, CompileError, MaskError, Refusal, Rows};
pub use key::{MasterKey, RealmKey};
pub use kind::{Injective, KeyedOn, Kind, LeastLength, Param, Promise, Takes};
pub use masker::{Masker, ValueError, mask_value};

use std::collections::BTreeMap;

/// Every mask kind, in the order of the documentation.
pub static KINDS: &[&Kind] = &[
    &quantity::INT,
    &account::UUID,
    &pattern::PATTERN,
    &person::EMAIL,
    &person::USERNAME,
    &person::NAME_FIRST,
    &person::NAME_LAST,
    &person::NAME_FULL,
    &phone::PHONE,
    &person::ADDRESS,
    &account::CARD,
    &account::US_SSN,
    &network::IP,
    &temporal::DATE_SHIFT,
    &json::JSON,
    &text::SPANS,
    &fixed::NULL,
    &fixed::CONST,
];

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

/// What a column holds, as far as a mask needs to know, and the Arrow array that carries it.
///
/// | shape | array in | array out |
/// |---|---|---|
/// | `Int2`, `Int4`, `Int8` | `Int16Array`, `Int32Array`, `Int64Array` | same |
/// | `Text`, `Json`, `Jsonb` | `StringViewArray` over the wire buffer | `StringArray` |
/// | `Uuid` | `FixedSizeBinaryArray` of 16 | same |
/// | `Date` | `Date32Array`, days since 1970-01-01, ±infinity = `i32::MAX`/`MIN` | same |
/// | `Timestamp` | `Int64Array`, microseconds since **2000-01-01** UTC, ±infinity = `i64::MAX`/`MIN` | same |
/// | `Inet`, `Cidr` | `BinaryViewArray`: family (2 or 3), prefix length, is-cidr, address length, address | `BinaryArray` |
///
/// Timestamps keep the epoch of PostgreSQL because moving it overflows `i64` for legal values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    Int2,
    Int4,
    Int8,
    /// `chars_max`: the `n` of `varchar(n)` or `char(n)` in code points; `padded`: `char(n)`, blank-padded on the wire.
    Text {
        chars_max: Option<u32>,
        padded: bool,
    },
    Uuid,
    Date,
    /// `timestamp` and `timestamptz` alike.
    Timestamp,
    Inet,
    Cidr,
    Json,
    Jsonb,
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
}
