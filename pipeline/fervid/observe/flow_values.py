"""What is stored of how the image moves: the names of the values of a frame. Measures and judges nothing."""

from __future__ import annotations

GRID = (8, 5)
"""Columns and rows of the coarse grid."""
MOST_SECONDS = 0.6
"""Frames further apart are not compared: nothing can be followed from one to the other."""
INCOHERENCE_SCALES = (3, 7)
"""Sides of the squares, in places of the flow (80 across the image), whose mean motion is taken away."""
DISORDER_SCALES = (5, 15)
"""Sides of the squares in which directions are compared."""
FASTER = (0.03, 0.06, 0.12, 0.25, 0.5, 1.0)
"""Speeds, of which the share of the image that is faster is measured."""
CAMERA = ("camera_speed", "camera_share")
MOTION = (
    *("speed", "weighted_speed", "p99_speed", "top_speed"),
    *(f"faster_{speed:g}" for speed in FASTER),
    *(
        f"{kind}_{scale}"
        for scale in INCOHERENCE_SCALES
        for kind in ("incoherence", "relative_incoherence", "p99_incoherence")
    ),
    *("entropy", "moving_entropy"),
    *(f"disorder_{scale}" for scale in DISORDER_SCALES),
    *("change", "p99_change", "weighted_change", "relative_change"),
    *("acceleration", "relative_acceleration", "p99_acceleration", "weighted_acceleration"),
    *("reversal", "steadiness", "smooth_reversal"),
)
"""Speeds are in longer sides of the image per second. Changes are of brightness, in full scales per second. From
`acceleration` on, the flow is compared with the one before: NaN for the first."""
STATISTICS = (*CAMERA, *MOTION)
"""Names of the leading values; the mean speed of each cell of the grid follows, row by row."""
N_VALUES = len(STATISTICS) + GRID[0] * GRID[1]
