//! The first configuration: a commented file with a decision for every column.

use super::edit::reference;
use super::{ColumnFound, Discovery, TableFound};
use crate::plan::draft::{is_question, name_pattern, toml_escape, toml_key};
use std::fmt::Write as _;

/// What stands at the top of the file.
#[derive(Debug, Clone)]
pub struct Head {
    /// As written in the file: a URL without password, or a variable.
    pub source: String,
    pub target: Option<String>,
    pub key_file: String,
}

/// Packs that a first configuration lists, whatever the source holds.
pub const PACKS: &[&str] = &["pii", "secrets"];

/// Columns beside which evidence starts.
const COMMENT_AT: usize = 60;

/// Writes the configuration.
///
/// What looks personal has its mask; what shows no sign of a person is kept with that as reason; what only a person can
/// decide (text of many words, documents) is a comment, so that `restage plan` refuses it until it is answered.
pub fn config(head: &Head, found: &Discovery) -> String {
    let mut text = String::new();
    let totals = &found.totals;
    let _ = writeln!(
        text,
        "#:schema restage.schema.json\n\
         # Made by `restage init` from {}: {}, {}, {} look personal.\n\
         # Every line is a proposal, with its evidence: read it once, then it is your policy. What stands behind a # is not\n\
         # decided: `restage plan` refuses it until you answer. `restage explain TABLE.COLUMN` says more about each.\n\
         version = 1\n\n\
         [source]\nurl = \"{}\"\n",
        remark(&found.source),
        counted(totals.tables, "table"),
        counted(totals.columns, "column"),
        totals.personal,
        toml_escape(&head.source)
    );
    match &head.target {
        Some(target) => {
            let _ = writeln!(text, "[target]\nurl = \"{}\"", toml_escape(target));
        }
        None => text
            .push_str("# [target]\n# url = \"postgres://restage@staging/shop\"     # the database applications use\n"),
    }
    text.push_str("# confirm = \"…\"                              # its name, so that a refresh without a terminal may replace it\n\n");
    let _ = writeln!(
        text,
        "[key]\nfile = \"{}\"                          # restage key new --out {}\nrealm = \"staging\"\n\n\
         [policy]\nundecided = \"refuse\"                        # a column added tomorrow stops the run until it is decided",
        toml_escape(&head.key_file),
        remark(&head.key_file)
    );
    text.push_str(&packs(found));
    for unsampled in &found.unsampled {
        let _ = writeln!(
            text,
            "\n# {}",
            remark(&format!("{} was judged by its names alone: {}", unsampled.table, unsampled.reason))
        );
    }
    for found in &found.references {
        text.push_str(&reference(found));
    }
    for table in &found.tables {
        push_table(table, &mut text);
    }
    text
}

/// `1 table`, `2 tables`.
fn counted(number: usize, word: &str) -> String {
    format!("{number} {word}{}", if number == 1 { "" } else { "s" })
}

/// A text that stays behind its `#`: names may hold line breaks.
fn remark(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// The packs, and why those are there that the source asks for.
fn packs(found: &Discovery) -> String {
    let names = PACKS.iter().copied().chain(found.packs.iter().map(|one| one.pack));
    let names: Vec<String> = names.map(|name| format!("\"{name}\"")).collect();
    let mut text = format!("packs = [{}]\n", names.join(", "));
    for one in &found.packs {
        let _ = writeln!(text, "# {}", remark(&format!("{}: {}", one.pack, one.told())));
    }
    let columns = found.tables.iter().flat_map(|table| &table.columns);
    let decided = columns.filter(|column| column.because.as_ref().is_some_and(|because| because.starts_with("pack ")));
    if let count @ 1.. = decided.count() {
        let _ = writeln!(
            text,
            "# {} {} decided by them and not listed below: `restage explain` names the rule.",
            counted(count, "column"),
            if count == 1 { "is" } else { "are" }
        );
    }
    text
}

fn push_table(table: &TableFound, text: &mut String) {
    let columns: Vec<&ColumnFound> = table.columns.iter().filter(|column| column.proposal.is_some()).collect();
    if columns.is_empty() {
        return;
    }
    let anchor =
        table.anchor.as_ref().map_or_else(String::new, |anchor| format!("; a row belongs to the person of `{anchor}`"));
    let rows = match table.rows {
        0 => "no row was seen".to_owned(),
        rows => {
            let seen = if rows == 1 { "1 row was seen".to_owned() } else { format!("{rows} rows were seen") };
            let estimate = table.rows_estimate;
            if estimate > rows { format!("{seen} of about {estimate}") } else { seen }
        }
    };
    let _ = writeln!(
        text,
        "\n# {rows}{}\n[tables.\"{}\".columns]",
        remark(&anchor),
        toml_escape(&name_pattern(&table.table))
    );
    for column in columns {
        let toml = column.proposal.as_deref().unwrap_or_default();
        let key = toml_key(&column.name);
        let (line, comment) = match column.open {
            true if is_question(toml) => {
                (format!("# {key} = {toml}"), format!("undecided {}; no mask fits: your reason", column.type_name))
            }
            true => (format!("# {key} = {{ keep = \"…\" }}"), format!("undecided {}; or {toml}", column.type_name)),
            false => (format!("{key} = {toml}"), column.findings.first().map_or_else(String::new, super::Said::told)),
        };
        if comment.is_empty() {
            let _ = writeln!(text, "{line}");
        } else {
            let _ = writeln!(text, "{line:COMMENT_AT$}  # {}", remark(&comment));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_of_an_estimate_only_where_it_is_larger() {
        let said = |rows, rows_estimate| {
            let column = ColumnFound {
                name: "id".into(),
                type_name: "integer".into(),
                findings: Vec::new(),
                paths: Vec::new(),
                standing: "undecided",
                proposal: Some("\"keep\"".into()),
                open: false,
                because: None,
                looks_away: false,
                place: None,
            };
            let mut text = String::new();
            let (table, columns) = ("public.t".into(), vec![column]);
            push_table(&TableFound { table, anchor: None, rows, rows_estimate, columns, file: None }, &mut text);
            text.lines().nth(1).unwrap_or_default().to_owned()
        };
        assert_eq!(said(0, 10), "# no row was seen");
        assert_eq!(said(1, 0), "# 1 row was seen");
        assert_eq!(said(20, 20), "# 20 rows were seen");
        assert_eq!(said(20, 19), "# 20 rows were seen", "estimates are older than rows");
        assert_eq!(said(20, 300), "# 20 rows were seen of about 300");
    }

    #[test]
    fn names_with_line_breaks_stay_in_their_lines() {
        let column = |open| ColumnFound {
            name: "first\nname = 1\r".into(),
            type_name: "\"a\ntype\"".into(),
            findings: Vec::new(),
            paths: Vec::new(),
            standing: "undecided",
            proposal: Some("\"keep\"".into()),
            open,
            because: None,
            looks_away: false,
            place: None,
        };
        for open in [false, true] {
            let mut text = String::new();
            let (table, columns) = ("public.odd\n\"t\"".to_owned(), vec![column(open)]);
            let anchor = Some("first\nname".to_owned());
            push_table(
                &TableFound { table: table.clone(), anchor, rows: 1, rows_estimate: 0, columns, file: None },
                &mut text,
            );
            let read: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}: {text}"));
            let columns = read["tables"][&table]["columns"].as_table().expect("columns");
            assert_eq!(columns.len(), usize::from(!open), "{text}");
            assert!(open || columns.contains_key("first\nname = 1\r"), "{text}");
        }
    }
}
