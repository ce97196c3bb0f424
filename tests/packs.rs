//! Rule packs as a floor: what looks personal is kept for a written reason only, and for as long as that reason holds.

use crate::support::{Lab, Ran};

const PEOPLE: &str = "
CREATE TABLE people (id int PRIMARY KEY, email text, card_number text, birth_date date, zip text, api_key text, color text);
INSERT INTO people VALUES (1, 'ann@example.com', '4111111111111111', '1990-01-01', '12345', 'k', 'red');
";

fn policy(packs: &str, lines: &str) -> String {
    format!(
        "[policy]\npacks = [{packs}]\n[tables.\"public.people\".columns]\nid = \"keep\"\ncolor = \"keep\"\n{lines}\n\
         [tables.\"public.people\"]\ndefault = {{ keep = \"a test\" }}\n"
    )
}

/// The only refusal of a plan: its code and the columns that its detail names.
#[track_caller]
fn below(ran: &Ran) -> Vec<String> {
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("{ran:?}"));
    let reports = document["error"].as_array().cloned().unwrap_or_default();
    let text = |report: &serde_json::Value, field: &str| report[field].as_str().unwrap_or_default().to_owned();
    assert!(reports.iter().all(|report| text(report, "code") == "plan::floor"), "{document}");
    let detail: Vec<String> = reports.iter().map(|report| text(report, "detail")).collect();
    detail.join("\n").lines().filter_map(|line| Some(line.split_once(" looks like ")?.0.to_owned())).collect()
}

