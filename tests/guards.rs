//! guard_matrix: what must hold before the first write, each line with somebody who tries to get past it.

use crate::source::replicated;
use crate::support::live::{Running, until};
use crate::support::{Cluster, Lab, Ran, clusters, prepare_roles};
use std::process::Stdio;
use std::sync::OnceLock;

const KEEP: &str = "[tables.\"*\"]\ndefault = \"keep\"\n";
const TABLE: &str =
    "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' || i FROM generate_series(1, 100) i;";

fn lab(name: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(TABLE);
    lab.config(KEEP);
    lab
}

/// What a refused run must leave as it is: databases with their comments on both sides, rows written at the source.
fn state(lab: &Lab<'_>) -> String {
    let databases = format!(
        "SELECT string_agg(concat_ws(' ', d.oid, datname, datallowconn, shobj_description(d.oid, 'pg_database')), '; ' ORDER BY datname) \
         FROM pg_database d WHERE starts_with(datname, '{}')",
        lab.name
    );
    let written =
        format!("SELECT tup_inserted + tup_updated + tup_deleted FROM pg_stat_database WHERE datname = '{}'", lab.name);
    // Counters of a session that ends now arrive a moment later, before 15 half a second.
    let early = lab.source.sql("postgres", "SHOW server_version_num").parse::<u32>().expect("a number") < 150_000;
    let moment = std::time::Duration::from_millis(if early { 1_200 } else { 100 });
    let mut counted = lab.source.sql("postgres", &written);
    until("the counters stand still", || {
        std::thread::sleep(moment);
        std::mem::replace(&mut counted, lab.source.sql("postgres", &written)) == counted
    });
    format!("{}\n{}\n{counted}", lab.source.sql("postgres", &databases), lab.target.sql("postgres", &databases))
}

/// Runs the program and expects a refusal: its exit code, its name, the line to paste, and nothing changed.
#[track_caller]
fn refused(lab: &Lab<'_>, args: &[&str], exit: i32, code: &str, paste: &str) -> Ran {
    let before = state(lab);
    let ran = lab.restage(args);
    assert_eq!(ran.code, exit, "{}", ran.stderr);
    assert!(ran.stderr.contains(code), "{code}: {}", ran.stderr);
    assert!(ran.stderr.contains(paste), "{paste}: {}", ran.stderr);
    assert!(ran.stderr.contains("Nothing was") || ran.stderr.contains("nothing was"), "{}", ran.stderr);
    assert_eq!(state(lab), before, "{}", ran.stderr);
    ran
}

fn comment(cluster: &Cluster, database: &str) -> String {
    cluster.sql(
        "postgres",
        &format!("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{database}'"),
    )
}

fn set_comment(cluster: &Cluster, database: &str, text: &str) {
    cluster.sql("postgres", &format!("COMMENT ON DATABASE \"{database}\" IS '{}'", text.replace('\'', "''")));
}

fn identifier(cluster: &Cluster) -> String {
    cluster.sql("postgres", "SELECT system_identifier FROM pg_control_system()")
}

/// The mark of the lab's live database as another server would have written it.
fn mark_of_server(lab: &Lab<'_>, cluster: &Cluster) -> String {
    comment(lab.target, &lab.name).replace(&identifier(lab.target), &identifier(cluster))
}

/// Replaces the URL of the target.
fn set_target(lab: &Lab<'_>, url: &str, database: &str) {
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    let text = text
        .replace(&lab.target.url("restage", &lab.name), url)
        .replace(&format!("confirm = \"{}\"", lab.name), &format!("confirm = \"{database}\""));
    std::fs::write(lab.path("restage.toml"), text).expect("write");
}

/// A server that can be reached by TCP too, with the roles of both sides.
fn both_sides() -> &'static (Cluster, String) {
    static BOTH: OnceLock<(Cluster, String)> = OnceLock::new();
    BOTH.get_or_init(|| {
        // An address of this process alone on the loopback network, so that the usual port is free.
        let pid = std::process::id();
        let address = format!("127.{}.{}.7", 1 + (pid >> 8) % 250, pid % 256);
        let cluster = Cluster::start(&[&format!("listen_addresses = '{address}'")]);
        let hba = cluster.data().join("pg_hba.conf");
        let text = std::fs::read_to_string(&hba).expect("read");
        std::fs::write(&hba, format!("{text}\nhost all all 127.0.0.0/8 trust\n")).expect("write");
        cluster.sql("postgres", "SELECT pg_reload_conf()");
        prepare_roles(&cluster, &cluster);
        (cluster, address)
    })
}

