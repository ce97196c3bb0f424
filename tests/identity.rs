//! With every column kept, the copy is what `pg_dump | pg_restore` makes; and the decisions that are no masks do what they
//! say. PostgreSQL is the judge: two dumps are compared, rows sorted.

use crate::support::{Cluster, Lab, is_root, prepare_roles, run};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub const KEEP_ALL: &str = "[policy]\nddl_literals = \"accept\"\n\n[tables.\"*\"]\ndefault = { keep = \"a test\" }\n";

/// Clusters of their own: both sides have the roles that grants name, and the target may act for the source's owner.
fn clusters() -> &'static (Cluster, Cluster) {
    static PAIR: OnceLock<(Cluster, Cluster)> = OnceLock::new();
    PAIR.get_or_init(|| {
        let pair = (Cluster::start(&[]), Cluster::start(&[]));
        prepare_roles(&pair.0, &pair.1);
        let roles = "CREATE ROLE \"A Writer\"; CREATE ROLE shop_reader";
        pair.0.sql("postgres", roles);
        pair.1.sql("postgres", &format!("{roles}; CREATE ROLE app; CREATE ROLE reader; GRANT app TO restage"));
        pair
    })
}

pub fn lab(name: &str) -> Lab<'static> {
    let (source, target) = clusters();
    Lab::on(source, target, name)
}

fn here(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

pub fn seed_file(lab: &Lab<'_>, file: &str, variables: &[(&str, &str)]) {
    lab.source.run_file("app", &lab.name, &here(file), variables);
    lab.grant();
}

/// Two dumps are equal; the first lines that differ are shown, because whole dumps are too long to read.
#[track_caller]
pub fn assert_same(result: &str, oracle: &str) {
    assert!(oracle.contains("\nCOPY "), "an oracle without rows proves nothing");
    let (mut left, mut right) = (result.lines(), oracle.lines());
    let mut number = 0;
    loop {
        number += 1;
        match (left.next(), right.next()) {
            (None, None) => return,
            (left, right) if left == right => {}
            (left, right) => panic!("line {number}: restage {left:.200?}, pg_restore {right:.200?}"),
        }
    }
}

#[track_caller]
fn assert_identity(lab: &Lab<'_>) {
    lab.config(KEEP_ALL);
    lab.refresh();
    assert_same(&lab.target.dump(&lab.name), &lab.oracle());
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name), "nothing is left beside the result");
}

#[test]
fn shop_arrives_as_pg_restore_would_bring_it() {
    let lab = lab("identity_shop");
    seed_file(&lab, "samples/shop/schema.sql", &[]);
    seed_file(&lab, "samples/shop/data.sql", &[("scale", "0.01")]);
    assert_identity(&lab);
}

#[test]
fn every_type_arrives_as_pg_restore_would_bring_it() {
    let lab = lab("identity_types");
    seed_file(&lab, "tests/identity/types.sql", &[]);
    assert_identity(&lab);
}

#[test]
fn every_object_arrives_as_pg_restore_would_bring_it() {
    let lab = lab("identity_objects");
    seed_file(&lab, "tests/identity/objects.sql", &[]);
    assert_identity(&lab);
    // A view that its source had filled is filled, one that was never filled is not.
    assert_eq!(
        lab.staging("SELECT relname FROM pg_class WHERE relkind = 'm' AND NOT relispopulated"),
        "never_filled",
        "materialized views"
    );
}

