//! The source's tables as the plan sees them: partition trees as one group, columns as nodes, references as edges.

use crate::catalog::{Catalog, Column, Constraint, ConstraintKind, Oid, Table, TableKind, Type, UniqueIndex};
use crate::config::ReferenceRule;
use crate::detect::Affix;
use crate::error::Report;
use crate::mask::Shape;
use crate::pg::types;
use std::collections::{BTreeSet, HashMap};
use std::sync::OnceLock;

/// Index of a column in [`Graph::nodes`].
pub(super) type Node = usize;

/// A table, or a whole partition tree: its columns are decided once.
pub(super) struct Group<'a> {
    /// The table itself, or the topmost partitioned table.
    pub root: &'a Table,
    /// The tables that store rows.
    pub leaves: Vec<&'a Table>,
    /// Every partitioned table of the tree, the root included.
    pub partitioned: Vec<&'a Table>,
    /// Its columns are `nodes[first..first + root.columns.len()]`.
    pub first: Node,
    pub uniques: Vec<&'a UniqueIndex>,
    pub constraints: Vec<&'a Constraint>,
    /// Whose names its columns hold: asked for often, and read from all of them.
    pub names: OnceLock<super::whose::Names>,
    /// What nearly all of them are called by.
    pub affix: OnceLock<Option<Affix>>,
}

/// One column of a group.
pub(super) struct NodeColumn<'a> {
    pub group: usize,
    pub column: &'a Column,
    pub shape: Option<Shape>,
    /// Texts that differ in bytes can be equal: citext, nondeterministic collation.
    pub folding: bool,
    /// NOT NULL on the column or on its domain.
    pub not_null: bool,
}

/// A foreign key, or a reference the policy declares.
#[derive(Debug, Clone)]
pub(super) struct Edge {
    pub name: String,
    /// Referencing and referenced columns, pairwise.
    pub pairs: Vec<(Node, Node)>,
    /// Declared in the policy, not in the database.
    pub declared: bool,
    /// The database checks it for every row: validated and enforced.
    pub checked: bool,
    pub match_full: bool,
}

pub(super) struct Graph<'a> {
    pub catalog: &'a Catalog,
    pub groups: Vec<Group<'a>>,
    pub nodes: Vec<NodeColumn<'a>>,
    pub edges: Vec<Edge>,
    /// Edges by the group they start from, and by the group they point to.
    pub edges_from: Vec<Vec<usize>>,
    pub edges_to: Vec<Vec<usize>>,
    types: HashMap<Oid, &'a Type>,
    tables: HashMap<Oid, &'a Table>,
    group_of: HashMap<Oid, usize>,
    group_named: HashMap<String, usize>,
    node_named: HashMap<(usize, &'a str), Node>,
}

