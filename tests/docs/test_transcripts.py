"""The README and the tutorials show commands that work, and the outputs that they give now."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _transcripts() -> ModuleType:
    spec = importlib.util.spec_from_file_location("transcripts", ROOT / "docs" / "transcripts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TRANSCRIPTS = _transcripts()
TUTORIALS = [page for page in TRANSCRIPTS.PAGES if page.name != "README.md"]


def _run(path: Path, folder: Path) -> int:
    """Run a page, compare each output that it shows, and count them."""
    n_outputs = 0
    for shown, given in TRANSCRIPTS.outputs(path.read_text(encoding="utf-8"), folder):
        assert TRANSCRIPTS.is_same(shown, given), f"run python docs/transcripts.py\n{shown}\n{given}"
        n_outputs += 1
    return n_outputs


def test_the_readme_shows_what_its_commands_print(tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    assert _run(ROOT / "README.md", folder) == 2


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_works_as_written(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("duckdb", reason="DuckDB is not installed: the tutorials' queries do not run")
    folder = tmp_path / "page"
    folder.mkdir()
    _run(path, folder)


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_every_command_of_a_tutorial_runs_or_says_why_not(path: Path) -> None:
    assert TRANSCRIPTS.blocks_without_mark(path.read_text(encoding="utf-8")) == []


def test_there_is_a_tutorial_for_each_use() -> None:
    assert {"camera", "trailers", "interview", "queries"} == {path.stem for path in TUTORIALS}


@pytest.mark.parametrize(
    ("shown", "given"),
    [
        ("  speed  6.2 times\n", "  speed  1.0 times\n"),
        ("results outputs/demo-5ca57e30\n", "results outputs/demo-00000000\n"),
        ("file:///home/you/outputs/demo-5ca57e30/report.html\n", "file:///t/outputs/demo-11111111/report.html\n"),
    ],
)
def test_times_ids_and_folders_are_no_difference(shown: str, given: str) -> None:
    assert TRANSCRIPTS.is_same(shown, given)


@pytest.mark.parametrize(
    ("shown", "given", "is_same"),
    [
        ("happy 42%, peaks at 0.90", "happy 43%, peaks at 0.88", True),
        ("happy 42%", "happy 45%", False),
        ("peaks at 0.90", "peaks at 0.60", False),
        ("faces 80 in 4 tracks", "faces 81 in 4 tracks", False),
        ("angry 42%", "happy 42%", False),
    ],
)
def test_figures_may_differ_by_what_a_processor_changes(shown: str, given: str, is_same: bool) -> None:
    assert TRANSCRIPTS.is_same(shown, given) is is_same
