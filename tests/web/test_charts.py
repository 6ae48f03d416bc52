"""Curves, selection, why and what-if, labels and what is taken away, in a real browser on real footage."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import fervid
from browser import Visit, first_address
from fervid.alerts.find.explain import Trial
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import load_rules, with_threshold
from fervid.alerts.review.bundle import verify_bundle
from fervid.review.cards import run_id
from fervid.review.report import write_reports
from fervid.run.files import TAKEN_LOG
from fervid.run.handle import open_run
from runner import run_fervid
from served import Served, serving

pytestmark = pytest.mark.slow

ANGRY, FAMILY = "labelled/style_angry_furious1_clip1.mp4", "faces/family_dinner.mp4"


@pytest.fixture(scope="module")
def footage(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scowling man (an alert) and a table with up to seven faces. For reading only."""
    out = tmp_path_factory.mktemp("charts")
    for name in (ANGRY, FAMILY):
        run = fervid.analyze(test_data / "videos" / name, out=out, device="cpu", plot=False)
        write_alerts(scan_run(run, load_rules("anger")))
    return out


@pytest.fixture
def served(footage: Path, tmp_path: Path) -> Iterator[Served]:
    with serving(Path(shutil.copytree(footage, tmp_path / "runs"))) as made:
        yield made


def folder_of(served: Served, start: str) -> Path:
    return next(served.folder.glob(f"{start}*"))


def open_run_at(visit: Callable[..., Visit], served: Served, start: str, at: float = 0.0, **options: Any) -> Visit:
    opened = visit(first_address(served, f"#/run/{run_id(folder_of(served, start))}@{at}"), **options)
    opened.wait_for_picture()
    return opened


def values_of(opened: Visit) -> dict[str, str]:
    """What the legend says at the cursor."""
    found = opened.page.evaluate(
        "[...document.querySelectorAll('.swatch')].map((b) => [b.childNodes[1].textContent, b.lastChild.textContent])"
    )
    return dict(found)


def test_the_values_at_the_cursor_are_those_of_the_table(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "family", 4.0)
    faces = fervid.open_run(folder_of(served, "family")).faces.to_pandas()
    near = faces[faces.time_s == faces.time_s[(faces.time_s - 4.0).abs().idxmin()]]
    used = near[near.abstain.isna() | (near.abstain == "unsure")]
    assert float(values_of(opened)["happy"]) == pytest.approx(used.r_happy.mean(), abs=0.01)
    track = int(used.track_id.iloc[0])
    opened.page.get_by_label("Compare with another face").select_option(str(track))
    opened.until("document.querySelector('.swatch').lastChild.textContent.includes('|')")
    mean, own = values_of(opened)["happy"].split(" | ")
    assert float(own) == pytest.approx(used[used.track_id == track].r_happy.iloc[0], abs=0.01)
    opened.page.get_by_label("Scores that are drawn").select_option("raw")
    wanted = f"{used[used.track_id == track].p_happy.iloc[0]:.2f}"
    opened.until(
        f"[...document.querySelectorAll('.swatch')].some((b) => b.lastChild.textContent.endsWith('| {wanted}'))"
    )
    assert mean
    assert opened.problems == []


def test_a_drag_selects_and_the_selection_loops_zooms_and_is_cleared(
    visit: Callable[..., Visit], served: Served
) -> None:
    opened = open_run_at(visit, served, "family")
    page = opened.page
    page.locator("[role=slider]").scroll_into_view_if_needed()
    box = page.locator("[role=slider]").bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 80, steps=4)
    page.mouse.up()
    assert page.locator(".selection").is_visible()
    assert opened.cursor() == 0.0, "selecting does not seek"
    page.get_by_role("button", name="Zoom", exact=True).click()
    start, end = (float(page.locator("[role=slider]").get_attribute(f"data-{name}")) for name in ("from", "to"))
    assert end - start < 4
    page.keyboard.press("l")
    assert opened.cursor() == pytest.approx(start, abs=0.1)
    page.evaluate("document.querySelector('video').playbackRate = 4")
    page.keyboard.press("Space")
    seen = []
    for _ in range(14):
        page.wait_for_timeout(200)
        seen.append(opened.cursor())
    page.keyboard.press("Space")
    assert max(seen) <= end + 0.5
    assert any(after < before for before, after in pairwise(seen)), "it came round"
    page.keyboard.press("Escape")
    assert not page.locator(".selection").is_visible()
    assert opened.problems == []


