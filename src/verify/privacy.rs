//! What the rows of staging tell of people: how many others each is hidden among, and what can be learned all the same.
//!
//! The server groups; what comes back are counts and ranks, no values. Columns without an order (`json`, `xml`, points) are
//! compared by their text. NULL agrees with NULL.

use super::some_of;
use crate::config::{AnonymityRule, CandidateConfig, Severity};
use crate::measure::{Class, Ranks};
use crate::outcome::{AnonymityView, CandidateView, Gate, PrivacyView, SensitiveView};
use crate::pg::{self, TargetSession};
use futures_util::TryStreamExt as _;
use std::time::Instant;
use tokio_postgres::{Client, Error};

/// Classes are counted by size up to this many rows; larger ones together.
const SIZES: u32 = 16;
/// Most columns of one candidate set: what people know of each other is little.
const SET_MAX: usize = 3;
/// Most columns of a table that sets are made of; `GROUPING` takes 31.
const COLUMNS_MAX: usize = 12;
/// Sets that are shown.
const SHOWN_MAX: usize = 20;

/// A table in which people could be looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Searched {
    /// `schema.table`, as declared: partitions are read through their root.
    pub table: String,
    /// Rows as far as they are known.
    pub rows: u64,
    /// Columns that others may know of a person, and that staging shows.
    pub quasi: Vec<String>,
    /// Columns that are kept as they are.
    pub kept: Vec<String>,
}

/// Measures every declared set, searches for others, and judges both.
///
/// Everything is read in one transaction that can write nothing and sees rows whatever row security says.
pub async fn measure(
    session: &TargetSession,
    rules: &[AnonymityRule],
    candidates: &CandidateConfig,
    tables: &[Searched],
) -> (Vec<Gate>, Option<PrivacyView>) {
    let (mut gates, mut view) = (Vec::new(), PrivacyView::default());
    for rule in rules {
        let started = Instant::now();
        let name = format!("anonymity of {} ({})", rule.table, rule.columns.join(", "));
        let found = reading(session, anonymity(session.client(), rule)).await.and_then(|found| found);
        let judged = match &found {
            Ok(found) => judge(rule, found),
            Err(problem) => Err(problem.clone()),
        };
        view.anonymity.extend(found);
        gates.push(Gate { severity: rule.severity, ..super::gate(&name, started, judged) });
    }
    if candidates.sets > 0 && !tables.is_empty() {
        let started = Instant::now();
        let found = reading(session, search(session.client(), candidates, tables)).await;
        let judged = match found {
            Ok((sets, left_out)) => {
                let judged = judge_candidates(candidates, &sets, left_out);
                (view.candidates, view.candidates_left_out) = (sets, left_out);
                judged
            }
            Err(problem) => Err(problem),
        };
        view.candidates.truncate(SHOWN_MAX);
        let severity = if candidates.unique_max.is_some() { candidates.severity } else { Severity::Warn };
        gates.push(Gate { severity, ..super::gate("rows alone", started, judged) });
    }
    let measured = !view.anonymity.is_empty() || !view.candidates.is_empty();
    (gates, measured.then_some(view))
}

async fn reading<T>(session: &TargetSession, asked: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    let told = |error: Error| format!("rows could not be read: {}", pg::sql_error(&error));
    let begin = "BEGIN READ ONLY; SET LOCAL row_security = off";
    session.client().batch_execute(begin).await.map_err(told)?;
    let found = asked.await;
    session.client().batch_execute("ROLLBACK").await.map_err(told)?;
    found.map_err(told)
}

/// A column as it is grouped by.
struct Grouped {
    name: String,
    sql: String,
    /// A number or a time.
    ordered: bool,
}

/// A table as it is now.
struct Looked {
    /// Quoted.
    name: String,
    columns: Vec<Grouped>,
    /// The leaves that store rows, quoted, where others are foreign: a refresh copies no way to ask their servers.
    parts: Option<Vec<String>>,
}

impl Looked {
    /// All rows that are stored, as an item of FROM.
    fn rows(&self) -> String {
        self.sample("")
    }

