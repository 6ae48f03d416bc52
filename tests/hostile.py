"""Steps and detectors that misbehave, and a way to bring them into worker processes of their own interpreters."""

from __future__ import annotations

import os
import re
import signal
import time
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
        "    names = 'value crash sleep spin hog refuse fail'.split()\n"
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
    "hog": lambda: [bytearray(64 << 20) for _ in range(1000)],
}
