//! Connection strings as libpq reads them, without libpq.
//!
//! URI and keyword/value spellings, `PG*` variables, password and service files, several hosts. Differences from libpq,
//! each on the side of safety: what we cannot honor (`requirepeer`, `require_auth`, `sslcrl`, GSS) is refused instead of
//! ignored; an explicitly named certificate file that is missing is an error; mistakes are told by position, because
//! what stands at a mistake is often a piece of a password.

mod environment;
mod files;
mod syntax;
#[cfg(test)]
mod tests;

pub use environment::Environment;

use crate::error::{Diagnose, Exit, Report};
use files::PassFile;
use secrecy::{ExposeSecret, SecretString};
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use syntax::Parameters;

/// The port of a server that says nothing else.
const PORT_DEFAULT: u16 = 5432;

/// How long one connection attempt may take when nothing is said; libpq waits for ever, a nightly job must not.
const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// Everything needed to reach a database. Debug and [`Conninfo::describe`] never show a secret.
#[derive(Clone)]
pub struct Conninfo {
    /// In the order they are tried; never empty.
    pub hosts: Vec<HostSpec>,
    pub user: String,
    pub database: String,
    pub tls: TlsSettings,
    pub channel_binding: ChannelBinding,
    pub target_session_attrs: TargetSessionAttrs,
    /// Try the hosts in random order.
    pub load_balance: bool,
    /// Per host address, including TLS and login. `None` is no limit (`connect_timeout=0`). Default 30 s.
    pub connect_timeout: Option<Duration>,
    pub keepalives: Keepalives,
    /// `options=-c …`, handed to the server as it is.
    pub options: Option<String>,
    pub application_name: Option<String>,
    password: Option<SecretString>,
    passfile: Arc<PassFile>,
    passfile_path: Option<PathBuf>,
    /// The user named the password file.
    passfile_asked: bool,
    /// Directories for which the password file says `localhost`.
    socket_directories: Vec<PathBuf>,
    warnings: Vec<String>,
}

/// One server to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSpec {
    pub host: Host,
    /// Where to connect instead of looking the name up; the name is still the one in the certificate.
    pub address: Option<IpAddr>,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Name(String),
    /// The directory of a Unix socket.
    Socket(PathBuf),
}

/// What TLS has to prove. The order is from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl SslMode {
    const NAMES: &'static [(&'static str, SslMode)] = &[
        ("disable", SslMode::Disable),
        ("allow", SslMode::Allow),
        ("prefer", SslMode::Prefer),
        ("require", SslMode::Require),
        ("verify-ca", SslMode::VerifyCa),
        ("verify-full", SslMode::VerifyFull),
    ];

    pub fn name(self) -> &'static str {
        name_of(Self::NAMES, self)
    }
}

/// The certificates that may sign the server's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootCert {
    /// Nothing is trusted: only encryption is asked for.
    None,
    File(PathBuf),
    /// The operating system's trust store.
    System,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    pub mode: SslMode,
    pub root: RootCert,
    /// PEM files of the client certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Start TLS without asking first (PostgreSQL 17).
    pub direct: bool,
    /// Tell the server's name in the handshake.
    pub sni: bool,
    /// Refuse TLS 1.2.
    pub tls13_only: bool,
    /// Refuse TLS 1.3.
    pub tls12_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChannelBinding {
    Disable,
    Prefer,
    Require,
}

impl ChannelBinding {
    const NAMES: &'static [(&'static str, ChannelBinding)] = &[
        ("disable", ChannelBinding::Disable),
        ("prefer", ChannelBinding::Prefer),
        ("require", ChannelBinding::Require),
    ];
}

/// Which of several servers is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetSessionAttrs {
    Any,
    ReadWrite,
    ReadOnly,
    Primary,
    Standby,
    PreferStandby,
}

