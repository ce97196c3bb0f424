//! Checks that every mask fits its column: type, parameters, length, subject, NOT NULL, references.

use super::anchor::Anchor;
use super::domain::{Choice, Domains, Mask, Resolved, words};
use super::graph::{Graph, Node, nearest};
use super::written::{listed, mask_line, under};
use super::{condition, place, propose, unique, whose};
use crate::config::{MaskRule, Rows, TableRule, Terms};
use crate::error::Report;
use crate::mask::kind::{Injective, KeyedOn};
use crate::mask::{self, ColumnSpec, CompileError, MaskSpec, Masker, MasterKey, Params, Refusal, Shape, TableSpec};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Forms decided per (kind, label).
pub(super) type Tiers = BTreeMap<(String, String), u8>;
/// The anchors of the plan, by group and text.
pub(super) type Anchors = HashMap<(usize, String), Anchor>;

/// What the checks found out on the way.
#[derive(Default)]
pub(super) struct Fitted {
    pub tiers: Tiers,
    pub anchors: Anchors,
}

/// The mask of a row depends on its subject, not on the value alone.
pub(super) fn by_subject(mask: &Mask) -> bool {
    let keyed_on = mask.promise().keyed_on;
    mask.kind.needs_subject
        || keyed_on == KeyedOn::Subject
        || (keyed_on == KeyedOn::Either && mask.params.get("by").and_then(Value::as_str) == Some("subject"))
}

/// Two different values of a column never share a mask.
pub(super) fn injective(mask: &Mask) -> bool {
    let injective = mask.promise().injective;
    // A permutation can map a value to one that another row keeps; a tag of 80 bits meets none.
    injective != Injective::No && !by_subject(mask) && !(mask.keeps_rows() && injective == Injective::ByConstruction)
}

/// Masks of values that are equal without regard to case are equal, and stay different otherwise.
pub(super) fn folds(mask: &Mask) -> bool {
    mask.kind.folds && mask.kind.lowercase && mask.params.get("fold").and_then(Value::as_bool) != Some(false)
}

/// As [`folds`], and also for values that are not of the kind: `pattern`, where those go, tells case apart.
fn folds_all(mask: &Mask) -> bool {
    let reads_a_format = mask.kind.params.iter().any(|param| param.name == "on_invalid");
    let on_invalid = mask.params.get("on_invalid").and_then(Value::as_str);
    folds(mask) && (!reads_a_format || matches!(on_invalid, Some("null" | "fail")))
}

/// Checks all columns; every problem is reported once, at the column that has to change.
pub(super) fn check(graph: &Graph<'_>, rules: &[TableRule], domains: &Domains, reports: &mut Vec<Report>) -> Fitted {
    let mut fitted = Fitted::default();
    for (node, resolved) in domains.resolved.iter().enumerate() {
        let Some(resolved) = resolved else { continue };
        match &resolved.choice {
            Choice::Keep { .. } | Choice::Const(_) => {}
            Choice::Null if graph.nodes[node].not_null && !graph.nodes[node].column.generated => {
                reports.push(at(
                    resolved,
                    Report::new(
                        "plan::null-not-null",
                        format!("column \"{}\" is NOT NULL and cannot become NULL", graph.name(node)),
                    )
                    .hint("Choose a mask, or a constant: `{ mask = \"const\", value = \"…\" }`."),
                ));
            }
            Choice::Null => {}
            Choice::Mask(mask) => {
                if let Err(report) = check_mask(graph, rules, node, resolved, mask) {
                    reports.push(at(resolved, *report));
                } else if let Err(report) = check_columns(graph, domains, node, mask) {
                    reports.push(at(resolved, *report));
                } else if let Err(report) = check_subject(graph, domains, node, mask, &mut fitted.anchors) {
                    reports.push(at(resolved, *report));
                } else if let Err(report) = condition::check(graph, node, mask, &mut fitted.anchors) {
                    reports.push(at(resolved, *report));
                }
            }
        }
    }
    check_references(graph, domains, reports);
    fitted.tiers = tiers(graph, domains, reports);
    unique::check(graph, domains, reports);
    fitted
}

/// Adds where the decision stands.
pub(super) fn at(resolved: &Resolved, report: Report) -> Report {
    match &resolved.place {
        Some(at) => report.place(place(at)),
        None => report,
    }
}

