"""A visit to the review page in a real browser, for tests and benchmarks: what is seen, what went wrong or out."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, field
from typing import Any

from served import TOKEN, Served

CHROMIUM = os.environ.get("FERVID_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
SIZE = {"width": 1280, "height": 860}
PATIENCE_MS, POLL_MS = 60_000, 20
OPTIONS = {"viewport": SIZE, "color_scheme": "light", "reduced_motion": "reduce"}


@dataclass
class Visit:
    """A page that was opened, and what went wrong or out on it."""

    page: Any
    problems: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def time(self) -> float:
        """Where the video stands, in seconds."""
        return float(self.page.evaluate("document.querySelector('video').currentTime"))

    def cursor(self) -> float:
        """Where the cursor of the timeline stands, to a tenth of a second."""
        return float(self.page.locator("[role=slider]").get_attribute("aria-valuenow"))

    def until(self, condition: str) -> None:
        """Ask until an expression holds. (Playwright's own waiting evaluates text, which the page forbids.)"""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self.page.evaluate(condition):
            assert time.monotonic() < deadline, f"never came true: {condition}"
            self.page.wait_for_timeout(POLL_MS)

    def wait_for_picture(self) -> None:
        """Until the video has a picture of the moment that was asked for."""
        video = "const v = document.querySelector('video');"
        self.until(f"(() => {{ {video} return v && v.readyState >= 2 && !v.seeking; }})()")

    def click_time(self, seconds: float) -> float:
        """Click the chart where a moment lies; returns the moment of the pixel that was hit."""
        slider = self.page.locator("[role=slider]")
        slider.scroll_into_view_if_needed()
        area = slider.evaluate("e => ({...e.dataset})")
        start, end, left, width = (float(area[name]) for name in ("from", "to", "left", "width"))
        pixel = round(left + (seconds - start) / (end - start) * width)
        slider.click(position={"x": pixel, "y": 60})
        return start + (pixel - left) / width * (end - start)


def launch(engine: Any) -> Any:
    """Start Chromium without a window."""
    return engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--mute-audio"])


def open_page(context: Any, address: str, *, ready: bool = True) -> Visit:
    """Open an address; whatever the page complains about, and every address it asks for, is noted."""
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    made = Visit(page)
    page.on("console", lambda message: made.problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: made.problems.append(str(error)))
    page.on("dialog", lambda dialog: (made.problems.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: made.addresses.append(request.url))
    page.goto(address)
    if ready:
        page.wait_for_selector("body[data-ready]")
    return made


def first_address(served: Served, rest: str = "") -> str:
    """The address that the command prints."""
    return f"{served.origin}/?token={TOKEN}{rest}"
