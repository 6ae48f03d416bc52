"""Whether it pays to turn crops upright, or to place them by the eyes as FER-2013's faces are, by the battery.

    python benchmarks/aligned_crops.py --data FER2013 --clips FOLDER --stills FOLDER [--cache FOLDER]

As `battery.py`, with the default model and preset. `upright` turns the crop by the roll of the face, `upright from 10`
only where that is at least 10 degrees; `eyes` lays eyes and corners of the mouth where they are in the mean of the
frontal faces of PublicTest, by turning, scaling and moving.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import fields, replace
from math import ceil, cos, radians, sin
from pathlib import Path

import numpy as np

import battery
import fervid
from battery_faces import Region, load_clips, load_stills
from fervid.base.opencv import cv2
from fervid.detect import make_detector
from fervid.detect.pose import NOSE, head_pose
from fervid.emotion.crops import make_crop
from fervid.train.data.fer2013 import EMOTIONS, FaceDataset, load_fer2013

# Decision SCO-8.
BORDER_PX = 24
FRONTAL_DEGREES = 10, 15
"""Largest roll and yaw of the faces whose landmarks are averaged."""


class Upright(Region):
    """Cut as ever, turned by the roll of the face around the middle of its box."""

    least_degrees = 0.0

    def crop(self, side_px: int, margin: float) -> np.ndarray:
        roll = float(head_pose(self.landmarks[None])[0, 0])
        if not abs(roll) >= self.least_degrees:
            return super().crop(side_px, margin)
        wide, high = (self.box[2:] - self.box[:2]) * (1 + 2 * margin) / (self.box_shape * side_px, side_px)
        turn = np.array([[cos(radians(roll)), -sin(radians(roll))], [sin(radians(roll)), cos(radians(roll))]])
        linear = turn @ np.diag([wide, high])
        middle = (self.box[:2] + self.box[2:]) / 2
        return _sampled(self, linear, middle - linear @ np.full(2, (side_px - 1) / 2), side_px)


class UprightFrom10(Upright):
    """Only where the head leans clearly."""

    least_degrees = 10.0


class ByEyes(Region):
    """Eyes and corners of the mouth laid where FER-2013 has them, float64 (4, 2) in a crop of 48 pixels."""

    wanted = np.zeros((4, 2))

    def crop(self, side_px: int, margin: float) -> np.ndarray:  # noqa: ARG002 (the landmarks say how much)
        there = np.delete(self.landmarks, NOSE, axis=0).astype(float)
        wanted = self.wanted * side_px / 48
        to, frm = (there - there.mean(axis=0)) @ [1, 1j], (wanted - wanted.mean(axis=0)) @ [1, 1j]
        turn = np.vdot(frm, to) / np.vdot(frm, frm)
        linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
        return _sampled(self, linear, there.mean(axis=0) - linear @ wanted.mean(axis=0), side_px)


def _sampled(region: Region, linear: np.ndarray, offset: np.ndarray, side_px: int) -> np.ndarray:
    """The crop whose pixel p shows the region at `linear` (2, 2) times p plus `offset` (2,), averaged where smaller."""
    n = max(1, ceil(float(np.sqrt(abs(np.linalg.det(linear))))))
    fine = np.hstack([linear / n, (offset - linear @ np.full(2, (n - 1) / (2 * n)))[:, None]])
    patch = cv2.warpAffine(
        region.gray,
        fine,
        (side_px * n, side_px * n),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return make_crop(np.asarray(patch, np.uint8), side_px, is_full_range=region.is_full_range)


def mean_landmarks(faces: FaceDataset) -> np.ndarray:
    """Where eyes and corners of the mouth are in crops of FER-2013: float64 (4, 2) in pixels of 48."""
    detector, found = make_detector("centerface", {}), []
    for image in faces.images:
        wide = cv2.copyMakeBorder(image, *[BORDER_PX] * 4, cv2.BORDER_REPLICATE)
        boxes, _, landmarks = detector.detect(np.asarray(wide), effort="lenient")
        if len(boxes):
            found.append(landmarks[(boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax()] - BORDER_PX)
    pose = np.abs(head_pose(np.array(found)))
    frontal = (pose[:, 0] < FRONTAL_DEGREES[0]) & (pose[:, 1] < FRONTAL_DEGREES[1])
    mean: np.ndarray = np.delete(np.array(found, np.float64)[frontal].mean(axis=0), NOSE, axis=0)
    return mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "clips", "stills"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "fervid-battery")
    arguments = parser.parse_args()
    settings = fervid.load_settings(environment={})
    faces = load_fer2013(arguments.data).split("PublicTest")
    clips = load_clips(arguments.clips, settings, arguments.cache)
    stills = load_stills(arguments.stills, settings, EMOTIONS, arguments.cache)
    ByEyes.wanted = mean_landmarks(faces)
    rows = []
    for name, kind in {"as ever": Region, "upright": Upright, "upright from 10": UprightFrom10, "eyes": ByEyes}.items():

        def cut_by(region: Region, kind: type[Region] = kind) -> Region:
            return kind(*(getattr(region, field.name) for field in fields(region)))

        ours = [replace(clip, regions=tuple(cut_by(region) for region in clip.regions)) for clip in clips]
        theirs = [replace(still, region=still.region and cut_by(still.region)) for still in stills]
        rows.append(battery.measure(name, settings.emotion.model, settings, faces, theirs, ours))
    print(battery.table(rows))


if __name__ == "__main__":
    main()
