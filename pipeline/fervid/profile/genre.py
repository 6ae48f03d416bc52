"""Genre tags that a profile supports, by hand-written or learned weights: both are a logistic sum of figures.

Tags are suggestions, each with its reasons; none is "the genre". Expressions on screen are weak evidence of one.
"""

from __future__ import annotations

import difflib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fervid.base import assets
from fervid.base.toml import parse_toml, read_settings_file
from fervid.errors import ConfigError
from fervid.profile.features import (
    USUAL_LABELS,
    Feature,
    feature_coverage,
    feature_table,
    profile_features,
    redrawn_features,
)
from fervid.profile.profile import Profile

INSUFFICIENT = "insufficient evidence"
SUGGESTED, POSSIBLE, NOT_SUPPORTED = "suggested", "possible", "not supported"
CLIP = 2.0
"""No figure counts for more than twice its scale, so that a single extreme value does not decide."""
SUGGEST_FROM = 0.5
INTERVAL_PERCENT = (5, 95)
LEAST_EVIDENCE_SHARE = 0.6
"""Share of a tag's weights whose figures must have been measured."""
REFERENCE = (
    "For context: a published model that used frames, synopses and subtitles reaches F 0.63 and an area under the "
    "precision-recall curve of 0.67 over 18 genres (arXiv 2006.00654); faces alone should do worse."
)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Weight(_Section):
    """One figure's part in a tag: `weight` x (value - centre) / scale, clipped to -2..2."""

    feature: str
    weight: float
    centre: float
    scale: float = Field(gt=0)
    reason: str = ""


class Tag(_Section):
    """A tag: the logistic function of `bias` plus its weights."""

    about: str = ""
    bias: float
    weights: tuple[Weight, ...] = Field(min_length=1)


class Evidence(_Section):
    """Below any of these limits tags are not scored."""

    min_observed_seconds: float = Field(ge=0)
    min_face_seconds: float = Field(ge=0)
    min_face_share: float = Field(ge=0, le=1)


# Decision PRO-3.
class Genres(_Section):
    """A set of tags. `learned` has the cross-validation results of a fitted set, by tag; empty for a hand-made one."""

    schema_version: int = Field(ge=1, le=1)
    evidence: Evidence
    tags: dict[str, Tag] = Field(min_length=1)
    learned: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Reason:
    """What one figure added to a tag's sum (`contribution`, in logits), and the share of time it was measured in."""

    feature: str
    value: float
    words: str
    reason: str
    contribution: float
    coverage: float


@dataclass(frozen=True, slots=True)
class TagScore:
    """How far a profile supports a tag: `score` and its interval in 0..1, null where evidence is insufficient.

    `from_faces` is the share of all contributions, by size, from figures of faces.
    """

    tag: str
    status: str
    score: float | None
    interval: tuple[float, float] | None
    from_faces: float | None
    coverage: float
    reasons: tuple[Reason, ...]
    why_not: str = ""


def load_genres(path: Path | None = None) -> Genres:
    """A set of tags: the shipped one, or a TOML or JSON file. Raises ConfigError naming the invalid entry."""
    source = path or assets.configs_folder() / "genres" / "default.toml"
    content = read_settings_file(source, "genre file")
    try:
        genres = Genres.model_validate(json.loads(content) if source.suffix == ".json" else parse_toml(content, source))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as problem:
        raise ConfigError(f"{source} is not valid JSON ({problem}). Correct it and run again.") from None
    except ValidationError as problem:
        error = problem.errors()[0]
        where = ".".join(map(str, error["loc"]))
        raise ConfigError(f"{source}: {where} = {error['input']!r} is not valid: {error['msg']}.") from None
    return genres


