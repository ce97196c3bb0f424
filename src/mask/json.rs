//! Masks inside JSON documents: `json/1`.
//!
//! | place | what happens |
//! |---|---|
//! | a value on a path | every scalar of it is masked; a longer or more exact path decides about its own part |
//! | everything else | `rest`: `"keep"`, `"null"`, or a mask. It must be written: there is no safe default to guess |
//! | a value under the mask `null` | `null`, as under `"null"` |
//! | string | any kind; unescaped before, escaped after |
//! | whole number | integer kinds take the number; other kinds mask its digits |
//! | other number | its digits are masked; `null` if the result is no JSON number; one with an exponent stays if the mask leaves its digits, else `null` |
//! | `true`, `false` | drawn where the mask is `enum.*`, `choice` or a drawn `lookup` and draws one of the two, or a `const` of the two; else `null` |
//! | `null` | stays |
//! | a key that is personal data by itself (an e-mail address, a card number, a token, …) | a hash, whatever becomes of its value; `keys` decides otherwise, and a token that `paths` or `known` names stays |
//! | a key that says who the row's person is (two of the names, or one with a title, an initial or the digits of a login), where a mask in the document is `text.spans` | the same; one word that is a name may be that of a field |
//! | other keys | stay, unless `keys` names a mask for the keys of the object on a path |
//! | a value that `rest = "keep"` would keep, on a path that is not `known` | ends the run, or `null` with `unknown_keys = "null"` |
//! | a value that `paths` would keep, below a path that is not `known` | the same; `null` without it, too, if `rest` keeps nothing |
//! | a key that is personal data of a kind that is not known among the open keys of a map (`$.users.*`) | ends the run, or what is below it is unknown with `unknown_keys = "null"` |
//! | text that is not JSON | `pattern` over the whole value in a text column; JSON `null` in a `json` column |
//!
//! Digits of a number are masked as often (up to 64 times) as it takes to have no leading zero, so a permutation stays
//! injective. The last row happens in `json` columns only beyond 10 000 levels of nesting.

pub(super) mod path;
mod splice;
mod survey;
mod token;

pub(super) use path::{personal, personal_by_name, sealed};
pub(super) use survey::seal;
pub use survey::{Survey, is_field_name, join, may_be_written, newly_kept, path_of, types_of};

use super::column::{ColumnMask, Compile, CompileError, MaskError, Rows};
use super::draft::{self, Draft, Holes};
use super::kind::{Domain, Injective, KeyedOn, Kind, Param, Takes};
use super::leaf::{TextBuilder, view_values};
use super::text::{KeyNames, OwnNames, map_texts, texts};
use super::{Params, Shape};
use arrow_array::{Array, ArrayRef};
use path::{Action, Automaton, Keys, Known, Path, PathError, Types};
use serde_json::Value;
use splice::{Masks, Scratch, push_escaped, rewrite};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

