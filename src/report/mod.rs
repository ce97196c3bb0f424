//! The files a run leaves for people and programs: `report.json` and `report.html`. From outcome to text; the only thing
//! read is the report of an earlier run, to tell what changed since.
//!
//! Written after success, refusal and failure alike. No type here can hold a source value: names, counts, times, hashes,
//! decisions and the words of errors, which hold none either.

mod coverage;
mod drift;
mod figures;
mod html;
mod page;
mod plots;
mod timeline;

pub use drift::{ColumnChange, Drift, TableChange};

use crate::error::{Exit, Failure};
use crate::lock::Change;
use crate::manifest::Previous;
use crate::outcome::{
    Document, MaskCounts, PhaseTime, PlanTotals, Provenance, RefreshOutcome, RunRecord, RunTotals, Skipped, Span,
    TableView, units,
};
use serde::Serialize;
use std::io::Write as _;
use std::path::Path;

/// What came of a run, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Live, and everything after it was done.
    Published,
    /// Live, but a step after publishing failed.
    PublishedWithProblems,
    /// Loaded and verified; publishing was not asked for.
    Kept,
    /// `--dry-run`: loaded, verified and dropped.
    DryRun,
    /// A gate does not hold.
    NotPublished,
    /// A gate did not hold once it was live, and the release before serves again.
    RolledBack,
    /// Before the first row was read: usage, configuration, plan, guards.
    Refused,
    Failed,
    Interrupted,
}

impl Verdict {
    fn of(record: &RunRecord, outcome: &RefreshOutcome) -> Self {
        match outcome.exit {
            Exit::Done if outcome.published.is_some() => Verdict::Published,
            Exit::Done if record.dry_run => Verdict::DryRun,
            Exit::Done => Verdict::Kept,
            Exit::AfterPublish => Verdict::PublishedWithProblems,
            Exit::Verify if outcome.rolled_back.is_some() => Verdict::RolledBack,
            Exit::Verify => Verdict::NotPublished,
            Exit::Usage | Exit::Refused => Verdict::Refused,
            Exit::HungUp | Exit::Interrupted | Exit::Terminated => Verdict::Interrupted,
            _ => Verdict::Failed,
        }
    }

    /// As a title.
    pub fn title(self) -> &'static str {
        match self {
            Verdict::Published => "Published",
            Verdict::PublishedWithProblems => "Published, with a problem",
            Verdict::Kept => "Loaded, not published",
            Verdict::DryRun => "Dry run",
            Verdict::NotPublished => "Not published",
            Verdict::RolledBack => "Rolled back",
            Verdict::Refused => "Refused",
            Verdict::Failed => "Failed",
            Verdict::Interrupted => "Interrupted",
        }
    }
}

/// Everything a run has to tell.
#[derive(Debug, Serialize)]
pub struct RunReport<'a> {
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub summary: String,
    /// What is true now: what serves, what is kept.
    pub state: String,
    #[serde(flatten)]
    pub outcome: &'a RefreshOutcome,
    /// RFC 3339.
    pub started_at: &'a str,
    pub by: &'a Provenance,
    pub plan_hash: Option<&'a str>,
    pub coverage: Coverage<'a>,
    /// Phases, tables, indexes and keys as they overlapped.
    pub timeline: &'a [Span],
    /// None: there is no earlier report of a published run beside this one.
    pub drift: Option<Drift>,
    /// How the plan differs from the lock file.
    pub lock_changes: &'a [Change],
    /// The release that was live before; its manifest is what this one's is chained to.
    pub previous: Option<&'a Previous>,
}

/// What the policy says about every table and column.
#[derive(Debug, Serialize)]
pub struct Coverage<'a> {
    pub totals: PlanTotals,
    /// Empty: the plan could not be made.
    pub tables: &'a [TableView],
    pub skipped: &'a [Skipped],
}

impl<'a> RunReport<'a> {
    pub fn new(record: &'a RunRecord, outcome: &'a RefreshOutcome, drift: Option<Drift>) -> Self {
        let verdict = Verdict::of(record, outcome);
        Self {
            verdict,
            summary: summary(verdict, outcome),
            state: state(outcome),
            outcome,
            started_at: &record.started_at,
            by: &record.by,
            plan_hash: record.plan_hash.as_deref(),
            coverage: Coverage {
                totals: PlanTotals::of(&record.tables),
                tables: &record.tables,
                skipped: &record.skipped,
            },
            timeline: &record.timeline,
            drift,
            lock_changes: &record.lock_changes,
            previous: record.previous.as_ref(),
        }
    }
}

