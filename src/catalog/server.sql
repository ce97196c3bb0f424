-- Facts about the server, the database and the role. Columns that only some majors have are read through to_jsonb.
SELECT
    pg_catalog.current_setting('server_version_num')::pg_catalog.int4 AS version_num,
    pg_catalog.current_setting('server_version') AS version,
    (SELECT system_identifier FROM pg_catalog.pg_control_system()) AS system_identifier,
    d.oid AS database_oid,
    d.datname::pg_catalog.text AS database,
    pg_catalog.pg_encoding_to_char(d.encoding)::pg_catalog.text AS encoding,
    d.datcollate::pg_catalog.text AS lc_collate,
    d.datctype::pg_catalog.text AS lc_ctype,
    coalesce(j.row ->> 'datlocprovider', 'c') AS locale_provider,
    coalesce(j.row ->> 'datlocale', j.row ->> 'daticulocale') AS icu_locale,
    j.row ->> 'daticurules' AS icu_rules,
    pg_catalog.pg_is_in_recovery() AS standby,
    coalesce(pg_catalog.shobj_description(d.oid, 'pg_database'), '') AS comment,
    r.rolname::pg_catalog.text AS role,
    r.rolsuper AS role_superuser,
    r.rolbypassrls AS role_bypassrls,
    pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int4 AS max_locks_per_transaction,
    pg_catalog.current_setting('max_connections')::pg_catalog.int4 AS max_connections,
    pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int4 AS max_prepared_transactions,
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata) AS large_objects
FROM pg_catalog.pg_database AS d
CROSS JOIN LATERAL (SELECT pg_catalog.to_jsonb(d)) AS j (row)
JOIN pg_catalog.pg_roles AS r ON r.rolname = CURRENT_USER
WHERE d.datname = pg_catalog.current_database()
