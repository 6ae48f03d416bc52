"""Times of real files against ffprobe's: live where ffprobe is installed, else against what it printed once."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import fervid
import fervid.config  # before a detector without options is in the table
from fervid.detect import DETECTORS

Analysed = Callable[..., fervid.Run]

FILES = (
    "cctv/traffic_camera_vfr.mp4",
    "trailers/goldeneye_vfr_drop3.mp4",
    "codecs/sample_edit_list.mp4",
    "codecs/bbb_800x640_768kbps_30fps_avc_2b_firstpts_10_sec.mp4",
    "codecs/bbb_2500ms.ts",
    "codecs/sample.mkv",
    "codecs/sample.avi",
)
RECORDED = Path(__file__).with_name("ffprobe_times.json")
"""Written by `python tests/footage/test_times.py VIDEOS_FOLDER`, with ffprobe 5.1."""


def ffprobe_times(path: Path) -> list[float]:
    """Presentation time in seconds of every frame that ffprobe decodes, in its order."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]
    printed = subprocess.run([*command, str(path)], capture_output=True, text=True, check=True).stdout
    return [float(line.split(",")[0]) for line in printed.split()]


def expected_times(videos: Path, name: str) -> list[float]:
    if shutil.which("ffprobe"):
        return ffprobe_times(videos / name)
    recorded: dict[str, list[float]] = json.loads(RECORDED.read_text())
    return recorded[name]


@pytest.mark.parametrize("name", FILES)
def test_times_are_those_of_ffprobe(
    analysed: Analysed, test_data: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = np.array(expected_times(test_data / "videos", name))
    monkeypatch.setitem(DETECTORS, "blind", "fakes:BlindDetector")  # times do not depend on faces
    run = analysed(name, "video.fps=0", "detect.detector=blind")
    frames = run.frames.to_pandas()
    assert len(frames) == len(expected)
    difference = frames.time_s.to_numpy() + run.manifest.start_time_s - expected[frames.frame.to_numpy()]
    assert np.abs(difference).max() <= 0.001


def test_sampled_frames_keep_their_index_and_time(analysed: Analysed, test_data: Path) -> None:
    name = "trailers/goldeneye_vfr_drop3.mp4"
    expected = np.array(expected_times(test_data / "videos", name))
    run = analysed(name)
    frames = run.frames.to_pandas()
    assert len(frames) < len(expected) / 2
    assert np.abs(frames.time_s + run.manifest.start_time_s - expected[frames.frame]).max() <= 0.001


if __name__ == "__main__":
    import sys

    RECORDED.write_text(json.dumps({name: ffprobe_times(Path(sys.argv[1]) / name) for name in FILES}) + "\n")
