//! Swaps the loaded database in, and back out. The only module that changes what applications see.
//!
//! Both renames happen in one transaction, so there is no moment, not even after a crash, in which neither database has
//! the live name. Applications are disconnected while that transaction waits; new connections wait for its end.

mod foreseen;
mod holders;

pub use foreseen::Foreseen;
pub(crate) use foreseen::{grant_role, may_set};
pub(crate) use holders::MAY_END;
pub use holders::{Holders, grant};

use crate::error::{Diagnose, Exit, Report};
use crate::load::LoadError;
use crate::pg::{self, Conninfo, Side, SqlProblem, TargetSession};
use crate::release::{self, Mark, RunId, State};
use serde::Serialize;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long one attempt waits for sessions to leave.
const SWAP_WAIT: &str = "5s";
const SWAP_ATTEMPTS: u32 = 3;
/// How often sessions are ended while the renames wait.
const TERMINATE_EVERY: Duration = Duration::from_millis(20);
/// How often renames that are to stop are cancelled: the server ignores a request that comes between two statements.
const CANCEL_EVERY: Duration = Duration::from_millis(100);
/// How long the refresh lock is waited for: the server needs a moment to notice that a killed run is gone.
const LOCK_WAIT: Duration = Duration::from_secs(3);
const LOCK_EVERY: Duration = Duration::from_millis(100);
/// How often a database is dropped that others are in. The server waits five seconds for them each time.
const DROP_ATTEMPTS: u32 = 2;
/// How long a server that went away during the swap is asked what became of it.
const SETTLE_WAIT: Duration = Duration::from_secs(30);
const SETTLE_EVERY: Duration = Duration::from_millis(250);

#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("the target failed while {what}")]
    Sql { what: String, problem: SqlProblem },
    #[error("\"{database}\" could not be swapped: {}", holders.why())]
    InUse { database: String, holders: Holders },
    #[error("\"{database}\" could not be dropped")]
    NotDropped { database: String, problem: SqlProblem, holders: Holders },
    #[error("stopped by a signal")]
    Stopped,
    #[error("the target went away while \"{database}\" was swapped")]
    Unsettled { database: String, run: RunId },
    #[error("there is no earlier release of \"{database}\"")]
    NoRelease { database: String },
    #[error("\"{database}\" has no release {wanted}")]
    UnknownRelease { database: String, wanted: String, known: Vec<String> },
}

impl PublishError {
    fn sql(what: impl Into<String>, error: &tokio_postgres::Error) -> Self {
        Self::Sql { what: what.into(), problem: pg::sql_error(error) }
    }

    /// One line about a database that stays, for a run that goes on without dropping it.
    pub fn left_over(&self) -> String {
        match self {
            PublishError::NotDropped { database, problem, holders } => {
                let who = if holders.is_empty() {
                    String::new()
                } else {
                    format!(", {}", holders.named().replace('\n', ", "))
                };
                let grant = holders.grant().map(|grant| format!("{grant} ")).unwrap_or_default();
                format!(
                    "{self} ({problem}{who}) and stays. What helps: {grant}DROP DATABASE {};",
                    pg::quote_ident(database)
                )
            }
            other => other.to_string(),
        }
    }
}

impl Diagnose for PublishError {
    fn exit(&self) -> Exit {
        match self {
            PublishError::Load(error) => error.exit(),
            PublishError::NoRelease { .. } | PublishError::UnknownRelease { .. } => Exit::Refused,
            PublishError::Stopped => Exit::Interrupted,
            _ => Exit::Target,
        }
    }

