"""Frames are read once and wait until what lies ahead is searched; too many are read again, and look the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from fervid.privacy import reading
from fervid.privacy.covers import BRIDGED_SECONDS, FaceCovers
from fervid.privacy.mosaic import CoveredArea, cover
from fervid.privacy.reading import AROUND_SECONDS, covered_frames
from fervid.privacy.search import CoverSearch
from fervid.video.writer import RgbFrame
from synthetic import moving_face

START, END = 1.0, 4.6
STILL = np.random.default_rng(1).integers(60, 180, 4096).astype(np.uint8)


@dataclass
class Drawn:
    """A drawn face that moves, and is hidden for longer than covers are held."""

    seconds: float
    pixel_aspect: Fraction = Fraction(1)
    n_bytes: int = 1000

    def gray(self) -> np.ndarray:
        image = moving_face(self.seconds / 2)
        if 2.0 < self.seconds < 3.2:
            image = np.full_like(image, int(np.median(image)))
        return np.hstack([image, np.resize(STILL, (image.shape[0], 3 * image.shape[1]))])  # so that it is no new shot

    def rgb(self) -> RgbFrame:
        return RgbFrame(self.seconds, np.repeat(self.gray()[..., None], 3, axis=2), self.pixel_aspect)


class Video:
    """Gives drawn frames and notes which spans were asked for, and how far it was read."""

    def __init__(self) -> None:
        self.spans: list[tuple[float, float]] = []
        self.reached = 0.0

    def read(self, first: float, last: float) -> Iterator[Any]:
        self.spans.append((first, last))
        for number in range(60):
            if first <= (seconds := number / 10) < last:
                self.reached = seconds
                yield Drawn(seconds)


@pytest.fixture(scope="module")
def expected() -> list[tuple[float, np.ndarray]]:
    """What is shown when all is searched before the first frame is drawn."""
    video, covers = Video(), FaceCovers()
    search = CoverSearch(covers)
    for look in video.read(START - AROUND_SECONDS, END + AROUND_SECONDS):
        search.see(look.seconds, look.gray(), look.pixel_aspect)
    looks = list(video.read(START, END))
    assert any(len(covers.at(look.seconds)) for look in looks if 2.5 < look.seconds < 2.7)  # known from what follows
    return [(look.seconds, cover(look.rgb().rgb, covers.at(look.seconds))) for look in looks]


def check(frames: list[RgbFrame], expected: list[tuple[float, np.ndarray]]) -> None:
    assert [frame.seconds for frame in frames] == [seconds for seconds, _ in expected]
    for frame, (seconds, rgb) in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(frame.rgb, rgb, err_msg=str(seconds))


def test_one_reading_covers_as_if_all_had_been_searched_before(expected: list[tuple[float, np.ndarray]]) -> None:
    video, frames, ahead, area = Video(), [], [], CoveredArea()
    for frame in covered_frames(video.read, FaceCovers(), START, END, area):
        frames.append(frame)
        ahead.append(video.reached - frame.seconds)
    check(frames, expected)
    assert video.spans == [(START - AROUND_SECONDS, END + AROUND_SECONDS)]
    assert max(ahead) < BRIDGED_SECONDS + 0.11  # no more wait than need to
    assert 0 < area.share < 0.5


def test_what_is_too_large_to_wait_is_read_twice_and_looks_the_same(
    expected: list[tuple[float, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LARGEST_WAITING_BYTES", 15_000)
    video = Video()
    check(list(covered_frames(video.read, FaceCovers(), START, END)), expected)
    assert video.spans == [(START - AROUND_SECONDS, END + AROUND_SECONDS), (START, END)]
