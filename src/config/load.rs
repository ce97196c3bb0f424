//! From a path to one tree: reads the files, parses them, follows `include` and merges.

use super::tree::{Builder, Entries, Files, Key, Node, Position, Value};
use super::{STATE, VERSION, glob, options};
use crate::error::Report;
use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;
use std::path::{Component, Path, PathBuf};
use toml::de::DeTable;

/// Largest file that is read: a policy of ten thousand tables has less than 2 MB.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Most files of one configuration; more means that a pattern matched something else.
const FILES_MAX: usize = 1000;

/// How deep files may include files.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Most parts of a dotted key, and most brackets that are open at once. Trees are built and dropped recursively, so
/// their product bounds the stack; the parser's own bound (80 brackets, any number of parts) does not.
const KEY_PARTS_MAX: usize = 8;
const BRACKETS_MAX: usize = 32;

/// The smallest useful configuration; `plan` then tells which decisions are missing.
const STARTER: &str = "\
version = 1
[source]
url = \"postgres://restage_ro@prod-replica/shop\"
[target]
url = \"postgres://restage@staging/shop\"
confirm = \"shop\"
[key]
file = \"restage.key\"     # made by `restage key new --out restage.key`";

/// Most problems that are shown, so that the first ones are still on the screen.
const REPORTS_MAX: usize = 100;

/// Most syntax errors of one file: later ones mostly follow from the first.
const SYNTAX_ERRORS_MAX: usize = 5;

/// Everything that was read, merged.
pub(super) struct Loaded {
    pub(super) files: Files,
    pub(super) root: Entries,
    /// Problems that do not keep the rest from being checked.
    pub(super) problems: Vec<(Position, Report)>,
}

struct Loader<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    files: Files,
    problems: Vec<(Position, Report)>,
    /// A problem after which checking the rest would only add noise.
    fatal: bool,
    /// The real paths of all files read.
    read: BTreeSet<PathBuf>,
    /// The real paths of the files that are being read, each including the next.
    open: Vec<PathBuf>,
}

/// Reads `path` and what it includes.
///
/// # Errors
/// Every reason why there is no tree that could be checked.
pub(super) fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Vec<Report>> {
    let text = read_file(path).map_err(|report| vec![(*report).state(STATE)])?;
    let mut loader = Loader {
        env,
        files: Files::default(),
        problems: Vec::new(),
        fatal: false,
        read: BTreeSet::new(),
        open: Vec::new(),
    };
    let root = loader.file(path, text);
    if loader.fatal {
        return Err(finish(&loader.files, loader.problems));
    }
    Ok(Loaded { files: loader.files, root, problems: loader.problems })
}

/// Sorts problems by place and fills in what all of them say.
pub(super) fn finish(files: &Files, mut problems: Vec<(Position, Report)>) -> Vec<Report> {
    problems.sort_by_key(|(at, _)| *at);
    let more = problems.len().saturating_sub(REPORTS_MAX);
    problems.truncate(REPORTS_MAX);
    let place = |(at, report): (Position, Report)| report.place(files.place(at).to_string()).state(STATE);
    let mut reports: Vec<Report> = problems.into_iter().map(place).collect();
    if more > 0 {
        let report = Report::new("config::too-many", format!("{more} more problems are not shown"));
        reports.push(report.state(STATE).hint("Solve these first."));
    }
    reports
}

