//! Why there is no subset.

use super::growth::{Cut, TRIALS_MAX};
use crate::error::{Diagnose, Exit, Report};
use crate::extract::ExtractError;

/// How a row is named, with names and values that need quotes.
pub const ROW_FORM: &str = "restage explain --row 'public.orders 42'     # several key columns with a blank between\n\
    restage explain --row \"\\\"my schema\\\".\\\"my table\\\" 'a value'\"     # quoted as in SQL";

#[derive(Debug, thiserror::Error)]
pub enum SubsetError {
    #[error(transparent)]
    Extract(#[from] ExtractError),
    #[error("the subset is larger than it may be")]
    TooLarge(Box<TooLarge>),
    #[error("{} of \"{from}\" points nowhere in {}", edge, counted(*rows))]
    Dangling { edge: String, from: String, to: String, rows: u64, fixed: bool },
    #[error("nothing is selected")]
    Empty { place: String },
    #[error("there is no such row")]
    NoRow { detail: String },
    #[error("the key does not fit the columns of \"{table}\"")]
    BadKey { table: String, types: String, sqlstate: String },
}

/// A subset that grew past its limit.
#[derive(Debug)]
pub struct TooLarge {
    /// What was counted when it was given up, in the unit of the limit.
    pub found: u64,
    pub limit: u64,
    /// `rows_max` or `bytes_max`.
    pub option: &'static str,
    /// The reference that brought most rows, what it leads from and to, and how many.
    pub edge: Option<(String, u64)>,
    /// Ways out, best first: each suffices, or the only one does not because there was no time to find more.
    pub cuts: Vec<Cut>,
    /// Cuts were tried out to the end: where none is told, none suffices.
    pub searched: bool,
}

fn counted(count: u64) -> String {
    format!("{count} row{}", if count == 1 { "" } else { "s" })
}

impl Diagnose for SubsetError {
    fn exit(&self) -> Exit {
        match self {
            SubsetError::Extract(error) => error.exit(),
            SubsetError::NoRow { .. } | SubsetError::BadKey { .. } => Exit::Usage,
            _ => Exit::Refused,
        }
    }

    fn reports(&self) -> Vec<Report> {
        let message = self.to_string();
        vec![match self {
            SubsetError::Extract(error) => return error.reports(),
            SubsetError::TooLarge(large) => large.report(),
            SubsetError::Dangling { from, to, fixed, .. } => {
                let other = if *fixed { "" } else { "     # or \"null\"" };
                let (from, to) = (crate::plan::escape(from), crate::plan::escape(to));
                Report::new("plan::subset-dangling", message).detail("`dangling = \"fail\"` asks to refuse that.").hint(
                    format!(
                        "Correct the source, or write:\n\
                         [[subset.edge]]\nfrom = \"{from}\"\nto = \"{to}\"\ndangling = \"keep\"{other}"
                    ),
                )
            }
            SubsetError::Empty { place } => Report::new("plan::subset-empty", message)
                .place(place.clone())
                .detail("No row fits a seed, so every table of staging would be empty.")
                .hint("Correct the `where` of the seeds, or raise `percent`."),
            SubsetError::NoRow { detail } => {
                Report::new("usage::no-row", message).detail(detail.clone()).hint(ROW_FORM)
            }
            SubsetError::BadKey { types, sqlstate, .. } => Report::new("usage::row-key", message)
                .detail(format!(
                    "Its key is ({types}), and the server does not read what was given as that ({sqlstate})."
                ))
                .hint(ROW_FORM),
        }]
    }
}

impl TooLarge {
    fn report(&self) -> Report {
        let unit = if self.option == "rows_max" { "rows" } else { "bytes" };
        let message = format!("the subset has more than {} {unit}", self.limit);
        let mut detail = format!("{} {unit} were found when counting stopped.", self.found);
        if let Some((edge, rows)) = &self.edge {
            detail.push_str(&format!(" Most come through {edge}: {rows} rows."));
        }
        let lines: Vec<String> =
            self.cuts.iter().enumerate().map(|(number, cut)| self.way(number + 1, cut, unit)).collect();
        if lines.is_empty() && self.searched {
            detail.push_str(
                " No cut suffices, nor do all cuts together: these rows are seeds, or cannot do without each other.",
            );
        }
        let report = Report::new("plan::subset-too-large", message).detail(detail);
        match lines.is_empty() {
            true => report.hint(format!("Choose fewer seeds, or raise `{}`.", self.option)),
            false => report.hint(format!("{}\n# or raise `{}`", lines.join("\n"), self.option)),
        }
    }

    /// One way out, as it is pasted.
    fn way(&self, number: usize, cut: &Cut, unit: &str) -> String {
        let head = match cut.left {
            Some(left) => format!("{number}. {left} {unit} are left:"),
            None => format!(
                "{} s did not suffice to find all lines: with these, more than {} {unit} are left",
                TRIALS_MAX.as_secs(),
                self.limit
            ),
        };
        format!("# {head}\n{}", cut.lines)
    }
}
