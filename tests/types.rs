//! Masks on every type a column can have, and inside containers, through real servers.

use crate::support::Lab;

/// People with a column of every type. `things_text` is the same with a column that forces the text format.
const THINGS: &str = r#"
CREATE EXTENSION hstore;
CREATE TYPE mood AS ENUM ('calm', 'sad', 'very "wild"');
CREATE TYPE address AS (street text, zip varchar(10), since date, tags text[]);
CREATE DOMAIN cents AS numeric(12, 2) CHECK (VALUE > -1000000);
CREATE TABLE things (
    id int PRIMARY KEY, email text, salary cents NOT NULL, rate float8, ratio float4, units int2, price numeric, score int,
    lat numeric(9, 6), lon numeric(9, 6), east float8, north float8, spot point, active bool, state mood, level text,
    file bytea, mac macaddr, port macaddr8, opens time, calls timetz, born date, birthday date, seen timestamptz, age int2,
    emails text[], grid int[], shares numeric[], moods mood[], home address, homes address[], attrs hstore,
    stay daterange, stays datemultirange, visits daterange[], band numrange, slots int4range
);
INSERT INTO things
SELECT g, 'user' || g || '@example.com', g * 1000.55, g * 1.25, g / 4.0, g, g * 0.75, g % 100,
    52 + g / 1000.0, 13 + g / 1000.0, 13 + g / 1000.0, 52 + g / 1000.0, point(13 + g / 1000.0, 52 + g / 1000.0), g % 2 = 0,
    (enum_range(NULL::mood))[1 + g % 3], (array['free', 'gold'])[1 + g % 2],
    CASE WHEN g % 2 = 0 THEN convert_to('%PDF-1.7 of user ' || g, 'UTF8') ELSE decode(md5(g::text), 'hex') END,
    ('08002b' || lpad(to_hex(g), 6, '0'))::macaddr, ('08002b' || lpad(to_hex(g), 10, '0'))::macaddr8,
    time '08:00' + g * interval '1 minute', format('%s+05:30', time '08:00:30.25' + g * interval '1 minute')::timetz,
    date '1950-01-01' + g * 30, date '1950-01-01' + g * 30, now() - g * interval '1 hour', g % 120,
    array['user' || g || '@example.com', NULL, 'a,"b\c{}' || g, ''], format('[3:4][0:1]={{%s,NULL},{0,%s}}', g, g + 1)::int[],
    array[g * 0.01, NULL, 'NaN'], array[(enum_range(NULL::mood))[1 + g % 3], NULL],
    row('Main "St", ' || g, g::text, date '1950-01-01' + g * 30, array['x', NULL])::address,
    array[row('Main "St", ' || g, g::text, NULL, NULL)::address, NULL],
    hstore(array['email', 'user' || g || '@example.com', 'plan', 'free "x"=>1', 'secret', 'of ' || g, 'none', NULL]),
    daterange(date '1950-01-01' + g * 30, date '1950-01-01' + g * 31),
    datemultirange(daterange(date '1950-01-01' + g * 30, date '1950-01-01' + g * 31), daterange('9000-01-01', NULL)),
    array[daterange(date '1950-01-01' + g * 30, NULL), 'empty', NULL],
    numrange(g * 1.05, g * 1.1, '[]'), int4range(g, g + 1)
FROM generate_series(1, 400) g;
INSERT INTO things (id, salary, price, rate, grid, emails, attrs, stay) VALUES
    (1000, 0, 'NaN', '-Infinity', '{}', '{}', '', 'empty'), (1001, 9999999999.99, '-Infinity', 'NaN', NULL, NULL, NULL, '(,)');
CREATE TABLE things_text AS SELECT *, 'pg_class'::regclass AS class FROM things;
ALTER TABLE things_text ADD PRIMARY KEY (id);
"#;

const COLUMNS: &str = r#"
id = "keep"
email = "email"
salary = { mask = "num.noise", subject = "id", ratio_ppm = 200000 }
rate = { mask = "num.scale", subject = "id" }
ratio = { mask = "num.bucket", width = 0.5 }
units = { mask = "num.bucket", width = 10 }
price = { mask = "num.cap", max = 100 }
score = { mask = "int.range", lo = 0, hi = 49 }
lat = { mask = "geo.grid", subject = "id", axis = "latitude" }
lon = { mask = "geo.grid", subject = "id", axis = "longitude" }
east = { mask = "geo.laplace", subject = "id", axis = "longitude", with = "north" }
north = { mask = "geo.laplace", subject = "id", axis = "latitude", with = "east" }
spot = { mask = "geo.laplace", subject = "id" }
active = { mask = "enum.rr", subject = "id", threshold = 2147483648 }
state = "enum.perm"
level = { mask = "enum.sample", subject = "id", weights = { free = 3, gold = 1 } }
file = "blob"
mac = "mac"
port = { mask = "mac", keep_oui = true }
opens = { mask = "time.shift", subject = "id", step = 15 }
calls = "time.trunc"
born = { mask = "date.shift", subject = "id" }
birthday = "date.within_year"
seen = { mask = "date.trunc", unit = "hour" }
age = "age.cap"
emails = "email"
grid = { mask = "int", label = "grid" }
shares = { mask = "num.scale", subject = "id" }
moods = "enum.perm"
home = { mask = "composite", subject = "id", fields = { street = "pattern", since = "date.shift", tags = "pattern" }, rest = "keep" }
homes = { mask = "composite", fields = { street = "pattern" }, rest = "null" }
attrs = { mask = "hstore", fields = { email = "email", secret = "null" }, rest = "keep" }
stay = { mask = "date.shift", subject = "id" }
stays = { mask = "date.shift", subject = "id" }
visits = { mask = "date.shift", subject = "id" }
band = { mask = "num.scale", subject = "id", ratio_ppm = 900000 }
slots = { mask = "num.scale", subject = "id", ratio_ppm = 900000 }
"#;

