//! What the options of `[subset]` do, as users see it.

use super::{Asked, numbers};
use crate::support::{Lab, done};
use restage::config::Config;
use std::collections::BTreeSet;

const KEEP: &str = "[tables.\"*\"]\ndefault = \"keep\"\n";

/// Customers with orders and items, all of which refer to products, and a log that refers to every customer.
const SHOP: &str = "
CREATE TABLE customers (id int PRIMARY KEY, country text NOT NULL, vip bool);
CREATE TABLE products (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, gift_to int REFERENCES customers);
CREATE TABLE items (id int, ord int REFERENCES orders, product int NOT NULL REFERENCES products, PRIMARY KEY (ord, id));
CREATE TABLE log (customer int NOT NULL REFERENCES customers, at int);
CREATE INDEX ON orders (customer);
INSERT INTO customers SELECT i, CASE WHEN i % 10 = 0 THEN 'DE' ELSE 'FR' END, i % 100 = 0 FROM generate_series(1, 1000) i;
INSERT INTO products SELECT i, 'p' || i FROM generate_series(1, 50) i;
INSERT INTO orders SELECT i, 1 + i % 1000, CASE WHEN i % 5 = 0 THEN 1 + (i * 7) % 1000 END FROM generate_series(1, 4000) i;
INSERT INTO items SELECT j, i, 1 + (i + j) % 50 FROM generate_series(1, 4000) i, generate_series(1, 3) j;
INSERT INTO log SELECT 1 + i % 1000, i FROM generate_series(1, 20000) i;
ANALYZE;
";

fn lab(name: &str, schema: &str, rest: &str) -> Lab<'static> {
    let lab = Lab::new(name);
    lab.seed(schema);
    lab.config(&format!("{KEEP}{rest}"));
    lab
}

#[test]
fn a_subset_that_explodes_is_refused_before_extraction_with_the_edge_and_a_cut_that_fixes_it() {
    let subset = "[subset]\nseed = [{ table = \"public.customers\", where = \"country = 'DE'\" }]\nrows_max = 2000\n";
    let lab = lab("explodes", SHOP, subset);
    let before = lab.databases();
    for command in [&["plan"][..], &["refresh"]] {
        let ran = lab.restage(command);
        assert_eq!(ran.code, 3, "{ran:?}");
        for part in [
            "error[plan::subset-too-large]: the subset has more than 2000 rows",
            "Most come through foreign key log_customer_fkey from \"public.customers\" to \"public.log\": 2000 rows.",
            "from = \"public.log.customer\"",
            "children = \"none\"",
        ] {
            assert!(ran.stderr.contains(part), "{part}\n{}", ran.stderr);
        }
        assert_eq!(lab.databases(), before, "nothing was made at the target");
    }
    // The first cut, as it is told.
    let told = lab.restage(&["plan", "--json"]).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).expect("a document");
    let hint = told["error"][0]["hint"].as_str().expect("a hint");
    let cut = hint.split("# 2.").next().expect("a cut").split("# or raise").next().expect("a cut");
    lab.config(&format!("{KEEP}{subset}{cut}"));
    done(lab.restage(&["refresh"]));
    assert_eq!(lab.staging("SELECT count(*) FROM log"), "0");
    assert_eq!(lab.staging("SELECT count(*) FROM customers WHERE country = 'DE'"), "100");
    assert_eq!(
        lab.staging("SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer WHERE c.country = 'DE'"),
        lab.production("SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer WHERE c.country = 'DE'")
    );
}

