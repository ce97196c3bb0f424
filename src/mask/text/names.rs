//! The row's own names: values of other columns of the row, looked for in its texts.
//!
//! Names compare without case, accents, apostrophes and the difference of blank and hyphen, as whole words. Scripts that
//! write without blanks have no words, so there a name matches anywhere.

use super::full::{Aside, FullName, asides, wordless};
use super::gaps::{before_key, behind_key, gap, gap_before, in_word, is_behind_key};
use super::spans::{CLASSES, Detector, Found, NAME};
use super::words::{
    in_name, is_addressed, is_common, is_form, is_hangul, is_korean_ending, is_prefixed, is_suffix, is_title,
    is_wordless, korean_parts,
};
use unicode_normalization::char::{decompose_canonical, is_combining_mark};

/// Needles of one row; more names than that in one row are no names.
const NEEDLES_MAX: usize = 64;
/// A needle of at most so many characters must begin with a capital in the text, or stand beside another name of the row:
/// `An`, `Bo`, `Le` are words too.
const SHORT: usize = 3;
/// Words of a name that are looked for before another one.
const WORDS_MAX: usize = 4;
/// Least characters for another form of a name, and for one with an ending.
const PART_MIN: usize = 4;
/// Least letters of a name that is a login with digits on it, and most digits: `lindqvist84`, `1Lindqvist`.
const LOGIN_MIN: usize = 5;
const LOGIN_DIGITS_MAX: usize = 4;
/// Least bytes of an initial and a last name in one word that no field is called: `award` and `price` are shorter.
const JOINED_MIN: usize = 8;

/// Words of a name that do not name anybody alone, folded.
const PARTICLES: &[&str] = &[
    "mr", "mrs", "ms", "miss", "dr", "prof", "sir", "mme", "herr", "frau", "von", "van", "der", "den", "dem", "de",
    "da", "do", "dos", "das", "del", "della", "di", "du", "la", "las", "le", "les", "los", "el", "al", "bin", "ibn",
    "bint", "ter", "ten", "zu", "zur", "y", "e", "st", "saint", "san", "santa", "jr", "sr", "ii", "iii", "and",
];
/// What a column says about the person of the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    First,
    Last,
    Full,
    Username,
    /// An address line or a company: only as a whole.
    Whole,
}

impl Role {
    /// It is a name of a person, and no login.
    pub(super) fn is_persons(self) -> bool {
        matches!(self, Self::First | Self::Last | Self::Full)
    }
}

/// Where a needle counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Counts {
    Anywhere,
    /// With a capital, or beside another name of the row.
    Capital,
    /// Beside another name of the row: it is a word too, with which sentences begin.
    Beside,
    /// Before what says how somebody is addressed: it is one character, which other words have as well.
    Addressed,
}

/// Which name of the person a needle is: beside it, the other one may stand as an initial.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Given,
    Family,
    /// Both, or something else.
    Neither,
}

#[derive(Clone, Copy)]
struct Needle {
    /// In `folded`.
    start: usize,
    end: usize,
    /// In `masks`.
    mask: (usize, usize),
    counts: Counts,
    side: Side,
    /// It is more than one name, which no field is called.
    whole: bool,
}

/// The needles of one row, and the byte classes of the scan that finds their first letters.
pub(super) struct Names {
    classes: [u8; 256],
    marked: Vec<u8>,
    folded: String,
    masks: String,
    needles: Vec<Needle>,
    /// Folded first letters of the first and the last name, and the needles that hold their masks.
    initial: Option<(char, u16)>,
    last_initial: Option<(char, u16)>,
    /// Needles of the whole first and last name.
    first: Option<u16>,
    last: Option<u16>,
    /// A full name has a degree, so a short last name is sure to be one: it makes logins too.
    degree: bool,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            classes: CLASSES,
            marked: Vec::new(),
            folded: String::new(),
            masks: String::new(),
            needles: Vec::new(),
            initial: None,
            last_initial: None,
            first: None,
            last: None,
            degree: false,
        }
    }
}

