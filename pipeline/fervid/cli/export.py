"""`fervid export`: finished runs in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fervid.base.registry import EXPORTER_PLUGINS, names
from fervid.cli.several import Refusals
from fervid.cli.terminal import print_rows
from fervid.errors import ConfigError
from fervid.exports import FORMATS


def _formats(incomplete: str) -> list[str]:
    return [name for name in names(FORMATS, EXPORTER_PLUGINS) if name.startswith(incomplete)]


def export(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN", help="Run folders, or folders of them.", show_default=False)
    ] = None,
    forms: Annotated[
        list[str] | None,
        typer.Option(
            "--format",
            help=f"One of {', '.join(FORMATS)}; repeatable. Without it, lists them.",
            show_default=False,
            autocompletion=_formats,
        ),
    ] = None,
    table: Annotated[
        str, typer.Option(help="Table for csv and jsonl: faces, frames, tracks, timeline, alerts.")
    ] = "faces",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A folder, or for one run and format a file. [RUN/exports]")
    ] = None,
) -> None:
    """Write finished runs for other programs: tables, captions, annotations, markers, and other tools' formats.

    Captions and annotations have expressions of 0.4 s or longer, and alerts if `fervid alerts` has run.
    Example: fervid export outputs/interview-1a2b3c4d --format vtt --format eaf
    """
    from fervid.exports.write import export_runs, format_rows
    from fervid.run.find import find_run_folders

    if not forms:
        print_rows(("format", "ending", "what it is"), format_rows(), plain="\t".join)
        return
    if not runs:
        raise ConfigError(f"--format {forms[0]} needs a run. Give run folders, or folders of them.")
    folders = find_run_folders(runs)
    refusals = Refusals(len(folders))
    for path in export_runs(folders, forms, table=table, out=out, guarded=refusals.noted):
        typer.echo(path)
    refusals.check()
