"""`fervid annotate`: finished runs to videos with what was found drawn in."""

from __future__ import annotations

from typing import Annotated, Literal

import typer


def annotate(
    runs: Annotated[list[str], typer.Argument(help="Run folders, or folders of them.", show_default=False)],
    start: Annotated[str | None, typer.Option(help="Draw from here: 90, 12.5s or 00:01:02.5.")] = None,
    end: Annotated[str | None, typer.Option(help="Draw up to here.")] = None,
    blur: Annotated[
        Literal["all", "none"], typer.Option(help="Faces that are covered; none is noted in the run's log.")
    ] = "all",
    bars: Annotated[bool, typer.Option(help="Show the probabilities beside each face.")] = True,
    strip: Annotated[bool, typer.Option(help="Show the timeline below the picture.")] = True,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")] = False,
) -> None:
    """Draw boxes, labels and the timeline of finished runs into their videos: annotated.mp4 in each run folder.

    Times and sound are the video's own; faces are covered. Example: fervid annotate outputs/interview-1a2b3c4d
    """
    from fervid.alerts.scan import find_runs
    from fervid.annotate.video import annotate_run
    from fervid.config import parse_time

    for run in find_runs(runs):
        path = annotate_run(
            run,
            blur=blur,
            bars=bars,
            strip=strip,
            start_seconds=parse_time(start) if start is not None else 0.0,
            end_seconds=parse_time(end) if end is not None else None,
            progress=not quiet,
        )
        print(path, flush=True)