/// A `CREATE INDEX CONCURRENTLY` that failed leaves an index that nothing uses and no dump holds.
#[test]
fn what_a_tablespace_of_the_source_holds_arrives_in_the_default_one() {
    let folder = tempfile::Builder::new().prefix("restage-space-").tempdir().expect("temporary folder");
    let space = folder.path().join("space");
    std::fs::create_dir(&space).expect("folder");
    if is_root() {
        run(Command::new("chmod").arg("755").arg(folder.path()));
        run(Command::new("chown").arg("postgres").arg(&space));
    }
    // Of its own: a tablespace belongs to a server, and its folder goes with the test.
    let source = Cluster::start(&[]);
    let target = Cluster::start(&[]);
    prepare_roles(&source, &target);
    source.sql("postgres", &format!("CREATE TABLESPACE fast LOCATION '{}'", space.display()));
    source.sql("postgres", "GRANT CREATE ON TABLESPACE fast TO app");
    let lab = Lab::on(&source, &target, "tablespace");
    lab.seed(
        "CREATE TABLE plain (id int PRIMARY KEY, email text) TABLESPACE fast;
         CREATE TABLE orders (id int, total int, CONSTRAINT orders_pkey PRIMARY KEY (id) USING INDEX TABLESPACE fast);
         CREATE INDEX orders_by_total ON orders (total) TABLESPACE fast;
         CREATE TABLE events (id int, at date) PARTITION BY RANGE (at) TABLESPACE fast;
         CREATE TABLE events_old PARTITION OF events FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') TABLESPACE fast;
         CREATE TABLE events_new PARTITION OF events FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') TABLESPACE pg_default;
         CREATE INDEX events_by_at ON events (at) TABLESPACE fast;
         CREATE MATERIALIZED VIEW totals TABLESPACE fast AS SELECT sum(total) AS total FROM orders;
         CREATE UNIQUE INDEX totals_one ON totals (total) TABLESPACE fast;
         CREATE TABLE afterwards (id int);
         INSERT INTO plain SELECT i, 'user' || i || '@example.com' FROM generate_series(1, 20) i;
         INSERT INTO orders SELECT i, i FROM generate_series(1, 20) i;
         INSERT INTO events SELECT i, date '2020-12-20' + i FROM generate_series(1, 20) i;
         REFRESH MATERIALIZED VIEW totals;",
    );
    let elsewhere = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND reltablespace <> 0";
    assert_eq!(lab.production(elsewhere), "10", "the source has what it is about");
    lab.config(KEEP_ALL);
    lab.refresh();
    assert_eq!(lab.staging(elsewhere), "0");
    let counts = "SELECT (SELECT count(*) FROM plain), (SELECT count(*) FROM orders), (SELECT count(*) FROM events), \
                  (SELECT total FROM totals), (SELECT count(*) FROM pg_index WHERE indrelid::regclass::text !~ '^(pg_|restage)')";
    assert_eq!(lab.staging(counts), lab.production(counts));
    let verified = lab.restage(&["verify"]);
    assert_eq!(verified.code, 0, "{verified:?}");
}

#[test]
fn an_index_that_the_source_cannot_use_stops_nothing() {
    let lab = lab("identity_invalid_index");
    lab.seed(
        "CREATE TABLE inv (a int, b int); INSERT INTO inv VALUES (1, 1), (1, 2); CREATE INDEX sound ON inv (b);
         CREATE TABLE parts (a int) PARTITION BY LIST (a); CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
         CREATE INDEX half ON ONLY parts (a);",
    );
    let failed = lab.source.try_sql("app", &lab.name, "CREATE UNIQUE INDEX CONCURRENTLY inv_u ON inv (a)");
    assert!(failed.is_err_and(|error| error.contains("inv_u")));
    let unusable = "SELECT indexrelid::regclass FROM pg_index WHERE NOT indisvalid ORDER BY indexrelid::regclass::text";
    assert_eq!(lab.production(unusable), "half\ninv_u");
    assert_identity(&lab);
    assert_eq!(lab.staging(unusable), "half");
}

