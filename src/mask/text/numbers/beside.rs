//! Where a telephone number ends: how many digits one has, and what stands behind it in lines of logs and notes.

use super::{DIGITS_MIN, NATIONAL_GROUPS, PHONE_WORDS, Run, ids, phone};

/// From so many digits on, a number may be a whole one: what is short and stands behind it is something else.
pub(super) const WHOLE: usize = 10;
/// Digits of the longest numbers (E.164), and of nearly all others.
const DIGITS_MAX: usize = 15;
const DIGITS_USUAL: usize = 13;
/// Longest amount, in bytes.
const AMOUNT_MAX: usize = 16;
/// Digits of a group behind which a group of two or three is no part of the number.
const LONG: usize = 7;

/// How many digits a number has: at least and at most, at most if the last of them stand behind a blank, and from where on
/// it may be a whole one. Where no plan says how many are usual, more of them may be those of an extension. `code`: how many
/// groups it takes to dial the country; behind them a 0 is written for readers at home and not dialed.
pub(super) struct Digits {
    pub min: usize,
    pub max: usize,
    pub usual: usize,
    pub whole: usize,
    pub extended: bool,
    pub code: usize,
}

impl Digits {
    pub(super) fn of(min: usize, max: usize) -> Self {
        Self { min, max, usual: max, whole: WHOLE, extended: false, code: 0 }
    }

    /// Those of a number with this country code, behind a prefix of so many digits; both are in the first `groups`.
    pub(super) fn abroad(min: usize, prefix: usize, code: &str, groups: usize) -> Self {
        let max = digits_max(code);
        let usual = if max < DIGITS_MAX { Some(max) } else { digits_usual(code) };
        Self {
            min: prefix + min,
            max: prefix + max,
            usual: prefix + usual.unwrap_or(DIGITS_USUAL),
            whole: prefix + WHOLE,
            extended: usual.is_none(),
            code: groups,
        }
    }
}

