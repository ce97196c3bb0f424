//! What a refresh does to its source, and what the source may do to a refresh: locks, DDL, snapshots, chunks, standbys.

use crate::support::live::{Held, Running, until};
use crate::support::{Cluster, Lab, prepare_roles};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// About 7 MB in one table: with a rate of 1 MiB/s there is time to interfere.
const BIG: &str = "CREATE TABLE big (id int PRIMARY KEY, n int NOT NULL, filler text NOT NULL); \
     INSERT INTO big SELECT i, i, repeat(md5(i::text), 20) FROM generate_series(1, 10000) i;";

const KEEP: &str = "[tables.\"*\"]\ndefault = \"keep\"\n";

fn big(name: &str, source: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(BIG);
    lab.config_with(source, "", KEEP);
    lab
}

/// The number of rows, their sum, and how many ids there are, on both sides.
fn big_rows(lab: &Lab<'_>) -> String {
    lab.staging("SELECT count(*), sum(n), count(DISTINCT id) FROM big")
}

/// Sessions of the run in the source database, in a state.
fn sessions(lab: &Lab<'_>, cluster: &Cluster, condition: &str) -> Vec<String> {
    let sql = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND application_name ~ '^restage/2' AND {condition} \
         ORDER BY backend_start",
        lab.name
    );
    cluster.sql("postgres", &sql).lines().map(str::to_owned).collect()
}

fn wait_for_copy(lab: &Lab<'_>, cluster: &Cluster) {
    until("rows of big are read", || !sessions(lab, cluster, "query LIKE 'COPY (SELECT%big%'").is_empty());
}

/// Sessions that read are idle in their transaction too, but in its savepoint, or behind a COPY for a moment.
const KEEPERS: &str = "state = 'idle in transaction' AND query NOT LIKE '%restage_chunk%' AND query NOT LIKE 'COPY %'";

/// Ends sessions in one statement: a keeper that ends a moment before the other is replaced from it.
fn end(cluster: &Cluster, pids: &[String]) {
    let list = pids.join(", ");
    cluster.sql("postgres", &format!("SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{list}]::int[]) AS pid"));
}

/// Starts a refresh and stops it when its plan is judged and its snapshot not taken, until the given session commits.
///
/// The refresh is held up at the last thing it does before the snapshot: dropping what a dead run left aside.
fn before_the_snapshot(lab: &Lab<'static>) -> (Running, Held) {
    let target = lab.target;
    let aside = format!("{}__20200101t000000_0000", lab.name);
    let comment = comment_of(target, &lab.name);
    target.sql("postgres", &format!("CREATE DATABASE \"{aside}\" OWNER restage"));
    target.sql("postgres", &format!("COMMENT ON DATABASE \"{aside}\" IS '{}'", comment.replace('\'', "''")));
    let mut gate = Held::open(target, "postgres", "postgres");
    gate.run(&format!("BEGIN; COMMENT ON DATABASE \"{aside}\" IS '{}'", comment.replace('\'', "''")));
    let running = Running::start(lab, &["refresh", "-v"]);
    until("the run drops what was left aside", || {
        target.sql(
            "postgres",
            &format!(
                "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'DROP DATABASE%{aside}%' \
                 AND wait_event_type = 'Lock'"
            ),
        ) == "1"
    });
    (running, gate)
}

/// Starts a refresh and stops it between the export of its snapshot and its table locks: the given session holds ACCESS
/// EXCLUSIVE on `big` and the refresh waits for it.
fn in_the_window(lab: &Lab<'static>) -> (Running, Held) {
    let (running, mut gate) = before_the_snapshot(lab);
    let mut ddl = Held::open(lab.source, "app", &lab.name);
    ddl.run("BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE");
    gate.run("COMMIT");
    until("the snapshot exists and its locks wait", || waits_for_lock(lab));
    (running, ddl)
}

fn comment_of(cluster: &Cluster, database: &str) -> String {
    let sql = format!("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{database}'");
    cluster.sql("postgres", &sql)
}

fn waits_for_lock(lab: &Lab<'_>) -> bool {
    lab.production(
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessShareLock' AND relation = 'big'::regclass",
    ) == "1"
}

#[test]
fn truncate_after_snapshot() {
    let lab = big("truncate_after", "");
    let (running, mut ddl) = in_the_window(&lab);
    ddl.run("TRUNCATE big; INSERT INTO big SELECT i, 2 * i, 'new' FROM generate_series(1, 7) i; COMMIT");
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "7|56|7");
    assert!(ran.stderr.contains("starting again"), "{}", ran.stderr);
}

#[test]
fn rewrite_after_snapshot() {
    let lab = big("rewrite_after", "");
    let (running, mut ddl) = in_the_window(&lab);
    ddl.run("ALTER TABLE big ALTER COLUMN n TYPE bigint USING n + 1000000000000; COMMIT");
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "10000|10000000050005000|10000");
}

