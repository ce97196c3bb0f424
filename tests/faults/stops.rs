//! Runs that are told to stop, or that stop themselves: signals in every phase, hooks that fail, gates that do not hold.

use super::{Shop, ended, eventually, moments, while_running};
use crate::support::{Lab, Ran};
use rustix::process::{Pid, Signal, kill_process};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const ROWS: u32 = 200;

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id")).expect("a process id");
    kill_process(pid, signal).expect("the child lives");
}

/// An executable script in the lab's folder.
fn script(shop: &Shop<'_>, name: &str, body: &str) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = shop.lab.path(name);
    std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("write");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    path
}

fn hook(at: &str, program: &std::path::Path) -> String {
    format!("[[hook]]\nat = \"{at}\"\ncommand = [\"{}\"]\n", program.display())
}

/// The run ended as a signal asks: exit code, old release, nothing left.
fn stopped(shop: &Shop<'_>, ran: &Ran, code: i32, when: &str) {
    assert_eq!(ran.code, code, "{when}\n{}\n{}", ran.stdout, ran.stderr);
    shop.holds(shop.before, when);
    shop.nothing_left(1, when);
}

/// Waits for `seen` on a server, sends a signal, and expects a clean end within seconds.
fn stop_when(shop: &mut Shop<'_>, when: &str, at_target: bool, seen: &str, how: Signal) {
    shop.next();
    let mut child = shop.spawn();
    let cluster = if at_target { shop.lab.target } else { shop.lab.source };
    let there = while_running(&mut child, || (!cluster.sql("postgres", seen).is_empty()).then_some(()));
    assert!(there.is_some(), "{when}: never seen: {:?}", ended(child));
    signal(&child, how);
    let started = Instant::now();
    if how == Signal::HUP {
        // A terminal that closes is told of twice, by the shell and by the system.
        std::thread::sleep(Duration::from_millis(20));
        signal(&child, how);
    }
    let ran = ended(child);
    assert!(started.elapsed() < Duration::from_secs(8), "{when}: stopping took {:?}", started.elapsed());
    let code = match how {
        Signal::TERM => 143,
        Signal::HUP => 129,
        _ => 130,
    };
    stopped(shop, &ran, code, when);
}

/// A backend of this lab's run in state `state` with a query like `query`.
fn activity(shop: &Shop<'_>, query: &str) -> String {
    format!(
        "SELECT pid FROM pg_stat_activity WHERE datname LIKE '{}%' AND application_name LIKE 'restage/%' AND query LIKE '{query}'",
        shop.lab.name
    )
}

/// These tests run under `nohup`, or where nobody can tell, and so does what they start.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).map(str::trim);
    mask.and_then(|mask| u64::from_str_radix(mask, 16).ok()).is_none_or(|signals| signals & 1 != 0)
}

#[test]
fn signal_while_rows_are_loaded_leaves_nothing() {
    let mut shop = Shop::open(Lab::new("int_load"), 20_000);
    shop.lab.config_with("rate_max = \"500KiB/s\"", "", super::POLICY);
    for how in [Signal::INT, Signal::TERM, Signal::HUP] {
        if how == Signal::HUP && ignores_hangup() {
            continue;
        }
        let copying = activity(&shop, "COPY (SELECT%");
        stop_when(&mut shop, "during load", false, &copying, how);
    }
    shop.lab.config(super::POLICY);
    shop.recovers("after signals");
}

#[test]
fn run_under_nohup_outlives_its_terminal() {
    let mut shop = Shop::open(Lab::new("nohup"), 20_000);
    shop.lab.config_with("rate_max = \"500KiB/s\"", "", super::POLICY);
    let new = shop.next();
    let plain = shop.lab.command(&["refresh"]);
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
    command.env_clear().envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(plain.get_current_dir().expect("the lab's folder"));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("sh");
    let copying = activity(&shop, "COPY (SELECT%");
    let there = while_running(&mut child, || (!shop.lab.source.sql("postgres", &copying).is_empty()).then_some(()));
    assert!(there.is_some(), "never seen: {:?}", ended(child));
    signal(&child, Signal::HUP);
    let ran = ended(child);
    assert_eq!(ran.code, 0, "{ran:?}");
    shop.holds(new, "under nohup");
    shop.nothing_left(1, "under nohup");
}

