"""Every kind of bad file in one batch with good ones: each gets what was promised, and none costs another's result."""

from __future__ import annotations

import json
import sys
from typing import Any

import pyarrow.parquet as pq
import pytest

import bad_files
from bad_files import CASES, COMPLETE_OR_REJECTED, PARTIAL, REJECTED, SKIPPED, Case
from fervid.base.printable import printable
from runner import HELD_TO_PERMISSIONS, run_fervid

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="files and names as Linux has them")


@pytest.fixture(scope="module")
def batch(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The batch over all cases: rows by name, what it printed, its exit code."""
    folder, out = tmp_path_factory.mktemp("bad"), tmp_path_factory.mktemp("out")
    paths = bad_files.make_all(folder)
    done = run_fervid(
        *("analyze", *map(str, paths), "-o", str(out), "-q", "--no-plot", "--device", "cpu", "--workers", "2"),
        before=HELD_TO_PERMISSIONS,
    )
    rows = {row["video"]: row for row in pq.read_table(out / "batch.parquet").to_pylist()}
    return {"done": done, "rows": rows, "folder": folder, "out": out}


@pytest.mark.parametrize("bad", CASES, ids=lambda bad: ascii(bad.name)[1:-1][:40])
def test_a_file_gets_what_was_promised(batch: dict[str, Any], bad: Case) -> None:
    row = batch["rows"].get(printable(batch["folder"] / bad.name))
    if bad.promise == SKIPPED:
        assert row is None
        return
    assert row is not None
    assert row["status"] in bad.promise.split(" or "), row["reason"]
    said = row["reason"]
    if row["folder"]:
        manifest = json.loads((batch["out"] / row["folder"] / "manifest.json").read_text(encoding="utf-8"))
        said = "; ".join(manifest["warnings"])
        assert manifest["ledger"]["analysed"] > 0
    assert bad.says in said
    assert (row["status"] == REJECTED) == (row["reason"] is not None)


def test_the_batch_ends_with_its_sums_and_nothing_else_on_stderr(batch: dict[str, Any]) -> None:
    done, promises = batch["done"], [case.promise for case in CASES]
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    *lines, last = done.stderr.splitlines()
    open_ended = promises.count(COMPLETE_OR_REJECTED)
    n_ok, n_rejected = (int(part.split()[0]) for part in (last.split(", ")[0], last.split(", ")[2]))
    assert n_ok + n_rejected == promises.count("complete") + promises.count(REJECTED) + open_ended
    assert f"{promises.count(PARTIAL)} partial" in last
    assert "0 crashed, 0 skipped" in last
    assert len(lines) == n_rejected
    assert all(line.startswith("fervid: ") for line in lines)


def test_names_cannot_forge_lines_or_steer_the_terminal(batch: dict[str, Any]) -> None:
    for printed in (batch["done"].stdout, batch["done"].stderr):
        assert not {char for char in printed if not char.isprintable()} - {"\n"}


def test_nothing_but_results_is_left(batch: dict[str, Any]) -> None:
    n_runs = sum(row["folder"] is not None for row in batch["rows"].values())
    assert len(list(batch["out"].glob("*/manifest.json"))) == n_runs
    assert not list(batch["out"].rglob("*.part*"))
    failed = [json.loads(line) for line in (batch["out"] / "failed.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(failed) == sum(row["status"] != "complete" for row in batch["rows"].values())
