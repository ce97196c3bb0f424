//! What a user reads when something fails, and the exit code it ends with.
//!
//! Each stage has its own `thiserror` enum that says what happened and where. [`Diagnose`] turns one of them into
//! [`Report`]s (code, place, detail, state, hint) and an [`Exit`] code; `main` prints the reports and exits. No report
//! may hold a source value: a report carries names of tables, columns and constraints, SQLSTATEs, counts and offsets.

use serde::Serialize;
use std::fmt;

/// The exit code of the process; CONTRACT section 2 fixes the numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    #[default]
    Done = 0,
    Internal = 1,
    Usage = 2,
    Refused = 3,
    Source = 4,
    Target = 5,
    Verify = 6,
    Busy = 7,
    AfterPublish = 8,
    HungUp = 129,
    Interrupted = 130,
    Terminated = 143,
}

impl Exit {
    /// Returns the number the shell sees.
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// One problem, in the words of the person who has to solve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Stable, `stage::kebab-case`, for scripts and searches: `plan::undecided-column`.
    pub code: &'static str,
    /// What failed; one line, no trailing period.
    pub message: String,
    /// Where in the user's files: `restage.toml:12:5`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Why, with SQLSTATE where a server said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is true now: what was read, written, published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// What to do, ready to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Report {
    /// Starts a report; the rest is added with the builder methods.
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), place: None, detail: None, state: None, hint: None }
    }

    #[must_use]
    pub fn place(mut self, place: impl Into<String>) -> Self {
        // What the program chose by itself stands in no file.
        self.place = Some(place.into()).filter(|place| !place.is_empty());
        self
    }

    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    #[must_use]
    pub fn state(mut self, state: impl Into<String>) -> Self {
        self.state = Some(state.into());
        self
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The plain-text form of a report; `cli::render` adds color.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}", self.code, self.message)?;
        for (name, text) in
            [("place", &self.place), ("detail", &self.detail), ("state", &self.state), ("hint", &self.hint)]
        {
            if let Some(text) = text {
                let text = text.replace('\n', "\n          ");
                write!(f, "\n  {:<8}{text}", format!("{name}:"))?;
            }
        }
        Ok(())
    }
}

/// How a stage's error is told to the user. Implemented once per stage enum, beside it.
pub trait Diagnose {
    fn exit(&self) -> Exit;
    /// All problems at once where the stage collects them (`config`, `plan`); else one.
    fn reports(&self) -> Vec<Report>;
}

/// The failure of a whole command: an exit code and every report that explains it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub exit: Exit,
    pub reports: Vec<Report>,
}

impl Failure {
    pub fn new(exit: Exit, report: Report) -> Self {
        Self { exit, reports: vec![report] }
    }

    /// Fills in `state` for reports that have none: the caller knows what was already done.
    #[must_use]
    pub fn with_state(mut self, state: &str) -> Self {
        for report in &mut self.reports {
            report.state.get_or_insert_with(|| state.to_owned());
        }
        self
    }
}

impl<E: Diagnose> From<E> for Failure {
    fn from(error: E) -> Self {
        Self { exit: error.exit(), reports: error.reports() }
    }
}
