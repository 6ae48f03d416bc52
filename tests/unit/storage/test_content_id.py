"""The id of a video's content, where the content cannot be read in any useful time."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from fervid.storage.files import CHUNK_BYTES, HUGE_BYTES, ID_LENGTH, content_id


def test_a_huge_file_of_nothing_has_an_id_at_once(tmp_path: Path) -> None:
    path = tmp_path / "preallocated.mp4"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    began = time.monotonic()
    video_id = content_id(path)
    assert time.monotonic() - began < 10  # reading it takes ten minutes
    assert len(video_id) == ID_LENGTH
    with path.open("r+b") as file:
        file.truncate((1 << 40) + 1)
    assert content_id(path) != video_id


def test_a_huge_file_that_begins_with_something_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    with path.open("wb") as file:
        file.truncate(HUGE_BYTES)
        file.seek(CHUNK_BYTES - 1)
        file.write(b"x")
    before = content_id(path)
    with path.open("r+b") as file:
        file.seek(3 * CHUNK_BYTES)
        file.write(b"y")
    with path.open("rb") as file:
        assert content_id(path) == hashlib.file_digest(file, "sha256").hexdigest()[:ID_LENGTH] != before
