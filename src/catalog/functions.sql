-- A line per function and type outside the system schemas, used by a column or not, in one text: a digest and the name.
-- Nothing locks them while a run is on. Row types of tables are left out, because the tables are compared themselves.
WITH found (digest, name) AS (
    SELECT pg_catalog.md5(pg_catalog.concat_ws('|', p.oid, p.proname, p.pronamespace, p.proargtypes, p.prorettype,
            p.prolang, p.prosecdef, p.proconfig, p.probin, p.prosrc, p.proargdefaults,
            -- Since 14 a body can be kept parsed, and prosrc is empty then.
            pg_catalog.to_jsonb(p) ->> 'prosqlbody')),
        'function ' || p.oid::pg_catalog.regprocedure::pg_catalog.text
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
    WHERE pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
      AND n.nspname NOT IN ('information_schema', 'restage')
    UNION ALL
    SELECT pg_catalog.md5(pg_catalog.concat_ws('|', t.oid, t.typname, t.typnamespace, t.typbasetype,
            t.typtypmod, t.typnotnull, t.typdefault,
            (SELECT pg_catalog.array_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_catalog.pg_enum AS l
             WHERE l.enumtypid = t.oid),
            (SELECT pg_catalog.array_agg(pg_catalog.concat_ws(' ', a.attname, a.atttypid, a.atttypmod) ORDER BY a.attnum)
             FROM pg_catalog.pg_attribute AS a
             WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped))),
        'type ' || t.oid::pg_catalog.regtype::pg_catalog.text
    FROM pg_catalog.pg_type AS t
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE (t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'c' AND c.relkind = 'c'))
      AND pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
      AND n.nspname NOT IN ('information_schema', 'restage')
)
-- A name may hold a line break, quoted: the line would be two.
SELECT coalesce(pg_catalog.string_agg(
    digest || ' ' || pg_catalog.translate(name, E'\n', ' '), E'\n' ORDER BY name, digest), '') AS digest
FROM found
