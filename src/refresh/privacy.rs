//! Which columns people could be looked up by: what is asked of staging before it is published.

use super::Job;
use crate::catalog::{Catalog, Oid, Table, TableKind};
use crate::config::HookPoint;
use crate::detect::{self, Facts};
use crate::error::Report;
use crate::mask::kind::Takes;
use crate::plan::{ColumnPlan, Decided, Plan, TablePlan};
use crate::verify::privacy::Searched;
use std::collections::BTreeMap;

/// Categories by which people are looked up, beside those the rules call quasi-identifiers.
const ALSO_QUASI: [&str; 1] = ["gender"];
/// Kinds whose masks still say something of the value to whoever knows it: they make it coarse.
const COARSE: [&str; 9] =
    ["num.bucket", "num.cap", "num.scale", "date.trunc", "time.trunc", "age.cap", "geo.grid", "zip", "partial"];

/// Tables and columns of `[[verify.anonymity]]` that staging will not have.
///
/// With hooks in between nobody knows: then the gate says so.
pub(super) fn refusals(catalog: &Catalog, job: &Job) -> Vec<Report> {
    let mut reports = Vec::new();
    if job.hooks.iter().any(|hook| matches!(hook.at, HookPoint::BeforeLoad | HookPoint::AfterLoad)) {
        return reports;
    }
    for rule in &job.anonymity {
        let refuse = |message: String, hint: String| {
            Report::new("plan::anonymity", message).place(rule.place.to_string()).hint(hint)
        };
        let stored = |table: &&Table| table.kind != TableKind::Foreign && table.full_name() == rule.table;
        let Some(table) = catalog.tables.iter().find(stored) else {
            let message = format!("[[verify.anonymity]] names the table \"{}\", which does not exist", rule.table);
            reports.push(refuse(message, "Write `table = \"schema.table\"` as the source has it.".to_owned()));
            continue;
        };
        for name in rule.columns.iter().chain(&rule.sensitive) {
            if !table.columns.iter().any(|column| column.name == *name) {
                let message =
                    format!("[[verify.anonymity]] names the column \"{}.{name}\", which does not exist", rule.table);
                let known = table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
                reports.push(refuse(message, format!("Its columns: {known}.")));
            }
        }
    }
    reports
}

/// The topmost table of each partition.
pub(super) fn roots(catalog: &Catalog) -> BTreeMap<Oid, Oid> {
    catalog.tables.iter().filter_map(|table| Some((table.oid, table.partition_root?))).collect()
}

/// Tables with rows of people, as they were loaded: those in which something is masked.
pub(super) fn searched(catalog: &Catalog, plan: &Plan, stored: &BTreeMap<String, u64>) -> Vec<Searched> {
    let roots = roots(catalog);
    let mut trees: BTreeMap<Oid, Vec<&TablePlan>> = BTreeMap::new();
    for leaf in &plan.tables {
        trees.entry(roots.get(&leaf.oid).copied().unwrap_or(leaf.oid)).or_default().push(leaf);
    }
    let mut found: Vec<Searched> = Vec::new();
    for table in &catalog.tables {
        let Some(leaves) = trees.get(&table.oid) else { continue };
        let Some(first) = leaves.first() else { continue };
        let rows = leaves.iter().filter_map(|leaf| stored.get(&leaf.full_name())).sum();
        if rows == 0 || !first.columns.iter().any(|column| matches!(column.decision, Decided::Mask { .. })) {
            continue;
        }
        let names = |keep: &dyn Fn(&ColumnPlan) -> bool| -> Vec<String> {
            first.columns.iter().filter(|column| keep(column)).map(|column| column.name.clone()).collect()
        };
        found.push(Searched {
            table: table.full_name(),
            rows,
            quasi: names(&|column| shows(column) && is_quasi(&table.name, column)),
            kept: names(&|column| matches!(column.decision, Decided::Keep { .. })),
        });
    }
    // People are found by quasi-identifiers first; the rest is about rows.
    found.sort_by(|a, b| b.quasi.len().cmp(&a.quasi.len()).then_with(|| a.table.cmp(&b.table)));
    found
}

/// Whether staging says something of the value.
fn shows(column: &ColumnPlan) -> bool {
    match &column.decision {
        Decided::Keep { .. } => true,
        Decided::Null | Decided::Const => false,
        Decided::Mask { kind, when, .. } => {
            let kind = kind.split('/').next().unwrap_or(kind);
            COARSE.contains(&kind) || when.as_ref().is_some_and(|when| when.keep.is_some())
        }
    }
}

fn is_quasi(table: &str, column: &ColumnPlan) -> bool {
    let facts = Facts { table, column: &column.name, takes: takes(&column.type_name), domain: None, affix: None };
    detect::by_name(&facts).iter().any(|finding| {
        let category = finding.category;
        finding.found() && (category.class == detect::Class::Quasi || ALSO_QUASI.contains(&category.name.as_str()))
    })
}

/// What a type holds, by its name as PostgreSQL prints it; a type of the user's own is taken for a list of words.
pub(super) fn takes(type_name: &str) -> Takes {
    let name = type_name.split(['(', '[']).next().unwrap_or(type_name).trim();
    match name {
        "smallint" | "integer" | "bigint" => Takes::Integer,
        "numeric" => Takes::Numeric,
        "real" | "double precision" => Takes::Float,
        "boolean" => Takes::Bool,
        "text" | "character varying" | "character" | "citext" | "name" => Takes::Text,
        "bytea" => Takes::Bytes,
        "uuid" => Takes::Uuid,
        "date" => Takes::Date,
        name if name.starts_with("timestamp") => Takes::Timestamp,
        name if name.starts_with("time") => Takes::Time,
        "inet" | "cidr" => Takes::Inet,
        "macaddr" | "macaddr8" => Takes::Mac,
        "point" => Takes::Point,
        "json" | "jsonb" | "xml" => Takes::Opaque,
        _ => Takes::Enum,
    }
}
