//! Masks drawn from lists of the user: `choice/1`, `lookup/1`.
//!
//! # Construction
//!
//! - A *list id* is the first 16 bytes of `xof(K_dom, 1, …)` over the frame of the list: for `choice/1` each value and its
//!   weight (LE64) in order, for `lookup/1` the text of the file. So a list that changes gives new draws, and two
//!   columns with one list and one subject give the same draw.
//! - The draw is word 0 of `xof(K_dom, 2, frame(keyed, list id))`; `keyed` is the value, or the canonical subject with
//!   `by = "subject"` (a row without one: its value). `choice/1` maps it by `below(sum of weights)` to the cumulative
//!   weights; a table of weights is sorted bytewise by value, an array keeps its order. `lookup/1` takes row
//!   `below(rows)`, so several columns that draw from one file with one label get cells of one row.
//! - In a column that is not text a value is what PostgreSQL writes for it ([`super::listed`]).
//! - `lookup/1` with `find` draws nothing: the value is looked up in that column as it is written, the first row with it
//!   counts, and a value that is not there goes to `else`.

use super::column::{ColumnMask, Compile, CompileError, MaskError};
use super::csv;
use super::key::DomainKey;
use super::kind::{Domain, Param};
use super::leaf::{At, TEXT, TextKind, TextMask};
use super::listed::{self, ELSE_NEEDED, Known, Listed, Picks};
use super::person::BY;
use super::row::{Otherwise, RowKind, RowMask};
use super::token::{Purpose, below, frame, word};
use super::{Injective, KeyedOn, Kind, Params, Shape, Takes, chars};
use arrow_array::ArrayRef;
use serde_json::Value;
use std::collections::HashMap;

pub(super) static CHOICE: Kind = Kind {
    name: "choice",
    summary: "Draws from a list of values, by weight if wanted",
    params: &[
        Param {
            name: "values",
            summary: "an array of texts, or a table of text = weight; each a value of the column's type, [\"7\", \"8\"]",
            domain: Domain::Any,
            default: "required",
        },
        BY,
    ],
    accepts: &[Takes::Integer, Takes::Numeric, Takes::Bool, Takes::Text, Takes::Enum, Takes::Date],
    keyed_on: KeyedOn::Either,
    injective: Injective::No,
    samples: &["gold"],
    least: |params| {
        let longest = weights(params).and_then(|list| list.iter().map(|(text, _)| chars(text)).max());
        longest.map_or(Vec::new(), |longest| vec![longest])
    },
    compile: compile_choice,
    ..TEXT
};

pub(super) static LOOKUP: Kind = Kind {
    name: "lookup",
    summary: "Takes masks from a CSV file: drawn, or found by the value",
    params: &[
        Param {
            name: "file",
            summary: "a CSV file with a header line, at most 1 MiB; its path is relative to the configuration",
            domain: Domain::Text,
            default: "required",
        },
        Param {
            name: "take",
            summary: "name of the column whose cells become masks",
            domain: Domain::Text,
            default: "the last one",
        },
        Param {
            name: "find",
            summary: "name of the column in which the value is looked up",
            domain: Domain::Text,
            default: "a row is drawn",
        },
        Param {
            name: "else",
            summary: "with `find`, what becomes of a value that is not there: \"pattern\", \"null\", \"fail\" or a mask",
            domain: Domain::Any,
            default: "pattern; in a column that is no text it must be given",
        },
        BY,
    ],
    accepts: listed::TYPES,
    keyed_on: KeyedOn::Either,
    injective: Injective::No,
    samples: &["Sales"],
    least: |params| match Table::read(params) {
        Ok(table) => vec![table.cells(table.take).map(chars).max().unwrap_or(0)],
        Err(_) => Vec::new(),
    },
    compile: compile_lookup,
    ..TEXT
};

/// What decides a draw.
struct Draw {
    key: DomainKey,
    list: [u8; 16],
    slot: Option<usize>,
}

impl Draw {
    fn new(compile: &Compile<'_>, kind: &str, list: &[u8]) -> Self {
        let key = compile.realm.domain(kind, &compile.spec.label);
        let by_subject = compile.word("by") == Some("subject");
        let mut id = [0; 16];
        id.copy_from_slice(&key.hash(Purpose::Tag, list)[..16]);
        Self { key, list: id, slot: compile.subject.filter(|_| by_subject) }
    }

