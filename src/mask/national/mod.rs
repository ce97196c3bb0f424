//! National identifiers: `<cc>.<id>/1`, bijections on the valid numbers of each.
//!
//! A number is read as its letters and digits; whatever else stands between them stays where it is. The part people have
//! no choice in (check digits) is left out, the rest becomes one rank, one permutation maps the rank, and the check digits
//! are made anew. Parts are never permuted one by one, because that would keep how often each occurs. A date is permuted
//! together with the serial number inside the same year and sex. A number is read only if writing its rank gives the same
//! number again, so a wrong check digit, a range nobody is given and an impossible date all go to `on_invalid`, and no two
//! valid numbers share a mask.
//!
//! # Frozen
//!
//! `Perm(K_dom, N, tweak)` with K_dom of `<cc>.<id>/1`. `days` is 365 or 366, `day` counts from 0 on 1 January, digits in
//! tweaks are ASCII. `YYYY` and `YY` are decimal, `S` is `m` or `f`. "Walked": the permutation is repeated until the number
//! is valid.
//!
//! | kind | N | rank | tweak |
//! |---|---|---|---|
//! | `be.nn` | days·499 | day·499 + (serial-1) div 2 | `be.nn` YYYY S |
//! | `nl.bsn` | 10^8, walked | first 8 digits | `nl.bsn` |
//! | `fr.nir` | 12·99 090·999 | ((month-1)·99 090 + place)·999 + order-1 | `fr.nir` YY S |
//! | `de.idnr` | 9·10^9, walked | first 10 digits - 10^9 | `de.idnr` |
//! | `es.dni`, `es.nie` | 10^8, 3·10^7 | the number, X Y Z as 0 1 2 | the name |
//! | `it.cf` | letters·days·999 | (letters·days + day)·999 + place-1 | `it.cf` YY S, `c` or `v` per letter, place letter |
//! | `pl.pesel` | days·5000 | day·5000 + serial div 2 | `pl.pesel` YYYY S |
//! | `se.pnr` | days·500 | day·500 + serial div 2 | `se.pnr` YY S |
//! | `br.cpf` | 10^9, walked | first 9 digits | `br.cpf` |
//! | `br.cnpj` | product of 10 and 26, walked | 12 characters, each among its class | `br.cnpj`, `9` or `A` per character |
//! | `in.aadhaar` | 8·10^10, walked | first 11 digits - 2·10^10 | `in.aadhaar` |
//! | `us.ssn` | 888 931 098 | MASKING.md section 7 | `ssn` |
//! | `us.ein` | 10^7 | last 7 digits | `us.ein`, 2 digits kept |
//! | `gb.nhs` | 10^9, walked | first 9 digits | `gb.nhs` |
//! | `gb.nino` | 373·10^6 | prefix·10^6 + digits | `gb.nino`, suffix |
//! | `ca.sin` | 10^7 | digits 2 to 8 | `ca.sin`, first digit |
//! | `au.tfn` | 10^8, walked | first 8 digits | `au.tfn` |
//! | `fi.hetu` | days·449 | day·449 + (serial-2) div 2 | `fi.hetu` YYYY S |
//! | `no.fnr` | days·serials, walked | day·serials + place among the serials of year and sex | `no.fnr` YYYY S |
//! | `dk.cpr` | days·centuries·500, walked | (day·centuries + place of digit 7)·500 + rest div 2 | `dk.cpr` YYYY S |
//! | `ch.ahv` | 10^9 | 9 digits after 756 | `ch.ahv` |
//! | `pt.nif` | 10^(8-kept) | digits up to the check digit | `pt.nif`, the 1 or 2 digits kept |
//! | `cn.ric` | days·500 | day·500 + serial div 2 | `cn.ric`, 6 digits of the area, YYYY S |
//! | `za.id` | days·5000 | day·5000 + serial mod 5000 | `za.id` YY S, citizenship digit, digit 12 |
//!
//! What has two digits of a year counts 29 February in years divisible by four, 00 included; where the century is written
//! and was not leap, the date is walked past. A `dk.cpr` keeps whether the check of before 2007 holds. What stays is a
//! quasi-identifier: year and sex where they are in the tweak, the area of a `cn.ric`, the type of a `pt.nif`, the campus of
//! a `us.ein`.

