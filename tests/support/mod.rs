//! Real PostgreSQL clusters for the tests, and a lab per test: a source database, a target, a configuration, a key.
//!
//! Two clusters are shared by all tests of the process, because starting one takes a second; a test that stops or kills a
//! server starts its own. Without server programs the tests fail and say which script installs them.

pub mod browser;
pub mod live;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Folder of the server programs: `$RESTAGE_PG_BIN`, `$PG_BIN`, else the newest package.
pub fn bin() -> PathBuf {
    for name in ["RESTAGE_PG_BIN", "PG_BIN"] {
        if let Some(folder) = std::env::var_os(name) {
            return folder.into();
        }
    }
    restage::demo::server_binaries().expect("no PostgreSQL server programs: run scripts/test, or scripts/pg.sh install")
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A cluster on a Unix socket in its own folder.
pub struct Cluster {
    folder: PathBuf,
    /// Ends the server when this process ends in whatever way: it waits for the pipe to close.
    watchdog: Option<(Child, ChildStdin)>,
}

impl Cluster {
    /// Makes and starts a cluster with extra settings (`name=value`).
    pub fn start(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("restage-test-").tempdir().expect("temporary folder").keep();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        let cluster = Self { folder, watchdog: None };
        run(cluster
            .server("initdb")
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N", "-D"])
            .arg(cluster.data()));
        let mut text = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nmax_connections = 60\n\
             max_prepared_transactions = 5\nlog_min_messages = warning\nautovacuum = off\n",
            cluster.folder.display()
        );
        for setting in settings {
            text.push_str(setting);
            text.push('\n');
        }
        let conf = cluster.data().join("postgresql.conf");
        std::fs::OpenOptions::new()
            .append(true)
            .open(conf)
            .and_then(|mut file| file.write_all(text.as_bytes()))
            .expect("settings");
        cluster.boot();
        cluster.watched()
    }

    /// Ties the server's life to this process.
    fn watched(mut self) -> Self {
        let stop = format!(
            "cat >/dev/null; {} -m immediate stop >/dev/null 2>&1; rm -rf '{}'",
            quoted(&self.server("pg_ctl"), &self.data()),
            self.folder.display()
        );
        let mut child = Command::new("sh")
            .arg("-c")
            .arg(stop)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh");
        let stdin = child.stdin.take().expect("piped");
        self.watchdog = Some((child, stdin));
        self
    }

    /// Starts the server of an existing cluster, also after it was killed.
    pub fn boot(&self) {
        let log = self.folder.join("log");
        run(self.server("pg_ctl").arg("-D").arg(self.data()).args(["-w", "-t", "60", "-l"]).arg(log).arg("start"));
    }

    /// `immediate` is what a crash looks like.
    pub fn stop(&self, mode: &str) {
        run(self.server("pg_ctl").arg("-D").arg(self.data()).args(["-m", mode, "-w", "stop"]));
    }

    /// Folder of the socket and the server's log.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    pub fn log(&self) -> String {
        std::fs::read(self.folder.join("log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// A server program as the user that may run it: PostgreSQL refuses to run as root.
    pub fn server(&self, program: &str) -> Command {
        let path = bin().join(program);
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(path);
            command
        } else {
            Command::new(path)
        };
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    /// A client program connected to this cluster.
    pub fn client(&self, program: &str, user: &str, database: &str) -> Command {
        let mut command = Command::new(bin().join(program));
        command
            .env_clear()
            .env("PGHOST", &self.folder)
            .env("PGUSER", user)
            .env("PGDATABASE", database)
            .env("PGOPTIONS", "-c client_min_messages=error");
        command
    }

    pub fn url(&self, user: &str, database: &str) -> String {
        format!("postgresql:///{database}?host={}&user={user}", self.folder.display())
    }

    /// Runs SQL as superuser; the answer unaligned, tuples only.
    #[track_caller]
    pub fn sql(&self, database: &str, sql: &str) -> String {
        self.sql_as("postgres", database, sql)
    }

    #[track_caller]
    pub fn sql_as(&self, user: &str, database: &str, sql: &str) -> String {
        self.try_sql(user, database, sql).unwrap_or_else(|error| panic!("{error}\nwhile running: {sql}"))
    }

    /// As [`Cluster::sql_as`], with psql's errors as error.
    pub fn try_sql(&self, user: &str, database: &str, sql: &str) -> Result<String, String> {
        let mut child = self
            .client("psql", user, database)
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql");
        let mut stdin = child.stdin.take().expect("piped");
        let input = sql.as_bytes().to_vec();
        let feeder = std::thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().expect("psql ends");
        let _ = feeder.join();
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Runs a file of SQL with psql variables.
    #[track_caller]
    pub fn run_file(&self, user: &str, database: &str, file: &Path, variables: &[(&str, &str)]) {
        let mut psql = self.client("psql", user, database);
        psql.args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-o", "/dev/null"]);
        for (name, value) in variables {
            psql.arg("-v").arg(format!("{name}={value}"));
        }
        let output = psql.arg("-f").arg(file).output().expect("psql");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Everything pg_dump says of a database, without our schema, comments on the database, and `\restrict` lines;
    /// the lines of each COPY block sorted, because rows have no order.
    #[track_caller]
    pub fn dump(&self, database: &str) -> String {
        let output =
            self.client("pg_dump", "postgres", database).args(["--exclude-schema=restage"]).output().expect("pg_dump");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        normalize_dump(&String::from_utf8_lossy(&output.stdout))
    }

    pub fn databases(&self) -> Vec<String> {
        self.sql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1")
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some((mut child, stdin)) = self.watchdog.take() {
            drop(stdin);
            let _ = child.wait();
        }
    }
}

fn quoted(command: &Command, data: &Path) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    format!("cd /; {} -D '{}'", words.join(" "), data.display())
}

#[track_caller]
pub fn run(command: &mut Command) {
    // Not `output()`: a server inherits the pipes and would keep them open.
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(status.success(), "{command:?}: {status}");
}

/// Sorts the rows of COPY blocks and drops what differs between any two dumps.
pub fn normalize_dump(dump: &str) -> String {
    let mut out: Vec<&str> = Vec::new();
    let mut rows: Vec<&str> = Vec::new();
    let mut copying = false;
    for line in dump.lines() {
        if copying && line == "\\." {
            rows.sort_unstable();
            out.append(&mut rows);
            out.push(line);
            copying = false;
        } else if copying {
            rows.push(line);
        } else if line.starts_with("\\restrict") || line.starts_with("\\unrestrict") || line.starts_with("-- Dumped") {
        } else {
            copying = line.starts_with("COPY ") && line.ends_with("FROM stdin;");
            out.push(line);
        }
    }
    out.join("\n")
}

/// The clusters all tests share: source and target.
pub fn clusters() -> &'static (Cluster, Cluster) {
    static PAIR: OnceLock<(Cluster, Cluster)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let pair = (Cluster::start(&[]), Cluster::start(&[]));
        prepare_roles(&pair.0, &pair.1);
        pair
    })
}

