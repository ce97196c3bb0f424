//! What the lock pins below the names of columns and types: attributes, base types, labels, definitions, keys; and lines of
//! refusals that hold when they are pasted.

use crate::lock::{lock_text, stopped_by, write_lock};
use crate::support::Lab;

const ITEMS: &str = "
CREATE TYPE mood AS ENUM ('fine');
CREATE TYPE dims AS (w int, h int);
CREATE TYPE parcel AS (size dims, mood mood);
CREATE DOMAIN room AS dims;
CREATE DOMAIN amount AS int;
CREATE TYPE span AS RANGE (subtype = int);
CREATE TABLE items (id int PRIMARY KEY, d dims, ds dims[], p parcel, r room, m dims, n amount, ns amount[], s span);
INSERT INTO items SELECT i, ROW(i, 2)::dims, ARRAY[ROW(i, 2)::dims], ROW(ROW(i, 2)::dims, 'fine')::parcel, ROW(i, 2)::dims,
  ROW(i, 2)::dims, i, ARRAY[i]::amount[], span(i, i + 1) FROM generate_series(1, 20) i;
";

fn items(columns: &str) -> String {
    format!(
        "[tables.\"public.items\"]\ndefault = {{ keep = \"sizes, no person\" }}\n\n[tables.\"public.items\".columns]\n{columns}\n"
    )
}

fn locked_items(name: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(ITEMS);
    lab.config(&items("m = { mask = \"composite\", rest = \"keep\", fields = { w = \"null\" } }"));
    write_lock(&lab);
    lab.refresh();
    lab
}

/// The hint of the refusal with this code, as it was written.
#[track_caller]
pub fn hint(lab: &Lab<'_>, code: &str) -> String {
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one JSON document");
    let reports = document["error"].as_array().expect("reports");
    let report = reports.iter().find(|report| report["code"] == code).unwrap_or_else(|| panic!("{code}: {document}"));
    report["hint"].as_str().expect("a hint").to_owned()
}

/// The lines of a hint that decide columns, without headers and words.
fn decisions(hint: &str) -> Vec<&str> {
    hint.lines().filter(|line| line.contains(" = {") && !line.starts_with('[')).collect()
}

#[test]
fn an_attribute_added_to_a_composite_type_stops_the_run_wherever_the_type_is_held() {
    let lab = locked_items("pinned_attribute");
    let text = lock_text(&lab);
    assert!(text.contains("[composites.\"public.dims\"]\nh = \"integer\"\nw = \"integer\"\n"), "{text}");
    assert!(text.contains("\"public.amount\" = \"domain over integer\""), "{text}");
    assert!(text.contains("\"public.span\" = \"range of integer\""), "{text}");
    let added = "ALTER TYPE dims ADD ATTRIBUTE owner_name text;
        UPDATE items SET d = ROW(1, 2, 'canary8842'), ds = ARRAY[ROW(1, 2, 'canary8842')::dims],
          p = ROW(ROW(1, 2, 'canary8842'), 'fine'), m = ROW(1, 2, 'canary8842')";
    let ran = stopped_by(&lab, added);
    for column in ["d", "ds", "p", "r", "m"] {
        assert!(ran.stderr.contains(&format!("~ column public.items.{column}: ")), "{column}: {}", ran.stderr);
    }
    assert!(ran.stderr.contains("attribute owner_name text is new in public.dims"), "{}", ran.stderr);
    assert!(ran.stderr.contains("in 5 places"), "nothing else changed: {}", ran.stderr);
    assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
    let diff = lab.restage(&["plan", "--diff"]);
    assert!(diff.code == 3 && diff.stdout.contains("owner_name text is new"), "{diff:?}");
    // The lines hide it when they are pasted.
    let hint = hint(&lab, "plan::lock");
    let lines: Vec<&str> = decisions(&hint).into_iter().filter(|line| !line.starts_with("r = ")).collect();
    assert_eq!(lines.len(), 4, "{hint}");
    assert!(lines.iter().any(|line| line.starts_with("m = ") && line.contains("in place of the line there")), "{hint}");
    lab.config(&items(&lines.join("\n")));
    write_lock(&lab);
    lab.refresh();
    let holding = "SELECT count(*) FROM items WHERE (d).owner_name IS NOT NULL OR (ds[1]).owner_name IS NOT NULL \
         OR ((p).size).owner_name IS NOT NULL OR (m).owner_name IS NOT NULL";
    assert_eq!(lab.staging(holding), "0");
    assert_eq!(lab.staging("SELECT count(*) FROM items WHERE (d).h = 2 AND ((p).size).h = 2 AND (m).w IS NULL"), "20");
    // The twin: the source has it in every row.
    assert_eq!(lab.source.sql(&lab.name, holding), "20");
}

