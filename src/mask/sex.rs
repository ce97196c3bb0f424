//! The sex of a person where a column of the row tells it: names follow it (MASKING.md section 8).
//!
//! A column that is masked is read masked, so that name and sex agree in staging; what says neither of two leaves the draw
//! of the persona as it is. Which name is drawn from the list of the sex does not depend on it.

use super::column::{Compile, CompileError};
use super::kind::{Domain, Param};
use super::leaf::At;
use super::{Params, Shape, locale};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int16Type, Int32Type, Int64Type};
use arrow_array::{Array as _, ArrayRef};

pub(super) const SEX_FROM: Param = Param {
    name: "sex_from",
    summary: "column of the row that tells the sex (F, W, female or 2; M, male or 1): names follow it; the same everywhere",
    domain: Domain::Text,
    default: "drawn",
};

/// Columns that names read.
pub(super) fn columns(params: &Params) -> Vec<String> {
    let told = params.get(SEX_FROM.name).and_then(|name| name.as_str()).map(ToOwned::to_owned);
    locale::columns(params).into_iter().chain(told).collect()
}

/// A sex that lists of names know, as an index into two of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sex {
    Female,
    Male,
}

/// What columns and programs write for women and for men, in lower case; numbers are those of ISO/IEC 5218.
const WORDS: [&[&str]; 2] = [
    &[
        "2", "f", "femenino", "female", "feminin", "feminino", "femme", "femmina", "féminin", "frau", "girl", "k",
        "kobieta", "kvinna", "mrs", "ms", "mujer", "vrouw", "w", "weiblich", "woman", "女", "女性", "נקבה",
    ],
    &[
        "1",
        "boy",
        "homem",
        "hombre",
        "homme",
        "m",
        "male",
        "man",
        "mann",
        "maschio",
        "masculin",
        "masculino",
        "mr",
        "männlich",
        "mężczyzna",
        "男",
        "男性",
        "זכר",
    ],
];

fn said(text: &str) -> Option<Sex> {
    let word = text.trim().trim_end_matches('.').to_lowercase();
    let [female, male] = WORDS.map(|words| words.contains(&word.as_str()));
    female.then_some(Sex::Female).or(male.then_some(Sex::Male))
}

/// Where the sex of a row's person is told.
pub(super) struct Told {
    /// Index of the column, and whether its mask is read.
    column: Option<(usize, bool)>,
}

impl Told {
    /// Reads `sex_from`.
    ///
    /// # Errors
    /// If the column is none of the table, is the mask's own, or holds neither texts, labels nor whole numbers.
    pub fn new(compile: &Compile<'_>) -> Result<Self, CompileError> {
        let Some(name) = compile.word(SEX_FROM.name) else { return Ok(Self { column: None }) };
        let index = compile.column_beside(name).filter(|index| {
            let shape = &compile.table.columns[*index].shape;
            let tells = matches!(shape, Shape::Text { .. } | Shape::Enum(_) | Shape::Int2 | Shape::Int4 | Shape::Int8);
            tells && *index != compile.column
        });
        let expected = "another column of the same table that holds texts, labels or whole numbers";
        let index = index.ok_or_else(|| compile.bad_param(SEX_FROM.name, expected))?;
        Ok(Self { column: Some((index, compile.table.columns[index].mask.is_some())) })
    }

    /// The sex that is told of the person of a row.
    #[inline]
    pub fn of(&self, at: At<'_>) -> Option<Sex> {
        self.column.and_then(|(index, masked)| read(index, masked, at))
    }

    /// Columns whose masks have to be there first.
    pub fn after(&self) -> Vec<usize> {
        self.column.filter(|(_, masked)| *masked).map(|(index, _)| index).into_iter().collect()
    }
}

