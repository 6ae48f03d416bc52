"""Live sessions on real files and real connections: what is analysed, shown, recorded, and how it ends."""

from __future__ import annotations

import http.client
import io
import json
import queue
import socket
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fakes
import fervid
from fakes import fakes_in_the_tables, square_picture
from fervid.alerts.blur import FaceSearch
from fervid.alerts.rules import load_rules
from fervid.alerts.scan import scan_run
from fervid.config import Settings, load_settings
from fervid.emotion import CLASSIFIERS
from fervid.errors import ConfigError, InputError, TooDamaged, VideoNotFound, VideoUnreadable
from fervid.live.hub import Hub
from fervid.live.picture import LivePainter
from fervid.live.record import NOTES, Recorder, finish_left_over
from fervid.live.session import LiveSession, Moment, stream
from fervid.live.view import Stills, run_live
from fervid.opencv import cv2
from runner import run_fervid
from synthetic import constant_rate, moving_face, write_video

SECONDS = 2.0


def settings(*assignments: str) -> Settings:
    return load_settings(assignments=["video.fps=0", *assignments], environment={})


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait that moves, at an even rate."""
    return write_video(tmp_path_factory.mktemp("live") / "clip.mp4", constant_rate(SECONDS), moving_face)


@pytest.fixture
def fake_faces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fakes_in_the_tables(monkeypatch):
        yield


def bright_square(seconds: float) -> np.ndarray:
    return square_picture(230, left=40 + round(10 * seconds))


class SlowClassifier(fakes.BrightnessClassifier):
    """Takes its time, as on a machine that cannot keep up."""

    def predict(self, crops: np.ndarray) -> np.ndarray:
        time.sleep(0.12)
        return super().predict(crops)


def test_a_recording_of_every_frame_is_what_an_analysis_writes(clip: Path, tmp_path: Path) -> None:
    analysed = fervid.analyze(clip, out=tmp_path / "a", settings=settings(), device="cpu", plot=False)
    with (
        LiveSession(str(clip), settings=settings(), device="cpu", pace="unpaced") as session,
        Recorder(tmp_path / "r", session) as recorder,
    ):
        ending = run_live(session, LivePainter(session.model.labels), recorder=recorder)
    (folder,) = recorder.folders
    recorded = fervid.open_run(folder)
    assert (ending.reason, ending.rates.dropped, ending.rates.analysed) == ("ended", 0, 50)
    for name in ("frames", "faces", "tracks", "timeline"):
        one, other = (getattr(run, name).drop_columns(["video_id"]) for run in (analysed, recorded))
        assert one.equals(other), name
        assert one.num_rows > 0
    assert recorded.manifest.settings_hash == analysed.manifest.settings_hash
    assert recorded.manifest.ledger.analysed == recorded.frames.num_rows == 50
    assert recorded.manifest.video_path == str(clip)
    assert recorded.summary()["faces"] == analysed.summary()["faces"]
    scan_run(recorded, load_rules("anger"))
    assert not (folder / NOTES).exists()
    assert (folder / "timeline.png").exists()


@pytest.mark.usefixtures("fake_faces")
def test_the_newest_frame_wins_and_no_delay_builds_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CLASSIFIERS, "fake", "test_live_view:SlowClassifier")
    video = write_video(tmp_path / "v.mp4", constant_rate(2.5), bright_square)
    ages, n = [], 0
    moments = stream(str(video), settings=settings("detect.detector=fake"), device="cpu")
    for moment in moments:
        ages.append(time.monotonic() - moment.arrived)
        n += 1
    assert 5 <= n <= 25
    assert np.median(ages[len(ages) // 2 :]) < 0.4
    assert moment.rates.dropped == moment.rates.captured - moment.rates.analysed > 20
    assert moment.seconds > 2.0
    assert [face.label for face in moment.faces] == ["angry"]


@pytest.mark.usefixtures("fake_faces")
def test_a_limit_of_frames_a_second_is_kept(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(4), bright_square)
    chosen = load_settings(assignments=["video.fps=10", "detect.detector=fake"], environment={})
    moments = list(stream(str(video), settings=chosen, device="cpu", pace="unpaced"))
    assert len(moments) == 40
    assert np.diff([m.seconds for m in moments]).max() <= 0.13


@pytest.mark.usefixtures("fake_faces")
def test_rules_work_while_it_plays(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(3), bright_square)
    chosen = settings("detect.detector=fake", "gate.max_light=1")
    moments = list(stream(str(video), settings=chosen, device="cpu", pace="unpaced", rules="anger"))
    raised = [(round(m.seconds, 2), a.rule) for m in moments for a in m.alerts if a.tier == "alert"]
    assert [rule for _, rule in raised] == ["anger"]
    assert raised[0][0] == pytest.approx(1.08, abs=0.1)  # the third sample on, for a second


@pytest.mark.usefixtures("fake_faces")
def test_what_a_killed_recording_published_becomes_a_run_later(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(3.5), bright_square)
    chosen, out = settings("detect.detector=fake", "video.segment_seconds=1"), tmp_path / "out"
    with LiveSession(str(video), settings=chosen, device="cpu", pace="unpaced") as session:
        recorder = Recorder(out, session, plot=False)
        for moment in session.moments():
            recorder.add(moment)
        (folder,) = recorder.folders
        assert not (folder / "manifest.json").exists()
        assert finish_left_over(out, session.method) == []  # it is still being recorded
        recorder._lock.release()  # what the system does when a process is killed
        (run,) = finish_left_over(out, session.method)
        assert run.frames.num_rows == 75
        assert run.manifest.ledger.frames == 75
        assert finish_left_over(out, session.method) == []


@pytest.mark.usefixtures("fake_faces")
def test_a_long_recording_goes_on_in_new_runs_that_begin_at_zero(tmp_path: Path) -> None:
    video = write_video(tmp_path / "v.mp4", constant_rate(3), bright_square)
    chosen = settings("detect.detector=fake")
    with (
        LiveSession(str(video), settings=chosen, device="cpu", pace="unpaced") as session,
        Recorder(tmp_path / "out", session, longest_seconds=1.0, plot=False) as recorder,
    ):
        run_live(session, LivePainter(session.model.labels), recorder=recorder)
    runs = [fervid.open_run(folder) for folder in recorder.folders]
    assert [run.frames.num_rows for run in runs] == [25, 25, 25]
    assert all(run.frames["time_s"][0].as_py() == 0 and run.frames["frame"][0].as_py() == 0 for run in runs)
    assert sum(run.manifest.ledger.frames for run in runs) == 75


class FakeScreen:
    """Remembers what it is shown, and quits after so many pictures."""

    def __init__(self, *, quits_after: int, asks_for_stills: int = 0) -> None:
        self.pictures: list[np.ndarray] = []
        self.rows: list[dict[str, Any]] = []
        self.told: list[str] = []
        self._quits_after, self._stills = quits_after, asks_for_stills

    def show(self, rgb: np.ndarray, row: dict[str, Any], arrived: float) -> None:
        self.pictures.append(rgb)
        self.rows.append(row)
        assert arrived <= time.monotonic()

    def tell(self, status: str) -> None:
        self.told.append(status)

    def wish(self) -> str | None:
        if self._stills and len(self.pictures) == 10:
            self._stills -= 1
            return "still"
        return "quit" if len(self.pictures) >= self._quits_after else None


def test_pictures_show_the_faces_of_their_own_frame_and_stills_cover_them(clip: Path, tmp_path: Path) -> None:
    screen, search = FakeScreen(quits_after=12, asks_for_stills=1), FaceSearch()
    rows = io.StringIO()
    with LiveSession(str(clip), settings=settings(), device="cpu", pace="unpaced") as session:
        painter = LivePainter(session.model.labels, bars=False)
        stills = Stills(tmp_path / "stills")
        ending = run_live(session, painter, [screen], rows=rows, stills=stills)
    assert (ending.reason, len(screen.pictures)) == ("quit", 12)
    written = [json.loads(line) for line in rows.getvalue().splitlines()]
    assert [row["frame"] for row in written] == list(range(12))
    for picture, row in zip(screen.pictures[3:], written[3:], strict=True):
        (face,) = row["faces"]
        assert face["x"] + face["w"] / 2 == pytest.approx(85 + 60 * np.sin(row["time_s"]) + 75, abs=8)
        edge = picture[round(2 * (face["y"] + face["h"] / 2)), round(2 * face["x"])]
        assert tuple(edge) in [tuple(bytes.fromhex(c[1:])) for c in _colours(session)]
    (still,) = ending.stills
    bgr = cv2.imread(str(still))
    assert len(search.search(screen.pictures[9])) > 0
    found = search.search(np.asarray(bgr[..., ::-1]))
    assert not any(_covers(box, 2 * (85 + 75), 2 * 135) for box in found)
    assert not (tmp_path / "stills" / "evidence-audit.jsonl").exists()


def test_open_stills_are_noted(clip: Path, tmp_path: Path) -> None:
    screen = FakeScreen(quits_after=11, asks_for_stills=1)
    with LiveSession(str(clip), settings=settings(), device="cpu", pace="unpaced") as session:
        ending = run_live(session, LivePainter(session.model.labels), [screen], stills=Stills(tmp_path, blur="none"))
    (note,) = (tmp_path / "evidence-audit.jsonl").read_text().splitlines()
    assert json.loads(note)["file"] == ending.stills[0].name


def _colours(session: LiveSession) -> list[str]:
    from fervid.palette import GREY, label_colours

    return [*label_colours(session.model.labels).values(), GREY]


def _covers(box: np.ndarray, x: float, y: float) -> bool:
    return bool(box[0] < x < box[2] and box[1] < y < box[3] and box[2] - box[0] > 80)


# Streams over HTTP ---------------------------------------------------------------------------------------------------


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


def next_moments(session: LiveSession, n: int, *, within_seconds: float = 20.0) -> list[Moment]:
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
            deadline = time.monotonic() + 15
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


def test_a_webcam_is_read_and_opened_again_when_it_stops(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's own capture, with a file where the camera would be: it ends, as when a cable is pulled."""
    capture = cv2.VideoCapture
    monkeypatch.setattr(cv2, "VideoCapture", lambda _number: capture(str(clip)))
    with LiveSession("0", settings=settings("track.min_faces=1"), device="cpu") as session:
        found = next_moments(session, 4)
        deadline = time.monotonic() + 15
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
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, error: type[Exception], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    content = clip.read_bytes()
    begin, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    Path("noise.mp4").write_bytes(content[:begin] + bytes(end - begin) + content[end:])
    with (
        pytest.raises(error, match=says),
        LiveSession(source, settings=settings(), device="cpu") as session,
    ):
        next_moments(session, 1)


