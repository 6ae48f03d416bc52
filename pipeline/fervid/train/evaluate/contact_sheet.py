"""Draws the most confident errors of a model as one image. It shows faces of the data set: only made on request."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fervid.charts.figures import DPI, make_figure
from fervid.charts.heat import heat_over_gray, heat_scale
from fervid.emotion.occlusion import occlusion_map

N_ERRORS = 25
COLUMNS = 5
HEAT_CAPTION = (
    "Right of each face: a gray patch slid over it lowers the predicted label's probability at orange places, which "
    "speak for it, and raises it at blue ones."
)
CAPTION = (
    "This figure contains images of the data set, which show real people and were published for research: keep it with "
    "the data and do not publish it."
)


@dataclass(frozen=True, slots=True)
class ErrorFaces:
    """The most confident errors: faces uint8 (n, S, S), probabilities (n, C), truth int (n,) into the labels.

    `changes` (n, S, S) is what covering each place does to the probability of the label that was predicted.
    """

    faces: np.ndarray
    probabilities: np.ndarray
    truth: np.ndarray
    changes: np.ndarray


def most_confident_errors(probabilities: np.ndarray, truth: np.ndarray, n: int = N_ERRORS) -> np.ndarray:
    """Rows int (n or fewer,) whose largest probability is not the label's, the most confident first.

    Probabilities (N, C), truth int (N,).
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")[:n]]


def explain_errors(
    faces: np.ndarray, probabilities: np.ndarray, truth: np.ndarray, score: Callable[[np.ndarray], np.ndarray]
) -> ErrorFaces:
    """The most confident errors among faces uint8 (N, S, S), each with what made its prediction.

    `score` maps crops uint8 (M, S, S) to probabilities (M, C), as those (N, C) of the faces were made.
    """
    rows = most_confident_errors(probabilities, truth)
    changes = np.zeros((len(rows), *faces.shape[1:]), np.float32)
    for i, row in enumerate(rows):
        predicted = int(probabilities[row].argmax())
        changes[i] = occlusion_map(faces[row], lambda crops, label=predicted: score(crops)[:, label]).changes  # type: ignore[misc]
    return ErrorFaces(faces[rows], probabilities[rows], truth[rows], changes)


def draw_contact_sheet(errors: ErrorFaces, labels: Sequence[str], title: str, path: Path) -> None:
    """Each error with its label, the prediction and both probabilities, and beside it what made it, as a PNG."""
    rows = max(1, -(-len(errors.faces) // COLUMNS))
    figure = make_figure(2.9 * COLUMNS, 2.0 * rows + 1.0)
    grid = figure.subplots(rows, 2 * COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for i, (face, shares, label, changes) in enumerate(
        zip(errors.faces, errors.probabilities, errors.truth, errors.changes, strict=True)
    ):
        plain, heat = grid[2 * i], grid[2 * i + 1]
        predicted = int(shares.argmax())
        plain.imshow(face, cmap="gray", vmin=0, vmax=255)
        plain.set_title(f"label:\n{labels[label]} ({shares[label]:.2f})", fontsize=8)
        heat.imshow(heat_over_gray(face, changes, heat_scale(changes)))
        heat.set_title(f"predicted:\n{labels[predicted]} ({shares[predicted]:.2f})", fontsize=8)
    if not len(errors.faces):
        grid[0].text(0, 0.5, "no errors")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    figure.supxlabel(f"{HEAT_CAPTION}\n{CAPTION}", fontsize=7.5, color="#8a1c1c")
    figure.savefig(path, dpi=DPI)
