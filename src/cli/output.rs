//! The end of a command: its result on standard output, its errors on standard error, its exit code.

use super::Outcome;
use super::args::Color;
use super::console::Console;
use super::render::{self, Look};
use crate::error::{Exit, Failure, Report};
use crate::outcome::{Document, SCHEMA};
use anstream::{AutoStream, ColorChoice};
use serde::Serialize;
use std::ffi::OsString;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

/// What the arguments say about output, found before they are parsed: usage errors have a form and a color too.
pub(super) struct Wants {
    pub json: bool,
    pub color: Color,
}

impl Wants {
    /// Looks through raw arguments, up to a `--`.
    pub fn of(args: &[OsString]) -> Self {
        let mut wants = Self { json: false, color: Color::Auto };
        let mut previous = "";
        for arg in args.iter().skip(1).map(|arg| arg.to_str().unwrap_or("")).take_while(|arg| *arg != "--") {
            wants.json |= arg == "--json";
            let value = arg.strip_prefix("--color=").or_else(|| (previous == "--color").then_some(arg));
            wants.color = match value {
                Some("always") => Color::Always,
                Some("never") => Color::Never,
                Some("auto") => Color::Auto,
                _ => wants.color,
            };
            previous = arg;
        }
        wants
    }
}

impl Color {
    pub(super) fn choice(self) -> ColorChoice {
        match self {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        }
    }

    pub(super) fn for_clap(self) -> clap::ColorChoice {
        match self {
            Color::Auto => clap::ColorChoice::Auto,
            Color::Always => clap::ColorChoice::Always,
            Color::Never => clap::ColorChoice::Never,
        }
    }
}

/// A failure as one JSON document.
#[derive(Serialize)]
struct ErrorDocument<'a> {
    schema: u32,
    error: &'a [Report],
    exit: u8,
}

/// Prints help, version or a usage error, in the words of clap; as a document too where one is wanted.
pub(super) fn usage(error: &clap::Error, json: bool) -> ExitCode {
    // A closed output changes nothing about the code.
    let _ = error.print();
    if !error.use_stderr() {
        return ExitCode::from(Exit::Done.code());
    }
    if json {
        let reports = [usage_report(&error.to_string())];
        let _ = write_stdout(&document(&ErrorDocument { schema: SCHEMA, error: &reports, exit: Exit::Usage.code() }));
    }
    ExitCode::from(Exit::Usage.code())
}

/// The text of clap as a report: what is wrong may take several lines (a list of arguments, a suggestion), and ends where
/// the usage begins.
fn usage_report(text: &str) -> Report {
    let body = text.split("\nUsage:").next().unwrap_or(text);
    let lines =
        body.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("For more information"));
    let (mut message, mut tips) = (Vec::new(), Vec::new());
    for line in lines {
        match line.strip_prefix("tip: ") {
            Some(tip) => tips.push(tip),
            None => message.push(line),
        }
    }
    let message = message.join(" ");
    tips.push("restage --help");
    Report::new("usage::arguments", message.strip_prefix("error: ").unwrap_or(&message)).hint(tips.join("\n"))
}

/// How results are shown.
pub(super) struct Show {
    pub json: bool,
    pub quiet: bool,
    pub cron: bool,
    pub verbose: u8,
    pub console: Arc<Console>,
}

impl Show {
    /// Shows the result of a command and returns the code to exit with. After a panic the error is printed already.
    pub fn result(&self, result: &Result<Outcome, Failure>, panicked: bool) -> Exit {
        let (exit, reports) = match result {
            Ok(outcome) => outcome.verdict(),
            Err(failure) => (failure.exit, failure.reports.as_slice()),
        };
        // With --cron a good night has no output, but for what was left out; a document is only printed when it is asked for.
        let written = match result {
            Ok(outcome) if self.cron && exit == Exit::Done && !self.json => {
                let look = Look { color: self.console.color, width: None, verbose: self.verbose };
                let found = render::found(outcome, &look);
                if !found.is_empty() {
                    print_error(&found);
                }
                Ok(())
            }
            Ok(outcome) => write_stdout(&self.text(outcome)),
            Err(failure) if self.json => write_stdout(&self.failure(failure)),
            Err(_) => Ok(()),
        };
        if exit != Exit::Done {
            self.console.tell_story();
            // A script that reads documents quietly gets its errors there, once; a panic is printed already.
            let told = panicked || (self.json && self.quiet);
            if !told && !reports.is_empty() {
                let look = Look { color: self.console.color, width: None, verbose: self.verbose };
                print_error(&render::errors(reports, &look));
            }
        }
        match written {
            Err(error) if exit == Exit::Done => {
                let published = matches!(result, Ok(outcome) if outcome.published());
                self.unwritable(&error, published)
            }
            _ => exit,
        }
    }

    fn text(&self, outcome: &Outcome) -> String {
        if self.json { json(outcome) } else { terminated(render::outcome(outcome, &self.look())) }
    }

    fn failure(&self, failure: &Failure) -> String {
        document(&ErrorDocument { schema: SCHEMA, error: &failure.reports, exit: failure.exit.code() })
    }

