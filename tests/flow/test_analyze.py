"""`analyze` from end to end on synthetic video: fakes where the answer must be known, else the real parts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import fervid
from fakes import fakes_in_the_tables, square_picture
from fervid.config import Settings, load_settings
from fervid.errors import InputError, NoVideoStream, TooDamaged, VideoNotFound, VideoUnreadable
from synthetic import constant_rate, empty_picture, face_until, variable_rate, write_audio, write_video

TABLES = ("frames", "faces", "tracks", "timeline")


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fakes_in_the_tables(monkeypatch):
        yield


def settings(*assignments: str) -> Settings:
    return load_settings(assignments=assignments, environment={})


def fake_settings(*assignments: str) -> Settings:
    # Without a margin: the fake classifier reads the square's own level.
    return settings("detect.detector=fake", "emotion.crop_margin=0", *assignments)


def parquet_bytes(run: fervid.Run) -> dict[str, bytes]:
    return {name: (run.folder / f"{name}.parquet").read_bytes() for name in TABLES}


def test_a_moving_face_is_one_track_while_it_is_there(tmp_path: Path) -> None:
    video = write_video(tmp_path / "face.mp4", constant_rate(6), face_until(4))
    run = fervid.analyze(video, out=tmp_path / "out", device="cpu")

    frames, faces, tracks = run.frames.to_pandas(), run.faces.to_pandas(), run.tracks.to_pandas()
    assert frames.time_s.to_numpy() == pytest.approx(np.arange(30) / 5)
    assert frames.n_faces[frames.time_s < 4].eq(1).all()
    assert frames.n_faces[frames.time_s >= 4].eq(0).all()
    assert len(tracks) == 1
    assert tracks.n_faces[0] == len(faces) == 20
    centre = (faces.x + faces.w / 2).to_numpy()
    assert np.corrcoef(centre, np.sin(faces.time_s))[0, 1] > 0.98
    probabilities = faces[[f"p_{label}" for label in run.manifest.model["labels"]]]
    assert probabilities.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-5)
    summary = run.summary()
    assert summary["coverage"] == pytest.approx(4 / 6, abs=0.03)
    assert sum(summary["shares"].values()) == pytest.approx(1)
    assert (run.folder / "timeline.png").read_bytes().startswith(b"\x89PNG")


def test_a_video_without_faces_has_empty_tables_and_a_full_frame_table(tmp_path: Path) -> None:
    video = write_video(tmp_path / "empty.mp4", constant_rate(2), empty_picture)
    run = fervid.analyze(video, out=tmp_path, device="cpu")
    assert (run.frames.num_rows, run.faces.num_rows, run.tracks.num_rows, run.timeline.num_rows) == (10, 0, 0, 2)
    assert run.timeline["mean_happy"].null_count == 2
    assert run.timeline["coverage"].to_pylist() == [0, 0]
    assert run.summary()["dominant"] is None


@pytest.mark.usefixtures("fakes")
def test_times_are_presentation_times_at_a_variable_rate(tmp_path: Path) -> None:
    times = variable_rate(5)
    video = write_video(tmp_path / "vfr.mp4", times, lambda _: square_picture(180), first_pts_seconds=10)
    run = fervid.analyze(video, out=tmp_path, settings=fake_settings("video.fps=0"), device="cpu", plot=False)
    assert run.manifest.video["is_variable_rate"]
    assert run.frames["time_s"].to_numpy() == pytest.approx(np.array(times), abs=1e-4)
    assert run.manifest.start_time_s == pytest.approx(10, abs=1e-4)
    assert run.frames["frame"].to_pylist() == list(range(len(times)))


@pytest.mark.usefixtures("fakes")
def test_every_slot_of_a_variable_rate_video_holds_its_first_frame(tmp_path: Path) -> None:
    times = np.array(variable_rate(8))
    video = write_video(tmp_path / "vfr.mp4", times.tolist(), lambda _: square_picture(180))
    run = fervid.analyze(video, out=tmp_path, settings=fake_settings("video.fps=5"), device="cpu", plot=False)
    slots = np.floor(times * 5 + 1e-6)
    expected = times[np.concatenate([[True], np.diff(slots) > 0])]
    assert run.frames["time_s"].to_numpy() == pytest.approx(expected, abs=1e-4)


@pytest.mark.usefixtures("fakes")
def test_the_ledger_balances_and_every_analysed_frame_has_a_row(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(3), lambda _: square_picture(180))
    run = fervid.analyze(video, out=tmp_path, settings=fake_settings(), device="cpu", plot=False)
    ledger = run.manifest.ledger
    assert (ledger.frames, ledger.analysed, ledger.failed) == (75, 15, 0)
    # The frames behind the last sample of each group of 25 are needed by nobody.
    assert (ledger.undecoded, ledger.decoded, ledger.skipped) == (12, 63, 48)
    assert ledger.balance()
    assert run.frames.num_rows == ledger.analysed


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_segments_give_the_tables_of_one_piece(tmp_path: Path, container: str) -> None:
    video = write_video(
        tmp_path / f"v.{container}", constant_rate(8), lambda t: square_picture(200 + 20 * np.sin(t)), gop=25
    )
    runs = [
        fervid.analyze(
            video,
            out=tmp_path / str(seconds),
            settings=fake_settings(f"video.segment_seconds={seconds}"),
            device="cpu",
            plot=False,
        )
        for seconds in (2, 1000)
    ]
    assert len(list((runs[0].folder / "observations").iterdir())) == 4
    for name in TABLES:
        assert getattr(runs[0], name).equals(getattr(runs[1], name)), name


@pytest.mark.parametrize("options", [(), ("video.every=7", "video.segment_seconds=1")])
def test_runs_write_the_same_bytes_however_many_workers(tmp_path: Path, options: tuple[str, ...]) -> None:
    video = write_video(tmp_path / "face.mp4", constant_rate(3))
    chosen = settings(*options)
    first, second, third = (
        parquet_bytes(fervid.analyze(video, out=tmp_path / str(i), settings=chosen, device="cpu", workers=workers))
        for i, workers in enumerate((1, 1, 4))
    )
    assert first == second == third


@pytest.mark.usefixtures("fakes")
def test_a_part_of_a_video_gives_the_rows_of_the_whole(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(8), lambda _: square_picture(180))
    whole = fervid.analyze(video, out=tmp_path / "whole", settings=fake_settings(), device="cpu", plot=False)
    part = fervid.analyze(
        video,
        out=tmp_path / "part",
        settings=fake_settings("video.start_seconds=2.5", "video.end_seconds=6", "video.segment_seconds=2"),
        device="cpu",
        plot=False,
    )
    frames = whole.frames.to_pandas()
    expected = frames[(frames.time_s >= 2.5) & (frames.time_s < 6)]
    assert part.frames["pts"].to_pylist() == expected.pts.tolist()
    assert part.timeline["start_s"].to_pylist() == [2.5, 3, 4, 5]
    assert part.timeline["observed_s"].to_numpy().sum() == pytest.approx(3.5, abs=1e-3)


@pytest.mark.usefixtures("fakes")
def test_five_and_ten_frames_a_second_give_the_same_means(tmp_path: Path) -> None:
    def picture(seconds: float) -> np.ndarray:
        return square_picture(200 + 25 * np.sin(0.8 * seconds)) if not 4 <= seconds < 5.1 else empty_picture() // 2

    video = write_video(tmp_path / "v.mp4", constant_rate(10, 30), picture)
    means = []
    for fps in (5, 10):
        run = fervid.analyze(
            video, out=tmp_path / str(fps), settings=fake_settings(f"video.fps={fps}"), device="cpu", plot=False
        )
        timeline = run.timeline.to_pandas()
        means.append(timeline[[c for c in timeline if c.startswith("mean_") and c != "mean_faces"]].to_numpy())
    assert np.nanmax(means[0][:, 0]) - np.nanmin(means[0][:, 0]) > 0.5  # the signal moves, so agreement says something
    assert (np.isnan(means[0]) == np.isnan(means[1])).all()
    assert np.nanmax(np.abs(means[0] - means[1])) <= 0.02


@pytest.mark.usefixtures("fakes")
def test_a_new_threshold_does_not_decode_a_frame_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(2), lambda _: square_picture(180))
    first = fervid.analyze(video, out=tmp_path, settings=fake_settings(), device="cpu", plot=False)
    assert first.tracks.num_rows == 1

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a frame was read again")

    monkeypatch.setattr("fervid.observe.observer.read_frames", refuse)
    again = fervid.analyze(video, out=tmp_path, settings=fake_settings("track.min_faces=100"), device="cpu", plot=False)
    assert again.manifest.segments_reused == 1
    assert again.tracks.num_rows == 0
    assert again.manifest.unconfirmed_faces == 10


@pytest.mark.usefixtures("fakes")
def test_a_finished_run_is_returned_unless_overwrite(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(1), lambda _: square_picture(180))

    def run(**options: bool) -> tuple[int, str]:
        manifest = (
            fervid.analyze(video, out=tmp_path, settings=fake_settings(), device="cpu", plot=False, **options).folder
            / "manifest.json"
        )
        return manifest.stat().st_mtime_ns, manifest.read_text()

    first = run()
    assert run() == first
    assert run(overwrite=True)[0] != first[0]


@pytest.mark.usefixtures("fakes")
def test_a_picture_asked_for_later_is_drawn_from_what_is_there(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(1), lambda _: square_picture(180))
    first = fervid.analyze(video, out=tmp_path, settings=fake_settings(), device="cpu", plot=False)
    assert "timeline.png" not in first.summary()["files"]
    second = fervid.analyze(video, out=tmp_path, settings=fake_settings(), device="cpu")
    assert "timeline.png" in second.summary()["files"]
    assert "<img" in second._repr_html_()
    assert second.manifest.segments_reused == 1


@pytest.mark.parametrize("sampling", ["video.fps=10", "video.every=3"])
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path, sampling: str) -> None:
    video = write_video(tmp_path / "long.mp4", constant_rate(40), face_until(35))
    options = ["video.segment_seconds=4", sampling]
    script = textwrap.dedent(f"""
        import fervid
        settings = fervid.load_settings(assignments={options!r}, environment={{}})
        fervid.analyze({str(video)!r}, out={str(tmp_path / "killed")!r}, settings=settings, device="cpu")
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    )
    observations = None
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        observations = (
            next((tmp_path / "killed").glob("*/observations"), None) if (tmp_path / "killed").exists() else None
        )
        if observations and len(list(observations.glob("*.parquet"))) >= 3:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert observations is not None
    assert not (observations.parent / "manifest.json").exists(), "the run ended before it could be killed"
    n_done = len(list(observations.glob("*.parquet")))
    assert 3 <= n_done < 10

    resumed = fervid.analyze(video, out=tmp_path / "killed", settings=settings(*options), device="cpu")
    unbroken = fervid.analyze(video, out=tmp_path / "unbroken", settings=settings(*options), device="cpu")
    assert resumed.manifest.segments_reused == n_done
    assert parquet_bytes(resumed) == parquet_bytes(unbroken)
    assert resumed.manifest.ledger == unbroken.manifest.ledger


