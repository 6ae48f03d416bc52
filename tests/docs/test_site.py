"""The site builds without a warning, and what its first page tells a reader to type works."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runner import SOURCE, run_fervid

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"<!-- run -->\n```(sh|python)\n(.*?)```", re.S)


@pytest.mark.slow
def test_the_site_builds_strictly_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed (pip install 'fervid[docs]')")
    built = subprocess.run(
        [
            sys.executable,
            "-m",
            "mkdocs",
            "build",
            "--strict",
            "-q",
            "-f",
            str(ROOT / "mkdocs.yml"),
            "-d",
            str(tmp_path),
        ],
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    interface = (tmp_path / "api" / "index.html").read_text(encoding="utf-8")
    for name in (
        "fervid.analysis.analyze",
        "fervid.run.handle.Run",
        "fervid.detect.Detector",
        "fervid.errors.ConfigError",
    ):
        assert f'id="{name}"' in interface, name
    assert not (tmp_path / "generate.py").exists()
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    loaded = re.findall(r'<(?:script|img|iframe)[^>]+src="([^"]+)"|<link[^>]+rel="stylesheet"[^>]+href="([^"]+)"', page)
    assert loaded
    assert not [address for pair in loaded for address in pair if address.startswith(("http:", "https:", "//"))]


@pytest.mark.slow
def test_the_first_page_works_as_written(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "index.md").read_text(encoding="utf-8"))
    assert [kind for kind, _ in blocks] == ["sh", "python"]
    for kind, text in blocks:
        if kind == "sh":
            for line in text.strip().splitlines():
                program, *arguments = line.split()
                assert program == "fervid"
                done = run_fervid(*arguments, cwd=tmp_path)
                assert done.returncode == 0, (line, done.stderr)
        else:
            done = subprocess.run(
                [sys.executable, "-c", text],
                cwd=tmp_path,
                env=os.environ | {"PYTHONPATH": str(SOURCE)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert "share_happy" in done.stdout


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("nav:")[1]
    for page in (ROOT / "docs").rglob("*.md"):
        assert re.search(rf"[ -]{re.escape(page.relative_to(ROOT / 'docs').as_posix())}$", navigation, re.MULTILINE), (
            page
        )
