"""The metrics of each head of a model on one split, per kind of views, as stored with the model. Runs no network.

FER-2013's head is scored on every face. FER+'s head is scored on the faces with a majority (see `agreement`) over its
eight emotions, and against the whole distribution of the votes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from fervid.emotion.calibration import fit_temperature, softmax
from fervid.emotion.heads import head_columns
from fervid.emotion.model import FER2013, FERPLUS, Head, ModelInfo
from fervid.errors import ConfigError, DatasetError
from fervid.stats.metrics import wilson_interval
from fervid.train.data.agreement import NO_EMOTION, majority_emotions
from fervid.train.data.duplicates import has_copy_in
from fervid.train.data.fer2013 import FaceDataset
from fervid.train.data.ferplus import vote_targets
from fervid.train.evaluate.scores import Scores, label_indices, score_truth
from fervid.train.evaluate.tta import Tta

VIEWS: tuple[Tta, ...] = get_args(Tta)


@dataclass(frozen=True, slots=True)
class Share:
    """An accuracy on some of the rows, with its 95 % interval; both None where no row is left."""

    n: int
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None

    @classmethod
    def of(cls, hits: np.ndarray) -> Share:
        """The share of `hits` bool (N,) that are true."""
        if not len(hits):
            return cls(0, None, None)
        accuracy = float(hits.mean())
        return cls(len(hits), accuracy, wilson_interval(accuracy, len(hits)))


@dataclass(frozen=True, slots=True)
class VoteScores:
    """Cross-entropy in nats against the votes of the `n` faces whose most frequent vote is an emotion.

    `entropy` is that of the votes themselves: no prediction can have a lower cross-entropy.
    """

    n: int
    cross_entropy: float
    cross_entropy_before_temperature: float
    entropy: float


@dataclass(frozen=True, slots=True)
class HeadScores(Scores):
    """One head's numbers on one split with one kind of views; `votes` for FER+'s head only.

    `without_copies` excludes the rows whose image also occurs in Training, pixel for pixel.
    """

    head: str
    tta: Tta
    temperature: float
    without_copies: Share
    votes: VoteScores | None


@dataclass(frozen=True, slots=True)
class SplitFaces:
    """The faces of one split and their ground truth. `votes` (N, 10) are FER+'s, None without them."""

    split: str
    images: np.ndarray
    codes: np.ndarray
    has_copy: np.ndarray
    votes: np.ndarray | None

    @classmethod
    def of(cls, dataset: FaceDataset, split: str, votes: np.ndarray | None) -> SplitFaces:
        """The rows of `split`; `votes` (N, 10) are of all rows of `dataset`. Raises DatasetError."""
        rows = dataset.split(split)
        has_copy = has_copy_in(rows.images, dataset.images[dataset.usage == "Training"])
        return cls(split, rows.images, rows.labels, has_copy, None if votes is None else votes[dataset.usage == split])


def require_votes(info: ModelInfo, votes: np.ndarray | None, purpose: str) -> None:
    """Raise ConfigError when the model has a FER+ head and there are no votes for `purpose`."""
    if votes is None and any(head.name == FERPLUS for head in info.heads):
        raise ConfigError(
            f"model {info.name} has a FER+ head, so {purpose} needs FER+ votes. "
            "Give FER+'s fer2013new.csv with --ferplus, or put it next to the data."
        )


def fit_heads(info: ModelInfo, faces: SplitFaces, logits: Mapping[Tta, np.ndarray]) -> ModelInfo:
    """`info` with the temperatures of each head that suit its logits on `faces`, of single crops and with the mirror's.

    FER-2013's head is fitted to the labels, FER+'s to the majority of its voters: both to the likelihood of one label.
    """
    fitted = []
    for head in info.heads:
        rows, truth = _truth(info, head, faces)
        columns = head_columns(info)[head.name]
        found = {tta: fit_temperature(logits[tta][rows, columns], truth) for tta in ("none", "flip")}
        usual = tuple(logits["none"][:, columns].mean(axis=0, dtype=np.float64).tolist())
        fitted.append(replace(head, temperature=found["none"], flip_temperature=found["flip"], mean_logits=usual))
    return replace(info, heads=tuple(fitted))


def measure_heads(info: ModelInfo, faces: SplitFaces, logits: np.ndarray, tta: Tta) -> dict[str, HeadScores]:
    """The numbers of each head by its name, from the logits (N, L) of all heads. FER+'s head is skipped without votes.

    Logits of ten crops are taken at the temperature of single crops, for the reason that `tta` gives.
    Raises ModelError for a model that lacks an emotion of the data, DatasetError when no face can be scored.
    """
    measured = {}
    for head in info.heads:
        if head.name == FERPLUS and faces.votes is None:
            continue
        columns = head_columns(info)[head.name]
        rows, truth = _truth(info, head, faces)
        temperature = head.temperature_of(is_flipped=tta == "flip")
        scores = score_truth(
            logits[rows, columns],
            truth,
            labels=head.labels,
            temperature=temperature,
            model=info.name,
            split=faces.split,
        )
        hits = logits[rows, columns].argmax(axis=1) == truth
        measured[head.name] = HeadScores(
            **{name: getattr(scores, name) for name in Scores.__slots__},
            head=head.name,
            tta=tta,
            temperature=temperature,
            without_copies=Share.of(hits[~faces.has_copy[rows]]),
            votes=_score_votes(logits[:, columns], faces.votes, temperature) if head.name == FERPLUS else None,
        )
    return measured


def measure_views(info: ModelInfo, faces: SplitFaces, logits: Mapping[Tta, np.ndarray]) -> dict[str, Any]:
    """The entry of one split in `model.json`: metrics by head, then by kind of views."""
    stored: dict[str, Any] = {}
    for tta, values in logits.items():
        for name, scores in measure_heads(info, faces, values, tta).items():
            stored.setdefault(name, {})[tta] = scores.to_json()
    return stored


def _truth(info: ModelInfo, head: Head, faces: SplitFaces) -> tuple[np.ndarray, np.ndarray]:
    """The rows that a head is scored on, and the index of its label in each."""
    if head.name == FER2013:
        return np.arange(len(faces.codes)), label_indices(faces.codes, head.labels, info.name)
    assert faces.votes is not None
    majority = majority_emotions(faces.votes)
    rows = np.flatnonzero(majority != NO_EMOTION)
    if not len(rows):
        raise DatasetError(f"no face of {faces.split} has a majority in the FER+ votes. Give the complete votes.")
    return rows, majority[rows]


def _score_votes(logits: np.ndarray, votes: np.ndarray | None, temperature: float) -> VoteScores:
    assert votes is not None
    targets, weights = vote_targets(votes)
    shown = weights > 0
    targets = targets[shown].astype(np.float64)

    def cross_entropy(probabilities: np.ndarray) -> float:
        logarithms = np.log(np.maximum(probabilities, np.finfo(np.float64).tiny))
        return float(-(targets * logarithms).sum(axis=1).mean())

    kept = logits[shown].astype(np.float64)
    return VoteScores(
        n=int(shown.sum()),
        cross_entropy=cross_entropy(softmax(kept, temperature)),
        cross_entropy_before_temperature=cross_entropy(softmax(kept)),
        entropy=cross_entropy(targets),
    )
