//! Days of birth that agree with a national number of the row: `date.from_id/1`.
//!
//! Frozen: the day is the one that the masked number tells; where the number has two digits of a year, in the century that
//! brings it nearest to the year of the value. A row whose number is NULL or not valid, and a mask without `from`, permutes
//! the days of the year as `date.within_year/1` does, under K_dom of `date.from_id/1`. Times of day stay.

use super::calendar::Days;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::national;
use super::temporal::{
    DATE_RANGE, DAY_US, PG_EPOCH_DAYS, TIMESTAMP_RANGE, civil, days_from_civil, push_date, read_date,
};
use super::{Injective, Keeps, KeyedOn, Kind, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray};
use std::sync::Arc;

pub(super) static FROM_ID: Kind = Kind {
    name: "date.from_id",
    remains: |_| super::Remains::Near,
    keeps: Keeps::INFINITY,
    summary: "Gives the day of birth that the masked national number of the row tells, so that both agree",
    params: &[
        Param {
            name: "from",
            summary: "column of the row that is masked by be.nn, cn.ric, dk.cpr, fi.hetu, it.cf, no.fnr, pl.pesel, se.pnr or za.id; where it holds no valid number, the days of the year are permuted",
            domain: Domain::Text,
            default: "the days of each year are permuted",
        },
        ON_INVALID,
    ],
    accepts: &[Takes::Date, Takes::Timestamp, Takes::Text],
    keyed_on: KeyedOn::Row,
    injective: Injective::No,
    columns: |params| params.get("from").and_then(|name| name.as_str()).map(ToOwned::to_owned).into_iter().collect(),
    samples: &["1985-07-30", "1990-07-15"],
    compile,
    ..TEXT
};

/// The masked column of numbers, and what they are.
struct Id {
    column: usize,
    kind: &'static str,
}

struct Born {
    id: Option<Id>,
    days: Days,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let id = match compile.word("from") {
        None => None,
        Some(name) => {
            let column = compile.column_beside(name).filter(|column| *column != compile.column);
            let found = column.and_then(|column| {
                let known = &compile.table.columns[column];
                let kind = super::kind(&known.mask.as_ref()?.kind)?;
                let dated = matches!(known.shape, Shape::Text { .. }) && national::tells_birth(kind.name);
                dated.then_some(Id { column, kind: kind.name })
            });
            let expected =
                "a text column of the same table whose mask is a national number that tells the day of birth";
            Some(found.ok_or_else(|| compile.bad_param("from", expected))?)
        }
    };
    let born = Born { id, days: Days::new(compile) };
    match compile.shape {
        Shape::Date | Shape::Timestamp => Ok(Box::new(BornColumn { born, shape: compile.shape.clone() })),
        Shape::Text { .. } => TextMask::boxed(compile, born),
        _ => Err(compile.wrong_shape()),
    }
}

impl Born {
    /// The day for a day of a row, both from 1970-01-01; `legal` says which the column can hold.
    fn day(&self, days: i64, at: At<'_>, legal: impl Fn(i64) -> bool) -> i64 {
        self.told(days, at).filter(|told| legal(*told)).unwrap_or_else(|| self.days.mask(days, legal))
    }

    fn told(&self, days: i64, at: At<'_>) -> Option<i64> {
        let Id { column, kind } = self.id.as_ref()?;
        let numbers = at.rows.masked.get(*column)?.as_ref()?.as_string_opt::<i32>()?;
        let row = at.rows.row(at.row);
        let number = (row < numbers.len() && numbers.is_valid(row)).then(|| numbers.value(row))?;
        let (year, month, day) = national::born(kind, number, civil(days).0)?;
        Some(days_from_civil(year, month, day))
    }
}

/// `date.from_id/1` on text: a leading `YYYY-MM-DD`, followed by nothing or by a time, which stays.
impl TextKind for Born {
    type Scratch = ();