    fn reports(&self) -> Vec<Report> {
        let message = self.to_string();
        let report = match self {
            PublishError::Load(error) => return error.reports(),
            PublishError::Sql { problem, .. } => problem.report(Side::Target, message),
            PublishError::InUse { holders, .. } => Report::new("target::in-use", message)
                .detail(holders.named())
                .state("The old database serves; the loaded one is kept aside.")
                .hint(holders.advice("Then run it again.")),
            PublishError::NotDropped { database, problem, holders } => {
                let who = if holders.is_empty() { String::new() } else { format!("\n{}", holders.named()) };
                Report::new("target::not-dropped", message)
                    .detail(format!("{problem}{who}"))
                    .hint(holders.advice(&format!("DROP DATABASE {};", pg::quote_ident(database))))
            }
            PublishError::Stopped => Report::new("run::interrupted", message).state("Nothing was changed."),
            PublishError::Unsettled { database, run } => Report::new("target::unsettled", message)
                .state(format!("\"{database}\" is the complete old release or the complete new one, {run}: the server could not be asked."))
                .hint("restage releases     # says which one is live"),
            PublishError::NoRelease { .. } => Report::new("publish::no-release", message)
                .state("Nothing was changed.")
                .hint("Releases are kept by `keep` under [target], from the second refresh on."),
            PublishError::UnknownRelease { known, .. } => Report::new("publish::unknown-release", message)
                .detail(match known.as_slice() {
                    [] => "No earlier release is kept.".to_owned(),
                    known => format!("Kept are {}.", known.join(", ")),
                })
                .state("Nothing was changed.")
                .hint("restage releases     # lists them"),
        };
        vec![report]
    }
}

/// The target server, seen from its maintenance database.
pub struct Admin {
    pub session: TargetSession,
    pub info: Conninfo,
    /// Name of the database applications use.
    pub live: String,
    application: String,
}

/// One database of ours on the target server.
#[derive(Debug, Clone, Serialize)]
pub struct Release {
    pub database: String,
    pub state: &'static str,
    pub release: Option<RunId>,
    pub as_of: Option<String>,
    pub key_id: Option<String>,
    pub bytes: u64,
    /// Rises with every database: tells releases of one second apart.
    #[serde(skip)]
    pub oid: u32,
    #[serde(skip)]
    pub mark: Option<Mark>,
    #[serde(skip)]
    pub comment: String,
    #[serde(skip)]
    pub kind: State,
}

/// What became of databases that were to be dropped.
#[derive(Debug, Default)]
pub struct Swept {
    pub dropped: Vec<String>,
    /// Those that stay, each as [`PublishError::NotDropped`].
    pub left: Vec<PublishError>,
}