impl TargetSessionAttrs {
    const NAMES: &'static [(&'static str, TargetSessionAttrs)] = &[
        ("any", TargetSessionAttrs::Any),
        ("read-write", TargetSessionAttrs::ReadWrite),
        ("read-only", TargetSessionAttrs::ReadOnly),
        ("primary", TargetSessionAttrs::Primary),
        ("standby", TargetSessionAttrs::Standby),
        ("prefer-standby", TargetSessionAttrs::PreferStandby),
    ];

    pub fn name(self) -> &'static str {
        name_of(Self::NAMES, self)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Keepalives {
    pub on: bool,
    pub idle: Option<Duration>,
    pub interval: Option<Duration>,
    pub count: Option<u32>,
    pub user_timeout: Option<Duration>,
}

/// Why a connection string cannot be used. Never holds a part of it that could be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConninfoError {
    #[error("connection string is empty")]
    Empty,
    #[error("connection string is a URI of another scheme")]
    Scheme,
    #[error("connection string has an unknown parameter `{name}` at character {position}")]
    UnknownKey { name: String, nearest: &'static str, position: usize },
    #[error("connection string has an unknown parameter at character {position}")]
    StrangeKey { position: usize },
    #[error("connection string lacks a `=` after the parameter at character {position}")]
    MissingEquals { position: usize },
    #[error("connection string has two `=` in the parameter at character {position}")]
    ExtraEquals { position: usize },
    #[error("connection string has a quote that is never closed, at character {position}")]
    UnterminatedQuote { position: usize },
    #[error("connection string has a `%` that is not followed by two hexadecimal digits, near character {position}")]
    Percent { position: usize },
    #[error("connection string has a broken IPv6 address in brackets, at character {position}")]
    Ipv6Bracket { position: usize },
    #[error("connection string has a port that is not a number, at character {position}")]
    UriPort { position: usize },
    #[error("connection string has an `@` where a host or database name belongs, near character {position}")]
    StrayAt { position: usize },
    #[error("connection parameter `{key}` has a value that is not allowed")]
    Value { key: &'static str, expected: String },
    #[error("connection string names {hosts} hosts and {others} values of `{key}`")]
    Count { key: &'static str, hosts: usize, others: usize },
    #[error("connection parameter `{key}` is not supported")]
    Unsupported { key: &'static str, instead: &'static str },
    #[error("connection parameter `{key}` does not go with sslmode={mode}")]
    WeakMode { key: &'static str, mode: &'static str },
    #[error("connection string names no user and the operating system's user has no name")]
    NoUser,
    #[error("service file {path} does not exist", path = path.display())]
    ServiceFileMissing { path: PathBuf },
    #[error("service file {path} cannot be read", path = path.display())]
    ServiceUnreadable { path: PathBuf, source: std::io::Error },
    #[error("service file {path} cannot be understood in line {line}", path = path.display())]
    ServiceSyntax { path: PathBuf, line: usize },
    #[error("service file {path} has an unknown parameter `{name}` in line {line}", path = path.display())]
    ServiceKey { path: PathBuf, line: usize, name: String, nearest: &'static str },
    #[error("service `{service}` is not defined")]
    ServiceMissing { service: String, searched: Vec<PathBuf> },
}

impl Diagnose for ConninfoError {
    fn exit(&self) -> Exit {
        Exit::Usage
    }

    fn reports(&self) -> Vec<Report> {
        let report = Report::new("config::connection-string", self.to_string());
        let hint = match self {
            Self::Empty => "Write `postgres://user@host/database`, or `env` to use the PG* variables alone.".to_owned(),
            Self::Scheme => "Start it with `postgres://` or `postgresql://`.".to_owned(),
            Self::UnknownKey { nearest, .. } | Self::ServiceKey { nearest, .. } => format!("Did you mean `{nearest}`?"),
            Self::StrangeKey { .. } | Self::MissingEquals { .. } | Self::UnterminatedQuote { .. } => {
                r"Quote a value that has spaces, and put a backslash before `'` and `\` in it: password='it\'s secret'."
                    .to_owned()
            }
            Self::ExtraEquals { .. } => "Write `%3D` for a `=` inside a value.".to_owned(),
            Self::Percent { .. } => "Write `%25` for a `%` that is part of a name or password.".to_owned(),
            Self::Ipv6Bracket { .. } => "Write it like `postgres://user@[::1]:5432/database`.".to_owned(),
            Self::UriPort { .. } | Self::StrayAt { .. } => {
                "In a user name or password write `%40` for `@`, `%2F` for `/` and `%3A` for `:`.".to_owned()
            }
            Self::Value { key, expected } => format!("Set {key} to {expected}."),
            Self::Count { key, .. } => format!("Give one {key} for all hosts or one for each."),
            Self::Unsupported { instead, .. } => (*instead).to_owned(),
            Self::WeakMode { .. } => "Set sslmode=verify-full.".to_owned(),
            Self::NoUser => "Add the user: `postgres://user@host/database`.".to_owned(),
            Self::ServiceFileMissing { .. } | Self::ServiceUnreadable { .. } => {
                "Check PGSERVICEFILE, the `servicefile` parameter and the file's mode.".to_owned()
            }
            Self::ServiceSyntax { .. } => "Lines are `[service]`, `parameter=value` or start with `#`.".to_owned(),
            Self::ServiceMissing { service, searched } if searched.is_empty() => {
                format!("No service file exists. Write ~/.pg_service.conf with a line `[{service}]`.")
            }
            Self::ServiceMissing { service, searched } => {
                let files: Vec<String> = searched.iter().map(|path| path.display().to_string()).collect();
                format!("Add `[{service}]` to {}.", files.join(" or "))
            }
        };
        let report = report.hint(hint);
        vec![match std::error::Error::source(self) {
            Some(source) => report.detail(source.to_string()),
            None => report,
        }]
    }
}

impl Conninfo {
    /// Reads a connection string with the defaults of an environment. `env` as the whole string means: the `PG*`
    /// variables alone.
    ///
    /// Order, as in libpq: the string, the service, the variables, the built-in defaults.
    ///
    /// # Errors
    /// [`ConninfoError`], which never quotes the string.
    pub fn parse(text: &str, env: &Environment) -> Result<Self, ConninfoError> {
        let mut parameters = match text.trim() {
            "" => return Err(ConninfoError::Empty),
            "env" => Parameters::default(),
            text => syntax::parse(text)?,
        };
        if let Some(service) = parameters.get("service").or_else(|| env.get("PGSERVICE")).map(str::to_owned)
            && !service.is_empty()
        {
            files::apply_service(&service, &mut parameters, env)?;
        }
        for (key, variable) in syntax::KEYS {
            if let Some(value) = variable.and_then(|variable| env.get(variable)) {
                parameters.set_default(key, value.to_owned());
            }
        }
        if !parameters.contains("sslmode") && env.get("PGREQUIRESSL").is_some_and(|value| value.starts_with('1')) {
            parameters.set_default("sslmode", "require".to_owned());
        }
        Self::resolve(&parameters, env)
    }

    fn resolve(parameters: &Parameters, env: &Environment) -> Result<Self, ConninfoError> {
        refuse_unsupported(parameters)?;
        let mut warnings = Vec::new();
        let user = parameters.get("user").or(env.user.as_deref()).ok_or(ConninfoError::NoUser)?.to_owned();
        let password = parameters.get("password").map(SecretString::from);
        let asked = parameters.get("passfile").map(PathBuf::from);
        let passfile_path = asked.clone().or_else(|| env.home.as_ref().map(|home| home.join(".pgpass")));
        let passfile = match &passfile_path {
            // A password in the string makes the file irrelevant, and its warnings noise.
            Some(path) if password.is_none() => PassFile::read(path, asked.is_some(), &mut warnings),
            _ => PassFile::default(),
        };
        Ok(Self {
            hosts: resolve_hosts(parameters, env)?,
            database: parameters.get("dbname").unwrap_or(&user).to_owned(),
            user,
            tls: resolve_tls(parameters, env, &mut warnings)?,
            channel_binding: choice(parameters, "channel_binding", ChannelBinding::NAMES, ChannelBinding::Prefer)?,
            target_session_attrs: choice(
                parameters,
                "target_session_attrs",
                TargetSessionAttrs::NAMES,
                TargetSessionAttrs::Any,
            )?,
            load_balance: choice(parameters, "load_balance_hosts", &[("disable", false), ("random", true)], false)?,
            connect_timeout: match integer(parameters, "connect_timeout")? {
                None => Some(CONNECT_TIMEOUT_DEFAULT),
                Some(seconds) => positive(seconds).map(|seconds| Duration::from_secs(seconds.into())),
            },
            keepalives: resolve_keepalives(parameters)?,
            options: parameters.get("options").map(str::to_owned),
            application_name: parameters
                .get("application_name")
                .or_else(|| parameters.get("fallback_application_name"))
                .map(str::to_owned),
            password,
            passfile: Arc::new(passfile),
            passfile_path,
            passfile_asked: asked.is_some(),
            socket_directories: env.socket_directories.clone(),
            warnings,
        })
    }

    /// The password file that is looked into, as a shell names it.
    pub(super) fn passfile_shown(&self) -> String {
        match &self.passfile_path {
            Some(path) if self.passfile_asked => format!("'{}'", path.display().to_string().replace('\'', r"'\''")),
            _ => "~/.pgpass".to_owned(),
        }
    }

    /// Why the password file is not used although it is there.
    pub(super) fn passfile_ignored(&self) -> Option<&str> {
        self.warnings.iter().map(String::as_str).find(|warning| warning.starts_with("password file"))
    }

    /// What the user should know although the string can be used: an ignored password file, for one.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Tells whether the string or the environment holds a password, so that the string is none to show.
    pub fn password_given(&self) -> bool {
        self.password.is_some()
    }

    /// Returns the password for one of the hosts: the string's, or the first line of the password file that fits.
    ///
    /// # Panics
    /// If there is no such host.
    pub fn password(&self, host: usize) -> Option<SecretString> {
        if self.password.is_some() {
            return self.password.clone();
        }
        let spec = &self.hosts[host];
        self.passfile.find(&self.passfile_host(spec), spec.port, &self.database, &self.user)
    }

    /// The name under which a host stands in a password file.
    pub(super) fn passfile_host(&self, spec: &HostSpec) -> String {
        match &spec.host {
            Host::Socket(directory) if self.socket_directories.contains(directory) => "localhost".to_owned(),
            host => host.to_string(),
        }
    }

    /// Returns the same servers and login with another database. The password file is asked anew.
    #[must_use]
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// Returns the connection reduced to one of its hosts, for tools that must reach the same server.
    ///
    /// # Panics
    /// If there is no such host.
    #[must_use]
    pub fn pin(&self, host: usize) -> Self {
        Self { hosts: vec![self.hosts[host].clone()], ..self.clone() }
    }

    /// Returns `user@host:port/database`, without secrets.
    pub fn describe(&self) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(HostSpec::to_string).collect();
        format!("{}@{}/{}", self.user, hosts.join(","), self.database)
    }

    /// As [`Conninfo::child_environment`], with the application name that marks sessions of ours.
    pub fn child_environment_named(&self, application_name: &str) -> Vec<(OsString, OsString)> {
        let mut variables = self.child_environment();
        variables.retain(|(name, _)| name != "PGAPPNAME");
        variables.push(("PGAPPNAME".into(), application_name.into()));
        variables
    }

    /// Returns the variables that make `pg_dump` and `pg_restore` connect as we do, for a cleared environment.
    ///
    /// `options` are left out: they are for our sessions. Where no password is known the password file is named
    /// explicitly, because a cleared environment has no home directory.
    pub fn child_environment(&self) -> Vec<(OsString, OsString)> {
        let list = |of: &dyn Fn(&HostSpec) -> String| self.hosts.iter().map(of).collect::<Vec<_>>().join(",");
        let mut variables: Vec<(OsString, OsString)> = Vec::new();
        let mut set = |name: &str, value: OsString| variables.push((name.into(), value));
        set("PGHOST", list(&|spec| spec.host.to_string()).into());
        if self.hosts.iter().any(|spec| spec.address.is_some()) {
            set("PGHOSTADDR", list(&|spec| spec.address.map_or(String::new(), |ip| ip.to_string())).into());
        }
        set("PGPORT", list(&|spec| spec.port.to_string()).into());
        set("PGUSER", (&self.user).into());
        set("PGDATABASE", (&self.database).into());
        set("PGSSLMODE", self.tls.mode.name().into());
        match &self.tls.root {
            RootCert::None => {}
            RootCert::File(path) => set("PGSSLROOTCERT", path.into()),
            RootCert::System => set("PGSSLROOTCERT", "system".into()),
        }
        if let Some((certificate, key)) = &self.tls.client {
            set("PGSSLCERT", certificate.into());
            set("PGSSLKEY", key.into());
        }
        if self.tls.direct {
            set("PGSSLNEGOTIATION", "direct".into());
        }
        if !self.tls.sni {
            set("PGSSLSNI", "0".into());
        }
        if self.tls.tls13_only {
            set("PGSSLMINPROTOCOLVERSION", "TLSv1.3".into());
        }
        if self.tls.tls12_only {
            set("PGSSLMAXPROTOCOLVERSION", "TLSv1.2".into());
        }
        set("PGCHANNELBINDING", name_of(ChannelBinding::NAMES, self.channel_binding).into());
        set("PGTARGETSESSIONATTRS", self.target_session_attrs.name().into());
        set("PGCONNECT_TIMEOUT", self.connect_timeout.map_or(0, |timeout| timeout.as_secs()).to_string().into());
        // We never speak GSS; a child that tried it could end up on another path than ours.
        set("PGGSSENCMODE", "disable".into());
        let passwords: Vec<Option<SecretString>> = (0..self.hosts.len()).map(|host| self.password(host)).collect();
        let exposed = |password: &Option<SecretString>| password.as_ref().map(|p| p.expose_secret().to_owned());
        let first = passwords.first().and_then(exposed);
        match (first, &self.passfile_path) {
            (Some(password), _) if passwords.iter().all(|other| exposed(other).as_ref() == Some(&password)) => {
                set("PGPASSWORD", password.into());
                set("PGPASSFILE", "/dev/null".into());
            }
            (_, Some(path)) => set("PGPASSFILE", path.into()),
            (_, None) => set("PGPASSFILE", "/dev/null".into()),
        }
        variables
    }
}

impl fmt::Debug for Conninfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conninfo")
            .field("at", &self.describe())
            .field("sslmode", &self.tls.mode)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Conninfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.describe())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Socket(directory) => directory.display().fmt(f),
        }
    }
}