impl<'a> Graph<'a> {
    /// Groups the tables and joins them with foreign keys and `references`; unknown ones end up in `reports`.
    pub fn new(catalog: &'a Catalog, references: &[ReferenceRule], reports: &mut Vec<Report>) -> Self {
        let mut graph = Self {
            catalog,
            groups: Vec::new(),
            nodes: Vec::new(),
            edges: Vec::new(),
            edges_from: Vec::new(),
            edges_to: Vec::new(),
            types: catalog.types.iter().map(|r#type| (r#type.oid, r#type)).collect(),
            tables: catalog.tables.iter().map(|table| (table.oid, table)).collect(),
            group_of: HashMap::new(),
            group_named: HashMap::new(),
            node_named: HashMap::new(),
        };
        graph.add_groups();
        graph.add_nodes();
        for index in &catalog.unique_indexes {
            if let Some(&group) = graph.group_of.get(&index.table) {
                graph.groups[group].uniques.push(index);
            }
        }
        for constraint in &catalog.constraints {
            if let Some(&group) = graph.group_of.get(&constraint.table) {
                graph.groups[group].constraints.push(constraint);
            }
            if constraint.kind == ConstraintKind::Foreign {
                graph.edges.extend(graph.foreign_key(constraint));
            }
        }
        for rule in references {
            match graph.reference(rule) {
                // A document holds more than ids: it shares rows with what it names, but no masks.
                Ok(edge) if rule.json.is_empty() => graph.edges.push(edge),
                Ok(_) => {}
                Err(report) => reports.push(*report),
            }
        }
        graph.edges_from = vec![Vec::new(); graph.groups.len()];
        graph.edges_to = vec![Vec::new(); graph.groups.len()];
        for (number, edge) in graph.edges.iter().enumerate() {
            let (from, to) = edge.pairs[0];
            graph.edges_from[graph.nodes[from].group].push(number);
            graph.edges_to[graph.nodes[to].group].push(number);
        }
        graph
    }

    fn add_groups(&mut self) {
        let copied = |table: &&&'a Table| table.kind != TableKind::Foreign && table.extension.is_none();
        let all: Vec<&'a Table> = self.catalog.tables.iter().collect();
        for &table in all.iter().filter(copied) {
            let root = table.partition_root.and_then(|oid| self.tables.get(&oid).copied()).unwrap_or(table);
            let group = *self.group_of.entry(root.oid).or_insert_with(|| {
                self.groups.push(Group {
                    root,
                    leaves: Vec::new(),
                    partitioned: Vec::new(),
                    first: 0,
                    uniques: Vec::new(),
                    constraints: Vec::new(),
                    names: OnceLock::new(),
                    affix: OnceLock::new(),
                });
                self.groups.len() - 1
            });
            self.group_of.insert(table.oid, group);
            self.group_named.insert(table.full_name(), group);
            match table.kind {
                TableKind::Leaf => self.groups[group].leaves.push(table),
                TableKind::Partitioned => self.groups[group].partitioned.push(table),
                TableKind::Foreign => {}
            }
        }
    }

    fn add_nodes(&mut self) {
        for number in 0..self.groups.len() {
            self.groups[number].first = self.nodes.len();
            for column in &self.groups[number].root.columns {
                self.node_named.insert((number, column.name.as_str()), self.nodes.len());
                let domains = self.domains(column.type_oid);
                let base = domains.last().map_or(column.type_oid, |domain| domain.base);
                let citext = self.types.get(&base).is_some_and(|r#type| types::is_citext(r#type));
                self.nodes.push(NodeColumn {
                    group: number,
                    column,
                    shape: types::shape(self.catalog, column.type_oid, column.typmod),
                    folding: citext || column.folding_collation,
                    not_null: column.not_null || domains.iter().any(|domain| domain.not_null),
                });
            }
        }
    }

    /// The domains between a column type and its base type, outermost first; none for other types.
    pub fn domains(&self, type_oid: Oid) -> Vec<&'a Type> {
        let next = |oid: Oid| self.types.get(&oid).copied().filter(|r#type| r#type.kind == 'd');
        std::iter::successors(next(type_oid), |domain| next(domain.base)).collect()
    }

    /// A type by its number, if a column uses it.
    pub fn type_of(&self, type_oid: Oid) -> Option<&'a Type> {
        self.types.get(&type_oid).copied()
    }

    fn foreign_key(&self, constraint: &Constraint) -> Option<Edge> {
        let pairs = constraint
            .columns
            .iter()
            .zip(&constraint.ref_columns)
            .map(|(&from, &to)| Some((self.node_at(constraint.table, from)?, self.node_at(constraint.ref_table, to)?)))
            .collect::<Option<Vec<_>>>()?;
        (!pairs.is_empty()).then(|| Edge {
            name: format!("foreign key {}", constraint.name),
            pairs,
            declared: false,
            checked: constraint.validated && constraint.enforced,
            match_full: constraint.definition.contains(" MATCH FULL"),
        })
    }

    pub fn reference(&self, rule: &ReferenceRule) -> Result<Edge, Box<Report>> {
        let find = |path: &str| {
            self.find_column(path).ok_or_else(|| {
                let mut report = Report::new(
                    "plan::unknown-column",
                    format!("[[references]] names \"{path}\", which the source does not have"),
                )
                .place(super::place(&rule.place));
                if let Some(near) = self.nearest_column(path) {
                    report = report.hint(format!("Did you mean \"{near}\"?"));
                }
                Box::new(report)
            })
        };
        Ok(Edge {
            name: format!("reference {} -> {}", rule.from, rule.to),
            pairs: vec![(find(&rule.from)?, find(&rule.to)?)],
            declared: true,
            checked: false,
            match_full: false,
        })
    }

    /// Finds `schema.table.column`; names may contain dots themselves.
    pub fn find_column(&self, path: &str) -> Option<Node> {
        path.match_indices('.').rev().find_map(|(dot, _)| {
            let group = *self.group_named.get(&path[..dot])?;
            self.node(group, &path[dot + 1..])
        })
    }

    fn nearest_column(&self, path: &str) -> Option<String> {
        let names = (0..self.nodes.len()).map(|node| self.name(node)).collect::<Vec<_>>();
        nearest(path, names.iter().map(String::as_str)).map(str::to_owned)
    }

    pub fn node(&self, group: usize, column: &str) -> Option<Node> {
        // The map borrows its keys from the catalog; a shorter-lived name can look them up all the same.
        self.node_named.get(&(group, column)).copied()
    }

    pub fn node_at(&self, table: Oid, attnum: i16) -> Option<Node> {
        let group = *self.group_of.get(&table)?;
        // Partitions number their columns in their own way; names are what they share.
        let columns = &self.tables.get(&table)?.columns;
        let found = columns.binary_search_by_key(&attnum, |column| column.attnum).ok()?;
        self.node(group, &columns[found].name)
    }

    pub fn table(&self, oid: Oid) -> Option<&'a Table> {
        self.tables.get(&oid).copied()
    }

