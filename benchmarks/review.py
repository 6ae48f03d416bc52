"""How long a reviewer waits: new folders, the page of an hour of video, a click on the chart; keys and file sizes.

    python benchmarks/review.py [--faces N] [--runs N] [--new N] [--folder DIR]

Needs fervid[test] and Chromium. The hour is the demo clip, analysed once and repeated: its packets are copied 300
times, its rows repeated with scores and boxes that wander at random, so that nothing compresses better than true rows.
Times are what a clock on the wall says from the first request on, medians of three visits, and beside them the CPU
seconds of browser and server together: on a machine with nothing else to do the wait is at most that. Its load is
printed. Thumbnails of the folder that is viewed again and again were made before; the new folder has none, and what its
server used, with its workers, stands apart from what the browser used. Previews are of an HEVC of 960 x 540. Linux only
(/proc).
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import av
import numpy as np
import pandas as pd
import pyarrow as pa

import fervid
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import load_rules
from fervid.demo.photograph import SECONDS, make_demo_clip
from fervid.review.cards import run_id
from fervid.review.preview import CLIP_SECONDS, Previews
from fervid.review.report import write_reports
from fervid.run.files import MANIFEST
from fervid.run.handle import Run
from fervid.run.io import write_table
from fervid.run.schema import faces_schema, frames_schema, timeline_schema, tracks_schema
from fervid.storage.files import content_id

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from browser import OPTIONS, Visit, first_address, launch, open_page
from manifests import change_manifest
from many_runs import many_runs
from review_run import measure_charts
from served import Served, serving

HOUR_SECONDS, FPS = 3600, 5
TRACK_SECONDS = 20
VISITS = 3
CLICKS = 12
N_ALERTS = 8
PLAYED_SECONDS = 12
READY_SECONDS = 8
"""Between the start of `fervid serve` and the first visitor to a preview: its worker starts meanwhile."""
STEADINESS = 0.9
"""How much of a score carries on from one sample to the next; the rest is drawn anew."""


def main() -> None:
    options = _options()
    folder = Path(options.folder or tempfile.mkdtemp(prefix="fervid-review-"))
    demo = fervid.analyze(make_demo_clip(folder / "demo" / "clip.mp4"), out=folder / "demo", device="cpu", plot=False)
    write_alerts(scan_run(demo, load_rules("anger")))
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")

    hour = make_hour(demo, folder / "hour", n_faces=options.faces)
    page = write_reports([hour.folder])[0]
    rows = hour.faces.num_rows
    print(f"an hour of {options.faces} faces, {rows:,} rows: report.html {page.stat().st_size / 1e6:.2f} MB")
    Previews((folder,)).thumbnail(demo)
    many_runs(demo, folder / "many", options.runs, options.runs)
    many_runs(demo, folder / "new", options.new, N_ALERTS)
    hevc = fervid.analyze(make_hevc(demo, folder / "hevc.mp4"), out=folder / "hevc", device="cpu", plot=False)
    measure_previews(hevc)

    from playwright.sync_api import sync_playwright

    with sync_playwright() as engine:
        browser = launch(engine)
        if options.runs:
            with serving(folder / "many") as served:
                first = seconds_to_list(browser, served)
                later = [seconds_to_list(browser, served) for _ in range(VISITS)]
                print(f"{options.runs} runs, first view: {shown([first])}; later: {shown(later)}")
        with serving(folder / "hour") as served:
            address = first_address(served, f"#/run/{run_id(hour.folder)}")
            times = [seconds_to_run(browser, address) for _ in range(VISITS)]
            print(f"an hour, served, until it answers a key: {shown(times)}")
            measure_seeks(browser, address)
            measure_charts(browser, address, lambda: cpu_seconds()[0])
        with serving(folder / "new") as served:
            measure_new_folder(browser, served)
            measure_keys(browser, served)
        with serving(folder / "hevc", begins=True) as served:
            sleep(READY_SECONDS)
            measure_playing(browser, first_address(served, f"#/run/{run_id(hevc.folder)}"))
        times = [seconds_to_run(browser, f"file://{page}") for _ in range(VISITS)]
        print(f"an hour, report.html from disk, until it answers a key: {shown(times)}")
        browser.close()
    if options.folder is None:
        shutil.rmtree(folder)


def make_hour(demo: Run, folder: Path, *, n_faces: int) -> Run:
    """A run of an hour with `n_faces` at any moment, its video beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "run").mkdir(parents=True)
    video = repeat_video(Path(demo.manifest.video_path), folder / "hour.mp4", HOUR_SECONDS // SECONDS)
    labels = demo.manifest.model["labels"]
    times = np.arange(HOUR_SECONDS * FPS) / FPS
    n = len(times)
    random = np.random.default_rng(0)
    frames = pd.DataFrame({"video_id": "hour", "frame": np.arange(n) * 5, "pts": np.arange(n), "time_s": times})
    frames = frames.assign(
        n_faces=n_faces, is_cut=np.arange(n) % 61 == 0, brightness=0.5, motion=0.1, status="analysed"
    )
    faces = pd.concat([wandering_faces(frames, labels, i, random) for i in range(n_faces)])
    faces = faces.sort_values(["frame", "track_id"])
    tracks = faces.groupby("track_id").agg(
        start_s=("time_s", "min"), end_s=("time_s", "max"), n_faces=("frame", "size")
    )
    means = faces.groupby("track_id")[[f"s_{label}" for label in labels]].mean()
    means.columns = [f"mean_{label}" for label in labels]
    tracks = tracks.join(means).reset_index().assign(video_id="hour")
    bins = faces.assign(bin=faces.time_s.astype(int)).groupby("bin")[[f"s_{label}" for label in labels]].mean()
    timeline = pd.DataFrame({"video_id": "hour", "start_s": bins.index.astype(float), "end_s": bins.index + 1.0})
    timeline = timeline.assign(n_analysed=FPS, observed_s=1.0, coverage=1.0, mean_faces=n_faces, n_tracks=n_faces)
    for label in labels:
        timeline[f"mean_{label}"] = timeline[f"share_{label}"] = bins[f"s_{label}"].to_numpy()
    schemas = {"frames": (frames, frames_schema()), "faces": (faces, faces_schema(labels, has_readout=True))}
    schemas |= {"tracks": (tracks, tracks_schema(labels)), "timeline": (timeline, timeline_schema(labels))}
    for name, (table, schema) in schemas.items():
        columns = pa.Table.from_pandas(table[schema.names], schema=schema, preserve_index=False)
        write_table(folder / "run" / f"{name}.parquet", columns, {})
    shutil.copy(demo.folder / MANIFEST, folder / "run" / MANIFEST)
    about = demo.manifest.video | {"duration_seconds": float(HOUR_SECONDS)}
    own = {"video_id": content_id(video), "video_path": str(video), "video_bytes": video.stat().st_size}
    change_manifest(folder / "run", video=about, outputs={}, observations={}, **own)
    run = fervid.open_run(folder / "run")
    write_alerts(scan_run(run, load_rules("anger")))
    return run


def wandering_faces(frames: pd.DataFrame, labels: list[str], number: int, random: np.random.Generator) -> pd.DataFrame:
    """A face in every frame, a new track every TRACK_SECONDS; scores and box carry on with noise."""
    n = len(frames)
    logits = np.empty((n, len(labels)))
    logits[0] = random.normal(size=len(labels))
    fresh = random.normal(size=(n, len(labels)))
    for i in range(1, n):
        logits[i] = STEADINESS * logits[i - 1] + (1 - STEADINESS**2) ** 0.5 * fresh[i]
    scores = np.exp(2 * logits) / np.exp(2 * logits).sum(axis=1, keepdims=True)
    track = (frames.time_s // TRACK_SECONDS).astype(int) * 100 + number
    place = np.cumsum(random.normal(scale=2.0, size=(n, 4)), axis=0) % 120
    faces = frames[["video_id", "frame", "pts", "time_s"]].assign(track_id=track, det_score=0.9)
    for i, side in enumerate("xywh"):
        faces[side] = place[:, i] + (60.0 if side in "wh" else 20.0 + 100 * number)
    looks = {"quality": random.uniform(0.5, 1, n), "sharpness": 0.8, "light": 0.5}
    looks |= {"roll_degrees": 0.0, "yaw_degrees": 0.0, "pitch_degrees": 0.0}
    faces = faces.assign(**looks)
    for i, label in enumerate(labels):
        faces[f"p_{label}"] = faces[f"s_{label}"] = faces[f"r_{label}"] = scores[:, i]
    ordered = np.sort(scores, axis=1)
    margin = ordered[:, -1] - ordered[:, -2]
    named = np.array(labels)[scores.argmax(axis=1)]
    faces = faces.assign(label=named, confidence=ordered[:, -1], margin=margin)
    return faces.assign(abstain=np.where(margin < 0.1, "unsure", None))


def repeat_video(source: Path, target: Path, times: int) -> Path:
    """The same packets over and over, their times moved on."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copied = out.add_stream_from_template(stream)
        length = round(SECONDS / stream.time_base)
        packets = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in container.demux(stream) if p.dts is not None]
        for i in range(times):
            for data, pts, dts, is_key in packets:
                packet = av.Packet(data)
                packet.pts, packet.dts, packet.is_keyframe = pts + i * length, dts + i * length, is_key
                packet.time_base, packet.stream = stream.time_base, copied
                out.mux(packet)
    return target


@dataclass(frozen=True)
class Wait:
    """Seconds on the wall, CPU seconds of everything that took part, and those of the server and its workers."""

    wall: float
    cpu: float
    server: float


class Watch:
    """Both clocks, from when it is made."""

    def __init__(self) -> None:
        self._wall, self._cpu = perf_counter(), cpu_seconds()

    def read(self) -> Wait:
        every, server = cpu_seconds()
        return Wait(perf_counter() - self._wall, every - self._cpu[0], server - self._cpu[1])


def cpu_seconds() -> tuple[float, float]:
    """CPU time so far of this process and all below it, and the part without the browser: that of the server."""
    parents, used, names = {}, {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            about, _, rest = (folder / "stat").read_text().rpartition(") ")
            fields = rest.split()
        except OSError:
            continue
        names[int(folder.name)] = about.partition("(")[2]
        parents[int(folder.name)] = int(fields[1])
        used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    own = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in own} - own:
        own |= more
    servers = [pid for pid in own if names.get(pid, "").startswith("python")]
    return sum(used.get(pid, 0.0) for pid in own), sum(used.get(pid, 0.0) for pid in servers)


def seconds_to_list(browser: Any, served: Served) -> Wait:
    """From the first request to the lines there and the strips in view painted."""
    context = browser.new_context(**OPTIONS)
    watch = Watch()
    opened = open_page(context, first_address(served))
    painted = "(c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((v) => v))"
    opened.until(f"[...document.querySelectorAll('canvas.strip')].slice(0, 8).every({painted})")
    wait = watch.read()
    check(opened)
    return wait


def seconds_to_run(browser: Any, address: str) -> Wait:
    """From the first request until a key has moved the cursor; the picture may come later."""
    context = browser.new_context(**OPTIONS)
    watch = Watch()
    opened = open_page(context, address)
    opened.page.keyboard.press("ArrowRight")
    opened.until("+document.querySelector('[role=slider]')?.ariaValueNow === 1")
    wait = watch.read()
    check(opened)
    return wait


def measure_seeks(browser: Any, address: str) -> None:
    """Click all over the chart: how far the picture lies from the moment of the pixel, and how long it takes."""
    opened = open_page(browser.new_context(**OPTIONS), address)
    opened.wait_for_picture()
    errors, waits = [], []
    for wanted in np.linspace(0.03, 0.97, CLICKS) * HOUR_SECONDS:
        start = perf_counter()
        asked = opened.click_time(float(wanted))
        opened.wait_for_picture()
        waits.append(perf_counter() - start)
        errors.append(abs(opened.time() - asked))
    wait = statistics.median(waits)
    print(f"{CLICKS} clicks on the hour: off by at most {max(errors):.3f} s, picture after {wait:.2f} s")
    check(opened)


def measure_new_folder(browser: Any, served: Served) -> None:
    """A folder without any picture: the list, then a click on a row, as a reviewer would at once."""
    context = browser.new_context(**OPTIONS)
    watch = Watch()
    opened = open_page(context, first_address(served))
    opened.until("document.querySelectorAll('.runs td.name a').length > 8")
    listed = watch.read()
    opened.page.mouse.wheel(0, 600)
    watch = Watch()
    opened.page.locator(".runs td.name a").nth(9).click()
    opened.until("document.querySelector('.run [role=slider]') !== null")
    shown_run = watch.read()
    opened.wait_for_picture()
    pictured = watch.read()
    print(f"a new folder, list usable: {apart(listed)}; a click shows the run: {apart(shown_run)}, ", end="")
    print(f"its picture: {apart(pictured)}")
    check(opened)


def measure_keys(browser: Any, served: Served) -> None:
    """Keys for a verdict about every alert of a folder, from its list."""
    opened = open_page(browser.new_context(**OPTIONS), first_address(served))
    opened.page.keyboard.press("a")
    opened.until("document.querySelectorAll('.queue li .queue-item').length > 0")
    n = 1
    while not opened.page.evaluate("document.querySelector('.queue-head .left').matches('.all-done')"):
        opened.page.keyboard.press("f")
        n += 1
    print(f"{N_ALERTS} alerts in a folder of videos: {n} keys for all verdicts, from its list")
    check(opened)


def measure_previews(run: Run) -> None:
    """CPU seconds for a second of preview, in one thread of this process, after the first one."""
    previews = Previews((run.folder,))
    previews.clip(run, 0)
    n = int(run.manifest.video["duration_seconds"] / CLIP_SECONDS)
    before = os.times()
    for number in range(1, n):
        previews.clip(run, number)
    after = os.times()
    spent = after.user + after.system - before.user - before.system
    print(f"previews of HEVC 960 x 540: {(n - 1) * CLIP_SECONDS / spent:.1f} times real time per core")
    shutil.rmtree(run.folder / "previews")


def measure_playing(browser: Any, address: str) -> None:
    """From the request of the page to the first picture of a preview, and how long PLAYED_SECONDS take to play."""
    context = browser.new_context(**OPTIONS)
    watch = Watch()
    opened = open_page(context, address)
    opened.wait_for_picture()
    first = watch.read()
    opened.page.keyboard.press("Space")
    start = perf_counter()
    opened.until(f"document.querySelector('video').currentTime >= {PLAYED_SECONDS}")
    print(f"HEVC, first picture: {apart(first)}; {PLAYED_SECONDS} s played in {perf_counter() - start:.1f} s")
    check(opened)


def make_hevc(demo: Run, target: Path) -> Path:
    """The demo clip as HEVC of 960 x 540, which no browser of Debian plays, twice over."""
    with av.open(str(demo.manifest.video_path)) as container, av.open(str(target), "w") as out:
        stream = out.add_stream("libx265", rate=25, options={"x265-params": "log-level=error"})
        stream.width, stream.height, stream.pix_fmt = 960, 540, "yuv420p"
        frames = [frame.reformat(960, 540, "yuv420p") for frame in container.decode(video=0)]
        for i, frame in enumerate(frames * 2):
            frame.pts, frame.time_base = i, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return target


def apart(wait: Wait) -> str:
    return f"{wait.wall:.2f} s (server {wait.server:.2f}, browser {wait.cpu - wait.server:.2f} CPU s)"


def check(opened: Visit) -> None:
    if opened.problems:
        raise SystemExit(f"the page complained: {opened.problems}")
    opened.page.context.close()


def shown(waits: list[Wait]) -> str:
    wall, cpu = (statistics.median(values) for values in zip(*((w.wall, w.cpu) for w in waits), strict=True))
    return f"{wall:.2f} s ({cpu:.2f} CPU s)"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faces", type=int, default=4, help="faces at any moment of the hour")
    parser.add_argument("--runs", type=int, default=500, help="runs in the folder that is viewed again; 0 for none")
    parser.add_argument("--new", type=int, default=300, help="runs in the folder that is new")
    parser.add_argument("--folder", help="where to make them; kept")
    return parser.parse_args()


if __name__ == "__main__":
    main()
