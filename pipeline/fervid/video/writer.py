"""Reads a part of a video as colour frames, and writes H.264 clips with sound. Knows nothing of faces.

Times are seconds on the video's timeline, as everywhere; a clip keeps the spacing of its frames, even or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from fervid.base.opencv import cv2
from fervid.errors import OutputError, VideoUnreadable, WrittenShort
from fervid.storage.files import is_content
from fervid.storage.publish import written_whole
from fervid.video.container import as_fraction
from fervid.video.luma import as_displayed, display_matrix, luma
from fervid.video.sound import COPIED_SOUND, Sound
from fervid.video.stretch import VideoSource, frames_between
from fervid.video.turn import turned

CLIP_TIME_BASE = Fraction(1, 90_000)
QUALITY = "23"
"""x264's constant rate factor: its own default."""
# Decision REV-14.
ENCODER_THREADS = 4
"""Each encodes a frame of its own."""
INDEX_FIRST = {"movflags": "+faststart"}
ONE_FRAGMENT = {"movflags": "+empty_moov+default_base_moof+frag_custom"}
QUICK_CHUNK = {"bf": "0", "preset": "superfast", "threads": "1"}
"""Without frames that refer to later ones, a chunk begins at its zero and ends at its end. It is watched once or twice
on this machine: a third less CPU is worth more than half as many bytes again, and threads cost a sixth."""


@dataclass(frozen=True, slots=True)
class RgbFrame:
    """A decoded frame as a player shows it: RGB uint8 (H, W, 3). `seconds` on the video's timeline."""

    seconds: float
    rgb: np.ndarray
    pixel_aspect: Fraction


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded frame, converted only where it is looked at. `seconds` on the video's timeline."""

    seconds: float
    pixel_aspect: Fraction
    _decoded: Any
    _turn_degrees: int
    _converter: VideoReformatter

    @property
    def n_bytes(self) -> int:
        """About how much memory it takes while it is kept."""
        return sum(plane.buffer_size for plane in self._decoded.planes)

    def gray(self) -> np.ndarray:
        """Luma as a player shows it, uint8 (H, W): a third of the cost of colour."""
        shown = as_displayed(luma(self._decoded)[0], display_matrix(self._decoded))
        return np.asarray(turned(shown, self._turn_degrees))

    @property
    def shown_size(self) -> tuple[int, int]:
        """Width and height in stored pixels as a player shows it."""
        size = self._decoded.width, self._decoded.height
        return size[::-1] if _is_sideways(self._decoded, self._turn_degrees) else size

    def rgb(self, size: tuple[int, int] | None = None) -> RgbFrame:
        """The same in colour, in memory of its own; with `size`, width and height as shown, scaled to square pixels.

        Scaling while the colours are converted costs a quarter of doing it afterwards.
        """
        scaled: dict[str, Any] = {}
        if size is not None and size != self.shown_size:
            width, height = size[::-1] if _is_sideways(self._decoded, self._turn_degrees) else size
            scaled = {"width": width, "height": height, "interpolation": "AREA"}
        rgb = self._converter.reformat(self._decoded, format="rgb24", **scaled).to_ndarray()
        shown = turned(_as_shown(rgb, display_matrix(self._decoded)), self._turn_degrees)
        return RgbFrame(self.seconds, np.ascontiguousarray(shown), self.pixel_aspect if size is None else Fraction(1))


def read_pictures(source: VideoSource, start_seconds: float, end_seconds: float) -> Iterator[Picture]:
    """The frames with start <= time < end, in order. Damaged packets are left out."""
    # One converter for all frames: that of each frame starts threads of its own, hundreds before they are freed.
    converter = VideoReformatter()
    for seconds, stream, frame in frames_between(source, start_seconds, end_seconds):
        aspect = _pixel_aspect(stream, frame, source.turn_degrees)
        yield Picture(seconds, aspect, frame, source.turn_degrees, converter)


def read_rgb_frames(source: VideoSource, start_seconds: float, end_seconds: float) -> Iterator[RgbFrame]:
    """The same frames in colour."""
    return (picture.rgb() for picture in read_pictures(source, start_seconds, end_seconds))


def read_gray(
    source: VideoSource, start_seconds: float, end_seconds: float
) -> Iterator[tuple[float, np.ndarray, Fraction]]:
    """Seconds, luma uint8 (H, W) as shown, and pixel aspect of the same frames."""
    for picture in read_pictures(source, start_seconds, end_seconds):
        yield picture.seconds, picture.gray(), picture.pixel_aspect


def write_clip(
    target: Path,
    images: Iterable[RgbFrame],
    *,
    start_seconds: float,
    end_seconds: float,
    sound_from: VideoSource | None,
    is_private: bool = False,
    is_chunk: bool = False,
) -> int:
    """Write frames as an MP4 atomically; returns how many. With `sound_from` its sound of that time is kept.

    A chunk is a fragmented MP4 that a browser joins with others of the same video: H.264 in order of time, with AAC.

    A private clip, with faces left open, is readable only by its owner. An odd last row or column is dropped: H.264
    stores colour for every second one. Frames of another size than the first are letterboxed. Raises WrittenShort
    without any frame, OutputError on a write error.
    """
    try:
        with written_whole(target, is_private=is_private) as partial:
            n = _write_images(partial, images, (start_seconds, end_seconds), sound_from, is_chunk=is_chunk)
            if n == 0:
                span = f"{start_seconds:.1f} to {end_seconds:.1f} s"
                raise WrittenShort(f"{target.name}: no frame of {span} could be read. Check the video.")
    except (av.FFmpegError, OSError) as problem:
        raise OutputError(
            f"{target} cannot be written ({getattr(problem, 'strerror', None) or problem}). Give another folder."
        ) from None
    return n


