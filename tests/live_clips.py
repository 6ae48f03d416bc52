"""Settings and pictures for tests of live sessions."""

from __future__ import annotations

import numpy as np

from fakes import square_picture
from fervid.config import Settings, load_settings


def settings(*assignments: str) -> Settings:
    """Every frame is analysed."""
    return load_settings(assignments=["video.fps=0", *assignments], environment={})


def bright_square(seconds: float) -> np.ndarray:
    """A face of the fakes that is `angry` and drifts to the right."""
    return square_picture(230, left=40 + round(10 * seconds))
