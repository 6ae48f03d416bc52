"""Do 300 damaged or hostile runs cost the 20 good ones beside them anything, and do strangers keep a reviewer out?

Copies the run of the demo 20 times, and 300 times with one thing of it damaged: values of the manifest (sealed again,
as somebody would who means harm), bytes of manifest, tables and alert list, tables of other columns, empty and missing
files. Every folder command has to do all good runs, exit with 3 and raise nothing; the server has to answer every
request of every run with 200 or in words. Before that clients open connections to `fervid serve` and `fervid live`,
begin a request and never end it, while the page is asked for (`--damaged 0`: that alone).

    python benchmarks/hostile_runs.py [--damaged 300] [--good 20] [--half-open 2000]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "benchmarks")]

from bit_flips import a_run, command  # noqa: E402
from fervid.storage.files import file_sha256  # noqa: E402
from manifests import change_manifest  # noqa: E402
from runner import START  # noqa: E402
from served import serving  # noqa: E402

VALUES = (None, -1, "", "x" * 10_000, [], {}, [[]], float("nan"), float("inf"), 1e300, True, "\0", "../..", {"a": {}})
"""What stands in place of a value of a manifest."""
SECTIONS = ("video", "ledger", "results", "model", "settings")


def damage(run: Path, number: int, rng: np.random.Generator) -> str:
    """Damage one thing of a run; says what."""
    kind = ("value", "inner value", "bytes", "columns", "empty", "missing", "json")[number % 7]
    content = json.loads((run / "manifest.json").read_text())
    value = VALUES[int(rng.integers(len(VALUES)))]
    if kind == "value":
        name = sorted(set(content) - {"sha256"})[int(rng.integers(len(content) - 1))]
        change_manifest(run, **{name: value})
        return f"{kind} {name}"
    if kind == "inner value":
        section = SECTIONS[int(rng.integers(len(SECTIONS)))]
        name = sorted(content[section])[int(rng.integers(len(content[section])))]
        change_manifest(run, **{section: content[section] | {name: value}})
        return f"{kind} {section}.{name}"
    tables = sorted(run.glob("*.parquet"))
    path = [*tables, run / "manifest.json", run / "alerts.json"][int(rng.integers(len(tables) + 2))]
    if kind == "columns":  # of somebody else's making: the hashes fit
        path = tables[int(rng.integers(len(tables)))]
        pq.write_table(pa.table({"time_s": ["x"], "frame": [None], "track_id": [[1]]}), path)
        if path.name in content["outputs"]:
            change_manifest(run, outputs=content["outputs"] | {path.name: file_sha256(path)}, output_bytes={})
        else:
            (run / "derived.jsonl").unlink()
    elif kind == "bytes":
        raw = bytearray(path.read_bytes())
        for _ in range(20):
            raw[int(rng.integers(len(raw)))] = int(rng.integers(256))
        path.write_bytes(raw)
    elif kind == "json":
        (run / "derived.jsonl").unlink()
        (run / "alerts.json").write_text(
            ("[" * 50_000, '{"alerts": [1]}', '{"alerts": [{"start_s": NaN}]}')[number % 3]
        )
    else:
        path.write_bytes(b"") if kind == "empty" else path.unlink()
    return f"{kind} {path.name}"


def folder_commands(runs: Path, out: Path, n_good: int) -> None:
    """Run every folder command over all runs and print what became of it."""
    commands = {
        "alerts": ("alerts", str(runs)),
        "export": ("export", str(runs), "--format", "csv"),
        "profile": ("profile", str(runs), "--json", "-o", str(out / "profiles")),
        "query": ("query", "SELECT DISTINCT run FROM faces", str(runs), "--format", "csv"),
        "compact": ("compact", str(runs), "-o", str(out / "compacted")),
        "report": ("report", str(runs), "-o", str(out)),
        "verify": ("verify", str(runs)),
    }
    for name, arguments in commands.items():
        begun = time.perf_counter()
        code, printed, said = command(*arguments)
        done = sum(f"good-{number:04d}" in printed for number in range(n_good))
        if name in ("report", "compact", "alerts", "profile", "verify"):
            done = n_good - sum(
                f"good-{number:04d}" in line
                for number in range(n_good)
                for line in said.splitlines()
                if "fervid: /" in line
            )
        seconds = time.perf_counter() - begun
        print(
            f"{name}: exit {code}, good runs done {done} of {n_good}, traceback {'Traceback' in said}, {seconds:.0f} s",
            flush=True,
        )


def answers(runs: Path) -> None:
    """Ask the server for everything of every run and print the statuses."""
    statuses: Counter[int] = Counter()
    with serving(runs) as client:
        listing = client.ask("/api/runs")
        statuses[listing.status] += 1
        found = listing.json()
        for card in found["runs"]:
            for path in (f"/api/runs/{card['id']}", f"/api/strips?ids={card['id']}", f"/media/{card['id']}"):
                answer = client.ask(path)
                statuses[answer.status] += 1
                assert answer.status == 200 or answer.json()["error"]
    n_named = len(found["failures"])
    print(f"serve: {len(found['runs'])} runs listed, {n_named} named as unreadable, answers {dict(statuses)}")


def half_open(name: str, command: list[str], n: int, *, wait_seconds: float = 0.0) -> None:
    """Ask a server for a page of its own while so many connections wait; print the slowest of five answers.

    The server is a process of its own, as for its users, and prints its address. `wait_seconds` is until it is at work.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, n + 1000)), hard))
    with tempfile.TemporaryFile("w+") as said:
        server = subprocess.Popen([sys.executable, "-c", START, *command], stdout=said, stderr=said)
        try:
            port, token = _address(server, said)
            time.sleep(wait_seconds)
            used = _cpu_seconds(server.pid)
            waiting = []
            for _ in range(n):
                one = socket.create_connection(("127.0.0.1", port), timeout=10)
                one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ")
                waiting.append(one)
            seconds = []
            for _ in range(5):
                begun = time.perf_counter()
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                connection.request("GET", f"/?token={token}")
                assert connection.getresponse().status == 200
                connection.close()
                seconds.append(time.perf_counter() - begun)
            used = _cpu_seconds(server.pid) - used
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(60)
    for one in waiting:
        one.close()
    print(
        f"{name}: {n} half-open connections: slowest of five answers {max(seconds):.3f} s, CPU {used:.2f} s", flush=True
    )