#[test]
fn an_attribute_that_is_accepted_or_gone_is_told_once() {
    let lab = locked_items("pinned_accepted");
    stopped_by(&lab, "ALTER TYPE dims ADD ATTRIBUTE depth int");
    write_lock(&lab);
    lab.refresh();
    let ran = stopped_by(&lab, "ALTER TYPE dims DROP ATTRIBUTE depth");
    assert!(ran.stderr.contains("depth is gone in public.dims"), "{}", ran.stderr);
}

#[test]
fn types_made_anew_under_their_names_stop_the_run() {
    let lab = locked_items("pinned_types");
    for (migration, told) in [
        (
            "ALTER TABLE items ALTER n TYPE int, ALTER ns TYPE int[] USING NULL; DROP DOMAIN amount;
             CREATE DOMAIN amount AS text; ALTER TABLE items ALTER n TYPE amount USING 'canary8842',
               ALTER ns TYPE amount[] USING NULL",
            "~ type public.amount: domain over integer → domain over text",
        ),
        (
            "ALTER TABLE items ALTER s TYPE text USING NULL; DROP TYPE span; CREATE TYPE span AS RANGE (subtype = text);
             ALTER TABLE items ALTER s TYPE span USING NULL",
            "~ type public.span: range of integer → range of text",
        ),
        ("ALTER TYPE mood ADD VALUE 'sick'", "+ label \"sick\" of public.mood"),
    ] {
        let ran = stopped_by(&lab, migration);
        assert!(ran.stderr.contains(told) && ran.stderr.contains("in 1 place"), "{migration}: {}", ran.stderr);
        assert!(!ran.stderr.contains("canary"), "{}", ran.stderr);
        write_lock(&lab);
        lab.refresh();
    }
}

#[test]
fn a_lock_of_before_types_were_pinned_stops_nothing_by_itself() {
    let lab = locked_items("pinned_old");
    let text = lock_text(&lab);
    let types = text.find("\n[types]").expect("types");
    let tables = text.find("\n[tables.").expect("tables");
    assert!(text[types..tables].contains("[composites."), "{text}");
    std::fs::write(lab.path("restage.lock"), format!("{}{}", &text[..types], &text[tables..])).expect("written");
    lab.source.sql_as("app", &lab.name, "ALTER TYPE dims ADD ATTRIBUTE depth int");
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("in 1 place") && ran.stderr.contains("edited by hand"), "{}", ran.stderr);
    write_lock(&lab);
    assert!(lock_text(&lab).contains("depth = \"integer\""));
    lab.refresh();
}

#[test]
fn a_definition_is_accepted_as_it_was_seen_and_not_by_its_label_for_ever() {
    let lab = Lab::new("pinned_definition");
    lab.seed(
        "CREATE TABLE notes (id int PRIMARY KEY, a text); INSERT INTO notes VALUES (1, 'x');
         COMMENT ON TABLE notes IS 'ask Maria Schneider'",
    );
    let config = |allow: &str| {
        format!("[policy]\nddl_literals_allow = [{allow}]\n[tables.\"*\"]\ndefault = {{ keep = \"a test\" }}\n")
    };
    lab.config(&config("\"COMMENT public.*\""));
    // Without a lock there was no review, so the label alone holds.
    lab.refresh();
    write_lock(&lab);
    let text = lock_text(&lab);
    assert!(text.contains("\n[definitions]\n\"COMMENT public.TABLE notes\" = \""), "{text}");
    assert!(!text.contains("Schneider"), "{text}");
    lab.refresh();
    for (migration, told) in [
        ("COMMENT ON TABLE notes IS 'ask Robert Miller'", "~ definition COMMENT public.TABLE notes: "),
        ("COMMENT ON COLUMN notes.a IS 'by Robert Miller'", "+ definition COMMENT public.COLUMN notes.a: "),
    ] {
        let ran = stopped_by(&lab, migration);
        assert!(ran.stderr.contains("error[plan::lock]") && ran.stderr.contains(told), "{migration}: {}", ran.stderr);
        assert!(ran.stderr.contains("in 1 place") && !ran.stderr.contains("Miller"), "{}", ran.stderr);
        let out = lab.path("fixture").display().to_string();
        let fixture = lab.restage(&["fixture", "--out", &out, "--rows", "all"]);
        assert!(fixture.code == 3 && fixture.stderr.contains(told), "{fixture:?}");
        write_lock(&lab);
        lab.refresh();
    }
    // What says nothing comes as it likes, and anything may go.
    lab.source.sql_as("app", &lab.name, "COMMENT ON COLUMN notes.id IS '12345'; COMMENT ON COLUMN notes.a IS NULL");
    lab.refresh();
    // A lock of before texts were pinned compares none.
    let text = lock_text(&lab);
    let (from, to) = (text.find("\n[definitions]").expect("texts"), text.find("\n[tables.").expect("tables"));
    std::fs::write(lab.path("restage.lock"), format!("{}{}", &text[..from], &text[to..])).expect("written");
    lab.source.sql_as("app", &lab.name, "COMMENT ON TABLE notes IS 'ask Maria Miller'");
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 3 && ran.stderr.contains("in 1 place"), "only its hash is wrong: {ran:?}");
}

