"""Compares two or more models on the same faces, with a test of significance."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from fervid.emotion.model import load_model_info
from fervid.errors import ConfigError
from fervid.stats.metrics import holm_adjusted, mcnemar_p, paired_difference_interval
from fervid.train.data.fer2013 import FaceDataset
from fervid.train.evaluate.model import Evaluation, check_measurable, measure_model, write_measured
from fervid.train.evaluate.tta import Tta


@dataclass(frozen=True, slots=True)
class Pair:
    """Two models on the same faces. `difference` is the accuracy of `second` minus that of `first`, with its interval.

    `p` is that of McNemar's exact test, two-sided; `p_holm` is the same adjusted for all pairs of the comparison.
    """

    first: str
    second: str
    both_right: int
    first_alone_right: int
    second_alone_right: int
    both_wrong: int
    difference: float
    difference_interval: tuple[float, float]
    p: float
    p_holm: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Evaluations of several models on one split, by name, and every pair of them."""

    split: str
    tta: Tta
    n: int
    models: dict[str, Evaluation]
    pairs: tuple[Pair, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, lists and dicts, for `json.dumps`."""
        return json.loads(json.dumps(asdict(self), allow_nan=False))  # type: ignore[no-any-return]


def compare_models(
    model_folders: Sequence[Path],
    dataset: FaceDataset,
    split: str,
    out: Path | None = None,
    *,
    tta: Tta = "none",
    votes: np.ndarray | None = None,
    errors: bool = False,
    latency: bool = False,
    device: str = "cpu",
) -> Comparison:
    """Evaluate each model as `evaluate_model` does and compare every pair on the same faces.

    With `out`, comparison.html and comparison.json are written into it, and a folder of results for each model. A
    reading of PrivateTest is logged for each model, once all of them are known to be measurable.
    Raises what `evaluate_model` does, and ConfigError for fewer than two models or one that is named twice.
    """
    folders = [Path(folder) for folder in model_folders]
    _check_different(folders)
    for folder in folders:
        check_measurable(load_model_info(folder), dataset, split, votes=votes, device=device)
    measured = [
        measure_model(folder, dataset, split, tta=tta, votes=votes, latency=latency, device=device)
        for folder in folders
    ]
    names = names_of(folders)
    is_right = {name: one.is_right for name, one in zip(names, measured, strict=True)}
    evaluations = {name: one.evaluation for name, one in zip(names, measured, strict=True)}
    comparison = Comparison(split, tta, measured[0].evaluation.n, evaluations, compare_answers(is_right))
    if out is not None:
        from fervid.train.evaluate.comparison_page import write_comparison

        for name, one in zip(names, measured, strict=True):
            write_measured(one, dataset, out / name, errors=errors, device=device)
        write_comparison(comparison, out)
    return comparison


def compare_answers(is_right: dict[str, np.ndarray]) -> tuple[Pair, ...]:
    """Every pair of models, from the correct faces bool (N,) of each; the same N faces in the same order."""
    named = list(combinations(is_right, 2))
    counts = [_counts(is_right[first], is_right[second]) for first, second in named]
    p_values = [mcnemar_p(first_alone, second_alone) for _, first_alone, second_alone, _ in counts]
    return tuple(
        Pair(
            *names,
            *count,
            difference=(count[2] - count[1]) / max(1, sum(count)),
            difference_interval=paired_difference_interval(count[1], count[2], sum(count)),
            p=p,
            p_holm=p_holm,
        )
        for names, count, p, p_holm in zip(named, counts, p_values, holm_adjusted(p_values), strict=True)
    )


def names_of(folders: Sequence[Path]) -> list[str]:
    """The folder names; repeated ones get a number."""
    names: list[str] = []
    for folder in folders:
        plain = folder.resolve().name
        n, name = 1, plain
        while name in names:
            n += 1
            name = f"{plain}-{n}"
        names.append(name)
    return names


def _counts(first: np.ndarray, second: np.ndarray) -> tuple[int, int, int, int]:
    """Faces that both, only the first, only the second, and neither classify correctly."""
    return (
        int((first & second).sum()),
        int((first & ~second).sum()),
        int((~first & second).sum()),
        int((~first & ~second).sum()),
    )


def _check_different(folders: Sequence[Path]) -> None:
    if len(folders) < 2:
        raise ConfigError(f"{len(folders)} model cannot be compared. Name two or more.")
    places = [folder.resolve() for folder in folders]
    for place in places:
        if places.count(place) > 1:
            raise ConfigError(f"model {place.name} is named twice. Name each model to compare once.")
