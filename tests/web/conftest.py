"""The review page in a real browser: Debian's Chromium, driven by Playwright. Without one, the skip is printed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fervid
from browser import CHROMIUM, OPTIONS, Visit, launch, open_page
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import parse_rules
from fervid.demo.photograph import make_demo_clip
from served import Served, serving

ANY_FACE = {"name": "any", "wording": "a face", "score": "confidence", "enter": 0, "for": 0, "merge_gap": 0.1}


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder that holds `videos/`."""
    value = os.environ.get("FERVID_TEST_DATA")
    if not value:
        pytest.skip("FERVID_TEST_DATA is not set: no real footage")
    return Path(value)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: no browser tests")
    if CHROMIUM is None:
        pytest.skip("no Chromium (apt-get install chromium, or FERVID_CHROMIUM=PATH): no browser tests")
    with playwright.sync_playwright() as engine:
        started = launch(engine)
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Callable[..., Visit]]:
    """Open an address in a fresh profile."""
    contexts = []

    def opened(address: str, *, ready: bool = True, **options: Any) -> Visit:
        context = browser.new_context(**OPTIONS | options)
        contexts.append(context)
        return open_page(context, address, ready=ready)

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def demo_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the demo clip, analysed, with one alert about any face. For reading only."""
    out = tmp_path_factory.mktemp("demo")
    clip = make_demo_clip(out / "demo" / "clip.mp4")
    run = fervid.analyze(clip, out=out / "runs", device="cpu", plot=False)
    write_alerts(scan_run(run, parse_rules({"rule": [ANY_FACE]}, source="any")))
    return out / "runs"


@pytest.fixture
def served_demo(demo_runs: Path, tmp_path: Path) -> Iterator[Served]:
    """The demo served from a copy that a test may write to."""
    with serving(Path(shutil.copytree(demo_runs, tmp_path / "runs"))) as made:
        yield made