    fn below(&self, n: u64, value: &str, at: At<'_>) -> u64 {
        let keyed = at.subject(self.slot).unwrap_or(value);
        below(word(&self.key.hash(Purpose::Stream, &frame(&[keyed.as_bytes(), &self.list])), 0), n)
    }
}

/// Largest weight of one value, and of all together: what a draw can tell apart.
const WEIGHTS_MAX: u64 = 1 << 32;

/// The values with their weights; none if they are written in another form.
fn weights(params: &Params) -> Option<Vec<(&str, u64)>> {
    match params.get("values")? {
        Value::Array(items) => items.iter().map(|item| Some((item.as_str()?, 1))).collect(),
        Value::Object(table) => {
            let mut list: Vec<(&str, u64)> =
                table.iter().map(|(text, weight)| Some((text.as_str(), weight.as_u64()?))).collect::<Option<_>>()?;
            list.sort_unstable();
            Some(list)
        }
        _ => None,
    }
}

struct Choice {
    draw: Draw,
    values: Vec<String>,
    /// Sum of the weights up to and including each value.
    cumulative: Vec<u64>,
}

fn compile_choice(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let wrong = || {
        let form = "[\"a\", \"b\"] or { a = 3, b = 1 } with weights that are whole numbers, in all 1 to 4294967296";
        compile.bad_param("values", form)
    };
    let list = weights(&compile.spec.params).ok_or_else(wrong)?;
    let mut framed = Vec::new();
    let mut cumulative = Vec::with_capacity(list.len());
    let mut sum = 0u64;
    for (text, weight) in &list {
        framed.extend_from_slice(&frame(&[text.as_bytes(), &weight.to_le_bytes()]));
        sum = sum.checked_add(*weight).filter(|sum| *sum <= WEIGHTS_MAX).ok_or_else(wrong)?;
        cumulative.push(sum);
    }
    if sum == 0 {
        return Err(wrong());
    }
    let values: Vec<String> = list.iter().map(|(text, _)| (*text).to_owned()).collect();
    let choice = Choice { draw: Draw::new(compile, "choice/1", &framed), values, cumulative };
    if let Shape::Text { .. } = compile.shape {
        return TextMask::boxed(compile, choice);
    }
    let masks = listed::read(&compile.shape, &choice.values);
    let masks = masks.map_err(|_| compile.bad_param("values", "texts that are values of the column's type"))?;
    let (shape, texts) = (compile.shape.clone(), choice.values.clone());
    // Every value is drawn for.
    Ok(Box::new(Listed { picks: choice, shape, texts, masks, otherwise: Otherwise::Null }))
}

impl Choice {
    /// Which of the values a value becomes.
    fn index(&self, value: &str, at: At<'_>) -> usize {
        let sum = self.cumulative.last().copied().unwrap_or(1);
        let drawn = self.draw.below(sum, value, at);
        self.cumulative.partition_point(|end| *end <= drawn)
    }
}

/// Draws are those of a text column that holds the values as PostgreSQL writes them.
impl Picks for Choice {
    fn pick(&self, value: &str, at: At<'_>) -> Option<usize> {
        Some(self.index(value, at))
    }
}

impl TextKind for Choice {
    type Scratch = ();

    fn mask(&self, value: &str, at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        out.push_str(&self.values[self.index(value, at)]);
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }

    fn listed(&self) -> bool {
        true
    }
}

/// A file with the columns that a mask names.
struct Table {
    text: String,
    rows: Vec<Vec<String>>,
    take: usize,
    find: Option<usize>,
}