    /// Where something was published, a step after that has failed; else nothing but the output.
    fn unwritable(&self, error: &io::Error, published: bool) -> Exit {
        let report = Report::new("internal::output", "the result could not be written to standard output")
            .detail(error.to_string());
        let (exit, state) = match published {
            true => (Exit::AfterPublish, "The new release is live."),
            false => (Exit::Internal, "The command itself was done."),
        };
        let report = report.state(state);
        print_error(&render::error(&report, &Look { color: self.console.color, ..Look::default() }));
        exit
    }

    /// What standard output can do. Files and pipes get no color and no wrapped lines.
    fn look(&self) -> Look {
        let stdout = io::stdout();
        let color = AutoStream::choice(&stdout) != ColorChoice::Never;
        let size = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok()).flatten();
        Look { color, width: size.map(|size| size.ws_col).filter(|width| *width > 0), verbose: self.verbose }
    }
}

/// The document of an outcome.
fn json(outcome: &Outcome) -> String {
    let exit = outcome.verdict().0;
    match outcome {
        Outcome::Plan(body) => document(&Document::new("plan", exit, body)),
        Outcome::Explanation(body) => document(&Document::new("explain", exit, body)),
        Outcome::Path(body) => document(&Document::new("explain-row", exit, body)),
        Outcome::Refresh(body) => document(&Document::new("refresh", exit, body)),
        Outcome::Demo(body) => document(&Document::new("demo", exit, body)),
        Outcome::Export(body) => document(&Document::new("export", exit, body)),
        Outcome::FixtureCheck(body) => document(&Document::new("fixture-check", exit, body)),
        Outcome::Verify(body) => document(&Document::new("verify", exit, body)),
        Outcome::Rollback(body) => document(&Document::new("rollback", exit, body)),
        Outcome::Releases(body) => document(&Document::new("releases", exit, body)),
        Outcome::InitTarget(body) => document(&Document::new("init-target", exit, body)),
        Outcome::Discovered(body) => document(&Document::new("discover", exit, body)),
        Outcome::Initialized(body) => document(&Document::new("init", exit, body)),
        Outcome::Doctor(body) => document(&Document::new("doctor", exit, body)),
        Outcome::Kinds(body) => document(&Document::new("kinds", exit, body)),
        Outcome::Masked(body) => document(&Document::new("mask", exit, body)),
        Outcome::Tested(body) => document(&Document::new("test", exit, body)),
        Outcome::Key(body) => document(&Document::new("key", exit, body)),
        Outcome::NewKey { info, key } => {
            let body = serde_json::json!({ "id": info.id, "source": info.source, "key": key.as_str() });
            document(&Document::new("key", exit, &body))
        }
        Outcome::Text { document: name, text } => {
            document(&Document::new(name, exit, &serde_json::json!({ "text": text })))
        }
    }
}

/// One document and a newline; indented for people, who read these more often than they admit.
fn document(body: &impl Serialize) -> String {
    let text =
        serde_json::to_string_pretty(body).expect("documents are made of strings, numbers, lists and maps of names");
    terminated(text)
}

fn terminated(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
fn write_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

fn print_error(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(terminated(text.to_owned()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(args: &[&str]) -> (bool, Color) {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let wants = Wants::of(&args);
        (wants.json, wants.color)
    }

    #[test]
    fn json_and_color_are_found_before_parsing() {
        assert_eq!(wants(&["restage", "plan"]), (false, Color::Auto));
        assert_eq!(wants(&["restage", "--color", "never", "plan", "--json"]), (true, Color::Never));
        assert_eq!(wants(&["restage", "--color=always", "x"]), (false, Color::Always));
        assert_eq!(wants(&["restage", "mask", "email", "--", "--json"]), (false, Color::Auto));
        assert_eq!(wants(&["--json"]), (false, Color::Auto), "the first is the program");
    }

    #[test]
    fn usage_errors_are_told_whole() {
        let told = |args: &[&str]| {
            let error = crate::cli::args::command().try_get_matches_from(args).expect_err("it is wrong");
            usage_report(&error.to_string())
        };
        let missing = told(&["restage", "mask"]);
        assert_eq!(missing.message, "the following required arguments were not provided: <KIND>");
        let unknown = told(&["restage", "plan", "--jsn"]);
        assert_eq!(unknown.message, "unexpected argument '--jsn' found");
        assert_eq!(unknown.hint.as_deref(), Some("a similar argument exists: '--json'\nrestage --help"));
    }

    #[test]
    fn a_failure_is_one_document_with_reports_and_code() {
        let failure =
            Failure::new(Exit::Source, Report::new("source::login", "login failed").hint("check the password"));
        let body = document(&ErrorDocument { schema: SCHEMA, error: &failure.reports, exit: failure.exit.code() });
        insta::assert_snapshot!(body, @r#"
        {
          "schema": 1,
          "error": [
            {
              "code": "source::login",
              "message": "login failed",
              "hint": "check the password"
            }
          ],
          "exit": 4
        }
        "#);
    }
}
