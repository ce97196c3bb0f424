//! Free text and JSON with the real kinds: a span and a leaf get the mask of the column that holds the same value.

use super::tests::masked;
use crate::mask::batch::RawBatch;
use crate::mask::nested::Parts;
use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, Shape, TableSpec};
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, StringViewArray};
use serde_json::{Value, json};
use std::sync::Arc;

const TEXT: Shape = Shape::Text { chars_max: None, padded: false };

fn column(shape: Shape, kind: &str, params: Value, subject: Option<usize>) -> ColumnSpec {
    let params = serde_json::from_value(params).unwrap();
    let mask = MaskSpec { kind: format!("{kind}/1"), label: String::new(), params, subject };
    ColumnSpec { name: format!("public.people.{kind}"), shape, mask: Some(mask) }
}

/// One row: e-mail, first name, last name, phone, card, SSN, IP, notes, profile; masked in that order.
fn row(notes: &str, profile: &str) -> Vec<String> {
    let none = || json!({});
    let profile_paths = json!({
        "paths": { "$.contact.email": "email", "$..phone": { "mask": "phone", "region": "US" }, "$.ip": "ip", "$.id": "int" },
        "rest": "keep",
    });
    let table = TableSpec {
        columns: vec![
            column(TEXT, "email", none(), None),
            column(TEXT, "name.first", none(), Some(0)),
            column(TEXT, "name.last", none(), Some(0)),
            column(TEXT, "phone", json!({ "region": "US" }), None),
            column(TEXT, "card", none(), None),
            column(TEXT, "us.ssn", none(), None),
            column(TEXT, "ip", none(), None),
            column(TEXT, "text.spans", none(), Some(0)),
            column(Shape::Jsonb, "json", profile_paths, None),
        ],
        ..TableSpec::default()
    };
    let values = [
        "bob@example.com",
        "Patricia",
        "Kowalska",
        "+1-415-555-0123",
        "4111111111111111",
        "078-05-1120",
        "8.8.8.8",
        notes,
        profile,
    ];
    let columns = values.map(|value| Arc::new(StringViewArray::from(vec![value])) as ArrayRef).to_vec();
    let masker = Masker::compile(&MasterKey::test().realm("default"), &table).unwrap();
    let raw = RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
    let masked = masker.apply(raw).unwrap();
    masked.columns().iter().map(|column| column.as_string::<i32>().value(0).to_owned()).collect()
}

#[test]
fn spans_and_leaves_get_the_mask_of_the_column() {
    let masked = row(
        "Patricia Kowalska <Bob@Example.com>, +1-415-555-0123, 4111111111111111, 078-05-1120, 8.8.8.8; P. KOWALSKA",
        r#"{"contact":{"email":"bob@example.com","phone":"+1-415-555-0123"},"ip":"8.8.8.8","id":42,"x":1.50}"#,
    );
    let [email, first, last, phone, card, ssn, ip, notes, profile] = &masked[..] else { unreachable!() };
    let initial = first.chars().next().unwrap();
    let want = format!("{first} {last} <{email}>, {phone}, {card}, {ssn}, {ip}; {initial}. {}", last.to_uppercase());
    assert_eq!(*notes, want);
    let profile: Value = serde_json::from_str(profile).unwrap();
    assert_eq!(profile["contact"], json!({ "email": email, "phone": phone }));
    assert_eq!(profile["ip"], json!(ip));
    assert_ne!(profile["id"], json!(42));
    for original in ["bob", "Patricia", "Kowalska", "555-0123", "4111111111111111", "078-05-1120", "8.8.8.8"] {
        assert!(!notes.contains(original), "{original}");
    }
}

/// What stands between the digits stays as it is written.
#[test]
fn numbers_with_entities_and_escapes_get_the_mask_of_their_column() {
    for (kind, number, written) in [
        ("phone", "+4915112345670", &[("+", "%2B")][..]),
        ("phone", "+49 151 12345678", &[("+", "%2B"), (" ", "%20")]),
        ("phone", "+49 151 12345678", &[("+", "%252B"), (" ", "%2520")]),
        ("phone", "+49 151 12345678", &[("+", "&#43;"), (" ", "&nbsp;")]),
        ("phone", "+49 151 12345670", &[(" ", "&thinsp;")]),
        ("phone", "+1-212-867-5309", &[("-", "&#45;")]),
        ("phone", "+1 212-867-5309", &[("+", "%2B"), (" ", "%20")]),
        ("phone", "+1 (212) 867-5309", &[("+", "%2B"), ("(", "%28"), (")", "%29"), (" ", "+")]),
        ("card", "4111 1111 1111 1111", &[(" ", "%20")]),
        ("card", "4111-1111-1111-1111", &[("-", "%2D")]),
        ("card", "4111 1111 1111 1111", &[(" ", "&nbsp;")]),
        ("us.ssn", "078-05-1120", &[("-", "%2D")]),
        ("us.ssn", "078-05-1120", &[("-", "&#8209;")]),
        ("iban", "DE12 5001 0517 0648 4898 90", &[(" ", "%20")]),
        ("iban", "GB82 WEST 1234 5698 7654 32", &[(" ", "&nbsp;")]),
        ("iban", "FR14 2004 1010 0505 0001 3M02 606", &[(" ", "&#160;")]),
    ] {
        let text = |number: &str| {
            let number = written.iter().fold(number.to_owned(), |number, (plain, other)| number.replace(plain, other));
            format!("GET /x?q={number}&a=1")
        };
        assert_eq!(masked("text.spans", &text(number)), text(&masked(kind, number)), "{kind} {}", text(number));
    }
    for (kind, number) in [("phone", "+49 151 12345678"), ("iban", "DE12 5001 0517 0648 4898 90")] {
        let text = |number: &str| format!("Dear all, as we =\nsaid, it is {}, yes", number.replace(' ', "=20"));
        assert_eq!(masked("text.spans", &text(number)), text(&masked(kind, number)), "{kind}");
    }
}

