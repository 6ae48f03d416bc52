"""Turns the files on the command line into jobs: detects duplicates, finished, failed and growing files.

Reads files as bytes, and manifests; opens no video. Runs in the scheduling process.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Container, Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fervid.batch.failures import forget, recall
from fervid.batch.ids import Ids, result_of
from fervid.batch.job import Method, VideoJob
from fervid.batch.result import GROWING, REJECTED, SAME, Result
from fervid.errors import FervidError, InputError
from fervid.run.files import PLOT
from fervid.run.handle import RunFolders
from fervid.run.manifest import done_before, recordings_in
from fervid.run.moved import followed, supersede
from fervid.run.summary import summarise
from fervid.run.writing import writing
from fervid.storage.files import FileStatus, check_regular_file, file_status
from fervid.storage.place import Place, is_on_disk

LOOK_AGAIN_SECONDS = 0.2
FIRST_BYTES = 256 << 20
"""Files of this size in all are read at once; reading the others begins while the first are analysed."""
READ_AHEAD = 8
"""So many of the next files are read in other threads."""


@dataclass(frozen=True, slots=True)
class Handling:
    """How to handle videos with earlier results, and files that may still be growing."""

    overwrite: bool = False
    resume: bool = True
    retry_failed: bool = False
    plot: bool = True
    settle_seconds: float = 0.0
    verify: bool = False
    """Whether to read the files of existing results and compare their hashes."""


@dataclass(frozen=True, slots=True)
class _Growing:
    path: Place
    state: tuple[int, int]
    since: float


class Discovery:
    """The work of a batch: existing `results`, and jobs, longest first.

    Longest means largest: the duration is known only after opening. Files are read as a whole for their ids: those not
    known from earlier runs and beyond the first FIRST_BYTES in the background, when their turn comes nearer. Files
    modified within the last `settle_seconds` are deferred until they have not changed for that long; those that keep
    changing are skipped.
    """

    def __init__(
        self,
        out: Place,
        method_of: Callable[[Place], Method],
        handling: Handling,
        ids: Ids,
        people: Container[Place] = (),
        *,
        is_dry_run: bool = False,
    ) -> None:
        self.results: list[Result] = []
        self.on_result: Callable[[Result], None] = self.results.append
        self.on_person: Callable[[VideoJob, Result], None] = lambda _, result: self.results.append(result)
        """Called for recordings of people whose results stand."""
        self._people, self._is_dry_run = people, is_dry_run
        self.jobs: deque[VideoJob] = deque()
        self.n_bytes = 0
        self._unread: deque[tuple[Place, FileStatus]] = deque()
        self._growing: list[_Growing] = []
        self._folders = RunFolders(out)
        self._method_of, self._handling, self._ids = method_of, handling, ids
        self._by_inode: dict[tuple[int, int], Place] = {}
        self._by_id: dict[str, Place] = {}

    def look_at(self, videos: Iterable[Place], *, first_bytes: float = FIRST_BYTES) -> None:
        """Check every file once, in the given order, and read those of `first_bytes` in all."""
        files = [file for path in videos if (file := self._regular(path)) is not None]
        now: list[tuple[Place, FileStatus]] = []
        later: list[tuple[Place, FileStatus]] = []
        n_bytes = 0
        for path, status in files:
            n_bytes += 0 if (is_known := self._ids.is_known(path, status)) else status.n_bytes
            (now if is_known or n_bytes <= first_bytes or len(files) == 1 else later).append((path, status))
        self._ids.read_ahead(now)
        found = [(status.n_bytes, job) for path, status in now if (job := self._job(path, status)) is not None]
        found.sort(key=lambda item: -item[0])
        self.jobs.extend(job for _, job in found)
        self._unread.extend(sorted(later, key=lambda file: -file[1].n_bytes))
        self.n_bytes = sum(size for size, _ in found) + sum(status.n_bytes for _, status in later)

    @property
    def is_exhausted(self) -> bool:
        """Whether all jobs were returned."""
        return not self.jobs and not self._unread and not self._growing

    def take(self) -> VideoJob | None:
        """The next job; None if there is none, or none was read or has settled yet."""
        self._ids.read_ahead(islice(self._unread, READ_AHEAD))
        if self.jobs:
            return self.jobs.popleft()
        while self._unread:
            if not self._ids.is_read(*self._unread[0]):
                time.sleep(LOOK_AGAIN_SECONDS / 10)
                return None
            if (job := self._job(*self._unread.popleft())) is not None:
                return job
        for file in list(self._growing):
            if time.monotonic() - file.since < self._handling.settle_seconds:
                continue
            self._growing.remove(file)
            if _state(file.path) != file.state:
                reason = f"{file.path} is still growing. Run the same command again when it is complete."
                self.on_result(Result(file.path, GROWING, reason=reason))
                continue
            with suppress(OSError):
                job = self._job(file.path, file_status(file.path))
                if job is not None:
                    return job
        if self._growing:
            time.sleep(LOOK_AGAIN_SECONDS)
        return None

    def _regular(self, path: Place) -> tuple[Place, FileStatus] | None:
        """A file that can be examined now."""
        try:
            status = check_regular_file(path)
        except InputError as error:
            self.on_result(Result(path, REJECTED, reason=str(error), error=error))
            return None
        first = self._by_inode.setdefault((status.device, status.inode), path)
        if status.inode and first != path:
            self.on_result(Result(path, SAME, reason=f"{path} is the same file as {first}, which is analysed once."))
            return None
        settle = self._handling.settle_seconds
        if settle and abs(time.time() - status.modified_seconds) < settle:
            # Timed by our own clock: file timestamps may come from another machine's clock, or from before it was set.
            self._growing.append(_Growing(path, (status.n_bytes, status.modified_ns), time.monotonic()))
            return None
        return path, status

    def _job(self, path: Place, status: FileStatus) -> VideoJob | None:
        """The job for a file, unless its result already exists."""
        try:
            content = self._ids.id_of(path, status)
            video_id, folder, replaces = result_of(path, status, self._ids, self._folders)
        except OSError as problem:
            error = InputError(f"{path} cannot be read ({problem.strerror}). Check its disk.")
            self.on_result(Result(path, REJECTED, reason=str(error), error=error))
            return None
        self._ids.save(is_last=False)
        if (first := self._by_id.setdefault(content, path)) != path:
            self.on_result(
                Result(path, SAME, reason=f"{path} has the same content as {first}, which is analysed once.")
            )
            return None
        how, method = self._handling, self._method_of(path)
        is_of_person = path in self._people
        plot = how.plot and not is_of_person  # the second pass draws it
        resume = how.resume and not how.overwrite
        job = VideoJob(path, video_id, folder, method, resume, plot, replaces=replaces)
        if not how.overwrite:
            if is_of_person:  # whatever other recordings it was finished with: that is the second pass's concern
                method = method.of_person(recordings_in(folder))
            wanted = (PLOT,) if plot else ()
            done = done_before(folder, video_id, method, wanted=wanted, is_read=how.verify)
            if done is not None:
                done = done if self._is_dry_run else up_to_date(job, done, self._ids)
                summary = summarise(done, folder, was_there=True, others=(PLOT,) if how.plot else ())
                result = Result(path, done["status"], summary, was_there=True)
                if is_of_person:
                    self.on_person(job, result)
                else:
                    self.on_result(result)
                return None
            if not how.retry_failed and (failed := recall(job)) is not None:
                self.on_result(failed)
                return None
        if not self._is_dry_run:
            forget(job)
        return job


def up_to_date(job: VideoJob, done: dict[str, Any], ids: Ids) -> dict[str, Any]:
    """The manifest of a finished run after it followed its video; runs of what that replaced are marked.

    A start time that is stated now is in the plot too.
    """
    stated, before = job.method.settings.video, done["video"]
    for earlier in job.replaces:
        supersede(earlier, job.path, job.video_id)
    done = followed(job.folder, done, job.path, given=stated.start_time, zone=stated.time_zone, is_held=ids.is_held)
    if done["video"] != before and job.plot and is_on_disk(job.folder):
        from fervid.batch.steps import draw_video

        with suppress(FervidError), writing(job.folder, job.method.settings_hash):
            draw_video(job)
    return done


def _state(path: Place) -> tuple[int, int]:
    with suppress(OSError):
        status = file_status(path)
        return status.n_bytes, status.modified_ns
    return 0, 0