/// Expects that a subset is too large, and returns the cuts of the hint, each with the rows it says are left.
#[track_caller]
fn cuts(lab: &Lab<'_>) -> Vec<(String, u64)> {
    let ran = lab.restage(&["plan", "--json"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("a document");
    assert_eq!(told["error"][0]["code"], "plan::subset-too-large", "{told}");
    let hint = told["error"][0]["hint"].as_str().expect("a hint");
    let hint = hint.split("\n# or raise").next().expect("lines");
    let cut = |text: &str| {
        let (head, lines) = text.split_once('\n')?;
        let left = head.split(' ').nth(1)?.parse().ok()?;
        Some((format!("{lines}\n"), left))
    };
    hint.split("# ").filter_map(cut).collect()
}

/// Adds lines to a configuration, and expects that the subset is as large as they were said to leave it.
#[track_caller]
fn pasted(lab: &Lab<'_>, config: &str, (lines, left): &(String, u64)) {
    lab.config(&format!("{KEEP}{config}{lines}"));
    let told = done(lab.restage(&["plan", "--json"])).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).expect("a document");
    assert_eq!(told["subset"]["rows"], *left, "{lines}");
    done(lab.restage(&["refresh"]));
}

#[test]
fn a_cut_takes_effect_where_its_edge_has_a_rule_already() {
    let subset = "[subset]\nseed = [{ table = \"public.customers\", where = \"country = 'DE'\" }]\nrows_max = 2200\n\
         [[subset.edge]]\nfrom = \"public.log.customer\"\nchildren = { max = 19 }\n\
         [[subset.edge]]\nfrom = \"public.orders.gift_to\"\nchildren = \"none\"\nparent = \"follow\"\n";
    let lab = lab("cut_again", SHOP, subset);
    let cuts = cuts(&lab);
    assert!(!cuts.is_empty());
    for cut in &cuts {
        pasted(&lab, subset, cut);
    }
    // All of them at once, as somebody pastes who does not choose.
    let all: String = cuts.iter().map(|(lines, _)| lines.as_str()).collect();
    lab.config(&format!("{KEEP}{subset}{all}"));
    done(lab.restage(&["refresh"]));
    // The reference up, over the rule that says to follow it.
    let up = "[[subset.edge]]\nfrom = \"public.orders.gift_to\"\nto = \"public.customers.id\"\nparent = \"null\"\n";
    lab.config(&format!("{KEEP}{}{up}", subset.replace("rows_max = 2200\n", "")));
    done(lab.restage(&["refresh"]));
    assert_eq!(lab.staging("SELECT count(*) FROM customers"), "100");
}

#[test]
fn a_cut_of_a_composite_key_names_all_its_columns_and_no_other_key() {
    let schema = "
    CREATE TABLE places (tenant int, id int, PRIMARY KEY (tenant, id));
    CREATE TABLE orders (tenant int NOT NULL, id int PRIMARY KEY, billed int, sent int,
        CONSTRAINT billed_to FOREIGN KEY (tenant, billed) REFERENCES places (tenant, id),
        CONSTRAINT sent_to FOREIGN KEY (tenant, sent) REFERENCES places (tenant, id));
    INSERT INTO places SELECT 1, i FROM generate_series(1, 50) i;
    INSERT INTO orders SELECT 1, i, CASE WHEN i <= 5 THEN 1 END, CASE WHEN i > 5 THEN 1 END FROM generate_series(1, 500) i; ANALYZE;";
    let subset = "[subset]\nseed = [{ table = \"public.places\", where = \"id = 1\" }]\nrows_max = 100\n";
    let lab = lab("composite", schema, subset);
    let cuts = cuts(&lab);
    let first = cuts.first().expect("a cut");
    assert!(first.0.contains("from = \"public.orders.tenant, public.orders.sent\""), "{first:?}");
    assert!(first.0.contains("to = \"public.places.tenant, public.places.id\""), "{first:?}");
    pasted(&lab, subset, first);
    assert_eq!(lab.staging("SELECT count(*), count(billed), count(sent) FROM orders"), "5|5|0");
}

#[test]
fn a_cut_is_judged_with_the_rows_of_cover() {
    // The one row that shows the label stands at the end of a chain; without it, others that show more are needed.
    let schema = "
    CREATE TYPE kind AS ENUM ('plain', 'rare', 'odd');
    CREATE TABLE chain (id int PRIMARY KEY, before int REFERENCES chain, kind kind NOT NULL, size int);
    INSERT INTO chain SELECT i, NULLIF(i - 1, 0), CASE i WHEN 300 THEN 'rare' WHEN 7 THEN 'odd' ELSE 'plain' END::kind, i % 40
        FROM generate_series(1, 300) i; ANALYZE;";
    let subset = "[subset]\nchildren = \"none\"\ncover = [\"enum\", \"boundary\", \"null\"]\nrows_max = 60\n";
    let lab = lab("cover_cut", schema, subset);
    let cuts = cuts(&lab);
    assert!(cuts.iter().all(|(lines, left)| lines.contains("parent = \"null\"") && *left > 0), "{cuts:?}");
    pasted(&lab, subset, cuts.first().expect("a cut"));
    assert_eq!(lab.staging("SELECT count(DISTINCT kind), max(size) FROM chain"), "3|39");
}

#[test]
fn cuts_that_help_together_are_told_together() {
    let schema = "
    CREATE TABLE boss (id int PRIMARY KEY); INSERT INTO boss VALUES (1);
    CREATE TABLE a (id int PRIMARY KEY, boss int NOT NULL REFERENCES boss); INSERT INTO a SELECT i, 1 FROM generate_series(1, 90) i;
    CREATE TABLE b (id int PRIMARY KEY, boss int NOT NULL REFERENCES boss); INSERT INTO b SELECT i, 1 FROM generate_series(1, 90) i;";
    let subset = "[subset]\nseed = [{ table = \"public.boss\" }]\nrows_max = 50\n";
    let lab = lab("together", schema, subset);
    let cuts = cuts(&lab);
    let [only] = cuts.as_slice() else { panic!("{cuts:?}") };
    assert_eq!(only.1, 1);
    pasted(&lab, subset, only);
}

#[test]
fn cuts_that_suffice_only_together_are_told_together_however_many_and_none_too_many() {
    let mut schema = "CREATE TABLE six (id int PRIMARY KEY); INSERT INTO six VALUES (1);".to_owned();
    for number in 1..=7 {
        schema += &format!(
            "CREATE TABLE s{number} (id int PRIMARY KEY, p int NOT NULL REFERENCES six);
             INSERT INTO s{number} SELECT i, 1 FROM generate_series(1, 100) i;"
        );
    }
    // What is small need not be cut.
    schema += "CREATE TABLE small (id int PRIMARY KEY, p int NOT NULL REFERENCES six); INSERT INTO small SELECT i, 1 FROM generate_series(1, 20) i; ANALYZE;";
    let subset = "[subset]\nseed = [{ table = \"public.six\" }]\nrows_max = 50\n";
    let lab = lab("seven", &schema, subset);
    let cuts = cuts(&lab);
    let [only] = cuts.as_slice() else { panic!("{cuts:?}") };
    assert_eq!((only.1, only.0.matches("[[subset.edge]]").count()), (21, 7), "{only:?}");
    pasted(&lab, subset, only);
    // Twin: with one line fewer it is refused again.
    let (fewer, _) = only.0.rsplit_once("[[subset.edge]]").expect("several");
    lab.config(&format!("{KEEP}{subset}{fewer}"));
    assert_eq!(lab.restage(&["plan"]).code, 3);
}

#[test]
fn a_fifth_of_the_customers_of_the_shop_is_cut_to_fit() {
    let lab = crate::identity::lab("shop_cuts");
    crate::identity::seed_file(&lab, "samples/shop/schema.sql", &[]);
    crate::identity::seed_file(&lab, "samples/shop/data.sql", &[("scale", "0.05")]);
    let keep = crate::identity::KEEP_ALL;
    let subset = "[subset]\nseed = [{ table = \"public.customers\", percent = 20 }]\nrows_max = 600\n";
    lab.config(&format!("{keep}{subset}"));
    let cuts = cuts(&lab);
    assert!(!cuts.is_empty());
    for (lines, left) in &cuts {
        lab.config(&format!("{keep}{subset}{lines}"));
        let told = done(lab.restage(&["plan", "--json"])).stdout;
        let told: serde_json::Value = serde_json::from_str(&told).expect("a document");
        assert_eq!(told["subset"]["rows"], *left, "{lines}");
        assert!(*left <= 600);
    }
}

#[test]
fn the_cut_of_the_reference_that_the_refusal_names_is_told_first_where_it_suffices() {
    // Cutting `small` leaves fewer rows, but most of them come to `big`.
    let schema = "
    CREATE TABLE root (id int PRIMARY KEY); INSERT INTO root VALUES (1);
    CREATE TABLE big (id int PRIMARY KEY, r int NOT NULL REFERENCES root); INSERT INTO big SELECT i, 1 FROM generate_series(1, 40) i;
    CREATE TABLE small (id int PRIMARY KEY, r int NOT NULL REFERENCES root); INSERT INTO small SELECT i, 1 FROM generate_series(1, 10) i;
    CREATE TABLE b (id int PRIMARY KEY, s int NOT NULL REFERENCES small); INSERT INTO b SELECT i, 1 + i % 10 FROM generate_series(1, 30) i;
    CREATE TABLE c (id int PRIMARY KEY, s int NOT NULL REFERENCES small); INSERT INTO c SELECT i, 1 + i % 10 FROM generate_series(1, 30) i; ANALYZE;";
    let subset = "[subset]\nseed = [{ table = \"public.root\" }]\nrows_max = 100\n";
    let lab = lab("named_first", schema, subset);
    let told = lab.restage(&["plan"]).stderr;
    assert!(told.contains("Most come through foreign key big_r_fkey"), "{told}");
    let cuts = cuts(&lab);
    let left: Vec<u64> = cuts.iter().map(|(_, left)| *left).collect();
    assert!(cuts[0].0.contains("\"public.big.r\"") && cuts[1].0.contains("\"public.small.r\""), "{cuts:?}");
    assert_eq!(left, [71, 41, 81, 81]);
    for cut in &cuts {
        pasted(&lab, subset, cut);
    }
}

#[test]
fn where_no_cut_suffices_it_is_said_and_none_is_told() {
    let schema = "
    CREATE TABLE top (id int PRIMARY KEY); INSERT INTO top SELECT i FROM generate_series(1, 80) i;
    CREATE TABLE low (id int PRIMARY KEY, t int NOT NULL REFERENCES top); INSERT INTO low SELECT i, i FROM generate_series(1, 80) i; ANALYZE;";
    for (seed, rows_max) in [("top", 50), ("low", 100)] {
        let subset =
            format!("[subset]\nseed = [{{ table = \"public.{seed}\" }}]\nchildren = \"none\"\nrows_max = {rows_max}\n");
        let ran = lab("no_cut", schema, &subset).restage(&["plan"]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.stderr.contains("No cut suffices, nor do all cuts together"), "{}", ran.stderr);
        assert!(!ran.stderr.contains("[[subset.edge]]") && ran.stderr.contains("Choose fewer seeds"), "{}", ran.stderr);
    }
}

#[test]
fn rows_are_named_with_quotes_and_a_key_of_another_type_is_told_without_it() {
    let schema = "CREATE SCHEMA \"my shop\";
         CREATE TABLE \"my shop\".\"the \"\"orders\"\"\" (\"key one\" text, n int, PRIMARY KEY (\"key one\", n));
         INSERT INTO \"my shop\".\"the \"\"orders\"\"\" VALUES ('it''s here', 7);
         CREATE TABLE plain (id int PRIMARY KEY); INSERT INTO plain VALUES (1);";
    let subset = "[subset]\nseed = [{ table = \"my shop.*\" }, { table = \"public.plain\" }]\n";
    let lab = lab("quoted", schema, subset);
    let row = "\"my shop\".\"the \"\"orders\"\"\" 'it''s here' 7";
    let text = done(lab.restage(&["explain", "--row", row])).stdout;
    assert!(text.contains("seed 1 (restage.toml:"), "{text}");
    for (row, code, part) in [
        ("plain abcdefg", "usage::row-key", "Its key is (\"id\" integer), and the server does not read"),
        ("plain 99999999999999999999", "usage::row-key", "22003"),
        ("plain 2", "usage::no-row", "has no row with this key"),
        ("\"my shop.plain 2", "usage::row", "A quote is not closed."),
    ] {
        let ran = lab.restage(&["explain", "--row", row]);
        assert_eq!(ran.code, 2, "{row}: {ran:?}");
        assert!(ran.stderr.contains(&format!("error[{code}]")) && ran.stderr.contains(part), "{row}: {}", ran.stderr);
        assert!(!ran.stderr.contains("abcdefg") && !ran.stderr.contains("9999999"), "{}", ran.stderr);
    }
}

#[test]
fn bytes_have_a_limit_too() {
    let lab = lab("bytes_max", SHOP, "[subset]\nseed = [{ table = \"public.customers\" }]\nbytes_max = \"100KiB\"\n");
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("the subset has more than 102400 bytes"), "{}", ran.stderr);
}

