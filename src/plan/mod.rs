//! Policy + catalog → plan, or every refusal at once. Pure: no server is asked here.

mod anchor;
mod bound;
mod checks;
mod chunk;
mod condition;
mod documents;
mod domain;
pub mod draft;
mod fit;
mod graph;
pub mod order;
mod packs;
mod policy;
mod propose;
mod relation;
mod select;
mod source;
mod sql;
mod stand_in;
mod subset;
mod summary;
mod unique;
mod values;
mod whose;
mod written;

#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, Oid, Table, TableKind, Use};
use crate::config::{Action, Parent, ReferenceRule, Rows, SubsetConfig, TableRule, Undecided, When};
use crate::error::{Diagnose, Exit, Report};
use crate::mask::{MaskSpec, Shape, TableSpec};
use crate::pg;
use crate::pg::types::{Field, Format, Layout};
use crate::rowset::Picked;
use graph::Graph;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use crate::config::Place;
pub use checks::Condition;
pub use condition::ConditionProbe;
pub use fit::cannot_mask;
pub use packs::{About, Floor, Held, Suggested, is_looked_at, leaves_out};
pub use propose::{column_key as toml_key, escape, is_own_reason};
pub use relation::{copied_part, relation};
pub use source::{rights, unlogged_on_standby};
pub use sql::items;
pub use stand_in::{Examples, Trial, examples, trials};
pub use subset::{EdgeCut, NodeCover, SubsetEdge, SubsetLeaf, SubsetNode, SubsetPlan, SubsetSeed, equal_ids};
pub use summary::{canonical_params, deciding_params, summary_json};
pub use values::{Merges, ValueFault, ValueProbe, letters_at_risk, merges};
pub use whose::text_subjects;
pub use written::{
    decision_line, decision_of, keep_line, list_line, listed, mask_line, under, with_path, without_text,
};

/// OIDs of the types a sequence can feed.
const INT8: Oid = 20;
const INT2: Oid = 21;
const INT4: Oid = 23;
const NUMERIC: Oid = 1700;

/// What the user decided; borrowed from the configuration.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    pub rules: &'a [TableRule],
    pub references: &'a [ReferenceRule],
    pub undecided: Undecided,
    pub floor: Floor<'a>,
}

/// How a plan is cut into work, and what is known about the other side.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Parallel COPY streams; 1 or more. Default 2.
    pub workers: usize,
    /// Size of a chunk in bytes, TOAST included. Default 256 MiB.
    pub chunk_bytes: u64,
    /// Accept a source role that could write. Default false.
    pub allow_write_role: bool,
    /// Encoding of the bytes of a SQL_ASCII source.
    pub assume_encoding: Option<String>,
    /// The target, if one is configured.
    pub target: Option<TargetFacts>,
    /// Rows travel as text, because files hold them. Default false.
    pub text: bool,
    /// None: every row is copied.
    pub subset: Option<SubsetConfig>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 2,
            chunk_bytes: 256 << 20,
            allow_write_role: false,
            assume_encoding: None,
            target: None,
            text: false,
            subset: None,
        }
    }
}

/// What a plan has to know about the target server.
#[derive(Debug, Clone, Default)]
pub struct TargetFacts {
    /// `server_version_num`.
    pub version_num: u32,
    /// Encoding of the staging database if the user set one; else it is the source's.
    pub encoding: Option<String>,
    /// Fraction digits of the server's `lc_monetary`, if they were read.
    pub money_digits: Option<u32>,
}