mod check;
mod date;
mod dated;
mod plain;

#[cfg(test)]
mod tests;

pub(super) use dated::italian_control;

use super::Kind;
use super::canon::is_telling;
use super::column::{ColumnMask, Compile, CompileError};
use super::key::DomainKey;
use super::lanes::Queue;
use super::leaf::{Asks, At, ON_INVALID, TEXT, TextMask};
use super::token::{Perm, PermCache, PermMemo};
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

/// Defines the record of each identifier: name, tweak, whether a place may hold a letter or a digit (then case variants
/// share a mask), how it is read and written, samples, summary.
macro_rules! identifiers {
    ($($name:ident = $id:literal, $tweak:literal, $folds:literal, $read:path, $write:path, $samples:expr, $summary:literal;)*) => {$(
        pub(in crate::mask) static $name: Kind = Kind {
            name: $id,
            summary: $summary,
            // The least: the numbers of one sex and one day or year of birth.
            remains: |_| super::Remains::Rare { bits: 16 },
            params: &[ON_INVALID],
            folds: $folds,
            samples: &$samples,
            compile: |compile| {
                static SCHEME: Scheme =
                    Scheme { kind: concat!($id, "/1"), tweak: $tweak, folds: $folds, read: $read, write: $write };
                boxed(compile, &SCHEME)
            },
            ..TEXT
        };
    )*

        /// Every identifier.
        static SCHEMES: &[(&Kind, Scheme)] = &[$(
            (&$name, Scheme { kind: concat!($id, "/1"), tweak: $tweak, folds: $folds, read: $read, write: $write }),
        )*];
    };
}

