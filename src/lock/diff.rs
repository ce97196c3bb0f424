//! What a plan does differently from the lock, in the words of the person who has to decide whether that is right.

use super::{Column, Lock, Table, numbers};
use crate::config::{MaskRule, NewPartitions, TableRule, Terms};
use crate::error::Report;
use crate::plan;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The code of the refusal, which `plan --write-lock` answers.
pub const REFUSAL: &str = "plan::lock";
/// What a lock that is written anew lets through.
const LABELS: &str =
    "A label that is accepted comes with its type, and with the rows that have it where their column is kept.";
pub(super) const TEXTS: &str = "A definition that is accepted comes as it is, with whatever it says.";
/// Differences an error lists; `restage plan --diff` lists all.
const SHOWN_MAX: usize = 12;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    Added,
    Removed,
    Changed,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub change: Sign,
    /// `column public.customers.nickname`, `key`.
    pub what: String,
    /// How it is now, or what it was and what it is.
    pub detail: String,
    /// A refresh stops because of it.
    pub refuses: bool,
    /// No refresh stops because of it, and every one says it.
    #[serde(skip)]
    pub warns: bool,
    /// Tables and lines that decide it otherwise, ready to paste.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<(String, String)>,
    /// The statement that undoes it, for a definition, which no line decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// What becomes of it once it is accepted, where that is not plain.
    #[serde(skip)]
    pub accepted: Option<&'static str>,
}

impl Change {
    /// `+ column public.customers.nickname: text, keep`.
    pub fn line(&self) -> String {
        let sign = match self.change {
            Sign::Added => '+',
            Sign::Removed => '-',
            Sign::Changed => '~',
        };
        format!("{sign} {}: {}", self.what, self.detail)
    }
}

/// Everything that is different, what matters most first: the key, the core, then tables and their columns by name.
pub fn diff(old: &Lock, new: &Lock, partitions: NewPartitions) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    if old.policy != old.content_hash() {
        let detail = "it was edited by hand or merged; only `restage plan --write-lock` writes it";
        changes.push(Sign::Changed, "the lock file", detail);
    }
    let same = "; a refresh rebuilds all of staging, so it stays whole, but no pseudonym is what it was";
    changes.compare("key", &old.key_id, &new.key_id, same);
    changes.compare("realm", &old.realm, &new.realm, same);
    changes.compare("masking core", &old.mask_spec.to_string(), &new.mask_spec.to_string(), "");
    changes.compare("Unicode tables", &old.unicode, &new.unicode, "");
    for (name, hash) in &old.dictionaries {
        match new.dictionaries.get(name) {
            // A list that is new was in no mask.
            Some(now) if now == hash => {}
            Some(_) => changes.push(Sign::Changed, format!("word list {name}"), "its words are others"),
            None => changes.push(Sign::Removed, format!("word list {name}"), "this build has it no more"),
        }
    }
    // With another key the hashes of texts differ although nothing else does.
    let comparable = old.key_id == new.key_id && old.realm == new.realm && new.key_id != "ephemeral";
    changes.enums(old, new, comparable);
    changes.types(old, new);
    changes.texts(old, new, comparable);
    changes.expressions(old, new, comparable);
    changes.literals(old, new, comparable);
    changes.switches(old, new);
    changes.definitions(old, new, comparable);
    let numbered = numbers::same_database(old, new);
    let remade = if numbered { numbers::remade(old, new) } else { BTreeSet::new() };
    for (name, table) in both(&old.tables, &new.tables) {
        match table {
            (Some(before), Some(after)) => {
                changes.table(name, before, after, partitions);
                if remade.contains(name) {
                    changes.made_anew(name, before, after);
                }
                let same = numbered && numbers::same_table(old, new, name);
                changes.columns(name, before, after, (same, comparable));
                match same {
                    true => changes.numbers(name, before, after),
                    false => changes.places(name, before, after),
                }
                changes.attributes(name, (old, before), (new, after));
            }
            (None, Some(new)) => changes.new_table(name, new),
            (Some(_), None) => changes.push(Sign::Removed, format!("table {name}"), "the source has it no more"),
            (None, None) => {}
        }
    }
    if numbered {
        changes.exchanged(old, new);
    }
    changes.0
}