#[test]
fn a_column_that_looks_personal_is_kept_for_a_reason_only() {
    let lab = Lab::new("packs");
    lab.seed(PEOPLE);
    let kept = "email = \"keep\"\napi_key = \"keep\"\nbirth_date = { keep = \"made up\" }";
    lab.config(&policy("\"pii\", \"secrets\"", kept));
    let plan = lab.restage(&["plan", "--json"]);
    assert_eq!((plan.code, below(&plan)), (3, vec!["email".to_owned(), "api_key".to_owned()]));
    assert!(plan.stdout.contains("email = \\\"email\\\""), "{}", plan.stdout);
    // `secrets` holds in every list; without a list both warn.
    lab.config(&policy("\"pii\"", kept));
    assert_eq!(below(&lab.restage(&["plan", "--json"])), ["email", "api_key"]);
    lab.config(&policy("\"secrets\"", kept));
    assert_eq!(below(&lab.restage(&["plan", "--json"])), ["api_key"]);
    lab.config(&policy("", kept).replace("packs = []\n", ""));
    let plan = lab.restage(&["plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(
        plan.stdout.contains("\"public.people.email\", \"public.people.api_key\" look personal"),
        "{}",
        plan.stdout
    );
    // Where `pii` is left out it is told.
    lab.config(&policy("", &kept.replace("api_key = \"keep\"", "api_key = \"null\"")));
    let plan = lab.restage(&["plan"]);
    assert_eq!(plan.code, 0, "{plan:?}");
    assert!(plan.stdout.contains("\"public.people.email\" looks personal or secret and is kept"), "{}", plan.stdout);
}

#[test]
fn packs_ask_for_parameters_and_days() {
    let lab = Lab::new("packs_more");
    lab.seed(PEOPLE);
    for (packs, lines, wrong) in [
        ("\"pci\"", "card_number = { mask = \"card\", keep = 8 }", "card_number"),
        ("\"pci\"", "card_number = { mask = \"card\", keep = 8, void = true }", ""),
        (
            "\"pci\"",
            "card_number = { mask = \"card\", keep = 8, reason = \"an issuer is tested\", until = 2099-01-31 }",
            "",
        ),
        ("\"hipaa\"", "zip = \"zip\"\nemail = \"email\"\ncard_number = \"card\"\nbirth_date = \"null\"", "zip"),
        (
            "\"hipaa\"",
            "zip = { mask = \"zip\", mode = \"hipaa3\" }\nemail = \"email\"\ncard_number = \"card\"\nbirth_date = \"null\"",
            "",
        ),
        ("\"dora\"", "api_key = { keep = \"rotated daily\", until = \"2099-01-31\" }\ncard_number = \"card\"", ""),
        ("\"dora\"", "api_key = { keep = \"rotated daily\" }\ncard_number = \"card\"", "api_key"),
        // Rows that a condition leaves out are kept, and need what keeping needs.
        (
            "\"dora\"",
            "api_key = { mask = \"secret.token\", when = \"id > 5\", otherwise = { keep = \"robots\" } }\ncard_number = \"card\"",
            "api_key",
        ),
        (
            "\"dora\"",
            "api_key = { mask = \"secret.token\", when = \"id > 5\", otherwise = { keep = \"robots\", until = 2099-01-31 } }\ncard_number = \"card\"",
            "",
        ),
        (
            "\"dora\"",
            "api_key = { mask = \"secret.token\", when = \"id > 5\", otherwise = \"null\" }\ncard_number = \"card\"",
            "",
        ),
        // So do masks that keep nearly everything.
        ("\"pii\"", "card_number = { mask = \"partial\", keep_first = 15 }", "card_number"),
        ("\"pii\"", "card_number = { mask = \"partial\", keep_first = 6, keep_last = 4 }", ""),
        ("\"pii\"", "email = { mask = \"regex\", match = \".*\" }", "email"),
        ("\"pii\"", "birth_date = { mask = \"date.trunc\", unit = \"week\" }", "birth_date"),
        ("\"pii\"", "birth_date = { mask = \"date.trunc\", unit = \"week\", reason = \"seasons are tested\" }", ""),
    ] {
        lab.config(&policy(packs, lines));
        let plan = lab.restage(&["plan", "--json"]);
        let expected: Vec<&str> = wrong.split_terminator(',').collect();
        assert_eq!(below(&plan), expected, "{packs} {lines}: {}", plan.stdout);
        assert_eq!(plan.code, if wrong.is_empty() { 0 } else { 3 });
    }
}

#[test]
fn a_reason_that_has_ended_refuses_the_plan() {
    let lab = Lab::new("packs_until");
    lab.seed(PEOPLE);
    lab.config(&policy("", "email = { keep = \"until the move\", until = 2020-01-31 }"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("error[plan::expired]") && ran.stderr.contains("2020-01-31"), "{}", ran.stderr);
    assert!(ran.stderr.contains("until the move"), "{}", ran.stderr);
    lab.config(&policy("", "email = { keep = \"until the move\", until = 2099-01-31 }"));
    lab.refresh();
    let others = "email = { mask = \"email\", when = \"id > 5\", otherwise = { keep = \"until the move\", until = 2020-01-31 } }";
    lab.config(&policy("", others));
    let ran = lab.restage(&["plan"]);
    assert!(ran.code == 3 && format!("{}{}", ran.stdout, ran.stderr).contains("ended on 2020-01-31"), "{ran:?}");
    lab.config(&policy("\"pci2\"", ""));
    let ran = lab.restage(&["plan"]);
    assert!(ran.code == 3 && ran.stderr.contains("Did you mean \"pci\"?"), "{ran:?}");
    let config = std::fs::read_to_string(lab.path("restage.toml")).expect("the configuration");
    let (line, text) = config.lines().enumerate().find(|(_, line)| line.contains("pci2")).expect("it is there");
    let place = format!("restage.toml:{}:{}", line + 1, text.find("\"pci2").expect("it is there") + 1);
    assert!(ran.stderr.contains(&place), "{place}: {ran:?}");
}

/// The statements of one schema of `frameworks.sql`.
fn framework(name: &str) -> String {
    let text = include_str!("packs/frameworks.sql");
    let mut lines = text.lines().skip_while(|line| *line != format!("-- {name}")).skip(1);
    let own: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("-- ")).collect();
    assert!(own.len() > 5, "{name}");
    own.join("\n")
}

#[test]
fn init_finds_frameworks_and_their_packs_leave_no_canary_behind() {
    for (pack, more, live) in [
        ("django", &[][..], "SELECT enabled FROM django_celery_beat_periodictask"),
        ("rails", &["neutralize"], "SELECT count(*) FROM delayed_jobs"),
        (
            "odoo",
            &["neutralize"],
            "SELECT smtp_host || active || (SELECT string_agg(value, '') FROM ir_config_parameter WHERE key = 'web.max_file_upload_size') FROM ir_mail_server",
        ),
        (
            "keycloak",
            &[],
            "SELECT string_agg(DISTINCT value, ',') || (SELECT string_agg(value, '') FROM component_config WHERE name IN ('priority', 'bindDn')) FROM realm_smtp_config",
        ),
        (
            "wordpress",
            &[],
            "SELECT string_agg(option_value, ',' ORDER BY option_name) FROM wp_options WHERE option_name IN ('posts_per_page', 'wp_user_roles')",
        ),
        ("neutralize", &[], "SELECT url FROM webhook_endpoints"),
    ] {
        let lab = Lab::new(&format!("pack_{pack}"));
        lab.seed(&framework(pack));
        let url = lab.source.url("reader", &lab.name);
        let made = lab.restage(&["init", "--source", &url, "--out", "made.toml"]);
        assert_eq!(made.code, 0, "{made:?}");
        let text = std::fs::read_to_string(lab.path("made.toml")).expect("text");
        let line = text.lines().find(|line| line.starts_with("packs = ")).expect("a line of packs");
        assert!(line.contains(&format!("\"{pack}\"")), "{pack}: {line}");
        assert!(more.iter().all(|name| line.contains(name)), "{pack}: {line}");
        // What nobody decides is NULL, and what cannot be is masked, so the packs are what is left to judge.
        let head = format!("[policy]\nundecided = \"null\"\n{line}\n");
        lab.config(&head);
        let plan = lab.restage(&["plan", "--json"]);
        let mut pasted = String::new();
        let document: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
        for refusal in document["error"].as_array().into_iter().flatten() {
            assert_eq!(refusal["code"], "plan::undecided-column", "{pack}: {refusal:#}");
            let hint = refusal["hint"].as_str().expect("lines to paste");
            pasted.push_str(&hint[hint.find("[tables.").expect("a header")..]);
            pasted.push('\n');
        }
        lab.config(&format!("{head}{pasted}"));
        lab.refresh();
        let dump = lab.target.dump(&lab.name);
        let left: Vec<&str> = dump.lines().filter(|line| line.to_lowercase().contains("qzcanary")).collect();
        assert!(left.is_empty(), "{pack}: {left:?}\n{pasted}");
        let expected = match pack {
            "django" => "f",
            "rails" => "0",
            "odoo" => "smtp.invalidfalse128",
            "keycloak" => "smtp.invalid100",
            "wordpress" => "10,a:0:{}",
            _ => "https://webhook.invalid/",
        };
        assert_eq!(lab.staging(live), expected, "{pack}");
        // The twin: where everything is kept, every canary is there.
        assert!(lab.source.dump(&lab.name).to_lowercase().contains("qzcanary"), "{pack}");
    }
}

/// What stands in an option that the pack keeps stops the run; the twin keeps the same rows for a reason of its own.
#[test]
fn rows_that_a_condition_of_a_pack_leaves_out_are_looked_at() {
    let lab = Lab::new("pack_others");
    lab.seed(&framework("wordpress"));
    let pack = r#"
[policy]
packs = ["wordpress", "pii", "secrets"]
[tables."public.wp_users".columns]
id = "keep"
[tables."public.wp_usermeta".columns]
umeta_id = "keep"
user_id = "keep"
[tables."public.wp_postmeta".columns]
meta_id = "keep"
post_id = "keep"
meta_value = "null"
[tables."public.wp_comments".columns]
comment_id = "keep"
comment_post_id = "keep"
comment_content = { mask = "const", value = "" }
[tables."public.wp_options".columns]
option_id = "keep"
autoload = { keep = "yes or no" }
"#;
    let own = "option_value = { mask = \"pattern\", \
               when = \"option_name <> 'date_format'\", otherwise = { keep = \"formats of dates\" } }\n";
    for (planted, gate) in [
        ("katarzyna.kowalski@nordwind-mail.com", "leak: detectors"),
        ("DE44500105175407324931", "leak: detectors"),
        // Beyond no doubt by itself, but the address of a user.
        ("qzcanary7@example.org", "leak: texts"),
    ] {
        let sql = "DELETE FROM wp_options WHERE option_name = 'date_format'; \
                   INSERT INTO wp_options (option_name, option_value) VALUES ('date_format', 'PLANTED')";
        lab.source.sql(&lab.name, &sql.replace("PLANTED", planted));
        let kept = format!("SELECT count(*) FROM wp_options WHERE option_value = '{planted}'");
        lab.config(pack);
        let ran = lab.restage(&["refresh"]);
        assert_eq!(ran.code, 6, "{planted}: {ran:?}");
        let gate = format!("gate \"{gate}\" does not hold");
        for told in [gate.as_str(), "public.wp_options.option_value", "option_value = \"pattern\""] {
            assert!(ran.stderr.contains(told), "{planted}, {told}: {ran:?}");
        }
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(planted), "{ran:?}");
        lab.config(&format!("{pack}{own}"));
        lab.refresh();
        assert_eq!(lab.staging(&kept), "1", "{planted}");
    }
    // What is harmless passes, and the names of options stay.
    lab.source.sql(&lab.name, "UPDATE wp_options SET option_value = 'F j, Y' WHERE option_name = 'date_format'");
    lab.config(pack);
    lab.refresh();
    assert_eq!(lab.staging("SELECT option_value FROM wp_options WHERE option_name = 'date_format'"), "F j, Y");
    assert_eq!(lab.staging("SELECT count(*) FROM wp_options WHERE option_value ILIKE '%qzcanary%'"), "0");
    // A name of an option is looked at, too.
    lab.source.sql(
        &lab.name,
        "UPDATE wp_options SET option_name = 'seen_by_katarzyna@nordwind-mail.com' WHERE option_name = 'date_format'",
    );
    let ran = lab.restage(&["refresh"]);
    assert!(ran.code == 6 && ran.stderr.contains("public.wp_options.option_name"), "{ran:?}");
}