fn check_mask(
    graph: &Graph<'_>,
    rules: &[TableRule],
    node: Node,
    resolved: &Resolved,
    mask: &Mask,
) -> Result<(), Box<Report>> {
    let column = &graph.nodes[node];
    let (name, kind) = (graph.name(node), mask.kind.full_name());
    let inherited = (!resolved.listed).then(|| format!("The decision comes from {}.", resolved.because));
    let with = |report: Report| {
        Box::new(match &inherited {
            Some(detail) => report.detail(detail.clone()),
            None => report,
        })
    };
    if column.column.generated {
        return Err(with(
            Report::new("plan::generated-column", format!("column \"{name}\" is generated and cannot be masked"))
                .hint("Mask the columns it is computed from; staging computes it again."),
        ));
    }
    let Some(shape) = &column.shape else {
        return Err(with(
            Report::new(
                "plan::unmaskable-type",
                format!("column \"{name}\" has type {}, which no mask can change", column.column.type_name),
            )
            .hint(way_out(graph, node)),
        ));
    };
    if !mask.kind.takes(shape) {
        let fitting: Vec<&str> = mask::KINDS.iter().filter(|kind| kind.takes(shape)).map(|kind| kind.name).collect();
        return Err(with(
            Report::new(
                "plan::wrong-type",
                format!("mask {kind} does not take column \"{name}\" of type {}", column.column.type_name),
            )
            .hint(format!("Kinds for this type: {}.{}", fitting.join(", "), instead(graph, rules, node))),
        ));
    }
    check_params(mask, &name).map_err(|report| with(*report))
}

/// A line for a column whose type a migration may have changed: it hides what the column holds. None for the ends of
/// references, which are decided together.
fn instead(graph: &Graph<'_>, rules: &[TableRule], node: Node) -> String {
    let table = graph.groups[graph.nodes[node].group].root.full_name();
    let name = &graph.nodes[node].column.name;
    let refers = graph.edges.iter().flat_map(|edge| &edge.pairs).any(|(from, to)| [*from, *to].contains(&node));
    let Some(line) = propose::hiding(graph, node).filter(|_| !refers) else { return String::new() };
    let there = if listed(rules, &table, name).is_some() { ", in place of the line there" } else { "" };
    format!("\nOr hide it{there}:\n{}\n{} = {line}", under(rules, &table), propose::column_key(name))
}

/// Reports parameters that only the mask itself can judge, where the plan is refused anyway and no mask will be built: a label
/// that is none, a program that is not there. Columns that were refused already are left out, and so are masks that read
/// other columns, which are not there before the plan is.
pub(super) fn check_alone(graph: &Graph<'_>, rows: &[Rows], domains: &Domains, reports: &mut Vec<Report>) {
    let told: BTreeSet<String> = reports.iter().filter_map(|report| report.place.clone()).collect();
    // What is made with the key is thrown away: whether parameters can be read depends on none.
    let realm = MasterKey::test().realm("");
    for (node, resolved) in domains.resolved.iter().enumerate() {
        let Some(resolved) = resolved else { continue };
        let column = &graph.nodes[node];
        let (Choice::Mask(mask), Some(at), Some(shape)) = (&resolved.choice, &resolved.place, &column.shape) else {
            continue;
        };
        let alone = mask.kind.columns_read(&mask.params).is_empty() && rows[column.group] != Rows::None;
        if !alone || told.contains(&place(at)) {
            continue;
        }
        // Whether the column that it names is masked is a question about the whole table.
        let params = mask.params.iter().filter(|(name, _)| *name != mask::AFTER);
        let spec = MaskSpec {
            kind: mask.kind.full_name(),
            label: mask.label.clone(),
            params: params.map(|(name, value)| (name.clone(), value.clone())).collect(),
            subject: Some(1),
        };
        let subject = ColumnSpec { name: "subject".to_owned(), shape: Shape::Int8, mask: None };
        let own = ColumnSpec { name: graph.name(node), shape: shape.clone(), mask: Some(spec) };
        let table = TableSpec { columns: vec![own, subject], ..TableSpec::default() };
        let errors = Masker::compile(&realm, &table).err().unwrap_or_default();
        let bad = errors.iter().filter(|error| matches!(error.refusal, Refusal::BadParam { .. }));
        reports.extend(bad.map(|error| cannot_mask(error, &mask.kind.full_name()).place(place(at))));
    }
}

