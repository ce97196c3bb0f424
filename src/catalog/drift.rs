//! What must not change while a run reads: the definitions, as one digest and by name.

use super::{Catalog, Oid, Sequence, Table};
use std::collections::{BTreeMap, HashMap};

/// Hashes what must not change during a run. Sizes, estimates, file nodes and rights may.
pub(super) fn digest(catalog: &Catalog) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, text) in definitions(catalog) {
        for part in [name, text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}

/// Names what differs between two reads, with what happened to it: `table public.t was created`.
pub fn changes(old: &Catalog, new: &Catalog) -> Vec<String> {
    let by_name = |catalog| {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, text) in definitions(catalog) {
            found.entry(name).or_default().push(text);
        }
        found
    };
    let (old, new) = (by_name(old), by_name(new));
    let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("{name} was dropped"));
    let rest = new.iter().filter_map(|(name, text)| match old.get(name) {
        None => Some(format!("{name} was created")),
        Some(before) => (before != text).then(|| format!("{name} was changed")),
    });
    let all: Vec<String> = gone.chain(rest).collect();
    // Types of columns come and go with the tables; they are told where nothing else is.
    let told: Vec<String> = all.iter().filter(|change| !change.contains(OF_A_COLUMN)).cloned().collect();
    if told.is_empty() { all } else { told }
}

/// Marks a type that the catalog knows because a column has it.
const OF_A_COLUMN: &str = " of a column ";

/// Every object that counts, by kind and name, with all that is known of it.
fn definitions(catalog: &Catalog) -> Vec<(String, String)> {
    let names: HashMap<Oid, String> = catalog.tables.iter().map(|table| (table.oid, table.full_name())).collect();
    let of = |table: &Oid| names.get(table).map_or("another table", String::as_str);
    let server = &catalog.server;
    let identity = format!("{} {} {}", server.system_identifier, server.database, server.encoding);
    let mut found = vec![("database".to_owned(), identity)];
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
        found.push((format!("table {}", table.full_name()), format!("{stable:?}")));
    }
    for constraint in &catalog.constraints {
        let name = format!("constraint {} of {}", constraint.name, of(&constraint.table));
        found.push((name, format!("{constraint:?}")));
    }
    for index in &catalog.unique_indexes {
        found.push((format!("unique index {} of {}", index.name, of(&index.table)), format!("{index:?}")));
    }
    for sequence in &catalog.sequences {
        let stable = Sequence { readable: true, ..sequence.clone() };
        found.push((format!("sequence {}.{}", sequence.schema, sequence.name), format!("{stable:?}")));
    }
    // Types of columns; those of the catalog of functions are all that there are.
    found.extend(
        catalog.types.iter().map(|r#type| (format!("type {} of a column", r#type.sql_name), format!("{:?}", r#type))),
    );
    found.extend(catalog.extensions.iter().map(|name| (format!("extension {name}"), String::new())));
    for line in catalog.functions.lines() {
        let (hash, name) = line.split_once(' ').unwrap_or((line, "a function or type"));
        found.push((name.to_owned(), hash.to_owned()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(tables: &[(&str, u64)], functions: &str) -> Catalog {
        let table = |(name, bytes): &(&str, u64)| Table {
            schema: "public".into(),
            name: (*name).into(),
            bytes: *bytes,
            ..Table::default()
        };
        Catalog { tables: tables.iter().map(table).collect(), functions: functions.into(), ..Catalog::default() }
    }

    #[test]
    fn what_was_created_changed_and_dropped_is_named_and_sizes_are_nothing() {
        let old = world(&[("a", 1), ("b", 1)], "11 function f()\n22 type public.mood");
        let mut new = world(&[("a", 9), ("c", 1)], "11 function f()\n33 type public.mood");
        assert_eq!(
            changes(&old, &new),
            ["table public.b was dropped", "table public.c was created", "type public.mood was changed"]
        );
        assert_ne!(digest(&old), digest(&new));
        new = world(&[("a", 9), ("b", 7)], &old.functions);
        assert_eq!((changes(&old, &new), digest(&new)), (Vec::new(), digest(&old)));
    }
}
