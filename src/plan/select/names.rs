//! Names that a text of one table mentions and columns of another hold.
//!
//! A note about an order names the customer. The subject of the text leads to the customer, so the name columns there are
//! read beside the text and masked as in their own table: the note then shows the name the customer has in staging.
//! Conditions (`when`) of those columns are left out: a name that its own table keeps in some rows is masked in texts all
//! the same.

use super::{Choice, Field, Mask, Query};
use crate::mask::{self, Shape};
use crate::plan::anchor::{Anchor, Hop, is_unique, quote, table_sql};
use crate::plan::domain::Domains;
use crate::plan::fit::Anchors;
use crate::plan::graph::{Graph, Node};

/// Foreign keys that are followed from the subject on. A person whose name is farther away needs a path in `subject`.
const HOPS_MAX: usize = 3;

/// A table joined for its names, where the user wrote conditions: its columns get names of ours, which no condition can
/// mean, and the source can still hash the join, so that there is no query per row.
pub(super) struct Beside {
    hop: Hop,
    /// Number of the table that the hop starts from; none: the row's own.
    left: Option<usize>,
    /// The columns that are read, by their number.
    columns: Vec<Node>,
    on: String,
}

/// The rest of the plan that names are resolved from.
#[derive(Clone, Copy)]
pub(super) struct Known<'g> {
    pub domains: &'g Domains,
    pub anchors: &'g Anchors,
}

impl<'g> Query<'g> {
    /// Reads the names that the texts of a mask may mention, wherever its subject leads.
    pub(super) fn names(&mut self, mask: &Mask, known: Known<'g>) {
        if !mask.kind.finds_names(&mask.params) {
            return;
        }
        let subject = mask.subject.as_ref().and_then(|text| known.anchors.get(&(self.group, text.clone())));
        let Some(subject) = subject else { return };
        for path in paths(self.graph, subject) {
            let Some(last) = path.last() else { continue };
            for node in self.graph.nodes_of(last.group) {
                let named = mask_of(known, node).is_some_and(|mask| mask::holds_names(mask.kind.name, &mask.params));
                if named && matches!(self.graph.nodes[node].shape, Some(Shape::Text { .. })) {
                    self.read_beside(&path, node, known);
                }
            }
        }
    }

    /// Reads a column of the table at the end of a path, and masks it as that table does, with all that its mask reads.
    fn read_beside(&mut self, path: &[Hop], node: Node, known: Known<'g>) {
        let graph = self.graph;
        let name = name(graph, path, node);
        let Some(shape) = graph.nodes[node].shape.clone().filter(|_| !self.appended.contains_key(&name)) else {
            return;
        };
        let choice = known.domains.resolved[node].as_ref().map(|resolved| &resolved.choice);
        let column = &graph.nodes[node].column;
        let sql = match choice {
            Some(Choice::Null) => format!("NULL::{}", column.type_name),
            Some(Choice::Const(text)) => {
                let (reached, literal) = (self.reach(path, node), super::literal(text));
                format!("CASE WHEN {reached} IS NULL THEN NULL ELSE {literal}::{} END", column.type_name)
            }
            Some(Choice::Keep { .. } | Choice::Mask(_)) | None => self.reach(path, node),
        };
        let mask = mask_of(known, node);
        let field = self.select.len();
        self.appended.insert(name.clone(), field);
        self.select.push(sql);
        self.fields.push(Field::Read(shape));
        self.nodes.push((None, name, mask));
        self.types_beside.push(column.type_oid);
        let Some(mask) = mask else { return };
        if let Some(subject) = self.subject_beside(path, node, mask, known) {
            self.subjects_beside.insert(field, subject);
        }
        for read in mask.kind.columns_read(&mask.params) {
            if let Some(read) = graph.node(graph.nodes[node].group, &read) {
                self.read_beside(path, read, known);
            }
        }
    }

    /// Reads the subject of a mask of another table.
    fn subject_beside(&mut self, path: &[Hop], node: Node, mask: &Mask, known: Known<'g>) -> Option<usize> {
        let graph = self.graph;
        let anchor = known.anchors.get(&(graph.nodes[node].group, mask.subject.clone()?))?;
        let column = anchor.column();
        let shape = graph.nodes[column].shape.clone()?;
        let path: Vec<Hop> = match anchor {
            Anchor::Column(_) => path.to_vec(),
            Anchor::Path { hops, .. } => path.iter().chain(hops).cloned().collect(),
        };
        let sql = self.reach(&path, column);
        self.types_beside.push(graph.nodes[column].column.type_oid);
        let field = self.append(sql, None, shape);
        if self.nodes[field].1.is_empty() {
            self.nodes[field].1 = name(graph, &path, column);
        }
        Some(field)
    }