impl Swept {
    /// One that stays keeps neither the others nor the run from going on; a server that is gone does.
    fn note(&mut self, name: &str, done: Result<(), PublishError>) -> Result<(), PublishError> {
        match done {
            Ok(()) => self.dropped.push(name.to_owned()),
            Err(error @ PublishError::NotDropped { .. }) => self.left.push(error),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes out why this one stays.
    pub fn take_left(&mut self, name: &str) -> Option<PublishError> {
        let of = |error: &PublishError| matches!(error, PublishError::NotDropped { database, .. } if database == name);
        self.left.iter().position(of).map(|at| self.left.remove(at))
    }
}

/// What a swap did.
#[derive(Debug, Clone, Serialize)]
pub struct Published {
    pub database: String,
    /// Where the database that was live before is kept.
    pub previous: Option<String>,
    /// From the first ended session to the commit.
    pub gap_ms: u64,
}

impl Admin {
    /// Connects to the maintenance database of the server that holds `live`.
    ///
    /// # Errors
    /// [`LoadError::Connect`].
    pub async fn connect(info: &Conninfo, maintenance_db: &str, application: &str) -> Result<Self, LoadError> {
        let live = info.database.clone();
        let session = TargetSession::connect(&info.with_database(maintenance_db), application)
            .await
            .map_err(|error| LoadError::Connect(Box::new(error.error.report(Side::Target))))?;
        // Every later session has to reach the server that was judged, not another host of the list.
        let info = info.with_database(maintenance_db).pin(session.host_index());
        Ok(Self { session, info, live, application: application.to_owned() })
    }

    /// Takes the lock of a refresh for as long as the session lives.
    ///
    /// # Errors
    /// [`LoadError::Busy`] if another session holds it.
    pub async fn lock(&self) -> Result<(), LoadError> {
        let hash = blake3::hash(format!("restage refresh {}", self.live).as_bytes());
        let key = i64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes"));
        let started = Instant::now();
        loop {
            let row = self
                .session
                .client()
                .query_one("SELECT pg_catalog.pg_try_advisory_lock($1)", &[&key])
                .await
                .map_err(|error| LoadError::sql("taking the refresh lock", &error))?;
            if row.get(0) {
                return Ok(());
            }
            if started.elapsed() >= LOCK_WAIT {
                return Err(LoadError::Busy { database: self.live.clone() });
            }
            tokio::time::sleep(LOCK_EVERY).await;
        }
    }

    /// [`LoadError::LockLost`] if the session that holds the lock is gone. The server may then have crashed and lost commits
    /// of ours, which are asynchronous, or another run may have started.
    pub fn lock_lost(&self) -> Option<LoadError> {
        self.session.is_closed().then(|| LoadError::LockLost { database: self.live.clone() })
    }

    /// Every database of `live`, the live one first, then by name.
    ///
    /// Databases of the name pattern are left out if they are not ours: without a mark, with the mark of another server
    /// (a dump brings it along), or with that of another realm than the live database's.
    ///
    /// # Errors
    /// The error of the server.
    pub async fn releases(&self) -> Result<Vec<Release>, PublishError> {
        let rows = self
            .session
            .client()
            .query(
                "SELECT datname::text, coalesce(pg_catalog.shobj_description(oid, 'pg_database'), ''), \
                 CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') OR pg_catalog.pg_has_role(datdba, 'USAGE') \
                 THEN pg_catalog.pg_database_size(oid) ELSE 0 END, oid, \
                 (SELECT system_identifier FROM pg_catalog.pg_control_system())::text \
                 FROM pg_catalog.pg_database WHERE datname::text = $1 OR pg_catalog.starts_with(datname::text, $1 || '__') ORDER BY datname",
                &[&self.live],
            )
            .await
            .map_err(|error| PublishError::sql("listing releases", &error))?;
        let realm = rows
            .iter()
            .find(|row| row.get::<_, String>(0) == self.live)
            .and_then(|row| Mark::read(&row.get::<_, String>(1)))
            .map(|mark| mark.realm);
        let mut releases = Vec::new();
        for row in rows {
            let (database, comment): (String, String) = (row.get(0), row.get(1));
            let Some(kind) = release::state_of(&self.live, &database) else { continue };
            let mark = Mark::read(&comment);
            let server: String = row.get(4);
            let ours = mark.as_ref().is_some_and(|mark| {
                mark.system_identifier == server && realm.as_ref().is_none_or(|realm| *realm == mark.realm)
            });
            if !ours && kind != State::Live {
                continue;
            }
            releases.push(Release {
                state: match kind {
                    State::Live => "live",
                    State::Aside(_) => "aside",
                    State::Previous(_) => "previous",
                },
                release: mark.as_ref().and_then(|mark| mark.release.clone()),
                as_of: mark.as_ref().and_then(|mark| mark.as_of.clone()),
                key_id: mark.as_ref().and_then(|mark| mark.key_id.clone()),
                // NULL for a database whose files a crashed server has lost or not yet made.
                bytes: row.get::<_, Option<i64>>(2).unwrap_or(0) as u64,
                oid: row.get(3),
                database,
                mark,
                comment,
                kind,
            });
        }
        releases.sort_by_key(|release| (release.kind != State::Live, release.database.clone()));
        Ok(releases)
    }

    /// Drops what runs that died left behind: loaded databases that were never published.
    ///
    /// Only called under [`Admin::lock`], so no living run owns them.
    ///
    /// # Errors
    /// The error of the server; not that one could not be dropped.
    pub async fn drop_aside(&self, keep: Option<&RunId>) -> Result<Swept, PublishError> {
        let mut swept = Swept::default();
        for release in self.releases().await? {
            if matches!(&release.kind, State::Aside(run) if Some(run) != keep) {
                swept.note(&release.database, self.drop_database(&release).await)?;
            }
        }
        for name in self.unmarked().await? {
            swept.note(&name, self.drop_named(&name).await)?;
        }
        Ok(swept)
    }

    /// Databases whose run died after it made them and before it marked them: named like ours, never opened for a
    /// connection, so empty.
    async fn unmarked(&self) -> Result<Vec<String>, PublishError> {
        let rows = self
            .session
            .client()
            .query(
                "SELECT datname::text FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname::text, $1 || '__') \
                 AND NOT datallowconn AND datconnlimit = 0 AND pg_catalog.pg_has_role(datdba, 'USAGE') \
                 AND pg_catalog.shobj_description(oid, 'pg_database') IS NULL",
                &[&self.live],
            )
            .await
            .map_err(|error| PublishError::sql("listing unfinished databases", &error))?;
        let names = rows.iter().map(|row| row.get::<_, String>(0));
        Ok(names.filter(|name| matches!(release::state_of(&self.live, name), Some(State::Aside(_)))).collect())
    }

    /// Drops earlier releases until `keep` are left, the longest out of service first: the one that served last is what
    /// people go back to, however old its content.
    ///
    /// # Errors
    /// The error of the server; not that one could not be dropped.
    pub async fn retain(&self, keep: u32) -> Result<Swept, PublishError> {
        let mut previous: Vec<Release> =
            self.releases().await?.into_iter().filter(|release| matches!(release.kind, State::Previous(_))).collect();
        previous.sort_by(|a, b| age(b).cmp(&age(a)));
        let mut swept = Swept::default();
        for release in previous.iter().skip(keep as usize) {
            swept.note(&release.database, self.drop_database(release).await)?;
        }
        Ok(swept)
    }

    /// Drops one database of ours, never the live one, never one without a mark.
    ///
    /// # Errors
    /// [`PublishError::NotDropped`], or the error of a server that is gone.
    pub async fn drop_database(&self, release: &Release) -> Result<(), PublishError> {
        assert!(release.kind != State::Live && release.mark.is_some(), "only marked databases beside the live one go");
        self.drop_named(&release.database).await
    }

    async fn drop_named(&self, name: &str) -> Result<(), PublishError> {
        let names = [name.to_owned()];
        for attempt in 1..=DROP_ATTEMPTS {
            end_sessions(&self.session, &names).await;
            let Err(error) = self.try_drop(name).await else { return Ok(()) };
            let problem = pg::sql_error(&error);
            if problem.is_connection_lost() {
                return Err(PublishError::sql(format!("dropping database \"{name}\""), &error));
            }
            let holders = Holders::of(&self.session, &names).await;
            if attempt == DROP_ATTEMPTS || problem.sqlstate != "55006" || !holders.may_be_ended() {
                return Err(PublishError::NotDropped { database: name.to_owned(), problem, holders });
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Not `WITH (FORCE)`: that asks for the right to end every process in the database, also those of the server itself,
    /// such as autovacuum. Without it the server ends its own, whoever asks.
    async fn try_drop(&self, name: &str) -> Result<(), tokio_postgres::Error> {
        let client = self.session.client();
        let quoted = pg::quote_ident(name);
        // A template cannot be dropped, and a release that served as one stays one when it leaves service.
        let template = "SELECT FROM pg_catalog.pg_database WHERE datname::text = $1 AND datistemplate";
        if client.query_opt(template, &[&name]).await?.is_some() {
            client.batch_execute(&format!("ALTER DATABASE {quoted} IS_TEMPLATE false")).await?;
        }
        client.batch_execute(&format!("DROP DATABASE IF EXISTS {quoted}")).await
    }

    /// Gives the loaded database what does not follow a name: settings, connection limit, grants and owner of the live
    /// one, and that it is a template. Returns what could not be copied.
    ///
    /// # Errors
    /// The error of the server while reading.
    pub async fn copy_properties(&self, run: &RunId) -> Result<Vec<String>, PublishError> {
        let name = pg::quote_ident(&release::staging_name(&self.live, run));
        let what = || "reading the settings of the live database".to_owned();
        let client = self.session.client();
        let Some(live) = client
            .query_opt(
                "SELECT d.oid, d.datconnlimit, pg_catalog.pg_get_userbyid(d.datdba)::text, \
                 d.datacl IS NOT NULL, current_user::text, d.datistemplate FROM pg_catalog.pg_database d WHERE d.datname::text = $1",
                &[&self.live],
            )
            .await
            .map_err(|error| PublishError::sql(what(), &error))?
        else {
            return Ok(Vec::new());
        };
        let (oid, limit, owner, has_acl, me): (u32, i32, String, bool, String) =
            (live.get(0), live.get(1), live.get(2), live.get(3), live.get(4));
        let mut statements = vec![format!("ALTER DATABASE {name} CONNECTION LIMIT {limit}")];
        if live.get(5) {
            statements.push(format!("ALTER DATABASE {name} IS_TEMPLATE true"));
        }
        let rows = client
            .query(
                "SELECT coalesce(pg_catalog.pg_get_userbyid(nullif(setrole, 0))::text, ''), unnest(setconfig) \
                 FROM pg_catalog.pg_db_role_setting WHERE setdatabase = $1",
                &[&oid],
            )
            .await
            .map_err(|error| PublishError::sql(what(), &error))?;
        let mut settings = Vec::new();
        for row in rows {
            let (role, setting): (String, String) = (row.get(0), row.get(1));
            let Some((parameter, value)) = setting.split_once('=') else { continue };
            let value = setting_value(parameter, value);
            let parameter = pg::quote_ident(parameter).replace('.', "\".\"");
            let whose = if role.is_empty() {
                format!("DATABASE {name}")
            } else {
                format!("ROLE {} IN DATABASE {name}", pg::quote_ident(&role))
            };
            let shown = if parameter.contains('.') { HIDDEN } else { &value };
            let of = |value: &str| format!("ALTER {whose} SET {parameter} TO {value}");
            settings.push((of(&value), of(shown)));
        }
        if has_acl {
            statements.push(format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC"));
            let grants = client
                .query(
                    "SELECT a.privilege_type, a.is_grantable, coalesce(pg_catalog.pg_get_userbyid(nullif(a.grantee, 0))::text, '') \
                     FROM pg_catalog.pg_database d, pg_catalog.aclexplode(d.datacl) a WHERE d.oid = $1 AND a.grantee <> d.datdba",
                    &[&oid],
                )
                .await
                .map_err(|error| PublishError::sql(what(), &error))?;
            for row in grants {
                let (privilege, grantable, grantee): (String, bool, String) = (row.get(0), row.get(1), row.get(2));
                let grantee = if grantee.is_empty() { "PUBLIC".to_owned() } else { pg::quote_ident(&grantee) };
                let option = if grantable { " WITH GRANT OPTION" } else { "" };
                statements.push(format!("GRANT {privilege} ON DATABASE {name} TO {grantee}{option}"));
            }
        }
        if owner != me {
            statements.push(format!("ALTER DATABASE {name} OWNER TO {}", pg::quote_ident(&owner)));
        }
        let mut failed = Vec::new();
        let statements = statements.into_iter().map(|statement| (statement.clone(), statement));
        for (statement, shown) in settings.into_iter().chain(statements) {
            if let Err(error) = client.batch_execute(&statement).await {
                let problem = pg::sql_error(&error);
                failed.push(format!(
                    "`{}`: SQLSTATE {}",
                    shown.replace(&name, &pg::quote_ident(&self.live)),
                    problem.sqlstate
                ));
            }
        }
        Ok(failed)
    }

    /// Puts the loaded database in the place of the live one (POSTGRES section 10).
    ///
    /// After it returns an error the old database serves and the loaded one is still aside.
    ///
    /// # Errors
    /// [`PublishError::InUse`] if sessions did not leave in three attempts, [`PublishError::Stopped`] if it was to stop
    /// before they had, else the error of the server.
    pub async fn swap(
        &self,
        run: &RunId,
        mark: &Mark,
        people: &str,
        now: jiff::Timestamp,
        stop: &CancellationToken,
    ) -> Result<Published, PublishError> {
        let live = self.releases().await?.into_iter().find(|release| release.kind == State::Live);
        let aside = release::staging_name(&self.live, run);
        let previous = live.as_ref().map(|live| release::previous_name(&self.live, &own_id(live, run)));
        let people = people_text(people, live.as_ref());
        let mut renames = Vec::new();
        if let Some(previous) = &previous {
            renames.push((self.live.clone(), previous.clone()));
        }
        renames.push((aside, self.live.clone()));
        let mut comments = vec![comment_on(&self.live, &mark.comment(&people))];
        if let (Some(live), Some(previous)) = (&live, &previous) {
            comments.extend(leaves(live, previous, now));
        }
        let started = Instant::now();
        let gap_ms = match self.exchange(&renames, (previous.as_deref(), None), &comments, stop).await {
            Ok(gap_ms) => gap_ms,
            Err(PublishError::Sql { what, problem }) if problem.is_connection_lost() => match self.settle(run).await {
                Some(true) => started.elapsed().as_millis() as u64,
                Some(false) => return Err(PublishError::Sql { what, problem }),
                None => return Err(PublishError::Unsettled { database: self.live.clone(), run: run.clone() }),
            },
            Err(error) => return Err(error),
        };
        Ok(Published { database: self.live.clone(), previous, gap_ms })
    }

    /// Finds out whether a swap whose answer was lost took place; none if the server does not come back in time.
    async fn settle(&self, run: &RunId) -> Option<bool> {
        let started = Instant::now();
        while started.elapsed() < SETTLE_WAIT {
            // The old session may still be at work in a server that only lost its connection to us: its renames hold the
            // lock of the refresh, so whoever gets that lock sees their end.
            if let Ok(admin) =
                Self::connect(&self.info.with_database(&self.live), &self.info.database, &self.application).await
                && admin.lock().await.is_ok()
                && let Ok(releases) = admin.releases().await
            {
                let live = releases.iter().find(|release| release.kind == State::Live);
                return Some(live.and_then(|live| live.release.as_ref()) == Some(run));
            }
            tokio::time::sleep(SETTLE_EVERY).await;
        }
        None
    }

    /// Makes an earlier release live again, the last that served unless `to` names another; the one that was live is kept
    /// beside it.
    ///
    /// # Errors
    /// [`PublishError::NoRelease`], [`PublishError::UnknownRelease`], [`PublishError::InUse`], [`PublishError::Stopped`] or
    /// the server's error.
    pub async fn rollback(
        &self,
        to: Option<&str>,
        now: jiff::Timestamp,
        stop: &CancellationToken,
    ) -> Result<Published, PublishError> {
        let releases = self.releases().await?;
        let mut previous: Vec<&Release> =
            releases.iter().filter(|release| matches!(release.kind, State::Previous(_))).collect();
        previous.sort_by(|a, b| age(b).cmp(&age(a)));
        let wanted = match to {
            None => previous.first().copied().ok_or_else(|| PublishError::NoRelease { database: self.live.clone() })?,
            Some(wanted) => previous
                .iter()
                .copied()
                .find(|release| {
                    release.database == wanted
                        || matches!(&release.kind, State::Previous(run) if run.as_str() == wanted)
                })
                .ok_or_else(|| PublishError::UnknownRelease {
                    database: self.live.clone(),
                    wanted: wanted.to_owned(),
                    known: previous
                        .iter()
                        .filter_map(|release| match &release.kind {
                            State::Previous(run) => Some(run.to_string()),
                            _ => None,
                        })
                        .collect(),
                })?,
        };
        let live = releases.iter().find(|release| release.kind == State::Live);
        let mut renames = Vec::new();
        let mut left = None;
        let mut comments = Vec::new();
        if let Some(mark) = wanted.mark.as_ref().filter(|mark| mark.left.is_some()) {
            let mark = Mark { left: None, ..mark.clone() };
            comments.push(comment_on(&self.live, &mark.comment(&Mark::people(&wanted.comment))));
        }
        if let Some(live) = live {
            let State::Previous(replaced_by) = &wanted.kind else { unreachable!("only previous releases are listed") };
            let name = release::previous_name(&self.live, &own_id(live, replaced_by));
            // The two may have the same name to exchange, so the wanted one steps aside first.
            if name == wanted.database {
                let between = format!("{}__swap", self.live);
                renames.push((wanted.database.clone(), between.clone()));
                renames.push((self.live.clone(), name.clone()));
                renames.push((between, self.live.clone()));
            } else {
                renames.push((self.live.clone(), name.clone()));
                renames.push((wanted.database.clone(), self.live.clone()));
            }
            comments.extend(leaves(live, &name, now));
            left = Some(name);
        } else {
            renames.push((wanted.database.clone(), self.live.clone()));
        }
        let gap_ms = self.exchange(&renames, (left.as_deref(), Some(&self.live)), &comments, stop).await?;
        Ok(Published { database: self.live.clone(), previous: left, gap_ms })
    }

    /// Renames in one transaction while sessions of the databases are ended, and closes and opens a database for
    /// connections; returns the gap in milliseconds.
    async fn exchange(
        &self,
        renames: &[(String, String)],
        (close, open): (Option<&str>, Option<&str>),
        comments: &[String],
        stop: &CancellationToken,
    ) -> Result<u64, PublishError> {
        let mut sql = format!("BEGIN; SET LOCAL lock_timeout = '{SWAP_WAIT}'");
        for (from, to) in renames {
            sql.push_str(&format!("; ALTER DATABASE {} RENAME TO {}", pg::quote_ident(from), pg::quote_ident(to)));
        }
        if let Some(name) = close {
            sql.push_str(&format!("; ALTER DATABASE {} ALLOW_CONNECTIONS false", pg::quote_ident(name)));
        }
        if let Some(name) = open {
            sql.push_str(&format!("; ALTER DATABASE {} ALLOW_CONNECTIONS true", pg::quote_ident(name)));
        }
        for comment in comments {
            sql.push_str("; ");
            sql.push_str(comment);
        }
        sql.push_str("; COMMIT");
        let names: Vec<String> = renames.iter().map(|(from, _)| from.clone()).collect();
        let stuck = Holders::of(&self.session, &names).await.stuck();
        if !stuck.is_empty() {
            // Nobody can end these but their owner: waiting for them would only keep applications out.
            return Err(PublishError::InUse { database: self.live.clone(), holders: stuck });
        }
        let terminator = TargetSession::connect(&self.info, &self.application)
            .await
            .map_err(|error| LoadError::Connect(Box::new(error.error.report(Side::Target))))?;
        for attempt in 1..=SWAP_ATTEMPTS {
            if stop.is_cancelled() {
                return Err(PublishError::Stopped);
            }
            let started = Instant::now();
            let mut renamed = std::pin::pin!(self.session.client().batch_execute(&sql));
            let done = tokio::select! {
                done = &mut renamed => done,
                () = terminate(&terminator, &names) => unreachable!("terminating goes on until the renames are done"),
                () = stop.cancelled() => tokio::select! {
                    // The server knows whether it was asked in time.
                    done = &mut renamed => done,
                    () = cancel(&terminator, self.session.pid()) => unreachable!("cancelling goes on until the renames are done"),
                },
            };
            let gap = started.elapsed().as_millis() as u64;
            // The last statement that ends sessions may still run, and would end those of the new release; one that cancels
            // would meet whatever comes next.
            if !self.session.is_closed() {
                let _ = terminator.client().batch_execute("SELECT").await;
            }
            let Err(error) = done else { return Ok(gap) };
            let problem = pg::sql_error(&error);
            let retry = matches!(problem.sqlstate.as_str(), "55006" | "55P03");
            let _ = self.session.client().batch_execute("ROLLBACK").await;
            if stop.is_cancelled() && !problem.is_connection_lost() {
                return Err(PublishError::Stopped);
            }
            if !retry {
                return Err(PublishError::sql("swapping the databases", &error));
            }
            if attempt < SWAP_ATTEMPTS {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
        let holders = Holders::of(&self.session, &names).await.against_renaming();
        Err(PublishError::InUse { database: self.live.clone(), holders })
    }
}

/// What earlier releases are ordered by, largest first: when they left service, else the time of their content. One that
/// was there before us has neither and goes last.
fn age(release: &Release) -> (Option<&String>, Option<&String>, u32) {
    (release.mark.as_ref().and_then(|mark| mark.left.as_ref()), release.as_of.as_ref(), release.oid)
}

/// Notes in the mark of the live database, which is called `name` from now on, that it leaves service.
fn leaves(live: &Release, name: &str, now: jiff::Timestamp) -> Option<String> {
    let left = Some(now.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string());
    let mark = Mark { left, ..live.mark.clone()? };
    Some(comment_on(name, &mark.comment(&Mark::people(&live.comment))))
}

fn comment_on(database: &str, text: &str) -> String {
    format!("COMMENT ON DATABASE {} IS {}", pg::quote_ident(database), pg::quote_literal(text))
}

/// The id a live database is kept under when it leaves: that of its own content, so that a name never depends on who
/// replaced it. One that no run made is named by the time of its mark.
fn own_id(live: &Release, fallback: &RunId) -> RunId {
    let marked = || live.mark.as_ref()?.at.parse::<jiff::Timestamp>().ok();
    live.release.clone().or_else(|| marked().map(|at| RunId::new(at, 0))).unwrap_or_else(|| fallback.clone())
}

/// Our line of a comment, then what people wrote into the comment of the live database.
fn people_text(ours: &str, live: Option<&Release>) -> String {
    let before = live.map(|live| Mark::people(&live.comment)).unwrap_or_default();
    let theirs = before.lines().filter(|line| !line.is_empty() && !is_our_line(line));
    std::iter::once(ours).chain(theirs).collect::<Vec<_>>().join("\n")
}

fn is_our_line(line: &str) -> bool {
    line == release::MARKED || (line.starts_with("masked copy of ") && line.contains(" as of "))
}

/// Ends client sessions of the databases every 20 ms, for ever.
async fn terminate(session: &TargetSession, names: &[String]) {
    loop {
        end_sessions(session, names).await;
        tokio::time::sleep(TERMINATE_EVERY).await;
    }
}

/// Cancels what another session of ours does, for ever.
async fn cancel(session: &TargetSession, pid: i32) {
    loop {
        let _ = session.client().query("SELECT pg_catalog.pg_cancel_backend($1)", &[&pid]).await;
        tokio::time::sleep(CANCEL_EVERY).await;
    }
}

/// Ends the client sessions of the databases that we may end.
///
/// What a session is may be hidden from us (`backend_type` of other roles is), but not whose it is: the server's own
/// processes are nobody's. One session that we may not end must not keep the statement from ending the others.
async fn end_sessions(session: &TargetSession, names: &[String]) {
    let _ = session
        .client()
        .query(
            &format!(
                "SELECT pg_catalog.pg_terminate_backend(a.pid) FROM pg_catalog.pg_stat_activity a \
             JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid \
             JOIN pg_catalog.pg_roles me ON me.rolname = current_user \
             WHERE a.datname = ANY ($1) AND a.pid <> pg_catalog.pg_backend_pid() AND (me.rolsuper OR NOT r.rolsuper \
             AND {MAY_END})"
            ),
            &[&names],
        )
        .await;
}

/// Stands for the value of a setting that applications made: they may keep secrets there.
const HIDDEN: &str = "'…'";

/// Writes a setting's value as `ALTER DATABASE … SET` wants it. Lists of names are stored quoted already.
///
/// Source: `variable_is_guc_list_quote` of pg_dump.
fn setting_value(parameter: &str, value: &str) -> String {
    const LISTS: [&str; 6] = [
        "local_preload_libraries",
        "search_path",
        "session_preload_libraries",
        "shared_preload_libraries",
        "temp_tablespaces",
        "unix_socket_directories",
    ];
    if LISTS.contains(&parameter) && !value.is_empty() { value.to_owned() } else { pg::quote_literal(value) }
}
