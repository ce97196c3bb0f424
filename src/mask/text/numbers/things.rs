//! Numbers that are no person's by what stands around them: versions, articles, rooms and pages.

use super::Run;
use super::beside::WHOLE;

/// Words right before the number of a version; `release` and `build` stand before addresses of machines as well.
const VERSION_WORDS: &[&str] = &["version", "ver", "v"];
/// Programs that tell their version in four parts, as they write their names: `SIP/10.1.2.3`, `edge/10.1.2.3` are machines.
const PROGRAMS: &[&str] = &[
    "Chrome",
    "Chromium",
    "HeadlessChrome",
    "CriOS",
    "Edg",
    "EdgA",
    "EdgiOS",
    "OPR",
    "Firefox",
    "FxiOS",
    "Safari",
    "Version",
    "Vivaldi",
    "YaBrowser",
    "SamsungBrowser",
    "UCBrowser",
    "nginx",
    "openresty",
    "curl",
    "okhttp",
    "python-requests",
];
/// What the name of a file of a version ends with, or the version itself.
const VERSION_ENDS: &[&str] = &[".jar", ".war", ".whl", ".nupkg", "-SNAPSHOT", ".RELEASE", ".Final"];

/// Words right before the number of an article, and before that of a book in ten digits.
const ARTICLE_WORDS: &[&str] =
    &["ean", "gtin", "isbn", "upc", "ean-13", "ean-8", "gtin-13", "gtin-14", "isbn-13", "upc-a"];
const BOOK_WORDS: &[&str] = &["isbn", "isbn-10"];

/// Words that say beyond doubt that the number right behind them is a thing's, and no person's.
const THING_WORDS: &[&str] = &[
    "order",
    "po",
    "sku",
    "invoice",
    "ticket",
    "shipment",
    "tracking",
    "bestellung",
    "bestellnummer",
    "bestellnr",
    "auftrag",
    "auftragsnummer",
    "auftragsnr",
    "rechnung",
    "rechnungsnummer",
    "rechnungsnr",
    "vorgang",
    "vorgangsnummer",
    "vorgangsnr",
    "artikel",
    "artikelnummer",
    "artikelnr",
    "lieferschein",
    "sendungsnummer",
    "commande",
    "facture",
    "pedido",
    "factura",
    "fatura",
    "encomenda",
    "ordine",
    "fattura",
    "bestelling",
    "bestelnummer",
    "factuur",
    "factuurnummer",
    "ordernummer",
    "ordre",
    "ordrenummer",
    "faktura",
    "beställning",
    "tilaus",
    "lasku",
    "zamówienie",
    "zamowienie",
    "objednávka",
    "заказ",
];
/// The same, if one of the next ones follows: `case no. 4711234567`, not `in case 212…`.
const NUMBERED_WORDS: &[&str] =
    &["case", "article", "item", "batch", "lot", "serial", "part", "transaction", "purchase"];
const NUMBER_WORDS: &[&str] =
    &["no", "nos", "nr", "number", "num", "nummer", "numer", "numero", "número", "numéro", "id", "n", "nº", "номер"];
/// Digits of the longest number that such a word frees.
const THING_MAX: usize = 14;

