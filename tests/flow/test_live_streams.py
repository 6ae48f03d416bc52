"""Live sessions on servers that we did not write: RTSP by GStreamer, HTTP by ffmpeg, a window on a virtual desktop."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import fervid
from fervid.config import Settings, load_settings
from fervid.live.session import LiveSession, Moment
from runner import SOURCE, START, run_fervid
from synthetic import constant_rate, moving_face, write_video

pytestmark = pytest.mark.slow

SYSTEM_PYTHON = "/usr/bin/python3"
RTSP_SERVER = Path(__file__).resolve().parents[1] / "rtsp_server.py"
NEEDED = "import gi; gi.require_version('GstRtspServer', '1.0')"


def settings() -> Settings:
    return load_settings(assignments=["video.fps=0"], environment={})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A program for the time of a block; it has to print a line first where it has anything to print."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        if process.stdout is not None:
            process.stdout.close()


@contextmanager
def rtsp_server(video: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    if (
        not Path(SYSTEM_PYTHON).exists()
        or subprocess.run([SYSTEM_PYTHON, "-c", NEEDED], capture_output=True).returncode
    ):
        pytest.skip("no RTSP server (apt-get install gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good)")
    with running(SYSTEM_PYTHON, str(RTSP_SERVER), str(video), str(port)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("streams") / "clip.mp4", constant_rate(20), moving_face)


def moments_until(session: LiveSession, condition: object, *, within_seconds: float = 120.0) -> list[Moment]:
    found: list[Moment] = []
    deadline = time.monotonic() + within_seconds
    while not condition(found):  # type: ignore[operator]
        assert time.monotonic() < deadline, f"{len(found)} frames came"
        moment = session.step()
        if moment is not None:
            found.append(moment)
    return found


def test_an_rtsp_camera_is_followed_lost_and_found_again(clip: Path) -> None:
    port = free_port()
    with rtsp_server(clip, port) as server:
        address = f"rtsp://user:secret@127.0.0.1:{port}/camera"
        with LiveSession(address, settings=settings(), device="cpu") as session:
            before = moments_until(session, lambda found: len(found) >= 20)
            server.kill()
            moments_until(session, lambda _: session.capture.status.text.startswith("lost"))
            with rtsp_server(clip, port):
                after = moments_until(session, lambda found: len(found) >= 20)
    for moments in (before, after):
        assert [len(m.faces) for m in moments[-3:]] == [1, 1, 1]
        gaps = np.diff([m.seconds for m in moments[5:]]) / 0.04
        assert np.abs(gaps - np.round(gaps)).max() < 0.1  # the sender's own 25 a second
    assert after[-1].rates.reconnects >= 1
    assert after[0].seconds > before[-1].seconds
    assert (session.capture.info.codec, session.capture.info.container) == ("h264", "rtsp")  # type: ignore[union-attr]


def test_an_rtsp_camera_is_recorded_as_a_run(clip: Path, tmp_path: Path) -> None:
    port = free_port()
    with rtsp_server(clip, port):
        address = f"rtsp://user:secret@127.0.0.1:{port}/camera"
        done = run_fervid("live", address, "--view", "none", "--stop-after", "3", "--record", str(tmp_path))
    assert done.returncode == 0, done.stderr
    run = fervid.open_run(done.stdout.strip())
    assert run.manifest.video_path == f"rtsp://127.0.0.1:{port}/camera"
    assert "secret" not in (run.folder / "manifest.json").read_text() + done.stderr
    assert run.manifest.ledger.balance()
    assert run.faces.num_rows > 5
    assert 2.5 < run.frames["time_s"].to_pylist()[-1] < 4


@pytest.mark.parametrize("encoder", ["mjpeg", "mpegts"])
def test_a_stream_over_http_is_followed(clip: Path, encoder: str) -> None:
    if shutil.which("ffmpeg") is None:
        pytest.skip("no ffmpeg")
    address = f"http://127.0.0.1:{free_port()}/feed"
    how = {
        "mjpeg": ["-f", "mpjpeg", "-q:v", "3"],
        "mpegts": ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "25", "-f", "mpegts"],
    }[encoder]
    command = ["ffmpeg", "-v", "error", "-re", "-i", str(clip), *how, "-listen", "1", address]
    with (
        running(*command),
        LiveSession(address, settings=settings(), device="cpu", waits_for_source=True) as session,
    ):
        moments = moments_until(session, lambda found: len(found) >= 25)
    assert [len(m.faces) for m in moments[-3:]] == [1, 1, 1]
    middle = (moments[-1].faces[0].box[0] + moments[-1].faces[0].box[2]) / 2
    assert 85 + 75 - 70 < middle < 85 + 75 + 70


def test_a_window_shows_it_and_a_key_quits(clip: Path, tmp_path: Path) -> None:
    if shutil.which("Xvfb") is None or shutil.which("xdotool") is None:
        pytest.skip("no virtual desktop (apt-get install xvfb xdotool)")
    display = f":{90 + os.getpid() % 9}"
    with running("Xvfb", display, "-screen", "0", "1280x800x24", "-nolisten", "tcp"):
        deadline = time.monotonic() + 120
        while not Path(f"/tmp/.X11-unix/X{display[1:]}").exists():
            assert time.monotonic() < deadline, "the virtual desktop did not start"
            time.sleep(0.05)
        environment = os.environ | {"PYTHONPATH": str(SOURCE), "DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
        arguments = ["live", str(clip), "--loop", "--view", "window", "--stills", str(tmp_path), "--stop-after", "60"]
        process = subprocess.Popen(
            [sys.executable, "-c", START, *arguments], env=environment, stderr=subprocess.PIPE, text=True
        )
        try:
            deadline = time.monotonic() + 120
            while not _press(display, "s") or not list(tmp_path.glob("*.jpg")):
                assert time.monotonic() < deadline
                assert process.poll() is None, process.stderr.read() if process.stderr else ""
                time.sleep(0.5)
            _press(display, "q")
            _, said = process.communicate(timeout=120)
        finally:
            process.kill()
            process.wait(10)
    assert process.returncode == 0
    assert "frames analysed" in said


def _press(display: str, key: str) -> bool:
    """Press a key in the view's window; whether there is one."""
    done = subprocess.run(
        ["xdotool", "search", "--name", "fervid live", "windowfocus", "--sync", "key", key],
        env=os.environ | {"DISPLAY": display},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return done.returncode == 0