impl Loader<'_> {
    /// Parses the text of a file and merges what it includes. On a syntax error the result is empty.
    fn file(&mut self, path: &Path, text: String) -> Entries {
        let file = self.files.add(path, text);
        let real = real_path(path);
        self.read.insert(real.clone());
        self.open.push(real);
        let mut entries = self.parse(file);
        if !self.fatal {
            self.check_version(&entries);
            let includes = take(&mut entries, "include");
            // The key stays visible to the reader, which checks its type and knows that it exists.
            if let Some((key, node)) = includes {
                self.include(file, &node, &mut entries);
                entries.push((key, node));
            }
        }
        self.open.pop();
        entries
    }

    fn parse(&mut self, file: usize) -> Entries {
        let text = self.files.text(file).to_owned();
        if let Some((offset, what)) = too_deep(&text) {
            let report = Report::new("config::syntax", what);
            let hint = "Close every bracket and quote, and quote names that hold dots: `\"a.b.c\"`.";
            self.fail(Position { file, offset }, report.hint(hint));
            return Entries::new();
        }
        let (table, errors) = DeTable::parse_recoverable(&text);
        let mut lines = BTreeSet::new();
        for error in errors {
            let offset = error.span().map_or(text.len(), |span| span.start);
            let at = Position { file, offset };
            if lines.len() < SYNTAX_ERRORS_MAX && lines.insert(self.files.place(at).line) {
                let report = self.syntax_report(file, offset, error.message());
                self.fail(at, report);
            }
        }
        if self.fatal {
            return Entries::new();
        }
        let mut builder = Builder { file, env: self.env, problems: Vec::new() };
        let entries = builder.table(table.into_inner());
        self.problems.append(&mut builder.problems);
        entries
    }

    /// The parser's messages name what it expected and never repeat the text.
    fn syntax_report(&self, file: usize, offset: usize, message: &str) -> Report {
        if !message.starts_with("duplicate key") {
            let hint = "Strings need quotes, names with dots or spaces too: `[tables.\"public.customers\"]`.";
            return Report::new("config::syntax", "this is not TOML").detail(format!("{message}.")).hint(hint);
        }
        let report = Report::new("config::duplicate", "a key is defined twice");
        let report = match earlier_definition(self.files.text(file), offset) {
            Some(offset) => {
                let first = self.files.place(Position { file, offset });
                report.detail(format!("First defined at {first}."))
            }
            None => report,
        };
        report.hint("Keep one of the two.")
    }

    fn fail(&mut self, at: Position, report: Report) {
        self.fatal = true;
        self.problems.push((at, report));
    }

    /// A file of another version is not checked any further: its keys would only look unknown.
    fn check_version(&mut self, entries: &Entries) {
        let Some((_, node)) = entries.iter().find(|(key, _)| key.name == "version") else {
            return;
        };
        if let Value::Integer(found) = node.value
            && found != VERSION
        {
            let report = Report::new("config::version", format!("this file has version {found}"))
                .detail(format!("This build of restage reads version {VERSION}."))
                .hint(if found > VERSION {
                    "Use a newer restage.".to_owned()
                } else {
                    format!("Write `version = {VERSION}`.")
                });
            self.fail(node.at, report);
        }
    }

    fn include(&mut self, file: usize, node: &Node, entries: &mut Entries) {
        // Of another type: the reader says so.
        let Value::Array(patterns) = &node.value else { return };
        for pattern in patterns {
            let Value::Text(text) = &pattern.value else { continue };
            let Some(resolved) = &text.resolved else { continue };
            let folder = self.files.folder(file).to_owned();
            match expand(&folder, Path::new(resolved)) {
                Ok(paths) if paths.is_empty() => {
                    let report = Report::new("config::include", format!("no file matches {:?}", text.raw));
                    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { &folder };
                    let detail = format!("Looked in the folder of this file, {}.", folder.display());
                    self.fail(pattern.at, report.detail(detail).hint("Create the file or remove the pattern."));
                }
                Ok(paths) => paths.iter().for_each(|path| self.include_file(path, pattern.at, entries)),
                Err(error) => {
                    let report = Report::new("config::include", format!("cannot list the files of {:?}", text.raw));
                    self.fail(pattern.at, report.detail(format!("{error}.")).hint("Check the folder and its rights."));
                }
            }
        }
    }

    fn include_file(&mut self, path: &Path, at: Position, entries: &mut Entries) {
        let real = real_path(path);
        let shown = path.display();
        let hint = "Remove one of the includes.";
        if self.open.contains(&real) {
            let report = Report::new("config::include", format!("{shown} includes itself"));
            let detail = "The file is already open: it, or a file it includes, names it again.";
            return self.fail(at, report.detail(detail).hint("Remove the include, or narrow its pattern."));
        }
        if self.read.contains(&real) {
            // Reached on two ways, which is harmless: it is merged once.
            return;
        }
        if self.open.len() >= INCLUDE_DEPTH_MAX || self.read.len() >= FILES_MAX {
            let report = Report::new("config::include", "too many files are included");
            let detail = format!("At most {FILES_MAX} files, {INCLUDE_DEPTH_MAX} deep.");
            return self.fail(at, report.detail(detail).hint(hint));
        }
        match read_file(path) {
            Ok(text) => {
                let added = self.file(path, text);
                self.merge(entries, added, "");
            }
            Err(report) => {
                let detail = report.detail.map(|detail| format!(" {detail}")).unwrap_or_default();
                let detail = format!("{}.{detail}", first_upper(&report.message));
                let outer = Report::new("config::include", format!("cannot read the included file {shown}"));
                self.fail(at, outer.detail(detail).hint(report.hint.unwrap_or_else(|| hint.to_owned())));
            }
        }
    }

    /// Adds the keys of an included file. Tables that only hold options grow together; everything else is there once.
    fn merge(&mut self, into: &mut Entries, from: Entries, path: &str) {
        let mut known: HashMap<String, usize> =
            into.iter().enumerate().map(|(index, (key, _))| (key.name.clone(), index)).collect();
        for (key, node) in from {
            if path.is_empty() && (key.name == "version" || key.name == "include") {
                continue;
            }
            let Some(&index) = known.get(&key.name) else {
                known.insert(key.name.clone(), into.len());
                into.push((key, node));
                continue;
            };
            let inner = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
            // An entry of `tables` stands in one file, so that nobody has to look for its other half.
            let kind = options::find(&inner).map(|option| option.kind).filter(|_| path != "tables");
            let first = into[index].0.at;
            match (&mut into[index].1.value, node.value, kind) {
                (Value::Table(old), Value::Table(new), Some(options::Kind::Table | options::Kind::Map)) => {
                    self.merge(old, new, &inner);
                }
                (Value::Array(old), Value::Array(new), Some(options::Kind::Tables)) => old.extend(new),
                _ => self.duplicate(&key, first),
            }
        }
    }

    fn duplicate(&mut self, key: &Key, first: Position) {
        let first = self.files.place(first);
        let name = super::read::show_key(&key.name);
        let report = Report::new("config::duplicate", format!("`{name}` is defined in two files"))
            .detail(format!("First defined at {first}."))
            .hint("Keep one of the two.");
        self.problems.push((key.at, report));
    }
}

