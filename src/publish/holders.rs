//! Who is in a database that shall be renamed or dropped, and what can be done about it.

use crate::pg::{self, TargetSession};

/// Most sessions and prepared transactions that an error names.
const NAMED_MAX: i64 = 10;

/// SQL: we may end the sessions of role `r`, which is no superuser.
pub(crate) const MAY_END: &str =
    "(pg_catalog.pg_has_role(r.oid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))";

/// Sessions in databases of ours, their prepared transactions, and the subscriptions of logical replication in them.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    /// The role that would end them: ours.
    role: String,
    /// The database that we ask from.
    here: String,
    sessions: Vec<Holder>,
    pub(super) prepared: Vec<Prepared>,
    pub(super) subscriptions: Vec<Subscription>,
}

#[derive(Debug, Clone)]
struct Holder {
    pid: i32,
    told: String,
    ends: Ends,
}

/// Who may end a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    Us,
    /// Whoever is a member of its role or of `pg_signal_backend`.
    Granted,
    /// Only superusers.
    Superuser,
}

#[derive(Debug, Clone)]
pub(super) struct Prepared {
    /// As a literal.
    pub(super) gid: String,
    owner: String,
    database: String,
}

/// A worker of the server's own follows each that is enabled: once it is ended it is started again.
#[derive(Debug, Clone)]
pub(super) struct Subscription {
    pub(super) name: String,
    owner: String,
    database: String,
    /// The database left service.
    closed: bool,
    pub(super) enabled: bool,
    /// Its worker is there, and is not for us to end.
    stuck: bool,
}

impl Prepared {
    pub(super) fn undo(&self) -> String {
        let Self { gid, owner, database } = self;
        format!("ROLLBACK PREPARED {gid};     -- in \"{database}\", as {owner}; or COMMIT PREPARED")
    }
}

impl Subscription {
    /// The statements that end it, in its database.
    pub(super) fn undo(&self) -> String {
        let name = pg::quote_ident(&self.name);
        // The database may be one that is read-only for its users.
        format!(
            "SET default_transaction_read_only = off; ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name};"
        )
    }
}

impl Holders {
    /// Looks who holds the databases. Nobody, if the server cannot say.
    pub(super) async fn of(session: &TargetSession, databases: &[String]) -> Self {
        Self::read(session, databases).await.unwrap_or_default()
    }

    /// Those that no waiting and no ending of sessions gets rid of.
    pub(super) fn stuck(mut self) -> Self {
        self.sessions.clear();
        self.subscriptions.retain(|subscription| subscription.stuck);
        self
    }

    /// Those that keep a database from being renamed.
    pub(super) fn against_renaming(mut self) -> Self {
        self.subscriptions.retain(|subscription| subscription.enabled);
        self
    }

