"""`fervid export`: finished runs in the forms that other programs read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fervid.exports import FORMATS


def export(
    runs: Annotated[list[str], typer.Argument(help="Run folders, or folders of them.", show_default=False)],
    forms: Annotated[
        list[str],
        typer.Option("--format", help=f"One of {', '.join(FORMATS)}; may be given again.", show_default=False),
    ],
    table: Annotated[
        str, typer.Option(help="What csv and jsonl hold: faces, frames, tracks, timeline, alerts.")
    ] = "faces",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A file for one run and format, else a folder. [RUN/exports]")
    ] = None,
) -> None:
    """Write finished runs for other programs: tables, captions, annotations, markers, and other tools' shapes.

    Captions and annotations hold expressions that last 0.4 s or more, and alerts where `fervid alerts` has run.
    Example: fervid export outputs/interview-1a2b3c4d --format vtt --format eaf
    """
    from fervid.exports.write import export_runs
    from fervid.profile.folder import find_runs

    for path in export_runs(find_runs(runs), forms, table=table, out=out):
        typer.echo(path)