fn summary(verdict: Verdict, outcome: &RefreshOutcome) -> String {
    let totals = &outcome.totals;
    let moved = format!(
        "{}, {}, {} in {}",
        units::plural(totals.tables, "table"),
        units::plural(totals.rows, "row"),
        units::bytes(totals.bytes),
        units::duration(totals.ms)
    );
    let masked = if outcome.masks.columns == 0 { "unmasked" } else { "masked" };
    let of = |time: &Option<String>| time.as_ref().map(|time| format!(" as of {time}")).unwrap_or_default();
    let failed = || {
        let failed = outcome.gates.iter().filter(|gate| gate.fails()).count() as u64;
        format!("{} of {} failed", units::plural(failed, "gate"), outcome.gates.len())
    };
    match verdict {
        Verdict::Published | Verdict::PublishedWithProblems => format!(
            "{} is now a {masked} copy of {}{}: {moved}.",
            outcome.target,
            outcome.source,
            of(&outcome.snapshot_time)
        ),
        Verdict::Kept => format!("A {masked} copy of {} was loaded and verified: {moved}.", outcome.source),
        Verdict::DryRun => format!("A {masked} copy of {} was loaded, verified and dropped: {moved}.", outcome.source),
        Verdict::NotPublished => format!("{}; the loaded copy was not published.", failed()),
        Verdict::RolledBack => format!("{} once it was live; the release before serves again.", failed()),
        Verdict::Refused => {
            format!("{} to change before a run may begin.", units::plural(outcome.problems.len() as u64, "thing"))
        }
        Verdict::Failed | Verdict::Interrupted => {
            outcome.problems.first().map(|report| sentence(&report.message)).unwrap_or_default()
        }
    }
}

/// With a capital and a period.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    let period = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{period}", chars.as_str())
}

fn state(outcome: &RefreshOutcome) -> String {
    let told = outcome.problems.iter().find_map(|report| report.state.clone());
    match (&outcome.published, &outcome.previous, &outcome.aside) {
        _ if told.is_some() => told.unwrap_or_default(),
        (Some(live), Some(previous), _) => {
            format!("\"{live}\" serves the new release; the one before is kept as \"{previous}\".")
        }
        (Some(live), None, _) => format!("\"{live}\" serves the new release; no earlier one is kept."),
        (None, _, Some(aside)) => format!("What was live serves as before; the loaded database is \"{aside}\"."),
        (None, _, None) => "What was live serves as before.".to_owned(),
    }
}

/// The outcome of a run that failed: what it knew when it did.
pub fn failed(record: &RunRecord, failure: &Failure) -> RefreshOutcome {
    let phases = record.timeline.iter().filter_map(|span| {
        let phase = crate::event::Phase::ALL.into_iter().find(|phase| phase.name() == span.name)?;
        (span.labor == crate::outcome::Labor::Phase).then_some(PhaseTime { phase, ms: span.to_ms - span.from_ms })
    });
    let masked = PlanTotals::of(&record.tables);
    RefreshOutcome {
        run: record.run.clone(),
        release: record.run.clone(),
        source: record.source.clone(),
        target: record.target.clone(),
        snapshot_lsn: record.snapshot_lsn.clone(),
        snapshot_time: record.snapshot_time.clone(),
        totals: RunTotals::of(&record.loaded),
        tables: record.loaded.clone(),
        phases: phases.collect(),
        masks: MaskCounts { columns: masked.masked + masked.nulled, values: 0 },
        key_id: Some(record.by.key_id.clone()),
        gates: record.gates.clone(),
        privacy: record.privacy.clone(),
        fidelity: record.fidelity.clone(),
        problems: failure.reports.clone(),
        exit: failure.exit,
        ..RefreshOutcome::default()
    }
}

/// What [`write()`] leaves.
pub const FILES: [&str; 2] = ["report.html", "report.json"];

/// Writes the report of a run into its folder; each file is there whole or not at all.
///
/// # Errors
/// The error of the file system.
pub fn write(folder: &Path, record: &RunRecord, outcome: &RefreshOutcome, ms: u64) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut outcome = outcome.clone();
    if outcome.totals.ms == 0 {
        outcome.totals.ms = ms;
    }
    let drift = folder.parent().and_then(|reports| drift::since(reports, record, &outcome));
    let report = RunReport::new(record, &outcome, drift);
    let mut json = serde_json::to_vec_pretty(&Document::new("report", outcome.exit, &report))?;
    json.push(b'\n');
    put(folder, "report.html", page::page(&report).as_bytes())?;
    put(folder, "report.json", &json)
}

