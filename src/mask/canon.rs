//! The canonical form of text: what is keyed, so that spellings of one value get one mask.
//!
//! Source: MASKING.md section 3, `canon_text`.

use super::unicode::{full_fold, is_assigned};
pub use super::unicode::{is_telling, is_white_space};
use unicode_normalization::UnicodeNormalization;

/// Appends the canonical form of `text`: NFKC, full case fold (if `fold`), NFKC, white space trimmed and collapsed.
///
/// A text with a code point unassigned in Unicode 16.0 is appended unchanged, because its form could differ in a later
/// version. Pure ASCII takes a path without tables and gives the same bytes.
pub fn push_canonical(text: &str, fold: bool, out: &mut String) {
    if text.is_ascii() {
        if !text.bytes().any(|byte| byte.is_ascii_whitespace() || byte == 0x0b) {
            let start = out.len();
            out.push_str(text);
            if fold {
                out[start..].make_ascii_lowercase();
            }
            return;
        }
        return push_collapsed(text.chars(), fold, out);
    }
    if !text.chars().all(is_assigned) {
        return out.push_str(text);
    }
    if !fold {
        return push_collapsed(text.nfkc(), false, out);
    }
    let mut folded = String::with_capacity(text.len() + 8);
    for c in text.nfkc() {
        match full_fold(c) {
            _ if c.is_ascii() => folded.push(c.to_ascii_lowercase()),
            Some(mapped) => folded.push_str(mapped),
            None => folded.push(c),
        }
    }
    push_collapsed(folded.nfkc(), false, out);
}

/// Returns the canonical form of `text`; see [`push_canonical`].
pub fn canonical(text: &str, fold: bool) -> String {
    let mut out = String::with_capacity(text.len());
    push_canonical(text, fold, &mut out);
    out
}

/// Tells whether there is nothing to mask: no character, or white space only.
pub fn is_blank(text: &str) -> bool {
    match text.as_bytes().first() {
        Some(first) if first.is_ascii_graphic() => false,
        _ => text.chars().all(is_white_space),
    }
}

fn push_collapsed(text: impl Iterator<Item = char>, fold_ascii: bool, out: &mut String) {
    let start = out.len();
    let mut gap = false;
    for c in text {
        if is_white_space(c) {
            gap = true;
            continue;
        }
        if gap && out.len() > start {
            out.push(' ');
        }
        gap = false;
        out.push(if fold_ascii { c.to_ascii_lowercase() } else { c });
    }
}

/// Splits a canonical e-mail address off `text` into `out` as `local@domain`; returns where the domain starts in what
/// was appended. None, with `out` unchanged, if it is not an address.
///
/// The last `@` splits; the trailing dot of a domain is dropped. The check is looser than RFC 5321 on purpose: what
/// looks like an address to an application must join like one.
pub fn push_email(text: &str, fold: bool, out: &mut String) -> Option<usize> {
    let (local, domain) = text.rsplit_once('@')?;
    let start = out.len();
    push_canonical(local, fold, out);
    let local_end = out.len();
    out.push('@');
    push_canonical(domain, true, out);
    if out.ends_with('.') {
        out.pop();
    }
    let (local, domain) = (&out[start..local_end], &out[local_end + 1..]);
    if is_local(local) && is_domain(domain) {
        return Some(local_end + 1 - start);
    }
    out.truncate(start);
    None
}

fn is_local(local: &str) -> bool {
    let quoted = local.len() > 2 && local.starts_with('"') && local.ends_with('"');
    /// ASCII that may stand in a local part without quotes.
    const PLAIN: [bool; 128] = {
        let mut plain = [false; 128];
        let mut byte = 0x21;
        while byte < 0x7f {
            plain[byte] = !matches!(
                byte as u8,
                b'@' | b'<' | b'>' | b'(' | b')' | b'[' | b']' | b',' | b';' | b':' | b'\\' | b'"'
            );
            byte += 1;
        }
        plain
    };
    if local.bytes().all(|byte| PLAIN.get(usize::from(byte)).copied().unwrap_or(false)) {
        return !local.is_empty();
    }
    let plain = |c: char| !(is_white_space(c) || c.is_control() || "@<>()[],;:\\\"".contains(c));
    !local.is_empty() && (quoted && !local.chars().any(char::is_control) || local.chars().all(plain))
}

/// Tells whether a canonical text can be the name of a host, or an address in brackets.
pub fn is_domain(domain: &str) -> bool {
    if domain.starts_with('[') {
        return domain.len() > 2
            && domain.ends_with(']')
            && domain[1..domain.len() - 1].bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-".contains(&byte));
    }
    if domain.is_ascii() {
        // Nearly all are, and every address of a text is asked.
        let mut label = 0;
        for byte in domain.bytes() {
            label = match byte {
                b'.' if label > 0 => 0,
                b'-' | b'_' => label + 1,
                _ if byte.is_ascii_alphanumeric() => label + 1,
                _ => return false,
            };
        }
        return label > 0;
    }
    let in_label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || (!c.is_ascii() && !is_white_space(c));
    !domain.is_empty() && domain.split('.').all(|label| !label.is_empty() && label.chars().all(in_label))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_agree() {
        let canon = |text: &str| {
            let mut out = String::new();
            push_email(text, true, &mut out).map(|_| out)
        };
        for text in ["Bob@X.com", " bob@x.com", "ｂob@x.com", "bob@x.com.", "BOB@x.COM\t"] {
            assert_eq!(canon(text).as_deref(), Some("bob@x.com"), "{text}");
        }
        for text in ["bob", "@x.com", "bob@", "bob@x..com", "Bob <bob@x.com>", "bob@x.com, al@x.com", "b@x y.com"] {
            assert_eq!(canon(text), None, "{text}");
        }
        assert_eq!(canon("\"a@b\"@x.com").as_deref(), Some("\"a@b\"@x.com"));
    }

    #[test]
    fn ascii_path_equals_the_general_path() {
        for text in ["", " ", "  A  b\tC\r\n", "Zoë", "plain", "\u{b}x\u{c}y"] {
            let mut general = String::new();
            // A trailing non-ASCII letter forces the general path.
            push_canonical(&format!("{text}\u{e9}"), true, &mut general);
            assert_eq!(canonical(&format!("{text}\u{e9}"), true), general);
            if text.is_ascii() && !text.ends_with(char::is_whitespace) {
                assert_eq!(format!("{}\u{e9}", canonical(text, true)), general, "{text:?}");
            }
        }
    }

    #[test]
    fn folding_is_full_and_stable() {
        assert_eq!(canonical("STRASSE", true), canonical("Straße", true));
        assert_eq!(canonical("ΣΊΣΥΦΟΣ", true), canonical("σίσυφος", true));
        assert_eq!(canonical("ﬁnn", true), "finn");
        assert_eq!(canonical("\u{1c89}", true), "\u{1c8a}");
        assert_eq!(canonical("Ａ\u{3000}Ｂ", true), "a b");
        assert_eq!(canonical("  Zoë ", false), "Zoë");
        for text in ["ǅ Ⅷ ﷺ", "İstanbul", "ẞ", "ΐ", "\u{1e9b}\u{323}"] {
            let once = canonical(text, true);
            assert_eq!(canonical(&once, true), once, "{text}");
        }
    }

    #[test]
    fn a_code_point_unassigned_in_16_0_leaves_the_text_alone() {
        // Assigned in Unicode 17.0.
        let text = "  Bob \u{16ea0}";
        assert_eq!(canonical(text, true), text);
        assert!(is_telling('\u{16ea0}') && is_telling('٣') && !is_telling('😀') && !is_telling('\u{301}'));
    }
}
