//! Check digits. All functions take ASCII digits; a letter counts as its code less that of `0`, as the CNPJ has it.

/// Sum of digits times weights.
pub(super) fn weighted(digits: &[u8], weights: &[u32]) -> u32 {
    digits.iter().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum()
}

/// The digit that makes a sum divisible by 11: `11 - sum mod 11` with 11 as 0; none where it would be 10.
pub(super) fn mod11(sum: u32) -> Option<u64> {
    let check = (11 - sum % 11) % 11;
    (check < 10).then_some(check.into())
}

/// The digit that makes a sum divisible by 10.
pub(super) fn mod10(sum: u32) -> u64 {
    ((10 - sum % 10) % 10).into()
}

/// ISO/IEC 7812-1 annex B.
pub(super) fn luhn(digits: &[u8]) -> u64 {
    crate::mask::account::luhn(digits.iter().map(|digit| digit - b'0')).into()
}

/// ISO/IEC 7064 mod 11,10.
pub(super) fn mod11_10(digits: &[u8]) -> u64 {
    let product = digits.iter().fold(10, |product, digit| {
        let sum = (product + u64::from(digit - b'0')) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10
}

/// The group of symmetries of a pentagon, and the permutation of Verhoeff's decimal code (J. Verhoeff, "Error Detecting
/// Decimal Codes", 1969).
pub(super) fn verhoeff(digits: &[u8]) -> u64 {
    const PERMUTATION: [u8; 10] = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4];
    const INVERSE: [u64; 10] = [0, 4, 3, 2, 1, 5, 6, 7, 8, 9];
    let permuted = |digit: u8, times: usize| (0..times % 8).fold(digit, |digit, _| PERMUTATION[usize::from(digit)]);
    let sum =
        digits.iter().rev().enumerate().fold(0, |sum, (place, digit)| pentagon(sum, permuted(digit - b'0', place + 1)));
    INVERSE[usize::from(sum)]
}

/// Joins two symmetries of a pentagon: 0 to 4 are turns, 5 to 9 reflections.
fn pentagon(a: u8, b: u8) -> u8 {
    match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b - 5) % 5 + 5,
        (false, true) => (a - 5 + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits_are_those_of_published_examples() {
        assert_eq!(luhn(b"7992739871"), 3);
        assert_eq!(mod11_10(b"3657426180"), 9);
        assert_eq!(mod11_10(b"0794"), 5);
        assert_eq!(verhoeff(b"236"), 3);
        assert_eq!(verhoeff(b"12345"), 1);
        assert_eq!(verhoeff(b"142857"), 0);
        assert_eq!(verhoeff(b"23412341234"), 6);
        assert_eq!(mod11(weighted(b"943476587", &[10, 9, 8, 7, 6, 5, 4, 3, 2])), Some(0));
        assert_eq!(mod11(1), None);
    }

    #[test]
    fn verhoeff_finds_every_neighbor_that_was_swapped() {
        for number in 0..100_000u32 {
            let digits = format!("{number:05}").into_bytes();
            let check = verhoeff(&digits);
            for place in 0..4 {
                let mut swapped = digits.clone();
                swapped.swap(place, place + 1);
                assert!(swapped == digits || verhoeff(&swapped) != check, "{number} {place}");
            }
        }
    }
}
