//! Why a session could not be opened, told to whoever has to fix it.

use super::super::conninfo::{Conninfo, Host, HostSpec, SslMode};
use super::super::problem::{SqlProblem, sql_error};
use super::super::tls::{self, TlsError};
use crate::error::{Diagnose, Exit, Report};
use std::error::Error;
use std::fmt;

/// Which end of a refresh a connection belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    Source,
    Target,
}

impl Side {
    pub fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }

    pub fn exit(self) -> Exit {
        match self {
            Self::Source => Exit::Source,
            Self::Target => Exit::Target,
        }
    }
}

/// One server and login, as it was tried. Shown as `user@host:port/database`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub host: HostSpec,
    pub user: String,
    pub database: String,
    pub mode: SslMode,
    /// The host as a password file names it.
    pub(super) passfile_host: String,
    pub(super) has_password: bool,
    /// The password file, as a shell names it.
    pub(super) passfile: String,
    /// Why it is ignored.
    pub(super) passfile_ignored: Option<String>,
}

impl Endpoint {
    pub(super) fn new(info: &Conninfo, host: usize) -> Self {
        let spec = &info.hosts[host];
        Self {
            host: spec.clone(),
            user: info.user.clone(),
            database: info.database.clone(),
            mode: info.tls.mode,
            passfile_host: info.passfile_host(spec),
            has_password: info.password(host).is_some(),
            passfile: info.passfile_shown(),
            passfile_ignored: info.passfile_ignored().map(str::to_owned),
        }
    }

    /// The line for the password file, with colons and backslashes escaped.
    fn passfile_line(&self) -> String {
        let escape = |text: &str| text.replace('\\', r"\\").replace(':', r"\:");
        let fields = [escape(&self.passfile_host), self.host.port.to_string()];
        format!("{}:{}:{}:PASSWORD", fields.join(":"), escape(&self.database), escape(&self.user))
    }

    fn psql(&self, database: &str) -> String {
        let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
        let host = quote(&self.host.host.to_string());
        format!("psql -h {host} -p {} -U {} -d {}", self.host.port, quote(&self.user), quote(database))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}/{}", self.user, self.host, self.database)
    }
}

/// How the reason starts when a name has no address.
pub(super) const LOOKUP_FAILED: &str = "the host name cannot be looked up";

/// Why no session was opened. The messages are those a server sends before any statement, so they hold no row.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ConnectError {
    #[error("{at} cannot be reached: {reason}")]
    Unreachable { at: Endpoint, reason: String },
    #[error("TLS with {at} failed: {reason}")]
    Tls { at: Endpoint, reason: String, hint: String },
    #[error("login to {at} failed: {message}")]
    Authentication { at: Endpoint, sqlstate: Option<String>, message: String },
    #[error("database \"{}\" does not exist on {}", at.database, at.host)]
    DatabaseMissing { at: Endpoint },
    #[error("{at} has no connection left: {message}")]
    TooManyConnections { at: Endpoint, message: String },
    #[error("{at} is a connection pooler, not a server")]
    Pooler { at: Endpoint, why: String },
    #[error("{at} did not answer within {seconds} s")]
    Timeout { at: Endpoint, seconds: u64 },
    #[error("{at} is not a {wanted} server")]
    WrongRole { at: Endpoint, wanted: &'static str },
    #[error("{at} refuses the session: {message}")]
    Rejected { at: Endpoint, sqlstate: String, message: String },
    /// Several hosts were tried and each failed.
    #[error("none of {} servers can be used", .0.len())]
    All(Vec<ConnectError>),
}

impl ConnectError {
    /// Sorts what the driver reports while a session is opened.
    pub(super) fn new(at: Endpoint, error: &tokio_postgres::Error) -> Self {
        if let Some(db) = error.as_db_error() {
            return Self::from_server(at, db.code().code(), db.message());
        }
        let host = at.host.host.to_string();
        if let Some(problem) = find_cause::<rustls::Error>(error) {
            let (reason, hint) = tls::explain(problem, &host);
            return Self::Tls { at, reason, hint };
        }
        let cause = error.source().map(ToString::to_string);
        let told = cause.clone().unwrap_or_else(|| error.to_string());
        // The driver does not publish the kind of an error, only its text.
        match error.to_string().as_str() {
            "error performing TLS handshake" => Self::from_handshake(at, told),
            "invalid configuration" if told == "password missing" => {
                let message = "the server asks for a password and none is known".to_owned();
                Self::Authentication { at, sqlstate: None, message }
            }
            "authentication error" => Self::Authentication { at, sqlstate: None, message: told },
            "connection closed" => {
                Self::Unreachable { at, reason: "the connection was closed before the login".to_owned() }
            }
            _ => {
                let reason = find_cause::<std::io::Error>(error).map_or(told, ToString::to_string);
                Self::Unreachable { at, reason }
            }
        }
    }

