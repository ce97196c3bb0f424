//! What a command may use: options, events, the signal to stop, and the person at the keyboard.

use super::args::Global;
use super::console::Console;
use super::progress::Progress;
use super::signal::{self, Signals};
use crate::error::{Exit, Failure, Report};
use crate::event::Events;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Everything a command needs besides its own arguments.
pub struct Context {
    /// The configuration file, as given.
    pub config: PathBuf,
    /// Budget for rows in flight, bytes.
    pub memory: u64,
    /// None: `./restage-report/<run>/`.
    pub report_dir: Option<PathBuf>,
    /// Number of `-v`.
    pub verbose: u8,
    /// Where a command tells what it does.
    pub events: Events,
    /// Cancelled by the first SIGINT, SIGTERM or SIGHUP. Commands clean up and return [`Exit::Interrupted`].
    pub cancel: CancellationToken,
    console: Arc<Console>,
    /// There is somebody who can be asked.
    interactive: bool,
}

/// What already stands for a typed name.
#[derive(Debug, Clone, Copy, Default)]
pub struct Consent<'a> {
    /// `--yes`.
    pub yes: bool,
    /// `target.confirm` of the configuration.
    pub configured: Option<&'a str>,
    /// The configuration does not count: a person has to say it.
    by_person: bool,
}

impl<'a> Consent<'a> {
    /// `--yes`, or the name in the configuration.
    pub fn of(yes: bool, configured: Option<&'a str>) -> Self {
        Self { yes, configured, by_person: false }
    }

    /// `--yes`, or the name typed.
    pub fn by_person(yes: bool) -> Self {
        Self { yes, configured: None, by_person: true }
    }
}

/// Names have at most 63 bytes, URLs rarely hundreds; the rest of a longer line cannot make it right.
const ANSWER_BYTES_MAX: u64 = 2048;

impl Context {
    pub(super) fn new(
        global: &Global,
        may_ask: bool,
        console: &Arc<Console>,
        progress: &Arc<Progress>,
        signals: &Signals,
    ) -> Self {
        let events = Events::new(Arc::clone(progress) as Arc<dyn crate::event::Listener>);
        progress.watch(Arc::clone(events.counters()));
        Self {
            config: global.config.clone(),
            memory: global.memory,
            report_dir: global.report_dir.clone(),
            verbose: global.verbose,
            events,
            cancel: signals.token.clone(),
            console: Arc::clone(console),
            interactive: may_ask && io::stdin().is_terminal() && io::stderr().is_terminal(),
        }
    }

    /// Prints a line for the person at the terminal, on standard error.
    pub fn tell(&self, text: &str) {
        self.console.line(text);
    }

    /// Asks for a line; none where there is nobody to ask.
    ///
    /// # Errors
    /// [`Exit::Interrupted`] if a signal comes first.
    pub async fn answer(&self, prompt: &'static str) -> Result<Option<String>, Failure> {
        if !self.interactive {
            return Ok(None);
        }
        let answer = tokio::task::spawn_blocking(move || ask(prompt));
        tokio::select! {
            answer = answer => Ok(Some(answer.unwrap_or_default().trim().to_owned())),
            () = self.cancel.cancelled() => Err(signal::interrupted().with_state(UNCHANGED)),
        }
    }

