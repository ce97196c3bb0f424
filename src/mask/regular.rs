//! Regular expressions of the user: `regex/1`.
//!
//! # Construction
//!
//! - `generate`: the expression is parsed by `regex-syntax`, pinned like a word list, with Unicode on, and a text is drawn from its tree with one
//!   stream `xof(K_dom, 2, value)`, depth first and left to right. A class draws one of its members by `below(members)`,
//!   in code-point order; an alternation one of its branches by `below(branches)`; a repetition `{n,m}` its count by
//!   `n + below(m - n + 1)`, if `n` and `m` differ. Members of a class are its characters without controls; a class of
//!   more than [`CLASS_MAX`] (`\d`, `\w`, `.`, a negation) is restricted to printable ASCII if it has any. `^` and `$`
//!   say nothing. A repetition without an upper bound is refused, so lengths are known when the plan is made.
//! - `match`: the whole value must match, else it goes to `on_invalid`. Each group that took part is masked by pattern/1
//!   under `K_dom("pattern/1", label)`, so it joins with columns that hold the group alone; a group inside another one is
//!   masked with it. Without `replace` what stands outside of groups stays, so a group in a repetition, of which a match
//!   knows the last round only, is refused unless it lies in another group; with it the mask is that text, in which `$1`
//!   and `${name}` stand for masked groups and `$$` for a dollar.
//!
//! Two values can get one mask in both modes, and `generate` has no more masks than its capacity, which a plan tells
//! when it refuses the kind for a unique column.

use super::column::{ColumnMask, Compile, CompileError};
use super::key::DomainKey;
use super::kind::{Domain, Param, Promise};
use super::leaf::{At, ON_INVALID, TEXT, TextKind, TextMask};
use super::pattern::{Pattern, PatternMemo};
use super::token::{Purpose, Stream};
use super::{Injective, KeyedOn, Kind, Params, Shape, chars};
use regex::Regex;
use regex_syntax::hir::{Class, Hir, HirKind, Look};

pub(super) static REGEX: Kind = Kind {
    name: "regex",
    remains: regex_remains,
    summary: "Generates values from a regular expression, or masks the groups of a match",
    params: &[
        Param {
            name: "generate",
            summary: "expression from which values are drawn, e.g. \"[A-Z]{3}-\\\\d{4}\"; repetitions need an upper bound",
            domain: Domain::Text,
            default: "this or `match` is required",
        },
        Param {
            name: "match",
            summary: "expression for the whole value; its groups are masked like `pattern`, all else stays",
            domain: Domain::Text,
            default: "this or `generate` is required",
        },
        Param {
            name: "replace",
            summary: "with `match`: the mask as text, $1 and ${name} standing for masked groups",
            domain: Domain::Text,
            default: "the value with its groups masked",
        },
        ON_INVALID,
    ],
    injective: Injective::No,
    samples: &["ABC-1234"],
    promises: Some(|params| Promise {
        keyed_on: KeyedOn::Value,
        injective: Injective::No,
        needs_subject: false,
        capacity: word(params, "generate").and_then(|text| Generator::parse(text).ok()).map(|known| known.capacity()),
    }),
    least: |params| match word(params, "generate").map(Generator::parse) {
        Some(Ok(generator)) => vec![generator.chars_max()],
        _ => Vec::new(),
    },
    compile,
    ..TEXT
};

/// A class with more members is a shorthand or a negation; nobody means all of its scripts.
const CLASS_MAX: usize = 512;
/// Most characters a generated value may have.
const CHARS_MAX: u32 = 10_000;
/// Most memory of a compiled expression of the user.
const SIZE_MAX: usize = 1 << 20;

fn word<'a>(params: &'a Params, name: &str) -> Option<&'a str> {
    params.get(name).and_then(|value| value.as_str())
}

fn regex_remains(params: &super::Params) -> super::Remains {
    if params.contains_key("generate") { super::Remains::Chance } else { super::Remains::Part }
}

