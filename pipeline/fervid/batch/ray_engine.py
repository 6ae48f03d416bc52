"""The engine of a Ray cluster: each task is a Ray task on any node. Independent of the steps.

Ray only schedules and transports tasks. Progress is recorded in the run folders on the shared storage, so losing the
scheduling machine loses only running tasks. A worker process that dies fails its task, as on one machine. When a whole
node dies, its tasks are restarted elsewhere, at most `MAX_NODE_LOSSES` times, in case they are what kills nodes.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from fervid.base.version import __version__
from fervid.batch.engine import Outcome, Progress, Report, Task
from fervid.batch.job import Cluster, Method
from fervid.batch.ray_parcels import Parcels, unpack_report
from fervid.batch.ray_worker import ClassifierActor, Expected, run_parcel
from fervid.errors import ConfigError, install_line, missing
from fervid.runtime.device import RUNNERS

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.5
KNOCK_SECONDS = 5.0
MAX_NODE_LOSSES = 3
NODE_DEATH_SHOWS_SECONDS = 6.0
"""A node's death is reported at most this much later than the deaths of its workers."""

AHEAD_SHARE, MIN_AHEAD = 1 / 8, 2
"""Share of extra tasks in flight beyond the CPUs, so that a finished task is followed immediately."""

LOOK_SECONDS = 10.0
"""Polling interval for nodes that joined or left."""

MEMORY_STEP_MIB = 256
"""Memory requests are rounded up to this, because Ray reuses a process only for tasks with the same request."""

OBJECT_STORE_MIB = 512
"""For a local cluster: plans and crops are small, while Ray would reserve a third of the memory."""

MIB = 1 << 20


@dataclass(slots=True, eq=False)
class _Running:
    task: Task
    n_losses: int = 0
    reference: Any = None


