"""`fervid alerts`: finished runs to events for review. Without a subcommand it is `fervid alerts find`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from fervid.base.printable import one_line
from fervid.cli.alert_notify import notify, open_notifier, print_deliveries
from fervid.cli.alert_review import review
from fervid.cli.alert_tuning import evaluate, tune
from fervid.cli.options import Runs, Superseded
from fervid.cli.several import Refusals, runs_in
from fervid.storage.place import Place, is_on_disk
from fervid.storage.publish import write_whole

if TYPE_CHECKING:
    from fervid.alerts.find.records import AlertRecord
    from fervid.alerts.find.scan import RunAlerts
    from fervid.alerts.language.rules import RuleSet
    from fervid.batch.apart import Apart
    from fervid.run.handle import Run

ALERTS_FOUND = 4
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


@app.command()
def find(
    runs: Runs,
    rules: Annotated[str, typer.Option(help="Rules: anger, distress, template, or a TOML file.")] = "anger",
    start_time: Annotated[
        str | None,
        typer.Option(help="Start time of the recording, as in 2026-11-20T22:00:00. [from the file name]"),
    ] = None,
    explain: Annotated[
        str | None, typer.Option(help="Explain for each rule why it did or did not fire at this time; writes nothing.")
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(help="Show the alerts that --rules adds and removes compared with these rules; writes nothing."),
    ] = None,
    evidence: Annotated[
        bool, typer.Option("--evidence", help="Write a clip, stills and scores for each alert, and evidence.zip.")
    ] = False,
    blur: Annotated[
        Literal["all", "others", "none"],
        typer.Option(help="Faces to cover in evidence: all, all but the alert's own, or none (logged)."),
    ] = "all",
    report: Annotated[bool, typer.Option(help="Write alerts.html.")] = True,
    tell: Annotated[
        Path | None, typer.Option("--notify", help="Send new alerts to the webhook or command of this TOML file.")
    ] = None,
    fail_on_alert: Annotated[bool, typer.Option("--fail-on-alert", help="Exit with 4 if there is an alert.")] = False,
    superseded: Superseded = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per run.")] = False,
) -> None:
    """Find events for review in finished runs: anger-like expressions that last, explained, never a verdict.

    No video is decoded, so rules can be tried on old footage instantly. Example: fervid alerts outputs --rules my.toml
    """
    from fervid.alerts.find.clock import parse_start_time
    from fervid.alerts.find.scan import scan_run, write_alerts
    from fervid.alerts.language.rules import load_rules
    from fervid.config import parse_time
    from fervid.errors import ConfigError
    from fervid.run.writing import writing

    rule_set = load_rules(rules)
    notifier = open_notifier(tell)
    folders = runs_in(runs, with_superseded=superseded)
    recorded = parse_start_time(start_time) if start_time is not None else None
    if recorded is not None and len(folders) > 1:
        raise ConfigError(f"--start-time is of one video, but {len(folders)} runs were given. Name one run.")
    refusals = Refusals(len(folders))
    if explain is not None or diff is not None:
        from fervid.alerts.find.explain import explain as explain_run

        other = load_rules(diff) if diff is not None else rule_set
        for run in refusals.opened(folders):
            with refusals.noted(run.folder):
                if explain is not None:
                    print(explain_run(run, rule_set, parse_time(explain), recorded=recorded), flush=True)
                    continue
                before = scan_run(run, other, recorded=recorded)
                print(_describe_change(before, scan_run(run, rule_set, recorded=recorded)), flush=True)
        refusals.check()
        return
    results = []
    opened = refusals.opened(folders)
    with _decoding(opened) if evidence else nullcontext() as apart:
        for run in opened:
            with refusals.noted(run.folder), writing(run.folder, run.manifest.settings_hash):
                found = scan_run(run, rule_set, recorded=recorded)
                write_alerts(found)
                results.append(found)
                print(json.dumps(found.to_json()) if as_json else describe_alerts(found), flush=True)
                if evidence:
                    from fervid.alerts.review.evidence import write_evidence

                    write_evidence(found, blur=blur, progress=sys.stderr.isatty(), apart=apart)
    if report and results:
        from fervid.alerts.review.report import write_report
        from fervid.run.find import shared_folder

        page = write_report(results, shared_folder([found.run.folder for found in results]))
        print(f"report: {page}", file=sys.stderr)
    if not as_json and len(results) > 1:
        print(_total(results), file=sys.stderr)
    if notifier is not None:
        print_deliveries(notifier.tell(record for found in results for record in found.records))
    if fail_on_alert and any(found.of_tier("alert") for found in results):
        raise typer.Exit(ALERTS_FOUND)
    refusals.check()


def _decoding(runs: Sequence[Run]) -> Apart:
    """A worker process that may read the videos of runs and write into their folders."""
    from fervid.batch.apart import Apart

    return Apart([Path(run.manifest.video_path) for run in runs], [run.folder for run in runs])


def alerts_of_run(folder: Place, rules: RuleSet, *, is_held: bool) -> RunAlerts:
    """Scan a run of a batch, write its alerts and their page beside its tables.

    `is_held` says that the batch has the lock of the run, as it has until the plot is drawn.
    """
    from fervid.alerts.find.scan import scan_run, write_alerts
    from fervid.alerts.review.report import write_report
    from fervid.run.files import DERIVED
    from fervid.run.handle import open_run
    from fervid.run.writing import writing

    run = open_run(folder)
    with writing(run.folder, run.manifest.settings_hash, is_held=is_held or not is_on_disk(folder)):
        found = scan_run(run, rules)
        written = [*write_alerts(found), write_report([found], run.folder, is_held=True)]
    if not is_on_disk(folder):
        for file in (*written, run.folder / DERIVED):
            write_whole(folder / file.name, file.read_bytes())
    return found


def describe_alerts(found: RunAlerts) -> str:
    """The alerts of a run as text, always with a statement on how suitable the video is."""
    from fervid.alerts.find.records import readable

    counts = f"{_count(len(found.of_tier('alert')), 'alert')}, {_count(len(found.of_tier('notice')), 'notice')}"
    lines = [f"{one_line(found.video)}: {counts}; {found.fitness.text()}"]
    if found.records:
        lines.append(readable(found.records))
    lines += [
        f"  rule {name} was not evaluated: it depends on the time of day; recording time unknown, pass --start-time"
        for name in found.silent_rules
    ]
    lines += [
        f"  masked: a face at {box.x:.0f},{box.y:.0f} of {box.w:.0f} x {box.h:.0f} px never moves (a poster?)"
        for box in found.fitness.static_boxes
    ]
    return "\n".join(lines)


def _describe_change(before: RunAlerts, after: RunAlerts) -> str:
    from fervid.alerts.find.explain import compare

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


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _total(results: list[RunAlerts]) -> str:
    n_alerts = sum(len(found.of_tier("alert")) for found in results)
    n_notices = sum(len(found.of_tier("notice")) for found in results)
    not_fit = sum(found.fitness.verdict == "not_fit" for found in results)
    return (
        f"{len(results)} runs: {_count(n_alerts, 'alert')}, {_count(n_notices, 'notice')}; {not_fit} not fit for alerts"
    )


for command in (review, evaluate, tune, notify):
    app.command()(command)
