//! Paths of documents as they are shown: a key can be a person's name, or open something, and then it is a value as any other.

use super::content::{self, Somebody};
use crate::mask::json::{MAP_KEYS_MAX, may_be_written};
use std::collections::{BTreeMap, BTreeSet};

/// What stands for a key that is not shown, and for any.
const ANY: &str = "*";
/// Fewest keys that may be persons before an object is a map of them; half of its keys are.
const PERSONS_MIN: usize = 2;

/// First and last document that has something.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub first: u64,
    pub last: u64,
}

impl Span {
    fn join(self, other: Self) -> Self {
        Self { first: self.first.min(other.first), last: self.last.max(other.last) }
    }

    /// One, or two for more.
    fn documents(self) -> u32 {
        if self.first == self.last { 1 } else { 2 }
    }
}

/// A path with `.*` for every key that is not the name of a field.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    pub path: String,
    /// Some key is not shown although it stands among names of fields: `.*` would mean those as well.
    pub rare: bool,
}

/// The paths as they are shown, in the same order. A key stands there by the rule of a lock: it looks like the name of a
/// field, and several documents have it. Nor is it shown where it is a person's name; an object is a map where it has many
/// keys, none that can be shown, or half of them are persons'. What stands below keys of a map stands in one object.
///
/// Beside them the paths of maps of persons, but for those that `.*` would not lead to alone.
pub(super) fn shown<'p>(paths: impl Iterator<Item = (&'p str, Span)>) -> (Vec<Shown>, BTreeSet<String>) {
    let begun = |(path, span): (&'p str, Span)| Begun {
        keys: keys(path).collect(),
        shown: Shown { path: String::with_capacity(path.len()), rare: false },
        done: 0,
        path,
        span,
    };
    let mut all: Vec<Begun<'p>> = paths.map(begun).collect();
    let mut of_persons = BTreeSet::new();
    for depth in 0.. {
        let mut objects: BTreeMap<String, BTreeMap<&str, Span>> = BTreeMap::new();
        for one in &mut all {
            let Some((from, to)) = one.keys.get(depth).copied() else { continue };
            one.go_to(from);
            let (members, span) = (objects.entry(one.shown.path.clone()).or_default(), one.span);
            members.entry(&one.path[from..to]).and_modify(|known| *known = known.join(span)).or_insert(span);
        }
        if objects.is_empty() {
            break;
        }
        let maps: BTreeSet<String> =
            objects.iter().filter(|(_, members)| is_map(members)).map(|(object, _)| object.clone()).collect();
        let rare = |object: &str| all.iter().any(|one| one.shown.rare && one.shown.path == object);
        let persons = objects.iter().filter(|(object, members)| are_persons(members) && !rare(object));
        of_persons.extend(persons.map(|(object, _)| object.clone()));
        for one in &mut all {
            let Some((from, to)) = one.keys.get(depth).copied() else { continue };
            let key = &one.path[from..to];
            let map = maps.contains(&one.shown.path);
            let span = objects.get(&one.shown.path).and_then(|members| members.get(key)).copied().unwrap_or(one.span);
            one.done = to;
            if !map && is_field(key, span) {
                one.shown.path.push_str(key);
            } else {
                one.shown.path.push_str(&key[..1]);
                one.shown.path.push_str(ANY);
                one.shown.rare |= !map;
            }
        }
    }
    let whole = |mut one: Begun<'_>| {
        one.go_to(one.path.len());
        one.shown
    };
    (all.into_iter().map(whole).collect(), of_persons)
}

/// A path that is shown as far as it is done.
struct Begun<'p> {
    path: &'p str,
    span: Span,
    keys: Vec<(usize, usize)>,
    shown: Shown,
    done: usize,
}

impl Begun<'_> {
    /// Shows what stands between two keys: elements of arrays.
    fn go_to(&mut self, at: usize) {
        self.shown.path.push_str(&self.path[self.done..at]);
        self.done = at;
    }
}

