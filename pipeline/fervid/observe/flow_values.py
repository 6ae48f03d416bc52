"""What is stored of how the image moves: the names of the values of a frame. Measures and judges nothing."""

from __future__ import annotations

GRID = (8, 5)
"""Columns and rows of the coarse grid."""
MOST_SECONDS = 0.6
"""Frames further apart are not compared: nothing can be followed from one to the other."""
INCOHERENCE_SCALES = (3, 5, 7)
"""Sides of the squares, in places of the flow (80 across the image), whose mean motion is taken away."""
CAMERA = ("camera_speed", "camera_share")
MOTION = (
    *("speed", "weighted_speed", "p99_speed", "top_speed", "moving_share"),
    *(
        f"{kind}_{scale}"
        for scale in INCOHERENCE_SCALES
        for kind in ("incoherence", "relative_incoherence", "p99_incoherence")
    ),
    *("disorder", "entropy", "moving_entropy"),
    *("blobs", "blob_size", "blob_share", "blob_relative_speed", "blob_entropy", "blob_disorder"),
    *("blob_incoherence", "blob_relative_incoherence", "blob_top_speed", "blob_relative_top_speed"),
    *("acceleration", "relative_acceleration", "p99_acceleration", "weighted_acceleration"),
)
"""Speeds are in longer sides of the image per second. A blob is a connected area that moves; those with its name are of
the one with the most motion. Accelerations are changes from the flow before, NaN for the first."""
STATISTICS = (*CAMERA, *MOTION)
"""Names of the leading values; the mean speed of each cell of the grid follows, row by row."""
N_VALUES = len(STATISTICS) + GRID[0] * GRID[1]
