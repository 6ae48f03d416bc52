"""The live view's page in a real browser: pictures arrive, numbers follow, keys and buttons work, nothing goes out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from browser import Visit
from fervid.alerts.language.rules import parse_rules
from fervid.config import load_settings
from fervid.demo.photograph import make_demo_clip
from fervid.live.picture import LivePainter
from fervid.live.screens import BrowserScreen
from fervid.live.server import LiveServer
from fervid.live.session import LiveSession
from fervid.live.view import Ending, Stills, run_live

ANY_FACE = {"name": "any", "wording": "a face", "score": "confidence", "enter": 0, "for": 0, "merge_gap": 0.1}

NUMBERS = """(() => {
    const said = document.querySelector(".face h3").textContent.split(" ").at(-1);
    return [...document.querySelectorAll(".face .value")].map((value) => value.textContent).includes(said);
})()"""
"""Whether the bars of the first face have the number that its label has."""

pytestmark = pytest.mark.slow


@pytest.fixture
def live(tmp_path: Path) -> Iterator[tuple[str, list[Ending], Path]]:
    """The demo clip, played again and again; its address, how it ended, and where stills go."""
    clip = make_demo_clip(tmp_path / "<img src=x onerror=alert(1)>.mp4")
    settings = load_settings(assignments=["video.fps=10"], environment={})
    session = LiveSession(str(clip), settings=settings, device="cpu", loops=True)
    endings: list[Ending] = []
    stills = Stills(tmp_path / "stills")
    with LiveServer(session.model.labels, title=clip.name, may_save=True) as server, session:
        painter, screen = LivePainter(session.model.labels), BrowserScreen(server)

        def watch() -> None:
            endings.append(run_live(session, painter, [screen], stills=stills, longest_seconds=90))
            server.hub.close()

        watching = threading.Thread(target=watch)
        watching.start()
        yield server.url, endings, stills.folder
        session.capture.slot.close()
        watching.join(10)


def test_the_page_shows_pictures_and_numbers_and_takes_keys(
    visit: Callable[..., Visit], live: tuple[str, list[Ending], Path]
) -> None:
    url, endings, stills = live
    seen = visit(url, ready=False)
    page = seen.page
    seen.until("document.querySelector('#picture').naturalWidth === 853")
    seen.until("document.querySelectorAll('.face .bar').length >= 7")
    seen.until("/\\d fps/.test(document.querySelector('#status').textContent)")
    assert page.inner_text("h1") == "<img src=x onerror=alert(1)>.mp4"
    assert page.locator(".picture img").count() == 1
    assert "looks" in page.inner_text(".face h3")
    assert page.evaluate(NUMBERS)  # read in one go, as the next frame has others
    shown = page.screenshot()
    page.wait_for_timeout(1500)
    assert page.screenshot() != shown
    page.keyboard.press("s")
    deadline = time.monotonic() + 120
    while not list(stills.glob("*.jpg")):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    page.get_by_role("button", name="Quit").click()
    seen.until("document.querySelector('#status').textContent === 'The view has ended.'")
    assert endings[0].reason == "quit"
    assert seen.problems == []
    assert {address.split("/")[2] for address in seen.addresses if not address.startswith("data:")} == {
        url.split("/")[2]
    }


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    """The demo clip, with an alert for any face: its page, and what makes the source end."""
    clip = make_demo_clip(tmp_path / "clip.mp4")
    settings = load_settings(assignments=["video.fps=5"], environment={})
    rules = parse_rules({"rule": [ANY_FACE]}, source="any")
    session = LiveSession(str(clip), settings=settings, device="cpu", loops=True, rules=rules)
    with LiveServer(session.model.labels, title=clip.name) as server, session:

        def watch() -> None:
            run_live(session, LivePainter(session.model.labels, rates=False), [BrowserScreen(server)])
            server.hub.close()

        watching = threading.Thread(target=watch)
        watching.start()
        yield server.url, session.capture.slot.close
        session.capture.slot.close()
        watching.join(30)


LEAST_DRAWN = 10_000
"""Characters of a picture as a data URL; an empty canvas of the same size takes fewer."""


@pytest.mark.parametrize(("scheme", "width"), [("light", 1440), ("dark", 390)])
def test_curves_pause_choices_alerts_with_stills_and_the_end(
    visit: Callable[..., Visit],
    ending: tuple[str, Callable[[], None]],
    scheme: str,
    width: int,
    tmp_path: Path,
) -> None:
    url, end = ending
    seen = visit(url, ready=False, color_scheme=scheme, viewport={"width": width, "height": 900})
    page = seen.page
    seen.until("/0\\.\\d\\d/.test(document.querySelector('#legend').textContent)")
    seen.until("document.querySelectorAll('#alerts img').length > 0")
    seen.until("document.querySelector('#alerts img').naturalWidth === 640")
    assert page.locator("#whose option").all_inner_texts()[0] == "Mean of all faces"
    page.get_by_label("Bars", exact=True).uncheck()
    page.get_by_label("Cover faces").check()
    page.keyboard.press("p")
    seen.until("!document.querySelector('#frozen').hidden")
    assert "Paused at" in page.inner_text("#banner")
    drawn = "document.querySelector('#frozen').toDataURL()"  # not a screenshot: what is around it still moves it
    held = page.evaluate(drawn)
    page.wait_for_timeout(500)
    assert page.evaluate(drawn) == held
    assert len(held) > LEAST_DRAWN
    page.get_by_role("button", name="Continue").click()
    seen.until("document.querySelector('#frozen').hidden")
    page.screenshot(path=tmp_path / "playing.png", full_page=True)
    end()
    seen.until("document.querySelector('#banner').textContent.startsWith('The file has ended.')")
    assert (page.locator(".face").count() == 0) == ("–" in page.inner_text("#legend"))
    assert page.inner_text("#faces-title") == "Faces in the last frame"
    assert page.locator(".picture.ended").count() == 1
    assert page.get_by_role("button", name="Quit").is_disabled()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator("#alerts button").first.click()
    assert page.locator("dialog img").is_visible()
    assert seen.problems == []
    page.keyboard.press("Escape")
    page.screenshot(path=tmp_path / "live.png", full_page=True)
