"""Learn genre weights from labelled videos, and measure how well any weights rank them. Knows nothing of images.

A tag is learned only from enough examples, and its merit is compared with that of the tag's prior.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fervid.base.printable import counted
from fervid.errors import DatasetError, missing
from fervid.profile.features import feature_table, profile_features
from fervid.profile.genre import CLIP, Evidence, Genres, Tag, Weight, missing_evidence, suggest_tags
from fervid.profile.profile import Profile
from fervid.stats.ranking import average_precision

LEAST_EXAMPLES = 30
"""Fewest videos with a tag, and fewest without it, to learn it."""
N_FOLDS = 5
N_BOOTSTRAPS = 1000
N_SHUFFLES, SHUFFLES_AT_ONCE = 10_000, 1000
SEED = 7
INTERVAL_PERCENT = (2.5, 97.5)
LEAST_SURE = 0.01
"""Probability, over all tags together, of calling noise better than the prior."""
INVERSE_PENALTY = 0.3
"""C of the logistic regression: strong, because a small collection has about as many figures as videos."""


@dataclass(frozen=True, slots=True)
class TagMerit:
    """How well scores rank the videos of a tag: average precision with its 95 % interval, and the prior's.

    `chance` is the share of shuffled scores that rank as well.
    """

    tag: str
    n: int
    n_positive: int
    average_precision: float
    interval: tuple[float, float]
    prior: float
    chance: float
    beats_prior: bool

    def in_words(self) -> str:
        """One sentence for a report."""
        low, high = self.interval
        verdict = "better than" if self.beats_prior else "no better than"
        return (
            f"{self.tag}: average precision {self.average_precision:.2f} ({low:.2f} to {high:.2f}), "
            f"{verdict} the prior alone, {self.prior:.2f} ({self.n_positive} of {self.n} videos)"
        )


@dataclass(frozen=True, slots=True)
class Learned:
    """Fitted weights, the merit of each tag in cross-validation, and what was excluded and why."""

    genres: Genres
    merits: tuple[TagMerit, ...]
    left_out: tuple[str, ...]


def read_labels(path: Path) -> dict[str, frozenset[str]]:
    """Tags by video from a CSV file with the columns `video` and `tags`; tags are separated by `|`.

    Raises DatasetError naming the invalid line.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise DatasetError(f"labels {path} cannot be read ({problem}). Give a CSV file with video,tags.") from None
    if not rows or not {"video", "tags"} <= set(rows[0]):
        raise DatasetError(
            f"labels {path} need the columns video and tags and at least one row. Write video,tags first."
        )
    labels: dict[str, frozenset[str]] = {}
    for line, row in enumerate(rows, 2):
        name, tags = (row["video"] or "").strip(), (row["tags"] or "").strip()
        if not name:
            raise DatasetError(
                f"labels {path}, line {line}: the video is missing. Give a file, a run folder or a video id."
            )
        if name in labels:
            raise DatasetError(f"labels {path}, line {line}: {name!r} is listed twice. Keep one line per video.")
        labels[name] = frozenset(tag.strip() for tag in tags.split("|") if tag.strip())
    return labels


def match_labels(
    labels: Mapping[str, frozenset[str]], profiles: Sequence[tuple[Path, Profile]]
) -> tuple[list[Profile], list[frozenset[str]], list[str]]:
    """Profiles with their tags, and the names of labels without a run.

    A label names a video by its file name, with or without suffix, its run folder or its id.
    Raises DatasetError when a name matches several runs, or no label matches any.
    """
    found: dict[str, list[int]] = {}
    for i, (folder, profile) in enumerate(profiles):
        source = profile.source
        for name in {source.name, Path(source.name).stem, folder.name, source.video_id}:
            found.setdefault(name, []).append(i)
    taken: dict[int, frozenset[str]] = {}
    missing = []
    for name, tags in labels.items():
        rows = found.get(name, found.get(Path(name).name, []))
        if len(rows) > 1:
            several = ", ".join(profiles[row][0].name for row in rows)
            raise DatasetError(f"label {name!r} matches several runs ({several}). Name the run folder instead.")
        if rows:
            taken[rows[0]] = tags
        else:
            missing.append(name)
    if not taken:
        raise DatasetError("no label matches a run. Name videos by file name, run folder or id.")
    order = sorted(taken)
    return [profiles[i][1] for i in order], [taken[i] for i in order], missing


