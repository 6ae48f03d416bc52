"""What an analysis does, in counts that no machine's speed changes: a saving that stops working shows here.

The limits lie a little above what was counted when they were written; a change that needs more has to say why.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from fervid.base import assets
from fervid.config import load_settings
from fervid.emotion.model import load_model_info
from fervid.observe.observer import Observer
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.segments import plan_segments
from synthetic import constant_rate, face_until, write_video

SECONDS, FACE_SECONDS = 10, 7
LIMITS = {
    "haar": {"decoded": 215, "searches": 75, "pixels": 390_000},
    "centerface": {"decoded": 215, "searches": 40, "pixels": 1_000_000},
}
LEAST_SAVED = {"haar": 3.0, "centerface": 2.4}
"""How many times as many pixels are searched without savings."""


def counters(video: Path, *assignments: str) -> dict[str, int]:
    """Frames decoded and analysed, faces classified, and what the face search did."""
    settings = load_settings(assignments=assignments, environment={})
    info, plan = probe(video, max_pixels=settings.video.max_pixels)
    model = load_model_info(assets.model_folder(settings.emotion.model))
    observer = Observer(info, plan, settings, model, runner="litert")
    total, n_classified = Ledger(), 0
    for segment in plan_segments("v", info, plan, segment_seconds=30.0, fps=settings.video.fps):
        ledger = Ledger()
        n_classified += sum(len(scores.logits) for scores in observer.observe(segment, ledger))
        total.add(ledger)
    work = asdict(observer.work)
    searches = work["full_searches"] + work["part_searches"] + work["region_searches"]
    return {
        "frames": total.frames,
        "decoded": total.decoded,
        "analysed": total.analysed,
        "searches": searches,
        "pixels": work["pixels"],
        "classified": n_classified,
    }


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("counters")
    return write_video(folder / "face.mp4", constant_rate(SECONDS), face_until(FACE_SECONDS))


def test_the_work_of_an_analysis_is_the_same_every_time(video: Path) -> None:
    assert counters(video) == counters(video)


@pytest.mark.parametrize("detector", LIMITS)
def test_the_work_of_an_analysis_stays_within_what_it_took(video: Path, detector: str) -> None:
    found, limits = counters(video, f"detect.detector={detector}"), LIMITS[detector]
    assert found["frames"] == 25 * SECONDS
    assert found["analysed"] == 5 * SECONDS
    assert found["classified"] == 5 * FACE_SECONDS
    assert found["decoded"] <= limits["decoded"], found
    assert found["searches"] <= limits["searches"], found
    assert found["pixels"] <= limits["pixels"], found


@pytest.mark.parametrize("detector", LIMITS)
def test_every_saving_saves(video: Path, detector: str) -> None:
    found = counters(video, f"detect.detector={detector}")
    plain = counters(video, f"detect.detector={detector}", "detect.full_search_seconds=0")
    assert plain["searches"] == 5 * SECONDS
    assert found["pixels"] < plain["pixels"] / LEAST_SAVED[detector]
    assert found["classified"] == plain["classified"]
