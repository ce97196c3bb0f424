//! Which table and which column stands under a name: names can be exchanged, numbers of the server are given once.
//!
//! A column keeps its `attnum` and a table its oid as long as they live, and no other of the table or database gets them. So
//! numbers tell an exchange of names that leaves every column where it stood among its neighbors. A copy by `pg_dump`
//! numbers everything anew; there the order of columns is what is compared.

use super::diff::{Changes, Sign, as_of, hidden, words};
use super::{Column, Lock, Table};
use crate::catalog::{Catalog, Oid, Type};
use crate::config::{Decision, TableRule};
use crate::error::Report;
use crate::plan::{self, toml_key};
use std::collections::{BTreeMap, BTreeSet, HashMap};

impl Lock {
    /// Writes down the database, and the oid of each table that is in the lock.
    pub(super) fn pin_numbers(&mut self, catalog: &Catalog) {
        self.database = Some(database(catalog));
        let parts: BTreeSet<&String> = self.tables.values().flat_map(|table| &table.partitions).collect();
        let named = catalog.tables.iter().map(|table| (table.full_name(), table.oid));
        let known = named.filter(|(name, _)| self.tables.contains_key(name) || parts.contains(name));
        self.oids = Some(known.collect());
    }

    /// The entry that decides a table: its own, or that of the root of its partition tree.
    fn decides(&self, name: &str) -> Option<(&String, &Table)> {
        let own = self.tables.get_key_value(name);
        own.or_else(|| self.tables.iter().find(|(_, table)| table.partitions.contains(name)))
    }
}

/// The names of the attributes of a composite type, each at its number; those that were dropped are empty.
pub(super) fn placed(composite: &Type) -> Vec<String> {
    let names = &composite.attribute_names;
    if composite.attribute_numbers.len() != names.len() {
        return names.clone();
    }
    let mut places: Vec<String> = Vec::new();
    for (name, number) in names.iter().zip(&composite.attribute_numbers) {
        let before = usize::from(number.unsigned_abs()).saturating_sub(1);
        places.resize(before.max(places.len()), String::new());
        places.push(name.clone());
    }
    places
}

/// Whether the numbers of both are those of one database: the same, or one that pg_upgrade took over, where most tables have
/// the oid they had.
pub(super) fn same_database(old: &Lock, new: &Lock) -> bool {
    new.oids.as_ref().is_some_and(|after| old.is_of(new.database.as_deref(), after))
}

impl Lock {
    /// Whether these are numbers of the database that the lock was written for.
    fn is_of(&self, database: Option<&str>, after: &BTreeMap<String, Oid>) -> bool {
        let Some(before) = &self.oids else { return false };
        if self.database.is_some() && self.database.as_deref() == database {
            return true;
        }
        let shared: Vec<bool> = before.iter().filter_map(|(name, was)| Some(after.get(name)? == was)).collect();
        shared.iter().filter(|same| **same).count() * 2 > shared.len()
    }

    /// Columns that are called otherwise since the review, for a plan that is refused because of the old name: the decision
    /// that stands there under it, for the new one.
    pub fn renamed(&self, catalog: &Catalog, rules: &[TableRule]) -> Vec<Report> {
        let oids = catalog.tables.iter().map(|table| (table.full_name(), table.oid)).collect();
        if !self.is_of(Some(&database(catalog)), &oids) {
            return Vec::new();
        }
        let mut reports = Vec::new();
        for source in &catalog.tables {
            let name = source.full_name();
            let Some(table) = self.tables.get(&name) else { continue };
            if self.oids.as_ref().and_then(|oids| oids.get(&name)) != Some(&source.oid) {
                continue;
            }
            let there = |name: &str| source.columns.iter().any(|at| at.name == name);
            for (was, column) in table.columns.iter().filter(|(was, _)| !there(was)) {
                let here = source.columns.iter().find(|at| Some(at.attnum) == column.at);
                let new = |name: &str| {
                    !table.columns.contains_key(name) && plan::listed(rules, &source.full_name(), name).is_none()
                };
                let Some(here) = here.filter(|at| new(&at.name)) else { continue };
                let decision = plan::listed(rules, &name, was);
                let report = |decision| renamed_report(rules, &name, (was, &here.name), (column, decision));
                reports.extend(decision.map(report));
            }
        }
        reports
    }
}

fn database(catalog: &Catalog) -> String {
    format!("{}/{}", catalog.server.system_identifier, catalog.server.database_oid)
}

