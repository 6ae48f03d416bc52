"""How heads are turned, from landmarks: made-up ones of known poses, and those of a photograph."""

from __future__ import annotations

import numpy as np
import pytest

from fervid.base.opencv import cv2
from fervid.demo.photograph import portrait
from fervid.detect import make_detector
from fervid.detect.network_search import NetworkSearch
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.pose import MEAN_FACE, head_pose


def seen(roll: float, yaw: float, pitch: float) -> np.ndarray:
    """The landmarks (5, 2) of the mean face in that pose, at some size and place."""
    r, y, p = np.radians([roll, yaw, pitch])
    lean = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    return np.asarray((MEAN_FACE @ (lean @ turn @ nod).T)[:, :2] * 0.7 + [200, 90], np.float32)


@pytest.mark.parametrize(
    "pose", [(0, 0, 0), (20, 0, 0), (-35, 0, 0), (0, 45, 0), (0, -70, 0), (0, 0, 20), (0, 0, -30), (0, -40, 10)]
)
def test_the_pose_of_the_mean_face_is_told(pose: tuple[float, float, float]) -> None:
    found = head_pose(seen(*pose)[None])[0]
    np.testing.assert_allclose(found[1:], pose[1:], atol=0.01)
    # A turned head that nods seems to lean.
    assert found[0] == pytest.approx(pose[0], abs=5 if pose[1] and pose[2] else 0.01)


def test_a_pose_is_unknown_without_landmarks() -> None:
    points = np.stack([seen(10, 0, 0), np.full((5, 2), np.nan)])
    pose = head_pose(points.astype(np.float32))
    assert pose.dtype == np.float32
    assert np.isnan(pose[1]).all()
    assert pose[0, 0] == pytest.approx(10, abs=0.01)
    assert head_pose(points[:0]).shape == (0, 3)


def test_landmarks_in_one_point_have_some_pose() -> None:
    assert np.isfinite(head_pose(np.ones((1, 5, 2), np.float32))).all()


@pytest.mark.parametrize("degrees", [-20, 0, 20])
def test_a_photograph_turned_by_an_angle_leans_by_it(degrees: float) -> None:
    picture = portrait()
    height, width = picture.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    turned = np.asarray(cv2.warpAffine(picture, turn, (width, height), borderMode=cv2.BORDER_REPLICATE))
    detector = make_detector("centerface", {})
    upright, leaning = (head_pose(detector.detect(image)[2])[0, 0] for image in (picture, turned))
    assert leaning - upright == pytest.approx(degrees, abs=7)


def test_crops_give_the_landmarks_that_scans_give() -> None:
    """A face is scanned for once and then followed in crops, whose landmarks come back in pixels of the picture."""
    picture = portrait()
    search = NetworkSearch(make_detector("centerface", {}), SearchPlan(still_level=0), SearchWork())
    small = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    (scanned,), (cropped,) = (search.find(small, picture, seconds)[2] for seconds in (0.0, 0.2))
    face_px = np.linalg.norm(scanned[1] - scanned[0])
    assert np.abs(scanned - cropped).max() < 0.15 * face_px
    assert scanned[0, 0] < scanned[2, 0] < scanned[1, 0], "the nose is between the eyes"
