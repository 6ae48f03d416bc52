"""Working through runs as a reviewer does, on real footage: seek, follow, keys, verdicts, previews, safety."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

import fervid
from browser import Visit, first_address
from fervid.alerts.find.scan import find_runs, scan_run, write_alerts
from fervid.alerts.language.rules import load_rules
from fervid.alerts.review.reviews import import_verdicts, read_verdicts
from fervid.review.cards import run_id
from fervid.review.preview import Previews
from fervid.review.report import write_reports
from runner import run_fervid
from served import Served, serving
from synthetic import constant_rate, face_until, write_video

pytestmark = pytest.mark.slow

ANGRY, LONG, PHONE = "labelled/style_angry_furious1_clip1.mp4", "faces/woman2.mp4", "faces/face_noface.mov"
HOSTILE = "<img src=x onerror=alert(1)>'\"&#x27;</script><script>alert(2)</script>.mp4".replace("/", "\u2215")
SEEK_ERROR_SECONDS = 0.1

DRAWN = """() => {
    const c = document.querySelector('canvas.overlay');
    const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    const xs = [], ys = [];
    for (let y = 0; y < c.height; y++)
        for (let x = 0; x < c.width; x++) if (d[4 * (y * c.width + x) + 3] > 200) { xs.push(x); ys.push(y); }
    const low = (values) => values.reduce((a, b) => Math.min(a, b));
    const high = (values) => values.reduce((a, b) => Math.max(a, b));
    return xs.length ? [low(xs) / c.width, low(ys) / c.height, high(xs) / c.width, high(ys) / c.height] : null;
}"""
"""What is drawn over the video: left, top, right and bottom as shares of its size; null when nothing is."""
PAINTED = """() => {
    const c = document.querySelector('canvas.strip');
    return c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v);
}"""

Visiting = Callable[..., Visit]


@pytest.fixture(scope="session")
def footage_runs(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of a scowling man (an alert), a woman of 15 s, an HEVC file, one with a hostile name. For reading only."""
    out = tmp_path_factory.mktemp("footage")
    named = shutil.copy(test_data / "videos" / "faces" / "single_face.mp4", out / HOSTILE)
    videos = [*(test_data / "videos" / name for name in (ANGRY, LONG, PHONE)), Path(named)]
    for video in videos:
        run = fervid.analyze(video, out=out / "runs", device="cpu", plot=False)
        write_alerts(scan_run(run, load_rules("anger")))
        Previews((out,)).thumbnail(run)
    failure = {"video": f"/videos/{HOSTILE}", "status": "rejected", "reason": "<b>no</b> video"}
    (out / "runs" / "failed.jsonl").write_text(json.dumps(failure) + "\n")
    return out / "runs"


@pytest.fixture
def runs(footage_runs: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(footage_runs, tmp_path / "runs"))


@pytest.fixture
def served(runs: Path) -> Iterator[Served]:
    with serving(runs) as made:
        yield made


def folder_of(runs: Path, start: str) -> Path:
    return next(runs.glob(f"{start}*"))


def address_of(served: Served, start: str) -> str:
    return first_address(served, f"#/run/{run_id(folder_of(served.folder, start))}")


def test_a_click_on_the_chart_shows_that_moment(visit: Visiting, served: Served) -> None:
    opened = visit(address_of(served, "woman2"))
    opened.wait_for_picture()
    for wanted in (12.9, 0.4, 7.77, 15.2, 3.0):
        asked = opened.click_time(wanted)
        opened.wait_for_picture()
        assert opened.time() == pytest.approx(asked, abs=SEEK_ERROR_SECONDS)
        assert opened.cursor() == pytest.approx(asked, abs=0.06)
    opened.page.get_by_role("button", name="Zoom in").click(click_count=3)
    asked = opened.click_time(3.33)
    opened.wait_for_picture()
    assert opened.time() == pytest.approx(asked, abs=SEEK_ERROR_SECONDS)
    assert asked == pytest.approx(3.33, abs=0.01)
    assert opened.problems == []


