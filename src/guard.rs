//! What must hold before the first write to the target; unsure means refuse (POSTGRES section 11).

use crate::catalog::Server;
use crate::error::{Diagnose, Exit, Report};
use crate::load::LoadError;
use crate::pg::Conninfo;
use crate::publish::{self, Admin, Foreseen, MAY_END, PublishError, Release};
use crate::release::{self, Mark, State};
use serde::Serialize;

/// What the user allowed, from `[target]`, `[source]` and the command line.
#[derive(Debug, Clone)]
pub struct Settings {
    pub confirm: Option<String>,
    pub realm: String,
    pub allow_same_cluster: bool,
    pub allow_prod_name: bool,
    pub allow_write_role: bool,
    /// `--yes`, or the name typed on a terminal: this database may be replaced.
    pub confirmed: bool,
    /// `--yes`: also where the target looks unusual. Typing a name does not say that, the surprises come later.
    pub yes: bool,
    /// Nothing is to be replaced yet, so nobody was asked.
    pub plan_only: bool,
}

/// One guard and whether it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: &'static str,
    pub ok: bool,
    pub detail: String,
    /// The line to paste when it does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// `--yes` is enough to pass it.
    pub waivable: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    #[error("{} guards do not hold", .0.len())]
    Refused(Vec<Check>),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl Diagnose for GuardError {
    fn exit(&self) -> Exit {
        match self {
            GuardError::Refused(_) => Exit::Refused,
            GuardError::Load(error) => error.exit(),
            GuardError::Publish(error) => error.exit(),
        }
    }

    fn reports(&self) -> Vec<Report> {
        match self {
            GuardError::Load(error) => error.reports(),
            GuardError::Publish(error) => error.reports(),
            GuardError::Refused(checks) => checks.iter().map(report).collect(),
        }
    }
}

/// The report of a guard that does not hold.
pub fn report(check: &Check) -> Report {
    let code = match check.name {
        "marker" => "guard::marker",
        "other cluster" => "guard::same-cluster",
        OTHER_DATABASE => "guard::same-database",
        "name" => "guard::name",
        "confirm" => "guard::confirm",
        "source role" => "guard::source-role",
        "version" => "guard::older-target",
        "writable" => "guard::read-only-target",
        "rights" => "guard::rights",
        "name length" => "plan::name-too-long",
        MAINTENANCE => "guard::maintenance-database",
        _ => "guard::unsure",
    };
    let mut report =
        Report::new(code, check.detail.clone()).state("Nothing was read from the source or written to the target.");
    report.hint = check.fix.clone();
    report
}

fn check(name: &'static str, ok: bool, detail: impl Into<String>, fix: Option<String>) -> Check {
    Check { name, ok, detail: detail.into(), fix, waivable: false }
}

/// Facts about the target server that the guards judge.
#[derive(Debug, Clone, Default)]
pub struct TargetFacts {
    pub version_num: u32,
    pub version: String,
    pub system_identifier: u64,
    pub recovery: bool,
    pub read_only: bool,
    pub standbys: i64,
    pub archiving: bool,
    pub can_create: bool,
    pub superuser: bool,
    pub role: String,
    /// The role owns the live database or is a member of its owner; true when there is none.
    pub owns_live: bool,
    /// The role may end the sessions of every role that is no superuser.
    pub ends_sessions: bool,
    /// Roles that are connected to the live database now and whose sessions it may not end; superusers aside.
    pub connected: Vec<String>,
    /// How many sessions the role may have; none if nobody counts them.
    pub sessions_max: Option<u32>,
    /// What publishing will meet in the live database, or lose with it.
    pub foreseen: Vec<Foreseen>,
    pub live_bytes: Option<i64>,
}

