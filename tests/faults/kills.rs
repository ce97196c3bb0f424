//! `kill -9` of everything that takes part in a refresh, at random moments.
//!
//! Whatever dies, staging serves the whole old release or the whole new one, the exit code says which, the next run
//! succeeds, and nothing is left over. `RESTAGE_FAULTS=20` kills each at twenty moments.

use super::{Moment, Pair, Shop, ended, eventually, moments, ready, while_running};
use crate::support::{Cluster, Lab, Ran};
use rustix::process::{Pid, Signal, kill_process};
use std::process::Child;
use std::time::{Duration, Instant};

const ROWS: u32 = 24_000;
/// Keeps the load of a shop busy for about a second, most of it with rows still on their way out of the source.
const SLOW: &str = "rate_max = \"4500KiB/s\"";

fn sleep_until(started: Instant, at: Duration) {
    std::thread::sleep(at.saturating_sub(started.elapsed()));
}

/// Kills one of the backends that `sql` lists, as soon as there is one; none if the run ended before.
fn kill_one_of(child: &mut Child, cluster: &Cluster, sql: &str, choice: f64) -> Option<String> {
    let killed = while_running(child, || {
        let pids = cluster.try_sql("postgres", "postgres", sql).ok()?;
        let pids: Vec<&str> = pids.lines().collect();
        let pid = pids.get((choice * pids.len() as f64) as usize)?;
        let number = pid.trim().parse().ok().and_then(Pid::from_raw).expect("a process id");
        // It may have ended by itself a moment ago; then another one is taken.
        kill_process(number, Signal::KILL).ok()?;
        Some((*pid).to_owned())
    })?;
    // The server goes on for a moment before it notices, and only then is it down.
    let noticed = format!("(PID {killed}) was terminated by signal 9");
    eventually("after a kill", "the server notices", || {
        if cluster.log().contains(&noticed) { Ok(()) } else { Err(noticed.clone()) }
    });
    Some(killed)
}

/// The exit code tells which release serves: the new one after 0 and 8, the old one after every other.
fn judge(shop: &Shop<'_>, ran: &Ran, failures: &[i32], moment: &Moment) {
    let when = &moment.when;
    let told = || format!("{when}\n{}\n{}", ran.stdout, ran.stderr);
    let serving = shop.serving(&told());
    match ran.code {
        0 | 8 => assert_eq!(serving, shop.release, "exit {}: {}", ran.code, told()),
        code => {
            assert!(failures.contains(&code), "exit {code}: {}", told());
            if !ran.stderr.contains("target::unsettled") {
                assert_eq!(serving, shop.before, "exit {code}: {}", told());
            }
            assert!(ran.stderr.contains("error[") && ran.stderr.contains("state:"), "{}", told());
        }
    }
}

fn recovered(shop: &Shop<'_>, moment: &Moment) {
    shop.recovers(&moment.when);
    shop.servers_are_clean(&moment.when);
}

#[test]
fn killed_restage_leaves_a_whole_release_and_nothing_else() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "killed"), ROWS);
    let run = shop.duration();
    for moment in moments("restage", 20, run) {
        let new = shop.next();
        let started = Instant::now();
        let mut child = shop.spawn();
        sleep_until(started, moment.at);
        child.kill().expect("kill");
        let _ = ended(child);
        let serving = shop.serving(&moment.when);
        assert!(serving == shop.before || serving == new, "{}", moment.when);
        recovered(&shop, &moment);
    }
}

#[test]
fn killed_target_backend_leaves_a_whole_release() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "backend"), ROWS);
    let run = shop.duration();
    for moment in moments("a backend of the target", 4, run) {
        shop.next();
        let started = Instant::now();
        let mut child = shop.spawn();
        sleep_until(started, moment.at);
        let ours = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'restage/%' ORDER BY backend_start";
        kill_one_of(&mut child, shop.lab.target, ours, moment.choice);
        judge(&shop, &ended(child), &[5], &moment);
        recovered(&shop, &moment);
    }
}

#[test]
fn killed_target_server_leaves_a_whole_release() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "server"), ROWS);
    let run = shop.duration();
    for moment in moments("the server of the target", 4, run) {
        shop.next();
        let started = Instant::now();
        let child = shop.spawn();
        sleep_until(started, moment.at);
        shop.lab.target.stop("immediate");
        // Back at once, or not before the run has noticed.
        let late = moment.number % 4 == 3;
        if !late {
            shop.lab.target.boot();
        }
        let ran = ended(child);
        if late {
            shop.lab.target.boot();
        }
        judge(&shop, &ran, &[5], &moment);
        recovered(&shop, &moment);
    }
}

