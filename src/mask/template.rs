//! Texts composed from the row: `template/1`.
//!
//! # Construction
//!
//! `text` is literal but for braces; `{{` and `}}` stand for one.
//!
//! | piece | gives |
//! |---|---|
//! | `{b32:n}` | the first `n` characters of `b32(xof(K_dom, 1, value))`; 16 or more keep unique columns unique |
//! | `{first}` `{last}` `{street}` `{city}` `{region}` `{zip}` | that side of the persona of the row's subject, with the label of the mask; a row without subject uses its value |
//! | `{column}`, `{"column"}` | the **masked** value of a column of the row (as it is, for one that is kept); quotes for names that mean something else here; nothing for NULL |
//! | `{…\|lower}`, `{…\|upper}`, `{…\|slug}` | letters in that case, but for those that would become several (`ß`); `slug`: only ASCII letters and digits, in lower case |
//! | `{…:n}`, `{…\|lower:n}` | at most the first `n` characters of what comes before |
//!
//! Dates are written as in SQL, UUIDs with hyphens. The longest text is known when the mask is compiled, so a column that
//! could be too narrow is refused, and nothing is cut but by `:n`.

use super::account::push_uuid;
use super::column::{ColumnMask, Compile, CompileError, MaskError};
use super::key::DomainKey;
use super::kind::{Domain, Param, Promise};
use super::leaf::{At, TEXT};
use super::person::{Persona, attribute_longest, with_subject};
use super::row::{RowKind, RowMask};
use super::temporal::push_date;
use super::token::{Purpose, push_b32};
use super::unicode::is_assigned;
use super::{Injective, KeyedOn, Kind, Params, Refusal, Shape, chars};
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use std::fmt::Write;

pub(super) static TEMPLATE: Kind = Kind {
    name: "template",
    summary: "Composes a text from masked columns, the person of the row and a unique token",
    params: &[Param {
        name: "text",
        summary: "e.g. \"{first|slug}.{last|slug}.{b32:16}@shop.example\"; {first}, {last}, {street}, {city}, {region} and {zip} are those of the person of the row, {column} is the masked column of the row (in quotes, {\"first\"}, where its name is one of those), {b32:16} a token that keeps it unique; behind them |lower, |upper or |slug (ASCII letters and digits), and :n for at most n characters; {{ and }} are braces",
        domain: Domain::Text,
        default: "required",
    }],
    keyed_on: KeyedOn::Row,
    injective: Injective::No,
    samples: &["bob@example.com"],
    // It is made of names, as others have them.
    remains: |_| super::Remains::Names,
    promises: Some(promises),
    columns: |params| {
        let pieces = pieces(params).unwrap_or_default();
        pieces
            .into_iter()
            .filter_map(|piece| if let Piece::Column(name, _) = piece { Some(name) } else { None })
            .collect()
    },
    least: |params| {
        let pieces = pieces(params).unwrap_or_default();
        vec![pieces.iter().map(|piece| piece.chars_max(0)).fold(0, u32::saturating_add)]
    },
    compile,
    ..TEXT
};

/// Characters of a token that make it unique: 80 bits.
const TOKEN_UNIQUE: u32 = 16;
/// Longest token: nobody needs more, and lengths stay far from overflow.
const TOKEN_MAX: u32 = 64;
/// Attributes of a persona.
const ATTRIBUTES: [&str; 6] = ["first", "last", "street", "city", "region", "zip"];