/// Reads the facts.
///
/// # Errors
/// The error of the server.
pub async fn target_facts(admin: &Admin) -> Result<TargetFacts, LoadError> {
    let row = admin
        .session
        .client()
        .query_one(
            &format!("SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()), pg_catalog.pg_is_in_recovery(), \
             pg_catalog.current_setting('default_transaction_read_only')::bool, \
             (SELECT count(*) FROM pg_catalog.pg_stat_replication), \
             pg_catalog.current_setting('archive_mode') <> 'off', r.rolcreatedb OR r.rolsuper, r.rolsuper, \
             current_user::text, \
             coalesce((SELECT pg_catalog.pg_has_role(datdba, 'USAGE') FROM pg_catalog.pg_database WHERE datname::text = $1), true), \
             pg_catalog.current_setting('server_version'), \
             (SELECT pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database WHERE datname::text = $1 \
               AND (pg_catalog.has_database_privilege(oid, 'CONNECT') OR pg_catalog.pg_has_role(datdba, 'USAGE'))), \
             r.rolsuper OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'), \
             coalesce((SELECT pg_catalog.array_agg(DISTINCT r.rolname::text) FROM pg_catalog.pg_stat_activity a \
               JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid WHERE a.datname::text = $1 AND NOT r.rolsuper \
               AND NOT {MAY_END}), '{{}}'), \
             CASE WHEN NOT r.rolsuper AND r.rolconnlimit >= 0 THEN r.rolconnlimit END \
             FROM pg_catalog.pg_roles r WHERE r.rolname = current_user"),
            &[&admin.live],
        )
        .await
        .map_err(|error| LoadError::sql("asking the target about itself", &error))?;
    Ok(TargetFacts {
        version_num: admin.session.version_num(),
        system_identifier: row.get::<_, i64>(0) as u64,
        recovery: row.get(1),
        read_only: row.get(2),
        standbys: row.get(3),
        archiving: row.get(4),
        can_create: row.get(5),
        superuser: row.get(6),
        role: row.get(7),
        owns_live: row.get(8),
        version: row.get(9),
        live_bytes: row.get(10),
        ends_sessions: row.get(11),
        connected: row.get(12),
        sessions_max: row.get::<_, Option<i32>>(13).map(i32::unsigned_abs),
        foreseen: admin.foresee().await,
    })
}

/// Judges everything; the caller refuses if one check is not ok. Returns the facts too: the mark names the server.
///
/// # Errors
/// The error of the server.
pub async fn check_all(
    settings: &Settings,
    source: &Server,
    source_info: &Conninfo,
    admin: &Admin,
    source_bytes: u64,
) -> Result<(Vec<Check>, TargetFacts), GuardError> {
    let facts = target_facts(admin).await?;
    let releases = admin.releases().await?;
    let live = releases.iter().find(|release| release.kind == State::Live);
    let mut checks = vec![
        same_database(source, source_info, admin, live, &facts),
        same_cluster(settings, source, &facts),
        marker(settings, admin, live, &facts),
        names(settings, admin),
        confirm(settings, admin),
        source_role(settings, source),
        version(source, &facts),
        rights(admin, &facts),
        check(
            "writable",
            !facts.recovery && !facts.read_only,
            if facts.recovery {
                "the target is a standby (in recovery)".to_owned()
            } else if facts.read_only {
                "the target role or server has default_transaction_read_only = on".to_owned()
            } else {
                "the target can be written".to_owned()
            },
            match (facts.recovery, facts.read_only) {
                (true, _) => Some("Point `url` under [target] at a writable primary.".to_owned()),
                (false, true) => Some(format!(
                    "ALTER ROLE {} SET default_transaction_read_only = off;     -- or name a server that can be written",
                    crate::pg::quote_ident(&facts.role)
                )),
                (false, false) => None,
            },
        ),
        check(
            "name length",
            admin.live.len() <= release::LIVE_NAME_MAX,
            format!(
                "bytes of database name \"{}\": {}; at most {} leave room for a run id",
                admin.live,
                admin.live.len(),
                release::LIVE_NAME_MAX
            ),
            (admin.live.len() > release::LIVE_NAME_MAX).then(|| "Give the live database a shorter name.".to_owned()),
        ),
    ];
    checks.extend(maintenance(admin));
    checks.extend(surprises(settings, &facts, source_bytes));
    Ok((checks, facts))
}