/// Decides everything a refresh will do, without reading a row.
///
/// Order and determinism: a function of its arguments; tables largest first, then by name; reports in the order of the
/// catalog. Time grows with the number of columns, keys and rules, not with their product.
///
/// # Errors
/// [`Refusals`] with every problem found.
pub fn build(catalog: &Catalog, policy: &Policy<'_>, settings: &Settings) -> Result<Plan, Refusals> {
    let mut reports = Vec::new();
    let mut warnings = Vec::new();
    let graph = Graph::new(catalog, policy.references, &mut reports);
    let mut decisions = policy::decide(&graph, policy, &mut reports);
    source::check(&graph, &decisions.rows, settings, &mut reports);
    source::check_conditions(policy.rules, &mut reports);
    let domains = domain::resolve(&graph, policy, &mut decisions, &mut reports);
    documents::check(&graph, policy, &domains, &mut reports);
    let fitted = fit::check(&graph, policy.rules, &domains, &mut reports);
    let rows = &decisions.rows;
    let chosen = (rows.as_slice(), &domains);
    let subset =
        settings.subset.as_ref().map(|config| subset::resolve(&graph, config, policy.references, chosen, &mut reports));
    let cut = |group: usize, name: &str| {
        let edges = subset.iter().flat_map(|subset| &subset.edges);
        edges.filter(|edge| edge.up == Parent::Null).any(|edge| edge.child == group && edge.name == name)
    };
    packs::check(&graph, rows, &domains, policy.rules, &policy.floor, &mut reports, &mut warnings);
    source::check_rows(&graph, policy.rules, chosen, &cut, &mut reports, &mut warnings);
    source::check_partitions(&graph, rows, &domains, &mut reports, &mut warnings);
    if !reports.is_empty() {
        fit::check_alone(&graph, rows, &domains, &mut reports);
        return Err(Refusals(reports));
    }
    let probes = checks::collect(&graph, rows, &domains, &fitted.tiers, &mut warnings);
    let value_probes = values::collect(&graph, rows, &domains, &mut warnings);
    domain::unequal_labels(&graph, &domains, &mut warnings);
    domain::apart(&graph, &domains, &mut warnings);
    anchor::spellings(&graph, &domains, &mut warnings);
    let tables = select::Tables::new(&graph, &domains, rows, &fitted, settings).plan();
    general_warnings(catalog, &graph, rows, &mut warnings);
    let mut about = BTreeMap::new();
    let mut emptied = BTreeMap::new();
    if !policy.floor.open {
        for (number, group) in graph.groups.iter().enumerate() {
            for leaf in &group.leaves {
                emptied.extend(decisions.emptied.get(&number).map(|because| (leaf.oid, because.clone())));
                for column in &leaf.columns {
                    let known = graph.node_at(leaf.oid, column.attnum);
                    let known = known.map(|node| packs::about(&graph, &domains, node, &policy.floor));
                    about.extend(known.map(|known| ((leaf.oid, column.attnum), known)));
                }
            }
        }
    }
    let partitioned = graph.groups.iter().flat_map(|group| &group.partitioned);
    let parents = partitioned.map(|table| (table.schema.clone(), table.name.clone())).collect();
    let mut plan = Plan {
        unread: unread(catalog, &tables),
        tables,
        parents,
        about,
        emptied,
        sequences: sequences(&graph, &domains),
        skipped: skipped(catalog),
        probes,
        value_probes,
        condition_probes: condition::probes(&graph, policy.rules, rows, &domains),
        warnings,
        subset: subset.map(Arc::new),
        dangling: None,
        covered: None,
        hash: String::new(),
    };
    plan.hash = summary::hash(&plan);
    Ok(plan)
}

/// What a plan that is refused can still have the server judge: whether constants and NULL suit their columns, which needs no
/// mask, and whether it can read the conditions. Columns whose values `refused` tells of are left out.
pub fn plain_probes(
    catalog: &Catalog,
    policy: &Policy<'_>,
    refused: &[Report],
) -> (Vec<CheckProbe>, Vec<ConditionProbe>) {
    let told: BTreeSet<&str> = refused.iter().filter_map(|report| report.place.as_deref()).collect();
    let mut ignored = Vec::new();
    let graph = Graph::new(catalog, policy.references, &mut ignored);
    let mut decisions = policy::decide(&graph, policy, &mut ignored);
    let domains = domain::resolve(&graph, policy, &mut decisions, &mut ignored);
    let mut probes = checks::collect(&graph, &decisions.rows, &domains, &fit::Tiers::new(), &mut Vec::new());
    probes.retain(|probe| {
        let plain = !matches!(probe.value, ProbeValue::Mask { .. });
        plain && probe.place.as_ref().is_some_and(|at| !told.contains(place(at).as_str()))
    });
    (probes, condition::probes(&graph, policy.rules, &decisions.rows, &domains))
}

