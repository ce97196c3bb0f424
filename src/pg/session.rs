//! Sessions: a client, the task that drives its connection, and the settings every session of ours has.
//!
//! [`SourceSession`] and [`TargetSession`] are different types, so that no write can be sent to a source by mistake.

mod cancel_key;
mod error;
mod socket;
mod tap;
#[cfg(test)]
mod tests;

pub use error::{ConnectError, Endpoint, SessionError, Side};
pub use tap::Wire;

use super::conninfo::{ChannelBinding, Conninfo, Host, HostSpec, Keepalives, SslMode, TargetSessionAttrs};
use super::problem::{SqlProblem, sql_error};
use super::tls;
use super::types::Format;
use crate::buffers::Buffers;
use futures_util::Stream;
use secrecy::ExposeSecret;
use socket::{Address, Socket};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tap::{End, Tap, TapHandle, TapTls};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::{
    AsyncMessage, CancelToken, Client, Connection, CopyOutStream, SimpleQueryMessage, SimpleQueryRow,
};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Notices kept per session; a trigger that raises one per row must not fill the memory.
const NOTICES_MAX: usize = 1000;

/// How long a goodbye or a cancel request may take.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// A message the server sent beside its results.
#[derive(Clone, PartialEq, Eq)]
pub struct Notice {
    /// `WARNING`, `NOTICE`, `INFO`, …
    pub severity: String,
    pub sqlstate: String,
    /// The text; never kept on a source, where a function may quote a row in it.
    pub message: Option<String>,
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.severity, self.sqlstate)
    }
}

/// What the driving task leaves for the session.
#[derive(Default)]
struct Mailbox {
    notices: Vec<Notice>,
    /// Notices beyond [`NOTICES_MAX`].
    dropped: u64,
    /// Why the connection ended, if it was not us.
    end: Option<SqlProblem>,
    keep_texts: bool,
}

/// An open session with a server.
///
/// Dropping it cuts the connection at once, whatever it is doing: the server rolls back. [`Session::close`] says goodbye.
pub struct Session {
    client: Client,
    task: Driver,
    mailbox: Arc<Mutex<Mailbox>>,
    tap: TapHandle,
    canceler: Canceler,
    endpoint: Endpoint,
    host_index: usize,
    facts: Facts,
}

/// The task that moves the bytes of a connection; it ends with its session, or a forgotten COPY would be read to its end.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a server says of itself when a session starts.
#[derive(Debug, Clone, Copy)]
struct Facts {
    pid: i32,
    version_num: u32,
    in_recovery: bool,
    read_only: bool,
    encrypted: bool,
}

impl Session {
    /// Opens a session with the first server that answers and has the wanted role.
    ///
    /// # Errors
    /// [`ConnectError`]; after a failed login no other host is tried, as in libpq.
    pub async fn connect(info: &Conninfo, application_name: &str) -> Result<Self, ConnectError> {
        Self::open(info, application_name, true).await
    }

