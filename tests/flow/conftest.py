"""Fixtures that tests of live sessions share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes import fakes_in_the_tables
from synthetic import constant_rate, moving_face, write_video

LIVE_CLIP_SECONDS = 2.0


@pytest.fixture(scope="session")
def live_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A portrait that moves, at an even rate. For reading only."""
    return write_video(tmp_path_factory.mktemp("live") / "clip.mp4", constant_rate(LIVE_CLIP_SECONDS), moving_face)


@pytest.fixture
def fake_faces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The fakes are the detector and the classifier."""
    with fakes_in_the_tables(monkeypatch):
        yield
