"""What the command prints in a terminal: one row per video in its width, in colour unless NO_COLOR says not to."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from runner import SOURCE, START, run_fervid
from synthetic import constant_rate, empty_picture, write_video

if sys.platform == "win32":
    pytest.skip("Windows has no pseudo-terminals", allow_module_level=True)
import fcntl
import pty
import termios

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
COLOUR = re.compile(r"\x1b\[(?:\d;)?3\dm")


def run_in_terminal(*arguments: str, width: int, **environment: str) -> tuple[int, list[str]]:
    """The exit code, and the lines that a terminal of `width` characters was sent."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "FORCE_COLOR")}
    with subprocess.Popen(
        [sys.executable, "-c", START, *arguments],
        stdin=follower,
        stdout=follower,
        stderr=subprocess.DEVNULL,
        env=plain | {"PYTHONPATH": str(SOURCE), "TERM": "xterm-256color"} | environment,
    ) as started:
        os.close(follower)
        sent = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:  # the other end was closed
                break
            if not part:
                break
            sent += part
    os.close(leader)
    return started.returncode, sent.decode().replace("\r\n", "\n").splitlines()


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two videos in `videos`, analysed into `out`."""
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "videos").mkdir()
    write_video(folder / "videos" / "a-long-name-of-a-video-that-does-not-fit.mp4", constant_rate(1), empty_picture)
    write_video(folder / "videos" / "b.mp4", constant_rate(2), empty_picture)
    assert run_fervid("analyze", str(folder / "videos"), "-o", str(folder / "out"), "-q").returncode == 0
    return folder


@pytest.mark.parametrize("width", [50, 80, 160])
def test_a_batch_prints_one_row_per_video_in_the_width_of_the_terminal(done: Path, width: int) -> None:
    code, lines = run_in_terminal("analyze", str(done / "videos"), "-o", str(done / "out"), "-q", width=width)
    assert code == 0
    shown = [ESCAPE.sub("", line) for line in lines]
    assert len(shown) == 3
    assert all(len(line) <= width for line in shown)
    assert shown[0].split()[:2] == ["video", "status"]
    by_name = sorted(shown[1:])
    assert by_name[0].startswith("a-long-name-of-a-video-…  complete")
    assert by_name[1].startswith("b.mp4                     complete")
    if width == 160:
        assert by_name[1].rstrip().endswith(next((done / "out").glob("b-*")).name)
    assert any(COLOUR.search(line) for line in lines)


def test_no_color_switches_colours_off(done: Path) -> None:
    command = ("analyze", str(done / "videos"), "-o", str(done / "out"), "-q")
    _, lines = run_in_terminal(*command, width=80, NO_COLOR="1")
    assert len(lines) == 3
    assert not any(COLOUR.search(line) for line in lines)


def test_what_is_piped_is_plain_and_whole(done: Path) -> None:
    piped = run_fervid("analyze", str(done / "videos"), "-o", str(done / "out"), "-q")
    assert "\x1b" not in piped.stdout
    assert "a-long-name-of-a-video-that-does-not-fit.mp4: 00:00:01.0 of video" in piped.stdout


def test_settings_and_formats_are_tables_in_a_terminal() -> None:
    for command, first in (("config", "setting"), ("export", "format")):
        code, lines = run_in_terminal(command, width=120)
        assert code == 0
        shown = [ESCAPE.sub("", line).rstrip() for line in lines]
        assert shown[0].startswith(first)
        assert all(len(line) <= 120 for line in shown)
        assert any(COLOUR.search(line) for line in lines)


@pytest.mark.parametrize("arguments", [("--help",), ("analyze", "-h"), ("--version",)])
def test_help_loads_neither_rich_nor_what_analyses(arguments: tuple[str, ...]) -> None:
    """Or it would take several times its 0.2 CPU seconds."""
    watch = (
        "import atexit, sys\n"
        "slow = ('rich.console', 'numpy', 'cv2', 'av', 'pyarrow')\n"
        "atexit.register(lambda: print([name for name in slow if name in sys.modules], file=sys.stderr))"
    )
    done = run_fervid(*arguments, before=watch)
    assert done.returncode == 0
    assert done.stderr == "[]\n"
