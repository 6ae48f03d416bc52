"""Records a live view as a run: the same tables as an analysis, segment by segment. Stores no images.

Each segment of `video.segment_seconds` is published by one atomic rename when it ends, with the data needed to finish
the run later, so that a killed process loses only the last segment.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import perf_counter
from typing import Any

import pyarrow as pa

from fervid.base.clock import utc_now
from fervid.base.spacing import usual_spacing
from fervid.base.types import FaceScores, VideoInfo
from fervid.batch.job import Method, VideoJob
from fervid.batch.steps import draw_video, read_all, table_metadata, write_tables
from fervid.errors import InputError, OutputError, OutputInUse
from fervid.interpret.whole import interpret
from fervid.live.address import name_of
from fervid.live.session import LiveSession, Moment
from fervid.observe.observations import read_thumbnails, write_observations
from fervid.run.files import OBSERVATIONS, RECORDING, segment_file, table_file
from fervid.run.handle import Run, open_run, run_folder_name
from fervid.run.manifest import RunManifest, video_record, write_json
from fervid.run.summary import results_in_numbers
from fervid.storage.lock import Lock, locked
from fervid.video.ledger import Ledger

log = logging.getLogger(__name__)

LONGEST_NAME = 32
"""Of a folder's name, so that the time after it is not cut off."""
LONGEST_SECONDS = 3600.0
"""A longer recording continues in a new run, so that memory stays bounded by an hour's."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """The counters of a session at some moment."""

    captured: int
    bad_packets: int
    clock_jumps: int


class Recorder:
    """Records a session into run folders below `out`. Use it as a context: leaving it finishes the last run."""

    def __init__(
        self, out: Path, session: LiveSession, *, longest_seconds: float = LONGEST_SECONDS, plot: bool = True
    ) -> None:
        self.folders: list[Path] = []
        """The runs so far; the last one is finished when the context is left."""
        self._out, self._session, self._longest, self._plot = out, session, longest_seconds, plot
        self._rows: list[FaceScores] = []
        self._folder: Path | None = None
        self._lock: Lock | None = None
        self._began = self._segment_began = 0.0
        self._n_segments = 0
        self._counted = _Counts(0, 0, 0)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.finish()

    def add(self, moment: Moment) -> None:
        """Record a moment. Raises OutputError on a write error."""
        if self._folder is not None and moment.seconds - self._began >= self._longest:
            self.finish()
        if self._folder is None:
            self._begin(moment)
        elif moment.seconds - self._segment_began >= self._session.method.settings.video.segment_seconds:
            self._publish()
            self._segment_began = moment.seconds
        self._rows.append(moment.scores)

    def finish(self) -> Run | None:
        """Publish what is left and write tables and manifest; None when nothing was recorded since the last call."""
        if self._folder is None:
            return None
        folder, self._folder = self._folder, None
        try:
            self._publish(folder)
            return finish_recording(folder, self._session.method, plot=self._plot)
        finally:
            if self._lock is not None:
                self._lock.release()

    def _begin(self, moment: Moment) -> None:
        session, info = self._session, self._session.capture.info
        assert info is not None
        name = name_of(session.address).replace(".", "-").replace("/", "-")[:LONGEST_NAME]
        began = moment.utc.isoformat(timespec="milliseconds")
        video_id = hashlib.sha256(f"{session.address.shown} {began}".encode()).hexdigest()[:32]
        folder = self._out / run_folder_name(Path(f"{name}-{moment.utc:%Y%m%d-%H%M%S}"), video_id)
        notes = {
            "video_id": video_id,
            "source": session.address.shown,
            "began_utc": began,
            "settings_hash": session.method.settings_hash,
            "width_px": moment.width_px,
            "height_px": moment.height_px,
            "frame_rate": info.frame_rate,
            "time_base": str(info.time_base),
            "codec": info.codec,
            "container": info.container,
            "pixel_aspect": moment.pixel_aspect,
        }
        try:
            (folder / OBSERVATIONS).mkdir(parents=True, exist_ok=True)
            write_json(folder / RECORDING, notes)
        except OSError as problem:
            raise OutputError(
                f"{folder} cannot be written ({problem.strerror}). Give another folder with --record."
            ) from None
        self._lock = Lock(folder)
        self._folder = folder
        self.folders.append(folder)
        self._began = self._segment_began = moment.seconds
        self._n_segments = 0
        self._counted = self._counts(moment.index)

    def _counts(self, captured: int) -> _Counts:
        status = self._session.capture.status
        return _Counts(captured, status.bad_packets, status.clock_jumps)

    def _publish(self, folder: Path | None = None) -> None:
        """Write the finished segment: its rows, and the fate of every captured frame."""
        folder = folder or self._folder
        assert folder is not None
        if not self._rows:
            return
        now = self._counts(self._rows[-1].detections.frame_index + 1)
        failed = sum(scores.detections.is_corrupt for scores in self._rows)
        captured = now.captured - self._counted.captured
        ledger = Ledger(
            frames=captured,
            decoded=captured,
            analysed=len(self._rows) - failed,
            skipped=captured - len(self._rows),
            failed=failed,
            packets=captured + now.bad_packets - self._counted.bad_packets,
            bad_packets=now.bad_packets - self._counted.bad_packets,
            clock_jumps=now.clock_jumps - self._counted.clock_jumps,
        )
        path = segment_file(folder, self._n_segments)
        try:
            method = self._session.method
            has_flow = method.settings.motion.measure
            write_observations(path, iter(self._rows), ledger, observe_key=method.observe_key, has_flow=has_flow)
        except OSError as problem:
            raise OutputError(f"{path} cannot be written ({problem.strerror}). Free some space.") from None
        self._rows, self._counted = [], now
        self._n_segments += 1


def finish_left_over(out: Path, method: Method) -> list[Run]:
    """Finish the recordings below `out` whose processes ended before they could: what they published is a run then.

    Left alone are those of other settings, those without a complete stretch, and those that are being recorded now.
    """
    finished = []
    for notes in sorted(out.glob(f"*/{RECORDING}")):
        try:
            with locked(notes.parent):
                finished.append(finish_recording(notes.parent, method))
        except (InputError, OutputInUse) as problem:
            log.warning("%s", problem)
    return finished


# Decision LIV-2.
def finish_recording(folder: Path, method: Method, *, plot: bool = True) -> Run:
    """Write tables and manifest of a recording from its published segments.

    Raises InputError when it holds none, or was made with other settings.
    """
    started = perf_counter()
    try:
        notes: dict[str, Any] = json.loads((folder / RECORDING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(f"{folder} has no recording to finish (no {RECORDING}). Give the folder of one.") from None
    if notes["settings_hash"] != method.settings_hash:
        raise InputError(f"{folder} was recorded with other settings. Give the same options as then.")
    pieces = sorted((folder / OBSERVATIONS).glob(table_file("*")))
    if not pieces:
        raise InputError(f"{folder} has no complete segment of a recording, so it cannot be finished. Remove it.")
    recorded, ledger, hashes = read_all(list(pieces))
    observations = _from_zero(recorded)
    info = _video_info(notes, observations)
    model, labels = method.model, list(method.model.labels)
    job = VideoJob(Path(notes["source"]), notes["video_id"], folder, method)
    made = interpret(
        observations,
        method.settings,
        model,
        video_id=job.video_id,
        duration_seconds=info.duration_seconds,
        thumbnails=read_thumbnails(pieces),
    )
    outputs = write_tables(folder, made, table_metadata(job, info.time_base, info.start_time_seconds))
    lost = _loss_in_words(ledger)
    manifest = RunManifest(
        video_id=job.video_id,
        video_path=_path_text(notes["source"]),
        video_bytes=0,
        video=video_record(info) | {"is_live": True, "began_utc": notes["began_utc"]},
        start_time_s=0.0,
        status="partial" if lost else "complete",
        **method.record(),
        ledger=ledger,
        unconfirmed_faces=made.n_unconfirmed_faces,
        warnings=lost,
        started_utc=notes["began_utc"],
        finished_utc=utc_now(),
        elapsed_seconds=info.duration_seconds,
        stage_seconds={"interpret": perf_counter() - started},
        segments_reused=0,
        outputs={name: file.sha256 for name, file in outputs.items()},
        output_bytes={name: file.n_bytes for name, file in outputs.items()},
        observations=hashes,
        results=results_in_numbers(made.timeline, made.faces, made.tracks, labels),
    )
    manifest.write(folder)
    (folder / RECORDING).unlink()
    if plot:
        draw_video(job)
    return open_run(folder)


def _loss_in_words(ledger: Ledger) -> tuple[str, ...]:
    """What the source sent and could not be used; frames skipped for newer ones are not a loss."""
    lost = []
    if ledger.bad_packets:
        lost.append(f"{ledger.bad_packets} of {ledger.packets} packets could not be decoded")
    if ledger.failed:
        lost.append(f"{ledger.failed} frames were damaged and not classified")
    return tuple(lost)


def _path_text(source: str) -> str:
    """A file by its absolute path, as in every manifest; an address as it is, without secrets."""
    return str(Path(source).absolute()) if Path(source).is_file() else source


def _from_zero(observations: pa.Table) -> pa.Table:
    """Times and frame numbers of this recording alone: it may have begun long after its session."""
    times = observations["time_s"].to_numpy()
    frames = observations["frame"].to_numpy()
    observations = observations.set_column(
        observations.schema.get_field_index("time_s"), "time_s", pa.array(times - times[0])
    )
    return observations.set_column(observations.schema.get_field_index("frame"), "frame", pa.array(frames - frames[0]))


def _video_info(notes: dict[str, Any], observations: pa.Table) -> VideoInfo:
    times = observations["time_s"].to_numpy()
    frames = observations["frame"].to_numpy()
    spacing = usual_spacing(times) or 1 / notes["frame_rate"]
    duration = float(times[-1]) + spacing
    return VideoInfo(
        path=Path(notes["source"]),
        width_px=notes["width_px"],
        height_px=notes["height_px"],
        average_frame_rate=(float(frames[-1]) + 1) / duration,
        is_variable_rate=True,
        duration_seconds=duration,
        start_time_seconds=0.0,
        time_base=Fraction(notes["time_base"]),
        codec=notes["codec"],
        container=notes["container"],
        rotation_degrees=0,
        sample_aspect_ratio=Fraction(notes["pixel_aspect"]).limit_denominator(1000),
        time_source="pts",
    )
