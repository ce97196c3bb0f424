//! The sample shop, refreshed with its own policy: what must hold after masking, and what must not be there.

use crate::support::Cluster;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

const SCALE: &str = "scale=0.02";

/// Production with the shop in it, a server for staging, and one key.
struct Shop {
    source: Cluster,
    target: Cluster,
    /// Removed by nobody but the system: statics are not dropped. It holds configurations and a worthless key.
    folder: PathBuf,
    key: String,
}

fn shop() -> &'static Shop {
    static SHOP: OnceLock<Shop> = OnceLock::new();
    SHOP.get_or_init(|| {
        let (source, target) = (Cluster::start(&[]), Cluster::start(&[]));
        source.sql("postgres", "CREATE ROLE shop_owner LOGIN; CREATE ROLE restage_ro LOGIN BYPASSRLS");
        source.sql("postgres", "CREATE DATABASE shop OWNER shop_owner TEMPLATE template0");
        source.sql_as("shop_owner", "shop", restage::demo::SCHEMA);
        let data = source
            .client("psql", "shop_owner", "shop")
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-v", SCALE, "-f"])
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/samples/shop/data.sql"))
            .stdout(Stdio::null())
            .status();
        assert!(data.expect("psql").success());
        source.sql(
            "shop",
            "SELECT format('GRANT USAGE ON SCHEMA %1$I TO restage_ro; GRANT SELECT ON ALL TABLES IN SCHEMA %1$I TO restage_ro; \
             GRANT SELECT ON ALL SEQUENCES IN SCHEMA %1$I TO restage_ro', nspname) FROM pg_namespace \
             WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \\gexec",
        );
        target.sql("postgres", "CREATE ROLE restage LOGIN CREATEDB; GRANT pg_signal_backend TO restage");
        // Beside the clusters, whose watchdog removes it.
        let folder = source.folder().join("lab");
        std::fs::create_dir(&folder).expect("mkdir");
        let key = new_key();
        Shop { source, target, folder, key }
    })
}

fn new_key() -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_restage")).args(["key", "new"]).env_clear().output().expect("key new");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text").trim().to_owned()
}

/// A staging database of the shop's target server, with the sample's own configuration.
struct Staging {
    name: String,
    config: PathBuf,
    key: String,
}

impl Staging {
    /// Configures a staging named `name`; `edit` changes the sample's configuration.
    fn new(name: &str, key: &str, edit: impl Fn(String) -> String) -> Self {
        let shop = shop();
        let policy = restage::demo::POLICY.replace("confirm = \"shop\"", &format!("confirm = \"{name}\""));
        let config = shop.folder.join(format!("{name}.toml"));
        std::fs::write(&config, edit(policy)).expect("write");
        let staging = Self { name: name.to_owned(), config, key: key.to_owned() };
        staging.run(&["init-target", "--yes"]);
        staging
    }

    fn run(&self, args: &[&str]) -> String {
        let shop = shop();
        let output = Command::new(env!("CARGO_BIN_EXE_restage"))
            .current_dir(&shop.folder)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("USER", "t3ster")
            .env("HOME", &shop.folder)
            .env("RESTAGE_SOURCE", shop.source.url("restage_ro", "shop"))
            .env("RESTAGE_TARGET", shop.target.url("restage", &self.name))
            .env("RESTAGE_KEY", &self.key)
            .args(args)
            .arg("-c")
            .arg(&self.config)
            .stdin(Stdio::null())
            .output()
            .expect("restage runs");
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{args:?}: {}\n{stdout}\n{stderr}", output.status);
        stdout
    }

    fn json(&self, args: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.run(&[args, &["--json"]].concat())).expect("one JSON document")
    }

    fn sql(&self, sql: &str) -> String {
        shop().target.sql(&self.name, sql)
    }

    fn lines(&self, sql: &str) -> Vec<String> {
        self.sql(sql).lines().map(str::to_owned).collect()
    }

    fn dump(&self) -> String {
        shop().target.dump(&self.name)
    }
}

fn production(sql: &str) -> String {
    shop().source.sql("shop", sql)
}

fn production_lines(sql: &str) -> Vec<String> {
    production(sql).lines().map(str::to_owned).collect()
}

/// The refresh that most tests look at: the sample as it stands, into a database named shop.
fn base() -> &'static Staging {
    static BASE: OnceLock<Staging> = OnceLock::new();
    BASE.get_or_init(|| {
        let staging = Staging::new("shop", &shop().key, |policy| policy);
        staging.run(&["refresh"]);
        staging
    })
}

