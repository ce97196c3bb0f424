//! What a connection string may lean on: the `PG*` variables, the home directory, the name of the user.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Where this process runs, as a value, so that parsing depends on nothing else.
///
/// No `Debug`: `PGPASSWORD` is in here.
#[derive(Clone, Default)]
pub struct Environment {
    /// The `PG*` variables.
    pub variables: BTreeMap<String, String>,
    /// Holds `.pgpass`, `.pg_service.conf` and `.postgresql/`.
    pub home: Option<PathBuf>,
    /// The operating system's user, libpq's default role.
    pub user: Option<String>,
    /// Where servers put their sockets, likeliest first.
    pub socket_directories: Vec<PathBuf>,
    /// Holds `pg_service.conf` when `PGSYSCONFDIR` is not set.
    pub system_directories: Vec<PathBuf>,
}

impl Environment {
    /// Reads the environment of this process. Variables that are not UTF-8 are left out.
    pub fn from_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("PG"))
            .collect();
        let account = account(Path::new("/etc/passwd"), rustix::process::geteuid().as_raw());
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (user, home) = account.unzip();
        Self {
            variables,
            home: named("HOME").map(PathBuf::from).or(home),
            // Directory services do not show in /etc/passwd; the login shell tells the name then.
            user: user.or_else(|| named("LOGNAME")).or_else(|| named("USER")),
            socket_directories: vec!["/var/run/postgresql".into(), "/tmp".into()],
            system_directories: vec!["/etc/postgresql-common".into(), "/etc/sysconfig/pgsql".into(), "/etc".into()],
        }
    }

    /// An environment without variables, files or user, for tests.
    pub fn empty() -> Self {
        Self { socket_directories: vec!["/var/run/postgresql".into()], ..Self::default() }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }
}

/// Finds a user's name and home directory by number.
fn account(passwd: &Path, uid: u32) -> Option<(String, PathBuf)> {
    let text = std::fs::read_to_string(passwd).ok()?;
    text.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [name, _, id, _, _, home, ..] if id.parse() == Ok(uid) => Some((name.to_owned(), home.into())),
            _ => None,
        }
    })
}
