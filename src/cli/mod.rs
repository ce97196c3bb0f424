//! The command line: reads arguments, runs a command, shows what came of it, and ends with the exit code.
//!
//! Only this module writes to standard output and standard error. Results go to standard output, as text or with
//! `--json` as exactly one document; progress, logs and errors go to standard error.

mod after;
pub mod args;
mod console;
mod context;
mod discover;
mod doctor;
mod engine;
mod explain;
mod files;
mod key;
mod log;
mod masks;
mod output;
mod progress;
mod provenance;
mod render;
mod shell;
mod signal;
mod trial;
mod verify;

pub use context::{Consent, Context};

use crate::error::{Exit, Failure, Report};
use crate::outcome::{
    DemoOutcome, DoctorReport, Explanation, ExportOutcome, FixtureCheck, InitTargetOutcome, Initialized, KeyInfo,
    Kinds, MaskResult, PlanView, RefreshOutcome, Releases, RollbackOutcome, RowPath, TestOutcome, VerifyOutcome,
};
use args::{Cli, Command, LogFormat};
use clap::FromArgMatches as _;
use console::Console;
use progress::{Mode, Progress};
use signal::Signals;
use std::ffi::OsString;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What a command returns when it did its work; some of these still exit with an error code of their own.
pub(crate) enum Outcome {
    Plan(Box<PlanView>),
    Explanation(Box<Explanation>),
    Path(RowPath),
    Refresh(Box<RefreshOutcome>),
    Demo(Box<DemoOutcome>),
    Export(Box<ExportOutcome>),
    FixtureCheck(FixtureCheck),
    Verify(VerifyOutcome),
    Rollback(RollbackOutcome),
    Releases(Releases),
    InitTarget(InitTargetOutcome),
    Doctor(DoctorReport),
    Discovered(crate::discover::Discovery),
    Initialized(Initialized),
    Kinds(Kinds),
    Masked(MaskResult),
    Tested(TestOutcome),
    Key(KeyInfo),
    /// A new key that was asked for on standard output.
    NewKey {
        info: KeyInfo,
        key: Zeroizing<String>,
    },
    /// Generated text: a completion script, a manual page.
    Text {
        document: &'static str,
        text: String,
    },
}

impl Outcome {
    /// The exit code, and the reports that explain it when it is not 0.
    fn verdict(&self) -> (Exit, &[Report]) {
        match self {
            Outcome::Plan(view) => (view.exit(), &view.refusals),
            Outcome::Refresh(done) => (done.exit, &done.problems),
            Outcome::Demo(done) => (done.refresh.exit, &done.refresh.problems),
            Outcome::Verify(done) => (done.exit(), &[]),
            Outcome::Doctor(report) => (report.exit(), &[]),
            Outcome::Tested(done) => (done.exit(), &[]),
            Outcome::FixtureCheck(done) => (done.exit(), &[]),
            _ => (Exit::Done, &[]),
        }
    }

    /// Another release is live than before.
    fn published(&self) -> bool {
        match self {
            Outcome::Refresh(done) => done.published.is_some(),
            Outcome::Rollback(_) => true,
            _ => false,
        }
    }
}

/// Runs restage with these arguments, program name first, and returns the exit code of the process.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let wants = output::Wants::of(&args);
    wants.color.choice().write_global();
    let command = args::command().color(wants.color.for_clap());
    let cli = match command.try_get_matches_from(args).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return output::usage(&error, wants.json),
    };
    start(cli)
}

