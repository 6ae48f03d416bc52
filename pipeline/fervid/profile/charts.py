"""Plots of profiles: the sheet of one video and the comparison of many. Knows nothing of files or videos.

Figures are drawn without pyplot, so that no window system and no global state is involved.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fervid.charts.figures import make_figure, shorten_name
from fervid.charts.fonts import fit_fonts
from fervid.charts.palette import (
    BLUE,
    DARK_GREY,
    GREEN,
    GREY,
    HATCHES,
    LIGHT_GREY,
    LINES,
    ORANGE,
    VERMILION,
    YELLOW,
    label_colours,
)
from fervid.profile.profile import NEUTRAL, Profile

DPI = 110
SHEET_INCHES = 10.0
SECONDS_PER_MINUTE = 60.0
WHITE_TEXT_BELOW = 0.5
LONGEST_NAME = 30
MOST_WITH_NUMBERS = 30
"""Largest number of videos for which a matrix shows its values."""
MULTIPLES_ACROSS = 4
NAME_OFFSETS = (((6, 0), "left", "center"), ((-6, 0), "right", "center"), ((0, 6), "center", "bottom"),
                ((0, -6), "center", "top"))  # fmt: skip
"""Possible positions of a point's label: offset in points, and alignment."""
PALE = 0.25
"""Opacity of a bar when faces are visible for almost no time; it grows with coverage."""
RATE_KERNEL = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9
"""The curve of the cut rate is a mean over neighbouring parts: one part of a short clip has one cut or none."""


@dataclass(frozen=True, slots=True)
class Still:
    """An image, RGB uint8 (H, W, 3), of a peak, with its caption."""

    rgb: np.ndarray
    words: str


def draw_over_time(profile: Profile) -> bytes:
    """Arc, stacked shares, coverage, cutting, brightness and motion over the video, on one time axis, as a PNG."""
    figure = make_figure(SHEET_INCHES, 8.6)
    _draw_over_time(figure, profile)
    return _png(figure)