#[test]
fn vacuum_full_after_snapshot() {
    let lab = big("vacuum_after", "lock_timeout = \"200ms\"");
    lab.source.sql_as("app", &lab.name, "DELETE FROM big WHERE id > 5000");
    let before = lab.production("SELECT pg_relation_filenode('big')");
    let (running, mut ddl) = in_the_window(&lab);
    // After the fifth attempt the refresh sleeps for 1.6 s, and VACUUM FULL, which cannot run beside the lock, has its turn.
    for _ in 0..4 {
        until("an attempt gives up", || !waits_for_lock(&lab));
        until("the next attempt waits", || waits_for_lock(&lab));
    }
    until("the fifth attempt gives up", || !waits_for_lock(&lab));
    ddl.run("COMMIT; VACUUM FULL big");
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "5000|12502500|5000");
    assert_ne!(lab.production("SELECT pg_relation_filenode('big')"), before);
}

#[test]
fn lock_timeout_keeps_snapshot() {
    let lab = big("lock_timeout", "lock_timeout = \"200ms\"");
    let (running, mut ddl) = in_the_window(&lab);
    for _ in 0..2 {
        until("an attempt gives up", || !waits_for_lock(&lab));
        until("the next attempt waits", || waits_for_lock(&lab));
    }
    ddl.run("INSERT INTO big VALUES (-1, 0, 'after the snapshot'); COMMIT");
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains("starting again"), "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "10000|50005000|10000", "the snapshot is the one exported before the locks");
}

#[test]
fn endless_lock_ends_the_run_and_names_the_blocker() {
    let lab = big("lock_wait", "lock_wait_max = \"2s\"\nlock_timeout = \"300ms\"");
    lab.refresh();
    // Once between export and locks, once before the catalog is read.
    let (running, mut ddl) = in_the_window(&lab);
    let pid = ddl.run("SELECT pg_backend_pid()").remove(0);
    let window = running.wait();
    let plan = lab.restage(&["refresh"]);
    for ran in [window, plan] {
        assert_eq!(ran.code, 4, "{}", ran.stderr);
        assert!(ran.stderr.contains("source::lock-wait"), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("backend {pid} (user app")), "{}", ran.stderr);
        assert!(ran.stderr.contains("lock_wait_max"), "{}", ran.stderr);
    }
    ddl.run("ROLLBACK");
    assert_eq!(big_rows(&lab), "10000|50005000|10000");
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name));
}

/// Starts a slow refresh and, while rows are read, an ALTER; returns how long that waited, and the run.
fn alter_meanwhile(lab: &Lab<'static>) -> (Duration, Running) {
    let running = Running::start(lab, &["refresh", "-v"]);
    wait_for_copy(lab, lab.source);
    let started = Instant::now();
    lab.source.sql_as("app", &lab.name, "ALTER TABLE big ADD COLUMN more text");
    (started.elapsed(), running)
}

#[test]
fn ddl_never_waits_longer_than_grace() {
    let lab = big("ddl_grace", "rate_max = \"500KiB/s\"\nddl_grace = \"3s\"");
    let (waited, running) = alter_meanwhile(&lab);
    let ran = running.wait();
    assert!(waited < Duration::from_secs(3), "{waited:?}");
    assert!(waited > Duration::from_secs(1), "it did wait for us: {waited:?}");
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("source::yielded"), "{}", ran.stderr);
    assert!(ran.stderr.contains("(user app, application psql) for big"), "who waited: {}", ran.stderr);
    assert!(ran.stderr.contains("Nothing was published"), "{}", ran.stderr);
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name), "what was loaded is gone");
    lab.config(KEEP);
    lab.refresh();
    assert_eq!(big_rows(&lab), "10000|50005000|10000");
    assert_eq!(lab.staging("SELECT count(*) FROM big WHERE more IS NULL"), "10000");
}

#[test]
fn ddl_behind_a_silent_query_waits_no_longer_either() {
    // The backend sends nothing for a minute, so it would not notice for 10 s that nobody listens.
    let lab = Lab::new("ddl_silent");
    lab.seed(BIG);
    lab.seed(
        "CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN false; END'",
    );
    lab.config_with(
        "ddl_grace = \"2s\"",
        "",
        &format!("{KEEP}\n[tables.\"public.big\"]\nrows = {{ where = \"public.slow(id)\" }}\ndefault = \"keep\"\n"),
    );
    let (waited, running) = alter_meanwhile(&lab);
    let ran = running.wait();
    assert!(waited < Duration::from_secs(2), "{waited:?}");
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("source::yielded"), "{}", ran.stderr);
}

#[test]
fn blocked_ddl_is_held_or_told_when_that_is_configured() {
    let run = |action: &'static str| {
        let source = format!("rate_max = \"2MiB/s\"\nddl_grace = \"1s\"\non_blocked_ddl = \"{action}\"");
        let lab = big(&format!("ddl_{action}"), &source);
        let (waited, running) = alter_meanwhile(&lab);
        let ran = running.wait();
        assert_eq!(ran.code, 0, "{action}: {}", ran.stderr);
        assert!(waited > Duration::from_secs(1), "{action}: {waited:?}");
        assert_eq!(big_rows(&lab), "10000|50005000|10000");
        assert_eq!(ran.stderr.contains("has waited"), action == "warn", "{action}: {}", ran.stderr);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run("hold"));
        scope.spawn(|| run("warn"));
    });
}

