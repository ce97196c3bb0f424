-- Columns of the tables of tables.sql, in order. format_type qualifies what search_path does not show, and that is ''. The
-- expression of a default names no column, so it is shown without its table, which DDL may hold.
SELECT
    a.attrelid AS "table",
    a.attnum,
    a.attname::pg_catalog.text AS name,
    a.atttypid AS type_oid,
    a.atttypmod AS typmod,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type_name,
    a.attnotnull AS not_null,
    a.attgenerated <> '' AS generated,
    CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS generation,
    nullif(a.attidentity, '') AS identity,
    a.atthasdef AND a.attgenerated = '' AS has_default,
    CASE WHEN a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, 0) END AS default_expression,
    CASE WHEN a.attcollation <> t.typcollation THEN l.collname::pg_catalog.text END AS collation,
    coalesce(l.collisdeterministic, true) AS deterministic
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
WHERE a.attnum > 0
  AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'f')
  AND c.relpersistence <> 't'
  AND pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
  AND n.nspname NOT IN ('information_schema', 'restage')
ORDER BY a.attrelid, a.attnum