fn promises(params: &Params) -> Promise {
    let pieces = pieces(params).unwrap_or_default();
    let unique = pieces.iter().any(|piece| matches!(piece, Piece::Token(length) if *length >= TOKEN_UNIQUE));
    let row = pieces.iter().any(|piece| matches!(piece, Piece::Persona(..) | Piece::Column(..)));
    Promise {
        keyed_on: if row { KeyedOn::Row } else { KeyedOn::Value },
        injective: if unique { Injective::Bits80 } else { Injective::No },
        needs_subject: pieces.iter().any(|piece| matches!(piece, Piece::Persona(..))),
        capacity: None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Case {
    AsIs,
    Lower,
    Upper,
    Slug,
}

/// What becomes of a piece before it stands in the text.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Form {
    case: Case,
    chars_max: Option<u32>,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Token(u32),
    Persona(&'static str, Form),
    Column(String, Form),
}

impl Piece {
    /// Longest text of the piece, if a column has `column` characters at most.
    fn chars_max(&self, column: u32) -> u32 {
        match self {
            Piece::Text(text) => chars(text),
            Piece::Token(length) => *length,
            Piece::Persona(attribute, form) => attribute_longest(attribute).min(form.chars_max.unwrap_or(u32::MAX)),
            Piece::Column(_, form) => column.min(form.chars_max.unwrap_or(u32::MAX)),
        }
    }
}

/// Takes the text of a mask apart. The error completes "must be".
fn pieces(params: &Params) -> Result<Vec<Piece>, String> {
    let text = params.get("text").and_then(|value| value.as_str()).ok_or("given")?;
    let mut pieces = Vec::new();
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..at + 1];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err("a text in which each } closes a {, or stands twice".to_owned());
        }
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        let (piece, after) = piece(rest)?;
        pieces.push(piece);
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    if pieces.is_empty() { Err("a text".to_owned()) } else { Ok(pieces) }
}

/// Reads what stands after `{`, up to and including its `}`.
fn piece(text: &str) -> Result<(Piece, &str), String> {
    let open = || "a text in which each { is closed, or stands twice".to_owned();
    let (quoted, name, rest) = match text.strip_prefix('"') {
        Some(inner) => {
            let end = inner.find('"').ok_or_else(open)?;
            (true, &inner[..end], &inner[end + 1..])
        }
        None => {
            let end = text.find(['}', ':', '|', '{']).ok_or_else(open)?;
            (false, &text[..end], &text[end..])
        }
    };
    let (form, after) = rest.split_once('}').ok_or_else(open)?;
    let (filter, length) = match form.split_once(':') {
        Some((filter, digits)) => {
            let length = digits.parse::<u32>().ok().filter(|length| (1..=10_000).contains(length));
            (
                filter,
                Some(length.ok_or_else(|| format!("a text with numbers from 1 to 10000 after `:`, not `{digits}`"))?),
            )
        }
        None => (form, None),
    };
    let case = match filter {
        "" => Case::AsIs,
        "|lower" => Case::Lower,
        "|upper" => Case::Upper,
        "|slug" => Case::Slug,
        _ => return Err(format!("a text with |lower, |upper or |slug, not `{filter}`")),
    };
    let form = Form { case, chars_max: length };
    let attribute = ATTRIBUTES.into_iter().find(|attribute| !quoted && *attribute == name);
    let piece = match (attribute, name) {
        (Some(attribute), _) => Piece::Persona(attribute, form),
        (None, "b32") if !quoted => match length.filter(|length| *length <= TOKEN_MAX && case == Case::AsIs) {
            Some(length) => Piece::Token(length),
            None => return Err(format!("a text with tokens like {{b32:16}}, of 1 to {TOKEN_MAX} characters")),
        },
        (None, "") => return Err("a text with a name in each pair of braces".to_owned()),
        (None, name) => Piece::Column(name.to_owned(), form),
    };
    Ok((piece, after))
}

/// A piece with its column found.
enum Part {
    Piece(Piece),
    /// Index in the table, and whether it is masked.
    Column(usize, bool, Form),
}

