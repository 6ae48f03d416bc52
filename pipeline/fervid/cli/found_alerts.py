"""The alerts of one run: found after its analysis, and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fervid.base.printable import counted, one_line
from fervid.storage.place import Place, is_on_disk
from fervid.storage.publish import write_whole

if TYPE_CHECKING:
    from fervid.alerts.find.scan import RunAlerts
    from fervid.alerts.language.rules import RuleSet

ALERTS_FOUND = 4
"""The exit code of commands that were asked to fail on an alert."""


def alerts_of_run(folder: Place, rules: RuleSet, *, is_held: bool) -> RunAlerts:
    """Scan a run of a batch, write its alerts and their page beside its tables.

    `is_held` says that the batch has the lock of the run, as it has until the plot is drawn.
    """
    from fervid.alerts.find.scan import scan_run, write_alerts
    from fervid.alerts.review.report import write_report
    from fervid.batch.plot import draw_found, marked_in
    from fervid.run.files import DERIVED
    from fervid.run.handle import open_run
    from fervid.run.writing import writing

    run = open_run(folder)
    with writing(run.folder, run.manifest.settings_hash, is_held=is_held or not is_on_disk(folder)):
        found, before = scan_run(run, rules), marked_in(run.folder)
        written = [*write_alerts(found), write_report([found], run.folder, is_held=True)]
        draw_found(run, before)
    if not is_on_disk(folder):
        for file in (*written, run.folder / DERIVED):
            write_whole(folder / file.name, file.read_bytes())
    return found


def describe_alerts(found: RunAlerts) -> str:
    """The alerts of a run as text, always with a statement on how suitable the video is."""
    from fervid.alerts.find.records import readable

    counts = f"{counted(len(found.of_tier('alert')), 'alert')}, {counted(len(found.of_tier('notice')), 'notice')}"
    lines = [f"{one_line(found.video)}: {counts}; {found.fitness.text()}"]
    if found.records:
        lines.append(readable(found.records))
    lines += [f"  {sentence}" for sentence in found.unevaluated()]
    lines += [
        f"  masked: a face at {box.x:.0f},{box.y:.0f} of {box.w:.0f} x {box.h:.0f} px never moves (a poster?)"
        for box in found.fitness.static_boxes
    ]
    return "\n".join(lines)
