//! What a run writes down about the database it is about to publish, and what `restage verify` compares with it later.
//!
//! Two tables in the schema `restage`: `object` has a line for every table, column, constraint, index and definition,
//! `loaded` the number of rows of every table. Definitions are those of the target's own catalog, long ones as digests, so
//! nothing is in there that the database does not show anyway.

use super::{gate, some_of};
use crate::load::LoadError;
use crate::outcome::Gate;
use crate::outcome::units::plural;
use crate::pg::{self, TargetSession};
use std::collections::BTreeMap;
use std::time::Instant;
use tokio_postgres::Client;

/// Rows of one table as they were published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub schema: String,
    pub name: String,
    pub rows: i64,
    /// A partitioned table, counted with its partitions: rows went through its root.
    pub tree: bool,
}

/// Gate, then name of the object, then what it is.
type Objects = BTreeMap<&'static str, BTreeMap<String, String>>;

/// What objects are beside their definition: parents, owners, options, whether keys are enforced.
const ATTRIBUTES: &str = "attributes";

/// The gates over objects: what they are called, and the query that lists them as (name, definition).
///
/// Members of extensions are left out: an extension may be upgraded. Expressions are those of the server that is asked, with
/// an empty `search_path`, so two readings of an unchanged database are equal.
const OBJECTS: [(&str, &str); 7] = [
    (
        "tables",
        "SELECT n.nspname || '.' || c.relname, c.relkind::text || c.relpersistence::text || ' ' || c.relrowsecurity::text || c.relforcerowsecurity::text \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND {ours} AND {own}",
    ),
    (
        "columns",
        // A default names no column: with the table, the server would compare all names of its columns for each.
        "SELECT n.nspname || '.' || c.relname || '.' || a.attname, pg_catalog.concat_ws(' ', \
         pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity, a.attgenerated, a.attcollation::regcollation, \
         pg_catalog.md5(pg_catalog.pg_get_expr(d.adbin, CASE WHEN a.attgenerated = '' THEN 0 ELSE d.adrelid END))) \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND {ours} AND {own}",
    ),
    (
        "constraints",
        "SELECT n.nspname || '.' || c.relname || ' ' || k.conname, pg_catalog.md5(pg_catalog.pg_get_constraintdef(k.oid)) \
         || CASE WHEN k.convalidated THEN '' ELSE ' NOT VALID' END \
         FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {ours} AND {own}",
    ),
    (
        "indexes",
        "SELECT n.nspname || '.' || c.relname, CASE WHEN i.indisvalid AND i.indisready AND i.indislive THEN '' ELSE 'not valid ' END \
         || pg_catalog.md5(pg_catalog.pg_get_indexdef(c.oid)) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {ours} AND {own}",
    ),
    (
        "definitions",
        "SELECT 'view ' || n.nspname || '.' || c.relname, pg_catalog.md5(pg_catalog.pg_get_viewdef(c.oid)) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('v', 'm') AND {ours} AND {own} \
         UNION ALL SELECT 'function ' || n.nspname || '.' || c.proname || '(' || pg_catalog.pg_get_function_identity_arguments(c.oid) || ')', \
         pg_catalog.md5(pg_catalog.concat_ws('|', c.prosrc, c.probin, c.prolang, c.prosecdef, c.proconfig, c.prorettype::regtype, \
           pg_catalog.pg_get_function_arguments(c.oid))) \
         FROM pg_catalog.pg_proc c JOIN pg_catalog.pg_namespace n ON n.oid = c.pronamespace WHERE {ours} AND {own} \
         UNION ALL SELECT 'trigger ' || n.nspname || '.' || c.relname || ' ' || t.tgname, pg_catalog.md5(t.tgenabled::text || pg_catalog.pg_get_triggerdef(t.oid)) \
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND {ours} AND {own} \
         UNION ALL SELECT 'policy ' || n.nspname || '.' || c.relname || ' ' || p.polname, pg_catalog.md5(pg_catalog.concat_ws('|', p.polcmd, p.polpermissive, \
           p.polroles, pg_catalog.pg_get_expr(p.polqual, p.polrelid), pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))) \
         FROM pg_catalog.pg_policy p JOIN pg_catalog.pg_class c ON c.oid = p.polrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {ours} AND {own}",
    ),
    (
        "other objects",
        // An extension may be upgraded, so its version is not compared.
        "SELECT 'extension ' || e.extname, '' FROM pg_catalog.pg_extension e \
         UNION ALL SELECT 'schema ' || n.nspname, '' FROM pg_catalog.pg_namespace n WHERE {ours} \
         UNION ALL SELECT 'type ' || n.nspname || '.' || c.typname, pg_catalog.md5(pg_catalog.concat_ws('|', c.typtype, \
           pg_catalog.format_type(c.typbasetype, c.typtypmod), c.typnotnull, c.typdefault, \
           (SELECT pg_catalog.string_agg(l.enumlabel, '|' ORDER BY l.enumsortorder) FROM pg_catalog.pg_enum l WHERE l.enumtypid = c.oid), \
           (SELECT pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(k.oid), '|' ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.contypid = c.oid))) \
         FROM pg_catalog.pg_type c JOIN pg_catalog.pg_namespace n ON n.oid = c.typnamespace WHERE c.typtype IN ('e', 'd', 'r') AND {ours} AND {own} \
         UNION ALL SELECT 'rule ' || n.nspname || '.' || c.relname || ' ' || r.rulename, pg_catalog.md5(pg_catalog.pg_get_ruledef(r.oid)) \
         FROM pg_catalog.pg_rewrite r JOIN pg_catalog.pg_class c ON c.oid = r.ev_class \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE r.rulename <> '_RETURN' AND {ours} AND {own} \
         UNION ALL SELECT 'event trigger ' || t.evtname, pg_catalog.concat_ws('|', t.evtevent, t.evtenabled, t.evttags, t.evtfoid::pg_catalog.regproc) FROM pg_catalog.pg_event_trigger t \
         UNION ALL SELECT 'publication ' || b.pubname, pg_catalog.concat_ws('|', b.puballtables, b.pubinsert, b.pubupdate, b.pubdelete) FROM pg_catalog.pg_publication b \
         UNION ALL SELECT 'foreign server ' || f.srvname, '' FROM pg_catalog.pg_foreign_server f \
         UNION ALL SELECT 'large object ' || o.oid, '' FROM pg_catalog.pg_largeobject_metadata o",
    ),
    (
        ATTRIBUTES,
        // Triggers of foreign keys are named by numbers, so they are told by their constraint. Columns are listed where they
        // are not as their type would have them. What servers before 14 do not have is asked by way of JSON.
        "SELECT 'table ' || n.nspname || '.' || c.relname, pg_catalog.concat_ws('|', c.relowner, c.relreplident, \
         (SELECT r.indexrelid::pg_catalog.regclass FROM pg_catalog.pg_index r WHERE r.indrelid = c.oid AND r.indisreplident), \
         c.relispopulated, c.relam, pg_catalog.array_to_string(c.reloptions, ',')) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {ours} AND {own} \
         UNION ALL SELECT 'parent of ' || n.nspname || '.' || c.relname || ': ' || i.inhparent::pg_catalog.regclass, pg_catalog.concat_ws('|', i.inhseqno, \
         pg_catalog.pg_get_expr(c.relpartbound, c.oid)) \
         FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'f') AND {ours} AND {own} \
         UNION ALL SELECT 'enforcement of ' || k.conname || ' on ' || n.nspname || '.' || c.relname, \
         pg_catalog.string_agg(t.tgenabled::text, '' ORDER BY t.tgname) \
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE t.tgisinternal AND {ours} AND {own} GROUP BY n.nspname, c.relname, k.conname \
         UNION ALL SELECT 'storage of ' || n.nspname || '.' || c.relname || '.' || a.attname, pg_catalog.concat_ws('|', a.attstorage, a.attstattarget, a.attoptions, \
         pg_catalog.to_jsonb(a) ->> 'attcompression') \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type y ON y.oid = a.atttypid JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'm', 'f') AND (a.attstorage <> y.typstorage OR a.attstattarget >= 0 \
         OR a.attoptions IS NOT NULL OR pg_catalog.to_jsonb(a) ->> 'attcompression' <> '') AND {ours} AND {own} \
         UNION ALL SELECT 'sequence ' || n.nspname || '.' || c.relname, pg_catalog.concat_ws('|', s.seqtypid::pg_catalog.regtype, s.seqstart, s.seqincrement, \
         s.seqmin, s.seqmax, s.seqcache, s.seqcycle) \
         FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE {ours} AND {own} \
         UNION ALL SELECT 'statistics ' || n.nspname || '.' || c.stxname, pg_catalog.pg_get_statisticsobjdef(c.oid) \
         FROM pg_catalog.pg_statistic_ext c JOIN pg_catalog.pg_namespace n ON n.oid = c.stxnamespace WHERE {ours} AND {own} \
         UNION ALL SELECT 'collation ' || n.nspname || '.' || c.collname, pg_catalog.md5((pg_catalog.to_jsonb(c) - 'collversion')::text) \
         FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace WHERE {ours} AND {own} \
         UNION ALL SELECT 'text search configuration ' || n.nspname || '.' || c.cfgname, pg_catalog.concat_ws('|', c.cfgparser::int8, \
         (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', m.maptokentype, m.mapseqno, m.mapdict::int8), ',' ORDER BY m.maptokentype, m.mapseqno) \
         FROM pg_catalog.pg_ts_config_map m WHERE m.mapcfg = c.oid)) \
         FROM pg_catalog.pg_ts_config c JOIN pg_catalog.pg_namespace n ON n.oid = c.cfgnamespace WHERE {ours} AND {own} \
         UNION ALL SELECT 'text search dictionary ' || n.nspname || '.' || c.dictname, pg_catalog.md5(pg_catalog.concat_ws('|', c.dicttemplate::int8, c.dictinitoption)) \
         FROM pg_catalog.pg_ts_dict c JOIN pg_catalog.pg_namespace n ON n.oid = c.dictnamespace WHERE {ours} AND {own}",
    ),
];