struct Template {
    key: DomainKey,
    persona: Persona,
    slot: Option<usize>,
    parts: Vec<Part>,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let Shape::Text { chars_max, .. } = compile.shape else { return Err(compile.wrong_shape()) };
    let pieces = pieces(&compile.spec.params).map_err(|expected| compile.bad_param("text", &expected))?;
    let mut longest = 0u32;
    let mut parts = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let Piece::Column(name, form) = &piece else {
            longest = longest.saturating_add(piece.chars_max(0));
            parts.push(Part::Piece(piece));
            continue;
        };
        let (index, column_max) = find(compile, name)?;
        longest = longest.saturating_add(piece.chars_max(column_max));
        parts.push(Part::Column(index, compile.table.columns[index].mask.is_some(), *form));
    }
    if chars_max.is_some_and(|max| longest > max) {
        let kind = compile.spec.kind.clone();
        return Err(match longest {
            u32::MAX => compile.bad_param("text", "a text with `:n` after columns without a length, as in {notes:20}"),
            least => compile.error(Refusal::TooNarrow { kind, least }),
        });
    }
    let template = Template {
        key: compile.realm.domain("template/1", &compile.spec.label),
        persona: Persona::new(compile.realm, &compile.spec.label),
        slot: compile.subject,
        parts,
    };
    Ok(RowMask::boxed(compile, template))
}

/// Finds a column of the mask's own table: its index, and how many characters it has at most.
fn find(compile: &Compile<'_>, name: &str) -> Result<(usize, u32), CompileError> {
    let own = compile.column_name();
    // Names are written `schema.table.column`, and each may hold dots: the shortest that ends in `.name` and begins
    // like the mask's own column is in the same table.
    let table = |column: &str| {
        let table = column.strip_suffix(name)?;
        (table.ends_with('.') && own.starts_with(table)).then_some(table.len())
    };
    let candidates = compile.table.columns.iter().enumerate();
    let found = candidates.filter_map(|(index, column)| Some((table(&column.name)?, index))).min();
    let Some((_, index)) = found else {
        let expected =
            format!("a text of columns it can read; \"{name}\" is none that is kept or masked in this table");
        return Err(compile.bad_param("text", &expected));
    };
    if index == compile.column {
        return Err(compile.bad_param("text", "a text without the column it masks"));
    }
    let longest = match &compile.table.columns[index].shape {
        Shape::Text { chars_max, .. } => chars_max.unwrap_or(u32::MAX),
        Shape::Int2 => 6,
        Shape::Int4 => 11,
        Shape::Int8 => 20,
        Shape::Uuid => 36,
        Shape::Date => 16,
        _ => {
            let expected =
                format!("a text of columns that hold text, whole numbers, UUIDs or dates; \"{name}\" does not");
            return Err(compile.bad_param("text", &expected));
        }
    };
    Ok((index, longest))
}

/// Appends a cell as SQL writes it; nothing for NULL. False for a type that [`find`] does not let through.
fn push_cell(column: &ArrayRef, row: usize, out: &mut String) -> bool {
    if column.is_null(row) {
        return true;
    }
    let written = match column.data_type() {
        DataType::Utf8 => out.write_str(column.as_string::<i32>().value(row)),
        // Only `char(n)` ends in blanks that are no part of its value; a kept text loses them too.
        DataType::Utf8View => out.write_str(column.as_string_view().value(row).trim_end_matches(' ')),
        DataType::Int16 => write!(out, "{}", column.as_primitive::<Int16Type>().value(row)),
        DataType::Int32 => write!(out, "{}", column.as_primitive::<Int32Type>().value(row)),
        DataType::Int64 => write!(out, "{}", column.as_primitive::<Int64Type>().value(row)),
        DataType::FixedSizeBinary(16) => {
            let mut bytes = [0; 16];
            bytes.copy_from_slice(column.as_fixed_size_binary().value(row));
            push_uuid(u128::from_be_bytes(bytes), true, out);
            Ok(())
        }
        DataType::Date32 => {
            match column.as_primitive::<Date32Type>().value(row) {
                i32::MAX => out.push_str("infinity"),
                i32::MIN => out.push_str("-infinity"),
                days => push_date(days.into(), out),
            }
            Ok(())
        }
        _ => Err(std::fmt::Error),
    };
    written.is_ok()
}

