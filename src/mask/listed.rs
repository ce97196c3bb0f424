//! Columns that are not text, for kinds whose masks are texts of the user's: `choice/1`, `lookup/1`, `replace/1`.
//!
//! The types are those whose values have one text each: whole numbers, `numeric`, booleans, labels, days, UUIDs. A value is
//! told to a kind as PostgreSQL writes it, and the kind says which of its masks, read once, takes its place.

use super::account::{push_uuid, read_uuid};
use super::amount::fits;
use super::column::{ColumnMask, MaskError, Rows};
use super::decimal::{Decimal, push_text_wire, push_wire_text};
use super::leaf::At;
use super::row::Otherwise;
use super::temporal::{push_date, read_day};
use super::{Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray, StringArray, UInt32Array,
};
use std::collections::HashMap;
use std::sync::Arc;

/// Types whose values have one text each, and text itself.
pub(super) const TYPES: &[Takes] =
    &[Takes::Integer, Takes::Numeric, Takes::Bool, Takes::Text, Takes::Enum, Takes::Date, Takes::Uuid];

/// What a default says of `else` where there is no pattern.
pub(super) const ELSE_NEEDED: &str = "given for a column that is no text: \"null\", \"fail\" or a mask";

/// Reads texts as masks of a column of this shape, as its output array.
///
/// # Errors
/// The index of the first text that is no value of the type.
pub(super) fn read(shape: &Shape, texts: &[String]) -> Result<ArrayRef, usize> {
    fn each<V>(texts: &[String], read: impl Fn(&str) -> Option<V>) -> Result<Vec<V>, usize> {
        texts.iter().enumerate().map(|(index, text)| read(text).ok_or(index)).collect()
    }
    fn numbers<T: ArrowPrimitiveType>(
        texts: &[String],
        read: impl Fn(&str) -> Option<T::Native>,
    ) -> Result<ArrayRef, usize> {
        Ok(Arc::new(PrimitiveArray::<T>::from_iter_values(each(texts, read)?)))
    }
    match shape {
        Shape::Int2 => numbers::<Int16Type>(texts, |text| text.parse().ok()),
        Shape::Int4 => numbers::<Int32Type>(texts, |text| text.parse().ok()),
        Shape::Int8 => numbers::<Int64Type>(texts, |text| text.parse().ok()),
        Shape::Date => numbers::<Date32Type>(texts, read_day),
        Shape::Numeric { .. } => {
            let wires = each(texts, |text| numeric(shape, text))?;
            Ok(Arc::new(BinaryArray::from_iter_values(wires)))
        }
        Shape::Bool => Ok(Arc::new(BooleanArray::from(each(texts, |text| text.parse::<bool>().ok())?))),
        Shape::Uuid => {
            let uuids = each(texts, |text| read_uuid(text).map(u128::to_be_bytes))?;
            FixedSizeBinaryArray::try_from_iter(uuids.into_iter())
                .map(|array| Arc::new(array) as ArrayRef)
                .map_err(|_| 0)
        }
        Shape::Enum(labels) => {
            let known = each(texts, |text| labels.iter().find(|label| *label == text))?;
            Ok(Arc::new(StringArray::from_iter_values(known)))
        }
        _ => Err(0),
    }
}

/// The wire form of a number that a `numeric` column can hold as it is written.
fn numeric(shape: &Shape, text: &str) -> Option<Vec<u8>> {
    let limited = matches!(shape, Shape::Numeric { limit: Some(_) });
    let mut decimal = Decimal::default();
    let held = match text {
        "NaN" => true,
        "Infinity" | "-Infinity" => !limited,
        _ => decimal.read_text(text) && fits(shape, &decimal),
    };
    let mut wire = Vec::new();
    push_text_wire(text, &mut wire).filter(|()| held).map(|()| wire)
}

/// Writes a text of the user's as the value of the type that it means; none if it means none.
///
/// Numbers are without zeros behind the last decimal place, as [`Known`] compares them.
fn written(shape: &Shape, text: &str) -> Option<String> {
    let mut out = String::new();
    match shape {
        Shape::Int2 => return text.parse::<i16>().ok().map(|number| number.to_string()),
        Shape::Int4 => return text.parse::<i32>().ok().map(|number| number.to_string()),
        Shape::Int8 => return text.parse::<i64>().ok().map(|number| number.to_string()),
        Shape::Bool => return text.parse::<bool>().ok().map(|truth| truth.to_string()),
        Shape::Enum(labels) => return labels.iter().find(|label| *label == text).cloned(),
        Shape::Numeric { .. } if matches!(text, "NaN" | "Infinity" | "-Infinity") => out.push_str(text),
        Shape::Numeric { .. } => {
            let mut decimal = Decimal::default();
            decimal.read_text(text).then(|| decimal.push_text(&mut out))?;
            out.truncate(without_zeros(&out).len());
        }
        Shape::Date if matches!(text, "infinity" | "-infinity") => out.push_str(text),
        Shape::Date => push_date(read_day(text)?.into(), &mut out),
        Shape::Uuid => push_uuid(read_uuid(text)?, true, &mut out),
        _ => return None,
    }
    Some(out)
}

