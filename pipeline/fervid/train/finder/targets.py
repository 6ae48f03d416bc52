"""What the teacher sees in pictures: made once, kept in one file. Trains nothing.

The teacher looks at pictures larger than the student will: what it finds there the student learns to find in less.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fervid.base.opencv import cv2
from fervid.detect.centerface import WEIGHTS_SHA256, CenterFaceDetector
from fervid.errors import ConfigError, OutputError
from fervid.storage.publish import written_whole

TEACHER_LINES, KEPT_LINES = 384, 256
LEAST_SCORE = 0.15
"""What the teacher finds below this is taken for background."""
SURE_SCORE = 0.5
"""What the teacher scores lower is neither a face nor background."""
PATCH_CONTEXT = 2.5
"""A face cut out closely is shown to the teacher in a picture wider by this factor: of 60 faces of FER-2013 it is then
sure of 88 %, with the border of the face continued instead of gray of 47 %."""
GRAY = 128


@dataclass(frozen=True, slots=True)
class TaughtPictures:
    """Gray pictures, each uint8 (h, w), and the faces of each: float32 (n, 15), see `FACE`."""

    pictures: list[np.ndarray]
    faces: list[np.ndarray]
    """Left, top, right, bottom, the teacher's probability, and five points as x and y; pixels of the picture."""
    hashes: list[str]

    def sha256(self) -> str:
        """Of what was shown and what was found."""
        return hashlib.sha256("".join(self.hashes).encode()).hexdigest()


def gather(pictures: Iterable[np.ndarray], patches: Iterable[np.ndarray] = ()) -> TaughtPictures:
    """The teacher's faces in gray pictures (h, w), and in `patches` (s, s) that a face fills.

    Raises ConfigError if there are no pictures, and DependencyMissing if the teacher's weights are not installed.
    """
    teacher = CenterFaceDetector(score_threshold=LEAST_SCORE)
    kept, faces = [], []
    for picture in pictures:
        kept.append(_shrunk(picture, KEPT_LINES))
        faces.append(_taught(teacher, picture, kept[-1].shape[0]))
    if not kept:
        raise ConfigError("none of the given files is an image or video that can be read. Give others.")
    for patch in patches:
        face = _taught_patch(teacher, patch)
        if len(face):
            kept.append(patch)
            faces.append(face)
    return TaughtPictures(kept, faces, [_sha256(p, f) for p, f in zip(kept, faces, strict=True)])


def save_targets(path: Path, taught: TaughtPictures, sources: Sequence[str]) -> None:
    """Write them, with the names of what they come from. Raises OutputError."""
    header = {"teacher": WEIGHTS_SHA256, "hashes": taught.hashes, "sources": list(sources)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial, partial.open("wb") as file:
            np.savez(
                file,
                header=np.array(json.dumps(header)),
                pixels=np.concatenate([picture.reshape(-1) for picture in taught.pictures]),
                shapes=np.array([picture.shape for picture in taught.pictures], np.int32),
                faces=np.concatenate(taught.faces),
                counts=np.array([len(faces) for faces in taught.faces], np.int32),
            )
    except OSError as problem:
        raise OutputError(f"{path} cannot be written ({problem.strerror}). Give another --out.") from None


def load_targets(path: Path, sources: Sequence[str]) -> TaughtPictures:
    """Raises ConfigError for a file that `save_targets` did not write, or not for these sources and today's teacher."""
    try:
        with path.open("rb") as file, np.load(file) as stored:
            header = json.loads(str(stored["header"]))
            pixels, shapes, faces, counts = (stored[name] for name in ("pixels", "shapes", "faces", "counts"))
        teacher, hashes, own_sources = header["teacher"], header["hashes"], header["sources"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as problem:
        raise ConfigError(
            f"{path} is not a file of a teacher's faces ({problem}). Start over with --no-resume."
        ) from None
    if teacher != WEIGHTS_SHA256 or own_sources != list(sources):
        raise ConfigError(
            f"{path} was made from {', '.join(own_sources)} (teacher {teacher[:12]}), not from what is given now. "
            "Give another --out, or --no-resume to start over."
        )
    pictures = [
        part.reshape(shape)
        for part, shape in zip(np.split(pixels, np.cumsum(shapes.prod(axis=1))[:-1]), shapes, strict=True)
    ]
    return TaughtPictures(pictures, np.split(faces, np.cumsum(counts)[:-1]), list(hashes))


def _shrunk(picture: np.ndarray, lines: int) -> np.ndarray:
    height, width = picture.shape
    if height <= lines:
        return picture
    size = max(1, round(width * lines / height)), lines
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _taught(teacher: CenterFaceDetector, picture: np.ndarray, kept_lines: int) -> np.ndarray:
    """What the teacher finds, in pixels of the picture with `kept_lines`."""
    shown = _shrunk(picture, TEACHER_LINES)
    boxes, scores, points = teacher.detect(shown)
    scale = kept_lines / shown.shape[0]
    return np.concatenate([boxes * scale, scores[:, None], points.reshape(-1, 10) * scale], axis=1).astype(np.float32)


def _taught_patch(teacher: CenterFaceDetector, patch: np.ndarray) -> np.ndarray:
    """The face that fills a patch (s, s), in front of gray; none when the teacher is unsure."""
    side = patch.shape[0]
    margin = round(side * (PATCH_CONTEXT - 1) / 2)
    wide = cv2.copyMakeBorder(patch, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=GRAY)
    found = _taught(teacher, wide, wide.shape[0])
    found = found[found[:, 4] >= SURE_SCORE][:1]
    found[:, [0, 1, 2, 3, *range(5, 15)]] -= margin
    return found


def _sha256(picture: np.ndarray, faces: np.ndarray) -> str:
    return hashlib.sha256(picture.tobytes() + faces.astype("<f4").tobytes()).hexdigest()
