//! The work on the target as a graph: loads, then indexes and keys, then foreign keys, statistics in between.

use crate::config::Rows;
use crate::load::objects::{Entry, Objects};
use crate::load::post::{Hold, Task};
use crate::pg;
use crate::plan::{Plan, TablePlan};
use std::collections::{BTreeMap, BTreeSet};

/// One piece of work on the loaded database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Chunks `first..=last` of a table in one transaction.
    Load {
        table: usize,
        first: usize,
        last: usize,
        number: i32,
        freeze: bool,
    },
    /// An entry of the post-data section: index into `Objects::post`.
    Entry(usize),
    /// A foreign key is added without looking at rows, then validated: adding takes locks on both tables that exclude
    /// other work, validating does not. The result is the same constraint.
    AddForeignKey {
        entry: usize,
        sql: String,
    },
    Validate {
        label: String,
        sql: String,
        /// Both sides can be read in the order of the key from indexes alone.
        ordered: bool,
    },
    Analyze {
        table: String,
    },
}

/// Tables up to this size are loaded in one transaction and frozen (POSTGRES section 9).
const WHOLE_BYTES: u64 = 1 << 30;

/// Rough core-microseconds of work, from PERFORMANCE.md: only their order matters.
mod cost {
    /// COPY out, mask, COPY in.
    pub const LOAD_PER_KIB: u64 = 14;
    /// Sorting and writing one index entry; looking up one key of the other side.
    pub const INDEX_PER_ROW: u64 = 1;
    /// Keys that are read in order on both sides are compared so many times faster than they are looked up.
    pub const ORDERED: u64 = 4;
    pub const ANALYZE: u64 = 300_000;
}

/// Builds the tasks. Table ids in `holds` are ids of the schema archive.
pub fn build(plan: &Plan, objects: &Objects) -> Vec<Task<Work>> {
    let ids: BTreeMap<(&str, &str), u32> = objects
        .pre
        .iter()
        .filter(|entry| entry.kind == "TABLE")
        .map(|entry| ((entry.schema.as_str(), entry.name.as_str()), entry.id))
        .collect();
    let mut tasks = Vec::new();
    // By archive id of a table: the loads that write into it.
    let mut loads: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    // By archive id: rows and bytes, for costs. A partitioned table has the sum of its partitions that load through it.
    let mut sizes: BTreeMap<u32, u64> = BTreeMap::new();
    // By archive id: tables whose rows are frozen, so that their indexes can be read without them.
    let mut frozen: BTreeSet<u32> = BTreeSet::new();
    for (index, table) in plan.tables.iter().enumerate() {
        let own = ids.get(&(table.schema.as_str(), table.name.as_str())).copied();
        let target = ids.get(&(table.target_schema.as_str(), table.target_name.as_str())).copied();
        for id in [own, target.filter(|target| Some(*target) != own)].into_iter().flatten() {
            *sizes.entry(id).or_default() += table.rows_estimate;
        }
        if table.rows == Rows::None {
            continue;
        }
        for work in load_works(index, table) {
            if matches!(work, Work::Load { freeze: true, .. }) {
                frozen.extend(own);
            }
            let at = tasks.len();
            let holds = target.map(|id| (id, Hold::Shared)).into_iter().collect();
            let cost = table.bytes / 1024 * cost::LOAD_PER_KIB / u64::from(parts(&work, table));
            tasks.push(Task { work, cost: cost + 1000, needs: Vec::new(), holds });
            for id in [own, target].into_iter().flatten() {
                let list = loads.entry(id).or_default();
                if list.last() != Some(&at) {
                    list.push(at);
                }
            }
        }
    }
    share_root_loads(plan, &ids, &mut loads);
    analyze(plan, &ids, &loads, &mut tasks);
    post(objects, &ids, &loads, &Tables { sizes, frozen }, &mut tasks);
    tasks
}

fn parts(work: &Work, table: &TablePlan) -> u32 {
    match work {
        Work::Load { first, last, .. } => (table.chunks.len() / (last - first + 1).max(1)).max(1) as u32,
        _ => 1,
    }
}

/// One load for a whole table, or one per chunk when it is large or cannot be frozen anyway.
fn load_works(index: usize, table: &TablePlan) -> Vec<Work> {
    let last = table.chunks.len().saturating_sub(1);
    let whole = table.bytes <= WHOLE_BYTES || table.chunks.len() <= 1;
    if whole {
        return vec![Work::Load { table: index, first: 0, last, number: 0, freeze: table.freeze }];
    }
    (0..=last)
        .map(|chunk| Work::Load { table: index, first: chunk, last: chunk, number: chunk as i32, freeze: false })
        .collect()
}