def draw_moments(stills: Sequence[Still]) -> bytes:
    """The stills of peaks side by side, as a PNG."""
    rows = -(-len(stills) // 3)
    figure = make_figure(SHEET_INCHES, 2.4 * rows)
    _draw_stills(figure.subplots(rows, 3, squeeze=False).ravel(), stills)
    return _png(figure)


def draw_sheet(profile: Profile, stills: Sequence[Still], lines: Sequence[str]) -> bytes:
    """Everything about a video on one page, as a PNG. `lines` are printed at its top."""
    rows = -(-len(stills) // 3)
    figure = make_figure(SHEET_INCHES, 8.8 + 2.3 * rows + 0.2 * len(lines))
    parts = figure.subfigures(2, 1, height_ratios=[8.8, 2.3 * rows]) if rows else [figure]
    head = "\n".join([f"{_short(profile.source.name)}: how faces look over its length", *lines])
    parts[0].suptitle(head, x=0.01, ha="left", fontsize=10, linespacing=1.5, parse_math=False)
    _draw_over_time(parts[0], profile)
    if rows:
        _draw_stills(parts[1].subplots(rows, 3, squeeze=False).ravel(), stills)
    return _png(figure)


def draw_multiples(profiles: Sequence[Profile]) -> bytes:
    """The dominant expressions over each video, side by side on one scale, as a PNG."""
    rows = -(-len(profiles) // MULTIPLES_ACROSS)
    figure = make_figure(12.0, 0.6 + 1.75 * rows)
    grid = figure.subplots(rows, MULTIPLES_ACROSS, squeeze=False, sharey=True).ravel()
    for axes, profile in zip(grid, profiles, strict=False):
        _stack(axes, profile, positions=np.linspace(0, 1, len(profile.arc.start_s), endpoint=False), width=0.05)
        axes.set_title(_short(profile.source.name), fontsize=8, loc="left", parse_math=False)
        axes.set_xlim(0, 1)
        axes.set_xticks([0, 0.5, 1], ["start", "", "end"], fontsize=7)
        axes.set_yticks([0, 0.5, 1], ["0", "", "1"], fontsize=7)
    for axes in grid[len(profiles) :]:
        axes.set_visible(False)
    handles, names = max((axes.get_legend_handles_labels() for axes in grid), key=lambda pair: len(pair[0]))
    figure.legend(
        handles[::-1], names[::-1], loc="outside upper right", ncols=len(names) or 1, frameon=False, fontsize=8
    )
    return _png(figure)


def draw_map(
    names: Sequence[str], places: np.ndarray, shares: np.ndarray, has_faces: Sequence[bool], meanings: Sequence[str]
) -> bytes:
    """Videos on two principal axes, as a PNG. In a crowd, only points with room for a label get one.

    `meanings` say in words what grows along each axis; an empty one is left out.
    """
    figure = make_figure(9.0, 6.5)
    axes = figure.subplots()
    for is_filled, words in ((True, "with usable faces"), (False, "without")):
        chosen = np.array(has_faces, bool) == is_filled
        face = BLUE if is_filled else "white"
        edge = "white" if is_filled else BLUE
        axes.scatter(*places[chosen].T, s=36, color=face, edgecolor=edge, zorder=3, label=words)
    for set_label, meaning, share in zip((axes.set_xlabel, axes.set_ylabel), meanings, shares, strict=True):
        set_label(f"{meaning + ' →' if meaning else 'other differences'}  ({share:.0%} of the variance)")
    axes.margins(0.15)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", fontsize=8)
    _name_points(figure, axes, names, places)
    return _png(figure)


def _name_points(figure: Any, axes: Any, names: Sequence[str], places: np.ndarray) -> None:
    """Write each name beside its point unless it would cover another name or point."""
    figure.draw_without_rendering()
    renderer, frame = figure.canvas.get_renderer(), axes.get_window_extent()
    points = axes.transData.transform(places)
    taken = [axes.get_legend().get_window_extent()]
    for i, (name, place) in enumerate(zip(names, places, strict=True)):
        for offset, across, up in NAME_OFFSETS:
            text = axes.annotate(
                _short(name), place, offset, textcoords="offset points", fontsize=7, color=DARK_GREY, ha=across,
                va=up, parse_math=False,
            )  # fmt: skip
            box = text.get_window_extent(renderer).padded(1)
            on_points = box.count_contains(np.delete(points, i, axis=0)) if len(points) > 1 else 0
            if not on_points and not box.count_overlaps(taken) and frame.x0 <= box.x0 and box.x1 <= frame.x1:
                taken.append(box)
                break
            text.remove()


def draw_matrix(names: Sequence[str], matrix: np.ndarray) -> bytes:
    """The cosine of every pair of videos, as a PNG. The colours span the values that there are."""
    has_numbers = len(names) <= MOST_WITH_NUMBERS
    side = 3.2 + (0.34 if has_numbers else 0.17) * len(names)
    figure = make_figure(side + 1.0, side)
    axes = figure.subplots()
    others = matrix[~np.eye(len(names), dtype=bool)]
    lowest = float(np.floor(20 * others.min()) / 20) if others.size else 0.0
    image = axes.imshow(matrix, cmap="cividis", vmin=min(lowest, 0.95), vmax=1)
    short = [_short(name) for name in names]
    axes.set_xticks(range(len(names)), short, rotation=90, fontsize=7, parse_math=False)
    axes.set_yticks(range(len(names)), short, fontsize=7, parse_math=False)
    axes.tick_params(length=0)
    if has_numbers:
        for (row, column), value in np.ndenumerate(matrix):
            colour = "white" if image.norm(value) < WHITE_TEXT_BELOW else "black"
            axes.text(column, row, f"{value:.2f}".removeprefix("0"), ha="center", va="center", fontsize=6, color=colour)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.7, label="cosine of the profiles, colours from the smallest")
    return _png(figure)


def _draw_over_time(figure: Any, profile: Profile) -> None:
    arc, shares, cover, pace = figure.subplots(4, 1, sharex=True, height_ratios=(5, 5, 1, 5))
    _draw_arc(arc, profile)
    _draw_shares(shares, profile)
    _draw_coverage(cover, profile)
    _draw_pace(pace, profile)
    pace.set_xlabel("time in seconds")


def _draw_arc(axes: Any, profile: Profile) -> None:
    from matplotlib.patheffects import withStroke

    arc, colours = profile.arc, label_colours(profile.labels)
    outline = [withStroke(linewidth=3, foreground=GREY)]  # yellow is invisible on white
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
    axes.set_title("Dominant expression: pale where faces are visible for little of the time", loc="left", fontsize=9)
    if not profile.coverage.covered_s:
        axes.text(0.5, 0.5, "no usable face", ha="center", va="center", transform=axes.transAxes, color=GREY)
    _finish(axes, profile)


def _stack(axes: Any, profile: Profile, *, positions: np.ndarray, width: float) -> None:
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgba

    colours = label_colours(profile.labels)
    strength = PALE + (1 - PALE) * np.nan_to_num(profile.arc.coverage)
    bottom = np.zeros(len(positions))
    for i in sorted(range(len(profile.labels)), key=lambda i: profile.labels[i] == NEUTRAL):
        label = profile.labels[i]
        values = np.nan_to_num(profile.arc.share[:, i])
        shown = np.flatnonzero(values)
        left, right, low, high = positions, positions + width, bottom, bottom + values
        corners = np.stack([left, low, left, high, right, high, right, low], axis=1).reshape(-1, 4, 2)
        bars = PolyCollection(
            list(corners[shown]), facecolors=[to_rgba(colours[label], strength[k]) for k in shown], linewidth=0,
            hatch=HATCHES.get(label), edgecolor="#00000033",
        )  # fmt: skip
        axes.add_collection(bars, autolim=False)
        # An empty bar for the legend, in full colour.
        axes.bar(0, 0, 0, label=label, color=colours[label], hatch=HATCHES.get(label), edgecolor="#00000033")
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
    """Brightness and motion on the left scale, cuts per minute as an area on the right one."""
    arc = profile.arc
    middle = (arc.start_s + arc.end_s) / 2
    axes.plot(middle, arc.brightness, color=ORANGE, linewidth=2, label="brightness")
    axes.plot(middle, arc.motion, color=BLUE, linewidth=2, linestyle="--", label="motion (0.2 s)")
    if not np.isnan(arc.action).all():
        axes.plot(middle, arc.action, color=GREEN, linewidth=2, linestyle=":", label="action (speed)")
    axes.set_ylim(0, 1)
    axes.set_ylabel("brightness, motion")
    title = "Cutting, brightness and motion"
    if profile.shots is None:
        title += " (cut detection was off)"
    else:
        rate = np.convolve(arc.cuts, RATE_KERNEL, "same") / np.convolve(arc.observed_s, RATE_KERNEL, "same").clip(1e-9)
        rate *= SECONDS_PER_MINUTE
        right = axes.twinx()
        right.fill_between(middle, rate, color=VERMILION, alpha=0.15, linewidth=0)
        right.plot(middle, rate, color=VERMILION, linewidth=1.2)
        right.set_ylim(0, max(10.0, float(rate.max()) * 1.1))
        right.set_ylabel("cuts per minute", color=VERMILION)
        right.spines[["top"]].set_visible(False)
        axes.plot([], [], color=VERMILION, linewidth=1.2, label="cuts per minute")
    axes.set_title(title, loc="left", fontsize=9)
    _finish(axes, profile, shift=0.07)


def _draw_stills(grid: Any, stills: Sequence[Still]) -> None:
    for axes in grid:
        axes.set_axis_off()
    for axes, still in zip(grid, stills, strict=False):
        axes.imshow(still.rgb)
        axes.set_title(still.words, fontsize=8, loc="left", parse_math=False)


def _finish(axes: Any, profile: Profile, *, shift: float = 0.0) -> None:
    """Axis limits, and the legend at the right, `shift` of the width further out."""
    axes.set_xlim(profile.arc.start_s[0], profile.arc.end_s[-1])
    axes.spines[["top", "right"]].set_visible(False)
    handles, names = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        names[::-1],
        loc="center left",
        bbox_to_anchor=(1.0 + shift, 0.5),
        frameon=False,
        fontsize=8,
        handlelength=2.5,
    )


def _short(name: str) -> str:
    return shorten_name(name, LONGEST_NAME)


def _png(figure: Any) -> bytes:
    fit_fonts(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()
