//! Masks of single values as their column would hold them, for a CHECK to judge.

use crate::mask::{ColumnSpec, MaskSpec, Masker, RealmKey, Shape, TableSpec};
use crate::pg::encode::encode;
use crate::pg::types::{Field, Format, Layout};
use crate::pg::{decode, text};
use crate::plan::{CheckProbe, ProbeValue};
use std::collections::BTreeMap;

/// Masks a value, written as the server writes values of the column, in the column's own type: an amount of two decimal
/// places keeps them, a range stays one. None if it becomes NULL, or if the mask needs more of a row than the value.
pub(super) fn mask(realm: &RealmKey, probe: &CheckProbe, value: &str) -> Option<String> {
    let ProbeValue::Mask { spec, shape, tier } = &probe.value else { return None };
    let layout = Layout { fields: vec![Field::Mask(shape.clone()), Field::Read(Shape::Int8)], written: 1 };
    let subject = ColumnSpec { name: "subject".to_owned(), shape: Shape::Int8, mask: None };
    let masked = MaskSpec { subject: Some(1), ..spec.clone() };
    let column = ColumnSpec { name: probe.column.clone(), shape: shape.clone(), mask: Some(masked) };
    let tiers = BTreeMap::from([((spec.kind.clone(), spec.label.clone()), *tier)]);
    let table = TableSpec { columns: vec![column, subject], tiers, ..TableSpec::default() };
    let masker = Masker::compile(realm, &table).ok()?;
    let mut row = Vec::new();
    text::escape(value.as_bytes(), &mut row);
    row.extend_from_slice(b"\t1\n");
    let batch = masker.apply(decode::decode(Format::Text, &layout, row.into()).ok()?).ok()?;
    let mut row = Vec::new();
    encode(Format::Text, &layout, &batch, &mut row).ok()?;
    let field = row.strip_suffix(b"\n").filter(|field| *field != b"\\N")?;
    let mut masked = Vec::new();
    text::unescape(field, &mut masked).ok()?;
    String::from_utf8(masked).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MasterKey, Params};
    use std::sync::Arc;

    fn masked(kind: &str, params: &str, shape: Shape, value: &str) -> Option<String> {
        let params: Params = serde_json::from_str(params).unwrap();
        let spec = MaskSpec { kind: kind.into(), label: String::new(), params, subject: None };
        let probe = CheckProbe {
            table: "public.t".into(),
            column: "c".into(),
            constraint: "c_check".into(),
            expression: "true".into(),
            sees: "c".into(),
            type_name: "x".into(),
            value: ProbeValue::Mask { spec, shape, tier: 0 },
            place: None,
        };
        mask(&MasterKey::test().realm("a test"), &probe, value)
    }

    #[test]
    fn values_are_masked_in_the_type_of_their_column() {
        let range = Shape::Range(Arc::new(Shape::Int4));
        let found = masked("num.scale/1", "{}", range, "[1000,2000)").unwrap();
        assert!(found.starts_with('[') && found.ends_with(')') && !found.contains('.'), "{found}");
        let found = masked("num.noise/1", "{}", Shape::Int4, "100000").unwrap();
        assert!(found.parse::<i32>().is_ok() && found != "100000", "{found}");
        assert_eq!(masked("num.cap/1", r#"{"max":1}"#, Shape::Float4, "1250").as_deref(), Some("1"));
        assert_eq!(masked("num.cap/1", r#"{"max":1}"#, Shape::Float4, "never"), None);
    }

    #[test]
    fn texts_with_tabs_come_back_as_one() {
        let found = masked("pattern/1", "{}", Shape::TEXT, "AB\t12\\3").unwrap();
        assert!(found.len() == 7 && found.as_bytes()[2] == b'\t' && found.as_bytes()[5] == b'\\', "{found:?}");
        assert_eq!(masked("null/1", "{}", Shape::TEXT, "a"), None);
    }
}
