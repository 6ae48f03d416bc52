"""How accuracy falls with blur, darkness, brightness and roll, and how well they are measured: the reason for the gate.

    python benchmarks/face_looks.py fer2013.csv

Every face of PublicTest is spoilt by a known amount, then classified and measured.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fervid.base import assets
from fervid.base.opencv import cv2
from fervid.base.types import FACE_QUALITY
from fervid.emotion import make_classifier
from fervid.emotion.face_quality import measure_face_quality
from fervid.emotion.model import load_model_info
from fervid.train.data.fer2013 import load_fer2013

MEASURED = FACE_QUALITY[:3]
Spoil = Callable[[np.ndarray], np.ndarray]


def blur(sigma: float) -> Spoil:
    return lambda face: cv2.GaussianBlur(face, (0, 0), sigma) if sigma else face


def level(factor: float, offset: float = 0.0) -> Spoil:
    return lambda face: np.clip(face.astype(np.float32) * factor + offset, 0, 255).astype(np.uint8)


def turn(degrees: float) -> Spoil:
    matrix = cv2.getRotationMatrix2D((23.5, 23.5), -degrees, 1.0)
    return lambda face: cv2.warpAffine(face, matrix, (48, 48), borderMode=cv2.BORDER_REPLICATE)


def shrink(side_px: int) -> Spoil:
    def spoil(face: np.ndarray) -> np.ndarray:
        small = cv2.resize(face, (side_px, side_px), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (48, 48), interpolation=cv2.INTER_LINEAR)

    return spoil


def measured(faces: np.ndarray) -> np.ndarray:
    """The looks of crops whose landmarks are not known, float32 (n, 3): without yaw and pitch."""
    return measure_face_quality(faces, np.full((len(faces), 3), np.nan, np.float32))[:, : len(MEASURED)]


SPOILS: dict[str, dict[str, Spoil]] = {
    "blur, sigma in px of the crop": {f"{s:g}": blur(s) for s in (0, 1, 1.5, 2, 2.5, 3, 4)},
    "light, factor": {f"{f:g}": level(f) for f in (1, 0.5, 0.3, 0.2, 0.1, 0.05)},
    "light, added": {f"+{a}": level(1, a) for a in (0, 60, 90, 120, 150)},
    "roll, degrees": {f"{d:g}": turn(d) for d in (0, 5, 10, 15, 20, 25, 30)},
    "size, px": {f"{s}": shrink(s) for s in (48, 32, 24, 20, 16, 12)},
}


def main() -> None:
    dataset = load_fer2013(Path(sys.argv[1])).split("PublicTest")
    faces, labels = dataset.images, dataset.labels
    classifier = make_classifier("litert", load_model_info(assets.model_folder(assets.DEFAULT_MODEL)), batch_size=64)
    unspoilt = measured(faces)
    for name, amounts in SPOILS.items():
        print(
            f"{name:<30}{'accuracy':>10}{'recall of angry':>17}"
            + "".join(f"{f'median {look}':>22}" for look in MEASURED)
        )
        for amount, spoil in amounts.items():
            spoilt = np.stack([spoil(face) for face in faces])
            found = classifier.predict(spoilt)[:, :7].argmax(axis=1)
            face_quality = measured(spoilt)
            medians = "".join(f"{value:>22.3f}" for value in np.nanmedian(face_quality, axis=0))
            print(
                f"{amount:<30}{(found == labels).mean():>10.1%}{(found == labels)[labels == 0].mean():>17.1%}{medians}"
            )
            if name.startswith("roll"):
                error = np.abs(face_quality[:, 2] - unspoilt[:, 2] - float(amount))
                known = ~np.isnan(error)
                print(f"{'':<30}roll told for {known.mean():.0%}, median error {np.median(error[known]):.1f}, "
                      f"90 % below {np.percentile(error[known], 90):.1f} degrees")  # fmt: skip
    shares = (1, 5, 50, 95, 99)
    for i, look in enumerate(MEASURED):
        values = ", ".join(f"{value:.3f}" for value in np.nanpercentile(unspoilt[:, i], shares))
        print(f"{look} of unspoilt faces, percentiles {shares}: {values}")


if __name__ == "__main__":
    main()