    /// `keep_texts` says whether the texts of notices may be kept.
    async fn open(info: &Conninfo, application_name: &str, keep_texts: bool) -> Result<Self, ConnectError> {
        let wanted: &[TargetSessionAttrs] = match info.target_session_attrs {
            TargetSessionAttrs::PreferStandby => &[TargetSessionAttrs::Standby, TargetSessionAttrs::Any],
            _ => std::slice::from_ref(&info.target_session_attrs),
        };
        let connector = match info.tls.mode {
            SslMode::Disable => None,
            _ if info.hosts.iter().all(|spec| matches!(spec.host, Host::Socket(_))) => None,
            _ => Some(
                tls::connector(&info.tls).map_err(|error| ConnectError::from_tls(Endpoint::new(info, 0), &error))?,
            ),
        };
        let mut failures = Vec::new();
        for wanted in wanted {
            failures.clear();
            for host_index in order(info) {
                let attempt = Attempt { info, application_name, connector: &connector, host_index, keep_texts };
                match attempt.host(*wanted).await {
                    Ok(session) => return Ok(session),
                    Err(error) if error.is_of_this_host_alone() => failures.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        Err(match failures.pop() {
            Some(error) if failures.is_empty() => error,
            last => {
                failures.extend(last);
                ConnectError::All(failures)
            }
        })
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    /// For the driver's own transactions.
    pub fn client_mut(&mut self) -> &mut Client {
        &mut self.client
    }

    /// The process id of the server's backend.
    pub fn pid(&self) -> i32 {
        self.facts.pid
    }

    /// `server_version_num`: 150004 is 15.4.
    pub fn version_num(&self) -> u32 {
        self.facts.version_num
    }

    /// The server is a standby (as of the start of the session).
    pub fn in_recovery(&self) -> bool {
        self.facts.in_recovery
    }

    /// The session is encrypted; `prefer` and `allow` do not promise it.
    pub fn encrypted(&self) -> bool {
        self.facts.encrypted
    }

    /// Where this session is.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Which host of the connection string answered, for [`Conninfo::pin`].
    pub fn host_index(&self) -> usize {
        self.host_index
    }

    /// Asks the server to stop the statement of this session. Errors are ignored: the answer shows in the statement.
    pub async fn cancel(&self) {
        self.canceler.cancel().await;
    }

    /// Returns a handle that can cancel this session from another task.
    pub fn canceler(&self) -> Canceler {
        self.canceler.clone()
    }

    /// Takes the notices since the last call, at most 1000, and one that says how many more there were.
    pub fn take_notices(&self) -> Vec<Notice> {
        let mut mailbox = lock(&self.mailbox);
        let mut notices = std::mem::take(&mut mailbox.notices);
        let dropped = std::mem::take(&mut mailbox.dropped);
        if dropped > 0 {
            let message = Some(format!("{dropped} more notices were not kept"));
            notices.push(Notice { severity: "NOTICE".to_owned(), sqlstate: "00000".to_owned(), message });
        }
        notices
    }

    /// Runs `COPY … TO STDOUT` and returns its rows in pieces of about `piece_bytes` bytes, whole rows each.
    ///
    /// Memory: two pieces wait, then the server is not read from until one is taken. One COPY at a time; a session whose
    /// COPY was not taken to its end is to be dropped, or the rest would be read.
    ///
    /// # Errors
    /// The error of the server.
    pub async fn copy_out(
        &self,
        sql: &str,
        format: Format,
        piece_bytes: usize,
        buffers: &Buffers,
    ) -> Result<CopyOut<'_>, tokio_postgres::Error> {
        let statement = self.client.prepare(sql).await?;
        self.tap.open(format, piece_bytes, buffers);
        let mut copy = CopyOut { tap: &self.tap, stream: None };
        copy.stream = Some(Box::pin(self.client.copy_out(&statement).await?));
        Ok(copy)
    }

    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// Why the connection ended although we did not close it.
    pub fn end(&self) -> Option<SqlProblem> {
        lock(&self.mailbox).end.clone()
    }

    /// Says goodbye and waits until the connection is down, at most 5 s.
    pub async fn close(self) {
        let Self { client, mut task, .. } = self;
        drop(client);
        // When the time is up the driver is dropped, which cuts the connection.
        let _ = tokio::time::timeout(FAREWELL_TIMEOUT, &mut task.0).await;
    }

    /// Runs a batch of our own statements that no row can influence.
    async fn prepare(&self, sql: &str) -> Result<(), ConnectError> {
        let failed = |error| ConnectError::from_statement(self.endpoint.clone(), &error);
        self.client.batch_execute(sql).await.map_err(failed)
    }
}

/// A session that only reads: every transaction in it is READ ONLY unless it says otherwise.
pub struct SourceSession(Session);

impl SourceSession {
    /// Opens a read-only session whose backend notices within 10 s that we are gone.
    ///
    /// # Errors
    /// [`SessionError`] with exit code 4; a pooler is refused.
    pub async fn connect(info: &Conninfo, application_name: &str) -> Result<Self, SessionError> {
        let open = async {
            let session = Session::open(info, application_name, false).await?;
            let settings = session_settings(session.version_num());
            session.prepare(&format!("{settings}; SET default_transaction_read_only = on")).await?;
            if session.version_num() >= 140_000 {
                // Not every platform can do it (22023); then a dead client is noticed by TCP alone.
                let _ = session.client.batch_execute("SET client_connection_check_interval = '10s'").await;
            }
            Ok(Self(session))
        };
        open.await.map_err(|error: ConnectError| error.at(Side::Source))
    }

    /// See [`Session::close`].
    pub async fn close(self) {
        self.0.close().await;
    }

    pub fn client_mut(&mut self) -> &mut Client {
        self.0.client_mut()
    }
}

impl Deref for SourceSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

/// A session that may write.
pub struct TargetSession(Session);

impl TargetSession {
    /// Opens a session with the target.
    ///
    /// # Errors
    /// [`SessionError`] with exit code 5; a pooler is refused.
    pub async fn connect(info: &Conninfo, application_name: &str) -> Result<Self, SessionError> {
        let open = async {
            let session = Session::connect(info, application_name).await?;
            session.prepare(&session_settings(session.version_num())).await?;
            // The lock and the statements of a run that was killed end with it, or the next run would find them.
            let _ = session.client.batch_execute("SET client_connection_check_interval = '1s'").await;
            Ok(Self(session))
        };
        open.await.map_err(|error: ConnectError| error.at(Side::Target))
    }

    /// See [`Session::close`].
    pub async fn close(self) {
        self.0.close().await;
    }

    pub fn client_mut(&mut self) -> &mut Client {
        self.0.client_mut()
    }
}

impl Deref for TargetSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

/// A COPY whose rows arrive.
pub struct CopyOut<'a> {
    tap: &'a TapHandle,
    /// Tells the end and errors; rows do not come this way. None after the end.
    stream: Option<Pin<Box<CopyOutStream>>>,
}

/// Why a COPY gave no further rows.
#[derive(Debug)]
pub enum CopyError {
    /// The server's error, and the rows that came before it and were not taken.
    Server { error: tokio_postgres::Error, rows: u64 },
    /// The binary format's header or trailer is missing.
    Broken,
}

impl CopyOut<'_> {
    /// The next rows; none at the end, which the server has confirmed.
    ///
    /// # Errors
    /// [`CopyError`]; rows that came before may have been sent by a server that failed later.
    pub async fn next(&mut self) -> Result<Option<Wire>, CopyError> {
        poll_fn(|context| self.poll_next(context)).await
    }

    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Option<Wire>, CopyError>> {
        if let Some(wire) = self.tap.poll_piece(context) {
            return Poll::Ready(Ok(Some(wire)));
        }
        if let Some(stream) = &mut self.stream {
            match ready!(stream.as_mut().poll_next(context)) {
                None => self.stream = None,
                Some(Err(error)) => {
                    let rows = std::iter::from_fn(|| self.tap.rest().0).map(|wire| wire.rows).sum();
                    return Poll::Ready(Err(CopyError::Server { error, rows }));
                }
                // Every row goes through the tap.
                Some(Ok(_)) => return Poll::Ready(Err(CopyError::Broken)),
            }
        }
        Poll::Ready(match self.tap.rest() {
            (Some(wire), _) => Ok(Some(wire)),
            (None, End::Whole) => Ok(None),
            (None, End::Broken) => Err(CopyError::Broken),
        })
    }
}

impl Drop for CopyOut<'_> {
    fn drop(&mut self) {
        self.tap.close();
    }
}

