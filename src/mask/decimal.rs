//! Decimal numbers of any length, exactly: what PostgreSQL calls `numeric`.
//!
//! Digits are kept to base 10 000, as on the wire, so reading and writing moves no bits. Only what masks need is here:
//! products and quotients with 64-bit numbers, sums, comparisons, and cutting to a scale.

use std::cmp::Ordering;

/// Digits per group.
const GROUP: usize = 4;
const BASE: u16 = 10_000;
const NEGATIVE: u16 = 0x4000;
/// Most digits after the point that PostgreSQL writes.
const SCALE_MAX: u16 = 0x3fff;

/// A finite decimal number. Zero is never negative.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Groups of four digits, least significant first.
    groups: Vec<u16>,
    /// How many of the groups lie after the point.
    frac: usize,
    /// Digits after the point that are written.
    scale: usize,
}

/// Tells whether bytes are a `numeric` on the wire; NaN and infinities are.
pub fn wire_legal(wire: &[u8]) -> bool {
    let Some((header, digits)) = wire.split_first_chunk::<8>() else { return false };
    let [a, b, _, _, c, d, e, f] = *header;
    let (count, sign, scale) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]), u16::from_be_bytes([e, f]));
    digits.len() == usize::from(count) * 2
        && matches!(sign, 0 | NEGATIVE | 0xC000 | 0xD000 | 0xF000)
        && scale <= SCALE_MAX
        && digits.chunks_exact(2).all(|pair| u16::from_be_bytes([pair[0], pair[1]]) < BASE)
}

/// Appends a legal wire form as PostgreSQL writes it; none if it is not legal.
pub fn push_wire_text(wire: &[u8], out: &mut String) -> Option<()> {
    let special = match wire.get(4..6)? {
        [0xC0, 0] => "NaN",
        [0xD0, 0] => "Infinity",
        [0xF0, 0] => "-Infinity",
        _ => {
            let mut value = Decimal::default();
            if !value.read_wire(wire) {
                return None;
            }
            value.push_text(out);
            return Some(());
        }
    };
    out.push_str(special);
    Some(())
}

/// Appends the wire form of a number as PostgreSQL writes it; none if it is no number.
pub fn push_text_wire(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let sign: u16 = match text {
        "NaN" => 0xC000,
        "Infinity" => 0xD000,
        "-Infinity" => 0xF000,
        _ => {
            let mut value = Decimal::default();
            value.read_text(text).then(|| value.push_wire(out))?;
            return Some(());
        }
    };
    let [high, low] = sign.to_be_bytes();
    out.extend_from_slice(&[0, 0, 0, 0, high, low, 0, 0]);
    Some(())
}

impl Decimal {
    /// Reads a wire form; false for NaN, infinities and malformed bytes.
    pub fn read_wire(&mut self, wire: &[u8]) -> bool {
        let Some((header, digits)) = wire.split_first_chunk::<8>().filter(|_| wire_legal(wire)) else { return false };
        let [_, _, w0, w1, s0, s1, d0, d1] = *header;
        let sign = u16::from_be_bytes([s0, s1]);
        if !matches!(sign, 0 | NEGATIVE) {
            return false;
        }
        let weight = isize::from(i16::from_be_bytes([w0, w1]));
        self.scale = usize::from(u16::from_be_bytes([d0, d1]));
        let count = (digits.len() / 2) as isize;
        self.frac = self.scale.div_ceil(GROUP).max(usize::try_from(count - 1 - weight).unwrap_or(0));
        self.groups.clear();
        self.groups.resize(self.frac + usize::try_from(weight + 1).unwrap_or(0), 0);
        for (place, pair) in digits.chunks_exact(2).enumerate() {
            let group = u16::from_be_bytes([pair[0], pair[1]]);
            // `frac` and the length were chosen so that every digit has a place.
            if let Some(slot) = usize::try_from(self.frac as isize + weight - place as isize)
                .ok()
                .and_then(|index| self.groups.get_mut(index))
            {
                *slot = group;
            }
        }
        self.negative = sign == NEGATIVE;
        self.tidy();
        true
    }

