#!/usr/bin/env python3
"""Reads a masked snapshot with pyarrow and DuckDB, which share no code with restage, and says what they see.

    scripts/parquet.py DIR

For every file with rows: the number of rows both see, the type both give each column, and that these are the ones the
manifest names. Prints a line per column: table, column, PostgreSQL type, Arrow type, DuckDB type, values that are not NULL,
least and greatest value as DuckDB prints them. Exit 1 if something does not fit, 3 if a library is not installed
(`pip install pyarrow duckdb`; scripts/test puts them into target/venv).
"""

import json
import pathlib
import re
import sys

try:
    import duckdb
    import pyarrow.parquet
except ImportError:
    sys.exit(3)

# How a column is stored, what pyarrow calls that, and what DuckDB does.
TYPES = {
    "bool": ("bool", "BOOLEAN"),
    "int16": ("int16", "SMALLINT"),
    "int32": ("int32", "INTEGER"),
    "int64": ("int64", "BIGINT"),
    "uint32": ("uint32", "UINTEGER"),
    "float32": ("float", "FLOAT"),
    "float64": ("double", "DOUBLE"),
    "decimal": (r"decimal128\(\d+, \d+\)", r"DECIMAL\(\d+,\d+\)"),
    "date": ("date32.day.", "DATE"),
    "timestamp": ("timestamp.us.", "TIMESTAMP"),
    "timestamp-utc": ("timestamp.us, tz=UTC.", "TIMESTAMP WITH TIME ZONE"),
    "time": ("time64.us.", "TIME"),
    "uuid": ("extension<arrow.uuid>", "UUID"),
    "bytes": ("binary", "BLOB"),
    "json": ("extension<arrow.json>|string", "JSON"),
    "list": ("list<element: .*>", r".*\[\]"),
    "text": ("string", "VARCHAR"),
}


def judge(folder, table, part, complain):
    path = folder / part["file"]
    arrow = pyarrow.parquet.read_table(path)
    source = f"read_parquet('{str(path).replace(chr(39), chr(39) * 2)}')"
    counted = duckdb.sql(f"SELECT count(*) FROM {source}").fetchall()[0][0]
    name = f"{table['schema']}.{table['name']}"
    if not arrow.num_rows == counted == part["rows"]:
        complain(f"{name}: pyarrow sees {arrow.num_rows} rows, DuckDB {counted}, the manifest says {part['rows']}")
    described = {row[0]: row[1] for row in duckdb.sql(f"DESCRIBE SELECT * FROM {source}").fetchall()}
    if arrow.column_names != [column["name"] for column in table["columns"]]:
        complain(f"{name}: the columns are {arrow.column_names}")
    for column in table["columns"]:
        stored = column["stored"] if isinstance(column["stored"], str) else next(iter(column["stored"]))
        field = arrow.schema.field(column["name"])
        expected = TYPES[stored]
        found = (str(field.type), described.get(column["name"]))
        for wanted, got in zip(expected, found):
            if not re.fullmatch(wanted, got or ""):
                complain(f"{name}.{column['name']}: {got} instead of {wanted}")
        told = (field.metadata or {}).get(b"restage.type", b"").decode()
        if told != column["type"]:
            complain(f"{name}.{column['name']}: its metadata says {told!r}, the manifest {column['type']!r}")
        quoted = '"' + column["name"].replace('"', '""') + '"'
        values = len(arrow) - arrow.column(column["name"]).null_count
        seen, least, greatest = duckdb.sql(
            f"SELECT count({quoted}), min({quoted})::VARCHAR, max({quoted})::VARCHAR FROM {source}"
        ).fetchall()[0]
        if seen != values:
            complain(f"{name}.{column['name']}: pyarrow sees {values} values, DuckDB {seen}")
        shown = [str(least)[:40], str(greatest)[:40]]
        print("\t".join([name, column["name"], column["type"], *map(str, found), str(seen), *shown]).replace("\n", " "))


def main():
    folder = pathlib.Path(sys.argv[1])
    manifest = json.loads((folder / "manifest.json").read_text())
    faults = []
    for table in manifest["tables"]:
        for part in table["parts"]:
            judge(folder, table, part, faults.append)
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
