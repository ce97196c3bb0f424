//! Names as words: split, folded, in the singular, and taken apart where they were run together.

use std::collections::HashSet;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::canonical_combining_class;

/// Shortest word that another one may be glued to: shorter ones turn up in every long word by chance.
const PIECE_MIN: usize = 3;
/// Letters of a word that is too short for that, and is glued all the same.
const SHORT: usize = 2;
/// Shortest word that is taken apart.
const GLUED_MIN: usize = 6;
/// Most words in one.
const PIECES_MAX: usize = 4;
/// Such words, at the start, between others and at the end.
const STARTS: &[&str] = &["ip", "cc", "db"];
const BETWEEN: &[&str] = &["of", "to", "by", "de", "du"];
const ENDINGS: &[&str] = &["id", "no", "nr", "at", "on", "ip", "cd", "nm", "dt", "by", "to", "pw"];

/// A name as words, in order.
pub(super) type Words = Vec<String>;

/// Cuts a name at `_`, blanks, signs, changes of case and between letters and digits; folds each word.
///
/// Umlauts become `ae`, `oe`, `ue` if `german`, else the bare vowel: both spellings are in use.
pub(super) fn split(name: &str, german: bool) -> Words {
    let mut words: Words = Vec::new();
    let mut word = String::new();
    let symbols: Vec<char> = name.nfc().collect();
    for (at, &c) in symbols.iter().enumerate() {
        let previous = at.checked_sub(1).map(|before| symbols[before]);
        let next = symbols.get(at + 1);
        let boundary = previous.is_some_and(|previous| {
            let case = previous.is_lowercase() && c.is_uppercase();
            // `IPAddress`: the last capital belongs to what follows.
            let acronym = previous.is_uppercase() && c.is_uppercase() && next.is_some_and(|next| next.is_lowercase());
            let digits =
                previous.is_alphabetic() && c.is_ascii_digit() || previous.is_ascii_digit() && c.is_alphabetic();
            case || acronym || digits
        });
        if (boundary || !c.is_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            fold(c, german, &mut word);
        }
    }
    if !word.is_empty() {
        words.push(word);
    }
    for word in &mut words {
        singular(word);
    }
    words
}

/// Appends a letter in lower case without its accents.
fn fold(c: char, german: bool, out: &mut String) {
    for c in c.to_lowercase() {
        match c {
            'ä' if german => out.push_str("ae"),
            'ö' if german => out.push_str("oe"),
            'ü' if german => out.push_str("ue"),
            'ß' => out.push_str("ss"),
            'ł' => out.push('l'),
            'ø' => out.push('o'),
            'æ' => out.push_str("ae"),
            'đ' | 'ð' => out.push('d'),
            // Names in capitals have the other one at the end of a word, too.
            'ς' => out.push('σ'),
            // Syllables, which are no letters with accents.
            c @ '\u{ac00}'..='\u{d7a3}' => out.push(c),
            c if c.is_ascii() => out.push(c),
            // Some accents count as letters of their own, a hamza among them.
            c => out.extend(c.nfd().filter(|part| part.is_alphanumeric() && canonical_combining_class(*part) == 0)),
        }
    }
}

/// A text in lower case without its accents; its blanks and signs stay.
pub(super) fn bare(text: &str, german: bool) -> String {
    let mut out = String::with_capacity(text.len());
    text.nfc().for_each(|c| fold(c, german, &mut out));
    out
}

/// Takes the plural `s` off. Both sides of a comparison go through here, so a wrong singular does no harm.
fn singular(word: &mut String) {
    if word.len() < 4 || ["ss", "us", "is"].iter().any(|end| word.ends_with(end)) {
        return;
    }
    if word.ends_with("sses") {
        word.truncate(word.len() - 2);
    } else if word.ends_with("ies") && word.len() > 5 {
        word.truncate(word.len() - 3);
        word.push('y');
    } else if word.ends_with('s') {
        word.pop();
    }
}

/// Takes words apart that are none of `known` but made of several of them: `emailaddress`, `homephone`.
pub(super) fn unglue(words: Words, known: &HashSet<String>) -> Words {
    let mut apart = Words::with_capacity(words.len());
    for word in words {
        if word.chars().any(is_unspaced) {
            cut(&word, known, PIECES_MAX, &mut apart);
            continue;
        }
        if word.len() < GLUED_MIN || known.contains(&word) || !word.is_ascii() {
            apart.push(word);
            continue;
        }
        match pieces(&word, known, STARTS, PIECES_MAX) {
            Some(found) => apart.extend(found.into_iter().map(|piece| {
                // `passwordsalt` begins with `passwords`.
                let mut piece = piece.to_owned();
                singular(&mut piece);
                piece
            })),
            None => apart.push(word),
        }
    }
    apart
}

/// Whether a letter is of a script that writes a name as one word: kana, Han, Hangul.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}')
}

