"""How a live view keeps up: analysed frames a second, latency from a frame's due time to its overlay, drift, memory.

    python benchmarks/live.py [--seconds 180] [--video FILE]

A 720p file at 25 frames a second is played at its own pace, again and again, by `fervid live` as users run it, with the
browser's view on and one viewer that reads pictures over HTTP. Without a file the script makes one: a portrait that
moves. Two latencies are told: until the drawn picture is handed to the view, and until the viewer has its JPEG. Frames
are due at their presentation times, so decoding counts too. The first ten seconds are left out.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pipeline"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"
WARM_UP_SECONDS = 10.0
SAMPLE_SECONDS = 2.0
FPS_BAR, LATENCY_BAR_MS = 10.0, 150.0


class Viewer(threading.Thread):
    """Reads pictures as a browser does, and notes how old each is when it is there."""

    def __init__(self, port: int, token: str) -> None:
        super().__init__(daemon=True)
        self.ages_ms: list[tuple[float, float]] = []
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/pictures", headers={"cookie": f"fervid-{port}={token}"})
        self._answer = connection.getresponse()

    def run(self) -> None:
        lines = self._answer
        lines.readline()
        while True:
            head = {}
            while (line := lines.readline().strip()) != b"":
                name, _, value = line.decode().partition(": ")
                head[name] = value
            if not head:
                return
            begun = time.monotonic()
            lines.read(int(head["Content-Length"]))
            lines.readline()
            lines.readline()
            transfer = (time.monotonic() - begun) * 1000
            self.ages_ms.append((time.monotonic(), float(head["X-Age-Ms"]) + transfer))


def measure(video: Path, seconds: float) -> dict[str, object]:
    """Play `video` for so long; what was measured after the warm-up."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[1] / "pipeline")}
    command = [sys.executable, "-c", START, "live", str(video), "--loop", "--view", "browser", "--stop-after"]
    with tempfile.TemporaryFile("w+") as rows:
        process = subprocess.Popen(
            [*command, str(seconds), "--jsonl"], env=environment, stdout=rows, stderr=subprocess.PIPE, text=True
        )
        assert process.stderr is not None
        port, token = re.search(r":(\d+)/\?token=(\S+)", process.stderr.readline()).groups()  # type: ignore[union-attr]
        viewer = Viewer(int(port), token)
        viewer.start()
        memory: list[tuple[float, float]] = []
        begun, cpu = time.monotonic(), 0.0
        while process.poll() is None:
            memory.append((time.monotonic() - begun, _resident_mib(process.pid)))
            cpu = max(cpu, _cpu_seconds(process.pid))
            time.sleep(SAMPLE_SECONDS)
        wall = time.monotonic() - begun
        rows.seek(0)
        told = [json.loads(line) for line in rows]
    told = [row for row in told if row["time_s"] >= WARM_UP_SECONDS]
    ages = [age for when, age in viewer.ages_ms if when - begun >= WARM_UP_SECONDS]
    settled = [mib for when, mib in memory if when >= WARM_UP_SECONDS and mib]
    third, sixth = len(ages) // 3, len(settled) // 6
    span = told[-1]["time_s"] - told[0]["time_s"]
    return {
        "seconds": round(span, 1),
        "analysed_fps": round((len(told) - 1) / span, 2),
        "shown_fps": round(len(ages) / span, 2),
        "median_latency_ms": _median([row["latency_ms"] for row in told]),
        "viewer_median_latency_ms": _median(ages),
        "viewer_p95_latency_ms": round(sorted(ages)[int(0.95 * len(ages))], 1),
        "viewer_median_first_third_ms": _median(ages[:third]),
        "viewer_median_last_third_ms": _median(ages[-third:]),
        "memory_mib_by_sixths": [_median(settled[i * sixth : (i + 1) * sixth]) for i in range(6)],
        "memory_mib_peak": round(max(settled), 1),
        "cpu_share_of_a_core": round(cpu / wall, 2),
        "load_average": round(os.getloadavg()[0], 1),
    }


def _median(values: list[float]) -> float:
    return round(sorted(values)[len(values) // 2], 1)


def _resident_mib(pid: int) -> float:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return int(found[1]) / 1024 if found else 0.0


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print one JSON object, with the bars."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=180.0)
    parser.add_argument("--video", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = arguments.video
        if video is None:
            from analyze import make_clip

            video = make_clip(Path(folder) / "portrait720p.mp4")
        found = measure(video, arguments.seconds)
    fps, latency = float(str(found["analysed_fps"])), float(str(found["viewer_median_latency_ms"]))
    found |= {"video": video.name, "meets_fps": fps >= FPS_BAR, "meets_latency": latency <= LATENCY_BAR_MS}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
