"""Gray pictures from files of any kind: photographs, and videos a few frames a second. Knows no stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from fervid.base.opencv import cv2
from fervid.errors import ConfigError, FervidError
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments

PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
VIDEOS = {".mp4", ".mov", ".mkv", ".avi", ".webm"}


def files_in(sources: Sequence[Path]) -> list[Path]:
    """The pictures and videos among files and in folders. Raises ConfigError for what does not exist."""
    files = []
    for source in sources:
        if not source.exists():
            raise ConfigError(f"{source} does not exist. Give an image, a video or a folder of these.")
        files += [source] if source.is_file() else sorted(source.rglob("*"))
    return [file for file in files if file.suffix.lower() in PICTURES | VIDEOS]


def gray_pictures(file: Path, *, fps: float, segment_seconds: float, max_pixels: int) -> Iterator[np.ndarray]:
    """The picture of a file, or frames of a video, uint8 (H, W) each; of a file that cannot be read, none."""
    if file.suffix.lower() in PICTURES:
        picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if picture is not None:
            yield picture
        return
    try:
        info, plan = probe(file, max_pixels=max_pixels)
        for segment in plan_segments("", info, plan, segment_seconds=segment_seconds, fps=fps):
            frames = read_frames(
                file,
                info,
                plan,
                segment,
                Ledger(),
                fps=fps,
                start_seconds=0.0,
                end_seconds=None,
                decoder_threads=1,
                max_pixels=max_pixels,
            )
            yield from (frame.gray for frame in frames if not frame.is_corrupt)
    except FervidError:
        return
