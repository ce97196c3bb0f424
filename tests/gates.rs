//! Gates as a promotion contract: what the user's queries and programs refuse is not published, or does not stay.

use crate::support::live::Running;
use crate::support::{Lab, Ran};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

const POLICY: &str = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n\n[tables.\"public.people\".columns]\n\
                      email = \"email\"\n\n";

/// A shop whose only row says how often production has changed.
struct Shop {
    lab: Lab<'static>,
    release: u32,
}

impl Shop {
    fn new(name: &str) -> Self {
        let lab = Lab::new(name);
        lab.seed(
            "CREATE TABLE marker (release int PRIMARY KEY); INSERT INTO marker VALUES (0); \
             CREATE TABLE people (id int PRIMARY KEY, email text); CREATE INDEX by_email ON people (email); \
             INSERT INTO people SELECT i, 'user' || i || '@acme.com' FROM generate_series(1, 20) i",
        );
        lab.config(POLICY);
        Self { lab, release: 0 }
    }

    /// With so many releases published: staging holds the last of them.
    fn published(name: &str, releases: u32) -> Self {
        let mut shop = Self::new(name);
        for _ in 0..releases {
            shop.next();
            shop.lab.refresh();
        }
        shop
    }

    fn next(&mut self) {
        self.release += 1;
        let sql = format!("UPDATE marker SET release = {}", self.release);
        self.lab.source.sql(&self.lab.name, &sql);
    }

    fn gates(&self, text: &str) {
        self.lab.config(&format!("{POLICY}{text}"));
    }

    /// An executable script in the folder of the configuration.
    fn script(&self, name: &str, body: &str) {
        let path = self.lab.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    }

    /// What applications read.
    #[track_caller]
    fn serves(&self, release: u32) {
        assert_eq!(self.lab.staging("SELECT release FROM marker"), release.to_string());
    }

    /// Changes production, refreshes, and expects this exit code.
    #[track_caller]
    fn run(&mut self, code: i32) -> Ran {
        self.next();
        let ran = self.lab.restage(&["refresh"]);
        assert_eq!(ran.code, code, "{ran:?}");
        ran
    }

    /// The report of the newest run.
    fn report(&self) -> Value {
        let folders = std::fs::read_dir(self.lab.path("restage-report")).expect("reports").flatten();
        // Runs of one second have no order in their names.
        let newest = folders.max_by_key(|entry| entry.metadata().and_then(|facts| facts.modified()).expect("a folder"));
        let text = std::fs::read_to_string(newest.expect("a report").path().join("report.json")).expect("a report");
        serde_json::from_str(&text).expect("a document")
    }

    /// Reads a database that is closed for connections.
    fn inside(&self, database: &str, sql: &str) -> String {
        let allow = |yes| format!("ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS {yes}");
        self.lab.target.sql("postgres", &allow(true));
        let found = self.lab.target.sql(database, sql);
        self.lab.target.sql("postgres", &allow(false));
        found
    }
}

fn gate<'v>(document: &'v Value, name: &str) -> &'v Value {
    let gates = document["gates"].as_array().expect("gates");
    gates.iter().find(|gate| gate["name"] == name).unwrap_or_else(|| panic!("no gate {name}: {gates:?}"))
}

fn command(name: &str, program: &str, rest: &str) -> String {
    format!("[[verify.command]]\nname = \"{name}\"\ncommand = [\"{program}\"]\n{rest}\n")
}

fn sql(name: &str, query: &str, rest: &str) -> String {
    format!("[[verify.sql]]\nname = \"{name}\"\nquery = \"{query}\"\n{rest}\n")
}

/// Whether a process is there and does something.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

