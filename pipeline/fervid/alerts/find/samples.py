"""The samples that rules run on, read from the tables of a run in pieces. Knows nothing of rules."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fervid.alerts.find.camera_history import camera_history
from fervid.alerts.find.finder import Samples
from fervid.alerts.language.rules import CAMERA_USUAL, FRAME_NAMES, GRID_NAME, MOTION_NAMES, WITHOUT_SIGN
from fervid.base.spacing import usual_spacing
from fervid.base.types import FACE_QUALITY
from fervid.interpret.agitation import N_CELLS
from fervid.run.handle import Run
from fervid.run.tables import open_table, read_table
from fervid.run.usable import usable_faces

ROWS_AT_A_TIME = 262_144
"""Bounds memory, whatever the length of the video: about 20 MB for a dozen columns."""

CAMERA_MOVES = "camera_moves"
_OF_FRAMES = {*FRAME_NAMES, GRID_NAME}
_MADE_UP = {"track_seconds", "track_faces"}
_STORED = {"margin", "confidence", "quality", "det_score", *FACE_QUALITY}


@dataclass(frozen=True, slots=True)
class FrameTimes:
    """The analysed frames of a run: their numbers int64 (F,) and their times float64 (F,), ascending."""

    numbers: np.ndarray
    seconds: np.ndarray

    @property
    def spacing_seconds(self) -> float:
        """The typical time between two frames."""
        return usual_spacing(self.seconds)

    def part(self, begin: int, end: int) -> FrameTimes:
        """Some of them, by position."""
        return FrameTimes(self.numbers[begin:end], self.seconds[begin:end])


def read_frame_times(run: Run) -> FrameTimes:
    """The analysed frames of a run, without corrupt ones."""
    table = _analysed(run, ["frame", "time_s"])
    return FrameTimes(table["frame"].to_numpy(), table["time_s"].to_numpy())


def read_frame_motion(run: Run, names: Collection[str]) -> dict[str, np.ndarray]:
    """The motion of the analysed frames of a run, those of `names` that it measured, NaN where unknown.

    float64 (F,) each; `GRID_NAME` float16 (F, cells), as it was measured.
    """
    wanted = [name for name in (*MOTION_NAMES, CAMERA_MOVES, GRID_NAME) if name in names]
    if not wanted:
        return {}
    there = set(open_table(run.folder, run.manifest.settings_hash, "frames").schema_arrow.names)
    if CAMERA_USUAL in wanted:
        wanted = list(dict.fromkeys([*wanted, "agitation"]))
    table = _analysed(run, [name for name in wanted if name in there])
    found = {name: table[name].cast(pa.float64()).to_numpy() for name in wanted if name in there - {GRID_NAME}}
    if GRID_NAME in there & set(wanted):
        grids = table[GRID_NAME].combine_chunks()
        known = pc.is_valid(grids).to_numpy(zero_copy_only=False)
        grid = np.full((len(known), N_CELLS), np.nan, np.float16)
        grid[known] = grids.flatten().to_numpy().reshape(-1, N_CELLS)
        found[GRID_NAME] = grid
    if CAMERA_USUAL in wanted and "agitation" in found:
        found[CAMERA_USUAL] = camera_history(run).usual.rank(found["agitation"])
    return {name: values for name, values in found.items() if name in names}


def measured_motion(run: Run) -> set[str]:
    """The names of motion that a run has, for `missing_names`."""
    there = set(open_table(run.folder, run.manifest.settings_hash, "frames").schema_arrow.names)
    return there | ({CAMERA_USUAL} if "agitation" in there else set())


def _analysed(run: Run, columns: Sequence[str]) -> pa.Table:
    table = read_table(run.folder, run.manifest.settings_hash, "frames", [*columns, "status"])
    return table.filter(pc.equal(table["status"].cast(pa.string()), "analysed"))


def read_samples(
    run: Run, frames: FrameTimes, names: Collection[str], *, rows_at_a_time: int = ROWS_AT_A_TIME
) -> Iterator[Samples]:
    """The frames of a run with their faces, in pieces of whole frames; `names` are those that expressions use.

    Values that an older run did not store are NaN, so that every comparison with them is false.
    """
    labels = run.manifest.model["labels"]
    size = run.manifest.video["width_px"], run.manifest.video["height_px"]
    motion = read_frame_motion(run, names)
    file = open_table(run.folder, run.manifest.settings_hash, "faces")
    there = set(file.schema_arrow.names)
    behind = {name: column for name in names if (column := _column(name, labels, there)) is not None}
    stored = {name: column for name, column in behind.items() if column in there}
    wanted = ["frame", "track_id", "x", "y", "w", "h", "abstain", *sorted(set(stored.values()))]
    done = 0
    waiting: pa.Table | None = None
    for batch in file.iter_batches(batch_size=rows_at_a_time, columns=wanted):
        piece = pa.Table.from_batches([batch])
        if waiting is not None:
            # A frame may continue in the next batch: only frames before that batch's first one are complete.
            begins = piece["frame"][0].as_py()
            n_whole = int(np.searchsorted(waiting["frame"].to_numpy(), begins))
            until = int(np.searchsorted(frames.numbers, begins))
            if n_whole:
                moved = {name: values[done:until] for name, values in motion.items()}
                yield _samples(waiting.slice(0, n_whole), frames.part(done, until), names, stored, size, moved)
                done = until
            piece = pa.concat_tables([waiting.slice(n_whole), piece])
        waiting = piece
    if done < len(frames.numbers):
        rest = file.schema_arrow.empty_table().select(wanted) if waiting is None else waiting
        moved = {name: values[done:] for name, values in motion.items()}
        yield _samples(rest, frames.part(done, len(frames.numbers)), names, stored, size, moved)


def read_all_samples(run: Run, frames: FrameTimes, names: Collection[str]) -> Samples:
    """All frames of a run with their faces at once, as `read_samples` gives them in pieces."""
    pieces = list(read_samples(run, frames, names))
    if not pieces:
        none = {name: np.zeros(0, np.float32) for name in names if name not in _MADE_UP and name not in _OF_FRAMES}
        return Samples(frames.seconds, np.zeros(0, int), np.zeros(0, int), none, np.zeros(0, bool), np.zeros((0, 2)))
    begins = np.cumsum([0, *(len(piece.times) for piece in pieces)])
    return Samples(
        times=frames.seconds,
        frame_of_face=np.concatenate([p.frame_of_face + begin for p, begin in zip(pieces, begins, strict=False)]),
        track_ids=np.concatenate([piece.track_ids for piece in pieces]),
        columns={name: np.concatenate([piece.columns[name] for piece in pieces]) for name in pieces[0].columns},
        is_usable=np.concatenate([piece.is_usable for piece in pieces]),
        centres=np.concatenate([piece.centres for piece in pieces]),
        frame_columns={
            name: np.concatenate([piece.frame_columns[name] for piece in pieces]) for name in pieces[0].frame_columns
        },
    )


def read_faces_at(run: Run, rows: Sequence[int], columns: Sequence[str]) -> pa.Table:
    """Some faces of a run by their row numbers, in the order given. Reads only the row groups needed."""
    file = open_table(run.folder, run.manifest.settings_hash, "faces")
    sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    first_rows = np.concatenate([[0], np.cumsum(sizes)])
    groups = sorted({int(np.searchsorted(first_rows, row, side="right")) - 1 for row in rows})
    if not groups:
        return file.schema_arrow.empty_table().select(list(columns))
    table = file.read_row_groups(groups, columns=list(columns))
    offsets = dict(zip(groups, np.concatenate([[0], np.cumsum([sizes[g] for g in groups])]).tolist(), strict=False))
    group_of = [int(np.searchsorted(first_rows, row, side="right")) - 1 for row in rows]
    return table.take([offsets[g] + row - int(first_rows[g]) for g, row in zip(group_of, rows, strict=True)])


def read_faces_between(run: Run, start: float, end: float, columns: Sequence[str]) -> pa.Table:
    """The faces of a run with start <= time_s <= end."""
    return read_table(run.folder, run.manifest.settings_hash, "faces", columns, between=(start, end))


def _column(name: str, labels: Sequence[str], there: Collection[str]) -> str | None:
    """The stored column of a name in the rule language; None if it is computed."""
    if name in labels:
        return f"s_{name}"
    if name.startswith("raw_") and name.removeprefix("raw_") in labels:
        return f"p_{name.removeprefix('raw_')}"
    if name.startswith("relative_") and (label := name.removeprefix("relative_")) in labels:
        return f"b_{label}" if f"b_{label}" in there else f"s_{label}"
    if name.startswith("readout_") and (label := name.removeprefix("readout_")) in labels:
        return next(column for column in (f"r_{label}", f"b_{label}", f"s_{label}") if column in (*there, f"s_{label}"))
    return name if name in _STORED else None


def _samples(
    rows: pa.Table,
    frames: FrameTimes,
    names: Collection[str],
    stored: dict[str, str],
    size: tuple[int, int],
    motion: dict[str, np.ndarray],
) -> Samples:
    width, height = size
    x, y, w, h = (rows[name].to_numpy() for name in ("x", "y", "w", "h"))
    columns: dict[str, np.ndarray] = {}
    for name in names:
        if name in stored:
            values = rows[stored[name]].to_numpy()
            columns[name] = np.abs(values) if name in WITHOUT_SIGN else values
        elif name == "face_px":
            columns[name] = np.minimum(w, h)
        elif name == "face_share":
            columns[name] = h / height
        elif name not in _MADE_UP and name not in _OF_FRAMES:
            columns[name] = np.full(rows.num_rows, np.nan, np.float32)
    return Samples(
        times=frames.seconds,
        frame_of_face=np.searchsorted(frames.numbers, rows["frame"].to_numpy()),
        track_ids=rows["track_id"].to_numpy(),
        columns=columns,
        is_usable=usable_faces(rows["abstain"]),
        centres=np.stack([(x + w / 2) / width, (y + h / 2) / height], axis=1),
        frame_columns=motion,
    )
