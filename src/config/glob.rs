//! Names with `*` and `?`, and which of two patterns is the more specific one.

/// How specific a pattern is; the greater one wins.
///
/// A pattern without wildcards beats every glob; then more literal characters, then fewer `*`, then fewer `?`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Specificity {
    literal: bool,
    characters: usize,
    fewer_stars: std::cmp::Reverse<usize>,
    fewer_marks: std::cmp::Reverse<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Character(char),
    /// `?`
    One,
    /// `*`
    Any,
}

/// Cuts a pattern into parts; `\` makes the next character literal.
fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::with_capacity(pattern.len());
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        parts.push(match character {
            '*' => Part::Any,
            '?' => Part::One,
            '\\' => Part::Character(characters.next().unwrap_or('\\')),
            other => Part::Character(other),
        });
    }
    parts
}

/// Says whether `name` matches `pattern`: `*` is any number of any characters (dots too), `?` is one, `\` escapes.
///
/// Names are compared as stored: upper and lower case differ, there is no SQL quoting.
pub fn matches(pattern: &str, name: &str) -> bool {
    let pattern = parts(pattern);
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    // The last `*` seen, and how far into the name it reaches so far; growing only this one is enough, and keeps the
    // time at pattern × name.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(Part::Any) => {
                star = Some((p, n));
                p += 1;
            }
            Some(Part::One) => (p, n) = (p + 1, n + 1),
            Some(Part::Character(character)) if *character == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, reach)) => {
                    star = Some((at, reach + 1));
                    (p, n) = (at + 1, reach + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|part| *part == Part::Any)
}

/// The pattern that matches this name and no other.
pub fn literal(name: &str) -> String {
    let mut pattern = String::with_capacity(name.len());
    for symbol in name.chars() {
        if matches!(symbol, '*' | '?' | '\\') {
            pattern.push('\\');
        }
        pattern.push(symbol);
    }
    pattern
}

/// Tells how specific a pattern is.
pub fn specificity(pattern: &str) -> Specificity {
    let parts = parts(pattern);
    let stars = parts.iter().filter(|part| **part == Part::Any).count();
    let marks = parts.iter().filter(|part| **part == Part::One).count();
    Specificity {
        literal: stars + marks == 0,
        characters: parts.len() - stars - marks,
        fewer_stars: std::cmp::Reverse(stars),
        fewer_marks: std::cmp::Reverse(marks),
    }
}

/// Says whether a pattern has a wildcard.
pub(super) fn is_glob(pattern: &str) -> bool {
    !specificity(pattern).literal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_what_they_say() {
        for (pattern, name, expected) in [
            ("public.users", "public.users", true),
            ("public.users", "public.Users", false),
            ("public.users", "public.users2", false),
            ("audit.*", "audit.log", true),
            ("audit.*", "audit.", true),
            ("audit.*", "audits.log", false),
            ("*", "public.Order Lines", true),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "", false),
            ("public.log_????", "public.log_2024", true),
            ("public.log_????", "public.log_202", false),
            ("*a*b*c", "xxaxxbxxaxbxc", true),
            ("*a*b*c", "xxaxxbxxaxbx", false),
            ("public.a\\*b", "public.a*b", true),
            ("public.a\\*b", "public.axb", false),
            ("public.?", "public.ß", true),
            ("*.log", "my.schema.log", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} against {name}");
        }
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        assert!(!matches(&"*a".repeat(200), &"a".repeat(199)));
        assert!(!matches(&format!("{}b", "*a".repeat(100)), &"a".repeat(5000)));
    }

    #[test]
    fn specificity_orders_patterns() {
        let order = ["public.users", "a.b\\*", "public.user?", "public.user*", "public.u*r*", "*.users", "*"];
        for pair in order.windows(2) {
            assert!(specificity(pair[0]) > specificity(pair[1]), "{} before {}", pair[0], pair[1]);
        }
        assert_eq!(specificity("public.*_log"), specificity("public.app_*"));
    }
}
