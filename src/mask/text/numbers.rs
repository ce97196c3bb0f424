//! Cards, social security numbers, phone numbers and IPv4 addresses: everything that begins with a digit. What may hold
//! letters too is looked for from its first digit on ([`super::ids`]).
//!
//! A run of digit groups (`+1 (212) 555-0100`) is cut once; the validators then look at its groups. Only ASCII digits
//! count: full-width and other Unicode digits are not looked for.

mod beside;
mod things;

use super::ids::{self, Kinds};
use super::regions::Plan;
use super::spans::{Detector, Found};
use crate::mask::phone;
use beside::{Digits, WHOLE};

/// More groups than any number has; a longer run is read in overlapping pieces.
const GROUPS_MAX: usize = 16;
/// Groups at the end of a full piece that are read again with the next one.
const GROUPS_AGAIN: usize = 8;
/// No number in one piece that is looked for is shorter.
const DIGITS_MIN: usize = 6;
/// How far before a number a word like `tel` or `ssn` may stand, in bytes.
const HINT_BYTES: usize = 24;
/// The same for words of other scripts, whose letters take two and three.
const HINT_BYTES_WIDE: usize = 40;
/// Digits of a national number with its trunk prefix, at least; most digits and groups of one.
const NATIONAL_MIN: usize = 9;
const NATIONAL_MAX: usize = 12;
const NATIONAL_GROUPS: usize = 6;
/// A group of so many digits is all that follows an area; a local number has as many at least, and two more.
const SUBSCRIBER: usize = 5;
const LOCAL_MIN: usize = 7;

/// Beginnings of words, in small letters; those with others than ASCII stand below.
const PHONE_WORDS: &[&str] = &[
    "tel", "phone", "call", "mobile", "cell", "celular", "fax", "whatsapp", "sms", "mob", "handy", "movil", "puh",
    "portable", "gsm", "komork", "natel", "viber", "wa.me",
];
const PHONE_WORDS_WIDE: &[&str] = &[
    "móvil",
    "komórk",
    "тел",
    "моб",
    "факс",
    "звон",
    "τηλ",
    "κιν",
    "טלפון",
    "נייד",
    "هاتف",
    "جوال",
    "電話",
    "电话",
    "手机",
    "手機",
    "携帯",
    "โทร",
    "전화",
    "휴대",
];
const SSN_WORDS: &[&str] = &["ssn", "ss#", "ss #", "ss no", "social", "soc sec", "soc. sec"];

/// First letters of the words above, by the low five bits of the letter.
const HINT_LETTERS: [bool; 32] = {
    let mut letters = [false; 32];
    let firsts = b"tpcfwsmhgknv";
    let mut at = 0;
    while at < firsts.len() {
        letters[(firsts[at] & 0x1f) as usize] = true;
        at += 1;
    }
    letters
};

#[derive(Clone, Copy, Default)]
struct Group {
    start: usize,
    end: usize,
}

/// The digit groups of one run. Between two groups lie one to three separator characters.
struct Run<'a> {
    text: &'a str,
    groups: [Group; GROUPS_MAX],
    count: usize,
    /// Digits in all groups together.
    total: usize,
    /// How numbers are written at home, where the policy says where that is.
    plan: Option<&'static Plan>,
    /// What the columns beside the text hold.
    columns: Kinds,
}

/// A match: how many groups it takes, and from where to where.
struct Hit {
    groups: usize,
    start: usize,
    end: usize,
    detector: Option<Detector>,
    sure: bool,
}

/// Looks at the run of digit groups that begins at `at`. Returns where the scan for numbers goes on.
pub(super) fn find(text: &str, at: usize, found: &mut Found) -> usize {
    let run = Run::read(text, at, found);
    if run.count == 1 && run.len(0) < DIGITS_MIN {
        return match ids::find(text, at, found.columns) {
            Some(id) => {
                found.push(id.start, id.end, id.detector, true);
                id.end
            }
            None => run.groups[0].end,
        };
    }
    let full = run.count == GROUPS_MAX;
    let mut next = 0;
    let mut unexplained = 0;
    let mut reached = run.groups[run.count - 1].end;
    while next < run.count {
        if full && next >= GROUPS_MAX - GROUPS_AGAIN {
            return run.groups[next].start;
        }
        match run.match_at(next) {
            Some(hit) => {
                if let Some(detector) = hit.detector {
                    found.push(hit.start, hit.end, detector, hit.sure);
                }
                reached = reached.max(hit.end);
                next += hit.groups;
                if hit.detector == Some(Detector::Phone) && run.is_line(next) && run.is_last(next) {
                    found.push(run.groups[next].start, run.groups[next].end, Detector::Phone, false);
                    next += 1;
                }
            }
            None => {
                unexplained += run.len(next);
                next += 1;
            }
        }
    }
    if unexplained >= 7 {
        found.rejected.push((at, reached));
    }
    reached
}