/// `psql -At` splits columns at bars.
fn cells(line: &str) -> Vec<&str> {
    line.split('|').collect()
}

/// One query per foreign key that counts its rows, those that point nowhere, and those half NULL.
const ORPHANS: &str = r"
SELECT format('SELECT %L, count(*), count(*) FILTER (WHERE %s AND NOT EXISTS (SELECT FROM %s r WHERE %s)), count(*) FILTER (WHERE num_nulls(%s) BETWEEN 1 AND %s) FROM %s f',
         k.conrelid::regclass || ' ' || k.conname,
         string_agg(format('f.%I IS NOT NULL', fa.attname), ' AND ' ORDER BY n),
         k.confrelid::regclass,
         string_agg(format('r.%I = f.%I', ra.attname, fa.attname), ' AND ' ORDER BY n),
         string_agg(format('f.%I', fa.attname), ', ' ORDER BY n),
         count(*) - 1, k.conrelid::regclass)
FROM pg_constraint k, unnest(k.conkey, k.confkey) WITH ORDINALITY AS u (f, r, n), pg_attribute fa, pg_attribute ra
WHERE k.contype = 'f' AND k.conparentid = 0 AND fa.attrelid = k.conrelid AND fa.attnum = f AND ra.attrelid = k.confrelid AND ra.attnum = r
GROUP BY k.oid, k.conrelid, k.confrelid, k.conname ORDER BY 1 \gexec";

#[test]
fn every_foreign_key_has_the_orphans_it_had_and_no_others() {
    // The policy copies a part of the logins only.
    let counts = |text: String| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("audit.logins ")).map(str::to_owned).collect()
    };
    let (before, after) = (counts(production(ORPHANS)), counts(base().sql(ORPHANS)));
    assert!(before.len() >= 40, "{before:?}");
    assert_eq!(before, after);
    let orphans: Vec<&String> = after.iter().filter(|line| cells(line)[2] != "0").collect();
    assert_eq!(base().sql(ORPHANS).lines().count(), after.len() + 1);
    assert_eq!(orphans.len(), 1, "only the key that was never validated has orphans: {orphans:?}");
}

#[test]
fn every_check_domain_unique_and_exclusion_constraint_holds_after_masking() {
    let state = "SELECT conrelid::regclass::text AS relation, conname, contype, convalidated FROM pg_constraint \
                 WHERE connamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) \
                 AND connamespace::regnamespace::text <> 'restage' ORDER BY 1, 2, 3";
    assert_eq!(production(state), base().sql(state));
    let checks = r"SELECT format('SELECT %L, count(*) FROM %s WHERE NOT (%s)', conrelid::regclass || ' ' || conname, conrelid::regclass,
                   pg_get_expr(conbin, conrelid)) FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 ORDER BY conname \gexec";
    let found = base().lines(checks);
    assert!(found.len() >= 20, "{found:?}");
    for line in found {
        assert_eq!(cells(&line)[1], "0", "{line}");
    }
    // A cast from text checks the domain again.
    let domains = r"SELECT format('SELECT count(%I::text::%s) FROM %s', attname, atttypid::regtype, attrelid::regclass)
                    FROM pg_attribute JOIN pg_type t ON t.oid = atttypid JOIN pg_class c ON c.oid = attrelid
                    WHERE t.typtype = 'd' AND c.relkind IN ('r', 'p') AND t.typnamespace = 'public'::regnamespace \gexec";
    assert!(base().lines(domains).len() >= 5);
    // Building an index again finds every pair that a unique or exclusion constraint forbids.
    for schema in ["public", "billing", "audit", "reporting", "\"Legacy\""] {
        base().sql(&format!("REINDEX SCHEMA {schema}"));
    }
}

