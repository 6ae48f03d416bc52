"""Similarity of two profiles, part by part, and the nearest of many. Knows nothing of genres or files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fervid.profile.features import USUAL_LABELS, profile_features
from fervid.profile.profile import Profile

PARTS = {
    "expressions": 3.0,
    "arc of expressions": 2.0,
    "faces on screen": 2.0,
    "cutting": 1.5,
    "brightness": 1.5,
    "motion": 1.0,
}
"""Parts of a profile, each with its weight in a comparison."""
LEAST_FACE_SECONDS = 0.5
"""Below this a profile has no evidence about expressions."""
HALF_FACES, HALF_CUTS_PER_MINUTE, HALF_MOTION = 1.0, 15.0, 0.03
"""Midpoints of the scales of faces, cutting and motion."""
KERNEL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
"""Curves are smoothed before comparison, so that a moment in a neighbouring bin matters little."""
CLOSE = 0.95
"""Cosine from which a part counts as close."""
SECONDS_PER_MINUTE = 60.0

Vector = Mapping[str, np.ndarray]
"""The parts that a profile has evidence for, each of length 1: vectors, and for the arc one row per bin (B, K)."""


@dataclass(frozen=True, slots=True)
class Match:
    """Similarity of two profiles: the cosine, 0..1, and that of each part that either has evidence for.

    A part that only one of them has evidence for counts as 0.
    """

    name: str
    video_id: str
    cosine: float
    parts: dict[str, float]

    def reason(self) -> str:
        """Which parts are close and which are not, as text."""
        ranked = sorted(self.parts.items(), key=lambda item: -item[1])
        close = ", ".join(f"{name} {value:.2f}" for name, value in ranked if value >= CLOSE)
        apart = ", ".join(f"{name} {value:.2f}" for name, value in reversed(ranked) if value < CLOSE)
        return "; ".join(words for words in (close and f"close: {close}", apart and f"apart: {apart}") if words)


# Decision PRO-2.
def profile_vector(profile: Profile) -> Vector:
    """The parts of a profile as vectors of length 1.

    Distributions of expressions enter as square roots, so that their cosine is the affinity of Bhattacharyya (1943).
    A figure x in 0..1 becomes the point (cos, sin) of x quarter turns: the cosine of two such points falls with their
    distance, whatever their size.
    """
    arc = profile.arc
    observed = np.maximum(arc.observed_s, 1e-9)
    vector: dict[str, np.ndarray] = {}
    if profile.coverage.observed_s == 0:
        return vector
    if profile.coverage.face_s >= LEAST_FACE_SECONDS:
        score_s = np.nan_to_num(arc.mean) * arc.face_s[:, None]
        vector["expressions"] = _unit(np.sqrt(score_s.sum(axis=0)))
        smoothed = _smooth(score_s / observed[:, None])
        vector["arc of expressions"] = _unit(np.sqrt(smoothed)).reshape(score_s.shape)
    vector["faces on screen"] = _on_circle(_smooth(_squash(arc.face_s / observed, HALF_FACES)))
    if profile.shots is not None:
        rate = np.nan_to_num(arc.cuts).sum() * SECONDS_PER_MINUTE / profile.coverage.observed_s
        # The position of cuts counts by halves of the video only: in a short clip one cut fills a bin.
        vector["cutting"] = _on_circle(_squash(np.array([rate]), HALF_CUTS_PER_MINUTE))
    if profile.picture.brightness is not None:
        vector["brightness"] = _on_circle(_smooth(np.nan_to_num(arc.brightness)))
        vector["motion"] = _on_circle(_smooth(_squash(np.nan_to_num(arc.motion), HALF_MOTION)))
    return vector


def compare(one: Vector, other: Vector) -> tuple[float, dict[str, float]]:
    """The cosine of two profiles as a whole, and of each part.

    Over the parts that either has evidence for: a part that only one has counts as orthogonal, so that a video
    without faces is not nearer to one with faces than another expression is.
    """
    parts = {
        name: _cosine(one[name], other[name]) if name in one and name in other else 0.0
        for name in PARTS
        if name in one or name in other
    }
    if not parts:
        return 0.0, parts
    dot = sum(PARTS[name] * value for name, value in parts.items())
    return min(1.0, dot / sum(PARTS[name] for name in parts)), parts


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    """The cosine of two parts; of arcs over the bins in which both have faces; face coverage is a part of its own."""
    dot = float(np.vdot(one, other))
    if one.ndim == 1 or one.shape != other.shape:
        return dot
    shared = float(np.vdot(np.linalg.norm(one, axis=1), np.linalg.norm(other, axis=1)))
    return dot / shared if shared > 0 else 0.0


def rank_like(wanted: Profile, others: Sequence[Profile]) -> tuple[Match, ...]:
    """The other profiles, the most similar first."""
    vector = profile_vector(wanted)
    found = []
    for other in others:
        cosine, parts = compare(vector, profile_vector(other))
        found.append(Match(other.source.name, other.source.video_id, cosine, parts))
    return tuple(sorted(found, key=lambda match: -match.cosine))


def similarity_matrix(profiles: Sequence[Profile]) -> np.ndarray:
    """The cosine of every pair: float64 (N, N)."""
    dot = np.zeros((len(profiles), len(profiles)))
    length = np.zeros(dot.shape)
    vectors = [profile_vector(profile) for profile in profiles]
    for name, weight in PARTS.items():
        sizes = {vector[name].size for vector in vectors if name in vector}
        if len(sizes) > 1:  # models with other labels cannot be compared
            return np.array([[compare(one, other)[0] for other in vectors] for one in vectors])
        like = next((vector[name] for vector in vectors if name in vector), np.zeros(1))
        rows = np.stack([vector.get(name, np.zeros_like(like)) for vector in vectors])
        products = rows.reshape(len(rows), -1) @ rows.reshape(len(rows), -1).T
        if like.ndim > 1:
            norms = np.linalg.norm(rows, axis=2)
            shared = norms @ norms.T
            products = np.divide(products, shared, out=np.zeros_like(products), where=shared > 0)
        dot += weight * products
        is_there = np.array([name in vector for vector in vectors], bool)
        length += weight * np.logical_or.outer(is_there, is_there)
    return np.clip(np.divide(dot, length, out=np.zeros_like(dot), where=length > 0), 0.0, 1.0)


def in_a_row(matrix: np.ndarray) -> list[int]:
    """An order of the videos of a similarity matrix (N, N) in which similar ones are neighbours.

    A greedy chain: starts at the most dissimilar video and always continues with the most similar remaining one.
    """
    left = set(range(len(matrix)))
    order = [int(matrix.sum(axis=1).argmin())] if left else []
    left -= set(order)
    while left:
        order.append(max(sorted(left), key=lambda other: matrix[order[-1], other]))
        left.remove(order[-1])
    return order


AXIS_WORDS = {f"share_{label}": label for label in USUAL_LABELS} | {
    "face_share": "time with a face",
    "mean_faces": "faces at a time",
    "cuts_per_minute": "cuts",
    "brightness": "light",
    "motion": "motion",
}
"""The figures that may name an axis of the map."""
LEAST_CORRELATION, LEAST_CORRELATED = 0.6, 3
"""Size of a correlation that is named, and number of videos from which one is computed."""


def place_on_map(profiles: Sequence[Profile]) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates (N, 2) of profiles on a map and the share of variance of both axes (2,).

    Principal components of the weighted vectors, parts without evidence at the mean of the others.
    """
    vectors = [profile_vector(profile) for profile in profiles]
    columns = []
    for name, weight in PARTS.items():
        there = [vector[name] for vector in vectors if name in vector]
        if there and len({part.size for part in there}) == 1:
            mean = np.mean(there, axis=0)
            rows = np.stack([vector.get(name, mean) - mean for vector in vectors])
            columns.append(np.sqrt(weight) * rows.reshape(len(rows), -1))
    if len(profiles) < 2 or not columns:
        return np.zeros((len(profiles), 2)), np.zeros(2)
    table = np.concatenate(columns, axis=1)
    u, s, _ = np.linalg.svd(table - table.mean(axis=0), full_matrices=False)
    total = float((s**2).sum())
    places = np.zeros((len(profiles), 2))
    kept = min(2, len(s))
    places[:, :kept] = (u * s)[:, :kept]
    shares = np.zeros(2)
    if total > 0:
        shares[:kept] = s[:kept] ** 2 / total
    return places, shares


