//! Leaks of every kind, planted: the run publishes nothing and names table and column, never the value; the twin without the
//! gate publishes what is leaking.

use crate::support::{Lab, Ran};
use std::os::unix::fs::PermissionsExt as _;

/// Two hundred people, and tables around them in which somebody may have written one of them down.
const PEOPLE: &str = "
CREATE TABLE people (id int PRIMARY KEY, first_name text NOT NULL, last_name text NOT NULL, email text UNIQUE, badge text, phone text);
INSERT INTO people SELECT i, 'Qzef' || chr(97 + i % 26) || chr(97 + i / 26), 'Vlok' || chr(97 + i % 26) || chr(97 + i / 26),
  'qzef' || i || '@planted.test', 'QB-' || 100000 + i * 37, '+49 30 ' || 7100000 + i * 331 FROM generate_series(1, 200) i;
CREATE TABLE notes (id int PRIMARY KEY, person int REFERENCES people, body text, data jsonb, code text);
INSERT INTO notes SELECT i, i, 'called back on day ' || i, jsonb_build_object('n', i, 'what', 'call'), 'A' || i % 7 FROM generate_series(1, 120) i;
";

const POLICY: &str = "
[tables.\"public.people\".columns]
id = \"keep\"
first_name = { mask = \"name.first\", subject = \"id\" }
last_name = { mask = \"name.last\", subject = \"id\" }
email = \"email\"
badge = \"pattern\"
phone = \"phone\"

[tables.\"public.notes\".columns]
id = \"keep\"
person = \"keep\"
body = { keep = \"phrases of our own\" }
data = { keep = \"no person\" }
code = { keep = \"a code\" }
";

/// Words of planted values, in small letters.
const PLANTED: [&str; 4] = ["qzef", "vlok", "planted.test", "qb-1"];

#[track_caller]
fn silent(ran: &Ran) {
    let all = format!("{}{}", ran.stdout, ran.stderr).to_lowercase();
    for word in PLANTED {
        assert!(!all.contains(word), "{word}: {ran:?}");
    }
}

/// The run is refused by this gate and says this; the twin publishes.
#[track_caller]
fn leaks(lab: &Lab<'_>, policy: &str, gate: &str, told: &[&str]) {
    lab.config(policy);
    let before = lab.databases();
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains(&format!("gate \"leak: {gate}\" does not hold")), "{gate}: {ran:?}");
    for told in told {
        assert!(ran.stderr.contains(told), "{told}: {ran:?}");
    }
    assert!(ran.stderr.contains("Nothing was published"), "{ran:?}");
    assert!(lab.databases().contains(&lab.name) == before.contains(&lab.name), "{:?}", lab.databases());
    silent(&ran);
    lab.config(&format!("{policy}\n[verify]\nleak = false\n"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    silent(&ran);
}

/// A policy whose program for badges answers with what it is asked.
fn echoing(lab: &Lab<'_>) -> String {
    std::fs::write(lab.path("echo.sh"), "#!/bin/sh\nexec sed -u 's/,\"[^\"]*\"$//'\n").expect("write");
    std::fs::set_permissions(lab.path("echo.sh"), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    let echo = "badge = { mask = \"command\", command = [\"./echo.sh\"], format = \"csv\" }";
    POLICY.replace("badge = \"pattern\"", echo)
}

#[test]
fn sound_masks_pass_every_leak_gate() {
    let lab = Lab::new("sound");
    lab.seed(PEOPLE);
    lab.config(&format!("[policy]\npacks = [\"pii\", \"secrets\"]\n{POLICY}"));
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let gates = found["gates"].as_array().expect("gates");
    for name in ["masked columns", "texts", "detectors", "definitions", "statistics"] {
        let gate = gates.iter().find(|gate| gate["name"] == format!("leak: {name}")).expect("every gate is told");
        assert_eq!(gate["ok"], true, "{gate}");
        assert!(gate["evidence"].as_str().is_some_and(|text| text.contains(char::is_numeric)), "{gate}");
    }
    silent(&ran);
}

#[test]
fn columns_of_what_a_kind_keeps_by_design_are_published() {
    let lab = Lab::new("designed");
    lab.seed(PEOPLE);
    lab.seed(
        "ALTER TABLE people ADD device uuid, ADD nic macaddr, ADD host inet; \
         UPDATE people SET device = (CASE WHEN id = 7 THEN '6f1c2d9e-8a4b-4c3d-9e2f-1a2b3c4d5e6f' ELSE '00000000-0000-0000-0000-000000000000' END)::uuid, \
           nic = '00:00:00:00:00:00', host = ('127.0.0.' || id)::inet",
    );
    let own = "badge = \"pattern\"\ndevice = \"uuid\"\nnic = \"mac\"\nhost = \"ip\"";
    lab.config(&POLICY.replace("badge = \"pattern\"", own));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = lab.restage(&["explain", "people.device", "--json"]);
    assert!(ran.stdout.contains("the nil UUID and the max UUID"), "{ran:?}");
    // The twin: of a mask that keeps the value of one row, beside them, nothing is published.
    let echo = echoing(&lab);
    lab.seed("UPDATE people SET badge = '00000000-0000-0000-0000-000000000000' WHERE id <> 7");
    let told = "public.people.badge: 1 of 1 different values of the source are in staging in their rows";
    leaks(
        &lab,
        &echo.replace("badge = {", "device = \"uuid\"\nnic = \"mac\"\nhost = \"ip\"\nbadge = {"),
        "masked columns",
        &[told],
    );
}

#[test]
fn a_kept_column_that_holds_masked_values_is_a_leak() {
    let lab = Lab::new("kept");
    lab.seed(PEOPLE);
    lab.seed("UPDATE notes SET code = (SELECT email FROM people p WHERE p.id = notes.id) WHERE id = 77");
    leaks(
        &lab,
        POLICY,
        "texts",
        &["public.notes.code: values of public.people.email in 1 of 120 rows", "leak_allow = [\"public.notes.code\"]"],
    );
    // The way out that is told.
    let allowed = format!("{POLICY}\n[verify]\nleak_allow = [\"public.notes.code\"]\n");
    lab.config(&allowed);
    assert_eq!(lab.restage(&["refresh"]).code, 0);
    // Under a lock it is a change that wants to be accepted, which is told with it.
    let then = "Then accept the policy anew: restage plan --write-lock";
    lab.config(POLICY);
    assert!(!lab.restage(&["refresh"]).stderr.contains(then), "the twin: no lock");
    assert_eq!(lab.restage(&["plan", "--write-lock"]).code, 0);
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 6 && ran.stderr.contains(then), "{ran:?}");
    lab.config(&allowed);
    assert_eq!(lab.restage(&["refresh"]).code, 3);
    assert_eq!(lab.restage(&["plan", "--write-lock"]).code, 0);
    assert_eq!(lab.restage(&["refresh"]).code, 0);
}

#[test]
fn numbers_and_codes_of_masked_columns_are_found_as_well() {
    let lab = Lab::new("numbers");
    lab.seed(PEOPLE);
    lab.seed(
        "UPDATE notes SET body = 'see ' || (SELECT badge || ', tel. ' || phone FROM people p WHERE p.id = notes.id)",
    );
    leaks(
        &lab,
        POLICY,
        "texts",
        &["public.notes.body: ", "values of public.people.badge in 120", "public.people.phone in 120"],
    );
}

#[test]
fn a_name_left_in_free_text_is_a_leak() {
    let lab = Lab::new("named");
    lab.seed(PEOPLE);
    lab.seed("UPDATE notes SET body = 'asked by ' || (SELECT last_name || ', ' || first_name FROM people p WHERE p.id = 9) WHERE id = 12");
    leaks(&lab, POLICY, "texts", &["public.notes.body: values of public.people.first_name last_name in 1 of 120 rows"]);
    // Masked in part, by a kind that knows the names of its own row only.
    let spans = POLICY.replace("{ keep = \"phrases of our own\" }", "{ mask = \"text.spans\", subject = \"person\" }");
    leaks(&lab, &spans, "texts", &["public.notes.body: values of public.people.first_name last_name in 1 of 120 rows"]);
}

#[test]
fn a_name_left_in_a_document_is_a_leak() {
    let lab = Lab::new("document");
    lab.seed(PEOPLE);
    lab.seed(
        "UPDATE notes SET data = data || (SELECT jsonb_build_object('by', jsonb_build_object('first', first_name, 'last', last_name)) \
         FROM people p WHERE p.id = 30) WHERE id < 4",
    );
    let told = ["public.notes.data: values of public.people.first_name last_name in 3 of 120 rows"];
    leaks(&lab, POLICY, "texts", &told);
    let masked = POLICY.replace("data = { keep = \"no person\" }", "data = { mask = \"json\", rest = \"keep\" }");
    leaks(&lab, &masked, "texts", &told);
}

#[test]
fn a_mask_that_returns_its_input_is_a_leak() {
    let lab = Lab::new("echo");
    lab.seed(PEOPLE);
    let echo = echoing(&lab);
    leaks(
        &lab,
        &echo,
        "masked columns",
        &["public.people.badge: 200 of 200 different values of the source are in staging in their rows"],
    );
}

#[test]
fn a_program_that_answers_with_others_or_around_its_value_is_a_leak() {
    let lab = Lab::new("answers");
    lab.seed(PEOPLE);
    let echo = echoing(&lab);
    // An empty line ends a batch, and is answered by one.
    let next = "#!/bin/sh\nwhile read -r line; do n=${line#\\\"QB-}; n=${n%%\\\"*}; echo \"${n:+\\\"QB-$((n + 37))\\\"}\"; done\n";
    std::fs::write(lab.path("echo.sh"), next).expect("write");
    let told = "public.people.badge: 199 of 200 different values of the source are in staging in other rows";
    leaks(&lab, &echo, "masked columns", &[told]);
    let around = "#!/bin/sh\nexec sed -u 's/^\"\\([^\"]*\\)\",.*$/\"x-\\1\"/'\n";
    std::fs::write(lab.path("echo.sh"), around).expect("write");
    leaks(&lab, &echo, "texts", &["public.people.badge: values of public.people.badge in 200 of 200 rows"]);
}

#[test]
fn values_in_arrays_are_judged_where_their_condition_holds() {
    let lab = Lab::new("arrays");
    lab.seed(PEOPLE);
    lab.seed("ALTER TABLE people ADD badges text[]; UPDATE people SET badges = ARRAY[badge, 'old ' || badge]");
    let policy = echoing(&lab).replace("badge = { mask", "badge = \"null\"\nbadges = { mask");
    let when = |condition: &str| {
        let otherwise = format!("format = \"csv\", when = \"{condition}\", otherwise = {{ keep = \"a test\" }} }}");
        policy.replace("format = \"csv\" }", &otherwise)
    };
    let told = "public.people.badges: 200 of 200 different values of the source are in staging in their rows";
    leaks(&lab, &when("id <= 100"), "masked columns", &[told]);
    lab.config(&when("false"));
    assert_eq!(lab.restage(&["refresh"]).code, 0);
}

#[test]
fn one_line_lets_the_findings_of_all_gates_through() {
    let lab = Lab::new("allowed");
    lab.seed(PEOPLE);
    lab.seed(
        "UPDATE notes SET code = (SELECT email FROM people p WHERE p.id = notes.id) WHERE id = 7; \
         ALTER TABLE notes ADD CHECK (body <> 'Qzefkb Vlokkb')",
    );
    let policy = format!("{}\n[verify]\nleak_allow = [\"public.gone.x\"]\n", echoing(&lab));
    lab.config(&policy);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("leak_allow = [")).collect();
    assert!(lines.len() >= 3 && lines.iter().all(|line| line.trim() == lines[0].trim()), "{ran:?}");
    assert!(ran.stderr.contains("(in notes_body_check)"), "{ran:?}");
    let line = lines[0].trim().split("     #").next().expect("a line");
    lab.config(&policy.replace("leak_allow = [\"public.gone.x\"]", line));
    assert_eq!(lab.restage(&["refresh"]).code, 0);
}

#[test]
fn a_mask_that_was_taken_away_is_a_leak() {
    // Where another column still has it: its values are known.
    let lab = Lab::new("away");
    lab.seed(PEOPLE);
    lab.seed("CREATE TABLE invites (id int PRIMARY KEY, ref text); INSERT INTO invites SELECT id, email FROM people");
    lab.grant();
    let policy =
        format!("{POLICY}\n[tables.\"public.invites\".columns]\nid = \"keep\"\nref = {{ keep = \"a test\" }}\n");
    leaks(&lab, &policy, "texts", &["public.invites.ref: values of public.people.email in 200 of 200 rows"]);

    // Where no other has it: what detectors know is enough, under packs and without a reason.
    let alone = "[policy]\npacks = [\"pii\", \"secrets\"]\n\n[tables.\"public.*\"]\ndefault = \"null\"\n\
                 [tables.\"public.people\".columns]\nid = \"keep\"\nfirst_name = { mask = \"name.first\", subject = \"id\" }\n\
                 last_name = { mask = \"name.last\", subject = \"id\" }\n\
                 [tables.\"public.notes\".columns]\nid = \"keep\"\n\
                 [tables.\"public.invites\".columns]\nid = \"keep\"\nref = \"keep\"\n";
    leaks(&lab, alone, "detectors", &["public.invites.ref: email", "ref = \"email\"", "ref = { keep = \"why\" }"]);
    // What `init` wrote when the column held nothing yet is no reason of anybody's.
    for own in ["no sign of a person in its name or in 60 sampled values", "technical key, names nobody outside"] {
        let policy = alone.replace("ref = \"keep\"", &format!("ref = {{ keep = \"{own}\" }}"));
        leaks(&lab, &policy, "detectors", &["public.invites.ref: email"]);
    }
    lab.config(&alone.replace("ref = \"keep\"", "ref = { keep = \"test addresses\" }"));
    assert_eq!(lab.restage(&["refresh"]).code, 0);
    // One address among others is enough; the twin, one of nobody, is none.
    lab.seed("UPDATE invites SET ref = 'step ' || id; UPDATE invites SET ref = 'bob@nordwind-mail.com' WHERE id = 7");
    leaks(&lab, alone, "detectors", &["public.invites.ref: email, 1 of 200 different values"]);
    lab.seed("UPDATE invites SET ref = 'bob@example.com' WHERE id = 7");
    lab.config(alone);
    assert_eq!(lab.restage(&["refresh"]).code, 0);
}

#[test]
fn what_begins_late_in_a_kept_column_is_a_leak() {
    let lab = Lab::new("begins_late");
    lab.seed(PEOPLE);
    // The last tenth of the rows holds keys; beside them, five addresses among values that all differ.
    lab.seed(
        "CREATE TABLE job (id int PRIMARY KEY, arg text, step text);
         INSERT INTO job SELECT g, CASE WHEN g > 8100 THEN 'sk_live_' || md5(g::text) ELSE 'none' END,
             CASE WHEN g > 8995 THEN 'u' || g || '@nordwind-mail.com' ELSE 'step ' || g || ' of the build' END
         FROM generate_series(1, 9000) AS g",
    );
    lab.grant();
    let policy = "[policy]\npacks = [\"pii\", \"secrets\"]\n\n[tables.\"public.*\"]\ndefault = \"null\"\n\
                  [tables.\"public.people\".columns]\nid = \"keep\"\nfirst_name = { mask = \"name.first\", subject = \"id\" }\n\
                  last_name = { mask = \"name.last\", subject = \"id\" }\n\
                  [tables.\"public.notes\".columns]\nid = \"keep\"\n\
                  [tables.\"public.job\".columns]\nid = \"keep\"\narg = \"keep\"\nstep = \"keep\"\n";
    leaks(&lab, policy, "detectors", &["public.job.arg: token", "public.job.step: email, 5 of 405 different values"]);
    // The same without them.
    lab.seed("UPDATE job SET arg = 'none', step = 'step ' || id || ' of the build'");
    lab.config(policy);
    assert_eq!(lab.restage(&["refresh"]).code, 0);
}

#[test]
fn values_in_definitions_are_a_leak() {
    let lab = Lab::new("literals");
    lab.seed(PEOPLE);
    lab.seed("COMMENT ON TABLE notes IS 'ask Qzefkb Vlokkb first'; COMMENT ON COLUMN notes.code IS 'as QB-100370'");
    // Both are somebody's: person 36 has these names, person 10 this badge.
    let known = lab.production(
        "SELECT count(*) FROM people WHERE (first_name, last_name) = ('Qzefkb', 'Vlokkb') OR badge = 'QB-100370'",
    );
    assert_eq!(known, "2");
    leaks(
        &lab,
        POLICY,
        "definitions",
        &[
            "COMMENT public.TABLE notes: a value of public.people.first_name last_name",
            "a value of public.people.badge",
        ],
    );
    // By the label that is told.
    lab.config(&format!("{POLICY}\n[verify]\nleak_allow = [\"COMMENT public.*\"]\n"));
    assert_eq!(lab.restage(&["refresh"]).code, 0);
    // Who accepted the definition in the plan is not asked once more after the load.
    lab.config(&format!("[policy]\nddl_literals_allow = [\"COMMENT public.*\"]\n{POLICY}"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // The twin: another label accepts none of them.
    lab.config(&format!("[policy]\nddl_literals_allow = [\"TABLE public.*\"]\n{POLICY}"));
    assert_eq!(lab.restage(&["refresh"]).code, 6);
}

#[test]
fn a_literal_of_several_lines_is_found_and_none_of_its_words_told() {
    let lab = Lab::new("lines");
    lab.seed(PEOPLE);
    lab.seed("ALTER TABLE notes ALTER code SET DEFAULT E'Badge to use:\\nQB-100259 (front desk), O''Neil'");
    assert_eq!(lab.production("SELECT count(*) FROM people WHERE badge = 'QB-100259'"), "1");
    leaks(&lab, POLICY, "definitions", &["TABLE public.notes: a value of public.people.badge (in code)"]);
}

#[test]
fn hardware_addresses_of_kept_columns_are_read() {
    let lab = Lab::new("hardware");
    lab.seed(PEOPLE);
    lab.seed(
        "ALTER TABLE people ADD mac macaddr; UPDATE people SET mac = ('08:00:2b:01:' || to_char(id / 90 + 10, 'FM00') || ':' || to_char(id % 90 + 10, 'FM00'))::macaddr; \
         ALTER TABLE notes ADD port macaddr; UPDATE notes SET port = (SELECT mac FROM people p WHERE p.id = notes.id) WHERE id = 5",
    );
    let policy = POLICY
        .replace("phone = \"phone\"", "phone = \"phone\"\nmac = \"mac\"")
        .replace("code = {", "port = { keep = \"a test\" }\ncode = {");
    leaks(&lab, &policy, "texts", &["public.notes.port: values of public.people.mac in 1 of "]);
}

#[test]
fn a_default_that_is_somebodys_address_is_a_leak() {
    let lab = Lab::new("default");
    lab.seed(PEOPLE);
    lab.seed("ALTER TABLE notes ALTER code SET DEFAULT 'qzef5@planted.test'");
    // Whatever the plan says of its domain, which is nobody's.
    let accepted = format!("[policy]\nddl_literals = \"accept\"\n{POLICY}");
    leaks(&lab, &accepted, "definitions", &["a value of public.people.email"]);
}

#[test]
fn statistics_that_outlived_their_rows_are_a_leak() {
    let lab = Lab::new("statistics");
    lab.seed(PEOPLE);
    let hook = "CREATE TABLE public.passing (t text);\nINSERT INTO public.passing SELECT 'qzef5@planted.test' FROM generate_series(1, 50);\n\
                ANALYZE public.passing;\nDELETE FROM public.passing;\n";
    std::fs::write(lab.path("hook.sql"), hook).expect("write");
    let hooked = format!("{POLICY}\n[[hook]]\nat = \"after-load\"\nsql = \"hook.sql\"\n");
    leaks(&lab, &hooked, "statistics", &["public.passing.t: values of public.people.email"]);
}

#[test]
fn large_tables_are_sampled_and_small_ones_read_as_a_whole() {
    let lab = Lab::new("sampled");
    lab.seed(PEOPLE);
    lab.seed(
        "CREATE TABLE long (id int PRIMARY KEY, body text); \
         INSERT INTO long SELECT i, repeat('word ', 60) || (SELECT email FROM people p WHERE p.id = 1 + i % 200) FROM generate_series(1, 20000) i",
    );
    lab.grant();
    let policy = format!("{POLICY}\n[tables.\"public.long\".columns]\nid = \"keep\"\nbody = {{ keep = \"a test\" }}\n");
    lab.config(&format!("{policy}\n[verify]\nleak_bytes = \"1MiB\"\n"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    let told = ran.stderr.lines().find(|line| line.contains("public.long.body: ")).expect("told").to_owned();
    let rows: u64 = told.split(" of ").last().and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("rows");
    assert!((500..10_000).contains(&rows), "about a seventh of 20 000 rows: {told}");
    lab.config(&policy);
    let ran = lab.restage(&["refresh"]);
    assert!(ran.stderr.contains("in 20000 of 20000 rows read"), "{ran:?}");
    // Few bytes on disk may be many to read: twice the limit, and no more.
    lab.seed("TRUNCATE long");
    lab.seed("INSERT INTO long SELECT i, repeat('word ', 40000) FROM generate_series(1, 100) i");
    lab.config(&format!("{policy}\n[verify]\nleak_bytes = \"1MiB\"\n"));
    let ran = lab.restage(&["refresh", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let texts = found["gates"].as_array().and_then(|gates| gates.iter().find(|gate| gate["name"] == "leak: texts"));
    let evidence = texts.and_then(|gate| gate["evidence"].as_str()).expect("it is told");
    let rows: u64 = evidence.split(", ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect("rows");
    // 200 people and 120 notes are read, and about ten of 100 texts of 200 kB.
    assert!(rows < 200 + 120 + 20 && evidence.contains("of 1 large tables a sample"), "{evidence}");
}

/// Masks can be words of their own: a team that is called like a customer.
#[test]
fn statistics_of_masked_columns_are_compared_as_whole_values() {
    let lab = Lab::new("teams");
    lab.seed(PEOPLE);
    lab.seed("CREATE TABLE teams (id int PRIMARY KEY, name text); INSERT INTO teams SELECT i, 't' || i FROM generate_series(1, 90) i");
    lab.grant();
    let teams = |name: &str| {
        format!(
            "{POLICY}\n[tables.\"public.teams\".columns]\nid = \"keep\"\n\
             name = {{ mask = \"choice\", values = [\"{name}\", \"team b\"] }}\n"
        )
    };
    lab.config(&teams("team Qzefkb Vlokkb east"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    lab.config(&teams("Qzefkb Vlokkb"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("gate \"leak: statistics\""), "{ran:?}");
}

#[test]
fn files_that_leak_get_no_name() {
    let lab = Lab::new("files_leak");
    lab.seed(PEOPLE);
    lab.seed(
        "UPDATE notes SET code = (SELECT email FROM people p WHERE p.id = 7), body = 'as QB-100370 said' WHERE id = 3",
    );
    let refused = |policy: &str, args: &[&str], told: &[&str]| {
        lab.config(policy);
        let ran = lab.restage(args);
        assert_eq!(ran.code, 6, "{args:?}: {ran:?}");
        for told in told {
            assert!(ran.stderr.contains(told), "{told}: {ran:?}");
        }
        assert!(!lab.path("out").exists() && !lab.path("out.partial").exists(), "{args:?}");
        silent(&ran);
        lab.config(&format!("{policy}\n[verify]\nleak = false\n"));
        let ran = lab.restage(args);
        assert_eq!(ran.code, 0, "{args:?}: {ran:?}");
        std::fs::remove_dir_all(lab.path("out")).expect("it was written");
    };
    for format in ["sql", "csv", "parquet"] {
        let args = ["fixture", "--out", "out", "--rows", "all", "--format", format];
        refused(
            POLICY,
            &args,
            &[
                "public.notes.code: values of public.people.email in 1 of 120 rows",
                "public.notes.body: values of public.people.badge in 1 of 120 rows",
            ],
        );
    }
    lab.seed("UPDATE notes SET code = 'A', body = 'b'");
    let echo = echoing(&lab);
    for args in [&["fixture", "--out", "out", "--rows", "all"][..], &["snapshot", "--out", "out"]] {
        refused(&echo, args, &["public.people.badge: 200 of 200 different values"]);
    }
    // A gate that only warns does so for files too.
    lab.config(&format!("{echo}\n[verify]\nwarn = [\"leak: masked*\"]\n"));
    let ran = lab.restage(&["fixture", "--out", "out", "--rows", "all"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = format!("{}{}", ran.stdout, ran.stderr);
    assert!(told.contains("gate \"leak: masked columns\" does not hold: public.people.badge"), "{ran:?}");
    std::fs::remove_dir_all(lab.path("out")).expect("it was written");
    // What does not leak is written, and says what it was held to.
    lab.config(POLICY);
    let ran = lab.restage(&["fixture", "--out", "out", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let found: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    assert_eq!(found["gates"].as_array().map(Vec::len), Some(4), "{found}");
}

#[test]
fn names_of_several_words_and_codes_in_other_layouts_are_a_leak() {
    let lab = Lab::new("layouts");
    lab.seed(
        "CREATE TABLE p (id int PRIMARY KEY, fn text, ln text, phone text, nic text); \
         INSERT INTO p SELECT i, 'Qzef' || chr(97 + i % 20), 'Vlok' || chr(97 + i / 20) || ' Vlokm', \
           '+49 30 ' || 7100000 + i * 331, '08:00:2b:01:' || to_char(i, 'FM00') || ':ff' FROM generate_series(1, 60) i; \
         CREATE TABLE z (id int PRIMARY KEY, label text)",
    );
    lab.grant();
    let policy = "[tables.\"public.p\".columns]\nid = \"keep\"\nfn = { mask = \"name.first\", subject = \"id\" }\n\
                  ln = { mask = \"name.last\", subject = \"id\" }\nphone = \"phone\"\nnic = \"mac\"\n\n\
                  [tables.\"public.z\".columns]\nid = \"keep\"\nlabel = { keep = \"labels of the warehouse\" }\n";
    for (label, column) in [
        ("ln || ' ' || fn", "fn ln"),
        ("'<td>' || fn || '</td><td>' || ln || '</td>'", "fn ln"),
        ("'0049-' || replace(substr(phone, 5), ' ', '-')", "phone"),
        ("upper(replace(nic, ':', '-'))", "nic"),
    ] {
        lab.seed(&format!("TRUNCATE z; INSERT INTO z SELECT id, {label} FROM p"));
        leaks(&lab, policy, "texts", &[&format!("public.z.label: values of public.p.{column} in 60 of 60 rows")]);
    }
    // The twin: a part of each says nothing.
    lab.seed("TRUNCATE z; INSERT INTO z SELECT id, 'Vlokm, ' || left(phone, 10) || ', ' || left(nic, 8) FROM p");
    lab.config(policy);
    assert_eq!(lab.restage(&["refresh"]).code, 0);
}

#[test]
fn detectors_look_at_fixtures_as_at_tables() {
    let lab = Lab::new("files_detected");
    lab.seed(
        "CREATE TYPE pair AS (a text, b int); CREATE TABLE o (id int PRIMARY KEY, blurb text, tags text[], p pair, data jsonb); \
         INSERT INTO o SELECT i, 'qzef' || i || '@planted-mail.de', ARRAY['x', 'qzef' || i || '@planted-mail.de'], \
           ROW('qzef' || i || '@planted-mail.de', i)::pair, jsonb_build_object('a', 'qzef' || i || '@planted-mail.de') \
         FROM generate_series(1, 60) i",
    );
    lab.grant();
    for column in ["blurb", "tags", "p", "data"] {
        let policy = "[policy]\npacks = [\"pii\", \"secrets\"]\n\n[tables.\"public.*\"]\ndefault = \"null\"\n\
                      [tables.\"public.o\".columns]\nid = \"keep\"\n";
        lab.config(&format!("{policy}{column} = \"keep\"\n"));
        let ran = lab.restage(&["fixture", "--out", "out", "--rows", "all"]);
        assert_eq!(ran.code, 6, "{column}: {ran:?}");
        assert!(ran.stderr.contains("gate \"leak: detectors\" does not hold"), "{column}: {ran:?}");
        assert!(ran.stderr.contains(&format!("public.o.{column}: email")), "{column}: {ran:?}");
        assert!(!lab.path("out").exists(), "{column}");
        silent(&ran);
        // The twins: a person's reason, and the gate off.
        for twin in [
            format!("{policy}{column} = {{ keep = \"addresses of our own test team\" }}\n"),
            format!("{policy}{column} = \"keep\"\n[verify]\nleak = false\n"),
        ] {
            lab.config(&twin);
            let ran = lab.restage(&["fixture", "--out", "out", "--rows", "all"]);
            assert_eq!(ran.code, 0, "{column}: {ran:?}");
            std::fs::remove_dir_all(lab.path("out")).expect("it was written");
        }
    }
}

#[test]
fn the_reason_of_a_referenced_column_holds_for_its_checked_keys() {
    let lab = Lab::new("reasons");
    lab.seed(
        "CREATE TABLE c (ref text PRIMARY KEY); CREATE TABLE o (id int PRIMARY KEY, ref text REFERENCES c); \
         INSERT INTO c SELECT 'qzef' || i || '@planted-mail.de' FROM generate_series(1, 60) i; \
         INSERT INTO o SELECT row_number() OVER (), ref FROM c",
    );
    lab.grant();
    let policy = |kept: &str| {
        format!(
            "[policy]\npacks = [\"pii\", \"secrets\"]\n\n[tables.\"public.c\".columns]\nref = {kept}\n\
             [tables.\"public.o\".columns]\nid = \"keep\"\n"
        )
    };
    lab.config(&policy("{ keep = \"addresses of our own test team\" }"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // The twin: without a reason both are told.
    leaks(&lab, &policy("\"keep\""), "detectors", &["public.c.ref: email", "public.o.ref: email"]);
    // A key that was not checked may hold anything.
    lab.seed("ALTER TABLE o DROP CONSTRAINT o_ref_fkey; ALTER TABLE o ADD FOREIGN KEY (ref) REFERENCES c NOT VALID");
    let reason = policy("{ keep = \"addresses of our own test team\" }");
    leaks(&lab, &reason, "detectors", &["public.o.ref: email"]);
}

#[test]
fn views_that_hold_nothing_and_names_of_every_spelling_are_searched_or_passed() {
    let lab = Lab::new("spelled");
    lab.seed(PEOPLE);
    lab.seed(
        "CREATE MATERIALIZED VIEW later AS SELECT body FROM notes WITH NO DATA; \
         CREATE TABLE \"Odd.Name\" (id int PRIMARY KEY, \"Free Text\" text[]); \
         INSERT INTO \"Odd.Name\" SELECT i, ARRAY['n' || i, NULL] FROM generate_series(1, 30) i",
    );
    lab.grant();
    let policy = format!(
        "{POLICY}\n[tables.\"public.Odd.Name\".columns]\nid = \"keep\"\n\"Free Text\" = {{ keep = \"a test\" }}\n"
    );
    lab.config(&policy);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    lab.seed("UPDATE \"Odd.Name\" SET \"Free Text\" = ARRAY[NULL, 'see QZEF77@planted.test'] WHERE id = 9");
    leaks(&lab, &policy, "texts", &["public.Odd.Name.Free Text: values of public.people.email in 1 of 30 rows"]);
}

/// The addresses of people as keys of documents, beside a field.
const BY_ADDRESS: &str = "UPDATE notes SET data = jsonb_build_object('by', (SELECT jsonb_build_object(email, notes.id, 'number_of_calls', 1) \
    FROM people p WHERE p.id = notes.id))";

#[test]
fn keys_of_documents_that_are_values_of_masked_columns_are_a_leak() {
    let lab = Lab::new("keys");
    lab.seed(PEOPLE);
    lab.seed(BY_ADDRESS);
    leaks(&lab, POLICY, "texts", &["public.notes.data: values of public.people.email in 120 of 120 rows"]);
    assert!(lab.target.dump(&lab.name).contains("planted.test"), "the twin has them");
    // A mask hides them, whatever it says about values, and the documents are whole.
    for params in ["rest = \"keep\"", "paths = { \"$.by\" = \"keep\" }, rest = \"null\"", "rest = \"pattern\""] {
        let masked = POLICY.replace("{ keep = \"no person\" }", &format!("{{ mask = \"json\", {params} }}"));
        lab.config(&masked);
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 0, "{params}: {ran:?}");
        let found = "SELECT count(DISTINCT k) FILTER (WHERE k LIKE '#%'), count(*) FILTER (WHERE k = 'number_of_calls'), \
                     count(*) FILTER (WHERE k LIKE '%planted%') FROM notes, jsonb_object_keys(data -> 'by') k";
        assert_eq!(lab.staging(found), "120|120|0", "{params}");
    }
    // Keys that are said to stay are found as well.
    let kept = "{ mask = \"json\", rest = \"keep\", keys = { \"$.by\" = \"keep\" } }";
    let kept = POLICY.replace("{ keep = \"no person\" }", kept);
    leaks(&lab, &kept, "texts", &["public.notes.data: values of public.people.email in 120 of 120 rows"]);
}

#[test]
fn keys_of_documents_that_are_somebodys_are_detected_in_what_is_kept_without_a_reason() {
    let lab = Lab::new("detected_keys");
    lab.seed(PEOPLE);
    lab.seed(
        "UPDATE notes SET data = jsonb_build_object('by', jsonb_build_object('n' || id || '@planted.test', id)), \
         body = '{\"n' || id || '@planted.test\": ' || id || '}'",
    );
    let own = "\"no sign of a person in its name or in 60 sampled values\"";
    let policy = format!("[policy]\npacks = [\"pii\", \"secrets\"]\n{}", POLICY.replace("\"no person\"", own));
    let policy = policy.replace("\"phrases of our own\"", own);
    let told = "e-mail address as key of documents, 120 different ones";
    leaks(&lab, &policy, "detectors", &[&format!("public.notes.data: {told}"), &format!("public.notes.body: {told}")]);
    // A reason of a person lets them stay.
    let reasons = policy.replace(own, "\"test addresses\"");
    lab.config(&reasons);
    assert_eq!(lab.restage(&["refresh"]).code, 0);
}

#[test]
fn keys_of_documents_are_looked_at_where_nothing_is_masked_too() {
    let lab = Lab::new("only_keys");
    lab.seed(
        "CREATE TABLE calls (id int PRIMARY KEY, data jsonb);
         INSERT INTO calls SELECT n, jsonb_build_object('n' || n || '@planted.test', n) FROM generate_series(1, 120) n",
    );
    let policy = "[policy]\npacks = [\"pii\", \"secrets\"]\n[tables.\"public.calls\".columns]\nid = { keep = \"a test\" }\n\
                  data = { keep = \"no sign of a person in its name or in 60 sampled values\" }\n";
    leaks(&lab, policy, "detectors", &["public.calls.data: e-mail address as key of documents, 120 different ones"]);
}

/// Documents where none is declared: in texts, in rows, and pairs that are nearly one.
const INSIDE: &str = "CREATE EXTENSION hstore; CREATE TYPE parcel AS (label text, doc jsonb);
CREATE TABLE inside (id int PRIMARY KEY, body text, p parcel, h hstore);
INSERT INTO inside SELECT id, '{\"who\": {\"mail\": \"' || email || '\"}}', ROW('x', jsonb_build_object('mail', email))::parcel, hstore('mail', email)
FROM people WHERE id <= 40";

#[test]
fn documents_in_texts_rows_and_pairs_are_searched_too() {
    let lab = Lab::new("inside");
    lab.seed(PEOPLE);
    lab.seed(INSIDE);
    lab.grant();
    let table = |body: &str, p: &str, h: &str| {
        format!("\n[tables.\"public.inside\".columns]\nid = \"keep\"\nbody = {body}\np = {p}\nh = {h}\n")
    };
    let told = ["body", "p", "h"].map(|c| format!("public.inside.{c}: values of public.people.email in 40 of 40 rows"));
    let told: Vec<&str> = told.iter().map(String::as_str).collect();
    let kept = "{ keep = \"a test\" }";
    leaks(&lab, &format!("{POLICY}{}", table(kept, kept, kept)), "texts", &told);
    // Masks that keep what they do not name.
    let masked = table(
        "{ mask = \"json\", rest = \"keep\" }",
        "{ mask = \"composite\", fields = { label = \"null\" }, rest = \"keep\" }",
        "{ mask = \"hstore\", rest = \"keep\" }",
    );
    leaks(&lab, &format!("{POLICY}{masked}"), "texts", &told);
    // Keys of pairs, and values of nobody that is known.
    lab.seed("UPDATE inside SET h = (SELECT hstore(email, 'x') FROM people p WHERE p.id = inside.id)");
    leaks(&lab, &format!("{POLICY}{}", table(kept, kept, kept)), "texts", &told[2..]);
    lab.seed(
        "UPDATE inside SET body = replace(body, 'qzef', 'n'), p.doc = jsonb_build_object('mail', 'n' || id || '@planted.test'), \
         h = hstore('mail', 'n' || id || '@planted.test')",
    );
    let own = "{ keep = \"no sign of a person in its name or in 60 sampled values\" }";
    let open = format!("[policy]\npacks = [\"pii\", \"secrets\"]\n{POLICY}{}", table(own, own, own));
    leaks(&lab, &open, "detectors", &["public.inside.body: email", "public.inside.p: email", "public.inside.h: email"]);
    // A mask hides the keys of pairs.
    lab.seed("UPDATE inside SET h = hstore('n' || id || '@planted.test', 'x')");
    let hidden = table("\"null\"", "\"null\"", "{ mask = \"hstore\", rest = \"keep\" }");
    lab.config(&format!("{POLICY}{hidden}"));
    lab.refresh();
    assert!(!lab.target.dump(&lab.name).contains("planted.test"));
    let shown = table("\"null\"", "\"null\"", "{ mask = \"hstore\", rest = \"keep\", keys = \"keep\" }");
    lab.config(&format!("{POLICY}{shown}"));
    lab.refresh();
    assert!(lab.target.dump(&lab.name).contains("planted.test"), "the twin: keys that are said to stay");
}

#[test]
fn what_hooks_write_into_masked_documents_is_found_by_its_keys() {
    let lab = Lab::new("hooked_keys");
    lab.seed(PEOPLE);
    let hook = "UPDATE public.notes SET data = data || '{\"somebody@planted.test\": 1}' WHERE id = 7;\n";
    std::fs::write(lab.path("hook.sql"), hook).expect("write");
    let masked = POLICY.replace("{ keep = \"no person\" }", "{ mask = \"json\", rest = \"keep\" }");
    let packs = "[policy]\npacks = [\"pii\", \"secrets\"]\n";
    let hooked = format!("{packs}{masked}\n[[hook]]\nat = \"after-load\"\nsql = \"hook.sql\"\n");
    leaks(&lab, &hooked, "detectors", &["public.notes.data: e-mail address as key of documents, 1 different", "hook"]);
}

/// Two thousand people with the most common names of the United States, and texts that speak of them by their masks.
const COMMON: &str = "
CREATE TABLE c (id int PRIMARY KEY, first_name text, last_name text, email text, phone text, city text);
INSERT INTO c SELECT i, f, l, lower(f) || '.' || lower(l) || i || '@common.test', '+1 212 555 ' || lpad((i % 10000)::text, 4, '0'), l || 'ville'
FROM generate_series(1, 2000) i, LATERAL (SELECT
  ('{James,Mary,Robert,Patricia,John,Jennifer,Michael,Linda,David,Elizabeth,William,Barbara,Richard,Susan,Joseph,Jessica,Thomas,Karen,Charles,Sarah}'::text[])[1 + i % 20] f,
  ('{Smith,Johnson,Williams,Brown,Jones,Garcia,Miller,Davis,Rodriguez,Martinez,Hernandez,Lopez,Gonzalez,Wilson,Anderson,Thomas,Taylor,Moore,Jackson,Martin,Lee}'::text[])[1 + i % 21] l) n;
CREATE TABLE ev (id int PRIMARY KEY, customer_id int REFERENCES c, doc jsonb, note text, shop text);
INSERT INTO ev SELECT i, c.id, jsonb_build_object('mail', c.email, 'n', i), c.first_name || ' ' || c.last_name || ' wrote from ' || c.email,
  ('{Austin,Charlotte,Jackson,Tyler,Madison}'::text[])[1 + i % 5] FROM generate_series(1, 8000) i JOIN c ON c.id = 1 + i % 2000;
ALTER TABLE ev ENABLE ROW LEVEL SECURITY;
ALTER TABLE ev FORCE ROW LEVEL SECURITY;
ANALYZE;
";

const COMMON_POLICY: &str = "
[tables.\"public.c\".columns]
id = \"keep\"
first_name = { mask = \"name.first\", subject = \"id\" }
last_name = { mask = \"name.last\", subject = \"id\" }
email = \"email\"
phone = \"phone\"
city = { mask = \"address\", part = \"city\", subject = \"id\" }
[tables.\"public.ev\".columns]
id = \"keep\"
customer_id = \"keep\"
doc = { mask = \"json\", paths = { \"$.mail\" = \"email\" }, rest = \"keep\" }
note = { mask = \"text.spans\", subject = \"customer_id\" }
shop = { keep = \"our shops\" }
";

#[test]
fn many_people_with_common_names_are_no_leak_and_rows_that_are_hidden_by_force_are_read() {
    let lab = Lab::new("common");
    lab.seed(COMMON);
    lab.config(COMMON_POLICY);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    // Beginnings of lines, and a table that hides its rows from its owner.
    lab.seed(
        "ALTER TABLE ev NO FORCE ROW LEVEL SECURITY; \
         UPDATE ev SET shop = E'Dear all,\\nmary.johnson1@common.test\\nwrites' WHERE id = 5; \
         ALTER TABLE ev FORCE ROW LEVEL SECURITY",
    );
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("public.ev.shop: values of public.c.email in 1 of 8000 rows read"), "{ran:?}");
    for format in ["sql", "csv"] {
        let ran = lab.restage(&["fixture", "--out", "out", "--rows", "all", "--format", format]);
        assert_eq!(ran.code, 6, "{ran:?}");
        assert!(ran.stderr.contains("public.ev.shop: values of public.c.email in 1 of 8000"), "{ran:?}");
    }
}

#[test]
fn lines_to_decide_anew_say_which_they_stand_in_place_of() {
    let lab = Lab::new("in_place");
    lab.seed(PEOPLE);
    lab.seed("UPDATE notes SET body = 'ask qzef77@planted.test' WHERE id = 9");
    lab.config(POLICY);
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("under [tables.\"public.notes\".columns] (restage.toml:"), "{}", ran.stderr);
    let line = ran.stderr.lines().find(|line| line.trim_start().starts_with("body = \"pattern\"")).expect("a line");
    let (line, place) = line.trim().split_once("     # in place of restage.toml:").expect("a place");
    // The line of the file that is named is the one that decides the column.
    let text = std::fs::read_to_string(lab.path("restage.toml")).expect("text");
    let number: usize = place.split(':').next().and_then(|number| number.parse().ok()).expect("a line number");
    let old = text.lines().nth(number - 1).expect("the line is there");
    assert!(old.starts_with("body = "), "{place}: {old}");
    std::fs::write(lab.path("restage.toml"), text.replace(old, line)).expect("written");
    lab.refresh();
}
