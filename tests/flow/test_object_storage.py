"""From `s3://` to `s3://`, with a real S3 server: the same tables as on disk, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

import fervid
from fervid.storage.place import BLOCK_BYTES, as_place
from object_store import BUCKET, objects_below, s3_server, without_run_specifics
from runner import SOURCE, START, counts_of, run_fervid
from synthetic import constant_rate, face_until, write_video

N_SEGMENTS = 12
OPTIONS = ("--fps", "25", "--set", "video.segment_seconds=1", "--workers", "2", "-q")
MANY = tuple(f"one{i}.mp4" for i in range(3))


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The URL of a bucket that holds three clips below `in/`, and a long one."""
    with s3_server():
        yield f"s3://{BUCKET}"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    (folder / "many").mkdir()
    for i, name in enumerate(MANY):
        write_video(folder / "many" / name, constant_rate(2), face_until(1 + i / 2))
    write_video(folder / "long.mp4", constant_rate(N_SEGMENTS))
    return folder


@pytest.fixture(scope="module")
def inputs(store: str, clips: Path) -> str:
    """The clips in the store."""
    for file in sorted(clips.rglob("*.mp4")):
        as_place(f"{store}/in/{file.relative_to(clips)}").write_bytes(file.read_bytes())
    return f"{store}/in"


def on_disk(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}


def test_a_batch_from_store_to_store_has_the_tables_of_one_on_disk_and_leaves_nothing_else(
    store: str, inputs: str, clips: Path, tmp_path: Path
) -> None:
    there = run_fervid("analyze", f"{inputs}/many/", "-o", f"{store}/batch", *OPTIONS)
    assert there.returncode == 0, there.stderr
    here = run_fervid("analyze", str(clips / "many"), "-o", str(tmp_path), *OPTIONS)
    assert here.returncode == 0, here.stderr

    stored = objects_below(f"{store}/batch")
    assert without_run_specifics(stored) == without_run_specifics(on_disk(tmp_path))
    # `purge` reads derived.jsonl, on disk alone; ids are kept of files that were not modified a moment ago.
    ids, kept_apart = {".ids.json"}, {"derived.jsonl"}
    assert set(stored) - ids == set(on_disk(tmp_path)) - ids - kept_apart

    again = run_fervid("analyze", f"{inputs}/many/*.mp4", "-o", f"{store}/batch", *OPTIONS)
    assert counts_of(again.stderr) == "0 ok, 0 partial, 0 rejected, 0 crashed, 3 skipped"
    assert without_run_specifics(objects_below(f"{store}/batch")) == without_run_specifics(stored)