impl Run<'_> {
    /// A plus stands before the group, and makes a telephone number of it: no sum, no blank of a query, and no card.
    pub(super) fn is_dialed(&self, at: usize) -> bool {
        let before = &self.text[..self.groups[at].start];
        let plus = before.strip_suffix('+').is_some_and(|before| !before.ends_with(char::is_alphanumeric));
        plus && !self.digits(at).starts_with('0') && !self.has_lens(at, &[4, 4, 4, 4]) && !self.has_lens(at, &[4, 6, 5])
    }

    /// How many digits of a group are dialed: the trunk digit of `+44 (0)20`, `+49 (0171)` and `+49 0171` is written only.
    pub(super) fn dialed_len(&self, at: usize, group: usize, code: usize) -> usize {
        let alone = group > at && self.digits(group) == "0" && self.gap(group).starts_with(')');
        // A 0 of Italy is dialed.
        let country = || self.digits(at + code - 1).trim_start_matches('0');
        let behind =
            code > 0 && group == at + code && self.digits(group).starts_with('0') && phone::has_trunk(country());
        self.len(group) - usize::from(alone || behind)
    }

    /// Digits from the group on as far as they may belong to one number.
    pub(super) fn digits_from(&self, group: usize) -> usize {
        let apart = |group: usize| !self.close(group - 1) || self.date(group) || self.is_other(group, true);
        let end = (group + 1..self.count).find(|group| apart(*group)).unwrap_or(self.count);
        self.digits_of(group, end - group)
    }

    pub(super) fn digits_of(&self, at: usize, groups: usize) -> usize {
        (at..at + groups).map(|group| self.len(group)).sum()
    }

    /// How many groups the first of two numbers has that are written alike. Groups of one length may be those of one number,
    /// if it does not get too long.
    pub(super) fn twice(&self, at: usize) -> Option<usize> {
        if self.count < at + 2 {
            return None;
        }
        let alike = |groups: usize| {
            at + 2 * groups <= self.count
                && (at..at + groups).all(|group| self.len(group) == self.len(group + groups))
                && (at..at + groups - 1).all(|group| self.close(group) && self.gap(group) == self.gap(group + groups))
        };
        let least = (1..=NATIONAL_GROUPS).find(|groups| alike(*groups))?;
        let most = if self.digits_from(at) > DIGITS_MAX { NATIONAL_GROUPS } else { least };
        let fits = |groups: &usize| {
            // Six digits are seldom one of two numbers, if more stand behind them.
            let more = *groups > 1 && at + 2 * groups < self.count;
            alike(*groups) && self.digits_of(at, *groups) >= DIGITS_MIN + usize::from(more)
        };
        let all = (self.count - at) / 2;
        let groups = [all].into_iter().filter(|all| *all <= most && at + 2 * all == self.count).chain(least..=most);
        let claimed = |group: usize| self.digits_of(at, group - at) > DIGITS_MIN && self.is_claimed(group);
        groups.into_iter().find(fits).filter(|groups| !(at + 1..=at + groups).any(claimed))
    }

    /// Decimals behind a comma. Without a blank, commas part fields more often than they stand in numbers of so many digits:
    /// only `0,1234567890` is one, if no other field follows.
    pub(super) fn is_decimal(&self, at: usize) -> bool {
        let zero = self.text[..self.groups[at].start].strip_suffix("0,");
        let first =
            zero.is_some_and(|before| !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | ',')));
        first && !self.after(at).starts_with(',')
    }

    /// Digits behind a comma and a short whole number, `2,7182818284`: rather a fraction than the last of two fields.
    pub(super) fn is_fraction(&self, at: usize) -> bool {
        let Some(before) = self.text[..self.groups[at].start].strip_suffix(',') else { return false };
        let head = before.trim_end_matches(|c: char| c.is_ascii_digit());
        let first = !head.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '.' | ',' | '_' | '-'));
        first && (1..8).contains(&(before.len() - head.len())) && !self.after(at).starts_with(',')
    }

    /// `20123456,50`: an amount with its cents, and no other field follows.
    pub(super) fn has_cents(&self, at: usize) -> bool {
        let Some(after) = self.after(at).strip_prefix(',') else { return false };
        let cents = after.bytes().take_while(u8::is_ascii_digit).count();
        let first = !self.text[..self.groups[at].start].ends_with(',') && !self.digits(at).starts_with('0');
        first && cents == 2 && !after[2..].starts_with(|c: char| c.is_alphanumeric() || c == ',')
    }

    /// Where the plus before a country code stands, perhaps with a blank behind it; a sum is none.
    pub(super) fn plus(&self, at: usize) -> Option<usize> {
        let before = &self.text[..self.groups[at].start];
        if let Some(before) = before.strip_suffix('+') {
            return Some(before.len());
        }
        let before = before.strip_suffix("+ ").filter(|_| self.len(at) <= 3 && self.len(at + 1) > 0)?;
        let sum = before.trim_end().ends_with(|c: char| c.is_ascii_digit() || matches!(c, ')' | ']' | '+'));
        (!sum && !self.digits(at).starts_with('0')).then_some(before.len())
    }

    /// A number with its trunk prefix stands for itself in names of files, in paths, behind `#` and before a word as well:
    /// hardly any other number of so many digits begins with one 0.
    pub(super) fn is_marked_off(&self, at: usize) -> bool {
        let (before, after) = (&self.text[..self.groups[at].start], self.after(at));
        let hex = |text: &str| text.chars().rev().take_while(char::is_ascii_hexdigit).count();
        let left = match before.chars().next_back() {
            // A UUID.
            Some('-') => hex(&before[..before.len() - 1]) != 4,
            Some('.') => !before[..before.len() - 1].ends_with(|c: char| c.is_ascii_digit()),
            Some(',') => !self.is_decimal(at),
            Some(c) => !c.is_alphanumeric() && !matches!(c, '$' | '€' | '£' | '%' | '+'),
            None => true,
        };
        let word = after.bytes().take_while(u8::is_ascii_alphabetic).count();
        let right = match after.chars().next() {
            Some('.') => !after[1..].starts_with(|c: char| c.is_ascii_digit()),
            Some(',') => !self.has_cents(at),
            // A hash has no letters behind `f`, and a word has some.
            Some(c) if c.is_ascii_alphabetic() => {
                word > 2
                    && !after[..word].bytes().all(|byte| byte.is_ascii_hexdigit())
                    && !after[word..].starts_with(|c: char| c.is_ascii_digit())
            }
            Some(c) => !c.is_alphanumeric() && !matches!(c, '%' | '€'),
            None => true,
        };
        !self.digits(at)[1..].starts_with('0') && left && right && !self.is_told_thing(at)
    }

    /// `phone #2125550147`: right before the sign stands a word for telephones, and what follows may be a whole number.
    pub(super) fn is_called(&self, at: usize) -> bool {
        let before = self.text[..self.groups[at].start].trim_end_matches('#').trim_end_matches([' ', ':', '.']);
        let word = &before[before.trim_end_matches(char::is_alphabetic).len()..];
        let is = |known: &&str| word.get(..known.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(known));
        self.len(at) >= WHOLE && PHONE_WORDS.iter().any(is)
    }

    /// `212-555-0100/0101`, `+49 171 8834021/22`: another line or an extension, behind a number that may be a whole one.
    pub(super) fn is_line(&self, group: usize) -> bool {
        group > 0 && self.gap(group - 1) == "/" && self.gap(group) != "/" && matches!(self.len(group), 2..=4)
    }

    /// An extension ends there: with more digits behind it is another number.
    pub(super) fn is_last(&self, group: usize) -> bool {
        !self.is_other(group, false) && self.match_at(group).is_none_or(|hit| hit.groups <= 1)
    }

    /// A card, a social security number or an identifier begins with the group, and no part of a telephone number.
    pub(super) fn is_claimed(&self, group: usize) -> bool {
        self.ssn(group).is_some()
            || self.card(group).is_some_and(|(_, sure)| sure)
            || ids::find(self.text, self.groups[group].start, self.columns).is_some()
    }

    /// A blank stands between the group and the next.
    pub(super) fn blank(&self, group: usize) -> bool {
        self.gap(group).contains(char::is_whitespace)
    }

    /// What begins with the group is no part of the number before it: an address or a time, and behind a whole number an
    /// amount, a day, or how many there are of something.
    pub(super) fn is_other(&self, group: usize, whole: bool) -> bool {
        let behind = || self.amount(group) || self.day(group) || self.count_of_things(group) || self.has_unit(group);
        self.ipv4(group) || self.time(group) || whole && self.blank(group - 1) && behind()
    }

    /// Behind a blank, more digits than usual are an extension in a group of three and more, or behind one that a hyphen
    /// begins, if they are the last ones: `1234-5678 901`, `58858-1234 56`.
    pub(super) fn is_extension(&self, at: usize, group: usize) -> bool {
        let before = if group >= at + 2 { self.gap(group - 2) } else { "" };
        let begun = matches!(before, "-" | "/") && self.gap(at) != before;
        let last = group + 1 == self.count || !self.close(group) || self.is_other(group + 1, true);
        (self.len(group) >= 3 || begun) && last && !self.after(group).starts_with(char::is_alphabetic)
    }

    fn after(&self, group: usize) -> &str {
        &self.text[self.groups[group].end..]
    }

    /// `12:30`.
    fn time(&self, group: usize) -> bool {
        let minutes = |text: &str| {
            let digits = text.bytes().take(3).take_while(u8::is_ascii_digit).count();
            digits == 2 && text.as_bytes()[0] < b'6'
        };
        self.len(group) <= 2 && self.value(group) < 24 && self.after(group).strip_prefix(':').is_some_and(minutes)
    }

    /// `12.50`, `1,234.50`; `30.11.` is none, and no part of a number either.
    fn amount(&self, group: usize) -> bool {
        let text = &self.text[self.groups[group].start..];
        let belongs = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'.' | b',');
        let len = text.bytes().take(AMOUNT_MAX).take_while(belongs).count();
        let amount = text[..len].trim_end_matches(['.', ',']);
        amount.rsplit_once(['.', ',']).is_some_and(|(units, cents)| {
            let mut groups = units.split(['.', ',']);
            groups.next();
            cents.len() == 2 && groups.all(|group| group.len() == 3)
        })
    }

    /// `30/11`.
    fn day(&self, group: usize) -> bool {
        let part = |group: usize| self.len(group) <= 2 && (1..=31).contains(&self.value(group));
        self.gap(group) == "/"
            && self.gap(group + 1) != "/"
            && part(group)
            && part(group + 1)
            && self.value(group).min(self.value(group + 1)) <= 12
    }

    /// `12h`, `20 min`, `2. Stock`, `5€`, `(2)`, `8-16 Uhr`; numbers in groups of two end with such groups as well.
    fn has_unit(&self, group: usize) -> bool {
        let unit = |group: usize| {
            let after = self.after(group);
            let after = after.strip_prefix('.').unwrap_or(after);
            let after = after.strip_prefix([' ', '\u{a0}']).unwrap_or(after);
            let word = &after[..after.len() - after.trim_start_matches(char::is_alphabetic).len()];
            after.starts_with('€') || UNITS.iter().any(|unit| word.eq_ignore_ascii_case(unit))
        };
        let counted =
            || self.len(group) == 1 && self.gap(group - 1).ends_with('(') && self.after(group).starts_with(')');
        let hours = || self.gap(group) == "-" && self.len(group + 1) <= 2 && unit(group + 1);
        self.len(group) <= 2 && self.len(group - 1) >= 3 && (unit(group) || counted() || hours())
    }

    /// `3 boxes`, `12h`, `550e8400`: a short number before a word, or one that is a part of it. Numbers in groups of two and
    /// three end with such groups as well.
    fn count_of_things(&self, group: usize) -> bool {
        let apart = self.len(group) == 1 || self.len(group - 1) >= LONG;
        let word = |text: &str| text.starts_with(char::is_alphabetic);
        let after = self.after(group);
        apart && (word(after) || self.len(group) <= 3 && after.strip_prefix(' ').is_some_and(word))
    }
}

