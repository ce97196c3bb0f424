//! Which paths hold the values that are kept, by `rest = "keep"` or below a path that says so: gathered from documents,
//! written down without their values.
//!
//! A key can be personal data too (`{"bob@example.com": {…}}`), so a key is written as it is only if it looks like the
//! name of a field and more than one document has it. Any other key is named by a keyed hash; and where an object has so
//! many of them that it is a map, its keys are open: `$.users.*`. Keys of a map that are personal data stand together by
//! their kind (`$.users["#e-mail address"]`): open keys let none of them pass. Beside a path stand the types of its values.

use super::path::{self, Action, Automaton, Keys, Known, Path, Types, sealed};
use crate::mask::Params;
use crate::mask::dict::{FIRST_FEMALE, FIRST_MALE};
use crate::mask::key::{DomainKey, RealmKey};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// An object with more different keys than this over all documents is a map.
const MAP_KEYS_MAX: usize = 64;
/// So is one with this many keys that look like no name of a field.
const ODD_MAX: usize = 8;
/// Longest name of a field.
const NAME_MAX: usize = 40;
/// Members of objects that are told apart in all: maps with a key for everybody would fill the memory otherwise.
const MEMBERS_MAX: usize = 200_000;
/// Levels that are written down; values further below are known together.
const DEPTH_MAX: usize = 24;

/// What becomes of a value that a rule keeps at a path that is not known: no mask has this number.
const NAMED: Action = Action::Mask(u16::MAX);

/// Gathers paths from documents. Memory grows with the number of different paths, not of documents, and is bounded: members
/// behind the first 200,000 different ones are left out.
pub struct Survey {
    automaton: Automaton,
    seal: DomainKey,
    root: Node,
    /// Members that may still be added.
    left: usize,
}

#[derive(Default)]
struct Node {
    /// Documents that have it.
    documents: u32,
    last: u32,
    /// Types of the values that are kept by `rest` and stand here, and of those that a rule keeps.
    types: Types,
    named: Types,
    members: BTreeMap<String, Node>,
    elements: Option<Box<Node>>,
}

/// The key that names keys.
pub(in crate::mask) fn seal(realm: &RealmKey) -> DomainKey {
    realm.domain("lock/1", "json key")
}

impl Survey {
    /// Prepares for documents of a column; none if its parameters keep nothing.
    ///
    /// With `known` among them, only values at other paths are gathered.
    pub fn new(realm: &RealmKey, params: &Params) -> Option<Self> {
        if !super::keeps(params) {
            return None;
        }
        let mut rules = Vec::new();
        for (path, action) in params.get("paths").and_then(Value::as_object).into_iter().flatten() {
            let action = match action.as_str() {
                Some("keep") => Action::Keep,
                Some("null") => Action::Null,
                _ => Action::Mask(0),
            };
            rules.push((Path::parse(path).ok()?, action));
        }
        // Keys that a mask hides are as open as it makes them.
        let keys = params.get("keys").and_then(Value::as_object).into_iter().flatten();
        let own = |value: &Value| if value == "keep" { Keys::Keep } else { Keys::Mask(0) };
        let keys: Vec<(Path, Keys)> =
            keys.filter_map(|(path, value)| Some((Path::parse(path).ok()?, own(value)))).collect();
        let rest = if super::keeps_rest(params) { Action::Keep } else { Action::Null };
        let known = params.get("known").and_then(Value::as_array);
        let strict = known.is_none() || rest != Action::Keep;
        let typed = known.into_iter().flatten().filter_map(|entry| Some(path::typed(entry.as_str()?)));
        let paths = typed.filter_map(|(path, types)| Some((Path::parse(path).ok()?, types.unwrap_or(Types::ANY))));
        let paths = paths.collect();
        let known = Known { paths, otherwise: Action::Refuse, named: NAMED, strict, seal: seal(realm) };
        let automaton = Automaton::build(&rules, &keys, rest, Some(known)).ok()?;
        Some(Self { automaton, seal: seal(realm), root: Node::default(), left: MEMBERS_MAX })
    }

    /// Takes a document in. What is no JSON, or nested beyond all reason, is passed over.
    pub fn read(&mut self, document: &str) {
        if let Ok(value) = serde_json::from_str(document) {
            self.take(&value);
        }
    }

