"""The README's table of speeds is the one that the kept results give."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
RESULTS = ROOT / "benchmarks" / "results" / "compare.json"


def test_the_table_of_speeds_is_what_the_results_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(ROOT / "benchmarks"), *sys.path])
    compare = runpy.run_path(str(ROOT / "benchmarks" / "compare.py"))
    expected = compare["table"](json.loads(RESULTS.read_text(encoding="utf-8")))
    shown = README.split(compare["BEGIN"])[1].split(compare["END"])[0]
    assert shown.strip() == expected
    assert "| fervid |" in expected
