"""Every command that writes, killed, on a full disk, or beside another one: is anything lost or mixed?

    python benchmarks/interruptions.py kill [--points 200] [--first 0] [--seed 20] [--only NAME...] [--results FILE]
    python benchmarks/interruptions.py full [--points 60] ...      (as root: mounts a small file system)
    python benchmarks/interruptions.py two [--points 60] ...

Works on a part of the drawn clip of the demo and its run, with alerts, a verdict, notes of the user and two copies of
that run. Every command is tried in turn (`NOT_TRIED` says which are not, and why). Each point begins with a copy of the
same folder:

    kill   a process of the command, the first or one of its descendants, gets SIGKILL at a random moment
    full   the disk has room for a random part of what the command writes
    two    two commands begin together, one a random time after the other; each run folder is judged by itself

Then the same command runs again (after `full` with room, after `two` not at all). A point is wrong if

    - a verdict that was there or confirmed, or the user's file in the run's folder, is missing or changed
    - a command ends with a traceback, an internal error, or (`full`) another exit code than 0, 3 and 74
    - the command that runs again does not end with 0
    - a file is missing, left over (hidden ones too, but for locks), or has other bytes than after an unbroken run
    - `verify` finds fault with a run

After `two` each run folder, and each file beside them, has to be as after the two commands one after the other, in
either order; where one was refused, or a purge is one of them, as after either alone. Not compared are the bytes of
files that hold times of running (`VOLATILE`; the verdicts by what they say), the time in a page at which a run of the
folder was finished, recordings of `live`, which never go on, and what a command lists of all runs if that very command
was refused for some or left some out. A point is the same whichever call it is part of. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fervid.alerts.review.reviews import read_history
from fervid.privacy.audit import AUDIT_LOG
from fervid.run.files import DERIVED, HOLD, MANIFEST, RUN_NAME, TABLES, table_file
from fervid.upkeep.verify import verify_run
from interrupted import AGAIN, PAIRS, Folder, check_all_are_named, commands, fresh, make_base
from kill_resume import family
from warm import Command, run

VOLATILE = frozenset(
    (MANIFEST, DERIVED, AUDIT_LOG, HOLD, "purge.jsonl", "reviews.parquet", "batch.parquet", "batch.json")
)
"""Files with times of running in them."""
RECORDED = re.compile(r"demo-mp4-\d{8}-\d{6}-")
"""Recordings are named by their time, and never go on: what is whole of them is left to `verify`."""
SECONDS_LENGTH = len("2026-01-01T00:00:00")
LEFT_OUT = "not finished and left out"
OF_ALL_RUNS = ("report.html", "alerts.html", *(table_file(name) for name in (*TABLES, "videos", "alerts")))
"""What these write beside the runs."""
LISTS = frozenset(("report", "alerts", "compact", "analyze --alerts"))
VERDICTS = {"alerts review": ("second",), AGAIN: ("third",)}
"""The reasons of the verdicts that a command gives."""
DONE, REFUSED, BUG, NO_ROOM = 0, 3, 70, 74
ROOMY_BYTES = 1 << 28
PAGE_BYTES = 4096
PARENT_SHARE = 0.7
SAME_PAIR_POINTS = 3


def contents(folder: Folder) -> dict[str, str]:
    """What is in the folder: a hash of each file, names of empty folders, and what the verdicts say."""
    found: dict[str, str] = {}
    finished = [
        json.loads((run / MANIFEST).read_text())["finished_utc"][:SECONDS_LENGTH].encode() for run in folder.runs
    ]
    for path in sorted(folder.out.rglob("*")):
        name = path.relative_to(folder.out).as_posix()
        if RECORDED.match(name):
            continue
        if path.is_dir():
            found |= {} if any(path.iterdir()) else {name: "empty"}
        elif path.name == "reviews.parquet":
            found[name] = str(sorted({review.reason for review in read_history(path.parent)}))
        elif path.suffix != ".lock":
            content = path.read_bytes()
            for moment in finished if path.suffix == ".html" else ():
                content = content.replace(moment, b"")
            found[name] = "" if path.name in VOLATILE else hashlib.sha256(content).hexdigest()
    return found


def differences(found: dict[str, str], expected: dict[str, str]) -> list[str]:
    return [name for name in sorted(found.keys() | expected.keys()) if found.get(name) != expected.get(name)]


def damage(folder: Folder) -> list[str]:
    """What `verify` says of the runs."""
    return [f"{run.name}: {problem}" for run in folder.runs for problem in verify_run(run)]


def is_in_words(said: str) -> bool:
    return "Traceback" not in said and "internal error" not in said


class Known:
    """What folders hold after commands that nothing disturbs, and how long those take; each is measured once."""

    def __init__(self, base: Path, folder: Folder) -> None:
        self._base, self._folder = base, folder
        self._found: dict[tuple[str, ...], tuple[dict[str, str], float]] = {}

    def contents(self, *names: str) -> dict[str, str]:
        return self._after(names)[0]

    def seconds(self, name: str) -> float:
        return self._after((name,))[1]

    def _after(self, names: tuple[str, ...]) -> tuple[dict[str, str], float]:
        if names not in self._found:
            here = contents(self._folder)
            with tempfile.TemporaryDirectory() as aside:
                shutil.copytree(self._folder.root, aside, dirs_exist_ok=True)
                fresh(self._base, self._folder, names[0])
                for name in names:
                    begun = time.monotonic()
                    code, _, said = run(commands(self._folder)[name])
                    if code != DONE and name == names[0]:
                        sys.exit(f"{name}: exit {code}: {said}")
                self._found[names] = contents(self._folder), time.monotonic() - begun
                fresh(Path(aside), self._folder, "")
            assert contents(self._folder) == here
        return self._found[names]


def lost(folder: Folder, *confirmed: str) -> list[str]:
    """What is lost of the verdicts that were confirmed, and of the user's own."""
    reasons = [review.reason for review in read_history(folder.run)]
    is_kept = reasons.count("first") == 1 and set(confirmed) <= set(reasons)
    notes = (folder.run / "case-notes.txt").read_text()
    return [*([] if is_kept else [f"verdicts: {reasons}"]), *([] if notes == "mine" else [f"notes: {notes!r}"])]


