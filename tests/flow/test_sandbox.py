"""What a decoder, detector or plug-in that was taken over can reach from a worker: its videos, its results, no more."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import hostile
from fervid.batch.sandbox import LANDLOCK, NO_NEW_PRIVS, SECCOMP, active_here
from runner import run_fervid
from synthetic import constant_rate, write_video

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux holds it")

ALLOWED = {"read the video", "write a result", "read a library"}


@pytest.fixture(scope="module")
def active() -> tuple[str, ...]:
    return active_here()


def reached(tmp_path: Path, *options: str) -> dict[str, str]:
    """How each attempt of a hostile detector ended, in a worker of a real command."""
    secret = tmp_path / "home" / "id_ed25519"
    secret.parent.mkdir()
    secret.write_text("secret")
    bright = np.full((240, 320), 250, np.uint8)
    video = write_video(tmp_path / "videos" / "clip.mp4", constant_rate(1), lambda _: bright)
    environment = hostile.environment(tmp_path / "site")
    environment |= {"FERVID_TEST_DETECTOR": "reach", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment["FERVID_TEST_REACH"] = os.pathsep.join(map(str, (secret, video, tmp_path / "out")))
    options = ("-q", "--no-plot", "--workers", "1", "--set", "detect.detector=hostile", *options)
    done = run_fervid("analyze", str(video), "-o", str(tmp_path / "out"), *options, environment=environment)
    assert done.returncode == 0, done.stderr
    assert secret.read_text() == "secret" or "batch.sandbox=false" in options
    found: dict[str, str] = json.loads((tmp_path / "out" / "reached.json").read_text())
    return found


@pytest.fixture(autouse=True)
def folders(tmp_path: Path) -> None:
    for name in ("videos", "site"):
        (tmp_path / name).mkdir()


def test_a_worker_reaches_its_videos_and_results_and_no_more(tmp_path: Path, active: tuple[str, ...]) -> None:
    if {NO_NEW_PRIVS, LANDLOCK, SECCOMP} - set(active):
        pytest.skip(f"this kernel confines a process by {', '.join(active) or 'nothing'} only")
    found = reached(tmp_path)
    assert {name for name, problem in found.items() if not problem} == ALLOWED, found


def test_without_the_sandbox_a_worker_reaches_what_the_account_does(tmp_path: Path) -> None:
    found = reached(tmp_path, "--set", "batch.sandbox=false")
    assert not found["read a foreign file"]
    assert not found["open a socket"]


def test_a_plot_is_drawn_in_the_sandbox(tmp_path: Path) -> None:
    video = write_video(tmp_path / "videos" / "clip.mp4", constant_rate(1))
    done = run_fervid(
        *("analyze", str(video), "-o", str(tmp_path / "out"), "-q", "--workers", "1", "--device", "cpu"),
        environment={"XDG_CACHE_HOME": str(tmp_path / "cache")},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert list((tmp_path / "out").glob("*/timeline.png"))


def test_doctor_says_what_is_active(tmp_path: Path, active: tuple[str, ...]) -> None:
    done = run_fervid("doctor", "--quick", "-o", str(tmp_path))
    (line,) = [line for line in done.stdout.splitlines() if "sandbox" in line]
    assert all(part in line for part in active)