#[test]
fn checks_domains_and_the_order_of_attributes_stop_the_run_when_they_change() {
    let lab = Lab::new("pinned_texts");
    lab.seed(
        "CREATE DOMAIN code AS text CHECK (VALUE <> 'x');
         CREATE TYPE home AS (line text, town text);
         CREATE TABLE t (id int PRIMARY KEY, status text CONSTRAINT t_status CHECK (status IN ('open', 'paid')), c code, h home,
           mail text CONSTRAINT t_mail CHECK (mail LIKE '%@%'));
         INSERT INTO t VALUES (1, 'open', 'a', ROW('canary 8842', 'Ulm'), 'somebody@planted.test')",
    );
    lab.config(
        "[tables.\"public.t\".columns]\nid = \"keep\"\nstatus = { keep = \"a test\" }\nc = { keep = \"a test\" }\nmail = \"email\"\n\
         h = { mask = \"composite\", fields = { line = \"text.drop\", town = \"keep\" } }\n",
    );
    write_lock(&lab);
    lab.refresh();
    for (migration, told) in [
        (
            "ALTER TABLE t DROP CONSTRAINT t_status, ADD CONSTRAINT t_status CHECK (status IN ('open', 'paid', 'Quillfeather'))",
            "~ check t_status of public.t: another text",
        ),
        (
            "ALTER TABLE t DROP CONSTRAINT t_mail, ADD CONSTRAINT t_mail CHECK (mail LIKE '%@%' AND mail <> 'Quillfeather')",
            "~ check t_mail of public.t: another text",
        ),
        ("ALTER TABLE t ADD CONSTRAINT t_more CHECK (mail <> 'Quillfeather')", "+ check t_more of public.t: new"),
        ("ALTER TABLE t DROP CONSTRAINT t_more", "- check t_more of public.t"),
        ("ALTER DOMAIN code SET DEFAULT 'Quillfeather'", "+ default of public.code: new"),
        ("ALTER DOMAIN code DROP CONSTRAINT code_check", "- check code_check of public.code"),
        (
            "ALTER TYPE home RENAME ATTRIBUTE line TO x; ALTER TYPE home RENAME ATTRIBUTE town TO line; \
             ALTER TYPE home RENAME ATTRIBUTE x TO town",
            "attribute line, town changed places in public.home: are their names exchanged?",
        ),
    ] {
        let ran = stopped_by(&lab, migration);
        if told.starts_with("attribute") {
            // The line hides both, whichever holds what now.
            let hint = hint(&lab, "plan::lock");
            assert!(hint.contains("h = { mask = \"composite\"") && hint.contains("town = \"null\""), "{hint}");
        }
        assert!(ran.stderr.contains(told) && ran.stderr.contains("in 1 place"), "{migration}: {}", ran.stderr);
        assert!(!ran.stderr.contains("Quillfeather") && !ran.stderr.contains("canary"), "{}", ran.stderr);
        write_lock(&lab);
        assert!(!lock_text(&lab).contains("Quillfeather"));
    }
    assert_eq!(lab.staging("SELECT count(*) FROM t WHERE h::text LIKE '%canary%'"), "0");
}

#[test]
fn a_lock_of_before_checks_of_masked_columns_were_pinned_compares_none_of_them() {
    let lab = Lab::new("pinned_checks");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, mail text CONSTRAINT t_mail CHECK (mail LIKE '%@%'));
         INSERT INTO t VALUES (1, 'somebody@planted.test')",
    );
    lab.config("[tables.\"public.t\".columns]\nid = \"keep\"\nmail = \"email\"\n");
    write_lock(&lab);
    let text = lock_text(&lab);
    let from = text.find("\n[checks]").expect("checks");
    let to = from + text[from..].find("\n[switches]").expect("what follows");
    assert!(text[from..to].contains("[checks.\"public.t\"]\n\"check t_mail\" = \""), "{text}");
    std::fs::write(lab.path("restage.lock"), format!("{}{}", &text[..from], &text[to..])).expect("written");
    lab.source.sql_as("app", &lab.name, "ALTER TABLE t ADD CONSTRAINT t_more CHECK (mail <> 'x')");
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 3 && ran.stderr.contains("in 1 place"), "only its hash is wrong: {ran:?}");
    assert!(ran.stderr.contains("edited by hand") && !ran.stderr.contains("t_more"), "{ran:?}");
}

