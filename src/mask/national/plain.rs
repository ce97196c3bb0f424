//! Identifiers without a date: digits, sometimes letters, and a check.

use super::check::{luhn, mod10, mod11, mod11_10, verhoeff, weighted};
use super::{Number, Parts};

fn parts(rank: u64, size: u64) -> Option<Parts> {
    Some(Parts { rank, size, ..Parts::default() })
}

/// All symbols are the same: some authorities never give such a number out, though its check holds.
fn is_monotone(symbols: &[u8]) -> bool {
    symbols.iter().all(|symbol| *symbol == symbols[0])
}

const WEIGHTS_9_TO_2: [u32; 8] = [9, 8, 7, 6, 5, 4, 3, 2];

pub(super) fn read_nl_bsn(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    number.has_form("#########").then(|| parts(number.value(0..8), 100_000_000))?
}

pub(super) fn write_nl_bsn(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(0..8, rank);
    let check = weighted(&number.symbols[..8], &WEIGHTS_9_TO_2) % 11;
    number.put(8..9, check.into());
    check < 10 && rank != 0
}

const IDNR_LEAST: u64 = 1_000_000_000;

pub(super) fn read_de_idnr(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    let known = number.has_form("###########").then(|| number.value(0..10))?;
    parts(known.checked_sub(IDNR_LEAST)?, 9 * IDNR_LEAST)
}

pub(super) fn write_de_idnr(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(0..10, rank + IDNR_LEAST);
    let mut counts = [0u8; 10];
    number.symbols[..10].iter().for_each(|digit| counts[usize::from(digit - b'0')] += 1);
    let check = mod11_10(&number.symbols[..10]);
    number.put(10..11, check);
    // One digit occurs two or three times and no other more than once.
    let mut repeated = counts.iter().filter(|count| **count > 1);
    matches!((repeated.next(), repeated.next()), (Some(2 | 3), None))
}

/// The letter of a Spanish identity number.
fn spanish_letter(number: u64) -> u8 {
    b"TRWAGMYFPDXBNJZSQVHLCKE"[(number % 23) as usize]
}

pub(super) fn read_es_dni(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    number.has_form("########@").then(|| parts(number.value(0..8), 100_000_000))?
}

pub(super) fn write_es_dni(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(0..8, rank);
    number.symbols[8] = spanish_letter(rank);
    true
}

const NIE_SERIES: u64 = 10_000_000;

pub(super) fn read_es_nie(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    let series = b"XYZ".iter().position(|letter| *letter == number.symbols[0])? as u64;
    number.has_form("@#######@").then(|| parts(series * NIE_SERIES + number.value(1..8), 3 * NIE_SERIES))?
}

pub(super) fn write_es_nie(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.symbols[0] = b"XYZ"[(rank / NIE_SERIES) as usize];
    number.put(1..8, rank % NIE_SERIES);
    number.symbols[8] = spanish_letter(rank);
    true
}

/// `11 - sum mod 11`, where 10 and 11 are 0.
fn brazilian(sum: u32) -> u64 {
    match sum % 11 {
        0 | 1 => 0,
        rest => (11 - rest).into(),
    }
}

pub(super) fn read_br_cpf(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    number.has_form("###########").then(|| parts(number.value(0..9), 1_000_000_000))?
}

pub(super) fn write_br_cpf(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    const WEIGHTS: [u32; 10] = [11, 10, 9, 8, 7, 6, 5, 4, 3, 2];
    number.put(0..9, rank);
    number.put(9..10, brazilian(weighted(&number.symbols[..9], &WEIGHTS[1..])));
    number.put(10..11, brazilian(weighted(&number.symbols[..10], &WEIGHTS)));
    !is_monotone(&number.symbols[..9])
}

/// Digits stay digits and letters letters, so that programs which know no letters yet still read the mask.
fn cnpj_place(symbol: u8) -> (u8, u64) {
    if symbol.is_ascii_digit() { (b'0', 10) } else { (b'A', 26) }
}

pub(super) fn read_br_cnpj(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("????????????##") {
        return None;
    }
    let (mut rank, mut size) = (0, 1);
    for symbol in &number.symbols[..12] {
        let (first, radix) = cnpj_place(*symbol);
        tweak.push(if first == b'0' { b'9' } else { b'A' });
        rank = rank * radix + u64::from(symbol - first);
        size *= radix;
    }
    parts(rank, size)
}

pub(super) fn write_br_cnpj(_parts: &Parts, mut rank: u64, number: &mut Number) -> bool {
    const WEIGHTS: [u32; 13] = [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2];
    for symbol in number.symbols[..12].iter_mut().rev() {
        let (first, radix) = cnpj_place(*symbol);
        *symbol = first + (rank % radix) as u8;
        rank /= radix;
    }
    number.put(12..13, brazilian(weighted(&number.symbols[..12], &WEIGHTS[1..])));
    number.put(13..14, brazilian(weighted(&number.symbols[..13], &WEIGHTS)));
    !is_monotone(&number.symbols[..12])
}

const AADHAAR_LEAST: u64 = 20_000_000_000;

pub(super) fn read_in_aadhaar(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    let known = number.has_form("############").then(|| number.value(0..11))?;
    parts(known.checked_sub(AADHAAR_LEAST)?, 4 * AADHAAR_LEAST)
}

pub(super) fn write_in_aadhaar(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(0..11, rank + AADHAAR_LEAST);
    let check = verhoeff(&number.symbols[..11]);
    number.put(11..12, check);
    // The authority gives out no number that reads the same from behind.
    !number.all().iter().eq(number.all().iter().rev())
}

/// Groups and serials of one area.
const SSN_AREA: u64 = 99 * 9999;

