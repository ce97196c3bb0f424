//! Lists, formats and postal codes of the locales.

use super::*;
use crate::mask::batch::RawBatch;
use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, TableSpec, mask_value};
use arrow_array::{ArrayRef, Int32Array, StringViewArray};
use serde_json::json;
use std::sync::Arc;

fn lists_of(locale: &Locale) -> Vec<List> {
    let named = locale.street.iter().filter_map(|piece| match piece {
        Name(list) => Some(*list),
        _ => None,
    });
    let mut lists: Vec<List> = locale.first.into_iter().chain(locale.last).chain([locale.place]).chain(named).collect();
    lists.dedup_by(|a, b| std::ptr::eq(*a, *b));
    lists
}

fn persona(kind: &str, params: serde_json::Value, subject: &str) -> String {
    let realm = MasterKey::test().realm("default");
    let params = serde_json::from_value(params).unwrap();
    mask_value(&realm, kind, "", params, Some(subject), "x").unwrap().unwrap()
}

#[test]
fn every_list_of_a_locale_matches_the_manifest() {
    let found: Vec<(&str, Vec<String>)> = LOCALES[1..]
        .iter()
        .map(|locale| {
            let hash = |list: &List| blake3::hash(list.source().as_bytes()).to_hex()[..32].to_owned();
            (locale.name, lists_of(locale).iter().map(hash).collect())
        })
        .collect();
    let pinned: Vec<(&str, Vec<String>)> =
        MANIFEST.iter().map(|(name, hashes)| (*name, hashes.iter().map(|hash| (*hash).to_owned()).collect())).collect();
    assert_eq!(found, pinned);
}

#[test]
fn lists_are_sorted_complete_and_of_some_size() {
    assert_eq!(NAMES, LOCALES.iter().map(|locale| locale.name).collect::<Vec<_>>());
    for locale in LOCALES {
        for list in lists_of(locale) {
            assert!(list.values().is_sorted_by(|a, b| a < b), "{}", locale.name);
            assert!(list.values().all(|value| !value.trim().is_empty() && value == value.trim()));
            assert!(list.values().count() >= 60, "{}", locale.name);
        }
        for place in locale.place.values() {
            let parts: Vec<&str> = place.split('|').collect();
            let [city, region, zip] = parts[..] else { panic!("{place}") };
            assert!(!city.is_empty() && !region.is_empty() && zip.is_ascii(), "{place}");
        }
    }
}

/// What a postal code of each country looks like: `9` a digit, `A` a letter.
#[test]
fn postal_codes_have_the_form_of_their_country_and_lie_in_their_area() {
    let forms: &[(&str, &[&str])] = &[
        ("en_US", &["99999"]),
        ("en_GB", &["A9 9AA", "A99 9AA", "AA9 9AA", "AA99 9AA"]),
        ("de_DE", &["99999"]),
        ("fr_FR", &["99999"]),
        ("es_ES", &["99999"]),
        ("it_IT", &["99999"]),
        ("nl_NL", &["9999 AA"]),
        ("pl_PL", &["99-999"]),
        ("pt_BR", &["99999-999"]),
        ("sv_SE", &["999 99"]),
        ("ja_JP", &["999-9999"]),
        ("he_IL", &["9999999"]),
    ];
    for (locale, (name, forms)) in LOCALES.iter().zip(forms) {
        assert_eq!(locale.name, *name);
        for place in locale.place.values() {
            let (area, pattern) = (place.rsplit('|').next().unwrap(), |random| {
                let mut parts = place.split('|');
                let mut next = || parts.next().unwrap();
                let place = Place { city: next(), region: next(), zip: next(), zip_tail: locale.zip_tail, random };
                let mut zip = String::new();
                place.push_zip(&mut zip);
                zip
            });
            let fixed = area.split(['#', '%', '@']).next().unwrap();
            for random in [0, 1 << 62, 0x9e37_79b9_7f4a_7c15, u64::MAX] {
                let zip = pattern(random);
                assert!(zip.starts_with(fixed), "{zip} {place}");
                let form: String = zip
                    .chars()
                    .map(|c| match c {
                        '0'..='9' => '9',
                        'A'..='Z' => 'A',
                        other => other,
                    })
                    .collect();
                assert!(forms.contains(&form.as_str()), "{zip} {place}");
            }
        }
    }
}

