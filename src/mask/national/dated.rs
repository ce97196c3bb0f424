//! Identifiers that tell when somebody was born.

use super::check::{luhn, mod10, mod11, weighted};
use super::date::{day_of_year, days_of, is_leap, month_and_day};
use super::{Number, Parts};
use std::ops::RangeInclusive;

/// A number by day of the year and place among `per_day`, inside the same year and sex.
fn dated(year: u32, male: bool, day: u64, place: u64, per_day: u64) -> Option<Parts> {
    Some(Parts { rank: day * per_day + place, size: days_of(year) * per_day, year, male, checked: false })
}

/// Appends a year with all its digits, and the sex.
fn push_year(tweak: &mut Vec<u8>, year: u32, male: bool) {
    tweak.extend_from_slice(year.to_string().as_bytes());
    push_sex(tweak, male);
}

/// Appends the two digits of a year as they are written, and the sex.
fn push_short_year(tweak: &mut Vec<u8>, year: u32, male: bool) {
    tweak.extend([b'0' + (year / 10 % 10) as u8, b'0' + (year % 10) as u8]);
    push_sex(tweak, male);
}

fn push_sex(tweak: &mut Vec<u8>, male: bool) {
    tweak.push(if male { b'm' } else { b'f' });
}

/// Writes month and day of a day of the year at two places.
fn put_date(parts: &Parts, day: u64, month_at: usize, day_at: usize, number: &mut Number) {
    let (month, day) = month_and_day(parts.year, day);
    number.put(month_at..month_at + 2, month);
    number.put(day_at..day_at + 2, day);
}

/// The day of the year, from 0, that a number tells.
pub(super) fn day(kind: &str, parts: &Parts) -> u64 {
    match kind {
        "it.cf" => parts.rank / ITALIAN_PLACES % days_of(parts.year),
        _ => parts.rank / (parts.size / days_of(parts.year)),
    }
}

/// The year with its century, where a number tells it.
pub(super) fn full_year(kind: &str, number: &Number, parts: &Parts) -> Option<u32> {
    match kind {
        "it.cf" | "za.id" => None,
        "se.pnr" => (swedish_start(number) > 0).then(|| number.value(0..4) as u32),
        _ => Some(parts.year),
    }
}

/// Serials 001–998 of one sex.
const BE_SERIALS: u64 = 499;

/// The check of those born since 2000 is made with a 2 before the number, which tells the century.
fn belgian_check(number: &Number, year: u32) -> u64 {
    97 - (number.value(0..9) + if year < 2000 { 0 } else { 2_000_000_000 }) % 97
}

pub(super) fn read_be_nn(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("###########") {
        return None;
    }
    let (short, serial) = (number.value(0..2) as u32, number.value(6..9));
    let fits = |year: &u32| belgian_check(number, *year) == number.value(9..11);
    let year = [1900 + short, 2000 + short].into_iter().find(fits)?;
    let (male, place) = (serial % 2 == 1, serial.checked_sub(1)? / 2);
    let day = day_of_year(year, number.value(2..4), number.value(4..6))?;
    push_year(tweak, year, male);
    (place < BE_SERIALS).then(|| dated(year, male, day, place, BE_SERIALS))?
}

pub(super) fn write_be_nn(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    put_date(parts, rank / BE_SERIALS, 2, 4, number);
    number.put(6..9, rank % BE_SERIALS * 2 + if parts.male { 1 } else { 2 });
    number.put(9..11, belgian_check(number, parts.year));
    true
}

/// Departments in the order of their ranks: 01–19, 20, 2A, 2B, 21–96.
const DEPARTMENTS: u64 = 98;
const COMMUNES: u64 = 990;
/// Overseas, three digits name the department and two the commune.
const OVERSEAS: [u64; 12] = [971, 972, 973, 974, 975, 976, 977, 978, 984, 986, 987, 988];
const OVERSEAS_COMMUNES: u64 = 90;
/// Department 99 and a country follow all others.
const ABROAD: u64 = DEPARTMENTS * COMMUNES + OVERSEAS.len() as u64 * OVERSEAS_COMMUNES;
const PLACES: u64 = ABROAD + COMMUNES;
const ORDERS: u64 = 999;

