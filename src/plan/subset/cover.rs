//! What rows can show: labels, NULLs, limits of values, letters beyond ASCII, partitions, combinations. As SQL conditions.

use super::super::domain::{Choice, Domains};
use super::super::graph::{Graph, Node};
use super::super::place;
use super::{SubsetNode, becomes_null};
use crate::catalog::TableKind;
use crate::config::{Cover, ReferenceRule, SubsetConfig};
use crate::error::Report;
use crate::mask::Shape;
use crate::pg::{quote_ident, quote_literal};
use std::collections::BTreeMap;

/// What rows of one node can show.
#[derive(Debug, Clone, Default)]
pub struct NodeCover {
    pub node: usize,
    /// Aggregates over all rows, as `m0`, `m1`, … of `m`.
    pub aggregates: Vec<String>,
    /// What is shown, in the words of the schema, and the condition on `t` and `m`.
    pub features: Vec<(String, String)>,
    /// Every different value of these is to be shown: name, and an expression of type `text` over `t`.
    pub combinations: Vec<(String, String)>,
}

impl NodeCover {
    fn extreme(&mut self, name: String, value: &str, aggregate: &str) {
        let number = self.aggregates.len();
        self.aggregates.push(format!("pg_catalog.{aggregate}({value})"));
        self.features.push((name, format!("{value} = m.m{number}")));
    }
}

