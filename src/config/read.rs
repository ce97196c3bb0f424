//! Takes a tree apart, key by key, and collects every problem on the way.
//!
//! A [`Section`] is a table together with its path in [`options`]. Each getter asks the options for the type, range and
//! default of its key; what is left when the section is done is unknown. A getter that reported a problem answers with
//! none, so reading goes on and the caller never sees a wrong value: the whole configuration is refused in the end.

use super::options::{self, ConfigOption, Kind, Need};
use super::tree::{Builder, Entries, Files, Key, Node, Position, Text, Value};
use super::units;
use crate::error::Report;
use serde_json::Value as Json;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use toml::de::DeValue;

/// What all sections share.
pub(super) struct Context<'a> {
    pub(super) files: &'a Files,
    problems: RefCell<Vec<(Position, Report)>>,
    /// What was read and differs from its default, by its full name; the input of the hash.
    canonical: RefCell<BTreeMap<String, Json>>,
    #[cfg(test)]
    pub(super) asked: RefCell<std::collections::BTreeSet<&'static str>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(files: &'a Files, problems: Vec<(Position, Report)>) -> Self {
        Self {
            files,
            problems: RefCell::new(problems),
            canonical: RefCell::default(),
            #[cfg(test)]
            asked: RefCell::default(),
        }
    }

    pub(super) fn report(&self, at: Position, report: Report) {
        self.problems.borrow_mut().push((at, report));
    }

    pub(super) fn into_parts(self) -> (Vec<(Position, Report)>, BTreeMap<String, Json>) {
        (self.problems.into_inner(), self.canonical.into_inner())
    }

    pub(super) fn record(&self, name: &[String], value: Json) {
        /// Where the key lies changes nothing in the result; its id is recorded with the run.
        const LEFT_OUT: &[&str] = &["file", "env", "command", "fd"];
        if let [section, key] = name
            && section == "key"
            && LEFT_OUT.contains(&key.as_str())
        {
            return;
        }
        // U+0000 cannot stand in a value and a key that holds it still gives the same text for the same configuration.
        self.canonical.borrow_mut().insert(name.join("\0"), value);
    }

    fn asked(&self, option: &'static ConfigOption) {
        #[cfg(test)]
        self.asked.borrow_mut().insert(option.path);
        let _ = option;
    }
}

/// A table that is being read.
pub(super) struct Section<'c, 'a> {
    pub(super) context: &'c Context<'a>,
    /// In [`options::OPTIONS`]: `tables.*`.
    path: String,
    /// With the names the user chose: `tables`, `public.customers`.
    pub(super) name: Vec<String>,
    /// As it is shown: `[tables."public.customers"]`.
    pub(super) title: String,
    pub(super) at: Position,
    entries: Entries,
}

/// Answers with the value and its canonical form, or says what it must be instead.
type Converted<T> = Result<(T, Json), Wrong>;

/// Why a value was not taken.
pub(super) enum Wrong {
    /// It has another type.
    Type,
    /// Completes "`workers` in `[source]` ".
    Value(String),
    /// Completes the same; this hint instead of the usual one.
    Hint(String, String),
    /// Already reported.
    Known,
}

impl<'c, 'a> Section<'c, 'a> {
    pub(super) fn root(context: &'c Context<'a>, entries: Entries) -> Self {
        let at = Position { file: 0, offset: 0 };
        Self { context, path: String::new(), name: Vec::new(), title: String::new(), at, entries }
    }

    /// Opens the inside of a value that has several forms (`rows`, decisions) under its own path.
    pub(super) fn inside(&self, path: &str, name: Vec<String>, title: String, at: Position, entries: Entries) -> Self {
        Self { context: self.context, path: path.to_owned(), name, title, at, entries }
    }

    /// Names `key` in this section for a message: `` `workers` in `[source]` ``.
    pub(super) fn called(&self, key: &str) -> String {
        let key = show_key(key);
        if self.title.is_empty() { format!("`{key}`") } else { format!("`{key}` in {}", self.title) }
    }

    /// The full name of a key, for the hash.
    pub(super) fn full_name(&self, key: &str) -> Vec<String> {
        self.name.iter().cloned().chain([key.to_owned()]).collect()
    }