impl Run<'_> {
    /// Numbers of things: a version in four parts, the number of an article with a right check digit, and rooms or pages one
    /// after the other.
    pub(super) fn of_things(&self, at: usize) -> Option<usize> {
        let parts = self.ipv4(at) && self.is_version(at);
        let words = match self.len(at) {
            8 | 12 | 13 | 14 => ARTICLE_WORDS,
            10 => BOOK_WORDS,
            _ => &[],
        };
        let article = !words.is_empty() && self.alone(at) && self.follows(at, words) && is_article(self.digits(at));
        let row = self.polish(at).is_some()
            && self.follows(at, &["rooms", "pages", "seats"])
            && (at..at + 2).all(|group| self.value(group) + 1 == self.value(group + 1));
        match () {
            () if parts => Some(4),
            () if article => Some(1),
            () if row => Some(3),
            () => None,
        }
    }

    /// A word says that the number is that of an order, an invoice, an article. It may begin with no 0 then: telephones do.
    pub(super) fn is_of_thing(&self, at: usize) -> bool {
        (WHOLE..=THING_MAX).contains(&self.len(at))
            && !self.digits(at).starts_with('0')
            && self.alone(at)
            && self.is_told_thing(at)
    }

    /// Such a word stands right before the number, perhaps with signs between: `order_4711`, `PO-4711`.
    pub(super) fn is_told_thing(&self, at: usize) -> bool {
        let (head, word) = last_word(&self.text[..self.groups[at].start]);
        let is = |word: &str, known: &[&str]| known.iter().any(|known| word.eq_ignore_ascii_case(known));
        if is(word, NUMBER_WORDS) {
            let (_, word) = last_word(head);
            return is(word, THING_WORDS) || is(word, NUMBERED_WORDS);
        }
        is(word, THING_WORDS)
    }

    /// One of these words stands right before the group.
    fn follows(&self, at: usize, words: &[&str]) -> bool {
        let before = &self.text[..self.groups[at].start];
        words.iter().any(|word| ends_with_word(before, word))
    }

    /// Four numbers with points between are a version: behind that word, `Chrome/119.0.0.0`, `libx.so.1.2.3.4`,
    /// `x-1.2.3.4.jar`; with a port or the length of a network behind it is an address.
    fn is_version(&self, at: usize) -> bool {
        let (before, after) = (&self.text[..self.groups[at].start], &self.text[self.groups[at + 3].end..]);
        let network =
            after.strip_prefix([':', '/']).is_some_and(|after| after.starts_with(|c: char| c.is_ascii_digit()));
        let told = self.follows(at, VERSION_WORDS);
        let ends = || VERSION_ENDS.iter().any(|end| after.starts_with(end));
        !network && (told || ends() || before.ends_with(".so.") || self.is_release(at, before))
    }

    /// The version of a program as browsers and servers tell it, `Chrome/119.0.0.0`; machines and lines of telephones are
    /// written like that with their addresses, so other names count only before zeros.
    fn is_release(&self, at: usize, before: &str) -> bool {
        let Some(before) = ["/", "%2F", "%2f"].iter().find_map(|slash| before.strip_suffix(slash)) else {
            return false;
        };
        let name =
            &before[before.trim_end_matches(|c: char| c.is_ascii_alphabetic() || matches!(c, '-' | '_')).len()..];
        let head = &before[..before.len() - name.len()];
        let path = !head.ends_with("%20")
            && head.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | ':' | '@' | '\\'));
        let zeros = self.len(at) >= 2 && (at + 1..at + 4).all(|group| self.value(group) == 0);
        let capital = name.starts_with(|c: char| c.is_ascii_uppercase());
        !path && (PROGRAMS.contains(&name) || capital && zeros)
    }
}

/// The last word of a text, in front of marks and blanks, and what stands before it.
fn last_word(text: &str) -> (&str, &str) {
    let text = text.trim_end_matches([' ', '\u{a0}', ':', '.', '-', '=', '#', '°', '_']);
    text.split_at(text.trim_end_matches(char::is_alphabetic).len())
}

/// A text ends with the word and perhaps a mark or blanks, as they are or as they stand in URLs.
fn ends_with_word(text: &str, word: &str) -> bool {
    let mut text = text;
    loop {
        let rest = text.trim_end_matches([' ', ':', '.', '-', '=', '#']);
        let rest = ["%20", "%3D", "%3d", "%3A", "%3a"].iter().find_map(|mark| rest.strip_suffix(mark)).unwrap_or(rest);
        if rest.len() == text.len() {
            break;
        }
        text = rest;
    }
    let Some(start) = text.len().checked_sub(word.len()).filter(|start| text.is_char_boundary(*start)) else {
        return false;
    };
    let head = &text[..start];
    text[start..].eq_ignore_ascii_case(word) && (!head.ends_with(char::is_alphanumeric) || head.ends_with("%20"))
}

/// The check digit of GTIN, EAN, UPC and ISBN holds.
fn is_article(digits: &str) -> bool {
    let weights: [u32; 14] = match digits.len() {
        10 => [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 0, 0, 0],
        _ => [1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3],
    };
    let sum: u32 = digits.bytes().rev().zip(weights).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    sum.is_multiple_of(if digits.len() == 10 { 11 } else { 10 })
}