/// As [`build`], for a schema of an earlier day: rules for what it did not have yet, or had under another name, say nothing
/// of it.
///
/// # Errors
/// As [`build`].
pub fn build_past(catalog: &Catalog, policy: &Policy<'_>, settings: &Settings) -> Result<Plan, Refusals> {
    let graph = Graph::new(catalog, &[], &mut Vec::new());
    let rules = policy::of_schema(&graph, policy.rules);
    let known = policy.references.iter().filter(|rule| graph.reference(rule).is_ok());
    let references: Vec<ReferenceRule> = known.cloned().collect();
    build(catalog, &Policy { rules: &rules, references: &references, ..*policy }, settings)
}

/// Columns of a catalog, with their tables, that the rules hide by themselves, whether or not the whole policy can be resolved.
pub fn hidden(catalog: &Catalog, policy: &Policy<'_>) -> Vec<(String, String)> {
    let graph = Graph::new(catalog, &[], &mut Vec::new());
    let rules = policy::of_schema(&graph, policy.rules);
    let policy = Policy { rules: &rules, references: &[], ..*policy };
    let decisions = policy::decide(&graph, &policy, &mut Vec::new());
    let hides =
        |node: &usize| decisions.own[*node].as_ref().is_some_and(|own| !matches!(own.action, Action::Keep { .. }));
    let named = |node: usize| {
        let known = &graph.nodes[node];
        (graph.groups[known.group].root.full_name(), known.column.name.clone())
    };
    (0..graph.nodes.len()).filter(hides).map(named).collect()
}

fn sequences(graph: &Graph<'_>, domains: &domain::Domains) -> Vec<SequencePlan> {
    let named = |(table, attnum): (Oid, i16)| {
        let table = graph.table(table)?;
        let column = table.column(attnum)?;
        Some((table, column))
    };
    // A masked column that takes its values from the sequence, and the largest number it holds. Numbers only: a text made
    // with a sequence does not say where the sequence stands.
    let fed = |place: (Oid, i16)| {
        let (table, column) = named(place)?;
        let resolved = domains.resolved[graph.node_at(place.0, place.1)?].as_ref()?;
        let base = graph.domains(column.type_oid).last().map_or(column.type_oid, |domain| domain.base);
        let high = match base {
            INT2 => i64::from(i16::MAX),
            INT4 => i64::from(i32::MAX),
            INT8 | NUMERIC => i64::MAX,
            _ => return None,
        };
        matches!(resolved.choice, domain::Choice::Mask(_)).then(|| Fed {
            schema: table.schema.clone(),
            table: table.name.clone(),
            column: column.name.clone(),
            part: copied_part(graph.catalog, table),
            high,
        })
    };
    let copied = graph.catalog.sequences.iter().filter(|sequence| sequence.extension.is_none());
    copied
        .map(|sequence| {
            let mut places: Vec<(Oid, i16)> =
                sequence.owner.into_iter().chain(sequence.users.iter().copied()).collect();
            places.sort_unstable();
            places.dedup();
            SequencePlan {
                oid: sequence.oid,
                schema: sequence.schema.clone(),
                name: sequence.name.clone(),
                owner: sequence
                    .owner
                    .and_then(named)
                    .map(|(table, column)| (table.schema.clone(), table.name.clone(), column.name.clone())),
                owner_part: sequence.owner.and_then(named).and_then(|(table, _)| copied_part(graph.catalog, table)),
                masked: places.into_iter().filter_map(fed).collect(),
            }
        })
        .collect()
}

fn skipped(catalog: &Catalog) -> Vec<(String, String)> {
    let reason = |table: &crate::catalog::Table| match &table.extension {
        Some(extension) => Some(format!("member of extension {extension}")),
        None => (table.kind == TableKind::Foreign).then(|| "foreign table".to_owned()),
    };
    catalog.tables.iter().filter_map(|table| Some((table.full_name(), reason(table)?))).collect()
}

/// Names that a warning shows.
const NAMES_SHOWN: usize = 5;

