"""What worker processes and publication cost: CPU seconds of the same work with and without them.

    python benchmarks/isolation.py [VIDEO] [--repeats 7] [--seconds 120] [--results FILE]

`bare` observes all segments of a video and interprets them in one process that writes nothing; `library` is
`fervid.analyze`, which publishes every segment and the tables; `workers` is the same with one worker process, and
`command` is `fervid analyze` with one, whose own process loads less. Start-up is part of each. Runs are interleaved;
CPU seconds are of the whole tree of processes. With FILE, repeats are added to those of earlier calls, and all of them
are summed up.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests")]

BARE = """
import sys
from pathlib import Path
from fervid import load_settings
from fervid.base import assets
from fervid.emotion.model import load_model_info
from fervid.storage.files import content_id
from fervid.interpret.whole import interpret
from fervid.observe.observer import Observer, _table as rows_table
from fervid.video.probe import probe
from fervid.video.ledger import Ledger
from fervid.video.segments import plan_segments
import pyarrow as pa
path, settings = Path(sys.argv[1]), load_settings(environment={})
model = load_model_info(assets.model_folder(settings.emotion.model))
info, plan = probe(path, max_pixels=settings.video.max_pixels)
observer = Observer(info, plan, settings, model, runner="litert")
segments = plan_segments(content_id(path), info, plan, segment_seconds=settings.video.segment_seconds,
                         fps=settings.video.fps)
tables = [rows_table(list(observer.observe(segment, Ledger()))) for segment in segments]
interpret(pa.concat_tables(tables), settings, model, video_id="", duration_seconds=info.duration_seconds)
"""
LIBRARY = """
import sys, fervid
workers = int(sys.argv[3]) or None
fervid.analyze(sys.argv[1], out=sys.argv[2], settings=fervid.load_settings(environment={}), device="cpu",
               workers=workers, overwrite=True, plot=False)
"""
COMMAND = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"
OPTIONS = ("--workers", "1", "--device", "cpu", "--overwrite", "--no-plot", "-q")


def cpu_seconds(script: str, *arguments: str) -> float:
    """CPU seconds of a script and of all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT / "pipeline")},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=120, help="length of the clip that is made without VIDEO")
    parser.add_argument("--results", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        video = arguments.video
        if video is None:
            from synthetic import constant_rate, write_video

            video = write_video(Path(folder) / "face.mp4", constant_rate(arguments.seconds))
        kinds = {
            "bare": lambda: cpu_seconds(BARE, str(video)),
            "library": lambda: cpu_seconds(LIBRARY, str(video), folder, "0"),
            "workers 1": lambda: cpu_seconds(LIBRARY, str(video), folder, "1"),
            "command": lambda: cpu_seconds(COMMAND, "analyze", str(video), "-o", folder, *OPTIONS),
        }
        spent: dict[str, list[float]] = {kind: [] for kind in kinds}
        if arguments.results is not None and arguments.results.is_file():
            spent = json.loads(arguments.results.read_text())
        for _ in range(arguments.repeats):
            for kind, run in kinds.items():
                spent[kind].append(run())
        if arguments.results is not None:
            arguments.results.write_text(json.dumps(spent))
        bare = spent["bare"]
        for kind, seconds in spent.items():
            ratio = statistics.median(mine / theirs for mine, theirs in zip(seconds, bare, strict=True))
            spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
            print(
                f"{kind:10s} {len(seconds)} runs, median {statistics.median(seconds):6.2f} CPU s ({spread}), "
                f"{ratio:.3f} times bare"
            )


if __name__ == "__main__":
    main()
