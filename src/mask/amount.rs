//! Amounts: `num.noise/1`, `num.scale/1`, `num.bucket/1`, `num.cap/1`.
//!
//! All arithmetic is exact, on decimal digits, for whole numbers, `numeric`, floats and texts alike; a float is its
//! shortest decimal writing. NaN and infinities stay, and no other float becomes one.
//!
//! ```toml
//! salary = { mask = "num.noise", subject = "employee_id", ratio_ppm = 150000 }
//! total  = { mask = "num.scale", subject = "customer_id" }
//! income = { mask = "num.bucket", width = 5000 }
//! debt   = { mask = "num.cap", max = "250000.00" }
//! ```

use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::decimal::{Decimal, Width};
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::token::{Purpose, frame, word};
use super::{Injective, Keeps, KeyedOn, Kind, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, PrimitiveArray};
use serde_json::Value;
use std::cmp::Ordering;
use std::fmt::Write;
use std::sync::Arc;

const RATIO: Param = Param {
    name: "ratio_ppm",
    summary: "largest change: 100000 is 10 % in either direction",
    domain: Domain::Integer { min: 1, max: 900_000, unit: "millionths" },
    default: "100000",
};

const ACCEPTS: &[Takes] = &[Takes::Integer, Takes::Numeric, Takes::Float, Takes::Text];

/// What the four have in common.
const AMOUNT: Kind =
    Kind { accepts: ACCEPTS, injective: Injective::No, samples: &["1250.00", "-3", "0"], compile, ..TEXT };

pub(super) static NOISE: Kind = Kind {
    name: "num.noise",
    keeps: Keeps::ZERO,
    // Small or round amounts stay.
    remains: |_| super::Remains::Open,
    summary: "Moves each amount up or down by a secret share of itself; sign, zero and decimal places stay, and small whole numbers may",
    params: &[RATIO, ON_INVALID],
    keyed_on: KeyedOn::Subject,
    needs_subject: true,
    ..AMOUNT
};

pub(super) static SCALE: Kind = Kind {
    name: "num.scale",
    keeps: Keeps::ZERO,
    remains: |_| super::Remains::Part,
    summary: "Multiplies all amounts of a person in a column by one secret factor; order, sign and zero stay, and small whole numbers may",
    params: &[RATIO, ON_INVALID],
    keyed_on: KeyedOn::Subject,
    ranges: true,
    needs_subject: true,
    ..AMOUNT
};

pub(super) static BUCKET: Kind = Kind {
    name: "num.bucket",
    keeps: Keeps::ZERO,
    // Small or round amounts stay.
    remains: |_| super::Remains::Open,
    summary: "Rounds amounts down to the next multiple of a width",
    params: &[
        Param {
            name: "width",
            summary: "distance of two buckets, a positive number: 1000 or \"0.5\"",
            domain: Domain::Any,
            default: "required",
        },
        ON_INVALID,
    ],
    ..AMOUNT
};

pub(super) static CAP: Kind = Kind {
    name: "num.cap",
    remains: |_| super::Remains::Open,
    summary: "Replaces amounts beyond a limit by the limit",
    params: &[
        Param { name: "min", summary: "least amount that stays", domain: Domain::Any, default: "none" },
        Param { name: "max", summary: "largest amount that stays", domain: Domain::Any, default: "none" },
        ON_INVALID,
    ],
    ..AMOUNT
};

enum Op {
    /// A secret share, per value or per subject.
    Share {
        ratio_ppm: u64,
        per_value: bool,
    },
    Bucket(Width),
    Cap {
        min: Option<Decimal>,
        max: Option<Decimal>,
    },
}