#[test]
fn first_digits_of_a_postal_code_name_the_region() {
    // Spain, Italy and Brazil number their provinces and states; a few of each show a slip of a line.
    let expect = [
        ("es_ES", "Madrid", "28"),
        ("es_ES", "Barcelona", "08"),
        ("es_ES", "Bizkaia", "48"),
        ("es_ES", "Asturias", "33"),
        ("es_ES", "A Coruña", "15"),
        ("de_DE", "Berlin", "1"),
        ("de_DE", "Thüringen", ""),
        ("pl_PL", "podlaskie", "1"),
        ("pl_PL", "śląskie", "4"),
        ("pt_BR", "RS", "9"),
        ("pt_BR", "RJ", "2"),
        ("ja_JP", "東京都", "1"),
        ("ja_JP", "沖縄県", "90"),
    ];
    for (name, region, prefix) in expect {
        let locale = LOCALES.iter().find(|locale| locale.name == name).unwrap();
        let mut known = 0;
        for place in locale.place.values().filter(|place| place.split('|').nth(1) == Some(region)) {
            assert!(place.rsplit('|').next().unwrap().starts_with(prefix), "{place}");
            known += 1;
        }
        assert!(known > 0, "{name} {region}");
    }
}

#[test]
fn countries_are_sorted_and_found_however_they_are_written() {
    assert!(COUNTRIES.is_sorted_by(|a, b| a.0 < b.0));
    for locale in LOCALES {
        for written in [locale.code.to_owned(), locale.country.to_uppercase(), format!(" {} ", locale.country)] {
            assert_eq!(of_country(&written).unwrap().name, locale.name, "{written}");
        }
    }
    assert_eq!(of_country("ESPAÑA").unwrap().name, "es_ES");
    assert_eq!(of_country("DEU").unwrap().name, "de_DE");
    assert!(of_country("Atlantis").is_none() && of_country("").is_none());
}

#[test]
fn slugs_are_ascii() {
    let slug = |locale: &str, name: &str| {
        let mut out = String::new();
        LOCALES.iter().find(|known| known.name == locale).unwrap().push_slug(name, 15, &mut out);
        out
    };
    assert_eq!(slug("de_DE", "Jürgen Groß-Öchsle"), "juergengrossoec");
    assert_eq!(slug("sv_SE", "Åke Björk"), "akebjork");
    assert_eq!(slug("pl_PL", "Łukasz Żółć"), "lukaszzolc");
    assert_eq!(slug("fr_FR", "Zoé d'Œuvre"), "zoedoeuvre");
    assert_eq!(slug("ja_JP", "山田"), "");
    assert_eq!(slug("he_IL", "כהן"), "");
}

#[test]
fn names_and_addresses_are_written_as_in_their_country() {
    let line = |locale: &str| persona("address", json!({ "locale": locale }), "42");
    let full = |locale: &str| persona("name.full", json!({ "locale": locale }), "42");
    let golden: Vec<(String, String)> = NAMES.iter().map(|name| (full(name), line(name))).collect();
    let expected: Vec<(String, String)> = GOLDEN.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    assert_eq!(golden, expected);
}

/// Subject 42, in the order of [`LOCALES`]. A locale never changes its output.
const GOLDEN: &[(&str, &str)] = &[
    ("Casey Tindall", "5562 D'Amore Lodge, Seattle, WA 98168"),
    ("Bradley Walker", "101 Cedar Road, Stevenage, SG1 6WT"),
    ("Berndt Trupp", "Buchenweg 84, 66168 Saarbrücken"),
    ("Baptiste Rousseau", "84 avenue de l'Église, 31000 Toulouse"),
    ("Augusto Sánchez", "Avenida de la Merced, 84, 46007 València"),
    ("Arturo Tomei", "Corso Sant'Antonio 84, 10147 Torino TO"),
    ("Bradley van Verdun", "Burgweg 112, 5917 DL Venlo"),
    ("Artur Wilk", "ul. Grunwaldzka 84, 41-868 Zabrze"),
    ("Brayan Vargas", "Alameda São Paulo, 1113, São Paulo - SP, 04684-965"),
    ("Bengt Stenström", "Ekgatan 56, 727 16 Västerås"),
    ("野村 優斗", "〒850-0068 長崎県長崎市城東町3丁目12-5"),
    ("אחמד רוזנברג", "בשמת 67, רעננה 4368496"),
];

#[test]
fn polish_last_names_follow_the_sex_of_the_person() {
    let (mut women, mut men) = (0, 0);
    for subject in 0..400 {
        let name = |kind| persona(kind, json!({ "locale": "pl_PL" }), &subject.to_string());
        let (first, last) = (name("name.first"), name("name.last"));
        let woman = pl_PL::WOMEN.values().any(|value| value == first);
        assert!(woman || pl_PL::MEN.values().any(|value| value == first));
        assert!(!(woman && last.ends_with("ski")) && (woman || !last.ends_with("ska")), "{first} {last}");
        women += usize::from(last.ends_with("ska"));
        men += usize::from(last.ends_with("ski"));
    }
    assert!(women > 10 && men > 10, "{women} {men}");
}