/// 1.50 is 1.5.
fn without_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// Calls `visit` with each value that is not NULL, as PostgreSQL writes it.
fn each_text(
    shape: &Shape,
    column: &ArrayRef,
    visit: &mut dyn FnMut(usize, &str) -> Result<(), MaskError>,
) -> Result<(), MaskError> {
    let wrong = || MaskError::at(0, "the column was decoded in another shape than its mask was compiled for");
    let mut text = String::new();
    macro_rules! values {
        ($values:expr, $push:expr) => {{
            let values = $values.ok_or_else(wrong)?;
            for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
                text.clear();
                $push(values.value(row), &mut text).ok_or_else(wrong)?;
                visit(row, &text)?;
            }
        }};
    }
    fn number(value: i64, out: &mut String) -> Option<()> {
        use std::fmt::Write;
        write!(out, "{value}").ok()
    }
    match shape {
        Shape::Int2 => {
            values!(column.as_primitive_opt::<Int16Type>(), |value: i16, out: &mut String| number(value.into(), out));
        }
        Shape::Int4 => {
            values!(column.as_primitive_opt::<Int32Type>(), |value: i32, out: &mut String| number(value.into(), out));
        }
        Shape::Int8 => values!(column.as_primitive_opt::<Int64Type>(), number),
        Shape::Numeric { .. } => values!(column.as_binary_view_opt(), push_wire_text),
        Shape::Date => values!(column.as_primitive_opt::<Date32Type>(), |days: i32, out: &mut String| {
            match days {
                i32::MAX => out.push_str("infinity"),
                i32::MIN => out.push_str("-infinity"),
                days => push_date(days.into(), out),
            }
            Some(())
        }),
        Shape::Bool => values!(column.as_boolean_opt(), |value: bool, out: &mut String| {
            out.push_str(if value { "true" } else { "false" });
            Some(())
        }),
        Shape::Uuid => values!(column.as_fixed_size_binary_opt(), |bytes: &[u8], out: &mut String| {
            push_uuid(u128::from_be_bytes(bytes.try_into().ok()?), true, out);
            Some(())
        }),
        Shape::Enum(_) => values!(column.as_string_view_opt(), |label: &str, out: &mut String| {
            out.push_str(label);
            Some(())
        }),
        _ => return Err(wrong()),
    }
    Ok(())
}

/// How a kind takes one of its masks for a value.
pub(super) trait Picks: Send + Sync + 'static {
    /// Returns the index of the mask; none if the list has none for this value.
    fn pick(&self, value: &str, at: At<'_>) -> Option<usize>;
}

/// Masks by the value they are for.
pub(super) struct Known {
    known: HashMap<String, usize>,
    numeric: bool,
}

impl Known {
    /// Reads the values of a column of this shape; of equal ones the first counts. Which ones are equal is for the caller
    /// to judge, who may count them.
    ///
    /// # Errors
    /// The index of the first text that is no value of the type.
    pub fn read<'t>(shape: &Shape, values: impl Iterator<Item = &'t str>) -> Result<Self, usize> {
        let mut known = HashMap::new();
        for (index, value) in values.enumerate() {
            known.entry(written(shape, value).ok_or(index)?).or_insert(index);
        }
        Ok(Self { known, numeric: matches!(shape, Shape::Numeric { .. }) })
    }

    /// Different values.
    pub fn len(&self) -> usize {
        self.known.len()
    }
}

impl Picks for Known {
    fn pick(&self, value: &str, _at: At<'_>) -> Option<usize> {
        self.known.get(if self.numeric { without_zeros(value) } else { value }).copied()
    }
}

/// A kind that picks, in a column that is not text.
pub(super) struct Listed<P> {
    pub picks: P,
    pub shape: Shape,
    /// The masks as texts, and as [`read`] made them.
    pub texts: Vec<String>,
    pub masks: ArrayRef,
    /// What becomes of a value without a mask.
    pub otherwise: Otherwise,
}