#[test]
fn plan_counts_the_rows_of_every_table_and_of_every_edge() {
    let lab = lab("counted", SHOP, "[subset]\nseed = [{ table = \"public.customers\", where = \"vip\" }]\n");
    let told = done(lab.restage(&["plan", "--json"])).stdout;
    let told: serde_json::Value = serde_json::from_str(&told).expect("a document");
    let rows = |table: &str| {
        let tables = told["tables"].as_array().expect("tables");
        tables.iter().find(|view| view["name"] == table).map(|view| view["rows"].as_u64().expect("rows"))
    };
    done(lab.restage(&["refresh"]));
    for table in ["customers", "products", "orders", "items", "log"] {
        let loaded = lab.staging(&format!("SELECT count(*) FROM {table}"));
        assert_eq!(rows(&format!("public.{table}")).map(|rows| rows.to_string()), Some(loaded), "{table}");
    }
    let pulled = told["subset"]["references"].as_array().expect("references");
    assert_eq!(pulled[0]["reference"], "foreign key log_customer_fkey");
    assert_eq!(pulled[0]["rows"], 200);
    assert_eq!(told["subset"]["seeds"], 10);
    let text = done(lab.restage(&["plan"])).stdout;
    assert!(text.contains("Subset ") && text.contains("children = \"none\""), "{text}");
    // Everything from the first comment to the blank line behind the cuts is TOML, best cut first, and works where it is pasted.
    let lines = &text[text.find("# To make it smaller").expect("cuts")..];
    let lines = lines.split("\n\n").next().expect("lines");
    let first = lines.split("# 2. ").next().expect("a cut");
    assert!(first.contains("# 1. 200 rows of public.log came through it"), "{lines}");
    let subset = "[subset]\nseed = [{ table = \"public.customers\", where = \"vip\" }]\n";
    lab.config(&format!("{KEEP}{subset}{lines}\n"));
    done(lab.restage(&["refresh"]));
    assert_eq!(lab.staging("SELECT count(*) FROM log"), "0");
}

