"""The engine of a Ray cluster: each task is a Ray task on any node. Knows no step's meaning.

Ray schedules and carries; what is done is what the run folders on the shared storage say, so losing the machine that
hands out the work costs what ran at that moment. A worker process that dies costs its task, as on one machine. When a
whole node dies its tasks start again elsewhere, at most `MAX_NODE_LOSSES` times: they are not to blame, unless they
take every node with them.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from fervid import __version__
from fervid.batch.engine import Outcome, Progress, Report, Task
from fervid.batch.ray_worker import ClassifierActor, Expected, run_on_node
from fervid.device import RUNNERS
from fervid.errors import ConfigError, DependencyMissing
from fervid.job import Cluster, Method

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.5
KNOCK_SECONDS = 5.0
MAX_NODE_LOSSES = 3
NODE_DEATH_SHOWS_SECONDS = 6.0
"""A node's death becomes known this much later than the deaths of its workers, at most."""

MIB = 1 << 20


@dataclass(slots=True, eq=False)
class _Running:
    task: Task
    n_losses: int = 0


class RayEngine:
    """Up to `n_workers` tasks on the nodes of a Ray cluster."""

    def __init__(self, cluster: Cluster, method: Method) -> None:
        """Raises DependencyMissing without Ray, ConfigError when the cluster cannot be reached or lacks a GPU."""
        self._ray = _load_ray()
        self._owns_ray = not self._ray.is_initialized()
        if self._owns_ray:
            _connect(self._ray, cluster)
        found = self._ray.cluster_resources()
        self.n_workers = cluster.n_workers or max(1, int(found.get("CPU", 1)))
        self._expected = Expected(__version__, logging.getLogger().getEffectiveLevel())
        self._remote = self._ray.remote(run_on_node)
        self._actors = self._start_actors(cluster, method, n_gpus=int(found.get("GPU", 0)))
        self._turns = cycle(self._actors) if self._actors else None
        self._running: dict[Any, _Running] = {}
        self._lost: list[tuple[float, _Running, str]] = []
        self._alive = self._alive_nodes()
        log.info(
            "Ray cluster of %d nodes, %d workers, %d classifiers",
            *(len(self._alive), self.n_workers),
            len(self._actors),
        )

    @property
    def n_running(self) -> int:
        return len(self._running) + len(self._lost)

    def submit(self, task: Task) -> None:
        self._start(_Running(task))

    def wait(self) -> list[Progress | Outcome]:
        events: list[Progress | Outcome] = []
        if self._running:
            references = list(self._running)
            ready, _ = self._ray.wait(references, num_returns=1, timeout=WAIT_SECONDS)
            if ready:
                ready, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        else:
            time.sleep(WAIT_SECONDS)
            ready = []
        for reference in ready:
            running = self._running.pop(reference)
            report = self._report(reference, running)
            if report is not None:
                events.append(Outcome(running.task, report.value, report.error, report.crash))
        if self._lost:
            events += self._judge_lost()
        return events

    def close(self) -> None:
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []
        self._running.clear()
        self._lost.clear()
        if self._owns_ray:
            self._ray.shutdown()

    def _start(self, running: _Running) -> None:
        actor = next(self._turns) if self._turns is not None else None
        needs = {"memory": running.task.memory_mib * MIB} if running.task.memory_mib else {}
        # What fails is tried again by whoever submitted it, who knows whether the task may be to blame.
        remote = self._remote.options(num_cpus=1, max_retries=0, **needs)
        self._running[remote.remote(running.task, self._expected, actor)] = running

    def _report(self, reference: Any, running: _Running) -> Report | None:
        """How a task ended; None when it is not known yet whether the task or its node was the reason."""
        errors = self._ray.exceptions
        try:
            report: Report = self._ray.get(reference)
            return report
        except errors.OutOfMemoryError:
            return Report(crash="its node ran out of memory")
        except errors.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            if isinstance(cause, ImportError):
                problem = f"a node of the cluster cannot run fervid ({cause}). Install fervid[ray] on every node."
                return Report(error=ConfigError(problem))
            return Report(error=cause)
        except errors.RayError as error:
            self._lost.append((time.monotonic(), running, f"its process died ({type(error).__name__})"))
            return None

    def _judge_lost(self) -> list[Progress | Outcome]:
        alive = self._alive_nodes()
        node_died = bool(self._alive - alive)
        self._alive = alive
        waiting, events = [], list[Progress | Outcome]()
        for since, running, how in self._lost:
            if node_died and running.n_losses < MAX_NODE_LOSSES:
                log.warning("a node of the cluster was lost: %s starts again elsewhere", running.task.step)
                running.n_losses += 1
                self._start(running)
            elif node_died or time.monotonic() - since > NODE_DEATH_SHOWS_SECONDS:
                events.append(Outcome(running.task, crash=how))
            else:
                waiting.append((since, running, how))
        self._lost = waiting
        return events

    def _alive_nodes(self) -> set[str]:
        return {str(node["NodeID"]) for node in self._ray.nodes() if node["Alive"]}

    def _start_actors(self, cluster: Cluster, method: Method, *, n_gpus: int) -> list[Any]:
        is_on_gpu = method.runner == RUNNERS["gpu"]
        if is_on_gpu and not n_gpus:
            raise ConfigError("--device gpu: no node of the cluster has a GPU. Use --device cpu, or add such a node.")
        n_actors = cluster.n_classifiers or (n_gpus if is_on_gpu else 0)
        emotion = method.settings.emotion
        arguments = (self._expected, method.model, method.runner, emotion.batch_size, emotion.flip)
        # A whole processor each would leave none for decoding on a small machine; they wait for crops most of the time.
        options = {"num_gpus": 1} if is_on_gpu else {"num_cpus": 0}
        kind = self._ray.remote(ClassifierActor).options(**options, max_restarts=-1, max_task_retries=-1)
        return [kind.remote(*arguments) for _ in range(n_actors)]


def _load_ray() -> Any:
    try:
        import ray
    except ImportError:
        raise DependencyMissing("--engine ray needs Ray. Install it with: pip install 'fervid[ray]'") from None
    return ray


def _connect(ray: Any, cluster: Cluster) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about an analysis leaves its machines
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if cluster.address is None and "RAY_ADDRESS" not in os.environ:
        options |= {"num_cpus": cluster.n_workers or os.cpu_count(), "include_dashboard": False}
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    try:
        _knock(address)
        ray.init(cluster.address, **options)
    except (OSError, RuntimeError, ValueError) as problem:
        first = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise ConfigError(
            f"--address {address}: no Ray cluster answers ({first}). Start one with `ray start --head`, "
            f"of the same Ray {ray.__version__} and Python {sys.version_info.major}.{sys.version_info.minor}."
        ) from None


def _knock(address: str | None) -> None:
    """Raise OSError when nobody listens at HOST:PORT, which Ray would find out after minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()