pub(super) const OURS: &str =
    "n.nspname NOT IN ('pg_catalog', 'information_schema', 'restage') AND n.nspname !~ '^pg_(temp|toast)'";
pub(super) const OWN: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = c.tableoid AND e.objid = c.oid AND e.deptype = 'e')";

async fn objects(client: &Client) -> Result<Objects, tokio_postgres::Error> {
    let mut found = Objects::new();
    for (gate, query) in OBJECTS {
        let query = query.replace("{ours}", OURS).replace("{own}", OWN);
        let rows = client.query(&query, &[]).await?;
        found.insert(gate, rows.iter().map(|row| (row.get(0), row.get(1))).collect());
    }
    Ok(found)
}

/// Counts the rows of every ordinary table of the database: for one that hooks have changed after it was loaded.
async fn count_all(client: &Client) -> Result<Vec<Counted>, tokio_postgres::Error> {
    let tables = format!(
        "SELECT n.nspname::text, c.relname::text FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND {OURS} AND {OWN} ORDER BY 1, 2"
    );
    let mut counted = Vec::new();
    for row in client.query(&tables, &[]).await? {
        let mut table = Counted { schema: row.get(0), name: row.get(1), rows: 0, tree: false };
        match table.count(client).await {
            Ok(rows) => table.rows = rows,
            Err(error) if is_hidden(&error) => continue,
            Err(error) => return Err(error),
        }
        counted.push(table);
    }
    Ok(counted)
}

