"""The command as a user meets it: what it prints where, its exit codes, and what it does not import."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

import fervid
from runner import SOURCE, run_fervid
from synthetic import constant_rate, empty_picture, write_video

HEAVY = ("tensorflow", "keras", "ray", "cv2", "numpy", "pyarrow", "pydantic", "av", "pandas", "matplotlib", "rich")


def modules_after(code: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after `code`."""
    script = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("code", ["import fervid", "import fervid.cli"])
def test_importing_loads_nothing_heavy(code: str) -> None:
    modules = modules_after(code)
    assert "fervid" in modules
    assert not modules & set(HEAVY)


def test_analysing_never_loads_tensorflow() -> None:
    modules = modules_after(
        "import fervid.analysis, fervid.emotion.litert, fervid.detect.haar, fervid.track.iou, fervid.charts.timeline"
    )
    assert not modules & {"tensorflow", "keras", "ray"}
    assert "cv2" in modules


@pytest.mark.parametrize("words", [(), ("analyze",), ("alerts", "review")])
def test_help_may_be_a_word(words: tuple[str, ...]) -> None:
    as_word, as_option = run_fervid("help", *words), run_fervid(*words, "--help", is_fresh=True)
    assert (as_word.returncode, as_word.stdout) == (0, as_option.stdout)
    assert as_word.stdout.startswith("Usage: fervid")
    unknown = run_fervid("help", "analyse")
    assert (unknown.returncode, unknown.stdout) == (2, "")


def test_every_text_of_an_interrupt_is_of_a_command() -> None:
    from fervid.base.interrupt import TEXTS
    from fervid.cli.table import COMMANDS

    assert set(TEXTS) - {"", "help"} <= set(COMMANDS)


def test_the_list_of_commands_loads_none_of_them() -> None:
    assert not {name for name in modules_after("import fervid.cli") if name.startswith("fervid.cli.")} - {
        "fervid.cli.table"
    }


def test_help_names_every_command() -> None:
    done = run_fervid("--help")
    assert done.returncode == 0
    for command in ("analyze", "demo", "train", "evaluate", "config"):
        assert f"  {command} " in done.stdout


def test_an_analysis_prints_a_readable_summary(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", constant_rate(3))
    done = run_fervid("analyze", str(video), "-o", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("clip.mp4: 00:00:03.0 of video, 15 of 75 frames analysed\n")
    for word in (
        "1 track",
        "expressions",
        "anger-like    peaks at",
        "times real time: 3.0 s of video in",
        "timeline.parquet",
        "timeline.png",
    ):
        assert word in done.stdout


def read_to_the_end(terminal: int) -> bytes:
    """What programs write to a terminal until the last of them has closed it."""
    content = b""
    try:
        while piece := os.read(terminal, 65536):
            content += piece
    except OSError:  # how Linux tells that nobody holds the other end any more
        pass
    return content


def test_progress_stays_within_the_video_and_warns_of_nothing(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", constant_rate(3.32), empty_picture)  # a length that rounds down
    options = ["-o", str(tmp_path / "out"), "--fps", "25", "--set", "video.segment_seconds=1"]
    terminal, end = pty.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))  # a new one has no columns
    program = [sys.executable, "-m", "fervid", "analyze", str(video), *options]
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=end, env=environment) as running:
        os.close(end)
        shown = read_to_the_end(terminal).decode()
        assert running.stdout is not None
        printed = running.stdout.read()
    os.close(terminal)
    assert "s of video" in shown
    assert "Warning" not in shown
    assert printed.startswith(b"clip.mp4: 00:00:03.3 of video")


