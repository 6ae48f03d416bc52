"""Plots of the training stage: learning curves, confusions, calibration. Knows nothing of how the numbers are made.

Figures are drawn without pyplot, so that no window system is touched and no global state is left behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from fervid.charts.figures import DPI, make_figure
from fervid.charts.palette import BLUE, GREY, VERMILION

if TYPE_CHECKING:
    from fervid.stats.metrics import ReliabilityBin
    from fervid.stats.ranking import OperatingPoint
    from fervid.train.fit.loop import EpochRecord

TRAIN_COLOUR, VALIDATION_COLOUR, BEST_COLOUR = BLUE, VERMILION, GREY
WHITE_TEXT_SHARE = 0.55  # black is hard to read on a darker blue


def draw_curves(history: Sequence[EpochRecord], best_epoch: int, title: str, path: Path | BinaryIO) -> None:
    """Loss, accuracy and learning rate over the epochs, the best epoch marked, as a PNG."""
    epochs = [record.epoch for record in history]
    best = history[best_epoch - 1]
    figure = make_figure(10.5, 4.0)
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
    figure = make_figure(side + 1.0, side)
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


def draw_reliability(
    before: Sequence[ReliabilityBin], after: Sequence[ReliabilityBin], ece: tuple[float, float], title: str, path: Path
) -> None:
    """Accuracy over confidence before and after temperature, with the counts below each, as a PNG."""
    figure = make_figure(9.0, 5.2)
    grid = figure.subplots(2, 2, sharex=True, sharey="row", height_ratios=(3, 1))
    for column, (name, bins, error) in enumerate(zip(("Before", "After"), (before, after), ece, strict=True)):
        diagram, counts = grid[:, column]
        filled = [b for b in bins if b.confidence is not None and b.accuracy is not None]
        width = bins[0].high - bins[0].low
        diagram.plot([0, 1], [0, 1], color=BEST_COLOUR, linewidth=1, linestyle="--")
        diagram.bar(
            [b.low for b in filled],
            [b.accuracy for b in filled],
            width,
            align="edge",
            color="#9ecae1",
            edgecolor="white",
        )
        diagram.plot(
            [b.confidence for b in filled], [b.accuracy for b in filled], "o-", color=TRAIN_COLOUR, markersize=4
        )
        diagram.set_title(f"{name} temperature: calibration error {error:.3f}", fontsize=10)
        counts.bar(
            [b.low for b in bins], [b.count for b in bins], width, align="edge", color="#bbbbbb", edgecolor="white"
        )
        counts.set_xlabel("confidence (largest probability)")
        for axes in (diagram, counts):
            axes.set_xlim(0, 1)
            axes.grid(alpha=0.25)
            axes.set_axisbelow(True)
            axes.spines[["top", "right"]].set_visible(False)
    grid[0, 0].set_ylim(0, 1)
    figure.get_layout_engine().set(wspace=0.08)
    grid[0, 0].set_ylabel("accuracy")
    grid[1, 0].set_ylabel("faces")
    figure.suptitle(title, fontsize=11, fontweight="bold")
    figure.savefig(path, dpi=DPI)


def draw_ranking(
    precision_recall: tuple[np.ndarray, np.ndarray],
    false_true_rate: tuple[np.ndarray, np.ndarray],
    areas: tuple[float | None, float | None],
    points: Mapping[str, OperatingPoint | None],
    base_share: float,
    title: str,
    path: Path,
) -> None:
    """Precision over recall, with named operating points, beside the ROC curve of one class, as a PNG.

    `areas` are average precision and area under the ROC curve; `base_share` is the precision of guessing.
    """
    precision, recall = precision_recall
    figure = make_figure(9.6, 4.8)
    left, right = figure.subplots(1, 2)
    left.step(recall, precision, where="pre", color=TRAIN_COLOUR, linewidth=1.8)
    left.axhline(base_share, color=BEST_COLOUR, linewidth=1, linestyle="--", label=f"guessing: {base_share:.2f}")
    for (name, point), marker in zip(points.items(), "osD^v", strict=False):
        if point is not None:
            text = f"{name}: threshold {point.threshold:.2f}"
            left.plot(point.recall, point.precision, marker, color=VALIDATION_COLOUR, markersize=7, label=text)
    left.set_xlabel("recall")
    left.set_ylabel("precision")
    left.set_title(_with_area("average precision", areas[0]), fontsize=10)
    left.legend(fontsize=8, loc="lower left", framealpha=0.9)
    right.plot(*false_true_rate, color=TRAIN_COLOUR, linewidth=1.8)
    right.plot([0, 1], [0, 1], color=BEST_COLOUR, linewidth=1, linestyle="--")
    right.set_xlabel("false positive rate")
    right.set_ylabel("true positive rate (recall)")
    right.set_title(_with_area("area under the ROC curve", areas[1]), fontsize=10)
    for axes in (left, right):
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(0, 1.02)
        axes.set_aspect("equal")
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11, fontweight="bold")
    figure.savefig(path, dpi=DPI)


def _with_area(name: str, area: float | None) -> str:
    return f"{name}: {'undefined' if area is None else f'{area:.3f}'}"
