//! Writes the query of each table: select list, FROM clause, and how a row is cut.

mod names;

use super::anchor::{Anchor, Hop, join_sql, quote, table_sql};
use super::chunk::Chunker;
use super::condition;
use super::domain::{Choice, Domains, Mask, Resolved, UNDECIDED_NULL};
use super::fit::{Anchors, Fitted};
use super::graph::{Graph, Group, Node};
use super::{ColumnPlan, Decided, Settings, TablePlan, propose, relation};
use crate::catalog::{Column, Oid, Table, TableKind};
use crate::config::Rows;
use crate::mask::{ColumnSpec, Condition, MaskSpec, Shape, TableSpec};
use crate::pg::types::{self, Field, Format, Layout, Transport};
use names::{Beside, Known};
use std::collections::{BTreeMap, HashMap};

/// First major that accepts foreign type OIDs inside binary arrays and composites.
const ACCEPTS_USER_OIDS: u32 = 140_000;

/// A row of a table that was never analyzed, for the order of work.
pub(super) const ROW_BYTES: u64 = 128;

/// Everything that table plans are made from.
pub(super) struct Tables<'g> {
    pub graph: &'g Graph<'g>,
    pub domains: &'g Domains,
    pub rows: &'g [Rows],
    pub fitted: &'g Fitted,
    pub settings: &'g Settings,
    /// Types seen so far: how they travel, and whether a target below 14 refuses their binary form.
    transports: HashMap<Oid, (Transport, bool)>,
}

impl<'g> Tables<'g> {
    pub fn new(
        graph: &'g Graph<'g>,
        domains: &'g Domains,
        rows: &'g [Rows],
        fitted: &'g Fitted,
        settings: &'g Settings,
    ) -> Self {
        Self { graph, domains, rows, fitted, settings, transports: HashMap::new() }
    }

    /// Plans every leaf, largest first.
    pub fn plan(&mut self) -> Vec<TablePlan> {
        let graph = self.graph;
        let copied = |group: &usize| self.rows[*group] != Rows::None;
        let total = (0..graph.groups.len()).filter(copied).flat_map(|group| &graph.groups[group].leaves);
        let chunker = Chunker::new(&graph.catalog.server, self.settings, total.map(|leaf| leaf.bytes).sum());
        let mut plans = Vec::new();
        for group in 0..graph.groups.len() {
            let via_root = loads_through_root(graph, self.domains, group);
            for &leaf in &graph.groups[group].leaves {
                plans.push(if self.rows[group] == Rows::None {
                    empty_plan(leaf)
                } else {
                    self.table(group, leaf, via_root, &chunker)
                });
            }
        }
        plans.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| (&a.schema, &a.name).cmp(&(&b.schema, &b.name))));
        plans
    }

    fn table(&mut self, group: usize, leaf: &Table, via_root: bool, chunker: &Chunker) -> TablePlan {
        let graph = self.graph;
        let target = if via_root { graph.groups[group].root } else { leaf };
        let conditional = graph.nodes_of(group).any(|node| {
            let choice = self.domains.resolved[node].as_ref().map(|resolved| &resolved.choice);
            matches!(choice, Some(Choice::Mask(mask)) if mask.when.is_some())
        });
        let mut query = Query::new(graph, group);
        query.alone = conditional || matches!(self.rows[group], Rows::Where { .. });
        let mut columns = Vec::new();
        let mut format = if self.settings.text { Format::Text } else { Format::Binary };
        for column in leaf.columns.iter().filter(|column| !column.generated) {
            let Some(node) = graph.node(group, &column.name) else { continue };
            let Some(resolved) = &self.domains.resolved[node] else { continue };
            if self.travels_as_text(column.type_oid) {
                format = Format::Text;
            }
            query.column(leaf, column, node, &resolved.choice);
            columns.push(column_plan(graph, node, column, resolved));
        }
        let written = columns.len();
        let mut spec_labels = Vec::new();
        let mut has_leaves = false;
        for column in leaf.columns.iter().filter(|column| !column.generated) {
            let Some(node) = graph.node(group, &column.name) else { continue };
            if let Some(Resolved { choice: Choice::Mask(mask), .. }) = &self.domains.resolved[node] {
                spec_labels.push((mask.kind.full_name(), mask.label.clone()));
                has_leaves |= matches!(
                    mask.kind.name,
                    "json" | "text.spans" | "composite" | "hstore" | "xml" | "replace" | "lookup"
                );
                query.subject(node, mask, &self.fitted.anchors);
                query.read_columns(mask);
                query.condition(node, mask, &self.fitted.anchors);
                let known = Known { domains: self.domains, anchors: &self.fitted.anchors, rows: self.rows };
                query.names(mask, known);
            }
        }
        if query.types_beside.iter().any(|type_oid| self.travels_as_text(*type_oid)) {
            format = Format::Text;
        }
        // A leaf of a document or a span of a text has the form of the columns it joins with, whatever table they are in.
        let tiers: BTreeMap<_, _> = if has_leaves {
            self.fitted.tiers.clone()
        } else {
            spec_labels.into_iter().filter_map(|set| Some((set.clone(), *self.fitted.tiers.get(&set)?))).collect()
        };
        let (layout, mask) = query.layout(leaf, written, tiers);
        let chunks = chunker.cut(leaf, &self.rows[group]);
        TablePlan {
            oid: leaf.oid,
            schema: leaf.schema.clone(),
            name: leaf.name.clone(),
            target_schema: target.schema.clone(),
            target_name: target.name.clone(),
            columns,
            from: query.from(leaf),
            select: query.select,
            rows: self.rows[group].clone(),
            share: share_of_limit(graph, &graph.groups[group], &self.rows[group]),
            format,
            layout,
            mask,
            rows_estimate: if leaf.unanalyzed { leaf.bytes / ROW_BYTES } else { leaf.rows },
            unanalyzed: leaf.unanalyzed,
            bytes: leaf.bytes,
            freeze: !via_root,
            chunks,
            filenode: leaf.filenode,
            picked: None,
        }
    }

    fn travels_as_text(&mut self, type_oid: Oid) -> bool {
        let catalog = self.graph.catalog;
        let (transport, user_oid) = *self
            .transports
            .entry(type_oid)
            .or_insert_with(|| (types::transport(catalog, type_oid), types::carries_user_oid(catalog, type_oid)));
        let old_target = self.settings.target.as_ref().is_some_and(|target| target.version_num < ACCEPTS_USER_OIDS);
        transport != Transport::Binary || (old_target && user_oid)
    }
}

