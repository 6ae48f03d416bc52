"""Broken, odd and hostile files in one batch with good ones: does each get what was promised?

    python benchmarks/bad_files.py [FOLDER...] [--good N]

Without FOLDER the files of `tests/bad_files.py` are made. A FOLDER may hold a `manifest.json`, a list of objects with
`file` and `expect` (`ok`, `partial`, `reject`, `skip`, `any`); of others nothing is expected but that they end.
Of files of one content fervid analyses one, and says so of the others. Exits with 1 when a promise is broken, a good
video is lost, or anything but a line a file is printed. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

HARD_LIMIT_SECONDS = 600
ALLOWED = {
    "ok": ("complete",),
    "partial": ("partial",),
    "reject": ("rejected",),
    "skip": (None, "rejected"),
    "any": ("complete", "partial", "rejected"),
}
PROMISES = {"complete": "ok", "partial": "partial", "rejected": "reject", "skipped": "skip"}


def given_files(folder: Path) -> dict[str, str]:
    """What is expected of each file of a folder, by path."""
    listed = folder / "manifest.json"
    if listed.is_file():
        records = json.loads(listed.read_text())
        return {os.path.join(folder, record["file"]): record["expect"] for record in records if "skipped" not in record}
    return {os.path.join(folder, name): "any" for name in sorted(os.listdir(folder))}


def own_files(folder: Path) -> dict[str, str]:
    """The project's own cases."""
    import bad_files

    bad_files.make_all(folder)
    return {str(folder / case.name): PROMISES.get(case.promise, "any") for case in bad_files.CASES}


def good_files(folder: Path, n_files: int) -> dict[str, str]:
    """Sound videos of a moving face."""
    from synthetic import constant_rate, face_until, write_video

    folder.mkdir()
    expected = {}
    for i in range(n_files):
        expected[str(write_video(folder / f"good{i}.mp4", constant_rate(1 + i / 10), face_until(1)))] = "ok"
    return expected


def analyse(paths: list[str], out: Path) -> tuple[subprocess.CompletedProcess[str], float]:
    """One batch over all files, and its seconds."""
    from runner import HELD_TO_PERMISSIONS, START

    begun = time.perf_counter()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            HELD_TO_PERMISSIONS + START,
            "analyze",
            *paths,
            "-o",
            str(out),
            "-q",
            "--no-plot",
            "--device",
            "cpu",
        ],
        env=os.environ | {"PYTHONPATH": str(ROOT / "pipeline")},
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=HARD_LIMIT_SECONDS,
        check=False,
    )
    return done, time.perf_counter() - begun


def judge(expected: dict[str, str], rows: list[dict[str, Any]]) -> list[str]:
    """What is not as promised, a line each. A file that holds the same as another is judged by that one."""
    from fervid.base.printable import printable

    by_path = {row["video"]: row for row in rows}
    faults = []
    for path, expectation in expected.items():
        row = by_path.get(printable(path))
        if row is not None and row["status"] == "same" and expectation != "skip":
            row = next(other for other in rows if f"same as {other['video']}, " in row["reason"])
        status = row and row["status"]
        if status not in ALLOWED[expectation]:
            faults.append(f"{path!a}: {expectation} was expected, found {status} ({row and row['reason']})")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--good", type=int, default=10)
    arguments = parser.parse_args()
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as folder:
        expected = good_files(Path(folder) / "good", arguments.good)
        for given in arguments.folders:
            expected |= given_files(given.absolute())
        if not arguments.folders:
            expected |= own_files(Path(folder) / "bad")
        out = Path(folder) / "out"
        done, seconds = analyse(list(expected), out)
        rows = pq.read_table(out / "batch.parquet").to_pylist()
        faults = judge(expected, rows)
        lines = done.stderr.splitlines()
        if done.returncode != 3:
            faults.append(f"the exit code is {done.returncode}, not 3")
        if "Traceback" in done.stderr or not all(line.startswith("fervid: ") for line in lines[:-1]):
            faults.append("something else than a line a file was printed on stderr")
        found = Counter(row["status"] for row in rows)
        asked = Counter(expected.values())
        print(f"{len(expected)} files ({', '.join(f'{n} {name}' for name, n in sorted(asked.items()))})")
        print(f"found {', '.join(f'{n} {name}' for name, n in sorted(found.items()))} in {seconds:.1f} s: {lines[-1]}")
        print("\n".join(faults) if faults else "every file got what was promised")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