    /// Appends the wire form.
    pub fn push_wire(&self, out: &mut Vec<u8>) {
        let first = self.groups.iter().position(|group| *group != 0).unwrap_or(self.groups.len());
        let digits = &self.groups[first..];
        let weight = if digits.is_empty() { 0 } else { self.groups.len() as isize - 1 - self.frac as isize };
        out.extend_from_slice(&(digits.len() as u16).to_be_bytes());
        out.extend_from_slice(&(weight as i16).to_be_bytes());
        out.extend_from_slice(&(if self.negative { NEGATIVE } else { 0 }).to_be_bytes());
        out.extend_from_slice(&(self.scale as u16).to_be_bytes());
        for group in digits.iter().rev() {
            out.extend_from_slice(&group.to_be_bytes());
        }
    }

    /// Reads `-12.50`: digits with at most one sign and point, and nothing else; false if it is not that.
    pub fn read_text(&mut self, text: &str) -> bool {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let numeric = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let dangling = whole.is_empty() || digits.ends_with('.');
        if dangling || !numeric(whole) || !numeric(fraction) || fraction.len() > usize::from(SCALE_MAX) {
            return false;
        }
        self.scale = fraction.len();
        self.frac = fraction.len().div_ceil(GROUP);
        self.groups.clear();
        let value = |digits: &[u8]| digits.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
        for group in fraction.as_bytes().chunks(GROUP).rev() {
            self.groups.push(value(group) * 10_u16.pow((GROUP - group.len()) as u32));
        }
        self.groups.extend(whole.as_bytes().rchunks(GROUP).map(value));
        self.negative = negative;
        self.tidy();
        true
    }

    /// Appends the number as PostgreSQL writes it.
    pub fn push_text(&self, out: &mut String) {
        use std::fmt::Write;
        if self.negative {
            out.push('-');
        }
        let mut whole = self.groups[self.frac.min(self.groups.len())..].iter().rev();
        let _ = write!(out, "{}", whole.next().copied().unwrap_or(0));
        for group in whole {
            let _ = write!(out, "{group:04}");
        }
        if self.scale == 0 {
            return;
        }
        out.push('.');
        let end = out.len() + self.scale;
        for index in (0..self.frac).rev() {
            let _ = write!(out, "{:04}", self.groups.get(index).copied().unwrap_or(0));
        }
        out.truncate(end);
    }

    pub fn set_integer(&mut self, value: i64) {
        (self.frac, self.scale, self.negative) = (0, 0, value < 0);
        self.set_magnitude(value.unsigned_abs().into());
    }

    fn set_magnitude(&mut self, mut rest: u128) {
        self.groups.clear();
        while rest > 0 {
            self.groups.push((rest % u128::from(BASE)) as u16);
            rest /= u128::from(BASE);
        }
    }

    /// The whole number; none if it has a fraction or is not an `i64`.
    pub fn integer(&self) -> Option<i64> {
        if self.groups.iter().take(self.frac).any(|group| *group != 0) {
            return None;
        }
        let magnitude = self.groups[self.frac.min(self.groups.len())..]
            .iter()
            .rev()
            .try_fold(0_i128, |value, group| value.checked_mul(BASE.into())?.checked_add((*group).into()))?;
        i64::try_from(if self.negative { -magnitude } else { magnitude }).ok()
    }

    pub fn is_zero(&self) -> bool {
        self.groups.is_empty()
    }

    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Digits after the point.
    pub fn scale(&self) -> usize {
        self.scale
    }

    /// The power of ten of the first digit: 2 for 100, -1 for 0.5; none for zero.
    pub fn exponent(&self) -> Option<isize> {
        let log = self.groups.last()?.checked_ilog10()? as isize;
        Some((self.groups.len() as isize - 1 - self.frac as isize) * GROUP as isize + log)
    }

    pub fn negate(&mut self) {
        self.negative = !self.negative && !self.is_zero();
    }

