//! Masks that do not look at the value: `null/1` and `const/1`.

use super::account::push_uuid;
use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::kind::{Domain, Param};
use super::leaf::{TEXT, TextBuilder};
use super::{Injective, KeyedOn, Kind, Shape, Takes, chars, nested};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, PrimitiveArray};
use arrow_buffer::{BooleanBuffer, Buffer};
use arrow_schema::DataType;
use serde_json::Value;
use std::sync::Arc;

pub(super) static NULL: Kind = Kind {
    name: "null",
    remains: |_| super::Remains::Open,
    summary: "Replaces every value by NULL",
    accepts: Takes::ALL,
    keyed_on: KeyedOn::Nothing,
    injective: Injective::No,
    samples: &["anything"],
    compile: |compile| Ok(Box::new(Null(compile.shape.clone()))),
    ..TEXT
};

pub(super) static CONST: Kind = Kind {
    name: "const",
    remains: |_| super::Remains::Open,
    summary: "Replaces every value by one constant; NULL stays NULL",
    params: &[Param {
        name: "value",
        summary: "the constant, of the type of the column",
        domain: Domain::Any,
        default: "required",
    }],
    accepts: &[
        Takes::Integer,
        Takes::Numeric,
        Takes::Float,
        Takes::Bool,
        Takes::Text,
        Takes::Enum,
        Takes::Uuid,
        Takes::Date,
        Takes::Json,
        Takes::Xml,
    ],
    keyed_on: KeyedOn::Nothing,
    injective: Injective::No,
    samples: &["anything"],
    least: |params| params.get("value").and_then(Value::as_str).map_or(Vec::new(), |text| vec![chars(text)]),
    compile: compile_const,
    ..TEXT
};

/// The Arrow type of masked columns of a shape; that of a container depends on its leaves and is made by `nested`.
pub(super) fn output_type(shape: &Shape) -> DataType {
    match shape {
        Shape::Int2 => DataType::Int16,
        Shape::Int4 => DataType::Int32,
        Shape::Int8 | Shape::Timestamp => DataType::Int64,
        Shape::Float4 => DataType::Float32,
        Shape::Float8 => DataType::Float64,
        Shape::Bool => DataType::Boolean,
        Shape::Text { .. } | Shape::Enum(_) | Shape::Json | Shape::Jsonb | Shape::Xml => DataType::Utf8,
        Shape::Uuid | Shape::Point => DataType::FixedSizeBinary(16),
        Shape::Mac => DataType::FixedSizeBinary(6),
        Shape::Mac8 | Shape::Time => DataType::FixedSizeBinary(8),
        Shape::TimeTz => DataType::FixedSizeBinary(12),
        Shape::Date => DataType::Date32,
        Shape::Numeric { .. } | Shape::Bytea | Shape::Inet | Shape::Cidr | Shape::Opaque => DataType::Binary,
        Shape::Array(_) | Shape::Range(_) | Shape::Multirange(_) | Shape::Composite(_) | Shape::Hstore => {
            DataType::Null
        }
    }
}

/// `null/1`. As a leaf it leaves an empty text.
struct Null(Shape);

impl ColumnMask for Null {
    fn apply(&self, column: &ArrayRef, _rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        nested::nulls(&self.0, column.len()).ok_or_else(|| MaskError::at(0, "the batch is too large"))
    }

    fn text(&self, _value: &str, _row: usize, _rows: &Rows<'_>, _out: &mut String) -> Result<(), MaskError> {
        Ok(())
    }
}

enum Const {
    Integer(Shape, i64),
    /// The wire form.
    Numeric(Vec<u8>),
    Float(Shape, f64),
    Bool(bool),
    Text(String),
    Uuid(u128),
    Date(i32),
}

fn compile_const(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let value = compile.spec.params.get("value").ok_or_else(|| compile.bad_param("value", "given"))?;
    let integer = |min: i64, max: i64| value.as_i64().filter(|number| (min..=max).contains(number));
    let text = || value.as_str();
    let constant = match &compile.shape {
        Shape::Int2 => integer(i16::MIN.into(), i16::MAX.into()).map(|number| Const::Integer(Shape::Int2, number)),
        Shape::Int4 => integer(i32::MIN.into(), i32::MAX.into()).map(|number| Const::Integer(Shape::Int4, number)),
        Shape::Int8 => integer(i64::MIN, i64::MAX).map(|number| Const::Integer(Shape::Int8, number)),
        Shape::Text { .. } => text().map(|text| Const::Text(text.to_owned())),
        Shape::Json | Shape::Jsonb => Some(Const::Text(value.to_string())),
        Shape::Xml => text().filter(|text| super::xml::is_content(text)).map(|text| Const::Text(text.to_owned())),
        Shape::Uuid => text().and_then(super::account::read_uuid).map(Const::Uuid),
        Shape::Date => text().and_then(super::temporal::read_day).map(Const::Date),
        Shape::Numeric { .. } => number(value).and_then(|text| {
            let mut wire = Vec::new();
            super::decimal::push_text_wire(&text, &mut wire).map(|()| Const::Numeric(wire))
        }),
        Shape::Float4 | Shape::Float8 => {
            number(value).and_then(|text| text.parse().ok()).map(|float| Const::Float(compile.shape.clone(), float))
        }
        Shape::Bool => value.as_bool().map(Const::Bool),
        Shape::Enum(labels) => {
            text().filter(|text| labels.iter().any(|label| label == text)).map(|text| Const::Text(text.to_owned()))
        }
        _ => return Err(compile.wrong_shape()),
    };
    let constant = constant.ok_or_else(|| compile.bad_param("value", "a value of the column's type"))?;
    Ok(Box::new(constant))
}

/// A number, or a string that may hold one.
fn number(value: &Value) -> Option<String> {
    value.as_number().map(ToString::to_string).or_else(|| value.as_str().map(ToOwned::to_owned))
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
            Const::Float(Shape::Float4, value) => repeat::<Float32Type>(column, *value as f32),
            Const::Float(_, value) => repeat::<Float64Type>(column, *value),
            Const::Bool(value) => {
                let values = BooleanBuffer::from_iter(std::iter::repeat_n(*value, column.len()));
                Arc::new(BooleanArray::new(values, column.logical_nulls()))
            }
            Const::Numeric(wire) => {
                let rows = (0..column.len()).map(|row| column.is_valid(row).then_some(wire));
                Arc::new(rows.collect::<BinaryArray>())
            }
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
            Const::Numeric(wire) => {
                super::decimal::push_wire_text(wire, out);
            }
            Const::Float(_, value) => out.push_str(&value.to_string()),
            Const::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Const::Uuid(value) => push_uuid(*value, true, out),
            Const::Date(days) => super::temporal::push_date((*days).into(), out),
        }
        Ok(())
    }

    fn integer(&self, _value: i64, _row: usize, _rows: &Rows<'_>) -> Result<Option<i64>, MaskError> {
        Ok(if let Const::Integer(_, number) = self { Some(*number) } else { None })
    }

    fn boolean(&self, _value: bool, _row: usize, _rows: &Rows<'_>) -> Result<Option<bool>, MaskError> {
        // Leaves are texts, and so is their constant.
        Ok(if let Const::Text(text) = self { text.parse().ok() } else { None })
    }
}