def test_a_part_is_as_fast_as_its_seconds_and_a_log_holds_no_bar(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", constant_rate(3))
    begun = time.perf_counter()
    done = run_fervid("analyze", str(video), "-o", str(tmp_path / "out"), "--end", "1", is_fresh=True)
    waited = time.perf_counter() - begun
    assert done.stderr == ""
    times, took = re.search(r"(\S+) times real time: 1\.0 s of video in (\S+) s, with start-up", done.stdout).groups()  # type: ignore[union-attr]
    assert float(took) <= waited + 0.1
    # Both are rounded: the time to .1 s, the ratio to two digits.
    assert 0.95 / (float(took) + 0.05) <= float(times) <= 1.05 / max(1e-9, float(took) - 0.05)


def test_a_batch_ends_with_what_a_reviewer_needs_and_names_a_result_that_it_replaces(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    write_video(folder / "face.mp4", constant_rate(3))
    write_video(folder / "empty.mp4", constant_rate(3), empty_picture)
    out = ["-o", str(tmp_path / "out")]
    done = run_fervid("analyze", str(folder), *out)
    assert "2 ok, 0 partial, 0 rejected, 0 crashed, 0 skipped; 1 of 2 fit for alerts; no face in 1" in done.stderr
    again = run_fervid("analyze", str(folder / "face.mp4"), *out, "--set", "track.gap_seconds=2")
    assert "made with other settings" in again.stderr


def test_a_result_that_is_there_is_shown_and_said_to_be_old(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", constant_rate(1), empty_picture)
    first, second = (run_fervid("analyze", str(video), "-o", str(tmp_path), "-q").stdout for _ in range(2))
    assert "already analysed" not in first
    assert "already analysed with the same settings; --overwrite analyses it again" in second


def test_json_is_one_object_a_video_and_nothing_else(tmp_path: Path) -> None:
    videos = [
        str(write_video(tmp_path / f"{name}.mp4", constant_rate(n), empty_picture)) for n, name in ((2, "a"), (1, "b"))
    ]
    done = run_fervid("analyze", *videos, "-o", str(tmp_path / "out"), "--json", "--no-plot")
    summaries = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(summary["video"] for summary in summaries) == ["a.mp4", "b.mp4"]
    assert summaries[0]["tracks"] == 0
    assert "timeline.png" not in summaries[0]["files"]


def test_one_refused_video_does_not_stop_the_others(tmp_path: Path) -> None:
    write_video(tmp_path / "good.mp4", constant_rate(1), empty_picture)
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    (tmp_path / "notes.txt").write_text("not a video")
    done = run_fervid("analyze", str(tmp_path), "-o", str(tmp_path / "out"), "-q")
    assert done.returncode == 3
    assert done.stdout.startswith("good.mp4")
    assert "bad.mp4 cannot be opened as a video" in done.stderr
    assert "1 ok, 0 partial, 1 rejected, 0 crashed, 0 skipped; 0 of 1 fit for alerts" in done.stderr
    assert "no face in 1; 1 other files ignored (1 .txt)" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["analyze", "missing.mp4"], 3, "missing.mp4 does not exist"),
        (["analyze", "clip.mp4", "--set", "video.fsp=3"], 2, "Did you mean 'video.fps'?"),
        (["analyze", "clip.mp4", "--fps", "-1"], 2, "video.fps = -1.0"),
        (["analyze", "clip.mp4", "--start", "1:2:3:4"], 2, "Write it as 90, 12.5s or 00:01:02.5"),
        (["analyze", "clip.mp4", "--end", "0.5", "--start", "0.9"], 2, "is not after the start"),
        (["analyze", "clip.mp4", "--preset", "nope"], 2, "Use one of cctv, default, fast, trailer"),
        (["analyze", "clip.mp4", "--detector", "nope"], 2, "Use one of haar, yunet, centerface, finder"),
        (["analyze", "clip.mp4", "--detector", "yunet"], 2, "detect.yunet.model_path"),
        (["analyze", "clip.mp4", "--device", "gpu:9"], 2, "no GPU driver was found"),
        (["analyze", "clip.mp4", "--model", "nope"], 78, "model 'nope' does not exist. Use fer2013-res-s or"),
        (["analyze", "clip.mp4", "--out", "clip.mp4"], 74, "cannot be written"),
        (["analyze"], 2, "Missing argument"),
        (["nope"], 2, "No such command"),
        (["train", "--data", "missing.csv"], 3, "missing.csv does not exist"),
    ],
)
def test_a_wrong_call_gets_one_clear_line_and_its_exit_code(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    write_video(tmp_path / "clip.mp4", constant_rate(1), empty_picture)
    done = run_fervid(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("--debug", "analyze", "missing.mp4"), ("analyze", "missing.mp4", "--debug")])
