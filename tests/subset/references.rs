//! References of every sort: what the server calls equal, what the database does not declare, what points nowhere.

use crate::support::Lab;

const KEEP: &str = "[tables.\"*\"]\ndefault = { keep = \"a test\" }\n";

fn lab(name: &str, schema: &str, rest: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.source.sql("postgres", "SELECT 1");
    lab.seed(schema);
    lab.config(&format!("{KEEP}{rest}"));
    lab
}

#[test]
fn the_server_says_what_is_equal() {
    // Case, scale, width and collation: bytes differ on both sides of every key.
    let schema = "
    CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE TABLE folded (name text COLLATE nocase PRIMARY KEY);
    CREATE TABLE priced (amount numeric PRIMARY KEY);
    CREATE TABLE wide (id bigint PRIMARY KEY);
    CREATE TABLE other (code varchar(9) COLLATE \"C\" PRIMARY KEY);
    CREATE DOMAIN small AS smallint CHECK (VALUE > 0);
    CREATE TABLE c (rid int PRIMARY KEY, f text COLLATE nocase REFERENCES folded, p numeric REFERENCES priced, w small REFERENCES wide, o text COLLATE \"POSIX\" REFERENCES other);
    INSERT INTO folded VALUES ('Ann'), ('Bob'); INSERT INTO priced VALUES (1.0), (2.50); INSERT INTO wide VALUES (1), (2);
    INSERT INTO other VALUES ('x'), ('y');
    INSERT INTO c VALUES (1, 'ANN', 1.00, 1, 'x'), (2, 'bob', 2.5, 2, 'y');";
    for (seed, children) in
        [("public.c\", where = \"rid = 1", "none"), ("public.priced\", where = \"amount = 1", "all")]
    {
        let lab =
            lab("equal", schema, &format!("[subset]\nseed = [{{ table = \"{seed}\" }}]\nchildren = \"{children}\"\n"));
        lab.refresh();
        for table in
            ["folded WHERE name = 'Ann'", "priced WHERE amount = 1", "wide WHERE id = 1", "other WHERE code = 'x'", "c"]
        {
            assert_eq!(lab.staging(&format!("SELECT count(*) FROM {table}")), "1", "{seed}: {table}");
        }
        assert_eq!(lab.staging("SELECT count(*) FROM folded"), "1");
    }
}

#[test]
fn keys_of_single_partitions_join_only_these() {
    let schema = "
    CREATE TABLE tree (id int, kind int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
    CREATE TABLE tree_p1 PARTITION OF tree FOR VALUES IN (1);
    CREATE TABLE tree_p2 PARTITION OF tree FOR VALUES IN (2) PARTITION BY RANGE (id);
    CREATE TABLE tree_p2_a PARTITION OF tree_p2 FOR VALUES FROM (0) TO (10);
    CREATE TABLE tree_p2_b PARTITION OF tree_p2 FOR VALUES FROM (10) TO (20);
    INSERT INTO tree SELECT i, k FROM generate_series(1, 19) i, generate_series(1, 2) k;
    CREATE TABLE leaf_child (id int PRIMARY KEY, t int, k int, FOREIGN KEY (t, k) REFERENCES tree_p1 (id, kind));
    CREATE TABLE mid_child (id int PRIMARY KEY, t int, k int, FOREIGN KEY (t, k) REFERENCES tree_p2 (id, kind));
    INSERT INTO leaf_child SELECT i, i, 1 FROM generate_series(1, 19) i;
    INSERT INTO mid_child SELECT i, i, 2 FROM generate_series(1, 19) i;
    CREATE TABLE boss (id int PRIMARY KEY); INSERT INTO boss VALUES (1), (2);
    ALTER TABLE tree ADD COLUMN b int; UPDATE tree SET b = 1 + id % 2;
    ALTER TABLE tree_p2 ADD FOREIGN KEY (b) REFERENCES boss;";
    let lab = lab(
        "parts",
        schema,
        "[subset]\nseed = [{ table = \"public.tree\", where = \"id IN (3, 12)\" }]\n[[subset.edge]]\nfrom = \"public.tree.b\"\nchildren = \"none\"\n",
    );
    lab.refresh();
    assert_eq!(
        lab.staging("SELECT string_agg(id || '/' || kind, ',' ORDER BY id, kind) FROM tree"),
        "3/1,3/2,12/1,12/2"
    );
    assert_eq!(lab.staging("SELECT string_agg(id::text, ',' ORDER BY id) FROM leaf_child"), "3,12");
    assert_eq!(lab.staging("SELECT string_agg(id::text, ',' ORDER BY id) FROM mid_child"), "3,12");
    assert_eq!(lab.staging("SELECT count(*) FROM boss"), "2");
    // A leaf alone can be a seed.
    lab.config(&format!("{KEEP}[subset]\nseed = [{{ table = \"public.tree_p2_a\" }}]\nchildren = \"none\"\n"));
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*), min(kind), max(id) FROM tree"), "9|2|9");
}

/// Comments on posts and users, a feed with lists of users, and documents that hold ids.
const DECLARED: &str = "
CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE TABLE posts (id int PRIMARY KEY);
CREATE TABLE comments (id int PRIMARY KEY, on_type text, on_id int);
CREATE TABLE feeds (id int PRIMARY KEY, readers int[]);
CREATE TABLE events (id int PRIMARY KEY, body jsonb NOT NULL);
INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 20) i; INSERT INTO posts SELECT generate_series(1, 20);
INSERT INTO comments VALUES (1, 'Post', 5), (2, 'User', 5), (3, 'User', 6), (4, 'Post', 7), (5, 'Tag', 5), (6, 'User', NULL);
INSERT INTO feeds VALUES (1, '{5,6}'), (2, '{7}'), (3, NULL), (4, '{}'), (5, '{5,5,9}');
INSERT INTO events VALUES (1, '{\"user\": {\"id\": 5}}'), (2, '{\"user\": {\"id\": \"6\"}}'), (3, '{\"user\": {\"id\": \"x\"}, \"seen\": [{\"by\": 5}, {\"by\": 8}]}'), (4, '{}'), (5, '[]');
";

const REFERENCES: &str = "
[[references]]
from = \"public.comments.on_id\"
to = \"public.users.id\"
type_column = \"on_type\"
type_value = \"User\"
[[references]]
from = \"public.comments.on_id\"
to = \"public.posts.id\"
type_column = \"on_type\"
type_value = \"Post\"
[[references]]
from = \"public.feeds.readers\"
to = \"public.users.id\"
[[references]]
from = \"public.events.body\"
to = \"public.users.id\"
json = [\"user\", \"id\"]
[[references]]
from = \"public.events.body\"
to = \"public.users.id\"
json = [\"seen\", \"*\", \"by\"]
";

#[test]
fn declared_references_are_followed_by_type_in_lists_and_in_documents() {
    let lab = lab(
        "declared",
        DECLARED,
        &format!("{REFERENCES}[subset]\nseed = [{{ table = \"public.users\", where = \"id = 5\" }}]\n"),
    );
    lab.refresh();
    let ids = |table: &str| lab.staging(&format!("SELECT string_agg(id::text, ',' ORDER BY id) FROM {table}"));
    assert_eq!(ids("comments"), "2", "a comment on user 5, not on post 5");
    assert_eq!(ids("feeds"), "1,5");
    assert_eq!(ids("events"), "1,3");
    assert_eq!(ids("users"), "5,6,8,9", "those beside it in a list or document");
    assert_eq!(ids("posts"), "");
    lab.config(&format!("{KEEP}{REFERENCES}[subset]\nseed = [{{ table = \"public.comments\" }}, {{ table = \"public.events\" }}]\nchildren = \"none\"\n"));
    lab.refresh();
    assert_eq!((ids("users").as_str(), ids("posts").as_str()), ("5,6,8", "5,7"));
    // At most one child per parent, though one of them names it twice.
    lab.config(&format!("{KEEP}{REFERENCES}[subset]\nseed = [{{ table = \"public.users\", where = \"id = 5\" }}]\nchildren = {{ max = 1 }}\n"));
    lab.refresh();
    assert_eq!((ids("feeds").as_str(), ids("events").as_str()), ("1", "1,3"));
}

#[test]
fn what_points_nowhere_is_kept_or_nulled_or_refused_and_always_counted() {
    let schema = "
    CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
    CREATE TABLE c (id int PRIMARY KEY, p int); INSERT INTO c VALUES (1, 1), (2, 77), (3, 78), (4, NULL);
    ALTER TABLE c ADD CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p NOT VALID;
    CREATE TABLE d (id int PRIMARY KEY, p int); INSERT INTO d VALUES (1, 1), (2, 99);";
    let config = |dangling: &str| {
        format!(
            "{KEEP}[[references]]\nfrom = \"public.d.p\"\nto = \"public.p.id\"\n[subset]\nseed = [{{ table = \"public.c\" }}, {{ table = \"public.d\" }}]\ndangling = \"{dangling}\"\n"
        )
    };
    let lab = lab("dangling", schema, "");
    lab.config(&config("keep"));
    let ran = lab.refresh();
    assert!(
        ran.stderr.contains("foreign key c_p points nowhere in 2 rows; they are copied as they are"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("reference public.d.p -> public.p.id points nowhere in 1 row;"), "{}", ran.stderr);
    assert_eq!(lab.staging("SELECT count(p) FROM c"), "3");
    lab.config(&config("null"));
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*), count(p) FROM c"), "4|1");
    assert_eq!(lab.staging("SELECT count(*), count(p) FROM d"), "2|1");
    lab.config(&config("fail"));
    let before = lab.databases();
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(
        ran.stderr.contains("error[plan::subset-dangling]: foreign key c_p of \"public.c.p\" points nowhere in 2 rows"),
        "{}",
        ran.stderr
    );
    assert_eq!(lab.databases(), before);
}

#[test]
fn seeds_and_references_that_the_server_cannot_read_are_refused_with_their_reason() {
    let lab = lab(
        "unread",
        DECLARED,
        "[[references]]\nfrom = \"public.users.name\"\nto = \"public.posts.id\"\n[subset]\nseed = [{ table = \"public.users\", where = \"nam = 'x'\" }]\n",
    );
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    // The reference compares a text with a number, and is read by value.
    assert_eq!(ran.stderr.matches("error[plan::subset-sql]").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("seed 1 of \"public.users\"") && ran.stderr.contains("42703"), "{}", ran.stderr);
}

#[test]
fn chains_and_cycles_end() {
    let schema = "
    CREATE TABLE staff (id int PRIMARY KEY, boss int REFERENCES staff DEFERRABLE INITIALLY DEFERRED, team int);
    CREATE TABLE team (id int PRIMARY KEY, lead int NOT NULL REFERENCES staff DEFERRABLE INITIALLY DEFERRED);
    ALTER TABLE staff ADD FOREIGN KEY (team) REFERENCES team DEFERRABLE INITIALLY DEFERRED;
    BEGIN;
    INSERT INTO staff SELECT i, NULLIF(i / 2, 0), 1 + i % 3 FROM generate_series(1, 300) i;
    INSERT INTO team VALUES (1, 7), (2, 8), (3, 9);
    COMMIT;";
    let lab = lab(
        "cycles",
        schema,
        "[subset]\nseed = [{ table = \"public.staff\", where = \"id = 200\" }]\nchildren = \"none\"\n",
    );
    lab.refresh();
    // 200 100 50 25 12 6 3 1, their teams, and whoever leads these, up to the top.
    assert_eq!(
        lab.staging("SELECT string_agg(id::text, ',' ORDER BY id) FROM staff"),
        "1,2,3,4,6,7,8,9,12,25,50,100,200"
    );
    assert_eq!(lab.staging("SELECT count(*) FROM team"), "3");
}

/// Documents with what `jsonb` and texts cannot hold, beside and inside of the ids.
const DOCUMENTS: &str = r#"
CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 20);
CREATE TABLE j (id int PRIMARY KEY, body json);
CREATE TABLE b (id int PRIMARY KEY, body jsonb);
INSERT INTO b VALUES (1, '{"u": {"id": 5}}'), (2, '{"u": {"id": "6"}, "x": "\\u0000"}'), (3, '{"u": [1]}'), (4, '[]'), (5, NULL), (6, '7'),
  (7, '{"u": {"id": 1e3}, "seen": [{"by": 8}, {"by": "x"}, 9]}');
INSERT INTO j SELECT id, body::text::json FROM b;
INSERT INTO j VALUES (11, '{"x": "\u0000", "u": {"id": 5}}'), (12, '{"u": {"id": "\u0000"}}'), (13, '{"x": 1e999999, "u": {"id": 9}}'),
  (14, '{"u": {"id": 1e999999}}'), (15, '{"\ud800": "\udc00 \ud83d\ude00", "u": {"id": 10}}'),
  (16, '{"x": "\\\u0000", "seen": [{"by": 11}, {"by": 1e999999}, {"by": "\ud800"}]}'), (17, '{"u": {"id": 1, "id": 12}}');
"#;

#[test]
fn documents_that_jsonb_cannot_hold_are_followed_like_others() {
    let reference = |table: &str, path: &str| {
        format!("[[references]]\nfrom = \"public.{table}.body\"\nto = \"public.users.id\"\njson = [{path}]\n")
    };
    let paths = ["\"u\", \"id\"", "\"seen\", \"*\", \"by\""];
    let rules: String = ["j", "b"].iter().flat_map(|table| paths.map(|path| reference(table, path))).collect();
    let seed =
        |table: &str| format!("{rules}[subset]\nseed = [{{ table = \"public.{table}\" }}]\nchildren = \"none\"\n");
    let lab = lab("documents", DOCUMENTS, &seed("b"));
    let users = |lab: &Lab<'_>| lab.staging("SELECT string_agg(id::text, ',' ORDER BY id) FROM users");
    lab.refresh();
    assert_eq!(users(&lab), "5,6,8");
    lab.config(&format!("{KEEP}{}", seed("j")));
    lab.refresh();
    assert_eq!(users(&lab), "5,6,8,9,10,11,12", "the same, and those of documents that only json can hold");
    // From the other end, too.
    lab.config(&format!("{KEEP}{rules}[subset]\nseed = [{{ table = \"public.users\", where = \"id IN (5, 11)\" }}]\n"));
    lab.refresh();
    assert_eq!(lab.staging("SELECT string_agg(id::text, ',' ORDER BY id) FROM j"), "1,11,16");
    assert_eq!(
        lab.staging("SELECT body::text FROM j WHERE id = 16"),
        lab.production("SELECT body::text FROM j WHERE id = 16")
    );
}

/// Notes on things with keys of every type, by the text of the key; and numbers that refer to a text.
const TEXT_IDS: &str = "
CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 9);
CREATE TABLE big (id bigint PRIMARY KEY); INSERT INTO big VALUES (9223372036854775807), (-9223372036854775808), (7);
CREATE TABLE files (id uuid PRIMARY KEY); INSERT INTO files VALUES ('00000000-0000-0000-0000-00000000000a'), ('00000000-0000-0000-0000-00000000000b');
CREATE TABLE days (id date PRIMARY KEY); INSERT INTO days VALUES ('2026-01-02'), ('2026-01-03');
CREATE TABLE codes (code text PRIMARY KEY); INSERT INTO codes VALUES ('41'), ('42'), ('x');
CREATE TABLE notes (id int PRIMARY KEY, on_type text, on_id text, code int, seen text[]);
INSERT INTO notes VALUES (1, 'User', '3', 42, '{1,x}'), (2, 'User', 'x', 43, NULL), (3, 'User', '', NULL, '{}'), (4, 'User', '99999999999999999999', NULL, NULL),
  (5, 'User', ' 4', NULL, '{NULL}'), (6, 'Big', '9223372036854775807', NULL, NULL), (7, 'Big', '-9223372036854775808', NULL, NULL),
  (8, 'Big', '9223372036854775808', NULL, NULL), (9, 'File', '00000000-0000-0000-0000-00000000000A', NULL, NULL), (10, 'File', '5', NULL, NULL),
  (11, 'Day', '2026-01-02', NULL, NULL), (12, 'Day', 'never', NULL, NULL), (13, 'User', NULL, NULL, NULL), (14, 'File', '3', NULL, NULL);
";

#[test]
fn ids_that_are_text_refer_to_keys_of_any_type_and_what_is_no_id_refers_to_nothing() {
    let typed = |table: &str, kind: &str| {
        format!(
            "[[references]]\nfrom = \"public.notes.on_id\"\nto = \"public.{table}.id\"\ntype_column = \"on_type\"\ntype_value = \"{kind}\"\n"
        )
    };
    let plain =
        |from: &str, to: &str| format!("[[references]]\nfrom = \"public.notes.{from}\"\nto = \"public.{to}\"\n");
    let rules = [
        typed("users", "User"),
        typed("big", "Big"),
        typed("files", "File"),
        typed("days", "Day"),
        plain("code", "codes.code"),
        plain("seen", "users.id"),
    ]
    .concat();
    let seed = |table: &str, children: &str| {
        format!("{rules}[subset]\nseed = [{{ table = \"public.{table}\" }}]\nchildren = \"{children}\"\n")
    };
    let lab = lab("text_ids", TEXT_IDS, &seed("notes", "none"));
    let ran = lab.refresh();
    let all = |table: &str, column: &str| {
        lab.staging(&format!("SELECT string_agg({column}::text, ',' ORDER BY {column}) FROM {table}"))
    };
    assert_eq!(all("users", "id"), "1,3");
    assert_eq!(all("big", "id"), "-9223372036854775808,9223372036854775807");
    assert_eq!(all("files", "id"), "00000000-0000-0000-0000-00000000000a");
    assert_eq!((all("days", "id"), all("codes", "code")), ("2026-01-02".to_owned(), "42".to_owned()));
    assert!(
        ran.stderr.contains("reference public.notes.on_id -> public.users.id points nowhere in 4 rows"),
        "{}",
        ran.stderr
    );
    // From the keys to what refers to them.
    lab.config(&format!("{KEEP}{}", seed("files", "all")));
    lab.refresh();
    assert_eq!(all("notes", "id"), "9");
    lab.config(&format!("{KEEP}{}", seed("codes", "all")));
    lab.refresh();
    assert_eq!(all("notes", "id"), "1");
    // All rows, with the gate that counts what points nowhere on both sides.
    lab.config(&format!("{KEEP}{rules}"));
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM notes"), "14");
}

#[test]
fn ids_are_compared_by_their_value_however_they_are_written() {
    let schema = r#"
    CREATE TABLE users (id int PRIMARY KEY); INSERT INTO users SELECT generate_series(1, 40);
    CREATE TABLE prices (id numeric PRIMARY KEY); INSERT INTO prices VALUES (1.5), (20), (0.03);
    CREATE TABLE files (id uuid PRIMARY KEY); INSERT INTO files SELECT ('f4fc73aa-0000-0000-0000-00000000000' || i)::uuid FROM generate_series(1, 9) i;
    CREATE TABLE days (id date PRIMARY KEY); INSERT INTO days VALUES ('2026-01-02');
    CREATE TABLE notes (id int PRIMARY KEY, person text, price text, file text, day text, body json);
    INSERT INTO notes VALUES (1, '5.0', '1.50', 'F4FC73AA000000000000000000000001', '2026-01-02', '{"u": 1e1}'),
      (2, '+6', '2e1', '{f4fc73aa-0000-0000-0000-000000000002}', '02.01.2026', '{"u": 11.0}'), (3, '007', '+.03', 'f4fc-73aa-0000-0000-0000-0000-0000-0003', NULL, '{"u": "12"}'),
      (4, '8e0', '0.030', '{f4fc73aa-0000-0000-0000-000000000004', NULL, '{"u": 1.35e1}'), (5, '9.5', 'NaN', 'f4fc73aa-0000-0000-0000-00000000005', NULL, '{"u": 1e400}'),
      (6, '1e99', '1e999999', 'f4fc73aa--0000-0000-0000-00000000006', NULL, '{"u": 1e999999}'), (7, '', ' 1.5', 'f4f-c73aa-0000-0000-0000-000000000007', NULL, '{"u": -0.0}'),
      (8, '1e', '1,5', '{}', NULL, '{"u": "1e1 "}'), (9, '0x0A', 'e1', repeat('1', 400), NULL, '{"u": [14]}'), (10, repeat('9', 200000), repeat('9', 200000), NULL, NULL, NULL);"#;
    let reference =
        |from: &str, to: &str| format!("[[references]]\nfrom = \"public.notes.{from}\"\nto = \"public.{to}.id\"\n");
    let columns = [("person", "users"), ("price", "prices"), ("file", "files"), ("day", "days")];
    let rules: String = columns.iter().map(|(from, to)| reference(from, to)).collect();
    let rules = format!("{rules}{}json = [\"u\"]\n", reference("body", "users"));
    let lab = lab(
        "by_value",
        schema,
        &format!("{rules}[subset]\nseed = [{{ table = \"public.notes\" }}]\nchildren = \"none\"\n"),
    );
    lab.refresh();
    let all = |table: &str| lab.staging(&format!("SELECT string_agg(id::text, ',' ORDER BY id) FROM {table}"));
    assert_eq!(all("users"), "5,6,7,8,10,11,12");
    assert_eq!(all("prices"), "0.03,1.5,20");
    let files = [1, 2, 3].map(|number| format!("f4fc73aa-0000-0000-0000-00000000000{number}")).join(",");
    assert_eq!((all("files"), all("days")), (files, "2026-01-02".to_owned()));
    // The server, as the judge of what the value of a text is, where it reads one.
    let same =
        "SELECT string_agg(DISTINCT n.file::uuid::text, ',' ORDER BY n.file::uuid::text) FROM notes n WHERE id < 4";
    assert_eq!(lab.production(same), all("files"));
    // From the keys to what refers to them, by way of the same comparison.
    for (table, seed, found) in
        [("users", "id IN (5, 11)", "1,2"), ("prices", "id = 1.5", "1"), ("files", "true", "1,2,3")]
    {
        lab.config(&format!(
            "{KEEP}{rules}[subset]\nseed = [{{ table = \"public.{table}\", where = \"{seed}\" }}]\n[[subset.edge]]\nfrom = \"public.notes.day\"\nchildren = \"none\"\n"
        ));
        lab.refresh();
        assert_eq!(all("notes"), found, "{table}");
    }
}

#[test]
fn a_reference_that_must_not_dangle_is_told_the_ways_out_that_it_has() {
    let schema = "
    CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1);
    CREATE TABLE lists (id int PRIMARY KEY, ps int[]); INSERT INTO lists VALUES (1, '{1,9}');
    CREATE TABLE rows (id int PRIMARY KEY, p int); INSERT INTO rows VALUES (1, 9);";
    let config = |from: &str| {
        format!(
            "{KEEP}[[references]]\nfrom = \"public.{from}\"\nto = \"public.p.id\"\n[subset]\nseed = [{{ table = \"public.lists\" }}, {{ table = \"public.rows\" }}]\ndangling = \"fail\"\n"
        )
    };
    let lab = lab("ways_out", schema, "");
    for (from, ways) in [("lists.ps", vec!["keep"]), ("rows.p", vec!["keep", "null"])] {
        lab.config(&config(from));
        let ran = lab.restage(&["plan"]);
        assert!(ran.code == 3 && ran.stderr.contains("error[plan::subset-dangling]"), "{ran:?}");
        assert_eq!(ran.stderr.contains("or \"null\""), ways.contains(&"null"), "{}", ran.stderr);
        let report = &ran.stderr[ran.stderr.find("[[subset.edge]]").expect("lines")..];
        let lines: Vec<&str> = report.lines().take(4).map(str::trim).collect();
        for way in ways {
            let lines = lines.join("\n").replace("dangling = \"keep\"", &format!("dangling = \"{way}\""));
            lab.config(&format!("{}{lines}\n", config(from)));
            let ran = lab.restage(&["plan"]);
            assert_eq!(ran.code, 0, "{lines}: {}", ran.stderr);
        }
    }
}

