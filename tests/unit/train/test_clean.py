"""What cleaning leaves out of Training, and that it leaves the test splits alone."""

from __future__ import annotations

import numpy as np
import pytest

from drawn_faces import draw_dataset
from fervid.emotion.model import FERPLUS_EMOTIONS
from fervid.train.data.clean import Cleaned, clean_training
from fervid.train.data.fer2013 import EMOTIONS, FaceDataset
from fervid.train.data.ferplus import NOT_EMOTIONS

FACES = draw_dataset(n_training=9, n_public=0, n_private=0).images


def dataset_of(rows: list[tuple[int, str, str]]) -> FaceDataset:
    """Rows of image number, label and split."""
    images, labels, usage = zip(*rows, strict=True)
    codes = np.array([EMOTIONS.index(label) for label in labels])
    return FaceDataset(FACES[list(images)], codes, np.array(usage, dtype="U11"), "rows", np.arange(len(rows)))


def votes_of(*counts: dict[str, int]) -> np.ndarray:
    names = (*FERPLUS_EMOTIONS, *NOT_EMOTIONS)
    return np.array([[row.get(name, 0) for name in names] for row in counts], np.float32)


def labels_of(cleaned: Cleaned) -> list[str]:
    return [EMOTIONS[code] for code in cleaned.dataset.labels]


def test_nothing_stays_nothing() -> None:
    empty = draw_dataset(7, 7, 7).take(np.zeros(0, int))
    cleaned = clean_training(empty, np.zeros((0, 10), np.float32))
    assert len(cleaned.dataset.labels) == 0
    assert (cleaned.no_face, cleaned.extra_copies, cleaned.relabelled) == (0, 0, 0)


def test_a_clean_set_stays_as_it_is() -> None:
    dataset = dataset_of([(i, "sad", "Training") for i in range(9)])
    cleaned = clean_training(dataset, votes_of(*[{"sadness": 10}] * 9))
    assert cleaned.dataset.sha256() == dataset.sha256()


def test_copies_and_pictures_without_a_face_leave_training_and_no_other_split() -> None:
    rows = [(0, "sad", "Training"), (0, "sad", "PublicTest"), (1, "sad", "Training"), (0, "sad", "Training")]
    rows += [(2, "sad", "PrivateTest"), (2, "sad", "PrivateTest"), (3, "sad", "Training"), (4, "sad", "Training")]
    no_face, tied = {"NF": 6, "sadness": 4}, {"NF": 5, "sadness": 5}
    votes = votes_of({"sadness": 8}, no_face, no_face, {"sadness": 4}, no_face, no_face, tied, {"unknown": 10})
    cleaned = clean_training(dataset_of(rows), votes)
    assert cleaned.dataset.rows is not None
    assert cleaned.dataset.rows.tolist() == [0, 1, 4, 5, 6, 7]
    assert (cleaned.no_face, cleaned.extra_copies, cleaned.relabelled) == (1, 1, 0)
    assert cleaned.votes is not None
    assert cleaned.votes.shape == (6, 10)
    assert cleaned.votes[0, FERPLUS_EMOTIONS.index("sadness")] == 6  # the mean of its copies


def test_without_votes_only_copies_are_known() -> None:
    cleaned = clean_training(dataset_of([(0, "sad", "Training"), (0, "sad", "Training"), (1, "sad", "Training")]))
    assert len(cleaned.dataset.labels) == 2
    assert cleaned.votes is None


@pytest.mark.parametrize(
    ("labels", "votes", "expected"),
    [
        (["fear", "sad", "sad"], [{"fear": 9}] * 3, "sad"),  # the majority, whatever the voters say
        (["fear", "sad"], [{"sadness": 4, "fear": 3, "happiness": 9}, {"sadness": 2, "fear": 2}], "sad"),
        (["fear", "sad"], [{"happiness": 10}] * 2, "fear"),  # nobody saw either: the first row
        (["neutral", "angry"], [{"neutral": 1, "anger": 2}] * 2, "angry"),
    ],
)
def test_the_label_of_copies_is_the_majoritys_then_the_voters_then_the_first(
    labels: list[str], votes: list[dict[str, int]], expected: str
) -> None:
    cleaned = clean_training(dataset_of([(0, label, "Training") for label in labels]), votes_of(*votes))
    assert labels_of(cleaned) == [expected]
    assert cleaned.relabelled == (expected != labels[0])
