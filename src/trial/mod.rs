//! Policy unit tests: what the policy makes of a row, without a server.
//!
//! The rows of `[[test]]` are taken as a source of their own: their tables hold the columns that the tests give, with the
//! types of the values. The plan of that source decides and refuses as for a real one; its masks then see the rows. So a
//! test knows no foreign keys but those of `[[references]]`, and no rule for tables or columns that no test gives.

mod cell;
mod judge;

use crate::catalog::{Catalog, Column, Server, Table, Type};
use crate::config::{Action, Config, Given, MaskRule, PolicyTest, TableRule, matches};
use crate::error::{Diagnose, Exit, Report};
use crate::mask::batch::RawBatch;
use crate::mask::{CompileError, Masker, RealmKey, Shape};
use crate::outcome::{Difference, TestOutcome, TestView};
use crate::plan::{self, Decided, Floor, Plan, Policy, ProbeValue, TablePlan};
use arrow_array::{ArrayRef, BooleanArray};
use cell::SqlType;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Why tests could not be run; a test that fails is no error.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    #[error("the tests cannot be run")]
    Tests(Vec<Report>),
    #[error(transparent)]
    Refused(#[from] plan::Refusals),
    #[error("{} masks cannot be built", .0.len())]
    Masks(Vec<CompileError>),
}

impl Diagnose for TrialError {
    fn exit(&self) -> Exit {
        match self {
            TrialError::Tests(_) => Exit::Usage,
            TrialError::Refused(_) | TrialError::Masks(_) => Exit::Refused,
        }
    }

    fn reports(&self) -> Vec<Report> {
        match self {
            TrialError::Tests(reports) => reports.clone(),
            TrialError::Refused(refusals) => refusals.reports(),
            TrialError::Masks(errors) => errors.iter().flat_map(Diagnose::reports).collect(),
        }
    }
}

/// One masked row: column and value, none for NULL.
type Row = BTreeMap<String, Option<String>>;

/// Runs the tests in order.
///
/// # Errors
/// [`TrialError`] if a test contradicts another or itself, or if the plan refuses the policy for these rows.
pub fn run(config: &Config, tests: &[PolicyTest], realm: &RealmKey) -> Result<TestOutcome, TrialError> {
    let types = types(tests)?;
    let catalog = catalog(&types);
    let rules = rules(&config.tables, &types);
    let known = |column: &str| {
        types.iter().any(|(table, columns)| {
            column
                .strip_prefix(table)
                .and_then(|rest| rest.strip_prefix('.'))
                .is_some_and(|name| columns.contains_key(name))
        })
    };
    let references = config.references.iter().filter(|rule| known(&rule.from) && known(&rule.to)).cloned();
    let references: Vec<_> = references.collect();
    // Only the columns that a test gives are known here; the floor is the plan's to judge.
    let floor = Floor { open: true, ..Floor::default() };
    let policy = Policy { rules: &rules, references: &references, undecided: config.policy.undecided, floor };
    let plan = plan::build(&catalog, &policy, &plan::Settings::default())?;
    let mut rows = Vec::with_capacity(tests.len());
    for test in tests {
        let table = plan.tables.iter().find(|table| table.full_name() == test.table);
        let table = table.ok_or_else(|| TrialError::Tests(vec![nothing_copied(test)]))?;
        rows.push(mask_row(&plan, table, &types[&test.table], test, realm)?);
    }
    let names: BTreeMap<&str, usize> =
        tests.iter().enumerate().filter_map(|(index, test)| Some((test.name.as_deref()?, index))).collect();
    let mut outcome = TestOutcome::default();
    for (index, test) in tests.iter().enumerate() {
        let differences = match &rows[index] {
            Ok(_) => judge::judge(test, index, &rows, &names, &plan, &types[&test.table], realm),
            Err(difference) => vec![difference.clone()],
        };
        outcome.passed += usize::from(differences.is_empty());
        outcome.failed += usize::from(!differences.is_empty());
        outcome.tests.push(TestView {
            name: test.name.clone().unwrap_or_else(|| test.table.clone()),
            table: test.table.clone(),
            place: test.place.to_string(),
            ok: differences.is_empty(),
            differences,
        });
    }
    Ok(outcome)
}

/// The columns of every table, with their types.
type Types = BTreeMap<String, BTreeMap<String, SqlType>>;

