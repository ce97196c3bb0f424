//! Options that are read and checked, but that this build does not act on. Nothing of them is ignored in silence.

use super::Place;
use super::tree::{Entries, Files, Node, Position, Value};
use crate::error::Report;

/// An option that stands in the configuration and is not done by this build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// As it is shown: `[subset]`, `clones` in `[publish]`.
    pub option: &'static str,
    pub place: Place,
    /// What is true instead.
    consequence: &'static str,
    /// Without it the run would do something other than what was asked for, so it must not begin.
    refusal: Option<&'static str>,
}

/// Path, its name for people, what is true instead, and the hint if it refuses the run.
type Entry = (&'static [&'static str], &'static str, &'static str, Option<&'static str>);

#[rustfmt::skip]
const PENDING: &[Entry] = &[
    (&["publish", "clones"], "`clones` in [publish]", "no copies would be made", Some("Remove the line, and copy the database in a hook `at = \"after-publish\"`.")),
    (&["schedule"], "[schedule]", "nothing starts a refresh by itself: use cron or a systemd timer with `restage refresh --cron`", None),
    (&["notify"], "[[notify]]", "nobody is told how a run ended: use the exit code", None),
];

impl Pending {
    /// Whether a run must not begin.
    pub fn refuses(&self) -> bool {
        self.refusal.is_some()
    }

    /// Tells a run that cannot begin.
    pub fn report(&self) -> Report {
        let report = Report::new("plan::not-in-this-build", format!("this build does not do {}", self.option))
            .place(self.place.to_string())
            .detail(format!("It would be ignored: {}.", self.consequence));
        match self.refusal {
            Some(hint) => report.hint(hint),
            None => report,
        }
    }

    /// Tells what has no effect.
    pub fn warning(&self) -> String {
        format!("{}: this build does not do {}: {}", self.place, self.option, self.consequence)
    }
}

/// Finds what is written and not done, in the order of the list.
pub(super) fn find(files: &Files, root: &Entries) -> Vec<Pending> {
    let found = |(path, option, consequence, refusal): &Entry| {
        let at = written(root, path)?;
        Some(Pending { option, place: files.place(at), consequence, refusal: *refusal })
    };
    PENDING.iter().filter_map(found).collect()
}

/// Where an option stands; none if it is missing or says that nothing is wanted.
fn written(entries: &Entries, path: &[&str]) -> Option<Position> {
    let (first, rest) = path.split_first()?;
    let (key, node) = entries.iter().find(|(key, _)| key.name == *first)?;
    match (&node.value, rest) {
        (Value::Table(inner), [_, ..]) => written(inner, rest),
        (_, [_, ..]) => None,
        (_, []) => wanted(node).then_some(key.at),
    }
}

fn wanted(node: &Node) -> bool {
    match &node.value {
        Value::Boolean(value) => *value,
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}
