//! What the planner expects of the user's queries, at the source and in staging: whether staging plans like production.
//!
//! EXPLAIN plans and reads no row, so production is asked for nothing it would notice. What is compared are estimates and
//! the shape of the plan; conditions hold values and are left out.

use super::gate;
use crate::config::QueryGate;
use crate::outcome::{EstimateView, Gate, QueryFidelity};
use crate::pg;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, Type};

/// A JSON document as its text.
struct Document(String);

impl<'a> FromSql<'a> for Document {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(std::str::from_utf8(raw)?.to_owned()))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::JSON
    }
}

/// Plans a query in the open transaction.
///
/// # Errors
/// The error of the server: the transaction is aborted.
pub async fn plan(client: &Client, query: &str) -> Result<EstimateView, tokio_postgres::Error> {
    // A prepared statement is one statement: nothing comes along behind it.
    let statement = client.prepare(&statement(query)).await?;
    let row = client.query_one(&statement, &[]).await?;
    let document: Document = row.get(0);
    let document: Value = serde_json::from_str(&document.0).unwrap_or_default();
    let top = &document[0]["Plan"];
    let mut shape = String::new();
    put_shape(top, &mut shape);
    let number = |key: &str| top[key].as_f64().unwrap_or(0.0);
    Ok(EstimateView { rows: number("Plan Rows"), cost: number("Total Cost"), plan: shape })
}

/// The statement that plans a query.
pub fn statement(query: &str) -> String {
    format!("EXPLAIN (FORMAT JSON) {}", query.trim_end().trim_end_matches(';'))
}

/// `Hash Join(Seq Scan orders, Hash(Seq Scan customers))`.
fn put_shape(node: &Value, shape: &mut String) {
    let word = |key: &str| node[key].as_str();
    shape.push_str(word("Node Type").unwrap_or("?"));
    if let Some(name) = word("Index Name").or_else(|| word("Relation Name")) {
        // Writing to a string does not fail.
        let _ = write!(shape, " {name}");
    }
    let Some(inner) = node["Plans"].as_array() else { return };
    for (place, node) in inner.iter().enumerate() {
        shape.push_str(if place == 0 { "(" } else { ", " });
        put_shape(node, shape);
    }
    shape.push(')');
}

/// Plans the queries on the loaded database and compares.
///
/// `at_source`: what the source said of each, by name; what it could not plan is missing. `part`: the source has more rows
/// on purpose, so that nothing is judged.
pub async fn compare(
    client: &Client,
    queries: &[QueryGate],
    at_source: &BTreeMap<String, EstimateView>,
    part: bool,
) -> (Vec<Gate>, Vec<QueryFidelity>) {
    let (mut gates, mut views) = (Vec::new(), Vec::new());
    for query in queries {
        let source = at_source.get(&query.name);
        let started = Instant::now();
        let asked = async {
            client.batch_execute("BEGIN READ ONLY").await?;
            let planned = plan(client, &query.sql).await;
            client.batch_execute("ROLLBACK").await?;
            planned
        };
        let name = format!("estimate: {}", query.name);
        let found = match (source, asked.await) {
            (_, Err(error)) => Err(format!("the query could not be planned: {}", pg::sql_error(&error))),
            (None, Ok(_)) => Err("the source could not plan the query".to_owned()),
            (Some(source), Ok(staging)) => {
                let factor = factor(source.rows, staging.rows);
                let same_plan = source.plan == staging.plan;
                let told = format!(
                    "{:.0} rows expected at the source, {:.0} in staging (× {factor:.2}); {} plan",
                    source.rows,
                    staging.rows,
                    if same_plan { "the same" } else { "another" }
                );
                let view =
                    QueryFidelity { name: query.name.clone(), source: source.clone(), staging, factor, same_plan };
                views.push(view);
                let far = query.factor.is_some_and(|most| factor > most);
                let changed = query.same_plan && !same_plan;
                if (far || changed) && !part { Err(told) } else { Ok(told) }
            }
        };
        let place = Some(query.place.to_string());
        gates.push(Gate { severity: query.severity, place, ..gate(&name, started, found) });
    }
    (gates, views)
}

/// How many times one estimate is the other; PostgreSQL never expects less than one row.
fn factor(source: f64, staging: f64) -> f64 {
    let (source, staging) = (source.max(1.0), staging.max(1.0));
    (source / staging).max(staging / source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_plan_names_nodes_tables_and_indexes_and_no_condition() {
        let plan = serde_json::json!({"Node Type": "Nested Loop", "Plans": [
            {"Node Type": "Seq Scan", "Relation Name": "a", "Filter": "(x = 'secret')"},
            {"Node Type": "Index Scan", "Relation Name": "b", "Index Name": "b_pkey", "Index Cond": "(id = 42)"},
        ]});
        let mut shape = String::new();
        put_shape(&plan, &mut shape);
        assert_eq!(shape, "Nested Loop(Seq Scan a, Index Scan b_pkey)");
    }

    #[test]
    fn a_factor_is_the_same_in_both_directions() {
        assert_eq!(factor(100.0, 50.0), 2.0);
        assert_eq!(factor(50.0, 100.0), 2.0);
        assert_eq!(factor(0.0, 1.0), 1.0);
    }
}