#[test]
fn killed_source_backend_leaves_a_whole_release() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "worker"), ROWS);
    let run = shop.duration();
    for moment in moments("a backend of the source", 4, run) {
        shop.next();
        let started = Instant::now();
        let mut child = shop.spawn();
        sleep_until(started, moment.at);
        let ours = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'restage/%' ORDER BY backend_start";
        kill_one_of(&mut child, shop.lab.source, ours, moment.choice);
        judge(&shop, &ended(child), &[4], &moment);
        recovered(&shop, &moment);
    }
}

const WORKERS: &str = "application_name LIKE 'restage/%' AND state = 'active' AND query LIKE 'COPY %'";
/// Readers that have nothing to read wait in a transaction too, behind their savepoint.
const KEEPERS: &str = "application_name LIKE 'restage/%' AND state = 'idle in transaction' AND \
     query NOT LIKE '%restage_chunk%' AND query NOT LIKE 'COPY %'";

/// Starts a slow refresh and waits until both keepers stand and rows flow, and then until a random moment of the load.
fn loading(shop: &Shop<'_>, moment: &Moment) -> Child {
    let mut child = shop.spawn();
    let flowing = while_running(&mut child, || {
        let count = |condition| format!("(SELECT count(*) FROM pg_stat_activity WHERE {condition})");
        let sql = format!("SELECT {} = 2 AND {} > 0", count(KEEPERS), count(WORKERS));
        (shop.lab.source.sql("postgres", &sql) == "t").then_some(())
    });
    assert!(flowing.is_some(), "the load was never seen: {:?}", ended(child));
    std::thread::sleep(moment.at);
    child
}

#[test]
fn killed_keeper_leaves_a_whole_release() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "keeper"), ROWS);
    for moment in moments("a keeper", 4, Duration::from_millis(600)) {
        shop.lab.config_with(SLOW, "", super::POLICY);
        shop.next();
        let mut child = loading(&shop, &moment);
        let keepers = format!("SELECT pid FROM pg_stat_activity WHERE {KEEPERS} ORDER BY backend_start");
        let killed = kill_one_of(&mut child, shop.lab.source, &keepers, moment.choice);
        let ran = ended(child);
        // The server ends all other sessions too when one dies like this, the second keeper among them.
        assert!(killed.is_none() || ran.code == 4, "{}: {ran:?}", moment.when);
        judge(&shop, &ran, &[4], &moment);
        shop.lab.config(super::POLICY);
        recovered(&shop, &moment);
    }
}

/// Ends sessions as a DBA or a standby's conflict does; the rest of the server goes on.
fn terminate(cluster: &Cluster, condition: &str, limit: u32) -> String {
    cluster.sql(
        "postgres",
        &format!(
            "SELECT count(*) FROM (SELECT pg_terminate_backend(pid) FROM \
             (SELECT pid FROM pg_stat_activity WHERE {condition} ORDER BY random() LIMIT {limit}) chosen) ended"
        ),
    )
}

#[test]
fn ended_worker_or_keeper_is_replaced_and_two_keepers_are_the_snapshot() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "ended"), ROWS);
    shop.lab.config_with(SLOW, "", super::POLICY);
    for moment in moments("one session of the source", 4, Duration::from_millis(600)) {
        let new = shop.next();
        let mut child = loading(&shop, &moment);
        let condition = if moment.number % 2 == 0 { WORKERS } else { KEEPERS };
        let ended_one = while_running(&mut child, || (terminate(shop.lab.source, condition, 1) == "1").then_some(()));
        let ran = ended(child);
        assert!(ended_one.is_some(), "{}: nothing to end", moment.when);
        assert_eq!(ran.code, 0, "{}\n{}", moment.when, ran.stderr);
        shop.holds(new, &moment.when);
        shop.nothing_left(1, &moment.when);
        shop.servers_are_clean(&moment.when);
    }
    for moment in moments("both keepers", 2, Duration::from_millis(400)) {
        shop.next();
        let child = loading(&shop, &moment);
        assert_eq!(terminate(shop.lab.source, KEEPERS, 2), "2", "{}", moment.when);
        let ran = ended(child);
        assert_eq!(ran.code, 4, "{}\n{}", moment.when, ran.stderr);
        assert!(ran.stderr.contains("source::snapshot-lost"), "{}\n{}", moment.when, ran.stderr);
        shop.holds(shop.before, &moment.when);
        shop.nothing_left(1, &moment.when);
        recovered(&shop, &moment);
    }
}