# Decision CLU-1.
class RayEngine:
    """Runs as many tasks on a Ray cluster as it has CPUs, plus a few queued there."""

    prefers_few_tasks = True

    def __init__(self, cluster: Cluster, method: Method) -> None:
        """Raises DependencyMissing without Ray, ConfigError when the cluster cannot be reached or lacks a GPU."""
        self._ray = _load_ray()
        self._owns_ray = not self._ray.is_initialized()
        if self._owns_ray:
            _connect(self._ray, cluster)
        _allow_many_files()
        self._wanted = cluster.n_workers
        self._expected = Expected(__version__, logging.getLogger().getEffectiveLevel())
        self._remote = self._ray.remote(run_parcel)
        self._remotes: dict[int, Any] = {}
        self._parcels = Parcels(self._ray.put)
        self._running: set[_Running] = set()
        self._ended: queue.SimpleQueue[tuple[_Running, Any]] = queue.SimpleQueue()
        self._lost: list[tuple[float, _Running, str]] = []
        self._alive: set[str] = set()
        self._node_died_at = float("-inf")
        self._look_around()
        self._actors = self._start_actors(cluster, method, n_gpus=int(self._ray.cluster_resources().get("GPU", 0)))
        self._turns = cycle(self._actors) if self._actors else None
        log.info(
            "Ray cluster of %d nodes, %d tasks in flight, %d classifiers",
            *(len(self._alive), self.n_workers, len(self._actors)),
        )

    @property
    def n_running(self) -> int:
        return len(self._running) + len(self._lost)

    def submit(self, task: Task) -> None:
        self._start(_Running(task))

    def wait(self) -> list[Progress | Outcome]:
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            self._look_around()
        events: list[Progress | Outcome] = []
        for running, future in self._take_ended():
            self._running.discard(running)
            report = self._report(future, running)
            if report is not None:
                events.append(self._outcome(running, report))
        if self._lost:
            events += self._judge_lost()
        return events

    def close(self) -> None:
        for running in self._running:
            self._ray.cancel(running.reference, force=True)
        for actor in self._actors:
            self._ray.kill(actor)
        self._actors = []
        self._running.clear()
        self._lost.clear()
        if self._owns_ray:
            self._ray.shutdown()

    def _start(self, running: _Running) -> None:
        actor = next(self._turns) if self._turns is not None else None
        head, contents = self._parcels.pack(running.task)
        remote = self._remote_with(running.task.memory_mib)
        version, level = self._expected.version, self._expected.log_level
        running.reference = remote.remote(version, level, actor, head, *contents)
        self._running.add(running)
        # Callbacks, because polling all tasks in flight takes longer the more there are.
        running.reference.future().add_done_callback(lambda future: self._ended.put((running, future)))

    def _remote_with(self, memory_mib: int) -> Any:
        asked = min(-(-memory_mib // MEMORY_STEP_MIB) * MEMORY_STEP_MIB, self._largest_node_mib)
        if asked not in self._remotes:
            needs = {"memory": asked * MIB} if asked else {}
            # The submitter retries failures, because it knows whether the task may be the cause.
            self._remotes[asked] = self._remote.options(num_cpus=1, max_retries=0, **needs)
        return self._remotes[asked]

    def _take_ended(self) -> Iterator[tuple[_Running, Any]]:
        with suppress(queue.Empty):
            yield self._ended.get(timeout=WAIT_SECONDS)
            while True:
                yield self._ended.get_nowait()

    def _report(self, future: Any, running: _Running) -> Report | None:
        """How a task ended; None if it is not known yet whether the task or its node was the cause."""
        errors = self._ray.exceptions
        try:
            return unpack_report(future.result())
        except errors.OutOfMemoryError:
            return Report(crash="its node ran out of memory")
        except errors.RayTaskError as error:
            cause = error.cause if isinstance(error.cause, Exception) else error
            if isinstance(cause, ImportError):
                problem = (
                    f"a node of the cluster cannot run fervid ({cause}). Run `{install_line('ray')}` on every node."
                )
                return Report(error=ConfigError(problem))
            return Report(error=cause)
        except errors.RayError as error:
            self._lost.append((time.monotonic(), running, f"its process died ({type(error).__name__})"))
            return None

    def _outcome(self, running: _Running, report: Report) -> Outcome:
        self._parcels.release(running.task)
        return Outcome(running.task, report.value, report.error, report.crash)

    def _judge_lost(self) -> list[Progress | Outcome]:
        """Restart tasks lost with their node; a process that died without its node is a failure of its task."""
        self._look_around()
        waiting, events = [], list[Progress | Outcome]()
        for since, running, how in self._lost:
            node_died = self._node_died_at > since - NODE_DEATH_SHOWS_SECONDS
            if node_died and running.n_losses < MAX_NODE_LOSSES:
                log.warning("a node of the cluster was lost: restarting %s elsewhere", running.task.step)
                running.n_losses += 1
                self._parcels.release(running.task)
                self._start(running)
            elif node_died or time.monotonic() - since > NODE_DEATH_SHOWS_SECONDS:
                events.append(self._outcome(running, Report(crash=how)))
            else:
                waiting.append((since, running, how))
        self._lost = waiting
        return events

    def _look_around(self) -> None:
        """Update the list of nodes; use all of their CPUs unless a number was given."""
        nodes = [node for node in self._ray.nodes() if node["Alive"]]
        # A request for more than the largest node has would wait forever.
        self._largest_node_mib = int(max((node["Resources"].get("memory", 0) for node in nodes), default=0) // MIB)
        alive = {str(node["NodeID"]) for node in nodes}
        if self._alive - alive:
            self._node_died_at = time.monotonic()
        self._alive, self._looked_at = alive, time.monotonic()
        n_processors = max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        ahead = max(MIN_AHEAD, round(AHEAD_SHARE * n_processors))
        self.n_workers = self._wanted or n_processors + ahead

    def _start_actors(self, cluster: Cluster, method: Method, *, n_gpus: int) -> list[Any]:
        is_on_gpu = method.runner == RUNNERS["gpu"]
        if is_on_gpu and not n_gpus:
            raise ConfigError("--device gpu: no node of the cluster has a GPU. Use --device cpu, or add such a node.")
        n_actors = cluster.n_classifiers or (n_gpus if is_on_gpu else 0)
        emotion = method.settings.emotion
        arguments = (self._expected, method.model, method.runner, emotion.batch_size, emotion.flip)
        # A whole CPU each would leave none for decoding on a small machine; they mostly wait for crops.
        options = {"num_gpus": 1} if is_on_gpu else {"num_cpus": 0}
        kind = self._ray.remote(ClassifierActor).options(**options, max_restarts=-1, max_task_retries=-1)
        return [kind.remote(*arguments) for _ in range(n_actors)]


def _load_ray() -> Any:
    try:
        import ray
    except ImportError as problem:
        raise missing("--engine ray", "Ray", "ray", problem) from None
    return ray


def _connect(ray: Any, cluster: Cluster) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    if cluster.address is None and "RAY_ADDRESS" not in os.environ:
        options |= {"num_cpus": cluster.n_workers or os.cpu_count(), "include_dashboard": False}
        options |= {"object_store_memory": OBJECT_STORE_MIB * MIB}
    address = cluster.address or os.environ.get("RAY_ADDRESS")
    try:
        _check_reachable(address)
        ray.init(cluster.address, **options)
    except (OSError, RuntimeError, ValueError) as problem:
        first = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise ConfigError(
            f"--address {address}: no Ray cluster answers ({first}). Start one with `ray start --head`, "
            f"of the same Ray {ray.__version__} and Python {sys.version_info.major}.{sys.version_info.minor}."
        ) from None


def _check_reachable(address: str | None) -> None:
    """Raise OSError if HOST:PORT refuses connections, which Ray reports only after minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host, int(port)), KNOCK_SECONDS).close()


def _allow_many_files() -> None:
    """Raise the file limit: each open video has a lock file, and a cluster may exceed the default limit."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