/// Rows that go through a partition root may land in any of its leaves, so each leaf waits for all of them.
fn share_root_loads(plan: &Plan, ids: &BTreeMap<(&str, &str), u32>, loads: &mut BTreeMap<u32, Vec<usize>>) {
    for table in &plan.tables {
        let own = ids.get(&(table.schema.as_str(), table.name.as_str()));
        let target = ids.get(&(table.target_schema.as_str(), table.target_name.as_str()));
        if let (Some(own), Some(target)) = (own, target)
            && own != target
        {
            let all = loads.get(target).cloned().unwrap_or_default();
            loads.insert(*own, all);
        }
    }
}

/// Statistics of every table that has rows; a leaf loaded through its root is analyzed as itself.
fn analyze(
    plan: &Plan,
    ids: &BTreeMap<(&str, &str), u32>,
    loads: &BTreeMap<u32, Vec<usize>>,
    tasks: &mut Vec<Task<Work>>,
) {
    for table in &plan.tables {
        let Some(id) = ids.get(&(table.schema.as_str(), table.name.as_str())) else { continue };
        let Some(needs) = loads.get(id) else { continue };
        let cost = cost::ANALYZE.min(1_000 + table.rows_estimate);
        let name = pg::quote_qualified(&table.schema, &table.name);
        tasks.push(Task {
            work: Work::Analyze { table: name },
            cost,
            needs: needs.clone(),
            holds: vec![(*id, Hold::Exclusive)],
        });
    }
}

/// What is known of tables by archive id.
struct Tables {
    /// Rows.
    sizes: BTreeMap<u32, u64>,
    frozen: BTreeSet<u32>,
}

fn post(
    objects: &Objects,
    ids: &BTreeMap<(&str, &str), u32>,
    loads: &BTreeMap<u32, Vec<usize>>,
    Tables { sizes, frozen }: &Tables,
    tasks: &mut Vec<Task<Work>>,
) {
    let tables: BTreeMap<u32, (&str, &str)> = ids.iter().map(|((schema, name), id)| (*id, (*schema, *name))).collect();
    // Where each post-data entry ended up, so that entries that need it can wait for it.
    let mut places: BTreeMap<u32, usize> = BTreeMap::new();
    let post_ids: BTreeMap<u32, usize> =
        objects.post.iter().enumerate().map(|(index, entry)| (entry.id, index)).collect();
    // A key that references a partitioned table has a child per partition, which VALIDATE does not reach.
    let partitioned: BTreeSet<u32> = objects
        .pre
        .iter()
        .filter(|entry| entry.kind == "TABLE" && entry.sql.contains("\nPARTITION BY "))
        .map(|entry| entry.id)
        .collect();
    let split = |entry: &Entry| {
        if entry.needs.iter().any(|need| partitioned.contains(need)) { None } else { split_foreign_key(entry) }
    };
    let first = tasks.len();
    for (index, entry) in objects.post.iter().enumerate() {
        places.insert(entry.id, first + places.len());
        let involved: Vec<u32> = entry.needs.iter().copied().filter(|need| tables.contains_key(need)).collect();
        let rows = involved.iter().filter_map(|id| sizes.get(id)).max().copied().unwrap_or(0);
        let shared = entry.kind == "INDEX";
        let holds = involved.iter().map(|id| (*id, if shared { Hold::Shared } else { Hold::Exclusive })).collect();
        let heavy = matches!(entry.kind.as_str(), "INDEX" | "CONSTRAINT" | "FK CONSTRAINT") && split(entry).is_none();
        let cost = if heavy { rows * cost::INDEX_PER_ROW + 1000 } else { 1000 };
        let work = match split(entry) {
            Some((add, _)) => Work::AddForeignKey { entry: index, sql: add },
            None => Work::Entry(index),
        };
        tasks.push(Task { work, cost, needs: Vec::new(), holds });
    }
    let attached: Vec<usize> =
        objects.post.iter().filter(|entry| entry.kind == "INDEX ATTACH").map(|entry| places[&entry.id]).collect();
    for entry in &objects.post {
        let mut needs = Vec::new();
        for need in &entry.needs {
            match post_ids.contains_key(need) {
                true => needs.push(places[need]),
                false => needs.extend(loads.get(need).into_iter().flatten()),
            }
        }
        // Adding the key locks partitions one after the other, as attaching an index does the other way round: each would wait
        // for the other.
        if entry.kind == "FK CONSTRAINT" && entry.needs.iter().any(|need| partitioned.contains(need)) {
            needs.extend(&attached);
        }
        needs.sort_unstable();
        needs.dedup();
        tasks[places[&entry.id]].needs = needs;
    }
    for entry in &objects.post {
        let Some((_, validate)) = split(entry) else { continue };
        let involved: Vec<u32> = entry.needs.iter().copied().filter(|need| tables.contains_key(need)).collect();
        // The name of the entry is `<child table> <constraint>`.
        let is_child = |id: &u32| {
            tables.get(id).is_some_and(|(schema, name)| {
                *schema == entry.schema && entry.name.strip_prefix(name).is_some_and(|rest| rest.starts_with(' '))
            })
        };
        let known = involved.iter().any(is_child);
        let holds = involved
            .iter()
            .map(|id| (*id, if known && !is_child(id) { Hold::Shared } else { Hold::Exclusive }))
            .collect();
        let child = involved.iter().copied().find(is_child);
        let index = child.filter(|_| involved.iter().all(|id| frozen.contains(id)));
        let index = index.and_then(|child| key_index(objects, entry, child)).map(|index| places[&index]);
        let rows = involved
            .iter()
            .filter(|id| !known || is_child(id))
            .filter_map(|id| sizes.get(id))
            .max()
            .copied()
            .unwrap_or(0);
        let cost = rows * cost::INDEX_PER_ROW / if index.is_some() { cost::ORDERED } else { 1 } + 1000;
        let needs = std::iter::once(places[&entry.id]).chain(index).collect();
        let work = Work::Validate { label: entry.label(), sql: validate, ordered: index.is_some() };
        tasks.push(Task { work, cost, needs, holds });
    }
}

