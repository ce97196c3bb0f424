//! Checks that unique indexes and exclusion constraints still hold after masking.

use super::anchor;
use super::domain::{Choice, Domains, Mask, words};
use super::fit::{at, by_subject, folds, injective};
use super::graph::{Graph, Node};
use super::propose;
use super::sql::{is_cased, is_strict, mentions, only_null_tests, without_literals};
use crate::catalog::{Constraint, ConstraintKind, UniqueIndex};
use crate::error::Report;
use crate::mask::kind::{Injective, KeyedOn};
use crate::mask::{self, Kind};
use std::collections::BTreeSet;

/// Rows up to which two of 2^80 masks meet with a chance below one in a million: n² / 2^81 < 10^-6.
const ROWS_80_BITS: u64 = 1_554_944_255;

/// Why a column spoils uniqueness, and what would help.
type Spoiler = (Node, String, Help);

/// Which other decision would keep a column unique.
#[derive(Clone, Copy, PartialEq)]
enum Help {
    /// Any kind that keeps different values different.
    Injective,
    /// One whose masks are also in lower case.
    Lower,
    /// No mask can.
    Keep,
}

/// Reports every unique index and exclusion constraint that a decision could violate.
pub(super) fn check(graph: &Graph<'_>, domains: &Domains, reports: &mut Vec<Report>) {
    // Partitions repeat the indexes of their root; one report is enough.
    let mut told: BTreeSet<(Node, String)> = BTreeSet::new();
    for number in 0..graph.groups.len() {
        let group = &graph.groups[number];
        for index in &group.uniques {
            let Some(spoilers) = index_spoilers(graph, domains, number, index) else { continue };
            for spoiler in spoilers {
                if told.insert((spoiler.0, spoiler.1.clone())) {
                    reports.push(report(graph, domains, &format!("unique index \"{}\"", index.name), spoiler));
                }
            }
        }
        for constraint in group.constraints.iter().filter(|known| known.kind == ConstraintKind::Exclusion) {
            for spoiler in exclusion_spoilers(graph, domains, number, constraint) {
                if told.insert((spoiler.0, spoiler.1.clone())) {
                    let what = format!("exclusion constraint \"{}\"", constraint.name);
                    reports.push(report(graph, domains, &what, spoiler));
                }
            }
        }
    }
}

fn report(graph: &Graph<'_>, domains: &Domains, what: &str, (node, why, help): Spoiler) -> Report {
    let part = format!("column \"{}\" is part of {what}", graph.name(node));
    let told = |message: String| Report::new("plan::unique-column", message).detail(why);
    let Some(resolved) = domains.resolved[node].as_ref() else {
        // Nobody decides on a generated column, but on what it is made of.
        let text = graph.nodes[node].column.generation.as_deref().unwrap_or_default();
        let made = graph.nodes_of(graph.nodes[node].group);
        let made = made.filter(|of| changes(domains, *of) && mentions(text, &graph.nodes[*of].column.name));
        let made = made.map(|of| format!("\"{}\"", graph.name(of))).collect::<Vec<_>>().join(", ");
        return told(format!("{part}, and what it is generated from is changed, which would not keep it unique"))
            .hint(format!("Keep {made} with a reason, or leave out the rows of the table."));
    };
    let report = told(format!("{part}, and {} would not keep it unique", words(&resolved.choice)));
    at(resolved, report.hint(hint(graph, domains, node, help)))
}