/// What a configuration asks to be shown, by node; nodes with nothing to show are left out.
pub(super) fn resolve(
    graph: &Graph<'_>,
    nodes: &[SubsetNode],
    config: &SubsetConfig,
    references: &[ReferenceRule],
    domains: &Domains,
    reports: &mut Vec<Report>,
) -> Vec<NodeCover> {
    let wants = |cover: Cover| config.cover.contains(&cover);
    let mut covers: BTreeMap<usize, NodeCover> = BTreeMap::new();
    for number in (0..nodes.len()).filter(|number| nodes[*number].copied) {
        let cover = covers.entry(number).or_insert_with(|| NodeCover { node: number, ..NodeCover::default() });
        for node in graph.nodes_of(number) {
            if !graph.nodes[node].column.generated && !becomes_null(domains, node) {
                let wanted = config.cover.iter().copied();
                let wanted: Vec<Cover> =
                    wanted.filter(|cover| *cover != Cover::Boundary || has_limits(graph, domains, node)).collect();
                column(graph, node, &wanted, cover);
            }
        }
        if wants(Cover::Partition) && graph.groups[number].root.kind == TableKind::Partitioned {
            let leaves = nodes[number].leaves.iter();
            cover.features.extend(
                leaves.map(|leaf| {
                    (format!("{}: a row", leaf.name), format!("t.tableoid = {}::pg_catalog.oid", leaf.oid))
                }),
            );
        }
    }
    for rule in references.iter().filter(|_| wants(Cover::Type)) {
        let (Some(from), Some((name, value))) = (graph.find_column(&rule.from), &rule.r#type) else { continue };
        let group = graph.nodes[from].group;
        let (Some(cover), Some(node)) = (covers.get_mut(&group), graph.node(group, name)) else { continue };
        let tested = format!("t.{}::pg_catalog.text = {}", quote_ident(name), quote_literal(value));
        let refers = format!("t.{} IS NOT NULL", quote_ident(&graph.nodes[from].column.name));
        let shown = format!("{}: a reference to {}", graph.name(node), rule.to);
        cover.features.push((shown, format!("{tested} AND {refers}")));
    }
    for tuple in &config.tuples {
        combination(graph, tuple, config, &mut covers, reports);
    }
    covers.into_values().filter(|cover| !cover.features.is_empty() || !cover.combinations.is_empty()).collect()
}

/// Whether the smallest and largest value of a column mean anything in the copy: a mask does not keep them, numbers that
/// the database counts up have none, and those of a reference are those of what it refers to.
fn has_limits(graph: &Graph<'_>, domains: &Domains, node: Node) -> bool {
    let about = &graph.nodes[node];
    let kept = domains.resolved[node].as_ref().is_some_and(|own| matches!(own.choice, Choice::Keep { .. }));
    let counted = about.column.identity.is_some()
        || about.column.default.as_deref().is_some_and(|default| default.starts_with("nextval("));
    let mut edges = graph.edges_from[about.group].iter().flat_map(|edge| &graph.edges[*edge].pairs);
    kept && !counted && !edges.any(|(from, _)| *from == node)
}

fn column(graph: &Graph<'_>, node: Node, wanted: &[Cover], cover: &mut NodeCover) {
    let (name, about) = (graph.name(node), &graph.nodes[node]);
    let value = format!("t.{}", quote_ident(&about.column.name));
    let text = format!("{value}::pg_catalog.text");
    for kind in wanted {
        match (kind, &about.shape) {
            (Cover::Enum, Some(Shape::Enum(labels))) => {
                let label = |label: &String| {
                    (format!("{name}: label \"{label}\""), format!("{text} = {}", quote_literal(label)))
                };
                cover.features.extend(labels.iter().map(label));
            }
            (Cover::Enum, Some(Shape::Bool)) => {
                cover.features.push((format!("{name}: true"), value.clone()));
                cover.features.push((format!("{name}: false"), format!("NOT {value}")));
            }
            (Cover::Null, _) if !about.not_null => {
                cover.features.push((format!("{name}: NULL"), format!("{value} IS NULL")));
                cover.features.push((format!("{name}: a value"), format!("{value} IS NOT NULL")));
            }
            (
                Cover::Boundary,
                Some(
                    Shape::Int2
                    | Shape::Int4
                    | Shape::Int8
                    | Shape::Numeric { .. }
                    | Shape::Float4
                    | Shape::Float8
                    | Shape::Date
                    | Shape::Timestamp,
                ),
            ) => {
                cover.extreme(format!("{name}: smallest value"), &value, "min");
                cover.extreme(format!("{name}: largest value"), &value, "max");
            }
            (Cover::Boundary, Some(Shape::Text { .. })) => {
                let length = format!("pg_catalog.length({text})");
                cover.extreme(format!("{name}: shortest text"), &length, "min");
                cover.extreme(format!("{name}: longest text"), &length, "max");
            }
            (Cover::Unicode, Some(Shape::Text { .. })) => {
                let bytes = format!("pg_catalog.octet_length(pg_catalog.convert_to({text}, 'UTF8'))");
                cover
                    .features
                    .push((format!("{name}: text outside ASCII"), format!("{bytes} > pg_catalog.length({text})")));
            }
            _ => {}
        }
    }
}

/// `public.orders.status, public.orders.paid`: every combination of values that occurs.
fn combination(
    graph: &Graph<'_>,
    tuple: &str,
    config: &SubsetConfig,
    covers: &mut BTreeMap<usize, NodeCover>,
    reports: &mut Vec<Report>,
) {
    let columns: Vec<&str> = tuple.split(',').map(str::trim).collect();
    let found: Option<Vec<Node>> = columns.iter().map(|column| graph.find_column(column)).collect();
    let wrong = |why: String| {
        let report = Report::new("plan::unknown-column", format!("`tuples` names \"{tuple}\", which cannot be shown"));
        let hint = "tuples = [\"public.orders.status, public.orders.paid\"]";
        report.place(place(&config.place)).detail(why).hint(hint)
    };
    let Some(nodes) = found else {
        let unknown = columns.iter().find(|column| graph.find_column(column).is_none()).unwrap_or(&"");
        reports.push(wrong(format!("The source has no column \"{unknown}\".")));
        return;
    };
    let group = graph.nodes[nodes[0]].group;
    if nodes.iter().any(|node| graph.nodes[*node].group != group) {
        reports.push(wrong("Its columns are in several tables.".to_owned()));
        return;
    }
    let Some(cover) = covers.get_mut(&group) else { return };
    let values: Vec<String> =
        nodes.iter().map(|node| format!("t.{}", quote_ident(&graph.nodes[*node].column.name))).collect();
    cover.combinations.push((tuple.to_owned(), format!("ROW({})::pg_catalog.text", values.join(", "))));
}
