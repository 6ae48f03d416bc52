"""Checks whether faces appear only in rotated images, on a few frames of a video without faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fervid.base.types import VideoInfo
from fervid.config import Settings
from fervid.detect import make_detector
from fervid.errors import FervidError
from fervid.video.stretch import VideoSource
from fervid.video.turn import turned
from fervid.video.writer import read_gray

N_LOOKED_AT = 8
LEAST_CONFIDENCE, LEAST_FRAMES = 0.6, 2
"""Least confidence, and least number of images (and more than upright), to suggest a rotation."""
LARGEST_SIDE_PX = 1280
"""Larger images are looked at with fewer pixels: this is a hint, and the faces of such cameras are large."""
WITHIN_SECONDS = 1.0


def hint_of_turning(info: VideoInfo, settings: Settings, times: np.ndarray) -> tuple[str, ...]:
    """A warning for a video on disk without a face, whose frames at `times` float64 (N,) were analysed."""
    if settings.video.rotate:
        return ()
    has_own_times = info.time_source == "pts"
    source = VideoSource(
        Path(str(info.path)), settings.video.max_pixels, info.start_time_seconds, has_own_times, info.stream
    )
    degrees = _turn_with_faces(source, settings, times)
    return () if degrees is None else (f"faces appear when the images are turned: try --rotate {degrees}",)


def _turn_with_faces(source: VideoSource, settings: Settings, times: np.ndarray) -> int | None:
    """The clockwise degrees at which images show faces that are not seen as they are; None where they show none.

    `times` float64 (N,) of the analysed frames, some of which are looked at.
    """
    detect = settings.detect
    detector = make_detector(detect.detector, detect.chosen_options)
    chosen = times[np.unique(np.linspace(0, len(times) - 1, N_LOOKED_AT).astype(int))] if len(times) else times
    found: dict[int, list[float]] = {0: [], 180: [], 90: [], 270: []}  # a network is set up anew for another shape
    try:
        for n_left, seconds in zip(range(len(chosen), 0, -1), chosen.tolist(), strict=True):
            if max(len(found[degrees]) for degrees in found if degrees) + n_left < LEAST_FRAMES:
                return None
            _, gray, _ = next(iter(read_gray(source, seconds - 1e-6, seconds + WITHIN_SECONDS)), (0.0, None, None))
            if gray is not None:
                step = -(-max(gray.shape) // LARGEST_SIDE_PX)
                gray = np.ascontiguousarray(gray[::step, ::step])
                for degrees, sure in found.items():
                    confidence = detector.detect(turned(gray, degrees))[1]
                    sure.extend(confidence[confidence >= LEAST_CONFIDENCE][:1].tolist())
    except FervidError:
        return None
    # Faces that lie on their side are found as well, with less confidence.
    best = max(found, key=lambda degrees: sum(found[degrees]))
    return best if best and len(found[best]) >= LEAST_FRAMES and len(found[best]) > 2 * len(found[0]) else None