# The browser's view --------------------------------------------------------------------------------------------------


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
        deadline = time.monotonic() + 20
        while "alert" not in kinds or "frame" not in kinds:
            assert time.monotonic() < deadline
            line = events.readline().decode().strip()
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
                kinds[kind] = json.loads(events.readline().decode().removeprefix("data: "))
        assert kinds["alert"]["text"].endswith("needs review")
        assert kinds["frame"]["faces"][0]["label"] == "angry"
        events.close()

        assert viewer.open("/wishes/still", "POST", origin=viewer.origin).status == 200
        deadline = time.monotonic() + 10
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


def test_a_hub_keeps_the_newest_picture_and_every_alert() -> None:
    hub = Hub()
    row = {"status": "live", "utc": "t", "alerts": []}
    for i in range(3):
        hub.publish(np.full((8, 8, 3), i, np.uint8), row | {"alerts": [{"n": i}]}, time.monotonic())
    assert hub.newest is not None
    assert hub.newest.number == 2
    assert [alert["n"] for _, alert in hub.alerts] == [0, 1, 2]
    assert hub.newest.jpeg() is hub.newest.jpeg()


# The command ---------------------------------------------------------------------------------------------------------


def test_the_command_streams_rows_and_records(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["live", str(clip), "--pace", "unpaced", "--jsonl", "--record", str(out), "--stop-after", "0.5"]
    done = run_fervid(*arguments, "--set", "track.min_faces=1")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["type"] for row in rows] == ["frame"] * 14
    assert len(rows[0]["faces"]) == 1
    assert "14 of " in done.stderr
    (folder,) = out.iterdir()
    assert fervid.open_run(folder).frames.num_rows == 14


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["gone.mp4"], 3, "gone.mp4"),
        (["CLIP", "--view", "window"], 78, "no window can be opened: there is no desktop here"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(clip: Path, arguments: list[str], code: int, says: str) -> None:
    given = [str(clip) if word == "CLIP" else word for word in arguments]
    extra = [] if "--view" in given else ["--view", "none"]
    done = run_fervid("live", *given, *extra, environment={"DISPLAY": "", "WAYLAND_DISPLAY": ""})
    assert (done.returncode, done.stdout) == (code, "")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