/// Row security that is forced on its owner too, or a missing right.
pub(super) fn is_hidden(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| code.code() == "42501")
}

impl Counted {
    async fn count(&self, client: &Client) -> Result<i64, tokio_postgres::Error> {
        let only = if self.tree { "" } else { "ONLY " };
        let sql = format!("SELECT count(*) FROM {only}{}", pg::quote_qualified(&self.schema, &self.name));
        Ok(client.query_one(&sql, &[]).await?.get(0))
    }

    fn full_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// Writes down what the database holds now, in place of what was written before.
///
/// `loaded` are the rows the run has loaded; none: they are counted, because hooks have been at work since.
///
/// # Errors
/// The error of the server.
pub async fn write(session: &TargetSession, loaded: Option<Vec<Counted>>) -> Result<(), LoadError> {
    let client = session.client();
    let done = async {
        let objects = objects(client).await?;
        let counted = match loaded {
            Some(counted) => counted,
            None => count_all(client).await?,
        };
        let (mut gates, mut names, mut definitions) = (Vec::new(), Vec::new(), Vec::new());
        for (gate, lines) in &objects {
            for (name, definition) in lines {
                gates.push(*gate);
                names.push(name.as_str());
                definitions.push(definition.as_str());
            }
        }
        client
            .batch_execute(
                "BEGIN; SET LOCAL synchronous_commit = on; \
                 CREATE TABLE IF NOT EXISTS restage.object (gate text NOT NULL, name text NOT NULL, definition text NOT NULL); \
                 CREATE TABLE IF NOT EXISTS restage.loaded (schema text NOT NULL, name text NOT NULL, rows bigint NOT NULL, tree bool NOT NULL); \
                 TRUNCATE restage.object, restage.loaded",
            )
            .await?;
        client
            .execute(
                "INSERT INTO restage.object SELECT * FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::text[])) AS u",
                &[&gates, &names, &definitions],
            )
            .await?;
        let column = |of: fn(&Counted) -> &str| counted.iter().map(of).collect::<Vec<_>>();
        let rows: Vec<i64> = counted.iter().map(|table| table.rows).collect();
        let trees: Vec<bool> = counted.iter().map(|table| table.tree).collect();
        client
            .execute(
                "INSERT INTO restage.loaded SELECT * FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::text[]), pg_catalog.unnest($3::bigint[]), pg_catalog.unnest($4::bool[])) AS u",
                &[&column(|table| &table.schema), &column(|table| &table.name), &rows, &trees],
            )
            .await?;
        client.batch_execute("COMMIT").await
    };
    done.await.map_err(|error| LoadError::sql("writing down what was loaded", &error))
}

/// Compares the database with what was written down: one gate per kind of object, and one over rows.
///
/// # Errors
/// The error of the server; that nothing was written down is a gate that does not hold.
pub(super) async fn compare(session: &TargetSession) -> Result<Vec<Gate>, LoadError> {
    let client = session.client();
    let failed = |error| LoadError::sql("comparing the live database with what its run wrote down", &error);
    let started = Instant::now();
    let written = client
        .query_one(
            "SELECT pg_catalog.to_regclass('restage.object') IS NOT NULL AND pg_catalog.to_regclass('restage.loaded') IS NOT NULL",
            &[],
        )
        .await
        .map_err(failed)?;
    if !written.get::<_, bool>(0) {
        let problem = "the run that made this release wrote nothing down to compare with; the next refresh does";
        return Ok(vec![gate("contents", started, Err(problem.to_owned()))]);
    }
    let mut gates = vec![rows(client).await.map_err(failed)?];
    let mut expected: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in client.query("SELECT gate, name, definition FROM restage.object", &[]).await.map_err(failed)? {
        expected.entry(row.get(0)).or_default().insert(row.get(1), row.get(2));
    }
    let mut started = Instant::now();
    for (name, found) in objects(client).await.map_err(failed)? {
        let expected = expected.remove(name).unwrap_or_default();
        let compared = match name {
            // Every table has a line there.
            ATTRIBUTES if expected.is_empty() && !found.is_empty() => {
                Ok("not compared: the version that made this release did not write them down; the next refresh does"
                    .to_owned())
            }
            _ => difference(&expected, &found),
        };
        gates.push(gate(name, started, compared));
        started = Instant::now();
    }
    Ok(gates)
}

/// What is missing, changed and new; if nothing is, how many there are.
fn difference(expected: &BTreeMap<String, String>, found: &BTreeMap<String, String>) -> Result<String, String> {
    let missing = expected.keys().filter(|name| !found.contains_key(*name)).collect::<Vec<_>>();
    let new = found.keys().filter(|name| !expected.contains_key(*name)).collect::<Vec<_>>();
    let changed =
        expected.iter().filter(|(name, line)| found.get(*name).is_some_and(|now| now != *line)).map(|(name, _)| name);
    let changed = changed.collect::<Vec<_>>();
    let parts = [("missing", missing), ("changed", changed), ("new", new)];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(_, names)| !names.is_empty())
        .map(|(what, names)| format!("{what}: {}", some_of(names)))
        .collect();
    if told.is_empty() { Ok(format!("{} as published", found.len())) } else { Err(told.join("; ")) }
}