fn take(entries: &mut Entries, name: &str) -> Option<(Key, Node)> {
    let index = entries.iter().position(|(key, _)| key.name == name)?;
    Some(entries.remove(index))
}

fn real_path(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn first_upper(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// Reads a file as text; pipes are fine.
fn read_file(path: &Path) -> Result<String, Box<Report>> {
    let shown = path.strip_prefix("./").ok().filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path);
    let shown = shown.display().to_string();
    let fail = |error: std::io::Error| {
        Box::new(match error.kind() {
            std::io::ErrorKind::NotFound => Report::new("config::not-found", format!("there is no file {shown}"))
                .hint(format!("Name another with `-c FILE`, or write {shown}:\n{STARTER}")),
            _ => Report::new("config::unreadable", format!("cannot read {shown}"))
                .detail(format!("{error}."))
                .hint(format!("Check its rights: `ls -l {shown}`.")),
        })
    };
    let file = std::fs::File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.is_dir() {
        let hint = format!("Name the file: `{}`.", path.join(super::FILE_NAME).display());
        return Err(Box::new(Report::new("config::unreadable", format!("{shown} is a folder, not a file")).hint(hint)));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    decode(bytes, &shown)
}

/// Checks that bytes are the text of a configuration at all.
pub(super) fn decode(bytes: Vec<u8>, shown: &str) -> Result<String, Box<Report>> {
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let limit = super::units::show_size(FILE_BYTES_MAX);
        return Err(Box::new(
            Report::new("config::too-large", format!("{shown} is larger than {limit}"))
                .hint("This is probably another file; a long policy can be split with `include`."),
        ));
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Err(Box::new(
            Report::new("config::not-utf8", format!("{shown} is written in UTF-16"))
                .hint(format!("Save it as UTF-8: `iconv -f UTF-16 -t UTF-8 {shown}`.")),
        ));
    }
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(Box::new(
            Report::new("config::bom", format!("{shown} starts with a byte order mark"))
                .place(format!("{shown}:1:1"))
                .hint(format!("Remove it: `sed -i '1s/^\\xEF\\xBB\\xBF//' {shown}`.")),
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let before = String::from_utf8_lossy(&error.as_bytes()[..good]).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |line| line.chars().count()) + 1;
        let report = Report::new("config::not-utf8", format!("{shown} is not UTF-8"))
            .place(format!("{shown}:{line}:{column}"))
            .hint(format!("Save it as UTF-8: `iconv -f LATIN1 -t UTF-8 {shown}`."));
        Box::new(report)
    })?;
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Err(Box::new(
            Report::new("config::empty", format!("{shown} is empty")).hint(format!("Start with:\n{STARTER}")),
        ));
    }
    Ok(text)
}

