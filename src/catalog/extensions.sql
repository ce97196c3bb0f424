-- Names of the installed extensions.
SELECT e.extname::pg_catalog.text AS name FROM pg_catalog.pg_extension AS e ORDER BY e.extname::pg_catalog.text COLLATE "C"
