"""Which video files a server sends: a run names its video, and a run may come from a stranger.

A file has to have the content that was analysed, by its hash, which takes a while for a long one. Within the folders
that were given to `serve` it is not read if it is as it was when its hash was noted beside the run: size, times, inode.
A file elsewhere is never sent where folders of videos were named, or to other machines.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from fervid.batch.ids import Ids
from fervid.errors import InputError
from fervid.run.handle import Run
from fervid.storage.files import is_content

BEGIN_BYTES = 400
TS_PACKET_BYTES, TS_SYNC = 188, b"G"
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"wide", b"skip", b"pnot")
"""First boxes of MP4 and QuickTime files, after four bytes of their size."""
BEGINS = (
    b"\x1aE\xdf\xa3", b"RIFF", b"FLV", b"\x30\x26\xb2\x75", b"\x00\x00\x01", b"\x00\x00\x00\x01", b"OggS", b"DHAV",
    b"IMKH", b".RMF", b"YUV4MPEG2", b"DKIF",
)  # fmt: skip
"""Of Matroska, AVI, FLV, ASF, MPEG, raw H.264 and H.265, Ogg, recorders, RealMedia, Y4M, IVF."""


class VideoGate:
    """Says whether the video of a run may be sent. Safe for several threads."""

    def __init__(self, folders: Iterable[Path], videos: Iterable[Path] = (), *, is_remote: bool = False) -> None:
        videos = tuple(videos)
        self._roots = tuple(Path(os.path.realpath(folder)) for folder in (*folders, *videos))
        self._is_strict = is_remote or bool(videos)

    def check(self, run: Run, *, at_once: bool = False) -> None:
        """Raises InputError with the reason why a video is not sent. `at_once` reads none of its content."""
        path = Path(os.path.realpath(run.manifest.video_path))
        is_within = any(path.is_relative_to(root) for root in self._roots)
        if self._is_strict and not is_within:
            raise InputError(
                "The video is outside the folders that are served. Start fervid serve with --videos and its folder."
            )
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            raise InputError("The video of this run is not where it was analysed.") from None
        if not stat.S_ISREG(found.st_mode) or found.st_size != run.manifest.video_bytes:
            raise InputError("The video of this run was changed since it was analysed.")
        if at_once:
            return
        stamp = found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
        if not _is_video(path, stamp):
            raise InputError("The file that this run names is no video.")
        noted_in = run.folder.parent if is_within else None  # a stranger may have written what lies beside a run
        if not _is_content(path, run.manifest.video_id, noted_in, stamp):
            raise InputError("The video of this run was changed since it was analysed.")


@lru_cache(maxsize=4096)
def _is_video(path: Path, _stamp: tuple[int, ...]) -> bool:
    """Whether a file begins as videos do. False for one that cannot be read."""
    try:
        with path.open("rb") as file:
            begin = file.read(BEGIN_BYTES)
    except OSError:
        return False
    if begin[4:8] in BOXES or begin.startswith(BEGINS):
        return True
    # Recordings of Blu-ray players have four bytes before each packet.
    return any(begin[i : i + 1] == TS_SYNC == begin[2 * i + TS_PACKET_BYTES :][:1] for i in (0, 4))


@lru_cache(maxsize=4096)
def _is_content(path: Path, video_id: str, noted_in: Path | None, _stamp: tuple[int, ...]) -> bool:
    """Whether a file has the content with an id, read again when the file changed."""
    try:
        return is_content(path, video_id) if noted_in is None else Ids(noted_in).is_held(path, video_id)
    except OSError:
        return False
