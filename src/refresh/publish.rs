//! The end of a run: its row is written, the databases are swapped, and what is live then is judged once more.

use super::gates::Asked;
use super::reading::Clock;
use super::run::{Run, Shared};
use super::{Prepared, gates, hooks};
use crate::config::{GatePoint, HookPoint, PublishMode};
use crate::error::{Diagnose as _, Exit, Failure, Report};
use crate::event::{Phase, Unit};
use crate::load::LoadError;
use crate::outcome::{Gate, RefreshOutcome};
use crate::pg::{self, Conninfo, TargetSession};
use crate::publish::{PublishError, Published, Release, Swept};
use crate::release::{self, Mark, State};
use crate::verify;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// What may be done about a gate that fails after the swap.
struct Way {
    swapped: Instant,
    /// The database of the release before; none: there is none to go back to.
    back: Option<String>,
    /// A gate failed while there was time.
    due: bool,
}

impl Run {
    /// Writes the run's row, shrinks our schema to it, and swaps the databases.
    pub(super) async fn publish(
        &self,
        prepared: &Prepared,
        shared: &Shared,
        info: &Conninfo,
        clock: &mut Clock,
        outcome: &mut RefreshOutcome,
    ) -> Result<(), Failure> {
        let job = &self.job;
        let name = release::staging_name(&prepared.admin.live, &job.run);
        let not_published = format!(
            "Nothing was published: \"{}\" serves as before. The loaded database is \"{name}\".",
            prepared.admin.live
        );
        outcome.totals.ms = clock.began.elapsed().as_millis() as u64;
        let recorded = self.stop.race(self.record(prepared, shared, outcome)).await;
        if let Err(failure) = recorded {
            return Err(self.give_up(prepared, failure, false).await);
        }
        // Hashing what was loaded is work of its own size, and none of the swap's.
        clock.done(Phase::Verify, held(&outcome.gates));
        shared.sessions.close().await;
        if job.dry_run {
            let told = |error: PublishError| Failure::from(error).with_state(&not_published);
            let mut swept = prepared.admin.drop_aside(None).await.map_err(told)?;
            if let Some(left) = swept.take_left(&name) {
                return Err(told(left));
            }
            self.warn_left(&swept);
            outcome
                .warnings
                .push("Dry run: the loaded database was verified and dropped; nothing was published.".to_owned());
            outcome.warnings.extend(self.not_asked());
            return Ok(());
        }
        if job.publish == PublishMode::None {
            outcome.aside = Some(name);
            outcome.warnings.extend(self.not_asked());
            return Ok(());
        }
        let hooked = async {
            hooks::run(job, HookPoint::BeforePublish, info, &self.events).await?;
            self.write_down_after(HookPoint::BeforePublish, info).await
        };
        if let Err(failure) = self.stop.race(hooked).await {
            // A hook that fails is looked into in the database it failed in; an interrupt asks for nothing to be left.
            return Err(self.give_up(prepared, failure, !self.stop.is_stopped()).await);
        }
        self.events.started(Phase::Publish, None, Unit::Items);
        let as_of = outcome.snapshot_time.clone();
        let mark = self.mark(prepared, as_of.as_deref());
        let people =
            format!("masked copy of {} as of {}", prepared.catalog.server.database, as_of.as_deref().unwrap_or("?"));
        let published = match self.swap(prepared, &mark, &people).await {
            Ok(published) => published,
            Err(PublishError::Stopped) => {
                return Err(self.give_up(prepared, self.stop.error().into(), false).await);
            }
            Err(error) => return Err(Failure::from(error).with_state(&not_published)),
        };
        let swapped = Instant::now();
        outcome.published = Some(published.database.clone());
        outcome.previous = published.previous.clone();
        clock.done(Phase::Publish, format!("\"{}\" is live; gap {} ms", published.database, published.gap_ms));
        let live = job.target().with_database(&published.database);
        self.follow(prepared, &live, swapped, clock, outcome).await;
        outcome.go_back = outcome.previous.as_ref().map(|_| "restage rollback".to_owned());
        Ok(())
    }

