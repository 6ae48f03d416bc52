"""The results of a batch on the terminal: printed as they come, and counted."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from fervid.base.clock import clock
from fervid.base.interrupt import STARTED
from fervid.base.printable import counted, one_line
from fervid.batch.result import GROWING, SAME, Result, verdict
from fervid.cli.found_alerts import alerts_of_run, describe_alerts
from fervid.cli.summary import describe, describe_briefly
from fervid.cli.terminal import Rows, is_terminal
from fervid.errors import InputError
from fervid.storage.place import Place, as_place, is_on_disk

if TYPE_CHECKING:
    from fervid.alerts.find.fitness import Fitness
    from fervid.alerts.find.scan import RunAlerts
    from fervid.alerts.language.rules import RuleSet
    from fervid.alerts.notify.deliver import Notifier

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


class Outcome:
    """Prints results as they come and counts them."""

    def __init__(
        self,
        n_videos: int,
        *,
        as_json: bool,
        is_single: bool,
        rules: RuleSet | None,
        notifier: Notifier | None,
    ) -> None:
        self._as_json, self._is_single, self._rules, self._notifier = as_json, is_single, rules, notifier
        self._rows = Rows(COLUMNS) if not is_single and not as_json and is_terminal() else None
        self.n_alerts = 0
        self._is_brief = n_videos > LONG_DESCRIPTIONS
        self._counts: Counter[str] = Counter()
        self._n_skipped = self._n_fit = self._n_by_motion = self._n_without_face = self._n_judged = 0
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
        if result.summary is not None and self._rules is not None:
            found = alerts_of_run(as_place(result.summary["folder"]), self._rules, is_held=not result.was_there)
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
            waited, fitness = time.perf_counter() - STARTED, None
            if found is None and is_on_disk(as_place(summary["folder"])):
                fitness = _fitness(as_place(summary["folder"]), None).short()
            print(describe(summary, waited_seconds=waited, fitness=fitness), flush=True)
            if found is not None:
                from fervid.run.files import ALERTS_PAGE

                print(describe_alerts(found), flush=True)
                print(f"report: {as_place(summary['folder']) / ALERTS_PAGE}", file=sys.stderr)

    def _judge(self, summary: dict[str, Any], found: RunAlerts | None) -> None:
        """Count the videos of a batch with visible faces, and with faces good enough for alerts."""
        place = as_place(summary["folder"])
        self._n_without_face += not summary["faces"]
        if not summary["faces"] and "motion" not in summary:
            self._n_judged += 1
        elif found is not None or is_on_disk(place):
            self._n_judged += 1
            fitness = _fitness(place, found)
            self._n_fit += fitness.best == "fit"
            self._n_by_motion += fitness.best == "fit" and fitness.is_by_motion_alone

    def verdict(self, n_ignored: int, suffixes: str = "") -> str:
        """The last line of a batch."""
        judged = ""
        if self._n_judged:
            motion = f" ({self._n_by_motion} by motion alone)" if self._n_by_motion else ""
            judged = f"; {self._n_fit} of {self._n_judged} fit for alerts{motion}; no face in {self._n_without_face}"
        ignored = f"; {n_ignored} other files ignored ({suffixes})" if n_ignored else ""
        return verdict(self._counts, self._n_skipped) + judged + ignored


def _fitness(folder: Place, found: RunAlerts | None) -> Fitness:
    """How suitable a run on this machine is for alerts."""
    from fervid.alerts.find.fitness import judge_fitness
    from fervid.alerts.find.samples import read_frame_times
    from fervid.run.handle import open_run

    if found is not None:
        return found.fitness
    run = open_run(folder)
    return judge_fitness(run, read_frame_times(run))


def row_of(summary: dict[str, Any], n_alerts: int | None) -> list[tuple[str, str]]:
    """A run's summary as the cells of COLUMNS, each with its style. `n_alerts` is None without --alerts."""
    label = max(summary["shares"], key=summary["shares"].get) if summary["faces"] and summary["shares"] else "no face"
    n_warnings = len(summary["warnings"])
    notes = [
        counted(n_warnings, "warning") if n_warnings else "",
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
