//! Countries: what their people are called, where they live, and how they write an address.
//!
//! A locale chooses lists and formats, never streams: every locale draws `sex`, `first`, `last`, `street` and `place` of a
//! subject from the same streams (MASKING.md section 3), so that a further locale changes no mask of another.
//!
//! | stream | word 0 | word 1 | words 2, 3 |
//! |---|---|---|---|
//! | `first`, `last` | the name; the sex chooses among two lists | | |
//! | `street` | house number | name | suffix (en_US); further numbers (ja_JP) |
//! | `place` | city, region and postal area, which stand together in one list | the rest of the postal code | |

use super::column::{Compile, CompileError};
use super::dict::{self, Dictionary};
use super::kind::{Domain, Param};
use super::leaf::At;
use super::quantity::push_number;
use super::token::{below, word};
use super::{Params, Shape};
use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use std::sync::LazyLock;

/// A list that is parsed when it is first used.
type List = &'static LazyLock<Dictionary>;

/// One country.
pub(super) struct Locale {
    pub name: &'static str,
    /// In English, and as ISO 3166-1 alpha-2.
    pub country: &'static str,
    pub code: &'static str,
    /// First names of women and of men.
    first: [List; 2],
    /// Last names of women and of men; the same list where they do not differ.
    last: [List; 2],
    street: &'static [StreetPiece],
    /// `city|region|postal code`, where `#` is a digit, `%` one from 1 to 9, `@` a letter.
    place: List,
    /// The rest of every postal code.
    zip_tail: &'static str,
    line: &'static [LinePiece],
    /// The family name comes first.
    pub family_first: bool,
    /// `ä` is written `ae` where there is only ASCII, not `a`.
    umlauts: bool,
}

#[derive(Clone, Copy)]
enum StreetPiece {
    Text(&'static str),
    /// A number from 1 by a word of the stream.
    Number {
        word: usize,
        max: u64,
    },
    /// An entry of a table of `fake`, all alike.
    Table {
        word: usize,
        list: &'static [&'static str],
    },
    /// An entry of a file, by weight.
    Name(List),
}