/// A card number with a right check digit.
fn card(serial: u64) -> String {
    let payload = format!("4{serial:014}");
    let check = crate::mask::account::luhn(payload.bytes().map(|byte| byte - b'0'));
    format!("{payload}{check}")
}

#[test]
fn texts_of_many_rows_get_the_masks_of_their_columns_and_nothing_else_changes() {
    const ROWS: usize = 600;
    let first = ["Patricia", "Jürgen", "Zoë", "Oluwaseun", "Beata"];
    let last = ["Kowalska", "Müller", "Østergaard", "Nguyen", "Ferrari", "Castañeda", "Okafor"];
    type Makes = fn(u64) -> String;
    let columns: [(&str, Value, Makes); 6] = [
        ("email", json!({}), |i| format!("user{i}.x{}@host{}.com", i * 7, i % 9)),
        ("phone", json!({ "region": "US" }), |i| {
            format!("+1-{:03}-{:03}-{:04}", 201 + i % 700, 222 + i * 7 % 700, i * 13)
        }),
        ("card", json!({}), |i| card(12_345_678_901_234 + i * 7_919_000_017)),
        ("us.ssn", json!({}), |i| format!("{:03}-{:02}-{:04}", i + 1, i % 98 + 1, i * 11 + 1)),
        ("ip", json!({}), |i| format!("81.{}.{}.{}", i % 250 + 1, i % 7 + 100, i % 200 + 7)),
        ("username", json!({}), |i| format!("kasia{i}")),
    ];
    let mut specs = vec![column(TEXT, "name.first", json!({}), Some(2)), column(TEXT, "name.last", json!({}), Some(2))];
    specs.extend(columns.iter().map(|(kind, params, _)| column(TEXT, kind, params.clone(), None)));
    specs.push(column(TEXT, "text.spans", json!({}), Some(2)));
    let values = |i: usize| -> Vec<String> {
        let named = [first[i % first.len()], last[i % last.len()]].map(str::to_owned);
        named.into_iter().chain(columns.iter().map(|(.., make)| make(i as u64))).collect()
    };
    // In another order in each row; a user name stands in the path of a URL.
    let text = |i: usize, values: &[String]| {
        let mut parts: Vec<String> = values.to_vec();
        parts[7] = format!("https://git.example.com/users/{}?tab=1", values[7]);
        parts.rotate_left(i % 8);
        parts.iter().map(|part| format!("Ticket {i}, written down: {part} (sic!)\n")).collect::<String>()
    };
    let rows: Vec<Vec<String>> = (0..ROWS).map(values).collect();
    let mut arrays: Vec<ArrayRef> = (0..8)
        .map(|column| Arc::new(StringViewArray::from_iter_values(rows.iter().map(|row| &row[column]))) as ArrayRef)
        .collect();
    let texts = rows.iter().enumerate().map(|(i, row)| text(i, row));
    arrays.push(Arc::new(StringViewArray::from_iter_values(texts)));
    let masker =
        Masker::compile(&MasterKey::test().realm("default"), &TableSpec { columns: specs, ..TableSpec::default() });
    let raw = RawBatch { rows: ROWS, wire: bytes::Bytes::new(), gaps: Vec::new(), columns: arrays };
    let masked = masker.expect("the table compiles").apply(raw).expect("the rows are masked");
    for i in 0..ROWS {
        let row: Vec<String> =
            masked.columns().iter().map(|column| column.as_string::<i32>().value(i).to_owned()).collect();
        assert_eq!(row[8], text(i, &row[..8]), "row {i}");
    }
}

#[test]
fn names_that_lists_and_templates_mask_are_found_too() {
    let file = json!({ "file": "name\nAda\nMax\n" });
    let table = TableSpec {
        columns: vec![
            column(TEXT, "lookup", file, None),
            column(TEXT, "template", json!({ "text": "u-{b32:5}" }), None),
            column(TEXT, "lookup", json!({ "file": "code,name\nnew,old\n", "find": "code" }), None),
            column(TEXT, "text.spans", json!({}), None),
        ],
        ..TableSpec::default()
    };
    let values = ["Kowalska", "kasia77", "new", "Kowalska (kasia77) has a new phone, says KOWALSKA."];
    let columns = values.map(|value| Arc::new(StringViewArray::from(vec![value])) as ArrayRef).to_vec();
    let masker = Masker::compile(&MasterKey::test().realm("default"), &table).unwrap();
    let masked = masker.apply(RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns }).unwrap();
    let masked: Vec<&str> = masked.columns().iter().map(|column| column.as_string::<i32>().value(0)).collect();
    let [name, login, ..] = masked[..] else { unreachable!() };
    assert_eq!(masked[3], format!("{name} ({login}) has a new phone, says {}.", name.to_uppercase()));
}

