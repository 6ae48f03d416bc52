"""Hostile input: no text leads to another file or the network, no picture fills the memory, no model runs code."""

from __future__ import annotations

import ctypes
import http.server
import json
import os
import pickle
import re
import resource
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import av
import pytest

import fervid
from bad_sources import clip, mp4, picture_as_video, ts, write
from fervid.base import assets
from fervid.emotion import make_classifier
from fervid.emotion.model import load_model_info
from fervid.errors import ConfigError, FervidError, InputError, ModelError
from fervid.storage.files import file_sha256
from fervid.video.probe import probe
from runner import run_fervid

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="watches files as Linux lets it")

MAX_PIXELS = 8192 * 8192


class Watch:
    """Counts how often a file is opened, by whatever code."""

    IN_OPEN, IN_NONBLOCK = 0x20, 0o4000

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = libc.inotify_init1(self.IN_NONBLOCK)
        assert libc.inotify_add_watch(self._descriptor, os.fsencode(path), self.IN_OPEN) > 0

    def count(self) -> int:
        """Openings since the last call."""
        try:
            return len(os.read(self._descriptor, 1 << 16)) // 16
        except BlockingIOError:
            return 0


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, list[str]]]:
    """A web server on this machine that serves a video, and the list of what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(ts())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A sound video that nothing may open."""
    return write(tmp_path / "canary.ts", ts())


def hls(entry: str) -> str:
    return f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:3.0,\n{entry}\n#EXT-X-ENDLIST\n"


def dash(entry: str) -> str:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT3S"><Period><AdaptationSet mimeType="video/mp2t">'
        f'<Representation id="1" bandwidth="9"><BaseURL>{entry}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    )