    pub fn nodes_of(&self, group: usize) -> std::ops::Range<Node> {
        let group = &self.groups[group];
        group.first..group.first + group.root.columns.len()
    }

    /// Columns that tables have by plain inheritance, each with that of a parent.
    pub fn inherited(&self) -> impl Iterator<Item = (Node, Node)> {
        let parents =
            |group: &'_ Group<'a>| group.root.inherits.iter().filter_map(|oid| self.group_of.get(oid)).copied();
        let pairs = self.groups.iter().enumerate().flat_map(move |(number, group)| {
            parents(group).flat_map(move |parent| self.nodes_of(parent).map(move |above| (number, above)))
        });
        pairs.filter_map(|(group, above)| Some((self.node(group, &self.nodes[above].column.name)?, above)))
    }

    /// `schema.table.column`.
    pub fn name(&self, node: Node) -> String {
        let column = &self.nodes[node];
        format!("{}.{}", self.groups[column.group].root.full_name(), column.column.name)
    }

    /// Names of all tables that can be named in the policy, skipped ones included.
    pub fn table_names(&self) -> BTreeSet<String> {
        self.catalog.tables.iter().map(Table::full_name).collect()
    }
}

/// The candidate most like `name`, if any is like enough to be a typo.
pub(super) fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= (name.chars().count() / 3).max(2))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Disjoint sets of nodes, by union and path halving.
pub(super) struct Sets {
    parent: Vec<Node>,
}

impl Sets {
    pub fn new(count: usize) -> Self {
        Self { parent: (0..count).collect() }
    }

    /// The representative: the smallest node of the set, so results do not depend on the order of unions.
    pub fn find(&mut self, mut node: Node) -> Node {
        while self.parent[node] != node {
            self.parent[node] = self.parent[self.parent[node]];
            node = self.parent[node];
        }
        node
    }

    pub fn join(&mut self, a: Node, b: Node) {
        let (a, b) = (self.find(a), self.find(b));
        self.parent[a.max(b)] = a.min(b);
    }
}
