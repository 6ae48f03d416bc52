"""Records of videos that could not be analysed, so that the next run skips them.

One small file each, `OUT/failed/<run folder>.json`. It applies to the same content, settings and version of fervid.
"""

# Decision BAT-6.

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from fervid.base.clock import utc_now
from fervid.base.printable import printable
from fervid.base.version import __version__
from fervid.batch.job import VideoJob
from fervid.batch.result import CRASHED, REJECTED, Result
from fervid.run.files import FAILED
from fervid.run.manifest import write_json
from fervid.storage.place import Place, make_folder, read_text, remove_file, remove_if_empty


def remember(job: VideoJob, result: Result) -> None:
    """Record why a video could not be analysed."""
    path = _path(job)
    make_folder(path.parent)
    now = utc_now()
    record = {"video": printable(job.path.absolute()), "status": result.status, "reason": printable(result.reason)}
    write_json(path, record | _key(job) | {"kind": type(result.error).__name__, "utc": now})


def recall(job: VideoJob) -> Result | None:
    """The failure of a video in an earlier run with the same method, if any."""
    try:
        record: dict[str, Any] = json.loads(read_text(_path(job)))
    except (OSError, ValueError, RecursionError):
        return None
    key = _key(job)
    if not isinstance(record, dict):
        return None
    if record.get("status") not in (REJECTED, CRASHED) or {name: record.get(name) for name in key} != key:
        return None
    reason = f"{record.get('reason')} (from an earlier run; --retry-failed tries again)"
    return Result(job.path, record["status"], reason=reason, was_there=True)


def forget(job: VideoJob) -> None:
    """Remove the record of a video, and the folder if it was the last one."""
    with suppress(OSError):
        remove_file(_path(job))
        remove_if_empty(_path(job).parent)


def _path(job: VideoJob) -> Place:
    return job.folder.parent / FAILED / f"{job.folder.name}.json"


def _key(job: VideoJob) -> dict[str, str]:
    method = job.method
    return {"video_id": job.video_id, "observe_key": method.observe_key, "version": __version__}
