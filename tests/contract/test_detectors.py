"""Every detector in the table, in the same cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fervid.base.geometry import iou_matrix
from fervid.base.opencv import cv2
from fervid.demo.photograph import portrait
from fervid.detect import DETECTORS, Detector, centerface, make_detector
from fervid.errors import ConfigError, DependencyMissing, ModelError

NEEDS_A_FILE = ("yunet", "finder")
"""Detectors that work with a model file of the user's alone."""

FACE = np.array([[170, 120, 370, 320]], np.float32)
"""The face of `portrait()`, from the brim of the cap to the chin, drawn by eye."""

EVERY = pytest.mark.parametrize("name", [name for name in DETECTORS if name not in NEEDS_A_FILE])


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return portrait()


def made(name: str) -> Detector:
    return make_detector(name, {})


def assert_sound(boxes: np.ndarray, confidence: np.ndarray, shape: tuple[int, ...]) -> None:
    assert boxes.dtype == confidence.dtype == np.float32
    assert boxes.shape == (len(confidence), 4)
    assert confidence.ndim == 1
    assert ((confidence >= 0) & (confidence <= 1)).all()
    assert (boxes[:, :2] < boxes[:, 2:]).all()
    # A face at the edge may be found a little beyond it.
    assert (iou_matrix(boxes, np.array([[0, 0, shape[1], shape[0]]], np.float32)) > 0).all()


@EVERY
@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize(
    "shape", [(360, 640), (5, 5), (1, 1), (1, 500), (500, 1), (19, 300), (20, 20), (21, 21), (24, 24)]
)
def test_a_blank_picture_of_any_size_has_no_faces(name: str, shape: tuple[int, int], level: int) -> None:
    boxes, confidence, *_ = made(name).detect(np.full(shape, level, np.uint8))
    assert len(boxes) == 0
    assert_sound(boxes, confidence, shape)


@EVERY
@pytest.mark.parametrize("scale", [1.0, 0.5, 0.25])
def test_the_portrait_has_one_face_and_it_is_where_the_face_is(name: str, scale: float, photograph: np.ndarray) -> None:
    picture = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes, confidence, *_ = made(name).detect(picture)
    assert_sound(boxes, confidence, picture.shape)
    assert len(boxes) == 1
    assert iou_matrix(boxes / np.float32(scale), FACE)[0, 0] > 0.6
    assert confidence[0] > 0.5


@EVERY
def test_two_portraits_beside_each_other_have_two_faces(name: str, photograph: np.ndarray) -> None:
    boxes, confidence, *_ = made(name).detect(np.hstack([photograph, photograph]))
    assert_sound(boxes, confidence, (600, 1024))
    both = np.concatenate([FACE, FACE + np.array([512, 0, 512, 0], np.float32)])
    assert sorted(iou_matrix(boxes, both).argmax(axis=1)) == [0, 1]
    assert (iou_matrix(boxes, both).max(axis=1) > 0.6).all()


@EVERY
def test_a_face_of_the_smallest_size_promised_is_found(name: str, photograph: np.ndarray) -> None:
    detector = made(name)
    scale = 1.25 * detector.smallest_face_px / 200  # detectors search in steps, so a little above
    picture = cv2.resize(photograph, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    boxes, *_ = detector.detect(picture)
    assert len(boxes) == 1


@EVERY
def test_the_result_is_the_same_again_and_does_not_depend_on_what_was_seen_before(
    name: str, photograph: np.ndarray
) -> None:
    detector = made(name)
    first = detector.detect(photograph)
    detector.detect(np.ascontiguousarray(photograph[100:400, 50:450]))
    detector.detect(np.zeros((90, 160), np.uint8))
    for again in (detector.detect(photograph), made(name).detect(photograph)):
        np.testing.assert_array_equal(again[0], first[0])
        np.testing.assert_array_equal(again[1], first[1])


@EVERY
def test_the_picture_is_left_alone_and_may_be_read_only(name: str, photograph: np.ndarray) -> None:
    picture = photograph.copy()
    picture.flags.writeable = False
    boxes, *_ = made(name).detect(picture)
    assert len(boxes) == 1
    np.testing.assert_array_equal(picture, photograph)


@EVERY
def test_a_detector_says_how_small_a_face_it_finds(name: str) -> None:
    assert 10 <= made(name).smallest_face_px <= 60


@pytest.mark.parametrize("options", [{}, {"model_path": None}, {"model_path": ""}, {"model_path": "/absent.onnx"}])
def test_yunet_asks_for_its_model_file(options: dict[str, str | None]) -> None:
    with pytest.raises(ConfigError, match=r"detect\.yunet\.model_path"):
        make_detector("yunet", options)


def test_yunet_refuses_a_file_that_is_no_network(tmp_path: Path) -> None:
    file = tmp_path / "face.onnx"
    file.write_bytes(b"nothing of the kind")
    with pytest.raises(ConfigError, match=r"face\.onnx is not a YuNet model"):
        make_detector("yunet", {"model_path": str(file)})


def test_an_unknown_cascade_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigError, match=r"cascade 'alt9' does not exist\. Use one of alt2, default"):
        make_detector("haar", {"cascade": "alt9"})


