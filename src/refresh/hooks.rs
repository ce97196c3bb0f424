//! Runs what the user wrote: hooks, which are SQL files in the loaded database or programs, and the programs of gates.

use super::Job;
use crate::config::{HookAction, HookConfig, HookPoint};
use crate::event::Events;
use crate::load::{LoadError, database};
use crate::pg::{self, Conninfo};
use rustix::process::{Pid, Signal, kill_process_group};
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;
use tokio::process::{Child, Command};

/// How long the end of a program's output is waited for once it has ended: a child in the background may hold it open.
const OUTPUT_WAIT: Duration = Duration::from_millis(200);
/// How much of the end of a program's output is remembered, in bytes.
const TAIL_MAX: usize = 4096;

/// Runs all hooks of one point, in file order.
///
/// # Errors
/// [`LoadError::Hook`] for the first that fails or runs longer than its timeout.
pub(super) async fn run(job: &Job, point: HookPoint, database: &Conninfo, events: &Events) -> Result<(), LoadError> {
    for hook in job.hooks.iter().filter(|hook| hook.at == point) {
        let what = describe(hook);
        events.note(format!("hook {what}"));
        let done = tokio::time::timeout(hook.timeout, one(job, hook, database));
        match done.await {
            Ok(Ok(())) => {}
            Ok(Err(detail)) => return Err(LoadError::Hook { what, detail }),
            Err(_) => {
                let detail = format!("It ran longer than its timeout of {} s.", hook.timeout.as_secs());
                return Err(LoadError::Hook { what, detail });
            }
        }
    }
    Ok(())
}

fn describe(hook: &HookConfig) -> String {
    match &hook.action {
        HookAction::Sql(file) => format!("`{}`", file.display()),
        HookAction::Command(command) => format!("`{}`", command.first().map_or("", String::as_str)),
    }
}

async fn one(job: &Job, hook: &HookConfig, database: &Conninfo) -> Result<(), String> {
    match &hook.action {
        HookAction::Sql(file) => {
            let sql = tokio::fs::read_to_string(file).await.map_err(|error| error.to_string())?;
            let session =
                database::open(database, &job.application(), None).await.map_err(|error| error.to_string())?;
            let done = session.client().batch_execute(&sql).await.map_err(|error| pg::sql_error(&error).to_string());
            // Only a transaction that is open takes a savepoint; what a file leaves open would be rolled back in silence.
            let open = done.is_ok() && session.client().batch_execute("SAVEPOINT restage_hook").await.is_ok();
            session.close().await;
            match open {
                true => Err("The file begins a transaction and does not end it: add COMMIT.".to_owned()),
                false => done,
            }
        }
        HookAction::Command(command) => {
            let surroundings = Surroundings { folder: &job.folder, run: Some(job.run.as_str()), database };
            // The output of a user's program may hold anything, so it goes to the user's terminal only, never to a report.
            let mut program = surroundings.start(command, Stdio::null(), Stdio::inherit())?;
            let status = program.0.wait().await.map_err(|error| error.to_string())?;
            if status.success() { Ok(()) } else { Err(format!("It ended with {}.", told(status))) }
        }
    }
}

/// `exit status 3`, `signal 9 (SIGKILL)`.
pub(super) fn told(status: ExitStatus) -> String {
    status.to_string().replace(": ", " ")
}

/// Where a program of the user runs, and what it gets to know.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Folder of the configuration.
    pub folder: &'a Path,
    /// The run that made the database, if it is known.
    pub run: Option<&'a str>,
    pub database: &'a Conninfo,
}

/// A program of the user's that runs. Whatever ends the wait for it ends everything it started, too.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // A child that was waited for has no id any more, and its group may be another's.
        if let Some(pid) = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// How a program of the user's ended, and the end of what it printed.
pub(super) struct Ended {
    /// None: it took too long.
    pub(super) status: Option<ExitStatus>,
    /// At most [`TAIL_MAX`] bytes, without the password of the connection.
    pub(super) tail: String,
}