/// Rows that pg_dump writes of tables of extensions are no rows that anybody decided about, so they stay behind, and that is
/// said. What an extension's own script has put there is no loss.
#[test]
fn rows_added_to_tables_of_extensions_are_told_and_not_copied() {
    let lab = lab("identity_extension_rows");
    lab.seed(
        "CREATE EXTENSION hstore; CREATE TABLE t (id int); INSERT INTO t VALUES (1);
         CREATE TABLE \"Added\" (id int, secret text); CREATE TABLE shipped (id int); CREATE TABLE hidden (id int);
         CREATE TABLE strange (id int); CREATE SEQUENCE counted; CREATE SEQUENCE fresh;
         INSERT INTO \"Added\" VALUES (1, 'shipped'), (990000, 'zqextension'); INSERT INTO shipped VALUES (1), (2);",
    );
    // What the script of an extension does with pg_extension_config_dump().
    lab.source.sql(
        &lab.name,
        "REVOKE ALL ON hidden FROM reader; ALTER EXTENSION hstore ADD TABLE \"Added\"; ALTER EXTENSION hstore ADD TABLE shipped;
         ALTER EXTENSION hstore ADD TABLE hidden; ALTER EXTENSION hstore ADD TABLE strange;
         ALTER EXTENSION hstore ADD SEQUENCE counted; ALTER EXTENSION hstore ADD SEQUENCE fresh;
         UPDATE pg_extension SET extconfig = ARRAY['\"Added\"', 'shipped', 'hidden', 'strange', 'counted', 'fresh']::regclass[]::oid[],
         extcondition = ARRAY['WHERE id >= 100', 'WHERE id > 2', '', 'WHERE no_such(id)', '', ''] WHERE extname = 'hstore'",
    );
    lab.source.sql(&lab.name, "SELECT nextval('counted')");
    lab.config(KEEP_ALL);
    let wanted = "rows that were added to tables of extensions are not copied, on purpose: public.Added (hstore), \
                  public.counted (hstore), public.hidden (hstore; it could not be read), public.strange (hstore; it could \
                  not be read); staging has what CREATE EXTENSION makes";
    let planned = lab.restage(&["plan", "--json"]);
    assert_eq!(planned.code, 0, "{planned:?}");
    assert!(planned.stdout.contains(wanted), "{}", planned.stdout);
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains(wanted), "{}", ran.stdout);
    assert!(!lab.target.dump(&lab.name).contains("zqextension"));
    assert_eq!(lab.staging("SELECT id FROM t"), "1");

    // Nothing was added: nothing is told.
    lab.source.sql(&lab.name, "UPDATE pg_extension SET extconfig = NULL, extcondition = NULL WHERE extname = 'hstore'");
    let planned = lab.restage(&["plan", "--json"]);
    assert!(!planned.stdout.contains("tables of extensions"), "{}", planned.stdout);
}

/// The name is taken in staging, so what somebody has under it at the source cannot come along; our own notes are no loss.
#[test]
fn a_schema_of_the_source_that_is_called_as_ours_is_told_and_not_copied() {
    let lab = lab("identity_reserved");
    lab.seed(
        "CREATE SCHEMA restage; CREATE TABLE restage.run (id int, note text); INSERT INTO restage.run VALUES (1, 'theirs');
         CREATE FUNCTION restage.f() RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE TABLE t (id int); INSERT INTO t VALUES (1);",
    );
    lab.config(KEEP_ALL);
    let told =
        "schema restage of the source is not copied, because staging has notes of restage under that name: f(), run;";
    let planned = lab.restage(&["plan", "--json"]);
    assert!(planned.code == 0 && planned.stdout.contains(told), "{planned:?}");
    let ran = lab.restage(&["refresh", "--json"]);
    assert!(ran.code == 0 && ran.stdout.contains(told), "{ran:?}");
    assert_eq!(lab.staging("SELECT count(*) FROM restage.run WHERE snapshot_lsn <> ''"), "1", "ours");

    // A staging of ours that is read as a source.
    lab.source.sql(&lab.name, "DROP SCHEMA restage CASCADE");
    let notes = "CREATE SCHEMA restage; CREATE TABLE restage.run (run text, snapshot_lsn text); CREATE TABLE restage.loaded ();";
    lab.seed(notes);
    let planned = lab.restage(&["plan", "--json"]);
    assert!(planned.code == 0 && !planned.stdout.contains("schema restage"), "{planned:?}");
}

/// The hash of an enum value is that of its OID, which differs between servers, so pg_restore's partitions are no oracle.
#[test]
fn rows_of_partitions_by_hash_of_an_enum_are_found_by_their_key() {
    let lab = lab("identity_enum_hash");
    lab.seed(
        "CREATE TYPE color AS ENUM ('red', 'green', 'blue');
         CREATE TABLE h (k color, v int) PARTITION BY HASH (k);
         SELECT format('CREATE TABLE h_%s PARTITION OF h FOR VALUES WITH (MODULUS 4, REMAINDER %s)', r, r)
         FROM generate_series(0, 3) r \\gexec
         INSERT INTO h SELECT (ARRAY['red', 'green', 'blue', NULL])[1 + i % 4]::color, i FROM generate_series(1, 400) i;",
    );
    // Other objects first, so that the OIDs differ by more than luck.
    lab.target.sql("postgres", "CREATE TABLE filler_of_oids (a serial); DROP TABLE filler_of_oids");
    lab.config(KEEP_ALL);
    lab.refresh();
    for color in ["red", "green", "blue"] {
        let question = format!("SELECT count(*), sum(v) FROM h WHERE k = '{color}'");
        assert_eq!(lab.staging(&question), lab.production(&question));
    }
    let all = "SELECT k, v FROM h ORDER BY v";
    assert_eq!(lab.staging(all), lab.production(all));
}

