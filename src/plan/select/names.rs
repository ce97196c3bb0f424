//! Names that a text of one table mentions and columns of another hold.
//!
//! A note about an order names the customer. The subject of the text leads to the customer, so the name columns there are
//! read beside the text and masked as in their own table: the note then shows the name the customer has in staging.
//! Conditions (`when`) of those columns are left out: a name that its own table keeps in some rows is masked in texts all
//! the same.
//!
//! A column that is called after names of persons counts whatever masks it. One that becomes NULL or a constant is read
//! after all where a text may mention it, its own row's included: else the text would keep the name that the column lost.
//! So are the names in tables whose rows stay behind: staging has no mask of them that could stand in the text.

use super::{Choice, Field, Mask, Query, propose};
use crate::config::Rows;
use crate::mask::{self, Params, Shape};
use crate::plan::anchor::{Anchor, Hop, is_unique, quote, table_sql};
use crate::plan::domain::Domains;
use crate::plan::fit::Anchors;
use crate::plan::graph::{Graph, Node};
use std::sync::LazyLock;

/// Foreign keys that are followed from the subject on. A person whose name is farther away needs a path in `subject`.
const HOPS_MAX: usize = 3;

/// What a name's score must reach: less than what counts as found elsewhere, because a word too many in a text is masked as
/// nothing but a word.
const TOLD_MIN: f64 = 0.29;

/// Kinds of names, by the category that a column seems to hold.
const TOLD: &[(&str, &str)] =
    &[("first_name", "name.first"), ("last_name", "name.last"), ("full_name", "name.full"), ("username", "username")];

/// The mask in texts of names that their own column drops: it has none to join with.
static DROPPED: LazyLock<Mask> = LazyLock::new(|| Mask {
    kind: mask::kind("pattern").expect("pattern is a kind"),
    label: String::new(),
    params: Params::new(),
    subject: None,
    when: None,
    labelled: false,
});

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
    /// By group.
    pub rows: &'g [Rows],
}

impl<'g> Query<'g> {
    /// Reads the names that the texts of a mask may mention, wherever its subject leads.
    pub(super) fn names(&mut self, mask: &Mask, known: Known<'g>) {
        if !mask.kind.finds_names(&mask.params) {
            return;
        }
        self.finds_names = true;
        self.dropped_names(known);
        let subject = mask.subject.as_ref().and_then(|text| known.anchors.get(&(self.group, text.clone())));
        let Some(subject) = subject else { return };
        for path in paths(self.graph, subject) {
            let Some(last) = path.last() else { continue };
            if known.rows[last.group] == Rows::None {
                self.names_behind(&path, last.group, known);
                continue;
            }
            for node in self.graph.nodes_of(last.group) {
                match choice_of(known, node) {
                    _ if !is_text(self.graph, node) => {}
                    Some(Choice::Mask(mask)) if mask::holds_names(mask.kind.name, &mask.params) => {
                        self.read_beside(&path, node, known);
                    }
                    Some(Choice::Mask(mask)) if mask.kind.finds_names(&mask.params) => {}
                    Some(Choice::Mask(_)) if told(self.graph, node).is_some() => self.read_beside(&path, node, known),
                    Some(Choice::Null | Choice::Const(_)) => {
                        if let Some(kind) = told(self.graph, node) {
                            self.read_lost(&path, node, kind);
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Reads the names in a table without rows: those that are decided as names, and those of columns that are called after
    /// names and not kept.
    fn names_behind(&mut self, path: &[Hop], group: usize, known: Known<'g>) {
        let graph = self.graph;
        for node in graph.nodes_of(group).filter(|node| is_text(graph, *node)) {
            let kind = match known.domains.behind.get(&node) {
                Some(Choice::Keep { .. }) => None,
                Some(Choice::Mask(mask)) if mask::holds_names(mask.kind.name, &mask.params) => Some(mask.kind.name),
                Some(Choice::Mask(mask)) if mask.kind.finds_names(&mask.params) => None,
                _ => told(graph, node),
            };
            if let Some(kind) = kind {
                self.read_lost(path, node, kind);
            }
        }
    }

    /// Reads a column of the table at the end of a path whose values staging has no mask of.
    fn read_lost(&mut self, path: &[Hop], node: Node, kind: &'static str) {
        let name = name(self.graph, path, node);
        if !self.appended.contains_key(&name) {
            let sql = self.reach(path, node);
            self.read_dropped(sql, name, (node, kind));
        }
    }

    /// Reads the names of the row itself that become NULL or a constant.
    fn dropped_names(&mut self, known: Known<'g>) {
        for node in self.graph.nodes_of(self.group) {
            let dropped = matches!(choice_of(known, node), Some(Choice::Null | Choice::Const(_)));
            let column = &self.graph.nodes[node].column;
            let name = self.graph.name(node);
            let new = dropped && !column.generated && !self.appended.contains_key(&name);
            if let Some(kind) = told(self.graph, node).filter(|_| new) {
                self.read_dropped(format!("t.{}", quote(&column.name)), name, (node, kind));
            }
        }
    }

    fn read_dropped(&mut self, sql: String, name: String, (node, kind): (Node, &'static str)) {
        let Some(shape) = self.graph.nodes[node].shape.clone() else { return };
        let field = self.select.len();
        self.appended.insert(name.clone(), field);
        self.select.push(sql);
        self.fields.push(Field::Read(shape));
        self.nodes.push((None, name, Some(&*DROPPED)));
        self.types_beside.push(self.graph.nodes[node].column.type_oid);
        self.named.insert(field, kind);
    }

    /// Reads a column of the table at the end of a path, and masks it as that table does, with all that its mask reads.
    fn read_beside(&mut self, path: &[Hop], node: Node, known: Known<'g>) {
        let graph = self.graph;
        let name = name(graph, path, node);
        let Some(shape) = graph.nodes[node].shape.clone().filter(|_| !self.appended.contains_key(&name)) else {
            return;
        };
        let column = &graph.nodes[node].column;
        let sql = match choice_of(known, node) {
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
        self.named.extend(told(graph, node).map(|kind| (field, kind)));
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

fn choice_of<'g>(known: Known<'g>, node: Node) -> Option<&'g Choice> {
    known.domains.resolved[node].as_ref().map(|resolved| &resolved.choice)
}

fn mask_of<'g>(known: Known<'g>, node: Node) -> Option<&'g Mask> {
    match choice_of(known, node) {
        Some(Choice::Mask(mask)) => Some(mask),
        _ => None,
    }
}

/// Texts, or arrays of texts.
fn is_text(graph: &Graph<'_>, node: Node) -> bool {
    match graph.nodes[node].shape.as_ref() {
        Some(Shape::Array(inner)) => matches!(**inner, Shape::Text { .. }),
        shape => matches!(shape, Some(Shape::Text { .. })),
    }
}

/// The kind of names of persons that a column is called after.
pub(super) fn told(graph: &Graph<'_>, node: Node) -> Option<&'static str> {
    let findings = propose::findings(graph, node);
    let named = findings.iter().filter(|finding| finding.score >= TOLD_MIN).find_map(|finding| {
        TOLD.iter().find(|(category, _)| *category == finding.category.name).map(|(_, kind)| *kind)
    });
    named.filter(|_| is_text(graph, node))
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
