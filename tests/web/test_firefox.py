"""The main pages in Firefox: list, run, player, chart, verdict, comparison, and a page from disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import first_address
from fervid.review.cards import run_id
from fervid.review.report import write_reports
from marionette import FIREFOX, Firefox, firefox
from served import Served

pytestmark = pytest.mark.slow

END, RIGHT = "\ue010", "\ue014"
READY = "document.body.dataset.ready === 'true'"
PICTURE = "(() => { const v = document.querySelector('video'); return v && v.readyState >= 2 && !v.seeking; })()"

COLOURS = """(() => {
    const c = document.querySelector("canvas.chart");
    const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
    return new Set(new Uint32Array(data.buffer)).size;
})()"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    if FIREFOX is None:
        pytest.skip("no Firefox (apt-get install firefox-esr, or FERVID_FIREFOX=PATH): no tests in it")
    with firefox(tmp_path_factory.mktemp("firefox") / "profile") as started:
        yield started


def go(page: Firefox, address: str) -> None:
    page.ask(
        "WebDriver:Navigate", {"url": "about:blank"}
    )  # an address that differs in its hash alone is not loaded anew
    page.ask("WebDriver:Navigate", {"url": address})
    page.until(READY)


def own_run(served: Served) -> tuple[Path, str]:
    folder = next(one for one in served.folder.iterdir() if (one / "manifest.json").is_file())
    return folder, run_id(folder)


def test_from_the_list_to_a_verdict_about_an_alert(page: Firefox, served_demo: Served) -> None:
    folder, name = own_run(served_demo)
    go(page, first_address(served_demo))
    assert page.evaluate("document.querySelector('td.name a b').textContent") == "clip.mp4"
    page.evaluate("document.querySelector('td.name a').click()")
    page.until(f"location.hash.startsWith('#/run/{name}') && {PICTURE}")
    page.press("j", "t")
    page.until("document.querySelector('.alerts .said')?.textContent.includes('true')")
    assert (folder / "reviews.parquet").is_file()
    page.until("document.querySelectorAll('.answer').length > 0")


def test_the_video_plays_and_the_cursor_follows(page: Firefox, served_demo: Served) -> None:
    _, name = own_run(served_demo)
    go(page, first_address(served_demo, f"#/run/{name}@2"))
    page.until(PICTURE)
    assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(2.0, abs=0.05)
    page.press(" ")
    page.until("Number(document.querySelector('[role=slider]').getAttribute('aria-valuenow')) > 3")
    page.press(" ", END)
    page.until("Number(document.querySelector('[role=slider]').getAttribute('aria-valuenow')) > 11")
    assert page.evaluate(COLOURS) > 10, "curves are drawn"


def test_two_videos_have_one_cursor(page: Firefox, served_demo: Served) -> None:
    _, name = own_run(served_demo)
    go(page, first_address(served_demo, f"#/compare?runs={name},{name}&at=3&shift=0,1"))
    times = "[...document.querySelectorAll('video')].map((v) => Math.round(10 * v.currentTime))"
    page.until("[...document.querySelectorAll('video')].every((v) => v.readyState >= 2 && !v.seeking)")
    assert page.evaluate(times) == [30, 20]
    page.press(RIGHT)
    page.until(f"String({times}) === '40,30'")


def test_a_page_from_disk_has_its_curves_and_thresholds(page: Firefox, served_demo: Served, tmp_path: Path) -> None:
    [report, *_] = write_reports([served_demo.folder], out=tmp_path)
    go(page, report.as_uri())
    page.until("document.querySelector('input[type=range]') !== null")
    missing: Any = page.evaluate("document.querySelector('.run') === null")
    assert missing is False