/// A table of documents with two known keys, kept by `doc`, under a lock.
fn documents(name: &str, doc: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(
        "CREATE TABLE p (id int PRIMARY KEY, doc jsonb);
         INSERT INTO p SELECT i, jsonb_build_object('size', i, 'by', jsonb_build_object('code', i))
         FROM generate_series(1, 30) i;",
    );
    lab.config(&documents_policy(doc));
    write_lock(&lab);
    lab.refresh();
    lab
}

fn documents_policy(doc: &str) -> String {
    format!("[tables.\"public.p\".columns]\nid = \"keep\"\n{doc}\n")
}

/// Pastes the line of the refusal, goes on as it says, and returns the hint.
#[track_caller]
fn paste(lab: &Lab<'_>) -> String {
    let hint = hint(lab, "plan::json-keys");
    assert!(
        !hint.contains("canary") && hint.contains("in place of what decides the column at restage.toml:"),
        "{hint}"
    );
    let [line] = decisions(&hint)[..] else { panic!("one line: {hint}") };
    lab.config(&documents_policy(line));
    write_lock(lab);
    lab.refresh();
    hint
}

#[test]
fn a_key_that_only_one_document_has_is_hidden_by_the_line_and_found_by_the_query() {
    for (name, doc) in [
        ("pinned_one_kept", "doc = { keep = \"settings, no person\" }"),
        ("pinned_one_masked", "doc = { mask = \"json\", paths = { \"$.by.code\" = \"null\" }, rest = \"keep\" }"),
    ] {
        let lab = documents(name, doc);
        let more = "UPDATE p SET doc = jsonb_set(doc, '{by,nickname}', '\"canary8842\"') WHERE id = 7";
        lab.source.sql_as("app", &lab.name, more);
        let hint = paste(&lab);
        assert!(hint.contains("unknown_keys = \"null\""), "{hint}");
        assert!(!lab.target.dump(&lab.name).contains("canary"), "{hint}");
        assert_eq!(lab.staging("SELECT count(*), sum((doc ->> 'size')::int) FROM p WHERE doc ? 'size'"), "30|465");
        let query = hint.lines().find(|line| line.starts_with("SELECT ")).expect("a query");
        let found = lab.source.sql(&lab.name, query);
        assert!(found.contains("nickname") && !found.contains("canary") && !found.contains("size"), "{query}: {found}");
        // Writing the lock once more, for whatever reason, lets nothing new through either.
        write_lock(&lab);
        lab.refresh();
        assert!(!lab.target.dump(&lab.name).contains("canary"));
        // The twin: a path that is said to be kept is kept.
        let kept = "doc = { mask = \"json\", rest = \"keep\", unknown_keys = \"null\", paths = { \"$.by.nickname\" = \"keep\" } }";
        lab.config(&documents_policy(kept));
        write_lock(&lab);
        lab.refresh();
        assert!(lab.target.dump(&lab.name).contains("canary"));
    }
}

#[test]
fn the_line_for_a_mask_in_one_line_is_the_whole_line() {
    let doc = "doc = { mask = \"json\", paths = { \"$.by.code\" = \"null\" }, rest = \"keep\" }";
    let lab = documents("pinned_inline", doc);
    let more = "UPDATE p SET doc = doc || '{\"nickname\": \"canary8842\"}' WHERE id IN (7, 8)";
    lab.source.sql_as("app", &lab.name, more);
    let hint = paste(&lab);
    assert!(
        hint.contains(
            "\ndoc = { mask = \"json\", paths = { \"$.by.code\" = \"null\", \"$.nickname\" = \"null\" }, rest = \"keep\" }"
        ),
        "{hint}"
    );
    assert!(!lab.target.dump(&lab.name).contains("canary"));
    assert_eq!(lab.staging("SELECT count(*) FROM p WHERE doc #> '{by,code}' = 'null'"), "30");
    assert_eq!(lab.staging("SELECT count(*), sum((doc ->> 'size')::int) FROM p WHERE doc ? 'size'"), "30|465");
}

