"""The most confident errors of a model as one picture. It shows faces of the data set: drawn only when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fervid.charts.figures import DPI, make_figure

N_ERRORS = 25
COLUMNS = 5
CAPTION = (
    "This picture holds images of the data set, which show real people and were published for research: keep it with "
    "the data and do not publish it."
)


def most_confident_errors(probabilities: np.ndarray, truth: np.ndarray, n: int = N_ERRORS) -> np.ndarray:
    """Rows int (n or fewer,) whose largest probability is not the label's, the most confident first.

    Probabilities (N, C), truth int (N,).
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != truth)
    return wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")[:n]]


def draw_contact_sheet(
    faces: np.ndarray, probabilities: np.ndarray, truth: np.ndarray, labels: Sequence[str], title: str, path: Path
) -> None:
    """Faces uint8 (n, S, S), each with its label, the prediction and both probabilities (n, C), as a PNG."""
    rows = max(1, -(-len(faces) // COLUMNS))
    figure = make_figure(1.9 * COLUMNS, 2.25 * rows + 0.9)
    grid = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, face, shares, label in zip(grid, faces, probabilities, truth, strict=False):
        axes.imshow(face, cmap="gray", vmin=0, vmax=255)
        predicted = int(shares.argmax())
        axes.set_title(
            f"label: {labels[label]} ({shares[label]:.2f})\npredicted: {labels[predicted]} ({shares[predicted]:.2f})",
            fontsize=8,
        )
    if not len(faces):
        grid[0].text(0, 0.5, "no errors")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    figure.supxlabel(CAPTION, fontsize=7.5, color="#8a1c1c")
    figure.savefig(path, dpi=DPI)