#[test]
fn values_of_a_hundred_megabytes_arrive() {
    let lab = lab("identity_long");
    lab.seed(
        "CREATE TABLE long (id int, t text, b bytea, mail text); ALTER TABLE long ALTER t SET STORAGE EXTERNAL;
         INSERT INTO long SELECT 1, repeat('0123456789é', 8000000), NULL, 'ada@example.com';
         INSERT INTO long SELECT 2, 'short', decode(repeat('00ff5c0a', 20000000), 'hex'), NULL;
         CREATE TABLE long_by_text AS SELECT id, t, 'long'::regclass AS r, mail FROM long;",
    );
    // A masked column beside them: the long value is cut out of the row and put back.
    lab.config(
        "[tables.\"*\"]\ndefault = { keep = \"a test\" }\n[tables.\"public.long\".columns]\nmail = \"email\"\n\
         [tables.\"public.long_by_text\".columns]\nmail = \"email\"\n",
    );
    lab.refresh();
    let digest = "SELECT id, length(t), md5(t), length(b), md5(b) FROM long ORDER BY id";
    assert_eq!(lab.staging(digest), lab.production(digest));
    let digest = "SELECT id, length(t), md5(t), r FROM long_by_text ORDER BY id";
    assert_eq!(lab.staging(digest), lab.production(digest));
    assert_eq!(lab.staging("SELECT count(*) FROM long WHERE mail = 'ada@example.com'"), "0");
}

/// A table with a `regclass` travels as text; masks beside it must not disturb what the text format escapes.
#[test]
fn masked_column_in_a_table_that_travels_as_text() {
    let lab = lab("identity_text_masks");
    lab.seed(
        r#"CREATE TABLE mixed (row int, before text, mail text, born date, r regclass, n int, j jsonb, after text, gone text);
        ALTER TABLE mixed DROP COLUMN gone;
        INSERT INTO mixed VALUES
            (1, E'\\N', 'ada@example.com', '1990-01-01', 'mixed', 1, '{}', E'a\tb\nc\\d\r'),
            (2, '', NULL, NULL, NULL, NULL, NULL, ''),
            (3, NULL, 'bob@example.com', 'infinity', 'pg_class', 2147483647, '{"a": "\\t"}', E'\\.'),
            (4, E'\x01\x7f', E'tab\there or there', '0044-03-15 BC', '0', -2147483648, 'null', U&'\+01F600');"#,
    );
    lab.config(
        "[tables.\"public.mixed\"]\ndefault = { keep = \"a test\" }\n[tables.\"public.mixed\".columns]\nmail = \"email\"\n\
         n = \"int\"\nborn = { mask = \"date.shift\", subject = \"row\" }\n",
    );
    lab.refresh();
    let kept = "SELECT row, before, r, j, after, mail IS NULL, born IS NULL, n IS NULL FROM mixed ORDER BY row";
    assert_eq!(lab.staging(kept), lab.production(kept));
    // What is no address keeps its form, the tab included, so that the mask itself has something to escape.
    let masked = "SELECT count(*), count(mail), count(*) FILTER (WHERE mail ~ '^[^@\\s]+@[^@\\s]+$'), \
         count(*) FILTER (WHERE mail ~ '^\\w+\\t\\w+ \\w+ \\w+$') FROM mixed";
    assert_eq!(lab.staging(masked), "4|3|2|1");
    let source = lab.production("SELECT mail FROM mixed WHERE mail IS NOT NULL");
    let staging = lab.staging("SELECT mail FROM mixed WHERE mail IS NOT NULL");
    for mail in source.lines() {
        assert!(!staging.contains(mail), "{mail} in {staging}");
    }
    assert_eq!(lab.staging("SELECT count(*) FROM mixed WHERE n IN (1, 2147483647, -2147483648)"), "0");
    assert_eq!(lab.staging("SELECT born FROM mixed WHERE row = 3"), "infinity");
}

