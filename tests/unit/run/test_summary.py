"""What a summary says of the pace: which share of the time each stage was at work, and which one is the bottleneck."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fervid.cli.summary import describe
from fervid.run.summary import results_in_numbers, summarise


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


def test_the_most_agitated_moments_are_told_apart_from_each_other() -> None:
    n = 60
    agitation = np.full(n, 0.2)
    agitation[[10, 12, 40, 55]] = 0.9, 0.8, 0.7, np.nan
    timeline = pa.table({"start_s": np.arange(n, dtype=float), "observed_s": np.ones(n), "coverage": np.zeros(n)}
        | {"mean_faces": np.zeros(n), "agitation": agitation, "camera_moves": np.arange(n) < 6})  # fmt: skip
    timeline = timeline.set_column(5, "camera_moves", timeline["camera_moves"].cast(pa.float32()))
    faces = pa.table({"abstain": pa.array([], pa.string()), "s_angry": pa.array([], pa.float32())})
    found = results_in_numbers(timeline, faces, faces, ["angry"])["motion"]
    assert [(peak["time_s"], peak["value"]) for peak in found["peaks"]] == [(10, 0.9), (40, 0.7), (0, 0.2)]
    assert found["moving_camera_share"] == pytest.approx(0.1)
    assert found["known_share"] == pytest.approx(59 / 60)
    summary = summarise(manifest({}), Path("run"), was_there=False) | {"motion": found}
    (line,) = [line for line in describe(summary, fitness="faces: not fit").splitlines() if line[2:8] == "motion"]
    assert line.endswith("00:00:10.0 (0.90), 00:00:40.0 (0.70), 00:00:00.0 (0.20); the camera moves in 10% of the time")
    assert "  for alerts    faces: not fit" in describe(summary, fitness="faces: not fit")
    assert "motion" not in results_in_numbers(timeline.drop_columns(["agitation"]), faces, faces, ["angry"])
