//! Roles that grants and policies name: mapped, created, refused or left out, decided before anything is created.
//!
//! Roles belong to a server, not to a database, so a copy cannot bring its own.

use super::objects::{Entry, Objects, statements};
use crate::config::MissingRoles;
use crate::pg;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What became of the roles.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settled {
    /// Roles that are named, after mapping, and that the target does not have.
    pub missing: BTreeSet<String>,
    /// Grants that were left out because of them.
    pub grants: usize,
    /// Policies that were left out because they are for missing roles only.
    pub policies: Vec<String>,
}

/// Rewrites all grants and policies to the roles of the target.
///
/// `reader` is the role that reads the source: nobody misses its own grants, so leaving them out is not counted.
/// `rule` = skip leaves out what names a role that is in `roles` neither by itself nor by its mapping; otherwise the
/// statements stay as they are and the caller creates the missing roles, or refuses.
pub fn settle(
    objects: &mut Objects,
    mapping: &BTreeMap<String, String>,
    roles: &BTreeSet<String>,
    reader: &str,
    rule: MissingRoles,
) -> Settled {
    let mut settled = Settled::default();
    let skip = rule == MissingRoles::Skip;
    // What stands for a role as it is written, and whether that can be used. Text that need not change does not: it is
    // compared with the source's later.
    let lookup = |settled: &mut Settled, written: &str| {
        let name = unquoted(written);
        let mapped = mapping.get(&name);
        let name = mapped.cloned().unwrap_or(name);
        let here = roles.contains(&name);
        let text = if mapped.is_some() { pg::quote_ident(&name) } else { written.to_owned() };
        let own = skip && name == reader;
        if !here && !own {
            settled.missing.insert(name);
        }
        (text, here || !skip, own && !here)
    };
    for entry in &mut objects.grants {
        let mut kept = String::new();
        for mut statement in statements(&entry.sql) {
            let (mut keep, mut told) = (true, false);
            // From the right, so that places to the left stay right.
            for place in roles_of_grant(&statement).into_iter().rev() {
                let (role, usable, own) = lookup(&mut settled, &statement[place.clone()]);
                keep &= usable;
                told |= !usable && !own;
                statement.replace_range(place, &role);
            }
            if keep {
                kept.push_str(&statement);
                kept.push_str(";\n");
            } else if told && !statement.starts_with("SET SESSION ") {
                settled.grants += 1;
            }
        }
        entry.sql = kept;
    }
    let mut left_out = BTreeSet::new();
    for entry in objects.post.iter_mut().filter(|entry| entry.kind == "POLICY") {
        let places = roles_of_policy(&entry.sql);
        let (Some(first), Some(last)) = (places.first(), places.last()) else { continue };
        let list = first.start..last.end;
        let mut names = Vec::new();
        for place in places {
            let (role, usable, _) = lookup(&mut settled, &entry.sql[place]);
            names.extend(usable.then_some(role));
        }
        if names.is_empty() {
            left_out.insert(entry.id);
            settled.policies.push(entry.name.clone());
        } else {
            entry.sql.replace_range(list, &names.join(", "));
        }
    }
    // The comment on a policy goes with it.
    let about_left_out = |entry: &Entry| entry.kind == "COMMENT" && entry.needs.iter().any(|id| left_out.contains(id));
    objects.post.retain(|entry| !left_out.contains(&entry.id) && !about_left_out(entry));
    settled
}

/// Words outside of quotes and parentheses.
fn words(sql: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let (mut start, mut depth, mut quote) = (None, 0usize, None);
    for (at, c) in sql.char_indices() {
        match (quote, c) {
            (Some(open), _) => {
                if c == open {
                    quote = None;
                }
            }
            (None, '"' | '\'') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth = depth.saturating_sub(1),
            (None, _) => {}
        }
        let between = quote.is_none() && depth == 0 && (c.is_whitespace() || c == ',' || c == ';');
        match (between, start) {
            (true, Some(from)) => {
                found.push(from..at);
                start = None;
            }
            (false, None) => start = Some(at),
            _ => {}
        }
    }
    found.extend(start.map(|from| from..sql.len()));
    found
}

/// Where a statement of an ACL entry names roles; PUBLIC is none.
fn roles_of_grant(sql: &str) -> Vec<Range<usize>> {
    let words = words(sql);
    let starts = |with: &[&str]| {
        words.len() > with.len() && words.iter().zip(with).all(|(place, word)| &sql[place.clone()] == *word)
    };
    let mut places = Vec::new();
    if starts(&["SET", "SESSION", "AUTHORIZATION"]) {
        places.push(words[3].clone());
    } else if starts(&["ALTER", "DEFAULT", "PRIVILEGES", "FOR", "ROLE"]) {
        places.push(words[5].clone());
    }
    let last = words.iter().rposition(|place| matches!(&sql[place.clone()], "TO" | "FROM"));
    if let Some(role) = last.and_then(|at| words.get(at + 1))
        && &sql[role.clone()] != "PUBLIC"
    {
        places.push(role.clone());
    }
    places
}

