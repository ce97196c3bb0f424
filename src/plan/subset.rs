//! Which rows a subset starts from and which references it follows, as SQL. Pure: rows are found by `crate::subset`.
//!
//! A table, or a whole partition tree, is one node. References lead from the rows of one node to those of another; in the
//! queries the referring row is `c` and the row referred to is `p`.

mod cover;
mod link;

use super::domain::{Choice, Domains};
use super::graph::{Graph, nearest};
use super::order::Term;
use super::{copied_part, place, relation};
use crate::catalog::{ConstraintKind, Oid, Table};
use crate::config::{
    Children, Dangling, EdgeRule, Parent, Place, ReferenceRule, Rows, SeedRule, SubsetConfig, matches,
};
use crate::error::Report;
use crate::pg::quote_qualified;
pub use cover::NodeCover;
pub use link::equal_ids;
use std::collections::BTreeSet;

/// Everything the closure needs to know.
#[derive(Debug, Clone, Default)]
pub struct SubsetPlan {
    pub nodes: Vec<SubsetNode>,
    /// Foreign keys in the order of the catalog, then declared references.
    pub edges: Vec<SubsetEdge>,
    pub seeds: Vec<SubsetSeed>,
    /// Nodes of which every row is copied.
    pub whole: Vec<usize>,
    /// What the rows have to show.
    pub cover: Vec<NodeCover>,
    pub rows_max: Option<u64>,
    pub bytes_max: Option<u64>,
}

/// A table, or a whole partition tree.
#[derive(Debug, Clone)]
pub struct SubsetNode {
    /// `schema.table`.
    pub name: String,
    /// All its rows, as an item of FROM: `ONLY "s"."t"`, a partitioned table, or a query of the leaves that are copied.
    pub relation: String,
    /// Not all of its leaves are copied: `relation` is a query, whose rows carry `tableoid` and `ctid`.
    pub partial: bool,
    pub leaves: Vec<SubsetLeaf>,
    /// Quoted columns of the primary key, else of a unique key without NULLs; empty where there is neither.
    pub key: Vec<String>,
    /// Types of the key, as SQL names them.
    pub key_types: Vec<String>,
    /// What orders its rows, of which a limit takes the first: the key, else all columns.
    pub order: Vec<Term>,
    /// False for `rows = "none"`: nothing is followed into it.
    pub copied: bool,
    /// The `where` of its `rows`, over `t`: no other row is chosen.
    pub filter: Option<String>,
}

/// A table that stores rows.
#[derive(Debug, Clone)]
pub struct SubsetLeaf {
    pub oid: Oid,
    pub name: String,
    /// `ONLY "s"."t"`.
    pub relation: String,
    /// Estimate.
    pub rows: u64,
    pub bytes: u64,
}

/// A foreign key, or a declared reference.
#[derive(Debug, Clone)]
pub struct SubsetEdge {
    /// `foreign key orders_customer_fkey`, or `reference a.b.c -> d.e.f`.
    pub name: String,
    /// `schema.table.column` of the (first) referring column.
    pub from: String,
    /// `schema.table.column` of what it refers to.
    pub to: String,
    pub child: usize,
    pub parent: usize,
    /// Where the key is declared for a part of a partition tree only: the part, as an item of FROM.
    pub child_part: Option<String>,
    pub parent_part: Option<String>,
    /// Added to FROM behind `c`: the references inside of a column.
    pub expand: String,
    /// Compares `p` and `c`.
    pub on: String,
    /// Says that `c` refers to anything at all.
    pub refers: String,
    /// The referring table and columns, where an index could serve; none inside of columns.
    pub columns: Option<(Oid, Vec<i16>)>,
    /// The policy declares it, not the database.
    pub declared: bool,
    /// The database holds it for every row.
    pub checked: bool,
    pub children: Children,
    pub up: Parent,
    /// The policy makes the reference NULL, so nothing has to be there.
    pub nulled: bool,
    pub dangling: Dangling,
    /// Columns that become NULL where the reference is cut.
    pub null_columns: Vec<String>,
    /// Why there are none.
    pub fixed: Option<String>,
}

