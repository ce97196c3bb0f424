//! Logs and panics: both go through the console, and neither can hold a value of a row.

use super::args::LogFormat;
use super::console::Console;
use super::progress::TARGET;
use super::render::{Look, error};
use crate::error::Report;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt};

/// Starts the log. Levels: warnings; `-v` what restage does; `-vv` details.
///
/// There is no variable that opens the logs of libraries: tokio-postgres and rustls log statements and peers.
pub(super) fn start(console: &Arc<Console>, format: LogFormat, quiet: bool, verbose: u8, clock: fn() -> String) {
    let ours = match (quiet, verbose) {
        (true, _) => LevelFilter::ERROR,
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, _) => LevelFilter::DEBUG,
    };
    let others = ours.min(LevelFilter::WARN);
    let mut filter = Targets::new().with_default(others).with_target("restage", ours);
    if !quiet {
        filter = filter.with_target(TARGET, LevelFilter::INFO);
    }
    let writer = LogWriter(Arc::clone(console));
    let registry = tracing_subscriber::registry();
    // A second start, as in tests, keeps the first log.
    let _ = match format {
        LogFormat::Json => registry.with(fmt::layer().json().with_writer(writer).with_filter(filter)).try_init(),
        LogFormat::Text => {
            let layer = fmt::layer()
                .compact()
                .with_timer(TimeOfDay(clock))
                .with_target(false)
                .with_ansi(console.color)
                .with_writer(writer);
            registry.with(layer.with_filter(filter)).try_init()
        }
    };
}

/// The clock of the progress lines, so that both can be read together.
struct TimeOfDay(fn() -> String);

impl fmt::time::FormatTime for TimeOfDay {
    fn format_time(&self, out: &mut fmt::format::Writer<'_>) -> std::fmt::Result {
        out.write_str(&(self.0)())
    }
}

/// Where the last panic was; the document of `--json` names it too.
static PLACE: Mutex<Option<String>> = Mutex::new(None);

/// Prints panics as an error with the place in our code; never the payload, which may quote a value.
pub(super) fn catch_panics(console: &Arc<Console>) {
    let console = Arc::clone(console);
    std::panic::set_hook(Box::new(move |panic| {
        let place = panic.location().map(|at| format!("{}:{}:{}", at.file(), at.line(), at.column()));
        PLACE.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&place);
        let look = Look { color: console.color, width: None, verbose: 0 };
        console.line(&error(&report_at(place), &look));
    }));
}

/// The report of the last panic.
pub(super) fn panic_report() -> Report {
    report_at(PLACE.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

fn report_at(place: Option<String>) -> Report {
    let report = Report::new("internal::panic", "restage failed because of a mistake in its own code")
        .hint("Please report this with the place above and the command. Staging serves what `restage releases` says.");
    match place {
        Some(place) => report.place(place),
        None => report,
    }
}

/// Writes each log event as one line of the console. The formatter hands over whole events.
struct LogWriter(Arc<Console>);

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter(&self.0)
    }
}

struct LineWriter<'a>(&'a Console);

impl io::Write for LineWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.line(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_tells_its_place_and_not_its_payload() {
        let console = Arc::new(Console::new(false, true));
        let before = std::panic::take_hook();
        catch_panics(&console);
        let caught = std::panic::catch_unwind(|| panic!("canary-4711"));
        std::panic::set_hook(before);
        assert!(caught.is_err());
        let story = console.story();
        assert!(story.contains("error[internal::panic]") && story.contains("src/cli/log.rs:"), "{story}");
        assert!(!story.contains("canary"), "{story}");
    }
}
