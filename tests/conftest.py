"""Fixtures that several folders of tests share."""

from __future__ import annotations

import compileall
import fcntl
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runner import lend_fork_servers

LONGEST_FIRST = (
    *("flow/test_analyze.py", "footage/test_faces.py", "flow/test_train.py", "unit/train/test_finder.py"),
    *("flow/test_bad_files.py", "unit/train/test_stepper.py", "contract/test_classifiers.py", "flow/test_distil.py"),
    *("flow/test_tune.py", "footage/test_times.py", "unit/config/test_any_input.py", "flow/test_object_storage.py"),
    *("flow/test_explain.py", "flow/test_evaluate.py", "flow/test_references.py", "flow/test_written_short.py"),
)
"""Files whose tests take the most CPU time: a process that begins one last leaves the others waiting for it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    place = {tests / name: i for i, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_configure(config: pytest.Config) -> None:
    """Compile fervid once. If Python may write no bytecode, each process that a test starts would compile it again.

    Threads of OpenBLAS wait by spinning: of as many tests at once as there are CPUs, each keeps the others waiting.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read by NumPy's import
    lend_fork_servers()
    if hasattr(config.option, "loadscopereorder"):  # pytest-xdist would begin with the files of the most tests
        config.option.loadscopereorder = False
    if sys.dont_write_bytecode and not hasattr(config, "workerinput"):
        compileall.compile_dir(Path(__file__).parents[1] / "pipeline", quiet=2)


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that one of the processes of this session makes, and all of them read."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "made-once" / name
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(part := folder.with_suffix(".part"), ignore_errors=True)  # of a process that failed
            make(part)
            part.rename(folder)
    return folder


@pytest.fixture
def own_threads() -> Callable[[], list[str]]:
    """Names the threads of fervid that began in this test and still run; networks of other tests keep theirs."""
    before = set(threading.enumerate())
    return lambda: [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("fervid")]


@pytest.fixture(scope="session")
def small_network() -> str:
    """The name of a small network, which whoever loads a model of it has to know."""
    from drawn_faces import SMALL

    return SMALL


@pytest.fixture(scope="session")
def tiny_model(small_network: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of a small network, trained for two epochs on drawn faces. For reading only."""
    return made_once(tmp_path_factory, "tiny", lambda out: _train(out, "tiny", network=small_network, epochs=2))


@pytest.fixture(scope="session")
def two_headed_model(small_network: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of a small network with a second head, trained for one epoch on drawn votes. For reading."""
    recipe = {"network": small_network, "epochs": 1, "ferplus_weight": 0.5}
    return made_once(tmp_path_factory, "two-headed", lambda out: _train(out, "two-headed", **recipe))


def _train(out: Path, name: str, **settings: Any) -> None:
    from drawn_faces import draw_dataset, draw_votes
    from fervid.runtime.backend import load_tensorflow

    load_tensorflow()
    from fervid.train.export.folder import write_model_folder
    from fervid.train.fit.loop import fit
    from fervid.train.fit.recipe import Recipe

    dataset = draw_dataset()
    recipe = Recipe(batch_size=28, warmup_epochs=0, ema_decay=0.5, **settings)
    votes = draw_votes(dataset) if recipe.ferplus_weight else None
    fitted = fit(dataset, recipe, out, votes=votes, progress=False)
    write_model_folder(fitted, recipe, dataset, out, name, votes=votes)


@pytest.fixture(scope="session")
def combined_model(tiny_model: Path, two_headed_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ensemble of the two; the first member has no FER+ head. For reading only."""
    from drawn_faces import draw_dataset, draw_votes
    from fervid.train.export.combine import combine_models

    def combine(out: Path) -> None:
        dataset = draw_dataset()
        combine_models([tiny_model, two_headed_model], dataset, out, "combined", votes=draw_votes(dataset))

    return made_once(tmp_path_factory, "combined", combine)


@pytest.fixture
def copied_model(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model folder that a test may change."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


@pytest.fixture(scope="module", autouse=True)
def no_worker_is_left() -> Iterator[None]:
    """A fork server keeps the surroundings of the test that started it: no module gets that of another."""
    yield
    if (pool := sys.modules.get("fervid.batch.pool")) is not None:
        pool.stop_workers()
