"""Clips, stills and sketches of the review server: covered faces, a cache of limited size, no file of others gone."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("starlette", reason="the review server needs fervid[web]")

from fervid.alerts.review import preview_frames
from fervid.alerts.review.preview_frames import StretchReader
from fervid.base.opencv import cv2
from fervid.errors import InputError, OutputError
from fervid.observe.observations import thumbnail_near
from fervid.privacy.audit import AUDIT_LOG
from fervid.review.preview import Previews
from fervid.video.stretch import VideoSource
from fervid.video.writer import Picture, read_pictures
from served import Answer, Served, card, run_of, serving
from synthetic import constant_rate, write_video


def detail(patch: np.ndarray) -> np.ndarray:
    """What is finer than an eighth of a patch."""
    patch = patch.astype(np.float32)
    return np.asarray(patch - cv2.GaussianBlur(patch, (0, 0), patch.shape[1] / 16)).ravel()


def test_what_no_browser_plays_comes_as_clips_with_covered_faces(client: Served, runs: Path) -> None:
    name = card(client, ".ts")["id"]
    assert client.ask(f"/api/runs/{name}").json()["media"]["plays"] is False
    answer = client.ask(f"/clips/{name}/0.mp4")
    assert (answer.status, answer.headers["content-type"]) == (200, "video/mp4")
    run = run_of(runs, "old*")
    kept = run.folder / "previews" / "clip-00000.mp4"
    assert kept.read_bytes() == answer.content
    with av.open(str(kept)) as container:
        stream = container.streams.video[0]
        frames = [(float(one.pts * one.time_base), one.to_ndarray(format="gray")) for one in container.decode(stream)]
        assert stream.codec_context.name == "h264"
    assert [round(seconds, 2) for seconds, _ in frames] == [round(i / 25, 2) for i in range(40)]
    assert client.ask(f"/clips/{name}/1.mp4").status == 404
    with av.open(run.manifest.video_path) as original:
        first = next(original.decode(video=0)).to_ndarray(format="gray")
    x, y, w, h = (round(run.faces[side][0].as_py()) for side in "xywh")
    face = (slice(y, y + h), slice(x, x + w))
    assert np.corrcoef(detail(first[face]), detail(frames[0][1][face]))[0, 1] < 0.35


def wait_for_still(client: Served, name: str) -> Answer:
    deadline = time.monotonic() + 60
    while client.ask(f"/api/pictures?ids={name}").json()[name] == "waiting":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return client.ask(f"/stills/{name}.jpg")


def test_a_still_holds_no_connection_and_is_kept(client: Served, runs: Path) -> None:
    name = card(client, ".ts")["id"]
    asked = time.monotonic()
    first = client.ask(f"/stills/{name}.jpg")
    assert (first.status, first.json(), time.monotonic() - asked < 0.5) == (202, {"state": "waiting"}, True)
    answer = wait_for_still(client, name)
    assert (answer.status, answer.headers["content-type"]) == (200, "image/jpeg")
    assert (next(runs.glob("old*")) / "previews" / "thumbnail.jpg").read_bytes() == answer.content
    moment = wait_for_still(client, f"{name}@800")
    assert (moment.status, moment.content != answer.content) == (200, True)
    states = client.ask(f"/api/pictures?ids={name},{name}@800,{name}@99999999,{'0' * 16},..%2fx").json()
    assert list(states.values()) == ["ready", "ready", "waiting", "none", "none"]
    assert wait_for_still(client, f"{name}@99999999").status == 404


def test_open_faces_are_noted_and_kept_apart(runs: Path) -> None:
    run = run_of(runs, "old*")
    covered, left_open = Previews((runs,)), Previews((runs,), blur="none")
    assert covered.thumbnail(run) != left_open.thumbnail(run)
    lines = (run.folder / AUDIT_LOG).read_text().splitlines()
    assert [json.loads(line)["what"] for line in lines] == ["thumbnail with open faces"]


def test_previews_stay_below_their_size_and_the_oldest_go_first(runs: Path) -> None:
    run, other = run_of(runs, "old*"), run_of(runs, "img*")
    previews = Previews((runs,), cache_bytes=1)
    first = previews.thumbnail(run)
    second = previews.thumbnail(other)
    assert (first.exists(), second.exists()) == (False, True)
    with pytest.raises(InputError, match="has no clip -1"):
        previews.clip(run, -1)


def test_what_is_told_to_stop_leaves_no_half_preview(runs: Path) -> None:
    run, previews = run_of(runs, "old*"), Previews((runs,))
    previews.stop()
    with pytest.raises(OutputError, match="was cancelled"):
        previews.clip(run, 0)
    assert [path.name for path in (run.folder / "previews").iterdir()] == [".fervid-previews"]


def test_files_of_the_user_are_never_removed_to_make_room(runs: Path) -> None:
    """A folder of the user's that is called previews, and foreign files in the cache, stay whatever the limit."""
    run = run_of(runs, "old*")
    previews = Previews((runs,), cache_bytes=1)
    kept = previews.thumbnail(run)
    masters = runs / "client" / "previews"
    masters.mkdir(parents=True)
    foreign = [masters / "final_cut_master.mov", masters / "clip-00000.mp4", kept.parent / "notes.txt"]
    for path in foreign:
        path.write_bytes(b"the user's")
    previews.thumbnail(run_of(runs, "img*"))
    assert [path.exists() for path in foreign] == [True, True, True]
    assert not kept.exists()


