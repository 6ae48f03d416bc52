"""Writes the results of evaluating and tuning alerts: JSON, the curve as CSV, plots, the tuned rules."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fervid.alerts.find.scan import write_text
from fervid.alerts.language.rule_text import rules_text
from fervid.alerts.language.rules import RuleSet
from fervid.alerts.measure.curves import draw_curves
from fervid.alerts.measure.outcomes import Evaluation, Point
from fervid.alerts.measure.search import Tuning
from fervid.base.printable import counted
from fervid.errors import OutputError

METRICS, CURVE_TABLE, CURVE_PICTURE, TUNED_RULES = "metrics.json", "curve.csv", "curve.png", "tuned.toml"


def evaluation_content(evaluation: Evaluation) -> dict[str, Any]:
    """An evaluation as plain values."""
    return {
        "videos": evaluation.n_videos,
        "videos_not_among_the_runs": list(evaluation.unmatched),
        "alerts": evaluation.alerts.to_json(),
        "rules": {name: outcome.to_json() for name, outcome in evaluation.by_rule.items()},
        "curve_of": evaluation.rule.name,
        "curve": [point.to_json() for point in evaluation.points],
    }


def write_evaluation(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Write metrics.json, curve.csv and curve.png. Raises OutputError."""
    rule = evaluation.rule
    with _Writing(folder):
        _write_json(folder / METRICS, evaluation_content(evaluation))
        write_text(folder / CURVE_TABLE, _curve_csv({"all": evaluation.points}))
        draw_curves(
            {rule.name: evaluation.points},
            {rule.name: evaluation.by_rule[rule.name]},
            folder / CURVE_PICTURE,
            title=f"Rule {rule.name} over thresholds, {counted(evaluation.n_videos, 'video')}",
        )
    return [folder / name for name in (METRICS, CURVE_TABLE, CURVE_PICTURE)]


def write_tuning(tuning: Tuning, rules: RuleSet, folder: Path) -> list[Path]:
    """Write tuned.toml, metrics.json, curve.csv and curve.png. Raises OutputError."""
    named = [tuning.after if rule.name == tuning.before.name else rule for rule in rules.rules]
    tuned, others = counted(len(tuning.tuned_on), "video"), counted(len(tuning.checked_on), "other")
    comment = (
        f"{rules.source}, rule {tuning.before.name} tuned to {tuning.target_per_hour:g} false alarms per hour or "
        f"fewer\non {tuned}; on {others} it had {_rate(tuning)}"
    )
    with _Writing(folder):
        write_text(folder / TUNED_RULES, rules_text(named, rules.zones, comment=comment))
        _write_json(folder / METRICS, tuning.to_json())
        write_text(folder / CURVE_TABLE, _curve_csv(tuning.curves))
        draw_curves(
            tuning.curves,
            {name: tuning.outcomes[f"after_{name}"] for name in tuning.curves},
            folder / CURVE_PICTURE,
            title=f"Rule {tuning.before.name}, for {tuning.after.for_:g} s, over thresholds",
            target_per_hour=tuning.target_per_hour,
        )
    return [folder / name for name in (TUNED_RULES, METRICS, CURVE_TABLE, CURVE_PICTURE)]


def _rate(tuning: Tuning) -> str:
    rate = tuning.outcomes["after_checking"].false_per_hour
    return "no video" if rate is None else f"{rate:.2f} per hour"


def _curve_csv(curves: Mapping[str, Sequence[Point]]) -> str:
    out = io.StringIO()
    rows = [{"footage": name} | point.to_json() for name, points in curves.items() for point in points]
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["footage"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: " ".join(map(str, v)) if isinstance(v, list) else v for key, v in row.items()})
    return out.getvalue()


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


class _Writing:
    """Makes a folder, and an OutputError of what goes wrong while writing there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            self._fail(problem)

    def __exit__(self, kind: object, problem: BaseException | None, trace: object) -> None:
        if isinstance(problem, OSError):
            self._fail(problem)

    def _fail(self, problem: OSError) -> None:
        raise OutputError(
            f"{self._folder} cannot be written ({problem.strerror}). Give another folder with --out."
        ) from None