/// TLS for one connection with the host of this name.
fn encrypt_with(
    tls: &MakeRustlsConnect,
    host: &str,
) -> Result<<MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect, Box<dyn std::error::Error + Send + Sync>> {
    MakeTlsConnect::<Socket>::make_tls_connect(&mut tls.clone(), host).map_err(Into::into)
}

/// Stops the statement of one session, from anywhere.
#[derive(Clone)]
pub struct Canceler {
    token: CancelToken,
    address: Address,
    /// With the name that certificates are checked against.
    tls: Option<(MakeRustlsConnect, String)>,
}

impl Canceler {
    /// Sends the request; gives up after 5 s.
    pub async fn cancel(&self) {
        let request = async {
            let socket = Socket::connect(&self.address, &Keepalives::default()).await.ok()?;
            match &self.tls {
                Some((tls, host)) => {
                    let tls = encrypt_with(tls, host).ok()?;
                    self.token.cancel_query_raw(socket, tls).await.ok()
                }
                None => self.token.cancel_query_raw(socket, NoTls).await.ok(),
            }
        };
        let _ = tokio::time::timeout(FAREWELL_TIMEOUT, request).await;
    }
}

/// The settings of POSTGRES section 2 as (name, value, first version that knows it), apart from `lock_timeout`.
///
/// They make every value's text the same on all servers, switch filtering by row security into an error, and keep
/// one chunk from costing the source more than one process and a ring buffer.
const SETTINGS: &[(&str, &str, u32)] = &[
    ("search_path", "''", 0),
    ("client_encoding", "'UTF8'", 0),
    // These four change how definitions are printed or read again.
    ("standard_conforming_strings", "on", 0),
    ("quote_all_identifiers", "off", 0),
    ("array_nulls", "on", 0),
    ("transform_null_equals", "off", 0),
    ("DateStyle", "'ISO, YMD'", 0),
    ("IntervalStyle", "'postgres'", 0),
    ("TimeZone", "'UTC'", 0),
    ("extra_float_digits", "3", 0),
    ("bytea_output", "'hex'", 0),
    ("xmloption", "'content'", 0),
    ("lc_monetary", "'C'", 0),
    ("row_security", "off", 0),
    ("statement_timeout", "0", 0),
    ("idle_in_transaction_session_timeout", "0", 0),
    ("idle_session_timeout", "0", 140_000),
    ("transaction_timeout", "0", 170_000),
    ("jit", "off", 0),
    ("max_parallel_workers_per_gather", "0", 0),
    ("synchronize_seqscans", "off", 0),
];

