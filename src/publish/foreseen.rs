//! What a run that publishes will meet in the live database, or will lose with it, as far as the server says so before.
//!
//! Nothing here refuses a run: by its end things may have changed. What the server does not say is not foreseen.

use super::holders::Holders;
use super::{Admin, HIDDEN, setting_value};
use crate::pg;

const PARAMETER_RIGHTS: u32 = 150_000;
/// Since then a membership says apart what it gives.
const ADMIN_OF_ROLES: u32 = 160_000;
/// Connections a run may want at once in the release that it has published.
const PLACES: i32 = 3;

/// SQL for whether this role may make another one the owner of something; the other's number in SQL.
pub(crate) fn may_set(version: u32, role: &str) -> String {
    // Before, whoever was a member could.
    let right = if version >= ADMIN_OF_ROLES { "SET" } else { "MEMBER" };
    format!("pg_catalog.pg_has_role({role}, '{right}')")
}

/// The line that gives a role all of another one; names are quoted. What was granted in part is not made whole by a plain GRANT.
pub(crate) fn grant_role(version: u32, role: &str, to: &str) -> String {
    let whole = if version >= ADMIN_OF_ROLES { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    format!("GRANT {role} TO {to}{whole};")
}

/// One thing that somebody may want to see to before the run publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreseen {
    /// What it is about, in a word or two.
    pub name: &'static str,
    pub told: String,
    /// The line to paste.
    pub helps: Option<String>,
}

/// Where the live database has its files, if that is not where new databases have theirs.
struct Tablespace {
    name: String,
    may_create: bool,
}

impl Admin {
    /// Looks at the live database.
    pub async fn foresee(&self) -> Vec<Foreseen> {
        let mut found = self.foresee_holders().await;
        found.extend(self.foresee_slots().await.unwrap_or_default());
        found.extend(self.foresee_tablespace().await);
        found.extend(self.foresee_closed().await.unwrap_or_default());
        found.extend(self.foresee_limit().await.unwrap_or_default());
        found.extend(self.foresee_owner().await.unwrap_or_default());
        found.extend(self.foresee_settings().await.unwrap_or_default());
        found
    }

    /// The tablespace a database that takes the place of the live one belongs in, if we may put it there.
    pub async fn tablespace(&self) -> Option<String> {
        let of_live = self.tablespace_of_live().await.ok().flatten()?;
        of_live.may_create.then_some(of_live.name)
    }

    async fn foresee_holders(&self) -> Vec<Foreseen> {
        let live = &self.live;
        let holders = Holders::of(&self.session, std::slice::from_ref(live)).await;
        let prepared = holders.prepared.iter().map(|prepared| Foreseen {
            name: "prepared transaction",
            told: format!("no run publishes while prepared transaction {} is open in \"{live}\"", prepared.gid),
            helps: Some(prepared.undo()),
        });
        let subscriptions = holders.subscriptions.iter().map(|subscription| {
            let name = &subscription.name;
            let meanwhile = if subscription.enabled { "; while it works there, no run publishes" } else { "" };
            Foreseen {
                name: "subscription",
                told: format!(
                    "subscription \"{name}\" of \"{live}\" is not in the new release, and the old one cannot be dropped until \
                     it is{meanwhile}"
                ),
                helps: Some(format!("{}     -- in \"{live}\"", subscription.undo())),
            }
        });
        prepared.chain(subscriptions).collect()
    }

    async fn foresee_slots(&self) -> Result<Vec<Foreseen>, tokio_postgres::Error> {
        let sql = "SELECT slot_name::text FROM pg_catalog.pg_replication_slots WHERE database::text = $1 AND NOT temporary \
                   ORDER BY 1";
        let rows = self.session.client().query(sql, &[&self.live]).await?;
        let slot = |name: String| Foreseen {
            name: "replication slot",
            told: format!(
                "replication slot \"{name}\" of \"{}\" goes with the database that leaves service: it holds write-ahead log \
                 back until that is dropped, and is dropped with it",
                self.live
            ),
            helps: Some(format!("SELECT pg_drop_replication_slot({});", pg::quote_literal(&name))),
        };
        Ok(rows.iter().map(|row| slot(row.get(0))).collect())
    }

