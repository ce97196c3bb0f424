//! The classes beyond the nineteen of MASKING.md, section 6, so that every letter and every digit has one and no two
//! values of `pattern/1` share a mask.
//!
//! # Construction
//!
//! Frozen, from the tables of Unicode 16.0 alone. A letter or digit that is in none of the nineteen belongs to
//! 1. one of [`SETS`], if it is in one: letters that a database whose encoding has one of them has all of;
//! 2. else the ten digits of its script ([`DIGITS`]), if it is one of them;
//! 3. else the range of [`letters`] it stands in, if that has more than 1 024 code points (Han beyond the first block, Yi,
//!    Tangut, hieroglyphs);
//! 4. else its group: code points from one of [`BOUNDS`] to the next, beyond U+FFFF 256 of them. A group is two classes,
//!    what case folding changes and the rest, if both have at least [`MEMBERS_MIN`] members; else it is one;
//! 5. groups with fewer members are joined, by their length in UTF-8, and so are the code points that are not assigned.
//!
//! Members are in the order of code points, and of one length in UTF-8. A class stands in the tweak as 0xff, which no
//! UTF-8 has, and its first member.

use crate::mask::unicode::{full_fold, letters, unassigned};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Classes as ranges, which ISO 8859 and the code pages of Windows have as a whole or not at all, but for single letters:
/// of LATIN1 (two more are in code pages of other alphabets), Greek, Cyrillic, Hebrew, Arabic.
const SETS: &[&[(u32, u32)]] = &[
    &[(0xaa, 0xaa), (0xba, 0xba), (0xdf, 0xdf)],
    &[(0xb2, 0xb3), (0xbd, 0xbd)],
    &[(0xb5, 0xb5), (0xb9, 0xb9), (0xbc, 0xbc), (0xbe, 0xbe)],
    &[(0x386, 0x386), (0x388, 0x38a), (0x38c, 0x38c), (0x38e, 0x38f), (0x3aa, 0x3ab)],
    &[(0x390, 0x390), (0x3ac, 0x3b0), (0x3ca, 0x3ce)],
    &[(0x401, 0x40c), (0x40e, 0x40f)],
    &[(0x451, 0x45c), (0x45e, 0x45f)],
    &[(0x5b0, 0x5b9), (0x5bb, 0x5bd), (0x5bf, 0x5bf), (0x5c1, 0x5c2), (0x5f0, 0x5f2)],
    &[(0x640, 0x640), (0x64b, 0x652)],
];

/// First code points of the groups. Source: blocks of Unicode 16.0, Cyrillic and full-width forms in parts.
#[rustfmt::skip]
const BOUNDS: &[u32] = &[
    0x80, 0x100, 0x180, 0x250, 0x2b0, 0x370, 0x400, 0x460, 0x48a, 0x500, 0x530, 0x590, 0x600, 0x700, 0x750, 0x780,
    0x7c0, 0x800, 0x840, 0x8a0, 0x900, 0x980, 0xa00, 0xa80, 0xb00, 0xb80, 0xc00, 0xc80, 0xd00, 0xd80, 0xe00, 0xe80,
    0xf00, 0x1000, 0x10a0, 0x1100, 0x1200, 0x13a0, 0x1400, 0x1680, 0x16a0, 0x1700, 0x1780, 0x1800, 0x18b0, 0x1900,
    0x1980, 0x1a00, 0x1b00, 0x1bc0, 0x1c00, 0x1c50, 0x1c80, 0x1c90, 0x1cc0, 0x1d00, 0x1e00, 0x1f00, 0x2000, 0x2c00,
    0x2c60, 0x2c80, 0x2d00, 0x2d30, 0x2d80, 0x2e00, 0x3040, 0x30a0, 0x3100, 0x3130, 0x3190, 0x31f0, 0x3200, 0x3400,
    0x4e00, 0xa000, 0xa4d0, 0xa640, 0xa720, 0xa800, 0xa880, 0xa900, 0xa980, 0xaa00, 0xab00, 0xab30, 0xabc0, 0xac00,
    0xf900, 0xfb00, 0xfb50, 0xfe70, 0xff00, 0xff41, 0xff66,
];

