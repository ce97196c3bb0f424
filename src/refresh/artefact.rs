//! A masked snapshot on disk, as a run sees it: what it has to know of the source to make the database that a refresh would
//! have made.

use super::Job;
use super::at_source::AtSource;
use super::past::{Past, Today};
use crate::artefact::{self, ArtefactError, ColumnEntry, Form, Manifest, Purpose, SCHEMA, TableEntry, Taken};
use crate::catalog::{Catalog, Server};
use crate::config::Rows;
use crate::error::{Exit, Failure, Report};
use crate::extract::{Source, Stop, artefact::Reader};
use crate::load::folder::Folder;
use crate::load::objects::Objects;
use crate::pg::types::{Field, Format, Layout};
use crate::plan::{Chunk, ColumnPlan, Decided, Plan, SequencePlan, TablePlan};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// `schema.json`: what the source looked like, as far as loading needs it. Names and definitions, no value of a row.
#[derive(Serialize, Deserialize)]
pub(super) struct Origin {
    server: Server,
    extensions: Vec<String>,
    privileged: Vec<String>,
    objects: Objects,
    at_source: AtSource,
    sequences: Vec<SequencePlan>,
    tables: Vec<TableFacts>,
    warnings: Vec<String>,
}

/// What a table plan has beside its entry in the manifest.
#[derive(Serialize, Deserialize)]
struct TableFacts {
    schema: String,
    name: String,
    target_schema: String,
    target_name: String,
    columns: Vec<ColumnFacts>,
    /// Rows are copied.
    copied: bool,
    bytes: u64,
    freeze: bool,
}

#[derive(Serialize, Deserialize)]
struct ColumnFacts {
    attnum: i16,
    name: String,
    type_name: String,
}

impl Origin {
    pub(super) fn new(catalog: &Catalog, plan: &Plan, objects: Objects, at_source: AtSource) -> Self {
        let server = Server {
            // What people wrote about production, and who may do what there, is nobody's business here.
            comment: String::new(),
            role_writes: Vec::new(),
            role_superuser: false,
            ..catalog.server.clone()
        };
        Self {
            server,
            extensions: catalog.extensions.clone(),
            privileged: catalog.privileged.clone(),
            objects,
            at_source,
            sequences: plan.sequences.clone(),
            tables: plan.tables.iter().map(TableFacts::new).collect(),
            warnings: plan.warnings.clone(),
        }
    }

    pub(super) fn write(&self, folder: &Folder) -> Result<(), Failure> {
        let text = serde_json::to_vec(self)
            .map_err(|error| Failure::new(Exit::Internal, Report::new("internal::schema", error.to_string())))?;
        Ok(folder.write(SCHEMA, &text)?)
    }
}

impl TableFacts {
    fn new(table: &TablePlan) -> Self {
        let columns = table.columns.iter().map(|column| ColumnFacts {
            attnum: column.attnum,
            name: column.name.clone(),
            type_name: column.type_name.clone(),
        });
        Self {
            schema: table.schema.clone(),
            name: table.name.clone(),
            target_schema: table.target_schema.clone(),
            target_name: table.target_name.clone(),
            columns: columns.collect(),
            copied: table.rows != Rows::None,
            bytes: table.bytes,
            freeze: (&table.schema, &table.name) == (&table.target_schema, &table.target_name),
        }
    }

    /// The plan of a table whose rows are masked already: every field passes.
    fn plan(&self, entry: &TableEntry) -> TablePlan {
        let share = self.bytes / entry.parts.len().max(1) as u64;
        let part = |number: u32| Chunk { number, start: None, end: None, bytes: share };
        let chunks: Vec<Chunk> = (0..entry.parts.len().max(1) as u32).map(part).collect();
        let columns = self.columns.iter().zip(&entry.columns).map(|(column, entry)| ColumnPlan {
            attnum: column.attnum,
            name: column.name.clone(),
            type_name: column.type_name.clone(),
            decision: decided(&entry.decision),
            because: String::new(),
            place: None,
            undecided: false,
            proposal: None,
            hiding: None,
        });
        TablePlan {
            schema: self.schema.clone(),
            name: self.name.clone(),
            target_schema: self.target_schema.clone(),
            target_name: self.target_name.clone(),
            columns: columns.collect(),
            rows: if self.copied { Rows::All } else { Rows::None },
            format: Format::Text,
            layout: Layout { fields: vec![Field::Keep; self.columns.len()], written: self.columns.len() },
            rows_estimate: entry.rows,
            bytes: self.bytes,
            freeze: self.freeze,
            chunks,
            ..TablePlan::default()
        }
    }
}

