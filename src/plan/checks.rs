//! CHECK constraints that masked values have to satisfy; the source's own server is asked, because only it can say.

use super::CheckProbe;
use super::ProbeValue;
use super::domain::{Choice, Domains, Resolved};
use super::fit::Tiers;
use super::graph::Graph;
use super::sql::only_null_tests;
use crate::catalog::{Constraint, ConstraintKind};
use crate::config::Rows;
use crate::mask::{MaskSpec, Shape};
use std::collections::BTreeSet;

/// Collects the checks a server has to evaluate; those over several columns become a warning.
pub(super) fn collect(
    graph: &Graph<'_>,
    rows: &[Rows],
    domains: &Domains,
    tiers: &Tiers,
    warnings: &mut Vec<String>,
) -> Vec<CheckProbe> {
    let mut probes = Vec::new();
    for (node, resolved) in domains.resolved.iter().enumerate() {
        let Some(resolved) = resolved else { continue };
        let mut values: Vec<ProbeValue> = probe_value(graph, node, resolved, tiers).into_iter().collect();
        if matches!(&resolved.choice, Choice::Mask(mask) if mask.nulls_rows()) {
            values.push(ProbeValue::Null);
        }
        for value in values {
            probes.extend(column_probes(graph, node, resolved, &value));
        }
    }
    for group in (0..graph.groups.len()).filter(|group| rows[*group] != Rows::None) {
        warnings.extend(several_columns(graph, group, domains));
    }
    probes
}

/// A condition that the values of one column have to satisfy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Name of the constraint.
    pub constraint: String,
    /// In SQL, over the one column.
    pub expression: String,
    /// The name by which it calls that column.
    pub sees: String,
}

/// The conditions that one new value of a column has to satisfy.
fn column_probes(graph: &Graph<'_>, node: usize, resolved: &Resolved, value: &ProbeValue) -> Vec<CheckProbe> {
    let column = &graph.nodes[node];
    let (type_name, conditions) = conditions(graph, node);
    // A condition that names the value: the planner would drop the cast of one that is plainly true.
    let cast =
        Condition { constraint: "its type".into(), expression: "value IS NOT NULL".into(), sees: "value".into() };
    let first = matches!(value, ProbeValue::Const(_)).then_some(cast);
    let probe = |condition: Condition| CheckProbe {
        table: graph.groups[column.group].root.full_name(),
        column: column.column.name.clone(),
        constraint: condition.constraint,
        expression: condition.expression,
        sees: condition.sees,
        type_name: type_name.clone(),
        value: value.clone(),
        place: resolved.place.clone(),
    };
    first.into_iter().chain(conditions).map(probe).collect()
}

/// The type to cast values of a column to, as SQL names it, and the checks of its domains, of those of its elements, and of
/// the column alone.
pub(super) fn conditions(graph: &Graph<'_>, node: usize) -> (String, Vec<Condition>) {
    let column = &graph.nodes[node];
    let domain_chain = graph.domains(column.column.type_oid);
    let type_name = domain_chain
        .last()
        .map_or_else(|| column.column.type_name.clone(), |domain| domain.base_name.clone().unwrap_or_default());
    let condition = |constraint: &str, expression: &str, sees: &str| Condition {
        constraint: constraint.to_owned(),
        expression: expression.to_owned(),
        sees: sees.to_owned(),
    };
    let mut found = Vec::new();
    for (name, definition) in domain_chain.iter().flat_map(|domain| &domain.checks) {
        if let Some(expression) = expression(definition) {
            // VALUE is an ordinary column name outside of a domain.
            found.push(condition(name, expression, "value"));
        }
    }
    let base = domain_chain.last().map_or(column.column.type_oid, |domain| domain.base);
    let array = graph.type_of(base).filter(|_| matches!(column.shape, Some(Shape::Array(_))));
    let elements = array.map(|array| graph.domains(array.element)).unwrap_or_default();
    for (name, definition) in elements.iter().flat_map(|domain| &domain.checks) {
        if let Some(expression) = expression(definition) {
            let each = format!("(SELECT pg_catalog.bool_and({expression}) FROM pg_catalog.unnest(value) AS e (value))");
            found.push(condition(name, &each, "value"));
        }
    }
    let mut seen = BTreeSet::new();
    let root = graph.groups[column.group].root.oid;
    for check in checks(graph, column.group) {
        // Partitions number their columns in their own way.
        let alone = match check.columns.as_slice() {
            [attnum] if check.table == root => *attnum == column.column.attnum,
            [attnum] => graph.node_at(check.table, *attnum) == Some(node),
            _ => false,
        };
        if let Some(expression) = check.expression.as_deref().filter(|_| alone)
            && seen.insert(expression)
        {
            found.push(condition(&check.name, expression, &column.column.name));
        }
    }
    (type_name, found)
}