    /// Gates of the live database that nothing asks, because nothing was published.
    fn not_asked(&self) -> Option<String> {
        let names: Vec<&str> = self.job.gates.at(GatePoint::AfterPublish).map(Asked::name).collect();
        (!names.is_empty())
            .then(|| format!("nothing was published, so these gates were not asked: \"{}\"", names.join("\", \"")))
    }

    async fn swap(&self, prepared: &Prepared, mark: &Mark, people: &str) -> Result<Published, PublishError> {
        for failed in prepared.admin.copy_properties(&self.job.run).await? {
            self.events.warn(format!("A setting of the live database could not be copied: {failed}"));
        }
        // The swap is all or nothing, and stops as long as it is nothing.
        prepared.admin.swap(&self.job.run, mark, people, jiff::Timestamp::now(), self.stop.token()).await
    }

    /// Steps after publishing. What fails is told, and the new release stays live, unless a gate brings the one before back.
    async fn follow(
        &self,
        prepared: &Prepared,
        live: &Conninfo,
        swapped: Instant,
        clock: &mut Clock,
        outcome: &mut RefreshOutcome,
    ) {
        let state = format!("\"{}\" is live with the new release.", live.database);
        let fail = |outcome: &mut RefreshOutcome, failure: Failure| {
            outcome.exit = Exit::AfterPublish;
            outcome.problems.extend(failure.with_state(&state).reports);
        };
        let judged = self.job.gates.at(GatePoint::AfterPublish).next().is_some();
        let mut back = None;
        match self.forget_empty(prepared, outcome).await {
            Ok(()) => back.clone_from(&outcome.previous),
            Err(failure) => fail(outcome, failure),
        }
        // Earlier releases go only when none of them may have to come back. A signal ends a hook; without gates everything
        // else is done by then.
        if !judged && let Err(failure) = self.retain(prepared, outcome).await {
            fail(outcome, failure);
        }
        match self.hook_live(live).await {
            // What the gates say of a stop says it all.
            Err(failure) if !(judged && self.stop.is_stopped()) => fail(outcome, failure),
            _ => {}
        }
        if judged
            && self.judge_live(prepared, live, Way { swapped, back, due: false }, clock, outcome).await
            && let Err(failure) = self.retain(prepared, outcome).await
        {
            fail(outcome, failure);
        }
    }

    /// Drops the empty database that `init-target` made, which is no release to go back to.
    async fn forget_empty(&self, prepared: &Prepared, outcome: &mut RefreshOutcome) -> Result<(), Failure> {
        let releases = prepared.admin.releases().await?;
        let empty = releases.iter().find(|release| {
            outcome.previous.as_deref() == Some(release.database.as_str())
                && release.mark.as_ref().is_some_and(|mark| mark.empty)
        });
        if let Some(empty) = empty {
            prepared.admin.drop_database(empty).await?;
            outcome.previous = None;
        }
        Ok(())
    }

    async fn retain(&self, prepared: &Prepared, outcome: &mut RefreshOutcome) -> Result<(), Failure> {
        let Swept { dropped, left } = prepared.admin.retain(self.job.keep).await?;
        for name in dropped {
            self.events.note(format!("dropped {name}, older than the {} releases kept", self.job.keep));
            if outcome.previous.as_ref() == Some(&name) {
                outcome.previous = None;
            }
        }
        let reports: Vec<Report> = left.iter().flat_map(PublishError::reports).collect();
        if reports.is_empty() { Ok(()) } else { Err(Failure { exit: Exit::AfterPublish, reports }) }
    }

    async fn hook_live(&self, live: &Conninfo) -> Result<(), Failure> {
        if !self.job.hooks.iter().any(|hook| hook.at == HookPoint::AfterPublish) {
            return Ok(());
        }
        let hooked = async {
            hooks::run(&self.job, HookPoint::AfterPublish, live, &self.events).await?;
            self.write_down_after(HookPoint::AfterPublish, live).await
        };
        self.stop.race(hooked).await
    }

