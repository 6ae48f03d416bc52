"""The emotion that most voters of FER+ named, in FER-2013's codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from drawn_faces import draw_dataset
from fervid.emotion.model import FERPLUS_EMOTIONS
from fervid.errors import DatasetError
from fervid.train.data.agreement import NO_EMOTION, find_votes, majority_codes
from fervid.train.data.fer2013 import EMOTIONS
from fervid.train.data.ferplus import FILE_NAME, NOT_EMOTIONS

DATASET = draw_dataset(n_training=14, n_public=7, n_private=7)
COLUMNS = (*FERPLUS_EMOTIONS, *NOT_EMOTIONS)


def test_no_votes_have_no_majority() -> None:
    assert majority_codes(np.zeros((0, 10))).shape == (0,)
    assert majority_codes(np.zeros((1, 10))).tolist() == [NO_EMOTION]


@pytest.mark.parametrize(
    ("counts", "emotion"),
    [
        ({"anger": 10}, "angry"),
        ({"disgust": 10}, "disgust"),
        ({"fear": 10}, "fear"),
        ({"happiness": 10}, "happy"),
        ({"sadness": 10}, "sad"),
        ({"surprise": 10}, "surprise"),
        ({"neutral": 10}, "neutral"),
        ({"anger": 6, "sadness": 4}, "angry"),
        ({"anger": 5, "sadness": 5}, None),  # a tie
        ({"anger": 4, "sadness": 3, "fear": 3}, None),  # the most, but not more than half
        ({"anger": 5, "sadness": 3, "fear": 1, "disgust": 1}, "angry"),  # single votes are slips: 5 of 8
        ({"contempt": 10}, None),
        ({"unknown": 6, "anger": 4}, None),
        ({"NF": 10}, None),
        ({"anger": 1}, None),
    ],
)
def test_a_majority_is_more_than_half_of_the_votes_that_agree(counts: dict[str, int], emotion: str | None) -> None:
    votes = np.array([[counts.get(name, 0) for name in COLUMNS]], np.float32)
    expected = NO_EMOTION if emotion is None else EMOTIONS.index(emotion)
    assert majority_codes(votes).tolist() == [expected]


def write_votes(path: Path, usage: list[str]) -> Path:
    rows = [f"{split},x.png,10,0,0,0,0,0,0,0,0,0" for split in usage]
    path.write_text("\n".join([",".join(["Usage", "Image name", *COLUMNS]), *rows]) + "\n", encoding="utf-8")
    return path


def test_votes_are_found_beside_the_data(tmp_path: Path) -> None:
    data = tmp_path / "fer2013.csv"
    assert find_votes(None, data, DATASET) is None
    write_votes(tmp_path / FILE_NAME, DATASET.usage.tolist())
    for place in (data, tmp_path):
        votes = find_votes(None, place, DATASET)
        assert votes is not None
        assert votes.shape == (28, 10)


def test_votes_of_other_rows_are_left_out_unless_they_were_asked_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_votes(tmp_path / FILE_NAME, DATASET.usage.tolist()[:-1])
    assert find_votes(None, tmp_path, DATASET) is None
    assert "FER+ votes are ignored" in caplog.text
    with pytest.raises(DatasetError, match="votes join row by row"):
        find_votes(path, tmp_path, DATASET)