fn compile(compile: &Compile<'_>) -> Result<Box<dyn ColumnMask>, CompileError> {
    let Shape::Text { chars_max, .. } = compile.shape else { return Err(compile.wrong_shape()) };
    let params = &compile.spec.params;
    match (word(params, "generate"), word(params, "match")) {
        (Some(text), None) => {
            let generator = Generator::parse(text).map_err(|why| compile.bad_param("generate", why))?;
            for other in ["replace", "on_invalid"] {
                if params.contains_key(other) {
                    return Err(compile.bad_param(other, "left out with `generate`, which reads every value"));
                }
            }
            let key = compile.realm.domain("regex/1", &compile.spec.label);
            TextMask::boxed(compile, Generate { key, generator })
        }
        (None, Some(text)) => {
            let groups = Groups::new(compile, text, chars_max)?;
            TextMask::boxed(compile, groups)
        }
        (Some(_), Some(_)) => Err(compile.bad_param("match", "left out with `generate`")),
        (None, None) => Err(compile.bad_param("generate", "given, or `match`")),
    }
}

/// A regular expression as instructions for drawing a text.
enum Generator {
    Text(String),
    /// Members as ranges, and how many there are.
    Class(Vec<(char, char)>, u64),
    All(Vec<Generator>),
    One(Vec<Generator>),
    Repeat(Box<Generator>, u32, u32),
}

impl Generator {
    /// Reads an expression. The error completes "must be".
    fn parse(text: &str) -> Result<Self, &'static str> {
        let hir = regex_syntax::ParserBuilder::new().nest_limit(50).build().parse(text);
        let generator = Self::of(&hir.map_err(|_| "a regular expression; this one cannot be read")?)?;
        match generator.chars_max() {
            0 => Err("an expression of at least one character"),
            1..=CHARS_MAX => Ok(generator),
            _ => Err("an expression of at most 10000 characters"),
        }
    }

    fn of(hir: &Hir) -> Result<Self, &'static str> {
        let all = |parts: &[Hir]| parts.iter().map(Self::of).collect::<Result<Vec<_>, _>>();
        Ok(match hir.kind() {
            HirKind::Empty | HirKind::Look(Look::Start | Look::End) => Self::Text(String::new()),
            HirKind::Look(_) => return Err("an expression without \\b and line anchors"),
            HirKind::Literal(literal) => {
                let text = std::str::from_utf8(&literal.0).map_err(|_| "an expression of characters, not of bytes")?;
                Self::Text(text.to_owned())
            }
            HirKind::Class(class) => Self::class(class)?,
            HirKind::Repetition(repetition) => {
                let max =
                    repetition.max.ok_or("an expression without *, + and {n,}: write {0,10} for an upper bound")?;
                Self::Repeat(Box::new(Self::of(&repetition.sub)?), repetition.min, max)
            }
            HirKind::Capture(capture) => Self::of(&capture.sub)?,
            HirKind::Concat(parts) => Self::All(all(parts)?),
            HirKind::Alternation(parts) => Self::One(all(parts)?),
        })
    }

    fn class(class: &Class) -> Result<Self, &'static str> {
        let Class::Unicode(class) = class else { return Err("an expression of characters, not of bytes") };
        let mut members: Vec<(char, char)> = Vec::new();
        for range in class.ranges() {
            // C0 and C1 controls are no part of any value people type.
            for (first, last) in [(' ', '~'), ('\u{a0}', char::MAX)] {
                let (first, last) = (range.start().max(first), range.end().min(last));
                if first <= last {
                    members.push((first, last));
                }
            }
        }
        let count = |members: &[(char, char)]| members.iter().map(|(a, b)| (*a..=*b).count() as u64).sum::<u64>();
        if count(&members) > CLASS_MAX as u64 && members.first().is_some_and(|(first, _)| first.is_ascii()) {
            members.retain(|(first, _)| first.is_ascii());
        }
        match count(&members) {
            0 => Err("an expression whose classes have members that are no control characters"),
            count => Ok(Self::Class(members, count)),
        }
    }

    fn push(&self, stream: &mut Stream, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Class(members, count) => {
                let mut index = stream.below(*count) as usize;
                for (first, last) in members {
                    let size = (*first..=*last).count();
                    if index < size {
                        out.extend((*first..=*last).nth(index));
                        return;
                    }
                    index -= size;
                }
            }
            Self::All(parts) => parts.iter().for_each(|part| part.push(stream, out)),
            Self::One(parts) => parts[stream.below(parts.len() as u64) as usize].push(stream, out),
            Self::Repeat(part, min, max) => {
                let more = if min == max { 0 } else { stream.below(u64::from(max - min) + 1) as u32 };
                for _ in 0..min + more {
                    part.push(stream, out);
                }
            }
        }
    }

    /// How many texts there are at most; branches that share texts count them twice.
    fn capacity(&self) -> u128 {
        match self {
            Self::Text(_) => 1,
            Self::Class(_, count) => u128::from(*count),
            Self::All(parts) => parts.iter().fold(1, |all, part| all.saturating_mul(part.capacity())),
            Self::One(parts) => parts.iter().fold(0, |all, part| all.saturating_add(part.capacity())),
            Self::Repeat(part, min, max) => {
                let one = part.capacity();
                let mut power = one.checked_pow(*min).unwrap_or(u128::MAX);
                let mut all = 0u128;
                for _ in *min..=*max {
                    all = all.saturating_add(power);
                    power = power.saturating_mul(one);
                }
                all
            }
        }
    }

    fn chars_max(&self) -> u32 {
        match self {
            Self::Text(text) => chars(text),
            Self::Class(..) => 1,
            Self::All(parts) => parts.iter().fold(0, |all, part| all.saturating_add(part.chars_max())),
            Self::One(parts) => parts.iter().map(Self::chars_max).max().unwrap_or(0),
            Self::Repeat(part, _, max) => part.chars_max().saturating_mul(*max),
        }
    }
}

