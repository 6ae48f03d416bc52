"""The identity of a video and the name of its run folder."""

from __future__ import annotations

import json
import re
import shutil
import unicodedata
from pathlib import Path

import pytest

from alert_runs import make_run
from fervid.run.files import MANIFEST
from fervid.run.handle import RunFolders, run_folder_name
from fervid.storage.files import CHUNK_BYTES, content_id

ID = "0123456789abcdef"
SMALL, LARGE = 1000, 3 * CHUNK_BYTES + 5000


def file_of(path: Path, n_bytes: int) -> Path:
    path.write_bytes(bytes(range(251)) * (n_bytes // 251) + bytes(n_bytes % 251))
    return path


@pytest.mark.parametrize("n_bytes", [0, 1, SMALL, CHUNK_BYTES, LARGE])
def test_a_renamed_copy_has_the_same_id(tmp_path: Path, n_bytes: int) -> None:
    original = file_of(tmp_path / "a.mp4", n_bytes)
    (tmp_path / "other").mkdir()
    copy = shutil.copyfile(original, tmp_path / "other" / "b.mkv")
    assert content_id(copy) == content_id(original)
    assert re.fullmatch("[0-9a-f]{32}", content_id(original))


@pytest.mark.parametrize(
    ("n_bytes", "position"),
    [(1, 0), (SMALL, 0), (SMALL, SMALL - 1), (SMALL, SMALL // 2), (LARGE, 0), (LARGE, LARGE // 2), (LARGE, LARGE - 1)],
)
def test_a_changed_byte_changes_the_id(tmp_path: Path, n_bytes: int, position: int) -> None:
    original = file_of(tmp_path / "a.mp4", n_bytes)
    before = content_id(original)
    content = bytearray(original.read_bytes())
    content[position] ^= 1
    original.write_bytes(content)
    assert content_id(original) != before


@pytest.mark.parametrize("n_bytes", [0, SMALL, LARGE])
def test_a_file_that_grew_has_another_id(tmp_path: Path, n_bytes: int) -> None:
    original = file_of(tmp_path / "a.mp4", n_bytes)
    before = content_id(original)
    with original.open("ab") as file:
        file.write(b"\0")
    assert content_id(original) != before


def test_files_of_zeros_differ_by_their_size(tmp_path: Path) -> None:
    ids = set()
    for n_bytes in (0, 1, 2, CHUNK_BYTES, CHUNK_BYTES + 1, LARGE, LARGE + 1):
        (tmp_path / "zeros").write_bytes(bytes(n_bytes))
        ids.add(content_id(tmp_path / "zeros"))
    assert len(ids) == 7


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("", "video"),
        (".", "video"),
        ("....", "video"),
        ("東京.mp4", "東京"),
        ("会議室の録画・第２回.mp4", "会議室の録画-第2回"),
        ("Видео с камеры №3.mkv", "видео-с-камеры-no3"),
        ("हिन्दी वीडियो.mp4", "हिन्दी-वीडियो"),
        (unicodedata.normalize("NFD", "비디오が.mp4"), "비디오が"),
        ("\u202eabc\u0000\u3000def🎥.mp4", "abc-def"),
        ("\udce9t\udce9.mp4", "t"),
        ("…", "video"),
        ("京" * 60 + ".mp4", "京" * 40),
        ("Grace Hopper.mp4", "grace-hopper"),
        ("Ünïcödé Ärger.mov", "unicode-arger"),
        ("v1.2.final.mkv", "v1-2-final"),
        (".mp4", "mp4"),
        ("a/b/../c.mp4", "c"),
        ("--rm -rf;$(x)\n.mp4", "rm-rf-x"),
        ("x" * 250 + ".mp4", "x" * 60),
        ("x" * 59 + " b.mp4", "x" * 59),
    ],
)
def test_a_run_folder_has_a_plain_name(name: str, expected: str) -> None:
    assert run_folder_name(Path(name), ID) == f"{expected}-01234567"


@pytest.mark.parametrize("former", ["東京-video", "video"])
def test_a_run_under_a_former_name_is_found(tmp_path: Path, former: str) -> None:
    run = tmp_path / f"{former}-01234567"
    make_run(run, [], [0.0, 0.2], video="/footage/東京.mp4")
    manifest = json.loads((run / MANIFEST).read_text())
    (run / MANIFEST).write_text(json.dumps(manifest | {"video_id": ID}))
    assert RunFolders(tmp_path).of(Path("/footage/東京.mp4"), ID) == run


def test_a_replaced_video_is_found_under_a_former_name(tmp_path: Path) -> None:
    make_run(tmp_path / "video-89abcdef", [], [0.0, 0.2], video="/footage/東京.mp4")
    assert RunFolders(tmp_path).replaced(Path("/footage/東京.mp4"), ID, None) == (tmp_path / "video-89abcdef",)


def test_videos_of_the_same_name_have_different_folders() -> None:
    assert run_folder_name(Path("clip.mp4"), ID) != run_folder_name(Path("clip.mp4"), ID[::-1])
