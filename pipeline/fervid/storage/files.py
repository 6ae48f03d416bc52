"""File status and hashes. Knows nothing of file contents."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import Any

from fervid.errors import VideoNotFound, VideoUnreadable
from fervid.storage.place import Place, is_on_disk, open_for_reading

CHUNK_BYTES, HUGE_BYTES = 1 << 20, 1 << 30
ID_LENGTH, SAMPLED_ID_LENGTH = 32, 16
"""Hexadecimal digits of a content id, and of the ids of earlier versions."""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """The status of a file. `device`, `inode` and `changed_ns` are 0 in object stores, which have none."""

    n_bytes: int
    modified_ns: int
    device: int = 0
    inode: int = 0
    changed_ns: int = 0
    """When the file or its status was last changed: also set where a program sets back `modified_ns`."""

    @property
    def modified_seconds(self) -> float:
        """Seconds since 1970, by the clock of the system that holds the file."""
        return self.modified_ns / 1e9


def file_sha256(path: Place) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with open_for_reading(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_regular_file(path: Place) -> FileStatus:
    """The status of a file that can be opened as a video: regular (a pipe would block forever), not empty, readable.

    Raises VideoNotFound or VideoUnreadable with the reason.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        raise VideoNotFound(f"{path} does not exist. Check the path.") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise VideoUnreadable(f"{path} cannot be read ({reason}). Check its name and permissions.") from None
    if not stat.S_ISREG(found.st_mode):
        raise VideoUnreadable(f"{path} is not a regular file. Give a video file, or a folder of them.")
    if found.st_size == 0:
        raise VideoUnreadable(f"{path} is empty (0 bytes). Give a complete video file.")
    if is_on_disk(path) and not os.access(path, os.R_OK):
        raise VideoUnreadable(f"{path} cannot be read (permission denied). Check its permissions.")
    return _status(found)


def file_status(path: Place) -> FileStatus:
    """The status of a file or object, whatever it is. Raises OSError."""
    return _status(path.stat())


def _status(found: Any) -> FileStatus:
    changed_ns = found.st_ctime_ns if isinstance(found, os.stat_result) else 0
    return FileStatus(found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino, changed_ns)


# Decision BAT-10.
def content_id(path: Place) -> str:
    """The first ID_LENGTH hexadecimal digits of a file's SHA-256: the same for a renamed copy, for no other file.

    A huge file whose first MiB is zeros, such as a download that was only given its size, is no video and may take
    hours to read: its id is made of its size and of samples.
    """
    size = path.stat().st_size
    if size >= HUGE_BYTES:
        with open_for_reading(path, is_all_wanted=False, n_bytes=size) as file:
            if not any(file.read(CHUNK_BYTES)):
                return f"{sampled_id(path):0>{ID_LENGTH}}"
    return file_sha256(path)[:ID_LENGTH]


def is_content(path: Place, video_id: str) -> bool:
    """Whether a file has the content with an id of this or of an earlier version. Raises OSError."""
    return (sampled_id if len(video_id) == SAMPLED_ID_LENGTH else content_id)(path) == video_id


def sampled_id(path: Place) -> str:
    """The content id of earlier versions: SAMPLED_ID_LENGTH digits from a file's size and its first, middle and last
    MiB. Files of the same sampled id may differ.
    """
    size = path.stat().st_size
    digest = hashlib.blake2b(str(size).encode(), digest_size=8)
    with open_for_reading(path, is_all_wanted=False, n_bytes=size) as file:
        for offset in sorted({0, max(0, (size - CHUNK_BYTES) // 2), max(0, size - CHUNK_BYTES)}):
            file.seek(offset)
            digest.update(file.read(CHUNK_BYTES))
    return digest.hexdigest()