fn policy() -> String {
    format!(
        "[tables.\"public.things\".columns]\n{COLUMNS}\n\
         [tables.\"public.things_text\".columns]\n{COLUMNS}class = {{ keep = \"a catalog name\" }}\n"
    )
}

#[test]
fn every_type_is_masked_in_both_formats_alike() {
    let lab = Lab::new("types");
    lab.seed(THINGS);
    lab.config(&policy());
    lab.refresh();
    let holds = |sql: &str| {
        assert_eq!(
            lab.staging(&format!("SELECT count(*) FROM things WHERE ({sql}) IS NOT TRUE AND id < 1000")),
            "0",
            "{sql}"
        )
    };
    let same = |sql: &str| {
        let query = format!("SELECT md5(string_agg(({sql})::text, ' ' ORDER BY id)) FROM things");
        assert_eq!(lab.staging(&query), lab.production(&query), "{sql}");
    };
    let differs = |sql: &str, least: usize| {
        let query = format!("SELECT ({sql})::text FROM things ORDER BY id");
        let (masked, raw) = (lab.staging(&query), lab.production(&query));
        let changed = masked.lines().zip(raw.lines()).filter(|(masked, raw)| masked != raw).count();
        assert!(changed >= least, "{sql}: {changed} rows differ");
    };
    let differ = "to_jsonb(a) <> to_jsonb(b) - 'class' OR a.file <> b.file OR a.spot::text <> b.spot::text";
    assert_eq!(
        lab.staging(&format!("SELECT count(*) FROM things a JOIN things_text b USING (id) WHERE {differ}")),
        "0"
    );
    assert_eq!(lab.staging("SELECT count(*) FROM things"), "402");

    // Arrays and composites join with the columns they were filled from.
    holds("emails[1] = email AND emails[2] IS NULL AND emails[4] = ''");
    holds("moods[1] = state AND moods[2] IS NULL");
    holds("(homes[1]).street = (home).street AND homes[2] IS NULL AND (homes[1]).zip IS NULL");
    holds("attrs -> 'email' = email AND attrs -> 'plan' = 'free \"x\"=>1' AND attrs ? 'secret'");
    holds("attrs -> 'secret' IS NULL AND attrs -> 'none' IS NULL");
    holds("(home).tags[1] <> 'X' AND (home).tags[2] IS NULL");
    same("array_dims(grid)");
    same("grid[4][0]");
    same("(home).zip");
    same("attrs -> 'plan'");
    differs("emails[3]", 390);
    differs("grid[3][0]", 390);
    differs("(home).street", 390);

    // One subject, one shift: for dates, ranges, multiranges, arrays of ranges, attributes.
    holds("lower(stay) = born AND lower(stays) = born AND lower(visits[1]) = born AND (home).since = born");
    holds("isempty(visits[2]) AND visits[3] IS NULL AND upper_inf(stays)");
    same("upper(stay) - lower(stay)");
    differs("born", 400);
    same("extract(year FROM birthday)");
    differs("birthday", 380);
    holds("seen = date_trunc('hour', seen)");

    // Amounts.
    let noise = "SELECT count(*) FROM things WHERE abs(salary - id * 1000.55) > id * 200.12 AND id < 1000";
    assert_eq!(lab.staging(noise), "0");
    same("scale(salary)");
    same("sign(salary)");
    differs("salary", 390);
    holds("units % 10 = 0 AND units <= id AND id - units < 10");
    holds("ratio * 2 = floor(ratio * 2)");
    holds("price <= 100 AND price = least(id * 0.75, 100) AND age <= 90");
    same("price = 'NaN'");
    same("rate IN ('NaN', '-Infinity')");
    holds("NOT isempty(band) AND lower(band) <= upper(band) AND shares[2] IS NULL AND shares[3] = 'NaN'");
    differs("rate", 350);
    differs("band", 390);
    holds("score BETWEEN 0 AND 49 OR id % 100 > 49");
    same("score BETWEEN 0 AND 49");

    // Members of sets.
    assert_eq!(lab.staging("SELECT count(DISTINCT state) FROM things"), "3");
    let kept = "SELECT count(*) FROM things WHERE active = (id % 2 = 0)";
    assert!((150..250).contains(&lab.staging(kept).parse::<u32>().unwrap()));
    let gold: u32 = lab.staging("SELECT count(*) FROM things WHERE level = 'gold'").parse().unwrap();
    assert!((60..140).contains(&gold), "{gold}");

    // Places.
    holds("floor(lat * 100) = floor((52 + id / 1000.0) * 100) AND floor(lon * 100) = floor((13 + id / 1000.0) * 100)");
    holds("abs(north - 52) < 0.5 AND abs(east - 13) < 0.5");
    differs("spot", 395);
    differs("east", 395);
    holds("abs(spot[0] - east) < 0.000002 AND abs(spot[1] - north) < 0.000002");

    // Devices and times of day.
    differs("mac", 399);
    differs("port", 399);
    assert_eq!(lab.staging("SELECT count(DISTINCT mac), count(DISTINCT port) FROM things"), "400|400");
    holds("trunc(port) = '08:00:2b:00:00:00:00:00' AND substr(mac::text, 2, 1) IN ('0', '4', '8', 'c')");
    differs("opens", 400);
    holds("extract(epoch FROM opens - (time '08:00' + id * interval '1 minute'))::int % 900 = 0");
    holds("calls::text = to_char(time '08:00:30.25' + id * interval '1 minute', 'HH24') || ':00:00+05:30'");

    // Files.
    let files = "SELECT count(DISTINCT file) FILTER (WHERE id % 2 = 0), count(DISTINCT file) FILTER (WHERE id % 2 = 1), \
        min(octet_length(file)) FILTER (WHERE id % 2 = 1), count(*) FILTER (WHERE file::text ~ encode('user', 'hex')) FROM things";
    assert_eq!(lab.staging(files), "1|200|16|0");
}

