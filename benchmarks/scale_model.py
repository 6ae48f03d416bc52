"""How far one batch scales: measured costs of the steps, and a simulation of 1 to 1,000 nodes.

    python benchmarks/scale_model.py CLIP [--hours 100000] [--processors 32] [--json FILE] [--picture FILE] [--check]

The costs of the first ten seconds and of all of CLIP are measured here (`scale_costs.py`). The simulation draws a
batch (60 % of its hours in files of an hour, 25 % of a quarter, 15 % in clips of motion, log-normal with a median of
30 s) and plays it by the rules of the scheduler: the steps of begun videos go before new ones, one process hands them
out one after the other, whichever processor is free takes the next, and reading shares the bandwidth of the storage.
With --check the model is held against this machine: a cluster of one node of one processor, and of two, on copies of
CLIP. The time of the whole is that of the busiest node, in processor time, since other programs may run here too.

Knows nothing of networks, and takes processors of all nodes for as fast as this one.
"""

from __future__ import annotations

import argparse
import heapq
import json
import tempfile
from collections import deque
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import fervid
from cluster import copy_of
from fervid.batch.ids import THREADS
from fervid.batch.schedule import SECONDS_A_TASK, TASKS_LEFT
from scale_costs import IDENTIFIED_BYTES, Costs, batch, cluster_of, measure, node_seconds

NODES = (1, 3, 10, 30, 100, 300, 1000)
PARTS = (1, 4, 16)
"""Commands that share the videos and the nodes evenly, each of which hands out its own part."""

CHECKED_VIDEOS, CHECKED_SECONDS, CHECKS = 16, 30.0, 3
SECONDS_PER_HOUR = 3600
JUST_PLANNED = -1
PROCESSORS = "processors"
ROOM_FOR_WORDS = 14
BEGIN, END = "<!-- scale model: begin -->", "<!-- scale model: end -->"
"""Where the table stands in `docs/cluster.md`."""


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
    for parts in PARTS:
        points = []
        for nodes in NODES:
            of_part = lengths[::parts], settings.video.segment_seconds, costs, nodes, arguments.processors / parts
            points.append(simulate(*of_part, arguments.gigabytes * 1e9 / parts))
            point = points[-1]
            print(
                f"{words(parts)}, {nodes:5d} nodes: {point.hours:8.2f} h, processors busy {point.busy:4.0%}, "
                f"limit: {point.limit}",
                flush=True,
            )
        curves.append({"parts": parts, "points": [asdict(point) for point in points]})
    content = {"clip": arguments.clip.name, "segment_seconds": settings.video.segment_seconds, "costs": asdict(costs)}
    content |= {"hours": arguments.hours, "videos": len(lengths), "curves": curves, "checked": checked}
    content |= {"processors_a_node": arguments.processors, "storage_gigabytes_a_second": arguments.gigabytes}
    if arguments.json:
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    if arguments.picture:
        draw(content, arguments.picture)


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


