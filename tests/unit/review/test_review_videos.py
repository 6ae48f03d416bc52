"""Which files a server sends as the video of a run that may come from a stranger."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="the review server needs fervid[web]")

import fervid
from fervid.batch.ids import Ids
from fervid.errors import InputError
from fervid.review.videos import VideoGate, _is_video
from fervid.run.handle import Run
from fervid.storage.files import content_id, file_status
from manifests import change_manifest
from synthetic import constant_rate, write_video


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in `runs`, of a video in `videos`."""
    out = tmp_path_factory.mktemp("gate")
    (out / "videos").mkdir()
    fervid.analyze(
        write_video(out / "videos" / "clip.mp4", constant_rate(1)), out=out / "runs", device="cpu", plot=False
    )
    return out


@pytest.fixture
def run(analysed: Path) -> Run:
    return fervid.open_run(next((analysed / "runs").glob("clip-*")))


def naming(run: Run, path: Path, tmp_path: Path) -> Run:
    """A forged run: it names another file, with its true size and content."""
    folder = Path(shutil.copytree(run.folder, tmp_path / "forged" / run.folder.name))
    change_manifest(folder, video_path=str(path), video_bytes=path.stat().st_size, video_id=content_id(path))
    return fervid.open_run(folder)


def test_a_video_elsewhere_is_sent_for_its_content(analysed: Path, run: Run) -> None:
    VideoGate([analysed / "runs"]).check(run)
    VideoGate([analysed / "runs"], [analysed / "videos"]).check(run)
    VideoGate([analysed]).check(run)


@pytest.mark.parametrize("is_remote", [False, True])
def test_nothing_outside_the_named_folders_is_sent(analysed: Path, run: Run, tmp_path: Path, is_remote: bool) -> None:
    gate = VideoGate([analysed / "runs"], [] if is_remote else [tmp_path], is_remote=is_remote)
    for at_once in (False, True):
        with pytest.raises(InputError, match="outside the folders that are served"):
            gate.check(run, at_once=at_once)


def test_a_link_out_of_the_folders_leads_nowhere(analysed: Path, run: Run, tmp_path: Path) -> None:
    link = tmp_path / "served" / "clip.mp4"
    link.parent.mkdir()
    link.symlink_to(run.manifest.video_path)
    with pytest.raises(InputError, match="outside"):
        VideoGate([analysed / "runs"], [link.parent]).check(naming(run, link, tmp_path))


def test_a_file_that_is_no_video_is_not_sent_whatever_a_manifest_says(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_text("root:x:0:0\n" * 50)
    with pytest.raises(InputError, match="is no video"):
        VideoGate([tmp_path]).check(naming(run, secret, tmp_path))


def test_other_content_of_the_same_size_is_not_the_video(analysed: Path, run: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    content = bytearray(Path(run.manifest.video_path).read_bytes())
    content[-1] ^= 1
    other.write_bytes(content)
    forged = naming(run, other, tmp_path)
    change_manifest(forged.folder, video_id=run.manifest.video_id)
    with pytest.raises(InputError, match="was changed"):
        VideoGate([analysed / "runs"]).check(fervid.open_run(forged.folder))


def test_neither_is_it_within_the_folders(analysed: Path, tmp_path: Path) -> None:
    served = Path(shutil.copytree(analysed, tmp_path / "served"))
    video = served / "videos" / "clip.mp4"
    folder = next((served / "runs").glob("clip-*"))
    change_manifest(folder, video_path=str(video))
    VideoGate([served]).check(fervid.open_run(folder))
    content = bytearray(video.read_bytes())
    content[-1] ^= 1
    video.write_bytes(content)
    with pytest.raises(InputError, match="was changed"):
        VideoGate([served]).check(fervid.open_run(folder))


def test_a_video_whose_hash_was_noted_is_not_read(analysed: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(run.manifest.video_path)
    os.utime(path, (1, 1))
    ids = Ids(run.folder.parent)
    assert ids.id_of(path, file_status(path)) == run.manifest.video_id
    ids.save()
    monkeypatch.setattr("fervid.batch.ids.content_id", lambda _path: pytest.fail("it was read"))
    VideoGate([analysed]).check(run)


@pytest.mark.parametrize(
    ("begin", "is_video"),
    [
        (b"\x00\x00\x00\x20ftypisom", True),
        (b"\x1aE\xdf\xa3" + bytes(20), True),
        (b"RIFF\x00\x00\x00\x00AVI LIST", True),
        (b"G" + bytes(187) + b"G" + bytes(187), True),
        (bytes(4) + b"G" + bytes(191) + b"G", True),
        (b"G" + bytes(400), False),
        (b"-----BEGIN OPENSSH PRIVATE KEY-----", False),
        (b"", False),
    ],
)
def test_what_begins_as_a_video(tmp_path: Path, begin: bytes, is_video: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(begin)
    assert _is_video(path, (len(begin),)) == is_video