/// The rank of the five symbols of department and commune.
fn french_place(number: &Number) -> Option<u64> {
    let commune = |least: usize, communes: u64| {
        let commune = number.value(least..10);
        (1..=communes).contains(&commune).then(|| commune - 1)
    };
    let department = match &number.symbols[5..7] {
        b"2A" => 20,
        b"2B" => 21,
        digits if digits.iter().all(u8::is_ascii_digit) => match number.value(5..7) {
            department @ 1..=20 => department - 1,
            department @ 21..=96 => department + 1,
            97 | 98 => {
                let department = OVERSEAS.iter().position(|known| *known == number.value(5..8))? as u64;
                let commune = commune(8, OVERSEAS_COMMUNES)?;
                return Some(DEPARTMENTS * COMMUNES + department * OVERSEAS_COMMUNES + commune);
            }
            99 => return Some(ABROAD + commune(7, COMMUNES)?),
            _ => return None,
        },
        _ => return None,
    };
    Some(department * COMMUNES + commune(7, COMMUNES)?)
}

fn put_french_place(place: u64, number: &mut Number) {
    if place >= ABROAD {
        number.put(5..7, 99);
        return number.put(7..10, place - ABROAD + 1);
    }
    if let Some(place) = place.checked_sub(DEPARTMENTS * COMMUNES) {
        number.put(5..8, OVERSEAS[(place / OVERSEAS_COMMUNES) as usize]);
        return number.put(8..10, place % OVERSEAS_COMMUNES + 1);
    }
    match place / COMMUNES {
        department @ 0..20 => number.put(5..7, department + 1),
        20 => number.symbols[5..7].copy_from_slice(b"2A"),
        21 => number.symbols[5..7].copy_from_slice(b"2B"),
        department => number.put(5..7, department - 1),
    }
    number.put(7..10, place % COMMUNES + 1);
}

/// Only numbers with a month: those of persons whose birth is not known in full are left to `on_invalid`.
pub(super) fn read_fr_nir(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("#####??########") {
        return None;
    }
    let male = match number.symbols[0] {
        b'1' => true,
        b'2' => false,
        _ => return None,
    };
    let (month, order) = (number.value(3..5), number.value(10..13));
    let place = french_place(number)?;
    push_short_year(tweak, number.value(1..3) as u32, male);
    let valid = (1..=12).contains(&month) && order != 0;
    let rank = || ((month - 1) * PLACES + place) * ORDERS + order - 1;
    valid.then(|| Parts { rank: rank(), size: 12 * PLACES * ORDERS, male, ..Parts::default() })
}

pub(super) fn write_fr_nir(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(3..5, rank / ORDERS / PLACES + 1);
    put_french_place(rank / ORDERS % PLACES, number);
    number.put(10..13, rank % ORDERS + 1);
    // For the key, Corsica counts as the departments 19 and 18.
    let mut digits = *number;
    match &number.symbols[5..7] {
        b"2A" => digits.put(5..7, 19),
        b"2B" => digits.put(5..7, 18),
        _ => {}
    }
    number.put(13..15, 97 - digits.value(0..13) % 97);
    true
}

/// Letters that stand for the digits 0 to 9 where two persons would have the same code (omocodia).
const OMOCODIA: &[u8; 10] = b"LMNPQRSTUV";
const ITALIAN_MONTHS: &[u8; 12] = b"ABCDEHLMPRST";
const VOWELS: &[u8; 5] = b"AEIOU";
const CONSONANTS: &[u8; 21] = b"BCDFGHJKLMNPQRSTVWXYZ";
/// Places 001–999 of one letter.
const ITALIAN_PLACES: u64 = 999;
/// A woman's day of birth is written with 40 added.
const FEMALE_DAY: u64 = 40;

fn italian_letters(letter: u8) -> &'static [u8] {
    if VOWELS.contains(&letter) { VOWELS } else { CONSONANTS }
}

/// The number at `places`, whether written in digits or in the letters for them.
fn italian_value(number: &Number, places: std::ops::Range<usize>) -> Option<u64> {
    number.symbols[places].iter().try_fold(0, |value, symbol| {
        let digit = match symbol {
            b'0'..=b'9' => usize::from(symbol - b'0'),
            letter => OMOCODIA.iter().position(|known| known == letter)?,
        };
        Some(value * 10 + digit as u64)
    })
}

/// Writes a number at `places`, each digit in the way it was written there.
fn put_italian(number: &mut Number, places: std::ops::Range<usize>, mut value: u64) {
    for symbol in number.symbols[places].iter_mut().rev() {
        let digit = (value % 10) as u8;
        *symbol = if symbol.is_ascii_digit() { b'0' + digit } else { OMOCODIA[usize::from(digit)] };
        value /= 10;
    }
}

