"""The tables of a run: their columns and types. Version 1."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from fervid.base.types import FACE_QUALITY
from fervid.run.manifest import SCHEMA_VERSION as SCHEMA_VERSION
from fervid.run.usable import UNSURE

FRAME_STATUSES = ("analysed", "corrupt")
ABSTAIN_REASONS = ("too_small", "dark", "bright", "blurred", "turned", "tilted", "low_quality", "static", UNSURE)


FRAME_MOTION = (
    ("speed", pa.float32()),
    ("camera_moves", pa.bool_()),
    ("agitation", pa.float32()),
    ("agitation_usual", pa.float32()),
    ("speed_grid", pa.list_(pa.float32())),
)
TIMELINE_MOTION = ("motion", "speed", "camera_moves", "agitation", "agitation_usual")
"""The columns of runs that measured motion."""


def frames_schema(*, has_motion: bool = False) -> pa.Schema:
    """One row per sampled frame, faces or not."""
    return pa.schema(
        [
            ("video_id", pa.dictionary(pa.int32(), pa.string())),
            ("frame", pa.int64()),
            ("pts", pa.int64()),
            ("time_s", pa.float64()),
            ("n_faces", pa.int32()),
            ("is_cut", pa.bool_()),
            ("brightness", pa.float32()),
            ("motion", pa.float32()),
            ("status", pa.dictionary(pa.int32(), pa.string())),
            *(FRAME_MOTION if has_motion else ()),
        ]
    )


def faces_schema(labels: Sequence[str], *, has_baseline: bool = False, has_readout: bool = False) -> pa.Schema:
    """One row per face: raw (p_) and smoothed (s_) probabilities, box in pixels of the displayed frame.

    With a baseline also the smoothed ones relative to the face's usual expression (b_), with a read-out also its own
    (r_), which decide the label.
    """
    return pa.schema(
        [
            ("video_id", pa.dictionary(pa.int32(), pa.string())),
            ("frame", pa.int64()),
            ("pts", pa.int64()),
            ("time_s", pa.float64()),
            ("track_id", pa.int32()),
            *((name, pa.float32()) for name in ("x", "y", "w", "h", "det_score", "quality", *FACE_QUALITY)),
            *((f"p_{label}", pa.float32()) for label in labels),
            *((f"s_{label}", pa.float32()) for label in labels),
            *((f"b_{label}", pa.float32()) for label in (labels if has_baseline else ())),
            *((f"r_{label}", pa.float32()) for label in (labels if has_readout else ())),
            ("label", pa.dictionary(pa.int32(), pa.string())),
            ("confidence", pa.float32()),
            ("margin", pa.float32()),
            ("abstain", pa.dictionary(pa.int32(), pa.string())),
        ]
    )


def answer_columns(labels: Sequence[str], *, has_readout: bool) -> list[str]:
    """The columns of `faces` that decide the label: smoothed, or read out over time where the run did so."""
    return [f"{'r' if has_readout else 's'}_{label}" for label in labels]


def answers_of(model: Mapping[str, Any]) -> list[str]:
    """The same for a run, from what its manifest says of its model."""
    return answer_columns(model["labels"], has_readout="readout_sha256" in model)


def tracks_schema(labels: Sequence[str]) -> pa.Schema:
    """One row per track; means are weighted by seconds."""
    return pa.schema(
        [
            ("video_id", pa.dictionary(pa.int32(), pa.string())),
            ("track_id", pa.int32()),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("n_faces", pa.int32()),
            *((f"mean_{label}", pa.float32()) for label in labels),
        ]
    )


def timeline_schema(labels: Sequence[str], *, has_motion: bool = False) -> pa.Schema:
    """One row per time bin. Means and shares are weighted by seconds, and null without a usable face."""
    return pa.schema(
        [
            ("video_id", pa.dictionary(pa.int32(), pa.string())),
            ("start_s", pa.float64()),
            ("end_s", pa.float64()),
            ("n_analysed", pa.int32()),
            ("observed_s", pa.float32()),
            ("coverage", pa.float32()),
            ("mean_faces", pa.float32()),
            ("n_tracks", pa.int32()),
            *((f"mean_{label}", pa.float32()) for label in labels),
            *((f"share_{label}", pa.float32()) for label in labels),
            *((name, pa.float32()) for name in (TIMELINE_MOTION if has_motion else ())),
        ]
    )
