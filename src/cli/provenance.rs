//! Who runs what: the facts every report starts with.

use crate::lock;
use crate::outcome::{PolicyCommit, Provenance, RunRecord};
use crate::pg::Conninfo;
use crate::refresh::Job;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// How long git may take; a folder on a network that hangs must not stop a night.
const GIT_MAX: Duration = Duration::from_secs(5);

/// What is known before anything is asked of a server.
pub(super) async fn begin(job: &Job, config_file: &Path) -> RunRecord {
    let lock = std::fs::read(lock::path_beside(config_file)).ok();
    RunRecord {
        run: job.run.to_string(),
        source: job.source.describe(),
        target: job.target.as_ref().map(Conninfo::describe).unwrap_or_default(),
        dry_run: job.dry_run,
        by: Provenance {
            os_user: job.os_user.clone(),
            host: job.host.clone(),
            tool_version: env!("CARGO_PKG_VERSION").to_owned(),
            mask_version: crate::mask::VERSION,
            config_file: config_file.display().to_string(),
            config_hash: job.config_hash.clone(),
            lock_hash: lock.map(|bytes| blake3::hash(&bytes).to_hex().to_string()),
            key_id: job.key_id.clone(),
            realm: job.realm.clone(),
            policy: commit(config_file, &job.folder).await,
        },
        started_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        ..RunRecord::default()
    }
}

/// The commit of the folder, and whether what is there differs from it; none outside of a repository.
async fn commit(config_file: &Path, folder: &Path) -> Option<PolicyCommit> {
    let commit = git(folder, &["rev-parse", "--verify", "--quiet", "HEAD"]).await?.trim().to_owned();
    let sound = (40..=64).contains(&commit.len()) && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = config_file.file_name()?.to_str()?;
    let known = git(folder, &["ls-files", "--error-unmatch", "--", name]).await.is_some();
    let differs = git(folder, &["status", "--porcelain", "--untracked-files=no", "--", "."]).await;
    let changed = !known || differs.is_none_or(|lines| !lines.trim().is_empty());
    sound.then_some(PolicyCommit { commit, changed })
}

/// What git prints, if it succeeds.
async fn git(folder: &Path, args: &[&str]) -> Option<String> {
    let mut command = tokio::process::Command::new("git");
    // No program that a repository names may start, and nothing of ours may lock somebody else's work.
    command.arg("-C").arg(folder).args(["-c", "core.fsmonitor=false"]).args(args);
    command.env("GIT_OPTIONAL_LOCKS", "0").env("LC_ALL", "C");
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let output = tokio::time::timeout(GIT_MAX, command.output()).await.ok()?.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