/// What a refresh says and does not stop for.
pub fn warnings(changes: &[Change]) -> impl Iterator<Item = String> {
    changes.iter().filter(|change| change.warns).map(|change| format!("{} {}", change.what, change.detail))
}

/// The refusal of a refresh whose plan differs, with the lines to add to `rules`; none if nothing of it stops a run.
pub fn refusal(changes: &[Change], lock: &Path, rules: &[TableRule]) -> Option<Report> {
    let stops: Vec<&Change> = changes.iter().filter(|change| change.refuses).collect();
    let places = match stops.len() {
        0 => return None,
        1 => "in 1 place".to_owned(),
        more => format!("in {more} places"),
    };
    let file = lock.file_name().map_or_else(|| lock.display().to_string(), |name| name.to_string_lossy().into_owned());
    let mut lines: Vec<String> = stops.iter().take(SHOWN_MAX).map(|change| change.line()).collect();
    if stops.len() > SHOWN_MAX {
        lines.push(format!("and {} more: restage plan --diff", stops.len() - SHOWN_MAX));
    }
    let mut hint = format!("If this is right, accept it, and commit {file}:\nrestage plan --write-lock");
    let about = |what: &str| stops.iter().any(|change| change.accepted == Some(what));
    for what in [LABELS, TEXTS].into_iter().filter(|what| about(what)) {
        hint.push_str(&format!("\n{what}"));
    }
    let mut patches: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (table, line) in stops.iter().flat_map(|change| &change.patches) {
        let mut line = line.clone();
        // One column may be told for two reasons.
        let key = line.split_inclusive(" = ").next().unwrap_or_default().to_owned();
        if patches.get(table.as_str()).is_some_and(|lines| lines.iter().any(|there| there.starts_with(&key))) {
            continue;
        }
        // A key that stands there twice would be no TOML.
        if lists(rules, table, &line) {
            line.push_str("     # in place of the line there");
        }
        patches.entry(table).or_default().push(line);
    }
    if !patches.is_empty() {
        hint.push_str("\nElse decide what is new first, and then: restage plan --write-lock");
    }
    for (table, lines) in patches {
        hint.push_str(&format!("\n{}\n{}", plan::under(rules, table), lines.join("\n")));
    }
    if about(TEXTS) {
        hint.push_str("\nElse change the definitions on the source: no line of the configuration hides what they say.");
    }
    for statement in stops.iter().filter_map(|change| change.statement.as_ref()).take(SHOWN_MAX) {
        hint.push_str(&format!("\n{statement}"));
    }
    let report = Report::new(REFUSAL, format!("the plan differs from {file} {places}"));
    Some(report.place(lock.display().to_string()).detail(lines.join("\n")).hint(hint))
}

/// Whether a table's own rule decides the column of a line already.
fn lists(rules: &[TableRule], table: &str, line: &str) -> bool {
    let mut own = rules.iter().filter(|rule| rule.pattern == table).flat_map(|rule| &rule.columns);
    own.any(|(column, _)| line.starts_with(&format!("{} = ", crate::plan::toml_key(column))))
}