    /// Those that a TABLESAMPLE clause leaves.
    fn sample(&self, clause: &str) -> String {
        let Some(parts) = &self.parts else { return format!("{}{clause}", self.name) };
        // The root itself stores no row, and has the columns.
        let root = [self.name.clone()];
        let parts = if parts.is_empty() { &root } else { parts.as_slice() };
        let columns = self.columns.iter().map(|column| pg::quote_ident(&column.name)).collect::<Vec<_>>().join(", ");
        let rows = parts.iter().map(|part| format!("SELECT {columns} FROM ONLY {part}{clause}"));
        format!("({}) AS parts", rows.collect::<Vec<_>>().join(" UNION ALL "))
    }
}

async fn look(client: &Client, table: &str) -> Result<Option<Looked>, Error> {
    let sql = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), a.attname::text, pg_catalog.quote_ident(a.attname), \
         t.typcategory::text, t.typname::text \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         WHERE n.nspname || '.' || c.relname = $1 AND c.relkind IN ('r', 'p') ORDER BY a.attnum";
    let rows = client.query(sql, &[&table]).await?;
    let column = |row: &tokio_postgres::Row| {
        let (category, type_name): (String, String) = (row.get(3), row.get(4));
        let quoted: String = row.get(2);
        // Types of these categories have an order; of the others some have none.
        let plain = matches!(category.as_str(), "N" | "D" | "T" | "S" | "B" | "I" | "E") || type_name == "uuid";
        let sql = if plain { quoted } else { format!("{quoted}::pg_catalog.text") };
        Grouped { name: row.get(1), sql, ordered: matches!(category.as_str(), "N" | "D" | "T") }
    };
    let Some(first) = rows.first() else { return Ok(None) };
    let columns = rows.iter().map(column).collect();
    Ok(Some(Looked { name: first.get(0), columns, parts: parts(client, table).await? }))
}

/// The leaves of a partition tree that store rows; none if all of them do, or there is no such tree.
async fn parts(client: &Client, table: &str) -> Result<Option<Vec<String>>, Error> {
    let sql = "SELECT l.relkind = 'f', pg_catalog.format('%I.%I', m.nspname, l.relname) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         CROSS JOIN LATERAL pg_catalog.pg_partition_tree(c.oid) AS p JOIN pg_catalog.pg_class l ON l.oid = p.relid \
         JOIN pg_catalog.pg_namespace m ON m.oid = l.relnamespace \
         WHERE n.nspname || '.' || c.relname = $1 AND c.relkind = 'p' AND l.relkind IN ('r', 'f') ORDER BY l.oid";
    let leaves: Vec<(bool, String)> =
        client.query(sql, &[&table]).await?.iter().map(|row| (row.get(0), row.get(1))).collect();
    let foreign = leaves.iter().any(|(foreign, _)| *foreign);
    Ok(foreign.then(|| leaves.into_iter().filter(|(foreign, _)| !foreign).map(|(_, name)| name).collect()))
}

fn named<'c>(columns: &'c [Grouped], names: &[String]) -> Vec<&'c Grouped> {
    names.iter().filter_map(|name| columns.iter().find(|column| column.name == *name)).collect()
}

fn list(columns: &[&Grouped]) -> String {
    columns.iter().map(|column| column.sql.as_str()).collect::<Vec<_>>().join(", ")
}

/// The inner error: there is nothing to measure.
async fn anonymity(client: &Client, rule: &AnonymityRule) -> Result<Result<AnonymityView, String>, Error> {
    let mut view = AnonymityView {
        table: rule.table.clone(),
        columns: rule.columns.clone(),
        k: rule.k,
        ..AnonymityView::default()
    };
    let Some(looked) = look(client, &rule.table).await? else {
        return Ok(Err(format!("there is no table {}", rule.table)));
    };
    let (table, columns) = (looked.rows(), &looked.columns);
    let missing = |name: &&String| !columns.iter().any(|column| column.name == **name);
    if let Some(name) = rule.columns.iter().chain(&rule.sensitive).find(missing) {
        return Ok(Err(format!("there is no column {}.{name}", rule.table)));
    }
    let keys = list(&named(columns, &rule.columns));
    // Classes of one size at a time: there are few sizes, however many classes there are.
    let sql = format!(
        "SELECT n, count(*) FROM (SELECT count(*) AS n FROM {table} GROUP BY {keys}) AS class GROUP BY n ORDER BY n"
    );
    for row in client.query(&sql, &[]).await? {
        let (rows, classes) = (row.get::<_, i64>(0).unsigned_abs(), row.get::<_, i64>(1).unsigned_abs());
        note_size(&mut view, rows, classes);
    }
    for column in named(columns, &rule.sensitive) {
        let found = sensitive(client, rule, &table, &keys, column, view.rows).await?;
        view.sensitive.push(found);
    }
    view.ok = judge(rule, &view).is_ok();
    Ok(Ok(view))
}

