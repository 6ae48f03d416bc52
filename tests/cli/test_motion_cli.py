"""`fervid motion fit` from labelled runs to a model that an analysis accepts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from alert_runs import make_run
from fervid.base.types import Detections, FaceScores
from fervid.config import load_settings
from fervid.interpret.agitation_model import load_agitation_model
from fervid.observe.flow_values import N_VALUES, STATISTICS
from fervid.observe.observations import write_observations
from fervid.video.ledger import Ledger
from runner import run_fervid
from synthetic import without_landmarks

N_FRAMES, FPS = 40, 5


def analysed(out: Path, name: str, *, level: float, seed: int) -> None:
    """Eight seconds of a camera whose motion is that strong."""
    run = make_run(out / name, [], np.arange(N_FRAMES) / FPS, video=f"/cams/{name}.mp4", motion={})
    rng, nothing = np.random.default_rng(seed), np.zeros(0, np.float32)
    rows = rng.gamma(2, level / 2, (N_FRAMES, N_VALUES)).astype(np.float16)
    rows[:, STATISTICS.index("camera_speed")] = 0
    frames = [
        FaceScores(
            Detections(i, i, i / FPS, False, nothing.reshape(0, 4), nothing, *without_landmarks(0)),
            np.zeros((0, 3), np.float32),
            nothing,
            np.zeros((18, 32), np.uint8),
            np.zeros((0, 5), np.float32),
            rows[i] if i else rows[0, :0],
        )
        for i in range(N_FRAMES)
    ]
    path = Path(str(run.folder)) / "observations" / "00000.parquet"
    path.parent.mkdir()
    write_observations(path, iter(frames), Ledger(analysed=N_FRAMES), observe_key="o", has_flow=True)


def test_labelled_runs_become_a_model(tmp_path: Path) -> None:
    rows = ["file,label,camera"]
    for i in range(5):
        for kind, level in (("agitated", 0.3), ("none", 0.1)):
            analysed(tmp_path / "runs", f"{kind}{i}", level=level, seed=2 * i + (kind == "none"))
            rows.append(f"{kind}{i}.mp4,{kind},cam{i}")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    done = run_fervid("motion", "fit", "labels.csv", "runs", "-o", "mine.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "80 windows, 40 agitated" in done.stdout
    model = load_agitation_model(str(tmp_path / "mine.json"))
    assert model.card["recordings"] == 5
    assert model.window_seconds == load_agitation_model("surveillance").window_seconds
    assert json.loads((tmp_path / "mine.json").read_text())["card"]["merits"]["auc"][0] > 0.9
    chosen = f"motion.model={(tmp_path / 'mine.json').as_posix()}"
    settings = load_settings(assignments=["motion.measure=true", chosen], environment={})
    assert settings.hash(model_sha256="a")
    (tmp_path / "few.csv").write_text("\n".join(rows[:3]) + "\n")
    refused = run_fervid("motion", "fit", "few.csv", "runs", "-o", "few.json", cwd=tmp_path)
    assert refused.returncode == 3
    assert "are too few to fit" in refused.stderr
    assert not (tmp_path / "few.json").exists()
