"""The input of exporters: a run's tables, its manifest's facts about the video, and its events. Decodes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from fervid.alerts.find.records import alerts_schema
from fervid.exports.events import Event, alert_events, expression_events
from fervid.interpret.build import FrameTiming
from fervid.run.files import table_file
from fervid.run.manifest import manifest_content
from fervid.run.schema import answers_of
from fervid.run.tables import read_table

TABLES = ("faces", "frames", "tracks", "timeline", "alerts")


@dataclass(frozen=True)
class RunTables:
    """A finished run. `table` is the one that the plain formats (csv, jsonl) write."""

    folder: Path
    manifest: dict[str, Any]
    table: str = "faces"

    @property
    def video(self) -> str:
        """File name of the video."""
        return Path(self.manifest["video_path"]).name

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.manifest["model"]["labels"])

    @cached_property
    def scores(self) -> dict[str, str]:
        """The column of faces.parquet that decides each label."""
        return dict(zip(self.labels, answers_of(self.manifest["model"]), strict=True))

    @property
    def duration_s(self) -> float:
        return float(self.manifest["video"]["duration_seconds"])

    @property
    def frame_rate(self) -> float:
        """Average frames per second; 0 if unknown."""
        return float(self.manifest["video"].get("average_frame_rate") or 0.0)

    @property
    def size_px(self) -> tuple[int, int]:
        """Width and height as displayed."""
        return int(self.manifest["video"]["width_px"]), int(self.manifest["video"]["height_px"])

    @cached_property
    def faces(self) -> list[dict[str, Any]]:
        """Rows of faces.parquet, in order of time."""
        rows: list[dict[str, Any]] = self.read("faces").to_pylist()
        return rows

    @cached_property
    def frames(self) -> list[dict[str, Any]]:
        """Rows of frames.parquet that were analysed, in order of time."""
        return [row for row in self.read("frames").to_pylist() if row["status"] != "corrupt"]

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Lasting expressions, and alerts if rules were evaluated, in order of start."""
        hold = float(self.manifest["settings"]["timeline"]["max_hold_seconds"])
        timing = FrameTiming.of(self.manifest["video"], self.manifest["settings"]["video"])
        found = expression_events(
            self.frames, self.faces, self.scores, end_s=self.duration_s, max_hold_seconds=hold, timing=timing
        )
        found += alert_events(self.read("alerts").to_pylist())
        return tuple(sorted(found, key=lambda event: (event.start_s, event.end_s, event.lane)))

    def read(self, table: str) -> pa.Table:
        """A table of the run; empty for alerts if no rules were evaluated. Raises InputError."""
        if table == "alerts" and not (self.folder / table_file(table)).is_file():
            return alerts_schema().empty_table()
        return read_table(self.folder, self.manifest["settings_hash"], table)


def open_tables(folder: Path, *, table: str = "faces") -> RunTables:
    """The tables of a run folder. Raises InputError when it is not a complete run."""
    return RunTables(folder, manifest_content(folder), table)