#[test]
fn the_table_of_a_condition_is_called_t_and_whoever_uses_its_name_is_told() {
    let schema = "
    CREATE TABLE tx (id int PRIMARY KEY, b int); INSERT INTO tx SELECT i, i % 10 FROM generate_series(1, 100) i;
    CREATE TABLE acc (id int PRIMARY KEY, b int); INSERT INTO acc VALUES (1, 3), (2, 4);";
    let exists = |table: &str| format!("EXISTS (SELECT 1 FROM public.acc WHERE acc.b = {table}.b)");
    let seed = |table: &str| format!("[subset]\nseed = [{{ table = \"public.tx\", where = \"{}\" }}]\n", exists(table));
    let rows = |table: &str| {
        format!(
            "[tables.\"public.tx\"]\ndefault = {{ keep = \"a test\" }}\nrows = {{ where = \"{}\" }}\n",
            exists(table)
        )
    };
    let lab = lab("called_t", schema, "");
    for (lines, code) in [(seed("tx"), "plan::subset-sql"), (rows("tx"), "plan::rows-where")] {
        lab.config(&format!("{KEEP}{lines}"));
        let ran = lab.restage(&["plan"]);
        assert!(ran.code == 3 && ran.stderr.contains(&format!("error[{code}]")), "{ran:?}");
        assert!(ran.stderr.contains("42P01") && ran.stderr.contains("is called t, not by its name"), "{}", ran.stderr);
    }
    for lines in [seed("t"), rows("t")] {
        lab.config(&format!("{KEEP}{lines}"));
        lab.refresh();
        assert_eq!(lab.staging("SELECT count(*), count(DISTINCT b) FROM tx"), "20|2");
    }
}