/// The control letter of a tax code and of an Italian account: symbols in odd places count by a table, those in even places by their order.
pub(in crate::mask) fn italian_control(symbols: &[u8]) -> u8 {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let order = |symbol: u8| if symbol.is_ascii_digit() { symbol - b'0' } else { symbol - b'A' };
    let sum: u32 = symbols
        .iter()
        .enumerate()
        .map(|(at, symbol)| if at % 2 == 0 { ODD[usize::from(order(*symbol))] } else { order(*symbol).into() })
        .sum();
    b'A' + (sum % 26) as u8
}

pub(super) fn read_it_cf(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("@@@@@@??@??@???@") {
        return None;
    }
    let short = italian_value(number, 6..8)? as u32;
    let month = ITALIAN_MONTHS.iter().position(|letter| *letter == number.symbols[8])? as u64 + 1;
    let day = italian_value(number, 9..11)?;
    let place = italian_value(number, 12..15)?.checked_sub(1)?;
    let male = day <= FEMALE_DAY;
    let year = 2000 + short;
    let day = day_of_year(year, month, if male { day } else { day - FEMALE_DAY })?;
    push_short_year(tweak, short, male);
    let (mut letters, mut combinations) = (0, 1);
    for letter in &number.symbols[..6] {
        let class = italian_letters(*letter);
        tweak.push(if class.len() == VOWELS.len() { b'v' } else { b'c' });
        letters = letters * class.len() as u64 + class.iter().position(|known| known == letter)? as u64;
        combinations *= class.len() as u64;
    }
    tweak.push(number.symbols[11]);
    let rank = (letters * days_of(year) + day) * ITALIAN_PLACES + place;
    Some(Parts { rank, size: combinations * days_of(year) * ITALIAN_PLACES, year, male, checked: false })
}

pub(super) fn write_it_cf(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    put_italian(number, 12..15, rank % ITALIAN_PLACES + 1);
    let rank = rank / ITALIAN_PLACES;
    let (month, day) = month_and_day(parts.year, rank % days_of(parts.year));
    number.symbols[8] = ITALIAN_MONTHS[month as usize - 1];
    put_italian(number, 9..11, if parts.male { day } else { day + FEMALE_DAY });
    let mut letters = rank / days_of(parts.year);
    for letter in number.symbols[..6].iter_mut().rev() {
        let class = italian_letters(*letter);
        *letter = class[letters as usize % class.len()];
        letters /= class.len() as u64;
    }
    number.symbols[15] = italian_control(&number.symbols[..15]);
    true
}

/// Centuries by what is added to the month: nothing, 20, 40, 60, 80.
const PESEL_CENTURIES: [u32; 5] = [1900, 2000, 2100, 2200, 1800];

pub(super) fn read_pl_pesel(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("###########") {
        return None;
    }
    let (month, serial) = (number.value(2..4), number.value(6..10));
    let (year, male) = (PESEL_CENTURIES[month as usize / 20] + number.value(0..2) as u32, serial % 2 == 1);
    let day = day_of_year(year, month % 20, number.value(4..6))?;
    push_year(tweak, year, male);
    dated(year, male, day, serial / 2, 5000)
}

pub(super) fn write_pl_pesel(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    let century = number.value(2..4) / 20 * 20;
    put_date(parts, rank / 5000, 2, 4, number);
    number.put(2..4, number.value(2..4) + century);
    number.put(6..10, rank % 5000 * 2 + u64::from(parts.male));
    let sum = weighted(&number.symbols[..10], &[1, 3, 7, 9, 1, 3, 7, 9, 1, 3]);
    number.put(10..11, mod10(sum));
    true
}

/// Where the ten digits begin: a century may stand before them.
fn swedish_start(number: &Number) -> usize {
    number.len - 10
}

/// The century is known to be one whose year 00 was not leap: written as such, or a `+` says over a hundred years.
fn swedish_1900(number: &Number) -> bool {
    match swedish_start(number) {
        0 => number.plus && number.value(0..2) == 0,
        _ => !is_leap(number.value(0..4) as u32),
    }
}

