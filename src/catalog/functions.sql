-- One digest over all functions outside the system schemas: nothing locks them while a run is on.
SELECT coalesce(pg_catalog.md5(pg_catalog.string_agg(
    pg_catalog.md5(pg_catalog.concat_ws('|', p.oid, p.proname, p.pronamespace, p.proargtypes, p.prorettype,
        p.prolang, p.prosecdef, p.proconfig, p.probin, p.prosrc)), '' ORDER BY p.oid)), '') AS digest
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
  AND n.nspname NOT IN ('information_schema', 'restage')
