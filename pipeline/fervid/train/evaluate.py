"""How good a model folder is on one split of FER-2013, through the runner that analysis uses. Trains nothing.

PrivateTest is for a last look: each reading of it is written into the model's own `model.json`, so that whoever sees
the number also sees how often it was looked at.
"""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from fervid import __version__
from fervid.emotion.calibration import softmax
from fervid.emotion.litert import LiteRTClassifier
from fervid.emotion.model import MODEL_JSON, load_model_info, read_model_json, write_model_json
from fervid.errors import DatasetError, ModelError, OutputError
from fervid.train.fer2013 import EMOTIONS, FaceDataset
from fervid.train.metrics import (
    accuracy,
    confusion_matrix,
    expected_calibration_error,
    macro_f1,
    negative_log_likelihood,
    precision_recall_f1,
    wilson_interval,
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The numbers of one model on one split. Shares are 0..1, `nll` is in nats, both it and `ece` after temperature.

    `per_class` maps a label to precision, recall, f1 and support. `confusion` holds counts: row = label,
    column = prediction, both in the order of `per_class`.
    """

    model: str
    split: str
    n: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    ece: float
    nll: float
    per_class: dict[str, dict[str, float]]
    confusion: list[list[int]]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, lists and dicts, for `json.dumps`."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]


def evaluate_model(model_folder: Path, dataset: FaceDataset, split: str, out: Path | None = None) -> Evaluation:
    """Classify one split with the model's LiteRT file; with `out`, write metrics.json, confusion.csv, confusion.png.

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
    logits = LiteRTClassifier(info).predict(rows.images)
    evaluation = score_logits(
        logits, rows.labels, labels=info.labels, temperature=info.temperature, model=info.name, split=split
    )
    if split == "PrivateTest":
        _log_reading(info.folder, evaluation)
    if out is not None:
        _write(evaluation, out)
    return evaluation


def score_logits(
    logits: np.ndarray, codes: np.ndarray, *, labels: tuple[str, ...], temperature: float, model: str, split: str
) -> Evaluation:
    """Score logits (N, C), whose columns are `labels`, against FER-2013 codes int (N,). Raises ModelError."""
    missing = [emotion for emotion in EMOTIONS if emotion not in labels]
    if missing:
        raise ModelError(
            f"model {model} has no label {missing[0]!r} (it has {', '.join(labels)}). Use a FER-2013 model."
        )
    if len(codes) == 0:
        raise DatasetError(f"{split} holds no rows. Give the complete data set.")
    truth = np.array([labels.index(emotion) for emotion in EMOTIONS])[codes]
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
    return Evaluation(
        model=model,
        split=split,
        n=len(truth),
        accuracy=share,
        accuracy_interval=wilson_interval(share, len(truth)),
        macro_f1=macro_f1(confusion),
        ece=expected_calibration_error(softmax(logits, temperature), truth),
        nll=negative_log_likelihood(logits, truth, temperature),
        per_class=per_class,
        confusion=confusion.tolist(),
    )


def _log_reading(folder: Path, evaluation: Evaluation) -> None:
    content = read_model_json(folder)
    reading = {
        "utc": datetime.now(UTC).isoformat(timespec="seconds"),
        "n": evaluation.n,
        "accuracy": evaluation.accuracy,
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


def _write(evaluation: Evaluation, out: Path) -> None:
    from fervid.train.charts import draw_confusion

    labels = list(evaluation.per_class)
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / "metrics.json").write_text(json.dumps(evaluation.to_json(), indent=2) + "\n", encoding="utf-8")
        with (out / "confusion.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["label", *labels])
            writer.writerows([label, *counts] for label, counts in zip(labels, evaluation.confusion, strict=True))
        title = (
            f"{evaluation.model} on {evaluation.split}: accuracy {evaluation.accuracy:.1%} of {evaluation.n:,} faces"
        )
        draw_confusion(np.array(evaluation.confusion), labels, title, out / "confusion.png")
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another folder with --out.") from None
