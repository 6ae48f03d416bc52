"""Applies rules to one run: its alerts, its suitability for alerts, and files of both. Decodes nothing."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from fervid.alerts.find.camera_history import CameraHistory, camera_history, camera_name
from fervid.alerts.find.clock import seconds_of_day
from fervid.alerts.find.finder import Finder, missing_names
from fervid.alerts.find.fitness import Fitness, judge_fitness
from fervid.alerts.find.machine import Alert
from fervid.alerts.find.records import DETAILS, AlertRecord, alerts_csv, alerts_table, make_record
from fervid.alerts.find.samples import (
    ROWS_AT_A_TIME,
    FrameTimes,
    measured_motion,
    read_faces_at,
    read_faces_between,
    read_frame_times,
    read_samples,
)
from fervid.alerts.language.rules import CAMERA_USUAL, GRID_NAME, BoundRule, RuleSet, bind
from fervid.errors import OutputError
from fervid.run.derived import publish_derived, remove_noted
from fervid.run.files import ALERTS_CSV, ALERTS_JSON, ALERTS_TABLE, BUNDLE, EVIDENCE
from fervid.run.find import find_run_folders
from fervid.run.handle import Run, open_run
from fervid.run.io import table_bytes
from fervid.run.recorded import recorded_time
from fervid.run.usable import usable_faces
from fervid.storage.publish import write_whole

READ_TOGETHER_SECONDS = 600.0
"""Moments of a run this close are looked up in one reading of its faces."""
WITHOUT_HOURS = "it depends on the time of day; recording time unknown, pass --start-time"
WITHOUT_MOTION = "it uses the motion of the image, which this run did not measure; analyse again with --preset cctv"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunAlerts:
    """What the rules found in one run, in order of start, and the run's suitability for alerts."""

    run: Run
    rules: RuleSet
    records: tuple[AlertRecord, ...]
    fitness: Fitness
    recorded: datetime | None
    """Local start time of the recording, if known."""
    silent_rules: tuple[str, ...]
    """Rules with hours that could not be evaluated, because the recording time is unknown."""
    rules_without_motion: tuple[str, ...] = ()
    """Rules that could not be evaluated, because the run did not measure the motion that they use."""
    history: CameraHistory | None = None
    """What of the camera was known, where a rule uses that."""

    @property
    def video(self) -> str:
        return video_name(self.run)

    @property
    def camera(self) -> str:
        return camera_name(self.run)

    def of_tier(self, tier: str) -> list[AlertRecord]:
        """The records of one tier."""
        return [record for record in self.records if record.tier == tier]

    def unevaluated(self) -> list[str]:
        """A sentence for each rule that was not evaluated."""
        return [f"rule {name} was not evaluated: {WITHOUT_HOURS}" for name in self.silent_rules] + [
            f"rule {name} was not evaluated: {WITHOUT_MOTION}" for name in self.rules_without_motion
        ]

    def to_json(self) -> dict[str, Any]:
        """Plain values for alerts.json and for --json."""
        return {
            "video": self.video,
            "video_id": self.run.manifest.video_id,
            "camera": self.camera,
            "recorded": None if self.recorded is None else self.recorded.isoformat(timespec="seconds"),
            "rules": self.rules.source,
            "rules_sha256": self.rules.sha256,
            "model": self.run.manifest.model["name"],
            "settings_hash": self.run.manifest.settings_hash,
            "fitness": self.fitness.to_json(),
            "rules_without_hours": list(self.silent_rules),
            "rules_without_motion": list(self.rules_without_motion),
            **({} if self.history is None else {"camera_history": self.history.to_json()}),
            "alerts": [record.to_json() for record in self.records],
        }


def find_runs(named: Sequence[str | Path]) -> list[Run]:
    """Runs from folders of runs and of folders of them. Raises InputError for one that holds no complete run."""
    return [open_run(folder) for folder in find_run_folders(named)]


def scan_run(
    run: Run,
    rules: RuleSet,
    *,
    recorded: datetime | None = None,
    rows_at_a_time: int = ROWS_AT_A_TIME,
) -> RunAlerts:
    """Run rules over the stored tables of a run.

    `recorded` is the local start time of the video; without it the file name is parsed. Memory grows with the video
    only by its list of frame times. Raises ConfigError for a rule that does not match the run's labels.
    """
    bound = bind(rules, run.manifest.model["labels"])
    recorded = recorded or recorded_time(run.manifest.video, video_name(run))
    frames = read_frame_times(run)
    pieces = read_samples(run, frames, names_of(bound), rows_at_a_time=rows_at_a_time)
    finder = make_finder(bound, rules, frames, recorded)
    for samples in pieces:
        finder.feed(samples)
    silent = tuple(b.rule.name for b in bound if b.rule.hours and recorded is None)
    unmeasured = without_motion(run, bound)
    records = records_of(run, bound, finder, frames, recorded)
    asks = any(CAMERA_USUAL in b.names and b.rule.name not in unmeasured for b in bound)
    history = camera_history(run) if asks else None
    return RunAlerts(run, rules, records, judge_fitness(run, frames), recorded, silent, unmeasured, history)


