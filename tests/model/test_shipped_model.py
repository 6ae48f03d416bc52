"""The shipped weights: whole, calibrated, and as good as their card says."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from fervid.base import assets
from fervid.base.opencv import cv2
from fervid.emotion.crops import crop_faces
from fervid.emotion.heads import label_probabilities
from fervid.emotion.litert import LiteRTClassifier
from fervid.emotion.model import load_model_info, read_model_json, stored_metrics

SIDE_PX, FACES_A_ROW = 48, 32


@pytest.fixture(scope="module")
def public_test() -> tuple[np.ndarray, np.ndarray]:
    """Images uint8 (3589, 48, 48) and labels of PublicTest, from the lossless mosaics of the test data."""
    value = os.environ.get("FERVID_TEST_DATA")
    if not value:
        pytest.skip("FERVID_TEST_DATA is not set: no FER-2013")
    folder = Path(value) / "fer2013"
    with (folder / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    faces = []
    for tile in sorted((folder / "tiles").glob("tile-*.webp")):
        mosaic = np.asarray(cv2.imread(str(tile), cv2.IMREAD_GRAYSCALE))
        grid = mosaic.reshape(FACES_A_ROW, SIDE_PX, FACES_A_ROW, SIDE_PX)
        faces.append(grid.transpose(0, 2, 1, 3).reshape(-1, SIDE_PX, SIDE_PX))
    chosen = [i for i, row in enumerate(rows) if row["usage"] == "PublicTest"]
    return np.concatenate(faces)[chosen], np.array([int(rows[i]["emotion"]) for i in chosen])


def test_every_shipped_model_is_whole_and_has_its_card() -> None:
    folders = [path.parent for path in assets.models_folder().glob("*/model.json")]
    assert assets.models_folder() / assets.DEFAULT_MODEL in folders
    for folder in folders:
        info = load_model_info(folder)
        assert info.name == folder.name
        card = (folder / "CARD.md").read_text()
        assert info.weights_sha256 in card
        assert "What it is not for" in card


def test_a_portrait_scores_as_a_calm_face() -> None:
    from fervid.demo.photograph import portrait
    from fervid.detect.haar import HaarDetector

    info = load_model_info(assets.model_folder(assets.DEFAULT_MODEL))
    gray = portrait()
    boxes, _ = HaarDetector().detect(cv2.resize(gray, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA))
    crops = crop_faces(gray, boxes * 4, side_px=info.input_side_px, margin=0.0, is_full_range=True)
    probabilities = label_probabilities(LiteRTClassifier(info).predict(crops), info)
    assert probabilities.shape == (1, len(info.labels))
    assert info.labels[int(probabilities[0].argmax())] in ("neutral", "happy")


def test_accuracy_on_public_test_is_that_of_the_model_file(public_test: tuple[np.ndarray, np.ndarray]) -> None:
    images, labels = public_test
    folder = assets.model_folder(assets.DEFAULT_MODEL)
    stated = stored_metrics(read_model_json(folder), "PublicTest")["accuracy"]
    info = load_model_info(folder)
    logits = LiteRTClassifier(info).predict(images)[:, : len(info.labels)]
    assert float((logits.argmax(axis=1) == labels).mean()) == pytest.approx(stated, abs=0.0006)


def test_mean_logits_are_those_of_public_test(public_test: tuple[np.ndarray, np.ndarray]) -> None:
    for folder in assets.shipped_models():
        info = load_model_info(folder)
        stated = [value for head in info.heads for value in head.mean_logits]
        assert LiteRTClassifier(info).predict(public_test[0]).mean(axis=0) == pytest.approx(stated, abs=1e-3)


def test_the_one_reading_of_private_test_is_logged_and_above_the_published_system() -> None:
    readings = read_model_json(assets.model_folder(assets.DEFAULT_MODEL))["private_test_readings"]
    assert len(readings) == 1
    assert readings[0]["n"] == 3589
    assert readings[0]["accuracy"] >= 0.6402
