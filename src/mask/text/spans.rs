//! One pass over a text that finds everything to be masked, and the choice among spans that overlap.

use super::ids::Kinds;
use super::names::Names;
use super::regions::Plan;
use super::words::is_wordless;
use super::written::{self, Plain};
use super::{net, numbers};
use std::collections::BTreeMap;

/// What found a span; the order breaks ties between overlapping spans of equal length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Detector {
    Email,
    /// An e-mail address inside a URL, with `%40`, inside of two with `%2540`, or in quoted-printable, with `=40`.
    EncodedEmail,
    Card,
    Ssn,
    /// A bank account or national identifier; its place in [`super::ids::KINDS`].
    Id(u8),
    Phone,
    Ip,
    /// A user name in a URL.
    Username,
    /// Credentials in a URL, and what an overlap leaves over.
    Secret,
    /// A value of another column of the row; the number of its needle.
    Name(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub start: usize,
    pub end: usize,
    pub detector: Detector,
    /// A check digit or the grammar of a URL confirms it.
    pub sure: bool,
}

/// Spans of one text. Reused from text to text.
#[derive(Default)]
pub(super) struct Found {
    pub spans: Vec<Span>,
    /// Runs of digit groups with at least seven digits that no detector took.
    pub rejected: Vec<(usize, usize)>,
    /// How telephone numbers are written where the texts come from.
    pub plan: Option<&'static Plan>,
    /// The national identifiers that columns of the same table hold.
    pub columns: Kinds,
    /// The text has escapes of JSON, which a mask must fit between.
    pub escaped: bool,
    /// Entities or percent- or quoted-printable escapes may stand in it.
    pub marked: bool,
    chosen: Vec<Span>,
    plain: Plain,
    unescaped: Plain,
}

/// Numbers whose copies are looked for in one text.
const SPREAD_MAX: usize = 64;

/// Byte classes of the scan. Letters that begin a name of the row are added per row.
const AT: u8 = 1;
const DIGIT: u8 = 2;
const COLON: u8 = 4;
const MARK: u8 = 8;
pub(super) const NAME: u8 = 16;
const PATH: u8 = 32;

/// The classes without the row's names. Lead bytes of non-ASCII characters always may begin a name.
pub(super) const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'@' => AT,
            b'0'..=b'9' => DIGIT,
            b':' => COLON,
            b'%' | b'&' | b'=' => MARK,
            b'/' | b'?' => PATH,
            0xc2.. => NAME,
            _ => 0,
        };
        byte += 1;
    }
    classes
};

/// Whether a name may begin there: not inside of a word, but where it goes on in another script or with a capital behind a
/// small letter (`MrSmith`), and behind digits.
#[inline]
fn may_begin(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    let Some(before) = at.checked_sub(1).map(|before| bytes[before]).filter(u8::is_ascii_alphabetic) else {
        return true;
    };
    match bytes[at] {
        byte if byte.is_ascii() => byte.is_ascii_uppercase() && before.is_ascii_lowercase(),
        _ => text[at..].chars().next().is_some_and(|c| c.is_uppercase() || is_wordless(c)),
    }
}

impl Found {
    pub(super) fn push(&mut self, start: usize, end: usize, detector: Detector, sure: bool) {
        self.spans.push(Span { start, end, detector, sure });
    }

    /// Fills `spans` with what has to be masked in `text`: disjoint, in order. No span has half of an escape.
    pub(super) fn find(&mut self, text: &str, names: &Names) {
        self.spans.clear();
        self.rejected.clear();
        let mut unescaped = std::mem::take(&mut self.unescaped);
        self.escaped = unescaped.read_escapes(text, None);
        if self.escaped {
            self.names_in_escapes(text, &unescaped, names);
            self.find_in(&unescaped.text, names);
            for span in &mut self.spans {
                (span.start, span.end) = unescaped.place(span.start, span.end);
            }
            if unescaped.colored {
                self.find_joined(text, names, |plain, found| plain.read_escapes(text, Some(found)));
            }
        } else {
            self.find_in(text, names);
        }
        self.unescaped = unescaped;
    }

    /// `C:\nora` is a path as well as a new line: what follows such a letter is masked if both are the name.
    fn names_in_escapes(&mut self, text: &str, unescaped: &Plain, names: &Names) {
        for at in unescaped.words_in_escapes(text) {
            if names.classes()[usize::from(text.as_bytes()[at])] & NAME != 0 {
                names.find(text, at, self);
            }
        }
        for span in &mut self.spans {
            (span.start, span.end) = unescaped.place_seen(span.start, span.end);
        }
        self.spans.retain(|span| span.start < span.end);
    }