/// A piece of a whole address on one line.
#[derive(Clone, Copy)]
pub(super) enum LinePiece {
    Text(&'static str),
    Street,
    City,
    Region,
    Zip,
}

macro_rules! lists {
    ($($locale:ident { $($name:ident = $file:literal),* $(,)? })*) => { $(
        /// The lists of one locale.
        #[allow(non_snake_case, reason = "named like the locale")]
        mod $locale {
            use super::{Dictionary, LazyLock};
            $(pub(super) static $name: LazyLock<Dictionary> = LazyLock::new(|| {
                Dictionary::parse(include_str!(concat!("../../rules/dict/v1/", stringify!($locale), "/", $file)))
            });)*
        }
    )* };
}

macro_rules! five_lists {
    ($($locale:ident)*) => { lists! { $($locale {
        WOMEN = "first_female.tsv", MEN = "first_male.tsv", LAST = "last.tsv", STREET = "street.tsv", PLACE = "place.tsv",
    })* } };
}

five_lists! { en_GB de_DE fr_FR es_ES it_IT nl_NL pt_BR sv_SE ja_JP he_IL }
lists! { pl_PL {
    WOMEN = "first_female.tsv", MEN = "first_male.tsv", LAST_WOMEN = "last_female.tsv", LAST_MEN = "last_male.tsv",
    STREET = "street.tsv", PLACE = "place.tsv",
} }

use LinePiece::{City, Region, Street, Text as Then, Zip};
use StreetPiece::{Name, Number, Table, Text};

const fn number(max: u64) -> StreetPiece {
    Number { word: 0, max }
}

/// What most locales share, to be completed with `..BASE`.
const BASE: Locale = Locale {
    name: "en_US",
    country: "United States",
    code: "US",
    first: [&dict::FIRST_FEMALE, &dict::FIRST_MALE],
    last: [&dict::LAST, &dict::LAST],
    street: &[
        number(9_999),
        Text(" "),
        Table { word: 1, list: dict::STREET_NAMES },
        Text(" "),
        Table { word: 2, list: dict::STREET_SUFFIXES },
    ],
    place: &dict::PLACE,
    zip_tail: "",
    line: &[Street, Then(", "), Zip, Then(" "), City],
    family_first: false,
    umlauts: false,
};

/// Every locale; the first is the default.
pub(super) static LOCALES: &[Locale] = &[
    Locale { zip_tail: "##", line: &[Street, Then(", "), City, Then(", "), Region, Then(" "), Zip], ..BASE },
    Locale {
        name: "en_GB",
        country: "United Kingdom",
        code: "GB",
        first: [&en_GB::WOMEN, &en_GB::MEN],
        last: [&en_GB::LAST, &en_GB::LAST],
        street: &[number(180), Text(" "), Name(&en_GB::STREET)],
        place: &en_GB::PLACE,
        line: &[Street, Then(", "), City, Then(", "), Zip],
        ..BASE
    },
    Locale {
        name: "de_DE",
        country: "Germany",
        code: "DE",
        first: [&de_DE::WOMEN, &de_DE::MEN],
        last: [&de_DE::LAST, &de_DE::LAST],
        street: &[Name(&de_DE::STREET), Text(" "), number(150)],
        place: &de_DE::PLACE,
        umlauts: true,
        ..BASE
    },
    Locale {
        name: "fr_FR",
        country: "France",
        code: "FR",
        first: [&fr_FR::WOMEN, &fr_FR::MEN],
        last: [&fr_FR::LAST, &fr_FR::LAST],
        street: &[number(150), Text(" "), Name(&fr_FR::STREET)],
        place: &fr_FR::PLACE,
        ..BASE
    },
    Locale {
        name: "es_ES",
        country: "Spain",
        code: "ES",
        first: [&es_ES::WOMEN, &es_ES::MEN],
        last: [&es_ES::LAST, &es_ES::LAST],
        street: &[Name(&es_ES::STREET), Text(", "), number(150)],
        place: &es_ES::PLACE,
        ..BASE
    },
    Locale {
        name: "it_IT",
        country: "Italy",
        code: "IT",
        first: [&it_IT::WOMEN, &it_IT::MEN],
        last: [&it_IT::LAST, &it_IT::LAST],
        street: &[Name(&it_IT::STREET), Text(" "), number(150)],
        place: &it_IT::PLACE,
        line: &[Street, Then(", "), Zip, Then(" "), City, Then(" "), Region],
        ..BASE
    },
    Locale {
        name: "nl_NL",
        country: "Netherlands",
        code: "NL",
        first: [&nl_NL::WOMEN, &nl_NL::MEN],
        last: [&nl_NL::LAST, &nl_NL::LAST],
        street: &[Name(&nl_NL::STREET), Text(" "), number(200)],
        place: &nl_NL::PLACE,
        ..BASE
    },
    Locale {
        name: "pl_PL",
        country: "Poland",
        code: "PL",
        first: [&pl_PL::WOMEN, &pl_PL::MEN],
        last: [&pl_PL::LAST_WOMEN, &pl_PL::LAST_MEN],
        street: &[Text("ul. "), Name(&pl_PL::STREET), Text(" "), number(150)],
        place: &pl_PL::PLACE,
        ..BASE
    },
    Locale {
        name: "pt_BR",
        country: "Brazil",
        code: "BR",
        first: [&pt_BR::WOMEN, &pt_BR::MEN],
        last: [&pt_BR::LAST, &pt_BR::LAST],
        street: &[Name(&pt_BR::STREET), Text(", "), number(2_000)],
        place: &pt_BR::PLACE,
        line: &[Street, Then(", "), City, Then(" - "), Region, Then(", "), Zip],
        ..BASE
    },
    Locale {
        name: "sv_SE",
        country: "Sweden",
        code: "SE",
        first: [&sv_SE::WOMEN, &sv_SE::MEN],
        last: [&sv_SE::LAST, &sv_SE::LAST],
        street: &[Name(&sv_SE::STREET), Text(" "), number(100)],
        place: &sv_SE::PLACE,
        ..BASE
    },
    Locale {
        name: "ja_JP",
        country: "Japan",
        code: "JP",
        first: [&ja_JP::WOMEN, &ja_JP::MEN],
        last: [&ja_JP::LAST, &ja_JP::LAST],
        street: &[
            Name(&ja_JP::STREET),
            number(5),
            Text("丁目"),
            Number { word: 2, max: 25 },
            Text("-"),
            Number { word: 3, max: 20 },
        ],
        place: &ja_JP::PLACE,
        line: &[Then("〒"), Zip, Then(" "), Region, City, Street],
        family_first: true,
        ..BASE
    },
    Locale {
        name: "he_IL",
        country: "Israel",
        code: "IL",
        first: [&he_IL::WOMEN, &he_IL::MEN],
        last: [&he_IL::LAST, &he_IL::LAST],
        street: &[Name(&he_IL::STREET), Text(" "), number(120)],
        place: &he_IL::PLACE,
        line: &[Street, Then(", "), City, Then(" "), Zip],
        ..BASE
    },
];

/// The names of all locales, for the parameter.
const NAMES: &[&str] =
    &["en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pl_PL", "pt_BR", "sv_SE", "ja_JP", "he_IL"];

pub(super) const LOCALE: Param = Param {
    name: "locale",
    summary: "the country whose names and places are drawn; for values that join, the same everywhere",
    domain: Domain::OneOf(NAMES),
    default: "en_US",
};

pub(super) const LOCALE_FROM: Param = Param {
    name: "locale_from",
    summary: "column of the row that holds the country (DE, DEU or Germany); other countries: `locale`",
    domain: Domain::Text,
    default: "",
};

/// Columns that a mask with these parameters reads.
pub(super) fn columns(params: &Params) -> Vec<String> {
    params.get("locale_from").and_then(|name| name.as_str()).map(ToOwned::to_owned).into_iter().collect()
}

/// Countries as people and programs write them, folded to lower case and sorted, with their place in [`LOCALES`].
const COUNTRIES: &[(&str, usize)] = &[
    ("br", 8),
    ("bra", 8),
    ("brasil", 8),
    ("brazil", 8),
    ("de", 2),
    ("deu", 2),
    ("deutschland", 2),
    ("england", 1),
    ("es", 4),
    ("esp", 4),
    ("españa", 4),
    ("fr", 3),
    ("fra", 3),
    ("france", 3),
    ("gb", 1),
    ("gbr", 1),
    ("germany", 2),
    ("great britain", 1),
    ("holland", 6),
    ("il", 11),
    ("isr", 11),
    ("israel", 11),
    ("it", 5),
    ("ita", 5),
    ("italia", 5),
    ("italy", 5),
    ("japan", 10),
    ("jp", 10),
    ("jpn", 10),
    ("nederland", 6),
    ("netherlands", 6),
    ("nl", 6),
    ("nld", 6),
    ("northern ireland", 1),
    ("pl", 7),
    ("pol", 7),
    ("poland", 7),
    ("polska", 7),
    ("scotland", 1),
    ("se", 9),
    ("spain", 4),
    ("sverige", 9),
    ("swe", 9),
    ("sweden", 9),
    ("the netherlands", 6),
    ("uk", 1),
    ("united kingdom", 1),
    ("united states", 0),
    ("united states of america", 0),
    ("us", 0),
    ("usa", 0),
    ("wales", 1),
    ("ישראל", 11),
    ("日本", 10),
];

/// The locale of a country; none for one that has none here.
fn of_country(country: &str) -> Option<&'static Locale> {
    let folded = || country.trim().chars().flat_map(char::to_lowercase);
    let place = COUNTRIES.binary_search_by(|(name, _)| name.chars().cmp(folded())).ok()?;
    LOCALES.get(COUNTRIES[place].1)
}

