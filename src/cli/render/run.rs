//! What happened to staging: refresh, demo, verify, rollback, releases, init-target.

use super::{Look, facts, table, units};
use crate::outcome::{
    DemoOutcome, Gate, InitTargetOutcome, RefreshOutcome, Release, ReleaseState, Releases, RollbackOutcome,
    VerifyOutcome,
};
use comfy_table::Cell;
use std::fmt::Write as _;

/// Warnings shown under the summary; the report has all.
const WARNINGS_MAX: usize = 5;

/// Renders the summary of a refresh: at most eight lines when all went well; failed gates and `-v` add to it.
pub(super) fn refresh(done: &RefreshOutcome, look: &Look) -> String {
    if let Some(why) = &done.unchanged {
        return format!("{} Nothing to do: {why}", look.good("✓"));
    }
    let mut text = format!("{} {}\n", look.tick(done.problems.is_empty()), head(done, look));
    if look.verbose > 0 && !done.tables.is_empty() {
        text.push_str(&loaded(done, look));
        text.push('\n');
    }
    let shown = if look.verbose > 1 { every_gate(&done.gates, look) } else { failed_gates(&done.gates, look) };
    let gates = if shown.is_empty() { String::new() } else { format!("\n{}", shown.join("\n")) };
    let list = [
        ("source", source(done)),
        ("masks", masks(done)),
        ("gates", format!("{}{gates}", gate_count(&done.gates))),
        ("phases", phases(done)),
        ("live", live(done)),
        ("report", report(done)),
        ("go back", done.go_back.clone().unwrap_or_default()),
    ];
    text.push_str(&facts(&list, look));
    // With a report they stand there, and were told while the run went on.
    if done.report_dir.is_some() && look.verbose == 0 {
        return text;
    }
    let most = if look.verbose > 1 { usize::MAX } else { WARNINGS_MAX };
    for warning in done.warnings.iter().take(most) {
        let _ = write!(text, "\n{} {}", look.warn("!"), super::hang(warning, 2));
    }
    if let Some(more @ 1..) = done.warnings.len().checked_sub(most) {
        let _ = write!(text, "\n{}", look.dim(&format!("  and {more} more in the report")));
    }
    text
}

/// What a night that went well has to tell all the same; empty if nothing.
pub(super) fn found(done: &RefreshOutcome, look: &Look) -> String {
    if done.found.is_empty() {
        return String::new();
    }
    let lines = done.found.iter().map(|text| format!("{} {}", look.warn("!"), super::hang(text, 2)));
    format!("{} {}\n{}", look.tick(true), head(done, look), lines.collect::<Vec<_>>().join("\n"))
}

fn head(done: &RefreshOutcome, look: &Look) -> String {
    let totals = &done.totals;
    let what = match (&done.published, done.problems.is_empty()) {
        (Some(name), _) if done.masks.columns == 0 => format!("{name} is refreshed; no column of it is masked"),
        (Some(name), _) => format!("{name} is refreshed and masked"),
        (None, true) => "Loaded and verified, not published".to_owned(),
        (None, false) if done.rolled_back.is_some() => "Published and rolled back".to_owned(),
        (None, false) => "Not published".to_owned(),
    };
    format!(
        "{}: {}, {}, {} in {}",
        look.strong(&what),
        units::plural(totals.tables, "table"),
        units::plural(totals.rows, "row"),
        units::bytes(totals.bytes),
        units::duration(totals.ms)
    )
}

fn source(done: &RefreshOutcome) -> String {
    let mut text = done.source.clone();
    if let Some(time) = &done.snapshot_time {
        let _ = write!(text, " as of {time}");
    }
    if let Some(lsn) = &done.snapshot_lsn {
        let _ = write!(text, ", LSN {lsn}");
    }
    text
}

fn masks(done: &RefreshOutcome) -> String {
    let masks = done.masks;
    if masks.columns == 0 {
        return "none: staging holds the values of production".to_owned();
    }
    let mut text =
        format!("{} masked, {}", units::plural(masks.columns, "column"), units::plural(masks.values, "value"));
    if let Some(id) = &done.key_id {
        let _ = write!(text, ", key {id}");
    }
    text
}

fn gate_count(gates: &[Gate]) -> String {
    let ok = gates.iter().filter(|gate| gate.ok).count();
    if gates.is_empty() { String::new() } else { format!("{ok} of {} passed", gates.len()) }
}

fn failed_gates(gates: &[Gate], look: &Look) -> Vec<String> {
    let failed = gates.iter().filter(|gate| !gate.ok);
    failed.map(|gate| format!("{} {}: {}", sign(gate, look), gate.name, gate.evidence)).collect()
}

/// A gate that does not hold and stops nothing warns.
fn sign(gate: &Gate, look: &Look) -> String {
    if gate.ok || gate.fails() { look.tick(gate.ok) } else { look.warn("!") }
}

