"""Videos that could not be analysed, remembered so that the next run does not fall over them again.

One small file each, `OUT/failed/<run folder>.json`. It counts for the same content, settings and version of fervid.
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
    """Write down why a video could not be analysed."""
    path = _path(job)
    make_folder(path.parent)
    now = utc_now()
    record = {"video": printable(job.path.absolute()), "status": result.status, "reason": printable(result.reason)}
    write_json(path, record | _key(job) | {"kind": type(result.error).__name__, "utc": now})


def recall(job: VideoJob) -> Result | None:
    """What an earlier run by the same method found out about a video that it could not analyse."""
    try:
        record: dict[str, Any] = json.loads(read_text(_path(job)))
    except (OSError, ValueError, RecursionError):
        return None
    key = _key(job)
    if not isinstance(record, dict):
        return None
    if record.get("status") not in (REJECTED, CRASHED) or {name: record.get(name) for name in key} != key:
        return None
    reason = f"{record.get('reason')} (found by an earlier run; --retry-failed tries again)"
    return Result(job.path, record["status"], reason=reason, was_there=True)


def forget(job: VideoJob) -> None:
    """Remove the record of a video, and the folder when it was the last."""
    with suppress(OSError):
        remove_file(_path(job))
        remove_if_empty(_path(job).parent)


def _path(job: VideoJob) -> Place:
    return job.folder.parent / FAILED / f"{job.folder.name}.json"


def _key(job: VideoJob) -> dict[str, str]:
    method = job.method
    return {"video_id": job.video_id, "observe_key": method.observe_key, "version": __version__}