/// The roles of a careful installation: `app` owns production, `reader` may only read it, `restage` may create databases
/// on the target and is no superuser.
pub fn prepare_roles(source: &Cluster, target: &Cluster) {
    source.sql("postgres", "CREATE ROLE app LOGIN; CREATE ROLE reader LOGIN BYPASSRLS");
    target.sql("postgres", "CREATE ROLE restage LOGIN CREATEDB; GRANT pg_signal_backend TO restage");
}

/// The published test key of the specification would be refused; this one is random and used by tests only.
pub const KEY: &str = "restage.key";

/// One test's source database, target and configuration.
pub struct Lab<'a> {
    pub source: &'a Cluster,
    pub target: &'a Cluster,
    /// Name of the database on both sides.
    pub name: String,
    folder: tempfile::TempDir,
}

/// What a run of the program did.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// What a command said that had to succeed.
#[track_caller]
pub fn done(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    ran
}

impl Lab<'static> {
    /// A lab on the shared clusters.
    pub fn new(name: &str) -> Self {
        let (source, target) = clusters();
        Self::on(source, target, name)
    }
}

impl<'a> Lab<'a> {
    /// A lab on clusters of the test's own.
    pub fn on(source: &'a Cluster, target: &'a Cluster, name: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{name}_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        source.sql("postgres", &format!("CREATE DATABASE \"{name}\" TEMPLATE template0 OWNER app"));
        let folder = tempfile::Builder::new().prefix("restage-lab-").tempdir().expect("temporary folder");
        let lab = Self { source, target, name, folder };
        let made = lab.restage_plain(&["key", "new", "--out", &lab.path(KEY).display().to_string()]);
        assert_eq!(made.code, 0, "{made:?}");
        // A test may call its database what it likes, and what production is called too.
        lab.config_with("", "allow_prod_name = true", "[policy]\nundecided = \"refuse\"\n");
        let marked = lab.restage(&["init-target", "--yes"]);
        assert_eq!(marked.code, 0, "{marked:?}");
        lab.config("[policy]\nundecided = \"refuse\"\n");
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs SQL in the source database as its owner, and lets `reader` read everything there.
    #[track_caller]
    pub fn seed(&self, sql: &str) {
        self.source.sql_as("app", &self.name, sql);
        self.grant();
    }

    /// Lets `reader` read everything that exists now.
    #[track_caller]
    pub fn grant(&self) {
        self.source.sql(
            &self.name,
            "SELECT format('GRANT USAGE ON SCHEMA %1$I TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO reader; \
             GRANT SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO reader', nspname) FROM pg_namespace \
             WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \\gexec",
        );
    }

    /// Writes `restage.toml`: source, target and key of the lab, then `rest`.
    pub fn config(&self, rest: &str) {
        self.config_with("", "", rest);
    }

    /// As [`Lab::config`], with more lines for `[source]` and `[target]`.
    pub fn config_with(&self, source: &str, target: &str, rest: &str) {
        let text = format!(
            "version = 1\n\n[source]\nurl = \"{}\"\n{source}\n\n[target]\nurl = \"{}\"\nconfirm = \"{}\"\n{target}\n\n\
             [key]\nfile = \"{KEY}\"\nrealm = \"test\"\n\n{rest}",
            self.source.url("reader", &self.name),
            self.target.url("restage", &self.name),
            self.name,
        );
        std::fs::write(self.path("restage.toml"), text).expect("write");
    }

    /// The program with the lab's configuration, in the lab's folder; not started yet.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_restage"));
        command.current_dir(self.folder.path()).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
        // A digit: nobody in the dictionaries of names is called so.
        command.env("USER", "t3ster").env("HOME", self.folder.path()).stdin(Stdio::null());
        command.args(args);
        command
    }

