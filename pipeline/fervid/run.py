"""A finished run on disk: its folder, its manifest, its tables, and a summary for people and programs."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fervid.manifest import RunManifest, read_manifest

LABEL_OF_ALERTS = "angry"


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder. Tables are read when asked for, as Arrow tables (`.to_pandas()` for a DataFrame)."""

    folder: Path
    manifest: RunManifest
    was_there: bool = False
    """Whether the run had been made before, so that nothing was analysed for it."""

    @property
    def frames(self) -> pa.Table:
        """One row per analysed frame, faces or not."""
        return pq.read_table(self.folder / "frames.parquet")

    @property
    def faces(self) -> pa.Table:
        """One row per face: box, raw and smoothed probabilities, label, quality."""
        return pq.read_table(self.folder / "faces.parquet")

    @property
    def tracks(self) -> pa.Table:
        """One row per track."""
        return pq.read_table(self.folder / "tracks.parquet")

    @property
    def timeline(self) -> pa.Table:
        """One row per time bin, weighted by seconds."""
        return pq.read_table(self.folder / "timeline.parquet")

    def summary(self) -> dict[str, Any]:
        """The run in a few numbers, ready for JSON."""
        labels: list[str] = self.manifest.model["labels"]
        timeline, faces = self.timeline, self.faces
        observed = timeline["observed_s"].to_numpy().astype(float)
        coverage = np.nan_to_num(timeline["coverage"].to_numpy().astype(float))
        face_seconds = np.nan_to_num(timeline["mean_faces"].to_numpy().astype(float)) * observed
        shares = {
            label: float(
                np.nansum(timeline[f"share_{label}"].to_numpy().astype(float) * face_seconds) / face_seconds.sum()
            )
            for label in labels
            if face_seconds.sum() > 0
        }
        ledger = self.manifest.ledger
        return {
            "video": Path(self.manifest.video_path).name,
            "status": self.manifest.status,
            "duration_seconds": self.manifest.video["duration_seconds"],
            "frames_decoded": ledger.decoded,
            "frames_analysed": ledger.analysed,
            "frames_failed": ledger.failed,
            "faces": faces.num_rows,
            "tracks": self.tracks.num_rows,
            "coverage": float((coverage * observed).sum() / observed.sum()) if observed.sum() else 0.0,
            "shares": shares,
            "dominant": max(shares, key=lambda label: shares[label]) if shares else None,
            "peak_anger": _peak(faces, f"s_{LABEL_OF_ALERTS}") if LABEL_OF_ALERTS in labels else None,
            "elapsed_seconds": self.manifest.elapsed_seconds,
            "times_real_time": self.manifest.video["duration_seconds"] / max(1e-9, self.manifest.elapsed_seconds),
            "was_there": self.was_there,
            "warnings": list(self.manifest.warnings),
            "folder": str(self.folder),
            "files": sorted([*self.manifest.outputs, "manifest.json"]),
        }


def open_run(folder: str | Path) -> Run:
    """Open a run folder. Raises InputError when it is not a complete run."""
    return Run(Path(folder), read_manifest(Path(folder)))


def _peak(faces: pa.Table, column: str) -> dict[str, float] | None:
    """The largest smoothed value among usable faces, and when."""
    usable = np.array([reason != "low_quality" for reason in faces["abstain"].to_pylist()], bool)
    if not usable.any():
        return None
    values = np.where(usable, faces[column].to_numpy(), -1)
    row = int(values.argmax())
    return {
        "value": float(values[row]),
        "time_s": faces["time_s"][row].as_py(),
        "track_id": faces["track_id"][row].as_py(),
    }


def run_folder_name(path: Path, video_id: str) -> str:
    """A readable and safe folder name: the stem in plain letters, and the start of the id."""
    plain = unicodedata.normalize("NFKD", path.stem).encode("ascii", "ignore").decode()
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', plain).strip('-').lower()[:60].rstrip('-') or 'video'}-{video_id[:8]}"