/// Every name of two maps, with what each map has under it.
pub(super) fn both<'a, T>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> impl Iterator<Item = (&'a String, (Option<&'a T>, Option<&'a T>))> {
    let mut names: Vec<&String> = old.keys().chain(new.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names.into_iter().map(|name| (name, (old.get(name), new.get(name))))
}

pub(super) struct Changes(pub(super) Vec<Change>);

impl Changes {
    pub(super) fn push(&mut self, change: Sign, what: impl Into<String>, detail: impl Into<String>) {
        let (what, detail) = (what.into(), detail.into());
        let (patches, statement, accepted) = (Vec::new(), None, None);
        self.0.push(Change { change, what, detail, refuses: true, warns: false, patches, statement, accepted });
    }

    /// Adds to the last change a line that decides it otherwise.
    pub(super) fn patch(&mut self, table: &str, line: Option<String>) {
        if let Some(last) = self.0.last_mut() {
            last.patches.extend(line.map(|line| (table.to_owned(), line)));
        }
    }

    /// Adds to the last change, of labels or of definitions, what can be done about it.
    pub(super) fn told_of(
        &mut self,
        patches: Vec<(String, String)>,
        accepted: &'static str,
        statement: Option<String>,
    ) {
        if let Some(last) = self.0.last_mut() {
            last.patches.extend(patches);
            (last.accepted, last.statement) = (Some(accepted), statement);
        }
    }

    fn compare(&mut self, what: &str, old: &str, new: &str, so: &str) {
        if old != new {
            self.push(Sign::Changed, what, format!("{old} → {new}{so}"));
        }
    }

    fn enums(&mut self, old: &Lock, new: &Lock, comparable: bool) {
        for (name, labels) in both(&old.enums, &new.enums) {
            // A type that is new, or gone, came or went with its columns.
            let (Some(before), Some(after)) = labels else { continue };
            let known =
                |labels: &[String], label: &String| labels.contains(label) || (!comparable && label.starts_with('#'));
            for label in after.iter().filter(|label| !known(before, label)) {
                let detail = "a new label of columns that are masked, or were kept for the labels there were";
                self.push(Sign::Added, format!("label {label:?} of {name}"), detail);
                self.told_of(new.hiding_lines(name), LABELS, None);
            }
            for label in before.iter().filter(|label| !known(after, label)) {
                self.push(Sign::Removed, format!("label {label:?} of {name}"), "masks draw from other labels now");
            }
        }
    }

    fn types(&mut self, old: &Lock, new: &Lock) {
        let names: BTreeSet<&String> = new.types.keys().chain(new.composites.keys()).chain(new.enums.keys()).collect();
        for name in names {
            let (Some(before), Some(after)) = (old.made_of(name), new.made_of(name)) else { continue };
            if before != after {
                let detail = format!("{before} → {after}; columns of it were reviewed for what it was");
                self.push(Sign::Changed, format!("type {name}"), detail);
            }
        }
    }

    /// A label accepts what was seen under it.
    fn definitions(&mut self, old: &Lock, new: &Lock, comparable: bool) {
        let (Some(before), Some(after)) = (&old.definitions, &new.definitions) else { return };
        for (label, now) in after {
            match before.get(label) {
                None => {
                    let detail = "it looks personal and is accepted by its label; nobody has reviewed it since";
                    self.push(Sign::Added, format!("definition {label}"), detail);
                    self.told_of(Vec::new(), TEXTS, None);
                }
                Some(was) if comparable && was != now => {
                    let detail = "it looks personal and is another text than the one that was accepted";
                    self.push(Sign::Changed, format!("definition {label}"), detail);
                    self.told_of(Vec::new(), TEXTS, None);
                }
                Some(_) => {}
            }
        }
    }

    /// What changed in the composite types that columns hold: the names of their types stay what they are.
    fn attributes(&mut self, table: &str, (old_lock, old): (&Lock, &Table), (new_lock, new): (&Lock, &Table)) {
        for (name, column) in new.columns.iter().filter(|(name, _)| old.columns.contains_key(*name)) {
            let (mut told, mut ways) = (Vec::new(), Vec::new());
            for part in &column.parts {
                let types = (old_lock.composites.get(&part.type_name), new_lock.composites.get(&part.type_name));
                let (Some(before), Some(after)) = types else { continue };
                for (attribute, found) in both(before, after) {
                    let said = match found {
                        (None, Some(now)) => format!("{attribute} {now} is new"),
                        (Some(was), Some(now)) if was != now => format!("{attribute} {was} → {now}"),
                        (Some(_), None) => format!("{attribute} is gone"),
                        _ => continue,
                    };
                    told.push(format!("{said} in {}", part.type_name));
                    ways.extend(found.1.map(|_| part.to(attribute)));
                }
                let moved = numbers::moved(old_lock, new_lock, &part.type_name);
                if !moved.is_empty() {
                    let (names, of) = (moved.join(", "), &part.type_name);
                    told.push(match moved.len() {
                        1 => format!("{names} was dropped and made anew in {of}"),
                        _ => format!("{names} changed places in {of}: are their names exchanged?"),
                    });
                    ways.extend(moved.iter().map(|attribute| part.to(attribute)));
                }
            }
            if told.is_empty() {
                continue;
            }
            let detail = format!("{}, by {}; attribute {}", words(column), column.because, told.join(", "));
            self.push(Sign::Changed, format!("column {table}.{name}"), detail);
            let line = |decision| format!("{} = {decision}", plan::toml_key(name));
            self.patch(table, super::types::hiding(column, &ways).map(line));
        }
    }

    fn new_table(&mut self, name: &str, table: &Table) {
        let columns: Vec<&Column> = table.columns.values().collect();
        let all = |decision: &str| columns.iter().filter(|column| column.decision == decision).count();
        let undecided = columns.iter().filter(|column| column.undecided).count();
        let detail = match table.rows.as_str() {
            "skipped" => format!("not copied: {}", table.skipped.as_deref().unwrap_or_default()),
            "none" => "a new table; only its structure is copied".to_owned(),
            _ => format!(
                "a new table with {} column(s): {} kept, {} null or constant, {} masked",
                columns.len(),
                all("keep"),
                all("null") + all("const"),
                columns.len() - all("keep") - all("null") - all("const")
            ),
        };
        self.push(Sign::Added, format!("table {name}"), detail);
        // Nothing of a table that is not copied reaches staging, nor anything of columns that are all NULL, but defaults do.
        let speaks = columns.iter().any(|column| column.default_speaks);
        let harmless = !speaks && (table.rows == "none" || undecided == columns.len()) || table.rows == "skipped";
        if let Some(last) = self.0.last_mut() {
            last.refuses = !harmless;
        }
        let told = |column: &Column| column.decision == "keep" || column.default_speaks;
        for (column, new) in table.columns.iter().filter(|(_, column)| told(column)) {
            self.new_column(name, column, new);
        }
    }

    fn new_column(&mut self, table: &str, name: &str, column: &Column) {
        let mut detail = format!("{}, {}, by {}", column.type_name, words(column), column.because);
        if column.default_speaks {
            detail.push_str(
                ", with a default that holds text: a definition is copied as it is, so look whether it names a person",
            );
        }
        self.push(Sign::Added, format!("column {table}.{name}"), detail);
        if let Some(last) = self.0.last_mut() {
            // A column that is NULL everywhere has its default all the same.
            last.refuses = !column.undecided || column.default_speaks;
        }
        let line = |decision: &String| format!("{} = {decision}", plan::toml_key(name));
        self.patch(table, column.proposal.as_ref().map(line));
        if column.default_speaks {
            let statement = plan::without_text(table, false, &format!("default of {name}"));
            self.told_of(Vec::new(), TEXTS, statement);
        }
    }

    fn table(&mut self, name: &str, old: &Table, new: &Table, partitions: NewPartitions) {
        if old.rows != new.rows {
            self.push(Sign::Changed, format!("rows of {name}"), format!("{} → {}", old.rows, new.rows));
        }
        if old.joins != new.joins {
            self.push(Sign::Changed, format!("subjects of {name}"), "they are found by other joins");
        }
        for partition in new.partitions.difference(&old.partitions) {
            self.push(
                Sign::Added,
                format!("partition {partition}"),
                format!("its columns are decided as those of {name}"),
            );
            if let Some(last) = self.0.last_mut() {
                last.refuses = partitions == NewPartitions::Refuse;
            }
        }
        for partition in old.partitions.difference(&new.partitions) {
            self.push(Sign::Removed, format!("partition {partition}"), format!("no part of {name} any more"));
            if let Some(last) = self.0.last_mut() {
                last.refuses = partitions == NewPartitions::Refuse;
            }
        }
    }

    /// Columns by their names; by their numbers, too, where these are the `same`.
    fn columns(&mut self, table: &str, old: &Table, new: &Table, (same, comparable): (bool, bool)) {
        let renamed = if same { numbers::renamed(old, new) } else { BTreeMap::new() };
        for (name, found) in both(&old.columns, &new.columns) {
            match found {
                (Some(old), Some(new)) => self.column((table, name.as_str()), old, new, comparable),
                (None, Some(_)) if renamed.values().any(|heir| *heir == name) => {}
                (None, Some(new)) => self.new_column(table, name, new),
                (Some(gone), None) => match renamed.get(name).and_then(|heir| new.columns.get_key_value(*heir)) {
                    Some(heir) => self.renamed((table, name.as_str()), gone, heir, comparable),
                    None => self.gone(table, name, gone, new),
                },
                (None, None) => {}
            }
        }
    }

    /// A column under a new name, which nobody decided before: what was decided for the old one is offered for it.
    fn renamed(&mut self, (table, was): (&str, &str), old: &Column, (name, new): (&String, &Column), comparable: bool) {
        let decided = match (words(old), words(new)) {
            (was, is) if was == is => is,
            (was, is) => format!("{was} → {is}"),
        };
        let detail = format!("is now called {name}; {decided}, by {}", new.because);
        self.push(Sign::Changed, format!("column {table}.{was}"), detail);
        let line = match (old.decision.as_str(), new.decision.as_str()) {
            ("keep", "keep") => new.written.as_ref().map(|decision| format!("{} = {decision}", plan::toml_key(name))),
            ("keep", _) => None,
            _ if words(old) == words(new) && old.params == new.params => None,
            _ => Some(as_of(name, old)),
        };
        self.patch(table, line);
        let decided = Column {
            decision: old.decision.clone(),
            label: old.label.clone(),
            subject: old.subject.clone(),
            when: old.when.clone(),
            params: old.params.clone(),
            tier: old.tier,
            ..new.clone()
        };
        // What else is different is told, its decision is already.
        self.column((table, name), old, &decided, comparable);
    }

    /// A column that is not there any more may be there under the name of another.
    fn gone(&mut self, table: &str, name: &str, gone: &Column, new: &Table) {
        let here = new.columns.iter().find(|(_, column)| gone.at.is_some() && column.at == gone.at);
        let detail = match here {
            Some((heir, column)) => {
                format!("not copied any more; in its place stands {heir}, {}: was it renamed?", words(column))
            }
            None => "not copied any more".to_owned(),
        };
        self.push(Sign::Removed, format!("column {table}.{name}"), detail);
        if let Some((heir, column)) = here {
            let shows = column.decision == "keep" && gone.decision != "keep" && column.type_name == gone.type_name;
            self.patch(table, shows.then(|| as_of(heir, gone)));
        }
    }

    /// Columns of one type that changed places, one of which is kept: the names say what was decided, but the values of the
    /// one may stand under the name of the other. A copy of the database numbers its columns anew, and keeps their order.
    fn places(&mut self, table: &str, old: &Table, new: &Table) {
        let known = Placed::of(old, new);
        for kept in known.iter().filter(|placed| placed.column.decision == "keep" && placed.was != placed.is) {
            let masked = known.iter().filter(|other| {
                let hides = other.column.decision != "keep" && other.column.type_name == kept.column.type_name;
                hides && other.was != other.is && (other.was < kept.was) != (other.is < kept.is)
            });
            // Of several that moved, the one whose place it has.
            let Some(other) = masked.min_by_key(|other| (other.was != kept.is, other.stayed, other.name)) else {
                continue;
            };
            // It has the place of a column that is gone, which is told of that one.
            let gone =
                |(name, column): (&String, &Column)| column.at == kept.column.at && !new.columns.contains_key(name);
            if other.stayed && old.columns.iter().any(gone) {
                continue;
            }
            let (name, words) = (other.name, words(other.column));
            let detail = format!("changed places with {name}, {words}: are their names exchanged?");
            self.push(Sign::Changed, format!("column {table}.{}", kept.name), detail);
            self.patch(table, Some(as_of(kept.name, other.column)));
        }
    }

    fn column(&mut self, (table, name): (&str, &str), old: &Column, new: &Column, comparable: bool) {
        let what = || format!("column {table}.{name}");
        if old.type_name != new.type_name {
            self.push(Sign::Changed, what(), format!("type {} → {}", old.type_name, new.type_name));
            // What was kept for its numbers may hold words now; a decision of another day is told as such.
            // A reason was written for the old type, so a line hides what the new one holds.
            let decision = new.proposal.as_ref().or(new.hiding.as_ref());
            let kept = decision.filter(|_| old.decision == "keep" && new.decision == "keep");
            self.patch(table, kept.map(|decision| format!("{} = {decision}", plan::toml_key(name))));
        }
        if words(old) != words(new) {
            self.push(Sign::Changed, what(), format!("{} → {}, by {}", words(old), words(new), new.because));
        } else if old.params != new.params {
            self.push(Sign::Changed, what(), format!("other parameters of {}, by {}", new.decision, new.because));
        }
        if old.tier != new.tier && old.decision == new.decision {
            let form = |tier: Option<u8>| tier.unwrap_or(0);
            let detail = format!(
                "form {} → {} of {}: its narrowest column decides",
                form(old.tier),
                form(new.tier),
                new.decision
            );
            self.push(Sign::Changed, what(), detail);
        }
        if old.default.is_some() != new.default.is_some() || (comparable && old.default != new.default) {
            let detail = if new.default.is_some() {
                "another default that holds text: a definition is copied as it is, so look whether it names a person"
            } else {
                "no default that holds text any more"
            };
            self.push(Sign::Changed, what(), detail);
            if new.default.is_some() {
                // New rows hold it, too.
                let kept = Some(new).filter(|column| column.decision == "keep");
                let line = kept.and_then(|column| hidden(name, column)).map(|line| (table.to_owned(), line));
                let statement = plan::without_text(table, false, &format!("default of {name}"));
                self.told_of(line.into_iter().collect(), TEXTS, statement);
            }
        }
    }
}

/// A column that both locks know, and its places among these: a copy of the database numbers columns anew.
struct Placed<'a> {
    name: &'a String,
    column: &'a Column,
    was: usize,
    is: usize,
    /// Its number is what it was.
    stayed: bool,
}