/// Rows of a partition go through its root when the key they are routed by changes, or when another server would route
/// an equal key elsewhere.
pub(super) fn loads_through_root(graph: &Graph<'_>, domains: &Domains, group: usize) -> bool {
    let changed = |node: Node| {
        domains.resolved[node].as_ref().is_some_and(|resolved| !matches!(resolved.choice, Choice::Keep { .. }))
    };
    graph.groups[group].partitioned.iter().any(|table| {
        let hash = table.partition_strategy.as_deref() == Some("hash");
        table
            .partition_key
            .iter()
            .filter_map(|name| graph.node(group, name))
            .any(|node| changed(node) || (hash && hashes_differ(graph, node)))
    })
}

/// Hashes of enums follow their OIDs, hashes of text the collation's provider.
fn hashes_differ(graph: &Graph<'_>, node: Node) -> bool {
    let column = &graph.nodes[node];
    let base = graph.domains(column.column.type_oid).last().map_or(column.column.type_oid, |domain| domain.base);
    let r#enum = graph.catalog.type_of(base).is_some_and(|r#type| r#type.kind == 'e');
    r#enum || matches!(column.shape, Some(crate::mask::Shape::Text { .. }))
}

/// Which rows of a leaf are among those that a limit leaves of the whole partition tree. Every leaf asks the same question
/// under the same snapshot, so the answers are parts of one.
fn share_of_limit(graph: &Graph<'_>, group: &Group<'_>, rows: &Rows) -> Option<String> {
    let Rows::Where { condition, limit: Some(limit) } = rows else { return None };
    if group.leaves.len() < 2 {
        return None;
    }
    let condition = condition.as_ref().map(|text| format!(" WHERE ({text})")).unwrap_or_default();
    let whole = relation(graph.catalog, group.root);
    Some(format!("(t.tableoid, t.ctid) IN (SELECT t.tableoid, t.ctid FROM {whole} AS t{condition} LIMIT {limit})"))
}

