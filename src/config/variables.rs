//! `${VAR}` in strings.
//!
//! `${VAR}` must be set; `${VAR:-default}` and `${VAR:?message}` treat an empty variable as unset, as the shell does.
//! `$${` is a literal `${`; every other `$` stands for itself, so SQL `$1` and JSON paths `$.a` need no care.

/// Why a string could not be resolved. Holds names and messages from the file, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    Unset { name: String, message: Option<String> },
    Syntax { detail: String },
}

/// Replaces the variables of `raw`; the value of a variable is not read for variables again.
///
/// # Errors
/// Every problem of the string.
pub(super) fn expand(raw: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Vec<Problem>> {
    let mut text = String::with_capacity(raw.len());
    let mut problems = Vec::new();
    let mut rest = raw;
    while let Some(at) = rest.find("${") {
        let before = &rest[..at];
        let after = &rest[at + 2..];
        if let Some(escaped) = before.strip_suffix('$') {
            text.push_str(escaped);
            text.push_str("${");
            rest = after;
            continue;
        }
        text.push_str(before);
        let Some(end) = after.find('}') else {
            problems.push(Problem::Syntax { detail: "`${` has no closing `}`".to_owned() });
            rest = "";
            break;
        };
        match variable(&after[..end], env) {
            Ok(value) => text.push_str(&value),
            Err(problem) => problems.push(problem),
        }
        rest = &after[end + 1..];
    }
    text.push_str(rest);
    if problems.is_empty() { Ok(text) } else { Err(problems) }
}

fn variable(inside: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Problem> {
    let length = inside.len() - inside.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_').len();
    let (name, rest) = inside.split_at(length);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(Problem::Syntax { detail: "`${` must be followed by the name of a variable".to_owned() });
    }
    if rest.contains("${") {
        return Err(Problem::Syntax { detail: format!("`${{{name}…}}` holds another `${{`; variables do not nest") });
    }
    // Not asked for unless the syntax is sound; the value never leaves this function except as the result.
    let set = || env(name);
    let filled = || set().filter(|value| !value.is_empty());
    let unset = |message: Option<&str>| {
        let message = message.map(str::trim).filter(|message| !message.is_empty());
        Problem::Unset { name: name.to_owned(), message: message.map(str::to_owned) }
    };
    if rest.is_empty() {
        set().ok_or_else(|| unset(None))
    } else if let Some(default) = rest.strip_prefix(":-") {
        Ok(filled().unwrap_or_else(|| default.to_owned()))
    } else if let Some(message) = rest.strip_prefix(":?") {
        filled().ok_or_else(|| unset(Some(message)))
    } else {
        let detail = format!("after the name in `${{{name}…}}` stands neither `}}`, `:-` nor `:?`");
        Err(Problem::Syntax { detail })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "A" => Some("alpha".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICK" => Some("${A}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_replaced() {
        for (raw, expected) in [
            ("plain", "plain"),
            ("${A}", "alpha"),
            ("x${A}y${A}", "xalphayalpha"),
            ("${EMPTY}", ""),
            ("${EMPTY:-d}", "d"),
            ("${NONE:-d:-e}", "d:-e"),
            ("${NONE:-}", ""),
            ("${A:?m}", "alpha"),
            ("${TRICK}", "${A}"),
            ("$${A}", "${A}"),
            ("$$${A}", "$${A}"),
            ("$1 $.a $$ $", "$1 $.a $$ $"),
        ] {
            assert_eq!(expand(raw, &env).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn every_problem_of_a_string_is_told() {
        let unset = |name: &str, message: Option<&str>| Problem::Unset {
            name: name.to_owned(),
            message: message.map(str::to_owned),
        };
        assert_eq!(expand("${X} ${Y:? say why }", &env), Err(vec![unset("X", None), unset("Y", Some("say why"))]));
        assert_eq!(expand("${EMPTY:?}", &env), Err(vec![unset("EMPTY", None)]));
        for raw in ["${", "${A", "${}", "${1}", "${A-b}", "${A:+b}", "${A:-${B}}", "${ A}"] {
            assert!(matches!(expand(raw, &env).unwrap_err()[0], Problem::Syntax { .. }), "{raw}");
        }
    }
}
