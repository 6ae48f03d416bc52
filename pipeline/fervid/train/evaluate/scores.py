"""The metrics of one set of logits against the labels of one split, as stored with a model. Runs no network."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fervid.emotion.calibration import softmax
from fervid.errors import DatasetError, ModelError
from fervid.stats.metrics import (
    accuracy,
    balanced_accuracy,
    brier_score,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    negative_log_likelihood,
    precision_recall_f1,
    top_k_accuracy,
    wilson_interval,
)
from fervid.train.data.fer2013 import EMOTIONS


@dataclass(frozen=True, slots=True)
class Scores:
    """The numbers of one model on one split. Shares are 0..1, `nll` is in nats, `brier` 0 to 2.

    `brier`, `ece` and `nll` are of probabilities after temperature. `per_class` maps a label to precision, recall, f1
    and support. `confusion` holds counts: row = label, column = prediction, both in the order of `per_class`.
    """

    model: str
    split: str
    n: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    balanced_accuracy: float
    top2_accuracy: float
    macro_f1: float
    brier: float
    ece: float
    ece_before_temperature: float
    nll: float
    nll_before_temperature: float
    per_class: dict[str, dict[str, float]]
    confusion: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, lists and dicts, for `json.dumps`."""
        return json.loads(json.dumps(asdict(self), allow_nan=False))  # type: ignore[no-any-return]


def label_indices(codes: np.ndarray, labels: tuple[str, ...], model: str) -> np.ndarray:
    """FER-2013 codes int (N,) as indices int (N,) into a model's `labels`. Raises ModelError where one is missing."""
    missing = [emotion for emotion in EMOTIONS if emotion not in labels]
    if missing:
        raise ModelError(
            f"model {model} has no label {missing[0]!r} (it has {', '.join(labels)}). Use a FER-2013 model."
        )
    return np.asarray(np.array([labels.index(emotion) for emotion in EMOTIONS])[codes])


def score_truth(
    logits: np.ndarray, truth: np.ndarray, *, labels: tuple[str, ...], temperature: float, model: str, split: str
) -> Scores:
    """Score logits (N, C), whose columns are `labels`, against indices int (N,) into them. DatasetError for no rows."""
    if len(truth) == 0:
        raise DatasetError(f"{split} has no rows. Give the complete data set.")
    confusion = confusion_matrix(logits.argmax(axis=1), truth, len(labels))
    columns = (*precision_recall_f1(confusion), confusion.sum(axis=1))
    per_class = {
        label: {
            name: column[i].item()
            for name, column in zip(("precision", "recall", "f1", "support"), columns, strict=True)
        }
        for i, label in enumerate(labels)
    }
    share = accuracy(logits, truth)
    probabilities = softmax(logits, temperature)
    return Scores(
        model=model,
        split=split,
        n=len(truth),
        accuracy=share,
        accuracy_interval=wilson_interval(share, len(truth)),
        balanced_accuracy=balanced_accuracy(confusion),
        top2_accuracy=top_k_accuracy(logits, truth, 2),
        macro_f1=macro_f1(confusion),
        brier=brier_score(probabilities, truth),
        ece=expected_calibration_error(probabilities, truth),
        ece_before_temperature=expected_calibration_error(softmax(logits), truth),
        nll=negative_log_likelihood(logits, truth, temperature),
        nll_before_temperature=negative_log_likelihood(logits, truth),
        per_class=per_class,
        confusion=confusion.tolist(),
    )
