//! What happens to staging when something dies, is interrupted, or gets in the way of a refresh.
//!
//! Every test compares staging with digests of the source taken release by release, so that half of a release, or parts of
//! two, cannot pass for a whole one.

mod kills;
mod publishing;
mod stops;

use crate::support::{Cluster, Lab, Ran, prepare_roles};
use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// Source and target for tests that kill servers.
pub struct Pair {
    pub source: Cluster,
    pub target: Cluster,
}

impl Pair {
    pub fn start() -> Self {
        let pair = Self { source: Cluster::start(&[]), target: Cluster::start(&[]) };
        prepare_roles(&pair.source, &pair.target);
        pair
    }
}

const POLICY: &str = r#"
[tables."public.*"]
default = "keep"

[tables."public.people".columns]
email = "email"
"#;

/// A source whose releases are numbered, and what staging has to hold for each of them.
pub struct Shop<'a> {
    pub lab: Lab<'a>,
    /// Newest release of the source.
    pub release: u32,
    /// What served when that release was made.
    pub before: u32,
    digests: BTreeMap<u32, String>,
    /// Digest of the masked column, the same in every release; known after the first refresh.
    masked: String,
}

impl<'a> Shop<'a> {
    /// Fills the source with three tables of `rows` rows and refreshes twice, so that there is a release to go back to.
    pub fn open(lab: Lab<'a>, rows: u32) -> Self {
        lab.seed(&format!(
            "CREATE TABLE marker (one bool PRIMARY KEY, release int NOT NULL);
             CREATE TABLE people (id int PRIMARY KEY, email text NOT NULL UNIQUE, city text NOT NULL, release int NOT NULL);
             CREATE TABLE orders (id int PRIMARY KEY, person int NOT NULL REFERENCES people, total numeric NOT NULL, release int NOT NULL);
             CREATE TABLE items (id int PRIMARY KEY, \"order\" int NOT NULL REFERENCES orders, sku text NOT NULL, release int NOT NULL);
             INSERT INTO marker VALUES (true, 0);
             INSERT INTO people SELECT i, 'user' || i || '@example.com', md5(i::text), 0 FROM generate_series(1, {rows}) i;
             INSERT INTO orders SELECT i, i, i * 1.25, 0 FROM generate_series(1, {rows}) i;
             INSERT INTO items SELECT i, i, repeat(md5(i::text), 2), 0 FROM generate_series(1, {rows}) i;
             CREATE INDEX ON people (city); CREATE INDEX ON orders (person); CREATE INDEX ON items (\"order\");
             GRANT SELECT ON marker TO PUBLIC;"
        ));
        lab.config(POLICY);
        let mut shop = Self { lab, release: 0, before: 0, digests: BTreeMap::new(), masked: String::new() };
        shop.next();
        shop.lab.refresh();
        shop.masked = shop.lab.staging(MASKED);
        shop.next();
        shop.lab.refresh();
        shop.holds(shop.release, "after an undisturbed run");
        shop
    }

    /// Changes rows of every table at the source; returns the number of the new release.
    pub fn next(&mut self) -> u32 {
        if !self.masked.is_empty() {
            self.before = self.lab.staging("SELECT release FROM marker").parse().expect("a number");
        }
        self.release += 1;
        let release = self.release;
        self.lab.source.sql(
            &self.lab.name,
            &format!(
                "BEGIN; UPDATE marker SET release = {release};
                 UPDATE people SET release = {release} WHERE id % 100 = {release} % 100;
                 UPDATE orders SET release = {release} WHERE id % 100 = {release} % 100;
                 UPDATE items SET release = {release} WHERE id % 100 = {release} % 100; COMMIT"
            ),
        );
        self.digests.insert(release, self.lab.production(DIGEST));
        release
    }

    /// Starts a refresh; temporary files would land where they are seen.
    pub fn spawn(&self) -> Child {
        self.spawn_args(&["refresh"])
    }

    pub fn spawn_args(&self, args: &[&str]) -> Child {
        let folder = self.lab.path("tmp");
        std::fs::create_dir_all(&folder).expect("folder");
        let mut command = self.lab.command(args);
        command.env("TMPDIR", folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("restage starts")
    }

    /// How long a refresh takes that nobody disturbs.
    pub fn duration(&mut self) -> Duration {
        self.next();
        let started = Instant::now();
        let child = self.spawn();
        let ran = ended(child);
        assert_eq!(ran.code, 0, "{ran:?}");
        started.elapsed()
    }

    /// Asserts that staging is one whole release, masked, with the schema of the run that made it, and returns its number.
    pub fn serving(&self, when: &str) -> u32 {
        // In one session, because a swap of a run that was killed may still end: then clients are turned away once.
        let database = &self.lab.name;
        let sql = format!(
            "SELECT release FROM marker; {DIGEST}; {MASKED}; \
             SELECT position('\"release\":\"' || release || '\"' IN shobj_description(d.oid, 'pg_database')) > 0 \
             FROM restage.run, pg_database d WHERE datname = '{database}'"
        );
        let mut lines = String::new();
        eventually(when, "staging can be read", || {
            lines = self.lab.target.try_sql("postgres", database, &sql)?;
            Ok(())
        });
        let lines: Vec<&str> = lines.lines().collect();
        let [release, digest, masked, told] = lines[..] else { panic!("{when}: staging says {lines:?}") };
        let release: u32 = release.parse().expect("a number");
        assert_eq!(
            Some(digest),
            self.digests.get(&release).map(String::as_str),
            "{when}: staging is not the whole release {release}"
        );
        assert_eq!(masked, self.masked, "{when}: the masked column differs");
        assert_eq!(told, "t", "{when}: the mark names another release than the content");
        release
    }

    #[track_caller]
    pub fn holds(&self, release: u32, when: &str) {
        assert_eq!(self.serving(when), release, "{when}: the wrong release serves");
    }

    /// The next run succeeds, brings the newest release, and nothing is left over.
    #[track_caller]
    pub fn recovers(&self, when: &str) {
        ready(self.lab.source);
        ready(self.lab.target);
        let ran = ended(self.spawn());
        assert_eq!(ran.code, 0, "{when}: the next run failed\n{}\n{}", ran.stdout, ran.stderr);
        self.holds(self.release, when);
        self.nothing_left(1, when);
    }

    /// No database beside the live one and `previous` earlier releases, no lock, session, snapshot or file.
    #[track_caller]
    pub fn nothing_left(&self, previous: usize, when: &str) {
        let name = &self.lab.name;
        let expected = format!("{name}__prev_");
        let databases = self.lab.databases();
        let beside: Vec<&String> = databases.iter().filter(|database| *database != name).collect();
        assert!(
            beside.len() == previous && beside.iter().all(|database| database.starts_with(&expected)),
            "{when}: databases left over: {databases:?}"
        );
        for cluster in [self.lab.source, self.lab.target] {
            eventually(when, "no session is left", || {
                let left = cluster.sql(
                    "postgres",
                    &format!(
                        "SELECT pid, datname, state, query FROM pg_stat_activity WHERE application_name LIKE 'restage%' \
                         AND (datname LIKE '{name}%' OR datname = 'postgres' AND query LIKE '%{name}%')"
                    ),
                );
                if left.is_empty() { Ok(()) } else { Err(left) }
            });
            let junk = cluster.sql(
                "postgres",
                &format!(
                    "SELECT gid FROM pg_prepared_xacts WHERE database LIKE '{name}%' \
                     UNION ALL SELECT slot_name FROM pg_replication_slots WHERE database LIKE '{name}%'"
                ),
            );
            assert_eq!(junk, "", "{when}: prepared transactions or slots left over");
        }
        let files: Vec<_> = std::fs::read_dir(self.lab.path("tmp"))
            .map(|entries| entries.flatten().map(|entry| entry.file_name()).collect())
            .unwrap_or_default();
        assert!(files.is_empty(), "{when}: temporary files left over: {files:?}");
    }

    /// As [`Shop::nothing_left`], for a shop that has its clusters to itself: no advisory lock, no exported snapshot.
    #[track_caller]
    pub fn servers_are_clean(&self, when: &str) {
        eventually(when, "no advisory lock is left", || {
            let locks = self.lab.target.sql("postgres", "SELECT pid FROM pg_locks WHERE locktype = 'advisory'");
            if locks.is_empty() { Ok(()) } else { Err(locks) }
        });
        eventually(when, "no exported snapshot is left", || {
            let folder = self.lab.source.data().join("pg_snapshots");
            let count = std::fs::read_dir(folder).map(|entries| entries.count()).unwrap_or_default();
            if count == 0 { Ok(()) } else { Err(format!("{count} files")) }
        });
    }
}

const DIGEST: &str = "SELECT
    (SELECT string_agg(release::text, ',') FROM marker),
    (SELECT count(*) || ':' || sum(hashtextextended(ROW(id, city, release)::text, 0)) FROM people),
    (SELECT count(*) || ':' || sum(hashtextextended(t::text, 0)) FROM orders t),
    (SELECT count(*) || ':' || sum(hashtextextended(t::text, 0)) FROM items t),
    (SELECT count(*) || ':' || bool_and(convalidated) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
    (SELECT count(*) || ':' || bool_and(indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE relnamespace = 'public'::regnamespace)";

const MASKED: &str = "SELECT count(DISTINCT email), sum(hashtextextended(ROW(id, email)::text, 0)), \
    count(*) FILTER (WHERE email LIKE 'user%@example.com') FROM people";

/// Waits for a child and what it said.
pub fn ended(child: Child) -> Ran {
    let output = child.wait_with_output().expect("restage ends");
    Ran {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Waits until a server that crashed takes connections again.
pub fn ready(cluster: &Cluster) {
    eventually("after a crash", "the server is back", || cluster.try_sql("postgres", "postgres", "SELECT 1").map(drop));
}

/// Polls until `check` holds, at most half a minute.
#[track_caller]
pub fn eventually(when: &str, what: &str, mut check: impl FnMut() -> Result<(), String>) {
    let started = Instant::now();
    loop {
        let Err(problem) = check() else { return };
        assert!(started.elapsed() < Duration::from_secs(30), "{when}: {what}: {problem}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Polls `check` until it gives something, or none when the child has ended.
pub fn while_running<T>(child: &mut Child, mut check: impl FnMut() -> Option<T>) -> Option<T> {
    while child.try_wait().expect("a child").is_none() {
        if let Some(found) = check() {
            return Some(found);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

/// A small generator whose seed a failing test prints; `RESTAGE_FAULTS_SEED` repeats it.
pub struct Dice(u64);

impl Dice {
    pub fn new() -> Self {
        let given = std::env::var("RESTAGE_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok());
        Self(given.unwrap_or_else(|| getrandom::u64().expect("random bytes")))
    }

    /// In `0.0..1.0`.
    pub fn roll(&mut self) -> f64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn seed(&self) -> u64 {
        self.0
    }
}

/// A moment of a run at which something is killed.
pub struct Moment {
    pub number: u32,
    /// Since the start of the run.
    pub at: Duration,
    /// For messages.
    pub when: String,
    /// In `0.0..1.0`, for choices.
    pub choice: f64,
}

/// Random moments of a run that takes `run`, one in each of as many equal parts. `RESTAGE_FAULTS` overrides their number.
pub fn moments(what: &str, number: u32, run: Duration) -> Vec<Moment> {
    let number = std::env::var("RESTAGE_FAULTS").ok().and_then(|text| text.parse().ok()).unwrap_or(number);
    let mut dice = Dice::new();
    let seed = dice.seed();
    (0..number)
        .map(|index| {
            let at = run.mul_f64((f64::from(index) + dice.roll()) / f64::from(number));
            let when = format!(
                "{what} killed {} ms into a run of {} ms (moment {index}, RESTAGE_FAULTS_SEED={seed})",
                at.as_millis(),
                run.as_millis()
            );
            Moment { number: index, at, when, choice: dice.roll() }
        })
        .collect()
}
