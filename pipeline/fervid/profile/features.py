"""A profile as named figures, for genre tags and for tables. Knows nothing of genres.

Figures are sums over the twenty parts of the arc, so that resampling the parts shows how much a figure varies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fervid.profile.profile import N_BINS, NEUTRAL, Profile

SECONDS_PER_MINUTE = 60.0
USUAL_LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Labels that weights may use with any model."""
N_DRAWS = 400
SEED = 7


@dataclass(frozen=True, slots=True)
class Feature:
    """What a figure means, and the evidence it needs: "faces", "cuts", "picture", or "video" (any analysed frame)."""

    words: str
    needs: str
    is_share: bool = False
    digits: int = 0
    """Decimals of the percentage."""

    def in_words(self, value: float) -> str:
        """The value as text."""
        return f"{value:.{self.digits}%} {self.words}" if self.is_share else f"{value:.3g} {self.words}"


# Decision PRO-4.
_FIXED = {
    "intensity": Feature("distance of expressions from neutral", "faces", True),
    "transitions_per_minute": Feature("changes of expression per minute of a face", "faces"),
    "mixed_share": Feature("of face time with different expressions at once", "faces", True),
    "face_share": Feature("of the time with a usable face", "video", True),
    "mean_faces": Feature("usable faces at a time", "video"),
    "cuts_per_minute": Feature("cuts per minute", "cuts"),
    "brightness": Feature("mean brightness", "picture", True),
    "dark_share": Feature("of the time dark", "picture", True),
    "motion": Feature("change of the image over 0.2 s", "picture", True, 1),
}


def feature_table(labels: tuple[str, ...]) -> dict[str, Feature]:
    """Every figure for a model with these labels, in a fixed order."""
    shares = {f"share_{label}": Feature(f"of face time labelled {label}", "faces", True) for label in labels}
    return shares | _FIXED


def profile_features(profile: Profile) -> dict[str, float]:
    """Every figure of a profile; NaN where it has no evidence."""
    return {name: float(values[0]) for name, values in _figures(profile, np.ones((1, N_BINS))).items()}


def redrawn_features(profile: Profile) -> dict[str, np.ndarray]:
    """Each figure (N_DRAWS,) of resampled videos: parts of this one, drawn with replacement.

    A bootstrap (Efron, 1979) over the twenty parts: it shows how much depends on single moments, not whether the
    scores themselves are correct.
    """
    drawn = np.random.default_rng(SEED).multinomial(N_BINS, np.full(N_BINS, 1 / N_BINS), size=N_DRAWS)
    return _figures(profile, drawn.astype(float))


def _figures(profile: Profile, parts: np.ndarray) -> dict[str, np.ndarray]:
    """Figures of videos with each part of the arc repeated this often: `parts` (R, 20)."""
    arc = profile.arc
    observed = parts @ arc.observed_s
    face_s = parts @ arc.face_s
    covered = parts @ (np.nan_to_num(arc.coverage) * arc.observed_s)
    label_s = parts @ (np.nan_to_num(arc.share) * arc.face_s[:, None])
    has_image = ~np.isnan(arc.brightness)
    image_s = parts @ np.where(has_image, arc.observed_s, 0.0)
    motion_s = parts @ arc.motion_s
    figures = {f"share_{label}": _over(label_s[:, i], face_s) for i, label in enumerate(profile.labels)}
    intensity = parts @ (np.nan_to_num(arc.intensity) * arc.face_s)
    return figures | {
        "intensity": _over(intensity, face_s) if NEUTRAL in profile.labels else np.full(len(parts), np.nan),
        "transitions_per_minute": _over(SECONDS_PER_MINUTE * (parts @ arc.transitions), face_s),
        "mixed_share": _over(parts @ arc.mixed_s, covered),
        "face_share": _over(covered, observed),
        "mean_faces": _over(face_s, observed),
        "cuts_per_minute": _over(SECONDS_PER_MINUTE * (parts @ arc.cuts), observed),
        "brightness": _over(parts @ (np.nan_to_num(arc.brightness) * arc.observed_s), image_s),
        "dark_share": _over(parts @ (np.nan_to_num(arc.dark_share) * arc.observed_s), image_s),
        "motion": _over(parts @ (np.nan_to_num(arc.motion) * arc.motion_s), motion_s),
    }


def feature_coverage(profile: Profile) -> Mapping[str, float]:
    """Share of the span that each kind of evidence covers, by what a feature needs."""
    coverage = profile.coverage
    seen = coverage.observed_share
    return {
        "video": seen,
        "faces": coverage.face_share * seen,
        "cuts": seen if profile.shots is not None else 0.0,
        "picture": profile.picture.coverage * seen,
    }


def _over(sums: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(sums, weights, out=np.full(len(sums), np.nan), where=weights > 0))
