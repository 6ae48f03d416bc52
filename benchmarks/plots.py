"""What do the plots of long recordings cost, and does a time-lapse of 10,000 hours finish?

    python benchmarks/plots.py

Draws `timeline.png` of made-up timelines of an hour, three hours and a week at a bin per second (CPU seconds, the least
of REPEATS, without loading matplotlib). Then analyses a video of 1,000 frames that stand ten hours apart.
Exits with 1 if an hour costs more than 1 CPU s, three hours more than 2, or the time-lapse does not finish.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

HOURS_AND_BARS = ((1, 1.0), (3, 2.0), (7 * 24, None))
REPEATS = 3
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
TIMELAPSE_HOURS, TIMELAPSE_FRAMES = 10_000, 1_000


def timeline(hours: int) -> pa.Table:
    """A bin per second, a face in most of them."""
    n = hours * 3600
    rng = np.random.default_rng(hours)
    means = rng.dirichlet(np.ones(len(LABELS)), n).astype(np.float32)
    is_seen = rng.random(n) < 0.8
    start = np.arange(n, dtype=float)
    columns = {
        "start_s": start,
        "end_s": start + 1,
        "observed_s": np.ones(n, np.float32),
        "coverage": is_seen.astype(np.float32),
        "mean_faces": is_seen.astype(np.float32),
    }
    labelled = {f"mean_{label}": pa.array(means[:, i], mask=~is_seen) for i, label in enumerate(LABELS)}
    return pa.table(columns | labelled)


def drawing_seconds(hours: int, folder: Path) -> float:
    """CPU seconds of one plot, the least of REPEATS."""
    from fervid.charts.timeline import plot_timeline

    table, seconds = timeline(hours), []
    for _ in range(REPEATS):
        begun = time.process_time()
        plot_timeline(table, LABELS, folder / "timeline.png", title=f"{hours} h")
        seconds.append(time.process_time() - begun)
    return min(seconds)


def timelapse(folder: Path) -> str:
    """What a time-lapse comes to. Raises what the analysis raises."""
    import fervid
    from bad_sources import clip

    video = folder / "timelapse.mkv"
    step = TIMELAPSE_HOURS * 3600 / TIMELAPSE_FRAMES
    video.write_bytes(clip("x.mkv", size=(64, 48), times=[i * step for i in range(TIMELAPSE_FRAMES)]))
    begun = time.process_time()
    run = fervid.analyze(video, out=folder / "out", device="cpu")
    spent = time.process_time() - begun
    seconds = run.manifest.video["duration_seconds"]
    plot = (run.folder / "timeline.png").stat().st_size
    return (
        f"{seconds / 3600:,.0f} h, {run.manifest.ledger.analysed} frames, {run.timeline.num_rows:,} bins: "
        f"{spent:.1f} CPU s, plot of {plot:,} bytes"
    )


def main() -> None:
    is_fine = True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        drawing_seconds(1, folder)
        for hours, bar in HOURS_AND_BARS:
            seconds = drawing_seconds(hours, folder)
            is_fine &= bar is None or seconds <= bar
            print(f"timeline.png of {hours} h: {seconds:.2f} CPU s" + (f" (bar {bar:g})" if bar else ""))
        print(f"time-lapse: {timelapse(folder)}")
    sys.exit(not is_fine)


if __name__ == "__main__":
    main()