    /// Drops leading zero groups, and the sign of zero.
    fn tidy(&mut self) {
        while self.groups.last() == Some(&0) {
            self.groups.pop();
        }
        self.negative &= !self.groups.is_empty();
    }

    /// Gives the number at least `frac` groups after the point.
    fn align(&mut self, frac: usize) {
        if frac > self.frac {
            if !self.groups.is_empty() {
                self.groups.splice(0..0, std::iter::repeat_n(0, frac - self.frac));
            }
            self.frac = frac;
        }
    }

    pub fn multiply(&mut self, factor: u64) {
        let mut carry: u128 = 0;
        for group in &mut self.groups {
            carry += u128::from(*group) * u128::from(factor);
            *group = (carry % u128::from(BASE)) as u16;
            carry /= u128::from(BASE);
        }
        while carry > 0 {
            self.groups.push((carry % u128::from(BASE)) as u16);
            carry /= u128::from(BASE);
        }
        self.tidy();
    }

    /// Divides toward zero in units of the last group; returns the rest in these units.
    pub fn divide(&mut self, divisor: u64) -> u64 {
        let mut rest: u128 = 0;
        for group in self.groups.iter_mut().rev() {
            rest = rest * u128::from(BASE) + u128::from(*group);
            *group = (rest / u128::from(divisor)) as u16;
            rest %= u128::from(divisor);
        }
        self.tidy();
        rest as u64
    }

    /// Cuts toward zero to `scale` digits after the point, and writes that many.
    pub fn truncate(&mut self, scale: usize) {
        self.align(scale.div_ceil(GROUP));
        let whole = self.frac - scale.div_ceil(GROUP);
        for group in self.groups.iter_mut().take(whole) {
            *group = 0;
        }
        if let (Some(group), false) = (self.groups.get_mut(whole), scale.is_multiple_of(GROUP)) {
            *group -= *group % 10_u16.pow((GROUP - scale % GROUP) as u32);
        }
        self.scale = scale;
        self.tidy();
    }

    /// Adds `other`; the scale is the larger of both.
    pub fn add(&mut self, other: &Decimal) {
        self.scale = self.scale.max(other.scale);
        self.align(other.frac);
        let shift = self.frac - other.frac;
        if self.negative == other.negative || self.is_zero() || other.is_zero() {
            if self.is_zero() {
                self.negative = other.negative;
            }
            let mut carry = 0;
            for (place, group) in other.groups.iter().enumerate() {
                let slot = self.slot(place + shift);
                let sum = *slot + *group + carry;
                (*slot, carry) = (sum % BASE, sum / BASE);
            }
            let mut place = other.groups.len() + shift;
            while carry > 0 {
                let slot = self.slot(place);
                let sum = *slot + carry;
                (*slot, carry) = (sum % BASE, sum / BASE);
                place += 1;
            }
        } else if self.compare_magnitude(other) == Ordering::Less {
            let mut larger = other.clone();
            larger.align(self.frac);
            larger.subtract_magnitude(self, 0);
            larger.scale = self.scale;
            *self = larger;
        } else {
            self.subtract_magnitude(other, shift);
        }
        self.tidy();
    }

    fn slot(&mut self, place: usize) -> &mut u16 {
        if place >= self.groups.len() {
            self.groups.resize(place + 1, 0);
        }
        &mut self.groups[place]
    }

    /// Takes a smaller magnitude away.
    fn subtract_magnitude(&mut self, other: &Decimal, shift: usize) {
        let mut borrow = 0;
        for place in shift..self.groups.len() {
            let taken = other.groups.get(place - shift).copied().unwrap_or(0) + borrow;
            borrow = u16::from(self.groups[place] < taken);
            self.groups[place] = self.groups[place] + borrow * BASE - taken;
        }
    }

