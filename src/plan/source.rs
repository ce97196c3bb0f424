//! Checks of the source as a whole: rights, locks, versions, encoding, and rows that others point to.

use super::domain::{Choice, Domains};
use super::fit::at;
use super::graph::Graph;
use super::written::without_dots;
use super::{Policy, Settings, place, policy};
use crate::catalog::{Catalog, Table, TableKind};
use crate::config::{Rows, TableRule};
use crate::error::Report;
use crate::pg::quote_qualified;
use crate::pg::types::{self, Transport};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// OID of `money`.
const MONEY: u32 = 790;
/// Two keepers and a worker, which is the least, hold a lock on each table.
const LOCKERS: u64 = 3;

/// Checks what no rule can change.
pub(super) fn check(graph: &Graph<'_>, rows: &[Rows], settings: &Settings, reports: &mut Vec<Report>) {
    let catalog = graph.catalog;
    reports.extend(rights(catalog));
    same_names(catalog, reports);
    guard(catalog, settings, reports);
    versions(catalog, settings, reports);
    locks(graph, rows, reports);
    unlogged(graph, rows, reports);
    let mut never: HashMap<u32, bool> = HashMap::new();
    for group in (0..graph.groups.len()).filter(|group| rows[*group] != Rows::None) {
        for node in graph.nodes_of(group) {
            let column = graph.nodes[node].column;
            let refused = *never
                .entry(column.type_oid)
                .or_insert_with(|| types::transport(catalog, column.type_oid) == Transport::Never);
            if refused && !column.generated {
                reports.push(
                    Report::new(
                        "plan::type-without-input",
                        format!(
                            "column \"{}\" has type {}, which no server can read back",
                            graph.name(node),
                            column.type_name
                        ),
                    )
                    .hint(format!("Decide `rows = \"none\"` for \"{}\".", graph.groups[group].root.full_name())),
                );
            }
        }
    }
}

/// Refuses tables that are called the same once schema and name are joined by a dot: policy, receipts, files and reports
/// know a table by that text, and would take one for the other.
fn same_names(catalog: &Catalog, reports: &mut Vec<Report>) {
    let mut known: BTreeMap<String, Vec<&Table>> = BTreeMap::new();
    for table in &catalog.tables {
        known.entry(table.full_name()).or_default().push(table);
    }
    for (name, tables) in known.iter().filter(|(_, tables)| tables.len() > 1) {
        let quoted = |table: &&Table| quote_qualified(&table.schema, &table.name);
        let written: Vec<String> = tables.iter().map(quoted).collect();
        // Those whose own name has the dot: to rename a schema is more work for all who use it.
        let dotted = tables.iter().filter(|table| table.name.contains('.')).take(tables.len() - 1);
        let renamed: Vec<String> = dotted.map(|table| without_dots(&table.schema, &table.name)).collect();
        let report = Report::new("plan::same-name", format!("{} tables are all called \"{name}\"", tables.len()))
            .detail(format!(
                "{} differ only in where the dot stands, and a policy, a receipt or a file could not tell them apart.",
                written.join(" and ")
            ));
        reports.push(report.hint(renamed.join("\n")));
    }
}