/// Names the kinds that this column takes and that would keep it unique.
fn hint(graph: &Graph<'_>, domains: &Domains, node: Node, help: Help) -> String {
    let column = &graph.nodes[node];
    let refused = match choice(domains, node) {
        Some(Choice::Mask(mask)) => mask.kind.name,
        _ => "",
    };
    let can_be = mask::kind(refused).is_some_and(|kind| kind.params.iter().any(|param| param.name == "unique"));
    let same = match can_be && help == Help::Injective {
        true => {
            format!("{} = {{ mask = \"{refused}\", unique = true }}\nOr: ", propose::column_key(&column.column.name))
        }
        false => String::new(),
    };
    let lower = column.folding || help == Help::Lower;
    let fits = |kind: &&&Kind| {
        let unique = kind.injective != Injective::No && !kind.needs_subject && kind.keyed_on != KeyedOn::Nothing;
        let takes = column.shape.as_ref().is_some_and(|shape| kind.takes(shape));
        unique && takes && kind.name != refused && (!lower || kind.lowercase)
    };
    let kinds: Vec<&str> = match help {
        Help::Keep => Vec::new(),
        Help::Injective | Help::Lower => mask::KINDS.iter().filter(fits).map(|kind| kind.name).collect(),
    };
    // Kinds with a dot in their name are for one purpose each; they would make a list that nobody reads.
    let general: Vec<&str> = kinds.iter().copied().filter(|name| !name.contains('.')).collect();
    let kinds = if general.is_empty() { kinds } else { general };
    if kinds.is_empty() {
        return "No mask keeps it unique: keep the column with a reason, or leave out the rows of the table."
            .to_owned();
    }
    let what = if lower { "makes masks in lower case and keeps" } else { "keeps" };
    format!("{same}Choose a kind that {what} different values different ({}), or keep the column.", kinds.join(", "))
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
    let used: Vec<Node> =
        index.expression_columns.iter().filter_map(|attnum| graph.node_at(index.table, *attnum)).collect();
    let nulled = |node: &Node| choice(domains, *node) == Some(&Choice::Null);
    let null = |expression: &String, used: &[Node]| {
        let mut named = used.iter().filter(|node| mentions(expression, &graph.nodes[**node].column.name));
        is_strict(expression) && named.any(nulled)
    };
    let generated = |node: &Node| {
        let column = &graph.nodes[*node].column;
        column.generation.as_ref().is_some_and(|text| null(text, &graph.nodes_of(group).collect::<Vec<_>>()))
    };
    let never_equal = keys.iter().any(|node| nulled(node) || generated(node))
        || index.expressions.iter().any(|expression| null(expression, &used));
    if index.nulls_distinct && never_equal {
        return None;
    }
    let mut spoilers: Vec<Spoiler> = keys.iter().filter_map(|node| key_spoils(graph, domains, group, *node)).collect();
    if !index.nulls_distinct {
        let named =
            |node: &&Node| index.expressions.iter().any(|text| mentions(text, &graph.nodes[**node].column.name));
        let all = keys.iter().chain(used.iter().filter(named));
        let nulls = all.filter(|node| matches!(choice(domains, **node), Some(Choice::Mask(mask)) if mask.nulls_rows()));
        let why = "Rows without the mask become NULL, and NULLs are not distinct in it.";
        spoilers.extend(nulls.map(|node| (*node, why.to_owned(), Help::Keep)));
    }
    if !spoilers.is_empty() {
        let good: Vec<Node> =
            keys.iter().copied().filter(|node| spoilers.iter().all(|(bad, ..)| bad != node)).collect();
        // Columns that are unique without the bad ones stay so.
        if !good.is_empty() && anchor::is_unique(graph, group, &good) {
            spoilers.clear();
        }
    }
    for expression in &index.expressions {
        spoilers.extend(expression_spoilers(graph, domains, expression, &used));
    }
    if let Some(predicate) = &index.predicate {
        spoilers.extend(predicate_spoilers(graph, domains, predicate, &used));
    }
    Some(spoilers)
}