def test_the_cursor_follows_the_playing_video(visit: Visiting, served: Served) -> None:
    opened = visit(address_of(served, "woman2"))
    opened.wait_for_picture()
    opened.page.keyboard.press("Space")
    opened.until("document.querySelector('video').currentTime > 1.5")
    both = opened.page.evaluate(
        "[document.querySelector('video').currentTime, +document.querySelector('[role=slider]').ariaValueNow]"
    )
    assert both[1] == pytest.approx(both[0], abs=0.3)
    opened.page.keyboard.press("Space")
    assert opened.page.evaluate("document.querySelector('video').paused")
    opened.page.wait_for_timeout(300)
    assert opened.cursor() == pytest.approx(opened.time(), abs=0.1)
    words = opened.page.locator("[role=slider]").get_attribute("aria-valuetext")
    assert "track 0 looks " in words


def test_boxes_lie_over_the_faces(visit: Visiting, served: Served) -> None:
    opened = visit(address_of(served, "woman2"))
    opened.wait_for_picture()
    opened.click_time(8.0)
    opened.wait_for_picture()
    faces = fervid.open_run(folder_of(served.folder, "woman2")).faces.to_pandas()
    face = faces.iloc[(faces.time_s - opened.time()).abs().argmin()]
    drawn = opened.page.evaluate(DRAWN)
    assert drawn[0] == pytest.approx(face.x / 596, abs=0.03)
    assert drawn[3] == pytest.approx((face.y + face.h) / 336, abs=0.03)
    opened.page.keyboard.press("b")
    assert opened.page.evaluate(DRAWN) is None


def test_keys_go_from_alert_to_alert_and_a_verdict_is_kept(visit: Visiting, served: Served) -> None:
    opened = visit(address_of(served, "style-angry"))
    page = opened.page
    opened.wait_for_picture()
    for key, time in (("ArrowRight", 1.0), ("Shift+ArrowRight", 4.0), ("ArrowLeft", 3.0), (".", 3.2), ("Home", 0.0)):
        page.keyboard.press(key)
        assert opened.cursor() == pytest.approx(time, abs=0.06), key
    page.keyboard.press("t")
    assert read_verdicts(served.folder) == []
    page.keyboard.press("ArrowRight")
    page.keyboard.press("k")
    alert = json.loads((folder_of(served.folder, "style-angry") / "alerts.json").read_text())["alerts"][0]
    assert opened.cursor() == pytest.approx(alert["start_s"], abs=0.06)
    page.get_by_text("anger-like expression").first.wait_for()
    page.keyboard.press("f")
    page.locator(".said.false").wait_for()
    page.get_by_label("Reason of the verdict").fill("tjk: he is acting")
    page.keyboard.press("Enter")
    opened.until("document.getElementById('announcer').textContent === 'Saved: false'")
    page.wait_for_timeout(300)
    said = json.loads(run_fervid("alerts", "review", str(served.folder), "--json").stdout)["verdicts"]
    assert [(one["verdict"], one["reason"]) for one in said] == [("false", "tjk: he is acting")]
    page.reload()
    page.locator(".said.false").wait_for()
    page.keyboard.press("j")
    page.keyboard.press("u")
    page.locator(".said.unsure").wait_for()
    page.get_by_role("link", name="all videos").click()
    page.get_by_text("1 reviewed").wait_for()
    assert [one.verdict for one in read_verdicts(served.folder)] == ["unsure"]
    assert opened.problems == []


