"""What is written of a video that lost frames since its analysis is kept, said to be short, and fails the command."""

from __future__ import annotations

from pathlib import Path

import pytest

import fervid
from fervid.annotate.video import annotate_run
from fervid.errors import WrittenShort
from numbered_clips import numbered_clip
from runner import run_fervid


@pytest.mark.parametrize(
    ("suffix", "how"), [("ts", {}), ("mpg", {}), ("mkv", {"b_frames": 2}), ("avi", {"b_frames": 2})]
)
def test_a_clip_that_lacks_analysed_frames_says_so(tmp_path: Path, suffix: str, how: dict[str, int]) -> None:
    video = tmp_path / f"clip.{suffix}"
    content = numbered_clip(suffix, range(200), **how)  # type: ignore[arg-type]
    video.write_bytes(content)
    run = fervid.analyze(video, out=tmp_path / "out", plot=False, device="cpu")
    whole = annotate_run(run, blur="none", strip=False, target=tmp_path / "whole.mp4")
    assert whole.stat().st_size > 0
    video.write_bytes(content[: len(content) // 2])
    with pytest.raises(WrittenShort, match=r"incomplete: of 0\.00 to .* could not be read again"):
        annotate_run(run, blur="none", strip=False, target=tmp_path / "short.mp4")
    assert (tmp_path / "short.mp4").is_file()
    with pytest.raises(WrittenShort, match="no frame of 7.5 to 7.9 s"):
        annotate_run(run, blur="none", strip=False, start_seconds=7.5, end_seconds=7.9, target=tmp_path / "none.mp4")


def test_the_command_fails_with_3_and_names_the_file(tmp_path: Path) -> None:
    video = tmp_path / "clip.ts"
    content = numbered_clip("ts", range(100))
    video.write_bytes(content)
    run = fervid.analyze(video, out=tmp_path / "out", plot=False, device="cpu")
    video.write_bytes(content[: len(content) // 3])
    done = run_fervid("annotate", str(run.folder), "-q")
    assert done.returncode == 3, done.stderr
    assert "annotated.mp4 is incomplete" in done.stderr
    assert len(done.stderr.splitlines()) == 1