/// Joins over values that no foreign key declares, and what a row says about its own person in two places.
const JOINS: &[&str] = &[
    "SELECT count(*) FROM orders o JOIN customers c ON lower(c.email) = lower(o.customer_email)",
    "SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id AND lower(c.email) = lower(o.customer_email)",
    "SELECT count(*) FROM newsletter n JOIN customers c ON c.email::text::citext = n.email",
    "SELECT count(*) FROM audit.logins l JOIN customers c ON lower(c.email) = lower(l.email_tried) \
     WHERE l.at >= timestamptz '2026-08-01 00:00:00+00'",
    "SELECT count(*) FROM billing.invoices i JOIN customers c ON c.email = i.bill_to_email",
    "SELECT count(*) FROM billing.invoices i JOIN customers c ON c.public_id = i.customer_public_id AND c.id = i.customer_id",
    "SELECT count(*) FROM \"Legacy\".\"Customers\" l JOIN customers c ON c.id = l.\"Customer No\" AND c.email = l.\"E-Mail\"",
    "SELECT count(*) FROM events e JOIN customers c ON c.email = e.payload -> 'user' ->> 'email'",
    "SELECT count(*) FROM events e JOIN devices d ON d.id = e.device_id AND d.customer_id = e.customer_id",
    "SELECT count(*) FROM customers WHERE profile -> 'contact' ->> 'email' = email",
    "SELECT count(*) FROM customers WHERE profile -> 'contact' ->> 'phone' = phone",
    "SELECT count(*) FROM customers WHERE profile -> 'contact' -> 'name' ->> 'first' = first_name",
    "SELECT count(*) FROM customers WHERE profile -> 'contact' -> 'name' ->> 'last' = last_name",
    "SELECT count(*) FROM addresses a JOIN customers c ON c.id = a.customer_id AND c.phone = a.phone",
    "SELECT count(*) FROM billing.payments p WHERE p.gateway_response -> 'payer' ->> 'ip' = host(p.payer_ip)",
    "SELECT count(*) FROM billing.payments p JOIN billing.invoices i ON i.id = p.invoice_id \
     JOIN customers c ON c.id = i.customer_id AND c.email = p.gateway_response -> 'payer' ->> 'email'",
    "SELECT count(*) FROM audit.changes a JOIN customers c ON c.email = a.actor_email",
    "SELECT count(*) FROM billing.payment_methods p JOIN \"Legacy\".\"Customers\" l \
     ON l.\"Customer No\" = p.customer_id AND l.\"Credit Card\" = p.card_number",
];

#[test]
fn joins_on_masked_natural_keys_return_as_many_rows_as_before() {
    for join in JOINS {
        let before = production(join);
        assert_ne!(before, "0", "a join that finds nothing proves nothing: {join}");
        assert_eq!(base().sql(join), before, "{join}");
    }
}

#[test]
fn one_person_has_one_name_in_every_table() {
    let same = "SELECT count(*) FROM (
        SELECT customer_id AS id, recipient AS name FROM addresses
        UNION ALL SELECT customer_id, bill_to_name FROM billing.invoices
        UNION ALL SELECT i.customer_id, p.payer_name FROM billing.payments p JOIN billing.invoices i ON i.id = p.invoice_id
        UNION ALL SELECT o.customer_id, s.recipient FROM shipments s JOIN orders o ON o.tenant_id = s.tenant_id AND o.id = s.order_id
        UNION ALL SELECT customer_id, shipping -> 'to' ->> 'name' FROM orders
        UNION ALL SELECT \"Customer No\", \"Full Name\" FROM \"Legacy\".\"Customers\"
    ) AS named JOIN customers c USING (id) WHERE named.name IS NOT NULL AND named.name <> c.full_name";
    assert_eq!(base().sql(same), "0");
}

/// Every planned table with rows, and its columns: name, decision, kind.
type Columns = Vec<(String, String, String)>;

fn planned() -> BTreeMap<String, Columns> {
    let plan = base().json(&["plan"]);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut tables = BTreeMap::new();
    for table in plan["tables"].as_array().expect("tables") {
        if table["selection"] == "none" {
            continue;
        }
        let columns = table["columns"].as_array().expect("columns").iter();
        let columns =
            columns.map(|column| (text(&column["name"]), text(&column["decision"]), text(&column["kind"]))).collect();
        tables.insert(text(&table["name"]), columns);
    }
    assert!(tables.len() >= 40, "{tables:?}");
    tables
}

/// `schema.table` as the plan writes it, quoted.
fn quoted(table: &str) -> String {
    let (schema, name) = table.split_once('.').expect("schema");
    format!("\"{schema}\".\"{name}\"")
}

/// The rows that the policy copies.
fn selection(table: &str) -> &'static str {
    if table == "audit.logins" { " WHERE at >= timestamptz '2026-08-01 00:00:00+00'" } else { "" }
}

