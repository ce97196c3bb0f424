-- Fills the shop.  psql -v ON_ERROR_STOP=1 -v scale=1 -f data.sql
-- scale 1: 20 000 customers, 100 000 orders; any scale down to 0.001 keeps at least a few rows in every table.
-- Every value is a function of the row number, so the same scale gives the same rows everywhere. Nobody in here exists:
-- reserved domains, telephone numbers set aside for fiction, addresses for documentation, card numbers of test ranges.
\set ON_ERROR_STOP on
\if :{?scale} \else \set scale 1 \endif

BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';
SET LOCAL IntervalStyle = 'postgres';
SET LOCAL synchronous_commit = off;
SET LOCAL jit = off;
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL work_mem = '64MB';
SET CONSTRAINTS ALL DEFERRED;

SELECT greatest(24, round(20000 * :scale))::int AS customers,
       greatest(60, round(100000 * :scale))::int AS orders,
       greatest(12, round(300 * :scale))::int AS employees,
       greatest(40, round(2000 * :scale))::int AS products,
       greatest(10, round(50 * :scale))::int AS suppliers,
       greatest(200, round(250000 * :scale))::int AS events,
       greatest(30, round(12000 * :scale))::int AS tickets,
       greatest(40, round(15000 * :scale))::int AS reviews,
       greatest(20, round(6000 * :scale))::int AS bookings,
       greatest(40, round(40000 * :scale))::int AS logins
\gset

CREATE SCHEMA shop_generator;
SET LOCAL search_path = shop_generator, public, pg_catalog;