/// A lab with a table that is read long after `big`: one reader, largest table first.
fn big_and_small(name: &str, source: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(BIG);
    lab.seed("CREATE TABLE small (id int PRIMARY KEY); INSERT INTO small SELECT generate_series(1, 9)");
    lab.seed(
        "CREATE TABLE parted (id int, at int) PARTITION BY LIST (at); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1); \
         INSERT INTO parted SELECT i, 1 FROM generate_series(1, 5) i",
    );
    lab.config_with(&format!("workers = 1\n{source}"), "jobs = 1", KEEP);
    lab
}

/// Starts a slow refresh and, while `big` is read, a statement on a table that comes later. Returns how long that waited,
/// and how the run ended.
fn ddl_ahead(lab: &Lab<'static>, ddl: &str) -> (Duration, crate::support::Ran) {
    let running = Running::start(lab, &["refresh", "-v"]);
    wait_for_copy(lab, lab.source);
    let started = Instant::now();
    lab.source.sql_as("app", &lab.name, ddl);
    (started.elapsed(), running.wait())
}

const SMALL_ROWS: &str = "SELECT (SELECT count(*) FROM small), (SELECT count(*) FROM parted)";

#[test]
fn ddl_on_a_table_that_is_not_read_yet_is_held_like_any_other() {
    // About 3.5 s of reading; were a reader to queue behind the statement, none of the two would ever go on.
    let run = |action: &'static str, number: usize, ddl: &'static str| {
        let source = format!("rate_max = \"2MiB/s\"\nddl_grace = \"1s\"\non_blocked_ddl = \"{action}\"");
        let lab = big_and_small(&format!("ahead_{action}_{number}"), &source);
        let (waited, ran) = ddl_ahead(&lab, ddl);
        assert_eq!(ran.code, 0, "{ddl}: {}", ran.stderr);
        assert!(waited > Duration::from_secs(1) && waited < Duration::from_secs(30), "{ddl}: {waited:?}");
        assert!(!ran.stderr.contains("trying again"), "{ddl}: {}", ran.stderr);
        assert_eq!(ran.stderr.contains("has waited"), action == "warn", "{ddl}: {}", ran.stderr);
        assert_eq!(big_rows(&lab), "10000|50005000|10000", "{ddl}");
        assert_eq!(lab.staging(SMALL_ROWS), "9|5", "{ddl}: as the snapshot shows them");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run("hold", 1, "ALTER TABLE small ADD COLUMN q int"));
        scope.spawn(|| run("hold", 2, "TRUNCATE small"));
        scope.spawn(|| run("warn", 3, "DROP TABLE small"));
        scope.spawn(|| run("hold", 4, "ALTER TABLE parted ADD COLUMN q int"));
    });
}

#[test]
fn ddl_on_a_table_that_is_copied_without_rows_goes_through() {
    let run = |number: usize, ddl: &'static str| {
        let lab = Lab::new(&format!("ahead_none_{number}"));
        lab.seed(BIG);
        lab.seed("CREATE TABLE sessions (id int PRIMARY KEY); INSERT INTO sessions SELECT generate_series(1, 9)");
        let rows = "[tables.\"public.sessions\"]\nrows = \"none\"\ndefault = \"keep\"\n";
        lab.config_with("rate_max = \"2MiB/s\"\nddl_grace = \"1s\"", "", &format!("{KEEP}\n{rows}"));
        let (waited, ran) = ddl_ahead(&lab, ddl);
        assert_eq!(ran.code, 0, "{ddl}: {}", ran.stderr);
        assert!(waited < Duration::from_secs(1), "{ddl}: {waited:?}");
        let copied = "SELECT (SELECT count(*) FROM sessions), (SELECT count(*) FROM pg_attribute \
                      WHERE attrelid = 'sessions'::regclass AND attnum > 0), (SELECT count(*) FROM big)";
        assert_eq!(lab.staging(copied), "0|1|10000", "{ddl}");
    };
    std::thread::scope(|scope| {
        scope.spawn(|| run(1, "ALTER TABLE sessions ADD COLUMN q int"));
        scope.spawn(|| run(2, "TRUNCATE sessions"));
        scope.spawn(|| run(3, "DROP TABLE sessions"));
    });
}

#[test]
fn a_run_that_yields_uses_the_grace_to_get_ready() {
    std::thread::scope(|scope| {
        // What is left to read fits in: the statement waits for it, and the run succeeds.
        scope.spawn(|| {
            let lab = big_and_small("grace_enough", "rate_max = \"2MiB/s\"\nddl_grace = \"60s\"");
            let (waited, ran) = ddl_ahead(&lab, "ALTER TABLE small ADD COLUMN q int");
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert!(waited < Duration::from_secs(30), "{waited:?}");
            assert_eq!(lab.staging(SMALL_ROWS), "9|5");
        });
        // It does not: the statement waits no longer than the grace.
        scope.spawn(|| {
            let lab = big_and_small("grace_short", "rate_max = \"500KiB/s\"\nddl_grace = \"3s\"");
            let (waited, ran) = ddl_ahead(&lab, "TRUNCATE small");
            assert!(waited < Duration::from_secs(3), "{waited:?}");
            assert_eq!(ran.code, 4, "{}", ran.stderr);
            assert!(ran.stderr.contains("source::yielded"), "{}", ran.stderr);
            assert!(ran.stderr.contains("Nothing was published"), "{}", ran.stderr);
        });
    });
}

