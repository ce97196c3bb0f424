//! Runs the user's hooks: SQL files in the loaded database, or programs.

use super::Job;
use crate::config::{HookAction, HookConfig, HookPoint};
use crate::event::Events;
use crate::load::{LoadError, database};
use crate::pg::{self, Conninfo};
use std::process::Stdio;

/// Runs all hooks of one point, in file order.
///
/// A program gets the connection of the database in the `PG*` variables, `RESTAGE_RUN` and `RESTAGE_DATABASE`, PATH and
/// HOME, and nothing else of our environment.
///
/// # Errors
/// [`LoadError::Hook`] for the first that fails or runs longer than its timeout.
pub async fn run(job: &Job, point: HookPoint, database: &Conninfo, events: &Events) -> Result<(), LoadError> {
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
            let Some((program, args)) = command.split_first() else { return Err("The command is empty.".to_owned()) };
            let mut child = tokio::process::Command::new(program);
            child.args(args).current_dir(&job.folder).env_clear().stdin(Stdio::null()).kill_on_drop(true);
            for name in ["PATH", "HOME"] {
                if let Some(value) = std::env::var_os(name) {
                    child.env(name, value);
                }
            }
            child.envs(database.child_environment());
            child.env("RESTAGE_RUN", job.run.as_str()).env("RESTAGE_DATABASE", &database.database);
            // The output of a user's program may hold anything, so it goes to the user's terminal only, never to a report.
            child.stdout(Stdio::null()).stderr(Stdio::inherit());
            let status = child.status().await.map_err(|error| error.to_string())?;
            if status.success() {
                Ok(())
            } else {
                Err(format!("It ended with {}.", status.to_string().replace(": ", " ")))
            }
        }
    }
}