/// Collects what the tests say about the columns, and checks the tests themselves.
fn types(tests: &[PolicyTest]) -> Result<Types, TrialError> {
    let mut reports = Vec::new();
    let mut types = Types::new();
    let mut names = BTreeSet::new();
    let mut written: BTreeSet<(&str, &str)> = BTreeSet::new();
    for test in tests {
        let report = |code, message: String| Report::new(code, message).place(test.place.to_string());
        if !test.table.contains('.') {
            let message = format!("\"{}\" is not the name of a table", test.table);
            reports.push(report("test::table", message).hint(format!("Write `table = \"public.{}\"`.", test.table)));
        }
        if let Some(name) = test.name.as_deref()
            && !names.insert(name)
        {
            reports.push(report("test::name", format!("two tests are named \"{name}\"")));
        }
        let columns = types.entry(test.table.clone()).or_default();
        for (column, text) in &test.types {
            let Some(found) = SqlType::parse(text) else {
                let message = format!("`type` of \"{column}\" is no type that tests know: {text}");
                reports.push(report("test::type", message).hint(format!("Known: {}.", cell::known_types())));
                continue;
            };
            if let Some(other) = columns.insert(column.clone(), found.clone())
                && written.contains(&(test.table.as_str(), column.as_str()))
                && other != found
            {
                reports
                    .push(report("test::type", format!("`type` of \"{}.{column}\" differs between tests", test.table)));
            }
            written.insert((&test.table, column));
        }
    }
    for test in tests {
        let Some(columns) = types.get_mut(&test.table) else { continue };
        for (column, given) in &test.given {
            match columns.get(column) {
                // A NULL says nothing about the type: a later row may.
                Some(known) if known.guessed && *given != Given::Null => {
                    columns.insert(column.clone(), SqlType::of(given));
                }
                Some(_) => {}
                None => drop(columns.insert(column.clone(), SqlType::of(given))),
            }
        }
        for (column, _) in &test.expect {
            if !test.given.iter().any(|(name, _)| name == column) {
                let message = format!("`expect` names \"{column}\", which `given` does not");
                let report = Report::new("test::column", message).place(test.place.to_string());
                reports.push(report.hint(format!("Add it to `given`: `{column} = {{ null = true }}` is NULL.")));
            }
        }
    }
    for test in tests {
        for (column, given) in &test.given {
            let Some(kind) = types.get(&test.table).and_then(|columns| columns.get(column)) else { continue };
            if let Err(expected) = cell::cell(kind, given) {
                let message = format!("`given` of \"{}.{column}\" is not {expected}", test.table);
                let report = Report::new("test::value", message).place(test.place.to_string());
                reports.push(report.detail(format!("The type of the column is {}.", kind.name)));
            }
        }
    }
    if reports.is_empty() { Ok(types) } else { Err(TrialError::Tests(reports)) }
}

fn nothing_copied(test: &PolicyTest) -> Report {
    Report::new("test::table", format!("no rows of \"{}\" are copied", test.table)).place(test.place.to_string())
}

/// A source that holds these tables and nothing else.
fn catalog(types: &Types) -> Catalog {
    let mut known: BTreeMap<u32, String> = BTreeMap::new();
    let mut tables = Vec::with_capacity(types.len());
    for (number, (name, columns)) in types.iter().enumerate() {
        let (schema, table) = name.split_once('.').unwrap_or(("public", name));
        let columns = columns.iter().enumerate().map(|(number, (name, kind))| {
            known.insert(kind.oid, kind.base.to_owned());
            Column {
                attnum: number as i16 + 1,
                name: name.clone(),
                type_oid: kind.oid,
                typmod: kind.typmod,
                type_name: kind.name.clone(),
                ..Column::default()
            }
        });
        tables.push(Table {
            oid: FIRST_OID + number as u32,
            schema: schema.to_owned(),
            name: table.to_owned(),
            columns: columns.collect(),
            heap: true,
            readable: true,
            schema_usable: true,
            ..Table::default()
        });
    }
    let base = |(oid, name): (u32, String)| Type {
        oid,
        name: name.clone(),
        sql_name: name,
        kind: 'b',
        binary: true,
        ..Type::default()
    };
    Catalog {
        server: Server {
            version_num: 180_000,
            encoding: "UTF8".to_owned(),
            role: "test".to_owned(),
            money_digits: 2,
            max_locks_per_transaction: u32::from(u16::MAX),
            max_connections: 100,
            ..Server::default()
        },
        tables,
        types: known.into_iter().map(base).collect(),
        ..Catalog::default()
    }
}

/// First OID of objects of users.
const FIRST_OID: u32 = 16_384;

/// The rules about tables and columns of the tests; for others the plan would say that the source lacks them.
fn rules(rules: &[TableRule], types: &Types) -> Vec<TableRule> {
    let mut kept = Vec::new();
    for rule in rules {
        let named: Vec<_> = types.iter().filter(|(table, _)| matches(&rule.pattern, table)).collect();
        if named.is_empty() {
            continue;
        }
        let mut rule = rule.clone();
        rule.columns.retain(|(pattern, _)| {
            named.iter().any(|(_, columns)| columns.keys().any(|column| matches(pattern, column)))
        });
        // A condition on rows is the source's to judge; whether one of a mask holds, the test says.
        rule.rows = None;
        let decisions = rule.columns.iter_mut().map(|(_, decision)| decision).chain(&mut rule.default);
        for decision in decisions {
            if let Action::Mask(MaskRule { when: Some(when), .. }) = &mut decision.action {
                when.path = None;
            }
        }
        kept.push(rule);
    }
    kept
}

