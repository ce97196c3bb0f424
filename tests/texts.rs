//! Kinds on text that read other columns, files and formats, in real databases.

use crate::support::Lab;

const STAFF: &str = r#"
CREATE TABLE staff (
    id int PRIMARY KEY, login text NOT NULL UNIQUE, handle varchar(40), last text, team text, office varchar(20),
    city text, site text, agent text, profile text, note text, hash text, digest text, token text, badge text UNIQUE
);
INSERT INTO staff SELECT i, 'canary' || i || '@acme.com', 'canary' || i, 'Canary' || i, (ARRAY['S','L','X'])[1 + i % 3],
    'Office ' || i, 'City ' || i, 'https://www.acme.com/people/canary' || i || '?q=Canary', 'canary/' || i,
    '<p id="canary' || i || '"><name>Canary</name><rank>3</rank></p>', 'Canary called, at ' || i || '!',
    'SCRAM-SHA-256$4096:Y2FuYXJ5$canary' || i || '=:canary=', encode(sha256('canary'), 'hex'), 'sk_canary_' || i,
    'AB-' || lpad(i::text, 5, '0') || '-Z'
FROM generate_series(1, 300) i;
UPDATE staff SET last = NULL, note = '' WHERE id = 7;
"#;

const POLICY: &str = r#"
[tables."public.staff".columns]
id = "keep"
login = { mask = "template", text = "{first|slug}.{\"last\"|slug:9}.{id}.{b32:16}@shop.example", subject = "id" }
handle = { mask = "template", text = "{city:20}/{id}", subject = "id" }
last = { mask = "name.last", subject = "id" }
team = { mask = "lookup", file = "teams.csv", find = "code", take = "name", else = { mask = "const", value = "Other" } }
office = { mask = "lookup", file = "offices.csv", take = "office", by = "subject", subject = "id" }
city = { mask = "lookup", file = "offices.csv", take = "city", by = "subject", subject = "id" }
site = "url"
agent = "ua"
profile = { mask = "xml", rest = "pattern", paths = { "$.p.rank" = "keep" } }
note = "text.lorem"
hash = "secret.password"
digest = "secret.password"
token = "secret.token"
badge = { mask = "partial", keep_first = 3, keep_last = 2 }
"#;