impl Surroundings<'_> {
    /// Starts a program in a process group of its own.
    ///
    /// It gets the connection of the database in the `PG*` variables, `RESTAGE_RUN` and `RESTAGE_DATABASE`, PATH and HOME,
    /// and nothing else of our environment.
    fn start(&self, command: &[String], stdout: Stdio, stderr: Stdio) -> Result<Program, String> {
        let Some((program, args)) = command.split_first() else { return Err("The command is empty.".to_owned()) };
        let mut child = Command::new(program);
        child.args(args).current_dir(self.folder).env_clear().stdin(Stdio::null());
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                child.env(name, value);
            }
        }
        child.envs(self.database.child_environment()).env("RESTAGE_DATABASE", &self.database.database);
        if let Some(run) = self.run {
            child.env("RESTAGE_RUN", run);
        }
        child.stdout(stdout).stderr(stderr).process_group(0).kill_on_drop(true);
        child.spawn().map(Program).map_err(|error| error.to_string())
    }

    /// Runs a program to its end, or until it has taken too long; nothing of what it prints is shown.
    ///
    /// # Errors
    /// Why it could not be started.
    pub(super) async fn run(&self, command: &[String], timeout: Duration) -> Result<Ended, String> {
        let failed = |error: std::io::Error| error.to_string();
        // One pipe for both, so that lines stay in their order.
        let (reader, writer) = std::io::pipe().map_err(failed)?;
        let mut output = Receiver::from_owned_fd(reader.into()).map_err(failed)?;
        let mut program = self.start(command, writer.try_clone().map_err(failed)?.into(), writer.into())?;
        let (mut tail, mut open, mut buffer) = (Tail::default(), true, vec![0; TAIL_MAX]);
        let ended = tokio::time::timeout(timeout, async {
            loop {
                tokio::select! {
                    status = program.0.wait() => break status,
                    read = output.read(&mut buffer), if open => open = tail.push(read.ok(), &buffer),
                }
            }
        });
        let status = ended.await.ok().transpose().map_err(failed)?;
        drop(program);
        let _ = tokio::time::timeout(OUTPUT_WAIT, async {
            while open {
                open = tail.push(output.read(&mut buffer).await.ok(), &buffer);
            }
        })
        .await;
        let passwords = (0..self.database.hosts.len()).filter_map(|host| self.database.password(host));
        let passwords: Vec<_> = passwords.collect();
        let secrets: Vec<&str> = passwords.iter().map(secrecy::ExposeSecret::expose_secret).collect();
        Ok(Ended { status, tail: tail.text(&secrets) })
    }
}

/// The end of an output.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    /// Something before them is forgotten.
    cut: bool,
}

impl Tail {
    /// Adds what was read; says whether there may be more.
    fn push(&mut self, read: Option<usize>, buffer: &[u8]) -> bool {
        let Some(read @ 1..) = read else { return false };
        self.bytes.extend_from_slice(&buffer[..read]);
        if let Some(more @ 1..) = self.bytes.len().checked_sub(TAIL_MAX) {
            self.bytes.drain(..more);
            self.cut = true;
        }
        true
    }

    /// As text, without these secrets, and without what may be the rest of one.
    fn text(&self, secrets: &[&str]) -> String {
        let text = String::from_utf8_lossy(&self.bytes).into_owned();
        let secrets = || secrets.iter().filter(|secret| !secret.is_empty());
        let text = secrets().fold(text, |text, secret| text.replace(*secret, "…"));
        let rest = if self.cut { secrets().map(|secret| secret.chars().count()).max().unwrap_or(0) } else { 0 };
        text.chars().skip(rest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_in_no_output_not_even_their_ends() {
        let mut tail = Tail::default();
        let text = format!("{} secret and more\nlast line\n", "x".repeat(50));
        assert!(tail.push(Some(text.len()), text.as_bytes()));
        assert_eq!(tail.text(&["secret", ""]), text.replace("secret", "…"));
        assert!(!tail.push(Some(0), b"") && !tail.push(None, b""));
        // So long that the first letters of a secret are forgotten.
        let end = format!("ret{}", "y".repeat(TAIL_MAX - 3));
        for part in ["sec".as_bytes(), end.as_bytes()] {
            tail.push(Some(part.len()), part);
        }
        let told = tail.text(&["secret"]);
        assert!(tail.cut && !told.contains("ret") && told.len() == TAIL_MAX - "secret".len(), "{}", &told[..20]);
    }
}