/// Masks the row of a test; a value that a mask refuses is a difference.
fn mask_row(
    plan: &Plan,
    table: &TablePlan,
    types: &BTreeMap<String, SqlType>,
    test: &PolicyTest,
    realm: &RealmKey,
) -> Result<Result<Row, Difference>, TrialError> {
    let given: BTreeMap<&str, &Given> = test.given.iter().map(|(name, value)| (name.as_str(), value)).collect();
    let value = |column: &str| given.get(column).copied().unwrap_or(&Given::Null);
    let array = |column: &str| types.get(column).and_then(|kind| cell::cell(kind, value(column)).ok());
    let masker = Masker::compile(realm, &table.mask).map_err(TrialError::Masks)?;
    let name_of = |full: &str| full.strip_prefix(&format!("{}.", table.full_name())).unwrap_or(full).to_owned();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(table.mask.columns.len());
    for (index, column) in table.mask.columns.iter().enumerate() {
        if let Some(holds) = condition(table, test, index) {
            columns.push(Arc::new(BooleanArray::from(vec![holds?])));
            continue;
        }
        // Names of other tables, which texts may mention, are in no test.
        let elsewhere = column.name.contains(" -> ").then(|| cell::null(&column.shape)).flatten();
        let cell = elsewhere.or_else(|| array(&name_of(&column.name)).map(|cell| cell.array));
        columns.push(cell.ok_or_else(|| {
            let message = format!("tests cannot hold values of column \"{}\"", column.name);
            TrialError::Tests(vec![Report::new("test::type", message).place(test.place.to_string())])
        })?);
    }
    let masked = match masker.apply(RawBatch { rows: 1, wire: bytes::Bytes::new(), gaps: Vec::new(), columns }) {
        Ok(masked) => masked,
        Err(error) => {
            return Ok(Err(Difference {
                column: name_of(&error.column),
                expected: "a value that its mask takes".to_owned(),
                got: Some(error.reason.into_owned()),
            }));
        }
    };
    let specs = table.mask.columns.iter().filter(|column| column.mask.is_some());
    let mut row = Row::new();
    for (spec, array) in specs.zip(masked.columns()) {
        row.insert(name_of(&spec.name), cell::text(array, &spec.shape));
    }
    for column in &table.columns {
        let text = || array(&column.name).and_then(|cell| cell.text);
        let value = match &column.decision {
            Decided::Mask { .. } => continue,
            Decided::Keep { .. } => text(),
            Decided::Null => None,
            Decided::Const => text().and_then(|_| constant(plan, &test.table, &column.name)),
        };
        row.insert(column.name.clone(), value);
    }
    Ok(Ok(row))
}

/// What the test says about a condition of the plan; none if the column of the plan is none.
fn condition(table: &TablePlan, test: &PolicyTest, flag: usize) -> Option<Result<bool, TrialError>> {
    let name = |index: usize| table.mask.columns[index].name.strip_prefix(&format!("{}.", table.full_name()));
    let masked = table.mask.conditions.iter().filter(|condition| condition.flag == flag);
    let masked: Vec<&str> = masked.filter_map(|condition| name(condition.column)).collect();
    let first = *masked.first()?;
    if let Some(holds) = masked.iter().find_map(|column| test.conditions.get(*column)) {
        return Some(Ok(*holds));
    }
    // It matters for no value of the test.
    let Some(given) = masked.iter().find(|column| test.given.iter().any(|(name, _)| name == *column)) else {
        return Some(Ok(true));
    };
    let message = format!("the mask of \"{}.{given}\" has a condition, which only a source can evaluate", test.table);
    let report = Report::new("test::when", message).place(test.place.to_string());
    let hint = format!("Say whether it holds for this row: `when = {{ {first} = true }}`, or `false`.");
    Some(Err(TrialError::Tests(vec![report.hint(hint)])))
}

/// The constant that a column becomes: the plan asks the server whether it fits, so it is among the probes.
fn constant(plan: &Plan, table: &str, column: &str) -> Option<String> {
    let probe = plan.probes.iter().find(|probe| probe.table == table && probe.column == column)?;
    match &probe.value {
        ProbeValue::Const(text) => Some(text.clone()),
        ProbeValue::Null | ProbeValue::Mask { .. } => None,
    }
}

/// Shape of a column in the plan, for comparing.
fn shape(table: &TablePlan, column: &str) -> Option<Shape> {
    let full = format!("{}.{column}", table.full_name());
    table.mask.columns.iter().find(|known| known.name == full).map(|known| known.shape.clone())
}