def simulate(
    lengths: np.ndarray, segment: float, costs: Costs, nodes: int, processors: float, bandwidth: float
) -> Point:
    """Play a batch, event by event."""
    n = n_free = round(nodes * processors)
    wants = costs.bytes_a_second / costs.observe_a_second  # bytes a second of a processor that observes
    coming = deque(lengths.tolist())
    at_once = max(1, int(SECONDS_A_TASK / segment))
    planned: deque[_Open] = deque()
    observed: deque[_Open] = deque()
    running: list[tuple[float, int, _Open, int]] = []
    # Ids are read before anything begins, by several threads.
    read = np.minimum(lengths * costs.bytes_a_second, IDENTIFIED_BYTES).sum()
    now = handed = float(read) * costs.identify_a_byte / THREADS
    work = taken = 0.0
    n_tasks = n_videos = n_waiting = 0
    while True:
        while n_free:
            own = seen = 0.0
            if observed:
                video, n_seen = observed.popleft(), 0
                own = costs.finish + costs.finish_a_second * video.seconds
            elif planned:
                video = planned[0]
                n_seen = at_once if coming else max(1, min(at_once, n_waiting // (TASKS_LEFT * n)))
                n_seen = min(n_seen, video.n_waiting)
                n_waiting -= n_seen
                seen = n_seen * min(segment, video.seconds)
                video.n_waiting -= n_seen
                if not video.n_waiting:
                    planned.popleft()
            elif coming:
                length = coming.popleft()
                n_segments = max(1, round(length / segment))
                video, n_seen = _Open(length, n_segments, n_segments), JUST_PLANNED if n_segments > 1 else 0
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
            heapq.heappush(running, (handed + seconds, n_tasks, video, n_seen))
        if not running:
            break
        now, _, video, n_seen = heapq.heappop(running)
        n_free += 1
        if n_seen == JUST_PLANNED:
            planned.append(video)
            n_waiting += video.n_waiting
        elif n_seen:
            video.n_left -= n_seen
            if not video.n_left:
                observed.append(video)
    hand_out = n_tasks * costs.hand_out_a_task + n_videos * costs.hand_out_a_video
    busy = work / n / now
    reasons = {PROCESSORS: busy, "handing out": hand_out / now, "storage": 1 - work / taken}
    limit = max(reasons, key=lambda name: reasons[name])
    return Point(nodes, now / SECONDS_PER_HOUR, busy * nodes, busy, hand_out / SECONDS_PER_HOUR, limit)


def check(clip: Path, settings: fervid.Settings, costs: Costs, folder: Path) -> list[dict[str, float]]:
    """Copies of a clip on one and two nodes of one processor each, predicted and measured (the best of a few)."""
    videos = [
        copy_of(clip, folder / f"checked {i}.mp4", str(i), seconds=CHECKED_SECONDS) for i in range(CHECKED_VIDEOS)
    ]
    lengths, segment = np.full(len(videos), CHECKED_SECONDS), settings.video.segment_seconds
    found = []
    for nodes in (1, 2):
        point = simulate(lengths, segment, costs, nodes, 1, np.inf)
        measured = []
        with cluster_of(nodes, 1):
            batch(videos[: 2 * nodes], folder / f"{nodes} nodes, warm", settings)  # workers load their libraries
            for turn in range(CHECKS):
                before = node_seconds()
                batch(videos, folder / f"{nodes} nodes, turn {turn}", settings)
                measured.append(max(now - before[node] for node, now in node_seconds().items()))
        one = {"nodes": nodes, "predicted_seconds": point.hours * SECONDS_PER_HOUR, "measured_seconds": min(measured)}
        found.append(one)
        print(f"check: {one}", flush=True)
    return found


def table(content: dict[str, Any]) -> str:
    """The curves side by side, in Markdown."""
    curves = content["curves"]
    heads = ["nodes", *(words(curve["parts"]) for curve in curves)]
    rows = [heads, ["---:"] * len(heads)]
    for points in zip(*(curve["points"] for curve in curves), strict=True):
        cells = [
            f"{point['hours']:.1f} h, {point['busy']:.0%} busy"
            + ("" if point["limit"] == PROCESSORS else f" ({point['limit']})")
            for point in points
        ]
        rows.append([f"{points[0]['nodes']:,}", *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def words(parts: int) -> str:
    """What a curve is called."""
    return "one command" if parts == 1 else f"{parts} commands"


def draw(content: dict[str, Any], path: Path) -> None:
    """Speed over nodes, both on logarithmic scales, with the line of a batch that never saturates."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7.6, 4.6), layout="constrained")
    beside = {"textcoords": "offset points", "va": "center"}
    axes.loglog(NODES, NODES, color="#999999", linestyle="--")
    axes.annotate("if nothing saturated", (NODES[-1], NODES[-1]), (8, 0), color="#666666", **beside)
    for curve, colour in zip(content["curves"], ("#D55E00", "#0072B2", "#009E73"), strict=True):
        nodes, speedups = ([point[name] for point in curve["points"]] for name in ("nodes", "speedup"))
        axes.loglog(nodes, speedups, "o-", color=colour)
        label = f"{words(curve['parts'])}: {curve['points'][-1]['hours'] * 60:.0f} min"
        axes.annotate(label, (nodes[-1], speedups[-1]), (8, 0), color=colour, **beside)
    axes.set_xlim(NODES[0] / 1.5, NODES[-1] * ROOM_FOR_WORDS)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xticks([node for node in NODES if str(node)[0] == "1"])
    axes.minorticks_off()
    axes.set_xlabel(f"nodes of {content['processors_a_node']} processors")
    axes.set_ylabel("times the work of one node")
    axes.set_title(f"{content['hours']:,.0f} hours of footage: each command hands out its part")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
