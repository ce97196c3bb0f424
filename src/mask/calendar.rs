//! Dates by their value: `date.within_year/1`, `date.trunc/1`, `age.cap/1`. And `after`, which keeps two dates in order.

use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::quantity::canonical_integer;
use super::temporal::{
    DATE_RANGE, DAY_US, PG_EPOCH_DAYS, TIMESTAMP_RANGE, civil, days_from_civil, push_date, read_date, read_day,
};
use super::token::Perm;
use super::{Injective, Keeps, Kind, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use std::sync::{Arc, OnceLock};

const DATES: &[Takes] = &[Takes::Date, Takes::Timestamp, Takes::Text];

pub(super) static WITHIN_YEAR: Kind = Kind {
    name: "date.within_year",
    keeps: Keeps::INFINITY,
    remains: |_| super::Remains::Near,
    summary: "Permutes the days of each year: dates stay in their year, joinable and unique; the time of day stays",
    params: &[ON_INVALID],
    accepts: DATES,
    samples: &["1984-02-29", "1990-07-15"],
    compile: compile_within_year,
    ..TEXT
};

pub(super) static TRUNC: Kind = Kind {
    name: "date.trunc",
    keeps: Keeps::INFINITY,
    remains: |_| super::Remains::Open,
    summary: "Cuts dates to the first day of their week, month, quarter or year, and times to the hour or minute",
    params: &[
        Param {
            name: "unit",
            summary: "what is kept; day, hour and minute for timestamps only",
            domain: Domain::OneOf(&["decade", "year", "quarter", "month", "week", "day", "hour", "minute"]),
            default: "required",
        },
        AFTER,
        ON_INVALID,
    ],
    accepts: DATES,
    injective: Injective::No,
    ranges: true,
    samples: &["1990-07-15"],
    compile: compile_trunc,
    ..TEXT
};

pub(super) static AGE_CAP: Kind = Kind {
    name: "age.cap",
    keeps: Keeps::INFINITY,
    remains: |_| super::Remains::Open,
    summary: "Replaces ages over a limit by the limit plus one, and dates and years of birth before them likewise",
    params: &[
        Param {
            name: "age_max",
            summary: "largest age that stays",
            domain: Domain::Integer { min: 1, max: 150, unit: "years" },
            default: "89",
        },
        Param {
            name: "as_of",
            summary: "the day on which ages are counted, for dates and years: never today's",
            domain: Domain::Text,
            default: "required unless the column holds ages",
        },
        Param {
            name: "of",
            summary: "what whole numbers are: ages, or years of birth",
            domain: Domain::OneOf(&["age", "year"]),
            default: "age",
        },
        ON_INVALID,
    ],
    accepts: &[Takes::Date, Takes::Timestamp, Takes::Integer, Takes::Text],
    injective: Injective::No,
    samples: &["1921-07-15"],
    compile: compile_age_cap,
    ..TEXT
};

/// The name of the parameter that names a column whose dates come first.
pub const AFTER_PARAM: &str = "after";

/// The parameter of kinds that can put a date out of order.
pub(super) const AFTER: Param = Param {
    name: AFTER_PARAM,
    summary: "a masked column of the same type in the same row: dates that were not before it stay so",
    domain: Domain::Text,
    default: "none",
};

/// Wraps a mask of dates if the policy says `after`.
pub(super) fn not_before(
    compile: &Compile<'_>,
    mask: Box<dyn ColumnMask>,
) -> Result<Box<dyn ColumnMask>, CompileError> {
    let Some(name) = compile.word(AFTER_PARAM) else { return Ok(mask) };
    let table = compile.column_name().rsplit_once('.').map_or("", |(table, _)| table);
    let full = format!("{table}.{name}");
    let other = compile.table.columns.iter().enumerate().find(|(index, column)| {
        column.name == full && column.mask.is_some() && column.shape == compile.shape && *index != compile.column
    });
    // A leaf of a container stands in no order with another column.
    let whole = compile.table.columns.get(compile.column).is_some_and(|column| column.shape == compile.shape);
    match other {
        Some((other, _)) if whole && matches!(compile.shape, Shape::Date | Shape::Timestamp) => {
            Ok(Box::new(NotBefore { mask, other, shape: compile.shape.clone() }))
        }
        _ => Err(compile.bad_param(AFTER_PARAM, "another masked date or timestamp column, of the type of this one")),
    }
}

/// A mask of dates that are not before those of another column if they were not in the source.
struct NotBefore {
    mask: Box<dyn ColumnMask>,
    other: usize,
    shape: Shape,
}

impl NotBefore {
    fn typed<T: ArrowPrimitiveType>(
        &self,
        [raw, masked, raw_other, masked_other]: [&ArrayRef; 4],
        legal: impl Fn(i64) -> bool,
    ) -> Option<ArrayRef>
    where
        T::Native: Into<i64> + TryFrom<i64> + Ord,
    {
        let [raw, masked, raw_other, masked_other] = [
            raw.as_primitive_opt::<T>()?,
            masked.as_primitive_opt::<T>()?,
            raw_other.as_primitive_opt::<T>()?,
            masked_other.as_primitive_opt::<T>()?,
        ];
        let one = |row: usize| {
            let (date, first, bound) = (masked.value(row), raw_other.value(row), masked_other.value(row));
            let ordered = masked.is_valid(row) && masked_other.is_valid(row) && raw.value(row) >= first;
            if !ordered || date >= bound {
                return date;
            }
            // As long after it as in the source; infinities and the end of time leave no room for that.
            let gap = raw.value(row).into().checked_sub(first.into());
            let moved = gap.and_then(|gap| bound.into().checked_add(gap)).filter(|moved| legal(*moved));
            moved.and_then(|moved| T::Native::try_from(moved).ok()).unwrap_or(bound)
        };
        let values: Vec<T::Native> = (0..masked.len()).map(one).collect();
        Some(Arc::new(PrimitiveArray::<T>::new(values.into(), masked.nulls().cloned())))
    }
}

impl ColumnMask for NotBefore {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let masked = self.mask.apply(column, rows)?;
        let wrong = || MaskError::at(0, "the column named by `after` is not masked yet");
        let raw = rows.raw.get(self.other).ok_or_else(wrong)?;
        let other = rows.masked.get(self.other).and_then(Option::as_ref).ok_or_else(wrong)?;
        let columns = [column, &masked, raw, other];
        let ordered = match self.shape {
            Shape::Date => self.typed::<Date32Type>(columns, |days| DATE_RANGE.contains(&days)),
            _ => self.typed::<Int64Type>(columns, |micros| TIMESTAMP_RANGE.contains(&micros)),
        };
        ordered.ok_or_else(wrong)
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        self.mask.text(value, row, rows, out)
    }

    fn after(&self) -> Vec<usize> {
        let mut after = self.mask.after();
        after.push(self.other);
        after
    }
}