fn note_size(view: &mut AnonymityView, rows: u64, classes: u64) {
    if view.classes == 0 {
        view.smallest = rows;
    }
    view.classes += classes;
    view.rows += rows * classes;
    if rows == 1 {
        view.unique_rows += classes;
    }
    if rows < view.k {
        view.classes_under_k += classes;
        view.rows_under_k += rows * classes;
    }
    let size = (u64::BITS - (rows - 1).leading_zeros()).min(SIZES) as usize;
    view.sizes.resize(view.sizes.len().max(size + 1), 0);
    view.sizes[size] += classes;
}

/// Reads the values of every class as ranks, class by class, and measures each.
async fn sensitive(
    client: &Client,
    rule: &AnonymityRule,
    table: &str,
    keys: &str,
    column: &Grouped,
    all: u64,
) -> Result<SensitiveView, Error> {
    let value = &column.sql;
    let mut view = SensitiveView { column: column.name.clone(), ordered: column.ordered, ..SensitiveView::default() };
    let ranks = match rule.t.is_some() && column.ordered {
        true => Some(ranks(client, table, value).await?),
        false => None,
    };
    let sql = format!(
        "SELECT pg_catalog.dense_rank() OVER (ORDER BY {keys}) AS class, pg_catalog.dense_rank() OVER (ORDER BY {value}), \
         count(*), (pg_catalog.sum(count(*)) OVER (PARTITION BY {value}))::bigint \
         FROM {table} GROUP BY {keys}, {value} ORDER BY 1, 2"
    );
    let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
    let rows = client.query_raw(&sql, none).await?;
    let mut rows = std::pin::pin!(rows);
    let (mut class, mut number, mut first) = (Class::default(), 0_i64, true);
    while let Some(row) = rows.try_next().await? {
        if row.get::<_, i64>(0) != number {
            note_class(&mut view, rule, &class, ranks.as_ref(), all, &mut first);
            class.clear();
            number = row.get(0);
        }
        let (rank, rows, total): (i64, i64, i64) = (row.get(1), row.get(2), row.get(3));
        class.add(rank.unsigned_abs() - 1, rows.unsigned_abs(), total.unsigned_abs());
    }
    note_class(&mut view, rule, &class, ranks.as_ref(), all, &mut first);
    Ok(view)
}

async fn ranks(client: &Client, table: &str, value: &str) -> Result<Ranks, Error> {
    let sql = format!("SELECT count(*), count(*) OVER () FROM {table} GROUP BY {value} ORDER BY {value}");
    let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
    let rows = client.query_raw(&sql, none).await?;
    let mut rows = std::pin::pin!(rows);
    let (mut counts, mut values) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        counts.push(row.get::<_, i64>(0).unsigned_abs());
        values = row.get::<_, i64>(1).unsigned_abs();
    }
    Ok(Ranks::new(values, counts.into_iter()))
}

fn note_class(
    view: &mut SensitiveView,
    rule: &AnonymityRule,
    class: &Class,
    ranks: Option<&Ranks>,
    all: u64,
    first: &mut bool,
) {
    let rows = class.rows();
    if rows == 0 {
        return;
    }
    let (distinct, effective) = (class.distinct(), class.effective());
    if std::mem::take(first) {
        (view.distinct_min, view.entropy_min) = (distinct, effective);
    }
    view.distinct_min = view.distinct_min.min(distinct);
    view.entropy_min = view.entropy_min.min(effective);
    if rule.l.is_some_and(|l| distinct < l) {
        view.rows_under_l += rows;
    }
    // A class with exactly so many even values is on the threshold, whatever its logarithms were rounded to.
    if rule.l_entropy.is_some_and(|l| effective < l * (1.0 - 1e-9)) {
        view.rows_under_l_entropy += rows;
    }
    let distance = class.distance(ranks, all);
    view.distance_max = view.distance_max.max(distance);
    if rule.t.is_some_and(|t| distance > t + 1e-9) {
        view.rows_over_t += rows;
    }
}

