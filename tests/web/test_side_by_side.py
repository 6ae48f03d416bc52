"""Videos side by side: one cursor for all, aligned by their clocks, in a served folder and in a page from disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import fervid
from browser import Visit, first_address
from fervid.demo.photograph import make_demo_clip
from fervid.review.cards import run_id
from fervid.review.report import write_reports
from served import serving

pytestmark = pytest.mark.slow

APART_SECONDS = 2.0
NAMES = ("door_20261120_220000.mp4", "hall_20261120_220002.mp4", "yard.mp4")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of three videos: two whose names say that they began two seconds apart, and one of which nobody knows."""
    folder = tmp_path_factory.mktemp("three")
    for i, name in enumerate(NAMES):
        clip = make_demo_clip(folder / "videos" / name)
        clip.write_bytes(clip.read_bytes() + b"\0\0\0\x08free" * i)  # other contents, the same pictures
        fervid.analyze(clip, out=folder / "runs", device="cpu", plot=False)
    return folder / "runs"


def named(runs: Path, *starts: str) -> str:
    return ",".join(run_id(next(runs.glob(f"{start}*"))) for start in starts)


def times(opened: Visit) -> list[float]:
    return [
        float(value)
        for value in opened.page.evaluate("[...document.querySelectorAll('video')].map((v) => v.currentTime)")
    ]


def until_placed(opened: Visit) -> None:
    opened.until("[...document.querySelectorAll('video')].every((v) => v.readyState >= 2 && !v.seeking)")


def test_one_cursor_moves_all_videos_each_to_its_own_moment(visit: Callable[..., Visit], three: Path) -> None:
    with serving(three) as served:
        opened = visit(first_address(served, f"#/compare?runs={named(three, 'door', 'hall')}&at=5"))
        until_placed(opened)
        assert times(opened) == pytest.approx([5.0, 5.0 - APART_SECONDS], abs=0.05)
        assert "22:00:05.0" in opened.page.get_by_role("timer").inner_text()
        asked = opened.click_time(3.5)
        until_placed(opened)
        assert times(opened) == pytest.approx([asked, asked - APART_SECONDS], abs=0.05)
        opened.page.keyboard.press("ArrowRight")
        until_placed(opened)
        assert times(opened) == pytest.approx([asked + 1, asked + 1 - APART_SECONDS], abs=0.05)
        opened.page.get_by_label("Align").select_option("start")
        until_placed(opened)
        assert times(opened) == pytest.approx([asked + 1] * 2, abs=0.05)
        assert opened.problems == []


def test_they_play_together(visit: Callable[..., Visit], three: Path) -> None:
    with serving(three) as served:
        opened = visit(first_address(served, f"#/compare?runs={named(three, 'door', 'hall')}&at=2.5"))
        until_placed(opened)
        opened.page.get_by_role("button", name="Play").click()
        opened.until("Number(document.querySelector('[role=slider]').ariaValueNow) > 4")
        opened.page.get_by_role("button", name="Pause").click()
        until_placed(opened)
        first, second = times(opened)
        assert first > 3.9
        assert first - second == pytest.approx(APART_SECONDS, abs=0.05)


def test_the_address_keeps_faces_rows_and_moment(visit: Callable[..., Visit], three: Path) -> None:
    with serving(three) as served:
        opened = visit(first_address(served, f"#/compare?runs={named(three, 'door', 'door')}&at=3"))
        page = opened.page
        page.get_by_label("Face of B").select_option("0")
        page.get_by_label("Rows").select_option("look")
        page.get_by_label("Move B by seconds").fill("1.5")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="happy").click()
        opened.until("location.hash.includes('shift=0%2C1.5') && location.hash.includes('looks=happy')")
        page.reload()
        page.wait_for_selector("body[data-ready]")
        assert page.get_by_label("Face of B").input_value() == "0"
        assert page.get_by_label("Rows").input_value() == "look"
        until_placed(opened)
        assert times(opened) == pytest.approx([3.0, 1.5], abs=0.05)
        values = page.get_by_role("button", name="happy").inner_text()
        mean, own = values.removeprefix("happy").split("|")
        faces = fervid.open_run(next(three.glob("door*"))).faces.to_pandas()
        at = [faces.s_happy.iloc[(faces.time_s - seconds).abs().argmin()] for seconds in (3.0, 1.5)]
        assert [float(mean), float(own)] == pytest.approx(at, abs=0.02)
        assert opened.problems == []


def test_without_clocks_each_starts_at_zero_and_the_page_says_so(visit: Callable[..., Visit], three: Path) -> None:
    with serving(three) as served:
        opened = visit(first_address(served, f"#/run/{named(three, 'yard')}@4"))
        opened.page.keyboard.press("c")
        opened.page.get_by_label("Add a video").select_option(named(three, "door"))
        opened.page.get_by_role("region", name="B: door").wait_for()
        until_placed(opened)
        assert times(opened) == pytest.approx([4.0, 4.0], abs=0.05)
        assert opened.page.get_by_label("Align").is_disabled()
        assert "when A began is unknown" in opened.page.locator(".compare > p").inner_text()
        opened.page.get_by_label("Remove A").click()
        assert opened.page.locator("video").count() == 1
        assert opened.problems == []


def test_a_page_from_disk_compares_its_runs(visit: Callable[..., Visit], three: Path, tmp_path: Path) -> None:
    [page, *_] = write_reports([three], out=tmp_path)
    opened = visit(f"{page.as_uri()}#/compare?runs={named(three, 'door', 'hall')}&at=5")
    assert opened.page.locator(".compared").count() == 2
    assert "00:03.0" in opened.page.locator(".compared > p").nth(1).inner_text()
    assert [one for one in opened.problems if "file:" not in one] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_comparison(visit: Callable[..., Visit], three: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    with serving(three) as served:
        address = first_address(served, f"#/compare?runs={named(three, 'door', 'hall')}&by=look")
        opened = visit(address, color_scheme=scheme, bypass_csp=True)
        opened.page.wait_for_timeout(800)
        found = axe.Axe().run(opened.page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]][:2]) for one in found] == []
