//! Comma-separated values of the user, as RFC 4180 describes them.

/// Splits a text into records of fields. A byte order mark at the start is no part of the first field; empty lines are
/// no records. A quote inside a field that does not begin with one stands for itself.
///
/// # Errors
/// The line, from 1, in which a quoted field begins that never ends.
pub(super) fn parse(text: &str) -> Result<Vec<Vec<String>>, usize> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let field;
        (field, rest) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let begins = text.len() - rest.len();
                unquote(quoted).ok_or_else(|| text[..begins].matches('\n').count() + 1)?
            }
            None => {
                let end = rest.find([',', '\n']).unwrap_or(rest.len());
                (rest[..end].strip_suffix('\r').unwrap_or(&rest[..end]).to_owned(), &rest[end..])
            }
        };
        record.push(field);
        if let Some(after) = rest.strip_prefix(',') {
            rest = after;
            if rest.is_empty() {
                record.push(String::new());
            }
        } else {
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
        let ended = rest.is_empty() || text[..text.len() - rest.len()].ends_with('\n');
        // A record goes on after a comma, even at the end of a line of its own.
        if ended {
            if record != [""] {
                records.push(std::mem::take(&mut record));
            }
            record.clear();
        }
    }
    Ok(records)
}

/// Reads a field after its opening quote; also returns what follows it, beginning with a comma, a line end or nothing.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut field = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        field.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                rest = after;
            }
            None => break,
        }
    }
    // Text after the closing quote belongs to the field, as every reader of such files does it.
    let end = rest.find([',', '\n']).unwrap_or(rest.len());
    field.push_str(rest[..end].strip_suffix('\r').unwrap_or(&rest[..end]));
    Some((field, &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_split_as_written() {
        let parsed = |text: &str| parse(text).map(|records| records.iter().map(|r| r.join("|")).collect::<Vec<_>>());
        assert_eq!(parsed("a,b\n1,2\n").unwrap(), ["a|b", "1|2"]);
        assert_eq!(parsed("\u{feff}a,b\r\n\r\n1,2").unwrap(), ["a|b", "1|2"]);
        assert_eq!(parsed("\"a\"\"b\",\"c\nd\"\n,\n").unwrap(), ["a\"b|c\nd", "|"]);
        assert_eq!(parsed("x\"y,\"a\"b,\nlast,").unwrap(), ["x\"y|ab|", "last|"]);
        assert_eq!(parsed("").unwrap(), Vec::<String>::new());
        assert_eq!(parse("a\nb,\"c\nd"), Err(2));
    }
}
