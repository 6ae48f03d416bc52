"""Fixtures that several folders of tests share."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drawn_faces import draw_dataset, draw_votes


@pytest.fixture
def own_threads() -> Callable[[], list[str]]:
    """Names the threads of fervid that began in this test and still run; networks of other tests keep theirs."""
    before = set(threading.enumerate())
    return lambda: [thread.name for thread in set(threading.enumerate()) - before if thread.name.startswith("fervid")]


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of the smallest network, trained for two epochs on drawn faces. For reading only."""
    from fervid.runtime.backend import load_tensorflow

    load_tensorflow()
    from fervid.train.export.folder import write_model_folder
    from fervid.train.fit.loop import fit
    from fervid.train.fit.recipe import Recipe

    out = tmp_path_factory.mktemp("models") / "tiny"
    dataset = draw_dataset()
    recipe = Recipe(network="res-nano", epochs=2, batch_size=28, warmup_epochs=0, ema_decay=0.5)
    fitted = fit(dataset, recipe, out, progress=False)
    write_model_folder(fitted, recipe, dataset, out, "tiny")
    return out


@pytest.fixture(scope="session")
def two_headed_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of the smallest network with a second head, trained for one epoch on drawn votes. For reading."""
    from fervid.runtime.backend import load_tensorflow

    load_tensorflow()
    from fervid.train.export.folder import write_model_folder
    from fervid.train.fit.loop import fit
    from fervid.train.fit.recipe import Recipe

    out = tmp_path_factory.mktemp("models") / "two-headed"
    dataset = draw_dataset()
    votes = draw_votes(dataset)
    recipe = Recipe(network="res-nano", epochs=1, batch_size=28, warmup_epochs=0, ema_decay=0.5, ferplus_weight=0.5)
    fitted = fit(dataset, recipe, out, votes=votes, progress=False)
    write_model_folder(fitted, recipe, dataset, out, "two-headed", votes=votes)
    return out


@pytest.fixture(scope="session")
def combined_model(tiny_model: Path, two_headed_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ensemble of the two; the first member has no FER+ head. For reading only."""
    from fervid.train.export.combine import combine_models

    out = tmp_path_factory.mktemp("models") / "combined"
    dataset = draw_dataset()
    combine_models([tiny_model, two_headed_model], dataset, out, "combined", votes=draw_votes(dataset))
    return out


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
