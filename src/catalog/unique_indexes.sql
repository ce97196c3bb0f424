-- Unique indexes that hold; key columns only, INCLUDE columns left out. Invalid ones do not exist in a dump either.
SELECT
    x.relname::pg_catalog.text AS name,
    i.indrelid AS "table",
    (SELECT pg_catalog.array_agg(u.attnum ORDER BY u.place)
     FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS u (attnum, place)
     WHERE u.place <= i.indnkeyatts) AS columns,
    CASE WHEN i.indexprs IS NOT NULL THEN (
        SELECT pg_catalog.array_agg(pg_catalog.pg_get_indexdef(i.indexrelid, u.place::pg_catalog.int4, true)
                                    ORDER BY u.place)
        FROM pg_catalog.unnest(i.indkey::pg_catalog.int2[]) WITH ORDINALITY AS u (attnum, place)
        WHERE u.place <= i.indnkeyatts AND u.attnum = 0
    ) END AS expressions,
    CASE WHEN i.indexprs IS NOT NULL OR i.indpred IS NOT NULL THEN (
        SELECT pg_catalog.array_agg(DISTINCT d.refobjsubid::pg_catalog.int2)
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = i.indexrelid
          AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = i.indrelid
          AND d.refobjsubid > 0
    ) END AS expression_columns,
    pg_catalog.pg_get_expr(i.indpred, i.indrelid) AS predicate,
    i.indisprimary AS "primary",
    CASE WHEN pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000
         THEN NOT (pg_catalog.to_jsonb(i) ->> 'indnullsnotdistinct')::pg_catalog.bool ELSE true END AS nulls_distinct
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS x ON x.oid = i.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE i.indisunique
  AND (i.indisvalid OR x.relkind = 'I')
  AND c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't'
  AND pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
  AND n.nspname NOT IN ('information_schema', 'restage')
ORDER BY n.nspname::pg_catalog.text COLLATE "C", c.relname::pg_catalog.text COLLATE "C",
    x.relname::pg_catalog.text COLLATE "C"