    async fn tablespace_of_live(&self) -> Result<Option<Tablespace>, tokio_postgres::Error> {
        let sql = "SELECT t.spcname::text, pg_catalog.has_tablespace_privilege(t.oid, 'CREATE') FROM pg_catalog.pg_database d \
                   JOIN pg_catalog.pg_tablespace t ON t.oid = d.dattablespace \
                   WHERE d.datname::text = $1 AND d.dattablespace IS DISTINCT FROM \
                   (SELECT dattablespace FROM pg_catalog.pg_database WHERE datname = 'template0')";
        let row = self.session.client().query_opt(sql, &[&self.live]).await?;
        Ok(row.map(|row| Tablespace { name: row.get(0), may_create: row.get(1) }))
    }

    async fn foresee_tablespace(&self) -> Option<Foreseen> {
        let Tablespace { name, .. } =
            self.tablespace_of_live().await.ok().flatten().filter(|tablespace| !tablespace.may_create)?;
        let role: String = self.session.client().query_one("SELECT current_user::text", &[]).await.ok()?.get(0);
        Some(Foreseen {
            name: "tablespace",
            told: format!(
                "\"{}\" lies in tablespace \"{name}\", and the new release will not: {} may not create anything there",
                self.live,
                pg::quote_ident(&role)
            ),
            helps: Some(format!(
                "GRANT CREATE ON TABLESPACE {} TO {};",
                pg::quote_ident(&name),
                pg::quote_ident(&role)
            )),
        })
    }

    async fn foresee_closed(&self) -> Result<Option<Foreseen>, tokio_postgres::Error> {
        let sql = "SELECT FROM pg_catalog.pg_database WHERE datname::text = $1 AND NOT datallowconn";
        let closed = self.session.client().query_opt(sql, &[&self.live]).await?;
        let database = pg::quote_ident(&self.live);
        Ok(closed.map(|_| Foreseen {
            name: "connections",
            told: format!("{database} is closed for connections, and the new release will be open"),
            helps: Some(format!(
                "ALTER DATABASE {database} ALLOW_CONNECTIONS false;     -- once it is published, if it shall stay closed"
            )),
        }))
    }

    /// A limit that is used up: whoever had a place comes back to the new release, and takes it there.
    async fn foresee_limit(&self) -> Result<Option<Foreseen>, tokio_postgres::Error> {
        let sql = "SELECT d.datconnlimit, r.rolsuper FROM pg_catalog.pg_database d \
                   JOIN pg_catalog.pg_roles r ON r.rolname = current_user WHERE d.datname::text = $1 AND d.datconnlimit >= 0 \
                   AND d.datconnlimit <= (SELECT count(*) FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)";
        let full = self.session.client().query_opt(sql, &[&self.live]).await?;
        let database = pg::quote_ident(&self.live);
        Ok(full.filter(|row| !row.get::<_, bool>(1)).map(|row| {
            let limit: i32 = row.get(0);
            Foreseen {
                name: "connection limit",
                told: format!(
                    "{database} takes {limit} connections at most, and has none left: once a run has published, its hooks, \
                     gates and manifest may find no place in the new release"
                ),
                helps: Some(format!("ALTER DATABASE {database} CONNECTION LIMIT {};", limit.saturating_add(PLACES))),
            }
        }))
    }

    /// An owner whose rights we have, and whom we may not make the owner of anything.
    async fn foresee_owner(&self) -> Result<Option<Foreseen>, tokio_postgres::Error> {
        let version = self.session.version_num();
        let sql = format!(
            "SELECT pg_catalog.pg_get_userbyid(d.datdba)::text, current_user::text FROM pg_catalog.pg_database d \
             WHERE d.datname::text = $1 AND pg_catalog.pg_has_role(d.datdba, 'USAGE') AND NOT {}",
            may_set(version, "d.datdba")
        );
        let row = self.session.client().query_opt(&sql, &[&self.live]).await?;
        Ok(row.map(|row| {
            let (owner, me): (String, String) = (row.get(0), row.get(1));
            let (owner, me) = (pg::quote_ident(&owner), pg::quote_ident(&me));
            Foreseen {
                name: "owner",
                told: format!(
                    "\"{}\" belongs to {owner}, and the new release will not: {me} may not SET ROLE to it",
                    self.live
                ),
                helps: Some(grant_role(version, &owner, &me)),
            }
        }))
    }

