//! What a run shows while it runs: one line per phase, with bars on a terminal. The only user of indicatif's bars.
//!
//! The hot path bumps [`Counters`]; a thread of our own reads them ten times a second for bars, or every 30 seconds for
//! lines. No event is sent per row or batch.

use super::console::Console;
use super::render::Look;
use super::render::units;
use crate::event::{Counters, Event, Listener, Phase, Unit};
use indicatif::{MultiProgress, ProgressBar, ProgressState, ProgressStyle};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Between looks at the counters while bars are drawn.
const TICK: Duration = Duration::from_millis(1000 / super::console::DRAW_HZ as u64);
/// Between lines without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Bars if the console has any, else plain lines.
    Text,
    /// Log events for machines.
    Json,
    /// Nothing: `-q`.
    Silent,
}

/// Listens to a run and shows it on the console.
pub(super) struct Progress {
    console: Arc<Console>,
    mode: Mode,
    verbose: bool,
    look: Look,
    /// Time of day for plain lines, `02:30:01`.
    clock: fn() -> String,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// Phases that run now, in the order they began.
    active: Vec<Active>,
    counters: Arc<Counters>,
    ticker: Option<JoinHandle<()>>,
    stop: bool,
}

/// A phase that runs.
struct Active {
    phase: Phase,
    total: Option<u64>,
    unit: Unit,
    /// Value of the counter when the phase began.
    base: u64,
    since: Instant,
    said: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(console: Arc<Console>, mode: Mode, verbose: bool, clock: fn() -> String) -> Self {
        let look = Look { color: console.color, width: None, verbose: u8::from(verbose) };
        Self { console, mode, verbose, look, clock, state: Mutex::default(), wake: Condvar::new() }
    }

    /// Starts to watch the counters of a run.
    pub fn watch(self: &Arc<Self>, counters: Arc<Counters>) {
        let mut state = self.state();
        state.counters = counters;
        if self.mode == Mode::Silent || state.ticker.is_some() {
            return;
        }
        let progress = Arc::clone(self);
        let ticker =
            std::thread::Builder::new().name("progress".to_owned()).spawn(move || progress.tick_until_stopped());
        // Without a thread the phases are still shown, only their bars do not move.
        state.ticker = ticker.ok();
    }