fn first_names(names: &[String]) -> String {
    let shown = names[..names.len().min(NAMES_SHOWN)].join(", ");
    match names.len() - names.len().min(NAMES_SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Tables with `rows = "none"` that no row of another one is read by. A table that a path leads through is read with all that
/// is below it; a column of the same name makes it one of those too.
fn unread(catalog: &Catalog, tables: &[TablePlan]) -> BTreeSet<Oid> {
    let mut unread: BTreeSet<Oid> =
        tables.iter().filter(|table| table.rows == Rows::None).map(|table| table.oid).collect();
    if unread.is_empty() {
        return unread;
    }
    let copied = tables.iter().filter(|table| table.rows != Rows::None);
    let texts = copied.flat_map(|table| table.select.iter().chain([&table.from]));
    let joins = texts.filter(|text| text.contains(" JOIN ") || text.contains("SELECT "));
    let named: BTreeSet<String> = joins.flat_map(|text| sql::names(text)).collect();
    let joined = catalog.tables.iter().filter(|table| named.contains(&table.name));
    // The root too, for one in the middle of a tree.
    let mut read: BTreeSet<Oid> = joined.flat_map(|table| [Some(table.oid), table.partition_root]).flatten().collect();
    loop {
        let below =
            |table: &&Table| table.partition_root.iter().chain(&table.inherits).any(|above| read.contains(above));
        let more = catalog.tables.iter().filter(|table| !read.contains(&table.oid)).filter(below);
        let more: Vec<Oid> = more.map(|table| table.oid).collect();
        if more.is_empty() {
            break;
        }
        read.extend(more);
    }
    unread.retain(|oid| !read.contains(oid));
    unread
}

fn general_warnings(catalog: &Catalog, graph: &Graph<'_>, rows: &[Rows], warnings: &mut Vec<String>) {
    if catalog.large_objects > 0 {
        warnings.push(match catalog.large_objects {
            1 => "1 large object is left out".to_owned(),
            several => format!("{several} large objects are left out"),
        });
    }
    if !catalog.extension_rows.is_empty() {
        warnings.push(format!(
            "rows that were added to tables of extensions are not copied, on purpose: {}; staging has what CREATE EXTENSION \
             makes",
            first_names(&catalog.extension_rows)
        ));
    }
    if !catalog.reserved.is_empty() {
        warnings.push(format!(
            "schema restage of the source is not copied, because staging has notes of restage under that name: {}; to have \
             it in staging, rename it at the source: ALTER SCHEMA restage RENAME TO …",
            first_names(&catalog.reserved)
        ));
    }
    for (number, group) in graph.groups.iter().enumerate() {
        let unlogged = group.leaves.iter().filter(|leaf| leaf.unlogged && rows[number] != Rows::None);
        warnings.extend(unlogged.map(|leaf| format!("\"{}\" is unlogged; its rows are copied", leaf.full_name())));
    }
    for constraint in &catalog.constraints {
        let to_extension = graph.table(constraint.ref_table).and_then(|table| table.extension.as_ref());
        if let (Some(extension), Some(table)) = (to_extension, graph.table(constraint.table)) {
            warnings.push(format!(
                "foreign key {} of \"{}\" points to a table of extension {extension}, whose rows are not copied",
                constraint.name,
                table.full_name()
            ));
        }
    }
}

/// `restage.toml:12:5`.
pub(crate) fn place(place: &Place) -> String {
    let file = place.file.strip_prefix("./").unwrap_or(&place.file);
    // A rule of a pack is named by its pack.
    if place.line == 0 {
        return file.display().to_string();
    }
    format!("{}:{}:{}", file.display(), place.line, place.column)
}

/// Everything a refresh will do, decided before a row is read.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    /// Every table that stores rows, largest first; those with `rows = "none"` included.
    pub tables: Vec<TablePlan>,
    /// Schema and name of the partitioned tables above them: joins go through these.
    pub parents: Vec<(String, String)>,
    /// Sequences to set after loading.
    pub sequences: Vec<SequencePlan>,
    /// Tables that are not copied at all, with the reason (foreign, extension member).
    pub skipped: Vec<(String, String)>,
    /// CHECK constraints on changed columns, to be evaluated by the source's server.
    pub probes: Vec<CheckProbe>,
    /// Questions about values, to be asked before a refresh reads its snapshot.
    pub value_probes: Vec<ValueProbe>,
    /// Conditions of the configuration, which only the source's server can read.
    pub condition_probes: Vec<ConditionProbe>,
    pub warnings: Vec<String>,
    /// What is known of columns beside their decision, by table and attnum; for people, and no part of the hash.
    pub about: BTreeMap<(Oid, i16), About>,
    /// The pack that leaves the rows of a table behind.
    pub emptied: BTreeMap<Oid, String>,
    /// Which rows are chosen, if not all.
    pub subset: Option<Arc<SubsetPlan>>,
    /// Where a subset was found: declared references, and how many of each point nowhere in the copy.
    pub dangling: Option<BTreeMap<String, i64>>,
    /// Where `cover` chose rows: what they show.
    pub covered: Option<Covered>,
    /// Tables with `rows = "none"` that no row of another one is read by.
    pub unread: BTreeSet<Oid>,
    /// BLAKE3 over every decision, hex: equal plans mask equally.
    pub hash: String,
}

/// What rows show of what `cover` asks for, in the words of the schema: `public.orders.status: label "paid"`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Covered {
    pub shown: Vec<String>,
    /// What no row of the source shows.
    pub absent: Vec<String>,
}

