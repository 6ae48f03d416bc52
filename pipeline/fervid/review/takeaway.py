"""What is taken from the page of a run: clips, stills, tables, evidence, explanations, each as a file of the run.

They are made one at a time, in a worker process with the caps and the sandbox of an analysis. The files are in the
run's folder `taken`, noted as derived from its tables; `taken.jsonl` keeps who took what and when.
"""

from __future__ import annotations

import io
import json
import logging
import re
import secrets
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow.csv

from fervid.alerts.find.samples import read_faces_between
from fervid.alerts.find.scan import scan_run
from fervid.alerts.language.rules import RuleSet, default_rules
from fervid.alerts.review.evidence import make_evidence
from fervid.alerts.review.reviews import account_name
from fervid.base.clock import clock, utc_now
from fervid.batch.apart import Apart
from fervid.errors import FervidError, InputError, OutputError
from fervid.privacy.audit import note_open_faces
from fervid.run.bad_values import BAD_VALUES, bad_values
from fervid.run.derived import note_derived, publish_derived
from fervid.run.files import TAKEN, TAKEN_LOG
from fervid.run.handle import Run
from fervid.storage.publish import append_synced
from fervid.video.writer import check_is_analysed

Kind = Literal["clip", "still", "table", "evidence", "explanation"]
Blur = Literal["all", "none"]

LONGEST_CLIP_SECONDS = 600.0
MOST_JOBS = 200
"""Whose outcome is remembered."""
OWN_NAME = re.compile(r"[\w.-]{1,120}\.(?:mp4|jpg|csv|zip|png)")
MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".jpg": "image/jpeg",
    ".csv": "text/csv",
    ".zip": "application/zip",
    ".png": "image/png",
}
PASSES = 2
"""A clip is read once to look for faces, once to be written."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted: of `start` to `end` seconds, of an alert, or of the face of a track at `start`."""

    kind: Kind
    start: float
    end: float
    alert_id: str | None = None
    track: int | None = None
    by: str = ""


@dataclass(slots=True)
class Job:
    """How far a wish has come: `share` 0..1; then the file's name, or the problem in words."""

    run: str
    wish: Wish
    share: float = 0.0
    state: Literal["waiting", "working", "done", "failed"] = "waiting"
    file: str = ""
    problem: str = ""
    passed: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """The pass over the video, and the last seconds that it reached."""

    def reach(self, seconds: float) -> None:
        """The worker has come so far, in the first or the second pass."""
        number, last = self.passed
        if seconds < last - 0.5 * (self.wish.end - self.wish.start) and number < PASSES - 1:
            number += 1
        self.passed[:] = number, seconds
        part = (seconds - self.wish.start) / max(1e-3, self.wish.end - self.wish.start)
        self.share = max(self.share, min(0.99, (number + min(1.0, max(0.0, part))) / PASSES))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"state": self.state, "share": self.share, "file": self.file, "problem": self.problem}


class TakeAway:
    """Makes what is wished for, one after the other. `rules` are those that evidence is found with; None
    takes those that `fervid alerts` would take.
    """

    def __init__(self, rules: RuleSet | None, *, blur: Blur = "all") -> None:
        self._rules, self._blur = rules, blur
        self._jobs: dict[str, Job] = {}
        self._thread = ThreadPoolExecutor(1)
        self._lock = threading.Lock()
        self.is_stopped = False

    def stop(self) -> None:
        """Begin nothing more."""
        self.is_stopped = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def begin(self, run: Run, name: str, wish: Wish) -> str:
        """Queue a wish; returns the name of its job. Raises InputError for one that cannot be."""
        _check(run, wish)
        job = Job(name, wish)
        key = secrets.token_urlsafe(9)
        with self._lock:
            self._jobs[key] = job
            while len(self._jobs) > MOST_JOBS:
                self._jobs.pop(next(iter(self._jobs)))
        self._thread.submit(self._work, run, job)
        return key

    def state(self, key: str) -> dict[str, Any]:
        """How far a job is. Raises InputError for an unknown one."""
        job = self._jobs.get(key)
        if job is None:
            raise InputError("this export is not known any more. Begin it again.")
        return job.to_json()

    def _work(self, run: Run, job: Job) -> None:
        job.state = "working"
        try:
            job.file = self._make(run, job)
            job.share, job.state = 1.0, "done"
        except FervidError as problem:
            job.problem, job.state = str(problem), "failed"
        except (OSError, *BAD_VALUES) as problem:
            log.warning("%s", error := bad_values(run.folder, problem))
            job.problem, job.state = str(error), "failed"

    def _make(self, run: Run, job: Job) -> str:
        wish = job.wish
        folder = run.folder / TAKEN
        if folder.is_symlink():
            raise OutputError(f"{folder} is a link. What is taken is kept in the run's own folder: remove the link.")
        folder.mkdir(exist_ok=True)
        name = _file_name(run, wish)
        target = folder / name
        if self._blur == "none" and wish.kind != "table":
            note_open_faces(run.folder, f"{wish.kind} with open faces", blur="none", file=name)
        makers: dict[str, Callable[[Run, Job, Path], None]] = {
            "clip": self._clip,
            "still": self._still,
            "table": self._table,
            "evidence": self._evidence,
            "explanation": self._explanation,
        }
        makers[wish.kind](run, job, target)
        _note(run, wish, name, "none" if wish.kind == "explanation" else self._blur)
        return name

    def _clip(self, run: Run, job: Job, target: Path) -> None:
        wish = job.wish
        with _worker(run) as apart:
            arguments = "clip", run, target, wish.start, wish.end, self._blur
            apart.run("cut", *arguments, video=_video(run), reached=job.reach)
        note_derived(run.folder, [target])

    def _still(self, run: Run, job: Job, target: Path) -> None:
        with _worker(run) as apart:
            apart.run("cut", "still", run, target, job.wish.start, self._blur, video=_video(run))
        note_derived(run.folder, [target])

    def _table(self, run: Run, job: Job, target: Path) -> None:
        columns = [name for name in run.faces.column_names if name != "video_id"]
        rows = read_faces_between(run, job.wish.start, job.wish.end, columns)
        written = io.BytesIO()
        pyarrow.csv.write_csv(rows, written)
        publish_derived(run.folder, {f"{TAKEN}/{target.name}": written.getvalue()})

    def _evidence(self, run: Run, job: Job, target: Path) -> None:
        rules = self._rules or default_rules(run.manifest.settings)
        found = scan_run(run, rules)
        records = [record for record in found.records if record.alert_id == job.wish.alert_id]
        if not records:
            raise InputError(
                f"{rules.source} does not find this alert: it was found with other rules. Serve the page with "
                "them (--rules)."
            )
        with (
            tempfile.TemporaryDirectory(prefix=".taken-", suffix=".part", dir=run.folder) as scratch,
            _worker(run) as apart,
        ):
            _, archive = make_evidence(found, records, Path(scratch), blur=self._blur, apart=apart, reached=job.reach)
        publish_derived(run.folder, {f"{TAKEN}/{target.name}": archive}, is_private=self._blur == "none")

    def _explanation(self, run: Run, job: Job, target: Path) -> None:
        from fervid.explain.image import write_explanation

        with _worker(run) as apart:
            explanation = apart.run("explain", run, job.wish.start, job.wish.track, None, video=_video(run))
        write_explanation(run, explanation, target)


