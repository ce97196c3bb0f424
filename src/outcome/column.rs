//! What is known of a column beside its decision, and of the kind that masks it.

use super::{ColumnView, KindView, TableView};
use crate::plan::{self, TablePlan};
use serde::Serialize;

/// What a column seems to hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FoundView {
    pub category: String,
    pub class: String,
    /// From 0 to 1; 0.5 and more counts as found.
    pub score: f64,
    /// `name 0.95`, `content 400 of 400`: counts and scores, no value.
    pub evidence: String,
}

/// A rule of a pack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct HeldView {
    pub pack: String,
    pub rule: String,
    pub wants: String,
    pub why: String,
}

/// The parameters of the mask of a column, by its number, as one text; empty where there is no mask.
pub(super) fn params(table: &TablePlan, number: usize) -> String {
    table.mask_of(number).map(|spec| plan::deciding_params(&spec.kind, &spec.params)).unwrap_or_default()
}

impl ColumnView {
    /// Adds what is known of the column beside its decision.
    pub fn describe(&mut self, about: &crate::plan::About) {
        self.until = about.terms.until.map(|day| day.to_string());
        if self.reason.is_none() {
            self.reason.clone_from(&about.terms.reason);
        }
        self.found = about.findings.iter().map(FoundView::of).collect();
        let held = about.held.iter().map(|held| HeldView {
            pack: held.pack.to_owned(),
            rule: held.rule.to_owned(),
            wants: held.wants.clone(),
            why: held.why.to_owned(),
        });
        self.held = held.collect();
    }
}

impl FoundView {
    pub fn of(finding: &crate::detect::Finding) -> Self {
        let word = |value: serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let evidence = finding.evidence.iter().map(|evidence| {
            let signal = word(serde_json::json!(evidence.signal));
            match evidence.of {
                0 => format!("{signal} {} {:.2}", evidence.test, evidence.score),
                of => format!("{signal} {} {} of {of}", evidence.test, evidence.hits),
            }
        });
        Self {
            category: finding.category.name.clone(),
            class: word(serde_json::json!(finding.category.class)),
            score: (finding.score * 100.0).round() / 100.0,
            evidence: evidence.collect::<Vec<_>>().join(", "),
        }
    }
}

/// Why a table or one of its columns is treated as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Explanation {
    pub table: TableView,
    /// Set when one column was asked for; `table.columns` then holds just that one.
    pub column: Option<String>,
    /// The kinds these columns use.
    pub kinds: Vec<KindView>,
    /// Columns with the same pseudonyms for equal values.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<String>,
    /// Columns of the same kind and label whose parameters are others, so equal values get other pseudonyms there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub apart: Vec<String>,
    /// What can still be read from the masks of one column.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub leaks: Vec<String>,
    /// How the lock file pins it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lock: Vec<String>,
}
