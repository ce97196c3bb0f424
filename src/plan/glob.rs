//! Names with `*` and `?`, and which of two patterns is the more specific one. The same rules as `config::matches`.

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
