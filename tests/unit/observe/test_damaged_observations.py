"""No bit of a file of observations makes other rows: it is observed again instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fervid.base.types import FACE_QUALITY, Detections, FaceScores
from fervid.errors import InputError
from fervid.observe.observations import (
    THUMBNAIL_PX,
    is_observed,
    read_observations,
    read_thumbnails,
    write_observations,
)
from fervid.video.ledger import Ledger


def scores(number: int) -> FaceScores:
    rng = np.random.default_rng(number)
    n = number % 3
    boxes = np.tile(np.array([1.0, 2.0, 30.0, 40.0], np.float32), (n, 1))
    landmarks = np.full((n, 5, 2), 9.0, np.float32)
    found = boxes, np.full(n, 0.9, np.float32), landmarks, np.zeros((n, 3), np.float32)
    detections = Detections(number, number, number / 5, False, *found)
    thumbnail = rng.integers(0, 255, (THUMBNAIL_PX[1], THUMBNAIL_PX[0]), np.uint8)
    face_quality = np.zeros((n, len(FACE_QUALITY)), np.float32)
    return FaceScores(
        detections, rng.normal(size=(n, 7)).astype(np.float32), np.ones(n, np.float32), thumbnail, face_quality
    )


def test_no_bit_makes_other_rows(tmp_path: Path) -> None:
    path = tmp_path / "00000.parquet"
    write_observations(path, (scores(i) for i in range(50)), Ledger(analysed=50), observe_key="key")
    assert is_observed(path, "key")
    assert not is_observed(path, "other")
    whole = path.read_bytes()
    rows, ledger, _ = read_observations(path)
    (thumbnails,) = read_thumbnails([path])
    rng = np.random.default_rng(20)
    n_noticed = 0
    for bit in rng.integers(0, len(whole) * 8, 300).tolist():
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        path.write_bytes(content)
        if not is_observed(path, "key"):
            n_noticed += 1
            continue
        found, same_ledger, _ = read_observations(path)
        assert (found, same_ledger) == (rows, ledger)
        assert next(read_thumbnails([path])) == thumbnails
    assert n_noticed > 200  # the rest is statistics, which nobody asks for


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table"])
def test_a_torn_file_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "00000.parquet"
    path.write_bytes(content)
    assert not is_observed(path, "key")
    with pytest.raises(InputError, match="is damaged"):
        read_observations(path)