def without_motion(run: Run, bound: Sequence[BoundRule]) -> tuple[str, ...]:
    """The names of rules that use motion which a run did not measure."""
    measured = measured_motion(run)
    return tuple(b.rule.name for b in bound if missing_names(b, measured))


def records_of(
    run: Run, bound: Sequence[BoundRule], finder: Finder, frames: FrameTimes, recorded: datetime | None
) -> tuple[AlertRecord, ...]:
    """The alerts of a finder that was fed all samples of a run, in order of start."""
    found = [(b, alert) for b, alerts in zip(bound, finder.settled(), strict=True) for alert in alerts]
    return tuple(_records(run, found, frames, recorded))


def names_of(bound: Sequence[BoundRule]) -> list[str]:
    """The names that the expressions of rules use, and `GRID_NAME` where one asks where the image moves."""
    used: set[str] = set()
    for b in bound:
        used |= b.names | ({GRID_NAME} if b.needs_grid else set())
    return sorted(used)


def make_finder(bound: Sequence[BoundRule], rules: RuleSet, frames: FrameTimes, recorded: datetime | None) -> Finder:
    """A finder for the frames of one run."""
    return Finder(
        bound,
        rules.zones,
        spacing_seconds=frames.spacing_seconds,
        clock_seconds=None if recorded is None else seconds_of_day(recorded),
    )


def video_name(run: Run) -> str:
    """The name of the run's video, without its folder."""
    return Path(run.manifest.video_path).name


def write_alerts(found: RunAlerts) -> list[Path]:
    """Write alerts.parquet, alerts.json and alerts.csv into the run folder, each in one atomic step."""
    folder = found.run.folder
    metadata = {
        "schema_version": str(found.run.manifest.schema_version),
        "video_id": found.run.manifest.video_id,
        "model": found.run.manifest.model["name"],
        "settings_hash": found.run.manifest.settings_hash,
        "rules_sha256": found.rules.sha256,
    }
    contents = {
        ALERTS_TABLE: table_bytes(alerts_table(found.records), metadata),
        ALERTS_JSON: (json.dumps(found.to_json(), indent=2, ensure_ascii=False) + "\n").encode(),
        ALERTS_CSV: alerts_csv(found.records).encode(),
    }
    try:
        if _differs(folder / ALERTS_JSON, contents[ALERTS_JSON]):
            remove_evidence(folder)  # clips of other alerts must not be mistaken for these
        return publish_derived(folder, contents)
    except OSError as problem:
        raise OutputError(f"{folder} cannot be written ({problem.strerror}). Check its permissions.") from None


def remove_evidence(folder: Path) -> None:
    """Remove the evidence that fervid wrote into a run folder; files changed since are kept, with a warning."""
    kept = remove_noted(folder, lambda name: name == BUNDLE or name.startswith(f"{EVIDENCE}/")).changed
    if kept:
        log.warning("%s: kept beside newer alerts, because changed since written: %s", folder, ", ".join(kept[:3]))


def _differs(path: Path, content: bytes) -> bool:
    try:
        return path.read_bytes() != content
    except OSError:
        return True


def write_text(path: Path, text: str) -> None:
    """Write a text file in one atomic step."""
    write_whole(path, text.encode())


def _records(
    run: Run, found: Sequence[tuple[BoundRule, Alert]], frames: FrameTimes, recorded: datetime | None
) -> list[AlertRecord]:
    single = [(b, alert) for b, alert in found if b.rule.over == "face"]
    rows = read_faces_at(run, [alert.peak.peak_row for _, alert in single], DETAILS).to_pylist()
    details = {id(alert): row for (_, alert), row in zip(single, rows, strict=True)}
    groups = [float(frames.seconds[alert.peak.peak_row]) for b, alert in found if b.rule.over == "group"]
    tracks_at = _tracks_at(run, groups)
    records = []
    for b, alert in found:
        if b.rule.over == "group":
            tracks = tracks_at[float(frames.seconds[alert.peak.peak_row])]
        else:
            tracks = sorted({event.track_id for event in alert.events})
        records.append(
            make_record(
                b,
                alert,
                run,
                video=video_name(run),
                camera=camera_name(run),
                details=details.get(id(alert)),
                tracks=tracks,
                recorded=recorded,
            )
        )
    return sorted(records, key=lambda record: (record.start_s, record.rule))


def _tracks_at(run: Run, moments: Sequence[float]) -> dict[float, list[int]]:
    """The tracks with a usable face at moments that are times of frames; near ones are read together."""
    wanted, found = sorted(set(moments)), {}
    while wanted:
        near = [seconds for seconds in wanted if seconds - wanted[0] <= READ_TOGETHER_SECONDS]
        wanted = wanted[len(near) :]
        table = read_faces_between(run, near[0], near[-1], ["time_s", "track_id", "abstain"])
        is_used = usable_faces(table["abstain"])
        times, tracks = table["time_s"].to_numpy()[is_used], table["track_id"].to_numpy()[is_used]
        for seconds in near:
            found[seconds] = sorted(np.unique(tracks[times == seconds]).tolist())
    return found
