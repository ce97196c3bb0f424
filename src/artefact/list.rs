//! Arrays of PostgreSQL as lists of Arrow: those of one dimension that count from 1, which is how almost every array is.
//!
//! A list has no place for more dimensions or another lower bound, so such arrays are exceptions, as are arrays with an
//! element that the type of the list cannot hold.

use std::borrow::Cow;

/// The elements of the text of an array, NULL as none; none if it is no plain array of one dimension.
pub(super) fn elements(text: &str) -> Option<Vec<Option<Cow<'_, str>>>> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?;
    let mut found = Vec::new();
    if rest.is_empty() {
        return Some(found);
    }
    loop {
        let (element, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let (element, after) = unquoted(quoted)?;
                (Some(Cow::Owned(element)), after)
            }
            None => {
                let (element, after) = rest.split_at(rest.find(',').unwrap_or(rest.len()));
                if element.is_empty() || element.contains(['{', '}', '"', '\\']) {
                    return None;
                }
                ((!element.eq_ignore_ascii_case("NULL")).then_some(Cow::Borrowed(element)), after)
            }
        };
        found.push(element);
        match after.strip_prefix(',') {
            Some(more) => rest = more,
            None => return after.is_empty().then_some(found),
        }
    }
}

/// What stands before the closing quote, and what comes behind it; a backslash takes the next character as it is.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut element = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((element, &text[at + 1..])),
            '\\' => element.push(characters.next()?.1),
            other => element.push(other),
        }
    }
    None
}

/// Appends an element as PostgreSQL writes it: in quotes where it could be read as something else.
pub(super) fn put_element(element: &[u8], out: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'{' | b'}' | b',' | b' ' | b'\t'..=b'\r');
    if !element.is_empty() && !element.iter().any(special) && !element.eq_ignore_ascii_case(b"NULL") {
        return out.extend_from_slice(element);
    }
    out.push(b'"');
    for byte in element {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(elements: &[Option<&str>]) -> String {
        let mut out = vec![b'{'];
        for (number, element) in elements.iter().enumerate() {
            if number > 0 {
                out.push(b',');
            }
            match element {
                Some(element) => put_element(element.as_bytes(), &mut out),
                None => out.extend_from_slice(b"NULL"),
            }
        }
        out.push(b'}');
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn arrays_are_read_and_written_as_postgresql_does() {
        for (text, expected) in [
            ("{}", vec![]),
            ("{1,NULL,-3}", vec![Some("1"), None, Some("-3")]),
            (r#"{"NULL","",a,"b c","d\"\\e","{f}","g,h"}"#, {
                vec![Some("NULL"), Some(""), Some("a"), Some("b c"), Some("d\"\\e"), Some("{f}"), Some("g,h")]
            }),
        ] {
            let found = elements(text).expect("an array");
            let found: Vec<Option<&str>> = found.iter().map(Option::as_deref).collect();
            assert_eq!(found, expected, "{text}");
            assert_eq!(written(&expected), text);
        }
        for text in ["", "{", "{{1},{2}}", "[0:1]={1,2}", "{1,}", "{\"a}", "{\"a\"b}", "1,2"] {
            assert!(elements(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_elements_come_back(values in proptest::collection::vec(proptest::option::of("[^\0]{0,8}"), 0..8)) {
            let values: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
            let text = written(&values);
            let found = elements(&text).expect("an array");
            prop_assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), values);
        }
    }
}
