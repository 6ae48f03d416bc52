"""Clients that say nothing, or little, keep nobody out; what cannot be understood is answered in words."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("uvicorn", reason="the web server is not installed (pip install 'fervid[web]')")

from alert_runs import face, make_run
from fervid.alerts.find.scan import scan_run, write_alerts
from fervid.alerts.language.rules import parse_rules
from fervid.storage.files import content_id
from fervid.web import limits
from manifests import change_manifest
from served import Served, serving

RULES = {"rule": [{"name": "any", "wording": "a face", "score": "angry", "enter": 0.5}]}


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    run = make_run(tmp_path / "runs" / "run", [face(t / 5, 0, 0.9) for t in range(50)], [t / 5 for t in range(50)])
    write_alerts(scan_run(run, parse_rules(RULES, source="test")))
    return tmp_path / "runs"


@pytest.fixture
def client(runs: Path) -> Iterator[Served]:
    with serving(runs) as served:
        yield served


def half_open(port: int, n: int) -> list[socket.socket]:
    """Connections that begin a request and never end it."""
    found = []
    for _ in range(n):
        one = socket.create_connection(("127.0.0.1", port), timeout=5)
        one.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        found.append(one)
    return found


def test_half_open_connections_keep_nobody_out(client: Served) -> None:
    def seconds_of_an_answer() -> float:
        begun = time.monotonic()
        assert client.ask("/api/runs").status == 200
        return time.monotonic() - begun

    alone = max(seconds_of_an_answer() for _ in range(3))
    waiting = half_open(client.port, 400)
    try:
        assert min(seconds_of_an_answer() for _ in range(3)) < 1 + 5 * alone  # however busy the machine is
        waiting[0].settimeout(5)
        with contextlib.suppress(ConnectionResetError):
            assert waiting[0].recv(10) == b""  # the oldest was given up
    finally:
        for one in waiting:
            one.close()


def test_a_request_that_does_not_come_is_given_up(client: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEADER_SECONDS", 0.3)
    (begun,) = half_open(client.port, 1)
    silent = socket.create_connection(("127.0.0.1", client.port), timeout=5)
    again = socket.create_connection(("127.0.0.1", client.port), timeout=5)
    again.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {client.cookie['cookie']}\r\n\r\n".encode())
    assert again.recv(12) == b"HTTP/1.1 200"
    time.sleep(0.1)
    again.sendall(b"GET / HT")  # a second one that never ends
    for one in (begun, silent, again):
        one.settimeout(5)
        try:
            while one.recv(65_536):
                pass
        except ConnectionResetError:
            pass
        one.close()


def test_a_body_that_does_not_come_is_given_up(client: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fervid.review.server.BODY_SECONDS", 0.3)
    run = client.ask("/api/runs").json()["runs"][0]["id"]
    with socket.create_connection(("127.0.0.1", client.port), timeout=5) as slow:
        head = f"POST /api/runs/{run}/verdicts HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nOrigin: {client.origin}\r\n"
        head += f"Cookie: {client.cookie['cookie']}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"
        slow.sendall(head.encode() + b'{"alert_id"')
        assert slow.recv(12) == b"HTTP/1.1 408"


@pytest.mark.parametrize(
    "body",
    [
        b'{"alert_id": "x", "verdict": "true", "reason": "\\ud800"}',
        b"[" * 15_000,
        b"\xff\xfe",
        b"null",
        b'{"alert_id": {"a": 1}}',
        b'"text"',
        b'{"alert_id": "x", "verdict": ["true"]}',
    ],
)
def test_a_bad_verdict_is_answered_with_400(client: Served, body: bytes) -> None:
    run = client.ask("/api/runs").json()["runs"][0]["id"]
    answer = client.post(f"/api/runs/{run}/verdicts", body)
    assert answer.status == 400, answer.content
    assert answer.json()["error"]


def test_a_manifest_cannot_have_another_file_sent(runs: Path, tmp_path: Path) -> None:
    secret, video = tmp_path / "secret.txt", tmp_path / "clip.mp4"
    secret.write_bytes(b"canary-4711" * 50)
    video.write_bytes(b"\x00\x00\x00\x18ftypmp42" + b"of the run" * 50)
    shutil.copytree(runs / "run", runs / "honest")
    change_manifest(runs / "run", video_path=str(secret), video_bytes=secret.stat().st_size, video_id="0" * 16)
    change_manifest(
        runs / "honest", video_path=str(video), video_bytes=video.stat().st_size, video_id=content_id(video)
    )
    with serving(runs) as client:
        ids = {card["folder"]: card["id"] for card in client.ask("/api/runs").json()["runs"]}
        assert client.ask(f"/media/{ids['run']}").status == 404
        answer = client.ask(f"/media/{ids['honest']}")
        assert (answer.status, answer.content) == (200, video.read_bytes())
        assert b"canary" not in client.ask(f"/thumbnails/{ids['run']}.jpg").content


def test_damaged_runs_are_listed_as_such_and_answered_in_words(runs: Path) -> None:
    values = {"video": None, "results": -1, "ledger": {"frames": "x"}, "model": {}, "warnings": 3, "settings": []}
    for name, value in values.items():
        shutil.copytree(runs / "run", runs / name)
        change_manifest(runs / name, **{name: value})
    for name, text in {"deep": "[" * 90_000, "torn": "{", "empty": ""}.items():
        shutil.copytree(runs / "run", runs / name)
        (runs / name / "manifest.json").write_text(text)
    for name, alerts in {"nan": '{"alerts": [{"start_s": NaN}]}', "odd": '{"alerts": [3]}'}.items():
        shutil.copytree(runs / "run", runs / name)
        (runs / name / "derived.jsonl").unlink()
        (runs / name / "alerts.json").write_text(alerts)
    shutil.copytree(runs / "run", runs / "tables")
    (runs / "tables" / "faces.parquet").write_bytes(b"")
    with serving(runs) as client:
        listing = client.ask("/api/runs").json()
        assert {card["folder"] for card in listing["runs"]} == {"run", "tables"}
        assert len(listing["failures"]) == len(values) + 5
        for card in listing["runs"]:
            for path in (f"/api/runs/{card['id']}", f"/api/strips?ids={card['id']}", f"/media/{card['id']}"):
                answer = client.ask(path)
                assert answer.status in (200, 404), (path, answer.content)
                assert answer.status == 200 or json.loads(answer.content)["error"]