#[test]
fn ddl_does_not_stop_the_search_for_a_subset() {
    let lab = Lab::new("ahead_subset");
    lab.seed(
        "CREATE TABLE owners (id int PRIMARY KEY); INSERT INTO owners SELECT generate_series(1, 300); \
         CREATE TABLE owned (id int PRIMARY KEY, owner int REFERENCES owners); \
         INSERT INTO owned SELECT i, i FROM generate_series(1, 300) i; \
         CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN $1 <= 20; END'",
    );
    let subset = "\n[subset]\nseed = [{ table = \"public.owned\", where = \"public.slow(id)\" }]\n";
    lab.config_with("on_blocked_ddl = \"hold\"", "", &format!("{KEEP}{subset}"));
    let running = Running::start(&lab, &["refresh", "-v"]);
    until("seeds are looked for", || {
        !sessions(&lab, lab.source, "state = 'active' AND query LIKE '%slow%'").is_empty()
    });
    lab.source.sql_as("app", &lab.name, "ALTER TABLE owners ADD COLUMN q int");
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(lab.staging("SELECT (SELECT count(*) FROM owners), (SELECT count(*) FROM owned)"), "20|20");
}

#[test]
fn readers_lock_no_index_longer_than_a_chunk() {
    let lab = big_and_small("reader_indexes", "rate_max = \"1MiB/s\"\nchunk_bytes = \"1MiB\"");
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, lab.source);
    // The reader is at the table now; REINDEX has its turn between two of its chunks, long before the run ends.
    let started = Instant::now();
    lab.source.sql_as("app", &lab.name, "REINDEX INDEX big_pkey");
    let waited = started.elapsed();
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(waited < Duration::from_secs(4), "{waited:?} of {:?}", started.elapsed());
    assert_eq!(big_rows(&lab), "10000|50005000|10000");
}

#[test]
fn a_prepared_transaction_that_holds_a_table_is_named_with_the_line_that_ends_it() {
    let lab = big("prepared", "lock_wait_max = \"1s\"\nlock_timeout = \"300ms\"");
    lab.source.sql_as(
        "app",
        &lab.name,
        "BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE; PREPARE TRANSACTION 'it''s mine'",
    );
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    for part in
        ["source::lock-wait", "prepared transaction 'it''s mine' (user app", "ROLLBACK PREPARED 'it''s mine'", "on big"]
    {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    lab.source.sql_as("app", &lab.name, "ROLLBACK PREPARED 'it''s mine'");
    lab.refresh();
}

#[test]
fn snapshot_is_let_go_at_its_age_limit() {
    let lab = big("snapshot_age", "rate_max = \"200KiB/s\"\nsnapshot_max = \"2s\"");
    let started = Instant::now();
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("source::snapshot-age") && ran.stderr.contains("snapshot_max"), "{}", ran.stderr);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    until("no session is left", || sessions(&lab, lab.source, "true").is_empty());
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name));
}

#[test]
fn rate_max_limits_bytes_per_second() {
    let lab = big("rate", "");
    let timed = || {
        let started = Instant::now();
        let ran = lab.refresh();
        (started.elapsed(), ran)
    };
    let (free, _) = timed();
    lab.config_with("rate_max = \"2MiB/s\"\nworkers = 4", "", KEEP);
    let bytes: u32 = lab.production("SELECT sum(length(filler) + 24) FROM big").parse().expect("a number");
    let least = Duration::from_secs_f64(f64::from(bytes) / f64::from(2 << 20));
    let (slow, _) = timed();
    assert!(slow > least, "{slow:?} for {bytes} bytes");
    assert!(slow < least * 2 + free * 3, "{slow:?} for {bytes} bytes, {free:?} without a limit");
}

/// Moves money between accounts for ever: sum and number of accounts are the same in every snapshot.
const BANK: &str = "
CREATE TABLE accounts (id bigserial PRIMARY KEY, balance bigint NOT NULL, filler text NOT NULL);
INSERT INTO accounts (balance, filler) SELECT 1000, repeat(md5(i::text), 20) FROM generate_series(1, 12000) i;
CREATE PROCEDURE churn() LANGUAGE plpgsql AS $$
DECLARE a bigint; b bigint; x bigint; gone record;
BEGIN
  LOOP
    FOR i IN 1..20 LOOP
      a := (SELECT id FROM accounts WHERE id >= (random() * 12000)::int ORDER BY id LIMIT 1);
      b := (SELECT id FROM accounts WHERE id >= (random() * 12000)::int ORDER BY id LIMIT 1);
      x := (random() * 100)::int;
      UPDATE accounts SET balance = balance - x WHERE id = a;
      UPDATE accounts SET balance = balance + x WHERE id = b;
      IF NOT FOUND THEN ROLLBACK; CONTINUE; END IF;
      DELETE FROM accounts WHERE id = a RETURNING * INTO gone;
      IF NOT FOUND THEN ROLLBACK; CONTINUE; END IF;
      INSERT INTO accounts (balance, filler) VALUES (gone.balance, gone.filler);
      COMMIT;
    END LOOP;
  END LOOP;
END $$;
";

