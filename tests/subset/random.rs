//! Random schemas with random rows and rules, and their closure by a method that has nothing in common with ours: every row
//! is read, and references are followed in memory until nothing changes.

use super::Numbers;
use crate::support::Lab;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Steele, Lea and Flood, *Fast splittable pseudorandom number generators* (2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.next() % count as u64) as usize
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

/// How rows of a table are told apart and referred to.
#[derive(Clone, Copy, PartialEq)]
enum Key {
    Single,
    Composite,
    /// A unique column that is not the primary key is referred to.
    Unique,
    /// Rows cannot be referred to.
    Without,
}

#[derive(Clone, Copy, PartialEq)]
enum Partitions {
    None,
    Hash,
    Range,
}

struct ForeignKey {
    columns: Vec<String>,
    parent: usize,
    full: bool,
    nullable: bool,
    deferrable: bool,
    type_name: &'static str,
}

struct Table {
    name: String,
    key: Key,
    partitions: Partitions,
    keys: Vec<ForeignKey>,
    /// Values of all foreign key columns, row by row.
    rows: Vec<Vec<Option<i64>>>,
}

/// What a rule says about the children of a reference.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    All,
    None,
    Max(usize),
}

pub struct World {
    tables: Vec<Table>,
    /// Table, modulus, remainder, limit.
    seeds: Vec<(usize, usize, usize, Option<usize>)>,
    children: Rule,
    /// Table and key: its rule, and whether the parent stays behind.
    edges: BTreeMap<(usize, usize), (Option<Rule>, bool)>,
    whole: Option<usize>,
    /// The first table has an heir with rows that look like its own.
    heir: bool,
}