struct Amount {
    op: Op,
    key: DomainKey,
    slot: Option<usize>,
    /// The name of the column without its table: two columns of a person are moved differently.
    column: String,
    shape: Shape,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let kind = &compile.spec.kind;
    let decimal = |param: &str| match compile.spec.params.get(param) {
        None => Ok(None),
        Some(value) => match read_param(value) {
            Some(decimal) if fits(&compile.shape, &decimal) => Ok(Some(decimal)),
            _ => Err(compile.bad_param(param, "a number that the column can hold")),
        },
    };
    let op = match kind.split('/').next() {
        Some("num.bucket") => {
            let width = decimal("width")?.as_ref().and_then(Width::of);
            Op::Bucket(width.ok_or_else(|| compile.bad_param("width", "a positive number of at most 18 digits"))?)
        }
        Some("num.cap") => {
            let (min, max) = (decimal("min")?, decimal("max")?);
            match (&min, &max) {
                (None, None) => return Err(compile.bad_param("max", "given, or `min`, or both")),
                (Some(min), Some(max)) if min.compare(max).is_gt() => {
                    return Err(compile.bad_param("max", "at least `min`"));
                }
                _ => Op::Cap { min, max },
            }
        }
        name => {
            let ratio_ppm = compile.number("ratio_ppm").unwrap_or(100_000).unsigned_abs();
            Op::Share { ratio_ppm, per_value: name == Some("num.noise") }
        }
    };
    let amount = Amount {
        op,
        key: compile.realm.domain(kind, &compile.spec.label),
        slot: compile.subject,
        column: compile.column_name().rsplit('.').next().unwrap_or_default().to_owned(),
        shape: compile.shape.clone(),
    };
    match compile.shape {
        Shape::Text { .. } => TextMask::boxed(compile, amount),
        _ => Ok(Box::new(AmountColumn(amount))),
    }
}

/// Reads a number, or a string that holds one.
pub(super) fn read_param(value: &Value) -> Option<Decimal> {
    let mut decimal = Decimal::default();
    let read = match value {
        Value::Number(number) => decimal.read_text(&number.to_string()),
        Value::String(text) => decimal.read_text(text),
        _ => false,
    };
    read.then_some(decimal)
}

/// Tells whether a column can hold the number, with all of its decimal places.
pub(super) fn fits(shape: &Shape, value: &Decimal) -> bool {
    let whole = |min: i64, max: i64| value.integer().is_some_and(|number| (min..=max).contains(&number));
    match shape {
        Shape::Int2 => whole(i16::MIN.into(), i16::MAX.into()),
        Shape::Int4 => whole(i32::MIN.into(), i32::MAX.into()),
        Shape::Int8 => whole(i64::MIN, i64::MAX),
        Shape::Numeric { limit: Some((precision, scale)) } => {
            let below = (usize::from(*precision) as isize) - isize::from(*scale);
            value.exponent().is_none_or(|exponent| exponent < below)
                && value.scale() <= usize::try_from(*scale).unwrap_or(0)
        }
        Shape::Text { chars_max: Some(chars_max), .. } => {
            let mut text = String::new();
            value.push_text(&mut text);
            text.len() <= *chars_max as usize
        }
        _ => true,
    }
}

/// Buffers of one worker.
#[derive(Default)]
struct Scratch {
    value: Decimal,
    change: Decimal,
    text: String,
}

impl Amount {
    /// Masks the number in `scratch.value`.
    fn mask(&self, subject: Option<&str>, scratch: &mut Scratch) {
        if scratch.value.is_zero() && !matches!(self.op, Op::Cap { .. }) {
            return;
        }
        match &self.op {
            Op::Share { ratio_ppm, per_value } => {
                let u = self.draw(subject, *per_value, scratch);
                self.share(*ratio_ppm, u, scratch);
            }
            Op::Bucket(width) => {
                scratch.change.clone_from(&scratch.value);
                scratch.value.floor_to(width);
                if !fits(&self.shape, &scratch.value) {
                    // Below the least number of the type: the bucket above, or the value if there is none.
                    scratch.value.add(&width.decimal());
                    if !fits(&self.shape, &scratch.value) {
                        scratch.value.clone_from(&scratch.change);
                    }
                }
            }
            Op::Cap { min, max } => {
                let limit = match (min, max) {
                    (Some(min), _) if scratch.value.compare(min) == Ordering::Less => min,
                    (_, Some(max)) if scratch.value.compare(max) == Ordering::Greater => max,
                    _ => return,
                };
                let scale = scratch.value.scale().max(limit.scale());
                scratch.value.clone_from(limit);
                scratch.value.truncate(scale);
                if !fits(&self.shape, &scratch.value) {
                    scratch.value.clone_from(limit);
                }
            }
        }
    }

    /// The secret number of a value: of the subject and the column, and for noise of the value too.
    fn draw(&self, subject: Option<&str>, per_value: bool, scratch: &mut Scratch) -> u64 {
        scratch.text.clear();
        if per_value || subject.is_none() {
            scratch.value.push_text(&mut scratch.text);
            // 1.50 is 1.5.
            if scratch.text.contains('.') {
                let kept = scratch.text.trim_end_matches('0').trim_end_matches('.').len();
                scratch.text.truncate(kept);
            }
        }
        let parts = [subject.unwrap_or_default(), &self.column, &scratch.text].map(str::as_bytes);
        word(&self.key.hash(Purpose::Stream, &frame(&parts)), 0)
    }

