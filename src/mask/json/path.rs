//! JSON paths of a policy, compiled to one automaton that follows all of them at once.
//!
//! Grammar: `$`, then any of `.key`, `["key"]`, `['key']`, `.*`, `[*]`, `[3]`, `..key`, `..*`. Keys compare after
//! unescaping. A path names a value and everything below it; a longer or more exact path decides about its own part.

use super::token::is_token;
use crate::mask::key::DomainKey;
use crate::mask::text::{SECRET, personal_in_key};
use std::collections::HashMap;

/// What happens to the scalars of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::mask) enum Action {
    Keep,
    /// Every scalar becomes `null`; keys and nesting stay.
    Null,
    /// Index of a leaf mask.
    Mask(u16),
    /// Nobody has seen a value here: the batch is refused. Only where the known paths are pinned.
    Refuse,
}

/// Types of scalars, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::mask) struct Types(u8);

impl Types {
    pub(in crate::mask) const NONE: Self = Self(0);
    pub(in crate::mask) const NULL: Self = Self(1);
    pub(in crate::mask) const BOOLEAN: Self = Self(1 << 1);
    pub(in crate::mask) const NUMBER: Self = Self(1 << 2);
    pub(in crate::mask) const STRING: Self = Self(1 << 3);
    pub(in crate::mask) const ANY: Self = Self(0xf);
    /// As they are written, in this order.
    const WORDS: [(&'static str, Self); 4] =
        [("boolean", Self::BOOLEAN), ("null", Self::NULL), ("number", Self::NUMBER), ("string", Self::STRING)];

    #[inline]
    pub(in crate::mask) fn holds(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(in crate::mask) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(in crate::mask) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// `number|string`. A value may be missing anywhere, so `null` is said only where nothing else was seen.
    pub(in crate::mask) fn words(self) -> String {
        let said = |own: Self| self.holds(own) && (own != Self::NULL || self == Self::NULL);
        let words: Vec<&str> = Self::WORDS.iter().filter(|(_, own)| said(*own)).map(|(word, _)| *word).collect();
        words.join("|")
    }

    fn parse(words: &str) -> Option<Self> {
        words.split('|').try_fold(Self::NULL, |types, word| {
            Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, own)| types.with(*own))
        })
    }
}

/// Stands between a path and the types of its values.
pub(super) const OF_TYPE: &str = ": ";

/// Cuts `$.plan: number` into its path and its types; a path that names no types may hold any.
pub(in crate::mask) fn typed(entry: &str) -> (&str, Option<Types>) {
    match entry.rsplit_once(OF_TYPE).and_then(|(path, words)| Some((path, Types::parse(words)?))) {
        Some((path, types)) => (path, Some(types)),
        None => (entry, None),
    }
}

/// The paths at which what is kept, by `rest = "keep"` or by a rule, has been reviewed.
#[derive(Debug)]
pub(in crate::mask) struct Known {
    pub paths: Vec<(Path, Types)>,
    /// What becomes of a value that `rest` would keep at any other path: [`Action::Refuse`] or [`Action::Null`].
    pub otherwise: Action,
    /// The same of one that a rule would keep.
    pub named: Action,
    /// Rules keep at known paths only, even if none of these is theirs. Lists of before values under rules were written
    /// down have none, and are taken for such where this is false.
    pub strict: bool,
    /// Names keys that stand in the paths by a hash only.
    pub seal: DomainKey,
}

/// The name of a key that is not written down: `#` and 16 hex digits.
pub(in crate::mask) fn sealed(seal: &DomainKey, key: &str) -> String {
    format!("#{}", seal.name_of(key))
}

/// Shortest key that can be personal data: `a@b.c`.
const PERSONAL_MIN: usize = 5;
/// Shortest one without a sign: a bank account number of Norway, and fewest digits of a number that is somebody's.
const PLAIN_MIN: usize = 15;
const DIGITS_MIN: usize = 7;

/// What personal data a key is; none for the name of a field, and for a hash that stands for a key already.
pub(in crate::mask) fn personal(key: &str) -> Option<&'static str> {
    personal_by_name(key).or_else(|| is_token(key).then_some(SECRET))
}

/// The same of a key that is known by its name: whoever wrote it down says that it was not drawn at random.
pub(in crate::mask) fn personal_by_name(key: &str) -> Option<&'static str> {
    if is_plain(key) || is_sealed(key) { None } else { personal_in_key(key).first().copied() }
}

