-- Ordinary, partitioned and foreign tables. LOCK TABLE needs SELECT on the table itself, so column grants do not make a
-- table readable here.
SELECT
    c.oid,
    n.nspname::pg_catalog.text AS schema,
    c.relname::pg_catalog.text AS name,
    c.relkind AS kind,
    c.relispartition AS is_partition,
    (SELECT pg_catalog.array_agg(i.inhparent ORDER BY i.inhseqno)
     FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid) AS parents,
    p.partstrat AS strategy,
    coalesce(p.partdefid, 0) <> 0 AS has_default_partition,
    -- Columns of the key, those inside expressions included, depend internally on their own table.
    CASE WHEN c.relkind = 'p' THEN (
        SELECT pg_catalog.array_agg(DISTINCT a.attname::pg_catalog.text)
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND (
            a.attnum = ANY (p.partattrs::pg_catalog.int2[])
            OR EXISTS (
                SELECT FROM pg_catalog.pg_depend AS d
                WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
                  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid = c.oid
                  AND d.objsubid = a.attnum AND d.refobjsubid = 0 AND d.deptype = 'i'))
    ) END AS partition_key,
    c.relpersistence = 'u' AS unlogged,
    am.amname IS NOT NULL AND am.amname = 'heap' AS heap,
    greatest(c.reltuples, 0)::pg_catalog.float8 AS rows,
    -- Below 14 a table that was never analyzed says 0.
    c.reltuples < 0 OR (c.reltuples = 0 AND c.relpages = 0) AS unanalyzed,
    -- Asking for a size takes a lock on the table, so it can be left out: a digest must not wait behind waiting DDL.
    CASE WHEN c.relkind = 'r' AND pg_catalog.current_setting('restage.sizes', true) IS DISTINCT FROM 'off'
        THEN coalesce(pg_catalog.pg_table_size(c.oid), 0) ELSE 0 END AS bytes,
    CASE WHEN c.relkind = 'r' AND pg_catalog.current_setting('restage.sizes', true) IS DISTINCT FROM 'off'
        THEN coalesce(pg_catalog.pg_relation_size(c.oid), 0)
        / pg_catalog.current_setting('block_size')::pg_catalog.int8 ELSE 0 END AS blocks,
    c.relfilenode AS filenode,
    e.extname::pg_catalog.text AS extension,
    c.relrowsecurity AS row_security,
    c.relrowsecurity AND pg_catalog.row_security_active(c.oid) AS row_security_active,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE') AS schema_usable,
    pg_catalog.has_table_privilege(c.oid, 'SELECT') AS selectable
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_partitioned_table AS p ON p.partrelid = c.oid
LEFT JOIN pg_catalog.pg_am AS am ON am.oid = c.relam
LEFT JOIN pg_catalog.pg_depend AS x
    ON x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = c.oid AND x.objsubid = 0
   AND x.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = x.refobjid
WHERE c.relkind IN ('r', 'p', 'f')
  AND c.relpersistence <> 't'
  AND pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
  AND n.nspname NOT IN ('information_schema', 'restage')
ORDER BY n.nspname::pg_catalog.text COLLATE "C", c.relname::pg_catalog.text COLLATE "C"
