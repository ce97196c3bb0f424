//! Reads SQL as far as needed to see which columns expressions name, and which parts a list has.

#[derive(Debug, PartialEq)]
enum Token {
    Name(String),
    Other,
}

/// Cuts an expression as PostgreSQL prints it into names and everything else; literals are no names.
fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut symbols = sql.chars().peekable();
    while let Some(symbol) = symbols.next() {
        match symbol {
            '\'' => {
                // A doubled quote opens the next literal at once, which comes to the same.
                symbols.by_ref().find(|symbol| *symbol == '\'');
                tokens.push(Token::Other);
            }
            '"' => {
                let mut name = String::new();
                while let Some(symbol) = symbols.next() {
                    if symbol == '"' {
                        if symbols.peek() != Some(&'"') {
                            break;
                        }
                        symbols.next();
                    }
                    name.push(symbol);
                }
                tokens.push(Token::Name(name));
            }
            symbol if symbol.is_alphabetic() || symbol == '_' => {
                let mut name = String::from(symbol);
                while let Some(&next) = symbols.peek()
                    && (next.is_alphanumeric() || next == '_' || next == '$')
                {
                    name.push(next);
                    symbols.next();
                }
                tokens.push(Token::Name(name));
            }
            symbol if symbol.is_whitespace() => {}
            _ => tokens.push(Token::Other),
        }
    }
    tokens
}

/// Checks that a text ends where it began: quotes, comments and parentheses are closed and nothing ends the statement, so
/// that parentheses around it hold all of it.
///
/// Source: PostgreSQL's lexical rules (section 4.1), with `standard_conforming_strings` on.
pub(super) fn one_expression(sql: &str) -> Result<(), &'static str> {
    let bytes = sql.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    if sql.trim().is_empty() {
        return Err("It is empty.");
    }
    while at < bytes.len() {
        let rest = &sql[at..];
        at += match bytes[at] {
            b'\'' => {
                let escapes = at > 0
                    && matches!(bytes[at - 1], b'e' | b'E')
                    && !at.checked_sub(2).is_some_and(|before| in_name(bytes[before]));
                quoted(&bytes[at..], b'\'', escapes).ok_or("A string is not closed.")?
            }
            b'"' => quoted(&bytes[at..], b'"', false).ok_or("A quoted name is not closed.")?,
            b'$' if at.checked_sub(1).is_none_or(|before| !in_name(bytes[before])) => match dollar_tag(rest) {
                Some(tag) => {
                    tag.len() * 2 + rest[tag.len()..].find(tag).ok_or("A dollar-quoted string is not closed.")?
                }
                None => 1,
            },
            // At the end of the text it would swallow the parenthesis that follows.
            b'-' if rest.starts_with("--") => rest.find('\n').ok_or("It ends in a comment.")?,
            b'/' if rest.starts_with("/*") => comment(rest).ok_or("A comment is not closed.")?,
            b'(' | b'[' => {
                depth += 1;
                1
            }
            b')' | b']' => {
                depth = depth.checked_sub(1).ok_or("It closes a parenthesis that it did not open.")?;
                1
            }
            b';' => return Err("It has a semicolon outside of quotes."),
            // A character of several bytes has none of the bytes above.
            _ => 1,
        };
        while !sql.is_char_boundary(at) {
            at += 1;
        }
    }
    if depth > 0 { Err("A parenthesis is not closed.") } else { Ok(()) }
}

/// What stands between the commas of the first list in parentheses, as `pg_dump` writes it. Nothing inside of quotes or of other
/// parentheses is taken for a part: a literal may hold anything, lines that look like columns included.
pub fn items(sql: &str) -> Vec<&str> {
    let bytes = sql.as_bytes();
    let (mut items, mut at, mut depth, mut from) = (Vec::new(), 0, 0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'\'' | b'"') => {
                let Some(length) = quoted(&bytes[at..], quote, false) else { break };
                at += length;
                continue;
            }
            b'(' => {
                depth += 1;
                if depth == 1 {
                    from = at + 1;
                }
            }
            b')' if depth == 1 => {
                items.push(&sql[from..at]);
                break;
            }
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => {
                items.push(&sql[from..at]);
                from = at + 1;
            }
            _ => {}
        }
        at += 1;
    }
    items
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || !byte.is_ascii()
}

