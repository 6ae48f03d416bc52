"""The pictures of profiles: the sheet of one video and the comparison of many. Knows nothing of files or videos.

Figures are drawn without pyplot, so that no window system is touched and no global state is left behind.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fervid.palette import BLUE, DARK_GREY, GREY, HATCHES, LIGHT_GREY, LINES, ORANGE, VERMILION, YELLOW, label_colours
from fervid.profile.profile import NEUTRAL, Profile
from fervid.train.charts import make_figure

DPI = 110
SHEET_INCHES = 10.0
SECONDS_PER_MINUTE = 60.0
WHITE_TEXT_BELOW = 0.5
LONGEST_NAME = 30
MULTIPLES_ACROSS = 4


@dataclass(frozen=True, slots=True)
class Still:
    """A picture, RGB uint8 (H, W, 3), of a peak, with the words below it."""

    rgb: np.ndarray
    words: str


def draw_expressions(profile: Profile) -> bytes:
    """Arc, stacked shares and coverage over the video, as a PNG."""
    figure = make_figure(SHEET_INCHES, 6.2)
    arc, shares, cover = figure.subplots(3, 1, sharex=True, height_ratios=(5, 5, 1))
    _draw_arc(arc, profile)
    _draw_shares(shares, profile)
    _draw_coverage(cover, profile)
    cover.set_xlabel("time in seconds")
    return _png(figure)


def draw_pace(profile: Profile) -> bytes:
    """Cut rate, brightness and motion over the video, as a PNG."""
    figure = make_figure(SHEET_INCHES, 3.0)
    _draw_pace(figure.subplots(), profile)
    return _png(figure)


def draw_moments(stills: Sequence[Still]) -> bytes:
    """The stills of peaks side by side, as a PNG."""
    rows = -(-len(stills) // 3)
    figure = make_figure(SHEET_INCHES, 2.4 * rows)
    _draw_stills(figure.subplots(rows, 3, squeeze=False).ravel(), stills)
    return _png(figure)


def draw_sheet(profile: Profile, stills: Sequence[Still], lines: Sequence[str]) -> bytes:
    """Everything about a video on one page, as a PNG. `lines` stand at its head."""
    rows = -(-len(stills) // 3)
    height = 10.2 + 2.3 * rows + 0.2 * len(lines)
    figure = make_figure(SHEET_INCHES, height)
    parts = figure.subfigures(2 + bool(rows), 1, height_ratios=[7.0, 3.2, *([2.3 * rows] if rows else [])])
    head = "\n".join([f"{_short(profile.source.name)}: how faces look over its length", *lines])
    parts[0].suptitle(head, x=0.01, ha="left", fontsize=10, linespacing=1.5, parse_math=False)
    arc, shares, cover = parts[0].subplots(3, 1, sharex=True, height_ratios=(5, 5, 1))
    _draw_arc(arc, profile)
    _draw_shares(shares, profile)
    _draw_coverage(cover, profile)
    _draw_pace(parts[1].subplots(), profile)
    if rows:
        _draw_stills(parts[2].subplots(rows, 3, squeeze=False).ravel(), stills)
    return _png(figure)


def draw_multiples(profiles: Sequence[Profile]) -> bytes:
    """A small arc of each video beside the others, all on one scale, as a PNG."""
    rows = -(-len(profiles) // MULTIPLES_ACROSS)
    figure = make_figure(12.0, 0.6 + 1.75 * rows)
    grid = figure.subplots(rows, MULTIPLES_ACROSS, squeeze=False, sharey=True).ravel()
    for axes, profile in zip(grid, profiles, strict=False):
        _stack(axes, profile, positions=np.linspace(0, 1, len(profile.arc.start_s), endpoint=False), width=0.05)
        axes.set_title(_short(profile.source.name), fontsize=8, loc="left", parse_math=False)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["start", "", "end"], fontsize=7)
        axes.set_yticks([0, 0.5, 1], ["0", "", "1"], fontsize=7)
        if not profile.coverage.covered_s:
            axes.text(0.5, 0.5, "no usable face", ha="center", va="center", fontsize=8, color=GREY)
    for axes in grid[len(profiles) :]:
        axes.set_visible(False)
    handles, names = max((axes.get_legend_handles_labels() for axes in grid), key=lambda pair: len(pair[0]))
    figure.legend(
        handles[::-1], names[::-1], loc="outside upper right", ncols=len(names) or 1, frameon=False, fontsize=8
    )
    return _png(figure)


def draw_map(names: Sequence[str], places: np.ndarray, shares: np.ndarray) -> bytes:
    """Videos on two principal axes, as a PNG."""
    figure = make_figure(9.0, 6.5)
    axes = figure.subplots()
    axes.scatter(*places.T, s=36, color=BLUE, edgecolor="white", zorder=3)
    for name, (x, y) in zip(names, places, strict=True):
        axes.annotate(
            _short(name), (x, y), (5, 4), textcoords="offset points", fontsize=7, color=DARK_GREY, parse_math=False
        )
    axes.set_xlabel(f"first axis ({shares[0]:.0%} of the variance)")
    axes.set_ylabel(f"second axis ({shares[1]:.0%})")
    axes.margins(0.15)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def draw_matrix(names: Sequence[str], matrix: np.ndarray) -> bytes:
    """The cosine of every pair of videos, as a PNG."""
    side = 3.2 + 0.34 * len(names)
    figure = make_figure(side + 1.0, side)
    axes = figure.subplots()
    image = axes.imshow(matrix, cmap="cividis", vmin=0, vmax=1)
    short = [_short(name) for name in names]
    axes.set_xticks(range(len(names)), short, rotation=90, fontsize=7, parse_math=False)
    axes.set_yticks(range(len(names)), short, fontsize=7, parse_math=False)
    axes.tick_params(length=0)
    if len(names) <= 30:
        for (row, column), value in np.ndenumerate(matrix):
            colour = "white" if value < WHITE_TEXT_BELOW else "black"
            axes.text(column, row, f"{value:.2f}".removeprefix("0"), ha="center", va="center", fontsize=6, color=colour)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.7, label="cosine of the profiles")
    return _png(figure)


def _draw_arc(axes: Any, profile: Profile) -> None:
    from matplotlib.patheffects import withStroke

    arc, colours = profile.arc, label_colours(profile.labels)
    outline = [withStroke(linewidth=3, foreground=GREY)]  # yellow would be lost on white
    middle = (arc.start_s + arc.end_s) / 2
    for i, label in enumerate(profile.labels):
        if label == NEUTRAL:
            continue
        colour = DARK_GREY if colours[label] == LIGHT_GREY else colours[label]
        axes.plot(
            middle, arc.mean[:, i], LINES.get(label, "-"), color=colour, linewidth=2, marker="o", markersize=2.5,
            label=label, path_effects=outline if colour == YELLOW else None,
        )  # fmt: skip
    axes.plot(middle, arc.intensity, color=DARK_GREY, linewidth=1, linestyle=":", label="intensity")
    for peak in profile.peaks:
        axes.annotate("▼", (peak.time_s, 1.0), ha="center", va="top", fontsize=8, color=DARK_GREY)
    axes.set_ylim(0, 1.02)
    axes.set_ylabel("mean probability")
    axes.set_title("Arc: gaps where no usable face was seen; ▼ peaks", loc="left", fontsize=9)
    _finish(axes, profile)


def _draw_shares(axes: Any, profile: Profile) -> None:
    arc = profile.arc
    _stack(axes, profile, positions=arc.start_s, width=float(arc.end_s[0] - arc.start_s[0]))
    axes.set_ylim(0, 1)
    axes.set_ylabel("share of face time")
    axes.set_title("Largest expression", loc="left", fontsize=9)
    if not profile.coverage.covered_s:
        axes.text(0.5, 0.5, "no usable face", ha="center", va="center", transform=axes.transAxes, color=GREY)
    _finish(axes, profile)


def _stack(axes: Any, profile: Profile, *, positions: np.ndarray, width: float) -> None:
    colours = label_colours(profile.labels)
    bottom = np.zeros(len(positions))
    for i in sorted(range(len(profile.labels)), key=lambda i: profile.labels[i] == NEUTRAL):
        label = profile.labels[i]
        values = np.nan_to_num(profile.arc.share[:, i])
        axes.bar(
            positions, values, width, bottom, align="edge", linewidth=0, label=label, color=colours[label],
            hatch=HATCHES.get(label), edgecolor="#00000033",
        )  # fmt: skip
        bottom += values


def _draw_coverage(axes: Any, profile: Profile) -> None:
    arc = profile.arc
    axes.bar(arc.start_s, np.nan_to_num(arc.coverage), arc.end_s - arc.start_s, align="edge", color=GREY, linewidth=0)
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 1])
    axes.set_ylabel("coverage", fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(arc.start_s[0], arc.end_s[-1])


def _draw_pace(axes: Any, profile: Profile) -> None:
    """Brightness and motion on the left scale, cuts a minute as steps on the right one."""
    arc = profile.arc
    middle = (arc.start_s + arc.end_s) / 2
    axes.plot(middle, arc.brightness, color=ORANGE, linewidth=2, label="brightness")
    axes.plot(middle, arc.motion, color=BLUE, linewidth=2, linestyle="--", label="motion (over 0.2 s)")
    axes.set_ylim(0, 1)
    axes.set_ylabel("brightness, motion")
    axes.set_xlabel("time in seconds")
    title = "Cutting, brightness and motion"
    if profile.shots is None:
        title += " (cuts were not looked for)"
    else:
        rate = arc.cuts / np.maximum(arc.observed_s, 1e-9) * SECONDS_PER_MINUTE
        right = axes.twinx()
        right.step([*arc.start_s, arc.end_s[-1]], [*rate, rate[-1]], where="post", color=VERMILION, linewidth=1.2)
        right.fill_between(
            [*arc.start_s, arc.end_s[-1]], [*rate, rate[-1]], step="post", color=VERMILION, alpha=0.12, linewidth=0
        )
        right.set_ylim(0, max(10.0, float(rate.max()) * 1.1))
        right.set_ylabel("cuts a minute", color=VERMILION)
        right.spines[["top"]].set_visible(False)
    axes.set_title(title, loc="left", fontsize=9)
    axes.set_xlim(arc.start_s[0], arc.end_s[-1])
    axes.legend(loc="upper left", fontsize=8, frameon=False, ncols=2)
    axes.spines[["top"]].set_visible(False)


def _draw_stills(grid: Any, stills: Sequence[Still]) -> None:
    for axes in grid:
        axes.set_axis_off()
    for axes, still in zip(grid, stills, strict=False):
        axes.imshow(still.rgb)
        axes.set_title(still.words, fontsize=8, loc="left", parse_math=False)


def _finish(axes: Any, profile: Profile) -> None:
    axes.set_xlim(profile.arc.start_s[0], profile.arc.end_s[-1])
    axes.spines[["top", "right"]].set_visible(False)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        names[::-1],
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=8,
        handlelength=2.5,
    )


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2]}…{name[-LONGEST_NAME // 2 + 1 :]}"


def _png(figure: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
