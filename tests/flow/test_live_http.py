"""Live sessions on cameras: connections that are lost and made again, and sources that are of no use."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fervid.base.opencv import cv2
from fervid.errors import InputError, TooDamaged, VideoNotFound, VideoUnreadable
from fervid.live.session import LiveSession, Moment
from live_clips import bright_square, settings


class MjpegCamera:
    """A camera that sends JPEGs over HTTP, and can be unplugged and plugged in again on the same port."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self._server: socketserver.ThreadingTCPServer | None = None
        self._connections: list[socket.socket] = []

    def plug_in(self) -> None:
        camera = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                camera._connections.append(self.request)
                self.request.recv(4096)
                head = "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=x\r\n\r\n--x\r\n"
                self.request.sendall(head.encode())
                begun = time.monotonic()
                try:
                    while True:
                        gray = bright_square(time.monotonic() - begun)
                        jpeg = cv2.imencode(".jpg", gray)[1].tobytes()
                        part = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                        self.request.sendall(part.encode() + jpeg + b"\r\n--x\r\n")
                        time.sleep(0.04)
                except OSError:
                    return

        socketserver.ThreadingTCPServer.allow_reuse_address = True
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def unplug(self) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
        for connection in self._connections:
            connection.close()
        self._connections = []


@contextmanager
def camera() -> Iterator[MjpegCamera]:
    one = MjpegCamera()
    one.plug_in()
    try:
        yield one
    finally:
        one.unplug()


def next_moments(session: LiveSession, n: int, *, within_seconds: float = 120.0) -> list[Moment]:
    found: list[Moment] = []
    deadline = time.monotonic() + within_seconds
    while len(found) < n:
        assert time.monotonic() < deadline, f"{len(found)} of {n} frames came"
        moment = session.step()
        if moment is not None:
            found.append(moment)
    return found


@pytest.mark.usefixtures("fake_faces")
def test_a_camera_that_is_lost_is_connected_to_again_and_time_goes_on() -> None:
    with camera() as source:
        address = f"http://user:secret@127.0.0.1:{source.port}/feed"
        with LiveSession(address, settings=settings("detect.detector=fake"), device="cpu") as session:
            before = next_moments(session, 8)
            source.unplug()
            deadline = time.monotonic() + 120
            while not session.capture.status.text.startswith("lost"):
                assert time.monotonic() < deadline
                session.step()
            assert "secret" not in session.address.shown
            source.plug_in()
            seen = before + next_moments(session, 10)
    before = [m for m in seen if m.connection == 0]
    after = [m for m in seen if m.connection == 1]
    assert len(before) + len(after) == len(seen)
    assert after[-1].rates.reconnects >= 1
    assert after[-1].rates.status == "live"
    times = [m.seconds for m in (*before, *after)]
    assert (np.diff(times) > 0).all()
    assert after[0].seconds - before[-1].seconds >= 0.4
    assert {f.track_id for m in before for f in m.faces}.isdisjoint({f.track_id for m in after for f in m.faces})
    assert [face.label for face in after[-1].faces] == ["angry"]


def test_a_webcam_is_read_and_opened_again_when_it_stops(live_clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's own capture, with a file where the camera would be: it ends, as when a cable is pulled."""
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda _number: capture(str(live_clip)))
    with LiveSession("0", settings=settings("track.min_faces=1"), device="cpu") as session:
        found = next_moments(session, 4)
        deadline = time.monotonic() + 120
        while session.capture.status.reconnects == 0:
            assert time.monotonic() < deadline
            session.step()
        found += next_moments(session, 2)
    assert found[0].rgb().shape == (240, 320, 3)
    assert any(moment.faces for moment in found)
    assert found[-1].rates.reconnects >= 1


@pytest.mark.parametrize(
    ("source", "error", "says"),
    [
        ("gone.mp4", VideoNotFound, "gone.mp4"),
        ("noise.mp4", TooDamaged, "none of its frames can be decoded"),
        ("http://127.0.0.1:9/feed", VideoUnreadable, r"cannot be opened \(Connection refused\)"),
        ("97", InputError, "webcam 97 cannot be opened"),
    ],
)
def test_a_source_that_is_of_no_use_is_said_at_once(
    live_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: type[Exception], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = live_clip.read_bytes()
    begin, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    Path("noise.mp4").write_bytes(content[:begin] + bytes(end - begin) + content[end:])
    with (
        pytest.raises(error, match=says),
        LiveSession(source, settings=settings(), device="cpu") as session,
    ):
        next_moments(session, 1)
