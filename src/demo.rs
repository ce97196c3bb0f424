//! Throw-away PostgreSQL clusters from the local server binaries, for `restage demo`.
//!
//! Each listens on a Unix socket in its own folder and nowhere else, so no port is taken and nobody else can connect.

use crate::error::{Diagnose, Exit, Report};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The sample schema, its generator and its policy; the same files a reader finds in `samples/shop`.
pub const SCHEMA: &str = include_str!("../samples/shop/schema.sql");
pub const DATA: &str = include_str!("../samples/shop/data.sql");
pub const POLICY: &str = include_str!("../samples/shop/restage.toml");

/// Customers at scale 1 of the sample.
const CUSTOMERS_PER_SCALE: f64 = 20_000.0;

#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("no PostgreSQL server was found on this machine")]
    NoServer,
    #[error("PostgreSQL does not run as root, and there is no user \"postgres\" to run it as")]
    NoUser,
    #[error("{program} failed")]
    Program { program: String, detail: String },
    #[error("the demo folder could not be prepared")]
    Folder(#[from] std::io::Error),
}

impl Diagnose for DemoError {
    fn exit(&self) -> Exit {
        match self {
            DemoError::NoServer | DemoError::NoUser => Exit::Usage,
            _ => Exit::Internal,
        }
    }

    fn reports(&self) -> Vec<Report> {
        let message = self.to_string();
        vec![match self {
            DemoError::NoServer => Report::new("demo::no-server", message)
                .hint("apt-get install -y postgresql postgresql-contrib     # or set PG_BIN to the folder of initdb"),
            DemoError::NoUser => Report::new("demo::no-user", message).hint("Run the demo as an ordinary user."),
            DemoError::Program { detail, .. } => Report::new("demo::program", message).detail(detail.clone()),
            DemoError::Folder(error) => Report::new("demo::folder", message).detail(error.to_string()),
        }]
    }
}

/// A folder with two clusters, stopped and removed when dropped unless it is kept.
pub struct Playground {
    folder: PathBuf,
    bin: PathBuf,
    /// User the servers run as; none when we are not root.
    user: Option<String>,
    keep: bool,
    started: Vec<PathBuf>,
}

