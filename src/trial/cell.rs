//! Values of tests as the arrays that masks see, and masked arrays as text.

use crate::config::Given;
use crate::mask::decimal::{self, Decimal};
use crate::mask::{Shape, push_date};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{
    Array as _, ArrayRef, BinaryViewArray, BooleanArray, Date32Array, FixedSizeBinaryArray, Float32Array, Float64Array,
    Int16Array, Int32Array, Int64Array, StringViewArray,
};
use jiff::civil::{Date, DateTime};
use std::net::IpAddr;
use std::sync::Arc;

/// A type of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SqlType {
    pub oid: u32,
    pub typmod: i32,
    /// `varchar`.
    pub base: &'static str,
    /// `varchar(20)`.
    pub name: String,
    /// Taken for NULL, which could be of any type.
    pub guessed: bool,
}

/// Names, and OIDs, which never change (`pg_type.dat`).
const TYPES: &[(&str, u32)] = &[
    ("text", 25),
    ("varchar", 1043),
    ("char", 1042),
    ("smallint", 21),
    ("integer", 23),
    ("bigint", 20),
    ("uuid", 2950),
    ("date", 1082),
    ("timestamp", 1114),
    ("timestamptz", 1184),
    ("inet", 869),
    ("json", 114),
    ("jsonb", 3802),
    ("boolean", 16),
    ("numeric", 1700),
    ("real", 700),
    ("double precision", 701),
];