/// Lines that keep a reference from being followed in one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeCut {
    /// To paste behind whatever is in the configuration.
    pub lines: String,
    /// Every reference that they name: several can join the same columns.
    pub edges: Vec<usize>,
}

/// Rows that start the closure.
#[derive(Debug, Clone, Default)]
pub struct SubsetSeed {
    /// Place of the rule in the configuration, counted from 1; 0: `rows` of `[fixture]`.
    pub number: usize,
    pub node: usize,
    /// The node's relation, or the one leaf that was named.
    pub relation: String,
    pub condition: Option<String>,
    pub percent: Option<f64>,
    pub limit: Option<u64>,
    pub order: Option<String>,
    /// What belongs to its rows comes too.
    pub children: bool,
    pub place: Place,
}

/// Resolves `[subset]` against the tables; everything wrong ends up in `reports`.
pub(super) fn resolve(
    graph: &Graph<'_>,
    config: &SubsetConfig,
    references: &[ReferenceRule],
    (rows, domains): (&[Rows], &Domains),
    reports: &mut Vec<Report>,
) -> SubsetPlan {
    let nodes = nodes(graph, rows, config, reports);
    let mut edges = foreign_keys(graph, domains);
    edges.extend(references.iter().filter_map(|rule| link::declared(graph, rule, reports)));
    for edge in &mut edges {
        edge.children = config.children;
        edge.dangling = config.dangling;
    }
    apply_rules(&mut edges, &config.edges, reports);
    for edge in &edges {
        check_nulls(edge, config, reports);
    }
    let mut plan =
        SubsetPlan { nodes, edges, rows_max: config.rows_max, bytes_max: config.bytes_max, ..SubsetPlan::default() };
    for (number, rule) in config.seed.iter().enumerate() {
        seed(&mut plan, number + 1, rule, reports);
    }
    if let Some(each) = config.rows_each {
        for (node, own) in rows.iter().enumerate().filter(|(node, _)| plan.nodes[*node].copied) {
            // A number that the policy gives for this table says more than one for all.
            let limit = if let Rows::Where { limit: Some(limit), .. } = own { *limit } else { each };
            let relation = plan.nodes[node].relation.clone();
            let place = config.place.clone();
            let seed = SubsetSeed { number: 0, node, relation, limit: Some(limit), place, ..SubsetSeed::default() };
            plan.seeds.push(seed);
        }
    }
    for pattern in &config.whole {
        let found: Vec<usize> = named(&plan.nodes, pattern).map(|(node, _)| node).collect();
        if found.is_empty() {
            reports.push(unknown_table(&plan.nodes, "`whole` of [subset]", pattern, &config.place));
        }
        plan.whole.extend(found.into_iter().filter(|node| plan.nodes[*node].copied));
    }
    plan.whole.sort_unstable();
    plan.whole.dedup();
    // What shows nothing because it is wrong needs no second report.
    let told = reports.len();
    plan.cover = cover::resolve(graph, &plan.nodes, config, references, domains, reports);
    let wrong = reports.len() > told;
    let asked = !(config.seed.is_empty() && config.whole.is_empty());
    if plan.seeds.is_empty() && !asked && plan.cover.is_empty() && !wrong {
        let report = Report::new("plan::subset-seed", "[subset] chooses no row").place(place(&config.place));
        reports.push(report.hint("seed = [{ table = \"public.customers\", percent = 5 }]     # under [subset]"));
    }
    plan
}

