-- The benchmark's production.  psql -v scale=0.25 -f workload.sql, in an empty database, by its owner.
-- scale 1: 9 million rows, 1.6 GB of binary COPY, 22 million values that get masked. Every value is a function of the row
-- number, so the same scale gives the same rows. Nobody in here exists.
\set ON_ERROR_STOP on
\if :{?scale} \else \set scale 0.25 \endif

SET client_min_messages = warning;
SET synchronous_commit = off;
SET jit = off;
SET TimeZone = 'UTC';

SELECT greatest(100, round(800000 * :scale))::int AS customers,
       greatest(250, round(2000000 * :scale))::int AS orders,
       greatest(500, round(4000000 * :scale))::int AS items,
       greatest(250, round(2000000 * :scale))::int AS events,
       greatest(20, round(160000 * :scale))::int AS wide
\gset

CREATE SCHEMA app;
CREATE SCHEMA generator;
SET search_path = app, generator, pg_catalog;

-- pick(row, seed, n): evenly distributed in 0 .. n - 1; word(row, seed, words): one of them.
CREATE FUNCTION generator.pick(row_no bigint, seed bigint, n int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ((pg_catalog.hashint8extended(row_no, seed) & 9007199254740991) % n)::int $$;
CREATE FUNCTION generator.word(row_no bigint, seed bigint, words text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT words[1 + ((pg_catalog.hashint8extended(row_no, seed) & 9007199254740991) % pg_catalog.cardinality(words))::int] $$;
-- Adds the check digit of ISO/IEC 7812 to a 15-digit number: odd places from the left count double.
CREATE FUNCTION generator.card(body bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (body * 10 + (1000 - sum(CASE WHEN at % 2 = 0 THEN d * 2 / 10 + d * 2 % 10 ELSE d END)) % 10)::text
          FROM generate_series(0, 14) AS at, LATERAL (SELECT substr(body::text, 15 - at, 1)::int AS d) AS digit $$;

CREATE TABLE generator.words AS SELECT
    ARRAY['Alice','Benno','Carla','Dario','Esther','Felix','Gloria','Hannah','Ivan','Julia','Karim','Leonie','Marco','Nora','Olga','Pavel','Renata','Stefan','Tessa','Ulla','Vera','Walter','Xenia','Yasmin','Zora','Éloïse','Łukasz','Ñico','Øyvind','Çelik'] AS firsts,
    ARRAY['Adler','Bauer','Costa','Dubois','Evans','Fischer','Garnier','Hughes','Ibsen','Jansen','Kaya','Lindqvist','Marchetti','Nowak','Oliveira','Pereira','Rossi','Schneider','Thorne','Urban','Vasquez','Wagner','Yildirim','Zhang','Ødegård','Škoda','O''Hara','de Vries','Béranger','Ćosić'] AS lasts,
    ARRAY['Acorn','Bridge','Castle','Dale','Elmwood','Forge','Grove','Heath','Ivy','Kiln','Ladder','Meadow','Quarry','Rope','Spring','Willow'] AS street,
    ARRAY['Street','Avenue','Road','Lane','Drive','Court','Row','Way'] AS street_kind,
    ARRAY['Ashford','Brookfield','Crestview','Downham','Eastleigh','Foxton','Granby','Hollin','Inverley','Kelton','Lindau','Málaga','Nîmes','Örebro','Poznań','Zürich'] AS city,
    ARRAY['AT','BE','CH','CZ','DE','DK','ES','FI','FR','GB','IT','NL','NO','PL','SE','US'] AS country,
    ARRAY['example.com','example.org','example.net','office.test','web.invalid'] AS domain,
    ARRAY['cannot open the invoice of last month','asked for a call back in the afternoon','changed the plan and wants a new offer','sent the parcel back without a label','needs the receipt with another address','was charged twice for one order','would like to close the old account'] AS phrase,
    ARRAY['open','paid','packed','sent','delivered','returned','void'] AS status,
    ARRAY['view','login','logout','cart','checkout','search','reset','export'] AS kind;

CREATE TABLE app.countries (code char(2) NOT NULL, name text NOT NULL);
INSERT INTO app.countries
SELECT code, name FROM unnest(
    ARRAY['AT','BE','CH','CZ','DE','DK','ES','FI','FR','GB','IT','NL','NO','PL','SE','US'],
    ARRAY['Austria','Belgium','Switzerland','Czechia','Germany','Denmark','Spain','Finland','France','United Kingdom','Italy','Netherlands','Norway','Poland','Sweden','United States']) AS c (code, name);

-- Twelve of the fifteen masked columns.
CREATE TABLE app.customers (
    id bigint NOT NULL, uuid uuid NOT NULL, first_name text NOT NULL, last_name text NOT NULL, email text NOT NULL, phone text NOT NULL,
    address text NOT NULL, city text NOT NULL, zip text NOT NULL, country char(2) NOT NULL, birth_date date NOT NULL, ssn text NOT NULL,
    credit_card text NOT NULL, ip inet NOT NULL, notes text, preferences jsonb NOT NULL, created_at timestamptz NOT NULL
);
INSERT INTO app.customers
SELECT i, md5('customer' || i)::uuid, first, last, email, phone,
       (1 + pick(i, 7, 9998)) || ' ' || word(i, 8, w.street) || ' ' || word(i, 9, w.street_kind), word(i, 10, w.city), to_char(pick(i, 11, 100000), 'FM00000'),
       word(i, 12, w.country), date '1939-06-01' + pick(i, 13, 24500), ssn, card(411111000000000 + pick(i, 14, 1000000000)),
       (CASE pick(i, 15, 10) WHEN 0 THEN '2001:db8:' || to_hex(pick(i, 16, 65536)) || '::' || to_hex(1 + pick(i, 17, 65535))
            ELSE '10.' || pick(i, 16, 256) || '.' || pick(i, 17, 256) || '.' || pick(i, 18, 256) END)::inet,
       CASE WHEN pick(i, 19, 12) > 0 THEN
           first || ' ' || last || ' ' || word(i, 20, w.phrase) || ', reach them at ' || email || ' or ' || phone || '. Case ' || pick(i, 21, 900000) ||
           ': the customer ' || word(i, 22, w.phrase) || ' and later ' || word(i, 23, w.phrase) || CASE WHEN pick(i, 24, 20) = 0 THEN ', identified by SSN ' || ssn ELSE '' END || '.' END,
       jsonb_build_object('contact', jsonb_build_object('email', email, 'phone', phone, 'name', first || ' ' || last), 'language', lower(word(i, 12, w.country)),
           'theme', CASE pick(i, 25, 2) WHEN 0 THEN 'dark' ELSE 'light' END, 'newsletter', pick(i, 26, 2) = 0, 'quota', jsonb_build_array(pick(i, 27, 100), pick(i, 28, 1000)), 'score', round(pick(i, 29, 1000) / 10.0, 1)),
       timestamptz '2018-01-01 00:00:00+00' + pick(i, 30, 230000000) * interval '1 second'
FROM generator.words AS w, generate_series(1, :customers) AS i,
     LATERAL (SELECT word(i, 1, w.firsts) AS first, word(i, 2, w.lasts) AS last, 'c' || i || '.' || pick(i, 3, 1000) || '@' || word(i, 4, w.domain) AS email,
                     '+1-' || (201 + pick(i, 5, 780)) || '-555-01' || to_char(pick(i, 6, 100), 'FM00') AS phone,
                     to_char(1 + pick(i, 31, 665), 'FM000') || '-' || to_char(1 + pick(i, 32, 99), 'FM00') || '-' || to_char(1 + pick(i, 33, 9999), 'FM0000') AS ssn) AS person;

-- Two masked columns: email, shipping.
CREATE TABLE app.orders (
    id bigint NOT NULL, customer_id bigint NOT NULL, email text NOT NULL, amount numeric(12, 2) NOT NULL, status text NOT NULL, shipping jsonb NOT NULL,
    created_at timestamptz NOT NULL
);
INSERT INTO app.orders
SELECT i, c, 'c' || c || '.' || pick(c, 3, 1000) || '@' || word(c, 4, w.domain), (1 + pick(i, 41, 10000000)) / 100.0, word(i, 42, w.status),
       jsonb_build_object('name', word(c, 1, w.firsts) || ' ' || word(c, 2, w.lasts), 'street', (1 + pick(c, 7, 9998)) || ' ' || word(c, 8, w.street) || ' ' || word(c, 9, w.street_kind),
           'city', word(c, 10, w.city), 'zip', to_char(pick(c, 11, 100000), 'FM00000'), 'carrier', word(i, 43, w.street)),
       timestamptz '2020-01-01 00:00:00+00' + pick(i, 44, 180000000) * interval '1 second'
FROM generator.words AS w, generate_series(1, :orders) AS i, LATERAL (SELECT (1 + pick(i, 40, :customers))::bigint AS c) AS buyer;

CREATE TABLE app.order_items (id bigint NOT NULL, order_id bigint NOT NULL, sku int NOT NULL, quantity smallint NOT NULL, price numeric(10, 2) NOT NULL);
INSERT INTO app.order_items
SELECT i, 1 + pick(i, 50, :orders), pick(i, 51, 50000), 1 + pick(i, 52, 9), (1 + pick(i, 53, 100000)) / 100.0 FROM generate_series(1, :items) AS i;

-- One masked column: payload.
CREATE TABLE app.events (id bigint NOT NULL, customer_id bigint NOT NULL, kind text NOT NULL, payload jsonb NOT NULL, at timestamptz NOT NULL);
INSERT INTO app.events
SELECT i, c, word(i, 61, w.kind),
       jsonb_build_object('session', md5('session' || i), 'ip', '10.' || pick(i, 62, 256) || '.' || pick(i, 63, 256) || '.' || pick(i, 64, 256),
           'user', jsonb_build_object('id', c, 'email', 'c' || c || '.' || pick(c, 3, 1000) || '@' || word(c, 4, w.domain)), 'ms', pick(i, 65, 5000)),
       timestamptz '2022-01-01 00:00:00+00' + pick(i, 66, 120000000) * interval '1 second'
FROM generator.words AS w, generate_series(1, :events) AS i, LATERAL (SELECT (1 + pick(i, 60, :customers))::bigint AS c) AS visitor;

-- 32 columns, nothing to mask.
CREATE TABLE app.wide (
    id bigint NOT NULL, i1 int, i2 int, i3 int, i4 int, i5 int, i6 int, i7 int, i8 int, f1 float8, f2 float8, f3 float8, f4 float8, f5 float8, f6 float8,
    t1 text, t2 text, t3 text, t4 text, t5 text, t6 text, z1 timestamptz, z2 timestamptz, d1 date, b1 boolean, b2 boolean, b3 boolean, n1 numeric, n2 numeric,
    u1 uuid, k1 bigint, k2 bigint
);
INSERT INTO app.wide
SELECT i, pick(i, 71, 9), pick(i, 72, 99), pick(i, 73, 999), pick(i, 74, 9999), pick(i, 75, 99999), pick(i, 76, 999999), pick(i, 77, 9999999), pick(i, 78, 99999999),
       pick(i, 79, 1000) / 7.0, pick(i, 80, 1000) / 7.0, pick(i, 81, 1000) / 7.0, pick(i, 82, 1000) / 7.0, pick(i, 83, 1000) / 7.0, pick(i, 84, 1000) / 7.0,
       md5('a' || i), md5('b' || i), left(md5('c' || i), 8), md5('d' || i), CASE WHEN pick(i, 85, 3) > 0 THEN md5('e' || i) END, left(md5('f' || i), 20),
       timestamptz '2020-01-01 00:00:00+00' + pick(i, 86, 100000000) * interval '1 second', timestamptz '2021-01-01 00:00:00+00' + pick(i, 87, 100000000) * interval '1 second',
       date '2020-01-01' + pick(i, 88, 1000), pick(i, 89, 2) = 0, pick(i, 90, 2) = 0, pick(i, 91, 2) = 0, pick(i, 92, 1000000) / 100.0, pick(i, 93, 1000000) / 1000.0,
       md5('g' || i)::uuid, hashint8extended(i, 94), hashint8extended(i, 95)
FROM generate_series(1, :wide) AS i;

RESET search_path;
SET maintenance_work_mem = '256MB';
\ir keys.sql
DROP SCHEMA generator CASCADE;
SET client_min_messages = error;
VACUUM (FREEZE, ANALYZE);