/// Length of a quoted text that begins here; a doubled quote stands for itself.
fn quoted(bytes: &[u8], quote: u8, escapes: bool) -> Option<usize> {
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if escapes => at += 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// `$$` or `$tag$` at the start of a text.
fn dollar_tag(sql: &str) -> Option<&str> {
    let end = sql[1..].find('$')? + 1;
    let tag = &sql[1..end];
    let name =
        !tag.starts_with(|first: char| first.is_ascii_digit()) && tag.bytes().all(|byte| byte != b'$' && in_name(byte));
    name.then(|| &sql[..=end])
}

/// Length of a comment that begins here; comments nest.
fn comment(sql: &str) -> Option<usize> {
    let bytes = sql.as_bytes();
    let (mut at, mut depth) = (2, 1);
    while depth > 0 {
        match bytes.get(at..at + 2)? {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    Some(at)
}

/// The expression with its string literals left out: somebody may have written a person's data into a condition.
pub(super) fn without_literals(sql: &str) -> String {
    sql.split('\'').enumerate().map(|(number, part)| if number % 2 == 0 { part } else { "'…'" }).collect()
}

/// Whether an expression names a column.
pub(super) fn mentions(sql: &str, column: &str) -> bool {
    names(sql).any(|name| name == column)
}

/// All names in an expression, whatever they are of.
pub(super) fn names(sql: &str) -> impl Iterator<Item = String> {
    tokens(sql).into_iter().filter_map(|token| match token {
        Token::Name(name) => Some(name),
        Token::Other => None,
    })
}

/// Whether a condition only asks if the column is NULL, so that masks, which keep NULL, do not change the answer.
pub(super) fn only_null_tests(sql: &str, column: &str) -> bool {
    let tokens = tokens(sql);
    let word = |at: usize, word: &str| matches!(tokens.get(at), Some(Token::Name(name)) if name == word);
    (0..tokens.len()).filter(|&at| word(at, column)).all(|at| {
        let not = usize::from(word(at + 2, "NOT"));
        word(at + 1, "IS") && word(at + 2 + not, "NULL")
    })
}

/// Whether an expression is `lower(column)` or `upper(column)`, with or without a cast to text.
pub(super) fn is_cased(sql: &str, column: &str) -> bool {
    let names: Vec<String> = tokens(sql)
        .into_iter()
        .filter_map(|token| match token {
            Token::Name(name) => Some(name),
            Token::Other => None,
        })
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let names = names.strip_prefix(&["pg_catalog"]).unwrap_or(&names);
    // Anything with an operator or a literal (`lower(a || 'x')`) has symbols beyond parentheses and casts.
    let plain = sql.chars().all(|symbol| {
        symbol.is_alphanumeric()
            || matches!(symbol, '_' | '$' | '"' | '(' | ')' | ':' | '.' | ' ')
            || column.contains(symbol)
    });
    plain && matches!(names, ["lower" | "upper", name] | ["lower" | "upper", name, "text"] if *name == column)
}

/// Whether an expression is NULL as soon as one of its columns is: it has no form that answers NULL, and calls nothing but
/// functions of the server that are known to pass it on.
pub(super) fn is_strict(sql: &str) -> bool {
    /// And types with a length, which look like calls.
    const CALLS: [&str; 37] = [
        "EXTRACT",
        "POSITION",
        "SUBSTRING",
        "TRIM",
        "abs",
        "bit",
        "btrim",
        "char",
        "character",
        "date_part",
        "date_trunc",
        "decode",
        "encode",
        "floor",
        "hashtext",
        "initcap",
        "jsonb_extract_path_text",
        "left",
        "length",
        "lower",
        "ltrim",
        "md5",
        "numeric",
        "regexp_replace",
        "replace",
        "reverse",
        "right",
        "round",
        "rtrim",
        "sha256",
        "split_part",
        "substr",
        "substring",
        "time",
        "timestamp",
        "upper",
        "varying",
    ];
    const ANSWERS: [&str; 14] = [
        "ALL",
        "AND",
        "ANY",
        "ARRAY",
        "CASE",
        "COALESCE",
        "DISTINCT",
        "GREATEST",
        "IS",
        "LEAST",
        "NULLIF",
        "OR",
        "ROW",
        "XMLELEMENT",
    ];
    // A text passes NULL on and an array does not: what is joined here is not known.
    if without_literals(sql).contains("||") {
        return false;
    }
    let (mut rest, mut before) = (sql, "");
    while let Some(symbol) = rest.chars().next() {
        let length = match symbol {
            '\'' | '"' => match quoted(rest.as_bytes(), symbol as u8, false) {
                Some(length) => length,
                None => return false,
            },
            symbol if symbol.is_alphabetic() || symbol == '_' => {
                rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len())
            }
            symbol => symbol.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        let own = before.ends_with('.') && before != "pg_catalog.";
        let name = symbol.is_alphabetic() || symbol == '_' || symbol == '"';
        if name && (ANSWERS.contains(&token) || after.starts_with('(') && (own || !CALLS.contains(&token))) {
            return false;
        }
        let start = if token == "." { sql.len() - rest.len() - before.len() } else { sql.len() - rest.len() };
        before = &sql[start..sql.len() - after.len()];
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_no_names() {
        assert!(!mentions("(status = 'email'::text)", "email"));
        assert!(mentions("(email = 'it''s'::text)", "email"));
        assert!(!mentions("(x = 'it''s email'::text)", "email"));
        assert!(mentions("(\"E Mail\" IS NULL)", "E Mail"));
        assert!(!mentions("(email2 IS NULL)", "email"));
    }

    #[test]
    fn a_condition_has_to_close_what_it_opens() {
        for good in [
            "id <= 10",
            "(a = ')' OR \"b)\" = 'it''s')",
            "a = E'\\')' AND b = $$)$$ AND c = $x$;$$)$x$",
            "note = 'e\\' AND b",
            "/* ( /* ) */ */ id > 0",
            "id > 0 -- (\n AND b[1] = 'ü)'",
            "a$1b = 2 AND x = $1",
        ] {
            assert_eq!(one_expression(good), Ok(()), "{good}");
        }
        for bad in [
            "id <= 10) or (id > 99990",
            "(id",
            "id = 'x",
            "id = 1; DROP TABLE t",
            "true -- all",
            "/* true",
            "\"id = 1",
            "a = $x$ $y$",
            "a = E'\\'",
            "  ",
        ] {
            assert!(one_expression(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn literals_are_left_out_of_messages() {
        assert_eq!(without_literals("(email <> 'ada@x.org'::text)"), "(email <> '…'::text)");
        assert!(!without_literals("(a = 'it''s ada'::text)").contains("ada"));
    }

    #[test]
    fn null_tests_are_told_from_comparisons() {
        assert!(only_null_tests("(deleted_at IS NULL)", "deleted_at"));
        assert!(only_null_tests("((deleted_at IS NOT NULL) AND (x = 1))", "deleted_at"));
        assert!(!only_null_tests("((deleted_at IS NULL) OR (deleted_at > now()))", "deleted_at"));
    }

    #[test]
    fn lower_and_upper_are_recognized_with_casts_only() {
        assert!(is_cased("lower(email)", "email"));
        assert!(is_cased("lower((email)::text)", "email"));
        assert!(is_cased("upper((email)::text)", "email"));
        assert!(!is_cased("md5(email)", "email"));
        assert!(is_cased("lower(\"E-Mail\")", "E-Mail"));
        assert!(!is_cased("lower(split_part(email, '@'::text, 1))", "email"));
        assert!(!is_cased("lower(email || name)", "email"));
    }
    #[test]
    fn strict_expressions_are_null_with_their_columns() {
        for strict in [
            "upper((fax)::text)",
            "(meta ->> 'ref'::text)",
            "((meta ->> 'OR || f('::text))::character varying(20)",
            "pg_catalog.lower(\"E-Mail (old)\")",
            "((a + b) * 2)",
            "btrim(lower(x), ' '::text)",
            "SUBSTRING(x FROM 1 FOR 3)",
        ] {
            assert!(is_strict(strict), "{strict}");
        }
        for answers in [
            "COALESCE(fax, ''::character varying)",
            "(fax IS NULL)",
            "(a || b)",
            "public.lower(fax)",
            "public.\"F\"(fax)",
            "f(fax)",
            "((a > 0) OR (b > 0))",
            "ARRAY[a, b]",
            "concat(a, b)",
        ] {
            assert!(!is_strict(answers), "{answers}");
        }
    }
}
