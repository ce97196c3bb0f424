//! What only a server can say before a run: whether it accepts the user's conditions, whether values fit their masks, and
//! whether the target can hold what the source is made of.

use super::Job;
use super::prepare::{NOTHING, connect_source};
use crate::catalog::Catalog;
use crate::error::{Failure, Report};
use crate::extract::{ExtractError, snapshot};
use crate::load::LoadError;
use crate::pg::{Inlined, SourceSession, SqlProblem};
use crate::plan::{ConditionProbe, Plan, ValueFault, ValueProbe, list_line, with_path};
use crate::publish::Admin;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Longest that one question about values may take, and all of them: they delay every run.
pub(super) const PROBE_MAX: Duration = Duration::from_secs(20);
pub(super) const PROBES_MAX: Duration = Duration::from_secs(60);

const NAMES: &str = "Names of columns are as in the table; functions and types outside pg_catalog need their schema.";
const ABOUT: &str =
    "Names of columns are as in the table that it is about; functions and types outside pg_catalog need their schema.";

/// What to do about a condition that the server does not understand; `names` where its names are all that may be wrong.
fn unread(problem: &SqlProblem, names: &str) -> String {
    let hint = match problem.sqlstate.as_str() {
        // A table is not known, or a name before a dot is that of no table of the query.
        "42P01" => {
            "Tables need their schema, and the table whose rows it is about is called t, not by its name:\n\
             EXISTS (SELECT 1 FROM public.orders AS o WHERE o.customer_id = t.id)"
        }
        "22P02" => {
            "A literal in it is not of the type that it is compared with: not a number, UUID or boolean, or no label of the \
             enum. Correct it, or compare the text of the column: `id::text = '…'`."
        }
        "22007" => {
            "A literal in it is compared with a date or time and is none. Write it as '2024-12-31' or '2024-12-31 23:59:59+00'."
        }
        "22008" => "A date or time in it does not exist. Write the year first, then month and day: '2024-12-31'.",
        "42804" => {
            "It has to be true or false for each row: compare the column, as in `active = 1`, and call no function that \
             returns several rows. Values that are given by turns (CASE, COALESCE) have to be of one type."
        }
        "42803" => {
            "It is about one row, of which there is no aggregate. Ask about other rows in a query of its own:\n\
             (SELECT count(*) FROM public.orders AS o WHERE o.customer_id = t.id) > 1"
        }
        _ => names,
    };
    hint.to_owned()
}

/// Asks the source to read each `where`, and each `when` of a mask, without running it.
///
/// # Errors
/// The connection is lost, or a lock cannot be had.
pub(super) async fn conditions(session: &SourceSession, probes: &[ConditionProbe]) -> Result<Vec<Report>, Failure> {
    let mut reports = Vec::new();
    let mut told = BTreeSet::new();
    for probe in probes {
        let (why, problem) = match under_savepoint(session, session.client().prepare(&probe.sql)).await? {
            Ok(statement) if statement.params().is_empty() => continue,
            Ok(_) => ("It has a parameter ($1), and nothing gives it a value.".to_owned(), None),
            Err(problem) => (format!("{problem}."), Some(problem)),
        };
        let place = probe.place.as_ref().map(ToString::to_string);
        // A rule for several tables or columns is told of once.
        if !told.insert((probe.column.is_some(), place.clone())) {
            continue;
        }
        let table = &probe.table;
        let (report, names) = match &probe.column {
            None => {
                let message = format!("the source cannot read the `where` of \"{table}\"");
                (Report::new("plan::rows-where", message), NAMES)
            }
            Some(column) => {
                let message = format!("the source cannot read the `when` of column \"{table}.{column}\"");
                (Report::new("plan::when", message), ABOUT)
            }
        };
        let hint = problem.map_or_else(|| names.to_owned(), |problem| unread(&problem, names));
        let mut report = report.hint(hint);
        report.place = place;
        reports.push(report.detail(why));
    }
    Ok(reports)
}

