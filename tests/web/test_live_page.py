"""The live view's page in a real browser: pictures arrive, numbers follow, keys and buttons work, nothing goes out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from browser import Visit
from fervid.config import load_settings
from fervid.demo.photograph import make_demo_clip
from fervid.live.picture import LivePainter
from fervid.live.screens import BrowserScreen
from fervid.live.server import LiveServer
from fervid.live.session import LiveSession
from fervid.live.view import Ending, Stills, run_live

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
    assert page.locator("img").count() == 1
    assert "looks" in page.inner_text(".face h3")
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
