"""The pictures in the documents are what the page looks like now.

FERVID_KEEP_PICTURES=1 pytest -m slow tests/web/test_pictures.py     takes them anew
"""

from __future__ import annotations

import io
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import fervid
from browser import Visit, first_address
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import load_rules
from fervid.base.opencv import cv2
from fervid.demo.scenes import make_demo_scenes
from fervid.live.picture import LivePainter
from fervid.live.screens import BrowserScreen
from fervid.live.server import LiveServer
from fervid.live.session import LiveSession
from fervid.live.view import run_live
from fervid.review.cards import run_id
from fervid.review.report import write_reports
from runner import run_fervid
from served import Served, serving
from synthetic import constant_rate, empty_picture, write_video

pytestmark = pytest.mark.slow

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
QUALITY = 70
LARGEST_BYTES = 1_500_000
BLOCK_PX = 16
LARGEST_DIFFERENCE = 24.0
"""Between the means of a block before and now, in levels of 255: other fonts stay below, a moved part does not."""
MOST_OTHER_BLOCKS = 0.06
MOST_OTHERS_LIVE = 0.35
"""The picture and the curves of a live view are at another moment each time."""
LIVE_MS = 6000
RULES = "anger"
REVIEWER = "sam"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The clip of `fervid demo`, a stretch of it, a video without faces, and one that failed."""
    out = tmp_path_factory.mktemp("pictures")
    clip = make_demo_scenes(out / "hall" / "demo.mp4")
    short = fervid.load_settings(assignments=["video.end_seconds=9"], environment={})
    (out / "yard").mkdir()
    empty = write_video(out / "yard" / "night.mp4", constant_rate(6), empty_picture)
    for video, settings, folder in ((clip, None, "runs"), (clip, short, "runs/first-seconds"), (empty, None, "runs")):
        run = fervid.analyze(video, out=out / folder, settings=settings, device="cpu", plot=False)
        write_alerts(scan_run(run, load_rules(RULES)))
    failure = {"video": "/yard/cut-off.mp4", "status": "rejected", "reason": "/yard/cut-off.mp4 has no video data."}
    (out / "runs" / "failed.jsonl").write_text(json.dumps(failure) + "\n")
    write_reports([out / "runs"], rules=RULES)
    demo = next((out / "runs").glob("demo-*"))
    for command in (("alerts", "runs"), ("profile", str(demo)), ("profile", "runs")):
        done = run_fervid(*command, cwd=out)
        assert done.returncode == 0, done.stderr
    with pytest.MonkeyPatch.context() as patch, serving(out / "runs", rules=RULES) as made:
        patch.setenv("LOGNAME", REVIEWER)
        yield made


def show_list(opened: Visit) -> None:
    opened.until("[...document.querySelectorAll('img.thumbnail')].every((i) => i.complete && i.naturalWidth)")


def show_alert(opened: Visit) -> None:
    opened.wait_for_picture()
    opened.page.keyboard.press("j")
    opened.page.keyboard.press("ArrowRight")
    opened.wait_for_picture()
    opened.page.locator(".answer").first.wait_for()


def show_queue(opened: Visit) -> None:
    opened.page.keyboard.press("j")
    opened.wait_for_picture()
    opened.until("[...document.querySelectorAll('.queue img')].every((i) => i.complete && i.naturalWidth)")


def show_moments(opened: Visit) -> None:
    opened.until("document.querySelectorAll('.moments-grid img').length > 0")
    opened.until("[...document.querySelectorAll('.moments-grid img')].every((i) => i.complete && i.naturalWidth)")


def show_compared(opened: Visit) -> None:
    opened.until("[...document.querySelectorAll('video')].every((v) => v.readyState >= 2 && !v.seeking)")


def show_whatif(opened: Visit) -> None:
    opened.wait_for_picture()
    opened.page.get_by_label("Threshold of").first.fill("0.95")
    opened.page.locator(".changes li").first.wait_for()


def show_file(_opened: Visit) -> None:
    """A page without a player."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("name", "address", "height", "show"),
    [
        ("list", "served:", 640, show_list),
        ("run", "served:#/run/{demo}", 1140, show_alert),
        ("alerts", "served:#/alerts", 760, show_queue),
        ("moments", "served:#/moments?label=angry", 640, show_moments),
        (
            "side-by-side",
            "served:#/compare?runs={demo},{part}&shift=0,2&at=6.6&by=look&looks=angry,happy,neutral",
            960,
            show_compared,
        ),
        ("threshold", "report.html#/run/{demo}@6.6", 1000, show_whatif),
        ("alert-report", "alerts.html", 760, show_file),
        ("profile", "{profile}", 1000, show_file),
        ("comparison", "comparison.html", 900, show_file),
    ],
)
def test_the_page_looks_as_in_its_picture(
    visit: Callable[..., Visit],
    served: Served,
    scheme: str,
    name: str,
    address: str,
    height: int,
    show: Callable[[Visit], None],
) -> None:
    runs = {
        "demo": run_id(next(served.folder.glob("demo-*"))),
        "part": run_id(next((served.folder / "first-seconds").glob("demo-*"))),
        "profile": next(served.folder.glob("demo-*/profile.html")).relative_to(served.folder).as_posix(),
    }
    where = address.format(**runs)
    if where.startswith("served:"):
        where = first_address(served, where.removeprefix("served:"))
    else:
        where = f"file://{served.folder / where}"
    opened = visit(where, ready=show is not show_file, color_scheme=scheme, viewport={"width": 1280, "height": height})
    show(opened)
    opened.page.wait_for_timeout(400)
    compare(opened, f"{name}{'-dark' if scheme == 'dark' else ''}")
    assert opened.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_live_page_looks_as_in_its_picture(visit: Callable[..., Visit], served: Served, scheme: str) -> None:
    clip = served.folder.parent / "hall" / "demo.mp4"
    settings = fervid.load_settings(assignments=["video.fps=10"], environment={})
    session = LiveSession(str(clip), settings=settings, device="cpu", loops=True)
    with LiveServer(session.model.labels, title=clip.name, may_save=True) as server, session:
        painter, screen = LivePainter(session.model.labels), BrowserScreen(server)
        watching = threading.Thread(target=run_live, args=(session, painter, [screen]), kwargs={"longest_seconds": 60})
        watching.start()
        opened = visit(server.url, ready=False, color_scheme=scheme, viewport={"width": 1280, "height": 760})
        opened.until("document.querySelectorAll('.face .bar').length >= 7")
        opened.page.wait_for_timeout(LIVE_MS)
        compare(opened, f"live{'-dark' if scheme == 'dark' else ''}", most_others=MOST_OTHERS_LIVE)
        session.capture.slot.close()
        watching.join(30)


