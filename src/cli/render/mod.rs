//! Outcomes and errors as text for people. Pure: values in, text out.

mod catalogue;
mod discover;
mod doctor;
mod files;
mod plan;
mod run;
mod subset;
mod table;

use super::Outcome;
use crate::error::Report;
pub(super) use crate::outcome::units;
use clap::builder::styling::{AnsiColor, Effects, Style};
use std::fmt::Write as _;

/// What the reader's screen can do and wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Look {
    pub color: bool,
    /// Columns of the terminal; none for pipes and files, where nothing is wrapped.
    pub width: Option<u16>,
    /// Number of `-v`.
    pub verbose: u8,
}

impl Look {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.color && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    pub fn strong(&self, text: &str) -> String {
        self.paint(Style::new().effects(Effects::BOLD), text)
    }

    pub fn dim(&self, text: &str) -> String {
        self.paint(Style::new().effects(Effects::DIMMED), text)
    }

    pub fn good(&self, text: &str) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    pub fn warn(&self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().effects(Effects::BOLD), text)
    }

    pub fn bad(&self, text: &str) -> String {
        self.paint(AnsiColor::Red.on_default().effects(Effects::BOLD), text)
    }

    pub fn name(&self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    /// ✓ or ✗.
    fn tick(&self, ok: bool) -> String {
        if ok { self.good("✓") } else { self.bad("✗") }
    }
}

/// A word of a command line, for a POSIX shell: in quotes where the shell would read more than letters in it.
pub(super) fn shell_word(text: &str) -> String {
    let plain = |symbol: char| symbol.is_ascii_alphanumeric() || "_-./=:,+@%".contains(symbol);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Renders an error in the form of STYLE: `error[code]: message`, then place, detail, state and hint.
///
/// Lines are never wrapped, so what a hint offers can be copied whole.
pub(super) fn error(report: &Report, look: &Look) -> String {
    let plain = report.to_string();
    if !look.color {
        return plain;
    }
    let mut text = String::with_capacity(plain.len() + 64);
    let head = format!("error[{}]", report.code);
    for (index, line) in plain.lines().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if let Some(rest) = line.strip_prefix(&head).filter(|_| index == 0) {
            let message = rest.strip_prefix(": ").unwrap_or(rest);
            let _ = write!(text, "{}: {}", look.bad(&head), look.strong(message));
        } else if let Some((field, rest)) = field(line) {
            let _ = write!(text, "  {}{rest}", look.name(field));
        } else {
            text.push_str(line);
        }
    }
    text
}

/// Splits `  hint:   text` into the field name with colon and the rest; continuation lines are indented deeper.
fn field(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix("  ").filter(|rest| !rest.starts_with(' '))?;
    let end = line.find(':')? + 1;
    ["place:", "detail:", "state:", "hint:"].contains(&&line[..end]).then(|| line.split_at(end))
}

/// All reports of a failure, with an empty line between them.
pub(super) fn errors(reports: &[Report], look: &Look) -> String {
    reports.iter().map(|report| error(report, look)).collect::<Vec<_>>().join("\n\n")
}

/// The text of an outcome for standard output; ends without a newline. Its problems are printed apart, as errors.
pub(super) fn outcome(outcome: &Outcome, look: &Look) -> String {
    match outcome {
        Outcome::Plan(view) => plan::plan(view, look),
        Outcome::Explanation(view) => plan::explanation(view, look),
        Outcome::Path(path) => subset::path(path, look),
        Outcome::Refresh(done) => run::refresh(done, look),
        Outcome::Demo(done) => run::demo(done, look),
        Outcome::Export(done) => files::export(done, look),
        Outcome::FixtureCheck(done) => files::check(done, look),
        Outcome::Verify(done) => run::verify(done, look),
        Outcome::Rollback(done) => run::rollback(done, look),
        Outcome::Releases(list) => run::releases(list, look),
        Outcome::InitTarget(done) => run::init_target(done, look),
        Outcome::Discovered(found) => discover::discovery(found, look),
        Outcome::Initialized(done) => discover::initialized(done, look),
        Outcome::Doctor(report) => doctor::doctor(report, look),
        Outcome::Kinds(kinds) => catalogue::kinds(kinds, look),
        Outcome::Masked(result) => catalogue::masked(result),
        Outcome::Tested(done) => catalogue::tested(done, look),
        Outcome::Key(key) => catalogue::key(key, look),
        Outcome::NewKey { key, .. } => key.to_string(),
        Outcome::Text { text, .. } => text.clone(),
    }
}

/// What a successful command has to tell where success is silent; empty if nothing.
pub(super) fn found(outcome: &Outcome, look: &Look) -> String {
    match outcome {
        Outcome::Refresh(done) => run::found(done, look),
        _ => String::new(),
    }
}

/// Indents every line but the first by `by` spaces.
fn hang(text: &str, by: usize) -> String {
    text.replace('\n', &format!("\n{:by$}", ""))
}

/// A block of `  label  text` lines with the labels in one column; empty texts are left out.
fn facts(facts: &[(&str, String)], look: &Look) -> String {
    let width = facts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let lines = facts.iter().filter(|(_, text)| !text.is_empty()).map(|(label, text)| {
        let pad = width - label.chars().count();
        format!("  {}{:pad$}  {}", look.dim(label), "", hang(text, width + 4))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report::new("plan::undecided-column", "column \"public.customers.birth_date\" has no masking decision")
            .place("restage.toml:12:5")
            .detail("Detector `date-of-birth` matched 998 of 1000 sampled rows.")
            .state("Nothing was read from the source or written to the target.")
            .hint("Add one of:\nbirth_date = { mask = \"date.shift\" }\nbirth_date = { keep = \"why\" }")
    }

    #[test]
    fn errors_have_the_form_of_the_style_guide() {
        insta::assert_snapshot!(error(&report(), &Look::default()), @r#"
        error[plan::undecided-column]: column "public.customers.birth_date" has no masking decision
          place:  restage.toml:12:5
          detail: Detector `date-of-birth` matched 998 of 1000 sampled rows.
          state:  Nothing was read from the source or written to the target.
          hint:   Add one of:
                  birth_date = { mask = "date.shift" }
                  birth_date = { keep = "why" }
        "#);
    }

    #[test]
    fn color_adds_nothing_but_color() {
        let colored = error(&report(), &Look { color: true, ..Look::default() });
        assert!(colored.starts_with("\u{1b}[1m\u{1b}[31merror[plan::undecided-column]"), "{colored:?}");
        assert_eq!(anstream::adapter::strip_str(&colored).to_string(), error(&report(), &Look::default()));
    }

    #[test]
    fn several_errors_stand_apart() {
        let reports = [Report::new("a::b", "one"), Report::new("c::d", "two")];
        assert_eq!(errors(&reports, &Look::default()), "error[a::b]: one\n\nerror[c::d]: two");
    }

    #[test]
    fn facts_leave_out_what_is_empty_and_hang_what_is_long() {
        let list = [("a", "one\ntwo".to_owned()), ("none", String::new()), ("long", "x".to_owned())];
        assert_eq!(facts(&list, &Look::default()), "  a     one\n        two\n  long  x");
    }
}