#[test]
fn keeping_what_a_framework_pack_decides_needs_a_reason() {
    let lab = Lab::new("pack_floor");
    lab.seed(&framework("odoo"));
    let keep = "[tables.\"public.*\"]\ndefault = \"keep\"\n";
    lab.config(&format!("[policy]\npacks = [\"odoo\"]\n{keep}"));
    let plan = lab.restage(&["plan"]);
    assert_eq!(plan.code, 3);
    for said in ["ir_cron.active", "pack odoo, rule switches", "active = { mask = \"const\", value = false }"] {
        assert!(plan.stderr.contains(said) || plan.stdout.contains(said), "{said}: {plan:?}");
    }
    // The rows of the queue stay behind, and `explain` says by which rule.
    lab.config("[policy]\npacks = [\"odoo\"]\n[tables.\"public.*\"]\ndefault = { keep = \"a test\" }\n");
    let table = lab.restage(&["explain", "public.mail_mail"]);
    assert!(table.stdout.contains("structure only (pack odoo, rule outgoing)"), "{table:?}");
    let column = lab.restage(&["explain", "public.res_partner.email"]);
    assert_eq!(column.code, 0, "{column:?}");
    for said in [
        "email 0.95: name email 0.95",
        "pack odoo, rule partners-mail: kept for a reason only. A person can be reached by it.",
        "everything: it is what it was in production",
        "no restage.lock: restage plan --write-lock pins it",
    ] {
        assert!(column.stdout.contains(said), "{said}: {}", column.stdout);
    }
    let sampled = lab.restage(&["explain", "public.res_partner.email", "--sample"]);
    assert!(sampled.stdout.contains("20 of 20") && !sampled.stdout.contains("qzcanary"), "{sampled:?}");
}

