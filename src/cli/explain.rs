//! `explain`: finds a table or column in the plan by the name a person types.

use super::args::{ExplainArgs, PlanArgs};
use super::{Context, Outcome, discover, engine, masks};
use crate::error::{Exit, Failure, Report};
use crate::lock::Change;
use crate::mask::{self, KeyedOn};
use crate::outcome::{ColumnView, DecisionView, Explanation, PlanView, TableView};
use std::collections::BTreeSet;

pub(super) async fn explain(context: &Context, args: ExplainArgs) -> Result<Outcome, Failure> {
    if let Some(row) = &args.row {
        let (table, key) = row_words(row)?;
        return engine::row_path(context, table, &key, &args.scenario).await.map(Outcome::Path);
    }
    let plan = engine::plan(context, PlanArgs { scenario: args.scenario, ..PlanArgs::default() }).await?;
    let mut explanation = find(plan, args.name.as_deref().unwrap_or_default())?;
    if args.sample {
        discover::judge(context, &mut explanation.table).await?;
    }
    Ok(Outcome::Explanation(Box::new(explanation)))
}

/// Resolves `[schema.]table[.column]`. Names are as stored, so a table name may hold dots: every reading is tried.
fn find(plan: PlanView, name: &str) -> Result<Explanation, Failure> {
    let mut found: Vec<(usize, Option<usize>)> = Vec::new();
    for (index, table) in plan.tables.iter().enumerate() {
        if names(table).any(|full| full == name) {
            found.push((index, None));
        }
        for (position, column) in table.columns.iter().enumerate() {
            if names(table).any(|full| name.strip_prefix(full) == Some(&format!(".{}", column.name))) {
                found.push((index, Some(position)));
            }
        }
    }
    // The leaves of a partitioned table are treated alike: the first, largest one stands for all.
    found.dedup_by(|later, first| {
        let root = |at: usize| plan.tables[at].root.as_deref().filter(|root| is_prefix(root, name));
        later.1 == first.1 && root(later.0).is_some() && root(later.0) == root(first.0)
    });
    match found.as_slice() {
        [(table, column)] => Ok(explanation(&plan, *table, *column)),
        [] => Err(unknown(&plan, name)),
        several => Err(ambiguous(&plan, name, several)),
    }
}

