"""A run's summary as text."""

from __future__ import annotations

from typing import Any

from fervid.base.clock import clock
from fervid.base.printable import counted, one_line


def describe_briefly(summary: dict[str, Any]) -> str:
    """A run's summary in one line, for long lists."""
    shares = max(summary["shares"].items(), key=lambda item: item[1], default=("no face", 0.0))
    mostly = f"mostly {shares[0]}" if summary["dominant"] else shares[0]
    warned = "; PARTIAL" if summary["status"] != "complete" else ""
    return f"{one_line(summary['video'])}: {clock(summary['duration_seconds'])}, {mostly}{warned}  {summary['folder']}"


LEAST_SAID = 0.01
"""A smaller share of the time is not worth a word."""
OBSERVED_SHARE = 0.95
"""Where the analysed frames stand for less of the video than this, the summary says so."""


def describe(summary: dict[str, Any], *, waited_seconds: float | None = None, fitness: str | None = None) -> str:
    """A run's summary as text; `waited_seconds` is the user's waiting time if it was only for this run.

    `fitness` says how far it can be judged.
    """
    lines = [
        f"{one_line(summary['video'])}: {clock(summary['duration_seconds'])} of video, "
        f"{summary['frames_analysed']} of {summary['frames']} frames analysed"
        + (f", {summary['frames_failed']} failed" if summary["frames_failed"] else ""),
        _faces_line(summary),
    ]
    if summary["dominant"]:
        ranked = sorted(summary["shares"].items(), key=lambda item: -item[1])[:3]
        shares = ", ".join(f"{label} {share:.0%}" for label, share in ranked if share >= 0.005)
        lines.append(f"  expressions   {shares} of the time with a face")
    if summary["peak_anger"]:
        peak = summary["peak_anger"]
        lines.append(
            f"  anger-like    peaks at {peak['value']:.2f}, {clock(peak['time_s'])} (track {peak['track_id']})"
        )
    if "motion" in summary:
        lines.append(f"  motion        {_motion(summary['motion'])}")
    if fitness is not None:
        lines.append(f"  for alerts    {fitness}")
    observed, asked = summary.get("observed_seconds"), summary["asked_seconds"]
    if observed is not None and observed < OBSERVED_SHARE * asked:
        lines.append(f"  observed      {observed:.4g} of {asked:.4g} s: there are no frames in between")
    lines += [f"  warning       {warning}" for warning in summary["warnings"]]
    if summary["was_there"]:
        lines.append("  note          already analysed with the same settings; --overwrite analyses it again")
    if not summary["was_there"]:
        lines.append(f"  speed         {_speed(summary, waited_seconds)}")
    if summary["bottleneck"]:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in summary["busy_shares"].items())
        lines.append(f"  busy          {shares} of the time; {summary['bottleneck']} is the bottleneck")
    lines.append(f"  results       {summary['folder']}")
    lines.append(f"                {', '.join(summary['files'])}")
    return "\n".join(lines)


def _speed(summary: dict[str, Any], waited_seconds: float | None) -> str:
    """Seconds of video analysed per second of waiting; in a batch, per second of work on this video."""
    analysed = summary["times_real_time"] * summary["elapsed_seconds"]
    if waited_seconds is None:
        times, took = summary["times_real_time"], f"{summary['elapsed_seconds']:.1f} s, without start-up and plot"
    else:
        times, took = analysed / max(1e-9, waited_seconds), f"{waited_seconds:.1f} s, with start-up and plot"
    return f"{times:.2g} times real time: {analysed:.1f} s of video in {took}"


def _motion(motion: dict[str, Any]) -> str:
    """The moments of the most agitated motion, which need review, and how long the camera moves."""
    peaks = ", ".join(f"{clock(peak['time_s'])} ({peak['value']:.2f})" for peak in motion["peaks"])
    said = f"most agitated at {peaks}" if peaks else "not known"
    if motion["moving_camera_share"] >= LEAST_SAID:
        said += f"; the camera moves in {motion['moving_camera_share']:.0%} of the time"
    return said


def _faces_line(summary: dict[str, Any]) -> str:
    faces, tracks = summary["faces"], summary["tracks"]
    if not faces:
        return "  faces         none"
    return f"  faces         {faces} in {counted(tracks, 'track')}; a usable face {summary['coverage']:.0%} of the time"