    /// Stops drawing; phases that still run are shown as stopped when the run failed.
    pub fn finish(&self, failed: bool) {
        let ticker = {
            let mut state = self.state();
            state.stop = true;
            self.wake.notify_all();
            state.ticker.take()
        };
        if let Some(ticker) = ticker {
            let _ = ticker.join();
        }
        for active in std::mem::take(&mut self.state().active) {
            if let Some(bar) = active.bar {
                bar.finish_and_clear();
            }
            if failed {
                self.say(active.phase, Mark::Failed, "stopped", Some(active.since.elapsed()));
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tick_until_stopped(&self) {
        let pause = if self.console.bars().is_some() { TICK } else { Duration::from_secs(1) };
        let mut state = self.state();
        while !state.stop {
            state = self.wake.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0;
            let counters = Arc::clone(&state.counters);
            let mut lines = Vec::new();
            for active in &mut state.active {
                active.tick(&counters, &mut lines);
            }
            // Lines are written without the lock: a slow terminal must not hold up the run.
            drop(state);
            for (phase, line) in lines {
                self.say(phase, Mark::Running, &line, None);
            }
            state = self.state();
        }
    }

    fn started(&self, phase: Phase, total: Option<u64>, unit: Unit) {
        let mut state = self.state();
        let base = read(&state.counters, unit);
        let bar = self
            .console
            .bars()
            .filter(|_| self.mode == Mode::Text)
            .map(|bars| new_bar(bars, self.console.width(), phase, total, unit));
        let now = Instant::now();
        state.active.push(Active { phase, total, unit, base, since: now, said: now, bar });
        if self.mode == Mode::Json {
            tracing::info!(target: TARGET, event = "phase-started", phase = phase.name(), total);
        }
    }

    fn done(&self, phase: Phase, note: &str) {
        let mut state = self.state();
        let position = state.active.iter().position(|active| active.phase == phase);
        let active = position.map(|index| state.active.remove(index));
        drop(state);
        let elapsed = active.as_ref().map(|active| active.since.elapsed());
        if let Some(bar) = active.and_then(|active| active.bar) {
            bar.finish_and_clear();
        }
        self.say(phase, Mark::Done, note, elapsed);
    }

    /// Prints the line of a phase in the form of the mode.
    fn say(&self, phase: Phase, mark: Mark, note: &str, elapsed: Option<Duration>) {
        let ms = elapsed.map(|elapsed| u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
        match self.mode {
            Mode::Silent => {}
            Mode::Json => tracing::info!(target: TARGET, event = mark.event(), phase = phase.name(), note, ms),
            Mode::Text => {
                let elapsed = ms.map(units::duration).unwrap_or_default();
                let line = if self.console.bars().is_some() {
                    format!("{} {:<9} {note}  {}", mark.sign(&self.look), phase.name(), self.look.dim(&elapsed))
                } else {
                    let mut line = format!("{} {:<9} {note}", (self.clock)(), phase.name());
                    if ms.is_some() {
                        let _ = write!(line, " ({elapsed})");
                    }
                    line
                };
                self.console.line(line.trim_end());
            }
        }
    }

    /// Prints a line that belongs to no phase.
    fn remark(&self, sign: &str, text: &str) {
        if self.console.bars().is_some() {
            self.console.line(&format!("{sign} {text}"));
        } else {
            self.console.line(&format!("{} {sign} {text}", (self.clock)()));
        }
    }
}

impl Listener for Progress {
    fn event(&self, event: Event) {
        match (event, self.mode) {
            (Event::PhaseStarted { phase, total, unit }, mode) if mode != Mode::Silent => {
                self.started(phase, total, unit)
            }
            (Event::PhaseDone { phase, note }, mode) if mode != Mode::Silent => self.done(phase, &note),
            (Event::TableLoaded { table, rows, bytes }, Mode::Json) => {
                tracing::info!(target: TARGET, event = "table-loaded", table, rows, bytes);
            }
            (Event::TableLoaded { table, rows, bytes }, Mode::Text) if self.verbose => {
                self.remark(" ", &format!("{table}  {} rows, {}", units::count(rows), units::bytes(bytes)));
            }
            (Event::Warning { text }, Mode::Json) => tracing::warn!(target: TARGET, event = "warning", text),
            (Event::Warning { text }, Mode::Text) => self.remark(&self.look.warn("!"), &text),
            (Event::Note { text }, Mode::Json) if self.verbose => tracing::info!(target: TARGET, event = "note", text),
            (Event::Note { text }, Mode::Text) if self.verbose => self.remark(" ", &text),
            _ => {}
        }
    }
}

/// Target of the events of `--log-format json`; the log filter lets it through at every level.
pub(super) const TARGET: &str = "restage::progress";

#[derive(Debug, Clone, Copy)]
enum Mark {
    Running,
    Done,
    Failed,
}

impl Mark {
    fn event(self) -> &'static str {
        match self {
            Mark::Running => "phase-running",
            Mark::Done => "phase-done",
            Mark::Failed => "phase-stopped",
        }
    }

    fn sign(self, look: &Look) -> String {
        match self {
            Mark::Running => " ".to_owned(),
            Mark::Done => look.good("✓"),
            Mark::Failed => look.bad("✗"),
        }
    }
}

impl Active {
    /// Moves the bar, or adds a line when the last one is old enough.
    fn tick(&mut self, counters: &Counters, lines: &mut Vec<(Phase, String)>) {
        let done = read(counters, self.unit).saturating_sub(self.base);
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            bar.tick();
        } else if self.said.elapsed() >= LINE_EVERY {
            self.said = Instant::now();
            lines.push((self.phase, running_line(done, self.total, self.unit, self.since.elapsed())));
        }
    }
}

fn read(counters: &Counters, unit: Unit) -> u64 {
    let counter: &AtomicU64 = match unit {
        Unit::Bytes => &counters.bytes,
        Unit::Items => &counters.items,
    };
    counter.load(Ordering::Relaxed)
}

/// `43 %, 3.1 GB of 7.2 GB, 212 MB/s, about 20 s left`.
fn running_line(done: u64, total: Option<u64>, unit: Unit, elapsed: Duration) -> String {
    let amount = |count: u64| match unit {
        Unit::Bytes => units::bytes(count),
        Unit::Items => units::count(count),
    };
    let mut line = match total {
        // The total is an estimate: rows can be longer on the wire than on disk. Once it is passed, it says nothing more.
        Some(total) if total > 0 && done <= total => {
            format!("{} %, {} of {}", (done * 100 / total).min(99), amount(done), amount(total))
        }
        _ => amount(done),
    };
    let seconds = elapsed.as_secs_f64();
    if unit == Unit::Bytes && seconds > 0.0 {
        let _ = write!(line, ", {}/s", units::bytes((done as f64 / seconds) as u64));
    }
    if let Some(left) = total.map(|total| total.saturating_sub(done)).filter(|left| *left > 0 && done > 0) {
        let _ = write!(line, ", {} left", units::about((seconds * 1000.0 * left as f64 / done as f64) as u64));
    }
    line
}

/// Below this width of the terminal the bar takes what the numbers leave.
const WIDE: u16 = 96;

fn new_bar(bars: &MultiProgress, width: Option<u16>, phase: Phase, total: Option<u64>, unit: Unit) -> ProgressBar {
    let bar = if width.is_some_and(|width| width >= WIDE) { "{bar:24}" } else { "{wide_bar}" };
    let template = match (total, unit) {
        (Some(_), Unit::Bytes) => {
            format!("{{spinner}} {{prefix:9}} {bar} {{bytes_done}} of {{bytes_all}}  {{rate}}  {{left}}")
        }
        (Some(_), Unit::Items) => format!("{{spinner}} {{prefix:9}} {bar} {{pos}} of {{len}}"),
        (None, Unit::Bytes) => "{spinner} {prefix:9} {bytes_done}  {rate}".to_owned(),
        (None, Unit::Items) => "{spinner} {prefix:9} {time}".to_owned(),
    };
    let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let style = ProgressStyle::with_template(&template)
        .expect("the templates are made of constants and valid")
        .progress_chars("━╸ ")
        .with_key("bytes_done", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&units::bytes(state.pos()));
        })
        .with_key("bytes_all", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            // An estimate: rows can be longer on the wire than on disk.
            let all = state.len().unwrap_or(0);
            let _ = if state.pos() <= all { out.write_str(&units::bytes(all)) } else { out.write_str("?") };
        })
        .with_key("rate", |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            if state.pos() > 0 {
                let _ = write!(out, "{}/s", units::bytes(state.per_sec() as u64));
            }
        })
        .with_key("left", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let left = ms(state.eta());
            // Nothing is known before the first byte, and the last second is not worth a number.
            if state.pos() > 0 && left >= 1000 {
                let _ = write!(out, "{} left", units::about(left));
            }
        })
        .with_key("time", move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = out.write_str(&units::duration(ms(state.elapsed())));
        });
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    bars.add(bar.with_style(style).with_prefix(phase.name()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_a_running_phase_says_how_far_and_how_long() {
        let line = running_line(3_000_000_000, Some(6_000_000_000), Unit::Bytes, Duration::from_secs(30));
        insta::assert_snapshot!(line, @"50 %, 3.0 GB of 6.0 GB, 100 MB/s, about 30 s left");
        let line = running_line(12, None, Unit::Items, Duration::from_secs(30));
        insta::assert_snapshot!(line, @"12");
    }

    #[test]
    fn an_estimate_that_was_too_low_is_not_shown_anymore() {
        let line = running_line(700, Some(600), Unit::Items, Duration::from_secs(1));
        assert_eq!(line, "700");
        assert!(!line.contains("left"), "{line}");
    }

    fn progress(mode: Mode, verbose: bool) -> Progress {
        Progress::new(Arc::new(Console::new(false, true)), mode, verbose, || "02:30:00".to_owned())
    }

    fn a_run(progress: &Progress) -> String {
        let events = [
            Event::PhaseStarted { phase: Phase::Load, total: Some(10), unit: Unit::Bytes },
            Event::PhaseStarted { phase: Phase::Index, total: None, unit: Unit::Items },
            Event::TableLoaded { table: "public.orders".into(), rows: 1200, bytes: 34_000 },
            Event::Warning { text: "2 large objects are not copied".into() },
            Event::Note { text: "chunk 3 again".into() },
            Event::PhaseDone { phase: Phase::Load, note: "2 tables, 34 kB".into() },
        ];
        events.into_iter().for_each(|event| progress.event(event));
        // Only times differ from run to run: they are cut off below.
        progress.finish(true);
        assert!(progress.state().active.is_empty());
        let story = progress.console.story();
        let lines = story.lines().map(|line| line.rsplit_once(" (").map_or(line, |(line, _)| line));
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn phases_may_overlap_and_end_in_any_order() {
        insta::assert_snapshot!(a_run(&progress(Mode::Text, false)), @r#"
        02:30:00 ! 2 large objects are not copied
        02:30:00 load      2 tables, 34 kB
        02:30:00 index     stopped
        "#);
    }

    #[test]
    fn verbose_runs_tell_tables_and_notes() {
        insta::assert_snapshot!(a_run(&progress(Mode::Text, true)), @r#"
        02:30:00   public.orders  1,200 rows, 34 kB
        02:30:00 ! 2 large objects are not copied
        02:30:00   chunk 3 again
        02:30:00 load      2 tables, 34 kB
        02:30:00 index     stopped
        "#);
    }

    #[test]
    fn quiet_runs_tell_nothing() {
        assert_eq!(a_run(&progress(Mode::Silent, false)), "");
    }

    #[test]
    fn finishing_twice_or_without_a_watch_is_harmless() {
        let progress = Arc::new(Progress::new(Arc::new(Console::new(false, true)), Mode::Text, false, String::new));
        progress.watch(Arc::default());
        progress.finish(false);
        progress.finish(true);
    }
}
