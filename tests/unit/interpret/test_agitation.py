"""Agitation: one judgement for files and live views, no value without evidence, and models that are checked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_one_judgement import made_up_model, seen

from fervid.base.assets import agitation_file
from fervid.base.types import FaceScores
from fervid.config import OBSERVE_SECTIONS, Settings, load_settings
from fervid.errors import ModelError
from fervid.interpret.agitation import LEAST_HISTORY_SECONDS, MotionJudge, Usual
from fervid.interpret.agitation_model import FEATURES, load_agitation_model, window_features
from fervid.interpret.causal import LiveMotion
from fervid.interpret.whole import interpret
from fervid.observe.flow_values import N_VALUES, STATISTICS
from fervid.observe.observations import SCHEMA, WITH_FLOW, _table
from fervid.run.schema import FRAME_MOTION, TIMELINE_MOTION

MEASURED = load_settings(assignments=["motion.measure=true"], environment={})
UNMEASURED = load_settings(environment={})


def flow(rng: np.random.Generator, level: float, *, camera: float = 0.0) -> np.ndarray:
    """Statistics of a frame as strong as `level`."""
    row = rng.uniform(0, level, N_VALUES)
    row[[STATISTICS.index("camera_speed"), STATISTICS.index("camera_share")]] = camera, 1.0
    return row.astype(np.float16)


def frames(n: int, *, fps: float = 5.0, camera: float = 0.0, every: int = 1) -> list[FaceScores]:
    rng = np.random.default_rng(2)
    found = seen(np.arange(n) / fps, seed=1)
    levels = 0.05 + 0.4 * (np.sin(np.arange(n) / 40) > 0.5)
    return [
        replace(one, flow=flow(rng, levels[i], camera=camera) if i and not i % every else one.flow)
        for i, one in enumerate(found)
    ]


def made(found: list[FaceScores], settings: Settings) -> dict[str, list[object]]:
    last = found[-1].detections.pts_seconds
    schema = WITH_FLOW if settings.motion.measure else SCHEMA
    tables = interpret(_table(found, schema), settings, made_up_model(), video_id="v", duration_seconds=last + 0.2)
    return {"frames": tables.frames, "timeline": tables.timeline}  # type: ignore[dict-item]


def test_files_and_live_judge_alike() -> None:
    found = frames(200, every=2, fps=10.0)
    stored = made(found, MEASURED)["frames"]
    live = LiveMotion(MEASURED)
    shown = [live.update(one) for one in found]
    for name in ("agitation", "camera_moves", "speed"):
        expected = stored[name].to_pylist()  # type: ignore[call-overload]
        own = [getattr(one, name) for one in shown]
        own = [None if value is None or np.isnan(value) else np.float32(value) for value in own]
        assert own == expected, name
    assert sum(one.agitation == one.agitation for one in shown) > 190


def test_a_moving_camera_is_said_and_judges_nothing() -> None:
    stored = made(frames(60, camera=0.2), MEASURED)
    assert set(stored["frames"]["camera_moves"].to_pylist()[5:]) == {True}  # type: ignore[call-overload]
    assert stored["frames"]["agitation"].null_count == 60  # type: ignore[call-overload]
    assert stored["timeline"]["agitation"].null_count == len(stored["timeline"])  # type: ignore[call-overload]


def test_off_the_tables_have_no_such_columns() -> None:
    found = frames(30)
    plain, measured = made(found, UNMEASURED), made(found, MEASURED)
    own = {name for name, _ in FRAME_MOTION}
    assert measured["frames"].drop_columns(sorted(own)).equals(plain["frames"])  # type: ignore[attr-defined]
    assert measured["timeline"].drop_columns(list(TIMELINE_MOTION)).equals(plain["timeline"])  # type: ignore[attr-defined]


def test_a_bin_has_the_highest_agitation_of_its_frames() -> None:
    stored = made(frames(100), MEASURED)
    rows = stored["frames"].to_pylist()  # type: ignore[attr-defined]
    for one in stored["timeline"].to_pylist():  # type: ignore[attr-defined]
        own = [
            row["agitation"]
            for row in rows
            if one["start_s"] <= row["time_s"] < one["end_s"] and row["agitation"] is not None
        ]
        assert one["agitation"] == (max(own) if own else None)


def test_nothing_is_said_before_a_few_frames_or_across_a_cut() -> None:
    judge, rng = MotionJudge(load_agitation_model("surveillance")), np.random.default_rng(0)
    said = [judge.update(flow(rng, 0.3), i / 5, is_cut=i == 6).agitation for i in range(12)]
    assert [bool(np.isnan(value)) for value in said] == [True, True, *[False] * 4, *[True] * 3, *[False] * 3]
    assert np.isnan(judge.update(flow(rng, 0.3), 60.0).agitation)  # the window before is long gone


def test_usual_is_a_quantile_by_time() -> None:
    usual, rng = Usual(), np.random.default_rng(0)
    values = rng.uniform(0, 1, 4000)
    usual.add(values, np.full(4000, LEAST_HISTORY_SECONDS / 4001))
    assert np.isnan(usual.rank(values)).all()
    usual.add(np.array([0.5, np.nan]), np.array([1.0, 1000.0]))
    assert usual.rank(np.array([0.1, 0.9, np.nan])) == pytest.approx([0.1, 0.9, np.nan], abs=0.03, nan_ok=True)


def test_the_hash_changes_with_motion_alone() -> None:
    def hashes(*assignments: str) -> tuple[str, str]:
        settings = load_settings(assignments=list(assignments), environment={})
        return settings.hash(model_sha256="a"), settings.hash(model_sha256="a", sections=OBSERVE_SECTIONS)

    plain, measured = hashes(), hashes("motion.measure=true")
    assert plain[0] != measured[0]
    assert plain[1] != measured[1]
    assert hashes("motion.model=none") == plain  # nothing reads it


def test_another_model_decodes_nothing_again(tmp_path: Path) -> None:
    content = json.loads(agitation_file("surveillance").read_text())
    content["bias"] += 1
    own = tmp_path / "own.json"
    own.write_text(json.dumps(content))
    one, other = (
        load_settings(assignments=["motion.measure=true", f"motion.model={name}"], environment={})
        for name in ("surveillance", own.as_posix())
    )
    assert one.hash(model_sha256="a") != other.hash(model_sha256="a")
    assert one.hash(model_sha256="a", sections=OBSERVE_SECTIONS) == other.hash(
        model_sha256="a", sections=OBSERVE_SECTIONS
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.pop("features"),
        lambda content: content["features"].update({"temper": {"mean": 0, "scale": 1, "weight": 1}}),
        lambda content: content.update(bias="much"),
        lambda content: content.update(statistics=3),
        lambda content: content["features"][next(iter(content["features"]))].update(scale=0),
        lambda content: content.update(window_seconds=float("nan")),
    ],
)
def test_what_is_no_model_is_refused(change: object, tmp_path: Path) -> None:
    content = json.loads(agitation_file("surveillance").read_text())
    change(content)  # type: ignore[operator]
    path = tmp_path / "model.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ModelError, match=r"model\.json is not a model of agitation"):
        load_agitation_model(str(path))
    with pytest.raises(ModelError, match="surveillance"):
        load_agitation_model("no such model")


def test_a_model_comes_back_from_its_file(tmp_path: Path) -> None:
    model = load_agitation_model("surveillance")
    path = tmp_path / "own.json"
    path.write_text(model.to_json())
    again = load_agitation_model(str(path))
    features = window_features(np.random.default_rng(0).uniform(0, 1, (9, N_VALUES)))
    assert len(features) == len(FEATURES)
    assert np.isfinite(features).all()
    assert float(again.score(features)) == pytest.approx(float(model.score(features)), abs=1e-5)
