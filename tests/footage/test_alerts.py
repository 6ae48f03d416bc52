"""Alerts and their evidence on real footage, covered faces held against boxes that were marked by hand."""

from __future__ import annotations

import csv
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import fervid
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rules import load_rules, parse_rules
from fervid.alerts.review.evidence import write_evidence
from fervid.base.opencv import cv2

Analysed = Callable[..., fervid.Run]

MARKED = Path(__file__).resolve().parents[2] / "benchmarks" / "faces" / "marked.csv"
LARGEST_LIKENESS = 0.35
"""Between the fine detail of a face and of its picture in the clip. Covered faces lie below, open ones above 0.8."""
ANYTHING = {"name": "any", "wording": "a face", "score": "confidence", "enter": 0, "for": 0, "merge_gap": 100}


def marked_boxes(clip: str) -> list[tuple[float, tuple[int, ...]]]:
    with MARKED.open() as file:
        rows = [row for row in csv.DictReader(file) if row["clip"] == clip and row["view"] in ("frontal", "turned")]
    return [(float(row["time_s"]), tuple(int(float(row[side])) for side in "xywh")) for row in rows]


def frame_at(path: Path, wanted: float, *, begin: float = 0.0) -> np.ndarray:
    """The gray picture shown at `wanted` seconds of a video that begins at `begin`."""
    best: tuple[float, np.ndarray] | None = None
    with av.open(str(path)) as container:
        first = float(Fraction(container.start_time or 0, av.time_base)) if begin == 0 else 0.0
        for frame in container.decode(video=0):
            seconds = float(frame.pts * frame.time_base) - first + begin
            if best is None or abs(seconds - wanted) < abs(best[0] - wanted):
                best = seconds, frame.to_ndarray(format="gray")
    assert best is not None
    return best[1]


def likeness(a: np.ndarray, b: np.ndarray, box: tuple[int, ...]) -> float:
    """Correlation of the detail finer than a twelfth of a box, in the ellipse within it: its corners show no face."""
    x, y, w, h = box
    details = []
    for picture in (a, b):
        patch = picture[max(0, y) : y + h, max(0, x) : x + w].astype(np.float32)
        down, across = np.mgrid[max(0, y) : max(0, y) + patch.shape[0], max(0, x) : max(0, x) + patch.shape[1]] + 0.5
        face = ((across - x - w / 2) / (w / 2)) ** 2 + ((down - y - h / 2) / (h / 2)) ** 2 <= 1
        details.append((patch - cv2.GaussianBlur(patch, (0, 0), w / 24))[face])
    return float(np.corrcoef(*details)[0, 1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "clip",
    [
        "faces/woman2.mp4",
        # Known to fall short: of what no cascade finds, a face half behind a hand stays open.
        pytest.param("faces/joy_restaurant.mp4", marks=pytest.mark.xfail(reason="one half behind a hand is open")),
        # Known to fall short: gray hides a blurred head in dim light that crosses the image.
        pytest.param("trailers/hamilton_stage.mp4", marks=pytest.mark.xfail(reason="a blurred head is open")),
    ],
)
def test_every_marked_face_is_covered_in_a_clip_with_default_settings(
    analysed: Analysed, test_data: Path, clip: str
) -> None:
    source = test_data / "videos" / clip
    run = analysed(clip)
    found = scan_run(run, parse_rules({"rule": [ANYTHING]}, source="test"))
    (item,) = write_evidence(found)
    begin = max(0.0, item.record.start_s - 5)
    end = item.record.end_s + 5
    checked = 0
    for seconds, box in marked_boxes(clip):
        if not begin <= seconds < end:
            continue
        original, covered = frame_at(source, seconds), frame_at(item.folder / "clip.mp4", seconds, begin=begin or 1e-9)
        assert likeness(original, covered, box) < LARGEST_LIKENESS, (clip, seconds, box)
        assert likeness(original, original, box) > 0.99
        checked += 1
    assert checked >= 6
    for still in item.folder.glob("still-*.jpg"):
        picture = cv2.imread(str(still), cv2.IMREAD_GRAYSCALE)
        moment = {"start": item.record.start_s, "peak": item.record.peak_s, "end": item.record.end_s}[still.stem[6:]]
        original = frame_at(source, moment)
        x, y, w, h = (round(getattr(item.record, side) or 0) for side in "xywh")
        if still.stem == "still-peak":
            assert likeness(original, np.asarray(picture), (x, y, w, h)) < LARGEST_LIKENESS
    if clip == "faces/woman2.mp4":
        (opened,) = write_evidence(found, blur="none")
        seconds, box = marked_boxes(clip)[2]
        shown = frame_at(opened.folder / "clip.mp4", seconds, begin=begin or 1e-9)
        assert likeness(frame_at(source, seconds), shown, box) > 0.8


def test_the_furious_clip_raises_an_alert(analysed: Analysed) -> None:
    found = scan_run(analysed("labelled/style_angry_furious1_clip1.mp4"), load_rules("anger"))
    assert [record.rule for record in found.of_tier("alert")] == ["anger"]


@pytest.mark.slow
def test_six_of_the_17_clips_labelled_angry_raise_an_alert_and_at_most_one_of_all_others(
    analysed: Analysed, test_data: Path
) -> None:
    with (test_data / "videos" / "labelled" / "labels.csv").open() as file:
        emotions = {row["file"]: row["emotion"] for row in csv.DictReader(file)}
    alerts = {
        name: len(scan_run(analysed(f"labelled/{name}"), load_rules("anger")).of_tier("alert")) for name in emotions
    }
    angry = [name for name, emotion in emotions.items() if emotion == "angry"]
    assert sum(alerts[name] > 0 for name in angry) >= 6
    assert sum(alerts[name] for name, emotion in emotions.items() if emotion != "angry") <= 1


@pytest.mark.parametrize(
    "clip",
    [
        "faces/woman2.mp4",
        "faces/single_face.mp4",
        "labelled/mead_happy.mp4",
        "faces/no_face.mp4",
        "cctv/traffic_camera_vfr.mp4",
        "codecs/silent-black-25s.mp4",
    ],
)
def test_calm_and_empty_footage_raises_none(analysed: Analysed, clip: str) -> None:
    found = scan_run(analysed(clip), load_rules("anger"))
    assert found.of_tier("alert") == []


@pytest.mark.parametrize("clip", ["fi040.mp4", "fi056.mp4", "fi140.mp4", "fi144.mp4"])
def test_a_fight_never_ends_as_a_bare_no_alerts(analysed: Analysed, clip: str) -> None:
    found = scan_run(analysed(f"cctv/{clip}"), load_rules("anger"))
    assert found.records or "not fit for alerts" in found.fitness.text()