/// One leaf table.
#[derive(Debug, Clone, Default)]
pub struct TablePlan {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// The table the rows are loaded into: the leaf itself, or its partition root when a key column is masked.
    pub target_schema: String,
    pub target_name: String,
    /// The columns that are copied, in attnum order. May be empty: a table without columns has rows too.
    pub columns: Vec<ColumnPlan>,
    /// SQL select list: one expression per copied column, then the anchor columns that are not written.
    pub select: Vec<String>,
    /// FROM clause for COPY: `ONLY "s"."t" AS t`, with joins when a subject is reached through foreign keys.
    pub from: String,
    pub rows: Rows,
    /// The condition on `t` that stands for `rows` where a limit holds for all partitions of a table together.
    pub share: Option<String>,
    pub format: Format,
    /// How the decoder cuts a row; one field per entry of `select`.
    pub layout: Layout,
    /// The masks; `columns` lists exactly the fields of `layout` that are decoded.
    pub mask: TableSpec,
    /// What the server says; a guess by bytes where it says nothing.
    pub rows_estimate: u64,
    pub unanalyzed: bool,
    pub bytes: u64,
    pub chunks: Vec<Chunk>,
    pub filenode: Oid,
    /// The rows of a subset, once they were found; none: `rows` says it all.
    pub picked: Option<Arc<Picked>>,
    /// FREEZE is possible where it is loaded in one transaction: into an ordinary leaf that nothing else writes to.
    pub freeze: bool,
}

/// `[start, end)` heap blocks of a leaf; no end: to the last block. `None` for both: the whole table without ctid range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub number: u32,
    pub start: Option<u32>,
    pub end: Option<u32>,
    /// Share of the table's bytes, for scheduling and progress.
    pub bytes: u64,
}

#[derive(Debug, Clone)]
pub struct ColumnPlan {
    pub attnum: i16,
    pub name: String,
    pub type_name: String,
    pub decision: Decided,
    /// Which rule decided: `restage.toml:40:1 [tables."public.customers"]`, or `foreign key orders_customer_fkey`.
    pub because: String,
    pub place: Option<Place>,
    /// Nobody decided it: `undecided = "null"` did.
    pub undecided: bool,
    /// What a column kept without a reason of its own would be proposed to become: a decision in TOML.
    pub proposal: Option<String>,
    /// What would hide a column that is kept, whatever the reason; none where nobody but a person can say.
    pub hiding: Option<String>,
}

/// The resolved decision of one column.
#[derive(Debug, Clone, PartialEq)]
pub enum Decided {
    Keep {
        reason: Option<String>,
    },
    /// `NULL` in the select list: the value never leaves the source, unless it is a name that a text may mention.
    Null,
    /// A constant in the select list, NULL stays NULL: the value never leaves the source, with the same exception.
    Const,
    Mask {
        kind: String,
        label: String,
        subject: Option<String>,
        /// The rows it is for; none: all of them.
        when: Option<When>,
    },
}

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct SequencePlan {
    pub oid: Oid,
    pub schema: String,
    pub name: String,
    /// Owning table and column.
    pub owner: Option<(String, String, String)>,
    /// The rows of the owning table as an item of FROM, where not all of its partitions are copied.
    #[serde(default)]
    pub owner_part: Option<String>,
    /// The masked columns that take their values from it, owned or by their default: it is set past what they hold.
    pub masked: Vec<Fed>,
}