impl Form {
    /// Brings what was appended after `start` into form.
    fn apply(self, start: usize, out: &mut String) {
        match self.case {
            Case::AsIs => {}
            Case::Lower => recase(start, out, char::to_lowercase),
            Case::Upper => recase(start, out, char::to_uppercase),
            Case::Slug => {
                let piece = out.split_off(start);
                let kept = piece.bytes().filter(u8::is_ascii_alphanumeric);
                out.extend(kept.map(|byte| char::from(byte.to_ascii_lowercase())));
            }
        }
        super::row::cut(out, start, self.chars_max);
    }
}

/// Writes what was appended after `start` in another case. A letter that would become several stays, so that the text is as
/// long as before, and so does one that only later versions of Unicode know.
fn recase<I: Iterator<Item = char>>(start: usize, out: &mut String, case: impl Fn(char) -> I) {
    let piece = out.split_off(start);
    out.extend(piece.chars().map(|c| {
        let mut cased = case(c);
        match (cased.next(), cased.next()) {
            (Some(one), None) if is_assigned(c) => one,
            _ => c,
        }
    }));
}

impl RowKind for Template {
    fn mask(&self, value: &str, at: At<'_>, out: &mut String) -> Result<bool, MaskError> {
        for part in &self.parts {
            let start = out.len();
            match part {
                Part::Piece(Piece::Text(text)) => out.push_str(text),
                Part::Piece(Piece::Token(length)) => {
                    let mut tag = [0; (TOKEN_MAX as usize).div_ceil(8) * 5];
                    self.key.xof(Purpose::Tag, value.as_bytes()).fill(&mut tag);
                    push_b32(&tag, out);
                    out.truncate(start + *length as usize);
                }
                Part::Piece(Piece::Persona(attribute, form)) => {
                    with_subject(value, at, self.slot, |subject| self.persona.push(attribute, subject, out));
                    form.apply(start, out);
                }
                Part::Piece(Piece::Column(..)) => {}
                Part::Column(index, masked, form) => {
                    let column = if *masked {
                        at.rows.masked.get(*index).and_then(Option::as_ref)
                    } else {
                        at.rows.raw.get(*index)
                    };
                    // An element of an array stands in the row of its array.
                    let row = at.rows.row(at.row);
                    if !column.is_some_and(|column| push_cell(column, row, out)) {
                        return Err(MaskError::at(at.row, "a column of its template is not there"));
                    }
                    form.apply(start, out);
                }
            }
        }
        Ok(true)
    }

    fn after(&self) -> Vec<usize> {
        let masked = |part: &Part| if let Part::Column(index, true, _) = part { Some(*index) } else { None };
        self.parts.iter().filter_map(masked).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::batch::RawBatch;
    use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, TableSpec, kind, mask_value};
    use arrow_array::{Date32Array, Int32Array, StringViewArray};
    use serde_json::json;
    use std::sync::Arc;

    fn params(text: &str) -> Params {
        Params::from_iter([("text".to_owned(), text.into())])
    }

    fn spec(kind: &str, params: Params, subject: Option<usize>) -> MaskSpec {
        MaskSpec { kind: format!("{kind}/1"), label: String::new(), params, subject }
    }

