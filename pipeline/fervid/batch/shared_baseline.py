"""The step that measures one baseline over several recordings of a person, from their stored observations.

Nothing of it is stored but what the columns `b_<label>` of each recording say.
"""

from __future__ import annotations

from fervid.batch.context import Context
from fervid.batch.job import Method, VideoJob
from fervid.batch.steps import read_all
from fervid.errors import InputError
from fervid.interpret.baseline import Shifts, Windows, shared_shifts
from fervid.interpret.build import FrameTiming
from fervid.interpret.whole import windows_of_person
from fervid.observe.observations import is_observed, read_thumbnails
from fervid.run.files import OBSERVATIONS
from fervid.run.manifest import manifest_content
from fervid.storage.place import Place


def measure_person(context: Context, jobs: tuple[VideoJob, ...]) -> Shifts:
    """What is subtracted from the scores of a person, for each head, over the finished recordings of `jobs`.

    The order of `jobs` says nothing: recordings are joined in the order of their ids. Each job's own settings say how
    its faces are followed; model, head and numbers of the baseline are those of all. Raises InputError where the
    observations of a recording are gone.
    """
    seconds, windows = 0.0, []
    for job in sorted(jobs, key=lambda job: job.video_id):
        windows.append(person_in(job.folder, job.method))
        seconds += float(manifest_content(job.folder)["video"]["duration_seconds"])
        context.heartbeat.reach(seconds)
    method = jobs[0].method
    emotion = method.settings.emotion
    return shared_shifts(
        windows, method.model, method.settings.baseline, source=emotion.labels, is_flipped=emotion.flip
    )


def person_in(folder: Place, method: Method) -> dict[str, Windows]:
    """The lone windows of the recording in a run folder, for each head. Raises InputError without its observations."""
    content = manifest_content(folder)
    paths = [folder / OBSERVATIONS / name for name in sorted(content.get("observations", ()))]
    if not paths or not all(is_observed(path, method.observe_key) for path in paths):
        raise InputError(f"{folder} lacks observations. Analyse the recordings again with --overwrite.")
    return windows_of_person(
        read_all(paths)[0],
        method.settings,
        method.model,
        duration_seconds=float(content["video"]["duration_seconds"]),
        thumbnails=read_thumbnails(paths),
        timing=FrameTiming.of(content["video"], content["settings"]["video"]),
    )
