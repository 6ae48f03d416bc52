"""How far one batch scales: measured costs of the steps, and a simulation of 1 to 1,000 nodes.

    python benchmarks/scale_model.py CLIP [--hours 100000] [--processors 32] [--json FILE] [--picture FILE] [--check]

The steps of CLIP are run here and timed in CPU seconds; then a thousand empty tasks go through a Ray cluster of this
machine, which tells how many a second the process that hands out the work can. The simulation draws a batch (60 % of
its hours in files of an hour, 25 % of a quarter, 15 % in clips of motion, log-normal with a median of 30 s) and plays
it: tasks are handed out one after the other, longest videos first, to whichever processor is free first, and reading
shares the bandwidth of the storage. With --check the model is held against this machine: one node of one processor and
two of them, on copies of CLIP.

Knows nothing of networks, and takes processors of all nodes for as fast as this one.
"""

from __future__ import annotations

import argparse
import heapq
import json
import logging
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

import fervid
from fervid import assets
from fervid.analysis import finish_video, observe_segment, plan_video
from fervid.batch.engine import Task
from fervid.batch.ray_worker import Expected, run_on_node
from fervid.batch.run import Batch, analyze_batch
from fervid.emotion.model import load_model_info
from fervid.files import content_id
from fervid.job import Cluster, Method, Spent, VideoJob

NODES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
EMPTY_TASKS = 1000
SECONDS_PER_HOUR = 3600
CHECKED_COPIES = 24


@dataclass(frozen=True)
class Costs:
    """CPU seconds of the steps, what a task costs the process that hands it out, and the bytes a second of video."""

    plan_seconds: float
    observe_seconds_a_second: float
    finish_seconds: float
    hand_out_seconds: float
    bytes_a_second: float


@dataclass(frozen=True)
class Point:
    """A batch on so many nodes. `busy` is the share of the processors' time that was work."""

    nodes: int
    hours: float
    busy: float
    limit: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--hours", type=float, default=100_000)
    parser.add_argument("--processors", type=int, default=32, help="of a node")
    parser.add_argument("--gigabytes", type=float, default=20, help="that the storage reads a second")
    parser.add_argument("--segment", type=float, help="seconds of a segment, if not those of the preset cctv")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    settings = fervid.load_settings(preset="cctv", environment={})
    costs = measure(arguments.clip, settings)
    print(
        f"plan {costs.plan_seconds * 1000:.0f} ms, observe {costs.observe_seconds_a_second:.4f} s a second of video, "
        f"finish {costs.finish_seconds * 1000:.0f} ms; a task handed out in {costs.hand_out_seconds * 1000:.2f} ms"
    )
    segment = arguments.segment or settings.video.segment_seconds
    lengths = batch_of(arguments.hours)
    print(f"{arguments.hours:,.0f} hours in {len(lengths):,} videos, segments of {segment:.0f} s")
    points = [
        simulate(lengths, segment, costs, nodes, arguments.processors, arguments.gigabytes * 1e9) for nodes in NODES
    ]
    for point in points:
        print(
            f"{point.nodes:5d} nodes: {point.hours:9.2f} h, {points[0].hours / point.hours:7.1f} times one node, "
            f"processors busy {point.busy:4.0%}, limit: {point.limit}"
        )
    checked = check(arguments.clip, settings, costs) if arguments.check else None
    if arguments.json:
        content = {"costs": asdict(costs), "hours": arguments.hours, "processors": arguments.processors}
        content |= {"points": [asdict(point) for point in points], "checked": checked}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if arguments.picture:
        draw(points, arguments.picture)


def measure(clip: Path, settings: fervid.Settings) -> Costs:
    """The steps of one video in this process, twice; the second time counts, as a worker has many."""
    model = load_model_info(assets.model_folder(settings.emotion.model))
    method = Method.of(settings, model, "litert")
    with tempfile.TemporaryDirectory() as folder:
        for turn in ("first", "second"):
            job = VideoJob(clip, content_id(clip), Path(folder) / turn, method, plot=False)
            job.folder.mkdir()
            begun = time.process_time()
            planned = plan_video(job)
            plan = time.process_time() - begun
            begun = time.process_time()
            for index in planned.to_observe:
                observe_segment(job, planned.sealed, index)
            observe = (time.process_time() - begun) / planned.duration_seconds
            begun = time.process_time()
            finish_video(job, planned.sealed, 0, Spent("", 0.0, {}))
            finish = time.process_time() - begun
    return Costs(plan, observe, finish, hand_out_seconds(), clip.stat().st_size / planned.duration_seconds)


