-- Sequences, the column that owns them (serial: deptype a, identity: i), and the columns whose default names them.
SELECT
    c.oid,
    n.nspname::pg_catalog.text AS schema,
    c.relname::pg_catalog.text AS name,
    o.refobjid AS owner_table,
    o.refobjsubid::pg_catalog.int2 AS owner_column,
    pg_catalog.has_schema_privilege(n.oid, 'USAGE')
        AND pg_catalog.has_sequence_privilege(c.oid, 'SELECT') AS readable,
    e.extname::pg_catalog.text AS extension,
    u.tables AS user_tables,
    u.columns AS user_columns
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend AS o
    ON o.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.objid = c.oid AND o.objsubid = 0
   AND o.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i')
LEFT JOIN pg_catalog.pg_depend AS x
    ON x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND x.objid = c.oid AND x.objsubid = 0
   AND x.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = x.refobjid
-- By sequence, through the index over what is referred to. Where the statistics of pg_depend are old the server thinks that
-- few rows are about defaults, and would read all of them again for each sequence: so they are no condition of an index.
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.array_agg(d.adrelid ORDER BY d.adrelid, d.adnum) AS tables,
        pg_catalog.array_agg(d.adnum ORDER BY d.adrelid, d.adnum) AS columns
    FROM pg_catalog.pg_depend AS p
    JOIN pg_catalog.pg_attrdef AS d ON d.oid = p.objid
    WHERE p.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND p.refobjid = c.oid AND p.refobjsubid = 0
      AND p.classid::pg_catalog.int8 = 'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.int8
) AS u
WHERE c.relkind = 'S'
  AND c.relpersistence <> 't'
  AND pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
  AND n.nspname NOT IN ('information_schema', 'restage')
ORDER BY n.nspname::pg_catalog.text COLLATE "C", c.relname::pg_catalog.text COLLATE "C"
