"""The queue of alerts over all videos, as a reviewer works through it: keys, filters, undo, address, two people."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import fervid
from browser import Visit, first_address
from fervid.alerts.review.reviews import read_history, read_verdicts, write_verdict
from fervid.review.cards import run_id
from fervid.run.find import folders_below
from many_runs import ANY_FACE, find_alerts, many_runs
from served import Served, serving

pytestmark = pytest.mark.slow

Visiting = Callable[..., Visit]
N_RUNS, N_ALERTS = 40, 8
MOST_KEYS_FOR_ALL, MOST_KEYS_FOR_TEN = 12, 14
RUN_OF_NOW = "document.querySelector('.queue li.current img').dataset.still.split('@')[0]"
EVERY_SAMPLE = ANY_FACE | {"name": "each", "enter": 0.0, "exit": 0.0, "merge_gap": 0, "cooldown": 0}


@pytest.fixture(scope="module")
def folder(demo_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 runs, 8 of them with an alert. For reading only."""
    run = fervid.open_run(next(folders_below(demo_runs)))
    return many_runs(run, tmp_path_factory.mktemp("many"), N_RUNS, N_ALERTS)


@pytest.fixture
def served(folder: Path, tmp_path: Path) -> Iterator[Served]:
    with serving(Path(shutil.copytree(folder, tmp_path / "many"))) as made:
        yield made


def press(opened: Visit, *keys: str) -> int:
    """Press keys as a person would; returns how many."""
    for key in keys:
        opened.page.keyboard.press(key)
    return len(keys)


def left(opened: Visit) -> str:
    found: str = opened.page.locator(".queue-head .left").inner_text()
    return found


def says(opened: Visit, text: str) -> None:
    opened.page.locator(".queue-head .left").get_by_text(text, exact=True).wait_for()