    /// A column at the end of a path, in SQL.
    fn reach(&mut self, path: &[Hop], node: Node) -> String {
        if !self.alone {
            return format!("{}.{}", self.join(path), quote(&self.graph.nodes[node].column.name));
        }
        let mut left = None;
        for hop in path {
            let known = self.beside.iter().position(|beside| beside.hop == *hop && beside.left == left);
            left = Some(known.unwrap_or_else(|| self.join_beside(hop, left)));
        }
        self.column_of(left, node)
    }

    fn join_beside(&mut self, hop: &Hop, left: Option<usize>) -> usize {
        let number = self.beside.len();
        self.beside.push(Beside { hop: hop.clone(), left, columns: Vec::new(), on: String::new() });
        let pairs: Vec<String> = hop
            .on
            .iter()
            .map(|(from, to)| format!("{} = {}", self.column_of(left, *from), self.column_of(Some(number), *to)))
            .collect();
        self.beside[number].on = pairs.join(" AND ");
        number
    }

    /// A column of a table that is joined, or of the row itself.
    fn column_of(&mut self, table: Option<usize>, node: Node) -> String {
        let Some(number) = table else { return format!("t.{}", quote(&self.graph.nodes[node].column.name)) };
        let columns = &mut self.beside[number].columns;
        let index = columns.iter().position(|known| *known == node).unwrap_or_else(|| {
            columns.push(node);
            columns.len() - 1
        });
        format!("n{}.\"restage {index}\"", number + 1)
    }

    /// The joins of [`Query::reach`] beside conditions.
    pub(super) fn joins_beside(&self) -> String {
        let joins = self.beside.iter().enumerate().map(|(number, beside)| {
            let columns = beside.columns.iter().enumerate().map(|(index, node)| {
                format!("t.{} AS \"restage {index}\"", quote(&self.graph.nodes[*node].column.name))
            });
            let (columns, table) = (columns.collect::<Vec<_>>().join(", "), table_sql(self.graph, beside.hop.group));
            format!(" LEFT JOIN (SELECT {columns} FROM {table} AS t) AS n{} ON {}", number + 1, beside.on)
        });
        joins.collect()
    }
}

fn mask_of<'g>(known: Known<'g>, node: Node) -> Option<&'g Mask> {
    match known.domains.resolved[node].as_ref().map(|resolved| &resolved.choice) {
        Some(Choice::Mask(mask)) => Some(mask),
        _ => None,
    }
}

/// Every table that a subject leads to: along its path, and on by the foreign keys of the column it ends in.
fn paths(graph: &Graph<'_>, subject: &Anchor) -> Vec<Vec<Hop>> {
    let (hops, column): (&[Hop], Node) = match subject {
        Anchor::Column(column) => (&[], *column),
        Anchor::Path { hops, column } => (hops, *column),
    };
    let mut paths: Vec<Vec<Hop>> = (1..=hops.len()).map(|end| hops[..end].to_vec()).collect();
    follow(graph, hops, column, hops.len() + HOPS_MAX, &mut paths);
    paths
}

fn follow(graph: &Graph<'_>, hops: &[Hop], from: Node, hops_max: usize, paths: &mut Vec<Vec<Hop>>) {
    if hops.len() >= hops_max || matches!(graph.nodes[from].shape, Some(Shape::Array(_))) {
        return;
    }
    for edge in graph.edges_from[graph.nodes[from].group].iter().map(|edge| &graph.edges[*edge]) {
        let Some(&(_, to)) = edge.pairs.iter().find(|(left, _)| *left == from) else { continue };
        let group = graph.nodes[to].group;
        let key: Vec<Node> = edge.pairs.iter().map(|(_, to)| *to).collect();
        // Without a unique index a row could meet several others.
        if edge.declared && !is_unique(graph, group, &key) {
            continue;
        }
        let path: Vec<Hop> = hops.iter().cloned().chain([Hop { group, on: edge.pairs.clone() }]).collect();
        if !paths.contains(&path) {
            paths.push(path.clone());
            follow(graph, &path, to, hops_max, paths);
        }
    }
}

/// `customer_id -> public.customers.first_name`, so that masks find the columns of their own table and no others.
fn name(graph: &Graph<'_>, path: &[Hop], node: Node) -> String {
    let mut name = String::new();
    for (number, hop) in path.iter().enumerate() {
        for (index, (from, _)) in hop.on.iter().enumerate() {
            name.push_str(if index > 0 { ", " } else { "" });
            if number > 0 && index == 0 {
                name.push_str(&graph.name(*from));
            } else {
                name.push_str(&graph.nodes[*from].column.name);
            }
        }
        name.push_str(" -> ");
    }
    name + &graph.name(node)
}
