//! Constraints that the rows of the source break already: PostgreSQL lets that happen (`session_replication_role`, disabled
//! triggers, NOT VALID), and only the copy notices.

use crate::catalog::{Catalog, Constraint, ConstraintKind, Table};
use crate::load::LoadError;
use crate::load::postgres::Sessions;
use crate::pg::{SqlProblem, quote_ident, quote_qualified};
use crate::pipeline::PipelineError;
use crate::plan::{Decided, Plan};

/// Tells an error of a foreign key, or of a CHECK on columns that are all kept, with a query that shows its rows at the
/// source; any other error stays as it is.
pub(super) async fn explain(
    (catalog, plan): (&Catalog, &Plan),
    sessions: &Sessions,
    error: PipelineError,
) -> PipelineError {
    let PipelineError::Load(LoadError::Sql { what, problem }) = &error else { return error };
    let Some((table, constraint)) = find(catalog, problem) else { return error };
    let name = quote_ident(&constraint.name);
    let whole = quote_qualified(&table.schema, &table.name);
    let (rows, repair) = match (problem.sqlstate.as_str(), constraint.kind) {
        ("23503", ConstraintKind::Foreign) => {
            let Some(rows) = orphans(catalog, table, constraint) else { return error };
            let drop = format!("ALTER TABLE {whole} DROP CONSTRAINT {name};");
            // A partitioned table cannot have one that is not validated.
            let definition = constraint.definition.trim_end_matches(" NOT VALID");
            (rows, format!("{drop}\nALTER TABLE {whole} ADD CONSTRAINT {name} {definition} NOT VALID;"))
        }
        ("23514", ConstraintKind::Check) if kept(plan, table, constraint) => {
            let Some(expression) = &constraint.expression else { return error };
            let drop = format!("ALTER TABLE {whole} DROP CONSTRAINT {name};");
            let add = format!("ALTER TABLE {whole} ADD CONSTRAINT {name} CHECK ({expression}) NOT VALID;");
            (format!("FROM {whole} AS c WHERE NOT ({expression})"), format!("{drop}\n{add}"))
        }
        _ => return error,
    };
    let count = match constraint.kind {
        // The rows of both sides are there, and what their keys became joins as before.
        ConstraintKind::Foreign => count(sessions, &format!("SELECT pg_catalog.count(*) {rows}")).await,
        _ => None,
    };
    LoadError::Broken {
        what: what.clone(),
        table: table.full_name(),
        constraint: constraint.name.clone(),
        rows: count,
        look: format!("SELECT c.ctid, c.* {rows};"),
        repair,
        problem: problem.clone(),
    }
    .into()
}

/// The constraint that a problem names; a partition may be named for its root.
fn find<'a>(catalog: &'a Catalog, problem: &SqlProblem) -> Option<(&'a Table, &'a Constraint)> {
    let name = problem.constraint.as_ref()?;
    let known = |oid: u32| catalog.tables.iter().find(|table| table.oid == oid);
    let named = catalog.constraints.iter().filter(|constraint| constraint.name == *name);
    let found: Vec<_> = named.filter_map(|constraint| Some((known(constraint.table)?, constraint))).collect();
    let same =
        |table: &Table| Some(&table.schema) == problem.schema.as_ref() && Some(&table.name) == problem.table.as_ref();
    match found.as_slice() {
        [only] => Some(*only),
        several => several.iter().find(|(table, _)| same(table)).copied(),
    }
}

/// `FROM … WHERE …` of the rows whose reference leads nowhere.
fn orphans(catalog: &Catalog, table: &Table, constraint: &Constraint) -> Option<String> {
    let parent = catalog.tables.iter().find(|table| table.oid == constraint.ref_table)?;
    let (mut set, mut equal) = (Vec::new(), Vec::new());
    for (from, to) in constraint.columns.iter().zip(&constraint.ref_columns) {
        let from = quote_ident(&table.column(*from)?.name);
        equal.push(format!("p.{} = c.{from}", quote_ident(&parent.column(*to)?.name)));
        set.push(format!("c.{from} IS NOT NULL"));
    }
    Some(format!(
        "FROM {} AS c WHERE {} AND NOT EXISTS (SELECT FROM {} AS p WHERE {})",
        quote_qualified(&table.schema, &table.name),
        set.join(" AND "),
        quote_qualified(&parent.schema, &parent.name),
        equal.join(" AND ")
    ))
}

/// Every column of a constraint is copied as it is.
fn kept(plan: &Plan, table: &Table, constraint: &Constraint) -> bool {
    let Some(planned) = plan.tables.iter().find(|planned| planned.oid == table.oid) else { return false };
    constraint.columns.iter().all(|attnum| {
        let name = table.column(*attnum).map(|column| &column.name);
        let column = planned.columns.iter().find(|column| Some(&column.name) == name);
        column.is_some_and(|column| matches!(column.decision, Decided::Keep { .. }))
    })
}

async fn count(sessions: &Sessions, sql: &str) -> Option<i64> {
    let session = sessions.take().await.ok()?;
    let count = session.client().query_one(sql, &[]).await.ok()?.get(0);
    sessions.give(session);
    Some(count)
}