def hand_out_seconds() -> float:
    """CPU seconds of this process for a Ray task that does nothing, of many in flight."""
    import ray

    _start_ray(2)
    expected = Expected("nothing is done", logging.ERROR)  # each is refused by its worker at once
    remote = ray.remote(run_on_node)
    ray.get([remote.remote(Task("plan", ()), expected) for _ in range(50)])
    begun = time.process_time()
    ray.get([remote.remote(Task("plan", (bytes(20_000),)), expected) for _ in range(EMPTY_TASKS)])
    spent = (time.process_time() - begun) / EMPTY_TASKS
    ray.shutdown()
    return spent


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
    """Play a batch: one server hands out tasks in order, each to the processor that is free first."""
    n = nodes * processors
    free = [0.0] * n
    heapq.heapify(free)
    handed = 0.0
    work = 0.0
    end = 0.0
    reading = max(1.0, n * costs.bytes_a_second / max(costs.observe_seconds_a_second, 1e-9) / bandwidth)
    for length in lengths:
        planned = 0.0
        n_segments = max(1, int(np.ceil(length / segment)))
        observe = min(segment, length) * costs.observe_seconds_a_second * reading
        # Whoever observes the last segment is taken to write the tables as well: no processor waits for the others.
        steps = [costs.plan_seconds, *[observe] * (n_segments - 1), observe + costs.finish_seconds]
        for seconds in steps:
            handed += costs.hand_out_seconds
            done = max(heapq.heappop(free), handed, planned) + seconds
            heapq.heappush(free, done)
            planned = planned or done
            end = max(end, done)
        handed += costs.hand_out_seconds  # of the tables
        work += sum(steps)
    of_nodes = "storage" if reading > 1 else "processors"
    limit = "handing out" if handed > work / n else of_nodes
    return Point(nodes, end / SECONDS_PER_HOUR, work / n / end, limit)


def check(clip: Path, settings: fervid.Settings, costs: Costs) -> list[dict[str, float]]:
    """Wall seconds of copies of a clip on one and two nodes of one processor each, predicted and measured."""
    from cluster import copy_of

    found = []
    with tempfile.TemporaryDirectory() as folder:
        videos = [copy_of(clip, Path(folder) / f"{i}.mp4", str(i)) for i in range(CHECKED_COPIES)]
        with_length = fervid.analyze(videos[0], out=Path(folder) / "length", settings=settings, device="cpu")
        length = float(with_length.manifest.video["duration_seconds"])
        for nodes in (1, 2):
            lengths = np.full(len(videos), length)
            point = simulate(lengths, settings.video.segment_seconds, costs, nodes, 1, np.inf)
            _start_ray(nodes)
            warm = Batch(videos[:2], Path(folder) / f"warm{nodes}", settings, is_named_as_many=True, device="cpu",
                         cluster=Cluster())  # fmt: skip
            analyze_batch(warm, lambda _: None)
            batch = Batch(videos, Path(folder) / f"out{nodes}", settings, is_named_as_many=True, device="cpu",
                          cluster=Cluster())  # fmt: skip
            begun = time.perf_counter()
            analyze_batch(batch, lambda _: None)
            measured = time.perf_counter() - begun
            import ray

            ray.shutdown()
            found.append({"nodes": nodes, "predicted": point.hours * SECONDS_PER_HOUR, "measured": measured})
            one = found[-1]
            print(f"check: {nodes} processors: predicted {one['predicted']:.1f} s, measured {one['measured']:.1f} s")
    return found


def draw(points: list[Point], path: Path) -> None:
    """Speed over nodes, both on logarithmic scales, with the line of a batch that never saturates."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    nodes = [point.nodes for point in points]
    axes.loglog(nodes, nodes, color="#999999", linestyle="--", label="if nothing saturated")
    axes.loglog(nodes, [points[0].hours / point.hours for point in points], "o-", color="#0072B2", label="simulated")
    axes.set_xlabel("nodes")
    axes.set_ylabel("times as fast as one node")
    axes.set_title("One batch, one process that hands out the work")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=110)


def _start_ray(n_processors: int) -> None:
    import ray

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(num_cpus=n_processors, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)


if __name__ == "__main__":
    main()