fn renamed_report(
    rules: &[TableRule],
    table: &str,
    (was, is): (&str, &str),
    (column, decision): (&Column, &Decision),
) -> Report {
    let line = format!("{} = {}", toml_key(is), plan::decision_line(decision));
    Report::new("plan::renamed-column", format!("column \"{table}.{was}\" is now called \"{is}\""))
        .place(plan::place(&decision.place))
        .detail(format!("The lock has the same column under the old name: {}.", words(column)))
        .hint(format!(
            "If it holds what it held, decide it as before, in place of the line there, and then: restage plan --write-lock\n{}\n{line}",
            plan::under(rules, table)
        ))
}

/// The new names of columns that are there under another one, by the old ones.
pub(super) fn renamed<'a>(old: &'a Table, new: &'a Table) -> BTreeMap<&'a String, &'a String> {
    let gone = old.columns.iter().filter(|(name, column)| column.at.is_some() && !new.columns.contains_key(*name));
    let heir = |(name, gone): (&'a String, &'a Column)| {
        let (heir, _) = new.columns.iter().find(|(_, column)| column.at == gone.at)?;
        (!old.columns.contains_key(heir)).then_some((name, heir))
    };
    gone.filter_map(heir).collect()
}

/// Whether the table that stands under a name is the one that stood there.
pub(super) fn same_table(old: &Lock, new: &Lock, name: &str) -> bool {
    let oid = |lock: &Lock| lock.oids.as_ref().and_then(|oids| oids.get(name).copied());
    oid(old).is_some() && oid(old) == oid(new)
}

/// Tables that were dropped and made anew under their names: their numbers are new ones, and most others have those they had.
/// Where most are new, somebody restored the database.
pub(super) fn remade<'a>(old: &'a Lock, new: &'a Lock) -> BTreeSet<&'a String> {
    let (Some(before), Some(after)) = (&old.oids, &new.oids) else { return BTreeSet::new() };
    let known: BTreeSet<&Oid> = before.values().collect();
    let shared = || before.iter().filter_map(|(name, was)| Some((name, was, after.get(name)?)));
    let stay = shared().filter(|(_, was, is)| was == is).count();
    if stay * 2 <= shared().count().saturating_sub(1) {
        return BTreeSet::new();
    }
    shared().filter(|(.., is)| !known.contains(is)).map(|(name, ..)| name).collect()
}

/// Attributes of a composite type that changed places, or were made anew: the values of the one may stand under the name of
/// the other.
pub(super) fn moved<'a>(old: &'a Lock, new: &'a Lock, composite: &str) -> Vec<&'a str> {
    let (Some(before), Some(after)) = (old.orders.get(composite), new.orders.get(composite)) else { return Vec::new() };
    if same_database(old, new) {
        let stays = |(at, name): &(usize, &String)| after.get(*at) == Some(*name) || !after.contains(*name);
        let moved = before.iter().enumerate().filter(|(_, name)| !name.is_empty()).filter(|placed| !stays(placed));
        return moved.map(|(_, name)| name.as_str()).collect();
    }
    let was = before.iter().filter(|name| !name.is_empty() && after.contains(name));
    let is = after.iter().filter(|name| !name.is_empty() && before.contains(name));
    was.zip(is).filter(|(was, is)| was != is).map(|(was, _)| was.as_str()).collect()
}

/// Whether two do the same to values.
fn decides_alike(one: &Column, other: &Column) -> bool {
    words(one) == words(other) && one.params == other.params
}

impl Changes {
    /// Columns of one table that have another number than what was reviewed under their name.
    pub(super) fn numbers(&mut self, table: &str, old: &Table, new: &Table) {
        for (name, column) in &new.columns {
            // Another type, or another decision, is told as such.
            let same = |was: &&Column| was.type_name == column.type_name && decides_alike(was, column);
            let Some(was) = old.columns.get(name).filter(same) else { continue };
            if was.at.is_none() || column.at.is_none() || was.at == column.at {
                continue;
            }
            if column.decision != "keep" {
                self.crossed(table, (name, column), old, new);
                continue;
            }
            let (detail, line) = match old.columns.iter().find(|(_, other)| other.at == column.at) {
                // What is kept was kept, under whatever name.
                Some((_, known)) if known.decision == "keep" => continue,
                // A column that is gone is told with the one in its place.
                Some((known, _)) if !new.columns.contains_key(known) => continue,
                Some((known, masked)) => {
                    let back = new.columns.get(known).and_then(|column| column.at) == was.at;
                    let place = match back {
                        true => format!("changed places with {known}, {}", words(masked)),
                        false => format!("is the column that was {known}, {}", words(masked)),
                    };
                    (format!("{place}: are their names exchanged?"), Some(as_of(name, masked)))
                }
                None => {
                    let detail = "was dropped and made anew: what it holds now was not reviewed";
                    (detail.to_owned(), hidden(name, column))
                }
            };
            self.push(Sign::Changed, format!("column {table}.{name}"), detail);
            self.patch(table, line);
        }
    }