struct Generate {
    key: DomainKey,
    generator: Generator,
}

impl TextKind for Generate {
    type Scratch = ();

    fn mask(&self, value: &str, _at: At<'_>, _scratch: &mut (), out: &mut String) -> bool {
        self.generator.push(&mut Stream::new(self.key.xof(Purpose::Stream, value.as_bytes())), out);
        true
    }

    fn reads(&self, _value: &str, _scratch: &mut ()) -> bool {
        true
    }
}

/// A piece of `replace`.
enum Piece {
    Text(String),
    Group(usize),
}

struct Groups {
    regex: Regex,
    pattern: Pattern,
    replace: Option<Vec<Piece>>,
    chars_max: Option<u32>,
}

impl Groups {
    fn new(compile: &Compile<'_>, text: &str, chars_max: Option<u32>) -> Result<Self, CompileError> {
        let wrong = |why: &str| compile.bad_param("match", why);
        // Read alone first, so that a stray parenthesis cannot close the group around it.
        let build = |text: &str| regex::RegexBuilder::new(text).size_limit(SIZE_MAX).build();
        build(text).map_err(|_| wrong("a regular expression without look-around and of moderate size"))?;
        let regex = build(&format!(r"\A(?:{text})\z"))
            .map_err(|_| wrong("a regular expression without look-around and of moderate size"))?;
        if regex.captures_len() < 2 {
            return Err(wrong("an expression with at least one group: what no group holds is not masked"));
        }
        let replace = match compile.word("replace") {
            None => None,
            Some(text) => Some(pieces(text, &regex).ok_or_else(|| {
                compile.bad_param("replace", "a text with $1 or ${name} for groups of `match`, and $$ for a dollar")
            })?),
        };
        if replace.is_none() && groups_repeat(text) {
            return Err(wrong(
                "an expression without a group inside a repetition, of which only the last round would be masked: \
                 `((?:[a-z]-)+)` in place of `(?:([a-z])-)+`, or `replace` for what the mask is",
            ));
        }
        Ok(Self { regex, pattern: Pattern::new(compile.realm, &compile.spec.label), replace, chars_max })
    }
}

/// Tells whether a group can take part more than once: a match tells where it was the last time only.
fn groups_repeat(text: &str) -> bool {
    fn inside(hir: &Hir, repeated: bool) -> bool {
        match hir.kind() {
            // What repeats inside of a group is masked with it.
            HirKind::Capture(_) => repeated,
            HirKind::Repetition(repetition) => {
                inside(&repetition.sub, repeated || repetition.max.is_none_or(|max| max > 1))
            }
            HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().any(|part| inside(part, repeated)),
            HirKind::Empty | HirKind::Literal(_) | HirKind::Class(_) | HirKind::Look(_) => false,
        }
    }
    // The parser has bounded how deep the tree is. What it cannot read now it could not read before.
    regex_syntax::parse(text).map_or(true, |hir| inside(&hir, false))
}