STROKES = """() => {
    window.painted = [];
    for (const name of ["stroke", "fill", "fillRect", "fillText"]) {
        const own = CanvasRenderingContext2D.prototype[name];
        CanvasRenderingContext2D.prototype[name] = function (...given) {
            window.painted.push(this.canvas.className);
            return own.apply(this, given);
        };
    }
}"""


def test_scrubbing_moves_the_cursor_and_paints_no_chart(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "family")
    page = opened.page
    page.locator(".answer").first.wait_for()
    slider = page.locator("[role=slider]")
    slider.scroll_into_view_if_needed()
    page.wait_for_timeout(400)
    box = slider.bounding_box()
    page.evaluate(STROKES)
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 8)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 8, steps=12)
    opened.until("document.querySelector('.card').textContent.includes('00:1')")
    page.mouse.up()
    cursor = page.locator(".mark-cursor").bounding_box()
    assert cursor["x"] + cursor["width"] / 2 == pytest.approx(box["x"] + 0.7 * box["width"], abs=2)
    assert "chart" not in page.evaluate("window.painted")
    opened.until("(() => { const v = document.querySelector('video'); return !v.seeking; })()")
    assert opened.time() == pytest.approx(opened.cursor(), abs=0.1), "the picture ends where the cursor does"
    page.keyboard.press("+")
    opened.until("window.painted.includes('chart')")
    assert opened.problems == []


def test_a_moment_without_a_usable_face_says_why(visit: Callable[..., Visit], served: Served) -> None:
    faces = fervid.open_run(folder_of(served, "style")).faces.to_pandas()
    frames = fervid.open_run(folder_of(served, "style")).frames.to_pandas()
    used = set(faces.frame[faces.abstain.isna() | (faces.abstain == "unsure")])
    empty = frames[~frames.frame.isin(used)].iloc[-1]
    there = faces[faces.frame == empty.frame]
    opened = open_run_at(visit, served, "style")
    slider = opened.page.locator("[role=slider]")
    slider.scroll_into_view_if_needed()
    area = slider.evaluate("e => ({...e.dataset})")
    share = float(empty.time_s) / (float(area["to"]) - float(area["from"]))
    slider.hover(position={"x": float(area["left"]) + share * float(area["width"]), "y": 60})
    wanted = "no face in view" if there.empty else "no face is used: "
    opened.until(f"document.querySelector('.card').textContent.includes({json.dumps(wanted)})")
    assert opened.problems == []


def test_go_to_time_wheel_keys_and_brush_move_the_view(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "family")
    page = opened.page
    view = "(() => { const d = document.querySelector('[role=slider]').dataset; return [+d.from, +d.to]; })()"
    page.keyboard.press("g")
    page.keyboard.type("0:12.5")
    page.keyboard.press("Enter")
    assert opened.cursor() == pytest.approx(12.5, abs=0.06)
    page.get_by_label("Go to time").fill("99:00")
    page.keyboard.press("Enter")
    assert page.get_by_label("Go to time").get_attribute("aria-invalid") == "true"
    slider = page.locator("[role=slider]")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("+")
    before = page.evaluate(view)
    page.keyboard.press("PageUp")
    after = page.evaluate(view)
    assert after[0] == pytest.approx(before[0] - (before[1] - before[0]) / 2, abs=0.01)
    slider.hover()
    page.mouse.wheel(0, 200)
    page.wait_for_timeout(200)
    assert page.evaluate(view)[0] > after[0]
    strip = page.locator(".overview-strip canvas").bounding_box()
    page.mouse.click(strip["x"] + strip["width"] * 0.2, strip["y"] + 15)
    middle = sum(page.evaluate(view)) / 2
    assert middle == pytest.approx(0.2 * 19.9, abs=1.3)


def test_hovering_shows_the_values_of_that_moment(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "style-angry")
    opened.page.get_by_label("Threshold of anger").wait_for()  # the rule's scores come after the faces'
    opened.page.locator("[role=slider]").hover(position={"x": 400, "y": 90})
    card = opened.page.locator(".card")
    card.wait_for()
    text = card.inner_text()
    assert "angry 0." in text
    assert "anger 0." in text