def test_debug_shows_the_traceback_wherever_it_stands(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run_fervid(*arguments, cwd=tmp_path)
    assert done.returncode == 3
    assert "Traceback" in done.stderr


def test_a_missing_system_library_is_named_with_its_debian_package(tmp_path: Path) -> None:
    spoil = """
import sys
class Spoiled:
    def find_spec(self, name, path=None, target=None):
        if name == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")
sys.meta_path.insert(0, Spoiled())
"""
    write_video(tmp_path / "clip.mp4", constant_rate(1), empty_picture)
    (tmp_path / "sitecustomize.py").write_text(spoil)  # for worker processes too
    paths = os.pathsep.join((str(tmp_path), str(SOURCE)))
    done = run_fervid("analyze", "clip.mp4", cwd=tmp_path, environment={"PYTHONPATH": paths})
    assert done.returncode == 78
    assert "apt-get install libgl1 libglib2.0-0" in done.stderr
    assert "Traceback" not in done.stderr


def test_demo_shows_a_first_result_and_ends_with_the_address_of_its_report(tmp_path: Path) -> None:
    done = run_fervid("demo", "-o", str(tmp_path), "-q")
    assert done.returncode == 0, done.stderr
    assert "1 alert" in done.stdout
    assert "fervid analyze YOUR_VIDEO" in done.stdout
    (folder,) = tmp_path.glob("demo-*")
    assert done.stdout.endswith(f" {(folder / 'report.html').as_uri()}\n")
    for file in ("timeline.png", "report.html", "alerts.html", "alerts.parquet"):
        assert (folder / file).is_file()


def test_models_are_listed_and_checked(tmp_path: Path) -> None:
    listed = run_fervid("models")
    assert listed.returncode == 0
    first = listed.stdout.splitlines()[0]
    assert first.startswith("fer2013-res-s (default): res-s, 1,232,559 parameters, heads fer2013 and ferplus")
    assert "PublicTest 70.66%" in first
    assert first.endswith("PrivateTest read once")
    folder = shutil.copytree(listed.stdout.splitlines()[1].strip(), tmp_path / "fer2013-res-s")
    assert run_fervid("models", "verify", str(folder)).stdout.startswith("fer2013-res-s: intact")
    with (folder / "model.tflite").open("r+b") as file:
        file.seek(1000)
        file.write(b"swapped")
    spoiled = run_fervid("models", "verify", str(folder))
    assert spoiled.returncode == 78
    assert "model.tflite" in spoiled.stderr


def test_config_prints_what_would_be_used_with_meaning_and_source() -> None:
    done = run_fervid("config", "--preset", "trailer", "--set", "track.min_faces=9", "--duration", "3")
    assert (
        "video.fps = 10.0  # Analysed frames per second of video; 0 takes every frame. [frames per second] "
        "From: preset trailer.\n" in done.stdout
    )
    assert "track.min_faces = 9  # " in done.stdout
    assert "video.end_seconds = 3.0  # " in done.stdout
    assert "\x1b" not in done.stdout
    assert json.loads(run_fervid("config", "--json").stdout)["video"]["fps"] == 5


def test_settings_kept_as_toml_analyse_to_the_same_result(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", constant_rate(3), empty_picture)
    chosen = ("--preset", "trailer", "--set", "track.min_faces=9", "--start", "0.5", "--duration", "1", "--fps", "4")
    kept = run_fervid("config", *chosen, "--toml")
    assert kept.returncode == 0, kept.stderr
    (tmp_path / "kept.toml").write_text(kept.stdout)
    first = run_fervid("analyze", str(video), "-o", str(tmp_path / "out"), *chosen, "--json", "-q")
    again = run_fervid(
        "analyze", str(video), "-o", str(tmp_path / "out"), "--config", str(tmp_path / "kept.toml"), "--json", "-q"
    )
    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    (one, two) = (json.loads(done.stdout) for done in (first, again))
    assert (one["was_there"], two["was_there"]) == (False, True)
    assert one["frames_analysed"] == 4


def test_every_nth_frame_is_analysed_when_asked_for(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", constant_rate(3), empty_picture)  # 75 frames
    chosen = ("-o", str(tmp_path / "out"), "--json", "-q", "--no-plot")
    done = run_fervid("analyze", str(video), *chosen, "--every", "10")
    assert json.loads(done.stdout)["frames_analysed"] == 8
    both = run_fervid("analyze", str(video), *chosen, "--every", "10", "--fps", "3")
    assert both.returncode == 2
    assert "video.fps and video.every exclude each other. Give one of them." in both.stderr
    live = run_fervid("live", str(video), "--set", "video.every=3", "--view", "none")
    assert live.returncode == 2
    assert "video.every = 3 is for files" in live.stderr


def test_two_ends_of_a_stretch_are_refused(tmp_path: Path) -> None:
    done = run_fervid("analyze", "clip.mp4", "--end", "3", "--duration", "2", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "fervid: --end 3 and --duration 2 exclude each other. Give one of them.\n"


def test_a_list_may_set_how_much_of_each_video_is_analysed(tmp_path: Path) -> None:
    for name, length in (("a", 3), ("b", 4)):
        write_video(tmp_path / f"{name}.mp4", constant_rate(length), empty_picture)
    (tmp_path / "list.csv").write_text("path,duration,end\na.mp4,1,\nb.mp4,,2\n")
    done = run_fervid("analyze", "list.csv", "--duration", "3", "-o", "out", "--json", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["video"]: one["frames_analysed"] for one in found} == {"a.mp4": 5, "b.mp4": 10}


@pytest.mark.parametrize("arguments", [("-h",), ("analyze", "-h"), ("models", "verify", "-h")])
def test_help_has_a_short_form_everywhere(arguments: tuple[str, ...]) -> None:
    short, long = run_fervid(*arguments), run_fervid(*arguments[:-1], "--help")
    assert short.returncode == 0
    assert short.stdout == long.stdout
    assert short.stdout.lstrip().startswith("Usage:")


def test_version_has_a_short_form() -> None:
    assert run_fervid("-V").stdout == f"fervid {fervid.__version__}\n"


def test_shells_can_complete_commands_and_options() -> None:
    asked = {"_FERVID_COMPLETE": "complete_bash", "COMP_WORDS": "fervid ann", "COMP_CWORD": "1"}
    assert run_fervid(environment=asked).stdout.split() == ["annotate"]
    asked |= {"COMP_WORDS": "fervid analyze --preset c", "COMP_CWORD": "3"}
    assert run_fervid(environment=asked).stdout.split() == ["cctv"]
    shown = run_fervid("--show-completion", "zsh", environment={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"})
    assert "_FERVID_COMPLETE=complete_zsh" in shown.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
def test_an_interrupted_analysis_says_so_and_leaves_no_manifest(tmp_path: Path) -> None:
    video = write_video(tmp_path / "clip.mp4", constant_rate(60))
    spoil = "import os, signal, threading; threading.Timer(0.8, os.kill, (os.getpid(), signal.SIGINT)).start()"
    done = run_fervid("analyze", str(video), "-o", str(tmp_path / "out"), "-q", "--fps", "25", before=spoil)
    assert done.returncode == 130
    assert done.stderr.strip() == "fervid: stopped; finished work is kept. Run the same command again to continue"
    assert not list(tmp_path.glob("out/*/manifest.json"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for another process")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--version"], "stopped"),
        (["-v", "analyze", "x.mp4"], "stopped; finished work is kept. Run the same command again to continue"),
        (["query", "SELECT 1"], "stopped; nothing was changed"),
        (["export", "outputs"], "stopped; the same command starts over"),
        (["purge"], "stopped; purge.jsonl lists what was removed, and the same command removes the rest"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_an_interrupt_at_any_moment_is_one_line_that_is_true(arguments: list[str], says: str) -> None:
    spoil = """
import os, signal, sys
class Interrupt:
    def find_spec(self, name, *_):
        if name == "typer":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupt())
"""
    done = run_fervid(*arguments, before=spoil)
    assert done.returncode == 130
    assert done.stderr.splitlines() == [f"fervid: {says}"]


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fervid", "--version"],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"fervid {fervid.__version__}\n"
