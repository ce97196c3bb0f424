//! What a run learns of its rows while they are masked.

use crate::error::{Exit, Failure, Report};
use crate::plan::Plan;
use crate::proof::{Proof, Salt};

/// Starts to watch every masked column of a plan, under a salt of this run.
///
/// # Errors
/// The operating system gives no random bytes.
pub(super) fn watch(plan: &Plan) -> Result<Proof, Failure> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| {
        let report = Report::new("internal::random", "the operating system gave no random bytes");
        Failure::new(Exit::Internal, report.detail(error.to_string()))
    })?;
    Ok(Proof::new(Salt::new(salt), plan.tables.iter().map(|table| (&table.mask, table.rows_estimate))))
}