/// Takes `a-${1}` apart; none if it names a group that is not there.
fn pieces(text: &str, regex: &Regex) -> Option<Vec<Piece>> {
    let group = |name: &str| match name.parse::<usize>() {
        Ok(index) => (1..regex.captures_len()).contains(&index).then_some(index),
        Err(_) => regex.capture_names().position(|known| known == Some(name)),
    };
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        pieces.push(Piece::Text(before.to_owned()));
        if let Some(after) = after.strip_prefix('$') {
            pieces.push(Piece::Text("$".to_owned()));
            rest = after;
        } else if let Some(braced) = after.strip_prefix('{') {
            let (name, after) = braced.split_once('}')?;
            pieces.push(Piece::Group(group(name)?));
            rest = after;
        } else {
            let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            pieces.push(Piece::Group(group(&after[..end])?));
            rest = &after[end..];
        }
    }
    pieces.push(Piece::Text(rest.to_owned()));
    Some(pieces)
}

impl TextKind for Groups {
    type Scratch = PatternMemo;

    fn mask(&self, value: &str, _at: At<'_>, memo: &mut PatternMemo, out: &mut String) -> bool {
        let Some(found) = self.regex.captures(value) else { return false };
        let start = out.len();
        match &self.replace {
            None => {
                let mut from = 0;
                for group in found.iter().skip(1).flatten().filter(|group| !group.is_empty()) {
                    // Groups come in the order of their opening; one inside another was masked with it.
                    if group.start() >= from {
                        out.push_str(&value[from..group.start()]);
                        self.pattern.push(group.as_str(), memo, out);
                        from = group.end();
                    }
                }
                out.push_str(&value[from..]);
            }
            Some(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => out.push_str(text),
                        Piece::Group(index) => {
                            if let Some(group) = found.get(*index) {
                                self.pattern.push(group.as_str(), memo, out);
                            }
                        }
                    }
                }
            }
        }
        let fits = self.chars_max.is_none_or(|max| chars(&out[start..]) <= max);
        if !fits {
            out.truncate(start);
        }
        fits
    }

    fn reads(&self, value: &str, _memo: &mut PatternMemo) -> bool {
        self.regex.is_match(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mask::{MasterKey, RealmKey, ValueError, kind, mask_value};

    fn realm() -> RealmKey {
        MasterKey::test().realm("default")
    }

    fn params(pairs: &[(&str, &str)]) -> Params {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect()
    }

    fn tried(pairs: &[(&str, &str)], value: &str) -> Result<Option<String>, ValueError> {
        mask_value(&realm(), "regex", "", params(pairs), None, value)
    }

    fn one(pairs: &[(&str, &str)], value: &str) -> String {
        tried(pairs, value).unwrap().unwrap()
    }

    #[test]
    fn generated_values_match_their_expression_and_are_stable() {
        for text in [
            r"[A-Z]{3}-\d{4}",
            r"(?:red|green|blue){1,3}",
            r"^\w{2,5}\s?[^a-z]{3}$",
            r"[а-я]{3}é?(x|[0-9a-f]{8})",
            r"(?i)abc.{2}",
            "plain",
        ] {
            let known = Regex::new(&format!("^(?:{text})$")).unwrap();
            let realm = realm();
            let masks: Vec<String> = (0..50)
                .map(|i| mask_value(&realm, "regex", "", params(&[("generate", text)]), None, &i.to_string()))
                .map(|mask| mask.unwrap().unwrap())
                .collect();
            assert!(masks.iter().all(|mask| known.is_match(mask)), "{text}: {masks:?}");
            assert_eq!(one(&[("generate", text)], "7"), masks[7]);
        }
        assert!((0..50).all(|i| one(&[("generate", r"\d\w.")], &i.to_string()).is_ascii()));
        assert_eq!(one(&[("generate", r"[A-Z]{3}-\d{4}")], "Bob"), "MVW-4752");
        assert_eq!(one(&[("generate", r"(ab|[c-e]{1,9}){2,4}")], "Bob"), "dedceceeeededceec");
    }

    #[test]
    fn capacity_and_length_are_known() {
        let capacity = |text: &str| kind("regex").unwrap().promise(&params(&[("generate", text)])).capacity;
        assert_eq!(capacity(r"[A-Z]{3}-\d{4}"), Some(17_576 * 10_000));
        assert_eq!(capacity("(a|b|cd){0,2}"), Some(1 + 3 + 9));
        assert_eq!(capacity(r"\w{500}"), Some(u128::MAX));
        let least = |text: &str| (kind("regex").unwrap().least)(&params(&[("generate", text)]));
        assert_eq!(least(r"[A-Z]{3}-\d{4,9}|x"), [13]);
    }

    #[test]
    fn groups_are_masked_like_the_columns_that_hold_them() {
        let pattern = |value: &str| mask_value(&realm(), "pattern", "", Params::new(), None, value).unwrap().unwrap();
        let want = format!("ID:{}/{}", pattern("Bob"), pattern("42"));
        assert_eq!(one(&[("match", r"ID:(\w+)/(\d+)")], "ID:Bob/42"), want);
        let replaced = one(&[("match", r"(?<who>\w+)/(\d+)(x)?"), ("replace", "$$${2}-${who}$3!")], "Bob/42");
        assert_eq!(replaced, format!("${}-{}!", pattern("42"), pattern("Bob")));
        assert_eq!(one(&[("match", r"((a)(b))c")], "abc"), format!("{}c", pattern("ab")));
    }

    #[test]
    fn repetitions_are_masked_whole_or_refused() {
        // Only the last round of `(?:([a-z])([0-9]))+` would be known: a, 1 and b would stay.
        assert!(tried(&[("match", "(?:([a-z])([0-9]))+")], "a1b2c3").is_err());
        let pattern = |value: &str| mask_value(&realm(), "pattern", "", Params::new(), None, value).unwrap().unwrap();
        assert_eq!(one(&[("match", "((?:[a-z][0-9])+)")], "a1b2c3"), pattern("a1b2c3"));
        assert_eq!(one(&[("match", "((?:([a-z])[0-9])+)")], "a1b2c3"), pattern("a1b2c3"), "the outer group is masked");
        assert_eq!(
            one(&[("match", "([a-z]+)(?:-([0-9]+))?")], "abc-12"),
            format!("{}-{}", pattern("abc"), pattern("12"))
        );
        let replaced = [("match", "(?:([a-z])-?)+"), ("replace", "x$1")];
        assert_eq!(one(&replaced, "a-b-c"), format!("x{}", pattern("c")), "nothing of the value but a masked group");
    }

    #[test]
    fn values_that_do_not_match_as_a_whole_are_not_kept() {
        let with = [("match", r"ID:(\d+)")];
        let matching = Regex::new(r"^ID:\d+$").unwrap();
        for value in ["x ID:42", "ID:42 x", "ID:", "Bob", "ID:42\n"] {
            let mask = one(&with, value);
            assert!(mask != value && !matching.is_match(&mask), "{value:?} became {mask:?}");
        }
        assert_eq!(tried(&[with[0], ("on_invalid", "null")], "Bob"), Ok(None));
    }

    #[test]
    fn expressions_without_sense_are_refused() {
        for pairs in [
            &[][..],
            &[("generate", "a"), ("match", "(a)")],
            &[("generate", "a+")],
            &[("generate", "a{2,}")],
            &[("generate", ".*")],
            &[("generate", r"\bx")],
            &[("generate", "(")],
            &[("generate", "")],
            &[("generate", r"[\x00-\x1f]")],
            &[("generate", "(a{1000}){1000}")],
            &[("generate", "a"), ("replace", "b")],
            &[("match", "a")],
            &[("match", "(a))(b")],
            &[("match", "(?=a)")],
            &[("match", "(?:([a-z])([0-9]))+")],
            &[("match", "([a-z])*")],
            &[("match", "(?:x(?:([a-z])?|y)){2}")],
            &[("match", "((a)+)(?:(b)|c){1,3}")],
            &[("match", "(a)"), ("replace", "$2")],
            &[("match", "(a)"), ("replace", "${who}")],
            &[("match", "(a)"), ("replace", "5$")],
        ] {
            assert!(matches!(tried(pairs, "x"), Err(ValueError::Compile(_))), "{pairs:?}");
        }
    }
}
