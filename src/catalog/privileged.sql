-- Objects outside of extensions that only a superuser may create. What the server makes along with another object, like
-- the constructors of a range type, depends on it internally and needs no right of its own.
SELECT label FROM (
    SELECT 'function ' || p.oid::pg_catalog.regprocedure AS label, 'pg_catalog.pg_proc'::pg_catalog.regclass AS class,
        p.oid, p.pronamespace AS namespace
    FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
    WHERE NOT l.lanpltrusted AND p.prokind <> 'a'
    UNION ALL
    SELECT 'type ' || pg_catalog.format_type(t.oid, NULL), 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace
    FROM pg_catalog.pg_type AS t
    WHERE (NOT t.typisdefined OR t.typtype = 'b') AND t.typtype IN ('b', 'p')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_type AS e WHERE e.typarray = t.oid)
    UNION ALL
    SELECT 'operator class ' || c.opcname, 'pg_catalog.pg_opclass'::pg_catalog.regclass, c.oid, c.opcnamespace
    FROM pg_catalog.pg_opclass AS c
    UNION ALL
    SELECT 'operator family ' || f.opfname, 'pg_catalog.pg_opfamily'::pg_catalog.regclass, f.oid, f.opfnamespace
    FROM pg_catalog.pg_opfamily AS f
    UNION ALL
    SELECT 'text search parser ' || p.prsname, 'pg_catalog.pg_ts_parser'::pg_catalog.regclass, p.oid, p.prsnamespace
    FROM pg_catalog.pg_ts_parser AS p
    UNION ALL
    SELECT 'text search template ' || m.tmplname, 'pg_catalog.pg_ts_template'::pg_catalog.regclass, m.oid, m.tmplnamespace
    FROM pg_catalog.pg_ts_template AS m
    UNION ALL
    SELECT 'foreign data wrapper ' || w.fdwname, 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass, w.oid, NULL
    FROM pg_catalog.pg_foreign_data_wrapper AS w
    UNION ALL
    SELECT 'access method ' || m.amname, 'pg_catalog.pg_am'::pg_catalog.regclass, m.oid, NULL
    FROM pg_catalog.pg_am AS m
    UNION ALL
    SELECT 'cast ' || pg_catalog.format_type(c.castsource, NULL) || ' to ' || pg_catalog.format_type(c.casttarget, NULL),
        'pg_catalog.pg_cast'::pg_catalog.regclass, c.oid, NULL
    FROM pg_catalog.pg_cast AS c WHERE c.castmethod = 'b'
) AS o
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = o.namespace
-- What initdb made has an OID below 16384.
WHERE o.oid >= 16384
  AND (n.oid IS NULL OR (pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
       AND n.nspname NOT IN ('information_schema', 'restage')))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
      WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype IN ('e', 'i'))
ORDER BY label COLLATE "C"