/// Judges what must hold before a database is marked: the mark is what every later refresh trusts, so it is the first write
/// that can go wrong. All but one of the checks are those of [`check_all`].
///
/// # Errors
/// The error of the target.
pub async fn check_mark(
    settings: &Settings,
    source: &Server,
    source_info: &Conninfo,
    admin: &Admin,
    facts: &TargetFacts,
) -> Result<Vec<Check>, GuardError> {
    let releases = admin.releases().await?;
    let live = releases.iter().find(|release| release.kind == State::Live);
    let mut other = same_database(source, source_info, admin, live, facts);
    // Without a mark nothing tells the primary of a standby from a copy that was promoted.
    if other.ok && source.standby && same_name(source, source_info, admin, facts) {
        other = check(
            other.name,
            false,
            format!(
                "the source is a standby of this server, or both are copies of one: database \"{}\" may be production",
                admin.live
            ),
            Some(
                "Set `url` under [target] to the staging server. If this one is a copy that was promoted, and not the \
                 primary of the source: restage init-target --trust-target"
                    .to_owned(),
            ),
        );
    }
    let checks = [other, same_cluster(settings, source, facts), names(settings, admin)];
    Ok(checks.into_iter().chain(maintenance(admin)).collect())
}

/// Keeps the checks that refuse the run.
pub fn refused(checks: &[Check]) -> Vec<Check> {
    decisive(checks).filter(|check| !check.ok).cloned().collect()
}

/// Leaves out the checks that fail only because another one does: a target that is the source fails nearly every guard,
/// and there is one thing to do about it.
pub fn decisive(checks: &[Check]) -> impl Iterator<Item = &Check> {
    let same = checks.iter().any(|check| check.name == OTHER_DATABASE && !check.ok);
    checks.iter().filter(move |check| check.ok || !same || check.name == OTHER_DATABASE)
}

const OTHER_DATABASE: &str = "other database";
const SESSIONS: &str = "sessions";
const MAINTENANCE: &str = "maintenance database";

fn same_database(
    source: &Server,
    source_info: &Conninfo,
    admin: &Admin,
    live: Option<&Release>,
    facts: &TargetFacts,
) -> Check {
    // Any database of the source's own name on the source's own server would be renamed away: that is production itself.
    // A standby shares the identifier with clones of its primary, where the name may be right. The mark tells them apart:
    // what was marked on the primary itself is marked on its standby too.
    let replica_of_target = live.is_some_and(|live| live.mark.is_some() && live.comment == source.comment);
    let same = same_name(source, source_info, admin, facts) && (!source.standby || replica_of_target);
    check(
        OTHER_DATABASE,
        !same,
        if same {
            format!("the target is the source itself: database \"{}\" on the same server", admin.live)
        } else {
            "source and target are different databases".to_owned()
        },
        same.then(|| "Set `url` under [target] to the staging server.".to_owned()),
    )
}

/// The same database name on what says that it is the same server.
fn same_name(source: &Server, source_info: &Conninfo, admin: &Admin, facts: &TargetFacts) -> bool {
    source.system_identifier == facts.system_identifier
        && (source.database == admin.live || source_info.database == admin.live)
}

fn same_cluster(settings: &Settings, source: &Server, facts: &TargetFacts) -> Check {
    let same = source.system_identifier == facts.system_identifier;
    check(
        "other cluster",
        !same || settings.allow_same_cluster,
        if same {
            format!(
                "source and target are the same cluster, or copies of one (system identifier {})",
                facts.system_identifier
            )
        } else {
            "source and target are different clusters".to_owned()
        },
        same.then(|| "If this is meant, set `allow_same_cluster = true` under [target].".to_owned()),
    )
}

fn marker(settings: &Settings, admin: &Admin, live: Option<&Release>, facts: &TargetFacts) -> Check {
    let fix = Some(format!("restage init-target     # marks \"{}\" on this server as a refresh target", admin.live));
    match live {
        None => check(
            "marker",
            false,
            format!("the target has no database \"{}\" that is marked as a refresh target", admin.live),
            fix,
        ),
        Some(Release { mark: None, .. }) => check(
            "marker",
            false,
            format!("database \"{}\" of the target is not marked as a refresh target", admin.live),
            fix,
        ),
        Some(Release { mark: Some(mark), .. }) => {
            if mark.system_identifier != facts.system_identifier.to_string() {
                check(
                    "marker",
                    false,
                    format!(
                        "the mark of \"{}\" was written on another server (system identifier {})",
                        admin.live, mark.system_identifier
                    ),
                    fix,
                )
            } else if mark.realm != settings.realm {
                check(
                    "marker",
                    false,
                    format!(
                        "the mark of \"{}\" is for realm \"{}\", the configuration says \"{}\"",
                        admin.live, mark.realm, settings.realm
                    ),
                    Some(format!(
                        "realm = \"{}\"     # under [key]; or mark the server anew: restage init-target",
                        mark.realm
                    )),
                )
            } else {
                check("marker", true, format!("marked by {} at {}", mark.marked_by, mark.at), None)
            }
        }
    }
}

