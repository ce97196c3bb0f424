//! What a migration changes under a lock is told with what can be done about it, and holds when it is pasted.

use crate::lock::{lock_text, stopped_by, write_lock};
use crate::pinned::{hint, without};
use crate::support::Lab;

/// A policy that decides the columns of `public.t`.
fn policy(lines: &[String]) -> String {
    format!("[tables.\"public.t\".columns]\n{}\n", lines.join("\n"))
}

fn locked(name: &str, seed: &str, decided: &[&str]) -> (Lab<'static>, Vec<String>) {
    let lab = Lab::new(name);
    lab.seed(seed);
    let lines: Vec<String> = decided.iter().map(|line| (*line).to_owned()).collect();
    lab.config(&policy(&lines));
    write_lock(&lab);
    lab.refresh();
    (lab, lines)
}

/// The decisions of a hint.
fn decisions(hint: &str) -> Vec<&str> {
    hint.lines().filter(|line| line.contains(" = ") && !line.starts_with('[')).collect()
}

/// The lines with those of a hint in place of the ones for the same columns, and without what was decided for `gone`.
fn pasted(lines: &[String], hint: &str, gone: &str) -> Vec<String> {
    let column = |line: &str| line.split(" = ").next().unwrap_or_default().to_owned();
    let new = decisions(hint);
    let stays = |line: &&String| column(line) != gone && new.iter().all(|new| column(new) != column(line));
    let stay = lines.iter().filter(stays).cloned();
    stay.chain(new.iter().map(|line| (*line).to_owned())).collect()
}

/// Runs the statements of a hint on the source.
fn undo(lab: &Lab<'_>, hint: &str) {
    let statements: Vec<&str> = hint.lines().filter(|line| line.starts_with("ALTER ")).collect();
    assert!(!statements.is_empty(), "{hint}");
    for statement in statements {
        lab.source.sql_as("app", &lab.name, statement);
    }
}

/// Accepts the rest and goes on.
fn accepted(lab: &Lab<'_>, lines: &[String]) {
    lab.config(&policy(lines));
    write_lock(lab);
    lab.refresh();
}

#[test]
fn a_changed_type_is_told_with_a_line_that_hides_what_it_holds() {
    let (lab, mut lines) = locked(
        "migration_type",
        "CREATE TABLE t (id int PRIMARY KEY, note text, phone text NOT NULL, size text, code int);
         INSERT INTO t SELECT i, 'n' || i, '+1-823-555-0109', 'large', i FROM generate_series(1, 20) i",
        &[
            "id = \"keep\"",
            "note = \"text.spans\"",
            "phone = \"phone\"",
            "size = { keep = \"a test\" }",
            "code = { keep = \"a test\" }",
        ],
    );
    for (migration, refused, begin) in [
        ("ALTER TABLE t ALTER note TYPE jsonb USING to_jsonb(note)", "plan::wrong-type", "note = "),
        ("ALTER TABLE t ALTER phone TYPE bigint USING id", "plan::wrong-type", "phone = { mask = \"const\""),
        ("ALTER TABLE t ALTER size TYPE jsonb USING to_jsonb(size)", "plan::lock", "size = "),
        ("ALTER TABLE t ALTER code TYPE text USING 'Quillfeather'", "plan::lock", "code = "),
    ] {
        stopped_by(&lab, migration);
        let hint = hint(&lab, refused);
        let new = decisions(&hint);
        assert!(new.len() == 1 && new[0].starts_with(begin) && !new[0].contains("keep"), "{migration}: {hint}");
        lines = pasted(&lines, &hint, "");
        accepted(&lab, &lines);
    }
    assert_eq!(lab.staging("SELECT count(*) FROM t WHERE t::text ~ 'Quillfeather|large'"), "0");
}

