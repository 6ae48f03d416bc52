"""`fervid analyze`: videos to run folders."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fervid.base.clock import clock
from fervid.base.interrupt import STARTED
from fervid.base.printable import one_line
from fervid.batch.result import GROWING, SAME, Result, verdict
from fervid.cli.alert_notify import open_notifier, print_deliveries
from fervid.cli.alerts import ALERTS_FOUND, alerts_of_run, describe_alerts
from fervid.cli.options import (
    Assignments,
    Baseline,
    BinLength,
    ConfigFile,
    Crop,
    Detector,
    Duration,
    End,
    Every,
    FastScan,
    Fps,
    Labels,
    MinFacePx,
    Model,
    OutPlace,
    Preset,
    Quiet,
    Rotate,
    SettingsMaker,
    Start,
    StartTime,
    Stream,
    TimeZone,
)
from fervid.cli.terminal import Rows, is_terminal
from fervid.errors import ConfigError, InputError
from fervid.storage.place import as_place, is_on_disk

if TYPE_CHECKING:
    from fervid.alerts.find.scan import RunAlerts
    from fervid.alerts.language.rules import RuleSet
    from fervid.alerts.notify.deliver import Notifier

SOME_INPUTS_FAILED = 3
LONG_DESCRIPTIONS = 20
"""With more videos than this, each gets one line."""
COLUMNS = (
    ("video", 24),
    ("status", 8),
    ("alerts", 6),
    ("mostly", 8),
    ("with face", 9),
    ("length", 10),
    ("notes, results", 0),
)
"""Columns of the terminal table of a batch: names and widths in characters."""


def analyze(
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO",
            help="Videos, folders, globs (also s3://, gs://), @list.txt or list.csv.",
            show_default=False,
        ),
    ],
    out: OutPlace = None,
    preset: Preset = "default",
    config: ConfigFile = None,
    assignments: Assignments = None,
    fps: Fps = None,
    every: Every = None,
    start: Start = None,
    end: End = None,
    duration: Duration = None,
    start_time: StartTime = None,
    time_zone: TimeZone = None,
    stream: Stream = None,
    rotate: Rotate = None,
    crop: Crop = None,
    fast_scan: FastScan = None,
    bin_length: BinLength = None,
    detector: Detector = None,
    min_face_px: MinFacePx = None,
    model: Model = None,
    labels: Labels = None,
    baseline: Baseline = None,
    device: Annotated[str, typer.Option(help="auto, cpu or gpu:N.")] = "auto",
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes. [one per CPU]")] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where to run: on this machine, or on a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(help="With --engine ray: the cluster, such as auto, HOST:6379 or ray://HOST:10001.")
    ] = None,
    classifiers: Annotated[
        int,
        typer.Option(
            min=0, help="With --engine ray: number of actors that classify the faces of all tasks. [one per GPU]"
        ),
    ] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Analyse again even if the result exists.")] = False,
    resume: Annotated[bool, typer.Option(help="Continue an interrupted run.")] = True,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry videos that an earlier run rejected or crashed on.")
    ] = False,
    settle: Annotated[str | None, typer.Option(help="Defer files modified within this time, such as 10s.")] = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Verify existing results, and rebuild damaged ones.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    plot: Annotated[bool, typer.Option(help="Write timeline.png.")] = True,
    alerts: Annotated[
        bool, typer.Option("--alerts", help="Also find events for review, like `fervid alerts`.")
    ] = False,
    rules: Annotated[str, typer.Option(help="Rules of --alerts.")] = "anger",
    tell: Annotated[
        Path | None,
        typer.Option("--notify", help="With --alerts: send them to the webhook or command of this TOML file."),
    ] = None,
    fail_on_alert: Annotated[
        bool, typer.Option("--fail-on-alert", help="With --alerts: exit with 4 if there is an alert.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, one object per video.")] = False,
    quiet: Quiet = False,
) -> None:
    """Analyse videos: find faces, score seven emotions, smooth along tracks, write Parquet timelines.

    Example: fervid analyze interview.mp4 --fps 10 --start 00:01:00
    """
    from fervid.alerts.language.rules import load_rules
    from fervid.base import assets
    from fervid.batch.discover import Handling
    from fervid.batch.inputs import find_videos
    from fervid.batch.job import Cluster
    from fervid.batch.preview import print_plan
    from fervid.batch.run import Batch, analyze_batch
    from fervid.config import parse_time

    if engine == "local" and (address or classifiers):
        raise ConfigError("--address and --classifiers need a cluster. Add --engine ray.")
    given: dict[str, Any] = {
        "preset": preset,
        "fps": fps,
        "every": every,
        "start": start,
        "end": end,
        "duration": duration,
        "start_time": start_time,
        "time_zone": time_zone,
        "stream": stream,
        "rotate": rotate,
        "crop": crop,
        "fast_scan": fast_scan,
        "bin": bin_length,
        "detector": detector,
        "min_face_px": min_face_px,
        "model": model,
        "labels": labels,
        "baseline": baseline,
    }
    make = SettingsMaker(given, config, tuple(assignments or ()))
    settings = make({})
    found = find_videos(videos)
    if start_time is not None and len(found.videos) > 1:
        raise ConfigError(
            f"--start-time is of one video, but {len(found.videos)} were given. Use a list with a column start_time."
        )
    batch = Batch(
        found.videos,
        as_place(out or assets.default_output_folder()),
        settings,
        own_settings={path: make(options) for path, options in found.options.items()},
        people=found.people,
        is_named_as_many=found.is_many,
        workers=workers,
        device=device,
        cluster=Cluster(address, workers, classifiers) if engine == "ray" else None,
        handling=Handling(
            overwrite=overwrite,
            resume=resume,
            retry_failed=retry_failed,
            plot=plot,
            settle_seconds=parse_time(settle) if settle is not None else 0.0,
            verify=verify,
        ),
    )
    if dry_run:
        print_plan(batch, as_json=as_json)
        return
    if (tell or fail_on_alert) and not alerts:
        raise ConfigError("--notify and --fail-on-alert need alerts. Add --alerts.")
    notifier = open_notifier(tell)
    outcome = _Outcome(
        n_videos=len(found.videos),
        as_json=as_json,
        is_single=not found.is_many,
        rows=Rows(COLUMNS) if found.is_many and not as_json and is_terminal() else None,
        alert_rules=load_rules(rules) if alerts else None,
        notifier=notifier,
    )
    analyze_batch(batch, outcome.on_result, is_shown=not quiet)
    outcome.print_what_waited()
    if found.is_many:
        print(outcome.verdict(found.n_ignored, found.ignored_suffixes), file=sys.stderr)
    if notifier is not None:
        print_deliveries(notifier.deliver())
    if not outcome.is_fine:
        raise typer.Exit(SOME_INPUTS_FAILED)
    if fail_on_alert and outcome.n_alerts:
        raise typer.Exit(ALERTS_FOUND)


class _Outcome:
    """Prints results as they come and counts them."""

    def __init__(
        self,
        *,
        n_videos: int,
        as_json: bool,
        is_single: bool,
        rows: Rows | None = None,
        alert_rules: RuleSet | None = None,
        notifier: Notifier | None = None,
    ) -> None:
        self._as_json, self._is_single, self._alert_rules = as_json, is_single, alert_rules
        self._notifier, self._rows = notifier, rows
        self.n_alerts = 0
        self._is_brief = n_videos > LONG_DESCRIPTIONS
        self._counts: Counter[str] = Counter()
        self._n_skipped = self._n_fit = self._n_without_face = self._n_judged = 0
        self._waiting: list[tuple[dict[str, Any], RunAlerts | None]] = []
        self.is_fine = True

    def on_result(self, result: Result) -> None:
        if result.summary is None and self._is_single:
            raise result.error or InputError(result.reason)
        self.is_fine &= result.is_fine
        if result.status in (SAME, GROWING) or (result.was_there and result.summary is not None):
            self._n_skipped += 1
        else:
            self._counts[result.status] += 1
        found = None
        if result.summary is not None and self._alert_rules is not None:
            found = alerts_of_run(as_place(result.summary["folder"]), self._alert_rules, is_held=not result.was_there)
            self.n_alerts += len(found.of_tier("alert"))
            if self._notifier is not None and self._notifier.add(found.records):
                self._notifier.deliver(patience_seconds=0)  # failures are retried at the end
        if result.summary is not None and not self._is_single:
            self._judge(result.summary, found)
        if result.summary is None:
            print(f"fervid: {one_line(result.reason)}", file=sys.stderr)
        elif self._as_json:
            print(json.dumps(result.summary | ({"alerts": found.to_json()} if found else {})), flush=True)
        elif self._is_single:
            self._waiting.append((result.summary, found))
            return
        elif self._rows is not None:
            if not (self._is_brief and result.was_there):
                self._rows.add(row_of(result.summary, len(found.of_tier("alert")) if found else None))
        elif not self._is_brief:
            print(describe(result.summary), flush=True)
        elif not result.was_there:
            print(describe_briefly(result.summary), flush=True)
        if found is not None and not self._as_json and self._rows is None:
            print(describe_alerts(found), flush=True)

    def print_what_waited(self) -> None:
        """The summary of a single video, printed after its plot is drawn, when the total waiting time is known."""
        for summary, found in self._waiting:
            print(describe(summary, waited_seconds=time.perf_counter() - STARTED), flush=True)
            if found is not None:
                from fervid.run.files import ALERTS_PAGE

                print(describe_alerts(found), flush=True)
                print(f"report: {as_place(summary['folder']) / ALERTS_PAGE}", file=sys.stderr)

    def _judge(self, summary: dict[str, Any], found: RunAlerts | None) -> None:
        """Count the videos of a batch with visible faces, and with faces good enough for alerts."""
        from fervid.alerts.find.fitness import judge_fitness
        from fervid.alerts.find.samples import read_frame_times
        from fervid.run.handle import open_run

        place = as_place(summary["folder"])
        self._n_without_face += not summary["faces"]
        if not summary["faces"]:
            self._n_judged += 1
        elif found is not None or is_on_disk(place):
            run = found.run if found is not None else open_run(place)
            fitness = found.fitness if found is not None else judge_fitness(run, read_frame_times(run))
            self._n_judged += 1
            self._n_fit += fitness.verdict == "fit"

    def verdict(self, n_ignored: int, suffixes: str = "") -> str:
        """The last line of a batch."""
        judged = ""
        if self._n_judged:
            judged = f"; {self._n_fit} of {self._n_judged} fit for alerts; no face in {self._n_without_face}"
        ignored = f"; {n_ignored} other files ignored ({suffixes})" if n_ignored else ""
        return verdict(self._counts, self._n_skipped) + judged + ignored


def row_of(summary: dict[str, Any], n_alerts: int | None) -> list[tuple[str, str]]:
    """A run's summary as the cells of COLUMNS, each with its style. `n_alerts` is None without --alerts."""
    label = max(summary["shares"], key=summary["shares"].get) if summary["faces"] and summary["shares"] else "no face"
    n_warnings = len(summary["warnings"])
    notes = [
        f"{n_warnings} warning{'' if n_warnings == 1 else 's'}" if n_warnings else "",
        "was there" if summary["was_there"] else "",
    ]
    return [
        (one_line(summary["video"]), "cyan"),
        (summary["status"], "" if summary["status"] == "complete" else "yellow"),
        ("" if n_alerts is None else str(n_alerts), "bold red" if n_alerts else ""),
        (label, ""),
        (f"{summary['coverage']:.0%}", ""),
        (clock(summary["duration_seconds"]), ""),
        (", ".join(filter(None, (*notes, as_place(summary["folder"]).name))), ""),
    ]


def describe_briefly(summary: dict[str, Any]) -> str:
    """A run's summary in one line, for long lists."""
    shares = max(summary["shares"].items(), key=lambda item: item[1], default=("no face", 0.0))
    mostly = f"mostly {shares[0]}" if summary["dominant"] else shares[0]
    warned = "; PARTIAL" if summary["status"] != "complete" else ""
    return f"{one_line(summary['video'])}: {clock(summary['duration_seconds'])}, {mostly}{warned}  {summary['folder']}"


OBSERVED_SHARE = 0.95
"""Where the analysed frames stand for less of the video than this, the summary says so."""


def describe(summary: dict[str, Any], *, waited_seconds: float | None = None) -> str:
    """A run's summary as text; `waited_seconds` is the user's waiting time if it was only for this run."""
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


def _faces_line(summary: dict[str, Any]) -> str:
    faces, tracks = summary["faces"], summary["tracks"]
    if not faces:
        return "  faces         none"
    plural = "" if tracks == 1 else "s"
    return f"  faces         {faces} in {tracks} track{plural}; a usable face {summary['coverage']:.0%} of the time"
