//! What the policy itself says about each column, before foreign keys are followed.

use super::graph::{Graph, Node, nearest};
use super::{Policy, packs, place};
use crate::config::{Action, Decision, Place, Rows, Specificity, TableRule, Terms, matches, specificity};
use crate::error::Report;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The decision a rule makes for a column.
#[derive(Clone)]
pub(super) struct Own<'a> {
    pub action: &'a Action,
    pub place: &'a Place,
    pub because: String,
    pub terms: &'a Terms,
    /// The rule lists the column (by name or glob); a `default` only fills gaps, and a foreign key goes before it.
    pub listed: bool,
    /// Its line names this table and column, neither by a wildcard.
    pub named: bool,
}

/// The policy applied to every group.
pub(super) struct Decisions<'a> {
    /// By node.
    pub own: Vec<Option<Own<'a>>>,
    /// By group.
    pub rows: Vec<Rows>,
    /// The pack that leaves the rows of a group behind.
    pub emptied: BTreeMap<usize, String>,
    /// Nodes for which a problem was reported already.
    pub broken: BTreeSet<Node>,
}

/// A pattern that has to be tried on names; all others are looked up.
fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '\\'])
}

/// How closely a table rule names a table: the leaf's own name (2), its root's name (1), a glob (0).
type Rank = (u8, Specificity);
/// How closely a line names a column: the name itself, or a glob. None for `default`.
type Closeness = Option<(bool, Specificity)>;

/// Rules found by name without trying each one on each table.
struct Rules<'a> {
    exact: HashMap<&'a str, Vec<&'a TableRule>>,
    globs: Vec<&'a TableRule>,
}

impl<'a> Rules<'a> {
    fn new(rules: &'a [TableRule]) -> Self {
        let mut found = Self { exact: HashMap::new(), globs: Vec::new() };
        for rule in rules {
            if is_glob(&rule.pattern) {
                found.globs.push(rule);
            } else {
                found.exact.entry(rule.pattern.as_str()).or_default().push(rule);
            }
        }
        found
    }

    /// The rules for a table, most specific first, in classes of equal rank.
    fn classes(&self, name: &str, root: &str) -> Vec<(Rank, Vec<&'a TableRule>)> {
        let mut classes: BTreeMap<Rank, Vec<&'a TableRule>> = BTreeMap::new();
        for (own, name) in [(2, name), (1, root)].into_iter().take(if name == root { 1 } else { 2 }) {
            for rule in self.exact.get(name).into_iter().flatten() {
                classes.entry((own, specificity(&rule.pattern))).or_default().push(rule);
            }
        }
        for rule in &self.globs {
            if matches(&rule.pattern, name) || matches(&rule.pattern, root) {
                classes.entry((0, specificity(&rule.pattern))).or_default().push(rule);
            }
        }
        classes.into_iter().rev().collect()
    }
}

/// Decides every column by the rules alone, then by packs, and reports rules that name nothing or contradict each other.
pub(super) fn decide<'a>(graph: &Graph<'_>, policy: &Policy<'a>, reports: &mut Vec<Report>) -> Decisions<'a> {
    let rules = Rules::new(policy.rules);
    let mut decisions = Decisions {
        own: vec![None; graph.nodes.len()],
        rows: Vec::new(),
        emptied: BTreeMap::new(),
        broken: BTreeSet::new(),
    };
    for number in 0..graph.groups.len() {
        let rows = decide_group(graph, &rules, number, &mut decisions, reports);
        // Where the policy is silent, packs decide.
        let emptied = rows.is_none().then(|| packs::empties(&graph.groups[number].root.name, &policy.floor)).flatten();
        decisions.rows.push(rows.unwrap_or(if emptied.is_some() { Rows::None } else { Rows::All }));
        decisions.emptied.extend(emptied.map(|because| (number, because)));
        let open = |node: &Node| {
            let known = &decisions.own[*node];
            known.is_none() && !decisions.broken.contains(node) && !graph.nodes[*node].column.generated
        };
        let open: Vec<Node> = graph.nodes_of(number).filter(open).collect();
        for node in open {
            decisions.own[node] = packs::decide(graph, node, &policy.floor);
        }
    }
    report_unknown(graph, policy.rules, reports);
    decisions
}

