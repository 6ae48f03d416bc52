"""`--dry-run`: what a batch would do. Durations and sizes are estimates from a sample of file headers."""

from __future__ import annotations

import json
from collections.abc import Sequence

from fervid.base.printable import one_line, printable
from fervid.batch.engine import Outcome, Task
from fervid.batch.job import VideoJob
from fervid.batch.run import Batch, open_engine, plan_batch
from fervid.storage.place import Place

SAMPLE = 64
"""Number of headers read; other durations are estimated from file sizes."""

MB_PER_HOUR_AT_5_FPS = 8.2
"""Size of tables and observations with one face all the time, from `benchmarks/storage.py`."""

MB = 1_000_000
USUAL_FRAME_RATE = 25.0


def print_plan(batch: Batch, *, as_json: bool) -> None:
    """Print each video with its planned action, and the totals at the end."""
    discovery = plan_batch(batch)
    jobs = list(discovery.jobs)
    for result in discovery.results:
        why = "done" if result.summary is not None else result.status
        _print_line(as_json, "skip", result.path, why if result.summary else printable(result.reason))
    for job in jobs:
        _print_line(as_json, "analyse", job.path, printable(job.folder))
    seconds = _estimate_seconds(batch, jobs, discovery.n_bytes)
    fps = batch.settings.video.sampling.frames_per_second(USUAL_FRAME_RATE)
    expected_mb = seconds / 3600 * MB_PER_HOUR_AT_5_FPS * fps / 5
    sums = {
        "analyse": len(jobs),
        "skip": len(discovery.results),
        "input_mb": round(discovery.n_bytes / MB, 1),
        "video_hours": round(seconds / 3600, 2),
        "expected_output_mb": round(expected_mb, 1),
    }
    if as_json:
        print(json.dumps(sums))
    else:
        print(
            f"{sums['analyse']} to analyse, {sums['skip']} to skip; {sums['input_mb']:,} MB, "
            f"about {sums['video_hours']:,} hours of video; results of about {sums['expected_output_mb']:,} MB "
            "with one face in view all the time"
        )


def _print_line(as_json: bool, action: str, path: Place, detail: str) -> None:
    name = printable(path)
    print(
        json.dumps({"action": action, "video": name, "detail": detail})
        if as_json
        else one_line(f"{action:8s}{name}: {detail}")
    )


def _estimate_seconds(batch: Batch, jobs: Sequence[VideoJob], n_bytes: int) -> float:
    """Hours of video of all jobs, from headers of a sample over all sizes, read by a worker process."""
    sample = jobs[:: max(1, len(jobs) // SAMPLE)]
    read_bytes = read_seconds = 0.0
    if not sample:
        return 0.0
    with open_engine(batch, sample[0].method) as engine:
        waiting = list(sample)
        while waiting or engine.n_running:
            while waiting and engine.n_running < engine.n_workers:
                engine.submit(Task("measure", (waiting.pop(),), batch.settings.batch.stall_seconds))
            for event in engine.wait():
                if isinstance(event, Outcome) and event.value is not None:
                    size, seconds = event.value
                    read_bytes += size
                    read_seconds += seconds
    return read_seconds * n_bytes / read_bytes if read_bytes else 0.0