def test_why_at_the_cursor_and_what_if_are_what_the_commands_say(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "style-angry", 1.0)
    page = opened.page
    run, rules = fervid.open_run(folder_of(served, "style-angry")), load_rules("anger")
    answers = Trial(run, rules).tried(rules).answers(1.0)
    assert not isinstance(answers, str)
    page.get_by_text(answers[0].standings[0].short).first.wait_for()
    page.get_by_text(answers[0].verdict).first.wait_for()
    slider = page.get_by_label("Threshold of anger")
    slider.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    page.locator(".outcome").get_by_text("0 moments of anger at 0.95: ").wait_for()
    page.get_by_text("In the folder: 0 instead of ").wait_for()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save as rules file").click()
    saved = load_rules(str(waiting.value.path().rename(served.folder / "rules.toml")))
    assert saved.rules[0].enter == pytest.approx(0.95)
    assert saved.rules[0].leave == pytest.approx(rules.rules[0].leave / rules.rules[0].enter * 0.95, abs=1e-3)
    page.get_by_role("button", name="Back to the rule").click()
    assert slider.input_value() == f"{rules.rules[0].enter:g}"
    assert opened.problems == []


def test_peaks_lead_to_their_moment_and_the_address_follows(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "family")
    faces = fervid.open_run(folder_of(served, "family")).faces.to_pandas()
    best = faces[faces.abstain.isna()].sort_values("r_sad", ascending=False).iloc[0]
    opened.page.keyboard.press("p")
    opened.page.get_by_role("button", name=f"sad {best.r_sad:.2f} at ").first.click()
    assert opened.cursor() == pytest.approx(best.time_s, abs=0.06)
    opened.until(f"location.hash.endsWith('@{best.time_s:.1f}')")
    again = open_run_at(visit, served, "family", round(float(best.time_s), 1))
    assert again.cursor() == pytest.approx(best.time_s, abs=0.06)


def test_clip_still_table_evidence_and_chart_are_taken_and_noted(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "style-angry", 1.0)
    page, folder = opened.page, folder_of(served, "style-angry")
    page.keyboard.press("j")
    got = {}
    for name in ("Clip of the alert", "Still of this moment", "CSV of the alert", "Evidence of the alert"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=name).click()
        got[name.split()[0]] = waiting.value.path()
    for kind in ("PNG", "SVG"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=f"Chart as {kind}").click()
        got[kind] = waiting.value.path()
    assert got["Clip"].read_bytes()[4:8] == b"ftyp"
    assert got["Still"].read_bytes()[:2] == b"\xff\xd8"
    rows = list(csv.DictReader(got["CSV"].read_text().splitlines()))
    table = fervid.open_run(folder).faces.to_pandas()
    alert = json.loads((folder / "alerts.json").read_text())["alerts"][0]
    within = table[(table.time_s >= alert["start_s"]) & (table.time_s <= alert["end_s"])]
    assert [float(row["s_angry"]) for row in rows] == pytest.approx(within.s_angry.tolist())
    with zipfile.ZipFile(got["Evidence"]) as archive:
        assert any(name.endswith("clip.mp4") for name in archive.namelist())
    kept = next((folder / "taken").glob("*.zip"))
    assert verify_bundle(kept)[1] >= 6
    assert got["PNG"].read_bytes()[:4] == b"\x89PNG"
    svg = got["SVG"].read_text()
    assert svg.count("<path") > 7
    assert "mean of" in svg
    page.get_by_text("exported by").nth(3).wait_for()
    noted = [json.loads(line) for line in (folder / TAKEN_LOG).read_text().splitlines()]
    assert [one["what"] for one in noted] == ["clip", "still", "table", "evidence"]
    assert noted[3]["alert_id"] == alert["alert_id"]
    assert opened.problems == []


def test_the_explanation_of_a_face_is_shown_on_demand(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "style-angry", 1.0)
    opened.page.get_by_role("button", name="Explain the face now").click()
    opened.page.locator("img.explanation").wait_for()
    opened.until("document.querySelector('img.explanation').naturalWidth > 400")
    audit = (folder_of(served, "style-angry") / "evidence-audit.jsonl").read_text()
    assert "explanation with an open face" in audit


