//! Checks that unique indexes and exclusion constraints still hold after masking.

use super::anchor;
use super::domain::{Choice, Domains, words};
use super::fit::{at, by_subject, folds, injective};
use super::graph::{Graph, Node};
use super::sql::{is_lower, mentions, only_null_tests, without_literals};
use crate::catalog::{Constraint, ConstraintKind, UniqueIndex};
use crate::error::Report;
use crate::mask::kind::Injective;
use std::collections::BTreeSet;

/// Rows up to which two of 2^80 masks meet with a chance below one in a million: n² / 2^81 < 10^-6.
const ROWS_80_BITS: u64 = 1_554_944_255;

/// Why a column spoils uniqueness.
type Spoiler = (Node, String);

/// Reports every unique index and exclusion constraint that a decision could violate.
pub(super) fn check(graph: &Graph<'_>, domains: &Domains, reports: &mut Vec<Report>) {
    // Partitions repeat the indexes of their root; one report is enough.
    let mut told: BTreeSet<(Node, String)> = BTreeSet::new();
    for number in 0..graph.groups.len() {
        let group = &graph.groups[number];
        for index in &group.uniques {
            let Some(spoilers) = index_spoilers(graph, domains, number, index) else { continue };
            for (node, why) in spoilers {
                if told.insert((node, why.clone())) {
                    reports.push(report(graph, domains, node, &format!("unique index \"{}\"", index.name), why));
                }
            }
        }
        for constraint in group.constraints.iter().filter(|known| known.kind == ConstraintKind::Exclusion) {
            for (node, why) in exclusion_spoilers(graph, domains, number, constraint) {
                if told.insert((node, why.clone())) {
                    let what = format!("exclusion constraint \"{}\"", constraint.name);
                    reports.push(report(graph, domains, node, &what, why));
                }
            }
        }
    }
}

fn report(graph: &Graph<'_>, domains: &Domains, node: Node, what: &str, why: String) -> Report {
    let resolved = domains.resolved[node].as_ref();
    let choice = resolved.map_or_else(String::new, |resolved| words(&resolved.choice));
    let report = Report::new(
        "plan::unique-column",
        format!("column \"{}\" is part of {what}, and {choice} would not keep it unique", graph.name(node)),
    )
    .detail(why)
    .hint("Choose a kind that keeps different values different (`int`, `uuid`, `pattern`, `email`, …), or keep the column.");
    match resolved {
        Some(resolved) => at(resolved, report),
        None => report,
    }
}

fn choice(domains: &Domains, node: Node) -> Option<&Choice> {
    domains.resolved[node].as_ref().map(|resolved| &resolved.choice)
}

/// A choice that changes the values of a column.
fn changes(domains: &Domains, node: Node) -> bool {
    choice(domains, node).is_some_and(|choice| !matches!(choice, Choice::Keep { .. }))
}

/// Finds the columns that make an index collide; none if it cannot.
fn index_spoilers(graph: &Graph<'_>, domains: &Domains, group: usize, index: &UniqueIndex) -> Option<Vec<Spoiler>> {
    let keys: Vec<Node> = index
        .columns
        .iter()
        .filter(|attnum| **attnum != 0)
        .filter_map(|attnum| graph.node_at(index.table, *attnum))
        .collect();
    let nulled = |node: &Node| choice(domains, *node) == Some(&Choice::Null);
    if index.nulls_distinct && keys.iter().any(nulled) {
        return None;
    }
    let mut spoilers: Vec<Spoiler> =
        keys.iter().filter_map(|node| Some((*node, key_spoils(graph, domains, group, *node)?))).collect();
    if !spoilers.is_empty() {
        let good: Vec<Node> = keys.iter().copied().filter(|node| spoilers.iter().all(|(bad, _)| bad != node)).collect();
        // Columns that are unique without the bad ones stay so.
        if !good.is_empty() && anchor::is_unique(graph, group, &good) {
            spoilers.clear();
        }
    }
    let used: Vec<Node> =
        index.expression_columns.iter().filter_map(|attnum| graph.node_at(index.table, *attnum)).collect();
    for expression in &index.expressions {
        spoilers.extend(expression_spoilers(graph, domains, expression, &used));
    }
    if let Some(predicate) = &index.predicate {
        spoilers.extend(predicate_spoilers(graph, domains, predicate, &used));
    }
    Some(spoilers)
}