/// A function of the day, and of the time of the day if it says so.
enum Calendar {
    WithinYear(Box<Days>),
    Trunc(Unit),
    /// Births before `first` become `capped`; both are days from 1970-01-01.
    Cap {
        first: i64,
        capped: i64,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Unit {
    Decade,
    Year,
    Quarter,
    Month,
    Week,
    /// Of at most a day, in microseconds.
    Time(i64),
}

fn boxed(compile: &Compile<'_>, calendar: Calendar) -> Result<Box<dyn ColumnMask>, CompileError> {
    match compile.shape {
        Shape::Date | Shape::Timestamp => Ok(Box::new(CalendarColumn { calendar, shape: compile.shape.clone() })),
        Shape::Text { .. } => TextMask::boxed(compile, calendar),
        _ => Err(compile.wrong_shape()),
    }
}

fn compile_within_year(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    boxed(compile, Calendar::WithinYear(Box::new(Days::new(compile))))
}

fn compile_trunc(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let unit = match compile.word("unit") {
        Some("decade") => Unit::Decade,
        Some("year") => Unit::Year,
        Some("quarter") => Unit::Quarter,
        Some("month") => Unit::Month,
        Some("week") => Unit::Week,
        Some("day") => Unit::Time(DAY_US),
        Some("hour") => Unit::Time(DAY_US / 24),
        Some("minute") => Unit::Time(60_000_000),
        _ => return Err(compile.bad_param("unit", "given: \"month\", for example")),
    };
    if matches!(unit, Unit::Time(_)) && compile.shape != Shape::Timestamp {
        return Err(compile.bad_param("unit", "a week or longer: a date has no time that could be cut"));
    }
    not_before(compile, boxed(compile, Calendar::Trunc(unit))?)
}

fn compile_age_cap(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let age_max = compile.number("age_max").unwrap_or(89);
    let whole = matches!(compile.shape, Shape::Int2 | Shape::Int4 | Shape::Int8);
    if whole && compile.word("of") != Some("year") {
        return Ok(Box::new(WholeCap { limit: age_max + 1, upper: true, shape: compile.shape.clone() }));
    }
    let wrong = || compile.bad_param("as_of", "a day: \"2026-01-01\"");
    let as_of = compile.word("as_of").and_then(read_day).ok_or_else(wrong)?;
    let (year, month, day) = civil(as_of.into());
    // Whoever was born on that day or later is at most `age_max`; a 29th of February is reached on the 1st of March.
    let birthday = days_from_civil(year - age_max - 1, month, day) + 1;
    let capped = year - age_max - 1;
    if whole {
        return Ok(Box::new(WholeCap { limit: capped, upper: false, shape: compile.shape.clone() }));
    }
    boxed(compile, Calendar::Cap { first: birthday, capped: days_from_civil(capped, 1, 1) })
}

/// Years whose permutations are kept ready.
const RECENT_YEARS: std::ops::Range<i64> = 1_850..2_150;

/// The permutations of the days of each year.
pub(super) struct Days {
    key: DomainKey,
    recent: [OnceLock<Perm>; RECENT_YEARS.end as usize - RECENT_YEARS.start as usize],
}

impl Days {
    /// The permutations of the kind and label that are compiled.
    pub fn new(compile: &Compile<'_>) -> Self {
        let key = compile.realm.domain(&compile.spec.kind, &compile.spec.label);
        Self { key, recent: std::array::from_fn(|_| OnceLock::new()) }
    }

    /// Permutes a day within its year, past those that are not legal.
    pub fn mask(&self, days: i64, legal: impl Fn(i64) -> bool) -> i64 {
        let (year, ..) = civil(days);
        let first = days_from_civil(year, 1, 1);
        let length = days_from_civil(year + 1, 1, 1) - first;
        let made = || {
            let year = (year as i32).to_le_bytes();
            Perm::new(&self.key, length as u128, &[b"doy".as_slice(), &year].concat())
        };
        let walk = |perm: &Perm| first + perm.walk((days - first) as u128, |y| legal(first + y as i64)) as i64;
        let recent = RECENT_YEARS.contains(&year).then(|| &self.recent[(year - RECENT_YEARS.start) as usize]);
        match recent {
            Some(perm) => walk(perm.get_or_init(made)),
            None => walk(&made()),
        }
    }
}

impl Calendar {
    /// Masks a day; the result may be before the first day PostgreSQL stores, then `legal` refuses it.
    fn day(&self, days: i64, legal: impl Fn(i64) -> bool) -> i64 {
        let masked = match self {
            Self::WithinYear(permuted) => return permuted.mask(days, legal),
            Self::Cap { first, capped } => {
                if days < *first {
                    *capped
                } else {
                    days
                }
            }
            Self::Trunc(unit) => {
                let (year, month, _) = civil(days);
                match unit {
                    Unit::Decade => days_from_civil(year.div_euclid(10) * 10, 1, 1),
                    Unit::Year => days_from_civil(year, 1, 1),
                    Unit::Quarter => days_from_civil(year, (month - 1) / 3 * 3 + 1, 1),
                    Unit::Month => days_from_civil(year, month, 1),
                    // 1970-01-01 was a Thursday; weeks begin on Monday.
                    Unit::Week => days - (days + 3).rem_euclid(7),
                    Unit::Time(_) => days,
                }
            }
        };
        if legal(masked) { masked } else { *DATE_RANGE.start() }
    }

    fn timestamp(&self, micros: i64) -> i64 {
        if let Self::Trunc(Unit::Time(unit)) = self {
            return micros - micros.rem_euclid(*unit);
        }
        let (day, time) = (micros.div_euclid(DAY_US), micros.rem_euclid(DAY_US));
        let legal = |days: i64| {
            (days - PG_EPOCH_DAYS).checked_mul(DAY_US).is_some_and(|micros| TIMESTAMP_RANGE.contains(&micros))
        };
        let masked = self.day(day + PG_EPOCH_DAYS, legal);
        let changed = masked != day + PG_EPOCH_DAYS;
        let kept = match self {
            Self::WithinYear(_) => time,
            Self::Trunc(_) => 0,
            Self::Cap { .. } => {
                if changed {
                    0
                } else {
                    time
                }
            }
        };
        // The last day of the range is whole, the first one too.
        (masked - PG_EPOCH_DAYS) * DAY_US + kept
    }
}

/// A leading `YYYY-MM-DD`, followed by nothing or by a time, which is kept with the day or becomes midnight.
impl TextKind for Calendar {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let Some((days, rest)) = read_date(value) else { return false };
        let masked = self.day(days, |days| (1..=9999).contains(&civil(days).0));
        let (masked, kept) = match self {
            Self::WithinYear(_) => (masked, true),
            // Year 0 is no year of a text.
            Self::Trunc(_) => (masked.max(days_from_civil(1, 1, 1)), false),
            Self::Cap { .. } => (masked, masked == days),
        };
        push_date(masked, out);
        let zero = |c: char| if c.is_ascii_digit() && !kept { '0' } else { c };
        out.extend(rest.chars().map(zero));
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        read_date(value).is_some()
    }
}

struct CalendarColumn {
    calendar: Calendar,
    shape: Shape,
}

const WRONG: &str = "the column was decoded in another shape than its mask was compiled for";

/// Masks every value that is there.
fn each<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    mask: impl Fn(T::Native) -> T::Native,
) -> Result<ArrayRef, MaskError> {
    let values = column.as_primitive_opt::<T>().ok_or_else(|| MaskError::at(0, WRONG))?;
    let masked = values.values().iter().enumerate();
    let masked: Vec<T::Native> =
        masked.map(|(row, value)| if values.is_valid(row) { mask(*value) } else { *value }).collect();
    Ok(Arc::new(PrimitiveArray::<T>::new(masked.into(), values.nulls().cloned())))
}

