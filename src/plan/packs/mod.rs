//! Rule packs: what a policy must do at least with what the detectors find by name and type.
//!
//! A pack is data (`rules/packs/*.toml`, with its own tests). `secrets` holds always; what `pii` would refuse is told even
//! where the policy does not list it. A column that looks like one of a rule's categories may be kept for a written reason
//! only, and must have a mask that does where a rule names some. A weaker decision needs a reason too, and may carry the day
//! on which it ends.

mod rules;
mod weak;

use super::domain::{Choice, Domains, Resolved};
use super::graph::{Graph, Node, nearest};
use super::policy::Own;
use super::propose;
use super::written::header;
use crate::config::{Action, Decision, Place, Rows, TableRule, Terms, When};
use crate::detect::Finding;
use crate::error::Report;
use jiff::civil::Date;
use rules::{Decided, Hold, Keep, PACKS, Pack, Rule};
use std::collections::BTreeMap;

/// The least that a policy must do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Floor<'a> {
    /// The packs that hold.
    pub packs: &'a [String],
    /// Where each of them is written; may be empty.
    pub places: &'a [Place],
    /// The day of the run, for reasons that end; none: they do not.
    pub today: Option<Date>,
    /// Nothing is judged: for plans that no data follows. Packs decide what nobody does all the same.
    pub open: bool,
}

/// A rule of a pack that a column falls under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub pack: &'static str,
    pub rule: &'static str,
    pub why: &'static str,
    /// What it wants: `kept for a reason that ends`, `date.shift, date.trunc`.
    pub wants: String,
}

/// What is known of a column beside its decision, for people.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// What its name, table and type suggest, best first.
    pub findings: Vec<Finding>,
    pub held: Vec<Held>,
    /// Why it is kept or masked less than a pack wants, and for how long.
    pub terms: Terms,
}

/// A pack that the source seems to need, and the tables or columns that say so.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Suggested {
    pub pack: &'static str,
    pub because: Vec<String>,
}

impl Suggested {
    /// The tables and columns that say so, the first few by name.
    pub fn told(&self) -> String {
        /// More are counted.
        const SHOWN_MAX: usize = 4;
        let shown: Vec<&str> = self.because.iter().take(SHOWN_MAX).map(String::as_str).collect();
        match self.because.len().saturating_sub(SHOWN_MAX) {
            0 => shown.join(", "),
            more => format!("{} and {more} more", shown.join(", ")),
        }
    }
}

/// Whether a pack wrote a condition, and why the rows it leaves out are kept: nobody looked at these.
pub fn leaves_out(when: &When) -> bool {
    let mut actions = PACKS.iter().flat_map(|pack| &pack.rule).flat_map(|rule| &rule.actions);
    actions.any(|(action, _)| matches!(action, Action::Mask(mask) if mask.when.as_ref() == Some(when)))
}

/// Whether a reason to keep a column is one of a pack that holds for what the values should be: these are looked at.
pub fn is_looked_at(reason: &str) -> bool {
    let rules = PACKS.iter().flat_map(|pack| &pack.rule).filter(|rule| rule.looked_at);
    let mut actions = rules.flat_map(|rule| &rule.actions);
    actions.any(|(action, _)| matches!(action, Action::Keep { reason: Some(why) } if why == reason))
}

fn holds(pack: &Pack, names: &[String]) -> bool {
    pack.hold == Hold::Always || names.contains(&pack.name)
}

/// Every rule of the packs that hold.
fn held(floor: &Floor<'_>) -> impl Iterator<Item = (&'static Pack, &'static Rule)> {
    let packs = PACKS.iter().filter(|pack| holds(pack, floor.packs)).collect::<Vec<_>>().into_iter();
    packs.flat_map(|pack| pack.rule.iter().map(move |rule| (pack, rule)))
}

/// What rules decide by example: pack, rule, column and decision.
#[cfg(test)]
pub(super) fn examples() -> Vec<(&'static str, &'static str, &'static str, &'static str)> {
    let rules = PACKS.iter().flat_map(|pack| pack.rule.iter().map(move |rule| (pack, rule)));
    let examples = rules.flat_map(|(pack, rule)| rule.decides.iter().map(move |example| (pack, rule, example)));
    examples.map(|(pack, rule, example)| (&*pack.name, &*rule.id, &*example.column, &*example.decision)).collect()
}

