//! Looks at the source: what each column seems to hold, and a decision for those nobody made.
//!
//! One session, one read-only transaction, one snapshot; works on a standby. Each table is sampled by blocks with a fixed
//! seed, so two runs over the same heap see the same rows; of a small table they are spread over all of it. Values are judged as
//! they arrive ([`crate::detect::Sample`]) and kept nowhere: memory does not grow with rows or tables, but for the findings.
//! A table that cannot be read in time, or is locked, is judged by its names, and that is told.

mod beside;
pub mod edit;
pub mod formats;
mod named;
mod sample;
pub mod starter;

use crate::catalog::{self, Catalog, CatalogError, ProbeError};
use crate::detect::{self, Class, Evidence, Finding, Sample};
use crate::error::{Diagnose, Exit, Failure, Report};
use crate::pg::{Conninfo, SessionError, SourceSession};
use crate::plan::draft::{Beside, Draft, DraftTable, Inside, Seen, Standing};
use crate::plan::{Floor, Place, Policy, Suggested};
use serde::Serialize;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How much is looked at.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Rows of a table at most. Default 500.
    pub rows: u32,
    /// Of one table at most, as text: then the rows that came are enough. Default 16 MiB.
    pub bytes: u64,
    /// For one table, then it is judged by its names. Default 10 s.
    pub table_time: Duration,
    /// For all tables; those that are left are judged by their names. Default 5 min.
    pub time: Duration,
    /// Chooses the blocks. Default 1.
    pub seed: u32,
    /// Propose decisions as if the packs were listed that the source seems to need. Default false.
    pub adopt: bool,
    /// One table, `schema.table`, alone. Default all.
    pub only: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rows: 500,
            bytes: 16 << 20,
            table_time: Duration::from_secs(10),
            time: Duration::from_secs(300),
            seed: 1,
            adopt: false,
            only: None,
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Discovery {
    /// `shop on localhost:5432`.
    pub source: String,
    pub tables: Vec<TableFound>,
    /// Foreign keys that the database does not declare, and the sampled rows confirm.
    pub references: Vec<ReferenceFound>,
    /// Packs that the source seems to need, and the policy does not list.
    pub packs: Vec<Suggested>,
    /// Tables that were judged by their names alone, and why.
    pub unsampled: Vec<Unsampled>,
    pub totals: Totals,
    /// File that the proposals were written to.
    pub written: Option<String>,
    pub ms: u64,
}

#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Totals {
    pub tables: usize,
    pub columns: usize,
    /// Columns with a finding.
    pub personal: usize,
    /// Columns that nobody decided.
    pub undecided: usize,
    /// Of these: a decision is proposed.
    pub proposed: usize,
    pub rows: u64,
}

#[derive(Debug, Clone, Serialize)]
pub struct TableFound {
    /// `schema.table`.
    pub table: String,
    /// Anchor of the persons it holds.
    pub anchor: Option<String>,
    /// Rows that were looked at, and about how many there are.
    pub rows: u64,
    pub rows_estimate: u64,
    pub columns: Vec<ColumnFound>,
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ColumnFound {
    pub name: String,
    pub type_name: String,
    /// Best first; only what is found.
    pub findings: Vec<Said>,
    /// What documents hold, by path.
    pub paths: Vec<(String, Said)>,
    /// `undecided`, `decided`, `follows` (a foreign key), `generated`.
    pub standing: &'static str,
    /// The rule that decided.
    pub because: Option<String>,
    /// It is kept without a reason, although it looks personal.
    pub looks_away: bool,
    /// A decision in TOML, for a column that nobody decided.
    pub proposal: Option<String>,
    /// Only a person can decide it; the proposal is what is safe.
    pub open: bool,
    /// Where it is decided, or where the table is; none if neither stands in a file.
    #[serde(skip)]
    pub place: Option<Place>,
}

/// A finding as it is told: no value is in it.
#[derive(Debug, Clone, Serialize)]
pub struct Said {
    pub category: String,
    pub class: Class,
    pub detector: String,
    pub score: f64,
    pub evidence: Vec<Evidence>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ReferenceFound {
    pub from: String,
    pub to: String,
    /// Different values that were looked up, and found.
    pub values: i64,
    pub found: i64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Unsampled {
    pub table: String,
    pub reason: String,
}

impl Said {
    fn of(finding: &Finding) -> Self {
        Self {
            category: finding.category.name.clone(),
            class: finding.category.class,
            detector: finding.detector.id.clone(),
            score: (finding.score * 100.0).round() / 100.0,
            evidence: finding.evidence.clone(),
        }
    }
}

impl Said {
    /// `email 0.99: name 0.95, content 20 of 20`.
    pub fn told(&self) -> String {
        let pieces: Vec<String> = self
            .evidence
            .iter()
            .map(|evidence| {
                let signal = serde_json::to_value(evidence.signal).ok();
                let signal = signal.as_ref().and_then(serde_json::Value::as_str).unwrap_or("evidence").to_owned();
                match evidence.of {
                    0 => format!("{signal} {:.2}", evidence.score),
                    of => format!("{signal} {} of {of}", evidence.hits),
                }
            })
            .collect();
        format!("{} {:.2}: {}", self.category, self.score, pieces.join(", "))
    }
}

/// Why discovery failed.
#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    #[error(transparent)]
    Session(Box<SessionError>),
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error("the source answered with an error while {doing}")]
    Sql { doing: &'static str, code: Option<String> },
}

impl From<SessionError> for DiscoverError {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

impl Diagnose for DiscoverError {
    fn exit(&self) -> Exit {
        Exit::Source
    }