    fn find_in(&mut self, text: &str, names: &Names) {
        self.scan(text, names);
        self.find_as_seen(text, names);
        if !self.spans.is_empty() {
            if !self.rejected.is_empty() {
                self.spread(text);
            }
            self.settle(text);
        }
        if text.contains('<') {
            self.find_joined(text, names, |plain, found| plain.read(text, Some(found)));
        }
    }

    fn settle(&mut self, text: &str) {
        self.spans.sort_unstable_by_key(|span| (span.start, span.end));
        if self.spans.windows(2).any(|pair| pair[1].start < pair[0].end) {
            self.choose(text);
        }
    }

    fn scan(&mut self, text: &str, names: &Names) {
        let bytes = text.as_bytes();
        let classes = names.classes();
        self.marked = false;
        // Up to where numbers, IPv6 addresses and URLs are already looked at.
        let (mut number, mut address, mut url) = (0, 0, 0);
        let mut soft_breaks = None;
        for (at, &byte) in bytes.iter().enumerate() {
            let class = classes[usize::from(byte)];
            if class == 0 {
                continue;
            }
            if byte == 0xef && net::WIDE_ATS.iter().any(|sign| bytes[at..].starts_with(sign.as_bytes())) {
                net::wide_email(text, at, self);
            }
            if class & NAME != 0 && may_begin(text, at) {
                names.find(text, at, self);
            }
            if class & DIGIT != 0 && at >= number {
                number = numbers::find(text, at, self);
            } else if class & AT != 0 {
                net::email(text, at, self);
            } else if class & COLON != 0 {
                if bytes[at..].starts_with(b"://") {
                    url = net::url(text, at, url, self);
                } else if at >= address {
                    address = net::ipv6(text, at, self);
                }
            } else if class & PATH != 0 {
                if at >= url && at > 0 && bytes[at - 1].is_ascii_alphanumeric() {
                    url = net::bare_url(text, at, self).max(url);
                } else if bytes[at..].starts_with(b"//") && (at == 0 || !matches!(bytes[at - 1], b':' | b'/')) {
                    net::credentials_of_host(text, at, self);
                }
            } else if class & MARK != 0 && written::may_begin(&bytes[at..]) {
                self.marked = true;
                if let Some(sign) = net::ENCODED_ATS.iter().find(|sign| bytes[at..].starts_with(sign.as_bytes())) {
                    let mut is_mail = || *soft_breaks.get_or_insert_with(|| written::has_soft_break(text));
                    if byte == b'%' || net::is_in_encoded_word(text, at) || is_mail() {
                        net::encoded_email(text, at, sign, self);
                    }
                } else if byte == b'%' {
                    number = number.max(written::escape_end(text, at).unwrap_or(0));
                }
            }
        }
    }

    /// Looks for names once more where a text has letters written as something else, for numbers where entities and escapes
    /// stand, and for addresses where that is an entity; the other forms stand in addresses as they are.
    fn find_as_seen(&mut self, text: &str, names: &Names) {
        if names.is_empty() && !self.marked || !self.plain.read(text, None) {
            return;
        }
        let plain = std::mem::take(&mut self.plain);
        let mut seen = self.look(&plain, names);
        // In the order of the text: one number ends before the next begins.
        let mut dialed: Vec<(usize, usize)> = Vec::new();
        for span in &mut seen {
            let plus = span.detector == Detector::Phone && plain.text[span.start..].starts_with('+');
            (span.start, span.end) = plain.place(span.start, span.end);
            dialed.extend(plus.then_some((span.start, span.end)));
        }
        // Without its plus a telephone number may have been a card.
        self.spans.retain(|span| {
            let phone = dialed[..dialed.partition_point(|(start, _)| *start <= span.start)].last();
            span.detector != Detector::Card || phone.is_none_or(|(_, end)| *end < span.end)
        });
        seen.retain(|span| span.detector != Detector::Email || text[span.start..span.end].contains('&'));
        self.spans.append(&mut seen);
        self.plain = plain;
    }

    /// Looks once more for names, in a text that is read without what stands inside of words: `grep` colors a part of one.
    /// What was found otherwise is no part of that.
    fn find_joined(&mut self, text: &str, names: &Names, read: impl FnOnce(&mut Plain, &[(usize, usize)]) -> bool) {
        if names.is_empty() {
            return;
        }
        let taken: Vec<(usize, usize)> = self.spans.iter().map(|span| (span.start, span.end)).collect();
        if !read(&mut self.plain, &taken) {
            return;
        }
        let plain = std::mem::take(&mut self.plain);
        let (bytes, first) = (plain.text.as_bytes(), self.spans.len());
        for (at, &byte) in bytes.iter().enumerate() {
            if names.classes()[usize::from(byte)] & NAME != 0 && may_begin(&plain.text, at) {
                names.find(&plain.text, at, self);
            }
        }
        let mut joined = self.spans.split_off(first);
        joined.retain(|span| plain.is_joined(span.start, span.end));
        for span in &mut joined {
            (span.start, span.end) = plain.place(span.start, span.end);
        }
        self.spans.append(&mut joined);
        self.settle(text);
        self.plain = plain;
    }