#[test]
fn tables_without_rows_and_columns_without_values() {
    let lab = lab("identity_decisions");
    lab.seed(
        "CREATE TABLE kept (id int PRIMARY KEY, t text);
         INSERT INTO kept SELECT i, 'kept ' || i FROM generate_series(1, 50) i;
         CREATE TABLE hollow (id serial PRIMARY KEY, t text NOT NULL, c text CHECK (c <> ''));
         INSERT INTO hollow (t) SELECT 'secret' FROM generate_series(1, 50) i;
         CREATE TABLE nulled (id int PRIMARY KEY, a text, b jsonb, c int[], d date, r regclass, k int REFERENCES kept);
         INSERT INTO nulled SELECT i, 'secret', '{\"s\": \"secret\"}', '{1}', '2026-01-01', 'kept', i FROM generate_series(1, 50) i;
         CREATE TABLE several (id int PRIMARY KEY, t text);
         INSERT INTO several SELECT i, 't' || i FROM generate_series(1, 50) i;
         CREATE TABLE few (id int PRIMARY KEY);
         INSERT INTO few SELECT generate_series(1, 50);",
    );
    lab.config(
        "[tables.\"public.kept\"]\ndefault = { keep = \"a test\" }\n\
         [tables.\"public.hollow\"]\nrows = \"none\"\n\
         [tables.\"public.nulled\"]\ndefault = \"null\"\n[tables.\"public.nulled\".columns]\nid = \"keep\"\n\
         [tables.\"public.several\"]\ndefault = { keep = \"a test\" }\nrows = { where = \"id % 10 = 0\" }\n\
         [tables.\"public.few\"]\ndefault = { keep = \"a test\" }\nrows = { limit = 7 }\n",
    );
    lab.refresh();
    let all = "SELECT * FROM kept ORDER BY id";
    assert_eq!(lab.staging(all), lab.production(all));
    assert_eq!(lab.staging("SELECT count(*) FROM hollow"), "0");
    assert_eq!(
        lab.staging("SELECT count(*) FROM pg_constraint WHERE conrelid = 'hollow'::regclass AND contype <> 'n'"),
        "2"
    );
    assert_eq!(
        lab.staging("SELECT count(*), count(a), count(b), count(c), count(d), count(r), count(k) FROM nulled"),
        "50|0|0|0|0|0|0"
    );
    assert_eq!(lab.staging("SELECT string_agg(t, ',' ORDER BY id) FROM several"), "t10,t20,t30,t40,t50");
    assert_eq!(lab.staging("SELECT count(*) FROM few"), "7");
}

#[test]
fn null_for_a_column_that_takes_none_is_refused_before_a_row_is_read() {
    let lab = lab("identity_not_null");
    lab.seed("CREATE TABLE strict (id int PRIMARY KEY, t text NOT NULL); INSERT INTO strict VALUES (1, 'x')");
    lab.config("[tables.\"public.strict\"]\ndefault = \"null\"\n[tables.\"public.strict\".columns]\nid = \"keep\"\n");
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("public.strict.t"), "{}", ran.stderr);
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name));
}

