//! Facts that hold for every kind, and the golden vectors of kinds as users see them.
//!
//! Where the obligations of MASKING.md, section 10, are met; `tests/tidy.rs` holds that the tests named exist.
//!
//! | obligation | tests |
//! |---|---|
//! | T1 FF1 | `t1_nist_samples_are_met`, `t1_the_width_of_half_a_string_is_exact_for_every_radix`, `t1_fewer_than_a_million_forms_are_refused` |
//! | T2 Crypto-PAn | `cryptopan_matches_the_published_samples`, `common_prefixes_stay_common`, `common_prefixes_of_long_addresses_stay_common`, `special_blocks_stay_special_and_others_stay_out_of_them`, `special_blocks_of_long_addresses_stay_special` |
//! | T3 permutations | `every_small_domain_is_permuted_exactly`, `larger_domains_are_permuted_exactly`, `large_permutations_have_an_inverse`, `precomputed_rounds_change_no_output`, `outputs_are_spread_evenly`, `another_tweak_label_realm_or_key_gives_another_permutation` |
//! | T4 keys and collisions | `every_foreign_key_has_the_orphans_it_had_and_no_others`, `every_kind_that_promises_it_is_looked_at` and the tests beside it, `a_million_cards_and_accounts_never_collide`, `a_million_numbers_never_collide`, `a_million_texts_never_collide`, `a_million_numbers_of_the_first_part_share_no_mask` and the other parts, `valid_numbers_become_valid_numbers_of_the_same_layout`, `every_void_card_fails_luhn_and_every_other_mask_keeps_its_validity` |
//! | T5 80 bits | `tags_of_many_inputs_differ` |
//! | T6 rules for every kind | `null_empty_and_blank_values_stay`, `every_mask_fits_its_column_whatever_the_value`, `letters_of_no_kind_leave_no_text_as_it_was`, `null_stays_null_and_all_else_stays_a_value_in_columns_of_every_type`, `what_a_kind_reads_and_what_it_cannot_never_meet`, `odd_values_are_masked_without_panic_and_never_become_null` |
//! | T7 golden file | `golden_values_never_change`, `golden_values_depend_on_no_batch_no_order_and_no_thread`, `every_list_matches_the_manifest`, `every_list_of_a_locale_matches_the_manifest` |
//! | T8 canonical texts | `spellings_of_one_address_agree`, `a_code_point_unassigned_in_16_0_leaves_the_text_alone`, `folding_is_full_and_stable` |
//! | T9 keys | `wrong_texts_are_refused`, `weak_keys_and_the_test_key_are_refused`, `debug_shows_no_key_byte`, `key_is_nowhere_but_in_its_place_and_the_process_writes_no_core`, `another_realm_or_label_gives_other_masks` |
//! | T10 leaks | `no_canary_of_any_column_reaches_staging_its_files_logs_or_reports`, `unmasked_twin_shows_every_canary`, `definitions_that_name_people_are_refused_whatever_object_holds_them`, `constraints_that_masks_break_are_told_without_the_row`, `killed_backends_leave_no_canary_in_errors_or_files` |
//! | T11 attacks | `masks_tell_nothing_of_the_order_of_rows`, `frequencies_of_names_do_not_survive_unless_the_kind_says_so`, `values_of_the_source_are_among_the_masks_no_more_often_than_by_chance` |
//! | T12 speed | `benches/kinds.rs` |

use super::batch::RawBatch;
use super::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryViewArray, Date32Array, FixedSizeBinaryArray, Int16Array, Int32Array, Int64Array,
    StringViewArray,
};
use bytes::Bytes;
use std::collections::HashSet;
use std::sync::Arc;

const TEXT: Shape = Shape::Text { chars_max: None, padded: false };

fn realm() -> RealmKey {
    MasterKey::test().realm("default")
}

fn params(json: &str) -> Params {
    serde_json::from_str(json).unwrap()
}

/// A program that answers with the seed.
const SEEDS: &str = r#"while IFS= read -r line; do s=${line%\"*}; s=${s##*\"}; echo "${line:+\"$s\"}"; done"#;