/// Other names of these types.
const ALIASES: &[(&str, &str)] = &[
    ("character varying", "varchar"),
    ("character", "char"),
    ("bpchar", "char"),
    ("int2", "smallint"),
    ("int", "integer"),
    ("int4", "integer"),
    ("int8", "bigint"),
    ("timestamp without time zone", "timestamp"),
    ("timestamp with time zone", "timestamptz"),
    ("bool", "boolean"),
    ("decimal", "numeric"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("float", "double precision"),
];

/// The length word that the typmod of a text or a numeric includes.
const HEADER: i32 = 4;
/// Digits that `numeric(p)` can ask for.
const PRECISION_MAX: i32 = 1000;

pub(super) fn known_types() -> String {
    TYPES.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

impl SqlType {
    /// Reads `varchar(20)`.
    pub fn parse(text: &str) -> Option<Self> {
        let lower = text.trim().to_lowercase();
        let number = |text: &str| text.trim().parse::<i32>().ok();
        let (name, length, scale) = match lower.split_once('(') {
            Some((name, rest)) => match rest.strip_suffix(')')?.split_once(',') {
                Some((length, scale)) => (name.trim(), Some(number(length)?), Some(number(scale)?)),
                None => (name.trim(), Some(number(rest.strip_suffix(')')?)?), None),
            },
            None => (lower.as_str(), None, None),
        };
        let name = ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name);
        let &(base, oid) = TYPES.iter().find(|(known, _)| *known == name)?;
        let typmod = match (base, length, scale.unwrap_or(0)) {
            ("numeric", Some(digits), scale)
                if (1..=PRECISION_MAX).contains(&digits) && (0..=digits).contains(&scale) =>
            {
                ((digits << 16) | scale) + HEADER
            }
            ("varchar" | "char", Some(length), _) if length > 0 && scale.is_none() => length.checked_add(HEADER)?,
            ("char", None, _) => 1 + HEADER,
            (_, None, _) => -1,
            _ => return None,
        };
        Some(Self { oid, typmod, base, name: lower, guessed: false })
    }

    /// The type of a value that stands for itself.
    pub fn of(given: &Given) -> Self {
        let name = match given {
            Given::Null | Given::Text(_) => "text",
            Given::Integer(_) => "bigint",
            Given::Float(_) => "double precision",
            Given::Boolean(_) => "boolean",
            Given::Date(text) if text.parse::<Date>().is_ok() && text.len() == 10 => "date",
            Given::Date(text) if text.parse::<jiff::Timestamp>().is_ok() => "timestamptz",
            Given::Date(_) => "timestamp",
            Given::Json(_) => "jsonb",
        };
        let &(base, oid) = TYPES.iter().find(|(known, _)| *known == name).unwrap_or(&TYPES[0]);
        Self { oid, typmod: -1, base, name: name.to_owned(), guessed: *given == Given::Null }
    }
}

/// A value of a column.
pub(super) struct Cell {
    pub array: ArrayRef,
    /// As PostgreSQL would write it, nearly; none for NULL.
    pub text: Option<String>,
}

/// Microseconds from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const DAY_MICROS: i64 = 86_400_000_000;
/// Where days and microseconds are counted from. Without a time zone, so that the last day of 9999 has a place too.
const EPOCH: Date = jiff::civil::date(1970, 1, 1);
/// Family numbers in the binary form of `inet`.
const INET4: u8 = 2;
const INET6: u8 = 3;

/// Makes a NULL; none for shapes that neither names nor subjects have.
pub(super) fn null(shape: &Shape) -> Option<ArrayRef> {
    Some(match shape {
        Shape::Text { .. } | Shape::Enum(_) => Arc::new(StringViewArray::from(vec![None::<&str>])),
        Shape::Int2 => Arc::new(Int16Array::from(vec![None])),
        Shape::Int4 => Arc::new(Int32Array::from(vec![None])),
        Shape::Int8 => Arc::new(Int64Array::from(vec![None])),
        Shape::Date => Arc::new(Date32Array::from(vec![None])),
        Shape::Uuid => Arc::new(FixedSizeBinaryArray::new_null(16, 1)),
        _ => return None,
    })
}

/// Makes the value of a column.
///
/// # Errors
/// What the value should have been.
pub(super) fn cell(kind: &SqlType, given: &Given) -> Result<Cell, &'static str> {
    let integer = |min: i64, max: i64| match given {
        Given::Null => Ok(None),
        Given::Integer(number) if (min..=max).contains(number) => Ok(Some(*number)),
        _ => Err("a whole number in the range of its type"),
    };
    let (array, shape): (ArrayRef, Shape) = match kind.base {
        "smallint" => {
            let number = integer(i16::MIN.into(), i16::MAX.into())?.map(|number| number as i16);
            (Arc::new(Int16Array::from(vec![number])), Shape::Int2)
        }
        "integer" => {
            let number = integer(i32::MIN.into(), i32::MAX.into())?.map(|number| number as i32);
            (Arc::new(Int32Array::from(vec![number])), Shape::Int4)
        }
        "bigint" => (Arc::new(Int64Array::from(vec![integer(i64::MIN, i64::MAX)?])), Shape::Int8),
        "date" => {
            let days = texts(given, "a date", |text| match text {
                "infinity" => Some(i32::MAX),
                "-infinity" => Some(i32::MIN),
                _ => i32::try_from(text.parse::<Date>().ok()?.duration_since(EPOCH).as_secs() / 86_400).ok(),
            })?;
            (Arc::new(Date32Array::from(vec![days])), Shape::Date)
        }
        "timestamp" | "timestamptz" => {
            let micros = texts(given, "a date with time", timestamp)?;
            (Arc::new(Int64Array::from(vec![micros])), Shape::Timestamp)
        }
        "uuid" => {
            let uuid = texts(given, "a UUID", |text| uuid::Uuid::parse_str(text).ok())?;
            let bytes = uuid.map(uuid::Uuid::into_bytes);
            let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(std::iter::once(bytes), 16)
                .map_err(|_| "a UUID")?;
            (Arc::new(array), Shape::Uuid)
        }
        "inet" => {
            let bytes = texts(given, "an IP address", inet)?;
            (Arc::new(BinaryViewArray::from_iter(std::iter::once(bytes))), Shape::Inet)
        }
        "json" | "jsonb" => {
            let text = match given {
                Given::Null => None,
                Given::Text(text) if serde_json::from_str::<serde_json::Value>(text).is_ok() => Some(text.clone()),
                Given::Json(json) => Some(json.to_string()),
                _ => return Err("JSON: a TOML table, or JSON in quotes"),
            };
            (Arc::new(StringViewArray::from_iter(std::iter::once(text))), Shape::Jsonb)
        }
        "text" | "varchar" | "char" => {
            let text = texts(given, "a string", |text| Some(text.to_owned()))?;
            let limit = usize::try_from(kind.typmod - HEADER).ok();
            if let (Some(text), Some(limit)) = (&text, limit)
                && text.chars().count() > limit
            {
                return Err("a string of the length of its type");
            }
            let array = Arc::new(StringViewArray::from_iter(std::iter::once(text)));
            (array, Shape::Text { chars_max: None, padded: false })
        }
        "boolean" => {
            let value = match given {
                Given::Null => None,
                Given::Boolean(value) => Some(*value),
                _ => return Err("true or false"),
            };
            (Arc::new(BooleanArray::from(vec![value])), Shape::Bool)
        }
        "numeric" => {
            let wire = numbers(given, "a number that its type holds", |text| numeric(kind.typmod, text))?;
            (Arc::new(BinaryViewArray::from_iter(std::iter::once(wire))), Shape::Numeric { limit: None })
        }
        "real" => {
            let number = numbers(given, "a number", |text| text.parse::<f32>().ok())?;
            (Arc::new(Float32Array::from(vec![number])), Shape::Float4)
        }
        "double precision" => {
            let number = numbers(given, "a number", |text| text.parse::<f64>().ok())?;
            (Arc::new(Float64Array::from(vec![number])), Shape::Float8)
        }
        _ => return Err("a value of a type that tests know"),
    };
    let text = text(&array, &shape);
    Ok(Cell { array, text })
}

