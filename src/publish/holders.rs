//! Who is in a database that shall be renamed or dropped, and what can be done about it.

use crate::pg::{self, TargetSession};

/// Most sessions and prepared transactions that an error names.
const NAMED_MAX: i64 = 10;

/// SQL: we may end the sessions of role `r`, which is no superuser.
pub(crate) const MAY_END: &str =
    "(pg_catalog.pg_has_role(r.oid, 'USAGE') OR pg_catalog.pg_has_role('pg_signal_backend', 'USAGE'))";

/// Sessions in databases of ours, and their prepared transactions.
#[derive(Debug, Clone, Default)]
pub struct Holders {
    /// The role that would end them: ours.
    role: String,
    sessions: Vec<Holder>,
    prepared: Vec<Prepared>,
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
struct Prepared {
    /// As a literal.
    gid: String,
    owner: String,
    database: String,
}

impl Holders {
    /// Looks who holds the databases; with `sessions`, not only by prepared transactions. Nobody, if the server cannot say.
    pub(super) async fn of(session: &TargetSession, databases: &[String], sessions: bool) -> Self {
        Self::read(session, databases, sessions).await.unwrap_or_default()
    }

    async fn read(
        session: &TargetSession,
        databases: &[String],
        sessions: bool,
    ) -> Result<Self, tokio_postgres::Error> {
        let client = session.client();
        let role = client.query_one("SELECT current_user::text", &[]).await?.get(0);
        let connected = client
            .query(
                &format!("SELECT a.pid, 'backend ' || a.pid || ' (user ' || a.usename || coalesce(', application ' || nullif(a.application_name, ''), '') || ')', \
                 r.rolsuper AND NOT me.rolsuper, \
                 me.rolsuper OR {MAY_END} \
                 FROM pg_catalog.pg_stat_activity a JOIN pg_catalog.pg_roles r ON r.oid = a.usesysid \
                 JOIN pg_catalog.pg_roles me ON me.rolname = current_user \
                 WHERE $2 AND a.datname = ANY ($1) AND a.pid <> pg_catalog.pg_backend_pid() ORDER BY a.pid LIMIT $3"),
                &[&databases, &sessions, &NAMED_MAX],
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
        Ok(Self { role, sessions: sessions.collect(), prepared: prepared.collect() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sessions.is_empty() && self.prepared.is_empty()
    }

    /// Ending sessions once more can help: nobody else is there.
    pub(super) fn may_be_ended(&self) -> bool {
        self.prepared.is_empty() && self.sessions.iter().all(|session| session.ends == Ends::Us)
    }

    /// One line each.
    pub fn named(&self) -> String {
        let sessions = self.sessions.iter().map(|session| session.told.clone());
        let prepared =
            self.prepared.iter().map(|prepared| format!("prepared transaction {} of {}", prepared.gid, prepared.owner));
        sessions.chain(prepared).collect::<Vec<_>>().join("\n")
    }

    /// The right that is missing.
    pub(super) fn grant(&self) -> Option<String> {
        let missing = self.sessions.iter().any(|session| session.ends == Ends::Granted);
        missing.then(|| grant(&self.role))
    }

    /// What to do about those who are there, and about nobody else; ends with what to do `then`.
    pub fn advice(&self, then: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        for Prepared { gid, owner, database } in &self.prepared {
            lines.push(format!("ROLLBACK PREPARED {gid};     -- in \"{database}\", as {owner}; or COMMIT PREPARED"));
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
}