/// Counts what misses a threshold.
fn judge(rule: &AnonymityRule, view: &AnonymityView) -> Result<String, String> {
    let mut wrong = Vec::new();
    if view.rows_under_k > 0 {
        wrong.push(format!(
            "{} rows in {} of {} classes with fewer than {} rows, the smallest has {}",
            view.rows_under_k, view.classes_under_k, view.classes, rule.k, view.smallest
        ));
    }
    for column in &view.sensitive {
        let mut miss = |rows: u64, what: String| {
            if rows > 0 {
                wrong.push(format!("{rows} rows in classes with {what} of {}", column.column));
            }
        };
        let shown = |value: Option<f64>| value.unwrap_or_default();
        miss(column.rows_under_l, format!("fewer than {} values", rule.l.unwrap_or_default()));
        miss(column.rows_under_l_entropy, format!("fewer than {} effective values", shown(rule.l_entropy)));
        miss(column.rows_over_t, format!("a distance above {} (up to {:.3})", shown(rule.t), column.distance_max));
    }
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let smallest = if view.rows == 0 { "no rows".to_owned() } else { format!("the smallest has {}", view.smallest) };
    Ok(format!("{} rows in {} classes, {smallest}", view.rows, view.classes))
}

/// Sets of one to three columns, smaller ones first: what is alone in a small set is so in a larger one.
fn sets(columns: usize) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = (0..columns).map(|column| vec![column]).collect();
    let mut start = 0;
    for _ in 1..SET_MAX {
        let end = found.len();
        for index in start..end {
            let last = found[index].last().map_or(0, |last| last + 1);
            for column in last..columns {
                let set = found[index].iter().copied().chain([column]).collect();
                found.push(set);
            }
        }
        start = end;
    }
    found
}

async fn search(
    client: &Client,
    config: &CandidateConfig,
    tables: &[Searched],
) -> Result<(Vec<CandidateView>, u64), Error> {
    let (mut found, mut left, mut left_out) = (Vec::new(), config.sets, 0);
    for searched in tables {
        let Some(looked) = look(client, &searched.table).await? else { continue };
        let mut quasi = named(&looked.columns, &searched.quasi);
        quasi.truncate(COLUMNS_MAX);
        let kept = named(&looked.columns, &searched.kept);
        let mut sets = sets(quasi.len());
        // Larger sets tell more, so those that the budget leaves out are the small ones.
        sets.reverse();
        let wanted = sets.len() as u64 + u64::from(!kept.is_empty());
        let take = wanted.min(left);
        left -= take;
        left_out += wanted - take;
        if take == 0 {
            continue;
        }
        let sampled = searched.rows > config.rows;
        let source = source(&looked, searched.rows, config.rows);
        let mut take = take;
        if !kept.is_empty() {
            take -= 1;
            let view = CandidateView { table: searched.table.clone(), kept: true, sampled, ..CandidateView::default() };
            found.extend(kept_set(client, &source, &kept, view).await?);
        }
        sets.truncate(take as usize);
        found.extend(quasi_sets(client, &source, &quasi, &sets, (&searched.table, sampled)).await?);
    }
    found.retain(|view| view.rows > 0);
    for view in &mut found {
        view.unique_share = view.unique_rows as f64 / view.rows as f64;
    }
    found.sort_by(|a, b| b.unique_share.total_cmp(&a.unique_share).then(a.columns.len().cmp(&b.columns.len())));
    Ok((found, left_out))
}

/// The rows that are looked at: all of a small table, pages of a large one. Every row is as likely to be among them, so a
/// row that is alone in the table is alone there too.
fn source(table: &Looked, rows: u64, most: u64) -> String {
    if rows <= most {
        return table.rows();
    }
    let percent = (most as f64 / rows as f64 * 100.0).clamp(0.000_1, 100.0);
    table.sample(&format!(" TABLESAMPLE SYSTEM ({percent}) REPEATABLE (0)"))
}

async fn kept_set(
    client: &Client,
    source: &str,
    kept: &[&Grouped],
    view: CandidateView,
) -> Result<Option<CandidateView>, Error> {
    let keys = list(kept);
    let sql = format!(
        "SELECT coalesce(pg_catalog.sum(n), 0)::bigint, count(*), coalesce(min(n), 0), count(*) FILTER (WHERE n = 1) \
         FROM (SELECT count(*) AS n FROM {source} GROUP BY {keys}) AS class"
    );
    let row = client.query_one(&sql, &[]).await?;
    let number = |index: usize| row.get::<_, i64>(index).unsigned_abs();
    Ok(Some(CandidateView { rows: number(0), classes: number(1), smallest: number(2), unique_rows: number(3), ..view }))
}