/// The source's text of `CHECK (kind IN (…))` differs from the target's although both mean the same; a definition that
/// somebody changed meanwhile is still found.
#[test]
fn changed_definition_is_found_among_those_that_are_only_printed_differently() {
    let lab = lab("identity_drift");
    lab.seed(
        "CREATE TABLE printed (kind varchar(9) CHECK (kind IN ('a', 'b')));
         CREATE TABLE changed (id int DEFAULT 1);
         CREATE TABLE slow AS SELECT i, repeat('x', 1000) AS t FROM generate_series(1, 3000) i;",
    );
    lab.config(KEEP_ALL);
    lab.refresh();

    // The load takes long enough to reach into the database that is loaded aside.
    lab.config_with("rate_max = \"1MiB/s\"", "", KEEP_ALL);
    let mut running = lab.command(&["refresh"]);
    let running = running.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("restage runs");
    let deadline = Instant::now() + Duration::from_secs(60);
    let change = "ALTER TABLE changed ALTER id SET DEFAULT 2";
    loop {
        let aside = lab.databases().into_iter().find(|name| *name != lab.name && !name.contains("__prev_"));
        if aside.is_some_and(|aside| lab.target.try_sql("postgres", &aside, change).is_ok()) {
            break;
        }
        assert!(Instant::now() < deadline, "the database aside never had the table");
    }
    let output = running.wait_with_output().expect("restage ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(6), "{stderr}");
    assert!(stderr.contains("\"definitions\"") && stderr.contains("public.changed"), "{stderr}");
    assert!(!stderr.contains("printed"), "{stderr}");
    let aside = lab.databases().into_iter().filter(|name| *name != lab.name && !name.contains("__prev_")).count();
    assert_eq!(aside, 1, "the loaded database is kept for a look, the one made for the comparison is not");
}

/// Grants and a policy for roles that only the source has; the names differ per test, because roles belong to servers.
fn lab_with_foreign_roles(name: &str) -> Lab<'static> {
    let lab = lab(name);
    lab.source.sql("postgres", &format!("CREATE ROLE \"{name} one\"; CREATE ROLE {name}_two; CREATE ROLE {name}_both"));
    lab.target.sql("postgres", &format!("CREATE ROLE {name}_both"));
    lab.seed(&format!(
        "CREATE TABLE t (id int, owner text); INSERT INTO t VALUES (1, 'x');
         CREATE STATISTICS s ON id, owner FROM t;
         GRANT SELECT ON t TO \"{name} one\", {name}_both WITH GRANT OPTION; GRANT UPDATE (id) ON t TO {name}_two;
         ALTER DEFAULT PRIVILEGES FOR ROLE app GRANT SELECT ON TABLES TO {name}_both, {name}_two;
         ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY for_all ON t TO \"{name} one\", {name}_both USING (true);
         CREATE POLICY for_one ON t TO \"{name} one\" USING (id > 0); COMMENT ON POLICY for_one ON t IS 'only theirs';"
    ));
    lab
}

const POLICIES: &str = "SELECT polname, (SELECT string_agg(rolname, ',' ORDER BY rolname) FROM pg_roles WHERE oid = ANY (polroles)) \
     FROM pg_policy ORDER BY 1";
const GRANTEES: &str = "SELECT string_agg(DISTINCT grantee::regrole::text, ',') FROM (SELECT relowner AS owner, relacl AS acl FROM pg_class \
     WHERE oid = 't'::regclass UNION ALL SELECT 0, attacl FROM pg_attribute WHERE attrelid = 't'::regclass) a, aclexplode(acl) \
     WHERE grantee NOT IN (owner, 'reader'::regrole)";

#[test]
fn grants_and_policies_of_missing_roles_are_left_out_with_a_warning() {
    let lab = lab_with_foreign_roles("roles_skip");
    lab.config(KEEP_ALL);
    let ran = lab.refresh();
    assert_eq!(lab.staging(GRANTEES), "roles_skip_both");
    assert_eq!(lab.staging(POLICIES), "for_all|roles_skip_both");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    assert!(said.contains("roles_skip one") && said.contains("[target.roles]"), "{said}");
}

#[test]
fn missing_roles_are_mapped_and_created() {
    let lab = lab_with_foreign_roles("roles_create");
    lab.config_with("", "missing_roles = \"create\"\nroles = { \"roles_create one\" = \"A Writer\" }", KEEP_ALL);
    let refused = lab.restage(&["refresh"]);
    assert_eq!(refused.code, 3, "restage may not create roles: {refused:?}");
    assert!(refused.stderr.contains("may not create the roles roles_create_two"), "{}", refused.stderr);
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name));
    lab.target.sql("postgres", "ALTER ROLE restage CREATEROLE");
    let ran = lab.restage(&["refresh"]);
    lab.target.sql("postgres", "ALTER ROLE restage NOCREATEROLE");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(lab.staging(GRANTEES), "\"A Writer\",roles_create_both,roles_create_two");
    assert_eq!(lab.staging(POLICIES), "for_all|A Writer,roles_create_both\nfor_one|A Writer");
    assert_eq!(lab.staging("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'roles_create_two'"), "f");
}