/// A mask that cannot be built.
pub fn cannot_mask(error: &CompileError, kind: &str) -> Report {
    Report::new("plan::mask", error.to_string()).hint(format!("restage kinds {kind}     # tells what it takes"))
}

/// What else can be decided for a column that no mask takes.
fn way_out(graph: &Graph<'_>, node: Node) -> &'static str {
    let referenced = graph.edges.iter().flat_map(|edge| &edge.pairs).any(|(_, to)| *to == node);
    if referenced {
        return "Keep it with a reason: other columns reference it, so it cannot be NULL or constant.";
    }
    if graph.nodes[node].not_null {
        return "It is NOT NULL: decide `{ mask = \"const\", value = \"…\" }`, or keep it with a reason.";
    }
    "Decide \"null\", or keep it with a reason."
}

fn check_params(mask: &Mask, name: &str) -> Result<(), Box<Report>> {
    for (param, value) in &mask.params {
        let kind = mask.kind.full_name();
        let Some(known) = mask.kind.params.iter().find(|known| known.name == param) else {
            let message = format!("mask {kind} of column \"{name}\" has no parameter \"{param}\"");
            let report = Report::new("plan::unknown-parameter", message);
            let names = mask.kind.params.iter().map(|known| known.name);
            return Err(Box::new(match nearest(param, names.clone()) {
                Some(near) => report.hint(format!("Did you mean \"{near}\"?")),
                None if mask.kind.params.is_empty() => report.hint("It takes no parameters."),
                None => report.hint(format!("It takes: {}.", names.collect::<Vec<_>>().join(", "))),
            }));
        };
        if let Some(expected) = known.domain.refuses(value) {
            let message = format!("parameter \"{param}\" of mask {kind} for column \"{name}\" has a wrong value");
            return Err(Box::new(
                Report::new("plan::bad-parameter", message)
                    .detail(format!("It takes {expected}: {}.", known.summary))
                    .hint(format!("restage kinds {}     # tells all parameters", mask.kind.name)),
            ));
        }
    }
    Ok(())
}

/// Checks that every column a mask names is there to be read, kept or masked.
fn check_columns(graph: &Graph<'_>, domains: &Domains, node: Node, mask: &Mask) -> Result<(), Box<Report>> {
    let group = graph.nodes[node].group;
    for column in mask.kind.columns_read(&mask.params) {
        let message =
            format!("mask {} of column \"{}\" cannot read \"{column}\"", mask.kind.full_name(), graph.name(node));
        let report = Report::new("plan::bad-column", message);
        let Some(named) = graph.node(group, &column) else {
            let columns = graph.groups[group].root.columns.iter().map(|column| column.name.as_str());
            return Err(Box::new(match nearest(&column, columns) {
                Some(near) => report.detail("The table has no such column.").hint(format!("Did you mean \"{near}\"?")),
                None => report.detail("The table has no such column."),
            }));
        };
        let known = &graph.nodes[named];
        match domains.resolved[named].as_ref().map(|resolved| &resolved.choice) {
            // A column without a decision is reported for itself.
            _ if known.column.generated => {
                let hint = "Name the columns it is computed from.";
                return Err(Box::new(report.detail("It is generated, so it is not copied.").hint(hint)));
            }
            Some(choice @ (Choice::Null | Choice::Const(_))) => {
                let detail = format!("It is decided \"{}\", so its value never leaves the source.", words(choice));
                return Err(Box::new(report.detail(detail).hint("Name a column that is kept or masked.")));
            }
            _ if known.shape.is_none() => {
                let detail = format!("It has type {}.", known.column.type_name);
                return Err(Box::new(
                    report.detail(detail).hint("Name a column of text, whole numbers, UUIDs or dates."),
                ));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Finds the subject of a mask that needs one, or names one although it does not.
fn check_subject(
    graph: &Graph<'_>,
    domains: &Domains,
    node: Node,
    mask: &Mask,
    anchors: &mut Anchors,
) -> Result<(), Box<Report>> {
    let group = graph.nodes[node].group;
    let (name, kind) = (graph.name(node), mask.kind.full_name());
    let Some(subject) = &mask.subject else {
        if !by_subject(mask) && !mask.promise().needs_subject {
            return Ok(());
        }
        let report = Report::new("plan::missing-subject", format!("mask {kind} of column \"{name}\" needs a subject"))
            .detail("Its masks belong to the person of the row, so the row has to name one.");
        let subject = match whose::column(graph, node, mask.kind.name, whose::Compared::Not) {
            whose::Whose::Person(way) => Some(way),
            whose::Whose::Row | whose::Whose::Other => whose::row(graph, group, node),
        };
        return Err(Box::new(match subject {
            Some(subject) => {
                let rule = MaskRule { subject: Some(subject), ..mask.rule() };
                let column = propose::column_key(&graph.nodes[node].column.name);
                report.hint(format!("{column} = {}", mask_line(&rule, &Terms::default())))
            }
            None => report.hint("Add `subject = \"column\"` or `subject = \"column -> schema.table.column\"`."),
        }));
    };
    let wrong = |detail: String, hint: String| {
        let message = format!("the subject \"{subject}\" of column \"{name}\" cannot be found");
        Box::new(Report::new("plan::bad-subject", message).detail(detail).hint(hint))
    };
    let anchor = Anchor::parse(graph, group, subject).map_err(|(detail, hint)| wrong(detail, hint))?;
    let column = anchor.column();
    if !graph.nodes[column].shape.as_ref().is_some_and(Shape::names_subjects) {
        let detail = format!("\"{}\" has type {}.", graph.name(column), graph.nodes[column].column.type_name);
        return Err(wrong(detail, "A subject is an integer, text, uuid or date.".to_owned()));
    }
    if let Some(Resolved { choice: choice @ (Choice::Null | Choice::Const(_)), .. }) = &domains.resolved[column] {
        let detail = format!(
            "\"{}\" is decided \"{}\", so its value never leaves the source.",
            graph.name(column),
            words(choice)
        );
        return Err(wrong(detail, "Name a column that is kept or masked.".to_owned()));
    }
    anchors.insert((group, subject.clone()), anchor);
    Ok(())
}

/// Reports references that masks, NULLs or constants would break.
fn check_references(graph: &Graph<'_>, domains: &Domains, reports: &mut Vec<Report>) {
    let mut told: BTreeSet<Node> = BTreeSet::new();
    for (edge, _) in graph.edges.iter().zip(&domains.cut).filter(|(_, cut)| !**cut) {
        for &(from, to) in &edge.pairs {
            let Some(resolved) = &domains.resolved[to] else { continue };
            let report = match &resolved.choice {
                Choice::Mask(mask) if mask.when.is_some() && told.insert(to) => {
                    condition::referenced(graph, (from, to), &edge.name)
                }
                Choice::Null | Choice::Const(_) if told.insert(to) => Report::new(
                    "plan::referenced-constant",
                    format!(
                        "column \"{}\" is referenced by \"{}\" ({}) and cannot be decided \"{}\"",
                        graph.name(to),
                        graph.name(from),
                        edge.name,
                        words(&resolved.choice)
                    ),
                )
                .hint(
                    "Keep it, or give it a mask that keeps different values different, such as \"int\" or \"pattern\".",
                ),
                Choice::Mask(mask) if by_subject(mask) && told.insert(to) => Report::new(
                    "plan::subject-keyed-reference",
                    format!(
                        "column \"{}\" is referenced by \"{}\" ({}), but mask {} depends on the row's subject",
                        graph.name(to),
                        graph.name(from),
                        edge.name,
                        mask.kind.full_name()
                    ),
                )
                .hint("Choose a kind that is keyed on the value, so that both sides get the same mask."),
                Choice::Mask(mask) if mask.promise().keyed_on == KeyedOn::Row && told.insert(to) => Report::new(
                    "plan::row-keyed-reference",
                    format!(
                        "column \"{}\" is referenced by \"{}\" ({}), but mask {} depends on more than its value",
                        graph.name(to),
                        graph.name(from),
                        edge.name,
                        mask.kind.full_name()
                    ),
                )
                .hint("Choose a kind that is keyed on the value, so that both sides get the same mask."),
                Choice::Mask(mask) if edge.checked && !injective(mask) && told.insert(to) => Report::new(
                    "plan::not-injective-reference",
                    format!(
                        "column \"{}\" is referenced by \"{}\" ({}), but mask {} can map two values to one",
                        graph.name(to),
                        graph.name(from),
                        edge.name,
                        mask.kind.full_name()
                    ),
                )
                .hint("Choose a kind that keeps different values different; `restage kinds` tells which do."),
                Choice::Mask(mask) => match [from, to].into_iter().find(|node| graph.nodes[*node].folding) {
                    Some(folding) if !folds(mask) && told.insert(to) => Report::new(
                        "plan::case-insensitive-reference",
                        format!(
                            "column \"{}\" ignores case, but mask {} does not, so {} would break",
                            graph.name(folding),
                            mask.kind.full_name(),
                            edge.name
                        ),
                    )
                    .hint("Use \"username\", or \"email\" with `on_invalid = \"fail\"`: they fold case. Or keep the column."),
                    Some(folding) if edge.checked && !folds_all(mask) && told.insert(to) => Report::new(
                        "plan::case-insensitive-reference",
                        format!(
                            "column \"{}\" ignores case, but not all masks of {} do, so {} could break",
                            graph.name(folding),
                            mask.kind.full_name(),
                            edge.name
                        ),
                    )
                    .detail("A value that is not of the kind becomes a pattern, and patterns of two spellings differ.")
                    .hint(format!(
                        "{} = {{ mask = \"{}\", on_invalid = \"fail\" }}     # stops at such a value; \"null\" drops it",
                        propose::column_key(&graph.nodes[to].column.name),
                        mask.kind.name
                    )),
                    _ => continue,
                },
                _ => continue,
            };
            reports.push(at(resolved, report));
        }
    }
}

/// Chooses one form for each (kind, label): the narrowest of its columns decides.
fn tiers(graph: &Graph<'_>, domains: &Domains, reports: &mut Vec<Report>) -> Tiers {
    let mut sets: BTreeMap<(String, String), Vec<(Node, &Mask)>> = BTreeMap::new();
    for (node, resolved) in domains.resolved.iter().enumerate() {
        if let Some(Resolved { choice: Choice::Mask(mask), .. }) = resolved {
            sets.entry((mask.kind.full_name(), mask.label.clone())).or_default().push((node, mask));
        }
    }
    let mut tiers = Tiers::new();
    for (set, columns) in sets {
        let width = |node: Node| match graph.nodes[node].shape.as_ref().map(Shape::leaf) {
            Some(Shape::Text { chars_max, .. }) => *chars_max,
            _ => None,
        };
        // What a form needs depends on the parameters (a street is longer than a zip), so those with equal ones are
        // measured together; the form is then that of the tightest.
        let mut narrowest: Vec<(&Params, Option<u32>)> = Vec::new();
        for (node, mask) in &columns {
            let width = width(*node);
            match narrowest.iter_mut().find(|(params, _)| **params == mask.params) {
                Some((_, least)) => *least = [*least, width].into_iter().flatten().min(),
                None => narrowest.push((&mask.params, width)),
            }
        }
        let kind = columns[0].1.kind;
        let mut tier = 0;
        for (params, width_min) in narrowest {
            match kind.tier(width_min, params) {
                Ok(found) => tier = tier.max(found),
                Err(least) => {
                    let narrow = |node: Node| width(node).is_some_and(|width| width < least.0);
                    let columns = columns.iter().filter(|(node, mask)| mask.params == *params && narrow(*node));
                    reports.extend(columns.map(|(node, _)| too_narrow(graph, domains, *node, &set.0, least.0)));
                }
            }
        }
        tiers.insert(set, tier);
    }
    tiers
}

fn too_narrow(graph: &Graph<'_>, domains: &Domains, node: Node, kind: &str, least: u32) -> Report {
    let type_name = &graph.nodes[node].column.type_name;
    let name = graph.name(node);
    let report = Report::new(
        "plan::too-narrow",
        format!("column \"{name}\" of type {type_name} is too narrow for mask {kind}: it needs {least} characters"),
    )
    .hint("Use \"pattern\", which keeps the length, or \"null\".");
    match &domains.resolved[node] {
        Some(resolved) => at(resolved, report),
        None => report,
    }
}