/// Tells what the role cannot read: one report per schema, with the statements to paste.
pub fn rights(catalog: &Catalog) -> Vec<Report> {
    let mut reports = Vec::new();
    let role = super::anchor::quote(&catalog.server.role);
    let quoted = |schema: &str, name: &str| format!("{}.{}", super::anchor::quote(schema), super::anchor::quote(name));
    let mut grants: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    let mut usage: BTreeSet<&str> = BTreeSet::new();
    for table in catalog.tables.iter().filter(|table| table.kind != TableKind::Foreign && table.extension.is_none()) {
        if !table.schema_usable {
            usage.insert(&table.schema);
        }
        if !table.readable {
            let entry = grants.entry(&table.schema).or_default();
            entry.0 += 1;
            entry.1.push(format!("GRANT SELECT ON TABLE {} TO {role};", quoted(&table.schema, &table.name)));
        }
    }
    for sequence in catalog.sequences.iter().filter(|sequence| !sequence.readable && sequence.extension.is_none()) {
        let entry = grants.entry(&sequence.schema).or_default();
        entry.0 += 1;
        entry.1.push(format!("GRANT SELECT ON SEQUENCE {} TO {role};", quoted(&sequence.schema, &sequence.name)));
    }
    for (schema, (count, mut lines)) in grants {
        let what = if lines[0].starts_with("GRANT SELECT ON TABLE") { "a table" } else { "a sequence" };
        if usage.contains(schema) {
            lines.insert(0, format!("GRANT USAGE ON SCHEMA {} TO {role};", super::anchor::quote(schema)));
        }
        reports.push(
            Report::new(
                "plan::unreadable",
                match count {
                    1 => format!("role \"{}\" cannot read {} of schema \"{schema}\"", catalog.server.role, what),
                    _ => format!(
                        "role \"{}\" cannot read {count} tables or sequences of schema \"{schema}\"",
                        catalog.server.role
                    ),
                },
            )
            .detail("Copying, locking and pg_dump need SELECT on the whole table; column grants are not enough.")
            .hint(lines.join("\n")),
        );
    }
    let filtered: Vec<String> = catalog
        .tables
        .iter()
        .filter(|table| table.row_security_active && table.extension.is_none())
        .map(|table| table.full_name())
        .collect();
    if !filtered.is_empty() {
        reports.push(
            Report::new(
                "plan::row-security",
                format!("row security would hide rows of {} from role \"{}\"", list(&filtered), catalog.server.role),
            )
            .hint(format!("ALTER ROLE {role} BYPASSRLS;")),
        );
    }
    reports
}

/// Refuses conditions that would not stay inside the parentheses they are put in: they would choose other rows than
/// they say, or the same ones twice.
pub(super) fn check_conditions(rules: &[TableRule], reports: &mut Vec<Report>) {
    for rule in rules {
        let Some(Rows::Where { condition: Some(condition), .. }) = &rule.rows else { continue };
        if let Err(why) = super::sql::one_expression(condition) {
            let message = format!("the `where` of [tables.\"{}\"] is not one condition", rule.pattern);
            let report = Report::new("plan::rows-where", message).place(place(&rule.place)).detail(why);
            reports.push(report.hint("Write one SQL expression, with its parentheses and quotes closed."));
        }
    }
}

/// Tables whose rows a standby does not have, as far as the policy asks for them.
pub fn unlogged_on_standby(catalog: &Catalog, policy: &Policy<'_>) -> Vec<Report> {
    // What else is wrong is for the plan to say.
    let mut others = Vec::new();
    let graph = Graph::new(catalog, policy.references, &mut others);
    let decisions = policy::decide(&graph, policy, &mut others);
    let mut reports = Vec::new();
    unlogged(&graph, &decisions.rows, &mut reports);
    reports
}

/// The rows of unlogged tables are not there on a standby, and asking for them is an error.
fn unlogged(graph: &Graph<'_>, rows: &[Rows], reports: &mut Vec<Report>) {
    if !graph.catalog.server.standby {
        return;
    }
    for (group, _) in graph.groups.iter().zip(rows).filter(|(_, rows)| **rows != Rows::None) {
        let root = group.root.full_name();
        if let Some(leaf) = group.leaves.iter().find(|leaf| leaf.unlogged) {
            reports.push(
                Report::new("plan::unlogged-on-standby", format!("table \"{}\" is unlogged", leaf.full_name()))
                    .detail("The source is a standby, which has no rows of unlogged tables.")
                    .hint(format!("[tables.\"{}\"]\nrows = \"none\"", super::propose::escape(&root))),
            );
        }
    }
}