/// The entry of an index of the child that begins with the columns of a foreign key, in their order.
///
/// Keys are read from it in the order of the parent's key and compared side by side. Without it each key is looked up in a
/// table of all the parent's keys, which is too large for the near caches: 4 million keys against 2 million took 5.4 s,
/// and 0.6 s in order.
fn key_index(objects: &Objects, foreign_key: &Entry, child: u32) -> Option<u32> {
    let (_, rest) = foreign_key.sql.split_once(" FOREIGN KEY (")?;
    let (columns, _) = rest.split_once(") REFERENCES ")?;
    let begins = |sql: &str, start: &str| {
        let list = sql.split_once(start).and_then(|(_, list)| list.strip_prefix(columns));
        list.is_some_and(|rest| rest.starts_with([')', ',']))
    };
    let serves = |entry: &&Entry| match entry.kind.as_str() {
        // A partial index lacks rows.
        "INDEX" => begins(&entry.sql, " USING btree (") && !entry.sql.contains(" WHERE "),
        "CONSTRAINT" => begins(&entry.sql, " PRIMARY KEY (") || begins(&entry.sql, " UNIQUE ("),
        _ => false,
    };
    objects.post.iter().filter(|entry| entry.needs.contains(&child)).find(serves).map(|entry| entry.id)
}

/// `ADD CONSTRAINT … FOREIGN KEY …;` as `… NOT VALID;` and `VALIDATE CONSTRAINT …;`.
///
/// None for what cannot be split: foreign keys of partitioned tables (`ALTER TABLE` without ONLY) and those that are not
/// valid at the source, which stay so.
fn split_foreign_key(entry: &Entry) -> Option<(String, String)> {
    if entry.kind != "FK CONSTRAINT" {
        return None;
    }
    let body = entry.sql.strip_suffix(';')?;
    if body.ends_with(" NOT VALID") || body.ends_with(" NOT ENFORCED") || body.contains(";\n") {
        return None;
    }
    let rest = body.strip_prefix("ALTER TABLE ONLY ")?;
    let (table, rest) = rest.split_once("\n    ADD CONSTRAINT ")?;
    let name = identifier(rest)?;
    Some((format!("{body} NOT VALID;"), format!("ALTER TABLE ONLY {table} VALIDATE CONSTRAINT {name};")))
}