/// A column of numbers that a sequence feeds.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Fed {
    pub schema: String,
    pub table: String,
    pub column: String,
    /// The rows of its table as an item of FROM, where not all of its partitions are copied.
    #[serde(default)]
    pub part: Option<String>,
    /// Largest number of its type.
    pub high: i64,
}

impl Fed {
    /// The rows of its table as an item of FROM.
    pub fn relation(&self) -> String {
        self.part.clone().unwrap_or_else(|| pg::quote_qualified(&self.schema, &self.table))
    }
}

/// A condition that the new values of a column have to satisfy, for [`crate::catalog::probe_checks`].
#[derive(Debug, Clone)]
pub struct CheckProbe {
    /// `schema.table`; a partition tree has one probe, under its root.
    pub table: String,
    pub column: String,
    /// Name of the constraint, for the report.
    pub constraint: String,
    /// SQL condition over one column.
    pub expression: String,
    /// The name by which the condition calls that column: its own, or `value` in the check of a domain.
    pub sees: String,
    /// SQL type to cast samples to: the column's, or the base type of its domain.
    pub type_name: String,
    pub value: ProbeValue,
    pub place: Option<Place>,
}

/// What the column will hold.
#[derive(Debug, Clone)]
pub enum ProbeValue {
    Null,
    Const(String),
    /// Masks of this kind; `spec.subject` is none, any subject will do.
    Mask {
        spec: MaskSpec,
        shape: Shape,
        tier: u8,
    },
}

/// All reasons why a plan was refused.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} refusals", .0.len())]
pub struct Refusals(pub Vec<Report>);

impl Diagnose for Refusals {
    fn exit(&self) -> Exit {
        Exit::Refused
    }

    fn reports(&self) -> Vec<Report> {
        self.0.clone()
    }
}

impl Plan {
    /// What reading the rows takes of the source. Where somebody wrote conditions, or for a subset, any table may be read.
    pub fn uses(&self) -> Use {
        let asked = self.asks();
        let unread = if asked || self.subset.is_some() { BTreeSet::new() } else { self.unread.clone() };
        Use { asked, unread }
    }

    /// The tables that are locked: all but those that are not read.
    pub fn read(&self) -> impl Iterator<Item = &TablePlan> {
        let unread = self.uses().unread;
        self.tables.iter().filter(move |table| !unread.contains(&table.oid))
    }

    /// The source evaluates what somebody wrote: conditions of rows, masks and subsets, and orders. They may call functions.
    fn asks(&self) -> bool {
        let rows = |table: &TablePlan| {
            matches!(table.rows, Rows::Where { condition: Some(_), .. }) || !table.conditions().is_empty()
        };
        let subset = |subset: &SubsetPlan| {
            subset.seeds.iter().any(|seed| seed.condition.is_some() || seed.order.is_some())
                || subset.nodes.iter().any(|node| node.filter.is_some())
        };
        self.tables.iter().any(rows) || self.subset.as_deref().is_some_and(subset)
    }
}

impl TablePlan {
    /// The columns that are masked in some rows only, each with the SQL boolean of its condition.
    pub fn conditions(&self) -> Vec<(&ColumnPlan, &str)> {
        let decoded: Vec<usize> =
            (0..self.layout.fields.len()).filter(|field| self.layout.fields[*field] != Field::Keep).collect();
        let found = self.mask.conditions.iter().filter_map(|condition| {
            let column = self.columns.get(*decoded.get(condition.column)?)?;
            Some((column, self.select.get(*decoded.get(condition.flag)?)?.as_str()))
        });
        found.collect()
    }

    /// The mask of a column, by its number in `columns`.
    pub fn mask_of(&self, number: usize) -> Option<&MaskSpec> {
        // What is copied as it is has no place among the masks.
        let mut decoded = (0..self.layout.fields.len()).filter(|field| self.layout.fields[*field] != Field::Keep);
        let at = decoded.position(|field| field == number)?;
        self.mask.columns.get(at)?.mask.as_ref()
    }

    pub fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}