/// The zeros of ten decimal digits in a row, below U+10000.
#[rustfmt::skip]
const DIGITS: &[u32] = &[
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50, 0xed0, 0xf20,
    0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0,
    0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
];

/// A smaller class would leave too many characters as they are.
const MEMBERS_MIN: usize = 8;
/// A range of letters from which on it is a class of its own.
const RANGE_MIN: u32 = 1024;

/// What decides the class of a character: the rule above, and which of its classes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Set(usize),
    /// By number, and whether case folding changes it.
    Block(u32, bool),
    Digits(u32),
    Range(u32),
    /// As `Block`, beyond U+FFFF.
    Page(u32, bool),
    Few(usize),
    Unassigned(usize),
}

/// Consecutive members of one class.
#[derive(Clone, Copy)]
struct Run {
    first: u32,
    last: u32,
    class: usize,
    /// Of `first` in the class.
    index: u32,
}

struct Tables {
    /// By code point.
    runs: Vec<Run>,
    classes: Vec<Class>,
}

/// A class as ranges, and how many members it has.
#[derive(Default)]
struct Class {
    ranges: Vec<(u32, u32)>,
    size: u32,
}

static TABLES: LazyLock<Tables> = LazyLock::new(build);

/// The class of a character, its index there, and the size of the class; none for what is neither letter nor digit, and
/// for members of the nineteen.
pub(super) fn find(c: char) -> Option<(usize, u32, u32)> {
    if c.is_ascii() {
        return None;
    }
    let code = u32::from(c);
    let tables = &*TABLES;
    let at = tables.runs.partition_point(|run| run.last < code);
    let run = tables.runs.get(at).filter(|run| run.first <= code)?;
    Some((run.class, run.index + code - run.first, tables.classes[run.class].size))
}

/// The member of a class at an index below its size.
pub(super) fn member_at(class: usize, index: u32) -> u32 {
    let mut index = index;
    for (first, last) in &TABLES.classes[class].ranges {
        let size = last - first + 1;
        if index < size {
            return first + index;
        }
        index -= size;
    }
    unreachable!("an index is below the size of its class")
}

fn group(code: u32, range: (u32, u32)) -> Group {
    let holds = |set: &&[(u32, u32)]| set.iter().any(|(first, last)| (*first..=*last).contains(&code));
    if let Some(set) = SETS.iter().position(holds) {
        return Group::Set(set);
    }
    let folds = char::from_u32(code).is_some_and(|c| full_fold(c).is_some());
    if let Some(zero) = DIGITS.iter().find(|zero| (**zero..**zero + 10).contains(&code)) {
        Group::Digits(*zero)
    } else if range.1 - range.0 >= RANGE_MIN {
        Group::Range(range.0)
    } else if code < 0x1_0000 {
        Group::Block(BOUNDS.partition_point(|bound| *bound <= code) as u32, folds)
    } else {
        Group::Page(code >> 8, folds)
    }
}

fn utf8_length(code: u32) -> usize {
    char::from_u32(code).map_or(0, char::len_utf8)
}