def compare(opened: Visit, name: str, *, most_others: float = MOST_OTHER_BLOCKS) -> None:
    """Hold a page to its picture in the documents, or take that anew."""
    pillow = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    taken = pillow.open(io.BytesIO(opened.page.screenshot())).convert("RGB")
    kept = IMAGES / f"page-{name}.webp"
    if os.environ.get("FERVID_KEEP_PICTURES"):
        kept.parent.mkdir(exist_ok=True)
        taken.save(kept, quality=QUALITY, method=6)
    before, now = (blocks(np.asarray(image)) for image in (pillow.open(kept).convert("RGB"), taken))
    assert before.shape == now.shape
    assert float((np.abs(before - now).max(axis=2) > LARGEST_DIFFERENCE).mean()) <= most_others


def test_the_pictures_are_small_enough_for_a_repository() -> None:
    assert sum(path.stat().st_size for path in IMAGES.glob("page-*.webp")) <= LARGEST_BYTES


def blocks(rgb: np.ndarray) -> np.ndarray:
    """The mean colour of each block."""
    size = (rgb.shape[1] // BLOCK_PX, rgb.shape[0] // BLOCK_PX)
    return np.asarray(cv2.resize(rgb.astype(np.float32), size, interpolation=cv2.INTER_AREA))