#[test]
fn parts_of_an_address_are_those_of_the_whole() {
    for locale in NAMES {
        for subject in ["1", "2", "3"] {
            let part = |part: &str| persona("address", json!({ "locale": locale, "part": part }), subject);
            let line = persona("address", json!({ "locale": locale }), subject);
            assert!(["street", "city", "zip"].iter().all(|name| line.contains(&part(name))), "{line}");
        }
    }
}

#[test]
fn nothing_is_longer_than_least_says() {
    for kind in ["name.first", "name.last", "name.full", "address", "email", "username"] {
        for locale in NAMES {
            let params = json!({ "locale": locale });
            let least = (crate::mask::kind(kind).unwrap().least)(&serde_json::from_value(params.clone()).unwrap())[0];
            for subject in 0..100 {
                let masked = if kind == "email" {
                    let realm = MasterKey::test().realm("default");
                    let params = serde_json::from_value(params.clone()).unwrap();
                    mask_value(&realm, kind, "", params, None, &format!("u{subject}@x.com")).unwrap().unwrap()
                } else {
                    persona(kind, params.clone(), &subject.to_string())
                };
                assert!(masked.chars().count() as u32 <= least, "{kind} {locale}: {masked}");
                assert!(!kind.starts_with(['e', 'u']) || masked.is_ascii(), "{masked}");
            }
        }
    }
}

/// A table with an integer id, names, and the country, which is kept.
fn table(country: Shape, params: serde_json::Value) -> TableSpec {
    let text = Shape::Text { chars_max: None, padded: false };
    let column = |name: &str, shape, kind: Option<&str>| {
        let mask = kind.map(|kind| MaskSpec {
            kind: format!("{kind}/1"),
            label: String::new(),
            params: serde_json::from_value(params.clone()).unwrap(),
            subject: Some(0),
        });
        ColumnSpec { name: format!("public.people.{name}"), shape, mask }
    };
    TableSpec {
        columns: vec![
            column("id", Shape::Int4, None),
            column("name", text, Some("name.full")),
            column("country", country, None),
        ],
        ..TableSpec::default()
    }
}

#[test]
fn the_country_of_the_row_chooses_the_locale() {
    let text = Shape::Text { chars_max: None, padded: false };
    let spec = table(text, json!({ "locale": "en_GB", "locale_from": "country" }));
    let masker = Masker::compile(&MasterKey::test().realm("default"), &spec).unwrap();
    let countries = [Some("DE"), Some("Poland"), Some("JPN"), Some("Atlantis"), None];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from(vec![7; 5])),
        Arc::new(StringViewArray::from(vec!["x"; 5])),
        Arc::new(StringViewArray::from(countries.to_vec())),
    ];
    let raw = RawBatch { rows: 5, wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
    let masked = masker.apply(raw).unwrap();
    let names: Vec<&str> = masked.columns()[0].as_string::<i32>().iter().flatten().collect();
    let of = |locale: &str| persona("name.full", json!({ "locale": locale }), "7");
    assert_eq!(names, [of("de_DE"), of("pl_PL"), of("ja_JP"), of("en_GB"), of("en_GB")]);
}

#[test]
fn a_country_column_that_cannot_be_read_is_refused() {
    let realm = MasterKey::test().realm("default");
    let refused = |spec: &TableSpec| Masker::compile(&realm, spec).err().unwrap()[0].to_string();
    let expected = "must be a column of the same table that holds text";
    let text = Shape::Text { chars_max: None, padded: false };
    assert!(refused(&table(text, json!({ "locale_from": "land" }))).contains(expected));
    assert!(refused(&table(Shape::Int4, json!({ "locale_from": "country" }))).contains(expected));
    let params = serde_json::from_value(json!({ "locale_from": "country" })).unwrap();
    let error = mask_value(&realm, "email", "", params, None, "a@b.com").unwrap_err().to_string();
    assert!(error.contains("by = \"subject\""), "{error}");
}

#[test]
fn letters_are_those_of_the_parts_that_are_drawn() {
    let of = |kind: &str, params: serde_json::Value| letters(kind, params.as_object().unwrap());
    let polish = of("name.first", json!({ "locale": "pl_PL" }));
    assert!(polish[0].letters.contains('ł') && polish[0].countries.is_none() && polish.len() == 1, "{polish:?}");
    assert!(of("address", json!({ "locale": "ja_JP" }))[0].letters.contains('〒'));
    assert!(!of("address", json!({ "locale": "ja_JP", "part": "city" }))[0].letters.contains('〒'));
    let rows = of("name.last", json!({ "locale": "de_DE", "locale_from": "land" }));
    let japan = rows.iter().find(|found| found.locale == "ja_JP").unwrap();
    assert!(japan.countries.as_ref().unwrap().contains(&"japan"), "{japan:?}");
    let ascii = [("name.full", json!({})), ("email", json!({ "locale": "ja_JP" })), ("pattern", json!({}))];
    for (kind, params) in ascii {
        assert_eq!(of(kind, params), [], "{kind}");
    }
}