    fn compare_magnitude(&self, other: &Decimal) -> Ordering {
        let top = |value: &Decimal| value.groups.len() as isize - value.frac as isize;
        let at = |value: &Decimal, power: isize| {
            let index = usize::try_from(power + value.frac as isize).ok();
            index.and_then(|index| value.groups.get(index)).copied().unwrap_or(0)
        };
        let low = -(self.frac.max(other.frac) as isize);
        if self.is_zero() || other.is_zero() {
            return self.groups.len().cmp(&other.groups.len());
        }
        top(self).cmp(&top(other)).then_with(|| {
            (low..top(self))
                .rev()
                .map(|power| at(self, power).cmp(&at(other, power)))
                .find(|found| found.is_ne())
                .unwrap_or(Ordering::Equal)
        })
    }

    /// Compares values; the scale does not count.
    pub fn compare(&self, other: &Decimal) -> Ordering {
        match (self.negative, other.negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.compare_magnitude(other),
            (true, true) => other.compare_magnitude(self),
        }
    }

    /// Goes down to the next multiple of `width`, toward negative infinity. The scale is the larger of both.
    pub fn floor_to(&mut self, width: &Width) {
        let scale = self.scale.max(width.scale);
        self.align(width.frac);
        let finer = self.frac - width.frac;
        let mut rest = self.groups.iter().take(finer).any(|group| *group != 0);
        self.groups.drain(..finer.min(self.groups.len()));
        self.frac = width.frac;
        let negative = self.negative;
        rest |= self.divide(width.units) != 0;
        if negative && rest {
            let one = Decimal { groups: vec![1], frac: width.frac, ..Decimal::default() };
            self.negative = false;
            self.add(&one);
        }
        self.multiply(width.units);
        self.negative = negative && !self.is_zero();
        self.scale = scale;
        self.align(scale.div_ceil(GROUP));
    }
}

/// The width of buckets.
#[derive(Clone)]
pub struct Width {
    units: u64,
    frac: usize,
    scale: usize,
}

impl Width {
    /// None unless the number is positive and has at most 18 digits.
    pub fn of(value: &Decimal) -> Option<Self> {
        let mut whole = Decimal { frac: 0, scale: 0, ..value.clone() };
        whole.tidy();
        let units = u64::try_from(whole.integer()?).ok().filter(|units| *units > 0)?;
        Some(Self { units, frac: value.frac, scale: value.scale })
    }

    pub fn decimal(&self) -> Decimal {
        let mut value = Decimal { frac: self.frac, scale: self.scale, ..Decimal::default() };
        value.set_magnitude(self.units.into());
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        let mut value = Decimal::default();
        assert!(value.read_text(text), "{text}");
        value
    }

    fn text(value: &Decimal) -> String {
        let mut out = String::new();
        value.push_text(&mut out);
        out
    }

