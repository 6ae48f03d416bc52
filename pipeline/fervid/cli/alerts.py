"""`fervid alerts`: finished runs to events for review. Without a subcommand it is `fervid alerts find`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from fervid.alerts.find.clock import parse_start_time
from fervid.alerts.find.explain import compare
from fervid.alerts.find.explain import explain as explain_run
from fervid.alerts.find.records import AlertRecord
from fervid.alerts.find.scan import RunAlerts, scan_run, write_alerts
from fervid.alerts.language.rules import RuleSet, default_rules, load_rules
from fervid.alerts.review.report import write_report
from fervid.base.clock import clock
from fervid.base.printable import counted, one_line
from fervid.batch.apart import Apart
from fervid.batch.plot import draw_found, marked_in
from fervid.cli.alert_notify import notify as notify_command
from fervid.cli.alert_notify import open_notifier, print_deliveries
from fervid.cli.alert_review import review
from fervid.cli.alert_tuning import evaluate, tune
from fervid.cli.found_alerts import ALERTS_FOUND, describe_alerts
from fervid.cli.option_groups import with_option_groups
from fervid.cli.options import Runs, Superseded
from fervid.cli.several import Refusals, runs_in
from fervid.config import parse_time
from fervid.errors import ConfigError
from fervid.run.find import shared_folder
from fervid.run.handle import Run
from fervid.run.writing import writing

DEFAULT_COMMAND = "find"


class _FindByDefault(TyperGroup):
    """A command group that treats anything other than its commands as arguments of `find`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_FindByDefault,
    help="Events for review: find and review them, evaluate and tune rules, send notifications.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog="`fervid alerts RUN...` is short for `fervid alerts find RUN...`; its options: fervid alerts find --help",
)


@app.callback()
def alerts() -> None:
    """Events for review: find and review them, evaluate and tune rules, send notifications.

    `fervid alerts RUN...` is short for `fervid alerts find RUN...`.
    """


@dataclass(frozen=True)
class _Looking:
    """Questions that are answered from the tables; nothing is written."""

    explain: Annotated[
        str | None, typer.Option(help="Explain for each rule why it did or did not fire at this time; writes nothing.")
    ] = None
    diff: Annotated[
        str | None,
        typer.Option(help="Show the alerts that --rules adds and removes compared with these rules; writes nothing."),
    ] = None

    def answer(self, runs: Iterable[Run], given: RuleSet | None, recorded: datetime | None, refusals: Refusals) -> None:
        """Print the answer for each run."""
        named = load_rules(self.diff) if self.diff is not None else None
        runs = list(runs)
        if self.explain is not None:
            _check_within(parse_time(self.explain), runs)
        for run in runs:
            with refusals.noted(run.folder):
                rules = given or default_rules(run.manifest.settings)
                other = named or rules
                if self.explain is not None:
                    print(explain_run(run, rules, parse_time(self.explain), recorded=recorded), flush=True)
                    continue
                before = scan_run(run, other, recorded=recorded)
                print(_describe_change(before, scan_run(run, rules, recorded=recorded)), flush=True)


def _check_within(seconds: float, runs: Sequence[Run]) -> None:
    """Raises ConfigError for a moment after the end of every video."""
    longest = max((float(run.manifest.video["duration_seconds"]) for run in runs), default=seconds)
    if seconds > longest:
        ends = "the video ends" if len(runs) == 1 else "the longest video ends"
        raise ConfigError(f"--explain {clock(seconds)}: {ends} at {clock(longest)}. Give a time before that.")


@dataclass(frozen=True)
class _Writing:
    """What is written beside the tables of alerts."""

    evidence: Annotated[
        bool, typer.Option("--evidence", help="Write a clip, stills and scores for each alert, and evidence.zip.")
    ] = False
    blur: Annotated[
        Literal["all", "others", "none"],
        typer.Option(help="Faces to cover in evidence: all, all but the alert's own, or none (logged)."),
    ] = "all"
    report: Annotated[bool, typer.Option(help="Write alerts.html.")] = True

    def write(
        self, runs: Sequence[Run], given: RuleSet | None, recorded: datetime | None, refusals: Refusals
    ) -> Iterator[RunAlerts]:
        """Find and write the alerts of each run; they are given as they are found.

        The page of a single run is written under its lock, so that it never shows other alerts than the tables.
        """
        with _decoding(runs) if self.evidence else nullcontext() as apart:
            for run in runs:
                with refusals.noted(run.folder), writing(run.folder, run.manifest.settings_hash):
                    found = scan_run(run, given or default_rules(run.manifest.settings), recorded=recorded)
                    before = marked_in(run.folder)
                    write_alerts(found)
                    draw_found(run, before)
                    yield found
                    if self.evidence:
                        from fervid.alerts.review.evidence import write_evidence

                        write_evidence(found, blur=self.blur, progress=sys.stderr.isatty(), apart=apart)
                    if len(runs) == 1:
                        self.write_page(runs, [found], is_held=True)

    def write_page(self, runs: Sequence[Run], results: Sequence[RunAlerts], *, is_held: bool = False) -> None:
        """One page on all runs."""
        if self.report and results:
            page = write_report(results, shared_folder([run.folder for run in runs]), is_held=is_held)
            print(f"report: {page}", file=sys.stderr)


