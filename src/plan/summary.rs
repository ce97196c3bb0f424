//! The plan as JSON, and the hash over what it decides.

use super::{About, ColumnPlan, Decided, Oid, Plan, TablePlan};
use crate::config::Rows;
use crate::mask;
use crate::pg::types::Format;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Writes the plan as one JSON document, for rules in Rego. Holds names, counts and decisions only.
pub fn summary_json(plan: &Plan) -> Value {
    let sum = |of: fn(&TablePlan) -> u64| plan.tables.iter().map(of).sum::<u64>();
    json!({
        "hash": plan.hash,
        "rows_estimate": sum(|table| table.rows_estimate),
        "bytes": sum(|table| table.bytes),
        "tables": plan.tables.iter().map(|one| table(one, &plan.about)).collect::<Vec<_>>(),
        "sequences": plan.sequences.iter().map(|sequence| json!({
            "name": format!("{}.{}", sequence.schema, sequence.name),
            "owner": sequence.owner.as_ref().map(|(schema, table, column)| format!("{schema}.{table}.{column}")),
        })).collect::<Vec<_>>(),
        "skipped": plan.skipped.iter().map(|(name, reason)| json!({ "table": name, "reason": reason })).collect::<Vec<_>>(),
        "warnings": plan.warnings,
    })
}

fn table(plan: &TablePlan, about: &BTreeMap<(Oid, i16), About>) -> Value {
    json!({
        "table": plan.full_name(),
        "target": format!("{}.{}", plan.target_schema, plan.target_name),
        "rows": rows(&plan.rows),
        "rows_estimate": plan.rows_estimate,
        "bytes": plan.bytes,
        "chunks": plan.chunks.len(),
        "format": format(plan.format),
        "columns": plan.columns.iter().map(|column| {
            let mut value = decision(&column.decision);
            if let Value::Object(fields) = &mut value {
                fields.insert("column".into(), json!(column.name));
                fields.insert("type".into(), json!(column.type_name));
                fields.insert("because".into(), json!(column.because));
                if let Some(about) = about.get(&(plan.oid, column.attnum)) {
                    let found = about.findings.iter().filter(|finding| finding.found());
                    let found: Vec<&str> = found.map(|finding| finding.category.name.as_str()).collect();
                    fields.insert("looks_like".into(), json!(found));
                    fields.insert("until".into(), json!(about.terms.until.map(|day| day.to_string())));
                }
            }
            value
        }).collect::<Vec<_>>(),
    })
}

fn format(format: Format) -> &'static str {
    match format {
        Format::Binary => "binary",
        Format::Text => "text",
    }
}

fn rows(rows: &Rows) -> Value {
    match rows {
        Rows::All => json!("all"),
        Rows::None => json!("none"),
        Rows::Where { condition, limit } => json!({ "where": condition, "limit": limit }),
    }
}

fn decision(decision: &Decided) -> Value {
    match decision {
        Decided::Keep { reason } => json!({ "decision": "keep", "reason": reason }),
        Decided::Null => json!({ "decision": "null" }),
        Decided::Const => json!({ "decision": "const" }),
        Decided::Mask { kind, label, subject, when } => {
            let mut value = json!({ "decision": "mask", "kind": kind, "label": label, "subject": subject });
            // The reason is a comment, as that of a column that is kept.
            if let Some(when) = when {
                value["when"] = json!(when.condition);
                value["when_at"] = json!(when.path);
                value["otherwise"] = json!(if when.keep.is_some() { "keep" } else { "null" });
            }
            value
        }
    }
}

/// Hashes every decision: which rows and columns are copied, and how each is masked. Sizes, chunks and places in files
/// do not count, so the hash is the same as long as the masked result is.
pub(super) fn hash(plan: &Plan) -> String {
    let mut tables: Vec<&TablePlan> = plan.tables.iter().collect();
    tables.sort_by(|a, b| (&a.schema, &a.name).cmp(&(&b.schema, &b.name)));
    let mut hasher = blake3::Hasher::new();
    hasher.update(format!("plan 1 mask {}\n", mask::VERSION).as_bytes());
    for table in tables {
        let masks: Vec<Value> = table
            .mask
            .columns
            .iter()
            .map(|column| {
                let spec = column.mask.as_ref();
                let mask = spec.map(|spec| json!([spec.kind, spec.label, sorted(&spec.params), spec.subject]));
                // What a mask of labels gives depends on which there are.
                match mask.is_some().then(|| column.shape.leaf()) {
                    Some(mask::Shape::Enum(labels)) => json!([column.name, mask, **labels]),
                    _ => json!([column.name, mask]),
                }
            })
            .collect();
        let columns: Vec<Value> = table
            .columns
            .iter()
            .map(|ColumnPlan { name, type_name, decision: how, .. }| {
                // A reason is a comment; changing it masks nothing differently.
                let how = match how {
                    Decided::Keep { .. } => json!("keep"),
                    how => decision(how),
                };
                json!([name, type_name, how])
            })
            .collect();
        let tiers: Vec<Value> =
            table.mask.tiers.iter().map(|((kind, label), tier)| json!([kind, label, tier])).collect();
        let line = json!([
            table.schema,
            table.name,
            table.target_schema,
            table.target_name,
            table.select,
            table.from,
            rows(&table.rows),
            format(table.format),
            columns,
            masks,
            tiers
        ]);
        hasher.update(line.to_string().as_bytes());
        hasher.update(b"\n");
    }
    if let Some(subset) = &plan.subset {
        hasher.update(json!(["subset", subset.fingerprint()]).to_string().as_bytes());
    }
    for (table, _) in &plan.skipped {
        hasher.update(json!(["skipped", table]).to_string().as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

/// The parameters of a mask as one text, whatever the order they were written in.
pub fn canonical_params(params: &mask::Params) -> String {
    sorted(params).to_string()
}

/// As [`canonical_params`], without those that say what holds anyway: masks of a kind with equal texts are equal.
pub fn deciding_params(kind: &str, params: &mask::Params) -> String {
    let known = mask::kind(kind).map_or(&[][..], |kind| kind.params);
    let default = |name: &str| known.iter().find(|param| param.name == name).map(|param| param.default);
    let mut deciding = params.clone();
    deciding.retain(|name, value| {
        let written = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        default(name) != Some(written.as_str())
    });
    canonical_params(&deciding)
}

/// Parameters in order of their names at every depth: TOML files may list them in any order.
fn sorted(params: &mask::Params) -> Value {
    fn sort(value: &Value) -> Value {
        match value {
            Value::Object(fields) => {
                let mut pairs: Vec<_> = fields.iter().collect();
                pairs.sort_by_key(|(name, _)| name.as_str());
                json!(pairs.into_iter().map(|(name, value)| json!([name, sort(value)])).collect::<Vec<_>>())
            }
            Value::Array(items) => json!(items.iter().map(sort).collect::<Vec<_>>()),
            other => other.clone(),
        }
    }
    sort(&Value::Object(params.clone()))
}