/// Whether a key is short and of letters, `_`, `-` and few digits, which no personal data is that is found in a text.
#[inline]
pub(super) fn is_plain(key: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    key.len() < PERSONAL_MIN
        || key.len() < PLAIN_MIN && key.bytes().all(word) && key.bytes().filter(u8::is_ascii_digit).count() < DIGITS_MIN
}

/// The name under which keys that are personal data stand in a list of known paths, all of one kind together.
pub(in crate::mask) fn class(key: &str) -> Option<String> {
    personal(key).map(|kind| format!("#{kind}"))
}

pub(super) fn is_sealed(name: &str) -> bool {
    name.len() == 17 && name.starts_with('#') && name[1..].bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Why a path, or the set of paths, is not usable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mask) enum PathError {
    Syntax,
    /// The paths together need more than [`STATES_MAX`] states.
    TooMany,
}

/// More states than any sensible policy needs; many `..` paths together grow exponentially.
const STATES_MAX: usize = 4096;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(u32),
    /// `.*` and `[*]` alike: any member, any element.
    Any,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Hop {
    step: Step,
    /// `..`: any number of levels may lie before this step.
    deep: bool,
}

/// One parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::mask) struct Path {
    hops: Vec<Hop>,
}

impl Path {
    pub(in crate::mask) fn parse(text: &str) -> Result<Self, PathError> {
        let mut rest = text.strip_prefix('$').ok_or(PathError::Syntax)?;
        let mut hops = Vec::new();
        while !rest.is_empty() {
            let deep = rest.starts_with("..");
            let (step, after) = if deep && rest[2..].starts_with('[') {
                bracket(&rest[3..])?
            } else if deep {
                dotted(&rest[2..])?
            } else if let Some(after) = rest.strip_prefix('.') {
                dotted(after)?
            } else if let Some(after) = rest.strip_prefix('[') {
                bracket(after)?
            } else {
                return Err(PathError::Syntax);
            };
            hops.push(Hop { step, deep });
            rest = after;
        }
        Ok(Self { hops })
    }

    /// The keys that it says.
    pub(in crate::mask) fn keys(&self) -> impl Iterator<Item = &str> {
        self.hops.iter().filter_map(|hop| match &hop.step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) | Step::Any => None,
        })
    }

    /// Whether it names what stands at a path of a list of known paths, or something above it.
    pub(in crate::mask) fn covers(&self, listed: &Self, seal: &DomainKey) -> bool {
        covers(&self.hops, &listed.hops, seal)
    }

    /// Orders paths by how exactly they name a value: at the first difference a key or index beats a wildcard and both
    /// beat a descent; of two equal beginnings the longer wins.
    fn rank(&self) -> Vec<u8> {
        self.hops
            .iter()
            .map(|hop| match (&hop.step, hop.deep) {
                (Step::Key(_) | Step::Index(_), false) => 4,
                (Step::Any, false) => 3,
                (Step::Key(_) | Step::Index(_), true) => 2,
                (Step::Any, true) => 1,
            })
            .collect()
    }
}

/// Whether a path of a policy names what stands at a path of a list, or something above it. In a list, `.*` and `[*]` are
/// many keys and elements, of which a rule that names one says nothing.
fn covers(rule: &[Hop], listed: &[Hop], seal: &DomainKey) -> bool {
    let Some((hop, below)) = rule.split_first() else { return true };
    let Some((at, rest)) = listed.split_first() else { return false };
    let same = match (&hop.step, &at.step) {
        (Step::Any, _) => true,
        (Step::Key(key), Step::Key(listed)) => key == listed || sealed(seal, key) == *listed,
        _ => false,
    };
    same && covers(below, rest, seal) || hop.deep && covers(rule, rest, seal)
}

fn dotted(text: &str) -> Result<(Step, &str), PathError> {
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    match key {
        "" => Err(PathError::Syntax),
        "*" => Ok((Step::Any, rest)),
        _ => Ok((Step::Key(key.to_owned()), rest)),
    }
}

