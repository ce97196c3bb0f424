-- Every type a column uses, and the types these are made of: domain bases, array elements, range subtypes, attributes.
WITH RECURSIVE
part AS (
    SELECT t.oid AS whole, t.typbasetype AS part FROM pg_catalog.pg_type AS t WHERE t.typtype = 'd'
    UNION ALL
    -- Variable-length types with an element are arrays; fixed-length ones (point, name) only can be subscripted.
    SELECT t.oid, t.typelem FROM pg_catalog.pg_type AS t WHERE t.typelem <> 0 AND t.typlen = -1
    UNION ALL
    SELECT r.rngtypid, r.rngsubtype FROM pg_catalog.pg_range AS r
    UNION ALL
    SELECT (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::pg_catalog.oid, r.rngsubtype FROM pg_catalog.pg_range AS r
    UNION ALL
    SELECT t.oid, a.atttypid
    FROM pg_catalog.pg_type AS t
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE t.typtype = 'c'
),
used AS (
    SELECT a.atttypid AS oid
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE a.attnum > 0
      AND NOT a.attisdropped
      AND c.relkind IN ('r', 'p', 'f')
      AND c.relpersistence <> 't'
      AND pg_catalog.left(n.nspname::pg_catalog.text, 3) <> 'pg_'
      AND n.nspname NOT IN ('information_schema', 'restage')
    UNION
    SELECT part.part FROM used JOIN part ON part.whole = used.oid
)
SELECT
    t.oid,
    n.nspname::pg_catalog.text AS schema,
    t.typname::pg_catalog.text AS name,
    pg_catalog.format_type(t.oid, NULL) AS sql_name,
    t.typtype AS kind,
    t.typbasetype AS base,
    t.typtypmod AS base_typmod,
    CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END AS base_name,
    CASE WHEN t.typtype IN ('r', 'm') THEN (SELECT p.part FROM part AS p WHERE p.whole = t.oid)
         WHEN t.typlen = -1 THEN t.typelem ELSE 0 END AS element,
    CASE WHEN t.typtype = 'c' THEN (
        SELECT pg_catalog.array_agg(a.atttypid ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) END AS attributes,
    CASE WHEN t.typtype = 'c' THEN (
        SELECT pg_catalog.array_agg(a.attname::pg_catalog.text ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) END AS attribute_names,
    CASE WHEN t.typtype = 'c' THEN (
        SELECT pg_catalog.array_agg(a.atttypmod ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) END AS attribute_typmods,
    CASE WHEN t.typtype = 'c' THEN (
        SELECT pg_catalog.array_agg(a.attnum ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) END AS attribute_numbers,
    t.typsend <> 0 AND t.typreceive <> 0 AS binary,
    e.extname::pg_catalog.text AS extension,
    t.typnotnull AS not_null,
    CASE WHEN t.typtype = 'd' THEN t.typdefault END AS default_expression,
    CASE WHEN t.typtype = 'e' THEN (
        SELECT pg_catalog.array_agg(l.enumlabel::pg_catalog.text ORDER BY l.enumsortorder)
        FROM pg_catalog.pg_enum AS l WHERE l.enumtypid = t.oid
    ) END AS labels,
    CASE WHEN t.typtype = 'd' THEN (
        SELECT pg_catalog.array_agg(k.conname::pg_catalog.text ORDER BY k.conname, k.oid)
        FROM pg_catalog.pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'c'
    ) END AS check_names,
    CASE WHEN t.typtype = 'd' THEN (
        SELECT pg_catalog.array_agg(pg_catalog.pg_get_constraintdef(k.oid) ORDER BY k.conname, k.oid)
        FROM pg_catalog.pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'c'
    ) END AS checks
FROM used
JOIN pg_catalog.pg_type AS t ON t.oid = used.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_depend AS x
    ON x.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND x.objid = t.oid AND x.objsubid = 0
   AND x.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.deptype = 'e'
LEFT JOIN pg_catalog.pg_extension AS e ON e.oid = x.refobjid
ORDER BY t.oid
