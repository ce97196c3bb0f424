-- Tables and sequences that extensions made and whose content belongs to the database (pg_extension_config_dump): the rows
-- that fulfill the condition, which is empty or begins with WHERE. pg_dump writes these rows.
SELECT
    n.nspname::pg_catalog.text AS schema,
    c.relname::pg_catalog.text AS name,
    pg_catalog.format('%I.%I', n.nspname, c.relname) AS quoted,
    e.extname::pg_catalog.text AS extension,
    c.relkind = 'S' AS sequence,
    coalesce(k.condition, '') AS condition,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
        AND NOT pg_catalog.row_security_active(c.oid) AS readable
FROM pg_catalog.pg_extension AS e
-- Only without its schema unnest takes several arrays.
CROSS JOIN LATERAL unnest(e.extconfig, e.extcondition) AS k (oid, condition)
JOIN pg_catalog.pg_class AS c ON c.oid = k.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S')
ORDER BY n.nspname::pg_catalog.text COLLATE "C", c.relname::pg_catalog.text COLLATE "C"
