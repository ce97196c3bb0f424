//! The user's own gates: queries and programs that judge what was loaded, or what is live since a moment.

use super::hooks::{Ended, Surroundings, told};
use super::run::Run;
use crate::config::{CommandGate, GatePoint, Severity, SqlGate};
use crate::error::Report;
use crate::event::Events;
use crate::outcome::Gate;
use crate::pg::{Conninfo, TargetSession};
use crate::verify;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Characters of a program's output that become evidence.
const TOLD_MAX: usize = 200;
/// Lines of a program's output that become evidence.
const LINES_MAX: usize = 2;

/// The gates of the configuration, and what follows when they do not hold.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    pub sql: Vec<SqlGate>,
    pub commands: Vec<CommandGate>,
    /// Names or globs of gates whose failure is only told.
    pub warn: Vec<String>,
    /// How long after the swap a failure brings the release before back; zero: never.
    pub rollback_within: Duration,
}

/// One gate of the user.
#[derive(Debug, Clone, Copy)]
pub enum Asked<'a> {
    Sql(&'a SqlGate),
    Command(&'a CommandGate),
}

impl Settings {
    /// Queries first, then programs, each in file order.
    pub fn asked(&self) -> impl Iterator<Item = Asked<'_>> {
        self.sql.iter().map(Asked::Sql).chain(self.commands.iter().map(Asked::Command))
    }

    pub(super) fn at(&self, point: GatePoint) -> impl Iterator<Item = Asked<'_>> {
        self.asked().filter(move |asked| asked.point() == point)
    }

    /// Programs that are not there: better known now than after the rows were copied.
    pub(super) fn missing_programs(&self, folder: &Path) -> Vec<Report> {
        let missing = |gate: &&CommandGate| gate.command.first().is_some_and(|program| !is_there(program, folder));
        let report = |gate: &CommandGate| {
            let program = gate.command.first().map_or("", String::as_str);
            let message = format!("the program `{program}` of gate \"{}\" is not there", gate.name);
            let hint = match program.contains('/') {
                true => format!(
                    "ls -l {}     # a relative path starts in the folder of the configuration",
                    folder.join(program).components().collect::<PathBuf>().display()
                ),
                false => "Write its path under [[verify.command]]: `command = [\"./smoke.sh\"]`; a bare name is looked for in PATH.".to_owned(),
            };
            Report::new("plan::gate-program", message).place(gate.place.to_string()).hint(hint)
        };
        self.commands.iter().filter(missing).map(report).collect()
    }
}

/// As the system will look for it.
fn is_there(program: &str, folder: &Path) -> bool {
    if program.contains('/') {
        return folder.join(program).is_file();
    }
    // Without PATH the system has a path of its own, which is not ours to know.
    std::env::var_os("PATH").is_none_or(|path| std::env::split_paths(&path).any(|at| at.join(program).is_file()))
}

impl<'a> Asked<'a> {
    pub(super) fn name(self) -> &'a str {
        match self {
            Asked::Sql(gate) => &gate.name,
            Asked::Command(gate) => &gate.name,
        }
    }

    fn point(&self) -> GatePoint {
        match self {
            Asked::Sql(gate) => gate.at,
            Asked::Command(gate) => gate.at,
        }
    }

    /// Asks the gate. Whatever keeps it from being answered is a gate that does not hold.
    pub async fn judge(&self, session: &TargetSession, surroundings: &Surroundings<'_>) -> Gate {
        let gate = match self {
            Asked::Sql(gate) => return verify::assertion(session, gate).await,
            Asked::Command(gate) => gate,
        };
        let started = Instant::now();
        let (ok, evidence) = match surroundings.run(&gate.command, gate.timeout).await {
            Ok(ended) => (ended.status.is_some_and(|status| status.success()), evidence(&ended, gate.timeout)),
            Err(error) => (false, format!("it could not be started: {error}")),
        };
        Gate {
            name: gate.name.clone(),
            ok,
            evidence,
            ms: started.elapsed().as_millis() as u64,
            severity: gate.severity,
            at: gate.at,
            place: Some(gate.place.to_string()),
            hint: None,
        }
    }
}

/// How a program ended, and the last lines it printed.
fn evidence(ended: &Ended, timeout: Duration) -> String {
    let how = match ended.status {
        Some(status) => told(status),
        None => format!("it took longer than its timeout of {} s and was ended", timeout.as_secs()),
    };
    let lines = last_lines(&ended.tail);
    if lines.is_empty() { how } else { format!("{how}: {lines}") }
}

/// The last lines of a text that say something, without characters that a terminal would obey, and not too long.
fn last_lines(text: &str) -> String {
    let text = anstream::adapter::strip_str(text).to_string();
    let plain = |line: &str| line.replace('\t', " ").chars().filter(|c| !c.is_control()).collect::<String>();
    let lines = text.lines().rev().map(|line| plain(line).trim().to_owned());
    let mut lines: Vec<String> = lines.filter(|line| !line.is_empty()).take(LINES_MAX).collect();
    lines.reverse();
    let line = lines.join(" / ");
    match line.char_indices().nth(TOLD_MAX) {
        Some(_) => line.chars().take(TOLD_MAX - 1).chain(['…']).collect(),
        None => line,
    }
}

impl Run {
    pub(super) fn surroundings<'a>(&'a self, database: &'a Conninfo) -> Surroundings<'a> {
        Surroundings { folder: &self.job.folder, run: Some(self.job.run.as_str()), database }
    }

    /// Asks the gates of the loaded database.
    pub(super) async fn judge_loaded(&self, session: &TargetSession, database: &Conninfo) -> Vec<Gate> {
        let surroundings = self.surroundings(database);
        let mut gates = Vec::new();
        for asked in self.job.gates.at(GatePoint::BeforePublish) {
            self.events.note(format!("gate \"{}\"", asked.name()));
            gates.push(asked.judge(session, &surroundings).await);
        }
        gates
    }

    /// Makes warnings of the gates that `warn` is about, and tells what it says in vain.
    pub(super) fn soften(&self, gates: &mut [Gate]) {
        let settings = &self.job.gates;
        verify::soften(&settings.warn, gates);
        let names = gates.iter().map(|gate| gate.name.as_str());
        let names: Vec<&str> = names.chain(settings.at(GatePoint::AfterPublish).map(Asked::name)).collect();
        for told in verify::unheeded(&settings.warn, &names) {
            self.events.warn(told);
        }
    }
}

/// Tells the gates that do not hold and stop nothing.
pub(super) fn tell_soft(events: &Events, gates: &[Gate]) {
    for gate in gates.iter().filter(|gate| !gate.ok && gate.severity == Severity::Warn) {
        events.warn(format!("gate \"{}\" does not hold: {}", gate.name, gate.evidence));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_told_without_what_a_terminal_obeys() {
        assert_eq!(last_lines(""), "");
        assert_eq!(last_lines("first\n\n \u{1b}[1;31msecond\u{1b}[0m\u{7}\r\n\n\tthird \u{1b}[\n\n"), "second / third");
        let long = last_lines(&format!("a\n{}", "ö".repeat(300)));
        assert_eq!((long.chars().count(), long.chars().last()), (TOLD_MAX, Some('…')));
    }
}