/// Returns the end of the separators at `at` if a digit follows them.
fn separator_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    for taken in 0..=3 {
        let byte = *bytes.get(at)?;
        at += match byte {
            b'0'..=b'9' => return (taken > 0).then_some(at),
            b' ' | b'-' | b'.' | b'/' | b'(' | b')' | b'\n' | b'\r' | b'\t' | b'_' => 1,
            // A line of a mail that is quoted.
            b'>' if taken > 0 && bytes[at - 1] == b'\n' => 1,
            _ => wide_separator(&bytes[at..])?,
        };
    }
    None
}

/// Length of a separator beyond ASCII: no-break space; spaces, hyphens and dashes of U+2000–2015, narrow no-break space.
pub(super) fn wide_separator(bytes: &[u8]) -> Option<usize> {
    match *bytes {
        [0xc2, 0xa0, ..] => Some(2),
        [0xe2, 0x80, 0x80..=0x8a | 0x90..=0x95 | 0xaf, ..] => Some(3),
        _ => None,
    }
}

/// One blank of any width stands between two groups.
fn is_blank(gap: &str) -> bool {
    let mut chars = gap.chars();
    let blank = matches!(chars.next(), Some(' ' | '\u{a0}' | '\u{202f}' | '\u{2000}'..='\u{200a}'));
    blank && chars.next().is_none()
}

impl<'a> Run<'a> {
    fn read(text: &'a str, at: usize, found: &Found) -> Self {
        let bytes = text.as_bytes();
        let groups = [Group::default(); GROUPS_MAX];
        let mut run = Run { text, groups, count: 0, total: 0, plan: found.plan, columns: found.columns };
        let mut start = at;
        loop {
            let mut end = start;
            while bytes.get(end).is_some_and(u8::is_ascii_digit) {
                end += 1;
            }
            run.groups[run.count] = Group { start, end };
            run.count += 1;
            run.total += end - start;
            match separator_end(bytes, end) {
                Some(next) if run.count < GROUPS_MAX => start = next,
                _ => return run,
            }
        }
    }

    fn len(&self, group: usize) -> usize {
        if group < self.count { self.groups[group].end - self.groups[group].start } else { 0 }
    }

