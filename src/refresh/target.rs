//! What the target and its roles could refuse later, asked before a row is read.use crate::verify;
use crate::verify;

use super::Job;
use super::prepare::NOTHING;
use crate::config::{HookPoint, MissingRoles, PublishMode};
use crate::error::{Diagnose as _, Failure, Report};
use crate::guard::{self, TargetFacts};
use crate::load::objects::Objects;
use crate::load::{LoadError, roles};
use crate::pg::{self, SourceSession};
use crate::publish::{self, Admin};

/// The role that will own the copy, and what it may do.
#[derive(Debug, Clone)]
pub struct Maker {
    pub name: String,
    pub superuser: bool,
}

fn failed(what: &str) -> impl Fn(tokio_postgres::Error) -> Failure + '_ {
    move |error| Failure::from(LoadError::sql(what, &error)).with_state(NOTHING)
}

/// Finds the role that will make the objects: `owner`, else the one of the connection.
///
/// # Errors
/// The error of the server. That the owner cannot be used is a report.
pub async fn maker(admin: &Admin, owner: Option<&str>) -> Result<Result<Maker, Report>, Failure> {
    let sets = publish::may_set(admin.session.version_num(), "o.oid");
    // To give it what was made, and to read and change that afterwards.
    let sql = format!(
        "SELECT me.rolname::text, me.rolsuper, o.rolname::text, o.rolsuper, \
         coalesce(me.rolsuper OR (pg_catalog.pg_has_role(o.oid, 'USAGE') AND {sets}), false) \
         FROM pg_catalog.pg_roles me LEFT JOIN pg_catalog.pg_roles o ON o.rolname::text = $1 \
         WHERE me.rolname = current_user"
    );
    let row = admin
        .session
        .client()
        .query_one(&sql, &[&owner])
        .await
        .map_err(failed("asking for the roles of the target"))?;
    let (me, superuser): (String, bool) = (row.get(0), row.get(1));
    let Some(owner) = owner else { return Ok(Ok(Maker { name: me, superuser })) };
    let (quoted, me) = (pg::quote_ident(owner), pg::quote_ident(&me));
    if row.get::<_, Option<String>>(2).is_none() {
        let report = Report::new("plan::owner", format!("the target has no role \"{owner}\" to own the copy"));
        let hint =
            format!("CREATE ROLE {quoted} NOLOGIN; GRANT {quoted} TO {me};     -- or change `owner` under [target]");
        return Ok(Err(report.hint(hint)));
    }
    if !row.get::<_, bool>(4) {
        let report =
            Report::new("plan::owner", format!("target role {me} may not act as \"{owner}\", the owner of the copy"));
        let hint = match row.get::<_, Option<bool>>(3) {
            // To be a member of a superuser is to be one.
            Some(true) => "Name a role that is no superuser as `owner` under [target].".to_owned(),
            _ => publish::grant_role(admin.session.version_num(), &quoted, &me),
        };
        return Ok(Err(report.hint(hint)));
    }
    Ok(Ok(Maker { name: owner.to_owned(), superuser: row.get(3) }))
}

/// What will keep the run from publishing, or be lost when it does, if nobody acts until then.
pub(super) fn in_the_way(job: &Job, admin: &Admin, facts: &TargetFacts) -> Vec<String> {
    let publishes = job.publish == PublishMode::Swap && !job.dry_run;
    if publishes { guard::in_the_way(admin, facts, job.jobs) } else { Vec::new() }
}

/// Roles that grants and policies name and the target lacks, where that stops the run.
///
/// # Errors
/// The error of the server.
pub async fn missing_roles(job: &Job, admin: &Admin, objects: &Objects) -> Result<Vec<Report>, Failure> {
    if job.missing_roles == MissingRoles::Skip {
        return Ok(Vec::new());
    }
    let asking = failed("asking for the roles of the target");
    let rows = admin.session.client().query("SELECT rolname::text FROM pg_catalog.pg_roles", &[]).await;
    let known = rows.map_err(&asking)?.iter().map(|row| row.get(0)).collect();
    let settled = roles::settle(&mut objects.clone(), &job.roles, &known, "", job.missing_roles);
    if settled.missing.is_empty() {
        return Ok(Vec::new());
    }
    let missing: Vec<String> = settled.missing.into_iter().collect();
    let error = LoadError::MissingRoles { roles: missing.clone() };
    if job.missing_roles == MissingRoles::Refuse {
        return Ok(error.reports());
    }
    let may = "SELECT rolcreaterole OR rolsuper, rolname::text FROM pg_catalog.pg_roles WHERE rolname = current_user";
    let row = admin.session.client().query_one(may, &[]).await.map_err(&asking)?;
    if row.get(0) {
        return Ok(Vec::new());
    }
    let me: String = row.get(1);
    let message = format!("target role \"{me}\" may not create the roles {}", missing.join(", "));
    let hint = format!(
        "ALTER ROLE {} CREATEROLE;     -- or map them under [target.roles], or set `missing_roles = \"skip\"`",
        pg::quote_ident(&me)
    );
    Ok(vec![Report::new("plan::missing-roles", message).hint(hint)])
}