def fit_genres(profiles: Sequence[Profile], tags: Sequence[frozenset[str]], evidence: Evidence) -> Learned:
    """Fit a logistic regression per tag, and measure each in five-fold cross-validation.

    Profiles with too little evidence are excluded. Raises DatasetError when no tag has enough examples, and
    DependencyMissing without scikit-learn.
    """
    try:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import StratifiedKFold
        from threadpoolctl import threadpool_limits
    except ImportError as problem:
        raise missing("learning genre tags", "scikit-learn", "genres", problem) from None

    table, is_positive, names, left_out = _training_set(profiles, tags, evidence)
    chosen = [
        tag for tag in sorted(is_positive) if min(is_positive[tag].sum(), (~is_positive[tag]).sum()) >= LEAST_EXAMPLES
    ]
    for tag in sorted(set(is_positive) - set(chosen)):
        n = int(is_positive[tag].sum())
        left_out.append(
            f"{tag}: {n} videos with it and {len(table) - n} without, at least {LEAST_EXAMPLES} of each are needed"
        )
    if not chosen:
        raise DatasetError(f"no tag can be learned ({'; '.join(left_out) or 'no labels'}). Label more videos.")

    def fitted(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float]:
        with threadpool_limits(1):  # the matrices are far too small to share out
            model = LogisticRegression(C=INVERSE_PENALTY, solver="newton-cholesky", max_iter=1000).fit(x, y)
        return model.coef_[0], float(model.intercept_[0])

    merits, entries = [], {}
    for tag in chosen:
        y = is_positive[tag]
        scores = np.zeros(len(y))
        for train, test in StratifiedKFold(N_FOLDS, shuffle=True, random_state=SEED).split(table, y):
            centre, scale = _standard(table[train])
            coefficients, bias = fitted(_standardised(table[train], centre, scale), y[train])
            scores[test] = _standardised(table[test], centre, scale) @ coefficients + bias
        merits.append(judge(tag, scores, y, n_tags=len(chosen)))
        centre, scale = _standard(table)
        coefficients, bias = fitted(_standardised(table, centre, scale), y)
        weights = tuple(
            Weight(feature=name, weight=float(w), centre=float(c), scale=float(s))
            for name, w, c, s in zip(names, coefficients, centre, scale, strict=True)
        )
        entries[tag] = Tag(about="learned from labelled videos", bias=bias, weights=weights)
    learned = {merit.tag: asdict(merit) | {"interval": list(merit.interval)} for merit in merits}
    genres = Genres(schema_version=1, evidence=evidence, tags=entries, learned=learned)
    return Learned(genres, tuple(merits), tuple(left_out))


def evaluate_genres(
    genres: Genres, profiles: Sequence[Profile], tags: Sequence[frozenset[str]]
) -> tuple[tuple[TagMerit, ...], tuple[str, ...]]:
    """How well weights rank labelled videos, per tag, and which tags or videos could not be evaluated and why."""
    scored = [{found.tag: found.score for found in suggest_tags(profile, genres)} for profile in profiles]
    names = [tag for tag in genres.tags if any(tag in labels for labels in tags)]
    left_out = [f"{tag}: no video has this label" for tag in genres.tags if tag not in names]
    merits = []
    for tag in names:
        rows = [i for i, scores in enumerate(scored) if scores[tag] is not None]
        y = np.array([tag in tags[i] for i in rows], bool)
        if len(rows) < len(scored):
            left_out.append(f"{tag}: {counted(len(scored) - len(rows), 'video')} with insufficient evidence")
        if y.any() and not y.all():
            merits.append(judge(tag, np.array([scored[i][tag] for i in rows], float), y, n_tags=len(names)))
        else:
            left_out.append(f"{tag}: {int(y.sum())} of {len(y)} videos with evidence have it, so ranking is undefined")
    return tuple(merits), tuple(left_out)


