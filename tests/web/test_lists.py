"""The list of videos and the strongest moments: what is searched for is found, and the place is kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fervid
from browser import Visit, first_address
from fervid.review.index import RunIndex
from fervid.run.find import folders_below
from many_runs import many_runs
from served import Served, serving

pytestmark = pytest.mark.slow

Visiting = Callable[..., Visit]
N_RUNS = 70
LOOKS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture(scope="module")
def folder(demo_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """70 runs of the demo clip, without any picture. For reading only."""
    run = fervid.open_run(next(folders_below(demo_runs)))
    return many_runs(run, tmp_path_factory.mktemp("lists"), N_RUNS, 3)


@pytest.fixture
def served(folder: Path, tmp_path: Path) -> Iterator[Served]:
    with serving(Path(shutil.copytree(folder, tmp_path / "many"))) as made:
        yield made


def test_a_click_in_a_new_folder_does_not_wait_for_pictures(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served))
    page = opened.page
    page.mouse.wheel(0, 3000)
    page.locator(".runs td.name a").nth(20).click()
    opened.wait_for_picture()
    stills = [address for address in opened.addresses if "/stills/" in address]
    videos = [address for address in opened.addresses if "/media/" in address]
    assert len(videos) > 0
    assert len(stills) < N_RUNS
    assert opened.problems == []


def test_at_most_two_pictures_are_on_their_way(visit: Visiting, served: Served) -> None:
    opened = visit(f"{first_address(served)}#/", ready=False)
    now, most = set(), [0]
    opened.page.on("request", lambda one: "/stills/" in one.url and (now.add(one.url), most.append(len(now))))
    for name in ("requestfinished", "requestfailed"):
        opened.page.on(name, lambda one: now.discard(one.url))
    opened.until("document.querySelectorAll('img.thumbnail.here').length > 4")
    assert 0 < max(most) <= 2


def test_search_filter_order_and_place_survive_the_way_to_a_video_and_back(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served))
    page = opened.page
    page.get_by_label("Search names").fill("clip-00")
    page.get_by_role("button", name="length").click()
    page.get_by_text("More filters").click()
    page.get_by_label("Camera").select_option("demo")
    links = page.locator(".runs td.name a")
    links.nth(12).scroll_into_view_if_needed()
    links.nth(12).focus()
    name = links.nth(12).locator("b").inner_text()
    page.wait_for_timeout(400)
    y = page.evaluate("scrollY")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name=name).wait_for()
    page.go_back()
    page.get_by_label("Search names").wait_for()
    opened.until("document.activeElement?.dataset.run !== undefined")
    assert page.get_by_label("Search names").input_value() == "clip-00"
    assert page.get_by_label("Camera").input_value() == "demo"
    assert page.evaluate("document.activeElement.querySelector('b').textContent") == name
    assert page.evaluate("scrollY") == pytest.approx(y, abs=40)
    assert page.locator("th.duration").get_attribute("aria-sort") == "descending"


def test_videos_in_which_somebody_looks_so_for_long_enough(visit: Visiting, served: Served) -> None:
    index = RunIndex((served.folder,))
    label = max(LOOKS, key=lambda one: next(iter(index.find(one, 0.0, 0.0).values()))["seconds"])
    longest = {one: next(iter(index.find(one, 0.3, 0.0).values()), {"seconds": 0.0})["seconds"] for one in LOOKS}
    label = max(longest, key=lambda one: longest[one])
    opened = visit(first_address(served, f"#/?look={label}&score=0.3&lasts={longest[label] - 0.1:.2f}"))
    page = opened.page
    page.get_by_role("link", name=f"{label} ≥ 0.3 for {longest[label]:.1f} s").first.wait_for()
    assert page.locator(".list-tools > [role=status]").inner_text() == f"{N_RUNS} videos"
    page.get_by_label("for seconds").fill(str(longest[label] + 1))
    page.get_by_text("Nothing matches.").wait_for()
    page.locator(".runs").get_by_role("button", name="Clear search and filters").click()
    assert page.locator(".list-tools > [role=status]").inner_text() == f"{N_RUNS} videos"
    assert opened.problems == []


def test_the_strongest_moments_lead_to_themselves(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served))
    page = opened.page
    page.keyboard.press("m")
    page.get_by_role("button", name="neutral").click()
    first = page.locator(".moments-grid a").first
    first.wait_for()
    values = [float(text.split()[1]) for text in page.locator(".moments-grid b").all_inner_texts()]
    assert values == sorted(values, reverse=True)
    seconds = float(first.get_attribute("href").rpartition("@")[2])
    first.click()
    opened.until(f"Math.abs(+document.querySelector('[role=slider]')?.ariaValueNow - {seconds}) < 0.1")
    page.go_back()
    page.get_by_role("button", name="neutral", pressed=True).wait_for()
    assert opened.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("rest", ["#/?look=happy", "#/moments"])
def test_axe_finds_nothing_in_lists(visit: Visiting, served: Served, rest: str, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    opened = visit(first_address(served, rest), color_scheme=scheme, bypass_csp=True)
    opened.page.wait_for_timeout(800)
    found = axe.Axe().run(opened.page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]][:2]) for one in found] == []