/// Reads a number, or a text that is one; NULL stays NULL.
fn numbers<T>(
    given: &Given,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, &'static str> {
    match given {
        Given::Null => Ok(None),
        Given::Integer(number) => read(&number.to_string()).map(Some).ok_or(expected),
        Given::Float(number) => read(&number.to_string()).map(Some).ok_or(expected),
        Given::Text(text) => read(text).map(Some).ok_or(expected),
        Given::Boolean(_) | Given::Date(_) | Given::Json(_) => Err(expected),
    }
}

/// A number as a `numeric` holds it, with the decimal places of `numeric(p, s)`; none if it has more digits than there are.
fn numeric(typmod: i32, text: &str) -> Option<Vec<u8>> {
    let mut wire = Vec::new();
    let Some(bits) = typmod.checked_sub(HEADER).filter(|bits| *bits >= 0) else {
        decimal::push_text_wire(text, &mut wire)?;
        return Some(wire);
    };
    let (digits, scale) = (bits >> 16, bits & 0x7ff);
    let mut number = Decimal::default();
    let fits = number.read_text(text)
        && number.scale() <= usize::try_from(scale).ok()?
        && number.exponent().is_none_or(|power| power < (digits - scale) as isize);
    if !fits {
        return None;
    }
    number.truncate(usize::try_from(scale).ok()?);
    number.push_wire(&mut wire);
    Some(wire)
}

/// Reads a text; NULL stays NULL.
fn texts<T>(
    given: &Given,
    expected: &'static str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, &'static str> {
    match given {
        Given::Null => Ok(None),
        Given::Text(text) | Given::Date(text) => read(text).map(Some).ok_or(expected),
        _ => Err(expected),
    }
}

/// Microseconds from 2000, as PostgreSQL counts them.
fn timestamp(text: &str) -> Option<i64> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment.as_microsecond() - EPOCH_MICROS);
    }
    match text {
        "infinity" => Some(i64::MAX),
        "-infinity" => Some(i64::MIN),
        _ => {
            let moment: DateTime = text.strip_suffix('Z').unwrap_or(text).parse().ok()?;
            let since = moment.duration_since(EPOCH.at(0, 0, 0, 0));
            Some(i64::try_from(since.as_micros()).ok()? - EPOCH_MICROS)
        }
    }
}

/// Family, prefix length, is-cidr, address length, address.
fn inet(text: &str) -> Option<Vec<u8>> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().ok()?)),
        None => (text, None),
    };
    let (family, octets) = match address.parse().ok()? {
        IpAddr::V4(address) => (INET4, address.octets().to_vec()),
        IpAddr::V6(address) => (INET6, address.octets().to_vec()),
    };
    let bits = octets.len() as u8 * 8;
    let prefix = prefix.unwrap_or(bits);
    let head = [family, prefix, 0, octets.len() as u8];
    (prefix <= bits).then(|| [&head[..], &octets].concat())
}

/// A day from 1970-01-01 as text: masks may move one beyond the year 9999.
fn day(days: i64) -> String {
    let mut text = String::new();
    push_date(days, &mut text);
    text
}

/// The first value of an array as text; none for NULL.
pub(super) fn text(array: &ArrayRef, shape: &Shape) -> Option<String> {
    if array.is_null(0) {
        return None;
    }
    Some(match shape {
        Shape::Int2 => array.as_primitive_opt::<Int16Type>()?.value(0).to_string(),
        Shape::Int4 => array.as_primitive_opt::<Int32Type>()?.value(0).to_string(),
        Shape::Int8 => array.as_primitive_opt::<Int64Type>()?.value(0).to_string(),
        Shape::Date => match array.as_primitive_opt::<Date32Type>()?.value(0) {
            i32::MAX => "infinity".to_owned(),
            i32::MIN => "-infinity".to_owned(),
            days => day(days.into()),
        },
        Shape::Timestamp => match array.as_primitive_opt::<Int64Type>()?.value(0) {
            i64::MAX => "infinity".to_owned(),
            i64::MIN => "-infinity".to_owned(),
            micros => {
                let micros = micros.checked_add(EPOCH_MICROS)?;
                let time = jiff::SignedDuration::from_micros(micros.rem_euclid(DAY_MICROS));
                let time = jiff::civil::Time::midnight().checked_add(time).ok()?;
                format!("{}T{time}Z", day(micros.div_euclid(DAY_MICROS)))
            }
        },
        Shape::Uuid => uuid::Uuid::from_slice(array.as_fixed_size_binary_opt()?.value(0)).ok()?.to_string(),
        Shape::Bool => array.as_boolean_opt()?.value(0).to_string(),
        Shape::Float4 => array.as_primitive_opt::<Float32Type>()?.value(0).to_string(),
        Shape::Float8 => array.as_primitive_opt::<Float64Type>()?.value(0).to_string(),
        Shape::Numeric { .. } => {
            let mut text = String::new();
            decimal::push_wire_text(bytes(array)?, &mut text)?;
            text
        }
        Shape::Inet | Shape::Cidr => inet_text(bytes(array)?)?,
        _ => match array.as_string_view_opt() {
            Some(view) => view.value(0).to_owned(),
            None => array.as_string_opt::<i32>()?.value(0).to_owned(),
        },
    })
}