def test_memory_does_not_grow_with_length(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource", reason="peak memory is read with a POSIX call")

    def peak_mib(seconds: int) -> float:
        video = write_video(tmp_path / f"{seconds}.mp4", constant_rate(seconds, 10), face_until(seconds / 2))
        script = textwrap.dedent(f"""
            import resource, fervid
            settings = fervid.load_settings(assignments=["detect.min_face_share=0.3"], environment={{}})
            fervid.analyze({str(video)!r}, out={str(tmp_path / "out")!r}, settings=settings, device="cpu")
            print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        """)
        printed = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return int(printed) / (1 << 20 if sys.platform == "darwin" else 1 << 10)

    assert resource
    short, long = peak_mib(30), peak_mib(300)
    assert long < 1.1 * short, f"{short:.0f} MiB for 30 s, {long:.0f} MiB for 300 s"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: p, VideoNotFound, "does not exist"),
        (lambda p: p.write_bytes(b"") and None, VideoUnreadable, "is empty"),
        (lambda p: p.write_bytes(os.urandom(5000)), VideoUnreadable, "cannot be opened as a video"),
        (lambda p: p.write_text("#EXTM3U\n#EXTINF:5,\nother.mp4\n"), VideoUnreadable, "It is a playlist"),
        (lambda p: p.write_text("ffconcat version 1.0\nfile other.mp4\n"), VideoUnreadable, "It is a playlist"),
        (lambda p: p.mkdir(), VideoUnreadable, "not a regular file"),
        (write_audio, NoVideoStream, r"no video stream \(streams: 1 audio\)"),
    ],
    ids=["missing", "empty", "noise", "playlist", "ffconcat", "folder", "audio"],
)
def test_what_is_no_video_is_refused_with_the_reason(
    tmp_path: Path, make: object, error: type[InputError], message: str
) -> None:
    path = tmp_path / "input.mp4"
    write_video(tmp_path / "other.mp4", constant_rate(0.4))  # what a playlist could lead to
    make(path)  # type: ignore[operator]
    with pytest.raises(error, match=message):
        fervid.analyze(path, out=tmp_path / "out", device="cpu")
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(VideoUnreadable, match="not a regular file"):
        fervid.analyze(tmp_path / "pipe.mp4", out=tmp_path / "out", device="cpu")