/// The SQL identifier a text starts with, quotes included.
fn identifier(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        return text.split(' ').next();
    };
    let mut chars = quoted.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '"' {
            if chars.peek().is_some_and(|(_, next)| *next == '"') {
                chars.next();
            } else {
                return Some(&text[..at + 2]);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Chunk;

    fn entry(sql: &str) -> Entry {
        Entry {
            id: 1,
            oid: 1,
            needs: vec![],
            name: "o fk".into(),
            kind: "FK CONSTRAINT".into(),
            schema: "app".into(),
            sql: sql.into(),
        }
    }

    #[test]
    fn foreign_key_is_added_first_and_validated_later() {
        let (add, validate) = split_foreign_key(&entry(
            "ALTER TABLE ONLY app.o\n    ADD CONSTRAINT \"f \"\"k\" FOREIGN KEY (c) REFERENCES app.c(id) DEFERRABLE;",
        ))
        .expect("it can be split");
        assert!(add.ends_with("DEFERRABLE NOT VALID;"));
        assert_eq!(validate, "ALTER TABLE ONLY app.o VALIDATE CONSTRAINT \"f \"\"k\";");
    }

    #[test]
    fn table_that_goes_into_one_transaction_is_frozen_however_it_is_read() {
        let chunk = |number| Chunk { number, start: Some(number), end: None, bytes: 0 };
        let table =
            |bytes, freeze| TablePlan { bytes, freeze, chunks: (0..3).map(chunk).collect(), ..Default::default() };
        let whole = |freeze| vec![Work::Load { table: 4, first: 0, last: 2, number: 0, freeze }];
        assert_eq!(load_works(4, &table(WHOLE_BYTES, true)), whole(true));
        assert_eq!(load_works(4, &table(WHOLE_BYTES, false)), whole(false));
        let works = load_works(4, &table(WHOLE_BYTES + 1, true));
        assert_eq!(works.len(), 3);
        assert!(works.iter().all(|work| matches!(work, Work::Load { freeze: false, .. })));
    }

    #[test]
    fn keys_of_partitioned_tables_wait_for_every_index_that_is_attached() {
        let table = |id, name: &str, sql: &str| Entry {
            id,
            needs: vec![],
            kind: "TABLE".into(),
            name: name.into(),
            ..entry(sql)
        };
        let whole = "ALTER TABLE app.o\n    ADD CONSTRAINT fk FOREIGN KEY (c) REFERENCES app.p(id);";
        let other = "ALTER TABLE ONLY app.q\n    ADD CONSTRAINT fk FOREIGN KEY (c) REFERENCES app.r(id);";
        let post = |id, kind: &str, needs: &[u32], sql: &str| Entry {
            id,
            kind: kind.into(),
            needs: needs.to_vec(),
            ..entry(sql)
        };
        let objects = Objects {
            pre: vec![
                table(7, "o", "CREATE TABLE app.o (c int)\nPARTITION BY HASH (c);"),
                table(8, "q", "CREATE TABLE app.q ();"),
            ],
            post: vec![
                post(20, "FK CONSTRAINT", &[7], whole),
                post(21, "FK CONSTRAINT", &[8], other),
                post(22, "INDEX ATTACH", &[], "ALTER INDEX app.a ATTACH PARTITION app.b;"),
            ],
            ..Objects::default()
        };
        let tasks = build(&Plan::default(), &objects);
        assert_eq!((&tasks[0].needs, &tasks[1].needs), (&vec![2], &vec![]));
    }

    fn post_entry(id: u32, kind: &str, sql: &str) -> Entry {
        Entry { id, kind: kind.into(), needs: vec![7], ..entry(sql) }
    }

    #[test]
    fn index_of_a_foreign_key_begins_with_its_columns_and_holds_every_row() {
        let key = entry("ALTER TABLE ONLY a.o\n    ADD CONSTRAINT f FOREIGN KEY (b, c) REFERENCES a.c(x, y);");
        let index = |sql: &str| post_entry(2, "INDEX", sql);
        let found = |other: Entry| {
            let objects = Objects { post: vec![other], ..Objects::default() };
            key_index(&objects, &key, 7)
        };
        assert_eq!(found(index("CREATE INDEX i ON a.o USING btree (b, c, d);")), Some(2));
        assert_eq!(found(index("CREATE INDEX i ON a.o USING btree (b, c);")), Some(2));
        assert_eq!(
            found(post_entry(2, "CONSTRAINT", "ALTER TABLE ONLY a.o\n    ADD CONSTRAINT o_pkey PRIMARY KEY (b, c);")),
            Some(2)
        );
        assert_eq!(found(index("CREATE INDEX i ON a.o USING btree (b, c DESC);")), None);
        assert_eq!(found(index("CREATE INDEX i ON a.o USING btree (b, cc);")), None);
        assert_eq!(found(index("CREATE INDEX i ON a.o USING hash (b);")), None);
        assert_eq!(found(index("CREATE INDEX i ON a.o USING btree (b, c) WHERE (d > 0);")), None);
        let of_another = Entry { needs: vec![8], ..index("CREATE INDEX i ON a.p USING btree (b, c);") };
        assert_eq!(found(of_another), None);
    }

    #[test]
    fn foreign_keys_that_stay_not_valid_are_not_split() {
        assert!(
            split_foreign_key(&entry(
                "ALTER TABLE ONLY a.o\n    ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES a.c(id) NOT VALID;"
            ))
            .is_none()
        );
        assert!(
            split_foreign_key(&entry("ALTER TABLE a.o\n    ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES a.c(id);"))
                .is_none()
        );
    }
}