    /// As [`Survey::read`], of a document that holds something to gather; whether it does, and none where it cannot be read.
    /// Others leave no trace, so that memory grows with what is gathered alone.
    pub fn read_if_new(&mut self, document: &str) -> Option<bool> {
        let value = serde_json::from_str(document).ok()?;
        let new = holds_new(&self.automaton, 0, &value);
        if new {
            self.take(&value);
        }
        Some(new)
    }

    fn take(&mut self, value: &Value) {
        self.root.last += 1;
        walk(&self.automaton, 0, value, &mut self.root, &mut self.left);
    }

    /// The paths of all values gathered with their types (`$.plan: number`), sorted. No value is in them, and no key that
    /// could be one.
    pub fn paths(&self) -> BTreeSet<String> {
        self.listed(|node| node.types.with(node.named))
    }

    /// Whether a rule keeps any of the values gathered.
    pub fn keeps_by_rule(&self) -> bool {
        !self.listed(|node| node.named).is_empty()
    }

    fn listed(&self, types: fn(&Node) -> Types) -> BTreeSet<String> {
        let mut list = List { types, seal: &self.seal, path: String::from("$"), paths: BTreeMap::new() };
        list.add(&[&self.root], 0);
        list.paths.into_iter().map(|(path, types)| format!("{path}{}{}", path::OF_TYPE, types.words())).collect()
    }
}

/// The path of an entry as [`Survey::paths`] writes it.
pub fn path_of(entry: &str) -> &str {
    path::typed(entry).0
}

/// Entries of `found` that a path of the mask keeps which names none of the `known` ones: it was written since these were
/// listed, so whoever wrote it said that they may stay.
pub fn newly_kept(
    realm: &RealmKey,
    params: &Params,
    known: &BTreeSet<String>,
    found: &BTreeSet<String>,
) -> BTreeSet<String> {
    let seal = seal(realm);
    let rules = params.get("paths").and_then(Value::as_object).into_iter().flatten();
    let kept = rules.filter(|(_, action)| *action == "keep").filter_map(|(path, _)| Path::parse(path).ok());
    let below = |rule: &Path, entry: &String| Path::parse(path_of(entry)).is_ok_and(|at| rule.covers(&at, &seal));
    let new: Vec<Path> = kept.filter(|rule| !known.iter().any(|entry| below(rule, entry))).collect();
    found.iter().filter(|entry| new.iter().any(|rule| below(rule, entry))).cloned().collect()
}

/// The types of an entry in words; none where any may stand there.
pub fn types_of(entry: &str) -> Option<String> {
    path::typed(entry).1.map(Types::words)
}

/// Joins two lists: a path may hold what either saw there. Entries of before types were written down take those seen now.
pub fn join<'a>(before: impl Iterator<Item = &'a String>, now: impl Iterator<Item = &'a String>) -> BTreeSet<String> {
    let mut paths: BTreeMap<&str, Option<Types>> = BTreeMap::new();
    for (path, types) in before.chain(now).map(|entry| path::typed(entry)) {
        let known = paths.entry(path).or_default();
        *known = types.map(|types| known.unwrap_or_default().with(types)).or(*known);
    }
    let entry = |(path, types): (&str, Option<Types>)| match types {
        Some(types) => format!("{path}{}{}", path::OF_TYPE, types.words()),
        None => path.to_owned(),
    };
    paths.into_iter().map(entry).collect()
}

/// Whether [`walk`] would gather anything of a value.
fn holds_new(automaton: &Automaton, state: u32, value: &Value) -> bool {
    let here = &automaton.states[state as usize];
    match value {
        Value::Object(members) => members.iter().any(|(key, value)| {
            let next = here.member_sealed(key, automaton.seal.as_ref());
            next.personal.is_some() || holds_new(automaton, next.state, value)
        }),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .any(|(index, value)| holds_new(automaton, here.element(u32::try_from(index).unwrap_or(u32::MAX)), value)),
        scalar => matches!(here.action(type_of(scalar)), Action::Refuse | NAMED),
    }
}

/// The type of a value that holds no others.
fn type_of(scalar: &Value) -> Types {
    match scalar {
        Value::String(_) => Types::STRING,
        Value::Number(_) => Types::NUMBER,
        Value::Bool(_) => Types::BOOLEAN,
        _ => Types::NULL,
    }
}