def meanings_of_axes(profiles: Sequence[Profile], places: np.ndarray) -> tuple[str, str]:
    """For each axis of `places` (N, 2) the figures that grow along it, in words; empty where none does.

    Figures are named whose correlation with the axis (Pearson's) is at least LEAST_CORRELATION in size, at most two.
    """
    if len(profiles) < LEAST_CORRELATED:
        return "", ""
    found = [profile_features(profile) for profile in profiles]
    first, second = (_meaning(found, axis) for axis in places.T)
    return first, second


def _meaning(found: Sequence[Mapping[str, float]], axis: np.ndarray) -> str:
    ranked = []
    for name, words in AXIS_WORDS.items():
        values = np.array([row.get(name, np.nan) for row in found])
        has = ~np.isnan(values)
        if has.sum() < LEAST_CORRELATED or not values[has].std() or not axis[has].std():
            continue
        r = float(np.corrcoef(values[has], axis[has])[0, 1])
        if abs(r) >= LEAST_CORRELATION:
            ranked.append((abs(r), f"{'more' if r > 0 else 'less'} {words}"))
    return ", ".join(words for _, words in sorted(ranked, reverse=True)[:2])


def _smooth(curve: np.ndarray) -> np.ndarray:
    """Along the first axis, the ends repeated; flat (B x K,) where there are columns."""
    margin = len(KERNEL) // 2
    padded = np.concatenate([np.repeat(curve[:1], margin, axis=0), curve, np.repeat(curve[-1:], margin, axis=0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, len(KERNEL), axis=0)
    return np.asarray(windows @ KERNEL).ravel()


def _squash(values: np.ndarray, half: float) -> np.ndarray:
    return values / (values + half)


def _on_circle(values: np.ndarray) -> np.ndarray:
    angle = np.clip(values, 0, 1) * np.pi / 2
    return _unit(np.concatenate([np.cos(angle), np.sin(angle)]))


def _unit(values: np.ndarray) -> np.ndarray:
    return np.asarray(values.ravel() / max(float(np.linalg.norm(values)), 1e-12))
