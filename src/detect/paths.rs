//! Paths of documents as they are shown: a key can be a person's name, or open something, and then it is a value as any other.

use super::content::{self, Somebody};
use super::nested::{NO_NAME, PERSON};
use crate::mask::json::{is_field_name, may_be_written, personal_key};
use std::collections::{BTreeMap, BTreeSet};

/// Fewest different keys of a map.
const MAP_KEYS_MIN: usize = 4;
/// Fewest keys that may be persons before a map is one of them; half of its keys are.
const PERSONS_MIN: usize = 2;
/// Documents so few that nothing tells how often they have a key.
const FEW_DOCUMENTS: u32 = 3;
/// Documents that are told apart; what only later ones have counts for nothing.
const DOCUMENTS_MAX: u64 = 1024;

/// Which of the first documents have something.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Having([u64; DOCUMENTS_MAX as usize / 64]);

impl Having {
    pub(super) fn add(&mut self, document: u64) {
        if document < DOCUMENTS_MAX {
            self.0[document as usize / 64] |= 1 << (document % 64);
        }
    }

    fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own |= other);
    }

    fn count(&self) -> u32 {
        self.0.iter().map(|some| some.count_ones()).sum()
    }
}

/// Values at one path.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaves<'p> {
    pub path: &'p str,
    pub documents: Having,
    /// Some have letters.
    pub text: bool,
}

/// A path with `.*` for every key that is not the name of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    pub path: String,
    /// Some key is not shown although it stands among names of fields: `.*` would mean those as well.
    pub rare: bool,
}

/// The paths as they are shown, in the same order. Keys of maps never are. Others are fields if half of the documents that have
/// the object have them; of fewer, by the rule of a lock, and if they are called like nobody.
///
/// An object is a map by its structure: its keys differ from document to document, and its members are of one shape. What
/// stands below keys of a map stands in one object.
///
/// Beside them the paths of maps of persons, but for those that `.*` would not lead to alone.
pub(super) fn shown<'p>(paths: impl Iterator<Item = Leaves<'p>>) -> (Vec<Shown>, BTreeSet<String>) {
    let begun = |leaves: Leaves<'p>| Begun {
        keys: keys(leaves.path).collect(),
        shown: Shown { path: String::with_capacity(leaves.path.len()), rare: false },
        done: 0,
        leaves,
    };
    let mut all: Vec<Begun<'p>> = paths.map(begun).collect();
    let mut of_persons = BTreeSet::new();
    for depth in 0.. {
        let mut objects: BTreeMap<String, Object<'p>> = BTreeMap::new();
        for one in &mut all {
            let Some((from, to)) = one.keys.get(depth).copied() else { continue };
            one.go_to(from);
            let (path, leaves) = (one.leaves.path, one.leaves);
            let object = objects.entry(one.shown.path.clone()).or_default();
            object.documents.join(&leaves.documents);
            let member = object.members.entry(&path[from..to]).or_default();
            member.documents.join(&leaves.documents);
            member.shape.insert((&path[to..], leaves.text));
        }
        if objects.is_empty() {
            break;
        }
        let maps: BTreeSet<String> =
            objects.iter().filter(|(_, object)| object.is_map()).map(|(path, _)| path.clone()).collect();
        let rare = |path: &str| all.iter().any(|one| one.shown.rare && one.shown.path == path);
        let persons = maps.iter().filter(|path| objects[*path].is_of_persons() && !rare(path));
        of_persons.extend(persons.cloned());
        for one in &mut all {
            let Some((from, to)) = one.keys.get(depth).copied() else { continue };
            let key = &one.leaves.path[from..to];
            let map = maps.contains(&one.shown.path);
            let field = !map && objects.get(&one.shown.path).is_some_and(|object| object.is_field(key));
            one.done = to;
            if field {
                one.shown.path.push_str(key);
            } else {
                one.shown.path.push_str(&key[..1]);
                one.shown.path.push_str(NO_NAME);
                one.shown.rare |= !map;
            }
        }
    }
    let whole = |mut one: Begun<'_>| {
        one.go_to(one.leaves.path.len());
        one.shown
    };
    (all.into_iter().map(whole).collect(), of_persons)
}

/// A path that is shown as far as it is done.
struct Begun<'p> {
    leaves: Leaves<'p>,
    keys: Vec<(usize, usize)>,
    shown: Shown,
    done: usize,
}