#[test]
fn kept_columns_hold_what_they_held_row_by_row() {
    let mut compared = 0;
    for (table, columns) in planned() {
        let kept: Vec<String> =
            columns.iter().filter(|column| column.1 == "keep").map(|column| format!("\"{}\"", column.0)).collect();
        if kept.is_empty() {
            continue;
        }
        compared += kept.len();
        let sql = format!("SELECT {} FROM ONLY {}{}", kept.join(", "), quoted(&table), selection(&table));
        let (mut before, mut after) = (production_lines(&sql), base().lines(&sql));
        before.sort_unstable();
        after.sort_unstable();
        assert!(before == after, "{table}: kept columns differ");
    }
    assert!(compared >= 150, "{compared}");
}

#[test]
fn masked_columns_share_no_more_values_with_production_than_chance_allows() {
    let mut compared = 0;
    for (table, columns) in planned() {
        for (column, decision, kind) in columns {
            let values = |lines: Vec<String>| lines.into_iter().map(|line| line.trim_end().to_owned()).collect();
            let sql = format!(
                "SELECT DISTINCT translate(\"{column}\"::text, E'\\n', ' ') FROM ONLY {} WHERE \"{column}\"::text <> ''",
                quoted(&table)
            );
            let staged: BTreeSet<String> = values(base().lines(&sql));
            if decision == "null" {
                assert!(staged.is_empty(), "{table}.{column} is not NULL");
            }
            if decision != "mask" {
                continue;
            }
            let raw: BTreeSet<String> = values(production_lines(&sql));
            let longest = raw.iter().map(String::len).max().unwrap_or(0);
            let common = raw.intersection(&staged).count();
            compared += 1;
            let allowed = match kind.split('/').next().unwrap_or_default() {
                // Wide enough that two of some thousand values meet hardly ever.
                "email" | "username" | "uuid" | "us.ssn" | "card" => 0,
                "pattern" if longest >= 8 => 0,
                "phone" => 1,
                // Crypto-PAn keeps a network as it is more often than a random permutation would, and the sample's
                // addresses lie in few networks. Unmasked, all would be shared.
                "ip" => raw.len() / 3,
                // Dictionaries, dates, small integers, and texts in which nobody is named: judged row by row elsewhere.
                _ => continue,
            };
            assert!(common <= allowed, "{table}.{column} ({kind}) shares {common} of {} values", raw.len());
        }
    }
    assert!(compared >= 60, "{compared}");
}

#[test]
fn rows_with_a_kept_key_have_other_masked_values_than_in_production() {
    let mut compared = 0;
    for (table, columns) in planned() {
        let key = format!(
            "SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] \
             WHERE i.indrelid = '{}'::regclass AND i.indisprimary AND i.indnatts = 1",
            quoted(&table)
        );
        let key = production(&key);
        if !columns.iter().any(|column| column.0 == key && column.1 == "keep") {
            continue;
        }
        for (column, _, kind) in columns.iter().filter(|column| column.1 == "mask") {
            let loose = matches!(kind.as_str(), "json/1" | "text.spans/1" | "address/1");
            let short = table == "audit.changes" && column == "row_key";
            if loose || short {
                continue;
            }
            let sql = format!(
                "SELECT \"{key}\", trim(\"{column}\"::text) FROM ONLY {} WHERE \"{column}\"::text <> ''{} ORDER BY 1",
                quoted(&table),
                selection(&table).replace("WHERE", "AND")
            );
            let (before, after) = (production_lines(&sql), base().lines(&sql));
            assert_eq!(before.len(), after.len(), "{table}.{column}");
            let same = before.iter().zip(&after).filter(|(before, after)| before == after).count();
            // A permutation has one fixed point on average, and a dictionary name is now and then one's own.
            let allowed = if kind == "ip/1" { before.len() / 8 } else { before.len() / 50 };
            assert!(same <= 2 + allowed, "{table}.{column} ({kind}): {same} of {} rows", before.len());
            compared += before.len();
        }
    }
    assert!(compared > 5_000, "{compared}");
}

/// Every value of a kind that production holds anywhere, in the spelling a text would use.
fn raw_identifiers() -> Vec<String> {
    let mut found = production_lines(
        "SELECT email FROM customers UNION SELECT work_email FROM employees UNION SELECT private_email FROM employees \
         WHERE private_email IS NOT NULL UNION SELECT phone FROM customers WHERE phone IS NOT NULL UNION SELECT phone FROM employees \
         UNION SELECT ssn FROM customers WHERE ssn IS NOT NULL UNION SELECT ssn FROM employees \
         UNION SELECT card_number FROM billing.payment_methods WHERE card_number IS NOT NULL \
         UNION SELECT profile -> 'contact' ->> 'phone' FROM customers",
    );
    found.retain(|value| value.len() >= 9);
    assert!(found.len() > 1_000, "{}", found.len());
    found
}