fn decide_group<'a>(
    graph: &Graph<'_>,
    rules: &Rules<'a>,
    number: usize,
    decisions: &mut Decisions<'a>,
    reports: &mut Vec<Report>,
) -> Option<Rows> {
    let group = &graph.groups[number];
    let root = group.root.full_name();
    let mut names: Vec<String> = group.leaves.iter().map(|leaf| leaf.full_name()).collect();
    if names.is_empty() {
        names.push(root.clone());
    }
    let mut rows: Option<(&String, Option<Rows>)> = None;
    for (leaf, name) in names.iter().enumerate() {
        let classes = rules.classes(name, &root);
        let found = rows_of(&classes, name, reports);
        match &rows {
            None => rows = Some((name, found)),
            Some((first, rows)) if rows.clone().unwrap_or_default() != found.clone().unwrap_or_default() => {
                reports.push(partition_conflict(&root, "rows", first, name));
            }
            Some(_) => {}
        }
        for node in graph.nodes_of(number).filter(|node| !graph.nodes[*node].column.generated) {
            if decisions.broken.contains(&node) {
                continue;
            }
            let column = &graph.nodes[node].column.name;
            let found = match decide_column(&classes, column) {
                Ok(found) => found,
                Err(pair) => {
                    decisions.broken.insert(node);
                    reports.push(ambiguous(&format!("column \"{}\"", graph.name(node)), &pair));
                    continue;
                }
            };
            if leaf == 0 {
                decisions.own[node] = found;
            } else if decisions.own[node].as_ref().map(|own| own.action) != found.as_ref().map(|own| own.action) {
                decisions.broken.insert(node);
                reports.push(partition_conflict(&root, &format!("column \"{column}\""), &names[0], name));
            }
        }
    }
    rows.and_then(|(_, rows)| rows)
}

/// Which rows the most specific rule takes; none if no rule says it.
fn rows_of(classes: &[(Rank, Vec<&TableRule>)], table: &str, reports: &mut Vec<Report>) -> Option<Rows> {
    for (_, class) in classes {
        let mut found = class.iter().filter_map(|rule| Some((rule, rule.rows.as_ref()?)));
        let Some((first, rows)) = found.next() else { continue };
        if let Some((other, _)) = found.find(|(_, other)| *other != rows) {
            let pair = [(first.pattern.clone(), first.place.clone()), (other.pattern.clone(), other.place.clone())];
            reports.push(ambiguous(&format!("`rows` of table \"{table}\""), &pair));
        }
        return Some(rows.clone());
    }
    None
}

type Pair = [(String, Place); 2];

/// Finds the decision of the most specific rule that has one; two that contradict each other are returned as an error.
fn decide_column<'a>(classes: &[(Rank, Vec<&'a TableRule>)], column: &str) -> Result<Option<Own<'a>>, Pair> {
    for (_, class) in classes {
        // Exact name, then globs by length of their literal text, then the default.
        let mut best: Option<(Closeness, &'a TableRule, &'a Decision)> = None;
        for &rule in class {
            let listed = rule
                .columns
                .iter()
                .filter(|(pattern, _)| pattern == column || (is_glob(pattern) && matches(pattern, column)))
                .map(|(pattern, decision)| (Some((pattern == column, specificity(pattern))), decision));
            let default = rule.default.iter().map(|decision| (None, decision));
            for (closeness, decision) in listed.chain(default) {
                match &best {
                    Some((rank, ..)) if *rank > closeness => {}
                    Some((rank, other, chosen)) if *rank == closeness && chosen.action != decision.action => {
                        return Err([
                            (other.pattern.clone(), chosen.place.clone()),
                            (rule.pattern.clone(), decision.place.clone()),
                        ]);
                    }
                    Some((rank, ..)) if *rank == closeness => {}
                    _ => best = Some((closeness, rule, decision)),
                }
            }
        }
        if let Some((closeness, rule, decision)) = best {
            let default = if closeness.is_none() { " default" } else { "" };
            return Ok(Some(Own {
                action: &decision.action,
                place: &decision.place,
                terms: &decision.terms,
                because: format!("{} [tables.\"{}\"]{default}", place(&decision.place), rule.pattern),
                listed: closeness.is_some(),
                named: closeness.is_some_and(|(exact, _)| exact) && !is_glob(&rule.pattern),
            }));
        }
    }
    Ok(None)
}

fn ambiguous(what: &str, [(first, first_at), (second, second_at)]: &Pair) -> Report {
    Report::new("plan::ambiguous-rule", format!("two rules decide {what} differently"))
        .place(place(second_at))
        .detail(format!(
            "[tables.\"{first}\"] at {} and [tables.\"{second}\"] at {} name it equally closely.",
            place(first_at),
            place(second_at)
        ))
        .hint("Keep one of the two, or list the exact name: an exact name goes before a glob.")
}

