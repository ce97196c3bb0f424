//! Limits: a subset that grows past them is refused with the reference that makes it grow and the cuts that help.

use super::closure::Closure;
use super::error::{SubsetError, TooLarge};
use super::result::Direction;
use crate::plan::{EdgeCut, SubsetPlan};
use std::time::Duration;

/// Cuts that are tried out alone: each closes the set again, up to the limit.
const CUTS_TRIED: usize = 5;
/// Longest that cuts are tried out. `plan` counts for 60 s, and has to say in that time what it has found.
pub(super) const TRIALS_MAX: Duration = Duration::from_secs(30);

/// A way to make a subset smaller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// To paste into the configuration, all of them.
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
                searched: false,
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
    let candidates = ranked(&closure.pulled);
    if let Some((rows, number, direction)) = candidates.first() {
        let edge = &closure.plan.edges[*number];
        let (from, to) = match direction {
            Direction::Down => (edge.parent, edge.child),
            Direction::Up => (edge.child, edge.parent),
        };
        let name = |node: usize| &closure.plan.nodes[node].name;
        large.edge = Some((format!("{} from \"{}\" to \"{}\"", edge.name, name(from), name(to)), *rows));
    }
    let mut search = Search { closure, option: large.option, alone: Vec::new(), chosen: Vec::new(), left: None };
    let in_time = match tokio::time::timeout(TRIALS_MAX, search.run(&candidates)).await {
        Ok(ended) => ended.map(|()| true)?,
        Err(_) => false,
    };
    let Search { alone, chosen, left, .. } = search;
    large.cuts = alone;
    if large.cuts.is_empty() && !chosen.is_empty() && (left.is_some() || !in_time) {
        let lines: Vec<String> = chosen.into_iter().map(|(cut, _)| cut.lines).collect();
        large.cuts.push(Cut { lines: lines.join("\n"), left });
    }
    large.searched = in_time;
    Ok(SubsetError::TooLarge(large))
}

/// References by the rows that came through them first, most first; those that brought none are left out.
fn ranked(pulled: &[[u64; 2]]) -> Vec<(u64, usize, Direction)> {
    let both = pulled.iter().enumerate().flat_map(|(number, pulled)| {
        [Direction::Up, Direction::Down].map(|direction| (pulled[direction as usize], number, direction))
    });
    let mut ranked: Vec<_> = both.filter(|(rows, ..)| *rows > 0).collect();
    ranked.sort_by_key(|(rows, number, direction)| (std::cmp::Reverse(*rows), *number, *direction));
    ranked
}

/// Looks for cuts that suffice. What it has found is kept when its time is up.
struct Search<'s, 'c> {
    closure: &'s Closure<'c>,
    /// `rows_max` or `bytes_max`.
    option: &'static str,
    /// Cuts each of which suffices, best first.
    alone: Vec<Cut>,
    /// Cuts to be made together.
    chosen: Vec<(EdgeCut, Direction)>,
    /// What is left with all of the chosen ones; none: more than the limit.
    left: Option<u64>,
}

impl Search<'_, '_> {
    /// Tries single cuts, then more and more together, and takes those out again that nothing depends on.
    ///
    /// A set only shrinks when less of it is followed. So when nothing brings rows any more but what cannot be cut, no other
    /// choice of cuts would suffice either.
    async fn run(&mut self, candidates: &[(u64, usize, Direction)]) -> Result<(), SubsetError> {
        self.single(candidates).await?;
        if self.alone.is_empty() {
            self.together().await?;
        }
        if self.left.is_some() {
            self.thin_out().await?;
        }
        Ok(())
    }

    async fn single(&mut self, candidates: &[(u64, usize, Direction)]) -> Result<(), SubsetError> {
        let mut tried: Vec<String> = Vec::new();
        // The first candidate is the one that the refusal names: where its cut suffices, it is told first.
        let mut named = 0;
        for (place, (_, number, direction)) in candidates.iter().take(CUTS_TRIED).enumerate() {
            let Some(cut) = cut(self.closure.plan, *number, *direction) else { continue };
            // Several references can join the same columns: one cut names them all.
            if tried.contains(&cut.lines) {
                continue;
            }
            tried.push(cut.lines.clone());
            let lines = cut.lines.clone();
            if let (left @ Some(_), _) = self.attempt(&[(cut, *direction)]).await? {
                named += usize::from(place == 0);
                self.alone.push(Cut { lines, left });
            }
        }
        self.alone[named..].sort_by_key(|cut| cut.left);
        Ok(())
    }

    /// Cuts, time and again, the reference through which most rows come, until the set fits or nothing is left to cut.
    async fn together(&mut self) -> Result<(), SubsetError> {
        let mut pulled = self.closure.pulled.clone();
        loop {
            let next = ranked(&pulled).into_iter().find_map(|(_, number, direction)| {
                let cut = cut(self.closure.plan, number, direction)?;
                let known = self.chosen.iter().any(|(known, _)| known.lines == cut.lines);
                (!known).then_some((cut, direction))
            });
            let Some(next) = next else { return Ok(()) };
            self.chosen.push(next);
            let (left, now) = self.attempt(&self.chosen).await?;
            if left.is_some() {
                self.left = left;
                return Ok(());
            }
            pulled = now;
        }
    }

    /// Drops each cut without which the others still suffice. The last one is needed: nothing fitted before it was made.
    async fn thin_out(&mut self) -> Result<(), SubsetError> {
        for number in (0..self.chosen.len().saturating_sub(1)).rev() {
            let mut fewer = self.chosen.clone();
            fewer.remove(number);
            if let (left @ Some(_), _) = self.attempt(&fewer).await? {
                (self.chosen, self.left) = (fewer, left);
            }
        }
        Ok(())
    }

    /// What is left with some cuts, rows of `cover` included (none: more than the limit), and what comes through which
    /// reference then.
    async fn attempt(&self, cuts: &[(EdgeCut, Direction)]) -> Result<(Option<u64>, Vec<[u64; 2]>), SubsetError> {
        let without = cuts.iter().flat_map(|(cut, direction)| cut.edges.iter().map(|edge| (*edge, *direction)));
        let mut trial = self.closure.again_without(without.collect());
        let left = match trial.run().await {
            Ok(()) => {
                let sizes = trial.sizes();
                let part = |(rows, bytes): &(u64, u64)| if self.option == "rows_max" { *rows } else { *bytes };
                Some(sizes.iter().map(part).sum())
            }
            Err(SubsetError::TooLarge(_)) => None,
            Err(error) => return Err(error),
        };
        Ok((left, trial.pulled))
    }
}

/// The lines that keep a reference from being followed, if they are possible.
pub(super) fn cut(plan: &SubsetPlan, edge: usize, direction: Direction) -> Option<EdgeCut> {
    match direction {
        Direction::Down => Some(plan.cut_children(edge)),
        Direction::Up => plan.cut_parent(edge),
    }
}
