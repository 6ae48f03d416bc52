"""Steps and detectors that misbehave, and a way to bring them into worker processes of their own interpreters."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fervid.detect.options import DetectorOptions
from fervid.errors import InputError

CRASHING_LEVEL = 220
"""A picture this bright makes the detector below misbehave."""


def environment(folder: Path) -> dict[str, str]:
    """An environment whose Python processes know the steps and detectors of this module."""
    (folder / "sitecustomize.py").write_text(
        "try:\n"
        "    from fervid.batch.step_table import STEPS\n"
        "    names = 'value crash sleep spin hog refuse fail reach'.split()\n"
        "    def step(name):\n"
        "        return lambda _, *given: getattr(__import__('hostile'), name)(*given)\n"
        "    STEPS |= {name: step(name) for name in names}\n"
        "    if __import__('os').environ.get('FERVID_TEST_DETECTOR'):\n"
        "        from fervid.detect import DETECTORS\n"
        "        DETECTORS['hostile'] = 'hostile:HostileDetector'\n"
        "except ImportError:\n"
        "    pass\n"
    )
    here = Path(__file__).resolve().parent
    paths = [folder, here, here.parent / "pipeline"]
    return {"PYTHONPATH": os.pathsep.join(map(str, paths))}


def value(x: object) -> tuple[object, int]:
    return x, os.getpid()


def crash(number: int) -> None:
    os.kill(os.getpid(), number)
    time.sleep(10)


def sleep(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def spin() -> None:
    re.match(r"(a+)+$", "a" * 60 + "b")  # centuries inside one call of C, with the interpreter locked


def hog(mib: int) -> int:
    return len(bytearray(mib << 20))


def refuse() -> None:
    raise InputError("this is no video. Give one.")


def fail() -> None:
    raise ZeroDivisionError("a bug")


def reach(secret: str, video: str, out: str) -> dict[str, str]:
    """What a decoder that was taken over would try; how each attempt ended: "" where it worked."""
    return {name: _attempt(attempt) for name, attempt in _attempts(Path(secret), Path(video), Path(out)).items()}


def _attempts(secret: Path, video: Path, out: Path) -> dict[str, Callable[[], object]]:
    return {
        "read the video": video.read_bytes,
        "write a result": lambda: (out / "result.bin").write_bytes(b"x"),
        "read a library": Path(os.__file__).read_bytes,
        "read a foreign file": secret.read_bytes,
        "list a foreign folder": lambda: os.listdir(secret.parent),
        "write a foreign file": lambda: secret.write_bytes(b"x"),
        "make a foreign file": lambda: secret.with_name("new").write_bytes(b"x"),
        "change the video": lambda: video.write_bytes(b"x"),
        "open a socket": lambda: socket.socket(),
        "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
        "start a program": lambda: subprocess.run(["/bin/true"], check=True),
        "signal its parent": lambda: os.kill(os.getppid(), 0),
        "look into its parent": lambda: Path(f"/proc/{os.getppid()}/mem").open("rb").read(1),
    }


def _attempt(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as problem:
        return type(problem).__name__
    return ""


def _report_what_is_reached() -> None:
    secret, video, out = os.environ["FERVID_TEST_REACH"].split(os.pathsep)
    (Path(out) / "reached.json").write_text(json.dumps(reach(secret, video, out)))


class HostileDetector:
    """Finds nothing; on a very bright picture it crashes, hangs in C code, or takes all memory, as it is told to."""

    Options = DetectorOptions

    smallest_face_px = 1000
    box_shape = 1.0

    searches_windows = True

    def detect(self, gray: np.ndarray, **_: object) -> tuple[np.ndarray, np.ndarray]:
        if gray.mean() > CRASHING_LEVEL:
            HOW[os.environ["FERVID_TEST_DETECTOR"]]()
        return np.zeros((0, 4), np.float32), np.zeros(0, np.float32)


HOW = {
    "crash": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "hang": spin,
    "reach": _report_what_is_reached,
    "hog": lambda: [bytearray(64 << 20) for _ in range(1000)],
}