/// A table of which only the definition is copied.
fn empty_plan(leaf: &Table) -> TablePlan {
    TablePlan {
        oid: leaf.oid,
        schema: leaf.schema.clone(),
        name: leaf.name.clone(),
        target_schema: leaf.schema.clone(),
        target_name: leaf.name.clone(),
        columns: Vec::new(),
        select: Vec::new(),
        from: format!("ONLY {}.{} AS t", quote(&leaf.schema), quote(&leaf.name)),
        rows: Rows::None,
        share: None,
        format: Format::Binary,
        layout: Layout::default(),
        mask: TableSpec::default(),
        rows_estimate: 0,
        unanalyzed: false,
        bytes: 0,
        chunks: Vec::new(),
        filenode: leaf.filenode,
        picked: None,
        freeze: false,
    }
}

fn column_plan(graph: &Graph<'_>, node: Node, column: &Column, resolved: &Resolved) -> ColumnPlan {
    ColumnPlan {
        attnum: column.attnum,
        name: column.name.clone(),
        type_name: column.type_name.clone(),
        decision: match &resolved.choice {
            Choice::Keep { reason } => Decided::Keep { reason: reason.clone() },
            Choice::Null => Decided::Null,
            Choice::Const(_) => Decided::Const,
            Choice::Mask(mask) => Decided::Mask {
                kind: mask.kind.full_name(),
                label: mask.label.clone(),
                subject: mask.subject.clone(),
                when: mask.when.clone(),
            },
        },
        because: resolved.because.clone(),
        place: resolved.place.clone(),
        undecided: resolved.place.is_none() && resolved.because == UNDECIDED_NULL,
        // The reason of a `default` was written before the column was there.
        proposal: match resolved.choice {
            Choice::Keep { reason: Some(_) } if resolved.listed => None,
            Choice::Keep { .. } => Some(propose::proposal(graph, node)).filter(|line| *line != propose::ASK),
            _ => None,
        },
        hiding: matches!(resolved.choice, Choice::Keep { .. }).then(|| propose::hiding(graph, node)).flatten(),
    }
}

/// A query under construction.
struct Query<'g> {
    graph: &'g Graph<'g>,
    group: usize,
    select: Vec<String>,
    fields: Vec<Field>,
    /// Node and name of each field, and its mask.
    nodes: Vec<(Option<Node>, String, Option<&'g Mask>)>,
    joins: Vec<Hop>,
    join_text: Vec<String>,
    condition_joins: Vec<String>,
    /// Field of the subject, by masked column.
    subjects: HashMap<Node, usize>,
    /// Fields appended for subjects and conditions, by what they select.
    appended: HashMap<String, usize>,
    /// The user wrote conditions, whose names joined tables would make ambiguous.
    alone: bool,
    /// Masked column, field of its condition, and whether other rows keep their value.
    conditions: Vec<(Node, usize, bool)>,
    /// Tables joined for their names beside conditions.
    beside: Vec<Beside>,
    /// Field of the subject, by field of another table that is masked only for texts.
    subjects_beside: HashMap<usize, usize>,
    types_beside: Vec<Oid>,
    /// A text of the table may mention names.
    finds_names: bool,
    /// Kind of the names in each field that is masked only for texts.
    named: HashMap<usize, &'static str>,
}

impl<'g> Query<'g> {
    fn new(graph: &'g Graph<'g>, group: usize) -> Self {
        Self {
            graph,
            group,
            select: Vec::new(),
            fields: Vec::new(),
            nodes: Vec::new(),
            joins: Vec::new(),
            join_text: Vec::new(),
            condition_joins: Vec::new(),
            subjects: HashMap::new(),
            appended: HashMap::new(),
            alone: false,
            conditions: Vec::new(),
            beside: Vec::new(),
            subjects_beside: HashMap::new(),
            types_beside: Vec::new(),
            finds_names: false,
            named: HashMap::new(),
        }
    }

