//! What happens during a run, as values: the progress bars, the plain lines, the log and the report all read these.
//!
//! Events carry names and counts only, never a value of a row.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The phases of a refresh, in order. A phase is one progress line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    Plan,
    Snapshot,
    /// Only where a subset is configured.
    Subset,
    Schema,
    Load,
    Index,
    Verify,
    Publish,
    /// Files instead of a database.
    Write,
}

impl Phase {
    /// In order.
    pub const ALL: [Phase; 9] = [
        Phase::Plan,
        Phase::Snapshot,
        Phase::Subset,
        Phase::Schema,
        Phase::Load,
        Phase::Index,
        Phase::Verify,
        Phase::Publish,
        Phase::Write,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Phase::Plan => "plan",
            Phase::Snapshot => "snapshot",
            Phase::Subset => "subset",
            Phase::Schema => "schema",
            Phase::Load => "load",
            Phase::Index => "index",
            Phase::Verify => "verify",
            Phase::Publish => "publish",
            Phase::Write => "write",
        }
    }
}

/// Something the user may want to see now.
#[derive(Debug, Clone)]
pub enum Event {
    /// A phase begins; `total` is its amount of work in `unit` if it is known.
    PhaseStarted { phase: Phase, total: Option<u64>, unit: Unit },
    /// A phase ended well; `note` is the rest of its line ("21 tables, 1.2 GB").
    PhaseDone { phase: Phase, note: String },
    /// A table's rows are committed in the target.
    TableLoaded { table: String, rows: u64, bytes: u64 },
    /// Something to know that does not stop the run; ends up in the report too.
    Warning { text: String },
    /// Something to know with `-v`.
    Note { text: String },
}

/// What a phase counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Items,
}

/// Live counters that the hot path bumps and the progress display polls (10 Hz), so no event is sent per row or batch.
#[derive(Debug, Default)]
pub struct Counters {
    pub rows: AtomicU64,
    pub bytes: AtomicU64,
    pub items: AtomicU64,
}

impl Counters {
    pub fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// Receives events. Called from any task or thread; must not block.
pub trait Listener: Send + Sync {
    fn event(&self, event: Event);
}

/// Handle that stages use to tell what they do. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    listener: Arc<dyn Listener>,
    counters: Arc<Counters>,
    /// For the report, which is written at the end.
    warnings: Arc<Mutex<Vec<String>>>,
}

impl Events {
    pub fn new(listener: Arc<dyn Listener>) -> Self {
        Self { listener, counters: Arc::default(), warnings: Arc::default() }
    }

    /// Events that nobody listens to, for tests and for commands without progress.
    pub fn silent() -> Self {
        struct Silent;
        impl Listener for Silent {
            fn event(&self, _: Event) {}
        }
        Self::new(Arc::new(Silent))
    }

    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub fn send(&self, event: Event) {
        self.listener.event(event);
    }

    pub fn started(&self, phase: Phase, total: Option<u64>, unit: Unit) {
        self.send(Event::PhaseStarted { phase, total, unit });
    }

    pub fn done(&self, phase: Phase, note: impl Into<String>) {
        self.send(Event::PhaseDone { phase, note: note.into() });
    }

    pub fn warn(&self, text: impl Into<String>) {
        let text = text.into();
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text.clone());
        self.send(Event::Warning { text });
    }

    /// Shows a warning that has its place in the report already.
    pub fn tell(&self, text: impl Into<String>) {
        self.send(Event::Warning { text: text.into() });
    }

    /// The same listener, which hears of no warning: those on made-up data help nobody.
    pub fn without_warnings(&self) -> Self {
        struct Unwarned(Arc<dyn Listener>);
        impl Listener for Unwarned {
            fn event(&self, event: Event) {
                if !matches!(event, Event::Warning { .. }) {
                    self.0.event(event);
                }
            }
        }
        Self { listener: Arc::new(Unwarned(Arc::clone(&self.listener))), ..self.clone() }
    }

    /// Takes the warnings since the last call.
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut *self.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn note(&self, text: impl Into<String>) {
        self.send(Event::Note { text: text.into() });
    }
}
