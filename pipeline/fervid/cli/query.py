"""`fervid query`: SQL over the tables of finished runs. `fervid compact`: those tables in one file each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.cli.options import Superseded
from fervid.cli.several import Refusals, say_left_out

if TYPE_CHECKING:
    from fervid.query.sources import Sources

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
    superseded: Superseded = False,
) -> None:
    """Query the tables of finished runs with SQL. Reads only these tables, and changes nothing.

    Every view has the columns run (its folder) and video (its file name).
    Example: fervid query "SELECT video, start_s, end_s FROM alerts WHERE peak_score > 0.6" outputs
    """
    from fervid.errors import ConfigError
    from fervid.query.results import write_result
    from fervid.query.session import run_query, tables_named
    from fervid.query.sources import sound_sources

    if form == "parquet" and out is None and sys.stdout.isatty():
        raise ConfigError("Parquet is a binary format. Give a file with --out, or redirect the output.")
    found = _found(runs, with_superseded=superseded)
    refusals = Refusals(len(found.runs))
    write_result(run_query(sql, sound_sources(found, tables_named(sql), refusals.noted)), form, out)
    refusals.check()


def compact(
    runs: Runs = None,
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the files.")] = Path("outputs/compacted"),
    superseded: Superseded = False,
) -> None:
    """Copy the tables of many runs into one file per table, which makes queries much faster.

    `fervid query "..." outputs/compacted` reads only the copy. Run it again after runs have changed.
    """
    from fervid.query.compact import compact_runs
    from fervid.query.sources import TABLES, Sources, sound_sources

    found = _found(runs, with_superseded=superseded)
    refusals = Refusals(len(found.runs))
    done = compact_runs(sound_sources(Sources(found.runs, copies=found.copies), TABLES, refusals.noted), out)
    counts = ", ".join(f"{n:,} {name}" for name, n in done.rows.items())
    typer.echo(f"{done.runs} runs: {counts}\n  {done.folder}")
    refusals.check()


def _found(runs: list[str] | None, *, with_superseded: bool) -> Sources:
    """The sources of a command's arguments, without superseded runs unless they are wanted."""
    from fervid.base import assets
    from fervid.query.sources import current_sources, find_sources

    names = runs or [str(assets.default_output_folder())]
    found = find_sources(names)
    if with_superseded:
        return found
    current, n_superseded = current_sources(found, names)
    say_left_out(n_superseded, len(current.runs) + len(current.compacted))
    return current
