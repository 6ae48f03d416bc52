"""An explanation as a PNG: the gray face, the heat over it, and a legend. It shows an open face."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.clock import clock
from fervid.charts.figures import DPI, make_figure
from fervid.charts.heat import heat_over_gray, heat_scale
from fervid.emotion.occlusion import place_in_words
from fervid.errors import OutputError
from fervid.explain.face import Explanation
from fervid.overlay.faces import REASONS
from fervid.privacy.audit import note_open_faces
from fervid.run.derived import note_derived
from fervid.run.handle import Run
from fervid.run.writing import writing
from fervid.storage.publish import write_whole

FACE_PX = 384
NOTICE = "This image shows an open face: keep it with the run and pass it on only where that is allowed."


def write_explanation(run: Run, explanation: Explanation, target: Path | None = None) -> Path:
    """Write an explanation as a PNG for its owner alone, into the run folder or to `target`; returns its path.

    It shows an open face, so it is noted in the run's audit log first. Raises OutputError, and InputError where the run
    was replaced since.
    """
    target = target or run.folder / default_name(explanation)
    about = {"time_s": explanation.time_s, "track": explanation.track_id, "label": explanation.label}
    with writing(run.folder, run.manifest.settings_hash):
        note_open_faces(run.folder, "explanation with an open face", blur="none", **about, file=target.name)
        try:
            write_whole(target, draw_explanation(explanation), is_private=True)
        except OSError as problem:
            raise OutputError(
                f"{target} cannot be written ({problem.strerror}). Give another file with --out."
            ) from None
        note_derived(run.folder, [target])
    return target


def default_name(explanation: Explanation) -> str:
    """`explain-00-00-08.0-track0-angry.png`: no character that a file system refuses."""
    moment = clock(explanation.time_s).replace(":", "-")
    return f"explain-{moment}-track{explanation.track_id}-{explanation.label}.png"


def draw_explanation(explanation: Explanation) -> bytes:
    """The bytes of the PNG."""
    occlusion = explanation.occlusion
    scale = heat_scale(occlusion.changes)
    figure = make_figure(8.6, 5.4)
    face, heat, legend = figure.subplots(1, 3, width_ratios=(10, 10, 0.6))
    face.imshow(explanation.crop, cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    face.set_title(f"the face as {explanation.model} saw it", fontsize=9)
    heat.imshow(heat_over_gray(explanation.crop, occlusion.changes, scale, side_px=FACE_PX))
    heat.set_title(f"what made the score of {explanation.label}", fontsize=9)
    for axes in (face, heat):
        axes.set_axis_off()
    _draw_legend(legend, scale)
    figure.suptitle("\n".join(headline(explanation)), fontsize=11, x=0.02, ha="left")
    figure.supxlabel(
        f"{strongest(explanation)}\nA gray patch a quarter as wide as the crop was slid over it: orange parts "
        f"speak for {explanation.label}, blue ones against it.\n"
        f"This says what the network looked at, not what a person feels.\n{NOTICE}",
        fontsize=8,
        x=0.02,
        ha="left",
    )
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=DPI, format="png", metadata={"Software": None})
    return drawn.getvalue()


def headline(explanation: Explanation) -> list[str]:
    """Label, score and time, and whether the label may be used."""
    found = explanation
    leading = "" if found.is_leading else " (not the leading label)"
    lines = [
        f"{found.label} {found.occlusion.score:.2f} in this frame, {found.over_time:.2f} over time{leading}",
        f"{found.video}, {clock(found.time_s)}, track {found.track_id}",
    ]
    if found.abstain is not None:
        lines[0] += f"; not to be used: {REASONS.get(found.abstain, found.abstain)}"
    return lines


def strongest(explanation: Explanation) -> str:
    """The part that matters most, in a sentence."""
    found = explanation.occlusion
    if found.score - found.lowest < 0.01:
        return f"No covered part lowers {explanation.label} from {found.score:.2f}."
    where = place_in_words(found.lowest_at)
    return f"Covering {where} lowers {explanation.label} most: from {found.score:.2f} to {found.lowest:.2f}."


def _draw_legend(axes: Any, scale: float) -> None:
    """A bar of the heat from one end of the scale to the other, over mid gray."""
    values = np.linspace(scale, -scale, 128, dtype=np.float32)
    bar = heat_over_gray(np.full((128, 128), 160, np.uint8), np.repeat(values[:, None], 128, axis=1), scale)
    axes.imshow(bar, aspect="auto", extent=(0, 1, -scale, scale))
    axes.set_xticks([])
    axes.yaxis.tick_right()
    axes.set_yticks([scale, 0, -scale], [f"-{scale:.2f}", "0", f"+{scale:.2f}"], fontsize=8)
    axes.set_title("score if\ncovered", fontsize=8)
