"""The pictures in the documents are what the page looks like now.

FERVID_KEEP_PICTURES=1 pytest -m slow tests/web/test_pictures.py     takes them anew
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import fervid
from browser import Visit, first_address
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rule_text import rules_text
from fervid.alerts.language.rules import load_rules, parse_rules
from fervid.base.opencv import cv2
from fervid.demo.photograph import make_demo_clip
from fervid.review.cards import run_id
from served import Served, serving
from synthetic import constant_rate, empty_picture, write_video

pytestmark = pytest.mark.slow

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
QUALITY = 82
BLOCK_PX = 16
LARGEST_DIFFERENCE = 24.0
"""Between the means of a block before and now, in levels of 255: other fonts stay below, a moved part does not."""
MOST_OTHER_BLOCKS = 0.06
CALM = {
    "name": "calm",
    "wording": "neutral expression that lasts",
    "score": "neutral",
    "enter": 0.5,
    "exit": 0.4,
    "for": "2s",
    "merge_gap": "0.1s",
    "cooldown": "1s",
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The demo clip with moments for review, a stretch of it, a video without faces, and one that failed."""
    out = tmp_path_factory.mktemp("pictures")
    clip = make_demo_clip(out / "hall" / "demo.mp4")
    short = fervid.load_settings(assignments=["video.end_seconds=5"], environment={})
    (out / "yard").mkdir()
    empty = write_video(out / "yard" / "night.mp4", constant_rate(6), empty_picture)
    rules = rules_text(parse_rules({"rule": [CALM]}, source="calm").rules, ())
    (out / "calm.toml").write_text(rules)
    for video, settings, folder in ((clip, None, "runs"), (clip, short, "runs/first-seconds"), (empty, None, "runs")):
        run = fervid.analyze(video, out=out / folder, settings=settings, device="cpu", plot=False)
        write_alerts(scan_run(run, load_rules(str(out / "calm.toml"))))
    failure = {"video": "/yard/cut-off.mp4", "status": "rejected", "reason": "/yard/cut-off.mp4 has no video data."}
    (out / "runs" / "failed.jsonl").write_text(json.dumps(failure) + "\n")
    with serving(out / "runs", rules=str(out / "calm.toml")) as made:
        yield made


def show_list(opened: Visit) -> None:
    opened.until("[...document.querySelectorAll('img.thumbnail')].every((i) => i.complete && i.naturalWidth)")


def show_alert(opened: Visit) -> None:
    opened.wait_for_picture()
    opened.page.keyboard.press("j")
    opened.page.keyboard.press("ArrowRight")
    opened.wait_for_picture()
    opened.page.locator(".answer").first.wait_for()


@pytest.mark.parametrize(
    ("name", "scheme", "show"),
    [("review-list", "light", show_list), ("review-run", "light", show_alert), ("review-run-dark", "dark", show_alert)],
)
def test_the_page_looks_as_in_its_picture(
    visit: Callable[..., Visit], served: Served, name: str, scheme: str, show: Callable[[Visit], None]
) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    run = next(folder for folder in served.folder.glob("demo-*"))
    address = first_address(served, f"#/run/{run_id(run)}" if show is show_alert else "")
    opened = visit(
        address, color_scheme=scheme, viewport={"width": 1280, "height": 1140 if show is show_alert else 640}
    )
    show(opened)
    opened.page.wait_for_timeout(400)
    taken = pillow.open(io.BytesIO(opened.page.screenshot())).convert("RGB")
    kept = IMAGES / f"{name}.jpg"
    if os.environ.get("FERVID_KEEP_PICTURES"):
        kept.parent.mkdir(exist_ok=True)
        taken.save(kept, quality=QUALITY, optimize=True, subsampling=0)
    before, now = (blocks(np.asarray(image)) for image in (pillow.open(kept).convert("RGB"), taken))
    assert before.shape == now.shape
    assert float((np.abs(before - now).max(axis=2) > LARGEST_DIFFERENCE).mean()) <= MOST_OTHER_BLOCKS
    assert opened.problems == []


def blocks(rgb: np.ndarray) -> np.ndarray:
    """The mean colour of each block."""
    size = (rgb.shape[1] // BLOCK_PX, rgb.shape[0] // BLOCK_PX)
    return np.asarray(cv2.resize(rgb.astype(np.float32), size, interpolation=cv2.INTER_AREA))
