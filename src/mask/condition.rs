//! Masks for some rows only: a column of booleans says which.

use super::column::MaskError;
use super::nested::owned;
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, BooleanArray};
use std::sync::Arc;

/// A column that is masked in some rows only. In the others it becomes NULL, or keeps its value where the policy says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition {
    /// The masked column, as an index into [`super::TableSpec::columns`].
    pub column: usize,
    /// The column of booleans: rows in which it is false are not masked. NULL masks.
    pub flag: usize,
    /// Rows that are not masked keep their value.
    pub keep: bool,
}

const WRONG: &str = "its condition was decoded in another shape than the plan said";

impl Condition {
    /// Returns the rows that are left out; none if all are masked.
    ///
    /// # Errors
    /// [`MaskError`] if the condition is no column of booleans, as long as the batch.
    pub(super) fn left_out(&self, raw: &[ArrayRef]) -> Result<Option<BooleanArray>, MaskError> {
        let flags = raw.get(self.flag).and_then(|flags| flags.as_boolean_opt());
        let flags = flags.ok_or_else(|| MaskError::at(0, WRONG))?;
        let mut out = !flags.values();
        if let Some(nulls) = flags.nulls() {
            out = &out & nulls.inner();
        }
        Ok((out.count_set_bits() > 0).then(|| BooleanArray::new(out, None)))
    }

    /// Returns the column as its mask sees it: NULL where it is left out, so that no value there can fail or be read.
    ///
    /// # Errors
    /// [`MaskError`] if the column and its condition are not equally long.
    pub(super) fn hide(column: &ArrayRef, left_out: &BooleanArray) -> Result<ArrayRef, MaskError> {
        arrow_select::nullif::nullif(column, left_out).map_err(|_| MaskError::at(0, WRONG))
    }

    /// Puts the values of the rows that are left out beside the masks of the others.
    ///
    /// # Errors
    /// [`MaskError`] if the mask gave a column of another form, or NULL rows are not what the mask made of NULL.
    pub(super) fn join(
        &self,
        raw: &ArrayRef,
        masked: ArrayRef,
        left_out: &BooleanArray,
    ) -> Result<ArrayRef, MaskError> {
        if !self.keep {
            // Every mask leaves NULL where it is; that no value appears there is worth a look.
            let null = |row| masked.is_null(row) || !left_out.value(row);
            return if (0..masked.len()).all(null) {
                Ok(masked)
            } else {
                Err(MaskError::at(0, "its mask made a value of NULL"))
            };
        }
        let kept: ArrayRef = owned(raw);
        let joined = arrow_select::zip::zip(left_out, &kept, &masked);
        joined.map(|column| Arc::clone(&column)).map_err(|_| MaskError::at(0, WRONG))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::batch::RawBatch;
    use crate::mask::{ColumnSpec, MaskSpec, Masker, MasterKey, Params, Shape, TableSpec};
    use arrow_array::StringViewArray;

    fn mask(
        keep: bool,
        flags: Vec<Option<bool>>,
        values: Vec<Option<&str>>,
        json: &str,
    ) -> Result<Vec<Option<String>>, MaskError> {
        let params: Params = serde_json::from_str(json).expect("JSON");
        let spec = MaskSpec { kind: "email/1".to_owned(), label: String::new(), params, subject: None };
        let table = TableSpec {
            columns: vec![
                ColumnSpec { name: "t.c".to_owned(), shape: Shape::TEXT, mask: Some(spec) },
                ColumnSpec { name: "t.c (when)".to_owned(), shape: Shape::Bool, mask: None },
            ],
            conditions: vec![Condition { column: 0, flag: 1, keep }],
            ..TableSpec::default()
        };
        let masker = Masker::compile(&MasterKey::test().realm("default"), &table).expect("compiles");
        let columns: Vec<ArrayRef> = vec![Arc::new(StringViewArray::from(values)), Arc::new(BooleanArray::from(flags))];
        let raw = RawBatch { rows: columns[0].len(), wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
        let masked = masker.apply(raw)?;
        assert_eq!(masked.columns().len(), 1, "the condition is not written");
        Ok(masked.columns()[0].as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect())
    }

    const ADDRESSES: [Option<&str>; 4] =
        [Some("ann@acme.test"), Some("bob@acme.test"), None, Some("a rather long address@acme.test")];

    #[test]
    fn rows_are_left_out_only_where_the_condition_is_false() {
        let flags = vec![Some(true), Some(false), Some(false), None];
        let all = mask(false, vec![Some(true); 4], ADDRESSES.to_vec(), "{}").expect("masked");
        assert!(all.iter().flatten().all(|text| !text.contains("acme")));
        let null = mask(false, flags.clone(), ADDRESSES.to_vec(), "{}").expect("masked");
        assert_eq!(null, [all[0].clone(), None, None, all[3].clone()], "NULL masks");
        let kept = mask(true, flags, ADDRESSES.to_vec(), "{}").expect("masked");
        assert_eq!(kept, [all[0].clone(), Some("bob@acme.test".to_owned()), None, all[3].clone()]);
    }

    #[test]
    fn a_mask_does_not_see_the_values_it_is_not_for() {
        let values = vec![Some("ann@acme.test"), Some("+1 212 555 0100")];
        let fail = r#"{"on_invalid":"fail"}"#;
        assert!(mask(true, vec![Some(true), Some(true)], values.clone(), fail).is_err());
        let masked = mask(true, vec![Some(true), Some(false)], values, fail).expect("masked");
        assert_eq!(masked[1].as_deref(), Some("+1 212 555 0100"));
    }
}
