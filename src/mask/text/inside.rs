//! Names inside of other values of the row: attributes of composites, values of an hstore, what stands on paths of
//! documents. Those of the column that the text is in count too: `{"name": …, "note": …}`.
//!
//! They count by the kind of their own mask, as columns do. What stands for one in the text is computed anew with that mask:
//! the value around it may not be masked yet.

use super::names::{Names, Role};
use super::sources::role;
use crate::mask::column::{ColumnMask, Compile, MaskError, Rows};
use crate::mask::json::{LEAF, Strings, nested_mask};
use crate::mask::{Params, Shape};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use serde_json::Value;
use std::ops::Range;

/// Names inside of the values of a column.
pub(super) struct Inside {
    /// In [`crate::mask::TableSpec::columns`].
    index: usize,
    /// The lists that lead from its container to the values.
    steps: Vec<usize>,
    place: Place,
    names: Vec<(Role, Box<dyn ColumnMask>)>,
}

/// Where in a value a name stands.
enum Place {
    /// It is the name.
    Whole,
    /// By the number of the name: the key of an hstore.
    Keys(Vec<String>),
    /// By the number of the name: strings of a document.
    Document(Strings),
}

/// What a mask inside of the parameters of another one says about a person: `"name.first"`, `{ mask = "name.first", … }`.
fn role_of(mask: &Value) -> Option<Role> {
    match mask {
        Value::String(kind) => role(kind, &Params::new()),
        Value::Object(params) => role(params.get("mask")?.as_str()?, params),
        _ => None,
    }
}

/// Tells whether a mask holds names inside of the values of its column.
pub(super) fn holds_names(kind: &str, params: &Params) -> bool {
    let parts = match kind.split('/').next() {
        Some("composite" | "hstore") => "fields",
        Some("json") => "paths",
        _ => return false,
    };
    let parts = params.get(parts).and_then(Value::as_object);
    params
        .get("rest")
        .into_iter()
        .chain(parts.into_iter().flat_map(|parts| parts.values()))
        .any(|mask| role_of(mask).is_some())
}

/// The names inside of the columns of a table. Masks that cannot be built are refused where they stand.
pub(super) fn of(compile: &Compile<'_>) -> Vec<Inside> {
    let columns = compile
        .table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| column.mask.as_ref().is_some_and(|mask| holds_names(&mask.kind, &mask.params)));
    columns.filter_map(|(index, _)| of_column(&compile.at_column(index)?)).flatten().collect()
}

fn of_column(compile: &Compile<'_>) -> Option<Vec<Inside>> {
    let (index, params) = (compile.column, &compile.spec.params);
    let (steps, shape) = match &compile.shape {
        Shape::Array(inner) => (vec![0], &**inner),
        shape => (Vec::new(), shape),
    };
    let named =
        |mask: &Value, shape: &Shape| Some((role_of(mask)?, nested_mask(compile, "fields", mask, shape.clone()).ok()?));
    let fields = || params.get("fields").and_then(Value::as_object);
    match shape {
        Shape::Composite(attributes) => {
            let attributes = attributes.iter().enumerate().filter_map(|(number, attribute)| {
                let mask = fields().and_then(|fields| fields.get(&attribute.name)).or(params.get("rest"))?;
                let many = matches!(attribute.shape, Shape::Array(_)).then_some(0);
                let text = matches!(attribute.shape.leaf(), Shape::Text { .. });
                let name = named(mask, attribute.shape.leaf()).filter(|_| text)?;
                let steps = steps.iter().copied().chain([number]).chain(many).collect();
                Some(Inside { index, steps, place: Place::Whole, names: vec![name] })
            });
            Some(attributes.collect())
        }
        Shape::Hstore => {
            let fields = fields()?.iter().filter_map(|(key, mask)| Some((key.clone(), named(mask, &LEAF)?)));
            let (keys, names) = fields.unzip();
            Some(vec![Inside { index, steps, place: Place::Keys(keys), names }])
        }
        Shape::Text { .. } | Shape::Json | Shape::Jsonb => {
            let (strings, masks) = Strings::of(compile, |mask| role_of(mask).is_some()).ok()?;
            let names = masks.into_iter().filter_map(|(written, mask)| Some((role_of(written)?, mask))).collect();
            Some(vec![Inside { index, steps, place: Place::Document(strings), names }])
        }
        _ => None,
    }
}

