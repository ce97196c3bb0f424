//! CHECK constraints that masked values have to satisfy; the source's own server is asked, because only it can say.

use super::CheckProbe;
use super::ProbeValue;
use super::domain::{Choice, Domains, Resolved};
use super::fit::Tiers;
use super::graph::Graph;
use super::sql::only_null_tests;
use crate::catalog::{Constraint, ConstraintKind};
use crate::config::Rows;
use crate::mask::MaskSpec;
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

/// The conditions that one new value of a column has to satisfy.
fn column_probes(graph: &Graph<'_>, node: usize, resolved: &Resolved, value: &ProbeValue) -> Vec<CheckProbe> {
    let column = &graph.nodes[node];
    let mut probes = Vec::new();
    let domain_chain = graph.domains(column.column.type_oid);
    let type_name = domain_chain
        .last()
        .map_or_else(|| column.column.type_name.clone(), |domain| domain.base_name.clone().unwrap_or_default());
    let probe = |constraint: &str, expression: &str, sees: &str| CheckProbe {
        table: graph.groups[column.group].root.full_name(),
        column: column.column.name.clone(),
        constraint: constraint.to_owned(),
        expression: expression.to_owned(),
        sees: sees.to_owned(),
        type_name: type_name.clone(),
        value: value.clone(),
        place: resolved.place.clone(),
    };
    if matches!(value, ProbeValue::Const(_)) {
        // A condition that names the value: the planner would drop the cast of one that is plainly true.
        probes.push(probe("its type", "value IS NOT NULL", "value"));
    }
    for (name, definition) in domain_chain.iter().flat_map(|domain| &domain.checks) {
        if let Some(expression) = expression(definition) {
            // VALUE is an ordinary column name outside of a domain.
            probes.push(probe(name, expression, "value"));
        }
    }
    let mut seen = BTreeSet::new();
    for check in checks(graph, column.group) {
        let alone = check.columns.len() == 1 && graph.node_at(check.table, check.columns[0]) == Some(node);
        if let Some(expression) = check.expression.as_deref().filter(|_| alone)
            && seen.insert(expression)
        {
            probes.push(probe(&check.name, expression, &column.column.name));
        }
    }
    probes
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
fn checks<'g>(graph: &'g Graph<'_>, group: usize) -> impl Iterator<Item = &'g Constraint> {
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