def again(folder: Folder, name: str, expected: dict[str, str]) -> list[str]:
    """The same command once more: what is wrong after it."""
    code, _, said = run(commands(folder)[name])
    wrong = [] if code == DONE else [f"exit {code}: {said}"]
    return wrong + differences(contents(folder), expected) + damage(folder)


def kill(folder: Folder, base: Path, name: str, rng: random.Random, known: Known) -> list[str]:
    """Kill the command at a random moment, and run it again."""
    length, expected = known.seconds(name), known.contents(name)
    victim = 0
    while not victim:  # it may end before its time
        fresh(base, folder, name)
        command = Command(commands(folder)[name])
        if not command.is_over_after(rng.uniform(0, length)):
            parent = int(command.process.pid or 0)
            victim = parent if rng.random() < PARENT_SHARE else rng.choice(family(parent))
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        code, said, errors = command.end()
    wrong = lost(folder, *(VERDICTS.get(name, ()) if said else ()))
    if code >= 0 and not is_in_words(errors):
        wrong.append(errors)
    return wrong + again(folder, name, expected)


def full(folder: Folder, base: Path, name: str, rng: random.Random, known: Known) -> list[str]:
    """Run the command where part of what it writes finds no room, then with room."""
    expected = known.contents(name)
    fresh(base, folder, name)
    room = rng.choice((0, PAGE_BYTES, 2 * PAGE_BYTES, rng.randrange(1 << 16), rng.randrange(1 << 19)))
    resize(folder.root, used_bytes(folder.root) + room)
    code, _, errors = run(commands(folder)[name])
    wrong = lost(folder, *(VERDICTS.get(name, ()) if code == DONE else ()))
    if code not in (DONE, REFUSED, NO_ROOM) or not is_in_words(errors):
        wrong.append(f"exit {code}: {errors}")
    wrong += damage(folder) if name != "verify --repair" else []
    resize(folder.root, ROOMY_BYTES)
    return [f"({room} bytes free, exit {code}) {line}" for line in wrong + again(folder, name, expected)]