impl Table {
    /// Reads the file of a mask. The error names a parameter and says what it must be.
    fn read(params: &Params) -> Result<Self, (&'static str, String)> {
        let word = |name: &str| params.get(name).and_then(Value::as_str);
        let text = word("file").ok_or(("file", "the path of a CSV file".to_owned()))?.to_owned();
        let mut rows = csv::parse(&text)
            .map_err(|line| ("file", format!("a CSV file; a quote in line {line} of it is never closed")))?;
        if rows.len() < 2 {
            return Err(("file", "a CSV file with a header line and at least one more".to_owned()));
        }
        let header = rows.remove(0);
        if let Some(row) = rows.iter().position(|row| row.len() != header.len()) {
            let (row, columns) = (row + 2, header.len());
            return Err((
                "file",
                format!("a CSV file with {columns} fields in each record, as its header; record {row} differs"),
            ));
        }
        let column = |param: &'static str| match word(param) {
            None => Ok(None),
            Some(name) => header
                .iter()
                .position(|column| column == name)
                .map(Some)
                .ok_or_else(|| (param, format!("a column of the file: {}", header.join(", ")))),
        };
        let take = column("take")?.unwrap_or(header.len() - 1);
        let find = column("find")?;
        Ok(Self { text, rows, take, find })
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &str> {
        self.rows.iter().map(move |row| row[column].as_str())
    }
}

fn compile_lookup(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let table = Table::read(&compile.spec.params).map_err(|(param, expected)| compile.bad_param(param, &expected))?;
    let masks: Vec<String> = table.cells(table.take).map(str::to_owned).collect();
    let Some(find) = table.find else {
        if compile.spec.params.contains_key("else") {
            return Err(compile.bad_param("else", "left out, or `find` given: a row that is drawn is always there"));
        }
        let draw = Draw::new(compile, "lookup/1", &frame(&[table.text.as_bytes()]));
        let drawn = Drawn { draw, masks };
        if let Shape::Text { .. } = compile.shape {
            return TextMask::boxed(compile, drawn);
        }
        let (texts, masks) = (drawn.masks.clone(), typed(compile, &drawn.masks)?);
        let shape = compile.shape.clone();
        return Ok(Box::new(Listed { picks: drawn, shape, texts, masks, otherwise: Otherwise::Null }));
    };
    if compile.word("by") == Some("subject") {
        return Err(compile.bad_param("by", "\"value\", because `find` looks the value up"));
    }
    if !matches!(compile.shape, Shape::Text { .. }) {
        if !compile.spec.params.contains_key("else") {
            return Err(compile.bad_param("else", ELSE_NEEDED));
        }
        let picks = Known::read(&compile.shape, table.cells(find)).map_err(|row| no_value(compile, "find", row))?;
        let (shape, otherwise) = (compile.shape.clone(), Otherwise::from_else(compile)?);
        let typed = typed(compile, &masks)?;
        return Ok(Box::new(Listed { picks, shape, texts: masks, masks: typed, otherwise }));
    }
    let mut known = HashMap::with_capacity(masks.len());
    for (value, mask) in table.cells(find).zip(masks) {
        known.entry(value.to_owned()).or_insert(mask);
    }
    Ok(RowMask::boxed(compile, Found { known, otherwise: Otherwise::from_else(compile)? }))
}

/// The cells of a file as masks of a column that is not text.
fn typed(compile: &Compile<'_>, masks: &[String]) -> Result<ArrayRef, CompileError> {
    listed::read(&compile.shape, masks).map_err(|row| no_value(compile, "take", row))
}

/// A cell of a column that a parameter names is no value of the type. The record is told, for the cell may be a person's.
fn no_value(compile: &Compile<'_>, param: &str, row: usize) -> CompileError {
    let expected = format!("a column of values of the column's type; that of record {} is none", row + 2);
    compile.bad_param(param, &expected)
}

/// `lookup/1` without `find`.
struct Drawn {
    draw: Draw,
    masks: Vec<String>,
}

impl Drawn {
    fn index(&self, value: &str, at: At<'_>) -> usize {
        self.draw.below(self.masks.len() as u64, value, at) as usize
    }
}

impl Picks for Drawn {
    fn pick(&self, value: &str, at: At<'_>) -> Option<usize> {
        Some(self.index(value, at))
    }
}

impl TextKind for Drawn {
    type Scratch = ();

    fn mask(&self, value: &str, at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        out.push_str(&self.masks[self.index(value, at)]);
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }

    fn listed(&self) -> bool {
        true
    }
}

/// `lookup/1` with `find`.
struct Found {
    known: HashMap<String, String>,
    otherwise: Otherwise,
}

impl RowKind for Found {
    fn mask(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        match self.known.get(value) {
            Some(mask) => {
                out.push_str(mask);
                Ok(true)
            }
            None => self.otherwise.mask(value, at, out),
        }
    }