    fn from_server(at: Endpoint, sqlstate: &str, message: &str) -> Self {
        let message = message.to_owned();
        match sqlstate {
            "28000" | "28P01" => Self::Authentication { at, sqlstate: Some(sqlstate.to_owned()), message },
            "3D000" => Self::DatabaseMissing { at },
            "53300" => Self::TooManyConnections { at, message },
            sqlstate => Self::Rejected { at, sqlstate: sqlstate.to_owned(), message },
        }
    }

    fn from_handshake(at: Endpoint, told: String) -> Self {
        if told == "server does not support TLS" {
            let hint = "Set `ssl = on` on the server with ssl_cert_file and ssl_key_file.".to_owned();
            return Self::Tls { at, reason: "the server has TLS switched off".to_owned(), hint };
        }
        let hint = "Check host and port, and the server's log.".to_owned();
        Self::Tls { at, reason: told, hint }
    }

    pub(super) fn from_tls(at: Endpoint, error: &TlsError) -> Self {
        Self::Tls { at, reason: error.to_string(), hint: error.hint() }
    }

    /// Turns the failure of one of our own first statements into an error.
    pub(super) fn from_statement(at: Endpoint, error: &tokio_postgres::Error) -> Self {
        let SqlProblem { sqlstate, message, .. } = sql_error(error);
        match sqlstate.as_str() {
            "" => Self::Unreachable { at, reason: message.unwrap_or_default() },
            _ => Self::Rejected { at, message: message.unwrap_or_else(|| "no reason given".to_owned()), sqlstate },
        }
    }

    /// Whether another host may do better. Source: libpq tries the next one for these, and not after a failed login.
    pub(super) fn is_of_this_host_alone(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::WrongRole { .. } => true,
            Self::Rejected { sqlstate, .. } => sqlstate == "57P03",
            _ => false,
        }
    }

    /// Whether waiting and trying again may help: the server starts, is full, or was not reached.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::TooManyConnections { .. } => true,
            Self::Rejected { sqlstate, .. } => sqlstate.starts_with("57P") || sqlstate.starts_with("53"),
            Self::All(errors) => errors.iter().any(Self::is_transient),
            _ => false,
        }
    }

    /// Says which end of the refresh this happened at, which decides the exit code.
    pub fn at(self, side: Side) -> SessionError {
        SessionError { side, error: self }
    }

    /// Tells it to the user.
    pub fn report(&self, side: Side) -> Report {
        if let Self::All(errors) = self {
            return report_all(errors, side);
        }
        let report = Report::new(self.code(side), format!("{}: {self}", side.name()));
        let report = match self {
            Self::Authentication { sqlstate: Some(sqlstate), .. } | Self::Rejected { sqlstate, .. } => {
                report.detail(format!("SQLSTATE {sqlstate}"))
            }
            Self::Pooler { why, .. } => report.detail(why.clone()),
            _ => report,
        };
        report.hint(self.hint(side))
    }

    fn code(&self, side: Side) -> &'static str {
        let source = side == Side::Source;
        let pick = |of_source, of_target| if source { of_source } else { of_target };
        match self {
            Self::Unreachable { .. } | Self::All(_) => pick("source::unreachable", "target::unreachable"),
            Self::Tls { .. } => pick("source::tls", "target::tls"),
            Self::Authentication { .. } => pick("source::authentication", "target::authentication"),
            Self::DatabaseMissing { .. } => pick("source::database-missing", "target::database-missing"),
            Self::TooManyConnections { .. } => pick("source::too-many-connections", "target::too-many-connections"),
            Self::Pooler { .. } => pick("source::pooler", "target::pooler"),
            Self::Timeout { .. } => pick("source::timeout", "target::timeout"),
            Self::WrongRole { .. } => pick("source::wrong-role", "target::wrong-role"),
            Self::Rejected { .. } => pick("source::rejected", "target::rejected"),
        }
    }

    fn hint(&self, side: Side) -> String {
        match self {
            Self::Unreachable { at, reason } => match &at.host.host {
                Host::Socket(directory) => {
                    format!(
                        "Is the server running here? Its socket is {}/.s.PGSQL.{}.",
                        directory.display(),
                        at.host.port
                    )
                }
                Host::Name(name) if reason.starts_with(LOOKUP_FAILED) => {
                    format!("Check the spelling, and ask the resolver: getent hosts {name}")
                }
                Host::Name(name) => {
                    format!("Check that it listens there: pg_isready -h {name} -p {}", at.host.port)
                }
            },
            Self::Tls { hint, .. } => hint.clone(),
            Self::Authentication { at, sqlstate, message } => login_hint(at, sqlstate.as_deref(), message),
            Self::DatabaseMissing { at } => format!("See which databases exist: {} -l", at.psql("postgres")),
            // A limit of the database itself, which no setting of ours and of the server moves.
            Self::TooManyConnections { at, message } if message.contains("for database") => format!(
                "ALTER DATABASE {0} CONNECTION LIMIT -1;     -- or more than SELECT datconnlimit FROM pg_database WHERE datname = {1}",
                quote_identifier(&at.database),
                crate::pg::quote_literal(&at.database)
            ),
            Self::TooManyConnections { .. } => match side {
                Side::Source => "Lower `workers` in [source], or raise max_connections or the role's limit.".to_owned(),
                Side::Target => "Lower `jobs` in [target], or raise max_connections or the role's limit.".to_owned(),
            },
            Self::Pooler { .. } => {
                "Use the direct port of the server (usually 5432), not the pooler's: a snapshot belongs to one \
                 server session."
                    .to_owned()
            }
            Self::Timeout { at, .. } => {
                format!("A firewall may drop the packets to port {}. More time: connect_timeout=60.", at.host.port)
            }
            Self::WrongRole { .. } => "Name the server you want, or change target_session_attrs.".to_owned(),
            Self::Rejected { sqlstate, .. } if sqlstate == "57P03" => {
                "The server is starting, stopping, or recovering from a crash; try again when it takes connections. If it \
                 went away during the run, its log says why: a full disk of its WAL (pg_wal) ends it like this."
                    .to_owned()
            }
            // At this point no other right is asked for.
            Self::Rejected { at, sqlstate, .. } if sqlstate == "42501" => {
                let (database, role) = (quote_identifier(&at.database), quote_identifier(&at.user));
                format!("GRANT CONNECT ON DATABASE {database} TO {role};")
            }
            Self::Rejected { at, .. } => format!("Try it by hand: {}", at.psql(&at.database)),
            Self::All(_) => String::new(),
        }
    }
}

