"""Classifiers and detectors of other packages on the nodes of a Ray cluster, and nodes that lack them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from plugin_package import install
from runner import SOURCE, run_fervid
from synthetic import constant_rate, face_until, write_video

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of Ray's own

MODULE = """
import numpy as np

class Light:
    labels, input_side_px, version = ("dark", "bright"), 48, "VERSION"
    def predict(self, crops):
        level = crops.reshape(len(crops), 48 * 48).mean(axis=1, dtype=np.float32) / 255
        return np.stack([1 - level, level], axis=1)

class Corner:
    smallest_face_px = 20
    searches_windows = False
    def detect(self, gray, *, max_face_px=None, effort="normal"):
        return np.array([[5, 5, 55, 55]], np.float32), np.ones(1, np.float32)
"""


def package(folder: Path, *, version: str, classifier: str = "light", detector: str = "corner") -> Path:
    folder.mkdir()
    (folder / "brought.py").write_text(MODULE.replace("VERSION", version))
    declared = f"[fervid.classifiers]\n{classifier} = brought:Light\n[fervid.detectors]\n{detector} = brought:Corner\n"
    install(folder, entry_points=declared, version=version)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every node has."""
    return package(tmp_path_factory.mktemp("packages") / "installed", version="1.0")


@pytest.fixture(scope="module")
def address(installed: Path) -> Iterator[str]:
    """A cluster of two nodes of one processor each, with the package."""
    pytest.importorskip("ray", reason="Ray is not installed (pip install 'fervid[ray]')")
    from ray.cluster_utils import Cluster as Nodes

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    path = {"PYTHONPATH": f"{SOURCE}:{installed}"}
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "env_vars": path})
    nodes.add_node(num_cpus=1, env_vars=path)
    yield nodes.address
    nodes.shutdown()


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("clips")
    return [str(write_video(folder / f"{i}.mp4", constant_rate(2), face_until(1 + i / 4))) for i in range(3)]


def tables(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.glob("*/*.parquet"))}


def test_what_another_package_brings_works_on_the_nodes_as_it_does_here(
    address: str, installed: Path, clips: list[str], tmp_path: Path
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    chosen = ("--model", "light", "--detector", "corner", "--no-plot", "-q")
    for out, engine in ((here, ("--workers", "1")), (there, ("--engine", "ray", "--address", address))):
        environment = {"PYTHONPATH": f"{SOURCE}:{installed}"}
        done = run_fervid("analyze", *clips, "-o", str(out), *chosen, *engine, environment=environment)
        assert done.returncode == 0, done.stderr
    assert len(tables(here)) == 4 * len(clips)
    assert tables(there) == tables(here)


@pytest.mark.parametrize(
    ("version", "names", "options", "says"),
    [
        ("1.0", ("sun", "edge"), ("--model", "sun"), "classifier 'sun' is not installed there"),
        ("1.0", ("sun", "edge"), ("--detector", "edge"), "detector 'edge' is not installed there"),
        ("2.0", ("light", "corner"), ("--model", "light"), "it has another model light"),
        ("2.0", ("light", "corner"), ("--detector", "corner"), "detector 'corner' has another version there"),
    ],
)
def test_a_node_without_the_package_or_with_another_version_is_one_clear_error(
    address: str,
    clips: list[str],
    tmp_path: Path,
    version: str,
    names: tuple[str, str],
    options: tuple[str, str],
    says: str,
) -> None:
    other = package(tmp_path / "other", version=version, classifier=names[0], detector=names[1])
    arguments = ("analyze", *clips, "-o", str(tmp_path / "out"), *options, "--engine", "ray", "--address", address)
    done = run_fervid(*arguments, "--no-plot", "-q", environment={"PYTHONPATH": f"{SOURCE}:{other}"})
    assert done.returncode not in (0, 1)
    (line,) = done.stderr.splitlines()
    assert "node " in line
    assert says in line
    assert "on every node" in line
    assert not list((tmp_path / "out").glob("*/*.parquet"))
