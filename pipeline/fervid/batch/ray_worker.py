"""Runs a task on a node of a Ray cluster: checks the versions, runs the step, watches for hangs.

Paths in a task are those of the scheduling machine: videos and results must have the same paths everywhere.
Shipped models are looked up by name, as each node has its own copy of the package.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fervid.base import assets
from fervid.base.log import start_logging
from fervid.base.registry import CLASSIFIER_PLUGINS, DETECTOR_PLUGINS, names, plugins
from fervid.base.version import __version__
from fervid.batch.context import Context
from fervid.batch.engine import Report, Task, run_step
from fervid.batch.job import Method, VideoJob
from fervid.batch.ray_parcels import pack_report, unpack_task
from fervid.batch.worker import Watchdog
from fervid.detect import DETECTORS
from fervid.emotion.model import MODEL_JSON, ModelInfo, load_model_info
from fervid.emotion.plugin import find_model
from fervid.errors import ConfigError, FervidError, ModelError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Expected:
    """The versions that a node must share with the scheduling machine."""

    version: str
    log_level: int


def run_parcel(version: str, log_level: int, actor: Any, head: bytes, *contents: bytes) -> bytes:
    """The function that Ray runs: takes a packed task, returns a packed report. Versions are checked first."""
    if (refusal := _other_version(version)) is not None:
        return pack_report(refusal)
    return pack_report(run_on_node(unpack_task(head, contents), Expected(version, log_level), actor))


def run_on_node(task: Task, expected: Expected, actor: Any = None) -> Report:
    """Run a task here, in a process of its own. A hang ends the process, so that the waiting side is notified.

    With `actor`, it classifies the faces instead of this process.
    """
    start_logging(expected.log_level)
    if (refusal := _other_version(expected.version)) is not None:
        return refusal
    try:
        local = _localised(task)
    except FervidError as error:
        return Report(error=type(error)(f"node {_node_name()}: {error}"))
    watchdog = Watchdog(lambda _: None)
    watchdog.begin(task.stall_seconds)
    try:
        _context.heartbeat = watchdog
        _context.classifier = None if actor is None else _Actor(actor)
        return run_step(local, _context)
    finally:
        watchdog.close()


class ClassifierActor:
    """A process that classifies the faces of many tasks, on its GPU or on a CPU."""

    def __init__(self, expected: Expected, model: ModelInfo, runner: str, batch_size: int, is_flipped: bool) -> None:
        from fervid.emotion import make_classifier

        start_logging(expected.log_level)
        self._classifier = make_classifier(runner, _local_model(model), batch_size=batch_size, flip=is_flipped)

    def predict(self, crops: np.ndarray) -> np.ndarray:
        """Logits float32 (N, C) of crops uint8 (N, S, S)."""
        return self._classifier.predict(crops)


class _Actor:
    """An actor as a classifier. The crops of a frame travel through the object store, logits come back."""

    def __init__(self, actor: Any) -> None:
        self._actor = actor

    def predict(self, crops: np.ndarray) -> np.ndarray:
        import ray

        logits: np.ndarray = ray.get(self._actor.predict.remote(crops))
        return logits


def _other_version(expected: str) -> Report | None:
    if expected == __version__:
        return None
    problem = (
        f"node {_node_name()} has fervid {__version__}, expected {expected}. Install the same version on every node."
    )
    return Report(error=ConfigError(problem))


def _localised(task: Task) -> Task:
    arguments = tuple(_localised_job(value) if isinstance(value, VideoJob) else value for value in task.arguments)
    return replace(task, arguments=arguments)


def _localised_job(job: VideoJob) -> VideoJob:
    method = job.method
    model = _local_model(method.model)
    if method.observe_key not in _agreed:
        _check_detector(method, model)
        _agreed.add(method.observe_key)
    return replace(job, method=replace(method, model=model))


def _local_model(model: ModelInfo) -> ModelInfo:
    if model.plugin:
        if model.plugin not in plugins(CLASSIFIER_PLUGINS):
            raise ModelError(f"classifier {model.plugin!r} is not installed there. Install its package on every node.")
        local, remedy = find_model(model.plugin), "the same version of its package on every node"
    else:
        is_here = (model.folder / MODEL_JSON).is_file()
        local = _checked_model(model.folder if is_here else assets.models_folder() / model.name)
        remedy = "the same version of fervid, or copy the model folder"
    if local.weights_sha256 != model.weights_sha256:
        raise ModelError(
            f"it has another model {model.name} (weights {local.weights_sha256[:12]}, expected "
            f"{model.weights_sha256[:12]}). Install {remedy}."
        )
    return local


_context = Context()
"""Ray runs one task at a time in a process, and keeps the process for the next one."""

_agreed: set[str] = set()
"""Keys of the methods whose detector matches the one on the scheduling machine."""


def _check_detector(method: Method, model: ModelInfo) -> None:
    detector = method.settings.detect.detector
    if detector not in (known := names(DETECTORS, DETECTOR_PLUGINS)):
        raise ConfigError(
            f"detector {detector!r} is not installed there, which has {', '.join(known)}. "
            "Install its package on every node."
        )
    if Method.of(method.settings, model, method.runner).observe_key != method.observe_key:
        raise ConfigError(
            f"detector {detector!r} has another version there. Install the same version of its package, "
            "or copy its model, on every node."
        )


@lru_cache
def _checked_model(folder: Path) -> ModelInfo:
    return load_model_info(folder)


def _node_name() -> str:
    import socket

    return socket.gethostname()