/// What to do about a refused login.
fn login_hint(at: &Endpoint, sqlstate: Option<&str>, message: &str) -> String {
    let passfile = match &at.passfile_ignored {
        Some(why) => format!("The {why}"),
        None => {
            let line = at.passfile_line().replace('\'', r"'\''");
            format!("echo '{line}' >> {0} && chmod 600 {0}", at.passfile)
        }
    };
    if sqlstate == Some("28P01") && at.has_password {
        return format!("Check the password. Its line in {}: {}", at.passfile, at.passfile_line());
    }
    if sqlstate.is_none() && message.contains("none is known") {
        return passfile;
    }
    if message.contains("channel binding") {
        return "Use TLS and a SCRAM password on the server, or set channel_binding=prefer.".to_owned();
    }
    if message.contains("pg_hba.conf") {
        let kind = match (&at.host.host, at.mode) {
            (Host::Socket(_), _) => "local",
            (_, mode) if mode >= SslMode::Require => "hostssl",
            _ => "host",
        };
        let address = message.split_once("host \"").and_then(|(_, rest)| rest.split_once('"'));
        let address = match (kind, address) {
            ("local", _) => String::new(),
            (_, Some((ip, _))) => format!(" {ip}/{}", if ip.contains(':') { 128 } else { 32 }),
            (_, None) => " ADDRESS/32".to_owned(),
        };
        let (database, user) = (hba_name(&at.database), hba_name(&at.user));
        return format!("Add to pg_hba.conf and reload: {kind} {database} {user}{address} scram-sha-256");
    }
    if message.contains("not permitted to log in") {
        return format!("ALTER ROLE {} LOGIN;", quote_identifier(&at.user));
    }
    if message.contains("certificate") {
        return "Add `sslcert=client.crt sslkey=client.key`; the certificate's common name must be the role."
            .to_owned();
    }
    if message.contains("does not exist") {
        let create = format!("CREATE ROLE {} LOGIN PASSWORD '…';", quote_identifier(&at.user));
        return format!("Check the spelling of the user in `url`, or make the role:\n{create}");
    }
    if !at.has_password {
        return passfile;
    }
    format!("Try it by hand: {}", at.psql(&at.database))
}

fn hba_name(name: &str) -> String {
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain && !["all", "sameuser", "samerole", "replication"].contains(&name) {
        name.to_owned()
    } else {
        format!("\"{name}\"")
    }
}

fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Tells of several hosts at once; the one that says most comes first.
fn report_all(errors: &[ConnectError], side: Side) -> Report {
    let all = errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    let telling = errors.iter().find(|error| !matches!(error, ConnectError::Unreachable { .. })).or(errors.last());
    match telling {
        Some(error) => {
            let mut report = error.report(side);
            report.message = format!("{}: none of {} servers can be used", side.name(), errors.len());
            report.detail(all)
        }
        None => Report::new("source::unreachable", format!("{}: no server is named", side.name())),
    }
}

fn find_cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(found) = cause.downcast_ref::<T>() {
            return Some(found);
        }
        // An io::Error shows its payload's source, not the payload.
        if let Some(payload) = cause.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref())
            && let Some(found) = payload.downcast_ref::<T>()
        {
            return Some(found);
        }
        next = cause.source();
    }
    None
}

/// A [`ConnectError`] that knows its side and so its exit code.
#[derive(Debug, Clone)]
pub struct SessionError {
    pub side: Side,
    pub error: ConnectError,
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.side.name(), self.error)
    }
}

impl Error for SessionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

impl Diagnose for SessionError {
    fn exit(&self) -> Exit {
        self.side.exit()
    }

    fn reports(&self) -> Vec<Report> {
        vec![self.error.report(self.side)]
    }
}
