//! Dates: `date.shift/1`.

use super::calendar::{AFTER, not_before};
use super::canon::canonical;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::keeps::is_infinite;
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::lanes::Queue;
use super::leaf::{At, CHUNK, ON_INVALID, TEXT, TextKind, TextMask};
use super::token::{Purpose, below, word};
use super::{Injective, Keeps, KeyedOn, Kind, Params, Raw, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use std::fmt::Write;
use std::sync::Arc;

pub(super) static DATE_SHIFT: Kind = Kind {
    name: "date.shift",
    remains: |_| super::Remains::Near,
    keeps: Keeps {
        words: "-infinity, infinity and the `sentinels`",
        holds: |raw, params| {
            is_infinite(raw)
                || sentinels(params).is_some_and(|sentinels| match raw {
                    Raw::Day(days) => sentinels.contains(&days.into()),
                    Raw::Number(micros) => sentinels.contains(&(micros.div_euclid(DAY_US) + PG_EPOCH_DAYS)),
                    Raw::Text(text) => read_date(text).is_some_and(|(days, _)| sentinels.contains(&days)),
                    _ => false,
                })
        },
    },
    summary: "Moves all dates of a person by the same secret number of days; order and intervals stay",
    params: &[
        Param {
            name: "days_max",
            summary: "longest shift in either direction",
            domain: Domain::Integer { min: 1, max: 36_500, unit: "days" },
            default: "180",
        },
        Param {
            name: "weekday",
            summary: "shifts by whole weeks, so that the day of the week stays",
            domain: Domain::Bool,
            default: "false",
        },
        Param {
            name: "sentinels",
            summary: "dates that mean something else and stay, such as 9999-12-31",
            domain: Domain::Texts,
            default: "[]",
        },
        AFTER,
        ON_INVALID,
    ],
    accepts: &[Takes::Date, Takes::Timestamp, Takes::Text],
    keyed_on: KeyedOn::Subject,
    injective: Injective::No,
    ranges: true,
    needs_subject: true,
    samples: &["1984-02-29", "2024-06-01"],
    compile,
    ..TEXT
};

/// Days from 1970-01-01 to 2000-01-01, the epoch of PostgreSQL.
pub(super) const PG_EPOCH_DAYS: i64 = 10_957;
pub(super) const DAY_US: i64 = 86_400_000_000;
/// First and last day PostgreSQL stores as `date`, from 1970-01-01 (4714-11-24 BC, 5874897-12-31).
pub(super) const DATE_RANGE: std::ops::RangeInclusive<i64> = -2_440_588..=2_145_042_905;
/// First and last day with a year of four digits, from 1970-01-01: what most programs read, and where those that stand for no day
/// lie, such as 9999-12-31.
const USUAL: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;
/// First and last microsecond PostgreSQL stores as `timestamp`, from 2000-01-01.
pub(super) const TIMESTAMP_RANGE: std::ops::Range<i64> = -211_813_488_000_000_000..9_223_371_331_200_000_000;

struct Shift {
    key: DomainKey,
    slot: Option<usize>,
    /// Half the number of shifts, and the days each step counts.
    steps: u64,
    step_days: i64,
    /// Days that stay, from 1970-01-01.
    sentinels: Vec<i64>,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let days = compile.number("days_max").unwrap_or(180);
    let step_days = if compile.flag("weekday", false) { 7 } else { 1 };
    let steps = (days / step_days) as u64;
    if steps == 0 {
        return Err(compile.bad_param("days_max", "at least 7 with `weekday = true`"));
    }
    let sentinels = sentinels(&compile.spec.params)
        .ok_or_else(|| compile.bad_param("sentinels", "an array of dates, \"9999-12-31\""))?;
    let key = compile.realm.domain("date.shift/1", &compile.spec.label);
    let shift = Shift { key, slot: compile.subject, steps, step_days, sentinels };
    match compile.shape {
        Shape::Date | Shape::Timestamp => {
            not_before(compile, Box::new(ShiftColumn { shift, shape: compile.shape.clone() }))
        }
        Shape::Text { .. } => not_before(compile, TextMask::boxed(compile, shift)?),
        _ => Err(compile.wrong_shape()),
    }
}

/// The days that stay, from 1970-01-01; none if they are not written as dates.
fn sentinels(params: &Params) -> Option<Vec<i64>> {
    let texts = params.get("sentinels").and_then(|value| value.as_array());
    texts.into_iter().flatten().map(|text| text.as_str().and_then(|text| read_date(text)).map(|date| date.0)).collect()
}

impl Shift {
    /// The shift of a subject in days; never 0.
    fn days(&self, subject: &str) -> i64 {
        self.drawn(&self.key.hash(Purpose::Stream, subject.as_bytes()))
    }

    /// The shift that the stream of a subject draws.
    fn drawn(&self, stream: &[u8; 32]) -> i64 {
        let (u, half) = (below(word(stream, 0), self.steps * 2) as i64, self.steps as i64);
        (if u < half { u - half } else { u - half + 1 }) * self.step_days
    }

    fn date(&self, days: i64, shift: i64) -> i64 {
        if self.sentinels.contains(&days) {
            return days;
        }
        let range = if USUAL.contains(&days) { USUAL } else { DATE_RANGE };
        let shifted = days + shift;
        if range.contains(&shifted) { shifted } else { days - shift }
    }

    fn timestamp(&self, micros: i64, shift: i64) -> i64 {
        let day = |micros: i64| micros.div_euclid(DAY_US) + PG_EPOCH_DAYS;
        if !self.sentinels.is_empty() && self.sentinels.contains(&day(micros)) {
            return micros;
        }
        let stays = |shifted: &i64| {
            TIMESTAMP_RANGE.contains(shifted) && (USUAL.contains(&day(*shifted)) || !USUAL.contains(&day(micros)))
        };
        let shifted = micros.checked_add(shift * DAY_US).filter(stays);
        shifted.unwrap_or(micros.wrapping_sub(shift * DAY_US))
    }
}

/// `date.shift/1` on text: a leading `YYYY-MM-DD`, followed by nothing or by a time, which stays.
impl TextKind for Shift {
    type Scratch = ();

    fn mask(&self, value: &str, at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let Some((days, rest)) = read_date(value) else { return false };
        let days_of = |subject: &str| self.days(subject);
        let shift = match at.subject(self.slot) {
            Some(subject) => days_of(subject),
            None => days_of(&canonical(value, true)),
        };
        push_date(self.date(days, shift), out);
        out.push_str(rest);
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        read_date(value).is_some()
    }
}

/// `date.shift/1` on a date or timestamp column.
struct ShiftColumn {
    shift: Shift,
    shape: Shape,
}

impl ShiftColumn {
    /// The shift of every row for which `day` says which day it holds, 0 for all others. Rows without a subject are
    /// shifted by their own day.
    fn shifts(&self, rows: &Rows<'_>, day: impl Fn(usize) -> Option<i64>) -> Vec<i64> {
        let mut shifts = vec![0; rows.len];
        let mut queue = Queue::default();
        let mut own = String::new();
        for from in (0..rows.len).step_by(CHUNK) {
            let chunk = from..(from + CHUNK).min(rows.len);
            queue.clear();
            for (row, day) in chunk.clone().filter_map(|row| Some((row, day(row)?))) {
                let subject = self.shift.slot.and_then(|slot| rows.subject(slot, row)).unwrap_or_else(|| {
                    own.clear();
                    push_date(day, &mut own);
                    &own
                });
                queue.hash(&self.shift.key, &[&[Purpose::Stream as u8], subject.as_bytes()]);
            }
            queue.run();
            for row in chunk.filter(|row| day(*row).is_some()) {
                shifts[row] = self.shift.drawn(queue.next_hash());
            }
        }
        shifts
    }
}

impl ColumnMask for ShiftColumn {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        if self.shape == Shape::Date {
            let values = column.as_primitive_opt::<Date32Type>().ok_or_else(wrong)?;
            let finite = |row| values.is_valid(row) && !matches!(values.value(row), i32::MAX | i32::MIN);
            let shifts = self.shifts(rows, |row| finite(row).then(|| values.value(row).into()));
            let masked = values.values().iter().zip(shifts).map(|(days, shift)| match shift {
                0 => *days,
                _ => self.shift.date((*days).into(), shift) as i32,
            });
            let masked: Vec<i32> = masked.collect();
            return Ok(Arc::new(PrimitiveArray::<Date32Type>::new(masked.into(), values.nulls().cloned())));
        }
        let values = column.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
        let finite = |row| values.is_valid(row) && !matches!(values.value(row), i64::MAX | i64::MIN);
        let day = |row| values.value(row).div_euclid(DAY_US) + PG_EPOCH_DAYS;
        let shifts = self.shifts(rows, |row| finite(row).then(|| day(row)));
        let masked = values.values().iter().zip(shifts).map(|(micros, shift)| match shift {
            0 => *micros,
            _ => self.shift.timestamp(*micros, shift),
        });
        let masked: Vec<i64> = masked.collect();
        Ok(Arc::new(PrimitiveArray::<Int64Type>::new(masked.into(), values.nulls().cloned())))
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let read = self.shift.mask(value, At { row, rows }, &mut (), out);
        if read { Ok(()) } else { Err(MaskError::at(row, "the value is not a date")) }
    }
}