/// Area 001–899 without 666, group 01–99, serial 0001–9999.
pub(super) fn read_us_ssn(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("#########") {
        return None;
    }
    let (area, group, serial) = (number.value(0..3), number.value(3..5), number.value(5..9));
    if area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0 {
        return None;
    }
    let area = area - 1 - u64::from(area > 666);
    parts((area * 99 + group - 1) * 9999 + serial - 1, 898 * SSN_AREA)
}

pub(super) fn write_us_ssn(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    let area = rank / SSN_AREA + 1;
    number.put(0..3, area + u64::from(area >= 666));
    number.put(3..5, rank / 9999 % 99 + 1);
    number.put(5..9, rank % 9999 + 1);
    true
}

/// Prefixes the Internal Revenue Service has given to its campuses.
fn is_campus(prefix: u64) -> bool {
    matches!(prefix, 1..=6 | 10..=16 | 20..=27 | 30..=48 | 50..=68 | 71..=77 | 80..=88 | 90..=95 | 98 | 99)
}

pub(super) fn read_us_ein(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("#########") || !is_campus(number.value(0..2)) {
        return None;
    }
    tweak.extend_from_slice(&number.symbols[..2]);
    parts(number.value(2..9), 10_000_000)
}

pub(super) fn write_us_ein(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(2..9, rank);
    true
}

pub(super) fn read_gb_nhs(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    number.has_form("##########").then(|| parts(number.value(0..9), 1_000_000_000))?
}

pub(super) fn write_gb_nhs(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(0..9, rank);
    let check = mod11(weighted(&number.symbols[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]));
    check.inspect(|check| number.put(9..10, *check)).is_some()
}

/// Prefixes in use: no D, F, I, Q, U, V, no O in second place, and none of BG, GB, KN, NK, NT, TN, ZZ. In order.
const NINO_PREFIXES: [[u8; 2]; 373] = {
    let first = b"ABCEGHJKLMNOPRSTWXYZ";
    let second = b"ABCEGHJKLMNPRSTWXYZ";
    let mut prefixes = [[0; 2]; 373];
    let (mut count, mut at) = (0, 0);
    while at < first.len() * second.len() {
        let prefix = [first[at / second.len()], second[at % second.len()]];
        if !matches!(&prefix, b"BG" | b"GB" | b"KN" | b"NK" | b"NT" | b"TN" | b"ZZ") {
            prefixes[count] = prefix;
            count += 1;
        }
        at += 1;
    }
    assert!(count == 373, "every prefix has its place");
    prefixes
};

pub(super) fn read_gb_nino(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("@@######@") || !matches!(number.symbols[8], b'A'..=b'D') {
        return None;
    }
    let prefix = NINO_PREFIXES.binary_search_by(|known| known[..].cmp(&number.symbols[..2])).ok()? as u64;
    tweak.push(number.symbols[8]);
    parts(prefix * 1_000_000 + number.value(2..8), NINO_PREFIXES.len() as u64 * 1_000_000)
}

pub(super) fn write_gb_nino(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.symbols[..2].copy_from_slice(&NINO_PREFIXES[(rank / 1_000_000) as usize]);
    number.put(2..8, rank % 1_000_000);
    true
}

/// The first digit is a region; 0 and 8 are given to nobody.
pub(super) fn read_ca_sin(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    if !number.has_form("#########") || matches!(number.symbols[0], b'0' | b'8') {
        return None;
    }
    tweak.push(number.symbols[0]);
    parts(number.value(1..8), 10_000_000)
}

pub(super) fn write_ca_sin(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(1..8, rank);
    let check = luhn(&number.symbols[..8]);
    number.put(8..9, check);
    true
}

pub(super) fn read_au_tfn(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    number.has_form("#########").then(|| parts(number.value(0..8), 100_000_000))?
}

/// The last weight is 10, which is -1 modulo 11: the check digit is the sum of the others.
pub(super) fn write_au_tfn(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(0..8, rank);
    let check = weighted(&number.symbols[..8], &[1, 4, 3, 7, 5, 8, 6, 9]) % 11;
    number.put(8..9, check.into());
    check < 10
}

pub(super) fn read_ch_ahv(number: &Number, _tweak: &mut Vec<u8>) -> Option<Parts> {
    let swiss = number.has_form("#############") && number.all().starts_with(b"756");
    swiss.then(|| parts(number.value(3..12), 1_000_000_000))?
}

/// The check digit of a 13-digit article number (GTIN).
pub(super) fn write_ch_ahv(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    number.put(3..12, rank);
    let sum = weighted(&number.symbols[..12], &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3]);
    number.put(12..13, mod10(sum));
    true
}

/// How many leading digits tell the type of taxpayer; none for a type that is not given out.
fn nif_prefix(number: &Number) -> Option<usize> {
    match number.value(0..2) {
        10..=39 | 50..=69 | 80..=89 => Some(1),
        45 | 70..=72 | 74 | 75 | 77..=79 | 90 | 91 | 98 | 99 => Some(2),
        _ => None,
    }
}

pub(super) fn read_pt_nif(number: &Number, tweak: &mut Vec<u8>) -> Option<Parts> {
    let prefix = number.has_form("#########").then(|| nif_prefix(number))??;
    tweak.extend_from_slice(&number.symbols[..prefix]);
    parts(number.value(prefix..8), 10u64.pow(8 - prefix as u32))
}

pub(super) fn write_pt_nif(_parts: &Parts, rank: u64, number: &mut Number) -> bool {
    let prefix = nif_prefix(number).expect("the kept digits were read from a valid number");
    number.put(prefix..8, rank);
    number.put(8..9, brazilian(weighted(&number.symbols[..8], &WEIGHTS_9_TO_2)));
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_insurance_numbers_are_in_order() {
        assert!(NINO_PREFIXES.is_sorted_by(|a, b| a < b));
    }
}