#[test]
fn a_new_label_is_hidden_by_the_lines_wherever_it_is_kept() {
    let (lab, lines) = locked(
        "migration_label",
        "CREATE TYPE plan AS ENUM ('free', 'gold');
         CREATE TYPE card AS (plan plan, seats int);
         CREATE TABLE t (id int PRIMARY KEY, plan plan, need plan NOT NULL, cards card[], tier plan);
         INSERT INTO t SELECT i, 'gold', 'gold', ARRAY[ROW('gold', i)::card], 'gold' FROM generate_series(1, 20) i",
        &[
            "id = \"keep\"",
            "plan = { keep = \"product data\" }",
            "need = { keep = \"product data\" }",
            "cards = { keep = \"product data\" }",
            "tier = \"enum.perm\"",
        ],
    );
    let ran = stopped_by(&lab, "ALTER TYPE plan ADD VALUE 'platinum'");
    assert!(ran.stderr.contains("+ label \"platinum\" of public.plan") && ran.stderr.contains("in 1 place"), "{ran:?}");
    lab.source.sql_as(
        "app",
        &lab.name,
        "UPDATE t SET plan = 'platinum', need = 'platinum', cards = ARRAY[ROW('platinum', id)::card]",
    );
    let hint = hint(&lab, "plan::lock");
    assert!(hint.contains("A label that is accepted comes with its type, and with the rows that have it"), "{hint}");
    let new = decisions(&hint);
    assert_eq!(new.len(), 3, "what is masked needs no line: {hint}");
    for begin in ["plan = \"null\"", "need = { mask = \"const\"", "cards = { mask = \"composite\""] {
        assert!(new.iter().any(|line| line.starts_with(begin)), "{begin}: {hint}");
    }
    accepted(&lab, &pasted(&lines, &hint, ""));
    let holding = "SELECT count(*) FROM t WHERE plan = 'platinum' OR need = 'platinum' OR (cards[1]).plan = 'platinum'";
    assert_eq!(lab.staging(holding), "0");
    assert_eq!(lab.staging("SELECT sum((cards[1]).seats) FROM t"), "210", "the rest of it is kept");
    // The twin: the same rows, accepted without the lines.
    accepted(&lab, &lines);
    assert_eq!(lab.staging(holding), "20");
}

#[test]
fn a_default_or_check_that_says_something_new_is_undone_by_the_statement_and_hidden_in_rows_by_the_line() {
    let (lab, lines) = locked(
        "migration_text",
        "CREATE DOMAIN code AS text;
         CREATE TABLE t (id int PRIMARY KEY, status text, note text, c code);
         INSERT INTO t SELECT i, 'open', 'n' || i, 'a' FROM generate_series(1, 20) i",
        &["id = \"keep\"", "status = { keep = \"a test\" }", "note = \"pattern\"", "c = { keep = \"a test\" }"],
    );
    for (migration, told, statement, line) in [
        (
            "ALTER TABLE t ALTER note SET DEFAULT 'Quillfeather'",
            "~ column public.t.note: another default that holds text",
            "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"note\" DROP DEFAULT;",
            None,
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT more CHECK (note <> 'Quillfeather')",
            "+ check more of public.t: new",
            "ALTER TABLE \"public\".\"t\" DROP CONSTRAINT \"more\";",
            None,
        ),
        (
            "ALTER TABLE t ADD CONSTRAINT open CHECK (status IN ('open', 'Quillfeather'))",
            "+ check open of public.t: new",
            "ALTER TABLE \"public\".\"t\" DROP CONSTRAINT \"open\";",
            Some("status"),
        ),
        (
            "ALTER DOMAIN code SET DEFAULT 'Quillfeather'",
            "+ default of public.code: new",
            "ALTER DOMAIN public.code DROP DEFAULT;",
            Some("c"),
        ),
        (
            "ALTER TABLE t ALTER status SET DEFAULT 'Quillfeather'",
            "~ column public.t.status: another default that holds text",
            "ALTER TABLE \"public\".\"t\" ALTER COLUMN \"status\" DROP DEFAULT;",
            Some("status"),
        ),
    ] {
        let ran = stopped_by(&lab, migration);
        assert!(ran.stderr.contains(told) && ran.stderr.contains("in 1 place"), "{migration}: {}", ran.stderr);
        let hint = hint(&lab, "plan::lock");
        assert!(hint.contains("A definition that is accepted comes as it is") && hint.contains(statement), "{hint}");
        assert!(!hint.contains("Quillfeather"), "{hint}");
        let columns: Vec<&str> = decisions(&hint).iter().filter_map(|line| line.split(" = ").next()).collect();
        assert_eq!(columns, line.into_iter().collect::<Vec<_>>(), "{hint}");
        // What is undone needs no lock: it is what was reviewed.
        undo(&lab, &hint);
        lab.refresh();
    }
    stopped_by(&lab, "ALTER TABLE t ALTER status SET DEFAULT 'Quillfeather'; UPDATE t SET status = 'Quillfeather'");
    let hint = hint(&lab, "plan::lock");
    let holding = "SELECT count(*) FROM t WHERE status = 'Quillfeather'";
    accepted(&lab, &pasted(&lines, &hint, ""));
    assert_eq!((lab.staging(holding), lab.production(holding)), ("0".to_owned(), "20".to_owned()));
    // As it says: the line hides rows, and the definition came as it is.
    assert!(lab.target.dump(&lab.name).contains("Quillfeather"));
    undo(&lab, &hint);
    write_lock(&lab);
    lab.refresh();
    assert!(!lab.target.dump(&lab.name).contains("Quillfeather"));
}