def test_verdicts_on_a_page_from_disk_come_home_as_a_file(visit: Visiting, runs: Path, tmp_path: Path) -> None:
    page_file = write_reports([folder_of(runs, "style-angry")])[0]
    opened = visit(f"file://{quote(str(page_file))}")
    page = opened.page
    opened.wait_for_picture()
    asked = opened.click_time(2.5)
    opened.wait_for_picture()
    assert opened.time() == pytest.approx(asked, abs=SEEK_ERROR_SECONDS)
    page.keyboard.press("j")
    page.keyboard.press("t")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download 1 verdict").click()
    file = tmp_path / "verdicts.json"
    waiting.value.save_as(file)
    assert import_verdicts(find_runs([runs]), file) == (1, 0)
    assert [one.verdict for one in read_verdicts(runs)] == ["true"]
    assert opened.problems == []
    assert all(address.startswith(("file:", "data:", "blob:")) for address in opened.addresses)


def test_without_its_video_a_page_still_moves_and_takes_the_file_when_it_is_picked(
    visit: Visiting, runs: Path, test_data: Path, tmp_path: Path
) -> None:
    far_away = tmp_path / "a" / "b" / "c" / "d" / "e" / "f" / "g" / "h"
    far_away.mkdir(parents=True)
    page_file = shutil.move(write_reports([folder_of(runs, "woman2")])[0], far_away / "mailed.html")
    opened = visit(f"file://{page_file}")
    page = opened.page
    page.get_by_text("Pick the file").wait_for()
    opened.click_time(6.0)
    assert opened.cursor() == pytest.approx(6.0, abs=0.1)
    page.keyboard.press("Space")
    opened.until("+document.querySelector('[role=slider]').ariaValueNow > 6.5")
    page.keyboard.press("Space")
    page.get_by_label("Video file to play").set_input_files(test_data / "videos" / LONG)
    opened.wait_for_picture()
    assert opened.time() == pytest.approx(opened.cursor(), abs=0.1)


def test_what_the_browser_cannot_play_comes_as_previews_that_follow_one_another(
    visit: Visiting, runs: Path, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "camera.ts", constant_rate(8), face_until(7))
    fervid.analyze(video, out=runs, device="cpu", plot=False)
    with serving(runs) as served:
        opened = visit(address_of(served, "camera"))
        opened.wait_for_picture()
        assert any("/clips/" in address for address in opened.addresses)
        opened.click_time(5.5)
        opened.wait_for_picture()
        opened.page.keyboard.press("Space")
        opened.until("+document.querySelector('[role=slider]').ariaValueNow > 6.5")
        numbers = [int(address.rpartition("/")[2][:-4]) for address in opened.addresses if "/clips/" in address]
        assert {2, 3} <= set(numbers)
        assert len(numbers) == len(set(numbers))
        assert opened.problems == []


def test_a_file_whose_times_begin_late_is_shown_at_the_times_of_the_run(
    visit: Visiting, runs: Path, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "late.mkv", constant_rate(4), face_until(2), first_pts_seconds=3.0)
    run = fervid.analyze(video, out=runs, device="cpu", plot=False)
    assert run.manifest.start_time_s == pytest.approx(3.0, abs=0.01)
    with serving(runs) as served:
        opened = visit(address_of(served, "late"))
        opened.wait_for_picture()
        asked = opened.click_time(1.5)
        opened.wait_for_picture()
        assert opened.time() == pytest.approx(3.0 + asked, abs=SEEK_ERROR_SECONDS)
        opened.page.keyboard.press("Space")
        opened.until("+document.querySelector('[role=slider]').ariaValueNow >= 4.0")
        assert opened.problems == []


def test_hevc_is_tried_by_nobody_twice(visit: Visiting, served: Served) -> None:
    opened = visit(address_of(served, "face-noface"))
    opened.wait_for_picture()
    assert any("/clips/" in address for address in opened.addresses)
    asked = opened.click_time(4.0)
    opened.wait_for_picture()
    assert opened.time() == pytest.approx(asked, abs=SEEK_ERROR_SECONDS)


