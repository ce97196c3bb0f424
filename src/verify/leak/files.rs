//! The same for files that are about to get their name: their rows are at hand, in the text form of COPY.

use super::detected::{Keys, Seen};
use super::{Choice, Leak, Leaking, Read, words};
use crate::detect::Facts;
use crate::mask::kind::Takes;
use crate::outcome::Gate;
use crate::pg;
use crate::proof::Sought;
use bytes::Bytes;
use std::time::Instant;

/// Masked rows of one table on their way into a file.
pub struct FileRows {
    /// `schema.table`.
    pub name: String,
    pub columns: Vec<FileColumn>,
    /// In the text form of COPY, each with its newline.
    pub rows: Vec<Bytes>,
}

pub struct FileColumn {
    pub name: String,
    /// Arrays, composites and hstores are among its values, or a type that may be one of them.
    pub container: bool,
}

impl Leak<'_> {
    /// Judges masked columns, definitions, and the rows that are at hand.
    pub fn files(self, tables: &[FileRows]) -> Vec<Gate> {
        let mut found = vec![self.masked()];
        let started = Instant::now();
        let sought = self.proof.sought();
        let mut read = Read::default();
        for table in tables {
            read.rows += table.rows.len() as u64;
            for (place, column) in table.columns.iter().enumerate() {
                if let Some(choice) = self.looked_at(&table.name, &column.name) {
                    read.add(self.column(&sought, table, place, choice));
                }
            }
        }
        if !tables.is_empty() {
            found.push(self.texts(&sought, &read, started));
            found.push(self.detected(&read, started));
        }
        found.push(self.definitions(&sought));
        self.told(found)
    }

    fn column(&self, sought: &Sought, table: &FileRows, place: usize, choice: Choice) -> Read {
        let FileColumn { name: column, container } = &table.columns[place];
        let name = format!("{}.{column}", table.name);
        let declared = self.declared(&table.name, column);
        let others = matches!(choice, Choice::Others { .. });
        let keys_max = self.known(&table.name, column).and_then(|known| known.keys_max).filter(|_| !others);
        // No server evaluates a condition here: rows that it leaves out stand among masked ones.
        let mut traces = sought.traces(matches!(choice, Choice::Masked | Choice::Others { .. }));
        let takes = match choice {
            // A type of the user's own is written as text.
            Choice::Kept { open: true, takes: Takes::Enum } => Some(Takes::Text),
            Choice::Kept { open: true, takes } => Some(takes),
            _ => None,
        };
        let bare = table.name.rsplit('.').next().unwrap_or_default();
        let facts =
            takes.map(|takes| Facts { table: bare, column: &declared.column, takes, domain: None, affix: None });
        let mut seen = facts.map(Seen::new);
        let mut keys = keys_max.map(|_| Keys::default());
        let mut plain = Vec::new();
        for row in &table.rows {
            let row = row.strip_suffix(b"\n").unwrap_or(row);
            let Some(field) = row.split(|byte| *byte == b'\t').nth(place) else { continue };
            plain.clear();
            let text = match field != b"\\N" && pg::text::unescape(field, &mut plain).is_ok() {
                true => std::str::from_utf8(&plain).ok(),
                false => None,
            };
            if let Some(seen) = &mut seen {
                let listed = text.filter(|text| *container && text.starts_with(['{', '(', '"'])).map(elements);
                seen.push(listed.as_deref().or(text));
            }
            let Some(text) = text else { continue };
            let words = words(text, &mut keys);
            sought.read(words.as_deref().unwrap_or(text), &mut traces);
        }
        let mut read = Read { columns: 1, looked: seen.is_some().into(), ..Read::default() };
        let hits = sought.judge(&traces);
        if !hits.is_empty() {
            let leaking = Leaking { hits, of: table.rows.len() as u64, declared: declared.clone() };
            read.leaking.insert(name, leaking);
        }
        let values = seen.and_then(|seen| seen.found());
        let found = values.or_else(|| keys.and_then(|keys| keys.found(keys_max?)));
        read.detected.extend(found.map(|found| (declared.clone(), found)));
        read
    }
}

/// What an array, a composite or an hstore holds, which the server writes in forms of its own, as a list in JSON.
fn elements(text: &str) -> String {
    /// Containers in containers that are opened.
    const DEPTH_MAX: u32 = 4;
    let mut all = Vec::new();
    gather(text, DEPTH_MAX, &mut all);
    serde_json::Value::from(all).to_string()
}

fn gather(text: &str, depth: u32, all: &mut Vec<String>) {
    let (mut one, mut quoted) = (String::new(), false);
    let mut end = |one: &mut String| {
        let one = std::mem::take(one);
        if depth > 0 && one.starts_with(['{', '(']) {
            gather(&one, depth - 1, all);
        } else if !one.trim().is_empty() {
            all.push(one);
        }
    };
    let mut symbols = text.chars().peekable();
    while let Some(symbol) = symbols.next() {
        match symbol {
            '\\' => one.extend(symbols.next()),
            // Within quotes, one may stand twice.
            '"' if quoted && symbols.next_if_eq(&'"').is_some() => one.push('"'),
            '"' => quoted = !quoted,
            '{' | '}' | '(' | ')' | ',' if !quoted => end(&mut one),
            '=' if !quoted && symbols.next_if_eq(&'>').is_some() => end(&mut one),
            _ => one.push(symbol),
        }
    }
    end(&mut one);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_containers_are_told_apart_as_the_server_writes_them() {
        for (text, list) in [
            ("{a@planted.test,NULL,\"b, c\"}", r#"["a@planted.test","NULL","b, c"]"#),
            ("(1,\"say \"\"x\"\"\",,t)", r#"["1","say \"x\"","t"]"#),
            ("\"k\"=>\"v, w\", \"n\"=>NULL", r#"["k","v, w"," n","NULL"]"#),
            (r#"{"(1,\"b c\")","(2,d)"}"#, r#"["1","b c","2","d"]"#),
            ("{}", "[]"),
        ] {
            assert_eq!(elements(text), list, "{text}");
        }
    }
}