def suggest_tags(profile: Profile, genres: Genres) -> tuple[TagScore, ...]:
    """Every tag of `genres` for a profile, best supported first. Raises ConfigError for an unknown figure."""
    # A label that the model lacks counts as a figure that was not measured; any other unknown name is a mistake.
    table = feature_table(tuple(dict.fromkeys((*profile.labels, *USUAL_LABELS))))
    values = dict.fromkeys(table, math.nan) | profile_features(profile)
    drawn = redrawn_features(profile)
    for tag, entry in genres.tags.items():
        for weight in entry.weights:
            if weight.feature not in table:
                near = difflib.get_close_matches(weight.feature, table, n=1)
                hint = f"Did you mean {near[0]!r}?" if near else f"Use one of {', '.join(table)}."
                raise ConfigError(f"tag {tag!r} uses {weight.feature!r}, which is not a figure of a profile. {hint}")
    lacking = missing_evidence(profile, genres.evidence)
    coverage = feature_coverage(profile)
    scores = [_score(tag, entry, table, values, drawn, coverage, lacking) for tag, entry in genres.tags.items()]
    return tuple(sorted(scores, key=lambda found: -1.0 if found.score is None else found.score, reverse=True))


def missing_evidence(profile: Profile, limits: Evidence) -> str:
    """Why a profile has too little evidence for any tag, as text; empty if it has enough."""
    coverage = profile.coverage
    lacking = []
    if coverage.observed_s < limits.min_observed_seconds:
        lacking.append(f"{coverage.observed_s:.1f} s of video, at least {limits.min_observed_seconds:g} s needed")
    if coverage.covered_s < limits.min_face_seconds or coverage.face_share < limits.min_face_share:
        lacking.append(
            f"a usable face in {coverage.covered_s:.1f} s ({coverage.face_share:.0%}) of {coverage.observed_s:.1f} s, "
            f"at least {limits.min_face_seconds:g} s and {limits.min_face_share:.0%} needed"
        )
    return "; ".join(lacking)


def _score(
    tag: str,
    entry: Tag,
    table: dict[str, Feature],
    values: dict[str, float],
    drawn: dict[str, np.ndarray],
    coverage: Any,
    lacking: str,
) -> TagScore:
    measured = [weight for weight in entry.weights if not math.isnan(values[weight.feature])]
    total = sum(abs(weight.weight) for weight in entry.weights)
    evidence = sum(abs(weight.weight) for weight in measured) / total if total else 1.0
    if not lacking and evidence < LEAST_EVIDENCE_SHARE:
        missing = ", ".join(w.feature for w in entry.weights if w not in measured)
        lacking = f"not measured: {missing}"
    covered = sum(abs(w.weight) * coverage[table[w.feature].needs] for w in entry.weights) / total if total else 0.0
    covered = min(1.0, covered)  # summing in another order may exceed 1 by rounding
    if lacking:
        return TagScore(tag, INSUFFICIENT, None, None, None, covered, (), lacking)
    logit = entry.bias + sum(float(_term(w, values[w.feature])) for w in measured)
    redrawn = entry.bias + sum(np.nan_to_num(_term(w, drawn[w.feature])) for w in measured)
    low, high = (float(x) for x in np.percentile(_logistic(redrawn), INTERVAL_PERCENT))
    score = float(_logistic(logit))
    low, high = min(low, score), max(high, score)
    reasons = [
        Reason(
            feature=w.feature,
            value=values[w.feature],
            words=table[w.feature].in_words(values[w.feature]),
            reason=w.reason,
            contribution=float(_term(w, values[w.feature])),
            coverage=coverage[table[w.feature].needs],
        )
        for w in measured
    ]
    sizes = dict.fromkeys(("faces", "video", "cuts", "picture"), 0.0)
    for reason in reasons:
        sizes[table[reason.feature].needs] += abs(reason.contribution)
    size = sum(sizes.values())
    status = NOT_SUPPORTED if high < SUGGEST_FROM else SUGGESTED if score >= SUGGEST_FROM else POSSIBLE
    return TagScore(
        tag=tag,
        status=status,
        score=score,
        interval=(low, high),
        from_faces=(sizes["faces"] + sizes["video"]) / size if size else None,
        coverage=covered,
        reasons=tuple(sorted(reasons, key=lambda reason: -abs(reason.contribution))),
    )


def _term(weight: Weight, value: Any) -> Any:
    return weight.weight * np.clip((value - weight.centre) / weight.scale, -CLIP, CLIP)


def _logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-np.asarray(x, dtype=float)))