    /// Settings that `ALTER DATABASE` and `ALTER ROLE … IN DATABASE` made, and that we may not make again.
    ///
    /// Source: `validate_option_array_item` and `AlterRoleSet` of PostgreSQL.
    async fn foresee_settings(&self) -> Result<Vec<Foreseen>, tokio_postgres::Error> {
        let version = self.session.version_num();
        let granted = match version >= PARAMETER_RIGHTS {
            true => "pg_catalog.has_parameter_privilege(s.name, 'SET')",
            false => "false",
        };
        let administers = match version >= ADMIN_OF_ROLES {
            true => "AND pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')",
            false => "",
        };
        // A name with a dot that this session does not know is kept for whoever will.
        let sql = format!(
            "SELECT * FROM (SELECT me.rolname::text, r.rolname::text AS role, s.name, s.value, \
               me.rolsuper OR CASE WHEN p.context = 'superuser' OR (p.name IS NULL AND s.name LIKE '%.%') THEN {granted} \
                 ELSE true END AS may_set, \
               c.setrole = 0 OR me.rolsuper OR r.oid = me.oid OR (me.rolcreaterole AND NOT r.rolsuper {administers}) \
                 AS may_alter \
             FROM pg_catalog.pg_db_role_setting c JOIN pg_catalog.pg_database d ON d.oid = c.setdatabase \
             JOIN pg_catalog.pg_roles me ON me.rolname = current_user \
             LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.setrole \
             CROSS JOIN LATERAL (SELECT pg_catalog.split_part(one, '=', 1) AS name, \
               pg_catalog.substr(one, pg_catalog.strpos(one, '=') + 1) AS value FROM pg_catalog.unnest(c.setconfig) one) s \
             LEFT JOIN pg_catalog.pg_settings p ON pg_catalog.lower(p.name) = pg_catalog.lower(s.name) \
             WHERE d.datname::text = $1) found WHERE NOT (may_set AND may_alter) ORDER BY role NULLS FIRST, name"
        );
        let rows = self.session.client().query(&sql, &[&self.live]).await?;
        let database = pg::quote_ident(&self.live);
        let lost = rows.iter().map(|row| {
            let (me, role, name): (String, Option<String>, String) = (row.get(0), row.get(1), row.get(2));
            let (me, may_alter) = (pg::quote_ident(&me), row.get::<_, bool>(5));
            let hidden = name.contains('.');
            let value = if hidden { HIDDEN.to_owned() } else { setting_value(&name, row.get(3)) };
            let parameter = pg::quote_ident(&name).replace('.', "\".\"");
            let whose = role.as_ref().map(|role| format!(" for role \"{role}\"")).unwrap_or_default();
            let helps = match role.as_ref().map(|role| pg::quote_ident(role)) {
                Some(role) if !may_alter => Some(format!(
                    "{}ALTER ROLE {role} SET {parameter} TO {value}; ALTER ROLE {role} IN DATABASE {database} RESET {parameter};     \
                     -- for all databases, and no release loses it",
                    // A line that is pasted as it is must not set the sign that stands for the value.
                    if hidden { "-- with its value from `\\drds`: " } else { "" }
                )),
                _ => (version >= PARAMETER_RIGHTS).then(|| format!("GRANT SET ON PARAMETER {parameter} TO {me};")),
            };
            let told = format!(
                "setting \"{name}\" of {database}{whose} does not follow into the new release: {me} may not set it"
            );
            Foreseen { name: "setting", told, helps }
        });
        Ok(lost.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_are_granted_whole_where_they_come_in_parts() {
        assert_eq!(grant_role(150_000, "a", "b"), "GRANT a TO b;");
        assert_eq!(grant_role(160_000, "a", "b"), "GRANT a TO b WITH INHERIT TRUE, SET TRUE;");
        assert!(may_set(150_000, "o.oid").contains("'MEMBER'") && may_set(160_000, "o.oid").contains("'SET'"));
    }
}