    /// One row of `t.x.y`: login (masked by `text`), name and e-mail masked, id and born_on kept, note NULL.
    fn row(text: &str, width: Option<u32>) -> Result<(String, Vec<String>), Refusal> {
        let shape = |chars_max| Shape::Text { chars_max, padded: false };
        let column = |name: &str, shape, mask| ColumnSpec { name: format!("s.t.{name}"), shape, mask };
        let table = TableSpec {
            columns: vec![
                column("a.login", shape(width), Some(spec("template", params(text), Some(3)))),
                column("last", shape(Some(20)), Some(spec("name.last", Params::new(), Some(3)))),
                column("email", shape(None), Some(spec("email", Params::new(), None))),
                column("id", Shape::Int4, None),
                column("born_on", Shape::Date, None),
                column("note", shape(None), Some(spec("pattern", Params::new(), None))),
                column("a.id", Shape::Int4, None),
                column(
                    "doc",
                    Shape::Json,
                    Some(spec("json", serde_json::from_value(json!({"rest": "keep"})).unwrap(), None)),
                ),
            ],
            ..TableSpec::default()
        };
        let text = |value: Option<&str>| Arc::new(StringViewArray::from(vec![value])) as ArrayRef;
        let columns = vec![
            text(Some("bob")),
            text(Some("Miller")),
            text(Some("bob@example.com")),
            Arc::new(Int32Array::from(vec![42])),
            Arc::new(Date32Array::from(vec![0])),
            text(None),
            Arc::new(Int32Array::from(vec![7])),
            text(Some("{}")),
        ];
        let masker = Masker::compile(&MasterKey::test().realm("default"), &table);
        let masker = masker.map_err(|mut errors| errors.remove(0).refusal)?;
        let raw = RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
        let batch = masker.apply(raw).unwrap();
        let masks: Vec<String> =
            batch.columns()[1..3].iter().map(|column| column.as_string::<i32>().value(0).to_owned()).collect();
        Ok((batch.columns()[0].as_string::<i32>().value(0).to_owned(), masks))
    }

    #[test]
    fn columns_give_their_masks_and_kept_ones_their_values() {
        let (text, masks) = row("{\"last\"}/{email|upper}/{id}/{born_on}/{note}/{{{a.id}}}", None).unwrap();
        let want = format!("{}/{}/42/1970-01-01//{{7}}", masks[0], masks[1].to_ascii_uppercase());
        assert_eq!(text, want);
    }

    #[test]
    fn case_is_that_of_all_letters_and_changes_no_length() {
        for (text, lower, upper) in [
            ("MüLich Straße 5", "mülich straße 5", "MÜLICH STRAßE 5"),
            ("Ångström Łódź", "ångström łódź", "ÅNGSTRÖM ŁÓDŹ"),
            ("Иван Σίσυφος", "иван σίσυφος", "ИВАН ΣΊΣΥΦΟΣ"),
            ("İzmir ﬁn 日本", "İzmir ﬁn 日本", "İZMIR ﬁN 日本"),
        ] {
            for (case, want) in [(Case::Lower, lower), (Case::Upper, upper)] {
                let mut out = format!("Ü{text}");
                Form { case, chars_max: None }.apply("Ü".len(), &mut out);
                assert_eq!(out, format!("Ü{want}"));
            }
        }
    }

    #[test]
    fn the_persona_is_that_of_the_columns() {
        let (text, masks) = row("{last}|{last|slug:3}|{first}", None).unwrap();
        let last = masks[0].as_str();
        assert!(text.starts_with(&format!("{last}|{}|", last.to_lowercase().get(..3).unwrap())), "{text}");
    }

    #[test]
    fn the_token_is_keyed_on_the_value() {
        let one = |text: &str, value: &str| {
            let realm = MasterKey::test().realm("default");
            mask_value(&realm, "template", "", params(text), None, value).unwrap().unwrap()
        };
        assert_eq!(one("u-{b32:16}", "bob"), "u-va3ftvwhpqymksnr");
        assert_eq!(one("{b32:5}{b32:20}", "bob"), one("{b32:5}", "bob") + &one("{b32:20}", "bob"));
        assert_ne!(one("{b32:16}", "bob"), one("{b32:16}", "Bob"));
        assert_eq!(one("{b32:64}", "bob").len(), 64);
    }

