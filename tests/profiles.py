"""Runs and profiles made by hand: tables whose figures can be worked out on paper."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fervid.profile.measure import measure_profile
from fervid.profile.profile import Profile

LABELS = ("angry", "fear", "happy", "sad", "neutral")
FPS = 10.0


def manifest(
    seconds: float, *, name: str = "clip.mp4", find_cuts: bool = True, status: str = "complete"
) -> dict[str, Any]:
    """The part of a manifest that a profile reads."""
    return {
        "schema_version": 1,
        "video_id": f"id-{name}",
        "video_path": f"/videos/{name}",
        "video": {"duration_seconds": seconds, "height_px": 200},
        "start_time_s": 0.0,
        "status": status,
        "settings_hash": "0123",
        "runner": "litert",
        "ledger": {},
        "warnings": [],
        "finished_utc": "",
        "outputs": {},
        "model": {"name": "made-up", "weights_sha256": "", "labels": list(LABELS)},
        "settings": {
            "video": {"start_seconds": 0.0, "end_seconds": None, "max_pixels": 10_000},
            "timeline": {"max_hold_seconds": 1.0},
            "track": {"find_cuts": find_cuts},
        },
    }


def times(seconds: float) -> np.ndarray:
    """Frames in the middle of their cells, so that cells begin and end at whole tenths."""
    return (np.arange(round(seconds * FPS)) + 0.5) / FPS


def tables(
    seconds: float,
    faces: Sequence[tuple[int, int, str]] = (),
    *,
    value: float = 0.8,
    reasons: Sequence[str | None] | None = None,
    cuts: Sequence[int] = (),
    brightness: float = 0.5,
    motion: float = 0.02,
    corrupt: Sequence[int] = (),
) -> tuple[pa.Table, pa.Table]:
    """The tables frames and faces. `faces` are (frame, track, largest label), its probability `value`."""
    n = round(seconds * FPS)
    rows = np.array([row for row, _, _ in faces], int)
    frames = pa.table(
        {
            "frame": np.arange(n),
            "time_s": times(seconds),
            "is_cut": np.isin(np.arange(n), cuts),
            "brightness": np.full(n, brightness, np.float32),
            "motion": pa.array([None, *[motion] * (n - 1)][:n], pa.float32()),
            "status": pa.array(["corrupt" if i in corrupt else "analysed" for i in range(n)]).dictionary_encode(),
        }
    )
    scores = np.full((len(faces), len(LABELS)), (1 - value) / (len(LABELS) - 1), np.float32)
    for i, (_, _, label) in enumerate(faces):
        scores[i, LABELS.index(label)] = value
    table = {
        "frame": rows,
        "time_s": times(seconds)[rows],
        "track_id": np.array([track for _, track, _ in faces], np.int32),
        **{side: np.full(len(faces), 50, np.float32) for side in "xywh"},
        "quality": np.ones(len(faces), np.float32),
        **{f"s_{label}": scores[:, i] for i, label in enumerate(LABELS)},
        "abstain": pa.array(reasons or [None] * len(faces), pa.string()).dictionary_encode(),
    }
    return frames, pa.table(table)


def profile(
    seconds: float, faces: Sequence[tuple[int, int, str]] = (), *, name: str = "clip.mp4", **more: Any
) -> Profile:
    """A profile measured from made-up tables."""
    about = {key: more.pop(key) for key in ("find_cuts", "status") if key in more}
    return measure_profile(*tables(seconds, faces, **more), manifest(seconds, name=name, **about))


def steady(seconds: float, label: str, *, until: float = 1.0, track: int = 0) -> list[tuple[int, int, str]]:
    """One face of one label from the start until a share of the video."""
    return [(i, track, label) for i in range(round(seconds * FPS * until))]


def mixture(rng: np.random.Generator, weights: dict[str, float], seconds: float = 12.0) -> list[tuple[int, int, str]]:
    """One face whose label changes once a second, drawn by weight."""
    names, p = list(weights), np.array(list(weights.values()))
    drawn = rng.choice(len(names), size=int(seconds), p=p / p.sum())
    return [(i, int(i / FPS), names[drawn[int(i / FPS)]]) for i in range(round(seconds * FPS))]


def write_run(folder: Path, seconds: float, faces: Sequence[tuple[int, int, str]] = (), **more: Any) -> Path:
    """A run folder with what a profile reads."""
    about = {key: more.pop(key) for key in ("find_cuts", "status") if key in more}
    folder.mkdir(parents=True)
    frames, found = tables(seconds, faces, **more)
    pq.write_table(frames, folder / "frames.parquet")
    pq.write_table(found, folder / "faces.parquet")
    content = manifest(seconds, name=f"{folder.name}.mp4", **about)
    (folder / "manifest.json").write_text(json.dumps(content), encoding="utf-8")
    return folder
