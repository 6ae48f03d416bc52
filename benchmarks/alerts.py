"""What the `anger` rules make of a folder of real footage, and how long a day of stored faces takes to score again.

    python benchmarks/alerts.py VIDEOS_FOLDER RUNS_FOLDER

Videos are analysed into RUNS_FOLDER unless they were: those in a folder `cctv` with the preset of that name, others
with the default. In `labelled/labels.csv` (columns file, emotion) clips labelled angry are those that should raise one.
Fights may show anger and are counted apart.
"""

from __future__ import annotations

import csv
import json
import resource
import sys
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
import pyarrow as pa

import fervid
from fervid.alerts.find.scan import RunAlerts, scan_run
from fervid.alerts.language.rules import load_rules
from fervid.batch.inputs import find_videos
from fervid.errors import InputError
from fervid.run.files import MANIFEST
from fervid.run.io import write_table
from fervid.run.manifest import seal, write_json
from fervid.run.schema import faces_schema, frames_schema
from fervid.stats.intervals import poisson_interval
from fervid.stats.metrics import wilson_interval
from fervid.storage.files import file_sha256

FOLDERS = ("labelled", "cctv", "faces", "trailers", "codecs")
DAY_SECONDS, FPS, N_FACES, TRACK_SECONDS = 86_400, 5, 4, 60


def scan_folder(videos: Path, runs: Path) -> dict[str, RunAlerts]:
    found = {}
    rules = load_rules("anger")
    for folder in FOLDERS:
        settings = fervid.load_settings(preset="cctv" if folder == "cctv" else "default", environment={})
        for path in find_videos([str(videos / folder)]).videos:
            try:
                run = fervid.analyze(path, out=runs / folder, settings=settings, device="cpu", plot=False)
            except InputError as problem:
                print(f"{path.name}: {problem}", file=sys.stderr)
                continue
            found[f"{folder}/{path.name}"] = scan_run(run, rules)
    return found


def report_footage(videos: Path, found: dict[str, RunAlerts]) -> None:
    with (videos / "labelled" / "labels.csv").open() as file:
        angry = {f"labelled/{row['file']}" for row in csv.DictReader(file) if row["emotion"] == "angry"}
    print(f"{'video':<58}{'alerts':>7}{'notices':>8}{'peak':>6}  verdict")
    for name, one in found.items():
        faces = one.run.faces
        peak = f"{np.max(faces['s_angry'].to_numpy()):.2f}" if faces.num_rows else ""
        mark = " (labelled angry)" if name in angry else ""
        n_alerts, n_notices = len(one.of_tier("alert")), len(one.of_tier("notice"))
        print(f"{(name + mark)[-57:]:<58}{n_alerts:>7}{n_notices:>8}{peak:>6}  {one.fitness.text()}")
    raised = [name for name in angry if found[name].of_tier("alert")]
    low, high = wilson_interval(len(raised) / len(angry), len(angry))
    print(f"\nlabelled angry: {len(raised)} of {len(angry)} raise an alert, 95 % interval {low:.0%} to {high:.0%}")
    for name in sorted(angry):
        rules = ", ".join(f"{record.rule} ({record.severity})" for record in found[name].of_tier("alert"))
        print(f"  {name}: {rules or 'no alert, ' + mostly(found[name])}")
    fights = [name for name in found if name.startswith("cctv/fi") or "fight" in name]
    bare = [name for name in fights if not found[name].records and found[name].fitness.verdict != "not_fit"]
    print(f'fights: {len(fights)}, of which end as bare "no alerts": {", ".join(bare) or "none"}')
    faceless = [name for name, one in found.items() if not one.run.faces.num_rows]
    print(f"without a face found: {len(faceless)} videos, alerts in them: "
          f"{sum(len(found[name].of_tier('alert')) for name in faceless)}")  # fmt: skip
    print(f"alerts in fights: {sum(len(found[name].of_tier('alert')) for name in fights)}")
    others = {name: one for name, one in found.items() if name not in angry and name not in fights}
    for folder in (*FOLDERS, ""):
        report_false(folder, [one for name, one in others.items() if name.startswith(folder)])


def report_false(folder: str, others: list[RunAlerts]) -> None:
    """Alerts in footage that shows no anger, all of them false."""
    n_false = sum(len(one.of_tier("alert")) for one in others)
    n_notices = sum(len(one.of_tier("notice")) for one in others)
    hours = sum(one.fitness.observed_seconds for one in others) / 3600
    low, high = poisson_interval(n_false)
    print(f"false alerts in {folder or 'all of it'}: {n_false} in {hours:.3f} h, {n_false / hours:.1f} an hour, "
          f"95 % interval {low / hours:.1f} to {high / hours:.1f}; notices: {n_notices}")  # fmt: skip


