-- What somebody else keeps in a schema that is called as ours. Ours has a row for its run, so a staging that is read as a
-- source has nothing here.
SELECT o.name
FROM pg_catalog.pg_namespace AS n
CROSS JOIN LATERAL (
    SELECT c.relname::pg_catalog.text AS name
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL
    SELECT p.proname::pg_catalog.text || '()' FROM pg_catalog.pg_proc AS p WHERE p.pronamespace = n.oid
    UNION ALL
    SELECT t.typname::pg_catalog.text FROM pg_catalog.pg_type AS t
    WHERE t.typnamespace = n.oid AND t.typtype IN ('d', 'e', 'r')
) AS o
WHERE n.nspname = 'restage'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
      WHERE c.relnamespace = n.oid AND c.relname = 'run' AND a.attname = 'snapshot_lsn')
ORDER BY o.name COLLATE "C"