fn bracket(text: &str) -> Result<(Step, &str), PathError> {
    if let Some(quote @ ('"' | '\'')) = text.chars().next() {
        let end = text[1..].find(quote).ok_or(PathError::Syntax)? + 1;
        let rest = text[end + 1..].strip_prefix(']').ok_or(PathError::Syntax)?;
        return Ok((Step::Key(text[1..end].to_owned()), rest));
    }
    let (inside, rest) = text.split_once(']').ok_or(PathError::Syntax)?;
    if inside == "*" {
        return Ok((Step::Any, rest));
    }
    if inside.is_empty() || !inside.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(PathError::Syntax);
    }
    Ok((Step::Index(inside.parse().map_err(|_| PathError::Syntax)?), rest))
}

/// What happens to the keys of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mask) enum Keys {
    /// They stay, but those that are personal data become hashes.
    Names,
    /// They stay, whatever they are.
    Keep,
    /// Index of a leaf mask.
    Mask(u16),
}

/// A place in a document as far as the paths can tell places apart.
#[derive(Debug, Clone)]
pub(in crate::mask) struct State {
    action: Action,
    /// What may stand here; anything else is treated as a value at a path that nobody has seen.
    types: Types,
    otherwise: Action,
    /// Of an object that stands here.
    pub own_keys: Keys,
    keys: Vec<(String, u32)>,
    indexes: Vec<(u32, u32)>,
    other_key: u32,
    other_index: u32,
    /// Some of the keys are names of keys.
    sealed: bool,
    /// Where a key leads that is personal data itself, and that the open keys of a map (`.*`) must not let pass; none
    /// where keys are not open.
    personal: Option<u32>,
}

/// Where a key leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::mask) struct Member {
    pub state: u32,
    /// It is personal data that nobody has reviewed, and here: what becomes of it.
    pub personal: Option<Action>,
}

impl State {
    /// What happens to a scalar of this type.
    #[inline]
    pub(in crate::mask) fn action(&self, scalar: Types) -> Action {
        if self.types.holds(scalar) { self.action } else { self.otherwise }
    }

    /// Returns the state of the member `key` (unescaped).
    #[inline]
    pub(in crate::mask) fn member(&self, key: &[u8]) -> u32 {
        // A handful of keys: comparing lengths first beats a hash.
        match self.keys.iter().find(|(name, _)| name.as_bytes() == key) {
            Some((_, next)) => *next,
            None => self.other_key,
        }
    }

    /// Returns the state of the member `key`, which may be known by its name, or by what it is, only.
    pub(in crate::mask) fn member_sealed(&self, key: &str, seal: Option<&DomainKey>) -> Member {
        let at = |name: &str| self.keys.iter().find(|(known, _)| known == name).map(|(_, state)| *state);
        let named = || seal.filter(|_| self.sealed).and_then(|seal| at(&sealed(seal, key)));
        if let Some(state) = at(key).or_else(named) {
            return Member { state, personal: None };
        }
        let open = Member { state: self.other_key, personal: None };
        let Some(personal) = self.personal else { return open };
        match class(key) {
            Some(class) => at(&class).map_or(Member { state: personal, personal: Some(self.otherwise) }, |state| {
                Member { state, personal: None }
            }),
            None => open,
        }
    }

    /// Whether a path of the policy, or of what was reviewed, says this key.
    pub(super) fn says(&self, key: &str) -> bool {
        self.keys.iter().any(|(name, _)| name == key)
    }

    /// A key has to be read, not only compared.
    #[inline]
    pub(in crate::mask) fn sealed(&self) -> bool {
        self.sealed || self.personal.is_some()
    }

    /// Returns the state of the element at `index`.
    #[inline]
    pub(in crate::mask) fn element(&self, index: u32) -> u32 {
        match self.indexes.iter().find(|(at, _)| *at == index) {
            Some((_, next)) => *next,
            None => self.other_index,
        }
    }

    /// All members share one state, so keys need not be looked at.
    #[inline]
    pub(in crate::mask) fn blind(&self) -> bool {
        self.keys.is_empty() && self.personal.is_none()
    }
}

/// All paths of a policy as one deterministic automaton. State 0 is the document itself.
#[derive(Debug)]
pub(in crate::mask) struct Automaton {
    pub states: Vec<State>,
    /// Hashes keys: set where a mask hides those that are personal data, or where paths are pinned.
    pub seal: Option<DomainKey>,
}

/// A position (path, hops already taken).
type Spot = (u16, u16);

/// What a container passes on to what no rule names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Passed {
    By(Action),
    /// `rest = "keep"` where the known paths are pinned: kept at those, and nowhere else.
    Pinned,
    /// The same below a path that a rule keeps.
    Named,
}

