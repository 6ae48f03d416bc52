"""Finds the files with the tables of many runs: in their folders, or compacted. Reads manifests, runs no query."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from fervid.alerts.find.records import alerts_schema
from fervid.errors import InputError
from fervid.run.files import COMPACTED, MANIFEST, table_file
from fervid.run.find import Guard, marked_below, say_unfinished
from fervid.run.manifest import manifest_content
from fervid.run.moved import current_runs
from fervid.run.recorded import recorded_time
from fervid.run.schema import faces_schema, frames_schema, timeline_schema, tracks_schema
from fervid.run.tables import check_table, open_table
from fervid.storage.copies import Copies
from fervid.storage.place import Place, as_place, is_on_disk

KINDS = (MANIFEST, COMPACTED)
"""A folder with either holds tables: those of a run, or those that were compacted."""
LABEL_PREFIXES = ("p_", "s_", "b_", "r_", "mean_", "share_")
TABLES = ("frames", "faces", "tracks", "timeline", "alerts")
VIEWS = (*TABLES, "videos")
BEGAN = (pa.field("began", pa.timestamp("us")), pa.field("began_utc", pa.timestamp("us")))
"""When the recording of a row's run began: in compacted tables, from which the clock of the row is computed."""


NO_LABELS: Sequence[str] = ()
SCHEMAS = {
    "frames": frames_schema(),
    "faces": faces_schema(NO_LABELS),
    "tracks": tracks_schema(NO_LABELS),
    "timeline": timeline_schema(NO_LABELS),
    "alerts": alerts_schema(),
}
"""What each table has in every run, whatever its model."""
WITH_MOTION = {"frames": frames_schema(has_motion=True), "timeline": timeline_schema(NO_LABELS, has_motion=True)}
KNOWN_COLUMNS = {
    name: {column.name: column.type for column in schema} for name, schema in (SCHEMAS | WITH_MOTION).items()
}


@dataclass(frozen=True, slots=True)
class Sources:
    """Runs in folders of their own, and folders that `fervid compact` wrote."""

    runs: tuple[Path, ...] = ()
    compacted: tuple[Path, ...] = ()
    copies: tuple[Copies, ...] = ()
    """Local copies from object storage, made on demand."""
    _manifests: dict[Path, dict[str, Any]] = field(default_factory=dict)

    def files(self, table: str) -> list[tuple[Path, Path]]:
        """The Parquet files of a table in run folders, each with its run; a run without alerts has none.

        Raises InputError for a file that cannot be read, or does not match its run's settings.
        """
        runs = self.runs_with(table)
        for run in runs:
            check_table(run, self.manifest(run)["settings_hash"], table)
        return [(run / table_file(table), run) for run in runs]

    def runs_with(self, table: str) -> list[Path]:
        """The runs that have a table: all runs, or for alerts those with evaluated rules."""
        self._fetch(table)
        return [run for run in self.runs if table != "alerts" or (run / table_file(table)).is_file()]

    def open(self, run: Path, table: str) -> Any:
        """A table of a run, as a ParquetFile. Raises InputError like `files`."""
        return open_table(run, self.manifest(run)["settings_hash"], table)

    def compacted_files(self, table: str) -> list[Path]:
        """The Parquet files of a table in compacted folders."""
        self._fetch(table)
        files = [folder / table_file(table) for folder in self.compacted]
        return [path for path in files if path.is_file()]

    def place(self, run: Path) -> str:
        """The location of a run as the user gave it."""
        return next((str(copies.places[run]) for copies in self.copies if run in copies.places), str(run))

    def _fetch(self, table: str) -> None:
        for copies in self.copies:
            copies.fetch(table_file(table))

    def manifest(self, run: Path) -> dict[str, Any]:
        """The manifest of a run, read once. Raises InputError."""
        if run not in self._manifests:
            self._manifests[run] = manifest_content(run)
        return self._manifests[run]

    def began(self, run: Path) -> tuple[datetime | None, datetime | None]:
        """When the recording of a run began, as local time and in UTC, both without a zone; None where unknown."""
        moment = recorded_time(self.manifest(run)["video"], self.video_name(run))
        if moment is None:
            return None, None
        utc = None if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
        return moment.replace(tzinfo=None), utc

    def video_name(self, run: Path) -> str:
        """The file name of a run's video."""
        return Path(self.manifest(run)["video_path"]).name


def find_sources(names: Iterable[str | Path]) -> Sources:
    """Runs and compacted folders in `names` or below them, on disk or in object storage.

    Raises InputError for a name that has none.
    """
    runs: dict[Path, None] = {}
    compacted: dict[Path, None] = {}
    copies: list[Copies] = []
    for name in names:
        found = [(folder.resolve(), kind) for folder, kind in _look_into(as_place(name), copies)]
        if not found:
            raise InputError(f"{name} is not a run folder and contains none. Give one written by `fervid analyze`.")
        for folder, kind in found:
            (runs if kind == MANIFEST else compacted)[folder] = None
    return Sources(tuple(sorted(runs)), tuple(sorted(compacted)), tuple(copies))


