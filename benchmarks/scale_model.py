"""How far one batch scales: measured costs of the steps, and a simulation of 1 to 1,000 nodes.

    python benchmarks/scale_model.py CLIP [--hours 100000] [--processors 32] [--json FILE] [--picture FILE] [--check]

The steps of the first ten seconds and of all of CLIP are run here and timed in CPU seconds. What a task costs the
process that hands it out is told by thousands that are refused at once; what a video costs it besides, by a thousand
small files and an engine that answers at once. The simulation draws a batch (60 % of its hours in files of an hour,
25 % of a quarter, 15 % in clips of motion, log-normal with a median of 30 s) and plays it by the rules of the
scheduler: the steps of begun videos go before new ones, one process hands them out one after the other, whichever
processor is free takes the next, and reading shares the bandwidth of the storage. With --check the model is held
against this machine: a cluster of one node of one processor, and of two, on copies of CLIP.

Knows nothing of networks, and takes processors of all nodes for as fast as this one.
"""

from __future__ import annotations

import argparse
import heapq
import json
import logging
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import fervid
from cluster import adopt_orphans, copy_of, cpu_seconds
from fervid import assets
from fervid.analysis import finish_video, observe_segment, plan_video
from fervid.batch import run as batch_run
from fervid.batch.discover import Handling
from fervid.batch.engine import Outcome, Progress, Task
from fervid.batch.ids import THREADS
from fervid.batch.ray_engine import RayEngine
from fervid.batch.ray_worker import Expected
from fervid.batch.result import Result
from fervid.batch.whole import begin_video
from fervid.emotion.model import load_model_info
from fervid.files import content_id
from fervid.job import Begun, Cluster, Method, Spent, VideoJob

NODES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
SEGMENTS = (30.0, 300.0)
SHORT_SECONDS = 10.0
EMPTY_TASKS, IN_FLIGHT, PLAN_BYTES = 2000, 256, 20_000
SMALL_FILES = 1000
CHECKED_VIDEOS, CHECKED_SECONDS, CHECKS = 12, 30.0, 5
SECONDS_PER_HOUR = 3600
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


@dataclass(frozen=True)
class Point:
    """A batch on so many nodes. `busy` is the share of the processors' time that was work."""

    nodes: int
    hours: float
    speedup: float
    busy: float
    hand_out_hours: float
    limit: str


@dataclass
class _Open:
    seconds: float
    n_waiting: int
    n_left: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--hours", type=float, default=100_000)
    parser.add_argument("--processors", type=int, default=32, help="of a node")
    parser.add_argument("--gigabytes", type=float, default=20, help="that the storage reads a second")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    settings = fervid.load_settings(preset="cctv", environment={})
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(arguments.clip, settings, Path(folder))
        print(json.dumps(asdict(costs), indent=1))
        checked = check(arguments.clip, settings, costs, Path(folder)) if arguments.check else None
    lengths = batch_of(arguments.hours)
    print(f"{arguments.hours:,.0f} hours in {len(lengths):,} videos")
    curves = []
    for segment in SEGMENTS:
        points = []
        for nodes in NODES:
            points.append(simulate(lengths, segment, costs, nodes, arguments.processors, arguments.gigabytes * 1e9))
            point = points[-1]
            print(
                f"segments of {segment:.0f} s, {nodes:5d} nodes: {point.hours:8.2f} h, processors busy "
                f"{point.busy:4.0%}, limit: {point.limit}",
                flush=True,
            )
        curves.append({"segment_seconds": segment, "points": [asdict(point) for point in points]})
    content = {"clip": arguments.clip.name, "costs": asdict(costs), "hours": arguments.hours, "videos": len(lengths)}
    content |= {"processors_a_node": arguments.processors, "storage_gigabytes_a_second": arguments.gigabytes}
    content |= {"curves": curves, "checked": checked}
    if arguments.json:
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if arguments.picture:
        draw(content, arguments.picture)


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
    times = [time.process_time()]
    planned = plan_video(job)
    times.append(time.process_time())
    for index in planned.to_observe:
        observe_segment(job, planned.sealed, index)
    times.append(time.process_time())
    finish_video(job, planned.sealed, 0, Spent("", 0.0, {}))
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

    def __init__(self, begun: Begun) -> None:
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
    begun = begin_video(VideoJob(clip, content_id(clip), folder / "one", method, plot=False), sys.maxsize)
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


def batch_of(hours: float, seed: int = 0) -> np.ndarray:
    """Lengths in seconds of a batch's videos, longest first."""
    rng = np.random.default_rng(seed)
    motion: list[np.ndarray] = []
    left = 0.15 * hours * SECONDS_PER_HOUR
    while left > 0:
        more = np.clip(rng.lognormal(np.log(30), 0.8, 10_000), 3, 600)
        motion.append(more[np.cumsum(more) <= left] if more.sum() > left else more)
        left -= more.sum()
    whole = np.full(round(0.6 * hours), 3600.0)
    quarters = np.full(round(0.25 * hours * 4), 900.0)
    return np.sort(np.concatenate([whole, quarters, *motion]))[::-1]


