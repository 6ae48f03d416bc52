"""timeline.png shows the alerts of its run, whether they are found with the analysis or later."""

from __future__ import annotations

from pathlib import Path

import fervid
from fervid.batch.plot import marked_in
from fervid.demo.photograph import make_demo_clip
from fervid.run.files import ALERTS_JSON, PLOT
from fervid.upkeep.verify import verify_run
from runner import run_fervid

ANY_FACE = """[[rule]]
name = "any"
wording = "a face"
score = "confidence"
enter = 0
for = 0
"""


def test_alerts_found_later_come_into_the_plot(tmp_path: Path) -> None:
    run = fervid.analyze(make_demo_clip(tmp_path / "clip.mp4"), out=tmp_path / "runs", device="cpu")
    plot = run.folder / PLOT
    bare = plot.read_bytes()
    rules = tmp_path / "rules.toml"
    rules.write_text(ANY_FACE)
    find = ("alerts", str(run.folder), "--rules", str(rules), "--no-report")
    assert run_fervid(*find).returncode == 0
    assert {one.is_alert for one in marked_in(run.folder)} == {True}
    marked = plot.read_bytes()
    assert marked != bare
    assert verify_run(run.folder) == []
    assert run_fervid(*find).returncode == 0
    assert plot.read_bytes() == marked
    (run.folder / ALERTS_JSON).write_text("damaged")
    assert marked_in(run.folder) == []