fn probe_value(graph: &Graph<'_>, node: usize, resolved: &Resolved, tiers: &Tiers) -> Option<ProbeValue> {
    Some(match &resolved.choice {
        Choice::Keep { .. } => return None,
        Choice::Null => ProbeValue::Null,
        Choice::Const(text) => ProbeValue::Const(text.clone()),
        Choice::Mask(mask) => {
            let set = (mask.kind.full_name(), mask.label.clone());
            ProbeValue::Mask {
                tier: tiers.get(&set).copied().unwrap_or(0),
                shape: graph.nodes[node].shape.clone()?,
                spec: MaskSpec { kind: set.0, label: set.1, params: mask.params.clone(), subject: None },
            }
        }
    })
}

/// Checks that hold for every row; NOT VALID and NOT ENFORCED ones stay so in staging.
pub(super) fn checks<'g>(graph: &'g Graph<'_>, group: usize) -> impl Iterator<Item = &'g Constraint> {
    let all = graph.groups[group].constraints.iter().copied();
    all.filter(|known| known.kind == ConstraintKind::Check && known.validated && known.enforced)
}

/// The condition inside `CHECK (…)`; none for one that is not validated.
fn expression(definition: &str) -> Option<&str> {
    definition.strip_prefix("CHECK ")?.strip_suffix(')').filter(|rest| rest.starts_with('(')).map(|rest| &rest[1..])
}

fn several_columns(graph: &Graph<'_>, group: usize, domains: &Domains) -> Vec<String> {
    let mut warnings = BTreeSet::new();
    for check in checks(graph, group).filter(|check| check.columns.len() > 1) {
        let changed: Vec<&str> = check
            .columns
            .iter()
            .filter_map(|attnum| graph.node_at(check.table, *attnum))
            .filter(|node| {
                let name = &graph.nodes[*node].column.name;
                let tests_null = || check.expression.as_deref().is_some_and(|text| only_null_tests(text, name));
                match domains.resolved[*node].as_ref().map(|known| &known.choice) {
                    None | Some(Choice::Keep { .. }) => false,
                    // Masks and constants leave NULL where it is.
                    Some(Choice::Mask(mask)) => mask.nulls_rows() || !tests_null(),
                    Some(Choice::Const(_)) => !tests_null(),
                    Some(Choice::Null) => true,
                }
            })
            .map(|node| graph.nodes[node].column.name.as_str())
            .collect();
        if !changed.is_empty() {
            warnings.insert(format!(
                "check \"{}\" of \"{}\" compares several columns, of which {} change: whether it holds shows at the load",
                check.name,
                graph.groups[group].root.full_name(),
                changed.join(", ")
            ));
        }
    }
    warnings.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::expression;

    #[test]
    fn the_condition_is_cut_out_of_a_definition() {
        assert_eq!(expression("CHECK ((VALUE > 0))"), Some("(VALUE > 0)"));
        assert_eq!(expression("CHECK ((VALUE > 0)) NOT VALID"), None);
    }
}