#[test]
fn a_value_of_a_scenario_that_is_none_of_its_type_is_told_as_that() {
    let schema = "CREATE TABLE tx (id int PRIMARY KEY); INSERT INTO tx VALUES (1), (2);";
    let scenario = "[scenario.one]\nparams = [\"id\"]\nseed = [{ table = \"public.tx\", where = \"id = :id\" }]\n";
    let lab = lab("misfit", schema, scenario);
    let ran = lab.restage(&["plan", "--scenario", "one", "--set", "id=qzxw"]);
    assert!(ran.code == 3 && ran.stderr.contains("error[plan::subset-sql]"), "{ran:?}");
    assert!(
        ran.stderr.contains("A value in it does not fit the type") && ran.stderr.contains("--set PARAM=VALUE"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("restage.toml:") && !ran.stderr.contains("qzxw"), "{}", ran.stderr);
    assert_eq!(lab.restage(&["plan", "--scenario", "one", "--set", "id=2"]).code, 0);
}

#[test]
fn a_row_is_explained_by_the_partition_that_paths_name() {
    let schema = "
    CREATE TABLE o (id int PRIMARY KEY); INSERT INTO o VALUES (1), (2);
    CREATE TABLE ev (id int, day date, o int REFERENCES o, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
    CREATE TABLE ev_old PARTITION OF ev FOR VALUES FROM ('2020-01-01') TO ('2026-01-01');
    CREATE TABLE ev_new PARTITION OF ev FOR VALUES FROM ('2026-01-01') TO ('2030-01-01');
    INSERT INTO ev VALUES (1, '2025-01-01', 1), (2, '2026-02-02', 2);";
    let lab = lab("leaf_row", schema, "[subset]\nseed = [{ table = \"public.o\", where = \"id = 1\" }]\n");
    let path = |row: &str| {
        let ran = lab.restage(&["explain", "--row", row]);
        assert_eq!(ran.code, 0, "{row}: {ran:?}");
        ran.stdout
    };
    let whole = path("public.ev 1 2025-01-01");
    assert!(whole.contains("public.ev_old"), "{whole}");
    assert_eq!(path("public.ev_old 1 2025-01-01"), whole);
    assert_eq!(path("ev_old 1 2025-01-01"), whole);
    for (row, part) in [
        ("public.ev_new 1 2025-01-01", "has no row with this key"),
        ("public.nothing 1", "No table is called \"public.nothing\"."),
    ] {
        let ran = lab.restage(&["explain", "--row", row]);
        assert!(ran.code == 2 && ran.stderr.contains(part), "{row}: {ran:?}");
    }
}
