"""Chooses the container's video stream: never a cover or a thumbnail. Decodes nothing."""

from __future__ import annotations

from typing import Any

import av

from fervid.errors import InputError, NoVideoStream

NO_VIDEO = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
STILL_CODECS = ("mjpeg", "png", "bmp", "webp", "gif", "tiff")
LEAST_SHARE = 0.02
"""A stream of fewer frames than this share of the longest one's is a thumbnail, or a few of them."""
NOTICEABLE_SECONDS = 1.0
"""A stream is longer than another if it is by so much: streams of one recording never end together."""


def video_streams(container: Any) -> list[Any]:
    """The video streams of a container without covers, in its order."""
    streams = [s for s in container.streams.video if not s.disposition & NO_VIDEO]
    if len(streams) < 2:
        return streams
    frames = [_n_frames(s) for s in streams]
    most = max(frames)
    real = [
        stream
        for stream, n in zip(streams, frames, strict=True)
        if not (0 < n < max(2.0, LEAST_SHARE * most)) and not (n == 0 < most and _is_still(stream))
    ]
    return real or streams


def choose_stream(container: Any, path: Any, wanted: int | None) -> tuple[Any, int, list[Any]]:
    """The stream to read, its number from 0, and all that there are. Raises NoVideoStream or InputError.

    `wanted` None takes those marked as default, of several the longest, of equal ones the first.
    """
    streams = video_streams(container)
    if not streams:
        kinds = ["cover image" if s in container.streams.video else s.type for s in container.streams]
        listed = ", ".join(f"{kinds.count(kind)} {kind}" for kind in sorted(set(kinds))) or "none"
        raise NoVideoStream(f"{path} has no video stream (streams: {listed}). Give a file with a video stream.")
    if wanted is not None:
        if wanted >= len(streams):
            raise InputError(
                f"{path} has no video stream {wanted}: it has {len(streams)} ({described(streams)}), numbered from "
                "0. Give another --stream."
            )
        return streams[wanted], wanted, streams
    marked = [s for s in streams if s.disposition & av.stream.Disposition.default] or streams
    best = marked[0]
    for stream in marked[1:]:
        if _seconds(stream) > _seconds(best) + NOTICEABLE_SECONDS:
            best = stream
    return best, streams.index(best), streams


def described(streams: list[Any]) -> str:
    """The titles of streams, or their sizes."""
    return ", ".join(_title(stream) for stream in streams)


def _title(stream: Any) -> str:
    metadata = stream.metadata or {}
    title = metadata.get("title") or metadata.get("handler_name", "")
    context = stream.codec_context
    size = f"{context.width}x{context.height}" if context is not None else "unknown codec"
    return f"{title} {size}" if title and title not in ("VideoHandler", "VideoHandle") else size


def _is_still(stream: Any) -> bool:
    return stream.codec_context is not None and stream.codec_context.name in STILL_CODECS


def _n_frames(stream: Any) -> float:
    """How many frames a stream has, as far as the container tells; 0 where it does not."""
    if stream.frames:
        return float(stream.frames)
    rate = float(stream.average_rate or stream.guessed_rate or 0)
    return _seconds(stream) * rate


def _seconds(stream: Any) -> float:
    if stream.duration:
        return float(stream.duration * stream.time_base)
    text = (stream.metadata or {}).get("DURATION", "")
    try:
        hours, minutes, seconds = text.split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return 0.0