#[test]
fn counted_rows_are_told_where_the_source_never_counted_its_own() {
    let schema = SHOP.replace("ANALYZE;", "");
    let subset = "[subset]\nseed = [{ table = \"public.customers\", where = \"vip\" }]\n";
    let lab = lab("never_analyzed", &schema, "");
    let rows_of = |text: &str, table: &str| -> String {
        let line = text.lines().find(|line| line.trim_start().starts_with(table)).expect("a line");
        line.split_whitespace().nth(1).expect("rows").to_owned()
    };
    let text = done(lab.restage(&["plan"])).stdout;
    assert_eq!(rows_of(&text, "public.log"), "?", "nobody has counted them: {text}");
    lab.config(&format!("{KEEP}{subset}"));
    let text = done(lab.restage(&["plan"])).stdout;
    assert_eq!(rows_of(&text, "public.log"), "200", "{text}");
}

#[test]
fn children_are_limited_per_parent_in_the_order_of_their_key() {
    let edge = |lines: &str| format!("[[subset.edge]]\nfrom = \"public.{lines}\n");
    let subset = format!(
        "[subset]\nseed = [{{ table = \"public.customers\", where = \"id <= 3\" }}]\nchildren = \"none\"\n{}{}",
        edge("orders.customer\"\nchildren = { max = 2 }"),
        edge("items.ord\"\nchildren = { max = 1 }")
    );
    let lab = lab("per_parent", SHOP, &subset);
    done(lab.restage(&["refresh"]));
    let wanted = "SELECT string_agg(id::text, ',' ORDER BY id) FROM (SELECT id, row_number() OVER (PARTITION BY customer ORDER BY id) n FROM orders WHERE customer <= 3) o WHERE n <= 2";
    assert_eq!(lab.staging("SELECT string_agg(id::text, ',' ORDER BY id) FROM orders"), lab.production(wanted));
    assert_eq!(lab.staging("SELECT count(*), max(id) FROM items"), "6|1");
    assert_eq!(lab.staging("SELECT count(*) FROM log"), "0");
}

