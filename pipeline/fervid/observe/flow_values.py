"""What is stored of how the image moves: the names of the values of a frame. Measures and judges nothing."""

from __future__ import annotations

GRID = (8, 5)
"""Columns and rows of the coarse grid."""
MOST_SECONDS = 0.6
"""Frames further apart are not compared: nothing can be followed from one to the other."""
STATISTICS = (
    "camera_speed",
    "camera_share",
    "speed",
    "median_speed",
    "p95_speed",
    "p99_speed",
    "moving_share",
    "fast_share",
    "entropy",
    "moving_entropy",
    "incoherence",
    "gradient",
    "divergence",
    "curl",
    "acceleration",
    "p95_acceleration",
    "grid_acceleration",
    "grid_speed",
)
"""Names of the leading values; the mean speed of each cell of the grid follows, row by row."""
N_VALUES = len(STATISTICS) + GRID[0] * GRID[1]