impl Playground {
    /// Prepares an empty folder: `keep`'s, or a temporary one.
    ///
    /// # Errors
    /// [`DemoError`]: no server binaries, no user to run them as, a folder that is not empty.
    pub fn new(keep: Option<&Path>) -> Result<Self, DemoError> {
        let bin = server_binaries().ok_or(DemoError::NoServer)?;
        let user = if rustix::process::geteuid().is_root() { Some("postgres".to_owned()) } else { None };
        if let Some(user) = &user
            && user_ids(user).is_none()
        {
            return Err(DemoError::NoUser);
        }
        let folder = match keep {
            Some(folder) => {
                std::fs::create_dir_all(folder)?;
                if std::fs::read_dir(folder)?.next().is_some() {
                    return Err(DemoError::Folder(std::io::Error::new(
                        std::io::ErrorKind::AlreadyExists,
                        format!("{} is not empty", folder.display()),
                    )));
                }
                folder.canonicalize()?
            }
            None => tempfile::Builder::new().prefix("restage-demo-").tempdir()?.keep(),
        };
        // From here on dropping cleans up.
        let playground = Self { folder, bin, user, keep: keep.is_some(), started: Vec::new() };
        playground.give(&playground.folder)?;
        Ok(playground)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The shell line that stops the servers, as the user they run as: as root pg_ctl does nothing.
    pub fn stop_line(&self) -> String {
        let as_user = self.user.as_ref().map(|user| format!("runuser -u {user} -- ")).unwrap_or_default();
        let (bin, folder) = (self.bin.display(), self.folder.display());
        format!("for d in production staging; do {as_user}{bin}/pg_ctl -D {folder}/$d stop; done")
    }

    /// Makes a file belong to the user of the servers, and to nobody else.
    fn give(&self, path: &Path) -> Result<(), DemoError> {
        if let Some((uid, gid)) = self.user.as_deref().and_then(user_ids) {
            chown(path, Some(uid), Some(gid))?;
        }
        let mode = if path.is_dir() { 0o700 } else { 0o600 };
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let path = self.bin.join(program);
        let mut command = match &self.user {
            Some(user) => {
                let mut command = Command::new("runuser");
                command.arg("-u").arg(user).arg("--").arg(path);
                command
            }
            None => Command::new(path),
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    fn run(&self, program: &str, mut command: Command, input: Option<&str>) -> Result<(), DemoError> {
        let failed = |detail: String| DemoError::Program { program: program.to_owned(), detail };
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = command.spawn().map_err(|error| failed(error.to_string()))?;
        let mut stdin = child.stdin.take();
        if let (Some(pipe), Some(input)) = (&mut stdin, input) {
            // A program that stops reading tells why below.
            let _ = pipe.write_all(input.as_bytes());
        }
        drop(stdin);
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        let last: Vec<&str> = text.lines().rev().take(5).collect();
        Err(failed(last.into_iter().rev().collect::<Vec<_>>().join("\n")))
    }

    /// Makes and starts a cluster; returns the folder of its socket.
    ///
    /// # Errors
    /// [`DemoError::Program`] with the last lines of the program.
    pub fn start(&mut self, name: &str) -> Result<PathBuf, DemoError> {
        let data = self.folder.join(name);
        let socket = self.folder.join(format!("{name}-socket"));
        std::fs::create_dir(&socket)?;
        self.give(&socket)?;
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        self.run("initdb", initdb, None)?;
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories='{}' -c fsync=off -c max_wal_size=2GB -c max_connections=30",
            socket.display()
        );
        let mut start = self.command("pg_ctl");
        start
            .arg("-D")
            .arg(&data)
            .arg("-l")
            .arg(self.folder.join(format!("{name}.log")))
            .args(["-w", "-o"])
            .arg(options);
        start.arg("start");
        self.started.push(data);
        self.run("pg_ctl", start, None)?;
        Ok(socket)
    }

    /// Runs a script with psql in one database.
    ///
    /// # Errors
    /// [`DemoError::Program`].
    pub fn psql(
        &self,
        socket: &Path,
        user: &str,
        database: &str,
        variables: &[String],
        script: &str,
    ) -> Result<(), DemoError> {
        let mut psql = self.command("psql");
        psql.args(["-qAtX", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, "-h"]).arg(socket);
        for variable in variables {
            psql.args(["-v", variable]);
        }
        psql.args(["-f", "-"]);
        self.run("psql", psql, Some(script))
    }

    /// Fills the production side with the sample shop of about `customers` customers, and makes the roles that a careful
    /// installation has: one that only reads, one that may create databases.
    ///
    /// # Errors
    /// [`DemoError::Program`].
    pub fn fill(&self, prod: &Path, staging: &Path, customers: u64) -> Result<(), DemoError> {
        let roles = "CREATE ROLE shop_owner LOGIN CREATEDB; CREATE ROLE restage_ro LOGIN BYPASSRLS;";
        self.psql(prod, "postgres", "postgres", &[], roles)?;
        self.psql(prod, "postgres", "postgres", &[], "CREATE DATABASE shop OWNER shop_owner")?;
        self.psql(prod, "shop_owner", "shop", &[], SCHEMA)?;
        let scale = format!("scale={}", customers as f64 / CUSTOMERS_PER_SCALE);
        self.psql(prod, "shop_owner", "shop", &[scale], DATA)?;
        let rights = "SELECT format('GRANT USAGE ON SCHEMA %1$I TO restage_ro; GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO restage_ro; \
                      GRANT SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO restage_ro', nspname) FROM pg_namespace \
                      WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \\gexec\nANALYZE;";
        self.psql(prod, "postgres", "shop", &[], rights)?;
        self.psql(
            staging,
            "postgres",
            "postgres",
            &[],
            "CREATE ROLE restage LOGIN CREATEDB; GRANT pg_signal_backend TO restage;",
        )
    }
}

impl Drop for Playground {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        for data in &self.started {
            let mut stop = self.command("pg_ctl");
            stop.arg("-D").arg(data).args(["-m", "immediate", "-w", "stop"]);
            let _ = self.run("pg_ctl", stop, None);
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The newest server binaries: `$PG_BIN`, the folders of packages, then PATH.
pub fn server_binaries() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::env::var_os("PG_BIN").map(PathBuf::from).into_iter().collect();
    for major in (14..=18).rev() {
        folders.push(format!("/usr/lib/postgresql/{major}/bin").into());
        folders.push(format!("/usr/pgsql-{major}/bin").into());
        folders.push(format!("/opt/homebrew/opt/postgresql@{major}/bin").into());
        folders.push(format!("/usr/local/opt/postgresql@{major}/bin").into());
    }
    folders.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    folders.into_iter().find(|folder| {
        ["initdb", "pg_ctl", "postgres", "psql", "pg_dump"].iter().all(|program| folder.join(program).is_file())
    })
}

/// The name of a user id, from /etc/passwd.
pub fn user_name(id: u32) -> Option<String> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let has_id = |line: &&str| line.split(':').nth(2).and_then(|field| field.parse().ok()) == Some(id);
    Some(passwd.lines().find(has_id)?.split(':').next()?.to_owned())
}

/// User and group id from /etc/passwd.
fn user_ids(name: &str) -> Option<(u32, u32)> {
    let passwd = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut fields = line.split(':').skip(2);
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}