/// The record of `json/1`.
pub static JSON: Kind = Kind {
    name: "json",
    remains: |_| super::Remains::Open,
    keeps: super::Keeps::NOTHING,
    version: 1,
    summary: "Masks values inside JSON by path; all other bytes stay as they are",
    params: &[
        Param {
            name: "paths",
            summary: "Mask, \"keep\" or \"null\" per path: $.a.b, $.a[*], $.a[0], $..b, $[\"a b\"]",
            domain: Domain::Any,
            default: "none",
        },
        Param {
            name: "rest",
            summary: "What happens to scalars on no path: \"keep\", \"null\" or a mask; true and false become null under a mask that does not draw them from a list",
            domain: Domain::Any,
            default: "must be given",
        },
        Param {
            name: "keys",
            summary: "Mask, or \"keep\", for the keys of the object on a path",
            domain: Domain::Any,
            default: "keys stay; those that are personal data become hashes, and under text.spans those that say who the row's person is",
        },
        Param {
            name: "known",
            summary: "Paths (`$.plan`, or `$.plan: number` for one type) whose values `rest = \"keep\"` and `paths` may keep; restage.lock gives them",
            domain: Domain::Texts,
            default: "any",
        },
        Param {
            name: "unknown_keys",
            summary: "What becomes of a value that would be kept at a path that is not known",
            domain: Domain::OneOf(&["refuse", "null"]),
            default: "refuse, but null below paths if rest keeps nothing",
        },
    ],
    accepts: &[Takes::Text, Takes::Json],
    keyed_on: KeyedOn::Either,
    injective: Injective::No,
    folds: false,
    lowercase: false,
    ranges: false,
    needs_subject: false,
    samples: &[r#"{"contact": {"email": "bob@example.com"}, "plan": 3}"#],
    promises: None,
    columns: |_| Vec::new(),
    least: |_| Vec::new(),
    compile,
};

/// The shape of a leaf: text without a limit.
pub(super) const LEAF: Shape = Shape::TEXT;

struct Json {
    automaton: Automaton,
    masks: Vec<Box<dyn ColumnMask>>,
    /// Masks what is not JSON; none in a column that can hold nothing else.
    fallback: Option<Box<dyn ColumnMask>>,
    chars_max: Option<u32>,
    names: OwnNames,
    /// Some key became a hash.
    hid: AtomicBool,
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let (automaton, masks) = rules(compile)?;
    let (fallback, chars_max) = match compile.shape {
        Shape::Text { chars_max, .. } => {
            (Some(compile.nested("pattern", "", Params::new(), compile.shape.clone())?), chars_max)
        }
        Shape::Json | Shape::Jsonb => (None, None),
        _ => return Err(compile.wrong_shape()),
    };
    let names = OwnNames::of(compile);
    Ok(Box::new(Json { automaton, masks, fallback, chars_max, names, hid: AtomicBool::new(false) }))
}

/// Reads `rest`, `paths` and `keys`: the automaton, and the masks its actions name.
pub(super) fn rules(compile: &Compile<'_>) -> Result<(Automaton, Vec<Box<dyn ColumnMask>>), CompileError> {
    let mut masks = Vec::new();
    let rest = compile.spec.params.get("rest");
    let rest = rest.ok_or_else(|| compile.bad_param("rest", "given: \"keep\", \"null\" or a mask"))?;
    let rest = action(compile, "rest", rest, &mut masks)?;
    let mut rules = Vec::new();
    for (text, value) in table(compile, "paths")? {
        rules.push((parse(compile, "paths", text)?, action(compile, "paths", value, &mut masks)?));
    }
    let mut keys = Vec::new();
    for (text, value) in table(compile, "keys")? {
        let own = match action(compile, "keys", value, &mut masks)? {
            Action::Mask(mask) => Keys::Mask(mask),
            Action::Keep => Keys::Keep,
            Action::Null | Action::Refuse => {
                return Err(compile.bad_param("keys", "a table of path = mask, or \"keep\""));
            }
        };
        keys.push((parse(compile, "keys", text)?, own));
    }
    let automaton = Automaton::build(&rules, &keys, rest, known(compile)?)
        .map_err(|_| compile.bad_param("paths", "fewer paths with `..`: together these need too many states"))?;
    Ok((Automaton { seal: Some(seal(compile.realm)), ..automaton }, masks))
}

/// Masks as they are written, and as they were compiled.
type Written<'c> = Vec<(&'c Value, Box<dyn ColumnMask>)>;

/// The strings of the documents of a column that some of its masks are for.
pub(super) struct Strings(Automaton);

impl Strings {
    /// Those whose masks, as they are written, are `wanted`; and these masks, by their number.
    pub fn of<'c>(
        compile: &'c Compile<'_>,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<(Self, Written<'c>), CompileError> {
        let mut masks = Vec::new();
        let mut action = |value: &'c Value| {
            if !wanted(value) {
                return Ok(Action::Keep);
            }
            let number =
                u16::try_from(masks.len()).map_err(|_| compile.bad_param("paths", "a table of fewer masks"))?;
            masks.push((value, nested_mask(compile, "paths", value, LEAF)?));
            Ok(Action::Mask(number))
        };
        let rest = compile.spec.params.get("rest").map_or(Ok(Action::Keep), &mut action)?;
        let rules = table(compile, "paths")?.map(|(text, value)| Ok((parse(compile, "paths", text)?, action(value)?)));
        let rules = rules.collect::<Result<Vec<_>, CompileError>>()?;
        let automaton = Automaton::build(&rules, &[], rest, None)
            .map_err(|_| compile.bad_param("paths", "fewer paths with `..`: together these need too many states"))?;
        Ok((Self(automaton), masks))
    }

    /// Calls `found` with the number of the mask and the string; up to where the text is no document.
    pub fn each<E>(&self, document: &str, found: impl FnMut(usize, &str) -> Result<(), E>) -> Result<(), E> {
        let mut out = String::with_capacity(document.len());
        rewrite(&self.0, document, &mut Each(found), &mut Scratch::default(), &mut out).map(drop)
    }
}

/// Reads strings and masks nothing.
struct Each<F>(F);

impl<E, F: FnMut(usize, &str) -> Result<(), E>> Masks for Each<F> {
    type Error = E;

    fn unknown(&self) -> E {
        unreachable!("nothing is refused where no paths are pinned")
    }

    fn string(&mut self, mask: u16, value: &str, _out: &mut String) -> Result<(), E> {
        (self.0)(mask.into(), value)
    }