    /// Asks the gates of what is live; says whether it stays live without a complaint. The first that fails in time brings
    /// the release before back, and the others are not asked: they would be asked of a release that is known to be bad.
    async fn judge_live(
        &self,
        prepared: &Prepared,
        live: &Conninfo,
        mut way: Way,
        clock: &mut Clock,
        outcome: &mut RefreshOutcome,
    ) -> bool {
        clock.skip();
        self.events.started(Phase::Verify, None, Unit::Items);
        let before = outcome.gates.len();
        let asked = self.stop.race(self.ask_live(live, &mut way, outcome)).await;
        let failed: Vec<Gate> = outcome.gates[before..].iter().filter(|gate| gate.fails()).cloned().collect();
        gates::tell_soft(&self.events, &outcome.gates[before..]);
        self.job.ledger.note(|record| record.gates.clone_from(&outcome.gates));
        if failed.is_empty() && asked.is_ok() {
            clock.done(Phase::Verify, format!("{} in the live database", held(&outcome.gates[before..])));
            return true;
        }
        if let Some(back) = way.back.as_ref().filter(|_| way.due) {
            self.roll_back(prepared, live, back, &failed, outcome).await;
            return false;
        }
        outcome.exit = Exit::AfterPublish;
        let (why, hint) = self.no_way_back(&way);
        for gate in &failed {
            let report = verify::report(gate);
            let more = report.hint.as_ref().map(|hint| format!("\n{hint}")).unwrap_or_default();
            let state = format!("\"{}\" is live with the new release: {why}", live.database);
            outcome.problems.push(report.state(state).hint(format!("{hint}{more}")));
        }
        if let Err(failure) = asked {
            let state = format!(
                "\"{}\" is live with the new release, and {} of its gates after publishing were asked.",
                live.database,
                outcome.gates.len() - before
            );
            let told = failure.with_state(&state).reports.into_iter().map(|report| {
                let undo = way.back.as_ref().map_or("", |_| "\nrestage rollback     # brings the release before back");
                report.hint(format!("restage verify     # asks them all{undo}"))
            });
            outcome.problems.extend(told);
        }
        false
    }

    /// Asks one gate after the other, and writes into the live database what they found.
    async fn ask_live(&self, live: &Conninfo, way: &mut Way, outcome: &mut RefreshOutcome) -> Result<(), Failure> {
        let session = self.session(live).await?;
        let surroundings = self.surroundings(live);
        for asked in self.job.gates.at(GatePoint::AfterPublish) {
            self.events.note(format!("gate \"{}\"", asked.name()));
            let mut gate = asked.judge(&session, &surroundings).await;
            verify::soften(&self.job.gates.warn, std::slice::from_mut(&mut gate));
            let within = self.job.gates.rollback_within;
            let in_time = !within.is_zero() && way.swapped.elapsed() <= within;
            way.due = gate.fails() && way.back.is_some() && in_time;
            outcome.gates.push(gate);
            if way.due {
                break;
            }
        }
        if let Err(error) = write_gates(&session, &outcome.gates).await {
            // What they found stands in the report all the same, and decides.
            let why = error.reports().into_iter().map(|report| report.message).collect::<Vec<_>>().join("; ");
            self.events.warn(format!("restage.run does not say what the gates after publishing found: {why}"));
        }
        session.close().await;
        Ok(())
    }

    /// Why a release that a gate refuses stays live, and what to do.
    fn no_way_back(&self, way: &Way) -> (String, &'static str) {
        const BACK: &str = "restage rollback     # brings the release before back";
        let within = self.job.gates.rollback_within;
        match &way.back {
            None => (
                "there is no earlier release to go back to.".to_owned(),
                "restage refresh     # again, once it is corrected",
            ),
            Some(_) if within.is_zero() => ("`rollback_within` in [verify] is \"0s\".".to_owned(), BACK),
            Some(_) => {
                let late = way.swapped.elapsed().as_secs_f64();
                let told =
                    format!("{late:.0} s after the swap, later than the {} of `rollback_within`.", seconds(within));
                (told, BACK)
            }
        }
    }