@app.command()
@with_option_groups
def find(
    runs: Runs,
    looking: _Looking,
    files: _Writing,
    rules: Annotated[
        str | None,
        typer.Option(
            help="Rules: anger, anger-person, cctv, distress, template, or a TOML file. [cctv for runs that measured "
            "motion, else anger]",
            show_default=False,
        ),
    ] = None,
    start_time: Annotated[
        str | None,
        typer.Option(help="Start time of the recording, as in 2026-11-20T22:00:00. [from the file name]"),
    ] = None,
    notify: Annotated[
        Path | None, typer.Option("--notify", help="Send new alerts to the webhook or command of this TOML file.")
    ] = None,
    fail_on_alert: Annotated[bool, typer.Option("--fail-on-alert", help="Exit with 4 if there is an alert.")] = False,
    superseded: Superseded = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per run.")] = False,
) -> None:
    """Find events for review in finished runs: anger-like expressions that last, explained, never a verdict.

    No video is decoded, so rules can be tried on old footage instantly. Example: fervid alerts outputs --rules my.toml
    """
    rule_set, notifier = None if rules is None else load_rules(rules), open_notifier(notify)
    folders = runs_in(runs, with_superseded=superseded)
    recorded = parse_start_time(start_time) if start_time is not None else None
    if recorded is not None and len(folders) > 1:
        raise ConfigError(f"--start-time is of one video, but {len(folders)} runs were given. Name one run.")
    refusals = Refusals(len(folders))
    opened = refusals.opened(folders)
    if looking != _Looking():
        looking.answer(opened, rule_set, recorded, refusals)
        refusals.check()
        return
    results = []
    for found in files.write(opened, rule_set, recorded, refusals):
        results.append(found)
        print(json.dumps(found.to_json()) if as_json else describe_alerts(found), flush=True)
    if len(opened) > 1:
        files.write_page(opened, results)
    if not as_json and len(results) > 1:
        print(_total(results), file=sys.stderr)
    if notifier is not None:
        print_deliveries(notifier.tell(record for found in results for record in found.records))
    if fail_on_alert and any(found.of_tier("alert") for found in results):
        raise typer.Exit(ALERTS_FOUND)
    refusals.check()


def _decoding(runs: Sequence[Run]) -> Apart:
    """A worker process that may read the videos of runs and write into their folders."""
    return Apart([Path(run.manifest.video_path) for run in runs], [run.folder for run in runs])


def _describe_change(before: RunAlerts, after: RunAlerts) -> str:
    change = compare(before.records, after.records)
    lines = [
        f"{one_line(after.video)}: {before.rules.source} -> {after.rules.source}: {len(change.added)} added, "
        f"{len(change.removed)} removed, {len(change.changed)} changed, {change.same} the same"
    ]
    lines += [f"  + {_line(record)}" for record in change.added]
    lines += [f"  - {_line(record)}" for record in change.removed]
    for old, new in change.changed:
        lines += [f"  < {_line(old)}", f"  > {_line(new)}"]
    return "\n".join(lines)


def _line(record: AlertRecord) -> str:
    return f"{record.tier} {record.rule}: {record.text()}"


def _total(results: list[RunAlerts]) -> str:
    n_alerts = sum(len(found.of_tier("alert")) for found in results)
    n_notices = sum(len(found.of_tier("notice")) for found in results)
    not_fit = sum(found.fitness.best == "not_fit" for found in results)
    by_motion = sum(found.fitness.is_by_motion_alone for found in results)
    motion = f", {by_motion} fit by motion alone" if by_motion else ""
    found_text = f"{counted(n_alerts, 'alert')}, {counted(n_notices, 'notice')}"
    return f"{counted(len(results), 'run')}: {found_text}; {not_fit} not fit for alerts{motion}"


for command in (review, evaluate, tune):
    app.command()(command)
app.command("notify")(notify_command)
