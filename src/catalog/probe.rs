//! Asks the source's server whether masked values satisfy its CHECK constraints. Reads no row.

use super::{Catalog, StandIn};
use crate::error::{Diagnose, Exit, Report};
use crate::plan::{self, CheckProbe, Condition, ProbeValue, Trial, place};
use tokio_postgres::{Client, Row};

/// Why the checks do not hold, or could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("{} CHECK constraints would be violated", .0.len())]
    Violated(Vec<Report>),
    #[error("cannot evaluate CHECK constraints on the source")]
    Query(#[source] tokio_postgres::Error),
}

impl Diagnose for ProbeError {
    fn exit(&self) -> Exit {
        match self {
            ProbeError::Violated(_) => Exit::Refused,
            ProbeError::Query(_) => Exit::Source,
        }
    }

    fn reports(&self) -> Vec<Report> {
        match self {
            ProbeError::Violated(reports) => reports.clone(),
            ProbeError::Query(source) => {
                let state =
                    source.code().map_or("connection lost".to_owned(), |code| format!("SQLSTATE {}", code.code()));
                vec![Report::new("catalog::probe", self.to_string()).detail(format!("{state}."))]
            }
        }
    }
}

/// Evaluates every probe of a plan with the values the column will hold.
///
/// The caller has begun a read-only transaction with `search_path = ''`; each probe runs under a savepoint. `mask` gives the
/// mask of an example value, both as the server writes values of the column; none if it cannot or if it becomes NULL. No
/// example is a source value. A check that holds for all masks can still fail for another value: this finds mistakes, the
/// load finds the rest. Returns a warning for each check that the load may break.
///
/// # Errors
/// [`ProbeError::Violated`] with one report per constraint, [`ProbeError::Query`] if the session fails.
pub async fn probe_checks(
    client: &Client,
    probes: &[CheckProbe],
    mask: impl Fn(&CheckProbe, &str) -> Option<String>,
) -> Result<Vec<String>, ProbeError> {
    let (mut reports, mut warnings) = (Vec::new(), Vec::new());
    for probe in probes {
        let found = match &probe.value {
            ProbeValue::Null => Found::of(evaluate(client, probe, &[None]).await?),
            ProbeValue::Const(text) => Found::of(evaluate(client, probe, &[Some(text.clone())]).await?),
            ProbeValue::Mask { .. } => judge(client, probe, &mask).await?,
        };
        match found {
            Found::Kept => {}
            Found::Broken(detail) => reports.push(violated(probe, detail)),
            Found::Unsure(why) => warnings.push(unsure(probe, &why)),
        }
    }
    if reports.is_empty() { Ok(warnings) } else { Err(ProbeError::Violated(reports)) }
}

/// What the values that were tried tell of a check.
enum Found {
    Kept,
    /// What is wrong.
    Broken(String),
    /// Why only the load can say.
    Unsure(String),
}

impl Found {
    fn of(wrong: Option<String>) -> Self {
        wrong.map_or(Self::Kept, Self::Broken)
    }
}

/// Judges the masks of a column.
///
/// A value that the type or the check refuses as it is cannot be in the column, and its mask says nothing. Of the kind's own
/// examples no mask may break the check; of values tried beside them, some at the very edge of it, one has to keep it.
async fn judge(
    client: &Client,
    probe: &CheckProbe,
    mask: impl Fn(&CheckProbe, &str) -> Option<String>,
) -> Result<Found, ProbeError> {
    let masks = |values: &[String]| -> Vec<Option<String>> {
        values.iter().filter_map(|value| mask(probe, value)).map(Some).collect()
    };
    let plan::Examples { own, others, formed, texts } = plan::examples(probe);
    let fitting = |expression, values| fitting(client, probe, expression, values, texts);
    let fit = fitting(&probe.expression, own.clone()).await?;
    let typical = masks(&fit);
    if !typical.is_empty() {
        return Ok(Found::of(evaluate(client, probe, &typical).await?));
    }
    let beside = fitting(&probe.expression, others).await?;
    let mut tried = masks(&beside);
    if tried.is_empty() && formed {
        tried = masks(&fitting("true", own).await?);
    }
    if fit.is_empty() && beside.is_empty() && tried.is_empty() {
        return Ok(Found::Unsure("it takes none of the values that were tried".to_owned()));
    }
    let Some(mut wrong) = evaluate(client, probe, &tried).await? else { return Ok(Found::Kept) };
    let mut broken = 0;
    for value in &tried {
        if let Some(detail) = evaluate(client, probe, std::slice::from_ref(value)).await? {
            (broken, wrong) = (broken + 1, detail);
        }
    }
    Ok(match tried.len() {
        _ if broken == 0 => Found::Kept,
        count if broken < count => Found::Unsure(format!("of {count} values that were tried it breaks with {broken}")),
        _ => Found::Broken(wrong),
    })
}

/// Says that a check may stop the load.
fn unsure(probe: &CheckProbe, why: &str) -> String {
    let CheckProbe { table, column, constraint, .. } = probe;
    let kind = if let ProbeValue::Mask { spec, .. } = &probe.value { spec.kind.as_str() } else { "its value" };
    format!(
        "check \"{constraint}\" of \"{table}.{column}\" may not hold for masks of {kind}: {why}, so the load will show"
    )
}