    /// The names, addresses and numbers of a text as a reader sees it.
    fn look(&mut self, plain: &Plain, names: &Names) -> Vec<Span> {
        // Copies of numbers are looked for in the text as it is written.
        let rejected = std::mem::take(&mut self.rejected);
        let (bytes, classes, first) = (plain.text.as_bytes(), names.classes(), self.spans.len());
        let (mut number, mut address) = (0, 0);
        for (at, &byte) in bytes.iter().enumerate() {
            let class = classes[usize::from(byte)];
            if class & NAME != 0 && may_begin(&plain.text, at) {
                names.find(&plain.text, at, self);
            }
            if class & AT != 0 {
                net::email(&plain.text, at, self);
            }
            if self.marked && class & DIGIT != 0 && at >= number {
                number = numbers::find(&plain.text, at, self);
            }
            if self.marked && class & COLON != 0 && at >= address && !bytes[at..].starts_with(b"://") {
                address = net::ipv6(&plain.text, at, self);
            }
        }
        self.rejected = rejected;
        self.spans.split_off(first)
    }

    /// Adds exact copies of found numbers that no detector took, for instance because a `#` stands before them.
    fn spread(&mut self, text: &str) {
        let found = self.spans.len();
        let mut values = 0;
        for index in 0..found {
            let value = self.spans[index];
            if !matches!(value.detector, Detector::Card | Detector::Ssn | Detector::Id(_) | Detector::Phone) {
                continue;
            }
            values += 1;
            if values > SPREAD_MAX {
                return;
            }
            for &(start, end) in self.rejected.iter().filter(|(start, end)| end - start >= value.end - value.start) {
                for (offset, copy) in text[start..end].match_indices(&text[value.start..value.end]) {
                    let start = start + offset;
                    self.spans.push(Span { start, end: start + copy.len(), ..value });
                }
            }
        }
    }

    /// Resolves overlaps: confirmed spans first, then longer ones, then the order of detectors. What a losing span does
    /// not share with the winners is masked as a secret, so that no half of a value stays.
    fn choose(&mut self, text: &str) {
        let mut chosen = std::mem::take(&mut self.chosen);
        chosen.clear();
        let mut from = 0;
        while from < self.spans.len() {
            let mut end = self.spans[from].end;
            let mut to = from + 1;
            while to < self.spans.len() && self.spans[to].start < end {
                end = end.max(self.spans[to].end);
                to += 1;
            }
            let cluster = &mut self.spans[from..to];
            cluster.sort_unstable_by_key(|span| {
                (!span.sure, span.start.wrapping_sub(span.end), span.detector, span.start)
            });
            let mut winners = BTreeMap::new();
            for span in cluster.iter() {
                add(&mut winners, text, *span);
            }
            chosen.extend(winners.into_values().map(|(_, span)| span));
            from = to;
        }
        self.chosen = std::mem::replace(&mut self.spans, chosen);
    }
}

/// Adds a span to the winners, or the parts of it they leave free. Winners are kept by where they begin, with how many there
/// were before: clusters may be as long as a text.
fn add(winners: &mut BTreeMap<usize, (usize, Span)>, text: &str, span: Span) {
    let before = winners.range(..span.end).rev().map(|(_, winner)| *winner);
    let blockers: Vec<(usize, Span)> = before.take_while(|(_, other)| span.start < other.end).collect();
    let Some((_, first)) = blockers.iter().min_by_key(|(number, _)| *number) else {
        winners.insert(span.start, (winners.len(), span));
        return;
    };
    // The host of an address whose other part is a user or a credential is no value of a person.
    if span.detector == Detector::Email && matches!(first.detector, Detector::Secret | Detector::Username) {
        return;
    }
    let mut end = span.end;
    let starts = blockers.iter().map(|(_, other)| (other.end, other.start)).chain([(span.start, span.start)]);
    for (start, next) in starts {
        if start < end && text[start..end].chars().any(char::is_alphanumeric) {
            winners.insert(start, (winners.len(), Span { start, end, detector: Detector::Secret, sure: false }));
        }
        end = next;
    }
}
