"""Faces that should not be used: how they look, which limit they fall below, and pictures that never move."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.base.opencv import cv2
from fervid.config import GateSettings
from fervid.emotion.face_quality import measure_face_quality
from fervid.interpret.gate import gate_reasons
from fervid.track.static import find_static
from synthetic import face_patch

FACE = np.asarray(cv2.resize(face_patch()[15:125, 20:130], (48, 48), interpolation=cv2.INTER_AREA))


def looks(crop: np.ndarray) -> tuple[float, float, float]:
    sharpness, light, roll, *_ = measure_face_quality(crop[None], np.full((1, 3), np.nan, np.float32))[0].tolist()
    return sharpness, light, roll


def test_no_crops_have_no_looks() -> None:
    measured = measure_face_quality(np.zeros((0, 48, 48), np.uint8), np.zeros((0, 3), np.float32))
    assert (measured.shape, measured.dtype) == ((0, 5), np.float32)


def test_a_pose_that_is_known_is_not_measured_again() -> None:
    pose = np.array([[-12.0, 40.0, 3.0]], np.float32)
    np.testing.assert_array_equal(measure_face_quality(FACE[None], pose)[:, 2:], pose)


def test_blur_lowers_sharpness_and_light_does_not() -> None:
    values = [looks(np.asarray(cv2.GaussianBlur(FACE, (0, 0), sigma)))[0] for sigma in (0.5, 1, 2, 4)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.3 > 0.18 > values[2]
    darker = (FACE.astype(float) * 0.5).astype(np.uint8)
    assert looks(darker)[0] == pytest.approx(looks(FACE)[0], abs=0.05)


@pytest.mark.parametrize(("level", "expected"), [(0, 0.0), (51, 0.2), (255, 1.0)])
def test_a_flat_crop_has_its_level_no_sharpness_and_no_axis(level: int, expected: float) -> None:
    sharpness, light, roll = looks(np.full((48, 48), level, np.uint8))
    assert (sharpness, light) == (0, pytest.approx(expected))
    assert np.isnan(roll)


@pytest.mark.parametrize("degrees", [-20, -10, 0, 10, 20])
def test_a_symmetric_face_turned_by_an_angle_leans_by_it(degrees: float) -> None:
    half = FACE[:, :24]
    face = np.concatenate([half, half[:, ::-1]], axis=1)
    turn = cv2.getRotationMatrix2D((23.5, 23.5), -degrees, 1.0)
    turned = cv2.warpAffine(face, turn, (48, 48), borderMode=cv2.BORDER_REPLICATE)
    assert looks(np.asarray(turned))[2] == pytest.approx(degrees, abs=2.5)


def test_each_limit_has_its_reason_and_the_first_one_counts() -> None:
    fine = {"side": 100, "sharpness": 0.6, "light": 0.5, "roll": 5.0, "yaw": 20.0, "quality": 0.9}
    cases = [
        ({}, ""),
        ({"side": 20}, "too_small"),
        ({"light": 0.05}, "dark"),
        ({"light": 0.99}, "bright"),
        ({"sharpness": 0.1}, "blurred"),
        ({"roll": -40}, "tilted"),
        ({"roll": np.nan, "yaw": np.nan}, ""),
        ({"yaw": -70}, "turned"),
        ({"yaw": 70, "roll": 40}, "turned"),
        ({"quality": 0.1}, "low_quality"),
        ({"side": 20, "light": 0.05, "quality": 0.1}, "too_small"),
    ]
    rows = [fine | change for change, _ in cases]
    boxes = np.array([[10, 10, 10 + row["side"], 200] for row in rows], np.float32)
    measured = np.array([[row["sharpness"], row["light"], row["roll"], row["yaw"], 0.0] for row in rows], np.float32)
    quality = np.array([row["quality"] for row in rows], np.float32)
    found = gate_reasons(quality, measured, boxes, GateSettings(), min_quality=0.2)
    assert found.tolist() == [reason for _, reason in cases]
    none = gate_reasons(quality[:0], measured[:0], boxes[:0], GateSettings(), min_quality=0.2)
    assert none.tolist() == []


def static_case(
    *,
    seconds: float = 200.0,
    jitter: float = 1.0,
    wander: float = 0.0,
    seen: float = 0.9,
    tracks: int = 1,
    change: float = 0.02,
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    times = np.arange(0, seconds, 0.5)
    times = times[rng.random(len(times)) < seen]
    left = 100 + wander * np.cumsum(rng.normal(0, 1, len(times))) + rng.normal(0, jitter, len(times))
    boxes = np.stack([left, np.full(len(left), 50.0), left + 80, np.full(len(left), 130.0)], axis=1).astype(np.float32)
    angry = np.clip(0.6 + rng.normal(0, change, len(times)), 0, 1)
    ids = (times / (seconds + 1) * tracks).astype(np.int32)
    return {"times": times, "boxes": boxes, "track_ids": ids, "probabilities": np.stack([angry, 1 - angry], axis=1)}


@pytest.mark.parametrize(
    ("case", "is_static"),
    [
        ({}, True),
        ({"tracks": 12}, True),  # a poster that is lost and found again
        ({"seconds": 100}, False),
        ({"wander": 1.0}, False),
        ({"jitter": 6.0}, False),
        ({"change": 0.3}, False),  # a face that stays in place but whose expression changes
        ({"seen": 0.3}, False),
    ],
)
def test_what_neither_moves_nor_changes_for_minutes_is_a_picture(case: dict[str, float], is_static: bool) -> None:
    found = find_static(**static_case(**case), spacing_seconds=0.5, static_seconds=120)  # type: ignore[arg-type]
    assert found.all() if is_static else not found.any()


def test_a_person_in_front_of_the_poster_stays() -> None:
    poster, person = static_case(), static_case(wander=2.0)
    both = {name: np.concatenate([poster[name], person[name] + (1 if name == "track_ids" else 0)]) for name in poster}
    both["boxes"][len(poster["times"]) :] += 300
    order = np.argsort(both["times"], kind="stable")
    both = {name: values[order] for name, values in both.items()}
    found = find_static(**both, spacing_seconds=0.5, static_seconds=120)
    np.testing.assert_array_equal(found, both["track_ids"] == 0)


def test_nothing_is_static_without_faces_or_when_switched_off() -> None:
    empty = {name: values[:0] for name, values in static_case().items()}
    assert find_static(**empty, spacing_seconds=0.5, static_seconds=120).tolist() == []
    assert not find_static(**static_case(), spacing_seconds=0.5, static_seconds=0).any()