identifiers! {
    BE_NN = "be.nn", "be.nn", false, dated::read_be_nn, dated::write_be_nn, ["85.07.30-033.28", "17073003384"],
        "Permutes Belgian national numbers inside year of birth and sex; separators stay, the check holds";
    NL_BSN = "nl.bsn", "nl.bsn", false, plain::read_nl_bsn, plain::write_nl_bsn, ["111222333", "1112.22.333"],
        "Permutes Dutch citizen service numbers (BSN); separators stay, the check holds";
    FR_NIR = "fr.nir", "fr.nir", true, dated::read_fr_nir, dated::write_fr_nir, ["2 95 10 99 126 111 93"],
        "Permutes French social security numbers (NIR) inside year of birth and sex; separators stay, the key holds";
    DE_IDNR = "de.idnr", "de.idnr", false, plain::read_de_idnr, plain::write_de_idnr, ["36 574 261 809"],
        "Permutes German tax identification numbers (IdNr); separators stay, the check holds";
    ES_DNI = "es.dni", "es.dni", false, plain::read_es_dni, plain::write_es_dni, ["54362315K", "54362315-K"],
        "Permutes Spanish identity numbers (DNI); separators stay, the letter fits";
    ES_NIE = "es.nie", "es.nie", false, plain::read_es_nie, plain::write_es_nie, ["X-2482300W"],
        "Permutes Spanish identity numbers of foreigners (NIE); separators stay, the letter fits";
    IT_CF = "it.cf", "it.cf", false, dated::read_it_cf, dated::write_it_cf, ["RCCMNL83S18D969H"],
        "Permutes Italian tax codes inside year of birth, sex and kind of place; the control letter fits";
    PL_PESEL = "pl.pesel", "pl.pesel", false, dated::read_pl_pesel, dated::write_pl_pesel, ["44051401359"],
        "Permutes Polish PESEL numbers inside year of birth and sex; the check holds";
    SE_PNR = "se.pnr", "se.pnr", false, dated::read_se_pnr, dated::write_se_pnr, ["880320-0016", "198803200016"],
        "Permutes Swedish personal identity numbers inside year of birth and sex; century and sign stay";
    BR_CPF = "br.cpf", "br.cpf", false, plain::read_br_cpf, plain::write_br_cpf, ["390.533.447-05"],
        "Permutes Brazilian taxpayer numbers of persons (CPF); separators stay, the check holds";
    BR_CNPJ = "br.cnpj", "br.cnpj", false, plain::read_br_cnpj, plain::write_br_cnpj,
        ["16.727.230/0001-97", "12.ABC.345/01DE-35"],
        "Permutes Brazilian numbers of companies (CNPJ), also those with letters; separators stay, the check holds";
    IN_AADHAAR = "in.aadhaar", "in.aadhaar", false, plain::read_in_aadhaar, plain::write_in_aadhaar, ["2341 2341 2346"],
        "Permutes Indian Aadhaar numbers; separators stay, the check holds";
    US_SSN = "us.ssn", "ssn", false, plain::read_us_ssn, plain::write_us_ssn, ["078-05-1120", "219099999"],
        "Permutes US social security numbers inside the ranges that can be issued; separators stay";
    US_EIN = "us.ein", "us.ein", false, plain::read_us_ein, plain::write_us_ein, ["91-1144442"],
        "Permutes US employer identification numbers; the prefix and separators stay";
    GB_NHS = "gb.nhs", "gb.nhs", false, plain::read_gb_nhs, plain::write_gb_nhs, ["943-476-5870"],
        "Permutes NHS numbers; separators stay, the check holds";
    GB_NINO = "gb.nino", "gb.nino", false, plain::read_gb_nino, plain::write_gb_nino, ["AB 12 34 56 C"],
        "Permutes UK national insurance numbers among the prefixes in use; separators and suffix stay";
    CA_SIN = "ca.sin", "ca.sin", false, plain::read_ca_sin, plain::write_ca_sin, ["123-456-782"],
        "Permutes Canadian social insurance numbers; first digit and separators stay, the check holds";
    AU_TFN = "au.tfn", "au.tfn", false, plain::read_au_tfn, plain::write_au_tfn, ["123 456 782"],
        "Permutes Australian tax file numbers of nine digits; separators stay, the check holds";
    FI_HETU = "fi.hetu", "fi.hetu", true, dated::read_fi_hetu, dated::write_fi_hetu, ["131052-308T"],
        "Permutes Finnish personal identity codes inside year of birth and sex; the sign stays, the check fits";
    NO_FNR = "no.fnr", "no.fnr", false, dated::read_no_fnr, dated::write_no_fnr, ["151086 95088"],
        "Permutes Norwegian birth numbers inside year of birth and sex; separators stay, both checks hold";
    DK_CPR = "dk.cpr", "dk.cpr", false, dated::read_dk_cpr, dated::write_dk_cpr, ["211062-5629"],
        "Permutes Danish CPR numbers inside year of birth and sex; whether the old check holds stays";
    CH_AHV = "ch.ahv", "ch.ahv", false, plain::read_ch_ahv, plain::write_ch_ahv, ["756.9217.0769.85"],
        "Permutes Swiss social insurance numbers (AHV, AVS); separators stay, the check holds";
    PT_NIF = "pt.nif", "pt.nif", false, plain::read_pt_nif, plain::write_pt_nif, ["501 964 843"],
        "Permutes Portuguese tax numbers (NIF); the digits that tell the type of taxpayer and separators stay";
    CN_RIC = "cn.ric", "cn.ric", true, dated::read_cn_ric, dated::write_cn_ric, ["360426199101010071"],
        "Permutes Chinese resident identity numbers inside area, year of birth and sex; the check fits";
    ZA_ID = "za.id", "za.id", false, dated::read_za_id, dated::write_za_id, ["750330 5044 08 9"],
        "Permutes South African identity numbers inside year of birth and sex; citizenship stays, the check holds";
}

/// Most letters and digits a number here has (`cn.ric`).
const SYMBOLS_MAX: usize = 18;

/// The letters and digits of a text, in upper case; whatever else stands in it separates them.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Number {
    symbols: [u8; SYMBOLS_MAX],
    len: usize,
    /// A `+` or a `-` stands between the symbols: a sign of the century in some countries.
    plus: bool,
    minus: bool,
}