pub(super) fn read_se_pnr(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    let century = number.has_form("############").then(|| number.value(0..2));
    if !(number.has_form("##########") || matches!(century, Some(18..=20))) {
        return None;
    }
    let at = swedish_start(number);
    let (short, serial) = (number.value(at..at + 2) as u32, number.value(at + 6..at + 9));
    let male = serial % 2 == 1;
    let day = day_of_year(2000 + short, number.value(at + 2..at + 4), number.value(at + 4..at + 6))?;
    push_short_year(tweak, short, male);
    dated(2000 + short, male, day, serial / 2, 500)
}

pub(super) fn write_se_pnr(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    let at = swedish_start(number);
    put_date(parts, rank / 500, at + 2, at + 4, number);
    number.put(at + 6..at + 9, rank % 500 * 2 + u64::from(parts.male));
    let check = luhn(&number.symbols[at..at + 9]);
    number.put(at + 9..at + 10, check);
    !(number.value(at + 2..at + 6) == 229 && swedish_1900(number))
}

/// Serials 002–899 of one sex; those from 900 are for a stay.
const HETU_SERIALS: u64 = 449;

/// A sign of the century stands before the serial: a `-` or `+` between the symbols, or a letter among them.
fn finnish_century(number: &Number) -> Option<(u32, usize)> {
    if number.has_form("#########?") {
        return match (number.minus, number.plus) {
            (true, false) => Some((1900, 6)),
            (false, true) => Some((1800, 6)),
            _ => None,
        };
    }
    match number.symbols[6] {
        b'U'..=b'Y' if number.has_form("######@###?") => Some((1900, 7)),
        b'A'..=b'F' if number.has_form("######@###?") => Some((2000, 7)),
        _ => None,
    }
}

pub(super) fn read_fi_hetu(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    let (century, at) = finnish_century(number)?;
    let (year, serial) = (century + number.value(4..6) as u32, number.value(at..at + 3));
    let (male, place) = (serial % 2 == 1, serial.checked_sub(2)? / 2);
    let day = day_of_year(year, number.value(2..4), number.value(0..2))?;
    push_year(tweak, year, male);
    (place < HETU_SERIALS).then(|| dated(year, male, day, place, HETU_SERIALS))?
}

pub(super) fn write_fi_hetu(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    let at = number.len - 4;
    put_date(parts, rank / HETU_SERIALS, 2, 0, number);
    number.put(at..at + 3, rank % HETU_SERIALS * 2 + 2 + u64::from(parts.male));
    let whole = number.value(0..6) * 1000 + number.value(at..at + 3);
    number.symbols[at + 3] = b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(whole % 31) as usize];
    true
}

/// Serials that a year of birth can have.
fn norwegian_serials(year: u32) -> &'static [RangeInclusive<u64>] {
    match year {
        1854..=1899 => &[500..=749],
        1900..=1939 => &[0..=499],
        1940..=1999 => &[0..=499, 900..=999],
        2000..=2039 => &[500..=999],
        _ => &[],
    }
}

fn norwegian_year(short: u32, serial: u64) -> Option<u32> {
    let year = |century: &u32| norwegian_serials(century + short).iter().any(|serials| serials.contains(&serial));
    [1800, 1900, 2000].into_iter().find(year).map(|century| century + short)
}

/// How many serials of one sex come before `serial` in a year, and how many there are.
fn norwegian_place(year: u32, serial: u64) -> (u64, u64) {
    let ranges = norwegian_serials(year).iter();
    ranges.fold((0, 0), |(place, count), serials| {
        let (first, length) = (*serials.start(), (serials.end() - serials.start()).div_ceil(2));
        (if serials.contains(&serial) { count + (serial - first) / 2 } else { place }, count + length)
    })
}

pub(super) fn read_no_fnr(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("###########") {
        return None;
    }
    let serial = number.value(6..9);
    let (year, male) = (norwegian_year(number.value(4..6) as u32, serial)?, serial % 2 == 1);
    let day = day_of_year(year, number.value(2..4), number.value(0..2))?;
    let (place, serials) = norwegian_place(year, serial);
    push_year(tweak, year, male);
    dated(year, male, day, place, serials)
}

pub(super) fn write_no_fnr(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    let (_, serials) = norwegian_place(parts.year, 0);
    put_date(parts, rank / serials, 2, 0, number);
    let mut place = rank % serials;
    for range in norwegian_serials(parts.year) {
        let length = (range.end() - range.start()).div_ceil(2);
        if place < length {
            number.put(6..9, range.start() + place * 2 + u64::from(parts.male));
            break;
        }
        place -= length;
    }
    let Some(first) = mod11(weighted(&number.symbols[..9], &[3, 7, 6, 1, 8, 9, 4, 5, 2])) else { return false };
    number.put(9..10, first);
    let second = mod11(weighted(&number.symbols[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]));
    second.inspect(|second| number.put(10..11, *second)).is_some()
}

