"""From the logits of all heads to the probabilities of the model's labels. Knows nothing of networks or of time.

FER-2013 has one label per image, FER+ the votes of ten people on the same images. A model trained on both can use
either head, or a weighted mean of the two.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from fervid.emotion.calibration import softmax
from fervid.emotion.model import FER2013, FERPLUS, Head, ModelInfo
from fervid.emotion.readout import Readout
from fervid.errors import ConfigError

LabelSource = Literal["auto", "fer2013", "ferplus", "mean", "blend"]
# Decision SCO-5.
SHARE_OF_VOTERS = {"mean": 0.5, "blend": 0.3}
"""Weight of the FER+ head if both are used. The one of `blend` is chosen by benchmarks/blend.py."""


def head_columns(model: ModelInfo) -> dict[str, slice]:
    """Which columns of a model's logits belong to each of its heads."""
    columns, first = {}, 0
    for head in model.heads:
        columns[head.name] = slice(first, first + len(head.labels))
        first += len(head.labels)
    return columns


def resolved_source(model: ModelInfo, source: LabelSource) -> LabelSource:
    """`auto` is `blend` for a model with both heads, and the single labels of any other."""
    if source != "auto":
        return source
    return "blend" if {FER2013, FERPLUS} <= {head.name for head in model.heads} else "fer2013"


# Decision SCO-3.
def select_heads(model: ModelInfo, source: LabelSource) -> tuple[Head, ...]:
    """The heads used for `source`. Raises ConfigError when the model has no such head."""
    source = resolved_source(model, source)
    wanted = (FER2013, FERPLUS) if source in SHARE_OF_VOTERS else (source,)
    named = {head.name: head for head in model.heads}
    missing = [name for name in wanted if name not in named]
    if missing:
        raise ConfigError(
            f"emotion.labels = {source!r} needs a model with a {missing[0]} head, and {model.name} has "
            f"{' and '.join(named)}. Use emotion.labels = 'fer2013', or another model."
        )
    return tuple(named[name] for name in wanted)


# Decision SCO-11.
def label_probabilities(
    logits: np.ndarray, model: ModelInfo, *, source: LabelSource = "fer2013", is_flipped: bool = False
) -> np.ndarray:
    """Calibrated probabilities (N, C) of `model.labels` from the logits (N, L) of all heads, in their float type.

    Labels that only a head has (FER+'s contempt) are dropped and the rest is scaled to one; `mean` and `blend` are
    weighted means of both heads' probabilities (SHARE_OF_VOTERS). `is_flipped` says that the logits are means with
    those of mirrored crops, which have their own temperature. Raises ConfigError when the model has no head for
    `source`.
    """
    columns = head_columns(model)
    answers = []
    for head in select_heads(model, source):
        probabilities = softmax(logits[:, columns[head.name]], head.temperature_of(is_flipped=is_flipped))
        if head.labels != model.labels:
            probabilities = probabilities[:, [head.labels.index(label) for label in model.labels]]
            probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
        answers.append(probabilities)
    if len(answers) == 1:
        return answers[0]
    share = answers[0].dtype.type(SHARE_OF_VOTERS[resolved_source(model, source)])
    return np.asarray(answers[0] * (1 - share) + answers[1] * share)


def calibrated_scores(logits: np.ndarray, model: ModelInfo, *, is_flipped: bool = False) -> np.ndarray:
    """The logits (n, L) of all heads in units of log-probability, less their mean over each head's labels: float64."""
    found = logits.astype(np.float64)
    for head in model.heads:
        own = head_columns(model)[head.name]
        found[:, own] -= found[:, own].mean(axis=1, keepdims=True)
        found[:, own] /= head.temperature_of(is_flipped=is_flipped)
    return found


def chosen_readout(model: ModelInfo, use: Literal["auto", "on", "off"], source: LabelSource) -> Readout | None:
    """The read-out over time to use. `auto`: the model's, if it was fitted to the heads that answer.

    Raises ConfigError where one is asked for and none fits.
    """
    found = model.readout
    if use == "off" or (use == "auto" and (found is None or found.source != resolved_source(model, source))):
        return None
    if found is None:
        raise ConfigError(f"{model.name} has no read-out. Fit one with `fervid models readout`, or use --readout off.")
    if found.source != resolved_source(model, source):
        raise ConfigError(
            f"the read-out of {model.name} is for emotion.labels = {found.source!r}, not {source!r}. Use --readout off."
        )
    return found


LABEL_SOURCES: tuple[str, ...] = get_args(LabelSource)
