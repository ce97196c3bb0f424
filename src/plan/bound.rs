//! What indexes, references, checks and partitions ask of the masks of a column, so that no line is proposed that the plan or
//! the load refuses.

use super::graph::{Graph, Node};
use super::sql::{is_cased, is_strict, mentions, only_null_tests};
use crate::catalog::{Constraint, ConstraintKind};

const EXPRESSION: &str = "a unique index is over an expression of it";
const EXCLUDED: &str = "an exclusion constraint compares it by more than equality";

/// What the schema asks of a column's masks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bound {
    /// No mask and no constant can stand there, and why.
    pub stuck: Option<&'static str>,
    /// … but NULL can.
    pub null_stands: bool,
    /// Values that differ in case only are equal somewhere: masks have to fold case.
    pub folding: bool,
    /// … also those of values that are not of the kind, because a reference would break.
    pub folding_all: bool,
    /// A check asks for a form, which a pattern breaks.
    pub formed: bool,
}

pub(super) fn of(graph: &Graph<'_>, node: Node, unique: bool) -> Bound {
    let column = &graph.nodes[node];
    let (name, group) = (column.column.name.as_str(), &graph.groups[column.group]);
    let used = group.uniques.iter().filter(|index| {
        let mut columns = index.expression_columns.iter().filter_map(|attnum| graph.node_at(index.table, *attnum));
        columns.any(|known| known == node)
    });
    let (mut stuck, mut lower, mut passes) = (None, false, true);
    if is_excluded(graph, node) {
        stuck = Some(EXCLUDED);
    }
    for index in used {
        if index.predicate.as_ref().is_some_and(|text| mentions(text, name) && !only_null_tests(text, name)) {
            stuck = Some("a unique index is for some of its values only");
        }
        for expression in index.expressions.iter().filter(|text| mentions(text, name)) {
            if is_cased(expression, name) {
                lower = true;
            } else {
                stuck = Some(EXPRESSION);
                passes &= index.nulls_distinct && is_strict(expression);
            }
        }
    }
    let mut lists = group.partitioned.iter().filter(|table| !table.partition_default);
    let listed = |known: &String| known == name;
    if lists.any(|table| table.partition_strategy.as_deref() != Some("hash") && table.partition_key.iter().any(listed))
    {
        stuck = Some("it decides the partition of its row, and none is for all others");
    }
    let edges = graph.edges_to[column.group].iter().flat_map(|edge| &graph.edges[*edge].pairs);
    let folding_all = edges.into_iter().any(|(from, to)| *to == node && (graph.nodes[*from].folding || column.folding));
    let formed = group.constraints.iter().any(|check| {
        let about = check.columns.iter().any(|attnum| graph.node_at(check.table, *attnum) == Some(node));
        let signs = [" ~ ", " ~* ", " ~~ ", " ~~* "].iter().any(|sign| check.definition.contains(sign));
        let form = signs || is_listed(&check.definition, name);
        check.kind == ConstraintKind::Check && check.enforced && about && form
    });
    // Rows with NULL exclude no others, and are equal to none.
    let null_stands = stuck == Some(EXCLUDED) || stuck == Some(EXPRESSION) && passes;
    Bound { stuck, null_stands, folding: folding_all || lower || unique && column.folding, folding_all, formed }
}

/// Whether a check asks for one of the texts that it lists: `name = 'x'::text`, `(name)::text = ANY (…)`.
fn is_listed(definition: &str, name: &str) -> bool {
    let names = [name.to_owned(), crate::pg::quote_ident(name)];
    let written = |name: &String| [format!("({name} = "), format!("({name})::text = ")];
    let equal = |start: &String| {
        let mut rest = definition.match_indices(start.as_str()).map(|(at, _)| &definition[at + start.len()..]);
        rest.any(|rest| rest.starts_with('\'') || rest.starts_with("ANY "))
    };
    names.iter().flat_map(written).any(|start| equal(&start))
}

/// Whether an exclusion constraint compares a column by another operator than `=`, or inside an expression.
fn is_excluded(graph: &Graph<'_>, node: Node) -> bool {
    let column = &graph.nodes[node];
    exclusions(graph, column.group).any(|known| {
        let mut places = known.columns.iter().zip(&known.operators);
        let own = |attnum: &i16| graph.node_at(known.table, *attnum) == Some(node);
        let listed = known.columns.iter().any(own);
        let inside = !listed && mentions(&known.definition, &column.column.name);
        inside || places.any(|(attnum, operator)| own(attnum) && operator != "=")
    })
}

/// Whether an exclusion constraint asks for different values in some rows.
pub(super) fn is_apart(graph: &Graph<'_>, node: Node) -> bool {
    exclusions(graph, graph.nodes[node].group)
        .any(|known| known.columns.iter().any(|attnum| graph.node_at(known.table, *attnum) == Some(node)))
}

fn exclusions<'g>(graph: &'g Graph<'_>, group: usize) -> impl Iterator<Item = &'g Constraint> {
    let all = graph.groups[group].constraints.iter().copied();
    all.filter(|known| known.kind == ConstraintKind::Exclusion)
}