#[test]
fn target_that_is_the_source_is_refused_in_every_spelling() {
    let (both, address) = both_sides();
    let lab = Lab::on(both, &clusters().1, "is_source");
    lab.seed(TABLE);
    both.sql("postgres", "GRANT app TO restage");
    let name = &lab.name;
    let folder = both.folder().display();
    let spellings = [
        format!("postgresql:///{name}?host={folder}&user=restage"),
        format!("postgresql://restage@{address}/{name}"),
        format!("postgresql://postgres@{address}:5432/{name}?sslmode=disable"),
        format!("host={address} user=app dbname={name}"),
        format!("host=/nowhere,{folder} user=restage dbname={name}"),
    ];
    for url in &spellings {
        // Somebody marked production by hand and switched every other guard off.
        for marked in [false, true] {
            let text = if marked { mark_of_server(&lab, both) } else { String::new() };
            set_comment(both, name, &text);
            lab.config_with("", "allow_same_cluster = true\nallow_prod_name = true", KEEP);
            set_target(&lab, url, name);
            refused(&lab, &["init-target", "--yes"], 3, "guard::same-database", "Set `url` under [target]");
            refused(&lab, &["refresh", "--yes"], 3, "guard::same-database", "Set `url` under [target]");
        }
    }
    assert_eq!(both.sql(name, "SELECT count(*) FROM t"), "100");
    // The same text is seen before any server is asked.
    lab.config(KEEP);
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    let text = text.replace(&lab.target.url("restage", name), &both.url("reader", name));
    std::fs::write(lab.path("restage.toml"), text).expect("write");
    let ran = lab.restage(&["refresh", "--yes"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("config::conflict"), "{}", ran.stderr);
}

#[test]
fn other_database_of_the_same_cluster_needs_to_be_allowed() {
    let (both, address) = both_sides();
    let lab = Lab::on(both, &clusters().1, "same_cluster");
    lab.seed(TABLE);
    let staging = format!("{}_staging", lab.name);
    let url = format!("postgresql://restage@{address}/{staging}");
    lab.config(KEEP);
    set_target(&lab, &url, &staging);
    refused(&lab, &["init-target", "--yes"], 3, "guard::same-cluster", "allow_same_cluster = true");
    assert!(!both.databases().contains(&staging), "a database was made on the server of production");
    lab.config_with("", "allow_same_cluster = true", KEEP);
    set_target(&lab, &url, &staging);
    let made = lab.restage(&["init-target", "--yes"]);
    assert_eq!(made.code, 0, "{made:?}");
    lab.config(KEEP);
    set_target(&lab, &url, &staging);
    refused(&lab, &["refresh", "--yes"], 3, "guard::same-cluster", "allow_same_cluster = true");
    lab.config_with("", "allow_same_cluster = true", KEEP);
    set_target(&lab, &url, &staging);
    lab.refresh();
    assert_eq!(both.sql(&staging, "SELECT count(*) FROM t"), "100");
    assert_eq!(both.sql(&lab.name, "SELECT count(*) FROM t"), "100");
}

#[test]
fn target_that_is_the_primary_of_the_source_is_refused() {
    let servers = replicated();
    let _turn = servers.turn();
    let lab = Lab::on(&servers.primary, &clusters().1, "is_primary");
    lab.seed(TABLE);
    servers.primary.sql(
        "postgres",
        "DO $$BEGIN CREATE ROLE restage LOGIN CREATEDB; EXCEPTION WHEN duplicate_object THEN NULL; END$$",
    );
    set_comment(&servers.primary, &lab.name, &mark_of_server(&lab, &servers.primary));
    servers.catch_up();
    lab.config_with("", "allow_same_cluster = true", KEEP);
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    let text = text.replace(&lab.target.url("restage", &lab.name), &servers.primary.url("restage", &lab.name));
    let text = text.replace(&servers.primary.url("reader", &lab.name), &servers.standby.url("reader", &lab.name));
    std::fs::write(lab.path("restage.toml"), text).expect("write");
    refused(&lab, &["refresh", "--yes"], 3, "guard::same-database", "Set `url` under [target]");

    // Without a mark nothing tells the primary from a promoted copy, so it is not marked either.
    set_comment(&servers.primary, &lab.name, "");
    servers.catch_up();
    let ran = refused(&lab, &["init-target", "--yes"], 3, "guard::same-database", "--trust-target");
    assert!(ran.stderr.contains("standby of this server"), "{}", ran.stderr);
}

#[test]
fn source_that_cannot_be_asked_leaves_the_target_unmarked() {
    let (both, _) = both_sides();
    let lab = Lab::on(both, &clusters().1, "unasked");
    both.sql("postgres", "GRANT app TO restage");
    set_comment(both, &lab.name, "the shop");
    lab.config_with("", "allow_same_cluster = true\nallow_prod_name = true", KEEP);
    set_target(&lab, &both.url("restage", &lab.name), &lab.name);
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    let reader = both.url("reader", &lab.name);
    let unreachable = ["postgresql://reader@127.0.0.1:1/shop".to_owned(), both.url("nobody", &lab.name)];
    for url in &unreachable {
        std::fs::write(lab.path("restage.toml"), text.replace(&reader, url)).expect("write");
        refused(&lab, &["init-target", "--yes"], 4, "source::", "restage init-target --trust-target");
    }
    // Who knows better may say so.
    let ran = lab.restage(&["init-target", "--yes", "--trust-target"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(comment(both, &lab.name).starts_with("the shop\n{"), "{}", comment(both, &lab.name));
    // That does not reach a source that answers.
    set_comment(both, &lab.name, "the shop");
    std::fs::write(lab.path("restage.toml"), &text).expect("write");
    refused(&lab, &["init-target", "--yes", "--trust-target"], 3, "guard::same-database", "Set `url` under [target]");
}

#[test]
fn target_without_a_fitting_mark_is_refused() {
    let lab = lab("marks");
    let good = comment(lab.target, &lab.name);
    let bad = [
        (String::new(), "is not marked"),
        ("restage target, honestly".to_owned(), "is not marked"),
        (good.replace("\"tool\":\"restage\"", "\"tool\":\"other\""), "is not marked"),
        (good.replace("\"role\":\"target\"", "\"role\":\"source\""), "is not marked"),
        (good.replace("\"realm\":\"test\"", "\"realm\":\"crm\""), "is for realm \"crm\""),
        (mark_of_server(&lab, lab.source), "written on another server"),
    ];
    for (text, told) in &bad {
        assert_ne!(*text, good);
        set_comment(lab.target, &lab.name, text);
        let ran = refused(&lab, &["refresh", "--yes"], 3, "guard::marker", "restage init-target");
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    set_comment(lab.target, &lab.name, &good);
    lab.refresh();
    lab.target.sql("postgres", &format!("ALTER DATABASE \"{0}\" RENAME TO \"{0}_away\"", lab.name));
    refused(&lab, &["refresh", "--yes"], 3, "guard::marker", "restage init-target");
}

#[test]
fn names_of_production_are_refused() {
    for name in ["shop_prod", "live_shop", "production"] {
        let lab = lab(name);
        refused(&lab, &["refresh", "--yes"], 3, "guard::name", "allow_prod_name = true");
        refused(&lab, &["init-target", "--yes"], 3, "guard::name", "allow_prod_name = true");
        lab.config_with("", "allow_prod_name = true", KEEP);
        if name == "production" {
            lab.refresh();
        }
    }
}

#[test]
fn nothing_is_replaced_that_was_not_confirmed() {
    let lab = lab("confirm");
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    let line = format!("confirm = \"{}\"", lab.name);
    std::fs::write(lab.path("restage.toml"), text.replace(&line, "confirm = \"other\"")).expect("write");
    for args in [&["refresh"][..], &["refresh", "--yes"], &["rollback", "--yes"]] {
        refused(&lab, args, 2, "usage::confirm-mismatch", &line);
    }
    std::fs::write(lab.path("restage.toml"), text.replace(&line, "")).expect("write");
    refused(&lab, &["refresh"], 2, "usage::not-confirmed", &line);
    let ran = lab.restage(&["plan"]);
    let says = ran.stdout.lines().find(|line| line.contains("confirm ")).unwrap_or_default();
    assert!(says.contains("a run asks before it replaces") && ran.code == 0, "{}{}", ran.stdout, ran.stderr);
    std::fs::write(lab.path("restage.toml"), &text).expect("write");
    let ran = refused(&lab, &["init-target"], 2, "usage::not-confirmed", "--yes");
    assert!(!ran.stderr.contains("set `confirm"), "it is set, and does not count: {}", ran.stderr);
    std::fs::write(lab.path("restage.toml"), text.replace(&line, "")).expect("write");
    let ran = lab.restage(&["refresh", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
}

#[test]
fn source_role_that_could_write_is_refused_and_cannot_write_when_accepted() {
    let lab = lab("write_role");
    lab.source.sql_as(
        "app",
        &lab.name,
        "GRANT INSERT ON t TO reader; \
         CREATE FUNCTION spoil(i int) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.t VALUES (i + 1000, 'x'); RETURN true; END$$",
    );
    let ran = refused(&lab, &["refresh", "--yes"], 3, "guard::source-role", "allow_write_role = true");
    assert!(ran.stderr.contains("GRANT SELECT ON ALL TABLES IN SCHEMA"), "{}", ran.stderr);
    // Accepted, and asked to run a function that writes: the session is read-only all the same.
    let policy = "[tables.\"public.t\"]\nrows = { where = \"public.spoil(id)\" }\ndefault = \"keep\"\n";
    lab.config_with("allow_write_role = true", "", policy);
    let before = state(&lab);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("25006"), "{}", ran.stderr);
    assert_eq!(state(&lab), before);
    lab.config_with("allow_write_role = true", "", KEEP);
    lab.refresh();
    assert_eq!(lab.production("SELECT count(*) FROM t"), "100");
}

#[test]
fn superuser_as_source_role_is_refused_and_reads_only_when_accepted() {
    let lab = lab("superuser");
    let as_superuser = || {
        let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
        let text = text.replace(&lab.source.url("reader", &lab.name), &lab.source.url("postgres", &lab.name));
        std::fs::write(lab.path("restage.toml"), text).expect("write");
    };
    as_superuser();
    refused(&lab, &["refresh", "--yes"], 3, "guard::source-role", "allow_write_role = true");
    lab.config_with("allow_write_role = true", "", KEEP);
    as_superuser();
    let written = state(&lab).lines().last().map(str::to_owned);
    lab.refresh();
    assert_eq!(state(&lab).lines().last().map(str::to_owned), written);
}

#[test]
fn databases_of_others_are_never_dropped_or_used() {
    let lab = lab("foreign");
    let mark = comment(lab.target, &lab.name);
    let marks =
        [String::new(), mark_of_server(&lab, lab.source), mark.replace("\"realm\":\"test\"", "\"realm\":\"crm\"")];
    let mut foreign = Vec::new();
    for (number, text) in marks.iter().enumerate() {
        for prefix in ["", "prev_"] {
            foreign.push((format!("{}__{prefix}20200101t000000_000{number}", lab.name), text.clone()));
        }
    }
    // Our mark under a name that no run makes.
    foreign.push((format!("{}__mine", lab.name), mark.clone()));
    let aside = format!("{}__20200101t000000_0009", lab.name);
    for (name, text) in foreign.iter().chain([&(aside.clone(), mark)]) {
        lab.target.sql("postgres", &format!("CREATE DATABASE \"{name}\" OWNER restage"));
        set_comment(lab.target, name, text);
        lab.target.sql(name, "CREATE TABLE theirs ()");
    }
    let theirs = || -> Vec<String> {
        let oid = |name: &String| {
            lab.target.sql(
                "postgres",
                &format!(
                    "SELECT concat_ws(' ', oid, datallowconn, shobj_description(oid, 'pg_database')) FROM pg_database \
                     WHERE datname = '{name}'"
                ),
            )
        };
        foreign.iter().map(|(name, _)| oid(name)).collect()
    };
    let before = theirs();
    lab.config_with("", "keep = 0", KEEP);
    lab.refresh();
    lab.refresh();
    assert_eq!(theirs(), before);
    assert!(foreign.iter().all(|(name, _)| lab.target.sql(name, "SELECT count(*) FROM theirs") == "0"));
    assert!(!lab.databases().contains(&aside), "one of ours is cleaned up");
    for (name, _) in &foreign {
        let release = name.rsplit("__").next().expect("it has parts").trim_start_matches("prev_");
        let ran = lab.restage(&["rollback", "--yes", "--to", release]);
        assert_eq!(ran.code, 3, "{release}: {}", ran.stderr);
    }
    assert_eq!(theirs(), before);
}

#[test]
fn unusual_target_needs_yes() {
    let target = Cluster::start(&["archive_mode = on", "archive_command = 'true'", "wal_level = replica"]);
    target.sql("postgres", "CREATE ROLE restage LOGIN CREATEDB; GRANT pg_signal_backend TO restage");
    let lab = Lab::on(&clusters().0, &target, "unusual");
    lab.seed(TABLE);
    lab.config(KEEP);
    let ran = refused(&lab, &["refresh"], 3, "guard::unsure", "--yes");
    assert!(ran.stderr.contains("archives its write-ahead log"), "{}", ran.stderr);

    let folder = target.folder().join("wal");
    let mut make = std::process::Command::new("install");
    if crate::support::is_root() {
        make.args(["-o", "postgres"]);
    }
    make.arg("-d").arg(&folder);
    crate::support::run(&mut make);
    let mut receiver = target
        .server("pg_receivewal")
        // It ends with its connection: what was started may be a program that changes the user only.
        .args(["--no-loop", "-U", "postgres", "-h"])
        .arg(target.folder())
        .arg("-D")
        .arg(&folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("pg_receivewal");
    until("a replication client is connected", || {
        target.sql("postgres", "SELECT count(*) FROM pg_stat_replication") != "0"
    });
    let ran = refused(&lab, &["refresh"], 3, "guard::unsure", "--yes");
    assert!(ran.stderr.contains("1 standbys or replication clients"), "{}", ran.stderr);
    target.sql("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_replication");
    let _ = receiver.kill();
    let _ = receiver.wait();

    lab.staging(
        "CREATE UNLOGGED TABLE much (v text); ALTER TABLE much ALTER v SET STORAGE PLAIN; \
         INSERT INTO much SELECT repeat('x', 7000) FROM generate_series(1, 35000)",
    );
    let ran = refused(&lab, &["refresh"], 3, "guard::unsure", "--yes");
    assert!(ran.stderr.contains("more than twice the source's"), "{}", ran.stderr);
    let ran = lab.restage(&["refresh", "--yes"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(lab.staging("SELECT count(*) FROM t"), "100");
}

#[test]
fn second_refresh_of_a_target_is_told_that_it_is_busy() {
    let lab = lab("busy");
    lab.seed("CREATE TABLE big (filler text); INSERT INTO big SELECT repeat(md5(i::text), 20) FROM generate_series(1, 10000) i");
    lab.config_with("rate_max = \"800KiB/s\"", "", KEEP);
    let first = Running::start(&lab, &["refresh"]);
    until("the first reads", || {
        lab.source.sql(
            "postgres",
            &format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE 'COPY (%'", lab.name),
        ) != "0"
    });
    // Each waits a moment for the lock, in case it belongs to a run that is dying.
    let before = state(&lab);
    std::thread::scope(|scope| {
        for args in [&["refresh"][..], &["rollback", "--yes"], &["init-target", "--yes"]] {
            let lab = &lab;
            scope.spawn(move || {
                let ran = lab.restage(args);
                assert_eq!(ran.code, 7, "{}", ran.stderr);
                assert!(ran.stderr.contains("target::busy") && ran.stderr.contains("pg_locks"), "{}", ran.stderr);
            });
        }
    });
    assert_eq!(state(&lab), before);
    let first = first.wait();
    assert_eq!(first.code, 0, "{}", first.stderr);
    lab.refresh();
}

/// A role of the target with an attribute, as owner of the live database or not.
fn with_role(lab: &Lab<'_>, attributes: &str, owner: bool) -> String {
    let role = format!("{}_{}", lab.name, if owner { "owner" } else { "other" });
    lab.target.sql("postgres", &format!("CREATE ROLE \"{role}\" LOGIN {attributes}"));
    if owner {
        lab.target.sql("postgres", &format!("ALTER DATABASE \"{}\" OWNER TO \"{role}\"", lab.name));
    }
    lab.config(KEEP);
    set_target(lab, &lab.target.url(&role, &lab.name), &lab.name);
    role
}

#[test]
fn target_role_without_its_rights_is_refused() {
    let lab = lab("rights");
    let role = with_role(&lab, "", true);
    refused(&lab, &["refresh", "--yes"], 3, "guard::rights", &format!("ALTER ROLE \"{role}\" CREATEDB;"));
    let role = with_role(&lab, "CREATEDB", false);
    let paste = format!("ALTER DATABASE \"{}\" OWNER TO \"{role}\";", lab.name);
    refused(&lab, &["refresh", "--yes"], 3, "guard::rights", &paste);
    // A member that inherits nothing has none of the owner's rights, though it may become the owner.
    let team = format!("{}_team", lab.name);
    lab.target.sql(
        "postgres",
        &format!(
            "CREATE ROLE \"{team}\"; ALTER ROLE \"{role}\" NOINHERIT; GRANT \"{team}\" TO \"{role}\"; \
             ALTER DATABASE \"{}\" OWNER TO \"{team}\"",
            lab.name
        ),
    );
    refused(&lab, &["refresh", "--yes"], 3, "guard::rights", &paste);
    // The twin.
    lab.target.sql(
        "postgres",
        &format!("ALTER ROLE \"{role}\" INHERIT; REVOKE \"{team}\" FROM \"{role}\"; GRANT \"{team}\" TO \"{role}\""),
    );
    lab.refresh();
    let owner = format!("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{}'", lab.name);
    assert_eq!(lab.target.sql("postgres", &owner), team);
}

#[test]
fn somebody_whom_the_target_role_may_not_disconnect_is_told_before_the_load() {
    let lab = lab("connected");
    let role = with_role(&lab, "CREATEDB", true);
    let grant = format!("GRANT pg_signal_backend TO \"{role}\";");
    // As long as nobody is there, the right is not missed.
    let doctor = lab.restage(&["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    assert!(doctor.stdout.contains(&grant), "{}", doctor.stdout);
    let ran = lab.refresh();
    assert!(!ran.stderr.contains(&grant), "{}", ran.stderr);

    let webapp = format!("{}_webapp", lab.name);
    lab.target.sql("postgres", &format!("CREATE ROLE \"{webapp}\" LOGIN"));
    let mut session = lab
        .target
        .client("psql", &webapp, &lab.name)
        .args(["-XqAt", "-c", "SELECT pg_sleep(300)"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("psql");
    let there = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{webapp}'");
    until("somebody is connected", || lab.target.sql("postgres", &there) == "1");
    let doctor = lab.restage(&["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    assert!(doctor.stdout.contains(&grant) && doctor.stdout.contains(&webapp), "{}", doctor.stdout);
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let told = |ran: &Ran| {
        let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
        let warnings = document["warnings"].as_array().cloned().unwrap_or_default();
        warnings
            .iter()
            .any(|warning| warning.as_str().is_some_and(|text| text.contains(&grant) && text.contains(&webapp)))
    };
    assert!(told(&plan), "{}", plan.stdout);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let (warned, failed) = (ran.stderr.find(&grant), ran.stderr.find("error[target::in-use]"));
    assert!(warned.is_some() && warned < failed, "{}", ran.stderr);
    assert!(ran.stderr[failed.unwrap_or(0)..].contains(&grant), "{}", ran.stderr);

    lab.target.sql("postgres", &grant);
    let doctor = lab.restage(&["doctor"]);
    assert!(!doctor.stdout.contains("GRANT pg_signal_backend"), "{}", doctor.stdout);
    let plan = lab.restage(&["plan", "--json"]);
    assert!(plan.code == 0 && !told(&plan), "{plan:?}");
    lab.refresh();
    until("the session was ended", || lab.target.sql("postgres", &there) == "0");
    let _ = session.wait();
}

/// What the plan warns of.
#[track_caller]
fn warnings(lab: &Lab<'_>) -> Vec<String> {
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let document: serde_json::Value = serde_json::from_str(&plan.stdout).expect("a document");
    let warnings = document["warnings"].as_array().cloned().unwrap_or_default();
    warnings.iter().filter_map(|warning| warning.as_str().map(str::to_owned)).collect()
}

/// Plan, doctor and run tell this line; the run goes through.
#[track_caller]
fn told_and_done(lab: &Lab<'_>, line: &str) {
    let plan = warnings(lab);
    assert!(plan.iter().any(|told| told.contains(line)), "{line}: {plan:?}");
    let doctor = lab.restage(&["doctor"]);
    assert!(doctor.code == 0 && doctor.stdout.contains(line), "{line}: {}{}", doctor.stdout, doctor.stderr);
    let ran = lab.refresh();
    assert!(ran.stderr.contains(line), "{line}: {}", ran.stderr);
}

#[test]
fn settings_that_would_be_lost_are_told_before_the_load_and_can_be_saved() {
    let lab = lab("lost");
    let (name, app, option) = (lab.name.clone(), format!("{}_app", lab.name), format!("{}.opt", lab.name));
    let parameter = format!("\"{name}\".\"opt\"");
    let set = || {
        lab.target.sql(
            "postgres",
            &format!(
                "ALTER ROLE \"{app}\" IN DATABASE \"{name}\" SET statement_timeout = '5s';
                 ALTER DATABASE \"{name}\" SET {parameter} = 'x'; ALTER DATABASE \"{name}\" SET work_mem = '7MB'"
            ),
        )
    };
    lab.target.sql("postgres", &format!("CREATE ROLE \"{app}\""));
    set();
    let role = format!(
        "ALTER ROLE \"{app}\" SET \"statement_timeout\" TO '5s'; \
         ALTER ROLE \"{app}\" IN DATABASE \"{name}\" RESET \"statement_timeout\";"
    );
    told_and_done(&lab, &role);
    set();
    let told = warnings(&lab);
    let told = told.iter().filter(|told| told.starts_with("setting ")).cloned().collect::<Vec<_>>();
    assert!(told.len() == 2 && told.iter().any(|told| told.contains(&format!("\"{option}\""))), "{told:?}");

    lab.target.sql("postgres", &role);
    let grants = lab.target.sql("postgres", "SHOW server_version_num").parse::<u32>().expect("a number") >= 150_000;
    if grants {
        let grant = format!("GRANT SET ON PARAMETER {parameter} TO \"restage\";");
        assert!(told.iter().any(|told| told.contains(&grant)), "{told:?}");
        lab.target.sql("postgres", &grant);
        assert!(!warnings(&lab).iter().any(|told| told.starts_with("setting ")));
        let ran = lab.refresh();
        assert!(!ran.stderr.contains("could not be copied"), "{}", ran.stderr);
        assert_eq!(lab.staging(&format!("SHOW {parameter}")), "x");
    }
}

#[test]
fn values_of_settings_that_applications_made_are_told_nowhere() {
    let lab = lab("own_settings");
    let (name, app) = (lab.name.clone(), format!("{}_app", lab.name));
    let parameter = format!("\"{name}\".\"key\"");
    let set = |value: &str| {
        lab.target.sql("postgres", &format!("ALTER ROLE \"{app}\" IN DATABASE \"{name}\" SET {parameter} = '{value}'"));
    };
    lab.target.sql("postgres", &format!("CREATE ROLE \"{app}\""));
    set("canary4711");
    // Pasted as it is, the line sets nothing.
    let line = format!("-- with its value from `\\drds`: ALTER ROLE \"{app}\" SET {parameter} TO '…';");
    told_and_done(&lab, &line);
    set("canary4711");
    let ran = lab.refresh();
    let failed = format!("SET {parameter} TO '…'`: SQLSTATE 42501");
    assert!(ran.stderr.contains(&failed) && !ran.stderr.contains("canary4711"), "{}", ran.stderr);
    let reports = lab.path("restage-report");
    let found = std::process::Command::new("grep").args(["-rl", "canary4711"]).arg(&reports).output().expect("grep");
    assert_eq!(found.status.code(), Some(1), "{}", String::from_utf8_lossy(&found.stdout));
}

#[test]
fn closed_staging_is_told_to_be_opened() {
    let lab = lab("closed");
    let name = &lab.name;
    let close = format!("ALTER DATABASE \"{name}\" ALLOW_CONNECTIONS false;");
    lab.target.sql("postgres", &close);
    told_and_done(&lab, &close);
    assert_eq!(lab.staging("SELECT count(*) FROM t"), "100");
    assert!(!warnings(&lab).iter().any(|told| told.contains(&close)));
}

#[test]
fn an_owner_whom_the_target_role_may_not_become_is_told_before_the_load() {
    let lab = lab("becomes");
    // Before 16 whoever was a member could.
    if lab.target.sql("postgres", "SHOW server_version_num").parse::<u32>().expect("a number") < 160_000 {
        return;
    }
    let role = with_role(&lab, "CREATEDB", false);
    let team = format!("{}_team", lab.name);
    lab.target.sql(
        "postgres",
        &format!(
            "CREATE ROLE \"{team}\"; GRANT \"{team}\" TO \"{role}\" WITH INHERIT TRUE, SET FALSE; \
             ALTER DATABASE \"{}\" OWNER TO \"{team}\"",
            lab.name
        ),
    );
    let line = format!("GRANT \"{team}\" TO \"{role}\" WITH INHERIT TRUE, SET TRUE;");
    assert!(warnings(&lab).iter().any(|told| told.contains(&line)), "{:?}", warnings(&lab));
    lab.target.sql("postgres", &line);
    assert!(!warnings(&lab).iter().any(|told| told.contains(&line)));
}

#[test]
fn places_in_live_that_are_used_up_are_told_before_the_load_and_named_behind_it() {
    let lab = lab("places");
    let name = &lab.name;
    let more = format!("ALTER DATABASE \"{name}\" CONNECTION LIMIT 3;");
    lab.target.sql("postgres", &format!("ALTER DATABASE \"{name}\" CONNECTION LIMIT 0"));
    let told = |told: &Vec<String>| told.iter().any(|told| told.contains(&more));
    assert!(told(&warnings(&lab)), "{:?}", warnings(&lab));
    let doctor = lab.restage(&["doctor"]);
    assert!(doctor.code == 0 && doctor.stdout.contains(&more), "{doctor:?}");
    assert!(doctor.stdout.contains("Nothing keeps a run from starting"), "{}", doctor.stdout);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 8, "{ran:?}");
    let end = ran.stderr.find("error[target::too-many-connections]").expect("it is named");
    assert!(ran.stderr[end..].contains(&format!("ALTER DATABASE \"{name}\" CONNECTION LIMIT -1;")), "{}", ran.stderr);
    lab.target.sql("postgres", &more);
    assert!(!told(&warnings(&lab)));
    lab.refresh();
}

#[test]
fn fewer_sessions_than_a_run_opens_are_told_before_the_load() {
    let lab = lab("limited");
    let role = with_role(&lab, "CREATEDB", true);
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    std::fs::write(lab.path("restage.toml"), text.replace("[target]\n", "[target]\njobs = 4\n")).expect("write");
    let more = format!("ALTER ROLE \"{role}\" CONNECTION LIMIT 7;");
    lab.target.sql("postgres", &format!("ALTER ROLE \"{role}\" CONNECTION LIMIT 6"));
    told_and_done(&lab, &format!("{more}     -- or `jobs = 3` under [target]"));
    lab.target.sql("postgres", &more);
    assert!(!warnings(&lab).iter().any(|told| told.contains("CONNECTION LIMIT")));
    // One job opens as many as two, so fewer jobs are no way out.
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    std::fs::write(lab.path("restage.toml"), text.replace("jobs = 4", "jobs = 1")).expect("write");
    lab.target.sql("postgres", &format!("ALTER ROLE \"{role}\" CONNECTION LIMIT 4"));
    let told = warnings(&lab);
    let line = format!("ALTER ROLE \"{role}\" CONNECTION LIMIT 5;");
    assert!(told.iter().any(|told| told.ends_with(&line)), "{told:?}");
}

#[test]
fn staging_stays_in_its_tablespace_where_that_is_allowed() {
    let lab = lab("space");
    let name = &lab.name;
    let folder = lab.target.folder().join(name);
    let mut make = std::process::Command::new("install");
    if crate::support::is_root() {
        make.args(["-o", "postgres"]);
    }
    make.arg("-d").arg(&folder);
    crate::support::run(&mut make);
    lab.target.sql("postgres", &format!("CREATE TABLESPACE \"{name}\" LOCATION '{}'", folder.display()));
    let place = || {
        let of = "SELECT spcname FROM pg_tablespace t JOIN pg_database d ON d.dattablespace = t.oid WHERE datname";
        lab.target.sql("postgres", &format!("{of} = '{name}'"))
    };
    let moved = format!("ALTER DATABASE \"{name}\" SET TABLESPACE \"{name}\"");
    lab.target.sql("postgres", &moved);
    let grant = format!("GRANT CREATE ON TABLESPACE \"{name}\" TO \"restage\";");
    told_and_done(&lab, &grant);
    assert_eq!(place(), "pg_default");

    lab.target.sql("postgres", &moved);
    lab.target.sql("postgres", &grant);
    assert!(!warnings(&lab).iter().any(|told| told.contains("tablespace")));
    lab.refresh();
    assert_eq!(place(), *name);
    assert_eq!(lab.staging("SELECT count(*) FROM t"), "100");
}

#[test]
fn database_that_is_maintained_from_is_no_target() {
    let lab = lab("maintained");
    let paste = "maintenance_db = \"maintenance\"     # under [target]";
    for args in [&["init-target", "--yes"][..], &["plan"], &["refresh", "--yes"]] {
        // The default one, and one that is named.
        lab.config(KEEP);
        set_target(&lab, &lab.target.url("restage", "postgres"), "postgres");
        refused(&lab, args, 3, "guard::maintenance-database", paste);
        lab.config_with("", &format!("maintenance_db = \"{}\"", lab.name), KEEP);
        refused(&lab, args, 3, "guard::maintenance-database", paste);
    }
    assert_eq!(comment(lab.target, "postgres"), "default administrative connection database");
}

#[test]
fn target_that_cannot_be_written_is_refused() {
    let lab = lab("read_only");
    let role = with_role(&lab, "CREATEDB", true);
    lab.target.sql("postgres", &format!("ALTER ROLE \"{role}\" SET default_transaction_read_only = on"));
    refused(&lab, &["refresh", "--yes"], 3, "guard::read-only-target", "SET default_transaction_read_only = off;");

    let servers = replicated();
    let _turn = servers.turn();
    servers.primary.sql(
        "postgres",
        "DO $$BEGIN CREATE ROLE restage LOGIN CREATEDB; EXCEPTION WHEN duplicate_object THEN NULL; END$$",
    );
    let lab = Lab::on(&clusters().0, &servers.primary, "standby_target");
    lab.seed(TABLE);
    lab.config(KEEP);
    servers.catch_up();
    set_target(&lab, &servers.standby.url("restage", &lab.name), &lab.name);
    refused(&lab, &["refresh", "--yes"], 3, "guard::read-only-target", "writable primary");
}

#[test]
fn names_that_leave_no_room_are_refused() {
    let lab = lab("long");
    for length in [37, 63, 64, 80] {
        let name = format!("{}{}", lab.name, "x".repeat(length - lab.name.len()));
        let url = lab.target.url("restage", &name);
        lab.config(KEEP);
        set_target(&lab, &url, &name);
        if length > 63 {
            // `confirm` with such a name is refused by the configuration; the guard must not rest on that.
            let ran = lab.restage(&["init-target", "--yes"]);
            assert_eq!(ran.code, 2, "{}", ran.stderr);
            let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
            let text = text.replace(&format!("confirm = \"{name}\""), "");
            std::fs::write(lab.path("restage.toml"), text).expect("write");
        }
        refused(&lab, &["init-target", "--yes"], 3, "plan::name-too-long", "shorter name");
        if length < 64 {
            lab.target.sql("postgres", &format!("CREATE DATABASE \"{name}\" OWNER restage"));
            set_comment(lab.target, &name, &comment(lab.target, &lab.name));
        }
        refused(&lab, &["refresh", "--yes"], 3, "plan::name-too-long", "shorter name");
    }
    let name = format!("{}{}", lab.name, "y".repeat(36 - lab.name.len()));
    lab.config(KEEP);
    set_target(&lab, &lab.target.url("restage", &name), &name);
    let made = lab.restage(&["init-target", "--yes"]);
    assert_eq!(made.code, 0, "{made:?}");
    lab.refresh();
    lab.refresh();
    assert_eq!(lab.target.sql(&name, "SELECT count(*) FROM t"), "100");
}
