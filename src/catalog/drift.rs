//! What changed between two reads of the catalog, by name, and what of it a run has to stop for.
//!
//! A run copies definitions as its snapshot shows them, once they were found to be those that were judged, and rows of the
//! tables that it locked by then. What is created later is in neither. What was judged and is another thing later may have
//! been read as that, unless the run has nothing to do with it.

use super::{Catalog, Oid, Sequence, Table, TableKind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// One object that differs between two reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `table public.t was created`.
    pub what: String,
    /// Rows may have been read otherwise than they were judged.
    pub stops: bool,
}

/// What a run does with the tables that it copies.
#[derive(Debug, Clone, Default)]
pub struct Use {
    /// The source evaluates conditions that somebody wrote, while rows are read. Nobody knows what these call.
    pub asked: bool,
    /// Tables that are copied without their rows, and that nothing is read by.
    pub unread: BTreeSet<Oid>,
}

/// Names what differs between two reads, with what happened to it.
///
/// What was created stops nothing: what a run reads existed before. There are two exceptions, a function where something is
/// asked, since a call may mean the new one, and a foreign partition of a table that is there, since who reads that one
/// would ask another server. What was changed or dropped stops a run, but for what it does not read: tables that are never
/// copied (foreign, of an extension) or without rows, with what belongs to them, types that no column of the others has, and
/// functions. Where something is asked, these stop it too.
pub fn changes(old: &Catalog, new: &Catalog, how: &Use) -> Vec<Change> {
    let asked = how.asked;
    let known: HashSet<Oid> = old.tables.iter().map(|table| table.oid).collect();
    let by_name = |catalog| {
        let mut found: BTreeMap<String, (bool, Vec<String>)> = BTreeMap::new();
        for definition in definitions(catalog, &known, &how.unread) {
            let entry = found.entry(definition.name).or_default();
            entry.0 |= definition.read;
            entry.1.push(definition.text);
        }
        found
    };
    let reaches_out = reaching_out(new, &known);
    let (old, new) = (by_name(old), by_name(new));
    let gone = old.iter().filter(|(name, _)| !new.contains_key(*name)).map(|(name, (read, _))| {
        let what = format!("{name} was dropped");
        (name, Change { what, stops: *read || asked })
    });
    let rest = new.iter().filter_map(|(name, (_, text))| match old.get(name) {
        None => {
            let stops = (asked && name.starts_with(FUNCTION)) || reaches_out.contains(name);
            Some((name, Change { what: format!("{name} was created"), stops }))
        }
        Some((read, before)) => {
            (before != text).then(|| (name, Change { what: format!("{name} was changed"), stops: *read || asked }))
        }
    });
    let all: Vec<(&String, Change)> = gone.chain(rest).collect();
    // Types of columns come and go with the tables; they are told where nothing else is, or where they stop the run.
    let other = all.iter().any(|(name, _)| !name.ends_with(OF_A_COLUMN));
    let told = all.into_iter().filter(|(name, change)| !other || change.stops || !name.ends_with(OF_A_COLUMN));
    told.map(|(_, change)| change).collect()
}

/// Marks a type that the catalog knows because a column has it.
const OF_A_COLUMN: &str = " of a column";
/// Begins the name of a function.
const FUNCTION: &str = "function ";

/// New foreign tables below a partitioned table that was there.
fn reaching_out(new: &Catalog, known: &HashSet<Oid>) -> BTreeSet<String> {
    let below = |table: &&Table| {
        table.kind == TableKind::Foreign
            && !known.contains(&table.oid)
            && table.partition_root.is_some_and(|root| known.contains(&root))
    };
    new.tables.iter().filter(below).map(|table| format!("table {}", table.full_name())).collect()
}

/// An object that counts, with all that is known of it.
struct Definition {
    /// Kind and name.
    name: String,
    text: String,
    /// Rows are read of it, by it or with it.
    read: bool,
}