fn build() -> Tables {
    let mut groups: BTreeMap<Group, Vec<u32>> = BTreeMap::new();
    for range in letters() {
        for code in range.0..=range.1 {
            if char::from_u32(code).is_some_and(|c| super::listed(c).is_none()) {
                groups.entry(group(code, *range)).or_default().push(code);
            }
        }
    }
    // Joined: the two halves of a group of which one is small, then what is small still.
    let halves: Vec<Group> = groups.keys().copied().collect();
    for group in halves {
        let other = match group {
            Group::Block(number, true) => Group::Block(number, false),
            Group::Page(number, true) => Group::Page(number, false),
            _ => continue,
        };
        let size = |group: &Group| groups.get(group).map_or(0, Vec::len);
        if size(&group) < MEMBERS_MIN || size(&other) < MEMBERS_MIN {
            let folding = groups.remove(&group).unwrap_or_default();
            groups.entry(other).or_default().extend(folding);
        }
    }
    let small = groups.iter().filter(|(group, members)| members.len() < MEMBERS_MIN && !matches!(group, Group::Set(_)));
    let small: Vec<Group> = small.map(|(group, _)| *group).collect();
    for group in small {
        for code in groups.remove(&group).unwrap_or_default() {
            groups.entry(Group::Few(utf8_length(code))).or_default().push(code);
        }
    }
    let mut tables = Tables { runs: Vec::new(), classes: Vec::new() };
    for mut members in groups.into_values() {
        members.sort_unstable();
        tables.classes.push(Class::default());
        members.into_iter().for_each(|code| tables.push(code, code));
    }
    let mut free: BTreeMap<Group, Vec<(u32, u32)>> = BTreeMap::new();
    for (first, last) in unassigned() {
        free.entry(Group::Unassigned(utf8_length(first))).or_default().push((first, last));
    }
    for ranges in free.into_values() {
        tables.classes.push(Class::default());
        ranges.into_iter().for_each(|(first, last)| tables.push(first, last));
    }
    tables.runs.sort_unstable_by_key(|run| run.first);
    tables
}

impl Tables {
    /// Adds the next members of the last class.
    fn push(&mut self, first: u32, last: u32) {
        let class = self.classes.len() - 1;
        let Some(open) = self.classes.last_mut() else { return };
        let index = open.size;
        open.size += last - first + 1;
        if let (Some(range), Some(run)) = (open.ranges.last_mut(), self.runs.last_mut())
            && range.1 + 1 == first
        {
            (range.1, run.last) = (last, last);
            return;
        }
        open.ranges.push((first, last));
        self.runs.push(Run { first, last, class, index });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::unicode::is_telling;

    #[test]
    fn every_letter_and_digit_has_one_class() {
        for c in ('\0'..=char::MAX).filter(|c| !c.is_ascii()) {
            let (listed, found) = (super::super::listed(c), find(c));
            assert_eq!(
                usize::from(listed.is_some()) + usize::from(found.is_some()),
                usize::from(is_telling(c)),
                "{c:?}"
            );
            if let Some((class, index, size)) = found {
                assert!(index < size && member_at(class, index) == u32::from(c), "{c:?}");
                assert_eq!(utf8_length(member_at(class, 0)), c.len_utf8(), "{c:?}");
            }
        }
    }

    #[test]
    fn classes_are_those_of_every_build() {
        let tables = &*TABLES;
        let mut sum = 0_u64;
        let mut add = |number: u32| sum = sum.wrapping_mul(31).wrapping_add(number.into());
        for class in &tables.classes {
            add(class.size);
            class.ranges.iter().flat_map(|(first, last)| *first..=*last).for_each(&mut add);
        }
        let members: u32 = tables.classes.iter().map(|class| class.size).sum();
        assert_eq!((tables.classes.len(), members, sum), (259, 931_034, 1_478_263_868_496_414_361));
        assert!(tables.classes.iter().all(|class| class.size >= 3), "a class of one member would keep it");
    }

    #[test]
    fn scripts_in_use_stay_themselves() {
        for (text, like) in [
            ("іїєўё", "ђѓѕјљњћќџ"),
            ("ІЇЄЎЁ", "ЂЃЅЈЉЊЋЌЏ"),
            ("ß", "ªº"),
            ("ґ", "қңүһә"),
            ("აბგ", "ჟრსტ"),
            ("աբգ", "ժիլխ"),
            ("ԱԲԳ", "ԴԵԶԷ"),
            ("অকি", "খগু"),
            ("அக", "இச"),
            ("٠٩", "٤"),
            ("۰", "۵"),
            ("०", "९"),
            ("ａ", "ｚ"),
            ("Ａ", "Ｚ"),
            ("０", "９"),
            ("ễ", "ậ"),
            ("έ", "ώ"),
        ] {
            let class = |c: char| find(c).map(|found| found.0);
            let own = text.chars().next().and_then(class);
            assert!(own.is_some() && text.chars().chain(like.chars()).all(|c| class(c) == own), "{text} {like}");
        }
    }
}
