//! Times of day: `time.shift/1`, `time.trunc/1`.
//!
//! Frozen: `time.shift/1` moves by step · (1 + below(1440 ÷ step − 1)) minutes of `xof(K_dom, 2, subject)`, around midnight;
//! without a subject the time itself, as `HH:MM:SS.ffffff`, is the subject. `24:00` counts as midnight. Seconds, fractions
//! and time zones stay.

use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::token::{Purpose, below, word};
use super::{Injective, KeyedOn, Kind, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray};
use arrow_buffer::Buffer;
use std::sync::Arc;

const TIMES: &[Takes] = &[Takes::Time, Takes::Text];

pub(super) static SHIFT: Kind = Kind {
    name: "time.shift",
    remains: |_| super::Remains::Near,
    summary: "Moves all times of day of a person by the same secret number of minutes, around midnight; seconds stay",
    params: &[
        Param {
            name: "step",
            summary: "the shift is a multiple of it; a divisor of 1440, so that 15 keeps quarters of an hour",
            domain: Domain::Integer { min: 1, max: 720, unit: "minutes" },
            default: "1",
        },
        ON_INVALID,
    ],
    accepts: TIMES,
    keyed_on: KeyedOn::Subject,
    injective: Injective::No,
    needs_subject: true,
    samples: &["08:15", "23:59:30"],
    compile: |compile| Times::boxed(compile, How::Shift { step: step(compile)?, slot: compile.subject }),
    ..TEXT
};

pub(super) static TRUNC: Kind = Kind {
    name: "time.trunc",
    remains: |_| super::Remains::Open,
    summary: "Cuts times of day down to a multiple of some minutes",
    params: &[
        Param {
            name: "step",
            summary: "what times become multiples of; a divisor of 1440",
            domain: Domain::Integer { min: 1, max: 720, unit: "minutes" },
            default: "60",
        },
        ON_INVALID,
    ],
    accepts: TIMES,
    injective: Injective::No,
    ranges: true,
    samples: &["08:15", "23:59:30.5"],
    compile: |compile| Times::boxed(compile, How::Trunc { step: step(compile)? }),
    ..TEXT
};

const MINUTE_US: i64 = 60_000_000;
const DAY_MINUTES: i64 = 1_440;
/// `24:00:00`, the last time PostgreSQL stores.
const DAY_US: i64 = DAY_MINUTES * MINUTE_US;

fn step(compile: &Compile<'_>) -> Result<i64, CompileError> {
    let usual = if compile.spec.kind.starts_with("time.trunc") { 60 } else { 1 };
    let step = compile.number("step").unwrap_or(usual);
    if DAY_MINUTES % step == 0 { Ok(step) } else { Err(compile.bad_param("step", "a divisor of 1440, such as 15")) }
}

enum How {
    Shift { step: i64, slot: Option<usize> },
    Trunc { step: i64 },
}

/// The mask of times, which are microseconds since midnight.
struct Times {
    how: How,
    key: DomainKey,
}

impl Times {
    fn boxed(compile: &Compile<'_>, how: How) -> Result<Box<dyn ColumnMask>, CompileError> {
        let times = Self { how, key: compile.realm.domain(&compile.spec.kind, &compile.spec.label) };
        match compile.shape {
            Shape::Time | Shape::TimeTz => Ok(Box::new(Column { times, bytes: width(&compile.shape) })),
            _ => TextMask::boxed(compile, times),
        }
    }

    fn mask(&self, micros: i64, at: At<'_>) -> i64 {
        match self.how {
            How::Trunc { step } => micros - micros % (step * MINUTE_US),
            How::Shift { step, slot } => {
                let minutes = match at.subject(slot) {
                    Some(subject) => self.minutes(subject, step),
                    None => self.minutes(&written(micros), step),
                };
                (micros + minutes * MINUTE_US) % DAY_US
            }
        }
    }

    /// The shift of a subject; never 0.
    fn minutes(&self, subject: &str, step: i64) -> i64 {
        let stream = self.key.hash(Purpose::Stream, subject.as_bytes());
        let shifts = (DAY_MINUTES / step - 1) as u64;
        (1 + below(word(&stream, 0), shifts) as i64) * step
    }
}

fn written(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    format!("{:02}:{:02}:{:02}.{:06}", seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000)
}

/// Microseconds and a zone where there is one, as they stand on the wire.
fn width(shape: &Shape) -> usize {
    if *shape == Shape::TimeTz { 12 } else { 8 }
}

/// Times as text: `HH:MM`, with seconds and a fraction or without; what follows may only be a zone, and stays.
impl TextKind for Times {
    type Scratch = ();

    fn mask(&self, value: &str, at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let Some((micros, time, rest)) = read_time(value) else { return false };
        let masked = written(self.mask(micros, at));
        out.push_str(&masked[..time.len()]);
        out.push_str(rest);
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        read_time(value).is_some()
    }
}

