"""The model of agitated motion: features of a window of flow statistics, and a calibrated linear one over them.

"Agitated" is said of the image: much, fast and disorderly motion, as in a fight, but also in play, sport or a crowd.
Knows nothing of faces, frames or tables.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.assets import agitation_file
from fervid.errors import ModelError
from fervid.observe.flow_values import CAMERA, MOTION, N_VALUES, STATISTICS

SUMMARIES = ("mean", "spread", "peak")
FEATURES = tuple(f"{summary} {name}" for summary in SUMMARIES for name in MOTION)
"""What a window is described by: statistics over its frames, each on a scale of `log(1 + 10 x)`."""
CURVE = 10.0
FURTHEST = 4.0
"""Features count as at most so many scales away from their mean."""


# Decision MOT-8.
def window_features(rows: np.ndarray) -> np.ndarray:
    """The features (len(FEATURES),) of the flow statistics of the frames of a window, float (n, N_VALUES), n >= 2."""
    curved = np.log1p(CURVE * rows[:, len(CAMERA) : len(STATISTICS)].astype(np.float64))
    known = ~np.isnan(curved)
    count = np.maximum(known.sum(axis=0), 1)
    filled = np.where(known, curved, 0.0)
    mean = filled.sum(axis=0) / count
    spread = np.sqrt((np.where(known, curved - mean, 0.0) ** 2).sum(axis=0) / count)
    return np.concatenate([mean, spread, filled.max(axis=0)])


def standard(features: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Features (..., k) less their mean, over their scale, and limited: what a model's weights apply to."""
    return np.asarray(np.clip((features - mean) / scale, -FURTHEST, FURTHEST))


@dataclass(frozen=True, slots=True)
class AgitationModel:
    """A linear model over some of FEATURES, each less its `mean` and over its `scale`; made by a fit."""

    name: str
    window_seconds: float
    features: tuple[str, ...]
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float
    card: dict[str, Any]

    def score(self, features: np.ndarray) -> np.ndarray:
        """Calibrated agitation 0..1 (...) of windows' features (..., len(FEATURES))."""
        chosen = features[..., [FEATURES.index(name) for name in self.features]]
        logit = standard(chosen, self.mean, self.scale) @ self.weights + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(logit, -30, 30))))

    def to_json(self) -> str:
        """The content of its file."""
        content = {
            "name": self.name,
            "statistics": N_VALUES,
            "window_seconds": self.window_seconds,
            "bias": round(self.bias, 6),
            "features": {
                name: {"mean": round(mean, 6), "scale": round(scale, 6), "weight": round(weight, 6)}
                for name, mean, scale, weight in zip(
                    self.features, self.mean.tolist(), self.scale.tolist(), self.weights.tolist(), strict=True
                )
            },
            "card": self.card,
        }
        return json.dumps(content, indent=1) + "\n"


def load_agitation_model(name_or_path: str) -> AgitationModel:
    """A shipped model by its name, or one from a file. Raises ModelError for what is none."""
    path = agitation_file(name_or_path)
    return _parsed(path, path.read_bytes())


@cache
def _parsed(path: Path, content: bytes) -> AgitationModel:
    try:
        found = json.loads(content)
        features = found["features"]
        mean, scale, weights = (
            np.array([float(entry[key]) for entry in features.values()]) for key in ("mean", "scale", "weight")
        )
        model = AgitationModel(
            str(found["name"]),
            float(found["window_seconds"]),
            tuple(features),
            mean,
            scale,
            weights,
            float(found["bias"]),
            dict(found["card"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise _not_a_model(path, f"{type(problem).__name__}: {problem}") from None
    if unknown := sorted(set(model.features) - set(FEATURES)):
        raise _not_a_model(path, f"unknown feature {unknown[0]!r}")
    if found.get("statistics") != N_VALUES:
        raise _not_a_model(path, f"statistics is {found.get('statistics')}, expected {N_VALUES}")
    numbers = np.concatenate([mean, scale, weights, [model.bias, model.window_seconds]])
    if not np.isfinite(numbers).all() or (model.scale <= 0).any() or model.window_seconds <= 0:
        raise _not_a_model(path, "a number is not finite, or a scale or the window is not above 0")
    return model


def _not_a_model(path: Path, fault: str) -> ModelError:
    return ModelError(f"{path} is not a model of agitation ({fault}). Make one with `fervid motion fit`.")