    fn after(&self) -> Vec<usize> {
        self.otherwise.after()
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::{MasterKey, RealmKey, ValueError, kind, mask_value};

    fn realm() -> RealmKey {
        MasterKey::test().realm("default")
    }

    fn tried(kind: &str, json: &str, subject: Option<&str>, value: &str) -> Result<Option<String>, ValueError> {
        mask_value(&realm(), kind, "", serde_json::from_str(json).unwrap(), subject, value)
    }

    fn one(kind: &str, json: &str, subject: Option<&str>, value: &str) -> String {
        tried(kind, json, subject, value).unwrap().unwrap()
    }

    const FILE: &str = r#"{"file":"code,city,region\nA,Bonn,NW\nB,\"Frankfurt, Main\",HE\nC,Mainz,RP\n""#;

    fn lookup(more: &str) -> String {
        format!("{FILE}{more}}}")
    }

    #[test]
    fn choices_follow_value_subject_and_weight() {
        let list = r#"{"values":["a","b","c"]}"#;
        assert_eq!(one("choice", list, None, "x"), one("choice", list, None, "x"));
        let weighted = r#"{"values":{"rare":1,"often":9}}"#;
        let often = (0..2_000).filter(|i| one("choice", weighted, None, &i.to_string()) == "often").count();
        assert!((1_700..1_900).contains(&often), "{often}");
        let never = r#"{"values":{"never":0,"always":1}}"#;
        assert!((0..200).all(|i| one("choice", never, None, &i.to_string()) == "always"));
        let by = r#"{"values":["a","b","c","d","e","f","g","h"],"by":"subject"}"#;
        assert!((0..20).all(|i| one("choice", by, Some("7"), &i.to_string()) == one("choice", by, Some("7"), "x")));
        assert!((0..20).any(|i| one("choice", by, Some(&i.to_string()), "x") != one("choice", by, Some("7"), "x")));
    }

    #[test]
    fn a_choice_in_a_column_of_another_type_draws_what_texts_of_its_values_draw() {
        use crate::mask::batch::RawBatch;
        use crate::mask::{ColumnSpec, MaskSpec, Masker, Shape, TableSpec};
        use arrow_array::cast::AsArray;
        use arrow_array::types::{Date32Type, Int32Type};
        use arrow_array::{ArrayRef, Date32Array, Int32Array, StringViewArray};
        use std::sync::Arc;
        let masked = |shape: Shape, values: &str, column: ArrayRef| {
            let params = serde_json::from_str(&format!(r#"{{"values":{values}}}"#)).unwrap();
            let mask = Some(MaskSpec { kind: "choice/1".to_owned(), label: String::new(), params, subject: None });
            let columns = vec![ColumnSpec { name: "t.c".to_owned(), shape, mask }];
            let masker = Masker::compile(&realm(), &TableSpec { columns, ..TableSpec::default() }).ok()?;
            let raw =
                RawBatch { rows: column.len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns: vec![column] };
            masker.apply(raw).ok().map(|masked| Arc::clone(&masked.columns()[0]))
        };
        let numbers = r#"["10","-20","30"]"#;
        let column: ArrayRef = Arc::new(Int32Array::from(vec![Some(7), None, Some(-8), Some(i32::MAX)]));
        let drawn = masked(Shape::Int4, numbers, Arc::clone(&column)).expect("numbers");
        let drawn: Vec<Option<String>> =
            drawn.as_primitive::<Int32Type>().iter().map(|number| number.map(|number| number.to_string())).collect();
        let text = |value: &str| Some(one("choice", &format!(r#"{{"values":{numbers}}}"#), None, value));
        assert_eq!(drawn, [text("7"), None, text("-8"), text("2147483647")]);
        let days: ArrayRef = Arc::new(Date32Array::from(vec![Some(20_000), Some(i32::MAX), None]));
        let drawn = masked(Shape::Date, r#"["1970-01-02"]"#, Arc::clone(&days)).expect("days");
        assert_eq!(drawn.as_primitive::<Date32Type>().iter().collect::<Vec<_>>(), [Some(1), Some(1), None]);
        let labels: Arc<[String]> = ["gold".to_owned(), "red".to_owned()].into();
        let column: ArrayRef = Arc::new(StringViewArray::from(vec![Some("gold"), None]));
        let drawn = masked(Shape::Enum(Arc::clone(&labels)), r#"{"red":1}"#, Arc::clone(&column)).expect("labels");
        assert_eq!(drawn.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("red"), None]);
        for (shape, values) in [
            (Shape::Int2, r#"["40000"]"#),
            (Shape::Int4, r#"["7","x"]"#),
            (Shape::Date, r#"["1 May"]"#),
            (Shape::Bool, r#"["yes"]"#),
            (Shape::Numeric { limit: None }, r#"["1.5","x"]"#),
            (Shape::Enum(labels), r#"["gold","blue"]"#),
            (Shape::Uuid, r#"["550e8400-e29b-41d4-a716-446655440000"]"#),
        ] {
            assert!(masked(shape, values, Arc::clone(&column)).is_none(), "{values}");
        }
    }

    #[test]
    fn draws_match_their_golden_vectors() {
        let list = r#"{"values":["a","b","c","d","e","f","g","h"]}"#;
        let drawn: String = (0..16).map(|i| one("choice", list, None, &i.to_string())).collect();
        assert_eq!(drawn, "aeaghdbefgebgddd");
        let drawn: Vec<String> = (0..6).map(|i| one("lookup", &lookup(""), None, &i.to_string())).collect();
        assert_eq!(drawn.join(" "), "HE NW RP NW HE NW");
    }

    #[test]
    fn columns_that_draw_from_one_file_get_cells_of_one_row() {
        for i in 0..20 {
            let cell = |take: &str| {
                one("lookup", &lookup(&format!(r#","take":"{take}","by":"subject""#)), Some(&i.to_string()), "x")
            };
            let row = (cell("code"), cell("city"), cell("region"));
            assert!(
                ["A Bonn NW", "B Frankfurt, Main HE", "C Mainz RP"]
                    .contains(&&*format!("{} {} {}", row.0, row.1, row.2))
            );
        }
    }

    #[test]
    fn values_are_found_or_go_to_else() {
        let found =
            |more: &str, value: &str| tried("lookup", &lookup(&format!(r#","find":"code"{more}"#)), None, value);
        assert_eq!(found("", "C"), Ok(Some("RP".into())));
        assert_eq!(found(r#","take":"city""#, "B"), Ok(Some("Frankfurt, Main".into())));
        assert_eq!(found(r#","else":"null""#, "Z"), Ok(None));
        assert_eq!(found(r#","else":{"mask":"const","value":"?"}"#, "Z"), Ok(Some("?".into())));
        assert_eq!(found("", "ZZ-1"), tried("pattern", "{}", None, "ZZ-1"));
        assert!(matches!(found(r#","else":"fail""#, "Z"), Err(ValueError::Mask(_))));
        assert!(matches!(found(r#","else":"keep""#, "Z"), Err(ValueError::Compile(_))));
    }

    #[test]
    fn wrong_lists_are_refused() {
        for json in [
            "{}",
            r#"{"values":[]}"#,
            r#"{"values":{}}"#,
            r#"{"values":["a",1]}"#,
            r#"{"values":{"a":0}}"#,
            r#"{"values":{"a":4294967296,"b":1}}"#,
            r#"{"values":{"a":-1}}"#,
            r#"{"values":"a"}"#,
        ] {
            assert!(matches!(tried("choice", json, None, "x"), Err(ValueError::Compile(_))), "{json}");
        }
        for json in [
            "{}".to_owned(),
            r#"{"file":"a,b\n"}"#.to_owned(),
            r#"{"file":"a,b\n1\n"}"#.to_owned(),
            r#"{"file":"a,b\n1,\"2\n"}"#.to_owned(),
            lookup(r#","take":"nothing""#),
            lookup(r#","find":"nothing""#),
            lookup(r#","else":"null""#),
        ] {
            assert!(matches!(tried("lookup", &json, None, "x"), Err(ValueError::Compile(_))), "{json}");
        }
        let least = |name: &str, json: &str| (kind(name).unwrap().least)(&serde_json::from_str(json).unwrap());
        assert_eq!(least("choice", r#"{"values":["a","bcd"]}"#), [3]);
        assert_eq!(least("lookup", &lookup(r#","take":"city""#)), [15]);
    }
}
