"""Real footage, found through the environment variable FERVID_TEST_DATA; its absence is printed as a skip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import fervid


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder that holds `videos/` and `fer2013/`."""
    value = os.environ.get("FERVID_TEST_DATA")
    if not value:
        pytest.skip("FERVID_TEST_DATA is not set: no real footage")
    return Path(value)


@pytest.fixture(scope="session")
def analysed(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., fervid.Run]:
    """Analyse a clip of the footage, once a session for each set of settings."""
    out = tmp_path_factory.mktemp("footage")

    def run(name: str, *assignments: str, preset: str = "default") -> fervid.Run:
        settings = fervid.load_settings(preset=preset, assignments=assignments, environment={})
        return fervid.analyze(
            test_data / "videos" / name,
            out=out / preset / str(abs(hash(assignments))),
            settings=settings,
            device="cpu",
            plot=False,
        )

    return run
