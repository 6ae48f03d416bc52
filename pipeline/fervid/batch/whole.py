"""Combined steps for expensive task dispatch: all of a short video, or several segments of a long one.

They run the `steps` one after the other and know nothing of how those work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

from fervid.base.clock import utc_now
from fervid.base.printable import one_line
from fervid.base.progress import SECONDS_OF_VIDEO, make_bar
from fervid.batch.context import BarHeartbeat, Context, Heartbeat
from fervid.batch.job import BeginResult, Elapsed, Observed, VideoJob
from fervid.batch.steps import draw_video, finish_video, observe_segment, plan_video


def begin_video(context: Context, job: VideoJob, memory_mib: int) -> BeginResult:
    """Plan a video; also observe and finish it if at most one segment is left and fits into `memory_mib` of memory."""
    started_utc, started = utc_now(), perf_counter()
    planned = plan_video(context, job)
    if len(planned.to_observe) > 1 or planned.memory_mib > memory_mib:
        return BeginResult(planned)
    observed = [observe_segment(context, job, planned.pickled_plan, index) for index in planned.to_observe]
    seconds: dict[str, float] = {}
    for one in observed:
        add_seconds(seconds, one.stage_seconds)
    spent = Elapsed(started_utc, perf_counter() - started, seconds)
    summary = finish_video(context, job, planned.pickled_plan, planned.n_reused, spent)
    return BeginResult(replace(planned, pickled_plan=b""), tuple(observed), summary)


def observe_several(
    context: Context, job: VideoJob, pickled_plan: bytes, indices: Sequence[int]
) -> tuple[Observed, ...]:
    """Observe segments of a planned video; each is published when done."""
    return tuple(observe_segment(context, job, pickled_plan, index) for index in indices)


def analyze_here(job: VideoJob, *, started_utc: str, started: float, is_shown: bool) -> None:
    """All steps of a video in this thread, with a progress bar if `is_shown`."""
    context = Context()
    planned = plan_video(context, job)
    seconds: dict[str, float] = {}
    bar = make_bar(
        planned.duration_seconds, description=one_line(job.path.name), counts=SECONDS_OF_VIDEO, is_shown=is_shown
    )
    with bar:
        context.heartbeat = BarHeartbeat(bar)
        for index in planned.to_observe:
            add_seconds(seconds, observe_segment(context, job, planned.pickled_plan, index).stage_seconds)
    context.heartbeat = Heartbeat()
    spent = Elapsed(started_utc, perf_counter() - started, seconds)
    finish_video(context, job, planned.pickled_plan, planned.n_reused, spent)
    if job.plot:
        draw_video(job)


def add_seconds(total: dict[str, float], more: dict[str, float]) -> None:
    """Add the seconds of each stage to a total."""
    for name, seconds in more.items():
        total[name] = total.get(name, 0.0) + seconds
