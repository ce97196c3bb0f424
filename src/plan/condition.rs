//! Masks for some rows only: the condition of the policy, which the source evaluates as one more column of the query.

use super::anchor::{Anchor, Hop, quote, table_sql};
use super::domain::{Choice, Domains, Mask};
use super::fit::Anchors;
use super::graph::{Graph, Node};
use super::sql::one_expression;
use crate::config::{Place, Rows, TableRule, When};
use crate::error::Report;

/// A condition of the configuration, for the source's server to read.
#[derive(Debug, Clone)]
pub struct ConditionProbe {
    /// `schema.table`; a partition tree has one probe, under its root.
    pub table: String,
    /// The column whose `when` it is; none: it is the `where` of the table.
    pub column: Option<String>,
    /// A query that has it, to be read and not to be run.
    pub sql: String,
    pub place: Option<Place>,
}

/// Collects the conditions whose form is sound: only the server knows the names in them.
pub(super) fn probes(graph: &Graph<'_>, rules: &[TableRule], rows: &[Rows], domains: &Domains) -> Vec<ConditionProbe> {
    let mut found = Vec::new();
    for (group, chosen) in rows.iter().enumerate().filter(|(_, rows)| **rows != Rows::None) {
        let (name, table) = (graph.groups[group].root.full_name(), table_sql(graph, group));
        if let Rows::Where { condition: Some(condition), .. } = chosen
            && one_expression(condition).is_ok()
        {
            let rule = rules.iter().find(|rule| rule.rows.as_ref() == Some(chosen));
            let sql = format!("SELECT 1 FROM {table} AS t WHERE (\n{condition}\n)");
            let place = rule.map(|rule| rule.place.clone());
            found.push(ConditionProbe { table: name.clone(), column: None, sql, place });
        }
        for node in graph.nodes_of(group) {
            let Some(resolved) = &domains.resolved[node] else { continue };
            let Choice::Mask(mask) = &resolved.choice else { continue };
            let Some(sql) = question(graph, node, mask, &table) else { continue };
            let (column, place) = (Some(graph.nodes[node].column.name.clone()), resolved.place.clone());
            found.push(ConditionProbe { table: name.clone(), column, sql, place });
        }
    }
    found
}

/// The condition of a mask as the source is asked for it, with a column of the row beside it, so that an aggregate is
/// refused here and not by the copy. None where there is no condition, or one that is refused without the server.
fn question(graph: &Graph<'_>, node: Node, mask: &Mask, table: &str) -> Option<String> {
    let When { condition, path, .. } = mask.when.as_ref()?;
    let mut anchors = Anchors::new();
    check(graph, node, mask, &mut anchors).ok()?;
    let (join, sql) = match path {
        None => (String::new(), own_row(condition)),
        Some(_) => match anchors.into_values().next()? {
            Anchor::Path { hops, .. } => at_path(graph, &hops, condition, "w1"),
            Anchor::Column(_) => return None,
        },
    };
    Some(format!("SELECT t.ctid, {sql} FROM {table} AS t{join}"))
}