impl Number {
    /// None if there are too many letters and digits, or any that are not ASCII.
    fn read(text: &str) -> Option<Self> {
        let mut number = Self { symbols: [0; SYMBOLS_MAX], len: 0, plus: false, minus: false };
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                *number.symbols.get_mut(number.len)? = c.to_ascii_uppercase() as u8;
                number.len += 1;
            } else if is_telling(c) {
                return None;
            }
            number.plus |= c == '+';
            number.minus |= c == '-';
        }
        Some(number)
    }

    fn all(&self) -> &[u8] {
        &self.symbols[..self.len]
    }

    /// Tells whether the number has a form: `#` is a digit, `@` a letter, `?` either.
    fn has_form(&self, form: &str) -> bool {
        let fits = |(symbol, form): (&u8, u8)| match form {
            b'#' => symbol.is_ascii_digit(),
            b'@' => symbol.is_ascii_uppercase(),
            _ => true,
        };
        form.len() == self.len && self.all().iter().zip(form.bytes()).all(fits)
    }

    /// The number that the digits at `places` write.
    fn value(&self, places: Range<usize>) -> u64 {
        self.symbols[places].iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))
    }

    /// Writes a number at `places`, with leading zeros.
    fn put(&mut self, places: Range<usize>, mut value: u64) {
        for digit in self.symbols[places].iter_mut().rev() {
            *digit = b'0' + (value % 10) as u8;
            value /= 10;
        }
    }

    /// Appends `text` with these symbols in the places of its letters and digits, each letter in the case it finds there.
    fn push(&self, text: &str, upper: bool, out: &mut String) {
        let mut symbols = self.all().iter();
        for c in text.chars() {
            let symbol = if c.is_ascii_alphanumeric() { symbols.next() } else { None };
            out.push(match symbol {
                Some(symbol) if c.is_ascii_lowercase() && !upper => char::from(symbol.to_ascii_lowercase()),
                Some(symbol) => char::from(*symbol),
                None => c,
            });
        }
    }
}

/// A valid number as a rank among those it may become, and what stays of it.
#[derive(Clone, Copy, Default)]
struct Parts {
    rank: u64,
    /// How many ranks there are.
    size: u64,
    /// Year of birth, as far as the number tells it.
    year: u32,
    male: bool,
    /// Of a `dk.cpr`: the check of before 2007 holds.
    checked: bool,
}

/// How the numbers of one identifier are taken apart and put together.
struct Scheme {
    /// `nl.bsn/1`.
    kind: &'static str,
    /// What the tweak begins with.
    tweak: &'static str,
    folds: bool,
    /// Takes a number apart and appends to the tweak what stays. The check digits need not be looked at.
    read: fn(&Number, &mut Vec<u8>) -> Option<Parts>,
    /// Writes a rank into the number; false if there is no valid number of that rank.
    write: fn(&Parts, u64, &mut Number) -> bool,
}

impl Scheme {
    /// Takes a valid number apart, with the tweak of its permutation.
    fn parts(&self, number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
        tweak.clear();
        tweak.extend_from_slice(self.tweak.as_bytes());
        let parts = (self.read)(number, tweak)?;
        let mut again = *number;
        ((self.write)(&parts, parts.rank, &mut again) && again == *number).then_some(parts)
    }
}

/// How many letters and digits the valid numbers of a kind have, and how many of them are letters at most; none for other
/// kinds.
pub(super) fn size(kind: &str) -> Option<(RangeInclusive<usize>, usize)> {
    let (symbols, letters) = match kind {
        "nl.bsn" | "us.ssn" | "us.ein" | "ca.sin" | "au.tfn" | "pt.nif" => (9..=9, 0),
        "es.dni" => (9..=9, 1),
        "es.nie" => (9..=9, 2),
        "gb.nino" => (9..=9, 3),
        "gb.nhs" | "dk.cpr" => (10..=10, 0),
        "se.pnr" => (10..=12, 0),
        "fi.hetu" => (10..=11, 2),
        "be.nn" | "de.idnr" | "pl.pesel" | "br.cpf" | "no.fnr" => (11..=11, 0),
        "in.aadhaar" => (12..=12, 0),
        "ch.ahv" | "za.id" => (13..=13, 0),
        "br.cnpj" => (14..=14, 12),
        "fr.nir" => (15..=15, 2),
        "it.cf" => (16..=16, 16),
        "cn.ric" => (18..=18, 1),
        _ => return None,
    };
    Some((symbols, letters))
}