impl Names {
    #[inline]
    pub(super) fn classes(&self) -> &[u8; 256] {
        &self.classes
    }

    /// The row has no names.
    pub(super) fn is_empty(&self) -> bool {
        self.needles.is_empty()
    }

    /// Forgets the row.
    pub(super) fn clear(&mut self) {
        for byte in self.marked.drain(..) {
            self.classes[usize::from(byte)] = CLASSES[usize::from(byte)];
        }
        self.folded.clear();
        self.masks.clear();
        self.needles.clear();
        (self.initial, self.last_initial, self.first, self.last) = (None, None, None, None);
        self.degree = false;
    }

    /// Adds first and last name written as one word, as in user names: `bobsmith`, `smithbob`, `bsmith`.
    pub(super) fn join(&mut self) {
        let (Some(first), Some(last)) = (self.first, self.last) else { return };
        let (first, last) = (self.needles[usize::from(first)], self.needles[usize::from(last)]);
        let short = last.end - last.start < SHORT;
        if short && !self.degree {
            return;
        }
        let letter = self.folded[first.start..].chars().next().map_or(0, char::len_utf8);
        let masked = self.masks[first.mask.0..].chars().next().map_or(0, char::len_utf8);
        let initial = Needle { end: first.start + letter, mask: (first.mask.0, first.mask.0 + masked), ..first };
        let several = |needle: Needle| self.folded[needle.start..needle.end].contains(' ');
        // `AnnaMüller-Lüdenscheidt`: only where they meet there is no blank.
        let meeting = several(first) || several(last);
        for (a, b) in [(first, last), (last, first), (initial, last)].into_iter().take(if short { 2 } else { 3 }) {
            self.push_joined([a, b], false);
            if meeting && a.end - a.start > letter {
                self.push_joined([a, b], true);
            }
        }
    }

    /// Adds two needles as one word, or with the blanks that each has.
    fn push_joined(&mut self, parts: [Needle; 2], blanks: bool) {
        if self.needles.len() >= NEEDLES_MAX {
            return;
        }
        let (start, mask) = (self.folded.len(), self.masks.len());
        for part in parts {
            match blanks {
                true => self.folded.extend_from_within(part.start..part.end),
                false => self.push_word(part),
            }
            self.push_lower(part.mask);
        }
        let (end, mask) = (self.folded.len(), (mask, self.masks.len()));
        if end - start > SHORT {
            let initial = self.folded[parts[0].start..parts[0].end].chars().nth(1).is_none();
            let (counts, side) = (Counts::Anywhere, Side::Neither);
            let whole = !initial || parts[0].side == Side::Family || end - start >= JOINED_MIN;
            let needle = Needle { start, end, mask, counts, side, whole };
            self.mark(needle);
            self.needles.push(needle);
        }
    }

    /// Appends a needle as one word: `vanbeethoven`, and `smith` for `Smith Jr.`
    fn push_word(&mut self, needle: Needle) {
        let folded = &self.folded[needle.start..needle.end];
        if !folded.contains(' ') {
            self.folded.extend_from_within(needle.start..needle.end);
            return;
        }
        let words = folded.split(' ').filter(|word| !is_suffix(word));
        let word: String = words.flat_map(str::chars).filter(|c| c.is_alphanumeric()).collect();
        self.folded.push_str(&word);
    }