    fn text(&mut self, _mask: u16, value: &str, out: &mut String) -> Result<(), E> {
        out.push_str(value);
        Ok(())
    }

    fn integer(&mut self, _mask: u16, value: i64) -> Result<Option<i64>, E> {
        Ok(Some(value))
    }

    fn boolean(&mut self, _mask: u16, value: bool) -> Result<Option<bool>, E> {
        Ok(Some(value))
    }
}

/// What the parameters of a `json` mask say about a scalar at these keys, from the outside in; `*` is any element. The
/// parameter as it is written: a word, or a mask. None if they cannot be read.
pub fn rule_at<'p>(params: &'p Params, keys: &[String]) -> Option<&'p Value> {
    let rest = params.get("rest")?;
    let written: Vec<(&String, &Value)> =
        params.get("paths").and_then(Value::as_object).into_iter().flatten().collect();
    let rules = written
        .iter()
        .enumerate()
        .map(|(number, (path, _))| Some((Path::parse(path).ok()?, Action::Mask(u16::try_from(number).ok()?))));
    let automaton = Automaton::build(&rules.collect::<Option<Vec<_>>>()?, &[], Action::Keep, None).ok()?;
    let state = keys.iter().fold(0, |state, key| {
        let state = &automaton.states[state as usize];
        // An element whose index no path names.
        if key == "*" { state.element(u32::MAX) } else { state.member(key.as_bytes()) }
    });
    match automaton.states[state as usize].action(Types::NONE) {
        Action::Mask(number) => written.get(usize::from(number)).map(|(_, rule)| *rule),
        _ => Some(rest),
    }
}

/// Whether a mask with these parameters keeps something of a document, by `rest` or by a path.
pub fn keeps(params: &Params) -> bool {
    keeps_rest(params) || names_kept(params)
}

/// Whether it keeps what no path names.
pub fn keeps_rest(params: &Params) -> bool {
    params.get("rest").and_then(Value::as_str) == Some("keep")
}

/// Whether a path says that what stands there is kept.
pub fn names_kept(params: &Params) -> bool {
    let paths = params.get("paths").and_then(Value::as_object);
    paths.is_some_and(|paths| paths.values().any(|action| action.as_str() == Some("keep")))
}

/// What personal data a key of a document is by itself, as a mask would hide it; none for the name of a field.
pub fn personal_key(key: &str) -> Option<&'static str> {
    personal(key)
}

/// How many keys look like tokens and stay, because the parameters of a mask, for documents or an hstore, name them.
pub fn named_tokens(params: &Params) -> usize {
    let members = |name: &str| params.get(name).and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key);
    let known = params.get("known").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let paths = members("paths").map(String::as_str).chain(known.map(path_of));
    let paths: Vec<Path> = paths.filter_map(|path| Path::parse(path).ok()).collect();
    let fields = members("fields").map(String::as_str);
    let keys: BTreeSet<&str> = paths.iter().flat_map(Path::keys).chain(fields).collect();
    keys.into_iter().filter(|key| personal(key).is_some() && personal_by_name(key).is_none()).count()
}

/// The path of `paths` that names what these keys lead to.
pub fn path_to(keys: &[String]) -> String {
    let step = |key: &String| {
        let plain = key.starts_with(|symbol: char| symbol.is_ascii_alphabetic() || symbol == '_')
            && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        match key.as_str() {
            "*" => "[*]".to_owned(),
            key if plain => format!(".{key}"),
            key => format!("[{}]", Value::from(key)),
        }
    };
    std::iter::once("$".to_owned()).chain(keys.iter().map(step)).collect()
}

/// Reads `known` and `unknown_keys`; none where any path may be kept.
fn known(compile: &Compile<'_>) -> Result<Option<Known>, CompileError> {
    let Some(Value::Array(texts)) = compile.spec.params.get("known") else { return Ok(None) };
    let paths = texts.iter().filter_map(Value::as_str).map(|text| {
        let (path, types) = path::typed(text);
        Ok((parse(compile, "known", path)?, types.unwrap_or(Types::ANY)))
    });
    let rest = compile.word("rest") == Some("keep");
    let (otherwise, named) = match compile.word("unknown_keys") {
        Some("null") => (Action::Null, Action::Null),
        // Where nothing but what is named may stay, what is not known goes with the rest.
        None if !rest => (Action::Refuse, Action::Null),
        _ => (Action::Refuse, Action::Refuse),
    };
    let (paths, seal) = (paths.collect::<Result<_, _>>()?, seal(compile.realm));
    Ok(Some(Known { paths, otherwise, named, strict: !rest, seal }))
}