async fn quasi_sets(
    client: &Client,
    source: &str,
    quasi: &[&Grouped],
    sets: &[Vec<usize>],
    (table, sampled): (&str, bool),
) -> Result<Vec<CandidateView>, Error> {
    if sets.is_empty() {
        return Ok(Vec::new());
    }
    let named = quasi.iter().enumerate().map(|(index, column)| format!("{} AS c{index}", column.sql));
    let names = named.collect::<Vec<_>>().join(", ");
    let columns = |set: &[usize]| set.iter().map(|index| format!("c{index}")).collect::<Vec<_>>().join(", ");
    let all = columns(&(0..quasi.len()).collect::<Vec<_>>());
    let grouping = sets.iter().map(|set| format!("({})", columns(set))).collect::<Vec<_>>().join(", ");
    // One reading for all sets; GROUPING has a bit for every column that is not in the set, the first one highest.
    let sql = format!(
        "SELECT g, pg_catalog.sum(n)::bigint, count(*), min(n), count(*) FILTER (WHERE n = 1) FROM \
         (SELECT GROUPING({all}) AS g, count(*) AS n FROM (SELECT {names} FROM {source}) AS looked \
         GROUP BY GROUPING SETS ({grouping})) AS class GROUP BY g"
    );
    let mut found = Vec::new();
    for row in client.query(&sql, &[]).await? {
        let bits: i32 = row.get(0);
        let inside = (0..quasi.len()).filter(|index| bits >> (quasi.len() - 1 - index) & 1 == 0);
        let number = |index: usize| row.get::<_, i64>(index).unsigned_abs();
        found.push(CandidateView {
            table: table.to_owned(),
            columns: inside.map(|index| quasi[index].name.clone()).collect(),
            kept: false,
            rows: number(1),
            sampled,
            classes: number(2),
            smallest: number(3),
            unique_rows: number(4),
            unique_share: 0.0,
        });
    }
    Ok(found)
}

fn judge_candidates(config: &CandidateConfig, sets: &[CandidateView], left_out: u64) -> Result<String, String> {
    let told = |view: &CandidateView| {
        let columns = if view.kept { "all kept columns".to_owned() } else { view.columns.join(", ") };
        let sample = if view.sampled { " in a sample" } else { "" };
        format!("{} ({columns}): {} of {} rows{sample}", view.table, view.unique_rows, view.rows)
    };
    let over = |view: &&CandidateView| config.unique_max.is_some_and(|most| view.unique_share > most);
    let wrong: Vec<String> = sets.iter().filter(over).map(told).collect();
    if !wrong.is_empty() {
        return Err(some_of(wrong));
    }
    let more = if left_out > 0 { format!("; {left_out} more sets were not looked at") } else { String::new() };
    let alone = sets.iter().filter(|view| view.unique_rows > 0).take(3).map(told).collect::<Vec<_>>();
    Ok(match alone.as_slice() {
        [] => format!("{} sets of columns, no row is alone in any{more}", sets.len()),
        alone => format!("{} sets of columns; alone are {}{more}", sets.len(), alone.join("; ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_up_to_three_columns_each_once() {
        assert_eq!(sets(0), Vec::<Vec<usize>>::new());
        assert_eq!(sets(2), [vec![0], vec![1], vec![0, 1]]);
        assert_eq!(sets(5).len(), 5 + 10 + 10);
        assert!(sets(12).iter().all(|set| set.windows(2).all(|pair| pair[0] < pair[1])));
    }

    #[test]
    fn classes_are_counted_by_doubling_sizes() {
        let mut view = AnonymityView { k: 3, ..AnonymityView::default() };
        for (rows, classes) in [(1, 5), (2, 2), (3, 1), (4, 1), (5, 1), (1 << 40, 1)] {
            note_size(&mut view, rows, classes);
        }
        assert_eq!(view.sizes[..4], [5, 2, 2, 1]);
        assert_eq!((view.sizes.len(), view.sizes[16]), (17, 1));
        assert_eq!((view.unique_rows, view.classes_under_k, view.rows_under_k, view.smallest), (5, 7, 9, 1));
    }
}