    /// Appends letters and digits of a mask, small, to the masks.
    fn push_lower(&mut self, (start, end): (usize, usize)) {
        let from = self.masks.len();
        self.masks.extend_from_within(start..end);
        if self.masks[from..].bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            self.masks[from..].make_ascii_lowercase();
        } else {
            let mask = self.masks.split_off(from);
            self.masks.extend(mask.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase));
        }
    }

    /// Adds one value of the row and its mask.
    pub(super) fn add(&mut self, role: Role, raw: &str, masked: &str) {
        let mask = self.mask(masked);
        match role {
            Role::First => {
                self.first = self.first.or(self.needle(raw, mask, 2, Side::Given));
                self.initial = self.initial.or_else(|| self.initial_of(raw, masked));
                self.variants(raw, mask, Side::Given);
                self.parts(raw, mask, Side::Given);
            }
            Role::Last => {
                self.last = self.last.or(self.needle(raw, mask, 2, Side::Family));
                self.last_initial = self.last_initial.or_else(|| self.initial_of(raw, masked));
                self.variants(raw, mask, Side::Family);
                self.parts(raw, mask, Side::Family);
            }
            Role::Full => self.full(raw, masked, mask),
            Role::Username => drop(self.needle(raw, mask, 3, Side::Neither)),
            Role::Whole => drop(self.needle(raw, mask, 6, Side::Neither)),
        }
    }

    fn mask(&mut self, masked: &str) -> (usize, usize) {
        let start = self.masks.len();
        self.masks.push_str(masked);
        (start, self.masks.len())
    }

    /// Adds the parts of a full name; the last word is the surname, other words stand for the first name.
    fn full(&mut self, raw: &str, masked: &str, whole: (usize, usize)) {
        let from = self.needles.len();
        self.needle(raw, whole, 2, Side::Neither);
        // Chinese, Japanese and Korean write last and first name as one word.
        let unblanked = raw.starts_with(|c| is_hangul(c) || is_wordless(c)) && !raw.contains(char::is_whitespace);
        if unblanked || raw.starts_with(is_hangul) {
            self.variants(raw, whole, Side::Neither);
            self.needles[from..].iter_mut().for_each(|needle| needle.whole = true);
        }
        let mut words = masked.split_whitespace();
        let mask_first = words.next().unwrap_or("");
        let mask_last = words.next_back().unwrap_or(mask_first);
        if unblanked {
            if let Some((family, given)) = korean_parts(raw).or_else(|| wordless(raw)) {
                let (shown_family, shown_given) = korean_parts(masked).unwrap_or((mask_last, mask_first));
                self.unblanked(family, shown_family, Side::Family);
                self.unblanked(given, shown_given, Side::Given);
            }
            return;
        }
        let (plain, asides) = asides(raw);
        let FullName { first, last, degree } = FullName::of(&plain);
        self.degree |= degree;
        if !last.is_empty() {
            let mask = self.mask(mask_last);
            let number = self.needle(last, mask, 2, Side::Family);
            // Where words have no blanks between them, each is found in the other one's company anyway.
            self.last = self.last.or(number.filter(|_| !last.starts_with(is_wordless)));
            self.last_initial = self.last_initial.or_else(|| self.initial_of(last, mask_last));
            self.variants(last, mask, Side::Family);
            for word in last.split_whitespace().filter(|word| !is_particle(word)) {
                self.needle(word, mask, 2, Side::Family);
                self.variants(word, mask, Side::Family);
            }
            self.parts(last, mask, Side::Family);
        }
        let mask = self.mask(mask_first);
        for word in first.split_whitespace().filter(|word| !is_particle(word)) {
            self.first = self.first.or(self.needle(word, mask, 2, Side::Given));
            self.variants(word, mask, Side::Given);
        }
        self.parts(first, mask, Side::Given);
        self.initial = self.initial.or_else(|| self.initial_of(first, mask_first));
        for aside in asides {
            match aside {
                Aside::Called(name) => self.add(Role::First, name, mask_first),
                Aside::Born(name) => self.add(Role::Last, name, mask_last),
            }
        }
    }

    /// Adds a part of a name that is written without blanks: one character is found only where somebody is addressed.
    fn unblanked(&mut self, name: &str, masked: &str, side: Side) {
        let single = name.chars().nth(1).is_none();
        if single && side == Side::Given {
            return;
        }
        let mask = self.mask(masked);
        let number = self.needle(name, mask, 1, side);
        if let Some(needle) = number.filter(|_| single).and_then(|number| self.needles.get_mut(usize::from(number))) {
            needle.counts = Counts::Addressed;
        }
    }

    /// Adds other ways to write a name: umlauts as two letters and back, several words as one.
    fn variants(&mut self, raw: &str, mask: (usize, usize), side: Side) {
        let pair = |two: &[u8]| two[1] == b'e' && matches!(two[0], b'a' | b'o' | b'u');
        if raw.bytes().all(|byte| byte.is_ascii_alphabetic()) && !raw.as_bytes().windows(2).any(pair) {
            return;
        }
        // `O Brien`: the apostrophe got lost.
        if raw.contains(is_apostrophe) && !raw.ends_with(is_apostrophe) {
            let apart: String = raw.chars().map(|c| if is_apostrophe(c) { ' ' } else { c }).collect();
            self.needle(&apart, mask, PART_MIN, side);
        }
        if raw.contains(['ä', 'ö', 'ü', 'å', 'ø', 'Ä', 'Ö', 'Ü', 'Å', 'Ø']) {
            let mut spelled = String::with_capacity(raw.len() + 4);
            for c in raw.chars() {
                match c {
                    'ä' | 'Ä' => spelled.push_str("ae"),
                    'ö' | 'Ö' | 'ø' | 'Ø' => spelled.push_str("oe"),
                    'ü' | 'Ü' => spelled.push_str("ue"),
                    'å' | 'Å' => spelled.push_str("aa"),
                    _ => spelled.push(c),
                }
            }
            self.needle(&spelled, mask, 2, side);
        } else if ["ae", "oe", "ue"].iter().any(|pair| raw.contains(pair)) && raw.len() >= PART_MIN {
            let shrunk = raw.replace("ae", "a").replace("oe", "o").replace("ue", "u");
            self.needle(&shrunk, mask, PART_MIN, side);
        }
        if raw.trim().contains(|c: char| c.is_whitespace() || is_hyphen(c)) {
            let whole: String = raw.chars().filter(|c| !c.is_whitespace() && !is_hyphen(*c)).collect();
            self.needle(&whole, mask, PART_MIN, side);
        }
    }

    /// Adds the words of a name of several words: `Berg` of `van den Berg`, `Luc` of `Jean-Luc`.
    fn parts(&mut self, raw: &str, mask: (usize, usize), side: Side) {
        if raw.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return;
        }
        let separator = |c: char| c.is_whitespace() || is_hyphen(c);
        if !raw.trim().contains(separator) {
            return;
        }
        for part in raw.split(separator).filter(|part| !is_particle(part)) {
            let number = self.needle(part, mask, 2, side);
            if let Some(needle) = number.and_then(|number| self.needles.get_mut(usize::from(number)))
                && is_common(&self.folded[needle.start..needle.end])
            {
                needle.counts = Counts::Beside;
            }
        }
    }

    /// The folded first letter of a name, and a needle that holds its mask.
    fn initial_of(&mut self, raw: &str, masked: &str) -> Option<(char, u16)> {
        let word = raw.split_whitespace().find(|word| !is_particle(word)).unwrap_or(raw);
        let letter = folded_letter(word.chars().next()?)?;
        let masked = masked.chars().next()?;
        if !letter.is_alphabetic() || self.needles.len() >= NEEDLES_MAX {
            return None;
        }
        let mask = self.mask(masked.encode_utf8(&mut [0; 4]));
        // An empty needle matches nothing; it only carries the mask of the initial.
        let (counts, side) = (Counts::Anywhere, Side::Neither);
        self.needles.push(Needle { start: 0, end: 0, mask, counts, side, whole: false });
        Some((letter, self.needles.len() as u16 - 1))
    }

    /// Adds a needle, and returns its number if it is a new one.
    fn needle(&mut self, raw: &str, mask: (usize, usize), chars_min: usize, side: Side) -> Option<u16> {
        if self.needles.len() >= NEEDLES_MAX {
            return None;
        }
        let start = self.folded.len();
        fold(raw, &mut self.folded);
        let folded = &self.folded[start..];
        let chars = folded.chars().take(SHORT + 1).count();
        let first = folded.chars().next();
        let wordless = first.is_some_and(is_wordless);
        let known = self
            .needles
            .iter()
            .any(|needle| needle.end > needle.start && self.folded[needle.start..needle.end] == *folded);
        let few = || folded.chars().filter(|c| c.is_alphanumeric()).count() < chars_min;
        if !wordless && few() || chars == 0 || known {
            self.folded.truncate(start);
            return None;
        }
        let whole = folded.contains(' ');
        let counts = if chars <= SHORT && !wordless { Counts::Capital } else { Counts::Anywhere };
        let needle = Needle { start, end: self.folded.len(), mask, counts, side, whole };
        self.mark(needle);
        self.needles.push(needle);
        Some(self.needles.len() as u16 - 1)
    }

    /// Makes the scan stop at the first letter of a needle.
    fn mark(&mut self, needle: Needle) {
        let first = self.folded[needle.start..needle.end].chars().next();
        if let Some(c) = first.filter(char::is_ascii) {
            for byte in [c as u8, c.to_ascii_uppercase() as u8] {
                self.classes[usize::from(byte)] |= NAME;
                self.marked.push(byte);
            }
        }
    }

    /// Looks for the longest needle that begins at `at`, which the caller knows not to follow an ASCII letter or digit.
    pub(super) fn find(&self, text: &str, at: usize, found: &mut Found) {
        let mut best: Option<(usize, usize)> = None;
        let first = text.as_bytes()[at];
        for (index, needle) in self.needles.iter().enumerate() {
            let folded = &self.folded[needle.start..needle.end];
            // Most needles differ in the first letter; only ASCII can be compared without folding.
            let differs = |letter: &u8| first.is_ascii() && letter.is_ascii() && *letter != first.to_ascii_lowercase();
            if folded.as_bytes().first().is_none_or(differs) {
                continue;
            }
            if let Some(end) = match_at(text, at, folded).map(|end| inflected(text, at, end))
                && best.is_none_or(|(_, longest)| end > longest)
                && (bounded(text, at, end) || login(text, at, end).is_some())
                && match needle.counts {
                    Counts::Anywhere => true,
                    Counts::Capital => !text[at..].starts_with(char::is_lowercase) || self.beside(index, text, at, end),
                    Counts::Beside => self.beside(index, text, at, end),
                    Counts::Addressed => is_addressed(&text[end..]),
                }
            {
                best = Some((index, end));
            }
        }
        if let Some((index, end)) = best {
            found.push(at, end, Detector::Name(index as u16), false);
            if let Some(digits) = login(text, at, end) {
                found.push(end, end + digits, Detector::Secret, false);
            }
            let digits = digits_before(text, at, end);
            if digits > 0 {
                found.push(at - digits, at, Detector::Secret, false);
            }
            self.find_initial(self.needles[index].side, text, at, end, found);
        }
    }

    /// Another name of the row stands before or behind what may be a name.
    fn beside(&self, own: usize, text: &str, start: usize, end: usize) -> bool {
        let is_name = |at: usize, folded: &str| match_at(text, at, folded).filter(|end| bounded(text, at, *end));
        let others = || {
            let others = self.needles.iter().enumerate().filter(move |(index, needle)| {
                *index != own && needle.end > needle.start && needle.counts != Counts::Beside
            });
            others.map(|(_, needle)| &self.folded[needle.start..needle.end])
        };
        // The name of an attribute or a key is nobody: `alt="tim"`.
        let is_key = |stop: usize| is_behind_key(&text[stop..]);
        let begins = |at: usize| others().any(|folded| is_name(at, folded).is_some_and(|end| !is_key(end)));
        // Names of several words end there too.
        let ends = |stop: usize| {
            let mut from = stop;
            (0..WORDS_MAX).any(|_| {
                from = text[..from].trim_end_matches(|c| !in_word(c)).trim_end_matches(in_word).len();
                others().any(|folded| {
                    is_name(from, folded).is_some_and(|end| matches!(text.get(end..stop), Some("" | "s")))
                })
            })
        };
        let next = gap(&text[end..]).filter(|_| !is_key(end)).map(|len| end + len);
        if next.is_some_and(|next| begins(next) || behind_key(&text[next..]).is_some_and(|len| begins(next + len))) {
            return true;
        }
        let stop = gap_before(&text[..start]);
        stop.is_some_and(|stop| !is_key(stop) && ends(stop) || before_key(&text[..start], stop).is_some_and(ends))
    }

    /// The initial that stands beside a name of this side.
    fn initial_beside(&self, side: Side) -> Option<(char, u16)> {
        match side {
            Side::Family => self.initial,
            Side::Given => self.last_initial,
            Side::Neither => None,
        }
    }

    /// Looks for the initial of the first name before (`J. Smith`) and after (`Smith, J.`) a surname, and for that of the
    /// last name after a first one (`John S.`).
    fn find_initial(&self, side: Side, text: &str, start: usize, end: usize, found: &mut Found) {
        let Some((letter, needle)) = self.initial_beside(side) else { return };
        let is_initial = |c: char| c.is_uppercase() && folded_letter(c) == Some(letter);
        let before = text[..start].trim_end_matches(' ').trim_end_matches('.');
        if side == Side::Family
            && let Some(c) = before.chars().next_back().filter(|c| before.len() < start && is_initial(*c))
        {
            let at = before.len() - c.len_utf8();
            if !before[..at].chars().next_back().is_some_and(char::is_alphanumeric) {
                found.push(at, before.len(), Detector::Name(needle), false);
            }
        }
        let after = text[end..].trim_start_matches([' ', ',']);
        let at = text.len() - after.len();
        if let Some(c) = after.chars().next().filter(|c| at > end && is_initial(*c)) {
            let stop = at + c.len_utf8();
            // Without a mark it may be a word, or begin one: `Smith I`, `Lindqvist T-shirt`.
            let is_word = |next: char| next.is_alphanumeric() || is_hyphen(next) || is_apostrophe(next);
            let bare = match text[stop..].chars().next() {
                Some('.') => true,
                Some(next) if is_word(next) => false,
                _ => text[end..at].contains(',') || !matches!(letter, 'a' | 'i' | 'o'),
            };
            if bare {
                found.push(at, stop, Detector::Name(needle), false);
            }
        }
    }

    /// Whether the initial that belongs to a name stands beside it, in any case: `k.lindqvist`, `lindqvist_k`.
    pub(super) fn is_beside_initial(&self, needle: u16, before: &str, behind: &str) -> bool {
        let Some((letter, _)) = self.initial_beside(self.needles[usize::from(needle)].side) else { return false };
        let between = |c: char| matches!(c, ' ' | '.' | ',' | '_' | '-');
        let alone = |found: Option<char>, next: Option<char>| {
            found.and_then(folded_letter) == Some(letter) && !next.is_some_and(char::is_alphanumeric)
        };
        let left = before.trim_end_matches(between);
        let mut left_chars = left.chars().rev();
        let right = behind.trim_start_matches(between);
        let mut right_chars = right.chars();
        left.len() < before.len() && alone(left_chars.next(), left_chars.next())
            || right.len() < behind.len() && alone(right_chars.next(), right_chars.next())
    }

    /// The needle is more than one name.
    pub(super) fn is_whole(&self, needle: u16) -> bool {
        self.needles[usize::from(needle)].whole
    }

    /// Appends the mask of a needle in the case of the text it replaces: `SMITH`, `smith`, else as it is.
    pub(super) fn push_mask(&self, needle: u16, original: &str, out: &mut String) {
        let (start, end) = self.needles[usize::from(needle)].mask;
        let masked = &self.masks[start..end];
        let lower = original.chars().any(char::is_lowercase);
        let uppers = original.chars().filter(|c| c.is_uppercase()).take(2).count();
        match (lower, uppers) {
            (true, 0) => masked.chars().for_each(|c| out.extend(c.to_lowercase())),
            (false, 2) => masked.chars().for_each(|c| out.extend(c.to_uppercase())),
            _ => out.push_str(masked),
        }
    }
}