fn table<'a>(
    compile: &'a Compile<'_>,
    param: &str,
) -> Result<impl Iterator<Item = (&'a String, &'a Value)>, CompileError> {
    match compile.spec.params.get(param) {
        None => Ok(None.into_iter().flatten()),
        Some(Value::Object(table)) => Ok(Some(table).into_iter().flatten()),
        Some(_) => Err(compile.bad_param(param, "a table of path = mask")),
    }
}

fn parse(compile: &Compile<'_>, param: &str, text: &str) -> Result<Path, CompileError> {
    Path::parse(text).map_err(|error| {
        let expected = match error {
            PathError::Syntax => format!("a table of paths like $.a.b[*].c; `{text}` is none"),
            PathError::TooMany => format!("a table of shorter paths than `{text}`"),
        };
        compile.bad_param(param, &expected)
    })
}

/// Reads `"keep"`, `"null"`, `"email"` or `{ mask = "email", label = "…", … }`.
fn action(
    compile: &Compile<'_>,
    param: &str,
    value: &Value,
    masks: &mut Vec<Box<dyn ColumnMask>>,
) -> Result<Action, CompileError> {
    match value.as_str() {
        Some("keep") => return Ok(Action::Keep),
        Some("null") => return Ok(Action::Null),
        _ => {}
    }
    let number = u16::try_from(masks.len()).map_err(|_| compile.bad_param(param, "a table of fewer masks"))?;
    let mask = nested_mask(compile, param, value, LEAF)?;
    // As a leaf it would leave an empty text, where JSON has a word for it.
    if value.get("mask").and_then(Value::as_str).and_then(super::kind).is_some_and(|kind| kind.name == "null") {
        return Ok(Action::Null);
    }
    masks.push(mask);
    Ok(Action::Mask(number))
}

/// Compiles a mask written as `"email"` or `{ mask = "email", label = "…", … }` for a part of the column.
pub(super) fn nested_mask(
    compile: &Compile<'_>,
    param: &str,
    value: &Value,
    shape: Shape,
) -> Result<Box<dyn ColumnMask>, CompileError> {
    let wrong = || compile.bad_param(param, "a mask: \"email\" or { mask = \"email\", label = \"…\" }");
    match value {
        Value::String(kind) => compile.nested(kind, "", Params::new(), shape),
        Value::Object(table) => {
            let mut params = table.clone();
            let kind = params.remove("mask").ok_or_else(wrong)?;
            let label = params.remove("label").unwrap_or_default();
            let label = if label.is_null() { "" } else { label.as_str().ok_or_else(wrong)? };
            compile.nested(kind.as_str().ok_or_else(wrong)?, label, params, shape)
        }
        _ => Err(wrong()),
    }
}

/// Why a value at a path that is not in the lock file ends the run.
const UNKNOWN: &str = "it has a JSON key, or a type of value under one, that was in no document when restage.lock was written; \
    look at the keys, then `restage plan --write-lock`, or set `unknown_keys = \"null\"`";

/// The leaf masks at one row, applied at once.
struct AtRow<'a, 'n> {
    masks: &'a [Box<dyn ColumnMask>],
    names: &'a mut KeyNames<'n>,
    row: usize,
    rows: &'a Rows<'a>,
}

impl Masks for AtRow<'_, '_> {
    type Error = MaskError;

    fn unknown(&self) -> MaskError {
        MaskError::at(self.row, UNKNOWN)
    }

    fn string(&mut self, mask: u16, value: &str, out: &mut String) -> Result<(), MaskError> {
        self.text(mask, value, out)
    }

    fn text(&mut self, mask: u16, value: &str, out: &mut String) -> Result<(), MaskError> {
        self.masks[usize::from(mask)].text(value, self.row, self.rows, out)
    }

    fn integer(&mut self, mask: u16, value: i64) -> Result<Option<i64>, MaskError> {
        self.masks[usize::from(mask)].integer(value, self.row, self.rows)
    }

    fn boolean(&mut self, mask: u16, value: bool) -> Result<Option<bool>, MaskError> {
        self.masks[usize::from(mask)].boolean(value, self.row, self.rows)
    }

    fn finds_names(&self) -> bool {
        !self.names.is_empty()
    }

    fn names(&mut self, key: &str) -> bool {
        self.names.are_in(key, self.row, self.rows)
    }
}

/// The leaf masks at one row; strings leave holes to be filled with those of other rows.
struct Later<'a, 'n> {
    now: AtRow<'a, 'n>,
    holes: &'a mut Holes,
}

impl Masks for Later<'_, '_> {
    type Error = MaskError;

    fn unknown(&self) -> MaskError {
        self.now.unknown()
    }

    fn string(&mut self, mask: u16, value: &str, out: &mut String) -> Result<(), MaskError> {
        self.holes.push(out.len(), mask.into(), value, self.now.row);
        Ok(())
    }

