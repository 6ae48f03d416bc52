"""A rule has one home: nobody else names files of a run, says what a run is, or measures the spacing of frames."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import fervid
from fervid.run import files

PACKAGE = Path(fervid.__file__).parent
NAMES = {
    name
    for value in vars(files).values()
    for name in (value if isinstance(value, tuple) else (value,))
    if isinstance(name, str) and re.fullmatch(r"[\w.]+\.(parquet|jsonl?|html|png|mp4|csv|zip)", name)
}
HOMES = {
    "what a run is": (r"rglob\(MANIFEST|glob\(.*MANIFEST|MANIFEST\)\.is_file", {"run/find.py", "run/derived.py"}),
    "the spacing of frames": (r"median\(np\.diff\((?!plan|distinct|self\.pts)", {"base/spacing.py"}),
    "the time now as text": (r"now\(UTC\)\.isoformat\(timespec=.seconds", {"base/clock.py", "storage/lease.py"}),
    "a time as text": (r"// ?(3600|36_?000)\b", {"base/clock.py"}),
    "the file of a table": (r"\}\.parquet[\"']", {"run/files.py"}),
}
"""Notes are made in places of any kind, also in object stores. The storage room stands below `base`, so it tells
the time itself. A probe and a reader measure packets."""
SAME_NAMES = {"train/evaluate/comparison_page.py": {"comparison.html"}}
"""Pages about models, which are in folders of models."""


def _sources() -> Iterator[tuple[str, str]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file.relative_to(PACKAGE).as_posix(), file.read_text(encoding="utf-8")


def test_every_file_of_a_run_is_named_once() -> None:
    assert {"manifest.json", "alerts.parquet", "timeline.png", "compacted.json"} <= NAMES
    second = [
        f"{name}:{node.lineno}: {node.value}"
        for name, source in _sources()
        if name != "run/files.py"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and node.value in NAMES - SAME_NAMES.get(name, set())
    ]
    assert second == []


@pytest.mark.parametrize("rule", HOMES)
def test_a_rule_has_no_second_home(rule: str) -> None:
    pattern, homes = HOMES[rule]
    found = {name for name, source in _sources() if re.search(pattern, source)}
    assert found <= homes