/// The digit after the date and the two of the year tell the century.
fn danish_year(short: u32, digit: u8) -> u32 {
    short
        + match digit {
            b'0'..=b'3' => 1900,
            b'4' | b'9' if short >= 37 => 1900,
            b'5'..=b'8' if short >= 58 => 1800,
            _ => 2000,
        }
}

/// The digits after the date that a year can have, in order.
fn danish_digits(year: u32) -> impl Iterator<Item = u8> {
    (b'0'..=b'9').filter(move |digit| danish_year(year % 100, *digit) == year)
}

/// Since 2007 numbers are given out whose check does not hold.
fn danish_check(number: &Number) -> bool {
    weighted(number.all(), &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

pub(super) fn read_dk_cpr(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("##########") {
        return None;
    }
    let year = danish_year(number.value(4..6) as u32, number.symbols[6]);
    let day = day_of_year(year, number.value(2..4), number.value(0..2))?;
    let rest = number.value(7..10);
    let place = danish_digits(year).position(|digit| digit == number.symbols[6])? as u64;
    push_year(tweak, year, rest % 2 == 1);
    let parts = dated(year, rest % 2 == 1, day, place * 500 + rest / 2, danish_digits(year).count() as u64 * 500)?;
    Some(Parts { checked: danish_check(number), ..parts })
}

pub(super) fn write_dk_cpr(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    let per_day = danish_digits(parts.year).count() as u64 * 500;
    put_date(parts, rank / per_day, 2, 0, number);
    let place = rank % per_day;
    let digit = danish_digits(parts.year).nth(place as usize / 500);
    number.symbols[6] = digit.expect("a place is below the number of digits");
    number.put(7..10, place % 500 * 2 + u64::from(parts.male));
    danish_check(number) == parts.checked
}

/// Provinces, autonomous regions and cities by the first two digits of an area (GB/T 2260).
fn is_province(code: u64) -> bool {
    matches!(code, 11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83)
}

/// ISO/IEC 7064 mod 11-2.
fn chinese_check(digits: &[u8]) -> u8 {
    let product = digits.iter().fold(0, |product, digit| (product + u32::from(digit - b'0')) * 2 % 11);
    b"10X98765432"[product as usize]
}

pub(super) fn read_cn_ric(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("#################?") || !is_province(number.value(0..2)) {
        return None;
    }
    let (year, serial) = (number.value(6..10) as u32, number.value(14..17));
    let day = day_of_year(year, number.value(10..12), number.value(12..14))?;
    tweak.extend_from_slice(&number.symbols[..6]);
    push_year(tweak, year, serial % 2 == 1);
    (1800..2200).contains(&year).then(|| dated(year, serial % 2 == 1, day, serial / 2, 500))?
}

pub(super) fn write_cn_ric(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    put_date(parts, rank / 500, 10, 12, number);
    number.put(14..17, rank % 500 * 2 + u64::from(parts.male));
    number.symbols[17] = chinese_check(&number.symbols[..17]);
    true
}

/// The digit before the check told the race until 1986; only what is given out since then is read, so that none is kept.
pub(super) fn read_za_id(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    let given_out = number.has_form("#############")
        && matches!(number.symbols[10], b'0'..=b'2')
        && matches!(number.symbols[11], b'8' | b'9');
    if !given_out {
        return None;
    }
    let (short, serial) = (number.value(0..2) as u32, number.value(6..10));
    let male = serial >= 5000;
    let day = day_of_year(2000 + short, number.value(2..4), number.value(4..6))?;
    push_short_year(tweak, short, male);
    tweak.extend_from_slice(&number.symbols[10..12]);
    dated(2000 + short, male, day, serial % 5000, 5000)
}

pub(super) fn write_za_id(parts: &Parts, rank: u64, number: &mut Number) -> bool {
    put_date(parts, rank / 5000, 2, 4, number);
    number.put(6..10, rank % 5000 + if parts.male { 5000 } else { 0 });
    let check = luhn(&number.symbols[..12]);
    number.put(12..13, check);
    true
}
