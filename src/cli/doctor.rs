//! `doctor`: connections, rights, versions, tools, key, clock. Looks, changes nothing, and says what to paste.

use super::engine::{conninfo, guard_settings};
use super::key;
use crate::catalog::{self, Catalog};
use crate::config::Config;
use crate::error::{Failure, Report};
use crate::extract::{replay, snapshot};
use crate::guard;
use crate::load::objects::Tools;
use crate::outcome::units::many;
use crate::outcome::{Check, DoctorReport, Group, Status};
use crate::pg::SourceSession;
use crate::plan::{self, Floor, Policy};
use crate::publish::Admin;
use crate::refresh::{self, target};
use crate::release::State;

/// Clocks further apart than this make times in reports misleading.
const CLOCK_SKEW_MAX_S: i64 = 30;

struct Findings(Vec<Check>);

impl Findings {
    fn add(&mut self, group: Group, name: &str, status: Status, detail: impl Into<String>, fix: Option<String>) {
        self.0.push(Check { group, name: name.to_owned(), status, detail: detail.into(), fix });
    }

    fn failed(&mut self, group: Group, name: &str, reports: &[Report]) {
        for report in reports {
            let detail = match &report.detail {
                Some(detail) => format!("{}: {detail}", report.message),
                None => report.message.clone(),
            };
            self.add(group, name, Status::Fail, detail, report.hint.clone());
        }
    }
}

pub(super) async fn run(config: &Config) -> DoctorReport {
    let mut found = Findings(Vec::new());
    found.add(Group::Config, "file", Status::Ok, format!("{} reads well", config.file.display()), None);
    for pending in &config.pending {
        if pending.refuses() {
            found.failed(Group::Config, "option", &[pending.report()]);
        } else {
            found.add(Group::Config, "option", Status::Warn, pending.warning(), None);
        }
    }
    check_key(config, &mut found).await;
    let catalog = check_source(config, &mut found).await;
    check_target(config, catalog.as_ref(), &mut found).await;
    DoctorReport { checks: found.0 }
}

async fn check_key(config: &Config, found: &mut Findings) {
    let Some(chosen) = &config.key else {
        let fix = "restage key new --out restage.key\n[key]\nfile = \"restage.key\"".to_owned();
        found.add(Group::Key, "key", Status::Fail, "there is no [key]", Some(fix));
        return;
    };
    match key::load(&chosen.source, false).await {
        Ok(loaded) => {
            let detail = format!("id {}, realm \"{}\"", loaded.key.id(), chosen.realm);
            found.add(Group::Key, "key", Status::Ok, detail, None);
            for warning in loaded.warnings {
                found.add(Group::Key, "key", Status::Warn, warning, None);
            }
        }
        Err(failure) => found.failed(Group::Key, "key", &failure.reports),
    }
}

async fn check_source(config: &Config, found: &mut Findings) -> Option<Catalog> {
    let info = match conninfo(config, "source", &config.source.url) {
        Ok(info) => info,
        Err(failure) => {
            found.failed(Group::Source, "url", &failure.reports);
            return None;
        }
    };
    let session = match SourceSession::connect(&info, "restage/doctor").await {
        Ok(session) => session,
        Err(error) => {
            found.failed(Group::Source, "connection", &Failure::from(error).reports);
            return None;
        }
    };
    let encrypted = if session.encrypted() { "TLS" } else { "no TLS" };
    found.add(Group::Source, "connection", Status::Ok, format!("{}, {encrypted}", info.describe()), None);
    clock(&session, Group::Source, found).await;
    if let Err(error) = snapshot::begin(&session, None).await {
        found.failed(Group::Source, "catalog", &Failure::from(error).reports);
        return None;
    }
    let catalog = match catalog::read(session.client()).await {
        Ok(catalog) => catalog,
        Err(error) => {
            found.failed(Group::Source, "catalog", &Failure::from(error).reports);
            return None;
        }
    };
    let server = &catalog.server;
    found.add(Group::Source, "version", Status::Ok, format!("PostgreSQL {}", server.version), None);
    rights(&catalog, config.source.allow_write_role, found);
    let floor = Floor { packs: &config.policy.packs, open: true, ..Floor::default() };
    let undecided = config.policy.undecided;
    let policy = Policy { rules: &config.tables, references: &config.references, undecided, floor };
    found.failed(Group::Source, "unlogged", &plan::unlogged_on_standby(&catalog, &policy));
    if server.standby {
        standby(&session, config.source.pause_replay, found).await;
    } else {
        long_transactions(&session, found).await;
    }
    Some(catalog)
}

