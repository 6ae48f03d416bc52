"""`fervid report`: finished runs as one page for the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fervid.cli.options import Runs, Superseded
from fervid.cli.several import Refusals, runs_in


def report(
    runs: Runs,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for report.html. [the run's, or the common folder of runs]"),
    ] = None,
    superseded: Superseded = False,
) -> None:
    """Write report.html: one file to review runs offline in any browser: timeline, boxes, tracks, alerts, verdicts.

    It links to the original video and contains no face images. Verdicts are saved as a file.
    Example: fervid report outputs
    """
    from fervid.review.report import write_reports

    folders = runs_in(runs, with_superseded=superseded)
    refusals = Refusals(len(folders))
    pages = write_reports(folders, out=out, guarded=refusals.noted)
    print(pages[0], flush=True)
    if len(pages) > 1:
        typer.echo(f"{len(pages) - 1} pages of single runs are in their folders", err=True)
    refusals.check()