/// The values that the type and a condition take, as the server writes them. `texts`: a cast cuts what is too long.
async fn fitting(
    client: &Client,
    probe: &CheckProbe,
    expression: &str,
    values: Vec<String>,
    texts: bool,
) -> Result<Vec<String>, ProbeError> {
    let sql = format!(
        "SELECT pg_catalog.format('%s', v.{sees}) FROM (SELECT u.x::{type_name} AS {sees} FROM \
         pg_catalog.unnest($1::pg_catalog.text[]) AS u (x)) AS v WHERE ({expression}) IS NOT FALSE",
        sees = quoted(&probe.sees),
        type_name = probe.type_name,
    );
    let mut found = Vec::new();
    // One by one: a value that cannot be cast fails the whole statement.
    for value in values {
        let Ok(rows) = ask(client, &sql, &[Some(value.clone())]).await? else { continue };
        let taken = rows.first().and_then(|row| row.get::<_, Option<String>>(0));
        found.extend(taken.filter(|taken| !texts || taken.trim_end() == value.trim_end()));
    }
    Ok(found)
}

/// Finds out what may stand in for the values of the columns that only the server can judge: the first of the candidates of
/// [`plan::trials`] that the type and every check take, and whether they take NULL.
///
/// The caller is in a transaction as for [`probe_checks`]. Asks a few questions for each column with a check or a rare type.
///
/// # Errors
/// [`ProbeError::Query`] if the session fails.
pub async fn try_stand_ins(client: &Client, catalog: &mut Catalog) -> Result<(), ProbeError> {
    let mut found = Vec::new();
    for trial in plan::trials(catalog) {
        let null = takes(client, &trial, None).await?;
        let mut constant = None;
        for candidate in &trial.candidates {
            if takes(client, &trial, Some(candidate)).await? {
                constant = Some(candidate.clone());
                break;
            }
        }
        found.push(((trial.table, trial.attnum), StandIn { null, constant }));
    }
    catalog.stand_ins.extend(found);
    Ok(())
}

/// Whether a type and all conditions take a value.
async fn takes(client: &Client, trial: &Trial, value: Option<&String>) -> Result<bool, ProbeError> {
    let values = [value.cloned()];
    // As for a constant of the policy, the condition names the value, so that it is cast.
    let cast = Condition { constraint: String::new(), expression: "value IS NOT NULL".into(), sees: "value".into() };
    let first = value.map(|_| &cast);
    for condition in first.into_iter().chain(&trial.conditions) {
        let Condition { sees, expression, .. } = condition;
        let why = evaluate_as(client, &trial.type_name, sees, expression, &values).await?;
        if why.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn evaluate(
    client: &Client,
    probe: &CheckProbe,
    values: &[Option<String>],
) -> Result<Option<String>, ProbeError> {
    evaluate_as(client, &probe.type_name, &probe.sees, &probe.expression, values).await
}

/// Returns what is wrong, or none if the condition, which calls the column what `sees` says, holds for all values.
async fn evaluate_as(
    client: &Client,
    type_name: &str,
    sees: &str,
    expression: &str,
    values: &[Option<String>],
) -> Result<Option<String>, ProbeError> {
    let sql = format!(
        "SELECT pg_catalog.count(*) FROM (SELECT u.x::{type_name} AS {} FROM pg_catalog.unnest($1::pg_catalog.text[]) \
         AS u (x)) AS v WHERE NOT ({expression})",
        quoted(sees),
    );
    Ok(match ask(client, &sql, values).await? {
        Ok(rows) => {
            let failed: i64 = rows.first().map_or(0, |row| row.get(0));
            (failed > 0).then(|| format!("It is false for {failed} of {} sample values.", values.len()))
        }
        // A value that cannot be cast, or a condition that fails: the load would fail the same way.
        Err(code) => Some(format!("Evaluating it fails with SQLSTATE {code}.")),
    })
}

/// The column name in quotes; VALUE, which the condition of a domain spells without, is found in lower case.
fn quoted(sees: &str) -> String {
    format!("\"{}\"", sees.replace('"', "\"\""))
}

/// Runs a query about values under a savepoint; gives its rows or the SQLSTATE.
async fn ask(client: &Client, sql: &str, values: &[Option<String>]) -> Result<Result<Vec<Row>, String>, ProbeError> {
    client.batch_execute("SAVEPOINT restage_probe").await.map_err(ProbeError::Query)?;
    let answer = client.query(sql, &[&values]).await;
    client
        .batch_execute("ROLLBACK TO SAVEPOINT restage_probe; RELEASE SAVEPOINT restage_probe")
        .await
        .map_err(ProbeError::Query)?;
    match answer {
        Ok(rows) => Ok(Ok(rows)),
        Err(error) => match error.code() {
            Some(code) => Ok(Err(code.code().to_owned())),
            None => Err(ProbeError::Query(error)),
        },
    }
}

fn violated(probe: &CheckProbe, detail: String) -> Report {
    let what = match &probe.value {
        ProbeValue::Null => "NULL".to_owned(),
        ProbeValue::Const(_) => "the constant".to_owned(),
        ProbeValue::Mask { spec, .. } => format!("mask {}", spec.kind),
    };
    let report = Report::new(
        "plan::check-violated",
        format!("{what} for column \"{}.{}\" violates \"{}\"", probe.table, probe.column, probe.constraint),
    )
    .detail(detail)
    .hint("Choose a kind whose masks satisfy the check, or keep the column.");
    match &probe.place {
        Some(at) => report.place(place(at)),
        None => report,
    }
}