pub(super) fn is_particle(word: &str) -> bool {
    if is_title(word) {
        return true;
    }
    let word = word.trim_end_matches(['.', ',']);
    word.chars().count() < 2 && !word.chars().any(is_wordless)
        || PARTICLES.iter().any(|known| word.eq_ignore_ascii_case(known))
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}')
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2018}' | '\u{2bc}' | '`' | '\u{b4}')
}

/// Letters a Slavic ending has at most.
const ENDING_MAX: usize = 3;

/// Returns the end of a name with its grammatical ending: Cyrillic names of at least four letters are declined.
fn inflected(text: &str, start: usize, end: usize) -> usize {
    let cyrillic = |c: char| matches!(c, '\u{400}'..='\u{52f}');
    if !text[..end].ends_with(cyrillic) || text[start..end].chars().count() < PART_MIN {
        return end;
    }
    let ending = text[end..].chars().take_while(|c| cyrillic(*c)).take(ENDING_MAX + 1);
    if ending.clone().count() <= ENDING_MAX { end + ending.map(char::len_utf8).sum::<usize>() } else { end }
}

fn joins(a: Option<char>, b: Option<char>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => in_name(a) && in_name(b) && !is_wordless(a) && !is_wordless(b),
        _ => false,
    }
}

/// A match begins at a word boundary, or behind what its language writes on to a name.
fn begins(text: &str, start: usize, end: usize) -> bool {
    !joins(text[..start].chars().next_back(), text[start..].chars().next())
        || is_prefixed(&text[..start], &text[start..end])
        || digits_before(text, start, end) > 0
}

/// How many digits are written on to the front of a name: few, with no letter before them.
fn digits_before(text: &str, start: usize, end: usize) -> usize {
    let (before, name) = (&text[..start], &text[start..end]);
    let digits = before.bytes().rev().take_while(u8::is_ascii_digit).take(LOGIN_DIGITS_MAX + 1).count();
    let counts = (1..=LOGIN_DIGITS_MAX).contains(&digits)
        && !before[..start - digits].ends_with(in_word)
        && name.starts_with(|c: char| c.is_alphabetic() && !is_wordless(c))
        && name.chars().count() >= LOGIN_MIN;
    if counts { digits } else { 0 }
}

/// A match begins and ends at a word boundary; the `s` of a genitive or plural may follow a longer name.
fn bounded(text: &str, start: usize, end: usize) -> bool {
    if !begins(text, start, end) {
        return false;
    }
    let (name, rest) = (&text[start..end], &text[end..]);
    if is_form(rest) && name.chars().count() >= PART_MIN {
        return true;
    }
    if rest.starts_with(is_hangul) && !name.ends_with(is_wordless) {
        return is_korean_ending(name, rest);
    }
    let follows = rest.strip_prefix('s').unwrap_or(rest);
    let end = if name.chars().count() >= PART_MIN && !follows.starts_with(in_name) {
        text.len() - follows.len()
    } else {
        end
    };
    !joins(text[..end].chars().next_back(), text[end..].chars().next())
}

/// How many digits behind a name make it a login; none if there are none, or more, or letters behind them.
fn login(text: &str, start: usize, end: usize) -> Option<usize> {
    let (name, rest) = (&text[start..end], &text[end..]);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).take(LOGIN_DIGITS_MAX + 1).count();
    let is_login = (1..=LOGIN_DIGITS_MAX).contains(&digits)
        && !rest[digits..].starts_with(in_name)
        && name.ends_with(char::is_alphabetic)
        && name.chars().count() >= LOGIN_MIN
        && begins(text, start, end);
    is_login.then_some(digits)
}

/// The first letter a character folds to.
fn folded_letter(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c.to_ascii_lowercase());
    }
    let mut folded = String::new();
    fold_char(c, &mut folded);
    folded.chars().next()
}

/// Appends a character in lower case without accents; ligatures and crossed letters as people type them.
fn fold_char(c: char, out: &mut String) {
    if c.is_ascii() {
        out.push(c.to_ascii_lowercase());
        return;
    }
    for lower in c.to_lowercase() {
        decompose_canonical(lower, |part| match part {
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' | 'ð' => out.push('d'),
            'ı' => out.push('i'),
            'ħ' => out.push('h'),
            'ς' => out.push('σ'),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ß' => out.push_str("ss"),
            'þ' => out.push_str("th"),
            _ if is_combining_mark(part) => {}
            _ => out.push(part),
        });
    }
}

/// Appends the form in which names compare: words separated by one blank, no apostrophes.
fn fold(raw: &str, out: &mut String) {
    let start = out.len();
    if raw.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        out.push_str(raw);
        out[start..].make_ascii_lowercase();
        return;
    }
    let mut blank = false;
    for c in raw.chars() {
        if c.is_whitespace() || is_hyphen(c) {
            blank = out.len() > start;
        } else if !is_apostrophe(c) {
            if std::mem::take(&mut blank) {
                out.push(' ');
            }
            fold_char(c, out);
        }
    }
}

/// Returns the end of the text at `at` that folds to `needle`, combining marks included.
fn match_at(text: &str, at: usize, needle: &str) -> Option<usize> {
    // Most words that begin like a name differ from it within a few plain letters, or are equal to it in plain letters.
    let bytes = &text.as_bytes()[at..];
    let same =
        bytes.iter().zip(needle.as_bytes()).take_while(|(a, b)| a.to_ascii_lowercase() == **b && a.is_ascii()).count();
    match bytes.get(same) {
        Some(next) if same == needle.len() && next.is_ascii() => return Some(at + same),
        None => return (same == needle.len()).then_some(at + same),
        Some(next) if same < needle.len() && next.is_ascii_alphanumeric() => return None,
        Some(_) => {}
    }
    let mut rest = needle.as_bytes();
    let mut folded = [0; 1];
    let mut buffer = String::new();
    let mut chars = text[at..].char_indices().peekable();
    let mut blank = false;
    while let Some((offset, c)) = chars.next() {
        if c.is_whitespace() || is_hyphen(c) {
            if !blank {
                rest = rest.strip_prefix(b" ")?;
            }
            blank = true;
            continue;
        }
        if is_apostrophe(c) {
            continue;
        }
        blank = false;
        if c.is_ascii() {
            folded[0] = c.to_ascii_lowercase() as u8;
            rest = rest.strip_prefix(&folded[..1])?;
        } else {
            buffer.clear();
            fold_char(c, &mut buffer);
            rest = rest.strip_prefix(buffer.as_bytes())?;
        }
        if rest.is_empty() {
            let mut end = at + offset + c.len_utf8();
            while let Some((offset, mark)) = chars.next_if(|(_, c)| !c.is_ascii() && is_combining_mark(*c)) {
                end = at + offset + mark.len_utf8();
            }
            return Some(end);
        }
    }
    None
}