#[test]
fn names_count_whatever_masks_their_column() {
    let list = |texts: &[&str]| -> ArrayRef {
        let leaves: ArrayRef = Arc::new(StringViewArray::from(texts.to_vec()));
        let lists = vec![(arrow_buffer::OffsetBuffer::from_lengths([texts.len()]), leaves)];
        let skeleton = arrow_array::BinaryArray::from_vec(vec![b""]);
        Parts { skeleton, lists, nulls: None }.join().unwrap()
    };
    let texts = Shape::Array(Arc::new(TEXT));
    let mut table = TableSpec {
        columns: vec![
            column(TEXT, "hash", json!({}), None),
            column(TEXT, "pattern", json!({}), None),
            column(TEXT, "const", json!({ "value": "not known to us" }), None),
            column(texts.clone(), "pattern", json!({}), None),
            column(texts, "name.full", json!({}), Some(5)),
            column(TEXT, "partial", json!({ "keep_first": 1, "fill": "*" }), None),
            column(TEXT, "text.spans", json!({}), None),
        ],
        named: [(0, "name.first"), (1, "name.last"), (2, "name.first"), (3, "name.full"), (5, "username")].into(),
        ..TableSpec::default()
    };
    let note = "Zebediah QUIRRELL; Xanthippe; Umberto Vane, Thornfield; Wilhelmina Oakes (zquirrell)";
    let mask = |table: &TableSpec| {
        let text = |text: &str| Arc::new(StringViewArray::from(vec![text])) as ArrayRef;
        let columns = vec![
            text("Zebediah"),
            text("Quirrell"),
            text("Xanthippe"),
            list(&["Umberto Vane", "Perpetua Thornfield"]),
            list(&["Wilhelmina Oakes"]),
            text("zquirrell"),
            text(note),
        ];
        let masker = Masker::compile(&MasterKey::test().realm("default"), table).unwrap();
        let masked = masker.apply(RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns }).unwrap();
        let leaf = |column: usize, at: usize| match Parts::of(&masked.columns()[column]) {
            Some(parts) => parts.lists[0].1.as_string::<i32>().value(at).to_owned(),
            None => masked.columns()[column].as_string::<i32>().value(at).to_owned(),
        };
        (leaf(6, 0), [leaf(0, 0), leaf(1, 0), leaf(3, 0), leaf(3, 1), leaf(4, 0)])
    };
    let pattern = |value: &str| {
        let realm = MasterKey::test().realm("default");
        crate::mask::mask_value(&realm, "pattern", "", Default::default(), None, value).unwrap().unwrap()
    };
    let (masked, [first, last, umberto, perpetua, wilhelmina]) = mask(&table);
    let thornfield = perpetua.split(' ').next_back().unwrap();
    let want = format!(
        "{first} {}; {}; {umberto}, {thornfield}; {wilhelmina} ({})",
        last.to_uppercase(),
        pattern("Xanthippe"),
        pattern("zquirrell")
    );
    assert_eq!(masked, want);
    // The twin: without what the plan tells of columns, only kinds that make names give names.
    table.named.clear();
    assert_eq!(mask(&table).0, note.replace("Wilhelmina Oakes", &wilhelmina));
}

#[test]
fn a_bare_identifier_gets_the_mask_of_the_column_that_holds_such() {
    let masked = |kind: &str, number: &str, note: &str| {
        let table = TableSpec {
            columns: vec![column(TEXT, kind, json!({}), None), column(TEXT, "text.spans", json!({}), None)],
            ..TableSpec::default()
        };
        let columns = [number, note].map(|value| Arc::new(StringViewArray::from(vec![value])) as ArrayRef).to_vec();
        let masker = Masker::compile(&MasterKey::test().realm("default"), &table).unwrap();
        let masked = masker.apply(RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns }).unwrap();
        [0, 1].map(|column| masked.columns()[column].as_string::<i32>().value(0).to_owned())
    };
    for (kind, number) in [
        ("pl.pesel", "44051401359"),
        ("de.idnr", "86095742719"),
        ("br.cpf", "52998224725"),
        ("se.pnr", "8112189876"),
        ("nl.bsn", "111222333"),
        ("gb.nhs", "943 476 5870"),
    ] {
        let text = |number: &str| format!("Nr {number} / nur {number} hier, {number}.pdf");
        let [column, note] = masked(kind, number, &text(number));
        assert_eq!(note, text(&column), "{kind}");
    }
    // The twin: no valid one, and in a table without such a column.
    let [_, note] = masked("pl.pesel", "44051401359", "Teil 111222333, scan-44051401358.pdf");
    assert_eq!(note, "Teil 111222333, scan-44051401358.pdf");
}