def test_every_face_of_now_is_listed(visit: Callable[..., Visit], served: Served) -> None:
    opened = open_run_at(visit, served, "family", 2.0)
    words = opened.page.locator(".now .panel-head p").inner_text()
    assert words == "5 faces"
    assert opened.page.locator(".now .face").count() == 5


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_charts_dialogs_and_exports(
    visit: Callable[..., Visit], served: Served, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    opened = open_run_at(visit, served, "family", 2.0, color_scheme=scheme, bypass_csp=True)
    page = opened.page
    page.get_by_label("Compare with another face").select_option("1")
    page.keyboard.press("[")
    page.locator(".answer").first.wait_for()
    for step in ("charts", "peaks"):
        if step == "peaks":
            page.locator("h1").focus()
            page.keyboard.press("p")
        found = axe.Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], step


@pytest.mark.parametrize("width", [390, 1920])
def test_nothing_runs_off_the_side(visit: Callable[..., Visit], served: Served, width: int) -> None:
    opened = open_run_at(visit, served, "family", 2.0, viewport={"width": width, "height": 844})
    opened.page.locator(".answer").first.wait_for()
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    body = opened.page.locator(".run-body").bounding_box()
    assert body["width"] > 0.9 * width


def test_a_report_with_clips_plays_on_a_machine_without_the_video(
    visit: Callable[..., Visit], served: Served, tmp_path: Path
) -> None:
    far = tmp_path / "a" / "b" / "c" / "d" / "e" / "f" / "g"
    made = run_fervid("report", str(folder_of(served, "style-angry")), "--with-clips", "-o", str(tmp_path / "page"))
    assert made.returncode == 0, made.stderr
    far.mkdir(parents=True)
    page_file = shutil.move(tmp_path / "page" / "report.html", far / "mailed.html")
    opened = visit(f"file://{page_file}")
    opened.until("document.querySelector('video').currentSrc.startsWith('blob:')")
    opened.wait_for_picture()
    opened.click_time(2.0)
    opened.wait_for_picture()
    opened.page.keyboard.press("Space")
    opened.until("document.querySelector('video').currentTime > 2.5")
    assert opened.cursor() == pytest.approx(opened.time(), abs=0.3)
    assert all(address.startswith(("file:", "data:", "blob:")) for address in opened.addresses)


def test_a_thinned_run_is_fine_again_where_the_view_is_short(
    visit: Callable[..., Visit], served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fervid.review.content.MOST_FACES", 120)
    opened = open_run_at(visit, served, "family", 9.0)
    page = opened.page
    assert page.get_by_text("Boxes of every").is_visible()
    assert not any("/faces?" in address for address in opened.addresses)
    page.locator("[role=slider]").scroll_into_view_if_needed()
    before = page.screenshot()
    answers: list[Any] = []
    page.on("response", lambda answer: answers.append(answer) if "/faces?" in answer.url else None)
    for _ in range(4):
        page.keyboard.press("+")
        page.wait_for_timeout(500)
    assert answers[-1].json()["faces_of_every"] == 1
    assert page.screenshot() != before
    assert opened.problems == []


def test_a_page_from_disk_tries_thresholds_by_itself(
    visit: Callable[..., Visit], footage: Path, tmp_path: Path
) -> None:
    [page, *_] = write_reports([footage], out=tmp_path)
    angry = next(footage.glob("style*"))
    opened = visit(f"{page.as_uri()}#/run/{run_id(angry)}@1.0")
    slider = opened.page.get_by_label("Threshold of")
    slider.fill("0.95")
    opened.page.get_by_text("− 00:0").first.wait_for()
    wanted = Trial(open_run(angry), load_rules("anger")).tried(with_threshold(load_rules("anger"), "anger", 0.95))
    left = sum(record.rule == "anger" for record in wanted.records)
    opened.page.get_by_text(f"{left} moment").first.wait_for()
    assert "In the folder:" in opened.page.locator(".rules").inner_text()
    opened.page.get_by_role("button", name="Back to the rule").click()
    assert opened.page.get_by_text("− 00:0").count() == 0
    assert [one for one in opened.problems if "file:" not in one] == []
