"""The review server without a browser: who gets an answer, what is looked up, what is written."""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytest.importorskip("starlette", reason="the review server needs fervid[web]")

import fervid
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import load_rules, parse_rules
from fervid.alerts.review.reviews import read_history, read_verdicts
from fervid.base.opencv import cv2
from fervid.errors import ConfigError, InputError, OutputError
from fervid.observe.observations import thumbnail_near
from fervid.privacy.audit import AUDIT_LOG
from fervid.review.cards import run_id
from fervid.review.preview import CLIP_SECONDS, Previews
from fervid.review.server import make_app, open_socket
from fervid.run.handle import Run
from fervid.web.guard import Guard, allowed_names, is_loopback, make_token
from manifests import change_manifest
from served import TOKEN, Answer, Served, serving
from synthetic import constant_rate, write_video

HOSTILE = '"><img src=x onerror=alert(1)>&#x27;.mp4'
ANY_FACE = {"name": "any", "wording": "a face", "score": "confidence", "enter": 0, "for": 0, "merge_gap": 100}


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with an alert: a portrait under a hostile name, and the same as MPEG-TS, which no browser plays."""
    out = tmp_path_factory.mktemp("served")
    (out / "cam").mkdir()
    videos = [write_video(out / "cam" / HOSTILE, constant_rate(1.6))]
    videos.append(write_video(out / "cam" / "old.ts", constant_rate(1.6)))
    for video in videos:
        run = fervid.analyze(video, out=out / "runs", device="cpu", plot=False)
        write_alerts(scan_run(run, parse_rules({"rule": [ANY_FACE]}, source="any")))
    return out


@pytest.fixture
def runs(analysed: Path, tmp_path: Path) -> Path:
    """A copy of the runs that a test may write to; the videos stay where they are."""
    return Path(shutil.copytree(analysed / "runs", tmp_path / "runs"))


@pytest.fixture
def client(runs: Path) -> Iterator[Served]:
    with serving(runs) as made:
        yield made


def card(client: Served, end: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in client.ask("/api/runs").json()["runs"] if one["name"].endswith(end))
    return found


def run_of(runs: Path, pattern: str) -> Run:
    return fervid.open_run(next(runs.glob(pattern)))


def detail(patch: np.ndarray) -> np.ndarray:
    """What is finer than an eighth of a patch."""
    patch = patch.astype(np.float32)
    return np.asarray(patch - cv2.GaussianBlur(patch, (0, 0), patch.shape[1] / 16)).ravel()


def test_nothing_is_answered_without_the_token(client: Served) -> None:
    for path in (
        "/",
        "/static/main.js",
        "/api/runs",
        "/api/runs/x",
        "/media/x",
        "/clips/x/0.mp4",
        "/stills/ab.jpg",
        "/api/alerts",
        "/api/events",
    ):
        answer = client.ask(path, headers={"cookie": ""})
        assert (answer.status, "set-cookie" in answer.headers) == (401, False), path
    for wrong in ("wrong", "%ff%00", TOKEN[:-1], ""):
        assert client.ask(f"/?token={wrong}", headers={"cookie": ""}).status == 401
    for cookie in (f"fervid-{client.port}={TOKEN[:-1]}", f"fervid-{client.port + 1}={TOKEN}", "\u00e9=;,="):
        assert client.ask("/api/runs", headers={"cookie": cookie}).status == 401


def test_the_token_in_the_address_becomes_a_cookie_that_scripts_and_other_sites_do_not_get(client: Served) -> None:
    answer = client.ask(f"/?token={TOKEN}", headers={"cookie": ""})
    assert answer.status == 200
    assert answer.headers["set-cookie"] == f"fervid-{client.port}={TOKEN}; HttpOnly; SameSite=Strict; Path=/"
    assert TOKEN not in answer.content.decode()
    assert "set-cookie" not in client.ask("/").headers


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),
        ("LocalHost:1", 200),
        ("[::1]:1", 200),
        ("evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("192.168.1.5", 400),
        ("", 400),
    ],
)
def test_foreign_host_names_are_refused(client: Served, host: str, status: int) -> None:
    assert client.ask("/api/runs", headers={"host": host}).status == status


def test_a_server_open_to_others_answers_to_plain_addresses_but_not_to_foreign_names(client: Served) -> None:
    app = make_app([client.folder], token=TOKEN, host="0.0.0.0")
    options = app.user_middleware[0].kwargs
    guard = Guard(app, **options)
    hosts = {"192.168.1.5:8350": True, "[fe80::1]:1": True, "evil.example": False, "localhost": True}
    assert {host: guard._is_own_name(host) for host in hosts} == hosts


def test_loopback_is_told_apart_and_tokens_are_never_the_same() -> None:
    hosts = {"127.0.0.1": True, "::1": True, "localhost": True, "0.0.0.0": False, "10.0.0.1": False, "name": False}
    assert {host: is_loopback(host) for host in hosts} == hosts
    assert len({make_token() for _ in range(10)}) == 10
    assert allowed_names("127.0.0.1") == {"localhost", "127.0.0.1"}


def test_every_answer_forbids_other_origins_sniffing_and_storing(client: Served) -> None:
    for path in ("/", "/static/app.css", "/api/runs", "/nothing"):
        headers = client.ask(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in headers["content-security-policy"]
        expected = {"x-content-type-options": "nosniff", "referrer-policy": "no-referrer", "cache-control": "no-store"}
        assert {name: headers[name] for name in expected} == expected
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


@pytest.mark.parametrize(
    "path",
    [
        "/static/../page.py",
        "/static/..%2fpage.py",
        "/static/%2e%2e/page.py",
        "/media/..%2f..%2fetc%2fpasswd",
        "/media/%2fetc%2fpasswd",
        "//etc/passwd",
        "/clips/..%2f..%2fx/0.mp4",
        "/stills/..%2fx.jpg",
        "/media/",
        "/api/runs/..%2f..",
        "/docs",
        "/openapi.json",
    ],
)
def test_no_address_leads_to_a_path(client: Served, path: str) -> None:
    answer = client.ask(path)
    assert answer.status == 404
    assert b"root:" not in answer.content


def test_reading_changes_nothing_and_writing_needs_the_own_page(client: Served, runs: Path) -> None:
    found = card(client, HOSTILE)
    address = f"/api/runs/{found['id']}/verdicts"
    said = {"alert_id": found["alerts"]["ids"][0], "verdict": "false", "reason": "smiling"}
    assert client.ask(address).status == 405
    for origin in ("", "null", "http://evil.example", f"http://127.0.0.1:{client.port + 1}"):
        assert client.post(address, said, origin=origin).status == 403
    assert client.post(address, said, **{"content-type": "text/plain"}).status == 415
    assert client.post(address, said, cookie="").status == 401
    assert read_verdicts(runs) == []
    assert client.post(address, said).json()["review"]["verdict"] == "false"
    assert [(one.verdict, one.reason) for one in read_verdicts(runs)] == [("false", "smiling")]
    assert card(client, HOSTILE)["alerts"]["reviewed"] == 1
    alert = client.ask(f"/api/runs/{found['id']}").json()["alerts"][0]
    assert alert["review"]["reason"] == "smiling"
    assert client.post(address, said | {"verdict": None}).json()["review"] is None
    assert read_verdicts(runs) == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[]", 400),
        (b"{}", 400),
        (b"\xff\xfe", 400),
        (b'{"alert_id": "nope", "verdict": "true"}', 400),
        (b'{"alert_id": "nope", "verdict": ["true"]}', 400),
        (b"x" * 20_000, 413),
    ],
)
def test_verdicts_that_make_no_sense_are_refused_in_words(client: Served, runs: Path, body: bytes, status: int) -> None:
    answer = client.post(f"/api/runs/{card(client, '.ts')['id']}/verdicts", body)
    assert (answer.status, read_verdicts(runs)) == (status, [])
    assert answer.json()["error"]


def test_videos_come_in_ranges_and_only_while_they_are_what_was_analysed(client: Served, runs: Path) -> None:
    name = card(client, HOSTILE)["id"]
    media = client.ask(f"/api/runs/{name}").json()["media"]
    clips = {"url": f"/clips/{name}/", "seconds": CLIP_SECONDS}
    assert media == {"file": f"/media/{name}", "plays": True, "clips": clips}
    whole = client.ask(media["file"])
    assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
    assert whole.content == Path(run_of(runs, "img*").manifest.video_path).read_bytes()
    part = client.ask(media["file"], headers={"range": "bytes=100-199"})
    assert (part.status, part.content) == (206, whole.content[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert client.ask(media["file"], headers={"range": "bytes=99999999-"}).status == 416
    assert client.ask(media["file"], "HEAD").headers["content-length"] == str(len(whole.content))
    change_manifest(next(runs.glob("img*")), video_bytes=len(whole.content) + 1)
    assert client.ask(media["file"]).status == 404
    assert client.ask(f"/api/runs/{name}").json()["media"]["file"] is None


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


def test_a_taken_port_and_a_folder_without_runs_are_said_clearly(tmp_path: Path) -> None:
    with open_socket("127.0.0.1", 0) as taken, pytest.raises(ConfigError, match="Give another --port"):
        open_socket("127.0.0.1", taken.getsockname()[1])
    with pytest.raises(ConfigError, match=r"cannot listen on 203\.0\.113\.9"):
        open_socket("203.0.113.9", 0)
    with pytest.raises(InputError, match="contains no complete run"):
        make_app([tmp_path], token=TOKEN)


def test_a_damaged_run_is_listed_as_such_and_costs_no_other(client: Served, runs: Path) -> None:
    (next(runs.glob("old*")) / "manifest.json").write_text("{")
    content = client.ask("/api/runs").json()
    assert [one["name"] for one in content["runs"]] == [HOSTILE]
    assert [(one["name"][:3], one["status"]) for one in content["failures"]] == [("old", "unreadable")]


def test_rules_are_explained_and_tried_by_the_functions_of_the_commands(client: Served) -> None:
    name = client.ask("/api/runs").json()["runs"][0]["id"]
    shown = client.ask(f"/api/runs/{name}/rules").json()
    assert [rule["name"] for rule in shown["rules"]] == [rule.name for rule in load_rules("anger").rules]
    assert shown["is_stored"] is False
    why = client.ask(f"/api/runs/{name}/why?at=0.5").json()
    assert [rule["verdict"] for rule in why["rules"]]
    assert client.ask(f"/api/runs/{name}/why?at=900").json()["problem"].startswith("the video ends at")
    found = client.ask(f"/api/runs/{name}/whatif?rule=anger&enter=0.0").json()
    again = client.ask(f"/api/whatif?rule=anger&enter=0.0&ids={name},unknown").json()
    assert again == {name: found}
    text = client.ask(f"/rules.toml?run={name}&rule=anger&enter=0.4").content.decode()
    assert parse_rules(tomllib.loads(text), source="saved").rules[0].enter == 0.4


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("whatif?rule=nobody&enter=0.4", 400),
        ("whatif?rule=anger&enter=nan", 404),
        ("whatif?enter=0.4", 400),
        ("why?at=soon", 404),
        ("scores?kind=relative", 404),
        ("faces?from=0", 404),
    ],
)
def test_questions_that_make_no_sense_are_refused_in_words(client: Served, path: str, status: int) -> None:
    name = client.ask("/api/runs").json()["runs"][0]["id"]
    answer = client.ask(f"/api/runs/{name}/{path}")
    assert (answer.status, bool(answer.json()["error"])) == (status, True)


def test_scores_of_another_kind_have_the_order_of_the_page(client: Served) -> None:
    name = client.ask("/api/runs").json()["runs"][0]["id"]
    content = client.ask(f"/api/runs/{name}").json()
    assert content["kinds"] == ["readout", "smoothed", "raw"]
    answer = client.ask(f"/api/runs/{name}/scores?kind=readout").json()["scores"]
    assert answer == content["faces"]["scores"]
    raw = client.ask(f"/api/runs/{name}/scores?kind=raw").json()["scores"]
    assert [column["n"] for column in raw] == [column["n"] for column in answer]
    smoothed = client.ask(f"/api/runs/{name}/scores?kind=smoothed").json()["scores"]
    assert answer != smoothed != raw
    part = client.ask(f"/api/runs/{name}/faces?from=0&to=0.5").json()
    assert 0 < part["faces"]["frame"]["n"] < content["faces"]["frame"]["n"]


def test_what_is_taken_is_kept_and_noted_and_no_name_leads_elsewhere(client: Served) -> None:
    name = client.ask("/api/runs").json()["runs"][0]["id"]
    assert client.ask(f"/api/runs/{name}/take?what=table&from=0&to=1").status == 405
    assert client.ask(f"/api/runs/{name}/take?what=all&from=0&to=1", "POST", {"origin": client.origin}).status == 400
    late = client.ask(f"/api/runs/{name}/take?what=clip&from=90&to=91", "POST", {"origin": client.origin})
    assert (late.status, "no stretch" in late.json()["error"]) == (404, True)
    begun = client.ask(f"/api/runs/{name}/take?what=table&from=0&to=1&by=AB", "POST", {"origin": client.origin})
    deadline = time.monotonic() + 30
    while (state := client.ask(f"/api/jobs/{begun.json()['job']}").json())["state"] not in ("done", "failed"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    taken = client.ask(f"/taken/{name}/{state['file']}")
    assert taken.headers["content-type"].startswith("text/csv")
    assert len(taken.content.splitlines()) > 2
    listed = client.ask(f"/api/runs/{name}/taken").json()["taken"]
    assert [(one["by"], one["what"], one["is_there"]) for one in listed] == [("AB", "table", True)]
    for foreign in ("..%2Fmanifest.json", "manifest.json", "x.mp4"):
        assert client.ask(f"/taken/{name}/{foreign}").status == 404


def test_the_queue_has_the_alerts_of_all_runs_with_their_verdicts(client: Served) -> None:
    found = client.ask("/api/alerts").json()
    assert [(one["video"], one["rule"], one["camera"], one["review"]) for one in found["alerts"]] == [
        (HOSTILE, "any", "cam", None),
        ("old.ts", "any", "cam", None),
    ]
    assert found["agreement"] == []
    left, top, width, height = found["alerts"][0]["box"]
    assert 0 < left < left + width < 1
    assert 0 < top < top + height < 1
    sent = [{"run": one["run"], "alert_id": one["alert_id"], "verdict": "true"} for one in found["alerts"]]
    unknown = {"run": "0" * 16, "alert_id": "x", "verdict": "true"}
    answers = client.post("/api/verdicts", {"by": " Ann\n B. ", "verdicts": [*sent, unknown]}).json()["verdicts"]
    assert [one.get("error") or one["review"]["by"] for one in answers] == ["Ann B.", "Ann B.", answers[2]["error"]]
    assert answers[2]["error"] == "This run is not served here."
    judged = client.ask("/api/alerts").json()["alerts"]
    assert [one["review"]["verdict"] for one in judged] == ["true", "true"]


def test_a_newer_verdict_of_somebody_else_is_shown_before_it_is_contradicted(client: Served, runs: Path) -> None:
    found = card(client, ".ts")
    address, alert = f"/api/runs/{found['id']}/verdicts", found["alerts"]["ids"][0]
    said = {"alert_id": alert, "seen": []}
    assert client.post(address, said | {"verdict": "true", "by": "Ann"}).json()["review"]["by"] == "Ann"
    assert client.post(address, said | {"verdict": "true", "by": "Cid"}).status == 200  # alike: nothing to show
    refused = client.post(address, said | {"verdict": "false", "by": "Ben"})
    assert (refused.status, refused.json()["conflict"]["by"]) == (409, "Cid")
    assert [one.reviewer for one in read_history(runs / found["folder"])] == ["Ann", "Cid"]
    seen = [[one["by"], one["at"]] for one in refused.json()["reviews"]]
    kept = client.post(address, said | {"verdict": "false", "by": "Ben", "seen": seen}).json()
    assert [(one["by"], one["verdict"]) for one in kept["reviews"]] == [
        *(("Ann", "true"), ("Cid", "true"), ("Ben", "false"))
    ]
    agreed = {(one["first"], one["second"]): one for one in client.ask("/api/alerts").json()["agreement"]}
    assert (agreed["Ann", "Ben"]["n_both"], agreed["Ann", "Ben"]["n_same"]) == (1, 0)
    back = client.post(address, said | {"verdict": None, "by": "Ben"}).json()
    assert back["review"]["by"] == "Cid"  # taking back one's own verdict leaves those of others


def test_pages_hear_of_new_runs_and_verdicts(client: Served, runs: Path) -> None:
    client.ask("/api/runs")
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=30)
    connection.request("GET", "/api/events", headers=client.cookie)
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")
    found = card(client, ".ts")
    said = {"alert_id": found["alerts"]["ids"][0], "verdict": "true"}
    client.post(f"/api/runs/{found['id']}/verdicts", said)
    assert next_event(stream) == {"runs": [found["id"]], "left": []}
    shutil.copytree(next(runs.glob("old*")), runs / "later")
    assert next_event(stream)["runs"] == [run_id(runs / "later")]
    shutil.rmtree(runs / "later")
    assert next_event(stream) == {"runs": [], "left": [run_id(runs / "later")]}
    connection.close()


def next_event(stream: http.client.HTTPResponse) -> dict[str, Any]:
    """The content of the next event `changed`."""
    while (line := stream.readline().decode()) != "event: changed\n":
        assert line
    content: dict[str, Any] = json.loads(stream.readline().decode().removeprefix("data: "))
    return content


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
