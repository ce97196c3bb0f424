//! What stands between two names that stand beside each other: blanks, marks, tags, and the key of the second one.

use super::words::in_name;
use super::written::{tag, tag_before};
use unicode_normalization::char::is_combining_mark;

/// Characters between two names, blanks and tags not counted: `lindqvist, tim`, `**tim** lindqvist`.
const APART_MAX: usize = 3;
/// Longest key between two of them: `"first":"tim","last":"lindqvist"`.
const KEY_MAX: usize = 32;

pub(super) fn in_word(c: char) -> bool {
    in_name(c) || !c.is_ascii() && is_combining_mark(c)
}

/// How long what parts a name from the next word is; none if that is too far, or the end of a sentence.
pub(super) fn gap(text: &str) -> Option<usize> {
    between(|passed| {
        let rest = &text[passed..];
        (rest.chars().next(), tag(rest))
    })
}

/// Where the word before a name ends; none as for [`gap`].
pub(super) fn gap_before(text: &str) -> Option<usize> {
    let passed = between(|passed| {
        let rest = &text[..text.len() - passed];
        (rest.chars().next_back(), tag_before(rest))
    })?;
    Some(text.len() - passed)
}

/// How many bytes are passed before a word comes. `next`: the character after so many, and the length of a tag there.
fn between(next: impl Fn(usize) -> (Option<char>, Option<usize>)) -> Option<usize> {
    let (mut passed, mut apart) = (0, 0);
    loop {
        let (c, tag) = next(passed);
        let c = c?;
        if let Some(len) = tag {
            passed += len;
            continue;
        }
        if in_word(c) {
            return (passed > 0).then_some(passed);
        }
        apart += usize::from(!c.is_whitespace());
        if apart > APART_MAX || matches!(c, '!' | '?') {
            return None;
        }
        passed += c.len_utf8();
    }
}

/// What stands behind a key begins so.
pub(super) fn is_behind_key(text: &str) -> bool {
    ["\":", "':", "="].iter().any(|mark| text.starts_with(mark))
}

/// How far a value is whose key stands there.
pub(super) fn behind_key(text: &str) -> Option<usize> {
    let mut key = text.char_indices().take_while(|(at, _)| *at <= KEY_MAX);
    let (len, _) = key.find(|(_, c)| !in_word(*c) && *c != '_')?;
    let value = gap(&text[len..]).filter(|_| is_behind_key(&text[len..]))?;
    Some(len + value)
}

/// Where what stands before a key ends, if one ends at `stop` and its value is what follows the text.
pub(super) fn before_key(text: &str, stop: usize) -> Option<usize> {
    // One more than a key has: what is longer is none.
    let least = text.floor_char_boundary(stop.saturating_sub(KEY_MAX + 1));
    let key = least + text[least..stop].trim_end_matches(|c| in_word(c) || c == '_').len();
    let is_key = is_behind_key(&text[stop..]) && stop - key <= KEY_MAX;
    if is_key { gap_before(&text[..key]) } else { None }
}
