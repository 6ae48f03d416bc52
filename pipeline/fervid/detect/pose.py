"""How a head is turned, roughly, from the five landmarks of its face. Knows no detector and no image.

Yaw and pitch: a mean face in three dimensions is laid on the landmarks under scaled orthographic projection (the first
step of DeMenthon and Davis, "Model-Based Object Pose in 25 Lines of Code", 1995). Least squares give a 2 x 3 matrix,
and the rotation nearest to it is the pose. Roll: the angle in the image that lays the eyes and the corners of the mouth
of the mean face best on those that were found (Procrustes), steadier than the rotation's for faces from the side.
Faces differ from the mean one, and a network draws landmarks towards where they usually are: good for limits.
"""

from __future__ import annotations

import numpy as np

POSE = ("roll_degrees", "yaw_degrees", "pitch_degrees")

MEAN_FACE = np.array([[-31.5, -34.0, 0.0], [31.5, -34.0, 0.0], [0.0, 0.0, 26.0], [-26.0, 30.0, 0.0], [26.0, 30.0, 0.0]])
"""Millimetres right and down in the image, and towards the viewer, of a face that looks at the camera: the middles of
the eyes, the tip of the nose, the corners of the mouth."""
NOSE = 2

_CENTRED = MEAN_FACE - MEAN_FACE.mean(axis=0)
_TO_MATRIX = np.linalg.pinv(_CENTRED).T
"""(5, 3): landmarks times this is the matrix that maps the mean face onto them."""
_FRAME = np.delete(MEAN_FACE[:, :2], NOSE, axis=0) @ [1, 1j]
_FRAME -= _FRAME.mean()
"""complex (4,): eyes and corners of the mouth around their middle."""


# Decision DET-10.
def head_pose(landmarks: np.ndarray) -> np.ndarray:
    """Landmarks (n, 5, 2) in square pixels -> float32 (n, 3) degrees: roll, yaw and pitch; NaN where they are NaN.

    Roll is the lean towards a shoulder, clockwise in the image; yaw is positive for a face turned to the right of the
    image, pitch for one that looks up.
    """
    points = np.asarray(landmarks, np.float64).reshape(-1, 5, 2)
    pose = np.full((len(points), 3), np.nan, np.float32)
    for row, own in zip(pose, points, strict=True):
        if np.isfinite(own).all():
            around = own - own.mean(axis=0)
            row[:] = _roll(around), *_yaw_and_pitch(around)
    return pose


def _roll(points: np.ndarray) -> float:
    """Degrees, from points (5, 2)."""
    frame = np.delete(points, NOSE, axis=0) @ [1, 1j]
    return float(np.degrees(np.angle(np.vdot(_FRAME, frame))))


def _yaw_and_pitch(points: np.ndarray) -> tuple[float, float]:
    """Degrees, from points (5, 2) around their middle."""
    u, _, v = np.linalg.svd(points.T @ _TO_MATRIX, full_matrices=False)
    (xx, xy, xz), (yx, yy, yz) = u @ v
    # The third row of the rotation, Rz(roll) Ry(yaw) Rx(pitch): roll changes nothing in it.
    zx, zy, zz = xy * yz - xz * yy, xz * yx - xx * yz, xx * yy - xy * yx
    return float(np.degrees(np.arcsin(np.clip(-zx, -1, 1)))), float(np.degrees(np.arctan2(zy, zz)))
