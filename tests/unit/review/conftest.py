"""Two runs that are served: a portrait under a hostile name, and the same as MPEG-TS, which no browser plays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fervid
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import parse_rules
from many_runs import ANY_FACE, HOSTILE
from synthetic import constant_rate, write_video


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both with an alert."""
    out = tmp_path_factory.mktemp("served")
    (out / "cam").mkdir()
    videos = [write_video(out / "cam" / HOSTILE, constant_rate(1.6))]
    videos.append(write_video(out / "cam" / "old.ts", constant_rate(1.6)))
    for video in videos:
        run = fervid.analyze(video, out=out / "runs", device="cpu", plot=False)
        write_alerts(scan_run(run, parse_rules({"rule": [ANY_FACE]}, source="any")))
    return out


@pytest.fixture
def runs(analysed: Path, tmp_path: Path) -> Path:
    """A copy of the runs that a test may write to; the videos stay where they are."""
    return Path(shutil.copytree(analysed / "runs", tmp_path / "runs"))


@pytest.fixture
def client(runs: Path) -> Iterator[Any]:
    pytest.importorskip("starlette", reason="the review server needs fervid[web]")
    from served import serving

    with serving(runs) as made:
        yield made