-- pick(row, seed, n): evenly distributed in 0 .. n - 1.
CREATE FUNCTION pick(row_no bigint, seed bigint, n int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT ((pg_catalog.hashint8extended(row_no, seed) & 9007199254740991) % n)::int $$;
-- word(row, seed, words): one of them.
CREATE FUNCTION word(row_no bigint, seed bigint, words text[]) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT words[1 + ((pg_catalog.hashint8extended(row_no, seed) & 9007199254740991) % pg_catalog.cardinality(words))::int] $$;
-- digits(row, seed, n): n ≤ 15 decimal digits.
CREATE FUNCTION digits(row_no bigint, seed bigint, n int) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT right((1000000000000000 + (pg_catalog.hashint8extended(row_no, seed) & 9007199254740991) % 1000000000000000)::text, n) $$;
CREATE FUNCTION id_of(row_no bigint, seed bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT overlay(overlay(md5(seed || '/' || row_no) placing '4' from 13) placing '9' from 17)::uuid $$;
-- Appends the check digit of ISO/IEC 7812 to 14 or 15 digits.
CREATE FUNCTION with_check_digit(body text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT body || (10 - sum(CASE WHEN (length(body) - at) % 2 = 0 THEN d * 2 / 10 + d * 2 % 10 ELSE d END) % 10) % 10
          FROM generate_series(1, length(body)) AS at, LATERAL (SELECT substr(body, at, 1)::int AS d) AS digit $$;
-- A number in the form of a US social security number; different for each row below 658 million.
CREATE FUNCTION ssn_of(row_no bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT to_char(1 + n / 989901 % 665, 'FM000') || '-' || to_char(1 + n / 9999 % 99, 'FM00') || '-' || to_char(1 + n % 9999, 'FM0000')
          FROM (SELECT (row_no * 15485863 + 271828182) % 658284165 AS n) AS spread $$;
-- Numbers reserved for fiction: 555-0100 to 555-0199 in North America, 020 7946 0000 to 0999 in London.
CREATE FUNCTION phone_of(row_no bigint, seed bigint) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE pick(row_no, seed, 4)
              WHEN 0 THEN '+44 20 7946 0' || digits(row_no, seed + 1, 3)
              WHEN 1 THEN '+1 (' || (201 + pick(row_no, seed + 2, 780)) || ') 555-01' || digits(row_no, seed + 1, 2)
              ELSE '+1-' || (201 + pick(row_no, seed + 2, 780)) || '-555-01' || digits(row_no, seed + 1, 2) END $$;
CREATE FUNCTION address_of(row_no bigint, seed bigint) RETURNS inet LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE pick(row_no, seed, 8)
              WHEN 0 THEN '2001:db8:' || to_hex(pick(row_no, seed + 1, 65535)) || '::' || to_hex(1 + pick(row_no, seed + 2, 65535))
              WHEN 1 THEN '192.0.2.' || pick(row_no, seed + 1, 256)
              WHEN 2 THEN '198.51.100.' || pick(row_no, seed + 1, 256)
              WHEN 3 THEN '203.0.113.' || pick(row_no, seed + 1, 256)
              ELSE '10.' || pick(row_no, seed + 1, 256) || '.' || pick(row_no, seed + 2, 256) || '.' || pick(row_no, seed + 3, 256)
          END::inet $$;

CREATE TABLE words AS SELECT
    ARRAY['Ada','Bruno','Chiara','Dmitri','Elena','Farid','Greta','Hugo','Ingrid','Jonas','Katarzyna','Liam','Mei','Nadia','Oscar','Priya','Quentin','Rosa','Samuel','Tove','Uma','Viktor','Wanda','Ximena','Yusuf','Zoé','Ángel','Åsa','Jürgen','Łucja'] AS first,
    ARRAY['ada','bruno','chiara','dmitri','elena','farid','greta','hugo','ingrid','jonas','katarzyna','liam','mei','nadia','oscar','priya','quentin','rosa','samuel','tove','uma','viktor','wanda','ximena','yusuf','zoe','angel','asa','juergen','lucja'] AS first_slug,
    ARRAY['Abbott','Berg','Castillo','Dvořák','Eriksen','Ferrari','Goldberg','Hartmann','Ivanova','Jankowski','Keller','Laurent','Moreau','Novak','O''Leary','Petrov','Quiroga','Richter','Suzuki','Tanaka','Ulrich','van der Meer','Weiß','Xu','Yılmaz','Zimmer','Almeida','Brontë','D''Souza','Featherstone'] AS last,
    ARRAY['abbott','berg','castillo','dvorak','eriksen','ferrari','goldberg','hartmann','ivanova','jankowski','keller','laurent','moreau','novak','oleary','petrov','quiroga','richter','suzuki','tanaka','ulrich','vandermeer','weiss','xu','yilmaz','zimmer','almeida','bronte','dsouza','featherstone'] AS last_slug,
    ARRAY['example.com','example.org','example.net','mail.example.com','home.test','post.invalid'] AS domain,
    ARRAY['Alder','Birch','Canal','Dock','Elm','Foundry','Garden','Harbour','Iron','Juniper','Kiln','Lime','Market','North','Orchard','Paper'] AS street,
    ARRAY['Street','Road','Avenue','Lane','Row','Square','Terrace','Way'] AS street_kind,
    ARRAY['Eastbrook','Fernhill','Glenmoor','Highport','Kingsmere','Lakewood','Marston','Northgate','Oldbridge','Pinecrest'] AS city,
    ARRAY['OR','VT','NM','ME','WI','GA'] AS region,
    ARRAY['kitchen','garden','books','toys','sports','music','pets','office'] AS interest;

-- One person behind each customer, so that every table that mentions one agrees with the others.
CREATE TEMP TABLE person ON COMMIT DROP AS
SELECT i AS id, 1 + pick(i, 1, 12) AS tenant_id, id_of(i, 2) AS public_id,
       w.first[f] AS first, w.last[l] AS last, w.first[f] || ' ' || w.last[l] AS name,
       w.first_slug[f] || '.' || w.last_slug[l] || i || '@' || word(i, 5, w.domain) AS email,
       phone_of(i, 6) AS phone, ssn_of(i) AS ssn, address_of(i, 10) AS ip,
       date '1941-03-01' + pick(i, 14, 23500) AS born_on,
       CASE pick(i, 15, 10) WHEN 0 THEN with_check_digit('378282' || digits(i, 16, 8)) WHEN 1 THEN with_check_digit('555555' || digits(i, 16, 9))
           ELSE with_check_digit('411111' || digits(i, 16, 9)) END AS card,
       (1 + pick(i, 17, 980)) || ' ' || word(i, 18, w.street) || ' ' || word(i, 19, w.street_kind) AS line1,
       word(i, 20, w.city) AS city, word(i, 21, w.region) AS region, digits(i, 22, 5) AS postal_code,
       (ARRAY['US', 'US', 'US', 'GB', 'DE', 'FR', 'SE', 'PL'])[1 + pick(i, 23, 8)] AS country,
       timestamptz '2021-01-04 08:00:00+00' + pick(i, 24, 180000000) * interval '1 second' AS created_at
FROM words AS w, generate_series(1, :customers) AS i,
     LATERAL (SELECT 1 + pick(i, 3, 30) AS f, 1 + pick(i, 4, 30) AS l) AS at;
CREATE UNIQUE INDEX ON person (id);
ANALYZE person;

-- ---------------------------------------------------------------------------------------------------------------------
-- public: tenants and people who work here

INSERT INTO tenants
SELECT i, 'tenant-' || i, word(i, 101, w.street) || ' ' || word(i, 102, ARRAY['Trading', 'Supplies', 'Outfitters', 'Goods']) || ' ' || i,
       (ARRAY['free', 'standard', 'enterprise'])[1 + pick(i, 103, 3)],
       jsonb_build_object('locale', 'en', 'open', jsonb_build_array(8, 18), 'rounding', 0.05), (7 * (1 + i % 6)) * interval '1 day',
       timestamptz '2020-02-01 09:00:00+00' + i * interval '11 days 3 hours'
FROM words AS w, generate_series(1, 12) AS i ORDER BY i;

INSERT INTO countries VALUES
    ('US', 'United States', 'USD', 0), ('GB', 'United Kingdom', 'GBP', 0.2), ('DE', 'Germany', 'EUR', 0.19),
    ('FR', 'France', 'EUR', 0.2), ('SE', 'Sweden', 'SEK', 0.25), ('PL', 'Poland', 'PLN', 0.23);

INSERT INTO teams (id, tenant_id, name, lead_id)
SELECT i, i, (ARRAY['Support', 'Warehouse', 'Finance', 'Buying'])[1 + i % 4] || ' ' || i, i FROM generate_series(1, 12) AS i ORDER BY i;
SELECT setval('teams_id_seq', 12) AS teams_id_seq \gset

INSERT INTO employees (id, tenant_id, team_id, manager_id, username, full_name, work_email, private_email, phone, ssn, born_on, hired_on, left_on,
    salary, bank_account, skills, private_numbers, emergency_contact, photo, password_hash, badge, updated_at)
OVERRIDING SYSTEM VALUE
SELECT i, team, team, CASE WHEN i > 12 THEN 1 + pick(i, 201, i - 1) END,
       w.first_slug[f] || '_' || w.last_slug[l] || i, w.first[f] || ' ' || w.last[l],
       w.first_slug[f] || '.' || w.last_slug[l] || i || '@staff.example.com',
       CASE WHEN pick(i, 202, 3) > 0 THEN w.last_slug[l] || pick(i, 203, 100) || '.' || i || '@home.test' END,
       phone_of(i, 204), ssn_of(i + 300000000), born, hired, CASE WHEN pick(i, 210, 9) = 0 THEN hired + pick(i, 211, 900) END,
       38000 + pick(i, 212, 8000) * 10, 'DE' || digits(i, 213, 14) || digits(i, 214, 6),
       ARRAY[word(i, 215, w.interest), word(i, 216, w.interest)], ARRAY[phone_of(i, 217), phone_of(i, 221)],
       ROW(word(i, 225, w.first) || ' ' || w.last[l], word(i, 226, ARRAY['partner', 'parent', 'sibling']), phone_of(i, 227))::contact_person,
       decode(md5('photo' || i) || md5('pixels' || i), 'hex'), '$2b$12$' || left(md5('salt' || i) || md5('hash' || i), 53), pick(i, 231, 65536)::bit(16),
       timestamptz '2026-09-01 00:00:00+00' + pick(i, 232, 4000000) * interval '1 second'
FROM words AS w, generate_series(1, :employees) AS i,
     LATERAL (SELECT 1 + pick(i, 233, 30) AS f, 1 + pick(i, 234, 30) AS l, 1 + (i - 1) % 12 AS team,
                     date '1958-01-01' + pick(i, 235, 15000) AS born, date '2017-01-02' + pick(i, 236, 3000) AS hired) AS at
ORDER BY i;
SELECT setval(pg_get_serial_sequence('public.employees', 'id'), :employees) AS employees_id_seq \gset

-- ---------------------------------------------------------------------------------------------------------------------
-- public: customers

INSERT INTO customers (id, tenant_id, public_id, status, first_name, last_name, email, other_emails, phone, born_on, ssn, referral_code, referred_by,
    country, last_ip, interests, favourite_products, profile, notes, credit_limit, loyalty_points, created_at, updated_at, deleted_at)
SELECT p.id, p.tenant_id, p.public_id, (ARRAY['lead', 'active', 'active', 'active', 'paused', 'closed'])[1 + pick(p.id, 301, 6)]::customer_status,
       p.first, p.last, p.email, CASE WHEN pick(p.id, 302, 6) = 0 THEN ARRAY[p.email, 'second.' || p.email] END,
       CASE WHEN pick(p.id, 303, 12) > 0 THEN p.phone END, CASE WHEN pick(p.id, 304, 9) > 0 THEN p.born_on END,
       CASE WHEN pick(p.id, 305, 3) > 0 THEN p.ssn END, upper(lpad(to_hex(p.id::bigint * 2654435761 % 4294967296), 8, '0')),
       CASE WHEN p.id > 1 AND pick(p.id, 306, 5) = 0 THEN 1 + pick(p.id, 307, p.id - 1) END,
       p.country, p.ip, ARRAY[word(p.id, 308, w.interest), word(p.id, 309, w.interest)],
       CASE WHEN pick(p.id, 310, 4) = 0 THEN ARRAY[1 + pick(p.id, 311, :products), NULL, 1 + pick(p.id, 312, :products)] END,
       jsonb_build_object(
           'contact', jsonb_build_object('email', p.email, 'phone', p.phone, 'name', jsonb_build_object('first', p.first, 'last', p.last)),
           'home', jsonb_build_object('street', p.line1, 'city', p.city, 'zip', p.postal_code),
           'consent', jsonb_build_object('mail', pick(p.id, 313, 2) = 0, 'version', 3),
           'limits', jsonb_build_array(pick(p.id, 314, 100), 1.50, NULL), 'theme', word(p.id, 315, ARRAY['dark', 'light'])),
       CASE pick(p.id, 316, 7)
           WHEN 0 THEN NULL
           WHEN 1 THEN p.first || ' ' || p.last || ' called from ' || p.phone || ' about a late parcel; answer to ' || p.email || '.'
           WHEN 2 THEN 'Verified by telephone. SSN ' || p.ssn || ', date of birth ' || p.born_on || '. ' || p.first || ' asked us to use mail only.'
           WHEN 3 THEN 'Card ' || p.card || ' was declined twice for ' || p.last || ', then accepted. Login from ' || host(p.ip) || '.'
           WHEN 4 THEN 'Prefers delivery after 17:00. Order number 4711 was a gift.'
           WHEN 5 THEN 'Mr or Ms ' || p.last || ' (' || lower(p.email) || ') moved to ' || p.line1 || ', ' || p.city || '.'
           ELSE 'VIP. Speak to ' || upper(p.last) || ' directly: ' || p.phone || '.' END,
       CASE WHEN pick(p.id, 317, 3) = 0 THEN 100 * pick(p.id, 318, 100) END, pick(p.id, 319, 5000),
       p.created_at, p.created_at + pick(p.id, 320, 2000000) * interval '1 second', CASE WHEN pick(p.id, 321, 25) = 0 THEN p.created_at + interval '300 days' END
FROM words AS w, person AS p ORDER BY p.id;
SELECT setval(pg_get_serial_sequence('public.customers', 'id'), :customers) AS customers_id_seq \gset

INSERT INTO addresses (id, customer_id, kind, is_default, recipient, line1, line2, city, region, postal_code, country, phone, delivery_note)
SELECT row_number() OVER (ORDER BY p.id, n), p.id, CASE n WHEN 1 THEN 'billing' ELSE 'shipping' END, n < 3, p.name,
       CASE n WHEN 3 THEN (1 + pick(p.id, 330, 300)) || ' ' || word(p.id, 331, w.street) || ' Court' ELSE p.line1 END,
       CASE WHEN pick(p.id, 332, 5) = 0 THEN 'Flat ' || (1 + pick(p.id, 333, 40)) END,
       p.city, p.region, p.postal_code, p.country, CASE WHEN pick(p.id, 334, 2) = 0 THEN p.phone END,
       CASE WHEN pick(p.id, 335, 6) = 0 THEN 'Ring ' || p.last || ' or call ' || p.phone || ' at the gate.' END
FROM words AS w, person AS p, generate_series(1, 1 + pick(p.id, 336, 3)) AS n ORDER BY p.id, n;
SELECT setval('addresses_id_seq', max(id)) AS addresses_id_seq FROM addresses \gset

INSERT INTO devices
SELECT id_of(p.id * 4 + n, 340), p.id, p.first || '''s ' || word(p.id + n, 341, ARRAY['phone', 'tablet', 'laptop']),
       word(p.id + n, 342, ARRAY['ios', 'android', 'web']), 'ptk_' || md5('push' || p.id || '/' || n), address_of(p.id + n, 343),
       p.created_at + pick(p.id + n, 347, 9000000) * interval '1 second'
FROM person AS p, generate_series(1, pick(p.id, 348, 3)) AS n ORDER BY p.id, n;

INSERT INTO newsletter
SELECT CASE pick(p.id, 350, 4) WHEN 0 THEN initcap(p.email) ELSE p.email END, CASE WHEN pick(p.id, 351, 3) > 0 THEN p.name END, p.ip,
       CASE WHEN pick(p.id, 352, 5) > 0 THEN p.created_at + interval '2 hours' END, ARRAY[word(p.id, 353, w.interest)]
FROM words AS w, person AS p WHERE pick(p.id, 354, 2) = 0 ORDER BY p.id;

INSERT INTO contacts (id, full_name, email, phone, added_on)
SELECT i, word(i, 360, w.first) || ' ' || word(i, 361, w.last), 'contact' || i || '@example.org', phone_of(i, 362), date '2018-05-01' + 3 * i
FROM words AS w, generate_series(1, 60) AS i ORDER BY i;
INSERT INTO partners (id, full_name, email, phone, added_on, company, vat_number)
SELECT i, word(i, 360, w.first) || ' ' || word(i, 361, w.last), 'partner' || i || '@example.net', phone_of(i, 362), date '2018-05-01' + 3 * i,
       word(i, 366, w.city) || ' Freight', 'GB' || digits(i, 367, 9)
FROM words AS w, generate_series(61, 90) AS i ORDER BY i;
INSERT INTO press_contacts (id, full_name, email, phone, added_on, outlet)
SELECT i, word(i, 360, w.first) || ' ' || word(i, 361, w.last), 'press' || i || '@example.com', phone_of(i, 362), date '2018-05-01' + 3 * i,
       'The ' || word(i, 366, w.city) || ' Herald'
FROM words AS w, generate_series(91, 110) AS i ORDER BY i;
SELECT setval('contacts_id_seq', 110) AS contacts_id_seq \gset

-- ---------------------------------------------------------------------------------------------------------------------
-- public: what is sold

INSERT INTO categories (id, parent_id, name, position)
SELECT i, CASE WHEN i > 6 THEN 1 + (i - 7) % 6 END, initcap(w.interest[1 + (i - 1) % 8]) || ' ' || i, 1 + (i - 1) / 6
FROM words AS w, generate_series(1, 30) AS i ORDER BY i;
SELECT setval('categories_id_seq', 30) AS categories_id_seq \gset

INSERT INTO products (id, category_id, sku, name, description, price, size, weight_g, attributes, labels, monthly_sales, flags, discontinued_at)
SELECT i, 1 + pick(i, 401, 30), 'SKU-' || to_char(i, 'FM000000'),
       word(i, 402, ARRAY['Folding', 'Cast-iron', 'Oak', 'Linen', 'Enamel', 'Cordless', 'Little', 'Waterproof']) || ' ' ||
           word(i, 403, ARRAY['chair', 'pan', 'lamp', 'shelf', 'kettle', 'drill', 'tent', 'notebook']) || ' ' || i,
       CASE WHEN pick(i, 404, 6) > 0 THEN 'Made to last. Comes with a ' || (1 + pick(i, 405, 5)) || ' year warranty and ' ||
           word(i, 406, ARRAY['two spare parts', 'a canvas bag', 'printed instructions', 'nothing you do not need']) || '.' END,
       (199 + pick(i, 407, 40000)) / 100.0, ROW(10 + pick(i, 408, 900), 10 + pick(i, 409, 900), 10 + pick(i, 410, 900))::dimensions,
       pick(i, 411, 90000) / 8.0, jsonb_build_object('color', word(i, 412, ARRAY['red', 'green', 'blue', 'black']), 'eco', pick(i, 413, 2) = 0),
       ARRAY[word(i, 414, w.interest), 'season-' || (1 + pick(i, 415, 4))], ARRAY[pick(i, 416, 90), pick(i, 417, 90), pick(i, 418, 90)],
       pick(i, 419, 256)::bit(8), CASE WHEN pick(i, 420, 15) = 0 THEN timestamp '2025-06-30 18:00:00' END
FROM words AS w, generate_series(1, :products) AS i ORDER BY i;
SELECT setval(pg_get_serial_sequence('public.products', 'id'), :products) AS products_id_seq \gset

INSERT INTO product_prices
SELECT i, daterange(date '2024-01-01' + 300 * n, CASE WHEN n < 2 THEN date '2024-01-01' + 300 * (n + 1) END), (199 + pick(i, 407, 40000) + 50 * n) / 100.0
FROM generate_series(1, :products) AS i, generate_series(0, 2) AS n ORDER BY i, n;

INSERT INTO suppliers
SELECT i, word(i, 430, w.street) || ' & ' || word(i, 431, w.city) || ' Works', word(i, 432, w.first) || ' ' || word(i, 433, w.last),
       'sales' || i || '@example.net', phone_of(i, 434), (14 + 7 * pick(i, 438, 8)) * interval '1 day'
FROM words AS w, generate_series(1, :suppliers) AS i ORDER BY i;

INSERT INTO product_suppliers
SELECT i, 1 + (pick(i, 440, :suppliers) + n) % :suppliers, (2 + pick(i + n, 441, 20)) * interval '1 day'
FROM generate_series(1, :products) AS i, generate_series(0, pick(i, 442, 3)) AS n ORDER BY i, n;

INSERT INTO warehouses
SELECT i, 'WH-' || i, point(pick(i, 450, 360) - 180, pick(i, 451, 180) - 90), time '06:30' + i * interval '15 minutes', ('10.' || i || '.0.0/16')::cidr
FROM generate_series(1, 5) AS i ORDER BY i;

INSERT INTO stock
SELECT n, i, pick(i * 5 + n, 460, 400), timestamptz '2026-10-30 04:00:00+00' + pick(i, 461, 7200) * interval '1 second'
FROM generate_series(1, :products) AS i, generate_series(1, 5) AS n WHERE pick(i * 5 + n, 462, 5) > 1 ORDER BY i, n;

INSERT INTO coupons
SELECT t, 'SAVE' || n * 5, n * 5, tstzrange(timestamptz '2026-01-01 00:00:00+00', CASE WHEN n < 4 THEN timestamptz '2026-12-31 00:00:00+00' END)
FROM generate_series(1, 12) AS t, generate_series(1, 4) AS n ORDER BY t, n;

-- ---------------------------------------------------------------------------------------------------------------------
-- public: orders. The temporary table keeps what later tables need of an order.

CREATE TEMP TABLE bought ON COMMIT DROP AS
SELECT i AS id, p.tenant_id, p.id AS customer_id, 1 + pick(i, 501, 4) AS lines,
       (ARRAY['cart', 'placed', 'paid', 'packed', 'shipped', 'delivered', 'delivered', 'returned', 'cancelled'])[1 + pick(i, 502, 9)]::order_status AS status,
       timestamptz '2023-01-02 06:00:00+00' + pick(i, 503, 120000000) * interval '1 second' AS placed_at
FROM generate_series(1, :orders) AS i JOIN person AS p ON p.id = 1 + pick(i, 504, :customers) ORDER BY i;
CREATE UNIQUE INDEX ON bought (id);
CREATE TEMP TABLE bought_line ON COMMIT DROP AS
SELECT b.tenant_id, b.id AS order_id, n AS line_no, 1 + pick(b.id * 8 + n, 510, :products) AS product_id,
       1 + pick(b.id * 8 + n, 511, 5) AS quantity, (199 + pick(1 + pick(b.id * 8 + n, 510, :products), 407, 40000)) / 100.0 AS unit_price
FROM bought AS b, generate_series(1, b.lines) AS n ORDER BY b.id, n;
CREATE TEMP TABLE bought_total ON COMMIT DROP AS SELECT order_id AS id, sum(quantity * unit_price) AS total FROM bought_line GROUP BY 1;
CREATE UNIQUE INDEX ON bought_total (id);
ANALYZE bought; ANALYZE bought_line; ANALYZE bought_total;

INSERT INTO orders
SELECT b.tenant_id, b.id, b.customer_id, CASE WHEN pick(b.id, 520, 20) = 0 THEN initcap(p.email) ELSE p.email END, b.status,
       CASE WHEN pick(b.id, 521, 6) = 0 THEN b.tenant_id END, CASE WHEN pick(b.id, 521, 6) = 0 THEN 'SAVE' || 5 * (1 + pick(b.id, 522, 4)) END, t.total,
       CASE WHEN b.status <> 'cart' THEN jsonb_build_object('to', jsonb_build_object('name', p.name, 'phone', p.phone, 'street', p.line1, 'city', p.city, 'zip', p.postal_code),
           'carrier', word(b.id, 523, ARRAY['ground', 'air', 'bike']), 'insured', pick(b.id, 524, 2) = 0, 'fee', 4.90) END,
       address_of(b.id, 525),
       CASE pick(b.id, 529, 9) WHEN 0 THEN 'Please leave it with a neighbour. ' || p.name || ', ' || p.phone WHEN 1 THEN 'Gift, no invoice in the box.'
           WHEN 2 THEN 'Call ' || p.first || ' before delivery or write to ' || p.email || '.' END,
       b.placed_at
FROM bought AS b JOIN person AS p ON p.id = b.customer_id JOIN bought_total AS t ON t.id = b.id ORDER BY b.id;
SELECT setval('order_number_seq', greatest(1000, :orders)) AS order_number_seq \gset

INSERT INTO order_items (tenant_id, order_id, line_no, product_id, quantity, unit_price, gift_message)
SELECT l.tenant_id, l.order_id, l.line_no, l.product_id, l.quantity, l.unit_price,
       CASE WHEN pick(l.order_id * 8 + l.line_no, 530, 40) = 0 THEN 'Happy birthday! Yours, ' || word(l.order_id, 531, w.first) END
FROM words AS w, bought_line AS l ORDER BY l.order_id, l.line_no;

INSERT INTO shipments (id, tenant_id, order_id, recipient, recipient_phone, tracking_code, warehouse_id, in_transit)
SELECT row_number() OVER (ORDER BY b.id), b.tenant_id, b.id, p.name, CASE WHEN pick(b.id, 540, 3) > 0 THEN p.phone END,
       'TRK' || digits(b.id, 541, 6) || to_char(b.id, 'FM000000000'), 1 + pick(b.id, 542, 5),
       tstzrange(b.placed_at + interval '1 day', CASE WHEN b.status <> 'shipped' THEN b.placed_at + (2 + pick(b.id, 543, 9)) * interval '1 day' END)
FROM bought AS b JOIN person AS p ON p.id = b.customer_id WHERE b.status IN ('shipped', 'delivered', 'returned') ORDER BY b.id;
SELECT setval(pg_get_serial_sequence('public.shipments', 'id'), max(id)) AS shipments_id_seq FROM shipments \gset

-- One review in fifty speaks of a product that is gone.
INSERT INTO reviews (id, customer_id, product_id, rating, signed_as, body, created_at)
SELECT i, p.id, CASE WHEN pick(i, 550, 50) = 0 THEN 900000 + i ELSE 1 + pick(i, 551, :products) END, 1 + pick(i, 552, 5),
       CASE pick(i, 553, 3) WHEN 0 THEN NULL WHEN 1 THEN p.first ELSE p.name END,
       CASE pick(i, 554, 5) WHEN 0 THEN NULL WHEN 1 THEN 'Does what it says. The second one I bought.' WHEN 2 THEN 'Broke after a week, nobody answered ' || p.email || '!'
           WHEN 3 THEN 'My daughter loves it. Thank you from the whole ' || p.last || ' family.' ELSE 'Good value, slow delivery.' END,
       timestamptz '2024-02-01 00:00:00+00' + pick(i, 555, 80000000) * interval '1 second'
FROM generate_series(1, :reviews) AS i JOIN person AS p ON p.id = 1 + pick(i, 556, :customers) ORDER BY i;
SELECT setval(pg_get_serial_sequence('public.reviews', 'id'), :reviews) AS reviews_id_seq \gset
-- Added later than the reviews, and never validated.
ALTER TABLE reviews ADD CONSTRAINT reviews_product_fkey FOREIGN KEY (product_id) REFERENCES products (id) NOT VALID;

INSERT INTO bookings
SELECT id_of(i, 560), p.id, 1 + i % 40, tstzrange(start, start + (1 + pick(i, 561, 8)) * interval '1 hour'),
       CASE WHEN pick(i, 562, 3) = 0 THEN ARRAY[word(i, 563, w.first) || ' ' || p.last] END
FROM words AS w, generate_series(1, :bookings) AS i JOIN person AS p ON p.id = 1 + pick(i, 564, :customers),
     LATERAL (SELECT timestamptz '2026-02-01 08:00:00+00' + (i / 40) * interval '12 hours' AS start) AS at
ORDER BY i;

-- ---------------------------------------------------------------------------------------------------------------------
-- public: support

CREATE TEMP TABLE opened ON COMMIT DROP AS
SELECT i AS id, p.id AS customer_id, (ARRAY['mail', 'mail', 'chat', 'phone', 'letter'])[1 + pick(i, 601, 5)] AS channel, p.name, p.first, p.last, p.email, p.phone, p.card, p.ssn, p.ip,
       timestamptz '2025-01-02 07:00:00+00' + pick(i, 602, 57000000) * interval '1 second' AS opened_at
FROM generate_series(1, :tickets) AS i JOIN person AS p ON p.id = 1 + pick(i, 603, :customers) ORDER BY i;

INSERT INTO tickets
SELECT t.id, t.channel, t.customer_id, CASE WHEN pick(t.id, 604, 4) > 0 THEN 1 + pick(t.id, 605, :employees) END,
       (ARRAY['low', 'normal', 'normal', 'high', 'urgent'])[1 + pick(t.id, 606, 5)]::ticket_priority,
       word(t.id, 607, ARRAY['Where is my parcel', 'Invoice is wrong', 'Change of address', 'Cannot log in', 'Refund']) || CASE WHEN pick(t.id, 608, 4) = 0 THEN ' (' || t.name || ')' ELSE '' END,
       CASE pick(t.id, 609, 6)
           WHEN 0 THEN 'Hello, my name is ' || t.name || '. The parcel never came. Please call ' || t.phone || ' or mail ' || t.email || '. Regards, ' || t.first
           WHEN 1 THEN 'I paid with ' || t.card || ' and was charged twice! ' || t.last
           WHEN 2 THEN 'For verification: ' || t.ssn || '. My login is ' || t.email || ', the error shows ' || host(t.ip) || '.'
           WHEN 3 THEN 'The invoice names ' || upper(t.name) || ' but the company pays. Ticket 2026-1187.'
           WHEN 4 THEN E'Same as last time.\n\nSent from my phone\n-- \n' || t.name || E'\n' || t.phone || E'\n' || t.email
           ELSE 'Do you ship to islands?' END,
       t.opened_at
FROM opened AS t ORDER BY t.id;
SELECT setval('ticket_id_seq', :tickets) AS ticket_id_seq \gset

INSERT INTO ticket_messages (id, channel, ticket_id, customer_id, employee_id, body, sent_at)
SELECT row_number() OVER (ORDER BY t.id, n), t.channel, t.id, CASE WHEN n % 2 = 0 THEN t.customer_id END, CASE WHEN n % 2 = 1 THEN 1 + pick(t.id, 605, :employees) END,
       CASE WHEN n % 2 = 1 THEN 'Dear ' || t.name || ', we have looked into it and will write to ' || t.email || '.'
           ELSE word(t.id + n, 620, ARRAY['Thank you.', 'Still waiting.', 'That did not help.']) || ' ' || CASE pick(t.id + n, 621, 3) WHEN 0 THEN t.first WHEN 1 THEN 'My new number is ' || t.phone || '.' ELSE '' END END,
       t.opened_at + n * interval '3 hours'
FROM opened AS t, generate_series(1, pick(t.id, 622, 5)) AS n ORDER BY t.id, n;
SELECT setval('ticket_messages_id_seq', max(id)) AS ticket_messages_id_seq FROM ticket_messages \gset

-- ---------------------------------------------------------------------------------------------------------------------
-- public: events. One in six has no customer; some are older than the oldest month.

INSERT INTO events
SELECT i, p.tenant_id, CASE WHEN pick(i, 701, 6) > 0 THEN p.id END, CASE WHEN pick(i, 701, 6) > 0 THEN d.id END,
       word(i, 702, ARRAY['page_view', 'search', 'add_to_cart', 'checkout', 'login', 'password_reset']), address_of(i, 703),
       jsonb_build_object('path', '/p/' || pick(i, 707, :products), 'ms', pick(i, 708, 4000), 'ab', pick(i, 709, 2) = 0) ||
           CASE WHEN pick(i, 701, 6) > 0 THEN jsonb_build_object('user', jsonb_build_object('email', p.email, 'name', p.name), 'ip', host(p.ip)) ELSE '{}' END,
       timestamptz '2026-04-10 00:00:00+00' + pick(i, 710, 17600000) * interval '1 second'
FROM generate_series(1, :events) AS i JOIN person AS p ON p.id = 1 + pick(i, 711, :customers)
     LEFT JOIN devices AS d ON d.id = id_of(p.id * 4 + 1, 340)
ORDER BY i;
SELECT setval('event_id_seq', :events) AS event_id_seq \gset

-- ---------------------------------------------------------------------------------------------------------------------
-- public: odds and ends

INSERT INTO api_credentials (id, tenant_id, label, access_token, client_secret, signing_key, webhook_url, owner_email, expires_at)
OVERRIDING SYSTEM VALUE
SELECT i, 1 + i % 12, word(i, 801, ARRAY['Accounting', 'Parcel labels', 'Analytics']), 'tok_live_' || md5('token' || i), md5('secret' || i),
       decode(md5('signing' || i), 'hex'), 'https://hooks.example.com/' || md5('hook' || i), 'integrations' || i || '@example.com',
       CASE WHEN i % 3 > 0 THEN timestamptz '2027-01-01 00:00:00+00' + i * interval '1 day' END
FROM generate_series(1, 24) AS i ORDER BY i;
SELECT setval(pg_get_serial_sequence('public.api_credentials', 'id'), 24) AS api_credentials_id_seq \gset

INSERT INTO session_cache
SELECT md5('session' || p.id), p.id, jsonb_build_object('email', p.email, 'csrf', md5('csrf' || p.id)), timestamptz '2026-11-01 00:00:00+00' + pick(p.id, 810, 86400) * interval '1 second'
FROM person AS p WHERE pick(p.id, 811, 10) = 0 ORDER BY p.id;

INSERT INTO import_errors
SELECT 'customers-' || to_char(date '2026-10-01' + p.id % 30, 'YYYYMMDD') || '.csv', p.id, p.name || ';' || p.email || ';' || p.phone || ';' || p.ssn,
       word(p.id, 821, ARRAY['unknown country', 'too many fields', 'not a date'])
FROM person AS p, generate_series(1, 1 + pick(p.id, 822, 2)) AS twice WHERE pick(p.id, 823, 60) = 0 ORDER BY p.id, twice;

INSERT INTO heartbeat DEFAULT VALUES;
INSERT INTO heartbeat DEFAULT VALUES;
INSERT INTO heartbeat DEFAULT VALUES;

INSERT INTO feature_flags VALUES ('new_checkout', true, 0.25, '{1,4,7}'), ('dark_mode', true, 1.00, NULL), ('bulk_export', false, NULL, '{}');

-- ---------------------------------------------------------------------------------------------------------------------
-- billing

INSERT INTO billing.payment_methods (id, tenant_id, customer_id, card_holder, card_number, card_expires, iban, fingerprint, is_default)
SELECT p.id, p.tenant_id, p.id, CASE WHEN by_card THEN upper(p.name) END, CASE WHEN by_card THEN p.card END,
       CASE WHEN by_card THEN (2026 + pick(p.id, 902, 5)) || '-' || to_char(1 + pick(p.id, 903, 12), 'FM00') END,
       CASE WHEN NOT by_card THEN 'DE' || digits(p.id, 904, 12) || digits(p.id, 905, 8) END, 'fp_' || md5('instrument' || p.id), true
FROM person AS p, LATERAL (SELECT pick(p.id, 901, 5) > 0 AS by_card) AS method WHERE pick(p.id, 906, 8) > 0 ORDER BY p.id;
SELECT setval(pg_get_serial_sequence('billing.payment_methods', 'id'), max(id)) AS payment_methods_id_seq FROM billing.payment_methods \gset

INSERT INTO billing.invoices (id, tenant_id, number, running_no, order_id, customer_id, customer_public_id, bill_to_name, bill_to_email, bill_to,
    issued_on, net, tax, document, memo)
SELECT b.id, b.tenant_id, 'INV-' || to_char(b.placed_at, 'YYYY') || '-' || to_char(b.id, 'FM00000000'),
       row_number() OVER (PARTITION BY b.tenant_id ORDER BY b.id), b.id, p.id, p.public_id, p.name, CASE WHEN pick(b.id, 910, 3) > 0 THEN p.email END,
       ROW(p.line1, p.city, p.postal_code, p.country)::postal_address, b.placed_at::date + 1, round(t.total / 1.19, 2), t.total - round(t.total / 1.19, 2),
       CASE WHEN pick(b.id, 911, 5) = 0 THEN xmlelement(name invoice, xmlattributes(b.id AS number), xmlelement(name buyer, p.name), xmlelement(name mail, p.email)) END,
       CASE WHEN pick(b.id, 912, 12) = 0 THEN 'Corrected at the request of ' || p.name || ' (' || p.phone || ').' END
FROM bought AS b JOIN person AS p ON p.id = b.customer_id JOIN bought_total AS t ON t.id = b.id
WHERE b.status NOT IN ('cart', 'placed', 'cancelled') ORDER BY b.id;
SELECT setval(pg_get_serial_sequence('billing.invoices', 'id'), max(id)) AS invoices_id_seq FROM billing.invoices \gset
SELECT setval('billing.invoice_number_seq', max(running_no)) AS invoice_number_seq FROM billing.invoices \gset

INSERT INTO billing.payments
SELECT id_of(i.id, 920), i.id, m.id, i.net + i.tax, ((25 + pick(i.id, 921, 400)) / 100.0)::numeric::money, p.name, p.ip,
       CASE WHEN pick(i.id, 922, 3) > 0 THEN json_build_object('id', 'ch_' || md5('charge' || i.id), 'payer', json_build_object('email', p.email, 'name', p.name, 'ip', host(p.ip)),
           'amount', i.net + i.tax, 'risk', pick(i.id, 923, 100)) END,
       i.issued_on + (1 + pick(i.id, 924, 20)) * interval '1 day 2 hours'
FROM billing.invoices AS i JOIN person AS p ON p.id = i.customer_id LEFT JOIN billing.payment_methods AS m ON m.customer_id = p.id
WHERE pick(i.id, 925, 10) > 0 ORDER BY i.id;

INSERT INTO billing.subscriptions (id, customer_id, plan, period, renews_every, seats, cancelled_at)
SELECT row_number() OVER (ORDER BY p.id, n), p.id, word(p.id, 930, ARRAY['plus', 'pro']),
       daterange(date '2024-03-01' + 400 * n, CASE WHEN n = 0 THEN date '2025-03-01' END), CASE n WHEN 0 THEN interval '1 month' ELSE interval '1 year' END,
       1 + pick(p.id, 931, 4), CASE WHEN n = 0 THEN timestamptz '2025-02-11 10:00:00+00' END
FROM person AS p, generate_series(0, 1) AS n WHERE pick(p.id, 932, 8) = 0 ORDER BY p.id, n;
SELECT setval(pg_get_serial_sequence('billing.subscriptions', 'id'), max(id)) AS subscriptions_id_seq FROM billing.subscriptions \gset

-- ---------------------------------------------------------------------------------------------------------------------
-- audit

INSERT INTO audit.changes (id, table_name, row_key, actor_email, actor_role, old_row, new_row, changed_at)
SELECT row_number() OVER (ORDER BY p.id), 'public.customers'::regclass, p.id::text, CASE WHEN pick(p.id, 950, 3) > 0 THEN p.email END, 'shop',
       jsonb_build_object('id', p.id, 'email', 'old.' || p.email, 'name', p.name), jsonb_build_object('id', p.id, 'email', p.email, 'name', p.name),
       p.created_at + interval '40 days'
FROM person AS p WHERE pick(p.id, 951, 3) = 0 ORDER BY p.id;
SELECT setval('audit.changes_id_seq', max(id)) AS changes_id_seq FROM audit.changes \gset

INSERT INTO audit.logins (id, customer_id, email_tried, client_ip, user_agent, ok, at)
OVERRIDING SYSTEM VALUE
SELECT i, CASE WHEN pick(i, 960, 8) > 0 THEN p.id END, CASE WHEN pick(i, 961, 10) = 0 THEN upper(p.email) ELSE p.email END, address_of(i, 962),
       word(i, 966, ARRAY['Mozilla/5.0 (X11; Linux x86_64)', 'Mozilla/5.0 (Macintosh)', 'ShopApp/4.2 (Android 14)']), pick(i, 960, 8) > 0,
       timestamptz '2026-06-01 00:00:00+00' + i * (13000000.0 / :logins) * interval '1 second'
FROM generate_series(1, :logins) AS i JOIN person AS p ON p.id = 1 + pick(i, 967, :customers) ORDER BY i;
SELECT setval(pg_get_serial_sequence('audit.logins', 'id'), :logins) AS logins_id_seq \gset

-- ---------------------------------------------------------------------------------------------------------------------
-- "Legacy": the first half of the customers, under their old numbers

INSERT INTO "Legacy"."Customers"
SELECT p.id, left(p.name, 30), p.email, p.phone, p.line1, p.postal_code, p.born_on, p.card, timestamp '2020-12-30 12:00:00' - pick(p.id, 970, 900000) * interval '1 minute'
FROM person AS p WHERE p.id <= :customers / 2 ORDER BY p.id;

INSERT INTO "Legacy"."Order Lines"
SELECT i, n, p.id, CASE WHEN pick(i + n, 980, 9) > 0 THEN 'SKU-' || to_char(1 + pick(i + n, 981, :products), 'FM000000') END, left(p.name, 40), pick(i + n, 982, 30) / 4.0,
       CASE WHEN pick(i + n, 983, 8) = 0 THEN 'tel. ' || p.phone || ', ask for ' || p.first END
FROM generate_series(1, :customers / 2) AS i JOIN person AS p ON p.id = 1 + pick(i, 984, :customers / 2), generate_series(1, 1 + pick(i, 985, 2)) AS n ORDER BY i, n;

REFRESH MATERIALIZED VIEW reporting.monthly_revenue;
SET CONSTRAINTS ALL IMMEDIATE;
DROP SCHEMA shop_generator CASCADE;
COMMIT;

-- A plain owner may not vacuum the shared catalogs; that this is said fifty times helps nobody.
SET client_min_messages = error;
VACUUM (ANALYZE);