#[test]
fn signal_while_the_source_is_planned_or_locked_leaves_nothing() {
    let mut shop = Shop::open(Lab::new("int_plan"), ROWS);
    let mut blocker = shop
        .lab
        .source
        .client("psql", "postgres", &shop.lab.name)
        .args(["-XqAt", "-c", "BEGIN; LOCK TABLE people IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(60)"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("psql");
    let held = format!(
        "SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND locktype = 'relation' \
         AND database = (SELECT oid FROM pg_database WHERE datname = '{}')",
        shop.lab.name
    );
    eventually("plan", "the table is locked", || {
        if shop.lab.source.sql("postgres", &held).is_empty() { Err("not yet".into()) } else { Ok(()) }
    });
    let mut child = shop.spawn();
    let waiting = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{}' AND wait_event_type = 'Lock' AND application_name LIKE 'restage/%'",
        shop.lab.name
    );
    let seen = while_running(&mut child, || (!shop.lab.source.sql("postgres", &waiting).is_empty()).then_some(()));
    assert!(seen.is_some(), "{:?}", ended(child));
    signal(&child, Signal::INT);
    let ran = ended(child);
    assert_eq!(ran.code, 130, "{ran:?}");
    shop.holds(shop.release, "during plan");
    shop.nothing_left(1, "during plan");
    blocker.kill().expect("kill");
    let _ = blocker.wait();
    shop.lab.source.sql(
        "postgres",
        &format!(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%pg_sleep%'",
            shop.lab.name
        ),
    );
    shop.next();
    shop.recovers("after a signal");
}

#[test]
fn signal_during_hooks_and_verification_leaves_nothing() {
    let mut shop = Shop::open(Lab::new("int_hook"), ROWS);
    let entered = shop.lab.path("entered");
    let slow = script(&shop, "slow", &format!("touch '{}'; exec sleep 60", entered.display()));
    for (at, how, code) in [
        ("before-load", Signal::INT, 130),
        ("after-load", Signal::TERM, 143),
        ("before-publish", Signal::INT, 130),
        ("before-publish", Signal::TERM, 143),
    ] {
        let _ = std::fs::remove_file(&entered);
        shop.lab.config(&format!("{}\n{}", super::POLICY, hook(at, &slow)));
        shop.next();
        let mut child = shop.spawn();
        let seen = while_running(&mut child, || entered.exists().then_some(()));
        assert!(seen.is_some(), "{at}: {:?}", ended(child));
        signal(&child, how);
        stopped(&shop, &ended(child), code, at);
    }
    shop.lab.config(&format!(
        "{}\n[verify]\nsql = [{{ name = \"slow\", query = \"select count(*) from pg_sleep(60)\", equals = 1 }}]\n",
        super::POLICY
    ));
    let sleeping = activity(&shop, "%pg_sleep(60)%");
    stop_when(&mut shop, "during verification", true, &sleeping, Signal::INT);
    shop.lab.config(super::POLICY);
    shop.recovers("after signals");
}

#[test]
fn signal_while_the_swap_waits_for_a_session_publishes_nothing() {
    let mut shop = Shop::open(Lab::new("int_swap"), ROWS);
    // A superuser's: the target role may not end it, so the swap waits for it.
    let mut session = shop
        .lab
        .target
        .client("psql", "postgres", &shop.lab.name)
        .args(["-XqAt", "-c", "SELECT pg_sleep(120)"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("psql");
    let sleeps = format!("FROM pg_stat_activity WHERE datname = '{}' AND query LIKE '%pg_sleep(120)%'", shop.lab.name);
    eventually("in the way", "somebody is connected", || {
        match shop.lab.target.sql("postgres", &format!("SELECT count(*) {sleeps}")).as_str() {
            "0" => Err("nobody".to_owned()),
            _ => Ok(()),
        }
    });
    let waits = format!(
        "SELECT pid FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'BEGIN; SET LOCAL lock_timeout%{}%'",
        shop.lab.name
    );
    for how in [Signal::INT, Signal::TERM] {
        stop_when(&mut shop, "while the swap waits", true, &waits, how);
    }
    let serving = shop.before;
    let mut child = shop.spawn_args(&["rollback", "--yes"]);
    let there = while_running(&mut child, || (!shop.lab.target.sql("postgres", &waits).is_empty()).then_some(()));
    assert!(there.is_some(), "rollback: never seen: {:?}", ended(child));
    signal(&child, Signal::INT);
    let ran = ended(child);
    assert_eq!(ran.code, 130, "{ran:?}");
    assert!(ran.stderr.contains("Nothing was changed"), "{}", ran.stderr);
    shop.holds(serving, "after a rollback that was stopped");
    shop.lab.target.sql("postgres", &format!("SELECT pg_terminate_backend(pid, 5000) {sleeps}"));
    let _ = session.wait();
    shop.next();
    shop.recovers("after signals while the swap waited");
}

#[test]
fn signal_while_an_index_is_built_leaves_nothing() {
    let mut shop = Shop::open(Lab::new("int_index"), ROWS);
    shop.lab.seed(
        "CREATE FUNCTION public.dawdle(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS \
         'BEGIN IF (SELECT count(*) > 0 FROM pg_catalog.pg_namespace WHERE nspname = ''restage'') THEN PERFORM pg_catalog.pg_sleep(0.1); END IF; RETURN $1; END';
         CREATE INDEX slow ON people (public.dawdle(id));",
    );
    let building = activity(&shop, "CREATE INDEX slow%");
    stop_when(&mut shop, "during index", true, &building, Signal::INT);
    stop_when(&mut shop, "during index", true, &building, Signal::TERM);
    shop.lab.source.sql(&shop.lab.name, "DROP INDEX slow");
    shop.next();
    shop.recovers("after signals");
}

#[test]
fn signal_at_any_moment_ends_in_a_whole_release() {
    let mut shop = Shop::open(Lab::new("int_any"), 5_000);
    let run = shop.duration();
    // The first moments are before the program listens: then it dies as by default, with nothing done.
    for moment in moments("a run interrupted, not", 6, run) {
        let new = shop.next();
        let mut child = shop.spawn();
        std::thread::sleep(moment.at);
        let how = if moment.number % 2 == 0 { Signal::INT } else { Signal::TERM };
        if child.try_wait().expect("a child").is_none() {
            signal(&child, how);
        }
        let ran = ended(child);
        let code = if how == Signal::TERM { 143 } else { 130 };
        match ran.code {
            0 => shop.holds(new, &moment.when),
            -1 => shop.holds(shop.before, &moment.when),
            other => {
                assert_eq!(other, code, "{}: {ran:?}", moment.when);
                shop.holds(shop.before, &moment.when);
            }
        }
        shop.nothing_left(1, &moment.when);
    }
    shop.next();
    shop.recovers("after signals");
}

#[test]
fn signal_during_a_hook_after_publishing_is_told_and_the_release_serves() {
    let mut shop = Shop::open(Lab::new("int_twice"), ROWS);
    let entered = shop.lab.path("entered");
    let slow = script(&shop, "slow", &format!("touch '{}'; exec sleep 60", entered.display()));
    shop.lab.config(&format!("{}\n{}", super::POLICY, hook("after-publish", &slow)));
    let new = shop.next();
    let mut child = shop.spawn();
    assert!(while_running(&mut child, || entered.exists().then_some(())).is_some());
    signal(&child, Signal::INT);
    let ran = ended(child);
    // Published before the signal came: that is told, and that a step after it did not end.
    assert_eq!(ran.code, 8, "{ran:?}");
    shop.holds(new, "interrupted after publishing");
    shop.lab.config(super::POLICY);
    shop.next();
    shop.recovers("interrupted after publishing");
}

#[test]
fn failing_hook_before_publishing_publishes_nothing() {
    let mut shop = Shop::open(Lab::new("hooks"), ROWS);
    let fails = script(&shop, "fails", "exit 3");
    std::fs::write(shop.lab.path("fails.sql"), "SELECT 1/0").expect("write");
    for at in ["before-load", "after-load", "before-publish"] {
        for body in [hook(at, &fails), format!("[[hook]]\nat = \"{at}\"\nsql = \"fails.sql\"\n")] {
            shop.lab.config(&format!("{}\n{body}", super::POLICY));
            shop.next();
            let ran = shop.lab.restage(&["refresh"]);
            assert_eq!(ran.code, 5, "{at}: {ran:?}");
            assert!(ran.stderr.contains("target::hook") && ran.stderr.contains("fails"), "{at}: {}", ran.stderr);
            assert!(ran.stderr.contains("Nothing was published"), "{at}: {}", ran.stderr);
            shop.holds(shop.before, at);
        }
    }
    shop.lab.config(super::POLICY);
    shop.recovers("after failing hooks");
}

#[test]
fn hook_that_outlives_its_timeout_fails() {
    let mut shop = Shop::open(Lab::new("hook_slow"), ROWS);
    let slow = script(&shop, "slow", "exec sleep 60");
    shop.lab.config(&format!("{}\n{}timeout = \"1s\"\n", super::POLICY, hook("after-load", &slow)));
    shop.next();
    let ran = shop.lab.restage(&["refresh"]);
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stderr.contains("timeout"), "{}", ran.stderr);
    shop.holds(shop.before, "after a slow hook");
    shop.nothing_left(1, "after a slow hook");
}

#[test]
fn failing_hook_after_publishing_is_told_and_the_release_serves() {
    let mut shop = Shop::open(Lab::new("hook_after"), ROWS);
    let fails = script(&shop, "fails", "exit 3");
    shop.lab.config(&format!("{}\n{}", super::POLICY, hook("after-publish", &fails)));
    let new = shop.next();
    let ran = shop.lab.restage(&["refresh"]);
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(
        ran.stderr.contains("target::hook") && ran.stderr.contains("is live with the new release"),
        "{}",
        ran.stderr
    );
    shop.holds(new, "after a failing hook");
    shop.nothing_left(1, "after a failing hook");
}

#[test]
fn hooks_work_in_the_loaded_database_and_see_no_environment() {
    let mut shop = Shop::open(Lab::new("hook_works"), ROWS);
    std::fs::write(
        shop.lab.path("account.sql"),
        "CREATE TABLE public.by_hook AS SELECT current_database()::text AS place",
    )
    .expect("write");
    let told = shop.lab.path("told");
    let tells = script(&shop, "tells", &format!("env | sort > '{}'", told.display()));
    shop.lab.config(&format!(
        "{}\n[[hook]]\nat = \"after-load\"\nsql = \"account.sql\"\n{}",
        super::POLICY,
        hook("before-publish", &tells)
    ));
    shop.next();
    let mut command = shop.lab.command(&["refresh"]);
    command.env("SECRET_OF_OURS", "canary");
    assert!(command.output().expect("restage runs").status.success());
    let place = shop.lab.staging("SELECT place FROM by_hook");
    assert!(place.starts_with(&format!("{}__2", shop.lab.name)), "{place}");
    let environment = std::fs::read_to_string(told).expect("the hook ran");
    assert!(environment.contains(&format!("RESTAGE_DATABASE={place}")), "{environment}");
    assert!(environment.contains("RESTAGE_RUN=") && !environment.contains("canary"), "{environment}");
}

#[test]
fn gate_that_does_not_hold_keeps_the_loaded_database_for_a_look() {
    let mut shop = Shop::open(Lab::new("gate"), ROWS);
    for query in ["select count(*) from public.people", "select 1 / (count(*) - count(*)) from public.people"] {
        shop.lab.config(&format!(
            "{}\n[verify]\nsql = [{{ name = \"nobody is here\", query = \"{query}\", equals = 0 }}]\n",
            super::POLICY
        ));
        let new = shop.next();
        let ran = shop.lab.restage(&["refresh"]);
        assert_eq!(ran.code, 6, "{ran:?}");
        assert!(ran.stderr.contains("verify::gate") && ran.stderr.contains("nobody is here"), "{}", ran.stderr);
        shop.holds(shop.before, "after a gate");
        let databases = shop.lab.databases();
        assert_eq!(
            databases.len(),
            3,
            "live, previous, and the one to look at; the earlier one is gone: {databases:?}"
        );
        let aside = databases.iter().find(|name| !name.contains("prev") && **name != shop.lab.name).expect("aside");
        assert!(ran.stderr.contains(aside.as_str()), "{}", ran.stderr);
        assert_eq!(shop.lab.target.sql(aside, "SELECT release FROM marker"), new.to_string());
    }
    shop.lab.config(super::POLICY);
    shop.recovers("after a gate");
}
