"""The pictures of the training stage: learning curves and confusion matrix. Knows nothing of how the numbers arose.

Figures are drawn without pyplot, so that no window system is touched and no global state is left behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from fervid.train.fit import EpochRecord

# Two hues that stay apart for colour-blind readers (Okabe and Ito, 2008), and a quiet grey.
TRAIN_COLOUR, VALIDATION_COLOUR, BEST_COLOUR = "#0072B2", "#D55E00", "#777777"
DPI = 130
WHITE_TEXT_SHARE = 0.55  # black is hard to read on a darker blue


def draw_curves(history: Sequence[EpochRecord], best_epoch: int, title: str, path: Path) -> None:
    """Loss, accuracy and learning rate over the epochs, the best epoch marked, as a PNG."""
    epochs = [record.epoch for record in history]
    best = history[best_epoch - 1]
    figure = _figure(10.5, 4.0)
    loss, accuracy, rate = figure.subplots(1, 3)
    marker = "o" if len(epochs) < 15 else ""
    style = {"linewidth": 1.8, "marker": marker, "markersize": 4}

    loss.plot(epochs, [r.train_loss for r in history], color=TRAIN_COLOUR, label="Training", **style)
    loss.plot(epochs, [r.val_loss for r in history], color=VALIDATION_COLOUR, label="PublicTest", **style)
    loss.set_title("Loss (nats)")
    accuracy.plot(epochs, [100 * r.train_accuracy for r in history], color=TRAIN_COLOUR, label="Training", **style)
    accuracy.plot(epochs, [100 * r.val_accuracy for r in history], color=VALIDATION_COLOUR, label="PublicTest", **style)
    accuracy.set_title("Accuracy (%)")
    accuracy.plot(
        [best_epoch], [100 * best.val_accuracy], "o", color=VALIDATION_COLOUR, markersize=8, markerfacecolor="white"
    )
    accuracy.annotate(
        f"best: epoch {best_epoch}, {100 * best.val_accuracy:.1f} %",
        (0.97, 0.06),
        xycoords="axes fraction",
        ha="right",
        color=VALIDATION_COLOUR,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 2},
    )
    rate.plot(epochs, [r.learning_rate for r in history], color="#333333", **style)
    rate.set_title("Learning rate (end of epoch)")
    rate.set_ylim(bottom=0)
    for axes in (loss, accuracy, rate):
        axes.axvline(best_epoch, color=BEST_COLOUR, linewidth=1, linestyle=":", zorder=0)
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, max(epochs) + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    loss.legend(frameon=False)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    figure.supxlabel(
        "Training: augmented views, label smoothing and dropout on, raw weights.  "
        "PublicTest: plain images, averaged weights, before temperature.",
        fontsize=8,
        color="#555555",
    )
    figure.savefig(path, dpi=DPI)


def draw_confusion(confusion: np.ndarray, labels: Sequence[str], title: str, path: Path) -> None:
    """Counts (C, C), row = label, as a PNG: colours are shares of the row, cells show count and share."""
    totals = confusion.sum(axis=1, keepdims=True)
    shares = confusion / np.maximum(totals, 1)
    side = 1.6 + 0.85 * len(labels)
    figure = _figure(side + 1.0, side)
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row in range(len(labels)):
        for column in range(len(labels)):
            axes.text(
                column,
                row,
                f"{confusion[row, column]:,}\n{shares[row, column]:.0%}",
                ha="center",
                va="center",
                fontsize=9,
                color="white" if shares[row, column] > WHITE_TEXT_SHARE else "black",
            )
    axes.set_xticks(range(len(labels)), labels)
    axes.set_yticks(range(len(labels)), [f"{label}\n({n:,})" for label, n in zip(labels, totals[:, 0], strict=True)])
    axes.set_xlabel("predicted")
    axes.set_ylabel("label in the data (faces)")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.75, label="share of the row")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    figure.savefig(path, dpi=DPI)


def _figure(width_inches: float, height_inches: float) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width_inches, height_inches), layout="constrained")
    FigureCanvasAgg(figure)
    return figure