def mostly(one: RunAlerts) -> str:
    """What the faces of a run look like instead of angry."""
    labels = one.run.manifest.model["labels"]
    means = {label: float(np.mean(one.run.faces[f"s_{label}"].to_numpy())) for label in labels}
    first = max(means, key=lambda label: means[label])
    highest = float(np.max(one.run.faces["s_angry"].to_numpy()))
    return f"mostly {first} ({means[first]:.2f}); angry {means['angry']:.2f}, at most {highest:.2f}"


def make_day(template: fervid.Run, folder: Path) -> fervid.Run:
    """24 hours of four faces at 5 frames a second, their scores a slow random walk, a new track every minute."""
    folder.mkdir(parents=True, exist_ok=True)
    labels = template.manifest.model["labels"]
    n_frames = DAY_SECONDS * FPS
    n = n_frames * N_FACES
    rng = np.random.default_rng(1)
    times, frames = np.arange(n_frames) / FPS, np.arange(n_frames, dtype=np.int64)
    logits = rng.normal(size=(len(labels), N_FACES, n_frames))
    for i in range(1, n_frames):
        logits[..., i] = 0.9 * logits[..., i - 1] + 0.42 * logits[..., i]
    scores = np.exp(logits)
    scores = (scores / scores.sum(axis=0)).transpose(0, 2, 1).reshape(len(labels), n).astype(np.float32)
    ranked = np.sort(scores, axis=0)
    columns: dict[str, object] = {}
    for field in faces_schema(labels):
        columns[field.name] = rng.uniform(0.3, 1.0, n).astype(np.float32)
    columns |= {f"{kind}_{label}": scores[i] for kind in "ps" for i, label in enumerate(labels)}
    columns |= {
        "frame": np.repeat(frames, N_FACES),
        "pts": np.repeat(frames, N_FACES),
        "time_s": np.repeat(times, N_FACES),
    }
    minute = frames // (TRACK_SECONDS * FPS)
    columns["track_id"] = (minute[:, None] * N_FACES + np.arange(N_FACES)).ravel().astype(np.int32)
    columns["video_id"] = pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array(["day"]))
    columns["label"] = pa.DictionaryArray.from_arrays(scores.argmax(axis=0).astype(np.int32), pa.array(labels))
    columns |= {"confidence": ranked[-1], "margin": ranked[-1] - ranked[-2]}
    columns |= {name: rng.uniform(40, 90, n).astype(np.float32) for name in ("x", "y", "w", "h")}
    poor = np.where(rng.random(n) < 0.1, 0, -1)
    columns["abstain"] = pa.DictionaryArray.from_arrays(
        pa.array(np.maximum(poor, 0).astype(np.int32), mask=poor < 0), pa.array(["low_quality"])
    )
    schema = faces_schema(labels)
    write_table(folder / "faces.parquet", pa.table({name: columns[name] for name in schema.names}, schema=schema), {})
    numeric = [field for field in frames_schema() if not pa.types.is_dictionary(field.type)]
    rows: dict[str, object] = {field.name: np.zeros(n_frames, field.type.to_pandas_dtype()) for field in numeric}
    rows |= {"frame": frames, "pts": frames, "time_s": times, "n_faces": np.full(n_frames, N_FACES, np.int32)}
    for name, word in (("video_id", "day"), ("status", "analysed")):
        rows[name] = pa.DictionaryArray.from_arrays(np.zeros(n_frames, np.int32), pa.array([word]))
    schema = frames_schema()
    write_table(folder / "frames.parquet", pa.table({name: rows[name] for name in schema.names}, schema=schema), {})
    manifest = json.loads((template.folder / "manifest.json").read_text())
    manifest["video"]["duration_seconds"] = float(DAY_SECONDS)
    tables = {name: folder / name for name in ("faces.parquet", "frames.parquet")}
    manifest["outputs"] = {name: file_sha256(path) for name, path in tables.items()}
    manifest["output_bytes"] = {name: path.stat().st_size for name, path in tables.items()}
    write_json(folder / MANIFEST, seal(manifest))
    return fervid.open_run(folder)


def report_day(run: fervid.Run) -> None:
    rules = load_rules("anger")
    for _ in range(3):
        began, cpu = perf_counter(), process_time()
        found = scan_run(run, rules)
        n_faces = DAY_SECONDS * FPS * N_FACES
        print(f"a day, {n_faces:,} faces, {len(rules.rules)} rules: {process_time() - cpu:.2f} CPU s, "
              f"{perf_counter() - began:.2f} s, {len(found.records):,} alerts and notices, "
              f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[3] == "--day":
        # In a process of its own, so that its peak memory is that of scoring alone.
        report_day(fervid.open_run(Path(sys.argv[2]) / "day"))
    else:
        everything = scan_folder(Path(sys.argv[1]), Path(sys.argv[2]))
        report_footage(Path(sys.argv[1]), everything)
        make_day(next(iter(everything.values())).run, Path(sys.argv[2]) / "day")
        print("now: python benchmarks/alerts.py VIDEOS_FOLDER RUNS_FOLDER --day")