#[test]
fn a_table_that_moved_to_another_schema_is_proposed_there() {
    let lab = Lab::new("pinned_moved");
    lab.seed("CREATE TABLE k (id int PRIMARY KEY); CREATE TABLE kk (id int PRIMARY KEY)");
    lab.config("[tables.\"public.k\".columns]\nid = \"keep\"\n\n[tables.\"public.kk\".columns]\nid = \"keep\"\n");
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    lab.source.sql_as("app", &lab.name, "CREATE SCHEMA z; ALTER TABLE k SET SCHEMA z");
    lab.grant();
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("Did you mean [tables.\"z.k\"]?"), "{ran:?}");
}

#[test]
fn a_reason_of_no_word_is_none() {
    let lab = Lab::new("pinned_reason");
    lab.seed("CREATE TABLE t (id int PRIMARY KEY, a text)");
    for (reason, code) in [("…", 2), ("?!", 2), ("ok", 0), ("設定", 0)] {
        lab.config(&format!("[tables.\"public.t\".columns]\nid = \"keep\"\na = {{ keep = \"{reason}\" }}\n"));
        let ran = lab.restage(&["plan"]);
        assert_eq!(ran.code, code, "{reason}: {ran:?}");
        assert_eq!(ran.stderr.contains("says nothing"), code == 2, "{reason}: {ran:?}");
    }
}

#[test]
fn a_new_key_of_a_kept_hstore_stops_the_run_and_is_hidden_by_the_line() {
    let lab = Lab::new("pinned_hstore");
    lab.seed(
        "CREATE EXTENSION hstore;
         CREATE TABLE p (id int PRIMARY KEY, doc hstore);
         INSERT INTO p SELECT i, hstore('size', i::text) FROM generate_series(1, 30) i",
    );
    lab.config(&documents_policy("doc = { keep = \"settings, no person\" }"));
    write_lock(&lab);
    assert!(lock_text(&lab).contains("doc = [\n  \"$.size: string\",\n]"), "{}", lock_text(&lab));
    lab.refresh();
    lab.source.sql_as("app", &lab.name, "UPDATE p SET doc = doc || hstore('nickname', 'canary8842') WHERE id = 7");
    let hint = paste(&lab);
    assert!(hint.contains("\ndoc = { mask = \"hstore\", fields = { size = \"keep\" }, rest = \"null\" }"), "{hint}");
    assert!(!lab.target.dump(&lab.name).contains("canary"));
    assert_eq!(lab.staging("SELECT count(*), sum((doc -> 'size')::int) FROM p"), "30|465");
    let query = hint.lines().find(|line| line.starts_with("SELECT ")).expect("a query");
    assert!(lab.source.sql(&lab.name, query).contains("nickname"), "{query}");
}

#[test]
fn a_new_key_of_an_hstore_whose_rest_is_kept_stops_the_run_and_is_hidden_by_the_line() {
    let lab = Lab::new("pinned_hstore_rest");
    lab.seed(
        "CREATE EXTENSION hstore;
         CREATE TABLE p (id int PRIMARY KEY, doc hstore);
         INSERT INTO p SELECT i, hstore(ARRAY['size', 'email'], ARRAY[i::text, 'u' || i || '@example.com'])
         FROM generate_series(1, 30) i",
    );
    lab.config(&documents_policy("doc = { mask = \"hstore\", fields = { email = \"email\" }, rest = \"keep\" }"));
    write_lock(&lab);
    lab.refresh();
    lab.source.sql_as("app", &lab.name, "UPDATE p SET doc = doc || hstore('nickname', 'canary8842') WHERE id = 7");
    let hint = paste(&lab);
    let line = "\ndoc = { mask = \"hstore\", fields = { email = \"email\", size = \"keep\" }, rest = \"null\" }";
    assert!(hint.contains(line) && !hint.contains("unknown_keys"), "{hint}");
    assert!(!lab.target.dump(&lab.name).contains("canary"), "{hint}");
    // The twin: what was reviewed stays.
    assert_eq!(lab.staging("SELECT sum((doc -> 'size')::int) FROM p"), "465");
}