fn names(settings: &Settings, admin: &Admin) -> Check {
    let hosts: Vec<String> = admin.info.hosts.iter().map(|host| host.host.to_string()).collect();
    let suspicious = std::iter::once(admin.live.as_str())
        .chain(hosts.iter().map(String::as_str))
        .find(|name| looks_like_production(name))
        .map(str::to_owned);
    check(
        "name",
        suspicious.is_none() || settings.allow_prod_name,
        match &suspicious {
            Some(name) => format!("the target's name \"{name}\" looks like production"),
            None => "the target's name does not look like production".to_owned(),
        },
        suspicious.map(|_| "If it is staging all the same, set `allow_prod_name = true` under [target].".to_owned()),
    )
}

/// A part of a host or database name that says `prod`, `production`, `prd`, `live` or `master`.
fn looks_like_production(name: &str) -> bool {
    if name.starts_with('/') {
        return false;
    }
    name.split(|c: char| !c.is_ascii_alphabetic())
        .map(str::to_ascii_lowercase)
        .any(|word| matches!(word.as_str(), "prod" | "production" | "prd" | "live"))
}

fn confirm(settings: &Settings, admin: &Admin) -> Check {
    match &settings.confirm {
        Some(name) if *name != admin.live => check(
            "confirm",
            false,
            format!("`confirm` says \"{name}\", but the live database is \"{}\"", admin.live),
            Some(format!("confirm = \"{}\"     # under [target], if this is the database to replace", admin.live)),
        ),
        Some(_) => check("confirm", true, "`confirm` names the live database", None),
        None if settings.plan_only => {
            let detail = format!("a run asks before it replaces \"{}\", or takes --yes", admin.live);
            check("confirm", true, detail, None)
        }
        None if settings.yes => check("confirm", true, "confirmed by --yes", None),
        None if settings.confirmed => check("confirm", true, "confirmed by its name", None),
        None => Check {
            waivable: true,
            ..check(
                "confirm",
                false,
                format!("nothing confirms that \"{}\" may be replaced", admin.live),
                Some(format!("confirm = \"{}\"     # under [target], or pass --yes", admin.live)),
            )
        },
    }
}

/// Judges the role that reads the source: it may neither write nor be a superuser.
pub fn source_role(settings: &Settings, source: &Server) -> Check {
    let writes = source.role_superuser || !source.role_writes.is_empty();
    let detail = if source.role_superuser {
        format!("source role \"{}\" is a superuser", source.role)
    } else if writes {
        format!("source role \"{}\" may write to {}", source.role, source.role_writes.join(", "))
    } else {
        format!("source role \"{}\" can only read", source.role)
    };
    // Not pg_read_all_data: that role reads the passwords in user mappings and subscriptions too.
    let fix = writes.then(|| {
        format!(
            "Make a role that can only read, and name it in `url` under [source]:\n\
             CREATE ROLE restage_ro LOGIN BYPASSRLS PASSWORD '…';\n\
             GRANT CONNECT ON DATABASE {} TO restage_ro;\n\
             SELECT format('GRANT USAGE ON SCHEMA %1$I TO restage_ro; GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO restage_ro; \
             GRANT SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO restage_ro', nspname) \
             FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema$)' \\gexec\n\
             Or accept the risk: `allow_write_role = true` under [source]. Sessions are read-only either way.",
            crate::pg::quote_ident(&source.database)
        )
    });
    check("source role", !writes || settings.allow_write_role, detail, fix)
}

