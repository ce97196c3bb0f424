//! Asks the source's server whether masked values satisfy its CHECK constraints. Reads no row.

use super::{Catalog, StandIn};
use crate::error::{Diagnose, Exit, Report};
use crate::plan::{self, CheckProbe, Condition, Plan, ProbeValue, Trial, place};
use tokio_postgres::Client;

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

/// Evaluates every probe of the plan with the values the column will hold.
///
/// The caller has begun a read-only transaction with `search_path = ''`; each probe runs under a savepoint. `samples`
/// gives masked example values as text, never source values; a probe without samples is skipped. A check that holds for
/// all samples can still fail for another value: this finds mistakes, the load finds the rest.
///
/// # Errors
/// [`ProbeError::Violated`] with one report per constraint, [`ProbeError::Query`] if the session fails.
pub async fn probe_checks(
    client: &Client,
    plan: &Plan,
    samples: impl Fn(&CheckProbe) -> Vec<Sample>,
) -> Result<(), ProbeError> {
    let mut reports = Vec::new();
    for probe in &plan.probes {
        let values: Vec<Option<String>> = match &probe.value {
            ProbeValue::Null => vec![None],
            ProbeValue::Const(text) => vec![Some(text.clone())],
            ProbeValue::Mask { .. } => telling(client, probe, samples(probe)).await?,
        };
        if values.is_empty() {
            continue;
        }
        if let Some(detail) = probe_values(client, probe, &values).await? {
            reports.push(violated(probe, detail));
        }
    }
    if reports.is_empty() { Ok(()) } else { Err(ProbeError::Violated(reports)) }
}

/// An example value of a kind and its mask.
#[derive(Debug, Clone)]
pub struct Sample {
    /// For kinds that keep the layout of a value: then the check may ask for one layout, and only masks of examples in
    /// that layout tell anything.
    pub raw: Option<String>,
    pub masked: String,
}

/// The masks that have to satisfy the check: all, but for those whose own example does not.
async fn telling(client: &Client, probe: &CheckProbe, samples: Vec<Sample>) -> Result<Vec<Option<String>>, ProbeError> {
    let mut values = Vec::new();
    for Sample { raw, masked } in samples {
        let fits = match raw {
            Some(raw) => probe_values(client, probe, &[Some(raw)]).await?.is_none(),
            None => true,
        };
        if fits {
            values.push(Some(masked));
        }
    }
    Ok(values)
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
        let why = evaluate(client, &trial.type_name, &condition.sees, &condition.expression, &values).await?;
        if why.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn probe_values(
    client: &Client,
    probe: &CheckProbe,
    values: &[Option<String>],
) -> Result<Option<String>, ProbeError> {
    evaluate(client, &probe.type_name, &probe.sees, &probe.expression, values).await
}

/// Returns what is wrong, or none if the condition, which calls the column what `sees` says, holds for all values.
async fn evaluate(
    client: &Client,
    type_name: &str,
    sees: &str,
    expression: &str,
    values: &[Option<String>],
) -> Result<Option<String>, ProbeError> {
    // The column name is quoted except for VALUE, which the condition of a domain spells without quotes.
    let sql = format!(
        "SELECT pg_catalog.count(*) FROM (SELECT u.x::{type_name} AS \"{}\" FROM pg_catalog.unnest($1::pg_catalog.text[]) \
         AS u (x)) AS v WHERE NOT ({expression})",
        sees.replace('"', "\"\""),
    );
    client.batch_execute("SAVEPOINT restage_probe").await.map_err(ProbeError::Query)?;
    let answer = client.query_one(&sql, &[&values]).await;
    client
        .batch_execute("ROLLBACK TO SAVEPOINT restage_probe; RELEASE SAVEPOINT restage_probe")
        .await
        .map_err(ProbeError::Query)?;
    match answer {
        Ok(row) => {
            let failed: i64 = row.get(0);
            Ok((failed > 0).then(|| format!("It is false for {failed} of {} sample values.", values.len())))
        }
        // A value that cannot be cast, or a condition that fails: the load would fail the same way.
        Err(error) => match error.code() {
            Some(code) => Ok(Some(format!("Evaluating it fails with SQLSTATE {}.", code.code()))),
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