/// The decision that a manifest names. Its conditions and labels are not there: rows are masked, and are only counted.
fn decided(name: &str) -> Decided {
    match name {
        "keep" => Decided::Keep { reason: None },
        "null" => Decided::Null,
        "constant" => Decided::Const,
        kind => Decided::Mask { kind: kind.to_owned(), label: String::new(), subject: None, when: None },
    }
}

/// A masked snapshot that was found to be what restage wrote.
pub(super) struct Opened {
    pub folder: PathBuf,
    pub manifest: Manifest,
    pub taken: Taken,
    origin: Origin,
    /// None: an earlier version made it, which did not write it down.
    pub past: Option<Past>,
}

impl Opened {
    /// Opens a folder: every file is read and compared with the manifest first.
    ///
    /// # Errors
    /// [`ArtefactError`]: damaged, unfinished, of a newer form; or foreign: no snapshot, of another realm, of another
    /// database than `[source]` names. Without a `[key]` no realm is named that it could be foreign to.
    pub async fn open(folder: &Path, job: &Job, today: &Today) -> Result<Self, Failure> {
        let place = folder.to_owned();
        let opened = tokio::task::spawn_blocking(move || Self::read(place)).await;
        let opened = opened.unwrap_or_else(|_| Err(ArtefactError::NoManifest(folder.to_owned())))?;
        let foreign = |found: String, wanted: String| {
            Err(Failure::from(ArtefactError::Foreign { folder: folder.to_owned(), found, wanted }))
        };
        if today.names_key && opened.manifest.realm != job.realm {
            let found = format!("a snapshot of realm \"{}\"", opened.manifest.realm);
            return foreign(found, format!("realm \"{}\"", job.realm));
        }
        if opened.origin.server.database != job.source.database {
            let found = format!("rows of database \"{}\"", opened.origin.server.database);
            return foreign(found, format!("\"{}\", as [source] names it,", job.source.database));
        }
        Ok(opened)
    }

    fn read(folder: PathBuf) -> Result<Self, ArtefactError> {
        let manifest = artefact::verify(&folder)?;
        let Some(taken) =
            manifest.taken.clone().filter(|_| manifest.purpose == Purpose::Snapshot && manifest.form == Form::Parquet)
        else {
            let (found, wanted) = ("a fixture".to_owned(), "a snapshot".to_owned());
            return Err(ArtefactError::Foreign { folder, found, wanted });
        };
        let path = folder.join(SCHEMA);
        let text = std::fs::read(&path).map_err(|source| ArtefactError::Read { path: path.clone(), source })?;
        let wrong = |detail: String| ArtefactError::Rows { path: path.clone(), detail };
        let origin: Origin = serde_json::from_slice(&text)
            .map_err(|_| wrong("It is not of the form that this version of restage writes.".to_owned()))?;
        let known = |entry: &TableEntry, facts: &TableFacts| {
            let same = |(column, facts): (&ColumnEntry, &ColumnFacts)| column.name == facts.name;
            (&entry.schema, &entry.name) == (&facts.schema, &facts.name)
                && entry.columns.len() == facts.columns.len()
                && entry.columns.iter().zip(&facts.columns).all(same)
        };
        let tables = (&manifest.tables, &origin.tables);
        if tables.0.len() != tables.1.len() || !tables.0.iter().zip(tables.1).all(|(entry, facts)| known(entry, facts))
        {
            return Err(wrong("It has other tables than the manifest.".to_owned()));
        }
        let past = Past::read(&folder, &manifest, &origin.server);
        Ok(Self { folder, manifest, taken, origin, past })
    }

    pub fn objects(&self) -> &Objects {
        &self.origin.objects
    }

    pub fn at_source(&self) -> &AtSource {
        &self.origin.at_source
    }

    /// The catalog of the source, as far as loading asks for it.
    pub fn catalog(&self) -> Catalog {
        Catalog {
            server: self.origin.server.clone(),
            extensions: self.origin.extensions.clone(),
            privileged: self.origin.privileged.clone(),
            ..Catalog::default()
        }
    }

    pub fn plan(&self) -> Plan {
        let tables = self.origin.tables.iter().zip(&self.manifest.tables);
        Plan {
            tables: tables.map(|(facts, entry)| facts.plan(entry)).collect(),
            sequences: self.origin.sequences.clone(),
            warnings: self.origin.warnings.clone(),
            hash: self.manifest.plan.clone(),
            ..Plan::default()
        }
    }

    /// Where the rows came from.
    pub fn source(&self) -> String {
        self.taken.source.clone()
    }

    pub fn reader(&self, stop: &Stop) -> Source {
        Source::Artefact(Reader::new(self.folder.clone(), &self.manifest.tables, stop.clone()))
    }
}