/// Asks the source to read the seeds and declared references of a subset, without running them.
///
/// # Errors
/// As [`conditions`].
pub(super) async fn subset(session: &SourceSession, plan: &Plan) -> Result<Vec<Report>, Failure> {
    let mut reports = Vec::new();
    for probe in plan.subset.iter().flat_map(|plan| crate::subset::probes(plan)) {
        let equal = "A reference needs equal types on both sides.";
        let (why, hint) = match under_savepoint(session, session.client().prepare(&probe.sql)).await? {
            Ok(statement) if statement.params().is_empty() => continue,
            Ok(_) => ("It has a parameter ($1), and nothing gives it a value.".to_owned(), NAMES.to_owned()),
            Err(problem) if probe.place.is_none() => (format!("{problem}."), format!("{NAMES} {equal}")),
            // The server's words would quote the value.
            Err(problem) if problem.sqlstate.starts_with("22") => (
                format!("A value in it does not fit the type of what it is compared with ({}).", problem.sqlstate),
                "Correct the value. That of a parameter of a scenario is given as `--set PARAM=VALUE`.".to_owned(),
            ),
            Err(problem) => (format!("{problem}."), unread(&problem, NAMES)),
        };
        let report = Report::new("plan::subset-sql", format!("the source cannot read {}", probe.what)).detail(why);
        let report = report.hint(hint);
        reports.push(match probe.place {
            Some(place) => report.place(place),
            None => report,
        });
    }
    Ok(reports)
}

