"""`fervid query`: SQL over the tables of finished runs. `fervid compact`: those tables in one file each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from fervid.cli.several import Refusals

Runs = Annotated[
    list[str] | None,
    typer.Argument(metavar="RUN", help="Run folders, or folders of them; also s3://, gs://. [outputs]"),
]


def query(
    sql: Annotated[
        str, typer.Argument(metavar="SQL", help="One SELECT over frames, faces, tracks, timeline, alerts, videos.")
    ],
    runs: Runs = None,
    form: Annotated[
        Literal["table", "csv", "json", "parquet"], typer.Option("--format", help="Format of the result.")
    ] = ("table"),
    out: Annotated[Path | None, typer.Option("-o", "--out", help="File for the result. [printed]")] = None,
) -> None:
    """Query the tables of finished runs with SQL. Reads only these tables, and changes nothing.

    Every view has the columns run (its folder) and video (its file name).
    Example: fervid query "SELECT video, start_s, end_s FROM alerts WHERE peak_score > 0.6" outputs
    """
    from fervid.base import assets
    from fervid.errors import ConfigError
    from fervid.query.results import write_result
    from fervid.query.session import run_query, tables_named
    from fervid.query.sources import find_sources, sound_sources

    if form == "parquet" and out is None and sys.stdout.isatty():
        raise ConfigError("Parquet is a binary format. Give a file with --out, or redirect the output.")
    found = find_sources(runs or [assets.default_output_folder()])
    refusals = Refusals(len(found.runs))
    write_result(run_query(sql, sound_sources(found, tables_named(sql), refusals.noted)), form, out)
    refusals.check()


def compact(
    runs: Runs = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")] = Path("outputs/compacted"),
) -> None:
    """Copy the tables of many runs into one file per table, which makes queries much faster.

    `fervid query "..." outputs/compacted` reads only the copy. Run it again after runs have changed.
    """
    from fervid.base import assets
    from fervid.query.compact import compact_runs
    from fervid.query.sources import TABLES, Sources, find_sources, sound_sources

    found = find_sources(runs or [assets.default_output_folder()])
    refusals = Refusals(len(found.runs))
    done = compact_runs(sound_sources(Sources(found.runs, copies=found.copies), TABLES, refusals.noted), out)
    counts = ", ".join(f"{n:,} {name}" for name, n in done.rows.items())
    typer.echo(f"{done.runs} runs: {counts}\n  {done.folder}")
    refusals.check()