#[test]
fn chunks_under_churn() {
    let lab = Lab::new("churn");
    lab.seed(BANK);
    lab.config_with("chunk_bytes = \"1MiB\"\nworkers = 4\nrate_max = \"3MiB/s\"", "jobs = 4", KEEP);
    let mut writer = Held::open(lab.source, "app", &lab.name);
    writer.send("CALL churn()");
    let mut vacuum = Held::open(lab.source, "app", &lab.name);
    let moved = || lab.production("SELECT count(*) FROM accounts WHERE id > 12000").parse::<u32>().expect("a number");
    until("money moves", || moved() > 100);
    let running = Running::start(&lab, &["refresh", "-v"]);
    until("rows are read", || !sessions(&lab, lab.source, "query LIKE 'COPY (SELECT%accounts%ctid%'").is_empty());
    let (at_start, mut running) = (moved(), Some(running));
    while !running.as_mut().expect("it runs").ended() {
        vacuum.run("VACUUM accounts");
        std::thread::sleep(Duration::from_millis(50));
    }
    let ran = running.take().expect("it ran").wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(moved() > at_start + 100, "nothing moved during the run");
    let oracle = "SELECT count(*), sum(balance), count(DISTINCT id) FROM accounts";
    assert_eq!(lab.staging(oracle), "12000|12000000|12000");
    assert_ne!(lab.staging("SELECT count(*) FROM accounts WHERE id > 12000"), "0");
    assert_eq!(lab.production(oracle), "12000|12000000|12000", "the invariant of the source holds");
}

#[test]
fn chunks_give_exactly_the_rows_of_the_table() {
    let lab = Lab::new("chunked_dump");
    lab.seed(BANK);
    // Holes, moved rows and an empty tail.
    lab.seed("DELETE FROM accounts WHERE id % 7 = 0 OR id > 11000; UPDATE accounts SET balance = id WHERE id % 5 = 0");
    lab.config_with("chunk_bytes = \"1MiB\"\nworkers = 4", "", KEEP);
    lab.refresh();
    let all = "SELECT md5(string_agg(md5(a::text), '' ORDER BY id)) FROM accounts a";
    assert_eq!(lab.staging(all), lab.production(all));
}

#[test]
fn keeper_dies() {
    let lab = big("keeper_dies", "rate_max = \"1MiB/s\"\nchunk_bytes = \"1MiB\"");
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, lab.source);
    lab.source.sql_as("app", &lab.name, "INSERT INTO big VALUES (-1, 0, 'after the snapshot')");
    let keepers = sessions(&lab, lab.source, KEEPERS);
    assert!(keepers.len() >= 2, "{keepers:?}");
    // The first, and when it is replaced the other: a replacement holds the same snapshot.
    for keeper in &keepers[..2] {
        end(lab.source, std::slice::from_ref(keeper));
        until("the keeper is replaced", || {
            let now = sessions(&lab, lab.source, KEEPERS);
            now.len() >= 2 && !now.contains(keeper)
        });
    }
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "10000|50005000|10000", "all rows are of one snapshot");
}

#[test]
fn worker_dies_and_its_chunk_is_read_again() {
    let lab = big("worker_dies", "rate_max = \"2MiB/s\"");
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, lab.source);
    end(lab.source, &sessions(&lab, lab.source, "query LIKE 'COPY (SELECT%'"));
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("trying again"), "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "10000|50005000|10000");
}

#[test]
fn both_keepers_dead_is_a_lost_snapshot() {
    let lab = big("keepers_die", "rate_max = \"500KiB/s\"\nchunk_bytes = \"1MiB\"");
    lab.refresh_free();
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, lab.source);
    lab.source.sql(
        "postgres",
        &format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}' AND application_name ~ '^restage/2' \
             AND {KEEPERS}",
            lab.name
        ),
    );
    let ran = running.wait();
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("source::snapshot-lost"), "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "10000|50005000|10000", "the earlier release serves");
}

impl Lab<'static> {
    /// A refresh without a brake, then the configuration of the test again.
    fn refresh_free(&self) {
        let text = std::fs::read_to_string(self.path("restage.toml")).expect("read");
        self.config(KEEP);
        self.refresh();
        std::fs::write(self.path("restage.toml"), text).expect("write");
    }
}

/// What a run that copies `big` has nothing to do with, beside a partitioned table of its own.
const BESIDE: &str = "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE far AS ENUM ('a'); \
     CREATE TABLE events (id bigserial, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at); \
     CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01'); \
     INSERT INTO events (at) VALUES ('2026-01-05'), ('2026-01-06')";

/// Tables, types and views that are new, also with keys to a table that is copied and below one (attached: what is created
/// there waits for who reads the table); functions and types of no column that are changed; a comment.
const UNRELATED: &str = "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE other (id int PRIMARY KEY, m mood, big int REFERENCES big); \
     CREATE UNIQUE INDEX ON other (big); CREATE VIEW late AS SELECT id FROM other; \
     CREATE TABLE events_2 (LIKE events INCLUDING ALL); \
     ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM ('2026-02-01') TO ('2026-03-01'); \
     INSERT INTO events (at) VALUES ('2026-02-05'); \
     CREATE OR REPLACE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 2'; ALTER TYPE far ADD VALUE 'b'; \
     COMMENT ON TABLE big IS 'told later'";