impl<'a> Placed<'a> {
    fn of(old: &Table, new: &'a Table) -> Vec<Self> {
        let known = new.columns.iter();
        let known: Vec<(&String, &Column, i16, i16)> =
            known.filter_map(|(name, column)| Some((name, column, old.columns.get(name)?.at?, column.at?))).collect();
        let rank =
            |at: i16, of: fn(&(&String, &Column, i16, i16)) -> i16| known.iter().filter(|one| of(one) < at).count();
        let placed = |&(name, column, was, is): &(&'a String, &'a Column, i16, i16)| Self {
            name,
            column,
            was: rank(was, |one| one.2),
            is: rank(is, |one| one.3),
            stayed: was == is,
        };
        known.iter().map(placed).collect()
    }
}

/// The line that hides a column that is kept; none where nobody but a person can say.
pub(super) fn hidden(name: &str, column: &Column) -> Option<String> {
    column.hiding.as_ref().map(|decision| format!("{} = {decision}", plan::toml_key(name)))
}

/// Decides a column as another whose values it may hold now; parameters are not in the lock.
pub(super) fn as_of(name: &str, other: &Column) -> String {
    let decision = match other.decision.split('/').next() {
        None | Some("null" | "const") => "\"null\"".to_owned(),
        Some(kind) => {
            let (label, subject) = (other.label.clone(), other.subject.clone());
            let rule = MaskRule { kind: kind.to_owned(), label, subject, when: None, params: serde_json::Map::new() };
            plan::mask_line(&rule, &Terms::default())
        }
    };
    format!("{} = {decision}", plan::toml_key(name))
}

/// `email/1 label crm by id`.
pub(super) fn words(column: &Column) -> String {
    let mut text = column.decision.clone();
    for (word, value) in [("label", &column.label), ("by", &column.subject), ("for some rows, else", &column.when)] {
        if let Some(value) = value {
            text.push_str(&format!(" {word} {value}"));
        }
    }
    text
}