/// The rights that `plan` asks for, in its own words, so that both say the same.
fn rights(catalog: &Catalog, allow_write_role: bool, found: &mut Findings) {
    let server = &catalog.server;
    let role = crate::pg::quote_ident(&server.role);
    let missing = plan::rights(catalog);
    if missing.is_empty() {
        let (tables, sequences) = (many(catalog.tables.len(), "table"), many(catalog.sequences.len(), "sequence"));
        let detail = format!("{role} can read {tables} and {sequences}: all there are");
        found.add(Group::Source, "rights", Status::Ok, detail, None);
    }
    for report in &missing {
        let name = if report.code == "plan::row-security" { "row security" } else { "rights" };
        found.add(Group::Source, name, Status::Fail, report.message.clone(), report.hint.clone());
    }
    if server.role_superuser || !server.role_writes.is_empty() {
        let what = if server.role_superuser { "is a superuser" } else { "may write" };
        let (status, fix) = match allow_write_role {
            true => (Status::Warn, "Use a role with SELECT only."),
            false => (Status::Fail, "Use a role with SELECT only, or set `allow_write_role = true` under [source]."),
        };
        found.add(Group::Source, "read-only role", status, format!("{role} {what}"), Some(fix.to_owned()));
    }
}

async fn clock(session: &crate::pg::Session, group: Group, found: &mut Findings) {
    let Ok(row) =
        session.client().query_one("SELECT extract(epoch FROM pg_catalog.clock_timestamp())::bigint", &[]).await
    else {
        return;
    };
    let skew = jiff::Timestamp::now().as_second() - row.get::<_, i64>(0);
    if skew.abs() > CLOCK_SKEW_MAX_S {
        let detail = format!("the server's clock differs from this machine's by {skew} s");
        found.add(group, "clock", Status::Warn, detail, Some("Run an NTP client on both.".to_owned()));
    }
}

async fn standby(session: &SourceSession, pauses: bool, found: &mut Findings) {
    let Ok(row) = session
        .client()
        .query_one(
            "SELECT pg_catalog.current_setting('hot_standby_feedback'), pg_catalog.current_setting('max_standby_streaming_delay'), \
             coalesce(extract(epoch FROM now() - pg_catalog.pg_last_xact_replay_timestamp()), 0)::bigint, \
             pg_catalog.pg_is_wal_replay_paused()",
            &[],
        )
        .await
    else {
        return;
    };
    let (feedback, delay, lag, paused): (String, String, i64, bool) = (row.get(0), row.get(1), row.get(2), row.get(3));
    let status = if feedback == "on" || paused { Status::Ok } else { Status::Warn };
    let fix = (feedback != "on").then(|| "ALTER SYSTEM SET hot_standby_feedback = on;".to_owned());
    let detail = format!("standby, feedback {feedback}, max_standby_streaming_delay {delay}, {lag} s behind");
    found.add(Group::Source, "standby", status, detail, fix);
    // Who configured the pause owns it: a run that was killed left it behind.
    if paused && pauses && matches!(replay::resume_left_behind(session, "restage/doctor").await, Ok(true)) {
        found.add(Group::Source, "replay", Status::Ok, "WAL replay stood paused and no refresh runs; resumed", None);
    } else if paused {
        let fix = Some("SELECT pg_wal_replay_resume();     -- on the standby, if no refresh is running".to_owned());
        found.add(Group::Source, "replay", Status::Warn, "WAL replay is paused", fix);
    }
}

