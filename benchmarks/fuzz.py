"""Mutated containers, with the worker as the target: does any hang, break the parent, meet a bug, or need much memory?

    python benchmarks/fuzz.py [--inputs 3000] [--seed 1] [--keep FOLDER]

Seeds are clips of a second in pairs of container and codec, some with clocks that need repair. A mutation flips bytes,
overwrites numbers with extreme ones, cuts,
repeats, moves or drops stretches, or joins the head of one file to the tail of another. Inputs go in batches through
`fervid analyze`. A worker may die of one (that is what it is for): it must cost that input alone. Exits with 1 when a
batch does not end with one result for each input, prints a traceback, hangs, reports an error of fervid's own, or when
a worker has more memory than `batch.memory_mib` allows.

The peak memory of an input is that of its worker: the kernel's high-water mark, read while the worker has the input
open (Linux). A worker takes several inputs, so the mark of a later one is its own only where it is higher, and one that
is open for less than LOOK_SECONDS may be missed; the highest of all processes misses none.
"""

# Decision BAT-9.

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

BATCH = 250
SECONDS_PER_INPUT, LEAST_SECONDS = 5.0, 120.0
"""A batch that takes longer than this hangs."""

EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF)
HEAD_BYTES = 4096
LOOK_SECONDS = 0.005
CAP_MIB = 4096
"""The default of `batch.memory_mib`."""
SHOWN = 5


def make_seeds() -> dict[str, bytes]:
    """Sound clips by container, small, so that most of a file is structure."""
    from bad_sources import clip, dav, remuxed
    from numbered_clips import numbered_clip

    small = {"size": (64, 48), "seconds": 1, "rate": 10}
    plain = clip(**small)
    return {
        "mp4": plain,
        "faststart.mp4": clip(**small, container_options={"movflags": "+faststart"}),
        "fragmented.mp4": clip(**small, container_options={"movflags": "frag_keyframe+empty_moov"}),
        "mkv": remuxed("x.mkv", plain),
        "ts": clip("x.ts", **small),
        "avi": clip("x.avi", codec="mpeg4", **small),
        "mjpeg.avi": clip("x.avi", codec="mjpeg", pix_fmt="yuvj420p", **small),
        "webm": clip("x.webm", codec="libvpx-vp9", **small),
        "flv": clip("x.flv", codec="flv1", **small),
        "wmv": clip("x.wmv", codec="wmv2", **small),
        "gif": clip("x.gif", codec="gif", pix_fmt="rgb8", **small),
        "h264": clip("x.h264", **small),
        "h264.flv": clip("x.flv", **small),
        "h264.avi": numbered_clip("avi", range(20), b_frames=2),
        "mpg": numbered_clip("mpg", range(20), b_frames=2),
        "joined.ts": numbered_clip("ts", range(10)) * 2,
        "long.mkv": numbered_clip("mkv", range(10), times=[1e8 * i for i in range(10)]),
        "late.flv": clip("x.flv", **small, first_seconds=2e6),
        "hevc.mp4": clip(codec="libx265", **small),
        "hevc.ts": clip("x.ts", codec="libx265", **small),
        "mpeg2.mpg": numbered_clip("mpg", range(20), codec="mpeg2video", b_frames=2),
        "dav": dav(clip("x.h264", **small)),
    }