    #[track_caller]
    pub fn restage(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().expect("restage runs"))
    }

    fn restage_plain(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().expect("restage runs"))
    }

    /// Refreshes and expects success.
    #[track_caller]
    pub fn refresh(&self) -> Ran {
        let ran = self.restage(&["refresh"]);
        assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
        ran
    }

    /// SQL in the live staging database.
    #[track_caller]
    pub fn staging(&self, sql: &str) -> String {
        self.target.sql(&self.name, sql)
    }

    /// SQL in the source database.
    #[track_caller]
    pub fn production(&self, sql: &str) -> String {
        self.source.sql(&self.name, sql)
    }

    /// Databases of this lab on the target.
    pub fn databases(&self) -> Vec<String> {
        self.target.databases().into_iter().filter(|name| name.starts_with(&self.name)).collect()
    }

    /// What `pg_dump | pg_restore` into a database from template0 gives on the target: the oracle of an identity refresh.
    #[track_caller]
    pub fn oracle(&self) -> String {
        let copy = format!("{}_oracle", self.name);
        self.target.sql("postgres", &format!("CREATE DATABASE \"{copy}\" TEMPLATE template0 OWNER restage"));
        let dump = self
            .source
            .client("pg_dump", "postgres", &self.name)
            .args(["-Fc", "--no-owner", "--no-publications", "--no-subscriptions"])
            .output()
            .expect("pg_dump");
        assert!(dump.status.success(), "{}", String::from_utf8_lossy(&dump.stderr));
        let file = self.path("oracle.dump");
        std::fs::write(&file, dump.stdout).expect("write");
        let restored = self
            .target
            .client("pg_restore", "restage", &copy)
            .args(["--no-owner", "-d", &copy])
            .arg(&file)
            .output()
            .expect("pg_restore");
        assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
        let text = self.target.dump(&copy);
        self.target.sql("postgres", &format!("DROP DATABASE \"{copy}\""));
        text
    }
}

pub fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