#[test]
fn no_identifier_of_production_occurs_anywhere_in_staging() {
    let dump = base().dump().to_lowercase();
    let raw = shop().source.dump("shop").to_lowercase();
    let mut survivors = Vec::new();
    for value in raw_identifiers() {
        let value = value.to_lowercase();
        assert!(raw.contains(&value), "the search finds what is there");
        if dump.contains(&value) {
            survivors.push(value);
        }
    }
    assert!(survivors.len() <= 1, "a phone may be hit by chance, not {survivors:?}");
}

/// Masked id by raw id of customers, as `restage mask` tells them.
fn customer_ids() -> BTreeMap<String, String> {
    let raw = production_lines("SELECT id FROM customers ORDER BY id");
    let mut args = vec!["mask", "int", "--label", "public.customers.id"];
    args.extend(raw.iter().map(String::as_str));
    let masked = base().run(&args);
    raw.into_iter().zip(masked.lines().map(str::to_owned)).collect()
}

fn words(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2).map(str::to_lowercase).collect()
}

#[test]
fn notes_name_the_masked_person_and_not_the_one_of_the_row() {
    let ids = customer_ids();
    let sql = "SELECT id, first_name, last_name, (SELECT translate(coalesce(string_agg(delivery_note, ' '), ''), E'|\\n', '  ') \
               FROM addresses WHERE customer_id = customers.id) FROM customers ORDER BY id";
    let staged: BTreeMap<String, String> =
        base().lines(sql).into_iter().map(|line| (cells(&line)[0].to_owned(), line)).collect();
    let (mut named, mut follows) = (0, 0);
    for line in production_lines(sql) {
        let raw = cells(&line);
        let masked = staged.get(&ids[raw[0]]).unwrap_or_else(|| panic!("customer {} is in staging", raw[0]));
        let masked = cells(masked);
        let own: BTreeSet<String> = words(raw[1]).union(&words(raw[2])).cloned().collect();
        let new: BTreeSet<String> = words(masked[1]).union(&words(masked[2])).cloned().collect();
        let mentioned: Vec<String> = words(raw[3]).intersection(&own).cloned().collect();
        named += usize::from(!mentioned.is_empty());
        follows += usize::from(!mentioned.is_empty() && !words(masked[3]).is_disjoint(&new));
        for name in mentioned {
            // "van der Meer": a particle alone names nobody.
            let particle = ["van", "der"].contains(&name.as_str());
            assert!(
                particle || new.contains(&name) || !words(masked[3]).contains(&name),
                "a note still names its customer (row {})",
                raw[0]
            );
        }
    }
    assert!(named > 40, "{named}");
    assert!(follows * 10 >= named * 9, "{follows} of {named} notes name the masked person");
}

#[test]
fn date_shift_keeps_the_intervals_of_a_person_and_moves_every_date() {
    let ids = customer_ids();
    let sql = "SELECT id, born_on - date '1900-01-01', extract(epoch FROM created_at)::bigint, extract(epoch FROM updated_at)::bigint, \
               coalesce(extract(epoch FROM deleted_at)::bigint, 0) FROM customers";
    let numbers = |lines: Vec<String>| -> BTreeMap<String, Vec<i64>> {
        lines
            .iter()
            .map(|line| {
                let cells = cells(line);
                (cells[0].to_owned(), cells[1..].iter().map(|cell| cell.parse().unwrap_or(0)).collect())
            })
            .collect()
    };
    let (before, after) = (numbers(production_lines(sql)), numbers(base().lines(sql)));
    let mut shifts = BTreeSet::new();
    for (id, raw) in &before {
        let masked = &after[&ids[id]];
        let shift = masked[1] - raw[1];
        assert!(shift != 0 && shift % 86_400 == 0 && shift.abs() <= 180 * 86_400, "{shift}");
        shifts.insert(shift);
        assert_eq!(masked[2] - raw[2], shift);
        assert!((raw[3] == 0 && masked[3] == 0) || masked[3] - raw[3] == shift);
        assert!((raw[0] == 0 && masked[0] == 0) || (masked[0] - raw[0]) * 86_400 == shift);
    }
    assert!(shifts.len() > 100, "{} different shifts", shifts.len());
}

