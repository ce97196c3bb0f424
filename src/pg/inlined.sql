-- Expressions of indexes and of statistics objects, and the SQL functions they call.
WITH calls AS (
    SELECT x.indrelid AS relation, x.indexrelid::pg_catalog.regclass::text AS object, d.refobjid AS function
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_index x ON x.indexrelid = d.objid
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
    UNION
    SELECT x.stxrelid, pg_catalog.format('%I.%I', n.nspname, x.stxname), d.refobjid
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_statistic_ext x ON x.oid = d.objid
    JOIN pg_catalog.pg_namespace n ON n.oid = x.stxnamespace
    WHERE d.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass
      AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass
)
SELECT c.relation, c.object, p.oid::pg_catalog.regprocedure::text,
    n.nspname::text OPERATOR(pg_catalog.||) ARRAY(
        SELECT DISTINCT en.nspname::text FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_namespace en ON en.oid = e.extnamespace
        WHERE en.nspname NOT IN ('pg_catalog', n.nspname) ORDER BY 1
    )
FROM calls c
JOIN pg_catalog.pg_proc p ON p.oid = c.function
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE l.lanname = 'sql'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) AS s (setting) WHERE s.setting LIKE 'search_path=%')
ORDER BY 1, 2, 3
