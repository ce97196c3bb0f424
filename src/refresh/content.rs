//! The rows of a release as hashes, for its manifest.
//!
//! Where the target will send a row back as it was sent to it, rows are hashed on their way, before they are loaded. Other
//! tables, and all of them if hooks were at work since, are read from the loaded database.

use super::run::{Run, Shared};
use super::{Job, Prepared};
use crate::catalog::{Catalog, Oid};
use crate::config::{HookPoint, Rows};
use crate::error::Failure;
use crate::load::LoadError;
use crate::manifest::{Form, Previous, TableContent};
use crate::mask::Shape;
use crate::pg::rowsum::RowSum;
use crate::pg::types::{Field, Format, carries_user_oid};
use crate::pg::{Conninfo, TargetSession};
use crate::plan::{ColumnPlan, Plan, TablePlan};
use crate::verify::content;
use std::collections::BTreeMap;

const FIRST_USER_OID: Oid = 16_384;
const XML: Oid = 142;
const TIMESTAMPS: [Oid; 2] = [1114, 1184];
/// Types within types; deeper ones are read from the loaded database.
const DEPTH_MAX: u32 = 8;

/// Tells for each table of the plan whether its rows can be hashed on their way.
pub(super) fn hashable(catalog: &Catalog, plan: &Plan) -> Vec<bool> {
    // The partitions that are loaded through one root are hashed as one, so all of them or none.
    let mut roots: BTreeMap<(&str, &str), (Vec<&str>, bool)> = BTreeMap::new();
    for table in &plan.tables {
        let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let able = catalog.server.encoding == "UTF8" && comes_back(catalog, table);
        let entry = roots.entry(target(table)).or_insert_with(|| (names.clone(), true));
        entry.1 &= able && entry.0 == names;
    }
    plan.tables.iter().map(|table| roots[&target(table)].1).collect()
}

fn target(table: &TablePlan) -> (&str, &str) {
    (&table.target_schema, &table.target_name)
}

/// The target sends back what it was sent, byte for byte.
fn comes_back(catalog: &Catalog, table: &TablePlan) -> bool {
    let Some(own) = catalog.table(table.oid) else { return false };
    let decoded = table.layout.fields.iter().scan(0_usize, |next, field| {
        let place = *next;
        *next += usize::from(*field != Field::Keep);
        Some(place)
    });
    let mut fields = table.columns.iter().zip(&table.layout.fields).zip(decoded);
    fields.all(|((planned, field), place)| {
        let Some(column) = own.column(planned.attnum) else { return false };
        match field {
            Field::Keep | Field::Read(_) => is_settled(catalog, column.type_oid, DEPTH_MAX),
            // Texts in COPY's text form have several spellings, and ours need not be the server's.
            Field::Mask(_) if table.format == Format::Text => false,
            Field::Mask(Shape::Timestamp) => TIMESTAMPS.contains(&column.type_oid) && column.typmod == -1,
            Field::Mask(Shape::Jsonb) => is_spliced(table, place, planned),
            Field::Mask(shape) => is_plain(shape),
        }
    })
}

/// The masks of these are written as the server writes them.
fn is_plain(shape: &Shape) -> bool {
    match shape {
        Shape::Text { padded, .. } => !padded,
        Shape::Int2 | Shape::Int4 | Shape::Int8 | Shape::Bool | Shape::Uuid | Shape::Date | Shape::Bytea => true,
        Shape::Mac | Shape::Mac8 | Shape::Inet | Shape::Cidr | Shape::Json | Shape::Enum(_) => true,
        _ => false,
    }
}

/// Masks that replace leaves keep the order of keys, which a `jsonb` is sorted by. Where one has to hide a key all the same,
/// it says so ([`crate::mask::Masker::moves_keys`]), and the table is read.
fn is_spliced(table: &TablePlan, place: usize, planned: &ColumnPlan) -> bool {
    let spec = table.mask.columns.get(place).and_then(|column| column.mask.as_ref());
    debug_assert!(spec.is_some(), "{} is masked", planned.name);
    spec.is_some_and(|spec| spec.kind.starts_with("json/") && !spec.params.contains_key("keys"))
}

/// A value of the type is the same bytes in every database.
fn is_settled(catalog: &Catalog, oid: Oid, depth: u32) -> bool {
    // The declaration of a document is written anew.
    if oid == XML || depth == 0 || carries_user_oid(catalog, oid) {
        return false;
    }
    let Some(own) = catalog.type_of(oid) else { return false };
    let parts = [own.base, own.element].into_iter().filter(|part| *part != 0).chain(own.attributes.iter().copied());
    let known = oid < FIRST_USER_OID
        || matches!(own.kind, 'e' | 'd' | 'c' | 'r' | 'm')
        || (own.kind == 'b' && own.element != 0)
        || matches!(own.extension.as_deref(), Some("citext" | "hstore"));
    known && parts.into_iter().all(|part| is_settled(catalog, part, depth - 1))
}

/// Hooks of this point or an earlier one may have changed rows since they were loaded.
fn hooked(job: &Job) -> bool {
    job.hooks.iter().any(|hook| matches!(hook.at, HookPoint::BeforeLoad | HookPoint::AfterLoad))
}