class Memory:
    """The peak memory of each input in MiB, read from `/proc` every LOOK_SECONDS while a batch runs."""

    def __init__(self) -> None:
        self.peaks_mib: dict[str, float] = {}
        self._marks: dict[int, float] = {}
        self._inputs: dict[int, str] = {}
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self, pid: int, inputs: Path) -> None:
        """Begin with the descendants of a process, for inputs in a folder."""
        self._is_over.clear()
        self._marks, self._inputs = {}, {}
        self._thread = threading.Thread(target=self._look, args=(pid, f"{inputs}/"), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End with this batch."""
        self._is_over.set()
        if self._thread is not None:
            self._thread.join()

    def _look(self, pid: int, prefix: str) -> None:
        while not self._is_over.wait(LOOK_SECONDS):
            for worker in _descendants(pid):
                # What a process has open and has used can vanish between the two.
                with contextlib.suppress(OSError, ValueError, IndexError):
                    self._read(worker, prefix)

    def _read(self, worker: int, prefix: str) -> None:
        place = Path(f"/proc/{worker}")
        for link in (place / "fd").iterdir():
            with contextlib.suppress(OSError):
                if (target := os.readlink(link)).startswith(prefix):
                    self._inputs[worker] = target.removeprefix(prefix)
        status = (place / "status").read_text()
        mark, now = (int(status.split(f"{name}:")[1].split()[0]) / 1024 for name in ("VmHWM", "VmRSS"))
        if (name := self._inputs.get(worker)) is not None:
            peak = mark if mark > self._marks.get(worker, 0.0) else now
            self.peaks_mib[name] = max(peak, self.peaks_mib.get(name, 0.0))
        self._marks[worker] = mark


def _descendants(pid: int) -> Iterator[int]:
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in map(int, (task / "children").read_text().split()):
                yield child
                yield from _descendants(child)


def mutate(rng: random.Random, content: bytes, others: Sequence[bytes]) -> bytes:
    """One to six changes; half of them in the head, where the structure of most containers lies."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 6)):
        if len(changed) < 64:
            break
        rng.choice(MUTATIONS)(rng, changed, others)
    return bytes(changed)


def _place(rng: random.Random, changed: bytearray, room: int = 8) -> int:
    end = min(len(changed), HEAD_BYTES) if rng.random() < 0.5 else len(changed)
    return rng.randrange(max(1, end - room))


def _flip(rng: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    for _ in range(rng.choice((1, 2, 8, 64))):
        changed[_place(rng, changed)] ^= 1 << rng.randrange(8)


def _number(rng: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    width = rng.choice((1, 2, 4, 8))
    at = _place(rng, changed)
    value = rng.choice(EXTREMES) & ((1 << 8 * width) - 1)
    changed[at : at + width] = value.to_bytes(width, rng.choice(("big", "little")))


def _cut(rng: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    del changed[_place(rng, changed) + 1 :]


def _drop(rng: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    at = _place(rng, changed)
    del changed[at : at + rng.choice((1, 4, 100, 1000))]


def _repeat(rng: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    at, length = _place(rng, changed), rng.choice((1, 4, 188, 1000))
    changed[at:at] = changed[at : at + length] * rng.choice((1, 2, 20))


def _swap(rng: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    a, b, length = _place(rng, changed), _place(rng, changed), rng.choice((4, 8, 64))
    changed[a : a + length], changed[b : b + length] = changed[b : b + length], changed[a : a + length]


def _noise(rng: random.Random, changed: bytearray, _: Sequence[bytes]) -> None:
    at, length = _place(rng, changed), rng.choice((4, 16, 256))
    changed[at : at + length] = rng.randbytes(length)


def _splice(rng: random.Random, changed: bytearray, others: Sequence[bytes]) -> None:
    other = rng.choice(others)
    changed[_place(rng, changed) :] = other[rng.randrange(len(other)) :]


MUTATIONS: tuple[Callable[[random.Random, bytearray, Sequence[bytes]], None], ...] = (
    *(_flip, _flip, _number, _number, _number, _cut, _drop, _repeat, _swap, _noise, _splice),
)


def fuzz(
    n_inputs: int, *, seed: int, folder: Path, memory: Memory, keep: Path | None = None
) -> tuple[Counter[str], list[str]]:
    """Statuses of all inputs, and what is wrong. Inputs of a batch that went wrong are kept, if a folder is given."""
    seeds = make_seeds()
    statuses: Counter[str] = Counter()
    faults: list[str] = []
    for first in range(0, n_inputs, BATCH):
        inputs, out = folder / "inputs", folder / "out"
        inputs.mkdir()
        numbers = range(first, min(first + BATCH, n_inputs))
        for number in numbers:
            rng = random.Random(f"{seed} {number}")
            name = rng.choice(list(seeds))
            content = mutate(rng, seeds[name], list(seeds.values())) + number.to_bytes(4, "big")
            (inputs / f"{number:06d}.{name}").write_bytes(content)
        wrong = _run_batch(sorted(inputs.iterdir()), out, statuses, memory)
        if wrong and keep is not None:
            shutil.copytree(inputs, keep, dirs_exist_ok=True)
        faults += [f"batch from {first}: {fault}" for fault in wrong]
        highest = max(memory.peaks_mib.values(), default=0.0)
        print(f"{numbers.stop} inputs: {dict(statuses)}; highest {highest:.0f} MiB", flush=True)
        shutil.rmtree(inputs)
        shutil.rmtree(out, ignore_errors=True)
    return statuses, faults


def _run_batch(paths: list[Path], out: Path, statuses: Counter[str], memory: Memory) -> list[str]:
    import pyarrow.parquet as pq

    from runner import START

    command = [sys.executable, "-c", START, "analyze", *map(str, paths), "-o", str(out), "--json", "-q", "--no-plot"]
    command += ["--device", "cpu", "--workers", "2", "--set", "batch.stall_seconds=20"]
    limit = max(LEAST_SECONDS, SECONDS_PER_INPUT * len(paths))
    environment = os.environ | {"PYTHONPATH": str(ROOT / "pipeline")}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as batch:
        memory.watch(batch.pid, paths[0].parent)
        try:
            _, stderr = batch.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            batch.kill()
            return [f"no end after {limit:.0f} s"]
        finally:
            memory.stop()
    faults = []
    if batch.returncode not in (0, 3):
        return [f"exit code {batch.returncode}: {stderr[-500:]}"]
    if "Traceback" in stderr:
        faults.append("a traceback was printed")
    rows = pq.read_table(out / "batch.parquet").to_pylist()
    if len(rows) != len(paths):
        faults.append(f"{len(rows)} results for {len(paths)} inputs")
    statuses.update(row["status"] for row in rows)
    for row in rows:
        if row["status"] == "crashed":
            statuses[f"crashed: {_how(row['reason'])}"] += 1
        if "internal error" in (row["reason"] or ""):
            faults.append(row["reason"])
    with contextlib.suppress(FileNotFoundError):
        for line in (out / "failed.jsonl").read_text(encoding="utf-8").splitlines():
            json.loads(line)
    return faults


def _how(reason: str) -> str:
    found = re.search(r"second time in isolation: (.*?)\. Repair", reason)
    return found[1] if found else reason[-80:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where inputs of batches that went wrong are put")
    arguments = parser.parse_args()
    begun, memory = time.perf_counter(), Memory()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder).resolve()
        _, faults = fuzz(arguments.inputs, seed=arguments.seed, folder=place, memory=memory, keep=arguments.keep)
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{arguments.inputs} inputs in {time.perf_counter() - begun:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} CPU s"
    )
    ranked = sorted(memory.peaks_mib.items(), key=lambda item: -item[1])
    print(f"memory of {len(ranked)} inputs: " + ", ".join(f"{mib:.0f} MiB {name}" for name, mib in ranked[:SHOWN]))
    highest = usage.ru_maxrss / 1024
    print(f"no process of any batch had more than {highest:.0f} MiB; the cap of a worker is {CAP_MIB} MiB")
    faults += [f"a process had {highest:.0f} MiB"] if highest > CAP_MIB else []
    print("\n".join(faults) if faults else "no hang, no crash of the parent, no error of fervid's own")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