fn put(folder: &Path, name: &str, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name)).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{ColumnView, DecisionView, Gate, Labor, TableLoaded};

    /// A run over so many tables of twenty columns each, with names and reasons as long as they are in life.
    fn large(tables: usize) -> (RunRecord, RefreshOutcome) {
        let column = |table: usize, number: usize| {
            let decision = [DecisionView::Keep, DecisionView::Mask, DecisionView::Keep, DecisionView::Null][number % 4];
            ColumnView {
                name: format!("customer_attribute_{number:02}"),
                type_name: ["bigint", "character varying(255)", "timestamp with time zone", "jsonb"][number % 4].into(),
                decision,
                kind: (decision == DecisionView::Mask).then(|| "email/1".to_owned()),
                subject: (decision == DecisionView::Mask).then(|| "customer_id".to_owned()),
                reason: (number % 4 == 2).then(|| "product data, no person".to_owned()),
                because: format!(
                    "policy/area_{}.toml:{}:1 [tables.\"area_{}.*\"]",
                    table % 20,
                    10 + number,
                    table % 20
                ),
                ..ColumnView::default()
            }
        };
        let table = |number: usize| TableView {
            name: format!("area_{:02}.customer_relations_{number:04}", number % 20),
            rows: 1000 * number as u64,
            selection: "all".into(),
            columns: (0..20).map(|place| column(number, place)).collect(),
            ..TableView::default()
        };
        let mut record = RunRecord { tables: (0..tables).map(table).collect(), ..RunRecord::default() };
        let loaded = record.tables.iter().enumerate().map(|(place, table)| TableLoaded {
            name: table.name.clone(),
            rows: table.rows,
            bytes: table.rows * 100,
            ms: place as u64,
        });
        let outcome = RefreshOutcome {
            tables: loaded.collect(),
            gates: vec![Gate { name: "rows".into(), ok: true, evidence: "equal".into(), ..Gate::default() }],
            published: Some("shop".into()),
            ..RefreshOutcome::default()
        };
        for (place, table) in record.tables.iter().enumerate() {
            let from_ms = place as u64 * 10;
            for labor in [Labor::Load, Labor::Build, Labor::Analyze] {
                let name = table.name.clone();
                record.timeline.push(Span { labor, name, from_ms, to_ms: from_ms + 25 });
            }
        }
        (record, outcome)
    }

    #[test]
    fn page_of_a_thousand_tables_of_twenty_columns_is_below_two_megabytes() {
        let (record, outcome) = large(1000);
        let page = page::page(&RunReport::new(&record, &outcome, None));
        assert_eq!(page.matches("<tr><th>customer_attribute_").count(), 20_000, "every column is there");
        assert!(page.len() < 2_000_000, "{} bytes", page.len());
    }

    #[test]
    fn page_names_what_failed_first_and_says_that_nothing_changed() {
        let (record, mut outcome) = large(1);
        outcome.published = None;
        outcome.exit = Exit::Verify;
        let failed = Gate { name: "leaks".into(), ok: false, evidence: "public.t.c".into(), ..Gate::default() };
        outcome.gates.push(failed);
        let page = page::page(&RunReport::new(&record, &outcome, None));
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} is there"));
        assert!(at("Not published") < at("1 gate of 2 failed") && at("✗ fails") < at("✓ holds"));
        assert!(page.contains("What was live serves as before."));
    }

    #[test]
    fn page_of_a_release_that_was_rolled_back_says_what_serves_and_which_gate_refused_it() {
        let (record, mut outcome) = large(1);
        let at = crate::config::GatePoint::AfterPublish;
        outcome.gates.push(Gate { name: "smoke".into(), evidence: "exit status 1".into(), at, ..Gate::default() });
        (outcome.published, outcome.rolled_back) = (None, Some("shop__prev_20261120t023015_3fa2".into()));
        (outcome.release, outcome.exit) = ("20261120t023015_3fa2".into(), Exit::Verify);
        let report = RunReport::new(&record, &outcome, None);
        assert_eq!(report.verdict, Verdict::RolledBack);
        assert_eq!(report.summary, "1 gate of 2 failed once it was live; the release before serves again.");
        let page = page::page(&report);
        for told in ["smoke (after publishing)", "shop__prev_2026", "restage rollback --to 20261120t023015_3fa2"] {
            assert!(page.contains(told), "{told}");
        }
        assert!(!page.contains("there is nothing to go back from"));
    }

    #[test]
    fn page_draws_both_sides_of_a_column_and_tells_who_is_alone() {
        use crate::outcome::{AnonymityView, ColumnFidelity, FidelityView, PrivacyView, SideView};
        let (record, mut outcome) = large(1);
        assert!(!page::page(&RunReport::new(&record, &outcome, None)).contains("id=fidelity"), "no data, no part");
        let side = |histogram: &[f64]| SideView { histogram: histogram.to_vec(), ..SideView::default() };
        let column = |name: &str, ks| ColumnFidelity {
            table: "public.orders".into(),
            column: name.into(),
            kind: "num.noise/1".into(),
            source: side(&[0.5, 0.5, 0.0]),
            staging: side(&[0.25, 0.5, 0.25]),
            ks: Some(ks),
            ..ColumnFidelity::default()
        };
        let columns = vec![column("near", 0.01), column("far", 0.25)];
        outcome.fidelity = Some(FidelityView { kept: 3, columns, ..FidelityView::default() });
        let set = AnonymityView {
            table: "public.people".into(),
            columns: vec!["zip".into(), "born".into()],
            rows: 100,
            k: 5,
            rows_under_k: 7,
            ..AnonymityView::default()
        };
        outcome.privacy = Some(PrivacyView { anonymity: vec![set], ..PrivacyView::default() });
        let page = page::page(&RunReport::new(&record, &outcome, None));
        // Five bars of a column are not empty; the column that differs most stands first.
        assert_eq!(page.matches("<rect class=f2 x=").count() + page.matches("<rect class=f3 x=").count(), 10);
        assert!(page.find("public.orders.far") < page.find("public.orders.near"));
        assert!(page.contains("source and staging; they differ by 0.25") && page.contains("7 of k = 5"));
    }
}