#[track_caller]
fn ends(pid: &str) {
    let started = Instant::now();
    while lives(pid) {
        assert!(started.elapsed() < Duration::from_secs(10), "process {pid} lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_program_that_fails_publishes_nothing_and_tells_how_it_ended() {
    let mut shop = Shop::published("gate_command", 1);
    shop.gates(&command("smoke test", "./smoke.sh", ""));
    // It asks the loaded database, which holds the new release.
    let ask = "psql -XAtqc 'SELECT release FROM public.marker' > seen; env | sort > told; pwd > folder";
    shop.script("smoke.sh", &format!("{ask}; echo one; printf 'two \\033[31m\\r\\n\\n'; echo three >&2; exit 3"));
    let ran = shop.run(6);
    shop.serves(1);
    let read = |name: &str| std::fs::read_to_string(shop.lab.path(name)).expect("the program ran");
    assert_eq!(read("seen").trim(), "2");
    let told = read("told");
    assert!(told.contains(&format!("PGDATABASE={}__2", shop.lab.name)) && told.contains("RESTAGE_RUN=2"), "{told}");
    assert!(!told.contains("USER=t3ster"), "nothing else of our environment: {told}");
    let folder = shop.lab.path("seen").parent().expect("a folder").canonicalize().expect("it is there");
    assert_eq!(read("folder").trim(), folder.display().to_string());
    assert!(
        ran.stderr.contains("gate \"smoke test\" does not hold") && ran.stderr.contains("restage.toml:"),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("exit status 3: two / three") && ran.stderr.contains("is kept as"), "{ran:?}");
    let report = shop.report();
    assert_eq!((&report["verdict"], &report["exit"]), (&"not-published".into(), &6.into()));
    let found = gate(&report, "smoke test");
    assert_eq!(
        (&found["ok"], &found["severity"], &found["at"]),
        (&false.into(), &"fail".into(), &"before-publish".into())
    );
    assert_eq!(found["evidence"], "exit status 3: two / three");
    assert!(found["ms"].is_u64(), "{found}");

    // The twin: the same program, content with what it finds.
    shop.script("smoke.sh", &format!("{ask}; yes 0123456789 | head -30 | tr -d '\\n'"));
    shop.run(0);
    shop.serves(3);
    let report = shop.report();
    let evidence = gate(&report, "smoke test")["evidence"].as_str().expect("evidence");
    assert!(evidence.starts_with("exit status 0: 01234567890123") && evidence.ends_with('…'), "{evidence}");
    assert_eq!(evidence.chars().count(), "exit status 0: ".len() + 200);
    let kept = "SELECT count(*) FROM restage.run, jsonb_array_elements(gates) g WHERE g->>'name' = 'smoke test' AND (g->>'ok')::bool";
    assert_eq!(shop.lab.staging(kept), "1");
}

#[test]
fn a_program_that_takes_too_long_is_ended_with_all_it_started() {
    let mut shop = Shop::published("gate_timeout", 1);
    shop.gates(&command("slow", "./slow.sh", "timeout = \"1s\""));
    shop.script("slow.sh", "sleep 300 & echo $! > child; echo $$ > parent; echo waiting; wait");
    let started = Instant::now();
    let ran = shop.run(6);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    assert!(ran.stderr.contains("longer than its timeout of 1 s and was ended: waiting"), "{ran:?}");
    shop.serves(1);
    for name in ["child", "parent"] {
        ends(&std::fs::read_to_string(shop.lab.path(name)).expect("it ran"));
    }

    // A child that goes to the background with the output open holds nothing up.
    shop.script("slow.sh", "sleep 300 & echo $! > child; echo done");
    shop.run(0);
    shop.serves(3);
    assert_eq!(gate(&shop.report(), "slow")["evidence"], "exit status 0: done");
    let _ = std::process::Command::new("kill")
        .arg(std::fs::read_to_string(shop.lab.path("child")).expect("it ran").trim())
        .status();
}

#[test]
fn no_password_is_in_the_evidence_and_none_on_a_command_line() {
    let shop = Shop::published("gate_secret", 1);
    shop.gates(&command("chatty", "./chatty.sh", ""));
    shop.script("chatty.sh", "tr '\\0' ' ' < /proc/$$/cmdline > line; echo \"login $PGUSER $PGPASSWORD\"; exit 1");
    let mut asked = shop.lab.command(&["refresh", "--log-format", "json", "-vv"]);
    let output = asked.env("PGPASSWORD", "c4nary-passw0rd").output().expect("restage runs");
    assert_eq!(output.status.code(), Some(6), "{output:?}");
    assert_eq!(gate(&shop.report(), "chatty")["evidence"], "exit status 1: login restage …");
    let line = std::fs::read_to_string(shop.lab.path("line")).expect("it ran");
    let said =
        [line.into_bytes(), output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(said.iter().all(|text| !text.contains("c4nary")), "{said:?}");
}

#[test]
fn gates_that_warn_publish_and_are_told() {
    let mut shop = Shop::published("gate_warn", 1);
    let own =
        format!("{}{}", command("smoke", "./smoke.sh", ""), sql("nobody", "select count(*) from public.people", ""));
    // An index of the source that staging has not: the hook drops it.
    std::fs::write(shop.lab.path("drop.sql"), "DROP INDEX public.by_email").expect("write");
    let hook = "[[hook]]\nat = \"after-load\"\nsql = \"drop.sql\"\n";
    shop.script("smoke.sh", "echo it smokes; exit 1");
    for warn in ["[]", "[\"*moke\", \"nobody\"]", "[\"smoke\", \"nobod\", \"indexes\"]"] {
        shop.gates(&format!("[verify]\nwarn = {warn}\n{own}{hook}"));
        let ran = shop.run(6);
        shop.serves(1);
        let names = ["smoke", "nobody", "indexes"];
        let failing = names.iter().filter(|name| ran.stderr.contains(&format!("error[verify::gate]: gate \"{name}\"")));
        let spared = match warn {
            "[]" => 0,
            _ => 2,
        };
        assert_eq!(failing.count(), 3 - spared, "{warn}: {ran:?}");
        assert_eq!(ran.stderr.contains("\"nobod\" is about no gate of this run"), warn.contains("nobod\""), "{ran:?}");
    }
    shop.gates(&format!("[verify]\nwarn = [\"smoke\", \"nobody\", \"index*\", \"leak: *\"]\n{own}{hook}"));
    let ran = shop.run(0);
    shop.serves(5);
    for told in [
        "gate \"smoke\" does not hold: exit status 1: it smokes",
        "gate \"nobody\" does not hold: 20, expected 0",
        "gate \"indexes\" does not hold: missing: public.by_email",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
    let report = shop.report();
    assert_eq!(report["verdict"], "published");
    for name in ["smoke", "nobody", "indexes"] {
        let found = gate(&report, name);
        assert_eq!((&found["ok"], &found["severity"]), (&false.into(), &"warn".into()), "{found}");
    }
    // So says the gate itself, too.
    let own = format!(
        "{}{}",
        command("smoke", "./smoke.sh", "severity = \"warn\""),
        sql("none", "select 1", "severity = \"warn\"")
    );
    shop.gates(&own);
    let ran = shop.run(0);
    assert!(ran.stderr.contains("gate \"smoke\" does not hold") && ran.stderr.contains("gate \"none\""), "{ran:?}");
    shop.serves(6);
}

#[test]
fn a_failure_after_publishing_brings_the_release_before_back() {
    let mut shop = Shop::published("gate_back", 2);
    let name = shop.lab.name.clone();
    let before = shop.lab.staging("SELECT release FROM restage.run");
    // The hook comes first: without what it makes the gate would not see which database it is in.
    std::fs::write(shop.lab.path("hook.sql"), "CREATE TABLE public.hooked AS SELECT current_database()::text AS place")
        .expect("write");
    let hook = "[[hook]]\nat = \"after-publish\"\nsql = \"hook.sql\"\n";
    let asks = command("live", "./live.sh", "at = \"after-publish\"");
    let later = command("never asked", "./never.sh", "at = \"after-publish\"");
    shop.script(
        "live.sh",
        "psql -XAtqc 'SELECT place, release FROM public.hooked, public.marker' > seen; echo no; exit 4",
    );
    shop.script("never.sh", "touch asked");
    shop.gates(&format!("{asks}{later}{hook}"));
    let ran = shop.run(6);
    shop.serves(2);
    assert_eq!(std::fs::read_to_string(shop.lab.path("seen")).expect("it ran").trim(), format!("{name}|3"));
    assert!(!shop.lab.path("asked").exists(), "the first failure decides");
    let report = shop.report();
    let run = report["run"].as_str().expect("a run").to_owned();
    let kept = format!("{name}__prev_{run}");
    let state = format!("Rolled back: the release {before} of ");
    assert!(
        ran.stderr.contains(&state) && ran.stderr.contains(&format!("the failed one is kept as \"{kept}\"")),
        "{ran:?}"
    );
    assert!(ran.stderr.contains(&format!("restage rollback --to {run}")), "{ran:?}");
    assert!(ran.stdout.contains("Published and rolled back") && !ran.stdout.contains("go back"), "{ran:?}");
    assert_eq!(
        (&report["verdict"], &report["exit"], &report["published"]),
        (&"rolled-back".into(), &6.into(), &Value::Null)
    );
    assert_eq!(report["rolled_back"], kept);
    let found = gate(&report, "live");
    assert_eq!(
        (&found["ok"], &found["at"], &found["evidence"]),
        (&false.into(), &"after-publish".into(), &"exit status 4: no".into())
    );
    // The refused release is whole and says why it was refused.
    assert_eq!(shop.inside(&kept, "SELECT release FROM marker"), "3");
    let told = "SELECT g->>'evidence' FROM restage.run, jsonb_array_elements(gates) g WHERE g->>'name' = 'live'";
    assert_eq!(shop.inside(&kept, told), "exit status 4: no");
    // By hand it can serve all the same, and the other one is kept.
    assert_eq!(shop.lab.restage(&["rollback", "--yes", "--to", &run]).code, 0);
    shop.serves(3);
    assert_eq!(shop.lab.restage(&["rollback", "--yes"]).code, 0);
    shop.serves(2);

    // The twin: what holds stays, and of the releases before one is kept.
    shop.script("live.sh", "exit 0");
    let ran = shop.run(0);
    shop.serves(4);
    assert!(shop.lab.path("asked").exists() && ran.stderr.contains("2 gates hold in the live database"), "{ran:?}");
    assert_eq!(shop.lab.databases().len(), 2, "{:?}", shop.lab.databases());
    assert_eq!(
        shop.lab.staging(&format!(
            "SELECT jsonb_array_length(gates) = {} FROM restage.run",
            shop.report()["gates"].as_array().map_or(0, Vec::len)
        )),
        "t"
    );
    assert!(
        std::fs::read_dir(shop.lab.path("restage-report").join(shop.report()["run"].as_str().expect("a run")))
            .expect("a folder")
            .flatten()
            .any(|file| file.file_name() == "manifest.json")
    );

    // A query does so too; one that only warns does not.
    shop.gates(&sql("small", "select count(*) from public.people", "at = \"after-publish\""));
    let ran = shop.run(6);
    assert!(ran.stderr.contains("Rolled back: ") && ran.stderr.contains("20, expected 0"), "{ran:?}");
    shop.serves(4);
    shop.gates(&sql("small", "select count(*) from public.people", "at = \"after-publish\"\nseverity = \"warn\""));
    shop.run(0);
    shop.serves(6);
    shop.gates(&format!(
        "[verify]\nwarn = [\"small\"]\n{}",
        sql("small", "select count(*) from public.people", "at = \"after-publish\"")
    ));
    let ran = shop.run(0);
    assert!(ran.stderr.contains("gate \"small\" does not hold: 20, expected 0"), "{ran:?}");
    assert!(!ran.stderr.contains("is about no gate"), "{ran:?}");
    shop.serves(7);
}

#[test]
fn without_a_release_before_the_new_one_stays() {
    let mut shop = Shop::new("gate_first");
    shop.gates(&sql("never", "select 1", "at = \"after-publish\""));
    let ran = shop.run(8);
    shop.serves(1);
    assert!(ran.stderr.contains("is live with the new release: there is no earlier release"), "{ran:?}");
    assert!(ran.stderr.contains("gate \"never\" does not hold") && ran.stderr.contains("restage refresh"), "{ran:?}");
    assert_eq!(shop.report()["verdict"], "published-with-problems");
    assert_eq!(shop.lab.databases(), [shop.lab.name.clone()], "the empty database of init-target is no release");
}

#[test]
fn outside_its_window_a_failure_leaves_the_new_release_and_the_way_back() {
    let mut shop = Shop::published("gate_window", 1);
    let never = sql("never", "select 1", "at = \"after-publish\"");
    let late = sql("late", "select count(*) from pg_sleep(2)", "at = \"after-publish\"");
    for (within, gates, told) in
        [("0s", never, "is \\\"0s\\\""), ("1s", late, "later than the 1 s of `rollback_within`")]
    {
        // Nothing is to be kept, but a release that may have to come back is.
        let before = shop.release;
        shop.lab.config_with("", "keep = 0", &format!("{POLICY}[verify]\nrollback_within = \"{within}\"\n{gates}"));
        let ran = shop.run(8);
        shop.serves(shop.release);
        assert!(ran.stderr.contains(&told.replace('\\', "")), "{told}: {ran:?}");
        assert!(ran.stderr.contains("restage rollback     # brings the release before back"), "{ran:?}");
        assert_eq!(shop.lab.restage(&["rollback", "--yes"]).code, 0);
        shop.serves(before);
        shop.release = before;
    }
    // The twin in the window.
    shop.gates(&format!(
        "[verify]\nrollback_within = \"1m\"\n{}",
        sql("late", "select count(*) from pg_sleep(2)", "at = \"after-publish\"")
    ));
    shop.release = 10;
    shop.run(6);
    shop.serves(1);
}

#[test]
fn a_failing_hook_after_publishing_does_not_keep_the_gates_from_being_asked() {
    let mut shop = Shop::published("gate_hook", 1);
    let hook = "[[hook]]\nat = \"after-publish\"\ncommand = [\"false\"]\n";
    shop.gates(&format!("{}{hook}", sql("fine", "select 0", "at = \"after-publish\"")));
    shop.run(8);
    shop.serves(2);
    shop.gates(&format!("{}{hook}", sql("wrong", "select 1", "at = \"after-publish\"")));
    let ran = shop.run(6);
    shop.serves(2);
    assert!(ran.stderr.contains("target::hook") && !ran.stderr.contains("is live with the new release"), "{ran:?}");
}

#[test]
fn an_interrupt_while_what_is_live_is_judged_leaves_it_live() {
    let mut shop = Shop::published("gate_interrupt", 1);
    shop.gates(&command("slow", "./slow.sh", "at = \"after-publish\""));
    shop.script("slow.sh", "sleep 300 & echo $! > child.new; mv child.new child; wait");
    shop.next();
    let mut run = Running::start(&shop.lab, &["refresh"]);
    let child = shop.lab.path("child");
    run.until("the gate is asked", || child.exists());
    run.signal("INT");
    let ran = run.wait();
    assert_eq!(ran.code, 8, "{ran:?}");
    shop.serves(2);
    assert!(
        ran.stderr.contains("is live with the new release, and 0 of its gates after publishing were asked"),
        "{ran:?}"
    );
    assert!(
        ran.stderr.contains("restage verify     # asks them all") && ran.stderr.contains("restage rollback"),
        "{ran:?}"
    );
    ends(&std::fs::read_to_string(child).expect("it ran"));
    shop.script("slow.sh", "exit 0");
    shop.run(0);
    shop.serves(3);
}

#[test]
fn what_is_not_published_is_not_judged_as_live_and_that_is_told() {
    let mut shop = Shop::published("gate_none", 1);
    let never = sql("never", "select 1", "at = \"after-publish\"");
    shop.gates(&never);
    shop.next();
    let ran = shop.lab.restage(&["refresh", "--dry-run", "--json"]);
    assert!(ran.code == 0 && ran.stdout.contains("these gates were not asked: \\\"never\\\""), "{ran:?}");
    shop.gates(&format!("{never}[publish]\nmode = \"none\"\n"));
    let ran = shop.lab.restage(&["refresh", "--json"]);
    assert!(ran.code == 0 && ran.stdout.contains("these gates were not asked: \\\"never\\\""), "{ran:?}");
    shop.serves(1);
}

#[test]
fn a_program_that_is_not_there_refuses_the_plan() {
    let shop = Shop::new("gate_missing");
    shop.gates(&format!(
        "{}{}{}",
        command("gone", "./gone.sh", ""),
        command("nowhere", "no-such-program-here", ""),
        command("there", "true", "")
    ));
    let ran = shop.lab.restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    for told in [
        "program `./gone.sh` of gate \"gone\" is not there",
        "`no-such-program-here` of gate \"nowhere\"",
        "restage.toml:",
        "ls -l ./gone.sh ",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
    assert!(!ran.stderr.contains("\"there\""), "{ran:?}");
}

#[test]
fn verify_asks_the_gates_of_both_points() {
    let shop = Shop::published("gate_verify", 1);
    shop.script("smoke.sh", "echo run $RESTAGE_RUN of $PGDATABASE");
    let own = format!(
        "{}{}{}",
        command("program", "./smoke.sh", "at = \"after-publish\""),
        sql("before", "select count(*) from public.people", "equals = 20"),
        sql("after", "select count(*) from public.people", "at = \"after-publish\""),
    );
    shop.gates(&own);
    let ran = shop.lab.restage(&["verify", "--json"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    let document: Value = serde_json::from_str(&ran.stdout).expect("a document");
    let release = document["release"].as_str().expect("a release");
    assert_eq!(gate(&document, "program")["evidence"], format!("exit status 0: run {release} of {}", shop.lab.name));
    assert_eq!((&gate(&document, "before")["ok"], &gate(&document, "after")["ok"]), (&true.into(), &false.into()));
    for name in ["program", "before", "after", "release", "row counts"] {
        let found = gate(&document, name);
        assert!(found["ms"].is_u64() && found["severity"] == "fail" && found["evidence"].is_string(), "{found}");
    }
    shop.serves(1);
    shop.gates(&format!("[verify]\nwarn = [\"a*\", \"rel*\"]\n{own}"));
    let ran = shop.lab.restage(&["verify"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("! after"), "{ran:?}");
    // Without its record it is no release of ours, whatever `warn` says.
    shop.lab.staging("DELETE FROM restage.run");
    assert_eq!(shop.lab.restage(&["verify"]).code, 6);
}

/// Users were written in two spellings, of which the source joined one.
#[test]
fn fewer_orphans_where_masks_merge_spellings_are_told_and_others_publish_nothing() {
    let lab = Lab::new("gate_orphans");
    lab.seed(
        "CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE); CREATE TABLE orders (id int PRIMARY KEY, customer_email text);
         INSERT INTO customers SELECT i, 'user' || i || '@corp.de' FROM generate_series(1, 50) i;
         INSERT INTO orders SELECT i, CASE WHEN i % 10 = 0 THEN 'User' ELSE 'user' END || i || '@corp.de' FROM generate_series(1, 50) i;",
    );
    let policy = |mask: &str, more: &str| {
        lab.config(&format!(
            "[[references]]\nfrom = \"public.orders.customer_email\"\nto = \"public.customers.email\"\n\
             [tables.\"public.*\".columns]\nid = {{ keep = \"a test\" }}\n\
             [tables.\"public.customers\".columns]\nemail = {mask}\n{more}"
        ));
    };
    let joined = "SELECT count(*) FROM orders JOIN customers ON email = customer_email";
    let told = "SELECT g->>'evidence' FROM restage.run, jsonb_array_elements(gates) g WHERE g->>'name' = 'orphans'";
    policy("\"email\"", "");
    lab.refresh();
    assert_eq!(lab.staging(joined), "50");
    let evidence = lab.staging(told);
    assert!(evidence.contains("0 orphans; ") && evidence.contains("5 rows found theirs"), "{evidence}");
    assert!(evidence.contains("`fold = false`"), "{evidence}");
    policy("{ mask = \"email\", fold = false }", "");
    lab.refresh();
    assert_eq!(lab.staging(joined), "45");
    assert_eq!(lab.staging(told), "1 declared reference, 5 orphans, as many as at the source");

    // Twins: more of them than at the source, and fewer although the kind tells all spellings apart.
    let hook = "[[hook]]\nat = \"after-load\"\nsql = \"hook.sql\"\n";
    for (mask, sql) in [
        ("\"email\"", "UPDATE public.orders SET customer_email = 'nobody@corp.example' WHERE id <= 6"),
        (
            "\"hash\"",
            "UPDATE public.orders SET customer_email = (SELECT min(email) FROM public.customers) WHERE id = 10",
        ),
    ] {
        std::fs::write(lab.path("hook.sql"), format!("{sql};\n")).expect("written");
        policy(mask, hook);
        let ran = lab.restage(&["refresh"]);
        assert!(ran.code == 6 && ran.stderr.contains("gate \"orphans\" does not hold"), "{mask}: {ran:?}");
    }
    assert_eq!(lab.staging(joined), "45");
}

/// Orders of customers, five of which nobody made; some rows stay in production.
#[test]
fn orphans_of_rows_that_are_left_out_are_no_failure_and_others_are() {
    let lab = Lab::new("gate_orphans_partly");
    lab.seed(
        "CREATE TABLE customers (id int PRIMARY KEY, email text UNIQUE); CREATE TABLE orders (id int PRIMARY KEY, customer_email text) PARTITION BY RANGE (id); CREATE TABLE orders_1 PARTITION OF orders DEFAULT;
         INSERT INTO customers SELECT i, 'user' || i || '@corp.de' FROM generate_series(1, 45) i;
         INSERT INTO orders SELECT i, 'user' || i || '@corp.de' FROM generate_series(1, 50) i;",
    );
    let policy = |rows: &str, more: &str| {
        lab.config(&format!(
            "[[references]]\nfrom = \"public.orders.customer_email\"\nto = \"public.customers.email\"\n\
             [tables.\"public.*\".columns]\nid = {{ keep = \"a test\" }}\n\
             [tables.\"public.customers\".columns]\nemail = \"email\"\n\
             [tables.\"public.orders\".columns]\ncustomer_email = \"email\"\n{rows}{more}"
        ));
    };
    let told = "SELECT g->>'evidence' FROM restage.run, jsonb_array_elements(gates) g WHERE g->>'name' = 'orphans'";
    // Who is left out is missed on purpose.
    for rows in ["\"none\"", "{ where = \"id > 40\" }"] {
        policy(&format!("[tables.\"public.customers\"]\nrows = {rows}\n"), "");
        lab.refresh();
        assert_eq!(lab.staging(told), "", "{rows}");
    }
    // Of those who refer, some are left out: no more of them may point nowhere.
    let some = "[tables.\"public.orders\"]\nrows = { where = \"id BETWEEN 11 AND 48\" }\n";
    policy(some, "");
    lab.refresh();
    assert_eq!(lab.staging(told), "1 declared reference, 3 orphans, no more than at the source");
    // The twin: a hook makes more.
    let sql = "UPDATE public.orders SET customer_email = 'nobody@corp.example' WHERE id <= 20;\n";
    std::fs::write(lab.path("hook.sql"), sql).expect("written");
    policy(some, "[[hook]]\nat = \"after-load\"\nsql = \"hook.sql\"\n");
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 6 && ran.stderr.contains("gate \"orphans\" does not hold"), "{ran:?}");
}