#[test]
fn columns_that_are_others_under_their_names_stop_the_run_though_their_rank_is_the_same() {
    let lab = Lab::new("pinned_rank");
    lab.seed(
        "CREATE TYPE who AS (plan text, last text);
         CREATE TABLE person (id int PRIMARY KEY, plan text, last_name text, w who);
         INSERT INTO person VALUES (1, 'free', 'canary8842', ROW('free', 'canary8842'))",
    );
    let policy = |lines: &str| format!("[tables.\"public.person\".columns]\nid = \"keep\"\n{lines}\n");
    let w = "w = { mask = \"composite\", fields = { plan = \"keep\", last = \"null\" } }";
    let last = "last_name = \"pattern\"";
    lab.config(&policy(&format!("plan = {{ keep = \"product data\" }}\n{last}\n{w}")));
    write_lock(&lab);
    assert!(lock_text(&lab).contains("\n[oids]\n\"public.person\" = "), "{}", lock_text(&lab));
    lab.refresh();
    let ran = stopped_by(
        &lab,
        "ALTER TABLE person DROP plan; ALTER TABLE person RENAME last_name TO plan; ALTER TABLE person ADD last_name text",
    );
    let told = "~ column public.person.plan: is the column that was last_name, pattern/1: are their names exchanged?";
    assert!(ran.stderr.contains(told) && ran.stderr.contains("in 1 place"), "{}", ran.stderr);
    let hint = hint(&lab, "plan::lock");
    assert!(hint.contains("plan = { mask = \"pattern\" }"), "{hint}");
    lab.config(&policy(&format!("plan = {{ mask = \"pattern\" }}\n{last}\n{w}")));
    write_lock(&lab);
    lab.refresh();
    assert!(!lab.target.dump(&lab.name).contains("canary"));
    let ran = stopped_by(
        &lab,
        "ALTER TYPE who DROP ATTRIBUTE plan; ALTER TYPE who RENAME ATTRIBUTE last TO plan; ALTER TYPE who ADD ATTRIBUTE last text",
    );
    assert!(ran.stderr.contains("attribute plan, last changed places in public.who"), "{}", ran.stderr);
    // Twin: a lock without numbers compares the rank alone.
    let text = lock_text(&lab);
    let (from, to) = (text.find("\n[oids]").expect("numbers"), text.find("\n[tables.").expect("tables"));
    std::fs::write(lab.path("restage.lock"), format!("{}{}", &text[..from], &text[to..])).expect("written");
    let ran = lab.restage(&["plan", "--diff"]);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("changed places"), "{ran:?}");
}

#[test]
fn tables_schemas_and_partitions_that_exchange_their_names_stop_the_run() {
    let lab = Lab::new("pinned_tables");
    lab.seed(
        "CREATE TABLE a1 (id int PRIMARY KEY, label text); CREATE TABLE a2 (id int PRIMARY KEY, label text);
         CREATE SCHEMA s1; CREATE SCHEMA s2;
         CREATE TABLE s1.t (id int PRIMARY KEY, label text); CREATE TABLE s2.t (id int PRIMARY KEY, label text);
         CREATE TABLE ev (id int, label text) PARTITION BY RANGE (id);
         CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (0) TO (100);
         CREATE TABLE old (id int, label text);
         INSERT INTO a1 VALUES (1, 'open'); INSERT INTO a2 VALUES (1, 'canary8842');
         INSERT INTO s1.t VALUES (1, 'open'); INSERT INTO s2.t VALUES (1, 'canary8842');
         INSERT INTO ev VALUES (1, 'open'); INSERT INTO old VALUES (1, 'canary8842')",
    );
    lab.config(
        "[tables.\"*\"]\ndefault = { keep = \"a test\" }\n[tables.\"public.a2\".columns]\nlabel = \"pattern\"\n\
         [tables.\"s2.t\".columns]\nlabel = \"pattern\"\n[tables.\"public.old\".columns]\nlabel = \"pattern\"\n",
    );
    write_lock(&lab);
    lab.refresh();
    for (exchange, back, told, under) in [
        (
            "ALTER TABLE a1 RENAME TO ax; ALTER TABLE a2 RENAME TO a1; ALTER TABLE ax RENAME TO a2",
            "ALTER TABLE a1 RENAME TO ax; ALTER TABLE a2 RENAME TO a1; ALTER TABLE ax RENAME TO a2",
            "~ column public.a1.label: public.a1 was public.a2 when this was reviewed, pattern/1",
            "[tables.\"public.a1\".columns]",
        ),
        (
            "ALTER SCHEMA s1 RENAME TO sx; ALTER SCHEMA s2 RENAME TO s1; ALTER SCHEMA sx RENAME TO s2",
            "ALTER SCHEMA s1 RENAME TO sx; ALTER SCHEMA s2 RENAME TO s1; ALTER SCHEMA sx RENAME TO s2",
            "~ column s1.t.label: s1.t was s2.t when this was reviewed, pattern/1",
            "[tables.\"s1.t\".columns]",
        ),
        (
            "ALTER TABLE ev DETACH PARTITION ev_1; ALTER TABLE ev_1 RENAME TO x; ALTER TABLE old RENAME TO ev_1;
             ALTER TABLE x RENAME TO old; ALTER TABLE ev ATTACH PARTITION ev_1 FOR VALUES FROM (0) TO (100)",
            "ALTER TABLE ev DETACH PARTITION ev_1; ALTER TABLE ev_1 RENAME TO x; ALTER TABLE old RENAME TO ev_1;
             ALTER TABLE x RENAME TO old; ALTER TABLE ev ATTACH PARTITION ev_1 FOR VALUES FROM (0) TO (100)",
            "~ column public.ev.label: public.ev_1 was public.old when this was reviewed, pattern/1",
            "[tables.\"public.ev\".columns]",
        ),
    ] {
        let ran = stopped_by(&lab, exchange);
        assert!(ran.stderr.contains(told) && ran.stderr.contains("in 1 place"), "{exchange}: {}", ran.stderr);
        let hint = hint(&lab, "plan::lock");
        assert!(hint.contains(under) && hint.contains("\nlabel = { mask = \"pattern\" }"), "{hint}");
        lab.source.sql_as("app", &lab.name, back);
        lab.grant();
        lab.refresh();
    }
    assert!(!lab.target.dump(&lab.name).contains("canary"));
}

