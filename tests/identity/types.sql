-- Every built-in type with the values at its edges, in tables that travel in binary.
SET TimeZone = 'UTC';
CREATE EXTENSION citext;
CREATE EXTENSION hstore;
CREATE EXTENSION ltree;
CREATE EXTENSION cube;
CREATE EXTENSION isn;
CREATE EXTENSION intarray;
CREATE EXTENSION seg;

CREATE SCHEMA t;

CREATE TABLE t.numbers (
    row int, b boolean, i2 smallint, i4 integer, i8 bigint, o oid, f4 real, f8 double precision,
    n numeric, n_scaled numeric(30, 10), n_negative_scale numeric(5, -3), n_small numeric(3, 5), m money
);
INSERT INTO t.numbers VALUES
    (1, true, 32767, 2147483647, 9223372036854775807, 4294967295, 'NaN', 'NaN', 'NaN', 'NaN', 99999000, 0.00999, '92233720368547758.07'),
    (2, false, -32768, -2147483648, -9223372036854775808, 0, 'Infinity', 'Infinity', 'Infinity', 0.0000000001, -99999499, -0.00999, '-92233720368547758.08'),
    (3, NULL, 0, 0, 0, 1, '-Infinity', '-Infinity', '-Infinity', -99999999999999999999.9999999999, 0, 0, 0),
    (4, NULL, NULL, NULL, NULL, NULL, '-0', '-0', 0.000, NULL, NULL, NULL, NULL),
    (5, NULL, NULL, NULL, NULL, NULL, 1.17549435e-38, 2.2250738585072014e-308, 1e-1000, NULL, NULL, NULL, NULL),
    (6, NULL, NULL, NULL, NULL, NULL, 3.4028235e38, 1.7976931348623157e308, 1e1000, NULL, NULL, NULL, NULL),
    (7, NULL, NULL, NULL, NULL, NULL, 1.4e-45, 5e-324, ('9' || repeat('8', 9000) || '.' || repeat('7', 9000))::numeric, NULL, NULL, NULL, NULL),
    (8, NULL, NULL, NULL, NULL, NULL, 0.1, 0.1, 1.00000000000000000000, 1, NULL, NULL, NULL);

CREATE TABLE t.times (
    row int, d date, t time, t0 time(0), tz timetz, ts timestamp, ts3 timestamp(3), tstz timestamptz,
    i interval, i_year interval year to month, i_second interval day to second(3)
);
INSERT INTO t.times VALUES
    (1, 'infinity', '24:00', '23:59:59.5', '24:00+15:59:59', 'infinity', '2026-01-01 00:00:00.0005', 'infinity', '178000000 years', '1 year 2 months', '1 day 02:03:04.567'),
    (2, '-infinity', '00:00', '00:00', '00:00-15:59:59', '-infinity', '-infinity', '-infinity', '-178000000 years', '-1 year', '-1 day'),
    (3, '4713-01-01 BC', '23:59:59.999999', '24:00', '12:34:56.789012+05:45', '4713-01-01 00:00:00 BC', '0001-12-31 BC', '4713-01-01 00:00:00+00 BC', '1 mon -1 day +00:00:00.000001', '0', '0'),
    (4, '5874897-12-31', '00:00:00.000001', '12:00', '23:59:59.999999-00:00:01', '294276-12-31 23:59:59.999999', '1582-10-15', '294276-12-31 23:59:59.999999+00', '-2147483648 days', NULL, NULL),
    (5, '1582-10-14', NULL, NULL, NULL, '1900-02-28 23:59:59', NULL, '1883-11-18 12:03:57.999999-05', 'P1Y2M3DT4H5M6.000007S', NULL, NULL),
    (6, '0001-01-01', NULL, NULL, NULL, '2000-01-01', NULL, '1969-12-31 23:59:59.999999+00', '2147483647 months 2147483647 days 2562047788:00:54.775807', NULL, NULL);

