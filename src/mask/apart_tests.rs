//! Kinds that promise that two values never share a mask: a million inputs of each, and all of small domains (MASKING.md,
//! T4). National identifiers have such tests of their own, and some kinds more of them in `tests`.

use super::account::luhn;
use super::batch::RawBatch;
use super::tests::{mask_texts, needed, value};
use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{ArrayRef, Date32Array, Int64Array};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;

const MANY: u64 = 1_000_000;

fn realm() -> RealmKey {
    MasterKey::test().realm("default")
}

/// Masks texts in batches; as many different masks come out as different texts went in.
#[track_caller]
fn assert_apart(kind: &str, json: &str, count: u64, make: impl Fn(u64) -> String) {
    let texts: Vec<String> = (0..count).map(make).collect();
    let asked: Vec<Option<&str>> = texts.iter().map(|text| Some(text.as_str())).collect();
    let masks = mask_texts(&realm(), kind, json, &asked, 4_096);
    assert!(masks.iter().all(Option::is_some), "{kind} {json}: a mask is NULL");
    let before = asked.iter().collect::<HashSet<_>>().len();
    assert_eq!(masks.iter().collect::<HashSet<_>>().len(), before, "{kind} {json}");
}

/// Masks a column without a subject.
fn masked(kind: &str, json: &str, shape: Shape, column: ArrayRef) -> ArrayRef {
    let kind = super::kind(kind).expect("a kind").full_name();
    let params = serde_json::from_str(json).expect("JSON");
    let mask = MaskSpec { kind, label: String::new(), params, subject: None };
    let columns = vec![ColumnSpec { name: "t.c".to_owned(), shape, mask: Some(mask) }];
    let masker = Masker::compile(&realm(), &TableSpec { columns, ..TableSpec::default() }).expect("the kind compiles");
    let raw = RawBatch { rows: column.len(), wire: Bytes::new(), gaps: Vec::new(), columns: vec![column] };
    Arc::clone(&masker.apply(raw).expect("the column is masked").columns()[0])
}

fn integers(kind: &str, json: &str, values: impl Iterator<Item = i64>) -> Vec<i64> {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(values));
    masked(kind, json, Shape::Int8, column).as_primitive::<Int64Type>().values().to_vec()
}

fn distinct(values: &[i64]) -> u64 {
    values.iter().collect::<HashSet<_>>().len() as u64
}

#[test]
fn every_kind_that_promises_it_is_looked_at() {
    const LOOKED_AT: &[&str] = &[
        "int",
        "int.range",
        "uuid",
        "pattern",
        "phone",
        "zip",
        "card",
        "iban",
        "ip",
        "mac",
        "date.within_year",
        "enum.perm",
        "secret.token",
        "partial",
    ];
    let promises = |kind: &&&Kind| kind.promise(&needed(kind)).injective == Injective::ByConstruction;
    for kind in KINDS.iter().filter(promises) {
        // `us.ssn`: the tests of `national` hold that all of its kinds are looked at.
        let national = kind.name.as_bytes().get(2) == Some(&b'.');
        assert!(national || LOOKED_AT.contains(&kind.name), "{} has no test", kind.name);
    }
}