/// Checks that a condition is one expression, that its row can be found, and that the other rows may become NULL.
pub(super) fn check(graph: &Graph<'_>, node: Node, mask: &Mask, anchors: &mut Anchors) -> Result<(), Box<Report>> {
    let name = graph.name(node);
    let column = &graph.nodes[node];
    if column.not_null && (mask.nulls_rows() || (mask.when.is_some() && mask.kind.name == "null")) {
        let message = format!("column \"{name}\" is NOT NULL, and rows would become NULL by its `when`");
        let hint = if mask.kind.name == "null" {
            "Choose a mask, or a constant: `{ mask = \"const\", value = \"…\", when = \"…\" }`."
        } else {
            "Say why the other rows keep their value: `otherwise = { keep = \"…\" }`; or mask every row."
        };
        return Err(Box::new(Report::new("plan::when-not-null", message).hint(hint)));
    }
    let Some(When { condition, path, .. }) = &mask.when else { return Ok(()) };
    if let Err(why) = one_expression(condition) {
        let message = format!("the `when` of column \"{name}\" is not one condition");
        let report = Report::new("plan::when", message).detail(why);
        return Err(Box::new(report.hint("Write one SQL expression, with its parentheses and quotes closed.")));
    }
    let Some(path) = path else { return Ok(()) };
    let wrong = |detail: String, hint: String| {
        let message = format!("the row \"{path}\" of the `when` of column \"{name}\" cannot be found");
        Box::new(Report::new("plan::when-at", message).detail(detail).hint(hint))
    };
    match Anchor::parse(graph, column.group, path).map_err(|(detail, hint)| wrong(detail, hint))? {
        Anchor::Column(_) => {
            let hint = "Write `when_at = \"column -> schema.table.column\"`, or leave it out.".to_owned();
            Err(wrong("It leads to no other table; a condition is about the row itself without it.".to_owned(), hint))
        }
        anchor @ Anchor::Path { .. } => {
            anchors.insert((column.group, path.clone()), anchor);
            Ok(())
        }
    }
}

/// Tells that a mask with a condition stands on a reference: its two sides would be masked in different rows.
pub(super) fn referenced(graph: &Graph<'_>, (from, to): (Node, Node), edge: &str) -> Report {
    let what = format!(
        "column \"{}\" is referenced by \"{}\" ({edge}), but its mask has a condition",
        graph.name(to),
        graph.name(from)
    );
    Report::new("plan::conditional-reference", what)
        .detail("The condition holds for other rows on the other side, where equal values would get other masks.")
        .hint("Mask every row: leave out `when`.")
}

/// Name of what a subselect gives, unlike any column, so that names in conditions stay unambiguous.
const HOLDS: &str = "\"restage holds\"";

/// The condition as a boolean that is never NULL: a row is left out only where it is false.
///
/// Set-returning functions, which would make more rows than the table has, are not allowed inside CASE.
pub(super) fn own_row(condition: &str) -> String {
    format!("CASE WHEN (\n{condition}\n) IS FALSE THEN false ELSE true END")
}

/// A join that evaluates the condition for the row at the end of a path, and the boolean that it gives.
///
/// Each step is a subselect, in which the table of the condition stands alone: its columns need no prefix, and a hash join
/// is open to the source, so that there is no query per row.
pub(super) fn at_path(graph: &Graph<'_>, hops: &[Hop], condition: &str, alias: &str) -> (String, String) {
    let mut inner: Option<String> = None;
    for (number, hop) in hops.iter().enumerate().rev() {
        let keys: String = hop
            .on
            .iter()
            .enumerate()
            .map(|(key, (_, to))| format!("t.{} AS {}, ", quote(&graph.nodes[*to].column.name), key_name(key)))
            .collect();
        let table = table_sql(graph, hop.group);
        inner = Some(match (inner, hops.get(number + 1)) {
            (Some(rest), Some(next)) => {
                let on = on_sql(graph, next, "t", "u");
                format!("(SELECT {keys}u.{HOLDS} FROM {table} AS t LEFT JOIN {rest} AS u ON {on})")
            }
            _ => format!("(SELECT {keys}{} AS {HOLDS} FROM {table} AS t)", own_row(condition)),
        });
    }
    let (Some(subselect), Some(first)) = (inner, hops.first()) else { return (String::new(), own_row(condition)) };
    let join = format!(" LEFT JOIN {subselect} AS {alias} ON {}", on_sql(graph, first, "t", alias));
    (join, format!("({alias}.{HOLDS} IS NOT FALSE)"))
}

fn key_name(key: usize) -> String {
    format!("\"restage key {key}\"")
}

fn on_sql(graph: &Graph<'_>, hop: &Hop, left: &str, right: &str) -> String {
    let pairs = hop.on.iter().enumerate().map(|(key, (from, _))| {
        format!("{left}.{} = {right}.{}", quote(&graph.nodes[*from].column.name), key_name(key))
    });
    pairs.collect::<Vec<_>>().join(" AND ")
}
