"""Evaluates a model folder on one split of FER-2013, with the runner that analysis uses. Trains nothing.

PrivateTest is for the final measurement: each reading of it is logged in the model's own `model.json`, so that readers
of the number also see how often it was measured. One reading measures every head with every kind of views and updates
the card, so no second one is needed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.clock import utc_now
from fervid.base.version import __version__
from fervid.emotion import make_classifier
from fervid.emotion.calibration import softmax
from fervid.emotion.model import (
    FER2013,
    FERPLUS,
    MODEL_JSON,
    ModelInfo,
    load_model_info,
    read_model_json,
    write_model_json,
)
from fervid.errors import ConfigError, ModelError, OutputError
from fervid.runtime.device import RUNNERS, choose_runner
from fervid.stats.metrics import ReliabilityBin, reliability_bins
from fervid.stats.ranking import (
    OperatingPoint,
    area_under_roc,
    average_precision,
    point_at_precision,
    point_at_recall,
    point_of_best_f1,
)
from fervid.train.data.agreement import majority_codes
from fervid.train.data.fer2013 import FaceDataset
from fervid.train.evaluate.card import write_card
from fervid.train.evaluate.latency import Latency, measure_latency
from fervid.train.evaluate.measure import (
    VIEWS,
    HeadScores,
    Share,
    SplitFaces,
    measure_heads,
    measure_views,
    require_votes,
)
from fervid.train.evaluate.scores import Scores, label_indices
from fervid.train.evaluate.tta import Tta, mean_logits

SINGLED_OUT = "angry"
"""The label that matters most in footage review; measured on its own over all thresholds."""

TARGET_SHARE = 0.8
# Decision TRA-9.
PRIVATE_TEST = "PrivateTest"


@dataclass(frozen=True, slots=True)
class SingledOut:
    """One label against all others, by its probability after temperature. None where the data does not allow it."""

    label: str
    n: int
    average_precision: float | None
    auc: float | None
    at_precision_80: OperatingPoint | None
    at_recall_80: OperatingPoint | None
    best_f1: OperatingPoint | None


@dataclass(frozen=True, slots=True)
class CrossLabels:
    """How often FER-2013's head predicts the majority emotion of FER+, where FER-2013 has it too.

    `labels` is how often FER-2013's own labels agree with it on the same faces.
    """

    model: Share
    labels: Share


@dataclass(frozen=True, slots=True)
class Evaluation(Scores):
    """Everything measured of one model on one split, including more than the `Scores` stored with a model.

    The numbers are FER-2013's head's; `ferplus_head` are those of the head trained on the votes, None where the model
    or the data has none. `without_copies` excludes the rows whose image also occurs in Training, pixel for pixel.
    `mmacs` are millions of multiply-accumulates per view.
    """

    tta: Tta
    temperature: float
    without_copies: Share
    reliability_before_temperature: tuple[ReliabilityBin, ...]
    reliability: tuple[ReliabilityBin, ...]
    singled_out: SingledOut
    ferplus: CrossLabels | None
    ferplus_head: HeadScores | None
    parameters: int | None
    mmacs: float | None
    latency: Latency | None


@dataclass(frozen=True, slots=True)
class Measured:
    """An evaluation and its inputs: probabilities (N, C) after temperature, truth int (N,) into the labels.

    `is_right` bool (N,) marks the faces whose largest score is the label's.
    """

    evaluation: Evaluation
    info: ModelInfo
    probabilities: np.ndarray
    truth: np.ndarray
    is_right: np.ndarray


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
    device: str = "cpu",
) -> Evaluation:
    """Classify one split with the model's LiteRT file; with `out`, write metrics, plots and a page into it.

    `device` is that of `analyze`: on a GPU Keras classifies, with the same weights in mixed precision.

    `votes` (N, 10) are FER+'s for the rows of `dataset`. `errors` also writes a contact sheet of the most confident
    errors, which shows faces of the data set; `latency` measures the time per face.

    A reading of PrivateTest measures all heads and views, and is added to the model's `model.json` and card before
    anything is returned or written. Raises ModelError for a model that cannot name the data's emotions, DatasetError
    for a missing split, ConfigError for a reading of PrivateTest without the votes that a head needs,
    OutputError when a result or the log entry cannot be written.
    """
    measured = measure_model(model_folder, dataset, split, tta=tta, votes=votes, latency=latency, device=device)
    if out is not None:
        write_measured(measured, dataset, out, errors=errors, device=device)
    return measured.evaluation


def write_measured(
    measured: Measured, dataset: FaceDataset, out: Path, *, errors: bool = False, device: str = "cpu"
) -> None:
    """Write numbers, plots and a page into `out`, with the most confident errors of `errors`. Raises OutputError."""
    from fervid.train.evaluate.contact_sheet import explain_errors
    from fervid.train.evaluate.evaluation_files import write_evaluation

    evaluation, info = measured.evaluation, measured.info
    shown = None
    if errors:
        predict = make_classifier(choose_runner(device), info).predict

        def score(crops: np.ndarray) -> np.ndarray:
            logits = mean_logits(predict, crops, evaluation.tta)[:, : len(info.labels)]
            return softmax(logits, evaluation.temperature)

        shown = explain_errors(dataset.split(evaluation.split).images, measured.probabilities, measured.truth, score)
    write_evaluation(evaluation, measured.probabilities, measured.truth, info, out, errors=shown)


def check_measurable(
    info: ModelInfo, dataset: FaceDataset, split: str, *, votes: np.ndarray | None, device: str
) -> None:
    """Raises ModelError or ConfigError where `measure_model` would, before anything is read or logged."""
    rows = dataset.split(split)
    if rows.images.shape[1] != info.input_side_px:
        raise ModelError(
            f"model {info.name} takes faces of {info.input_side_px} px, the data has {rows.images.shape[1]} px. "
            "Evaluate a model that was trained on FER-2013."
        )
    label_indices(rows.labels[:0], info.labels, info.name)
    if split != PRIVATE_TEST:
        return
    require_votes(info, votes, "a reading of PrivateTest")
    if choose_runner(device) != RUNNERS["cpu"]:
        raise ConfigError(
            f"--device {device}: a reading of PrivateTest is of the model's LiteRT file, which runs on the CPU. "
            "Use --device cpu."
        )


def measure_model(
    model_folder: Path,
    dataset: FaceDataset,
    split: str,
    *,
    tta: Tta = "none",
    votes: np.ndarray | None = None,
    latency: bool = False,
    device: str = "cpu",
) -> Measured:
    """As `evaluate_model`, with the prediction for each face, and without result files."""
    info = load_model_info(model_folder)
    check_measurable(info, dataset, split, votes=votes, device=device)
    rows, is_reading = dataset.split(split), split == PRIVATE_TEST
    truth = label_indices(rows.labels, info.labels, info.name)
    predict = make_classifier(choose_runner(device), info).predict
    viewed = {kind: mean_logits(predict, rows.images, kind) for kind in (VIEWS if is_reading else (tta,))}
    faces = SplitFaces.of(dataset, split, votes)
    measured = measure_heads(info, faces, viewed[tta], tta)
    scores = measured[FER2013]
    logits = viewed[tta][:, : len(info.labels)]
    probabilities = softmax(logits, scores.temperature)
    stored = read_model_json(info.folder)
    evaluation = Evaluation(
        **{field.name: getattr(scores, field.name) for field in fields(Scores)},
        tta=tta,
        temperature=scores.temperature,
        without_copies=scores.without_copies,
        reliability_before_temperature=_reliability(softmax(logits), truth),
        reliability=_reliability(probabilities, truth),
        singled_out=single_out(SINGLED_OUT, probabilities, truth, info.labels),
        ferplus=None if faces.votes is None else _cross_labels(faces.votes, logits, truth, info),
        ferplus_head=measured.get(FERPLUS),
        parameters=stored.get("parameters"),
        mmacs=stored.get("mmacs"),
        latency=measure_latency(info, rows.images) if latency else None,
    )
    if is_reading:
        _log_reading(info.folder, evaluation, measure_views(info, faces, viewed))
    return Measured(evaluation, info, probabilities, truth, logits.argmax(axis=1) == truth)


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
    return CrossLabels(
        model=Share.of(logits[named].argmax(axis=1) == majority), labels=Share.of(truth[named] == majority)
    )


def _log_reading(folder: Path, evaluation: Evaluation, metrics: dict[str, Any]) -> None:
    content = read_model_json(folder)
    reading: dict[str, Any] = {
        "utc": utc_now(),
        "n": evaluation.n,
        "accuracy": evaluation.accuracy,
        "tta": evaluation.tta,
        "fervid_version": __version__,
    }
    content["private_test_readings"] = [*content.get("private_test_readings", []), reading]
    content["metrics"] = content.get("metrics", {}) | {evaluation.split: metrics}
    try:
        write_model_json(folder, content)
    except OutputError:
        raise OutputError(
            f"{folder / MODEL_JSON} cannot be written, and each PrivateTest reading must be logged there. "
            "Copy the model folder to a writable place, and evaluate the copy."
        ) from None
    write_card(content, folder)
