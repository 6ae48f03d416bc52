"""What a summary says of the pace: which share of the time each stage was at work, and which one is the bottleneck."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fervid.cli.summary import describe
from fervid.run.summary import summarise


def manifest(stage_seconds: dict[str, float]) -> dict[str, Any]:
    return {
        "ledger": {"frames": 50, "decoded": 20, "analysed": 10, "failed": 0},
        "video": {"duration_seconds": 2.0},
        "video_path": "/videos/clip.mp4",
        "status": "complete",
        "results": {"faces": 0, "tracks": 0, "coverage": 0.0, "shares": {}, "dominant": None, "peak_anger": None},
        "elapsed_seconds": 1.0,
        "warnings": [],
        "outputs": {},
        "stage_seconds": stage_seconds,
    }


@pytest.mark.parametrize(
    ("seconds", "shares", "bottleneck"),
    [
        ({}, {}, None),
        ({"interpret": 0.1, "write": 0.2}, {}, None),
        ({"decode": 3.0, "detect": 1.0, "observe": 4.0}, {"decode": 0.75, "detect": 0.25}, "decode"),
        (
            {"decode": 1.0, "classify": 3.9, "observe": 4.0, "write": 9.0},
            {"decode": 0.25, "classify": 0.975},
            "classify",
        ),
        ({"decode": 4.1, "observe": 4.0}, {"decode": 1.0}, "decode"),
    ],
)
def test_the_busiest_stage_is_named_with_the_shares_of_all(
    seconds: dict[str, float], shares: dict[str, float], bottleneck: str | None
) -> None:
    summary = summarise(manifest(seconds), Path("run"), was_there=False)
    assert summary["busy_shares"] == pytest.approx(shares)
    assert summary["bottleneck"] == bottleneck
    lines = [line for line in describe(summary).splitlines() if line.startswith("  busy ")]
    assert len(lines) == (bottleneck is not None)
    assert all(f"{bottleneck} is the bottleneck" in line for line in lines)