    fn column(&mut self, leaf: &Table, column: &Column, node: Node, choice: &'g Choice) {
        let name = quote(&column.name);
        let (sql, field, mask) = match choice {
            Choice::Keep { .. } => (format!("t.{name}"), Field::Keep, None),
            Choice::Null => (format!("NULL::{}", column.type_name), Field::Keep, None),
            Choice::Const(text) => {
                let literal = literal(text);
                let sql = format!("CASE WHEN t.{name} IS NULL THEN NULL ELSE {literal}::{} END", column.type_name);
                (sql, Field::Keep, None)
            }
            Choice::Mask(mask) => match &self.graph.nodes[node].shape {
                Some(shape) => (format!("t.{name}"), Field::Mask(shape.clone()), Some(mask)),
                None => (format!("t.{name}"), Field::Keep, None),
            },
        };
        self.select.push(sql);
        self.fields.push(field);
        self.nodes.push((Some(node), format!("{}.{}", leaf.full_name(), column.name), mask));
    }

    /// Makes sure that the subject of a mask is read, appending it to the select list if it is not there.
    fn subject(&mut self, node: Node, mask: &Mask, anchors: &Anchors) {
        let Some(anchor) = mask.subject.as_ref().and_then(|text| anchors.get(&(self.group, text.clone()))) else {
            return;
        };
        let column = anchor.column();
        let Some(shape) = self.graph.nodes[column].shape.clone() else { return };
        let name = quote(&self.graph.nodes[column].column.name);
        let field = match anchor {
            Anchor::Column(_) => match self.nodes.iter().position(|(known, ..)| *known == Some(column)) {
                Some(field) => {
                    if self.fields[field] == Field::Keep {
                        self.fields[field] = Field::Read(shape);
                    }
                    field
                }
                // A generated column is not copied, yet can be read.
                None => self.append(format!("t.{name}"), Some(column), shape),
            },
            Anchor::Path { hops, .. } => {
                let sql = if self.alone { self.subquery(hops, &name) } else { format!("{}.{name}", self.join(hops)) };
                self.append(sql, None, shape)
            }
        };
        self.subjects.insert(node, field);
        if let Anchor::Path { .. } = anchor
            && self.nodes[field].1.is_empty()
        {
            self.nodes[field].1 = self.graph.name(column);
        }
    }

    /// Makes sure that kept columns which a mask names are decoded.
    fn read_columns(&mut self, mask: &Mask) {
        for name in mask.kind.columns_read(&mask.params) {
            let Some(node) = self.graph.node(self.group, &name) else { continue };
            let Some(field) = self.nodes.iter().position(|(known, ..)| *known == Some(node)) else { continue };
            if let (Field::Keep, Some(shape)) = (&self.fields[field], self.graph.nodes[node].shape.clone()) {
                self.fields[field] = Field::Read(shape);
            }
        }
    }

    /// Appends the condition of a mask, so that the source tells of each row whether it is masked.
    fn condition(&mut self, node: Node, mask: &Mask, anchors: &Anchors) {
        let Some(when) = &mask.when else { return };
        let sql = match when.path.as_ref().and_then(|path| anchors.get(&(self.group, path.clone()))) {
            Some(Anchor::Path { hops, .. }) => {
                let written = |alias: &str| condition::at_path(self.graph, hops, &when.condition, alias);
                // Columns of one table often have one condition: they share its join.
                let known = (1..=self.condition_joins.len())
                    .map(|number| written(&format!("w{number}")))
                    .find(|(join, _)| self.condition_joins.contains(join));
                let (join, sql) = known.unwrap_or_else(|| written(&format!("w{}", self.condition_joins.len() + 1)));
                if !self.condition_joins.contains(&join) {
                    self.condition_joins.push(join);
                }
                sql
            }
            _ => condition::own_row(&when.condition),
        };
        let field = self.append(sql, None, Shape::Bool);
        if self.nodes[field].1.is_empty() {
            self.nodes[field].1 = format!("{} (when)", self.graph.name(node));
        }
        self.conditions.push((node, field, when.keep.is_some()));
    }

    fn append(&mut self, sql: String, node: Option<Node>, shape: crate::mask::Shape) -> usize {
        if let Some(&field) = self.appended.get(&sql) {
            return field;
        }
        let field = self.select.len();
        let name = node.map_or_else(String::new, |node| self.graph.name(node));
        self.appended.insert(sql.clone(), field);
        self.select.push(sql);
        self.fields.push(Field::Read(shape));
        self.nodes.push((node, name, None));
        field
    }

