//! What a person reads when something is wrong: one error per cause, with place, reason, state and what to do; the right
//! exit code; nothing on standard output; and nothing changed.
//!
//! Each test breaks one thing of a set-up that works, runs the program against real servers and compares what it says
//! with a snapshot. Names, folders, ports and run ids are replaced, so that snapshots are the same everywhere.

mod lab;

use crate::support::{Cluster, KEY, Lab, Ran};
use insta::assert_snapshot;
use lab::*;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

// --- The configuration ---------------------------------------------------------------------------------------------

#[test]
fn config_missing() {
    let lab = lab();
    assert_snapshot!(told(&lab, &["-q", "-c", "nowhere.toml", "refresh"], 2, 1));
}

#[test]
fn config_is_a_folder() {
    let lab = lab();
    assert_snapshot!(told(&lab, &["-q", "-c", ".", "refresh"], 2, 1));
}

#[test]
fn config_empty() {
    let lab = lab();
    std::fs::write(lab.path("restage.toml"), "# later\n").expect("written");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_not_utf8() {
    let lab = lab();
    std::fs::write(lab.path("restage.toml"), b"version = 1\n# M\xFCller\n").expect("written");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_syntax() {
    let lab = lab();
    edit(&lab, "version = 1", "version = = 1");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_unknown_key() {
    let lab = lab();
    lab.config_with("wokers = 2", "", KEEP);
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_wrong_type() {
    let lab = lab();
    lab.config_with("", "keep = \"one\"", KEEP);
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_out_of_range() {
    let lab = lab();
    lab.config_with("lock_timeout = \"5 parsecs\"", "", KEEP);
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_unset_variable() {
    let lab = lab();
    edit(&lab, &target_url(&lab), "postgres://${STAGING_USER}@staging/shop");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_several_problems_are_told_at_once() {
    let lab = lab();
    lab.config_with("wokers = 2", "kep = 1", KEEP);
    assert_snapshot!(told(&lab, &["-q", "refresh"], 2, 2));
}

#[test]
fn config_without_target() {
    let lab = lab();
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("configuration");
    let (source, rest) = text.split_once("[target]").expect("a target");
    let (_, key) = rest.split_once("[key]").expect("a key");
    std::fs::write(lab.path("restage.toml"), format!("{source}[key]{key}")).expect("written");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_without_key() {
    let lab = lab();
    edit(&lab, &format!("[key]\nfile = \"{KEY}\"\nrealm = \"test\"\n"), "");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn config_with_equal_urls() {
    let lab = lab();
    edit(&lab, &target_url(&lab), &source_url(&lab));
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn subset_names_what_is_not_there() {
    let lab = lab();
    let edge = "[[subset.edge]]\nfrom = \"public.people.boss\"\nchildren = \"none\"\n";
    lab.config(&format!(
        "{KEEP}[subset]\nseed = [{{ table = \"public.peple\", percent = 5 }}, {{ table = \"public.people\", where = \"id = 1)\" }}]\n{edge}"
    ));
    assert_snapshot!(told(&lab, &["-q", "refresh"], 3, 3));
}

#[test]
fn config_asks_for_clones() {
    let lab = lab();
    lab.config(&format!("{KEEP}[publish]\nclones = [\"shop_branch_a\"]\n"));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn config_asks_for_what_is_not_done_and_is_told() {
    let lab = lab();
    let later = "[policy]\npacks = [\"pii\"]\n[fixture]\nrows = 5\n[verify]\nleak = true\n\
                 [schedule]\ncron = \"30 2 * * *\"\n[[notify]]\non = [\"failure\"]\nurl = \"https://example.com/hook\"\n";
    lab.config(&format!("{KEEP}{later}"));
    let plan = lab.restage(&["plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let warnings: Vec<&str> = plan.stdout.lines().filter(|line| line.starts_with('!')).collect();
    assert_snapshot!(warnings.join("\n"));
    let done = lab.restage(&["-q", "refresh", "--json", "--dry-run"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.stdout.matches("this build does not do").count(), 2, "{}", done.stdout);
}

// --- Servers and logins --------------------------------------------------------------------------------------------

#[test]
fn url_with_unknown_parameter() {
    let lab = lab();
    edit(&lab, &source_url(&lab), "postgres://restage_ro@prod/shop?sslmod=require");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn url_with_bad_port() {
    let lab = lab();
    edit(&lab, &source_url(&lab), "postgres://restage_ro@prod:54x2/shop");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn source_host_unknown() {
    let lab = lab();
    edit(&lab, &source_url(&lab), "postgres://restage_ro@prod.invalid/shop");
    assert_snapshot!(refused(&lab, 4));
}

#[test]
fn source_port_refused() {
    let lab = lab();
    let port = closed_port();
    edit(&lab, &source_url(&lab), &format!("postgres://restage_ro@127.0.0.1:{port}/shop"));
    assert_snapshot!(refused(&lab, 4).replace(&port.to_string(), "[port]"));
}

#[test]
fn target_socket_missing() {
    let lab = lab();
    edit(&lab, &target_url(&lab), "postgresql:///shop?host=/nowhere&user=restage");
    edit(&lab, &format!("confirm = \"{}\"", lab.name), "confirm = \"shop\"");
    assert_snapshot!(refused(&lab, 5));
}

#[test]
fn source_password_wrong() {
    let lab = lab();
    edit(&lab, &source_url(&lab), &format!("{}&password=hunter2", strict().url("reader", "postgres")));
    let said = refused(&lab, 4).replace(&strict().folder().display().to_string(), "[strict]");
    assert!(!said.contains("hunter2"));
    assert_snapshot!(said);
}

#[test]
fn source_password_unknown() {
    let lab = lab();
    edit(&lab, &source_url(&lab), &strict().url("reader", "postgres"));
    assert_snapshot!(refused(&lab, 4).replace(&strict().folder().display().to_string(), "[strict]"));
}

#[test]
fn source_role_without_login() {
    let lab = lab();
    edit(&lab, &source_url(&lab), &strict().url("asleep", "postgres"));
    assert_snapshot!(refused(&lab, 4).replace(&strict().folder().display().to_string(), "[strict]"));
}

#[test]
fn source_role_missing() {
    let lab = lab();
    edit(&lab, &source_url(&lab), &lab.source.url("raeder", &lab.name));
    assert_snapshot!(refused(&lab, 4));
}

#[test]
fn source_database_missing() {
    let lab = lab();
    edit(&lab, &source_url(&lab), &lab.source.url("reader", "shpo"));
    assert_snapshot!(refused(&lab, 4));
}

#[test]
fn source_without_tls() {
    let lab = lab();
    let port = proxy(lab.source, |_| {});
    edit(&lab, &source_url(&lab), &format!("postgres://reader@127.0.0.1:{port}/{}?sslmode=require", lab.name));
    assert_snapshot!(refused(&lab, 4).replace(&port.to_string(), "[port]"));
}

#[test]
fn root_certificate_missing() {
    let lab = lab();
    let port = closed_port();
    let url = format!("postgres://reader@127.0.0.1:{port}/shop?sslmode=verify-full&sslrootcert=/nowhere/root.crt");
    edit(&lab, &source_url(&lab), &url);
    assert_snapshot!(refused(&lab, 4).replace(&port.to_string(), "[port]"));
}

#[test]
fn source_is_a_pooler() {
    let lab = lab();
    // PgBouncer hands out cancel keys of its own.
    let port = proxy(lab.source, |bytes| {
        if let Some(at) = bytes.windows(5).position(|window| window == [b'K', 0, 0, 0, 12]) {
            bytes[at + 8] ^= 0x55;
        }
    });
    edit(&lab, &source_url(&lab), &format!("postgres://reader@127.0.0.1:{port}/{}?sslmode=disable", lab.name));
    assert_snapshot!(refused(&lab, 4).replace(&port.to_string(), "[port]"));
}

#[test]
fn target_older_than_source() {
    let lab = lab();
    // The server's own number, one major version lower: whoever believes it sees an older server.
    let port = proxy(lab.target, |bytes| {
        // The system identifier may hold such digits too.
        let inside = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
        for at in 0..bytes.len().saturating_sub(5) {
            let number = &bytes[at..at + 6];
            let whole = !inside(at.checked_sub(1).and_then(|before| bytes.get(before))) && !inside(bytes.get(at + 6));
            if whole && number.starts_with(b"1") && number.iter().all(u8::is_ascii_digit) && &number[2..4] == b"00" {
                bytes[at + 1] -= 1;
            }
        }
    });
    edit(&lab, &target_url(&lab), &format!("postgres://restage@127.0.0.1:{port}/{}?sslmode=disable", lab.name));
    let said = refused(&lab, 3).replace(&port.to_string(), "[port]");
    let major = major(&lab);
    let older = said.replace(&format!("PostgreSQL {}", major - 1), "PostgreSQL [older]");
    assert_snapshot!(older.replace(&format!("PostgreSQL {major}"), "PostgreSQL [major]"));
}

/// Of the servers of these tests, which may be any version.
fn major(lab: &Lab<'_>) -> u32 {
    lab.target.sql("postgres", "SELECT current_setting('server_version_num')::int / 10000").parse().expect("a number")
}

#[test]
fn source_and_target_are_one_database() {
    let lab = lab();
    edit(&lab, &target_url(&lab), &lab.source.url("app", &lab.name));
    assert_snapshot!(refused(&lab, 3));
}

// --- Rights at the source --------------------------------------------------------------------------------------------

#[test]
fn source_table_unreadable() {
    let lab = lab();
    lab.source.sql(&lab.name, "REVOKE SELECT ON orders FROM reader");
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn source_schema_unusable() {
    let lab = lab();
    lab.source.sql_as("app", &lab.name, "CREATE SCHEMA audit; CREATE TABLE audit.log (id int PRIMARY KEY)");
    lab.config(&format!("{KEEP}[tables.\"audit.*\"]\ndefault = \"keep\"\n"));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn source_role_is_superuser() {
    let lab = lab();
    edit(&lab, &source_url(&lab), &lab.source.url("postgres", &lab.name));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn source_role_owns_the_tables() {
    let lab = lab();
    edit(&lab, &source_url(&lab), &lab.source.url("app", &lab.name));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn source_rows_hidden_by_row_security() {
    let lab = lab();
    lab.source.sql(
        &lab.name,
        "CREATE ROLE bound LOGIN; GRANT pg_read_all_data TO bound; ALTER TABLE people ENABLE ROW LEVEL SECURITY",
    );
    edit(&lab, &source_url(&lab), &lab.source.url("bound", &lab.name));
    let said = refused(&lab, 3);
    lab.source.sql(&lab.name, "DROP ROLE bound");
    assert_snapshot!(said);
}

// --- The policy ------------------------------------------------------------------------------------------------------

#[test]
fn policy_leaves_a_column_undecided() {
    let lab = lab();
    lab.config(
        "[tables.\"public.orders\"]\ndefault = { keep = \"a test\" }\n[tables.\"public.people\".columns]\nid = \"keep\"\nname = \"null\"\n\
         code = \"keep\"\nborn = { keep = \"a test\" }\nprofile = \"null\"\n",
    );
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn policy_names_an_unknown_table() {
    let lab = lab();
    lab.config(&format!("{KEEP}\n[tables.\"public.peple\".columns]\nemail = \"email\"\n"));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn policy_names_an_unknown_column() {
    assert_snapshot!(refused(&with_column("emial = \"email\""), 3));
}

#[test]
fn policy_names_an_unknown_kind() {
    assert_snapshot!(refused(&with_column("email = \"emial\""), 3));
}

#[test]
fn policy_masks_a_date_as_email() {
    assert_snapshot!(refused(&with_column("born = \"email\""), 3));
}

#[test]
fn policy_mask_needs_more_room() {
    assert_snapshot!(refused(&with_column("code = \"email\""), 3));
}

#[test]
fn policy_mask_would_break_a_unique_key() {
    assert_snapshot!(refused(&with_column("email = { mask = \"name.full\", subject = \"id\" }"), 3));
}

#[test]
fn policy_ends_of_a_foreign_key_disagree() {
    let lab = lab();
    lab.config(&format!(
        "{KEEP}\n[tables.\"public.people\".columns]\nid = \"int\"\n[tables.\"public.orders\".columns]\nperson = \"keep\"\n"
    ));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn policy_null_in_a_not_null_column() {
    assert_snapshot!(refused(&with_column("email = \"null\""), 3));
}

#[test]
fn policy_mask_without_its_subject() {
    assert_snapshot!(refused(&with_column("born = \"date.shift\""), 3));
}

#[test]
fn policy_parameter_unknown() {
    assert_snapshot!(refused(&with_column("born = { mask = \"date.shift\", subject = \"id\", day_max = 9 }"), 3));
}

#[test]
fn policy_json_without_rest() {
    assert_snapshot!(refused(&with_column("profile = { mask = \"json\", paths = { \"$.phone\" = \"phone\" } }"), 3));
}

#[test]
fn policy_reference_to_a_missing_column() {
    let lab = lab();
    lab.config(&format!("{KEEP}\n[[references]]\nfrom = \"public.orders.email\"\nto = \"public.people.mail\"\n"));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn policy_mask_breaks_a_check() {
    let lab = lab();
    lab.source.sql_as("app", &lab.name, "ALTER TABLE people ADD CHECK (email LIKE '%@example.com')");
    lab.config(&format!("{KEEP}\n[tables.\"public.people\".columns]\nemail = \"email\"\n"));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn personal_literal_in_a_default() {
    let lab = lab();
    lab.source.sql_as("app", &lab.name, "ALTER TABLE people ALTER email SET DEFAULT 'jane.roe@corp.dev'");
    let said = refused(&lab, 3);
    assert!(!said.contains("jane"), "{said}");
    assert_snapshot!(said);
}

// --- The key -----------------------------------------------------------------------------------------------------------

/// The lab with another text in its key file.
fn with_key(text: &str) -> Lab<'static> {
    let lab = lab();
    std::fs::write(lab.path(KEY), text).expect("written");
    lab
}

fn key_text(bytes: [u8; 32]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let check = blake3::derive_key("mask-core 2026-11-20 v1 key check", &bytes);
    format!("mk1-{}-{}", hex(&bytes), hex(&check[..4]))
}

#[test]
fn key_file_missing() {
    let lab = lab();
    edit(&lab, KEY, "secrets/nowhere.key");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn key_file_readable_by_others() {
    let lab = lab();
    std::fs::set_permissions(lab.path(KEY), std::fs::Permissions::from_mode(0o644)).expect("chmod");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn key_file_is_a_link() {
    let lab = lab();
    symlink(lab.path(KEY), lab.path("link.key")).expect("linked");
    edit(&lab, KEY, "link.key");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn key_mistyped() {
    let lab = lab();
    let text = std::fs::read_to_string(lab.path(KEY)).expect("key");
    let digit = if text.as_bytes()[20] == b'0' { "1" } else { "0" };
    let wrong = format!("{}{digit}{}", &text[..20], &text[21..]);
    std::fs::write(lab.path(KEY), &wrong).expect("written");
    let said = refused(&lab, 2);
    assert!(!said.contains(&wrong[4..20]));
    assert_snapshot!(said);
}

#[test]
fn key_of_another_form() {
    assert_snapshot!(refused(&with_key("correct horse battery staple\n"), 2));
}

#[test]
fn key_of_zeros() {
    assert_snapshot!(refused(&with_key(&key_text([0; 32])), 2));
}

#[test]
fn key_published_in_the_documentation() {
    assert_snapshot!(refused(&with_key(&key_text(std::array::from_fn(|at| at as u8))), 2));
}

#[test]
fn key_variable_unset() {
    let lab = lab();
    edit(&lab, &format!("file = \"{KEY}\""), "env = \"RESTAGE_KEY\"");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn key_command_fails() {
    let lab = lab();
    edit(&lab, &format!("file = \"{KEY}\""), "command = [\"sh\", \"-c\", \"exit 3\"]");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn key_command_missing() {
    let lab = lab();
    edit(&lab, &format!("file = \"{KEY}\""), "command = [\"vualt\", \"read\"]");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn key_command_prints_too_much() {
    let lab = lab();
    edit(&lab, &format!("file = \"{KEY}\""), "command = [\"head\", \"-c\", \"10000\", \"/dev/zero\"]");
    assert_snapshot!(refused(&lab, 2));
}

// --- The target ----------------------------------------------------------------------------------------------------------

#[test]
fn target_without_mark() {
    let lab = lab();
    lab.target.sql("postgres", &format!("COMMENT ON DATABASE \"{}\" IS NULL", lab.name));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn target_database_missing() {
    let lab = lab();
    edit(&lab, &target_url(&lab), &lab.target.url("restage", "shpo"));
    edit(&lab, &format!("confirm = \"{}\"", lab.name), "confirm = \"shpo\"");
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn target_marked_for_another_realm() {
    let lab = lab();
    edit(&lab, "realm = \"test\"", "realm = \"load-test\"");
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn target_confirmed_by_another_name() {
    let lab = lab();
    edit(&lab, &format!("confirm = \"{}\"", lab.name), "confirm = \"shop\"");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn target_confirmed_by_nobody() {
    let lab = lab();
    edit(&lab, &format!("confirm = \"{}\"", lab.name), "");
    assert_snapshot!(refused(&lab, 2));
}

#[test]
fn target_role_may_not_create_databases() {
    let lab = lab();
    let role = format!("plain_{}", lab.name);
    lab.target.sql("postgres", &format!("CREATE ROLE {role} LOGIN; ALTER DATABASE \"{}\" OWNER TO {role}", lab.name));
    edit(&lab, &target_url(&lab), &lab.target.url(&role, &lab.name));
    let said = refused(&lab, 3);
    lab.target.sql("postgres", &format!("ALTER DATABASE \"{}\" OWNER TO restage; DROP ROLE {role}", lab.name));
    assert_snapshot!(said);
}

#[test]
fn all_rights_that_are_missing_on_the_target_are_told_at_once() {
    let lab = lab();
    let role = format!("plain_{}", lab.name);
    lab.target.sql("postgres", &format!("CREATE ROLE {role} LOGIN"));
    edit(&lab, &target_url(&lab), &lab.target.url(&role, &lab.name));
    let said = lab.restage(&["-q", "refresh"]);
    lab.target.sql("postgres", &format!("DROP ROLE {role}"));
    assert_eq!(said.code, 3, "{}", said.stderr);
    let lines = format!("ALTER ROLE \"{role}\" CREATEDB; ALTER DATABASE \"{}\" OWNER TO \"{role}\";", lab.name);
    assert!(said.stderr.contains(&lines), "{}", said.stderr);
}

#[test]
fn target_owned_by_another_role() {
    let lab = lab();
    lab.target.sql("postgres", &format!("ALTER DATABASE \"{}\" OWNER TO postgres", lab.name));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn target_read_only() {
    let lab = lab();
    let role = format!("frozen_{}", lab.name);
    lab.target.sql(
        "postgres",
        &format!(
            "CREATE ROLE {role} LOGIN CREATEDB; ALTER ROLE {role} SET default_transaction_read_only = on; \
             ALTER DATABASE \"{}\" OWNER TO {role}",
            lab.name
        ),
    );
    edit(&lab, &target_url(&lab), &lab.target.url(&role, &lab.name));
    let said = refused(&lab, 3);
    lab.target.sql("postgres", &format!("ALTER DATABASE \"{}\" OWNER TO restage; DROP ROLE {role}", lab.name));
    assert_snapshot!(said);
}

#[test]
fn target_lacks_an_extension() {
    let lab = lab();
    // As a source whose server has one more package.
    lab.source.sql(
        &lab.name,
        "CREATE EXTENSION citext; UPDATE pg_extension SET extname = 'pgvector' WHERE extname = 'citext'",
    );
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn target_is_busy() {
    let lab = lab();
    let hash = blake3::hash(format!("restage refresh {}", lab.name).as_bytes());
    let lock = i64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("eight"));
    let mut other = lab.target.client("psql", "restage", "postgres");
    let mut other = other.args(["-XqAt"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql");
    writeln!(other.stdin.as_mut().expect("piped"), "SELECT pg_advisory_lock({lock}); SELECT 'locked';").expect("sent");
    let mut answer = Vec::new();
    while !answer.ends_with(b"locked\n") {
        let mut byte = [0];
        other.stdout.as_mut().expect("piped").read_exact(&mut byte).expect("psql answers");
        answer.push(byte[0]);
    }
    let said = refused(&lab, 7);
    drop(other.stdin.take());
    let _ = other.wait();
    assert_snapshot!(said);
}

#[test]
fn target_disk_full() {
    // A file system of a few megabytes needs root to mount it; where that is not possible, nothing can be shown.
    let small = tempfile::tempdir().expect("folder");
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=30m,mode=777", "tmpfs"])
        .arg(small.path())
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|status| status.success()) {
        return;
    }
    struct Mount<'a>(&'a std::path::Path);
    impl Drop for Mount<'_> {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(self.0).status();
        }
    }
    let _mount = Mount(small.path());
    let space = small.path().join("space");
    std::fs::create_dir(&space).expect("folder");
    crate::support::run(Command::new("chown").arg("postgres").arg(&space));
    let (source, _) = crate::support::clusters();
    let target = Cluster::start(&[]);
    target.sql("postgres", "CREATE ROLE restage LOGIN CREATEDB");
    target.sql("postgres", &format!("CREATE TABLESPACE small LOCATION '{}'", space.display()));
    target.sql("postgres", "ALTER DATABASE template0 SET TABLESPACE small");
    let lab = Lab::on(source, &target, "full");
    lab.seed("CREATE TABLE big (id int, filler text)");
    lab.source.sql_as(
        "app",
        &lab.name,
        "INSERT INTO big SELECT i, repeat(md5(i::text), 50) FROM generate_series(1, 30000) i",
    );
    lab.config(KEEP);
    assert_snapshot!(refused(&lab, 5));
}

// --- Bytes, tools, hooks, gates --------------------------------------------------------------------------------------------

/// A source database whose text is LATIN1 and says so nowhere.
fn ascii(lab: &Lab<'_>) {
    let name = format!("{}_ascii", lab.name);
    lab.source.sql(
        "postgres",
        &format!(
            "CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' OWNER app"
        ),
    );
    lab.source.sql_as("app", &name, "CREATE TABLE notes (id int PRIMARY KEY, note text)");
    lab.source.sql_as("app", &name, "INSERT INTO notes VALUES (1, 'plain'), (2, E'M\\xFCller canary')");
    lab.source.sql(&name, "GRANT USAGE ON SCHEMA public TO reader; GRANT SELECT ON notes TO reader");
    edit(lab, &source_url(lab), &lab.source.url("reader", &name));
}

#[test]
fn source_bytes_without_an_encoding() {
    let lab = lab();
    ascii(&lab);
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn source_bytes_said_to_be_latin1() {
    let lab = lab();
    lab.config_with("assume_encoding = \"LATIN1\"", "", KEEP);
    ascii(&lab);
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn source_bytes_of_another_encoding() {
    for policy in [KEEP, "[tables.\"public.notes\".columns]\nid = \"keep\"\nnote = \"text.spans\"\n"] {
        let lab = lab();
        lab.config_with("assume_encoding = \"UTF8\"", "", policy);
        ascii(&lab);
        let said = refused(&lab, 4);
        assert!(!said.contains("ller") && !said.contains("canary"), "{said}");
        let name =
            if policy == KEEP { "source_bytes_of_another_encoding" } else { "source_bytes_of_another_encoding_masked" };
        assert_snapshot!(name, said);
    }
}

#[test]
fn tools_missing() {
    let lab = lab();
    std::fs::create_dir(lab.path("bin")).expect("made");
    lab.config_with("", "bin_dir = \"bin\"", KEEP);
    let major = major(&lab);
    let said = refused(&lab, 3).replace(&format!("pg_dump {major}"), "pg_dump [major]");
    assert_snapshot!(said.replace(&format!("client-{major}"), "client-[major]"));
}

#[test]
fn connection_of_pg_dump_is_cut() {
    let lab = lab();
    std::fs::create_dir(lab.path("bin")).expect("made");
    let real = crate::support::bin();
    symlink(real.join("pg_restore"), lab.path("bin/pg_restore")).expect("linked");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec '{}' --version\ncat >&2 <<'END'\n\
         pg_dump: error: query failed: server closed the connection unexpectedly\n\
         \tThis probably means the server terminated abnormally\n\
         pg_dump: detail: Query was: SELECT\na.attnum\nFROM pg_catalog.pg_attribute a\nEND\nexit 1\n",
        real.join("pg_dump").display()
    );
    std::fs::write(lab.path("bin/pg_dump"), script).expect("written");
    std::fs::set_permissions(lab.path("bin/pg_dump"), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    lab.config_with("", "bin_dir = \"bin\"", KEEP);
    let said = refused(&lab, 4);
    assert!(said.contains("error[source::schema-dump]: pg_dump failed"), "{said}");
    assert!(
        said.contains("detail: pg_dump: error: query failed: server closed the connection unexpectedly\n"),
        "{said}"
    );
    assert!(said.contains("run it again") && !said.contains("GRANT") && !said.contains("attnum"), "{said}");
}

#[test]
fn hook_file_missing() {
    let lab = lab();
    lab.config(&format!("{KEEP}\n[[hook]]\nat = \"after-load\"\nsql = \"overlay/accounts.sql\"\n"));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn hook_sql_fails() {
    let lab = lab();
    std::fs::write(lab.path("accounts.sql"), "INSERT INTO acounts VALUES (1);").expect("written");
    lab.config(&format!("{KEEP}\n[[hook]]\nat = \"after-load\"\nsql = \"accounts.sql\"\n"));
    assert_snapshot!(refused(&lab, 5));
}

#[test]
fn hook_sql_leaves_its_transaction_open() {
    let lab = lab();
    std::fs::write(lab.path("accounts.sql"), "BEGIN; INSERT INTO public.orders VALUES (2, 1, NULL);").expect("written");
    lab.config(&format!("{KEEP}\n[[hook]]\nat = \"after-load\"\nsql = \"accounts.sql\"\n"));
    assert_snapshot!(refused(&lab, 5));
}

#[test]
fn hook_program_fails() {
    let lab = lab();
    lab.config(&format!("{KEEP}\n[[hook]]\nat = \"before-load\"\ncommand = [\"false\"]\n"));
    assert_snapshot!(refused(&lab, 5));
}

#[test]
fn gate_with_a_syntax_error() {
    let lab = lab();
    lab.config(&format!(
        "{KEEP}\n[[verify.sql]]\nname = \"orders have people\"\nquery = \"SELEC count(*) FROM orders\"\nequals = 0\n"
    ));
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn gate_names_a_table_without_its_schema() {
    let lab = lab();
    lab.config(&format!(
        "{KEEP}\n[[verify.sql]]\nname = \"orders\"\nquery = \"SELECT count(*) FROM orders\"\nequals = 1\n"
    ));
    assert_snapshot!(refused(&lab, 3));
    // What hooks make is not at the source, and cannot be missed there.
    std::fs::write(lab.path("a.sql"), "CREATE TABLE public.accounts ()").expect("written");
    lab.config(&format!(
        "{KEEP}\n[[verify.sql]]\nname = \"accounts\"\nquery = \"SELECT count(*) FROM public.accounts\"\n\n\
         [[verify.sql]]\nname = \"run\"\nquery = \"SELECT count(*) FROM restage.run\"\n\n\
         [[hook]]\nat = \"after-load\"\nsql = \"a.sql\"\n"
    ));
    lab.refresh();
}

#[test]
fn owner_that_is_no_role() {
    let lab = lab();
    lab.config_with("", "owner = \"nosuchrole\"", KEEP);
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn owner_that_is_not_ours_to_act_as() {
    let lab = lab();
    lab.config_with("", "owner = \"postgres\"", KEEP);
    assert_snapshot!(refused(&lab, 3));
}

#[test]
fn roles_of_grants_that_may_not_be_missing() {
    let lab = lab();
    let role = format!("absent_{}", lab.name);
    lab.source.sql("postgres", &format!("CREATE ROLE {role}"));
    lab.source.sql(&lab.name, &format!("GRANT SELECT ON public.people TO {role}"));
    let mut said = Vec::new();
    for rule in ["refuse", "create"] {
        lab.config_with("", &format!("missing_roles = \"{rule}\""), KEEP);
        said.push(refused(&lab, 3));
    }
    lab.source.sql(&lab.name, &format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    assert_snapshot!(said.join("\n"));
}

#[test]
fn masked_key_that_fits_no_partition() {
    let lab = lab();
    lab.seed(
        "CREATE TABLE public.visits (id int) PARTITION BY RANGE (id);
         CREATE TABLE public.visits_1 PARTITION OF public.visits FOR VALUES FROM (0) TO (10);
         INSERT INTO public.visits SELECT i FROM generate_series(1, 9) i",
    );
    lab.config(&format!("{KEEP}\n[tables.\"public.visits\".columns]\nid = \"int\"\n"));
    assert_snapshot!(refused(&lab, 5));
}

#[test]
fn report_folder_unwritable() {
    let lab = lab();
    let Ran { code, stdout, stderr } = lab.restage(&["-q", "--report-dir", "/proc/reports", "refresh"]);
    assert_eq!(code, 0, "a report is no reason to throw a good staging away: {stderr}");
    let warnings: Vec<&str> = stdout.lines().filter(|line| line.starts_with('!')).collect();
    assert_snapshot!(redact(&lab, &warnings.join("\n")));
}

#[test]
fn interrupted_run_leaves_nothing() {
    let lab = Lab::new("broken");
    lab.seed("CREATE TABLE big (id int PRIMARY KEY, filler text)");
    lab.source.sql_as(
        "app",
        &lab.name,
        "INSERT INTO big SELECT i, repeat(md5(i::text), 10) FROM generate_series(1, 60000) i",
    );
    lab.config_with("rate_max = \"1MiB/s\"", "", KEEP);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let before = state(&lab);
        let mut command = lab.command(&["-q", "refresh"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("restage runs");
        let deadline = Instant::now() + Duration::from_secs(20);
        while lab.databases().len() < 2 {
            assert!(Instant::now() < deadline, "no database was made aside");
            std::thread::sleep(Duration::from_millis(20));
        }
        kill_process(Pid::from_raw(child.id().cast_signed()).expect("a pid"), signal).expect("sent");
        let output = child.wait_with_output().expect("restage ends");
        let said = redact(&lab, &String::from_utf8_lossy(&output.stderr));
        assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{said}");
        assert_eq!(state(&lab), before, "something was left behind");
        well_said(&said, 1);
        assert_snapshot!(if code == 130 { "interrupted_by_sigint" } else { "interrupted_by_sigterm" }, said);
    }
}