    fn reports(&self) -> Vec<Report> {
        match self {
            DiscoverError::Session(error) => error.reports(),
            DiscoverError::Catalog(error) => error.reports(),
            DiscoverError::Probe(error) => error.reports(),
            DiscoverError::Sql { code, .. } => {
                let report = Report::new("discover::source", self.to_string());
                vec![match code {
                    // The server's own words can quote values.
                    Some(code) => report.detail(format!("SQLSTATE {code}")),
                    None => report.detail("The connection was lost."),
                }]
            }
        }
    }
}

impl DiscoverError {
    fn sql(doing: &'static str) -> impl Fn(tokio_postgres::Error) -> Self {
        move |error| Self::Sql { doing, code: error.code().map(|code| code.code().to_owned()) }
    }
}

/// Looks at every table of the source.
///
/// Writes nothing anywhere. Order: tables by schema and name, columns as in the table.
///
/// # Errors
/// [`DiscoverError`] if the source cannot be reached or its catalog not be read; a table that cannot be read is told in
/// [`Discovery::unsampled`].
pub async fn discover(info: &Conninfo, policy: &Policy<'_>, settings: &Settings) -> Result<Discovery, Failure> {
    let started = Instant::now();
    let session = SourceSession::connect(info, "restage/discover").await.map_err(DiscoverError::from)?;
    let mut catalog = open(&session).await?;
    catalog::try_stand_ins(session.client(), &mut catalog).await.map_err(DiscoverError::from)?;
    let mut draft = Draft::new(&catalog, policy);
    let mut found = Discovery { source: info.describe(), packs: draft.suggested(policy), ..Discovery::default() };
    let packs: Vec<String> =
        policy.floor.packs.iter().cloned().chain(found.packs.iter().map(|one| one.pack.into())).collect();
    if settings.adopt && !found.packs.is_empty() {
        draft = Draft::new(&catalog, &Policy { floor: Floor { packs: &packs, ..policy.floor }, ..*policy });
    }
    sample::limits(session.client(), settings).await?;
    let mut named = named::Named::default();
    for (number, table) in draft.tables.iter().enumerate() {
        if settings.only.as_ref().is_some_and(|only| *only != full_name(table)) {
            continue;
        }
        let over = started.elapsed() >= settings.time;
        let mut samples = match over {
            true => sample::none(&draft, table, format!("no time was left after {} s", settings.time.as_secs())),
            false => sample::table(session.client(), &draft, table, settings).await?,
        };
        if samples.rows > 0 && started.elapsed() < settings.time {
            samples.beside = beside::persons(session.client(), table, settings).await?;
        }
        if let Some(reason) = &samples.reason {
            found.unsampled.push(Unsampled { table: full_name(table), reason: reason.clone() });
        }
        let judged = judge(&draft, number, table, &samples);
        named.read(found.tables.len(), &judged, &samples.columns);
        found.tables.push(judged);
    }
    named.ask(&mut found.tables);
    let order: Vec<usize> = (0..draft.tables.len()).collect();
    if settings.only.is_none() {
        found.references = sample::references(session.client(), &catalog, &draft, &order, started, settings).await?;
    }
    let _ = session.client().batch_execute("ROLLBACK").await;
    for reference in &found.references {
        // As a declared reference it follows the column it points to.
        let columns = found.tables.iter_mut().flat_map(|table| {
            let name = table.table.clone();
            table.columns.iter_mut().map(move |column| (name.clone(), column))
        });
        for (_, column) in columns.filter(|(table, column)| format!("{table}.{}", column.name) == reference.from) {
            (column.standing, column.proposal, column.open) = ("follows", None, false);
        }
    }
    found.tables.sort_by(|a, b| a.table.cmp(&b.table));
    found.totals = totals(&found);
    found.ms = started.elapsed().as_millis() as u64;
    Ok(found)
}

/// Opens the snapshot and reads the catalog in it. Sizes of tables wait for their locks: where DDL holds one, we do without.
async fn open(session: &SourceSession) -> Result<Catalog, DiscoverError> {
    let begin = |sizes: &str| {
        format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = '2s'; SET LOCAL restage.sizes = {sizes}"
        )
    };
    let client = session.client();
    client.batch_execute(&begin("on")).await.map_err(DiscoverError::sql("opening a snapshot"))?;
    match catalog::read(client).await {
        Err(error) if error.is_locked() => {}
        read => return Ok(read?),
    }
    client.batch_execute("ROLLBACK").await.map_err(DiscoverError::sql("opening a snapshot"))?;
    client.batch_execute(&begin("off")).await.map_err(DiscoverError::sql("opening a snapshot"))?;
    Ok(catalog::read(client).await?)
}

fn full_name(table: &DraftTable) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// The samples of one table, column by column.
struct Samples {
    columns: Vec<Sample>,
    rows: u64,
    /// Of their values as text.
    bytes: u64,
    /// Why there are none.
    reason: Option<String>,
    /// By column: its rows beside the person they lead to. Empty where they lead to none.
    beside: HashMap<usize, Beside>,
}

fn judge(draft: &Draft<'_>, number: usize, table: &DraftTable, samples: &Samples) -> TableFound {
    let names = table.columns.iter().map(|column| column.name.as_str());
    let of_thing = detect::of_things(&table.name, names);
    let places = detect::hold_places(&samples.columns);
    let column = |(place, column): (usize, &crate::plan::draft::DraftColumn)| {
        let facts = draft.facts(table, column);
        let sample = &samples.columns[place];
        let findings = match sample.rows {
            0 => detect::by_name(&facts),
            _ => sample.findings(&facts),
        };
        let (paths, persons) = sample.path_findings(&facts);
        let inside = Inside { paths, persons, fields: sample.has_fields_only() };
        let (distinct, sentences) = (sample.distinct(), sample.sentences());
        let asked = detect::is_asked(&facts) && !sample.are_harmless();
        let named = detect::is_told_by_name(&facts) || detect::may_be_special(&facts) || asked;
        let told = sample.names_somebody() || sample.may_be_of_person(&facts);
        let random = !of_thing && findings.iter().any(are_secrets);
        let person = named || told || random || places && sample.may_be_place();
        let actor = detect::of_actor(&column.name);
        let beside = samples.beside.get(&place).copied();
        let documents = sample.documents();
        let values = sample.rows - sample.nulls;
        let identifiers = sample.are_identifiers();
        let (of_program, of_thing) = (detect::is_of_program(&facts), of_thing || sample.number_things(&facts));
        let seen =
            Seen { values, distinct, sentences, person, actor, of_thing, of_program, identifiers, documents, beside };
        let undecided = column.standing == Standing::Open && !table.empty;
        let proposed = undecided.then(|| draft.propose(number, place, &findings, &inside, seen));
        let personal = findings.iter().any(Finding::found);
        let (standing, because, looks_away) = match &column.standing {
            Standing::Open if table.empty => ("decided", Some("rows = \"none\"".to_owned()), false),
            Standing::Open => ("undecided", None, false),
            Standing::Generated => ("generated", None, false),
            Standing::Follows => ("follows", None, false),
            Standing::Decided { because, keeps, reason, .. } => {
                ("decided", Some(because.clone()), personal && *keeps && !reason && !table.empty)
            }
        };
        let place = match &column.standing {
            Standing::Decided { place, .. } => Some(place).filter(|place| place.line > 0),
            _ => table.place.as_ref(),
        };
        ColumnFound {
            place: place.cloned(),
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            findings: findings.iter().filter(|finding| finding.found()).map(Said::of).collect(),
            paths: inside.paths.iter().map(|(path, finding)| (path.clone(), Said::of(finding))).collect(),
            standing,
            because,
            looks_away,
            open: proposed.as_ref().is_some_and(|proposed| proposed.open),
            proposal: proposed.map(|proposed| proposed.toml),
        }
    };
    let columns: Vec<ColumnFound> = table.columns.iter().enumerate().map(column).collect();
    let direct = |column: &ColumnFound| column.findings.iter().any(|said| said.class == Class::Direct);
    TableFound {
        table: full_name(table),
        anchor: table.anchor.clone().filter(|_| columns.iter().any(direct)),
        rows: samples.rows,
        rows_estimate: table.leaves.iter().map(|leaf| leaf.rows).sum(),
        columns,
        file: table.place.as_ref().map(|place| place.file.clone()),
    }
}

/// Whether most values look like a secret, whether or not that says that they are.
fn are_secrets(finding: &Finding) -> bool {
    let most = |evidence: &Evidence| evidence.hits > 0 && evidence.hits * 2 >= evidence.of;
    finding.category.class == Class::Secret && finding.evidence.iter().any(most)
}

fn totals(found: &Discovery) -> Totals {
    let columns = || found.tables.iter().flat_map(|table| &table.columns);
    Totals {
        tables: found.tables.len(),
        columns: columns().count(),
        personal: columns().filter(|column| !column.findings.is_empty()).count(),
        undecided: columns().filter(|column| column.standing == "undecided").count(),
        proposed: columns().filter(|column| column.proposal.is_some() && !column.open).count(),
        rows: found.tables.iter().map(|table| table.rows).sum(),
    }
}