#[test]
fn missing_roles_can_be_refused_before_a_row_is_read() {
    let lab = lab_with_foreign_roles("roles_refuse");
    lab.config_with("", "missing_roles = \"refuse\"", KEEP_ALL);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("CREATE ROLE \"roles_refuse one\" NOLOGIN"), "{}", ran.stderr);
    assert_eq!(lab.databases(), std::slice::from_ref(&lab.name));
}

#[test]
fn everything_belongs_to_the_owner_the_configuration_names() {
    let lab = lab("identity_owner");
    lab.target.sql("postgres", "CREATE ROLE staging_owner; GRANT staging_owner TO restage");
    seed_file(&lab, "tests/identity/objects.sql", &[]);
    lab.config_with("", "owner = \"staging_owner\"", KEEP_ALL);
    lab.refresh();
    // The constructors of ranges belong to the superuser of the server wherever they are made.
    let others = "SELECT 'relation', relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace \
         WHERE nspname IN ('o', 'A Schema', 'restage') AND relowner <> 'staging_owner'::regrole \
         UNION ALL SELECT 'function', proname FROM pg_proc WHERE pronamespace = 'o'::regnamespace AND proowner NOT IN ('staging_owner'::regrole, 10) \
         UNION ALL SELECT 'type', typname FROM pg_type WHERE typnamespace = 'o'::regnamespace AND typowner <> 'staging_owner'::regrole \
         UNION ALL SELECT 'schema', nspname FROM pg_namespace WHERE nspname IN ('o', 'A Schema', 'restage') AND nspowner <> 'staging_owner'::regrole \
         UNION ALL SELECT 'statistics', stxname FROM pg_statistic_ext WHERE stxowner <> 'staging_owner'::regrole \
         UNION ALL SELECT 'operator', oprname FROM pg_operator WHERE oprnamespace = 'o'::regnamespace AND oprowner <> 'staging_owner'::regrole";
    assert_eq!(lab.staging(others), "");
}

/// PostgreSQL's own regression database: about 500 tables with everything its developers ever broke.
///
/// Its sources do not come with the server. `scripts/regression.sh` fetches them; without them this test says so and passes.
#[test]
#[allow(clippy::print_stderr, reason = "a test that was skipped says so")]
fn regression_database_arrives_as_pg_restore_would_bring_it() {
    let sources = std::env::var_os("RESTAGE_REGRESSION").map_or_else(|| here("target/regression"), PathBuf::from);
    if !sources.join("parallel_schedule").is_file() {
        eprintln!(
            "SKIPPED: no regression sources in {}; `scripts/regression.sh` fetches them (about 25 MB)",
            sources.display()
        );
        return;
    }
    let (source, target) = (Cluster::start(&[]), Cluster::start(&[]));
    prepare_roles(&source, &target);
    // C functions and operator classes need a superuser.
    target.sql("postgres", "ALTER ROLE restage SUPERUSER");
    let lab = Lab::on(&source, &target, "regression");
    let home = install(&source, &sources);
    regress(&lab, &home);
    // What is left out of every copy on purpose, and the servers that are pointed at nowhere.
    lab.source.sql(
        &lab.name,
        "SELECT lo_unlink(oid) FROM pg_largeobject_metadata;
         SELECT format('ALTER SERVER %I OPTIONS (ADD host ''127.0.0.1'', ADD port ''1'')', srvname) FROM pg_foreign_server \\gexec
         SELECT format('DROP EVENT TRIGGER %I', evtname) FROM pg_event_trigger \\gexec
         SELECT format('DROP USER MAPPING FOR %I SERVER %I', usename, srvname) FROM pg_user_mappings \\gexec",
    );
    let roles =
        lab.source.client("pg_dumpall", "postgres", "postgres").arg("--roles-only").output().expect("pg_dumpall");
    let roles = String::from_utf8_lossy(&roles.stdout);
    for role in roles.lines().filter(|line| line.starts_with("CREATE ROLE ") || line.starts_with("GRANT ")) {
        let _ = target.try_sql("postgres", "postgres", role);
    }
    lab.grant();
    let tables: u32 =
        lab.production("SELECT count(*) FROM pg_class WHERE relkind IN ('r', 'p')").parse().expect("a number");
    assert!(tables > 400, "the regression scripts made {tables} tables");
    assert_identity(&lab);
}

