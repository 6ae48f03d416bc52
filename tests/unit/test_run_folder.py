"""What becomes of the files of a run when its video is analysed again."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from alert_runs import face, make_run
from fervid.alerts.report import write_report
from fervid.alerts.reviews import REVIEWS_TABLE, read_history, write_verdict
from fervid.alerts.rules import load_rules
from fervid.alerts.scan import scan_run, write_alerts
from fervid.run_folder import ALERTS, prepare


def test_alerts_go_with_the_tables_that_they_speak_of_and_verdicts_stay(tmp_path: Path) -> None:
    times = np.round(np.arange(0, 20, 0.2), 6)
    run = make_run(tmp_path, [face(t, 0, 0.9 if 5 <= t <= 12 else 0.1) for t in times.tolist()], times)
    found = scan_run(run, load_rules("anger"))
    assert found.records
    write_alerts(found)
    write_report([found], tmp_path)
    write_verdict(run, found.records[0].alert_id, "true")
    assert all((tmp_path / name).is_file() for name in ALERTS)
    prepare(tmp_path, keep_observations=True)
    assert not list(tmp_path.glob("alerts*"))
    assert [review.verdict for review in read_history(tmp_path)] == ["true"]
    assert (tmp_path / REVIEWS_TABLE).is_file()
