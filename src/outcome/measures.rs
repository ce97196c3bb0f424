//! Measures of a loaded database: how far it hides people, and how far it is still like its source.
//!
//! Counts and shares only. Bounds of histograms are not told, because they would be values of the source: bins are
//! unlabelled, in order, and the same on both sides.

use serde::Serialize;

/// What the rows of staging tell of people.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PrivacyView {
    /// The sets of `[[verify.anonymity]]`, in their order.
    pub anonymity: Vec<AnonymityView>,
    /// Sets that nobody declared, riskiest first.
    pub candidates: Vec<CandidateView>,
    /// Sets that the budget of the search left out.
    pub candidates_left_out: u64,
}

/// Equivalence classes of one set of quasi-identifiers: rows that agree in all of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AnonymityView {
    pub table: String,
    pub columns: Vec<String>,
    pub rows: u64,
    pub classes: u64,
    /// Rows of the smallest class: the table is so-many-anonymous. 0 without rows.
    pub smallest: u64,
    /// Rows that are alone in their class.
    pub unique_rows: u64,
    /// The k that was asked for, and what is below it.
    pub k: u64,
    pub classes_under_k: u64,
    pub rows_under_k: u64,
    /// Classes of 1 row, of 2, of 3 to 4, of 5 to 8 and so on, doubling.
    pub sizes: Vec<u64>,
    pub sensitive: Vec<SensitiveView>,
    pub ok: bool,
}

/// How much a class tells of a sensitive column.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SensitiveView {
    pub column: String,
    /// Fewest different values in a class; NULL counts as one.
    pub distinct_min: u64,
    /// Least effective number of different values in a class: e to the entropy.
    pub entropy_min: f64,
    /// Largest distance of a class from the whole table, 0 to 1.
    pub distance_max: f64,
    /// The distance is the earth mover's over ranks; else total variation.
    pub ordered: bool,
    /// Rows in classes that miss a threshold; 0 where none was given.
    pub rows_under_l: u64,
    pub rows_under_l_entropy: u64,
    pub rows_over_t: u64,
}

/// A set of columns that somebody who knows people could look them up by.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CandidateView {
    pub table: String,
    /// Empty for [`CandidateView::kept`].
    pub columns: Vec<String>,
    /// All columns that are kept as they are: their combination is the same in production.
    pub kept: bool,
    /// Rows that were looked at.
    pub rows: u64,
    /// They are a sample: shares are upper bounds then, up to the error of the sample.
    pub sampled: bool,
    pub classes: u64,
    pub smallest: u64,
    pub unique_rows: u64,
    /// Share of the rows that are alone in their class, 0 to 1.
    pub unique_share: f64,
}

/// How far staging is like its source.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct FidelityView {
    /// Columns that pass as they are, so that nothing of them can differ.
    pub kept: u64,
    /// Masked columns, in the order of the plan.
    pub columns: Vec<ColumnFidelity>,
    pub correlations: Vec<CorrelationView>,
    pub references: Vec<ReferenceFidelity>,
    /// The queries of `[[verify.query]]`, as the planner sees them on both sides.
    pub queries: Vec<QueryFidelity>,
}

/// What the planner expects of a query.
#[derive(Debug, Clone, Default, PartialEq, Serialize, serde::Deserialize)]
pub struct EstimateView {
    pub rows: f64,
    /// In the planner's own unit.
    pub cost: f64,
    /// Nodes, tables and indexes: `Hash Join(Seq Scan orders, Hash(Seq Scan customers))`.
    pub plan: String,
}

/// One query, planned at the source and in staging.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct QueryFidelity {
    pub name: String,
    pub source: EstimateView,
    pub staging: EstimateView,
    /// How many times one estimate of its rows is the other.
    pub factor: f64,
    pub same_plan: bool,
}

/// One masked column, before and after.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ColumnFidelity {
    pub table: String,
    pub column: String,
    /// `email/1`.
    pub kind: String,
    pub rows: u64,
    /// Rows that histograms and distances were made of; all, if the table is small.
    pub sampled_rows: u64,
    pub source: SideView,
    pub staging: SideView,
    /// Largest difference of the distributions of numbers or times (Kolmogorov and Smirnov), 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ks: Option<f64>,
    /// Population stability index over ten bins that hold equal shares of the source; below 0.1 is usually called
    /// stable, above 0.25 changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psi: Option<f64>,
    /// Total variation between the patterns of texts, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patterns: Option<f64>,
    /// Total variation between the lengths of texts, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lengths: Option<f64>,
    /// Total variation between the shares of the most frequent values, by rank, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequencies: Option<f64>,
}

/// Statistics of one side of a column. Shares are of the values that are not NULL.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SideView {
    pub null_fraction: f64,
    /// Estimate of the number of different values.
    pub distinct: f64,
    /// Its standard error, relative; 0: counted.
    pub distinct_error: f64,
    /// Shares of the most frequent values, largest first; at most 16.
    pub top: Vec<f64>,
    /// Numbers and times: shares of at most 32 bins of equal width, the same on both sides. The first and the last hold
    /// what lies beyond.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub histogram: Vec<f64>,
    /// Texts: shares of lengths in characters: 0, 1, …, 30, more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lengths: Vec<f64>,
    /// Texts: shares of patterns, the same on both sides; the last is that of all others.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<PatternShare>,
}

/// `A` a capital, `a` another letter, `9` a digit; runs of one are written once, other characters are left out but for
/// `@ . - / : +` and blanks.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PatternShare {
    pub pattern: String,
    pub share: f64,
}

/// Correlation of two columns of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CorrelationView {
    pub table: String,
    pub columns: [String; 2],
    /// Rows in which both have a number.
    pub rows: u64,
    /// Rank correlation (Spearman), -1 to 1.
    pub source: f64,
    pub staging: f64,
}

/// How many rows refer to each row, of one foreign key.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ReferenceFidelity {
    /// `from -> to`.
    pub reference: String,
    /// Estimated number of different keys that are referred to.
    pub source_parents: f64,
    pub staging_parents: f64,
    /// Rows with a reference, per key that is referred to.
    pub source_fan_out: f64,
    pub staging_fan_out: f64,
    /// The share of all pairs of a row and a key that a join over the reference finds.
    pub source_selectivity: f64,
    pub staging_selectivity: f64,
}
