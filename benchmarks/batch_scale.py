"""Ten thousand tiny videos: how long planning takes, how long the resume of a finished batch, and the parent's memory.

    python benchmarks/batch_scale.py [--videos 10000] [--analysed 20]

A few videos are analysed; the run folders of the others are copies of theirs under their own ids, so that a finished
batch need not be waited for. Seconds are CPU seconds of the whole command, and wall seconds beside them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "pipeline"
sys.path.insert(0, str(SOURCE))

START = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"


def make_tiny_video(path: Path) -> Path:
    """Five frames of 64 x 48."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for level in range(5):
            picture = np.full((48, 64, 3), 40 * level, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def make_folder(folder: Path, n_videos: int) -> None:
    """Videos that differ in an unused box at their end."""
    folder.mkdir()
    content = make_tiny_video(folder / "first.mp4").read_bytes()
    (folder / "first.mp4").unlink()
    for i in range(n_videos):
        box = (16).to_bytes(4, "big") + b"free" + i.to_bytes(8, "big")
        (folder / f"{i:05d}.mp4").write_bytes(content + box)


def finish(folder: Path, out: Path, n_analysed: int) -> None:
    """Analyse some, and copy their results for the rest."""
    from fervid.run.handle import run_folder_name
    from fervid.storage.files import content_id

    videos = sorted(folder.iterdir())
    few = folder.with_name("few")
    few.mkdir()
    for video in videos[:n_analysed]:
        os.link(video, few / video.name)
    command(few, out)
    model = next(out.glob("*/manifest.json")).parent
    for video in videos[n_analysed:]:
        video_id = content_id(video)
        run = out / run_folder_name(video, video_id)
        shutil.copytree(model, run, ignore=shutil.ignore_patterns("observations"))
        manifest = json.loads((run / "manifest.json").read_text())
        manifest |= {"video_id": video_id, "video_path": str(video)}
        (run / "manifest.json").write_text(json.dumps(manifest, indent=2))


def command(*arguments: str | Path) -> tuple[float, float, float, str]:
    """Run `fervid analyze FOLDER -o OUT ...`: CPU and wall seconds, peak MiB of its largest process, last line."""
    folder, out, *more = arguments
    words = [sys.executable, "-c", START, "analyze", folder, "-o", out, "--no-plot", "-q", "--device", "cpu", *more]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [str(word) for word in words],
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
            stdout=subprocess.DEVNULL if "--dry-run" not in more else output,
            stderr=output if "--dry-run" not in more else None,
        )
        peak = 0
        while process.poll() is None:
            peak = max(peak, resident_kib(process.pid))
            time.sleep(0.05)
        output.seek(0)
        last = output.read().strip().splitlines()[-1:]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - begun, peak / 1024, last[0] if last else ""


def resident_kib(process_id: int) -> int:
    """Resident memory of one process, the parent."""
    try:
        lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmRSS:")), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=10_000)
    parser.add_argument("--analysed", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for n_videos in (arguments.videos // 10, arguments.videos):
            videos, out = Path(folder) / f"videos{n_videos}", Path(folder) / f"out{n_videos}"
            make_folder(videos, n_videos)
            cpu, wall, peak, last = command(videos, out, "--dry-run")
            print(f"{n_videos} videos, planning:       {cpu:5.2f} CPU s, {wall:5.1f} s, parent {peak:.0f} MiB ({last})")
            finish(videos, out, arguments.analysed)
            cpu, wall, peak, last = command(videos, out)
            print(f"{n_videos} videos, finished batch: {cpu:5.2f} CPU s, {wall:5.1f} s, parent {peak:.0f} MiB ({last})")
            shutil.rmtree(Path(folder) / "few")


if __name__ == "__main__":
    main()
