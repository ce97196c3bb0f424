//! MASKING.md section 4 as one table: every kind × NULL, empty, blank, one character, longest, non-ASCII and invalid.

use super::batch::RawBatch;
use super::tests::needed;
use super::*;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, StringViewArray};
use bytes::Bytes;
use std::sync::Arc;

/// What becomes of NULL, of nothing and of blanks, where that is not what rule 1 says.
enum Odd {
    /// Every value becomes NULL.
    Null,
    /// Every value that is not NULL or empty becomes one text.
    Const,
}

fn odd(kind: &Kind) -> Option<Odd> {
    match kind.name {
        "null" => Some(Odd::Null),
        "const" => Some(Odd::Const),
        _ => None,
    }
}

const EMPTY: [&str; 4] = ["", " ", "   ", "\u{2003}\t \u{a0}"];
const SHORT: [&str; 5] = ["a", "7", "Z", "é", "漢"];
const WORDS: [&str; 4] = ["Zoë Müller-Łódź", "日本語のテキスト", "Привет, мир 42", "שלום עולם"];
/// No kind that reads a format reads all of them.
const INVALID: [&str; 4] = ["¿qué? no such value: x7", "0x7g-!!-qzkanari", "[qzkanari", "12qzkanari,,34"];

/// Masks each text in a column of `chars_max` characters; the error of the first that is refused.
fn masked(kind: &Kind, extra: &[(&str, &str)], chars_max: u32, texts: &[Option<&str>]) -> Result<Texts, MaskError> {
    let mut params = needed(kind);
    params.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
    let spec = MaskSpec { kind: kind.full_name(), label: String::new(), params, subject: Some(1) };
    let shape = Shape::Text { chars_max: Some(chars_max), padded: false };
    let column = |name: &str, shape, mask| ColumnSpec { name: name.to_owned(), shape, mask };
    let columns = vec![column("public.t.c", shape, Some(spec)), column("public.t.id", Shape::Int8, None)];
    let realm = MasterKey::test().realm("default");
    let masker = Masker::compile(&realm, &TableSpec { columns, ..TableSpec::default() }).expect("the kind takes text");
    let ids = Int64Array::from_iter_values(1..=texts.len() as i64);
    let columns: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from(texts.to_vec())), Arc::new(ids)];
    let masked = masker.apply(RawBatch { rows: texts.len(), wire: Bytes::new(), gaps: Vec::new(), columns })?;
    Ok(masked.columns()[0].as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
}

type Texts = Vec<Option<String>>;

/// Kinds that text columns take. Those of numbers read texts too.
fn kinds() -> impl Iterator<Item = &'static Kind> {
    KINDS.iter().copied().filter(|kind| kind.takes(&Shape::TEXT))
}

/// The narrowest column that the widest form of the kind fits, and room for the inputs.
fn width(kind: &Kind) -> u32 {
    (kind.least)(&needed(kind)).first().copied().unwrap_or(0).max(60)
}

#[test]
fn null_empty_and_blank_values_stay() {
    for kind in kinds() {
        let texts: Vec<Option<&str>> = EMPTY.iter().map(|text| Some(*text)).chain([None]).collect();
        let masks = masked(kind, &[], width(kind), &texts).expect("blank values are never refused");
        match odd(kind) {
            Some(Odd::Null) => assert!(masks.iter().all(Option::is_none), "{}", kind.name),
            Some(Odd::Const) => {
                // Empty stays empty.
                assert_eq!(masks[0].as_deref(), Some(""), "{}", kind.name);
                assert!(masks[1..EMPTY.len()].iter().all(|mask| *mask == masks[1]), "{}", kind.name);
                assert_eq!(masks[EMPTY.len()], None, "{}", kind.name);
            }
            None => {
                let expected: Texts = texts.iter().map(|text| text.map(str::to_owned)).collect();
                assert_eq!(masks, expected, "{}", kind.name);
            }
        }
    }
}

#[test]
fn every_mask_fits_its_column_whatever_the_value() {
    for kind in kinds() {
        let width = width(kind);
        let long = |pattern: &str| pattern.chars().cycle().take(width as usize).collect::<String>();
        let longest: Vec<String> =
            kind.samples.iter().copied().chain(WORDS).chain(["9", "aB3", "漢字"]).map(long).collect();
        let values = SHORT.iter().chain(&WORDS).chain(&INVALID).copied().chain(longest.iter().map(String::as_str));
        for text in values {
            // A program answers what it likes, and is told what does not fit.
            match masked(kind, &[], width, &[Some(text)]) {
                Ok(masks) => {
                    let chars = masks[0].as_ref().map_or(0, |mask| mask.chars().count());
                    assert!(chars <= width as usize, "{} made {chars} characters of {text:?}", kind.name);
                }
                Err(error) => assert!(!error.to_string().contains(text) || text.len() < 3, "{}: {error}", kind.name),
            }
        }
    }
}

#[test]
fn letters_of_no_kind_leave_no_text_as_it_was() {
    // Kinds that change parts of a text, or only what stands in a list, say so.
    let partly = ["text.spans", "json", "xml", "url", "ua", "replace", "command"];
    for kind in kinds().filter(|kind| !partly.contains(&kind.name)) {
        let texts: Vec<Option<&str>> = WORDS.iter().map(|text| Some(*text)).collect();
        if let Ok(masks) = masked(kind, &[], width(kind), &texts) {
            for (mask, text) in masks.iter().zip(WORDS) {
                assert_ne!(mask.as_deref(), Some(text), "{}", kind.name);
            }
        }
    }
}