    fn mask(&self, value: &str, at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        let Some((days, rest)) = read_date(value) else { return false };
        push_date(self.day(days, at, |days| (1..=9999).contains(&civil(days).0)), out);
        out.push_str(rest);
        true
    }

    fn reads(&self, value: &str, _scratch: &mut ()) -> bool {
        read_date(value).is_some()
    }

    fn after(&self) -> Vec<usize> {
        self.id.iter().map(|id| id.column).collect()
    }
}

/// `date.from_id/1` on a date or timestamp column.
struct BornColumn {
    born: Born,
    shape: Shape,
}

impl ColumnMask for BornColumn {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
        if self.shape == Shape::Date {
            let values = column.as_primitive_opt::<Date32Type>().ok_or_else(wrong)?;
            let masked = (0..values.len()).map(|row| match values.value(row) {
                days if values.is_null(row) || matches!(days, i32::MAX | i32::MIN) => days,
                days => self.born.day(days.into(), At { row, rows }, |days| DATE_RANGE.contains(&days)) as i32,
            });
            let masked: Vec<i32> = masked.collect();
            return Ok(Arc::new(PrimitiveArray::<Date32Type>::new(masked.into(), values.nulls().cloned())));
        }
        let values = column.as_primitive_opt::<Int64Type>().ok_or_else(wrong)?;
        let masked = (0..values.len()).map(|row| {
            let micros = values.value(row);
            if values.is_null(row) || matches!(micros, i64::MAX | i64::MIN) {
                return micros;
            }
            let (day, time) = (micros.div_euclid(DAY_US) + PG_EPOCH_DAYS, micros.rem_euclid(DAY_US));
            let whole = |day: i64| (day - PG_EPOCH_DAYS).checked_mul(DAY_US)?.checked_add(time);
            let legal = |day: i64| whole(day).is_some_and(|micros| TIMESTAMP_RANGE.contains(&micros));
            whole(self.born.day(day, At { row, rows }, legal)).unwrap_or(micros)
        });
        let masked: Vec<i64> = masked.collect();
        Ok(Arc::new(PrimitiveArray::<Int64Type>::new(masked.into(), values.nulls().cloned())))
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let read = self.born.mask(value, At { row, rows }, &mut (), out);
        if read { Ok(()) } else { Err(MaskError::at(row, "the value is not a date")) }
    }

    fn after(&self) -> Vec<usize> {
        self.born.after()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::batch::RawBatch;
    use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, TableSpec};
    use arrow_array::{Date32Array, StringViewArray};

    /// Values of a column as people read them.
    type Written = Vec<Option<String>>;

    /// Masks numbers, and days beside them.
    fn masked(
        id_kind: &str,
        numbers: &[Option<&str>],
        days: &[Option<&str>],
    ) -> Result<(Written, Written), CompileError> {
        let mask = |kind: &str, json: &str| {
            let params = serde_json::from_str(json).expect("JSON");
            Some(MaskSpec { kind: kind.to_owned(), label: String::new(), params, subject: None })
        };
        let columns = vec![
            ColumnSpec {
                name: "public.t.born".to_owned(),
                shape: Shape::Date,
                mask: mask("date.from_id/1", r#"{"from":"nr"}"#),
            },
            ColumnSpec { name: "public.t.nr".to_owned(), shape: Shape::TEXT, mask: mask(id_kind, "{}") },
        ];
        let table = TableSpec { columns, ..TableSpec::default() };
        let masker =
            Masker::compile(&MasterKey::test().realm("default"), &table).map_err(|mut errors| errors.remove(0))?;
        let days: Date32Array =
            days.iter().map(|day| day.map(|day| crate::mask::temporal::read_day(day).expect("a day"))).collect();
        let columns: Vec<ArrayRef> =
            vec![Arc::new(days), Arc::new(numbers.iter().copied().collect::<StringViewArray>())];
        let raw = RawBatch { rows: numbers.len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
        let out = masker.apply(raw).expect("masked");
        let written = |days: i32| {
            let mut text = String::new();
            push_date(days.into(), &mut text);
            text
        };
        let born = out.columns()[0].as_primitive::<Date32Type>().iter().map(|days| days.map(written)).collect();
        let numbers = out.columns()[1].as_string::<i32>().iter().map(|number| number.map(str::to_owned)).collect();
        Ok((numbers, born))
    }

    #[test]
    fn days_are_those_of_the_masked_number() {
        // A golden mask of its kind: 1944-05-14 becomes the 29th of November.
        let (numbers, born) = masked("pl.pesel/1", &[Some("44051401359")], &[Some("1944-05-14")]).expect("compiles");
        assert_eq!(numbers[0].as_deref(), Some("44112936578"));
        assert_eq!(born[0].as_deref(), Some("1944-11-29"));
        let (numbers, born) = masked("be.nn/1", &[Some("17073003384")], &[Some("2017-07-30")]).expect("compiles");
        assert_eq!((numbers[0].as_deref(), born[0].as_deref()), (Some("17040122562"), Some("2017-04-01")));
        // The digits of these stand as the number writes them.
        for (kind, number, day, at) in [
            ("se.pnr/1", "880320-0016", "1988-03-20", [2, 4]),
            ("se.pnr/1", "198803200016", "1988-03-20", [4, 6]),
            ("fi.hetu/1", "131052-308T", "1952-10-13", [2, 0]),
            ("no.fnr/1", "15108695088", "1986-10-15", [2, 0]),
            ("dk.cpr/1", "211062-5629", "1862-10-21", [2, 0]),
            ("cn.ric/1", "360426199101010071", "1991-01-01", [10, 12]),
            ("za.id/1", "7503305044089", "1975-03-30", [2, 4]),
        ] {
            let (numbers, born) = masked(kind, &[Some(number)], &[Some(day)]).expect("compiles");
            let (number, born) = (numbers[0].as_deref().expect("a number"), born[0].as_deref().expect("a day"));
            let [month, day_at] = at.map(|at| &number[at..at + 2]);
            assert_eq!(born, format!("{}-{month}-{day_at}", &day[..4]), "{kind}: {number}");
        }
        // Months are letters and days of women have 40 added.
        let (numbers, born) = masked("it.cf/1", &[Some("RCCMNL83S18D969H")], &[Some("1983-11-18")]).expect("compiles");
        let (number, born) = (numbers[0].as_deref().expect("a number"), born[0].as_deref().expect("a day"));
        let month = "ABCDEHLMPRST".find(&number[8..9]).expect("a month") + 1;
        assert_eq!(born, format!("1983-{month:02}-{}", &number[9..11]));
    }

    #[test]
    fn days_beside_no_valid_number_are_permuted_and_null_stays() {
        let days = [Some("1944-05-14"), Some("1944-05-14"), None, Some("1944-05-14")];
        let numbers = [None, Some("44051401358"), Some("44051401359"), Some("44051401359")];
        let (_, born) = masked("pl.pesel/1", &numbers, &days).expect("compiles");
        assert_eq!(born[0], born[1], "by the value");
        assert!(born[0].as_deref().is_some_and(|day| day.starts_with("1944-")));
        assert_eq!((&born[2], born[3].as_deref()), (&None, Some("1944-11-29")));
    }

    #[test]
    fn centuries_are_those_of_the_value() {
        let day = |day: &str| {
            let (_, born) = masked("za.id/1", &[Some("7503305044089")], &[Some(day)]).expect("compiles");
            born[0].clone().expect("a day")[..4].to_owned()
        };
        assert_eq!(
            (day("1975-03-30"), day("1976-01-01"), day("2060-01-01")),
            ("1975".into(), "1975".into(), "2075".into())
        );
    }

    #[test]
    fn columns_that_tell_no_birth_are_refused() {
        for kind in ["us.ssn/1", "fr.nir/1", "pattern/1"] {
            assert!(masked(kind, &[None], &[None]).is_err(), "{kind}");
        }
    }
}
