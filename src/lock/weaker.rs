//! What a policy of an earlier day hides less than the one of today.

use super::{Column, Lock, Table};

/// Tables, columns and paths that `then` shows and `now` hides, or hides in another way; `now` is called `who`.
///
/// Two masks cannot be put in order, so another kind, other parameters or another condition count as hiding less; labels and
/// subjects choose between pseudonyms and hide nothing. What only one of the two knows is not told.
pub fn weaker(then: &Lock, now: &Lock, who: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, before) in &then.tables {
        let Some(after) = now.tables.get(name).filter(|_| copied(before)) else { continue };
        if !copied(after) {
            found.push(format!("table {name}: its rows are in the snapshot, and {who} leaves them out"));
            continue;
        }
        if after.rows != "all" && after.rows != before.rows {
            found.push(format!("table {name}: {who} takes some of its rows, and the snapshot was made of others"));
        }
        for (column, before_column) in &before.columns {
            let Some(after_column) = after.columns.get(column) else { continue };
            let less = less(before_column, after_column).or_else(|| less_of_documents(before, after, column));
            found.extend(less.map(|(was, is)| format!("column {name}.{column}: {was} in the snapshot, {is} in {who}")));
        }
    }
    found
}

fn copied(table: &Table) -> bool {
    table.rows != "none" && table.rows != "skipped"
}

/// What both do, if the first may show what the second hides.
fn less(then: &Column, now: &Column) -> Option<(String, String)> {
    let gone = |column: &Column| column.decision == "null" || column.decision == "const";
    if gone(then) || now.decision == "keep" {
        return None;
    }
    let words = |column: &Column| column.decision.clone();
    if then.decision != now.decision {
        return Some((words(then), words(now)));
    }
    if then.when.is_some() && then.when != now.when {
        return Some((format!("{} for some rows", then.decision), format!("{} for others", now.decision)));
    }
    (then.params != now.params).then(|| (words(then), format!("{} with other parameters", now.decision)))
}

/// A document shows what nobody reviewed, or what a review accepted then and does not today.
fn less_of_documents(then: &Table, now: &Table, column: &str) -> Option<(String, String)> {
    let reviewed = now.json.get(column)?;
    let more = match then.json.get(column) {
        Some(accepted) => accepted.difference(reviewed).count(),
        None => return Some(("whatever paths its documents had".to_owned(), format!("{} paths", reviewed.len()))),
    };
    (more > 0).then(|| (format!("{more} paths more"), format!("{} paths", reviewed.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(decision: &str) -> Column {
        Column { decision: decision.to_owned(), ..Column::default() }
    }

    fn lock(rows: &str, decided: Column) -> Lock {
        let table = Table { rows: rows.to_owned(), columns: [("c".to_owned(), decided)].into(), ..Table::default() };
        Lock {
            version: 1,
            mask_spec: 1,
            unicode: String::new(),
            key_id: String::new(),
            realm: String::new(),
            policy: String::new(),
            dictionaries: Default::default(),
            enums: Default::default(),
            types: Default::default(),
            composites: Default::default(),
            orders: Default::default(),
            texts: None,
            checks: None,
            expressions: None,
            switches: Default::default(),
            definitions: None,
            literals: None,
            database: None,
            oids: None,
            tables: [("s.t".to_owned(), table)].into(),
        }
    }

    #[test]
    fn what_is_hidden_today_and_was_not_is_told_and_nothing_else() {
        let masks = ["keep", "null", "const", "email/1", "text.redact/1"];
        for then in masks {
            for now in masks {
                let found = weaker(&lock("all", column(then)), &lock("all", column(now)), "the policy");
                let hides_less = now != "keep" && then != "null" && then != "const" && then != now;
                assert_eq!(!found.is_empty(), hides_less, "{then} → {now}: {found:?}");
            }
        }
    }

    #[test]
    fn rows_and_parameters_count_too() {
        let told = |then: &Lock, now: &Lock| weaker(then, now, "the policy").len();
        let [all, part, none] = ["all", "part 12", "none"].map(|rows| lock(rows, column("keep")));
        assert_eq!((told(&all, &none), told(&all, &part), told(&part, &none)), (1, 1, 1));
        assert_eq!((told(&none, &all), told(&part, &all), told(&all, &all), told(&none, &part)), (0, 0, 0, 0));
        let with = |params: &str| lock("all", Column { params: Some(params.to_owned()), ..column("email/1") });
        assert_eq!((told(&with("a"), &with("a")), told(&with("a"), &with("b"))), (0, 1));
        let when = |when: Option<&str>| lock("all", Column { when: when.map(str::to_owned), ..column("email/1") });
        assert_eq!(told(&when(Some("keep 1")), &when(None)), 1, "some rows were kept, and none are today");
        assert_eq!(told(&when(None), &when(Some("keep 1"))), 0);
    }

    #[test]
    fn a_path_that_is_accepted_no_more_is_told() {
        let with = |paths: &[&str]| {
            let mut lock = lock("all", column("json/1"));
            let paths = paths.iter().map(|path| (*path).to_owned()).collect();
            lock.tables.get_mut("s.t").expect("it is there").json.insert("c".to_owned(), paths);
            lock
        };
        let told = |then: &Lock, now: &Lock| weaker(then, now, "restage.lock").len();
        assert_eq!(told(&with(&["$.a", "$.b"]), &with(&["$.a"])), 1);
        assert_eq!(told(&with(&["$.a"]), &with(&["$.a", "$.b"])), 0);
        assert_eq!(told(&lock("all", column("json/1")), &with(&["$.a"])), 1, "nobody reviewed what the snapshot keeps");
    }
}