fn partition_conflict(root: &str, what: &str, first: &str, second: &str) -> Report {
    Report::new("plan::partition-conflict", format!("partitions of \"{root}\" decide {what} differently"))
        .detail(format!("\"{first}\" and \"{second}\" are parts of one table."))
        .hint(format!("Decide it once, under [tables.\"{root}\"]."))
}

/// What the rules of a policy can name.
struct Names<'g> {
    tables: BTreeSet<String>,
    columns: HashMap<String, BTreeSet<&'g str>>,
}

impl<'g> Names<'g> {
    fn new(graph: &Graph<'g>) -> Self {
        let tables = graph.table_names();
        let mut columns: HashMap<String, BTreeSet<&str>> = HashMap::with_capacity(tables.len());
        for table in &graph.catalog.tables {
            columns.insert(table.full_name(), table.columns.iter().map(|column| column.name.as_str()).collect());
        }
        Self { tables, columns }
    }

    /// The columns of the tables that a rule names; none if it names no table.
    fn columns_of(&self, rule: &TableRule) -> Option<BTreeSet<&'g str>> {
        let named: Vec<&String> = if is_glob(&rule.pattern) {
            self.tables.iter().filter(|table| matches(&rule.pattern, table)).collect()
        } else {
            self.tables.get(&rule.pattern).into_iter().collect()
        };
        (!named.is_empty()).then(|| named.iter().flat_map(|table| &self.columns[*table]).copied().collect())
    }
}

fn names_one(pattern: &str, known: &BTreeSet<&str>) -> bool {
    known.contains(pattern) || (is_glob(pattern) && known.iter().any(|column| matches(pattern, column)))
}

/// The rules without what names nothing here.
pub(super) fn of_schema(graph: &Graph<'_>, rules: &[TableRule]) -> Vec<TableRule> {
    let names = Names::new(graph);
    let known = rules.iter().filter_map(|rule| {
        let known = names.columns_of(rule)?;
        let columns = rule.columns.iter().filter(|(pattern, _)| names_one(pattern, &known));
        Some(TableRule { columns: columns.cloned().collect(), ..rule.clone() })
    });
    known.collect()
}

/// The table of the same name in another schema that no rule names yet: there it was moved.
fn moved<'n>(rules: &[TableRule], pattern: &str, names: &'n Names<'_>) -> Option<&'n str> {
    let (_, name) = pattern.split_once('.')?;
    let mut tables = names.tables.iter().filter(|table| table.split_once('.').is_some_and(|(_, own)| own == name));
    tables.find(|table| rules.iter().all(|rule| rule.pattern != **table)).map(String::as_str)
}

/// The table that is called almost so. A schema they share says nothing about the rest of the name.
fn nearest_table<'n>(pattern: &str, names: &'n Names<'_>) -> Option<&'n str> {
    let near = nearest(pattern, names.tables.iter().map(String::as_str))?;
    match (pattern.split_once('.'), near.split_once('.')) {
        (Some((_, asked)), Some((_, found))) => nearest(asked, std::iter::once(found)).map(|_| near),
        _ => Some(near),
    }
}

/// Reports rules for tables and columns that do not exist: a typo there would leave data undecided or unmasked.
fn report_unknown(graph: &Graph<'_>, rules: &[TableRule], reports: &mut Vec<Report>) {
    let names = Names::new(graph);
    for rule in rules {
        let Some(known) = names.columns_of(rule) else {
            // "*" is about every table there may be: of a source without tables, too.
            if rule.pattern.chars().all(|c| matches!(c, '*' | '.')) {
                continue;
            }
            let mut report = Report::new(
                "plan::unknown-table",
                format!("[tables.\"{}\"] names no table of the source", rule.pattern),
            )
            .place(place(&rule.place));
            let near = moved(rules, &rule.pattern, &names).or_else(|| nearest_table(&rule.pattern, &names));
            let gone = "If the table was dropped, remove this entry.";
            report = match near {
                Some(near) => report.hint(format!("Did you mean [tables.\"{near}\"]? {gone}")),
                None => report.hint(format!("{gone} Else correct its name.")),
            };
            reports.push(report);
            continue;
        };
        for (pattern, decision) in rule.columns.iter().filter(|(pattern, _)| !names_one(pattern, &known)) {
            let mut report = Report::new(
                "plan::unknown-column",
                format!("[tables.\"{}\"] decides column \"{pattern}\", which does not exist", rule.pattern),
            )
            .place(place(&decision.place));
            let gone = "If the column was dropped, remove this line.";
            report = match nearest(pattern, known.iter().copied()) {
                Some(near) => report.hint(format!("Did you mean \"{near}\"? {gone}")),
                None => report.hint(format!("{gone} Else correct its name.")),
            };
            reports.push(report);
        }
    }
}