/// Copies the sources to where the server may read them and load the C library from.
fn install(source: &Cluster, sources: &Path) -> PathBuf {
    let home = source.folder().join("regress");
    let copied = Command::new("cp").arg("-r").arg(sources).arg(&home).status().expect("cp");
    assert!(copied.success());
    if crate::support::is_root() {
        crate::support::run(Command::new("chown").args(["-R", "postgres"]).arg(&home));
    }
    std::fs::create_dir_all(home.join("results")).expect("mkdir");
    if crate::support::is_root() {
        crate::support::run(Command::new("chown").arg("postgres").arg(home.join("results")));
    }
    home
}

/// Runs PostgreSQL's regression scripts in the order of their schedule. Many statements fail on purpose.
fn regress(lab: &Lab<'_>, home: &Path) {
    let schedule = std::fs::read_to_string(home.join("parallel_schedule")).expect("the schedule");
    for group in schedule.lines().filter_map(|line| line.strip_prefix("test: ")) {
        // Tablespaces belong to the server and are not taken over.
        for test in group.split_whitespace().filter(|test| *test != "tablespace") {
            let mut psql = lab.source.client("psql", "postgres", &lab.name);
            psql.env("PG_ABS_SRCDIR", home)
                .env("PG_ABS_BUILDDIR", home)
                .env("PG_LIBDIR", home)
                .env("PG_DLSUFFIX", ".so");
            psql.env("PGTZ", "PST8PDT").env("PGDATESTYLE", "Postgres, MDY");
            psql.env("PGOPTIONS", "-c intervalstyle=postgres_verbose -c statement_timeout=120s");
            psql.args(["-Xaq", "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on", "-f"]);
            psql.arg(home.join("sql").join(format!("{test}.sql")));
            // Its output is what the server's own test compares; here only what it leaves behind counts.
            let _ = psql.current_dir(home).output().expect("psql");
        }
    }
}

#[test]
fn definitions_mean_the_same_whatever_databases_and_roles_are_set_to() {
    let lab = lab("settings");
    let name = &lab.name;
    lab.seed(
        r"CREATE TABLE t (id int PRIMARY KEY, v text DEFAULT 'a\b' CHECK (v <> 'c\d'), w int[] DEFAULT '{NULL,1}');
          CREATE TABLE имя (id int DEFAULT 1);
          CREATE VIEW w AS SELECT 'e\f'::text AS x, id FROM t;
          CREATE FUNCTION f(x text DEFAULT 'g\h') RETURNS text LANGUAGE sql AS 'SELECT x';
          INSERT INTO t VALUES (1, 'i\j', '{2}')",
    );
    lab.source.sql(
        "postgres",
        &format!(
            "ALTER DATABASE \"{name}\" SET standard_conforming_strings = off;
             ALTER DATABASE \"{name}\" SET quote_all_identifiers = on;
             ALTER ROLE reader IN DATABASE \"{name}\" SET client_encoding = 'LATIN1'"
        ),
    );
    let role = format!("set_{name}");
    lab.target.sql(
        "postgres",
        &format!(
            "CREATE ROLE {role} LOGIN CREATEDB; GRANT pg_signal_backend TO {role}; ALTER DATABASE \"{name}\" OWNER TO {role};
             ALTER ROLE {role} SET standard_conforming_strings = off; ALTER ROLE {role} SET array_nulls = off;
             ALTER ROLE {role} SET client_encoding = 'LATIN1'"
        ),
    );
    lab.config(KEEP_ALL);
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("read");
    let text = text.replace(&lab.target.url("restage", name), &lab.target.url(&role, name));
    std::fs::write(lab.path("restage.toml"), text).expect("write");
    lab.refresh();
    let definitions = "SET standard_conforming_strings = on; SET quote_all_identifiers = off; SET client_encoding = 'UTF8';
        SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef ORDER BY adnum, 1;
        SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace;
        SELECT pg_get_viewdef('public.w'::regclass); SELECT pg_get_functiondef('public.f'::regproc)";
    let expected = lab.production(definitions);
    assert!(expected.contains(r"'a\b'") && expected.contains(r"'g\h'"), "{expected}");
    assert_eq!(lab.staging(definitions), expected);
    assert_eq!(lab.staging("SELECT public.f(), (SELECT x FROM public.w)"), r"g\h|e\f");
}