    fn text(&mut self, mask: u16, value: &str, out: &mut String) -> Result<(), MaskError> {
        self.now.text(mask, value, out)
    }

    fn integer(&mut self, mask: u16, value: i64) -> Result<Option<i64>, MaskError> {
        self.now.integer(mask, value)
    }

    fn boolean(&mut self, mask: u16, value: bool) -> Result<Option<bool>, MaskError> {
        self.now.boolean(mask, value)
    }

    fn finds_names(&self) -> bool {
        self.now.finds_names()
    }

    fn names(&mut self, key: &str) -> bool {
        self.now.names(key)
    }
}

impl Json {
    fn one(
        &self,
        value: &str,
        row: usize,
        rows: &Rows<'_>,
        scratch: &mut Scratch,
        out: &mut String,
    ) -> Result<(), MaskError> {
        if value.trim().is_empty() {
            out.push_str(value);
            return Ok(());
        }
        let before = out.len();
        let mut names = KeyNames::of(&self.names);
        let mut masks = AtRow { masks: &self.masks, names: &mut names, row, rows };
        let done = rewrite(&self.automaton, value, &mut masks, scratch, out)?;
        self.note(scratch);
        if done && self.chars_max.is_none_or(|max| out[before..].chars().count() <= max as usize) {
            return Ok(());
        }
        out.truncate(before);
        self.not_json(value, row, rows, out)
    }

    fn note(&self, scratch: &Scratch) {
        if scratch.hid {
            self.hid.store(true, Ordering::Relaxed);
        }
    }

    fn not_json(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        match &self.fallback {
            Some(mask) => mask.text(value, row, rows, out),
            None => {
                out.push_str("null");
                Ok(())
            }
        }
    }

    /// Masks values a chunk at a time; for columns without a limit, in which a document always fits.
    fn many<'v>(
        &self,
        mut values: impl Iterator<Item = (Option<&'v str>, usize)>,
        rows: &Rows<'_>,
        out: &mut TextBuilder,
    ) -> Result<(), MaskError> {
        let (mut draft, mut scratch) = (Draft::new(self.masks.len()), Scratch::default());
        let mut names = KeyNames::of(&self.names);
        loop {
            let mut met = 0;
            for (value, row) in values.by_ref().take(draft::CHUNK) {
                met += 1;
                let Some(value) = value else {
                    draft.end(false);
                    continue;
                };
                if value.trim().is_empty() {
                    draft.text.push_str(value);
                } else {
                    let mark = draft.holes.mark();
                    let now = AtRow { masks: &self.masks, names: &mut names, row, rows };
                    let mut masks = Later { now, holes: &mut draft.holes };
                    if !rewrite(&self.automaton, value, &mut masks, &mut scratch, &mut draft.text)? {
                        draft.holes.undo(mark);
                        self.not_json(value, row, rows, &mut draft.text)?;
                    }
                }
                draft.end(true);
            }
            if met == 0 {
                self.note(&scratch);
                return Ok(());
            }
            let join = |_: &str, masked: &str, out: &mut String| {
                push_escaped(masked, out);
                Ok(())
            };
            draft.fill(|mask| self.masks.get(mask).map(|mask| &**mask), rows, out, join, |_, _| {})?;
        }
    }
}

impl ColumnMask for Json {
    fn apply(&self, column: &ArrayRef, rows: &Rows<'_>) -> Result<ArrayRef, MaskError> {
        if self.chars_max.is_none() {
            let texts = texts(column)?;
            let mut masked = TextBuilder::new(texts.len(), texts.total_bytes_len());
            self.many(view_values(texts), rows, &mut masked)?;
            return masked.finish();
        }
        let mut scratch = Scratch::default();
        map_texts(column, |value, row, out| self.one(value, row, rows, &mut scratch, out))
    }

    fn text(&self, value: &str, row: usize, rows: &Rows<'_>, out: &mut String) -> Result<(), MaskError> {
        self.one(value, row, rows, &mut Scratch::default(), out)
    }

    fn moves_keys(&self) -> bool {
        self.hid.load(Ordering::Relaxed)
    }

    fn after(&self) -> Vec<usize> {
        let mut after: Vec<usize> = self.masks.iter().chain(&self.fallback).flat_map(|mask| mask.after()).collect();
        after.sort_unstable();
        after.dedup();
        after
    }
}

#[cfg(test)]
mod tests {
    use crate::mask::{MasterKey, mask_value};
    use serde_json::{Value, json};

    /// What becomes of a document under `rest`.
    fn masked(rest: Value, document: &Value) -> Value {
        let Value::Object(params) = json!({ "rest": rest }) else { unreachable!("a table") };
        let realm = MasterKey::test().realm("default");
        let text = mask_value(&realm, "json", "", params, Some("42"), &document.to_string()).expect("a document");
        serde_json::from_str(&text.expect("a document")).expect("JSON")
    }