/// Finds the files of an include pattern, sorted. A path without wildcards is itself, if it exists.
pub(super) fn expand(folder: &Path, pattern: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = vec![if pattern.is_absolute() { PathBuf::new() } else { folder.to_owned() }];
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        if !matches!(part, Component::Normal(_)) || !glob::is_glob(&name) {
            for path in &mut found {
                // A folder written as `.` would show in every place.
                if part != Component::CurDir {
                    path.push(part);
                }
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in found.iter().filter(|path| path.as_os_str().is_empty() || path.is_dir()) {
            next.extend(list(folder, &name)?);
        }
        found = next;
    }
    found.retain(|path| path.exists() && !path.is_dir());
    found.sort();
    found.dedup();
    Ok(found)
}

/// Lists what matches in one folder. Hidden files are only found by patterns that start with a dot.
fn list(folder: &Path, pattern: &str) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let real = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in std::fs::read_dir(real)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        if glob::matches(pattern, &text) && (pattern.starts_with('.') || !text.starts_with('.')) {
            found.push(folder.join(&name));
        }
    }
    Ok(found)
}

/// Finds the line above `offset` that defines the same key or table, for a duplicate.
fn earlier_definition(text: &str, offset: usize) -> Option<usize> {
    let start = text.get(..offset)?.rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next()?.trim();
    let header = line.starts_with('[');
    let key = |line: &str| {
        let end = if header { line.find(']') } else { line.find('=') };
        end.map(|end| line[..end].split_whitespace().collect::<String>())
    };
    let wanted = key(line)?;
    let mut at = start;
    for earlier in text[..start].split_inclusive('\n').rev() {
        at -= earlier.len();
        let trimmed = earlier.trim();
        if trimmed.starts_with('[') == header && key(trimmed).as_ref() == Some(&wanted) {
            return Some(at + (earlier.len() - earlier.trim_start().len()));
        }
        if !header && trimmed.starts_with('[') {
            return None;
        }
    }
    None
}

/// Finds a dotted key with too many parts, or a bracket with too many open before it.
///
/// Strings and comments are skipped, so that dots and brackets in them do not count.
fn too_deep(text: &str) -> Option<(usize, String)> {
    let bytes = text.as_bytes();
    let (mut parts, mut open) = (1, 0_usize);
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'#' => {
                at += bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len() - at);
                continue;
            }
            quote @ (b'"' | b'\'') => {
                at = skip_string(bytes, at, quote);
                continue;
            }
            b'.' => parts += 1,
            b'[' | b'{' => (parts, open) = (1, open + 1),
            b']' | b'}' => open = open.saturating_sub(1),
            b'=' | b'\n' | b',' => parts = 1,
            _ => {}
        }
        if parts > KEY_PARTS_MAX {
            return Some((at, format!("a key has more than {KEY_PARTS_MAX} parts")));
        }
        if open > BRACKETS_MAX {
            return Some((at, format!("more than {BRACKETS_MAX} brackets are open")));
        }
        at += 1;
    }
    None
}

/// The byte after the string that starts at `at`; an unfinished one ends with its line.
fn skip_string(bytes: &[u8], at: usize, quote: u8) -> usize {
    let long = [quote; 3];
    let multiline = bytes[at..].starts_with(&long);
    let mut at = at + if multiline { 3 } else { 1 };
    while at < bytes.len() {
        if bytes[at] == b'\\' && quote == b'"' {
            at += 2;
        } else if multiline && bytes[at..].starts_with(&long) {
            at += 3;
            // Up to two more quotes may belong to the text before the end.
            return at + bytes[at..].iter().take(2).take_while(|byte| **byte == quote).count();
        } else if !multiline && bytes[at] == quote {
            return at + 1;
        } else if !multiline && bytes[at] == b'\n' {
            return at;
        } else {
            at += 1;
        }
    }
    bytes.len()
}
