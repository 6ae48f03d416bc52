"""What the guide says of clusters is what the kept results give."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results"


def test_the_table_of_nodes_is_what_the_simulation_gave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    model = runpy.run_path(str(ROOT / "benchmarks" / "scale_model.py"))
    content = json.loads((RESULTS / "scale_model.json").read_text(encoding="utf-8"))
    shown = GUIDE.split(model["BEGIN"])[1].split(model["END"])[0]
    assert shown.strip() == model["table"](content)
    assert "(handing out)" in shown


def test_the_costs_in_the_text_are_those_measured() -> None:
    content = json.loads((RESULTS / "scale_model.json").read_text(encoding="utf-8"))
    costs, words = content["costs"], " ".join(GUIDE.split())
    assert f"{content['hours']:,.0f} hours in {content['videos']:,} videos" in words
    task, video = costs["hand_out_a_task"] * 1000, costs["hand_out_a_video"] * 1000
    assert f"{task:.1f} ms per task and {video:.1f} ms per video" in words
    assert f"{costs['observe_a_second'] * 1000:.0f} ms of a processor per second of video" in words
    curves = {curve["parts"]: curve["points"] for curve in content["curves"]}
    best = {parts: max(point["speedup"] for point in points) for parts, points in curves.items()}
    assert f"does the work of at most {best[1]:.0f} nodes" in words
    assert f"it takes {curves[1][-1]['hand_out_hours'] * 60:.0f} minutes to hand out all tasks" in words
    assert f"Four commands do the work of {best[4]:.0f} nodes. Sixteen do that of {best[16]:.0f}," in words
    reads = 1000 * content["processors_a_node"] * costs["bytes_a_second"] / costs["observe_a_second"] / 1e9
    assert f"1,000 nodes would read {reads:.0f} GB per second" in words
    for one in content["checked"]:
        nodes = "one node" if one["nodes"] == 1 else "two"
        said = re.search(rf"on {nodes}: (\S+) s predicted, (\S+) s measured", words, re.IGNORECASE)
        assert said is not None
        assert said.groups() == (f"{one['predicted_seconds']:.1f}", f"{one['measured_seconds']:.1f}")


def test_what_ray_costs_in_the_text_is_what_was_measured() -> None:
    content = json.loads((RESULTS / "cluster.json").read_text(encoding="utf-8"))
    assert content["same_bytes"]
    assert content["videos"] == 100
    values = sorted(content["ratios"]["cpu_seconds"])
    words = " ".join(GUIDE.split())
    assert f"{values[0]:.2f} to {values[-1]:.2f} times the processor time" in words
    assert f"at best {content['best_wall']:.2f} times the wall time" in words
    ends = [run["parent_end_mib"] for run in content["runs"] if run["engine"] == "ray"]
    halves = [run["parent_half_mib"] for run in content["runs"] if run["engine"] == "ray"]
    assert max(end - half for end, half in zip(ends, halves, strict=True)) < 1
