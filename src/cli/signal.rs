//! SIGINT, SIGTERM and SIGHUP: the first asks the command to stop and clean up, the second ends the process at once.

use super::console::Console;
use crate::error::{Exit, Failure, Report};
use std::sync::{Arc, OnceLock};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The signals of the process.
#[derive(Default)]
pub(super) struct Signals {
    /// Cancelled by the first signal.
    pub token: CancellationToken,
    /// What the first signal ends the process with.
    first: Arc<OnceLock<Exit>>,
}

/// What is listened to.
struct Heard {
    interrupt: Signal,
    terminate: Signal,
    hangup: Option<Signal>,
}

impl Heard {
    async fn next(&mut self) -> Exit {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => Exit::Interrupted,
            _ = self.terminate.recv() => Exit::Terminated,
            _ = hangup => Exit::HungUp,
        }
    }
}

impl Signals {
    /// Starts to listen, on the runtime this is called from.
    pub fn listen(&self, console: Arc<Console>) {
        let (Ok(interrupt), Ok(terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) else {
            // Then the signals end the process as they do by default.
            return;
        };
        let hangup = if outlives_terminal() { None } else { signal(SignalKind::hangup()).ok() };
        let heard = Heard { interrupt, terminate, hangup };
        tokio::spawn(watch(heard, self.token.clone(), Arc::clone(&self.first), console));
    }

    /// Gives an interrupted failure the exit code of the signal that caused it.
    pub fn name(&self, mut failure: Failure) -> Failure {
        if failure.exit == Exit::Interrupted {
            failure.exit = self.first.get().copied().unwrap_or(failure.exit);
        }
        failure
    }
}

/// Whoever started us may want the run to outlive the terminal: `nohup` ignores SIGHUP for us, and to listen would undo it.
/// Where the system does not say, SIGHUP does what it would have done.
///
/// Source: proc(5), `/proc/pid/status`.
fn outlives_terminal() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignored(&status).is_none_or(|signals| signals & 1 != 0)
}

/// The ignored signals of a process; SIGHUP, the first, is the lowest bit.
fn ignored(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

async fn watch(mut heard: Heard, token: CancellationToken, first: Arc<OnceLock<Exit>>, console: Arc<Console>) {
    loop {
        let exit = heard.next().await;
        if token.is_cancelled() {
            if exit == Exit::HungUp {
                // Nobody's second thought: both the shell and the system tell that a terminal closes.
                continue;
            }
            console.tell_story();
            std::process::exit(i32::from(exit.code()));
        }
        let _ = first.set(exit);
        console.line("Stopping and cleaning up. Once more to stop at once.");
        token.cancel();
    }
}

/// The failure of a command that was asked to stop.
pub(super) fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, Report::new("run::interrupted", "stopped by a signal"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ignored_signals_are_read_from_the_status_of_the_process() {
        let status = |mask: &str| format!("Name:\trestage\nSigBlk:\t0000000000000000\nSigIgn:\t{mask}\nSigCgt:\t0\n");
        assert_eq!(ignored(&status("0000000000001001")), Some(0x1001));
        assert_eq!(ignored(&status("0000000000001000")).map(|signals| signals & 1), Some(0));
        assert_eq!(ignored("Name:\trestage\n"), None);
    }
}