fn every_gate(gates: &[Gate], look: &Look) -> Vec<String> {
    let line = |gate: &Gate| {
        let time = look.dim(&units::duration(gate.ms));
        format!("{} {}: {}  {time}", sign(gate, look), gate.name, gate.evidence)
    };
    gates.iter().map(line).collect()
}

fn phases(done: &RefreshOutcome) -> String {
    let parts = done.phases.iter().map(|time| format!("{} {}", time.phase.name(), units::duration(time.ms)));
    parts.collect::<Vec<_>>().join(" · ")
}

fn live(done: &RefreshOutcome) -> String {
    if let Some(kept) = &done.rolled_back {
        return format!("{}, the release before; the failed one is kept as {kept}", done.target);
    }
    match (&done.published, &done.previous, &done.aside) {
        (Some(_), Some(previous), _) => format!("{}; {previous} is kept", done.target),
        (Some(_), None, _) => done.target.clone(),
        (None, _, Some(aside)) => format!("unchanged; the loaded database is {aside}"),
        (None, _, None) => "unchanged".to_owned(),
    }
}

fn report(done: &RefreshOutcome) -> String {
    let Some(dir) = &done.report_dir else { return String::new() };
    match done.warnings.len() as u64 {
        0 => dir.clone(),
        count => format!("{dir}, with {}", units::plural(count, "warning")),
    }
}

fn loaded(done: &RefreshOutcome, look: &Look) -> String {
    let mut out = table::new(&["table", ">rows", ">bytes", ">time"], look);
    for table in &done.tables {
        out.add_row(vec![
            table::name(&table.name),
            Cell::new(units::count(table.rows)),
            Cell::new(units::bytes(table.bytes)),
            Cell::new(units::duration(table.ms)),
        ]);
    }
    table::text(&out)
}

/// Renders the demo: what values became, the summary, and where to look.
pub(super) fn demo(done: &DemoOutcome, look: &Look) -> String {
    let mut blocks = Vec::new();
    if !done.samples.is_empty() {
        let mut out = table::new(&["column", "production (made up)", "staging"], look);
        let value = |text: &Option<String>| text.as_ref().map_or_else(|| table::dim("NULL"), Cell::new);
        for sample in &done.samples {
            out.add_row(vec![table::name(&sample.column), value(&sample.source), value(&sample.staging)]);
        }
        blocks.push(table::text(&out));
    }
    let mut summary = done.refresh.clone();
    // Notes on made-up data help nobody.
    summary.warnings.clear();
    blocks.push(refresh(&summary, look));
    if !done.look.is_empty() {
        let list: Vec<(&str, String)> = done.look.iter().map(|(label, line)| (label.as_str(), line.clone())).collect();
        blocks.push(facts(&list, look));
    }
    blocks.join("\n\n")
}

