"""Real broken files get the right outcome: refused in one line, or analysed with the loss counted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runner import run_fervid


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("audio_only.mp4", "has no video stream (streams: 1 audio)"),
        ("empty.webm", "is empty (0 bytes)"),
        ("invalid-bitstream.webm", "none of its frames can be decoded"),
        ("sample_malformed_free_box.mp4", "cannot be opened as a video"),
    ],
)
def test_a_broken_file_is_refused_in_one_line(test_data: Path, tmp_path: Path, name: str, message: str) -> None:
    done = run_fervid("analyze", str(test_data / "videos" / "broken" / name), "-o", str(tmp_path), "-q")
    assert done.returncode == 3
    assert done.stdout == ""
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_damaged_file_is_analysed_in_part_and_the_loss_counted(test_data: Path, tmp_path: Path) -> None:
    video = test_data / "videos" / "broken" / "corrupted.mp4"
    done = run_fervid("analyze", str(video), "-o", str(tmp_path), "-q", "--json")
    assert done.returncode == 3
    summary = json.loads(done.stdout)
    assert summary["status"] == "partial"
    assert "1 of 50 packets could not be decoded" in summary["warnings"][0]
    ledger = json.loads((Path(summary["folder"]) / "manifest.json").read_text())["ledger"]
    assert ledger["bad_packets"] == 1
    assert ledger["frames"] == 49 == ledger["undecoded"] + ledger["decoded"]
    assert ledger["decoded"] == ledger["analysed"] + ledger["skipped"] + ledger["failed"]


@pytest.mark.parametrize(("name", "frames"), [("sample_mdat_too_long.mp4", 30), ("unordered.mov", 4)])
def test_a_file_whose_every_frame_decodes_is_simply_analysed(
    test_data: Path, tmp_path: Path, name: str, frames: int
) -> None:
    video = test_data / "videos" / "broken" / name
    done = run_fervid("analyze", str(video), "-o", str(tmp_path), "-q", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["frames"] == frames


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("h265_with_metadata_track.mp4", 3),
        ("hdr10-av1.mp4", 127),
        ("sample.flv", 30),
        ("bbb_176x144_128kbps_15fps_h263.3gp", 15),
        ("sample_fragmented.mp4", 30),
        ("issue-236-split-copy.mkv", 48),
    ],
)
def test_every_container_and_codec_is_read_to_its_end(test_data: Path, tmp_path: Path, name: str, frames: int) -> None:
    video = test_data / "videos" / "codecs" / name
    done = run_fervid("analyze", str(video), "-o", str(tmp_path), "-q", "--json", "--no-plot")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["frames"] == frames