fn nodes(graph: &Graph<'_>, rows: &[Rows], config: &SubsetConfig, reports: &mut Vec<Report>) -> Vec<SubsetNode> {
    let node = |(number, group): (usize, &super::graph::Group<'_>)| {
        let name = group.root.full_name();
        if matches!(rows[number], Rows::Where { limit: Some(_), .. }) && config.rows_each.is_none() {
            let message = format!("both [subset] and the `limit` of \"{name}\" say how many rows");
            reports.push(Report::new("plan::subset-rows", message).hint(format!(
                "Remove `limit` there, and write a seed:\nseed = [{{ table = \"{name}\", where = \"…\", limit = 1000 }}]"
            )));
        }
        let filter = match &rows[number] {
            Rows::Where { condition, .. } => condition.clone(),
            Rows::All | Rows::None => None,
        };
        let key = key_columns(graph, group);
        let column = |attnum: &i16| group.root.column(*attnum);
        SubsetNode {
            relation: relation(graph.catalog, group.root),
            partial: copied_part(graph.catalog, group.root).is_some(),
            leaves: group.leaves.iter().map(|leaf| leaf_of(leaf)).collect(),
            key: key.iter().filter_map(column).map(|column| crate::pg::quote_ident(&column.name)).collect(),
            key_types: key.iter().filter_map(column).map(|column| column.type_name.clone()).collect(),
            order: match key.is_empty() {
                true => {
                    let every = group.root.columns.iter();
                    every.filter_map(|column| Term::canonical(graph.catalog, group.root, column.attnum)).collect()
                }
                false => key.iter().filter_map(column).map(|column| Term::plain(&column.name)).collect(),
            },
            copied: rows[number] != Rows::None,
            filter,
            name,
        }
    };
    graph.groups.iter().enumerate().map(node).collect()
}

fn leaf_of(leaf: &Table) -> SubsetLeaf {
    SubsetLeaf {
        oid: leaf.oid,
        name: leaf.full_name(),
        relation: format!("ONLY {}", quote_qualified(&leaf.schema, &leaf.name)),
        rows: if leaf.unanalyzed { leaf.bytes / super::select::ROW_BYTES } else { leaf.rows },
        bytes: leaf.bytes,
    }
}

/// The primary key, else the first unique index that no row can be outside of.
fn key_columns(graph: &Graph<'_>, group: &super::graph::Group<'_>) -> Vec<i16> {
    let whole = |index: &&&crate::catalog::UniqueIndex| {
        index.table == group.root.oid
            && index.predicate.is_none()
            && index.columns.iter().all(|attnum| {
                graph.node_at(index.table, *attnum).is_some_and(|node| index.primary || graph.nodes[node].not_null)
            })
    };
    let found = group.uniques.iter().filter(whole).min_by_key(|index| (!index.primary, index.name.clone()));
    found.map(|index| index.columns.clone()).unwrap_or_default()
}

fn foreign_keys(graph: &Graph<'_>, domains: &Domains) -> Vec<SubsetEdge> {
    let foreign = graph.catalog.constraints.iter().filter(|constraint| constraint.kind == ConstraintKind::Foreign);
    // Columns that several keys share are better not made NULL for one of them.
    let mut used: Vec<(Oid, i16)> = foreign
        .clone()
        .flat_map(|constraint| constraint.columns.iter().map(|column| (constraint.table, *column)))
        .collect();
    used.sort_unstable();
    let uses = |place: (Oid, i16)| used.iter().filter(|other| **other == place).count();
    foreign.filter_map(|constraint| link::foreign_key(graph, domains, constraint, &uses)).collect()
}

/// Gives edges the rules that name them. What a later rule says goes before an earlier one, so that a line that is added
/// takes effect whatever is there.
fn apply_rules(edges: &mut [SubsetEdge], rules: &[EdgeRule], reports: &mut Vec<Report>) {
    for rule in rules {
        let mut found = false;
        for edge in edges.iter_mut().filter(|edge| edge.is_named(&rule.from, rule.to.as_deref())) {
            found = true;
            edge.children = rule.children.unwrap_or(edge.children);
            edge.dangling = rule.dangling.unwrap_or(edge.dangling);
            edge.up = rule.parent.unwrap_or(edge.up);
        }
        if !found {
            let to = rule.to.as_ref().map(|to| format!(" to \"{to}\"")).unwrap_or_default();
            let report = Report::new("plan::subset-edge", format!("no foreign key leads from \"{}\"{to}", rule.from));
            let names: Vec<&str> = edges.iter().map(|edge| edge.from.as_str()).collect();
            reports.push(report.place(place(&rule.place)).hint(match nearest(&rule.from, names.into_iter()) {
                Some(near) => format!("Did you mean \"{near}\"?"),
                None => "Name the referring column of a foreign key, or declare it under [[references]].".to_owned(),
            }));
        }
    }
}