    fn digits(&self, group: usize) -> &'a str {
        if group < self.count { &self.text[self.groups[group].start..self.groups[group].end] } else { "" }
    }

    fn value(&self, group: usize) -> u32 {
        self.digits(group).parse().unwrap_or(u32::MAX)
    }

    /// The separators after a group; empty after the last.
    fn gap(&self, group: usize) -> &'a str {
        if group + 1 < self.count { &self.text[self.groups[group].end..self.groups[group + 1].start] } else { "" }
    }

    fn before(&self, group: usize) -> Option<char> {
        self.text[..self.groups[group].start].chars().next_back()
    }

    fn has_lens(&self, at: usize, lens: &[usize]) -> bool {
        lens.iter().enumerate().all(|(offset, len)| self.len(at + offset) == *len)
    }

    /// The same separator stands between `count` groups.
    fn same_gaps(&self, at: usize, count: usize) -> bool {
        (at..at + count - 1).all(|group| self.gap(group) == self.gap(at))
    }

    /// One of the words stands shortly before the group, or before the list of numbers it is in, with no digit between.
    fn hinted(&self, group: usize, words: &[&str]) -> bool {
        let start = self.groups[group].start;
        self.hinted_at(start, words) || ids::list_head(self.text, start).is_some_and(|head| self.hinted_at(head, words))
    }

    fn hinted_at(&self, end: usize, words: &[&str]) -> bool {
        let bytes = &self.text.as_bytes()[end.saturating_sub(HINT_BYTES)..end];
        let from = bytes.iter().rposition(u8::is_ascii_digit).map_or(0, |at| at + 1);
        let bytes = &bytes[from..];
        let begins = |at: usize| {
            let rest = &bytes[at..];
            words
                .iter()
                .any(|word| rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes()))
        };
        let mut inside = false;
        (0..bytes.len()).any(|at| {
            let letter = bytes[at].is_ascii_alphabetic();
            let first = letter && !inside;
            inside = letter;
            first && HINT_LETTERS[usize::from(bytes[at] & 0x1f)] && begins(at)
        })
    }

    fn match_at(&self, at: usize) -> Option<Hit> {
        let start = self.groups[at].start;
        let taken = |groups: usize, detector, sure| {
            Some(Hit { groups, start, end: self.groups[at + groups - 1].end, detector, sure })
        };
        let hit = |groups, detector, sure| taken(groups, Some(detector), sure);
        if let Some(groups) = self.of_things(at) {
            return taken(groups, None, false);
        }
        let phone = || {
            let (groups, start) = if self.total >= DIGITS_MIN { self.phone(at)? } else { return None };
            let end = self.groups[at + groups - 1].end;
            Some(Hit { groups, start, end, detector: Some(Detector::Phone), sure: false })
        };
        // Check digits of cards and identifiers hold in many a telephone number by chance.
        let dialed = self.is_dialed(at);
        if dialed
            && self.len(at) >= WHOLE
            && let Some(hit) = phone()
        {
            return Some(hit);
        }
        if let Some(id) = ids::find(self.text, start, self.columns) {
            let groups = self.groups[at..self.count].iter().take_while(|group| group.start < id.end).count();
            return Some(Hit { groups, start: id.start, end: id.end, detector: Some(id.detector), sure: true });
        }
        if self.total >= 12
            && let Some((groups, sure)) = self.card(at)
            && !(dialed && self.phone(at).is_some())
        {
            return hit(groups, Detector::Card, sure);
        }
        if let Some(groups) = self.ssn(at) {
            return hit(groups, Detector::Ssn, false);
        }
        if self.ipv4(at) {
            return hit(4, Detector::Ip, false);
        }
        if self.is_of_thing(at) {
            let id = ids::find_of_thing(self.text, start, self.groups[at].end)?;
            return hit(1, id.detector, true);
        }
        if let Some(hit) = phone() {
            return Some(hit);
        }
        if let Some(id) = ids::find_strong(self.text, start, self.groups[at].end) {
            return hit(1, id.detector, true);
        }
        if self.date(at) { taken(3, None, false) } else { None }
    }

    /// The gap may stand inside a phone or social security number. Only cards are looked for across lines and `_`.
    fn close(&self, group: usize) -> bool {
        !self.gap(group).contains(['\n', '\r', '\t', '_'])
    }

    /// A single group that stands for itself: no letter, `#`, currency or decimal point touches it.
    fn alone(&self, at: usize) -> bool {
        let start = self.groups[at].start;
        let mut before = self.text[..start].chars().rev();
        let first = before.next();
        let second = before.next();
        let left = match first {
            Some('#' | '$' | '€' | '£' | '_') => false,
            Some('-' | '/' | '.') => !second.is_some_and(char::is_alphanumeric),
            Some(',') => !self.is_decimal(at),
            Some(c) => !c.is_alphanumeric(),
            None => true,
        };
        left && self.ends(at)
    }

    /// No letter, sign or decimal point follows a single group.
    fn ends(&self, at: usize) -> bool {
        if self.ipv4(at + 1) {
            return true;
        }
        let mut after = self.text[self.groups[at].end..].chars();
        match after.next() {
            Some('_' | '%' | '€') => false,
            Some('-' | '/' | '.') => !after.next().is_some_and(char::is_alphanumeric),
            Some(',') => !self.has_cents(at),
            // An extension: `4155550132x99`.
            Some('x' | 'X') => after.next().is_some_and(|c| c.is_ascii_digit()),
            Some(c) => !c.is_alphanumeric(),
            None => true,
        }
    }

    /// Returns the number of groups of a card and whether its check digit holds. Cards written in the usual blocks
    /// count with a wrong check digit too: a typo does not make one public.
    fn card(&self, at: usize) -> Option<(usize, bool)> {
        let mut lens = 0;
        let mut best = None;
        for group in at..self.count.min(at + 7) {
            lens += self.len(group);
            let count = group - at + 1;
            let parts = (at..group).all(|group| self.len(group) >= 3 && self.card_gap(group));
            // Numbers below each other are a list rather than halves of one.
            let parts = parts && (count != 2 || self.close(at));
            if lens > 19 || !parts || !self.same_gaps(at, count) {
                break;
            }
            // Bare numbers of 12 to 14 digits are cards of few brands, and far more often phones and times.
            let brand = match (lens, self.digits(at).as_bytes()[0]) {
                (12, first) => matches!(first, b'5' | b'6'),
                (13, first) => matches!(first, b'4'..=b'6'),
                (14, first) => matches!(first, b'3' | b'5' | b'6'),
                (_, first) => first != b'0',
            };
            // A check digit that holds and a usual length outweigh a letter that touches the number.
            let whole = count > 1 || self.alone(at) || matches!(lens, 15 | 16) && !self.fraction(at);
            let digits = (at..=group).flat_map(|group| self.digits(group).bytes());
            if lens >= 12 && whole && brand && luhn(digits) {
                best = Some((count, true));
            }
        }
        let blocks = |lens: &[usize]| self.has_lens(at, lens) && self.card_gap(at) && self.same_gaps(at, lens.len());
        // Where the separators differ, only a check digit that holds tells a card.
        let mixed = |lens: &[usize]| {
            self.has_lens(at, lens)
                && (at..at + lens.len() - 1).all(|group| !self.gap(group).contains(['(', ')']))
                && luhn((at..at + lens.len()).flat_map(|group| self.digits(group).bytes()))
        };
        best.or_else(|| match self.digits(at).as_bytes().first() {
            Some(b'2'..=b'6') if mixed(&[4, 4, 4, 4]) => Some((4, true)),
            Some(b'3') if mixed(&[4, 6, 5]) => Some((3, true)),
            Some(b'2'..=b'6') if blocks(&[4, 4, 4, 4]) => Some((4, false)),
            Some(b'3') if blocks(&[4, 6, 5]) => Some((3, false)),
            _ => None,
        })
    }

    /// What people put between the blocks of a card; a line may end there.
    fn card_gap(&self, group: usize) -> bool {
        let gap = self.gap(group);
        !gap.is_empty() && !gap.contains(['/', '(', ')'])
    }

    /// Digits behind a decimal point.
    fn fraction(&self, at: usize) -> bool {
        let before = &self.text[..self.groups[at].start];
        let point = before.strip_suffix('.').is_some_and(|before| before.ends_with(|c: char| c.is_ascii_digit()));
        point || self.is_decimal(at)
    }

    /// `123-45-6789` whatever its ranges; with blanks or dots only in the ranges that are given out; bare after `SSN`.
    fn ssn(&self, at: usize) -> Option<usize> {
        if self.len(at) == 9 {
            let glued = self.before(at).is_some_and(|c| c.is_alphabetic() || matches!(c, '#' | '_'));
            let alone = self.alone(at) || glued && self.ends(at);
            return (alone && self.hinted(at, SSN_WORDS)).then_some(1);
        }
        if !self.has_lens(at, &[3, 2, 4]) || !self.same_gaps(at, 3) {
            return None;
        }
        let (area, group, serial) = (self.value(at), self.value(at + 1), self.value(at + 2));
        let given = area != 0 && area != 666 && area < 900 && group != 0 && serial != 0;
        match self.gap(at) {
            "." => given.then_some(3),
            gap if is_blank(gap) => given.then_some(3),
            "/" | "(" | ")" => None,
            _ if !self.close(at) => None,
            _ => Some(3),
        }
    }

    fn ipv4(&self, at: usize) -> bool {
        at + 4 <= self.count
            && (at..at + 4).all(|group| self.len(group) <= 3 && self.value(group) <= 255)
            && self.gap(at) == "."
            && self.same_gaps(at, 4)
            && self.gap(at + 3) != "."
            && (at == 0 || self.gap(at - 1) != ".")
    }

    /// `2024-01-31`, `31.01.2024`, `1/31/24`.
    fn date(&self, at: usize) -> bool {
        let gap = self.gap(at);
        if at + 3 > self.count || !matches!(gap, "-" | "/" | ".") || self.gap(at + 1) != gap || self.gap(at + 2) == gap
        {
            return false;
        }
        let (a, b, c) = (self.value(at), self.value(at + 1), self.value(at + 2));
        let small = |group: usize| self.len(group) <= 2;
        let days = |a: u32, b: u32| (1..=31).contains(&a) && (1..=31).contains(&b) && a.min(b) <= 12;
        let year = |year: u32| (1800..=2199).contains(&year);
        (self.len(at) == 4 && year(a) && small(at + 1) && small(at + 2) && days(b, c))
            || (small(at) && small(at + 1) && days(a, b) && (year(c) || self.len(at + 2) == 2))
    }

    fn phone(&self, at: usize) -> Option<(usize, usize)> {
        let groups = self
            .international(at)
            .or_else(|| self.north_american(at))
            .or_else(|| self.trunk(at))
            .or_else(|| self.polish(at))
            .or_else(|| self.national(at))
            .or_else(|| self.bare(at))
            .or_else(|| self.hinted_phone(at))?;
        // A parenthesis or plus before the first group belongs to the number.
        let bytes = self.text.as_bytes();
        let end = self.groups[at + groups - 1].end;
        let mut start = self.plus(at).unwrap_or(self.groups[at].start);
        if start > 0 && bytes[start - 1] == b'(' && closes(&self.text[start..end]) {
            start -= 1;
        }
        Some((groups, start))
    }

    /// Returns the largest number of groups that have so many digits, stopping before what is no part of a number.
    fn take(&self, at: usize, digits: Digits) -> Option<usize> {
        let mut total = 0;
        let mut best = None;
        for group in at..self.count {
            let before = total;
            total += self.dialed_len(at, group, digits.code);
            // A line may end before a number is whole; with a sign the next one begins something else.
            let incomplete = digits.code > 0 && before + 1 < digits.whole;
            let broken = || incomplete && !self.gap(group - 1).contains('-') && !self.is_other(group, true);
            let ends = before >= digits.whole && self.is_line(group);
            let apart = group > at && (ends || self.date(group) || !self.close(group - 1) && !broken());
            let beyond = |group: usize| {
                self.blank(group - 1) && total > digits.usual && !(digits.extended && self.is_extension(at, group))
            };
            // Behind a country code, a number may look like a social security number until it is whole.
            let least = if digits.code == 0 { LOCAL_MIN } else { digits.whole };
            let claimed = || before >= least && self.is_claimed(group);
            let other = best.is_some() && (self.is_other(group, before >= digits.whole) || beyond(group) || claimed());
            if total > digits.max || apart || other {
                break;
            }
            if total >= digits.min {
                best = Some(group - at + 1);
            }
        }
        best
    }

    /// `+`, `00` or `011`, country code, number.
    fn international(&self, at: usize) -> Option<usize> {
        let first = self.digits(at);
        let plus = self.plus(at).is_some();
        if matches!(first, "00" | "011") && !plus {
            return self.dialed(at);
        }
        let (code, extra) = match first.strip_prefix("00") {
            Some(code) if !plus => (code, 2),
            _ if plus => (first, 0),
            _ => return None,
        };
        let min = match code.len() {
            _ if extra == 0 => 7,
            8.. if self.alone(at) => 7,
            1..=4 if self.len(at + 1) > 0 => 7,
            // `0049171 8834021`: with its area. A number of anything may begin so too, but hardly one of a country.
            5..=7 if self.len(at + 1) > 0 && phone::is_country(code) && !self.fraction(at) => 10,
            _ => return None,
        };
        let groups = self.take(at, Digits::abroad(min, extra, code, 1))?;
        // `0049301234567 030/1234567` are two numbers: the second one begins with its trunk prefix, and is one by itself.
        let mut total = self.len(at);
        for group in at + 1..at + groups {
            let whole = total >= WHOLE + extra && self.digits(group).starts_with('0');
            // What is short there is no part of it either, unless it is the last one of groups as short: `171 883 40 021`.
            let apart = || {
                (NATIONAL_MIN..=NATIONAL_MAX).contains(&self.digits_from(group))
                    || self.len(group - 1) >= SUBSCRIBER
                    || total >= WHOLE + 2 + extra
            };
            if whole && apart() {
                return Some(group - at);
            }
            total += self.dialed_len(at, group, 1);
        }
        Some(groups)
    }

    /// `00 44 20 …`, `011 49 30 …`: what is dialed before a country code stands apart from it.
    fn dialed(&self, at: usize) -> Option<usize> {
        let (prefix, code) = (self.len(at), self.digits(at + 1));
        // Behind these it is the end of a time or an amount.
        let part = matches!(self.before(at), Some(':' | '.' | ','));
        if part || code.is_empty() || code.starts_with('0') || !self.close(at) {
            return None;
        }
        self.take(at, Digits::abroad(8, prefix, code, 2))
    }

    /// As people of the region write their numbers: in groups, or a mobile number without separators.
    fn national(&self, at: usize) -> Option<usize> {
        let plan = self.plan?;
        let mut before = self.text[..self.groups[at].start].chars().rev();
        let touched = match before.next() {
            Some('#' | '$' | '€' | '£' | '_' | '+') => true,
            Some('-' | '/' | '.' | ':') => before.next().is_some_and(char::is_alphanumeric),
            Some(',') => self.is_decimal(at),
            Some(c) => c.is_alphanumeric(),
            None => false,
        };
        if touched || self.date(at) {
            return None;
        }
        if plan.bare(self.digits(at).as_bytes()) && self.alone(at) {
            return Some(1);
        }
        let (mut digits, mut lens) = ([0; NATIONAL_MAX], [0; NATIONAL_GROUPS]);
        let (mut len, mut best) = (0, None);
        for (number, group) in (at..self.count).take(NATIONAL_GROUPS).enumerate() {
            let written = self.digits(group).as_bytes();
            let apart = number > 0 && (self.date(group) || !self.near(group - 1))
                || best.is_some() && self.is_other(group, false);
            let Some(place) = digits.get_mut(len..len + written.len()).filter(|_| !apart) else { break };
            place.copy_from_slice(written);
            len += written.len();
            lens[number] = written.len();
            // Seven digits are told by their dash, and a point between two groups is that of a decimal number.
            let marked = len != 7 || self.gap(at).contains(['-', '\u{2010}', '\u{2011}', '\u{2013}']);
            let decimal = number == 1 && self.gap(at) == ".";
            let open = matches!(self.gap(group), "-" | ".") && !self.date(group + 1)
                || self.gap(at) == "." && self.has_cents(group);
            if number > 0 && marked && !decimal && !open && plan.grouped(&digits[..len], &lens[..=number]) {
                best = Some(number + 1);
            }
        }
        best
    }

    /// The gap stands inside numbers as people write them at home: one separator, or a parenthesis and one.
    fn near(&self, group: usize) -> bool {
        let gap = self.gap(group);
        let gap = gap.strip_prefix(')').unwrap_or(gap);
        self.close(group) && (gap.chars().count() <= 1 && gap != "(" || is_blank(gap) || gap == " (")
    }

    /// 3-3-4 with any separators, also with a leading 1, and 3-7.
    fn north_american(&self, at: usize) -> Option<usize> {
        let first = at + usize::from(self.digits(at) == "1");
        let tail = first - at;
        let likely = matches!(self.digits(first).as_bytes().first(), Some(b'2'..=b'9'));
        let blanks = [first, first + 1].iter().all(|group| is_blank(self.gap(*group)));
        if !(at..first + 1).all(|group| self.close(group)) {
            return None;
        }
        if self.has_lens(first, &[3, 3, 4]) && (likely || !blanks) && self.close(first + 1) {
            return Some(tail + 3);
        }
        let exchange = matches!(self.digits(first + 1).as_bytes().first(), Some(b'2'..=b'9'));
        let joined = matches!(self.gap(first), "-" | ") " | ")" | ")-") || tail == 1 || exchange;
        (self.has_lens(first, &[3, 7]) && likely && joined).then_some(tail + 2)
    }

    /// National numbers with their trunk prefix: `020 7946 0958`, `06 12 34 56 78`, `(0)171 1234567`, `0171/1234567`.
    fn trunk(&self, at: usize) -> Option<usize> {
        let first = self.digits(at);
        let opened = self.before(at) == Some('(');
        let decimal = at > 0 && self.gap(at - 1) == ".";
        if !first.starts_with('0') || decimal || (first.len() == 1 && !opened) {
            return None;
        }
        if self.len(at) >= 9 {
            let whole = (10..=12).contains(&self.len(at)) && (self.alone(at) || self.is_marked_off(at));
            return whole.then_some(1);
        }
        self.take(at, Digits::of(NATIONAL_MIN, 11)).or_else(|| self.take(at, Digits::of(NATIONAL_MIN, 12)))
    }

    /// 3-3-3 with dashes; with blanks it would be an amount.
    fn polish(&self, at: usize) -> Option<usize> {
        (self.has_lens(at, &[3, 3, 3]) && self.gap(at) == "-" && self.gap(at + 1) == "-" && self.gap(at + 2) != "-")
            .then_some(3)
    }

    /// Digits without separators. Ten that begin with 1 are a Unix time, thirteen with 1 the same in milliseconds.
    fn bare(&self, at: usize) -> Option<usize> {
        let digits = self.digits(at).as_bytes();
        let shaped = match digits.len() {
            10 | 12 | 13 => digits[0] >= b'2',
            11 => digits[0] >= b'2' || digits[1] >= b'2',
            _ => false,
        };
        (shaped && self.alone(at) && !self.is_fraction(at)).then_some(1)
    }

    /// Any number of 6 to 15 digits after a word like `tel`.
    fn hinted_phone(&self, at: usize) -> Option<usize> {
        if self.before(at) == Some('#') && !self.is_called(at) || self.date(at) {
            return None;
        }
        let told = |at: usize| self.hinted(at, PHONE_WORDS) || self.hinted_wide(at);
        // The second of two.
        let first = || (0..at).rev().take(NATIONAL_GROUPS).find(|first| told(*first));
        let second = || first().is_some_and(|first| self.twice(first) == Some(at - first));
        if !told(at) && !second() {
            return None;
        }
        // Two numbers side by side are rather two than one of more than eleven digits; but no half of one may stay: what is
        // too short, or goes on in groups as they are.
        let of = |max| self.take(at, Digits::of(DIGITS_MIN, max));
        let half = |groups: &usize| {
            let next = at + groups;
            let alike = *groups > 1
                && self.len(next) == self.len(next - 1)
                && self.gap(next - 1) == self.gap(next - 2)
                && self.digits_of(at, *groups) < NATIONAL_MAX - 1;
            self.digits_of(at, *groups) < LOCAL_MIN || alike
        };
        self.twice(at).or_else(|| of(11).filter(|groups| !half(groups))).or_else(|| of(15))
    }

    /// As [`Run::hinted`], for words with letters beyond ASCII.
    fn hinted_wide(&self, group: usize) -> bool {
        let before = &self.text[..self.groups[group].start];
        let near = &before[before.ceil_char_boundary(before.len().saturating_sub(HINT_BYTES_WIDE))..];
        let near = near.rsplit(|c: char| c.is_ascii_digit()).next().unwrap_or("");
        if near.is_ascii() {
            return false;
        }
        let near = near.to_lowercase();
        // Scripts that write without blanks have no words to be inside of.
        let begins = |(at, _): (usize, &str)| !near[..at].ends_with(|c: char| c.is_alphabetic() && c < '\u{e00}');
        PHONE_WORDS_WIDE.iter().any(|word| near.match_indices(word).any(begins))
    }
}

/// A parenthesis that was opened before the text is closed in it.
fn closes(text: &str) -> bool {
    text.find(['(', ')']).is_some_and(|at| text[at..].starts_with(')'))
}

/// ISO/IEC 7812-1 check digit.
fn luhn(digits: impl DoubleEndedIterator<Item = u8>) -> bool {
    let sum: u32 = digits
        .rev()
        .enumerate()
        .map(|(place, digit)| match (u32::from(digit - b'0'), place % 2) {
            (digit, 0) => digit,
            (digit, _) => digit * 2 / 10 + digit * 2 % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}