/// Types that the columns of copied tables have, and what these are made of.
fn types_read(catalog: &Catalog, unread: &BTreeSet<Oid>) -> HashSet<Oid> {
    let types: HashMap<Oid, &super::Type> = catalog.types.iter().map(|r#type| (r#type.oid, r#type)).collect();
    let tables = catalog.tables.iter().filter(|table| table.is_copied() && !unread.contains(&table.oid));
    let columns = tables.flat_map(|table| &table.columns);
    let mut left: Vec<Oid> = columns.map(|column| column.type_oid).collect();
    let mut found = HashSet::new();
    while let Some(oid) = left.pop() {
        if let Some(r#type) = types.get(&oid)
            && found.insert(oid)
        {
            left.extend(r#type.attributes.iter().chain([&r#type.base, &r#type.element]));
        }
    }
    found
}

/// Every object that counts. Sizes, estimates, file nodes and rights do not, nor do tables that are not `known` and take
/// their numbers from a sequence.
fn definitions(catalog: &Catalog, known: &HashSet<Oid>, unread: &BTreeSet<Oid>) -> Vec<Definition> {
    let tables: HashMap<Oid, &Table> = catalog.tables.iter().map(|table| (table.oid, table)).collect();
    let of = |oid: &Oid| tables.get(oid).map_or_else(|| "another table".to_owned(), |table| table.full_name());
    let read = |oid: &Oid| !unread.contains(oid) && tables.get(oid).is_none_or(|table| table.is_copied());
    let server = &catalog.server;
    let text = format!("{} {} {}", server.system_identifier, server.database, server.encoding);
    let mut found = vec![Definition { name: "database".to_owned(), text, read: true }];
    for table in &catalog.tables {
        let stable = Table {
            rows: 0,
            unanalyzed: false,
            bytes: 0,
            blocks: 0,
            filenode: 0,
            readable: true,
            schema_usable: true,
            row_security_active: false,
            ..table.clone()
        };
        let name = format!("table {}", table.full_name());
        found.push(Definition { name, text: format!("{stable:?}"), read: read(&table.oid) });
    }
    for constraint in &catalog.constraints {
        let name = format!("constraint {} of {}", constraint.name, of(&constraint.table));
        found.push(Definition { name, text: format!("{constraint:?}"), read: read(&constraint.table) });
    }
    for index in &catalog.unique_indexes {
        let name = format!("unique index {} of {}", index.name, of(&index.table));
        found.push(Definition { name, text: format!("{index:?}"), read: read(&index.table) });
    }
    for sequence in &catalog.sequences {
        let users = sequence.users.iter().filter(|(table, _)| known.contains(table)).copied().collect();
        let stable = Sequence { readable: true, users, ..sequence.clone() };
        let name = format!("sequence {}.{}", sequence.schema, sequence.name);
        found.push(Definition { name, text: format!("{stable:?}"), read: sequence.extension.is_none() });
    }
    let types = types_read(catalog, unread);
    // Types of columns; those of the catalog of functions are all that there are.
    found.extend(catalog.types.iter().map(|r#type| Definition {
        name: format!("type {}{OF_A_COLUMN}", r#type.sql_name),
        text: format!("{:?}", r#type),
        read: types.contains(&r#type.oid),
    }));
    let types = catalog.types.iter().filter(|r#type| types.contains(&r#type.oid));
    let types: HashSet<String> = types.map(|r#type| format!("type {}", r#type.sql_name.replace('\n', " "))).collect();
    found.extend(catalog.extensions.iter().map(|name| Definition {
        name: format!("extension {name}"),
        text: String::new(),
        read: true,
    }));
    for line in catalog.functions.lines() {
        let (hash, name) = line.split_once(' ').unwrap_or((line, "a function or type"));
        found.push(Definition { name: name.to_owned(), text: hash.to_owned(), read: types.contains(name) });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::{Column, Type};
    use super::*;

    fn table(oid: Oid, name: &str) -> Table {
        Table { oid, schema: "public".into(), name: name.into(), ..Table::default() }
    }

    fn world(tables: &[Table], functions: &str) -> Catalog {
        Catalog { tables: tables.to_vec(), functions: functions.into(), ..Catalog::default() }
    }

    /// Changes, those that stop a run with a mark.
    fn told(old: &Catalog, new: &Catalog, asked: bool) -> Vec<String> {
        told_of(old, new, &Use { asked, ..Use::default() })
    }

    fn told_of(old: &Catalog, new: &Catalog, how: &Use) -> Vec<String> {
        let line = |change: Change| format!("{}{}", if change.stops { "! " } else { "" }, change.what);
        changes(old, new, how).into_iter().map(line).collect()
    }

    #[test]
    fn tables_without_rows_stop_a_run_only_where_they_are_read() {
        let grown = Table { columns: vec![Column { attnum: 1, ..Column::default() }], ..table(1, "sessions") };
        let (old, new) = (world(&[table(1, "sessions")], ""), world(&[grown], ""));
        let unread = Use { unread: BTreeSet::from([1]), ..Use::default() };
        assert_eq!(told_of(&old, &new, &unread), ["table public.sessions was changed"]);
        assert_eq!(told(&old, &new, false), ["! table public.sessions was changed"]);
    }

    #[test]
    fn what_is_copied_and_changed_stops_a_run_and_what_is_new_does_not() {
        let old = world(&[table(1, "a"), table(2, "b")], "11 function f()\n22 type public.mood");
        let larger = Table { bytes: 9, ..table(1, "a") };
        let new = world(&[larger.clone(), table(3, "c")], "11 function f()\n33 type public.mood");
        let expected = ["! table public.b was dropped", "table public.c was created", "type public.mood was changed"];
        assert_eq!(told(&old, &new, false), expected);
        assert!(told(&old, &world(&[larger, table(2, "b")], &old.functions), true).is_empty(), "sizes are nothing");
        let renamed = world(&[table(2, "a"), table(1, "b")], &old.functions);
        assert_eq!(told(&old, &renamed, false), ["! table public.a was changed", "! table public.b was changed"]);
    }

    #[test]
    fn functions_stop_a_run_that_asks_something() {
        let old = world(&[table(1, "a")], "11 function f()\n22 function g()");
        let new = world(&[table(1, "a"), table(2, "b")], "33 function f()\n44 function g(integer)");
        let what = [
            "function g() was dropped",
            "function f() was changed",
            "function g(integer) was created",
            "table public.b was created",
        ];
        assert_eq!(told(&old, &new, false), what);
        let marked = what.map(|what| format!("{}{what}", if what.starts_with("table") { "" } else { "! " }));
        assert_eq!(told(&old, &new, true), marked);
    }

    #[test]
    fn a_type_stops_a_run_where_a_copied_column_is_made_of_it() {
        let of = |oid: Oid, name: &str, type_oid: Oid, kind: TableKind| Table {
            kind,
            columns: vec![Column { attnum: 1, type_oid, ..Column::default() }],
            ..table(oid, name)
        };
        let mood = |oid: Oid, name: &str, labels: &[&str]| Type {
            oid,
            sql_name: format!("public.{name}"),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            ..Type::default()
        };
        let list = Type { oid: 50, sql_name: "public.mood[]".into(), element: 51, ..Type::default() };
        let world = |labels: &[&str], hash: &str| Catalog {
            types: vec![list.clone(), mood(51, "mood", labels), mood(52, "far", labels)],
            functions: format!("{hash} type public.far\n{hash} type public.mood"),
            ..world(&[of(1, "a", 50, TableKind::Leaf), of(2, "f", 52, TableKind::Foreign)], "")
        };
        let found = told(&world(&["sad"], "11"), &world(&["sad", "ok"], "22"), false);
        let expected = [
            "type public.far was changed",
            "! type public.mood was changed",
            "! type public.mood of a column was changed",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_new_partition_stops_a_run_only_if_it_is_foreign() {
        let parted = Table { kind: TableKind::Partitioned, ..table(1, "events") };
        let part = |kind| Table { kind, partition_root: Some(1), ..table(2, "tomorrow") };
        let numbers = |users: &[(Oid, i16)]| Sequence {
            schema: "public".into(),
            name: "events_id_seq".into(),
            users: users.to_vec(),
            ..Sequence::default()
        };
        let world =
            |tables: &[Table], users: &[(Oid, i16)]| Catalog { sequences: vec![numbers(users)], ..world(tables, "") };
        let old = world(std::slice::from_ref(&parted), &[(1, 1)]);
        let grown = |kind| world(&[parted.clone(), part(kind)], &[(1, 1), (2, 1)]);
        assert_eq!(told(&old, &grown(TableKind::Leaf), true), ["table public.tomorrow was created"]);
        assert_eq!(told(&old, &grown(TableKind::Foreign), false), ["! table public.tomorrow was created"]);
        // A table that was there, with whatever rows, and is a partition now.
        let loose = Table { partition_root: None, ..part(TableKind::Leaf) };
        let apart = world(&[parted.clone(), loose], &[(1, 1)]);
        let attached = world(&[parted, part(TableKind::Leaf)], &[(1, 1)]);
        assert_eq!(told(&apart, &attached, false), ["! table public.tomorrow was changed"]);
    }
}