def test_previews_follow_no_link_out_of_the_run(runs: Path, tmp_path: Path) -> None:
    run, elsewhere = run_of(runs, "old*"), tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "clip-00000.mp4").write_bytes(b"precious")
    (run.folder / "previews").symlink_to(elsewhere)
    with pytest.raises(OutputError, match="is a link"):
        Previews((runs,), cache_bytes=1).thumbnail(run)
    Previews((runs,), cache_bytes=1).thumbnail(run_of(runs, "img*"))
    assert [path.name for path in elsewhere.iterdir()] == ["clip-00000.mp4"]


def test_a_folder_with_files_of_others_is_not_taken_for_the_cache(runs: Path) -> None:
    folder = run_of(runs, "old*").folder / "previews"
    folder.mkdir()
    (folder / "interview.mov").write_bytes(b"the user's")
    with pytest.raises(OutputError, match=r"has files that are not previews \(interview.mov\)"):
        Previews((runs,)).thumbnail(run_of(runs, "old*"))
    assert (folder / "interview.mov").exists()


def test_a_server_that_begins_has_a_worker_for_previews_before_anybody_asks(runs: Path) -> None:
    with serving(runs, begins=True):
        deadline = time.monotonic() + 120
        while not (found := list(runs.glob("*/previews/thumbnail.jpg"))):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert [path.parent.parent.name.partition("-")[0] for path in found] == ["old"], "the one that browsers do not play"


def test_a_sketch_of_a_moment_is_there_before_any_still(client: Served) -> None:
    name = card(client, "old.ts")["id"]
    wanted = f"{name}@800"
    found = client.ask(f"/api/sketches?ids={name},{wanted},{'0' * 16},nonsense").json()
    assert set(found) == {name, wanted}
    run = run_of(client.folder, "old-*")
    [path] = (run.folder / "observations").glob("*.parquet")
    stored = thumbnail_near([path], 0.8)
    assert stored is not None
    pixels, boxes = stored
    sketch = np.frombuffer(base64.b64decode(found[wanted]), np.uint8).reshape(pixels.shape)
    assert len(boxes), "the portrait is found"
    shrink = pixels.shape[1] / run.manifest.video["width_px"], pixels.shape[0] / run.manifest.video["height_px"]
    left, right = (round(boxes[0][side] * shrink[0]) for side in (0, 2))
    top, bottom = (round(boxes[0][side] * shrink[1]) for side in (1, 3))
    assert len(np.unique(sketch[top:bottom, left:right])) == 1, "the face is covered"
    assert (sketch == pixels).mean() > 0.2, "the rest is as it was stored"
    assert not list(client.folder.glob("*/previews/*.jpg"))
    path.write_bytes(b"damaged")
    assert client.ask(f"/api/sketches?ids={wanted}").json() == {}


def test_the_nearest_thumbnail_is_found_among_segments(tmp_path: Path) -> None:
    paths = []
    for segment in range(5):
        times = [10.0 * segment + step for step in (0.0, 5.0)]
        pixels = [bytes([int(seconds)]) * 32 * 18 for seconds in times]
        paths.append(tmp_path / f"{segment:05d}.parquet")
        pq.write_table(pa.table({"time_s": times, "boxes": [[], [1.0, 2, 3, 4]], "thumbnail": pixels}), paths[-1])
    for asked, expected in ((-1, 0), (0, 0), (6, 5), (20, 20), (23, 25), (99, 45)):
        found = thumbnail_near(paths, asked)
        assert found is not None
        assert found[0].shape == (18, 32)
        assert int(found[0][0, 0]) == expected
        assert len(found[1]) == (expected % 10) / 5
    assert thumbnail_near([], 1.0) is None


def test_a_chunk_that_follows_another_goes_on_with_its_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one key frame at the beginning each chunk would else be decoded from there."""
    path = write_video(tmp_path / "long.mp4", constant_rate(6.0), gop=1000)
    opened: list[float] = []

    def read(source: VideoSource, start: float, end: float) -> Iterator[Picture]:
        opened.append(start)
        return read_pictures(source, start, end)

    monkeypatch.setattr(preview_frames, "read_pictures", read)
    source, reader = VideoSource(path, 10**8), StretchReader()

    def shown(start: float) -> list[tuple[float, bytes]]:
        return [(one.seconds, one.gray().tobytes()) for one in reader.read(source, start, start + 2)]

    alone = {start: [(one.seconds, one.gray().tobytes()) for one in read_pictures(source, start, start + 2)]
             for start in (0.0, 2.0, 4.0)}  # fmt: skip
    assert [shown(start) for start in alone] == list(alone.values())
    assert opened == [0.0], "one decoder for all"
    assert shown(2.0) == alone[2.0], "earlier than where it stands"
    next(reader.read(source, 4.0, 6.0))
    assert shown(4.0) == alone[4.0], "after one that was given up"
    assert opened == [0.0, 2.0, 4.0]
    os.utime(path, ns=(1, 1))
    assert (shown(0.0), opened[-1]) == (alone[0.0], 0.0)
    os.utime(path, ns=(2, 2))
    assert (shown(2.0), opened[-1]) == (alone[2.0], 2.0), "the file may be another one"


def test_frames_are_shrunk_as_they_are_shown(tmp_path: Path) -> None:
    path = write_video(tmp_path / "clip.mp4", constant_rate(0.2))
    for turn_degrees in (0, 90):
        picture = next(read_pictures(VideoSource(path, 10**8, turn_degrees=turn_degrees), 0, 1))
        whole = picture.rgb().rgb
        size = whole.shape[1] // 2, whole.shape[0] // 2
        small = picture.rgb(size).rgb
        assert small.shape == (*size[::-1], 3)
        assert np.abs(small.astype(float) - cv2.resize(whole, size, interpolation=cv2.INTER_AREA)).mean() < 4