    /// v + trunc(v·p·(u-2^63) / (10^6·2^63)), to the decimal places of v.
    fn share(&self, ratio_ppm: u64, u: u64, scratch: &mut Scratch) {
        let Scratch { value, change, .. } = scratch;
        let scale = value.scale();
        change.clone_from(value);
        change.multiply(ratio_ppm);
        change.multiply(u.abs_diff(1 << 63));
        change.divide(1_000_000);
        change.divide(1 << 63);
        change.truncate(scale);
        if u < 1 << 63 {
            change.negate();
        }
        value.add(change);
        if !fits(&self.shape, value) {
            // Toward zero there is always room.
            change.negate();
            value.add(change);
            value.add(change);
        }
    }
}

impl TextKind for Amount {
    type Scratch = Scratch;

    fn mask(&self, value: &str, at: At<'_>, scratch: &mut Scratch, out: &mut String) -> bool {
        if !scratch.value.read_text(value) {
            return false;
        }
        self.mask(at.subject(self.slot), scratch);
        scratch.value.push_text(out);
        true
    }

    fn reads(&self, value: &str, scratch: &mut Scratch) -> bool {
        scratch.value.read_text(value)
    }
}

/// An amount in a column of numbers.
struct AmountColumn(Amount);

const WRONG: &str = "the column was decoded in another shape than its mask was compiled for";

impl AmountColumn {
    fn mask(&self, row: usize, rows: &Rows<'_>, scratch: &mut Scratch) {
        self.0.mask(self.0.slot.and_then(|slot| rows.subject(slot, row)), scratch);
    }

    fn integers<T: ArrowPrimitiveType>(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError>
    where
        T::Native: Into<i64> + TryFrom<i64>,
    {
        let mut scratch = Scratch::default();
        each::<T>(column, |row, value| {
            scratch.value.set_integer(value.into());
            self.mask(row, rows, &mut scratch);
            scratch.value.integer().and_then(|number| number.try_into().ok())
        })
    }

    /// Masks floats; what gets beyond the largest number of the type is that number.
    fn floats<T: ArrowPrimitiveType>(
        &self,
        column: &ArrayRef,
        rows: &Rows<'_>,
        largest: T::Native,
    ) -> Result<ArrayRef, MaskError>
    where
        T::Native: std::fmt::Display + std::str::FromStr + std::ops::Neg<Output = T::Native> + Into<f64>,
    {
        let (mut scratch, mut digits) = (Scratch::default(), String::new());
        each::<T>(column, |row, value| {
            digits.clear();
            let _ = write!(digits, "{value}");
            if !scratch.value.read_text(&digits) {
                return Some(value);
            }
            self.mask(row, rows, &mut scratch);
            digits.clear();
            scratch.value.push_text(&mut digits);
            let masked: T::Native = digits.parse().ok()?;
            Some(match masked.into() {
                f64::INFINITY => largest,
                f64::NEG_INFINITY => -largest,
                _ => masked,
            })
        })
    }
}

/// Masks every number that is there.
fn each<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    mut mask: impl FnMut(usize, T::Native) -> Option<T::Native>,
) -> Result<ArrayRef, MaskError> {
    let values = column.as_primitive_opt::<T>().ok_or_else(|| MaskError::at(0, WRONG))?;
    let mut masked: Vec<T::Native> = Vec::with_capacity(values.len());
    for (row, value) in values.values().iter().enumerate() {
        let left = || MaskError::at(row, "the mask left the type of the column");
        masked.push(if values.is_valid(row) { mask(row, *value).ok_or_else(left)? } else { *value });
    }
    Ok(Arc::new(PrimitiveArray::<T>::new(masked.into(), values.nulls().cloned())))
}

