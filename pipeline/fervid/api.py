"""The Python API for finished runs: open one, find its alerts, make its profile. Decodes nothing.

These, `fervid.analyze` and `fervid.stream` are the stable part of fervid for programs; `docs/python.md` describes them.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from fervid.run.handle import Run, open_run

if TYPE_CHECKING:
    from fervid.alerts.find.scan import RunAlerts
    from fervid.alerts.language.rules import RuleSet
    from fervid.profile.profile import Profile


def load_run(folder: str | Path) -> Run:
    """A finished run by its folder. Raises InputError when it is not a complete run."""
    return open_run(folder)


def find_alerts(
    run: Run | str | Path, rules: str | RuleSet | None = None, *, recorded: datetime | None = None
) -> RunAlerts:
    """The events of a run that rules find, in order of start, and the video's suitability for alerts. Writes nothing.

    `rules` is the name of a preset, the path of a TOML file, or a set of rules; by default `cctv` for runs that
    measured motion, else `anger`. `recorded` is the local time at which the video begins, for rules with hours; without
    it the file's name is asked. Raises InputError or ConfigError.
    """
    from fervid.alerts.find.scan import scan_run
    from fervid.alerts.language.rules import default_rules, load_rules

    opened = _opened(run)
    rule_set = load_rules(rules) if isinstance(rules, str) else rules
    return scan_run(opened, rule_set or default_rules(opened.manifest.settings), recorded=recorded)


def make_profile(run: Run | str | Path) -> Profile:
    """How faces look over a video's length: shares, intensity, its arc, peaks, transitions, cuts. Writes nothing.

    Raises InputError when the folder is not a complete run.
    """
    from fervid.profile.measure import profile_run

    return profile_run(_opened(run).folder)


def _opened(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else load_run(run)