impl Key {
    fn columns(self) -> &'static [&'static str] {
        match self {
            Key::Single => &["id"],
            Key::Composite => &["a", "b"],
            Key::Unique => &["code"],
            Key::Without => &[],
        }
    }

    fn values(self, row: usize) -> Vec<i64> {
        let row = row as i64;
        match self {
            Key::Single => vec![10 * row + 1],
            Key::Composite => vec![row % 3, row],
            Key::Unique => vec![1000 + row],
            Key::Without => Vec::new(),
        }
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let random = &mut Random(seed);
        let count = 3 + random.below(4);
        let mut tables: Vec<Table> = (0..count).map(|number| Self::table(random, number)).collect();
        for number in 0..count {
            for key in 0..random.below(4) {
                let parent = random.below(count);
                if tables[parent].key == Key::Without {
                    continue;
                }
                let columns = tables[parent].key.columns();
                let columns = (0..columns.len()).map(|column| format!("f{key}_{column}")).collect();
                tables[number].keys.push(ForeignKey {
                    columns,
                    parent,
                    full: random.chance(30),
                    nullable: random.chance(70),
                    deferrable: random.chance(30),
                    type_name: ["int", "bigint"][random.below(2)],
                });
            }
        }
        let sizes: Vec<usize> = (0..count).map(|_| 5 + random.below(40)).collect();
        for number in 0..count {
            let rows: Vec<_> = (0..sizes[number]).map(|_| Self::row(random, &tables, number, &sizes)).collect();
            tables[number].rows = rows;
        }
        let heir = tables[0].partitions == Partitions::None && random.chance(50);
        let mut world =
            Self { tables, seeds: Vec::new(), children: Rule::All, edges: BTreeMap::new(), whole: None, heir };
        world.rules(random);
        world
    }

    fn table(random: &mut Random, number: usize) -> Table {
        let key =
            [Key::Single, Key::Composite, Key::Unique, Key::Without][random.below(if number == 0 { 2 } else { 4 })];
        let partitions = match (key, random.below(3)) {
            (Key::Single, 0) => Partitions::Hash,
            (Key::Composite, 0) => Partitions::Range,
            _ => Partitions::None,
        };
        Table { name: format!("t{number}"), key, partitions, keys: Vec::new(), rows: Vec::new() }
    }

    fn row(random: &mut Random, tables: &[Table], number: usize, sizes: &[usize]) -> Vec<Option<i64>> {
        let mut row = Vec::new();
        for key in &tables[number].keys {
            let parent = tables[key.parent].key.values(random.below(sizes[key.parent]));
            let mut values: Vec<Option<i64>> = parent.into_iter().map(Some).collect();
            if key.nullable && random.chance(30) {
                if key.full || random.chance(50) {
                    values.fill(None);
                } else {
                    // A reference of which a part is NULL refers to nothing, and nothing checks the rest.
                    let at = random.below(values.len());
                    values[at] = None;
                    values.iter_mut().flatten().for_each(|value| *value += 5000);
                }
            }
            row.extend(values);
        }
        row
    }

    fn rules(&mut self, random: &mut Random) {
        let count = self.tables.len();
        for _ in 0..1 + random.below(2) {
            let modulus = 2 + random.below(9);
            let limit = random.chance(30).then(|| 1 + random.below(5));
            self.seeds.push((random.below(count), modulus, random.below(modulus), limit));
        }
        let rule = |random: &mut Random| [Rule::All, Rule::None, Rule::Max(1 + random.below(3))][random.below(3)];
        self.children = rule(random);
        for table in 0..count {
            for key in 0..self.tables[table].keys.len() {
                if random.chance(30) {
                    let cut = self.tables[table].keys[key].nullable && random.chance(50);
                    let children = random.chance(70).then(|| rule(random));
                    self.edges.insert((table, key), (children, cut));
                }
            }
        }
        self.whole = random.chance(25).then(|| random.below(count));
    }

    /// The schema `g` with all its rows.
    pub fn sql(&self) -> String {
        let mut sql = String::new();
        for table in &self.tables {
            let mut columns = vec!["rid int NOT NULL".to_owned()];
            match table.key {
                Key::Single => columns.push("id bigint NOT NULL, PRIMARY KEY (id)".to_owned()),
                Key::Composite => {
                    columns.push("a int NOT NULL, b bigint NOT NULL, PRIMARY KEY (b, a), UNIQUE (a, b)".to_owned())
                }
                Key::Unique => columns.push("id int PRIMARY KEY, code bigint UNIQUE".to_owned()),
                Key::Without => {}
            }
            for key in &table.keys {
                let not_null = if key.nullable { "" } else { " NOT NULL" };
                columns.extend(key.columns.iter().map(|column| format!("{column} {}{not_null}", key.type_name)));
            }
            let by = match table.partitions {
                Partitions::None => "",
                Partitions::Hash => " PARTITION BY HASH (id)",
                Partitions::Range => " PARTITION BY RANGE (a)",
            };
            let name = &table.name;
            let _ = writeln!(sql, "CREATE TABLE g.{name} ({}){by};", columns.join(", "));
            let bounds: &[&str] = match table.partitions {
                Partitions::None => &[],
                Partitions::Hash => &["WITH (MODULUS 2, REMAINDER 0)", "WITH (MODULUS 2, REMAINDER 1)"],
                Partitions::Range => &["FROM (0) TO (1)", "FROM (1) TO (3)"],
            };
            for (number, bound) in bounds.iter().enumerate() {
                let _ = writeln!(sql, "CREATE TABLE g.{name}_p{number} PARTITION OF g.{name} FOR VALUES {bound};");
            }
            self.insert(table, name, &mut sql);
        }
        if self.heir {
            let _ =
                writeln!(sql, "CREATE TABLE g.heir () INHERITS (g.t0); INSERT INTO g.heir SELECT * FROM ONLY g.t0;");
        }
        for table in &self.tables {
            // Dead rows: places have gaps, and order of insertion is not order of place.
            let _ = writeln!(sql, "UPDATE ONLY g.{0} SET rid = rid WHERE rid % 3 = 1;", table.name);
        }
        let mut constraints = String::new();
        for table in &self.tables {
            for (number, key) in table.keys.iter().enumerate() {
                let parent = &self.tables[key.parent];
                let full = if key.full { " MATCH FULL" } else { "" };
                let deferrable = if key.deferrable { " DEFERRABLE INITIALLY DEFERRED" } else { "" };
                let index = number % 2 == 0;
                let (name, columns) = (&table.name, key.columns.join(", "));
                let _ = writeln!(
                    constraints,
                    "ALTER TABLE g.{name} ADD CONSTRAINT {name}_k{number} FOREIGN KEY ({columns}) REFERENCES g.{} ({}){full}{deferrable};",
                    parent.name,
                    parent.key.columns().join(", ")
                );
                if index {
                    let _ = writeln!(constraints, "CREATE INDEX ON g.{name} ({columns});");
                }
            }
        }
        // A partition tree cannot be updated with ONLY, and needs not be.
        let partitioned: Vec<&str> = self
            .tables
            .iter()
            .filter(|table| table.partitions != Partitions::None)
            .map(|table| table.name.as_str())
            .collect();
        for name in partitioned {
            sql = sql.replace(&format!("UPDATE ONLY g.{name} "), &format!("UPDATE g.{name} "));
        }
        sql + &constraints
    }

    fn insert(&self, table: &Table, name: &str, sql: &mut String) {
        for (number, row) in table.rows.iter().enumerate() {
            let mut values = vec![number.to_string()];
            if table.key == Key::Unique {
                values.push(number.to_string());
            }
            values.extend(table.key.values(number).iter().map(ToString::to_string));
            values.extend(row.iter().map(|value| value.map_or_else(|| "NULL".to_owned(), |value| value.to_string())));
            let _ = writeln!(sql, "INSERT INTO g.{name} VALUES ({});", values.join(", "));
        }
    }

    /// The configuration that asks for the rules.
    pub fn config(&self) -> String {
        let rule = |rule: Rule| match rule {
            Rule::All => "\"all\"".to_owned(),
            Rule::None => "\"none\"".to_owned(),
            Rule::Max(max) => format!("{{ max = {max} }}"),
        };
        let seeds = self.seeds.iter().map(|(table, modulus, remainder, limit)| {
            let limit = limit.map(|limit| format!(", limit = {limit}")).unwrap_or_default();
            format!("{{ table = \"g.t{table}\", where = \"rid % {modulus} = {remainder}\"{limit} }}")
        });
        let mut text = format!(
            "[tables.\"g.*\"]\ndefault = \"keep\"\n[subset]\nseed = [{}]\nchildren = {}\n",
            seeds.collect::<Vec<_>>().join(", "),
            rule(self.children)
        );
        if let Some(whole) = self.whole {
            let _ = writeln!(text, "whole = [\"g.t{whole}\"]");
        }
        for ((table, key), (children, cut)) in &self.edges {
            let foreign = &self.tables[*table].keys[*key];
            let _ = writeln!(text, "[[subset.edge]]\nfrom = \"g.t{table}.{}\"", foreign.columns[0]);
            if let Some(children) = children {
                let _ = writeln!(text, "children = {}", rule(*children));
            }
            if *cut {
                text.push_str("parent = \"null\"\n");
            }
        }
        text
    }

    fn rule(&self, table: usize, key: usize) -> (Rule, bool) {
        let (children, cut) = self.edges.get(&(table, key)).copied().unwrap_or((None, false));
        (children.unwrap_or(self.children), cut)
    }

    /// The values of one foreign key in a row, none if it refers to nothing.
    fn reference(&self, table: usize, key: usize, row: usize) -> Option<Vec<i64>> {
        let before: usize = self.tables[table].keys[..key].iter().map(|key| key.columns.len()).sum();
        let count = self.tables[table].keys[key].columns.len();
        self.tables[table].rows[row][before..before + count].iter().copied().collect()
    }

    fn parent(&self, table: usize, key: usize, row: usize) -> Option<(usize, usize)> {
        let values = self.reference(table, key, row)?;
        let parent = self.tables[table].keys[key].parent;
        let row = (0..self.tables[parent].rows.len()).find(|row| self.tables[parent].key.values(*row) == values);
        Some((parent, row?))
    }

    /// Rows in the order in which limits take them: by key, else by all they hold.
    fn order(&self, lab: &Lab<'_>, table: usize) -> Vec<usize> {
        let by = match self.tables[table].key {
            Key::Single | Key::Unique => "id",
            Key::Composite => "b, a",
            Key::Without => "rid",
        };
        let only = if self.tables[table].partitions == Partitions::None { "ONLY " } else { "" };
        let rows = lab.production(&format!("SELECT rid FROM {only}g.t{table} ORDER BY {by}"));
        rows.lines().map(|line| line.parse().expect("a number")).collect()
    }

    /// The least closed set, by brute force.
    pub fn closure(&self, lab: &Lab<'_>) -> Numbers {
        let orders: Vec<Vec<usize>> = (0..self.tables.len()).map(|table| self.order(lab, table)).collect();
        let mut selected: BTreeSet<(usize, usize)> = BTreeSet::new();
        for (table, modulus, remainder, limit) in &self.seeds {
            let fitting = orders[*table].iter().filter(|row| **row % modulus == *remainder);
            selected.extend(fitting.take(limit.unwrap_or(usize::MAX)).map(|row| (*table, *row)));
        }
        let mut all = selected.clone();
        if let Some(table) = self.whole {
            all.extend((0..self.tables[table].rows.len()).map(|row| (table, row)));
        }
        loop {
            let before = (all.len(), selected.len());
            for (table, order) in orders.iter().enumerate() {
                for key in 0..self.tables[table].keys.len() {
                    let (children, cut) = self.rule(table, key);
                    let rows = 0..self.tables[table].rows.len();
                    if !cut {
                        let found = rows.clone().filter(|row| all.contains(&(table, *row)));
                        let found: Vec<_> = found.filter_map(|row| self.parent(table, key, row)).collect();
                        all.extend(found);
                    }
                    let max = match children {
                        Rule::None => continue,
                        Rule::All => usize::MAX,
                        Rule::Max(max) => max,
                    };
                    for parent in selected.clone() {
                        let belong = order.iter().filter(|row| self.parent(table, key, **row) == Some(parent));
                        selected.extend(belong.take(max).map(|row| (table, *row)));
                    }
                    all.extend(selected.iter().copied());
                }
            }
            if (all.len(), selected.len()) == before {
                break;
            }
        }
        let mut numbers: Numbers = self.tables.iter().map(|table| (table.name.clone(), BTreeSet::new())).collect();
        if self.heir {
            numbers.insert("heir".to_owned(), BTreeSet::new());
        }
        for (table, row) in all {
            numbers.entry(format!("t{table}")).or_default().insert(row as i64);
        }
        numbers
    }

    /// All that a table holds, in order.
    pub fn row_query(&self, table: &str) -> String {
        let number = self.tables.iter().position(|known| known.name == table);
        let columns = number.map(|number| {
            self.tables[number].keys.iter().flat_map(|key| key.columns.clone()).collect::<Vec<_>>().join(", ")
        });
        match columns.filter(|columns| !columns.is_empty()) {
            Some(columns) => format!("SELECT rid, {columns} FROM ONLY_OR_ALL g.{table} ORDER BY rid")
                .replace("ONLY_OR_ALL ", if self.heir && table == "t0" { "ONLY " } else { "" }),
            None => format!(
                "SELECT rid FROM {}g.{table} ORDER BY rid",
                if self.heir && table == "t0" { "ONLY " } else { "" }
            ),
        }
    }

    /// What the tables have to hold in staging, as psql prints it: references that were cut are NULL where their row is
    /// not there.
    pub fn rows_of(&self, chosen: &Numbers) -> Vec<(String, String)> {
        let mut tables: Vec<(String, String)> = Vec::new();
        for (number, table) in self.tables.iter().enumerate() {
            let lines = chosen[&table.name].iter().map(|row| {
                let row = *row as usize;
                let mut line = row.to_string();
                let mut at = 0;
                for (key, foreign) in table.keys.iter().enumerate() {
                    let (_, cut) = self.rule(number, key);
                    let there = self
                        .parent(number, key, row)
                        .is_some_and(|(parent, row)| chosen[&self.tables[parent].name].contains(&(row as i64)));
                    let nulled = cut && !there && self.reference(number, key, row).is_some();
                    for _ in &foreign.columns {
                        let value = table.rows[row][at].filter(|_| !nulled);
                        let _ = write!(line, "|{}", value.map(|value| value.to_string()).unwrap_or_default());
                        at += 1;
                    }
                }
                line
            });
            tables.push((table.name.clone(), lines.collect::<Vec<_>>().join("\n")));
        }
        if self.heir {
            tables.push(("heir".to_owned(), String::new()));
        }
        tables
    }
}