def simulate(lengths: np.ndarray, segment: float, costs: Costs, nodes: int, processors: int, bandwidth: float) -> Point:
    """Play a batch, event by event."""
    n = n_free = nodes * processors
    wants = costs.bytes_a_second / costs.observe_a_second  # bytes a second of a processor that observes
    coming = iter(lengths.tolist())
    planned: deque[_Open] = deque()
    observed: deque[_Open] = deque()
    running: list[tuple[float, int, _Open, str]] = []
    # Ids are read before anything begins, by several threads.
    read = np.minimum(lengths * costs.bytes_a_second, IDENTIFIED_BYTES).sum()
    now = handed = float(read) * costs.identify_a_byte / THREADS
    work = taken = 0.0
    n_tasks = n_videos = 0
    while True:
        while n_free:
            own = seen = 0.0
            if observed:
                video, step = observed.popleft(), "finish"
                own = costs.finish + costs.finish_a_second * video.seconds
            elif planned:
                video, step = planned[0], "observe"
                seen = min(segment, video.seconds)
                video.n_waiting -= 1
                if not video.n_waiting:
                    planned.popleft()
            elif (length := next(coming, None)) is not None:
                n_segments = max(1, round(length / segment))
                video, step = _Open(length, n_segments, n_segments), "begin"
                own = costs.plan + costs.plan_a_second * length
                if n_segments == 1:  # it is brought to its end at once
                    own += costs.finish + costs.finish_a_second * length
                    seen = length
                handed = max(handed, now) + costs.hand_out_a_video
                n_videos += 1
            else:
                break
            handed = max(handed, now) + costs.hand_out_a_task
            n_tasks += 1
            n_free -= 1
            # Who reads shares the bandwidth with all that run at that moment.
            seconds = own + seen * costs.observe_a_second * max(1.0, (n - n_free) * wants / bandwidth)
            work += own + seen * costs.observe_a_second
            taken += seconds
            heapq.heappush(running, (handed + seconds, n_tasks, video, step))
        if not running:
            break
        now, _, video, step = heapq.heappop(running)
        n_free += 1
        if step == "begin" and video.n_left > 1:
            planned.append(video)
        elif step == "observe":
            video.n_left -= 1
            if not video.n_left:
                observed.append(video)
    hand_out = n_tasks * costs.hand_out_a_task + n_videos * costs.hand_out_a_video
    busy = work / n / now
    reasons = {"processors": busy, "handing out": hand_out / now, "storage": 1 - work / taken}
    limit = max(reasons, key=lambda name: reasons[name])
    return Point(nodes, now / SECONDS_PER_HOUR, busy * nodes, busy, hand_out / SECONDS_PER_HOUR, limit)


def check(clip: Path, settings: fervid.Settings, costs: Costs, folder: Path) -> list[dict[str, float]]:
    """Copies of a clip on one and two nodes of one processor each, predicted and measured (the best of a few)."""
    videos = [
        copy_of(clip, folder / f"checked {i}.mp4", str(i), seconds=CHECKED_SECONDS) for i in range(CHECKED_VIDEOS)
    ]
    lengths, segment = np.full(len(videos), CHECKED_SECONDS), settings.video.segment_seconds
    found = []
    adopt_orphans()
    for nodes in (1, 2):
        point = simulate(lengths, segment, costs, nodes, 1, np.inf)
        measured, spent = [], []
        with cluster_of(nodes, 1):
            for turn in range(CHECKS + 1):
                before, begun = cpu_seconds(), time.perf_counter()
                batch(videos if turn else videos[:2], folder / f"{nodes} nodes, turn {turn}", settings)
                if turn:  # the workers loaded their libraries before
                    measured.append(time.perf_counter() - begun)
                    spent.append(cpu_seconds() - before)
        one = {"nodes": nodes, "predicted_seconds": point.hours * SECONDS_PER_HOUR, "measured_seconds": min(measured)}
        work = point.busy * nodes * point.hours * SECONDS_PER_HOUR
        found.append(one | {"predicted_cpu_seconds": work, "measured_cpu_seconds": min(spent)})
        print(f"check: {found[-1]}", flush=True)
    return found


def draw(content: dict[str, Any], path: Path) -> None:
    """Speed over nodes, both on logarithmic scales, with the line of a batch that never saturates."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.2, 4.4), layout="constrained")
    axes.loglog(NODES, NODES, color="#999999", linestyle="--")
    axes.annotate("if nothing saturated", (NODES[-1], NODES[-1]), (-8, 2), textcoords="offset points", ha="right")
    for curve, colour in zip(content["curves"], ("#D55E00", "#0072B2"), strict=True):
        nodes, speedups = ([point[name] for point in curve["points"]] for name in ("nodes", "speedup"))
        axes.loglog(nodes, speedups, "o-", color=colour)
        words = f"segments of {curve['segment_seconds']:.0f} s: {curve['points'][-1]['hours']:.1f} h"
        axes.annotate(words, (nodes[-1], speedups[-1]), (0, 8), textcoords="offset points", ha="right", color=colour)
    axes.set_xlabel(f"nodes of {content['processors_a_node']} processors")
    axes.set_ylabel("times the work of one node")
    axes.set_title(f"{content['hours']:,.0f} hours of footage, handed out by one process")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


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


if __name__ == "__main__":
    main()