    #[test]
    fn promises_follow_the_text() {
        let promise = |text: &str| kind("template").unwrap().promise(&params(text));
        assert_eq!(promise("u{b32:16}").injective, Injective::Bits80);
        assert_eq!((promise("u{b32:15}").injective, promise("u{b32:15}").keyed_on), (Injective::No, KeyedOn::Value));
        assert!(promise("{first}").needs_subject && !promise("{\"first\"}").needs_subject);
        assert_eq!((promise("{first}").keyed_on, promise("{x}").keyed_on), (KeyedOn::Row, KeyedOn::Row));
        let template = kind("template").unwrap();
        assert_eq!(template.columns_read(&params("{a.b|slug}{\"first\"}{last}{a.b:3}")), ["a.b", "first"]);
        let nested = json!({"paths": {"$.x": {"mask": "template", "text": "{who}"}}, "rest": "keep"});
        assert_eq!(kind("json").unwrap().columns_read(nested.as_object().unwrap()), ["who"]);
        assert_eq!((template.least)(&params("ab{zip}{b32:9}{x:3}{y}")), [16]);
    }

    #[test]
    fn widths_are_checked_before_a_row_is_read() {
        assert!(row("{\"last\"}{id}", Some(31)).is_ok());
        assert_eq!(
            row("{\"last\"}{id}", Some(30)).unwrap_err(),
            Refusal::TooNarrow { kind: "template/1".into(), least: 31 }
        );
        assert!(matches!(row("{email}", Some(100)), Err(Refusal::BadParam { .. })));
        assert!(row("{email:100}", Some(100)).is_ok());
    }

    #[test]
    fn texts_without_sense_are_refused() {
        for text in [
            "",
            "{",
            "}",
            "{}",
            "{id",
            "{id}}",
            "{b32}",
            "{b32:0}",
            "{b32:65}",
            "{b32|upper:3}",
            "{id|trim}",
            "{id:x}",
            "{id:0}",
            "{\"id}",
            "{nothing}",
            "{a.login}",
            "{doc}",
            "{i{d}",
        ] {
            assert!(matches!(row(text, None), Err(Refusal::BadParam { .. })), "{text}");
        }
    }

    #[test]
    fn elements_of_arrays_read_the_row_of_their_array() {
        use crate::mask::nested::Parts;
        use arrow_array::BinaryArray;
        use arrow_buffer::OffsetBuffer;
        let leaves: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b", "c", "d"]));
        let parts = Parts {
            skeleton: BinaryArray::from_vec(vec![b"x", b"y"]),
            lists: vec![(OffsetBuffer::from_lengths([3, 1]), leaves)],
            nulls: None,
        };
        let spec = |kind: &str, params: Params| {
            Some(MaskSpec { kind: kind.to_owned(), label: String::new(), params, subject: None })
        };
        let column = |name: &str, shape, mask| ColumnSpec { name: format!("public.t.{name}"), shape, mask };
        let columns = vec![
            column("names", Shape::Array(Arc::new(Shape::TEXT)), spec("template/1", params("{id}-{word}"))),
            column("id", Shape::Int4, None),
            column("word", Shape::TEXT, spec("pattern/1", Params::new())),
        ];
        let table = TableSpec { columns, ..TableSpec::default() };
        let masker = Masker::compile(&MasterKey::test().realm("default"), &table).expect("compiles");
        let words: ArrayRef = Arc::new(StringViewArray::from(vec!["red", "blue"]));
        let columns = vec![parts.join().expect("an array"), Arc::new(Int32Array::from(vec![7, 8])) as ArrayRef, words];
        let raw = RawBatch { rows: 2, wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
        let masked = masker.apply(raw).expect("masked");
        let words = masked.columns()[1].as_string::<i32>();
        let found = Parts::of(&masked.columns()[0]).expect("an array").lists.remove(0).1;
        let found: Vec<&str> = found.as_string::<i32>().iter().flatten().collect();
        let [red, blue] = [0, 1].map(|row| words.value(row));
        assert_eq!(found, [format!("7-{red}"), format!("7-{red}"), format!("7-{red}"), format!("8-{blue}")]);
    }
}