/// Queries of `[[verify.sql]]` and `[[verify.query]]` that no copy could answer: they are parsed by the source, which has
/// the same tables.
///
/// # Errors
/// The session failed.
pub async fn assertions(session: &SourceSession, job: &Job) -> Result<Vec<Report>, Failure> {
    let hooked = job.hooks.iter().any(|hook| matches!(hook.at, HookPoint::BeforeLoad | HookPoint::AfterLoad));
    let mut reports = Vec::new();
    let failed = |error| crate::extract::ExtractError::sql("parsing the queries of [verify]", &error);
    let asked = job.gates.sql.iter().map(|gate| {
        let hint = "One SELECT that returns one integer, with every table named with its schema: \
                    `SELECT count(*) FROM public.orders WHERE …`.";
        (&gate.name, &gate.query, verify::assertion_sql(&gate.query), &gate.place, hint)
    });
    let planned = job.queries.iter().map(|gate| {
        let hint = "One statement, with every table named with its schema: `SELECT * FROM public.orders WHERE …`.";
        (&gate.name, &gate.sql, verify::estimates::statement(&gate.sql), &gate.place, hint)
    });
    for (name, written, sql, place, hint) in asked.chain(planned) {
        session.client().batch_execute("SAVEPOINT restage_parse").await.map_err(failed)?;
        let parsed = session.client().prepare(&sql).await;
        session.client().batch_execute("ROLLBACK TO SAVEPOINT restage_parse").await.map_err(failed)?;
        let Err(error) = parsed else { continue };
        let problem = pg::sql_error(&error);
        let state = problem.sqlstate.as_str();
        // What hooks or restage itself make in the copy is not at the source, and other rights hold there.
        let elsewhere = hooked || written.contains("restage.");
        let certain = state == "42601" || (!elsewhere && state.starts_with("42") && state != "42501");
        if !certain {
            continue;
        }
        reports.push(
            Report::new("plan::assertion", format!("the query of check \"{name}\" cannot be run"))
                .place(place.to_string())
                .detail(problem.to_string())
                .hint(hint),
        );
    }
    Ok(reports)
}

/// What the source has and the copy gets on purpose not: it would act on other servers, or hold passwords.
///
/// # Errors
/// The error of the server.
pub async fn left_out(session: &SourceSession) -> Result<Option<String>, Failure> {
    let rows = session
        .client()
        .query(
            "SELECT 'publication ' || pg_catalog.quote_ident(pubname) FROM pg_catalog.pg_publication \
             UNION ALL SELECT 'subscription ' || pg_catalog.quote_ident(subname) FROM pg_catalog.pg_subscription \
               WHERE subdbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
             UNION ALL SELECT 'event trigger ' || pg_catalog.quote_ident(evtname) FROM pg_catalog.pg_event_trigger e \
               WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = e.tableoid AND d.objid = e.oid AND d.deptype = 'e') \
             UNION ALL SELECT 'user mapping of ' || pg_catalog.quote_ident(usename) || ' for server ' || pg_catalog.quote_ident(srvname) \
               FROM pg_catalog.pg_user_mappings \
             UNION ALL SELECT 'security label of provider ' || provider FROM (SELECT DISTINCT provider FROM pg_catalog.pg_seclabel) l \
             ORDER BY 1",
            &[],
        )
        .await
        .map_err(|error| crate::extract::ExtractError::sql("listing what is not copied", &error))?;
    let names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let more = names.len().saturating_sub(10);
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    let shown = names.iter().take(10).cloned().collect::<Vec<_>>().join(", ");
    Ok((!names.is_empty()).then(|| format!("not copied, on purpose: {shown}{rest}")))
}