def test_hostile_names_stay_text_on_both_pages(visit: Visiting, served: Served) -> None:
    page_file = write_reports([served.folder])[0]
    for address in (first_address(served), f"file://{page_file}"):
        opened = visit(address)
        page = opened.page
        row = page.get_by_role("link", name="<img src=x onerror=alert(1)>")
        assert HOSTILE in row.inner_text()
        assert page.get_by_text("<b>no</b> video").is_visible()
        row.click()
        page.get_by_role("heading", name="<img src=x onerror=alert(1)>").wait_for()
        opened.wait_for_picture()
        assert page.locator("img[src=x]").count() == 0
        assert opened.problems == []


def test_nothing_is_asked_of_other_machines(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served))
    opened.page.wait_for_timeout(500)
    opened.page.goto(address_of(served, "style-angry"))
    opened.wait_for_picture()
    kinds = ("/static/", "/api/runs", "/api/strips", "/media/")
    assert all(any(kind in address for address in opened.addresses) for kind in kinds), opened.addresses
    assert {address.split("/")[2] for address in opened.addresses if not address.startswith("data:")} == {
        f"127.0.0.1:{served.port}"
    }


def test_without_a_token_the_page_says_so(visit: Visiting, served: Served) -> None:
    opened = visit(f"{served.origin}/", ready=False)
    assert opened.page.get_by_text("No valid token").is_visible()


def test_search_filter_and_order_of_the_list(visit: Visiting, served: Served) -> None:
    page = visit(first_address(served)).page
    names = page.locator("tbody tr td.name b")
    assert names.count() == 4
    assert names.first.inner_text() == "style_angry_furious1_clip1.mp4"
    page.keyboard.press("/")
    page.keyboard.type("faces woman")
    assert names.all_inner_texts() == ["woman2.mp4"]
    page.get_by_label("Search names").fill("")
    page.get_by_role("button", name="To review").click()
    assert names.all_inner_texts() == ["style_angry_furious1_clip1.mp4"]
    page.get_by_role("button", name="All").click()
    page.get_by_role("button", name="length").click()
    assert names.first.inner_text() == "woman2.mp4"
    page.locator("canvas.strip").first.scroll_into_view_if_needed()
    assert page.evaluate(PAINTED)


def test_everything_works_with_the_keyboard_alone(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served))
    page = opened.page
    focused = "document.activeElement.tagName === 'A' ? document.activeElement.textContent : ''"
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate(focused).startswith("style_angry"):
            break
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="style_angry").wait_for()
    opened.wait_for_picture()
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.getAttribute('aria-label') || document.activeElement.textContent")
        )
        if page.evaluate("document.activeElement.getAttribute('role')") == "slider":
            break
    assert any("Play" in (name or "") for name in reached)
    page.keyboard.press("ArrowRight")
    assert opened.cursor() == pytest.approx(1.0, abs=0.06)
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("dialog").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(visit: Visiting, served: Served, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    opened = visit(first_address(served), color_scheme=scheme, bypass_csp=True)
    page = opened.page
    for step in ("list", "run", "alert"):
        if step == "run":
            page.get_by_role("link", name="style_angry").click()
            page.get_by_role("heading", name="style_angry").wait_for()
        if step == "alert":
            page.keyboard.press("j")
            page.keyboard.press("t")
            page.locator(".said.true").wait_for()
        found = axe.Axe().run(page)
        serious = [one for one in found.response["violations"] if one["impact"] in ("serious", "critical")]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in serious] == [], step
        assert len(found.response["passes"]) > 10


@pytest.mark.parametrize("start", ["", "style-angry"])
def test_at_twice_the_size_everything_is_there_and_nothing_runs_off_the_side(
    visit: Visiting, served: Served, start: str
) -> None:
    address = address_of(served, start) if start else first_address(served)
    page = visit(address, viewport={"width": 640, "height": 430}, device_scale_factor=2).page
    page.wait_for_timeout(300)
    assert page.evaluate("document.documentElement.scrollWidth") <= 640
    wanted = ["Play", "True"] if start else ["All"]
    if start:
        page.keyboard.press("j")
    for name in wanted:
        button = page.get_by_role("button", name=name).first
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 640
