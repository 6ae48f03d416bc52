"""A Ray cluster of two nodes on this machine: the same bytes as here, also when a node is killed at its work."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import fervid
from fervid.base import assets
from fervid.batch.engine import Task
from fervid.batch.job import Cluster, Method, VideoJob
from fervid.batch.result import Result
from fervid.batch.run import Batch, analyze_batch
from fervid.emotion.model import load_model_info
from fervid.errors import ConfigError, ModelError
from fervid.runtime.device import choose_runner
from runner import run_fervid
from synthetic import constant_rate, face_until, write_video

SETTINGS = ("video.segment_seconds=1", "video.fps=25")


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six clips of four seconds that differ."""
    folder = tmp_path_factory.mktemp("clips")
    return [write_video(folder / f"{i}.mp4", constant_rate(4), face_until(1 + i / 2)) for i in range(6)]


@pytest.fixture(scope="module")
def settings() -> fervid.Settings:
    return fervid.load_settings(assignments=SETTINGS, environment={})


@pytest.fixture(scope="module")
def local(clips: list[Path], settings: fervid.Settings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The tables that one process here writes."""
    out = tmp_path_factory.mktemp("local")
    analyzed(Batch(clips, out, settings, is_named_as_many=True, workers=1, device="cpu"))
    return tables(out)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each, and this process connected to them."""
    ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'fervid[ray]')")
    from ray.cluster_utils import Cluster as Nodes

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, logging_level=logging.ERROR, log_to_driver=False)
    yield nodes
    ray.shutdown()
    nodes.shutdown()


def tables(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("*/**/*.parquet"))}


def analyzed(batch: Batch) -> list[Result]:
    results: list[Result] = []
    analyze_batch(batch, results.append)
    return results


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray's own
def test_actors_score_the_faces_of_all_tasks_to_the_same_bytes(
    cluster: Any,  # noqa: ARG001
    clips: list[Path],
    settings: fervid.Settings,
    local: dict[str, bytes],
    tmp_path: Path,
) -> None:
    batch = Batch(clips[:2], tmp_path, settings, is_named_as_many=True, device="cpu", cluster=Cluster(n_classifiers=1))
    assert [result.status for result in analyzed(batch)] == ["complete", "complete"]
    found = tables(tmp_path)
    assert found
    assert found == {name: local[name] for name in found}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_gpu_that_no_node_has_is_said_before_anything_starts(
    cluster: Any,  # noqa: ARG001
    clips: list[Path],
    settings: fervid.Settings,
    tmp_path: Path,
) -> None:
    batch = Batch(clips, tmp_path, settings, is_named_as_many=True, device="gpu", cluster=Cluster())
    with pytest.raises(ConfigError, match="no node of the cluster has a GPU"):
        analyzed(batch)
    assert not list(tmp_path.glob("*/observations"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_killed_node_costs_nothing_but_time(
    cluster: Any, clips: list[Path], settings: fervid.Settings, local: dict[str, bytes], tmp_path: Path
) -> None:
    # The last test with this cluster: it is not whole afterwards.
    batch = Batch(clips, tmp_path, settings, is_named_as_many=True, device="cpu", cluster=Cluster())
    killed = threading.Event()

    def kill_the_second_node() -> None:
        while not list(tmp_path.glob("*/observations/*.parquet")):
            time.sleep(0.05)
        victim = next(iter(cluster.worker_nodes))
        for process in victim.all_processes["raylet"]:
            process.process.kill()
        killed.set()

    killer = threading.Thread(target=kill_the_second_node, daemon=True)
    killer.start()
    results = analyzed(batch)
    killer.join(60)
    assert killed.is_set()
    assert sorted((result.path, result.status) for result in results) == [(path, "complete") for path in clips]
    assert len(list(tmp_path.glob("*/manifest.json"))) == len(clips)
    assert tables(tmp_path) == local
    assert not list(tmp_path.rglob("*.part*"))


def job_of(path: Path, settings: fervid.Settings, tmp_path: Path) -> VideoJob:
    model = load_model_info(assets.model_folder(settings.emotion.model))
    return VideoJob(path, "0" * 32, tmp_path / "run", Method.of(settings, model, choose_runner("cpu")))


def test_a_node_with_another_version_or_model_refuses_the_work(
    clips: list[Path], settings: fervid.Settings, tmp_path: Path
) -> None:
    from fervid.batch.ray_worker import Expected, run_on_node

    job = job_of(clips[0], settings, tmp_path)
    other = run_on_node(Task("plan", (job,)), Expected("0.0.0", logging.WARNING))
    assert isinstance(other.error, ConfigError)
    assert "Install the same version on every node" in str(other.error)

    elsewhere = replace(job.method.model, folder=tmp_path / "not on this node")
    here = Expected(fervid.__version__, logging.WARNING)
    found = run_on_node(Task("plan", (replace(job, method=replace(job.method, model=elsewhere)),)), here)
    assert found.error is None
    assert found.value.to_observe == (0, 1, 2, 3)

    swapped = replace(elsewhere, weights_sha256="0" * 64)
    refused = run_on_node(Task("plan", (replace(job, method=replace(job.method, model=swapped)),)), here)
    assert isinstance(refused.error, ModelError)
    assert "it has another model" in str(refused.error)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_a_cluster_that_does_not_answer_is_one_clear_error(clips: list[Path], tmp_path: Path, address: str) -> None:
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'fervid[ray]')")
    options = ("-o", str(tmp_path / "out"), "--engine", "ray", "--address", address)
    done = run_fervid("analyze", str(clips[0]), *options)
    assert done.returncode == 2
    assert f"--address {address}: no Ray cluster answers" in done.stderr
    assert "Traceback" not in done.stderr