/// The locale that the parameter names; the default without it.
fn named(params: &Params) -> &'static Locale {
    let name = params.get("locale").and_then(|name| name.as_str());
    LOCALES.iter().find(|locale| Some(locale.name) == name).unwrap_or(&LOCALES[0])
}

/// The most characters that any locale of a mask with these parameters needs.
pub(super) fn longest_of(params: &Params, of: impl Fn(&'static Locale) -> u32) -> u32 {
    if params.contains_key("locale_from") { LOCALES.iter().map(of).max().unwrap_or(0) } else { of(named(params)) }
}

/// Where a mask takes its locale from.
pub(super) struct Chosen {
    otherwise: &'static Locale,
    /// The column that holds the country.
    from: Option<usize>,
}

impl Chosen {
    /// Reads `locale` and `locale_from`.
    ///
    /// # Errors
    /// If the column is none of the table, or holds no text.
    pub fn new(compile: &Compile<'_>) -> Result<Self, CompileError> {
        let otherwise = named(&compile.spec.params);
        let Some(name) = compile.word("locale_from") else { return Ok(Self { otherwise, from: None }) };
        let index = compile.column_beside(name);
        let from = index.filter(|index| matches!(compile.table.columns[*index].shape, Shape::Text { .. }));
        match from {
            Some(from) => Ok(Self { otherwise, from: Some(from) }),
            None => Err(compile.bad_param("locale_from", "a column of the same table that holds text")),
        }
    }

    /// The locale of a row.
    #[inline]
    pub fn of(&self, at: At<'_>) -> &'static Locale {
        match self.from {
            None => self.otherwise,
            Some(column) => self.read(column, at),
        }
    }

    fn read(&self, column: usize, at: At<'_>) -> &'static Locale {
        let countries = at.rows.raw.get(column).and_then(|column| column.as_string_view_opt());
        let row = at.rows.row(at.row);
        let country = countries.filter(|countries| countries.is_valid(row)).map(|countries| countries.value(row));
        country.and_then(of_country).unwrap_or(self.otherwise)
    }
}

impl Locale {
    /// First names of women and of men.
    #[inline]
    pub fn first(&self) -> [&'static Dictionary; 2] {
        [self.first[0], self.first[1]]
    }

    /// Last names, of women and of men where they differ.
    #[inline]
    pub fn last(&self) -> Result<&'static Dictionary, [&'static Dictionary; 2]> {
        if std::ptr::eq(self.last[0], self.last[1]) { Ok(self.last[0]) } else { Err([self.last[0], self.last[1]]) }
    }

    /// Appends the street with its number, from the stream of `street`.
    pub fn push_street(&self, stream: &[u8; 32], out: &mut String) {
        for piece in self.street {
            match piece {
                Text(text) => out.push_str(text),
                Number { word: index, max } => push_number(below(word(stream, *index), *max) + 1, 1, out),
                Table { word: index, list } => {
                    out.push_str(list[below(word(stream, *index), list.len() as u64) as usize]);
                }
                Name(list) => out.push_str(list.draw(word(stream, 1))),
            }
        }
    }

    /// City, region and postal code that belong together, from the stream of `place`.
    pub fn place(&self, stream: &[u8; 32]) -> Place {
        let mut parts = self.place.draw(word(stream, 0)).split('|');
        let mut next = || parts.next().expect("a place is city, region and postal code");
        Place { city: next(), region: next(), zip: next(), zip_tail: self.zip_tail, random: word(stream, 1) }
    }

    /// Appends a whole address, from the streams of `street` and `place`.
    pub fn push_line(&self, street: &[u8; 32], place: &[u8; 32], out: &mut String) {
        let place = self.place(place);
        for piece in self.line {
            match piece {
                Then(text) => out.push_str(text),
                Street => self.push_street(street, out),
                City => out.push_str(place.city),
                Region => out.push_str(place.region),
                Zip => place.push_zip(out),
            }
        }
    }

    pub fn first_longest(&self) -> u32 {
        longest(self.first[0].values()).max(longest(self.first[1].values()))
    }

    pub fn last_longest(&self) -> u32 {
        longest(self.last[0].values()).max(longest(self.last[1].values()))
    }

    pub fn street_longest(&self) -> u32 {
        let piece = |piece: &StreetPiece| match piece {
            Text(text) => text.chars().count() as u32,
            Number { max, .. } => max.ilog10() + 1,
            Table { list, .. } => longest(list.iter().copied()),
            Name(list) => longest(list.values()),
        };
        self.street.iter().map(piece).sum()
    }

    pub fn city_longest(&self) -> u32 {
        longest(self.place.values().filter_map(|place| place.split('|').next()))
    }

    pub fn region_longest(&self) -> u32 {
        longest(self.place.values().filter_map(|place| place.split('|').nth(1)))
    }

    pub fn zip_longest(&self) -> u32 {
        longest(self.place.values().filter_map(|place| place.split('|').nth(2))) + self.zip_tail.len() as u32
    }

    pub fn line_longest(&self) -> u32 {
        let piece = |piece: &LinePiece| match piece {
            Then(text) => text.chars().count() as u32,
            Street => self.street_longest(),
            City => self.city_longest(),
            Region => self.region_longest(),
            Zip => self.zip_longest(),
        };
        self.line.iter().map(piece).sum()
    }

    /// Appends the ASCII letters and digits of a name in lower case, `max` at most; nothing for a name in another
    /// script.
    pub fn push_slug(&self, name: &str, max: usize, out: &mut String) {
        let start = out.len();
        for c in name.chars() {
            if c.is_ascii() {
                if c.is_ascii_alphanumeric() {
                    out.push(c.to_ascii_lowercase());
                }
            } else {
                push_latin(c, self.umlauts, out);
            }
        }
        if out.len() - start > max {
            out.truncate(start + max);
        }
    }
}

/// Appends the ASCII form of a letter; nothing for one that has none.
fn push_latin(c: char, umlauts: bool, out: &mut String) {
    let lower = c.to_lowercase().next().unwrap_or(c);
    let written = match lower {
        'ä' if umlauts => "ae",
        'ö' if umlauts => "oe",
        'ü' if umlauts => "ue",
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        _ => "",
    };
    out.push_str(written);
    if written.is_empty() {
        unicode_normalization::char::decompose_canonical(lower, |part| {
            if part.is_ascii_alphanumeric() {
                out.push(part);
            }
        });
    }
}

fn longest<'a>(values: impl Iterator<Item = &'a str>) -> u32 {
    values.map(|value| value.chars().count() as u32).max().unwrap_or(0)
}

/// A city with its region and a postal code of its area.
pub(super) struct Place {
    pub city: &'static str,
    pub region: &'static str,
    zip: &'static str,
    zip_tail: &'static str,
    random: u64,
}

/// Letters that postal codes of Great Britain and the Netherlands both use.
const ZIP_LETTERS: &[u8] = b"ABDEGHJLNPRTWXZ";

impl Place {
    /// Appends the postal code: one random number, the first placeholder its most significant digit.
    pub fn push_zip(&self, out: &mut String) {
        let radix = |c: u8| match c {
            b'#' => 10,
            b'%' => 9,
            b'@' => ZIP_LETTERS.len() as u64,
            _ => 1,
        };
        let pattern = || self.zip.bytes().chain(self.zip_tail.bytes());
        let mut rest: u64 = pattern().map(radix).product();
        let mut number = below(self.random, rest);
        for c in pattern() {
            rest /= radix(c);
            let digit = number / rest;
            number %= rest;
            out.push(char::from(match c {
                b'#' => b'0' + digit as u8,
                b'%' => b'1' + digit as u8,
                b'@' => ZIP_LETTERS[digit as usize],
                other => other,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::batch::RawBatch;
    use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, TableSpec, mask_value};
    use arrow_array::{ArrayRef, Int32Array, StringViewArray};
    use serde_json::json;
    use std::sync::Arc;

    /// The first half of the BLAKE3 of each list, in the order of [`lists_of`].
    const MANIFEST: &[(&str, &[&str])] = &[
        (
            "en_GB",
            &[
                "86c130c89be21196c8add3ea49839ac8",
                "3580c8ff758f263bae8b283edbe52d01",
                "bcb04fb66627a3fbdc8889def0db73dc",
                "df3b38d86cafa647aac7092e52ac6ed9",
                "f65aca79edf6a848cae3d89f5c0446e4",
            ],
        ),
        (
            "de_DE",
            &[
                "559bb88539cf1a07cf7d7042552831fc",
                "adc98cfc7446b85eb3376f1781a44fb9",
                "040d13c2cbacbb026605b00df9f517a0",
                "1531922164af2a8d0275476ef6434b0a",
                "981ac09b652cfc7a7195b837b27f4521",
            ],
        ),
        (
            "fr_FR",
            &[
                "4a925fd410814f7ae2f329fc560ab7e8",
                "2a0919364c6d1f3d4b50b798ad1b4fcb",
                "8bd62f70ec437096f207e9fab296d724",
                "cc37e8a11da3c3e4863c617485f52aac",
                "449a5e5d16a60a4a81c81033c2e9f95d",
            ],
        ),
        (
            "es_ES",
            &[
                "27c7b6d510233e70fa7126e6e035417a",
                "8bde372a48c33b1fc3ad34e81d3e8942",
                "30b19f72d3e07695474c2e42ebebc8c0",
                "69aa74d84d7d8d5a4a28561f48cb14b3",
                "2b606212b5c98b29c9aede03abb35231",
            ],
        ),
        (
            "it_IT",
            &[
                "02ea288ac82191e37a359e5bf6401a2e",
                "6f4727832c9d879c51a11fffeca062b3",
                "5823ff0fb5580e1380f1c60b0fbe8651",
                "446513d3043dc15c6b6ca476a24d2a00",
                "b7cabb8954f21d98b75fb47f4e57b940",
            ],
        ),
        (
            "nl_NL",
            &[
                "0a6ddbf9699bee3060b6e3516790816b",
                "045923d7d24bb7601a7ff29c7ececd4d",
                "aea5e20f71bc691880dc505d88c90dfa",
                "cbf61711befa7af5d5917ac412549f26",
                "12472ec7acf93ac0be2cd41f14642faa",
            ],
        ),
        (
            "pl_PL",
            &[
                "da784dc57c3e6896ea236571e39af11d",
                "0406c47e8f2bde7f5d3d3c9b52fdbe96",
                "6344c6a2a1f11d04ad6f3b99157ef64d",
                "504de6c49438470d4afb67cbd2ae27e2",
                "369849341f984a27385b8a0ccab4cf8e",
                "f36951cadffa33db81f18013bbad811d",
            ],
        ),
        (
            "pt_BR",
            &[
                "75d9e9728daa5554a8e52b0fdcc2ecb4",
                "ab293742a974832aa2dd8ac1b9273ecb",
                "97707e8c4851092f19d4fcdc263d0a05",
                "739675324a43c0c28d401db658742f04",
                "1848adb4fd0797efbea4d61b1c3e21ec",
            ],
        ),
        (
            "sv_SE",
            &[
                "82dc39248ecd1f95a8f4cbd914b272e8",
                "911681107f07fdfe8ef36a1fd4e8828b",
                "7df1db2f37cc53e10942d9e34f1cdc83",
                "90e6982eceaee89c10080776ec5a6d61",
                "0a57f69656ea26643c8faa4ab8022092",
            ],
        ),
        (
            "ja_JP",
            &[
                "55530281c59bad24486fe823efdf2927",
                "62e85c7322cf1c8a3565114daebbb613",
                "4d21cc81bda1ab5b1cfe17062f9ea3d9",
                "450a0c85fab6a15be5d5d4c685679a46",
                "ad38aaa20454ce06357696ef5dba846e",
            ],
        ),
        (
            "he_IL",
            &[
                "fe751583a6727a9b35dac9e5a57828e7",
                "43604df2feecd0546e7adc25723765f8",
                "c143cc938fb6f85578ab634ff949e976",
                "9be5e260e787b2b5bc92e664455cda1f",
                "1a4fd837d917d802739a57729cb6f0bf",
            ],
        ),
    ];

    fn lists_of(locale: &Locale) -> Vec<List> {
        let named = locale.street.iter().filter_map(|piece| match piece {
            Name(list) => Some(*list),
            _ => None,
        });
        let mut lists: Vec<List> =
            locale.first.into_iter().chain(locale.last).chain([locale.place]).chain(named).collect();
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
        let pinned: Vec<(&str, Vec<String>)> = MANIFEST
            .iter()
            .map(|(name, hashes)| (*name, hashes.iter().map(|hash| (*hash).to_owned()).collect()))
            .collect();
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
                let least =
                    (crate::mask::kind(kind).unwrap().least)(&serde_json::from_value(params.clone()).unwrap())[0];
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
}
