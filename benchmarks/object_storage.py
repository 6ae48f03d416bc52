"""What a bucket costs beside a disk: CPU seconds of the same batch, and requests a video, by what they ask for.

    python benchmarks/object_storage.py [VIDEO...] [--repeats 3]

Analyses the videos from disk to disk and from `s3://` to `s3://`, in turns, against an S3 server in a process of its
own, whose CPU time does not count. Without VIDEO it makes three clips of ten seconds with a moving face.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "pipeline"), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from object_store import BUCKET, s3_server  # noqa: E402
from process_tree import cost_of  # noqa: E402
from synthetic import constant_rate, write_video  # noqa: E402

COMMAND = "import sys; sys.argv[0] = 'fervid'; from fervid.__main__ import main; main()"
CLIPS, CLIP_SECONDS = 3, 10
REQUEST = re.compile(r'"(GET|PUT|HEAD|DELETE|POST) (\S*)')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="*", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        videos = arguments.videos or [
            write_video(folder / f"clip{i}.mp4", constant_rate(CLIP_SECONDS + i)) for i in range(CLIPS)
        ]
        log = folder / "server.log"
        with s3_server(log):
            measure(videos, folder, log, arguments.repeats)


def measure(videos: list[Path], folder: Path, log: Path, repeats: int) -> None:
    """Print the medians of both, and the requests of one batch."""
    from fervid.storage.place import as_place

    for video in videos:
        as_place(f"s3://{BUCKET}/in/{video.name}").write_bytes(video.read_bytes())
    spent: dict[str, list[float]] = {"disk": [], "bucket": []}
    requests: Counter[str] = Counter()
    for turn in range(repeats):
        spent["disk"].append(analyze([str(video) for video in videos], str(folder / f"out{turn}")))
        before = len(log.read_text().splitlines())
        spent["bucket"].append(
            analyze([f"s3://{BUCKET}/in/{video.name}" for video in videos], f"s3://{BUCKET}/out{turn}")
        )
        requests = Counter(kind(line) for line in log.read_text().splitlines()[before:] if REQUEST.search(line))
    disk, bucket = (statistics.median(spent[name]) for name in ("disk", "bucket"))
    print(
        f"{len(videos)} videos: {disk:.2f} CPU s from disk to disk, "
        f"{bucket:.2f} from bucket to bucket ({bucket / disk:.2f} times)"
    )
    each = ", ".join(f"{n / len(videos):.1f} {name}" for name, n in requests.most_common())
    print(f"requests a video, those of the batch included: {sum(requests.values()) / len(videos):.1f} ({each})")


def analyze(names: list[str], out: str) -> float:
    """CPU seconds of a batch."""
    command = [sys.executable, "-c", COMMAND, "analyze", *names, "-o", out, "--workers", "2", "--device", "cpu", "-q"]
    return cost_of(command, environment={"PYTHONPATH": str(ROOT / "pipeline")}).cpu_seconds


def kind(line: str) -> str:
    """What a line of the server's log asks for; listings are priced as writes are."""
    found = REQUEST.search(line)
    assert found is not None
    return "LIST" if found[1] == "GET" and "list-type" in found[2] else found[1]


if __name__ == "__main__":
    main()
