//! Whether the encoding of the source, and so of staging, has the letters of the names and addresses that masks draw.

use super::preflight::under_savepoint;
use crate::config::Rows;
use crate::error::{Failure, Report};
use crate::mask::{self, Letters};
use crate::pg::{SourceSession, quote_ident, quote_literal};
use crate::plan::{ColumnPlan, Plan, TablePlan, ValueFault, ValueProbe};
use std::collections::BTreeMap;

/// What a server says of a letter that its encoding has not.
const UNTRANSLATABLE: &str = "22P05";

/// Refuses masks of a locale whose letters the encoding has not. Of locales that rows choose, a question about the rows is
/// added to the plan: only those that are there matter. Reads no row.
///
/// # Errors
/// The source failed.
pub(super) async fn judge(session: &SourceSession, encoding: &str, plan: &mut Plan) -> Result<Vec<Report>, Failure> {
    let (mut reports, mut probes, mut warned) = (Vec::new(), Vec::new(), Vec::new());
    // These two take every letter.
    if matches!(encoding, "UTF8" | "SQL_ASCII") {
        return Ok(reports);
    }
    let mut asked: BTreeMap<String, bool> = BTreeMap::new();
    for table in plan.tables.iter().filter(|table| table.rows != Rows::None) {
        for (number, column) in table.columns.iter().enumerate() {
            let Some(spec) = table.mask_of(number) else { continue };
            let Some(kind) = mask::kind(&spec.kind) else { continue };
            for found in mask::letters(kind.name, &spec.params) {
                let held = match asked.get(&found.letters) {
                    Some(held) => *held,
                    None => {
                        let held = holds(session, &found.letters).await?;
                        asked.insert(found.letters.clone(), held);
                        held
                    }
                };
                if held {
                    continue;
                }
                let country = spec.params.get("locale_from").and_then(|name| name.as_str());
                match country.filter(|_| found.countries.is_some()) {
                    None => reports.push(refusal(table, column, &spec.kind, found.locale, encoding)),
                    Some(country) if plan.subset.is_none() => {
                        probes.extend(question(table, column, &spec.kind, country, &found, encoding));
                    }
                    Some(_) => warned.push(format!("{} of \"{}.{}\"", found.locale, table.full_name(), column.name)),
                }
            }
        }
    }
    plan.value_probes.extend(probes);
    if !warned.is_empty() {
        plan.warnings.push(format!(
            "the source has encoding {encoding}, which cannot write names and addresses of {}: rows of the subset with such a \
             country end the run",
            warned.join(", ")
        ));
    }
    Ok(reports)
}

/// Whether the server can take these letters in: it converts what it is sent.
async fn holds(session: &SourceSession, letters: &str) -> Result<bool, Failure> {
    let sql = "SELECT pg_catalog.length($1::pg_catalog.text)";
    let problem = under_savepoint(session, session.client().query_one(sql, &[&letters])).await?.err();
    Ok(problem.is_none_or(|problem| problem.sqlstate != UNTRANSLATABLE))
}

fn refusal(table: &TablePlan, column: &ColumnPlan, kind: &str, locale: &str, encoding: &str) -> Report {
    let report = Report::new(
        "plan::leaves-encoding",
        format!("mask {kind} of column \"{}.{}\" draws from the lists of {locale}", table.full_name(), column.name),
    )
    .detail(format!("They have letters that {encoding}, the encoding of the source and so of staging, has not."))
    .hint("Name a `locale` that the encoding has; that of en_US is ASCII. Or decide \"null\".");
    Report { place: column.place.as_ref().map(ToString::to_string), ..report }
}

/// How many values get a mask of a locale that their row chooses; none where nobody can say which rows are masked.
fn question(
    table: &TablePlan,
    column: &ColumnPlan,
    kind: &str,
    country: &str,
    found: &Letters,
    encoding: &str,
) -> Option<ValueProbe> {
    // Names of countries that the encoding cannot write are in no row.
    let names = found.countries.iter().flatten().filter(|name| name.is_ascii());
    let names: Vec<String> = names.map(|name| quote_literal(name)).collect();
    let mut condition = format!(
        "t.{} IS NOT NULL AND pg_catalog.lower(pg_catalog.btrim(t.{}::pg_catalog.text)) IN ({})",
        quote_ident(&column.name),
        quote_ident(country),
        names.join(", ")
    );
    match &table.rows {
        Rows::Where { limit: Some(_), .. } => return None,
        Rows::Where { condition: Some(own), .. } => condition.push_str(&format!(" AND ({own}\n)")),
        _ => {}
    }
    if table.conditions().iter().any(|(masked, _)| masked.name == column.name) {
        return None;
    }
    let from = format!("{} WHERE {condition}", table.from);
    Some(ValueProbe {
        column: format!("{}.{}", table.full_name(), column.name),
        kind: kind.to_owned(),
        any_sql: format!("SELECT EXISTS (SELECT FROM {from})"),
        count_sql: format!("SELECT count(*) FROM {from}"),
        fault: ValueFault::Locale { locale: found.locale, encoding: encoding.to_owned() },
        place: column.place.clone(),
    })
}