impl fmt::Display for HostSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Name(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// Refuses what would be a promise we do not keep.
fn refuse_unsupported(parameters: &Parameters) -> Result<(), ConninfoError> {
    let refused: &[(&'static str, &'static str)] = &[
        ("requirepeer", "Leave it out, and protect the directory of the socket instead."),
        ("require_auth", "Leave it out; use sslmode=verify-full, which proves the server's identity."),
        ("sslcrl", "Leave it out; certificates are not checked for revocation."),
        ("sslcrldir", "Leave it out; certificates are not checked for revocation."),
        ("sslkeylogfile", "Leave it out; TLS keys are never written."),
        ("scram_client_key", "Use a password or a client certificate."),
        ("scram_server_key", "Use a password or a client certificate."),
        ("replication", "Leave it out; restage uses ordinary sessions."),
        ("oauth_issuer", "Use a password or a client certificate."),
        ("oauth_client_id", "Use a password or a client certificate."),
        ("oauth_client_secret", "Use a password or a client certificate."),
        ("oauth_scope", "Use a password or a client certificate."),
    ];
    for (key, instead) in refused {
        if parameters.get(key).is_some() {
            return Err(ConninfoError::Unsupported { key, instead });
        }
    }
    if choice(parameters, "gssencmode", &[("disable", false), ("prefer", false), ("require", true)], false)? {
        let instead = "Use TLS: leave gssencmode out and set sslmode=verify-full.";
        return Err(ConninfoError::Unsupported { key: "gssencmode", instead });
    }
    if parameters.get("sslcertmode") == Some("require") {
        return Err(ConninfoError::Unsupported { key: "sslcertmode", instead: "Use sslcertmode=allow." });
    }
    Ok(())
}

fn resolve_hosts(parameters: &Parameters, env: &Environment) -> Result<Vec<HostSpec>, ConninfoError> {
    let list = |key: &str| parameters.get(key).map(|value| value.split(',').map(str::trim).collect::<Vec<_>>());
    let (names, addresses) = (list("host"), list("hostaddr"));
    let count = addresses.as_ref().or(names.as_ref()).map_or(1, Vec::len);
    if let Some(names) = &names
        && names.len() != count
    {
        return Err(ConninfoError::Count { key: "hostaddr", hosts: names.len(), others: count });
    }
    let ports = list("port").unwrap_or_else(|| vec![""]);
    if ports.len() != 1 && ports.len() != count {
        return Err(ConninfoError::Count { key: "port", hosts: count, others: ports.len() });
    }
    (0..count)
        .map(|index| {
            let port = port(if ports.len() == 1 { ports[0] } else { ports[index] })?;
            let address = match addresses.as_ref().map_or("", |addresses| addresses[index]) {
                "" => None,
                address => Some(address.parse::<IpAddr>().map_err(|_| ConninfoError::Value {
                    key: "hostaddr",
                    expected: "a numeric address such as 192.0.2.7 or 2001:db8::7".to_owned(),
                })?),
            };
            let host = match (names.as_ref().map_or("", |names| names[index]), address) {
                ("", Some(address)) => Host::Name(address.to_string()),
                ("", None) => Host::Socket(default_socket(env, port)),
                (name, _) if name.starts_with('/') => Host::Socket(name.into()),
                (name, _) if name.starts_with('@') => {
                    let instead = "Use the directory of an ordinary Unix socket.";
                    return Err(ConninfoError::Unsupported { key: "host", instead });
                }
                (name, _) => Host::Name(name.to_owned()),
            };
            // libpq connects to hostaddr even if host is a directory.
            let host = match (host, address) {
                (Host::Socket(_), Some(address)) => Host::Name(address.to_string()),
                (host, _) => host,
            };
            Ok(HostSpec { host, address, port })
        })
        .collect()
}

fn port(text: &str) -> Result<u16, ConninfoError> {
    if text.is_empty() {
        return Ok(PORT_DEFAULT);
    }
    text.parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| ConninfoError::Value { key: "port", expected: "a number from 1 to 65535".to_owned() })
}

