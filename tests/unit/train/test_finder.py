"""The face finder in training: its views and targets, its network in both forms, its run and resume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from fervid.base.opencv import cv2
from fervid.cli import app
from fervid.demo.photograph import portrait
from fervid.detect import make_detector
from fervid.detect.finder import FinderDetector, write_finder
from fervid.detect.finder_network import STRIDE_PX
from fervid.errors import ConfigError
from fervid.train.finder import fit
from fervid.train.finder.fit import FinderRecipe, fit_finder
from fervid.train.finder.judge import judge
from fervid.train.finder.network import HEAT, NEAR, VALUES, WEIGHT, FinderModel
from fervid.train.finder.targets import KEPT_LINES, SURE_SCORE, TaughtPictures, gather
from fervid.train.finder.views import ViewMaker, mirrored, moved, targets_of
from fervid.video.grays import files_in, gray_pictures

FACE = np.array([[40, 30, 60, 54, 0.9, 45, 38, 55, 38, 50, 44, 46, 49, 54, 49]], np.float32)


def taught_of(*faces: np.ndarray) -> TaughtPictures:
    """Dark pictures of 120 x 160 pixels whose faces are bright."""
    pictures = []
    for own in faces:
        picture = np.full((120, 160), 40, np.uint8)
        for x0, y0, x1, y1 in own[:, :4].astype(int):
            picture[y0:y1, x0:x1] = 200
        pictures.append(picture)
    return TaughtPictures(pictures, list(faces), [str(i) for i in range(len(faces))])


class Answering:
    """A detector that gives what it was told to, scaled to the picture it is shown."""

    def __init__(self, boxes: list[list[float]], scores: list[float]) -> None:
        self.boxes, self.scores = np.array(boxes, np.float32).reshape(-1, 4), np.array(scores, np.float32)

    def detect(self, gray: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.boxes * gray.shape[0] / 120, self.scores, np.zeros((len(self.scores), 5, 2), np.float32)


def test_targets_say_where_a_face_and_its_points_are() -> None:
    targets = targets_of(FACE, 64, 96)
    (row,), (column,) = np.nonzero(targets[..., HEAT] >= 0.999)
    assert (row, column) == (42 // STRIDE_PX, 50 // STRIDE_PX)
    height, width, y, x, *points = targets[row, column, VALUES:]
    assert np.exp([width, height]) * STRIDE_PX == pytest.approx([20, 24])
    assert (np.array([column + x, row + y]) + 0.5) * STRIDE_PX == pytest.approx([50, 42])
    shares = np.array(points).reshape(5, 2)[:, ::-1]
    np.testing.assert_allclose(shares * (20, 24) + (40, 30), FACE[0, 5:].reshape(5, 2), atol=1e-4)


@pytest.mark.parametrize(("score", "scale"), [(0.3, 1), (0.9, 0.3)], ids=["unsure", "tiny"])
def test_what_the_teacher_is_unsure_of_is_neither_face_nor_background(score: float, scale: float) -> None:
    face = FACE * scale
    face[0, 4] = score
    targets = targets_of(face, 64, 96)
    assert targets[..., HEAT].max() == targets[..., NEAR].max() == 0
    centre = (face[0, :2] + face[0, 2:4]) / 2 // STRIDE_PX
    assert targets[int(centre[1]), int(centre[0]), WEIGHT] == 0
    assert targets[..., WEIGHT].mean() > 0.8


def test_faces_follow_their_pictures() -> None:
    turned = moved(FACE, np.array([[0, -2, 100], [2, 0, 10]], float))  # a quarter turn, twice as large
    assert turned[0, :4].tolist() == [100 - 84 - 20, 10 + 100 - 24, 100 - 84 + 20, 10 + 100 + 24]
    assert turned[0, 5:7].tolist() == [100 - 2 * 38, 10 + 2 * 45]
    twice = mirrored(mirrored(FACE, 96), 96)
    np.testing.assert_allclose(twice, FACE)
    left, right = mirrored(FACE, 96)[0, [5, 7]]
    assert left < right  # the eye on the left of the image stays the first


def test_the_centre_of_each_face_of_a_view_is_in_the_face() -> None:
    sure = np.array([[60, 40, 100, 88, 0.9, *[80, 60] * 5]], np.float32)
    views, targets = ViewMaker(taught_of(sure)).batch(24, 64, (3,))
    assert views.shape == (24, 64, 64, 1)
    rises = []
    for view, target in zip(views[..., 0], targets, strict=True):
        for row, column in zip(*np.nonzero(target[..., HEAT] >= 0.999), strict=True):
            part = view[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8]
            rises.append(part.mean() - view.min())
    assert len(rises) >= 12
    assert np.median(rises) > 10
    again, _ = ViewMaker(taught_of(sure)).batch(24, 64, (3,))
    np.testing.assert_array_equal(views, again)


def test_a_finder_is_judged_by_what_the_teacher_is_sure_of() -> None:
    faces = np.concatenate(
        [FACE, FACE + np.array([60, 40, 60, 40, *[0] * 11]), FACE + np.array([90, 0, 90, 0, *[0] * 11])]
    )
    faces[2, 4] = 0.3
    right = faces[:, :4].tolist()
    score = judge(Answering(right, [0.9, 0.8, 0.7]), taught_of(faces))
    assert (score.recall, score.average_precision) == (1, 1)
    assert score.threshold == pytest.approx(0.8)
    score = judge(Answering([right[0], [0, 90, 20, 115], right[1]], [0.9, 0.8, 0.7]), taught_of(faces))
    assert score.recall == 0.5
    assert score.average_precision == pytest.approx(0.5 * (1 + 2 / 3))
    assert judge(Answering([], []), taught_of(faces)).recall == 0


def grays_in(folder: Path) -> Iterator[np.ndarray]:
    for file in files_in([folder]):
        yield from gray_pictures(file, fps=2, segment_seconds=60, max_pixels=10**7)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of photographs, each with a face."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, scale in (("learn", 0.5), ("choose", 0.4)):
        (folder / name).mkdir()
        picture = cv2.resize(portrait(), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        cv2.imwrite(str(folder / name / "face.png"), picture)
    (folder / "learn" / "broken.jpg").write_bytes(b"no picture")
    return folder


def test_the_teacher_sees_the_faces_of_pictures_and_patches(material: Path) -> None:
    patch = cv2.resize(portrait()[120:320, 170:370], (48, 48), interpolation=cv2.INTER_AREA)
    taught = gather(grays_in(material / "learn"), [patch, np.zeros_like(patch)])
    assert [picture.shape[0] <= KEPT_LINES for picture in taught.pictures] == [True, True]  # no face: no patch
    (whole,), (cut,) = ([face for face in faces if face[4] >= SURE_SCORE] for faces in taught.faces)
    assert np.all(np.abs(cut[[0, 1]]) < 16)
    assert np.all(np.abs(cut[[2, 3]] - 48) < 16)
    assert whole[0] < whole[5] < whole[7] < whole[2]  # both eyes between the left and the right border


def test_keras_and_litert_answer_alike(tmp_path: Path) -> None:
    from fervid.runtime.backend import load_training_backend

    load_training_backend()
    finder = FinderModel()
    rng = np.random.default_rng(0)
    for variable in finder.model.variables:
        if "moving" in variable.path or "gamma" in variable.path or "beta" in variable.path:
            variable.assign(rng.uniform(0.5, 1.0, variable.shape))
    weights = [(kernel.astype(np.float16).astype(np.float32), bias) for kernel, bias in finder.weights()]
    (tmp_path / "finder.npz").write_bytes(write_finder(weights, 0.4))
    detector = FinderDetector(model_path=str(tmp_path / "finder.npz"))
    assert detector.sure_confidence == pytest.approx(0.4)
    gray = rng.integers(0, 256, (96, 160), np.uint8)
    expected = np.asarray(finder.model(gray[None, ..., None].astype(np.float32), training=False))[0]
    heat, *others = detector._answers(gray)
    assert heat.shape == (12, 20, 1)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(np.concatenate(others, axis=-1), expected[..., 1:], atol=0.01 * scale)
    clear = np.abs(expected[..., 0]) > 0.02 * scale
    assert clear.any()
    np.testing.assert_array_equal((heat[..., 0] > 0.5)[clear], (expected[..., 0] > 0)[clear])


def test_a_stopped_training_resumes_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fervid.runtime.backend import load_training_backend

    load_training_backend()
    monkeypatch.setattr(fit, "SIDES_PX", (64,))
    monkeypatch.setattr(fit, "SIDE_SHARES", (1.0,))
    monkeypatch.setattr(fit, "PIXELS_A_STEP", 4 * 64**2)
    taught, recipe = taught_of(FACE, FACE), FinderRecipe(epochs=2, steps=2)
    whole = fit_finder(taught, taught, recipe, _made(tmp_path / "whole"), resume=True, progress=False)

    def stop(*_: object) -> float:
        raise KeyboardInterrupt

    out = _made(tmp_path / "stopped")
    run = fit._run_epoch
    monkeypatch.setattr(fit, "_run_epoch", lambda *given: stop() if given[3] == 2 else run(*given))
    with pytest.raises(KeyboardInterrupt):
        fit_finder(taught, taught, recipe, out, resume=True, progress=False)
    monkeypatch.setattr(fit, "_run_epoch", lambda *given: stop() if given[3] == 1 else run(*given))
    resumed = fit_finder(taught, taught, recipe, out, resume=True, progress=False)
    assert [record.loss for record in resumed.history] == pytest.approx([r.loss for r in whole.history], rel=1e-4)
    with pytest.raises(ConfigError, match="belongs to another recipe or data set"):
        fit_finder(taught, taught, FinderRecipe(epochs=3, steps=2), out, resume=True, progress=False)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_the_command_writes_a_finder_that_an_analysis_can_use(material: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ["train-finder", str(material / "learn"), "--choose", str(material / "choose"), "-o", str(out)]
    done = CliRunner().invoke(app, [*given, "--epochs", "1", "--steps", "1", "--quiet"])
    assert done.exit_code == 0, done.output
    assert "epoch 1 of 1" in done.output
    card = (out / "card.md").read_text(encoding="utf-8")
    assert "SHA-256 of `finder.npz`" in card
    assert "1 image with 1 face" in card
    detector = make_detector("finder", {"model_path": str(out / "finder.npz")})
    boxes, scores, points = detector.detect(portrait())
    assert boxes.shape == (len(scores), 4)
    assert points.shape == (len(scores), 5, 2)
    again = CliRunner().invoke(app, [*given, "--epochs", "1", "--steps", "1", "--quiet"])
    assert again.output == done.output  # nothing is left to do
    other = CliRunner().invoke(app, [given[0], str(material), *given[2:], "--quiet"])
    assert isinstance(other.exception, ConfigError)
    assert "not from what is given now" in str(other.exception)


def test_material_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere does not exist. Give "):
        files_in([tmp_path / "nowhere"])
    with pytest.raises(ConfigError, match="none of the given files is an image or video"):
        gather(grays_in(tmp_path))


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04"])
def test_a_file_that_is_no_finder_is_refused(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "finder.npz"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"finder\.npz is not a finder"):
        make_detector("finder", {"model_path": str(file)})
    with pytest.raises(ConfigError, match=r"detect\.finder\.model_path"):
        make_detector("finder", {"model_path": str(tmp_path / "none.npz")})