    #[test]
    fn booleans_become_null_under_masks_without_a_word_for_them() {
        let document = json!({"hiv": true, "vip": false});
        let null = json!({"hiv": null, "vip": null});
        for rest in [
            json!("null"),
            json!({"mask": "null"}),
            json!({"mask": "null/1"}),
            json!("pattern"),
            json!("hash"),
            json!("text.spans"),
            json!("text.drop"),
            json!("date.shift"),
            json!("email"),
            json!({"mask": "email", "on_invalid": "null"}),
            json!({"mask": "const", "value": "x"}),
            json!({"mask": "choice", "values": ["gold"]}),
            json!({"mask": "enum.perm", "values": ["gold"]}),
        ] {
            assert_eq!(masked(rest.clone(), &document), null, "{rest}");
        }
        assert_eq!(masked(json!("keep"), &document), document);
        for (rest, want) in [
            (json!({"mask": "const", "value": "false"}), json!({"hiv": false, "vip": false})),
            (json!({"mask": "choice", "values": ["true"]}), json!({"hiv": true, "vip": true})),
            (
                json!({"mask": "enum.sample", "values": ["true", "false"], "weights": {"false": 1}}),
                json!({"hiv": false, "vip": false}),
            ),
            (
                json!({"mask": "enum.rr", "values": ["true", "false"], "threshold": 0}),
                json!({"hiv": false, "vip": true}),
            ),
        ] {
            assert_eq!(masked(rest.clone(), &document), want, "{rest}");
        }
        let perm = masked(json!({"mask": "enum.perm", "values": ["true", "false"]}), &document);
        assert!(perm["hiv"].is_boolean() && perm["vip"].is_boolean() && perm["hiv"] != perm["vip"], "{perm}");
    }

    /// What becomes of a document under these parameters.
    fn under(params: Value, document: &str) -> String {
        let Value::Object(params) = params else { unreachable!("a table") };
        let realm = MasterKey::test().realm("default");
        let text = mask_value(&realm, "json", "", params, Some("42"), document).expect("a document");
        text.expect("a document")
    }

    /// Personal data of every sort that a text is searched for.
    const PERSONAL: [&str; 10] = [
        "bob@example.com",
        "Bob@Example.com",
        "+1-415-555-0123",
        "4111111111111111",
        "078-05-1120",
        "DE89370400440532013000",
        "8.8.8.8",
        "https://bob:hunter2@example.com/",
        "a\\u0040example.com",
        "K9fT2mXq7LpR4vZw8NcB1y",
    ];