/// Reads a leading `YYYY-MM-DD` as days from 1970-01-01, and returns what follows it.
pub(super) fn read_date(text: &str) -> Option<(i64, &str)> {
    let (date, rest) = text.split_at_checked(10)?;
    let bytes = date.as_bytes();
    let digits = bytes.iter().enumerate().all(|(at, byte)| match at {
        4 | 7 => *byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let delimited = rest.chars().next().is_none_or(|c| !c.is_ascii_digit());
    // What follows may only be a time: letters would carry more than a date does.
    let time = rest.chars().all(|c| c.is_ascii_digit() || " TZ:.+-".contains(c));
    if !digits || !delimited || !time {
        return None;
    }
    let (year, month, day) = (date[..4].parse().ok()?, date[5..7].parse().ok()?, date[8..].parse().ok()?);
    let days = days_from_civil(year, month, day);
    (year >= 1 && civil(days) == (year, month, day)).then_some((days, rest))
}

/// Reads `YYYY-MM-DD` as days from 1970-01-01.
pub(super) fn read_day(text: &str) -> Option<i32> {
    read_date(text).filter(|date| date.1.is_empty()).and_then(|date| date.0.try_into().ok())
}

/// Appends a day as ISO 8601; years before 1 or after 9999 with sign or more digits.
pub fn push_date(days: i64, out: &mut String) {
    let (year, month, day) = civil(days);
    let _ = write!(out, "{year:04}-{month:02}-{day:02}");
}

/// Days from 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
pub(super) fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse of [`days_from_civil`].
pub(super) fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;

    fn shift(days: i64, step_days: i64) -> Shift {
        let key = MasterKey::test().realm("default").domain("date.shift/1", "");
        Shift { key, slot: None, steps: (days / step_days) as u64, step_days, sentinels: vec![2_932_896] }
    }

    #[test]
    fn shifts_match_the_golden_vectors() {
        assert_eq!(shift(180, 1).days("42"), 8);
        assert_eq!(shift(180, 1).days("bob@example.com"), -144);
    }

    #[test]
    fn shifts_are_never_zero_and_stay_in_range() {
        let (plain, weeks) = (shift(3, 1), shift(180, 7));
        let mut seen = std::collections::BTreeSet::new();
        for i in 0..2_000 {
            seen.insert(plain.days(&i.to_string()));
            let days = weeks.days(&i.to_string());
            assert!(days % 7 == 0 && days != 0 && days.abs() <= 175);
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [-3, -2, -1, 1, 2, 3]);
    }

    #[test]
    fn out_of_range_dates_go_the_other_way() {
        let shift = shift(180, 1);
        assert_eq!(shift.date(*DATE_RANGE.end(), 5), DATE_RANGE.end() - 5);
        assert_eq!(shift.date(*DATE_RANGE.start(), -5), DATE_RANGE.start() + 5);
        let last = TIMESTAMP_RANGE.end - 1;
        assert_eq!(shift.timestamp(last, 1), last - DAY_US);
        assert_eq!(shift.timestamp(TIMESTAMP_RANGE.start, -1), TIMESTAMP_RANGE.start + DAY_US);
        assert_eq!(shift.date(2_932_896, 5), 2_932_896, "a sentinel stays");
        // What has a year of four digits keeps one.
        let (first, last) = (days_from_civil(1, 1, 1), days_from_civil(9999, 12, 31));
        assert_eq!((first, last), (*USUAL.start(), *USUAL.end()));
        assert_eq!((shift.date(first, -5), shift.date(last - 1, 5)), (first + 5, last - 6));
        assert_eq!((shift.date(first - 1, 5), shift.date(last + 1, -5)), (first + 4, last - 4));
        let noon = |day: i64| (day - PG_EPOCH_DAYS) * DAY_US + DAY_US / 2;
        assert_eq!(shift.timestamp(noon(last - 1), 2), noon(last - 3));
        assert_eq!(shift.timestamp(noon(first), -2), noon(first + 2));
        assert_eq!(shift.timestamp(noon(last + 1), 2), noon(last + 3));
    }

    #[test]
    fn civil_dates_round_trip() {
        for days in (-2_440_588..3_000_000).step_by(997) {
            let (year, month, day) = civil(days);
            assert_eq!(days_from_civil(year, month, day), days);
        }
        assert_eq!(read_date("2000-01-01"), Some((PG_EPOCH_DAYS, "")));
        assert_eq!(read_date("2000-01-01T10:00:00Z").map(|date| date.1), Some("T10:00:00Z"));
        for text in ["2000-02-30", "2000-13-01", "0000-01-01", "2000-1-1", "2000-01-011", "2000-01-01 Bob", "x"] {
            assert_eq!(read_date(text), None, "{text}");
        }
    }
}