/// What two stagings say differently, in short: a whole dump in a panic helps nobody.
#[track_caller]
fn assert_same(left: &str, right: &str) {
    let differing: Vec<_> = left.lines().zip(right.lines()).filter(|(left, right)| left != right).take(5).collect();
    assert!(left == right, "{} and {} bytes; {differing:#?}", left.len(), right.len());
}

#[test]
fn same_key_gives_the_same_staging_whatever_workers_chunks_and_memory() {
    let base_dump = base().dump();
    let source = "url = \"${RESTAGE_SOURCE}\"";
    let small = Staging::new("shop_small", &shop().key, |policy| {
        policy.replacen(source, &format!("{source}\nworkers = 1\nchunk_bytes = \"1MiB\""), 1)
    });
    small.run(&["refresh", "--memory", "16MiB"]);
    assert_same(&small.dump(), &base_dump);
    let wide = Staging::new("shop_wide", &shop().key, |policy| {
        policy.replacen(source, &format!("{source}\nworkers = 4\nchunk_bytes = \"1MiB\""), 1)
    });
    wide.run(&["refresh"]);
    assert_same(&wide.dump(), &base_dump);
    // A second run of the same configuration.
    wide.run(&["refresh"]);
    assert_same(&wide.dump(), &base_dump);
}

#[test]
fn another_key_gives_other_pseudonyms() {
    let other = Staging::new("shop_other", &new_key(), |policy| policy);
    other.run(&["refresh"]);
    for (column, table) in [
        ("email", "customers"),
        ("public_id", "customers"),
        ("ssn", "customers"),
        ("ssn", "employees"),
        ("username", "employees"),
        ("card_number", "billing.payment_methods"),
        ("access_token", "api_credentials"),
    ] {
        let sql = format!("SELECT {column} FROM {table} WHERE {column} IS NOT NULL");
        let left: BTreeSet<String> = base().lines(&sql).into_iter().collect();
        let right: BTreeSet<String> = other.lines(&sql).into_iter().collect();
        assert!(!left.is_empty() && left.is_disjoint(&right), "{table}.{column}");
    }
    // What is kept does not depend on the key.
    let kept = "SELECT tenant_id, count(*), sum(total) FROM orders GROUP BY 1 ORDER BY 1";
    assert_eq!(base().sql(kept), other.sql(kept));
}

#[test]
fn plan_and_explain_say_what_happens_to_the_shop() {
    let plan = base().json(&["plan"]);
    assert_eq!((&plan["document"], &plan["exit"]), (&"plan".into(), &0.into()));
    assert!(plan.get("error").is_none(), "{}", plan["error"]);
    assert!(
        plan["guards"]
            .as_array()
            .is_some_and(|guards| !guards.is_empty() && guards.iter().all(|guard| guard["ok"] == true))
    );
    assert!(plan["totals"]["masked"].as_u64().is_some_and(|count| count >= 80), "{}", plan["totals"]);
    let column = base().json(&["explain", "public.orders.customer_id"]);
    let column = &column["table"]["columns"][0];
    assert_eq!((&column["kind"], &column["label"]), (&"int/1".into(), &"public.customers.id".into()), "{column}");
    let text = base().run(&["explain", "public.shipments.recipient"]);
    assert!(text.contains("name.full") && text.contains("order_id -> public.orders.customer_id"), "{text}");
    let text = base().run(&["plan"]);
    assert!(text.contains("public.events") && text.contains("shop"), "{text}");
}

#[test]
fn materialized_view_and_generated_columns_are_computed_from_masked_rows() {
    let revenue = "SELECT tenant_id, month, orders, revenue FROM reporting.monthly_revenue ORDER BY 1, 2";
    assert_eq!(production(revenue), base().sql(revenue));
    assert_eq!(base().sql("SELECT count(*) FROM customers WHERE full_name <> first_name || ' ' || last_name"), "0");
    assert_eq!(
        base().sql("SELECT count(*) FROM billing.payment_methods WHERE card_last4 <> right(card_number, 4)"),
        "0"
    );
    let searched = "SELECT count(*) FROM customers WHERE NOT search @@ plainto_tsquery('simple', last_name)";
    assert_eq!(base().sql(searched), "0");
}
