//! What kinds keep by design: values that name nobody, and that programs look for.
//!
//! The record of a kind says it once. The search for leaks leaves such values out on both sides, and listings and
//! explanations tell them. NULL, empty and blank values stay under every kind and are not repeated here.

use super::Params;
use super::decimal::Decimal;

/// A value as a batch holds it before its mask; [`super::Shape`] says which array that is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Raw<'a> {
    Text(&'a str),
    /// A wire form, or bytes of a fixed number.
    Bytes(&'a [u8]),
    /// Days since 1970-01-01.
    Day(i32),
    /// A whole number, or the microseconds of a timestamp.
    Number(i64),
    Real(f64),
}

/// The values a kind keeps by design.
#[derive(Clone, Copy)]
pub struct Keeps {
    /// Which ones, as the object of a sentence; empty: none.
    pub words: &'static str,
    pub(super) holds: fn(Raw<'_>, &Params) -> bool,
}

impl Keeps {
    pub(super) const NOTHING: Self = Self { words: "", holds: |_, _| false };
    /// Of amounts.
    pub(super) const ZERO: Self = Self { words: "zero, NaN and the infinities", holds: |raw, _| is_zero(raw) };
    /// Of dates and timestamps.
    pub(super) const INFINITY: Self = Self { words: "-infinity and infinity", holds: |raw, _| is_infinite(raw) };

    /// Tells whether a mask of the kind with these parameters leaves the value as it is because of what it is.
    pub fn hold(&self, raw: Raw<'_>, params: &Params) -> bool {
        !self.words.is_empty() && (self.holds)(raw, params)
    }
}

/// Dates and timestamps that PostgreSQL stores as the ends of their type.
pub(super) fn is_infinite(raw: Raw<'_>) -> bool {
    match raw {
        Raw::Day(days) => matches!(days, i32::MAX | i32::MIN),
        Raw::Number(micros) => matches!(micros, i64::MAX | i64::MIN),
        _ => false,
    }
}

/// Zero, and what is no number.
fn is_zero(raw: Raw<'_>) -> bool {
    match raw {
        Raw::Number(number) => number == 0,
        Raw::Real(real) => real == 0.0 || !real.is_finite(),
        // A numeric on the wire has digits, unless it is one of these.
        Raw::Bytes(wire) => wire.starts_with(&[0, 0]),
        Raw::Text(text) => {
            let mut decimal = Decimal::default();
            decimal.read_text(text) && decimal.is_zero()
        }
        Raw::Day(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{KINDS, kind, mask_value};
    use crate::mask::{MasterKey, Shape};

    fn holds(name: &str, raw: Raw<'_>, params: &str) -> bool {
        kind(name).expect("known").keeps.hold(raw, &serde_json::from_str(params).expect("JSON"))
    }

    #[test]
    fn kinds_hold_what_their_words_say_and_nothing_beside_it() {
        let address = |address: [u8; 4]| [&[2, 32, 0, 4][..], &address].concat();
        let (loopback, public) = (address([127, 0, 0, 1]), address([8, 8, 8, 8]));
        for (name, kept, other) in [
            ("int", Raw::Number(0), Raw::Number(1)),
            ("int", Raw::Text("0"), Raw::Text("10")),
            ("uuid", Raw::Bytes(&[0; 16]), Raw::Bytes(&[1; 16])),
            ("uuid", Raw::Bytes(&[255; 16]), Raw::Bytes(&[0; 6])),
            (
                "uuid",
                Raw::Text("{00000000-0000-0000-0000-000000000000}"),
                Raw::Text("00000000-0000-0000-0000-000000000001"),
            ),
            ("mac", Raw::Bytes(&[0; 6]), Raw::Bytes(&[0, 0, 0, 0, 0, 1])),
            ("mac", Raw::Bytes(&[255; 8]), Raw::Bytes(&[0; 16])),
            ("mac", Raw::Text("ff:ff:ff:ff:ff:ff"), Raw::Text("00:00")),
            ("ip", Raw::Bytes(&loopback), Raw::Bytes(&public)),
            ("ip", Raw::Text("0.0.0.0/0"), Raw::Text("10.0.0.1")),
            ("ip", Raw::Text("::ffff:127.0.0.1"), Raw::Text("::ffff:8.8.8.8")),
            ("ip", Raw::Text("::"), Raw::Text("64:ff9b:1::1")),
            ("date.shift", Raw::Day(i32::MAX), Raw::Day(0)),
            ("date.within_year", Raw::Number(i64::MIN), Raw::Number(0)),
            ("num.scale", Raw::Number(0), Raw::Number(-1)),
            ("num.scale", Raw::Real(f64::NAN), Raw::Real(0.5)),
            ("num.noise", Raw::Text("-0.00"), Raw::Text("0.01")),
            ("num.noise", Raw::Bytes(&[0, 0, 0, 0, 0xC0, 0, 0, 0]), Raw::Bytes(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 5])),
        ] {
            assert!(holds(name, kept, "{}"), "{name}: {kept:?}");
            assert!(!holds(name, other, "{}"), "{name}: {other:?}");
        }
        let sentinel = r#"{"sentinels":["9999-12-31"]}"#;
        assert!(holds("date.shift", Raw::Text("9999-12-31"), sentinel));
        assert!(holds("date.shift", Raw::Day(2_932_896), sentinel));
        assert!(!holds("date.shift", Raw::Text("9999-12-31"), "{}") && !holds("date.shift", Raw::Day(0), sentinel));
        // The published algorithm keeps no block.
        assert!(!holds("ip", Raw::Bytes(&loopback), r#"{"mode":"cryptopan"}"#));
    }

    #[test]
    fn what_a_kind_says_it_keeps_is_its_own_mask() {
        let realm = MasterKey::test().realm("default");
        let values = [
            "0",
            "0.00",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "00:00:00:00:00:00",
            "ffff.ffff.ffff.ffff",
            "0.0.0.0",
            "127.0.0.1/8",
            "169.254.10.20",
            "224.0.0.251",
            "255.255.255.255",
            "::",
            "::1",
            "ff02::fb",
            "::ffff:127.0.0.1",
        ];
        let mut kept = 0;
        for kind in KINDS.iter().filter(|kind| !kind.keeps.words.is_empty() && kind.takes(&Shape::TEXT)) {
            let params = crate::mask::tests::needed(kind);
            for value in values.iter().filter(|value| kind.keeps.hold(Raw::Text(value), &params)) {
                let mask = mask_value(&realm, kind.name, "", params.clone(), Some("42"), value);
                assert_eq!(mask, Ok(Some((*value).to_owned())), "{}", kind.name);
                kept += 1;
            }
        }
        assert!(kept > 18, "{kept}");
    }
}