#[test]
fn one_word_for_many_columns_is_no_reason_for_one_that_looks_personal() {
    let lab = Lab::new("pack_word");
    lab.seed(PEOPLE);
    let rules = |lines: &str| format!("[policy]\npacks = [\"pii\", \"secrets\"]\n{lines}\n");
    for lines in [
        "[tables.\"public.*\"]\ndefault = { keep = \"test\" }",
        "[tables.\"public.people\"]\ndefault = { keep = \"test\" }",
        "[tables.\"public.people\".columns]\n\"*\" = { keep = \"test\" }",
        "[tables.\"public.*\".columns]\nemail = { keep = \"test\" }\n\"*\" = { keep = \"test\" }",
    ] {
        lab.config(&rules(lines));
        let plan = lab.restage(&["plan", "--json"]);
        assert!(plan.code == 3 && below(&plan).contains(&"email".to_owned()), "{lines}: {plan:?}");
        assert!(plan.stdout.contains("one word is no reason of this column"), "{plan:?}");
        // The twin: it says why.
        lab.config(&rules(&lines.replace("\"test\"", "\"all of it is made up\"")));
        let plan = lab.restage(&["plan", "--json"]);
        assert!(plan.code == 0, "{lines}: {plan:?}");
    }
    // So does a word for one column.
    let own = "[tables.\"public.people\".columns]\nemail = { keep = \"test\" }\n\"*\" = { keep = \"made up\" }";
    lab.config(&rules(own));
    let plan = lab.restage(&["plan", "--json"]);
    assert!(plan.code == 0, "{plan:?}");
}