impl<P: Picks> ColumnMask for Listed<P> {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        let broken = || MaskError::at(0, "its masks do not fit the column");
        let mut indices: Vec<Option<u32>> = vec![None; column.len()];
        let mut others = vec![false; column.len()];
        let mut first_other = None;
        each_text(&self.shape, column, &mut |row, value| {
            indices[row] = self.picks.pick(value, At { row, rows }).map(|index| index as u32);
            if indices[row].is_none() {
                others[row] = true;
                first_other = first_other.or(Some(row));
            }
            Ok(())
        })?;
        let listed = arrow_select::take::take(&self.masks, &UInt32Array::from(indices), None).map_err(|_| broken())?;
        let (Some(row), otherwise) = (first_other, &self.otherwise) else { return Ok(listed) };
        match otherwise {
            Otherwise::Null => Ok(listed),
            Otherwise::Fail => Err(MaskError::at(row, "the list has no mask for the value")),
            Otherwise::Mask(mask) => {
                // It sees the values that are its own, so that no other can fail or be read.
                let others = BooleanArray::from(others);
                let taken = arrow_array::BooleanArray::new(!others.values(), None);
                let hidden = arrow_select::nullif::nullif(column, &taken).map_err(|_| broken())?;
                let masked = mask.apply(&hidden, rows)?;
                arrow_select::zip::zip(&others, &masked, &listed).map_err(|_| broken())
            }
        }
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        let at = At { row, rows };
        match self.picks.pick(value, at) {
            Some(index) => {
                out.push_str(&self.texts[index]);
                Ok(())
            }
            None => self.otherwise.mask(value, at, out).map(|_| ()),
        }
    }

    fn after(&self) -> Vec<usize> {
        self.otherwise.after()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::batch::RawBatch;
    use crate::mask::{ColumnSpec, CompileError, MaskSpec, Masker, MasterKey, TableSpec};
    use arrow_array::{BinaryViewArray, Date32Array, Int32Array, StringViewArray};

    /// A column of such values under a kind; what became of it as texts.
    fn masked(
        kind: &str,
        json: &str,
        shape: &Shape,
        column: &ArrayRef,
    ) -> Result<Result<Vec<Option<String>>, MaskError>, CompileError> {
        let params = serde_json::from_str(json).expect("JSON");
        let mask = Some(MaskSpec { kind: format!("{kind}/1"), label: String::new(), params, subject: None });
        let columns = vec![ColumnSpec { name: "t.c".to_owned(), shape: shape.clone(), mask }];
        let table = TableSpec { columns, ..TableSpec::default() };
        let realm = MasterKey::test().realm("default");
        let masker = Masker::compile(&realm, &table).map_err(|mut errors| errors.remove(0))?;
        let columns = vec![Arc::clone(column)];
        let raw = RawBatch { rows: column.len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
        Ok(masker.apply(raw).map(|masked| {
            let column = &masked.columns()[0];
            assert_eq!(*column.data_type(), crate::mask::fixed::output_type(shape));
            let viewed: ArrayRef = match shape {
                Shape::Numeric { .. } => Arc::new(column.as_binary::<i32>().iter().collect::<BinaryViewArray>()),
                Shape::Enum(_) => Arc::new(column.as_string::<i32>().iter().collect::<StringViewArray>()),
                _ => Arc::clone(column),
            };
            let mut texts = vec![None; column.len()];
            let mut visit = |row: usize, text: &str| {
                texts[row] = Some(text.to_owned());
                Ok(())
            };
            each_text(shape, &viewed, &mut visit).expect("masks are values of the type");
            texts
        }))
    }

    fn numerics(texts: &[&str]) -> ArrayRef {
        let wire = |text: &&str| {
            let mut wire = Vec::new();
            push_text_wire(text, &mut wire).expect("a number");
            wire
        };
        Arc::new(BinaryViewArray::from_iter_values(texts.iter().map(wire)))
    }

    /// Types, each with a column of two values and NULL, the texts of the first value in a map, and of another value.
    fn columns() -> Vec<(Shape, ArrayRef, &'static str, &'static str)> {
        let uuids = [Some([7_u8; 16]), Some([9; 16]), None];
        let uuids = FixedSizeBinaryArray::try_from_sparse_iter_with_size(uuids.into_iter(), 16).expect("UUIDs");
        let labels: Arc<[String]> = ["gold", "red"].map(str::to_owned).into();
        vec![
            (Shape::Int4, Arc::new(Int32Array::from(vec![Some(7), Some(-8), None])), "007", "2147483647"),
            (Shape::Bool, Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])), "true", "false"),
            (Shape::Date, Arc::new(Date32Array::from(vec![Some(0), Some(1), None])), "1970-01-01", "1999-12-31"),
            (Shape::Uuid, Arc::new(uuids), "07070707070707070707070707070707", "550e8400-e29b-41d4-a716-446655440000"),
            (
                Shape::Enum(labels),
                Arc::new(StringViewArray::from(vec![Some("gold"), Some("red"), None])),
                "gold",
                "red",
            ),
        ]
    }

    #[test]
    fn values_of_any_type_are_replaced_and_looked_up_as_their_texts_say() {
        for (shape, column, text, other) in columns() {
            let replaced = format!(r#"{{"map":{{"{text}":"{other}"}},"else":"null"}}"#);
            let found = format!(r#"{{"file":"a,b\n{text},{other}\n","find":"a","else":"null"}}"#);
            for (kind, json) in [("replace", replaced), ("lookup", found)] {
                let masks = masked(kind, &json, &shape, &column).expect("compiles").expect("masked");
                assert_eq!(masks, [Some(other.to_owned()), None, None], "{kind} on {shape:?}");
                let fails = json.replace("\"null\"", "\"fail\"");
                let error = masked(kind, &fails, &shape, &column).expect("compiles").expect_err("no mask");
                assert_eq!(error.row, 1, "{kind} on {shape:?}");
            }
            let drawn = format!(r#"{{"file":"b\n{other}\n"}}"#);
            let masks = masked("lookup", &drawn, &shape, &column).expect("compiles").expect("masked");
            assert_eq!(masks, [Some(other.to_owned()), Some(other.to_owned()), None], "{shape:?}");
        }
    }

    #[test]
    fn numbers_are_found_whatever_zeros_stand_behind_them() {
        let column = numerics(&["1.50", "1.5", "1", "NaN", "-0.00"]);
        let json = r#"{"map":{"1.5":"2.25","0":"7","NaN":"1"},"else":{"mask":"const","value":3}}"#;
        let shape = Shape::Numeric { limit: Some((5, 2)) };
        let masks = masked("replace", json, &shape, &column).expect("compiles").expect("masked");
        let masks: Vec<&str> = masks.iter().flatten().map(String::as_str).collect();
        assert_eq!(masks, ["2.25", "2.25", "3", "1", "7"]);
    }

    #[test]
    fn other_values_go_to_the_mask_of_else_and_no_value_of_the_list_is_seen_by_it() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), Some(50), None, Some(7)]));
        // 7 is out of its range.
        let json = r#"{"map":{"7":"0"},"else":{"mask":"int.range","lo":40,"hi":60,"on_invalid":"fail"}}"#;
        let masks = masked("replace", json, &Shape::Int4, &column).expect("compiles").expect("masked");
        let other: i32 = masks[1].as_deref().and_then(|text| text.parse().ok()).expect("a number");
        assert!((40..=60).contains(&other));
        assert_eq!([&masks[0], &masks[2], &masks[3]], [&Some("0".to_owned()), &None, &Some("0".to_owned())]);
    }

    #[test]
    fn lists_that_do_not_fit_the_type_are_refused_and_no_text_that_is_replaced_is_told() {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![Some(7)]));
        let refused = |kind: &str, json: &str, shape: &Shape| match masked(kind, json, shape, &column) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{kind} {json} was not refused"),
        };
        let int = Shape::Int4;
        assert!(refused("replace", r#"{"map":{"7":"seven"},"else":"null"}"#, &int).contains("\"seven\" is none"));
        let key = refused("replace", r#"{"map":{"secret":"7"},"else":"null"}"#, &int);
        assert!(key.contains("the text that becomes \"7\" is none") && !key.contains("secret"), "{key}");
        assert!(refused("replace", r#"{"map":{"7":"1","07":"2"},"else":"null"}"#, &int).contains("one value twice"));
        assert!(refused("replace", r#"{"map":{"7":"8"}}"#, &int).contains("`else`"));
        assert!(refused("replace", r#"{"map":{"7":"8"},"else":"pattern"}"#, &int).contains("does not take"));
        assert!(refused("replace", r#"{"map":{"7":"8"},"inside":true,"else":"null"}"#, &int).contains("`inside`"));
        let find = r#""find":"a","else":"null"}"#;
        assert!(refused("lookup", &format!(r#"{{"file":"a,b\n7,8\nx,9\n",{find}"#), &int).contains("record 3"));
        assert!(refused("lookup", &format!(r#"{{"file":"a,b\n7,8\n9,x\n",{find}"#), &int).contains("record 3"));
        assert!(refused("lookup", r#"{"file":"a,b\n7,8\n","find":"a"}"#, &int).contains("`else`"));
        assert!(refused("lookup", r#"{"file":"a\n7\n2147483648\n"}"#, &int).contains("record 3"));
        // Beyond the digits of the column, and its decimal places.
        for (limit, value) in [((3, 1), "123"), ((3, 1), "1.25"), ((3, 1), "Infinity")] {
            let json = format!(r#"{{"map":{{"1":"{value}"}},"else":"null"}}"#);
            refused("replace", &json, &Shape::Numeric { limit: Some(limit) });
            let json = format!(r#"{{"values":["{value}"]}}"#);
            refused("choice", &json, &Shape::Numeric { limit: Some(limit) });
        }
    }
}
