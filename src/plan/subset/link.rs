//! How the rows of two tables are joined: by the operators of a foreign key, or by what the policy declares.

use super::super::domain::Domains;
use super::super::graph::{Graph, Node};
use super::super::place;
use super::super::propose::referencing;
use super::{SubsetEdge, becomes_null, relation};
use crate::catalog::{Constraint, ConstraintKind, Oid, Table, UniqueIndex};
use crate::config::{Children, Dangling, EdgeRule, Parent, ReferenceRule};
use crate::error::Report;
use crate::mask::Shape;
use crate::pg::{quote_ident, quote_literal};

/// Whether a rule names this reference.
pub(super) fn is_named(edge: &SubsetEdge, rule: &EdgeRule) -> bool {
    edge.referring_columns().any(|column| column == rule.from)
        && rule.to.as_ref().is_none_or(|to| edge.to.split(", ").any(|column| column == to))
}

impl SubsetEdge {
    fn referring_columns(&self) -> impl Iterator<Item = &str> {
        self.from.split(", ")
    }
}

/// Joins by the operators with which the server holds the key.
pub(super) fn foreign_key(
    graph: &Graph<'_>,
    domains: &Domains,
    constraint: &Constraint,
    uses: &dyn Fn((Oid, i16)) -> usize,
) -> Option<SubsetEdge> {
    let (child_table, parent_table) = (graph.table(constraint.table)?, graph.table(constraint.ref_table)?);
    let nodes = |table: Oid, columns: &[i16]| {
        columns.iter().map(|attnum| graph.node_at(table, *attnum)).collect::<Option<Vec<Node>>>()
    };
    let (from, to) =
        (nodes(constraint.table, &constraint.columns)?, nodes(constraint.ref_table, &constraint.ref_columns)?);
    if from.is_empty() {
        return None;
    }
    let column = |node: Node| quote_ident(&graph.nodes[node].column.name);
    let compared = from.iter().zip(&to).enumerate().map(|(number, (from, to))| {
        let Some(equality) = constraint.equality.get(number) else {
            return format!("p.{} = c.{}", column(*to), column(*from));
        };
        let cast = |alias: &str, node: Node, to: &str| match to {
            "" => format!("{alias}.{}", column(node)),
            to => format!("{alias}.{}::{to}", column(node)),
        };
        let right = cast("c", *from, &equality.right_type);
        let right = if equality.collation.is_empty() { right } else { format!("({right} {})", equality.collation) };
        format!("{} {} {right}", cast("p", *to, &equality.left_type), equality.operator)
    });
    let names = |nodes: &[Node]| nodes.iter().map(|node| graph.name(*node)).collect::<Vec<_>>().join(", ");
    let refers = from.iter().map(|node| format!("c.{} IS NOT NULL", column(*node))).collect::<Vec<_>>().join(" AND ");
    Some(SubsetEdge {
        name: format!("foreign key {}", constraint.name),
        from: names(&from),
        to: names(&to),
        child: graph.nodes[from[0]].group,
        parent: graph.nodes[to[0]].group,
        child_part: part(graph, child_table, from[0]),
        parent_part: part(graph, parent_table, to[0]),
        expand: String::new(),
        on: compared.collect::<Vec<_>>().join(" AND "),
        refers,
        columns: Some((constraint.table, constraint.columns.clone())),
        declared: false,
        checked: constraint.validated && constraint.enforced,
        children: Children::All,
        up: Parent::Follow,
        nulled: from.iter().any(|node| becomes_null(domains, *node)),
        dangling: Dangling::Keep,
        null_columns: null_columns(graph, constraint, &from, uses),
    })
}

/// What a check says that asks whether a value is NULL.
const ASKS: [&str; 4] = ["NULL", "num_nulls", "num_nonnulls", "COALESCE"];

/// The table a key belongs to, where that is not the whole partition tree.
fn part(graph: &Graph<'_>, table: &Table, node: Node) -> Option<String> {
    let root = graph.groups[graph.nodes[node].group].root;
    (table.oid != root.oid).then(|| relation(table))
}

/// The columns that become NULL where the key is cut: for MATCH FULL all of them, else those that no other key uses, else
/// every one that can. A column that others refer to cannot, nor one that says into which partition a row goes, that is
/// unique with its NULLs, or that a check looks at for being NULL.
fn null_columns(
    graph: &Graph<'_>,
    constraint: &Constraint,
    from: &[Node],
    uses: &dyn Fn((Oid, i16)) -> usize,
) -> Vec<String> {
    let nullable: Vec<(Node, i16)> = from
        .iter()
        .copied()
        .zip(constraint.columns.iter().copied())
        .filter(|(node, _)| can_be_null(graph, *node))
        .collect();
    if constraint.definition.contains(" MATCH FULL") && nullable.len() < from.len() {
        return Vec::new();
    }
    let own: Vec<(Node, i16)> =
        nullable.iter().copied().filter(|(_, attnum)| uses((constraint.table, *attnum)) == 1).collect();
    let full = constraint.definition.contains(" MATCH FULL");
    let chosen = if own.is_empty() || full { nullable } else { own };
    chosen.into_iter().map(|(node, _)| graph.nodes[node].column.name.clone()).collect()
}