/// What of [`UNRELATED`] is in staging.
const BESIDE_NOW: &str = "SELECT one(), (SELECT count(*) FROM events), (SELECT count(*) FROM pg_enum WHERE enumtypid = 'far'::regtype), \
     coalesce(to_regclass('other'), to_regclass('late'), to_regclass('events_2')) IS NULL, to_regtype('mood') IS NULL, \
     obj_description('big'::regclass) IS NULL";

#[test]
fn ddl_on_what_is_not_read_stops_no_run_and_is_not_in_the_copy() {
    let lab = big("ddl_beside", "rate_max = \"2MiB/s\"");
    lab.seed(BESIDE);
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, lab.source);
    lab.source.sql_as("app", &lab.name, UNRELATED);
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "10000|50005000|10000");
    assert_eq!(lab.staging(BESIDE_NOW), "1|2|1|t|t|t", "as the snapshot shows it");
    for told in
        ["table public.other was created", "table public.events_2 was created", "function public.one() was changed"]
    {
        assert!(ran.stderr.contains(&format!("{told} at the source meanwhile")), "{told}: {}", ran.stderr);
    }
    assert_eq!(lab.production(BESIDE_NOW), "2|3|2|f|f|f", "the twin: it was there to be copied");
}

#[test]
fn ddl_between_the_snapshot_and_the_dump_is_not_in_the_copy() {
    let lab = big("ddl_window", "");
    lab.seed(BESIDE);
    let (running, mut ddl) = in_the_window(&lab);
    // The session holds a lock on big; a new value of an enum and all others come with its COMMIT.
    ddl.run(&format!("{UNRELATED}; COMMIT"));
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains("starting again"), "{}", ran.stderr);
    assert_eq!(lab.staging(BESIDE_NOW), "1|2|1|t|t|t", "as the snapshot shows it");
}

#[test]
fn what_is_defined_after_it_was_judged_is_judged_before_it_is_copied() {
    let comment = "COMMENT ON TABLE big IS 'ask ann@qzddl.dev'";
    let run = |name: &str, policy: &str, ddl: &str| {
        let lab = big(name, "");
        lab.seed(BESIDE);
        lab.config(&format!("{policy}{KEEP}"));
        let (running, mut gate) = before_the_snapshot(&lab);
        lab.source.sql_as("app", &lab.name, ddl);
        lab.grant();
        gate.run("COMMIT");
        let ran = running.wait();
        assert!(ran.stderr.contains("starting again"), "{ddl}: {}", ran.stderr);
        (lab, ran)
    };
    let told = "SELECT coalesce(obj_description('big'::regclass), '')";
    std::thread::scope(|scope| {
        // Nothing of it is known to the catalog of tables, columns and types.
        scope.spawn(|| {
            let (lab, ran) = run("judged_late", "", comment);
            assert_eq!(ran.code, 3, "{}", ran.stderr);
            assert!(ran.stderr.contains("plan::personal-literal"), "{}", ran.stderr);
            assert_eq!(lab.databases(), std::slice::from_ref(&lab.name), "nothing was loaded");
        });
        // The twin: where nobody looks, it is copied.
        scope.spawn(|| {
            let (lab, ran) = run("judged_never", "[policy]\nddl_literals = \"accept\"\n\n", comment);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert_eq!(lab.staging(told), "ask ann@qzddl.dev");
        });
        scope.spawn(|| {
            let (lab, ran) = run("judged_again", "", UNRELATED);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert_eq!(lab.staging(BESIDE_NOW), "2|3|2|f|f|f", "it is planned, and copied");
        });
        // A table that was planned and is gone, as those that a partition manager drops.
        scope.spawn(|| {
            let (lab, ran) = run("judged_gone", "", "DROP TABLE events_1");
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert_eq!(lab.staging("SELECT count(*) FROM events"), "0");
        });
    });
}

#[test]
fn schema_drift_is_refused_unless_allowed() {
    let drift = |name: &str, seed: &str, ddl: &str, (setting, policy): (&str, &str)| {
        let lab = big(name, "");
        lab.seed(seed);
        lab.config_with(&format!("rate_max = \"2MiB/s\"\n{setting}"), "", policy);
        let running = Running::start(&lab, &["refresh", "-v"]);
        wait_for_copy(&lab, lab.source);
        lab.source.sql_as("app", &lab.name, ddl);
        (running.wait(), lab.databases().len())
    };
    let few = "CREATE FUNCTION few(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN true; END'";
    let less = "CREATE OR REPLACE FUNCTION few(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RETURN false; END'";
    let asked = "[tables.\"public.big\"]\nrows = { where = \"public.few(id)\" }\ndefault = \"keep\"\n";
    std::thread::scope(|scope| {
        let cases = [
            (
                "drift_type",
                "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TABLE moods (m mood[])",
                "ALTER TYPE mood ADD VALUE 'glad'",
                "type public.mood was changed",
                KEEP,
            ),
            (
                "drift_check",
                "ALTER TABLE big ADD CONSTRAINT positive CHECK (n > 0) NOT VALID",
                "ALTER TABLE big VALIDATE CONSTRAINT positive",
                "constraint positive of public.big was changed",
                KEEP,
            ),
            ("drift_function", few, less, "function public.few(integer) was changed", asked),
            // A call may mean it from now on.
            (
                "drift_overload",
                few,
                "CREATE FUNCTION few(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT false'",
                "function public.few(bigint) was created",
                asked,
            ),
        ];
        for (name, seed, ddl, told, policy) in cases {
            scope.spawn(move || {
                let (ran, databases) = drift(name, seed, ddl, ("", policy));
                assert_eq!(ran.code, 4, "{ddl}: {}", ran.stderr);
                assert!(ran.stderr.contains("source::schema-drift"), "{ddl}: {}", ran.stderr);
                assert!(ran.stderr.contains(told), "{ddl}: {}", ran.stderr);
                assert!(ran.stderr.contains("allow_schema_drift = true"), "{ddl}: {}", ran.stderr);
                assert_eq!(databases, 1, "what was loaded is gone");
            });
        }
        scope.spawn(|| {
            let (ran, _) = drift("drift_allowed", few, less, ("allow_schema_drift = true", asked));
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        });
    });
}