    /// Asks to type `expected` before something that cannot be taken back silently.
    ///
    /// `--yes` or a configured name that equals `expected` is an answer already. `question` says what will happen, in
    /// one or two sentences.
    ///
    /// # Errors
    /// [`Exit::Usage`] if the configured name is another one, if there is nobody to ask, or if the answer is wrong;
    /// [`Exit::Interrupted`] if a signal comes first. Nothing was changed in any case.
    pub async fn confirm(&self, question: &str, expected: &str, consent: Consent<'_>) -> Result<(), Failure> {
        match consent {
            Consent { configured: Some(name), .. } if name != expected => return Err(mismatch(name, expected)),
            Consent { yes: true, .. } | Consent { configured: Some(_), .. } => return Ok(()),
            Consent { yes: false, configured: None, by_person } if !self.interactive => {
                return Err(nobody(question, expected, by_person));
            }
            Consent { .. } => {}
        }
        self.console.line(question);
        let answer = tokio::task::spawn_blocking({
            let prompt = format!("Type \"{expected}\" to go on: ");
            move || ask(&prompt)
        });
        let answer = tokio::select! {
            answer = answer => answer.unwrap_or_default(),
            () = self.cancel.cancelled() => return Err(signal::interrupted().with_state(UNCHANGED)),
        };
        if answer == expected { Ok(()) } else { Err(wrong(expected)) }
    }
}

const UNCHANGED: &str = "Nothing was changed.";

/// Reads one line from the terminal; empty at its end.
fn ask(prompt: &str) -> String {
    let mut stderr = io::stderr();
    let _ = stderr.write_all(prompt.as_bytes());
    let _ = stderr.flush();
    let mut answer = String::new();
    // Unreadable input is a wrong answer.
    let _ = io::stdin().lock().take(ANSWER_BYTES_MAX).read_line(&mut answer);
    answer.trim_end_matches(['\n', '\r']).to_owned()
}

fn mismatch(configured: &str, expected: &str) -> Failure {
    let report = Report::new(
        "usage::confirm-mismatch",
        format!("`confirm` under [target] is \"{configured}\", but the live database is \"{expected}\""),
    );
    let hint = format!("If \"{expected}\" is the database you mean, set `confirm = \"{expected}\"` under [target].");
    Failure::new(Exit::Usage, report.state(UNCHANGED).hint(hint))
}

fn nobody(question: &str, expected: &str, by_person: bool) -> Failure {
    let report = Report::new("usage::not-confirmed", "this needs a confirmation, and there is no terminal to ask on");
    let hint = match by_person {
        true => "Add --yes. `confirm` in the configuration is for later refreshes; it does not stand for it here."
            .to_owned(),
        false => format!("Add --yes, or set `confirm = \"{expected}\"` under [target] in the configuration."),
    };
    Failure::new(Exit::Usage, report.detail(question).state(UNCHANGED).hint(hint))
}

fn wrong(expected: &str) -> Failure {
    let report = Report::new("usage::not-confirmed", format!("the answer was not \"{expected}\""));
    Failure::new(Exit::Usage, report.state(UNCHANGED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::progress::Mode;
    use clap::FromArgMatches as _;

    fn context() -> Context {
        let console = Arc::new(Console::new(false, true));
        let progress = Arc::new(Progress::new(Arc::clone(&console), Mode::Silent, false, String::new));
        let matches = crate::cli::args::command().get_matches_from(["restage", "releases"]);
        let cli = crate::cli::args::Cli::from_arg_matches(&matches).unwrap();
        Context::new(&cli.global, false, &console, &progress, &Signals::default())
    }

    async fn ask(consent: Consent<'_>) -> Result<(), Vec<&'static str>> {
        let answer = context().confirm("This replaces \"shop\".", "shop", consent).await;
        answer.map_err(|failure| {
            assert_eq!(failure.exit, Exit::Usage);
            failure.reports.iter().map(|report| report.code).collect()
        })
    }

    #[tokio::test]
    async fn without_a_terminal_only_yes_or_the_configured_name_confirm() {
        assert_eq!(ask(Consent::default()).await, Err(vec!["usage::not-confirmed"]));
        assert_eq!(ask(Consent::of(true, None)).await, Ok(()));
        assert_eq!(ask(Consent::of(false, Some("shop"))).await, Ok(()));
    }

    #[tokio::test]
    async fn another_configured_name_stops_even_with_yes() {
        assert_eq!(ask(Consent::of(true, Some("crm"))).await, Err(vec!["usage::confirm-mismatch"]));
    }
}