/// Whether a NULL in a column takes nothing from its table but a reference.
fn can_be_null(graph: &Graph<'_>, node: Node) -> bool {
    let column = &graph.nodes[node];
    let (group, name) = (&graph.groups[column.group], &column.column.name);
    let is = |table: Oid, attnum: &i16| graph.node_at(table, *attnum) == Some(node);
    let places = |table: &Table| table.partition_key.contains(name);
    let unique = |index: &&UniqueIndex| {
        (index.primary || !index.nulls_distinct) && index.columns.iter().any(|attnum| is(index.table, attnum))
    };
    let asked = |constraint: &&Constraint| {
        constraint.kind == ConstraintKind::Check
            && constraint.columns.iter().any(|attnum| is(constraint.table, attnum))
            && ASKS.iter().any(|word| constraint.definition.contains(word))
    };
    !(column.not_null
        || column.column.generated
        || referencing(graph, node) > 0
        || places(group.root)
        || group.partitioned.iter().any(|part| places(part))
        || group.uniques.iter().copied().any(|index| unique(&index))
        || group.constraints.iter().copied().any(|constraint| asked(&constraint)))
}

/// Joins by what `[[references]]` says; none if a column is unknown, which is reported elsewhere or here.
pub(super) fn declared(graph: &Graph<'_>, rule: &ReferenceRule, reports: &mut Vec<Report>) -> Option<SubsetEdge> {
    let (from, to) = (graph.find_column(&rule.from)?, graph.find_column(&rule.to)?);
    let (child, parent) = (&graph.nodes[from], &graph.nodes[to]);
    let column = format!("c.{}", quote_ident(&child.column.name));
    let key = format!("p.{}", quote_ident(&parent.column.name));
    let array = matches!(child.shape, Some(Shape::Array(_)));
    let (expand, on, mut refers) = if !rule.json.is_empty() {
        let (expand, value) = json_value(&column, &rule.json);
        (expand, json_equal(graph, to, &key, &value), format!("{value} IS NOT NULL"))
    } else if array {
        let expand = format!(" CROSS JOIN LATERAL pg_catalog.unnest({column}) AS e (v)");
        (expand, format!("{key} = e.v"), "e.v IS NOT NULL".to_owned())
    } else {
        (String::new(), format!("{key} = {column}"), format!("{column} IS NOT NULL"))
    };
    if let Some((name, value)) = &rule.r#type {
        let Some(node) = graph.node(child.group, name) else {
            let table = graph.groups[child.group].root.full_name();
            let message = format!("[[references]] names \"{table}.{name}\", which the source does not have");
            let report = Report::new("plan::unknown-column", message).place(place(&rule.place));
            reports.push(report.hint("`type_column` is a column of the table that `from` belongs to."));
            return None;
        };
        let tested = quote_ident(&graph.nodes[node].column.name);
        refers = format!("{refers} AND c.{tested}::pg_catalog.text = {}", quote_literal(value));
    }
    let plain = expand.is_empty();
    let nullable = plain && !child.not_null && !child.column.generated;
    let root = graph.groups[child.group].root;
    let attnum = child.column.attnum;
    Some(SubsetEdge {
        name: format!("reference {} -> {}", rule.from, rule.to),
        from: graph.name(from),
        to: graph.name(to),
        child: child.group,
        parent: parent.group,
        child_part: None,
        parent_part: None,
        expand,
        on,
        refers,
        columns: plain.then(|| (root.oid, vec![attnum])),
        declared: true,
        checked: false,
        children: Children::All,
        up: Parent::Follow,
        nulled: false,
        dangling: Dangling::Keep,
        null_columns: if nullable { vec![child.column.name.clone()] } else { Vec::new() },
    })
}

/// Walks into a document: the items of FROM that open its arrays, and the text of the value at the end.
fn json_value(column: &str, path: &[String]) -> (String, String) {
    let mut expand = String::new();
    let mut value = format!("{column}::pg_catalog.jsonb");
    for (number, key) in path.iter().enumerate() {
        if key == "*" {
            expand.push_str(&format!(
                " CROSS JOIN LATERAL pg_catalog.jsonb_array_elements(CASE WHEN pg_catalog.jsonb_typeof({value}) = 'array' \
                 THEN {value} END) AS j{number} (v)"
            ));
            value = format!("j{number}.v");
        } else {
            value = format!("({value} -> {})", quote_literal(key));
        }
    }
    expand.push_str(&format!(" CROSS JOIN LATERAL (SELECT {value} #>> '{{}}' AS v) AS e"));
    (expand, "e.v".to_owned())
}

/// Compares a key with the text of a JSON value; a text that is no such key refers to nothing.
fn json_equal(graph: &Graph<'_>, node: Node, key: &str, value: &str) -> String {
    let (pattern, cast) = match &graph.nodes[node].shape {
        Some(Shape::Int2 | Shape::Int4 | Shape::Int8) => ("^-?[0-9]{1,18}$", "pg_catalog.int8"),
        Some(Shape::Uuid) => ("^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$", "pg_catalog.uuid"),
        Some(Shape::Text { .. }) => return format!("{key} = {value}"),
        _ => return format!("{key}::pg_catalog.text = {value}"),
    };
    format!("{key} = CASE WHEN {value} ~ '{pattern}' THEN {value}::{cast} END")
}
