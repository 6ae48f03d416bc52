"""The faces of the battery's clips and stills, found once with the detector of some settings and kept in a cache.

Each face is kept as the region around its box, so that any crop margin up to REGION_MARGIN can be cut from it later.
Knows no model: what a network answers is asked for again each time.
"""

from __future__ import annotations

import csv
import hashlib
import json
import pickle
import re
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa

import fervid
from fervid.base.geometry import pad_boxes
from fervid.base.opencv import cv2
from fervid.base.types import Frame
from fervid.config import Settings
from fervid.detect import make_detector
from fervid.detect.plan import SearchPlan, SearchWork
from fervid.detect.stage import detect_faces
from fervid.emotion.crops import crop_faces
from fervid.observe.observations import THUMBNAIL, face_arrays, read_observations, read_thumbnails
from robustness import decode

REGION_MARGIN = 0.5
SURE = ("high", "medium")
CACHE_VERSION = 3


@dataclass(frozen=True)
class Region:
    """What lies around a face: gray uint8 (h, w), its range, and the shape of the detector's boxes; the face's box
    float32 (4,) and its landmarks float32 (5, 2) within it."""

    gray: np.ndarray
    box: np.ndarray
    is_full_range: bool
    box_shape: float
    landmarks: np.ndarray

    def crop(self, side_px: int, margin: float) -> np.ndarray:
        """The face as the program cuts it out, uint8 (S, S)."""
        assert margin <= REGION_MARGIN, margin
        (crop,) = crop_faces(
            self.gray,
            self.box[None],
            side_px=side_px,
            margin=margin,
            is_full_range=self.is_full_range,
            box_shape=self.box_shape,
        )
        return crop


@dataclass(frozen=True)
class Clip:
    """A labelled clip, its observations, and a region for each of their faces."""

    file: str
    emotion: str
    observations: pa.Table
    duration_seconds: float
    regions: tuple[Region, ...]

    @property
    def person(self) -> str:
        """Who is seen: the first number of the file names that have one, otherwise the file."""
        first, _, rest = self.file.partition("_")
        return f"{first} {rest[:2]}" if first == "jav" else self.file


@dataclass(frozen=True)
class Still:
    """A labelled photograph and its largest face, None where none is found."""

    file: str
    emotion: str
    region: Region | None

    @property
    def person(self) -> str:
        """Who is seen: files are named after people, and numbered."""
        return re.sub(r"_?\d+\.\w+$", "", self.file)

    @property
    def half(self) -> int:
        """0 or 1, the same for all photographs of a person."""
        return int(hashlib.sha256(self.person.encode()).hexdigest(), 16) % 2


def load_clips(folder: Path, settings: Settings, cache: Path) -> list[Clip]:
    """The clips of `labels.csv` (columns file, emotion, confidence) whose labels are sure."""

    def read() -> list[Clip]:
        return [_read_clip(folder, row, settings) for row in _rows(folder) if row["confidence"] in SURE]

    found: list[Clip] = _cached(cache, "clips", settings, folder, read)
    return found


def clips_of_people(clips: list[Clip]) -> dict[str, list[Clip]]:
    """The clips of each person who shows more than one emotion."""
    people: dict[str, list[Clip]] = {}
    for clip in clips:
        people.setdefault(clip.person, []).append(clip)
    return {person: own for person, own in people.items() if len({clip.emotion for clip in own}) > 1}


def load_stills(folder: Path, settings: Settings, emotions: tuple[str, ...], cache: Path) -> list[Still]:
    """The photographs of `labels.csv` (columns file, emotion) with one of these emotions."""

    def read() -> list[Still]:
        rows = [row for row in _rows(folder) if row["emotion"] in emotions]
        return [_read_still(folder, row, settings) for row in rows]

    found: list[Still] = _cached(cache, "stills", settings, folder, read)
    return found


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _cached(cache: Path, kind: str, settings: Settings, folder: Path, read):  # type: ignore[no-untyped-def]
    content = {
        "version": CACHE_VERSION,
        "detect": settings.detect.results_depend_on(),
        "video": settings.video.model_dump(mode="json"),
        "rows": _rows(folder),
    }
    key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]
    path = cache / f"{kind}-{settings.detect.detector}-{key}.pickle"
    if path.is_file():
        return pickle.loads(path.read_bytes())
    found = read()
    cache.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(found))
    return found


def _read_clip(folder: Path, row: dict[str, str], settings: Settings) -> Clip:
    """Analysed once for its boxes, and decoded again for what lies around them."""
    with tempfile.TemporaryDirectory() as out:
        run = fervid.analyze(folder / row["file"], out=out, settings=settings, plot=False, device="cpu")
        parts = sorted((run.folder / "observations").glob("*.parquet"))
        observations = pa.concat_tables([read_observations(part)[0] for part in parts])
        observations = observations.append_column(THUMBNAIL, pa.chunked_array(list(read_thumbnails(parts))))
        duration = run.manifest.video["duration_seconds"]
    faces = face_arrays(observations)
    pictures = decode(folder / row["file"], observations)
    shape = make_detector(settings.detect.detector, settings.detect.chosen_options).box_shape
    at_rows = zip(faces["row"].tolist(), faces["boxes"], faces["landmarks"], strict=True)
    regions = [_region(*pictures[at], box, points, shape) for at, box, points in at_rows]
    return Clip(row["file"], row["emotion"], observations, duration, tuple(regions))


def _read_still(folder: Path, row: dict[str, str], settings: Settings) -> Still:
    """The largest face that a search of the whole photograph finds."""
    gray = cv2.imread(str(folder / row["file"]), cv2.IMREAD_GRAYSCALE)
    detect = settings.detect
    detector = make_detector(detect.detector, detect.chosen_options)
    _, found, _ = next(
        detect_faces(
            iter([Frame(0, 0, Fraction(1), 0.0, gray, False, True)]),
            detector,
            search=SearchPlan(full_search_seconds=0),
            work=SearchWork(),
            min_face_px=detect.min_face_px,
            min_face_share=detect.min_face_share,
            min_confidence=detect.min_confidence,
            pixel_aspect=1.0,
        )
    )
    boxes = found.boxes
    if not len(boxes):
        return Still(row["file"], row["emotion"], None)
    largest = int((boxes[:, 2:] - boxes[:, :2]).prod(axis=1).argmax())
    region = _region(gray, True, boxes[largest], found.landmarks[largest], detector.box_shape)
    return Still(row["file"], row["emotion"], region)


def _region(gray: np.ndarray, is_full_range: bool, box: np.ndarray, landmarks: np.ndarray, box_shape: float) -> Region:
    """The part of a picture around a box. It ends where the picture does, so that crops repeat the same edges."""
    height, width = gray.shape
    x0, y0, x1, y1 = np.round(pad_boxes(box[None], REGION_MARGIN + 0.2, REGION_MARGIN + 0.05)[0]).astype(int)
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    x1, y1 = max(min(x1, width), x0 + 1), max(min(y1, height), y0 + 1)
    offset = np.array([x0, y0, x0, y0], np.float32)
    return Region(gray[y0:y1, x0:x1].copy(), box - offset, is_full_range, box_shape, landmarks - offset[:2])