/// Tells whether a text is a valid number of a kind.
pub(super) fn is_valid(kind: &str, text: &str) -> bool {
    let scheme = SCHEMES.iter().find(|scheme| scheme.0.name == kind);
    let number = Number::read(text);
    scheme.zip(number).is_some_and(|((_, scheme), number)| scheme.parts(&number, &mut Vec::new()).is_some())
}

/// Identifiers that tell the day somebody was born.
const BIRTHS: [&str; 9] = ["be.nn", "cn.ric", "dk.cpr", "fi.hetu", "it.cf", "no.fnr", "pl.pesel", "se.pnr", "za.id"];

/// Tells whether the numbers of a kind tell a day of birth.
pub(super) fn tells_birth(kind: &str) -> bool {
    BIRTHS.contains(&kind)
}

/// Year, month and day of birth that a valid number of a kind tells; none of others. A year of two digits is the one
/// nearest to `near`.
pub(super) fn born(kind: &str, text: &str, near: i64) -> Option<(i64, i64, i64)> {
    let (_, scheme) = SCHEMES.iter().find(|scheme| scheme.0.name == kind && tells_birth(kind))?;
    let number = Number::read(text)?;
    let parts = scheme.parts(&number, &mut Vec::new())?;
    let (month, day) = date::month_and_day(parts.year, dated::day(kind, &parts));
    let year = dated::full_year(kind, &number, &parts).map(i64::from).unwrap_or_else(|| {
        let ahead = (i64::from(parts.year) - near).rem_euclid(100);
        near + if ahead > 50 { ahead - 100 } else { ahead }
    });
    Some((year, month as i64, day as i64))
}

struct National {
    key: DomainKey,
    cache: Arc<PermCache>,
    scheme: &'static Scheme,
}

fn boxed(compile: &Compile<'_>, scheme: &'static Scheme) -> Result<Box<dyn ColumnMask>, CompileError> {
    let label = &compile.spec.label;
    let key = compile.realm.domain(scheme.kind, label);
    let cache = compile.realm.shared(scheme.kind, label, PermCache::default);
    TextMask::boxed(compile, National { key, cache, scheme })
}

/// A number taken apart, with its permutation: a rank that gives no valid number is permuted again.
struct Note {
    number: Number,
    parts: Parts,
    perm: Arc<Perm>,
}

impl Asks for National {
    type Scratch = PermMemo;
    type Note = Note;

    fn ask(&self, value: &str, _at: At<'_>, memo: &mut PermMemo, queue: &mut Queue) -> Option<Note> {
        let number = Number::read(value)?;
        let parts = self.scheme.parts(&number, &mut memo.tweak)?;
        let perm = Arc::clone(memo.perm(&self.cache, &self.key, parts.size.into()));
        queue.permute(&perm, parts.rank.into());
        Some(Note { number, parts, perm })
    }

    fn answer(&self, value: &str, note: Note, _at: At<'_>, _memo: &mut PermMemo, queue: &mut Queue, out: &mut String) {
        let Note { mut number, parts, perm } = note;
        let mut rank = queue.next_permuted();
        while !(self.scheme.write)(&parts, rank as u64, &mut number) {
            rank = perm.apply(rank);
        }
        number.push(value, self.scheme.folds, out);
    }

    fn reads(&self, value: &str, memo: &mut PermMemo) -> bool {
        Number::read(value).is_some_and(|number| self.scheme.parts(&number, &mut memo.tweak).is_some())
    }
}