/// A primary with a standby, and a target. The tests of standbys take turns: replay and its pause are one for all.
pub struct Replicated {
    pub primary: Cluster,
    pub standby: Cluster,
    target: Cluster,
    turn: Mutex<()>,
}

pub fn replicated() -> &'static Replicated {
    static REPLICATED: OnceLock<Replicated> = OnceLock::new();
    REPLICATED.get_or_init(|| {
        let primary = Cluster::start(&["wal_level = replica"]);
        let standby = Cluster::standby_of(
            &primary,
            &["hot_standby_feedback = off", "max_standby_streaming_delay = 100ms", "wal_receiver_status_interval = 1s"],
        );
        let target = Cluster::start(&[]);
        prepare_roles(&primary, &target);
        Replicated { primary, standby, target, turn: Mutex::new(()) }
    })
}

impl Replicated {
    fn lab(&'static self, name: &str, source: &str) -> Lab<'static> {
        let lab = Lab::on(&self.primary, &self.target, name);
        lab.seed(BIG);
        lab.production("GRANT EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() TO reader");
        self.configure(&lab, source);
        self.catch_up();
        lab
    }

    /// Points the source of the lab at the standby.
    fn configure(&self, lab: &Lab<'_>, source: &str) {
        lab.config_with(source, "", KEEP);
        let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
        let folder = |cluster: &Cluster| cluster.folder().display().to_string();
        let text = text.replace(&folder(&self.primary), &folder(&self.standby));
        std::fs::write(lab.path("restage.toml"), text).expect("write");
    }

    pub fn catch_up(&self) {
        // A commit flushes what open transactions have logged, their locks too.
        let now = self.primary.sql("postgres", "SELECT pg_logical_emit_message(true, 'test', 'flush')");
        until("the standby has replayed everything", || {
            self.standby.sql("postgres", &format!("SELECT pg_last_wal_replay_lsn() >= '{now}'")) == "t"
        });
    }

    fn paused(&self) -> bool {
        self.standby.sql("postgres", "SELECT pg_is_wal_replay_paused()") == "t"
    }

    pub fn turn(&self) -> std::sync::MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[test]
fn a_standby_is_a_source() {
    let servers = replicated();
    let _turn = servers.turn();
    let lab = servers.lab("standby", "chunk_bytes = \"1MiB\"\nworkers = 3");
    lab.seed("CREATE SEQUENCE tickets; SELECT nextval('tickets') FROM generate_series(1, 42)");
    servers.catch_up();
    let ran = lab.refresh();
    assert_eq!(big_rows(&lab), "10000|50005000|10000");
    let at: i64 = lab.staging("SELECT last_value FROM tickets").parse().expect("a number");
    assert!((42..=74).contains(&at), "a standby's sequence reads up to 32 ahead: {at}");
    assert!(!servers.paused(), "{}", ran.stderr);
}

#[test]
fn replay_stands_still_while_a_dedicated_standby_is_read() {
    let servers = replicated();
    let _turn = servers.turn();
    let lab = servers.lab("pause", "rate_max = \"2MiB/s\"\npause_replay = true");

    // Success.
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, &servers.standby);
    assert!(servers.paused());
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!servers.paused());

    // Failure: the snapshot is lost, and the definitions drift.
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, &servers.standby);
    end(&servers.standby, &sessions(&lab, &servers.standby, KEEPERS));
    let ran = running.wait();
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(!servers.paused());

    // A failure before the first lock.
    servers.configure(&lab, "pause_replay = true\nlock_wait_max = \"1s\"");
    let mut ddl = Held::open(&servers.primary, "app", &lab.name);
    ddl.run("BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE");
    servers.catch_up();
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(!servers.paused());
    ddl.run("ROLLBACK");

    // An interrupt.
    servers.configure(&lab, "rate_max = \"500KiB/s\"\npause_replay = true");
    servers.catch_up();
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, &servers.standby);
    running.signal("INT");
    let ran = running.wait();
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(!servers.paused());
}