/// Runs one statement so that its failure leaves the transaction usable. The inner error is the server's answer.
pub(super) async fn under_savepoint<T>(
    session: &SourceSession,
    statement: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<Result<T, SqlProblem>, Failure> {
    let failed = |error: &tokio_postgres::Error| Failure::from(ExtractError::sql("asking the source", error));
    let run = async |sql: &str| session.client().batch_execute(sql).await.map_err(|error| failed(&error));
    run("SAVEPOINT restage_question").await?;
    let answer = statement.await;
    if let Err(error) = &answer
        && SqlProblem::from(error).is_connection_lost()
    {
        return Err(failed(error));
    }
    run("ROLLBACK TO SAVEPOINT restage_question; RELEASE SAVEPOINT restage_question").await?;
    Ok(answer.map_err(|error| SqlProblem::from(&error)))
}

/// SQLSTATEs of names that lead nowhere: function, table, column, type or other object, schema.
const UNKNOWN_NAME: [&str; 5] = ["42883", "42P01", "42703", "42704", "3F000"];

/// Refuses tables on which the server can plan no query, because an index calls a function whose body names something
/// without its schema. Reads no row.
///
/// # Errors
/// The source failed.
pub(super) async fn inlined(session: &SourceSession, plan: &Plan) -> Result<Vec<Report>, Failure> {
    let found = Inlined::read(session.client()).await;
    let found = found.map_err(|error| ExtractError::sql("reading the functions of indexes", &error))?;
    let mut reports = Vec::new();
    for table in &plan.tables {
        let own: Vec<&Inlined> = found.iter().filter(|inlined| inlined.table == table.oid).collect();
        if own.is_empty() {
            continue;
        }
        let sql = format!("EXPLAIN SELECT FROM ONLY {}", crate::pg::quote_qualified(&table.schema, &table.name));
        let problem = under_savepoint(session, session.client().batch_execute(&sql)).await?.err();
        // Any other one, as a lock that somebody holds, passes or is told where the table is read.
        let Some(problem) = problem.filter(|problem| UNKNOWN_NAME.contains(&problem.sqlstate.as_str())) else {
            continue;
        };
        let calls: Vec<String> =
            own.iter().map(|inlined| format!("{} calls {}", inlined.object, inlined.function)).collect();
        let mut lines: Vec<String> = own.iter().map(|inlined| with_path(&inlined.function, &inlined.schemas)).collect();
        lines.sort();
        lines.dedup();
        let message = format!(
            "table \"{}\" cannot be read: an index calls a function that names something without its schema",
            table.full_name()
        );
        let why = "PostgreSQL opens such a function up for every query on the table. pg_dump reads it all the same, but no restore can build the index.";
        let report = Report::new("plan::index-function", message);
        reports.push(report.detail(format!("{problem}\n{}\n{why}", calls.join("\n"))).hint(lines.join("\n")));
    }
    Ok(reports)
}

/// Asks the questions of the plan about values. Returns refusals, and a warning for what could not be answered in time.
///
/// # Errors
/// The source cannot be reached.
pub(super) async fn values(job: &Job, plan: &Plan) -> Result<(Vec<Report>, Vec<String>), Failure> {
    let (mut reports, mut warnings) = (Vec::new(), Vec::new());
    if plan.value_probes.is_empty() {
        return Ok((reports, warnings));
    }
    let session = connect_source(job).await?;
    snapshot::begin(&session, None).await?;
    let started = Instant::now();
    let mut unasked = Vec::new();
    for probe in &plan.value_probes {
        let left = PROBES_MAX.saturating_sub(started.elapsed()).min(PROBE_MAX);
        match count(&session, probe, left).await? {
            Some(0) => {}
            Some(count) => reports.push(misfit(probe, count)),
            None => unasked.push(format!("\"{}\"", probe.column)),
        }
    }
    if !unasked.is_empty() {
        warnings.push(format!(
            "the values of {} could not be looked through in time; if some do not fit their masks, the load stops there",
            unasked.join(", ")
        ));
    }
    session.close().await;
    Ok((reports, warnings))
}

/// The answer to one question; none if it takes too long, or the server will not say.
async fn count(session: &SourceSession, probe: &ValueProbe, left: Duration) -> Result<Option<i64>, Failure> {
    let limit = format!("SET LOCAL statement_timeout = {}", left.as_millis());
    if left.is_zero() {
        return Ok(None);
    }
    let setting = session.client().batch_execute(&limit).await;
    setting.map_err(|error| ExtractError::sql("limiting the time of a question", &error))?;
    match under_savepoint(session, session.client().query_one(&probe.any_sql, &[])).await? {
        Ok(row) if !row.get::<_, bool>(0) => return Ok(Some(0)),
        Ok(_) => {}
        Err(_) => return Ok(None),
    }
    let answer = under_savepoint(session, session.client().query_one(&probe.count_sql, &[])).await?;
    Ok(answer.ok().map(|row| row.get(0)))
}

fn misfit(probe: &ValueProbe, count: i64) -> Report {
    let ValueProbe { column, kind, .. } = probe;
    let mut report = match &probe.fault {
        ValueFault::Collide { index, can_unfold } => {
            let what = format!(
                "{count} value(s) of \"{column}\" are other spellings of a value that is there too, and {kind} masks both \
                 alike, so unique index \"{index}\" would not hold"
            );
            let fold = if *can_unfold { "; if they differ in case alone, `fold = false` is enough" } else { "" };
            Report::new("plan::spellings-collide", what)
                .detail("Case, spaces around a value and a dot at its end make no other address, name or number.")
                .hint(format!(
                    "Make them one at the source, or decide \"pattern\", which tells all spellings apart{fold}."
                ))
        }
        ValueFault::LeaveEncoding { encoding, reads_a_format } => {
            let what = format!("{count} value(s) of \"{column}\" hold letters beyond ASCII");
            let way_out = if *reads_a_format {
                "Say what becomes of values that are not of the kind: `on_invalid = \"null\"` or `on_invalid = \"fail\"`."
            } else {
                "Decide \"null\" or another kind for the column, or keep it with a reason."
            };
            Report::new("plan::leaves-encoding", what)
                .detail(format!("A pattern of them can have letters that {encoding}, the encoding of the source and so of staging, has not."))
                .hint(way_out)
        }
        ValueFault::Locale { locale, encoding } => {
            let what = format!("{count} value(s) of \"{column}\" get masks of {locale}, as their row's country says");
            Report::new("plan::leaves-encoding", what)
                .detail(format!("Their letters are not in {encoding}, the encoding of the source and so of staging."))
                .hint("Leave `locale_from` out for the column and name a `locale` that the encoding has; that of en_US is ASCII.")
        }
    };
    report.place = probe.place.as_ref().map(ToString::to_string);
    report
}

/// Tells of names under `skip_extensions` that are no extension of the source: nothing is left out for them.
pub(super) fn not_skipped(catalog: &Catalog, skip: &[String]) -> Vec<String> {
    let unknown = skip.iter().filter(|name| !catalog.extensions.contains(name));
    let there = || match catalog.extensions.as_slice() {
        [] => "it has none".to_owned(),
        names => format!("it has {}", names.join(", ")),
    };
    unknown
        .map(|name| {
            format!(
                "`skip_extensions` under [target] names \"{name}\", which is no extension of the source: {}",
                there()
            )
        })
        .collect()
}

/// Roles of hosted servers whose members may create the extensions that are offered there.
const HOSTED: &str = "('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'alloydbsuperuser')";

/// Tells what of the source the target cannot create: extensions it does not have, and what only a superuser may create.
///
/// `owner` is the role that will own the copy, if it is not that of the connection; `skip` names extensions that it does
/// without.
///
/// # Errors
/// The error of the target.
pub async fn target_lacks(
    catalog: &Catalog,
    admin: &Admin,
    owner: Option<&str>,
    skip: &[String],
) -> Result<Vec<Report>, Failure> {
    let query = "SELECT wanted, e.name IS NOT NULL, coalesce((SELECT v.superuser AND NOT \
           coalesce((pg_catalog.to_jsonb(v) ->> 'trusted')::pg_catalog.bool, false) \
           FROM pg_catalog.pg_available_extension_versions AS v \
           WHERE v.name = e.name AND v.version = e.default_version), false) \
         FROM pg_catalog.unnest($1::pg_catalog.text[]) AS wanted \
         LEFT JOIN pg_catalog.pg_available_extensions AS e ON e.name = wanted";
    let asking = |error: &tokio_postgres::Error| {
        Failure::from(LoadError::sql("asking for available extensions", error)).with_state(NOTHING)
    };
    let wanted: Vec<&String> = catalog.extensions.iter().filter(|name| !skip.contains(name)).collect();
    let rows = admin.session.client().query(query, &[&wanted]).await.map_err(|error| asking(&error))?;
    let role = admin
        .session
        .client()
        .query_opt(
            &format!(
                "SELECT r.rolname::pg_catalog.text, r.rolsuper, EXISTS (SELECT FROM pg_catalog.pg_roles AS h \
                 WHERE h.rolname IN {HOSTED} AND pg_catalog.pg_has_role(r.oid, h.oid, 'MEMBER')) \
                 FROM pg_catalog.pg_roles AS r WHERE r.rolname = coalesce($1, current_user)"
            ),
            &[&owner],
        )
        .await
        .map_err(|error| asking(&error))?;
    let (role, superuser, hosted) = match &role {
        Some(row) => (row.get::<_, String>(0), row.get::<_, bool>(1), row.get::<_, bool>(2)),
        // A role that is missing is told elsewhere.
        None => (String::new(), true, true),
    };
    let names = |wanted: fn(bool, bool) -> bool| {
        let found = rows.iter().filter(move |row| wanted(row.get(1), row.get(2)));
        found.map(|row| row.get::<_, String>(0)).collect::<Vec<_>>()
    };
    let mut reports = Vec::new();
    let missing = names(|there, _| !there);
    if !missing.is_empty() {
        let what = match missing.as_slice() {
            [one] => format!("the target server lacks the extension {one}"),
            more => format!("the target server lacks the extensions {}", more.join(", ")),
        };
        reports
            .push(Report::new("plan::missing-extension", what).hint(
                "Install the packages on the target server (for contrib: `apt-get install postgresql-contrib`).",
            ));
    }
    let grant = format!(
        "ALTER ROLE {} SUPERUSER;     -- on the target; or drop them at the source",
        crate::pg::quote_ident(&role)
    );
    let untrusted = names(|there, untrusted| there && untrusted);
    if !untrusted.is_empty() && !superuser && !hosted {
        let what = format!("role \"{role}\" may not create the extension(s) {} on the target", untrusted.join(", "));
        let report = Report::new("plan::untrusted-extension", what);
        let report = report.detail("They are not trusted, so only a superuser can create them.");
        let without = list_line("skip_extensions", "target", skip, untrusted.iter());
        reports.push(report.hint(format!("{without}; for what no table, view or function uses\n{grant}")));
    }
    if !catalog.privileged.is_empty() && !superuser {
        let count = catalog.privileged.len();
        let shown = catalog.privileged.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        let more = if count > 5 { format!(" and {} more", count - 5) } else { String::new() };
        let report = Report::new(
            "plan::superuser-objects",
            format!("role \"{role}\" may not create {shown}{more} on the target"),
        );
        reports.push(report.detail("Only a superuser can create such objects.").hint(grant));
    }
    Ok(reports)
}
