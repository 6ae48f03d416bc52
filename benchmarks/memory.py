"""Where the memory of an analysis is at its peak: by process, and the pages of libraries by package. Linux alone.

    python benchmarks/memory.py VIDEO

Analyses a video with one worker, and looks at the maps of all processes of the command. What a process wrote counts by
its proportional share. Pages of files count once for all processes, as they do where nothing else uses the same files;
their proportional share would be smaller while other analyses run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from kill_resume import ROOT, START, family

LOOK_EVERY_SECONDS = 0.2
KIB_PER_MIB = 1024
SHOWN = 8


def maps_of(process: int) -> tuple[float, Counter[tuple[str, str]]]:
    """What a process wrote, and what it has of each part of a file, in KiB."""
    written, files = 0.0, Counter[tuple[str, str]]()
    try:
        lines = Path(f"/proc/{process}/smaps").read_text().splitlines()
    except OSError:
        return written, files
    path, offset, sizes = "", "", dict[str, int]()
    for line in lines:
        name, *values = line.split()
        if not name.endswith(":"):  # `address rights offset device inode path`
            offset, path, sizes = values[1], " ".join(values[4:]), {}
            continue
        if values[1:] == ["kB"]:
            sizes[name] = int(values[0])
        if name == "VmFlags:" and sizes["Rss:"]:
            share = sizes["Pss:"] / sizes["Rss:"]
            written += share * (sizes["Anonymous:"] if path.startswith("/") else sizes["Rss:"])
            if path.startswith("/"):
                files[path, offset] += sizes["Rss:"] - sizes["Anonymous:"]
    return written, files


def peak_of(command: list[str]) -> tuple[dict[int, float], Counter[str]]:
    """MiB that each process wrote, and MiB of files by package, at the moment when both together were most."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    most, found = 0.0, ({0: 0.0}, Counter[tuple[str, str]]())
    while process.poll() is None:
        maps = {member: maps_of(member) for member in family(process.pid)}
        files = Counter[tuple[str, str]]()
        for _, own in maps.values():
            files |= own
        total = files.total() + sum(written for written, _ in maps.values())
        if total > most:
            most, found = total, ({member: written / KIB_PER_MIB for member, (written, _) in maps.items()}, files)
        time.sleep(LOOK_EVERY_SECONDS)
    if process.returncode:
        sys.exit(f"{command} failed ({process.returncode})")
    packages = Counter[str]()
    for (path, _), size in found[1].items():
        packages[path.partition("site-packages/")[2].split("/")[0] or os.path.basename(path)] += size
    return found[0], packages


def main() -> None:
    with tempfile.TemporaryDirectory() as out:
        options = ["-o", out, "--workers", "1", "--no-plot", "-q", "--device", "cpu"]
        os.environ["PYTHONPATH"] = str(ROOT / "pipeline")
        written, packages = peak_of([sys.executable, "-c", START, "analyze", sys.argv[1], *options])
    files = packages.total() / KIB_PER_MIB
    print(f"peak: {sum(written.values()) + files:.0f} MiB; written by each process:", end=" ")
    print(", ".join(f"{size:.0f}" for size in written.values()), end=f"; pages of files {files:.0f} (")
    print(", ".join(f"{name} {size / KIB_PER_MIB:.0f}" for name, size in packages.most_common(SHOWN)) + ")")


if __name__ == "__main__":
    main()
