//! The swap: under load, in the way of others, and what follows to the new release.

use super::{Pair, Shop, ended, eventually, while_running};
use crate::identity::KEEP_ALL;
use crate::support::{Cluster, Lab, prepare_roles};
use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const ROWS: u32 = 200;

/// What a client saw: the release it read, or the SQLSTATE (empty for a connection that broke).
type Seen = (Instant, Result<u32, String>);

/// Clients that connect, read the release a few times, and connect again, until they are told to stop.
struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Seen>>>,
}

impl Clients {
    fn start(cluster: &Cluster, database: &str, count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = (0..count)
            .map(|_| {
                let (url, stop) = (cluster.url("reading", database), Arc::clone(&stop));
                std::thread::spawn(move || {
                    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
                    runtime.block_on(read(&url, &stop))
                })
            })
            .collect();
        Self { stop, threads }
    }

    fn stop(self) -> Vec<Vec<Seen>> {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|thread| thread.join().expect("a client")).collect()
    }
}

async fn read(url: &str, stop: &AtomicBool) -> Vec<Seen> {
    let mut seen = Vec::new();
    let state = |error: tokio_postgres::Error| error.code().map(|code| code.code().to_owned()).unwrap_or_default();
    while !stop.load(Ordering::Relaxed) {
        let (client, connection) = match tokio_postgres::connect(url, tokio_postgres::NoTls).await {
            Ok(connected) => connected,
            Err(error) => {
                seen.push((Instant::now(), Err(state(error))));
                tokio::time::sleep(Duration::from_millis(1)).await;
                continue;
            }
        };
        let driver = tokio::spawn(connection);
        for _ in 0..5 {
            let row = client.query_one("SELECT release FROM public.marker", &[]).await;
            let row = row.map(|row| row.get::<_, i32>(0) as u32).map_err(state);
            let broken = row.is_err();
            seen.push((Instant::now(), row));
            if broken {
                break;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        drop(client);
        let _ = driver.await;
    }
    seen
}

/// No client goes back after it went on, and no client sees another error than an ended session or a missing name.
/// Returns the longest time a client went without an answer, and the errors there were.
fn judge(clients: &[Vec<Seen>], forward: bool) -> (Duration, BTreeSet<String>) {
    let (mut gap, mut errors) = (Duration::ZERO, BTreeSet::new());
    for seen in clients {
        let mut last: Option<(Instant, u32)> = None;
        for (at, result) in seen {
            match result {
                Ok(release) => {
                    if let Some((before, newest)) = last {
                        let goes_on = if forward { *release >= newest } else { *release <= newest };
                        assert!(goes_on, "a client read release {release} after it had read {newest}");
                        gap = gap.max(at.duration_since(before));
                    }
                    last = Some((*at, *release));
                }
                Err(state) => {
                    errors.insert(state.clone());
                }
            }
        }
        assert!(last.is_some(), "a client never got an answer: {errors:?}");
    }
    let known = ["", "57P01", "3D000"];
    assert!(errors.iter().all(|state| known.contains(&state.as_str())), "clients saw {errors:?}");
    (gap, errors)
}

#[allow(clippy::print_stderr)]
fn tell(what: &str, gap: Duration, errors: &BTreeSet<String>) {
    eprintln!("{what}: longest time without an answer {} ms, errors seen {errors:?}", gap.as_millis());
}

/// A role of the applications on the target; tests share the server.
fn reading_role(cluster: &Cluster) {
    let _ = cluster.try_sql("postgres", "postgres", "CREATE ROLE reading LOGIN");
}

#[test]
fn publishing_and_rolling_back_under_load_never_shows_an_old_row_after_a_new_one() {
    let mut shop = Shop::open(Lab::new("under_load"), ROWS);
    reading_role(shop.lab.target);
    let clients = Clients::start(shop.lab.target, &shop.lab.name, 4);
    for _ in 0..4 {
        shop.next();
        // One that would stay: it is ended, although the target role may not see what it is.
        let mut session = shop
            .lab
            .target
            .client("psql", "reading", &shop.lab.name)
            .args(["-XqAt", "-c", "SELECT pg_sleep(60)"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql");
        shop.lab.refresh();
        eventually("after a swap", "the session is ended", || match session.try_wait() {
            Ok(Some(status)) if !status.success() => Ok(()),
            other => Err(format!("{other:?}")),
        });
    }
    let seen = clients.stop();
    let (gap, errors) = judge(&seen, true);
    tell("publishing four times under load", gap, &errors);
    assert!(gap < Duration::from_secs(5), "{gap:?}");
    for client in &seen {
        let releases: BTreeSet<u32> = client.iter().filter_map(|(_, result)| result.clone().ok()).collect();
        assert!(releases.len() >= 4, "a client missed releases: {releases:?}");
    }

    let clients = Clients::start(shop.lab.target, &shop.lab.name, 4);
    std::thread::sleep(Duration::from_millis(100));
    let back = shop.lab.restage(&["rollback", "--yes"]);
    assert_eq!(back.code, 0, "{back:?}");
    std::thread::sleep(Duration::from_millis(100));
    let (gap, errors) = judge(&clients.stop(), false);
    tell("rolling back under load", gap, &errors);
    shop.holds(shop.release - 1, "after a rollback");
    shop.recovers("after a rollback under load");
}

#[test]
fn prepared_transaction_in_the_live_database_stops_the_swap_at_once() {
    let mut shop = Shop::open(Lab::new("prepared"), ROWS);
    let name = shop.lab.name.clone();
    shop.lab.staging(&format!("BEGIN; UPDATE marker SET release = release; PREPARE TRANSACTION '{name}'"));
    let new = shop.next();
    let undo = format!("ROLLBACK PREPARED '{name}';");
    assert!(warns(&shop.lab, &undo), "the plan says so already");
    let ran = shop.lab.restage(&["refresh"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let (warned, failed) = (ran.stderr.find(&undo), ran.stderr.find("error[target::in-use]"));
    assert!(warned.is_some() && warned < failed, "{}", ran.stderr);
    let failed = &ran.stderr[failed.unwrap_or(0)..];
    assert!(failed.contains("it has prepared transactions") && failed.contains(&undo), "{}", ran.stderr);
    assert!(!ran.stderr.contains("pg_signal_backend"), "{}", ran.stderr);
    shop.holds(new - 1, "beside a prepared transaction");
    assert_eq!(shop.lab.databases().len(), 3, "live, previous, and the loaded one aside");
    shop.lab.staging(&format!("ROLLBACK PREPARED '{name}'"));
    shop.recovers("after a prepared transaction");
}

/// The plan warns with this line.
#[track_caller]
fn warns(lab: &Lab<'_>, line: &str) -> bool {
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    let document: serde_json::Value = serde_json::from_str(&plan.stdout).expect("a document");
    let warnings = document["warnings"].as_array().cloned().unwrap_or_default();
    warnings.iter().any(|warning| warning.as_str().is_some_and(|text| text.contains(line)))
}

#[test]
fn what_replicates_from_or_into_staging_is_told_before_the_load() {
    let logical = ["wal_level = logical"];
    let pair = Pair { source: Cluster::start(&logical), target: Cluster::start(&logical) };
    prepare_roles(&pair.source, &pair.target);
    let lab = Lab::on(&pair.source, &pair.target, "replicates");
    let name = lab.name.clone();
    lab.seed("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    lab.config_with("", "keep = 0", KEEP_ALL);
    lab.refresh();
    lab.target.sql(&name, "SELECT pg_create_logical_replication_slot('feed', 'pgoutput')");
    lab.source.sql(&name, "CREATE PUBLICATION nothing");
    let folder = pair.source.folder().display();
    let follow = format!(
        "CREATE SUBSCRIPTION follows CONNECTION 'host={folder} user=postgres dbname={name}' PUBLICATION nothing"
    );
    lab.target.sql(&name, &follow);
    let workers = |number: &str| {
        eventually("a subscription", number, || {
            let count = lab.target.sql("postgres", "SELECT count(pid) FROM pg_stat_subscription");
            if count == number { Ok(()) } else { Err(count) }
        });
    };
    workers("1");
    let undo = "ALTER SUBSCRIPTION \"follows\" DISABLE; ALTER SUBSCRIPTION \"follows\" SET (slot_name = NONE); \
                DROP SUBSCRIPTION \"follows\";";
    let drop_slot = "SELECT pg_drop_replication_slot('feed');";
    let doctor = lab.restage(&["doctor"]);
    assert_eq!(doctor.code, 0, "{doctor:?}");
    for line in [undo, drop_slot] {
        assert!(warns(&lab, line) && doctor.stdout.contains(line), "{line}: {}", doctor.stdout);
    }
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    let failed = ran.stderr.find("error[target::in-use]");
    assert!(failed.is_some(), "{}", ran.stderr);
    for line in [undo, drop_slot] {
        assert!(ran.stderr.find(line) < failed && ran.stderr.contains(line), "{line}: {}", ran.stderr);
    }
    let failed = &ran.stderr[failed.unwrap_or(0)..];
    assert!(failed.contains("a subscription works in it") && failed.contains(undo), "{}", ran.stderr);

    // One that is disabled is in nobody's way until the database that has it is dropped.
    lab.target.sql("postgres", drop_slot);
    lab.target.sql(&name, "ALTER SUBSCRIPTION follows DISABLE");
    workers("0");
    assert!(warns(&lab, undo) && !warns(&lab, drop_slot));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(ran.stderr.contains("target::not-dropped"), "{}", ran.stderr);
    let left = lab.databases().into_iter().find(|database| *database != name).expect("the one that stays");
    let lines = format!(
        "ALTER DATABASE \"{left}\" ALLOW_CONNECTIONS true;\n\\connect \"{left}\"\n{undo}\n\\connect \"postgres\"\n\
         DROP DATABASE \"{left}\";"
    );
    for line in lines.lines() {
        assert!(ran.stderr.contains(line), "{line}: {}", ran.stderr);
    }
    lab.target.sql("postgres", &lines);
    assert_eq!(lab.databases(), [name]);
    let ran = lab.refresh();
    assert!(!ran.stderr.contains("SUBSCRIPTION"), "{}", ran.stderr);
}

#[test]
fn session_that_may_not_be_ended_keeps_the_old_release_serving() {
    let mut shop = Shop::open(Lab::new("in_use"), ROWS);
    let new = shop.next();
    // A superuser's: the target role may not end it.
    let mut session = shop
        .lab
        .target
        .client("psql", "postgres", &shop.lab.name)
        .args(["-XqAt", "-c", "SELECT pg_sleep(60)"])
        .stdout(Stdio::null())
        .spawn()
        .expect("psql");
    let ran = shop.lab.restage(&["refresh"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("target::in-use") && ran.stderr.contains("user postgres"), "{}", ran.stderr);
    // The right is there and does not help: only what helps is advised.
    assert!(!ran.stderr.contains("pg_signal_backend"), "{}", ran.stderr);
    assert!(ran.stderr.contains("as a superuser"), "{}", ran.stderr);
    assert!(session.try_wait().expect("psql").is_none(), "the session lives");
    shop.holds(new - 1, "beside a superuser's session");
    assert_eq!(shop.lab.databases().len(), 3, "live, previous, and the loaded one aside");
    session.kill().expect("kill");
    let _ = session.wait();
    shop.lab.target.sql(
        "postgres",
        &format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%pg_sleep%'",
            shop.lab.name
        ),
    );
    shop.recovers("after a superuser's session");
}

/// Servers whose target role may create databases and not end sessions of others; `webapp` is somebody else.
fn without_the_right(settings: &[&str]) -> Pair {
    let pair = Pair { source: Cluster::start(&[]), target: Cluster::start(settings) };
    prepare_roles(&pair.source, &pair.target);
    pair.target.sql("postgres", "REVOKE pg_signal_backend FROM restage; CREATE ROLE webapp LOGIN");
    pair
}

/// A session of another role.
struct Sitting<'a> {
    cluster: &'a Cluster,
    database: String,
    psql: Child,
}

impl<'a> Sitting<'a> {
    fn down(cluster: &'a Cluster, database: &str) -> Self {
        let psql = cluster
            .client("psql", "webapp", database)
            .args(["-XqAt", "-c", "SELECT pg_sleep(300)"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("psql");
        let sitting = Self { cluster, database: database.to_owned(), psql };
        eventually(database, "somebody is connected", || match sitting.count().as_str() {
            "0" => Err("nobody".to_owned()),
            _ => Ok(()),
        });
        sitting
    }

    fn of(&self) -> String {
        format!("FROM pg_stat_activity WHERE usename = 'webapp' AND datname = '{}'", self.database)
    }

    fn count(&self) -> String {
        self.cluster.sql("postgres", &format!("SELECT count(*) {}", self.of()))
    }

    fn up(mut self) {
        self.cluster.sql("postgres", &format!("SELECT pg_terminate_backend(pid, 5000) {}", self.of()));
        let _ = self.psql.wait();
    }
}

/// A run that leaves what it loaded beside the live database; its name.
fn left_aside(shop: &mut Shop<'_>) -> String {
    shop.lab.config(&format!("{}\n[publish]\nmode = \"none\"\n", super::POLICY));
    let ran = shop.lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    shop.lab.config(super::POLICY);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
    document["aside"].as_str().expect("the database aside").to_owned()
}

#[test]
fn autovacuum_in_a_database_that_goes_is_in_nobodys_way() {
    // So slow that it does not end by itself.
    let pair = without_the_right(&[
        "autovacuum_naptime = 1s",
        "autovacuum_max_workers = 8",
        "autovacuum_vacuum_cost_delay = 100ms",
        "autovacuum_vacuum_cost_limit = 1",
    ]);
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "autovacuum"), ROWS);
    let aside = left_aside(&mut shop);
    pair.target.sql(
        &aside,
        "CREATE TABLE work AS SELECT i, repeat('x', 500) AS filler FROM generate_series(1, 20000) i;
         DELETE FROM work WHERE i % 2 = 0;",
    );
    pair.target.sql("postgres", "ALTER SYSTEM SET autovacuum = on; SELECT pg_reload_conf();");
    let at_work = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{aside}' AND query LIKE 'autovacuum: VACUUM%public.work%'"
    );
    eventually("beside autovacuum", "it is at work", || match pair.target.sql("postgres", &at_work).as_str() {
        "0" => Err("it is not".to_owned()),
        _ => Ok(()),
    });
    // What dropping it asks for that ends sessions by force: a right of superusers.
    let forced = pair.target.try_sql("restage", "postgres", &format!("DROP DATABASE \"{aside}\" WITH (FORCE)"));
    assert!(forced.is_err(), "autovacuum is in nobody's way at all");
    shop.next();
    shop.recovers("after autovacuum in what was left aside");
    assert!(!pair.target.databases().contains(&aside));
}

#[test]
fn left_over_that_cannot_be_dropped_is_told_and_ends_no_run() {
    let pair = without_the_right(&[]);
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "stuck"), ROWS);
    let aside = left_aside(&mut shop);
    let somebody = Sitting::down(&pair.target, &aside);
    let new = shop.next();
    let ran = shop.lab.restage(&["refresh", "--cron"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for told in ["user webapp", "GRANT pg_signal_backend TO \"restage\";", &format!("DROP DATABASE \"{aside}\";")] {
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
    shop.holds(new, "beside a database that stays");
    assert!(pair.target.databases().contains(&aside));
    assert_eq!(somebody.count(), "1", "nobody else's session was ended");
    somebody.up();
    shop.next();
    shop.recovers("after a database that stayed");
}

#[test]
fn earlier_release_that_cannot_be_dropped_is_told_and_goes_the_next_night() {
    let pair = without_the_right(&[]);
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "stays"), ROWS);
    let earlier = format!("SELECT datname FROM pg_database WHERE datname LIKE '{}\\_\\_prev%'", shop.lab.name);
    let earlier = pair.target.sql("postgres", &earlier);
    pair.target.sql("postgres", &format!("ALTER DATABASE \"{earlier}\" ALLOW_CONNECTIONS true"));
    let somebody = Sitting::down(&pair.target, &earlier);
    let new = shop.next();
    let ran = shop.lab.restage(&["refresh"]);
    assert_eq!(ran.code, 8, "{ran:?}");
    for told in ["target::not-dropped", "GRANT pg_signal_backend TO", &format!("DROP DATABASE \"{earlier}\";")] {
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
    shop.holds(new, "beside an earlier release that stays");
    somebody.up();
    shop.next();
    shop.recovers("after an earlier release that stayed");
}

#[test]
fn as_many_earlier_releases_are_kept_as_asked() {
    let mut shop = Shop::open(Lab::new("retention"), ROWS);
    for (keep, runs) in [(2, 3), (1, 1), (0, 1)] {
        shop.lab.config_with("", &format!("keep = {keep}"), super::POLICY);
        for _ in 0..runs {
            shop.next();
            shop.lab.refresh();
        }
        shop.holds(shop.release, "with retention");
        shop.nothing_left(keep, &format!("keep = {keep}"));
        for earlier in shop.lab.databases().iter().filter(|name| **name != shop.lab.name) {
            let open = shop
                .lab
                .target
                .sql("postgres", &format!("SELECT datallowconn FROM pg_database WHERE datname = '{earlier}'"));
            assert_eq!(open, "f", "{earlier} is closed for connections");
        }
        if keep == 2 {
            // Back twice: the newest of the two first.
            for back in [1, 2] {
                let listed = format!(
                    "SELECT datname FROM pg_database WHERE datname LIKE '{}\\_\\_prev%' ORDER BY oid LIMIT 1",
                    shop.lab.name
                );
                let oldest = shop.lab.target.sql("postgres", &listed);
                let to = oldest.rsplit("__prev_").next().expect("a release");
                let args: &[&str] = if back == 1 { &["rollback", "--yes"] } else { &["rollback", "--yes", "--to", to] };
                let ran = shop.lab.restage(args);
                assert_eq!(ran.code, 0, "{ran:?}");
                shop.holds(shop.release - back, "rolled back");
            }
        }
    }
    let ran = shop.lab.restage(&["rollback", "--yes"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("publish::no-release"), "{}", ran.stderr);
}

#[test]
fn release_that_served_last_is_kept_and_brought_back() {
    let mut shop = Shop::open(Lab::new("served_last"), ROWS);
    let back = shop.lab.restage(&["rollback", "--yes"]);
    assert_eq!(back.code, 0, "{back:?}");
    shop.holds(1, "rolled back");
    let new = shop.next();
    let ran = shop.lab.refresh();
    assert!(ran.stdout.contains("is kept") && ran.stdout.contains("restage rollback"), "{}", ran.stdout);
    shop.holds(new, "after a refresh that followed a rollback");
    shop.nothing_left(1, "after a refresh that followed a rollback");
    let back = shop.lab.restage(&["rollback", "--yes"]);
    assert_eq!(back.code, 0, "{back:?}");
    shop.holds(1, "rolled back again");
    // And forward: what served last is the newest one now.
    let forward = shop.lab.restage(&["rollback", "--yes"]);
    assert_eq!(forward.code, 0, "{forward:?}");
    shop.holds(new, "rolled forward");
}

#[test]
fn rollback_without_a_live_database_offers_no_way_back_to_it() {
    let shop = Shop::open(Lab::new("none_serving"), ROWS);
    let name = &shop.lab.name;
    shop.lab.target.sql("postgres", &format!("DROP DATABASE \"{name}\""));
    let ran = shop.lab.restage(&["rollback", "--yes"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    shop.holds(1, "rolled back to the only release");
    assert!(!ran.stdout.contains("go back") && !ran.stdout.contains("kept"), "{}", ran.stdout);
}

#[test]
fn database_with_rows_of_its_own_is_kept_as_the_first_release() {
    let lab = Lab::new("inherited");
    let name = lab.name.clone();
    lab.target.sql("postgres", &format!("DROP DATABASE \"{name}\""));
    lab.target.sql("postgres", &format!("CREATE DATABASE \"{name}\" OWNER restage"));
    lab.staging("CREATE TABLE by_hand AS SELECT 1 AS one");
    let marked = lab.restage(&["init-target", "--yes"]);
    assert_eq!(marked.code, 0, "{marked:?}");
    lab.config_with("", "keep = 5", super::POLICY);
    lab.seed("CREATE TABLE marker (one bool PRIMARY KEY)");
    lab.config_with("", "keep = 5", "[tables.\"public.*\"]\ndefault = \"keep\"\n");
    for releases in 1..=3 {
        lab.refresh();
        assert_eq!(lab.databases().len(), releases + 1, "the database of before and every release are kept");
    }
    // The oldest, and forward again: its name is its own whoever replaced it.
    let oldest = lab
        .target
        .sql("postgres", &format!("SELECT datname FROM pg_database WHERE datname LIKE '{name}\\_\\_prev\\_%\\_0000'"));
    assert!(!oldest.is_empty(), "{:?}", lab.databases());
    let to = oldest.rsplit("__prev_").next().expect("a release").to_owned();
    let ran = lab.restage(&["rollback", "--yes", "--to", &to]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lab.staging("SELECT one FROM by_hand"), "1");
    lab.refresh();
    let ran = lab.restage(&["rollback", "--yes", "--to", &to]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lab.staging("SELECT one FROM by_hand"), "1");
}

#[test]
fn without_publishing_the_loaded_database_waits_aside() {
    let mut shop = Shop::open(Lab::new("aside"), ROWS);
    shop.lab.config(&format!("{}\n[publish]\nmode = \"none\"\n", super::POLICY));
    let new = shop.next();
    let ran = shop.lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
    let aside = document["aside"].as_str().expect("the database aside").to_owned();
    assert_eq!(shop.lab.target.sql(&aside, "SELECT release FROM marker"), new.to_string());
    shop.holds(new - 1, "without publishing");
    shop.lab.config(super::POLICY);
    shop.recovers("after a run that did not publish");
}

#[test]
fn dry_run_leaves_nothing() {
    let mut shop = Shop::open(Lab::new("dry"), ROWS);
    let before = shop.lab.databases();
    let new = shop.next();
    let ran = shop.lab.restage(&["refresh", "--dry-run"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(shop.lab.databases(), before);
    shop.holds(new - 1, "after a dry run");
    shop.nothing_left(1, "after a dry run");
}

#[test]
fn second_refresh_of_a_target_is_busy_and_disturbs_nothing() {
    let mut shop = Shop::open(Lab::new("busy"), 20_000);
    shop.lab.config_with("rate_max = \"500KiB/s\"", "", super::POLICY);
    let new = shop.next();
    let mut first = shop.spawn();
    let aside = format!("SELECT 1 FROM pg_database WHERE datname ~ '^{}__2' AND datallowconn", shop.lab.name);
    let seen = while_running(&mut first, || (shop.lab.target.sql("postgres", &aside) == "1").then_some(()));
    assert!(seen.is_some(), "the first run was never seen loading");
    let second = shop.lab.restage(&["refresh"]);
    assert_eq!(second.code, 7, "{second:?}");
    assert!(second.stderr.contains("target::busy"), "{}", second.stderr);
    let rollback = shop.lab.restage(&["rollback", "--yes"]);
    assert_eq!(rollback.code, 7, "{rollback:?}");
    assert!(first.try_wait().expect("a child").is_none(), "the first run still loads");
    let first = ended(first);
    assert_eq!(first.code, 0, "{first:?}");
    shop.holds(new, "after two runs");
    shop.nothing_left(1, "after two runs");
}

/// A template cannot be dropped, and what was one stays one when it leaves service.
#[test]
fn a_staging_that_is_a_template_is_followed_by_one_and_dropped_in_time() {
    let lab = Lab::new("template");
    lab.seed("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    lab.config(KEEP_ALL);
    lab.refresh();
    let name = &lab.name;
    lab.target.sql("postgres", &format!("ALTER DATABASE \"{name}\" IS_TEMPLATE true"));
    let all = format!("SELECT count(*), bool_and(datistemplate) FROM pg_database WHERE starts_with(datname, '{name}')");
    for _ in 0..3 {
        lab.refresh();
        let live = format!("SELECT datistemplate FROM pg_database WHERE datname = '{name}'");
        assert_eq!(lab.target.sql("postgres", &live), "t");
        assert_eq!(lab.target.sql("postgres", &all), "2|t", "the live one and the one that is kept");
    }
    // Once it is none any more, those that were go all the same.
    lab.target.sql("postgres", &format!("ALTER DATABASE \"{name}\" IS_TEMPLATE false"));
    lab.refresh();
    lab.refresh();
    assert_eq!(lab.target.sql("postgres", &all), "2|f");
}

#[test]
fn settings_rights_and_words_of_the_live_database_follow() {
    let mut shop = Shop::open(Lab::new("settings"), ROWS);
    let name = shop.lab.name.clone();
    let (team, guest) = (format!("team_{name}"), format!("guest_{name}"));
    shop.lab.target.sql(
        "postgres",
        &format!(
            "CREATE ROLE {team}; CREATE ROLE {guest}; GRANT {team} TO restage;
             ALTER DATABASE \"{name}\" SET work_mem = '7MB';
             ALTER DATABASE \"{name}\" SET search_path = \"my schema\", public;
             ALTER DATABASE \"{name}\" SET DateStyle = 'ISO, DMY';
             ALTER DATABASE \"{name}\" SET application_name = 'it''s = fine';
             ALTER DATABASE \"{name}\" CONNECTION LIMIT 17;
             REVOKE ALL ON DATABASE \"{name}\" FROM PUBLIC;
             GRANT CONNECT, TEMPORARY ON DATABASE \"{name}\" TO {guest};
             ALTER DATABASE \"{name}\" OWNER TO {team};
             DO $$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS %L', '{name}', E'asked for by payments\\n' ||
               (SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name}')); END $$"
        ),
    );
    let look = format!(
        "SELECT pg_get_userbyid(datdba), datconnlimit, (SELECT string_agg(a::text, ' ' ORDER BY a::text) FROM unnest(datacl) a),
         (SELECT string_agg(s, ' ' ORDER BY s) FROM pg_db_role_setting, unnest(setconfig) s WHERE setdatabase = d.oid)
         FROM pg_database d WHERE datname = '{name}'"
    );
    let before = shop.lab.target.sql("postgres", &look);
    assert!(before.contains(&team) && before.contains("|17|") && before.contains("my schema"), "{before}");
    for _ in 0..2 {
        let new = shop.next();
        let ran = shop.lab.refresh();
        assert!(!ran.stdout.contains("could not be copied") && !ran.stderr.contains("could not be copied"), "{ran:?}");
        shop.holds(new, "with settings");
        assert_eq!(shop.lab.target.sql("postgres", &look), before);
        let comment = shop.lab.target.sql(
            "postgres",
            &format!("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '{name}'"),
        );
        let lines: Vec<&str> = comment.lines().collect();
        assert_eq!(lines.len(), 3, "{comment}");
        assert!(lines[0].starts_with("masked copy of ") && lines[1] == "asked for by payments", "{comment}");
    }
    assert_eq!(shop.lab.staging("SHOW work_mem"), "7MB");

    // A staging that is read-only for its users is written by its refresh all the same.
    let gate = "[[verify.sql]]\nname = \"rows\"\nquery = \"select count(*) from public.people\"\nequals = 200\n\
                at = \"after-publish\"\n";
    shop.lab.config(&format!("{}\n{gate}", super::POLICY));
    shop.lab.target.sql("postgres", &format!("ALTER DATABASE \"{name}\" SET default_transaction_read_only = on"));
    let before = shop.lab.target.sql("postgres", &look);
    let ran = shop.lab.refresh();
    assert!(!ran.stderr.contains("does not say"), "{}", ran.stderr);
    assert_eq!(shop.lab.staging("SELECT manifest IS NOT NULL FROM restage.run"), "t");
    assert_eq!(shop.lab.staging("SHOW default_transaction_read_only"), "on");

    // Only a superuser may set what no extension knows: that is told, and the rest follows.
    shop.lab.target.sql("postgres", &format!("ALTER DATABASE \"{name}\" SET \"app.greeting\" = 'hello'"));
    let ran = shop.lab.refresh();
    assert!(ran.stderr.contains("could not be copied") && ran.stderr.contains("greeting"), "{ran:?}");
    assert_eq!(shop.lab.target.sql("postgres", &look), before);
}