fn is_prefix(root: &str, name: &str) -> bool {
    let short = root.split_once('.').map_or(root, |(_, table)| table);
    [root, short]
        .iter()
        .any(|full| name.strip_prefix(full).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// The names a table answers to: with and without schema, and those of its partition root.
fn names(table: &TableView) -> impl Iterator<Item = &str> {
    let full = [Some(table.name.as_str()), table.root.as_deref()];
    full.into_iter().flatten().flat_map(|name| [Some(name), name.split_once('.').map(|(_, short)| short)]).flatten()
}

fn explanation(plan: &PlanView, table: usize, column: Option<usize>) -> Explanation {
    let mut table = plan.tables[table].clone();
    let (joins, apart) = column.map(|column| joins(plan, &table, &table.columns[column])).unwrap_or_default();
    let lock = locked(plan, &table, column);
    let leaks = column.map(|column| leaks(&table.columns[column])).unwrap_or_default();
    let name = column.map(|index| table.columns[index].name.clone());
    if let Some(index) = column {
        table.columns = vec![table.columns.swap_remove(index)];
    }
    let mut kinds: Vec<&str> = table.columns.iter().filter_map(|column| column.kind.as_deref()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let kinds = kinds.into_iter().filter_map(masks::describe).collect();
    Explanation { table, column: name, kinds, joins, apart, leaks, lock }
}

/// Other columns with the same kind and label: those with the same parameters, where equal values have equal masks, and
/// those with others, where they have not.
fn joins(plan: &PlanView, table: &TableView, column: &ColumnView) -> (Vec<String>, Vec<String>) {
    let Some(kind) = column.kind.as_ref().filter(|_| column.decision == DecisionView::Mask) else {
        return Default::default();
    };
    let root = |table: &TableView| table.root.clone().unwrap_or_else(|| table.name.clone());
    let own = format!("{}.{}", root(table), column.name);
    let (mut joined, mut apart) = (BTreeSet::new(), BTreeSet::new());
    for other in &plan.tables {
        let alike =
            other.columns.iter().filter(|other| other.kind.as_ref() == Some(kind) && other.label == column.label);
        for alike in alike {
            let found = if alike.params == column.params { &mut joined } else { &mut apart };
            found.insert(format!("{}.{}", root(other), alike.name));
        }
    }
    joined.remove(&own);
    // Documents that are masked in different ways are nothing that anybody would join.
    if mask::kind(kind).is_none_or(|kind| kind.keyed_on != KeyedOn::Value) {
        apart.clear();
    }
    (joined.into_iter().collect(), apart.into_iter().collect())
}

/// How the lock file pins a table or column, and what changed since.
fn locked(plan: &PlanView, table: &TableView, column: Option<usize>) -> Vec<String> {
    if !plan.lock.present {
        return vec![format!("no {}: restage plan --write-lock pins it", plan.lock.file)];
    }
    let table_name = table.root.as_ref().unwrap_or(&table.name);
    let name = column.map_or_else(|| table_name.clone(), |at| format!("{table_name}.{}", table.columns[at].name));
    let about = |change: &&Change| {
        change.what.split_whitespace().any(|word| match column {
            Some(_) => word == name,
            None => word == name || word.strip_prefix(&name).is_some_and(|rest| rest.starts_with('.')),
        })
    };
    let changes: Vec<String> = plan.lock.changes.iter().filter(about).map(Change::line).collect();
    if !changes.is_empty() {
        return changes;
    }
    let kind = column.and_then(|at| table.columns[at].kind.as_deref());
    let pinned = kind.map_or_else(String::new, |kind| format!("{kind}, "));
    vec![format!("{pinned}as in {}", plan.lock.file)]
}

/// What can still be read from one column of staging.
fn leaks(column: &ColumnView) -> Vec<String> {
    match column.decision {
        DecisionView::Keep => vec!["everything: it is what it was in production".to_owned()],
        DecisionView::Null => Vec::new(),
        DecisionView::Const => vec!["which rows hold a value".to_owned()],
        DecisionView::Mask => {
            let mut leaks: Vec<String> = column.kind.as_deref().map(masks::leaks).unwrap_or_default();
            leaks.push("which rows hold a value".to_owned());
            if let Some(DecisionView::Keep) = column.otherwise {
                leaks.insert(0, "everything in the rows its condition leaves out".to_owned());
            }
            leaks
        }
    }
}

fn unknown(plan: &PlanView, name: &str) -> Failure {
    // A refused column is not in the plan, and its refusal is the explanation.
    let refusals: Vec<Report> = plan.refusals.iter().filter(|report| is_about(report, name)).cloned().collect();
    if !refusals.is_empty() {
        return Failure { exit: Exit::Refused, reports: refusals };
    }
    if let Some(skip) = plan.skipped.iter().chain(&plan.derived).find(|skip| answers_to(&skip.table, name)) {
        let report = Report::new("usage::not-copied", format!("\"{name}\" is not copied")).detail(skip.reason.clone());
        return Failure::new(Exit::Usage, report);
    }
    let short = |full: &str| full.split_once('.').map(|(_, rest)| rest.to_owned());
    let known = plan.drafted.iter().find(|known| known.table == name || short(&known.table).as_deref() == Some(name));
    if let Some(known) = known {
        let message = format!("the plan is refused for other reasons, so \"{}\" is explained in part", known.table);
        let report = Report::new("plan::refused", message).detail(known.reason.clone());
        let hint = "restage plan     # tells every refusal, with the lines to paste; then explain tells all";
        return Failure::new(Exit::Refused, report.hint(hint));
    }
    let report = Report::new("usage::unknown-name", format!("there is no table or column \"{name}\" in the plan"));
    let columns = |table: &TableView| {
        let columns: Vec<String> =
            table.columns.iter().map(|column| format!("{}.{}", table.name, column.name)).collect();
        columns
    };
    let all = plan.tables.iter().flat_map(|table| [table.name.clone()].into_iter().chain(columns(table)));
    let all = all.chain(plan.drafted.iter().map(|known| known.table.clone()));
    let near = nearest(name, all);
    Failure::new(
        Exit::Usage,
        match near {
            Some(near) => report.hint(format!("Did you mean {near}?")),
            None => report.hint("restage plan -v lists every table and column."),
        },
    )
}

/// Whether a refusal names a table or column, in its message or in the lines it proposes for a table.
fn is_about(report: &Report, name: &str) -> bool {
    let proposed = || {
        let (table, column) = name.rsplit_once('.')?;
        let hint = report.hint.as_deref().filter(|_| report.message.contains(table))?;
        let starts =
            |line: &str| line.starts_with(&format!("{column} = ")) || line.starts_with(&format!("\"{column}\" = "));
        Some(hint.lines().any(starts))
    };
    report.message.contains(name) || proposed().unwrap_or(false)
}

/// Whether a typed name means this object, with or without its schema, or one of its columns.
fn answers_to(full: &str, name: &str) -> bool {
    let short = full.split_once('.').map_or(full, |(_, rest)| rest);
    [full, short]
        .iter()
        .any(|known| name.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

/// The most similar name, if it is similar enough to be meant.
pub(super) fn nearest(name: &str, all: impl Iterator<Item = String>) -> Option<String> {
    /// Below this Jaro-Winkler similarity suggestions are noise.
    const SIMILAR: f64 = 0.8;
    let scored = all.map(|other| (strsim::jaro_winkler(name, &other), other)).filter(|(score, _)| *score >= SIMILAR);
    scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, other)| other)
}

fn ambiguous(plan: &PlanView, name: &str, found: &[(usize, Option<usize>)]) -> Failure {
    let list = found.iter().map(|(table, column)| {
        let table = &plan.tables[*table];
        match column {
            Some(column) => format!("restage explain {}.{}", table.name, table.columns[*column].name),
            None => format!("restage explain {}", table.name),
        }
    });
    let report = Report::new("usage::ambiguous-name", format!("\"{name}\" can mean {} things", found.len()));
    Failure::new(Exit::Usage, report.hint(list.collect::<Vec<_>>().join("\n")))
}

/// Takes a row apart that was named as `schema.table KEY…`: the name of its table, and one text for each key column.
///
/// Quotes are those of SQL: double ones around a part of the name, single ones around a value, doubled inside. A value
/// without a quote at its beginning is what stands there up to the next blank.
fn row_words(row: &str) -> Result<(String, Vec<String>), Failure> {
    let wrong = |detail: &str| {
        let report = Report::new("usage::row", "the row cannot be read").detail(detail.to_owned());
        Failure::new(Exit::Usage, report.hint(crate::subset::ROW_FORM))
    };
    let mut words: Vec<String> = Vec::new();
    let mut rest = row.trim_start();
    while !rest.is_empty() {
        let mut word = String::new();
        loop {
            let quote = if words.is_empty() { '"' } else { '\'' };
            rest = match rest.strip_prefix(quote) {
                Some(quoted) => {
                    let (part, after) = unquoted(quoted, quote).ok_or_else(|| wrong("A quote is not closed."))?;
                    word.push_str(&part);
                    after
                }
                None => {
                    let ends = |c: char| c.is_whitespace() || (words.is_empty() && c == '.');
                    let (part, after) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
                    word.push_str(part);
                    after
                }
            };
            match rest.strip_prefix('.').filter(|_| words.is_empty()) {
                Some(after) => {
                    word.push('.');
                    rest = after;
                }
                None if rest.is_empty() || rest.starts_with(char::is_whitespace) => break,
                None => return Err(wrong("Something follows a closing quote without a blank.")),
            }
        }
        words.push(word);
        rest = rest.trim_start();
    }
    let mut words = words.into_iter();
    let table = words.next().ok_or_else(|| wrong("It names no table."))?;
    Ok((table, words.collect()))
}

/// What stands before the closing quote, doubled quotes being one, and what comes behind it.
fn unquoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once(quote)?;
        part.push_str(before);
        match after.strip_prefix(quote) {
            Some(more) => {
                part.push(quote);
                rest = more;
            }
            None => return Some((part, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{ColumnView, Skipped};

    fn table(name: &str, root: Option<&str>, columns: &[&str]) -> TableView {
        let columns = columns.iter().map(|name| ColumnView { name: (*name).into(), ..ColumnView::default() });
        TableView { name: name.into(), root: root.map(Into::into), columns: columns.collect(), ..TableView::default() }
    }

    fn plan() -> PlanView {
        PlanView {
            tables: vec![
                table("public.customers", None, &["id", "email"]),
                table("crm.customers", None, &["id", "phone"]),
                table("public.events_1", Some("public.events"), &["id"]),
                table("public.events_2", Some("public.events"), &["id"]),
            ],
            skipped: vec![Skipped { table: "public.remote".into(), reason: "foreign table".into() }],
            refusals: vec![Report::new(
                "plan::undecided-column",
                "column \"public.people.born\" has no masking decision",
            )],
            ..PlanView::default()
        }
    }

    fn found(name: &str) -> Result<(String, Option<String>), Failure> {
        find(plan(), name).map(|found| (found.table.name, found.column))
    }

    fn code(name: &str) -> &'static str {
        found(name).map_err(|failure| failure.reports[0].code).expect_err("must not be found")
    }

    #[test]
    fn tables_and_columns_are_found_with_and_without_schema() {
        assert_eq!(found("public.customers"), Ok(("public.customers".into(), None)));
        assert_eq!(found("public.customers.email"), Ok(("public.customers".into(), Some("email".into()))));
        assert_eq!(found("customers.phone"), Ok(("crm.customers".into(), Some("phone".into()))));
        assert_eq!(find(plan(), "customers.email").unwrap().table.columns.len(), 1);
    }

    #[test]
    fn a_partitioned_table_is_explained_by_its_first_leaf() {
        assert_eq!(found("public.events"), Ok(("public.events_1".into(), None)));
        assert_eq!(found("events.id"), Ok(("public.events_1".into(), Some("id".into()))));
        assert_eq!(found("public.events_2"), Ok(("public.events_2".into(), None)));
    }

    #[test]
    fn names_that_are_not_there_are_answered_with_what_is() {
        assert_eq!(code("customers"), "usage::ambiguous-name");
        assert_eq!(code("public.people.born"), "plan::undecided-column");
        assert_eq!(code("public.remote"), "usage::not-copied");
        let failure = found("public.customers.emial").unwrap_err();
        assert_eq!(failure.reports[0].hint.as_deref(), Some("Did you mean public.customers.email?"));
    }

    #[test]
    fn columns_of_one_label_join_where_their_parameters_are_equal() {
        let masked = |name: &str, params: &str| ColumnView {
            name: name.into(),
            decision: DecisionView::Mask,
            kind: Some("card/1".into()),
            label: Some("c".into()),
            params: params.into(),
            ..ColumnView::default()
        };
        let columns = vec![masked("card", "[]"), masked("again", "[]"), masked("last4", "[[\"keep_last4\",true]]")];
        let cards = TableView { name: "public.cards".into(), columns, ..TableView::default() };
        let plan = PlanView { tables: vec![cards], ..PlanView::default() };
        let found = |column: &str| {
            let found = find(plan.clone(), &format!("public.cards.{column}")).expect("it is there");
            (found.joins, found.apart)
        };
        let names = |names: &[&str]| names.iter().map(|name| format!("public.cards.{name}")).collect::<Vec<_>>();
        assert_eq!(found("card"), (names(&["again"]), names(&["last4"])));
        assert_eq!(found("last4"), (names(&[]), names(&["again", "card"])));
    }

    #[test]
    fn rows_are_named_with_the_quotes_of_sql() {
        let read = |row: &str| row_words(row).map(|(table, key)| [vec![table], key].concat().join("|"));
        for (row, words) in [
            ("public.orders 42", "public.orders|42"),
            ("  orders   1  2 ", "orders|1|2"),
            ("\"my schema\".\"my table\" 42", "my schema.my table|42"),
            ("\"a\"\"b\".c 'x y' 'it''s' ''", "a\"b.c|x y|it's|"),
            ("people O'Brien \"x\"", "people|O'Brien|\"x\""),
            ("a.b.c 1.5", "a.b.c|1.5"),
            ("orders", "orders"),
        ] {
            assert_eq!(read(row).as_deref(), Ok(words), "{row}");
        }
        for row in ["", "  ", "\"open 42", "orders 'open", "\"a\"b 1", "t 'a'b"] {
            let failure = read(row).expect_err(row);
            assert_eq!((failure.exit, failure.reports[0].code), (Exit::Usage, "usage::row"), "{row}");
        }
    }
}