@contextlib.contextmanager
def small_disk(root: Path) -> Iterator[None]:
    """A file system of its own at a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOMY_BYTES}", "tmpfs", str(root)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(root)], check=True)


def used_bytes(root: Path) -> int:
    found = os.statvfs(root)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def resize(root: Path, n_bytes: int) -> None:
    subprocess.run(["mount", "-o", f"remount,size={n_bytes}", str(root)], check=True)


def _below(found: dict[str, str], run: str) -> dict[str, str]:
    return {name: content for name, content in found.items() if name.split("/")[0] == run}


def _lists_runs(name: str) -> bool:
    return name.rpartition("/")[2] in OF_ALL_RUNS and not RUN_NAME.fullmatch(name.split("/")[0])


def two(folder: Folder, base: Path, names: tuple[str, str], rng: random.Random, known: Known) -> list[str]:
    """Run two commands at once; the folder must be as if one had come after the other, or had been refused."""
    delay = rng.uniform(0, known.seconds(names[0]))
    fresh(base, folder, names[0])
    first = Command(commands(folder)[names[0]])
    first.is_over_after(delay)
    ends = [command.end() for command in (first, Command(commands(folder)[names[1]]))]
    said_kept = (VERDICTS.get(name, ()) for end, name in zip(ends, names, strict=True) if end[0] == DONE)
    wrong = lost(folder, *itertools.chain(*said_kept))
    for (code, _, said), name in zip(ends, names, strict=True):
        if code in (1, BUG) or code < 0 or not is_in_words(said):
            wrong.append(f"{name}: exit {code}: {said}")
    orders: list[tuple[str, ...]] = [names, names[::-1]]
    if any(code != DONE for code, _, _ in ends) or "purge" in names:  # which leaves runs in use as they are
        orders += [names[:1], names[1:]]
    found, states = contents(folder), [known.contents(*order) for order in orders]
    lists = [end for end, name in zip(ends, names, strict=True) if name in LISTS]
    if any(code != DONE or LEFT_OUT in said for code, _, said in lists):  # it lists the other runs: neither of both
        found, *states = ({name: one[name] for name in one if not _lists_runs(name)} for one in (found, *states))
    for below in {name.split("/")[0] for name in found}:
        apart = [differences(_below(found, below), _below(state, below)) for state in states]
        if all(apart):
            wrong.append(f"{below} is mixed, exits {[code for code, _, _ in ends]}: {min(apart, key=len)}")
    return wrong + damage(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("how", choices=("kill", "full", "two"))
    parser.add_argument("--points", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="number of the first point")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--only", nargs="+", help="these commands alone")
    parser.add_argument("--results", type=Path, help="file that keeps the points; those in it are not tried again")
    chosen = parser.parse_args()
    earlier = [json.loads(line) for line in chosen.results.open()] if chosen.results and chosen.results.exists() else []
    done = {one["point"]: one for one in earlier if (one["how"], one["seed"]) == (chosen.how, chosen.seed)}
    with tempfile.TemporaryDirectory() as name:
        folder, base = Folder(Path(name) / "work"), Path(name) / "base"
        make_base(folder)
        shutil.copytree(folder.root, base)
        known = Known(base, folder)
        check_all_are_named(commands(folder))
        names = [one for one in commands(folder) if one != AGAIN and (not chosen.only or one in chosen.only)]
        with small_disk(folder.root) if chosen.how == "full" else contextlib.nullcontext():
            for point in range(chosen.first, chosen.first + chosen.points):
                if point not in done:
                    one = try_point(chosen.how, point, chosen.seed, names, folder, base, known)
                    done[point] = one
                    print(f"{point}: {one['what']}: {'; '.join(one['wrong']) or 'nothing lost'}", flush=True)
                    if chosen.results:
                        with chosen.results.open("a") as file:
                            file.write(json.dumps(one) + "\n")
    print(table([done[point] for point in range(chosen.first, chosen.first + chosen.points)]))


def try_point(
    how: str, point: int, seed: int, names: list[str], folder: Folder, base: Path, known: Known
) -> dict[str, Any]:
    """What was done at a point, and what was wrong after it."""
    rng = random.Random(f"{seed} {how} {point}")
    if how == "two":
        pair = PAIRS[point // SAME_PAIR_POINTS % len(PAIRS)]
        what, wrong = " beside ".join(pair), two(folder, base, pair, rng, known)
    else:
        what = names[point % len(names)]
        wrong = (kill if how == "kill" else full)(folder, base, what, rng, known)
    return {"how": how, "seed": seed, "point": point, "what": what, "wrong": wrong}


def table(points: list[dict[str, Any]]) -> str:
    """The points of each command, and how many of them lost or mixed something."""
    tried = Counter(one["what"] for one in points)
    wrong = Counter(one["what"] for one in points if one["wrong"])
    rows = [f"| {name} | {n} | {wrong[name]} |" for name, n in tried.items()]
    rows.append(f"| all | {len(points)} | {wrong.total()} |")
    return "\n".join(("| command | points | wrong |", "|---|---|---|", *rows))


if __name__ == "__main__":
    main()