#[test]
fn a_default_with_a_name_in_it_is_refused_until_it_is_accepted_by_its_label() {
    let (lab, lines) = locked(
        "migration_name",
        "CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'x')",
        &["id = \"keep\"", "note = \"pattern\""],
    );
    stopped_by(&lab, "ALTER TABLE t ALTER note SET DEFAULT 'Robert Miller'");
    let hint = hint(&lab, "plan::personal-literal");
    let line = hint.lines().find(|line| line.starts_with("ddl_literals_allow = ")).expect("a line");
    lab.config(&format!("[policy]\n{line}\n\n{}", policy(&lines)));
    // The lock is about what it was before; it is accepted as it is now, and not what it becomes.
    assert_eq!(lab.restage(&["refresh"]).code, 3);
    write_lock(&lab);
    assert!(!lock_text(&lab).contains("Miller"));
    lab.refresh();
    stopped_by(&lab, "ALTER TABLE t ALTER note SET DEFAULT 'Maria Schneider'");
}

#[test]
fn a_renamed_column_is_told_as_that_and_the_line_carries_what_was_decided() {
    let (lab, mut lines) = locked(
        "migration_rename",
        "CREATE TABLE t (id int PRIMARY KEY, plan text, mail text);
         INSERT INTO t SELECT i, 'gold', 'canary' || i || '@planted.org' FROM generate_series(1, 20) i",
        &["id = \"keep\"", "plan = { keep = \"product data\" }", "mail = { mask = \"email\", label = \"crm\" }"],
    );
    for (was, is, decision) in [
        ("plan", "tariff", "{ keep = \"product data\" }"),
        ("mail", "contact", "{ mask = \"email\", label = \"crm\" }"),
    ] {
        let ran = stopped_by(&lab, &format!("ALTER TABLE t RENAME {was} TO {is}"));
        let told = format!("column \"public.t.{was}\" is now called \"{is}\"");
        assert!(ran.stderr.contains("error[plan::renamed-column]") && ran.stderr.contains(&told), "{}", ran.stderr);
        let renamed = hint(&lab, "plan::renamed-column");
        assert!(decisions(&renamed) == [format!("{is} = {decision}")], "{renamed}");
        lines = pasted(&lines, &renamed, was);
        lab.config(&policy(&lines));
        // The decision is the same; that it is for this column is to be accepted.
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 3, "{ran:?}");
        let told = format!("~ column public.t.{was}: is now called {is}; ");
        assert!(ran.stderr.contains(&told) && ran.stderr.contains("in 1 place"), "{}", ran.stderr);
        accepted(&lab, &lines);
    }
    assert_eq!(lab.staging("SELECT count(*) FROM t WHERE tariff = 'gold' AND contact LIKE '%@%'"), "20");
    assert!(!lab.target.dump(&lab.name).contains("canary"));
    // A lock without numbers knows of a column that is gone, and of one that is new.
    without(&lab, "oids]", "tables.");
    lab.source.sql_as("app", &lab.name, "ALTER TABLE t RENAME tariff TO plan");
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 3 && ran.stderr.contains("plan::unknown-column"), "{ran:?}");
    assert!(!ran.stderr.contains("is now called"), "{ran:?}");
}

#[test]
fn a_renamed_column_that_a_default_would_keep_is_told_with_the_line_that_masks_it_as_before() {
    let lab = Lab::new("migration_default");
    lab.seed(
        "CREATE TABLE t (id int PRIMARY KEY, plan text, mail text);
         INSERT INTO t SELECT i, 'gold', 'canary' || i || '@planted.org' FROM generate_series(1, 20) i",
    );
    let default = "[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n\n";
    lab.config(&format!("{default}{}", policy(&["mail = \"email\"".to_owned()])));
    write_lock(&lab);
    lab.refresh();
    // Whoever takes out the line of the old name keeps the column.
    lab.config(default);
    let ran = stopped_by(&lab, "ALTER TABLE t RENAME mail TO contact; ALTER TABLE t RENAME plan TO tariff");
    assert!(
        ran.stderr.contains("~ column public.t.mail: is now called contact; email/1 → keep, by")
            && ran.stderr.contains("~ column public.t.plan: is now called tariff; keep, by")
            && ran.stderr.contains("in 2 places"),
        "{}",
        ran.stderr
    );
    let hint = hint(&lab, "plan::lock");
    let lines = decisions(&hint);
    assert_eq!(lines, ["contact = { mask = \"email\" }", "tariff = { keep = \"a test\" }"], "{hint}");
    let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
    lab.config(&format!("{default}{}", policy(&lines)));
    write_lock(&lab);
    lab.refresh();
    assert!(!lab.target.dump(&lab.name).contains("canary"));
    assert_eq!(lab.staging("SELECT count(*) FROM t WHERE tariff = 'gold'"), "20");
    // The twin: accepted without the line. The search of the loaded database would find it, and is off.
    lab.config(&format!("{default}[verify]\nleak = false\n"));
    write_lock(&lab);
    lab.refresh();
    assert!(lab.target.dump(&lab.name).contains("canary"));
}

