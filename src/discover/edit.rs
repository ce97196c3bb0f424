//! Adds decisions to a configuration file and leaves everything that stands in it as it is, comments included.

use super::Discovery;
use crate::error::{Exit, Failure, Report};
use crate::plan::draft::{name_pattern, toml_escape};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, InlineTable, Item, Table, Value};

/// Columns of one table and their decisions, each with the evidence as comment.
pub type Additions = Vec<(String, Vec<Addition>)>;

/// One line to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addition {
    pub column: String,
    pub toml: String,
    pub comment: String,
}

/// What discovery would add, by file: to the table's own rule where one stands, else to `main`.
pub fn additions(found: &Discovery, main: &Path) -> BTreeMap<PathBuf, Additions> {
    let mut files: BTreeMap<PathBuf, Additions> = BTreeMap::new();
    for table in &found.tables {
        let lines: Vec<Addition> = table
            .columns
            .iter()
            .filter(|column| !column.open)
            .filter_map(|column| {
                let comment = column.findings.first().map_or_else(String::new, super::Said::told);
                Some(Addition { column: column.name.clone(), toml: column.proposal.clone()?, comment })
            })
            .collect();
        if !lines.is_empty() {
            let file = table.file.clone().unwrap_or_else(|| main.to_owned());
            files.entry(file).or_default().push((table.table.clone(), lines));
        }
    }
    files
}

/// Adds the lines to the text of a file. What is decided there already stays as it is.
///
/// # Errors
/// In words, if the text is no TOML or has something else where a table belongs.
pub fn add(text: &str, additions: &Additions) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    for (name, lines) in additions {
        let wrong = |what: &str| format!("`{what}` is no table");
        let tables = inner(document.as_item_mut(), "tables", true).ok_or_else(|| wrong("tables"))?;
        let table = inner(tables, &name_pattern(name), true).ok_or_else(|| wrong(name))?;
        let columns = inner(table, "columns", false).ok_or_else(|| wrong("columns"))?;
        let inline = columns.is_inline_table();
        let mut added = false;
        for line in lines {
            // The name is a pattern there.
            let key = name_pattern(&line.column);
            let like = columns.as_table_like_mut().ok_or_else(|| wrong("columns"))?;
            if like.contains_key(&key) {
                continue;
            }
            let mut value: Value = line.toml.parse().map_err(|_| format!("the line for {} is no TOML", line.column))?;
            // Nothing can be said inside of an inline table.
            if !inline {
                let comment = if line.comment.is_empty() { String::new() } else { format!("  # {}", line.comment) };
                *value.decor_mut() = toml_edit::Decor::new(" ", comment);
            }
            like.insert(&key, Item::Value(value));
            added = true;
        }
        if added {
            tidy(columns);
        }
    }
    Ok(document.to_string())
}

/// A table inside of another, made in the way that one is written: in an inline table there is room for no other.
fn inner<'t>(parent: &'t mut Item, name: &str, implicit: bool) -> Option<&'t mut Item> {
    let inline = parent.is_inline_table();
    let like = parent.as_table_like_mut()?;
    if !like.contains_key(name) {
        let mut table = Table::new();
        table.set_implicit(implicit);
        let new = if inline { Item::Value(Value::InlineTable(InlineTable::new())) } else { Item::Table(table) };
        like.insert(name, new);
        tidy(parent);
    }
    parent.as_table_like_mut()?.get_mut(name).filter(|found| found.is_table_like())
}

/// Spaces what is in an inline table on one line; one of several lines may hold comments.
fn tidy(item: &mut Item) {
    if let Some(inline) = item.as_inline_table_mut()
        && !inline.to_string().contains('\n')
    {
        inline.fmt();
    }
}

/// Lines that end as those of the text before do.
fn lines_like(text: &str, edited: String) -> String {
    let ends = text.matches('\n').count();
    let same = ends > 0 && text.matches("\r\n").count() == ends;
    if same { edited.replace("\r\n", "\n").replace('\n', "\r\n") } else { edited }
}

/// Adds `[[references]]` that are not there yet.
///
/// # Errors
/// As [`add`].
pub fn add_references(text: &str, found: &Discovery) -> Result<String, String> {
    let document: DocumentMut = text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let known: Vec<(String, String)> = document
        .get("references")
        .and_then(Item::as_array_of_tables)
        .map(|tables| tables.iter().map(|table| (said(table, "from"), said(table, "to"))).collect())
        .unwrap_or_default();
    let mut text = document.to_string();
    for new in found.references.iter().filter(|new| !known.contains(&(new.from.clone(), new.to.clone()))) {
        text.push_str(&reference(new));
    }
    Ok(text)
}