    /// Brings the release before back, as `restage rollback` does; the one of this run is kept.
    async fn roll_back(
        &self,
        prepared: &Prepared,
        live: &Conninfo,
        back: &str,
        failed: &[Gate],
        outcome: &mut RefreshOutcome,
    ) {
        let reports = failed.iter().map(verify::report);
        // What a gate refuses does not stay because the run is to stop.
        let unstopped = CancellationToken::new();
        let rolled = prepared.admin.rollback(Some(back), jiff::Timestamp::now(), &unstopped).await;
        let releases = prepared.admin.releases().await.unwrap_or_default();
        let serving = releases.iter().find(|release| release.kind == State::Live);
        let name = &live.database;
        match rolled {
            Ok(Published { previous, .. }) => {
                let kept = previous.unwrap_or_else(|| release::previous_name(name, &self.job.run));
                let before = serving.map_or_else(|| "the release before".to_owned(), described);
                let state =
                    format!("Rolled back: {before} serves as \"{name}\"; the failed one is kept as \"{kept}\".");
                let hint = format!(
                    "ALTER DATABASE {} ALLOW_CONNECTIONS true;     -- to look into it\n\
                     restage rollback --to {}     # if it shall serve all the same",
                    pg::quote_ident(&kept),
                    self.job.run
                );
                self.events.note(&state);
                outcome.problems.iter_mut().for_each(|report| report.state = Some(state.clone()));
                outcome.problems.extend(reports.map(|report| report.state(&state).hint(&hint)));
                outcome.exit = Exit::Verify;
                (outcome.published, outcome.previous, outcome.rolled_back) = (None, None, Some(kept));
            }
            Err(error) => {
                let ours = serving.map(|release| release.release.as_ref() == Some(&self.job.run));
                let state = match ours {
                    Some(true) => {
                        format!("\"{name}\" is live with the new release: the one before could not be brought back.")
                    }
                    Some(false) => format!("\"{name}\" is the release before again."),
                    None => format!("\"{name}\" is the new release or the one before: the server could not be asked."),
                };
                let hint = match ours {
                    Some(true) => "restage rollback     # brings the release before back, once the other error is gone",
                    _ => "restage releases     # says which one is live",
                };
                outcome.exit = Exit::AfterPublish;
                outcome.problems.extend(reports.map(|report| report.state(&state).hint(hint)));
                outcome.problems.extend(not_back(&error).into_iter().map(|report| report.state(&state)));
            }
        }
    }
}

/// The problem that kept a release from being brought back.
fn not_back(error: &PublishError) -> Vec<Report> {
    match error {
        PublishError::InUse { holders, .. } => {
            let hint = holders.advice("restage rollback");
            error.reports().into_iter().map(|report| report.hint(&hint)).collect()
        }
        _ => error.reports(),
    }
}

/// `the release 20261120t023015_3fa2 of 2026-11-20T02:30:00Z`.
fn described(release: &Release) -> String {
    let of = release.as_of.as_ref().map(|time| format!(" of {time}")).unwrap_or_default();
    match &release.release {
        Some(id) => format!("the release {id}{of}"),
        None => "the database that was there before".to_owned(),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}

/// `10 gates hold`, `9 of 10 gates hold`.
fn held(gates: &[Gate]) -> String {
    let ok = gates.iter().filter(|gate| gate.ok).count();
    match (ok, gates.len()) {
        (1, 1) => "1 gate holds".to_owned(),
        (ok, all) if ok == all => format!("{all} gates hold"),
        (ok, all) => format!("{ok} of {all} gates hold"),
    }
}

/// Writes down in the row of the run what all gates found.
async fn write_gates(session: &TargetSession, gates: &[Gate]) -> Result<(), LoadError> {
    let failed = |error| LoadError::sql("recording the gates", &error);
    let gates = serde_json::to_string(gates).unwrap_or_else(|_| "[]".to_owned());
    let client = session.client();
    client.execute("UPDATE restage.run SET gates = $1::text::jsonb", &[&gates]).await.map_err(failed)?;
    // Commits of ours are asynchronous; this one is waited for.
    client.batch_execute("SET synchronous_commit = on; SELECT pg_catalog.txid_current()").await.map_err(failed)
}
