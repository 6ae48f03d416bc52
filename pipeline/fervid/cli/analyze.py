"""`fervid analyze`: videos to run folders."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from fervid.run import Run

SOME_INPUTS_FAILED = 3

Preset = Annotated[str, typer.Option("--preset", help="Named settings: default, cctv, trailer.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]
Assignments = Annotated[list[str] | None, typer.Option("--set", help="One setting, as in --set track.gap_seconds=2.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")]
Out = Annotated[Path | None, typer.Option("-o", "--out", help="Folder for results; default outputs/.")]


def analyze(
    videos: Annotated[list[str], typer.Argument(help="Video files, folders, globs, or @list.txt.", show_default=False)],
    out: Out = None,
    preset: Preset = "default",
    config: ConfigFile = None,
    assignments: Assignments = None,
    fps: Annotated[
        float | None, typer.Option(help="Analysed frames per second of video; 0 takes every one. [5]")
    ] = None,
    start: Annotated[str | None, typer.Option(help="Analyse from here: 90, 12.5s or 00:01:02.5.")] = None,
    end: Annotated[str | None, typer.Option(help="Analyse up to here.")] = None,
    bin_length: Annotated[str | None, typer.Option("--bin", help="Length of a timeline bin, such as 1s. [1s]")] = None,
    detector: Annotated[str | None, typer.Option(help="Face detector: haar, yunet. [haar]")] = None,
    min_face_px: Annotated[int | None, typer.Option(help="Smallest face in pixels. [8 % of the height]")] = None,
    model: Annotated[str | None, typer.Option(help="Shipped model or path of a model folder.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or gpu:N.")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="Frames searched at a time. [one a processor]")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Analyse again even if the result is there.")] = False,
    resume: Annotated[bool, typer.Option(help="Go on from what an interrupted run observed.")] = True,
    plot: Annotated[bool, typer.Option(help="Write timeline.png.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, one object a video.")] = False,
    quiet: Quiet = False,
) -> None:
    """Analyse videos: find faces, score seven emotions, smooth along tracks, write Parquet timelines.

    Example: fervid analyze interview.mp4 --fps 10 --start 00:01:00
    """
    from fervid.analysis import analyze as analyze_video
    from fervid.config import load_settings, parse_time
    from fervid.errors import ConfigError, InputError
    from fervid.inputs import find_videos

    options = {
        "video.fps": fps,
        "video.start_seconds": parse_time(start) if start is not None else None,
        "video.end_seconds": parse_time(end) if end is not None else None,
        "timeline.bin_seconds": parse_time(bin_length) if bin_length is not None else None,
        "detect.detector": detector,
        "detect.min_face_px": min_face_px,
        "emotion.model": model,
    }
    settings = load_settings(preset=preset, file=config, assignments=assignments or (), options=options)
    found = find_videos(videos)
    outcomes: list[str] = []
    for path in found.videos:
        try:
            run = analyze_video(
                path,
                out=out,
                settings=settings,
                device=device,
                workers=workers,
                overwrite=overwrite,
                resume=resume,
                plot=plot,
                progress=not quiet,
            )
        except ConfigError:
            raise
        except InputError as error:
            if len(found.videos) == 1:
                raise
            print(f"fervid: {error}", file=sys.stderr)
            outcomes.append("refused")
            continue
        outcomes.append(run.manifest.status)
        print(json.dumps(run.summary()) if as_json else describe(run), flush=True)
    if len(found.videos) > 1 or found.n_ignored:
        counts = ", ".join(f"{outcomes.count(kind)} {kind}" for kind in ("complete", "partial", "refused"))
        print(f"{counts}; {found.n_ignored} other files ignored", file=sys.stderr)
    if any(outcome != "complete" for outcome in outcomes):
        raise typer.Exit(SOME_INPUTS_FAILED)


def describe(run: Run) -> str:
    """A run's summary for people."""
    summary = run.summary()
    lines = [
        f"{summary['video']}: {clock(summary['duration_seconds'])} of video, "
        f"{summary['frames_analysed']} of {summary['frames_decoded']} frames analysed"
        + (f", {summary['frames_failed']} failed" if summary["frames_failed"] else ""),
        _faces_line(summary),
    ]
    if summary["dominant"]:
        ranked = sorted(summary["shares"].items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{label} {share:.0%}" for label, share in ranked if share >= 0.005)
        lines.append(f"  expressions   {shares} of the time that faces are seen")
    if summary["peak_anger"]:
        peak = summary["peak_anger"]
        lines.append(
            f"  anger-like    peaks at {peak['value']:.2f}, {clock(peak['time_s'])} (track {peak['track_id']})"
        )
    lines += [f"  warning       {warning}" for warning in summary["warnings"]]
    if summary["was_there"]:
        lines.append("  note          analysed before with the same settings; --overwrite analyses it again")
    lines.append(
        f"  speed         {summary['times_real_time']:.1f} times real time ({summary['elapsed_seconds']:.1f} s)"
    )
    lines.append(f"  results       {summary['folder']}")
    lines.append(f"                {', '.join(summary['files'])}")
    return "\n".join(lines)


def clock(seconds: float) -> str:
    """Seconds as a person reads them: 00:01:02.5."""
    tenths = round(seconds * 10)
    return f"{tenths // 36000:02d}:{tenths // 600 % 60:02d}:{tenths // 10 % 60:02d}.{tenths % 10}"


def _faces_line(summary: dict[str, Any]) -> str:
    faces, tracks = summary["faces"], summary["tracks"]
    if not faces:
        return "  faces         none"
    plural = "" if tracks == 1 else "s"
    return f"  faces         {faces} in {tracks} track{plural}; a usable face in {summary['coverage']:.0%} of the time"