/// Chooses the directory that has a socket of this port, else the first.
fn default_socket(env: &Environment, port: u16) -> PathBuf {
    let has_socket = |directory: &&PathBuf| directory.join(format!(".s.PGSQL.{port}")).exists();
    let directories = &env.socket_directories;
    directories.iter().find(has_socket).or(directories.first()).cloned().unwrap_or_else(|| "/tmp".into())
}

fn resolve_tls(
    parameters: &Parameters,
    env: &Environment,
    warnings: &mut Vec<String>,
) -> Result<TlsSettings, ConninfoError> {
    let personal = |name: &str| env.home.as_ref().map(|home| home.join(".postgresql").join(name));
    let existing = |name: &str| personal(name).filter(|path| path.exists());
    let root = match parameters.get("sslrootcert") {
        Some("system") => RootCert::System,
        Some(path) => RootCert::File(path.into()),
        None => existing("root.crt").map_or(RootCert::None, RootCert::File),
    };
    // Asking for the system's trust store means wanting a check; any public certificate passes without the name.
    let default = if root == RootCert::System { SslMode::VerifyFull } else { SslMode::Prefer };
    let mode = choice(parameters, "sslmode", SslMode::NAMES, default)?;
    if root == RootCert::System && mode != SslMode::VerifyFull {
        return Err(ConninfoError::WeakMode { key: "sslrootcert=system", mode: mode.name() });
    }
    let direct = choice(parameters, "sslnegotiation", &[("postgres", false), ("direct", true)], false)?;
    if direct && mode < SslMode::Require {
        return Err(ConninfoError::WeakMode { key: "sslnegotiation=direct", mode: mode.name() });
    }
    if mode >= SslMode::VerifyCa && existing("root.crl").is_some() {
        warnings.push("~/.postgresql/root.crl is ignored: certificates are not checked for revocation".to_owned());
    }
    let certificate = match parameters.get("sslcertmode") {
        Some("disable") => None,
        None | Some("allow") => parameters.get("sslcert").map(PathBuf::from).or_else(|| existing("postgresql.crt")),
        Some(_) => return Err(not_one_of("sslcertmode", &["disable", "allow"])),
    };
    let client = certificate.map(|certificate| {
        let key = parameters.get("sslkey").map(PathBuf::from).or_else(|| personal("postgresql.key"));
        let key = key.unwrap_or_else(|| certificate.with_extension("key"));
        (certificate, key)
    });
    const VERSIONS: &[(&str, u8)] = &[("TLSv1", 0), ("TLSv1.1", 1), ("TLSv1.2", 2), ("TLSv1.3", 3)];
    let lowest = choice(parameters, "ssl_min_protocol_version", VERSIONS, 2)?;
    let highest = choice(parameters, "ssl_max_protocol_version", VERSIONS, 3)?;
    if highest < 2 || highest < lowest {
        let instead = "Allow TLSv1.2 or TLSv1.3.";
        return Err(ConninfoError::Unsupported { key: "ssl_max_protocol_version", instead });
    }
    Ok(TlsSettings {
        mode,
        root,
        client,
        direct,
        sni: choice(parameters, "sslsni", &[("0", false), ("1", true)], true)?,
        tls13_only: lowest == 3,
        tls12_only: highest == 2,
    })
}

