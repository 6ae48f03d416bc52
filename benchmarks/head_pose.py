"""How well landmarks tell the pose of a head, and up to which yaw the classifier can judge a face: the gate `turned`.

    python benchmarks/head_pose.py --data fer2013.csv --stills FOLDER --videos FOLDER

Roll: photographs of --stills (labels.csv: file, emotion) are turned by known angles and searched again; the error is
that of the difference to the photograph as it is, beside what the symmetry of the crop says. Yaw and pitch: no pose is
known, so they are printed by kind of face, on the marks of `benchmarks/faces/kinds.csv`. Accuracy by yaw: on the
photographs, halved by the hash of the name before the number (one half chooses, the other reports), and on the faces
of PublicTest in which CenterFace finds landmarks.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

import face_kinds
from detect import segments_of
from fervid.base import assets
from fervid.base.opencv import cv2
from fervid.base.types import Detections, Frame
from fervid.config import DetectSettings, load_settings
from fervid.detect import Detector, make_detector
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.pose import POSE, head_pose
from fervid.detect.stage import detect_faces
from fervid.emotion import make_classifier
from fervid.emotion.crops import crop_faces
from fervid.emotion.face_quality import measure_face_quality
from fervid.emotion.model import load_model_info
from fervid.train.data.fer2013 import EMOTIONS, load_fer2013

TURNS_DEGREES = (-30, -20, -10, 10, 20, 30)
TURNED_STILLS = 200
BINS_DEGREES = (0, 10, 20, 30, 40, 50, 90)
FRONTAL_DEGREES = 25
UNKNOWN = np.full((1, 3), np.nan, np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stills", type=Path, required=True)
    parser.add_argument("--videos", type=Path, required=True)
    arguments = parser.parse_args()
    settings = load_settings(environment={}).detect
    detector = make_detector(settings.detector, settings.chosen_options)
    stills = [row for row in _rows(arguments.stills / "labels.csv") if row["emotion"] in EMOTIONS]
    print_roll(arguments.stills, stills, detector, settings)
    print_kinds(arguments.videos, settings)
    print_accuracy(arguments.stills, stills, arguments.data, detector, settings)


def print_roll(folder: Path, stills: list[dict[str, str]], detector: Detector, settings: DetectSettings) -> None:
    """Errors of roll over known turns, by landmarks and by symmetry, for faces from the front and others."""
    rows = []
    for name in np.random.default_rng(0).permutation([row["file"] for row in stills])[:TURNED_STILLS]:
        gray = cv2.imread(str(folder / name), cv2.IMREAD_GRAYSCALE)
        if (upright := _largest(gray, detector, settings)) is None:
            continue
        box, (roll, yaw, _), symmetry = upright
        middle = (box[:2] + box[2:]) / 2
        for degrees in TURNS_DEGREES:
            turn = cv2.getRotationMatrix2D([float(side) for side in middle], -degrees, 1.0)
            image = cv2.warpAffine(gray, turn, gray.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
            found = _largest(image, detector, settings)
            if found is None or np.abs((found[0][:2] + found[0][2:]) / 2 - middle).max() > (box[2] - box[0]) / 2:
                continue
            rows.append((abs(yaw) < FRONTAL_DEGREES, found[1][0] - roll - degrees, found[2] - symmetry - degrees))
    table = np.array(rows)
    for name, seen in ((f"yaw below {FRONTAL_DEGREES}", table[:, 0] == 1), ("yaw above", table[:, 0] == 0)):
        for way, errors in (("landmarks", table[seen, 1]), ("symmetry", table[seen, 2])):
            known = np.abs(errors[np.isfinite(errors)])
            print(f"roll, {name}, by {way}: told for {len(known) / len(errors):.0%} of {len(errors)}, error "
                  f"{np.median(known):.1f} in the median, {np.percentile(known, 90):.1f} at 90 %")  # fmt: skip


def print_kinds(videos: Path, settings: DetectSettings) -> None:
    """Medians of the pose by kind of marked face, both halves."""
    poses: dict[str, list[np.ndarray]] = {}
    for clip, marks in face_kinds.read_kinds().items():
        for aspect, frames in segments_of(videos / clip):
            for frame, found, _ in _search(frames, settings, SearchPlan.of(settings), aspect):
                marked = next((m for time, m in marks.items() if round(time - frame.pts_seconds, 4) == 0), None)
                if marked is None:
                    continue
                for i, j in zip(*np.nonzero(face_kinds.matches(marked.boxes, found.boxes)), strict=True):
                    poses.setdefault(marked.kinds[i], []).append(found.pose[j])
    for kind, own in poses.items():
        values = np.array(own)
        yaw, pitch = np.abs(values[:, POSE.index("yaw_degrees")]), values[:, POSE.index("pitch_degrees")]
        quartiles = ", ".join(f"{value:.0f}" for value in np.percentile(yaw, (25, 50, 75)))
        print(f"{kind}: {len(own)} faces, |yaw| quartiles {quartiles}, pitch {np.median(pitch):.0f} in the median")


def print_accuracy(
    folder: Path, stills: list[dict[str, str]], data: Path, detector: Detector, settings: DetectSettings
) -> None:
    """The share of faces whose label the default model gives, by |yaw|."""
    info = load_model_info(assets.model_folder(assets.DEFAULT_MODEL))
    classifier, margin = (
        make_classifier("litert", info, batch_size=64),
        load_settings(environment={}).emotion.crop_margin,
    )

    def is_right(crop: np.ndarray, emotion: str) -> bool:
        return info.labels[int(classifier.predict(crop[None])[0, : len(info.labels)].argmax())] == emotion

    columns: dict[str, list[tuple[float, bool]]] = {"stills, chosen with": [], "stills, reported": [], "PublicTest": []}
    for row in stills:
        gray = cv2.imread(str(folder / row["file"]), cv2.IMREAD_GRAYSCALE)
        if (found := _largest(gray, detector, settings)) is None:
            continue
        crop = _crop(gray, found[0], detector, margin)
        person = hashlib.sha256(row["file"].rpartition("_")[0].encode()).hexdigest()
        half = list(columns)[int(person, 16) % 2]
        columns[half].append((abs(found[1][1]), is_right(crop, row["emotion"])))
    faces = load_fer2013(data).split("PublicTest")
    for image, code in zip(faces.images, faces.labels, strict=True):
        wide = cv2.copyMakeBorder(image, 24, 24, 24, 24, cv2.BORDER_REPLICATE)
        boxes, _, landmarks = detector.detect(wide, effort="lenient")
        if len(boxes):
            largest = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax()
            yaw = abs(head_pose(landmarks[largest : largest + 1])[0, 1])
            columns["PublicTest"].append((yaw, is_right(image, EMOTIONS[code])))
    for low, high in pairwise(BINS_DEGREES):
        cells = []
        for name, values in columns.items():
            right = [is_so for yaw, is_so in values if low <= yaw < high]
            cells.append(f"{name} {np.mean(right):.2f} of {len(right)}")
        print(f"right, |yaw| {low} to {high}: {'; '.join(cells)}")


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _search(
    frames: list[Frame],
    settings: DetectSettings,
    plan: SearchPlan,
    aspect: float = 1.0,
    detector: Detector | None = None,
) -> Iterator[tuple[Frame, Detections, np.ndarray]]:
    return detect_faces(
        iter(frames),
        detector or make_detector(settings.detector, settings.chosen_options),
        search=plan,
        work=SearchWork(),
        min_face_px=settings.min_face_px,
        min_face_share=settings.min_face_share,
        min_confidence=settings.min_confidence,
        pixel_aspect=aspect,
    )


def _largest(
    gray: np.ndarray, detector: Detector, settings: DetectSettings
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Box (4,), pose (3,) and roll by symmetry of the largest face that a search of the whole picture finds."""
    frame = Frame(0, 0, Fraction(1), 0.0, np.ascontiguousarray(gray), is_corrupt=False, is_full_range=True)
    _, found, _ = next(_search([frame], settings, SearchPlan(full_search_seconds=0), detector=detector))
    if not len(found.boxes):
        return None
    i = int((found.boxes[:, 2:] - found.boxes[:, :2]).prod(axis=1).argmax())
    crop = _crop(gray, found.boxes[i], detector, load_settings(environment={}).emotion.crop_margin)
    return found.boxes[i], found.pose[i], float(measure_face_quality(crop[None], UNKNOWN)[0, 2])


def _crop(gray: np.ndarray, box: np.ndarray, detector: Detector, margin: float) -> np.ndarray:
    shape = detector.box_shape
    return crop_faces(gray, box[None], side_px=48, margin=margin, is_full_range=True, box_shape=shape)[0]


if __name__ == "__main__":
    main()
