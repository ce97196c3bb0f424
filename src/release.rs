//! Names and marks of the databases restage makes. Pure.
//!
//! | name | what |
//! |---|---|
//! | `shop` | the live database: applications connect to it; only ever renamed |
//! | `shop__<run>` | loaded aside by a run, not published |
//! | `shop__prev_<release>` | an earlier release, kept for rollback, closed for connections |
//!
//! Every database of ours carries a comment: a line for people, then the mark as JSON. A database without a mark is
//! never created over, dropped or truncated.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest database name PostgreSQL keeps; it cuts longer ones without an error.
pub const NAME_MAX: usize = 63;

/// The line for people in the comment of a database that was marked and never refreshed.
pub const MARKED: &str = "refresh target of restage";

/// Identifies a run and the release it makes: UTC start time and four random hex digits, `20261120t023015_3fa2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunId(String);

impl RunId {
    /// Makes an id from the clock and randomness that the caller passes in.
    pub fn new(now: jiff::Timestamp, random: u16) -> Self {
        Self(format!("{}_{random:04x}", now.strftime("%Y%m%dt%H%M%S")))
    }

    /// Reads an id; none if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (time, random) = text.split_once('_')?;
        let well_formed = time.len() == 15
            && time.bytes().enumerate().all(|(i, b)| if i == 8 { b == b't' } else { b.is_ascii_digit() })
            && random.len() == 4
            && random.bytes().all(|b| b.is_ascii_hexdigit());
        well_formed.then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of a second, short-lived database of the same run: its last digit is another one.
    pub fn twin(&self) -> Self {
        let (head, last) = self.0.split_at(self.0.len() - 1);
        let last = last.chars().next().and_then(|c| c.to_digit(16)).unwrap_or(0);
        Self(format!("{head}{:x}", last ^ 1))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The database a run loads into.
pub fn staging_name(live: &str, run: &RunId) -> String {
    format!("{live}__{run}")
}

/// The database an earlier release is kept in.
pub fn previous_name(live: &str, release: &RunId) -> String {
    format!("{live}__prev_{release}")
}

/// Longest name of a live database whose generated names all fit.
pub const LIVE_NAME_MAX: usize = NAME_MAX - "__prev_20261120t023015_3fa2".len();

/// What a database of `live` is, told by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Live,
    Aside(RunId),
    Previous(RunId),
}

/// Tells what `name` is to `live`; none if it is not one of its databases.
pub fn state_of(live: &str, name: &str) -> Option<State> {
    if name == live {
        return Some(State::Live);
    }
    let rest = name.strip_prefix(live)?.strip_prefix("__")?;
    match rest.strip_prefix("prev_") {
        Some(release) => RunId::parse(release).map(State::Previous),
        None => RunId::parse(rest).map(State::Aside),
    }
}

/// The mark in the comment of a database (POSTGRES section 11, item 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Always `restage`.
    pub tool: String,
    /// Always `target`.
    pub role: String,
    pub realm: String,
    /// Of the server the mark was written on; a mark that traveled with a copy of the server's files still matches, one
    /// that came with a dump does not.
    pub system_identifier: String,
    pub marked_by: String,
    /// UTC, ISO 8601.
    pub at: String,
    /// The run that made the content; none for a database that was there before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub release: Option<RunId>,
    /// Key id the content was masked with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key_id: Option<String>,
    /// Snapshot time of the content.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub as_of: Option<String>,
    /// When it left service for another release, UTC, ISO 8601; none while it serves.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub left: Option<String>,
    /// Made empty by `init-target`: nothing to keep for a rollback.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub empty: bool,
}

impl Mark {
    /// The comment text: a line for people, then the mark.
    pub fn comment(&self, people: &str) -> String {
        let json = serde_json::to_string(self).expect("a mark is plain text fields");
        format!("{}\n{json}", people.trim_end())
    }

    /// Finds the mark in a comment.
    pub fn read(comment: &str) -> Option<Self> {
        let json = comment.lines().rev().find(|line| line.starts_with('{'))?;
        let mark: Self = serde_json::from_str(json).ok()?;
        (mark.tool == "restage" && mark.role == "target").then_some(mark)
    }

    /// The lines for people: the comment without the mark.
    pub fn people(comment: &str) -> String {
        let kept: Vec<&str> =
            comment.lines().filter(|line| !(line.starts_with('{') && Self::read(line).is_some())).collect();
        kept.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunId {
        RunId::new("2026-11-20T02:30:15Z".parse().expect("a valid time"), 0x3fa2)
    }

    #[test]
    fn names_tell_the_state() {
        let run = run();
        assert_eq!(run.as_str(), "20261120t023015_3fa2");
        assert_eq!(state_of("shop", "shop"), Some(State::Live));
        assert_eq!(state_of("shop", &staging_name("shop", &run)), Some(State::Aside(run.clone())));
        assert_eq!(state_of("shop", &previous_name("shop", &run)), Some(State::Previous(run)));
        assert_eq!(state_of("shop", "shop__archive"), None);
        assert_eq!(state_of("shop", "shop2"), None);
    }

    #[test]
    fn twin_is_another_id() {
        let twin = run().twin();
        assert_eq!(twin.as_str(), "20261120t023015_3fa3");
        assert_eq!((RunId::parse(twin.as_str()), twin.twin()), (Some(twin.clone()), run()));
    }

    #[test]
    fn longest_live_name_fits() {
        let live = "x".repeat(LIVE_NAME_MAX);
        assert_eq!(previous_name(&live, &run()).len(), NAME_MAX);
    }

    #[test]
    fn mark_survives_a_comment_of_people() {
        let mark = Mark {
            tool: "restage".into(),
            role: "target".into(),
            realm: "staging".into(),
            system_identifier: "7".into(),
            marked_by: "dba".into(),
            at: "2026-11-20T02:30:15Z".into(),
            release: Some(run()),
            key_id: None,
            as_of: None,
            left: None,
            empty: false,
        };
        let comment = mark.comment("staging of the shop");
        assert_eq!(Mark::read(&comment), Some(mark));
        assert_eq!(Mark::people(&comment), "staging of the shop");
        assert_eq!(Mark::read("{\"tool\":\"other\"}"), None);
    }
}