/// Positions, and the action inherited from the container above.
type Key = (Vec<Spot>, Passed);

struct Builder<'a> {
    /// Most exact first.
    rules: Vec<(&'a Path, Action)>,
    keys: Vec<(&'a Path, Keys)>,
    known: Option<&'a Known>,
    /// Rules keep at known paths only.
    named: bool,
    /// Some known path is below one that a rule keeps.
    met: bool,
    numbers: HashMap<Key, u32>,
    queue: Vec<Key>,
}

impl Automaton {
    /// Joins the paths of values (`rules`) and of objects whose keys are decided (`keys`); `rest` is for what no rule names.
    /// With known paths, `rest = "keep"` and rules that keep do so there only.
    pub(in crate::mask) fn build(
        rules: &[(Path, Action)],
        keys: &[(Path, Keys)],
        rest: Action,
        known: Option<Known>,
    ) -> Result<Self, PathError> {
        let mut rules: Vec<_> = rules.iter().map(|(path, action)| (path, *action)).collect();
        let mut keys: Vec<_> = keys.iter().map(|(path, own)| (path, *own)).collect();
        rules.sort_by_cached_key(|(path, _)| std::cmp::Reverse(path.rank()));
        keys.sort_by_cached_key(|(path, _)| std::cmp::Reverse(path.rank()));
        let pinned = known.as_ref().map_or(0, |known| known.paths.len());
        if rules.len() + keys.len() + pinned > usize::from(u16::MAX) {
            return Err(PathError::TooMany);
        }
        let build = |named: bool| {
            let (rules, keys, known) = (rules.clone(), keys.clone(), known.as_ref());
            Builder { rules, keys, known, named, met: false, numbers: HashMap::new(), queue: Vec::new() }.states(rest)
        };
        let keeps = known.as_ref().filter(|_| rules.iter().any(|(_, action)| *action == Action::Keep));
        let (mut states, met) = build(keeps.is_some())?;
        if keeps.is_some_and(|known| !known.strict && !met) {
            (states, _) = build(false)?;
        }
        Ok(Self { states, seal: known.map(|known| known.seal) })
    }
}

impl<'a> Builder<'a> {
    /// All states, and whether a known path is below one that a rule keeps.
    fn states(mut self, rest: Action) -> Result<(Vec<State>, bool), PathError> {
        let start = (0..self.paths()).map(|path| (path as u16, 0)).collect();
        let pins = self.known.is_some() && rest == Action::Keep;
        self.state(start, if pins { Passed::Pinned } else { Passed::By(rest) });
        let mut states = Vec::new();
        // `queue` grows while it is worked off; a state's number is its place in it.
        while let Some((spots, inherited)) = self.queue.get(states.len()).cloned() {
            if states.len() == STATES_MAX {
                return Err(PathError::TooMany);
            }
            states.push(self.expand(&spots, inherited));
        }
        Ok((states, self.met))
    }

    fn known(&self) -> &'a [(Path, Types)] {
        self.known.map_or(&[], |known| &known.paths)
    }

    fn paths(&self) -> usize {
        self.rules.len() + self.keys.len() + self.known().len()
    }

    fn path(&self, index: u16) -> &'a Path {
        let index = usize::from(index);
        if let Some((path, _)) = self.rules.get(index) {
            return path;
        }
        let index = index - self.rules.len();
        self.keys.get(index).map_or_else(|| &self.known()[index - self.keys.len()].0, |(path, _)| path)
    }

    fn complete(&self, spot: Spot) -> bool {
        usize::from(spot.1) == self.path(spot.0).hops.len()
    }

    /// Returns the number of the state for these positions, after its own rules have decided about the action.
    fn state(&mut self, mut spots: Vec<Spot>, inherited: Passed) -> u32 {
        spots.sort_unstable();
        spots.dedup();
        // Rules are sorted, so the first complete one is the most exact.
        let done = spots.iter().filter(|spot| self.complete(**spot));
        let own = done.filter_map(|spot| self.rules.get(usize::from(spot.0))).next();
        let action = own.map_or(inherited, |(_, action)| match action {
            Action::Keep if self.named => Passed::Named,
            action => Passed::By(*action),
        });
        let key = (spots, action);
        if let Some(number) = self.numbers.get(&key) {
            return *number;
        }
        let number = self.queue.len() as u32;
        self.queue.push(key.clone());
        self.numbers.insert(key, number);
        number
    }

    fn expand(&mut self, spots: &[Spot], passed: Passed) -> State {
        let base = self.rules.len() + self.keys.len();
        let ends = spots.iter().filter(|spot| self.complete(**spot));
        let known = ends.filter_map(|spot| self.known().get(usize::from(spot.0).checked_sub(base)?));
        let known = known.fold(Types::NONE, |types, (_, own)| types.with(*own));
        let otherwise = match (passed, self.known) {
            (Passed::Named, Some(known)) => known.named,
            (Passed::Pinned, Some(known)) => known.otherwise,
            _ => Action::Null,
        };
        let (action, types) = match passed {
            Passed::By(action) => (action, Types::ANY),
            Passed::Pinned | Passed::Named if known.is_empty() => (otherwise, Types::ANY),
            Passed::Pinned | Passed::Named => (Action::Keep, known),
        };
        self.met |= passed == Passed::Named && !known.is_empty();
        let own_keys = spots
            .iter()
            .filter(|spot| self.complete(**spot))
            .find_map(|spot| self.keys.get(usize::from(spot.0).checked_sub(self.rules.len())?))
            .map_or(Keys::Names, |(_, own)| *own);
        let mut names: Vec<&str> = Vec::new();
        let mut places: Vec<u32> = Vec::new();
        for &(path, taken) in spots {
            match self.path(path).hops.get(usize::from(taken)).map(|hop| &hop.step) {
                Some(Step::Key(name)) => names.push(name),
                Some(Step::Index(place)) => places.push(*place),
                Some(Step::Any) | None => {}
            }
        }
        names.sort_unstable();
        names.dedup();
        places.sort_unstable();
        places.dedup();
        let follow = |builder: &mut Self, matches: &dyn Fn(&Step) -> bool| {
            let next = builder.next(spots, matches);
            builder.state(next, passed)
        };
        let sealed = names.iter().any(|name| is_sealed(name));
        let classes = names.iter().any(|name| name.starts_with('#') && !is_sealed(name));
        let seal = self.known.filter(|_| sealed).map(|known| &known.seal);
        let keys = names
            .into_iter()
            .map(|name| {
                // A rule may say the name that a list of known paths does not.
                let hidden = seal.map(|seal| self::sealed(seal, name));
                let is = |key: &String| key == name || hidden.as_ref() == Some(key);
                let next = follow(self, &|step| *step == Step::Any || matches!(step, Step::Key(key) if is(key)));
                (name.to_owned(), next)
            })
            .collect();
        let indexes = places
            .into_iter()
            .map(|place| (place, follow(self, &|step| *step == Step::Any || *step == Step::Index(place))))
            .collect();
        let other = follow(self, &|step| *step == Step::Any);
        let (rules, listed): (Vec<Spot>, Vec<Spot>) =
            spots.iter().copied().partition(|spot| usize::from(spot.0) < base);
        let open =
            |spot: &Spot| self.path(spot.0).hops.get(usize::from(spot.1)).is_some_and(|hop| hop.step == Step::Any);
        let pinned = !matches!(passed, Passed::By(_)) && own_keys == Keys::Names;
        let watched = pinned && (classes || listed.iter().any(open));
        let personal = watched.then(|| {
            let next = self.next(&rules, &|step| *step == Step::Any);
            self.state(next, passed)
        });
        State {
            action,
            types,
            otherwise,
            own_keys,
            keys,
            indexes,
            other_key: other,
            other_index: other,
            sealed,
            personal,
        }
    }

    fn next(&self, spots: &[Spot], matches: &dyn Fn(&Step) -> bool) -> Vec<Spot> {
        let mut next = Vec::new();
        for &(path, taken) in spots {
            if let Some(hop) = self.path(path).hops.get(usize::from(taken)) {
                if matches(&hop.step) {
                    next.push((path, taken + 1));
                }
                if hop.deep {
                    next.push((path, taken));
                }
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn automaton(paths: &[(&str, Action)]) -> Automaton {
        let rules: Vec<_> = paths.iter().map(|(path, action)| (Path::parse(path).unwrap(), *action)).collect();
        Automaton::build(&rules, &[], Action::Keep, None).unwrap()
    }

    fn walk(automaton: &Automaton, keys: &[&str]) -> Action {
        let mut state = 0;
        for key in keys {
            let here = &automaton.states[state as usize];
            state = match key.parse() {
                Ok(index) => here.element(index),
                Err(_) => here.member(key.as_bytes()),
            };
        }
        automaton.states[state as usize].action(Types::STRING)
    }

    #[test]
    fn a_path_covers_everything_below_it_and_nothing_beside_it() {
        let a = automaton(&[("$.contact", Action::Mask(0)), ("$.items[*].name", Action::Mask(1))]);
        assert_eq!(walk(&a, &["contact"]), Action::Mask(0));
        assert_eq!(walk(&a, &["contact", "x", "3"]), Action::Mask(0));
        assert_eq!(walk(&a, &["items", "7", "name"]), Action::Mask(1));
        assert_eq!(walk(&a, &["items", "7", "id"]), Action::Keep);
        assert_eq!(walk(&a, &["other", "contact"]), Action::Keep);
    }

    #[test]
    fn the_more_exact_path_wins() {
        let a = automaton(&[
            ("$..email", Action::Mask(0)),
            ("$.a.email", Action::Mask(1)),
            ("$.a.*", Action::Mask(2)),
            ("$.a.kind", Action::Keep),
            ("$.list[0]", Action::Null),
        ]);
        assert_eq!(walk(&a, &["email"]), Action::Mask(0));
        assert_eq!(walk(&a, &["x", "3", "email"]), Action::Mask(0));
        assert_eq!(walk(&a, &["a", "email"]), Action::Mask(1));
        assert_eq!(walk(&a, &["a", "phone"]), Action::Mask(2));
        assert_eq!(walk(&a, &["a", "kind"]), Action::Keep);
        assert_eq!(walk(&a, &["list", "0"]), Action::Null);
        assert_eq!(walk(&a, &["list", "1"]), Action::Keep);
    }

    #[test]
    fn quoted_keys_may_hold_dots() {
        let a = automaton(&[("$[\"a.b\"]['c d']", Action::Null)]);
        assert_eq!(walk(&a, &["a.b", "c d"]), Action::Null);
    }

    #[test]
    fn types_of_a_path_are_read_as_they_are_written() {
        for (entry, path, words) in [
            ("$.plan: number", "$.plan", Some("number")),
            ("$.plan: null", "$.plan", Some("null")),
            ("$.a[*]: string|number|null", "$.a[*]", Some("number|string")),
            ("$.plan", "$.plan", None),
            ("$[\"a: b\"]", "$[\"a: b\"]", None),
        ] {
            assert_eq!(typed(entry).0, path);
            assert_eq!(typed(entry).1.map(Types::words).as_deref(), words);
        }
    }

    #[test]
    fn short_words_are_no_personal_data() {
        let mut state = 1_u64;
        let mut below = |most: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % most
        };
        const BYTES: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-";
        let mut plain = 0;
        for _ in 0..200_000 {
            let length = below(16);
            let of = if below(2) == 0 { BYTES.len() as u64 } else { 20 };
            let key: String = (0..length).map(|_| char::from(BYTES[below(of) as usize])).collect();
            if is_plain(&key) {
                plain += 1;
                assert_eq!(personal_in_key(&key), Vec::<&str>::new(), "{key}");
                assert!(!is_token(&key), "{key}");
            }
        }
        assert!(plain > 50_000, "{plain}");
        for key in ["NO9386011117947", "sk_live_abcdefghijklmnop", "a@b.c", "078-05-1120"] {
            assert!(!is_plain(key), "{key}");
        }
    }

    #[test]
    fn wrong_paths_are_refused() {
        for text in
            ["", "email", "$email", "$.", "$..", "$[", "$[x]", "$[-1]", "$['a", "$['a'", "$.a..", "$[99999999999]"]
        {
            assert_eq!(Path::parse(text), Err(PathError::Syntax), "{text}");
        }
    }

    #[test]
    fn the_number_of_states_is_bounded() {
        let rules: Vec<_> =
            (0..20).map(|n| (Path::parse(&format!("$..a.*{}.b{n}", ".*".repeat(n))).unwrap(), Action::Null)).collect();
        assert_eq!(Automaton::build(&rules, &[], Action::Keep, None).err(), Some(PathError::TooMany));
    }
}