fn read(index: usize, masked: bool, at: At<'_>) -> Option<Sex> {
    let column: &ArrayRef = if masked { at.rows.masked.get(index)?.as_ref()? } else { at.rows.raw.get(index)? };
    let row = at.rows.row(at.row);
    if row >= column.len() || column.is_null(row) {
        return None;
    }
    if let Some(texts) = column.as_string_view_opt() {
        return said(texts.value(row));
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return said(texts.value(row));
    }
    let small = column.as_primitive_opt::<Int16Type>().map(|numbers| i64::from(numbers.value(row)));
    let middle = || column.as_primitive_opt::<Int32Type>().map(|numbers| i64::from(numbers.value(row)));
    let large = || column.as_primitive_opt::<Int64Type>().map(|numbers| numbers.value(row));
    said(&small.or_else(middle).or_else(large)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::batch::RawBatch;
    use crate::mask::dict::{FIRST_FEMALE, FIRST_MALE};
    use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, TableSpec};
    use arrow_array::{Int16Array, Int64Array, StringViewArray};
    use std::sync::Arc;

    /// Masks names beside a column of sexes.
    fn names(
        kind: &str,
        json: &str,
        (shape, sexes): (Shape, ArrayRef),
        masked_by: Option<(&str, &str)>,
    ) -> Result<Vec<String>, CompileError> {
        let spec = |kind: &str, json: &str| MaskSpec {
            kind: kind.to_owned(),
            label: String::new(),
            params: serde_json::from_str(json).expect("JSON"),
            subject: Some(0),
        };
        let column = |name: &str, shape, mask| ColumnSpec { name: format!("public.t.{name}"), shape, mask };
        let columns = vec![
            column("id", Shape::Int8, None),
            column("name", Shape::TEXT, Some(spec(kind, json))),
            column("sex", shape, masked_by.map(|(kind, json)| spec(kind, json))),
        ];
        let table = TableSpec { columns, ..TableSpec::default() };
        let realm = MasterKey::test().realm("default");
        let masker = Masker::compile(&realm, &table).map_err(|mut errors| errors.remove(0))?;
        let rows = sexes.len();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from_iter_values(1..=rows as i64)),
            Arc::new(StringViewArray::from(vec!["x"; rows])),
            sexes,
        ];
        let raw = RawBatch { rows, wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
        let masked = masker.apply(raw).expect("masked");
        Ok(masked.columns()[0].as_string::<i32>().iter().map(|name| name.expect("a name").to_owned()).collect())
    }

    fn texts(of: impl Fn(usize) -> Option<&'static str>) -> (Shape, ArrayRef) {
        (Shape::TEXT, Arc::new((0..300).map(of).collect::<StringViewArray>()))
    }

    const FROM: &str = r#"{"sex_from":"sex"}"#;

    #[test]
    fn first_names_follow_the_column_and_no_other_name_changes() {
        let told = |row: usize| match row % 4 {
            0 => Some("F"),
            1 => Some("male"),
            2 => Some("unknown"),
            _ => None,
        };
        let (drawn, followed) =
            (names("name.first/1", "{}", texts(told), None), names("name.first/1", FROM, texts(told), None));
        let (drawn, followed) = (drawn.expect("compiles"), followed.expect("compiles"));
        let (mut same, mut other) = (0, 0);
        for (row, (drawn, followed)) in drawn.iter().zip(&followed).enumerate() {
            match row % 4 {
                0 => assert!(FIRST_FEMALE.values().any(|name| name == followed), "{followed}"),
                1 => assert!(FIRST_MALE.values().any(|name| name == followed), "{followed}"),
                _ => assert_eq!(drawn, followed, "row {row} tells nothing"),
            }
            *(if drawn == followed { &mut same } else { &mut other }) += usize::from(row % 4 < 2);
        }
        // Of 150 people, as many as have the other sex by the draw.
        assert!(same > 45 && other > 45, "{same} of {}", same + other);
        let full = names("name.full/1", FROM, texts(told), None).expect("compiles");
        assert!(full.iter().zip(&followed).all(|(full, first)| full.split(' ').next() == Some(first)));
        let email = names("email/1", r#"{"sex_from":"sex","by":"subject"}"#, texts(told), None).expect("compiles");
        assert!(email.len() == 300);
    }

    #[test]
    fn a_masked_column_is_followed_as_it_is_in_staging() {
        let men = || texts(|_| Some("M"));
        let masked = names("name.first/1", FROM, men(), Some(("const/1", r#"{"value":"F"}"#))).expect("compiles");
        assert!(masked.iter().all(|name| FIRST_FEMALE.values().any(|known| known == name)));
        // The twin: kept, they are men.
        let kept = names("name.first/1", FROM, men(), None).expect("compiles");
        assert_ne!(masked, kept);
        assert!(kept.iter().all(|name| FIRST_MALE.values().any(|known| known == name)));
    }

    #[test]
    fn sexes_are_read_from_words_letters_and_numbers() {
        let numbers: ArrayRef = Arc::new(Int16Array::from(vec![2; 300]));
        let women = names("name.first/1", FROM, (Shape::Int2, numbers), None).expect("compiles");
        assert_eq!(women, names("name.first/1", FROM, texts(|_| Some(" Mrs. ")), None).expect("compiles"));
        assert_eq!((said("W"), said("Männlich"), said("1")), (Some(Sex::Female), Some(Sex::Male), Some(Sex::Male)));
        assert_eq!((said("x"), said(""), said("0"), said("9")), (None, None, None, None));
        for words in WORDS {
            assert!(words.iter().all(|word| *word == word.to_lowercase()));
        }
        assert!(!WORDS[0].iter().any(|word| WORDS[1].contains(word)));
    }

    #[test]
    fn columns_that_tell_no_sex_are_refused() {
        for json in [r#"{"sex_from":"gone"}"#, r#"{"sex_from":"name"}"#] {
            assert!(names("name.first/1", json, texts(|_| None), None).is_err(), "{json}");
        }
        let truths: ArrayRef = Arc::new(arrow_array::BooleanArray::from(vec![true; 3]));
        assert!(names("name.first/1", FROM, (Shape::Bool, truths), None).is_err());
        // Equal addresses in rows of two sexes would get two masks.
        assert!(names("email/1", FROM, texts(|_| None), None).is_err());
    }
}