#[test]
fn a_cut_reference_becomes_null_where_its_row_stays_behind() {
    let subset = "[subset]\nseed = [{ table = \"public.customers\", where = \"id <= 100\" }]\n[[subset.edge]]\nfrom = \"public.orders.gift_to\"\nchildren = \"none\"\nparent = \"null\"\n[[subset.edge]]\nfrom = \"public.log.customer\"\nchildren = \"none\"\n";
    let lab = lab("cut", SHOP, subset);
    done(lab.restage(&["refresh"]));
    assert_eq!(lab.staging("SELECT count(*) FROM customers"), "100");
    let expected = lab
        .production("SELECT count(*), count(gift_to) FILTER (WHERE gift_to <= 100) FROM orders WHERE customer <= 100");
    assert_eq!(lab.staging("SELECT count(*), count(gift_to) FROM orders"), expected);
    assert!(!expected.ends_with("|0"), "some references stay: {expected}");
}

#[test]
fn a_reference_whose_value_others_need_cannot_be_cut() {
    let schema = "CREATE TABLE plates (plate text PRIMARY KEY);
         CREATE TABLE vehicles (id int PRIMARY KEY, plate text UNIQUE REFERENCES plates);
         CREATE TABLE fines (id int PRIMARY KEY, plate text REFERENCES vehicles (plate));
         CREATE TABLE agents (id int PRIMARY KEY);
         CREATE TABLE jobs (id int PRIMARY KEY, agent int REFERENCES agents, team text, CHECK (agent IS NOT NULL OR team IS NOT NULL));
         CREATE TABLE turns (id int PRIMARY KEY, org int, agent int REFERENCES agents, UNIQUE NULLS NOT DISTINCT (org, agent));
         CREATE TABLE visits (id int, agent int REFERENCES agents) PARTITION BY LIST (agent);
         CREATE TABLE visits_1 PARTITION OF visits FOR VALUES IN (1);";
    for (from, seed, why) in [
        ("vehicles.plate", "vehicles", "other rows refer to \"public.vehicles.plate\"."),
        ("jobs.agent", "jobs", "check jobs_check asks whether \"public.jobs.agent\" is NULL."),
        ("turns.agent", "turns", "is in a unique index for which NULLs are equal, turns_org_agent_key."),
        ("visits.agent", "visits", "says into which partition of public.visits a row goes."),
    ] {
        let subset = format!(
            "[subset]\nchildren = \"none\"\nseed = [{{ table = \"public.{seed}\" }}]\n\
             [[subset.edge]]\nfrom = \"public.{from}\"\nparent = \"null\"\n"
        );
        let ran = lab("needed", schema, &subset).restage(&["plan"]);
        assert_eq!(ran.code, 3, "{from}: {ran:?}");
        assert!(ran.stderr.contains("error[plan::subset-not-null]"), "{from}: {}", ran.stderr);
        assert!(ran.stderr.contains(why), "{from}: {}", ran.stderr);
    }
}

#[test]
fn a_reference_whose_domain_forbids_null_is_not_cut_and_its_cut_is_not_proposed() {
    // Orders refer to agents one by one, so that agents, and what belongs to them, are what makes the subset large.
    let schema = "CREATE DOMAIN needed AS int CONSTRAINT is_there CHECK (VALUE IS NOT NULL); CREATE DOMAIN strict AS int NOT NULL;
         CREATE DOMAIN above AS needed CHECK (VALUE > 0); CREATE DOMAIN free AS int CHECK (VALUE > 0);
         CREATE TABLE agents (id int PRIMARY KEY); INSERT INTO agents SELECT generate_series(1, 90);
         CREATE TABLE jobs (id int PRIMARY KEY, one needed REFERENCES agents, two strict REFERENCES agents, three above REFERENCES agents,
           four free REFERENCES agents, five needed);
         INSERT INTO jobs SELECT i, i, i, i, i, i FROM generate_series(1, 20) i; ANALYZE;";
    let base = "[subset]\nchildren = \"none\"\nseed = [{ table = \"public.jobs\" }]\n";
    let declared = "[[references]]\nfrom = \"public.jobs.five\"\nto = \"public.agents.id\"\n";
    let lab = lab("domains", schema, base);
    let cut = |column: &str| format!("[[subset.edge]]\nfrom = \"public.jobs.{column}\"\nparent = \"null\"\n");
    for (column, why) in [
        ("one", "check is_there of domain public.needed asks whether \"public.jobs.one\" is NULL."),
        ("two", "\"public.jobs.two\" is NOT NULL."),
        ("three", "check is_there of domain public.needed asks whether \"public.jobs.three\" is NULL."),
        ("five", "check is_there of domain public.needed asks whether \"public.jobs.five\" is NULL."),
    ] {
        lab.config(&format!("{KEEP}{declared}{base}{}", cut(column)));
        let ran = lab.restage(&["plan"]);
        assert_eq!(ran.code, 3, "{column}: {ran:?}");
        assert!(ran.stderr.contains("error[plan::subset-not-null]") && ran.stderr.contains(why), "{}", ran.stderr);
    }
    // Twin: a domain that takes NULL.
    lab.config(&format!("{KEEP}{base}{}", cut("four")));
    done(lab.restage(&["refresh"]));
    lab.config(&format!("{KEEP}{base}rows_max = 30\n"));
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("No cut suffices") && !ran.stderr.contains("parent = \"null\""), "{}", ran.stderr);
}

