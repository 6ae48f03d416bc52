"""FER+ votes: joined row by row or refused, and turned into targets as the reference reader does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_faces import draw_dataset, write_folders
from fervid.emotion.model import FERPLUS_EMOTIONS
from fervid.errors import DatasetError
from fervid.train.data.fer2013 import FaceDataset, load_fer2013
from fervid.train.data.ferplus import NOT_EMOTIONS, load_votes, vote_targets

DATASET = draw_dataset(n_training=14, n_public=7, n_private=7)
HEADER = ",".join(["Usage", "Image name", *FERPLUS_EMOTIONS, *NOT_EMOTIONS])


def votes_of(**counts: int) -> np.ndarray:
    return np.array([[counts.get(name, 0) for name in (*FERPLUS_EMOTIONS, *NOT_EMOTIONS)]], np.float32)


def write_votes(path: Path, *, header: str = HEADER, usage: list[str] | None = None) -> Path:
    rows = [f"{split},fer{i:07d}.png,{i},0,0,0,0,0,0,0,0,1" for i, split in enumerate(usage or DATASET.usage.tolist())]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def test_votes_join_row_by_row(tmp_path: Path) -> None:
    votes = load_votes(write_votes(tmp_path / "votes.csv"), DATASET)
    assert votes.shape == (28, 10)
    assert votes[:, 0].tolist() == list(range(28))
    assert (votes[:, 9] == 1).all()


def test_votes_join_folders_by_the_row_in_the_file_name(tmp_path: Path) -> None:
    loaded = load_fer2013(write_folders(DATASET, tmp_path / "fer"), require_official=False)
    shuffled = loaded.take(np.array([20, 3, 9]))
    assert load_votes(write_votes(tmp_path / "votes.csv"), shuffled)[:, 0].tolist() == [20, 3, 9]


def test_votes_are_not_joined_where_nothing_tells_the_row(tmp_path: Path) -> None:
    unknown = FaceDataset(DATASET.images, DATASET.labels, DATASET.usage, "folders")
    with pytest.raises(DatasetError, match="file names of folders do not give the row number of each face"):
        load_votes(write_votes(tmp_path / "votes.csv"), unknown)


@pytest.mark.parametrize("value", ["many", "", "-1"])
def test_votes_that_are_not_counts_are_refused(tmp_path: Path, value: str) -> None:
    path = write_votes(tmp_path / "votes.csv")
    path.write_text(path.read_text().replace("png,7,", f"png,{value},"))
    with pytest.raises(DatasetError, match="votes that are not counts"):
        load_votes(path, DATASET)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"header": HEADER.replace("anger", "rage")}, "lacks the column 'anger'"),
        ({"usage": DATASET.usage.tolist()[:-1]}, "has 27 rows, drawn faces has 28: votes join row by row"),
        ({"usage": ["PublicTest", *DATASET.usage.tolist()[1:]]}, "line 2: Usage is PublicTest, but Training in"),
    ],
)
def test_votes_of_other_rows_are_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        load_votes(write_votes(tmp_path / "votes.csv", **change), DATASET)  # type: ignore[arg-type]


def test_a_missing_file_of_votes_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"none\.csv cannot be read .* with --ferplus"):
        load_votes(tmp_path / "none.csv", DATASET)


def test_no_votes_are_no_targets() -> None:
    targets, weights = vote_targets(np.zeros((0, 10), np.float32))
    assert (targets.shape, weights.shape) == ((0, 8), (0,))


@pytest.mark.parametrize(
    ("counts", "expected", "weight"),
    [
        ({"happiness": 10}, {"happiness": 1.0}, 1),
        ({"neutral": 6, "sadness": 3, "anger": 1}, {"neutral": 2 / 3, "sadness": 1 / 3}, 1),  # one vote is a slip
        ({"surprise": 4, "fear": 4, "unknown": 2}, {"surprise": 0.5, "fear": 0.5}, 1),
        ({"neutral": 4, "unknown": 6}, {"neutral": 1.0}, 0),  # most could not tell
        ({"NF": 10}, {}, 0),
        ({"neutral": 1, "happiness": 1, "surprise": 1}, {}, 0),
    ],
)
def test_targets_are_shares_of_the_votes_that_agree(
    counts: dict[str, int], expected: dict[str, float], weight: int
) -> None:
    targets, weights = vote_targets(votes_of(**counts))
    assert weights.tolist() == [weight]
    found = dict(zip(FERPLUS_EMOTIONS, targets[0].tolist(), strict=True))
    assert {name: share for name, share in found.items() if share} == pytest.approx(expected)