impl Begun<'_> {
    /// Shows what stands between two keys: elements of arrays.
    fn go_to(&mut self, at: usize) {
        self.shown.path.push_str(&self.leaves.path[self.done..at]);
        self.done = at;
    }
}

/// Where the keys of a path begin and end, each with the sign before it: that of a member or an attribute.
fn keys(path: &str) -> impl Iterator<Item = (usize, usize)> {
    let begins = path.match_indices(['.', '@']).map(|(at, _)| at);
    begins.map(|from| (from, path[from + 1..].find(['.', '@', '[']).map_or(path.len(), |length| from + 1 + length)))
}

/// What all documents have in one object.
#[derive(Default)]
struct Object<'p> {
    documents: Having,
    members: BTreeMap<&'p str, Member<'p>>,
}

#[derive(Default)]
struct Member<'p> {
    documents: Having,
    /// What is below, with whether it has letters.
    shape: BTreeSet<(&'p str, bool)>,
}

impl Object<'_> {
    /// Whether any key may stand in it: there are several, no document tells which the next one has, and what stands below
    /// most of them is the same.
    fn is_map(&self) -> bool {
        let all = self.documents.count();
        let differ = || self.members.values().all(|member| member.documents.count() * 2 <= all);
        let mut shapes: BTreeMap<(&str, bool), usize> = BTreeMap::new();
        self.members
            .values()
            .flat_map(|member| &member.shape)
            .for_each(|shape| *shapes.entry(*shape).or_default() += 1);
        let alike = || shapes.values().any(|members| members * 4 >= self.members.len() * 3);
        self.members.len() >= MAP_KEYS_MIN && differ() && alike()
    }

    /// Whether the keys of a map may be persons, so many that it is no chance.
    fn is_of_persons(&self) -> bool {
        let persons = self.members.keys().filter(|key| may_be_person(&key[1..])).count();
        persons >= PERSONS_MIN && persons * 2 >= self.members.len()
    }

    /// Whether a key, with the sign before it, is shown where the object is no map.
    fn is_field(&self, key: &str) -> bool {
        let (all, have) = (self.documents.count(), self.members[key].documents.count());
        let name = &key[1..];
        if name.starts_with(NO_NAME) || personal_key(name).is_some() {
            return false;
        }
        let nobody = || match all {
            0..=FEW_DOCUMENTS => looks_like_field(name),
            _ => content::somebody(name) != Somebody::Named,
        };
        let by_lock = || have > 1 && is_code(name) || may_be_written(name, have) && !may_be_person(name);
        have * 2 >= all && nobody() || by_lock()
    }
}

/// Whether a key is in words as fields are called, `adminEmail`, `admin_email`, and none of them is a name.
fn looks_like_field(name: &str) -> bool {
    /// Fewest letters of a name that stands among other words: shorter ones are words as well.
    const PART_MIN: usize = 4;
    let mut words = super::token::split(name, true).into_iter().filter(|word| word.len() >= PART_MIN);
    name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && is_field_name(name)
        && !may_be_person(name)
        && !words.any(|word| content::is_name_of_person(&word))
}

/// Whether all keys of a path look like names of fields.
pub(super) fn are_fields(path: &str) -> bool {
    keys(path).all(|(from, to)| looks_like_field(&path[from + 1..to]))
}

/// Whether a key may be a login or a last name.
fn may_be_person(key: &str) -> bool {
    if let Some(shape) = key.strip_prefix(NO_NAME) {
        return shape.starts_with(PERSON);
    }
    let body = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let numbered = || body.len() < key.len() && body.get(1..).is_some_and(content::is_last_name);
    let last = || key.split('-').all(content::is_last_name);
    !is_code(key) && (content::somebody(key) != Somebody::No || last() || numbered())
}