@pytest.mark.slow
def test_a_killed_writer_is_found_and_the_same_command_goes_on_without_duplicates(
    store: str, inputs: str, clips: Path, tmp_path: Path
) -> None:
    out = f"{store}/killed"
    command = ("analyze", f"{inputs}/long.mp4", f"{inputs}/many/{MANY[0]}", "-o", out, *OPTIONS)
    process = subprocess.Popen(
        [sys.executable, "-c", START, *command],
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    until = time.monotonic() + 120
    while sum("long-" in name and "observations" in name for name in objects_below(out)) < 3:
        assert time.monotonic() < until
        assert process.poll() is None, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    found = run_fervid("doctor", "--storage", out, "--json")
    findings = {one["check"]: one for one in map(json.loads, found.stdout.splitlines())}
    assert findings["stopped"]["state"] == "warning"
    assert "lock of a finished process" in findings["remains"]["detail"]

    resumed = run_fervid(*command, "--json")
    assert resumed.returncode == 0, resumed.stderr
    stored = objects_below(out)
    assert run_fervid("analyze", str(clips / "long.mp4"), "-o", str(tmp_path), *OPTIONS).returncode == 0
    on_disk_long = without_run_specifics(on_disk(tmp_path))
    assert {name: stored[name] for name in on_disk_long} == on_disk_long
    manifests = {name: json.loads(stored[name]) for name in stored if name.endswith("/manifest.json")}
    assert len(manifests) == len({manifest["video_id"] for manifest in manifests.values()}) == 2
    assert any(manifest["segments_reused"] >= 3 for manifest in manifests.values())
    assert not [name for name in stored if name.startswith((".batch", ".long", ".one")) or ".part" in name]

    clean = run_fervid("doctor", "--storage", out, "--json")
    findings = {one["check"]: one for one in map(json.loads, clean.stdout.splitlines())}
    assert findings["runs"]["detail"] == "2 complete"
    assert findings["remains"] == {"check": "remains", "state": "ok", "detail": "none", "advice": ""}
    assert "stopped" not in findings


@pytest.mark.slow
def test_a_cluster_needs_no_shared_disk(store: str, inputs: str, clips: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="clusters need the extra ray")
    there = run_fervid("analyze", f"{inputs}/many/", "-o", f"{store}/ray", "--engine", "ray", *OPTIONS)
    assert there.returncode == 0, there.stderr
    assert run_fervid("analyze", str(clips / "many"), "-o", str(tmp_path), *OPTIONS).returncode == 0
    stored = objects_below(f"{store}/ray")
    assert without_run_specifics(stored) == without_run_specifics(on_disk(tmp_path))
    assert set(stored) == set(on_disk(tmp_path)) - {"derived.jsonl"}  # which `purge` reads, on disk alone


def test_a_run_in_the_store_opens_as_one_on_disk(store: str, inputs: str) -> None:
    settings = fervid.load_settings(environment={})
    run = fervid.analyze(f"{inputs}/many/{MANY[0]}", out=f"{store}/api", settings=settings, device="cpu")
    (name,) = {key.split("/")[0] for key in objects_below(f"{store}/api") if "/" in key}
    opened = fervid.open_run(f"{store}/api/{name}")
    assert opened.faces.equals(run.faces)
    assert opened.frames.num_rows == 10
    assert not fervid.find_alerts(opened).records
    assert fervid.analyze(f"{inputs}/many/{MANY[0]}", out=f"{store}/api", settings=settings, device="cpu").was_there


def test_alerts_of_runs_in_the_store_are_written_beside_them_and_queries_read_both(store: str, inputs: str) -> None:
    out = f"{store}/alerts"
    done = run_fervid("analyze", f"{inputs}/many/", "-o", out, "--alerts", "-q")
    assert done.returncode == 0, done.stderr
    names = [name.split("/")[1] for name in objects_below(out) if "/alerts." in name]
    assert sorted(set(names)) == ["alerts.csv", "alerts.html", "alerts.json", "alerts.parquet"]
    asked = run_fervid("query", "SELECT video, n_faces, folder FROM videos ORDER BY video", out, "--format", "json")
    rows = json.loads(asked.stdout)
    assert [row["video"] for row in rows] == list(MANY)
    assert all(row["folder"].startswith(f"{out}/one") for row in rows)
    counted = run_fervid("query", "SELECT count(*) AS n FROM faces", out, "--format", "json")
    assert json.loads(counted.stdout)[0]["n"] == sum(row["n_faces"] for row in rows) > 0
    assert run_fervid("query", "SELECT * FROM alerts", out, "--format", "json").stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("s3://{bucket}/in/nothing.mp4",), 3, "does not exist"),
        (("s3://{bucket}/in/*.avi",), 3, "matches no object"),
        (("s3://no-such-bucket/a.mp4",), 3, "does not exist"),
        (("s3://{bucket}/in/long.mp4", "-o", "s3://no-such-bucket/out"), 74, "cannot be written"),
        (("s3://",), 2, "has no bucket"),
        (("ftp://host/a.mp4",), 2, "ftp:// is not supported"),
    ],
)
def test_a_wrong_name_is_one_clear_line(
    inputs: str, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert inputs
    given = [argument.format(bucket=BUCKET) for argument in arguments]
    done = run_fervid("analyze", *given, *(() if "-o" in given else ("-o", str(tmp_path))), "-q")
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_command_that_reads_files_alone_says_so() -> None:
    done = run_fervid("report", "s3://bucket/results")
    assert (done.returncode, done.stdout) == (2, "")
    assert "`fervid report` reads files on disk" in done.stderr


def test_credentials_that_are_missing_are_said(inputs: str, tmp_path: Path) -> None:
    gone = "import os; os.environ.pop('AWS_ACCESS_KEY_ID'); os.environ.pop('AWS_SECRET_ACCESS_KEY')"
    home = {"HOME": str(tmp_path)}
    done = run_fervid("analyze", f"{inputs}/long.mp4", "-o", str(tmp_path / "out"), "-q", before=gone, environment=home)
    assert done.returncode == 74
    assert "Unable to locate credentials" in done.stderr


def test_an_object_that_is_a_playlist_reads_no_file_of_this_machine(store: str, clips: Path, tmp_path: Path) -> None:
    playlist = f"ffconcat version 1.0\nfile '{clips / 'long.mp4'}'\n"
    as_place(f"{store}/trap/a.mp4").write_text(playlist)
    done = run_fervid("analyze", f"{store}/trap/a.mp4", "-o", str(tmp_path), "-q")
    assert done.returncode == 3
    assert "is a playlist" in done.stderr


def test_a_video_is_read_in_blocks_and_never_lies_on_disk(
    store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file larger than what is kept, its id reads each byte once, planning too, and a segment its own part."""
    from s3fs.core import S3File

    from fervid.batch import ids

    video = write_video(tmp_path / "noise.mp4", constant_rate(4), noise, size=(1280, 720))
    n_bytes = video.stat().st_size
    place = as_place(f"{store}/in/noise.mp4")
    place.write_bytes(video.read_bytes())
    fetched: list[int] = []
    fetched_for_the_id: list[int] = []
    fetch, identify = S3File._fetch_range, ids.content_id

    def identified(path: Path) -> str:
        video_id = identify(path)
        fetched_for_the_id.extend(fetched)
        fetched.clear()
        return video_id

    def counted(file: S3File, start: int, end: int) -> bytes:
        fetched.append(end - start)
        return bytes(fetch(file, start, end))

    monkeypatch.setattr(S3File, "_fetch_range", counted)
    monkeypatch.setattr(ids, "content_id", identified)
    settings = fervid.load_settings(assignments=["video.end_seconds=0.5"], environment={})
    (tmp_path / "out").mkdir()
    fervid.analyze(place, out=tmp_path / "out", settings=settings, device="cpu", plot=False)
    assert n_bytes > 30_000_000, "the clip is too small to show anything"
    assert n_bytes <= sum(fetched_for_the_id) <= n_bytes + BLOCK_BYTES  # the last block is asked for as a whole
    assert n_bytes <= sum(fetched) < 1.6 * n_bytes
    assert max(fetched + fetched_for_the_id) < 10_000_000
    assert not [file for file in (tmp_path / "out").rglob("*") if file.stat().st_size > 1_000_000]


def noise(seconds: float) -> np.ndarray:
    return np.random.default_rng(round(seconds * 1000)).integers(0, 255, (720, 1280), np.uint8)


def test_only_one_of_many_gets_a_claim_and_the_next_gets_it_after_its_release(store: str) -> None:
    from fervid.errors import OutputInUse
    from fervid.storage.lease import Lease

    place = as_place(f"{store}/leases/run")
    got: list[Lease] = []
    refused: list[str] = []

    def try_it() -> None:
        try:
            got.append(Lease(place))  # type: ignore[arg-type]
        except OutputInUse as problem:
            refused.append(str(problem))

    for _ in range(3):
        threads = [threading.Thread(target=try_it) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(got) == 1
        assert len(refused) == 5
        assert f"process {os.getpid()}" in refused[0]
        got.pop().release()
        refused.clear()
    assert objects_below(f"{store}/leases") == {}


def test_a_claim_nobody_renews_is_taken_over_by_one_of_many_and_one_that_is_renewed_is_not(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fervid.errors import OutputInUse
    from fervid.storage import lease

    place = as_place(f"{store}/leases/run")
    held = lease.Lease(place)  # type: ignore[arg-type]
    monkeypatch.setattr(lease, "_machine", lambda: "another machine")
    with pytest.raises(OutputInUse, match="in use by another run of fervid .process"):
        lease.Lease(place)  # type: ignore[arg-type]
    monkeypatch.setattr(lease, "LEASE_SECONDS", -1.0)
    taken: list[lease.Lease] = []

    def try_it() -> None:
        with suppress(OutputInUse):
            taken.append(lease.Lease(place))  # type: ignore[arg-type]

    first = lease.read_lease(held.path)
    assert first is not None
    assert first.is_stale()
    held._n_renewals += 1
    assert lease.write_over(held.path, held._content(), first.info), "its owner renews it"
    assert not lease.write_over(held.path, b"{}", first.info), "who saw the old one must not get the renewed one"
    try_it()
    assert len(taken) == 1
    held.release()  # it is not its own any more
    assert list(objects_below(f"{store}/leases")) == [".run.lock"]
    taken[0].release()


def test_doctor_removes_uploads_and_tables_of_runs_that_ended_in_the_middle(store: str, inputs: str) -> None:
    from fervid.storage.lock import locked
    from fervid.upkeep.examine import examine_storage

    out = as_place(f"{store}/remains")
    fervid.analyze(f"{inputs}/many/{MANY[0]}", out=out, device="cpu", plot=False)
    before = objects_below(str(out))
    key = "remains/stopped-0123abcd/faces.parquet"
    (out / "stopped-0123abcd" / "faces.parquet").write_bytes(b"half")
    (out / "stopped-0123abcd" / "observations" / "00000.parquet").write_bytes(b"seen")
    (out / "stopped-0123abcd" / "reviews.parquet").write_bytes(b"what somebody said")
    (out / ".batch.4711.part").write_bytes(b"rows")
    upload = out.fs.call_s3("create_multipart_upload", Bucket=BUCKET, Key=key)
    out.fs.call_s3("upload_part", Bucket=BUCKET, Key=key, UploadId=upload["UploadId"], PartNumber=1, Body=b"x" * 1000)
    with locked(out / "stopped-0123abcd"):
        in_use = {one.check: one for one in examine_storage(out, clean="all")}
    assert in_use["runs"].detail == "1 complete; in use now: stopped-0123abcd"
    assert in_use["remains"].detail == "found: 1 x rows of a batch that was stopped; 1 objects and uploads removed"
    (out / ".batch.4711.part").write_bytes(b"rows")

    found = {one.check: one for one in examine_storage(out, clean=None)}
    assert found["stopped"].detail.startswith("1 run with 1 observed segment: stopped-0123abcd")
    assert found["remains"].detail == (
        "1 x rows of a batch that was stopped, 1 x table of an unfinished run, 1 x unfinished upload"
    )
    cleaned = {one.check: one for one in examine_storage(out, clean="remains")}
    assert cleaned["remains"].detail.endswith("3 objects and uploads removed")
    assert out.fs.call_s3("list_multipart_uploads", Bucket=BUCKET, Prefix="remains/").get("Uploads", []) == []
    verdicts, observed = "stopped-0123abcd/reviews.parquet", "stopped-0123abcd/observations/00000.parquet"
    assert set(objects_below(str(out))) == {*before, verdicts, observed}
    assert {one.check: one for one in examine_storage(out, clean="all")}["remains"].detail.endswith(
        "1 objects and uploads removed"
    )
    assert objects_below(str(out)) == before | {verdicts: b"what somebody said"}