/// References that are to become NULL must be able to.
fn check_nulls(edge: &SubsetEdge, config: &SubsetConfig, reports: &mut Vec<Report>) {
    let Some(why) = edge.fixed.as_ref().filter(|_| !edge.nulled) else { return };
    let rules = || config.edges.iter().filter(|rule| edge.is_named(&rule.from, rule.to.as_deref()));
    let (rule, hint) = if edge.up == Parent::Null {
        let rule = rules().rfind(|rule| rule.parent == Some(Parent::Null));
        (rule, "Remove `parent = \"null\"`: the rows it refers to are copied then.")
    } else if edge.dangling == Dangling::Null && !edge.checked {
        // Where the rule is the general one, what cannot be NULL keeps its dangling references.
        let rule = rules().rfind(|rule| rule.dangling == Some(Dangling::Null));
        if rule.is_none() {
            return;
        }
        (rule, "Write `dangling = \"keep\"` or `dangling = \"fail\"` for it.")
    } else {
        return;
    };
    let report = Report::new("plan::subset-not-null", format!("{} of \"{}\" cannot be NULL", edge.name, edge.from));
    let at = place(rule.map_or(&config.place, |rule| &rule.place));
    reports.push(report.place(at).detail(format!("{why}.")).hint(hint));
}

/// Nodes that a name or glob means; with the leaf if it is one of a partition tree.
fn named<'n>(nodes: &'n [SubsetNode], pattern: &'n str) -> impl Iterator<Item = (usize, Option<&'n SubsetLeaf>)> {
    nodes.iter().enumerate().flat_map(move |(number, node)| {
        let whole = matches(pattern, &node.name).then_some((number, None));
        let part = node.leaves.iter().find(|leaf| leaf.name == pattern && leaf.name != node.name);
        whole.or(part.map(|leaf| (number, Some(leaf))))
    })
}

fn unknown_table(nodes: &[SubsetNode], what: &str, pattern: &str, at: &Place) -> Report {
    let report =
        Report::new("plan::unknown-table", format!("{what} names \"{pattern}\", which is no table of the source"));
    let near = nearest(pattern, nodes.iter().map(|node| node.name.as_str()));
    report.place(place(at)).hint(match near {
        Some(near) => format!("Did you mean \"{near}\"?"),
        None => "Write it as schema.table, or as a glob.".to_owned(),
    })
}

fn seed(plan: &mut SubsetPlan, number: usize, rule: &SeedRule, reports: &mut Vec<Report>) {
    let wrong = |what: &str, why: &str| {
        let report = Report::new("plan::subset-where", format!("the `{what}` of seed {number} is not one expression"));
        report
            .place(place(&rule.place))
            .detail(why.to_owned())
            .hint("Write one SQL expression: nothing left open, no semicolon, no comment at its end.")
    };
    for (what, text) in [("where", &rule.condition), ("order", &rule.order)] {
        if let Some(Err(why)) = text.as_ref().map(|text| super::sql::one_expression(text)) {
            reports.push(wrong(what, why));
            return;
        }
    }
    let found: Vec<(usize, String)> = named(&plan.nodes, &rule.table)
        .map(|(node, leaf)| {
            (node, leaf.map_or_else(|| plan.nodes[node].relation.clone(), |leaf| leaf.relation.clone()))
        })
        .collect();
    if found.is_empty() {
        reports.push(unknown_table(&plan.nodes, &format!("seed {number} of [subset]"), &rule.table, &rule.place));
    }
    let none: BTreeSet<&str> = found
        .iter()
        .filter(|(node, _)| !plan.nodes[*node].copied)
        .map(|(node, _)| plan.nodes[*node].name.as_str())
        .collect();
    // A glob may well meet tables that are left out.
    if found.len() == 1
        && let Some(name) = none.first()
    {
        let report =
            Report::new("plan::subset-seed", format!("seed {number} starts from \"{name}\", whose rows are left out"));
        reports.push(
            report.place(place(&rule.place)).hint(format!("Remove `rows = \"none\"` of \"{name}\", or the seed.")),
        );
    }
    for (node, relation) in found.into_iter().filter(|(node, _)| plan.nodes[*node].copied).collect::<Vec<_>>() {
        plan.seeds.push(SubsetSeed {
            number,
            node,
            relation,
            condition: rule.condition.clone(),
            percent: rule.percent,
            limit: rule.limit,
            order: rule.order.clone(),
            children: true,
            place: rule.place.clone(),
        });
    }
}