def test_an_unknown_detector_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(
        ConfigError, match=r"detector 'retina' does not exist\. Use one of haar, yunet, centerface, finder"
    ):
        make_detector("retina", {})


def test_centerface_gives_each_face_its_landmarks(photograph: np.ndarray) -> None:
    boxes, _, landmarks = made("centerface").detect(cv2.resize(photograph, (224, 263), interpolation=cv2.INTER_AREA))
    assert landmarks.dtype == np.float32
    assert landmarks.shape == (1, 5, 2)
    left_eye, right_eye, nose, left_mouth, right_mouth = (landmarks[0] - boxes[0, :2]) / (boxes[0, 2:] - boxes[0, :2])
    assert 0 < left_eye[0] < nose[0] < right_eye[0] < 1
    assert left_mouth[0] < nose[0] < right_mouth[0]
    assert 0 < max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1]) < 1


def test_centerface_asks_for_the_package_with_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centerface, "PACKAGE", "no-such-package-anywhere")
    centerface._network.cache_clear()  # as in a process that has not made the network yet
    with pytest.raises(DependencyMissing, match=r"^the face network is not there: .* 'no-such-package-anywhere'.*haar"):
        make_detector("centerface", {})


def test_centerface_refuses_other_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(centerface, "WEIGHTS_SHA256", "0" * 64)
    centerface._network.cache_clear()  # as in a process that has not made the network yet
    with pytest.raises(
        ModelError, match=r"not the face network that fervid knows \(SHA-256 09189deaaf86, expected 0000"
    ):
        make_detector("centerface", {})


def test_centerface_keeps_few_networks_and_answers_the_same_after_many_sizes(photograph: np.ndarray) -> None:
    detector = made("centerface")
    first = detector.detect(photograph)
    for side in range(64, 64 + 32 * 10, 32):
        detector.detect(photograph[:side, :side])
    for one, other in zip(detector.detect(photograph), first, strict=True):
        np.testing.assert_array_equal(one, other)


def drawn(kind: str, seed: int) -> np.ndarray:
    """Text, asphalt or a pattern, uint8 (H, W) of any size."""
    chance = np.random.default_rng(seed)
    height, width = (int(side) for side in chance.integers(60, 400, 2))
    down, across = np.mgrid[:height, :width]
    if kind == "text":
        picture = np.full((height, width), float(chance.choice([0, 255])))
        size = float(chance.uniform(0.3, 3))
        for bottom in range(int(14 * size), height, int(26 * size)):
            line = "".join(chance.choice(list("aeOQ0B8@%& monument"), 60))
            cv2.putText(picture, line, (3, bottom), int(chance.integers(8)), size, 128.0, 1 + int(size), cv2.LINE_AA)
        return picture.astype(np.uint8)
    if kind == "asphalt":
        grain = cv2.GaussianBlur(chance.normal(0, 1, (height, width)), (0, 0), float(chance.choice([0.5, 2, 6])))
        return (110 + 40 * grain / grain.std()).clip(0, 255).astype(np.uint8)
    side = float(chance.uniform(6, 60))
    squares = (across // side + down // side) % 2
    discs = (across % side - side / 2) ** 2 + (down % side - side / 2) ** 2 < (side / 3) ** 2
    waves = 0.5 + np.sin(across / side) * np.sin(down / side) / 2
    return (20 + 200 * (squares, discs, waves)[seed % 3]).astype(np.uint8)


@pytest.mark.parametrize("kind", ["text", "asphalt", "pattern"])
def test_centerface_sees_no_face_in(kind: str) -> None:
    detector = made("centerface")
    for seed in range(40):
        boxes, confidence, *_ = detector.detect(drawn(kind, seed))
        assert not len(boxes), (seed, confidence)