#[test]
fn a_million_whole_numbers_stay_apart() {
    let serial = 1..=MANY as i64;
    assert_eq!(distinct(&integers("int", "{}", serial.clone())), MANY);
    assert_eq!(distinct(&integers("int", "{}", serial.map(|id| id * 8_191 - 4_000_000_000))), MANY);
    let (lo, hi) = (-200_000, 300_000);
    let values = -500_000..500_000;
    let masks = integers("int.range", r#"{"lo":-200000,"hi":300000}"#, values.clone());
    assert_eq!(distinct(&masks), MANY);
    let inside = |number: i64| (lo..=hi).contains(&number);
    assert!(values.zip(masks).all(|(value, mask)| inside(value) == inside(mask)));
}

#[test]
fn the_days_of_two_thousand_years_stay_apart() {
    // From 0001-01-01 on.
    let days: ArrayRef = Arc::new(Date32Array::from_iter_values((0..MANY as i32).map(|day| day - 719_162)));
    let masks = masked("date.within_year", "{}", Shape::Date, days);
    let masks = masks.as_primitive::<Date32Type>().values();
    assert_eq!(masks.iter().collect::<HashSet<_>>().len() as u64, MANY);
}

#[test]
fn members_of_every_small_set_stay_apart_from_each_other_and_from_others() {
    let masks = |members: &[String], values: &[String]| -> HashSet<String> {
        let json = serde_json::json!({ "values": members }).to_string();
        values.iter().map(|text| value("enum.perm", &json, None, text).expect("a mask")).collect()
    };
    for size in 1..=40 {
        let members: Vec<String> = (0..size).map(|number| format!("m{number}")).collect();
        assert_eq!(masks(&members, &members), members.iter().cloned().collect());
    }
    let letters: Vec<String> = ('a'..='z').map(String::from).collect();
    for size in [1, 7, 25] {
        assert_eq!(masks(&letters[..size], &letters).len(), letters.len());
    }
}

#[test]
fn a_million_uuids_of_all_versions_and_variants_stay_apart() {
    assert_apart("uuid", "{}", MANY, |i| format!("{:08x}-0000-{:x}000-{:x}000-{i:012x}", i / 7, i % 16, i / 16 % 16));
}

#[test]
fn a_million_addresses_of_the_net_stay_apart() {
    let v4 = |i: u64| std::net::Ipv4Addr::from_bits((i * 4_093) as u32).to_string();
    assert_apart("ip", r#"{"mode":"cryptopan"}"#, MANY, v4);
    assert_apart("ip", "{}", 65_536, |i| format!("10.7.{}.{}", i >> 8, i & 255));
    for json in ["{}", r#"{"mode":"cryptopan"}"#] {
        assert_apart("ip", json, MANY / 4, |i| format!("2001:db8:{:x}:7::{:x}", i >> 9, i & 511));
    }
}

#[test]
fn a_million_addresses_of_devices_stay_apart() {
    let octets = |i: u64| format!("{:02x}:{:02x}:{:02x}", i >> 16, i >> 8 & 255, i & 255);
    assert_apart("mac", r#"{"keep_oui":true}"#, MANY, |i| format!("00:1b:44:{}", octets(i)));
    assert_apart("mac", "{}", MANY / 2, |i| format!("08:00:2b:ff:fe:{}", octets(i)));
    // Group and local addresses, and those of nobody.
    assert_apart("mac", "{}", 65_536, |i| format!("{:02x}:00:00:00:00:{:02x}", i >> 8, i & 255));
}

#[test]
fn every_postal_code_of_a_small_country_stays_apart() {
    for json in ["{}", r#"{"keep":1}"#, r#"{"keep":3}"#] {
        assert_apart("zip", json, 100_000, |i| format!("{i:05}"));
    }
    let letter = |i: u64| char::from(b'A' + (i % 26) as u8);
    assert_apart("zip", "{}", MANY, |i| format!("{:04} {}{}", i % 10_000, letter(i / 260_000), letter(i / 10_000)));
}

#[test]
fn every_short_telephone_number_stays_apart() {
    // All texts of six digits: with and without a prefix, and those that are no number.
    assert_apart("phone", r#"{"region":"IT","keep":1}"#, MANY, |i| format!("{i:06}"));
    assert_apart("phone", r#"{"region":"HU","keep":1}"#, MANY, |i| format!("{i:06}"));
}

#[test]
fn telephone_numbers_of_one_area_stay_apart() {
    assert_apart("phone", r#"{"keep":6}"#, MANY, |i| format!("+49 30 {i:06}"));
    // Exchanges that there are, and those that there are not.
    assert_apart("phone", "{}", MANY, |i| format!("+1 212 {:07}", i * 9));
}

#[test]
fn cards_of_a_brand_and_of_none_stay_apart() {
    // The first two digits are a brand's or nobody's: all have the same length and a right check digit.
    let card = |first: [&'static str; 2]| {
        move |i: u64| {
            let payload = format!("{}{:09}", first[(i % 2) as usize], i * 7_919 % 1_000_000_000);
            let check = luhn(payload.bytes().map(|byte| byte - b'0'));
            format!("{payload}{check}")
        }
    };
    for first in [["50", "51"], ["62", "65"], ["31", "34"]] {
        assert_apart("card", "{}", MANY / 2, card(first));
    }
    // These four pairs would share a mask if a number of no brand could become one of a brand.
    for pair in [
        ["6212123456868208", "6480302016509503"],
        ["5018123457026580", "5343093780286522"],
        ["3100123456868200", "3036990330858246"],
        ["6759123456789015", "6513953614252457"],
    ] {
        assert_apart("card", "{}", 2, |i| pair[i as usize].to_owned());
    }
    // All numbers of an issuer that has few, with every check digit.
    assert_apart("card", r#"{"keep":8}"#, 100_000, |i| format!("40000000{i:05}"));
    assert_apart("card", r#"{"keep":8,"keep_last4":true}"#, 100_000, |i| format!("40000000{i:05}"));
}

#[test]
fn every_short_text_of_one_shape_stays_apart() {
    let letters = |i: u64| -> String { (0..3).map(|at| char::from(b'a' + (i / 26_u64.pow(at) % 26) as u8)).collect() };
    for kind in ["pattern", "secret.token", "partial"] {
        assert_apart(kind, "{}", 26 * 26 * 26, letters);
        assert_apart(kind, "{}", 100_000, |i| format!("{i:05}"));
    }
    assert_apart("partial", r#"{"keep_first":1}"#, 26 * 26 * 26, letters);
    // Single characters of the two largest classes.
    let from = |first: u32| move |i: u64| char::from_u32(first + i as u32).map(String::from).expect("a character");
    assert_apart("pattern", "{}", 11_172, from(0xac00));
    assert_apart("pattern", "{}", 20_992, from(0x4e00));
    assert_apart("pattern", "{}", MANY, |i| format!("{}{:05}", from(0x4e00)(i / 100_000), i % 100_000));
}

/// Makes the check digits of an account; `national` has those of its country.
fn account(country: &str, national: &str) -> String {
    let rest = national.bytes().chain(country.bytes()).chain(*b"00").fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    format!("{country}{:02}{national}", 98 - rest)
}

#[test]
fn a_million_accounts_of_several_countries_stay_apart() {
    assert_apart("iban", "{}", MANY / 3, |i| account("GB", &format!("WEST{:014}", i * 7_919)));
    assert_apart("iban", "{}", MANY / 3, |i| {
        let number = i * 29_989 % 10_000_000_000;
        account("BE", &format!("{number:010}{:02}", if number % 97 == 0 { 97 } else { number % 97 }))
    });
    // Every eleventh number has no check digit, and is an account of nobody.
    assert_apart("iban", "{}", MANY / 3, |i| {
        let number = format!("{:010}", 8_601_000_000 + i);
        let weights = [5, 4, 3, 2, 7, 6, 5, 4, 3, 2];
        let sum: u32 = number.bytes().zip(weights).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
        account("NO", &format!("{number}{}", (11 - sum % 11) % 11 % 10))
    });
}