/// Parameters a kind cannot do without.
pub(super) fn needed(kind: &Kind) -> Params {
    match kind.name {
        "const" => params(r#"{"value":"x"}"#),
        "composite" | "hstore" => params(r#"{"rest":"keep","fields":{"email":"email"}}"#),
        "int.range" => params(r#"{"lo":1,"hi":99999}"#),
        "date.trunc" => params(r#"{"unit":"month"}"#),
        "age.cap" => params(r#"{"as_of":"2026-01-01"}"#),
        "num.bucket" => params(r#"{"width":10}"#),
        "num.cap" => params(r#"{"max":"99"}"#),
        "enum.rr" => params(r#"{"values":["gold","red"],"threshold":2147483648}"#),
        "enum.sample" | "enum.perm" => params(r#"{"values":["gold","red"]}"#),
        "json" | "xml" => params(r#"{"rest":"pattern"}"#),
        "text.drop" => params(r#"{"placeholder":"x"}"#),
        "replace" => params(r#"{"map":{"a":"b"}}"#),
        "regex" => params(r#"{"generate":"[a-z]{3}"}"#),
        "choice" => params(r#"{"values":["a","b"]}"#),
        "lookup" => params(r#"{"file":"a\nx\ny\n"}"#),
        "command" => params(&serde_json::json!({"command": ["/bin/sh", "-c", SEEDS]}).to_string()),
        "template" => params(r#"{"text":"u-{b32:16}"}"#),
        _ => Params::new(),
    }
}

pub(super) fn value(kind: &str, json: &str, subject: Option<&str>, value: &str) -> Option<String> {
    mask_value(&realm(), kind, "", params(json), subject, value).unwrap()
}

pub(super) fn one(kind: &str, text: &str) -> String {
    value(kind, "{}", None, text).unwrap()
}

fn spec(kind: &str, subject: Option<usize>) -> MaskSpec {
    MaskSpec { kind: kind.to_owned(), label: String::new(), params: Params::new(), subject }
}

fn column(name: &str, shape: Shape, mask: Option<MaskSpec>) -> ColumnSpec {
    ColumnSpec { name: name.to_owned(), shape, mask }
}

fn batch(columns: Vec<ArrayRef>) -> RawBatch {
    RawBatch { rows: columns[0].len(), wire: Bytes::new(), gaps: Vec::new(), columns }
}

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringViewArray::from(values.to_vec()))
}

/// Masks a text column, with row numbers as subjects, in batches of `size`.
pub(super) fn mask_texts(
    realm: &RealmKey,
    kind: &str,
    json: &str,
    values: &[Option<&str>],
    size: usize,
) -> Vec<Option<String>> {
    let found = super::kind(kind).unwrap();
    let mut mask = spec(kind, found.needs_subject.then_some(1));
    mask.params = params(json);
    mask.params.append(&mut needed(found));
    let table = TableSpec {
        columns: vec![column("t.c", TEXT, Some(mask)), column("t.id", Shape::Int8, None)],
        ..TableSpec::default()
    };
    let masker = Masker::compile(realm, &table).unwrap();
    let mut out = Vec::new();
    for (number, chunk) in values.chunks(size).enumerate() {
        let ids: Vec<i64> = (0..chunk.len()).map(|row| (number * size + row) as i64).collect();
        let masked = masker.apply(batch(vec![texts(chunk), Arc::new(Int64Array::from(ids))])).unwrap();
        out.extend(masked.columns()[0].as_string::<i32>().iter().map(|text| text.map(str::to_owned)));
    }
    out
}

fn text_kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(|kind| kind.takes(&TEXT))
}

#[test]
fn masks_match_the_golden_vectors() {
    for (kind, text, mask) in [
        ("int/1", "0", "0"),
        ("uuid/1", "550e8400-e29b-41d4-a716-446655440000", "ce201ede-9dad-4c0d-92a6-057066a91ed2"),
        ("uuid/1", "018f4e2a-7b3c-7d21-8f00-0123456789ab", "018f4d8c-cb9f-7882-9d07-75375105e358"),
        ("card/1", "4111111111111111", "4631018261298575"),
        ("card/1", "378282246310005", "372384215448307"),
        ("card/1", "4111111111111112", "4631018261298576"),
        ("us.ssn/1", "078-05-1120", "406-89-4588"),
        ("us.ssn/1", "219-09-9999", "211-21-7657"),
        ("pattern/1", "ACME-2024-000123", "SPEE-9527-130738"),
        ("ip/1", "2001:db8::1", "3c81:15c7:f9e4:7fc0:133e:3f0c:e03:a19e"),
        ("iban/1", "BE68539007547034", "BE66899970679743"),
        ("iban/1", "ES9121000418450200051332", "ES7104697769583609570628"),
        ("iban/1", "FR1420041010050500013M02606", "FR4098869769832501046L12351"),
        ("iban/1", "IT60X0542811101000000123456", "IT22V5991307848104770878596"),
        ("iban/1", "NO9386011117947", "NO3276051542777"),
        ("iban/1", "PT50000201231234567890154", "PT50406644472135566314820"),
        ("zip/1", "90210", "03748"),
        ("mac/1", "08:00:2b:01:02:03", "d4:b2:17:79:25:1e"),
        ("company/1", "Acme Corp.", "Horton Inc"),
        ("name.value/1", "Robert Miller", "Raquel Lehmberg"),
    ] {
        assert_eq!(one(kind, text), mask, "{kind} {text}");
    }
    assert_eq!(value("card", r#"{"void":true}"#, None, "4111111111111111").unwrap(), "4631018261298570");
    let users = mask_value(&realm(), "int", "public.users.id", Params::new(), None, "42").unwrap();
    assert_eq!(users.unwrap(), "3974");
    assert_eq!(value("date.shift", "{}", Some("42"), "2024-03-01").unwrap(), "2024-03-09");
    assert_eq!(value("date.shift", "{}", Some("Bob@Example.com"), "2024-06-01").unwrap(), "2024-01-09");
    assert!(one("email", "bob@example.com").contains(".c0kf70k6agjr7xwd@d"));
}

#[test]
fn kinds_are_found_with_and_without_version() {
    for found in KINDS {
        assert_eq!(kind(found.name).unwrap().name, found.name);
        assert_eq!(kind(&found.full_name()).unwrap().name, found.name);
        assert!(!found.summary.is_empty() && !found.summary.ends_with('.') && !found.samples.is_empty());
    }
    assert!(kind("email/2").is_none() && kind("email/").is_none() && kind("nothing").is_none());
    let names: HashSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), KINDS.len());
}

#[test]
fn null_empty_and_blank_stay_in_every_kind() {
    let realm = realm();
    for kind in text_kinds().filter(|kind| kind.keyed_on != KeyedOn::Nothing) {
        let masks = mask_texts(&realm, kind.name, "{}", &[None, Some(""), Some("  "), Some("\u{a0}\t")], 8);
        assert_eq!(masks, [None, Some(String::new()), Some("  ".into()), Some("\u{a0}\t".into())], "{}", kind.name);
    }
}

#[test]
fn odd_values_are_masked_without_panic_and_never_become_null() {
    let realm = realm();
    let odd = odd();
    let values: Vec<Option<&str>> = odd.iter().map(|value| Some(value.as_str())).collect();
    for kind in text_kinds().filter(|kind| kind.name != "null") {
        let masks = mask_texts(&realm, kind.name, "{}", &values, 8);
        for (value, mask) in odd.iter().zip(masks) {
            assert!(mask.is_some_and(|mask| !mask.is_empty()), "{} {value:?}", kind.name);
        }
    }
}

/// Values no kind expects: short, long, other scripts, almost valid.
fn odd() -> Vec<String> {
    let long = "x".repeat(5_000);
    let odd = [
        "a",
        "7",
        "-",
        "Zoë",
        "日本",
        "٣٤",
        "\u{16ea0}",
        "😀",
        "a@b",
        "@",
        "+",
        "+1",
        "00",
        "0000-00-00",
        "1.1.1.1/33",
        "4111 1111 1111 111x",
        "\0",
        "ﷺ",
        "000-00-0000",
        "99999999999999999999999",
        "::ffff:1.2.3.4",
        &long,
    ];
    odd.into_iter().map(str::to_owned).collect()
}

/// Samples of a kind with one character changed, at each place in turn: mostly wrong check digits.
fn mutants(kind: &Kind) -> Vec<String> {
    let mut mutants = Vec::new();
    for sample in kind.samples {
        for (at, c) in sample.char_indices() {
            for other in ['0', '7', 'x', 'Q', ' ', 'é', '٣'] {
                mutants.push(format!("{}{other}{}", &sample[..at], &sample[at + c.len_utf8()..]));
            }
        }
    }
    mutants
}

#[test]
fn what_a_kind_reads_and_what_it_cannot_never_meet() {
    let realm = realm();
    let readers = text_kinds().filter(|kind| kind.params.iter().any(|param| param.name == "on_invalid"));
    // `regex` takes the parameter only in one of its two forms, which its own tests look at.
    let readers = readers.filter(|kind| kind.name != "regex");
    let mut wrong = Vec::new();
    for kind in readers {
        let masks = |json: &str, values: &[String]| {
            let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
            mask_texts(&realm, kind.name, json, &values, 64)
        };
        let reads = |values: &[String]| -> Vec<bool> {
            masks(r#"{"on_invalid":"null"}"#, values).iter().map(Option::is_some).collect()
        };
        let samples: Vec<String> = kind.samples.iter().map(|sample| (*sample).to_owned()).collect();
        assert!(reads(&samples).iter().all(|read| *read), "{} reads its samples", kind.name);
        let values: Vec<String> = samples.into_iter().chain(odd()).chain(mutants(kind)).collect();
        let masked: Vec<String> = masks("{}", &values).into_iter().map(|mask| mask.expect("never NULL")).collect();
        let read = reads(&values);
        for ((value, mask), (before, after)) in values.iter().zip(&masked).zip(read.iter().zip(reads(&masked))) {
            if *before != after {
                wrong.push(format!("{}: {value:?} became {mask:?}: read {before}, then {after}", kind.name));
            }
            let least = (kind.least)(&needed(kind)).first().map_or(0, |least| *least as usize);
            let chars = (value.chars().count(), mask.chars().count());
            // An amount may carry into one more digit; what is made of parts is as long as they are, and cut to its column.
            let grows = matches!(kind.name, "url" | "xml" | "json" | "composite" | "hstore");
            let carry = usize::from(kind.name.starts_with("num."));
            if !grows && chars.1 > chars.0.max(least) + carry {
                wrong.push(format!("{}: {value:?} became {mask:?}, which is longer", kind.name));
            }
        }
        // `fail` stops at what cannot be read, and says nothing of it.
        for (value, read) in values.iter().zip(&read).filter(|(value, _)| value.len() > 4).step_by(7) {
            let subject = kind.needs_subject.then_some("42");
            let mut strict = params(r#"{"on_invalid":"fail"}"#);
            strict.append(&mut needed(kind));
            let failed = mask_value(&realm, kind.name, "", strict, subject, value);
            if failed.is_ok() != *read {
                wrong.push(format!("{}: fail and null disagree about {value:?}", kind.name));
            }
            assert!(failed.is_ok() || !format!("{:?}", failed.unwrap_err()).contains(value.as_str()));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn masks_depend_on_no_batch_and_no_thread() {
    let realm = realm();
    let values: Vec<String> = (0..400)
        .map(|i: u64| match i % 8 {
            0 => format!("user{i}@host{}.com", i % 7),
            1 => format!("4111 1111 1111 {:04}", i * 13 % 10_000),
            2 => format!("+49 30 {:07}", i * 7919),
            3 => format!("{:03}-{:02}-{:04}", i % 600 + 1, i % 98 + 1, i + 1),
            4 => format!("10.{}.{}.7", i % 200, i % 250),
            5 => format!("2024-{:02}-{:02}", i % 12 + 1, i % 28 + 1),
            6 => format!("Person {i}"),
            _ => i.to_string(),
        })
        .collect();
    let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
    for kind in text_kinds() {
        let whole = mask_texts(&realm, kind.name, "{}", &values, 400);
        assert_eq!(whole, mask_texts(&realm, kind.name, "{}", &values, 7), "{}", kind.name);
        let fresh = super::MasterKey::test().realm("default");
        let threads: Vec<_> = std::thread::scope(|scope| {
            let run = || mask_texts(&fresh, kind.name, "{}", &values, 64);
            let handles: Vec<_> = (0..3).map(|_| scope.spawn(run)).collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        assert!(threads.iter().all(|masks| *masks == whole), "{}", kind.name);
    }
}

/// Masks `count` generated values one by one and returns how many different masks there are.
fn distinct(kind: &str, json: &str, count: u64, make: impl Fn(u64) -> String) -> usize {
    let values: Vec<String> = (0..count).map(make).collect();
    assert_eq!(values.iter().collect::<HashSet<_>>().len() as u64, count, "inputs repeat");
    let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
    let masks = mask_texts(&realm(), kind, json, &values, 1024);
    masks.iter().collect::<HashSet<_>>().len()
}

/// Inputs of a kind that never gives two of them one mask (MASKING section 10, T4).
const MANY: u64 = 1_000_000;

#[track_caller]
fn assert_injective(kind: &str, json: &str, make: impl Fn(u64) -> String) {
    assert_eq!(distinct(kind, json, MANY, make), MANY as usize, "{kind} {json}");
}

#[test]
fn a_million_cards_and_accounts_never_collide() {
    // Half of these are valid for Luhn in the last digit, half are not: they must not meet either.
    for json in ["{}", r#"{"keep":6}"#, r#"{"keep":8}"#] {
        assert_injective("card", json, |i| format!("4{:015}", i * 11));
    }
    assert_injective("card", r#"{"keep_last4":true}"#, |i| format!("51{i:010}4444"));
    let german = |i: u64| {
        let account = format!("37040044{:010}", i * 7_919);
        let rest = format!("{account}131400").parse::<u128>().unwrap() % 97;
        format!("DE{:02}{account}", 98 - rest)
    };
    assert_injective("iban", "{}", german);
}

#[test]
fn a_million_numbers_never_collide() {
    assert_injective("us.ssn", "{}", |i| format!("{:03}{:02}{:04}", i % 599 + 1, i / 599 % 98 + 1, i / 58_702 + 1));
    assert_injective("phone", "{}", |i| format!("+49{:010}", 3_000_000_000 + i));
    assert_injective("phone", r#"{"region":"US"}"#, |i| format!("(2{:02}) 2{:06}", i % 90, i / 90));
    assert_injective("zip", r#"{"keep":2}"#, |i| format!("{:05}-{:04}", i % 90_000, i / 90_000));
    assert_injective("ip", "{}", |i| std::net::Ipv4Addr::from_bits((i * 4093) as u32).to_string());
    assert_injective("mac", "{}", |i| format!("08:00:2b:{:02x}:{:02x}:{:02x}", i >> 16, i >> 8 & 255, i & 255));
    assert_injective("uuid", "{}", |i| format!("018f4e2a-7b3c-7d21-8f00-{i:012x}"));
}

#[test]
fn a_million_texts_never_collide() {
    assert_injective("pattern", "{}", |i| format!("AB-{:07}", i * 7_919 % 9_999_991));
    assert_injective("partial", r#"{"keep_first":1,"keep_last":1}"#, |i| format!("{}x{:06}-{}", i % 3, i / 6, i % 2));
    assert_injective("secret.token", "{}", |i| format!("sk_{i:012x}"));
    assert_injective("hash", r#"{"length":20}"#, |i| i.to_string());
    assert_injective("template", r#"{"text":"{b32:16}"}"#, |i| i.to_string());
    assert_injective("company", r#"{"unique":true}"#, |i| format!("Company {i}"));
    assert_injective("email", "{}", |i| format!("user{i}@example.com"));
    assert_injective("username", "{}", |i| format!("user{i}"));
}

#[test]
fn every_void_card_fails_luhn_and_every_other_mask_keeps_its_validity() {
    let luhn = |text: &str| {
        let sum: u32 = text
            .bytes()
            .rev()
            .enumerate()
            .map(|(i, byte)| {
                let digit = u32::from(byte - b'0') * if i % 2 == 1 { 2 } else { 1 };
                if digit > 9 { digit - 9 } else { digit }
            })
            .sum();
        sum.is_multiple_of(10)
    };
    for i in 0..500u64 {
        let card = format!("{}", 400_000_000_000_000u64 + i * 98_765_432_123);
        for json in ["{}", r#"{"keep_last4":true}"#, r#"{"keep":8}"#] {
            let mask = value("card", json, None, &card).unwrap();
            assert_eq!(luhn(&mask), luhn(&card), "{json}");
            assert_eq!(mask.len(), card.len());
            if json.contains("last4") {
                assert_eq!(mask[11..], card[11..]);
            }
        }
        if luhn(&card) {
            assert!(!luhn(&value("card", r#"{"void":true}"#, None, &card).unwrap()));
        }
    }
}

#[test]
fn cards_of_any_length_change_whatever_is_kept_of_them() {
    for (json, kept) in [(r#"{"keep":6,"keep_last4":true}"#, 6), (r#"{"keep":8,"keep_last4":true}"#, 8)] {
        for length in 12..=19 {
            let cards: Vec<String> =
                (0..500_u64).map(|i| format!("4{:0width$}", i * 1_234_577, width = length - 1)).collect();
            let masks: Vec<String> = cards.iter().map(|card| value("card", json, None, card).unwrap()).collect();
            let same = cards.iter().zip(&masks).filter(|(card, mask)| card == mask).count();
            assert!(same < 10, "{same} of 500 cards of {length} digits stay with {json}");
            assert_eq!(masks.iter().collect::<HashSet<_>>().len(), cards.len());
            for (card, mask) in cards.iter().zip(&masks) {
                assert_eq!(card[length - 4..], mask[length - 4..]);
                assert!(length < 16 || card[..kept] == mask[..kept], "{card} became {mask}");
            }
        }
    }
}

#[test]
fn phones_agree_in_all_writings_and_keep_their_layout() {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let german = |text: &str| value("phone", r#"{"region":"DE"}"#, None, text).unwrap();
    let international = digits(&german("+49 30 1234567"));
    for text in ["030 1234567", "0049-30-1234567", "+49 (0)30 / 1234567", "(030) 12 34 567"] {
        let mask = german(text);
        assert!(digits(&mask).ends_with(&international[2..]), "{text} became {mask}");
        let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "#");
        assert_eq!(shape(&mask), shape(text));
    }
    let american = value("phone", r#"{"region":"US"}"#, None, "1-415-555-0132").unwrap();
    assert_eq!(american, value("phone", "{}", None, "+1-415-555-0132").unwrap().replace('+', ""));
    assert!(american.starts_with("1-415-") && american.as_bytes()[6] >= b'2');
    // Not a number of North America: every digit is masked, the result is not one either.
    let invalid = value("phone", r#"{"region":"US"}"#, None, "115-555-0132").unwrap();
    assert!(!('2'..='9').contains(&invalid.chars().next().unwrap()) || invalid.as_bytes()[4] < b'2');
}

#[test]
fn emails_follow_tier_case_and_subject() {
    let canonical = one("email", "bob@example.com");
    for text in ["Bob@Example.COM", " bob@example.com", "ｂob@example.com", "bob@example.com."] {
        assert_eq!(one("email", text), canonical, "{text}");
    }
    assert_ne!(value("email", r#"{"fold":false}"#, None, "Bob@example.com").unwrap(), canonical);
    assert!(canonical.ends_with(".example") && canonical.len() <= 70);
    assert!(one("email", "bob@gmail.com").ends_with("@gmail.example"));
    let by = |subject: &str, text: &str| value("email", r#"{"by":"subject"}"#, Some(subject), text).unwrap();
    assert_eq!(by("42", "a@x.com"), by("42", "b@x.com"));
    assert_ne!(by("42", "a@x.com"), by("43", "a@x.com"));
    let token = by("42", "a@x.com").split(['.', '@']).nth(2).map(str::len);
    assert_eq!(token, Some(8));
    let first = value("name.first", "{}", Some("42"), "Robert").unwrap().to_lowercase();
    assert!(by("42", "a@x.com").starts_with(&first));
    assert!(one("username", "Bob").starts_with(|c: char| c.is_ascii_lowercase()));
}

/// Whoever joins by address joins by mailbox too, and nothing has two signs.
#[test]
fn the_address_of_a_mailbox_is_masked_as_it_is_alone() {
    let address = one("email", "anna.k@kappa-mail.de");
    for text in
        ["Anna Kowalski <anna.k@kappa-mail.de>", "\"Anna Kowalski\" <Anna.K@kappa-mail.de>", "<anna.k@kappa-mail.de>"]
    {
        let masked = one("email", text);
        let (name, rest) = masked.split_once('<').unwrap();
        assert_eq!(rest, format!("{address}>"), "{text}");
        assert!(!masked.to_lowercase().contains("anna") && !masked.to_lowercase().contains("kowalski"), "{masked}");
        let signs = |text: &str| text.chars().filter(|c| !c.is_alphabetic()).collect::<String>();
        assert_eq!(signs(name), signs(text.split_once('<').unwrap().0), "{masked}");
    }
    // Other names are other masks, spellings of one are one.
    assert_ne!(one("email", "Anna K <a@b.de>"), one("email", "Anne K <a@b.de>"));
    assert_eq!(one("email", "Anna  K <a@b.de> "), one("email", "anna k  <A@b.de>"));
    // None of these has one address.
    for text in
        ["a@b.de, c@d.de", "write to a@b.de!", "A <a@b.de>, B <b@b.de>", "a@b.de <a@b.de>", "A <a@b@>", "@", "<@>"]
    {
        let masked = one("email", text);
        let (token, host) = masked.split_once('@').unwrap();
        assert_eq!((token.len(), host), (16, ".example"), "{text}");
    }
    // What `on_invalid` says stands for all of them.
    assert_eq!(value("email", r#"{"on_invalid":"null"}"#, None, "Anna <a@b.de>").unwrap_or_default(), "");
    // Where the two might not fit, nobody can tell a mailbox from another text.
    let limited = |chars: u32, text: &str| {
        let mut table = TableSpec {
            columns: vec![column(
                "t.c",
                Shape::Text { chars_max: Some(chars), padded: false },
                Some(spec("email/1", None)),
            )],
            ..Default::default()
        };
        let tier = kind("email").unwrap().tier(Some(chars), &Params::new()).unwrap();
        table.tiers.insert(("email/1".to_owned(), String::new()), tier);
        let masked = Masker::compile(&realm(), &table).unwrap().apply(batch(vec![texts(&[Some(text)])])).unwrap();
        masked.columns()[0].as_string::<i32>().value(0).to_owned()
    };
    assert!(limited(77, "Anna <a@b.de>").ends_with(&format!(" <{}>", one("email", "a@b.de"))));
    assert!(limited(76, "Anna <a@b.de>").ends_with("@.example"));
    assert!(limited(26, "Anna <a@b.de>").chars().count() <= 26);
}

#[test]
fn every_tier_fits_its_least_length() {
    let realm = realm();
    for (name, forms) in [("email", 4), ("username", 3)] {
        let found = kind(name).unwrap();
        for (tier, least) in (found.least)(&Params::new()).into_iter().enumerate() {
            assert_eq!(found.tier(Some(least), &Params::new()), Ok(tier as u8));
            let shape = Shape::Text { chars_max: Some(least), padded: false };
            let mut table = TableSpec {
                columns: vec![column("t.c", shape, Some(spec(&found.full_name(), None)))],
                ..Default::default()
            };
            table.tiers.insert((found.full_name(), String::new()), tier as u8);
            let masker = Masker::compile(&realm, &table).unwrap();
            let values: Vec<String> = (0..300).map(|i| format!("u{i}@very-long-host-name-{i}.example.org")).collect();
            let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
            let masked = masker.apply(batch(vec![texts(&values)])).unwrap();
            let masks = masked.columns()[0].as_string::<i32>();
            assert!(masks.iter().flatten().all(|mask| mask.chars().count() <= least as usize), "{name} tier {tier}");
            table.columns[0].shape = Shape::Text { chars_max: Some(least - 1), padded: false };
            assert!(Masker::compile(&realm, &table).is_err());
        }
        assert_eq!((found.least)(&Params::new()).len(), forms);
        assert!(found.tier(Some(5), &Params::new()).is_err());
        assert_eq!(found.tier(None, &Params::new()), Ok(0));
    }
}

#[test]
fn dictionary_masks_fit_their_least_length() {
    for (kind_name, json) in [
        ("name.first", "{}"),
        ("name.last", "{}"),
        ("name.full", "{}"),
        ("address", "{}"),
        ("address", r#"{"part":"street"}"#),
        ("address", r#"{"part":"city"}"#),
        ("address", r#"{"part":"region"}"#),
        ("address", r#"{"part":"zip"}"#),
        ("address", r#"{"part":"country","country":"set"}"#),
    ] {
        let least = (kind(kind_name).unwrap().least)(&params(json))[0] as usize;
        let values = vec![Some("x"); 2_000];
        for mask in mask_texts(&realm(), kind_name, json, &values, 512).into_iter().flatten() {
            assert!(!mask.is_empty() && mask.chars().count() <= least, "{kind_name} {json}: {mask}");
        }
    }
    assert_eq!(value("address", r#"{"part":"country"}"#, Some("1"), "Norway").unwrap(), "Norway");
    let part = |part: &str| value("address", &format!(r#"{{"part":"{part}"}}"#), Some("7"), "x").unwrap();
    let line = value("address", "{}", Some("7"), "x").unwrap();
    assert_eq!(line, format!("{}, {}, {} {}", part("street"), part("city"), part("region"), part("zip")));
}

#[test]
fn every_kind_fits_the_narrowest_column_it_accepts() {
    let realm = realm();
    let values: Vec<String> = (0..200)
        .map(|i| match i % 4 {
            0 => format!("user{i}@example.com"),
            1 => format!("https://t.co/{i}/%20%C3%A9?q={i}#x{i}"),
            2 => format!("Person {i}"),
            _ => i.to_string(),
        })
        .collect();
    for kind in text_kinds() {
        let least = (kind.least)(&needed(kind));
        let Some(&narrowest) = least.last().filter(|narrowest| **narrowest > 0) else { continue };
        let mut mask = spec(&kind.full_name(), kind.needs_subject.then_some(1));
        mask.params = needed(kind);
        let shape = Shape::Text { chars_max: Some(narrowest), padded: false };
        let columns = vec![column("t.c", shape, Some(mask)), column("t.id", Shape::Int8, None)];
        let tier = (least.len() - 1) as u8;
        let tiers = [((kind.full_name(), String::new()), tier)].into();
        let masker = Masker::compile(&realm, &TableSpec { columns, tiers, ..TableSpec::default() }).unwrap();
        // What stands in such a column is no longer than it.
        let short: Vec<String> = values.iter().map(|value| value.chars().take(narrowest as usize).collect()).collect();
        let short: Vec<Option<&str>> = short.iter().map(|value| Some(value.as_str())).collect();
        let ids: Vec<i64> = (0..short.len() as i64).collect();
        let masked = masker.apply(batch(vec![texts(&short), Arc::new(Int64Array::from(ids))])).unwrap();
        for text in masked.columns()[0].as_string::<i32>().iter().flatten() {
            assert!(text.chars().count() <= narrowest as usize, "{} in {narrowest}: {text}", kind.name);
        }
    }
}

#[test]
fn invalid_values_go_where_the_policy_says() {
    let realm = realm();
    let mask = |json: &str| mask_value(&realm, "us.ssn", "", params(json), None, "666-12-3456");
    assert_eq!(mask(r#"{"on_invalid":"null"}"#), Ok(None));
    let error = mask(r#"{"on_invalid":"fail"}"#).unwrap_err();
    assert!(matches!(&error, ValueError::Mask(_)) && !format!("{error} {error:?}").contains("3456"));
    let pattern = mask("{}").unwrap().unwrap();
    let area: u32 = pattern[..3].parse().unwrap();
    assert!(area == 0 || area == 666 || area >= 900 || &pattern[4..6] == "00" || &pattern[7..] == "0000");
}

#[test]
fn what_a_folding_kind_cannot_read_stays_distinct_under_lower() {
    let values: Vec<String> = (0..1_000_u32)
        .map(|i| {
            let letter = |n: u32| char::from(b'a' + (n % 26) as u8);
            let text: String = [letter(i), letter(i / 26), letter(i * 7 / 13)].iter().collect();
            if i % 2 == 0 { text.to_uppercase() } else { text }
        })
        .collect();
    let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
    let lowered = |texts: &mut dyn Iterator<Item = &str>| texts.map(str::to_lowercase).collect::<HashSet<_>>().len();
    let distinct = lowered(&mut values.iter().flatten().copied());
    for kind in KINDS.iter().filter(|kind| kind.folds && kind.lowercase && kind.takes(&TEXT)) {
        let masks = mask_texts(&realm(), kind.name, "{}", &values, 64);
        assert_eq!(lowered(&mut masks.iter().flatten().map(String::as_str)), distinct, "{}", kind.name);
    }
    for kind in ["email", "uuid", "ip", "mac"] {
        let admin = one("pattern", "admin");
        assert_eq!(["admin", "Admin", "ADMIN"].map(|text| one(kind, text)), [&*admin, &*admin, &*admin], "{kind}");
        assert_eq!(one(kind, "Straße İ"), one("pattern", "straße İ"), "{kind}: the length has to stay");
    }
    let strict = |text: &str| value("email", r#"{"fold":false}"#, None, text);
    assert_eq!(strict("Admin"), Some(one("pattern", "Admin")));
}

#[test]
fn bad_specifications_are_all_refused_at_once() {
    let mut unknown = spec("email", None);
    unknown.params = params(r#"{"colour":"red"}"#);
    let mut bad = spec("card", None);
    bad.params = params(r#"{"keep":7}"#);
    let table = TableSpec {
        columns: vec![
            column("a", TEXT, Some(spec("nothing", None))),
            column("b", TEXT, Some(unknown)),
            column("c", TEXT, Some(bad)),
            column("d", Shape::Int4, Some(spec("email", None))),
            column("e", TEXT, Some(spec("name.first", None))),
            column("f", Shape::Text { chars_max: Some(3), padded: false }, Some(spec("email", None))),
            column("g", TEXT, Some(spec("email", Some(7)))),
            column("h", Shape::Inet, None),
            column("i", TEXT, Some(spec("email", None))),
        ],
        ..TableSpec::default()
    };
    let errors = Masker::compile(&realm(), &table).err().unwrap();
    let columns: Vec<&str> = errors.iter().map(|error| error.column.as_str()).collect();
    assert_eq!(columns, ["a", "b", "c", "d", "e", "f", "g"]);
    assert!(matches!(errors[4].refusal, Refusal::NeedsSubject { .. }));
    assert!(matches!(errors[6].refusal, Refusal::BadSubject));
}

#[test]
fn typed_columns_keep_type_nulls_and_specials() {
    let realm = realm();
    let uuids =
        FixedSizeBinaryArray::try_from_sparse_iter_with_size([Some([7u8; 16]), None, Some([0; 16])].into_iter(), 16)
            .unwrap();
    let inet: BinaryViewArray =
        [Some(&[2u8, 32, 0, 4, 8, 8, 8, 8][..]), None, Some(&[2, 8, 0, 4, 127, 0, 0, 1])].into_iter().collect();
    let columns: Vec<(Shape, &str, ArrayRef)> = vec![
        (Shape::Int2, "int", Arc::new(Int16Array::from(vec![Some(1), None, Some(-1)]))),
        (Shape::Int4, "int", Arc::new(Int32Array::from(vec![Some(1), None, Some(-1)]))),
        (Shape::Int8, "int", Arc::new(Int64Array::from(vec![Some(1), None, Some(-1)]))),
        (Shape::Uuid, "uuid", Arc::new(uuids)),
        (Shape::Date, "date.shift", Arc::new(Date32Array::from(vec![Some(20_000), None, Some(i32::MAX)]))),
        (Shape::Timestamp, "date.shift", Arc::new(Int64Array::from(vec![Some(5), None, Some(i64::MIN)]))),
        (Shape::Inet, "ip", Arc::new(inet)),
    ];
    let table = TableSpec {
        columns: columns
            .iter()
            .map(|(shape, kind, _)| {
                column(kind, shape.clone(), Some(spec(&super::kind(kind).unwrap().full_name(), Some(1))))
            })
            .collect(),
        ..TableSpec::default()
    };
    let masker = Masker::compile(&realm, &table).unwrap();
    let raw: Vec<ArrayRef> = columns.iter().map(|column| Arc::clone(&column.2)).collect();
    let masked = masker.apply(batch(raw.clone())).unwrap();
    for (before, after) in raw.iter().zip(masked.columns()) {
        assert!(after.is_null(1) && after.is_valid(0) && after.is_valid(2));
        let same = before.data_type() == after.data_type();
        assert!(same || after.data_type() == &arrow_schema::DataType::Binary);
    }
    let ints: Vec<i64> = (0..3)
        .map(|i| match i {
            0 => masked.columns()[0].as_primitive::<arrow_array::types::Int16Type>().value(0).into(),
            1 => masked.columns()[1].as_primitive::<arrow_array::types::Int32Type>().value(0).into(),
            _ => masked.columns()[2].as_primitive::<Int64Type>().value(0),
        })
        .collect();
    assert!(ints.iter().all(|mask| *mask == ints[0]));
    assert_eq!(masked.columns()[4].as_primitive::<Date32Type>().value(2), i32::MAX);
    assert_eq!(masked.columns()[5].as_primitive::<Int64Type>().value(2), i64::MIN);
    assert_eq!(masked.columns()[6].as_binary::<i32>().value(2), [2, 8, 0, 4, 127, 0, 0, 1]);
}

#[test]
fn a_row_without_subject_is_masked_by_its_own_value() {
    let table = TableSpec {
        columns: vec![column("t.name", TEXT, Some(spec("name.full", Some(1)))), column("t.id", Shape::Int8, None)],
        ..TableSpec::default()
    };
    let masker = Masker::compile(&realm(), &table).unwrap();
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), Some(1), None, None, None]));
    let names = texts(&[Some("A"), Some("B"), Some("A"), Some("a"), Some("B")]);
    let masked = masker.apply(batch(vec![names, ids])).unwrap();
    let masks: Vec<&str> = masked.columns()[0].as_string::<i32>().iter().flatten().collect();
    assert!(masks[0] == masks[1] && masks[2] == masks[3] && masks[2] != masks[4] && masks[0] != masks[2]);
}

#[test]
fn padded_text_is_masked_without_its_padding() {
    let shape = Shape::Text { chars_max: Some(20), padded: true };
    let table = TableSpec { columns: vec![column("t.c", shape, Some(spec("pattern", None)))], ..TableSpec::default() };
    let masker = Masker::compile(&realm(), &table).unwrap();
    let masked = masker.apply(batch(vec![texts(&[Some("AB-1234             "), Some("   ")])])).unwrap();
    let masks: Vec<&str> = masked.columns()[0].as_string::<i32>().iter().flatten().collect();
    assert_eq!(masks, ["MT-9016", ""]);
}

/// MASKING section 10, T9: none of 10^5 masks is that of another realm.
#[test]
fn another_realm_or_label_gives_other_masks() {
    let other = MasterKey::test().realm("other");
    type Makes = fn(u64) -> String;
    let kinds: [(&str, Makes); 9] = [
        ("email", |i| format!("user{i}@example.com")),
        ("username", |i| format!("user{i}")),
        ("int", |i| (1_u64 << 40 | i).to_string()),
        ("uuid", |i| format!("550e8400-e29b-41d4-a716-{i:012x}")),
        ("card", |i| format!("4{:015}", i * 11)),
        ("phone", |i| format!("+49{:011}", 30_000_000_000 + i)),
        ("ip", |i| format!("2001:db8::{:x}:{:x}", i >> 16, i & 0xffff)),
        ("pattern", |i| format!("ACME-{i:012}")),
        ("hash", |i| i.to_string()),
    ];
    for (kind, make) in kinds {
        let values: Vec<String> = (0..100_000).map(make).collect();
        let values: Vec<Option<&str>> = values.iter().map(|value| Some(value.as_str())).collect();
        let here = mask_texts(&realm(), kind, "{}", &values, 4_096);
        let elsewhere = mask_texts(&other, kind, "{}", &values, 4_096);
        assert_eq!(here.iter().zip(&elsewhere).filter(|(here, elsewhere)| here == elsewhere).count(), 0, "{kind}");
    }
    for i in 0..2_000 {
        let text = format!("user{i}@example.com");
        let labelled = mask_value(&realm(), "email", "x", Params::new(), None, &text).unwrap().unwrap();
        assert!(one("email", &text) != labelled);
    }
}

#[test]
fn leaves_get_the_masks_of_columns() {
    let realm = realm();
    let table = TableSpec { columns: vec![column("t.doc", Shape::Json, None)], ..TableSpec::default() };
    let outer = spec("json/1", None);
    let compile = Compile {
        realm: &realm,
        table: &table,
        column: 0,
        shape: Shape::Json,
        spec: &outer,
        subject: None,
        subjects: &[],
    };
    let rows = Rows { len: 1, subjects: &[], raw: &[], masked: &[], origin: None };
    let mut out = String::from("kept ");
    let email = compile.nested("email", "", Params::new(), TEXT).unwrap();
    email.text("bob@example.com", 0, &rows, &mut out).unwrap();
    assert_eq!(out, format!("kept {}", one("email", "bob@example.com")));
    let id = compile.nested("int", "public.users.id", Params::new(), TEXT).unwrap();
    assert_eq!(id.integer(42, 0, &rows).unwrap(), Some(3974));
    out.clear();
    id.text("42", 0, &rows, &mut out).unwrap();
    assert_eq!(out, "3974");
    assert!(compile.nested("nothing", "", Params::new(), TEXT).is_err());
}

#[test]
fn masks_run_after_the_columns_they_need() {
    struct Reads(usize);
    impl ColumnMask for Reads {
        fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
            rows.masked[self.0].as_ref().map(|_| Arc::clone(column)).ok_or(MaskError::at(0, "ran too early"))
        }
        fn text(&self, _: &str, _: usize, _: &Rows<'_>, _: &mut String) -> Result<(), MaskError> {
            Ok(())
        }
        fn after(&self) -> Vec<usize> {
            vec![self.0]
        }
    }
    let masker = Masker::of(vec![Box::new(Reads(1)), Box::new(Reads(2))], spec("pattern", None), &realm()).unwrap();
    assert!(masker.apply(batch(vec![texts(&[Some("a")]); 3])).is_ok());
    let cycle = Masker::of(vec![Box::new(Reads(1)), Box::new(Reads(0))], spec("pattern", None), &realm());
    assert_eq!(cycle.err().unwrap().len(), 2);
}