    #[test]
    fn keys_that_are_personal_data_become_hashes_whatever_becomes_of_their_values() {
        let members: Vec<String> = PERSONAL.iter().map(|key| format!("\"{key}\": {{\"seen\": 1}}")).collect();
        let document = format!("{{\"plan\": 1, \"by\": {{{}}}, \"shipping_address_of_order\": 2}}", members.join(", "));
        for params in [
            json!({ "rest": "keep" }),
            json!({ "rest": "null" }),
            json!({ "rest": "pattern" }),
            json!({ "rest": "keep", "paths": { "$.by": "keep" } }),
            json!({ "rest": "keep", "paths": { "$..seen": "int", "$.by[\"bob@example.com\"].seen": "keep" } }),
            json!({ "rest": "keep", "keys": { "$": "keep" } }),
            json!({ "rest": "keep", "known": ["$.plan", "$.shipping_address_of_order"], "unknown_keys": "null" }),
        ] {
            let masked = under(params.clone(), &document);
            for key in PERSONAL {
                assert!(!masked.contains(key), "{key} under {params}: {masked}");
            }
            let value: Value = serde_json::from_str(&masked).expect("JSON");
            let by = value["by"].as_object().expect("an object");
            assert!(by.len() == PERSONAL.len() && by.keys().all(|key| key.starts_with('#')), "{masked}");
            assert!(value.get("plan").is_some() && value.get("shipping_address_of_order").is_some(), "{masked}");
            assert_eq!(masked, under(params, &document), "the same every time");
        }
        // The twins: keys that are said to stay, and those that a mask makes.
        let kept = under(json!({ "rest": "keep", "keys": { "$.by": "keep" } }), &document);
        assert_eq!(kept, document);
        let joined = under(json!({ "rest": "keep", "keys": { "$.by": "email" } }), r#"{"by":{"bob@example.com":1}}"#);
        let email = mask_value(&MasterKey::test().realm("default"), "email", "", Default::default(), None, PERSONAL[0]);
        assert_eq!(joined, format!("{{\"by\":{{\"{}\":1}}}}", email.expect("an address").expect("no null")));
    }

    #[test]
    fn a_key_that_a_path_names_is_a_field_and_no_token() {
        let document = r#"{"by":{"K9fT2mXq7LpR4vZw8NcB1y":1,"Q3xR8vT2mK7nW5pL9yB4cZ":2}}"#;
        for params in [
            json!({ "rest": "keep", "paths": { "$.by.K9fT2mXq7LpR4vZw8NcB1y": "keep" } }),
            json!({ "rest": "null", "paths": { "$..K9fT2mXq7LpR4vZw8NcB1y": "keep" } }),
            json!({ "rest": "keep", "unknown_keys": "null", "known": ["$.by.K9fT2mXq7LpR4vZw8NcB1y: number"] }),
        ] {
            let masked = under(params.clone(), document);
            assert!(masked.contains("\"K9fT2mXq7LpR4vZw8NcB1y\":1"), "{params}: {masked}");
            assert!(!masked.contains("Q3xR8vT2mK7nW5pL9yB4cZ"), "{params}: {masked}");
        }
        // The twins: a path that names what is above it, and an address, which is one whoever wrote it down.
        let masked = under(json!({ "rest": "keep", "paths": { "$.by": "keep" } }), document);
        assert!(!masked.contains("K9fT2mXq7LpR4vZw8NcB1y"), "{masked}");
        let address = r#"{"bob@example.com":1}"#;
        let masked = under(json!({ "rest": "keep", "paths": { "$[\"bob@example.com\"]": "keep" } }), address);
        assert!(!masked.contains("bob@example.com"), "{masked}");
        let named = |params: Value| super::named_tokens(params.as_object().expect("a table"));
        assert_eq!(named(json!({ "paths": { "$.by.K9fT2mXq7LpR4vZw8NcB1y": "keep", "$.plan": "null" } })), 1);
        assert_eq!(named(json!({ "known": ["$.by.K9fT2mXq7LpR4vZw8NcB1y: number", "$.plan: number"] })), 1);
        assert_eq!(named(json!({ "paths": { "$[\"bob@example.com\"]": "keep" }, "fields": { "plan": "keep" } })), 0);
        // Names of fields as no generator makes them.
        let fields = r#"{"Gesellschaftsform":"GmbH","OrgnlPmtInfAndSts":1,"mp4H264AacLc128k":2}"#;
        assert_eq!(under(json!({ "rest": "keep" }), fields), fields);
    }

    /// The keys of `$.by` of a document in the rows of Katharina Oppenheimer and of Jo Lee.
    fn keys_beside_names(params: Value, document: &str) -> [Vec<String>; 2] {
        use crate::mask::batch::RawBatch;
        use crate::mask::{ColumnSpec, MaskSpec, Masker, Shape, TableSpec};
        use arrow_array::cast::AsArray;
        use arrow_array::{ArrayRef, Int32Array, StringViewArray};
        use std::sync::Arc;

        let mask = |kind: &str, params: Value| {
            let Value::Object(params) = params else { unreachable!("a table") };
            Some(MaskSpec { kind: kind.to_owned(), label: String::new(), params, subject: Some(3) })
        };
        let column = |name: &str, shape, mask| ColumnSpec { name: format!("public.t.{name}"), shape, mask };
        let columns = vec![
            column("doc", Shape::TEXT, mask("json/1", params)),
            column("first", Shape::TEXT, mask("name.first/1", json!({}))),
            column("last", Shape::TEXT, mask("name.last/1", json!({}))),
            column("id", Shape::Int4, None),
        ];
        let table = TableSpec { columns, ..TableSpec::default() };
        let texts = |values: [&str; 2]| Arc::new(StringViewArray::from(values.to_vec())) as ArrayRef;
        let columns = vec![
            texts([document; 2]),
            texts(["Katharina", "Jo"]),
            texts(["Oppenheimer", "Lee"]),
            Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef,
        ];
        let masker = Masker::compile(&MasterKey::test().realm("default"), &table).expect("compiles");
        let raw = RawBatch { rows: 2, wire: bytes::Bytes::new(), gaps: Vec::new(), columns };
        let masked = masker.apply(raw).expect("masked");
        let documents = masked.columns()[0].as_string::<i32>();
        [0, 1].map(|row| {
            let document: Value = serde_json::from_str(documents.value(row)).expect("JSON");
            document["by"].as_object().expect("an object").keys().cloned().collect()
        })
    }

    #[test]
    fn keys_that_are_the_name_of_the_rows_person_become_hashes() {
        let own = [
            "Katharina Oppenheimer",
            "oppenheimer, katharina",
            "K. Oppenheimer",
            "katharina_oppenheimer",
            "KATHARINA.OPPENHEIMER",
        ];
        let others = ["Oppenheimer", "first_name_of_katharina", "Somebody Else", "shipping_address_of_order"];
        let members: Vec<String> = own.iter().chain(&others).map(|key| format!("\"{key}\":1")).collect();
        let document = format!("{{\"by\":{{{}}}}}", members.join(","));
        let [hers, his] = keys_beside_names(json!({ "rest": "text.spans" }), &document);
        assert!(own.iter().all(|key| !hers.iter().any(|kept| kept == key)), "{hers:?}");
        assert!(others.iter().all(|key| hers.iter().any(|kept| kept == key)), "{hers:?}");
        assert_eq!(hers.iter().filter(|key| key.starts_with('#')).count(), own.len());
        // The twins: the row of another person, a mask that looks for no names, and keys that are said to stay.
        assert!(own.iter().chain(&others).all(|key| his.iter().any(|kept| kept == key)), "{his:?}");
        for params in [json!({ "rest": "pattern" }), json!({ "rest": "text.spans", "keys": { "$.by": "keep" } })] {
            let [hers, _] = keys_beside_names(params, &document);
            assert!(own.iter().chain(&others).all(|key| hers.iter().any(|kept| kept == key)), "{hers:?}");
        }
    }

    #[test]
    fn a_name_in_a_key_is_somebody_with_a_title_an_initial_or_digits_and_may_be_a_field_alone() {
        let own = [
            "k.oppenheimer",
            "oppenheimer_k",
            "Frau Oppenheimer",
            "mr_oppenheimer",
            "FrauOppenheimer",
            "oppenheimer84",
            "koppenheimer",
            "katharinaoppenheimer",
            "Katharina O.",
        ];
        let others = ["Katharina", "oppenheimer", "Oppenheimer", "oppenheimer7", "oppenheimer_x", "Oppenheimer Haus"];
        let members: Vec<String> = own.iter().chain(&others).map(|key| format!("\"{key}\":1")).collect();
        let document = format!("{{\"by\":{{{}}}}}", members.join(","));
        let [hers, his] = keys_beside_names(json!({ "rest": "text.spans" }), &document);
        assert!(own.iter().all(|key| !hers.iter().any(|kept| kept == key)), "{hers:?}");
        assert!(others.iter().all(|key| hers.iter().any(|kept| kept == key)), "{hers:?}");
        assert_eq!(his.len(), his.iter().filter(|key| !key.starts_with('#')).count(), "{his:?}");
    }

    #[test]
    fn numbers_of_somebody_are_no_keys_if_they_are_written_out() {
        let own = [
            "529.982.247-25",
            "0049 171 8834021",
            "212-867-4309",
            "212.867.4309",
            "(212) 867-4309",
            "756.9217.0769.85",
            "131052-308T",
        ];
        // Digits alone, dates, times, versions and codes are keys of things, also where a check digit happens to hold.
        let others = [
            "12345678Z",
            "23741840K",
            "AB123456C",
            "MC754886D",
            "811218-9876",
            "240305-1230",
            "2345 6789 0124",
            "0428-8847-5888",
            "v06.12.34.56.78",
            "8a3b0171-4321-4765-8211-131052308fff",
            "52998224725",
            "85073003328",
            "44051401359",
            "2024-11-01",
            "01.02.2024",
            "1.2.3",
            "A-1234567",
            "item_1234567",
        ];
        let members: Vec<String> = own.iter().chain(&others).map(|key| format!("\"{key}\":1")).collect();
        let masked = under(json!({ "rest": "text.spans" }), &format!("{{{}}}", members.join(",")));
        let kept = |key: &&&str| masked.contains(&format!("\"{key}\""));
        assert_eq!(own.iter().filter(kept).collect::<Vec<_>>(), Vec::<&&str>::new(), "{masked}");
        assert_eq!(others.iter().filter(kept).count(), others.len(), "{masked}");
    }

    #[test]
    fn a_key_that_is_a_hash_already_stays() {
        let document = r#"{"bob@example.com": {"mail": "bob@example.com"}}"#;
        let params = json!({ "rest": "keep", "paths": { "$..mail": "email" } });
        let once = under(params.clone(), document);
        let twice = under(json!({ "rest": "keep" }), &once);
        assert_eq!(once, twice, "a hash stays what it is");
        assert!(once.starts_with("{\"#") && !once.contains("bob@"), "{once}");
    }

    #[test]
    fn the_mask_null_is_the_null_of_json() {
        let document = json!({"a": "Bob", "b": 7, "c": [1.5, ""], "d": {"e": true}});
        let null = json!({"a": null, "b": null, "c": [null, null], "d": {"e": null}});
        assert_eq!(masked(json!({"mask": "null"}), &document), null);
    }
}
