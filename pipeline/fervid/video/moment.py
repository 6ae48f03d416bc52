"""One frame of a video by its time, decoded as an analysis decodes it. Knows no run."""

from __future__ import annotations

from pathlib import Path

from fervid.base.types import Frame
from fervid.errors import VideoUnreadable
from fervid.video.ledger import Ledger
from fervid.video.probe import probe
from fervid.video.reader import read_frames
from fervid.video.segments import plan_segments

WINDOW_SECONDS = 1e-3


def frame_at(
    path: Path,
    *,
    pts: int,
    seconds: float,
    segment_seconds: float,
    decoder_threads: int,
    max_pixels: int,
    stream: int | None = None,
    turn_degrees: int = 0,
) -> Frame:
    """The frame with this presentation time, in the video's own units and in seconds on its timeline.

    The segments are those of the analysis, so that a damaged stretch decodes as it did there; `stream` and
    `turn_degrees` as for `probe`. Raises VideoUnreadable when the video has no such frame.
    """
    info, plan = probe(path, max_pixels=max_pixels, stream=stream, turn_degrees=turn_degrees)
    end = seconds + WINDOW_SECONDS
    segments = plan_segments(
        "", info, plan, segment_seconds=segment_seconds, fps=0, start_seconds=seconds, end_seconds=end
    )
    for segment in segments:
        frames = read_frames(
            path,
            info,
            plan,
            segment,
            Ledger(),
            fps=0,
            start_seconds=seconds,
            end_seconds=end,
            decoder_threads=decoder_threads,
            max_pixels=max_pixels,
        )
        for frame in frames:
            if frame.pts == pts:
                return frame
    raise VideoUnreadable(f"{path} has no frame at {seconds:.3f} s, where one was analysed. Analyse the video again.")
