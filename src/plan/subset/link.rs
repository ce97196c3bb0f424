//! How the rows of two tables are joined: by the operators of a foreign key, or by what the policy declares.

use super::super::domain::Domains;
use super::super::graph::{Graph, Node};
use super::super::propose::referencing;
use super::super::{place, relation};
use super::{SubsetEdge, becomes_null};
use crate::catalog::{Constraint, ConstraintKind, Oid, Table, UniqueIndex};
use crate::config::{Children, Dangling, Parent, ReferenceRule};
use crate::error::Report;
use crate::mask::Shape;
use crate::pg::{quote_ident, quote_literal};
use std::collections::BTreeSet;

/// Whether columns as a rule writes them are those of a reference: one of them, or all.
pub(super) fn names(columns: &str, written: &str) -> bool {
    if columns == written {
        return true;
    }
    let columns: BTreeSet<&str> = columns.split(", ").collect();
    let written: BTreeSet<&str> = written.split(',').map(str::trim).collect();
    written.len() == 1 && written.is_subset(&columns) || written == columns
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
    let (null_columns, fixed) = match null_columns(graph, constraint, &from, uses) {
        Ok(columns) => (columns, None),
        Err(why) => (Vec::new(), Some(why)),
    };
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
        null_columns,
        fixed,
    })
}

/// What a check says that asks whether a value is NULL.
const ASKS: [&str; 4] = ["NULL", "num_nulls", "num_nonnulls", "COALESCE"];

/// The table a key belongs to, where that is not the whole partition tree.
fn part(graph: &Graph<'_>, table: &Table, node: Node) -> Option<String> {
    let root = graph.groups[graph.nodes[node].group].root;
    (table.oid != root.oid).then(|| relation(graph.catalog, table))
}

/// The columns that become NULL where the key is cut: for MATCH FULL all of them, else those that no other key uses, else
/// every one that can. A column that others refer to cannot, nor one that says into which partition a row goes, that is
/// unique with its NULLs, or that a check, its own or of its domain, looks at for being NULL. The error says which of these it is.
fn null_columns(
    graph: &Graph<'_>,
    constraint: &Constraint,
    from: &[Node],
    uses: &dyn Fn((Oid, i16)) -> usize,
) -> Result<Vec<String>, String> {
    let mut nullable: Vec<(Node, i16)> = Vec::new();
    let mut reasons: Vec<String> = Vec::new();
    for (node, attnum) in from.iter().copied().zip(constraint.columns.iter().copied()) {
        match why_not_null(graph, node) {
            None => nullable.push((node, attnum)),
            Some(why) => reasons.push(why),
        }
    }
    let full = constraint.definition.contains(" MATCH FULL");
    if nullable.is_empty() {
        return Err(reasons.join("; "));
    }
    if full && !reasons.is_empty() {
        return Err(format!("It is MATCH FULL, so all of its columns become NULL or none, and {}", reasons.join("; ")));
    }
    let own: Vec<(Node, i16)> =
        nullable.iter().copied().filter(|(_, attnum)| uses((constraint.table, *attnum)) == 1).collect();
    let chosen = if own.is_empty() || full { nullable } else { own };
    Ok(chosen.into_iter().map(|(node, _)| graph.nodes[node].column.name.clone()).collect())
}