fn settings(command: &str, version_num: u32) -> Vec<String> {
    let known = SETTINGS.iter().filter(|(_, _, since)| version_num >= *since);
    known.map(|(name, value, _)| format!("{command} {name} = {value}")).collect()
}

fn session_settings(version_num: u32) -> String {
    settings("SET", version_num).join("; ")
}

/// Returns the batch of `SET LOCAL` that starts every transaction; `lock_timeout_ms` 0 is no limit.
pub fn local_settings(version_num: u32, lock_timeout_ms: u64) -> String {
    let mut statements = settings("SET LOCAL", version_num);
    statements.push(format!("SET LOCAL lock_timeout = {lock_timeout_ms}"));
    statements.join("; ")
}

/// What the resolver said, without the name of the call.
fn resolver_words(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.strip_prefix("failed to lookup address information: ").unwrap_or(&text).to_owned()
}

/// The hosts in the order they are tried.
fn order(info: &Conninfo) -> Vec<usize> {
    let mut order: Vec<usize> = (0..info.hosts.len()).collect();
    if info.load_balance {
        for last in (1..order.len()).rev() {
            // Without random bytes the order stays; balancing is a courtesy.
            let random = getrandom::u64().unwrap_or(last as u64);
            order.swap(last, (random % (last as u64 + 1)) as usize);
        }
    }
    order
}

/// One host of a connection string, being tried.
struct Attempt<'a> {
    info: &'a Conninfo,
    application_name: &'a str,
    connector: &'a Option<MakeRustlsConnect>,
    host_index: usize,
    keep_texts: bool,
}

