"""Files as they are: what they may be, and their hashes. Standard library only; knows nothing of what a file holds."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from fervid.errors import VideoNotFound, VideoUnreadable

CHUNK_BYTES = 1 << 20


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_regular_file(path: Path) -> os.stat_result:
    """The status of a file that may be opened as a video: regular (a pipe would wait for ever), not empty, readable.

    Raises VideoNotFound or VideoUnreadable with the reason.
    """
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise VideoNotFound(f"{path} does not exist. Check the path.") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise VideoUnreadable(f"{path} cannot be read ({reason}). Check its name and permissions.") from None
    if not stat.S_ISREG(status.st_mode):
        raise VideoUnreadable(f"{path} is not a regular file. Give a video file, or a folder of them.")
    if status.st_size == 0:
        raise VideoUnreadable(f"{path} is empty (0 bytes). Give a complete video file.")
    if not os.access(path, os.R_OK):
        raise VideoUnreadable(f"{path} cannot be read (permission denied). Check its permissions.")
    return status


def content_id(path: Path) -> str:
    """16 hexadecimal digits from a file's size and its first, middle and last MiB: the same for a renamed copy."""
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=8)
    with path.open("rb") as file:
        for offset in sorted({0, max(0, (size - CHUNK_BYTES) // 2), max(0, size - CHUNK_BYTES)}):
            file.seek(offset)
            digest.update(file.read(CHUNK_BYTES))
    return digest.hexdigest()
