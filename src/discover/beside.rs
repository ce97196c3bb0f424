//! Asks the server whether a column holds copies of what the person is called that its rows lead to.
//!
//! Few names, and last names that no list has, look like words of a status; beside the row of the person they are what they
//! are. Values stay at the server: it joins a few rows by the foreign key, compares, and counts.

use super::{DiscoverError, Settings, sample};
use crate::mask::kind::Takes;
use crate::pg;
use crate::plan::draft::{Beside, DraftLeaf, DraftPerson, DraftTable, NAMES, PLACES, Standing};
use std::collections::HashMap;
use tokio_postgres::Client;

/// Columns of a table that are compared, persons of its rows, and columns of a person.
const COLUMNS_MAX: usize = 60;
const PERSONS_MAX: usize = 4;
const THEIRS_MAX: usize = 12;
/// Characters of a value that are compared.
const CHARS_MAX: u32 = 300;
/// A name with the blanks around it that is looked for among other words: masks of texts know shorter ones in capitals only.
const PADDED_MIN: u32 = 6;
/// Answers per column: rows, each kind of name and place, and names among other words.
const COUNTS: usize = 1 + NAMES.len() + PLACES.len() + 1;

/// Compares the text columns of a table that nobody decided; by place of the column, with the person that fits best.
/// Nothing of a table whose rows lead to nobody, or if the server would not say.
pub(super) async fn persons(
    client: &Client,
    table: &DraftTable,
    settings: &Settings,
) -> Result<HashMap<usize, Beside>, DiscoverError> {
    let mut found: HashMap<usize, Beside> = HashMap::new();
    let Some(leaf) = table.leaves.first() else { return Ok(found) };
    let texts = table.columns.iter().enumerate().filter(|(_, column)| {
        column.standing == Standing::Open && column.takes == Takes::Text && !column.type_name.contains("range")
    });
    let texts: Vec<usize> = texts.map(|(place, _)| place).take(COLUMNS_MAX).collect();
    for (number, person) in table.persons.iter().enumerate().take(PERSONS_MAX) {
        if texts.is_empty() || person.columns.is_empty() {
            continue;
        }
        let names: Vec<&str> = texts.iter().map(|place| table.columns[*place].name.as_str()).collect();
        let sql = query(leaf, person, &names, settings);
        client.batch_execute("SAVEPOINT look").await.map_err(DiscoverError::sql("comparing rows"))?;
        let counts: Vec<i64> = match client.query_one(&sql, &[]).await {
            Ok(row) => row.get(0),
            Err(error) if error.code().is_none() => return Err(DiscoverError::sql("comparing rows")(error)),
            Err(_) => Vec::new(),
        };
        client.batch_execute("ROLLBACK TO look").await.map_err(DiscoverError::sql("comparing rows"))?;
        for (place, counts) in texts.iter().zip(counts.chunks_exact(COUNTS)) {
            let [rows, first, last, full, address, street, city, zip, region, holds] = counts[..] else { continue };
            let (names, places) = ([first, last, full], [address, street, city, zip, region]);
            let beside = Beside { person: number, rows, names, places, holds };
            if found.get(place).is_none_or(|known| known.fit() < beside.fit()) {
                found.insert(*place, beside);
            }
        }
    }
    Ok(found)
}

/// A value as its words in lower case, with one blank before, between and behind them; NULL without any.
fn words(value: &str) -> String {
    format!(
        "NULLIF(' ' || pg_catalog.btrim(pg_catalog.regexp_replace(pg_catalog.lower(pg_catalog.left(({value})::pg_catalog.text, \
         {CHARS_MAX}) COLLATE pg_catalog.\"default\"), '[^[:alnum:]]+', ' ', 'g')) || ' ', '  ')"
    )
}

/// One array: the counts of each column in turn.
fn query(leaf: &DraftLeaf, person: &DraftPerson, columns: &[&str], settings: &Settings) -> String {
    let theirs: Vec<(&str, String)> = person
        .columns
        .iter()
        .take(THEIRS_MAX)
        .enumerate()
        .map(|(number, (category, _))| (category.as_str(), format!("p{number}")))
        .collect();
    let of = |wanted: &str| -> Vec<String> {
        theirs.iter().filter(|(category, _)| *category == wanted).map(|(_, name)| name.clone()).collect()
    };
    let (firsts, lasts) = (of(NAMES[0]), of(NAMES[1]));
    // Words have a blank on both sides: one of the two between them goes.
    let pair = |one: &String, two: &String| format!("pg_catalog.rtrim({one}) || {two}");
    let pairs =
        firsts.iter().flat_map(|first| lasts.iter().flat_map(move |last| [pair(first, last), pair(last, first)]));
    let full: Vec<String> = of(NAMES[2]).into_iter().chain(pairs).collect();
    let kinds: Vec<Vec<String>> =
        [firsts.clone(), lasts.clone(), full].into_iter().chain(PLACES.iter().map(|place| of(place))).collect();
    let names: Vec<String> = NAMES.iter().flat_map(|name| of(name)).collect();
    let counts = (0..columns.len()).map(|number| {
        let own = format!("c{number}");
        let equal = kinds.iter().map(|kind| count(kind.iter().map(|theirs| format!("{own} = {theirs}"))));
        let held = |name: &String| {
            format!("pg_catalog.length({name}) >= {PADDED_MIN} AND pg_catalog.strpos({own}, {name}) > 0")
        };
        let equal: Vec<String> = equal.collect();
        format!("pg_catalog.count({own}), {}, {}", equal.join(", "), count(names.iter().map(held)))
    });
    let counts: Vec<String> = counts.collect();
    let column = |side: &str, letter: &str, number: usize, name: &str| {
        format!("{} AS {letter}{number}", words(&format!("{side}.{}", pg::quote_ident(name))))
    };
    let own = columns.iter().enumerate().map(|(number, name)| column("s", "c", number, name));
    let their = person.columns.iter().take(THEIRS_MAX).enumerate();
    let their = their.map(|(number, (_, name))| column("p", "p", number, name));
    let all: Vec<String> = own.chain(their).collect();
    let (from, to) = (pg::quote_ident(&person.from), pg::quote_ident(&person.to));
    let mut read = columns.to_vec();
    if !read.contains(&person.from.as_str()) {
        read.push(&person.from);
    }
    format!(
        "SELECT ARRAY[{}] FROM (SELECT {} FROM {} AS s JOIN {} AS p ON p.{to} = s.{from} OFFSET 0) AS j",
        counts.join(", "),
        all.join(", "),
        sample::spread(leaf, &read, &format!("{from} IS NOT NULL"), settings.rows, settings.seed),
        pg::quote_qualified(&person.schema, &person.table),
    )
}

/// Counts rows for which one of the conditions holds.
fn count(conditions: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = conditions.map(|condition| format!("({condition})")).collect();
    match all.is_empty() {
        true => "0::pg_catalog.int8".to_owned(),
        false => format!("pg_catalog.count(*) FILTER (WHERE {})", all.join(" OR ")),
    }
}
