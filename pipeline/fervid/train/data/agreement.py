"""The majority emotion of the FER+ voters for each face of FER-2013. Knows no network.

FER+ labels the same images again, with other rules and other annotators. How often a head trained on FER-2013's labels
predicts the majority emotion is an agreement between labellings, not its accuracy. The accuracy of a head trained on
the votes is measured on the faces with a majority, over all eight emotions.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from fervid.emotion.model import FERPLUS_EMOTIONS
from fervid.errors import DatasetError
from fervid.train.data.fer2013 import EMOTIONS, FaceDataset
from fervid.train.data.ferplus import FILE_NAME, load_votes

log = logging.getLogger(__name__)

NO_EMOTION = -1

FER2013_NAMES = {
    "neutral": "neutral",
    "happiness": "happy",
    "surprise": "surprise",
    "sadness": "sad",
    "anger": "angry",
    "disgust": "disgust",
    "fear": "fear",
}
"""FER+'s names of the emotions that both labellings share; only FER+ has contempt."""

FERPLUS_LABELS = tuple(FER2013_NAMES.get(name, name) for name in FERPLUS_EMOTIONS)
"""FER+'s eight emotions in the order of its votes, by FER-2013's names where it has them."""

_CODES = np.array([EMOTIONS.index(name) if name in EMOTIONS else NO_EMOTION for name in FERPLUS_LABELS])


def majority_emotions(votes: np.ndarray) -> np.ndarray:
    """The emotion that most voters named, int (N,) into FERPLUS_LABELS, from votes (N, 10).

    NO_EMOTION where there is none: a tie, unknown or not a face. Counted as in the majority mode of FER+'s reference
    reader (Barsoum et al., 2016): single votes are dropped, and more than half of the rest must agree.
    """
    kept = np.where(votes > 1, votes, 0)
    named = kept.argmax(axis=1)
    has_majority = kept.max(axis=1, initial=0) > kept.sum(axis=1) / 2
    return np.where(has_majority & (named < len(FERPLUS_LABELS)), named, NO_EMOTION)


def majority_codes(votes: np.ndarray) -> np.ndarray:
    """The same, int (N,) in the order of FER-2013's EMOTIONS; NO_EMOTION where the majority saw contempt too."""
    emotions = majority_emotions(votes)
    return np.where(emotions == NO_EMOTION, NO_EMOTION, _CODES[emotions])


def find_votes(ferplus: Path | None, data: Path, dataset: FaceDataset) -> np.ndarray | None:
    """Votes float32 (N, 10) from the file `ferplus`, else from the one next to the data, else None.

    Votes that were not requested and do not match the data are ignored with a warning. Raises DatasetError for a
    given file that cannot be used.
    """
    if ferplus is not None:
        return load_votes(ferplus, dataset)
    beside = (data if data.is_dir() else data.parent) / FILE_NAME
    if not beside.is_file():
        return None
    try:
        return load_votes(beside, dataset)
    except DatasetError as problem:
        log.warning("FER+ votes are ignored: %s", problem)
        return None
