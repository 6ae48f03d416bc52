"""The browser's view of a live session, asked for over real HTTP."""

from __future__ import annotations

import http.client
import json
import queue
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fervid.alerts.language.rules import load_rules
from fervid.base.opencv import cv2
from fervid.errors import ConfigError
from fervid.live.hub import Hub
from fervid.live.picture import LivePainter
from fervid.live.session import LiveSession
from fervid.live.view import Stills, run_live
from live_clips import bright_square, settings
from synthetic import constant_rate, write_video


class Viewer:
    """Asks a live server over real HTTP."""

    def __init__(self, url: str) -> None:
        address, _, self.token = url.partition("/?token=")
        self.origin = address
        self.port = int(address.rpartition(":")[2])
        self._connections: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def open(self, path: str, method: str = "GET", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        given = {"cookie": f"fervid-{self.port}={self.token}"} | {k.replace("_", "-"): v for k, v in headers.items()}
        self._connections.append(connection)
        connection.request(method, path, headers=given)
        return connection.getresponse()


@pytest.mark.usefixtures("fake_faces")
def test_the_browsers_view_sends_pictures_numbers_and_alerts_and_takes_wishes(tmp_path: Path) -> None:
    from fervid.live.screens import BrowserScreen
    from fervid.live.server import LiveServer

    video = write_video(tmp_path / "v.mp4", constant_rate(3), bright_square)
    chosen = settings("detect.detector=fake", "gate.max_light=1")
    session = LiveSession(str(video), settings=chosen, device="cpu", loops=True, rules=load_rules("anger"))
    endings: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with ExitStack() as stack, LiveServer(session.model.labels, title="clip", may_save=True) as server, session:
        painter, screens = LivePainter(session.model.labels), [BrowserScreen(server)]
        stills = Stills(tmp_path / "stills")
        watching = threading.Thread(target=lambda: endings.put(run_live(session, painter, screens, stills=stills)))
        watching.start()
        viewer = Viewer(server.url)
        stack.callback(viewer.close)

        page = viewer.open("/")
        assert page.status == 200
        assert b"Labels say how a face looks" in page.read()
        assert "default-src 'none'" in (page.getheader("content-security-policy") or "")
        assert viewer.open("/", cookie="").status == 401
        assert viewer.open("/", host="evil.example").status == 400
        assert viewer.open("/static/..%2fserver.py").status == 404
        assert viewer.open("/wishes/quit", "POST").status == 403  # not from its own page
        assert viewer.open("/wishes/explode", "POST", origin=viewer.origin).status == 404
        about = json.loads(viewer.open("/about").read())
        assert list(about["colours"]) == list(session.model.labels)

        pictures = viewer.open("/pictures")
        assert pictures.getheader("content-type") == "multipart/x-mixed-replace; boundary=fervid-frame"
        numbers = []
        assert pictures.readline() == b"--fervid-frame\r\n"
        for _ in range(5):
            head = {}
            while (line := pictures.readline().strip()) != b"":
                name, _, value = line.decode().partition(": ")
                head[name] = value
            jpeg = pictures.read(int(head["Content-Length"]))
            assert cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).shape == (480, 640, 3)
            assert 0 < float(head["X-Age-Ms"]) < 5000
            numbers.append(int(head["X-Frame"]))
            assert pictures.readline() == b"\r\n"
            assert pictures.readline() == b"--fervid-frame\r\n"
        assert numbers == sorted(set(numbers))
        pictures.close()

        events, kinds = viewer.open("/events"), {}
        deadline = time.monotonic() + 120
        while "alert" not in kinds or "frame" not in kinds:
            assert time.monotonic() < deadline
            line = events.readline().decode().strip()
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
                kinds[kind] = json.loads(events.readline().decode().removeprefix("data: "))
        assert kinds["alert"]["text"].endswith("needs review")
        still = viewer.open(f"/stills/{kinds['alert']['still']}")
        assert still.getheader("content-type") == "image/jpeg"
        assert cv2.imdecode(np.frombuffer(still.read(), np.uint8), cv2.IMREAD_COLOR).shape == (480, 640, 3)
        assert viewer.open("/stills/999999").status == 404
        assert viewer.open("/wishes/bars-off", "POST", origin=viewer.origin).status == 200
        assert json.loads(viewer.open("/about").read())["shown"] == {"boxes": True, "bars": False, "covers": False}
        assert kinds["frame"]["faces"][0]["label"] == "angry"
        events.close()

        assert viewer.open("/wishes/still", "POST", origin=viewer.origin).status == 200
        deadline = time.monotonic() + 120
        while not list((tmp_path / "stills").glob("*.jpg")):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert viewer.open("/wishes/quit", "POST", origin=viewer.origin).status == 200
        watching.join(10)
    assert endings.get_nowait().reason == "quit"


def test_other_machines_are_let_in_on_request_alone() -> None:
    from fervid.live.server import LiveServer

    with pytest.raises(ConfigError, match="--allow-remote"):
        LiveServer(["angry"], title="x", host="0.0.0.0")


def test_a_view_that_was_started_covered_stays_so() -> None:
    from fervid.live.server import LiveServer

    with ExitStack() as stack, LiveServer(["angry"], title="x", is_covered=True) as server:
        viewer = Viewer(server.url)
        stack.callback(viewer.close)
        assert viewer.open("/wishes/covers-off", "POST", origin=viewer.origin).status == 403
        assert server.command() is None
        assert json.loads(viewer.open("/about").read())["may_uncover"] is False


@pytest.mark.usefixtures("fake_faces")
def test_boxes_bars_and_covers_come_and_go(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(1), bright_square)
    with LiveSession(str(video), settings=settings("detect.detector=fake"), device="cpu", pace="unpaced") as session:
        moment = next(moment for moment in session.moments() if moment.faces)
        painter = LivePainter(session.model.labels, rates=False)
        full = painter.paint(moment)
        painter.choose("bars", is_on=False)
        without_bars = painter.paint(moment)
        painter.choose("boxes", is_on=False)
        bare = painter.paint(moment)
        painter.choose("covers", is_on=True)
        covered = painter.paint(moment)
        painter.choose("covers", is_on=False)
        assert np.array_equal(painter.paint(moment), bare)
        pictures = [full, without_bars, bare, covered]
        assert all(not np.array_equal(a, b) for i, a in enumerate(pictures) for b in pictures[:i])
        stays = LivePainter(session.model.labels, blur="all", rates=False)
        stays.choose("boxes", is_on=False)
        stays.choose("covers", is_on=False)
        assert np.array_equal(stays.paint(moment), covered)


def test_a_hub_keeps_the_newest_picture_and_every_alert() -> None:
    hub = Hub()
    row = {"status": "live", "utc": "t", "alerts": []}
    for i in range(3):
        hub.publish(np.full((8, 8, 3), i, np.uint8), row | {"alerts": [{"n": i}]}, time.monotonic())
    assert hub.newest is not None
    assert hub.newest.number == 2
    assert [alert["n"] for _, alert in hub.alerts] == [0, 1, 2]
    assert hub.newest.jpeg() is hub.newest.jpeg()