/// The first value of an array of bytes, as masks see them or make them.
fn bytes(array: &ArrayRef) -> Option<&[u8]> {
    match array.as_binary_view_opt() {
        Some(view) => Some(view.value(0)),
        None => Some(array.as_binary_opt::<i32>()?.value(0)),
    }
}

fn inet_text(bytes: &[u8]) -> Option<String> {
    let (head, address) = bytes.split_at_checked(4)?;
    let (address, bits) = match head[0] {
        INET4 => (IpAddr::from(<[u8; 4]>::try_from(address).ok()?), 32),
        _ => (IpAddr::from(<[u8; 16]>::try_from(address).ok()?), 128),
    };
    Some(if head[1] == bits { address.to_string() } else { format!("{address}/{}", head[1]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_by_any_of_their_names() {
        let parsed = |text| SqlType::parse(text).map(|found| (found.base, found.typmod));
        assert_eq!(parsed("Character Varying(20)"), Some(("varchar", 24)));
        assert_eq!(parsed("int4"), Some(("integer", -1)));
        assert_eq!(parsed("char"), Some(("char", 5)));
        assert_eq!(parsed("decimal(8, 2)"), Some(("numeric", ((8 << 16) | 2) + 4)));
        assert_eq!(parsed("numeric"), Some(("numeric", -1)));
        for wrong in [
            "numeric(0)",
            "numeric(2,3)",
            "numeric(2,",
            "varchar(2,1)",
            "real(4)",
            "varchar(0)",
            "varchar(",
            "int(4)",
            "money",
            "",
        ] {
            assert_eq!(parsed(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn values_come_back_as_they_were_given() {
        let same = |kind: &str, given: Given| cell(&SqlType::parse(kind).unwrap(), &given).unwrap().text;
        let text = |text: &str| Given::Text(text.to_owned());
        for (kind, value) in [
            ("uuid", "550e8400-e29b-41d4-a716-446655440000"),
            ("date", "1969-12-31"),
            ("timestamptz", "2024-02-29T12:30:00.5Z"),
            ("date", "9999-12-31"),
            ("date", "infinity"),
            ("date", "-infinity"),
            ("timestamp", "9999-12-31T23:59:59Z"),
            ("timestamptz", "infinity"),
            ("timestamptz", "-infinity"),
            ("timestamptz", "1969-12-31T23:59:59.999999Z"),
            ("inet", "10.0.0.0/8"),
            ("inet", "2001:db8::1"),
            ("varchar(3)", "äöü"),
        ] {
            assert_eq!(same(kind, text(value)).as_deref(), Some(value));
            assert_eq!(same(kind, Given::Null), None);
        }
        assert_eq!(same("smallint", Given::Integer(-5)).as_deref(), Some("-5"));
        for (kind, given, written) in [
            ("numeric(8,2)", Given::Float(12.5), "12.50"),
            ("numeric(3)", Given::Integer(-999), "-999"),
            ("numeric", text("0.001"), "0.001"),
            ("real", Given::Float(0.1), "0.1"),
            ("double precision", Given::Integer(3), "3"),
            ("boolean", Given::Boolean(true), "true"),
        ] {
            assert_eq!(same(kind, given).as_deref(), Some(written));
            assert_eq!(same(kind, Given::Null), None);
        }
        for (kind, given) in
            [("numeric(3,2)", Given::Integer(10)), ("numeric(8,2)", text("0.005")), ("boolean", Given::Integer(1))]
        {
            assert!(cell(&SqlType::parse(kind).unwrap(), &given).is_err(), "{kind}");
        }
        assert!(cell(&SqlType::parse("smallint").unwrap(), &Given::Integer(40_000)).is_err());
        assert!(cell(&SqlType::parse("varchar(3)").unwrap(), &text("four")).is_err());
        assert!(cell(&SqlType::parse("date").unwrap(), &text("2024-02-30")).is_err());
    }
}
