"""YuNet through OpenCV's own class, on a network of YuNet's shape that finds bright squares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fervid
from fakes import square_picture
from fervid.detect import Detector, make_detector
from synthetic import constant_rate, write_video
from yunet_model import FACE_PX, write_bright_square_yunet


@pytest.fixture(scope="module")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bright_square_yunet(tmp_path_factory.mktemp("yunet") / "bright_square.onnx")


@pytest.fixture
def detector(model_path: Path) -> Detector:
    return make_detector("yunet", {"model_path": str(model_path)})


@pytest.mark.parametrize("shape", [(250, 444), (64, 64), (33, 97), (5, 5)])
def test_a_dark_picture_has_no_faces(detector: Detector, shape: tuple[int, int]) -> None:
    boxes, confidence, _ = detector.detect(np.full(shape, 30, np.uint8))
    assert boxes.shape == (0, 4)
    assert boxes.dtype == confidence.dtype == np.float32


def test_boxes_are_corners_in_pixels_whatever_the_size_before(detector: Detector) -> None:
    for height, width, x, y in ((250, 444, 192, 96), (128, 128, 32, 64), (250, 444, 320, 160)):
        picture = np.full((height, width), 30, np.uint8)
        picture[y : y + 32, x : x + 32] = 250
        boxes, confidence, landmarks = detector.detect(picture)
        centre_x, centre_y, half = x + 16, y + 16, FACE_PX / 2
        np.testing.assert_allclose(
            boxes, [[centre_x - half, centre_y - half, centre_x + half, centre_y + half]], atol=0.01
        )
        assert confidence == pytest.approx([1.0], abs=1e-3)
        assert landmarks.shape == (1, 5, 2)


def test_two_squares_are_two_faces(detector: Detector) -> None:
    picture = np.full((256, 448), 30, np.uint8)
    picture[64:96, 64:96] = picture[128:160, 320:352] = 250
    boxes, *_ = detector.detect(picture)
    assert sorted(boxes[:, 0].tolist()) == pytest.approx([48, 304], abs=0.01)


def test_a_video_is_analysed_with_it(model_path: Path, tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(2), lambda _: square_picture(230, left=96, side=64))
    settings = fervid.load_settings(
        assignments=["detect.detector=yunet", f"detect.yunet.model_path={model_path}"], environment={}
    )
    run = fervid.analyze(video, out=tmp_path, settings=settings, device="cpu", plot=False)
    assert run.tracks.num_rows == 1
    box = run.faces.to_pandas().iloc[0]
    assert 96 - 32 < box.x + box.w / 2 < 160 + 32
