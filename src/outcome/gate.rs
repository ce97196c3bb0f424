//! What a gate found.

use crate::config::{GatePoint, Severity};
use serde::Serialize;

/// One check of the loaded database before it may be published, or of the live one after it was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Gate {
    pub name: String,
    pub ok: bool,
    /// What was counted or compared, never a value; of the user's programs the end of what they print.
    pub evidence: String,
    pub ms: u64,
    /// What it means if it does not hold.
    pub severity: Severity,
    pub at: GatePoint,
    /// Where it stands in the configuration; none: it is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// What to do if it does not hold, with the lines to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Gate {
    /// Whether it keeps a release from being published.
    pub fn fails(&self) -> bool {
        !self.ok && self.severity == Severity::Fail
    }

    /// Whether it was asked of what was live, after publishing.
    pub fn is_of_live(&self) -> bool {
        self.at == GatePoint::AfterPublish
    }
}
