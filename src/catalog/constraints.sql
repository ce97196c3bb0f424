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
    CASE WHEN k.contype = 'x' THEN (
        SELECT pg_catalog.array_agg(o.oprname::pg_catalog.text ORDER BY x.place)
        FROM pg_catalog.unnest(k.conexclop) WITH ORDINALITY AS x (oid, place)
        JOIN pg_catalog.pg_operator AS o ON o.oid = x.oid
    ) END AS operators,
    -- How the server itself compares the columns of a foreign key: operator, and what each side is cast to where the
    -- operator is declared for another type; the collation is the referenced column's where the two differ.
    e.operators AS equal_operators,
    e.left_types AS equal_left_types,
    e.right_types AS equal_right_types,
    e.collations AS equal_collations
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN LATERAL (
    SELECT
        pg_catalog.array_agg('OPERATOR(' || pg_catalog.quote_ident(s.nspname) || '.' || o.oprname || ')' ORDER BY x.place)
            AS operators,
        pg_catalog.array_agg(CASE WHEN l.typtype = 'p' OR l.oid = r.atttypid THEN ''
            ELSE pg_catalog.format_type(l.oid, NULL) END ORDER BY x.place) AS left_types,
        pg_catalog.array_agg(CASE WHEN t.typtype = 'p' OR t.oid = f.atttypid THEN ''
            ELSE pg_catalog.format_type(t.oid, NULL) END ORDER BY x.place) AS right_types,
        pg_catalog.array_agg(CASE WHEN r.attcollation = f.attcollation OR r.attcollation = 0 OR f.attcollation = 0 THEN ''
            ELSE (SELECT 'COLLATE ' || pg_catalog.quote_ident(m.nspname) || '.' || pg_catalog.quote_ident(l.collname)
                  FROM pg_catalog.pg_collation AS l JOIN pg_catalog.pg_namespace AS m ON m.oid = l.collnamespace
                  WHERE l.oid = r.attcollation) END ORDER BY x.place) AS collations
    FROM ROWS FROM (pg_catalog.unnest(k.conpfeqop), pg_catalog.unnest(k.confkey), pg_catalog.unnest(k.conkey))
        WITH ORDINALITY AS x (oid, parent, child, place)
    JOIN pg_catalog.pg_operator AS o ON o.oid = x.oid
    JOIN pg_catalog.pg_namespace AS s ON s.oid = o.oprnamespace
    JOIN pg_catalog.pg_type AS l ON l.oid = o.oprleft
    JOIN pg_catalog.pg_type AS t ON t.oid = o.oprright
    JOIN pg_catalog.pg_attribute AS r ON r.attrelid = k.confrelid AND r.attnum = x.parent
    JOIN pg_catalog.pg_attribute AS f ON f.attrelid = k.conrelid AND f.attnum = x.child
) AS e ON k.contype = 'f'
WHERE k.contype IN ('p', 'u', 'c', 'f', 'x')
  AND (k.contype <> 'f' OR k.conparentid = 0)
  AND c.relkind IN ('r', 'p', 'f')
  AND c.relpersistence <> 't'
  AND pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
  AND n.nspname NOT IN ('information_schema', 'restage')
ORDER BY n.nspname::pg_catalog.text COLLATE "C", c.relname::pg_catalog.text COLLATE "C",
    k.conname::pg_catalog.text COLLATE "C", k.oid