/// Renders the gates one by one.
pub(super) fn verify(done: &VerifyOutcome, look: &Look) -> String {
    let width = done.gates.iter().map(|gate| gate.name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for gate in &done.gates {
        let time = look.dim(&units::duration(gate.ms));
        let _ = writeln!(text, "  {} {:width$}  {}  {time}", sign(gate, look), gate.name, gate.evidence);
    }
    let release = done.release.as_ref().map(|name| format!(" (release {name})")).unwrap_or_default();
    let _ = write!(
        text,
        "{}{release}: {} in {}",
        look.strong(&done.database),
        gate_count(&done.gates),
        units::duration(done.ms)
    );
    text
}

pub(super) fn rollback(done: &RollbackOutcome, look: &Look) -> String {
    let head =
        format!("{} {}", look.good("✓"), look.strong(&format!("{} is release {} again", done.database, done.live)));
    let list = [
        ("as of", done.as_of.clone().unwrap_or_default()),
        ("kept", done.replaced.clone()),
        ("took", units::duration(done.ms)),
        ("go back", done.go_back.clone().unwrap_or_default()),
    ];
    format!("{head}\n{}", facts(&list, look))
}

pub(super) fn releases(list: &Releases, look: &Look) -> String {
    if list.releases.is_empty() {
        return format!("No release on {} yet; `restage refresh` makes the first.", list.target);
    }
    let mut out = table::new(&["release", "state", "as of", ">size", "database", "run"], look);
    for release in &list.releases {
        out.add_row(vec![
            table::strong(&release.name),
            state(release),
            Cell::new(release.as_of.as_deref().unwrap_or("·")),
            Cell::new(units::bytes(release.bytes)),
            Cell::new(&release.database),
            table::dim(release.run.as_deref().unwrap_or("·")),
        ]);
    }
    format!("{}\n{}", list.target, table::text(&out))
}

fn state(release: &Release) -> Cell {
    match release.state {
        ReleaseState::Live => table::good("live"),
        ReleaseState::Previous => Cell::new("previous"),
        ReleaseState::Aside => table::dim("aside"),
    }
}

pub(super) fn init_target(done: &InitTargetOutcome, look: &Look) -> String {
    let what = if done.already { "was already marked as" } else { "is now marked as" };
    let head = format!("{} {} {what} a refresh target", look.good("✓"), look.strong(&done.server));
    let list = [
        ("database", done.database.clone()),
        ("realm", done.realm.clone()),
        ("system", done.system_identifier.clone()),
        ("next", "restage plan".to_owned()),
    ];
    format!("{head}\n{}", facts(&list, look))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Exit, Report};
    use crate::event::Phase;
    use crate::outcome::{DemoSample, MaskCounts, PhaseTime, RunTotals, TableLoaded};

    fn outcome() -> RefreshOutcome {
        let gate =
            |name: &str| Gate { name: name.into(), ok: true, evidence: "equal".into(), ms: 3, ..Gate::default() };
        let phase = |phase, ms| PhaseTime { phase, ms };
        RefreshOutcome {
            run: "01938c0e".into(),
            release: "20261120-0230".into(),
            source: "shop on prod-replica:5432".into(),
            target: "shop on staging:5432".into(),
            snapshot_lsn: Some("0/16B3740".into()),
            snapshot_time: Some("2026-11-20T02:30:00Z".into()),
            tables: vec![TableLoaded {
                name: "public.customers".into(),
                rows: 3_411_200,
                bytes: 1_234_000_000,
                ms: 30_100,
            }],
            totals: RunTotals { tables: 21, rows: 3_411_200, bytes: 1_234_000_000, ms: 42_100 },
            phases: vec![phase(Phase::Plan, 200), phase(Phase::Load, 30_100), phase(Phase::Index, 8_200)],
            masks: MaskCounts { columns: 38, values: 12_403_221 },
            key_id: Some("da7ed64a2bd1b44b".into()),
            gates: vec![gate("rows"), gate("keys")],
            published: Some("shop".into()),
            previous: Some("shop__prev_01938b".into()),
            report_dir: Some("restage-report/01938c0e".into()),
            warnings: vec!["2 large objects are not copied".into()],
            go_back: Some("restage rollback".into()),
            ..RefreshOutcome::default()
        }
    }

    #[test]
    fn the_summary_of_a_refresh_has_at_most_eight_lines() {
        let text = refresh(&outcome(), &Look::default());
        assert!(text.lines().count() <= 8, "{text}");
        insta::assert_snapshot!(text, @r#"
        ✓ shop is refreshed and masked: 21 tables, 3,411,200 rows, 1.2 GB in 42.1 s
          source   shop on prod-replica:5432 as of 2026-11-20T02:30:00Z, LSN 0/16B3740
          masks    38 columns masked, 12,403,221 values, key da7ed64a2bd1b44b
          gates    2 of 2 passed
          phases   plan 0.2 s · load 30.1 s · index 8.2 s
          live     shop on staging:5432; shop__prev_01938b is kept
          report   restage-report/01938c0e, with 1 warning
          go back  restage rollback
        "#);
    }

    #[test]
    fn verbose_summaries_list_the_tables() {
        let text = refresh(&outcome(), &Look { verbose: 1, ..Look::default() });
        assert!(text.contains("public.customers  3,411,200  1.2 GB  30.1 s"), "{text}");
    }

    #[test]
    fn a_failed_gate_is_named_and_staging_is_said_to_be_unchanged() {
        let mut done = outcome();
        done.gates[1] = Gate {
            name: "keys".into(),
            ok: false,
            evidence: "3 of 3,411,200 rows differ".into(),
            ms: 9,
            ..Gate::default()
        };
        done.published = None;
        done.previous = None;
        done.go_back = None;
        done.aside = Some("shop__01938c0e".into());
        done.problems = vec![Report::new("verify::gate", "1 gate failed")];
        done.exit = Exit::Verify;
        insta::assert_snapshot!(refresh(&done, &Look::default()), @r#"
        ✗ Not published: 21 tables, 3,411,200 rows, 1.2 GB in 42.1 s
          source   shop on prod-replica:5432 as of 2026-11-20T02:30:00Z, LSN 0/16B3740
          masks    38 columns masked, 12,403,221 values, key da7ed64a2bd1b44b
          gates    1 of 2 passed
                   ✗ keys: 3 of 3,411,200 rows differ
          phases   plan 0.2 s · load 30.1 s · index 8.2 s
          live     unchanged; the loaded database is shop__01938c0e
          report   restage-report/01938c0e, with 1 warning
        "#);
    }

    #[test]
    fn a_release_that_was_rolled_back_is_told_with_what_serves() {
        let mut done = outcome();
        done.gates.push(Gate { name: "smoke".into(), evidence: "exit status 1".into(), ms: 9, ..Gate::default() });
        (done.published, done.previous, done.go_back) = (None, None, None);
        done.rolled_back = Some("shop__prev_01938c0e".into());
        done.problems = vec![Report::new("verify::gate", "1 gate failed")];
        done.exit = Exit::Verify;
        let text = refresh(&done, &Look::default());
        for told in [
            "✗ Published and rolled back: 21 tables",
            "✗ smoke: exit status 1",
            "live     shop on staging:5432, the release before; the failed one is kept as shop__prev_01938c0e",
        ] {
            assert!(text.contains(told), "{told}: {text}");
        }
    }

    #[test]
    fn an_unchanged_source_takes_one_line() {
        let done = RefreshOutcome { unchanged: Some("nothing was written since 0/16B3740".into()), ..outcome() };
        assert_eq!(refresh(&done, &Look::default()), "✓ Nothing to do: nothing was written since 0/16B3740");
    }

    #[test]
    fn the_demo_shows_values_before_and_after() {
        let sample = |column: &str, source: Option<&str>, staging: Option<&str>| DemoSample {
            column: column.into(),
            source: source.map(Into::into),
            staging: staging.map(Into::into),
        };
        let done = DemoOutcome {
            samples: vec![
                sample("customers.email", Some("ann@example.org"), Some("c0kf70k6@example.com")),
                sample("customers.notes", Some("called twice"), None),
            ],
            refresh: RefreshOutcome { unchanged: Some("x".into()), ..RefreshOutcome::default() },
            look: vec![("staging".into(), "psql 'host=/tmp/d port=5433 dbname=shop'".into())],
        };
        insta::assert_snapshot!(demo(&done, &Look::default()), @r#"
          column           production (made up)  staging
          customers.email  ann@example.org       c0kf70k6@example.com
          customers.notes  called twice          NULL

        ✓ Nothing to do: x

          staging  psql 'host=/tmp/d port=5433 dbname=shop'
        "#);
    }

    #[test]
    fn verify_lists_every_gate() {
        let done = VerifyOutcome {
            database: "shop".into(),
            release: Some("20261120-0230".into()),
            gates: outcome().gates,
            privacy: None,
            ms: 12,
        };
        insta::assert_snapshot!(verify(&done, &Look::default()), @r#"
          ✓ rows  equal  3 ms
          ✓ keys  equal  3 ms
        shop (release 20261120-0230): 2 of 2 passed in 12 ms
        "#);
    }

    #[test]
    fn a_rollback_says_how_to_go_back() {
        let done = RollbackOutcome {
            database: "shop".into(),
            live: "20261119-0230".into(),
            as_of: Some("2026-11-19T02:30:00Z".into()),
            replaced: "shop__prev_01938c0e".into(),
            ms: 310,
            go_back: Some("restage rollback --to 20261120-0230".into()),
        };
        insta::assert_snapshot!(rollback(&done, &Look::default()), @r#"
        ✓ shop is release 20261119-0230 again
          as of    2026-11-19T02:30:00Z
          kept     shop__prev_01938c0e
          took     0.3 s
          go back  restage rollback --to 20261120-0230
        "#);
    }

    #[test]
    fn releases_are_a_table_with_the_live_one_first() {
        let release = |name: &str, state, database: &str| Release {
            name: name.into(),
            database: database.into(),
            state,
            as_of: Some("2026-11-20T02:30:00Z".into()),
            run: None,
            bytes: 1_234_000_000,
        };
        let list = Releases {
            target: "shop on staging:5432".into(),
            releases: vec![
                release("20261120-0230", ReleaseState::Live, "shop"),
                release("20261119-0230", ReleaseState::Previous, "shop__prev_01938b"),
            ],
        };
        insta::assert_snapshot!(releases(&list, &Look::default()), @r#"
        shop on staging:5432
          release        state     as of                   size  database           run
          20261120-0230  live      2026-11-20T02:30:00Z  1.2 GB  shop               ·
          20261119-0230  previous  2026-11-20T02:30:00Z  1.2 GB  shop__prev_01938b  ·
        "#);
        let none = Releases { target: "shop on staging:5432".into(), releases: vec![] };
        assert!(releases(&none, &Look::default()).starts_with("No release on shop on staging:5432 yet"));
    }

    #[test]
    fn marking_a_target_says_what_comes_next() {
        let done = InitTargetOutcome {
            server: "staging:5432".into(),
            database: "shop".into(),
            realm: "staging".into(),
            system_identifier: "7301112223334445556".into(),
            already: false,
        };
        insta::assert_snapshot!(init_target(&done, &Look::default()), @r#"
        ✓ staging:5432 is now marked as a refresh target
          database  shop
          realm     staging
          system    7301112223334445556
          next      restage plan
        "#);
    }
}
