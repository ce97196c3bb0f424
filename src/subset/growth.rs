//! Limits: a subset that grows past them is refused with the reference that makes it grow and the cuts that help.

use super::closure::Closure;
use super::error::{SubsetError, TooLarge};
use super::result::Direction;
use crate::plan::SubsetPlan;

/// Cuts that are tried out: each closes the set again, up to the limit.
const CUTS_TRIED: usize = 5;

/// A way to make a subset smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// To paste into the configuration.
    pub lines: String,
    /// What would be left, in the unit of the limit; none: more than the limit.
    pub left: Option<u64>,
}

/// Compares rows and bytes with the limits.
///
/// # Errors
/// [`SubsetError::TooLarge`], without the reasons.
pub(super) fn check(plan: &SubsetPlan, sizes: &[(u64, u64)]) -> Result<(), SubsetError> {
    let (rows, bytes) = sizes.iter().fold((0, 0), |sum, size| (sum.0 + size.0, sum.1 + size.1));
    for (found, limit, option) in [(rows, plan.rows_max, "rows_max"), (bytes, plan.bytes_max, "bytes_max")] {
        if let Some(limit) = limit.filter(|limit| found > *limit) {
            return Err(SubsetError::TooLarge(Box::new(TooLarge {
                found,
                limit,
                option,
                edge: None,
                cuts: Vec::new(),
            })));
        }
    }
    Ok(())
}

/// Says which reference a subset grew through, and what its cut would leave. Tries the cuts out at the source.
///
/// # Errors
/// The source failed.
pub(super) async fn explain(closure: &Closure<'_>, mut large: Box<TooLarge>) -> Result<SubsetError, SubsetError> {
    let mut candidates: Vec<(u64, usize, Direction)> = Vec::new();
    for (number, pulled) in closure.pulled.iter().enumerate() {
        for direction in [Direction::Up, Direction::Down] {
            candidates.push((pulled[direction as usize], number, direction));
        }
    }
    candidates.sort_by_key(|(rows, number, direction)| (std::cmp::Reverse(*rows), *number, *direction));
    candidates.retain(|(rows, ..)| *rows > 0);
    if let Some((rows, number, direction)) = candidates.first() {
        let edge = &closure.plan.edges[*number];
        let (from, to) = match direction {
            Direction::Down => (edge.parent, edge.child),
            Direction::Up => (edge.child, edge.parent),
        };
        let name = |node: usize| &closure.plan.nodes[node].name;
        large.edge = Some((format!("{} from \"{}\" to \"{}\"", edge.name, name(from), name(to)), *rows));
    }
    for (_, number, direction) in candidates.into_iter().take(CUTS_TRIED) {
        let edge = &closure.plan.edges[number];
        let lines = match direction {
            Direction::Down => Some(edge.cut_children()),
            Direction::Up => edge.cut_parent(),
        };
        let Some(lines) = lines else { continue };
        let mut without = closure.again_without(number, direction);
        let left = match without.run().await {
            Ok(()) => {
                let sizes = without.sizes();
                Some(sizes.iter().map(|(rows, bytes)| if large.option == "rows_max" { rows } else { bytes }).sum())
            }
            Err(SubsetError::TooLarge(_)) => None,
            Err(error) => return Err(error),
        };
        large.cuts.push(Cut { lines, left });
    }
    large.cuts.sort_by_key(|cut| cut.left.unwrap_or(u64::MAX));
    // What does not suffice is worth telling only where nothing does.
    if large.cuts.iter().any(|cut| cut.left.is_some()) {
        large.cuts.retain(|cut| cut.left.is_some());
    }
    Ok(SubsetError::TooLarge(large))
}