    fn option(&self, key: &str) -> &'static ConfigOption {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let option = options::find(&path).expect("a key is read only if it stands in OPTIONS");
        self.context.asked(option);
        option
    }

    /// Takes a key; reports it if it is missing and required.
    pub(super) fn take(&mut self, key: &str) -> (&'static ConfigOption, Option<(Key, Node)>) {
        let option = self.option(key);
        let index = self.entries.iter().position(|(name, _)| name.name == key);
        let entry = index.map(|index| self.entries.remove(index));
        if entry.is_none() && option.need == Need::Required {
            self.report_missing(option);
        }
        (option, entry)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, _)| name.name == key)
    }

    /// Whether a key holds a text.
    pub(super) fn has_text(&self, key: &str) -> bool {
        self.entries.iter().any(|(name, node)| name.name == key && matches!(node.value, Value::Text(_)))
    }

    /// Takes every key that is left.
    pub(super) fn take_rest(&mut self) -> Entries {
        std::mem::take(&mut self.entries)
    }

    /// Takes every key that is left as names the user chose; `path` is their common option.
    pub(super) fn take_names(&mut self, path: &str) -> (&'static ConfigOption, Entries) {
        let option = options::find(path).expect("a name is read only if its pattern stands in OPTIONS");
        self.context.asked(option);
        (option, self.take_rest())
    }

    /// Takes the keys that are nothing like a known one and whose values pass a test.
    pub(super) fn take_strange(&mut self, test: impl Fn(&Node) -> bool) -> Entries {
        let known = |name: &str| nearest(name, options::children(&self.path).map(ConfigOption::key)).is_some();
        let all = std::mem::take(&mut self.entries);
        let (strange, rest) = all.into_iter().partition(|(key, node)| !known(&key.name) && test(node));
        self.entries = rest;
        strange
    }

    /// Where a table of this section stands; the section itself if it does not.
    pub(super) fn place_of(&self, key: &str) -> Position {
        self.entries.iter().find(|(name, _)| name.name == key).map_or(self.at, |(_, node)| node.at)
    }

    /// Where the elements of a list stand; none if it is not written, or no list.
    pub(super) fn places_in(&self, key: &str) -> Vec<Position> {
        let entry = self.entries.iter().find(|(name, _)| name.name == key);
        match entry.map(|(_, node)| &node.value) {
            Some(Value::Array(items)) => items.iter().map(|item| item.at).collect(),
            _ => Vec::new(),
        }
    }

    fn report_missing(&self, option: &'static ConfigOption) {
        let message = if matches!(option.kind, Kind::Table) {
            format!("the table [{}] is missing", option.path)
        } else {
            format!("{} is missing", self.called(option.key()))
        };
        let line = if option.kind == Kind::Table {
            let keys = options::children(option.path).filter(|child| child.need == Need::Required);
            std::iter::once(option.line()).chain(keys.map(ConfigOption::line)).collect::<Vec<_>>().join("\n")
        } else {
            option.line()
        };
        let wherever = if self.title.is_empty() { "Add:".to_owned() } else { format!("Add to {}:", self.title) };
        let report = Report::new("config::missing", message).detail(option.meaning);
        self.context.report(self.at, report.hint(format!("{wherever}\n{line}")));
    }

    /// Takes a key and converts it, or its default. Every typed getter ends here.
    pub(super) fn value<T>(&mut self, key: &str, convert: impl Fn(&ConfigOption, &Node) -> Converted<T>) -> Option<T> {
        let (option, entry) = self.take(key);
        let default = || match option.need {
            Need::Default(text) => convert(option, &default_node(text)).ok(),
            _ => None,
        };
        let Some((_, node)) = entry else {
            return default().map(|(value, _)| value);
        };
        match convert(option, &node) {
            Ok((value, json)) => {
                if default().is_none_or(|(_, default)| default != json) {
                    self.context.record(&self.full_name(key), json);
                }
                Some(value)
            }
            Err(wrong) => {
                self.report_wrong(option, &node, wrong);
                None
            }
        }
    }

    /// Reports a value that was not taken.
    pub(super) fn report_wrong(&self, option: &ConfigOption, node: &Node, wrong: Wrong) {
        let called = self.called(option.key());
        let range = option.kind.range();
        let example = format!("Write for example `{}`.", option.line());
        let report = match wrong {
            Wrong::Known => return,
            Wrong::Type => {
                let message = format!("{called} must be {}, not {}", option.kind.expected(), node.describe());
                Report::new("config::wrong-type", message).hint(example)
            }
            Wrong::Hint(text, hint) => Report::new("config::bad-value", format!("{called} {text}")).hint(hint),
            Wrong::Value(text) => {
                let hint = if range.is_empty() { example } else { format!("Allowed: {range}. {example}") };
                Report::new("config::bad-value", format!("{called} {text}")).hint(hint)
            }
        };
        self.context.report(node.at, report);
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        self.value(key, |option, node| {
            let text = resolved(node)?;
            check_text(option.kind, text).map_err(Wrong::Value)?;
            Ok((text.to_owned(), Json::from(text)))
        })
    }

    /// A text that is recorded in another form, or not at all, because it may hold a secret.
    pub(super) fn secret(
        &mut self,
        key: &str,
        check: impl Fn(&str) -> Result<String, String>,
    ) -> Option<secrecy::SecretString> {
        self.value(key, |_, node| {
            let text = resolved(node)?;
            let shown = check(text).map_err(Wrong::Value)?;
            Ok((secrecy::SecretString::from(text), Json::from(shown)))
        })
    }

    /// A day.
    pub(super) fn date(&mut self, key: &str) -> Option<jiff::civil::Date> {
        self.value(key, |_, node| {
            let text = match &node.value {
                Value::Datetime(text) => text.as_str(),
                _ => resolved(node)?,
            };
            let day = text.parse().map_err(|_| Wrong::Value("is no day".to_owned()))?;
            Ok((day, Json::from(text)))
        })
    }

    pub(super) fn boolean(&mut self, key: &str) -> Option<bool> {
        self.value(key, |_, node| {
            let value = match &node.value {
                Value::Boolean(value) => *value,
                Value::Text(text) => parse_variable(text, "true or false")?,
                _ => return Err(Wrong::Type),
            };
            Ok((value, Json::from(value)))
        })
    }

    pub(super) fn integer<T: TryFrom<i64>>(&mut self, key: &str) -> Option<T> {
        self.value(key, |option, node| {
            let value = match &node.value {
                Value::Integer(value) => *value,
                Value::Text(text) => parse_variable(text, "an integer")?,
                _ => return Err(Wrong::Type),
            };
            let Kind::Integer { min, max } = option.kind else { return Err(Wrong::Type) };
            if !(min..=max).contains(&value) {
                return Err(Wrong::Value("is out of range".to_owned()));
            }
            let fits = T::try_from(value).map_err(|_| Wrong::Value("is out of range".to_owned()))?;
            Ok((fits, Json::from(value)))
        })
    }

    pub(super) fn number(&mut self, key: &str) -> Option<f64> {
        self.value(key, |option, node| {
            let value = match &node.value {
                // Counts and shares; an integer that f64 cannot hold is out of every range.
                Value::Integer(value) => *value as f64,
                Value::Float(value) => *value,
                Value::Text(text) => parse_variable(text, "a number")?,
                _ => return Err(Wrong::Type),
            };
            let Kind::Number { min, max } = option.kind else { return Err(Wrong::Type) };
            // NaN is in no range.
            if !(min..=max).contains(&value) {
                return Err(Wrong::Value("is out of range".to_owned()));
            }
            Ok((value, Json::from(value)))
        })
    }

    pub(super) fn duration(&mut self, key: &str) -> Option<Duration> {
        self.value(key, |option, node| {
            let duration = units::duration(resolved(node)?).map_err(|why| Wrong::Value(not_read(why)))?;
            let Kind::Duration { min_ms, max_ms } = option.kind else { return Err(Wrong::Type) };
            let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
            if !(min_ms..=max_ms).contains(&ms) {
                return Err(Wrong::Value("is out of range".to_owned()));
            }
            Ok((duration, Json::from(ms)))
        })
    }

    /// A size in bytes, or a rate in bytes per second.
    pub(super) fn bytes(&mut self, key: &str) -> Option<u64> {
        self.value(key, |option, node| {
            let read = match option.kind {
                Kind::Rate { .. } => units::rate,
                _ => units::size,
            };
            let bytes = match (&node.value, option.kind) {
                // The unit of a size is in the name of the key; a bare rate could be anything.
                (Value::Integer(bytes), Kind::Size { .. }) => u64::try_from(*bytes).unwrap_or(0),
                _ => read(resolved(node)?).map_err(|why| Wrong::Value(not_read(why)))?,
            };
            let (Kind::Size { min, max } | Kind::Rate { min, max }) = option.kind else { return Err(Wrong::Type) };
            if !(min..=max).contains(&bytes) {
                return Err(Wrong::Value("is out of range".to_owned()));
            }
            Ok((bytes, Json::from(bytes)))
        })
    }

    /// One of a closed set; `values` in the order of [`Kind::OneOf`].
    pub(super) fn choice<T: Copy>(&mut self, key: &str, values: &[T]) -> Option<T> {
        self.value(key, |option, node| {
            let Kind::OneOf(names) = option.kind else { return Err(Wrong::Type) };
            let (value, name) = choose(text_of(node)?, names, values)?;
            Ok((value, Json::from(name)))
        })
    }

    /// A list of members of a closed set, each once.
    pub(super) fn choices<T: Copy>(&mut self, key: &str, values: &[T]) -> Option<Vec<T>> {
        self.value(key, |option, node| {
            let (Kind::AnyOf(names), Value::Array(items)) = (option.kind, &node.value) else {
                return Err(Wrong::Type);
            };
            if items.is_empty() && option.need == Need::Required {
                return Err(Wrong::Value("is empty".to_owned()));
            }
            let mut chosen: Vec<T> = Vec::new();
            let mut seen: Vec<Json> = Vec::new();
            for item in items {
                let (value, name) = choose(text_of(item)?, names, values)?;
                if !seen.contains(&Json::from(name)) {
                    chosen.push(value);
                    seen.push(Json::from(name));
                }
            }
            Ok((chosen, Json::from(seen)))
        })
    }

    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        self.value(key, |option, node| {
            let texts = text_list(node)?;
            let element = if option.kind == Kind::Names { Kind::Name } else { Kind::Text };
            for text in &texts {
                check_text(element, text).map_err(|why| Wrong::Value(format!("has an element that {why}")))?;
            }
            let mut seen = std::collections::HashSet::new();
            if let Some(twice) = texts.iter().position(|text| !seen.insert(text)) {
                return Err(Wrong::Value(format!("names the same twice (element {})", twice + 1)));
            }
            Ok((texts.clone(), Json::from(texts)))
        })
    }

    /// Files by globs, against the folder of the file that names them.
    pub(super) fn files(&mut self, key: &str) -> Option<Vec<PathBuf>> {
        let context = self.context;
        self.value(key, |_, node| {
            let texts = text_list(node)?;
            let mut files = Vec::new();
            for (place, text) in texts.iter().enumerate() {
                let found = super::load::expand(context.files.folder(node.at.file), std::path::Path::new(text));
                let found = found
                    .map_err(|error| Wrong::Value(format!("cannot be listed (element {}): {error}", place + 1)))?;
                if found.is_empty() {
                    return Err(Wrong::Value(format!("matches no file (element {})", place + 1)));
                }
                files.extend(found);
            }
            files.sort();
            files.dedup();
            Ok((files, Json::from(texts)))
        })
    }

    /// A program and its arguments. The hash takes them as written: variables in them may be secrets.
    pub(super) fn command(&mut self, key: &str) -> Option<Vec<String>> {
        self.value(key, |_, node| {
            let texts = text_list(node)?;
            if texts.first().is_none_or(String::is_empty) {
                return Err(Wrong::Value("names no program".to_owned()));
            }
            Ok((texts, raw_list(node)))
        })
    }

    /// A path, made absolute; relative ones start from the folder of the file they stand in.
    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        let files = self.context.files;
        self.value(key, |_, node| {
            let text = resolved(node)?;
            if text.is_empty() {
                return Err(Wrong::Value("is empty".to_owned()));
            }
            let path = files.folder(node.at.file).join(text);
            // Without a working directory there is nothing to start from; then the path stays as it is.
            Ok((std::path::absolute(&path).unwrap_or(path), Json::from(text)))
        })
    }

    /// Names chosen by the user with text values.
    pub(super) fn map(&mut self, key: &str) -> Option<BTreeMap<String, String>> {
        let called = self.called(key);
        self.value(key, |_, node| {
            let Value::Table(entries) = &node.value else { return Err(Wrong::Type) };
            let mut map = BTreeMap::new();
            for (name, node) in entries {
                let text = match resolved(node) {
                    Err(Wrong::Type) => {
                        let name = show_key(&name.name);
                        let message = format!("`{name}` of {called} must be a string, not {}", node.describe());
                        let report = Report::new("config::wrong-type", message);
                        self.context.report(node.at, report.hint(format!("Write for example `{name} = \"name\"`.")));
                        return Err(Wrong::Known);
                    }
                    other => other?,
                };
                if text.is_empty() {
                    return Err(Wrong::Value("has an empty value".to_owned()));
                }
                map.insert(name.name.clone(), text.to_owned());
            }
            let json = map.iter().map(|(name, text)| (name.clone(), Json::from(text.as_str()))).collect();
            Ok((map, Json::Object(json)))
        })
    }

    /// A table with fixed keys. An absent one is read as empty if its default is `{}`.
    pub(super) fn table<T>(&mut self, key: &str, read: impl FnOnce(&mut Section<'c, 'a>) -> T) -> Option<T> {
        let (option, entry) = self.take(key);
        let (at, entries) = match entry {
            None if option.need == Need::Default("{}") => (self.at, Entries::new()),
            None => return None,
            Some((_, Node { at, value: Value::Table(entries) })) => (at, entries),
            Some((_, node)) => {
                self.report_wrong(option, &node, Wrong::Type);
                return None;
            }
        };
        let mut section = self.inside(option.path, self.full_name(key), format!("[{}]", option.path), at, entries);
        let value = read(&mut section);
        section.finish();
        Some(value)
    }

    /// An array of tables with fixed keys.
    pub(super) fn tables<T>(&mut self, key: &str, read: impl Fn(&mut Section<'c, 'a>) -> T) -> Vec<T> {
        let (option, entry) = self.take(key);
        let items = match entry {
            None => return Vec::new(),
            Some((_, Node { value: Value::Array(items), .. })) => items,
            Some((_, node)) => {
                let table = matches!(node.value, Value::Table(_));
                let hint = format!("Write `[[{}]]` with two brackets.", option.path);
                if table {
                    let message = format!("{} must be a list of tables, not a table", self.called(key));
                    self.context.report(node.at, Report::new("config::wrong-type", message).hint(hint));
                } else {
                    self.report_wrong(option, &node, Wrong::Type);
                }
                return Vec::new();
            }
        };
        if items.is_empty() && option.need == Need::Required {
            self.report_missing(option);
        }
        let mut values = Vec::with_capacity(items.len());
        for (index, node) in items.into_iter().enumerate() {
            let Value::Table(entries) = node.value else {
                let message = format!("an element of {} must be a table, not {}", self.called(key), node.describe());
                let report = Report::new("config::wrong-type", message);
                self.context.report(node.at, report.hint(format!("Write `[[{}]]`.", option.path)));
                continue;
            };
            let mut name = self.full_name(key);
            name.push(index.to_string());
            let mut section = self.inside(option.path, name, format!("[[{}]]", option.path), node.at, entries);
            values.push(read(&mut section));
            section.finish();
        }
        values
    }

    /// Reports the keys nobody took.
    pub(super) fn finish(self) {
        for (key, _) in &self.entries {
            let report = Report::new("config::unknown-key", format!("{} is not known", self.called(&key.name)));
            self.context.report(key.at, report.hint(self.nearest(&key.name)));
        }
    }

    fn nearest(&self, name: &str) -> String {
        let line = |option: &ConfigOption| format!("Did you mean `{}`? Write `{}`.", option.key(), option.line());
        let closest = nearest(name, options::children(&self.path).map(ConfigOption::key));
        let here = closest.and_then(|(key, _)| options::children(&self.path).find(|option| option.key() == key));
        let typo = closest.is_some_and(|(_, distance)| distance <= 1);
        let elsewhere = options::OPTIONS.iter().find(|option| {
            option.key() == name
                && !option.parent().is_empty()
                && !option.path.contains('*')
                && option.parent() != "decision"
        });
        let top = options::find(name).filter(|_| !self.path.is_empty() && !name.contains('.'));
        if let Some(option) = top.filter(|_| !typo) {
            return match option.kind {
                Kind::Table | Kind::Tables => format!("Write `{}`, not inside {}.", option.line(), self.title),
                _ => format!("`{name}` belongs above the first table: `{}`.", option.line()),
            };
        }
        match (here, elsewhere) {
            (Some(option), _) if typo => line(option),
            (_, Some(option)) => format!("`{name}` belongs into [{}]: `{}`.", option.parent(), option.line()),
            (Some(option), None) => line(option),
            (None, None) => {
                let keys: Vec<&str> = options::children(&self.path).map(ConfigOption::key).collect();
                if keys.is_empty() { "Remove it.".to_owned() } else { format!("Known here: {}.", keys.join(", ")) }
            }
        }
    }
}