/// The lists of a container.
fn list(column: &ArrayRef, number: usize) -> Option<(&ArrayRef, &[i32])> {
    let list = column.as_struct_opt()?.columns().get(1 + number)?.as_list_opt::<i32>()?;
    Some((list.values(), list.value_offsets()))
}

fn within(offsets: &[i32], places: Range<usize>) -> Range<usize> {
    offsets[places.start] as usize..offsets[places.end] as usize
}

impl Inside {
    /// Adds the names of a row of the batch, and their masks.
    pub(super) fn add(&self, row: usize, rows: &Rows<'_>, names: &mut Names) -> Result<(), MaskError> {
        let mut shown = String::new();
        self.each(row, rows, &mut |number, name| {
            let Some((role, mask)) = self.names.get(number) else { return Ok(()) };
            shown.clear();
            mask.text(name, row, rows, &mut shown)?;
            names.add(*role, name, &shown);
            Ok(())
        })
    }

    /// Adds the names of the person of a row as they are.
    pub(super) fn add_own(&self, row: usize, rows: &Rows<'_>, names: &mut Names) {
        let added = self.each(row, rows, &mut |number, name| {
            if let Some((role, _)) = self.names.get(number).filter(|(role, _)| role.is_persons()) {
                names.add(*role, name, name);
            }
            Ok(())
        });
        debug_assert!(added.is_ok(), "nothing is masked");
    }

    /// Calls `found` with the number and the value of each name of a row. Nothing where the column has another shape, which
    /// its own mask refuses.
    fn each(
        &self,
        row: usize,
        rows: &Rows<'_>,
        found: &mut dyn FnMut(usize, &str) -> Result<(), MaskError>,
    ) -> Result<(), MaskError> {
        let Some(mut column) = rows.raw.get(self.index) else { return Ok(()) };
        let mut places = row..row + 1;
        for step in &self.steps {
            let Some((values, offsets)) = list(column, *step) else { return Ok(()) };
            (column, places) = (values, within(offsets, places));
        }
        if let Place::Keys(fields) = &self.place {
            let (Some((keys, offsets)), Some((values, _))) = (list(column, 0), list(column, 1)) else { return Ok(()) };
            let (Some(keys), Some(values)) = (keys.as_string_view_opt(), values.as_string_view_opt()) else {
                return Ok(());
            };
            for place in within(offsets, places).filter(|place| values.is_valid(*place)) {
                if let Some(number) = fields.iter().position(|field| field == keys.value(place)) {
                    found(number, values.value(place))?;
                }
            }
            return Ok(());
        }
        let Some(values) = column.as_string_view_opt() else { return Ok(()) };
        for place in places.filter(|place| values.is_valid(*place)) {
            match &self.place {
                Place::Document(strings) => strings.each(values.value(place), &mut *found)?,
                _ => found(0, values.value(place))?,
            }
        }
        Ok(())
    }

    /// The columns that the masks of the names wait for.
    pub(super) fn after(&self) -> impl Iterator<Item = usize> + '_ {
        self.names.iter().flat_map(|(_, mask)| mask.after())
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::batch::RawBatch;
    use crate::mask::key::MasterKey;
    use crate::mask::nested::Parts;
    use crate::mask::{Attribute, ColumnSpec, MaskSpec, Masker, Shape, TableSpec};
    use arrow_array::cast::AsArray;
    use arrow_array::{ArrayRef, BinaryArray, Int32Array, StringViewArray};
    use arrow_buffer::OffsetBuffer;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn texts(values: &[&str]) -> ArrayRef {
        Arc::new(StringViewArray::from(values.to_vec()))
    }

    fn container(lists: Vec<(Vec<i32>, ArrayRef)>) -> ArrayRef {
        let lists = lists.into_iter().map(|(ends, leaves)| (OffsetBuffer::new(ends.into()), leaves)).collect();
        let skeleton = BinaryArray::from_iter_values([b"", b""]);
        Parts { skeleton, lists, nulls: None }.join().expect("parts of two rows")
    }

