//! SIGINT and SIGTERM: the first asks the command to stop and clean up, the second ends the process at once.

use super::console::Console;
use crate::error::{Exit, Failure, Report};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals of the process.
#[derive(Default)]
pub(super) struct Signals {
    /// Cancelled by the first signal.
    pub token: CancellationToken,
    terminated: Arc<AtomicBool>,
}

impl Signals {
    /// Starts to listen, on the runtime this is called from.
    pub fn listen(&self, console: Arc<Console>) {
        let (Ok(interrupt), Ok(terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
            // Then the signals end the process as they do by default.
            return;
        };
        tokio::spawn(watch(interrupt, terminate, self.token.clone(), Arc::clone(&self.terminated), console));
    }

    /// Gives an interrupted failure the exit code of the signal that caused it.
    pub fn name(&self, mut failure: Failure) -> Failure {
        if failure.exit == Exit::Interrupted && self.terminated.load(Ordering::Relaxed) {
            failure.exit = Exit::Terminated;
        }
        failure
    }
}

async fn watch(
    mut interrupt: Signal,
    mut terminate: Signal,
    token: CancellationToken,
    terminated: Arc<AtomicBool>,
    console: Arc<Console>,
) {
    loop {
        let exit = tokio::select! {
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        };
        if token.is_cancelled() {
            console.tell_story();
            std::process::exit(i32::from(exit.code()));
        }
        terminated.store(exit == Exit::Terminated, Ordering::Relaxed);
        console.line("Stopping and cleaning up. Once more to stop at once.");
        token.cancel();
    }
}

/// The failure of a command that was asked to stop.
pub(super) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, Report::new("run::interrupted", "stopped by a signal"))
}