async fn rows(client: &Client) -> Result<Gate, tokio_postgres::Error> {
    let started = Instant::now();
    let mut wrong = Vec::new();
    let (mut tables, mut total, mut hidden) = (0_u64, 0, 0_u64);
    for row in client.query("SELECT schema, name, rows, tree FROM restage.loaded ORDER BY 1, 2", &[]).await? {
        let table = Counted { schema: row.get(0), name: row.get(1), rows: row.get(2), tree: row.get(3) };
        tables += 1;
        match table.count(client).await {
            Ok(now) if now == table.rows => total += now,
            Ok(now) => wrong.push(format!("{}: {} published, {now} now", table.full_name(), table.rows)),
            Err(error) if error.code().is_some_and(|code| matches!(code.code(), "42P01" | "3F000")) => {
                wrong.push(format!("{}: {} published, the table is gone", table.full_name(), table.rows));
            }
            Err(error) if is_hidden(&error) => hidden += 1,
            Err(error) => return Err(error),
        }
    }
    let found = match wrong.as_slice() {
        [] if hidden > 0 => Ok(format!(
            "{}, {} counted, as published; {hidden} not counted, because their rows are hidden from us",
            plural(tables - hidden, "table"),
            plural(total.unsigned_abs(), "row")
        )),
        [] => Ok(format!("{}, {} counted, as published", plural(tables, "table"), plural(total.unsigned_abs(), "row"))),
        wrong => Err(some_of(wrong)),
    };
    Ok(gate("row counts", started, found))
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn what_is_missing_changed_and_new_is_told_apart() {
        let lines = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, line)| ((*name).to_owned(), (*line).to_owned())).collect()
        };
        let before = lines(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let after = lines(&[("a", "1"), ("b", "2"), ("d", "1")]);
        assert_eq!(difference(&before, &after), Err("missing: c; changed: b; new: d".to_owned()));
        assert_eq!(difference(&before, &before), Ok("3 as published".to_owned()));
    }
}