@pytest.mark.usefixtures("fakes")
def test_names_that_look_like_protocols_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_video(Path("plain.mp4"), constant_rate(0.4), lambda _: square_picture(180))
    for name in ("pipe:0.mp4", "concat:a|b.mp4", "-.mp4"):
        Path(name).write_bytes(Path("plain.mp4").read_bytes())
        run = fervid.analyze(name, out="out", settings=fake_settings(), device="cpu", plot=False)
        assert run.manifest.ledger.frames == 10


@pytest.mark.usefixtures("fakes")
def test_a_cut_off_file_is_analysed_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "whole.mkv", constant_rate(6), lambda t: square_picture(150 + 10 * t))
    content = whole.read_bytes()
    torn = tmp_path / "torn.mkv"
    torn.write_bytes(content[: len(content) // 2])
    run = fervid.analyze(torn, out=tmp_path / "out", settings=fake_settings(), device="cpu", plot=False)
    assert run.manifest.status == "partial"
    assert "ends at" in run.manifest.warnings[0]
    assert 0 < run.frames.num_rows < 30
    assert run.manifest.ledger.balance()


@pytest.mark.usefixtures("fakes")
def test_broken_packets_cost_their_own_frames_and_are_counted(tmp_path: Path) -> None:
    whole = write_video(
        tmp_path / "whole.mp4", constant_rate(8), lambda t: square_picture(190 + 20 * np.sin(9 * t)), gop=10
    )
    content = bytearray(whole.read_bytes())
    rng = np.random.default_rng(3)
    begin = content.index(b"mdat") + len(content) // 4
    for position in rng.integers(begin, begin + len(content) // 8, 60):
        content[position] ^= 0xFF
    damaged = tmp_path / "damaged.mp4"
    damaged.write_bytes(content)
    run = fervid.analyze(damaged, out=tmp_path / "out", settings=fake_settings(), device="cpu", plot=False)
    ledger = run.manifest.ledger
    assert run.manifest.status == "partial"
    assert ledger.bad_packets + ledger.failed > 0
    assert ledger.balance()
    assert run.frames.num_rows > 20
    assert run.frames["time_s"].to_pylist()[-1] > 7


@pytest.mark.usefixtures("fakes")
def test_a_file_without_a_decodable_frame_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mp4", constant_rate(2), lambda _: square_picture(180))
    content = bytearray(path.read_bytes())
    begin = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4 if content.index(b"moov") > begin else len(content)
    content[begin:end] = bytes(end - begin)
    path.write_bytes(content)
    with pytest.raises(TooDamaged, match="decoded"):
        fervid.analyze(path, out=tmp_path / "out", settings=fake_settings(), device="cpu", plot=False)
    assert not (tmp_path / "out").exists()


def test_a_start_after_the_end_of_the_video_is_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(1), empty_picture)
    with pytest.raises(InputError, match=r"lasts 1\.00 s"):
        fervid.analyze(video, out=tmp_path, settings=settings("video.start_seconds=5"), device="cpu")


@pytest.mark.usefixtures("fakes")
def test_provenance_stands_in_every_table_and_in_the_manifest(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(1), lambda _: square_picture(180))
    run = fervid.analyze(video, out=tmp_path, settings=fake_settings(), device="cpu", plot=False)
    for name in TABLES:
        metadata = getattr(run, name).schema.metadata
        assert metadata[b"fervid.video_id"].decode() == run.manifest.video_id
        assert metadata[b"fervid.settings_hash"].decode() == run.manifest.settings_hash
        assert metadata[b"fervid.model_sha256"].decode() == run.manifest.model["weights_sha256"]
        assert str(tmp_path) not in repr(metadata)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert set(manifest["outputs"]) == {f"{name}.parquet" for name in TABLES}
    assert manifest["settings"]["video"]["fps"] == 5
    assert manifest["versions"]["av"]
