"""The steps by name, for engines: names are passed to other processes, and a step's imports happen when it runs.

The scheduling process imports none of OpenCV, PyAV and LiteRT.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fervid.batch.context import Context
from fervid.batch.job import BeginResult, Elapsed, Observed, Planned, Summary, VideoJob

if TYPE_CHECKING:
    from pathlib import Path

    from fervid.interpret.baseline import Shifts
    from fervid.run.handle import Run
    from fervid.storage.place import Place


# Decision PAC-5.
def _measure(context: Context, job: VideoJob) -> tuple[int, float]:  # noqa: ARG001
    from fervid.batch.steps import measure_video

    return measure_video(job)


def _begin(context: Context, job: VideoJob, memory_mib: int) -> BeginResult:
    from fervid.batch.whole import begin_video

    return begin_video(context, job, memory_mib)


def _plan(context: Context, job: VideoJob) -> Planned:
    from fervid.batch.steps import plan_video

    return plan_video(context, job)


def _observe(context: Context, job: VideoJob, pickled_plan: bytes, index: int) -> Observed:
    from fervid.batch.steps import observe_segment

    return observe_segment(context, job, pickled_plan, index)


def _observe_several(
    context: Context, job: VideoJob, pickled_plan: bytes, indices: Sequence[int]
) -> tuple[Observed, ...]:
    from fervid.batch.whole import observe_several

    return observe_several(context, job, pickled_plan, indices)


def _finish(context: Context, job: VideoJob, pickled_plan: bytes, n_reused: int, spent: Elapsed) -> Summary:
    from fervid.batch.steps import finish_video

    return finish_video(context, job, pickled_plan, n_reused, spent)


def _measure_person(context: Context, jobs: tuple[VideoJob, ...]) -> Shifts:
    from fervid.batch.shared_baseline import measure_person

    return measure_person(context, jobs)


def _draw(context: Context, job: VideoJob) -> None:  # noqa: ARG001
    from fervid.batch.steps import draw_video

    draw_video(job)


def _tabulate(context: Context, rows: Place, labels: list[str]) -> None:  # noqa: ARG001
    from fervid.batch.report import write_batch_table

    write_batch_table(rows, labels)


def _annotate(context: Context, run: Run, target: Path, span: tuple[float, float], options: dict[str, Any]) -> None:
    from fervid.annotate.video import annotate_span
    from fervid.video.bar import Reached

    reached = Reached()
    context.heartbeat.follow(reached.reading)
    annotate_span(run, target, span, options, reached=reached)


def _evidence(context: Context, *arguments: Any) -> Any:
    from fervid.alerts.review.evidence import write_files
    from fervid.video.bar import Reached

    reached = Reached()
    context.heartbeat.follow(reached.reading)
    return write_files(*arguments, reached=reached)


def _stills(context: Context, folder: Path, profile: Any, blur: Any) -> Any:  # noqa: ARG001
    from fervid.profile.stills import take_stills

    return take_stills(folder, profile, blur=blur)


def _cut(context: Context, what: str, *arguments: Any) -> str | None:
    from fervid.alerts.review.stretch import cut_clip, cut_still
    from fervid.video.bar import Reached

    reached = Reached()
    context.heartbeat.follow(reached.reading)
    if what == "clip":
        return cut_clip(*arguments, reached=reached)
    cut_still(*arguments, reached=reached)
    return None


def _explain(context: Context, run: Run, seconds: float, track: int | None, label: str | None) -> Any:  # noqa: ARG001
    from fervid.explain.face import explain_face

    return explain_face(run, seconds, track_id=track, label=label)


def _preview_clip(context: Context, run: Run, target: Path, start: float, end: float, blur: Any) -> None:
    from fervid.alerts.review.preview_frames import make_clip

    make_clip(run, target, start, end, blur=blur, reached=context.heartbeat.reach)


def _preview_still(context: Context, run: Run, seconds: float, blur: Any) -> bytes:
    from fervid.alerts.review.preview_frames import make_still

    return make_still(run, seconds, blur=blur, reached=context.heartbeat.reach)


STEPS: dict[str, Callable[..., Any]] = {
    "measure": _measure,
    "begin": _begin,
    "plan": _plan,
    "observe": _observe,
    "observe_several": _observe_several,
    "finish": _finish,
    "measure_person": _measure_person,
    "draw": _draw,
    "tabulate": _tabulate,
    "annotate": _annotate,
    "evidence": _evidence,
    "stills": _stills,
    "cut": _cut,
    "explain": _explain,
    "preview_clip": _preview_clip,
    "preview_still": _preview_still,
}
"""Each takes the context of its worker and the arguments of its task."""