#[test]
fn replay_resumed_after_kill() {
    let servers = replicated();
    let _turn = servers.turn();
    let lab = servers.lab("pause_kill", "rate_max = \"500KiB/s\"\npause_replay = true");
    for next in ["refresh", "doctor"] {
        let running = Running::start(&lab, &["refresh", "-v"]);
        wait_for_copy(&lab, &servers.standby);
        running.signal("KILL");
        running.wait();
        assert!(servers.paused(), "nobody was left to resume it");
        until("the server has noticed", || sessions(&lab, &servers.standby, "true").is_empty());
        // The next start resumes although it then refuses to run.
        let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
        std::fs::write(lab.path("restage.toml"), text.replace(KEEP, "")).expect("write");
        let ran = lab.restage(&[next]);
        assert!(!servers.paused(), "{next}: {ran:?}");
        std::fs::write(lab.path("restage.toml"), text).expect("write");
    }
    servers.configure(&lab, "pause_replay = true");
    servers.catch_up();
    lab.refresh();
    assert!(!servers.paused());
    assert_eq!(big_rows(&lab), "10000|50005000|10000");
}

#[test]
fn pause_that_cannot_work_is_refused_in_the_plan() {
    let lab = big("pause_primary", "pause_replay = true");
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("plan::pause-replay") && ran.stderr.contains("not a standby"), "{}", ran.stderr);

    let servers = replicated();
    let _turn = servers.turn();
    let lab = servers.lab("pause_rights", "pause_replay = true");
    lab.production("REVOKE EXECUTE ON FUNCTION pg_wal_replay_pause(), pg_wal_replay_resume() FROM reader");
    servers.catch_up();
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("GRANT EXECUTE ON FUNCTION pg_wal_replay_pause()"), "{}", ran.stderr);
    assert!(!servers.paused());
}

#[test]
fn unlogged_table_on_a_standby_is_told_by_doctor_as_by_plan() {
    let servers = replicated();
    let _turn = servers.turn();
    let lab = servers.lab("standby_unlogged", "");
    lab.source.sql_as("app", &lab.name, "CREATE UNLOGGED TABLE jobs (id int PRIMARY KEY)");
    lab.grant();
    servers.catch_up();
    let (plan, doctor) = (lab.restage(&["plan"]), lab.restage(&["doctor"]));
    assert!(plan.code == 3 && format!("{plan:?}").contains("plan::unlogged-on-standby"), "{plan:?}");
    assert_eq!(doctor.code, 4, "{doctor:?}");
    for told in ["table \"public.jobs\" is unlogged", "[tables.\"public.jobs\"]", "rows = \"none\""] {
        assert!(doctor.stdout.contains(told), "{told}: {}", doctor.stdout);
    }
    // The lines it gives are what it takes.
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    let decided = format!("{text}\n[tables.\"public.jobs\"]\nrows = \"none\"\n");
    std::fs::write(lab.path("restage.toml"), decided).expect("write");
    let (plan, doctor) = (lab.restage(&["plan"]), lab.restage(&["doctor"]));
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(doctor.code == 0 && !doctor.stdout.contains("is unlogged"), "{doctor:?}");
}

#[test]
fn standby_conflict() {
    let servers = replicated();
    let _turn = servers.turn();
    let lab = servers.lab("conflict", "rate_max = \"2MiB/s\"\nchunk_bytes = \"1MiB\"\nworkers = 2");
    let vacuum = |lab: &Lab<'_>| {
        lab.source.sql_as("app", &lab.name, "UPDATE big SET n = n");
        lab.source.sql_as("app", &lab.name, "VACUUM big");
    };
    // A worker alone: its chunk is read again.
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, &servers.standby);
    end(&servers.standby, &sessions(&lab, &servers.standby, "query LIKE 'COPY (SELECT%'"));
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "10000|50005000|10000");

    // Replayed vacuum removes rows the snapshot sees: workers and keepers are cancelled, and nothing half is published.
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, &servers.standby);
    vacuum(&lab);
    let ran = running.wait();
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("source::snapshot-lost"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hot_standby_feedback"), "{}", ran.stderr);
    assert_eq!(big_rows(&lab), "10000|50005000|10000");

    // The same with replay paused: nothing is cancelled.
    servers.configure(&lab, "rate_max = \"2MiB/s\"\npause_replay = true");
    servers.catch_up();
    let running = Running::start(&lab, &["refresh", "-v"]);
    wait_for_copy(&lab, &servers.standby);
    vacuum(&lab);
    let ran = running.wait();
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stderr.contains("trying again"), "{}", ran.stderr);
    servers.catch_up();
}

#[test]
fn a_subset_is_found_on_a_standby() {
    let servers = replicated();
    let _turn = servers.turn();
    let lab = servers.lab("standby_subset", "workers = 3");
    lab.seed("CREATE TABLE owners (id int PRIMARY KEY); INSERT INTO owners SELECT generate_series(1, 500); CREATE TABLE owned (id int PRIMARY KEY, owner int REFERENCES owners); INSERT INTO owned SELECT i, 1 + i % 500 FROM generate_series(1, 5000) i");
    servers.catch_up();
    let file = lab.path("restage.toml");
    let text = std::fs::read_to_string(&file).expect("read");
    let subset = "\n[subset]\nseed = [{ table = \"public.owned\", where = \"id <= 20\" }]\n";
    std::fs::write(file, format!("{text}{subset}")).expect("written");
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM owners"), "20");
    assert_eq!(
        lab.staging("SELECT string_agg(id::text, ',' ORDER BY id) FROM owned"),
        lab.production("SELECT string_agg(id::text, ',' ORDER BY id) FROM owned WHERE id <= 20")
    );
}