/// The lock without what stands from one section to another, as an earlier build wrote it.
pub fn without(lab: &Lab<'_>, from: &str, to: &str) {
    let text = lock_text(lab);
    let from = text.find(&format!("\n[{from}")).expect("the section");
    let to = from + text[from..].find(&format!("\n[{to}")).expect("what follows");
    std::fs::write(lab.path("restage.lock"), format!("{}{}", &text[..from], &text[to..])).expect("written");
}

#[test]
fn expressions_of_partitions_and_generated_columns_stop_the_run_when_they_say_something_new() {
    let lab = Lab::new("pinned_expressions");
    lab.seed(
        "CREATE TABLE ev (id int, kind text DEFAULT 'open' CONSTRAINT kinds CHECK (kind <> 'x')) PARTITION BY RANGE (id);
         CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (0) TO (100);
         CREATE TABLE person (id int PRIMARY KEY); INSERT INTO ev VALUES (1)",
    );
    lab.config("[policy]\nnew_partitions = \"inherit\"\n[tables.\"*\"]\ndefault = { keep = \"a test\" }\n");
    write_lock(&lab);
    // What a partition has of its root is the root's.
    assert!(lock_text(&lab).contains("\n[expressions]\n\n[switches]"), "{}", lock_text(&lab));
    lab.refresh();
    for (migration, told) in [
        ("ALTER TABLE ev_1 ALTER kind SET DEFAULT 'Quillfeather'", "+ default of kind of public.ev_1: new"),
        ("ALTER TABLE ev_1 ALTER kind SET DEFAULT 'Quillfeathers'", "~ default of kind of public.ev_1: another text"),
        ("ALTER TABLE ev_1 ADD CONSTRAINT own CHECK (kind <> 'Quillfeather')", "+ check own of public.ev_1: new"),
        (
            "ALTER TABLE person ADD g text GENERATED ALWAYS AS ('Quillfeather'::text) STORED",
            "+ generated g of public.person: new",
        ),
        (
            "CREATE TABLE ev_2 PARTITION OF ev (kind DEFAULT 'Quillfeather') FOR VALUES FROM (100) TO (200)",
            "+ default of kind of public.ev_2: new",
        ),
    ] {
        let ran = stopped_by(&lab, migration);
        assert!(ran.stderr.contains(told) && ran.stderr.contains("in 1 place"), "{migration}: {}", ran.stderr);
        assert!(!ran.stderr.contains("Quillfeather"), "{}", ran.stderr);
        write_lock(&lab);
        assert!(!lock_text(&lab).contains("Quillfeather"));
    }
    lab.refresh();
    // Twin: a lock of before compares none.
    without(&lab, "expressions", "switches]");
    lab.source.sql_as("app", &lab.name, "ALTER TABLE ev_1 ALTER kind SET DEFAULT 'Quillfeatherly'");
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 3 && ran.stderr.contains("in 1 place") && ran.stderr.contains("edited by hand"), "{ran:?}");
}