    async fn read(session: &TargetSession, databases: &[String]) -> Result<Self, tokio_postgres::Error> {
        let client = session.client();
        let me = client.query_one("SELECT current_user::text, pg_catalog.current_database()::text", &[]).await?;
        let connected = client
            .query(
                &format!("SELECT a.pid, 'backend ' || a.pid || ' (user ' || a.usename || coalesce(', application ' || nullif(a.application_name, ''), '') || ')', \
                 r.rolsuper AND NOT me.rolsuper, \
                 me.rolsuper OR {MAY_END} \
                 FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid \
                 JOIN pg_catalog.pg_roles me ON me.rolname = current_user \
                 WHERE a.datname = ANY ($1) AND a.pid <> pg_catalog.pg_backend_pid() \
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_subscription w WHERE w.pid = a.pid) ORDER BY a.pid LIMIT $2"),
                &[&databases, &NAMED_MAX],
            )
            .await?;
        let sessions = connected.iter().map(|row| Holder {
            pid: row.get(0),
            told: row.get(1),
            ends: match (row.get(2), row.get(3)) {
                (true, _) => Ends::Superuser,
                (false, true) => Ends::Us,
                (false, false) => Ends::Granted,
            },
        });
        let prepared = client
            .query(
                "SELECT pg_catalog.quote_literal(gid), owner::text, database::text FROM pg_catalog.pg_prepared_xacts \
                 WHERE database = ANY ($1) ORDER BY prepared LIMIT $2",
                &[&databases, &NAMED_MAX],
            )
            .await?;
        let prepared = prepared.iter().map(|row| Prepared { gid: row.get(0), owner: row.get(1), database: row.get(2) });
        let subscriptions = client
            .query(
                &format!(
                    "SELECT s.subname::text, r.rolname::text, d.datname::text, NOT d.datallowconn, s.subenabled, \
                     EXISTS (SELECT FROM pg_catalog.pg_stat_subscription w WHERE w.subid = s.oid AND w.pid IS NOT NULL) \
                     AND NOT (me.rolsuper OR NOT r.rolsuper AND {MAY_END}) \
                     FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
                     JOIN pg_catalog.pg_roles r ON r.oid = s.subowner \
                     JOIN pg_catalog.pg_roles me ON me.rolname = current_user \
                     WHERE d.datname = ANY ($1) ORDER BY 1 LIMIT $2"
                ),
                &[&databases, &NAMED_MAX],
            )
            .await?;
        let subscriptions = subscriptions.iter().map(|row| Subscription {
            name: row.get(0),
            owner: row.get(1),
            database: row.get(2),
            closed: row.get(3),
            enabled: row.get(4),
            stuck: row.get(5),
        });
        Ok(Self {
            role: me.get(0),
            here: me.get(1),
            sessions: sessions.collect(),
            prepared: prepared.collect(),
            subscriptions: subscriptions.collect(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.prepared.is_empty() && self.subscriptions.is_empty()
    }

    /// Why a database could not be renamed.
    pub(super) fn why(&self) -> &'static str {
        match (self.prepared.is_empty(), self.subscriptions.is_empty()) {
            (false, _) => "it has prepared transactions",
            (true, false) => "a subscription works in it",
            (true, true) => "sessions did not leave",
        }
    }

    /// Ending sessions once more can help: nobody else is there.
    pub(super) fn may_be_ended(&self) -> bool {
        self.prepared.is_empty()
            && self.subscriptions.is_empty()
            && self.sessions.iter().all(|session| session.ends == Ends::Us)
    }

    /// One line each.
    pub fn named(&self) -> String {
        let sessions = self.sessions.iter().map(|session| session.told.clone());
        let prepared =
            self.prepared.iter().map(|prepared| format!("prepared transaction {} of {}", prepared.gid, prepared.owner));
        let subscriptions =
            self.subscriptions.iter().map(|subscription| format!("subscription \"{}\"", subscription.name));
        sessions.chain(prepared).chain(subscriptions).collect::<Vec<_>>().join("\n")
    }

    /// The right that is missing.
    pub(super) fn grant(&self) -> Option<String> {
        let missing = self.sessions.iter().any(|session| session.ends == Ends::Granted);
        missing.then(|| grant(&self.role))
    }

    /// What to do about those who are there, and about nobody else; ends with what to do `then`.
    pub fn advice(&self, then: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        lines.extend(self.prepared.iter().map(Prepared::undo));
        for subscription in &self.subscriptions {
            let database = pg::quote_ident(&subscription.database);
            if subscription.closed {
                lines.push(format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true;"));
            }
            lines.push(format!("\\connect {database}"));
            let slot = "the slot that it has at its publisher stays there";
            lines.push(format!("{}     -- as {}; {slot}", subscription.undo(), subscription.owner));
            lines.push(format!("\\connect {}", pg::quote_ident(&self.here)));
        }
        lines.extend(self.grant().map(|grant| format!("{grant}     -- restage ends the sessions of other roles then")));
        let superusers = self.sessions.iter().filter(|session| session.ends == Ends::Superuser);
        lines.extend(superusers.map(|session| {
            format!(
                "SELECT pg_terminate_backend({});     -- as a superuser: nobody else ends a superuser's session",
                session.pid
            )
        }));
        lines.push(then.to_owned());
        lines.join("\n")
    }
}

/// The statement that lets `role` end the sessions of other roles.
pub fn grant(role: &str) -> String {
    format!("GRANT pg_signal_backend TO {};", pg::quote_ident(role))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(pid: i32, ends: Ends) -> Holder {
        Holder { pid, told: format!("backend {pid} (user x)"), ends }
    }

    #[test]
    fn only_what_is_in_the_way_is_advised() {
        let none = Holders { role: "stg".to_owned(), ..Holders::default() };
        assert_eq!(none.advice("again"), "again");
        let prepared = Prepared { gid: "'x'".to_owned(), owner: "app".to_owned(), database: "shop".to_owned() };
        let prepared = Holders { prepared: vec![prepared], ..none.clone() };
        assert_eq!(
            prepared.advice("again"),
            "ROLLBACK PREPARED 'x';     -- in \"shop\", as app; or COMMIT PREPARED\nagain"
        );
        let ours = Holders { sessions: vec![session(1, Ends::Us)], ..none.clone() };
        assert_eq!((ours.advice("again").as_str(), ours.may_be_ended()), ("again", true));
        let others = Holders { sessions: vec![session(1, Ends::Us), session(2, Ends::Granted)], ..none.clone() };
        assert!(
            others.advice("again").starts_with("GRANT pg_signal_backend TO \"stg\";"),
            "{}",
            others.advice("again")
        );
        assert!(!others.may_be_ended());
        let superuser = Holders { sessions: vec![session(3, Ends::Superuser)], ..none };
        let advice = superuser.advice("again");
        assert!(advice.contains("pg_terminate_backend(3)") && !advice.contains("GRANT"), "{advice}");
    }

    #[test]
    fn subscription_is_in_the_way_as_long_as_its_worker_comes_back() {
        let subscription = |name: &str, enabled: bool, stuck: bool| Subscription {
            name: name.to_owned(),
            owner: "app".to_owned(),
            database: "shop".to_owned(),
            closed: !enabled,
            enabled,
            stuck,
        };
        let subscriptions =
            vec![subscription("a", true, true), subscription("b", true, false), subscription("c", false, false)];
        let all = Holders { subscriptions, here: "postgres".to_owned(), ..Holders::default() };
        let names = |holders: Holders| -> Vec<String> {
            holders.subscriptions.into_iter().map(|subscription| subscription.name).collect()
        };
        assert_eq!(names(all.clone().stuck()), ["a"]);
        assert_eq!(names(all.clone().against_renaming()), ["a", "b"]);
        assert!(!all.may_be_ended());
        let advice = all.advice("DROP DATABASE \"shop\";");
        let last: Vec<&str> = advice.lines().skip(6).collect();
        assert_eq!(last[..2], ["ALTER DATABASE \"shop\" ALLOW_CONNECTIONS true;", "\\connect \"shop\""]);
        assert!(
            last[2].starts_with("SET default_transaction_read_only = off; ALTER SUBSCRIPTION \"c\" DISABLE;")
                && last[2].contains("-- as app"),
            "{advice}"
        );
        assert_eq!(last[3..], ["\\connect \"postgres\"", "DROP DATABASE \"shop\";"]);
        assert_eq!(all.why(), "a subscription works in it");
        assert_eq!(Holders::default().why(), "sessions did not leave");
    }
}
