"""The table of speeds is the one that the kept results give."""

from __future__ import annotations

import json
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results" / "compare.json"


def test_the_table_of_speeds_is_what_the_results_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    compare = runpy.run_path(str(ROOT / "benchmarks" / "compare.py"))
    expected = compare["table"](json.loads(RESULTS.read_text(encoding="utf-8")))
    shown = PAGE.split(compare["BEGIN"])[1].split(compare["END"])[0]
    assert shown.strip() == expected
    assert "| fervid |" in expected


def test_the_readme_gives_the_figures_of_the_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (costs,) = re.findall(r"^\| CPU seconds per second of 1080p .*$", readme, re.MULTILINE)
    (memory,) = re.findall(r"^\| peak memory, 1080p .*$", readme, re.MULTILINE)
    rows = re.findall(r"^\| group \| (fervid|fer) \| (\S+) \|.*\| (\d+) \|$", PAGE, re.MULTILINE)
    assert [name for name, *_ in rows] == ["fervid", "fer"]
    for _, cost, size in rows:
        assert f"| {cost} |" in costs
        assert f"| {size} MiB |" in memory


def test_the_readme_gives_the_figures_of_the_battery() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    models = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    for shown, measured in (
        ("labelled clips right, of 69", "69 labelled clips of 10 people: the leading emotion is the label's"),
        ("wild photographs right, of 856", "856 wild photographs, right (faces not found count as wrong)"),
    ):
        ((own, peer),) = re.findall(rf"^\| {re.escape(measured)} \| (.*?) \| .* \| (.*?) \|$", models, re.MULTILINE)
        assert f"| {shown} | {own} | {peer} |" in readme
