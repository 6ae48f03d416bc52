"""Chooses the device that classifies faces. Looks for a driver before anything heavy is imported; knows nothing of
models.
"""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path

from fervid.errors import ConfigError, DependencyMissing, install_line

log = logging.getLogger(__name__)

DRIVER_FILES = ("/dev/nvidiactl", "/proc/driver/nvidia/version", "/dev/kfd")
RUNNERS = {"cpu": "litert", "gpu": "keras"}


def choose_runner(device: str) -> str:
    """The runner for `auto`, `cpu`, `gpu` or `gpu:N`.

    A GPU that was asked for and cannot be used is a ConfigError, never a silent change to the CPU; `auto` falls back to
    the CPU with a warning.
    """
    if not re.fullmatch(r"auto|cpu|gpu(:\d+)?", device):
        raise ConfigError(f"device {device!r} does not exist. Use auto, cpu or gpu:N.")
    has_driver = any(Path(file).exists() for file in DRIVER_FILES)
    if device == "cpu" or (device == "auto" and not has_driver):
        return RUNNERS["cpu"]
    if not has_driver:
        raise ConfigError(f"--device {device}: no GPU driver was found on this machine. Use --device cpu or auto.")
    if ":" in device:
        os.environ["CUDA_VISIBLE_DEVICES"] = device.partition(":")[2]
    problem = _why_keras_has_no_gpu()
    if problem is None:
        return RUNNERS["gpu"]
    if device == "auto":
        log.warning("a GPU driver is here, but %s: faces are classified on the CPU", problem)
        return RUNNERS["cpu"]
    raise ConfigError(
        f"--device {device}: {problem}, though a driver is here. Run `{install_line('gpu')}`, or use --device cpu."
    )


def cluster_runner(device: str) -> str:
    """The runner on the nodes of a cluster for `auto`, `cpu` or `gpu`; `auto` is the CPU, which every node has."""
    if device not in ("auto", "cpu", "gpu"):
        raise ConfigError(f"device {device!r} is not available on a cluster. Use auto, cpu or gpu.")
    return RUNNERS["gpu" if device == "gpu" else "cpu"]


def _why_keras_has_no_gpu() -> str | None:
    """Why Keras cannot use a GPU, or None."""
    from fervid.runtime.backend import load_keras

    try:
        has_one = bool(load_keras().distribution.list_devices("gpu"))
    except DependencyMissing:
        return "TensorFlow is not installed"
    return None if has_one else "Keras sees no GPU"