#[test]
fn masks_that_do_not_fit_a_type_are_refused_with_the_kinds_that_do() {
    let lab = Lab::new("types_refused");
    lab.seed(THINGS);
    let refused = |from: &str, to: &str, words: &[&str]| {
        lab.config(&policy().replace(from, to));
        let ran = lab.restage(&["plan"]);
        let ran = if ran.code == 0 { lab.restage(&["refresh", "--yes"]) } else { ran };
        assert_eq!(ran.code, 3, "{to}: {ran:?}");
        for word in words {
            assert!(ran.stderr.contains(word), "{to}: {word} is not in {}", ran.stderr);
        }
    };
    refused(
        "stay = { mask = \"date.shift\", subject = \"id\" }",
        "stay = \"date.within_year\"",
        &["plan::wrong-type", "daterange", "date.shift", "date.trunc"],
    );
    refused("emails = \"email\"", "emails = \"num.cap\"", &["parameter", "max"]);
    refused("file = \"blob\"", "file = \"email\"", &["plan::wrong-type", "blob"]);
    refused(
        "fields = { street = \"pattern\" }, rest = \"null\"",
        "fields = { street = \"pattern\" }",
        &["rest", "zip"],
    );
    refused("fields = { street = \"pattern\" }", "fields = { stret = \"pattern\" }", &["stret", "street"]);
    refused(
        "attrs = { mask = \"hstore\", fields = { email = \"email\", secret = \"null\" }, rest = \"keep\" }",
        "attrs = \"hstore\"",
        &["rest", "attrs"],
    );
    refused("unit = \"hour\"", "unit = \"century\"", &["unit"]);
    refused("width = 10", "width = 0.5", &["width"]);
    refused("with = \"north\"", "with = \"nord\"", &["with"]);
}

#[test]
fn elements_of_a_declared_reference_follow_the_column_they_point_to() {
    let lab = Lab::new("types_references");
    lab.seed(
        "CREATE TABLE users (id int PRIMARY KEY, name text);
         INSERT INTO users SELECT g, 'user ' || g FROM generate_series(1, 300) g;
         CREATE TABLE teams (id int PRIMARY KEY, members bigint[]);
         INSERT INTO teams SELECT g, array[g, g + 1, NULL, 1000 + g] FROM generate_series(1, 200) g",
    );
    let policy = |name: &str| {
        format!(
            "[[references]]\nfrom = \"public.teams.members\"\nto = \"public.users.id\"\n\n\
             [tables.\"public.users\".columns]\nid = \"int\"\nname = \"pattern\"\n\n\
             [tables.\"public.teams\".columns]\nid = {name}\n"
        )
    };
    lab.config(&policy("\"keep\""));
    let ran = lab.refresh();
    let joined = "SELECT count(*), count(DISTINCT u.id) FROM teams t JOIN users u ON u.id = ANY (t.members)";
    assert_eq!(lab.staging(joined), lab.production(joined), "{ran:?}");
    let same = "SELECT count(*) FROM teams WHERE members[1] = id AND members[2] = id + 1";
    assert_ne!(lab.staging(same), lab.production(same));
    let subject = "{ mask = \"num.noise\", subject = \"members -> public.users.name\" }";
    lab.config(&policy(subject));
    let ran = lab.restage(&["plan"]);
    assert!(ran.code == 3 && ran.stderr.contains("is an array"), "{ran:?}");
}