def stored(served: Served, n: int) -> list[str | None]:
    """The verdicts, once there are so many."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = [one.verdict for run in folders_below(served.folder) for one in read_verdicts(run)]
        if len(found) == n:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{len(found)} verdicts were stored, not {n}")


def test_all_alerts_of_forty_clips_with_twelve_keys(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served))
    n = press(opened, "a")
    says(opened, f"{N_ALERTS} left of {N_ALERTS}")
    n += press(opened, *["t", "f", "u"] * 2, "t", "f")
    says(opened, f"All done: {N_ALERTS} judged")
    assert n <= MOST_KEYS_FOR_ALL
    assert sorted(map(str, stored(served, N_ALERTS))) == sorted(["true"] * 3 + ["false"] * 3 + ["unsure"] * 2)
    assert opened.problems == []


def test_the_ten_strongest_of_many_with_fourteen_keys(visit: Visiting, demo_runs: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(demo_runs, tmp_path / "hour"))
    run = next(folders_below(copy))
    n_alerts = find_alerts(
        run, *(ANY_FACE | {"name": f"r{i}", "score": f"{0.5 + i / 100} * confidence"} for i in range(30))
    )
    assert n_alerts > 20
    with serving(copy) as made:
        opened = visit(first_address(made))
        n = press(opened, "a")
        says(opened, f"{n_alerts} left of {n_alerts}")
        n += press(opened, "0")
        assert left(opened) == "10 left of 10"
        scores = [float(text) for text in opened.page.locator(".queue .score").all_inner_texts()]
        assert scores == sorted(scores, reverse=True)
        n += press(opened, *["t"] * 10)
        assert (left(opened), n <= MOST_KEYS_FOR_TEN) == ("All done: 10 judged", True)
        assert stored(made, 10) == ["true"] * 10


def test_undo_takes_back_the_last_verdict_and_goes_there(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served, "#/alerts"))
    first = opened.page.locator(".queue li.current .where").inner_text()
    press(opened, "t", "f")
    assert left(opened) == f"{N_ALERTS - 2} left of {N_ALERTS}"
    press(opened, "z", "z")
    assert left(opened) == f"{N_ALERTS} left of {N_ALERTS}"
    assert opened.page.locator(".queue li.current .where").inner_text() == first
    press(opened, "z")
    opened.until("document.getElementById('announcer').textContent === 'Nothing to undo'")
    assert stored(served, 0) == []


def test_several_are_judged_at_once(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served, "#/alerts"))
    press(opened, "Control+a")
    assert opened.page.locator(".bulk b").inner_text() == f"{N_ALERTS} selected"
    press(opened, "Escape")
    boxes = opened.page.get_by_role("checkbox")
    boxes.nth(1).click()
    boxes.nth(3).click(modifiers=["Shift"])
    assert opened.page.locator(".bulk b").inner_text() == "3 selected"
    press(opened, "f")
    assert left(opened) == f"{N_ALERTS - 3} left of {N_ALERTS}"
    assert stored(served, 3) == ["false"] * 3
    press(opened, "z")
    assert stored(served, 0) == []


def test_filter_order_and_focus_survive_back_reload_and_a_copied_link(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served, "#/alerts"))
    page = opened.page
    page.get_by_text("More filters").click()
    page.get_by_label("Order").select_option("score")
    page.get_by_label("Score at least").fill("0.1")
    opened.until("location.hash.includes('score=0.1')")
    page.get_by_role("button", name="All").click()
    press(opened, "j", "j")
    focused = page.locator(".queue li.current .where").inner_text()
    page.wait_for_timeout(400)
    address = page.url
    assert "sort=score" in address
    assert "verdict=all" in address
    press(opened, "Enter")
    page.get_by_role("heading", name=focused.split(" ")[0]).wait_for()
    page.go_back()
    for again in (opened, None, visit(address.replace("/#", f"/?token={first_address(served).split('=')[1]}#"))):
        if again is None:
            page.reload()
        looked = (again or opened).page
        looked.wait_for_selector(".queue li.current")
        assert looked.locator(".queue li.current .where").inner_text() == focused
        assert looked.get_by_label("Order").input_value() == "score"
        assert looked.get_by_label("Score at least").input_value() == "0.1"


def test_what_matches_nothing_says_so(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served, "#/alerts?score=0.999&rule=any"))
    opened.page.get_by_text("No alert matches.").wait_for()
    opened.page.locator(".queue").get_by_role("button", name="Clear filters").click()
    assert left(opened) == f"{N_ALERTS} left of {N_ALERTS}"


def test_repeats_are_one_row_and_one_verdict(visit: Visiting, demo_runs: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(demo_runs, tmp_path / "repeats"))
    n = find_alerts(
        next(folders_below(copy)), EVERY_SAMPLE | {"name": "any", "score": "happy", "enter": 0.01, "exit": 0.01}
    )
    with serving(copy) as made:
        opened = visit(first_address(made, "#/alerts"))
        press(opened, "g")
        assert opened.page.locator(".queue li").count() == 1
        press(opened, "u")
        assert stored(made, n) == ["unsure"] * n


def name_oneself(opened: Visit, name: str) -> None:
    opened.page.get_by_role("button", name="Name: ").click()
    opened.page.get_by_label("Your name for verdicts").fill(name)
    opened.page.keyboard.press("Enter")
    opened.page.get_by_role("button", name=f"Name: {name}").wait_for()


def test_a_verdict_of_somebody_else_is_seen_before_it_is_contradicted(visit: Visiting, served: Served) -> None:
    opened = visit(first_address(served, "#/alerts"))
    page = opened.page
    page.route("**/api/events", lambda route: route.abort())
    page.reload()  # now it hears of nothing
    name_oneself(opened, "Ben")
    run = next(one for one in folders_below(served.folder) if run_id(one) == page.evaluate(RUN_OF_NOW))
    theirs = json.loads((run / "alerts.json").read_text())["alerts"][0]["alert_id"]
    write_verdict(run, theirs, "false", reviewer="Ann")
    press(opened, "t")
    notice = page.get_by_role("alert")
    notice.get_by_text("Ann said false").wait_for()
    assert [(one.reviewer, one.verdict) for one in read_history(run)] == [("Ann", "false")]
    notice.get_by_role("button", name="Show").click()
    assert page.locator(".queue li.current .said").inner_text() == "✕ false, Ann"
    press(opened, "t")
    page.locator(".queue .said").get_by_text("✕ false, Ann · ✓ true, Ben").wait_for()
    opened.until("document.querySelector('.queue-page > .problem').hidden")
    assert [(one.reviewer, one.verdict) for one in read_history(run)] == [("Ann", "false"), ("Ben", "true")]
    page.reload()
    page.get_by_role("button", name="Differ").click()
    assert page.locator(".queue li").count() == 1
    page.get_by_text("Ann and Ben judged 1 alert both, 0 alike; Cohen's kappa 0.00").wait_for()


def test_verdicts_and_runs_of_others_come_without_a_reload(visit: Visiting, served: Served) -> None:
    ann, ben = (visit(first_address(served, "#/alerts")) for _ in range(2))
    name_oneself(ann, "Ann")
    press(ann, "t")
    ben.page.locator(".queue .said").get_by_text("✓ true, Ann").wait_for()
    assert left(ben) == f"{N_ALERTS - 1} left of {N_ALERTS}"
    listing = visit(first_address(served))
    shown = listing.page.locator(".list-tools [role=status]")
    shown.get_by_text(f"{N_RUNS} videos").wait_for()
    one = next(folders_below(served.folder))
    shutil.copytree(one, served.folder / "camera-9" / "new")
    shown.get_by_text(f"{N_RUNS + 1} videos").wait_for()
    assert [*ann.problems, *ben.problems, *listing.problems] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_in_the_queue(visit: Visiting, served: Served, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    size = {"width": width, "height": 900}
    opened = visit(first_address(served, "#/alerts"), color_scheme=scheme, viewport=size, bypass_csp=True)
    page = opened.page
    opened.wait_for_picture()
    press(opened, "t", "x")
    page.get_by_text("More filters").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = axe.Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
