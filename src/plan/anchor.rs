//! The subject of a row: a column of its own, or one that is reached through foreign keys.

use super::domain::{Choice, Domains, Mask};
use super::fit::folds;
use super::graph::{Graph, Node};
use crate::mask::Shape;
use std::collections::BTreeSet;

/// Where the subject of a row is found.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Anchor {
    /// A column of the row.
    Column(Node),
    /// A column at the end of a chain of joins.
    Path { hops: Vec<Hop>, column: Node },
}

/// One LEFT JOIN; the left side is the row itself or the hop before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Hop {
    pub group: usize,
    /// Columns of the left side and of `group` that must be equal.
    pub on: Vec<(Node, Node)>,
}

/// Why a subject cannot be found, as detail and hint.
pub(super) type Trouble = (String, String);

impl Anchor {
    /// Reads `column` or `column -> schema.table.column -> …` for rows of a group.
    pub fn parse(graph: &Graph<'_>, group: usize, text: &str) -> Result<Self, Trouble> {
        let mut parts = text.split("->").map(str::trim);
        let first = parts.next().unwrap_or_default();
        let table = graph.groups[group].root.full_name();
        let mut at = graph.node(group, first).ok_or_else(|| {
            let columns = graph.groups[group].root.columns.iter().map(|column| column.name.as_str());
            let hint = match super::graph::nearest(first, columns) {
                Some(near) => format!("Did you mean \"{near}\"?"),
                None => "Name a column of the same table, or a path \"column -> schema.table.column\".".to_owned(),
            };
            (format!("Table \"{table}\" has no column \"{first}\"."), hint)
        })?;
        let mut hops = Vec::new();
        for part in parts {
            let next = graph.find_column(part).ok_or_else(|| {
                let hint = "Each step is \"schema.table.column\" as the source names it.".to_owned();
                (format!("The source has no column \"{part}\"."), hint)
            })?;
            hops.push(hop(graph, at, next)?);
            at = next;
        }
        Ok(if hops.is_empty() { Anchor::Column(at) } else { Anchor::Path { hops, column: at } })
    }

    /// The column that holds the subject.
    pub fn column(&self) -> Node {
        match self {
            Anchor::Column(column) | Anchor::Path { column, .. } => *column,
        }
    }
}

/// Finds the reference that leads from one column to the table of the next.
fn hop(graph: &Graph<'_>, from: Node, to: Node) -> Result<Hop, Trouble> {
    let (left, right) = (graph.nodes[from].group, graph.nodes[to].group);
    let edge = graph.edges_from[left]
        .iter()
        .map(|edge| &graph.edges[*edge])
        .find(|edge| edge.pairs.iter().any(|(a, b)| *a == from && graph.nodes[*b].group == right));
    let (from_name, table) = (graph.name(from), graph.groups[right].root.full_name());
    let Some(edge) = edge else {
        let hint = format!("Declare it:\n[[references]]\nfrom = \"{from_name}\"\nto   = \"{table}.<key column>\"");
        return Err((format!("No foreign key leads from \"{from_name}\" to \"{table}\"."), hint));
    };
    if matches!(graph.nodes[from].shape, Some(Shape::Array(_))) {
        let hint = "A row of an array would have many subjects; choose a path over a single value.".to_owned();
        return Err((format!("\"{from_name}\" is an array."), hint));
    }
    let key: Vec<Node> = edge.pairs.iter().map(|(_, to)| *to).collect();
    if edge.declared && !is_unique(graph, right, &key) {
        let hint = "Without a unique index a row could have two subjects; choose a path over a key.".to_owned();
        return Err((format!("\"{}\" is not unique.", graph.name(key[0])), hint));
    }
    Ok(Hop { group: right, on: edge.pairs.clone() })
}

/// Tells paths over values that the server tells apart and the mask of the key does not: two spellings of one address get one
/// mask, but only the row with the spelling of the key finds its subject.
pub(super) fn spellings(graph: &Graph<'_>, domains: &Domains, warnings: &mut Vec<String>) {
    let mut told = BTreeSet::new();
    for (node, resolved) in domains.resolved.iter().enumerate() {
        let Some(Choice::Mask(Mask { subject: Some(subject), .. })) = resolved.as_ref().map(|own| &own.choice) else {
            continue;
        };
        let Ok(Anchor::Path { hops, .. }) = Anchor::parse(graph, graph.nodes[node].group, subject) else { continue };
        for (from, to) in hops.into_iter().flat_map(|hop| hop.on) {
            let merged =
                matches!(domains.resolved[to].as_ref().map(|own| &own.choice), Some(Choice::Mask(mask)) if folds(mask));
            // Every value under a foreign key is spelled as the key is.
            let checked = || graph.edges.iter().any(|edge| edge.checked && edge.pairs.contains(&(from, to)));
            let apart = !(graph.nodes[from].folding && graph.nodes[to].folding || checked());
            if merged && apart && matches!(graph.nodes[to].shape, Some(Shape::Text { .. })) && told.insert((from, to)) {
                let (from, to) = (graph.name(from), graph.name(to));
                warnings.push(format!(
                    "rows whose \"{from}\" is spelled otherwise than \"{to}\" find no subject there, though both spellings get \
                     one mask: their texts keep the names of that person (make both citext, or of one spelling)"
                ));
            }
        }
    }
}

/// Whether a unique index without condition lies on exactly these columns, or on some of them.
pub(super) fn is_unique(graph: &Graph<'_>, group: usize, columns: &[Node]) -> bool {
    graph.groups[group].uniques.iter().any(|index| {
        // An index of one partition says nothing about the whole table.
        index.table == graph.groups[group].root.oid
            && index.predicate.is_none()
            && index
                .columns
                .iter()
                .all(|attnum| graph.node_at(index.table, *attnum).is_some_and(|node| columns.contains(&node)))
    })
}

/// Quotes a name for SQL.
pub(super) fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The rows of a group as an item of FROM.
pub(super) fn table_sql(graph: &Graph<'_>, group: usize) -> String {
    super::relation(graph.catalog, graph.groups[group].root)
}

/// `a."x" = b."y" AND …`.
pub(super) fn join_sql(graph: &Graph<'_>, hop: &Hop, left: &str, right: &str) -> String {
    let column = |node: Node| quote(&graph.nodes[node].column.name);
    let pairs: Vec<String> =
        hop.on.iter().map(|(a, b)| format!("{left}.{} = {right}.{}", column(*a), column(*b))).collect();
    pairs.join(" AND ")
}