/// The decision of a pack for a column that the policy leaves open.
pub(super) fn decide(graph: &Graph<'_>, node: Node, floor: &Floor<'_>) -> Option<Own<'static>> {
    let known = &graph.nodes[node];
    let table = &graph.groups[known.group].root.name;
    let rules = held(floor).filter(|(_, rule)| rule.about(table, &known.column.name, None));
    let (pack, rule, (action, terms)) = rules
        .filter_map(|(pack, rule)| {
            let first = rule.actions.iter().find(|(action, _)| propose::fits(graph, node, action))?;
            Some((pack, rule, first))
        })
        .next()?;
    let because = format!("pack {}, rule {}", pack.name, rule.id);
    Some(Own { action, place: &rule.place, because, terms, listed: false, named: true })
}

/// The rule of a pack that leaves the rows of a table behind, where the policy does not say which to take.
pub(super) fn empties(table: &str, floor: &Floor<'_>) -> Option<String> {
    let (pack, rule) = held(floor).find(|(_, rule)| rule.empty && rule.about_table(table))?;
    Some(format!("pack {}, rule {}", pack.name, rule.id))
}

/// Packs for frameworks and side effects that the names of tables and columns ask for, and the policy does not list.
pub(super) fn suggested(graph: &Graph<'_>, floor: &Floor<'_>) -> Vec<Suggested> {
    let names: Vec<String> = graph.groups.iter().map(|group| group.root.name.to_lowercase()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let open = PACKS.iter().filter(|pack| pack.hold == Hold::Listed && !floor.packs.contains(&pack.name));
    let found = open.map(|pack| {
        let because: Vec<String> = match pack.found_by.is_empty() {
            false if pack.framework(&names) => pack.found_by.clone(),
            false => Vec::new(),
            true => effects(graph, pack),
        };
        Suggested { pack: &pack.name, because }
    });
    found.filter(|found| !found.because.is_empty()).collect()
}

/// The tables and columns that rules of a pack name.
fn effects(graph: &Graph<'_>, pack: &Pack) -> Vec<String> {
    let named = |rule: &&Rule| !rule.tables.is_empty();
    let tables = graph.groups.iter().filter(|group| {
        let mut rules = pack.rule.iter().filter(named);
        rules.any(|rule| rule.empty && rule.about_table(&group.root.name))
    });
    let columns = (0..graph.nodes.len()).filter(|node| {
        let known = &graph.nodes[*node];
        let table = &graph.groups[known.group].root.name;
        let mut rules = pack.rule.iter().filter(named);
        rules.any(|rule| {
            let fits = || rule.actions.iter().any(|(action, _)| propose::fits(graph, *node, action));
            rule.about(table, &known.column.name, None) && fits()
        })
    });
    tables.map(|group| group.root.full_name()).chain(columns.map(|node| graph.name(node))).collect()
}

/// What is known of a column beside its decision.
pub(super) fn about(graph: &Graph<'_>, domains: &Domains, node: Node, floor: &Floor<'_>) -> About {
    let known = &graph.nodes[node];
    let findings = propose::findings(graph, node);
    let category = findings.iter().find(|finding| finding.found()).map(|finding| finding.category.name.as_str());
    let table = &graph.groups[known.group].root.name;
    let rules = held(floor).filter(|(_, rule)| rule.about(table, &known.column.name, category));
    let held = rules.filter(|(_, rule)| !rule.wants().is_empty()).map(|(pack, rule)| Held {
        pack: &pack.name,
        rule: &rule.id,
        why: &rule.why,
        wants: rule.wants(),
    });
    let terms = domains.resolved[node].as_ref().map(|resolved| resolved.terms.clone()).unwrap_or_default();
    About { held: held.collect(), findings, terms }
}

/// The packs that hold, and a report for every name that is none.
fn chosen(floor: &Floor<'_>, reports: &mut Vec<Report>) -> Vec<&'static Pack> {
    let names = floor.packs;
    let unknown = |(_, name): &(usize, &String)| !PACKS.iter().any(|pack| pack.name == **name);
    for (at, name) in names.iter().enumerate().filter(unknown) {
        let report = Report::new("plan::unknown-pack", format!("\"{name}\" is no rule pack"));
        let report = Report { place: floor.places.get(at).map(super::place), ..report };
        let known: Vec<&str> = PACKS.iter().map(|pack| pack.name.as_str()).collect();
        let near = nearest(name, known.iter().copied());
        reports.push(match near {
            Some(near) => {
                report.hint(format!("Did you mean \"{near}\"? `packs` in [policy] takes {}.", known.join(", ")))
            }
            None => report.hint(format!("`packs` in [policy] takes {}.", known.join(", "))),
        });
    }
    PACKS.iter().filter(|pack| holds(pack, names)).collect()
}

/// Reports columns that look personal and are decided too weakly, per table, with the lines to paste; and reasons that
/// have ended. What `pii` would refuse where the policy does not list it, and `secrets` where it lists nothing, is a
/// warning.
pub(super) fn check(
    graph: &Graph<'_>,
    rows: &[Rows],
    domains: &Domains,
    rules: &[TableRule],
    floor: &Floor<'_>,
    reports: &mut Vec<Report>,
    warnings: &mut Vec<String>,
) {
    if floor.open {
        return;
    }
    expired(rules, floor.today, reports);
    // A policy that lists no pack was written before there were any, or for data that needs none: it is told.
    let packs = if floor.packs.is_empty() { Vec::new() } else { chosen(floor, reports) };
    let told = |pack: &&Pack| pack.hold != Hold::Listed && !packs.iter().any(|held| held.name == pack.name);
    let told: Vec<&Pack> = PACKS.iter().filter(told).collect();
    let copied = (0..graph.nodes.len()).filter(|node| rows[graph.nodes[*node].group] != Rows::None);
    let weak: Vec<String> = copied
        .filter(|node| wrong(graph, domains, *node, &told).is_some())
        .map(|node| format!("\"{}\"", graph.name(node)))
        .collect();
    warnings.extend(left_out(&weak));
    for group in (0..graph.groups.len()).filter(|group| rows[*group] != Rows::None) {
        let wrong: Vec<Wrong> = graph.nodes_of(group).filter_map(|node| wrong(graph, domains, node, &packs)).collect();
        reports.extend(report(graph, group, &wrong, rules));
    }
}

/// What the packs would refuse that the policy does not list.
fn left_out(columns: &[String]) -> Option<String> {
    /// Columns a warning names.
    const SHOWN_MAX: usize = 5;
    let shown = columns.get(..SHOWN_MAX.min(columns.len()))?.join(", ");
    let more = match columns.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let looks = if columns.len() == 1 { "looks personal or secret and is" } else { "look personal or secret and are" };
    (!columns.is_empty()).then(|| {
        format!(
            "{shown}{more} {looks} kept, or masked too little, without a reason; `packs = [\"pii\", \"secrets\"]` under [policy] \
             refuses that, with the lines to paste"
        )
    })
}

/// A column that breaks a rule.
struct Wrong {
    node: Node,
    place: Option<String>,
    detail: String,
    proposal: String,
    dated: bool,
}

fn wrong(graph: &Graph<'_>, domains: &Domains, node: Node, packs: &[&Pack]) -> Option<Wrong> {
    let resolved = domains.resolved[node].as_ref()?;
    let known = &graph.nodes[node];
    let (table, column) = (&graph.groups[known.group].root.name, &known.column.name);
    let findings = propose::findings(graph, node);
    let category = findings.iter().find(|finding| finding.found()).map(|finding| finding.category.name.as_str());
    let decided = decided(resolved, category)?;
    let others = others(resolved);
    let terms = own_terms(resolved);
    let rules = packs.iter().flat_map(|pack| pack.rule.iter().map(move |rule| (pack, rule)));
    let (pack, rule, why) =
        rules.filter(|(_, rule)| rule.about(table, column, category)).find_map(|(pack, rule)| {
            let other = || {
                let why = rule.judge(Decided::Keep, others.as_ref()?)?;
                Some(format!("where `when` does not hold, {why}"))
            };
            Some((pack, rule, rule.judge(decided, &terms).or_else(other)?))
        })?;
    let looks = match category.filter(|_| !rule.categories.is_empty()) {
        Some(category) => format!("{column} looks like {category}, and {why}"),
        None => format!("{column} is named by a rule, and {why}"),
    };
    let general = match terms.reason.is_none() && resolved.terms.reason.is_some() {
        true => " Where a rule does not name table and column, one word is no reason of this column.",
        false => "",
    };
    let fitting = rule.decide.iter().zip(&rule.actions).find(|(_, (action, _))| propose::fits(graph, node, action));
    Some(Wrong {
        node,
        place: resolved.place.as_ref().map(super::place),
        detail: format!("{looks} (pack {}, rule {}). {}{general}", pack.name, rule.id, rule.why),
        proposal: fitting.map_or_else(|| propose::proposal(graph, node), |(text, _)| text.clone()),
        dated: rule.keep == Keep::Dated,
    })
}

fn decided<'a>(resolved: &'a Resolved, looks: Option<&'a str>) -> Option<Decided<'a>> {
    match &resolved.choice {
        Choice::Keep { .. } if resolved.inherited => None,
        Choice::Keep { .. } => Some(Decided::Keep),
        Choice::Mask(mask) => Some(Decided::Mask { kind: mask.kind.name, params: &mask.params, looks }),
        Choice::Null | Choice::Const(_) => None,
    }
}

/// The reason that counts for a column: that of a rule for many, of which nobody may have thought of this one, only where it
/// says more than a word.
fn own_terms(resolved: &Resolved) -> Terms {
    let Terms { reason, until } = &resolved.terms;
    let speaks = |reason: &&String| resolved.named || reason.split_whitespace().nth(1).is_some();
    Terms { reason: reason.as_ref().filter(speaks).cloned(), until: *until }
}

/// What holds for the rows that a condition leaves out, if they keep their values.
fn others(resolved: &Resolved) -> Option<Terms> {
    let Choice::Mask(mask) = &resolved.choice else { return None };
    let When { keep: reason @ Some(_), until, .. } = mask.when.clone()? else { return None };
    Some(Terms { reason, until })
}

fn report(graph: &Graph<'_>, group: usize, wrong: &[Wrong], rules: &[TableRule]) -> Option<Report> {
    let first = wrong.first()?;
    let table = graph.groups[group].root.full_name();
    let message = match wrong {
        [one] => format!("column \"{}\" is decided below the floor", graph.name(one.node)),
        several => format!("{} columns of \"{table}\" are decided below the floor", several.len()),
    };
    let mut hint = match header(rules, &table) {
        (header, Some(at)) => format!("Under {header} ({at}), in place of what decides them now:"),
        (header, None) => header,
    };
    for Wrong { node, proposal, .. } in wrong {
        let column = propose::column_key(&graph.nodes[*node].column.name);
        hint.push_str(&format!("\n{column} = {proposal}"));
    }
    let until = if wrong.iter().any(|wrong| wrong.dated) { ", until = 2027-01-31" } else { "" };
    hint.push_str(&format!(
        "\nOr say why not: {{ keep = \"…\"{until} }}, and `reason = \"…\"{until}` beside a mask that does less."
    ));
    let details: Vec<&str> = wrong.iter().map(|wrong| wrong.detail.as_str()).collect();
    let mut report = Report::new("plan::floor", message).detail(details.join("\n")).hint(hint);
    report.place.clone_from(&first.place);
    Some(report)
}

/// Reports decisions whose reason has ended.
fn expired(rules: &[TableRule], today: Option<Date>, reports: &mut Vec<Report>) {
    let Some(today) = today else { return };
    let decisions = rules.iter().flat_map(|rule| {
        let listed = rule.columns.iter().map(|(name, decision)| (name.as_str(), decision));
        let default = rule.default.iter().map(|decision| ("default", decision));
        listed.chain(default).map(move |(name, decision)| (rule, name, decision))
    });
    let mut told: BTreeMap<String, ()> = BTreeMap::new();
    for (rule, name, Decision { place, terms, action }) in decisions {
        let others = match action {
            Action::Mask(mask) => mask.when.as_ref(),
            Action::Keep { .. } | Action::Null => None,
        };
        let others = others.map(|when| Terms { reason: when.keep.clone(), until: when.until });
        let ended = |terms: &&Terms| terms.until.is_some_and(|until| until < today);
        let Some(terms) = [Some(terms), others.as_ref()].into_iter().flatten().find(ended) else { continue };
        let Some(until) = terms.until else { continue };
        if told.insert(super::place(place), ()).is_some() {
            continue;
        }
        reports.push(
            Report::new(
                "plan::expired",
                format!("what [tables.\"{}\"] allows for `{name}` ended on {until}", rule.pattern),
            )
            .place(super::place(place))
            .detail(format!(
                "Its reason: {}.",
                terms.reason.as_deref().unwrap_or("none was given").trim_end_matches('.')
            ))
            .hint("Decide the column anew, or give another day if the reason still holds: until = 2027-01-31"),
        );
    }
}

#[cfg(test)]
mod tests;