#[test]
fn masked_columns_that_exchange_their_names_stop_the_run_and_the_lines_exchange_their_masks() {
    let decided =
        ["id = \"keep\"", "mail = \"email\"", "tel = { mask = \"phone\", on_invalid = \"null\" }", "note = \"null\""];
    let seed = "CREATE TABLE t (id int PRIMARY KEY, mail text, tel text, note text);
         INSERT INTO t SELECT i, 'canary' || i || '@planted.org', '+1-823-555-01' || (i + 9), 'n' FROM generate_series(1, 20) i";
    let exchange =
        "ALTER TABLE t RENAME mail TO old; ALTER TABLE t RENAME tel TO mail; ALTER TABLE t RENAME old TO tel";
    let (lab, lines) = locked("migration_crossed", seed, &decided);
    let ran = stopped_by(&lab, exchange);
    for told in [
        "~ column public.t.mail: is the column that was tel, phone/1, and gets email/1: are their names exchanged?",
        "~ column public.t.tel: is the column that was mail, email/1, and gets phone/1: are their names exchanged?",
        "in 2 places",
    ] {
        assert!(ran.stderr.contains(told), "{told}: {}", ran.stderr);
    }
    let hint = hint(&lab, "plan::lock");
    let new = decisions(&hint);
    assert!(new.len() == 2 && new.iter().all(|line| line.contains("in place of the line there")), "{hint}");
    // With the parameters that the policy has.
    assert!(new[0].starts_with("mail = { mask = \"phone\", on_invalid = \"null\" }"), "{hint}");
    assert!(new[1].starts_with("tel = { mask = \"email\" }"), "{hint}");
    accepted(&lab, &pasted(&lines, &hint, ""));
    assert_eq!(lab.staging("SELECT count(*) FROM t WHERE tel LIKE '%@%' AND mail NOT LIKE '%@%'"), "20");
    assert!(!lab.target.dump(&lab.name).contains("canary"));
    // Twin: a lock without numbers does not tell one from the other.
    without(&lab, "oids]", "tables.");
    lab.source.sql_as("app", &lab.name, exchange);
    let ran = lab.restage(&["plan", "--diff"]);
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("names exchanged"), "{ran:?}");
}

#[test]
fn comments_that_tell_how_a_body_works_stop_no_run_and_those_that_may_name_somebody_do() {
    let (lab, _) = locked(
        "migration_comment",
        "CREATE TABLE t (id int PRIMARY KEY, note text); INSERT INTO t VALUES (1, 'x'); CREATE EXTENSION hstore;
         CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        &["id = \"keep\"", "note = \"pattern\""],
    );
    let function =
        |comment: &str| format!("CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 {comment}\n$$");
    lab.source.sql_as("app", &lab.name, &function("-- Counts the rows, and the rest below."));
    lab.refresh();
    for (comment, code) in [
        ("-- Counts the rows, as Quillfeather asked for.", "plan::lock"),
        ("-- Counts the rows, see robert.miller@planted.org", "plan::personal-literal"),
    ] {
        let ran = stopped_by(&lab, &function(comment));
        assert!(
            ran.stderr.contains(&format!("error[{code}]")) && ran.stderr.contains("FUNCTION public.f()"),
            "{ran:?}"
        );
        assert!(!ran.stderr.contains("Quillfeather") && !ran.stderr.contains("miller"), "{}", ran.stderr);
    }
    lab.source.sql_as("app", &lab.name, &function(""));
    lab.refresh();
    // Another version of an extension brings another comment; what looks personal in it is refused all the same.
    lab.source.sql(&lab.name, "COMMENT ON EXTENSION hstore IS 'keys and values, version two'");
    lab.refresh();
    lab.source.sql(&lab.name, "COMMENT ON EXTENSION hstore IS 'ask Robert Miller'");
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 3 && ran.stderr.contains("error[plan::personal-literal]"), "{ran:?}");
}