/// At most five names, then how many more.
fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("\"{name}\"")).collect();
    match names.len().saturating_sub(5) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// The source role should not be able to write.
fn guard(catalog: &Catalog, settings: &Settings, reports: &mut Vec<Report>) {
    let server = &catalog.server;
    let reads_only = !server.role_superuser && server.role_writes.is_empty();
    if settings.allow_write_role || reads_only {
        return;
    }
    let why = if server.role_superuser {
        "It is a superuser.".to_owned()
    } else {
        format!("It may write to {}.", list(&server.role_writes))
    };
    reports.push(
        Report::new("plan::source-role-writes", format!("the source role \"{}\" could change production", server.role))
            .detail(why)
            .hint("Use a role that can only read, or accept it with `allow_write_role = true` under [source]."),
    );
}

fn versions(catalog: &Catalog, settings: &Settings, reports: &mut Vec<Report>) {
    let server = &catalog.server;
    let major = |version: u32| version / 10_000;
    let target = settings.target.as_ref();
    if let Some(target) = target.filter(|target| major(target.version_num) < major(server.version_num)) {
        reports.push(
            Report::new(
                "plan::target-older",
                format!(
                    "the target runs PostgreSQL {}, the source {}",
                    major(target.version_num),
                    major(server.version_num)
                ),
            )
            .detail("A newer value can load into an older server as a different one, without an error.")
            .hint(format!("Use a target with PostgreSQL {} or newer.", major(server.version_num))),
        );
    }
    let target_encoding = target.and_then(|target| target.encoding.as_deref());
    if server.encoding == "SQL_ASCII" && target_encoding != Some("SQL_ASCII") {
        let report = |message: String| Report::new("plan::sql-ascii", message);
        match settings.assume_encoding.as_deref().map(str::to_ascii_uppercase).as_deref() {
            Some("UTF8" | "UTF-8") => {}
            None => reports.push(
                report("the source database has encoding SQL_ASCII, so its bytes have no meaning".to_owned())
                    .detail("This build reads them if they are UTF-8, and stops at the first value that is not.")
                    .hint("assume_encoding = \"UTF8\"     # under [source]"),
            ),
            // The server converts nothing from SQL_ASCII, so every byte above 127 would stop the run.
            Some(other) => reports.push(
                report(format!("the source database has encoding SQL_ASCII, and this build cannot read it as {other}"))
                    .detail("It reads SQL_ASCII as UTF-8 only.")
                    .hint(
                        "Convert the database at the source, or set `assume_encoding = \"UTF8\"` if its text is UTF-8.",
                    ),
            ),
        }
    }
    // The types hold what domains, arrays and composites are made of too.
    let money = catalog.types.iter().any(|r#type| r#type.oid == MONEY);
    if let Some(digits) = target.and_then(|target| target.money_digits).filter(|digits| *digits != server.money_digits)
        && money
    {
        reports.push(
            Report::new(
                "plan::money-digits",
                format!("money has {} fraction digits on the source and {digits} on the target", server.money_digits),
            )
            .detail("Every amount would change by a power of ten.")
            .hint("Set the same `lc_monetary` on the target server."),
        );
    }
}

/// The lock table is shared with production's own sessions; half of it must stay free.
fn locks(graph: &Graph<'_>, rows: &[Rows], reports: &mut Vec<Report>) {
    let server = &graph.catalog.server;
    let copied = |group: &usize| rows[*group] != Rows::None;
    let locked = |group: usize| graph.groups[group].leaves.len() + graph.groups[group].partitioned.len();
    let tables: usize = (0..graph.groups.len()).filter(copied).map(locked).sum();
    let sessions = u64::from(server.max_connections) + u64::from(server.max_prepared_transactions);
    let slots = u64::from(server.max_locks_per_transaction) * sessions;
    // A server that tells nothing about itself is a hand-made one.
    if slots > 0 && 2 * LOCKERS * tables as u64 > slots {
        let needed = (2 * LOCKERS * tables as u64).div_ceil(sessions.max(1));
        reports.push(
            Report::new(
                "plan::lock-table",
                format!("locking {tables} tables would fill more than half of the source's lock table"),
            )
            .detail(format!("It holds {slots} locks; {} are needed.", LOCKERS * tables as u64))
            .hint(format!("Set max_locks_per_transaction = {needed} on the source and restart it.")),
        );
    }
}

/// Reports tables whose rows are left out although kept rows point to them.
pub(super) fn check_rows(
    graph: &Graph<'_>,
    rules: &[TableRule],
    (rows, domains): (&[Rows], &Domains),
    cut: &dyn Fn(usize, &str) -> bool,
    reports: &mut Vec<Report>,
    warnings: &mut Vec<String>,
) {
    let mut told = BTreeSet::new();
    for edge in &graph.edges {
        let (from, to) = edge.pairs[0];
        let (from_group, to_group) = (graph.nodes[from].group, graph.nodes[to].group);
        if rows[to_group] == Rows::All || rows[from_group] == Rows::None || cut(from_group, &edge.name) {
            continue;
        }
        let nulled = edge
            .pairs
            .iter()
            .any(|(from, _)| domains.resolved[*from].as_ref().is_some_and(|resolved| resolved.choice == Choice::Null));
        if nulled || !told.insert((from_group, to_group, edge.name.clone())) {
            continue;
        }
        let table = |group: usize| graph.groups[group].root.full_name();
        let what =
            format!("\"{}\" leaves out rows that \"{}\" points to ({})", table(to_group), graph.name(from), edge.name);
        if !edge.checked {
            warnings.push(what);
            continue;
        }
        let mut hints = vec![format!("Copy all rows of \"{}\"", table(to_group))];
        if from_group != to_group {
            hints.push(format!("set `rows = \"none\"` for \"{}\" too", table(from_group)));
        }
        let nullable = edge.pairs.iter().find(|(from, _)| !graph.nodes[*from].not_null);
        if let Some((column, _)) = nullable {
            hints.push(format!("decide \"null\" for \"{}\"", graph.name(*column)));
        }
        let report = Report::new("plan::rows-referenced", format!("table {what}"))
            .detail("The foreign key could not be created in staging.")
            .hint(format!("{}.", hints.join(", or ")));
        let rule = rules.iter().find(|rule| rule.rows.is_some() && rule.pattern == table(to_group));
        reports.push(match rule {
            Some(rule) => report.place(place(&rule.place)),
            None => report,
        });
    }
}

/// Reports list partitions that masked keys cannot find, and warns about ranges.
pub(super) fn check_partitions(
    graph: &Graph<'_>,
    rows: &[Rows],
    domains: &Domains,
    reports: &mut Vec<Report>,
    warnings: &mut Vec<String>,
) {
    for (number, group) in graph.groups.iter().enumerate().filter(|(number, _)| rows[*number] != Rows::None) {
        for table in group.partitioned.iter().filter(|table| !table.partition_default) {
            for node in table.partition_key.iter().filter_map(|name| graph.node(number, name)) {
                let Some(resolved) = &domains.resolved[node] else { continue };
                if matches!(resolved.choice, Choice::Keep { .. }) {
                    continue;
                }
                let what =
                    format!("column \"{}\" decides the partition of \"{}\"", graph.name(node), table.full_name());
                match table.partition_strategy.as_deref() {
                    Some("list") => reports.push(at(
                        resolved,
                        Report::new("plan::masked-partition-key", format!("{what}, and its masks are in no list"))
                            .detail("The table has no DEFAULT partition that would take them.")
                            .hint("Keep the column, or add a DEFAULT partition to the source."),
                    )),
                    Some("range") => warnings.push(format!(
                        "{what}; a mask outside all ranges fails the load, because there is no DEFAULT partition"
                    )),
                    _ => {}
                }
            }
        }
    }
}