/// Reads a time at the beginning of a text: microseconds, what writes it, and what follows.
fn read_time(text: &str) -> Option<(i64, &str, &str)> {
    let two = |at: usize| -> Option<i64> {
        let digits = text.get(at..at + 2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse().ok()
    };
    let colon = |at: usize| text.as_bytes().get(at) == Some(&b':');
    let (hours, minutes) = (two(0)?, two(3).filter(|_| colon(2))?);
    let (mut seconds, mut fraction, mut end) = (0, 0, 5);
    if colon(5) {
        (seconds, end) = (two(6)?, 8);
        if let Some(digits) = text[8..].strip_prefix('.') {
            let count = digits.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=6).contains(&count) {
                return None;
            }
            fraction = digits[..count].parse::<i64>().ok()? * 10_i64.pow(6 - count as u32);
            end = 9 + count;
        }
    }
    let rest = &text[end..];
    let zone = rest.trim_start().strip_prefix(['+', '-']).map_or(matches!(rest, "" | "Z" | "z"), |zone| {
        (2..=8).contains(&zone.len()) && zone.bytes().all(|byte| byte.is_ascii_digit() || byte == b':')
    });
    let micros = ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + fraction;
    (hours <= 24 && minutes <= 59 && seconds <= 59 && micros <= DAY_US && zone).then_some((micros, &text[..end], rest))
}

/// A `time` or `timetz` column.
struct Column {
    times: Times,
    bytes: usize,
}

impl ColumnMask for Column {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        let values = column.as_fixed_size_binary_opt().filter(|values| values.value_length() as usize == self.bytes);
        let values = values.ok_or_else(wrong)?;
        let mut masked = Vec::with_capacity(values.len() * self.bytes);
        for row in 0..values.len() {
            let (micros, zone) = values.value(row).split_at(8);
            let micros = i64::from_be_bytes(micros.try_into().map_err(|_| wrong())?);
            let micros = if values.is_valid(row) { self.times.mask(micros, At { row, rows }) } else { 0 };
            masked.extend_from_slice(&micros.to_be_bytes());
            masked.extend_from_slice(zone);
        }
        let array = FixedSizeBinaryArray::try_new(self.bytes as i32, Buffer::from_vec(masked), values.nulls().cloned());
        Ok(Arc::new(array.map_err(|_| wrong())?))
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let read = TextKind::mask(&self.times, value, At { row, rows }, &mut (), out);
        if read { Ok(()) } else { Err(MaskError::at(row, "the value is not a time")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::tests::value;

    fn masked(kind: &str, json: &str, subject: Option<&str>, text: &str) -> String {
        value(kind, json, subject, text).expect("a mask")
    }

    #[test]
    fn a_person_has_one_shift_around_midnight_and_it_is_never_zero() {
        let minutes = |text: &str| read_time(text).map(|(micros, ..)| micros / MINUTE_US).expect("a time");
        let mut shifts = std::collections::HashSet::new();
        for person in 0..300 {
            let subject = person.to_string();
            let mask = |text: &str| masked("time.shift", "{}", Some(&subject), text);
            let shift = (minutes(&mask("08:15")) - 495).rem_euclid(DAY_MINUTES);
            assert_ne!(shift, 0);
            assert_eq!((minutes(&mask("23:59:30.25")) - 1_439).rem_euclid(DAY_MINUTES), shift);
            assert!(mask("23:59:30.25").ends_with(":30.25") && mask("24:00").len() == 5);
            assert_eq!(mask("24:00:00"), mask("00:00:00"));
            assert_eq!(mask("08:15:00+02"), format!("{}:00+02", mask("08:15")));
            shifts.insert(shift);
            let quarters = masked("time.shift", r#"{"step":15}"#, Some(&subject), "08:15");
            assert!(minutes(&quarters) % 15 == 0 && quarters != "08:15", "{quarters}");
        }
        assert!(shifts.len() > 250, "{} shifts of 300 people", shifts.len());
    }

    #[test]
    fn times_are_cut_down_to_a_step() {
        for (step, text, cut) in [
            (60, "08:15", "08:00"),
            (15, "08:16:59.999", "08:15:00.000"),
            (720, "23:59:59-05:30", "12:00:00-05:30"),
            (30, "24:00:00", "24:00:00"),
        ] {
            assert_eq!(masked("time.trunc", &format!("{{\"step\":{step}}}"), None, text), cut);
        }
        let params = serde_json::from_str(r#"{"step":7}"#).expect("JSON");
        let realm = crate::mask::MasterKey::test().realm("default");
        assert!(crate::mask::mask_value(&realm, "time.trunc", "", params, None, "08:15").is_err(), "7 divides no day");
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "8:15",
            "08:60",
            "24:00:01",
            "25:00",
            "08:15:60",
            "08:15:00.",
            "08:15 Bob",
            "08:15:00.1234567",
            "",
            "０8:15",
        ] {
            assert!(read_time(text).is_none(), "{text}");
        }
    }
}