/// Where the keys of a path begin and end, each with the sign before it: that of a member or an attribute.
fn keys(path: &str) -> impl Iterator<Item = (usize, usize)> {
    let begins = path.match_indices(['.', '@']).map(|(at, _)| at);
    begins.map(|from| (from, path[from + 1..].find(['.', '@', '[']).map_or(path.len(), |length| from + 1 + length)))
}

/// Whether any key may stand in an object.
fn is_map(members: &BTreeMap<&str, Span>) -> bool {
    // What one document alone has says nothing of the next one.
    let several = members.values().copied().reduce(Span::join).is_some_and(|span| span.documents() > 1);
    let fields = || members.iter().any(|(key, span)| is_field(key, *span));
    members.len() > MAP_KEYS_MAX || are_persons(members) || several && !fields()
}

/// Whether keys may be persons, so many that it is no chance.
fn are_persons(members: &BTreeMap<&str, Span>) -> bool {
    let persons = members.keys().filter(|key| may_be_person(&key[1..])).count();
    persons >= PERSONS_MIN && persons * 2 >= members.len()
}

fn is_field(key: &str, span: Span) -> bool {
    let name = &key[1..];
    let person = || content::somebody(name) == Somebody::Named || is_last_name(name);
    name != ANY && may_be_written(name, span.documents()) && !person()
}

/// Whether a key may be a login or a last name. Fields are called like logins by chance.
fn may_be_person(key: &str) -> bool {
    content::somebody(key) != Somebody::No || is_last_name(key)
}

/// Last names that begin with a small letter are words as well.
fn is_last_name(key: &str) -> bool {
    key.starts_with(char::is_uppercase) && content::is_last_name(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths as they are shown, with a `?` behind those that stand among names of fields.
    fn of(paths: &[(&str, u64, u64)]) -> Vec<String> {
        let spans = paths.iter().map(|(path, first, last)| (*path, Span { first: *first, last: *last }));
        let told = |shown: Shown| format!("{}{}", shown.path, if shown.rare { "?" } else { "" });
        shown(spans).0.into_iter().map(told).collect()
    }

    #[test]
    fn a_key_is_shown_if_it_is_the_name_of_a_field_in_several_documents() {
        let paths =
            [("$.contact.email", 1, 9), ("$.contact.tags[*]", 1, 2), ("$.zebediah.email", 3, 3), ("$.*.email", 1, 9)];
        assert_eq!(of(&paths), ["$.contact.email", "$.contact.tags[*]", "$.*.email?", "$.*.email?"]);
        assert_eq!(
            of(&[("$.order@kind", 1, 9), ("$.order@rare", 2, 2), ("$[*]", 1, 1)]),
            ["$.order@kind", "$.order@*?", "$[*]"]
        );
        assert_eq!(of(&[("$.contact.email", 1, 1)]), ["$.*.*?"], "one document alone");
    }

    #[test]
    fn maps_show_no_key() {
        // Each in one document, and what stands below in all of them.
        let tokens = [("$.a[*].GVgeJ9587QDyHOULIEfnpW.token", 1, 1), ("$.a[*].a4aycy80yOGda4BOy1oyV0.token", 2, 2)];
        assert_eq!(of(&tokens), ["$.a[*].*.token"; 2]);
        let logins = [("$.okowalski.email", 1, 9), ("$.asanchez.email", 2, 8), ("$.qz.email", 3, 7)];
        assert_eq!(of(&logins), ["$.*.email"; 3]);
        let names = [("$.Kowalski.iban", 1, 9), ("$.Sanchez.iban", 2, 8)];
        assert_eq!(of(&names), ["$.*.iban"; 2]);
        let spans = logins.iter().map(|(path, first, last)| (*path, Span { first: *first, last: *last }));
        assert_eq!(shown(spans).1, BTreeSet::from(["$".to_owned()]));
        // One name among fields.
        assert_eq!(of(&[("$.Kowalski.iban", 1, 9), ("$.address.iban", 2, 8)]), ["$.*.iban?", "$.address.iban"]);
    }
}