async fn long_transactions(session: &SourceSession, found: &mut Findings) {
    let Ok(row) = session
        .client()
        .query_one(
            "SELECT count(*) FILTER (WHERE xact_start < now() - interval '1 hour'), \
             (SELECT count(*) FROM pg_catalog.pg_prepared_xacts) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database()",
            &[],
        )
        .await
    else {
        return;
    };
    let (long, prepared): (i64, i64) = (row.get(0), row.get(1));
    if long + prepared > 0 {
        let detail = format!("{long} transactions older than an hour, {prepared} prepared transactions");
        found.add(Group::Source, "transactions", Status::Warn, detail, None);
    }
}

async fn check_target(config: &Config, catalog: Option<&Catalog>, found: &mut Findings) {
    let Some(section) = &config.target else {
        found.add(Group::Target, "url", Status::Warn, "there is no [target]", None);
        return;
    };
    let info = match conninfo(config, "target", &section.url) {
        Ok(info) => info,
        Err(failure) => return found.failed(Group::Target, "url", &failure.reports),
    };
    let admin = match Admin::connect(&info, &section.maintenance_db, "restage/doctor").await {
        Ok(admin) => admin,
        Err(error) => return found.failed(Group::Target, "connection", &Failure::from(error).reports),
    };
    let encrypted = if admin.session.encrypted() { "TLS" } else { "no TLS" };
    found.add(Group::Target, "connection", Status::Ok, format!("{}, {encrypted}", info.describe()), None);
    clock(&admin.session, Group::Target, found).await;
    if let Some(catalog) = catalog
        && let Ok(source) = conninfo(config, "source", &config.source.url)
    {
        let settings = guard_settings(config, section, false, false);
        let bytes = catalog.tables.iter().map(|table| table.bytes).sum();
        match guard::check_all(&settings, &catalog.server, &source, &admin, bytes).await {
            Ok((checks, facts)) => {
                for foreseen in guard::foreseen(&admin, &facts, section.jobs) {
                    let status = if foreseen.ok { Status::Ok } else { Status::Warn };
                    found.add(Group::Target, foreseen.name, status, foreseen.detail, foreseen.fix);
                }
                for check in checks.into_iter().filter(|check| check.name != "source role") {
                    let status = match (check.ok, check.waivable) {
                        (true, _) => Status::Ok,
                        (false, true) => Status::Warn,
                        (false, false) => Status::Fail,
                    };
                    found.add(Group::Target, check.name, status, check.detail, check.fix);
                }
            }
            Err(error) => found.failed(Group::Target, "guards", &Failure::from(error).reports),
        }
        match refresh::target_lacks(catalog, &admin, section.owner.as_deref(), &section.skip_extensions).await {
            Ok(reports) if reports.is_empty() => {
                let detail = "all extensions and objects of the source can be created";
                found.add(Group::Target, "objects", Status::Ok, detail, None);
            }
            Ok(reports) => found.failed(Group::Target, "objects", &reports),
            Err(failure) => found.failed(Group::Target, "objects", &failure.reports),
        }
    }
    match target::maker(&admin, section.owner.as_deref()).await {
        Ok(Ok(_)) => {}
        Ok(Err(report)) => found.failed(Group::Target, "rights", &[report]),
        Err(failure) => found.failed(Group::Target, "rights", &failure.reports),
    }
    if let Ok(releases) = admin.releases().await {
        let aside: Vec<String> = releases
            .iter()
            .filter(|release| matches!(release.kind, State::Aside(_)))
            .map(|release| release.database.clone())
            .collect();
        if !aside.is_empty() {
            let detail = format!("loaded but never published: {}; the next refresh drops them", aside.join(", "));
            found.add(Group::Target, "left over", Status::Warn, detail, None);
        }
    }
    let major = admin.session.version_num() / 10_000;
    match Tools::find(section.bin_dir.as_deref(), major).await {
        Ok(tools) => {
            found.add(Group::Machine, "pg_dump", Status::Ok, format!("{} ({major})", tools.dump.display()), None);
        }
        Err(error) => found.failed(Group::Machine, "pg_dump", &Failure::from(error).reports),
    }
}