impl Attempt<'_> {
    fn spec(&self) -> &HostSpec {
        &self.info.hosts[self.host_index]
    }

    fn endpoint(&self) -> Endpoint {
        Endpoint::new(self.info, self.host_index)
    }

    /// Tries every address of the host.
    async fn host(&self, wanted: TargetSessionAttrs) -> Result<Session, ConnectError> {
        let mut failure = None;
        for address in self.addresses().await? {
            match self.address(address, wanted).await {
                Ok(session) => return Ok(session),
                Err(error) if error.is_of_this_host_alone() => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        let nowhere =
            || ConnectError::Unreachable { at: self.endpoint(), reason: "the name has no address".to_owned() };
        Err(failure.unwrap_or_else(nowhere))
    }

    /// Looks the name up; a socket has no address.
    async fn addresses(&self) -> Result<Vec<Option<IpAddr>>, ConnectError> {
        let spec = self.spec();
        let name = match (&spec.host, spec.address) {
            (Host::Socket(_), _) => return Ok(vec![None]),
            (Host::Name(_), Some(address)) => return Ok(vec![Some(address)]),
            (Host::Name(name), None) => name,
        };
        let found = self.limited(tokio::net::lookup_host((name.as_str(), spec.port))).await?;
        let found = found.map_err(|error| ConnectError::Unreachable {
            at: self.endpoint(),
            reason: format!("{}: {}", error::LOOKUP_FAILED, resolver_words(&error)),
        })?;
        Ok(found.map(|address| Some(address.ip())).collect())
    }

    async fn limited<T>(&self, work: impl Future<Output = T>) -> Result<T, ConnectError> {
        match self.info.connect_timeout {
            None => Ok(work.await),
            Some(limit) => tokio::time::timeout(limit, work)
                .await
                .map_err(|_| ConnectError::Timeout { at: self.endpoint(), seconds: limit.as_secs() }),
        }
    }

    /// Tries the kinds of encryption the mode allows, in its order.
    async fn address(&self, address: Option<IpAddr>, wanted: TargetSessionAttrs) -> Result<Session, ConnectError> {
        use tokio_postgres::config::SslMode as Driver;
        let (first, second) = match (address, self.info.tls.mode) {
            (None, _) | (_, SslMode::Disable) => (Driver::Disable, None),
            (_, SslMode::Allow) => (Driver::Disable, Some(Driver::Require)),
            (_, SslMode::Prefer) => (Driver::Prefer, Some(Driver::Disable)),
            _ => (Driver::Require, None),
        };
        let failure = match self.limited(self.open(address, first, wanted)).await? {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        // The other kind may have another line in pg_hba.conf. A wrong password stays wrong.
        let retry = match &failure {
            ConnectError::Tls { .. } => true,
            ConnectError::Authentication { sqlstate, .. } => sqlstate.as_deref() == Some("28000"),
            _ => false,
        };
        let Some(second) = second.filter(|_| retry) else { return Err(failure) };
        match self.limited(self.open(address, second, wanted)).await? {
            Err(ConnectError::Tls { .. }) => Err(failure),
            Err(ConnectError::Authentication { sqlstate: Some(code), .. }) if code == "28000" => Err(failure),
            result => result,
        }
    }

    /// Opens one connection, asks the server what it is, and checks that it is one.
    async fn open(
        &self,
        address: Option<IpAddr>,
        mode: tokio_postgres::config::SslMode,
        wanted: TargetSessionAttrs,
    ) -> Result<Session, ConnectError> {
        let config = self.config(mode);
        let mailbox = Arc::new(Mutex::new(Mailbox { keep_texts: self.keep_texts, ..Mailbox::default() }));
        let unreachable =
            |error: io::Error| ConnectError::Unreachable { at: self.endpoint(), reason: error.to_string() };
        let place = self.place(address);
        let socket = Socket::connect(&place, &self.info.keepalives).await.map_err(unreachable)?;
        let tap = TapHandle::default();
        let (client, task, tls) = match self.connector {
            Some(tls) if mode != tokio_postgres::config::SslMode::Disable => {
                let name = self.certificate_name(address);
                let encrypt = encrypt_with(tls, &name).map_err(|error| unreachable(io::Error::other(error)))?;
                let encrypt = TapTls::new(encrypt, tap.clone());
                let socket = Tap::new(socket, tap.clone(), !self.info.tls.direct);
                let (client, task) = self.start(&config, socket, encrypt, &mailbox).await?;
                (client, task, Some((tls.clone(), name)))
            }
            _ => {
                let socket = Tap::new(socket, tap.clone(), false);
                let (client, task) = self.start(&config, socket, NoTls, &mailbox).await?;
                (client, task, None)
            }
        };
        let canceler = Canceler { token: client.cancel_token(), address: place, tls };
        let facts = self.ask(&client).await?;
        self.refuse_pooler(&client, &canceler.token, facts.pid).await?;
        let wrong = match wanted {
            TargetSessionAttrs::Any | TargetSessionAttrs::PreferStandby => false,
            TargetSessionAttrs::ReadWrite => facts.read_only || facts.in_recovery,
            TargetSessionAttrs::ReadOnly => !(facts.read_only || facts.in_recovery),
            TargetSessionAttrs::Primary => facts.in_recovery,
            TargetSessionAttrs::Standby => !facts.in_recovery,
        };
        if wrong {
            return Err(ConnectError::WrongRole { at: self.endpoint(), wanted: wanted.name() });
        }
        let (endpoint, host_index) = (self.endpoint(), self.host_index);
        Ok(Session { client, task: Driver(task), mailbox, tap, canceler, endpoint, host_index, facts })
    }

    fn place(&self, address: Option<IpAddr>) -> Address {
        let spec = self.spec();
        match (&spec.host, address) {
            (_, Some(address)) => Address::Tcp(address, spec.port),
            (Host::Socket(directory), None) => Address::Unix(directory.join(format!(".s.PGSQL.{}", spec.port))),
            (Host::Name(_), None) => unreachable!("a name is looked up before it is connected to"),
        }
    }

    /// The name that stands in the certificate. One that no certificate can hold matters only where it is checked.
    fn certificate_name(&self, address: Option<IpAddr>) -> String {
        let name = self.spec().host.to_string();
        let speakable = rustls::pki_types::ServerName::try_from(name.as_str()).is_ok();
        match address {
            Some(address) if !speakable && self.info.tls.mode != SslMode::VerifyFull => address.to_string(),
            _ => name,
        }
    }

    fn config(&self, mode: tokio_postgres::config::SslMode) -> tokio_postgres::Config {
        let info = self.info;
        let mut config = tokio_postgres::Config::new();
        config.user(&info.user).dbname(&info.database).ssl_mode(mode);
        if let Some(password) = info.password(self.host_index) {
            config.password(password.expose_secret());
        }
        if let Some(options) = &info.options {
            config.options(options);
        }
        config.application_name(info.application_name.as_deref().unwrap_or(self.application_name));
        config.channel_binding(match info.channel_binding {
            ChannelBinding::Disable => tokio_postgres::config::ChannelBinding::Disable,
            ChannelBinding::Prefer => tokio_postgres::config::ChannelBinding::Prefer,
            ChannelBinding::Require => tokio_postgres::config::ChannelBinding::Require,
        });
        if info.tls.direct && mode != tokio_postgres::config::SslMode::Disable {
            config.ssl_negotiation(tokio_postgres::config::SslNegotiation::Direct);
        }
        if info.tls.direct && mode != tokio_postgres::config::SslMode::Disable {
            config.ssl_negotiation(tokio_postgres::config::SslNegotiation::Direct);
        }
        config
    }

    async fn start<S, T>(
        &self,
        config: &tokio_postgres::Config,
        socket: S,
        tls: T,
        mailbox: &Arc<Mutex<Mailbox>>,
    ) -> Result<(Client, JoinHandle<()>), ConnectError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: TlsConnect<S>,
        T::Stream: Send + 'static,
    {
        let connected = config.connect_raw(socket, tls).await;
        let (client, connection) = connected.map_err(|error| ConnectError::new(self.endpoint(), &error))?;
        // The console of PgBouncer calls itself `1.24.0/bouncer` and takes no SELECT.
        if connection.parameter("server_version").is_some_and(|version| version.contains("bouncer")) {
            let why = "It is the console of PgBouncer.".to_owned();
            return Err(ConnectError::Pooler { at: self.endpoint(), why });
        }
        Ok((client, tokio::spawn(drive(connection, Arc::clone(mailbox)))))
    }

    async fn ask(&self, client: &Client) -> Result<Facts, ConnectError> {
        const SQL: &str = "SELECT pg_catalog.pg_backend_pid(), pg_catalog.current_setting('server_version_num'), \
             pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only'), \
             (SELECT ssl FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid())";
        let failed = |error| ConnectError::from_statement(self.endpoint(), &error);
        let row = first_row(client, SQL).await.map_err(failed)?;
        let facts = row.as_ref().and_then(|row| {
            Some(Facts {
                pid: row.get(0)?.parse().ok()?,
                version_num: row.get(1)?.parse().ok()?,
                in_recovery: row.get(2)? == "t",
                read_only: row.get(3)? == "on",
                encrypted: row.get(4) == Some("t"),
            })
        });
        facts.ok_or_else(|| ConnectError::Rejected {
            at: self.endpoint(),
            sqlstate: "08P01".to_owned(),
            message: "it does not answer as a PostgreSQL server".to_owned(),
        })
    }

    /// Finds a pooler by its two signs: the cancel key names another process than the one that answers, because a
    /// pooler hands out keys of its own; and with transaction pooling two queries may meet two processes.
    async fn refuse_pooler(&self, client: &Client, token: &CancelToken, pid: i32) -> Result<(), ConnectError> {
        let failed = |error| ConnectError::from_statement(self.endpoint(), &error);
        let again = first_row(client, "SELECT pg_catalog.pg_backend_pid()").await.map_err(failed)?;
        let again = again.and_then(|row| row.get(0)?.parse::<i32>().ok());
        let why = if again != Some(pid) {
            "Two queries of one session were answered by two server processes (transaction pooling)."
        } else if cancel_key::process_id(token).await.is_some_and(|key| key != pid) {
            "The cancel key it sent belongs to another process than the one that answers."
        } else {
            return Ok(());
        };
        Err(ConnectError::Pooler { at: self.endpoint(), why: why.to_owned() })
    }
}

async fn first_row(client: &Client, sql: &str) -> Result<Option<SimpleQueryRow>, tokio_postgres::Error> {
    let messages = client.simple_query(sql).await?;
    Ok(messages.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }))
}

/// Moves bytes until the session ends, and keeps what the server says beside its results.
async fn drive<S, T>(mut connection: Connection<S, T>, mailbox: Arc<Mutex<Mailbox>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|context| connection.poll_message(context)).await {
        match message {
            Ok(AsyncMessage::Notice(notice)) => {
                let mut mailbox = lock(&mailbox);
                if mailbox.notices.len() >= NOTICES_MAX {
                    mailbox.dropped += 1;
                    continue;
                }
                let message = mailbox.keep_texts.then(|| notice.message().to_owned());
                let (severity, sqlstate) = (notice.severity().to_owned(), notice.code().code().to_owned());
                mailbox.notices.push(Notice { severity, sqlstate, message });
            }
            Ok(_) => {}
            Err(error) => {
                lock(&mailbox).end = Some(sql_error(&error));
                return;
            }
        }
    }
}

fn lock(mailbox: &Mutex<Mailbox>) -> std::sync::MutexGuard<'_, Mailbox> {
    // Nothing panics while the lock is held; if it did, the notices would still be good.
    mailbox.lock().unwrap_or_else(PoisonError::into_inner)
}