    /// Two rows of `note`, `p`, `h`, `j` and `id`; the masked notes and documents.
    fn masked(notes: [&str; 2], composite: Value, hstore: Value, json: Value) -> [Vec<String>; 2] {
        let spec = |kind: &str, params: Value| {
            let Value::Object(params) = params else { unreachable!("a table") };
            Some(MaskSpec { kind: kind.to_owned(), label: String::new(), params, subject: Some(4) })
        };
        let column = |name: &str, shape, mask| ColumnSpec { name: format!("public.s.{name}"), shape, mask };
        let attribute = |name: &str| Attribute { name: name.to_owned(), shape: Shape::TEXT };
        let person = Shape::Composite([attribute("given"), attribute("family")].into());
        let columns = vec![
            column("note", Shape::TEXT, spec("text.spans/1", json!({}))),
            column("p", person, spec("composite/1", composite)),
            column("h", Shape::Hstore, spec("hstore/1", hstore)),
            column("j", Shape::Jsonb, spec("json/1", json)),
            column("id", Shape::Int4, None),
        ];
        let table = TableSpec { columns, ..TableSpec::default() };
        let each = vec![0, 1, 2];
        let columns = vec![
            texts(&notes),
            container(vec![
                (each.clone(), texts(&["Philippa", "Ottokar"])),
                (each.clone(), texts(&["Zweigle", "Brandstetter"])),
            ]),
            container(vec![(each.clone(), texts(&["owner", "color"])), (each, texts(&["Ulrike Grabowski", "Blau"]))]),
            texts(&[
                r#"{"name": "Xaver Unterhuber", "text": "Xaver rief an", "by": {"Philippa Zweigle": "x"}}"#,
                r#"{"text": "Xaver", "name": null, "by": {"Philippa Zweigle": "x"}}"#,
            ]),
            Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef,
        ];
        let masker = Masker::compile(&MasterKey::test().realm("default"), &table).expect("compiles");
        let raw = RawBatch { rows: 2, wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
        let masked = masker.apply(raw).expect("masked");
        let column = |index: usize| {
            masked.columns()[index].as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
        };
        [column(0), column(3)]
    }

    #[test]
    fn names_inside_of_other_values_are_names_of_the_row() {
        let composite = || json!({ "fields": { "given": "name.first", "family": { "mask": "name.last" } } });
        let hstore = || json!({ "fields": { "owner": "name.full" }, "rest": "keep" });
        let json = |rest: &str| json!({ "paths": { "$.name": "name.full" }, "rest": rest });
        let note = "Philippa Zweigle, Xaver Unterhuber, Frau Grabowski";
        let [notes, documents] = masked([note, note], composite(), hstore(), json("text.spans"));
        for name in ["Philippa", "Zweigle", "Xaver", "Unterhuber", "Grabowski"] {
            assert!(!notes[0].contains(name), "{name}: {notes:?}");
        }
        assert!(!documents[0].contains("Xaver") && documents[0].contains(" rief an"), "{documents:?}");
        assert!(!documents[0].contains("Philippa") && documents[1].contains("Philippa Zweigle"), "{documents:?}");
        // The name in the document and the one in the text are the same.
        let document: Value = serde_json::from_str(&documents[0]).expect("JSON");
        let name = document["name"].as_str().expect("a name");
        assert!(notes[0].contains(name), "{notes:?} {documents:?}");
        // The twins: the row of somebody else, a key that is none of the names, and values that are no names.
        assert_eq!(notes[1], note);
        assert!(documents[1].contains("Xaver"), "{documents:?}");
        let none = || json!({ "rest": "keep" });
        let rest = json!({ "fields": { "given": "name.first" }, "rest": "name.last" });
        assert!(!masked([note, note], rest, none(), json!({ "rest": "null" }))[0][0].contains("Zweigle"));
        assert_eq!(masked([note, note], none(), none(), json!({ "rest": "null" }))[0], [note, note]);
    }
}