#[test]
fn rows_without_a_key_are_chosen_by_what_they_hold() {
    let schema = "CREATE TABLE teams (id int PRIMARY KEY);
         CREATE TABLE words (team int REFERENCES teams, word text, at timestamptz, n float8, doc json);
         INSERT INTO teams SELECT generate_series(1, 5);
         INSERT INTO words SELECT i % 5 + 1, md5(i::text), now() + i * interval '1 s', i / 7.0, '{\"a\": \"\\u0000\"}' FROM generate_series(1, 300) i;
         CREATE INDEX words_word ON words (word);";
    let by_limit = "[subset]\nseed = [{ table = \"public.words\", limit = 20 }]\nchildren = \"none\"\n";
    let by_parent = "[subset]\nseed = [{ table = \"public.teams\" }]\nchildren = { max = 3 }\n";
    for (name, subset) in [("limited", by_limit), ("children", by_parent)] {
        let lab = lab(name, schema, subset);
        done(lab.restage(&["refresh"]));
        let words = "SELECT string_agg(word, ',' ORDER BY word) FROM words";
        let before = lab.staging(words);
        lab.source.sql(&lab.name, "CLUSTER words USING words_word; UPDATE words SET word = word WHERE team = 2");
        done(lab.restage(&["refresh"]));
        assert_eq!(lab.staging(words), before, "{name}");
        assert!(before.matches(',').count() >= 14, "{before}");
    }
}

