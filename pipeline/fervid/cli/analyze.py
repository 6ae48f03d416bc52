"""`fervid analyze`: videos to run folders."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fervid.base import assets
from fervid.base.printable import one_line
from fervid.cli.alert_notify import open_notifier, print_deliveries
from fervid.cli.found_alerts import ALERTS_FOUND
from fervid.cli.option_groups import with_option_groups
from fervid.cli.options import OutPlace, Quiet, SettingsMaker, SettingsOptions
from fervid.cli.outcome import Outcome
from fervid.errors import ConfigError
from fervid.storage.place import Place, as_place

if TYPE_CHECKING:
    from fervid.alerts.language.rules import RuleSet
    from fervid.alerts.notify.deliver import Notifier
    from fervid.batch.discover import Handling
    from fervid.batch.inputs import Inputs
    from fervid.batch.job import Cluster
    from fervid.config import Settings

SOME_INPUTS_FAILED = 3
# What analyses is imported where it is used: the help of this command is asked for most, and needs none of it.


@dataclass(frozen=True)
class _Place:
    """Where a batch runs."""

    device: Annotated[str, typer.Option(help="auto, cpu or gpu:N.")] = "auto"
    workers: Annotated[int | None, typer.Option(min=1, help="Worker processes. [one per CPU]")] = None
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where to run: on this machine, or on a Ray cluster.")
    ] = "local"
    address: Annotated[
        str | None, typer.Option(help="With --engine ray: the cluster, such as auto, HOST:6379 or ray://HOST:10001.")
    ] = None
    classifiers: Annotated[
        int,
        typer.Option(
            min=0, help="With --engine ray: number of actors that classify the faces of all tasks. [one per GPU]"
        ),
    ] = 0

    def cluster(self) -> Cluster | None:
        """The cluster; None for this machine. Raises ConfigError for options of a cluster without one."""
        if self.engine == "local" and (self.address or self.classifiers):
            raise ConfigError("--address and --classifiers need a cluster. Add --engine ray.")
        from fervid.batch.job import Cluster

        return Cluster(self.address, self.workers, self.classifiers) if self.engine == "ray" else None


@dataclass(frozen=True)
class _Treatment:
    """What is done with results that exist, and with files that may still be written."""

    overwrite: Annotated[bool, typer.Option("--overwrite", help="Analyse again even if the result exists.")] = False
    resume: Annotated[bool, typer.Option(help="Continue an interrupted run.")] = True
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Retry videos that an earlier run rejected or crashed on.")
    ] = False
    settle: Annotated[str | None, typer.Option(help="Defer files modified within this time, such as 10s.")] = None
    verify: Annotated[bool, typer.Option("--verify", help="Verify existing results, and rebuild damaged ones.")] = False

    def handling(self, plot: bool) -> Handling:
        """The same for the batch. Raises ConfigError for a time that cannot be read."""
        from fervid.batch.discover import Handling
        from fervid.config import parse_time

        return Handling(
            overwrite=self.overwrite,
            resume=self.resume,
            retry_failed=self.retry_failed,
            plot=plot,
            settle_seconds=parse_time(self.settle) if self.settle is not None else 0.0,
            verify=self.verify,
        )


@dataclass(frozen=True)
class _Alerting:
    """Alerts found after each analysis, and where they are sent."""

    alerts: Annotated[bool, typer.Option("--alerts", help="Also find events for review, like `fervid alerts`.")] = False
    rules: Annotated[
        str | None, typer.Option(help="Rules of --alerts. [cctv with motion.measure, else anger]", show_default=False)
    ] = None
    notify: Annotated[
        Path | None,
        typer.Option("--notify", help="With --alerts: send them to the webhook or command of this TOML file."),
    ] = None
    fail_on_alert: Annotated[
        bool, typer.Option("--fail-on-alert", help="With --alerts: exit with 4 if there is an alert.")
    ] = False

    def rule_set(self, settings: Settings) -> RuleSet | None:
        """The rules; None without --alerts. Raises ConfigError for options that need alerts."""
        if (self.notify or self.fail_on_alert) and not self.alerts:
            raise ConfigError("--notify and --fail-on-alert need alerts. Add --alerts.")
        if not self.alerts:
            return None
        from fervid.alerts.language.rules import default_rules, load_rules

        return load_rules(self.rules) if self.rules else default_rules(settings.model_dump())


@with_option_groups
def analyze(
    videos: Annotated[
        list[str],
        typer.Argument(
            metavar="VIDEO",
            help="Videos, folders, globs (also s3://, gs://), @list.txt or list.csv.",
            show_default=False,
        ),
    ],
    given: SettingsOptions,
    place: _Place,
    treatment: _Treatment,
    alerting: _Alerting,
    out: OutPlace = None,
    rate: Annotated[
        str | None,
        typer.Option(help="Images per second, for a folder of images or a pattern such as frames/%05d.jpg."),
    ] = None,
    plot: Annotated[bool, typer.Option(help="Write timeline.png.")] = True,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON, one object per video.")] = False,
    quiet: Quiet = False,
) -> None:
    """Analyse videos: find faces, score seven emotions, smooth along tracks, write Parquet timelines.

    Example: fervid analyze interview.mp4 --fps 10 --start 00:01:00
    """
    from fervid.batch.inputs import find_videos
    from fervid.batch.preview import print_plan
    from fervid.batch.run import Batch, analyze_batch

    cluster, make = place.cluster(), SettingsMaker(given)
    settings = make({})
    place_of_results = as_place(out or assets.default_output_folder())
    found = find_videos(videos) if rate is None else _made_of_images(videos, rate, place_of_results, dry_run=dry_run)
    if given.start_time is not None and len(found.videos) > 1:
        _check_one_start(given.start_time, found)
    batch = Batch(
        found.videos,
        place_of_results,
        settings,
        own_settings={path: make(options) for path, options in found.options.items()},
        people=found.people,
        is_named_as_many=found.is_many,
        workers=place.workers,
        device=place.device,
        cluster=cluster,
        handling=treatment.handling(plot),
    )
    if dry_run:
        print_plan(batch, as_json=as_json)
        return
    rules, notifier = alerting.rule_set(settings), open_notifier(alerting.notify)
    outcome = Outcome(len(found.videos), as_json=as_json, is_single=not found.is_many, rules=rules, notifier=notifier)
    analyze_batch(batch, outcome.on_result, is_shown=not quiet)
    _end(outcome, found, notifier)
    if alerting.fail_on_alert and outcome.n_alerts:
        raise typer.Exit(ALERTS_FOUND)


def _end(outcome: Outcome, found: Inputs, notifier: Notifier | None) -> None:
    """Print what comes after the last video, and fail if a video did."""
    outcome.print_what_waited()
    if found.is_many:
        print(outcome.verdict(found.n_ignored, found.ignored_suffixes), file=sys.stderr)
    if notifier is not None:
        print_deliveries(notifier.deliver())
    if not outcome.is_fine:
        raise typer.Exit(SOME_INPUTS_FAILED)


def _made_of_images(names: list[str], rate: str, out: Place, *, dry_run: bool) -> Inputs:
    """The videos of a command line with series of images, at `rate` images per second. Raises ConfigError."""
    if dry_run:
        raise ConfigError("--rate makes a video of images, and --dry-run makes nothing. Leave one of them out.")
    from fervid.batch.inputs import find_videos
    from fervid.batch.stills import Stills

    stills = Stills.of(rate, out)
    found = find_videos(names, stills)
    if not any(stills.is_made(path) for path in found.videos):
        raise ConfigError(
            f"--rate {rate} is for series of images, and none was given. Use --fps for analysed frames per second."
        )
    return found


def _check_one_start(start_time: str, found: Inputs) -> None:
    """Says that several videos are taken to begin at the same time. Raises ConfigError if a name states another."""
    from fervid.run.recorded import is_contradicted, start_time_in_name

    names = [path.name for path in found.videos if "start_time" not in found.options.get(path, ())]
    advice = "For recordings that follow each other use a list with a column start_time."
    others = [name for name in names if is_contradicted(start_time, start_time_in_name(name))]
    if others:
        raise ConfigError(
            f"--start-time {start_time} is not what the names of {len(others)} of {len(names)} videos say, such as "
            f"{one_line(others[0])}. {advice}"
        )
    print(f"fervid: {len(names)} videos are taken to begin at {start_time}, all of them. {advice}", file=sys.stderr)