fn version(source: &Server, facts: &TargetFacts) -> Check {
    let (from, to) = (source.version_num / 10_000, facts.version_num / 10_000);
    check(
        "version",
        to >= from && to >= 14,
        if to >= from && to >= 14 {
            format!("source {from}, target {to}")
        } else if to < from {
            format!("the target (PostgreSQL {to}) is older than the source (PostgreSQL {from})")
        } else {
            format!("the target is PostgreSQL {to}; 14 is the oldest supported")
        },
        (to < from).then(|| format!("Upgrade the target to PostgreSQL {from} or newer: newer binary values can load as different values without an error.")),
    )
}

fn rights(admin: &Admin, facts: &TargetFacts) -> Check {
    let (role, live) = (crate::pg::quote_ident(&facts.role), crate::pg::quote_ident(&admin.live));
    let (mut missing, mut lines) = (Vec::new(), Vec::new());
    if !facts.can_create {
        missing.push("may not create databases".to_owned());
        lines.push(format!("ALTER ROLE {role} CREATEDB;"));
    }
    if !facts.owns_live {
        missing.push(format!("does not own database {live}, so it cannot rename it"));
        lines.push(format!("ALTER DATABASE {live} OWNER TO {role};"));
    }
    if missing.is_empty() {
        return check("rights", true, format!("{role} may create databases and owns \"{}\"", admin.live), None);
    }
    check("rights", false, format!("target role {role} {}", missing.join(" and ")), Some(lines.join(" ")))
}

/// Whether the swap can end the sessions that are in its way. Nothing to refuse a run for: they may be gone by then.
fn sessions(admin: &Admin, facts: &TargetFacts) -> Check {
    let role = crate::pg::quote_ident(&facts.role);
    if facts.ends_sessions {
        return check(SESSIONS, true, format!("{role} may end the sessions of other roles when it publishes"), None);
    }
    let mut detail = format!(
        "{role} may not end sessions of other roles: no run publishes while one is connected to \"{}\"",
        admin.live
    );
    if !facts.connected.is_empty() {
        detail.push_str(&format!("; connected now: {}", facts.connected.join(", ")));
    }
    check(SESSIONS, false, detail, Some(publish::grant(&facts.role)))
}

/// Sessions of a run beside one for each of its jobs: for making databases, for comparing, and that of pg_dump.
const SESSIONS_BESIDE_JOBS: usize = 3;
/// A run of one job opens as many as one of two.
const JOBS_LEAST: usize = 2;

/// Whether the role may have as many sessions as a run can open. One of few tables opens fewer.
fn sessions_max(facts: &TargetFacts, jobs: usize) -> Option<Check> {
    let (max, wanted) = (facts.sessions_max? as usize, jobs.max(JOBS_LEAST) + SESSIONS_BESIDE_JOBS);
    let role = crate::pg::quote_ident(&facts.role);
    let fewer = match max.saturating_sub(SESSIONS_BESIDE_JOBS) {
        ..JOBS_LEAST => String::new(),
        jobs => format!("     -- or `jobs = {jobs}` under [target]"),
    };
    (max < wanted).then(|| {
        check(
            "connection limit",
            false,
            format!("{role} may have {max} sessions, and a run with `jobs = {jobs}` opens up to {wanted}"),
            Some(format!("ALTER ROLE {role} CONNECTION LIMIT {wanted};{fewer}")),
        )
    })
}

/// What keeps a run from publishing, or is lost when it does, unless somebody acts until then. Nothing to refuse it for.
pub fn foreseen(admin: &Admin, facts: &TargetFacts, jobs: usize) -> Vec<Check> {
    let found = facts.foreseen.iter().cloned();
    let found = found.map(|Foreseen { name, told, helps }| check(name, false, told, helps));
    std::iter::once(sessions(admin, facts)).chain(sessions_max(facts, jobs)).chain(found).collect()
}

/// What a run that publishes says before it loads.
pub fn in_the_way(admin: &Admin, facts: &TargetFacts, jobs: usize) -> Vec<String> {
    let found = foreseen(admin, facts, jobs).into_iter().filter(|check| !check.ok);
    // As long as nobody is there, the right to disconnect them is not missed.
    let found = found.filter(|check| check.name != SESSIONS || !facts.connected.is_empty());
    let told = |Check { detail, fix, .. }| match fix {
        Some(fix) => format!("{detail}. What helps: {fix}"),
        None => format!("{detail}."),
    };
    found.map(told).collect()
}

