//! Reads SQL expressions as far as needed to see which columns they name.

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

/// The expression with its string literals left out: somebody may have written a person's data into a condition.
pub(super) fn without_literals(sql: &str) -> String {
    sql.split('\'').enumerate().map(|(number, part)| if number % 2 == 0 { part } else { "'…'" }).collect()
}

/// Whether an expression names a column.
pub(super) fn mentions(sql: &str, column: &str) -> bool {
    tokens(sql).iter().any(|token| matches!(token, Token::Name(name) if name == column))
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

/// Whether an expression is `lower(column)`, with or without a cast to text.
pub(super) fn is_lower(sql: &str, column: &str) -> bool {
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
    plain && matches!(names, ["lower", name] | ["lower", name, "text"] if *name == column)
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
    fn lower_is_recognized_with_casts_only() {
        assert!(is_lower("lower(email)", "email"));
        assert!(is_lower("lower((email)::text)", "email"));
        assert!(is_lower("lower(\"E-Mail\")", "E-Mail"));
        assert!(!is_lower("lower(split_part(email, '@'::text, 1))", "email"));
        assert!(!is_lower("lower(email || name)", "email"));
    }
}
