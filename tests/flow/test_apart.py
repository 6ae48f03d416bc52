"""What decodes again after an analysis does so in a worker: a video that crashes it costs its run, not the command."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

import hostile
from fervid.batch.apart import Apart
from fervid.batch.pool import stop_workers
from fervid.config.settings import BatchSettings
from fervid.errors import InputError
from runner import run_fervid
from synthetic import constant_rate, write_video

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals as Linux has them")

RULES = '[[rule]]\nname = "any-face"\nwording = "a face"\nscore = "confidence"\nenter = 0.0\nfor = "1s"\n'


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop_workers()  # of other tests, whose fork server has other steps
    for name, value in hostile.environment(tmp_path).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("steps")
def test_a_crash_is_tried_twice_and_is_one_line_then(tmp_path: Path) -> None:
    with Apart([], [tmp_path], BatchSettings(memory_mib=600)) as apart:
        assert apart.run("value", 7, video=tmp_path / "clip.mp4")[0] == 7
        with pytest.raises(InputError, match=r"clip.mp4: decoding it failed twice: its process died \(SIGSEGV\)"):
            apart.run("crash", signal.SIGSEGV, video=tmp_path / "clip.mp4")
        assert apart.run("value", 8, video=tmp_path / "clip.mp4")[1] != os.getpid()


def test_evidence_and_annotated_videos_are_made_in_the_sandbox(tmp_path: Path) -> None:
    video = write_video(tmp_path / "videos.mp4", constant_rate(3))
    environment = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    runs = str(tmp_path / "runs")
    (tmp_path / "any.toml").write_text(RULES)
    for command in (
        ("analyze", str(video), "-o", runs, "-q", "--device", "cpu"),
        ("alerts", runs, "--rules", str(tmp_path / "any.toml"), "--evidence", "--blur", "others"),
        ("annotate", runs, "-q", "--end", "1s", "--blur", "none"),
        ("annotate", runs, "-q", "--end", "1s", "-o", str(tmp_path / "elsewhere")),
        ("profile", runs),
    ):
        done = run_fervid(*command, environment=environment)
        assert done.returncode == 0, (command, done.stderr)
    (run,) = (path.parent for path in (tmp_path / "runs").rglob("manifest.json"))
    private = [run / "evidence.zip", run / "annotated.mp4", *(run / "evidence").glob("*/*")]
    assert len(private) > 5
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert {path.stat().st_mode & 0o777 for path in (run / "evidence", *(run / "evidence").glob("*"))} == {0o700}
    assert (run / "profile.png").stat().st_size > 10_000
    assert len(list((tmp_path / "elsewhere").glob("*.mp4"))) == 1
    assert run_fervid("verify", runs).returncode == 0