    /// A number as units of 10^-scale.
    fn scaled(units: i64, scale: usize) -> Decimal {
        let digits = format!("{:0width$}", units.unsigned_abs(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let point = if scale > 0 { "." } else { "" };
        decimal(&format!("{}{whole}{point}{fraction}", if units < 0 { "-" } else { "" }))
    }

    proptest! {
        #[test]
        fn sums_comparisons_and_products_agree_with_integers(
            a in any::<i32>(), b in any::<i32>(), factor in any::<u32>(), scale in 0..9_usize,
        ) {
            let (x, y) = (scaled(a.into(), scale), scaled(b.into(), scale));
            prop_assert_eq!(x.compare(&y), a.cmp(&b));
            let mut sum = x.clone();
            sum.add(&y);
            prop_assert_eq!(text(&sum), text(&scaled(i64::from(a) + i64::from(b), scale)));
            let mut product = x.clone();
            product.multiply(u64::from(factor) >> 1);
            prop_assert_eq!(text(&product), text(&scaled(i64::from(a) * (i64::from(factor) >> 1), scale)));
            let mut wire = Vec::new();
            product.push_wire(&mut wire);
            prop_assert!(wire_legal(&wire));
            let mut back = Decimal::default();
            prop_assert!(back.read_wire(&wire));
            prop_assert_eq!(text(&back), text(&product));
        }

        #[test]
        fn buckets_are_floors(a in any::<i32>(), width in 1..1_000_000_i64, finer in 0..6_usize, scale in 0..6_usize) {
            let mut value = scaled(a.into(), scale + finer);
            value.floor_to(&Width::of(&scaled(width, scale)).unwrap());
            let step = width * 10_i64.pow(finer as u32);
            let expected = i64::from(a).div_euclid(step) * step;
            prop_assert_eq!(text(&value), text(&scaled(expected, scale + finer)));
        }

        #[test]
        fn numbers_of_different_scales_compare_and_add(a in any::<i32>(), b in any::<i32>(), finer in 0..9_usize) {
            let (x, y) = (scaled(a.into(), 2), scaled(b.into(), 2 + finer));
            let units = i128::from(a) * 10_i128.pow(finer as u32);
            prop_assert_eq!(x.compare(&y), units.cmp(&b.into()));
            let mut sum = x.clone();
            sum.add(&y);
            let expected = i64::try_from(units + i128::from(b)).unwrap();
            prop_assert_eq!(text(&sum), text(&scaled(expected, 2 + finer)));
        }

        #[test]
        fn truncation_goes_toward_zero(a in any::<i32>(), scale in 0..9_usize, kept in 0..9_usize) {
            let mut value = scaled(a.into(), scale);
            value.truncate(kept);
            let expected = if kept >= scale {
                scaled(i64::from(a) * 10_i64.pow((kept - scale) as u32), kept)
            } else {
                scaled(i64::from(a) / 10_i64.pow((scale - kept) as u32), kept)
            };
            prop_assert_eq!(text(&value), text(&expected));
        }
    }

    #[test]
    fn only_plain_decimals_are_read() {
        let mut value = Decimal::default();
        for text in ["", "-", ".", "1.", ".5", "+1", "1e3", "1.2.3", "--1", " 1", "NaN", "é"] {
            assert!(!value.read_text(text), "{text}");
        }
        assert_eq!(text(&decimal("-0.00")), "0.00");
        assert_eq!(text(&decimal("00012.50")), "12.50");
        assert_eq!(decimal("9223372036854775807").integer(), Some(i64::MAX));
        assert_eq!(decimal("-9223372036854775808").integer(), Some(i64::MIN));
        assert_eq!(decimal("9223372036854775808").integer(), None);
        assert_eq!(decimal("1.50").integer(), None);
        let exponents = ["0.5", "999.5", "100000", "0.00012", "0"].map(|text| decimal(text).exponent());
        assert_eq!(exponents, [Some(-1), Some(2), Some(5), Some(-4), None]);
    }

    #[test]
    fn wire_forms_are_those_of_postgresql() {
        // `SELECT numeric_send(x)` of a server.
        let known: &[(&str, &[u8])] = &[
            ("0", &[0, 0, 0, 0, 0, 0, 0, 0]),
            ("0.00", &[0, 0, 0, 0, 0, 0, 0, 2]),
            ("-12345.678", &[0, 3, 0, 1, 0x40, 0, 0, 3, 0, 1, 9, 0x29, 0x1a, 0x7c]),
            ("0.0001", &[0, 1, 0xff, 0xff, 0, 0, 0, 4, 0, 1]),
            ("10000", &[0, 1, 0, 1, 0, 0, 0, 0, 0, 1]),
            ("NaN", &[0, 0, 0, 0, 0xC0, 0, 0, 0]),
            ("-Infinity", &[0, 0, 0, 0, 0xF0, 0, 0, 0]),
        ];
        for (number, wire) in known {
            let mut out = Vec::new();
            push_text_wire(number, &mut out).unwrap();
            assert_eq!(out, *wire, "{number}");
            let mut back = String::new();
            push_wire_text(wire, &mut back).unwrap();
            assert_eq!(back, *number);
        }
        for wire in
            [&[0, 1, 0, 0, 0, 0, 0, 0][..], &[0, 1, 0, 0, 0, 0, 0, 0, 0x27, 0x10], &[0; 7], &[0, 0, 0, 0, 1, 0, 0, 0]]
        {
            assert!(!wire_legal(wire), "{wire:?}");
        }
    }
}