#[test]
fn bodies_and_comments_stop_the_run_when_they_say_something_new() {
    let lab = Lab::new("pinned_bodies");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, status text); INSERT INTO t VALUES (1, 'open');
         CREATE VIEW v AS SELECT id FROM t WHERE status = 'open';
         CREATE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''part_2026_11''::text'",
    );
    lab.config("[tables.\"*\"]\ndefault = { keep = \"a test\" }\n");
    write_lock(&lab);
    assert!(lock_text(&lab).contains("\n[literals]\n\"FUNCTION public.f()\" = \""), "{}", lock_text(&lab));
    lab.refresh();
    for (migration, told) in [
        (
            "CREATE OR REPLACE VIEW v AS SELECT id FROM t WHERE status IN ('open', 'Quillfeather')",
            "~ definition VIEW public.v: 1 text in it",
        ),
        (
            "CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''Quillfeathers''::text'",
            "~ definition FUNCTION public.f(): 1 text in it",
        ),
        ("COMMENT ON TABLE t IS 'quillfeatherly'", "+ definition COMMENT public.TABLE t: 1 text in it"),
    ] {
        let ran = stopped_by(&lab, migration);
        assert!(ran.stderr.contains(told) && ran.stderr.contains("in 1 place"), "{migration}: {}", ran.stderr);
        assert!(!ran.stderr.to_lowercase().contains("quillfeather"), "{}", ran.stderr);
        write_lock(&lab);
        assert!(!lock_text(&lab).to_lowercase().contains("quillfeather"));
    }
    // What was reviewed may stand elsewhere, go, or count on.
    lab.source.sql_as(
        "app",
        &lab.name,
        "CREATE VIEW w AS SELECT id FROM t WHERE status = 'Quillfeather'; COMMENT ON TABLE t IS NULL;
         CREATE OR REPLACE FUNCTION f() RETURNS text LANGUAGE sql AS 'SELECT ''Quillfeathers''::text || ''2026''::text'",
    );
    lab.grant();
    lab.refresh();
    // Twin: a lock of before compares none.
    without(&lab, "literals]", "oids]");
    lab.source.sql_as("app", &lab.name, "COMMENT ON TABLE t IS 'by Quillfeather'");
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 3 && ran.stderr.contains("in 1 place") && ran.stderr.contains("edited by hand"), "{ran:?}");
}

/// A type comes with all its labels, whatever is made of the columns of it.
#[test]
fn labels_of_types_that_no_kept_column_has_stop_the_run_when_they_say_something_new() {
    let lab = Lab::new("pinned_labels");
    let types = ["masked", "left_out", "asked", "shown", "unused"];
    let create: Vec<String> = types.iter().map(|name| format!("CREATE TYPE {name} AS ENUM ('aa', 'bb')")).collect();
    lab.seed(&format!(
        "{}; CREATE TYPE kept AS ENUM ('aa', 'bb'); CREATE TABLE t (id int PRIMARY KEY, k kept, m masked);
         INSERT INTO t SELECT i, 'aa', 'bb' FROM generate_series(1, 20) i; CREATE TABLE logs (id int, l left_out);
         CREATE FUNCTION f(asked) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW v AS SELECT 'aa'::shown AS x",
        create.join("; ")
    ));
    lab.config(
        "[tables.\"public.t\".columns]\nid = \"keep\"\nk = { keep = \"a test\" }\n\
         m = { mask = \"const\", value = \"aa\" }\n[tables.\"public.logs\"]\nrows = \"none\"\n",
    );
    write_lock(&lab);
    lab.refresh();
    for name in types {
        let ran = stopped_by(&lab, &format!("ALTER TYPE {name} ADD VALUE 'quillfeather_{name}'"));
        let told = format!("~ definition TYPE public.{name}: 1 text in it");
        assert!(ran.stderr.contains(&told) && ran.stderr.contains("in 1 place"), "{name}: {}", ran.stderr);
        assert!(!ran.stderr.contains("quillfeather_"), "{}", ran.stderr);
        write_lock(&lab);
    }
    let ran = stopped_by(&lab, "CREATE TYPE anew AS ENUM ('quillfeathery', 'aa')");
    assert!(ran.stderr.contains("+ definition TYPE public.anew: 1 text in it"), "{}", ran.stderr);
    write_lock(&lab);
    let ran = stopped_by(&lab, "CREATE DOMAIN spare AS text CHECK (VALUE <> 'quillfeathers')");
    assert!(ran.stderr.contains("+ definition DOMAIN public.spare: 1 text in it"), "{}", ran.stderr);
    write_lock(&lab);
    // That of a kept column is told once, by its label.
    let ran = stopped_by(&lab, "ALTER TYPE kept ADD VALUE 'cc'");
    assert!(
        ran.stderr.contains("+ label \"cc\" of public.kept") && ran.stderr.contains("in 1 place"),
        "{}",
        ran.stderr
    );
    // The twin: what was said before says nothing new.
    write_lock(&lab);
    lab.source.sql_as("app", &lab.name, "CREATE TYPE again AS ENUM ('bb', 'cc')");
    lab.refresh();
}
