"""Run folders made by hand, for tests of alerts: scores and boxes as a test wants them, no video behind them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fervid.config import Settings
from fervid.run.files import MANIFEST
from fervid.run.handle import Run, open_run
from fervid.run.io import write_table
from fervid.run.manifest import SCHEMA_VERSION
from fervid.run.schema import faces_schema, frames_schema
from fervid.video.ledger import Ledger

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
WIDTH, HEIGHT = 640, 480


def face(seconds: float, track: int, angry: float, **other: Any) -> dict[str, Any]:
    """A face; `other` replaces any column."""
    rest = (1 - angry) / 2
    scores = dict.fromkeys(LABELS, 0.0) | {"angry": angry, "happy": rest, "neutral": rest}
    named = {f"{kind}_{label}": value for kind in "ps" for label, value in scores.items()}
    box = {"x": 100.0, "y": 100.0, "w": 80.0, "h": 80.0}
    looks = {"det_score": 0.9, "quality": 0.9, "sharpness": 0.8, "light": 0.5}
    looks |= {"roll_degrees": 0.0, "yaw_degrees": 0.0, "pitch_degrees": 0.0}
    judged = {"label": "angry", "confidence": angry, "margin": 0.5, "abstain": None}
    return {"time_s": seconds, "track_id": track} | box | looks | named | judged | other


def make_run(
    folder: Path,
    faces: Sequence[Mapping[str, Any]],
    frame_times: Sequence[float] | np.ndarray,
    *,
    video: str = "/footage/cam1/clip.mp4",
    corrupt: Sequence[int] = (),
    motion: Mapping[str, Sequence[Any]] | None = None,
) -> Run:
    """A run folder of `faces` (their times among `frame_times`), whose video need not be there.

    `motion` has columns of `FRAME_MOTION` for every frame; those that it lacks are null.
    """
    folder.mkdir(parents=True, exist_ok=True)
    times = np.asarray(frame_times, float)
    number = {seconds: i for i, seconds in enumerate(times.tolist())}
    rows = [
        {"video_id": "v", "frame": number[one["time_s"]], "pts": number[one["time_s"]], **one}
        for one in sorted(faces, key=lambda one: one["time_s"])
    ]
    counts = np.bincount([row["frame"] for row in rows], minlength=len(times))
    extra = {"brightness": 0.5, "motion": 0.0}
    frames = [
        {"video_id": "v", "frame": i, "pts": i, "time_s": t, "n_faces": int(counts[i]), "is_cut": False, **extra}
        | {"status": "corrupt" if i in corrupt else "analysed"}
        for i, t in enumerate(times.tolist())
    ]
    for name, values in (motion or {}).items():
        for frame, value in zip(frames, values, strict=True):
            frame[name] = value
    schemas = {
        "faces": (rows, faces_schema(LABELS)),
        "frames": (frames, frames_schema(has_motion=motion is not None)),
    }
    for name, (content, schema) in schemas.items():
        write_table(folder / f"{name}.parquet", pa.Table.from_pylist(content, schema=schema), {})
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.2
    manifest = {
        "video_id": "v",
        "video_path": video,
        "video_bytes": 1,
        "video": {"duration_seconds": float(times[-1]) + step if len(times) else 0.0, "width_px": WIDTH}
        | {"height_px": HEIGHT},
        "start_time_s": 0.0,
        "status": "complete",
        "settings": Settings(motion={"measure": motion is not None}).model_dump(mode="json"),  # type: ignore[arg-type]
        "settings_hash": "s",
        "observe_key": "o",
        "model": {"name": "m", "weights_sha256": "", "labels": list(LABELS)},
        "runner": "litert",
        "ledger": {name: getattr(Ledger(), name) for name in Ledger.__slots__},
        "unconfirmed_faces": 0,
        "warnings": [],
        "started_utc": "",
        "finished_utc": "",
        "elapsed_seconds": 1.0,
        "stage_seconds": {},
        "segments_reused": 0,
        "outputs": {},
        "schema_version": SCHEMA_VERSION,
        "versions": {},
    }
    (folder / MANIFEST).write_text(json.dumps(manifest))
    return open_run(folder)