/// Whether a column's decision makes it NULL.
fn becomes_null(domains: &Domains, node: usize) -> bool {
    domains.resolved[node].as_ref().is_some_and(|resolved| resolved.choice == Choice::Null)
}

impl SubsetPlan {
    /// What must be equal for two subsets of one snapshot to be equal, for the hash of the plan.
    pub(super) fn fingerprint(&self) -> String {
        let seeds = self.seeds.iter().map(|seed| {
            let SubsetSeed { relation, condition, percent, limit, order, .. } = seed;
            format!("{relation} {condition:?} {percent:?} {limit:?} {order:?}")
        });
        let edges = self.edges.iter().map(|edge| {
            let SubsetEdge { name, from, to, children, up, dangling, .. } = edge;
            format!("{name} {from} {to} {children:?} {up:?} {dangling:?}")
        });
        let whole = self.whole.iter().map(|node| self.nodes[*node].name.clone());
        let cover = self.cover.iter().map(|cover| format!("{:?} {:?}", cover.features, cover.combinations));
        seeds.chain(edges).chain(whole).chain(cover).collect::<Vec<_>>().join("\n")
    }
}

impl SubsetNode {
    /// The rows that may be chosen, as an item of FROM in a join.
    pub fn joined(&self) -> String {
        match &self.filter {
            None => self.relation.clone(),
            Some(filter) => {
                let place = if self.partial { "" } else { "t.tableoid, t.ctid, " };
                format!("(SELECT {place}t.* FROM {} AS t WHERE (\n{filter}\n))", self.relation)
            }
        }
    }

    /// What tells the rows of `t` apart, as texts: the key, else all that a row holds, which is stable as long as it is.
    pub fn told_by(&self) -> Vec<String> {
        if !self.key.is_empty() {
            return self.key.iter().map(|column| format!("t.{column}::pg_catalog.text")).collect();
        }
        let row = match self.partial {
            true => format!("ROW({})", self.order.iter().map(|term| term.of("t")).collect::<Vec<_>>().join(", ")),
            false => "t".to_owned(),
        };
        vec![format!("{row}::pg_catalog.text")]
    }

    /// The condition on `t` that a row may be chosen, with another one.
    pub fn condition(&self, other: Option<&String>) -> String {
        let parts: Vec<String> = self.filter.iter().chain(other).map(|part| format!("(\n{part}\n)")).collect();
        if parts.is_empty() { String::new() } else { format!(" WHERE {}", parts.join(" AND ")) }
    }
}

impl SubsetEdge {
    /// Rows of the child that refer to rows of the parent cannot be found without reading all of it.
    pub fn inside_column(&self) -> bool {
        self.columns.is_none()
    }

    /// Whether a rule with these columns means this reference: one column of the key, or all of them.
    fn is_named(&self, from: &str, to: Option<&str>) -> bool {
        link::names(&self.from, from) && to.is_none_or(|to| link::names(&self.to, to))
    }
}

impl SubsetPlan {
    /// The lines that stop the children of a reference from being followed.
    pub fn cut_children(&self, edge: usize) -> EdgeCut {
        self.cut(edge, "children = \"none\"")
    }

    /// The lines that leave the row referred to where it is; none if the reference cannot be NULL, or another one that the
    /// same columns name.
    pub fn cut_parent(&self, edge: usize) -> Option<EdgeCut> {
        let cut = self.cut(edge, "parent = \"null\"");
        let possible = |edge: &usize| self.edges[*edge].fixed.is_none() || self.edges[*edge].nulled;
        cut.edges.iter().all(possible).then_some(cut)
    }

    fn cut(&self, edge: usize, line: &str) -> EdgeCut {
        let SubsetEdge { from, to, .. } = &self.edges[edge];
        let named = (0..self.edges.len()).filter(|other| self.edges[*other].is_named(from, Some(to)));
        let (from, to) = (super::escape(from), super::escape(to));
        let lines = format!("[[subset.edge]]\nfrom = \"{from}\"\nto = \"{to}\"\n{line}");
        EdgeCut { lines, edges: named.collect() }
    }
}