    /// Joins the tables of a path and returns the alias of the last one.
    fn join(&mut self, hops: &[Hop]) -> String {
        let mut left = "t".to_owned();
        for hop in hops {
            let on = |right: &str| join_sql(self.graph, hop, &left, right);
            // Two paths that begin alike share their joins.
            let known = (0..self.joins.len()).find(|&number| {
                let alias = format!("s{}", number + 1);
                self.joins[number] == *hop && self.join_text[number].ends_with(&format!(" ON {}", on(&alias)))
            });
            left = match known {
                Some(number) => format!("s{}", number + 1),
                None => {
                    let alias = format!("s{}", self.joins.len() + 1);
                    let text = format!(" LEFT JOIN {} AS {alias} ON {}", table_sql(self.graph, hop.group), on(&alias));
                    self.joins.push(hop.clone());
                    self.join_text.push(text);
                    alias
                }
            };
        }
        left
    }

    /// The same as a subquery, for tables with a condition of the user's: joins would make its names ambiguous.
    fn subquery(&self, hops: &[Hop], column: &str) -> String {
        let alias = |number: usize| if number == 0 { "t".to_owned() } else { format!("s{number}") };
        let mut from = String::new();
        let mut condition = String::new();
        for (number, hop) in hops.iter().enumerate() {
            let on = join_sql(self.graph, hop, &alias(number), &alias(number + 1));
            let table = format!("{} AS {}", table_sql(self.graph, hop.group), alias(number + 1));
            if number == 0 {
                from = table;
                condition = on;
            } else {
                from = format!("{from} LEFT JOIN {table} ON {on}");
            }
        }
        format!("(SELECT {}.{column} FROM {from} WHERE {condition})", alias(hops.len()))
    }

    fn from(&self, leaf: &Table) -> String {
        debug_assert!(leaf.kind == TableKind::Leaf);
        let joins = [self.join_text.concat(), self.joins_beside(), self.condition_joins.concat()].concat();
        format!("ONLY {}.{} AS t{joins}", quote(&leaf.schema), quote(&leaf.name))
    }

    fn layout(&self, leaf: &Table, written: usize, tiers: BTreeMap<(String, String), u8>) -> (Layout, TableSpec) {
        let decoded = |field: &Field| !matches!(field, Field::Keep);
        // Decoded columns are numbered in the order of their fields.
        let number = |field: usize| self.fields[..field].iter().filter(|field| decoded(field)).count();
        let (mut columns, mut unwritten, mut named) = (Vec::new(), Vec::new(), BTreeMap::new());
        for (field, (node, name, mask)) in self.nodes.iter().enumerate() {
            let (Field::Read(shape) | Field::Mask(shape)) = &self.fields[field] else { continue };
            let name = if name.is_empty() { leaf.full_name() } else { name.clone() };
            columns.push(ColumnSpec {
                name,
                shape: shape.clone(),
                mask: mask.map(|mask| MaskSpec {
                    kind: mask.kind.full_name(),
                    label: mask.label.clone(),
                    params: mask.params.clone(),
                    subject: node
                        .and_then(|node| self.subjects.get(&node))
                        .or_else(|| self.subjects_beside.get(&field))
                        .map(|field| number(*field)),
                }),
            });
            let kind = || match node {
                Some(node) => names::told(self.graph, *node),
                None => self.named.get(&field).copied(),
            };
            if self.finds_names && mask.is_some() {
                named.extend(kind().map(|kind| (columns.len() - 1, kind)));
            }
            if mask.is_some() && field >= written {
                unwritten.push(columns.len() - 1);
            }
        }
        let conditions = self.conditions.iter().filter_map(|(node, flag, keep)| {
            let field = self.nodes.iter().position(|(known, ..)| *known == Some(*node))?;
            Some(Condition { column: number(field), flag: number(*flag), keep: *keep })
        });
        let conditions = conditions.collect();
        (Layout { fields: self.fields.clone(), written }, TableSpec { columns, tiers, conditions, unwritten, named })
    }
}

/// A string as SQL literal, whatever `standard_conforming_strings` says.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}