/// Whether a key is a code of a language, a country or a currency, or a locale: `ja`, `SEK`, `ja_JP`. Some are names.
fn is_code(key: &str) -> bool {
    let lower = |word: &str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    let upper = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    match key.split_once(['_', '-']) {
        Some((language, country)) => {
            matches!(language.len(), 2 | 3) && lower(language) && country.len() == 2 && upper(country)
        }
        None => key.len() == 2 && lower(key) || matches!(key.len(), 2 | 3) && upper(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves<'p>(paths: &'p [(&'p str, &'p [u64])]) -> impl Iterator<Item = Leaves<'p>> {
        paths.iter().map(|(path, having)| {
            let mut documents = Having::default();
            having.iter().for_each(|document| documents.add(*document));
            Leaves { path, documents, text: true }
        })
    }

    /// Paths as they are shown, with a `?` behind those that stand among names of fields.
    fn of(paths: &[(&str, &[u64])]) -> Vec<String> {
        let told = |shown: Shown| format!("{}{}", shown.path, if shown.rare { "?" } else { "" });
        shown(leaves(paths)).0.into_iter().map(told).collect()
    }

    fn maps_of_persons(paths: &[(&str, &[u64])]) -> Vec<String> {
        shown(leaves(paths)).1.into_iter().collect()
    }

    const ALL: &[u64] = &[1, 2, 3, 4, 5, 6, 7, 8];

    #[test]
    fn a_key_is_shown_if_half_of_the_documents_have_it_or_several_and_it_is_called_like_nobody() {
        let paths: [(&str, &[u64]); 7] = [
            ("$.contact.email", ALL),
            ("$.contact.replyTo[*]", &[1, 2, 3]),
            ("$.sales", ALL),
            ("$.Stock", ALL),
            ("$.ja_JP.email", ALL),
            ("$.SEK", &[1, 2, 3]),
            ("$.zebediah.email", &[3]),
        ];
        let want =
            ["$.contact.email", "$.contact.replyTo[*]", "$.sales", "$.Stock", "$.ja_JP.email", "$.SEK", "$.*.email?"];
        assert_eq!(of(&paths), want);
        assert!(maps_of_persons(&paths).is_empty());
        let attributes: [(&str, &[u64]); 3] = [("$.order@kind", ALL), ("$.order@rare", &[2]), ("$[*]", &[1])];
        assert_eq!(of(&attributes), ["$.order@kind", "$.order@*?", "$[*]"]);
        // Fewer than half, and called like somebody.
        for key in ["kowalski", "Kowalski", "Haugen-Vik", "asanchez1", "bkim77", "okowalski"] {
            let path = format!("$.{key}.email");
            assert_eq!(of(&[("$.plan", ALL), (&path, &[2, 3])]), ["$.plan", "$.*.email?"], "{key}");
        }
        // No name of a field, in all of them.
        assert_eq!(of(&[("$.*0123", ALL), ("$.*4567", ALL)]), ["$.*?", "$.*?"]);
    }

    #[test]
    fn in_few_documents_what_looks_like_a_field_is_shown() {
        let paths: [(&str, &[u64]); 5] = [
            ("$.smtp.password", &[1]),
            ("$.admin_email", &[1]),
            ("$.replyTo", &[1]),
            ("$.okowalski.email", &[1]),
            ("$.Zebediah.email", &[1]),
        ];
        assert_eq!(of(&paths), ["$.smtp.password", "$.admin_email", "$.replyTo", "$.*.email?", "$.*.email?"]);
        assert_eq!(paths.map(|(path, _)| are_fields(path)), [true, true, true, false, false]);
    }

    #[test]
    fn maps_show_no_key() {
        let persons: [(&str, &[u64]); 5] = [
            ("$.okowalski.email", &[1, 2, 3]),
            ("$.asanchez.email", &[3, 4]),
            ("$.qz.email", &[5, 6]),
            ("$.*n0123.email", &[7]),
            ("$.*4567.email", &[8]),
        ];
        assert_eq!(of(&persons), ["$.*.email"; 5]);
        assert_eq!(maps_of_persons(&persons), ["$"]);
        let codes: [(&str, &[u64]); 4] =
            [("$.SEK.email", &[1]), ("$.EUR.email", &[2]), ("$.OH.email", &[3]), ("$.ja_JP.email", &[4])];
        assert_eq!(of(&codes), ["$.*.email"; 4]);
        assert!(maps_of_persons(&codes).is_empty());
        // The twins: one key that most documents have, members of many shapes, and few keys.
        let mut fields = persons;
        fields[0].1 = ALL;
        assert_eq!(of(&fields)[0], "$.okowalski.email");
        assert!(maps_of_persons(&fields).is_empty());
        let shapes: [(&str, &[u64]); 4] =
            [("$.okowalski.a", &[1]), ("$.asanchez.b", &[2]), ("$.okim.c", &[3]), ("$.qzq", &[4])];
        assert!(maps_of_persons(&shapes).is_empty());
        assert!(maps_of_persons(&persons[..3]).is_empty());
    }
}