fn walk(automaton: &Automaton, state: u32, value: &Value, node: &mut Node, left: &mut usize) {
    let here = &automaton.states[state as usize];
    let document = node.last;
    let below = |next: u32, value: &Value, child: &mut Node, left: &mut usize| {
        if child.last != document {
            child.last = document;
            child.documents += 1;
        }
        walk(automaton, next, value, child, left);
    };
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                let next = here.member_sealed(key, automaton.seal.as_ref());
                if !node.members.contains_key(key) {
                    let Some(fewer) = left.checked_sub(1) else { continue };
                    *left = fewer;
                }
                let child = node.members.entry(key.clone()).or_default();
                below(next.state, value, child, left);
                // The key stays, whatever becomes of what is below it.
                match next.personal {
                    Some(NAMED) => child.named = child.named.with(Types::NULL),
                    Some(_) => child.types = child.types.with(Types::NULL),
                    None => {}
                }
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let next = here.element(u32::try_from(index).unwrap_or(u32::MAX));
                below(next, value, node.elements.get_or_insert_default(), left);
            }
        }
        scalar => {
            let scalar = type_of(scalar);
            match here.action(scalar) {
                Action::Refuse => node.types = node.types.with(scalar),
                NAMED => node.named = node.named.with(scalar),
                _ => {}
            }
        }
    }
}

/// Paths as they are written down.
struct List<'a> {
    /// Which values of a node are.
    types: fn(&Node) -> Types,
    seal: &'a DomainKey,
    path: String,
    paths: BTreeMap<String, Types>,
}

impl List<'_> {
    /// Writes down the values below several nodes that stand at one path.
    fn add(&mut self, nodes: &[&Node], depth: usize) {
        let types = nodes.iter().fold(Types::NONE, |types, node| types.with((self.types)(node)));
        if !types.is_empty() {
            self.note(types);
        }
        let elements: Vec<&Node> = nodes.iter().filter_map(|node| node.elements.as_deref()).collect();
        if !elements.is_empty() {
            self.step("[*]", &elements, depth);
        }
        let mut members: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
        for (key, node) in nodes.iter().flat_map(|node| &node.members) {
            members.entry(key).or_default().push(node);
        }
        // Keys below which everything is masked say nothing that has to be known.
        members.retain(|_, nodes| nodes.iter().any(|node| self.holds_values(node)));
        let odd = members.keys().filter(|key| !is_field_name(key)).count();
        if members.len() > MAP_KEYS_MAX || odd >= ODD_MAX {
            let mut kinds: BTreeMap<Option<String>, Vec<&Node>> = BTreeMap::new();
            for (key, nodes) in &members {
                kinds.entry(path::class(key)).or_default().extend(nodes);
            }
            for (kind, nodes) in &kinds {
                let step = kind.as_ref().map_or_else(|| ".*".to_owned(), |kind| format!("[\"{kind}\"]"));
                self.step(&step, nodes, depth);
            }
            return;
        }
        for (key, nodes) in &members {
            let documents: u32 = nodes.iter().map(|node| node.documents).sum();
            let step = if may_be_written(key, documents) {
                format!(".{key}")
            } else {
                format!("[\"{}\"]", sealed(self.seal, key))
            };
            self.step(&step, nodes, depth);
        }
    }

    /// Notes types at the path that is written so far.
    fn note(&mut self, types: Types) {
        let known = self.paths.entry(self.path.clone()).or_default();
        *known = known.with(types);
    }

    fn step(&mut self, step: &str, nodes: &[&Node], depth: usize) {
        let length = self.path.len();
        self.path.push_str(step);
        if depth < DEPTH_MAX {
            self.add(nodes, depth + 1);
        } else if nodes.iter().any(|node| self.holds_values(node)) {
            // What lies below is known together, whatever it is.
            self.note(Types::ANY);
        }
        self.path.truncate(length);
    }

    fn holds_values(&self, node: &Node) -> bool {
        !(self.types)(node).is_empty()
            || node.members.values().any(|node| self.holds_values(node))
            || node.elements.as_ref().is_some_and(|elements| self.holds_values(elements))
    }
}

/// Whether a key that so many documents have may be written down, and shown: any other could be a value.
pub fn may_be_written(key: &str, documents: u32) -> bool {
    documents > 1 && is_field_name(key)
}