def taken_file(run: Run, name: str) -> Path:
    """A file that was taken from a run, by its name. Raises InputError for one that is not there."""
    path = run.folder / TAKEN / name
    if not OWN_NAME.fullmatch(name) or path.is_symlink() or path.parent.is_symlink() or not path.is_file():
        raise InputError("this file is not there any more. Export it again.")
    return path


def taken_from(run: Run) -> list[dict[str, Any]]:
    """What was taken from a run, newest first, and whether each file is still there."""
    try:
        lines = (run.folder / TAKEN_LOG).read_text(errors="replace").splitlines()
    except OSError:
        return []
    entries = []
    for line in lines:
        try:
            entry = json.loads(line)
            kept = {key: entry[key] for key in ("time_utc", "by", "what", "start_s", "end_s", "alert_id", "file")}
            entries.append(kept | {"is_there": (run.folder / TAKEN / str(entry["file"])).is_file()})
        except (OSError, *BAD_VALUES):
            continue
    return entries[::-1]


def _check(run: Run, wish: Wish) -> None:
    duration = float(run.manifest.video["duration_seconds"])
    if not 0 <= wish.start <= wish.end or wish.start > duration:
        raise InputError(f"{wish.start:g} to {wish.end:g} s is no stretch of a video of {duration:g} s.")
    if wish.kind == "clip" and not 0 < wish.end - wish.start <= LONGEST_CLIP_SECONDS:
        raise InputError(f"a clip has up to {LONGEST_CLIP_SECONDS:g} s. Select a shorter stretch.")


def _file_name(run: Run, wish: Wish) -> str:
    """A name that says what is within: `interview-1a2b3c4d-clip-00-01-02.5-to-00-01-09.0.mp4`."""
    first, last = (clock(seconds).replace(":", "-") for seconds in (wish.start, wish.end))
    span = first if wish.kind in ("still", "explanation") else f"{first}-to-{last}"
    about = f"-{wish.alert_id}" if wish.alert_id else f"-track{wish.track}" if wish.track is not None else ""
    suffix = {"clip": "mp4", "still": "jpg", "table": "csv", "evidence": "zip", "explanation": "png"}[wish.kind]
    plain = re.sub(r"[^\w.-]", "-", run.folder.name, flags=re.ASCII)[:50]
    return f"{plain}-{wish.kind}-{span}{about}.{suffix}"


def _note(run: Run, wish: Wish, name: str, blur: str) -> None:
    """Append who took what and when to the log of the run."""
    entry = {
        "time_utc": utc_now(), "by": wish.by or account_name(), "what": wish.kind, "start_s": wish.start,
        "end_s": wish.end, "alert_id": wish.alert_id, "file": name, "blur": blur,
    }  # fmt: skip
    append_synced(run.folder / TAKEN_LOG, json.dumps(entry, ensure_ascii=False) + "\n")


def _worker(run: Run) -> Apart:
    """A worker process that may read the run's video and write into its folder."""
    check_is_analysed(_video(run), run.manifest.video_id, recorded_bytes=run.manifest.video_bytes)
    return Apart([_video(run)], [run.folder])


def _video(run: Run) -> Path:
    return Path(run.manifest.video_path)