def judge(tag: str, scores: np.ndarray, is_positive: np.ndarray, *, n_tags: int = 1) -> TagMerit:
    """Average precision beside the prior's, with a bootstrap over videos and a test against shuffled scores.

    The prior alone reaches the share of videos with the tag. To count as better, the interval must be above it and
    shuffled scores must do as well less often than LEAST_SURE / n_tags (Bonferroni).
    """
    rng = np.random.default_rng(SEED)
    n, value = len(scores), average_precision(scores, is_positive)
    assert value is not None, "a tag without examples cannot be evaluated"
    drawn = _precisions(scores, is_positive[None], rng.multinomial(n, np.full(n, 1 / n), size=N_BOOTSTRAPS))
    low, high = (float(x) for x in np.nanpercentile(drawn, INTERVAL_PERCENT))
    n_as_good = 0
    for _ in range(N_SHUFFLES // SHUFFLES_AT_ONCE):
        shuffles = rng.permuted(np.tile(is_positive, (SHUFFLES_AT_ONCE, 1)), axis=1)
        n_as_good += int((_precisions(scores, shuffles, np.ones((1, n))) >= value).sum())
    chance = (1 + n_as_good) / (1 + N_SHUFFLES)
    prior = float(is_positive.mean())
    beats = low > prior and chance <= LEAST_SURE / n_tags
    return TagMerit(tag, n, int(is_positive.sum()), value, (low, high), prior, chance, beats)


def _precisions(scores: np.ndarray, is_positive: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Average precision of R samples in which each video counts `times` (R, N); NaN for one without a positive.

    The same as `average_precision` of the samples written out; `is_positive` is (R, N), either may be (1, N).
    """
    order = np.argsort(-scores, kind="stable")
    last_of_score = np.searchsorted(-scores[order], -scores[order], side="right") - 1
    found = np.cumsum(times[:, order], axis=1)
    positive = times[:, order] * is_positive[:, order]
    hits = np.cumsum(positive, axis=1)
    precision = (hits / np.maximum(found, 1))[:, last_of_score]
    total = hits[:, -1]
    ranked = (positive * precision).sum(axis=1)
    return np.asarray(np.divide(ranked, total, out=np.full(len(total), np.nan), where=total > 0))


def _training_set(
    profiles: Sequence[Profile], tags: Sequence[frozenset[str]], evidence: Evidence
) -> tuple[np.ndarray, dict[str, np.ndarray], list[str], list[str]]:
    """Figures (N, K), which videos have each tag, the names of the figures, and what was excluded."""
    if len({profile.labels for profile in profiles}) > 1:
        raise DatasetError("the runs were made with models of different labels. Analyse all videos with one model.")
    rows = [i for i, profile in enumerate(profiles) if not missing_evidence(profile, evidence)]
    left_out = []
    if len(rows) < len(profiles):
        left_out.append(f"{counted(len(profiles) - len(rows), 'video')} with insufficient evidence")
    if not rows:
        raise DatasetError("no labelled video has enough evidence (seconds of video, of faces). Label other videos.")
    names = list(feature_table(profiles[0].labels))
    figures = [profile_features(profiles[i]) for i in rows]
    table = np.array([[figure[name] for name in names] for figure in figures])
    measured = ~np.isnan(table).all(axis=0)
    names = [name for name, there in zip(names, measured, strict=True) if there]
    all_tags = frozenset[str]().union(*tags)
    return (
        table[:, measured],
        {tag: np.array([tag in tags[i] for i in rows], bool) for tag in all_tags},
        names,
        left_out,
    )


def _standard(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each figure; 1 where it never changes."""
    deviation = np.nanstd(table, axis=0)
    return np.nanmean(table, axis=0), np.where(deviation > 0, deviation, 1.0)


def _standardised(table: np.ndarray, centre: np.ndarray, scale: np.ndarray) -> Any:
    """The same as in scoring: unmeasured figures add nothing, extremes are clipped."""
    return np.nan_to_num(np.clip((table - centre) / scale, -CLIP, CLIP))
