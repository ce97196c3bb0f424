//! Values of sampled rows, before and after, as the little that is kept of them.

use super::Watched;
use super::fingerprint::Salt;
use crate::mask::Shape;
use crate::measure::rows::{Cell, Shape as TextShape};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

/// Reads one column of the rows of a batch; columns that do not fit each other give nothing.
pub(super) fn read(
    column: &Watched,
    salt: Salt,
    rows: &[usize],
    raw: &[ArrayRef],
    masked: &[ArrayRef],
) -> Vec<[Cell; 2]> {
    let nothing = || vec![[Cell::default(); 2]; rows.len()];
    let (Some(before), Some(after)) = (raw.get(column.raw), masked.get(column.masked)) else { return nothing() };
    if before.len() != after.len() {
        return nothing();
    }
    let side =
        |array: &ArrayRef| -> Vec<Cell> { rows.iter().map(|row| cell(array, *row, &column.shape, salt)).collect() };
    side(before).into_iter().zip(side(after)).map(|(before, after)| [before, after]).collect()
}

fn cell(array: &ArrayRef, row: usize, shape: &Shape, salt: Salt) -> Cell {
    if array.is_null(row) {
        return Cell::default();
    }
    macro_rules! number {
        ($type:ty) => {
            array.as_primitive_opt::<$type>().map_or(Cell::default(), |values| {
                let value = values.value(row);
                counted(salt, value as i64, finite(shape, value.into()))
            })
        };
    }
    match array.data_type() {
        DataType::Int16 => number!(Int16Type),
        DataType::Int32 => number!(Int32Type),
        DataType::Date32 => number!(Date32Type),
        DataType::Int64 => array.as_primitive_opt::<Int64Type>().map_or(Cell::default(), |values| {
            let value = values.value(row);
            counted(salt, value, (value != i64::MAX && value != i64::MIN).then_some(value as f64))
        }),
        DataType::Float32 => array
            .as_primitive_opt::<Float32Type>()
            .map_or(Cell::default(), |values| real(salt, values.value(row).into())),
        DataType::Float64 => {
            array.as_primitive_opt::<Float64Type>().map_or(Cell::default(), |values| real(salt, values.value(row)))
        }
        DataType::Boolean => counted(salt, array.as_boolean().value(row).into(), None),
        DataType::Utf8View => text(salt, array.as_string_view().value(row), shape),
        DataType::Utf8 => text(salt, array.as_string::<i32>().value(row), shape),
        DataType::BinaryView => bytes(salt, array.as_binary_view().value(row), shape),
        DataType::Binary => bytes(salt, array.as_binary::<i32>().value(row), shape),
        DataType::FixedSizeBinary(_) => bytes(salt, array.as_fixed_size_binary().value(row), shape),
        _ => Cell::default(),
    }
}

/// Infinite dates are the ends of their type.
fn finite(shape: &Shape, value: f64) -> Option<f64> {
    let end = f64::from(i32::MAX);
    (!matches!(shape, Shape::Date) || (value < end && value > -end)).then_some(value)
}

fn counted(salt: Salt, value: i64, number: Option<f64>) -> Cell {
    Cell { print: salt.number(value as u64).max(1), number, text: None }
}

fn real(salt: Salt, value: f64) -> Cell {
    Cell { print: salt.number(value.to_bits()).max(1), number: value.is_finite().then_some(value), text: None }
}

fn text(salt: Salt, value: &str, shape: &Shape) -> Cell {
    let (value, text) = match shape {
        // Blanks at the end are padding.
        Shape::Text { padded: true, .. } => (value.trim_end_matches(' '), true),
        Shape::Text { .. } => (value, true),
        _ => (value, false),
    };
    Cell { print: salt.raw(value.as_bytes()).max(1), number: None, text: text.then(|| TextShape::of(value)) }
}

fn bytes(salt: Salt, value: &[u8], shape: &Shape) -> Cell {
    let number = if matches!(shape, Shape::Numeric { .. }) { numeric(value) } else { None };
    Cell { print: salt.raw(value).max(1), number, text: None }
}

/// The number in a `numeric` as it is on the wire: digits to the base 10 000, the first of them of that weight. None for NaN
/// and infinity.
///
/// Source: `numeric_send` of PostgreSQL.
fn numeric(wire: &[u8]) -> Option<f64> {
    let (words, _) = wire.as_chunks::<2>();
    let mut words = words.iter().map(|word| u16::from_be_bytes(*word));
    let (digits, weight, sign, _scale) = (words.next()?, words.next()? as i16, words.next()?, words.next()?);
    let sign = match sign {
        0 => 1.0,
        0x4000 => -1.0,
        _ => return None,
    };
    let (mut number, mut last) = (0.0, i32::from(weight) + 1);
    for digit in words.take(usize::from(digits)) {
        number = number * 10_000.0 + f64::from(digit);
        last -= 1;
    }
    Some(sign * number * 10_000_f64.powi(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_is_the_number_that_was_sent() {
        let wire = |words: &[u16]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        assert_eq!(numeric(&wire(&[0, 0, 0, 0])), Some(0.0));
        assert_eq!(numeric(&wire(&[1, 0, 0, 0, 42])), Some(42.0));
        assert_eq!(numeric(&wire(&[2, 1, 0x4000, 0, 3, 17])), Some(-30_017.0));
        assert_eq!(numeric(&wire(&[1, 1, 0, 0, 5])), Some(50_000.0));
        assert_eq!(numeric(&wire(&[2, 0, 0, 2, 12, 5000])), Some(12.5));
        assert_eq!(numeric(&wire(&[0, 0, 0xC000, 0])), None);
    }
}
