//! One value written as text, as a column of one row: what `restage mask` works on.

use super::masker::ValueError;
use super::nested::Parts;
use super::quantity::canonical_integer;
use super::{Attribute, KeyedOn, Kind, Shape};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BinaryViewArray, FixedSizeBinaryArray, Float64Array, Int64Array, StringViewArray,
};
use arrow_buffer::OffsetBuffer;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Makes the column of the kind's usual type that holds the value.
///
/// Whole numbers are `int8`, amounts and dates text, points `(x,y)`, and containers a JSON object of texts.
///
/// # Errors
/// [`ValueError::NotANumber`] if the kind takes nothing but numbers and the value is none.
pub(super) fn column(found: &Kind, value: &str) -> Result<(Shape, ArrayRef), ValueError> {
    let text = || (Shape::TEXT, Arc::new(StringViewArray::from(vec![value])) as ArrayRef);
    let not_a_number = || ValueError::NotANumber { kind: found.full_name() };
    // A list of the user's is of texts.
    let listed = matches!(found.name, "choice" | "lookup" | "replace");
    if found.takes(&Shape::Int8) && found.keyed_on != KeyedOn::Nothing && !listed {
        if let Some(number) = canonical_integer(value.trim()) {
            return Ok((Shape::Int8, Arc::new(Int64Array::from(vec![number]))));
        }
        // Amounts have decimal places, and an age can be a date.
        let more = found.takes(&Shape::Float8) || found.takes(&Shape::Date);
        return if more { Ok(text()) } else { Err(not_a_number()) };
    }
    if found.takes(&Shape::TEXT) {
        return Ok(text());
    }
    if found.takes(&Shape::Point)
        && let Some(point) = point(value)
    {
        return Ok((Shape::Point, point));
    }
    if found.takes(&Shape::Float8) {
        let number = value.trim().parse::<f64>().map_err(|_| not_a_number())?;
        return Ok((Shape::Float8, Arc::new(Float64Array::from(vec![number]))));
    }
    if found.takes(&Shape::Bytea) {
        return Ok((Shape::Bytea, Arc::new(BinaryViewArray::from(vec![value.as_bytes()]))));
    }
    let object = serde_json::from_str::<Map<String, Value>>(value).ok();
    let container = object.and_then(|object| container(found, &object));
    Ok(container.unwrap_or_else(|| (Shape::Json, text().1)))
}

/// Reads `(x,y)`.
fn point(value: &str) -> Option<ArrayRef> {
    let (x, y) = value.trim().strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let (x, y) = (x.trim().parse::<f64>().ok()?, y.trim().parse::<f64>().ok()?);
    let bytes = [x.to_be_bytes(), y.to_be_bytes()].concat();
    let points = FixedSizeBinaryArray::try_new(16, bytes.into(), None).ok()?;
    Some(Arc::new(points))
}

/// Reads an object of texts and nulls as a composite or an hstore; none if the kind takes neither.
fn container(found: &Kind, object: &Map<String, Value>) -> Option<(Shape, ArrayRef)> {
    let values: Vec<Option<String>> = object
        .values()
        .map(|value| match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        })
        .collect();
    let list = |texts: Vec<Option<String>>| {
        (
            OffsetBuffer::from_lengths([texts.len()]),
            Arc::new(texts.into_iter().collect::<StringViewArray>()) as ArrayRef,
        )
    };
    let attribute = |name: &String| Attribute { name: name.clone(), shape: Shape::TEXT };
    let composite = Shape::Composite(object.keys().map(attribute).collect());
    let (shape, lists) = if found.takes(&Shape::Hstore) {
        (Shape::Hstore, vec![list(object.keys().cloned().map(Some).collect()), list(values)])
    } else if found.takes(&composite) {
        (composite, values.into_iter().map(|value| list(vec![value])).collect())
    } else {
        return None;
    };
    let column = Parts { skeleton: BinaryArray::from_vec(vec![b""]), lists, nulls: None }.join()?;
    Some((shape, column))
}

/// Shows the one value of a masked column, as [`column`] reads it; bytes as PostgreSQL writes them.
pub(super) fn shown(shape: &Shape, column: &ArrayRef) -> String {
    if let Some(parts) = Parts::of(column) {
        return object(shape, &parts);
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return texts.value(0).to_owned();
    }
    if let Some(numbers) = column.as_primitive_opt::<Float64Type>() {
        return numbers.value(0).to_string();
    }
    if let Some(point) = column.as_fixed_size_binary_opt().filter(|_| *shape == Shape::Point) {
        let [x, y] = [0, 1].map(|at| point.value(0).as_chunks::<8>().0.get(at).map_or(0.0, |x| f64::from_be_bytes(*x)));
        return format!("({x},{y})");
    }
    if let Some(bytes) = column.as_binary_opt::<i32>() {
        return bytes.value(0).iter().fold("\\x".to_owned(), |shown, byte| shown + &format!("{byte:02x}"));
    }
    column.as_primitive::<Int64Type>().value(0).to_string()
}

fn object(shape: &Shape, parts: &Parts) -> String {
    let text = |list: usize, at: usize| {
        let texts = parts.lists.get(list)?.1.as_string_opt::<i32>()?;
        (at < texts.len() && texts.is_valid(at)).then(|| texts.value(at).to_owned())
    };
    let members: Map<String, Value> = match shape {
        Shape::Composite(attributes) => {
            attributes.iter().enumerate().map(|(list, known)| (known.name.clone(), text(list, 0).into())).collect()
        }
        _ => {
            let keys = parts.lists.first().map_or(0, |(_, keys)| keys.len());
            (0..keys).filter_map(|at| Some((text(0, at)?, text(1, at).into()))).collect()
        }
    };
    Value::Object(members).to_string()
}
