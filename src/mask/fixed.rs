//! Masks that do not look at the value: `null/1` and `const/1`.

use super::account::push_uuid;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::kind::{Domain, Param};
use super::leaf::{TEXT, TextBuilder};
use super::{Injective, KeyedOn, Kind, Shape, Takes};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, FixedSizeBinaryArray, PrimitiveArray, new_null_array};
use arrow_buffer::Buffer;
use arrow_schema::DataType;
use serde_json::Value;
use std::sync::Arc;

pub(super) static NULL: Kind = Kind {
    name: "null",
    summary: "Replaces every value by NULL",
    accepts: Takes::ALL,
    keyed_on: KeyedOn::Nothing,
    injective: Injective::No,
    samples: &["anything"],
    compile: |compile| Ok(Box::new(Null(output_type(compile.shape)))),
    ..TEXT
};

pub(super) static CONST: Kind = Kind {
    name: "const",
    summary: "Replaces every value by one constant; NULL stays NULL",
    params: &[Param {
        name: "value",
        summary: "the constant, of the type of the column",
        domain: Domain::Any,
        default: "required",
    }],
    accepts: &[Takes::Integer, Takes::Text, Takes::Uuid, Takes::Date, Takes::Json],
    keyed_on: KeyedOn::Nothing,
    injective: Injective::No,
    samples: &["anything"],
    least: |params| params.get("value").and_then(Value::as_str).map_or(Vec::new(), |text| vec![chars(text)]),
    compile: compile_const,
    ..TEXT
};

fn chars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX)
}

/// The Arrow type of masked columns of a shape.
fn output_type(shape: Shape) -> DataType {
    match shape {
        Shape::Int2 => DataType::Int16,
        Shape::Int4 => DataType::Int32,
        Shape::Int8 | Shape::Timestamp => DataType::Int64,
        Shape::Text { .. } | Shape::Json | Shape::Jsonb => DataType::Utf8,
        Shape::Uuid => DataType::FixedSizeBinary(16),
        Shape::Date => DataType::Date32,
        Shape::Inet | Shape::Cidr => DataType::Binary,
    }
}

/// `null/1`. As a leaf it leaves an empty text.
struct Null(DataType);

impl ColumnMask for Null {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        Ok(new_null_array(&self.0, column.len()))
    }

    fn text(&self, _value: &str, _row: usize, _rows: &Rows<'_>, _out: &mut String) -> Result<(), MaskError> {
        Ok(())
    }
}

enum Const {
    Integer(Shape, i64),
    Text(String),
    Uuid(u128),
    Date(i32),
}

fn compile_const(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let value = compile.spec.params.get("value").ok_or_else(|| compile.bad_param("value", "given"))?;
    let integer = |min: i64, max: i64| value.as_i64().filter(|number| (min..=max).contains(number));
    let text = || value.as_str();
    let constant = match compile.shape {
        Shape::Int2 => integer(i16::MIN.into(), i16::MAX.into()).map(|number| Const::Integer(Shape::Int2, number)),
        Shape::Int4 => integer(i32::MIN.into(), i32::MAX.into()).map(|number| Const::Integer(Shape::Int4, number)),
        Shape::Int8 => integer(i64::MIN, i64::MAX).map(|number| Const::Integer(Shape::Int8, number)),
        Shape::Text { .. } => text().map(|text| Const::Text(text.to_owned())),
        Shape::Json | Shape::Jsonb => Some(Const::Text(value.to_string())),
        Shape::Uuid => text().and_then(super::account::read_uuid).map(Const::Uuid),
        Shape::Date => text().and_then(super::temporal::read_day).map(Const::Date),
        Shape::Timestamp | Shape::Inet | Shape::Cidr => return Err(compile.wrong_shape()),
    };
    let constant = constant.ok_or_else(|| compile.bad_param("value", "a value of the column's type"))?;
    Ok(Box::new(constant))
}

fn repeat<T: ArrowPrimitiveType>(column: &ArrayRef, value: T::Native) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(vec![value; column.len()].into(), column.logical_nulls()))
}

impl ColumnMask for Const {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        Ok(match self {
            Const::Integer(Shape::Int2, number) => repeat::<Int16Type>(column, *number as i16),
            Const::Integer(Shape::Int4, number) => repeat::<Int32Type>(column, *number as i32),
            Const::Integer(_, number) => repeat::<Int64Type>(column, *number),
            Const::Date(days) => repeat::<Date32Type>(column, *days),
            Const::Uuid(value) => {
                let bytes = Buffer::from_vec(value.to_be_bytes().repeat(column.len()));
                let array = FixedSizeBinaryArray::try_new(16, bytes, column.logical_nulls());
                Arc::new(array.map_err(|_| MaskError::at(0, "the batch is too large"))?)
            }
            Const::Text(text) => {
                let mut out = TextBuilder::new(column.len(), text.len() * column.len());
                let texts = column.as_string_view_opt();
                for row in 0..column.len() {
                    // Empty stays empty, as in every kind.
                    let present = column.is_valid(row);
                    let empty = texts.is_some_and(|texts| present && texts.value(row).is_empty());
                    if present && !empty {
                        out.values.push_str(text);
                    }
                    out.close(present)?;
                }
                out.finish()?
            }
        })
    }

    fn text(&self, _value: &str, _row: usize, _rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        match self {
            Const::Integer(_, number) => out.push_str(&number.to_string()),
            Const::Text(text) => out.push_str(text),
            Const::Uuid(value) => push_uuid(*value, true, out),
            Const::Date(days) => super::temporal::push_date((*days).into(), out),
        }
        Ok(())
    }

    fn integer(&self, _value: i64, _row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        Ok(if let Const::Integer(_, number) = self { Some(*number) } else { None })
    }
}
