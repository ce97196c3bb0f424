-- Foreign keys of partitions are left out: the one of the partitioned table speaks for them.
SELECT
    k.oid,
    k.conname::pg_catalog.text AS name,
    k.contype AS kind,
    k.conrelid AS "table",
    coalesce(k.conkey, '{}') AS columns,
    k.confrelid AS ref_table,
    coalesce(k.confkey, '{}') AS ref_columns,
    k.convalidated AS validated,
    CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 180000
         THEN (pg_catalog.to_jsonb(k) ->> 'conenforced')::pg_catalog.bool ELSE true END AS enforced,
    pg_catalog.pg_get_constraintdef(k.oid) AS definition,
    CASE WHEN k.contype = 'c' THEN pg_catalog.pg_get_expr(k.conbin, k.conrelid) END AS expression,
    CASE WHEN k.contype = 'x' THEN (
        SELECT pg_catalog.array_agg(o.oprname::pg_catalog.text ORDER BY x.place)
        FROM pg_catalog.unnest(k.conexclop) WITH ORDINALITY AS x (oid, place)
        JOIN pg_catalog.pg_operator AS o ON o.oid = x.oid
    ) END AS operators
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.contype IN ('p', 'u', 'c', 'f', 'x')
  AND (k.contype <> 'f' OR k.conparentid = 0)
  AND c.relkind IN ('r', 'p', 'f')
  AND c.relpersistence <> 't'
  AND pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
  AND n.nspname NOT IN ('information_schema', 'restage')
ORDER BY n.nspname::pg_catalog.text COLLATE "C", c.relname::pg_catalog.text COLLATE "C",
    k.conname::pg_catalog.text COLLATE "C", k.oid