/// Whether a key looks like the name of a field, and like nothing of a person.
pub fn is_field_name(key: &str) -> bool {
    let mut bytes = key.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    let shaped = first && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    shaped
        && key.len() <= NAME_MAX
        && digits <= 3
        && path::personal(key).is_none()
        && !key.split(['_', '-']).any(|word| FIRST_FEMALE.holds(word) || FIRST_MALE.holds(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MasterKey, mask_value};
    use serde_json::json;

    fn survey(params: &Value, documents: &[&str]) -> Vec<String> {
        let realm = MasterKey::test().realm("default");
        let mut survey = Survey::new(&realm, params.as_object().unwrap()).unwrap();
        documents.iter().for_each(|document| survey.read(document));
        survey.paths().into_iter().collect()
    }

    fn masked(params: &Value, document: &str) -> Result<String, String> {
        let realm = MasterKey::test().realm("default");
        let params = params.as_object().unwrap().clone();
        mask_value(&realm, "json", "", params, None, document).map(Option::unwrap).map_err(|error| error.to_string())
    }

    #[test]
    fn paths_of_kept_values_are_listed_and_those_of_masked_ones_are_not() {
        let params = json!({ "rest": "keep", "paths": { "$.contact.email": "email", "$..phone": "phone" } });
        let document = r#"{"contact": {"email": "bob@example.com", "fax": null, "phone": "1"}, "tags": [1, {"x-y": true}], "e": {}}"#;
        assert_eq!(
            survey(&params, &[document, document]),
            ["$.contact.fax: null", "$.tags[*].x-y: boolean", "$.tags[*]: number"]
        );
    }

    #[test]
    fn keys_that_could_be_values_are_not_written_down() {
        let params = json!({ "rest": "keep" });
        let documents = [
            r#"{"bob@example.com": 1, "plan": 1, "maria": 2, "rare": 1, "user20418": 1}"#,
            r#"{"bob@example.com": 1, "plan": 1, "maria": 2, "user20418": 1}"#,
        ];
        let paths = survey(&params, &documents);
        assert_eq!(paths.len(), 5, "{paths:?}");
        assert_eq!(paths.iter().filter(|path| path.starts_with("$[\"#")).count(), 4, "{paths:?}");
        assert!(paths.contains(&"$.plan: number".to_owned()), "{paths:?}");
    }

    #[test]
    fn lists_are_joined_path_by_path() {
        let list = |entries: &[&str]| entries.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (before, now) =
            (list(&["$.a: number", "$.b", "$.c", "$.d: null"]), list(&["$.a: string", "$.b: boolean", "$.d: number"]));
        let joined: Vec<String> = join(before.iter(), now.iter()).into_iter().collect();
        assert_eq!(joined, ["$.a: number|string", "$.b: boolean", "$.c", "$.d: number"]);
    }

    #[test]
    fn objects_with_many_keys_are_maps() {
        let members: Vec<String> = (0..9).map(|n| format!(r#""user{n}@example.com": {{"seen": {n}}}"#)).collect();
        let document = format!("{{\"users\": {{{}}}}}", members.join(","));
        let params = json!({ "rest": "keep" });
        // Keys that are personal data stand apart from those that are open.
        assert_eq!(survey(&params, &[&document, &document]), ["$.users[\"#e-mail address\"].seen: number"]);
        let members: Vec<String> = (0..9).map(|n| format!(r#""user {n}": {{"seen": {n}}}"#)).collect();
        let document = format!("{{\"users\": {{{}}}}}", members.join(","));
        assert_eq!(survey(&params, &[&document, &document]), ["$.users.*.seen: number"]);
    }

    #[test]
    fn what_a_path_keeps_is_kept_as_it_was_reviewed() {
        let params = json!({ "rest": "null", "paths": { "$.limits": "keep", "$.flags.*": "keep" } });
        let document = r#"{"limits":{"cpu":1,"tags":[1]},"flags":{"x":true},"name":"Bob"}"#;
        let known = survey(&params, &[document, document]);
        assert_eq!(known, ["$.flags.x: boolean", "$.limits.cpu: number", "$.limits.tags[*]: number"]);
        let mut pinned = params.clone();
        pinned["known"] = json!(known);
        assert_eq!(masked(&pinned, document).unwrap(), document.replace("\"Bob\"", "null"));
        assert!(survey(&pinned, &[document]).is_empty());
        let mut strict = pinned.clone();
        strict["unknown_keys"] = json!("refuse");
        for document in [
            r#"{"limits":{"cpu":1,"owner":"Bob"}}"#,
            r#"{"limits":{"cpu":"Bob"}}"#,
            r#"{"limits":{"cpu":{"of":"Bob"}}}"#,
            r#"{"limits":"Bob"}"#,
            r#"{"flags":{"of":"Bob"}}"#,
        ] {
            assert!(masked(&params, document).unwrap().contains("Bob"), "the twin: nothing is pinned");
            assert!(!masked(&pinned, document).unwrap().contains("Bob"), "{document}");
            assert!(masked(&strict, document).unwrap_err().contains("JSON key"), "{document}");
            assert_eq!(survey(&pinned, &[document]).len(), 1, "{document}");
        }
    }

    #[test]
    fn a_path_that_is_kept_since_lets_through_what_it_names_and_nothing_else() {
        let realm = MasterKey::test().realm("default");
        let set = |entries: &[&str]| entries.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        let known = set(&["$.limits.cpu: number", "$.size: number"]);
        let late = format!("$[\"{}\"]: string", sealed(&seal(&realm), "late"));
        let found = set(&[
            "$.limits.cpu: number",
            "$.limits.owner: string",
            "$.name: string",
            "$.by.*: string",
            "$.x.y.z: null",
        ]);
        let found: BTreeSet<String> = found.into_iter().chain([late.clone()]).collect();
        for (path, want) in [
            ("$.name", vec!["$.name: string"]),
            ("$.late", vec![late.as_str()]),
            ("$.x", vec!["$.x.y.z: null"]),
            ("$..y", vec!["$.x.y.z: null"]),
            ("$.by.*", vec!["$.by.*: string"]),
            // One of many keys is not all of them.
            ("$.by.nickname", vec![]),
            // Some of what it names was reviewed: what is new below it was not.
            ("$.limits", vec![]),
            ("$.gone", vec![]),
        ] {
            let params = json!({ "rest": "null", "paths": { path: "keep", "$.limits": "keep" } });
            let new = newly_kept(&realm, params.as_object().unwrap(), &known, &found);
            assert_eq!(new, set(&want), "{path}");
        }
        let masked = json!({ "rest": "null", "paths": { "$.name": "pattern" } });
        assert!(newly_kept(&realm, masked.as_object().unwrap(), &known, &found).is_empty());
    }

    #[test]
    fn lists_of_before_paths_were_pinned_compare_none_below_them() {
        let rules = json!({ "rest": "keep", "paths": { "$..plan": "null", "$.limits": "keep" } });
        let pinned = |known: &[&str]| {
            let mut params = rules.clone();
            params["known"] = json!(known);
            params
        };
        let document = r#"{"size":1,"limits":{"owner":"Bob"}}"#;
        assert_eq!(masked(&pinned(&["$.size: number"]), document).unwrap(), document);
        assert!(survey(&pinned(&["$.size: number"]), &[document]).is_empty());
        assert!(masked(&pinned(&["$.size: number", "$.limits.cpu: number"]), document).is_err());
    }

    #[test]
    fn a_path_that_is_kept_is_known_by_the_name_of_its_keys() {
        let mut params = json!({ "rest": "keep", "paths": { "$.by.nickname": "keep" }, "unknown_keys": "null" });
        let document = r#"{"by":{"nickname":"Bob"}}"#;
        // One document alone: its keys are written down as hashes.
        let known = survey(&params, &[document]);
        assert!(known.len() == 1 && known[0].starts_with("$[\"#"), "{known:?}");
        params["known"] = json!(known);
        assert_eq!(masked(&params, document).unwrap(), document);
        assert_eq!(masked(&params, r#"{"by":{"name":"Bob"}}"#).unwrap(), r#"{"by":{"name":null}}"#);
    }

    #[test]
    fn open_keys_let_no_key_pass_that_is_personal_data() {
        let document = r#"{"perms":{"read":1,"zebediah@realmail.org":2}}"#;
        let params = |more: Value| {
            let mut params = json!({ "rest": "keep", "known": ["$.perms.*: number"] });
            params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            params
        };
        let error = masked(&params(json!({})), document).unwrap_err();
        assert!(error.contains("JSON key") && !error.contains("zebediah"), "{error}");
        let new = survey(&params(json!({})), &[document]);
        assert!(new.len() == 1 && new[0].contains("[\"#"), "{new:?}");
        let nulled = masked(&params(json!({ "unknown_keys": "null" })), document).unwrap();
        assert!(nulled.starts_with(r##"{"perms":{"read":1,"#"##) && nulled.ends_with(":null}}"), "{nulled}");
        // Keys of a kind that was reviewed stand before values that stay, and are hidden all the same.
        let known = json!({ "known": ["$.perms.*: number", "$.perms[\"#e-mail address\"]: number"] });
        let reviewed = masked(&params(known), document).unwrap();
        assert!(!reviewed.contains("zebediah") && reviewed.ends_with(":2}}"), "{reviewed}");
        // A key without a value says as much.
        assert!(masked(&params(json!({})), r#"{"perms":{"zebediah@realmail.org":{}}}"#).is_err());
        // The twins: other keys, keys that are said to stay, and keys that a mask hides.
        let plain = r#"{"perms":{"read":1,"write":2}}"#;
        assert_eq!(masked(&params(json!({})), plain).unwrap(), plain);
        assert_eq!(masked(&params(json!({ "keys": { "$.perms": "keep" } })), document).unwrap(), document);
        let hidden = masked(&params(json!({ "keys": { "$.perms": "email" } })), document).unwrap();
        assert!(!hidden.contains("zebediah") && hidden.ends_with(":2}}"), "{hidden}");
    }

    #[test]
    fn what_was_surveyed_is_kept_and_any_other_value_is_refused_or_nulled() {
        let params = json!({ "rest": "keep", "paths": { "$.email": "email" } });
        let documents =
            [r#"{"plan":1,"a b@c":{"x":[1,{"y":"z"}]},"once":true}"#, r#"{"plan":2,"email":"bob@example.com"}"#];
        let known = survey(&params, &documents);
        let pinned = |unknown: &str| {
            let mut params = params.clone();
            params["known"] = json!(known);
            params["unknown_keys"] = json!(unknown);
            params
        };
        for document in documents {
            assert_eq!(masked(&pinned("refuse"), document).unwrap(), masked(&params, document).unwrap());
        }
        for document in [
            r#"{"plan":1,"new":"Bob"}"#,
            r#"{"plan":{"new":1}}"#,
            r#"{"a b@c":{"x":[1,{"q":"Bob"}]}}"#,
            "\"Bob\"",
            r#"{"pl\u0061n":1,"n\u0065w":null}"#,
        ] {
            let error = masked(&pinned("refuse"), document).unwrap_err();
            assert!(error.contains("JSON key") && !error.contains("Bob"), "{error}");
            assert!(!masked(&pinned("null"), document).unwrap().contains("Bob"));
        }
        // Another type of value than was seen is no less new than another key.
        for document in [r#"{"plan":"Bob"}"#, r#"{"plan":true}"#, r#"{"once":"Bob"}"#] {
            let error = masked(&pinned("refuse"), document).unwrap_err();
            assert!(error.contains("type of value") && !error.contains("Bob"), "{error}");
            assert!(!masked(&pinned("null"), document).unwrap().contains("Bob"));
            assert_eq!(survey(&pinned("refuse"), &[document]).len(), 1, "{document}");
        }
        // A lock of before types were written down lets any of them pass.
        let untyped = json!({ "rest": "keep", "known": ["$.plan"] });
        assert_eq!(masked(&untyped, r#"{"plan":"x"}"#).unwrap(), r#"{"plan":"x"}"#);
        // What a rule decides is decided, wherever it stands.
        let deep = json!({ "rest": "keep", "paths": { "$..email": "null" }, "known": [] });
        assert_eq!(masked(&deep, r#"{"new":{"email":"bob@example.com"}}"#).unwrap(), r#"{"new":{"email":null}}"#);
        // With the known paths given, nothing is left to be surveyed.
        assert!(survey(&pinned("refuse"), &documents).is_empty());
        let realm = MasterKey::test().realm("default");
        let mut only = Survey::new(&realm, pinned("refuse").as_object().unwrap()).unwrap();
        assert!(documents.iter().all(|document| only.read_if_new(document) == Some(false)));
        assert_eq!(only.read_if_new(r#"{"plan":"\ud800"}"#), None);
        for document in [r#"{"plan":"Bob"}"#, r#"{"plan":1,"x":[{"q":true}]}"#] {
            assert_eq!(only.read_if_new(document), Some(true), "{document}");
        }
        assert_eq!(only.paths().len(), 2, "{:?}", only.paths());
    }
}