/// What is counted by short numbers behind a telephone number in notes and lines of logs.
const UNITS: &[&str] =
    &["h", "hrs", "min", "mins", "sec", "ms", "kg", "km", "uhr", "stk", "stock", "etage", "eur", "usd", "chf"];

/// The most digits a number with this country code has, code included; the most of all where the plan has no fixed end.
fn digits_max(code: &str) -> usize {
    let plans: &[(&str, usize)] = &[
        ("1", 11),
        ("7", 11),
        ("30", 12),
        ("31", 11),
        ("32", 11),
        ("33", 11),
        ("34", 11),
        ("36", 11),
        ("40", 11),
        ("41", 11),
        ("44", 12),
        ("45", 10),
        ("47", 10),
        ("48", 11),
        ("351", 12),
        ("353", 12),
        ("52", 13),
        ("55", 13),
        ("61", 11),
        ("81", 12),
        ("82", 12),
        ("86", 13),
        ("91", 12),
    ];
    of_country(plans, code).unwrap_or(DIGITS_MAX)
}

/// As [`digits_max`], for what people write; with the extensions of a company behind a hyphen there are more. None where
/// the plan does not say.
fn digits_usual(code: &str) -> Option<usize> {
    let plans: &[(&str, usize)] = &[
        ("20", 12),
        ("27", 11),
        ("46", 11),
        ("51", 11),
        ("56", 11),
        ("57", 12),
        ("62", 14),
        ("65", 10),
        ("66", 11),
        ("90", 12),
        ("92", 12),
        ("254", 12),
        ("354", 10),
        ("370", 11),
        ("371", 11),
        ("380", 12),
        ("385", 12),
        ("386", 11),
        ("420", 12),
        ("421", 12),
        ("852", 11),
        ("886", 12),
        ("966", 12),
        ("971", 12),
        ("972", 12),
    ];
    of_country(plans, code)
}

fn of_country(plans: &[(&str, usize)], code: &str) -> Option<usize> {
    plans.iter().find(|(prefix, _)| code.starts_with(prefix)).map(|(_, digits)| *digits)
}
