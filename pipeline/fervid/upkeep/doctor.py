"""Checks of this machine: each reports ok, or a problem with advice. Repairs nothing.

Every check is one function; a check that cannot be made is a finding too, never an error.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from fervid.base import assets
from fervid.base.printable import counted
from fervid.base.version import __version__
from fervid.batch.sandbox import LANDLOCK, NO_NEW_PRIVS, SECCOMP, active_here
from fervid.errors import FervidError, install_line
from fervid.run.manifest import LIBRARIES, library_versions

State = Literal["ok", "warning", "problem"]

OPENCV_PACKAGES = frozenset(
    ("opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless")
)
DECODERS = ("h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "mpeg2video", "mjpeg", "wmv2", "flv", "h263")
"""Codecs of cameras, phones and the web; others are read too if the build of FFmpeg has them."""

WORKER_MIB = 300
"""Memory of a worker on 720p video (`benchmarks/analyze.py`)."""

LEAST_FREE_MB = 1_000
TENSORFLOW_LIMIT_SECONDS = 120
SPEED_SECONDS = 1.0
CLIP_SECONDS = 1.0
SLOW_TIMES_REAL_TIME = 1.0
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check, with `advice` if it is not ok."""

    check: str
    state: State
    detail: str
    advice: str = ""


def examine(out: Path, *, is_quick: bool = False) -> Iterator[Finding]:
    """Every check in turn, as it is made. A quick examination skips TensorFlow and the speed test."""
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("versions", _versions),
        ("opencv", _opencv),
        ("haar", _haar),
        ("codecs", _codecs),
        ("models", _models),
        ("analysis", _analysis),
        ("memory", _memory),
        ("sandbox", _sandbox),
        ("disk", lambda: _disk(out)),
    ]
    if not is_quick:
        checks += [("devices", _devices), ("speed", _speed)]
    for name, check in checks:
        try:
            yield check()
        except FervidError as error:
            yield Finding(name, "problem", str(error), "Follow the message.")
        except Exception as error:
            yield Finding(
                name, "problem", f"{type(error).__name__}: {error}", "Reinstall fervid in a fresh environment."
            )


def _versions() -> Finding:
    found = library_versions()
    text = f"fervid {__version__}, Python {platform.python_version()} on {sys.platform} {platform.machine()}; "
    text += ", ".join(f"{name} {found[name]}" for name in LIBRARIES if name in found and name != "fervid")
    missing = [name for name in ("numpy", "av", "pyarrow", "ai-edge-litert") if name not in found]
    if missing:
        return Finding("versions", "problem", text, f"{', '.join(missing)} missing: pip install fervid again.")
    return Finding("versions", "ok", text)


def _opencv() -> Finding:
    installed = sorted({str(d.metadata["Name"]).lower() for d in distributions()} & OPENCV_PACKAGES)
    from fervid.base.opencv import cv2  # gives a clear error if a system library is missing

    text = f"OpenCV {cv2.__version__} ({', '.join(installed) or 'not from a package'})"
    if len(installed) > 1:
        return Finding(
            "opencv",
            "problem",
            f"{text}: several packages share one folder",
            f"pip uninstall {' '.join(installed)}; then install one of them.",
        )
    return Finding("opencv", "ok", text)


def _haar() -> Finding:
    from fervid.base.opencv import CASCADES_FOLDER, cv2
    from fervid.detect.haar import CASCADES

    parts = []
    for name, (file, *_) in CASCADES.items():
        path = Path(CASCADES_FOLDER) / file
        if not path.is_file() or cv2.CascadeClassifier(str(path)).empty():
            return Finding("haar", "problem", f"{path} is missing or damaged", "Reinstall opencv-python.")
        parts.append(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()[:12]}")
    return Finding("haar", "ok", f"cascades {', '.join(parts)}")


def _codecs() -> Finding:
    import av

    missing = [name for name in DECODERS if name not in av.codecs_available]
    text = f"PyAV {av.__version__} decodes {', '.join(name for name in DECODERS if name not in missing)}"
    if missing:
        return Finding("codecs", "warning", text, f"No {', '.join(missing)}: pip install av, for its build of FFmpeg.")
    return Finding("codecs", "ok", text)


def _models() -> Finding:
    import numpy as np

    from fervid.emotion import make_classifier
    from fervid.emotion.model import load_model_info

    names = []
    for folder in assets.shipped_models():
        info = load_model_info(folder)
        crops = np.zeros((1, info.input_side_px, info.input_side_px), np.uint8)
        logits = make_classifier("litert", info, batch_size=1).predict(crops)
        if logits.shape != (1, info.n_logits) or not np.isfinite(logits).all():
            return Finding("models", "problem", f"{folder.name} gives {logits}", "Reinstall fervid.")
        names.append(f"{info.name} (tflite {info.tflite_sha256[:12]})")
    if not names:
        return Finding("models", "problem", f"no model in {assets.models_folder()}", "Reinstall fervid.")
    return Finding("models", "ok", f"intact and working: {', '.join(names)}")


def _analysis() -> Finding:
    """Everything that `fervid analyze` does, on a clip of a second: what cannot be read here cannot be read there."""
    from fervid.analysis import analyze
    from fervid.config import load_settings
    from fervid.demo.photograph import make_portrait_clip

    with tempfile.TemporaryDirectory() as folder:
        clip = make_portrait_clip(Path(folder) / "doctor.mp4", seconds=CLIP_SECONDS)
        run = analyze(clip, out=Path(folder) / "out", settings=load_settings(environment={}), progress=False)
        n_frames, n_faces = run.frames.num_rows, run.faces.num_rows
    found = f"{counted(n_faces, 'face')} in {counted(n_frames, 'frame')}"
    text = f"a clip of {CLIP_SECONDS:g} s was written, decoded and analysed: {found}"
    if n_frames == 0 or n_faces != n_frames:
        return Finding("analysis", "problem", text, "There is one face in each: reinstall fervid, OpenCV and PyAV.")
    return Finding("analysis", "ok", text)