/// Where CREATE POLICY names roles; one without a list is for PUBLIC.
fn roles_of_policy(sql: &str) -> Vec<Range<usize>> {
    let words = words(sql);
    let Some(to) = words.iter().position(|place| &sql[place.clone()] == "TO") else { return Vec::new() };
    words[to + 1..].iter().take_while(|place| !matches!(&sql[(*place).clone()], "USING" | "WITH")).cloned().collect()
}

fn unquoted(word: &str) -> String {
    match word.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        Some(word) => word.replace("\"\"", "\""),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: u32, kind: &str, sql: &str) -> Entry {
        Entry {
            id,
            oid: 1,
            needs: if kind == "COMMENT" { vec![id - 1] } else { vec![] },
            name: "p".into(),
            kind: kind.into(),
            schema: "a".into(),
            sql: sql.into(),
        }
    }

    fn settled(kind: &str, sql: &str, rule: MissingRoles) -> (Objects, Settled) {
        let mut objects = Objects::default();
        let list = if kind == "ACL" { &mut objects.grants } else { &mut objects.post };
        list.push(entry(7, kind, sql));
        list.push(entry(8, "COMMENT", "COMMENT ON POLICY p ON a.t IS 'x';"));
        let mapping = BTreeMap::from([("prod owner".to_owned(), "staging".to_owned())]);
        let roles = ["staging", "here", "x TO y"].map(str::to_owned).into();
        let settled = settle(&mut objects, &mapping, &roles, "restage_ro", rule);
        (objects, settled)
    }

    fn grant(sql: &str) -> String {
        settled("ACL", sql, MissingRoles::Skip).0.grants[0].sql.clone()
    }

    #[test]
    fn roles_are_mapped_wherever_a_grant_names_them() {
        assert_eq!(
            grant("GRANT SELECT ON TABLE a.\"x TO y\" TO \"prod owner\" WITH GRANT OPTION;"),
            "GRANT SELECT ON TABLE a.\"x TO y\" TO \"staging\" WITH GRANT OPTION;\n"
        );
        assert_eq!(
            grant("ALTER DEFAULT PRIVILEGES FOR ROLE \"prod owner\" IN SCHEMA a REVOKE ALL ON TABLES FROM here;"),
            "ALTER DEFAULT PRIVILEGES FOR ROLE \"staging\" IN SCHEMA a REVOKE ALL ON TABLES FROM here;\n"
        );
        assert_eq!(grant("GRANT ALL ON TABLE a.t TO \"x TO y\";"), "GRANT ALL ON TABLE a.t TO \"x TO y\";\n");
        assert_eq!(grant("REVOKE ALL ON FUNCTION a.f(x a.\"FROM z\") FROM PUBLIC;").matches("PUBLIC").count(), 1);
    }

    #[test]
    fn grants_to_missing_roles_are_left_out_one_by_one() {
        let sql = "GRANT SELECT ON TABLE a.t TO here;\nSET SESSION AUTHORIZATION gone;\nGRANT SELECT ON TABLE a.t TO lost;\nRESET SESSION AUTHORIZATION;";
        let (objects, settled) = settled("ACL", sql, MissingRoles::Skip);
        assert_eq!(objects.grants[0].sql, "GRANT SELECT ON TABLE a.t TO here;\nRESET SESSION AUTHORIZATION;\n");
        assert_eq!((settled.grants, settled.missing.len()), (1, 2));
    }

    #[test]
    fn grants_of_the_reading_role_are_left_out_untold() {
        let (objects, settled) = settled("ACL", "GRANT SELECT ON TABLE a.t TO restage_ro;", MissingRoles::Skip);
        assert_eq!((objects.grants[0].sql.as_str(), settled), ("", Settled::default()));
    }

    #[test]
    fn policy_keeps_the_roles_that_are_there() {
        let sql =
            "CREATE POLICY \"p TO q\" ON a.t FOR SELECT TO gone, here, \"prod owner\" USING ((b <> ' TO '::text));";
        let (objects, _) = settled("POLICY", sql, MissingRoles::Skip);
        assert!(objects.post[0].sql.contains(" TO here, \"staging\" USING ((b"), "{}", objects.post[0].sql);
        let (objects, settled) = settled("POLICY", "CREATE POLICY p ON a.t TO gone USING (true);", MissingRoles::Skip);
        assert!(objects.post.is_empty(), "its comment goes with it");
        assert_eq!(settled.policies, ["p"]);
    }

    #[test]
    fn policy_without_roles_is_not_touched() {
        let sql = "CREATE POLICY p ON a.t USING ((EXTRACT(year FROM d) = 1));";
        let (objects, settled) = settled("POLICY", sql, MissingRoles::Skip);
        assert_eq!((objects.post[0].sql.as_str(), settled), (sql, Settled::default()));
    }

    #[test]
    fn created_roles_keep_every_statement() {
        let (objects, settled) =
            settled("POLICY", "CREATE POLICY p ON a.t TO gone USING (true);", MissingRoles::Create);
        assert_eq!(objects.post.len(), 2);
        assert_eq!(settled.missing, ["gone".to_owned()].into());
    }
}