/// Sets up console, log and signals, runs the command, and shows its result.
fn start(cli: Cli) -> ExitCode {
    let Cli { global, command } = cli;
    let cron = matches!(&command, Command::Refresh(args) if args.cron);
    let bars = !global.quiet && !cron && global.log_format == LogFormat::Text;
    let console = Arc::new(Console::new(bars, cron));
    log::catch_panics(&console);
    log::start(&console, global.log_format, global.quiet, global.verbose, time_of_day);
    let mode = match (global.quiet, global.log_format) {
        (true, _) => Mode::Silent,
        (false, LogFormat::Json) => Mode::Json,
        (false, LogFormat::Text) => Mode::Text,
    };
    let progress = Arc::new(Progress::new(Arc::clone(&console), mode, global.verbose > 0, time_of_day));
    let signals = Signals::default();
    let show = output::Show { json: global.json, quiet: global.quiet, cron, verbose: global.verbose, console };
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let runtime = runtime.map_err(|error| {
            let report =
                Report::new("internal::runtime", "cannot start the threads of the run").detail(error.to_string());
            Failure::new(Exit::Internal, report)
        })?;
        let context = Context::new(&global, !cron, &show.console, &progress, &signals);
        let result = runtime.block_on(async {
            signals.listen(Arc::clone(&show.console));
            until_cancelled(&context, command).await
        });
        // A prompt may still wait for a line of standard input in a thread that nobody can stop.
        runtime.shutdown_background();
        result
    }));
    // The hook has printed the panic.
    let panicked = result.is_err();
    let result = result.unwrap_or_else(|_| Err(Failure::new(Exit::Internal, log::panic_report())));
    let result = result.map_err(|failure| signals.name(failure));
    let failed = result.as_ref().map_or(true, |outcome| outcome.verdict().0 != Exit::Done);
    progress.finish(failed);
    ExitCode::from(show.result(&result, panicked).code())
}

/// Local time for progress lines without a terminal.
fn time_of_day() -> String {
    jiff::Zoned::now().strftime("%H:%M:%S").to_string()
}

/// Runs a command; one that leaves nothing to clean up is dropped at the first signal.
async fn until_cancelled(context: &Context, command: Command) -> Result<Outcome, Failure> {
    let cleans_up = matches!(
        command,
        Command::Refresh(_)
            | Command::Demo(_)
            | Command::Rollback(_)
            | Command::InitTarget(_)
            | Command::Snapshot(_)
            | Command::Load(_)
            | Command::Fixture(_)
    );
    if cleans_up {
        return dispatch(context, command).await;
    }
    tokio::select! {
        result = dispatch(context, command) => result,
        () = context.cancel.cancelled() => Err(signal::interrupted()),
    }
}

async fn dispatch(context: &Context, command: Command) -> Result<Outcome, Failure> {
    match command {
        Command::Demo(args) => engine::demo(context, args).await.map(Box::new).map(Outcome::Demo),
        Command::Plan(args) => engine::plan(context, args).await.map(Box::new).map(Outcome::Plan),
        Command::Refresh(args) => engine::refresh(context, args).await.map(Box::new).map(Outcome::Refresh),
        Command::Snapshot(args) => files::snapshot(context, args).await,
        Command::Load(args) => files::load(context, args).await.map(Box::new).map(Outcome::Refresh),
        Command::Fixture(args) => files::fixture(context, args).await,
        Command::Verify(args) => verify::verify(context, args).await.map(Outcome::Verify),
        Command::Releases(args) => engine::releases(context, args).await.map(Outcome::Releases),
        Command::Rollback(args) => engine::rollback(context, args).await.map(Outcome::Rollback),
        Command::InitTarget(args) => engine::init_target(context, args).await.map(Outcome::InitTarget),
        Command::Discover(args) => discover::discover(context, args).await,
        Command::Init(args) => discover::init(context, args).await,
        Command::Doctor(args) => engine::doctor(context, args).await.map(Outcome::Doctor),
        Command::Explain(args) => explain::explain(context, args).await,
        Command::Kinds(args) => masks::kinds(&args).map(Outcome::Kinds),
        Command::Mask(args) => masks::mask(context, args).await.map(Outcome::Masked),
        Command::Test(args) => trial::test(context, args).await.map(Outcome::Tested),
        Command::Key(args) => key::key(context, args.command).await,
        Command::Completions(args) => Ok(shell::completions(&args)),
        Command::Man(args) => shell::man(&args),
    }
}