def _memory() -> Finding:
    processors = os.cpu_count() or 1
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
        free_mib = int(lines["MemAvailable"].split()[0]) // 1024
    except (OSError, KeyError, ValueError):
        return Finding("memory", "ok", f"{processors} processors; free memory is unknown on this system")
    text = f"{processors} processors, {free_mib:,} MiB of memory available"
    if free_mib < processors * WORKER_MIB:
        fitting = max(1, free_mib // WORKER_MIB)
        return Finding("memory", "warning", text, f"Use --workers {fitting}: a worker takes about {WORKER_MIB} MiB.")
    return Finding("memory", "ok", text)


def _sandbox() -> Finding:
    active = active_here()
    missing = [part for part in (NO_NEW_PRIVS, LANDLOCK, SECCOMP) if part not in active]
    if not missing:
        return Finding("sandbox", "ok", f"workers are confined by {', '.join(active)}")
    text = f"workers are confined by {', '.join(active) or 'memory and time alone'}; not here: {', '.join(missing)}"
    return Finding("sandbox", "warning", text, "Analyse videos of strangers on Linux 5.13 or later, or in a container.")


def _disk(out: Path) -> Finding:
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    try:
        with tempfile.NamedTemporaryFile(dir=there, prefix=".doctor-"):
            pass
    except OSError as problem:
        return Finding("disk", "problem", f"{there} cannot be written ({problem.strerror})", "Use another --out.")
    free_mb = shutil.disk_usage(there).free // MB
    text = f"{free_mb:,} MB free for results in {out}"
    if free_mb < LEAST_FREE_MB:
        return Finding(
            "disk", "warning", text, "Free some space; an hour of video takes about 8 MB at 5 frames per second."
        )
    return Finding("disk", "ok", text)


def _devices() -> Finding:
    from fervid.runtime.device import DRIVER_FILES

    drivers = [file for file in DRIVER_FILES if Path(file).exists()]
    if find_spec("tensorflow") is None:
        if drivers:
            advice = f"To classify faces on it: {install_line('gpu')}."
            return Finding("devices", "warning", "the CPU; a GPU driver is here, TensorFlow is not installed", advice)
        text = f"the CPU; training and GPUs need more: {install_line('train')}, or {install_line('gpu')}"
        return Finding("devices", "ok", text)
    script = "import tensorflow as tf; print(tf.__version__, *(d.name for d in tf.config.list_physical_devices()))"
    try:
        # In a process of its own: it takes seconds and hundreds of megabytes, and can crash on a broken driver.
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
            timeout=TENSORFLOW_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Finding("devices", "warning", "TensorFlow did not start within two minutes", "Use --device cpu.")
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        advice = f"Needed for training and GPUs only: {install_line('train')}."
        return Finding("devices", "warning", f"TensorFlow cannot be used ({last})", advice)
    version, *devices = done.stdout.split()
    text = f"TensorFlow {version} sees {', '.join(device.removeprefix('/physical_device:') for device in devices)}"
    if drivers and not any("GPU" in device for device in devices):
        return Finding("devices", "warning", f"{text}; a GPU driver is here", f"{install_line('gpu')}.")
    return Finding("devices", "ok", text)


def _speed() -> Finding:
    """Analyse the demonstration clip for about a second, in this process, with what is loaded already."""
    from fervid.config import load_settings
    from fervid.demo.photograph import HEIGHT_PX, WIDTH_PX, make_demo_clip
    from fervid.emotion.model import load_model_info
    from fervid.observe.observer import Observer
    from fervid.video.ledger import Ledger
    from fervid.video.probe import probe
    from fervid.video.segments import plan_segments

    settings = load_settings(assignments=["emotion.batch_size=1"], environment={})  # face by face, not in bursts
    with tempfile.TemporaryDirectory() as folder:
        clip = make_demo_clip(Path(folder) / "demo.mp4")
        info, plan = probe(clip, max_pixels=settings.video.max_pixels)
        model = load_model_info(assets.model_folder(settings.emotion.model))
        observer = Observer(info, plan, settings, model, runner="litert", frames_ahead=1, crops_ahead=1)
        (segment,) = plan_segments("", info, plan, segment_seconds=60, fps=settings.video.fps)
        n_faces, passed, spent, begun = 0, 0.0, 0.0, None
        stream = observer.observe(segment, Ledger())
        for scores in stream:
            n_faces += len(scores.logits)
            begun = begun or time.perf_counter()  # one-time work before the first frame does not count
            passed, spent = scores.detections.pts_seconds, time.perf_counter() - begun
            if spent > SPEED_SECONDS:
                break
        stream.close()
    times_real_time = passed / max(spent, 1e-9)
    text = f"{times_real_time:.1f} times real time in one process ({WIDTH_PX}x{HEIGHT_PX}, {counted(n_faces, 'face')})"
    if n_faces == 0:
        return Finding("speed", "problem", f"{text}: the portrait was not found", "Reinstall fervid and OpenCV.")
    if times_real_time < SLOW_TIMES_REAL_TIME:
        return Finding("speed", "warning", text, "Close other programs, or use --preset fast.")
    return Finding("speed", "ok", text)