def current_sources(sources: Sources, names: Iterable[str | Path]) -> tuple[Sources, int]:
    """The same without superseded runs, except those that `names` names themselves, and how many those are."""
    places = {str(as_place(name)) for name in names}
    named = [run for run in sources.runs if sources.place(run) in places]
    named += [place for name in places if is_on_disk(place := as_place(name))]
    current, superseded = current_runs(sources.runs, named)
    return replace(sources, runs=tuple(current)), len(superseded)


def sound_sources(sources: Sources, tables: Iterable[str], guarded: Guard) -> Sources:
    """The same without the runs that cannot be read, or whose `tables` are not what their columns say.

    `guarded` is told what is wrong with each. Raises InputError when no run is left of some.
    """
    tables = [name for name in tables if name in TABLES]
    sound = []
    for run in sources.runs:
        with guarded(run):
            check_manifest = _video_row(run, sources.manifest(run), sources.place(run))
            pa.Table.from_pylist([check_manifest], schema=videos_schema())
            for name in tables:
                if run in sources.runs_with(name):
                    _check_columns(run, name, sources.open(run, name).schema_arrow)
            sound.append(run)
    if sources.runs and not sound:
        raise InputError(f"none of {len(sources.runs)} runs can be read. Run `fervid verify` on them.")
    return replace(sources, runs=tuple(sound))


def _check_columns(run: Path, name: str, found: pa.Schema) -> None:
    """Raises InputError for a table whose columns are of other types than every version of fervid writes."""
    if len(set(found.names)) < len(found.names):
        raise InputError(f"{run / name}.parquet has two columns of one name. Analyse its video again.")
    for column in found:
        expected = KNOWN_COLUMNS[name].get(column.name)
        if expected is None and column.name.startswith(LABEL_PREFIXES):
            expected = pa.float32()
        if expected is not None and not _is_like(column.type, expected):
            raise InputError(f"{run / name}.parquet: {column.name} is {column.type}. Analyse its video again.")


def _is_like(found: pa.DataType, expected: pa.DataType) -> bool:
    """Whether values of one type are of the kind of the other: numbers, texts, truths or lists."""
    kinds = (
        lambda kind: pa.types.is_floating(kind) or pa.types.is_integer(kind),
        lambda kind: pa.types.is_string(kind.value_type if pa.types.is_dictionary(kind) else kind),
        pa.types.is_boolean,
        pa.types.is_list,
    )
    return pa.types.is_null(found) or any(is_kind(found) and is_kind(expected) for is_kind in kinds)


def _look_into(place: Place, copies: list[Copies]) -> Iterator[tuple[Path, str]]:
    if is_on_disk(place):
        unfinished: list[Path] = []
        yield from marked_below(place, KINDS, unfinished)
        say_unfinished(unfinished)
        return
    copies.append(Copies(place, KINDS))
    for folder in copies[-1].places:
        yield from marked_below(folder, KINDS)


def videos_table(sources: Sources) -> pa.Table:
    """One row per run: the video, how it was analysed, and a summary of the results."""
    rows = [_video_row(run, sources.manifest(run), sources.place(run)) for run in sources.runs]
    return pa.Table.from_pylist(rows, schema=videos_schema())


def videos_schema() -> pa.Schema:
    """The columns of the view `videos`."""
    return pa.schema(
        [
            *((name, pa.string()) for name in ("run", "video", "video_id", "path", "folder", "status")),
            ("duration_s", pa.float64()),
            ("start_time_s", pa.float64()),
            *((name, pa.string()) for name in ("recorded", "recorded_utc", "recorded_source")),
            ("width_px", pa.int64()),
            ("height_px", pa.int64()),
            ("codec", pa.string()),
            *((name, pa.int64()) for name in ("frames", "analysed", "failed", "n_faces", "n_tracks")),
            ("coverage", pa.float64()),
            ("dominant", pa.string()),
            ("peak_anger", pa.float64()),
            *((name, pa.string()) for name in ("model", "settings_hash", "runner", "finished_utc", "warnings")),
            ("superseded_by", pa.string()),
        ]
    )


def _video_row(run: Path, content: dict[str, Any], place: str) -> dict[str, Any]:
    video, ledger, results = content["video"], content["ledger"], content.get("results") or {}
    return {
        "run": run.name,
        "video": Path(content["video_path"]).name,
        "video_id": content["video_id"],
        "path": content["video_path"],
        "folder": place,
        "status": content["status"],
        "duration_s": video.get("duration_seconds"),
        "start_time_s": content["start_time_s"],
        **{name: video.get(name) for name in ("recorded", "recorded_utc", "recorded_source")},
        "width_px": video.get("width_px"),
        "height_px": video.get("height_px"),
        "codec": video.get("codec"),
        "frames": ledger.get("frames"),
        "analysed": ledger.get("analysed"),
        "failed": ledger.get("failed"),
        "n_faces": results.get("faces"),
        "n_tracks": results.get("tracks"),
        "coverage": results.get("coverage"),
        "dominant": results.get("dominant"),
        "peak_anger": (results.get("peak_anger") or {}).get("value"),
        "model": content["model"]["name"],
        "settings_hash": content["settings_hash"],
        "runner": content["runner"],
        "finished_utc": content["finished_utc"],
        "warnings": json.dumps(list(content["warnings"]), ensure_ascii=False),
        "superseded_by": content.get("superseded_by") or None,
    }