/// Why a plain key column can collide.
fn key_spoils(graph: &Graph<'_>, domains: &Domains, group: usize, node: Node) -> Option<String> {
    let column = &graph.nodes[node];
    if let Some(generation) = &column.column.generation {
        let used: Vec<Node> = graph.nodes_of(group).collect();
        return expression_spoilers(graph, domains, generation, &used).pop().map(|(_, why)| why);
    }
    match choice(domains, node)? {
        Choice::Keep { .. } => None,
        Choice::Null => Some("NULLs are not distinct in it.".to_owned()),
        Choice::Const(_) => Some("A constant is the same in every row.".to_owned()),
        Choice::Mask(mask) if by_subject(mask) => {
            let own_subject = mask.subject.as_deref().and_then(|subject| graph.node(group, subject));
            let per_row = own_subject
                .is_some_and(|subject| graph.nodes[subject].not_null && anchor::is_unique(graph, group, &[subject]));
            (!per_row || mask.promise().injective == Injective::No)
                .then(|| "Two rows of one subject, or two subjects, can get the same mask.".to_owned())
        }
        Choice::Mask(mask) if !injective(mask) => Some(match mask.promise().capacity {
            Some(capacity) => format!("Two values can get the same mask: there are {capacity} at most."),
            None => "Two values can get the same mask.".to_owned(),
        }),
        Choice::Mask(mask) if mask.promise().injective == Injective::Bits80 && rows(graph, group) > ROWS_80_BITS => {
            Some(format!("An 80-bit mask is safe up to {ROWS_80_BITS} rows."))
        }
        Choice::Mask(mask) if column.folding && !folds(mask) => {
            Some("The column ignores case; the masks of two values could differ in case only.".to_owned())
        }
        Choice::Mask(_) => None,
    }
}

fn rows(graph: &Graph<'_>, group: usize) -> u64 {
    graph.groups[group].leaves.iter().map(|leaf| leaf.rows).sum()
}

/// An expression keeps its uniqueness only as `lower(column)` with a kind that folds case and gives lower case.
fn expression_spoilers(graph: &Graph<'_>, domains: &Domains, expression: &str, used: &[Node]) -> Vec<Spoiler> {
    let named = |node: &Node| mentions(expression, &graph.nodes[*node].column.name);
    used.iter()
        .copied()
        .filter(|node| named(node) && changes(domains, *node))
        .filter(|node| match choice(domains, *node) {
            Some(Choice::Mask(mask)) => {
                !(is_lower(expression, &graph.nodes[*node].column.name) && folds(mask) && injective(mask))
            }
            Some(Choice::Null) => !is_lower(expression, &graph.nodes[*node].column.name),
            _ => true,
        })
        .map(|node| {
            let shown = without_literals(expression);
            (node, format!("Its expression is {shown}; only kinds that fold case keep lower(…) unique."))
        })
        .collect()
}

/// Masks may stand in a condition that only tests for NULL; NULL itself where it makes the condition false.
fn predicate_spoilers(graph: &Graph<'_>, domains: &Domains, predicate: &str, used: &[Node]) -> Vec<Spoiler> {
    let why = || format!("Its condition {} would hold for other rows.", without_literals(predicate));
    used.iter()
        .copied()
        .filter(|node| changes(domains, *node) && mentions(predicate, &graph.nodes[*node].column.name))
        .filter(|node| {
            let name = &graph.nodes[*node].column.name;
            let tests = only_null_tests(predicate, name);
            match choice(domains, *node) {
                Some(Choice::Mask(_)) => !tests,
                Some(Choice::Null) => !(tests && predicate.contains("IS NOT NULL") && !predicate.contains(" OR ")),
                _ => !tests,
            }
        })
        .map(|node| (node, why()))
        .collect()
}

fn exclusion_spoilers(graph: &Graph<'_>, domains: &Domains, group: usize, constraint: &Constraint) -> Vec<Spoiler> {
    let mut spoilers = Vec::new();
    let mut plain = BTreeSet::new();
    for (place, attnum) in constraint.columns.iter().enumerate().filter(|(_, attnum)| **attnum != 0) {
        let Some(node) = graph.node_at(constraint.table, *attnum) else { continue };
        plain.insert(node);
        let equality = constraint.operators.get(place).is_some_and(|operator| operator == "=");
        match choice(domains, node) {
            Some(Choice::Mask(_)) if !equality => {
                spoilers.push((node, "It is compared by more than equality.".to_owned()));
            }
            Some(Choice::Mask(_) | Choice::Const(_)) => {
                spoilers.extend(key_spoils(graph, domains, group, node).map(|why| (node, why)));
            }
            _ => {}
        }
    }
    for node in graph.nodes_of(group).filter(|node| !plain.contains(node)) {
        let masked = matches!(choice(domains, node), Some(Choice::Mask(_) | Choice::Const(_)));
        if masked && mentions(&constraint.definition, &graph.nodes[node].column.name) {
            spoilers.push((node, "It is compared inside an expression.".to_owned()));
        }
    }
    spoilers
}
