"""Writes the results of `evaluate`: numbers, plots, and one page with both. Measures nothing."""

from __future__ import annotations

import csv
import io
import json
import logging
from pathlib import Path

import numpy as np

from fervid.emotion.model import ModelInfo, read_model_json
from fervid.errors import OutputError
from fervid.stats.ranking import precision_recall_curve, roc_curve
from fervid.train.charts import draw_confusion, draw_curves, draw_ranking, draw_reliability
from fervid.train.evaluate.contact_sheet import CAPTION, HEAT_CAPTION, ErrorFaces, draw_contact_sheet
from fervid.train.evaluate.evaluation_page import Plot, make_page
from fervid.train.evaluate.model import Evaluation

log = logging.getLogger(__name__)

METRICS, PAGE = "metrics.json", "evaluation.html"
CONFUSION_CSV = "confusion.csv"
CONFUSION, RELIABILITY, ERRORS = "confusion.png", "reliability.png", "errors.png"


def write_evaluation(
    evaluation: Evaluation,
    probabilities: np.ndarray,
    truth: np.ndarray,
    info: ModelInfo,
    out: Path,
    *,
    errors: ErrorFaces | None = None,
) -> None:
    """Write metrics.json, confusion.csv, the plots and evaluation.html into `out`.

    Probabilities (N, C) after temperature and truth int (N,) are the ones behind `evaluation`. The most
    confident errors are drawn only with `errors`, since that shows faces of the data set. Raises OutputError.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        (out / METRICS).write_text(json.dumps(evaluation.to_json(), indent=2) + "\n", encoding="utf-8")
        _write_confusion(evaluation, out / CONFUSION_CSV)
        _draw(evaluation, probabilities, truth, out)
        if errors is not None:
            title = f"{evaluation.model} on {evaluation.split}: the {len(errors.faces)} most confident errors"
            draw_contact_sheet(errors, info.labels, title, out / ERRORS)
        plots = _plots(evaluation, out, with_errors=errors is not None)
        curves = _learning_curves(info)
        if curves is not None:
            plots.append(Plot("Training", "Learning curves of the model", curves))
        (out / PAGE).write_text(make_page(evaluation, plots), encoding="utf-8")
    except OSError as problem:
        raise OutputError(f"{out} cannot be written ({problem.strerror}). Give another folder with --out.") from None


def _write_confusion(evaluation: Evaluation, path: Path) -> None:
    labels = list(evaluation.per_class)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["label", *labels])
        writer.writerows([label, *counts] for label, counts in zip(labels, evaluation.confusion, strict=True))


def _draw(evaluation: Evaluation, probabilities: np.ndarray, truth: np.ndarray, out: Path) -> None:
    labels, singled = list(evaluation.per_class), evaluation.singled_out
    where = f"{evaluation.model} on {evaluation.split}"
    draw_confusion(
        np.array(evaluation.confusion),
        labels,
        f"{where}: accuracy {evaluation.accuracy:.1%} of {evaluation.n:,} faces",
        out / CONFUSION,
    )
    draw_reliability(
        evaluation.reliability_before_temperature,
        evaluation.reliability,
        (evaluation.ece_before_temperature, evaluation.ece),
        f"{where}: confidence against accuracy",
        out / RELIABILITY,
    )
    index = labels.index(singled.label)
    scores, is_positive = probabilities[:, index], truth == index
    draw_ranking(
        precision_recall_curve(scores, is_positive)[:2],
        roc_curve(scores, is_positive),
        (singled.average_precision, singled.auc),
        {
            "precision 0.8": singled.at_precision_80,
            "recall 0.8": singled.at_recall_80,
            "best F1": singled.best_f1,
        },
        singled.n / evaluation.n,
        f"{where}: {singled.label} ({singled.n:,} faces) against all other labels",
        out / f"{singled.label}.png",
    )


def _plots(evaluation: Evaluation, out: Path, *, with_errors: bool) -> list[Plot]:
    singled = evaluation.singled_out.label
    drawn = [
        (CONFUSION, "Confusions", "Confusion matrix: rows are labels in the data, columns predictions"),
        (RELIABILITY, "Calibration", "Reliability diagrams before and after temperature"),
        (f"{singled}.png", f"The label {singled} over all thresholds", "Precision-recall and ROC curves"),
    ]
    if with_errors:
        drawn.append((ERRORS, "Most confident errors", f"Faces with label and prediction. {HEAT_CAPTION} {CAPTION}"))
    return [Plot(heading, description, (out / name).read_bytes()) for name, heading, description in drawn]


def _learning_curves(info: ModelInfo) -> bytes | None:
    """The curves of `history.csv` in the model folder as a PNG, if it exists and can be read."""
    from fervid.train.fit.loop import EpochRecord

    path = info.folder / "history.csv"
    if not path.is_file():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as file:
            history = [
                EpochRecord(epoch=int(row.pop("epoch")), **{name: float(value) for name, value in row.items()})
                for row in csv.DictReader(file)
            ]
        best = int(read_model_json(info.folder)["best_epoch"])
        drawn = io.BytesIO()
        draw_curves(history, best, f"{info.name} ({info.network})", drawn)
    except (OSError, ValueError, TypeError, KeyError, IndexError) as problem:
        log.warning("%s cannot be drawn: %s: %s", path, type(problem).__name__, problem)
        return None
    return drawn.getvalue()
