"""How good a model folder is on one split of FER-2013, through the runner that analysis uses. Trains nothing.

PrivateTest is for a last look: each reading of it is written into the model's own `model.json`, so that whoever sees
the number also sees how often it was looked at.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fervid import __version__
from fervid.emotion.calibration import softmax
from fervid.emotion.litert import LiteRTClassifier
from fervid.emotion.model import MODEL_JSON, ModelInfo, load_model_info, read_model_json, write_model_json
from fervid.errors import ModelError, OutputError
from fervid.train.agreement import majority_codes
from fervid.train.duplicates import has_copy_in
from fervid.train.fer2013 import FaceDataset
from fervid.train.latency import Latency, measure_latency
from fervid.train.metrics import reliability_bins, wilson_interval
from fervid.train.ranking import (
    OperatingPoint,
    area_under_roc,
    average_precision,
    point_at_precision,
    point_at_recall,
    point_of_best_f1,
)
from fervid.train.scores import Scores, label_indices, score_logits
from fervid.train.tta import Tta, mean_logits

SINGLED_OUT = "angry"
"""The label that reviewers of footage look for, measured on its own over all thresholds."""

TARGET_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Share:
    """An accuracy on some of the rows, with its 95 % interval; both None where no row is left."""

    n: int
    accuracy: float | None
    accuracy_interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """The rows whose largest probability lies in `low` to `high`: mean confidence and accuracy, None for no rows."""

    low: float
    high: float
    confidence: float | None
    accuracy: float | None
    count: int


@dataclass(frozen=True, slots=True)
class SingledOut:
    """One label against all others, by its probability after temperature. None where the data cannot tell."""

    label: str
    n: int
    average_precision: float | None
    auc: float | None
    at_precision_80: OperatingPoint | None
    at_recall_80: OperatingPoint | None
    best_f1: OperatingPoint | None


@dataclass(frozen=True, slots=True)
class CrossLabels:
    """Agreement with the emotion that most voters of FER+ named, where FER-2013 has it too: another labelling.

    `labels` is how often FER-2013's own labels agree with it on the same faces.
    """

    model: Share
    labels: Share


@dataclass(frozen=True, slots=True)
class Evaluation(Scores):
    """All that is measured of one model on one split, beyond the `Scores` that are stored with a model.

    The temperature is that of single views, whatever `tta` is. `without_copies` leaves out the rows whose image also
    stands in Training, pixel for pixel. `mmacs` are millions of multiply-accumulates a face.
    """

    tta: Tta
    temperature: float
    without_copies: Share
    reliability_before_temperature: tuple[ReliabilityBin, ...]
    reliability: tuple[ReliabilityBin, ...]
    singled_out: SingledOut
    ferplus: CrossLabels | None
    parameters: int | None
    mmacs: float | None
    latency: Latency | None


def evaluate_model(
    model_folder: Path,
    dataset: FaceDataset,
    split: str,
    out: Path | None = None,
    *,
    tta: Tta = "none",
    votes: np.ndarray | None = None,
    errors: bool = False,
    latency: bool = False,
) -> Evaluation:
    """Classify one split with the model's LiteRT file; with `out`, write numbers, pictures and a page into it.

    `votes` (N, 10) are FER+'s for the rows of `dataset`. `errors` adds a picture of the most confident errors, which
    shows faces of the data set, to what is written; `latency` measures the time a face.

    A reading of PrivateTest is added to the model's `model.json` before anything is returned or written.
    Raises ModelError for a model that cannot name the data's emotions, DatasetError for a split that is not there,
    OutputError when a result or the reading cannot be written.
    """
    info = load_model_info(model_folder)
    rows = dataset.split(split)
    if rows.images.shape[1] != info.input_side_px:
        raise ModelError(
            f"model {info.name} takes faces of {info.input_side_px} px, the data has {rows.images.shape[1]} px. "
            "Evaluate a model that was trained on FER-2013."
        )
    logits = mean_logits(LiteRTClassifier(info).predict, rows.images, tta)
    scores = score_logits(
        logits, rows.labels, labels=info.labels, temperature=info.temperature, model=info.name, split=split
    )
    truth = label_indices(rows.labels, info.labels, info.name)
    probabilities = softmax(logits, info.temperature)
    hits = logits.argmax(axis=1) == truth
    stored = read_model_json(info.folder)
    evaluation = Evaluation(
        **{field.name: getattr(scores, field.name) for field in fields(Scores)},
        tta=tta,
        temperature=info.temperature,
        without_copies=_share(hits[~has_copy_in(rows.images, dataset.images[dataset.usage == "Training"])]),
        reliability_before_temperature=_reliability(softmax(logits), truth),
        reliability=_reliability(probabilities, truth),
        singled_out=single_out(SINGLED_OUT, probabilities, truth, info.labels),
        ferplus=None if votes is None else _cross_labels(votes[dataset.usage == split], logits, truth, info),
        parameters=stored.get("parameters"),
        mmacs=stored.get("mmacs"),
        latency=measure_latency(info, rows.images) if latency else None,
    )
    if split == "PrivateTest":
        _log_reading(info.folder, evaluation)
    if out is not None:
        from fervid.train.evaluation_files import write_evaluation

        write_evaluation(evaluation, probabilities, truth, info, out, faces=rows.images if errors else None)
    return evaluation


def single_out(label: str, probabilities: np.ndarray, truth: np.ndarray, labels: tuple[str, ...]) -> SingledOut:
    """One of `labels` against all others, from probabilities (N, C) and the labels' indices int (N,)."""
    index = labels.index(label)
    scores, is_positive = probabilities[:, index], truth == index
    return SingledOut(
        label=label,
        n=int(is_positive.sum()),
        average_precision=average_precision(scores, is_positive),
        auc=area_under_roc(scores, is_positive),
        at_precision_80=point_at_precision(scores, is_positive, TARGET_SHARE),
        at_recall_80=point_at_recall(scores, is_positive, TARGET_SHARE),
        best_f1=point_of_best_f1(scores, is_positive),
    )