/// Why a plain key column can collide.
fn key_spoils(graph: &Graph<'_>, domains: &Domains, group: usize, node: Node) -> Option<Spoiler> {
    let column = &graph.nodes[node];
    if let Some(generation) = &column.column.generation {
        let used: Vec<Node> = graph.nodes_of(group).collect();
        return expression_spoilers(graph, domains, generation, &used).pop().map(|(_, why, _)| (node, why, Help::Keep));
    }
    let (why, help) = match choice(domains, node)? {
        Choice::Keep { .. } => return None,
        Choice::Null => ("NULLs are not distinct in it.".to_owned(), Help::Injective),
        Choice::Const(_) => ("A constant is the same in every row.".to_owned(), Help::Injective),
        Choice::Mask(mask) if by_subject(mask) => {
            let own_subject = mask.subject.as_deref().and_then(|subject| graph.node(group, subject));
            let per_row = own_subject
                .is_some_and(|subject| graph.nodes[subject].not_null && anchor::is_unique(graph, group, &[subject]));
            if per_row && mask.promise().injective != Injective::No {
                return None;
            }
            ("Two rows of one subject, or two subjects, can get the same mask.".to_owned(), Help::Injective)
        }
        Choice::Mask(mask) if !injective(mask) => {
            let why = match mask.promise().capacity {
                _ if mask.keeps_rows() && mask.promise().injective != Injective::No => {
                    "Some rows keep their value, which may be the mask of another row's value.".to_owned()
                }
                Some(capacity) => format!("Two values can get the same mask: there are {capacity} at most."),
                None => "Two values can get the same mask.".to_owned(),
            };
            (why, Help::Injective)
        }
        Choice::Mask(mask) if mask.promise().injective == Injective::Bits80 && rows(graph, group) > ROWS_80_BITS => {
            (format!("An 80-bit mask is safe up to {ROWS_80_BITS} rows."), Help::Injective)
        }
        Choice::Mask(mask) if column.folding && !in_lower_case(mask) => {
            ("The column ignores case; the masks of two values could differ in case only.".to_owned(), Help::Lower)
        }
        Choice::Mask(_) => return None,
    };
    Some((node, why, help))
}

fn rows(graph: &Graph<'_>, group: usize) -> u64 {
    graph.groups[group].leaves.iter().map(|leaf| leaf.rows).sum()
}

/// No mask of a column has letters in upper case. Values that are not of a kind that folds go through `pattern`, which folds
/// with it.
fn in_lower_case(mask: &Mask) -> bool {
    mask.kind.lowercase && (folds(mask) || !mask.kind.folds)
}

/// An expression keeps its uniqueness only as `lower(column)` or `upper(column)`, with a kind whose masks are in lower case:
/// values that differ in case only are one value there already. Where it is NULL with its column has been looked at before.
fn expression_spoilers(graph: &Graph<'_>, domains: &Domains, expression: &str, used: &[Node]) -> Vec<Spoiler> {
    let cased = |node: &Node| is_cased(expression, &graph.nodes[*node].column.name);
    let stays = |node: &Node| match choice(domains, *node) {
        Some(Choice::Mask(mask)) => cased(node) && in_lower_case(mask) && injective(mask),
        _ => false,
    };
    used.iter()
        .copied()
        .filter(|node| mentions(expression, &graph.nodes[*node].column.name) && changes(domains, *node))
        .filter(|node| !stays(node))
        .map(|node| {
            let shown = without_literals(expression);
            let (why, help) = match cased(&node) {
                true => ("only masks in lower case keep lower(…) and upper(…) unique.", Help::Lower),
                false => ("nobody knows whether it is different for different masks.", Help::Keep),
            };
            (node, format!("Its expression is {shown}; {why}"), help)
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
                Some(Choice::Mask(mask)) if !mask.nulls_rows() && mask.kind.name != "null" => !tests,
                Some(Choice::Null | Choice::Mask(_)) => {
                    !(tests && predicate.contains("IS NOT NULL") && !predicate.contains(" OR "))
                }
                _ => !tests,
            }
        })
        .map(|node| (node, why(), Help::Keep))
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
                spoilers.push((node, "It is compared by more than equality.".to_owned(), Help::Keep));
            }
            Some(Choice::Mask(_) | Choice::Const(_)) => {
                spoilers.extend(key_spoils(graph, domains, group, node));
            }
            _ => {}
        }
    }
    for node in graph.nodes_of(group).filter(|node| !plain.contains(node)) {
        let masked = matches!(choice(domains, node), Some(Choice::Mask(_) | Choice::Const(_)));
        if masked && mentions(&constraint.definition, &graph.nodes[node].column.name) {
            spoilers.push((node, "It is compared inside an expression.".to_owned(), Help::Keep));
        }
    }
    spoilers
}
