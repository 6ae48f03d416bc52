"""`fervid annotate`: draw the results of finished runs into their videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fervid.cli.options import Runs, Superseded
from fervid.cli.several import Refusals, runs_in
from fervid.errors import ConfigError, OutputError


def annotate(
    runs: Runs,
    start: Annotated[str | None, typer.Option(help="Start: 90, 12.5s or 00:01:02.5.")] = None,
    end: Annotated[str | None, typer.Option(help="End.")] = None,
    blur: Annotated[Literal["all", "none"], typer.Option(help="Faces to cover; none is logged in the run.")] = "all",
    bars: Annotated[bool, typer.Option(help="Show the probabilities beside each face.")] = True,
    strip: Annotated[bool, typer.Option(help="Show the timeline below the frame.")] = True,
    motion: Annotated[
        bool, typer.Option("--motion", help="Shade where the image moves (runs that measured it).")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A folder, or for one run an .mp4 file. [RUN/annotated.mp4]")
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")] = False,
    superseded: Superseded = False,
) -> None:
    """Draw boxes, labels and the timeline of finished runs into their videos: annotated.mp4 in each run folder.

    Timestamps and sound are the video's own; faces are covered. Example: fervid annotate outputs/interview-1a2b3c4d
    """
    from fervid.annotate.video import annotate_run
    from fervid.batch.apart import Apart
    from fervid.config import parse_time

    folders = runs_in(runs, with_superseded=superseded)
    refusals = Refusals(len(folders))
    found = refusals.opened(folders)
    targets = _targets(out, [run.folder.name for run in found])
    start_seconds = parse_time(start) if start is not None else 0.0
    end_seconds = parse_time(end) if end is not None else None
    written = [target.parent for target in targets if target is not None]
    videos, folders_written = [Path(run.manifest.video_path) for run in found], [run.folder for run in found]
    with Apart(videos, [*folders_written, *written]) as apart:
        for run, target in zip(found, targets, strict=True):
            with refusals.noted(run.folder):
                path = annotate_run(
                    run,
                    blur=blur,
                    bars=bars,
                    strip=strip,
                    motion=motion,
                    start_seconds=start_seconds,
                    end_seconds=end_seconds,
                    target=target,
                    progress=not quiet,
                    apart=apart,
                )
                print(path, flush=True)
    refusals.check()


def _targets(out: Path | None, names: list[str]) -> list[Path | None]:
    """The output path of each run: in its own folder, in a common folder, or one file."""
    if out is None:
        return [None] * len(names)
    is_file = out.suffix.lower() == ".mp4" and not out.is_dir()
    if is_file and len(names) > 1:
        raise ConfigError(f"--out {out} is one file for {len(names)} runs. Give a folder.")
    if not is_file and out.suffix and not out.exists():
        raise ConfigError(f"--out {out}: annotated videos are MP4 files. Give a file that ends in .mp4, or a folder.")
    folder = out.parent if is_file else out
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise OutputError(f"{folder} cannot be made ({problem.strerror}). Use another --out.") from None
    return [out] if is_file else [out / f"{name}.mp4" for name in names]
