"""Several steps as one, for where handing a task over is dear: all of a short video, several segments of a long one.

They run the steps of `analysis` one after the other and know nothing of how those work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter

from fervid.analysis import add_seconds, finish_video, observe_segment, plan_video
from fervid.batch.engine import Beat
from fervid.batch.job import Begun, Observed, Spent, VideoJob


def begin_video(job: VideoJob, memory_mib: int, *, beat: Beat | None = None) -> Begun:
    """Plan a video; observe and finish it too where at most one segment is to observe in `memory_mib` of memory."""
    started_utc, started = datetime.now(UTC).isoformat(timespec="seconds"), perf_counter()
    planned = plan_video(job, beat=beat)
    if len(planned.to_observe) > 1 or planned.memory_mib > memory_mib:
        return Begun(planned)
    observed = [observe_segment(job, planned.sealed, index, beat=beat) for index in planned.to_observe]
    seconds: dict[str, float] = {}
    for one in observed:
        add_seconds(seconds, one.stage_seconds)
    spent = Spent(started_utc, perf_counter() - started, seconds)
    summary = finish_video(job, planned.sealed, planned.n_reused, spent, beat=beat)
    return Begun(replace(planned, sealed=b""), tuple(observed), summary)


def observe_several(
    job: VideoJob, sealed: bytes, indices: Sequence[int], *, beat: Beat | None = None
) -> tuple[Observed, ...]:
    """Observe segments of a planned video; each is published when it is done."""
    return tuple(observe_segment(job, sealed, index, beat=beat) for index in indices)