fn resolve_keepalives(parameters: &Parameters) -> Result<Keepalives, ConninfoError> {
    let number = |key| Ok(integer(parameters, key)?.and_then(positive));
    let seconds = |key| Ok(number(key)?.map(|seconds| Duration::from_secs(seconds.into())));
    Ok(Keepalives {
        on: integer(parameters, "keepalives")?.is_none_or(|value| value != 0),
        idle: seconds("keepalives_idle")?,
        interval: seconds("keepalives_interval")?,
        count: number("keepalives_count")?,
        user_timeout: number("tcp_user_timeout")?.map(|milliseconds| Duration::from_millis(milliseconds.into())),
    })
}

/// Zero and less mean "the default" in libpq.
fn positive(value: i32) -> Option<u32> {
    u32::try_from(value).ok().filter(|value| *value > 0)
}

fn integer(parameters: &Parameters, key: &'static str) -> Result<Option<i32>, ConninfoError> {
    let expected = || ConninfoError::Value { key, expected: "a whole number".to_owned() };
    parameters.get(key).map(|value| value.trim().parse().map_err(|_| expected())).transpose()
}

fn choice<T: Copy>(
    parameters: &Parameters,
    key: &'static str,
    names: &[(&'static str, T)],
    default: T,
) -> Result<T, ConninfoError> {
    let Some(text) = parameters.get(key) else { return Ok(default) };
    match names.iter().find(|(name, _)| *name == text) {
        Some((_, value)) => Ok(*value),
        None => Err(not_one_of(key, &names.iter().map(|(name, _)| *name).collect::<Vec<_>>())),
    }
}

fn not_one_of(key: &'static str, names: &[&str]) -> ConninfoError {
    ConninfoError::Value { key, expected: format!("one of {}", names.join(", ")) }
}

fn name_of<T: PartialEq>(names: &'static [(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, candidate)| *candidate == value).map_or("", |(name, _)| name)
}