    /// A masked column that is the one another mask was reviewed for: a mask for addresses may leave a telephone number as
    /// it is.
    fn crossed(&mut self, table: &str, (name, column): (&String, &Column), old: &Table, new: &Table) {
        let hides = |column: &Column| column.decision == "null" || column.decision == "const";
        let at = old.columns.iter().find(|(_, other)| other.at == column.at);
        // What was kept may be masked. One that is gone is told with what stands in its place.
        let Some((known, masked)) = at.filter(|(known, other)| {
            !hides(column)
                && other.decision != "keep"
                && !decides_alike(other, column)
                && new.columns.contains_key(*known)
        }) else {
            return;
        };
        let detail = format!(
            "is the column that was {known}, {}, and gets {}: are their names exchanged?",
            words(masked),
            words(column)
        );
        self.push(Sign::Changed, format!("column {table}.{name}"), detail);
        // The decision as it is written, with its parameters, if it is still that of the review.
        let written = new.columns.get(known).filter(|now| decides_alike(masked, now));
        let written = written.and_then(|now| now.written.as_ref());
        let line = written.map_or_else(|| as_of(name, masked), |line| format!("{} = {line}", toml_key(name)));
        self.patch(table, Some(line));
    }

    /// A table whose columns are called as they were, and hold whatever was put into them since: of those that are kept
    /// nobody has seen it. Some are rebuilt every night, so no run stops for it.
    pub(super) fn made_anew(&mut self, table: &str, old: &Table, new: &Table) {
        let was_kept = |name: &String| old.columns.get(name).is_some_and(|was| was.decision == "keep");
        let kept = new.columns.iter().filter(|(name, column)| column.decision == "keep" && was_kept(name));
        let kept = kept.count();
        if kept == 0 || matches!(new.rows.as_str(), "none" | "skipped") {
            return;
        }
        let detail = match kept {
            1 => "was dropped and made anew: what its kept column holds now was not reviewed".to_owned(),
            many => format!("was dropped and made anew: what its {many} kept columns hold now was not reviewed"),
        };
        self.push(Sign::Changed, format!("table {table}"), detail);
        if let Some(last) = self.0.last_mut() {
            (last.refuses, last.warns) = (false, true);
        }
    }

    /// Tables, and partitions, that stand under the name of another: what was decided for the name shows what was hidden.
    pub(super) fn exchanged(&mut self, old: &Lock, new: &Lock) {
        let (Some(before), Some(after)) = (&old.oids, &new.oids) else { return };
        let names: HashMap<Oid, &String> = before.iter().map(|(name, oid)| (*oid, name)).collect();
        for (name, oid) in after {
            let Some(was) = names.get(oid).filter(|was| **was != name) else { continue };
            let (Some((before, then)), Some((owner, now))) = (old.decides(was), new.decides(name)) else { continue };
            // A name that is new is told with its columns; a partition that moved within its tree is decided as it was.
            if before != owner && old.tables.contains_key(owner) {
                self.stands_for(name, was, (owner, now), then);
            }
        }
    }

    /// `name`, decided as `owner`, is the table that was decided as `then`, under the name `was`.
    fn stands_for(&mut self, name: &str, was: &str, (owner, now): (&str, &Table), then: &Table) {
        let copied = |table: &Table| table.rows != "none" && table.rows != "skipped";
        if !copied(now) {
            return;
        }
        if then.rows != now.rows {
            let rows = if copied(then) { "other rows of it were copied" } else { "no row of it was copied" };
            let detail = format!("it was {was} when this was reviewed, and {rows}: are their names exchanged?");
            self.push(Sign::Changed, format!("table {name}"), detail);
        }
        for (column, kept) in now.columns.iter().filter(|(_, column)| column.decision == "keep") {
            let named = then.columns.get(column);
            let known = named.or_else(|| then.columns.values().find(|known| known.at.is_some() && known.at == kept.at));
            let (said, line) = match known {
                Some(known) if known.decision == "keep" => continue,
                Some(masked) => (words(masked), Some(as_of(column, masked))),
                None if copied(then) => ("which nobody reviewed there".to_owned(), hidden(column, kept)),
                None => continue,
            };
            let detail = format!("{name} was {was} when this was reviewed, {said}: are their names exchanged?");
            self.push(Sign::Changed, format!("column {owner}.{column}"), detail);
            self.patch(owner, line);
        }
    }
}
