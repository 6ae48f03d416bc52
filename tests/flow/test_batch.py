"""A batch from end to end: any number of workers, what goes wrong on the way, and going on afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import fervid
import hostile
from runner import HELD_TO_PERMISSIONS, SOURCE, START, counts_of, run_fervid
from synthetic import SIZE, constant_rate, empty_picture, face_until, write_video

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and limits as Linux has them")

SEGMENTS = ("--set", "video.segment_seconds=1", "--no-plot", "-q", "--device", "cpu")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of a moving face."""
    return write_video(tmp_path_factory.mktemp("clip") / "face.mp4", constant_rate(4), face_until(3))


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute, of which every frame takes a while at 25 frames a second: no machine is done before a test is."""
    return write_video(tmp_path_factory.mktemp("long") / "long.mp4", constant_rate(60), face_until(60))


def tables(out: Path) -> dict[str, bytes]:
    """Every table of every run, and every observation."""
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("*/**/*.parquet"))}


def start(
    *arguments: str | Path, environment: dict[str, str] | None = None, own_group: bool = False
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, "analyze", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(SOURCE)} | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_group,
    )


def wait_for(condition: object, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 90
    while not condition():  # type: ignore[operator]
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("numbers", [(2,), pytest.param((1, 4), marks=pytest.mark.slow)])
def test_any_number_of_workers_writes_the_same_bytes(clip: Path, tmp_path: Path, numbers: tuple[int, ...]) -> None:
    everything = ["baseline.scope=video", "baseline.min_seconds=0", "baseline.min_spread=0", "motion.measure=true"]
    settings = fervid.load_settings(assignments=["video.segment_seconds=1", *everything], environment={})
    for workers in (None, *numbers):
        out = tmp_path / str(workers)
        run = fervid.analyze(clip, out=out, settings=settings, device="cpu", workers=workers, plot=False)
        assert not run.faces["b_happy"].equals(run.faces["s_happy"])
        assert run.frames["speed"].null_count == 4  # the first frame of each segment
        assert run.frames["agitation"].null_count < 16
    expected = tables(tmp_path / "None")
    assert len(expected) == 4 + 4
    assert all(tables(tmp_path / str(workers)) == expected for workers in numbers)


def test_results_of_other_settings_are_never_mixed_in(clip: Path, tmp_path: Path) -> None:
    out, begun = tmp_path / "out", tmp_path / "begun"
    for fps in (5, 10):
        settings = fervid.load_settings(assignments=["video.segment_seconds=1", f"video.fps={fps}"], environment={})
        for folder in (out, tmp_path / f"fresh{fps}"):
            run = fervid.analyze(clip, out=folder, settings=settings, device="cpu", plot=False)
        if fps == 5:  # as if that run had been stopped half-way
            shutil.copytree(out, begun)
            (begun / run.folder.name / "manifest.json").unlink()
            for observed in sorted((begun / run.folder.name / "observations").iterdir())[2:]:
                observed.unlink()
    went_on = fervid.analyze(clip, out=begun, settings=settings, device="cpu", plot=False)
    assert went_on.manifest.segments_reused == 0
    assert tables(out) == tables(begun) == tables(tmp_path / "fresh10") != tables(tmp_path / "fresh5")


@pytest.mark.slow
def test_killed_workers_and_parents_leave_the_bytes_of_an_unbroken_run(clip: Path, tmp_path: Path) -> None:
    out, rng = tmp_path / "out", np.random.default_rng(5)
    motion = ("--set", "motion.measure=true")
    options = (clip, "-o", out, *SEGMENTS, *motion, "--workers", "2", "--fps", "25")
    for victim in ("worker", "parent", "worker"):
        process = start(*options)
        n_before = len(list(out.glob("*/observations/*.parquet")))
        wait_for(
            lambda n=n_before: len(list(out.glob("*/observations/*.p*"))) > n or list(out.glob("*/manifest.json")),
            process,
        )
        time.sleep(rng.uniform(0, 0.3))
        if victim == "parent":
            process.kill()
            process.communicate()
        else:
            for server in _children(process.pid):
                for worker in _children(server)[:1]:
                    os.kill(worker, signal.SIGKILL)
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    assert run_fervid("analyze", *map(str, options)).returncode == 0
    unbroken = (str(clip), "-o", str(tmp_path / "unbroken"), *SEGMENTS, *motion, "--fps", "25")
    assert run_fervid("analyze", *unbroken).returncode == 0
    assert tables(out) == tables(tmp_path / "unbroken")
    assert not list(out.rglob("*.part*"))


def test_a_crash_is_tried_again_alone_and_then_costs_its_own_video(tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    videos.mkdir()
    white = np.full(SIZE[::-1], 255, np.uint8)
    write_video(videos / "bad.mp4", constant_rate(3), lambda t: white if 1.5 < t < 1.9 else empty_picture())
    write_video(videos / "good.mp4", constant_rate(2), empty_picture)
    environment = hostile.environment(tmp_path) | {"FERVID_TEST_DETECTOR": "crash"}
    command = ("analyze", str(videos), "-o", str(out), *SEGMENTS, "--workers", "2", "--detector", "hostile")

    done = run_fervid(*command, environment=environment)
    assert done.returncode == 3
    assert done.stdout.startswith("good.mp4")
    assert (
        "bad.mp4: observing it from 1 s on failed twice, the second time in isolation: its process died (SIGSEGV)"
        in done.stderr
    )
    assert counts_of(done.stderr) == "1 ok, 0 partial, 0 rejected, 1 crashed, 0 skipped"
    assert "Traceback" not in done.stderr
    (failed,) = map(json.loads, (out / "failed.jsonl").read_text().splitlines())
    assert failed["status"] == "crashed"
    rows = pq.read_table(out / "batch.parquet").to_pylist()
    assert sorted((Path(row["video"]).name, row["status"]) for row in rows) == [
        ("bad.mp4", "crashed"),
        ("good.mp4", "complete"),
    ]

    again = run_fervid(*command, environment=environment)
    assert again.returncode == 3
    assert "--retry-failed tries again" in again.stderr
    assert counts_of(again.stderr) == "0 ok, 0 partial, 0 rejected, 1 crashed, 1 skipped"

    healed = run_fervid(
        *command, "--retry-failed", environment=hostile.environment(tmp_path) | {"FERVID_TEST_DETECTOR": ""}
    )
    assert healed.returncode == 2  # the detector is unknown now: it was tried


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("hang", "its process made no progress and was stopped"),
        ("hog", "it needed more than 700 MiB of memory"),
    ],
)
def test_a_hang_or_a_hog_costs_its_own_video(tmp_path: Path, how: str, reason: str) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    white = np.full(SIZE[::-1], 255, np.uint8)
    write_video(videos / "bad.mp4", constant_rate(3), lambda t: white if 1.5 < t < 1.9 else empty_picture())
    write_video(videos / "good.mp4", constant_rate(2), empty_picture)
    limits = ("--set", "batch.memory_mib=700", "--set", "batch.stall_seconds=5")
    done = run_fervid(
        *("analyze", str(videos), "-o", str(tmp_path / "out"), *SEGMENTS, *limits, "--detector", "hostile"),
        environment=hostile.environment(tmp_path) | {"FERVID_TEST_DETECTOR": how},
    )
    assert done.returncode == 3
    assert (
        f"bad.mp4: observing it from 1 s on failed twice, the second time in isolation: {reason}. Repair" in done.stderr
    )
    assert counts_of(done.stderr) == "1 ok, 0 partial, 0 rejected, 1 crashed, 0 skipped"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow)]
)
def test_a_signal_ends_the_run_soon_and_keeps_what_was_published(
    long_clip: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process = start(long_clip, "-o", tmp_path / "out", *SEGMENTS, "--workers", "2", "--fps", "25")
    wait_for(lambda: list(tmp_path.glob("out/*/observations/*.parquet")), process)
    published = set(tmp_path.glob("out/*/observations/*.parquet"))
    process.send_signal(number)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == code
    assert errors.strip() == "fervid: stopped; finished work is kept. Run the same command again to continue"
    kept = set(tmp_path.glob("out/*/observations/*.parquet"))
    assert published <= kept
    # Soon, in segments: each of two workers may publish the one it is at, and one more before it hears of the end.
    assert len(kept - published) <= 4
    assert not list(tmp_path.glob("out/*/manifest.json"))


@pytest.mark.slow
def test_an_interrupt_from_the_terminal_is_one_line_at_any_moment(long_clip: Path, tmp_path: Path) -> None:
    """A terminal sends it to every process of the command at once."""
    for seconds in (0.2, 0.6, 1.2):
        process = start(long_clip, "-o", tmp_path / "out", *SEGMENTS, "--fps", "25", own_group=True)
        wait_for(lambda p=process: _children(p.pid), process)  # from then on it hears signals as it should
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 130
        assert errors.strip() == "fervid: stopped; finished work is kept. Run the same command again to continue"


def test_two_runs_of_one_video_or_two_batches_in_one_place_refuse_each_other(
    clip: Path, long_clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = start(long_clip.parent, "-o", out, *SEGMENTS, "--workers", "1", "--fps", "25")
    try:
        wait_for(lambda: list(out.glob("*/observations/*.parquet")), first)
        for second in ((long_clip,), (long_clip, clip)):
            refused = run_fervid("analyze", *map(str, second), "-o", str(out), *SEGMENTS)
            assert refused.returncode == 75
            assert f"in use by another run of fervid (process {first.pid})" in refused.stderr
            assert len(refused.stderr.splitlines()) == 1
    finally:
        first.kill()
        first.communicate()


@pytest.mark.slow
def test_a_full_disk_stops_the_run_with_one_line(clip: Path, tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))"
    done = run_fervid("analyze", str(clip), "-o", str(tmp_path / "out"), *SEGMENTS, before=limit)
    assert done.returncode == 74
    assert "cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert run_fervid("analyze", str(clip), "-o", str(tmp_path / "out"), *SEGMENTS).returncode == 0


@pytest.mark.slow
def test_a_disk_that_fills_up_stops_the_run_and_more_room_goes_on(tmp_path: Path) -> None:
    disk, videos, out = tmp_path / "disk", tmp_path / "videos", tmp_path / "disk" / "out"
    for folder in (disk, videos):
        folder.mkdir()
    for i in range(8):
        write_video(videos / f"{i}.mp4", constant_rate(1 + i / 10), empty_picture)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=150k", "tmpfs", str(disk)], check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        full = run_fervid("analyze", str(videos), "-o", str(out), *SEGMENTS)
        assert full.returncode == 74
        assert "No space left on device" in full.stderr
        assert len(full.stderr.splitlines()) == 1
        n_before = len(list(out.glob("*/manifest.json")))
        assert 0 < n_before < 8
        subprocess.run(["mount", "-o", "remount,size=4m", str(disk)], check=True)
        done = run_fervid("analyze", str(videos), "-o", str(out), *SEGMENTS)
        assert done.returncode == 0
        assert counts_of(done.stderr) == (f"{8 - n_before} ok, 0 partial, 0 rejected, 0 crashed, {n_before} skipped")
        assert run_fervid("analyze", str(videos), "-o", str(tmp_path / "unbroken"), *SEGMENTS).returncode == 0
        assert tables(out) == tables(tmp_path / "unbroken")
        assert not list(out.rglob("*.part*"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_place_that_cannot_be_written_stops_the_run_with_one_line(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    done = run_fervid("analyze", str(clip), "-o", str(out), *SEGMENTS, before=HELD_TO_PERMISSIONS)
    assert done.returncode == 74
    assert done.stderr.splitlines() == [
        f"fervid: {out} cannot be written (Permission denied). Give another folder with --out."
    ]
    assert not list(out.iterdir())


@pytest.mark.slow
def test_a_list_sets_options_of_single_videos_and_growing_files_are_left_out(clip: Path, tmp_path: Path) -> None:
    shutil.copy(clip, tmp_path / "growing.mp4")
    old = write_video(tmp_path / "old.mp4", constant_rate(1), empty_picture)
    dense = write_video(tmp_path / "dense.mp4", constant_rate(1.2), empty_picture)
    for path in (old, dense):
        os.utime(path, (time.time() - 3600,) * 2)
    (tmp_path / "list.csv").write_text(f"path,fps\n{old},\n{dense},25\n{tmp_path}/growing.mp4,\n")
    command = (str(tmp_path / "list.csv"), "-o", tmp_path / "out", *SEGMENTS, "--settle", "2s", "--json")
    os.utime(tmp_path / "growing.mp4")
    process = start(*command)
    deadline = time.monotonic() + 90
    while process.poll() is None:
        assert time.monotonic() < deadline
        with (tmp_path / "growing.mp4").open("ab") as file:
            file.write(b"more")
        time.sleep(0.05)
    printed, errors = process.communicate()
    assert process.returncode == 3, errors
    analysed = {run["video"]: run["frames_analysed"] for run in map(json.loads, printed.splitlines())}
    assert analysed == {"old.mp4": 5, "dense.mp4": 30}
    assert "growing.mp4 is still growing" in errors
    assert counts_of(errors) == "2 ok, 0 partial, 0 rejected, 0 crashed, 1 skipped"
    plan = run_fervid("analyze", *map(str, command[:3]), *SEGMENTS, "--dry-run")
    assert plan.returncode == 0, plan.stderr
    assert plan.stdout.count("skip    ") == 2
    assert plan.stdout.splitlines()[-1].startswith("1 to analyse, 2 to skip; 0.")


@pytest.mark.slow
def test_names_that_trouble_other_programs_are_analysed_and_one_content_once(tmp_path: Path) -> None:
    videos, out = tmp_path / "videos", tmp_path / "out"
    (videos / "deep").mkdir(parents=True)
    original = write_video(tmp_path / "v.mp4", constant_rate(0.4), empty_picture).read_bytes()
    names = [b"caf\xe9.mp4", b"x" * 246 + b".mp4", b"line\nbreak.mp4", b"=cmd,'quote\".mp4", b"<img src=x>.mp4"]
    for i, name in enumerate(names):
        Path(os.fsdecode(os.fsencode(videos) + b"/" + name)).write_bytes(original + _free_box(i))
    (videos / "copy.mp4").write_bytes(original + _free_box(0))
    os.link(videos / "copy.mp4", videos / "link.mp4")
    (videos / "deep" / "copy.mp4").write_bytes(original + _free_box(99))
    (videos / "loop").symlink_to(videos)
    (videos / "self.mp4").symlink_to(videos / "self.mp4")
    os.mkfifo(videos / "pipe.mp4")
    done = run_fervid("analyze", str(videos), "-o", str(out), *SEGMENTS, "--json")
    assert done.returncode == 3
    assert counts_of(done.stderr) == "6 ok, 0 partial, 2 rejected, 0 crashed, 2 skipped"
    assert "pipe.mp4 is not a regular file" in done.stderr
    assert "self.mp4 cannot be read" in done.stderr
    assert "which is analysed once" in done.stderr
    assert len(list(out.glob("*/manifest.json"))) == 6
    assert {json.loads(line)["status"] for line in done.stdout.splitlines()} == {"complete"}


def test_a_renamed_video_is_recognised(clip: Path, tmp_path: Path) -> None:
    fervid.analyze(clip, out=tmp_path / "out", device="cpu", plot=False)
    renamed = shutil.copy(clip, tmp_path / "renamed.mp4")
    assert fervid.analyze(renamed, out=tmp_path / "out", device="cpu", plot=False).was_there


def _free_box(i: int) -> bytes:
    """An unused box, so that files differ in content but not in what they show."""
    return (16).to_bytes(4, "big") + b"free" + i.to_bytes(8, "big")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