def _address(server: subprocess.Popen[bytes], said: IO[str]) -> tuple[int, str]:
    """The port and the token that a server printed."""
    while True:
        said.seek(0)
        if found := re.search(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]+)", said.read()):
            return int(found[1]), found[2]
        assert server.poll() is None
        time.sleep(0.05)


def _cpu_seconds(process_id: int) -> float:
    """CPU seconds of a process and all its threads."""
    fields = Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--damaged", type=int, default=300)
    parser.add_argument("--good", type=int, default=20)
    parser.add_argument("--half-open", type=int, default=2000)
    chosen = parser.parse_args()
    rng = np.random.default_rng(20)
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        made, runs = a_run(place / "demo"), place / "runs"
        shutil.rmtree(made / "observations")
        (place / "out").mkdir()
        half_open("serve", ["serve", str(place / "demo"), "--port", "0"], chosen.half_open)
        live = ["live", str(place / "demo" / "demo.mp4"), "--loop", "--view", "browser", "-q"]
        half_open("live", live, chosen.half_open, wait_seconds=10.0)
        if not chosen.damaged:
            return
        for number in range(chosen.good):
            shutil.copytree(made, runs / f"good-{number:04d}-{made.name[-8:]}")
        for number in range(chosen.damaged):
            run = Path(shutil.copytree(made, runs / f"bad-{number:04d}-{made.name[-8:]}"))
            damage(run, number, rng)
        folder_commands(runs, place / "out", chosen.good)
        answers(runs)


if __name__ == "__main__":
    main()