impl ColumnMask for CalendarColumn {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        if self.shape == Shape::Date {
            return each::<Date32Type>(column, |days| match days {
                i32::MIN | i32::MAX => days,
                _ => self.calendar.day(days.into(), |days| DATE_RANGE.contains(&days)) as i32,
            });
        }
        each::<Int64Type>(column, |micros| match micros {
            i64::MIN | i64::MAX => micros,
            _ => self.calendar.timestamp(micros).max(TIMESTAMP_RANGE.start),
        })
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let read = self.calendar.mask(value, At { row, rows }, &mut (), out);
        if read { Ok(()) } else { Err(MaskError::at(row, "the value is not a date")) }
    }
}

/// `age.cap/1` on ages and years of birth.
struct WholeCap {
    limit: i64,
    /// The limit is the largest that stays, else the least.
    upper: bool,
    shape: Shape,
}

impl WholeCap {
    fn mask(&self, value: i64) -> i64 {
        if self.upper { value.min(self.limit) } else { value.max(self.limit) }
    }
}

impl ColumnMask for WholeCap {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        // Limits are ages and years, which fit every type.
        match self.shape {
            Shape::Int2 => each::<Int16Type>(column, |value| self.mask(value.into()) as i16),
            Shape::Int4 => each::<Int32Type>(column, |value| self.mask(value.into()) as i32),
            _ => each::<Int64Type>(column, |value| self.mask(value)),
        }
    }

    fn text(&self, value: &str, row: usize, _rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let number = canonical_integer(value).ok_or(MaskError::at(row, "the value is not a whole number"))?;
        out.push_str(&self.mask(number).to_string());
        Ok(())
    }

    fn integer(&self, value: i64, _row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        Ok(Some(self.mask(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;
    use std::collections::HashSet;

    fn within() -> Calendar {
        let key = MasterKey::test().realm("default").domain("date.within_year/1", "");
        Calendar::WithinYear(Box::new(Days { key, recent: std::array::from_fn(|_| OnceLock::new()) }))
    }

    fn day(text: &str) -> i64 {
        read_day(text).unwrap().into()
    }

    fn shown(days: i64) -> String {
        let mut out = String::new();
        push_date(days, &mut out);
        out
    }

    fn mask(calendar: &Calendar, text: &str) -> String {
        shown(calendar.day(day(text), |days| DATE_RANGE.contains(&days)))
    }

    #[test]
    fn days_of_a_year_match_the_golden_vectors() {
        assert_eq!(mask(&within(), "1984-02-29"), "1984-02-06");
        assert_eq!(mask(&within(), "1990-07-15"), "1990-05-18");
    }

    #[test]
    fn days_of_a_year_are_permuted_and_times_stay() {
        let within = within();
        for year in [1984, 1990, 1, 9999] {
            let days: Vec<i64> = (days_from_civil(year, 1, 1)..days_from_civil(year + 1, 1, 1)).collect();
            let masks: HashSet<i64> = days.iter().map(|day| within.day(*day, |_| true)).collect();
            assert_eq!(masks, days.into_iter().collect());
        }
        let noon = (day("1990-07-15") - PG_EPOCH_DAYS) * DAY_US + DAY_US / 2 + 7;
        assert_eq!(within.timestamp(noon), (day("1990-05-18") - PG_EPOCH_DAYS) * DAY_US + DAY_US / 2 + 7);
    }

    #[test]
    fn the_first_year_of_postgresql_is_permuted_inside_its_range() {
        let within = within();
        let first = *DATE_RANGE.start();
        let days: Vec<i64> = (first..=first + 37).collect();
        let masks: HashSet<i64> = days.iter().map(|day| within.day(*day, |days| DATE_RANGE.contains(&days))).collect();
        assert_eq!(masks, days.iter().copied().collect());
        let year = Calendar::Trunc(Unit::Year);
        assert_eq!(year.day(first + 5, |days| DATE_RANGE.contains(&days)), first);
        assert!(year.timestamp(TIMESTAMP_RANGE.start + 5).max(TIMESTAMP_RANGE.start) == TIMESTAMP_RANGE.start);
    }

    #[test]
    fn dates_stay_after_the_column_they_follow() {
        use crate::mask::batch::RawBatch;
        use crate::mask::{ColumnSpec, MaskSpec, Masker, TableSpec};
        use arrow_array::{Date32Array, Int64Array};
        let spec = |params: serde_json::Value, subject| {
            let params = params.as_object().unwrap().clone();
            Some(MaskSpec { kind: "date.shift/1".to_owned(), label: String::new(), params, subject: Some(subject) })
        };
        let column = |name: &str, shape, mask| ColumnSpec { name: name.to_owned(), shape, mask };
        let table = |after: &str| TableSpec {
            columns: vec![
                column("t.shipped", Shape::Date, spec(serde_json::json!({ "after": after }), 3)),
                column("t.ordered", Shape::Date, spec(serde_json::json!({}), 2)),
                column("t.customer", Shape::Int8, None),
                column("t.carrier", Shape::Int8, None),
            ],
            ..TableSpec::default()
        };
        let realm = MasterKey::test().realm("default");
        let masker = Masker::compile(&realm, &table("ordered")).unwrap();
        let rows = 500_i32;
        // One in five was shipped before it was ordered; that stays as it falls.
        let ordered: Vec<i32> = (0..rows).map(|row| row * 10).collect();
        let shipped: Vec<i32> = ordered.iter().map(|day| if day % 50 == 0 { day - 9 } else { day + 3 }).collect();
        let ids = |first: i64| Arc::new(Int64Array::from_iter_values(first..first + i64::from(rows))) as ArrayRef;
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Date32Array::from(shipped)), Arc::new(Date32Array::from(ordered)), ids(1), ids(100_000)];
        let raw = RawBatch { rows: rows as usize, wire: Default::default(), gaps: Vec::new(), columns };
        let masked = masker.apply(raw).unwrap();
        let days = |column: usize| masked.columns()[column].as_primitive::<Date32Type>().values().to_vec();
        let pairs: Vec<(i32, i32)> = days(0).into_iter().zip(days(1)).collect();
        assert!(pairs.iter().enumerate().all(|(row, (shipped, ordered))| row % 5 == 0 || shipped >= ordered));
        assert!(pairs.iter().any(|(shipped, ordered)| shipped < ordered));
        for wrong in ["customer", "nothing", "shipped"] {
            assert!(Masker::compile(&realm, &table(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn dates_are_cut_to_units() {
        let cut = |unit, text| mask(&Calendar::Trunc(unit), text);
        assert_eq!(cut(Unit::Decade, "1990-07-15"), "1990-01-01");
        assert_eq!(cut(Unit::Year, "1990-07-15"), "1990-01-01");
        assert_eq!(cut(Unit::Quarter, "1990-08-15"), "1990-07-01");
        assert_eq!(cut(Unit::Quarter, "1990-12-31"), "1990-10-01");
        assert_eq!(cut(Unit::Month, "1990-07-15"), "1990-07-01");
        // A Sunday, a Monday, and a Wednesday before 1970.
        assert_eq!(cut(Unit::Week, "2026-11-22"), "2026-11-16");
        assert_eq!(cut(Unit::Week, "2026-11-16"), "2026-11-16");
        assert_eq!(cut(Unit::Week, "1969-12-31"), "1969-12-29");
        assert_eq!(Calendar::Trunc(Unit::Time(60_000_000)).timestamp(-1), -60_000_000);
        assert_eq!(Calendar::Trunc(Unit::Month).timestamp(DAY_US + 5), 0);
    }
}
