"""Removes images without a face, and copies, from Training. Never touches a test split.

Rows where FER+ and FER-2013 disagree are kept: they are a third of the data, and the disagreement is systematic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fervid.train.data.agreement import FERPLUS_LABELS
from fervid.train.data.duplicates import first_copies
from fervid.train.data.fer2013 import EMOTIONS, FaceDataset
from fervid.train.data.ferplus import is_no_face

_VOTE_COLUMNS = [FERPLUS_LABELS.index(name) for name in EMOTIONS]


@dataclass(frozen=True, slots=True)
class Cleaned:
    """A data set after cleaning, its votes, and the number of Training rows removed."""

    dataset: FaceDataset
    votes: np.ndarray | None
    no_face: int
    extra_copies: int
    relabelled: int


# Decision TRA-10.
def clean_training(dataset: FaceDataset, votes: np.ndarray | None = None) -> Cleaned:
    """Drop the Training rows without a face (according to the FER+ `votes` (N, 10)) and all but one of equal images.

    The remaining row gets the most frequent label of its copies. The FER+ votes break ties, summed over
    the copies; after them the first row does. Its votes become the mean over the copies.
    """
    training = np.flatnonzero(dataset.usage == "Training")
    no_face = np.zeros(len(training), bool) if votes is None else is_no_face(votes[training])
    kept = training[~no_face]
    first = first_copies(dataset.images[kept])
    stays = first == np.arange(len(kept))
    labels, new_votes = dataset.labels.copy(), None if votes is None else votes.copy()
    for group in np.flatnonzero(np.bincount(first, minlength=len(kept)) > 1):
        copies = kept[first == group]
        labels[copies[0]] = _label(dataset.labels[copies], None if votes is None else votes[copies])
        if votes is not None and new_votes is not None:
            new_votes[copies[0]] = votes[copies].mean(axis=0)
    rows = np.sort(np.concatenate([kept[stays], np.flatnonzero(dataset.usage != "Training")]))
    relabelled = FaceDataset(dataset.images, labels, dataset.usage, dataset.source, dataset.rows)
    return Cleaned(
        dataset=relabelled.take(rows),
        votes=None if new_votes is None else new_votes[rows],
        no_face=int(no_face.sum()),
        extra_copies=int((~stays).sum()),
        relabelled=int((labels != dataset.labels).sum()),
    )


def _label(labels: np.ndarray, votes: np.ndarray | None) -> int:
    """The label of one image from those of its copies in order: the most frequent, then the voters', then the first."""
    counts = np.bincount(labels, minlength=len(EMOTIONS))
    tied = np.flatnonzero(counts == counts.max())
    if len(tied) > 1 and votes is not None:
        voices = votes.sum(axis=0)[_VOTE_COLUMNS][tied]
        tied = tied[voices == voices.max()]
    return int(next(label for label in labels if label in tied))