def _write_images(
    path: Path,
    images: Iterable[RgbFrame],
    span: tuple[float, float],
    sound_from: VideoSource | None,
    *,
    is_chunk: bool,
) -> int:
    n, last, start_seconds = 0, -1, span[0]
    with av.open(str(path), "w", format="mp4", options=ONE_FRAGMENT if is_chunk else INDEX_FIRST) as out:
        video: Any = None
        sound: Sound | None = None
        for image in images:
            if video is None:
                height, width = (max(2, side - side % 2) for side in image.rgb.shape[:2])
                pixel_aspect = image.pixel_aspect
                video = _video_stream(out, width, height, pixel_aspect)
                if is_chunk:
                    video.options |= QUICK_CHUNK
                if sound_from is not None:
                    sound = Sound(out, sound_from, *span, copied=("aac",) if is_chunk else COPIED_SOUND)
            frame = av.VideoFrame.from_ndarray(_fitted(image, width, height, pixel_aspect), format="rgb24")
            frame.pts = max(last + 1, round((image.seconds - start_seconds) / CLIP_TIME_BASE))
            frame.time_base, last = CLIP_TIME_BASE, frame.pts
            out.mux(video.encode(frame))
            n += 1
        if video is not None:
            out.mux(video.encode())
            if sound is not None:
                sound.copy()
    return n


def _video_stream(out: Any, width: int, height: int, pixel_aspect: Fraction) -> Any:
    stream = out.add_stream("libx264", rate=25)
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = CLIP_TIME_BASE
    if pixel_aspect != 1:
        stream.codec_context.sample_aspect_ratio = pixel_aspect
    stream.codec_context.thread_type, stream.codec_context.thread_count = "FRAME", ENCODER_THREADS
    stream.options = {"preset": "veryfast", "crf": QUALITY}
    return stream


def _fitted(image: RgbFrame, width: int, height: int, pixel_aspect: Fraction) -> np.ndarray:
    """The frame as RGB uint8 (height, width, 3): without an odd row or column, or letterboxed."""
    rgb = image.rgb
    if (rgb.shape[0] // 2 * 2, rgb.shape[1] // 2 * 2) == (height, width) and image.pixel_aspect == pixel_aspect:
        return np.ascontiguousarray(rgb[:height, :width])
    return letterbox(rgb, width, height, pixel_aspect=float(image.pixel_aspect / pixel_aspect))


def letterbox(rgb: np.ndarray, width: int, height: int, *, pixel_aspect: float = 1.0) -> np.ndarray:
    """RGB uint8 (H, W, 3) as large as it fits into (height, width, 3), in its own shape, black around it.

    `pixel_aspect` is the width of its pixels where those of the target are 1.
    """
    shown = rgb.shape[1] * pixel_aspect
    scale = min(width / shown, height / rgb.shape[0])
    size = max(1, min(width, round(shown * scale))), max(1, min(height, round(rgb.shape[0] * scale)))
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas = np.zeros((height, width, 3), np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    return canvas


def _as_shown(rgb: np.ndarray, matrix: Any) -> np.ndarray:
    return np.stack([as_displayed(rgb[..., i], matrix) for i in range(3)], axis=-1) if matrix is not None else rgb


def _pixel_aspect(stream: Any, frame: Any, turn_degrees: int) -> Fraction:
    """Width / height of a pixel as shown: a quarter turn turns the pixels too."""
    ratio = as_fraction(stream.sample_aspect_ratio or 1)
    return 1 / ratio if _is_sideways(frame, turn_degrees) else ratio


def _is_sideways(frame: Any, turn_degrees: int) -> bool:
    """Whether what is shown is the stored picture after a quarter turn."""
    matrix = display_matrix(frame)
    return (matrix is not None and matrix[0] == 0) != (turn_degrees % 180 != 0)


def check_is_there(path: Path) -> None:
    """Raises VideoUnreadable when the video of a run has gone since."""
    if not path.is_file():
        raise VideoUnreadable(f"{path} no longer exists, so no frame can be taken from it. Restore it and run again.")


def check_is_analysed(path: Path, video_id: str, *, recorded_bytes: int | None = None) -> None:
    """Raises VideoUnreadable when the video of a run has gone since, or another one has its name now: a clip of that
    would show other people under the labels of the run. Reads the whole file.

    With `recorded_bytes` a shorter file is not compared: it is taken for the same one without its end, and what is
    made of it says how much is missing.
    """
    check_is_there(path)
    try:
        if recorded_bytes is not None and path.stat().st_size < recorded_bytes:
            return
        is_same = is_content(path, video_id)
    except OSError as problem:
        raise VideoUnreadable(f"{path} cannot be read ({problem.strerror}). Check its permissions.") from None
    if not is_same:
        raise VideoUnreadable(f"{path} is not the video that was analysed. Put that one back, or analyse this one.")