impl Run {
    /// Completes the hashes of the loaded database, and notes them.
    pub(super) async fn note_contents(&self, prepared: &Prepared, shared: &Shared) -> Result<(), Failure> {
        let session = shared.sessions.take().await?;
        let passed = if hooked(&self.job) { BTreeMap::new() } else { passed_by(&prepared.plan, shared) };
        let contents = contents(&session, &passed).await?;
        shared.sessions.give(session);
        self.job.ledger.note(|record| {
            record.server_major = prepared.admin.session.version_num() / 10_000;
            record.contents = contents;
        });
        Ok(())
    }

    /// Reads and notes the hashes again, because a hook was at work.
    pub(super) async fn note_contents_again(&self, session: &TargetSession) -> Result<(), Failure> {
        let contents = contents(session, &BTreeMap::new()).await?;
        self.job.ledger.note(|record| record.contents = contents);
        Ok(())
    }

    /// The release that is live before this one, with the hash of its manifest; none if what is live is none of ours.
    pub(super) async fn note_previous(&self) {
        let job = &self.job;
        let asked = async {
            let session = TargetSession::connect(job.target(), &job.application()).await.ok()?;
            let row = session.client().query_opt("SELECT release, manifest FROM restage.run", &[]).await;
            let previous = match row {
                Ok(row) => row.map(|row| Previous { release: row.get(0), manifest: row.get(1) }),
                // A release from before there were manifests.
                Err(_) => {
                    let row = session.client().query_opt("SELECT release FROM restage.run", &[]).await.ok()?;
                    row.map(|row| Previous { release: row.get(0), manifest: None })
                }
            };
            session.close().await;
            previous
        };
        let previous = asked.await;
        job.ledger.note(|record| record.previous = previous);
    }
}

/// What was loaded into one table.
struct Passed<'a> {
    /// None: not all of its rows were hashed.
    sum: Option<RowSum>,
    rows: u64,
    /// One of those that were loaded into it.
    table: &'a TablePlan,
    tree: bool,
}

/// What was hashed on its way, by the table it was loaded into.
fn passed_by(plan: &Plan, shared: &Shared) -> BTreeMap<(String, String), TableContent> {
    let loaded = shared.loaded.lock().expect("no holder panics");
    let mut sums: BTreeMap<(&str, &str), Passed<'_>> = BTreeMap::new();
    for (table, hashed) in plan.tables.iter().zip(&shared.hashed) {
        let name = table.full_name();
        let tree = target(table) != (table.schema.as_str(), table.name.as_str());
        let sum = match (hashed, table.rows == Rows::None) {
            // Of a table that stays empty the plan has no columns; reading it costs nothing.
            (false, _) | (true, true) => None,
            (true, false) => loaded.sums.get(&name).copied().flatten(),
        };
        let rows = if table.rows == Rows::None { 0 } else { loaded.stored.get(&name).copied().unwrap_or(0) };
        let empty = Passed { sum: Some(RowSum::default()), rows: 0, table, tree };
        let entry = sums.entry(target(table)).or_insert(empty);
        entry.rows += rows;
        entry.sum = entry.sum.zip(sum).map(|(mut all, more)| {
            all.add(&more);
            all
        });
    }
    let known = sums.into_iter().filter_map(|((schema, name), passed)| {
        let Passed { sum, rows, table, tree } = passed;
        let content = TableContent {
            schema: schema.to_owned(),
            name: name.to_owned(),
            rows,
            tree,
            form: if table.format == Format::Binary { Form::Binary } else { Form::Text },
            columns: table.columns.iter().map(|column| column.name.clone()).collect(),
            blake3: Some(sum?.finish(rows)),
        };
        Some(((schema.to_owned(), name.to_owned()), content))
    });
    known.collect()
}

/// Every table of the database: as it passed by, or read now.
async fn contents(
    session: &TargetSession,
    passed: &BTreeMap<(String, String), TableContent>,
) -> Result<Vec<TableContent>, Failure> {
    let stored = content::tables(session.client()).await;
    let stored = stored.map_err(|error| LoadError::sql("listing tables", &error))?;
    let mut all: Vec<TableContent> = passed.values().filter(|content| content.tree).cloned().collect();
    for table in stored {
        let root = table.root.as_ref().and_then(|root| passed.get(root));
        if root.is_some_and(|root| root.tree) {
            continue;
        }
        match passed.get(&(table.schema.clone(), table.name.clone())) {
            Some(content) => all.push(content.clone()),
            None => all.push(content::read(session, &table).await?),
        }
    }
    all.sort_by(|one, other| (&one.schema, &one.name).cmp(&(&other.schema, &other.name)));
    Ok(all)
}

/// What `[report] sign` and the target need after the run.
pub struct Sealing {
    pub info: Conninfo,
    pub application: String,
    pub owner: Option<String>,
}

impl Sealing {
    /// Tells the release which manifest is its.
    ///
    /// # Errors
    /// The error of the server.
    pub async fn tell(&self, database: &str, hash: &str) -> Result<(), LoadError> {
        let info = self.info.with_database(database);
        let session = crate::load::database::open(&info, &self.application, self.owner.as_deref()).await?;
        let sql = "UPDATE restage.run SET manifest = $1";
        session
            .client()
            .execute(sql, &[&hash])
            .await
            .map_err(|error| LoadError::sql("telling the release its manifest", &error))?;
        // Commits of the load are asynchronous; this one is waited for.
        let _ = session.client().batch_execute("SET synchronous_commit = on; SELECT pg_catalog.txid_current()").await;
        session.close().await;
        Ok(())
    }
}
