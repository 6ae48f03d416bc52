"""What Ray costs: one batch by the worker processes of this machine and by a Ray cluster of the same processors.

    python benchmarks/cluster.py CLIP [--videos 100] [--workers 2] [--rounds 3] [--json FILE]

CLIP is written `--videos` times, each time with another comment in its header, so that each is a video of its own. Both
engines analyse the batch in turns, each first in every other round; Ray is started before and its start told apart, but
its workers load their libraries in the first round. CPU seconds are those of all processes of the engine, the daemons
of Ray included. Where other programs run too wall times are longer by chance: the best of many small rounds tells most.
Prints ratios, whether the tables are the same byte for byte, and the memory of the process that hands out the work
after a half and after the whole of the batch.

Knows nothing of networks between machines: both nodes are this one.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import logging
import math
import os
import statistics
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import av

import fervid
from fervid.batch.job import Cluster
from fervid.batch.result import Result
from fervid.batch.run import Batch, analyze_batch

MIB = 1 << 20
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Measured:
    """One batch by one engine. Memory is the resident memory of the parent in MiB."""

    engine: str
    wall_seconds: float
    cpu_seconds: float
    parent_half_mib: float
    parent_end_mib: float
    tables_sha256: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    import ray

    adopt_orphans()
    with tempfile.TemporaryDirectory() as folder:
        videos = [copy_of(arguments.clip, Path(folder) / f"{i:05d}.mp4", str(i)) for i in range(arguments.videos)]
        begun = time.perf_counter()
        # Workers are as nice as local ones, which matters where other programs run too.
        os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
        ray.init(num_cpus=arguments.workers, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
        print(f"Ray started in {time.perf_counter() - begun:.1f} s")
        found = []
        for turn in range(arguments.rounds):
            for engine in ("local", "ray") if turn % 2 == 0 else ("ray", "local"):
                out = Path(folder) / f"{engine}-{turn}"
                found.append(measure(videos, out, engine, arguments.workers))
                print(found[-1], flush=True)
        ray.shutdown()
    here, there = ([one for one in found if one.engine == engine] for engine in ("local", "ray"))
    ratios = {
        name: [getattr(two, name) / getattr(one, name) for one, two in zip(here, there, strict=True)]
        for name in ("wall_seconds", "cpu_seconds")
    }
    for name, values in ratios.items():
        middle = statistics.median(values)
        print(f"{name}: Ray / local = {middle:.2f} (median of {len(values)}, {min(values):.2f} to {max(values):.2f})")
    best = min(one.wall_seconds for one in there) / min(one.wall_seconds for one in here)
    print(f"wall_seconds: the best of Ray / the best of the local workers = {best:.2f}")
    is_same = len({one.tables_sha256 for one in found}) == 1
    print("the tables are the same byte for byte" if is_same else "THE TABLES DIFFER")
    if arguments.json:
        content = {"videos": arguments.videos, "workers": arguments.workers, "ratios": ratios, "same_bytes": is_same}
        content |= {"best_wall": best, "runs": [asdict(one) for one in found]}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def copy_of(clip: Path, path: Path, comment: str, *, seconds: float = math.inf) -> Path:
    """The same packets in a file of its own; of the first seconds alone, if so many are given."""
    with av.open(str(clip)) as source, av.open(str(path), "w") as target:
        video = source.streams.video[0]
        stream = target.add_stream_from_template(video)
        target.metadata["comment"] = comment
        for packet in source.demux(video):
            if packet.dts is not None and packet.pts * video.time_base < seconds:
                packet.stream = stream
                target.mux(packet)
    return path


def measure(videos: list[Path], out: Path, engine: str, workers: int) -> Measured:
    """Analyse all videos by one engine."""
    memory: list[float] = []

    def on_result(result: Result) -> None:
        assert result.summary is not None, result.reason
        memory.append(resident_mib())

    cluster = Cluster() if engine == "ray" else None  # it was started with as many processors
    batch = Batch(
        videos, out, fervid.load_settings(environment={}), is_named_as_many=True, workers=workers, device="cpu",
        cluster=cluster,
    )  # fmt: skip
    wall, before = time.perf_counter(), cpu_seconds()
    analyze_batch(batch, on_result)
    wall = time.perf_counter() - wall
    digest = hashlib.sha256()
    for path in sorted(out.glob("*/*.parquet")):
        digest.update(path.read_bytes())
    return Measured(
        engine, wall, cpu_seconds() - before, memory[len(memory) // 2], memory[-1], digest.hexdigest()
    )  # fmt: skip


def adopt_orphans() -> None:
    """Become the parent of what outlives its own (Linux): processor time of those would count for nobody."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)


def cpu_seconds() -> float:
    """User and system seconds of this process and all below it, ended or not (Ray's daemons are below it)."""
    parents, used = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended meanwhile
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = sum(map(int, fields[11:15]))
    family = {os.getpid()}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return sum(used[number] for number in family) / os.sysconf("SC_CLK_TCK")


def resident_mib() -> float:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MIB


if __name__ == "__main__":
    main()