/// Finds the known name that was probably meant, and how many edits away it is.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<(&'n str, usize)> {
    // Nobody mistypes a name into one that is far longer than all of ours, and the distance takes quadratic time.
    if name.len() > 64 {
        return None;
    }
    let name = name.to_lowercase().replace('-', "_");
    let limit = ((name.chars().count() + 1) / 3).max(1);
    let distance = |known: &'n str| (known, strsim::damerau_levenshtein(&name, &known.replace('-', "_")));
    known.map(distance).filter(|(_, distance)| *distance <= limit).min_by_key(|(_, distance)| *distance)
}

/// Writes a key as TOML would, shortened, without control characters.
pub(super) fn show_key(key: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !key.is_empty() && key.len() <= 80 && key.chars().all(bare) { key.to_owned() } else { show_text(key) }
}

/// Writes a text in quotes, shortened, without control characters.
pub(super) fn show_text(text: &str) -> String {
    const SHOWN_MAX: usize = 80;
    let mut short: String = text.chars().take(SHOWN_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

fn not_read(why: String) -> String {
    format!("cannot be read: {why}")
}

fn default_node(text: &str) -> Node {
    let value = DeValue::parse(text).expect("the defaults in OPTIONS are TOML");
    let mut table = toml::de::DeTable::new();
    table.insert(toml::Spanned::new(0..0, "default".into()), value);
    let mut builder = Builder { file: 0, env: &|_| None, problems: Vec::new() };
    builder.table(table).remove(0).1
}

fn text_of(node: &Node) -> Result<&Text, Wrong> {
    match &node.value {
        Value::Text(text) => Ok(text),
        _ => Err(Wrong::Type),
    }
}

/// The text of a string with its variables resolved.
pub(super) fn resolved(node: &Node) -> Result<&str, Wrong> {
    text_of(node)?.resolved.as_deref().ok_or(Wrong::Known)
}

fn text_list(node: &Node) -> Result<Vec<String>, Wrong> {
    let Value::Array(items) = &node.value else { return Err(Wrong::Type) };
    items
        .iter()
        .enumerate()
        .map(|(index, item)| match resolved(item) {
            Ok(text) => Ok(text.to_owned()),
            Err(Wrong::Type) => {
                Err(Wrong::Value(format!("must hold only strings; element {} is {}", index + 1, item.describe())))
            }
            Err(other) => Err(other),
        })
        .collect()
}

fn raw_list(node: &Node) -> Json {
    let Value::Array(items) = &node.value else { return Json::Null };
    items.iter().filter_map(|item| text_of(item).ok()).map(|text| Json::from(text.raw.as_str())).collect()
}

/// Reads an integer, number or boolean out of a string, which only a variable excuses.
fn parse_variable<T: std::str::FromStr>(text: &Text, expected: &str) -> Result<T, Wrong> {
    if !text.variable {
        return Err(Wrong::Type);
    }
    let resolved = text.resolved.as_deref().ok_or(Wrong::Known)?;
    let wrong = || Wrong::Value(format!("is {}, whose value is not {expected}", show_text(&text.raw)));
    resolved.trim().parse().map_err(|_| wrong())
}

fn choose<T: Copy>(text: &Text, names: &'static [&'static str], values: &[T]) -> Result<(T, &'static str), Wrong> {
    debug_assert_eq!(names.len(), values.len());
    let resolved = text.resolved.as_deref().ok_or(Wrong::Known)?;
    let found = names.iter().zip(values).find(|(name, _)| **name == resolved);
    found.map(|(name, value)| (*value, *name)).ok_or_else(|| {
        let message = format!("cannot be {}", show_text(&text.raw));
        let list = names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
        // The nearest name of a variable's value would say something about the value.
        match nearest(resolved, names.iter().copied()).filter(|_| !text.variable) {
            Some((name, _)) => Wrong::Hint(message, format!("Did you mean \"{name}\"? Allowed: {list}.")),
            None => Wrong::Hint(message, format!("Allowed: {list}.")),
        }
    })
}

/// Checks what the kind of a text asks for. The answer completes "`url` in [source] ".
fn check_text(kind: Kind, text: &str) -> Result<(), String> {
    /// PostgreSQL cuts longer names silently.
    const NAME_BYTES_MAX: usize = 63;
    if text.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    match kind {
        Kind::Name if text.len() > NAME_BYTES_MAX => {
            Err(format!("is longer than the {NAME_BYTES_MAX} bytes PostgreSQL allows"))
        }
        Kind::Cron => units::cron(text).map_err(not_read),
        Kind::ColumnName if text.split('.').count() < 3 || text.split('.').any(str::is_empty) => {
            Err("does not name a column as schema.table.column".to_owned())
        }
        _ => Ok(()),
    }
}
