"""What `fervid data` counts: copies within and across splits, contradictions, FER+."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest

from drawn_faces import draw_dataset, write_csv
from fervid.base.opencv import cv2
from fervid.train.data.describe import describe_dataset
from fervid.train.data.fer2013 import SIDE_PX, FaceDataset
from fervid.train.data.ferplus import load_votes
from runner import run_fervid

FACES = draw_dataset(n_training=9, n_public=0, n_private=0).images


def test_an_empty_set_has_no_splits() -> None:
    empty = draw_dataset(7, 7, 7).take(np.zeros(0, int))
    description = describe_dataset(empty)
    assert description.splits == {}
    assert (description.copy_groups, description.extra_copies, description.copies_across) == (0, 0, {})


def test_copies_are_counted_within_and_across_splits() -> None:
    rows = [(0, 1, "Training"), (0, 1, "Training"), (0, 2, "PublicTest"), (1, 3, "Training"), (1, 3, "PrivateTest")]
    rows += [(1, 3, "PrivateTest"), (2, 0, "PublicTest"), (2, 0, "PrivateTest"), (3, 0, "Training")]
    images, labels, usage = zip(*rows, strict=True)
    dataset = FaceDataset(FACES[list(images)], np.array(labels), np.array(usage), "rows")
    description = describe_dataset(dataset)
    assert (description.copy_groups, description.extra_copies) == (3, 5)
    assert (description.contradictory_groups, description.contradictory_rows) == (1, 3)
    assert description.copies_across == {
        "PublicTest in Training": 1,
        "PrivateTest in Training": 2,
        "PrivateTest in PublicTest": 1,
    }
    assert [split.extra_copies for split in description.splits.values()] == [1, 0, 1]
    assert not description.is_official


def test_constant_images_and_votes_are_counted() -> None:
    images = np.stack([FACES[0], np.full((48, 48), 9, np.uint8), FACES[1], FACES[2]])
    votes = np.zeros((4, 10), np.float32)
    votes[0, 4] = 10  # anger, as FER-2013 says
    votes[1, 9] = 10  # not a face
    votes[2, 1] = 10  # happiness, where FER-2013 says angry
    votes[3, 8] = 10  # unknown
    dataset = FaceDataset(images, np.zeros(4, int), np.array(["Training"] * 4), "rows")
    split = describe_dataset(dataset, votes).splits["Training"]
    assert (split.constant, split.no_face, split.unknown) == (1, 1, 1)
    assert (split.ferplus_majority, split.ferplus_agreement) == (2, 0.5)


def test_the_command_prints_a_table_or_one_json_object(tmp_path: Path) -> None:
    path = write_csv(draw_dataset(14, 7, 7), tmp_path / "fer2013.csv")
    table = run_fervid("data", str(path), "--allow-unofficial")
    assert table.returncode == 0, table.stderr
    assert "not the official FER-2013 split" in table.stdout
    assert "0 rows of PrivateTest have a copy in Training" in table.stdout
    found = json.loads(run_fervid("data", str(path), "--allow-unofficial", "--json").stdout)
    assert found["splits"]["PublicTest"]["rows"] == 7
    refused = run_fervid("data", str(path))
    assert refused.returncode == 3
    assert "Traceback" not in refused.stderr


def test_the_copies_of_the_official_set_are_those_that_are_known() -> None:
    value = os.environ.get("FERVID_TEST_DATA")
    if not value:
        pytest.skip("FERVID_TEST_DATA is not set: no FER-2013")
    dataset = official_dataset(Path(value) / "fer2013")
    description = describe_dataset(dataset, load_votes(Path(value) / "fer2013" / "fer2013new.csv", dataset))
    assert description.is_official
    assert (description.copy_groups, description.extra_copies) == (1516, 1853)
    assert (description.contradictory_groups, description.contradictory_rows) == (57, 160)
    assert description.copies_across == {
        "PublicTest in Training": 280,
        "PrivateTest in Training": 288,
        "PrivateTest in PublicTest": 44,
    }
    assert [split.no_face for split in description.splits.values()] == [150, 11, 16]


def official_dataset(folder: Path) -> FaceDataset:
    """FER-2013 from the lossless mosaics of the test data, 32 x 32 faces each, in the official order."""
    with (folder / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    faces = []
    for tile in sorted((folder / "tiles").glob("tile-*.webp")):
        mosaic = np.asarray(cv2.imread(str(tile), cv2.IMREAD_GRAYSCALE))
        grid = mosaic.reshape(-1, SIDE_PX, mosaic.shape[1] // SIDE_PX, SIDE_PX)
        faces.append(grid.transpose(0, 2, 1, 3).reshape(-1, SIDE_PX, SIDE_PX))
    labels, usage = np.array([int(row["emotion"]) for row in rows]), np.array([row["usage"] for row in rows])
    return FaceDataset(np.concatenate(faces)[: len(rows)], labels, usage, "mosaics", np.arange(len(rows)))
