//! What tests need to interfere with a run: waiting for a fact, sessions that stay open, a program that runs meanwhile,
//! and a standby.

use super::{Cluster, Lab, Ran, is_root, ran, run};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for a fact that has to become true.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `fact` holds.
#[track_caller]
pub fn until(what: &str, mut fact: impl FnMut() -> bool) {
    let started = Instant::now();
    while !fact() {
        assert!(started.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A psql session that stays open between statements; dropping it ends the session.
pub struct Held {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Held {
    pub fn open(cluster: &Cluster, user: &str, database: &str) -> Self {
        let mut child = cluster
            .client("psql", user, database)
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        Self { child, stdin, stdout }
    }

    /// Sends statements without waiting for their end.
    pub fn send(&mut self, sql: &str) {
        writeln!(self.stdin, "{sql};").expect("psql reads");
        self.stdin.flush().expect("psql reads");
    }

    /// Runs statements; returns the lines they print.
    #[track_caller]
    pub fn run(&mut self, sql: &str) -> Vec<String> {
        self.send(sql);
        writeln!(self.stdin, "\\echo =done=").expect("psql reads");
        self.stdin.flush().expect("psql reads");
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            let read = self.stdout.read_line(&mut line).expect("psql answers");
            assert!(read > 0, "psql ended while running: {sql}");
            match line.trim_end() {
                "=done=" => return lines,
                line => lines.push(line.to_owned()),
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, running.
pub struct Running(Option<Child>);

impl Running {
    pub fn start(lab: &Lab<'_>, args: &[&str]) -> Self {
        let child = lab.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("restage runs");
        Self(Some(child))
    }

    /// Sends a signal by its name: `INT`, `KILL`.
    pub fn signal(&self, name: &str) {
        let pid = self.0.as_ref().expect("it runs").id().to_string();
        run(std::process::Command::new("kill").args(["-s", name, &pid]));
    }

    pub fn wait(mut self) -> Ran {
        ran(self.0.take().expect("it runs").wait_with_output().expect("restage ends"))
    }

    /// Waits until `fact` holds; a run that ends before is told with what it said.
    #[track_caller]
    pub fn until(&mut self, what: &str, mut fact: impl FnMut() -> bool) {
        until(what, || {
            let holds = fact();
            if !holds && self.ended() {
                let child = self.0.take().expect("it runs");
                panic!("ended before {what}: {:?}", ran(child.wait_with_output().expect("restage ends")));
            }
            holds
        });
    }

    /// Whether it has ended by itself.
    pub fn ended(&mut self) -> bool {
        self.0.as_mut().expect("it runs").try_wait().expect("it is ours").is_some()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Cluster {
    /// A streaming standby of `primary`, which needs `wal_level = replica`.
    pub fn standby_of(primary: &Cluster, settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("restage-test-").tempdir().expect("temporary folder").keep();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        if is_root() {
            run(std::process::Command::new("chown").arg("postgres").arg(&folder));
        }
        let cluster = Self { folder, watchdog: None };
        run(cluster
            .server("pg_basebackup")
            .args(["-R", "-c", "fast", "-X", "stream", "-U", "postgres", "-h"])
            .arg(primary.folder())
            .arg("-D")
            .arg(cluster.data()));
        let mut text = format!("\nunix_socket_directories = '{}'\nhot_standby = on\n", cluster.folder.display());
        for setting in settings {
            text.push_str(setting);
            text.push('\n');
        }
        std::fs::OpenOptions::new()
            .append(true)
            .open(cluster.data().join("postgresql.conf"))
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("settings");
        cluster.boot();
        cluster.watched()
    }
}
