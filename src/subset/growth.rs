//! Limits: a subset that grows past them is refused with the reference that makes it grow and the cuts that help.

use super::closure::Closure;
use super::error::{SubsetError, TooLarge};
use super::result::Direction;
use crate::plan::{EdgeCut, SubsetPlan};

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
    let mut together = (Vec::new(), Vec::new());
    for (_, number, direction) in candidates.into_iter().take(CUTS_TRIED) {
        let Some(EdgeCut { lines, edges }) = cut(closure.plan, number, direction) else { continue };
        // Several references can join the same columns: one cut names them all.
        if large.cuts.iter().any(|known| known.lines == lines) {
            continue;
        }
        let without: Vec<_> = edges.into_iter().map(|edge| (edge, direction)).collect();
        together.0.extend(without.iter().copied());
        together.1.push(lines.clone());
        let left = left(closure, without, large.option).await?;
        large.cuts.push(Cut { lines, left });
    }
    large.cuts.sort_by_key(|cut| cut.left.unwrap_or(u64::MAX));
    // What does not suffice is worth telling only where nothing does.
    if large.cuts.iter().any(|cut| cut.left.is_some()) {
        large.cuts.retain(|cut| cut.left.is_some());
    } else if large.cuts.len() > 1
        && let Some(rows) = left(closure, together.0, large.option).await?
    {
        large.cuts = vec![Cut { lines: together.1.join("\n"), left: Some(rows) }];
    }
    Ok(SubsetError::TooLarge(large))
}

/// The lines that keep a reference from being followed, if they are possible.
pub(super) fn cut(plan: &SubsetPlan, edge: usize, direction: Direction) -> Option<EdgeCut> {
    match direction {
        Direction::Down => Some(plan.cut_children(edge)),
        Direction::Up => plan.cut_parent(edge),
    }
}

/// What is left without some references, rows of `cover` included; none: more than the limit.
async fn left(
    closure: &Closure<'_>,
    without: Vec<(usize, Direction)>,
    option: &str,
) -> Result<Option<u64>, SubsetError> {
    let mut trial = closure.again_without(without);
    match trial.run().await {
        Ok(()) => {
            let sizes = trial.sizes();
            Ok(Some(sizes.iter().map(|(rows, bytes)| if option == "rows_max" { rows } else { bytes }).sum()))
        }
        Err(SubsetError::TooLarge(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