#[test]
fn a_reference_that_cannot_be_null_cannot_be_cut() {
    let subset = "[subset]\nseed = [{ table = \"public.customers\" }]\n[[subset.edge]]\nfrom = \"public.orders.customer\"\nparent = \"null\"\n";
    let ran = lab("uncut", SHOP, subset).restage(&["plan"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("error[plan::subset-not-null]: foreign key orders_customer_fkey"), "{}", ran.stderr);
    assert!(ran.stderr.contains("detail: \"public.orders.customer\" is NOT NULL."), "{}", ran.stderr);
}

#[test]
fn large_shares_are_streamed_and_small_ones_looked_up_with_the_same_rows() {
    // `regclass` travels as text, so both formats are read both ways.
    let schema = "
    CREATE TABLE a (id int PRIMARY KEY, body text);
    CREATE TABLE b (id int PRIMARY KEY, what regclass, body text);
    CREATE TABLE c (id int PRIMARY KEY REFERENCES a, b int REFERENCES b);
    INSERT INTO a SELECT i, repeat(E'x\\ty\\\\\\n', i % 5) FROM generate_series(1, 60000) i;
    INSERT INTO b SELECT i, 'a'::regclass, NULLIF(repeat(E'(1,2)\\t', i % 3), '') FROM generate_series(1, 60000) i;
    DELETE FROM a WHERE id % 11 = 0; DELETE FROM b WHERE id % 11 = 0;
    INSERT INTO c SELECT id, id FROM a; ANALYZE;";
    for (percent, modulus) in [("most", 2), ("few", 40)] {
        let lab = lab(
            &format!("stream_{percent}"),
            schema,
            &format!("[subset]\nseed = [{{ table = \"public.a\", where = \"id % {modulus} = 0\" }}]\n"),
        );
        done(lab.restage(&["refresh"]));
        for table in ["a", "b", "c"] {
            let sum = format!("SELECT count(*), md5(string_agg(t::text, '/' ORDER BY id)) FROM {table} t");
            assert_eq!(
                lab.staging(&sum),
                lab.production(&format!("{sum} WHERE id % {modulus} = 0")),
                "{percent} {table}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn percentages_are_nested_stable_and_about_right() {
    let schema = "CREATE TABLE t (rid int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 5000);
        CREATE TABLE u (rid int); INSERT INTO u SELECT generate_series(1, 5000);";
    let lab = lab("percent", schema, "");
    let mut sampled = Vec::new();
    for (percent, move_rows) in [(1.0, false), (20.0, false), (20.0, true), (100.0, false)] {
        if move_rows {
            lab.source.sql_as("postgres", &lab.name, "UPDATE t SET rid = rid; VACUUM FULL t, u; ANALYZE");
        }
        let seeds = ["t", "u"].map(|table| format!("{{ table = \"public.{table}\", percent = {percent} }}"));
        lab.config(&format!("{KEEP}[subset]\nseed = [{}]\n", seeds.join(", ")));
        let asked = Asked::new(&lab).await;
        let selection = asked.select(2, 10_000).await.expect("a subset");
        let found = numbers(&lab, &asked.plan, &selection);
        asked.snapshot.release().await;
        for table in ["t", "u"] {
            let share = found[table].len() as f64 / 50.0;
            assert!((share - percent).abs() < 2.0, "{percent} % of {table} is {share} %");
        }
        sampled.push(found);
    }
    assert!(sampled[0]["t"].is_subset(&sampled[1]["t"]) && sampled[0]["u"].is_subset(&sampled[1]["u"]));
    assert_ne!(sampled[1]["t"], sampled[1]["u"], "every table is drawn from on its own");
    assert_eq!(sampled[1], sampled[2], "rows are drawn by what they are, not by where they stand");
    assert_eq!(sampled[3]["t"], (1..=5000).collect::<BTreeSet<i64>>());
}

#[test]
fn a_limit_takes_the_first_in_its_order() {
    let subset = "[subset]\nseed = [{ table = \"public.customers\", where = \"country = 'DE'\", order = \"vip DESC, id DESC\", limit = 12 }]\nchildren = \"none\"\n";
    let lab = lab("ordered", SHOP, subset);
    done(lab.restage(&["refresh"]));
    let rows = "SELECT string_agg(id::text, ',' ORDER BY id) FROM";
    assert_eq!(
        lab.staging(&format!("{rows} customers")),
        lab.production(&format!(
            "{rows} (SELECT id FROM customers WHERE country = 'DE' ORDER BY vip DESC, id DESC LIMIT 12) c"
        ))
    );
}

#[test]
fn a_scenario_takes_its_values_from_the_command_line_and_they_stay_values() {
    let scenario = "[scenario.customer]\nparams = [\"id\", \"country\"]\nseed = [{ table = \"public.customers\", where = \"id = :id AND country = :country\" }]\n";
    let lab = lab("scenario", SHOP, scenario);
    done(lab.restage(&["refresh", "--scenario", "customer", "--set", "id=10", "--set", "country=DE"]));
    assert_eq!(lab.staging("SELECT count(*) FROM customers WHERE id = 10"), "1");
    assert_eq!(lab.staging("SELECT count(*) FROM log WHERE customer = 10"), "20");
    for (id, country) in [("10", "DE' OR '1'='1"), ("10", "\\' OR 1=1 --"), ("10 OR 1=1", "DE")] {
        let (id, country) = (format!("id={id}"), format!("country={country}"));
        let ran = lab.restage(&["refresh", "--scenario", "customer", "--set", &id, "--set", &country]);
        assert_ne!(ran.code, 0, "{id} {country}");
        assert!(!ran.stderr.contains("1=1") && !ran.stderr.contains("OR '1'"), "values are not told: {}", ran.stderr);
    }
    let ran = lab.restage(&["plan", "--scenario", "customer", "--set", "id=10"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("parameter \"country\" of scenario \"customer\" is not set"), "{}", ran.stderr);
    let mut config = Config::load(&lab.path("restage.toml"), &|_| None).expect("sound");
    assert!(restage::config::choose_scenario(&mut config, Some("other"), &[]).is_err());
}

#[test]
fn the_path_to_a_row_is_told_without_its_values() {
    let subset = "[subset]\nseed = [{ table = \"public.customers\", where = \"country = 'DE'\" }]\n[[subset.edge]]\nfrom = \"public.orders.gift_to\"\nchildren = \"none\"\n";
    let lab = lab("path", SHOP, subset);
    let order = lab.production("SELECT min(id) FROM orders WHERE customer % 10 = 0");
    let text = done(lab.restage(&["explain", "--row", &format!("public.items {order} 2")])).stdout;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    for (line, parts) in lines.iter().zip([
        ["public.customers", "seed 1 (restage.toml:"],
        ["public.orders", "it belongs to \"public.customers\": foreign key orders_customer_fkey"],
        ["public.items", "it belongs to \"public.orders\": foreign key items_ord_fkey"],
    ]) {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    assert!(!text.contains("DE"), "{text}");
    let product = done(lab.restage(&["explain", "--row", "products 1"])).stdout;
    assert!(product.contains("\"public.items\" refers to it: foreign key items_product_fkey"), "{product}");
    let out = done(lab.restage(&["explain", "--row", "orders 1"])).stdout;
    assert!(out.contains("not in the subset"), "{out}");
    let none = lab.restage(&["explain", "--row", "orders 99999999"]);
    assert_eq!(none.code, 2, "{none:?}");
}

#[test]
fn whole_tables_come_with_what_they_refer_to_and_empty_ones_stay_empty() {
    let subset = "[tables.\"public.log\"]\nrows = \"none\"\n[subset]\nseed = [{ table = \"public.customers\", where = \"id = 1\" }]\nchildren = \"none\"\nwhole = [\"public.prod*\", \"public.items\"]\n";
    let lab = lab("whole", SHOP, subset);
    done(lab.restage(&["refresh"]));
    assert_eq!(lab.staging("SELECT count(*) FROM products"), "50");
    assert_eq!(lab.staging("SELECT count(*) FROM items"), "12000");
    assert_eq!(lab.staging("SELECT count(*) FROM orders"), "4000", "items refer to all of them");
    assert_eq!(lab.staging("SELECT count(*) FROM log"), "0");
}

#[test]
fn rows_that_the_policy_leaves_out_are_not_chosen_as_children_either() {
    let rows = "[tables.\"public.log\"]\nrows = { where = \"at > 10000\" }\n";
    let subset = "[subset]\nseed = [{ table = \"public.customers\", where = \"id = 1\" }, { table = \"public.log\", limit = 1, order = \"at\" }]\n";
    let lab = lab("filtered", SHOP, &format!("{rows}{subset}"));
    done(lab.restage(&["refresh"]));
    assert_eq!(lab.staging("SELECT min(at) FROM log"), "10001");
    assert_eq!(
        lab.staging("SELECT count(*) FROM log WHERE customer = 1"),
        lab.production("SELECT count(*) FROM log WHERE customer = 1 AND at > 10000")
    );
}

#[test]
fn cover_adds_the_few_rows_that_show_everything() {
    let schema = "
    CREATE TYPE status AS ENUM ('new', 'paid', 'lost', 'never');
    CREATE TABLE tree (id int, kind int, note text, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
    CREATE TABLE tree_p1 PARTITION OF tree FOR VALUES IN (1); CREATE TABLE tree_p2 PARTITION OF tree FOR VALUES IN (2);
    CREATE TABLE tree_p3 PARTITION OF tree FOR VALUES IN (3);
    INSERT INTO tree SELECT i, 1 + i % 2, repeat('x', i % 7) FROM generate_series(1, 100) i;
    CREATE TABLE o (id int PRIMARY KEY, s status NOT NULL, paid bool, amount numeric, body text, t int, k int,
                    FOREIGN KEY (t, k) REFERENCES tree (id, kind));
    INSERT INTO o SELECT i, (ARRAY['new', 'paid', 'lost'])[1 + i % 3]::status, CASE WHEN i % 50 > 0 THEN i % 2 = 0 END,
        i * 1.5, CASE i WHEN 77 THEN 'größe' WHEN 78 THEN repeat('long', 99) WHEN 79 THEN '' ELSE 'plain' END,
        CASE WHEN i % 10 > 0 THEN 1 + i % 100 END, CASE WHEN i % 10 > 0 THEN 1 + (1 + i % 100) % 2 END
        FROM generate_series(1, 1000) i;";
    let cover = "[subset]\ncover = [\"enum\", \"null\", \"boundary\", \"unicode\", \"partition\"]\ntuples = [\"public.o.s, public.o.paid\"]\n";
    let lab = lab("cover", schema, cover);
    let told = done(lab.restage(&["plan", "--json"])).stdout;
    let refreshed = done(lab.restage(&["refresh", "--json"])).stdout;
    let fixture = done(lab.restage(&["fixture", "--out", "fix", "--json"])).stdout;
    for document in [refreshed, fixture] {
        let document: serde_json::Value = serde_json::from_str(&document).expect("a document");
        let (shown, absent) = (document["cover"]["shown"].to_string(), document["cover"]["absent"].to_string());
        assert!(shown.contains("public.o.s: label \\\"paid\\\"") && shown.contains("9 combinations"), "{shown}");
        assert!(absent.contains("public.o.s: label \\\"never\\\"") && !absent.contains("paid"), "{absent}");
    }
    for shown in [
        "(SELECT array_agg(DISTINCT s ORDER BY s) FROM o) = '{new,paid,lost}'",
        "(SELECT count(DISTINCT (s, paid)) FROM o) = 9",
        "EXISTS (SELECT FROM o WHERE paid IS NULL) AND EXISTS (SELECT FROM o WHERE t IS NULL)",
        "(SELECT min(amount) FROM o) = 1.5 AND (SELECT max(amount) FROM o) = 1500",
        "(SELECT max(length(body)) FROM o) = 396 AND EXISTS (SELECT FROM o WHERE body = '')",
        "EXISTS (SELECT FROM o WHERE body = 'größe')",
        "(SELECT count(DISTINCT tableoid) FROM tree) = 2 AND (SELECT min(id) + max(id) FROM tree) = 101",
        "(SELECT count(*) FROM o) < 16 AND (SELECT count(*) FROM tree) < 24",
    ] {
        assert_eq!(lab.staging(&format!("SELECT {shown}")), "t", "{shown}");
    }
    let told: serde_json::Value = serde_json::from_str(&told).expect("a document");
    let absent = told["subset"]["absent"].to_string();
    assert!(absent.contains("public.o.s: label") && absent.contains("never") && absent.contains("tree_p3"), "{absent}");
    let first = lab.staging("SELECT string_agg(o::text, '/' ORDER BY id) FROM o");
    lab.source.sql_as(
        "postgres",
        &lab.name,
        "UPDATE o SET id = id WHERE id % 3 = 0; VACUUM FULL o; CLUSTER o USING o_pkey",
    );
    done(lab.restage(&["refresh"]));
    assert_eq!(lab.staging("SELECT string_agg(o::text, '/' ORDER BY id) FROM o"), first, "wherever the rows stand");
}