#[test]
fn texts_are_composed_looked_up_and_masked_by_their_format() {
    let lab = Lab::new("texts");
    lab.seed(STAFF);
    lab.config(POLICY);
    std::fs::write(lab.path("teams.csv"), "code,name\nS,Sales\nL,\"Legal, Risk\"\n").expect("a file");
    std::fs::write(lab.path("offices.csv"), "office,city\nNorth,Bergen\nSouth,Bari\nEast,Brno\n").expect("a file");
    lab.refresh();
    let all = |condition: &str| {
        let found = lab.staging(&format!("SELECT count(*) FROM staff WHERE NOT coalesce(({condition}), true)"));
        assert_eq!(found, "0", "{condition}");
    };
    assert_eq!(lab.staging("SELECT count(*) FROM staff WHERE staff::text ~* 'canary|acme[.]com'"), "0");
    assert_eq!(lab.staging("SELECT count(*), count(DISTINCT login), count(DISTINCT badge) FROM staff"), "300|300|300");
    all("login ~ ('^[a-z]+[.][a-z]{1,9}[.]' || id || '[.][0-9a-z]{16}@shop[.]example$') OR id = 7");
    all("split_part(login, '.', 2) = left(lower(regexp_replace(last, '[^A-Za-z]', '', 'g')), 9)");
    assert_eq!(lab.staging("SELECT split_part(login, '.', 2) || '|' || note FROM staff WHERE id = 7"), "|");
    all("handle ~ ('^[A-Z][^/]+/' || id || '$')");
    assert_eq!(
        lab.staging("SELECT string_agg(DISTINCT team, '|' ORDER BY team) FROM staff"),
        "Legal, Risk|Other|Sales"
    );
    all("office || city IN ('NorthBergen', 'SouthBari', 'EastBrno')");
    assert_eq!(lab.staging("SELECT count(DISTINCT city) FROM staff"), "3");
    all("site ~ '^https://www[.]d[0-9a-z]{12}[.]example/[a-z]{6}/[a-z]{6}[0-9]+[?]q=[A-Z][a-z]{5}$'");
    assert_eq!(lab.staging("SELECT count(DISTINCT split_part(site, '/', 3)) FROM staff"), "1");
    all("xmlparse(CONTENT profile) IS DOCUMENT");
    all("profile ~ '^<p id=\"[a-z]{6}[0-9]+\"><name>[A-Z][a-z]{5}</name><rank>3</rank></p>$'");
    all("note ~ '^[A-Z][a-z]{5} [a-z]{6}, [a-z]{2} [0-9]+!$' OR id = 7");
    all("hash LIKE 'SCRAM-SHA-256$4096:%$%:%' AND digest = encode(sha256('restage'), 'hex')");
    all("badge ~ '^AB-[0-9]{5}-Z$' AND token ~ '^[a-z]{2}_[a-z]{6}_[0-9]+$'");

    // The test hash is one that the server takes for a password, as it is.
    let hash = lab.staging("SELECT DISTINCT hash FROM staff");
    lab.target.sql("postgres", &format!("CREATE ROLE texts_login PASSWORD '{hash}'"));
    let kept = lab.target.sql("postgres", "SELECT rolpassword FROM pg_authid WHERE rolname = 'texts_login'");
    lab.target.sql("postgres", "DROP ROLE texts_login");
    assert_eq!(kept, hash);

    std::fs::remove_file(lab.path("teams.csv")).expect("it was there");
    let ran = lab.restage(&["plan"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("config::mask-file") && ran.stderr.contains("teams.csv"), "{}", ran.stderr);
}

/// Documents in columns of text, documents inside of documents, and mailboxes.
#[test]
fn texts_with_escapes_and_mailboxes_name_nobody_and_join() {
    let lab = Lab::new("escapes");
    lab.seed(
        r#"CREATE TABLE users (id int PRIMARY KEY, first_name text, last_name text, email text UNIQUE, phone text);
        CREATE TABLE tickets (
            id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, payload text, doc jsonb, sender text
        );
        INSERT INTO users SELECT i, 'Canari' || chr(96 + i), 'Canarheim' || chr(96 + i), 'canary' || i || '@corp.test',
            '+49 30 90182' || 10 + i FROM generate_series(1, 20) i;
        INSERT INTO tickets SELECT id, id, '{"body":"Hello,\n' || first_name || ' ' || last_name || ':\r\n' || last_name || '\t'
            || first_name || '\n' || email || '\t' || phone || '\n\u0043' || substr(last_name, 2) || '"}', NULL,
            '"' || first_name || ' ' || last_name || '" <' || email || '>' FROM users;
        UPDATE tickets SET doc = jsonb_build_object('raw', payload, 'more', jsonb_build_object('raw', payload)::text,
            'by', jsonb_build_object(first_name || ' ' || last_name, 1)) FROM users WHERE users.id = user_id"#,
    );
    lab.config(
        r#"
[tables."public.users".columns]
id = "keep"
first_name = { mask = "name.first", subject = "id" }
last_name = { mask = "name.last", subject = "id" }
email = "email"
phone = "phone"

[tables."public.tickets".columns]
id = "keep"
user_id = "keep"
payload = { mask = "text.spans", subject = "user_id" }
doc = { mask = "json", rest = "text.spans", subject = "user_id" }
sender = "email"
"#,
    );
    let found = "SELECT count(*) FROM tickets WHERE tickets::text ~* 'canar.*canary'";
    assert_eq!(lab.production(found), "20");
    lab.refresh();
    assert_eq!(lab.staging("SELECT count(*) FROM tickets WHERE tickets::text ~* 'canar|anarheim|corp[.]test'"), "0");
    let wrong = |condition: &str| {
        let query = "SELECT count(*) FROM tickets t JOIN users u ON u.id = user_id WHERE";
        assert_eq!(lab.staging(&format!("{query} ({condition}) IS NOT TRUE")), "0", "{condition}");
    };
    let body = r"E'Hello,\n' || first_name || ' ' || last_name || E':\r\n' || last_name || E'\t' || first_name || E'\n' || email || E'\t' || phone";
    for text in ["payload", "doc ->> 'raw'", "(doc ->> 'more')::json ->> 'raw'"] {
        wrong(&format!("starts_with(({text})::json ->> 'body', {body} || E'\\n')"));
    }
    wrong("sender ~ ('^\"[a-z]+ [a-z]+\" <' || email || '>$')");
    wrong("(SELECT string_agg(key, ' ') FROM jsonb_object_keys(doc -> 'by') key) ~ '^#[0-9a-f]{16}$'");
}

#[test]
fn logins_colors_tags_and_keys_of_pairs_name_nobody() {
    let lab = Lab::new("logins");
    lab.seed(
        r#"CREATE EXTENSION hstore;
        CREATE TABLE users (id int PRIMARY KEY, first_name text, last_name text);
        CREATE TABLE marks (id int PRIMARY KEY, user_id int NOT NULL REFERENCES users, log text, pairs hstore);
        INSERT INTO users SELECT i, 'Canari' || chr(96 + i), 'Canarheim' || chr(96 + i) FROM generate_series(1, 20) i;
        INSERT INTO marks SELECT id, id, lower(last_name) || '84 logged in as ' || lower(left(first_name, 1) || last_name)
            || E'7, \x1b[1;31mCana\x1b[0m' || substr(first_name, 5) || ' <b>Canar</b>' || substr(last_name, 6),
            hstore(first_name || ' ' || last_name, 'x') FROM users"#,
    );
    lab.config(
        r#"
[tables."public.users".columns]
id = "keep"
first_name = { mask = "name.first", subject = "id" }
last_name = { mask = "name.last", subject = "id" }

[tables."public.marks".columns]
id = "keep"
user_id = "keep"
log = { mask = "text.spans", subject = "user_id" }
pairs = { mask = "hstore", rest = "text.spans", subject = "user_id" }
"#,
    );
    let read = r"regexp_replace(log, E'\x1b\\[[0-9;]*m|<[^>]*>', '', 'g')";
    let found = format!("SELECT count(*) FROM marks WHERE {read} || pairs::text ~* 'canar|anarheim'");
    assert_eq!(lab.production(&found), "20");
    lab.refresh();
    assert_eq!(lab.staging(&found), "0");
    let wrong = |condition: &str| {
        let query = "SELECT count(*) FROM marks m JOIN users u ON u.id = user_id WHERE";
        assert_eq!(lab.staging(&format!("{query} ({condition}) IS NOT TRUE")), "0", "{condition}");
    };
    wrong("starts_with(log, lower(last_name))");
    wrong("log ~ '[0-9]{2} logged in as [^ ]+[0-9], '");
    wrong(r"log LIKE E'%, \x1b[1;31m' || first_name || E'\x1b[0m <b>' || last_name || '</b>'");
    wrong("(SELECT string_agg(key, ' ') FROM skeys(pairs) key) ~ '^#[0-9a-f]{16}$'");
}

#[test]
fn numbers_in_logs_urls_and_html_join_and_are_found_if_they_stay() {
    let lab = Lab::new("written");
    lab.seed(
        "CREATE TABLE contacts (id int PRIMARY KEY, phone text, ip text);
        CREATE TABLE logs (id int PRIMARY KEY REFERENCES contacts, line text, url text, html text);
        INSERT INTO contacts SELECT i, '+491511234' || 5600 + i, '81.2.69.' || i FROM generate_series(1, 40) i;
        INSERT INTO logs SELECT id, 'login ' || phone || ' ' || ip || ' ok by SIP/' || ip || '-01',
            'GET /sms?to=' || replace(phone, '+', '%2B') || '&x=1', '<td>' || replace(phone, '+49', '&#43;49') || '</td>'
        FROM contacts",
    );
    let policy = |url: &str| {
        format!(
            r#"
[tables."public.contacts".columns]
id = "keep"
phone = "phone"
ip = "ip"

[tables."public.logs".columns]
id = "keep"
line = "text.spans"
url = {url}
html = "text.spans"
"#
        )
    };
    lab.config(&policy("\"text.spans\""));
    lab.refresh();
    let joined = "SELECT count(*) FROM logs JOIN contacts USING (id) \
        WHERE line = 'login ' || phone || ' ' || ip || ' ok by SIP/' || ip || '-01' \
        AND url = 'GET /sms?to=' || replace(phone, '+', '%2B') || '&x=1' \
        AND html = '<td>' || replace(phone, '+49', '&#43;49') || '</td>'";
    assert_eq!(lab.staging(joined), "40");
    lab.config(&policy("{ keep = \"the gates look at it\" }"));
    let ran = lab.restage(&["refresh"]);
    assert_eq!(ran.code, 6, "{ran:?}");
    assert!(ran.stderr.contains("gate \"leak: texts\" does not hold"), "{ran:?}");
}

#[test]
fn lists_replace_values_of_other_types_and_one_that_does_not_fit_is_refused_with_its_line() {
    let lab = Lab::new("lists");
    lab.seed(
        "CREATE TYPE tier AS ENUM ('free', 'gold'); \
         CREATE TABLE things (id int PRIMARY KEY, n smallint, amount numeric(6,2), day date, ref uuid, ok boolean, tier tier, code varchar(4), ns bigint[]); \
         INSERT INTO things VALUES \
           (1, 7, 1.5, '2020-01-01', '550e8400-e29b-41d4-a716-446655440000', true, 'gold', 'ab', '{7,8,NULL}'), \
           (2, 9, 9.99, '2020-01-02', '550e8400-e29b-41d4-a716-446655440001', false, 'free', 'cd', '{}'), \
           (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    );
    std::fs::write(lab.path("ok.csv"), "was,is\ntrue,false\nfalse,true\n").expect("written");
    std::fs::write(lab.path("tier.csv"), "tier\nfree\n").expect("written");
    let policy = r#"
[tables."public.things".columns]
id = "keep"
n = { mask = "replace", map = { 7 = "70" }, else = { mask = "const", value = 0 } }
amount = { mask = "replace", map = { "1.5" = "2.25" }, else = "null" }
day = { mask = "replace", map = { 2020-01-01 = "2021-02-28" }, else = "null" }
ref = { mask = "replace", map = { "550E8400E29B41D4A716446655440000" = "ce201ede-9dad-4c0d-92a6-057066a91ed2" }, else = "null" }
ok = { mask = "lookup", file = "ok.csv", find = "was", else = "fail" }
tier = { mask = "lookup", file = "tier.csv" }
code = { mask = "replace", map = { ab = "abcd" }, else = "null" }
ns = { mask = "replace", map = { 7 = "9223372036854775807" }, else = "int" }
"#;
    lab.config(policy);
    lab.refresh();
    let row = |id: u32| lab.staging(&format!("SELECT n, amount, day, ref, ok, tier, code FROM things WHERE id = {id}"));
    assert_eq!(row(1), "70|2.25|2021-02-28|ce201ede-9dad-4c0d-92a6-057066a91ed2|f|free|abcd");
    assert_eq!(row(2), "0||||t|free|");
    assert_eq!(row(3), "||||||");
    let array = "SELECT ns[1] = 9223372036854775807 AND ns[2] > 0 AND ns[3] IS NULL AND cardinality(ns) = 3 FROM things WHERE id = 1";
    assert_eq!(lab.staging(array), "t");

    // The twin: a text that is no number of the column, and one that is no decimal of so few places.
    for (right, wrong) in
        [("7 = \"70\"", "7 = \"70000\""), ("\"2.25\"", "\"2.255\""), ("ab = \"abcd\"", "ab = \"abcde\"")]
    {
        lab.config(&policy.replace(right, wrong));
        let ran = lab.restage(&["plan"]);
        assert_eq!(ran.code, 3, "{wrong}: {ran:?}");
        assert!(ran.stderr.contains("restage.toml:"), "{wrong}: {ran:?}");
    }
}