def _share(hits: np.ndarray) -> Share:
    if not len(hits):
        return Share(0, None, None)
    accuracy = float(hits.mean())
    return Share(len(hits), accuracy, wilson_interval(accuracy, len(hits)))


def _reliability(probabilities: np.ndarray, truth: np.ndarray) -> tuple[ReliabilityBin, ...]:
    confidence, accuracy, count = reliability_bins(probabilities, truth)
    edges = np.linspace(0, 1, len(count) + 1)
    return tuple(
        ReliabilityBin(
            low=float(edges[i]),
            high=float(edges[i + 1]),
            confidence=None if math.isnan(confidence[i]) else float(confidence[i]),
            accuracy=None if math.isnan(accuracy[i]) else float(accuracy[i]),
            count=int(count[i]),
        )
        for i in range(len(count))
    )


def _cross_labels(votes: np.ndarray, logits: np.ndarray, truth: np.ndarray, info: ModelInfo) -> CrossLabels:
    codes = majority_codes(votes)
    named = codes >= 0
    majority = label_indices(codes[named], info.labels, info.name)
    return CrossLabels(model=_share(logits[named].argmax(axis=1) == majority), labels=_share(truth[named] == majority))


def _log_reading(folder: Path, evaluation: Evaluation) -> None:
    content = read_model_json(folder)
    reading: dict[str, Any] = {
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "n": evaluation.n,
        "accuracy": evaluation.accuracy,
        "tta": evaluation.tta,
        "fervid_version": __version__,
    }
    content["private_test_readings"] = [*content.get("private_test_readings", []), reading]
    try:
        write_model_json(folder, content)
    except OutputError:
        raise OutputError(
            f"{folder / MODEL_JSON} cannot be written, and each PrivateTest reading must be logged there. "
            "Copy the model folder to a place that you may write to, and evaluate the copy."
        ) from None