TEXTS = {
    "absolute.m3u8": hls("{canary}"),
    "by_uri.m3u8": hls("file://{canary}"),
    "neighbour.m3u8": hls("canary.ts"),
    "joined.m3u8": hls("concat:{canary}|{canary}"),
    "playlist.mp4": hls("canary.ts"),
    "playlist.ts": hls("canary.ts"),
    "key.m3u8": '#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI="{server}/key"\n#EXTINF:3.0,\ncanary.ts\n#EXT-X-ENDLIST\n',
    "address.m3u8": hls("{server}/x.ts"),
    "concat.mp4": "ffconcat version 1.0\nfile canary.ts\n",
    "concat.txt": "ffconcat version 1.0\nfile '{canary}'\n",
    "concat_address.mp4": "ffconcat version 1.0\nfile '{server}/x.ts'\n",
    "parts.mpd": dash("canary.ts"),
    "parts.mp4": dash("{server}/x.ts"),
    "session.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    "images.mp4": "#EXTM3U\n#EXT-X-IMAGES-ONLY\n{canary}\n",
    "list.asx": '<asx version="3.0"><entry><ref href="{server}/x.ts"/></entry></asx>',
    "reference.mov": "RTSPtext\nrtsp://127.0.0.1:1/x",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_leads_neither_to_another_file_nor_to_the_network(
    tmp_path: Path, canary: Path, address: tuple[str, list[str]], name: str
) -> None:
    server, asked = address
    path = tmp_path / name
    path.write_text(TEXTS[name].replace("{canary}", str(canary)).replace("{server}", server))
    watch, n_before = Watch(canary), len(asked)
    with pytest.raises(InputError, match="cannot be opened as a video"):
        probe(path, max_pixels=MAX_PIXELS)
    assert watch.count() == 0
    assert len(asked) == n_before


def test_the_traps_above_close_on_a_reader_that_is_not_careful(
    tmp_path: Path, canary: Path, address: tuple[str, list[str]]
) -> None:
    server, asked = address
    path = tmp_path / "neighbour.m3u8"
    path.write_text(hls("canary.ts"))
    watch = Watch(canary)
    with av.open(str(path)) as container:
        assert sum(1 for packet in container.demux(video=0) if packet.size) == 75
    assert watch.count() > 0
    n_before = len(asked)
    urllib.request.urlopen(f"{server}/x.ts").read()
    assert len(asked) == n_before + 1


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("concat:{canary}|{canary}", InputError, "does not exist"),
        ("subfile,,start,0,end,9,,:{canary}", InputError, "does not exist"),
        ("pipe:0", InputError, "does not exist"),
        ("{server}/x.ts", ConfigError, "http:// is not supported"),
    ],
)
def test_a_name_is_a_file_and_never_an_address(
    tmp_path: Path,
    canary: Path,
    address: tuple[str, list[str]],
    name: str,
    error: type[FervidError],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, asked = address
    monkeypatch.chdir(tmp_path)
    watch, n_before = Watch(canary), len(asked)
    with pytest.raises(error, match=words):
        fervid.analyze(name.replace("{canary}", str(canary)).replace("{server}", server), out=tmp_path / "out")
    assert watch.count() == 0
    assert len(asked) == n_before
    assert not (tmp_path / "out").exists()


def test_a_bomb_is_refused_from_its_header_in_little_memory(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bomb = write(tmp_path / "bomb.mov", picture_as_video(16000, 16000))
    with pytest.raises(InputError, match="16000x16000 pixels, above the limit"):
        probe(bomb, max_pixels=MAX_PIXELS)
    made = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert made < 150 * 1024  # KiB; decoded it would be 240 MiB in gray, 730 MiB in colour


def test_a_bomb_whose_header_lies_costs_itself_alone(tmp_path: Path) -> None:
    content = picture_as_video(16000, 16000)
    width_and_height = (16000).to_bytes(2, "big") * 2
    entry = content.index(b"png ", content.index(b"stsd")) + 4 + 24
    assert content[entry : entry + 4] == width_and_height
    lying = content[:entry] + (160).to_bytes(2, "big") + (120).to_bytes(2, "big") + content[entry + 4 :]
    write(tmp_path / "bomb.mov", lying)
    done = run_fervid("analyze", str(tmp_path / "bomb.mov"), "-o", str(tmp_path / "out"), "-q", "--no-plot")
    assert done.returncode == 3
    assert "none of its frames can be decoded" in done.stderr or "above the limit" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_pictures_that_grow_past_the_limit_on_the_way_are_not_decoded(tmp_path: Path) -> None:
    video = write(tmp_path / "grows.ts", ts() + clip("x.ts", size=(640, 480), seconds=1, first_seconds=3))
    settings = fervid.load_settings(assignments=["video.max_pixels=30000"], environment={})
    run = fervid.analyze(video, out=tmp_path / "out", settings=settings, device="cpu", plot=False)
    assert run.manifest.status == "partial"
    assert run.manifest.ledger.bad_packets >= 25
    assert max(run.frames["time_s"].to_pylist()) < 3


PAYLOAD = "import pathlib; pathlib.Path({path!r}).touch()"


class _Runs:
    """Unpickled, it runs the payload."""

    def __init__(self, code: str) -> None:
        self._code = code

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, (self._code,)


def hostile_models(folder: Path, fired: Path) -> Iterator[Path]:
    """Model folders with code wherever a careless reader would run it; all hashes are right."""
    shipped = assets.model_folder(assets.DEFAULT_MODEL)
    stored = json.loads((shipped / "model.json").read_text())
    code = PAYLOAD.format(path=str(fired))
    pickled = pickle.dumps(_Runs(code))
    for name, files in {
        "pickles": {"model.weights.h5": pickled, "model.tflite": pickled},
        "scripts": {"model.weights.h5": code.encode(), "model.tflite": code.encode()},
        "empty": {"model.weights.h5": b"", "model.tflite": b""},
        "cut": {"model.tflite": (shipped / "model.tflite").read_bytes()[:5000]},
    }.items():
        model = folder / name
        model.mkdir()
        for file in ("model.weights.h5", "model.tflite"):
            write(model / file, files.get(file, (shipped / file).read_bytes()))
        for file in ("__init__.py", "model.py", "sitecustomize.py", "conftest.py", "custom_objects.py"):
            (model / file).write_text(code)
        write(model / "model.pkl", pickled)
        changed = stored | {
            "weights_sha256": file_sha256(model / "model.weights.h5"),
            "tflite_sha256": file_sha256(model / "model.tflite"),
        }
        (model / "model.json").write_text(json.dumps(changed))
        yield model


def test_a_model_folder_with_code_in_it_runs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fired = tmp_path / "fired"
    exec(PAYLOAD.format(path=str(fired)))
    assert fired.exists()  # the payload works
    fired.unlink()
    for model in hostile_models(tmp_path, fired):
        monkeypatch.chdir(model)
        with pytest.raises(ModelError):
            make_classifier("litert", load_model_info(model))
        assert not fired.exists()


@pytest.mark.slow
def test_a_model_folder_with_code_in_it_runs_none_in_keras_either(tmp_path: Path) -> None:
    fired = tmp_path / "fired"
    for model in hostile_models(tmp_path, fired):
        if model.name != "cut":
            with pytest.raises(ModelError):
                make_classifier("keras", load_model_info(model))
        assert not fired.exists()


@pytest.mark.parametrize("network", ["os:system", "../../x", "builtins.eval", "__import__('os')", "res-xs; import os"])
def test_the_name_of_a_network_is_looked_up_and_nothing_else(network: str) -> None:
    from fervid.emotion.networks.network import build_network

    with pytest.raises(ConfigError, match="does not exist"):
        build_network(network, n_classes=7)


class _Tags(HTMLParser):
    """The tags of a page with what only an attacker's could have."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts_of_attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.scripts_of_attributes += [f"{tag} {name}={value}" for name, value in attrs if name.startswith("on")]


@pytest.mark.slow
def test_mutated_containers_neither_hang_nor_break_a_batch() -> None:
    script = Path(__file__).resolve().parents[2] / "benchmarks" / "fuzz.py"
    command = [sys.executable, str(script), "--inputs", "60", "--seed", "7"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.search(r"60 inputs: {(.*)}", done.stdout)
    assert counts is not None
    assert "'complete'" in counts[1]
    assert "'rejected'" in counts[1]  # mutations that change nothing would show nothing


@pytest.mark.slow
def test_pages_show_a_hostile_name_as_text(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)><script>alert(2)<!--\x1b[2J\u202e.mp4"
    write(tmp_path / name, mp4())
    run = fervid.analyze(tmp_path / name, out=tmp_path / "out", device="cpu", plot=False)
    for command in (("alerts",), ("profile",), ("report",)):
        done = run_fervid(*command, str(run.folder))
        assert done.returncode == 0, done.stderr
        assert not {char for char in done.stdout if not char.isprintable()} - {"\n"}
    pages = sorted(run.folder.glob("*.html"))
    assert len(pages) >= 2
    for page in pages:
        text = page.read_text(encoding="utf-8")
        tags = _Tags()
        tags.feed(text)
        assert not tags.scripts_of_attributes, page
        assert "<img src=x" not in text
        assert "<script>alert(2)" not in text