/// An entry with its evidence.
pub(super) fn reference(new: &super::ReferenceFound) -> String {
    format!(
        "\n[[references]]                                # {} of {} sampled values are there\nfrom = \"{}\"\nto   = \"{}\"\n",
        new.found,
        new.values,
        toml_escape(&new.from),
        toml_escape(&new.to)
    )
}

fn said(table: &Table, key: &str) -> String {
    table.get(key).and_then(Item::as_str).unwrap_or_default().to_owned()
}

/// Merges what was found into the files of the configuration, each replaced whole.
///
/// # Errors
/// [`Exit::Usage`] if a file cannot be read, understood or written; files before it in the order of names are written.
pub fn write(found: &Discovery, main: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |path: &Path, why: String| {
        let report = Report::new("discover::write", format!("the proposals cannot be written to {}", path.display()));
        Failure::new(Exit::Usage, report.detail(why))
    };
    let mut files = additions(found, main);
    if !found.references.is_empty() {
        files.entry(main.to_owned()).or_default();
    }
    for (path, additions) in &files {
        let text = std::fs::read_to_string(path).map_err(|error| failed(path, error.to_string()))?;
        let mut edited = add(&text, additions).map_err(|why| failed(path, why))?;
        if path == main {
            edited = add_references(&edited, found).map_err(|why| failed(path, why))?;
        }
        let edited = lines_like(&text, edited);
        if edited != text {
            replace(path, &edited).map_err(|error| failed(path, error.to_string()))?;
        }
    }
    Ok(files.into_keys().collect())
}

/// Replaces a file so that it is there whole, old or new, with the rights it had.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let rights = std::fs::metadata(path)?.permissions();
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().set_permissions(rights)?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(column: &str, toml: &str) -> Addition {
        Addition { column: column.into(), toml: toml.into(), comment: "email 0.99: name 0.95".into() }
    }

    #[test]
    fn comments_and_decisions_stay_and_lines_are_added() {
        let text = "# mine\nversion = 1\n\n[tables.\"public.a\"]\nrows = \"all\"   # all of them\n\n[tables.\"public.a\".columns]\n# why\nid = \"keep\"  # key\nmail = \"null\"\n";
        let additions = vec![
            ("public.a".to_owned(), vec![line("mail", "\"email\""), line("Second Mail", "\"email\"")]),
            ("public.b".to_owned(), vec![line("name", "{ mask = \"name.full\", subject = \"id\" }")]),
        ];
        let edited = add(text, &additions).expect("TOML");
        assert_eq!(
            edited,
            format!(
                "{text}\"Second Mail\" = \"email\"  # email 0.99: name 0.95\n\n[tables.\"public.b\".columns]\nname = {{ mask = \"name.full\", subject = \"id\" }}  # email 0.99: name 0.95\n"
            )
        );
        assert_eq!(add(&edited, &additions).expect("TOML"), edited, "twice changes nothing");
    }

    #[test]
    fn inline_tables_stay_in_their_lines() {
        let additions = vec![("public.a".to_owned(), vec![line("mail", "\"email\""), line("*", "\"null\"")])];
        for (text, expected) in [
            (
                "[tables]\n\"public.a\" = { columns = { id = \"keep\" } }  # mine\n",
                "[tables]\n\"public.a\" = { columns = { id = \"keep\", mail = \"email\", \"\\\\*\" = \"null\" } }  # mine\n",
            ),
            (
                "tables = { \"public.a\" = { rows = \"all\" } }\n",
                "tables = { \"public.a\" = { rows = \"all\", columns = { mail = \"email\", \"\\\\*\" = \"null\" } } }\n",
            ),
        ] {
            let edited = add(text, &additions).expect("TOML");
            let read = |text: &str| text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(read(&edited), read(expected), "{edited}");
            assert_eq!(edited.lines().count(), text.lines().count(), "{edited}");
            assert_eq!(edited.contains("# mine"), text.contains("# mine"), "{edited}");
            assert_eq!(add(&edited, &additions).expect("TOML"), edited, "twice changes nothing");
        }
    }

    #[test]
    fn lines_end_as_they_did() {
        assert_eq!(lines_like("a = 1\r\nb = 2\r\n", "a = 1\nb = 2\nc = 3\n".to_owned()), "a = 1\r\nb = 2\r\nc = 3\r\n");
        assert_eq!(lines_like("a = 1\n", "a = 1\nc = 3\n".to_owned()), "a = 1\nc = 3\n");
    }

    #[test]
    fn what_is_no_table_is_told() {
        assert!(add("tables = 1", &vec![("public.a".to_owned(), vec![])]).is_err());
        assert!(add("[", &Vec::new()).is_err());
    }
}
