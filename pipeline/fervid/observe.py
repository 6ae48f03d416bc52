"""The first half: one segment of a video to its observations. Knows nothing of tracks, smoothing or timelines.

Observations are what decoding, detection and the CNN saw, one row a sampled frame, in one Parquet file a segment,
published by one atomic rename. They depend on the segment and the settings of this half alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fervid.config import Settings
from fervid.detect import detect_faces, make_detector
from fervid.emotion import make_classifier
from fervid.emotion.model import ModelInfo
from fervid.emotion.scoring import THUMBNAIL_PX, cut_out_faces, score_faces
from fervid.types import FaceScores, Segment, VideoInfo
from fervid.video.probe import PacketPlan
from fervid.video.reader import Ledger, read_frames

T = TypeVar("T")

ROWS_PER_GROUP = 512
LEDGER_KEY, OBSERVE_KEY = b"fervid.ledger", b"fervid.observe_key"

SCHEMA = pa.schema(
    [
        ("frame", pa.int64()),
        ("pts", pa.int64()),
        ("time_s", pa.float64()),
        ("is_corrupt", pa.bool_()),
        ("boxes", pa.list_(pa.float32())),
        ("confidence", pa.list_(pa.float32())),
        ("quality", pa.list_(pa.float32())),
        ("logits", pa.list_(pa.float32())),
        ("thumbnail", pa.binary(THUMBNAIL_PX[0] * THUMBNAIL_PX[1])),
    ]
)


@dataclass(slots=True)
class StageSeconds:
    """Wall seconds that the flow spent in each stage of this half, or waiting for it; stages overlap."""

    decode: float = 0.0
    detect: float = 0.0
    crop: float = 0.0
    classify: float = 0.0


class Observer:
    """Observes segments of one video, one after the other, with one classifier and a detector a thread."""

    def __init__(
        self, info: VideoInfo, plan: PacketPlan, settings: Settings, model: ModelInfo, *, runner: str, n_threads: int
    ) -> None:
        """Raises ConfigError or ModelError when the detector or the classifier cannot be made."""
        self.seconds = StageSeconds()
        self._info, self._plan, self._settings = info, plan, settings
        self._side_px = model.input_side_px
        self._n_threads = n_threads
        detect = settings.detect
        options = getattr(detect, detect.detector).model_dump() if hasattr(detect, detect.detector) else {}
        self._make_detector = partial(make_detector, detect.detector, options)
        self._make_detector()  # a wrong setting is said before anything is written
        self._classifier = make_classifier(runner, model, batch_size=settings.emotion.batch_size)

    def observe(self, segment: Segment, ledger: Ledger) -> Iterator[FaceScores]:
        """The scored faces of every sampled frame of a segment. Fills `ledger` and `self.seconds` as frames pass."""
        video, detect, emotion = self._settings.video, self._settings.detect, self._settings.emotion
        frames = read_frames(
            self._info.path,
            self._info,
            self._plan,
            segment,
            ledger,
            fps=video.fps,
            start_seconds=video.start_seconds,
            end_seconds=video.end_seconds,
            decoder_threads=video.decoder_threads,
            max_pixels=video.max_pixels,
        )
        detected = detect_faces(
            self._timed(frames, "decode"),
            self._make_detector,
            min_face_px=detect.min_face_px,
            min_face_share=detect.min_face_share,
            min_confidence=detect.min_confidence,
            pixel_aspect=_displayed_pixel_aspect(self._info),
            n_threads=self._n_threads,
        )
        cut = cut_out_faces(self._timed(detected, "detect"), side_px=self._side_px, margin=emotion.crop_margin)
        scored = score_faces(self._timed(cut, "crop"), self._classifier, batch_size=emotion.batch_size)
        return self._timed(scored, "classify")

    def _timed(self, items: Iterator[T], stage: str) -> Iterator[T]:
        """Pass items on; charge the time that `items` itself took, less what its sources were charged, to `stage`."""
        stages = list(StageSeconds.__slots__)
        upstream = stages[: stages.index(stage)]
        while True:
            before = sum(getattr(self.seconds, name) for name in upstream)
            started = perf_counter()
            try:
                item = next(items)
            except StopIteration:
                return
            finally:
                inner = sum(getattr(self.seconds, name) for name in upstream) - before
                spent = perf_counter() - started - inner
                setattr(self.seconds, stage, getattr(self.seconds, stage) + spent)
            yield item


def write_observations(path: Path, scored: Iterator[FaceScores], ledger: Ledger, *, observe_key: str) -> int:
    """Write a segment's observations to `path` in one atomic step; returns the rows written.

    The ledger, complete only when the last frame has passed, goes into a footer of the file.
    """
    partial = path.with_suffix(f".{os.getpid()}.part")
    n_rows = 0
    with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
        rows: list[FaceScores] = []
        for scores in scored:
            rows.append(scores)
            if len(rows) == ROWS_PER_GROUP:
                n_rows += len(rows)
                writer.write_table(_table(rows))
                rows = []
        n_rows += len(rows)
        writer.write_table(_table(rows))
        writer.add_key_value_metadata(
            {LEDGER_KEY: json.dumps(asdict(ledger)).encode(), OBSERVE_KEY: observe_key.encode()}
        )
    os.replace(partial, path)
    return n_rows


def read_observations(path: Path) -> tuple[pa.Table, Ledger]:
    """The rows and the ledger that `write_observations` stored."""
    table = pq.read_table(path)
    return table, Ledger(**json.loads(pq.read_metadata(path).metadata[LEDGER_KEY]))


def is_observed(path: Path, observe_key: str) -> bool:
    """Whether `path` holds complete observations made with the same video, settings and model."""
    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return metadata.get(OBSERVE_KEY) == observe_key.encode()


def _table(rows: list[FaceScores]) -> pa.Table:
    found = [scores.detections for scores in rows]
    columns = {
        "frame": [d.frame_index for d in found],
        "pts": [d.pts for d in found],
        "time_s": [d.pts_seconds for d in found],
        "is_corrupt": [d.is_corrupt for d in found],
        "boxes": [d.boxes.ravel() for d in found],
        "confidence": [d.confidence for d in found],
        "quality": [scores.quality for scores in rows],
        "logits": [scores.logits.ravel() for scores in rows],
        "thumbnail": [scores.thumbnail.tobytes() for scores in rows],
    }
    return pa.table(columns, schema=SCHEMA)


def _displayed_pixel_aspect(info: VideoInfo) -> float:
    """Width / height of a displayed pixel: a quarter turn turns the pixels too."""
    ratio = float(info.sample_aspect_ratio)
    return 1 / ratio if info.rotation_degrees % 180 else ratio


def face_arrays(table: pa.Table) -> dict[str, np.ndarray]:
    """The faces of observations as columns, one row a face; `row` is the row of its frame."""
    counts = pc.list_value_length(table["confidence"]).to_numpy()
    n = int(counts.sum())
    flat = {
        name: table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False).astype(np.float32)
        for name in ("boxes", "confidence", "quality", "logits")
    }
    return {
        "row": np.repeat(np.arange(table.num_rows), counts),
        "boxes": flat["boxes"].reshape(n, 4),
        "confidence": flat["confidence"],
        "quality": flat["quality"],
        "logits": flat["logits"].reshape(n, -1) if n else np.zeros((0, 0), np.float32),
    }