/// What a NULL in a column would take from its table beside a reference; none: nothing.
fn why_not_null(graph: &Graph<'_>, node: Node) -> Option<String> {
    let column = &graph.nodes[node];
    let (group, name) = (&graph.groups[column.group], &column.column.name);
    let full_name = graph.name(node);
    let is = |table: Oid, attnum: &i16| graph.node_at(table, *attnum) == Some(node);
    let unique = |index: &&&UniqueIndex| {
        (index.primary || !index.nulls_distinct) && index.columns.iter().any(|attnum| is(index.table, attnum))
    };
    let asked = |constraint: &&&Constraint| {
        constraint.kind == ConstraintKind::Check
            && constraint.columns.iter().any(|attnum| is(constraint.table, attnum))
            && ASKS.iter().any(|word| constraint.definition.contains(word))
    };
    if let Some(index) = group.uniques.iter().find(unique) {
        let what = if index.primary { "the primary key" } else { "a unique index for which NULLs are equal" };
        return Some(format!("\"{full_name}\" is in {what}, {}", index.name));
    }
    if column.not_null {
        return Some(format!("\"{full_name}\" is NOT NULL"));
    }
    if column.column.generated {
        return Some(format!("the server computes \"{full_name}\""));
    }
    if referencing(graph, node) > 0 {
        return Some(format!("other rows refer to \"{full_name}\""));
    }
    let parts = group.partitioned.iter().copied().chain([group.root]);
    if let Some(part) = parts.into_iter().find(|part| part.partition_key.contains(name)) {
        return Some(format!("\"{full_name}\" says into which partition of {} a row goes", part.full_name()));
    }
    if let Some(check) = group.constraints.iter().find(asked) {
        return Some(format!("check {} asks whether \"{full_name}\" is NULL", check.name));
    }
    // NOT NULL of a domain is that of the column; its checks see the value of the column too.
    graph.domains(column.column.type_oid).into_iter().find_map(|domain| {
        let (check, _) = domain.checks.iter().find(|(_, text)| ASKS.iter().any(|word| text.contains(word)))?;
        Some(format!("check {check} of domain {} asks whether \"{full_name}\" is NULL", domain.sql_name))
    })
}

/// Joins by what `[[references]]` says; none if a column is unknown, which is reported elsewhere or here.
pub(super) fn declared(graph: &Graph<'_>, rule: &ReferenceRule, reports: &mut Vec<Report>) -> Option<SubsetEdge> {
    let (from, to) = (graph.find_column(&rule.from)?, graph.find_column(&rule.to)?);
    let (child, parent) = (&graph.nodes[from], &graph.nodes[to]);
    let column = format!("c.{}", quote_ident(&child.column.name));
    let key = format!("p.{}", quote_ident(&parent.column.name));
    let (expand, value, shape) = if !rule.json.is_empty() {
        let (expand, value) = json_value(&column, matches!(child.shape, Some(Shape::Json)), &rule.json);
        (expand, value, Some(&Shape::TEXT))
    } else if let Some(Shape::Array(inner)) = &child.shape {
        let expand = format!(" CROSS JOIN LATERAL pg_catalog.unnest({column}) AS e (v)");
        (expand, "e.v".to_owned(), Some(&**inner))
    } else {
        (String::new(), column, child.shape.as_ref())
    };
    let on = equal_ids((&key, parent.shape.as_ref()), (&value, shape));
    let mut refers = format!("{value} IS NOT NULL");
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
    let fixed = match plain {
        true => why_not_null(graph, from),
        false => Some("It stands inside of a column, beside other values".to_owned()),
    };
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
        null_columns: if fixed.is_none() { vec![child.column.name.clone()] } else { Vec::new() },
        fixed,
    })
}

/// What a text may not hold, and a document of type `json` may: the escape of U+0000, and halves of surrogate pairs.
const NO_TEXT: &str = r"(?<!\\)((?:\\\\)*)\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2}\\u)[dD][c-fC-F][0-9a-fA-F]{2})";