impl ColumnMask for AmountColumn {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        match self.0.shape {
            Shape::Int2 => self.integers::<Int16Type>(column, rows),
            Shape::Int4 => self.integers::<Int32Type>(column, rows),
            Shape::Int8 => self.integers::<Int64Type>(column, rows),
            Shape::Float4 => self.floats::<Float32Type>(column, rows, f32::MAX),
            Shape::Float8 => self.floats::<Float64Type>(column, rows, f64::MAX),
            _ => {
                let values = column.as_binary_view_opt().ok_or_else(|| MaskError::at(0, WRONG))?;
                let (mut scratch, mut wire) = (Scratch::default(), Vec::new());
                let mut masked = arrow_array::builder::BinaryBuilder::with_capacity(values.len(), values.len() * 16);
                for row in 0..values.len() {
                    if values.is_null(row) {
                        masked.append_null();
                    } else if scratch.value.read_wire(values.value(row)) {
                        self.mask(row, rows, &mut scratch);
                        wire.clear();
                        scratch.value.push_wire(&mut wire);
                        masked.append_value(&wire);
                    } else {
                        // NaN and the infinities.
                        masked.append_value(values.value(row));
                    }
                }
                let masked: BinaryArray = masked.finish();
                Ok(Arc::new(masked))
            }
        }
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let read = TextKind::mask(&self.0, value, At { row, rows }, &mut Scratch::default(), out);
        if read { Ok(()) } else { Err(MaskError::at(row, "the value is not a number")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::MasterKey;

    fn amount(op: Op, shape: Shape) -> Amount {
        let key = MasterKey::test().realm("default").domain("num.noise/1", "");
        Amount { op, key, slot: None, column: "c".to_owned(), shape }
    }

    fn decimal(text: &str) -> Decimal {
        let mut value = Decimal::default();
        assert!(value.read_text(text), "{text}");
        value
    }

    fn masked(amount: &Amount, subject: &str, value: &str) -> String {
        let mut scratch = Scratch { value: decimal(value), ..Scratch::default() };
        amount.mask(Some(subject), &mut scratch);
        let mut out = String::new();
        scratch.value.push_text(&mut out);
        out
    }

    #[test]
    fn shares_are_the_formula_of_the_specification() {
        let noise = amount(Op::Share { ratio_ppm: 100_000, per_value: true }, Shape::TEXT);
        for (units, scale) in [(125_000_i64, 2_usize), (-7, 0), (999_999_999, 4), (1, 0)] {
            let text = if scale == 0 {
                units.to_string()
            } else {
                format!("{}.{:0scale$}", units / 10_i64.pow(scale as u32), units % 10_i64.pow(scale as u32))
            };
            for u in [0, 1, 1 << 62, (1 << 63) - 1, 1 << 63, 0x9abc_def0_1234_5678, u64::MAX] {
                let mut scratch = Scratch { value: decimal(&text), ..Scratch::default() };
                noise.share(100_000, u, &mut scratch);
                // 2^37 and 2^63 leave room for a factor of 10^5 in an i128.
                let change = i128::from(units) * 100_000 * (i128::from(u) - (1 << 63)) / (1_000_000 * (1 << 63));
                let mut expected = Decimal::default();
                expected.set_integer(units + i64::try_from(change).unwrap());
                scratch.value.multiply(10_u64.pow(scale as u32));
                assert!(scratch.value.compare(&expected).is_eq(), "{text} {u}");
            }
        }
    }

    #[test]
    fn noise_keeps_sign_zero_scale_and_ratio() {
        let noise = amount(Op::Share { ratio_ppm: 900_000, per_value: true }, Shape::TEXT);
        let mut changed = 0;
        for cents in (-5_000_i64..5_000).filter(|cents| *cents != 0) {
            let sign = if cents < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100);
            let (value, mask) = (decimal(&text), decimal(&masked(&noise, "42", &text)));
            assert_eq!((mask.is_negative(), mask.scale()), (value.is_negative(), 2));
            let number = |value: &Decimal| {
                let mut hundred = value.clone();
                hundred.multiply(100);
                hundred.integer().unwrap()
            };
            assert!((number(&mask) - cents).abs() * 10 <= cents.abs() * 9, "{text}");
            changed += usize::from(number(&mask) != cents);
        }
        assert!(changed > 9_800, "{changed}");
        assert_eq!(masked(&noise, "42", "0.00"), "0.00");
    }

    #[test]
    fn amounts_match_the_golden_vectors() {
        let noise = amount(Op::Share { ratio_ppm: 100_000, per_value: true }, Shape::TEXT);
        let scale = amount(Op::Share { ratio_ppm: 100_000, per_value: false }, Shape::TEXT);
        let shown = [("42", "1250.00"), ("42", "1250.0"), ("43", "1250.00"), ("42", "-99999999999999999999.5")]
            .map(|(subject, value)| (masked(&noise, subject, value), masked(&scale, subject, value)));
        let known = [
            ("1209.49", "1141.98"),
            ("1209.5", "1142.0"),
            ("1327.73", "1317.19"),
            ("-107479392040822550666.9", "-91357617569021226501.2"),
        ];
        assert_eq!(shown, known.map(|(noise, scale)| (noise.to_owned(), scale.to_owned())));
    }

    #[test]
    fn scale_keeps_order() {
        let scale = amount(Op::Share { ratio_ppm: 900_000, per_value: false }, Shape::TEXT);
        for subject in ["1", "2", "3", "4", "5"] {
            let masks: Vec<_> = (-300..300).map(|n: i64| decimal(&masked(&scale, subject, &n.to_string()))).collect();
            assert!(masks.windows(2).all(|pair| pair[0].compare(&pair[1]).is_le()));
        }
    }

    #[test]
    fn results_stay_in_their_type() {
        let tight = Shape::Numeric { limit: Some((4, 2)) };
        let noise = amount(Op::Share { ratio_ppm: 900_000, per_value: true }, tight.clone());
        for subject in 0..500 {
            assert!(fits(&tight, &decimal(&masked(&noise, &subject.to_string(), "99.99"))));
        }
        let noise = amount(Op::Share { ratio_ppm: 900_000, per_value: true }, Shape::Int2);
        for subject in 0..500 {
            assert!(fits(&Shape::Int2, &decimal(&masked(&noise, &subject.to_string(), "-32768"))));
        }
        let bucket = |width: &str, shape| amount(Op::Bucket(Width::of(&decimal(width)).unwrap()), shape);
        assert_eq!(masked(&bucket("10", tight), "", "-99.99"), "-90.00");
        assert_eq!(masked(&bucket("1000", Shape::Int2), "", "-32768"), "-32000");
        assert_eq!(masked(&bucket("40000", Shape::Int2), "", "-32768"), "0");
    }

    #[test]
    fn no_float_becomes_infinite() {
        use arrow_array::{Float32Array, Float64Array};
        for per_value in [true, false] {
            let column = |shape| AmountColumn(amount(Op::Share { ratio_ppm: 900_000, per_value }, shape));
            // Half of the shares are upwards: one of sixty values of each sign is sure to be.
            let steps = (0..60).map(|step| 1.0 - f64::from(step) / 1e4);
            let doubles: Vec<f64> = steps.flat_map(|step| [f64::MAX * step, -f64::MAX * step]).collect();
            let singles: Vec<f32> = doubles.iter().map(|value| (value / f64::MAX) as f32 * f32::MAX).collect();
            let rows = Rows { len: doubles.len(), subjects: &[], raw: &[], masked: &[], origin: None };
            let masked = column(Shape::Float8).apply(&(Arc::new(Float64Array::from(doubles)) as ArrayRef), &rows);
            let masked = masked.expect("masked");
            let masked = masked.as_primitive::<Float64Type>().values();
            assert!(masked.iter().all(|value| value.is_finite()));
            assert!([f64::MAX, -f64::MAX].iter().all(|largest| masked.contains(largest)));
            let masked = column(Shape::Float4).apply(&(Arc::new(Float32Array::from(singles)) as ArrayRef), &rows);
            let masked = masked.expect("masked");
            let masked = masked.as_primitive::<Float32Type>().values();
            assert!(masked.iter().all(|value| value.is_finite()));
            assert!([f32::MAX, -f32::MAX].iter().all(|largest| masked.contains(largest)));
        }
        // What is infinite stays.
        let rows = Rows { len: 1, subjects: &[], raw: &[], masked: &[], origin: None };
        let infinite: ArrayRef = Arc::new(Float64Array::from(vec![f64::INFINITY]));
        let noise = AmountColumn(amount(Op::Share { ratio_ppm: 900_000, per_value: true }, Shape::Float8));
        let masked = noise.apply(&infinite, &rows).expect("masked");
        assert!(masked.as_primitive::<Float64Type>().value(0).is_infinite());
    }

    #[test]
    fn buckets_and_caps_are_exact() {
        let bucket = |width: &str, value: &str| {
            masked(&amount(Op::Bucket(Width::of(&decimal(width)).unwrap()), Shape::TEXT), "", value)
        };
        assert_eq!(bucket("1000", "1250.75"), "1000.00");
        assert_eq!(bucket("0.1", "0.3"), "0.3");
        assert_eq!(bucket("0.25", "7"), "7.00");
        assert_eq!(bucket("5", "-0.01"), "-5.00");
        assert_eq!(bucket("5", "-10"), "-10");
        let cap = |value: &str| {
            masked(&amount(Op::Cap { min: Some(decimal("-1")), max: Some(decimal("99.5")) }, Shape::TEXT), "", value)
        };
        assert_eq!(
            ["99.50", "99.501", "100", "-1.00", "-1.01", "0"].map(cap),
            ["99.50", "99.500", "99.5", "-1.00", "-1.00", "0"]
        );
    }
}
