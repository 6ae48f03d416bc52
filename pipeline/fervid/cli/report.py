"""`fervid report`: finished runs as one page for the browser."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.cli.options import Runs, Superseded
from fervid.cli.several import Refusals, runs_in

if TYPE_CHECKING:
    from fervid.review.report_clips import Clip
    from fervid.run.handle import Run


def report(
    runs: Runs,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for report.html. [the run's, or the common folder of runs]"),
    ] = None,
    with_clips: Annotated[
        bool, typer.Option("--with-clips", help="Put clips of the alerts into the page, faces covered.")
    ] = False,
    rules: Annotated[
        str | None,
        typer.Option(help="Rules whose thresholds can be tried: preset or TOML file. [as fervid alerts]"),
    ] = None,
    superseded: Superseded = False,
) -> None:
    """Write report.html: one file to review runs offline in any browser: timeline, boxes, tracks, alerts, verdicts.

    It links to the original video and contains no face images; with --with-clips it plays clips of the alerts on any
    machine. Verdicts are saved as a file. Example: fervid report outputs
    """
    from fervid.review.report import write_reports

    folders = runs_in(runs, with_superseded=superseded)
    refusals = Refusals(len(folders))
    cutting = _cut if with_clips else None
    pages = write_reports(folders, out=out, guarded=refusals.noted, cutting=cutting, rules=rules)
    print(pages[0], flush=True)
    if len(pages) > 1:
        typer.echo(f"{len(pages) - 1} pages of single runs are in their folders", err=True)
    refusals.check()


def _cut(runs: Sequence[Run]) -> dict[Path, list[Clip]]:
    """The clips of runs, made in a worker process; what could not be cut is printed."""
    import tempfile

    from fervid.batch.apart import Apart
    from fervid.review.report_clips import clips_of_runs

    videos = [Path(run.manifest.video_path) for run in runs]
    with (
        tempfile.TemporaryDirectory() as scratch,
        Apart(videos, [*(run.folder for run in runs), Path(scratch)]) as apart,
    ):
        clips, missing = clips_of_runs(runs, apart, Path(scratch))
    for line in missing:
        typer.echo(line, err=True)
    return clips