/// Walks into a document: the items of FROM that open its arrays, and the text of the value at the end.
///
/// `json` is walked by its own operators, because it holds what `jsonb` cannot: numbers of any size, and escapes that no
/// text can hold. The operators themselves refuse such escapes wherever in the document they are, so each is replaced by
/// that of U+FFFD before: an id with one in it refers to nothing anyway.
fn json_value(column: &str, plain_json: bool, path: &[String]) -> (String, String) {
    let mut expand = String::new();
    let (family, mut value) = match plain_json {
        false => ("jsonb", format!("{column}::pg_catalog.jsonb")),
        true => {
            let text = format!("{column}::pg_catalog.text");
            let safe = format!(
                "pg_catalog.regexp_replace({text}, {}, {}, 'g')::pg_catalog.json",
                quote_literal(NO_TEXT),
                quote_literal(r"\1\\ufffd")
            );
            let backslash = quote_literal(r"\u");
            expand.push_str(&format!(
                " CROSS JOIN LATERAL (SELECT CASE WHEN pg_catalog.strpos({text}, {backslash}) > 0 THEN {safe} \
                 ELSE {column}::pg_catalog.json END AS v) AS d"
            ));
            ("json", "d.v".to_owned())
        }
    };
    for (number, key) in path.iter().enumerate() {
        if key == "*" {
            expand.push_str(&format!(
                " CROSS JOIN LATERAL pg_catalog.{family}_array_elements(CASE WHEN pg_catalog.{family}_typeof({value}) = 'array' \
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

/// A number as texts and documents write it, short enough for every cast of it to succeed: `5`, `1.50`, `1e1`.
const NUMBER: &str = r"^[-+]?[0-9]{1,60}(\.[0-9]{0,60})?([eE][-+]?[0-9]{1,2})?$";
/// What the server reads as a UUID, apart from braces around it: a hyphen may stand after every fourth digit.
const UUID: &str = "([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}";

/// Compares a key with what refers to it, both as SQL. Types that the server compares are left to it; else a text is taken
/// for what the key holds, so that an index of the key serves, and a text that is no such value refers to nothing: each is
/// looked at before it is cast, because a cast that fails would end the query.
pub fn equal_ids((key, key_shape): (&str, Option<&Shape>), (value, shape): (&str, Option<&Shape>)) -> String {
    let text = |shape: Option<&Shape>| matches!(shape, Some(Shape::Text { .. }));
    let alike = match (key_shape, shape) {
        (Some(key), Some(value)) => std::mem::discriminant(key) == std::mem::discriminant(value),
        // What has no shape is left to the server.
        _ => true,
    };
    if alike || (is_number(key_shape) && is_number(shape)) {
        return format!("{key} = {value}");
    }
    match key_shape {
        // The first branch is what nearly every id is, and costs no numeric.
        Some(Shape::Int2 | Shape::Int4 | Shape::Int8) if text(shape) => format!(
            "{key} = CASE WHEN {value} ~ '^-?[0-9]{{1,18}}$' THEN {value}::pg_catalog.int8 WHEN {value} ~ '{NUMBER}' \
             THEN CASE WHEN {value}::pg_catalog.numeric BETWEEN {} AND {} \
             AND {value}::pg_catalog.numeric = pg_catalog.trunc({value}::pg_catalog.numeric) \
             THEN {value}::pg_catalog.numeric::pg_catalog.int8 END END",
            i64::MIN,
            i64::MAX
        ),
        Some(Shape::Numeric { .. }) if text(shape) => {
            format!("{key} = CASE WHEN {value} ~ '{NUMBER}' THEN {value}::pg_catalog.numeric END")
        }
        Some(Shape::Uuid) if text(shape) => {
            format!("{key} = CASE WHEN {value} ~ '^({UUID}|\\{{{UUID}\\}})$' THEN {value}::pg_catalog.uuid END")
        }
        Some(Shape::Text { .. }) => format!("{key} = {value}::pg_catalog.text"),
        _ => format!("{key}::pg_catalog.text = {value}::pg_catalog.text"),
    }
}

/// Numbers, which the server compares whatever their types.
fn is_number(shape: Option<&Shape>) -> bool {
    use Shape::{Float4, Float8, Int2, Int4, Int8, Numeric};
    matches!(shape, Some(Int2 | Int4 | Int8 | Numeric { .. } | Float4 | Float8))
}
