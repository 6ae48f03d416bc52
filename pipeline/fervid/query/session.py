"""One SQL query over runs, with DuckDB. It reads only the tables of the runs and writes nothing.

The database is in memory and accepts one SELECT. Before it runs, DuckDB's file access is limited to the tables of the
runs, extensions and Python variables are disabled, and its settings are locked.
"""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

from fervid.errors import ConfigError, InputError, missing
from fervid.query.sources import BEGAN, SCHEMAS, Sources, videos_schema, videos_table

EMPTY = SCHEMAS | {"videos": videos_schema()}
"""The schema of a view when no run has its table."""
OWN_NAME = frozenset({"alerts", "videos"})
"""Tables that already have a column `video`."""
TIMES = {"frames": "time_s", "faces": "time_s", "tracks": "start_s", "timeline": "start_s", "alerts": "start_s"}
"""The column of each table whose time of day the columns `clock` and `clock_utc` are."""
CLOCKS = ("clock", "clock_utc")
MEMORY_LIMIT = "2GB"
HINTS_OF_NO_USE = re.compile(r' ?Did you mean "(pg_|duckdb_|sqlite_|_)[^"]*"\?')
"""DuckDB suggests its internal tables for a mistyped view name."""


def run_query(sql: str, sources: Sources) -> pa.Table:
    """The result of one SELECT over the views frames, faces, tracks, timeline, alerts and videos.

    Every view has the columns `run` (folder) and `video` (file name). All but `videos` have `clock` and `clock_utc`:
    when the row was recorded, if known. Raises ConfigError for SQL that is wrong or not a SELECT, InputError for tables
    that cannot be read, DependencyMissing without DuckDB.
    """
    try:
        import duckdb
    except ImportError as problem:
        raise missing("a query", "DuckDB", "query", problem) from None
    with duckdb.connect(":memory:", config={"memory_limit": MEMORY_LIMIT, "python_enable_replacements": False}) as db:
        try:
            statements = db.extract_statements(sql)
        except duckdb.Error as problem:
            raise ConfigError(_in_words(problem)) from None
        if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
            raise ConfigError(f"{sql!r} is not one SELECT. Queries read only: write one SELECT, or WITH ... SELECT.")
        try:
            paths = _make_views(db, sql, sources)
        except duckdb.Error as problem:
            raise InputError(f"the tables of the runs cannot be read together ({_first_line(problem)}).") from None
        _lock(db, paths)
        try:
            return db.sql(sql).to_arrow_table()
        except duckdb.Error as problem:
            raise ConfigError(_in_words(problem)) from None


def tables_named(sql: str) -> list[str]:
    """The views that a query may name."""
    words = sql.casefold()
    return [name for name in EMPTY if name in words]


def _make_views(db: Any, sql: str, sources: Sources) -> list[str]:
    """Create the views that the query can use, and return the files behind them."""
    wanted = tables_named(sql)
    allowed: list[str] = []
    for name in wanted:
        parts = []
        if name == "videos":
            if sources.runs:
                db.register("_videos", videos_table(sources))
                parts.append("SELECT * FROM _videos")
        elif files := sources.files(name):
            paths = [str(path) for path, _ in files]
            listed = {"filename": paths, "run": [run.name for _, run in files]}
            if name not in OWN_NAME:
                listed["video"] = [sources.video_name(run) for _, run in files]
            begun = zip(*(sources.began(run) for _, run in files), strict=True)
            own = {field.name: pa.array(values, field.type) for field, values in zip(BEGAN, begun, strict=True)}
            db.register("_listed", pa.table({**listed, **own}))
            db.execute(f"CREATE TABLE _{name}_runs AS SELECT * FROM _listed")
            db.unregister("_listed")
            rows = f"read_parquet({_sql_list(map(_literal, paths))}, union_by_name=true, filename=true)"
            parts.append(
                f"SELECT _runs.* EXCLUDE (filename), _rows.* EXCLUDE (filename) FROM {rows} AS _rows "
                f"JOIN _{name}_runs AS _runs USING (filename)"
            )
            allowed += paths
        if paths := [str(path) for path in sources.compacted_files(name)]:
            parts.append(f"SELECT * FROM read_parquet({_sql_list(map(_literal, paths))}, union_by_name=true)")
            allowed += paths
        if not parts:
            schema = EMPTY[name]
            for column in ("video", "run"):
                if column not in schema.names:
                    schema = schema.insert(0, pa.field(column, pa.string()))
            db.register(f"_no_{name}", schema.empty_table())
            parts.append(f"SELECT * FROM _no_{name}")
        rows = " UNION ALL BY NAME ".join(parts)
        db.execute(f"CREATE VIEW {name} AS " + (_with_clock(rows, TIMES[name]) if name in TIMES else rows))
    return allowed


def _with_clock(rows: str, time: str) -> str:
    """Rows with the time of day and the time in UTC of their column `time`, both as TIMESTAMP, instead of `BEGAN`."""
    # Tables that earlier versions compacted do not have the columns.
    unknown = ", ".join(f"CAST(NULL AS TIMESTAMP) AS {field.name}" for field in BEGAN)
    since = f"to_microseconds(TRY_CAST(round({time} * 1e6) AS BIGINT))"
    own = ", ".join(f"{field.name} + {since} AS {name}" for field, name in zip(BEGAN, CLOCKS, strict=True))
    names = ", ".join(field.name for field in BEGAN)
    return f"SELECT * EXCLUDE ({names}), {own} FROM ({rows} UNION ALL BY NAME SELECT {unknown} WHERE false)"


# Decision QUE-1.
def _lock(db: Any, paths: list[str]) -> None:
    """From here on only `paths` can be opened, nothing can be loaded, and this cannot be undone."""
    patterns = [_literal(path) for path in paths]
    db.execute(f"SET allowed_paths = {_sql_list(dict.fromkeys([*paths, *patterns]))}")
    db.execute("SET temp_directory = ''")
    db.execute("SET enable_external_access = false")
    db.execute("SET lock_configuration = true")


def _literal(path: str) -> str:
    """A path with DuckDB's glob characters escaped."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in path)


def _sql_list(values: Any) -> str:
    return "[" + ", ".join("'" + str(value).replace("'", "''") + "'" for value in values) + "]"


def _first_line(problem: Exception) -> str:
    return str(problem).strip().split("\n", 1)[0]


def _in_words(problem: Exception) -> str:
    words = " ".join(line.strip() for line in str(problem).strip().splitlines() if line.strip() and "^" not in line)
    words = HINTS_OF_NO_USE.sub("", words).rstrip(".")
    return f"the query cannot be run: {words}. Views: {', '.join(EMPTY)}."