/// Takes a known word off the end, else off the start, the longest first; two letters at least. What is left is a word.
fn cut(word: &str, known: &HashSet<String>, most: usize, apart: &mut Words) {
    if word.is_empty() || most == 0 || known.contains(word) {
        apart.extend((!word.is_empty()).then(|| word.to_owned()));
        return;
    }
    let places: Vec<usize> = word.char_indices().map(|(place, _)| place).skip(1).collect();
    if let Some(place) =
        places.iter().take(places.len().saturating_sub(1)).find(|place| known.contains(&word[**place..]))
    {
        cut(&word[..*place], known, most - 1, apart);
        apart.push(word[*place..].to_owned());
    } else if let Some(place) = places.iter().skip(1).rev().find(|place| known.contains(&word[..**place])) {
        apart.push(word[..*place].to_owned());
        cut(&word[*place..], known, most - 1, apart);
    } else {
        apart.push(word.to_owned());
    }
}

/// The fewest known words that make up `word`; longer first words win. `short`: words too short that it may begin with.
fn pieces<'w>(word: &'w str, known: &HashSet<String>, short: &[&str], most: usize) -> Option<Vec<&'w str>> {
    let is_known = |piece: &str| {
        let mut stem = piece.to_owned();
        singular(&mut stem);
        piece.len() >= PIECE_MIN && (known.contains(piece) || known.contains(&stem))
    };
    if most == 0 {
        return None;
    }
    let mut best: Option<Vec<&str>> = None;
    for cut in (SHORT..word.len()).rev() {
        let (first, rest) = word.split_at(cut);
        if !is_known(first) && !short.contains(&first) {
            continue;
        }
        let tail = if is_known(rest) || ENDINGS.contains(&rest) {
            Some(vec![rest])
        } else if rest.len() >= PIECE_MIN + SHORT {
            pieces(rest, known, BETWEEN, most - 1)
        } else {
            None
        };
        if let Some(tail) = tail.filter(|tail| best.as_ref().is_none_or(|best| tail.len() + 1 < best.len())) {
            best = Some(std::iter::once(first).chain(tail).collect());
        }
    }
    best.filter(|best| best.len() <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str) -> String {
        split(name, true).join(" ")
    }

    #[test]
    fn names_are_cut_where_people_cut_them() {
        assert_eq!(words("first_name"), "first name");
        assert_eq!(words("PersonHomePhone"), "person home phone");
        assert_eq!(words("IPAddress"), "ip address");
        assert_eq!(words("clientIP"), "client ip");
        assert_eq!(words("ADDR_LINE_2"), "addr line 2");
        assert_eq!(words("ort01"), "ort 01");
        assert_eq!(words("Straße Nr."), "strasse nr");
        assert_eq!(words("Prénom"), "prenom");
        assert_eq!(words("emails"), "email");
        assert_eq!(words("home_addresses"), "home address");
        assert_eq!(words("status"), "status");
        assert_eq!(split("Empfänger", true), ["empfaenger"]);
        assert_eq!(split("Förnamn", false), ["fornamn"]);
        assert_eq!(words("дата_рождения"), "дата рождения");
        assert_eq!(words("ΌνομαΠελάτη ΠΕΛΆΤΗΣ πελάτης"), "ονομα πελατη πελατησ πελατησ");
        assert_eq!(words("الأسم"), words("الاسم"));
        assert_eq!(words("電話番号2"), "電話番号 2");
        assert_eq!(split("이름", true), ["이름"]);
    }

    #[test]
    fn words_run_together_come_apart() {
        let known: HashSet<String> =
            ["email", "address", "home", "phone", "customer", "first", "name", "password", "salt", "alt"]
                .map(str::to_owned)
                .into();
        let apart = |word: &str| unglue(vec![word.to_owned()], &known).join(" ");
        assert_eq!(apart("emailaddress"), "email address");
        assert_eq!(apart("emailaddresses"), "email address");
        assert_eq!(apart("customerfirstname"), "customer first name");
        assert_eq!(apart("customerid"), "customer id");
        // Longer first words win, so it is `passwords` that comes off, and a password either way.
        assert_eq!(apart("passwordsalt"), "password alt");
        assert_eq!(apart("telephone"), "telephone");
        assert_eq!(apart("homeofaddress"), "home of address");
        assert_eq!(apart("ccphonenameto"), "cc phone name to");
        // Short words stand where people put them, and nothing may be left.
        assert_eq!(apart("tophone"), "tophone");
        assert_eq!(apart("homeofad"), "homeofad");
        assert_eq!(apart("xylophone"), "xylophone");
        let known: HashSet<String> =
            ["電話番号", "番号", "患者", "姓名", "区分", "주소", "id"].map(str::to_owned).into();
        let apart = |word: &str| unglue(vec![word.to_owned()], &known).join(" ");
        assert_eq!(apart("電話番号"), "電話番号");
        assert_eq!(apart("患者姓名"), "患者 姓名");
        assert_eq!(apart("自宅電話番号"), "自宅 電話番号");
        assert_eq!(apart("電話番号区分"), "電話番号 区分");
        assert_eq!(apart("患者電話番号id"), "患者 電話番号 id");
        assert_eq!(apart("배송주소"), "배송 주소");
        assert_eq!(apart("姓"), "姓");
        assert_eq!(apart("商品"), "商品");
    }
}