#[test]
fn a_loading_session_that_is_ended_at_the_target_is_replaced() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "loader"), ROWS);
    shop.lab.config_with(SLOW, "", super::POLICY);
    for moment in moments("a loading session", 3, Duration::from_millis(600)) {
        let new = shop.next();
        let mut child = loading(&shop, &moment);
        let copying = "application_name LIKE 'restage/%' AND query LIKE 'COPY %' AND state = 'active'";
        let ended_one = while_running(&mut child, || (terminate(shop.lab.target, copying, 1) == "1").then_some(()));
        let ran = ended(child);
        assert!(ended_one.is_some(), "{}: nothing to end", moment.when);
        assert_eq!(ran.code, 0, "{}\n{}", moment.when, ran.stderr);
        shop.holds(new, &moment.when);
        shop.nothing_left(1, &moment.when);
    }
}

/// Commits of a load are asynchronous: a server that crashed may have lost one whose answer we have. So the run must not
/// go on with what it believes to be there.
#[test]
fn a_run_that_lost_its_lock_does_not_publish() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "lockless"), ROWS);
    shop.lab.config_with(SLOW, "", super::POLICY);
    let moment = moments("the session with the lock", 1, Duration::from_millis(300)).remove(0);
    shop.next();
    let child = loading(&shop, &moment);
    let holder = "application_name LIKE 'restage/%' AND pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')";
    assert_eq!(terminate(shop.lab.target, holder, 1), "1");
    let ran = ended(child);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("target::connection-lost"), "{}", ran.stderr);
    shop.holds(shop.before, &moment.when);
    shop.lab.config(super::POLICY);
    recovered(&shop, &moment);
}

/// A server that may write no file larger than 16 MiB: what a full disk looks like to it, as far as that can be had
/// without a file system of one's own.
#[test]
fn target_that_cannot_extend_a_file_keeps_the_old_release() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "full"), 100);
    shop.lab.seed(
        "CREATE TABLE big (id int PRIMARY KEY, filler text);
         ALTER TABLE big ALTER filler SET STORAGE plain;
         INSERT INTO big SELECT i, repeat(md5(i::text), 30) FROM generate_series(1, 24000) i",
    );
    pair.target.stop("fast");
    let start = pair.target.server("pg_ctl");
    let words: Vec<String> = std::iter::once(start.get_program())
        .chain(start.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    crate::support::run(std::process::Command::new("bash").current_dir("/").args([
        "-c",
        &format!(
            "ulimit -f 16384; exec {} -D '{}' -w -l /dev/null start",
            words.join(" "),
            pair.target.data().display()
        ),
    ]));
    let ran = shop.lab.restage(&["refresh"]);
    assert_eq!(ran.code, 5, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stderr.contains("public.big"), "{}", ran.stderr);
    shop.holds(shop.release, "after a full disk");
    shop.nothing_left(1, "after a full disk");
    pair.target.stop("fast");
    pair.target.boot();
    ready(&pair.target);
    shop.next();
    shop.recovers("after a full disk");
}

#[test]
fn crash_in_publish_leaves_the_old_release_and_the_run_says_so() {
    let pair = Pair::start();
    let mut shop = Shop::open(Lab::on(&pair.source, &pair.target, "swap"), 200);
    for what in ["restage", "the server", "the session that swaps"] {
        shop.next();
        // Makes the swap wait: the target role may not end a superuser's session.
        let mut blocker = shop
            .lab
            .target
            .client("psql", "postgres", &shop.lab.name)
            .args(["-XqAt", "-c", "SELECT pg_sleep(60)"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("psql");
        let mut child = shop.spawn();
        let swapping = "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'BEGIN;%RENAME TO%' \
                        AND application_name LIKE 'restage/%'";
        let seen = while_running(&mut child, || (!shop.lab.target.sql("postgres", swapping).is_empty()).then_some(()));
        assert!(seen.is_some(), "{what}: the swap was never seen: {:?}", ended(child));
        match what {
            "restage" => child.kill().expect("kill"),
            "the server" => {
                shop.lab.target.stop("immediate");
                shop.lab.target.boot();
            }
            _ => assert!(kill_one_of(&mut child, shop.lab.target, swapping, 0.0).is_some()),
        }
        let ran = ended(child);
        if what != "restage" {
            assert_eq!(ran.code, 5, "{what}: {ran:?}");
            assert!(ran.stderr.contains("serves as before"), "{what}: {}", ran.stderr);
        }
        ready(&pair.target);
        // The orphaned swap ends by itself while the blocker still stands.
        shop.servers_are_clean(what);
        shop.holds(shop.before, what);
        let _ = pair.target.try_sql(
            "postgres",
            "postgres",
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND pid <> pg_backend_pid()",
        );
        let _ = blocker.kill();
        let _ = blocker.wait();
        shop.recovers(what);
        shop.servers_are_clean(what);
    }
}