CREATE TABLE t.texts (
    row int, t text, v varchar, v5 varchar(5), c char(8), c1 char, one "char", n name, b bytea, bits bit(11), varbits varbit, varbits9 varbit(9),
    ci citext
);
INSERT INTO t.texts VALUES
    (1, '', '', '', '', '', '', '', '', B'00000000000', B'', B'', ''),
    (2, E'\\N', E'\\.', E'\t\n\r\\"', 'tail    ', ' ', E'\\200', repeat('é', 31), '\x00', B'11111111111', repeat('10', 4000)::varbit, B'101010101', 'ÄaA'),
    (3, U&'\+01F600 \+00FEFF \+010FFFF \200B', repeat(E'\u00e9\\', 100000), 'ééééé', 'ü', 'ß', 'a', 'x', decode(repeat('00ff5c0a0d', 50000), 'hex'), B'10000000001', B'1', B'0', 'mixed'),
    (4, E'\b\f\v\u0001\u007f', NULL, NULL, NULL, NULL, E'\\377', NULL, '\x5c4e0a5c2e0a', NULL, NULL, NULL, NULL),
    (5, repeat('x', 3000000), NULL, NULL, NULL, NULL, '"', NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE t.documents (row int, x xml, j json, jb jsonb, jp jsonpath, v tsvector, q tsquery);
INSERT INTO t.documents VALUES
    (1, '', '  {"b" : 1, "a":2, "a": 3.00 }', '{"b": 1, "a": 3.00, "deep": [[[[]]]], "n": null, "big": 123456789012345678901234567890.000}', '$.a[*] ? (@ > 1)', '', '''  '''),
    (2, '<a>&amp;</a><b/>text', E'"\\u0041\\n"', '"\u00e9\n"', 'strict $', 'a:1A fat:2B,4C cat:5D ''quo''''te'':3', 'fat & (rat | !cat) <2> dog:*AB'),
    (3, '<?xml version="1.0"?><r xmlns:x="urn:x"><x:y z="1"><![CDATA[<]]></x:y></r>', '[]', '{}', '$."k e y".**{2 to last}', 'x:16383', '!a'),
    (4, '<?xml version="1.1" standalone="yes"?><!DOCTYPE r [<!ELEMENT r ANY>]><r/>', 'null', 'null', NULL, NULL, NULL),
    (5, NULL, '-1e-400', '-1.5', NULL, NULL, NULL);

CREATE TABLE t.shapes (row int, p point, l line, s lseg, b box, pa path, po polygon, c circle);
INSERT INTO t.shapes VALUES
    (1, '(NaN,Infinity)', '{1,-1,0}', '[(0,0),(1,1)]', '(2,2),(0,0)', '[(0,0),(1,1),(2,0)]', '((0,0),(1,1),(2,0))', '<(0,0),0>'),
    (2, '(-0,1e300)', '{0,1,-1e-300}', '[(1,1),(1,1)]', '(Infinity,1),(-Infinity,-1)', '((0,0),(1,1),(2,0))', '((1,1))', '<(1e10,-1e10),Infinity>'),
    (3, NULL, NULL, NULL, NULL, '[(1,1)]', NULL, NULL);

CREATE TABLE t.networks (row int, i inet, c cidr, m macaddr, m8 macaddr8, u uuid);
INSERT INTO t.networks VALUES
    (1, '0.0.0.0', '0.0.0.0/0', '00:00:00:00:00:00', '00:00:00:00:00:00:00:00', '00000000-0000-0000-0000-000000000000'),
    (2, '255.255.255.255/1', '10.0.0.0/8', 'ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff:ff:ff', 'ffffffff-ffff-ffff-ffff-ffffffffffff'),
    (3, '::ffff:1.2.3.4/96', '2001:db8::/32', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
    (4, 'fe80::1/64', '::/0', NULL, NULL, NULL);

CREATE TABLE t.systems (row int, l pg_lsn, x xid, x8 xid8, ci cid, ti tid, ps pg_snapshot, ts txid_snapshot, rc refcursor);
INSERT INTO t.systems VALUES
    (1, '0/0', '0', '0', '0', '(0,0)', '1:1:', '1:1:', ''),
    (2, 'FFFFFFFF/FFFFFFFF', '4294967295', '18446744073709551615', '4294967295', '(4294967295,65535)', '10:20:10,14,15', '10:20:10,14,15', 'a cursor'),
    (3, NULL, NULL, NULL, NULL, NULL, '9223372036854775806:9223372036854775807:9223372036854775806', NULL, NULL);

CREATE TABLE t.ranges (
    row int, i4 int4range, i8 int8range, n numrange, ts tsrange, tstz tstzrange, d daterange,
    mi4 int4multirange, mi8 int8multirange, mn nummultirange, mts tsmultirange, mtz tstzmultirange, md datemultirange
);
INSERT INTO t.ranges VALUES
    (1, 'empty', '(,)', '[NaN,NaN]', '[-infinity,infinity]', '(,infinity)', '[-infinity,)', '{}', '{(,)}', '{[1,2],(3,4)}', '{[-infinity,infinity]}', '{}', '{[2026-01-01,2026-02-01),[2027-01-01,)}'),
    (2, '[-2147483648,2147483647)', '[1,1]', '(1.50,1.5000]', 'empty', '["2026-01-01 00:00:00+00","2026-01-01 00:00:00.000001+00")', '(,)', '{(,1),[5,7),[9,)}', '{}', '{(,)}', '{}', '{(,)}', '{}'),
    (3, NULL, NULL, '[-Infinity,Infinity)', NULL, NULL, 'empty', NULL, NULL, '{[NaN,NaN]}', NULL, NULL, NULL);

CREATE TABLE t.arrays (
    row int, i int[], i2d int[][], t text[], b bytea[], n numeric[], ts timestamptz[], j jsonb[], p point[], bx box[], r int4range[], m nummultirange[],
    c char(3)[], bits bit(3)[], u uuid[], o boolean[], ch "char"[], na name[], x xml[], tz timetz[], iva interval[]
);
INSERT INTO t.arrays VALUES
    (1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'),
    (2, '[-5:-3]={1,NULL,3}', '[0:1][-1:1]={{1,2,3},{4,NULL,6}}', '{"",NULL,"NULL","a,b","{}","\\","\""}', ARRAY['\x00'::bytea, NULL, '\x'],
        '{NaN,-Infinity,1.10,NULL}', '{infinity,-infinity,2026-01-01 00:00:00+00}', ARRAY['{"a": [1]}'::jsonb, 'null', NULL], ARRAY['(1,2)'::point],
        ARRAY['(2,2),(0,0)'::box, NULL], ARRAY['empty'::int4range, '[1,5)', NULL], ARRAY['{[1,2],[3,4)}'::nummultirange, '{}'],
        '{a,"  ",NULL}', '{101,000}', '{00000000-0000-0000-0000-000000000000,NULL}', '{t,NULL,f}', ARRAY['a'::"char", '', '"'], '{a,NULL}',
        ARRAY['<a/>'::xml, NULL], '{24:00+00,00:00-15}', '{1 year,-00:00:01,NULL}'),
    (3, '{{{{{{1,2}}}}}}', '[1:1][1:1]={{NULL}}', '{{a,b},{c,NULL}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (4, '[2147483646:2147483646]={9}', NULL, '[7:7]={x}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TYPE t."Mood Kind" AS ENUM ('', 'ok', 'it''s "quoted"', 'déjà vu', 'with,comma');
CREATE TYPE t.inner_pair AS (a int, b text, "C c" numeric(6, 2));
CREATE TYPE t.outer_pair AS (p t.inner_pair, ps t.inner_pair[], m t."Mood Kind", r int4range, d date);
CREATE DOMAIN t.positive AS int CHECK (VALUE > 0);
CREATE DOMAIN t.positives AS t.positive[] CHECK (cardinality(VALUE) < 10);
CREATE DOMAIN t.matrix AS int[] DEFAULT '{}' NOT NULL;
CREATE DOMAIN t.short AS varchar(5) COLLATE "C";
CREATE DOMAIN t.shorter AS t.short CHECK (length(VALUE) < 4);
CREATE DOMAIN t.pair AS t.inner_pair CHECK ((VALUE).a IS DISTINCT FROM 13);
CREATE TYPE t.text_range AS RANGE (subtype = text, collation = "C", multirange_type_name = t.text_ranges);
CREATE TYPE t.mood_range AS RANGE (subtype = t."Mood Kind");
CREATE TABLE t.own (
    row int, m t."Mood Kind", ms t."Mood Kind"[], i t.inner_pair, o t.outer_pair, os t.outer_pair[], p t.positive, pp t.positives,
    ppa t.positives[], ma t.matrix, s t.shorter, dp t.pair, dps t.pair[], tr t.text_range, trs t.text_ranges, mr t.mood_range, trm t.text_ranges[]
);
INSERT INTO t.own VALUES
    (1, '', '{"",NULL,ok}', ROW(NULL, NULL, NULL), ROW(ROW(1, 'a,"b)', 1.10), ARRAY[ROW(NULL, '', 0)::t.inner_pair, NULL], 'it''s "quoted"', 'empty', 'infinity'),
        ARRAY[ROW(NULL, NULL, NULL, NULL, NULL)::t.outer_pair, NULL], 1, '{1,NULL,2147483647}', NULL, '[0:1]={1,2}', 'abc', ROW(1, 'x', 2), ARRAY[ROW(1, 'x', 2)::t.pair, NULL],
        '[a,"b,c")', '{[a,b),["",""]}', '[ok,"with,comma"]', ARRAY['{}'::t.text_ranges, '{(,)}']),
    (2, 'déjà vu', '{}', ROW(1, E'\n', 9999.99), NULL, '{}', NULL, '{}', ARRAY['{1}'::t.positives], '{}', '', NULL, '{}', 'empty', '{}', '(,)', '{}'),
    (3, NULL, '[5:5]={ok}', NULL, ROW(NULL, '{}', NULL, NULL, NULL), NULL, NULL, NULL, NULL, '{{1,2},{3,4}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL);

CREATE TABLE t.row_typed (id int, whole t.numbers, wholes t.shapes[]);
INSERT INTO t.row_typed SELECT whole.row, whole, (SELECT array_agg(shape ORDER BY shape.row) FROM t.shapes shape) FROM t.numbers whole WHERE row < 5;

CREATE TABLE t.contrib (row int, h hstore, hs hstore[], l ltree, lq lquery, lt ltxtquery, c cube);
INSERT INTO t.contrib VALUES
    (1, '', '{}', '', '*', 'a', '()'),
    (2, 'a=>1, "b c"=>NULL, ""=>"\"\\"', ARRAY['a=>1'::hstore, NULL], 'Top.Science.A_1', 'Top.!a|b{1,2}.*', 'a & !b@*', '(1,2,NaN),(-Infinity,0,3)'),
    (3, NULL, NULL, NULL, NULL, NULL, '(0),(1)');

-- Types whose binary form is missing or names objects by number: these tables travel as text.
CREATE TABLE t.by_text (
    row int, t text, a aclitem, r regclass, rp regproc, rpr regprocedure, ro regoper, ropr regoperator, rt regtype, rr regrole, rn regnamespace,
    rc regconfig, rd regdictionary, rcs regclass[], g isbn, e ean13, s seg, qi query_int, tz timetz, i int[], b bytea, ts timestamp, f8 float8, iv interval, o t.outer_pair, m money
);
INSERT INTO t.by_text VALUES
    (1, E'\\N\t\n\r\\.\b\f\v', '=r/postgres', 't.numbers', 'pg_catalog.int4pl', 'pg_catalog.lower(text)', 'pg_catalog.||/', '+(integer,integer)', 't."Mood Kind"', 'postgres',
        't', 'english', 'simple', '{t.numbers,NULL,pg_class}', '978-0-393-04002-9', '978-0-393-04002-9', '1.0 .. 2.50', '1&(2|!3)', '24:00+15', '[-1:0]={1,NULL}', '\x005c0a',
        '-infinity', 'NaN', '-1 year -2 days +03:04:05.000006', ROW(ROW(1, E'\t,"\\', 1.10), NULL, '', 'empty', '-infinity'), '-1.05'),
    (2, '', NULL, '0', '-', '-', '0', '0', '-', '-', '-', '-', '-', '{}', NULL, NULL, '~1', NULL, NULL, '{}', '', 'infinity', '-0', NULL, NULL, NULL),
    (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);

-- An empty vector has a binary form that its own receive function refuses.
CREATE TABLE t.vectors (row int, o oidvector, i int2vector, oa oidvector[]);
INSERT INTO t.vectors VALUES (1, '', '', ARRAY[''::oidvector, '1 2']), (2, '1 2 4294967295', '-32768 32767', '{}'), (3, NULL, NULL, NULL);

CREATE TABLE t.nothing ();
INSERT INTO t.nothing SELECT FROM generate_series(1, 1000);
CREATE TABLE t.one_by_text (r regclass);
INSERT INTO t.one_by_text VALUES ('t.numbers'), (NULL), ('t.one_by_text');
CREATE TABLE t.only_generated (g int GENERATED ALWAYS AS (1 + 1) STORED, h text GENERATED ALWAYS AS ('x') STORED);
INSERT INTO t.only_generated SELECT FROM generate_series(1, 10);
CREATE TABLE t.dropped (a int, gone text, b int, g int GENERATED ALWAYS AS (a * 2) STORED);
INSERT INTO t.dropped (a, gone, b) VALUES (1, 'x', 2), (3, NULL, NULL);
ALTER TABLE t.dropped DROP COLUMN gone, ADD COLUMN late text DEFAULT 'for old rows' NOT NULL;
INSERT INTO t.dropped (a, b) VALUES (5, 6);
CREATE TABLE t.empty (a int PRIMARY KEY, b text);
CREATE TABLE t."Quoted ""name"" % $1 'x' \ü" ("Column ""a""" int, "select" text, "with space" int, "%s" int, "\n" int, "$$" int, "é" int);
INSERT INTO t."Quoted ""name"" % $1 'x' \ü" VALUES (1, 'a', 2, 3, 4, 5, 6);
CREATE TABLE t."ab; Type: TABLE; Schema: x; Owner: -" ("; --" int);
INSERT INTO t."ab; Type: TABLE; Schema: x; Owner: -" VALUES (1);
