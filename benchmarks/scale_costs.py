"""What the steps of a video cost, and what handing them out does: the measured part of `scale_model.py`.

Steps are timed in CPU seconds of this process. What a task costs the process that hands it out is told by thousands
that are refused at once; what a video costs it besides, by a thousand small files and an engine that answers at once.
Knows nothing of networks.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np

import fervid
from cluster import copy_of
from fervid.base import assets
from fervid.batch import run as batch_run
from fervid.batch.context import Context
from fervid.batch.discover import Handling
from fervid.batch.engine import Outcome, Progress, Task
from fervid.batch.job import BeginResult, Cluster, Elapsed, Method, VideoJob
from fervid.batch.ray_engine import RayEngine
from fervid.batch.ray_worker import Expected
from fervid.batch.result import Result
from fervid.batch.steps import finish_video, observe_segment, plan_video
from fervid.batch.whole import begin_video
from fervid.emotion.model import load_model_info
from fervid.storage.files import content_id

SHORT_SECONDS = 10.0
EMPTY_TASKS, IN_FLIGHT, PLAN_BYTES = 2000, 256, 20_000
SMALL_FILES = 1000
IDENTIFIED_BYTES = 3 << 20
"""So much of a file is read for its content id, at most."""


@dataclass(frozen=True)
class Costs:
    """CPU seconds of steps, of a video and of a second of it; those of whoever hands out; bytes a second of video."""

    plan: float
    plan_a_second: float
    observe_a_second: float
    finish: float
    finish_a_second: float
    hand_out_a_task: float
    hand_out_a_video: float
    identify_a_byte: float
    bytes_a_second: float


def measure(clip: Path, settings: fervid.Settings, folder: Path) -> Costs:
    """The steps of a short and of a long video in this process, and what handing them out costs."""
    model = load_model_info(assets.model_folder(settings.emotion.model))
    method = Method.of(settings, model, "litert")
    short = copy_of(clip, folder / "short.mp4", "short", seconds=SHORT_SECONDS)
    steps_of(short, method, folder / "warm")  # loads what a worker of many videos has loaded
    few, many = steps_of(short, method, folder / "few"), steps_of(clip, method, folder / "many")
    longer = many["seconds"] - few["seconds"]
    slopes = {name: max(0.0, (many[name] - few[name]) / longer) for name in ("plan", "finish")}
    with cluster_of(1, 1):
        task = seconds_a_task(method)
    begun = time.process_time()
    content_id(clip)
    identify = (time.process_time() - begun) / min(clip.stat().st_size, IDENTIFIED_BYTES)
    return Costs(
        plan=max(0.0, few["plan"] - slopes["plan"] * few["seconds"]),
        plan_a_second=slopes["plan"],
        observe_a_second=many["observe"] / many["seconds"],
        finish=max(0.0, few["finish"] - slopes["finish"] * few["seconds"]),
        finish_a_second=slopes["finish"],
        hand_out_a_task=task,
        hand_out_a_video=seconds_a_video(short, method, settings, folder),
        identify_a_byte=identify,
        bytes_a_second=clip.stat().st_size / many["seconds"],
    )


def steps_of(clip: Path, method: Method, folder: Path) -> dict[str, float]:
    """CPU seconds of each step of one video, and its length."""
    job = VideoJob(clip, content_id(clip), folder, method, plot=False)
    context, times = Context(), [time.process_time()]
    planned = plan_video(context, job)
    times.append(time.process_time())
    for index in planned.to_observe:
        observe_segment(context, job, planned.pickled_plan, index)
    times.append(time.process_time())
    finish_video(context, job, planned.pickled_plan, 0, Elapsed("", 0.0, {}))
    times.append(time.process_time())
    return dict(zip(("plan", "observe", "finish"), np.diff(times).tolist(), strict=True)) | {
        "seconds": planned.duration_seconds
    }


def seconds_a_task(method: Method) -> float:
    """CPU seconds of this process, all threads of Ray in it included, for a task of which nothing is done."""
    engine = RayEngine(Cluster(n_workers=IN_FLIGHT), method)
    engine._expected = Expected("another", logging.ERROR)  # each is refused by its worker at once
    job = VideoJob(Path("/shared/videos/some camera/some video.mp4"), "0" * 32, Path("/shared/results/some"), method)

    def run(n: int) -> None:
        n_done = n_begun = 0
        while n_done < n:
            while n_begun < n and engine.n_running < engine.n_workers:
                engine.submit(Task("observe", (job, bytes(PLAN_BYTES), n_begun), 120.0, 500))
                n_begun += 1
            n_done += sum(isinstance(event, Outcome) for event in engine.wait())

    run(IN_FLIGHT)
    begun = time.process_time()
    run(EMPTY_TASKS)
    return (time.process_time() - begun) / EMPTY_TASKS


class AtOnce:
    """An engine whose every task has ended when it is asked."""

    n_workers, prefers_few_tasks = IN_FLIGHT, True

    def __init__(self, begun: BeginResult) -> None:
        self._begun = begun
        self._tasks: list[Task] = []

    @property
    def n_running(self) -> int:
        return len(self._tasks)

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def wait(self) -> list[Progress | Outcome]:
        tasks, self._tasks = self._tasks, []
        return [Outcome(task, self._begun if task.step == "begin" else None) for task in tasks]

    def close(self) -> None:
        pass


def seconds_a_video(clip: Path, method: Method, settings: fervid.Settings, folder: Path) -> float:
    """CPU seconds of this process for a video besides its task: finding, locking, scheduling and reporting it."""
    begun = begin_video(Context(), VideoJob(clip, content_id(clip), folder / "one", method, plot=False), sys.maxsize)
    files = [folder / f"small {i}.mp4" for i in range(SMALL_FILES)]
    for file in files:
        file.write_text(file.name)
    with mock.patch.object(batch_run, "open_engine", return_value=nullcontext(AtOnce(begun))):
        started = time.process_time()
        batch(files, folder / "small", settings)
        return (time.process_time() - started) / len(files)


def batch(videos: list[Path], out: Path, settings: fervid.Settings) -> None:
    """Analyse videos on the cluster that runs."""
    chosen = batch_run.Batch(
        videos, out, settings, is_named_as_many=True, device="cpu", cluster=Cluster(), handling=Handling(plot=False)
    )  # fmt: skip
    results: list[Result] = []
    batch_run.analyze_batch(chosen, results.append)
    assert [result.status for result in results] == ["complete"] * len(videos)


@contextmanager
def cluster_of(n_nodes: int, n_processors: int) -> Iterator[None]:
    """Nodes of so many processors on this machine, connected to, whose workers are as nice as this process."""
    import ray
    from ray.cluster_utils import Cluster as Nodes

    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": n_processors, "include_dashboard": False})
    for _ in range(n_nodes - 1):
        nodes.add_node(num_cpus=n_processors)
    ray.init(address=nodes.address, logging_level=logging.ERROR, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()
        nodes.shutdown()


def node_seconds() -> dict[int, float]:
    """Processor time of each node of the cluster on this machine with all its workers, by its daemon's process."""
    parents, used, nodes = {}, {}, []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (entry / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue  # it ended meanwhile
        fields = rest.split()
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        if name == "raylet":
            nodes.append(int(entry.name))
    own = [node for node in nodes if parents[node] == os.getpid()]
    return {node: used[node] + sum(used[child] for child in used if parents[child] == node) for node in own}
