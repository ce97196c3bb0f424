//! What was written as files, and whether fixtures still match.

use super::{Look, facts, hang, shell_word, units};
use crate::artefact::{Form, Purpose};
use crate::outcome::{ExportOutcome, FixtureCheck};
use std::fmt::Write as _;

/// Warnings shown under the summary.
const WARNINGS_MAX: usize = 5;

pub(in super::super) fn export(done: &ExportOutcome, look: &Look) -> String {
    let what = match done.purpose {
        Purpose::Snapshot => "Masked snapshot",
        Purpose::Fixture => "Fixtures",
    };
    let totals = &done.totals;
    let mut text = format!(
        "{} {}: {}, {}, {} in {}\n",
        look.good("✓"),
        look.strong(&format!("{what} in {}", done.out)),
        units::plural(totals.tables, "table"),
        units::plural(totals.rows, "row"),
        units::plural(done.files, "file"),
        units::duration(totals.ms)
    );
    let masks = match done.masks.columns {
        0 => "none: the files hold the values of production".to_owned(),
        columns => format!(
            "{} masked, {} values, key {}",
            units::plural(columns, "column"),
            units::count(done.masks.values),
            done.key_id
        ),
    };
    let phases = done.phases.iter().map(|time| format!("{} {}", time.phase.name(), units::duration(time.ms)));
    let next = match (done.purpose, done.form) {
        (Purpose::Snapshot, _) => format!("restage load {}", shell_word(&done.out)),
        (Purpose::Fixture, Form::Sql) => {
            format!("psql -X -f {} EMPTY_DATABASE", shell_word(&format!("{}/fixture.sql", done.out)))
        }
        (Purpose::Fixture, Form::Csv) => {
            format!("cd {} && psql -X -f load.sql EMPTY_DATABASE", shell_word(&done.out))
        }
        (Purpose::Fixture, Form::Parquet) => String::new(),
    };
    let list = [
        ("source", format!("{} as of {}, LSN {}", done.source, done.snapshot_time, done.snapshot_lsn)),
        ("masks", masks),
        ("phases", phases.collect::<Vec<_>>().join(" · ")),
        ("load", next),
    ];
    text.push_str(&facts(&list, look));
    let most = if look.verbose > 1 { usize::MAX } else { WARNINGS_MAX };
    for warning in done.warnings.iter().take(most) {
        let _ = write!(text, "\n{} {}", look.warn("!"), hang(warning, 2));
    }
    if let Some(more @ 1..) = done.warnings.len().checked_sub(most) {
        let _ = write!(text, "\n{}", look.dim(&format!("  and {more} more with -vv")));
    }
    text
}

pub(in super::super) fn check(done: &FixtureCheck, look: &Look) -> String {
    let mut text = String::new();
    for difference in &done.differences {
        let _ = writeln!(text, "  {} {difference}", look.bad("✗"));
    }
    for note in &done.notes {
        let _ = writeln!(text, "  {} {note}", look.warn("!"));
    }
    let verdict = match done.differences.len() as u64 {
        0 => format!(
            "matches {}: {}, {}",
            done.source,
            units::plural(done.tables, "table"),
            units::plural(done.definitions, "definition")
        ),
        count => format!("does not match {}: {}", done.source, units::plural(count, "difference")),
    };
    let _ = write!(text, "{} {} {verdict}", look.tick(done.differences.is_empty()), look.strong(&done.out));
    if !done.differences.is_empty() {
        let _ = write!(text, "\n{}", facts(&[("next", done.next.clone())], look));
    }
    text
}