/// The database that is replaced cannot be the one we are connected to while it is renamed.
fn maintenance(admin: &Admin) -> Option<Check> {
    (admin.info.database == admin.live).then(|| {
        check(
            MAINTENANCE,
            false,
            format!("database \"{}\" is the target and the `maintenance_db` that it would be renamed from", admin.live),
            Some(
                "CREATE DATABASE maintenance;     -- or any other database of the server\n\
                 maintenance_db = \"maintenance\"     # under [target]"
                    .to_owned(),
            ),
        )
    })
}

fn surprises(settings: &Settings, facts: &TargetFacts, source_bytes: u64) -> Vec<Check> {
    let mut found = Vec::new();
    let mut add = |surprising: bool, detail: String| {
        if surprising {
            found.push(Check {
                waivable: true,
                ..check(
                    "unusual target",
                    settings.yes,
                    detail,
                    Some("Pass --yes if this is the server you mean.".to_owned()),
                )
            });
        }
    };
    add(facts.standbys > 0, format!("the target has {} standbys or replication clients", facts.standbys));
    add(facts.archiving, "the target archives its write-ahead log, as production does".to_owned());
    // Twice the source, and large enough that empty templates do not count.
    let limit = (2 * source_bytes).max(256 * 1024 * 1024);
    let live = facts.live_bytes.unwrap_or(0) as u64;
    add(
        live > limit,
        format!("the live database holds {} MiB, more than twice the source's {} MiB", live >> 20, source_bytes >> 20),
    );
    found
}

/// Marks the live database as a refresh target; creates it empty if it does not exist.
///
/// # Errors
/// The error of the server.
pub async fn init_target(admin: &Admin, realm: &str, now: jiff::Timestamp) -> Result<Mark, GuardError> {
    let facts = target_facts(admin).await?;
    let releases = admin.releases().await?;
    let live = releases.iter().find(|release| release.kind == State::Live);
    let name = crate::pg::quote_ident(&admin.live);
    let what = || format!("marking database \"{}\"", admin.live);
    if live.is_none() {
        admin
            .session
            .client()
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0"))
            .await
            .map_err(|error| LoadError::sql(what(), &error))?;
    }
    let before = live.and_then(|live| live.mark.clone());
    let mark = Mark {
        tool: "restage".to_owned(),
        role: "target".to_owned(),
        realm: realm.to_owned(),
        system_identifier: facts.system_identifier.to_string(),
        marked_by: facts.role,
        at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        release: before.as_ref().and_then(|mark| mark.release.clone()),
        key_id: before.as_ref().and_then(|mark| mark.key_id.clone()),
        as_of: before.as_ref().and_then(|mark| mark.as_of.clone()),
        left: None,
        empty: live.is_none() || before.is_some_and(|mark| mark.empty),
    };
    let people = live.map(|live| Mark::people(&live.comment)).filter(|text| !text.is_empty());
    let comment = mark.comment(people.as_deref().unwrap_or(release::MARKED));
    admin
        .session
        .client()
        .batch_execute(&format!("COMMENT ON DATABASE {name} IS {}", crate::pg::quote_literal(&comment)))
        .await
        .map_err(|error| LoadError::sql(what(), &error))?;
    Ok(mark)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_names_are_seen() {
        for name in ["prod", "db-prod-1.example", "shop_live", "PRODUCTION"] {
            assert!(looks_like_production(name), "{name}");
        }
        for name in ["staging", "products", "delivery", "/var/run/prod"] {
            assert!(!looks_like_production(name), "{name}");
        }
    }

    #[test]
    fn older_target_is_refused() {
        let source = Server { version_num: 160_002, ..Server::default() };
        assert!(!version(&source, &TargetFacts { version_num: 150_018, ..TargetFacts::default() }).ok);
        assert!(version(&source, &TargetFacts { version_num: 160_001, ..TargetFacts::default() }).ok);
    }
}
