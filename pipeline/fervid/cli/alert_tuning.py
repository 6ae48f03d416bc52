"""`fervid alerts evaluate` and `fervid alerts tune`: rules against ground truth."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fervid.base.printable import counted
from fervid.cli.options import Runs

if TYPE_CHECKING:
    from fervid.alerts.language.rules import Rule
    from fervid.alerts.measure.outcomes import Evaluation, Outcome, Point
    from fervid.alerts.measure.search import Tuning

TruthFile = Annotated[
    Path, typer.Option("--truth", help="Ground truth: CSV file video,start,end[,emotion].", show_default=False)
]
Rules = Annotated[str, typer.Option(help="Rules: anger, anger-person, cctv, distress, template, or a TOML file.")]
RuleName = Annotated[
    str | None, typer.Option("--rule", help="The rule to sweep thresholds for.", show_default="first alert")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Target = Annotated[float, typer.Option("--target-fa-per-hour", help="Target rate of false alarms per hour of video.")]


def evaluate(
    runs: Runs,
    truth: TruthFile,
    rules: Rules = "anger",
    rule: RuleName = None,
    at: Target = 0.5,
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", help="Folder for the plots and numbers.", show_default="alert-evaluation in outputs/"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare alerts with ground truth: false alarms per hour, recall, delay, and their trade-off over thresholds.

    A run without a row counts as having no events. Example: fervid alerts evaluate outputs --truth labels.csv
    """
    from fervid.alerts.find.scan import find_runs
    from fervid.alerts.language.rules import load_rules
    from fervid.alerts.measure.evaluation_files import evaluation_content, write_evaluation
    from fervid.alerts.measure.outcomes import best_recall, evaluate_alerts
    from fervid.alerts.measure.truth import read_truth
    from fervid.base import assets

    rule_set = load_rules(rules)
    found = find_runs(runs)
    evaluation = evaluate_alerts(found, rule_set, read_truth(truth, found), rule_name=rule)
    best = best_recall(evaluation.points, at_false_per_hour=at)
    written = write_evaluation(evaluation, out or assets.default_output_folder() / "alert-evaluation")
    if as_json:
        extra = {"at_false_alarms_per_hour": at, "best_at": best.to_json() if best else None}
        print(json.dumps(evaluation_content(evaluation) | extra, ensure_ascii=False))
    else:
        print(describe_evaluation(evaluation, best, at))
    print(f"figures: {', '.join(map(str, written))}", file=sys.stderr)


def tune(
    runs: Runs,
    truth: TruthFile,
    target: Target = 0.5,
    rules: Rules = "anger",
    rule: RuleName = None,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", help="Folder for tuned.toml.", show_default="alert-tuning in outputs/"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Choose a rule's threshold and duration for a target false-alarm rate, and check them on other footage.

    Half of the videos are for choosing, the other half for checking. Example: fervid alerts tune outputs --truth
    labels.csv
    """
    from fervid.alerts.find.scan import find_runs
    from fervid.alerts.language.rules import load_rules
    from fervid.alerts.measure.evaluation_files import write_tuning
    from fervid.alerts.measure.search import tune_rule
    from fervid.alerts.measure.truth import read_truth
    from fervid.base import assets

    rule_set = load_rules(rules)
    found = find_runs(runs)
    tuning = tune_rule(found, rule_set, read_truth(truth, found), target_per_hour=target, rule_name=rule)
    written = write_tuning(tuning, rule_set, out or assets.default_output_folder() / "alert-tuning")
    print(json.dumps(tuning.to_json(), ensure_ascii=False) if as_json else describe_tuning(tuning))
    print(f"written: {', '.join(map(str, written))}", file=sys.stderr)


def describe_evaluation(evaluation: Evaluation, best: Point | None, at: float) -> str:
    """An evaluation as text."""
    hours = evaluation.alerts.hours
    lines = [f"{counted(evaluation.n_videos, 'video')}, {hours:.2f} h"]
    if evaluation.unmatched:
        lines.append(f"  without a run: {', '.join(evaluation.unmatched)}")
    lines += [_row(name, outcome) for name, outcome in evaluation.by_rule.items()]
    lines.append(_row("all alerts", evaluation.alerts))
    lines.append(f"rule {evaluation.rule.name} at {at:g} false alarms per hour or fewer: {_best(best)}")
    return "\n".join(lines)


def describe_tuning(tuning: Tuning) -> str:
    """A tuning as text."""
    name = tuning.before.name
    lines = [
        f"rule {name}: {_numbers(tuning.before)} -> {_numbers(tuning.after)}",
        f"chosen on {counted(len(tuning.tuned_on), 'video')}, checked on {counted(len(tuning.checked_on), 'other')}",
        *(_row(key.replace("_", " on "), outcome) for key, outcome in tuning.outcomes.items()),
    ]
    if not tuning.meets_target:
        lines.append(f"no variant had {tuning.target_per_hour:g} false alarms per hour or fewer: this is the nearest")
    hours = tuning.outcomes["after_checking"].hours
    if hours < tuning.hours_to_show:
        lines.append(
            f"{hours:.2f} h cannot demonstrate {tuning.target_per_hour:g} false alarms per hour: that takes "
            f"{tuning.hours_to_show:.1f} h without a false alarm. Check on more footage before relying on it."
        )
    return "\n".join(lines)


def _row(name: str, outcome: Outcome) -> str:
    text = f"  {name:<18} {_found(outcome)}, {outcome.n_false} false alarms"
    rate, interval = outcome.false_per_hour, outcome.false_per_hour_interval
    if rate is not None and interval is not None:
        text += f": {rate:.2f} per hour ({interval[0]:.2f} to {interval[1]:.2f})"
    if outcome.delays:
        text += f"; raised {sorted(outcome.delays)[len(outcome.delays) // 2]:.1f} s after the start (median)"
    return text


def _found(outcome: Outcome) -> str:
    return f"{outcome.n_found} of {counted(outcome.n_events, 'event')}" if outcome.n_events else "no events to find"


def _best(best: Point | None) -> str:
    if best is None:
        return "no threshold reaches it"
    return f"{_found(best.outcome)}, with {_numbers(best.rule)}"


def _numbers(rule: Rule) -> str:
    return f"enter {rule.enter:g}, exit {rule.leave:g}, for {rule.for_:g} s"