/// Every column of the fixture is refused by the rules that it names, and by no others: by the program, for each pack.
#[test]
fn each_pack_refuses_the_columns_of_the_fixture_that_are_its_own() {
    let lab = Lab::new("pack_weak");
    let text = include_str!("packs/weak.sql");
    lab.seed(text);
    let (mut policy, mut table) = (String::new(), String::new());
    let mut columns: Vec<(String, Vec<String>)> = Vec::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("CREATE TABLE ") {
            let name = name.trim_end_matches(" (");
            table = if name.contains('.') { name.to_owned() } else { format!("public.{name}") };
            policy.push_str(&format!("[tables.\"{table}\".columns]\n"));
        }
        let Some((column, said)) = line.trim().split_once(" -- ") else { continue };
        let name = column.split(' ').next().expect("a name");
        let (decision, rules) = said.split_once(" => ").expect("a decision and rules");
        policy.push_str(&format!("{name} = {decision}\n"));
        columns.push((format!("{table}.{name}"), rules.split(", ").map(str::to_owned).collect()));
    }
    for pack in
        ["pii", "pci", "hipaa", "gdpr", "dora", "neutralize", "django", "rails", "odoo", "keycloak", "wordpress"]
    {
        lab.config(&format!("[policy]\npacks = [\"{pack}\"]\n{policy}"));
        let plan = lab.restage(&["plan", "--json"]);
        let document: serde_json::Value = serde_json::from_str(&plan.stdout).expect("one document");
        let reports = document["error"].as_array().expect("refusals").iter();
        let floor = reports.filter(|report| report["code"] == "plan::floor");
        let mut told: Vec<String> = floor.filter_map(|report| Some(report["detail"].as_str()?.to_owned())).collect();
        told = told.iter().flat_map(|detail| detail.lines()).map(str::to_owned).collect();
        let mine = |line: &&String| line.contains(&format!("(pack {pack}, rule "));
        let expected =
            columns.iter().filter(|(_, rules)| rules.iter().any(|rule| rule.starts_with(&format!("{pack}."))));
        let expected: Vec<&String> = expected.map(|(column, _)| column).collect();
        // `secrets` always holds, and is told first where both refuse a column.
        let secret = |column: &&&String| {
            columns
                .iter()
                .any(|(name, rules)| name == **column && rules.iter().any(|rule| rule.starts_with("secrets.")))
        };
        let hidden = if pack == "pii" { 0 } else { expected.iter().filter(secret).count() };
        let found = told.iter().filter(mine).count();
        assert_eq!(found + hidden, expected.len(), "{pack}: {expected:?}\n{told:#?}");
        assert!(found > 0, "{pack}");
    }
}

const OWN: &str = "package shop.rules\nimport rego.v1\n\
    deny contains {\"message\": message, \"hint\": \"birth_date = \\\"null\\\"\"} if {\n\
      some table in input.tables\n  some column in table.columns\n  column.column == \"birth_date\"\n\
      column.decision != \"null\"\n\
      message := sprintf(\"%s.%s stays in this house\", [table.table, column.column])\n}\n\
    deny contains message if {\n  some table in input.tables\n  some column in table.columns\n\
      \"email\" in column.looks_like\n  column.decision == \"keep\"\n  message := \"addresses are never kept\"\n}\n";

#[test]
fn rules_of_an_organization_refuse_like_ours() {
    let lab = Lab::new("rego");
    lab.seed(PEOPLE);
    std::fs::create_dir(lab.path("policy")).expect("a folder");
    std::fs::write(lab.path("policy/own.rego"), OWN).expect("written");
    let kept = "email = { keep = \"a test\" }\ncard_number = \"card\"\n";
    let config = |more: &str| {
        let text = policy("\"pii\"", &format!("{kept}{more}"));
        lab.config(&text.replace("[policy]\n", "[policy]\nrego = [\"policy/*.rego\"]\n"));
    };
    config("");
    for command in [&["plan"][..], &["refresh"]] {
        let ran = lab.restage(command);
        assert_eq!(ran.code, 3, "{ran:?}");
        let told = format!("{}{}", ran.stdout, ran.stderr);
        for said in [
            "error[policy::rego]: public.people.birth_date stays in this house",
            "error[policy::rego]: addresses are never kept",
            "policy/own.rego",
            "data.shop.rules.deny",
            "birth_date = \"null\"",
        ] {
            assert!(told.contains(said), "{said}: {told}");
        }
        assert!(!told.contains("ann@example.com"));
    }
    lab.config(&policy("\"pii\"", kept));
    assert_eq!(lab.restage(&["plan"]).code, 0, "without the rules nothing refuses");
    let masked = policy("\"pii\"", "email = \"email\"\nbirth_date = \"null\"");
    lab.config(&masked.replace("[policy]\n", "[policy]\nrego = [\"policy/*.rego\"]\n"));
    lab.refresh();
    // Rules that do not run are not held.
    std::fs::write(lab.path("policy/own.rego"), "package shop\nallow := true\n").expect("written");
    let ran = lab.restage(&["plan"]);
    assert!(ran.code == 3 && ran.stderr.contains("policy::rego") && ran.stderr.contains("deny"), "{ran:?}");
    std::fs::remove_file(lab.path("policy/own.rego")).expect("removed");
    let ran = lab.restage(&["plan"]);
    assert!(ran.code == 2 && ran.stderr.contains("matches no file"), "{ran:?}");
}
